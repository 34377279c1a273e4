# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""A person removes the reconciliation of a document with its payment from Ramp. The nightly check says so, and a button
reconciles them again.
"""

from odoo import Command
from odoo.exceptions import UserError
from odoo.tests import new_test_user, tagged

from .common import PayablesCase
from .test_reimbursement import ReimbursementCase


@tagged('post_install', '-at_install', 'ramp')
class TestUnreconciled(PayablesCase):
    def once(self):
        super().once()
        self.ramp_id = self.owe(5000)
        self.ramp.pay_bill(self.ramp_id)
        self.sync_payables()
        self.bill = self.move(self.ramp_id)
        self.accountant = new_test_user(
            self.env,
            'unreconciled_accountant',
            'base.group_user,account.group_account_invoice',
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
        )

    def row(self):
        return self.record(self.ramp_id, 'bill_payment')

    def as_accountant(self, records):
        return records.with_user(self.accountant).with_context(allowed_company_ids=self.company.ids)

    def unreconcile(self):
        self.bill.line_ids.remove_move_reconcile()
        self.assertEqual(self.bill.amount_residual, 50)
        self.sync('watch')

    def assertPaid(self):
        self.assertEqual(self.bill.amount_residual, 0)
        row = self.row()
        self.assertEqual((row.state, row.finding, row.reason_text), ('confirmed', False, False))
        self.sync('watch')
        self.assertFalse(self.row().finding)

    def test_nothing_is_found(self):
        """A bill that its payment pays is no finding."""
        self.sync('watch')
        self.assertPaid()

    def test_found(self):
        """The nightly check names the bill, its payment and the remedy. It does not come back to the bill itself."""
        self.unreconcile()
        row = self.row()
        self.assertEqual((row.state, row.hold_reason, row.finding), ('held', 'finding', 'unreconciled'))
        self.assertRegex(row.reason_text, f'{self.bill.name} with its payment .*Press Reconcile Again.*press Retry')
        self.assertEqual(self.record(self.ramp_id, 'bill').state, 'confirmed')
        self.assertIn('Press Reconcile Again', self.bill.ramp_state)

    def test_reconcile_again(self):
        self.unreconcile()
        count = self.env['account.move'].search_count([])
        self.as_accountant(self.row()).action_reconcile_again()
        self.assertPaid()
        self.assertEqual(self.env['account.move'].search_count([]), count, 'nothing is posted')
        self.assertEqual((self.row().decision, self.row().decided_by_id), ('reconcile', self.accountant))
        with self.assertRaisesRegex(UserError, 'was not removed'):
            self.as_accountant(self.row()).action_reconcile_again()

    def test_by_the_cause(self):
        self.unreconcile()
        cause = self.row().cause_ids
        self.assertEqual((cause.kind, cause.place), ('unreconciled', 'odoo'))
        self.as_accountant(cause).action_solve()
        self.assertPaid()

    def test_reset_to_draft(self):
        """Whether a bill that was reset to draft and posted again is found depends on what Odoo leaves open."""
        self.bill.button_draft()
        self.bill.action_post()
        self.sync('watch')
        self.assertEqual(self.row().finding, 'unreconciled' if self.bill.amount_residual else False)

    def test_corrected_by_hand(self):
        self.unreconcile()
        lines = (self.bill + self.payment(self.ramp_id).move_id).line_ids
        lines.filtered(lambda line: line.account_type == 'liability_payable').reconcile()
        self.sync('watch')
        self.assertPaid()

    def test_accepted(self):
        """Retry accepts it: the next run does not reconcile it, and the check does not find it again."""
        self.unreconcile()
        self.as_accountant(self.row()).action_retry()
        self.sync_payables()
        self.sync('watch')
        row = self.row()
        self.assertEqual((row.state, row.finding, self.bill.amount_residual), ('confirmed', False, 50))

    def test_cannot_be_reconciled(self):
        """A bill that is a draft by now is named, and nothing changes."""
        self.unreconcile()
        self.bill.button_draft()
        with self.assertRaisesRegex(UserError, 'Check that both are posted'):
            self.as_accountant(self.row()).action_reconcile_again()
        self.assertEqual(self.row().finding, 'unreconciled')

    def test_paid_by_card(self):
        """The entry that settles a bill which was paid by card is found, too."""
        ramp_id = self.owe(5100)
        self.ramp.pay_bill(ramp_id, method='CARD', transaction=None)
        self.sync_payables()
        bill = self.move(ramp_id)
        self.assertEqual(bill.amount_residual, 0)
        bill.line_ids.remove_move_reconcile()
        self.sync('watch')
        row = self.record(ramp_id, 'bill_payment')
        self.assertEqual(row.finding, 'unreconciled')
        self.as_accountant(row).action_reconcile_again()
        self.assertEqual((bill.amount_residual, row.finding), (0, False))

    def test_paid_in_another_way(self):
        """A bill that somebody paid by hand instead is not open, so nothing is found."""
        self.bill.line_ids.remove_move_reconcile()
        self.env['account.payment.register'].with_context(active_model='account.move', active_ids=self.bill.ids).create(
            {}
        )._create_payments()
        self.sync('watch')
        self.assertFalse(self.row().finding)


@tagged('post_install', '-at_install', 'ramp')
class TestUnreconciledReimbursement(ReimbursementCase):
    def test_found(self):
        ramp_id = self.paid(10000)
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.move(ramp_id).line_ids.remove_move_reconcile()
        self.sync('watch')
        row = self.record(ramp_id, 'reimbursement_payment')
        self.assertEqual((row.state, row.finding), ('held', 'unreconciled'))
        row.action_reconcile_again()
        self.assertPaid(ramp_id)
        self.assertEqual((row.state, row.finding), ('confirmed', False))
