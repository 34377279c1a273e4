# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import hashlib
import hmac

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..ramp_api import PayloadError, read_business


class RampConnection(models.Model):
    """Which Ramp business a connection belongs to, for good, and whether its credentials are of that business."""

    _inherit = 'ramp.connection'

    ramp_business_id = fields.Char(
        string='Ramp Business ID',
        readonly=True,
        copy=False,
        help='The Ramp business that this connection belongs to. What it has brought means nothing in another one.',
    )
    verified_credentials = fields.Char(
        readonly=True,
        copy=False,
        groups='base.group_system',
        help='A mark of the client id and secret of which Ramp said that they are of the Ramp business. With others, '
        'Ramp is asked again.',
    )

    def _has_ledger_rows(self):
        """Whether there is anything in the ledger that means nothing in another Ramp business."""
        self.ensure_one()
        # whoever may write the connection may know that
        return bool(self.env['ramp.record'].sudo().search_count([('connection_id', '=', self.id)], limit=1))

    def _credentials_mark(self):
        """What tells these credentials from others, without telling them: an HMAC under the database's own secret."""
        secret = (
            self.env['ir.config_parameter'].sudo().get_param('database.secret') or ''
        )  # for nobody to read, and it is not shown
        # the credentials are readable by system administrators only; nobody sees them here
        pair = '\n'.join(part or '' for part in self.sudo()._client_credentials())
        return hmac.new(secret.encode(), pair.encode('utf-8', 'surrogatepass'), hashlib.sha256).hexdigest()

    def _has_verified_credentials(self):
        """Whether Ramp has said that these very credentials are of this connection's Ramp business."""
        # a mark, compared and not shown
        connection = self.sudo()
        return bool(connection.ramp_business_id) and connection.verified_credentials == self._credentials_mark()

    def _check_verified_credentials(self):
        if not self._has_verified_credentials():
            raise UserError(
                self.env._(
                    'Connection %s has another client id or secret now: nothing is read, booked or sent until Ramp '
                    'has said of which business '
                    'they are. The next run asks.',
                    self.name,
                )
            )

    @api.model
    def _ask_business(self, client):
        """The `Business` that the client's credentials belong to. Raises `UserError` where Ramp does not say which, and
        `RampError`.
        """
        try:
            return read_business(client.get('/business'))
        except PayloadError as error:
            raise UserError(
                self.env._(
                    'Ramp does not say which business the client id and secret belong to, so nothing is done with '
                    'them. %s',
                    error,
                )
            ) from error

    def _check_same_business(self, business):
        """Raise `UserError` where what this connection has brought is of another Ramp business."""
        if not self.ramp_business_id or self.ramp_business_id == business.id:
            return
        if self.state != 'connected' and not self._has_ledger_rows():
            return
        remedy = (
            self.env._('For "%s" make a new connection; press Disconnect here, and archive this one.', business.name)
            if self._has_ledger_rows()
            else self.env._('For "%s" press Disconnect, and then Connect.', business.name)
        )
        raise UserError(
            self.env._(
                'Connection %(name)s: the client id and secret are of the Ramp business "%(other)s" (%(other_id)s), '
                'and the connection belongs '
                'to "%(business)s" (%(business_id)s). Nothing was read, booked or sent. Enter the client id and '
                'secret of an app of '
                '"%(business)s". %(remedy)s',
                name=self.name,
                other=business.name,
                other_id=business.id,
                business=self.ramp_business_name or self.ramp_business_id,
                business_id=self.ramp_business_id,
                remedy=remedy,
            )
        )

    def _business_values(self, business):
        """What is to be written once the credentials are known to be of this business."""
        return {
            'ramp_business_id': business.id,
            'ramp_business_name': business.name,
            'verified_credentials': self._credentials_mark(),
        }

    def _check_business(self, commit):
        """For a run, before anything else: with credentials that Ramp has not been asked about, ask whose they are.

        One that is connected and does not know its business yet, of an earlier version, learns it.

        :param commit: does a function of arguments, and commits
        """
        if self._has_verified_credentials():
            return
        business = self._ask_business(self._new_client())
        self._check_same_business(business)
        # the job's own knowledge, which no user writes
        commit(self.sudo().write, self._business_values(business))
