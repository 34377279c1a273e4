# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import hashlib
import re
import secrets
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..models.connection_constants import OPTIONAL_SCOPES
from ..ramp_api import MemoryTokenStore, RampError, build_authorize_url

REDIRECT_PATH = '/ramp_connector/sign_in'
# Ramp's code lives as long
SIGN_IN_TIME = timedelta(minutes=10)
ERROR_WORD = re.compile(r'[a-z_]{1,40}')


class RampSetup(models.TransientModel):
    """Signing in to Ramp (authorization code): the address to send a person to, and what comes back.

    `state` is made of random bytes, and belongs to one assistant and its user. It is kept as a digest, works once, and
    for ten minutes. Ramp's contract has no PKCE at this endpoint (2026-08-01).
    """

    _inherit = 'ramp.setup'

    access_kind = fields.Selection(
        [('secret', 'Client ID and secret alone'), ('sign_in', 'A person signs in to Ramp')],
        string='How Odoo Gets Access',
        required=True,
        default='secret',
    )
    sign_in_id = fields.Many2one('ramp.sign.in', string='Sign-In', groups=fields.NO_ACCESS, ondelete='set null')
    sign_in_digest = fields.Char(groups=fields.NO_ACCESS)
    sign_in_until = fields.Datetime(groups=fields.NO_ACCESS)
    sign_in_message = fields.Text(string='What Ramp Answered', readonly=True)
    # compute_sudo: whether somebody has signed in is no secret; the token is not shown
    has_sign_in = fields.Boolean(string='Signed In', compute='_compute_has_sign_in', compute_sudo=True)
    redirect_uri = fields.Char(string='Redirect Address', compute='_compute_redirect_uri')

    @api.depends('sign_in_id', 'connection_id')
    def _compute_has_sign_in(self):
        for setup in self:
            setup.has_sign_in = bool(setup._chosen_sign_in())

    def _chosen_sign_in(self):
        """Return the sign-in of the assistant, else that of its connection, in superuser mode."""
        # sudo: no user may read sign-ins
        setup = self.sudo()
        return setup.sign_in_id or setup.connection_id.sign_in_id.filtered('refresh_token')

    def _compute_redirect_uri(self):
        self.redirect_uri = self.get_base_url() + REDIRECT_PATH

    def unlink(self):
        """EXTENDS: Delete the sign-ins that no connection uses."""
        # sudo: no user may read sign-ins
        found = self.sudo().sign_in_id
        result = super().unlink()
        (found - found._used_sign_ins()).unlink()
        return result

    # ------------------------------------------------------------------ to Ramp

    def action_sign_in(self):
        """Send the user to Ramp, to sign in and to consent.

        :return: action that opens Ramp's page
        """
        self.ensure_one()
        self._check_may_set_up()
        if self.state != 'credentials':
            raise UserError(self.env._('Go back to the first step to sign in to Ramp.'))
        connection = self._draft_connection(**dict.fromkeys(OPTIONAL_SCOPES, True))
        # sudo: only system administrators may read the client id; it is part of the address
        client_id, secret = connection.sudo()._client_credentials()
        if not (client_id and secret):
            raise UserError(self.env._('Enter the Client ID and the Client Secret of the app in Ramp first.'))
        self._check_may_enter_credentials()
        if self.environment != 'custom' and not self.redirect_uri.startswith('https://'):
            raise UserError(
                self.env._(
                    'Ramp sends people back to https addresses only, and this database has %s. Let a system '
                    'administrator set the system parameter web.base.url to the public https address.',
                    self.redirect_uri,
                )
            )
        state = secrets.token_urlsafe(32)
        # sudo: no user may read or write these fields
        self.sudo().write(
            {
                'sign_in_digest': self._digest_state(state),
                'sign_in_until': fields.Datetime.now() + SIGN_IN_TIME,
                'sign_in_message': False,
            }
        )
        return {
            'type': 'ir.actions.act_url',
            'url': build_authorize_url(
                connection._authorize_page(), client_id, self.redirect_uri, connection._required_scopes(), state
            ),
            'target': 'self',
        }

    @api.model
    def _digest_state(self, state):
        return hashlib.sha256(state.encode('utf-8', 'surrogatepass')).hexdigest()

    # ------------------------------------------------------------------ back from Ramp

    @api.model
    def _take_sign_in(self, state):
        """Use up a state that came back, whoever brings it. The caller commits that.

        :param state: text of the query, or None
        :return: assistant that waits for this answer, in superuser mode; empty if nobody expects it from this user now
        """
        # sudo: no user may read these fields
        setup = self.sudo().search([('sign_in_digest', '=', self._digest_state(state or ''))], limit=1)
        is_expected = setup.create_uid == self.env.user and setup.sign_in_until >= fields.Datetime.now()
        setup.write({'sign_in_digest': False, 'sign_in_until': False})
        return setup if setup and is_expected else setup.browse()

    def _finish_sign_in(self, code, error):
        """Take what Ramp answered to the user who was sent there. What goes wrong is said on the page that is shown.

        :param code, error: texts of the query, or None
        :return: address of the page to show, in this Odoo: that of the connection if it is connected already
        :raise UserError: if nobody expects this answer
        """
        if not self:
            raise UserError(
                self.env._(
                    'Nobody expects this answer of Ramp: it was used before, came after more than ten minutes, or '
                    'belongs to another user. Open Ramp > Set Up, and press Sign In to Ramp again.'
                )
            )
        self.ensure_one()
        setup = self.sudo(False).with_company(self.company_id).with_context(allowed_company_ids=self.company_id.ids)
        try:
            with self.env.cr.savepoint():
                setup._check_may_set_up()
                message = (
                    setup._exchange_code(setup._draft_connection(), code) if code else setup._describe_refusal(error)
                )
        except UserError as refusal:
            message = str(refusal)
        # sudo: the user may have lost the right to set up Ramp. The message is for this user alone.
        setup.sudo().sign_in_message = message
        connection = self.connection_id
        if connection.state != 'connected':
            return f'/odoo/ramp-setup/{setup.id}'
        if not message:
            connection._own_setups().sign_in_message = False
            setup.unlink()
        return f'/odoo/ramp-connections/{connection.id}'

    def _describe_refusal(self, error):
        word = error if error and ERROR_WORD.fullmatch(error) else '?'
        return self.env._(
            'Ramp did not give access (%s). An administrator or owner of the Ramp business has to consent to all '
            'scopes. Check the scopes and the Redirect Address of the app, then press Sign In to Ramp again.',
            word,
        )

    def _exchange_code(self, connection, code):
        """Exchange the code for a refresh token, and keep it.

        :return: sentence that says why there is none, or False
        """
        client = connection._new_client(token_store=MemoryTokenStore(), sign_in=None, read_only=True)
        try:
            token = client.tokens.exchange_code(code, self.redirect_uri)
            business = connection._ask_business(client) if self.connection_id.state == 'connected' else None
            if business:
                self.connection_id._check_same_business(business)
        except (RampError, UserError) as error:
            return connection._explain_error(error) if isinstance(error, RampError) else str(error)
        finally:
            client.close_connections()
        # sudo: no user may read sign-ins
        sign_in = self.env['ramp.sign.in'].sudo().create({'refresh_token': token})
        if business:
            known = self.connection_id.sudo()
            former = known.sign_in_id
            known.sign_in_id = sign_in
            known.write(known._business_values(business))
            former.unlink()
            self.connection_id._request_sync()
        else:
            former = self.sudo().sign_in_id
            self.sudo().sign_in_id = sign_in
            (former - former._used_sign_ins()).unlink()
        return False

    # ------------------------------------------------------------------ the connection to be

    def _connection_values(self):
        """EXTENDS: Add the sign-in."""
        return {**super()._connection_values(), **self._sign_in_values()}

    def _sign_in_values(self):
        return {'sign_in_id': self._chosen_sign_in().id if self.access_kind == 'sign_in' else False}

    def _leave_credentials(self):
        """EXTENDS: Ask for the sign-in."""
        if self.access_kind == 'sign_in' and not self.has_sign_in:
            raise UserError(self.env._('Press Sign In to Ramp first.'))
        return super()._leave_credentials()

    def _forget_secrets(self):
        """EXTENDS: Leave the sign-in to the connection."""
        # sudo: no user may write this field
        self.sudo().sign_in_id = False
        return super()._forget_secrets()
