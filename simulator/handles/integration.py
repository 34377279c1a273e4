"""What concerns the accounting connection, other systems beside it, and webhooks."""

from .. import events
from ..endpoints import accounting_connection, syncs, webhooks


class IntegrationHandles:
    def subscribe(self, url, kinds=events.TYPES, headers=None):
        """An active subscription, without the handshake; returns its row, with `_secret`."""
        with self.state.lock:
            return webhooks.make_webhook(self.state, url, kinds, headers, status='active')

    def export_elsewhere(self, sync_type, ident):
        """Another accounting system tells the outcome of an object (ready or not); it need not hold the seat."""
        with self.state.lock:
            target = syncs.TARGETS[sync_type]
            return target.accept_outcome(self.state, self.state[target.table].get(ident), {})

    def remove(self, table, ident):
        """An object is gone from Ramp: no list shows it, and who asks for it is told that there is none."""
        with self.state.lock:
            return self.state[table].remove(ident)

    def seat(self, name, connection_type='DIRECT'):
        """Another accounting provider takes the business's one seat; ours, if there, is unlinked."""
        with self.state.lock:
            return accounting_connection.take_seat(self.state, name, connection_type, owner=None)

    def request_sync(self, ident):
        """Somebody presses Sync on a transaction or reimbursement that is ready.

        Returns the event, None if nobody is subscribed. Raises LookupError where the accounting connection has no such
        button, or the object is not offered.
        """
        with self.state.lock:
            return syncs.request_sync(self, ident)
