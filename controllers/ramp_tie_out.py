# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from werkzeug.exceptions import BadRequest

from odoo import http
from odoo.http import content_disposition, request

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
