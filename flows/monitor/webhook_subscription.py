# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from datetime import timedelta

from odoo import api, models

from ...ramp_api import PayloadError, RampConnectionError, RampError, RampOutOfTime, read_subscription

PATIENCE = timedelta(minutes=30)  # with which a challenge is waited for


class RampFlowWebhook(models.AbstractModel):
    """The webhook subscription of a connection: created, verified, repaired and removed, as the connection wants it.

        row with a new address                                        COMMIT
        POST /webhooks -> Ramp's id and the secret                    COMMIT
        (Ramp sends a challenge to the address; the controller keeps it and wakes the job)
        POST /webhooks/<id>/verify -> active                          COMMIT

    There is no way to change a subscription: another one takes its place, at another address. Whatever Ramp has for an
    address of ours and we do not know, a crash left behind. Nothing depends on all this: without it the jobs look by
    themselves, only later.
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
            # the jobs go on without it: this is no reason to say that the synchronization stopped
            self.env.cr.rollback()
            self._transaction(webhook.write, {'state': 'failed', 'message': str(error)})

    def _is_in_order(self, connection, webhook, subscription):
        """Whether a subscription at our address can stay, or has to make place for another one."""
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
        """Whatever is missing of the subscription: Ramp's side of it, the verification."""
        subscription = kept[0] if kept else self._create_subscription(connection, client, webhook)
        self.env.invalidate_all()  # the challenge may have come meanwhile
        if subscription.status == 'pending_verification':
            if not webhook.challenge:
                return
            answer = client.post(
                f'/webhooks/{subscription.id}/verify', {'challenge': webhook.challenge}, idempotent=True
            )
            if isinstance(answer, dict) and answer.get('success') is False:
                raise RampError(
                    self.env._('Ramp did not accept its challenge. Another subscription is made with the next run.')
                )
        if webhook.state != 'active':
            self._transaction(self._activate_subscription, webhook)

    def _activate_subscription(self, webhook):
        webhook.write({'state': 'active', 'challenge': False, 'message': False})
        self.env['ramp.flow.seat']._trigger()  # what waits for events may be offered in Ramp

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
                    # which of several databases it is for; Odoo itself understands it
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
