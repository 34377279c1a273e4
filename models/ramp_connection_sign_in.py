# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..ramp_api import RampSignInLost


class RampConnection(models.Model):
    """The sign-in of a person to Ramp, as another way than client credentials."""

    _inherit = 'ramp.connection'

    sign_in_id = fields.Many2one(
        'ramp.sign.in', string='Sign-In', readonly=True, copy=False, groups=fields.NO_ACCESS, ondelete='set null'
    )
    # compute_sudo: whether somebody has signed in is no secret; the token is not shown
    has_sign_in = fields.Boolean(compute='_compute_has_sign_in', compute_sudo=True)

    @api.depends('sign_in_id')
    def _compute_has_sign_in(self):
        for connection in self:
            connection.has_sign_in = bool(connection.sign_in_id)

    def _authorize_page(self):
        """Return the address of Ramp's page on which a person signs in. It is at the host that the connection asks."""
        self.ensure_one()
        if page := self._app_url():
            return f'{page}/v1/authorize'
        parts = urlsplit(self._api_url())
        return f'{parts.scheme}://{parts.netloc}/v1/authorize'

    def action_sign_in(self):
        """Let the user sign in to Ramp again, for a connection whose sign-in was revoked or has expired."""
        self.ensure_one()
        self._check_is_manager()
        if not self.has_sign_in:
            raise UserError(
                self.env._(
                    'Connection %s has a client id and secret of its own, so nobody has to sign in to Ramp.', self.name
                )
            )
        setup = self.env['ramp.setup'].with_context(default_connection_id=self.id).create({'access_kind': 'sign_in'})
        return setup.action_sign_in()

    def _explain_error(self, error):
        """EXTENDS: Say who can do something about a sign-in that Ramp does not accept."""
        if isinstance(error, RampSignInLost):
            return self.env._(
                'Connection %(name)s: Ramp no longer accepts the sign-in, because it was revoked or has expired. '
                'Nothing is lost. An accounting administrator has to press Sign In to Ramp Again on the connection.',
                name=self.name,
            )
        return super()._explain_error(error)
