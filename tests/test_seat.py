# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import importlib.util
import os
from datetime import timedelta
from unittest.mock import patch

from odoo import SUPERUSER_ID, Command, api
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.modules.neutralize import neutralize_database
from odoo.tests import Form, TransactionCase, new_test_user, tagged
from odoo.tools import config, file_path, mute_logger

from ..hooks import post_init_hook
from ..models.connection_constants import IDENTITY_PARAMETER
from ..ramp_api import RampClient
from .common import PayablesCase, RampCase, SmokeTags
from .test_security import RpcCase
from .test_webhook import WebhookCase

OTHER_BUSINESS = '0f1e2d3c-0000-4000-8000-00000000000b'
QUIET = 'odoo.addons.ramp_connector.flows.engine.flow'


class SeatCase(RampCase):
    def seats(self, **values):
        return [
            row for row in self.ramp.state['connections'] if all(row.get(key) == value for key, value in values.items())
        ]

    def become_another_business(self, secret='of-another-app'):
        """Let the app with this secret belong to another Ramp business, which answers at the same address."""
        business = next(iter(self.ramp.state['business']))
        rows = self.ramp.state['business'].rows
        rows[OTHER_BUSINESS] = rows.pop(business['id'])
        rows[OTHER_BUSINESS].update(
            id=OTHER_BUSINESS, business_name_legal='Gadget Guild LLC', business_name_on_card='Gadget Guild'
        )
        self.ramp.client_secret = secret
        for token in self.ramp.state.tokens.values():
            token['dead'] = 'revoked'
        self.connection.client_secret = secret

    def paths(self, since):
        return [(entry['method'], entry['path'].rpartition('/v1')[2]) for entry in self.ramp.requests[since:]]


@tagged('post_install', '-at_install', 'ramp')
class TestBusiness(SeatCase):
    """The objects of a connection belong to one Ramp business, and to no other."""

    def test_the_first_connect_learns_the_business(self):
        business = next(iter(self.ramp.state['business']))
        self.assertEqual(
            (self.connection.ramp_business_id, self.connection.ramp_business_name),
            (business['id'], business['business_name_legal']),
        )

    @mute_logger(QUIET)
    def test_credentials_of_another_business_stop_every_run(self):
        self.spend()
        self.sync('account', 'transaction')
        known = [('ramp_id', '!=', False)]  # other rows are of Odoo's own objects
        rows, journal = self.env['ramp.record'].search_count(known), len(self.ramp.state.journal)
        self.become_another_business()
        theirs = self.spend()
        asked = len(self.ramp.requests)
        self.account_meals.name = 'Lunch'
        runs = self.sync(
            *(
                flow._flow
                for flow in self.connection._flow_models()
                if flow._get_cron_job() and flow._is_enabled_for(self.connection)
            )
        )
        self.assertEqual({run.state for run in runs}, {'failed'})
        for run in runs:
            self.assertRegex(
                run.message, r'"Gadget Guild LLC" \(0f1e.*belongs to "Widget Works Inc\." \(.*Enter the client id and '
            )
        self.assertIn('Gadget Guild LLC', self.connection.last_error)
        self.assertEqual(self.env['ramp.record'].search_count(known), rows)
        self.assertFalse(self.record(theirs))
        self.assertEqual(len(self.ramp.state.journal), journal)
        self.assertEqual({path for path in self.paths(asked) if path[1] != '/token'}, {('GET', '/business')})
        self.assertEqual(self.connection.ramp_business_name, 'Widget Works Inc.')
        for button in (
            self.connection.action_test_connection,
            self.connection.action_disconnect,
            self.connection.action_connect,
        ):
            with self.subTest(button.__name__):
                if button.__name__ == 'action_disconnect':  # Disconnect is still allowed
                    button()
                    self.assertEqual(self.connection.state, 'disconnected')
                    continue
                if button.__name__ == 'action_test_connection':  # it says all that is wrong
                    button()
                    check = self.connection.check_ids.filtered(lambda check: check.check_key == 'business')
                    self.assertEqual(check.level, 'error')
                    self.assertRegex(check.message, 'Gadget Guild LLC.*create a new connection')
                    continue
                with self.assertRaisesRegex(UserError, 'Gadget Guild LLC.*create a new connection'):
                    button()
        self.assertEqual(self.connection.state, 'disconnected')

    def test_a_new_secret_of_the_same_business_is_asked_about_once(self):
        self.ramp.client_secret = self.connection.client_secret = 'rotated'
        ramp_id = self.spend()
        asked = len(self.ramp.requests)
        self.sync('transaction')
        self.assertConfirmed(ramp_id)
        self.assertEqual(self.paths(asked)[:2], [('POST', '/token'), ('GET', '/business')])
        self.sync('transaction', 'account')
        self.assertEqual(self.paths(asked).count(('GET', '/business')), 1)

    def test_nothing_is_asked_with_credentials_that_nobody_asked_about(self):
        self.connection.client_secret = 'changed in the course of a run'
        with self.assertRaisesRegex(UserError, 'Nothing is read, posted or sent'):
            self.connection._run_client()

    def test_one_of_an_earlier_version_learns_it_in_the_first_run(self):
        business = self.connection.ramp_business_id
        self.connection.write({'ramp_business_id': False, 'verified_credentials': False})
        ramp_id = self.spend()
        asked = len(self.ramp.requests)
        self.sync('transaction')
        self.assertConfirmed(ramp_id)
        self.assertEqual(self.paths(asked)[0], ('GET', '/business'))
        self.assertEqual(self.connection.ramp_business_id, business)

    @mute_logger(QUIET)
    def test_a_ramp_that_does_not_say_its_business_is_not_used(self):
        self.connection.write({'ramp_business_id': False, 'verified_credentials': False})
        next(iter(self.ramp.state['business'])).update(id=None, _broken=True)
        self.ramp.contract = None
        runs = self.sync('transaction')
        self.assertRegex(runs.message, 'does not say which business')
        self.connection.action_disconnect()
        with self.assertRaisesRegex(UserError, 'does not say which business'):
            self.connection.action_connect()

    def test_one_that_has_brought_nothing_moves_freely(self):
        self.env['ramp.record'].search([]).unlink()
        self.become_another_business()
        with mute_logger(QUIET):
            self.assertIn('press Disconnect, then Connect', self.sync('transaction').message)
        self.connection.action_disconnect()
        self.connection.action_connect()
        self.assertEqual(
            (self.connection.ramp_business_id, self.connection.ramp_business_name), (OTHER_BUSINESS, 'Gadget Guild LLC')
        )
        ramp_id = self.spend()
        self.sync('transaction')
        self.assertConfirmed(ramp_id)

    def test_with_rows_the_address_stays(self):
        manager = new_test_user(
            self.env,
            'ramp_mover',
            'base.group_user,account.group_account_manager,base.group_system',
            company_id=(self.company.id),
            company_ids=[Command.set(self.company.ids)],
        )
        connection = self.connection.with_user(manager)
        self.spend()
        self.sync('transaction')
        self.connection.action_disconnect()
        for values in (
            {'environment': 'production'},
            {'environment': 'sandbox', 'api_url': False},
            {'api_url': 'https://a.example.com'},
        ):
            with self.subTest(values=values), self.assertRaisesRegex(UserError, 'Create a new connection'):
                connection.write(values)
        connection.write({'environment': 'custom', 'api_url': self.ramp.api_url})  # the same values
        self.env['ramp.record'].search([]).unlink()
        connection.write({'environment': 'sandbox', 'api_url': False})


