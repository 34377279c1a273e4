# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from werkzeug.exceptions import BadRequest

from odoo import http
from odoo.http import content_disposition, request

XLSX = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'


class RampTieOut(http.Controller):
    @http.route('/ramp_connector/tie_out/xlsx', type='http', auth='user', methods=['GET', 'POST'], readonly=True)
    def xlsx(self, connection_id='', month_from=None, month_to=None):
        """The tie-out as a workbook; who may have it, the report itself decides."""
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
