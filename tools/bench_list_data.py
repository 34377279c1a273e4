"""Fill a database with a large ledger for the measurement of the screens (`bench_lists.py`).

A small company really synchronizes with a simulated Ramp first. SQL then copies its rows and entries until the ledger
has as many as wanted: spread over two years, with causes, other companies and the history that goes with them.
"""

import contextlib
import json
import os
from datetime import date
from types import SimpleNamespace

import psycopg2
from bench_tie_out import list_copied_columns
from dateutil.relativedelta import relativedelta
from demo import connect_demo_company, order_and_spend_money, synchronize_books

MONTHS = 24
SMALL = SimpleNamespace(transactions=150, bills=60, reimbursements=30, orders=12, seed=1)
DIFFERENCES = 6000  # card transactions that Ramp counts and Odoo does not have
HELD_BILLS = 900
CAUSES = 300
OTHER_COMPANY = 0.08  # share of the rows that a second company has
# Shares of the rest, with the rows that come with an object: files, payments
SHARES = {'transaction': 0.22, 'bill': 0.05, 'reimbursement': 0.03, 'vendor': 0.01, 'account': 0.02}
FOLLOWERS = ('receipt', 'bill_payment', 'bill_file', 'reimbursement_payment', 'vendor_contact')
RUNS, MAPPINGS, UNDONE, SIGNED = 20000, 300, 5000, 3


