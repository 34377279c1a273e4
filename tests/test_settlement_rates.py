# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""What a rate that moved between a document and what settles it leaves: an exchange difference, as in core."""

import datetime

from odoo import Command, fields
from odoo.tests import tagged

from .common import PayablesCase
from .properties import in_turn
from .test_currencies import DAY, NOON, CurrencyCase

PAID = '2026-03-20'


@tagged('post_install', '-at_install', 'ramp')
class TestSettlementRates(CurrencyCase):
    """1 EUR is 1.10 USD on the day of the documents, and 1.30 USD on the day on which they are settled."""

    def once(self):
        super().once()
        self.connection.bill_rate_policy = 'odoo'
        self.rate('EUR', 1 / 1.1, '2026-03-01')
        self.rate('EUR', 1 / 1.3, '2026-03-10')

    def euro_bill(self, **values):
        return self.owe(10000, **{'currency': 'EUR', 'entity': self.primary, 'date': DAY, **values})

    def owed(self, move):
        return move.line_ids.filtered(lambda line: line.display_type == 'payment_term')

    def differences(self):
        """The entries of exchange differences, as (day, balance of the payable account)."""
        journal = self.company.currency_exchange_journal_id
        moves = self.env['account.move'].search([('journal_id', '=', journal.id)], order='id')
        return [
            (
                str(move.date),
                sum(line.balance for line in move.line_ids if line.account_id.account_type == 'liability_payable'),
            )
            for move in moves
        ]

    def core_difference(self, amounts, kind='in_refund'):
        """Return the exchange difference that core makes of a bill of EUR 100 and a document that settles it."""
        partner = self.env['res.partner'].create({'name': 'By hand'})
        documents = self.env['account.move'].create(
            [
                {
                    'move_type': move_type,
                    'partner_id': partner.id,
                    'invoice_date': day,
                    'date': day,
                    'currency_id': self.currency('EUR').id,
                    'invoice_line_ids': [
                        Command.create({'price_unit': amount, 'account_id': self.account_meals.id, 'tax_ids': []})
                    ],
                }
                for move_type, day, amount in (('in_invoice', DAY, amounts[0]), (kind, '2026-03-12', amounts[1]))
            ]
        )
        documents.action_post()
        before = len(self.differences())
        self.owed(documents).reconcile()
        return self.differences()[before:]

    @in_turn
    def test_paid_by_bank(self):
        """A payment for which Ramp quotes no rate has Odoo's rate of its day, as one that somebody registers."""
        ramp_id = self.euro_bill()
        self.ramp.pay_bill(ramp_id, date=PAID)
        self.sync_payables()
        self.assertPaid(ramp_id)
        entry = self.payment(ramp_id).move_id
        self.assertEqual(
            [(line.amount_currency, line.balance) for line in entry.line_ids.sorted('balance')],
            [(-100.0, -130.0), (100.0, 130.0)],
        )
        [(_day, difference)] = self.differences()
        self.assertAlmostEqual(difference, -20.0, 2)
        by_hand = self.move(ramp_id).copy({'invoice_date': DAY, 'date': DAY, 'ref': 'By hand'})
        by_hand.action_post()
        wizard = self.env['account.payment.register'].with_context(active_model='account.move', active_ids=by_hand.ids)
        core = wizard.create({'payment_date': PAID, 'journal_id': entry.journal_id.id})._create_payments()
        self.assertEqual(self.owed(by_hand).reconciled, True)
        self.assertEqual(len(self.differences()), 2, core)
        self.assertEqual(self.differences()[0], self.differences()[1])

    def test_reimbursed(self):
        abroad = self.ramp.state['entities'].find_first_row(currency='EUR')['id']
        ramp_id = self.ramp.add_reimbursement(
            amount_minor=10000,
            user=self.user_id,
            date=NOON,
            account=self.external(self.account_meals),
            entity=abroad,
            currency='EUR',
        )
        self.ramp.pay_reimbursement(ramp_id, date=PAID)
        self.sync('reimbursement', 'reimbursement_payment')
        self.assertEqual(self.move(ramp_id).amount_residual, 0)
        self.assertEqual(sum(self.move(ramp_id).line_ids.filtered('debit').mapped('balance')), 110.0)
        [(_day, difference)] = self.differences()
        self.assertAlmostEqual(difference, -20.0, 2)

    def test_before_the_first_rate(self):
        """Where Odoo has no rate of the day yet, the payment has the rate of the document."""
        self.no_rates('EUR')
        self.rate('EUR', 0.5, DAY)
        ramp_id = self.euro_bill()
        self.ramp.pay_bill(ramp_id, date='2026-02-20')
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.assertEqual(sum(self.payment(ramp_id).move_id.line_ids.filtered('debit').mapped('balance')), 200.0)
        self.assertEqual(self.differences(), [])

    @in_turn
    def test_credit_in_part(self):
        """A part of a credit is applied with the exchange difference that core makes of the same amounts."""
        vendor = self.ramp.add_vendor('Creditor')
        bill = self.euro_bill(vendor=vendor)
        credit = self.ramp.add_vendor_credit(
            vendor=vendor,
            amount_minor=10000,
            currency='EUR',
            entity=self.primary,
            date='2026-03-12',
            account=self.external(self.account_meals),
        )
        self.ramp.apply_vendor_credit(credit, bill, 4000)
        self.sync_payables()
        refund = self.owed(self.move(credit))
        self.assertEqual(
            [(line.amount_residual_currency, line.amount_residual) for line in (self.owed(self.move(bill)), refund)],
            [(-60.0, -66.0), (60.0, 78.0)],
        )
        self.assertEqual(self.differences(), self.core_difference([40.0, 100.0]))
        self.sync_payables()
        self.assertEqual(len(refund.matched_credit_ids.filtered('exchange_move_id')), 1)

    @in_turn
    def test_one_of_a_batch_came_back(self):
        """What came back has the amount of its own document at the bank, whatever the rates of the others are."""
        self.connection.bill_rate_policy = 'ramp'
        vendor = self.ramp.add_vendor('Batch Ltd.')
        bills = [self.euro_bill(vendor=vendor, fx_conversion_rate=rate) for rate in ('1.20', '1.30')]
        self.ramp.pay_bill(bills, date=PAID)
        self.sync_payables()
        [payment] = self.payment(*bills)
        self.ramp.pay_bill(bills[0], status='failed')
        self.sync_payables()
        bank = payment.move_id.reversal_move_ids.line_ids.filtered(
            lambda line: line.account_id == payment.outstanding_account_id
        )
        self.assertEqual((bank.amount_currency, bank.balance), (100.0, 120.0))
        self.ramp.pay_bill(bills[1], status='failed')
        self.sync_payables()
        lines = (payment.move_id + payment.move_id.reversal_move_ids).line_ids
        left = lines.filtered(lambda line: line.account_id == payment.outstanding_account_id)
        self.assertEqual((sum(left.mapped('amount_currency')), sum(left.mapped('balance'))), (0, 0))

    @in_turn
    def test_came_back_in_a_later_month(self):
        """What core posted for the payment is reversed when the payment is. The month of the payment stays as it was."""
        ramp_id = self.euro_bill()
        self.ramp.pay_bill(ramp_id, date=PAID)
        self.sync_payables()

        def march():
            return {
                account.code: sum(lines.mapped('balance'))
                for account, lines in self.env['account.move.line']
                .search(
                    [
                        ('company_id', '=', self.company.id),
                        ('parent_state', '=', 'posted'),
                        ('date', '<=', '2026-03-31'),
                    ]
                )
                .grouped('account_id')
                .items()
            }

        before = march()
        self.patch(fields.Date, 'context_today', lambda record, timestamp=None: datetime.date(2026, 4, 2))
        self.ramp.pay_bill(ramp_id, status='failed')
        self.sync_payables()
        self.assertEqual(self.owed(self.move(ramp_id)).amount_residual, -110.0)
        self.assertEqual(march(), before)
        [(_day, first), (day, back)] = self.differences()
        self.assertEqual((first + back, day), (0, '2026-04-02'))


