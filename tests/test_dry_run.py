# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""A dry run shows what the synchronization would post, every cause that holds an object, and leaves nothing behind."""

import io
import zipfile
from contextlib import closing, nullcontext
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from psycopg2 import IntegrityError
from psycopg2.errors import DivisionByZero, SerializationFailure

from odoo import SUPERUSER_ID, Command
from odoo.api import Environment
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.sql_db import Cursor
from odoo.tests import new_test_user, tagged
from odoo.tools import SQL, mute_logger

from ..flows.engine.flow import RampFlow
from ..models.dry_run_cursor import DryRunCursor, is_dry_run
from ..ramp_api import RampReadOnlyError
from ..simulator import coding
from ..simulator.endpoints import users
from .common import PayablesCase, RampCase, StatementsCase
from .properties import examples, in_turn

WORK = 'odoo.addons.ramp_connector.models.ramp_dry_run_work'
# What a dry run itself stores, and the call of its job
OWN_TABLES = ('ramp_dry_run', 'ir_cron_trigger')
# Tables whose contents are compared, too
CONTENTS = (
    'account_move',
    'account_move_line',
    'account_payment',
    'account_partial_reconcile',
    'hr_employee',
    'hr_expense',
    'ir_attachment',
    'ir_sequence',
    'mail_message',
    'ramp_connection',
    'ramp_record',
    'ramp_run',
    'res_partner',
)
ORDER = ('vendor', 'vendor_credit', 'bill', 'bill_payment', 'transaction', 'bill_payment')


class DryRunCase(PayablesCase):
    def job_mode(self):
        return nullcontext() if type(self)._registry_patched else self.enter_registry_test_mode()

    def run_job(self):
        """Run the job of dry runs as the scheduler does."""
        self.env.flush_all()
        with self.job_mode(), self.registry.cursor() as cr:
            Environment(cr, SUPERUSER_ID, {})['ramp.dry.run']._cron_run_queued()
        self.env.invalidate_all()

    def dry(self, **values):
        """Make a dry run by the job. Returns it; nothing has changed, in Odoo or in Ramp."""
        run = self.env['ramp.dry.run'].create({'connection_id': self.connection.id, **values})
        self.assertEqual(run.state, 'queued')
        before = self.tables()
        self.assertReadOnly(self.run_job)
        self.assertEqual(self.tables(), before)
        return run

    def assertReadOnly(self, work):
        there = len(self.ramp.requests)
        result = work()
        sent = {(entry['method'], entry['path']) for entry in self.ramp.requests[there:]}
        self.assertFalse(
            {(method, path) for method, path in sent if method != 'GET' and not path.endswith('/token')}, sent
        )
        return result

    def tables(self):
        """Return what is in the database: rows of each table, contents of the main ones, numbers of the sequences."""
        self.env.flush_all()
        names = [
            name
            for (name,) in self.env.execute_query(
                SQL(
                    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
                )
            )
            if name not in OWN_TABLES
        ]
        counts = {
            name: self.env.execute_query(SQL('SELECT count(*) FROM %s', SQL.identifier(name)))[0][0] for name in names
        }
        contents = {
            name: self.env.execute_query(
                SQL("SELECT md5(string_agg(t::text, '' ORDER BY t.id)) FROM %s t", SQL.identifier(name))
            )
            for name in CONTENTS
        }
        numbers = self.env.execute_query(
            SQL(
                "SELECT sequencename, last_value FROM pg_sequences WHERE sequencename ~ '^ir_sequence_[0-9_]+$' ORDER BY 1"
            )
        )
        return counts, contents, numbers

    def foreseen(self, run):
        """Return the entries of a dry run, in a form in which they can be compared."""
        return sorted(
            (
                entry['kind'],
                entry['date'],
                entry['reference'] or '',
                entry['partner'] or '',
                sorted(
                    (
                        line['account'],
                        line['label'] or '',
                        line['partner'] or '',
                        line['currency'],
                        round(line['amount'], 4),
                        round(line['balance'], 4),
                        line['taxes'],
                    )
                    for line in entry['lines']
                ),
            )
            for entry in run.result['entries']
        )

    def posted(self, after):
        """Return the entries beyond an id, in the form of `foreseen`, read from the books alone."""
        moves = self.env['account.move'].search([('id', '>', after), ('company_id', '=', self.company.id)])
        return sorted(
            (
                move.move_type,
                move.date.isoformat(),
                move.ref or '',
                move.partner_id.name or '',
                sorted(
                    (
                        line.account_id.code,
                        line.name or '',
                        line.partner_id.name or '',
                        line.currency_id.name,
                        round(line.amount_currency, 4),
                        round(line.balance, 4),
                        sorted(line.tax_ids.mapped('name')),
                    )
                    for line in move.line_ids
                    if line.account_id
                ),
            )
            for move in moves
        )

    def last_move(self):
        return self.env['account.move'].search([], order='id desc', limit=1).id or 0

    def assertForeseen(self, *order):
        """A dry run, and then the synchronization, which posts exactly that."""
        last, run = self.last_move(), self.dry()
        self.assertEqual((run.state, run.message), ('done', False))
        self.sync(*(order or ORDER))
        self.assertEqual(self.posted(last), self.foreseen(run))
        return run


