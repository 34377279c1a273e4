# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import hashlib
import secrets
from urllib.parse import urlsplit

from odoo import api, fields, models

EVENTS = (
    'transactions.cleared', 'transactions.ready_to_sync', 'transactions.receipt_added', 'transactions.body_coding_updated',
    'transactions.all_requirements_met_and_approved_changed',
    'bills.approved', 'bills.archived', 'bills.created', 'bills.paid', 'bills.ready_to_sync', 'bills.rejected', 'bills.updated',
    'payments.updated', 'reimbursements.ready_to_sync', 'reimbursements.batch_payment_reimbursed',
    'vendors.activated', 'vendors.approved', 'vendors.updated',
    'purchase_orders.archived', 'purchase_orders.updated')
SCOPES_OF = {  # what the connection must be allowed to read to hear of it
    'transactions': 'transactions:read', 'bills': 'bills:read', 'payments': 'bills:read', 'reimbursements': 'reimbursements:read',
    'vendors': 'vendors:read', 'purchase_orders': 'purchase_orders:read'}


class RampConnection(models.Model):
    """Webhooks: Ramp says at once that something changed. Without them the jobs look every 15 minutes, and nothing else differs."""

    _inherit = 'ramp.connection'

    use_webhooks = fields.Boolean(
        string='Webhooks', tracking=True, copy=False,
        help='What happens in Ramp shows in Odoo within seconds. Odoo needs an address that Ramp can reach over https; without one, '
             'it shows within 15 minutes.')
    webhook_token = fields.Char(copy=False, readonly=True, groups='base.group_system', index='btree_not_null')
    webhook_secret = fields.Char(copy=False, readonly=True, groups='base.group_system')
    webhook_id = fields.Char(string='Webhook in Ramp', copy=False, readonly=True, groups='base.group_system')
    webhook_challenge = fields.Char(copy=False, readonly=True, groups='base.group_system')
    webhook_state = fields.Selection([
        ('off', 'Off'), ('pending', 'Waiting for Ramp to verify it'), ('active', 'Active'), ('failed', 'Not working'),
    ], string='Webhook Status', default='off', copy=False, readonly=True)
    webhook_message = fields.Char(copy=False, readonly=True)
    last_event = fields.Datetime(compute='_compute_last_event', help='When Ramp sent an event last.')

    def _compute_last_event(self):
        latest = dict(self.env['ramp.event'].sudo()._read_group(
            [('connection_id', 'in', self.ids)], ['connection_id'], ['received_at:max']))
        for connection in self:
            connection.last_event = latest.get(connection, False)

    @api.model
    def _of_webhook(self, token):
        """The connected connection whose webhook address has this token, which is as good as random: compared by its hash."""
        if not isinstance(token, str) or not 20 <= len(token) <= 100:
            return self.browse()
        digest = hashlib.sha256(token.encode('utf-8', 'surrogatepass')).hexdigest()
        return self.search([('webhook_token', '=', digest), ('state', '=', 'connected'), ('use_webhooks', '=', True)], limit=1)

    def _webhook_challenged(self, challenge):
        """Ramp wants to know whether the address is ours; returns the HTTP status. Told back by the job, as one that is expected."""
        self.ensure_one()
        if self.webhook_state != 'pending':
            return 200  # nothing is expected, and nothing is done
        self.webhook_challenge = challenge
        self.env['ramp.flow.webhook']._trigger()
        return 200

    def _webhook_events(self):
        """The types of events that this connection wants and may hear of."""
        scopes = set(self._scopes())
        return sorted(kind for kind in EVENTS if SCOPES_OF[kind.partition('.')[0]] in scopes)

    def _new_webhook_url(self):
        """An address that nobody guesses; only the hash of its token is kept."""
        token = secrets.token_urlsafe(32)
        self.webhook_token = hashlib.sha256(token.encode()).hexdigest()
        return f'{self.get_base_url()}/ramp_connector/webhook/{token}'

    def _has_public_address(self):
        parts = urlsplit(self.get_base_url())
        return self.environment == 'custom' or parts.scheme == 'https' and bool(parts.hostname)
