# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import functools
import gc
import math
import threading
import time
from collections import Counter
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import UserError
from odoo.sql_db import db_connect
from odoo.tests import tagged
from odoo.tools import config, mute_logger

from ..flows.engine import flow as flow_module
from ..flows.engine.files import RampFlowFile
from ..flows.engine.flow import RampFlow
from ..hooks import uninstall_hook
from ..models import ramp_connection_api, ramp_connection_reach, token_stores
from ..models.ramp_run import ALIVE
from ..models.run_memory import RunMemory, run_memory
from .common import PayablesCase, RampCase

QUICK = {'answer_seconds': 0.2, 'timeout': (1, 1)}  # a silence that ends at once
JOB_SECONDS = RampFlow._get_job_seconds  # before the tests' patch
LOGGER = 'odoo.addons.ramp_connector.flows.engine.flow'


@tagged('post_install', '-at_install', 'ramp')
class TestSilence(RampCase):
    """One job finds out for its whole connection that Ramp does not answer."""

    is_smoke = True

    def setUp(self):
        super().setUp()
        self.patch(ramp_connection_api, 'RampClient', functools.partial(ramp_connection_api.RampClient, **QUICK))
        self.patch(ramp_connection_reach, 'FIRST_PAUSE', timedelta(minutes=1))
        self.patch(ramp_connection_reach, 'LONGEST_PAUSE', timedelta(minutes=10))
        self.calls = len(self.ramp.requests)

    def asked(self):
        """Return the paths that were requested since the last call."""
        paths = [entry['path'] for entry in self.ramp.requests[self.calls :]]
        self.calls = len(self.ramp.requests)
        return paths

    @mute_logger(LOGGER)
    def jobs(self, *flows):
        return self.sync(*flows, now=False)

    def later(self, **delta):
        """Let so much time pass."""
        connection = self.connection
        connection.write({name: connection[name] - timedelta(**delta) for name in ('silent_since', 'silent_until')})
        connection.flush_recordset()

    def test_one_job_finds_out_for_all(self):
        ramp_id = self.spend()
        self.ramp.faults.add_fault('hang')
        run = self.jobs('transaction')
        connection = self.connection
        self.assertEqual(run.state, 'failed')
        self.assertTrue(self.asked())
        self.assertTrue(connection.silent_since)
        self.assertEqual(connection.silent_until - connection.silent_since, timedelta(minutes=1))
        called = self.env['ir.cron.trigger'].search(
            [('cron_id', '=', self.env['ramp.flow.transaction']._get_cron_job().id)]
        )
        self.assertIn(connection.silent_until, called.mapped('call_at'), 'somebody looks again')
        runs = self.jobs('receipt', 'vendor', 'bill', 'watch', 'transaction')
        self.assertFalse(self.asked(), 'nobody asks while Ramp is silent')
        self.assertRegex(runs[0].message, 'Ramp has not answered since .*Odoo tries again at')
        self.assertEqual(set(runs.mapped('state')) - {'done'}, {'failed'})
        self.assertTrue(connection.silent_since)
        # Ramp is still silent: one request shows it, and the next pause is longer.
        self.later(minutes=4)
        self.jobs('transaction')
        self.assertEqual(len(self.asked()), 1)
        self.assertGreaterEqual(connection.silent_until - connection.silent_since, timedelta(minutes=8))
        self.jobs('bill')
        self.assertFalse(self.asked())
        # Ramp answers again: the first job tells the others.
        self.ramp.faults.clear_faults()
        self.later(minutes=9)
        self.env['ir.cron.trigger'].search([]).unlink()
        run = self.jobs('transaction')
        self.assertEqual((run.state, connection.silent_since, connection.silent_until), ('done', False, False))
        self.assertTrue(
            self.env['ir.cron.trigger'].search([('cron_id', '=', self.env['ramp.flow.bill']._get_cron_job().id)])
        )
        self.assertConfirmed(ramp_id)
        self.assertTrue(self.jobs('bill').filtered(lambda run: run.state == 'done'))

    def test_only_a_run_has_a_memory(self):
        """Two runs do not share a memory, and a memory cannot be passed in by the context of a user."""
        first, second = (self.env(context={'ramp_memory': RunMemory()}) for _run in range(2))
        self.assertIs(run_memory(first), run_memory(first(user=self.env.uid)))
        self.assertIsNot(run_memory(first), run_memory(second))
        for context in ({}, {'ramp_memory': None}, {'ramp_memory': {'is_over': True}}):
            outside = self.env(context=context)
            run_memory(outside).is_over = True
            self.assertFalse(run_memory(outside).is_over)

    def test_a_run_closes_its_connections(self):
        """No connection to Ramp outlives its run, whether the garbage collector has time or not."""
        before = set(threading.enumerate())
        gc.disable()
        self.addCleanup(gc.enable)
        for _run in range(2):
            self.jobs('transaction')
        servers = set(threading.enumerate()) - before  # the simulator has a thread for each connection
        for thread in servers:
            thread.join(5)
        self.assertFalse([thread for thread in servers if thread.is_alive()])

    def test_pause_has_an_end(self):
        self.ramp.faults.add_fault('hang')
        self.jobs('transaction')
        self.later(hours=5)
        self.jobs('transaction')
        self.assertLessEqual(self.connection.silent_until - fields.Datetime.now(), timedelta(minutes=10))

    def test_only_one_looks(self):
        """At the end of a pause only the first job asks Ramp. The others wait for its result."""
        self.ramp.faults.add_fault('hang')
        self.jobs('transaction')
        self.later(minutes=2)
        self.assertEqual(self.connection._reach_options(), {'max_attempts': 1})
        self.assertIn('closed', self.connection._reach_options())

    def test_sync_now_asks_now(self):
        self.ramp.faults.add_fault('hang')
        self.jobs('transaction')
        self.ramp.faults.clear_faults()
        self.asked()
        self.sync('transaction')
        self.assertTrue(self.asked())
        self.assertFalse(self.connection.silent_since)

    def test_refusals_and_failures_are_answers(self):
        for fault in (
            {'kind': 'server_error', 'status': 503},
            {'kind': 'rate_limit', 'retry_after': 0},
            {'kind': 'html_error'},
        ):
            with self.subTest(**fault):
                self.ramp.faults.clear_faults()
                self.ramp.faults.add_fault(path='/transactions*', **fault)
                self.assertEqual(self.jobs('transaction').state, 'failed')
                self.assertFalse(self.connection.silent_since)

    def test_what_is_in_the_ledger_is_booked(self):
        """Objects that are in the ledger are posted even while Ramp is silent."""
        self.employee.ramp_user_id = self.user_id
        ramp_id = self.spend()
        with patch.object(type(self.env['ramp.flow.pull']), '_book_and_confirm', lambda *args: None):
            self.jobs('transaction')
        self.ramp.faults.add_fault('hang')
        self.jobs('bill')
        self.asked()
        self.jobs('transaction')
        self.assertEqual((self.record(ramp_id).state, self.asked()), ('done', []))
        self.assertEqual(self.move(ramp_id).state, 'posted')

    def test_an_answer_costs_no_write(self):
        self.sync('transaction')
        written = []
        original = type(self.connection).write
        with patch.object(
            type(self.connection), 'write', lambda records, vals: written.append(vals) or original(records, vals)
        ):
            self.jobs('transaction')
        self.assertFalse(written)

    def test_another_address_is_another_ramp(self):
        self.ramp.faults.add_fault('hang')
        self.jobs('transaction')
        self.connection.write({'state': 'disconnected'})
        self.assertFalse(self.connection.silent_since or self.connection.silent_until)

    def test_another_address_of_one_that_is_not_connected(self):
        for values in ({'environment': 'sandbox'}, {'api_url': 'http://127.0.0.1:1'}):
            with self.subTest(values):
                self.connection.state = 'disconnected'
                now = fields.Datetime.now()
                self.connection.write({'silent_since': now, 'silent_until': now})
                self.connection.write(values)
                self.assertFalse(self.connection.silent_since or self.connection.silent_until)

    def test_screen(self):
        arch = self.env['ramp.connection'].get_view(view_type='form')['arch']
        self.assertIn('Ramp has not answered since', arch)
        self.assertIn('not last_error or silent_since', arch, 'one banner for one cause')


