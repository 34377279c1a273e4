# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import logging
from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..ramp_api import RampError, RampSignInLost

_logger = logging.getLogger(__name__)


class RampConnection(models.Model):
    """The sign-in of a person to Ramp, as another way than client credentials."""

    _inherit = 'ramp.connection'

    sign_in_id = fields.Many2one(
        'ramp.sign.in', string='Sign-In', readonly=True, copy=False, groups=fields.NO_ACCESS, ondelete='set null'
    )
    # compute_sudo: whether somebody has signed in is no secret; the token is not shown
    has_sign_in = fields.Boolean(compute='_compute_has_sign_in', compute_sudo=True)

    sign_in_message = fields.Text(
        string='Why the Sign-In Failed',
        compute='_compute_sign_in_message',
        help='Why your last sign-in to Ramp for this connection failed. Other users do not see it.',
    )

    @api.depends('sign_in_id')
    def _compute_has_sign_in(self):
        for connection in self:
            connection.has_sign_in = bool(connection.sign_in_id)

    def _own_setups(self):
        """Return the user's assistants for these connections, the latest first, in superuser mode."""
        # sudo: only those who may set up Ramp can read assistants. These are the user's own.
        return (
            self.env['ramp.setup']
            .sudo()
            .search([('connection_id', 'in', self.ids), ('create_uid', '=', self.env.uid)], order='id desc')
        )

    @api.depends_context('uid')
    def _compute_sign_in_message(self):
        latest = {}
        for setup in self._own_setups():
            latest.setdefault(setup.connection_id.id, setup.sign_in_message)
        for connection in self:
            connection.sign_in_message = latest.get(connection.id, False)

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

    def _sign_out(self):
        """Have the tokens of this connection revoked at Ramp after the transaction is committed.

        The access tokens of other processes end by themselves. The user does not wait for it. If Ramp does not do it,
        the connection's log says so.
        """
        self.ensure_one()
        if self.is_copy:
            return  # the tokens are those of the original, too
        # sudo: no user may read sign-ins
        sign_in = self.sudo().sign_in_id
        token = sign_in.refresh_token
        try:
            client = self._new_client()
        except UserError:
            return  # without credentials, there are no tokens
        sign_in.refresh_token = False
        registry, uid, context = self.env.registry, self.env.uid, {'lang': self.env.lang}

        def revoke_tokens():
            try:
                client.tokens.revoke_stored_token(token)
            except RampError as error:
                _logger.info('The tokens of connection %s were not revoked: %s', self.id, error)
                with registry.cursor() as cr:
                    connection = api.Environment(cr, uid, context)['ramp.connection'].browse(self.id).sudo().exists()
                    connection._log_not_revoked(error)
            finally:
                client.close_connections()

        self.env.cr.postcommit.add(revoke_tokens)

    def _log_not_revoked(self, error):
        for connection in self:
            connection._message_log(
                body=self.env._(
                    "Odoo deleted its access to Ramp, but Ramp did not revoke it. %s To be sure, remove the app's "
                    'access in Ramp (Company > Developer).',
                    connection._explain_error(error),
                )
            )

    def _explain_error(self, error):
        """EXTENDS: Say who can do something about a sign-in that Ramp does not accept."""
        if isinstance(error, RampSignInLost):
            return self.env._(
                'Connection %(name)s: Ramp no longer accepts the sign-in, because it was revoked or has expired. '
                'Nothing is lost. An accounting administrator has to press Sign In to Ramp Again on the connection.',
                name=self.name,
            )
        return super()._explain_error(error)
