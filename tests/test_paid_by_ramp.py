# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import Command
from odoo.tests import new_test_user, tagged

from ..flows.reimbursements.reimbursement import ANNOUNCED_STATES
from ..ramp_api import REIMBURSEMENT_STATES
from .common import PayablesCase
from .test_reimbursement import ReimbursementCase

SEARCH = [('ramp_payment', '!=', False)]


class PaidByRampCase(PayablesCase):
    def announced(self):
        """Return the documents that the filter shows."""
        return self.env['account.move'].search([*SEARCH, ('company_id', '=', self.company.id)])

    def entered(self, amount=25.0):
        """Enter a bill that has nothing to do with Ramp."""
        bill = self.env['account.move'].create(
            {
                'move_type': 'in_invoice',
                'partner_id': self.env['res.partner'].create({'name': 'Own'}).id,
                'invoice_date': '2026-03-04',
                'invoice_line_ids': [
                    Command.create(
                        {'name': 'Paper', 'price_unit': amount, 'account_id': self.account_meals.id, 'tax_ids': []}
                    )
                ],
            }
        )
        bill.action_post()
        return bill

    def wizard(self, moves, user=None, model='account.move'):
        """Make the wizard as a call over RPC does."""
        env = self.env['account.payment.register'].with_user(user or self.env.user)
        return env.with_context(active_model=model, active_ids=moves.ids).create({})

    def assertAnnounced(self, ramp_id, pattern):
        bill = self.move(ramp_id)
        self.assertRegex(bill.ramp_payment or '', pattern)
        self.assertIn(bill.ramp_payment, bill.alerts['ramp_payment']['message'])
        self.assertIn(bill, self.announced())

    def assertNotAnnounced(self, ramp_id):
        bill = self.move(ramp_id)
        self.assertEqual((bill.ramp_payment, (bill.alerts or {}).get('ramp_payment')), (False, None))
        self.assertNotIn(bill, self.announced())


