# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Any currency with any rounding, for the company and for the spend: Ramp's amount in one, Odoo's conversion in the
other.
"""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st

from odoo.exceptions import ValidationError
from odoo.tests import tagged

from .common import PayablesCase, StatementsCase
from .properties import examples, in_turn

ROUNDINGS = (1.0, 0.1, 0.05, 0.01, 0.001, 0.0001)
DAY = '2026-03-02'
NOON = f'{DAY}T12:00:00+00:00'


class CurrencyCase(PayablesCase, StatementsCase):
    flows = (
        'vendor',
        'transaction',
        'vendor_credit',
        'bill',
        'bill_payment',
        'reimbursement',
        'reimbursement_payment',
        'repayment',
        'transfer',
    )

    def currency(self, name):
        return self.env['res.currency'].with_context(active_test=False).search([('name', '=', name)])

    def rate(self, name, rate, day='2020-01-01'):
        """Set a currency's rate to the dollar, from a day on."""
        currency = self.currency(name)
        currency.active = True
        self.env['res.currency.rate'].create(
            {'currency_id': currency.id, 'name': day, 'rate': rate, 'company_id': self.company.id}
        )
        return currency

    def no_rates(self, name):
        self.env['res.currency.rate'].search(
            [('currency_id.name', '=', name), ('company_id', 'in', (False, self.company.id))]
        ).unlink()

    def everything(self):
        return self.sync(*self.flows)


