# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Mandatory analytic plans, distribution models, and coding of a bill as a whole. Core's own bills are the reference."""

from odoo import Command
from odoo.exceptions import ValidationError
from odoo.tests import tagged

from ..simulator import coding
from .common import PayablesCase
from .properties import in_turn
from .test_push import PushCase

DAY = '2026-03-02'


class AnalyticCase(PayablesCase):
    flows = ('vendor', 'vendor_credit', 'bill', 'bill_payment', 'reimbursement')

    def once(self):
        super().once()
        self.connection.analytic_policy = 'ramp'

    def demand(self, business_domain, **values):
        """Make the plan of the projects mandatory for a kind of document."""
        return self.env['account.analytic.applicability'].create(
            {
                'analytic_plan_id': self.plan.id,
                'business_domain': business_domain,
                'applicability': 'mandatory',
                'company_id': self.company.id,
                **values,
            }
        )

    def line(self, minor, *analytics, account=None):
        return {
            'amount_minor': minor,
            'account': self.external(account or self.account_meals),
            'analytics': self.analytics(*analytics),
        }

    def core_bill(self, partner=None, **line):
        """Make the bill that an accountant enters in Odoo, with nothing but the account."""
        return self.env['account.move'].create(
            {
                'move_type': 'in_invoice',
                'invoice_date': DAY,
                'partner_id': (partner or self.employee.work_contact_id).id,
                'company_id': self.company.id,
                'journal_id': self.connection.bill_journal_id.id,
                'invoice_line_ids': [
                    Command.create({'price_unit': 100.0, 'account_id': self.account_meals.id, 'tax_ids': [], **line})
                ],
            }
        )

    def assertDemanded(self, ramp_id, flow, pattern):
        record = self.record(ramp_id, flow)
        self.assertEqual((record.state, bool(self.move(ramp_id))), ('held', False), record.error_message)
        self.assertRegex(record.error_message, pattern)


@tagged('post_install', '-at_install', 'ramp')
class TestMandatoryPlans(AnalyticCase):
    def test_bill(self):
        """A bill that lacks a mandatory plan is put on hold with the line and the plan, as core refuses the same bill.
        It is posted once the rule is gone.
        """
        rule = self.demand('bill')
        first, other = (
            self.line(6000, self.analytic_move),
            self.line(4000, self.analytic_europe, account=self.account_travel),
        )
        lacking, complete = self.owe(None, date=DAY, lines=[first, other]), self.owe(None, date=DAY, lines=[first])
        self.sync_payables()
        self.assertDemanded(
            lacking,
            'bill',
            r'^Line 2 \(40\.00 USD\): Odoo requires the analytic plan Ramp Projects on the account .*Travel',
        )
        self.assertBooked(complete)
        core = self.core_bill().with_context(validate_analytic=True)
        with self.assertRaises(ValidationError):
            core.action_post()
        core.invoice_line_ids.analytic_distribution = {str(self.analytic_move.id): 100}
        core.action_post()
        rule.applicability = 'optional'
        self.sync_payables()
        self.assertBooked(lacking)

    @in_turn
    def test_each_kind_of_document(self):
        """Credits and reimbursements follow the rules for bills, and card spend follows those for expenses."""
        account = self.external(self.account_meals)
        credit = self.ramp.add_vendor_credit(amount_minor=900, account=account, date=DAY, entity=self.primary)
        reimbursement = self.ramp.add_reimbursement(
            amount_minor=3000, user=self.user_id, entity=self.primary, account=account, state='REIMBURSED'
        )
        spent = self.spend(1000)
        rule = self.demand('bill')
        self.sync('transaction', *self.flows)
        self.assertConfirmed(spent)
        self.assertDemanded(credit, 'vendor_credit', 'Odoo requires the analytic plan Ramp Projects')
        self.assertDemanded(reimbursement, 'reimbursement', 'Odoo requires the analytic plan Ramp Projects')
        rule.business_domain = 'expense'
        lacking, complete = self.spend(2000), self.spend(3000, lines=[self.line(3000, self.analytic_fair)])
        self.sync('transaction', *self.flows)
        self.assertHeld(lacking, '^Odoo requires the analytic plan Ramp Projects on the account')
        self.assertConfirmed(complete)
        self.assertEqual(self.record(credit, 'vendor_credit').state, 'confirmed')
        self.assertEqual(self.record(reimbursement, 'reimbursement').state, 'confirmed')

    def test_rule_of_some_accounts(self):
        """The prefix of a rule counts as in core, and the rule that fits best wins over the plan's default."""
        self.plan.default_applicability = 'mandatory'
        self.demand('bill', account_prefix='650001', applicability='optional')
        meals, travel = (
            self.owe(None, date=DAY, lines=[self.line(6000)]),
            self.owe(None, date=DAY, lines=[self.line(6000, account=self.account_travel)]),
        )
        self.sync_payables()
        self.assertBooked(meals)
        self.assertDemanded(travel, 'bill', 'Odoo requires the analytic plan Ramp Projects')


