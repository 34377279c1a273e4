"""Bills, their payments, vendor credits and reimbursements."""

from .. import payables
from ..endpoints import bills, draft_bills, reimbursements, vendor_credits, vendors


class PayableHandles:
    def add_vendor(self, *name, **values):
        """Add a vendor that gets paid, and return its id. `values`: parameters of `endpoints.vendors.make_vendor`."""
        with self.state.lock:
            return vendors.make_vendor(self.state, *name, **values)['id']

    def update_vendor(self, ident, **changes):
        with self.state.lock:
            return vendors.change_vendor(self.state, ident, **changes)

    def add_bill(self, **values):
        """Add a bill and return its id. `values`: parameters of `endpoints.bills.make_bill`."""
        with self.state.lock:
            return bills.make_bill(self.state, **values)['id']

    def update_bill(self, ident, **changes):
        """Change fields of the answer, or `amount_minor`, `lines`, `account`, ... as in `add_bill`."""
        with self.state.lock:
            return bills.change_bill(self.state, ident, **changes)

    def pay_bill(self, idents, **values):
        """Move a bill's payment to another status, or add one. A list of bills is one batch. Return the payment's id.

        See `endpoints.bills.pay_bills`.
        """
        with self.state.lock:
            return bills.pay_bills(self.state, idents, **values)

    def archive_bill(self, ident):
        with self.state.lock:
            return bills.archive_bill(self.state, ident)

    def submit_draft(self, ident, approval_status='PENDING', **changes):
        """Make a bill of a draft and return the bill's id; see `endpoints.draft_bills.submit_draft_bill`."""
        with self.state.lock:
            return draft_bills.submit_draft_bill(self.state, ident, approval_status, **changes)['id']

    def approve_draft(self, ident, **changes):
        """Approve a draft, with the person's `changes`, and return the bill's id."""
        with self.state.lock:
            return draft_bills.approve_draft_bill(self.state, ident, **changes)['id']

    def reject_draft(self, ident, **changes):
        """Reject a draft and return the id of the rejected bill."""
        with self.state.lock:
            return draft_bills.reject_draft_bill(self.state, ident, **changes)['id']

    def discard_draft(self, ident):
        """Delete a draft. The API cannot do so."""
        with self.state.lock:
            return draft_bills.discard_draft_bill(self.state, ident)

    def add_vendor_credit(self, **values):
        """Add a vendor credit and return its id.

        `values`: parameters of `endpoints.vendor_credits.make_vendor_credit`.
        """
        with self.state.lock:
            return vendor_credits.make_vendor_credit(self.state, **values)['id']

    def apply_vendor_credit(self, ident, bill, amount_minor=None):
        """Apply a credit to a bill. Return the minor units used."""
        with self.state.lock:
            return vendor_credits.apply_vendor_credit(self.state, ident, bill, amount_minor)

    def unapply_vendor_credit(self, ident, bill, amount_minor=None):
        """Take a credit off a bill. Return the minor units taken off."""
        with self.state.lock:
            return vendor_credits.unapply_vendor_credit(self.state, ident, bill, amount_minor)

    def update_vendor_credit(self, ident, **changes):
        """Change fields of the answer, or `amount_minor`, `lines`, ... as in `add_vendor_credit`."""
        with self.state.lock:
            return vendor_credits.change_vendor_credit(self.state, ident, **changes)

    def add_reimbursement(self, **values):
        """Add a reimbursement and return its id.

        `values`: parameters of `endpoints.reimbursements.make_reimbursement`.
        """
        with self.state.lock:
            return reimbursements.make_reimbursement(self.state, **values)['id']

    def update_reimbursement(self, ident, **changes):
        """Change fields of the answer, or `amount_minor`, `lines`, ... as in `add_reimbursement`.

        This moves `updated_at`.
        """
        with self.state.lock:
            return reimbursements.change_reimbursement(self.state, ident, **changes)

    def pay_reimbursement(self, idents, **values):
        """Pay one reimbursement, or several in one batch. Return the batch's id.

        See `endpoints.reimbursements.pay_reimbursements`.
        """
        with self.state.lock:
            return reimbursements.pay_reimbursements(self.state, idents, **values)

    def read_vendor_totals(self, **kwargs):
        """Return what is owed per vendor and currency; see `payables.compute_vendor_totals`."""
        with self.state.lock:
            return payables.compute_vendor_totals(self.state, **kwargs)

    def read_reimbursement_totals(self, **kwargs):
        """Return what reimbursements move per person and currency; see `payables.compute_reimbursement_totals`."""
        with self.state.lock:
            return payables.compute_reimbursement_totals(self.state, **kwargs)
