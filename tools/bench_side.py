"""Measure one side of the benchmark of card transactions; called by `bench.py`.

The parts that `bench_bills.py` shares are here too: the meter, the jobs, the frame of a measurement. Each side has its
own process and database. It begins with the same company, chart, cardholders and simulated Ramp, and books the same
transactions:

    ours   fetched from Ramp, recorded in the ledger, expense created, entry posted, confirmed to Ramp: the job as the
           scheduler calls it
    bare   `hr.expense` and its entry created and posted in batches of 100, committed. The values are read and decided
           before the clock starts. There is no Ramp and no ledger
    quiet  the same without change tracking and its mail messages, as ours has it
    core   Odoo's own way for company-paid expenses: created, submitted, approved and posted, in batches of 100
"""

import argparse
import contextlib
import dataclasses
import gc
import json
import math
import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import psycopg2
from odoo_env import environment, set_up, simulator

BATCH = 100
STEP = 1000
# The tables that booking writes to. Statistics of other tables do not change meanwhile.
TABLES = (
    'ramp_record',
    'hr_expense',
    'account_move',
    'account_move_line',
    'account_payment',
    'account_analytic_line',
    'mail_message',
    'mail_followers',
    'mail_tracking_value',
    'mail_activity',
)
QUIET = {'mail_create_nosubscribe': True, 'mail_create_nolog': True, 'tracking_disable': True, 'mail_notrack': True}


def memory_use():
    """Return (current, peak) memory of this process in megabytes."""
    status = dict(line.split(':', 1) for line in Path('/proc/self/status').read_text(encoding='ascii').splitlines())
    return tuple(int(status[name].split()[0]) / 1024 for name in ('VmRSS', 'VmHWM'))