@tagged('post_install', '-at_install', 'ramp')
class TestDryRun(DryRunCase):
    def once(self):
        super().once()
        coding.add_gl_account(self.ramp.state, 'X-1', 'Insurance', '6700')
        self.stranger = users.make_user(self.ramp.state, 'Grace', 'Hopper', 'grace@example.com')['id']

    def month(self):
        """Spend, a bill that is paid, a credit, and objects that are on hold. Returns the Ramp ids of these."""
        vendor = self.ramp.add_vendor('Acme')
        self.spend(1000, date='2026-03-05T12:00:00+00:00', merchant='Blue Bottle', receipts=1)
        self.spend(2500, date='2026-03-09T12:00:00+00:00', currency='EUR', account=self.external(self.account_travel))
        self.spend(-300, date='2026-03-10T12:00:00+00:00')
        self.ramp.pay_bill(self.owe(5000, vendor=vendor, date='2026-03-02', invoice_number='A-1'), date='2026-03-12')
        self.ramp.add_vendor_credit(
            vendor=vendor,
            amount_minor=700,
            account=self.external(self.account_meals),
            date='2026-03-20',
            reference_number='C-1',
        )
        return [
            self.spend(4000, account='X-1', date='2026-03-11T12:00:00+00:00'),
            self.spend(6000, account='X-1', user=self.stranger, date='2026-04-11T12:00:00+00:00'),
        ]

    def test_equals_the_sync(self):
        self.month()
        run = self.assertForeseen()
        self.assertGreaterEqual(len(run.result['entries']), 6)
        self.assertEqual((run.posted_count, run.stopped_count), (len(run.result['posted']), 2))
        self.assertRegex(run.summary, r'^2 of \d+ objects would be on hold')
        totals = {
            (total['month'], total['account'], total['currency']): total['amount'] for total in run.result['totals']
        }
        self.assertEqual(totals['2026-03', self.account_meals.code, 'USD'], 10.0 - 3.0 + 50.0 - 7.0)
        self.assertEqual(round(sum(total['balance'] for total in run.result['totals']), 4), 0)
        # All of it is posted now
        again = self.dry()
        self.assertEqual((again.result['entries'], again.posted_count, again.stopped_count), ([], 0, 2))

    def test_every_cause(self):
        self.month()
        run = self.dry()
        causes = {cause['kind']: cause for cause in run.result['causes']}
        self.assertEqual(set(causes), {'map_option', 'cardholder'})
        self.assertEqual([cause['kind'] for cause in run.result['causes']], ['map_option', 'cardholder'])
        self.assertEqual((causes['map_option']['count'], causes['map_option']['amounts']), (2, {'USD': 100.0}))
        self.assertEqual((causes['cardholder']['count'], causes['cardholder']['amounts']), (1, {'USD': 60.0}))
        [both] = [row for row in run.result['objects'] if row['date'] == '2026-04-11']
        self.assertRegex(both['reason'], r'Grace Hopper is not an employee[^\n]*\n.*"Insurance" does not exist')

    @in_turn
    def test_period_and_type(self):
        self.month()
        run = self.dry(date_from='2026-03-01', date_to='2026-03-31', flow='transaction')
        self.assertEqual({entry['flow'] for entry in run.result['entries']}, {'transaction'})
        self.assertEqual(len(run.result['entries']), 3)
        self.assertEqual(run.stopped_count, 1, 'the other one is of April')
        run = self.dry(date_from='2026-03-20')
        self.assertEqual([entry['date'] for entry in run.result['entries']], ['2026-03-20'])
        with self.assertRaises(IntegrityError), mute_logger('odoo.sql_db'), self.env.cr.savepoint():
            self.env['ramp.dry.run'].create(
                {'connection_id': self.connection.id, 'date_from': '2026-03-02', 'date_to': '2026-03-01'}
            )

    def test_page_and_workbook(self):
        self.month()
        self.spend(900, merchant='=1+1 <b>', date='2026-03-28T12:00:00+00:00')
        run = self.dry()
        for text in ('Insurance', 'Acme', 'What would be on hold, by cause', self.account_travel.code, '&lt;b&gt;'):
            self.assertIn(text, run.page)
        self.assertNotIn('<b>', run.page)
        name, content = run._result_workbook_file()
        self.assertTrue(name.endswith('.xlsx'))
        with zipfile.ZipFile(io.BytesIO(content)) as workbook:
            strings = workbook.read('xl/sharedStrings.xml').decode()
            sheets = [name for name in workbook.namelist() if name.startswith('xl/worksheets/sheet')]
        self.assertEqual(len(sheets), 4)
        self.assertIn('Insurance', strings)
        self.assertIn('A-1', strings)
        self.assertEqual(run.action_open_workbook()['url'], f'/ramp_connector/dry_run/xlsx?run_id={run.id}')

    def test_second_connection(self):
        """What another connection has posted is held with that cause, and a link to that connection."""
        ramp_id = self.spend(5000, date='2026-07-05T12:00:00+00:00')
        # Ramp does not know yet that it is posted, and offers it to everybody
        fault = self.ramp.faults.add_fault('server_error', '*/accounting/syncs')
        self.sync('transaction')
        self.assertEqual((self.record(ramp_id).state, fault.struck > 0), ('done', True))
        self.ramp.faults.clear_faults()
        first = self.connection
        self.connection = first.copy(
            {
                'name': 'Second',
                'existing_policy': 'book',
                'client_id': self.ramp.client_id,
                'client_secret': self.ramp.client_secret,
                'start_date': '2026-06-01',
                'ramp_entity_id': next(iter(self.ramp.state['entities']))['id'],
            }
        )
        run = self.dry()
        self.assertEqual((run.state, run.posted_count), ('done', 0), run.message)
        [cause] = run.result['causes']
        self.assertEqual((cause['kind'], cause['count']), ('posted_elsewhere', 1), cause)
        self.assertRegex(cause['title'], f'^The connection {first.name} has posted these already.*Ramp entity')
        self.assertIn(f'/odoo/ramp-connections/{first.id}', run.page)
        [stopped] = run.result['objects']
        self.assertIn(f'has posted it already: {self.move(ramp_id).name}', stopped['reason'])

    def test_language_of_the_reader(self):
        """Causes and reasons are read in the language of the reader, whoever asked for the dry run."""
        self.env['res.lang']._activate_lang('de_DE')
        self.company.fiscalyear_lock_date = '2026-12-31'
        self.spend(1000, date='2026-07-05T12:00:00+00:00')
        self.spend(2000, account=None)
        run = self.dry()
        self.sync(*ORDER)
        held = self.env['ramp.record'].search([('connection_id', '=', self.connection.id), ('state', '=', 'held')])
        self.assertEqual(len(held), 2)
        for lang in ('en_US', 'de_DE'):
            result = run.with_context(lang=lang)._result_for_reader(run.result)
            self.assertEqual(
                {cause['title'] for cause in result['causes']},
                set(held.cause_ids.with_context(lang=lang).mapped('name')),
            )
            self.assertEqual(
                {row['reason'] for row in result['objects']}, set(held.with_context(lang=lang).mapped('reason_text'))
            )
            page = str(run.with_context(lang=lang).page)
            self.assertIn('31.12.2026' if lang == 'de_DE' else '12/31/2026', page)
        # An earlier version stored texts only
        for part, key in (('causes', 'cause'), ('objects', 'causes')):
            for each in run.result[part]:
                del each[key]
        self.assertEqual(
            [cause['title'] for cause in run._result_for_reader(run.result)['causes']],
            [cause['title'] for cause in run.result['causes']],
        )

    def test_one_row(self):
        held = self.spend(4000, account='X-1', date='2026-03-11T12:00:00+00:00')
        self.sync('transaction')
        record = self.record(held)
        before = self.tables()
        self.env.flush_all()

        def press():
            with self.job_mode():
                return record.action_dry_run()

        def dry():
            run = self.env['ramp.dry.run'].browse(self.assertReadOnly(press)['res_id'])
            self.env.invalidate_all()
            return run

        there = len(self.ramp.requests)
        run = dry()
        self.assertEqual((run.state, run.stopped_count, run.result['entries']), ('done', 1, []))
        self.assertEqual(len(self.ramp.requests), there, 'Ramp is not asked')
        self.env['ramp.mapping'].create(
            {
                'connection_id': self.connection.id,
                'name': 'Insurance',
                'ramp_type': 'GL_ACCOUNT',
                'ramp_key': 'X-1',
                'target': 'account',
                'account_id': self.account_travel.id,
            }
        )
        self.env.flush_all()
        self.assertEqual(self.tables()[1]['ramp_record'], before[1]['ramp_record'])
        run, last = dry(), self.last_move()
        self.assertEqual((run.stopped_count, run.posted_count), (0, 1))
        self.sync('transaction')
        self.assertEqual(self.posted(last), self.foreseen(run))
        with self.assertRaisesRegex(UserError, 'Nothing would be posted'):
            record.action_dry_run()

    # ------------------------------------------------------------------ nothing remains

    def test_the_client_only_reads(self):
        there = len(self.ramp.requests)
        with self.job_mode(), self.env['ramp.dry.run']._dry_environment() as env:
            self.assertTrue(is_dry_run(env))
            client = env['ramp.connection'].browse(self.connection.id)._new_client(read_only=False)
            for method in ('post', 'patch', 'put', 'delete'):
                with self.assertRaises(RampReadOnlyError):
                    getattr(client, method)('/accounting/connection')
            self.assertTrue(client.get('/business'))
        self.assertFalse(is_dry_run(self.env))
        self.assertEqual({entry['method'] for entry in self.ramp.requests[there:]} - {'GET'}, set())

    def test_no_number_is_used_up(self):
        sequence = self.env['ir.sequence'].create({'name': 'Numbers', 'code': 'ramp.test', 'prefix': 'N', 'padding': 3})
        dated = self.env['ir.sequence'].create(
            {'name': 'Dated', 'code': 'ramp.dated', 'prefix': '%(range_year)s/', 'use_date_range': True}
        )
        self.assertEqual(sequence.next_by_id(), 'N001')
        dated.next_by_id('2026-03-01')
        before = self.tables()
        with self.job_mode(), self.env['ramp.dry.run']._dry_environment() as env:
            numbers = env['ir.sequence'].browse(sequence.id)
            self.assertEqual([numbers.next_by_id() for _number in range(3)], ['N002', 'N003', 'N004'])
            self.assertEqual(env['ir.sequence'].browse(dated.id).next_by_id('2026-03-01'), '2026/2')
            self.assertEqual(env['ir.sequence'].browse(dated.id).next_by_id('2027-03-01'), '2027/1')
        self.env.invalidate_all()
        self.assertEqual(self.tables(), before)
        self.assertEqual(sequence.next_by_id(), 'N002')

    def test_the_cursor(self):
        """A commit keeps what was done for the dry run alone, and what comes after a commit is never done."""
        done, partners = [], self.env['res.partner'].search_count([])
        with self.job_mode(), self.env['ramp.dry.run']._dry_environment() as env:
            self.assertIsInstance(env.cr, DryRunCursor)
            env['res.partner'].create({'name': 'Kept'})
            env.cr.postcommit.add(lambda: done.append('after'))
            env.cr.precommit.add(lambda: done.append('before'))
            env['ir.cron']._commit_progress()
            env['res.partner'].create({'name': 'Undone'})
            env.cr.rollback()
            self.assertEqual(env['res.partner'].search_count([]), partners + 1)
            attachment = env['ir.attachment'].create({'name': 'Memo', 'raw': b'in no file'})
            self.assertFalse(attachment.store_fname)
            env.cr.flush()
        self.env.invalidate_all()
        self.assertEqual(self.env['res.partner'].search_count([]), partners)
        self.assertEqual(done, ['before'])

    def test_with_a_connection_of_its_own(self):
        """The cursor does the same on top of a real cursor, as in production."""

        def numbers():
            with closing(self.registry.cursor()) as cr:
                cr.execute(
                    "SELECT sequencename, last_value FROM pg_sequences WHERE sequencename ~ '^ir_sequence_[0-9_]+$'"
                )
                return sorted(cr.fetchall(), key=str)

        before = numbers()
        with self.env['ramp.dry.run']._dry_environment() as env:
            self.assertIsInstance(env.cr._cursor, Cursor)
            ours = [('name', 'in', ('Kept for a while', 'Undone'))]
            env['res.partner'].create({'name': 'Kept for a while'})
            env['ir.cron']._commit_progress()
            env['res.partner'].create({'name': 'Undone'})
            env.flush_all()
            with self.assertRaises(DivisionByZero), mute_logger('odoo.sql_db'):
                env.cr.execute('SELECT 1 / 0')
            env.cr.rollback()
            self.assertEqual(env['res.partner'].search(ours).mapped('name'), ['Kept for a while'])
            given = [env['ir.sequence'].next_by_code('purchase.order') for _number in range(2)]
            self.assertTrue(all(given))
            self.assertNotEqual(*given)
            real = env.cr._cursor
        self.assertTrue(real.closed)
        self.assertEqual(numbers(), before)
        with closing(self.registry.cursor()) as cr:
            self.assertFalse(Environment(cr, SUPERUSER_ID, {})['res.partner'].search(ours))

    @in_turn
    @mute_logger(WORK)
    def test_a_crash_leaves_nothing(self):
        self.month()
        flow = type(self.env['ramp.flow.transaction'])
        original = flow._book_due_batch

        def crash(*args):
            original(*args)
            raise ValueError('in the middle')

        with patch.object(flow, '_book_due_batch', crash):
            run = self.dry()
        self.assertEqual(run.state, 'failed')
        self.assertRegex(run.message, 'ValueError.*Nothing was posted')
        self.assertForeseen()

    def test_an_ended_process(self):
        run = self.env['ramp.dry.run'].create({'connection_id': self.connection.id})
        run.state = 'running'
        self.run_job()
        self.assertEqual(run.state, 'failed')
        self.assertIn('process ended', run.message)

    def test_ramp_in_trouble(self):
        """What cannot be read is said, and the rest is shown."""
        self.spend(1000)
        self.ramp.faults.add_fault('server_error', path='/bills*')
        run = self.dry()
        self.assertEqual((run.state, run.is_incomplete, run.posted_count), ('done', True, 1))
        self.assertIn('Bill', run.message)

    def test_the_time_is_up(self):
        self.spend(1000)
        with patch.object(RampFlow, '_get_job_seconds', lambda flow: -1):
            run = self.dry()
        self.assertEqual((run.state, run.is_incomplete, run.posted_count), ('done', True, 0))
        self.assertIn('time of the job was up', run.message)

    @in_turn
    @mute_logger(WORK)
    def test_somebody_in_the_way(self):
        """The dry run is repeated as a whole if another transaction was in the way, and fails if that does not help."""
        self.spend(1000)
        flow = type(self.env['ramp.flow.transaction'])
        original, left = flow._book_batch, []

        def meet(*args, **kwargs):
            if left:
                left.pop()
                raise SerializationFailure
            return original(*args, **kwargs)

        with patch.object(flow, '_book_batch', meet):
            left[:] = range(2)
            self.assertEqual(self.dry().posted_count, 1)
            left[:] = range(3)
            run = self.dry()
        self.assertEqual((run.state, left), ('failed', []))
        self.assertIn('SerializationFailure', run.message)

    # ------------------------------------------------------------------ who may

    def test_who_may(self):
        here = {'company_id': self.company.id, 'company_ids': [Command.set(self.company.ids)]}
        accountant, auditor, employee = (
            new_test_user(self.env, name, groups, **here)
            for name, groups in (
                ('accountant', 'account.group_account_invoice'),
                ('auditor', 'account.group_account_readonly'),
                ('employee', 'base.group_user'),
            )
        )
        self.spend(1000)
        action = self.connection.with_user(accountant).action_dry_run()
        run = self.env['ramp.dry.run'].with_user(accountant).with_context(**action['context']).create({})
        self.assertEqual(run.connection_id, self.connection)
        self.run_job()
        self.assertEqual(run.state, 'done')
        self.assertIn('1 would be posted', run.summary)
        for user in (accountant, auditor):
            own = run.with_user(user)
            self.assertTrue(own._result_workbook_file()[1])
            views = own.get_views([(False, kind) for kind in ('list', 'form', 'search')], {'toolbar': True})
            [values] = own.web_read({name: {} for name in views['models']['ramp.dry.run']['fields']})
            self.assertIn('o_ramp_dry_run_totals', values['page'])
        for field, value in (('state', 'done'), ('result', {}), ('record_id', 1)):
            with self.assertRaises(AccessError):
                self.env['ramp.dry.run'].with_user(accountant).create(
                    {'connection_id': self.connection.id, field: value}
                )
        with self.assertRaises(AccessError):
            run.write({'message': 'forged'})
        for user in (auditor, employee):
            with self.assertRaises(AccessError):
                self.connection.with_user(user).action_dry_run()
            with self.assertRaises(AccessError):
                self.env['ramp.dry.run'].with_user(user).create({'connection_id': self.connection.id})
        with self.assertRaises(AccessError):
            run.with_user(employee)._result_workbook_file()

    def test_old_ones_go(self):
        run = self.env['ramp.dry.run'].create({'connection_id': self.connection.id})
        self.env['ramp.dry.run']._gc_dry_runs()
        self.assertTrue(run.exists())
        self.env.cr.execute("UPDATE ramp_dry_run SET create_date = now() - interval '31 days' WHERE id = %s", [run.id])
        run.invalidate_recordset()
        self.env['ramp.dry.run']._gc_dry_runs()
        self.assertFalse(run.exists())