@tagged('post_install', '-at_install', 'ramp')
class TestIdentity(SeatCase):
    """The identity of the database and its integration in Ramp outlive a Connect that fails or is rolled back."""

    connect = False

    @contextlib.contextmanager
    def undone(self):
        """Roll back everything that is done inside the block."""
        savepoint = self.env.cr.savepoint()
        yield
        self.env.flush_all()
        savepoint.rollback()
        self.env.invalidate_all()
        self.env.registry.clear_cache()

    def test_an_installation_names_the_database(self):
        self.env['ir.config_parameter'].search([('key', '=', IDENTITY_PARAMETER)]).unlink()
        post_init_hook(self.env)
        self.assertRegex(self.env['ir.config_parameter'].get_param(IDENTITY_PARAMETER), '^[0-9a-f]{8}$')

    def test_connect_that_is_rolled_back_finds_its_seat_again(self):
        with self.undone():
            self.connection.action_connect()
        self.assertEqual(self.connection.state, 'draft')
        (seat,) = self.seats(is_active=True)
        self.connection.action_connect()
        self.assertEqual((self.connection.state, self.connection.accounting_connection_id), ('connected', seat['id']))
        self.assertEqual(len(self.seats()), 1)

    def test_the_seat_is_taken_last(self):
        """The integration in Ramp is taken last, so that an error in Odoo comes before Ramp has changed anything."""
        failing = patch.object(type(self.connection), '_complete_set_up', side_effect=UserError('No chart of accounts'))
        with failing, self.assertRaisesRegex(UserError, 'No chart'):
            self.connection.action_connect()
        self.assertEqual(self.ramp.list_write_calls(), [])

    def test_disconnect_that_is_rolled_back_says_what_to_do(self):
        self.connection.action_connect()
        with self.undone():
            self.connection.action_disconnect()
        self.assertEqual((self.connection.state, self.seats(is_active=True)), ('connected', []))
        self.spend()
        with mute_logger(QUIET):
            self.assertIn('Press Disconnect and Connect', self.sync('transaction').message)
        self.connection.action_disconnect()
        self.connection.action_connect()
        self.assertEqual(len(self.seats(is_active=True)), 1)


