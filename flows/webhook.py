# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models

from ..ramp_api import RampNotFound, RampValidationError, read_subscription


class RampFlowWebhook(models.AbstractModel):
    """The webhook subscription of a connection: created, verified, repaired and removed, as the connection says.

    Ramp sends a challenge to the address as soon as it is created; the controller keeps it, and the job tells it back. There is no way
    to change a subscription: another one takes its place. Nothing depends on it: the jobs look by themselves, only later.
    """

    _name = 'ramp.flow.webhook'
    _inherit = 'ramp.flow'
    _description = 'Ramp Flow: webhook subscription'

    _flow = 'webhook'
    _flow_sequence = 210

    @api.model
    def _flow_label(self):
        return self.env._('Webhooks')

    @api.model
    def _enabled(self, connection):
        return connection.use_webhooks or bool(connection.sudo().webhook_id)

    def _work(self, connection, run):
        connection = connection.sudo()  # the secret and the address are for system administrators; the job is nobody
        client = connection._client()
        mine = self._mine(client, connection)
        if not connection.use_webhooks:
            self._remove(client, connection, mine)
            return
        if not connection._has_public_address():
            self._transaction(connection.write, {'webhook_state': 'failed', 'webhook_message': self.env._(
                'Odoo has no public https address (web.base.url), so Ramp cannot reach it. The jobs look every 15 minutes instead.')})
            return
        if mine and (mine.status == 'inactive' or set(mine.event_types) != set(connection._webhook_events())):
            self._remove(client, connection, mine)
            mine = None
        if not mine:
            mine = self._subscribe(client, connection)
        if mine.status == 'pending_verification' and connection.webhook_challenge:
            self._verify(client, connection, mine)
        elif mine.status == 'active' and connection.webhook_state != 'active':
            self._transaction(connection.write, {'webhook_state': 'active', 'webhook_message': False, 'webhook_challenge': False})

    def _mine(self, client, connection):
        """Our subscription as Ramp has it, or None."""
        if not connection.webhook_id:
            return None
        try:
            return read_subscription(client.get(f'/webhooks/{connection.webhook_id}'))
        except RampNotFound:
            return None

    def _subscribe(self, client, connection):
        """A new subscription. It is expected before it is asked for: the challenge may arrive before the answer."""
        url = self._transaction(connection._new_webhook_url)
        self._transaction(connection.write, {'webhook_state': 'pending', 'webhook_challenge': False, 'webhook_message': False})
        try:
            mine = read_subscription(client.post('/webhooks', {
                'endpoint_url': url, 'event_types': connection._webhook_events(),
                # which of several databases it is for
                'additional_headers': {'X-Odoo-Database': self.env.cr.dbname}}))
        except RampValidationError as error:
            self._transaction(connection.write, {'webhook_state': 'failed', 'webhook_message': str(error)})
            raise
        self._transaction(connection.write, {'webhook_id': mine.id, 'webhook_secret': mine.secret})
        return mine

    def _verify(self, client, connection, mine):
        try:
            client.post(f'/webhooks/{mine.id}/verify', {'challenge': connection.webhook_challenge}, idempotent=True)
        except (RampValidationError, RampNotFound) as error:
            # it may have been somebody else's: a new subscription, with a new address, next time
            self._remove(client, connection, mine)
            self._transaction(connection.write, {'webhook_state': 'failed', 'webhook_message': str(error)})
            return
        self._transaction(connection.write, {'webhook_state': 'active', 'webhook_challenge': False, 'webhook_message': False})

    def _remove(self, client, connection, mine):
        if mine:
            try:
                client.delete(f'/webhooks/{mine.id}', idempotent=True)
            except RampNotFound:
                pass  # gone already
        self._transaction(connection.write, {
            'webhook_state': 'off', 'webhook_id': False, 'webhook_secret': False, 'webhook_token': False, 'webhook_challenge': False})
