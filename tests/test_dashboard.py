# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The dashboard: health and the next step, what waits and for whom, what was spent."""

from datetime import timedelta

from odoo import Command, fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .common import BrowserCase, RampCase

MODEL = 'report.ramp_connector.dashboard'


class DashboardCase(RampCase):
    def once(self):
        super().once()
        self.today = fields.Date.today().replace(day=15)

    def data(self):
        self.env.invalidate_all()
        return self.env[MODEL].get_dashboard(self.connection.id)

    def health(self):
        health = self.data()['health']
        return health['level'], health['step'] and health['step']['name']


@tagged('post_install', '-at_install', 'ramp')
class TestDashboard(DashboardCase):
    def test_nothing_yet(self):
        data = self.data()
        self.assertEqual(data['connection']['id'], self.connection.id)
        self.assertEqual((data['causes']['total'], data['people'], data['spend'], data['accounts']), (0, [], [], []))
        self.assertEqual(self.health(), ('warning', 'sync'))
        with self.assertRaisesRegex(UserError, 'no longer exists'):
            self.env[MODEL].get_dashboard(self.connection.id + 1000)

    def test_next_step(self):
        self.spend(1000)
        self.sync()
        self.assertEqual(self.health(), ('ok', False))
        self.spend(1000, account='no-such-account')
        self.sync()
        self.assertEqual(self.health(), ('warning', 'attention'))
        self.connection.last_error = 'Ramp refused the credentials.'
        self.assertEqual(self.health(), ('error', 'connection'))
        self.connection.silent_since = fields.Datetime.now()
        self.assertEqual(self.health(), ('error', 'sync'))
        self.connection.database = 'another'
        self.assertEqual(self.health(), ('error', 'connection'))
        self.connection.state = 'draft'
        self.assertEqual(self.health(), ('warning', 'connection'))

    def test_what_waits(self):
        """What only somebody in Ramp can do is no reason for a warning here, and the person is named."""
        self.spend(1000, account=None)
        self.spend(2000, account=None)
        self.sync()
        data = self.data()
        [cause] = data['causes']['list']
        self.assertEqual((cause['count'], cause['place'], cause['amounts']), (2, 'ramp', '$\xa030.00'))
        self.assertEqual(self.health(), ('ok', False))
        [person] = data['people']
        self.assertEqual((person['count'], person['amounts']), (2, '$\xa030.00'))
        self.assertTrue(person['name'])
        self.assertEqual(sum(age['count'] for age in data['ages']), 2)
        self.assertEqual({age['amounts'] for age in data['ages'] if age['count']}, {'$\xa030.00'})

    def test_spend(self):
        now = fields.Datetime.now().replace(day=2, hour=12)
        before = (now.replace(day=1) - timedelta(days=3)).replace(hour=12)
        for moment, amount in ((now, 1000), (now, 500), (before, 6000)):
            self.spend(amount, date=moment.strftime('%Y-%m-%dT%H:%M:%S+00:00'))
        self.spend(-300, date=now.strftime('%Y-%m-%dT%H:%M:%S+00:00'), account=self.external(self.account_travel))
        self.sync()
        data = self.data()
        [spend] = data['spend']
        self.assertEqual(spend['currency'], 'USD')
        self.assertEqual([month['amount'] for month in spend['months']], [0, 0, 0, 0, 60.0, 12.0])
        self.assertEqual([month['share'] for month in spend['months']], [0, 0, 0, 0, 100, 20])
        self.assertEqual(
            [(account['id'], account['text']) for account in data['accounts']],
            [(self.account_meals.id, '$\xa015.00'), (self.account_travel.id, '$\xa0-3.00')],
        )
        self.assertEqual(
            {run['flow']: run['state'] for run in data['runs']}, {'transaction': 'done', 'receipt': 'done'}
        )
        self.assertIn(self.env[MODEL].get_tie_out(self.connection.id)['kind'], ('zero', 'empty', 'odd', 'unread'))

    def test_constant_queries(self):
        self.spend(1000, account=None)
        self.sync()
        self.data()
        self.env.invalidate_all()
        with self.assertQueryCount(40):
            self.env[MODEL].get_dashboard(self.connection.id)
        for amount in range(1, 6):
            self.spend(amount, account=None)
        self.sync()
        self.env.invalidate_all()
        with self.assertQueryCount(40):
            self.env[MODEL].get_dashboard(self.connection.id)

    def test_who_sees_it(self):
        other = self.env['res.company'].create({'name': 'Other'})
        stranger = self.env['res.users'].create(
            {
                'name': 'Stranger',
                'login': 'stranger',
                'company_id': other.id,
                'company_ids': [Command.set(other.ids)],
                'group_ids': [Command.set(self.env.ref('account.group_account_manager').ids)],
            }
        )
        Dashboard = self.env[MODEL].with_user(stranger).with_context(allowed_company_ids=other.ids)
        self.assertFalse(Dashboard.get_dashboard()['connection'])
        for method in ('get_dashboard', 'get_tie_out'):
            with self.assertRaises(AccessError):
                getattr(Dashboard, method)(self.connection.id)


@tagged('post_install', '-at_install', 'ramp', 'ramp_tour')
class TestDashboardTours(DashboardCase, BrowserCase):
    def test_dashboard(self):
        self.connection.name = 'Ramp of the tour'
        self.spend(1000)
        self.spend(2000, account='no-such-account')
        self.sync()
        user = self.env['res.users'].create(
            {
                'name': 'Accountant',
                'login': 'accountant',
                'company_id': self.company.id,
                'company_ids': [Command.set(self.company.ids)],
                'group_ids': [Command.set(self.env.ref('account.group_account_user').ids)],
            }
        )
        self.start_tour('/odoo/ramp', 'ramp_connector_dashboard', login=user.login)