@tagged('post_install', '-at_install', 'ramp')
class TestPaidByRamp(PaidByRampCase):
    def test_from_planned_to_paid(self):
        ramp_id = self.owe(10000)
        self.sync_payables()
        self.assertAnnounced(ramp_id, 'The payment is not scheduled yet')
        for status, pattern in (
            ('scheduled', 'scheduled for 2026-09-01'),
            ('processing', 'is on its way'),
            ('failed', 'the payment failed'),
        ):
            self.ramp.pay_bill(ramp_id, status=status, date='2026-09-01')
            self.sync_payables()
            self.assertAnnounced(ramp_id, pattern)
            self.assertFalse(self.payment(ramp_id))
        self.ramp.update_bill(ramp_id, status_summary='ON_HOLD')
        self.sync_payables()
        self.assertAnnounced(ramp_id, 'on hold or blocked')
        self.ramp.pay_bill(ramp_id)
        self.sync('bill')
        self.assertAnnounced(ramp_id, 'Ramp has paid it')
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.assertNotAnnounced(ramp_id)

    def test_part(self):
        ramp_id = self.owe(10000)
        self.ramp.pay_bill(ramp_id, amount_minor=4000, date='2026-03-20')
        self.sync_payables()
        self.assertEqual(self.move(ramp_id).payment_state, 'partial')
        self.ramp.pay_bill(ramp_id, status='processing', date='2026-09-01', new=True)
        self.sync_payables()
        self.assertAnnounced(ramp_id, 'is on its way')

    def test_card(self):
        ramp_id = self.owe(10000, payment_method='CARD')
        self.sync_payables()
        self.assertAnnounced(ramp_id, 'is on its way')

    def test_draft(self):
        self.connection.bill_post = 'draft'
        ramp_id = self.owe(10000)
        self.ramp.pay_bill(ramp_id, status='scheduled', date='2026-09-01')
        self.sync_payables()
        self.assertAnnounced(ramp_id, 'scheduled for 2026-09-01')
        self.move(ramp_id).button_cancel()
        self.assertNotAnnounced(ramp_id)

    def test_not_paid_by_ramp(self):
        """A bill that is paid by hand or in an unknown way is not announced, because it needs a payment in Odoo."""
        self.connection.manual_payment_policy = 'person'
        by_hand, unknown = (
            self.owe(10000, payment_method='PAID_MANUALLY'),
            self.owe(20000, payment_method='UNSPECIFIED'),
        )
        self.sync_payables()
        self.ramp.pay_bill(by_hand, method='PAID_MANUALLY')
        self.sync_payables()
        for ramp_id in (by_hand, unknown):
            self.assertEqual(self.move(ramp_id).payment_state, 'not_paid')
            self.assertNotAnnounced(ramp_id)
        entered = self.entered()
        self.assertFalse(entered.ramp_payment or entered in self.announced())

    def test_withdrawn(self):
        ramp_id = self.owe(10000)
        self.ramp.pay_bill(ramp_id, status='scheduled', date='2026-09-01')
        self.sync_payables()
        bill = self.move(ramp_id)
        self.ramp.archive_bill(ramp_id)
        self.sync_payables()
        self.assertEqual((bill.payment_state, bill.ramp_payment), ('reversed', False))
        self.assertNotIn(bill, self.announced())

    def test_portal_user(self):
        """A vendor with a portal login sees a bill as before."""
        ramp_id = self.owe(10000)
        self.sync_payables()
        user = new_test_user(
            self.env, 'vendor', 'base.group_portal', company_id=self.company.id, company_ids=self.company.ids
        )
        bill = self.move(ramp_id)
        user.partner_id.parent_id = bill.partner_id
        self.assertEqual(bill.with_user(user).payment_state, 'not_paid')
        self.assertNotIn('ramp_payment', bill.with_user(user)._get_alerts())
        self.assertNotIn('ramp_payment', bill.with_user(user).fields_get())

    # ------------------------------------------------------------------ Register Payment

    def test_pay_asks_first(self):
        ramp_id = self.owe(10000)
        self.ramp.pay_bill(ramp_id, status='scheduled', date='2026-09-01')
        self.sync_payables()
        bill = self.move(ramp_id)
        user = new_test_user(
            self.env, 'payer', 'account.group_account_invoice', company_id=self.company.id, company_ids=self.company.ids
        )
        for moves, model in ((bill, 'account.move'), (bill.line_ids, 'account.move.line')):
            warning = self.wizard(moves, user, model).actionable_errors['ramp_payment']
            self.assertEqual((warning['level'], warning['action']['res_id']), ('warning', bill.id))
            self.assertRegex(warning['message'], 'comes from Ramp. Ramp pays it: scheduled for 2026-09-01')
        self.wizard(bill, user)._create_payments()
        self.assertEqual(bill.payment_state, 'in_payment', 'it warns, and forbids nothing')
        self.assertNotAnnounced(ramp_id)

    def test_several_bills(self):
        ids = [self.owe(10000), self.owe(20000)]
        self.sync_payables()
        bills, own = self.env['account.move'].concat(*map(self.move, ids)), self.entered()
        wizard = self.wizard(bills + own)
        self.assertEqual(wizard.line_ids.move_id, own)
        self.assertRegex(wizard.actionable_errors['ramp_payment']['message'], '^2 of the selected bills are left out')
        wizard._create_payments()
        self.assertEqual(own.amount_residual, 0)
        self.assertEqual(bills.mapped('payment_state'), ['not_paid', 'not_paid'])
        wizard = self.wizard(bills)
        self.assertEqual(wizard.line_ids.move_id, bills, 'who chooses only such means them')
        self.assertRegex(wizard.actionable_errors['ramp_payment']['message'], '^2 of these bills come from Ramp')

    def test_without_ramp(self):
        """A payment of bills that have nothing to do with Ramp shows no message."""
        one, other = self.entered(), self.entered(50.0)
        wizard = self.wizard(one + other)
        self.assertEqual((wizard.line_ids.move_id, wizard.actionable_errors), (one + other, False))

    def test_queries(self):
        """A list of bills is looked up with the same number of queries, however many bills it has."""
        ids = [self.owe(10000 + number) for number in range(12)]
        self.sync_payables()
        bills = self.env['account.move'].concat(*map(self.move, ids))
        counts = []
        for few in (bills[:2], bills):
            self.env.invalidate_all()
            few.fetch(['ramp_id', 'state', 'payment_state'])
            before = self.env.cr.sql_log_count
            self.assertEqual(len(set(few.mapped('ramp_payment'))), 1)
            counts.append(self.env.cr.sql_log_count - before)
        self.assertEqual(counts[0], counts[1])

    # ------------------------------------------------------------------ paid by credits

    def credited(self, minor, **values):
        vendor = self.ramp.add_vendor('Creditor')
        ramp_id = self.owe(minor, vendor=vendor, **values)
        credit = self.ramp.add_vendor_credit(
            vendor=vendor, amount_minor=4000, account=self.external(self.account_meals)
        )
        self.ramp.apply_vendor_credit(credit, ramp_id)
        return ramp_id, credit

    def test_covered_by_credits(self):
        ramp_id, credit = self.credited(4000)
        self.sync_payables()
        bill, refund = self.move(ramp_id), self.move(credit)
        self.assertEqual((bill.payment_state, bill.status_in_payment, refund.payment_state), ('paid', 'paid', 'paid'))
        bill.line_ids.remove_move_reconcile()
        self.assertEqual(bill.payment_state, 'not_paid')

    def test_covered_by_credits_and_card(self):
        ramp_id, _credit = self.credited(10000, payment_method='CARD')
        self.sync_payables()
        self.ramp.pay_bill(ramp_id)
        self.sync_payables()
        self.assertEqual((self.move(ramp_id).amount_residual, self.move(ramp_id).payment_state), (0, 'paid'))

    def test_reversed_is_reversed(self):
        """A bill with a credit note of its own is reversed. Bills without Ramp are as in core."""
        ramp_id, own = self.owe(4000), self.entered()
        self.sync_payables()
        for bill in (self.move(ramp_id), own):
            bill._reverse_moves([{'invoice_date': '2026-03-04'}], cancel=True)
            self.assertEqual(bill.payment_state, 'reversed')
        other = self.entered()
        refund = self.env['account.move'].create(
            {
                'move_type': 'in_refund',
                'partner_id': other.partner_id.id,
                'invoice_date': '2026-03-04',
                'invoice_line_ids': [
                    Command.create(
                        {'name': 'x', 'price_unit': 25.0, 'account_id': self.account_meals.id, 'tax_ids': []}
                    )
                ],
            }
        )
        refund.action_post()
        (other + refund).line_ids.filtered(lambda line: line.display_type == 'payment_term').reconcile()
        self.assertEqual(other.payment_state, 'reversed')


