# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""An expense of card spend equals its entry, and nothing is counted twice."""

import math

from odoo import Command
from odoo.tests import tagged

from ..simulator import coding
from .common import PayablesCase, RampCase
from .properties import in_turn


class CardBooksCase(RampCase):
    def once(self):
        super().once()
        self.connection.offer_taxes = True
        parts = [
            Command.create({'repartition_type': 'base'}),
            Command.create(
                {
                    'repartition_type': 'tax',
                    'account_id': self.env['account.account']
                    .create(
                        {
                            'name': 'Input tax',
                            'code': '150019',
                            'account_type': 'asset_current',
                            'company_ids': self.company.ids,
                        }
                    )
                    .id,
                }
            ),
        ]
        self.tax, self.lost_tax = self.env['account.tax'].create(
            [
                {
                    'name': name,
                    'amount': 19,
                    'amount_type': 'percent',
                    'type_tax_use': 'purchase',
                    'company_id': self.company.id,
                    'country_id': self.company.account_fiscal_country_id.id,
                    **values,
                }
                for name, values in (
                    ('VAT 19', {'invoice_repartition_line_ids': parts, 'refund_repartition_line_ids': [*parts]}),
                    ('Not deductible 19', {}),
                )
            ]
        )
        self.vendor, self.other_vendor = self.env['res.partner'].create(
            [{'name': name, 'supplier_rank': 1, 'company_id': self.company.id} for name in ('Acme Air', 'Borealis')]
        )
        self.sync('account', 'analytic_plan', 'analytic_account', 'tax_rate', 'tax_code', 'accounting_vendor')

    def pick(self, account, *records):
        """Return the selections of a line, as people make them in Ramp."""
        picked = [coding.select_gl_account(self.ramp.state, self.external(account))]
        for record in records:
            kind = {'account.tax': 'tax_code', 'res.partner': 'accounting_vendor'}.get(record._name)
            if not kind:
                picked.append(
                    coding.select_field_option(
                        self.ramp.state, self.external(record.root_plan_id), self.external(record)
                    )
                )
                continue
            row = self.env['ramp.record'].search([('flow', '=', kind), ('res_id', '=', record.id)], limit=1)
            picked.append(
                coding.select_tax_code(self.ramp.state, row.remote_id)
                if kind == 'tax_code'
                else coding.select_accounting_vendor(self.ramp.state, row.remote_id)
            )
        return picked

    def split(self, *parts, **values):
        """Add a transaction of lines (minor units, account, other selections)."""
        return self.spend(
            sum(part[0] for part in parts),
            lines=[
                {'amount_minor': minor, 'selections': self.pick(account, *records)}
                for minor, account, *records in parts
            ],
            **values,
        )

    def partners(self, ramp_id):
        return [line.partner_id for line in self.move(ramp_id).line_ids.sorted('id')]


