# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The base of the other tests: each test begins with the same state, whatever another one did to it."""

from datetime import timedelta

from odoo.exceptions import UserError
from odoo.tests import tagged

from ..models import token_stores
from ..ramp_api import limiter
from .common import RampCase
from .company import ACCOUNTS, NAME, PLANS, company_of


@tagged('post_install', '-at_install', 'ramp')
class TestEachTestBeginsTheSame(RampCase):
    seen = []  # states of the tests that ran, which change everything

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.seen = []

    def once(self):
        super().once()
        self.asked_once, self.people = len(self.ramp.requests), {'employee': self.employee}
        self.patch(type(self.env['ramp.flow.pull']), '_page_size', 7)

    def world(self):
        """Return as much of the state of Ramp, this process and Odoo as can be compared."""
        ramp = self.ramp
        return {
            'transactions': [dict(row) for row in ramp.state['transactions']],
            'tokens': sorted(ramp.state.tokens),
            'requests': len(ramp.requests),
            'faults': ramp.faults.list_waiting_faults(),
            'struck': list(ramp.faults.struck),
            'hooks': (list(ramp._before), list(ramp._after)),
            'address': ramp._find_listening_address(),
            'url': ramp.api_url,
            'plus': ramp.ramp_plus,
            'resync': ramp.resync,
            'scopes': ramp.scopes,
            'secret': ramp.client_secret,
            'events': list(ramp.webhooks.sent),
            'held': ramp.webhooks.held,
            'errors': list(ramp.errors),
            'kept': dict(token_stores.access_tokens._tokens),
            'limits': dict(limiter._local_states),
            'connection': self.connection.read(['state', 'name', 'api_url', 'start_date']),
            'records': self.env['ramp.record'].search_count([]),
            'users': self.env['res.users'].search_count([]),
            'pushed': self.env['ramp.connection']._pushed_domains().keys(),
            'page': self.env['ramp.flow.pull']._page_size,
        }

    def leave_everything_behind(self):
        ramp = self.ramp
        ramp_id = self.spend()
        self.sync()
        self.assertConfirmed(ramp_id)
        self.connection.write({'name': 'Another', 'start_date': '2026-01-01'})
        self.env['res.users'].create({'name': 'Left', 'login': 'left'})
        ramp.add_subscription('http://127.0.0.1:9/')
        ramp.webhooks.held = True
        ramp.add_before_hook(lambda method, path, body: None)
        self.connection.action_disconnect()
        ramp.faults.add_fault('server_error')
        with self.assertRaises(UserError):
            self.connection.action_connect()
        self.assertTrue(ramp.faults.struck)
        ramp.ramp_plus, ramp.resync, ramp.scopes, ramp.client_secret = False, 'accept', (), 'other'
        ramp.errors.append('left')
        ramp.state.tokens.clear()
        token_stores.access_tokens._tokens['left'] = 'behind'
        limiter.SlidingWindow('left', shared=False).block_requests(60)
        ramp.stop_server()
        ramp.port = 0

    def begin(self):
        self.assertEqual((len(self.ramp.requests), list(self.people)), (self.asked_once, ['employee']))
        self.people['another'] = self.employees[1]
        world = self.world()
        for other in self.seen:
            self.assertEqual(world, other)
        self.seen.append(world)
        self.leave_everything_behind()

    def test_one(self):
        self.begin()

    def test_another(self):
        self.begin()

    def test_a_third(self):
        self.begin()

    def test_examples_of_a_property(self):
        before = self.world()
        with self.isolated():
            self.leave_everything_behind()
        self.assertEqual(self.world(), before)
        ramp_id = self.spend()
        self.sync()
        self.assertConfirmed(ramp_id)

    def test_company_is_found(self):
        company = company_of(self.env)
        self.assertEqual((company, company.name, company.chart_template), (self.company, NAME, 'generic_coa'))
        self.assertEqual(self.env['res.company'].search_count([('name', '=', NAME)]), 1)
        accounts = self.account_meals + self.account_travel + self.account_software
        self.assertEqual((accounts.mapped('name'), accounts.mapped('code')), ([*ACCOUNTS.values()], [*ACCOUNTS]))
        self.assertEqual([plan.name for plan in (self.plan, self.other_plan)], [*PLANS])
        self.assertEqual(self.analytic_europe.company_id, self.env['res.company'])
        self.assertFalse(self.env['account.move'].search([('company_id', '=', company.id)]))

    def test_time_does_not_run_out(self):
        self.assertEqual(self.env['ramp.flow.pull']._reread_pause, timedelta(0))