@tagged('post_install', '-at_install', 'ramp')
class TestDryRunOfStatements(StatementsCase, DryRunCase):
    flows = ('transaction', 'transfer', 'statement', 'cashback')

    def test_equals_the_sync(self):
        self.connection.start_date = '2026-06-01'
        self.spend(5000, date='2026-07-05T12:00:00+00:00')
        self.ramp.close_statement('2026-08-01', cashback_bps=150)
        self.ramp.add_transfer(date='2026-08-05')
        run = self.assertForeseen('transfer', 'statement', 'cashback', 'transaction', *self.flows, *self.flows)
        self.assertIn('in_invoice', {entry['kind'] for entry in run.result['entries']})


@tagged('post_install', '-at_install', 'ramp')
class TestDryRunBeforeConnect(DryRunCase):
    connect = False

    def test_before_connect(self):
        self.spend(1000, date='2026-03-05T12:00:00+00:00', account=self.external(self.account_meals))
        run, last = self.dry(), self.last_move()
        self.assertEqual((run.state, run.message, run.posted_count), ('done', False, 1))
        self.assertEqual(self.connection.state, 'draft')
        self.assertFalse(self.connection.card_journal_id)
        self.assertFalse(self.connection.ramp_business_id)
        self.connection.action_connect()
        self.sync(*ORDER)
        self.assertEqual(self.posted(last), self.foreseen(run))

    def test_what_is_missing_is_said(self):
        self.connection.existing_policy = False
        run = self.dry()
        self.assertEqual(run.state, 'failed')
        self.assertIn('choose what happens', run.message)
        self.connection.client_secret = False
        with self.assertRaisesRegex(ValidationError, 'no client id and secret'):
            self.env['ramp.dry.run'].create({'connection_id': self.connection.id})