@tagged('post_install', '-at_install', 'ramp')
class TestIdentityForGood(SmokeTags, TransactionCase):
    """Uses the committed identity. Another test, in a transaction that began before, may not write it afterwards."""

    def test_the_identity_outlives_a_rollback(self):
        """The identity outlives a rollback. The transactions end for real, begin without an identity, and restore it."""

        def work(do):
            with self.env.registry.cursor() as cr:
                return do(cr)

        def value(cr):
            cr.execute('SELECT value FROM ir_config_parameter WHERE key = %s', [IDENTITY_PARAMETER])
            return cr.fetchone()[0]

        before = work(value)
        work(lambda cr: cr.execute('DELETE FROM ir_config_parameter WHERE key = %s', [IDENTITY_PARAMETER]))
        self.env.registry.clear_cache('stable')
        try:
            with self.env.registry.cursor() as cr, self.env.registry.cursor() as other:
                env, beside = (api.Environment(cursor, SUPERUSER_ID, {}) for cursor in (cr, other))
                other.execute('SELECT 1')  # this transaction began before
                identity = env['ramp.connection']._database_identity()
                self.assertEqual(env['ramp.connection']._database_identity(), identity)
                cr.rollback()
                self.assertEqual(
                    beside['ramp.connection']._database_identity(),
                    identity,
                    'who does not see it yet makes no other one',
                )
            self.assertRegex(identity, '^[0-9a-f]{8}$')
            self.assertEqual(work(value), identity)
            self.env.registry.clear_cache('stable')
            self.assertEqual(
                work(lambda cr: api.Environment(cr, SUPERUSER_ID, {})['ramp.connection']._database_identity()), identity
            )
        finally:
            work(
                lambda cr: cr.execute(
                    'UPDATE ir_config_parameter SET value = %s WHERE key = %s', [before, IDENTITY_PARAMETER]
                )
            )
            self.env.registry.clear_cache('stable')


@tagged('post_install', '-at_install', 'ramp')
class TestSettings(SeatCase):
    """A setting that is not switched on in Odoo is off in Ramp."""

    def settings(self):
        (seat,) = self.seats(is_active=True)
        return {name for name, value in seat['settings'].items() if value}

    def test_a_new_seat_has_them_at_once(self):
        self.assertEqual(self.settings(), {'vendor_credits_enabled'})
        calls = len(self.ramp.list_write_calls())
        self.assertEqual(self.sync('seat').state, 'done')
        self.assertEqual(len(self.ramp.list_write_calls()), calls, 'what is as it should be is not sent')

    def test_they_follow_what_the_connection_wants(self):
        calls = len(self.ramp.list_write_calls())
        self.env['ir.cron.trigger'].search([]).unlink()  # those of Connect
        self.connection.pull_bills = False
        self.assertEqual(len(self.ramp.list_write_calls()), calls, 'a person who saves waits for nothing')
        self.assertTrue(
            self.env['ir.cron.trigger'].search_count([('cron_id', '=', self.env.ref('ramp_connector.cron_seat').id)])
        )
        self.sync('seat', now=False)
        self.assertEqual(self.settings(), set())
        self.connection.pull_bills = True
        self.sync('seat', now=False)
        self.assertEqual(self.settings(), {'vendor_credits_enabled'})

    def test_a_seat_of_before_gets_them_and_others_stay(self):
        (seat,) = self.seats(is_active=True)
        off = dict.fromkeys(seat['settings'], False)
        self.ramp.state['connections'].update_row(seat['id'], settings={**off, 'entity_selection_enabled': True})
        self.env['ir.cron.trigger'].search([]).unlink()
        self.assertEqual(self.sync('seat', now=False).state, 'done')
        self.assertEqual(self.settings(), {'vendor_credits_enabled', 'entity_selection_enabled'})
        credit = self.env.ref('ramp_connector.cron_vendor_credit')
        self.assertTrue(
            self.env['ir.cron.trigger'].search_count([('cron_id', '=', credit.id)]), 'what was on no list is there now'
        )

    def test_a_seat_that_is_taken_again(self):
        self.connection.action_disconnect()
        (seat,) = self.seats()
        self.ramp.state['connections'].update_row(seat['id'], settings=dict.fromkeys(seat['settings'], False))
        self.connection.action_connect()
        self.sync('seat', now=False)
        self.assertEqual(self.settings(), {'vendor_credits_enabled'})

    def test_connections_that_share_a_seat_want_together(self):
        other = self.env['res.company'].create(
            {'name': 'Widget Works Europe', 'currency_id': self.company.currency_id.id}
        )
        self.env.user.company_ids += other
        second = self.connection.copy(
            {
                'existing_policy': 'book',
                'company_id': other.id,
                'client_id': self.ramp.client_id,
                'client_secret': self.ramp.client_secret,
                'card_journal_id': False,
                'expense_product_id': False,
                'merchant_partner_id': False,
                'analytic_plan_ids': False,
            }
        )
        second.write({'state': 'connected', 'accounting_connection_id': self.connection.accounting_connection_id})
        self.connection.pull_bills = False
        self.assertTrue(self.connection._wanted_seat_settings()['vendor_credits_enabled'])
        second.pull_bills = False
        self.assertFalse(self.connection._wanted_seat_settings()['vendor_credits_enabled'])

    @mute_logger(QUIET)
    def test_what_ramp_leaves_as_it_was_is_said(self):
        self.connection.pull_bills = False
        (seat,) = self.seats(is_active=True)
        kept = dict(seat['settings'])
        self.ramp.add_after_hook(
            lambda method, path, body: (
                method == 'PATCH' and self.ramp.state['connections'].update_row(seat['id'], settings=kept)
            )
        )
        original = RampClient.patch
        self.patch(
            RampClient,
            'patch',
            lambda client, path, *args, **kwargs: {**original(client, path, *args, **kwargs), 'settings': kept},
        )
        runs = self.sync('seat', now=False)
        self.assertRegex(runs.message, 'did not apply these settings.*vendor_credits_enabled')

    @mute_logger(QUIET)
    def test_a_seat_that_another_system_took_is_left_alone(self):
        self.ramp.take_accounting_seat('NetSuite', 'API')
        self.connection.pull_bills = False
        calls = len(self.ramp.list_write_calls())
        self.assertIn('NetSuite', self.sync('seat', now=False).message)
        self.assertEqual(len(self.ramp.list_write_calls()), calls)


