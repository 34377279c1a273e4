# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import Counter

from odoo.tests import tagged

from .common import PayablesCase
from .properties import in_turn, rotated
from .test_query_counts import PHASES, TRIES, QueryCounting

FEW, MANY = 3, 12  # bills; both fit on one page and into one batch
MOST = 380  # queries of the two jobs, however many bills they post
NEXT_TO_NOTHING = 0.2  # the same statements write one more row; the ORM splits the longest of them

KINDS = (
    'bills_of_one_vendor',
    'what_odoo_adds_and_demands',
    'lines_with_analytics',
    'bills_with_taxes',
    'foreign_bills',
    'foreign_bills_at_odoos_rate',
    'differences_of_rates',
    'a_vendor_for_each_bill',
)


@tagged('post_install', '-at_install', 'ramp', 'is_query_count')
class TestQueryCountsPayables(QueryCounting, PayablesCase):
    def setUp(self):
        super().setUp()
        for flow in ('bill', 'bill_payment'):
            self.count_phases(flow, flow)
        self.vendors = [self.ramp.add_vendor(f'Supplier {number}', country='US') for number in range(MANY)]

    def queries(self, count, vendors=1, paid_at=None, **values):
        """Return the queries of each phase when so many bills, each paid by its own transfer, are posted, paid and
        confirmed.

        :param paid_at: the rate at which they are paid, after they were posted
        """
        bills = [
            self.owe(1000, vendor=self.vendors[number % vendors], date='2026-03-04', **values)
            for number in range(count)
        ]
        self.sync('vendor')
        if paid_at:
            self.sync('bill', now=False)
        for ramp_id in bills:
            self.ramp.pay_bill(ramp_id, date='2026-03-20', fx_conversion_rate=paid_at)
        self.counts.clear()
        for flow in ('bill', 'bill_payment'):
            with self.counting('run'):
                self.sync(flow, now=False)
        for flow in ('bill', 'bill_payment'):
            self.assertEqual(
                self.env['ramp.record'].search_count(
                    [('flow', '=', flow), ('ramp_id', 'in', bills), ('state', '=', 'confirmed')]
                ),
                count,
            )
        return Counter(self.counts)

    def assertFlat(self, booked=NEXT_TO_NOTHING, paid=NEXT_TO_NOTHING, most=MOST, **values):
        """One more bill costs no query for the ledger and the confirmation, and at most so many to post and to pay it."""
        each = self.each(FEW, MANY, **values)
        for phase in PHASES:
            book = phase == '_book_batch'
            self.assertLessEqual(each.get(f'bill{phase}', 0), booked if book else 0, phase)
            self.assertLessEqual(each.get(f'bill_payment{phase}', 0), paid if book else 0, phase)
        self.assertLessEqual(each['run'], booked + paid)
        for count, total in self.totals.items():
            self.assertLess(total['run'] - (booked + paid) * count, most)

    def check_bills_of_one_vendor(self):
        self.assertFlat()

    def check_what_odoo_adds_and_demands(self):
        """Default taxes, distribution models and mandatory plans are looked up once for all bills of a vendor with an
        account.
        """
        self.connection.write({'analytic_policy': 'models', 'tax_policy': 'default'})
        self.account_meals.tax_ids = self.env['account.tax'].search(
            [('company_id', '=', self.company.id), ('type_tax_use', '=', 'purchase')], limit=1
        )
        self.plan.default_applicability = 'mandatory'
        self.env['account.analytic.distribution.model'].create(
            {
                'account_prefix': self.account_meals.code,
                'company_id': self.company.id,
                'analytic_distribution': {str(self.analytic_move.id): 100},
            }
        )
        # A bill has more rows: tax and analytic items, which the ORM writes some at a time. A batch makes more queries,
        # once.
        self.assertFlat(
            booked=0.3,
            most=MOST + 20,
            lines=[{'amount_minor': minor, 'account': self.external(self.account_meals)} for minor in (400, 600)],
        )
        self.assertTrue(
            self.env['account.move.line'].search_count([('tax_ids', 'in', self.account_meals.tax_ids.ids)], limit=1)
        )

    def check_lines_with_analytics(self):
        self.assertFlat(
            lines=[
                {
                    'amount_minor': 400,
                    'account': self.external(self.account_meals),
                    'analytics': self.analytics(self.analytic_move),
                },
                {
                    'amount_minor': 600,
                    'account': self.external(self.account_travel),
                    'analytics': self.analytics(self.analytic_fair, self.analytic_europe),
                },
            ]
        )

    def check_bills_with_taxes(self):
        tax = self.env['account.tax'].create(
            {'name': 'Input', 'amount': 10, 'type_tax_use': 'purchase', 'company_id': self.company.id}
        )
        self.connection.offer_taxes = True
        self.sync('account', 'tax_rate', 'tax_code')
        code = self.env['ramp.record'].search([('flow', '=', 'tax_code'), ('res_id', '=', tax.id)]).remote_id
        self.assertFlat(lines=[{'amount_minor': 1000, 'account': self.external(self.account_meals), 'tax': code}])

    def check_foreign_bills(self):
        self.assertFlat(currency='EUR', fx_conversion_rate='1.25')

    def check_foreign_bills_at_odoos_rate(self):
        """For bills of an entity that pays in its own currency, Odoo's rate of a day is looked up once."""
        self.assertFlat(currency='EUR', entity=self.ramp.state['entities'].find_first_row(currency='EUR')['id'])

    def check_differences_of_rates(self):
        """Core posts each exchange difference in an entry of its own."""
        self.assertFlat(paid=3.5, currency='EUR', fx_conversion_rate='1.25', paid_at='1.5')
        self.assertEqual(
            self.env['account.move'].search_count([('journal_id', '=', self.company.currency_exchange_journal_id.id)]),
            FEW + MANY + 2 * (TRIES - 1),
        )

    def check_a_vendor_for_each_bill(self):
        """Core looks up the fiscal position of each vendor."""
        self.assertFlat(booked=1 + NEXT_TO_NOTHING, vendors=MANY)

    @in_turn
    def test_bills_and_payments(self):
        """The cost of each kind of bill is flat. In a commit, two of the kinds are tested."""
        for kind in rotated(KINDS, of=4):
            with self.subTest(kind=kind), self.isolated():
                getattr(self, f'check_{kind}')()