@tagged('post_install', '-at_install', 'ramp')
class TestReimbursedByRamp(ReimbursementCase):
    def test_states(self):
        self.connection.reimbursement_policy = 'ready'
        ramp_id = self.claim(10000)
        self.sync_payables()
        bill = self.move(ramp_id)
        self.assertRegex(bill.ramp_payment, 'not scheduled yet')
        self.ramp.update_reimbursement(ramp_id, state='PROCESSING')
        self.later(ramp_id)
        self.sync_payables()
        self.env.invalidate_all()
        self.assertRegex(bill.ramp_payment, 'on its way')
        self.assertEqual(self.env['account.move'].search(SEARCH), bill)
        self.ramp.pay_reimbursement(ramp_id)
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.assertFalse(bill.ramp_payment)
        self.assertLessEqual(ANNOUNCED_STATES.keys(), REIMBURSEMENT_STATES)

    def test_by_others(self):
        """Ramp announces no payment for a debt of an employee, or for a reimbursement that is exported to be paid
        elsewhere.
        """
        self.connection.reimbursement_policy = 'ready'
        back, exported = self.claim(direction='USER_TO_BUSINESS'), self.claim(state='AWAITING_EXPORT')
        self.sync_payables()
        self.assertTrue(self.move(back) and self.move(exported))
        self.assertEqual((self.move(back).ramp_payment, self.move(exported).ramp_payment), (False, False))
