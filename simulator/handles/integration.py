"""The accounting connection, other accounting systems, and webhooks."""

from .. import events
from ..endpoints import accounting_connection, accounting_entities, accounting_filter_rules, syncs, webhooks


class IntegrationHandles:
    def add_subscription(self, url, kinds=events.EVENT_TYPES, headers=None):
        """Add an active subscription without the handshake. Return its row, with `_secret`."""
        with self.state.lock:
            return webhooks.make_webhook(self.state, url, kinds, headers, status='active')

    def export_elsewhere(self, sync_type, ident):
        """Report the outcome of an object as another accounting system. The object need not be ready.

        That system need not be the active connection.
        """
        with self.state.lock:
            target = syncs.TARGETS[sync_type]
            return target.accept_sync_outcome(self.state, self.state[target.table].get_row(ident), {})

    def remove_object(self, table, ident):
        """Remove an object from Ramp: no list shows it, and a request for it gets 404."""
        with self.state.lock:
            return self.state[table].remove_row(ident)

    def take_accounting_seat(self, name, connection_type='DIRECT'):
        """Let another accounting provider take the only connection. Ours, if there, is unlinked."""
        with self.state.lock:
            return accounting_connection.take_accounting_seat(self.state, name, connection_type, owner=None)

    def connect_entity(self, ident, remote_id):
        """Map an entity of the business to an uploaded entity of the books; None: to none of them."""
        with self.state.lock:
            return accounting_entities.connect_entity(self.state, ident, remote_id)

    def is_option_offered(self, field, option, chosen):
        """Return whether people can choose an option; see `endpoints.accounting_filter_rules.is_option_offered`."""
        with self.state.lock:
            return accounting_filter_rules.is_option_offered(self.state, field, option, chosen)

    def request_sync(self, ident):
        """Press Sync on a transaction or reimbursement that is ready.

        Return the event, or None without a subscription. Raise LookupError if the accounting connection has no such
        button, or if the object is not ready.
        """
        with self.state.lock:
            return syncs.request_sync(self, ident)