@tagged('post_install', '-at_install', 'ramp')
class TestDistributionModels(AnalyticCase):
    def once(self):
        super().once()
        self.vendor = self.ramp.add_vendor('Paper & Sons')
        self.sync('vendor')
        self.partner = self.env['res.partner'].search([('name', '=', 'Paper & Sons')])
        self.models = self.env['account.analytic.distribution.model'].create(
            [
                {
                    'partner_id': self.partner.id,
                    'company_id': self.company.id,
                    'analytic_distribution': {str(self.analytic_move.id): 60, str(self.analytic_fair.id): 40},
                },
                {
                    'account_prefix': '650001',
                    'company_id': self.company.id,
                    'analytic_distribution': {str(self.analytic_europe.id): 100},
                },
            ]
        )

    def bill(self, *lines):
        ramp_id = self.owe(None, date=DAY, vendor=self.vendor, lines=list(lines))
        self.sync_payables()
        self.assertBooked(ramp_id)
        return self.move(ramp_id)

    def test_by_policy(self):
        """With the policy of distribution models, a bill is filled as core does it. With the policy of Ramp, nothing is
        added.
        """
        self.assertFalse(self.bill(self.line(1000)).invoice_line_ids.analytic_distribution)
        self.connection.analytic_policy = 'models'
        bill = self.bill(self.line(1000), self.line(2000, account=self.account_travel))
        core = self.core_bill(self.partner)
        core.invoice_line_ids = [
            Command.create({'price_unit': 2.0, 'account_id': self.account_travel.id, 'tax_ids': []})
        ]
        self.assertEqual(
            core.invoice_line_ids[0].analytic_distribution,
            {str(self.analytic_move.id): 60, str(self.analytic_fair.id): 40, str(self.analytic_europe.id): 100},
        )
        self.assertEqual(
            bill.invoice_line_ids.mapped('analytic_distribution'), core.invoice_line_ids.mapped('analytic_distribution')
        )
        self.assertEqual(len(bill.line_ids.analytic_line_ids), 5)

    def test_what_ramp_says_comes_first(self):
        """If Ramp has a selection of a plan, models of this plan do not count, as in core for values from an order."""
        self.connection.analytic_policy = 'models'
        bill = self.bill(self.line(1000, self.analytic_fair))
        self.assertEqual(
            bill.invoice_line_ids.analytic_distribution,
            {str(self.analytic_fair.id): 100, str(self.analytic_europe.id): 100},
        )

    def test_it_is_enough_for_a_mandatory_plan(self):
        self.connection.analytic_policy = 'models'
        self.demand('bill')
        self.bill(self.line(1000))
        self.models[0].analytic_distribution = {str(self.analytic_move.id): 60}
        lacking = self.owe(None, date=DAY, vendor=self.vendor, lines=[self.line(1000)])
        self.sync_payables()
        self.assertDemanded(lacking, 'bill', 'Odoo requires the analytic plan Ramp Projects')

    def test_card_spend(self):
        self.connection.analytic_policy = 'models'
        spent = self.spend(1000)
        self.sync('transaction')
        self.assertConfirmed(spent)
        self.assertEqual(
            self.move(spent).line_ids.sorted('id')[0].analytic_distribution, {str(self.analytic_europe.id): 100}
        )
        self.assertEqual(self.expense(spent).analytic_distribution, {str(self.analytic_europe.id): 100})

    def test_a_model_of_a_deleted_account(self):
        self.connection.analytic_policy = 'models'
        self.analytic_fair.unlink()
        bill = self.bill(self.line(1000, account=self.account_travel))
        self.assertEqual(bill.invoice_line_ids.analytic_distribution, {str(self.analytic_move.id): 60})

    def test_new_and_existing_connections(self):
        fields = self.env['ramp.connection'].default_get(['analytic_policy', 'tax_policy'])
        self.assertEqual((fields['analytic_policy'], fields['tax_policy']), ('models', 'ramp'))


