# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from unittest.mock import patch

from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..ramp_api import PayloadError
from .common import RampCase


@tagged('post_install', '-at_install', 'ramp')
class TestConnection(RampCase):
    connect = False

    def seats(self, **values):
        return [
            row for row in self.ramp.state['connections'] if all(row.get(key) == value for key, value in values.items())
        ]

    def check_of(self, key):
        return self.connection.check_ids.filtered(lambda check: check.check_key == key)

    def test_check_configuration_names_business_and_missing_scopes(self):
        action = self.connection.action_test_connection()
        self.assertEqual((action['res_model'], action['res_id']), ('ramp.connection', self.connection.id))
        self.assertEqual((self.check_of('business').level, self.check_of('scopes').level), ('ok', 'ok'))
        self.assertIn('Widget Works Inc.', self.check_of('business').message)
        self.assertEqual(self.connection.ramp_business_name, 'Widget Works Inc.')
        self.ramp.scopes = tuple(scope for scope in self.ramp.scopes if scope != 'receipts:read')
        self.connection.action_test_connection()
        self.assertEqual(self.check_of('scopes').level, 'error')
        self.assertIn('receipts:read', self.check_of('scopes').message)
        self.assertEqual(self.ramp.list_write_calls(), [])
        self.assertEqual(self.connection.state, 'draft')

    def test_wrong_secret_is_said_in_words_and_is_not_repeated(self):
        self.connection.client_secret = 'not-the-secret'
        self.connection.action_test_connection()
        self.assertEqual(self.check_of('client_secret').level, 'error')
        self.assertIn('refused the client id and secret', self.check_of('client_secret').message)
        for check in self.connection.check_ids:
            self.assertNotIn('not-the-secret', f'{check.message} {check.parameters}')

    def test_no_credentials(self):
        self.connection.write({'client_id': False, 'client_secret': False})
        self.assertFalse(self.connection.has_credentials)
        with self.assertRaisesRegex(UserError, 'no client id and secret'):
            self.connection.action_connect()

    def test_connect_takes_the_seat_and_sets_up_the_books(self):
        self.assertFalse(self.env.ref('ramp_connector.cron_transaction').active)
        self.connection.action_connect()
        self.assertEqual(self.connection.state, 'connected')
        (seat,) = self.seats(is_active=True)
        self.assertEqual(seat['id'], self.connection.accounting_connection_id)
        self.assertEqual(seat['remote_provider_name'], self.connection._seat_name())
        journal = self.connection.card_journal_id
        self.assertEqual((journal.type, journal.company_id), ('credit', self.company))
        self.assertEqual(journal.default_account_id.account_type, 'liability_credit_card')
        self.assertTrue(self.env.ref('ramp_connector.cron_transaction').active)
        self.assertTrue(self.env.ref('ramp_connector.cron_receipt').active)
        self.assertTrue(
            self.env['ir.cron.trigger'].search_count(
                [('cron_id', '=', self.env.ref('ramp_connector.cron_transaction').id)]
            )
        )

    def test_connect_twice_takes_one_seat(self):
        self.connection.action_connect()
        calls = len(self.ramp.list_write_calls())
        self.connection.action_connect()
        self.assertEqual(len(self.ramp.list_write_calls()), calls)
        self.connection.state = 'draft'  # a crash after Ramp gave the integration and before the commit
        self.connection.action_connect()
        self.assertEqual(len(self.ramp.list_write_calls()), calls)
        self.assertEqual(len(self.seats(is_active=True)), 1)

    def test_foreign_incumbent_is_left_alone(self):
        for kind in ('DIRECT', 'API'):
            with self.subTest(kind):
                self.ramp.reset_business()
                self.ramp.take_accounting_seat('QuickBooks Online', kind)
                with self.assertRaisesRegex(UserError, 'taken by "QuickBooks Online"'):
                    self.connection.action_connect()
                self.assertEqual(self.ramp.list_write_calls(), [])
                self.assertEqual(self.connection.state, 'draft')
                self.assertFalse(self.env.ref('ramp_connector.cron_transaction').active)

    def test_seat_taken_between_our_look_and_our_request(self):
        """If another system takes the integration between Odoo's check and its request, Ramp answers with that system's
        connection, and Connect fails.
        """
        self.ramp.add_before_hook(
            lambda method, path, body: (
                method == 'POST'
                and path.endswith('/accounting/connection')
                and not self.seats(is_active=True)
                and self.ramp.take_accounting_seat('NetSuite', 'DIRECT')
            )
        )
        with self.assertRaisesRegex(UserError, 'NetSuite'):
            self.connection.action_connect()
        self.assertEqual(self.connection.state, 'draft')

    def test_own_tombstone_is_revived(self):
        self.connection.action_connect()
        first = self.connection.accounting_connection_id
        self.connection.action_disconnect()
        self.assertEqual(self.seats(is_active=True), [])
        self.assertEqual(self.connection.state, 'disconnected')
        self.assertFalse(self.env.ref('ramp_connector.cron_transaction').active)
        self.connection.action_connect()
        self.assertEqual(self.connection.accounting_connection_id, first)
        self.assertEqual(len(self.seats()), 1)

    def test_disconnect_never_deletes_a_seat_that_is_not_ours(self):
        self.connection.action_connect()
        self.ramp.state['connections'].update_row(
            self.connection.accounting_connection_id, is_active=False, status='unlinked'
        )
        self.ramp.take_accounting_seat('NetSuite', 'API')
        self.connection.action_disconnect()
        self.assertEqual([seat['remote_provider_name'] for seat in self.seats(is_active=True)], ['NetSuite'])

    def test_two_companies_share_the_seat_until_the_last_leaves(self):
        entities = [row['id'] for row in self.ramp.state['entities']]
        self.connection.ramp_entity_id = entities[0]
        self.connection.action_connect()
        second = self.connection.copy(
            {
                'existing_policy': 'book',
                'client_id': self.ramp.client_id,
                'client_secret': self.ramp.client_secret,
                'ramp_entity_id': entities[1],
            }
        )
        second.action_connect()
        self.assertEqual(second.accounting_connection_id, self.connection.accounting_connection_id)
        self.connection.action_disconnect()
        self.assertEqual(len(self.seats(is_active=True)), 1)
        second.action_disconnect()
        self.assertEqual(self.seats(is_active=True), [])

    def test_disconnect_works_without_valid_credentials(self):
        self.connection.action_connect()
        self.connection.client_secret = 'revoked'
        action = self.connection.action_disconnect()
        self.assertEqual(self.connection.state, 'disconnected')
        self.assertEqual(action['params']['type'], 'warning')

    def test_a_copy_of_the_database_never_speaks_to_ramp(self):
        self.connection.action_connect()
        ramp_id = self.spend()
        self.connection.database = f'{self.env["ir.config_parameter"].get_param("database.uuid")} the_original'
        self.assertTrue(self.connection.is_copy)
        asked = len(self.ramp.requests)
        runs = self.sync('transaction', 'account')
        self.assertEqual(len(self.ramp.requests), asked)
        self.assertFalse(self.record(ramp_id))
        self.assertIn('copy of the one that was connected', runs[:1].message)
        self.connection.action_claim_database()
        self.sync('transaction')
        self.assertConfirmed(ramp_id)

    def test_a_copy_that_is_disconnected_leaves_the_seat_to_the_original(self):
        self.connection.action_connect()
        self.connection.database = 'another'
        asked = len(self.ramp.requests)
        self.connection.action_disconnect()
        self.assertEqual(
            (self.connection.state, self.connection.database, len(self.ramp.requests)), ('disconnected', False, asked)
        )

    def test_seat_is_given_back_on_uninstall(self):
        from ..hooks import uninstall_hook

        self.connection.action_connect()
        uninstall_hook(self.env)
        self.assertEqual(self.seats(is_active=True), [])

    @mute_logger('odoo.addons.ramp_connector.hooks')
    def test_uninstall_sees_archived_ones_and_survives_nonsense(self):
        from ..hooks import uninstall_hook

        self.connection.action_connect()
        self.env.flush_all()
        self.env.cr.execute('UPDATE ramp_connection SET active = false')  # an earlier version allowed this
        self.env.invalidate_all()
        with patch.object(
            type(self.connection), '_accounting_providers', side_effect=PayloadError('status', 'missing')
        ):
            uninstall_hook(self.env)
        self.assertEqual(self.connection.state, 'disconnected')
        self.assertEqual(len(self.seats(is_active=True)), 1)
        self.connection.state = 'connected'
        self.connection.flush_recordset()
        uninstall_hook(self.env)
        self.assertEqual(self.seats(is_active=True), [])

    def test_a_connected_one_is_not_archived_and_an_archived_one_not_connected(self):
        self.connection.action_connect()
        with self.assertRaisesRegex(ValidationError, 'Disconnect Ramp before'):
            self.connection.action_archive()
        self.connection.action_disconnect()
        self.connection.action_archive()
        self.assertEqual(self.seats(is_active=True), [])
        with self.assertRaisesRegex(UserError, 'Unarchive'):
            self.connection.action_connect()
        self.assertEqual(self.seats(is_active=True), [])
        self.connection.action_unarchive()
        self.connection.action_connect()

    def test_sync_now_needs_a_connection_and_makes_no_request(self):
        with self.assertRaisesRegex(UserError, 'Press Connect first'):
            self.connection.action_sync_now()
        self.connection.action_connect()
        requests = len(self.ramp.requests)
        self.assertEqual(self.connection.action_sync_now()['params']['type'], 'success')
        self.assertEqual(len(self.ramp.requests), requests, 'a button never waits for Ramp')
        self.assertEqual(self.connection.run_state, 'queued')
        self.sync(now=False)
        self.assertEqual(self.connection.run_state, 'idle')

    @mute_logger('odoo.addons.ramp_connector.flows.engine.flow')
    def test_ramp_down_is_said_on_the_connection_and_clears(self):
        self.connection.action_connect()
        self.ramp.faults.add_fault('server_error', count=100)
        runs = self.sync('transaction')
        self.assertEqual(runs.state, 'failed')
        self.assertIn('Ramp', self.connection.last_error)
        self.ramp.faults.clear_faults()
        self.sync('transaction')
        self.assertFalse(self.connection.last_error)

    def test_address_and_entity_are_checked(self):
        with self.assertRaisesRegex(ValidationError, 'API Address'):
            self.connection.api_url = 'ftp://example.com'
        with self.assertRaisesRegex(ValidationError, 'not the id of a Ramp entity'):
            self.connection.ramp_entity_id = 'Main'

    def test_connection_with_history_cannot_be_deleted(self):
        self.connection.action_connect()
        with self.assertRaisesRegex(UserError, 'Disconnect'):
            self.connection.unlink()
        self.spend()
        self.sync()
        self.connection.action_disconnect()
        with self.assertRaisesRegex(UserError, 'Archive it'):
            self.connection.unlink()

    def test_identity_is_kept(self):
        self.assertRegex(self.connection._database_identity(), r'^[0-9a-f]{8}$')
        self.assertEqual(self.connection._database_identity(), self.connection._database_identity())
        self.assertEqual(
            self.external(self.account_meals), f'{self.connection._database_identity()}-account-{self.account_meals.id}'
        )
