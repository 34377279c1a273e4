"""What is owed to vendors and employees: bills, their payments, credits and reimbursements."""

from .. import payables
from ..endpoints import bills, reimbursements, vendor_credits, vendors


class PayableHandles:
    def add_vendor(self, *name, **values):
        """A vendor who is paid; see `endpoints.vendors.make_vendor` for the values. Returns its id."""
        with self.state.lock:
            return vendors.make_vendor(self.state, *name, **values)['id']

    def update_vendor(self, ident, **changes):
        with self.state.lock:
            return vendors.change_vendor(self.state, ident, **changes)

    def add_bill(self, **values):
        """A bill; see `endpoints.bills.make_bill` for the values. Returns its id."""
        with self.state.lock:
            return bills.make_bill(self.state, **values)['id']

    def update_bill(self, ident, **changes):
        """Change wire fields, or `amount_minor`, `lines`, `account`, ... as in `add_bill`."""
        with self.state.lock:
            return bills.change_bill(self.state, ident, **changes)

    def pay_bill(self, idents, **values):
        """Move a bill's payment on, or make one; a list of bills: a batch.

        See `endpoints.bills.pay_bills`. Returns its id.
        """
        with self.state.lock:
            return bills.pay_bills(self.state, idents, **values)

    def archive_bill(self, ident):
        with self.state.lock:
            return bills.archive_bill(self.state, ident)

    def add_vendor_credit(self, **values):
        """A vendor credit; see `endpoints.vendor_credits.make_credit` for the values. Returns its id."""
        with self.state.lock:
            return vendor_credits.make_credit(self.state, **values)['id']

    def apply_vendor_credit(self, ident, bill, amount_minor=None):
        """Use a credit for a bill; returns the minor units used."""
        with self.state.lock:
            return vendor_credits.apply_credit(self.state, ident, bill, amount_minor)

    def unapply_vendor_credit(self, ident, bill, amount_minor=None):
        """Take a credit off a bill; returns the minor units taken off."""
        with self.state.lock:
            return vendor_credits.unapply_credit(self.state, ident, bill, amount_minor)

    def update_vendor_credit(self, ident, **changes):
        """Change wire fields, or `amount_minor`, `lines`, ... as in `add_vendor_credit`."""
        with self.state.lock:
            return vendor_credits.change_credit(self.state, ident, **changes)

    def add_reimbursement(self, **values):
        """A reimbursement; see `endpoints.reimbursements.make_reimbursement` for the values. Returns its id."""
        with self.state.lock:
            return reimbursements.make_reimbursement(self.state, **values)['id']

    def update_reimbursement(self, ident, **changes):
        """Change wire fields, or `amount_minor`, `lines`, ... as in `add_reimbursement`; moves `updated_at`."""
        with self.state.lock:
            return reimbursements.change_reimbursement(self.state, ident, **changes)

    def pay_reimbursement(self, idents, **values):
        """Pay one, or several in one batch; see `endpoints.reimbursements.pay_reimbursements`.

        Returns the batch's id.
        """
        with self.state.lock:
            return reimbursements.pay_reimbursements(self.state, idents, **values)

    def payables(self, **kwargs):
        """What is owed per vendor and currency; see `payables.vendor_totals`."""
        with self.state.lock:
            return payables.vendor_totals(self.state, **kwargs)

    def owed(self, **kwargs):
        """What reimbursements move per person and currency; see `payables.reimbursement_totals`."""
        with self.state.lock:
            return payables.reimbursement_totals(self.state, **kwargs)
