# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import uuid

from odoo import api, fields, models
from odoo.tools import SQL

from ..ramp_api import PayloadError, RampNotFound, read_event, read_subscription, verify_signature

MAX_CHALLENGE = 500
REFUSED = 401  # for everything that is not Ramp's: why, is nobody's business
TAKEN = 204


class RampWebhook(models.Model):
    """The subscription of a connection to Ramp's webhooks. It has the secret that tells Ramp's events from others: for
    nobody to read.

    There is no way to change a subscription in Ramp: another one takes its place, with another row and address; see
    `ramp.flow.webhook`, which does all that.
    """

    _name = 'ramp.webhook'
    _description = 'Ramp: subscription to webhooks'

    connection_id = fields.Many2one('ramp.connection', required=True, ondelete='cascade')
    token = fields.Char(
        required=True, default=lambda self: str(uuid.uuid4()), help='Part of the address: for which connection.'
    )
    database = fields.Char(help='As in the connection: events name the database that they are for.')
    ramp_id = fields.Char()
    secret = fields.Char()
    challenge = fields.Char(help='What Ramp wants to hear back before it sends events.')
    state = fields.Selection(
        [('pending', 'Waiting for Ramp'), ('active', 'Active'), ('failed', 'Refused by Ramp')],
        required=True,
        default='pending',
    )
    message = fields.Char(help='Why it did not work the last time.')

    _one = models.UniqueIndex('(connection_id)')
    _address = models.UniqueIndex('(token)')

    def _endpoint_url(self):
        return f'{self.connection_id.get_base_url()}/ramp_connector/webhook/{self.token}'

    def _write_quietly(self, **values):
        """Write without a log of the statement if it fails, as it has the values: Ramp's answer and its challenge often
        come at once.
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

    # ------------------------------------------------------------------ from Ramp

    @api.model
    def _receive_request(self, token, body, headers):
        """Take what was sent to the address with this token; returns the HTTP status to answer with, and whether jobs
        are to be woken.

        What is not signed with the secret is refused without a trace in the database. The challenge alone is not
        signed, as it may come before the secret: it is taken only while one is expected, and does nothing but be told
        back to Ramp.
        """
        webhook = self.search_fetch([('token', '=', token)], ['connection_id', 'secret', 'state', 'challenge'])
        connection = webhook.connection_id
        is_signed = verify_signature(webhook.secret, body, headers)
        if connection.is_copy or not is_signed and webhook.state != 'pending':  # a copy's events are the original's
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
        # signed, and not understood or not wanted: Ramp's own affair, which it should not send again
        if event and connection.use_webhooks and connection.state == 'connected' and connection.active:
            return TAKEN, self.env['ramp.event']._store_and_call(connection, event)
        return TAKEN, False

    # ------------------------------------------------------------------ to Ramp

    def _list_subscriptions(self, client):
        """What Ramp has for this address, however it came there: one, none, or what a crash left behind."""
        found = []
        for payload in client.get('/webhooks') or () if self else ():
            with contextlib.suppress(PayloadError):  # those of others may look as they like
                subscription = read_subscription(payload)
                if self.token in subscription.endpoint_url:
                    found.append(subscription)
        return found

    def _delete_subscriptions(self, client, subscriptions):
        for subscription in subscriptions:
            with contextlib.suppress(RampNotFound):
                client.delete(f'/webhooks/{subscription.id}', idempotent=True)


def _is_plain(text, length):
    """Whether a text may be stored as it is: printable, and not longer than that."""
    return len(text) <= length and text.isprintable()
