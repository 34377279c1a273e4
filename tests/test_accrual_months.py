# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Whatever waits for however long: with the accruals, the books have at each month-end what Ramp has, and nothing twice."""

from collections import defaultdict

from hypothesis import example, given
from hypothesis import strategies as st

from odoo import fields
from odoo.tests import tagged

from ..ramp_api.money import find_currency_exponent
from .common import RampCase
from .properties import examples

RATES = {'USD': 1.0, 'EUR': 0.8, 'JPY': 149.37, 'KWD': 0.3071}
MONTHS = ('2026-05', '2026-06', '2026-07')
spends = st.tuples(
    st.sampled_from(sorted(RATES)),
    st.integers(-99999, 99999).filter(bool),
    st.integers(0, 2),  # month
    st.integers(0, 4),  # months that it waits
)


@tagged('post_install', '-at_install', 'ramp')
class TestAccrualMonths(RampCase):
    @classmethod
    def prepare(cls):
        super().prepare()
        for code, rate in RATES.items():
            currency = cls.env['res.currency'].with_context(active_test=False).search([('name', '=', code)])
            currency.active = True
            cls.env['res.currency.rate'].search(
                [('currency_id', '=', currency.id), ('company_id', 'in', (False, cls.company.id))]
            ).unlink()
            cls.env['res.currency.rate'].create(
                [
                    {'currency_id': currency.id, 'name': day, 'rate': rate * factor, 'company_id': cls.company.id}
                    # Another rate on each last day, so that a reversal at the rate of its own day would leave something
                    for day, factor in (
                        ('2015-01-01', 1),
                        ('2026-05-31', 1.01),
                        ('2026-06-01', 0.97),
                        ('2026-07-31', 1.1),
                    )
                ]
            )

    def once(self):
        super().once()
        self.connection.start_date = '2026-05-01'
        self.liability = self.env['account.account'].create(
            {
                'name': 'Accrued Expenses',
                'code': '201900',
                'account_type': 'liability_current',
                'company_ids': [(6, 0, self.company.ids)],
            }
        )

    def test_cheap(self):
        """One object that waits for a month."""
        self.check('USD', [('USD', 700, 0, 1)])

    @examples(4)
    @given(own=st.sampled_from(('USD', 'KWD', 'JPY')), spent=st.lists(spends, min_size=1, max_size=6))
    @example(own='JPY', spent=[('KWD', 1, 0, 2), ('USD', 33333, 0, 3), ('USD', -33333, 1, 1), ('JPY', 5, 2, 4)])
    @example(own='KWD', spent=[('EUR', 10000, 0, 0), ('EUR', 1, 0, 1), ('JPY', 99999, 1, 2)])
    def test_each_month_end(self, own, spent):
        with self.isolated():
            self.company.currency_id = self.env['res.currency'].search([('name', '=', own)])
            self.check(own, spent)

    def check(self, own, spent):
        rows, Accrual = [], self.env['ramp.accrual']
        accrued = defaultdict(int)
        for number, month in enumerate(MONTHS):
            for code, minor, begun, waits in spent:
                if begun == number:
                    coding = {'account': None} if waits else {}
                    ramp_id = self.spend(minor, currency=code, date=f'{month}-12T12:00:00+00:00', **coding)
                    rows.append((ramp_id, code, minor, begun, waits))
            self.sync('transaction')
            accrual = Accrual.browse(Accrual.open_month(self.connection.id, month).get('res_id'))
            accrual.write({'liability_account_id': self.liability.id, 'expense_account_id': self.account_software.id})
            if accrual.line_ids:
                accrual.action_post()
            for line in accrual.line_ids:
                accrued[line.record_id.ramp_id] += 1
            for ramp_id, _code, _minor, begun, waits in rows:
                if waits and begun + waits - 1 == number:
                    self.ramp.recode_transaction(ramp_id, self.external(self.account_meals))
            self.sync('transaction')
            self.check_month_end(rows, number, month)
        # Nothing that came later changed an earlier month
        for number, month in enumerate(MONTHS):
            self.check_month_end(rows, number, month)
        for ramp_id, _code, _minor, begun, waits in rows:
            self.assertEqual(accrued[ramp_id], min(waits, len(MONTHS) - begun))
            self.assertEqual(bool(self.move(ramp_id)), begun + waits <= len(MONTHS))
        for line in (
            self.env['account.move.line'].search([('account_id', '=', self.liability.id)]).grouped('currency_id')
        ):
            self.assertEqual(self.minor_of(self.liability, line.name), 0)
        self.assertEqual(self.balance_of(self.liability), 0)
        report = self.env['report.ramp_connector.tie_out'].get_report(self.connection.id, MONTHS[-1], MONTHS[-1])
        for section in report['sections']:
            self.assertTrue(section['summary']['is_green'], section['summary'])

    def check_month_end(self, rows, number, month):
        last = fields.Date.end_of(fields.Date.to_date(f'{month}-01'), 'month')
        expenses = self.account_meals + self.account_software
        for code in RATES:
            owed = sum(minor for _id, currency, minor, begun, _waits in rows if currency == code and begun <= number)
            with self.subTest(month=month, currency=code):
                self.assertEqual(-self.minor_of(self.connection.card_account_id + self.liability, code, last), owed)
                self.assertEqual(self.minor_of(expenses, code, last), owed)

    def posted_lines(self, accounts, last=None):
        domain = [('account_id', 'in', accounts.ids), ('parent_state', '=', 'posted')]
        return self.env['account.move.line'].search(domain + ([('date', '<=', last)] if last else []))

    def minor_of(self, accounts, code, last=None):
        lines = self.posted_lines(accounts, last).filtered(lambda line: line.currency_id.name == code)
        return round(sum(lines.mapped('amount_currency')) * 10 ** find_currency_exponent(code))

    def balance_of(self, account):
        return self.company.currency_id.round(sum(self.posted_lines(account).mapped('balance'))) + 0.0
