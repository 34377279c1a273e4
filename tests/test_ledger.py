# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import json
import uuid
from datetime import timedelta

from psycopg2.errors import UniqueViolation

from odoo import fields
from odoo.fields import Domain
from odoo.tests import tagged
from odoo.tools import SQL, mute_logger

from ..flows.engine.flow import RampFlow
from ..flows.engine.pull import RampFlowPull
from ..models import ramp_run
from ..models.ledger_json import json_digest
from ..ramp_api import PayloadError, read_transaction
from ..simulator import contract
from .common import RampCase
from .properties import in_turn


@tagged('post_install', '-at_install', 'ramp')
class TestLedger(RampCase):
    """Each object is posted exactly once, whatever happens between the two systems. Cases with a killed process are
    system tests.
    """

    def backdate(self, ramp_id):
        """Set the confirmation back by an hour."""
        self.env.cr.execute(
            SQL("UPDATE ramp_record SET confirmed_at = confirmed_at - interval '1 hour' WHERE ramp_id = %s", ramp_id)
        )
        self.env.invalidate_all()

    def test_confirmation_lost_before_ramp_heard_it(self):
        ramp_id = self.spend()
        self.ramp.faults.add_fault('drop_before', path='/accounting/syncs', count=20)
        self.sync()
        self.assertEqual(self.record(ramp_id).state, 'done')
        self.assertEqual(self.ramp.list_successes(), {})
        self.ramp.faults.clear_faults()
        self.sync()
        self.assertConfirmed(ramp_id)

    def test_confirmation_lost_after_ramp_heard_it(self):
        """If Ramp's answer to a confirmation is lost, the same key is sent again. Ramp says that the key was used, and
        the object is read and confirmed once.
        """
        ramp_id = self.spend()
        self.ramp.faults.add_fault('drop_after', path='/accounting/syncs', count=1)
        self.ramp.faults.add_fault('drop_before', path='/transactions/*', count=20)
        self.sync()
        self.assertEqual(self.record(ramp_id).state, 'done')
        self.ramp.faults.clear_faults()
        self.sync()
        self.assertConfirmed(ramp_id)

    def test_burnt_key(self):
        """A key that Ramp used up without doing the work is replaced."""
        ramp_id = self.spend()
        other = self.spend(account=None)
        self.ramp.update_transaction(ramp_id, sync_status='NOT_SYNC_READY')
        self.sync()
        self.ramp.update_transaction(ramp_id, sync_status='SYNC_READY')
        burning = []

        def burn(method, path, body):
            if path.endswith('/accounting/syncs') and 'successful_syncs' in body and not burning:
                burning.append(body['idempotency_key'])
                self.ramp.state['transactions'].update_row(ramp_id, sync_status='NOT_SYNC_READY')

        self.ramp.add_before_hook(burn)
        self.sync('transaction')
        self.assertTrue(burning)
        self.ramp.state['transactions'].update_row(ramp_id, sync_status='SYNC_READY')
        self.sync('transaction')
        self.assertConfirmed(ramp_id)
        self.assertHeld(other, 'no account')

    def test_key_of_a_request_that_ramp_lost(self):
        """A key that Ramp knows is no proof that Ramp did what was asked with it."""
        ramp_id = self.spend()
        burnt = []

        def burn(method, path, body):
            if path.endswith('/accounting/syncs') and not burnt:
                burnt.append(body['idempotency_key'])
                self.ramp.state.idempotency_keys.add((path, burnt[0]))

        self.ramp.add_before_hook(burn)
        self.sync('transaction')
        self.assertTrue(burnt)
        self.sync('transaction')
        self.assertConfirmed(ramp_id)

    def test_refused_confirmation_of_one_does_not_hold_up_the_batch(self):
        good = [self.spend(100 + number) for number in range(4)]
        bad = self.spend(666)
        self.ramp.add_before_hook(
            lambda method, path, body: (
                path.endswith('/accounting/syncs')
                and self.ramp.state['transactions'].update_row(bad, sync_status='NOT_SYNC_READY')
            )
        )
        self.sync('transaction')
        for ramp_id in good:
            self.assertConfirmed(ramp_id)
        record = self.record(bad)
        self.assertEqual(record.state, 'done')
        self.assertIn('refused the confirmation', record.error_message)
        self.assertTrue(self.move(bad), 'what is booked stays booked')
        self.ramp._before.clear()
        self.ramp.state['transactions'].update_row(bad, sync_status='SYNC_READY')
        self.sync('transaction')
        self.assertConfirmed(bad)

    def test_exported_by_hand_while_we_booked_it(self):
        ramp_id = self.spend()
        self.ramp.add_before_hook(
            lambda method, path, body: (
                path.endswith('/accounting/syncs')
                and self.ramp.state['transactions'].update_row(
                    ramp_id, sync_status='SYNCED', synced_at='2026-01-01T00:00:00+00:00'
                )
            )
        )
        self.sync('transaction')
        self.assertEqual(self.record(ramp_id).state, 'confirmed')
        self.assertEqual(len(self.move(ramp_id)), 1)

    def test_marked_as_not_synced_in_ramp_is_confirmed_again(self):
        ramp_id = self.spend()
        self.sync()
        self.ramp.state['transactions'].update_row(ramp_id, sync_status='SYNC_READY', synced_at=None)
        self.backdate(ramp_id)
        self.sync('transaction')
        self.assertEqual(self.record(ramp_id).state, 'confirmed')
        self.assertEqual(self.ramp.state['transactions'].get_row(ramp_id)['sync_status'], 'SYNCED')
        self.assertEqual((len(self.move(ramp_id)), len(self.expense(ramp_id))), (1, 1))

    def test_listed_a_moment_after_it_was_confirmed(self):
        """A list that still shows as ready what was confirmed a moment ago does not lead to another confirmation."""
        ramp_id = self.spend()
        self.sync('transaction')
        self.assertConfirmed(ramp_id)
        self.ramp.state['transactions'].update_row(ramp_id, sync_status='SYNC_READY', synced_at=None)
        self.sync('transaction')
        self.assertConfirmed(ramp_id)
        self.assertEqual(self.record(ramp_id).sync_attempt, 0)

    def test_changed_in_ramp_after_it_was_confirmed(self):
        """A transaction that changed in Ramp after it was confirmed is put on hold, and a person compares both
        versions.
        """
        ramp_id = self.spend(1000)
        self.sync()
        self.ramp.state['transactions'].update_row(ramp_id, sync_status='SYNC_READY', synced_at=None)
        self.ramp.recode_transaction(ramp_id, self.external(self.account_travel))
        self.backdate(ramp_id)
        self.sync('transaction')
        record = self.record(ramp_id)
        self.assertEqual((record.state, record.hold_reason), ('held', 'changed'))
        self.assertIn('changed it after it was posted', record.error_message)
        self.assertIn(self.external(self.account_travel), record.late_payload_text)
        self.assertNotIn(self.external(self.account_travel), record.payload_text)
        self.assertEqual(self.entry(ramp_id)[0][0], '650001')
        self.sync('transaction')
        self.assertEqual(record.state, 'held')
        move = self.move(ramp_id)
        move.button_draft()
        move.unlink()
        record.action_retry()
        self.sync('transaction')
        self.assertEqual(record.state, 'confirmed', record.error_message)
        self.assertEqual(self.entry(ramp_id)[0][0], '650002')
        self.assertEqual(len(self.expense(ramp_id)), 1)
        self.assertEqual(self.expense(ramp_id).account_id, self.account_travel)

    def test_an_older_page_changes_nothing(self):
        """A page that was requested before the row was seen does not take back what came since."""
        ramp_id = self.spend(1000, account=None)
        self.sync('transaction')
        record = self.record(ramp_id)
        self.assertEqual((record.state, record.amount), ('held', 10.0))
        self.ramp.update_transaction(ramp_id, amount_minor=2000)
        payload = self.connection._run_client().get(f'/transactions/{ramp_id}')
        row = self.env['ramp.flow.transaction']._make_ledger_row(self.connection, payload)
        for minutes, amount in ((-1, 10.0), (1, 20.0)):
            moment = record.seen_at + timedelta(minutes=minutes)
            self.env['ramp.record']._upsert_page(self.connection, 'transaction', [row], moment)
            self.assertEqual(record.amount, amount)

    def test_changed_in_ramp_between_booking_and_confirming(self):
        ramp_id = self.spend(1000)
        self.ramp.faults.add_fault('drop_before', path='/accounting/syncs', count=20)
        self.sync('transaction')
        self.ramp.faults.clear_faults()
        self.ramp.recode_transaction(ramp_id, self.external(self.account_travel))
        self.sync('transaction')
        record = self.record(ramp_id)
        self.assertEqual(record.state, 'held')
        self.assertEqual(self.ramp.list_successes(), {}, 'Ramp must not be told that the old coding was booked')
        record.action_retry()
        self.sync('transaction')
        self.assertEqual(record.state, 'confirmed', record.error_message)

    @in_turn
    def test_duplicated_and_reordered_pages(self):
        ids = [self.spend(1000 + number) for number in range(120)]
        self.ramp.faults.add_fault('duplicate_page', path='/transactions', count=5)
        self.ramp.faults.add_fault('reorder_page', path='/transactions', count=5)
        self.sync('transaction')
        self.ramp.faults.clear_faults()
        self.sync('transaction')
        for ramp_id in ids:
            self.assertConfirmed(ramp_id)
        self.assertEqual(
            self.env['account.move'].search_count([('journal_id', '=', self.connection.card_journal_id.id)]), 120
        )

    @mute_logger('odoo.addons.ramp_connector.flows.engine.flow')
    def test_idle_runs_go(self):
        """Old runs that found nothing to do are deleted. The vacuum goes on until none is left, however many there are."""
        self.patch(ramp_run, 'GC_BATCH', 5)
        Run = self.env['ramp.run']
        old = Run.create(
            [
                {
                    'connection_id': self.connection.id,
                    'company_id': self.company.id,
                    'flow': 'bill',
                    'state': 'done',
                    'started_at': fields.Datetime.now() - timedelta(days=4),
                }
                for _number in range(12)
            ]
        )
        worked = old[0].copy({'processed': 1, 'started_at': old[0].started_at})
        rounds = [Run._gc_runs() for _round in range(3)]
        self.assertEqual([bool(remaining) for _done, remaining in rounds], [True, True, False])
        self.assertEqual([done for done, _remaining in rounds], [5, 5, 2], 'what is said is what was done')
        self.assertFalse(old.exists())
        self.assertTrue(worked.exists())

    def test_which_runs_go(self):
        """Runs that found nothing to do stay for days, all others for months. One that is under way stays."""
        cases = (
            (2, {}, True),
            (4, {}, False),
            (4, {'seen': 1}, True),
            (4, {'processed': 1}, True),
            (4, {'confirmed': 1}, True),
            (4, {'state': 'failed'}, True),
            (4, {'state': 'running'}, True),
            (4, {'flow': 'watch'}, True),
            (179, {'seen': 1}, True),
            (181, {'seen': 1}, False),
            (181, {'flow': 'watch'}, False),
            (181, {'state': 'failed'}, False),
            (181, {'state': 'running'}, True),
        )
        Run = self.env['ramp.run']
        runs = Run.create(
            [
                {
                    'connection_id': self.connection.id,
                    'company_id': self.company.id,
                    'flow': 'bill',
                    'state': 'done',
                    'started_at': fields.Datetime.now() - timedelta(days=days),
                    **values,
                }
                for days, values, _stays in cases
            ]
        )
        Run._gc_runs()
        self.assertEqual(
            [(days, values, bool(run.exists())) for run, (days, values, _stays) in zip(runs, cases, strict=True)],
            list(cases),
        )

    @in_turn
    def test_failure_in_mid_list_books_what_was_read_and_goes_on_later(self):
        ids = [self.spend(1000 + number) for number in range(150)]
        self.ramp.faults.add_fault('server_error', path='/transactions', skip=1, count=50)
        (run,) = self.sync('transaction')
        self.assertEqual(run.state, 'failed')
        self.assertEqual(self.env['ramp.record'].search_count([('state', '=', 'confirmed')]), 100)
        self.ramp.faults.clear_faults()
        self.sync('transaction')
        for ramp_id in ids:
            self.assertConfirmed(ramp_id)

    def test_time_is_up_at_each_page(self):
        """If the time is up at each page, each run goes on where the one before it stopped. In the end everything is
        posted and read, as by one run.
        """
        booked, held = [], []
        for _number in range(4):
            held.append(self.spend(account=None))
            booked.append(self.spend())
        self.sync('transaction', now=False)
        held += [self.spend(account=None) for _number in range(4)]
        booked += [self.spend() for _number in range(4)]
        gone = held.pop(0)
        self.env.cr.execute("UPDATE ramp_record SET seen_at = seen_at - interval '1 minute'")
        self.ramp.update_transaction(gone, sync_status='NOT_SYNC_READY')
        self.patch(RampFlowPull, '_page_size', 2)
        self.patch(RampFlow, '_is_job_time_up', lambda flow: True)
        before = self.ramp.count_requests()
        runs = self.sync_until_listed('transaction')
        self.assertEqual(set(runs.mapped('state')), {'done'})
        self.assertEqual(runs[1:].mapped('begun_at'), [runs[0].started_at] * (len(runs) - 1))
        self.assertTrue(runs[-1].reread)
        # 7 on hold and 4 to post, then 4 posted before and 4 now: each page once, and a run that is at the end at once.
        self.assertEqual((self.ramp.count_requests() - before)['GET /developer/v1/transactions'], 6 + 4)
        self.assertEqual(len(runs), 6 + 4 + 1)
        self.assertEqual(
            [path for path in self.ramp.count_requests() - before if '/transactions/' in path],
            [f'GET /developer/v1/transactions/{gone}'],
        )
        for ramp_id in booked:
            self.assertConfirmed(ramp_id)
        self.assertEqual({self.record(ramp_id).state for ramp_id in held}, {'held'})
        self.assertTrue(self.record(gone).is_withheld)
        self.assertEqual(
            self.env['account.move'].search_count([('journal_id', '=', self.connection.card_journal_id.id)]), 8
        )
        self.assertEqual(self.env['ramp.run']._last_listed_at(self.connection, 'transaction'), runs[0].started_at)

    def test_asked_for_while_lists_are_read(self):
        """If a synchronization is requested while lists are read, the job is called once more at the end, as new
        objects may be on earlier pages.
        """

        def calls():
            return self.env['ir.cron.trigger'].search(
                [('cron_id', '=', self.env['ramp.flow.transaction']._get_cron_job().id)]
            )

        self.patch(RampFlowPull, '_page_size', 2)
        self.patch(RampFlow, '_is_job_time_up', lambda flow: True)
        for asked in (False, True):
            with self.subTest(asked=asked):
                self.connection.sync_requested_at = fields.Datetime.now() - timedelta(hours=1)
                for _number in range(3):
                    self.spend(account=None)
                first = self.sync('transaction', now=False)
                self.assertEqual(first.state, 'paused')
                if asked:
                    self.connection.sync_requested_at = fields.Datetime.now()
                self.sync_until_listed('transaction', lambda: calls().unlink())
                self.assertEqual(bool(calls()), asked)

    def test_one_that_is_not_listed_any_more_and_on_which_ramp_fails(self):
        """If Ramp fails on one transaction that is no longer listed, the others are still read, and the run ends."""
        first, second = self.spend(account=None), self.spend(account=None)
        self.sync('transaction', now=False)
        for ramp_id in (first, second):
            self.ramp.update_transaction(ramp_id, sync_status='NOT_SYNC_READY')
        self.ramp.faults.add_fault('server_error', f'/transactions/{first}', method='GET')
        run = self.sync('transaction', now=False)
        self.assertEqual((run.state, run.listed), ('done', True))
        self.assertEqual([self.record(ramp_id).state for ramp_id in (first, second)], ['held', 'pending'])
        self.ramp.faults.clear_faults()
        self.sync('transaction', now=False)
        self.assertEqual(self.record(first).state, 'pending')

    def test_reason_that_changed_is_told_again(self):
        ramp_id = self.spend(account=None)
        self.sync('transaction')
        self.ramp.state['transactions'].update_row(ramp_id, amount='?')
        self.sync('transaction')
        self.assertEqual(len(self.ramp.list_export_errors(ramp_id)), 2)
        self.assertHeld(ramp_id, 'Amount')

    def test_interrupted_run_is_closed_by_the_next(self):
        run = self.env['ramp.run']._start_run(self.connection, 'transaction')
        self.env.flush_all()
        self.env.cr.execute("UPDATE ramp_run SET write_date = write_date - interval '1 day' WHERE id = %s", [run.id])
        self.sync('transaction')
        run.invalidate_recordset()
        self.assertEqual(run.state, 'lost')

    def test_one_connection_in_trouble_does_not_stop_the_others(self):
        broken = self.connection.copy(
            {
                'existing_policy': 'book',
                'client_id': 'x',
                'client_secret': 'y',
                'ramp_entity_id': '24850cdb-1b3f-4eb9-bf20-967ca9f97605',
            }
        )
        broken.state = 'connected'
        self.env.cr.execute('UPDATE ramp_connection SET id = id WHERE id = %s', [broken.id])
        ramp_id = self.spend()
        with mute_logger('odoo.addons.ramp_connector.flows.engine.flow'):
            self.sync('transaction')
        self.assertConfirmed(ramp_id)
        self.assertIn('refused the client id and secret', broken.last_error)

    def test_same_object_twice_is_impossible_in_the_database(self):
        ramp_id = self.spend()
        self.sync()
        with self.assertRaises(UniqueViolation), mute_logger('odoo.sql_db'), self.env.cr.savepoint():
            self.env.cr.execute(
                SQL(
                    'INSERT INTO ramp_record (connection_id, company_id, flow, ramp_id, state) '
                    'SELECT connection_id, company_id, flow, ramp_id, state FROM ramp_record WHERE ramp_id = %s',
                    ramp_id,
                )
            )
        with self.assertRaises(UniqueViolation), mute_logger('odoo.sql_db'), self.env.cr.savepoint():
            self.env['account.move'].create({'ramp_id': ramp_id, 'move_type': 'entry'}).flush_recordset()

    def test_copies_and_reversals_are_not_from_ramp(self):
        ramp_id = self.spend()
        self.sync()
        self.assertFalse(self.move(ramp_id).copy().ramp_id)
        self.assertFalse(self.expense(ramp_id).copy().ramp_id)
        reversal = self.move(ramp_id)._reverse_moves([{'date': fields.Date.today()}])
        self.assertFalse(reversal.ramp_id)

    def test_what_is_due(self):
        """SQL and the domain agree on which rows are due: rows that wait, failed or are on hold for a question, when
        their time has come.
        """
        Record, now = self.env['ramp.record'], self.env.cr.now().replace(microsecond=0)
        moments = {'any time': False, 'past': now - timedelta(minutes=1), 'future': now + timedelta(minutes=1)}
        reasons = [(state, False) for state in ('pending', 'done', 'confirmed', 'error')]
        for reason in dict(Record._fields['hold_reason'].selection):
            reasons.append(('ignored' if reason in ('rule', 'person') else 'held', reason))
        Record.create(
            [
                {
                    'connection_id': self.connection.id,
                    'company_id': self.connection.company_id.id,
                    'flow': 'transaction',
                    'ramp_id': f'{state}, {reason}, {name}',
                    'state': state,
                    'hold_reason': reason,
                    'next_attempt': moment,
                }
                for state, reason in reasons
                for name, moment in moments.items()
            ]
        )
        due = sorted(
            Record.search(Domain('connection_id', '=', self.connection.id) & Record._due_domain()).mapped('ramp_id')
        )
        self.assertEqual(
            due,
            sorted(
                f'{state}, {reason}, {name}'
                for state, reason in (('pending', False), ('error', False), ('held', 'question'), ('held', 'elsewhere'))
                for name in ('any time', 'past')
            ),
        )
        rows = self.env.execute_query(
            SQL(
                'SELECT r.ramp_id FROM ramp_record r WHERE r.connection_id = %s AND %s',
                self.connection.id,
                Record._due_sql('r'),
            )
        )
        self.assertEqual(sorted(ramp_id for [ramp_id] in rows), due)

    def test_every_transaction_example_goes_through_parser_and_flow(self):
        """The examples are of another business. Each one is posted or put on hold for a reason that is not a crash."""
        folder = contract.find_contract_file().parent.parent / 'examples'
        examples = [json.loads(path.read_text(encoding='utf-8')) for path in sorted(folder.rglob('*Transaction*.json'))]
        payloads = []
        for example in examples:
            rows = example.get('data', [example]) if isinstance(example, dict) else example
            payloads += [row for row in rows if isinstance(row, dict) and 'line_items' in row]
        self.assertGreaterEqual(len(payloads), 3, 'the examples were not found')
        flow = self.env['ramp.flow.transaction']
        run = self.env['ramp.run']._start_run(self.connection, 'transaction')
        for payload in payloads:
            try:
                read_transaction(payload)
            except PayloadError:
                # A fragment is kept as it is, with an explanation.
                row = flow._make_ledger_row(self.connection, payload)
                self.env['ramp.record']._upsert_page(self.connection, 'transaction', [row], fields.Datetime.now())
                flow._book_batch(self.connection, run, [row['ramp_id']])
                self.assertEqual(self.record(row['ramp_id']).state, 'held')
                self.assertIn('cannot be posted', self.record(row['ramp_id']).error_message)
                continue
            payload['id'] = str(uuid.uuid4())  # several examples are of one transaction
            value = read_transaction(payload)
            row = flow._make_ledger_row(self.connection, payload)
            self.assertEqual((row['ramp_id'], row['amount']), (value.id, value.amount.decimal_amount))
            self.env['ramp.record']._upsert_page(self.connection, 'transaction', [row], fields.Datetime.now())
            record = self.record(value.id)
            flow._book_batch(self.connection, run, [value.id])
            self.assertEqual(record.state, 'held', record.error_message)
            self.assertRegex(
                record.error_message, 'no account|does not exist in Odoo|not come from Odoo|does not offer'
            )
            # With the coding of this company, it is posted as it is.
            for line in payload['line_items']:
                line['accounting_field_selections'] = [
                    {
                        'type': 'GL_ACCOUNT',
                        'external_id': self.external(self.account_meals),
                        'external_code': '650001',
                        'name': 'Meals',
                    }
                ]
            self.env['ramp.record']._upsert_page(
                self.connection,
                'transaction',
                [flow._make_ledger_row(self.connection, payload)],
                fields.Datetime.add(fields.Datetime.now(), seconds=1),
            )
            self.connection.fallback_employee_id = self.employee
            flow._book_batch(self.connection, run, [value.id])
            record.invalidate_recordset()
            self.assertEqual(record.state, 'done', record.error_message)
            self.assertEqual(json_digest(record.payload), json_digest(payload))
            move = self.move(value.id)
            self.assertEqual(move.state, 'posted')
            liability = move.line_ids.filtered(lambda line: line.account_id == self.connection.card_account_id)
            self.assertEqual(-sum(liability.mapped('amount_currency')), float(value.amount.decimal_amount))
