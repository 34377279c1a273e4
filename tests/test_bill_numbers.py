# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import Command
from odoo.tests import tagged

from ..flows.engine.names import name_key, number_key
from .common import PayablesCase
from .properties import in_turn
from .smoke import PlainCase


@tagged('post_install', '-at_install', 'ramp')
class TestNumberKey(PlainCase):
    def test_forms_of_one_number(self):
        for text in (
            'RÉ 2041/a',
            're\u0301 2041/A',
            ' ré\u00a02041/a ',
            'RÉ2041/A',
            '\uff32É \uff12\uff10\uff14\uff11/a',
            'r\u200bé 2041/a',
            'RÉ\u20092041/\u00adA',
        ):
            self.assertEqual(number_key(text), 'ré2041/a', ascii(text))

    def test_numbers_of_their_own(self):
        self.assertEqual(len(set(map(number_key, ('10-1', '101', '10.1', '10-1a', '0101')))), 5)
        self.assertEqual((number_key(None), number_key(False), number_key(' \u200b ')), ('', '', ''))

    def test_names_in_whichever_case(self):
        """Names are compared with Unicode case folding, because some names have several forms in lower case."""
        for one, other in (
            ('Gro\u00dfe Stra\u00dfe', 'GROSSE STRASSE'),
            ('\u039f\u0394\u039f\u03a3', '\u03bf\u03b4\u03bf\u03c3'),
            ('\ufb01at', 'FIAT'),
        ):
            self.assertEqual(name_key(one), name_key(other), ascii(one))

    def test_names_keep_their_words(self):
        self.assertNotEqual(name_key('The Rapist Ltd'), name_key('Therapist Ltd'))


