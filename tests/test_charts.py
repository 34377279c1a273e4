# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Charts of other countries, branches, companies without a chart, the accounts that are offered, and countries with
negative debits.
"""

import csv

from odoo import Command
from odoo.exceptions import RedirectWarning
from odoo.tests import TransactionCase, tagged
from odoo.tools import file_open

from ..models.connection_constants import UNSPENDABLE
from .common import PayablesCase, RampCase
from .properties import in_turn, rotated
from .smoke import SmokeTags
from .test_push import PushCase

DAY = '2026-03-02'
# chart: (module, digits, prefix of bank accounts, account of early payment discounts, codes of the new accounts)
CHARTS = {
    'de_skr03': ('l10n_de', 4, '120', '2670', ('1602', '2671')),
    'jp': ('l10n_jp', 6, '1202', '425000', ('220001', '425001')),
    'mx': ('l10n_mx', 9, '102.01.0', '503.01.01', ('201.01.03', '503.01.02')),
    'ro': ('l10n_ro', 6, '5121', '709000', ('401101', '709001')),
}


class ChartCase(SmokeTags, TransactionCase):
    def chart(self, name):
        """Make a company with the accounts of a chart. They are read from the chart's file, because a test installs no
        module.
        """
        module, digits, prefix, discounts, _expected = CHARTS[name]
        company = (
            self.env['res.company']
            .with_context(chart_template_load=True)
            .create({'name': name, 'bank_account_code_prefix': prefix})
        )
        self.env = self.env(context={**self.env.context, 'allowed_company_ids': company.ids})
        with file_open(f'{module}/data/template/account.account-{name}.csv') as file:
            rows = list(csv.DictReader(file))
        accounts = (
            self.env['account.account']
            .with_company(company)
            .create(
                [
                    {
                        'name': row['name'],
                        'code': row['code'].ljust(digits, '0'),
                        'account_type': row['account_type'],
                        'company_ids': [Command.set(company.ids)],
                    }
                    for row in rows
                ]
            )
        )
        by_code = {account.code: account for account in accounts}
        company.account_journal_early_pay_discount_gain_account_id = by_code[discounts]
        if name == 'mx':  # as in the chart, whose second account for other income is for discounts on sales
            company.account_journal_early_pay_discount_loss_account_id = by_code['402.01.01']
        return company

    def set_up(self, company):
        connection = self.env['ramp.connection'].create(
            {'name': 'Ramp', 'company_id': company.id, 'start_date': '2026-01-01'}
        )
        connection.with_company(company)._complete_set_up()
        return connection.with_company(company)


@tagged('post_install', '-at_install', 'ramp')
class TestCharts(ChartCase):
    @in_turn
    def test_accounts_fit_the_chart(self):
        """New accounts have codes of the chart's length. The card liability is among the payables, and cashback is
        beside the vendors' discounts.
        """
        for name, (_module, digits, _prefix, _discounts, expected) in rotated(CHARTS.items(), of=len(CHARTS)):
            with self.subTest(chart=name):
                connection = self.set_up(self.chart(name))
                accounts = connection.card_account_id + connection.cashback_account_id
                self.assertEqual(tuple(accounts.mapped('code')), expected)
                self.assertEqual({len(code) for code in accounts.mapped('code')}, {digits})
                self.assertEqual(accounts.mapped('account_type'), ['liability_credit_card', 'income_other'])
                connection._check_chart_exists()

    @in_turn
    def test_generic_chart(self):
        """The generic chart's account for other income is used for cashback. The card liability gets a new account
        beside the chart's credit card account.
        """
        company = (
            self.env['res.company']
            .with_context(chart_template_load=True)
            .create({'name': 'Generic', 'country_id': self.env.ref('base.us').id})
        )
        self.env['account.chart.template'].try_loading('generic_coa', company=company, install_demo=False)
        connection = self.set_up(company)
        self.assertEqual((connection.card_account_id.code, connection.cashback_account_id.code), ('201101', '450000'))
        self.assertEqual(connection.cashback_account_id.name, 'Other Income')

    @in_turn
    def test_branch(self):
        """A branch uses the accounts of its parents, as it has no chart of its own. New accounts fit among them."""
        company = self.chart('de_skr03')
        branch = (
            self.env['res.company']
            .with_context(chart_template_load=True)
            .create({'name': 'Branch', 'parent_id': company.id})
        )
        self.env = self.env(context={**self.env.context, 'allowed_company_ids': branch.ids})
        connection = self.set_up(branch)
        connection._check_chart_exists()
        accounts = connection.card_account_id + connection.cashback_account_id
        self.assertEqual({len(code) for code in accounts.mapped('code')}, {4})
        self.assertEqual(accounts[0].code, '1602')
        self.assertEqual(accounts.company_ids, branch)
        self.set_up(company)  # the parent company gets other codes

    def test_nothing_but_expenses(self):
        """In a chart with nothing but expenses, new codes have the length of its codes."""
        company = (
            self.env['res.company']
            .with_context(chart_template_load=True)
            .create({'name': 'In parts', 'bank_account_code_prefix': '1014'})
        )
        self.env['account.account'].with_company(company).create(
            {'name': 'Meals', 'code': '61000000', 'account_type': 'expense', 'company_ids': [Command.set(company.ids)]}
        )
        connection = self.set_up(company)
        self.assertEqual(
            (connection.card_account_id.code, connection.cashback_account_id.code), ('10140001', '45000001')
        )


@tagged('post_install', '-at_install', 'ramp')
class TestNoChart(RampCase):
    connect = False

    def test_refused_before_ramp_is_asked(self):
        """Without a chart, Connect says where to install one, and does not take the integration in Ramp."""
        self.env['account.account'].search(
            [('company_ids', 'in', self.company.ids), ('account_type', '=like', 'expense%')]
        ).account_type = 'asset_current'
        with self.assertRaises(RedirectWarning) as caught:
            self.connection.action_connect()
        message, action, button, _context = caught.exception.args
        self.assertIn('Widget Works has no chart of accounts', message)
        self.assertEqual(
            (self.env['ir.actions.act_window'].browse(action).res_model, button),
            ('res.config.settings', 'Open the Settings'),
        )
        self.assertEqual(self.ramp.list_write_calls(), [])
        self.assertFalse(self.connection.card_journal_id)


@tagged('post_install', '-at_install', 'ramp')
class TestUnspendable(PushCase):
    def once(self):
        super().once()
        values = {'company_ids': [Command.set(self.company.ids)]}
        self.others = self.env['account.account'].create(
            [
                {**values, 'name': kind, 'code': f'65000{number}', 'account_type': kind}
                for number, kind in enumerate((kind for kind in UNSPENDABLE if kind != 'equity_unaffected'), 4)
            ]
        )
        self.push()

    def test_not_offered(self):
        """Accounts of these types are not offered, whichever policy and types are chosen."""
        self.assertTrue(self.remote('accounts', self.account_meals))
        self.assertEqual(
            [self.remote('accounts', account) for account in self.others + self.connection.card_account_id], [None] * 6
        )
        self.connection.write(
            {
                'account_policy': 'types',
                'account_type_ids': [
                    Command.set(self.env['ramp.account.type'].search([('code', 'in', UNSPENDABLE)]).ids)
                ],
            }
        )
        self.push()
        self.assertEqual(
            [self.remote('accounts', account) for account in self.others + self.connection.card_account_id], [None] * 6
        )

    def test_an_account_that_becomes_one(self):
        """An account whose type becomes one of these is hidden with the reason, and spend on it is put on hold. It
        comes back with its old type.
        """
        spent = self.spend(700, account=self.external(self.account_meals))
        self.account_meals.account_type = 'off_balance'
        self.push()
        self.assertEqual(self.remote('accounts', self.account_meals)['visibility'], 'HIDDEN')
        self.assertRegex(
            self.row(self.account_meals).error_message, r'Accounts of its type \(Off-Balance Sheet\) cannot take spend'
        )
        self.sync('transaction')
        self.assertHeld(spent, 'is no longer offered in Ramp. .*cannot take spend')
        self.account_meals.account_type = 'expense'
        self.push()
        self.assertEqual(self.remote('accounts', self.account_meals)['visibility'], 'VISIBLE')

    def test_card_liability_of_any_type(self):
        """An ordinary account that is the card liability is not offered in Ramp, and is hidden if it was."""
        journal = self.connection.card_journal_id.copy({'code': 'OTHER', 'default_account_id': self.account_travel.id})
        self.assertTrue(self.remote('accounts', self.account_travel))
        self.connection.card_journal_id = journal
        self.push()
        self.assertEqual(self.remote('accounts', self.account_travel)['visibility'], 'HIDDEN')

    def test_tax_of_such_an_account(self):
        """A tax whose account is not offered is sent with another account, because Ramp wants one for each rate and
        nobody picks it there.
        """
        self.env['account.tax'].search([('company_id', '=', self.company.id)]).active = False
        tax = self.env['account.tax'].create(
            {'name': 'Owed', 'amount': 10, 'type_tax_use': 'purchase', 'company_id': self.company.id}
        )
        tax.invoice_repartition_line_ids.filtered(lambda line: line.repartition_type == 'tax').account_id = self.others[
            -1
        ]
        self.connection.offer_taxes = True
        self.push()
        self.assertEqual(self.row(tax, 'tax_code').state, 'confirmed', self.row(tax, 'tax_code').error_message)
        self.assertFalse(self.remote('accounts', self.others[-1]))


@tagged('post_install', '-at_install', 'ramp')
class TestStorno(PayablesCase):
    """If the law of a country wants it, a refund is a negative debit or credit, as in Odoo's own refunds and reversals."""

    @classmethod
    def prepare(cls):
        super().prepare()
        cls.company.account_storno = True

    def sides(self, move, *accounts):
        return [
            (line.debit, line.credit)
            for account in accounts
            for line in move.line_ids.filtered(lambda line, account=account: line.account_id == account)
        ]

    def test_card_spend(self):
        spent, refund = self.spend(5000), self.spend(-5000)
        mixed = self.spend(
            1000,
            lines=[
                {'amount_minor': 3000, 'account': self.external(self.account_meals)},
                {'amount_minor': -2000, 'account': self.external(self.account_travel)},
            ],
        )
        self.sync('transaction')
        core = self.env['account.move'].create(
            [
                {
                    'move_type': kind,
                    'invoice_date': DAY,
                    'partner_id': self.employee.work_contact_id.id,
                    'company_id': self.company.id,
                    'invoice_line_ids': [
                        Command.create({'price_unit': 50.0, 'account_id': self.account_meals.id, 'tax_ids': []})
                    ],
                }
                for kind in ('in_invoice', 'in_refund')
            ]
        )
        liability = self.connection.card_account_id
        for ramp_id, document in zip((spent, refund), core, strict=True):
            self.assertConfirmed(ramp_id)
            payable = document.line_ids.account_id.filtered(lambda account: account.account_type == 'liability_payable')
            self.assertEqual(
                self.sides(self.move(ramp_id), self.account_meals, liability),
                self.sides(document, self.account_meals, payable),
            )
        self.assertEqual(self.sides(self.move(refund), self.account_meals, liability), [(-50.0, 0.0), (0.0, -50.0)])
        self.assertEqual(
            self.sides(self.move(mixed), self.account_meals, self.account_travel, liability),
            [(30.0, 0.0), (-20.0, 0.0), (0.0, 10.0)],
        )

    def test_taxed_refund(self):
        tax = self.env['account.tax'].create(
            {'name': 'VAT', 'amount': 20, 'type_tax_use': 'purchase', 'company_id': self.company.id}
        )
        self.account_meals.tax_ids, self.connection.tax_policy = tax, 'default'
        refund = self.spend(-12000)
        self.sync('transaction')
        self.assertConfirmed(refund)
        self.assertEqual(
            [(line.debit, line.credit) for line in self.move(refund).line_ids.sorted('id')],
            [(-100.0, 0.0), (-20.0, 0.0), (0.0, -120.0)],
        )

    def test_repayment(self):
        """A repayment is deducted on the side of the spend, as in Odoo's reversal of the entry."""
        spent = self.spend(5000)
        back = self.ramp.add_repayment(transaction=spent, amount_minor=5000, date='2026-03-20')
        for _time in range(2):
            self.sync('transaction', 'repayment')
        self.assertEqual(
            self.record(back, 'repayment').state, 'confirmed', self.record(back, 'repayment').error_message
        )
        core = self.move(spent)._reverse_moves([{'date': DAY}])
        self.assertEqual(self.sides(self.move(back), self.account_meals), [(-50.0, 0.0)])
        self.assertEqual(self.sides(self.move(back), self.account_meals), self.sides(core, self.account_meals))

    @in_turn
    def test_returned_payment(self):
        bill = self.owe(5000, date=DAY)
        self.ramp.pay_bill(bill, date='2026-03-20')
        self.sync_payables()
        payment = self.payment(bill).move_id
        sides = {
            line.account_id: (line.debit, line.credit) for line in payment._reverse_moves([{'date': DAY}]).line_ids
        }
        self.ramp.pay_bill(bill, status='failed')
        self.sync_payables()
        [reversal] = self.env['account.move'].search([('reversed_entry_id', '=', payment.id), ('state', '=', 'posted')])
        self.assertEqual({line.account_id: (line.debit, line.credit) for line in reversal.line_ids}, sides)
        self.assertEqual(sorted(sides.values()), [(-50.0, 0.0), (0.0, -50.0)])

    @in_turn
    def test_bill_paid_by_card(self):
        """A charge that turns out to pay a bill is reversed as Odoo does it. The payment of the bill is on the usual
        sides.
        """
        bill, spent = self.owe(5000, date=DAY, payment_method='CARD'), self.spend(5000, date=f'{DAY}T12:00:00+00:00')
        self.sync('transaction')
        first = self.move(spent)
        sides = {line.account_id: (line.debit, line.credit) for line in first._reverse_moves([{'date': DAY}]).line_ids}
        self.ramp.pay_bill(bill, method='CARD', transaction=spent, date='2026-03-20')
        for _time in range(2):
            self.sync('transaction', *self.flows)
        [reversal] = self.env['account.move'].search([('reversed_entry_id', '=', first.id), ('state', '=', 'posted')])
        self.assertEqual({line.account_id: (line.debit, line.credit) for line in reversal.line_ids}, sides)
        self.assertEqual(sorted(sides.values()), [(-50.0, 0.0), (0.0, -50.0)])
        self.assertEqual(self.move(bill).payment_state, 'paid')
        payable = self.move(bill).line_ids.account_id.filtered(
            lambda account: account.account_type == 'liability_payable'
        )
        self.assertEqual(
            self.sides(self.move(spent), payable, self.connection.card_account_id), [(50.0, 0.0), (0.0, 50.0)]
        )

    def test_elsewhere(self):
        """In all other countries both sides are positive."""
        self.company.account_storno = False
        refund = self.spend(-5000)
        self.sync('transaction')
        self.assertEqual(
            self.sides(self.move(refund), self.account_meals, self.connection.card_account_id),
            [(0.0, 50.0), (50.0, 0.0)],
        )