def processor_time(pid):
    """Return the processor seconds of a process; 0.0 if it has ended."""
    try:
        fields = Path(f'/proc/{pid}/stat').read_text(encoding='utf-8').rpartition(')')[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


@dataclasses.dataclass
class Part:
    """One of the jobs that every object goes through. spent: the job's total cost; marks: the same at each tick."""

    done: int = 0
    analyzed: int = 0
    spent: Counter = dataclasses.field(default_factory=Counter)
    marks: list = dataclasses.field(default_factory=list)


class Meter:
    """Measure time, queries, waiting for HTTP and memory from `start` on. `tick` records how many objects are done."""

    def __init__(self, env, mode, tables):
        self.env, self.mode, self.tables = env, mode, tables
        # A connection beside Odoo's, so that its queries are not counted.
        self.own = psycopg2.connect(host=os.environ['RAMP_SOCKET'], user='odoo', dbname=env.cr.dbname)
        self.own.autocommit = True
        self.sql = self.own.cursor()
        self.http_seconds, self.http_requests = 0.0, 0
        self.paused, self.cpu = 0.0, 0.0
        self.parts = {}

    def start(self, *parts):
        thread = threading.current_thread()
        # Odoo counts the queries of all cursors of a thread that has these attributes.
        thread.query_count, thread.query_time = 0, 0.0
        gc.collect()
        with contextlib.suppress(OSError):  # reset the peak of the preparations
            Path('/proc/self/clear_refs').write_text('5', encoding='ascii')
        self.begun_memory = memory_use()
        self.cpu = self._cpu_seconds()
        self.begun = time.monotonic()
        self.parts = {name: Part() for name in parts or ('all',)}
        for name in reversed(self.parts):
            self.part = name
            self.turned = self._cost_so_far()
            self._mark_progress()

    @property
    def done(self):
        """Return how many objects have gone through all parts."""
        return min(part.done for part in self.parts.values())

    def turn(self, name):
        """Switch to another part of the work. Every object goes through each part."""
        cost = self._cost_so_far()
        self.parts[self.part].spent.update(_cost_since(cost, self.turned))
        self.part, self.turned = name, cost

    def _cpu_seconds(self):
        """Return the processor seconds of Odoo and of its PostgreSQL backends.

        Other work on the machine disturbs them least.
        """
        self.sql.execute(
            'SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()'
            " AND backend_type = 'client backend'"
        )
        return processor_time('self') + sum(processor_time(row[0]) for row in self.sql.fetchall())

    def _cost_so_far(self):
        return {
            'seconds': time.monotonic() - self.begun - self.paused,
            'cpu': self._cpu_seconds() - self.cpu,
            'queries': threading.current_thread().query_count,
        }

    def _mark_progress(self):
        part, (now, peak) = self.parts[self.part], memory_use()
        spent = Counter(part.spent)
        spent.update(_cost_since(self._cost_so_far(), self.turned))
        part.marks.append({'done': part.done, **spent, 'rss_mb': now, 'peak_mb': peak})

    def tick(self, count):
        part = self.parts[self.part]
        part.done += count
        self._mark_progress()
        # Renew the statistics on every side when the tables have doubled, outside of the measured time.
        if self.mode == 'fresh' and part.done >= max(BATCH, 2 * part.analyzed):
            part.analyzed = part.done
            self.analyze()

    def analyze(self):
        started = time.monotonic()
        self.sql.execute(f'ANALYZE {", ".join(self.tables)}')
        self.paused += time.monotonic() - started

    def watch_http(self):
        """Count the requests to Ramp and the time until their answers are read."""
        from odoo.addons.ramp_connector.ramp_api import RampClient

        def measured(original):
            def send(*args, **kwargs):
                started = time.monotonic()
                try:
                    return original(*args, **kwargs)
                finally:
                    self.http_seconds += time.monotonic() - started
                    self.http_requests += 1

            return send

        for name in ('_send_api_attempt', '_fetch_file_attempt'):
            setattr(RampClient, name, measured(getattr(RampClient, name)))

    def figures(self):
        self.turn(self.part)
        last, peak, thread = self._cost_so_far(), memory_use()[1], threading.current_thread()
        seconds, count = last['seconds'], self.done
        steps = self._thousand_steps()
        return {
            'count': count,
            'seconds': seconds,
            'rate': count / seconds,
            'queries': last['queries'] / count,
            'sql_share': thread.query_time / seconds,
            'http_share': self.http_seconds / seconds,
            'http_requests': self.http_requests,
            'cpu_ms': 1000 * last['cpu'] / count,
            'start_mb': self.begun_memory[0],
            'peak_mb': peak,
            'grown_mb': peak - self.begun_memory[0],
            'steps': steps,
            'parts': {
                name: {
                    'seconds': part.spent['seconds'],
                    'queries': part.spent['queries'] / count,
                    'cpu_ms': 1000 * part.spent['cpu'] / count,
                }
                for name, part in self.parts.items()
            },
            'last_first': steps[-1]['rate'] / steps[0]['rate'],
            'last_first_cpu': steps[0]['cpu_ms'] / steps[-1]['cpu_ms'],
        }

    def _thousand_steps(self):
        """Return the cost of each thousand over all parts."""
        return [
            {
                'from': together[-1]['from'],
                'to': together[-1]['to'],
                'rate': 1 / sum(step['seconds'] for step in together),
                'queries': sum(step['queries'] for step in together),
                'cpu_ms': sum(step['cpu_ms'] for step in together),
                'rss_mb': together[-1]['rss_mb'],
                'peak_mb': together[-1]['peak_mb'],
            }
            for together in zip(*(_steps_of_thousands(part.marks) for part in self.parts.values()))
        ]


def _cost_since(cost, before):
    return {key: value - before[key] for key, value in cost.items()}


def _steps_of_thousands(marks):
    """Return the cost per object in one part, for each thousand."""
    steps, begin = [], marks[0]
    for mark in marks[1:]:
        if (
            mark['done'] - begin['done'] >= STEP
            or mark is marks[-1]
            and (not steps or mark['done'] - begin['done'] > STEP / 2)
        ):
            count = mark['done'] - begin['done']
            steps.append(
                {
                    'from': begin['done'] + 1,
                    'to': mark['done'],
                    'seconds': (mark['seconds'] - begin['seconds']) / count,
                    'queries': (mark['queries'] - begin['queries']) / count,
                    'cpu_ms': 1000 * (mark['cpu'] - begin['cpu']) / count,
                    'rss_mb': mark['rss_mb'],
                    'peak_mb': mark['peak_mb'],
                }
            )
            begin = mark
    return steps


# ------------------------------------------------------------------------------------------ the data


def prepare_company(env, ramp, size, seed):
    """Connect the company to a Ramp with exactly `size` transactions to book. Return the connection."""
    from odoo.addons.ramp_connector.models.run_memory import RunMemory

    connection = set_up(env, ramp, transactions=round(size * 1.15) + 50, months=6, seed=seed)
    ready = ready_payloads(ramp)
    for payload in ready[size:]:
        ramp.ask('PATCH', f'/transactions/{payload["id"]}', {'sync_status': 'NOT_SYNC_READY'})
    if len(ready) < size:
        raise SystemExit(f'the simulator has only {len(ready)} transactions that are ready')
    # A company meets each cardholder once, so every side links them before the clock starts.
    flow = env['ramp.flow.transaction'].with_context(ramp_memory=RunMemory())
    users = flow._fetch_ramp_users(connection._new_client(deadline=math.inf))
    env['hr.employee']._ramp_link(connection, users, {user.id for user in users})
    env['ramp.connection']._database_identity()
    env.cr.commit()
    return connection


def ready_payloads(ramp):
    """Return the transactions that Ramp offers, in its own order."""
    found = [
        {key: value for key, value in row.items() if key[0] != '_'}
        for row in ramp.ask('GET', '/transactions?sync_status=SYNC_READY')['data']
    ]
    return sorted(found, key=lambda row: row['user_transaction_time'])


def decide_rows(env, connection, ramp):
    """Return what the baselines book, as plain values.

    The payloads and the rules of coding and conversion are the same.
    """
    from odoo.addons.ramp_connector.models.run_memory import RunMemory

    flow = env['ramp.flow.transaction'].with_context(ramp_memory=RunMemory(), tz=connection._time_zone())
    values = [flow._read_payload(payload) for payload in ready_payloads(ramp)]
    found = flow._look_up_references(connection, values)
    company_scale = 10**connection.company_id.currency_id.decimal_places
    rows = []
    for value in values:
        plan = flow._plan_object(connection, value, found)
        scale = 10**plan.currency.decimal_places
        rows.append(
            {
                'name': plan.label,
                'date': plan.date,
                'entry_date': plan.entry_date,
                'currency': plan.currency.id,
                'employee': plan.employee.id,
                'partner': plan.partner.id,
                'memo': value.memo,
                'amount': float(value.amount.decimal_amount),
                'balance': plan.balance / company_scale,
                'lines': [
                    {
                        'account': line.coding.account.id,
                        'distribution': line.coding.distribution,
                        'amount': line.amount / scale,
                        'balance': line.balance / company_scale,
                        'name': line.name,
                    }
                    for line in plan.lines
                ],
            }
        )
    return rows


def batches_of(rows):
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


# ------------------------------------------------------------------------------------------ the sides


def run_jobs(env, connection, meter, size, flows):
    """Run the jobs of these flows in turns, as the scheduler does, until each has confirmed this many objects."""
    Record = env.registry['ramp.record']
    original = Record._mark_confirmed

    def confirm(records):
        original(records)
        meter.tick(len(records))

    Record._mark_confirmed = confirm
    meter.watch_http()
    crons = {flow: env['ir.cron'].browse(env[f'ramp.flow.{flow}']._get_cron_job().id) for flow in flows}
    connection.with_context(ramp_quiet=True).action_sync_now()
    env.cr.commit()
    meter.start(*flows)
    # The scheduler gives a job some seconds at a time. A job asks for another call while there is more work.
    before = None
    while meter.done < size:
        for flow in flows:
            meter.turn(flow)
            crons[flow].method_direct_trigger()
            env.cr.commit()
            env.invalidate_all()
        done = {flow: part.done for flow, part in meter.parts.items()}
        if done == before:
            run = env['ramp.run'].search([], limit=1, order='id desc')
            raise SystemExit(f'ours: stuck at {done} of {size}: {run.message}')
        before = done
    Record._mark_confirmed = original


def run_ours(env, connection, meter, size):
    run_jobs(env, connection, meter, size, ['transaction'])


def run_bare(env, connection, meter, rows):
    for batch in batches_of(rows):
        expenses = env['hr.expense'].create(
            [{**expense_values(connection, row), 'approval_state': 'approved'} for row in batch]
        )
        moves = env['account.move'].create(
            [move_values(connection, expense, row) for expense, row in zip(expenses, batch, strict=True)]
        )
        moves._post()
        env.cr.commit()
        meter.tick(len(batch))


def expense_values(connection, row):
    """Return the values of an expense for `bare` and `core`. A split goes to its first account."""
    return {
        'name': row['name'],
        'employee_id': row['employee'],
        'company_id': connection.company_id.id,
        'product_id': connection.expense_product_id.id,
        'payment_mode': 'company_account',
        'date': row['date'],
        'currency_id': row['currency'],
        'total_amount_currency': row['amount'],
        'total_amount': row['balance'],
        'tax_ids': [(5,)],
        'account_id': row['lines'][0]['account'],
        'analytic_distribution': row['lines'][0]['distribution'],
        'vendor_id': row['partner'],
        'description': row['memo'],
    }


def move_values(connection, expense, row):
    """Return the entry of an expense: its lines, and the card liability."""
    shared = {'partner_id': row['partner'], 'currency_id': row['currency']}
    return {
        'move_type': 'entry',
        'journal_id': connection.card_journal_id.id,
        'date': row['entry_date'],
        'ref': row['name'],
        **shared,
        'expense_ids': [(6, 0, expense.ids)],
        'line_ids': [
            *(
                (
                    0,
                    0,
                    {
                        'name': line['name'],
                        'account_id': line['account'],
                        **shared,
                        'amount_currency': line['amount'],
                        'balance': line['balance'],
                        'analytic_distribution': line['distribution'],
                    },
                )
                for line in row['lines']
            ),
            (
                0,
                0,
                {
                    'name': row['name'],
                    'account_id': connection.card_account_id.id,
                    **shared,
                    'amount_currency': -row['amount'],
                    'balance': -row['balance'],
                },
            ),
        ],
    }


def run_core(env, connection, meter, rows):
    """Book as core does. It has one account per expense and no refunds.

    So splits go to their first account, and refunds are booked as spend.
    """
    method = connection.card_journal_id.outbound_payment_method_line_ids[:1]
    for batch in batches_of(rows):
        expenses = env['hr.expense'].create(
            [
                {
                    **expense_values(connection, row),
                    'payment_method_line_id': method.id,
                    'total_amount_currency': abs(row['amount']),
                    'total_amount': abs(row['balance']),
                }
                for row in batch
            ]
        )
        expenses.action_submit()
        waiting = expenses.filtered(lambda expense: expense.approval_state == 'submitted')
        if waiting and waiting.action_approve():  # it asks about suspected duplicates; confirm
            waiting._do_approve(False)
        expenses.action_post()
        env.cr.commit()
        meter.tick(len(batch))


def run_receipts(env, meter):
    """Fetch the receipts of what was booked, without the client's own rate limit."""
    from odoo.addons.ramp_connector.ramp_api import SlidingWindow

    SlidingWindow.acquire_place = lambda self, longest=None: 0.0
    count = env['ramp.record'].search_count([('flow', '=', 'receipt')])
    cron = env['ir.cron'].browse(env['ramp.flow.receipt']._get_cron_job().id)
    env.cr.commit()
    requests, waited, queries, started = (
        meter.http_requests,
        meter.http_seconds,
        threading.current_thread().query_count,
        time.monotonic(),
    )
    while env['ramp.record'].search_count([('flow', '=', 'receipt'), ('state', '!=', 'confirmed')]):
        cron.method_direct_trigger()
        env.cr.commit()
        env.invalidate_all()
    seconds = time.monotonic() - started
    return {
        'count': count,
        'rate': count / seconds,
        'queries': (threading.current_thread().query_count - queries) / count,
        'requests': (meter.http_requests - requests) / count,
        'http_share': (meter.http_seconds - waited) / seconds,
    }


# ------------------------------------------------------------------------------------------ the check of the work

SIDES = {'bare': run_bare, 'quiet': run_bare, 'core': run_core}


def check_books(env, connection, side, size):
    """Check the number of posted entries and of expenses in their final state.

    A benchmark that skips its work is fast.
    """
    env.invalidate_all()
    entries = env['account.move'].search_count(
        [('journal_id', '=', connection.card_journal_id.id), ('state', '=', 'posted'), ('expense_ids', '!=', False)]
    )
    paid = env['hr.expense'].search_count([('state', '=', 'paid'), ('account_move_id', '!=', False)])
    if entries != size or paid != size:
        raise SystemExit(f'{side}: {entries} posted entries and {paid} paid expenses instead of {size}')


def switch_autovacuum_off(env, tables):
    for table in tables:
        env.cr.execute(f'ALTER TABLE {table} SET (autovacuum_enabled = off)')
    env.cr.commit()


def read_options(kind):
    parser = argparse.ArgumentParser()
    parser.add_argument('--side', choices=('ours', *kind.SIDES), required=True)
    parser.add_argument('--database', required=True)
    parser.add_argument('--size', type=int, required=True)
    parser.add_argument(
        '--statistics',
        choices=('fresh', 'own', 'none'),
        required=True,
        help='fresh: collected from outside; own: only what the addon collects; none: not even that',
    )
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--receipts', action='store_true', help='fetch the receipts too, after the figures are taken')
    parser.add_argument('--output', required=True)
    parser.add_argument('--profile', help='write a profile of Python calls here')
    return parser.parse_args()


def side_of(kind, options, env, connection, ramp, meter):
    """Return the function that does the work of a side. Read the data here that is read before the clock starts."""
    if options.side == 'ours':
        return lambda: kind.run_ours(env, connection, meter, options.size)
    rows = kind.decide_rows(env, connection, ramp)
    if options.side == 'quiet':
        env = env(context={**env.context, **QUIET})
        connection = connection.with_env(env)
    env.cr.commit()
    env.invalidate_all()
    run_side = kind.SIDES[options.side]
    return lambda: (meter.start(), run_side(env, connection, meter, rows))


def run_profiled(work, path):
    """Run a function without arguments and return its result.

    If `path` is given, write a profile of its calls to it.
    """
    if not path:
        return work()
    import cProfile

    profile = cProfile.Profile()
    result = profile.runcall(work)
    profile.dump_stats(path)
    return result


def main(kind):
    """Measure one side.

    :param kind: the module that defines TABLES, SIDES, prepare_company, decide_rows, run_ours and check_books
    """
    options = read_options(kind)
    with simulator('--no-validate', '--rate-limit', 0) as ramp, environment(options.database) as env:
        env = env(context={**env.context, 'lang': 'en_US'})
        connection = kind.prepare_company(env, ramp, options.size, options.seed)
        if options.statistics != 'fresh':
            switch_autovacuum_off(env, kind.TABLES)
        if options.statistics != 'own':
            env.registry['ramp.record']._refresh_statistics = lambda records: None
        meter = Meter(env, options.statistics, kind.TABLES)
        work = side_of(kind, options, env, connection, ramp, meter)
        if options.statistics == 'fresh':
            meter.analyze()
            meter.paused = 0.0
        run_profiled(work, options.profile)
        figures = meter.figures()
        kind.check_books(env, connection, options.side, options.size)
        if options.receipts:
            figures['receipts'] = run_receipts(env, meter)
        problems = ramp.summary()['errors']
        if problems:
            raise SystemExit(f'the simulator failed: {problems[0]}')
    Path(options.output).write_text(json.dumps(figures), encoding='utf-8')


if __name__ == '__main__':
    main(sys.modules[__name__])