@tagged('post_install', '-at_install', 'ramp')
class TestVendorCreditSetting(PayablesCase):
    def test_a_bill_with_an_applied_credit_does_not_wait_for_ever(self):
        """A bill with an applied credit is settled after the settings are sent, even if an earlier version switched
        nothing on.
        """
        (seat,) = [row for row in self.ramp.state['connections'] if row['is_active']]
        self.ramp.state['connections'].update_row(seat['id'], settings=dict.fromkeys(seat['settings'], False))
        vendor = self.ramp.add_vendor('Acme')
        bill = self.owe(10000, vendor=vendor)
        credit = self.ramp.add_vendor_credit(
            vendor=vendor, amount_minor=10000, account=self.external(self.account_meals)
        )
        self.ramp.apply_vendor_credit(credit, bill)
        self.sync_payables()
        self.assertFalse(self.record(credit, 'vendor_credit'))
        self.sync('seat', now=False)
        self.sync_payables()
        self.assertTrue(self.record(credit, 'vendor_credit').res_id)
        self.assertEqual(self.move(bill).amount_residual, 0)


@tagged('post_install', '-at_install', 'ramp')
class TestSyncButton(WebhookCase):
    """The button Sync is in Ramp while Odoo receives events, and it is answered at once."""

    def once(self):
        super().once()
        self.connection.use_webhooks = True
        for _step in range(2):
            self.run_job()
            self.deliver()

    def settings(self):
        (seat,) = [row for row in self.ramp.state['connections'] if row['is_active']]
        return {name for name, value in seat['settings'].items() if value}

    def press(self, ramp_id):
        """Press Sync in Ramp and run the jobs that are woken; returns their flows."""
        self.woken()
        self.assertTrue(self.ramp.request_sync(ramp_id))
        self.assertEqual(set(self.deliver()), {204})
        flows = self.woken()
        self.sync(*flows, now=False)
        return flows

    def test_the_buttons_come_and_go_with_the_events(self):
        self.assertIn('seat', self.woken())
        self.sync('seat', now=False)
        self.assertEqual(
            self.settings(),
            {'vendor_credits_enabled', 'transaction_sync_button_enabled', 'reimbursement_sync_button_enabled'},
        )
        self.woken()
        self.connection.pull_reimbursements = False
        self.assertIn('seat', self.woken())
        self.sync('seat', now=False)
        self.assertEqual(self.settings(), {'vendor_credits_enabled', 'transaction_sync_button_enabled'})
        self.connection.use_webhooks = False
        self.woken()
        self.run_job()
        self.assertIn('seat', self.woken())
        self.sync('seat', now=False)
        self.assertEqual(self.settings(), {'vendor_credits_enabled'})

    def test_sync_is_answered_by_the_job_that_it_wakes(self):
        self.sync('seat', now=False)
        ramp_id = self.spend()
        self.assertEqual(self.press(ramp_id), ['transaction'])
        self.assertConfirmed(ramp_id)

    def test_sync_on_what_is_held_is_answered_again(self):
        self.sync('seat', now=False)
        ramp_id = self.spend(account=None)
        self.sync('transaction', now=False)
        self.assertHeld(ramp_id, 'no account|not coded|account')
        told = len(self.ramp.list_export_errors(ramp_id))
        self.sync('transaction', now=False)
        self.assertEqual(len(self.ramp.list_export_errors(ramp_id)), told, 'once for each reason, unless somebody asks')
        self.press(ramp_id)
        self.assertEqual(len(self.ramp.list_export_errors(ramp_id)), told + 1)
        self.assertHeld(ramp_id, 'account')
        for event in self.events():  # move it out of the second of the run that got it
            event.received_at -= timedelta(seconds=1)
        self.sync('transaction', now=False)
        self.assertEqual(len(self.ramp.list_export_errors(ramp_id)), told + 1)

    def test_sync_on_what_failed_is_tried_at_once(self):
        self.sync('seat', now=False)
        ramp_id = self.spend()
        with patch.object(type(self.env['ramp.flow.transaction']), '_book_plans', side_effect=UserError('Not today')):
            self.sync('transaction', now=False)
            self.sync('transaction', now=False)
            self.sync('transaction', now=False)
        record = self.record(ramp_id)
        self.assertEqual(record.state, 'error')
        self.assertTrue(record.next_attempt > self.env.cr.now())
        self.press(ramp_id)
        self.assertConfirmed(ramp_id)


