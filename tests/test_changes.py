# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Changes in Ramp after an object was posted: each kind of object and of change, in open and closed periods, in two
currencies.

The result of a change is the same as for an object that was so from the beginning. The former document is undone
completely.
"""

from collections import Counter
from datetime import date

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .common import PayablesCase, StatementsCase
from .properties import in_turn, rotated

DAY, NOON, OTHER_NOON = '2026-03-02', '2026-03-02T12:00:00+00:00', '2026-03-09T12:00:00+00:00'
CLOSED, FIRST_OPEN = '2026-03-31', date(2026, 4, 1)
PERIODS = ('open', 'closed')


@tagged('post_install', '-at_install', 'ramp')
class ChangesCase(PayablesCase, StatementsCase):
    flows = ('vendor', 'transaction', 'transfer', 'vendor_credit', 'bill', 'bill_payment', 'reimbursement', 'repayment')

    def once(self):
        super().once()
        self.meals, self.travel = self.external(self.account_meals), self.external(self.account_travel)
        self.vendor, self.other_vendor = self.ramp.add_vendor('Acme'), self.ramp.add_vendor('Other')

    def make(self, flow, currency='USD'):
        return {
            'transaction': lambda: self.spend(5000, currency=currency, date=NOON, merchant='Taxi Ltd'),
            'bill': lambda: self.owe(
                5000, currency=currency, date=DAY, vendor=self.vendor, invoice_number=f'B-{self.numbers()}'
            ),
            'vendor_credit': lambda: self.ramp.add_vendor_credit(
                vendor=self.vendor,
                amount_minor=5000,
                account=self.meals,
                date=NOON,
                reference_number=f'C-{self.numbers()}',
            ),
            'reimbursement': lambda: self.ramp.add_reimbursement(
                amount_minor=5000,
                user=self.user_id,
                entity=self.primary,
                account=self.meals,
                date=NOON,
                merchant='Hotel',
                state='REIMBURSED',
            ),
        }[flow]()

    def numbers(self):
        self.number = getattr(self, 'number', 0) + 1
        return self.number

    def change(self, flow, ramp_id, kind):
        update = getattr(self.ramp, f'update_{flow}')
        merchant = self.ramp.state.derive_stable_id('merchant', 'Other')
        changes = {
            'amount': {'amount_minor': 6000},
            'coding': {'account': self.travel},
            'day': {'transaction': {'accounting_date': OTHER_NOON}, 'bill': {'posting_date': OTHER_NOON[:10]}}.get(
                flow, {'date': OTHER_NOON}
            ),
            'vendor': {
                'transaction': {'merchant_id': merchant, 'merchant_name': 'Other'},
                'bill': {'vendor': self.other_vendor},
                'vendor_credit': {'vendor_id': self.other_vendor},
            }.get(flow),
            'words': {
                'transaction': {'merchant_name': 'TAXI LIMITED', 'memo': 'To the airport'},
                'bill': {'invoice_number': 'b/1', 'memo': 'March'},
                'vendor_credit': {'reference_number': 'c/1'},
                'reimbursement': {'merchant': 'The Hotel', 'memo': 'Two nights'},
            }[flow],
        }[kind]
        update(ramp_id, **changes)

    def look(self, flow):
        """Sync, some time after the last sync."""
        rows = self.env['ramp.record'].search([('flow', '=', flow), ('confirmed_at', '!=', False)])
        rows.confirmed_at = '2026-03-31'
        self.sync(*dict.fromkeys(('vendor', flow)) if flow in ('bill', 'vendor_credit') else (flow,))

    def effect(self, *moves):
        """Return the sum of documents: amounts by account and partner, in both currencies, in thousandths."""
        total = Counter()
        for line in self.env['account.move'].concat(*moves).line_ids:
            key = line.account_id.code, line.partner_id.name
            total[(*key, line.currency_id.name)] += round(line.amount_currency * 1000)
            total[(*key, 'balance')] += round(line.balance * 1000)
        return {key: amount for key, amount in total.items() if amount}


class TestChanges(ChangesCase):
    def test_a_cardholder_of_another_spelling(self):
        ramp_id = self.make('transaction')
        self.sync('transaction')
        row = self.ramp.state['transactions'].get_row(ramp_id)
        self.ramp.update_transaction(ramp_id, card_holder={**row['card_holder'], 'first_name': 'Adelheid'})
        self.look('transaction')
        self.assertEqual(self.record(ramp_id).state, 'confirmed')
        self.assertIn('Adelheid', ' '.join(self.move(ramp_id).message_ids.mapped('body')))

    def test_who_may_not_edit_the_document(self):
        """Somebody who may not edit a document cannot have it reversed and posted again, either."""
        ramp_id = self.make('bill')
        self.sync('vendor', 'bill')
        before, record = self.move(ramp_id), self.record(ramp_id, 'bill')
        self.change('bill', ramp_id, 'amount')
        self.look('bill')
        self.assertEqual(record.state, 'held')
        accountant = self.accountant_who_may_not_edit(before)
        with self.assertRaises(AccessError):
            record.with_user(accountant).action_rebook()
        self.assertEqual((before.ramp_id, bool(before.reversal_move_ids), record.state), (ramp_id, False, 'held'))

    def assertChanged(self, flow, kind, period, currency='USD'):
        ramp_id, twin = self.make(flow, currency), self.make(flow, currency)
        if flow == 'transaction':  # people are recognized by the name of the merchant
            self.env['res.partner'].create([{'name': name, 'supplier_rank': 1} for name in ('Taxi Ltd', 'Other')])
        self.sync('vendor', flow)
        before = self.move(ramp_id)
        self.assertEqual(before.state, 'posted', self.record(ramp_id, flow).error_message)
        self.change(flow, ramp_id, kind)
        self.look(flow)
        record = self.record(ramp_id, flow)
        self.assertEqual((record.state, record.has_changed), ('held', True), record.error_message)
        self.assertEqual(self.record(twin, flow).state, 'confirmed')
        if period == 'closed':
            self.company.fiscalyear_lock_date = CLOSED
            with self.assertRaisesRegex(UserError, 'cannot be undone. The accounting period is closed'):
                record.action_rebook()
            self.assertFalse(before.reversal_move_ids)
            self.connection.lock_date_policy = 'next_open'
        record.action_rebook()
        [reversal] = before.reversal_move_ids
        self.assertEqual((reversal.state, reversal.date), ('posted', FIRST_OPEN if period == 'closed' else before.date))
        self.assertEqual(self.effect(before, reversal), {})
        self.look(flow)
        record.invalidate_recordset()
        self.assertIn(record.state, ('confirmed', 'done'), record.error_message)
        self.assertFalse(record.has_changed)
        other = self.make(flow, currency)
        self.change(flow, other, kind)
        self.look(flow)
        after, reference = self.move(ramp_id), self.move(other)
        self.assertEqual((after.state, len(after)), ('posted', 1))
        self.assertNotEqual(after, before)
        self.assertEqual((self.effect(after), after.date), (self.effect(reference), reference.date))
        if kind in ('amount', 'coding', 'vendor'):
            self.assertNotEqual(self.effect(after), self.effect(before))
        else:
            self.assertNotEqual((after.date, after.invoice_date), (before.date, before.invoice_date))

    @in_turn
    def test_taxes_that_took_a_cent(self):
        """If a bill's tax was adjusted to Ramp's amount, its reversal has the same cent."""
        self.connection.offer_taxes = True
        tax = self.env['account.tax'].create(
            {
                'name': 'VAT 7',
                'amount': 7,
                'amount_type': 'percent',
                'type_tax_use': 'purchase',
                'company_id': self.company.id,
                'country_id': self.company.account_fiscal_country_id.id,
            }
        )
        self.sync('account', 'tax_rate', 'tax_code')
        code = self.env['ramp.record'].search([('flow', '=', 'tax_code'), ('res_id', '=', tax.id)]).remote_id
        for minor, currency in ((1004, 'USD'), (1004, 'EUR'), (1001, 'USD'), (33333, 'EUR')):
            with self.subTest(minor=minor, currency=currency), self.isolated():
                bill = self.owe(
                    None,
                    currency=currency,
                    date=DAY,
                    lines=[{'amount_minor': amount, 'account': self.meals, 'tax': code} for amount in (minor, 1003)],
                )
                self.sync('vendor', 'bill')
                before = self.move(bill)
                self.assertEqual(round(before.amount_total * 100), minor + 1003)
                self.ramp.update_bill(bill, account=self.travel)
                self.look('bill')
                self.record(bill, 'bill').action_rebook()
                self.assertEqual(self.effect(before, before.reversal_move_ids), {})
                self.assertEqual(before.reversal_move_ids.amount_total, before.amount_total)

    def each(self, flow, cases):
        for kind, period, currency in rotated(cases, of=2):
            with self.subTest(kind=kind, period=period, currency=currency), self.isolated():
                self.assertChanged(flow, kind, period, currency)

    @in_turn
    def test_transactions(self):
        self.each(
            'transaction',
            [
                ('amount', 'open', 'USD'),
                ('amount', 'closed', 'EUR'),
                ('coding', 'closed', 'USD'),
                ('coding', 'open', 'EUR'),
                ('day', 'open', 'USD'),
                ('day', 'closed', 'USD'),
                ('vendor', 'open', 'USD'),
            ],
        )

    @in_turn
    def test_bills(self):
        self.each(
            'bill',
            [
                ('amount', 'open', 'EUR'),
                ('amount', 'closed', 'USD'),
                ('coding', 'closed', 'EUR'),
                ('coding', 'open', 'USD'),
                ('day', 'open', 'USD'),
                ('vendor', 'open', 'USD'),
                ('vendor', 'closed', 'USD'),
            ],
        )

    @in_turn
    def test_vendor_credits(self):
        self.each(
            'vendor_credit',
            [
                ('amount', 'open', 'USD'),
                ('amount', 'closed', 'USD'),
                ('coding', 'open', 'USD'),
                ('coding', 'closed', 'USD'),
                ('day', 'open', 'USD'),
                ('vendor', 'open', 'USD'),
            ],
        )

    @in_turn
    def test_reimbursements(self):
        self.each(
            'reimbursement',
            [
                ('amount', 'open', 'USD'),
                ('amount', 'closed', 'USD'),
                ('coding', 'closed', 'USD'),
                ('day', 'open', 'USD'),
            ],
        )

    def test_words_are_details(self):
        """A changed text in Ramp is logged on the document, and needs no decision."""
        told = {
            'transaction': ['TAXI LIMITED', 'To the airport'],
            'bill': ['b/1', 'March'],
            'vendor_credit': ['c/1'],
            'reimbursement': ['Two nights'],
        }
        for flow, texts in told.items():
            with self.subTest(flow=flow):
                ramp_id = self.make(flow)
                self.sync('vendor', flow)
                move = self.move(ramp_id)
                self.change(flow, ramp_id, 'words')
                self.look(flow)
                record = self.record(ramp_id, flow)
                self.assertEqual((record.state, record.has_changed, record.late_payload), ('confirmed', False, False))
                self.assertEqual(self.move(ramp_id), move)
                said = ' '.join(move.message_ids.mapped('body'))
                for text in texts:
                    self.assertIn(text, said)
                count = len(move.message_ids)
                self.look(flow)
                self.assertEqual(len(move.message_ids), count, 'told once')


class TestChangedCredits(ChangesCase):
    """A credit covers as much of a bill as Ramp says now."""

    def once(self):
        super().once()
        self.owed = self.make('bill')
        self.credit = self.make('vendor_credit')
        self.ramp.apply_vendor_credit(self.credit, self.owed, 3000)
        self.sync_payables()
        self.assertOpen(20.0, 20.0)

    def assertOpen(self, of_bill, of_credit):
        self.assertEqual(
            (self.move(self.owed).amount_residual, self.move(self.credit).amount_residual), (of_bill, of_credit)
        )
        self.assertFalse(self.record(self.owed, 'bill_payment').error_message)

    def credits(self):
        return self.record(self.owed, 'bill_payment').noted.get('credits')

    def test_taken_off_in_part(self):
        self.ramp.unapply_vendor_credit(self.credit, self.owed, 1000)
        self.sync_payables()
        self.assertOpen(30.0, 30.0)
        self.assertEqual(self.credits(), {self.credit: 2000})

    def test_taken_off(self):
        self.ramp.unapply_vendor_credit(self.credit, self.owed)
        self.sync_payables()
        self.assertEqual((self.move(self.owed).amount_residual, self.move(self.credit).amount_residual), (50.0, 50.0))
        row = self.record(self.owed, 'bill_payment')
        self.assertEqual((row.state, row.res_id), ('pending', 0))
        self.ramp.apply_vendor_credit(self.credit, self.owed, 500)
        self.sync_payables()
        self.assertOpen(45.0, 45.0)

    def test_taken_off_and_paid_instead(self):
        self.ramp.unapply_vendor_credit(self.credit, self.owed)
        self.ramp.pay_bill(self.owed)
        self.sync_payables()
        self.assertPaid(self.owed)
        self.assertOpen(0.0, 50.0)

    def test_lowered_and_the_rest_paid(self):
        self.ramp.unapply_vendor_credit(self.credit, self.owed, 1000)
        self.ramp.pay_bill(self.owed)
        self.sync_payables()
        self.assertPaid(self.owed)
        self.assertOpen(0.0, 30.0)
        self.assertEqual(self.payment_of(self.owed).amount, 30.0)

    def payment_of(self, bill):
        return PayablesCase.payment(self, bill)

    def test_taken_off_a_bill_that_is_paid_and_confirmed(self):
        """If a credit is removed from a paid bill, the payment of the rest stays, and the bill is open by the credit's
        amount.
        """
        self.ramp.pay_bill(self.owed)
        self.sync_payables()
        self.assertPaid(self.owed)
        self.ramp.unapply_vendor_credit(self.credit, self.owed)
        self.sync_payables()
        self.assertOpen(30.0, 50.0)
        self.ramp.pay_bill(self.owed)
        self.sync_payables()
        self.assertOpen(0.0, 50.0)
        self.assertEqual(sorted(self.payment_of(self.owed).mapped('amount')), [20.0, 30.0])

    def test_of_another_credit(self):
        other = self.make('vendor_credit')
        self.ramp.unapply_vendor_credit(self.credit, self.owed)
        self.ramp.apply_vendor_credit(other, self.owed, 3000)
        self.sync_payables()
        self.assertOpen(20.0, 50.0)
        self.assertEqual(self.move(other).amount_residual, 20.0)

    @in_turn
    def test_booked_anew_with_another_coding(self):
        """If a credit is posted again with another coding, the new refund pays the bill that the former one paid."""
        former = self.move(self.credit)
        self.ramp.update_vendor_credit(self.credit, account=self.travel)
        self.look('vendor_credit')
        self.record(self.credit, 'vendor_credit').action_rebook()
        self.sync_payables()
        self.assertOpen(20.0, 20.0)
        self.assertNotEqual(self.move(self.credit), former)
        self.assertEqual(former.amount_residual, 0)

    def test_the_total_is_lowered(self):
        self.ramp.unapply_vendor_credit(self.credit, self.owed, 1500)
        self.ramp.update_vendor_credit(self.credit, amount_minor=1500)
        self.look('vendor_credit')
        self.assertTrue(self.record(self.credit, 'vendor_credit').has_changed)
        self.record(self.credit, 'vendor_credit').action_rebook()
        self.sync_payables()
        self.assertOpen(35.0, 0.0)
