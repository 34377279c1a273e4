# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The set-up assistant: nothing is taken or sent before the last step, and nothing stays if it is cancelled."""

from datetime import date

from odoo import Command
from odoo.api import Environment
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import new_test_user, tagged

from ..models import ramp_connection_api
from ..simulator.seed import ENTITIES
from ..wizard.ramp_setup import STEPS
from .common import BrowserCase
from .test_dry_run import DryRunCase

# What the assistant itself stores
OWN_TABLES = (
    'ramp_setup',
    'ramp_setup_feature',
    'ramp_setup_entity',
    'bus_bus',
    'ramp_account_type_ramp_setup_rel',
    'account_analytic_plan_ramp_setup_rel',
)
SYSTEM = 'base.group_user,account.group_account_manager,base.group_system'


class SetupCase(DryRunCase):
    """A company without a connection, and a person who sets one up."""

    connect = False
    seed = {'transactions': 0, 'entities': [*ENTITIES[:2]]}

    def once(self):
        super().once()
        self.connection.unlink()
        self.user = self.make_user('ramp_setup', SYSTEM)

    def make_user(self, login, groups):
        return new_test_user(
            self.env,
            login,
            groups,
            context={'no_reset_password': True},
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
        )

    def begin(self, user=None, **values):
        """Return the assistant on its first page, filled in."""
        companies = [*self.company.ids, *(user or self.user).company_ids.ids]
        context = {'allowed_company_ids': list(dict.fromkeys(companies)), 'lang': 'en_US', 'tz': 'UTC'}
        env = Environment(self.env.cr, (user or self.user).id, context)
        return env['ramp.setup'].create(
            {
                'environment': 'custom',
                'api_url': self.ramp.api_url,
                'client_id': self.ramp.client_id,
                'client_secret': self.ramp.client_secret,
                'start_date': '2024-01-01',
                'existing_policy': 'leave',
                **values,
            }
        )

    def go_to(self, step, setup=None, **values):
        """Press Next until a step. Returns the assistant."""
        setup = setup or self.begin(**values)
        steps = [name for name, _label in STEPS]
        for _next in range(steps.index(setup.state), steps.index(step)):
            setup.action_next()
        return setup

    def connections(self):
        return (
            self.env['ramp.connection'].with_context(active_test=False).search([('company_id', '=', self.company.id)])
        )

    def entity_named(self, setup, name):
        return setup.entity_ids.filtered(lambda entity: name in entity.name)