@tagged('post_install', '-at_install', 'ramp')
class TestServerCredentials(SeatCase):
    """Credentials that the server keeps are for one connection of one database."""

    connect = False

    def once(self):
        super().once()
        self.other = self.connection.copy({'existing_policy': 'book', 'environment': 'production', 'api_url': False})

    @contextlib.contextmanager
    def kept(self, **values):
        """Set variables of the server, whose names contain the database and the id of the connection."""
        with patch.dict(os.environ, values):
            self.env.invalidate_all()
            yield
        self.env.invalidate_all()

    def test_they_are_for_the_connection_that_is_named(self):
        names = self.other._server_names()
        self.assertEqual(
            names, tuple(f'RAMP_CLIENT_{part}_{self.env.cr.dbname}_{self.other.id}' for part in ('ID', 'SECRET'))
        )
        third = self.other.copy({'environment': 'sandbox'})
        with self.kept(**dict(zip(names, ('kept', 'safe'), strict=True))):
            self.assertEqual(self.other._client_credentials(), ('kept', 'safe'))
            self.assertTrue(self.other.has_credentials)
            for connection in (self.connection, third):
                self.assertNotIn('safe', connection._client_credentials())
        self.assertEqual(self.other._client_credentials(), (False, False))

    def test_the_names_of_before_are_nobodys(self):
        ids = {
            f'{name}{suffix}': 'x'
            for name in ('RAMP_CLIENT_ID', 'RAMP_CLIENT_SECRET')
            for suffix in ('', f'_{self.other.id}', f'_{self.connection.id}', f'_another_{self.other.id}')
        }
        with self.kept(**ids):
            self.assertFalse(self.other.has_credentials)
            self.assertEqual(self.connection._client_credentials(), (self.ramp.client_id, self.ramp.client_secret))

    def test_never_to_a_custom_address(self):
        names = self.connection._server_names()
        self.connection.write({'client_id': False, 'client_secret': False})
        with self.kept(**dict.fromkeys(names, 'x')):
            self.assertFalse(self.connection.has_credentials)
            with self.assertRaisesRegex(UserError, 'no client id and secret'):
                self.connection.action_connect()

    def test_in_the_configuration_file(self):
        options = config.options if isinstance(config.options, dict) else config._runtime_options
        names = [name.lower() for name in self.other._server_names()]
        with patch.dict(options, dict(zip(names, ('kept', 'safe'), strict=True))):
            self.assertEqual(self.other._client_credentials(), ('kept', 'safe'))

    def test_never_by_a_name_that_two_databases_may_have(self):
        """Credentials that are kept for "shop" are not used for "Shop", as the configuration file ignores case."""
        options = config.options if isinstance(config.options, dict) else config._runtime_options
        with patch.object(self.env.cr, 'dbname', 'Shop'):
            with patch.dict(options, {name.lower(): 'x' for name in self.other._server_names()}):
                self.assertEqual(self.other._server_credentials(), (None, None))
            with self.kept(**dict.fromkeys(self.other._server_names(), 'x')):
                self.assertEqual(self.other._server_credentials(), ('x', 'x'))

    def test_the_message_says_under_which_names(self):
        with self.assertRaisesRegex(UserError, '.* as '.join(self.other._server_names()[:1])):
            self.other.action_connect()

    def test_they_stay_with_their_company(self):
        company = self.env['res.company'].create({'name': 'Elsewhere'})
        companies = self.company + company
        manager = new_test_user(
            self.env,
            'ramp_two',
            'base.group_user,account.group_account_manager',
            company_id=self.company.id,
            company_ids=[Command.set(companies.ids)],
        )
        other = self.other.with_user(manager).with_context(allowed_company_ids=companies.ids)
        other.write({'expense_product_id': False, 'merchant_partner_id': False, 'ramp_partner_id': False})
        with (
            self.kept(**dict.fromkeys(self.other._server_names(), 'x')),
            self.assertRaisesRegex(AccessError, 'kept on the server'),
        ):
            other.company_id = company
        other.company_id = company


