"""What the measurements of all kinds of documents share: the meter, the jobs, and the frame of a measurement.

`bench_transactions.py` and `bench_bills.py` are the scripts. Each of them measures one side in a process and a database
of its own.
"""

import argparse
import contextlib
import dataclasses
import gc
import json
import os
import threading
import time
from collections import Counter
from pathlib import Path

import psycopg2
from odoo_env import open_environment, run_simulator

BATCH = 100
STEP = 1000
QUIET = {'mail_create_nosubscribe': True, 'mail_create_nolog': True, 'tracking_disable': True, 'mail_notrack': True}


# ------------------------------------------------------------------------------------------ the meter


def read_memory_use():
    """Return (current, peak) memory of this process in megabytes."""
    status = dict(line.split(':', 1) for line in Path('/proc/self/status').read_text(encoding='ascii').splitlines())
    return tuple(int(status[name].split()[0]) / 1024 for name in ('VmRSS', 'VmHWM'))


def read_processor_seconds(pid):
    """Return the processor seconds of a process; 0.0 if it has ended."""
    try:
        fields = Path(f'/proc/{pid}/stat').read_text(encoding='utf-8').rpartition(')')[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


@dataclasses.dataclass
class MeteredPart:
    """One of the jobs that every object goes through. spent: the job's total cost; marks: the same at each tick."""

    done: int = 0
    analyzed: int = 0
    spent: Counter = dataclasses.field(default_factory=Counter)
    marks: list = dataclasses.field(default_factory=list)


class SideMeter:
    """Measure time, queries, waiting for HTTP and memory. `count_done_objects` records the progress."""

    def __init__(self, env, mode, tables):
        self.env, self.mode, self.tables = env, mode, tables
        # A connection beside Odoo's, so that its queries are not counted.
        self.own = psycopg2.connect(host=os.environ['RAMP_SOCKET'], user='odoo', dbname=env.cr.dbname)
        self.own.autocommit = True
        self.sql = self.own.cursor()
        self.http_seconds, self.http_requests = 0.0, 0
        self.paused, self.cpu = 0.0, 0.0
        self.parts = {}

    def start_measurement(self, *parts):
        """Start the clock and all counters.

        :param parts: names of the parts that every object goes through; none: there is only one
        """
        thread = threading.current_thread()
        # Odoo counts the queries of all cursors of a thread that has these attributes.
        thread.query_count, thread.query_time = 0, 0.0
        gc.collect()
        with contextlib.suppress(OSError):  # reset the peak of the preparations
            Path('/proc/self/clear_refs').write_text('5', encoding='ascii')
        self.begun_memory = read_memory_use()
        self.cpu = self._read_cpu_seconds()
        self.begun = time.monotonic()
        self.parts = {name: MeteredPart() for name in parts or ('all',)}
        for name in reversed(self.parts):
            self.part = name
            self.turned = self._read_cost_so_far()
            self._mark_part_progress()

    @property
    def objects_done(self):
        """Return how many objects have gone through all parts."""
        return min(part.done for part in self.parts.values())

    def switch_to_part(self, name):
        """Switch to another part of the work. Every object goes through each part."""
        cost = self._read_cost_so_far()
        self.parts[self.part].spent.update(_subtract_costs(cost, self.turned))
        self.part, self.turned = name, cost

    def _read_cpu_seconds(self):
        """Return the processor seconds of Odoo and of its PostgreSQL backends.

        Other work on the machine disturbs them least.
        """
        self.sql.execute(
            'SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()'
            " AND backend_type = 'client backend'"
        )
        return read_processor_seconds('self') + sum(read_processor_seconds(row[0]) for row in self.sql.fetchall())

    def _read_cost_so_far(self):
        return {
            'seconds': time.monotonic() - self.begun - self.paused,
            'cpu': self._read_cpu_seconds() - self.cpu,
            'queries': threading.current_thread().query_count,
        }

    def _mark_part_progress(self):
        part, (now, peak) = self.parts[self.part], read_memory_use()
        spent = Counter(part.spent)
        spent.update(_subtract_costs(self._read_cost_so_far(), self.turned))
        part.marks.append({'done': part.done, **spent, 'rss_mb': now, 'peak_mb': peak})

    def count_done_objects(self, count):
        """Record that this many more objects have gone through the current part."""
        part = self.parts[self.part]
        part.done += count
        self._mark_part_progress()
        # Renew the statistics on every side when the tables have doubled, outside of the measured time.
        if self.mode == 'fresh' and part.done >= max(BATCH, 2 * part.analyzed):
            part.analyzed = part.done
            self.analyze_tables()

    def analyze_tables(self):
        """Renew the planner statistics of the tables. The time it takes is not measured."""
        started = time.monotonic()
        self.sql.execute(f'ANALYZE {", ".join(self.tables)}')
        self.paused += time.monotonic() - started

    def watch_http_requests(self):
        """Count the requests to Ramp and the time until their answers are read."""
        from odoo.addons.ramp_connector.ramp_api import RampClient

        def measure_sending(original):
            def send_and_measure(*args, **kwargs):
                started = time.monotonic()
                try:
                    return original(*args, **kwargs)
                finally:
                    self.http_seconds += time.monotonic() - started
                    self.http_requests += 1

            return send_and_measure

        for name in ('_send_api_attempt', '_fetch_file_attempt'):
            setattr(RampClient, name, measure_sending(getattr(RampClient, name)))

    def collect_figures(self):
        """Return the figures of the measurement: seconds, objects per second, queries each, shares, megabytes."""
        self.switch_to_part(self.part)
        last, peak, thread = self._read_cost_so_far(), read_memory_use()[1], threading.current_thread()
        seconds, count = last['seconds'], self.objects_done
        steps = self._sum_thousand_steps()
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

    def _sum_thousand_steps(self):
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
            for together in zip(*(_split_into_thousands(part.marks) for part in self.parts.values()))
        ]