@tagged('post_install', '-at_install', 'ramp')
class TestSetup(SetupCase):
    def test_steps_and_back(self):
        """Each step has its page, Next and Back go through them, and the first page is the one after Back."""
        setup = self.begin()
        self.assertEqual(setup.state, 'credentials')
        with self.assertRaisesRegex(UserError, 'no step before'):
            setup.action_back()
        for step, _label in STEPS[1:-1]:
            setup.action_next()
            self.assertEqual(setup.state, step)
        with self.assertRaisesRegex(UserError, 'Press Connect'):
            setup.action_next()
        for step, _label in reversed(STEPS[:-2]):
            setup.action_back()
            self.assertEqual(setup.state, step)

    def test_nothing_is_taken_or_sent_before_the_last_step(self):
        """Ramp gets nothing but questions, and Odoo stores nothing but the assistant. Cancel deletes that, too."""
        self.spend(date='2024-02-03T12:00:00Z')
        self.env.flush_all()
        before, seats = self.tables(), [dict(row) for row in self.ramp.state['connections']]

        def walk():
            setup = self.go_to('preview')
            with self.job_mode():
                setup.action_preview()
            self.assertFalse(setup.preview_failure)
            return setup

        setup = self.assertReadOnly(walk)
        self.assertEqual(setup.preview['counts']['posted'], 1)
        self.assertEqual([dict(row) for row in self.ramp.state['connections']], seats)
        self.assertFalse(self.connections())
        # Feature lines and entities are deleted with it
        setup.action_cancel()
        self.assertEqual(self.changed_tables(before), {})
        self.assertFalse(self.env['ramp.setup.entity'].search_count([]))
        self.ramp.assert_clean()

    def changed_tables(self, before):
        after = self.tables()
        self.assertEqual(after[1:], before[1:])
        return {
            name: (before[0].get(name), count)
            for name, count in after[0].items()
            if count != before[0].get(name) and name not in OWN_TABLES
        }

    def test_connect(self):
        """The last step makes the connection with what was chosen, connects, and forgets the secrets."""
        setup = self.go_to('preview')
        new = setup.new_card_journal, setup.new_card_account, setup.new_cashback_account
        action = setup.action_connect()
        connection = self.connections()
        self.assertEqual(connection.state, 'connected')
        self.assertEqual((setup.state, setup.connection_id), ('done', connection))
        self.assertEqual(connection.client_secret, self.ramp.client_secret)
        self.assertEqual(
            (connection.start_date, connection.existing_policy, connection.ramp_entity_id),
            (date(2024, 1, 1), 'leave', self.primary),
        )
        journal, account = connection.card_journal_id, connection.card_account_id.with_company(self.company)
        cashback = connection.cashback_account_id.with_company(self.company)
        self.assertEqual(
            new,
            (f'{journal.code} {journal.name}', f'{account.code} {account.name}', new[2] and cashback.display_name),
            'what was shown is what was created',
        )
        self.assertEqual((setup.client_id, setup.sudo().kept_secret), (False, False))
        # The client runs this action in a request of its own
        server_action = self.env['ir.actions.server'].browse(action['id'])
        self.assertEqual(server_action.state, 'code')
        result = server_action.with_user(self.user).with_context(**action['context']).run()
        self.assertEqual((result['res_model'], result['res_id']), ('ramp.setup', setup.id))
        self.assertTrue(setup.check_ids)
        self.assertEqual(setup.check_summary, connection.check_summary)

    def test_defaults(self):
        """Expense accounts only. Suppliers, people and taxes are off until somebody chooses them."""
        setup = self.go_to('offers')
        self.assertEqual((setup.account_policy, setup.offer_vendors, setup.offer_taxes), ('types', False, False))
        self.assertFalse(setup.push_users or setup.analytic_plan_ids)
        self.assertEqual({code.split('_')[0] for code in setup.account_type_ids.mapped('code')}, {'expense'})
        expenses = self.env['account.account'].search_count(
            [('company_ids', 'in', self.company.ids), ('account_type', '=like', 'expense%')]
        )
        self.assertEqual(setup.offer_summary, f'Accounts: {expenses}')
        self.env['res.partner'].search([('supplier_rank', '>', 0)]).supplier_rank = 0
        self.env['res.partner'].create({'name': 'Deco Addict', 'supplier_rank': 1})
        setup.write({'offer_vendors': True, 'push_users': True, 'analytic_plan_ids': [Command.set(self.plan.ids)]})
        self.assertRegex(setup.offer_summary, '(?s)Analytic accounts: 2.*Suppliers: 1.*Employees: 6')
        setup.account_type_ids = False
        with self.assertRaisesRegex(UserError, 'Account Types'):
            setup.action_next()

    def test_connect_sends_only_what_was_chosen(self):
        setup = self.go_to('preview')
        setup.action_connect()
        self.connection = setup.connection_id
        chosen = self.connection
        self.assertFalse(chosen.offer_vendors or chosen.push_users or chosen.offer_taxes or chosen.analytic_plan_ids)
        self.sync('account', 'analytic_plan', 'accounting_vendor', 'employee', now=False)
        sent = self.env['ramp.record'].search([('connection_id', '=', chosen.id), ('state', '=', 'confirmed')])
        self.assertEqual(set(sent.mapped('flow')), {'account'})
        accounts = self.env['account.account'].browse(sent.mapped('res_id'))
        self.assertEqual({kind.split('_')[0] for kind in accounts.mapped('account_type')}, {'expense'})

    def test_connect_fails_as_a_whole(self):
        """If another system takes the integration meanwhile, nothing remains, and the page says who has it."""
        setup = self.go_to('preview')
        self.ramp.take_accounting_seat('QuickBooks')
        before, moves = self.tables(), len(self.ramp.list_write_calls())
        with self.assertRaisesRegex(UserError, 'taken by "QuickBooks"'), self.env.cr.savepoint():
            setup.action_connect()
        self.env.invalidate_all()
        self.assertEqual(setup.state, 'preview')
        self.assertEqual(self.changed_tables(before), {})
        self.assertEqual(len(self.ramp.list_write_calls()), moves)

    def test_connect_is_the_last_step(self):
        """Neither Connect nor the preview works before the pages were passed, or with what they would refuse."""
        setup = self.begin()
        for button in (setup.action_connect, setup.action_preview):
            with self.assertRaisesRegex(UserError, 'Go through the steps first'):
                button()
        setup = self.go_to('preview')
        setup.existing_policy = False
        with self.assertRaisesRegex(UserError, 'Statements and Vendor Credits'):
            setup.action_connect()
        self.assertFalse(self.connections())

    def test_existing_connection(self):
        """The assistant completes a connection that exists, and keeps what was entered there."""
        connection = self.env['ramp.connection'].create(
            {
                'name': 'Mine',
                'company_id': self.company.id,
                'environment': 'custom',
                'api_url': self.ramp.api_url,
                'client_id': self.ramp.client_id,
                'client_secret': self.ramp.client_secret,
                'start_date': '2023-05-01',
                'existing_policy': 'book',
            }
        )
        action = connection.with_user(self.user).action_set_up()
        manager = self.make_user('ramp_setup_manager', 'base.group_user,account.group_account_manager')
        context = {'allowed_company_ids': self.company.ids, **action['context']}
        env = Environment(self.env.cr, manager.id, context)
        setup = env['ramp.setup'].create({})
        self.assertEqual((setup.start_date, setup.existing_policy), (date(2023, 5, 1), 'book'))
        self.assertEqual((setup.api_url, setup.has_credentials), (self.ramp.api_url, True))
        self.go_to('preview', setup).action_connect()
        self.assertEqual((self.connections(), connection.state, connection.name), (connection, 'connected', 'Mine'))
        with self.assertRaisesRegex(UserError, 'connected already'):
            connection.action_set_up()