@tagged('post_install', '-at_install', 'ramp')
class TestUpgrade(SeatCase):
    def test_from_before(self):
        """The upgrade starts the job and names the database. Connections with credentials under the former names are
        told.
        """
        spec = importlib.util.spec_from_file_location(
            'post_seat', file_path('ramp_connector/migrations/19.0.1.5.0/post-seat.py')
        )
        script = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(script)
        self.env.ref('ramp_connector.cron_seat').active = False
        self.env['ir.config_parameter'].search([('key', '=', IDENTITY_PARAMETER)]).unlink()
        plain, named, entered = (
            self.env['ramp.connection'].create(
                {
                    'name': name,
                    'company_id': self.company.id,
                    'environment': environment,
                    'active': environment != 'sandbox',
                }
            )
            for name, environment in (('Plain', 'production'), ('Named', 'sandbox'), ('Entered', 'sandbox'))
        )
        entered.write({'client_id': 'x', 'client_secret': 'x'})

        def told(**values):
            messages = {
                connection: len(connection.message_ids) for connection in plain + named + entered + self.connection
            }
            with patch.dict(os.environ, values):
                self.env.invalidate_all()
                script.migrate(self.env.cr, '19.0.1.4.0')
            return [connection.name for connection, count in messages.items() if len(connection.message_ids) > count]

        self.assertEqual(told(**{f'RAMP_CLIENT_SECRET_{named.id}': 'x'}), ['Named'])
        self.assertIn(named._server_names()[1], named.message_ids[0].body)
        self.assertEqual(told(RAMP_CLIENT_SECRET='x'), ['Plain', 'Named'])
        self.assertEqual(told(), [])
        self.assertTrue(self.env.ref('ramp_connector.cron_seat').active)
        self.assertRegex(self.env['ir.config_parameter'].get_param(IDENTITY_PARAMETER), '^[0-9a-f]{8}$')


@tagged('post_install', '-at_install', 'ramp')
class TestLeaving(SeatCase):
    """A connection can be disconnected even if Ramp does not answer."""

    def leave(self):
        asked = len(self.ramp.requests)
        action = self.connection.action_disconnect()
        self.assertEqual((self.connection.state, action['params']['type']), ('disconnected', 'warning'))
        for text in (action['params']['message'], self.connection.last_error):
            self.assertIn(self.connection._seat_name(), text)
            self.assertIn('Settings > Accounting', text)
        return self.paths(asked)

    def test_ramp_fails(self):
        self.ramp.faults.add_fault('server_error', count=100)
        self.assertEqual(len(self.leave()), 1, 'one short try')

    def test_nobody_answers(self):
        self.ramp.stop_server()
        self.leave()
        self.connection.action_archive()
        self.assertFalse(self.connection.active)

    def test_without_credentials(self):
        self.connection.write({'client_id': False, 'client_secret': False})
        self.assertEqual(self.leave(), [])

    def test_nonsense(self):
        self.ramp.add_before_hook(
            lambda method, path, body: (
                path.endswith('all-connections')
                and self.ramp.state['connections'].update_row(
                    self.connection.accounting_connection_id, id='x', _broken=True
                )
            )
        )
        self.ramp.contract = None
        self.leave()

    def test_webhooks_that_cannot_be_ended_do_not_keep_the_seat(self):
        self.env['ramp.webhook'].create({'connection_id': self.connection.id})
        self.ramp.add_before_hook(self.refuse_webhooks)
        self.leave()
        self.assertEqual(self.seats(is_active=True), [])
        self.assertFalse(self.connection._webhook_subscriptions())

    @staticmethod
    def refuse_webhooks(method, path, body):
        from ..simulator.errors import RampError

        if path.endswith('/webhooks'):
            raise RampError(403, 'DEVELOPER_7100', 'Missing scope')

    def test_then_it_is_moved_archived_and_deleted(self):
        self.ramp.stop_server()
        self.leave()
        self.env['ramp.record'].search([]).unlink()
        manager = new_test_user(
            self.env,
            'ramp_leaver',
            'base.group_user,account.group_account_manager,base.group_system',
            company_id=(self.company.id),
            company_ids=[Command.set(self.company.ids)],
        )
        connection = self.connection.with_user(manager)
        connection.write({'environment': 'sandbox', 'api_url': False})
        connection.action_archive()
        connection.unlink()

    def test_buttons_try_once(self):
        self.connection.action_disconnect()
        for button in ('action_test_connection', 'action_connect'):
            with self.subTest(button):
                self.ramp.faults.add_fault('server_error', count=100)
                asked = len(self.ramp.requests)
                # The configuration check shows the error
                raises = self.assertRaises(UserError) if button == 'action_connect' else contextlib.nullcontext()
                with raises:
                    getattr(self.connection, button)()
                self.assertEqual(len(self.paths(asked)), 1)
                self.ramp.faults.clear_faults()


