"""Card transactions, statements, transfers, cashbacks and repayments."""

from ..endpoints import cashbacks, repayments, statements, transactions, transfers


class CardHandles:
    def add_transaction(self, **values):
        """Add a transaction and return its id. `values`: parameters of `endpoints.transactions.make_transaction`."""
        with self.state.lock:
            return transactions.make_transaction(self.state, **values)['id']

    def update_transaction(self, ident, **changes):
        """Change fields of the answer, or `amount_minor`, `lines`, ... as in `add_transaction`.

        This moves `updated_at`.
        """
        with self.state.lock:
            return transactions.change_transaction(self.state, ident, **changes)

    def recode_transaction(self, ident, account):
        """Code all lines of a transaction to one account (the client's own id)."""
        with self.state.lock:
            return transactions.recode_transaction(self.state, ident, account)

    def add_repayment(self, **values):
        """Add a repayment and return its id. `values`: parameters of `endpoints.repayments.make_repayment`."""
        with self.state.lock:
            return repayments.make_repayment(self.state, **values)['id']

    def close_statement(self, end, start=None, **values):
        """Close a statement over everything that is on none yet, and return its id.

        `values`: parameters of `endpoints.statements.close_statement`.
        """
        with self.state.lock:
            return statements.close_statement(self.state, end, start, **values)['id']

    def update_statement(self, ident, section=None, **changes):
        """Change a statement's amounts, or add and remove lines; see `endpoints.statements.change_statement`."""
        with self.state.lock:
            return statements.change_statement(self.state, ident, section, **changes)

    def release_statement(self, ident):
        """Show what `close_statement` withheld."""
        with self.state.lock:
            return statements.release_statement(self.state, ident)

    def add_transfer(self, **values):
        """Add a payment of what is owed on cards, and return its id.

        `values`: parameters of `endpoints.transfers.make_transfer`.
        """
        with self.state.lock:
            return transfers.make_transfer(self.state, **values)['id']

    def move_transfer(self, ident, status, **values):
        """Set the status of a transfer; see `endpoints.transfers.move_transfer`."""
        with self.state.lock:
            return transfers.move_transfer(self.state, ident, status, **values)

    def add_cashback(self, **values):
        """Add a cashback and return its id. `values`: parameters of `endpoints.cashbacks.make_cashback`."""
        with self.state.lock:
            return cashbacks.make_cashback(self.state, **values)['id']

    def read_spend_totals(self, **kwargs):
        with self.state.lock:
            return transactions.compute_spend_totals(self.state, **kwargs)

    def owed_on_cards(self, *args, **kwargs):
        """Return what is owed on cards per entity and currency; see `endpoints.statements.owed_on_cards`."""
        with self.state.lock:
            return statements.owed_on_cards(self.state, *args, **kwargs)