def build_screen_ledger(env, ramp, rows):
    """Build a ledger with this many rows. Return the connection that has most of them."""
    connection = connect_demo_company(env, ramp, SMALL.seed)
    order_and_spend_money(env, connection, ramp, SMALL)
    synchronize_books(env, connection, SMALL)
    first = date.today().replace(day=1) - relativedelta(months=MONTHS - 1)
    connection.start_date = first
    other = create_other_connection(env, first)
    env.flush_all()
    copier = LedgerCopier(env, connection, first)
    copier.add_held_objects(connection, 'transaction', DIFFERENCES)
    copier.add_held_objects(connection, 'bill', HELD_BILLS)
    copier.add_held_objects(other, 'transaction', DIFFERENCES // 10)
    copier.add_open_objects(connection)
    for flow, share in SHARES.items():
        copier.add_settled_objects(connection, flow, int(rows * share))
    copier.add_settled_objects(other, 'transaction', int(rows * OTHER_COMPANY), entries=False)
    copier.add_settled_objects(connection, 'transaction', max(0, rows - copier.count_rows()), followers=False)
    env.cr.commit()
    env.cr.execute('ANALYZE')
    env.cr.commit()
    add_history(env, connection)
    env.cr.commit()
    vacuum_database(env.cr.dbname)
    return connection


def vacuum_database(database):
    """Leave the tables as autovacuum does after some minutes."""
    with contextlib.closing(psycopg2.connect(host=os.environ['RAMP_SOCKET'], user='odoo', dbname=database)) as link:
        link.autocommit = True
        link.cursor().execute('VACUUM ANALYZE')


def create_other_connection(env, first):
    """Create a second company with a connection of its own. Return the connection."""
    company = env['res.company'].create({'name': 'Second Company', 'country_id': env.ref('base.us').id})
    env['account.chart.template'].try_loading('generic_coa', company=company, install_demo=False)
    connection = env['ramp.connection'].create(
        {
            'name': 'Ramp of the second company',
            'environment': 'custom',
            'api_url': 'http://127.0.0.1:9',
            'company_id': company.id,
            'start_date': first,
        }
    )
    connection.with_company(company)._complete_set_up()
    connection.state = 'connected'
    return connection


class LedgerCopier:
    """Copies rows of the ledger with their entries and with the rows that belong to them."""

    def __init__(self, env, connection, first):
        self.env, self.source, self.first = env, connection, first
        self.days = (date.today() - first).days
        self.batch = 0

    def count_rows(self):
        """Return the number of rows of the ledger."""
        self.env.cr.execute('SELECT count(*) FROM ramp_record')
        return self.env.cr.fetchone()[0]

    def add_settled_objects(self, connection, flow, count, *, entries=True, followers=True):
        """Add copies of what is posted, or of what Ramp has, with their documents.

        :param entries: whether each copy has an entry of its own
        :param followers: whether the rows that belong to an object are copied with it
        """
        self._choose_originals(flow, count, "state = 'confirmed' OR flow = 'vendor' OR remote_id IS NOT NULL")
        if entries:
            self._copy_entries()
        without = {} if entries else {'res_id': 'NULL', 'res_model': 'NULL'}
        self._copy_rows(connection, {'state': "'confirmed'", **without})
        if followers:
            self._copy_followers(connection)

    def add_open_objects(self, connection):
        """Add what waits in Ramp, what failed, what a rule left out, and what changed in Ramp or in Odoo."""
        nothing = {
            'res_id': 'NULL',
            'res_model': 'NULL',
            'sync_key': 'NULL',
            'confirmed_at': 'NULL',
            'is_told': 'FALSE',
        }
        for count, values in (
            (8000, {'state': "'pending'", 'is_withheld': 'TRUE', 'has_moved': 'FALSE', **nothing}),
            (
                300,
                {
                    'state': "'error'",
                    'attempts': '3',
                    'error_message': "'Odoo refused it.'",
                    'has_moved': 'FALSE',
                    **nothing,
                },
            ),
            (6000, {'state': "'ignored'", 'hold_reason': "'rule'", 'has_moved': 'FALSE', **nothing}),
            (
                500,
                {
                    'state': "'ignored'",
                    'hold_reason': "'person'",
                    'decision': "'ignore'",
                    'has_moved': 'FALSE',
                    **nothing,
                },
            ),
        ):
            self._choose_originals('transaction', count)
            self._copy_rows(connection, values)
        for count, values in (
            (200, {'state': "'held'", 'hold_reason': "'changed'", 'has_changed': 'TRUE', 'late_payload': 't.payload'}),
            (50, {'state': "'held'", 'hold_reason': "'finding'", 'finding': "'draft'"}),
            (100, {'state': "'done'"}),
        ):
            self._choose_originals('transaction', count)
            self._copy_entries()
            self._copy_rows(connection, values)

    def add_held_objects(self, connection, flow, count):
        """Add objects on hold that have no document, each with one or two of the causes."""
        self._choose_originals(flow, count)
        self._copy_rows(
            connection,
            {
                'state': "'held'",
                'hold_reason': "'question'",
                'has_moved': "t.flow = 'transaction'",
                'open_amount': "CASE t.flow WHEN 'bill' THEN t.amount END",
                'sync_key': 'NULL',
                'confirmed_at': 'NULL',
                'is_told': 'FALSE',
                'res_id': 'NULL',
                'res_model': 'NULL',
                'noted': 'NULL',
            },
        )
        self._give_reasons(connection)

    # ------------------------------------------------------------------ parts of a batch

    def _choose_originals(self, flow, count, condition='TRUE'):
        """Choose as many originals, in turn, and reserve ids and days for their copies."""
        self.batch += 1
        cr = self.env.cr
        cr.execute('DROP TABLE IF EXISTS made')
        # `condition` is a constant of this file
        cr.execute(
            f"""
            CREATE TEMPORARY TABLE made AS
            WITH original AS MATERIALIZED (
                SELECT id, ramp_id, res_model, res_id, row_number() OVER (ORDER BY id) - 1 AS place, count(*) OVER () AS number
                  FROM ramp_record
                 WHERE connection_id = %s AND flow = %s AND id <= %s AND ({condition}) AND (remote_id IS NOT NULL OR payload IS NOT NULL)
                   AND res_id IS NOT NULL)
            SELECT n, o.id AS original_id, o.ramp_id AS original, o.res_id AS original_move,
                   nextval('ramp_record_id_seq')::int AS record_id, gen_random_uuid()::text AS ramp_id,
                   CASE o.res_model WHEN 'account.move' THEN nextval('account_move_id_seq')::int END AS move_id,
                   %s::date + (n * 7919::bigint %% %s)::int AS date
              FROM generate_series(1, %s) n JOIN original o ON o.place = n %% o.number
            """,
            [self.source.id, flow, self._last_original(), self.first, self.days, count],
        )
        cr.execute('ANALYZE made')

    def _last_original(self):
        if not hasattr(self, '_last'):
            self.env.cr.execute('SELECT max(id) FROM ramp_record')
            self._last = self.env.cr.fetchone()[0]
        return self._last

    def _copy_entries(self):
        prefix = f"'BENCH/{self.batch}/'"
        for table, condition, values in (
            (
                'account_move',
                't.id = made.original_move',
                {
                    'id': 'made.move_id',
                    'name': f'{prefix} || made.n',
                    'date': 'made.date',
                    'ramp_id': 'made.ramp_id',
                    'sequence_number': 'made.n',
                    'sequence_prefix': prefix,
                    'access_token': 'NULL',
                    'secure_sequence_number': 'NULL',
                },
            ),
            (
                'account_move_line',
                't.move_id = made.original_move',
                {
                    'id': "nextval('account_move_line_id_seq')",
                    'move_id': 'made.move_id',
                    'move_name': f'{prefix} || made.n',
                    'date': 'made.date',
                },
            ),
        ):
            names, expressions = list_copied_columns(self.env, table, values)
            self.env.cr.execute(
                f'INSERT INTO {table} ({names}) SELECT {expressions} FROM {table} t JOIN made ON {condition} '
                'WHERE made.move_id IS NOT NULL'
            )

    def _copy_rows(self, connection, values):
        names, expressions = list_copied_columns(
            self.env,
            'ramp_record',
            {
                'id': 'made.record_id',
                'connection_id': str(connection.id),
                'company_id': str(connection.company_id.id),
                'ramp_id': 'made.ramp_id',
                'remote_id': "t.remote_id || '-' || made.n",
                'date': 'CASE WHEN t.date IS NOT NULL THEN made.date END',
                # what Odoo sends has one row for each record
                'res_id': 'CASE WHEN t.remote_id IS NOT NULL THEN 1000000 + made.n ELSE COALESCE(made.move_id, t.res_id) END',
                **values,
            },
        )
        self.env.cr.execute(
            f'INSERT INTO ramp_record ({names}) SELECT {expressions} FROM ramp_record t JOIN made ON t.id = made.original_id'
        )

    def _copy_followers(self, connection):
        """Copy the files and payments of the objects that were copied last."""
        names, expressions = list_copied_columns(
            self.env,
            'ramp_record',
            {
                'id': "nextval('ramp_record_id_seq')",
                'connection_id': str(connection.id),
                'company_id': str(connection.company_id.id),
                'ramp_id': "CASE WHEN t.ramp_id = made.original THEN made.ramp_id ELSE t.ramp_id || '-' || made.n END",
                'parent_ramp_id': 'CASE WHEN t.parent_ramp_id = made.original THEN made.ramp_id ELSE t.parent_ramp_id END',
                'date': 'CASE WHEN t.date IS NOT NULL THEN made.date END',
            },
        )
        self.env.cr.execute(
            f"""
            INSERT INTO ramp_record ({names}) SELECT {expressions}
              FROM ramp_record t JOIN made ON made.original IN (t.ramp_id, t.parent_ramp_id)
             WHERE t.connection_id = %s AND t.flow = ANY(%s) AND t.id <= %s
            """,
            [self.source.id, list(FOLLOWERS), self._last_original()],
        )

    def _give_reasons(self, connection):
        """Give the rows that were copied last their reasons, by turns; every third row has two causes."""
        Record = self.env['ramp.record']
        causes = make_causes()
        self.env.cr.execute('DROP TABLE IF EXISTS reasons')
        self.env.cr.execute('CREATE TEMPORARY TABLE reasons (place int, error_message text, reason jsonb)')
        for place in range(3 * len(causes)):
            second = [causes[(place + 7) % len(causes)]] if place % 3 == 0 else []
            chosen = [causes[place % len(causes)], *second]
            values = Record._make_reason(connection, SimpleNamespace(causes=chosen))
            self.env.cr.execute(
                'INSERT INTO reasons VALUES (%s, %s, %s::jsonb)',
                [place, values['error_message'], json.dumps(values['reason'])],
            )
        self.env.cr.execute(
            """
            UPDATE ramp_record r SET error_message = s.error_message, reason = s.reason
              FROM made JOIN reasons s ON s.place = made.n %% %s
             WHERE r.id = made.record_id
            """,
            [3 * len(causes)],
        )


def make_causes():
    """Return the causes: options that nobody mapped, cardholders, what is to be done in Ramp, vendors."""
    from odoo.addons.ramp_connector.models.reason import ALL_ARGUMENTS, Cause, Sentence

    causes = []
    for number in range(CAUSES):
        kind = ('map_option', 'map_option', 'cardholder', 'in_ramp', 'vendor', None)[number % 6]
        about = {
            'map_option': {
                'type': 'GL_ACCOUNT',
                'key': f'key-{number}',
                'option': f'Option {number}',
                'record_kind': 'account',
            },
            'vendor': {'vendor': f'vendor-{number}'},
        }.get(kind, {})
        text = Sentence(
            '%(what)s "%(name)s" of line %(line)s means nothing in Odoo yet. Choose what it means.',
            {
                'what': ('Account', 'Department', 'Cardholder', 'Memo', 'Vendor', 'Tax')[number % 6],
                'name': f'Option {number}',
                'line': '1',
            },
        )
        causes.append(Cause.of(text, kind, ALL_ARGUMENTS, about))
    return causes


def add_history(env, connection):
    """Add runs, events, decisions, an undone synchronization and sign-offs, as two years leave them behind."""
    cr = env.cr
    cr.execute(
        """
        INSERT INTO ramp_run (connection_id, company_id, flow, state, started_at, finished_at, seen, processed, created, confirmed)
        SELECT %s, %s, (ARRAY['transaction', 'bill', 'receipt', 'vendor', 'account', 'watch'])[1 + n %% 6],
               CASE WHEN n %% 50 = 0 THEN 'failed' ELSE 'done' END, now() - (%s - n) * interval '10 minutes',
               now() - (%s - n) * interval '10 minutes' + interval '4 seconds', n %% 7, n %% 7, n %% 5, n %% 5
          FROM generate_series(1, %s) n
        """,
        [connection.id, connection.company_id.id, RUNS, RUNS, RUNS],
    )
    accounts = env['account.account'].search([('account_type', '=', 'expense')], limit=10)
    env['ramp.mapping'].create(
        [
            {
                'connection_id': connection.id,
                'ramp_type': 'GL_ACCOUNT',
                'ramp_key': f'mapped-{number}',
                'name': f'Mapped {number}',
                'target': 'account',
                'account_id': accounts[number % len(accounts)].id,
            }
            for number in range(MAPPINGS)
        ]
    )
    run = env['ramp.run'].search([('connection_id', '=', connection.id), ('flow', '=', 'transaction')], limit=1)
    cr.execute(
        """
        UPDATE ramp_record SET booked_run_id = %s WHERE id IN (
               SELECT id FROM ramp_record WHERE connection_id = %s AND flow = 'transaction' AND state = 'confirmed' LIMIT %s)
        """,
        [run.id, connection.id, UNDONE],
    )
    env.invalidate_all()
    env['ramp.undo'].create({'connection_id': connection.id, 'scope': 'run', 'run_id': run.id}).action_prepare()
    connection.action_test_connection()
    held = [('connection_id', '=', connection.id), ('flow', '=', 'transaction'), ('state', '=', 'held')]
    env['ramp.record'].search(held, limit=1).action_dry_run()
    administrator = env['ramp.tie.out.sign.off'].with_user(env.ref('base.user_admin'))
    for number in range(2, 2 + SIGNED):
        administrator.sign_month(connection.id, f'{date.today() - relativedelta(months=number):%Y-%m}')
