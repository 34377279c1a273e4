# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from datetime import timedelta

from odoo import api, models

from ...ramp_api import PayloadError, RampConnectionError, RampError, RampOutOfTime, read_subscription

PATIENCE = timedelta(minutes=30)  # how long to wait for a challenge


class RampFlowWebhook(models.AbstractModel):
    """The webhook subscription of a connection: created, verified, repaired and removed as the connection needs.

        row with a new address                                        COMMIT
        POST /webhooks -> Ramp's id and the secret                    COMMIT
        (Ramp sends a challenge to the address; the controller keeps it and wakes the job)
        POST /webhooks/<id>/verify -> active                          COMMIT

    A subscription cannot be changed (contract 2026-08-01): another one replaces it, at another address. A subscription
    at an address of ours that we do not know was left by a crash. Nothing depends on webhooks. Without them, the jobs
    find changes by themselves, only later.
    """

    _name = 'ramp.flow.webhook'
    _inherit = 'ramp.flow'
    _description = 'Ramp Flow: webhook subscription'

    _flow = 'webhook'
    _flow_sequence = 210

    @api.model
    def _get_flow_label(self):
        return self.env._('Webhooks')

    @api.model
    def _is_enabled_for(self, connection):
        return connection.use_webhooks or bool(connection._webhook_subscriptions())

    def _run_connection_work(self, connection, run):
        client = connection._run_client()
        webhook = connection._webhook_subscriptions()
        there = webhook._list_subscriptions(client)
        kept = [item for item in there if connection._wants_webhook() and self._is_in_order(connection, webhook, item)]
        webhook._delete_subscriptions(client, [item for item in there if item not in kept])
        if not kept:
            message = webhook.message
            if (
                any(item.status == 'pending_verification' for item in there)
                and webhook.state == 'pending'
                and not webhook.challenge
            ):
                message = self.env._(
                    'Ramp could not reach %s: nothing arrived within half an hour.', webhook._endpoint_url()
                )
            self._transaction(self._forget_subscription, webhook)
            if not connection._wants_webhook():
                return
            webhook = self._transaction(
                webhook.create,
                {'connection_id': connection.id, 'database': connection.sudo().database, 'message': message},
            )
        try:
            self._complete_subscription(connection, client, webhook, kept)
        except (RampConnectionError, RampOutOfTime):
            raise
        except (RampError, PayloadError) as error:
            # The jobs work without it, so the run must not report that the synchronization stopped.
            self.env.cr.rollback()
            self._transaction(webhook.write, {'state': 'failed', 'message': str(error)})

    def _is_in_order(self, connection, webhook, subscription):
        """Return whether a subscription at our address can stay, or has to be replaced."""
        if (
            subscription.id != webhook.ramp_id
            or not webhook.secret
            or subscription.endpoint_url != webhook._endpoint_url()
            or webhook.database != connection.sudo().database
            or sorted(subscription.event_types) != connection._wanted_event_types()
        ):
            return False
        waits = webhook.state == 'pending' and (webhook.challenge or self.env.cr.now() - webhook.create_date < PATIENCE)
        return subscription.status == 'active' or subscription.status == 'pending_verification' and bool(waits)

    def _complete_subscription(self, connection, client, webhook, kept):
        """Do what is missing of the subscription: create it in Ramp, verify it."""
        subscription = kept[0] if kept else self._create_subscription(connection, client, webhook)
        self.env.invalidate_all()  # the challenge may have arrived meanwhile
        if subscription.status == 'pending_verification':
            if not webhook.challenge:
                return
            answer = client.post(
                f'/webhooks/{subscription.id}/verify', {'challenge': webhook.challenge}, idempotent=True
            )
            if isinstance(answer, dict) and answer.get('success') is False:
                raise RampError(
                    self.env._('Ramp rejected the answer to its challenge. The next run creates a new subscription.')
                )
        if webhook.state != 'active':
            self._transaction(self._activate_subscription, webhook)

    def _activate_subscription(self, webhook):
        webhook.write({'state': 'active', 'challenge': False, 'message': False})
        self.env['ramp.flow.seat']._trigger()  # Ramp may now offer what needs events

    def _forget_subscription(self, webhook):
        if webhook.state == 'active':
            self.env['ramp.flow.seat']._trigger()
        webhook.unlink()

    def _create_subscription(self, connection, client, webhook):
        subscription = read_subscription(
            client.post(
                '/webhooks',
                {
                    'endpoint_url': webhook._endpoint_url(),
                    'event_types': connection._wanted_event_types(),
                    # Odoo itself reads this header to select one of several databases.
                    'additional_headers': {'X-Odoo-Database': self.env.cr.dbname},
                },
            )
        )
        if not subscription.secret:
            raise PayloadError('secret', 'missing')
        self._transaction(self._store_subscription, webhook, subscription)
        return subscription

    def _store_subscription(self, webhook, subscription):
        webhook._write_quietly(ramp_id=subscription.id, secret=subscription.secret)
