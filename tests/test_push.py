# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo.tests import tagged

from .common import RampCase

CODING = ('account', 'analytic_plan', 'analytic_account', 'tax_rate', 'tax_code', 'accounting_vendor')


class PushCase(RampCase):
    """A Ramp business without a chart, and a company that gives it one."""

    seed = {'transactions': 0, 'accounts': [], 'analytics': []}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env['account.account'].search([('company_ids', 'in', cls.company.ids)]).filtered(
            lambda account: not (account.code or '').startswith('65000')).active = False
        cls.env['res.partner'].search([('supplier_rank', '>', 0)]).supplier_rank = 0

    def setUp(self):
        super().setUp()
        self.connection.analytic_plan_ids = self.plan + self.other_plan

    def push(self, now=False):
        return self.sync(*CODING, now=now)

    def remote(self, table, record):
        """The row in Ramp of a record in Odoo, or None."""
        rows = [row for row in self.ramp.state[table] if row['id'] == self.external(record)]
        self.assertLessEqual(len(rows), 1)
        return rows[0] if rows else None

    def row(self, record, flow=None):
        return self.env['ramp.record'].search([
            ('res_model', '=', record._name), ('res_id', '=', record.id), ('flow', '=', flow or record._ramp_flows[-1])])

    def writes(self):
        """What was sent since the last question: a list of (method, path)."""
        calls = [(call['method'], call['path'].removeprefix('/developer/v1')) for call in self.ramp.write_calls()[self.told:]]
        self.told += len(calls)
        return calls

    told = 0


@tagged('post_install', '-at_install', 'ramp')
class TestPushAccounts(PushCase):
    def test_first_push_and_second(self):
        self.push()
        self.assertEqual(
            {(row['id'], row['code'], row['name'], row['classification']) for row in self.ramp.state['accounts']},
            {(self.external(account), account.code, account.name, self.env['ramp.flow.account']._classification(account))
             for account in self.env['account.account'].search([('company_ids', 'in', self.company.ids)])})
        self.assertEqual(self.row(self.account_meals).state, 'confirmed')
        self.assertIn(self.account_meals.ramp_state, ('Confirmed', 'In Ramp'))
        self.writes()
        self.push()
        self.assertEqual(self.writes(), [])

    def test_rename_is_one_patch(self):
        self.push()
        self.writes()
        self.account_meals.name = 'Meals and more'
        self.push()
        self.assertEqual(self.writes(), [('PATCH', f"/accounting/accounts/{self.remote('accounts', self.account_meals)['ramp_id']}")])
        self.assertEqual(self.remote('accounts', self.account_meals)['name'], 'Meals and more')

    def test_archive_and_back(self):
        self.push()
        self.account_meals.active = False
        self.push()
        self.assertEqual(self.remote('accounts', self.account_meals)['visibility'], 'HIDDEN')
        self.account_meals.active = True
        self.push()
        self.assertEqual(self.remote('accounts', self.account_meals)['visibility'], 'VISIBLE')

    def test_analytic(self):
        self.push()
        self.assertEqual({row['name'] for row in self.ramp.state['fields']}, {self.plan.name, self.other_plan.name})
        self.assertEqual({row['value'] for row in self.ramp.state['options']}, {'Office Move', 'Trade Fair', 'Europe'})

    def test_query_cost_of_saving(self):
        """A saved account costs at most two queries more than without a connection, and no HTTP."""
        self.push()
        counts = []
        for connected in (False, True):
            self.connection.state = 'connected' if connected else 'draft'
            self.env['ramp.connection']._pushed('account')
            for number in range(2):
                self.env.flush_all()
                self.env.invalidate_all()
                self.env.cr.cache.pop('ramp.wake', None)
                before = self.env.cr.sql_log_count
                self.account_meals.write({'name': f'Meals {connected} {number}'})
                self.env.flush_all()
                counts.append(self.env.cr.sql_log_count - before)
        self.assertLessEqual(counts[3] - counts[1], 2)
