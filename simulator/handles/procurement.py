"""Purchase orders, the bills that are matched with them, and receipts."""

from ..endpoints import item_receipts, purchase_orders


class ProcurementHandles:
    def add_purchase_order(self, **values):
        """Add a purchase order and return its id.

        `values`: parameters of `endpoints.purchase_orders.make_purchase_order`.
        """
        with self.state.lock:
            return purchase_orders.make_purchase_order(self.state, **values)['id']

    def update_purchase_order(self, ident, **changes):
        """Change fields of the answer, or `lines`, `approved`, ... as in `add_purchase_order`."""
        with self.state.lock:
            return purchase_orders.change_purchase_order(self.state, ident, **changes)

    def archive_purchase_order(self, ident, reason=None):
        with self.state.lock:
            return purchase_orders.archive_purchase_order(self.state, ident, reason)

    def bill_purchase_order(self, ident, quantities=None, **values):
        """Add a bill matched with an order and its receipts.

        Return its id; see `endpoints.purchase_orders.bill_purchase_order`.
        """
        with self.state.lock:
            return purchase_orders.bill_purchase_order(self.state, ident, quantities, **values)['id']

    def read_order_totals(self, ident):
        """Return what was received and billed, line by line; see `endpoints.purchase_orders.compute_line_totals`."""
        with self.state.lock:
            return purchase_orders.compute_line_totals(self.state, ident)

    def add_item_receipt(self, order, lines=None, **values):
        """Add a receipt of an order and return its id.

        `values`: parameters of `endpoints.item_receipts.make_item_receipt`.
        """
        with self.state.lock:
            return item_receipts.make_item_receipt(self.state, order, lines, **values)['id']

    def remove_item_receipt(self, ident):
        with self.state.lock:
            return item_receipts.remove_item_receipt(self.state, ident)