@tagged('post_install', '-at_install', 'ramp')
class TestBillNumbers(PayablesCase):
    """A number of a vendor belongs to one bill, in any spelling. A bill without a number is known by its date and
    amount.
    """

    def once(self):
        super().once()
        self.vendor = self.ramp.add_vendor('Twice')
        self.first = self.owe(10000, vendor=self.vendor, invoice_number='R 2041', date='2026-03-04')
        self.sync_payables()
        self.partner = self.move(self.first).partner_id

    def again(self, amount_minor=10000, **values):
        """Add another bill of the vendor and run; returns its row."""
        values.setdefault('date', '2026-03-04')
        ramp_id = self.owe(amount_minor, vendor=self.vendor, **values)
        self.sync_payables()
        return self.record(ramp_id, 'bill')

    def enter(self, move_type='in_invoice', ref=False, amount=100.0, date='2026-03-04'):
        """Enter a document of the vendor in Odoo, as a person does."""
        move = self.env['account.move'].create(
            {
                'move_type': move_type,
                'partner_id': self.partner.id,
                'ref': ref,
                'invoice_date': date,
                'date': date,
                'invoice_line_ids': [
                    Command.create(
                        {'name': 'Paper', 'price_unit': amount, 'account_id': self.account_meals.id, 'tax_ids': []}
                    )
                ],
            }
        )
        move.action_post()
        return move

    def assertAsked(self, row, move, pattern):
        self.assertEqual((row.state, row.reason_move_id), ('held', move), row.error_message)
        self.assertRegex(row.error_message, pattern)
        self.assertIn(f'/odoo/account.move/{move.id}', row.error_message)
        self.assertFalse(self.move(row.ramp_id))

    def messages(self, move):
        return ' '.join(move.message_ids.mapped('body'))

    def test_blanks_and_case(self):
        self.assertAsked(
            self.again(500, invoice_number=' r2 041'), self.move(self.first), 'with the number r2 041 in Odoo'
        )

    def test_number_beside_other_reasons(self):
        """A used number is found together with the other reasons."""
        row = self.again(500, invoice_number='R 2041', account=None)
        self.assertAsked(row, self.move(self.first), r'(?s)has no account.*with the number R 2041 in Odoo')
        self.assertEqual(len(row._get_causes()), 2)

    def test_number_of_a_credit_beside_other_reasons(self):
        """The same holds for a vendor credit."""
        make = {'vendor': self.vendor, 'amount_minor': 3000, 'date': '2026-03-04', 'reference_number': 'C 7'}
        first = self.ramp.add_vendor_credit(account=self.external(self.account_meals), **make)
        self.sync_payables()
        row_id = self.ramp.add_vendor_credit(account=None, **make)
        self.sync_payables()
        row = self.record(row_id, 'vendor_credit')
        self.assertAsked(row, self.move(first), r'(?s)has no account.*with the number C 7 in Odoo')

    def test_number_of_a_bill_on_hold(self):
        """A bill that is on hold for another reason does not use up its number, and waits for no other bill."""
        held = self.owe(500, vendor=self.vendor, invoice_number='N 8', date='2026-03-04', account=None)
        booked = self.owe(700, vendor=self.vendor, invoice_number='N 8', date='2026-03-04')
        self.sync_payables()
        self.assertBooked(booked)
        row = self.record(held, 'bill')
        self.assertEqual((row.state, len(row._get_causes())), ('held', 1), row.error_message)
        self.sync_payables()
        self.assertAsked(row, self.move(booked), r'(?s)has no account.*with the number N 8 in Odoo')

    def test_receipt_of_that_number(self):
        receipt = self.enter('in_receipt', 'TILL 7', date='2026-01-02')
        self.assertAsked(self.again(500, invoice_number='till-7'.replace('-', ' ')), receipt, 'with the number till 7')

    def test_number_of_another_year(self):
        row = self.again(500, invoice_number='R2041', date='2025-12-30')
        bill, first = self.move(row.ramp_id), self.move(self.first)
        self.assertEqual((row.state, bill.state), ('confirmed', 'posted'), row.error_message)
        self.assertRegex(self.messages(bill), 'has the same number')
        self.assertIn(f'data-oe-id="{first.id}"', self.messages(bill))
        self.assertNotIn('has the same number', self.messages(first))
        bill.ref = first.ref
        self.assertFalse(bill.duplicated_ref_ids, 'core calls it no duplicate, either')
        bill.button_draft()
        bill.invoice_date = '2026-01-30'
        self.assertEqual(bill.duplicated_ref_ids, first, 'of one year, core does')

    def test_number_of_another_year_in_one_batch(self):
        ids = [
            self.owe(number, vendor=self.vendor, invoice_number='N-1', date=f'202{number}-06-01') for number in (4, 5)
        ]
        self.sync_payables()
        self.sync_payables()
        bills = [self.move(ramp_id) for ramp_id in ids]
        self.assertEqual([bill.state for bill in bills], ['posted', 'posted'])
        self.assertEqual(sum('has the same number' in self.messages(bill) for bill in bills), 1)

    def test_number_of_this_year_and_of_another(self):
        self.again(500, invoice_number='R 2041', date='2025-12-30')
        self.assertAsked(
            self.again(700, invoice_number='R 2041', date='2026-05-01'), self.move(self.first), 'with the number R 2041'
        )

    @in_turn
    def test_without_number(self):
        self.assertEqual(self.again(invoice_number=None).state, 'confirmed', 'the other one has a number')
        first = self.move(self.env['ramp.record'].search([('flow', '=', 'bill')], order='id desc', limit=1).ramp_id)
        self.assertFalse(first.ref)
        self.assertEqual(self.again(10001, invoice_number=None).state, 'confirmed', 'another amount')
        self.assertEqual(self.again(invoice_number=None, date='2026-03-05').state, 'confirmed', 'another day')
        row = self.again(invoice_number=None)
        self.assertAsked(row, first, r'a document without a number in Odoo, dated 2026-03-04, for 100\.00 USD')
        reason = row.error_message
        self.sync_payables()
        self.assertEqual((row.state, row.error_message), ('held', reason))
        first.ref = 'the first of two'  # both are real bills
        self.sync_payables()
        self.assertBooked(row.ramp_id)
        self.assertFalse(self.move(row.ramp_id).ref)

    def test_without_number_in_one_batch(self):
        ids = [self.owe(10000, vendor=self.vendor, invoice_number=None, date='2026-04-01') for _number in range(2)]
        self.sync_payables()
        rows = [self.record(ramp_id, 'bill') for ramp_id in ids]
        self.assertEqual(sorted(row.state for row in rows), ['confirmed', 'held'])
        held = next(row for row in rows if row.state == 'held')
        self.assertAsked(held, self.move(next(row.ramp_id for row in rows if row != held)), 'without a number')

    def test_without_number_beside_what_was_entered(self):
        entered = self.enter(date='2026-02-02', amount=7.5)
        row = self.again(750, invoice_number=' ', date='2026-02-02')
        self.assertAsked(row, entered, 'without a number')
        row.with_user(self.env.user).action_retry()
        self.sync_payables()
        self.assertEqual(row.state, 'held', 'the question is not answered by asking again')
        entered.button_draft()
        entered.button_cancel()
        self.sync_payables()
        self.assertBooked(row.ramp_id)

    def test_nothing_without_number(self):
        """Bills of zero without a number are not taken for each other."""
        account = self.external(self.account_meals)
        lines = [{'amount_minor': minor, 'account': account} for minor in (500, -500)]
        ids = [
            self.owe(0, vendor=self.vendor, invoice_number=None, date='2026-04-01', lines=lines) for _number in range(2)
        ]
        self.sync_payables()
        self.assertEqual([self.record(ramp_id, 'bill').state for ramp_id in ids], ['confirmed', 'confirmed'])

    def test_credits(self):
        account = self.external(self.account_meals)
        make = {'vendor': self.vendor, 'amount_minor': 3000, 'account': account, 'date': '2026-03-04'}
        first = self.ramp.add_vendor_credit(reference_number=None, **make)
        self.sync_payables()
        second = self.ramp.add_vendor_credit(reference_number=None, **make)
        self.sync_payables()
        self.assertEqual(self.move(first).state, 'posted')
        self.assertAsked(self.record(second, 'vendor_credit'), self.move(first), 'without a number')

    def test_reversed_ones_do_not_count(self):
        ramp_id = self.again(invoice_number=None).ramp_id
        self.ramp.archive_bill(ramp_id)
        self.sync_payables()
        self.assertEqual(self.again(invoice_number=None).state, 'confirmed')