@tagged('post_install', '-at_install', 'ramp')
class TestExpenseEqualsEntry(CardBooksCase):
    def assertEqualsEntry(self, ramp_id):
        """The totals of the expense are the sums of the lines of its entry."""
        expense = self.expense(ramp_id)
        lines = expense.account_move_id.line_ids.filtered(
            lambda line: line.account_id != self.connection.card_account_id
        )
        taxes = lines.filtered('tax_line_id')
        for names, of in (
            (('tax_amount_currency', 'tax_amount'), taxes),
            (('untaxed_amount_currency', 'untaxed_amount'), lines - taxes),
            (('total_amount_currency', 'total_amount'), lines),
        ):
            for name, key in zip(names, ('amount_currency', 'balance'), strict=True):
                self.assertAlmostEqual(expense[name], sum(of.mapped(key)), msg=name)
        costs = abs(sum(lines.filtered(lambda line: line.account_id in (lines - taxes).account_id).mapped('balance')))
        for analytic in lines.distribution_analytic_account_ids:
            booked = -sum(
                self.env['account.analytic.line']
                .search([('move_line_id', 'in', lines.ids), (analytic.root_plan_id._column_name(), '=', analytic.id)])
                .mapped('amount')
            )
            shares = sum(
                share for key, share in expense.analytic_distribution.items() if str(analytic.id) in key.split(',')
            )
            self.assertAlmostEqual(
                math.copysign(costs, expense.total_amount) * shares / 100, booked, delta=0.0001 * costs + 0.011
            )

    def core(self, ramp_id):
        """Make core's own expense for the same spend: created, approved and posted as people do."""
        ours = self.expense(ramp_id)
        expense = self.env['hr.expense'].create(
            {
                'name': ours.name,
                'employee_id': ours.employee_id.id,
                'company_id': self.company.id,
                'product_id': ours.product_id.id,
                'payment_mode': 'company_account',
                'payment_method_line_id': ours.payment_method_line_id.id,
                'date': ours.date,
                'currency_id': ours.currency_id.id,
                'total_amount_currency': ours.total_amount_currency,
                'vendor_id': ours.vendor_id.id,
                'tax_ids': [Command.set(ours.tax_ids.ids)],
                'account_id': ours.account_id.id,
                'analytic_distribution': ours.account_move_id.line_ids.sorted('id')[0].analytic_distribution,
            }
        )
        expense.action_submit()
        if expense.state == 'submitted':
            expense.action_approve()
        expense.action_post()
        return expense

    @in_turn
    def test_as_core_does(self):
        self.connection.card_journal_id.outbound_payment_method_line_ids.payment_account_id = (
            self.connection.card_account_id
        )
        for tax, values in (
            (self.tax, {}),
            (self.tax, {'currency': 'EUR'}),
            (self.lost_tax, {}),
            (self.lost_tax, {'currency': 'EUR'}),
        ):
            with self.subTest(values, tax=tax.name):
                ramp_id = self.split((9999, self.account_meals, tax, self.analytic_fair), **values)
                self.sync('transaction')
                ours, core = self.expense(ramp_id), self.core(ramp_id)
                self.assertEqual(self.record(ramp_id).state, 'confirmed')
                for name in (
                    'untaxed_amount_currency',
                    'tax_amount_currency',
                    'total_amount_currency',
                    'untaxed_amount',
                    'tax_amount',
                    'total_amount',
                    'analytic_distribution',
                    'state',
                    'account_id',
                    'tax_ids',
                    'vendor_id',
                ):
                    self.assertEqual(ours[name], core[name], name)

                def entry(move):
                    return sorted(
                        (
                            line.account_id.code,
                            line.balance,
                            line.amount_currency,
                            line.tax_line_id.id or 0,
                            line.partner_id.id,
                        )
                        for line in move.line_ids
                    )

                self.assertEqual(entry(self.move(ramp_id)), entry(core.account_move_id))
                self.assertEqualsEntry(ramp_id)

    def test_split_with_one_tax_on_some_lines(self):
        for tax, values in ((self.tax, {}), (self.tax, {'currency': 'EUR'}), (self.lost_tax, {'currency': 'KWD'})):
            ramp_id = self.split(
                (11900, self.account_meals, tax, self.analytic_fair),
                (5001, self.account_travel, self.analytic_europe),
                **values,
            )
            self.sync('transaction')
            expense = self.expense(ramp_id)
            self.assertFalse(expense.tax_ids or expense.account_id)
            self.assertTrue(expense.tax_amount)
            self.assertEqualsEntry(ramp_id)
            self.assertEqual(sum(expense.analytic_distribution.values()), 100)

    def test_same_tax_on_all_lines(self):
        """The expense has the sum of the taxes of its lines, and not the tax of the total, as core would compute it."""
        ramp_id = self.split(*[(103, self.account_meals, self.tax)] * 3)
        self.sync()
        expense = self.expense(ramp_id)
        self.assertEqual((expense.tax_ids, expense.account_id), (self.tax, self.account_meals))
        self.assertEqual(expense.tax_amount, 0.48)
        self.assertEqualsEntry(ramp_id)

    def test_mixture_of_analytics(self):
        ramp_id = self.split(
            (3333, self.account_meals, self.analytic_move, self.analytic_europe),
            (3333, self.account_travel, self.analytic_fair),
            (3333, self.account_travel, self.analytic_europe),
            (1, self.account_software, self.analytic_fair),
        )
        partly = self.split((7500, self.account_meals, self.analytic_fair), (2500, self.account_travel))
        back = self.split(
            (-7500, self.account_meals, self.analytic_fair), (2500, self.account_travel, self.analytic_europe)
        )
        nothing = self.split(
            (500, self.account_meals, self.analytic_fair), (-500, self.account_travel, self.analytic_europe)
        )
        self.sync()
        both = ','.join(str(identity) for identity in sorted((self.analytic_move + self.analytic_europe).ids))
        fair, europe = str(self.analytic_fair.id), str(self.analytic_europe.id)
        self.assertEqual(self.expense(ramp_id).analytic_distribution, {both: 33.33, fair: 33.34, europe: 33.33})
        self.assertEqual(self.expense(partly).analytic_distribution, {fair: 75})
        self.assertEqual(self.expense(back).analytic_distribution, {fair: 150, europe: -50})
        self.assertFalse(self.expense(nothing).analytic_distribution)
        for one in (ramp_id, partly, back):
            self.assertEqualsEntry(one)

    def test_state_follows_the_entry(self):
        self.connection.card_post = 'draft'
        ramp_id = self.split((11900, self.account_meals, self.tax))
        self.sync()
        expense, move = self.expense(ramp_id), self.move(ramp_id)
        self.assertEqual((move.state, expense.state), ('draft', 'approved'))
        self.assertTrue(expense.is_editable)  # the connector can edit it
        self.assertFalse(expense.with_user(self.env.ref('base.user_admin')).is_editable)
        move.action_post()
        self.assertEqual(expense.state, 'paid')
        move.button_draft()
        self.assertEqual(expense.state, 'approved')
        move.unlink()
        self.assertEqual(expense.state, 'refused', 'it is in the books no more')
        self.connection.card_post = 'post'
        self.record(ramp_id).action_retry()
        self.sync()
        self.assertEqual(self.expense(ramp_id), expense)
        self.assertEqual((expense.state, expense.approval_state), ('paid', 'approved'))
        self.assertEqualsEntry(ramp_id)

    def test_booked_again_in_another_currency(self):
        """An expense that is posted again has the amounts of its entry, although core would convert the total at its
        own rate.
        """
        ramp_id = self.split((11900, self.account_meals, self.tax), currency='EUR', date='2026-03-02T12:00:00+00:00')
        self.sync()
        self.move(ramp_id).button_draft()
        self.move(ramp_id).unlink()
        self.company.hard_lock_date = '2026-03-31'
        self.connection.lock_date_policy = 'next_open'
        self.env['res.currency.rate'].search([('currency_id.name', '=', 'EUR'), ('name', '=', '2026-04-01')]).unlink()
        self.env['res.currency.rate'].create(
            {
                'currency_id': self.env.ref('base.EUR').id,
                'name': '2026-04-01',
                'rate': 0.5,
                'company_id': self.company.id,
            }
        )
        self.record(ramp_id).action_retry()
        self.sync()
        self.assertEqual(str(self.move(ramp_id).date), '2026-04-01')
        self.assertEqualsEntry(ramp_id)

    def test_undone_counts_no_more(self):
        ramp_id = self.spend()
        self.sync()
        self.assertFalse(self.expense(ramp_id).message_ids.tracking_value_ids, 'nobody is told what nobody did')
        move = self.move(ramp_id)
        move._reverse_moves([{'date': move.date}], cancel=True)
        self.assertEqual(self.expense(ramp_id).state, 'refused')


