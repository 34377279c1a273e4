# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from decimal import Decimal

from odoo.tests import tagged

from .common import PayablesCase


@tagged('post_install', '-at_install', 'ramp')
class TestBill(PayablesCase):
    def test_open_bill(self):
        ramp_id = self.owe(12345, invoice_number='INV-1', memo='Paper', date='2026-03-04', due='2026-04-03', posting_date='2026-03-05')
        self.sync_payables()
        self.assertBooked(ramp_id)
        bill = self.move(ramp_id)
        self.assertEqual((bill.move_type, bill.state, bill.payment_state), ('in_invoice', 'posted', 'not_paid'))
        self.assertEqual((bill.ref, str(bill.invoice_date), str(bill.date), str(bill.invoice_date_due)),
                         ('INV-1', '2026-03-04', '2026-03-05', '2026-04-03'))
        self.assertEqual((bill.amount_total, bill.amount_residual), (123.45, 123.45))
        self.assertEqual(self.entry(ramp_id), [
            ('650001', Decimal('123.45'), Decimal('123.45')), (self.payable(), Decimal('-123.45'), Decimal('-123.45'))])
        self.assertEqual(bill.invoice_line_ids.mapped('name'), ['Paper'])
        self.assertFalse(self.record(ramp_id, 'bill_payment'))
        self.ramp.assert_clean()

    def test_paid_by_bank(self):
        ramp_id = self.owe(12345)
        self.ramp.pay_bill(ramp_id, date='2026-03-20')
        self.sync_payables()
        self.assertPaid(ramp_id)
        payment = self.payment(ramp_id)
        self.assertEqual((payment.amount, payment.payment_type, payment.partner_id), (123.45, 'outbound', self.move(ramp_id).partner_id))
        self.assertEqual(str(payment.date), '2026-03-20')
        self.assertEqual(payment.state, 'in_process')

    def test_batch_payment_is_one_payment(self):
        vendor = self.ramp.add_vendor('Batch Ltd.')
        bills = [self.owe(1000 + number, vendor=vendor) for number in range(3)]
        self.ramp.pay_bill(bills)
        self.sync_payables()
        for ramp_id in bills:
            self.assertPaid(ramp_id)
        self.assertEqual(len(self.payment(*bills)), 1)
        self.assertEqual(self.payment(*bills).amount, 30.03)

    def test_foreign(self):
        ramp_id = self.owe(10000, currency='EUR', entity=self.primary, fx_conversion_rate='1.0873')
        self.ramp.pay_bill(ramp_id, settled_minor=10900)
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.assertEqual(self.entry(ramp_id)[0][1:], (Decimal('100.0'), Decimal('108.73')))
        self.assertEqual((self.payment(ramp_id).amount, self.payment(ramp_id).currency_id.name), (109.0, 'USD'))

    def test_card_transaction_after_the_bill(self):
        ramp_id = self.owe(5000, payment_method='CARD')
        self.sync_payables()
        self.ramp.pay_bill(ramp_id, transaction=True)
        self.sync_payables()
        self.assertSettledByCard(ramp_id, 5000)
        self.sync()
        self.sync_payables()
        self.assertSettledByCard(ramp_id, 5000)
        [tx] = self.ramp.state['bills'].get(ramp_id)['payment']['details']['transaction_ids']
        self.assertEqual((self.record(tx).state, self.record(tx).res_id), ('confirmed', self.record(ramp_id, 'bill_payment').res_id))
        self.assertFalse(self.expense(tx))

    def test_card_transaction_first_and_known(self):
        ramp_id = self.owe(5000, payment_method='CARD')
        self.ramp.pay_bill(ramp_id, transaction=True)
        self.sync('bill', 'transaction', 'bill_payment')
        self.assertSettledByCard(ramp_id, 5000)
        self.assertEqual(self.env['account.move'].search_count([('journal_id', '=', self.connection.card_journal_id.id)]), 1)

    def test_card_transaction_of_another_amount(self):
        ramp_id = self.owe(5000, payment_method='CARD')
        tx = self.spend(5100, sync_status='NOT_SYNC_READY')
        self.ramp.pay_bill(ramp_id, transaction=tx)
        self.sync_payables()
        self.assertSettledByCard(ramp_id, 5000)
        self.ramp.update_transaction(tx, sync_status='SYNC_READY')
        self.sync('transaction', 'bill_payment')
        self.assertEqual(self.move(ramp_id).amount_residual, 0)
        self.assertEqual(self.move(tx).line_ids.filtered(lambda line: line.account_type == 'liability_payable').amount_residual, 1.0)

    def test_credit_and_bank(self):
        vendor = self.ramp.add_vendor('Creditor')
        ramp_id = self.owe(10000, vendor=vendor)
        credit = self.ramp.add_vendor_credit(vendor=vendor, amount_minor=4000, account=self.external(self.account_meals))
        self.ramp.apply_vendor_credit(credit, ramp_id, 2500)
        self.sync_payables()
        self.assertBooked(ramp_id)
        self.assertEqual((self.move(ramp_id).amount_residual, self.move(credit).amount_residual), (75.0, 15.0))
        self.ramp.pay_bill(ramp_id)
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.assertEqual(self.payment(ramp_id).amount, 75.0)

    def test_credits_only(self):
        vendor = self.ramp.add_vendor('Creditor')
        ramp_id = self.owe(4000, vendor=vendor)
        credit = self.ramp.add_vendor_credit(vendor=vendor, amount_minor=4000, account=self.external(self.account_meals))
        self.ramp.apply_vendor_credit(credit, ramp_id)
        self.sync_payables()
        self.assertEqual((self.move(ramp_id).amount_residual, self.move(credit).amount_residual), (0, 0))
        self.assertEqual(self.record(ramp_id, 'bill_payment').state, 'confirmed')

    def test_returned_and_paid_again(self):
        ramp_id = self.owe(10000)
        self.ramp.pay_bill(ramp_id)
        self.sync_payables()
        self.assertPaid(ramp_id)
        first = self.payment(ramp_id)
        self.ramp.pay_bill(ramp_id, status='failed')
        self.sync_payables()
        self.assertEqual((self.move(ramp_id).amount_residual, self.move(ramp_id).payment_state), (100.0, 'not_paid'))
        self.assertEqual(self.record(ramp_id, 'bill_payment').state, 'pending')
        self.ramp.pay_bill(ramp_id)
        self.sync_payables()
        self.assertEqual((self.move(ramp_id).amount_residual, self.move(ramp_id).payment_state), (0.0, 'in_payment'))
        self.assertNotEqual(self.payment(ramp_id), first)
        self.assertEqual(self.record(ramp_id, 'bill_payment').state, 'confirmed')

    def test_partly_and_in_two_parts(self):
        ramp_id = self.owe(10000)
        self.ramp.pay_bill(ramp_id, amount_minor=4000)
        self.sync_payables()
        self.assertEqual((self.move(ramp_id).amount_residual, self.move(ramp_id).payment_state), (60.0, 'partial'))
        self.ramp.pay_bill(ramp_id)
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.assertEqual(sorted(self.payment(ramp_id).mapped('amount')), [40.0, 60.0])

    def test_archived(self):
        ramp_id = self.owe(10000)
        self.sync_payables()
        bill = self.move(ramp_id)
        self.ramp.archive_bill(ramp_id)
        self.sync_payables()
        self.assertEqual((bill.payment_state, bill.amount_residual, bill.ramp_id), ('reversed', 0, False))
        self.assertEqual(self.record(ramp_id, 'bill').state, 'ignored')
        self.assertRegex(self.record(ramp_id, 'bill').error_message, 'archived in Ramp')

    def test_money_changed_after_it_was_booked(self):
        ramp_id = self.owe(10000)
        self.sync_payables()
        bill, record = self.move(ramp_id), self.record(ramp_id, 'bill')
        self.ramp.update_bill(ramp_id, amount_minor=12000)
        record.confirmed_at = '2020-01-01'
        self.sync_payables()
        self.assertEqual((record.state, bill.amount_total), ('held', 100.0))
        self.assertIn('amount: 100 USD, now 120 USD', record.late_changes)
        record.action_rebook()
        self.sync_payables()
        self.assertEqual((record.state, self.move(ramp_id).amount_total), ('confirmed', 120.0))
        self.assertEqual(bill.payment_state, 'reversed')

    def test_number_twice(self):
        vendor = self.ramp.add_vendor('Twice')
        first, second = (self.owe(number, vendor=vendor, invoice_number='R-1') for number in (100, 200))
        self.sync_payables()
        states = {self.record(ramp_id, 'bill').state for ramp_id in (first, second)}
        self.assertEqual(states, {'confirmed', 'held'})

    def test_second_run_changes_nothing(self):
        for amount in (1000, 2000):
            self.ramp.pay_bill(self.owe(amount))
        self.owe(3000)
        self.sync_payables()
        calls, moves = len(self.ramp.write_calls()), self.env['account.move'].search_count([])
        self.sync_payables()
        self.assertEqual((len(self.ramp.write_calls()), self.env['account.move'].search_count([])), (calls, moves))

    def test_card_transaction_never(self):
        ramp_id = self.owe(5000, payment_method='CARD')
        self.ramp.pay_bill(ramp_id)
        self.sync_payables()
        self.assertSettledByCard(ramp_id, 5000)

    def test_card_transaction_before(self):
        tx = self.spend(5000)
        self.sync()
        ramp_id = self.owe(5000, payment_method='CARD')
        self.ramp.pay_bill(ramp_id, transaction=tx)
        self.sync_payables()
        self.assertSettledByCard(ramp_id, 5000)
