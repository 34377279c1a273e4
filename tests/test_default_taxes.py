# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Default taxes where Ramp has no tax code, and taxes that are only partly deductible. Core's own bill is the
reference.
"""

from odoo import Command
from odoo.tests import tagged

from ..simulator import coding
from .properties import in_turn
from .test_taxes import DAY, TaxCase


class DefaultTaxCase(TaxCase):
    def once(self):
        super().once()
        self.vendor = self.ramp.add_vendor('Paper & Sons')
        self.sync('vendor')
        self.partner = self.env['res.partner'].search([('name', '=', 'Paper & Sons')])

    def halves(self, *shares):
        """Return the distribution of a tax: [(percent, account or none)]; a part without an account is a cost."""
        return [
            Command.create({'repartition_type': 'base'}),
            *(
                Command.create(
                    {'repartition_type': 'tax', 'factor_percent': percent, 'account_id': account and account.id}
                )
                for percent, account in shares
            ),
        ]

    def shared_tax(self, name, amount, *shares):
        return self.tax(
            name,
            amount,
            invoice_repartition_line_ids=self.halves(*shares),
            refund_repartition_line_ids=self.halves(*shares),
        )

    def core_bill(self, price, partner=None, **line):
        return self.env['account.move'].create(
            {
                'move_type': 'in_invoice',
                'invoice_date': DAY,
                'partner_id': (partner or self.partner).id,
                'company_id': self.company.id,
                'journal_id': self.connection.bill_journal_id.id,
                'invoice_line_ids': [
                    Command.create({'price_unit': price, 'account_id': self.account_meals.id, **line})
                ],
            }
        )

    def figures(self, lines):
        """Return amounts by account, with taxes and analytics, whoever made the lines."""
        return sorted(
            (
                line.account_id.code,
                round(line.balance, 2),
                line.tax_ids.ids,
                line.tax_line_id.id,
                line.analytic_distribution or {},
            )
            for line in lines
            if line.account_type not in ('liability_payable', 'liability_credit_card')
        )

    def bill(self, minor, **values):
        line = {'amount_minor': minor, 'account': self.external(self.account_meals), **values}
        ramp_id = self.owe(None, date=DAY, vendor=self.vendor, lines=[line])
        self.sync_payables()
        self.assertBooked(ramp_id)
        self.assertEqual(round(self.move(ramp_id).amount_total * 100), minor)
        return self.move(ramp_id)

    def charge_one(self, minor, tax=None, analytics=()):
        """Add a transaction of one line; returns its Ramp id."""
        state = self.ramp.state
        return self.spend(
            minor,
            date=f'{DAY}T12:00:00+00:00',
            lines=[
                {
                    'amount_minor': minor,
                    'selections': [
                        coding.select_gl_account(state, self.external(self.account_meals)),
                        *([coding.select_tax_code(state, tax)] if tax else []),
                        *(coding.select_field_option(state, *names) for names in dict(analytics).items()),
                    ],
                }
            ],
        )

    def charged(self, minor, **values):
        spent = self.charge_one(minor, **values)
        self.sync('transaction')
        self.assertCharged(spent, minor, 'USD')
        return self.move(spent)


@tagged('post_install', '-at_install', 'ramp')
class TestDefaultTaxes(DefaultTaxCase):
    def once(self):
        super().once()
        self.account_meals.tax_ids = self.taxes[20]

    def test_by_policy(self):
        """Without the policy no tax is added. With it, bills and card spend are taxed as core taxes a bill of the same
        total.
        """
        self.assertFalse(self.bill(12000).invoice_line_ids.tax_ids)
        self.connection.tax_policy = 'default'
        core = self.core_bill(100.0)
        self.assertEqual(core.invoice_line_ids.tax_ids, self.taxes[20])
        self.assertEqual(self.figures(self.bill(12000).line_ids), self.figures(core.line_ids))
        self.assertEqual(self.figures(self.charged(12000).line_ids), self.figures(core.line_ids))

    @in_turn
    def test_a_tax_code_comes_first(self):
        self.connection.tax_policy = 'default'
        self.assertEqual(self.bill(10700, tax=self.code(7)).invoice_line_ids.tax_ids, self.taxes[7])
        self.assertEqual(self.charged(10700, tax=self.code(7)).line_ids.tax_ids, self.taxes[7])

    @in_turn
    def test_fiscal_position_of_the_vendor(self):
        """The vendor's fiscal position maps the default tax to another one or to none, as in core. Other vendors are
        not affected.
        """
        self.connection.tax_policy = 'default'
        position = self.env['account.fiscal.position'].create({'name': 'Abroad', 'company_id': self.company.id})
        self.taxes[5].write(
            {'fiscal_position_ids': [Command.link(position.id)], 'original_tax_ids': [Command.link(self.taxes[20].id)]}
        )
        self.partner.with_company(self.company).property_account_position_id = position
        core = self.core_bill(100.0)
        self.assertEqual(core.invoice_line_ids.tax_ids, self.taxes[5])
        self.assertEqual(self.figures(self.bill(10500).line_ids), self.figures(core.line_ids))
        self.assertEqual(self.charged(12000).line_ids.tax_ids, self.taxes[20])
        position = self.env['account.fiscal.position'].create({'name': 'Without', 'company_id': self.company.id})
        self.partner.with_company(self.company).property_account_position_id = position
        self.assertFalse(self.core_bill(100.0).invoice_line_ids.tax_ids)
        self.assertFalse(self.bill(10500).invoice_line_ids.tax_ids)

    def test_only_purchase_taxes_that_are_in_use(self):
        self.connection.tax_policy = 'default'
        self.account_meals.tax_ids = (
            self.taxes[20] + self.tax('Sale', 10, type_tax_use='sale') + self.tax('Old', 3, active=False)
        )
        self.assertEqual(self.core_bill(100.0).invoice_line_ids.tax_ids, self.taxes[20])
        self.assertEqual(self.bill(12000).invoice_line_ids.tax_ids, self.taxes[20])

    @in_turn
    def test_several_of_them(self):
        self.connection.tax_policy = 'default'
        self.account_meals.tax_ids = self.taxes[5] + self.taxes[20]
        core = self.core_bill(100.0)
        self.assertEqual(core.amount_total, 125.0)
        self.assertEqual(self.figures(self.bill(12500).line_ids), self.figures(core.line_ids))
        self.assertEqual(self.figures(self.charged(12500).line_ids), self.figures(core.line_ids))

    def test_closed_tax_period(self):
        """A line with a default tax belongs to the tax report, so a closed tax period puts it on hold."""
        self.connection.tax_policy = 'default'
        self.company.tax_lock_date = '2026-03-31'
        spent = self.spend(500, date=f'{DAY}T12:00:00+00:00')
        self.sync('transaction')
        self.assertHeld(spent, 'accounting period is closed')


@tagged('post_install', '-at_install', 'ramp')
class TestNonDeductibleTaxes(DefaultTaxCase):
    def once(self):
        super().once()
        self.deducted = self.env['account.account'].create(
            {
                'name': 'Input tax',
                'code': '130099',
                'account_type': 'asset_current',
                'company_ids': [Command.set(self.company.ids)],
            }
        )
        self.taxes['half'] = self.shared_tax('Half', 20, (50, self.deducted), (50, None))
        self.taxes['cost'] = self.shared_tax('All of it', 20, (100, None))
        self.sync('account', 'tax_rate', 'tax_code')
        self.europe = {'analytics': self.analytics(self.analytic_europe)}

    def test_offered(self):
        """A tax that is a part of the cost has no account, and is offered all the same, with another account for its
        rate.
        """
        for kind in ('half', 'cost'):
            for flow in ('tax_rate', 'tax_code'):
                row = self.env['ramp.record'].search([('flow', '=', flow), ('res_id', '=', self.taxes[kind].id)])
                self.assertEqual(row.state, 'confirmed', row.error_message)

    @in_turn
    def test_booked_as_core_does(self):
        """The part that is not deductible is on the line's account, with its analytics, as in core. The total is
        Ramp's.
        """
        for kind, tax_on_meals in (('half', 10.0), ('cost', 20.0)):
            with self.subTest(kind=kind):
                core = self.core_bill(
                    100.0,
                    tax_ids=[Command.set(self.taxes[kind].ids)],
                    analytic_distribution={str(self.analytic_europe.id): 100},
                )
                cost = core.line_ids.filtered(lambda line: line.tax_line_id and line.account_id == self.account_meals)
                self.assertEqual(
                    (cost.balance, cost.analytic_distribution), (tax_on_meals, {str(self.analytic_europe.id): 100})
                )
                for move in (
                    self.bill(12000, tax=self.code(kind), **self.europe),
                    self.charged(12000, tax=self.code(kind), **self.europe),
                ):
                    self.assertEqual(self.figures(move.line_ids), self.figures(core.line_ids))

    @in_turn
    def test_amounts_that_do_not_divide(self):
        for minor in (1, 3, 9999, 12345, 777):
            for kind in ('half', 'cost'):
                with self.subTest(minor=minor, kind=kind):
                    self.charged(minor, tax=self.code(kind))
                    if minor > 5:
                        self.bill(minor, tax=self.code(kind))

    def test_refund(self):
        move = self.charged(-12000, tax=self.code('half'), **self.europe)
        lines = move.line_ids.filtered(lambda line: line.account_type != 'liability_credit_card')
        self.assertEqual(sorted(lines.mapped('balance')), [-100.0, -10.0, -10.0])

    def test_given_back(self):
        """A repayment takes back each part of the tax, also the cost."""
        spent = self.charge_one(12000, tax=self.code('half'))
        back = self.ramp.add_repayment(transaction=spent, amount_minor=12000, date='2026-03-20')
        for _time in range(2):
            self.sync('transaction', 'repayment')
        self.assertEqual(
            self.record(back, 'repayment').state, 'confirmed', self.record(back, 'repayment').error_message
        )
        for account in (self.account_meals, self.deducted):
            lines = (self.move(spent) + self.move(back)).line_ids.filtered(
                lambda line, account=account: line.account_id == account
            )
            self.assertEqual((len(lines) > 1, round(sum(lines.mapped('balance')), 2)), (True, 0))
