# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import hashlib
import hmac

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..ramp_api import PayloadError, read_business
from .connection_constants import SETTINGS


class RampConnection(models.Model):
    """The Ramp business that a connection belongs to for good, and the check of its credentials."""

    _inherit = 'ramp.connection'

    ramp_business_id = fields.Char(
        string='Ramp Business ID',
        readonly=True,
        copy=False,
        help='The Ramp business that this connection belongs to. The records of the connection are not valid in '
        'another business.',
    )
    verified_credentials = fields.Char(
        readonly=True,
        copy=False,
        groups='base.group_system',
        help='A fingerprint of the client id and secret that Ramp confirmed to belong to the Ramp business. If they '
        'change, Odoo asks Ramp again.',
    )
    credentials_since = fields.Datetime(
        string='Client Secret in Use Since',
        readonly=True,
        copy=False,
        help='When Ramp first confirmed the current client id and secret. Empty for those from before version 1.6.',
        prefetch=SETTINGS,
    )

    def _has_ledger_rows(self):
        """Return whether the ledger has rows, which would mean nothing in another Ramp business."""
        self.ensure_one()
        # sudo: users who may write the connection may know this
        return bool(self.env['ramp.record'].sudo().search_count([('connection_id', 'in', self.ids)], limit=1))

    def _credentials_mark(self):
        """Return an HMAC that identifies the credentials without revealing them, under the database's own secret."""
        # sudo: no user may read this secret, and it is not shown
        secret = self.env['ir.config_parameter'].sudo().get_param('database.secret') or ''
        # sudo: only system administrators may read the credentials, and they are not shown here
        connection = self.sudo()
        parts = [part or '' for part in connection._client_credentials()]
        if connection.sign_in_id:
            # One app may be used by several businesses: who has signed in decides
            parts.append(str(connection.sign_in_id.id))
        pair = '\n'.join(parts)
        return hmac.new(secret.encode(), pair.encode('utf-8', 'surrogatepass'), hashlib.sha256).hexdigest()

    def _has_verified_credentials(self):
        """Return whether Ramp confirmed that the current credentials belong to this connection's Ramp business."""
        # sudo: the mark is compared and not shown
        connection = self.sudo()
        return bool(connection.ramp_business_id) and connection.verified_credentials == self._credentials_mark()

    def _check_verified_credentials(self):
        if not self._has_verified_credentials():
            raise UserError(
                self.env._(
                    'Connection %s has a new client id or secret. Nothing is read, posted or sent until Ramp has '
                    'confirmed which business they belong to. The next run asks Ramp.',
                    self.name,
                )
            )

    @api.model
    def _ask_business(self, client):
        """Return the `Business` that the client's credentials belong to.

        :raise UserError: if Ramp does not say which business it is
        :raise RampError: if the request fails
        """
        try:
            return read_business(client.get('/business'))
        except PayloadError as error:
            raise UserError(
                self.env._(
                    'Ramp does not say which business the client id and secret belong to, so they are not used. %s',
                    error,
                )
            ) from error

    def _check_same_business(self, business):
        """Raise `UserError` if the documents and rows of this connection belong to another Ramp business."""
        if not self.ramp_business_id or self.ramp_business_id == business.id:
            return
        if self.state != 'connected' and not self._has_ledger_rows():
            return
        remedy = (
            self.env._('For "%s", create a new connection. Press Disconnect here, and archive this one.', business.name)
            if self._has_ledger_rows()
            else self.env._('For "%s", press Disconnect, then Connect.', business.name)
        )
        raise UserError(
            self.env._(
                'Connection %(name)s: the client id and secret belong to the Ramp business "%(other)s" '
                '(%(other_id)s), but the connection belongs to "%(business)s" (%(business_id)s). Nothing was read, '
                'posted or sent. Enter the client id and secret of an app of "%(business)s". %(remedy)s',
                name=self.name,
                other=business.name,
                other_id=business.id,
                business=self.ramp_business_name or self.ramp_business_id,
                business_id=self.ramp_business_id,
                remedy=remedy,
            )
        )

    def _business_values(self, business):
        """Return the values to write once the credentials are known to belong to this business."""
        mark = self._credentials_mark()
        # sudo: the mark is compared and not shown
        is_new = self.sudo().verified_credentials != mark
        return {
            'ramp_business_id': business.id,
            'ramp_business_name': business.name,
            'verified_credentials': mark,
            **({'credentials_since': self.env.cr.now().replace(microsecond=0)} if is_new else {}),
        }

    def _check_business(self, commit):
        """Verify the credentials at the beginning of a run, if Ramp was not asked about them yet.

        A connected connection of an earlier version, which does not know its business yet, stores it here.

        :param commit: function that calls a function with arguments and commits
        """
        if self._has_verified_credentials():
            return
        business = self._ask_business(self._new_client())
        self._check_same_business(business)
        # sudo: the job writes these fields; users cannot
        commit(self.sudo().write, self._business_values(business))