def _subtract_costs(cost, before):
    return {key: value - before[key] for key, value in cost.items()}


def _split_into_thousands(marks):
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


# ------------------------------------------------------------------------------------------ the jobs


def split_into_batches(rows):
    """Yield the rows in lists of at most `BATCH`."""
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def run_jobs_in_turns(env, connection, meter, size, flows):
    """Run the jobs of these flows in turns, as the scheduler does, until each has confirmed this many objects."""
    Record = env.registry['ramp.record']
    original = Record._mark_confirmed

    def confirm_and_count(records):
        original(records)
        meter.count_done_objects(len(records))

    Record._mark_confirmed = confirm_and_count
    meter.watch_http_requests()
    crons = {flow: env['ir.cron'].browse(env[f'ramp.flow.{flow}']._get_cron_job().id) for flow in flows}
    connection.with_context(ramp_quiet=True).action_sync_now()
    env.cr.commit()
    meter.start_measurement(*flows)
    # The scheduler gives a job some seconds at a time. A job asks for another call while there is more work.
    before = None
    while meter.objects_done < size:
        for flow in flows:
            meter.switch_to_part(flow)
            crons[flow].method_direct_trigger()
            env.cr.commit()
            env.invalidate_all()
        done = {flow: part.done for flow, part in meter.parts.items()}
        if done == before:
            run = env['ramp.run'].search([], limit=1, order='id desc')
            raise SystemExit(f'ours: stuck at {done} of {size}: {run.message}')
        before = done
    Record._mark_confirmed = original


def measure_receipt_job(env, meter):
    """Fetch the receipts of what was booked, without the client's own rate limit. Return the figures."""
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


# ------------------------------------------------------------------------------------------ the frame of a measurement


def switch_autovacuum_off(env, tables):
    """Switch autovacuum off for tables, so that it collects no statistics during a measurement."""
    for table in tables:
        env.cr.execute(f'ALTER TABLE {table} SET (autovacuum_enabled = off)')
    env.cr.commit()


def read_side_options(kind):
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


def prepare_side_work(kind, options, env, connection, ramp, meter):
    """Return the function that does the work of a side. Read the data here that is read before the clock starts."""
    if options.side == 'ours':
        return lambda: kind.run_our_side(env, connection, meter, options.size)
    rows = kind.decide_booking_rows(env, connection, ramp)
    if options.side == 'quiet':
        env = env(context={**env.context, **QUIET})
        connection = connection.with_env(env)
    env.cr.commit()
    env.invalidate_all()
    run_side = kind.SIDES[options.side]
    return lambda: (meter.start_measurement(), run_side(env, connection, meter, rows))


def run_with_profile(work, path):
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


def measure_one_side(kind):
    """Measure one side as the options of the command line say, and write its figures to a file.

    :param kind: the module that defines TABLES, SIDES, prepare_bench_company, decide_booking_rows, run_our_side and
        check_side_books
    """
    options = read_side_options(kind)
    with run_simulator('--no-validate', '--rate-limit', 0) as ramp, open_environment(options.database) as env:
        env = env(context={**env.context, 'lang': 'en_US'})
        connection = kind.prepare_bench_company(env, ramp, options.size, options.seed)
        if options.statistics != 'fresh':
            switch_autovacuum_off(env, kind.TABLES)
        if options.statistics != 'own':
            env.registry['ramp.record']._refresh_statistics = lambda records: None
        meter = SideMeter(env, options.statistics, kind.TABLES)
        work = prepare_side_work(kind, options, env, connection, ramp, meter)
        if options.statistics == 'fresh':
            meter.analyze_tables()
            meter.paused = 0.0
        run_with_profile(work, options.profile)
        figures = meter.collect_figures()
        kind.check_side_books(env, connection, options.side, options.size)
        if options.receipts:
            figures['receipts'] = measure_receipt_job(env, meter)
        problems = ramp.fetch_summary()['errors']
        if problems:
            raise SystemExit(f'the simulator failed: {problems[0]}')
    Path(options.output).write_text(json.dumps(figures), encoding='utf-8')