@tagged('post_install', '-at_install', 'ramp')
class TestRoundings(CurrencyCase):
    """All pairs of the roundings of two currencies."""

    @in_turn
    @examples(3)
    @given(
        own=st.sampled_from(ROUNDINGS),
        other=st.sampled_from(ROUNDINGS),
        rate=st.sampled_from((0.8, 0.917, 32.0, 0.0312)),
        minors=st.lists(st.integers(1, 99999), min_size=2, max_size=3),
    )
    @example(own=1.0, other=0.01, rate=0.03125, minors=[3333, 6667])
    @example(own=0.0001, other=0.01, rate=0.8, minors=[3333, 6667])
    @example(own=0.05, other=0.05, rate=0.9, minors=[1003, 5])
    @example(own=0.05, other=0.05, rate=0.9, minors=[1005, 5])
    @example(own=0.01, other=1.0, rate=32.0, minors=[320000, 100])
    @example(own=0.1, other=0.0001, rate=0.8, minors=[348, 6135])
    def test_each_kind(self, own, other, rate, minors):
        total = sum(minors)
        with self.isolated():
            self.company.currency_id.rounding = own
            euro = self.currency('EUR')
            self.no_rates('EUR')
            self.rate('EUR', rate)
            euro.rounding = other
            lines = [
                {'amount_minor': minor, 'account': self.external(account)}
                for minor, account in zip(
                    minors, (self.account_meals, self.account_travel, self.account_software), strict=False
                )
            ]
            quote = {'fx_conversion_rate': f'{1 / rate:.10g}', 'entity': self.primary, 'currency': 'EUR', 'date': DAY}
            spent = self.spend(total, date=NOON, currency='EUR', lines=lines)
            paid = self.ramp.add_transfer(amount_minor=total, currency='EUR', date=NOON)
            owed, half = self.owe(None, lines=lines, **quote), self.owe(None, lines=lines, **quote)
            self.ramp.pay_bill(owed, date='2026-03-20')
            self.ramp.pay_bill(half, amount_minor=minors[0], date='2026-03-20')
            back = self.ramp.add_repayment(transaction=spent, amount_minor=minors[0], date='2026-03-20')
            self.sync('vendor', 'transaction', 'bill', 'bill_payment', 'repayment', 'transfer')
            is_exact = all(Fraction(minor, 100) % Fraction(str(other)) == 0 for minor in minors)
            found = {
                'transaction': (spent, total),
                'transfer': (paid, total),
                'bill': (owed, total),
                'bill_payment': (owed, total),
                'repayment': (back, minors[0]),
            }
            for flow, (ramp_id, minor) in found.items():
                record = self.record(ramp_id, flow)
                if not is_exact:
                    self.assertFalse(record.res_id and flow != 'transfer', flow)
                    if flow in ('transaction', 'bill'):
                        self.assertRegex(record.error_message, 'cannot be posted exactly')
                    continue
                self.assertEqual(record.state, 'confirmed', f'{flow}: {record.error_message}')
                move = (
                    self.payment(owed).move_id
                    if flow == 'bill_payment'
                    else self.env[record.res_model].browse(record.res_id)
                )
                move = move.move_id if move._name == 'account.payment' else move
                debits = move.line_ids.filtered(lambda line: line.amount_currency > 0)
                credits = move.line_ids - debits
                self.assertEqual(
                    Decimal(str(round(sum(debits.mapped('amount_currency')), 4))), Decimal(minor) / 100, flow
                )
                self.assertEqual(round(sum(move.line_ids.mapped('balance')), 4), 0, flow)
                if flow != 'repayment':  # a repayment takes a part of the converted amount
                    self.assertConverted(sum(debits.mapped('balance')), Decimal(minor) / 100, rate, own, flow)
                    self.assertConverted(-sum(credits.mapped('balance')), Decimal(minor) / 100, rate, own, flow)
            if is_exact:
                self.assertEqual(self.move(owed).amount_residual, 0)
                # At one rate there is no difference, except that a bill's lines are rounded one by one and its payment
                # once.
                journal = self.company.currency_exchange_journal_id
                for difference in self.env['account.move'].search([('journal_id', '=', journal.id)]).line_ids:
                    self.assertLessEqual(round(abs(difference.balance), 4), len(minors) * own)
                rest = self.payment(half).move_id.line_ids.filtered(
                    lambda line: line.account_type == 'liability_payable'
                )
                self.assertEqual(round(rest.amount_currency * 100), minors[0])

    def assertConverted(self, amount, euros, rate, rounding, flow):
        """The amount is converted at Odoo's rate and rounded once. A document of several lines is rounded by line, as
        in core.
        """
        unit = Decimal(str(rounding))
        right = (euros / Decimal(str(rate)) / unit).quantize(Decimal(1), ROUND_HALF_UP) * unit
        allowed = 2 * unit if flow.startswith('bill') else Decimal('0.000001')
        self.assertLessEqual(abs(Decimal(str(round(amount, 6))) - right), allowed, flow)

    def test_units(self):
        """An amount survives the conversion to units and back, whatever the rounding factor is."""
        flow, dollar = self.env['ramp.flow.transaction'], self.company.currency_id
        for rounding in ROUNDINGS:
            dollar.rounding = rounding
            for units in (0, 1, -1, 3, 12345, -99999999):
                self.assertEqual(flow._amount_to_units(flow._units_to_amount(units, dollar), dollar), units, rounding)

    def test_floats(self):
        """An amount of Odoo is Ramp's amount, although a float is a little more or less than it says."""
        flow = self.env['ramp.flow.transaction']
        for code, amount, minor in (
            ('USD', 0.29, 29),
            ('USD', -0.29, -29),
            ('USD', 1.15, 115),
            ('USD', 4.35, 435),
            ('KWD', 1.001, 1001),
            ('KWD', 8.203, 8203),
            ('JPY', 150.0, 150),
        ):
            self.assertEqual(flow._float_to_minor(amount, self.currency(code)), minor, (code, amount))

    def test_a_company_of_a_currency_that_iso_does_not_know(self):
        self.company.currency_id = self.env['res.currency'].create({'name': 'XTS', 'symbol': 'x', 'rounding': 0.001})
        self.no_rates('USD')
        self.rate('USD', 0.5)
        ramp_id = self.spend(1001, date=NOON)
        self.sync()
        self.assertEqual(self.move(ramp_id).line_ids.mapped('balance'), [20.02, -20.02])


