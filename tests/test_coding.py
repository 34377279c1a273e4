# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import Command
from odoo.tests import tagged

from ..simulator import coding
from .test_push import PushCase


@tagged('post_install', '-at_install', 'ramp')
class TestCoding(PushCase):
    """Objects that Odoo pushed and a person selected in Ramp come back as the same records."""

    def once(self):
        super().once()
        self.vendor = self.env['res.partner'].create({'name': 'Paper & Sons', 'supplier_rank': 1, 'is_company': True})
        tax_account = (
            self.env['account.account']
            .with_company(self.company)
            .create(
                {
                    'name': 'Input tax',
                    'code': '650009',
                    'account_type': 'asset_current',
                    'company_ids': [Command.set(self.company.ids)],
                }
            )
        )
        self.tax = self.make_tax('Input 10%', 10, tax_account)
        self.other_tax = self.make_tax('Levy 5%', 5, tax_account)
        self.group = (
            self.env['account.tax']
            .with_company(self.company)
            .create(
                {
                    'name': 'Both',
                    'amount_type': 'group',
                    'type_tax_use': 'purchase',
                    'company_id': self.company.id,
                    'children_tax_ids': [Command.set((self.tax + self.other_tax).ids)],
                }
            )
        )
        self.env['account.tax'].search(
            [('company_id', '=', self.company.id), ('id', 'not in', (self.tax + self.other_tax + self.group).ids)]
        ).active = False
        self.tax_account = tax_account
        self.connection.offer_taxes = True
        self.push()
        self.push()

    def make_tax(self, name, amount, account):
        repartition = [
            Command.create({'repartition_type': 'base', 'factor_percent': 100}),
            Command.create({'repartition_type': 'tax', 'factor_percent': 100, 'account_id': account.id}),
        ]
        return (
            self.env['account.tax']
            .with_company(self.company)
            .create(
                {
                    'name': name,
                    'amount_type': 'percent',
                    'amount': amount,
                    'type_tax_use': 'purchase',
                    'company_id': self.company.id,
                    'invoice_repartition_line_ids': repartition,
                    'refund_repartition_line_ids': repartition,
                }
            )
        )

    def pick(self, *records):
        """Return the selections of a person who selects these in Ramp, each from the list that Odoo sent."""
        state = self.ramp.state
        selections = []
        for record in records:
            row = self.row(record, 'tax_code' if record._name == 'account.tax' else None)
            self.assertEqual(row.state, 'confirmed', (record, row.error_message))
            if record._name == 'account.account':
                selections.append(coding.select_gl_account(state, row.remote_id))
            elif record._name == 'account.tax':
                selections.append(coding.select_tax_code(state, row.remote_id))
            elif record._name == 'res.partner':
                selections.append(coding.select_accounting_vendor(state, row.remote_id))
            else:
                selections.append(
                    coding.select_field_option(state, self.row(record.root_plan_id).remote_id, row.remote_id)
                )
        return selections

    def items(self, ramp_id):
        return [
            (item.account_id, item.amount_currency, item.balance, item.tax_ids, item.tax_line_id)
            for item in self.move(ramp_id).line_ids.sorted('id')
        ]

    def test_two_plans_and_a_split(self):
        ramp_id = self.spend(
            30001,
            lines=[
                {
                    'amount_minor': 10000,
                    'selections': self.pick(self.account_meals, self.analytic_fair, self.analytic_europe),
                },
                {'amount_minor': 20001, 'selections': self.pick(self.account_travel, self.analytic_move)},
            ],
        )
        self.sync()
        self.assertConfirmed(ramp_id)
        first, second, _liability = self.move(ramp_id).line_ids.sorted('id')
        both = ','.join(str(identity) for identity in sorted((self.analytic_fair + self.analytic_europe).ids))
        self.assertEqual(
            (first.account_id, first.balance, first.analytic_distribution), (self.account_meals, 100.0, {both: 100})
        )
        self.assertEqual(
            (second.account_id, second.balance, second.analytic_distribution),
            (self.account_travel, 200.01, {str(self.analytic_move.id): 100}),
        )
        self.assertEqual(sum(first.analytic_line_ids.mapped('amount')), -100.0)
        self.assertEqual(len(first.analytic_line_ids), 1)

    def test_tax(self):
        """Ramp's amount includes the tax, to the cent, and the entry shows it as Odoo would."""
        ramp_id = self.spend(
            9999, lines=[{'amount_minor': 9999, 'selections': self.pick(self.account_meals, self.tax)}]
        )
        self.sync()
        self.assertConfirmed(ramp_id)
        self.assertEqual(
            self.items(ramp_id),
            [
                (self.account_meals, 90.9, 90.9, self.tax, self.env['account.tax']),
                (self.tax_account, 9.09, 9.09, self.env['account.tax'], self.tax),
                (self.connection.card_account_id, -99.99, -99.99, self.env['account.tax'], self.env['account.tax']),
            ],
        )
        self.assertEqual(self.expense(ramp_id).tax_ids, self.tax)
        self.assertEqual(self.expense(ramp_id).total_amount_currency, 99.99)
        self.assertEqual(self.move(ramp_id).line_ids[1].tax_base_amount, 90.9)

    def test_tax_of_a_refund(self):
        ramp_id = self.spend(
            -9999, lines=[{'amount_minor': -9999, 'selections': self.pick(self.account_meals, self.tax)}]
        )
        self.sync()
        self.assertEqual([item[1] for item in self.items(ramp_id)], [-90.9, -9.09, 99.99])
        self.assertEqual(self.move(ramp_id).line_ids[1].tax_repartition_line_id.document_type, 'refund')

    def test_group_of_taxes_on_split_lines(self):
        ramp_id = self.spend(
            33334,
            lines=[
                {'amount_minor': 11111, 'selections': self.pick(self.account_meals, self.group, self.analytic_fair)},
                {'amount_minor': 22223, 'selections': self.pick(self.account_travel)},
            ],
        )
        self.sync()
        self.assertConfirmed(ramp_id)
        items = self.items(ramp_id)
        self.assertEqual(sum(round(item[2] * 100) for item in items[:-1]), 33334)
        self.assertEqual(items[-1][2], -333.34)
        self.assertEqual({item[4] for item in items} - {self.env['account.tax']}, {self.tax, self.other_tax})

    def test_tax_in_another_currency(self):
        """An entry with tax is balanced in both currencies, whatever the rate does to the cents."""
        for minor in (1, 3333, 9999, 12345, -777):
            ramp_id = self.spend(
                minor,
                currency='EUR',
                lines=[{'amount_minor': minor, 'selections': self.pick(self.account_meals, self.group)}],
            )
            self.sync('transaction')
            self.assertConfirmed(ramp_id)
            items = self.items(ramp_id)
            self.assertEqual(round(100 * sum(item[1] for item in items)), 0)
            self.assertEqual(round(100 * sum(item[2] for item in items)), 0)
            self.assertEqual(round(items[-1][1] * 100), -minor)

    def test_supplier_is_the_payee(self):
        ramp_id = self.spend(
            5000, lines=[{'amount_minor': 5000, 'selections': self.pick(self.account_meals, self.vendor)}]
        )
        self.sync()
        self.assertConfirmed(ramp_id)
        self.assertEqual(self.move(ramp_id).line_ids.partner_id, self.vendor)
        self.assertEqual(self.expense(ramp_id).vendor_id, self.vendor)

    def test_archived_is_held_and_clears_itself(self):
        for record, words in (
            (self.tax, 'The tax'),
            (self.vendor, 'The supplier'),
            (self.analytic_fair, 'The analytic account'),
        ):
            with self.subTest(record=record):
                ramp_id = self.spend(
                    700, lines=[{'amount_minor': 700, 'selections': self.pick(self.account_meals, record)}]
                )
                record.active = False
                self.sync('transaction')
                self.assertHeld(ramp_id, f'{words} .* is archived in Odoo')
                record.active = True
                self.push()
                self.sync('transaction')
                self.assertConfirmed(ramp_id)

    def test_hidden_by_the_connection_is_held(self):
        ramp_id = self.spend(
            700, lines=[{'amount_minor': 700, 'selections': self.pick(self.account_meals, self.analytic_fair)}]
        )
        self.connection.analytic_plan_ids -= self.plan
        self.push()
        self.sync('transaction')
        self.assertHeld(ramp_id, 'The analytic account "Trade Fair" is no longer offered in Ramp')
        self.connection.analytic_plan_ids += self.plan
        self.push()
        self.push()
        self.sync('transaction')
        self.assertConfirmed(ramp_id)

    def test_foreign_tax_and_supplier_are_held(self):
        for selection, words in (
            (
                coding.select_tax_code(self.ramp.state, '0badcafe-tax-1', 'VAT'),
                'The tax "VAT" was offered by another Odoo',
            ),
            (coding.select_tax_code(self.ramp.state, 'vat-20', 'VAT'), 'in a field of the type TAX_CODE'),
            (
                coding.select_accounting_vendor(self.ramp.state, '0badcafe-partner-1', 'ACME'),
                'The supplier "ACME" was offered by another Odoo',
            ),
        ):
            ramp_id = self.spend(
                700, lines=[{'amount_minor': 700, 'selections': [*self.pick(self.account_meals), selection]}]
            )
            self.sync('transaction')
            self.assertHeld(ramp_id, words)

    def test_replaced_objects_come_back(self):
        """An account with a new classification has a new object in Ramp. Spend that is coded with the old one still
        counts.
        """
        old = self.pick(self.account_travel)
        self.account_travel.account_type = 'asset_prepayments'
        self.push()
        for selections in (old, self.pick(self.account_travel)):
            ramp_id = self.spend(700, lines=[{'amount_minor': 700, 'selections': selections}])
            self.sync('transaction')
            self.assertConfirmed(ramp_id)
            self.assertEqual(self.move(ramp_id).line_ids[0].account_id, self.account_travel)
        self.assertNotEqual(old[0]['external_id'], self.row(self.account_travel).remote_id)