@tagged('post_install', '-at_install', 'ramp')
class TestPatience(RampCase):
    """A user who waits for an answer gets one short attempt."""

    def setUp(self):
        super().setUp()
        self.options = []
        original = ramp_connection_api.RampClient

        def client(*args, **options):
            self.options.append(options)
            return original(*args, **{**options, **QUICK, **self.slower})

        self.slower = {}
        self.patch(ramp_connection_api, 'RampClient', client)
        self.calls = len(self.ramp.requests)

    def assertOneTry(self):
        for options in self.options:
            self.assertEqual(options['max_attempts'], 1)
            self.assertLessEqual(options['answer_seconds'], 10)
            self.assertLessEqual(options['deadline'] - time.monotonic(), 30)
        self.assertTrue(self.options)
        self.assertLessEqual(len(self.ramp.requests) - self.calls, 1)

    def test_buttons(self):
        seat = self.connection.accounting_connection_id
        for kind in ('hang', 'trickle_headers', 'trickle_body'):
            for button in ('action_test_connection', 'action_connect', 'action_disconnect'):
                with self.subTest(kind=kind, button=button):
                    self.connection.write(
                        {
                            'state': 'draft' if button == 'action_connect' else 'connected',
                            'accounting_connection_id': seat,
                        }
                    )
                    token_stores.access_tokens._tokens.clear()
                    self.options.clear()
                    self.calls = len(self.ramp.requests)
                    self.ramp.faults.clear_faults()
                    self.ramp.faults.add_fault(kind, pace=0.05)
                    try:
                        getattr(self.connection, button)()
                    except UserError as error:
                        self.assertIn('The connection to Ramp failed', str(error))
                    self.assertOneTry()

    @mute_logger('odoo.addons.ramp_connector.hooks')
    def test_uninstalling(self):
        self.ramp.faults.add_fault('hang')
        self.env['ramp.record'].search([]).unlink()
        uninstall_hook(self.env)
        self.assertOneTry()

    def test_too_many_answers(self):
        """If each answer comes in time but all of them together take too long, the button fails with that reason."""
        self.connection.state = 'draft'
        self.slower = {'deadline': time.monotonic() - 1}
        with self.assertRaisesRegex(UserError, 'Ramp took too long'):
            self.connection.action_connect()

    def test_test_connection_ends_the_silence(self):
        self.connection.write(
            {'silent_since': fields.Datetime.now(), 'silent_until': fields.Datetime.now() + timedelta(minutes=5)}
        )
        self.connection.action_test_connection()
        self.assertFalse(self.connection.silent_since)

    def test_a_run_has_its_own_patience(self):
        self.options.clear()
        self.sync('transaction')
        self.assertNotIn('max_attempts', self.options[0])


