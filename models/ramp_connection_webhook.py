# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import ipaddress
from urllib.parse import urlsplit

from odoo import api, fields, models

from .connection_constants import OPTIONAL_SCOPES

# Top-level names that are known only in a private network
LOCAL = ('localhost', 'local', 'internal', 'lan', 'home', 'test', 'invalid', 'arpa')


class RampConnection(models.Model):
    """Webhooks: Ramp tells Odoo at once that something changed.

    Without them, the jobs look every 15 minutes; nothing else differs.
    """

    _inherit = 'ramp.connection'

    use_webhooks = fields.Boolean(
        string='Webhooks',
        tracking=True,
        copy=False,
        help='Ramp notifies Odoo at once of changes. Odoo needs an address that Ramp can reach.',
    )
    webhook_state = fields.Selection(
        [
            ('off', 'Off'),
            ('private', 'No Public Address'),
            ('pending', 'Waiting for Ramp'),
            ('active', 'Active'),
            ('failed', 'Refused by Ramp'),
        ],
        # compute_sudo: nobody may read the subscription
        string='Status of Webhooks',
        compute='_compute_webhook',
        compute_sudo=True,
    )
    webhook_message = fields.Char(compute='_compute_webhook', compute_sudo=True)
    last_event = fields.Datetime(compute='_compute_webhook', compute_sudo=True, help='When Ramp last sent an event.')

    @api.depends('use_webhooks')
    def _compute_webhook(self):
        webhooks = {webhook.connection_id: webhook for webhook in self._webhook_subscriptions()}
        latest = dict(
            self.env['ramp.event']._read_group(
                [('connection_id', 'in', self.ids)], ['connection_id'], ['received_at:max']
            )
        )
        for connection in self:
            webhook = webhooks.get(connection._origin, self.env['ramp.webhook'])
            connection.last_event = latest.get(connection._origin, False)
            connection.webhook_message = webhook.message
            if not connection.use_webhooks:
                connection.webhook_state, connection.webhook_message = 'off', False
            elif not connection._has_public_address():
                connection.webhook_state, connection.webhook_message = (
                    'private',
                    self.env._(
                        'Ramp cannot reach %s, which is the address of this Odoo database (system parameter '
                        'web.base.url). It needs a public address that starts with https.',
                        connection.get_base_url(),
                    ),
                )
            else:
                connection.webhook_state = webhook.state or 'pending'

    def write(self, vals):
        """EXTENDS: Update the subscription when the connection needs other events."""
        result = super().write(vals)
        if not {'use_webhooks', *OPTIONAL_SCOPES}.isdisjoint(vals):
            if vals.get('use_webhooks'):
                # The job may be newer than the connection
                self._switch_crons()
            self.env['ramp.flow.webhook']._trigger()
        return result

    def _webhook_subscriptions(self):
        """Return the subscriptions of these connections."""
        # sudo: subscriptions hold secrets, so nobody has access; the result does not depend on the user
        return self.env['ramp.webhook'].sudo().search([('connection_id', 'in', self.ids)])

    def _wants_webhook(self):
        self.ensure_one()
        return self.use_webhooks and self._has_public_address()

    def _wanted_event_types(self):
        """Return the types of events that this connection needs."""
        self.ensure_one()
        flows = (flow for flow in self._flow_models() if flow._events and flow._is_enabled_for(self))
        return sorted({kind for flow in flows for kind in flow._events})

    def _has_public_address(self):
        """Return whether Ramp can reach Odoo, as far as Odoo's address tells.

        With a custom address, Ramp may be anywhere, even on this machine.
        """
        self.ensure_one()
        parts = urlsplit(self.get_base_url())
        host = parts.hostname or ''
        if self.environment == 'custom':
            return bool(host)
        try:
            is_public = ipaddress.ip_address(host).is_global
        except ValueError:
            is_public = '.' in host and host.rpartition('.')[2] not in LOCAL
        return parts.scheme == 'https' and is_public

    def _steps_of_leaving(self):
        """EXTENDS: Delete the subscription, too."""
        return [*([self._release_webhook] if self._webhook_subscriptions() else []), *super()._steps_of_leaving()]

    def _release_webhook(self, client):
        webhook = self._webhook_subscriptions()
        webhook._delete_subscriptions(client, webhook._list_subscriptions(client))

    def _leave_ramp(self):
        """EXTENDS: Delete the subscription here, so that events are refused even if Ramp could not be told."""
        result = super()._leave_ramp()
        self._webhook_subscriptions().unlink()
        return result