@tagged('post_install', '-at_install', 'ramp')
class TestNeutralize(SeatCase):
    def test_every_kind_of_connection(self):
        """Neutralizing covers every kind of connection. The scripts of all modules run, as in `odoo-bin neutralize`."""
        entity, other_entity = [row['id'] for row in self.ramp.state['entities']][:2]
        company = self.env['res.company'].create({'name': 'Elsewhere'})

        def make(**values):
            return self.env['ramp.connection'].create(
                {'company_id': self.company.id, 'client_id': 'x', 'client_secret': 'x', **values}
            )

        production = make(environment='production')
        sandbox = make(environment='sandbox')
        of_entity = make(environment='production', ramp_entity_id=entity)
        of_entity_in_sandbox = make(environment='sandbox', ramp_entity_id=entity)
        alone_of_entity = make(environment='production', ramp_entity_id=other_entity)
        alone = make(
            environment='production', company_id=company.id, expense_product_id=False, merchant_partner_id=False
        )
        archived = make(
            environment='production',
            company_id=company.id,
            active=False,
            expense_product_id=False,
            merchant_partner_id=False,
        )
        archived_in_sandbox = make(
            environment='sandbox',
            company_id=company.id,
            active=False,
            expense_product_id=False,
            merchant_partner_id=False,
        )
        every = (
            self.connection
            + production
            + sandbox
            + of_entity
            + of_entity_in_sandbox
            + alone_of_entity
            + alone
            + archived
            + archived_in_sandbox
        )
        self.env['ramp.webhook'].create({'connection_id': self.connection.id})
        business = self.connection.ramp_business_id
        self.env.flush_all()
        neutralize_database(self.env.cr)
        self.env.invalidate_all()
        self.assertEqual(set(every.mapped('environment')), {'custom', 'sandbox'})
        self.assertEqual(set(every.mapped('state')), {'disconnected'})
        for name in (
            'client_id',
            'client_secret',
            'verified_credentials',
            'accounting_connection_id',
            'database',
            'use_webhooks',
        ):
            self.assertFalse(any(every.mapped(name)), name)
        self.assertEqual(
            every.filtered('active'), self.connection + sandbox + of_entity_in_sandbox + alone_of_entity + alone
        )
        self.assertEqual(self.connection.ramp_business_id, business, 'what it has brought is of that one')
        self.assertFalse(self.env['ramp.webhook'].search([]))
        self.assertFalse(
            any(flow._get_cron_job().active for flow in self.connection._flow_models() if flow._get_cron_job())
        )