@tagged('post_install', '-at_install', 'ramp')
class TestSetupSecrets(SetupCase):
    def test_secret_is_never_read_back(self):
        """Not by who entered it, not through any field, and not after Connect."""
        setup = self.begin()
        self.assertFalse(setup.client_secret)
        self.assertTrue(setup.has_credentials)
        self.assertNotIn(self.ramp.client_secret, str(setup.read()))
        self.assertNotIn(self.ramp.client_secret, str(setup.web_read({name: {} for name in setup.fields_get()})))
        with self.assertRaises(AccessError):
            setup.read(['kept_secret'])
        with self.assertRaises(AccessError):
            setup.search([('kept_secret', 'like', 'x')])
        specification = {'client_secret': {}, 'has_credentials': {}}
        saved = setup.web_save({'client_secret': 'another-secret'}, specification)
        self.assertEqual(saved[0]['client_secret'], False)
        self.assertEqual(setup.sudo().kept_secret, 'another-secret')

    def test_own_assistant_only(self):
        """Another accounting administrator can neither read nor use it."""
        setup = self.begin()
        other = self.make_user('ramp_setup_other', SYSTEM)
        for call in (
            lambda own: own.read(['client_id']),
            lambda own: own.action_next(),
            lambda own: own.action_cancel(),
        ):
            with self.assertRaises(AccessError):
                call(setup.with_user(other))

    def test_credentials_that_are_kept(self):
        """An accounting administrator without system rights cannot replace the credentials of a connection."""
        connection = self.env['ramp.connection'].create(
            {
                'company_id': self.company.id,
                'environment': 'custom',
                'api_url': self.ramp.api_url,
                'client_id': 'kept',
                'client_secret': 'kept',
            }
        )
        manager = self.make_user('ramp_setup_manager', 'base.group_user,account.group_account_manager')
        setup = self.begin(manager, connection_id=connection.id)
        with self.assertRaisesRegex(AccessError, 'Only a system administrator'):
            setup.action_next()
        self.assertFalse(self.ramp.requests)

    def test_custom_address(self):
        """Only a system administrator says where the credentials are sent, and the address is checked first."""
        manager = self.make_user('ramp_setup_manager', 'base.group_user,account.group_account_manager')
        with self.assertRaisesRegex(AccessError, 'Only a system administrator'):
            self.begin(manager).action_next()
        for address in (
            'ftp://ramp.example.com',
            'https://name:secret@ramp.example.com',
            'https://ramp.example.com/?a',
        ):
            with self.subTest(address), self.assertRaisesRegex(ValidationError, 'field "API Address"'):
                self.begin(api_url=address).action_next()
        self.assertFalse(self.ramp.requests)

    def test_accounting_administrator(self):
        """An accounting administrator without system rights sets up a new connection, and cannot read the credentials."""
        self.patch(ramp_connection_api, 'API_URLS', {'sandbox': self.ramp.api_url})
        client = ramp_connection_api.RampClient
        self.patch(
            ramp_connection_api, 'RampClient', lambda *args, **options: client(*args, **{**options, 'allow_http': True})
        )
        manager = self.make_user('ramp_setup_manager', 'base.group_user,account.group_account_manager')
        setup = self.go_to('preview', self.begin(manager, environment='sandbox', api_url=False))
        setup.action_connect()
        connection = self.connections()
        self.assertEqual((connection.state, connection.client_secret), ('connected', self.ramp.client_secret))
        with self.assertRaises(AccessError):
            setup.connection_id.read(['client_secret'])

    def test_company_of_others(self):
        elsewhere = self.env['res.company'].create({'name': 'Elsewhere'})
        with self.assertRaisesRegex(AccessError, 'You do not work in the company Elsewhere'):
            self.begin(company_id=elsewhere.id).action_next()
        self.user.company_ids = [Command.link(elsewhere.id)]
        setup = self.begin(company_id=elsewhere.id)
        with self.assertRaisesRegex(UserError, 'Choose the company Elsewhere in the list of companies'):
            setup.with_context(allowed_company_ids=self.company.ids).action_next()
        self.assertFalse(self.ramp.requests)

    def test_accountants_have_no_assistant(self):
        user = self.make_user('ramp_setup_accountant', 'base.group_user,account.group_account_user')
        with self.assertRaises(AccessError):
            self.begin(user)

    def test_refused(self):
        """Wrong credentials, or none: the page says what to do, and stays."""
        setup = self.begin(client_secret='wrong')
        with self.assertRaisesRegex(UserError, 'Ramp refused the client id and secret'), self.env.cr.savepoint():
            setup.action_next()
        self.assertEqual(setup.state, 'credentials')
        with self.assertRaisesRegex(UserError, 'Enter the Client ID and the Client Secret'):
            self.begin(client_secret=False).action_next()

    def test_silence(self):
        """A Ramp that does not answer gets one try."""
        setup = self.begin()
        self.ramp.faults.add_fault('server_error', '*', status=503)
        with self.assertRaisesRegex(UserError, 'Connection Ramp'):
            setup.action_next()
        self.assertEqual(len(self.ramp.requests), 1)