@tagged('post_install', '-at_install', 'ramp')
class TestDeadline(PayablesCase):
    """A run whose time is up sends nothing and waits for nothing. It will be continued."""

    def budget(self, requests):
        """Let the time of a run be up after half so many requests to the API, as each request checks the time twice."""
        original = ramp_connection_api.RampClient

        def client(*args, **options):
            made = original(*args, **options)
            left = [requests]

            def remaining():
                left[0] -= 1
                return 100.0 if left[0] >= 0 else -1.0

            made._seconds_left_to_begin = remaining
            return made

        return patch.object(ramp_connection_api, 'RampClient', client)

    def job_time(self, **options):
        before = {name: config[name] for name in options}
        for name, value in options.items():
            config[name] = value
        self.addCleanup(lambda: [config.__setitem__(name, value) for name, value in before.items()])

    def test_time_of_a_job(self):
        flow = self.env['ramp.flow.transaction']
        seconds = JOB_SECONDS
        thread = threading.current_thread()
        for real, cron, began, expected in (
            (120, -1, None, 40),
            (300, 60, None, 20),
            (120, 0, None, flow_module.LONGEST_JOB),
            (0, -1, None, flow_module.LONGEST_JOB),
            (30, -1, None, flow_module.LEAST_JOB),
            (120, -1, 70, 20),
            (120, -1, 110, flow_module.LEAST_JOB),
        ):
            with self.subTest(real=real, cron=cron, began=began):
                self.job_time(limit_time_real=real, limit_time_real_cron=cron)
                with patch.object(thread, 'start_time', began and time.time() - began, create=True):
                    self.assertAlmostEqual(seconds(flow), expected, delta=1)

    def test_client_knows_the_deadline(self):
        seen = []
        original = ramp_connection_api.RampClient
        self.patch(
            ramp_connection_api,
            'RampClient',
            lambda *args, **options: seen.append(options['deadline']) or original(*args, **options),
        )
        self.patch(RampFlow, '_get_job_seconds', lambda flow: 77)
        self.sync('transaction')
        self.assertAlmostEqual(seen[0] - time.monotonic(), 77, delta=30)
        self.assertLess(seen[0], math.inf)

    def test_lists_go_on_where_they_stopped(self):
        ids = [self.spend(1000 + number) for number in range(5)]
        self.patch(type(self.env['ramp.flow.pull']), '_page_size', 2)
        runs = self.env['ramp.run']
        while not runs[-1:].listed and len(runs) < 20:
            self.env['ir.cron.trigger'].search([]).unlink()
            with self.budget(9):
                runs += self.sync('transaction', now=False)
            self.assertEqual((runs[-1].state, runs[-1].message), ('done' if runs[-1].listed else 'paused', False))
            if not runs[-1].listed:
                self.assertTrue(
                    self.env['ir.cron.trigger'].search(
                        [('cron_id', '=', self.env['ramp.flow.transaction']._get_cron_job().id)]
                    ),
                    'it is called again',
                )
        self.assertGreater(len(runs), 1)
        self.assertFalse(self.connection.last_error)
        for ramp_id in ids:
            self.assertConfirmed(ramp_id)

    def test_rate_limit_that_does_not_fit(self):
        """A pause beyond the end of the run is no failure. The job is called again when the pause is over."""
        self.patch(RampFlow, '_get_job_seconds', lambda flow: 30)
        self.ramp.faults.add_fault('rate_limit', '/transactions', retry_after=55)
        self.env['ir.cron.trigger'].search([]).unlink()
        run = self.sync('transaction', now=False)
        self.assertEqual((run.state, run.message, self.connection.last_error), ('paused', False, False))
        [trigger] = self.env['ir.cron.trigger'].search(
            [('cron_id', '=', self.env['ramp.flow.transaction']._get_cron_job().id)]
        )
        self.assertGreater(trigger.call_at, fields.Datetime.now() + timedelta(seconds=40))

    def test_files_that_came_are_attached(self):
        for number in range(3):
            self.spend(1000 + number, receipts=1)
        self.sync('transaction')
        calls, original = [], RampFlowFile._fetch_row_files

        def fetch(flow, connection, client, ramp_id):
            calls.append(ramp_id)
            if len(calls) == 2:
                raise flow_module.RampOutOfTime()
            return original(flow, connection, client, ramp_id)

        with patch.object(RampFlowFile, '_fetch_row_files', fetch):
            run = self.sync('receipt', now=False)
        records = self.env['ramp.record'].search([('flow', '=', 'receipt')])
        self.assertEqual((run.state, sorted(records.mapped('state'))), ('paused', ['confirmed', 'pending', 'pending']))
        self.sync('receipt', now=False)
        self.assertEqual(set(records.mapped('state')), {'confirmed'})

    def test_vendors_go_on_within_a_page(self):
        """However slow Ramp is, each run reads some more vendors, also within one page."""
        vendors = [self.ramp.add_vendor(f'Vendor {number}') for number in range(6)]
        runs = self.env['ramp.run']
        asked = []
        while not runs[-1:].listed and len(runs) < 20:
            calls = len(self.ramp.requests)
            with self.budget(9):
                runs += self.sync('vendor', now=False)
            asked += [
                path for entry in self.ramp.requests[calls:] if (path := entry['path']).rpartition('/')[2] in vendors
            ]
        self.assertGreater(len(runs), 1)
        self.assertTrue(runs[-1].listed)
        self.assertEqual({self.record(vendor, 'vendor').state for vendor in vendors}, {'confirmed'})
        self.assertLessEqual(max(Counter(asked).values()), 2, 'none is asked for again and again')

    def test_one_connection_after_the_other(self):
        """If one connection uses up the time of a job, the next call goes on with the others. The one that waited
        longest comes first.
        """
        other = self.connection.copy(
            {
                'existing_policy': 'book',
                'client_id': self.ramp.client_id,
                'client_secret': self.ramp.client_secret,
                'ramp_entity_id': self.ramp.state.make_new_id(),
            }
        )
        other.write(
            {
                'state': 'connected',
                'accounting_connection_id': self.connection.accounting_connection_id,
                'card_journal_id': self.connection.card_journal_id.id,
                'database': self.connection.database,
            }
        )
        self.patch(RampFlow, '_get_job_seconds', lambda flow: 0)
        self.env['ir.cron.trigger'].search([]).unlink()
        first = self.sync('cashback', now=False)
        self.assertEqual(len(first), 1)
        self.assertTrue(
            self.env['ir.cron.trigger'].search([('cron_id', '=', self.env['ramp.flow.cashback']._get_cron_job().id)])
        )
        second = self.sync('cashback', now=False)
        self.assertEqual(first.connection_id | second.connection_id, self.connection | other)