@tagged('post_install', '-at_install', 'ramp')
class TestThirdCurrency(CurrencyCase):
    """The company keeps its books in CHF. Ramp pays from an account in USD."""

    @classmethod
    def prepare(cls):
        super().prepare()
        francs = cls.env['res.currency'].with_context(active_test=False).search([('name', '=', 'CHF')])
        francs.active = True
        cls.company.currency_id = francs
        cls.env['res.currency.rate'].search([('company_id', '=', cls.company.id)]).unlink()

    def once(self):
        super().once()
        for day, dollars, euros in (('2020-01-01', 1.1, 1.05), ('2026-03-10', 1.2, 1.08)):
            self.rate('USD', dollars, day)
            self.rate('EUR', euros, day)

    def test_what_left_the_bank(self):
        """What left the bank is converted at the rate of the day, in whichever currency Ramp says it."""
        for currency, paid, balance in (
            ('USD', {}, 83.33),  # 100 USD
            ('EUR', {'in_payer_currency': True}, 87.30),  # 104.76 USD
            ('EUR', {}, 92.59),  # 100 EUR
        ):
            with self.subTest(currency=currency, **paid), self.isolated():
                ramp_id = self.owe(
                    10000,
                    currency=currency,
                    entity=self.primary,
                    date=DAY,
                    **({'fx_conversion_rate': '1.0476'} if currency == 'EUR' else {}),
                )
                self.ramp.pay_bill(ramp_id, date=PAID, **paid)
                PayablesCase.sync_payables(self)
                self.assertPaid(ramp_id)
                entry = self.payment(ramp_id).move_id
                self.assertAlmostEqual(sum(entry.line_ids.filtered('debit').mapped('balance')), balance, 2)


@tagged('post_install', '-at_install', 'ramp')
class TestTaxOnPayment(PayablesCase):
    @in_turn
    def test_came_back_in_a_later_month(self):
        """A tax that was due with the payment is taken back when the payment is. The tax of the month before stays."""
        self.account_meals.tax_ids, due = self.create_tax_on_payment()
        self.connection.tax_policy = 'default'
        ramp_id = self.owe(12000, date=DAY)
        self.ramp.pay_bill(ramp_id, date=PAID)
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.patch(fields.Date, 'context_today', lambda record, timestamp=None: datetime.date(2026, 4, 2))
        self.ramp.pay_bill(ramp_id, status='failed')
        self.sync_payables()
        lines = self.env['account.move.line'].search(
            [('account_id', '=', due.id), ('parent_state', '=', 'posted')], order='id'
        )
        self.assertEqual(
            [(str(line.date), line.balance) for line in lines], [('2026-03-20', 20.0), ('2026-04-02', -20.0)]
        )
