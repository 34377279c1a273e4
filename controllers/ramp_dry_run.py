# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from werkzeug.exceptions import BadRequest

from odoo import http
from odoo.http import content_disposition, request

from .ramp_tie_out import XLSX


class RampDryRun(http.Controller):
    @http.route('/ramp_connector/dry_run/xlsx', type='http', auth='user', methods=['GET'], readonly=True)
    def xlsx(self, run_id=''):
        """Return the result of a dry run as a workbook.

        The dry run itself checks the access rights.

        :raise BadRequest: the id is not a number
        """
        if not run_id.isdecimal():
            raise BadRequest
        name, content = request.env['ramp.dry.run'].browse(int(run_id))._result_workbook_file()
        return request.make_response(
            content,
            headers=[
                ('Content-Type', XLSX),
                ('Content-Length', len(content)),
                ('Content-Disposition', content_disposition(name)),
            ],
        )
