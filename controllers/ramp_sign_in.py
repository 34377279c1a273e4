# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from werkzeug.exceptions import BadRequest

from odoo.exceptions import UserError
from odoo.http import Controller, request, route


class RampSignIn(Controller):
    @route('/ramp_connector/sign_in', type='http', auth='user', methods=['GET'], readonly=False)
    def receive_code(self, state=None, code=None, error=None, **_ignored):
        """Take the answer of Ramp's page to a person who signed in, and go back to the assistant or the connection.

        The assistant checks that this user was sent there. The redirect stays in this Odoo.

        :raise BadRequest: nobody expects the answer
        """
        setup = request.env['ramp.setup']._take_sign_in(state)
        # The state is used up, whatever becomes of the rest
        request.env.cr.commit()  # pylint: disable=invalid-commit
        try:
            address = setup._finish_sign_in(code, error)
        except UserError as error:
            raise BadRequest(str(error)) from error
        return request.redirect(address)