days = st.integers(1, 28)
spends = st.tuples(
    st.integers(-20000, 50000).filter(bool), days, st.sampled_from(('USD', 'EUR')), st.sampled_from((0, 1, 2, 3))
)
bills = st.tuples(st.integers(100, 50000), days, st.sampled_from(('USD', 'EUR')), st.booleans())


@tagged('post_install', '-at_install', 'ramp')
class TestDryRunOfAnyMonth(DryRunCase):
    def once(self):
        super().once()
        coding.add_gl_account(self.ramp.state, 'X-1', 'Insurance', '6700')
        self.vendor = self.ramp.add_vendor('Acme')

    @in_turn
    @examples(3)
    @given(st.integers(1, 12), st.lists(spends, min_size=1, max_size=6), st.lists(bills, max_size=3), st.booleans())
    def test_any_month(self, month, spent, owed, is_locked):
        """Whatever the month holds, a dry run shows exactly what the synchronization then posts and holds."""
        with self.isolated():
            accounts = [self.external(self.account_meals), self.external(self.account_travel), 'X-1', None]
            for amount, day, currency, account in spent:
                self.spend(
                    amount,
                    date=f'2025-{month:02}-{day:02}T12:00:00+00:00',
                    currency=currency,
                    account=accounts[account],
                )
            for number, (amount, day, currency, is_paid) in enumerate(owed):
                bill = self.owe(
                    amount,
                    vendor=self.vendor,
                    currency=currency,
                    date=f'2025-{month:02}-{day:02}',
                    invoice_number=f'A-{number}',
                )
                if is_paid:
                    self.ramp.pay_bill(bill, date=f'2025-{month:02}-28')
            if is_locked:
                self.company.fiscalyear_lock_date = f'2025-{month:02}-28'
            run = self.assertForeseen()
            held = self.env['ramp.record'].search(
                [('connection_id', '=', self.connection.id), ('state', 'in', ('held', 'error'))]
            )
            self.assertEqual(run.stopped_count, len(held))
            self.assertEqual(
                sorted((cause['title'], cause['count']) for cause in run.result['causes']),
                sorted((cause.name, cause.record_count) for cause in held.cause_ids),
            )


@tagged('post_install', '-at_install', 'ramp')
class TestKeptAnswers(RampCase):
    def test_each_is_asked_for_once(self):
        client = self.connection._new_client(kept_answers={})
        there = len(self.ramp.requests)
        first, second = client.get('/business'), client.get('/business')
        self.assertEqual(first, second)
        self.assertIsNot(first, second, 'a caller may change what it got')
        self.assertEqual(len(self.ramp.requests), there + 1)
        client.get('/business', {'other': 1})
        self.assertEqual(len(self.ramp.requests), there + 2)
