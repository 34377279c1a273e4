# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from werkzeug.exceptions import BadRequest

from odoo.exceptions import UserError
from odoo.http import Controller, request, route


class RampSignIn(Controller):
    @route('/ramp_connector/sign_in', type='http', auth='user', methods=['GET'], readonly=False)
    def receive_code(self, state=None, code=None, error=None, **_ignored):
        """Take the answer of Ramp's page to a person who signed in, and go back to the assistant.

        The assistant checks that this user was sent there. The redirect stays in this Odoo.

        :raise BadRequest: nobody expects the answer
        """
        try:
            address = request.env['ramp.setup']._finish_sign_in(state, code, error)
        except UserError as error:
            raise BadRequest(str(error)) from error
        return request.redirect(address)
