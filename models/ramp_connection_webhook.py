# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import ipaddress
from urllib.parse import urlsplit

from odoo import api, fields, models

from .connection_constants import OPTIONAL_SCOPES

# last parts of names that are known in a network of its own only
LOCAL = ('localhost', 'local', 'internal', 'lan', 'home', 'test', 'invalid', 'arpa')


class RampConnection(models.Model):
    """Webhooks: Ramp says at once that something changed. Without them the jobs look every 15 minutes, and nothing else
    differs.
    """

    _inherit = 'ramp.connection'

    use_webhooks = fields.Boolean(
        string='Webhooks',
        tracking=True,
        copy=False,
        help='Ramp tells Odoo at once that something changed. Needs an address of Odoo that Ramp can reach.',
    )
    webhook_state = fields.Selection(
        [
            ('off', 'Off'),
            ('private', 'No Public Address'),
            ('pending', 'Waiting for Ramp'),
            ('active', 'Active'),
            ('failed', 'Refused by Ramp'),
        ],
        string='Status of Webhooks',
        compute='_compute_webhook',
        compute_sudo=True,
    )  # the subscription is for nobody to read
    webhook_message = fields.Char(compute='_compute_webhook', compute_sudo=True)
    last_event = fields.Datetime(
        compute='_compute_webhook', compute_sudo=True, help='When Ramp told of something the last time.'
    )

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
                        'Ramp cannot reach %s, which is the address of this Odoo (system parameter web.base.url): it '
                        'takes a public one that '
                        'begins with https.',
                        connection.get_base_url(),
                    ),
                )
            else:
                connection.webhook_state = webhook.state or 'pending'

    def write(self, vals):
        """EXTENDS: the subscription follows what the connection wants to hear of."""
        result = super().write(vals)
        if not {'use_webhooks', *OPTIONAL_SCOPES}.isdisjoint(vals):
            if vals.get('use_webhooks'):
                self._switch_crons()  # the job may be newer than the connection
            self.env['ramp.flow.webhook']._trigger()
        return result

    def _webhook_subscriptions(self):
        """The subscriptions of these connections."""
        # they hold secrets, so nobody has access; what is done with them does not depend on who does it
        return self.env['ramp.webhook'].sudo().search([('connection_id', 'in', self.ids)])

    def _wants_webhook(self):
        self.ensure_one()
        return self.use_webhooks and self._has_public_address()

    def _wanted_event_types(self):
        """The types of events that this connection wants to hear of."""
        self.ensure_one()
        flows = (flow for flow in self._flow_models() if flow._events and flow._is_enabled_for(self))
        return sorted({kind for flow in flows for kind in flow._events})

    def _has_public_address(self):
        """Whether Ramp can reach Odoo, as far as its address tells. A custom address of Ramp may be anywhere, on this
        machine too.
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
        """EXTENDS: who leaves does not want to hear of anything any more."""
        return [*([self._release_webhook] if self._webhook_subscriptions() else []), *super()._steps_of_leaving()]

    def _release_webhook(self, client):
        webhook = self._webhook_subscriptions()
        webhook._delete_subscriptions(client, webhook._list_subscriptions(client))

    def _leave_ramp(self):
        """EXTENDS: what Ramp sends is refused from now on, whether Ramp could be told or not."""
        result = super()._leave_ramp()
        self._webhook_subscriptions().unlink()
        return result
