# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Bills that are due in installments, by the payment terms that an accountant gave them in Odoo."""

from odoo import Command
from odoo.tests import tagged

from .common import PayablesCase
from .properties import in_turn

PAID = '2026-11-25'


@tagged('post_install', '-at_install', 'ramp')
class TestInstallments(PayablesCase):
    """A bill of USD 50.00: 20.00 are due after 10 days, and 30.00 after 40 days."""

    def once(self):
        super().once()
        self.terms = self.env['account.payment.term'].create(
            {
                'name': '40 % after 10 days, 60 % after 40',
                'line_ids': [
                    Command.create({'value': 'percent', 'value_amount': share, 'nb_days': days})
                    for share, days in ((40, 10), (60, 40))
                ],
            }
        )
        self.connection.bill_post = 'draft'
        self.vendor = self.ramp.add_vendor('Acme')
        self.ramp_id = self.owe(5000, vendor=self.vendor)
        self.sync_payables()
        self.bill = self.move(self.ramp_id)
        self.bill.invoice_payment_term_id = self.terms
        self.bill.action_post()

    def open_now(self, bill=None):
        """Return what is open of each installment, in the order in which they are due."""
        lines = (bill or self.bill).line_ids.filtered(lambda line: line.display_type == 'payment_term')
        return lines.sorted('date_maturity').mapped('amount_residual')

    def pay(self, **values):
        self.ramp.pay_bill(self.ramp_id, **values)
        self.sync_payables()
        row = self.record(self.ramp_id, 'bill_payment')
        self.assertIn(row.state, ('done', 'confirmed'), row.error_message)

    @in_turn
    def test_paid_and_returned(self):
        self.pay(date=PAID)
        self.assertEqual(self.open_now(), [0, 0])
        self.assertPaid(self.ramp_id)
        self.assertEqual(len(self.payment(self.ramp_id).move_id.line_ids), 2, 'one line on each account, as in core')
        self.ramp.pay_bill(self.ramp_id, status='failed')
        self.sync_payables()
        self.assertEqual(self.open_now(), [-20.0, -30.0])

    @in_turn
    def test_paid_in_two_parts(self):
        """As in core, the first part pays the first installment, and what is left of it pays of the second one."""
        core = self.bill.copy({'invoice_date': self.bill.invoice_date, 'ref': 'By hand'})
        core.action_post()
        self.env['account.payment.register'].with_context(active_model='account.move', active_ids=core.ids).create(
            {'amount': 25, 'payment_date': PAID, 'payment_difference_handling': 'open'}
        )._create_payments()
        self.pay(amount_minor=2500, date=PAID)
        self.assertEqual(self.open_now(core), [0, -25.0])
        self.assertEqual(self.open_now(), self.open_now(core))
        self.pay()
        self.assertEqual(self.open_now(), [0, 0])
        self.assertEqual(self.payment(self.ramp_id).mapped('amount'), [25.0, 25.0])

    @in_turn
    def test_covered_by_a_credit_in_part(self):
        self.connection.bill_post = 'post'
        credit = self.ramp.add_vendor_credit(
            vendor=self.vendor,
            amount_minor=4000,
            currency='USD',
            entity=self.primary,
            account=self.external(self.account_meals),
        )
        self.ramp.apply_vendor_credit(credit, self.ramp_id, 2500)
        self.sync_payables()
        self.assertEqual(self.open_now(), [0, -25.0])
        self.assertEqual(self.move(credit).amount_residual, 15.0)
        self.pay(date=PAID)
        self.assertPaid(self.ramp_id)
        self.assertEqual((self.open_now(), self.payment(self.ramp_id).amount), ([0, 0], 25.0))
        self.ramp.pay_bill(self.ramp_id, status='failed')
        self.sync_payables()
        self.assertEqual(self.open_now(), [0, -25.0])
        self.ramp.unapply_vendor_credit(credit, self.ramp_id)
        self.sync_payables()
        self.assertEqual((self.open_now(), self.move(credit).amount_residual), ([-20.0, -30.0], 40.0))

    @in_turn
    def test_paid_by_card(self):
        self.pay(method='CARD')
        self.assertEqual(self.open_now(), [0, 0])
        self.assertSettledByCard(self.ramp_id, 5000)

    @in_turn
    def test_posted_again(self):
        """The payment of a bill is that of the bill that takes its place, whichever terms each has."""
        self.pay(date=PAID)
        self.ramp.update_bill(self.ramp_id, account=self.external(self.account_travel))
        self.sync_payables()
        self.record(self.ramp_id, 'bill').action_rebook()
        self.sync_payables()
        again = self.move(self.ramp_id)
        again.invoice_payment_term_id = self.terms
        again.action_post()
        self.sync_payables()
        self.record(self.ramp_id, 'bill_payment')._reopen_payment()
        self.sync_payables()
        self.assertNotEqual(again, self.bill)
        self.assertEqual((self.open_now(again), len(self.payment(self.ramp_id))), ([0, 0], 1))

    @in_turn
    def test_owed_on_two_accounts(self):
        """A payment has one account. It pays the installments on the account that is due first, or is on hold."""
        self.bill.button_draft()
        account = self.bill.line_ids.account_id.filtered(lambda item: item.account_type == 'liability_payable')
        last = self.bill.line_ids.filtered(lambda line: line.display_type == 'payment_term').sorted('date_maturity')[-1]
        last.account_id = account.copy({'code': '211902'})
        self.bill.action_post()
        self.ramp.pay_bill(self.ramp_id, amount_minor=2000, date=PAID)
        self.sync_payables()
        self.assertEqual(self.open_now(), [0, -30.0])
        self.pay(date=PAID)
        self.assertEqual(self.open_now(), [0, 0])
