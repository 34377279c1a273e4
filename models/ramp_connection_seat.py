# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models
from odoo.exceptions import UserError

from ..ramp_api import (
    PayloadError,
    RampAuthError,
    RampConnectionError,
    RampError,
    RampNotFound,
    read_accounting_provider,
)


class RampConnection(models.Model):
    """The accounting integration of a Ramp business: taken, checked, set up, given back. Connections of one business share it."""

    _inherit = 'ramp.connection'

    def write(self, vals):
        """EXTENDS: the seat's settings follow what the connection wants to see in Ramp."""
        result = super().write(vals)
        if not {'pull_bills', 'pull_reimbursements'}.isdisjoint(vals):
            self.env['ramp.flow.seat']._trigger()
        return result

    # ------------------------------------------------------------------ whose it is

    def _seat_name(self):
        """The name under which this database holds the accounting integration: how it knows its own again."""
        return f'Odoo {self._database_identity()}'

    def _seat_companies(self):
        """The companies that share this connection's Ramp business."""
        return self.search(
            [('state', '=', 'connected'), ('accounting_connection_id', '=', self.accounting_connection_id)]
        ).company_id

    @staticmethod
    def _accounting_providers(client):
        """Every accounting connection that the Ramp business has or had."""
        answer = client.get('/accounting/all-connections')
        return [read_accounting_provider(provider) for provider in (answer or {}).get('connections') or []]

    def _check_own_seat(self, client):
        """What Ramp says of our accounting integration (`AccountingProvider`); raises `UserError` unless it is ours now: it
        can be taken in Ramp's own screens at any time."""
        active = [provider for provider in self._accounting_providers(client) if provider.is_active]
        for provider in active:
            if provider.id == self.accounting_connection_id:
                return provider
        if active:
            raise UserError(
                self.env._(
                    'Connection %(name)s: the accounting integration of this Ramp business is held by "%(incumbent)s" now, '
                    'so nothing is sent '
                    'or booked. To use Odoo, disconnect that system in Ramp (Settings > Accounting); then press '
                    'Disconnect and '
                    'Connect here.',
                    name=self.name,
                    incumbent=active[0].remote_provider_name or active[0].connection_type,
                )
            )
        raise UserError(
            self.env._(
                'Connection %s: Odoo was disconnected in Ramp, so nothing is sent or booked. Press Disconnect and '
                'Connect here to '
                'take the accounting integration again.',
                self.name,
            )
        )

    def _take_seat(self, client):
        """Become the accounting system of the Ramp business; returns the id of the accounting connection.

        One seat per business: when it is taken, Ramp answers a request for it with success *and the incumbent's
        connection*, so the names are compared before and after. Other connections of this database share our seat.
        """
        name = self._seat_name()
        providers = self._accounting_providers(client)
        active = [provider for provider in providers if provider.is_active]
        for provider in active:
            if provider.remote_provider_name == name and provider.connection_type == 'API':
                return provider.id
            raise UserError(
                self.env._(
                    'The accounting integration of this Ramp business is taken by "%(incumbent)s". Nothing was changed. To '
                    'use Odoo instead, '
                    'disconnect that system in Ramp first (Settings > Accounting), then press Connect again.',
                    incumbent=provider.remote_provider_name or provider.connection_type,
                )
            )
        own = [
            provider
            for provider in providers
            if provider.remote_provider_name == name and provider.connection_type == 'API'
        ]
        for provider in own:
            try:
                client.post(f'/accounting/connection/{provider.id}/reactivate')
                return provider.id
            except RampNotFound:
                continue  # a tombstone too old to be revived: take a new seat
        taken = read_accounting_provider(
            client.post(
                '/accounting/connection', {'remote_provider_name': name, 'settings': self._wanted_seat_settings()}
            )
        )
        if taken.remote_provider_name != name:
            raise UserError(
                self.env._(
                    'The accounting integration of this Ramp business was taken by "%s" a moment ago. Nothing was changed.',
                    taken.remote_provider_name,
                )
            )
        return taken.id

    # ------------------------------------------------------------------ given back

    def _leave_ramp(self):
        """Give back what this connection has in Ramp, in one short try, so that nobody has to stay with a Ramp that
        does not answer.

        Returns a sentence that says what may be left there and how to free it, or False. Never raises for trouble with
        Ramp.
        """
        self.ensure_one()
        steps = [
            step for step in self._steps_of_leaving() if not self.is_copy
        ]  # in a copy, all of it is the original's
        failure = False
        try:
            client = steps and self._new_client()
            for step in steps:
                try:
                    step(client)
                except (RampConnectionError, RampAuthError):
                    raise  # the others would fare no better
                except RampError as error:
                    failure = failure or self._explain_error(error)
        except RampError as error:
            failure = self._explain_error(error)
        except (UserError, PayloadError) as error:  # without credentials, or Ramp answers nonsense
            failure = str(error)
        return failure and self.env._(
            '%(failure)s Ramp may go on to show "%(seat)s" as its accounting system, and to send events: disconnect '
            'it in Ramp '
            '(Settings > Accounting), or press Connect and Disconnect here once Ramp can be reached again.',
            failure=failure,
            seat=self._seat_name(),
        )

    def _steps_of_leaving(self):
        """What is to be given back in Ramp, as functions of a client; nothing where another connection of this database
        needs it.
        """
        sharing = self.search(
            [
                ('id', '!=', self.id),
                ('state', '=', 'connected'),
                ('accounting_connection_id', '=', self.accounting_connection_id),
            ]
        )
        return [] if sharing or not self.accounting_connection_id else [self._release_seat]

    def _release_seat(self, client):
        """Free the accounting integration, unless it is not ours (any more)."""
        providers = self._accounting_providers(client)
        if any(provider.is_active and provider.id == self.accounting_connection_id for provider in providers):
            client.delete('/accounting/connection')

    # ------------------------------------------------------------------ its settings

    def _wanted_seat_settings(self):
        """What the accounting connection in Ramp is to be set to: {name: bool} (schema
        ApiAccountingConnectionSettings...).

        All are off in Ramp by default. Connections that share the seat want together what one of them wants. The
        buttons *Sync* are there only while Ramp can tell Odoo that somebody pressed one: Ramp waits for the outcome no
        longer than five minutes. The others are left alone: Odoo limits nothing to an entity, and asks nobody to create
        a vendor.
        """
        connections = (
            self
            | self.search(
                [('state', '=', 'connected'), ('accounting_connection_id', '=', self.accounting_connection_id)]
            )
            if (self.accounting_connection_id)
            else self
        )
        told = {webhook.connection_id for webhook in connections._webhook_subscriptions() if webhook.state == 'active'}
        heard = connections.filtered(lambda connection: connection.use_webhooks and connection in told)
        return {
            'vendor_credits_enabled': any(connections.mapped('pull_bills')),
            'transaction_sync_button_enabled': bool(heard),
            'reimbursement_sync_button_enabled': any(heard.mapped('pull_reimbursements')),
        }
