# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import json

from werkzeug.exceptions import BadRequest
from werkzeug.urls import url_parse

from odoo import http
from odoo.addons.web.controllers.report import ReportController
from odoo.http import content_disposition, request

PDF = '/report/pdf/ramp_connector.tie_out?'
XLSX = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'


class RampTieOut(http.Controller):
    @http.route('/ramp_connector/tie_out/xlsx', type='http', auth='user', methods=['GET', 'POST'], readonly=True)
    def xlsx(self, connection_id='', month_from=None, month_to=None):
        """Return the tie-out as a workbook.

        The report itself checks the access rights.

        :raise BadRequest: the id of the connection is not a number
        """
        if not connection_id.isdecimal():
            raise BadRequest
        name, content = request.env['report.ramp_connector.tie_out']._workbook_file(
            int(connection_id), month_from, month_to
        )
        return request.make_response(
            content,
            headers=[
                ('Content-Type', XLSX),
                ('Content-Length', len(content)),
                ('Content-Disposition', content_disposition(name)),
            ],
        )


class RampTieOutReport(ReportController):
    @http.route()
    def report_download(self, data, context=None, token=None, readonly=True):
        """EXTENDS: name the tie-out's PDF by company and period. Core names a report without records by its title."""
        response = super().report_download(data, context, token, readonly)
        url = json.loads(data)[0]
        if response and url.startswith(PDF):
            options = json.loads(url_parse(url).decode_query(cls=dict).get('options') or '{}')
            name = request.env['report.ramp_connector.tie_out']._pdf_file_name(
                options.get('connection_id'), options.get('month_from'), options.get('month_to')
            )
            response.headers.set('Content-Disposition', content_disposition(f'{name}.pdf'))
        return response