@tagged('post_install', '-at_install', 'ramp')
class TestHeaderCoding(AnalyticCase):
    def header(self, *analytics, account=None):
        state = self.ramp.state
        return [
            *([coding.select_gl_account(state, self.external(account))] if account else []),
            *(
                coding.select_field_option(state, self.external(analytic.root_plan_id), self.external(analytic))
                for analytic in analytics
            ),
        ]

    def test_fills_what_lines_lack(self):
        bill = self.owe(
            None,
            date=DAY,
            header=self.header(self.analytic_move),
            lines=[self.line(1000), self.line(2000, self.analytic_europe), self.line(3000, self.analytic_move)],
        )
        uncoded = self.owe(
            None,
            date=DAY,
            header=self.header(account=self.account_travel),
            lines=[
                {'amount_minor': 1000, 'account': None},
                {'amount_minor': 2000, 'account': None, 'analytics': self.analytics(self.analytic_fair)},
            ],
        )
        self.sync_payables()
        self.assertBooked(bill)
        both = ','.join(str(identity) for identity in sorted((self.analytic_move + self.analytic_europe).ids))
        self.assertEqual(
            self.move(bill).invoice_line_ids.mapped('analytic_distribution'),
            [{str(self.analytic_move.id): 100}, {both: 100}, {str(self.analytic_move.id): 100}],
        )
        self.assertBooked(uncoded)
        self.assertEqual(self.move(uncoded).invoice_line_ids.mapped('account_id'), self.account_travel)

    def test_the_line_says_it_better(self):
        plans = self.owe(
            None,
            date=DAY,
            header=self.header(self.analytic_move),
            lines=[self.line(1000), self.line(2000, self.analytic_fair)],
        )
        accounts = self.owe(None, date=DAY, header=self.header(account=self.account_travel), lines=[self.line(1000)])
        self.sync_payables()
        self.assertBooked(plans)
        self.assertEqual(
            self.move(plans).invoice_line_ids.mapped('analytic_distribution'),
            [{str(self.analytic_move.id): 100}, {str(self.analytic_fair.id): 100}],
        )
        self.assertBooked(accounts)
        self.assertEqual(self.move(accounts).invoice_line_ids.account_id, self.account_meals)

    def test_a_change_of_it_is_a_change_of_the_bill(self):
        bill = self.owe(
            None, date=DAY, header=self.header(self.analytic_move), lines=[self.line(1000), self.line(2000)]
        )
        self.sync_payables()
        self.ramp.update_bill(bill, header=self.header(self.analytic_fair))
        self.env['ramp.run'].search([]).unlink()
        self.sync_payables()
        self.assertTrue(self.record(bill, 'bill').has_changed)


@tagged('post_install', '-at_install', 'ramp')
class TestRequiredFields(PushCase):
    def once(self):
        super().once()
        self.connection.analytic_plan_ids = False

    def fields(self):
        return {field['name']: field['is_required_for'] for field in self.ramp.state['fields']}

    def rule(self, business_domain, **values):
        return self.env['account.analytic.applicability'].create(
            {
                'analytic_plan_id': self.plan.id,
                'business_domain': business_domain,
                'applicability': 'mandatory',
                **values,
            }
        )

    @in_turn
    def test_of_each_kind(self):
        for domains, switches, required in (
            (('bill', 'expense'), {}, ['BILL', 'VENDOR_CREDIT', 'REIMBURSEMENT', 'TRANSACTION']),
            (('expense',), {}, ['TRANSACTION']),
            (('bill',), {'pull_reimbursements': False}, ['BILL', 'VENDOR_CREDIT']),
            (('bill',), {'pull_bills': False}, ['REIMBURSEMENT']),
        ):
            with self.subTest(domains=domains, switches=switches), self.isolated():
                for business_domain in domains:
                    self.rule(business_domain)
                self.connection.write(
                    {**switches, 'analytic_plan_ids': [Command.set((self.plan + self.other_plan).ids)]}
                )
                self.push()
                self.assertEqual(self.fields(), {'Ramp Projects': required, 'Ramp Markets': []})

    def test_not_of_some_accounts_and_not_of_another_company(self):
        """A rule for some accounts or for another company does not make the field required, because Ramp would require
        it on every line.
        """
        self.rule('bill', account_prefix='650001')
        self.rule('expense', company_id=self.env['res.company'].create({'name': 'Elsewhere'}).id)
        self.connection.analytic_plan_ids = self.plan
        self.push()
        self.assertEqual(self.fields(), {'Ramp Projects': []})

    def test_a_rule_that_comes_later(self):
        """A rule that comes after the field was made changes nothing in Ramp, which takes it only at that time. Nothing
        is sent again.
        """
        self.connection.analytic_plan_ids = self.plan
        self.push()
        self.writes()
        self.rule('bill')
        self.connection.action_push_all()
        self.push()
        self.assertEqual((self.writes(), self.fields()), ([], {'Ramp Projects': []}))
        self.plan.name = 'Jobs'
        self.push()
        self.assertEqual(
            ([method for method, _path in self.writes()], self.row(self.plan).state), (['PATCH'], 'confirmed')
        )
