# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import uuid

from odoo import api, fields, models
from odoo.tools import SQL

from ..ramp_api import PayloadError, RampNotFound, read_event, read_subscription, verify_signature

MAX_CHALLENGE = 500
# The answer to everything that is not from Ramp; the reason is not disclosed
REFUSED = 401
TAKEN = 204


class RampWebhook(models.Model):
    """The subscription of a connection to Ramp's webhooks.

    It holds the secret that proves that an event is from Ramp, so nobody has access. A subscription cannot be changed
    in Ramp (contract 2026-08-01). A new one takes its place, with another row and address; `ramp.flow.webhook` does
    that.
    """

    _name = 'ramp.webhook'
    _description = 'Ramp: subscription to webhooks'

    connection_id = fields.Many2one('ramp.connection', required=True, ondelete='cascade')
    token = fields.Char(
        required=True, default=lambda self: str(uuid.uuid4()), help='Part of the address. It identifies the connection.'
    )
    database = fields.Char(help='As on the connection. Events name the database that they are for.')
    ramp_id = fields.Char()
    secret = fields.Char()
    challenge = fields.Char(help='The value that Ramp expects back before it sends events.')
    state = fields.Selection(
        [('pending', 'Waiting for Ramp'), ('active', 'Active'), ('failed', 'Refused by Ramp')],
        required=True,
        default='pending',
    )
    message = fields.Char(help='Why it failed the last time.')

    _one = models.UniqueIndex('(connection_id)')
    _address = models.UniqueIndex('(token)')

    def _endpoint_url(self):
        return f'{self.connection_id.get_base_url()}/ramp_connector/webhook/{self.token}'

    def _write_quietly(self, **values):
        """Write without logging the statement on failure, because it contains the values.

        Failures are likely, because Ramp's answer and its challenge often come at the same moment.
        """
        self.env.cr.execute(
            SQL(
                'UPDATE ramp_webhook SET %s WHERE id = %s',
                SQL(', ').join(SQL('%s = %s', SQL.identifier(name), value) for name, value in values.items()),
                self.id,
            ),
            log_exceptions=False,
        )
        self.invalidate_recordset()

    # ------------------------------------------------------------------ requests from Ramp

    @api.model
    def _receive_request(self, token, body, headers):
        """Handle a request to the address with this token.

        A request that is not signed with the secret is refused without a trace in the database. Only the challenge is
        not signed, because it may come before the secret. It is accepted only while one is expected, and only sent back
        to Ramp.

        :return: (HTTP status of the answer, whether the scheduler has to be woken)
        """
        webhook = self.search_fetch([('token', '=', token)], ['connection_id', 'secret', 'state', 'challenge'])
        connection = webhook.connection_id
        is_signed = verify_signature(webhook.secret, body, headers)
        # The events of a copy of the database belong to the original
        if connection.is_copy or not is_signed and webhook.state != 'pending':
            return REFUSED, False
        try:
            event = read_event(body, headers)
        except PayloadError:
            event = None
        if event and event.is_verification and webhook.state == 'pending' and _is_plain(event.challenge, MAX_CHALLENGE):
            if webhook.challenge != event.challenge:
                webhook._write_quietly(challenge=event.challenge)
                self.env['ramp.flow.webhook']._trigger()
            return TAKEN, False
        if not is_signed:
            return REFUSED, False
        # Signed, but not understood or not wanted: accepted, so that Ramp does not send it again
        if event and connection.use_webhooks and connection.state == 'connected' and connection.active:
            return TAKEN, self.env['ramp.event']._store_and_call(connection, event)
        return TAKEN, False

    # ------------------------------------------------------------------ requests to Ramp

    def _list_subscriptions(self, client):
        """Return Ramp's subscriptions for this address: one, none, or several that a crash left behind."""
        found = []
        for payload in client.get('/webhooks') or () if self else ():
            # Subscriptions of other apps may be unreadable
            with contextlib.suppress(PayloadError):
                subscription = read_subscription(payload)
                if self.token in subscription.endpoint_url:
                    found.append(subscription)
        return found

    def _delete_subscriptions(self, client, subscriptions):
        for subscription in subscriptions:
            with contextlib.suppress(RampNotFound):
                client.delete(f'/webhooks/{subscription.id}', idempotent=True)


def _is_plain(text, length):
    """Return whether a text can be stored: printable, and not longer than `length`."""
    return len(text) <= length and text.isprintable()
