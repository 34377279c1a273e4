# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from datetime import timedelta
from decimal import Decimal
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from odoo import fields
from odoo.tests import tagged

from ..flows.engine.flow import RampFlow
from ..flows.engine.pull import RampFlowPull
from .common import PayablesCase
from .properties import examples, in_turn


@tagged('post_install', '-at_install', 'ramp')
class TestBill(PayablesCase):
    def test_open_bill(self):
        ramp_id = self.owe(
            12345, invoice_number='INV-1', memo='Paper', date='2026-03-04', due='2026-04-03', posting_date='2026-03-05'
        )
        self.sync_payables()
        self.assertBooked(ramp_id)
        bill = self.move(ramp_id)
        self.assertEqual((bill.move_type, bill.state, bill.payment_state), ('in_invoice', 'posted', 'not_paid'))
        self.assertEqual(
            (bill.ref, str(bill.invoice_date), str(bill.date), str(bill.invoice_date_due)),
            ('INV-1', '2026-03-04', '2026-03-05', '2026-04-03'),
        )
        self.assertEqual((bill.amount_total, bill.amount_residual), (123.45, 123.45))
        self.assertEqual(
            self.entry(ramp_id),
            [
                ('650001', Decimal('123.45'), Decimal('123.45')),
                (self.payable(), Decimal('-123.45'), Decimal('-123.45')),
            ],
        )
        self.assertEqual(bill.invoice_line_ids.mapped('name'), ['Paper'])
        self.assertFalse(self.record(ramp_id, 'bill_payment'))
        self.ramp.assert_clean()

    def test_paid_by_bank(self):
        ramp_id = self.owe(12345)
        self.ramp.pay_bill(ramp_id, date='2026-03-20')
        self.sync_payables()
        self.assertPaid(ramp_id)
        payment = self.payment(ramp_id)
        self.assertEqual(
            (payment.amount, payment.payment_type, payment.partner_id),
            (123.45, 'outbound', self.move(ramp_id).partner_id),
        )
        self.assertEqual(str(payment.date), '2026-03-20')
        self.assertEqual(payment.state, 'in_process')

    def test_paid_by_bank_where_core_makes_no_entry(self):
        """A payment from Ramp has an entry, also in Enterprise, where a payment whose method has no account has none."""
        self.patch(type(self.env['account.move']), '_get_invoice_in_payment_state', lambda move: 'in_payment')
        ramp_id = self.owe(12345)
        self.ramp.pay_bill(ramp_id, date='2026-03-20')
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.assertFalse(self.payment(ramp_id).payment_method_line_id.payment_account_id)
        self.assertEqual(self.payment(ramp_id).move_id.state, 'posted')

    def test_batch_payment_waits_for_the_end_of_the_lists(self):
        """If the time of the job is up at each page, bills on several pages that are paid at once still get one
        payment.
        """
        vendor = self.ramp.add_vendor(name='Paid at once')
        bills = [self.owe(1000 + number, vendor=vendor) for number in range(5)]
        self.ramp.pay_bill(bills)
        self.sync('vendor')
        self.patch(RampFlowPull, '_page_size', 2)
        self.patch(RampFlow, '_is_job_time_up', lambda flow: True)
        runs = self.env['ramp.run']
        while runs[-1:].state != 'done':
            runs += self.sync('bill', now=False)
            if runs[-1].state == 'paused':
                self.sync('bill_payment', now=False)
                self.assertFalse(self.payment(*bills))
        self.assertGreater(len(runs), 3)
        self.sync('bill_payment', now=False)
        self.assertEqual(self.payment(*bills).mapped('amount'), [50.10])
        for ramp_id in bills:
            self.assertPaid(ramp_id)

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
        [tx] = self.ramp.state['bills'].get_row(ramp_id)['payment']['details']['transaction_ids']
        self.assertEqual(
            (self.record(tx).state, self.record(tx).res_id), ('confirmed', self.record(ramp_id, 'bill_payment').res_id)
        )
        self.assertFalse(self.expense(tx))

    def test_card_transaction_first_and_known(self):
        ramp_id = self.owe(5000, payment_method='CARD')
        self.ramp.pay_bill(ramp_id, transaction=True)
        self.sync('bill', 'transaction', 'bill_payment')
        self.assertSettledByCard(ramp_id, 5000)
        self.assertEqual(
            self.env['account.move'].search_count([('journal_id', '=', self.connection.card_journal_id.id)]), 1
        )

    def test_card_transaction_of_another_amount(self):
        ramp_id = self.owe(5000, payment_method='CARD')
        tx = self.spend(5100, sync_status='NOT_SYNC_READY')
        self.ramp.pay_bill(ramp_id, transaction=tx)
        self.sync_payables()
        self.assertSettledByCard(ramp_id, 5000)
        self.ramp.update_transaction(tx, sync_status='SYNC_READY')
        self.sync('transaction', 'bill_payment')
        self.assertEqual(self.move(ramp_id).amount_residual, 0)
        self.assertEqual(
            self.move(tx).line_ids.filtered(lambda line: line.account_type == 'liability_payable').amount_residual, 1.0
        )

    def test_credit_and_bank(self):
        vendor = self.ramp.add_vendor('Creditor')
        ramp_id = self.owe(10000, vendor=vendor)
        credit = self.ramp.add_vendor_credit(
            vendor=vendor, amount_minor=4000, account=self.external(self.account_meals)
        )
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
        credit = self.ramp.add_vendor_credit(
            vendor=vendor, amount_minor=4000, account=self.external(self.account_meals)
        )
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

    def returned(self):
        """Return (bill, payment of March, its reversal) of a payment that came back."""
        ramp_id = self.owe(10000)
        self.ramp.pay_bill(ramp_id, date='2026-03-10')
        self.sync_payables()
        first = self.payment(ramp_id)
        self.ramp.pay_bill(ramp_id, status='failed')
        self.sync_payables()
        return ramp_id, first, self.reversals(first)

    def test_returned_after_it_was_reset_to_draft(self):
        """A payment that somebody took out of the books is not reversed. It is cancelled, so that nobody posts it."""
        ramp_id = self.owe(10000)
        self.ramp.pay_bill(ramp_id)
        self.sync_payables()
        first = self.payment(ramp_id)
        first.action_draft()
        self.ramp.pay_bill(ramp_id, status='failed')
        self.sync_payables()
        self.assertEqual((first.state, self.move(ramp_id).amount_residual), ('canceled', 100.0))
        self.assertFalse(self.env['account.move'].search([('ref', '=like', 'Reversal of: %')]))
        self.ramp.pay_bill(ramp_id)
        self.sync_payables()
        self.assertPaid(ramp_id)

    def test_day_of_a_return(self):
        """A returned payment is reversed on the day of the return, so that the month of the payment stays as it was
        reported.
        """
        _ramp_id, first, reversal = self.returned()
        self.assertEqual(str(first.date), '2026-03-10')
        self.assertEqual(reversal.date, fields.Date.context_today(self.connection))

    def test_day_of_a_correction(self):
        """A payment that was posted with a wrong amount is corrected on its own day."""
        ramp_id = self.owe(10000)
        self.ramp.pay_bill(ramp_id, amount_minor=4000, date='2026-03-10')
        self.sync_payables()
        first = self.payment(ramp_id)
        payment = self.ramp.state['bills'].get_row(ramp_id)['payment']
        self.ramp.state['bills'].update_row(
            ramp_id, payment={**payment, 'amount': {**payment['amount'], 'amount': 5000}}
        )
        self.sync_payables()
        self.assertEqual(str(self.reversals(first).date), '2026-03-10')
        self.assertEqual(self.move(ramp_id).amount_residual, 50.0)

    def show(self, journal, day, amount=1.0):
        return self.env['account.bank.statement.line'].create(
            {'journal_id': journal.id, 'date': day, 'payment_ref': 'Something else', 'amount': amount}
        )

    def test_return_that_the_bank_does_not_show(self):
        """If the bank shows neither a payment nor its return, they are reconciled with each other after the bank's
        statements have gone on for some days.
        """
        ramp_id, first, reversal = self.returned()
        sides = (first.move_id + reversal).line_ids.filtered(
            lambda line: line.account_id == first.outstanding_account_id
        )
        self.assertEqual(len(sides), 2)
        for days, shows, reconciled in ((9, 1.0, False), (10, -100.0, False), (11, None, True)):
            day = reversal.date + timedelta(days=days)
            if shows:
                line = self.show(first.journal_id, day, amount=shows)
            else:
                line.unlink()  # this line could be the payment, or its return
                self.show(first.journal_id, day)
            with patch.object(fields.Date, 'context_today', lambda record, timestamp=None, day=day: day):
                self.sync('watch')
            self.assertEqual(sides.mapped('reconciled'), [reconciled] * 2, days)
        self.assertEqual(self.move(ramp_id).amount_residual, 100.0)

    def test_return_that_the_bank_shows_in_part(self):
        """If the payment is matched with a bank line, its return waits for a line of its own."""
        _ramp_id, first, reversal = self.returned()
        paid, back = (
            move.line_ids.filtered(lambda line: line.account_id == first.outstanding_account_id)
            for move in (first.move_id, reversal)
        )
        shown = self.show(first.journal_id, '2026-03-10', amount=-100.0)
        _liquidity, suspense, _other = shown._seek_for_lines()
        suspense.account_id = paid.account_id
        (suspense + paid).reconcile()
        self.show(first.journal_id, reversal.date + timedelta(days=30))
        self.sync('watch')
        self.assertEqual((paid.reconciled, back.reconciled), (True, False))

    def test_returned_and_covered_by_a_credit(self):
        """A credit can cover a part of a bill whose payment came back. Ramp hears of the payment once, and nothing more
        until the bill is paid again.
        """
        ramp_id = self.owe(10000, vendor=self.ramp.add_vendor('Creditor'))
        self.ramp.pay_bill(ramp_id)
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.ramp.pay_bill(ramp_id, status='failed')
        vendor = self.ramp.state['bills'].get_row(ramp_id)['vendor']['id']
        credit = self.ramp.add_vendor_credit(
            vendor=vendor, amount_minor=4000, account=self.external(self.account_meals)
        )
        self.ramp.apply_vendor_credit(credit, ramp_id)
        self.sync_payables()
        row = self.record(ramp_id, 'bill_payment')
        self.assertEqual((self.move(ramp_id).amount_residual, row.state, row.error_message), (60.0, 'done', False))
        self.ramp.pay_bill(ramp_id)
        self.sync_payables()
        self.assertPaid(ramp_id)

    def test_partly_and_in_two_parts(self):
        ramp_id = self.owe(10000)
        self.ramp.pay_bill(ramp_id, amount_minor=4000)
        self.sync_payables()
        self.assertEqual((self.move(ramp_id).amount_residual, self.move(ramp_id).payment_state), (60.0, 'partial'))
        self.ramp.pay_bill(ramp_id)
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.assertEqual(sorted(self.payment(ramp_id).mapped('amount')), [40.0, 60.0])

    def test_each_part_has_its_own_day(self):
        """Each partial payment has its own date. Ramp only names the first payment, and the day on which the bill was
        paid.
        """
        ramp_id = self.owe(10000, invoice_number='P-1')
        self.ramp.pay_bill(ramp_id, amount_minor=4000, date='2026-03-10')
        self.sync_payables()
        self.ramp.pay_bill(ramp_id, date='2026-04-20')
        paid = self.ramp.state['bills'].get_row(ramp_id)['paid_at'][:10]
        self.assertGreaterEqual(paid, '2026-04-20')
        self.sync_payables()
        self.assertPaid(ramp_id)
        first, rest = self.payment(ramp_id).sorted('amount')
        self.assertEqual([str(payment.date) for payment in (first, rest)], ['2026-03-10', paid])
        self.assertEqual(rest.memo, 'P-1')
        self.assertRegex(first.memo, '^P-1 .')

    def test_part_of_a_bill_that_is_on_hold(self):
        """A bill that is on hold in Ramp gets no payment now, but a part that was paid before stays paid."""
        ramp_id = self.owe(10000)
        self.ramp.pay_bill(ramp_id, amount_minor=4000)
        self.ramp.update_bill(ramp_id, held=True)
        self.assertEqual(self.ramp.state['bills'].get_row(ramp_id)['status_summary'], 'ON_HOLD')
        self.sync_payables()
        self.assertEqual((self.move(ramp_id).amount_residual, self.move(ramp_id).payment_state), (60.0, 'partial'))
        self.ramp.update_bill(ramp_id, held=False)
        self.sync_payables()
        self.assertEqual(self.payment(ramp_id).mapped('amount'), [40.0])

    def test_whole_that_is_on_its_way_while_the_bill_is_on_hold(self):
        """A payment that was only initiated is not posted while the bill is on hold."""
        ramp_id = self.owe(10000)
        self.ramp.pay_bill(ramp_id, status='processing')
        self.ramp.update_bill(ramp_id, held=True)
        self.sync_payables()
        self.assertEqual((self.move(ramp_id).amount_residual, self.payment(ramp_id).ids), (100.0, []))
        self.ramp.pay_bill(ramp_id)
        self.sync_payables()
        self.assertPaid(ramp_id)

    @in_turn
    def test_part_stays_while_the_next_one_is_on_its_way(self):
        """A posted part stays while the next payment is on its way, although Ramp shows the first payment with the
        status of the next.
        """
        ramp_id = self.owe(10000)
        self.ramp.pay_bill(ramp_id, amount_minor=4000)
        self.sync_payables()
        first = self.payment(ramp_id)
        for status, state in (('scheduled', 'pending'), ('processing', 'pending'), ('failed', 'held')):
            self.ramp.pay_bill(ramp_id, status=status, new=status == 'scheduled')
            self.sync_payables()
            self.assertEqual((self.move(ramp_id).amount_residual, self.reversals(first).ids), (60.0, []), status)
            self.assertEqual(self.record(ramp_id, 'bill_payment').state in ('held', 'error'), state == 'held', status)
        self.assertRegex(self.record(ramp_id, 'bill_payment').error_message, f'40.00 USD.*{first.name}')
        self.ramp.pay_bill(ramp_id)
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.assertEqual(sorted(self.payment(ramp_id).mapped('amount')), [40.0, 60.0])
        self.assertFalse(self.reversals(first))

    def test_part_that_failed_and_was_paid_anew(self):
        """If a part fails and the whole is paid before Odoo sees the failure, the whole replaces the part."""
        ramp_id = self.owe(10000)
        self.ramp.pay_bill(ramp_id, amount_minor=4000)
        self.sync_payables()
        first = self.payment(ramp_id)
        self.ramp.pay_bill(ramp_id, status='failed')
        self.ramp.pay_bill(ramp_id)
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.assertEqual(sum(self.reversals(first).mapped('amount_total')), 40.0)

    def test_part_that_failed_and_was_cancelled_in_odoo(self):
        ramp_id = self.owe(10000)
        self.ramp.pay_bill(ramp_id, amount_minor=4000)
        self.sync_payables()
        first = self.payment(ramp_id)
        self.ramp.pay_bill(ramp_id, status='failed')
        self.sync_payables()
        self.assertEqual(self.record(ramp_id, 'bill_payment').state, 'held')
        first.action_draft()
        first.action_cancel()
        self.ramp.pay_bill(ramp_id)
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.assertEqual(
            (first.state, self.payment(ramp_id).filtered(lambda payment: payment.state != 'canceled').mapped('amount')),
            ('canceled', [100.0]),
        )

    def reversals(self, payment):
        return self.env['account.move'].search([('reversed_entry_id', '=', payment.move_id.id)])

    def test_archived(self):
        ramp_id = self.owe(10000)
        self.sync_payables()
        bill = self.move(ramp_id)
        self.ramp.archive_bill(ramp_id)
        self.sync_payables()
        self.assertEqual((bill.payment_state, bill.amount_residual, bill.ramp_id), ('reversed', 0, False))
        self.assertEqual(self.record(ramp_id, 'bill').state, 'ignored')
        self.assertRegex(self.record(ramp_id, 'bill').error_message, 'archived in Ramp')
        reason = self.record(ramp_id, 'bill').error_message
        self.assertIn(bill.reversal_move_ids.name, reason)
        self.sync_payables()  # Ramp lists it as archived again
        self.assertEqual(self.record(ramp_id, 'bill').error_message, reason)

    def test_money_changed_after_it_was_booked(self):
        ramp_id = self.owe(10000)
        self.sync_payables()
        bill, record = self.move(ramp_id), self.record(ramp_id, 'bill')
        self.ramp.update_bill(ramp_id, amount_minor=12000)
        self.sync_payables()
        self.assertEqual((record.state, bill.amount_total), ('held', 100.0))
        self.assertIn('Amount: 100.00 USD, now 120.00 USD', record.late_changes)
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

    def test_number_in_another_form_of_unicode(self):
        vendor = self.ramp.add_vendor('Twice')
        first = self.owe(100, vendor=vendor, invoice_number='R\u00e9 \u2168-1')
        self.sync_payables()
        second = self.owe(200, vendor=vendor, invoice_number='re\u0301  ix-1')
        self.sync_payables()
        self.assertEqual(self.record(first, 'bill').state, 'confirmed')
        self.assertEqual(
            (self.record(second, 'bill').state, self.record(second, 'bill').reason_move_id), ('held', self.move(first))
        )

    def test_second_run_changes_nothing(self):
        for amount in (1000, 2000):
            self.ramp.pay_bill(self.owe(amount))
        self.owe(3000)
        self.sync_payables()
        calls, moves = len(self.ramp.list_write_calls()), self.env['account.move'].search_count([])
        self.sync_payables()
        self.assertEqual((len(self.ramp.list_write_calls()), self.env['account.move'].search_count([])), (calls, moves))

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

    def expected(self):
        """Return (bill, charge, entry) of a bill paid by card whose charge has not arrived."""
        ramp_id = self.owe(5000, payment_method='CARD', date='2026-03-02')
        charge = self.spend(5000, date='2026-03-05T12:00:00+00:00', sync_status='NOT_SYNC_READY')
        self.ramp.pay_bill(ramp_id, transaction=charge, date='2026-03-05')
        self.sync_payables()
        self.assertSettledByCard(ramp_id, 5000)
        return (
            ramp_id,
            charge,
            self.env['account.move'].browse(self.record(ramp_id, 'bill_payment').noted['card']['id']),
        )

    def test_card_transaction_of_another_day(self):
        """The entry that was made in expectation of a charge is replaced if the charge is of another day."""
        ramp_id, charge, entry = self.expected()
        self.assertEqual(str(entry.date), '2026-03-05')
        self.ramp.update_transaction(charge, accounting_date='2026-03-09T12:00:00+00:00', sync_status='SYNC_READY')
        self.sync('transaction', 'bill_payment')
        self.assertEqual(str(self.move(charge).date), '2026-03-09')
        self.assertSettledByCard(ramp_id, 5000)

    def test_card_transaction_whose_entry_was_reversed(self):
        """An entry that somebody reversed does not stand for the charge that arrives later."""
        _ramp_id, charge, entry = self.expected()
        entry._reverse_moves([{'date': entry.date}], cancel=True)
        self.ramp.update_transaction(charge, sync_status='SYNC_READY')
        self.sync('transaction')
        self.assertEqual((len(self.move(charge)), self.move(charge).state), (1, 'posted'))
        self.assertNotEqual(self.move(charge), entry)

    def test_card_transaction_of_a_bill_that_is_left_out(self):
        """If a person left the bill out of the books, its charge is the spend."""
        ramp_id = self.owe(5000, account=None, payment_method='CARD')
        charge = self.spend(5000, sync_status='NOT_SYNC_READY')
        self.ramp.pay_bill(ramp_id, transaction=charge)
        self.sync_payables()
        self.record(ramp_id, 'bill')._ignore_by_person('It is no bill of ours.')
        self.ramp.update_transaction(charge, sync_status='SYNC_READY')
        self.sync('transaction')
        self.assertConfirmed(charge)
        self.assertFalse(self.move(ramp_id))

    def test_card_transaction_of_a_payment_that_is_left_out(self):
        """If a person left the payment of a bill out of the books, its charge is the spend."""
        self.connection.bill_post = 'draft'
        ramp_id = self.owe(5000, payment_method='CARD')
        charge = self.spend(5000, sync_status='NOT_SYNC_READY')
        self.ramp.pay_bill(ramp_id, transaction=charge)
        self.sync_payables()
        self.record(ramp_id, 'bill_payment')._ignore_by_person('It was paid in another way.')
        self.ramp.update_transaction(charge, sync_status='SYNC_READY')
        self.sync('transaction')
        self.assertConfirmed(charge)
        self.assertIn(self.account_meals, self.move(charge).line_ids.account_id)

    # ------------------------------------------------------------------ work of an accountant

    def pay_in_odoo(self, bill):
        self.env['account.payment.register'].with_context(active_model='account.move', active_ids=bill.ids).create(
            {}
        )._create_payments()

    def bank_line(self, payment):
        """Let the bank show the payment: a statement line, matched with the payment's outstanding line as the bank
        widget does it.
        """
        line = self.env['account.bank.statement.line'].create(
            {
                'journal_id': payment.journal_id.id,
                'amount': -payment.amount,
                'date': payment.date,
                'payment_ref': 'From the bank',
            }
        )
        _liquidity, suspense, _other = line._seek_for_lines()
        outstanding = payment.move_id.line_ids.filtered(lambda item: item.account_id == payment.outstanding_account_id)
        suspense.account_id = outstanding.account_id
        (suspense + outstanding).reconcile()

    def test_paid_when_the_bank_line_is_matched(self):
        ordinary = self.env['account.move'].create(
            {
                'move_type': 'in_invoice',
                'partner_id': self.env['res.partner'].create({'name': 'Other'}).id,
                'invoice_date': '2026-03-04',
                'invoice_line_ids': [
                    (0, 0, {'name': 'x', 'price_unit': 10, 'account_id': self.account_meals.id, 'tax_ids': []})
                ],
            }
        )
        ordinary.action_post()
        self.pay_in_odoo(ordinary)
        habit = ordinary.payment_state
        ramp_id = self.owe(12345)
        self.ramp.pay_bill(ramp_id)
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.bank_line(self.payment(ramp_id))
        self.assertEqual((self.move(ramp_id).payment_state, self.payment(ramp_id).state), ('paid', 'paid'))
        self.assertEqual(ordinary.payment_state, habit)
        # Now Ramp says that the money came back. The match of an accountant is not undone.
        self.ramp.pay_bill(ramp_id, status='failed')
        self.sync_payables()
        row = self.record(ramp_id, 'bill_payment')
        self.assertEqual(row.state, 'held')
        self.assertRegex(row.error_message, 'is matched with the bank')
        self.assertEqual(self.move(ramp_id).payment_state, 'paid')

    def test_taxes_are_included_in_ramps_amount(self):
        Tax = self.env['account.tax']
        excluded, included = Tax.create(
            [
                {
                    'name': name,
                    'amount': 19,
                    'type_tax_use': 'purchase',
                    'price_include_override': mode,
                    'company_id': self.company.id,
                }
                for name, mode in (('VAT', 'tax_excluded'), ('VAT in', 'tax_included'))
            ]
        )
        self.connection.offer_taxes = True
        self.sync('account', 'tax_rate', 'tax_code')
        for tax in (excluded, included):
            with self.subTest(tax.name):
                code = self.env['ramp.record'].search([('flow', '=', 'tax_code'), ('res_id', '=', tax.id)]).remote_id
                lines = [
                    {'amount_minor': minor, 'account': self.external(self.account_meals), 'tax': code}
                    for minor in (1001, 333, 7, 1)
                ]
                ramp_id = self.owe(sum(line['amount_minor'] for line in lines), lines=lines)
                self.sync_payables()
                self.assertBooked(ramp_id)
                self.assertEqual(self.move(ramp_id).amount_total, 13.42)
                self.assertAlmostEqual(self.move(ramp_id).amount_tax, 13.42 - 13.42 / 1.19, delta=0.03)
                self.assertEqual(set(self.move(ramp_id).invoice_line_ids.tax_ids), {tax})

    def test_both_lists_of_lines(self):
        account = self.external(self.account_meals)
        ramp_id = self.owe(
            None,
            lines=[{'amount_minor': 250, 'account': account, 'memo': 'Freight'}],
            inventory=[
                {'quantity': 12, 'unit_price_minor': 333, 'account': account, 'memo': 'Pens'},
                {'quantity': 0.5, 'unit_price_minor': 333, 'amount_minor': 167, 'account': account},
            ],
        )
        self.sync_payables()
        self.assertBooked(ramp_id)
        bill = self.move(ramp_id)
        self.assertEqual(bill.amount_total, 2.5 + 39.96 + 1.67)
        self.assertEqual(
            [(line.name, line.quantity, line.price_unit) for line in bill.invoice_line_ids][:2],
            [('Freight', 1, 2.5), ('Pens', 12, 3.33)],
        )
        self.assertEqual((bill.invoice_line_ids[2].quantity, bill.invoice_line_ids[2].price_subtotal), (1, 1.67))

    def test_a_bill_that_is_a_credit(self):
        ramp_id = self.owe(-5000)
        self.sync_payables()
        self.assertBooked(ramp_id)
        self.assertEqual((self.move(ramp_id).move_type, self.move(ramp_id).amount_total), ('in_refund', 50.0))
        self.assertEqual(self.entry(ramp_id)[0][2], Decimal('-50.0'))

    def test_booked_when_created(self):
        self.connection.bill_policy = 'created'
        ramp_id, refused = self.owe(5000, approval_status='PENDING'), self.owe(6000, approval_status='PENDING')
        self.sync_payables()
        for ident in (ramp_id, refused):
            self.assertEqual((self.record(ident, 'bill').state, self.move(ident).state), ('done', 'posted'))
            self.assertFalse(self.ramp.list_successes('BILL_SYNC').get(ident))
        self.sync_payables()
        self.assertEqual(len(self.env['account.move'].search([('move_type', '=', 'in_invoice')])), 2)
        bill = self.move(refused)
        self.ramp.update_bill(ramp_id, approval_status='APPROVED')
        self.ramp.update_bill(refused, approval_status='REJECTED')
        self.sync_payables()
        self.assertBooked(ramp_id)
        self.assertEqual((self.record(refused, 'bill').state, bill.payment_state), ('ignored', 'reversed'))

    def test_not_approved_waits(self):
        ramp_id = self.owe(5000, approval_status='PENDING')
        self.sync_payables()
        self.assertFalse(self.move(ramp_id))

    def test_left_as_a_draft(self):
        self.connection.bill_post = 'draft'
        ramp_id = self.owe(5000)
        self.ramp.pay_bill(ramp_id)
        self.sync_payables()
        row = self.record(ramp_id, 'bill_payment')
        self.assertEqual(
            (self.record(ramp_id, 'bill').state, self.move(ramp_id).state, row.state), ('confirmed', 'draft', 'pending')
        )
        self.assertRegex(row.error_message, 'Post it')
        self.move(ramp_id).action_post()
        self.sync_payables()
        self.assertPaid(ramp_id)

    def test_marked_as_paid(self):
        ramp_id = self.owe(5000, payment_method='PAID_MANUALLY')
        self.ramp.pay_bill(ramp_id, manual_method='CASH')
        self.connection.manual_payment_journal_id = self.env['account.journal'].search(
            [('type', '=', 'cash'), ('company_id', '=', self.company.id)], limit=1
        ) or self.env['account.journal'].create(
            {'name': 'Till', 'code': 'TILL', 'type': 'cash', 'company_id': self.company.id}
        )
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.assertEqual(self.payment(ramp_id).journal_id.type, 'cash')

    def test_paid_in_odoo_waits_for_odoo(self):
        erp = self.owe(5000, payment_method='PAID_MANUALLY')
        self.ramp.pay_bill(erp, manual_method='PAID_IN_ERP')
        self.sync_payables()
        row = self.record(erp, 'bill_payment')
        self.assertEqual(
            (row.state, self.move(erp).amount_residual, row.reason_move_id), ('held', 50.0, self.move(erp))
        )
        self.pay_in_odoo(self.move(erp))
        self.sync_payables()
        self.assertPaid(erp)
        self.assertEqual(
            len(self.env['account.payment'].search([('partner_id', '=', self.move(erp).partner_id.id)])), 1
        )

    def test_paid_in_odoo_by_mistake_is_not_paid_twice(self):
        ramp_id = self.owe(5000)
        self.sync_payables()
        self.pay_in_odoo(self.move(ramp_id))
        self.ramp.pay_bill(ramp_id)
        self.sync_payables()
        row = self.record(ramp_id, 'bill_payment')
        self.assertEqual((row.state, row.reason_move_id), ('held', self.move(ramp_id)))
        self.assertRegex(row.error_message, r'only 0\.00 USD of BILL')
        self.assertFalse(self.payment(ramp_id))

    def test_an_unknown_way_to_pay_holds_the_payment_only(self):
        ramp_id = self.owe(5000)
        self.ramp.pay_bill(ramp_id)
        bill = self.ramp.state['bills'].get_row(ramp_id)
        self.ramp.state['bills'].update_row(
            ramp_id, payment={**bill['payment'], 'payment_method': 'CARRIER_PIGEON'}, _broken=True
        )
        self.ramp.contract = None
        self.sync_payables()
        self.assertBooked(ramp_id)
        row = self.record(ramp_id, 'bill_payment')
        self.assertEqual(row.state, 'held')
        self.assertRegex(row.error_message, 'payment.method')

    def test_closed_period(self):
        self.company.fiscalyear_lock_date = '2026-02-28'
        ramp_id = self.owe(5000, date='2026-02-10')
        self.sync_payables()
        self.assertEqual(self.record(ramp_id, 'bill').state, 'held')
        self.assertIn(self.record(ramp_id, 'bill').error_message, self.ramp.list_export_errors(ramp_id))
        self.connection.lock_date_policy = 'next_open'
        self.sync_payables()
        self.assertBooked(ramp_id)
        self.assertEqual(
            (str(self.move(ramp_id).date), str(self.move(ramp_id).invoice_date)), ('2026-03-01', '2026-02-10')
        )

    @in_turn
    def test_currencies_without_and_with_three_decimals(self):
        for code, minor in (('JPY', 15001), ('KWD', 1235), ('EUR', 10001)):
            with self.subTest(code):
                ramp_id = self.owe(minor, currency=code)
                self.ramp.pay_bill(ramp_id)
                self.sync_payables()
                self.assertPaid(ramp_id)
                self.assertEqual(self.payment(ramp_id).currency_id.name, code)

    def test_files_and_memos_that_come_later(self):
        ramp_id = self.owe(5000, memo='Paper', invoices=1)
        self.sync_payables()
        bill = self.move(ramp_id)
        self.assertEqual(len(self.attachments(bill)), 1)
        self.assertEqual(bill.message_main_attachment_id, self.attachments(bill))
        self.ramp.update_bill(ramp_id, memo='Paper and pens', invoices=2, due='2027-01-01')
        self.sync_payables()
        self.assertEqual(len(self.attachments(bill)), 2)
        notes = ' '.join(bill.message_ids.mapped('body'))
        self.assertIn('Memo changed in Ramp: Paper and pens', notes)
        self.assertIn('Due Date changed in Ramp: 2027-01-01', notes)
        self.assertEqual((self.record(ramp_id, 'bill').state, str(bill.narration)), ('confirmed', '<p>Paper</p>'))

    def test_rebooked_bill_keeps_its_payment(self):
        ramp_id = self.owe(10000)
        self.ramp.pay_bill(ramp_id)
        self.sync_payables()
        payment, record = self.payment(ramp_id), self.record(ramp_id, 'bill')
        self.ramp.update_bill(ramp_id, account=self.external(self.account_travel))
        self.sync_payables()
        self.assertEqual(record.state, 'held')
        record.action_rebook()
        self.sync_payables()
        self.assertEqual((self.move(ramp_id).amount_residual, self.move(ramp_id).payment_state), (0, 'in_payment'))
        self.assertEqual(self.payment(ramp_id), payment)
        self.assertEqual(self.entry(ramp_id)[0][0], '650002')
        self.assertEqual(self.env['account.payment'].search_count([('partner_id', '=', payment.partner_id.id)]), 1)

    def test_nothing_to_pay(self):
        ramp_id = self.owe(
            0, lines=[{'amount_minor': minor, 'account': self.external(self.account_meals)} for minor in (500, -500)]
        )
        self.ramp.state['bills'].update_row(ramp_id, status='PAID', paid_at='2026-03-04T00:00:00+00:00', payment=None)
        self.sync_payables()
        self.assertBooked(ramp_id)
        self.assertEqual(
            self.record(ramp_id, 'bill_payment').state, 'confirmed', self.record(ramp_id, 'bill_payment').error_message
        )

    def test_rebooked_bill_that_was_paid_by_card(self):
        ramp_id = self.owe(5000, payment_method='CARD')
        self.ramp.pay_bill(ramp_id, transaction=True)
        self.sync('bill', 'transaction', 'bill_payment')
        self.assertSettledByCard(ramp_id, 5000)
        self.ramp.update_bill(ramp_id, account=self.external(self.account_travel))
        self.sync_payables()
        self.record(ramp_id, 'bill').action_rebook()
        self.sync_payables()
        self.assertEqual(self.move(ramp_id).amount_residual, 0)
        self.assertEqual(self.entry(ramp_id)[0][0], '650002')
        self.assertEqual(self.record(ramp_id, 'bill_payment').state, 'confirmed')

    def test_the_bill_says_what_keeps_its_payment(self):
        ramp_id = self.owe(5000, payment_method='PAID_MANUALLY')
        self.ramp.pay_bill(ramp_id, manual_method='PAID_IN_ERP')
        self.sync_payables()
        self.assertRegex(
            self.move(ramp_id).ramp_state, r'^Synced to Ramp\. Its payment: On Hold: It was marked as paid'
        )

    @in_turn
    @examples(2)
    @given(st.data())
    def test_property_any_bill_is_booked_and_paid_to_the_cent(self, data):
        self.connection.rate_tolerance = 1e9  # any rate counts as a rate of some day
        code = data.draw(st.sampled_from(['USD', 'EUR', 'JPY', 'KWD']))
        minors = data.draw(
            st.lists(st.integers(-5000, 100000).filter(bool), min_size=1, max_size=6).filter(
                lambda parts: sum(parts) > 0
            )
        )
        account = self.external(self.account_meals)
        values = {'fx_conversion_rate': str(data.draw(st.decimals('0.001', '200', places=5)))} if code != 'USD' else {}
        vendor = self.ramp.add_vendor(f'Vendor {data.draw(st.uuids())}')
        ramp_id = self.owe(
            None,
            vendor=vendor,
            currency=code,
            entity=self.primary,
            lines=[{'amount_minor': minor, 'account': account} for minor in minors],
            **values,
        )
        how = data.draw(st.sampled_from(['bank', 'settled', 'parts', 'card', 'card_later']))
        if how == 'parts' and sum(minors) > 1:
            self.ramp.pay_bill(ramp_id, amount_minor=data.draw(st.integers(1, sum(minors) - 1)))
        self.ramp.pay_bill(
            ramp_id,
            **{
                'bank': {},
                'settled': {'in_payer_currency': True},
                'parts': {},
                'card': {'method': 'CARD'},
                'card_later': {'method': 'CARD', 'transaction': True},
            }[how],
        )
        self.sync('bill', 'bill_payment', 'transaction', 'bill_payment')
        bill = self.move(ramp_id)
        places = bill.currency_id.decimal_places
        self.assertEqual(round(bill.amount_total * 10**places), sum(minors))
        self.assertEqual(bill.amount_residual, 0, how)
        self.assertEqual(
            self.record(ramp_id, 'bill_payment').state, 'confirmed', self.record(ramp_id, 'bill_payment').error_message
        )
        payable = self.env['account.move.line'].search(
            [
                ('partner_id', '=', bill.partner_id.id),
                ('account_type', '=', 'liability_payable'),
                ('parent_state', '=', 'posted'),
            ]
        )
        self.assertEqual(sum(payable.mapped('amount_residual')), 0)
        self.assertEqual(round(sum(payable.mapped('balance')), 2), 0)

    def test_taxes_due_on_payment(self):
        """With cash basis taxes, the payment makes the entry that moves the tax from waiting to due."""
        self.company.tax_exigibility = True
        waiting = self.env['account.account'].create(
            {
                'name': 'Tax waiting',
                'code': '253001',
                'account_type': 'asset_current',
                'reconcile': True,
                'company_ids': [(6, 0, self.company.ids)],
            }
        )
        due = self.env['account.account'].create(
            {
                'name': 'Tax due',
                'code': '253002',
                'account_type': 'asset_current',
                'company_ids': [(6, 0, self.company.ids)],
            }
        )
        tax = self.env['account.tax'].create(
            {
                'name': 'VAT on payment',
                'amount': 20,
                'type_tax_use': 'purchase',
                'company_id': self.company.id,
                'tax_exigibility': 'on_payment',
                'cash_basis_transition_account_id': waiting.id,
                **{
                    f'{kind}_repartition_line_ids': [
                        (0, 0, {'repartition_type': 'base'}),
                        (0, 0, {'repartition_type': 'tax', 'account_id': due.id}),
                    ]
                    for kind in ('invoice', 'refund')
                },
            }
        )
        self.connection.offer_taxes = True
        self.sync('account', 'tax_rate', 'tax_code')
        code = self.env['ramp.record'].search([('flow', '=', 'tax_code'), ('res_id', '=', tax.id)]).remote_id
        ramp_id = self.owe(
            12000, lines=[{'amount_minor': 12000, 'account': self.external(self.account_meals), 'tax': code}]
        )
        self.sync_payables()
        self.assertEqual((self.move(ramp_id).amount_total, self.move(ramp_id).amount_tax), (120.0, 20.0))
        self.ramp.pay_bill(ramp_id)
        self.sync_payables()
        self.assertPaid(ramp_id)
        balances = self.env['account.move.line']._read_group(
            [('account_id', 'in', (waiting + due).ids), ('parent_state', '=', 'posted')],
            ['account_id'],
            ['balance:sum'],
        )
        self.assertEqual({account.code: balance for account, balance in balances}, {'253001': 0.0, '253002': 20.0})