@tagged('post_install', '-at_install', 'ramp')
class TestRates(CurrencyCase):
    """The choice of the rate."""

    def once(self):
        super().once()
        self.connection.rate_tolerance = 10

    def in_yen(self, quote, **values):
        return self.owe(
            17967600 // 100, currency='JPY', entity=self.primary, date=DAY, fx_conversion_rate=quote, **values
        )

    def test_a_rate_of_one(self):
        ramp_id = self.in_yen('1.0')
        self.sync_payables()
        record = self.record(ramp_id, 'bill')
        self.assertEqual((record.state, bool(record.res_id)), ('held', False))
        self.assertRegex(
            record.error_message,
            r'Ramp converts JPY at 1 USD, but Odoo at 0.00666667 on 2026-03-02. They differ by 1.49e\+04 %',
        )
        self.ramp.state['bills'].update_row(ramp_id, fx_conversion_rate='0.00671')
        self.sync_payables()
        self.assertBooked(ramp_id)
        self.assertAlmostEqual(sum(self.move(ramp_id).line_ids.filtered('debit').mapped('balance')), 1205.63, 2)

    @in_turn
    def test_the_boundary(self):
        for quote, is_held in (('1.375', False), ('1.125', False), ('1.3751', True), ('1.1249', True)):
            with self.subTest(quote=quote), self.isolated():
                ramp_id = self.owe(10000, currency='EUR', entity=self.primary, date=DAY, fx_conversion_rate=quote)
                self.sync_payables()
                self.assertEqual(self.record(ramp_id, 'bill').state, 'held' if is_held else 'confirmed')
        with self.assertRaisesRegex(ValidationError, 'Rates May Differ By'):
            self.connection.rate_tolerance = -1

    def test_of_what_left_the_bank(self):
        """The rate that a payment implies is checked, too."""
        ramp_id = self.owe(10000, currency='EUR', entity=self.primary, date=DAY, fx_conversion_rate='1.25')
        self.ramp.pay_bill(ramp_id, date='2026-03-20', settled_minor=10000)
        self.sync_payables()
        self.assertBooked(ramp_id)
        self.assertRegex(
            self.record(ramp_id, 'bill_payment').error_message, 'Ramp converts EUR at 1 USD, but Odoo at 1.25'
        )
        self.assertFalse(self.payment(ramp_id))

    def test_without_a_rate_in_odoo(self):
        self.no_rates('EUR')
        quoted, of_one = (
            self.owe(10000, currency='EUR', entity=self.primary, date=DAY, fx_conversion_rate=quote)
            for quote in ('1.25', '1.0')
        )
        self.sync_payables()
        self.assertBooked(quoted)
        self.assertRegex(
            self.record(of_one, 'bill').error_message, 'Odoo has no rate for 2026-03-02 to compare it with'
        )

    @in_turn
    def test_before_the_first_rate(self):
        """Nothing is converted before a currency's first rate, which may be years later."""
        self.no_rates('EUR')
        self.rate('EUR', 0.5, '2026-03-03')
        entity = {'entity': self.primary, 'currency': 'EUR'}
        abroad = self.ramp.state['entities'].find_first_row(currency='EUR')['id']
        ids = {}
        for day in (DAY, '2026-03-03'):
            vendor = self.ramp.add_vendor(f'Of {day}')
            noon = f'{day}T12:00:00+00:00'
            ids[day] = {
                'transaction': self.spend(1000, currency='EUR', date=noon),
                'transfer': self.ramp.add_transfer(amount_minor=1000, currency='EUR', date=noon),
                'vendor_credit': self.ramp.add_vendor_credit(
                    vendor=vendor,
                    amount_minor=1000,
                    currency='EUR',
                    date=day,
                    account=self.external(self.account_meals),
                ),
                'reimbursement': self.ramp.add_reimbursement(
                    amount_minor=1000,
                    user=self.user_id,
                    date=day,
                    state='REIMBURSED',
                    account=self.external(self.account_meals),
                    entity=abroad,
                    currency='EUR',
                ),
            }
        self.connection.bill_rate_policy = 'odoo'
        for day in ids:
            ids[day]['bill'] = self.owe(1000, date=day, fx_conversion_rate='2.0', **entity)
        self.everything()
        for flow, ramp_id in ids[DAY].items():
            record = self.record(ramp_id, flow)
            self.assertEqual((record.state, bool(record.res_id)), ('held', False), flow)
            self.assertRegex(
                record.error_message, 'no exchange rate for EUR on 2026-03-02: the first rate is dated 2026-03-03', flow
            )
        for flow, ramp_id in ids['2026-03-03'].items():
            record = self.record(ramp_id, flow)
            self.assertEqual(record.state, 'confirmed', f'{flow}: {record.error_message}')

    def test_odoos_rate_by_choice(self):
        """By choice a bill has Odoo's rate. The amount that Ramp paid then leaves an exchange difference."""
        self.connection.bill_rate_policy = 'odoo'
        ramp_id = self.owe(10000, currency='EUR', entity=self.primary, date=DAY, fx_conversion_rate='1.2')
        self.ramp.pay_bill(ramp_id, date='2026-03-20', settled_minor=12000)
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.assertEqual(sum(self.move(ramp_id).line_ids.filtered('debit').mapped('balance')), 125.0)
        self.assertEqual(sum(self.payment(ramp_id).move_id.line_ids.filtered('debit').mapped('balance')), 120.0)
        journal = self.company.currency_exchange_journal_id
        [difference] = self.env['account.move'].search([('journal_id', '=', journal.id)])
        self.assertEqual(sorted(difference.line_ids.mapped('balance')), [-5.0, 5.0])