@tagged('post_install', '-at_install', 'ramp')
class TestAddress(SeatCase):
    connect = False

    def test_odd_addresses_are_refused_with_the_field_named(self):
        for address in (
            'http://[',
            'http://[::1',
            'https://exa mple.com',
            ' https://example.com',
            'https://example.com\n',
            'https://example.com:port',
            'https://example.com:99999',
            'https://example.com:0',
            'https://example.com:',
            'https://user:word@example.com',
            'https://user@example.com',
            'https://exämple.com',
            'https://例え.jp',
            'example.com',
            '//example.com',
            'ftp://example.com',
            'https://',
            'https:///v1',
            'https://?x',
            'https://example.com/?a=b',
            'https://example.com/#a',
            'https://a..example.com',
            'https://exam_ple.com\\@evil.com',
            'https://-',
            'https://example.com\t',
            False,
        ):
            with (
                self.subTest(address=address),
                self.assertRaisesRegex(ValidationError, r'Ramp, field "API Address"'),
                self.env.cr.savepoint(),
            ):
                self.connection.api_url = address
                self.connection.flush_recordset()

    def test_a_user_in_the_address_is_said(self):
        with self.assertRaisesRegex(ValidationError, 'a user name or a password'):
            self.connection.api_url = 'https://user:word@example.com'

    def test_others_are_taken(self):
        for address in (
            'https://ramp-proxy.example.com',
            'https://example.com/developer/v1',
            'http://127.0.0.1:8070',
            'http://[::1]:8070/x',
            'https://xn--exmple-cua.com',
            'http://localhost',
            'HTTPS://Example.com'.lower(),
        ):
            with self.subTest(address=address):
                self.connection.api_url = address
                self.connection.flush_recordset()
                self.assertTrue(self.connection._new_client().base_url)

    def test_one_of_an_earlier_version_is_said_in_words(self):
        self.env.flush_all()
        for address in ('http://[', 'https://example.com:port', 'example.com'):
            self.env.cr.execute('UPDATE ramp_connection SET api_url = %s WHERE id = %s', [address, self.connection.id])
            self.env.invalidate_all()
            with self.subTest(address=address):
                with self.assertRaisesRegex(UserError, 'field "API Address"'):
                    self.connection._run_client()
                self.connection.action_test_connection()
                check = self.connection.check_ids.filtered(lambda check: check.check_key == 'api_address')
                self.assertEqual((check.level, check.case_name), ('error', 'fault'))


@tagged('post_install', '-at_install', 'ramp')
class TestAdministrator(RpcCase):
    """A system administrator without accounting rights can enter the secret, over RPC as the web client does, and in
    the form.
    """

    def once(self):
        super().once()
        self.connection.write(
            {
                'fallback_employee_id': self.employee.id,
                'repayment_account_id': self.account_meals.id,
                'account_type_ids': [Command.set(self.env['ramp.account.type'].search([], limit=2).ids)],
            }
        )
        self.spend()
        self.sync()
        self.roles = {
            'system': new_test_user(
                self.env,
                'ramp_root',
                'base.group_system',
                company_id=self.company.id,
                company_ids=[Command.set(self.company.ids)],
            )
        }
        self.assertFalse(self.roles['system'].has_group('account.group_account_readonly'))
        self.env.flush_all()

    def test_the_form_opens_whole_and_takes_the_secret(self):
        action = self.env.ref('ramp_connector.ramp_connection_action')
        self.call('system', 'ir.actions.act_window', 'read', action.ids, ['res_model'])
        self.assertIn(
            self.env.ref('ramp_connector.ramp_menu_settings').id,
            self.call(
                'system', 'ir.ui.menu', 'search', [('id', '=', self.env.ref('ramp_connector.ramp_menu_settings').id)]
            ),
        )
        views = self.call(
            'system', 'ramp.connection', 'get_views', [[False, 'list'], [False, 'form'], [False, 'search']]
        )
        shown = self.call('system', 'ramp.connection', 'fields_get', [])
        for kind in ('list', 'form'):
            fields = [name for name in views['models']['ramp.connection']['fields'] if name in shown]
            specification = {
                name: ({'fields': {'display_name': {}}} if shown[name].get('relation') else {}) for name in fields
            }
            (values,) = self.call('system', 'ramp.connection', 'web_read', self.connection.ids, specification)
            self.assertEqual(values['client_secret'], self.ramp.client_secret, kind)
            self.assertTrue(values['record_count'])
            self.assertTrue(values['last_sync'])
            self.assertTrue(values['card_account_id']['display_name'])
        self.assertTrue(
            self.call(
                'system', 'ramp.connection', 'web_search_read', [], {'name': {}, 'problem_count': {}, 'last_sync': {}}
            )
        )
        self.call(
            'system',
            'ramp.connection',
            'web_save',
            self.connection.ids,
            {'client_id': 'new', 'client_secret': 'newer'},
            {'has_credentials': {}},
        )
        self.connection.invalidate_recordset()
        self.assertEqual(self.connection._client_credentials(), ('new', 'newer'))

    def test_in_the_form(self):
        administrator = self.roles['system']
        connection = self.connection.with_user(administrator).with_context(allowed_company_ids=self.company.ids)
        with Form(connection) as form:
            form.client_secret = 'another'
        self.assertEqual(self.connection.client_secret, 'another')

    def test_and_nothing_else(self):
        for model, method, args in (
            ('ramp.record', 'search_read', [[], ['id']]),
            ('ramp.run', 'search_read', [[], ['id']]),
            ('ramp.connection', 'action_connect', [self.connection.ids]),
            ('ramp.connection', 'action_disconnect', [self.connection.ids]),
            ('ramp.connection', 'action_sync_now', [self.connection.ids]),
            ('ramp.connection', 'create', [{'name': 'Mine'}]),
            ('ramp.connection', 'unlink', [self.connection.ids]),
        ):
            with self.subTest(method, model=model):
                self.refused('system', model, method, *args)
