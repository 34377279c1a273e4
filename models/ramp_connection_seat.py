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


class IntegrationLost(UserError):
    """The accounting integration of the Ramp business is not that of this database, so nothing is sent or posted."""


class RampConnection(models.Model):
    """The accounting integration (seat) of a Ramp business: taken, checked, set up and given back.

    Connections of the same business share it.
    """

    _inherit = 'ramp.connection'

    def write(self, vals):
        """EXTENDS: Update the settings of the integration in Ramp when they depend on the change."""
        result = super().write(vals)
        if not {'pull_bills', 'pull_reimbursements'}.isdisjoint(vals):
            self.env['ramp.flow.seat']._trigger()
        return result

    # ------------------------------------------------------------------ holder

    def _seat_name(self):
        """Return the name under which this database holds the integration, and by which it finds its own again."""
        return f'Odoo {self._database_identity()}'

    def _seat_companies(self):
        """Return the companies that share this connection's Ramp business."""
        return self.search(
            [('state', '=', 'connected'), ('accounting_connection_id', '=', self.accounting_connection_id)]
        ).company_id

    @staticmethod
    def _accounting_providers(client):
        """Return all accounting connections that the Ramp business has or had."""
        answer = client.get('/accounting/all-connections')
        return [read_accounting_provider(provider) for provider in (answer or {}).get('connections') or []]

    def _check_own_seat(self, client):
        """Return what Ramp says about our accounting integration, as `AccountingProvider`.

        The integration can be taken in Ramp's own screens at any time.

        :raise IntegrationLost: if the integration is not ours now
        """
        active = [provider for provider in self._accounting_providers(client) if provider.is_active]
        for provider in active:
            if provider.id == self.accounting_connection_id:
                return provider
        if active:
            raise IntegrationLost(
                self.env._(
                    'Connection %(name)s: the accounting integration of this Ramp business is now held by '
                    '"%(incumbent)s", so nothing is sent or posted. To use Odoo, disconnect that system in Ramp '
                    '(Settings > Accounting), then press Disconnect and Connect here.',
                    name=self.name,
                    incumbent=active[0].remote_provider_name or active[0].connection_type,
                )
            )
        raise IntegrationLost(
            self.env._(
                'Connection %s: Odoo was disconnected in Ramp, so nothing is sent or posted. Press Disconnect and '
                'Connect here to take the accounting integration again.',
                self.name,
            )
        )

    def _take_seat(self, client):
        """Become the accounting system of the Ramp business, and return the id of the accounting connection.

        A business has one integration. If another system holds it, Ramp answers the request with success *and the
        connection of that system* (seen live in the sandbox, 2026-09-26). So the names are compared before and after.
        Other connections of this database share our integration.
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
                # This connection is too old to be reactivated, so take a new one
                continue
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

    # ------------------------------------------------------------------ disconnect

    def _leave_ramp(self):
        """Give back what this connection has in Ramp, in one short try.

        A user who disconnects must not be stuck because Ramp does not answer. Trouble with Ramp raises nothing.

        :return: sentence that says what may be left in Ramp and how to free it, or False
        """
        self.ensure_one()
        # In a copy of the database, everything belongs to the original
        steps = [step for step in self._steps_of_leaving() if not self.is_copy]
        failure = False
        try:
            client = steps and self._new_client()
            for step in steps:
                try:
                    step(client)
                except (RampConnectionError, RampAuthError):
                    # The other steps would fail, too
                    raise
                except RampError as error:
                    failure = failure or self._explain_error(error)
        except RampError as error:
            failure = self._explain_error(error)
        # No credentials, or Ramp's answer cannot be read
        except (UserError, PayloadError) as error:
            failure = str(error)
        return failure and self.env._(
            '%(failure)s Ramp may continue to show "%(seat)s" as its accounting system, and to send events. '
            'Disconnect it in Ramp (Settings > Accounting), or press Connect and then Disconnect here once Ramp can '
            'be reached again.',
            failure=failure,
            seat=self._seat_name(),
        )

    def _steps_of_leaving(self):
        """Return the functions, each with a client as argument, that give something back in Ramp.

        The list is empty if another connection of this database needs the integration.
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
        """Free the accounting integration, if it is still ours."""
        providers = self._accounting_providers(client)
        if any(provider.is_active and provider.id == self.accounting_connection_id for provider in providers):
            client.delete('/accounting/connection')

    # ------------------------------------------------------------------ settings

    def _wanted_seat_settings(self):
        """Return the settings that the accounting connection in Ramp should have, as {name: bool}.

        See the schema ApiAccountingConnectionSettings... All are off in Ramp by default (contract 2026-08-01). A
        setting is on if any of the connections that share the integration wants it. The *Sync* buttons are on only
        while Ramp can tell Odoo that somebody pressed one: Ramp waits at most five minutes for the outcome. The other
        settings are left alone: Odoo limits nothing to an entity, and asks nobody to create a vendor.
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