@tagged('post_install', '-at_install', 'ramp')
class TestSetupMenu(SetupCase):
    def test_first_entry_until_connected(self):
        """*Set Up* is the first entry of the menu of Ramp until a connection is connected."""

        def entries():
            menus = self.env['ir.ui.menu'].with_user(self.user).load_menus(False)
            root = self.env.ref('ramp_connector.ramp_menu_root').id
            return [menus[child].get('xmlid') for child in menus[root]['children']]

        self.assertEqual(entries()[0], 'ramp_connector.ramp_menu_setup_first')
        self.go_to('preview').action_connect()
        self.assertNotIn('ramp_connector.ramp_menu_setup_first', entries())
        self.connections().with_user(self.user).action_disconnect()
        self.assertEqual(entries()[0], 'ramp_connector.ramp_menu_setup_first')


@tagged('post_install', '-at_install', 'ramp', 'ramp_tour')
class TestSetupTours(SetupCase, BrowserCase):
    """From a company without a connection to a connected one, by screens alone, in a real browser."""

    def test_set_up(self):
        self.spend(4200, date=f'{self.env.cr.now():%Y-%m-%d}T00:00:00Z')
        self.ramp.scopes = tuple(scope for scope in self.ramp.scopes if scope != 'repayments:read')
        cookies = {
            'ramp_url': self.ramp.api_url,
            'ramp_id': self.ramp.client_id,
            'ramp_secret': self.ramp.client_secret,
        }
        self.start_tour('/odoo', 'ramp_connector_setup', login=self.user.login, cookies=cookies)
        self.env.invalidate_all()
        connection = self.connections()
        self.assertEqual((connection.state, connection.pull_repayments), ('connected', False))
        self.assertTrue(connection.check_ids)
        self.assertFalse(self.env['ramp.setup'].search([]).filtered(lambda setup: setup.sudo().kept_secret))
        self.ramp.assert_clean()