@tagged('post_install', '-at_install', 'ramp')
class TestLostRuns(RampCase):
    """A run whose process was ended is closed as soon as another run begins."""

    def start(self, flow='transaction'):
        run = self.env['ramp.run']._start_run(self.connection, flow)
        run.flush_recordset()
        return run

    def test_closed_by_another_flow(self):
        run = self.start()
        self.env.cr.execute('SELECT pg_advisory_unlock(%s, %s)', [ALIVE, run.id])  # as the end of a session does
        self.sync('receipt')
        self.assertEqual(
            (run.state, run.message), ('lost', 'The process ended before the run did. The next run continued its work.')
        )

    def test_one_that_works_is_left_alone(self):
        run = self.start()
        self.sync('receipt')
        self.assertEqual(run.state, 'running')

    def test_the_lock_ends_with_the_run(self):
        run = self.start()
        run._finish_run()
        self.env.cr.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s", [ALIVE, run.id]
        )
        self.assertEqual(self.env.cr.fetchone()[0], 0)

    def test_another_session_tells(self):
        """A run is lost only when no session holds its lock any more, whichever session asks."""
        run = self.start()
        self.env.cr.execute('SELECT pg_advisory_unlock(%s, %s)', [ALIVE, run.id])
        cursor = db_connect(self.env.cr.dbname).cursor()
        try:
            cursor.execute('SELECT pg_advisory_lock(%s, %s)', [ALIVE, run.id])
            self.env['ramp.run']._close_lost_runs(self.connection)
            self.assertEqual(run.state, 'running')
        finally:
            cursor.execute('SELECT pg_advisory_unlock(%s, %s)', [ALIVE, run.id])
            cursor.close()
        self.env['ramp.run']._close_lost_runs(self.connection)
        self.assertEqual(run.state, 'lost')