@tagged('post_install', '-at_install', 'ramp')
class TestNotCountedTwice(PayablesCase, CardBooksCase):
    flows = ('vendor', 'transaction', 'vendor_credit', 'bill', 'bill_payment', 'repayment')

    def once(self):
        super().once()
        self.connection.payment_journal_id = self.env['account.journal'].search(
            [('company_id', '=', self.company.id), ('type', '=', 'bank')], limit=1
        )

    def analysis(self):
        """Return the total of Expenses Analysis with the default of its search panel."""
        shown = self.env.ref('hr_expense.hr_expense_actions_all').context
        self.assertIn("'searchpanel_default_state'", shown)
        self.assertNotIn('refused', shown)
        expenses = self.env['hr.expense'].search([('company_id', '=', self.company.id), ('state', '!=', 'refused')])
        return round(sum(expenses.mapped('total_amount')), 2), round(sum(expenses.mapped('tax_amount')), 2)

    def test_repaid(self):
        ramp_id = self.split((11900, self.account_meals, self.tax, self.analytic_fair))
        self.sync('transaction')
        self.assertEqual(self.analysis(), (119.0, 19.0))
        back = self.ramp.add_repayment(transaction=ramp_id, amount_minor=5950, date='2026-03-20')
        self.sync('repayment')
        self.assertEqual(
            self.record(back, 'repayment').state, 'confirmed', self.record(back, 'repayment').error_message
        )
        self.assertEqual(self.analysis(), (59.5, 9.5))
        expense = self.expense(back)
        self.assertEqual((expense.account_move_id, expense.state), (self.move(back), 'paid'))
        self.assertEqual((expense.employee_id, expense.vendor_id), (self.employee, self.expense(ramp_id).vendor_id))
        self.assertEqual((expense.untaxed_amount, expense.tax_ids), (-50.0, self.tax))
        self.assertEqual(expense.analytic_distribution, {str(self.analytic_fair.id): 100})
        # A repayment that is taken back is spend again.
        self.env['ramp.flow.repayment']._undo_booked_move(self.connection, self.move(back), 'It came back.')
        self.assertEqual(self.analysis(), (119.0, 19.0))

    def test_pays_a_bill(self):
        """If a posted charge turns out to pay a bill, its expense is deleted, because the bill is the spend."""
        spent = self.split((10000, self.account_meals), entity=self.primary)
        self.sync('transaction')
        self.assertEqual(self.analysis(), (100.0, 0))
        bill = self.owe(10000, payment_method='CARD')
        self.ramp.pay_bill(bill, transaction=spent)
        self.sync_payables()
        self.assertSettledByCard(bill, 10000)
        self.assertFalse(self.expense(spent))
        self.assertEqual(self.analysis(), (0, 0))


@tagged('post_install', '-at_install', 'ramp')
class TestNumbers(RampCase):
    def test_fiscal_year_that_ends_within_a_month(self):
        """The entries of one batch have the numbers of their own fiscal years, without gaps."""
        self.company.write({'fiscalyear_last_month': '4', 'fiscalyear_last_day': 5})
        first = self.spend(100, date='2026-02-02T12:00:00+00:00')
        self.sync()
        self.move(first).name = 'CARD/2025-2026/0001'
        days = ('2026-04-03', '2026-04-04', '2026-04-07', '2026-04-08')
        spent = [self.spend(100, date=f'{day}T12:00:00+00:00') for day in days]
        self.sync()
        numbers = ['2025-2026/0002', '2025-2026/0003', '2026-2027/0001', '2026-2027/0002']
        self.assertEqual([self.move(ramp_id).name for ramp_id in spent], [f'CARD/{number}' for number in numbers])
