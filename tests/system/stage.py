"""The base of the system tests: a connected database, a simulated Ramp for each case, and Odoo processes."""

import contextlib
import copy
import dataclasses
import datetime
import fcntl
import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import owing
import psycopg2
from books import differences, state_of
from cards import assert_cards
from jobs import JOBS
from owed import assert_payables, payables_of
from owing import MOMENT

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

from runtime import OdooRuntime  # noqa: E402

from simulator import Simulator  # noqa: E402
from simulator.faults import Faults  # noqa: E402

SMALL = {'page_size': 8, 'batch_size': 8, 'receipt_batch': 4}
SMALLER = {'page_size': 6, 'batch_size': 6, 'receipt_batch': 4}  # four pages of the bills of `owing.py`
PREFIX = 'ramp_sys_'
KEPT = 'kept'  # schema of the copy of the connected database
LAST = 'last'  # the last time that a boundary is passed in a run
SECONDS = 180  # a process that takes longer counts as hanging


@dataclasses.dataclass(frozen=True)
class World:
    """The content of Ramp in a case.

    `held`: additional objects that nobody can post, spread over the pages. `resync`: what Ramp does when a synced
    object is confirmed under another key. A Ramp that accepts it shows which process would confirm twice.

    `owing`: one of the worlds of `owing.py`; `later`: all of it is posted, and Ramp has changed since. `seed`: a random
    seed other than that of the connected business; `bills`, `reimbursements`, `vendors`: made with it.
    """

    transactions: int = 16
    held: int = 3
    problems: bool = True
    resync: str = 'accept'
    owing: str | None = None
    later: bool = False
    seed: int | None = None
    bills: int = 0
    reimbursements: int = 0
    vendors: int = 0

    @property
    def owes(self):
        return bool(self.owing or self.bills or self.reimbursements)

    @property
    def is_of_cards(self):
        """Whether the debts of this world are on cards and paid by statements."""
        return self.owing == 'cards'

    @property
    def flows(self):
        """The step that runs the jobs."""
        return 'statements' if self.is_of_cards else 'payables' if self.owes else 'flows'

    @property
    def steps(self):
        """The steps of an undisturbed process, one for each job."""
        if not self.owes:
            return *jobs_of('flows'), ('flows',)
        first, *others = jobs_of(self.flows)
        return ('sync_now', *first), *others

    @property
    def start(self):
        """The copy of the database that a case begins with."""
        return f'{self.owing}_later' if self.later else KEPT


OWING = World(transactions=0, held=0, problems=False, owing='bills')


@dataclasses.dataclass(frozen=True)
class Outcome:
    code: int | None
    log: str
    booked: tuple = ()
    failures: tuple = ()
    runs: tuple = ()
    hits: dict = dataclasses.field(default_factory=dict)

    def assert_ok(self):
        assert self.code == 0 and not self.failures, f'code {self.code}, {self.failures}\n{self.log[-4000:]}'
        assert not [run for run in self.runs if run['state'] == 'failed'], f'{self.runs}\n{self.log[-4000:]}'
        return self

    def assert_killed(self):
        assert self.code == -9, (
            f'the boundary was not reached: code {self.code}, passed {self.hits}\n{self.log[-4000:]}'
        )
        return self


def jobs_of(step):
    """The jobs that a step runs, each as a step of its own."""
    return tuple((f'job: {flow}',) for flow in JOBS[step])


@dataclasses.dataclass(frozen=True)
class Reference:
    """The results of undisturbed runs. hits: how often each boundary was passed; steps: (name of the copy of both sides
    before it, the step, its hits) for each job.
    """

    state: dict
    hits: dict
    steps: tuple

    def find(self, boundary, nth=1):
        """Return the number of the step in which a boundary is passed for the nth time (LAST: for the last time), and
        the count within this step.
        """
        left = self.hits[boundary] if nth == LAST else nth
        for number, (_start, _do, hits) in enumerate(self.steps):
            if left <= hits.get(boundary, 0):
                return number, left
            left -= hits.get(boundary, 0)
        raise AssertionError(f'{boundary} is passed {self.hits.get(boundary, 0)} times, not {nth}')


def is_work(where, paths):
    """Whether a request under one of these paths does the work itself, and does not only report it."""
    return any(path in where for path in paths) and '/syncs' not in where


def recollection(state):
    """Return a copy of a Ramp's data, for another Ramp to take over."""
    return copy.deepcopy({name: value for name, value in vars(state).items() if name not in ('lock', 'clock')})


def recall(state, memory):
    vars(state).update(copy.deepcopy(memory))


class Stage:
    """Built once a session: a connected database, and the process that forks the workers."""

    def __init__(self, folder, name='', runtime=None):
        """:param name: a suffix for a database of its own, for tests that change the database as it was built
        :param runtime: one with a server of its own, for tests that interfere with the server
        """
        self.folder = Path(folder)
        self.runtime = runtime or OdooRuntime().prepare_machine()
        self.database = f'{PREFIX}{os.getpid()}{name and f"_{name}"}'
        self.is_server_killed = bool(runtime)
        self._numbers = itertools.count()
        self._references = {}
        # For each copy of both sides: Ramp's data, and for each table the schema that holds its rows.
        self._memories, self._copies = {}, {}
        self._forker = None

    def open(self):
        self._sweep()
        self.runtime.ensure_database(self.database, fresh=True)
        if not self.is_server_killed:
            with self.sql('postgres') as cursor:
                cursor.execute(f'ALTER DATABASE "{self.database}" SET synchronous_commit = off')
        with self._simulator(None) as ramp:
            done = subprocess.run(
                self._command(self.database, ramp.api_url),
                env=self.environ(),
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr[-4000:]
            self._seed = ramp.seed
            self._memories[KEPT] = recollection(ramp.state)
        with self.sql('postgres', user='postgres') as cursor:
            cursor.execute('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s', [self.database])
        with self.sql() as cursor:
            cursor.execute(
                "SELECT min(id) FROM account_tax WHERE type_tax_use = 'purchase' AND amount_type = 'percent' AND active"
            )
            self._tax = f'{self._seed.accounts[0]["id"].partition("-")[0]}-tax-{cursor.fetchone()[0]}'
        self._keep()
        self._log = open(self.folder / 'forker.log', 'wb')  # noqa: SIM115
        with self.case(World(owing='bills')):  # this world has objects of every kind
            self._forker = subprocess.Popen(
                self._command(self.database),
                env=self.environ(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
                bufsize=1,
            )
            assert self._answer() == {'failures': []}
        return self

    def close(self):
        try:
            if self._forker:
                self._forker.stdin.close()
                self._forker.wait(30)
                self._log.close()
        finally:
            self.runtime.drop_database(self.database)

    def environ(self):
        return {**self.runtime.build_environ(), 'PYTHONUNBUFFERED': '1'}

    def _command(self, *arguments):
        return [str(self.runtime.python), str(Path(__file__).with_name('worker.py')), *arguments]

    def _sweep(self):
        """Drop the databases that killed sessions have left."""
        for name in self.runtime.postgres.list_databases():
            owner = name.removeprefix(PREFIX).partition('_')[0]
            if name.startswith(PREFIX) and owner.isdigit() and not Path(f'/proc/{owner}').exists():
                self.runtime.drop_database(name)

    @contextlib.contextmanager
    def sql(self, database=None, user=None):
        postgres = self.runtime.postgres
        link = psycopg2.connect(dbname=database or self.database, user=user or postgres.user, host=str(postgres.socket))
        link.autocommit = True
        try:
            with link.cursor() as cursor:
                yield cursor
        finally:
            link.close()

    # -- restoring the database: a clone for each of the many cases would write a hundred megabytes

    @staticmethod
    def _marks(cursor):
        """Return how many rows were ever written in each table, as PostgreSQL counts them. A session that has ended has
        reported its writes.
        """
        cursor.execute('SELECT pg_stat_force_next_flush()')
        cursor.execute(
            "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE schemaname = 'public'"
        )
        return {table: marks for table, *marks in cursor.fetchall()}

    def _keep(self, name=KEPT):
        """Keep a copy of the tables beside them. The first copy has all tables; a later one, under another name, has
        only those that were written since.
        """
        with self.sql() as cursor:
            marks = self._marks(cursor)
            if name == KEPT:
                self._marked, self._now = dict.fromkeys(marks), {}
            tables = sorted(table for table in marks if marks[table] != self._marked[table])
            cursor.execute(
                f'CREATE SCHEMA "{name}"; '
                + ' '.join(f'CREATE TABLE "{name}"."{table}" AS TABLE public."{table}";' for table in tables)
            )
        self._marked = marks
        self._now.update(dict.fromkeys(tables, name))
        self._copies[name] = dict(self._now)

    def keep(self, name, case):
        """Keep both sides of a case as they are now, for cases that begin there."""
        self._keep(name)
        self._memories[name] = recollection(case.ramp.state)

    def forget_marks(self):
        """Forget the counts. After a crash the server counts from zero, so any table may have been written."""
        self._marked = dict.fromkeys(self._marked)

    def restore(self, name=KEPT):
        """Undo all writes since the copy was made. The sequences of ids go on, so no state may depend on ids."""
        wanted = self._copies[name]
        with self.sql(user='postgres') as cursor:
            changed = [
                table
                for table, marks in self._marks(cursor).items()
                if marks != self._marked[table] or self._now[table] != wanted[table]
            ]
            if not changed:
                return
            cursor.execute(
                """
                SELECT table_schema, table_name, string_agg(format('%%I', column_name), ', ' ORDER BY ordinal_position)
                  FROM information_schema.columns WHERE table_name = ANY(%s) GROUP BY 1, 2""",
                [changed],
            )
            columns = {(schema, table): names for schema, table, names in cursor.fetchall()}
            cursor.execute(
                'SET session_replication_role = replica; BEGIN; '
                + ' '.join(
                    f'DELETE FROM public."{table}"; INSERT INTO public."{table}" ({names}) SELECT {names} FROM '
                    f'"{wanted[table]}"."{table}";'
                    for table in changed
                    for names in [columns[wanted[table], table]]
                )
                + ' COMMIT'
            )
            self._marked = self._marks(cursor)
            self._now.update({table: wanted[table] for table in changed})

    @contextlib.contextmanager
    def _simulator(self, world, start=None):
        options = {}
        if world:
            seed = dataclasses.replace(
                self._seed,
                transactions=world.transactions,
                problems=world.problems,
                bills=world.bills,
                reimbursements=world.reimbursements,
                vendors=world.vendors,
                **{'seed': world.seed} if world.seed is not None else {},
            )
            options = {'seed': seed, 'resync': world.resync}
        with Simulator(clock=lambda: MOMENT, rate_limit=0, keep_bodies=True, **options) as ramp:
            if start:
                recall(ramp.state, self._memories[start])
            elif world and world.later:
                recall(ramp.state, self._memories[world.start])
                owing.WORLDS[world.owing][1](ramp)
            elif world:
                for row in self._memories[KEPT]['tables']['connections']:
                    ramp.state['connections'].add_row(dict(row))
                for number in range(world.held):
                    ramp.add_transaction(
                        amount_minor=1000 + number,
                        account=None,
                        label='held',
                        date=MOMENT - datetime.timedelta(days=160 - 40 * number),
                    )
                if world.owing:
                    owing.WORLDS[world.owing][0](ramp, self._tax)
            yield ramp

    def _go_on(self, world):
        """Post all that a world has at first, and keep both sides."""
        with self.case(dataclasses.replace(world, later=False)) as case:
            case.run(world.flows, f'{world.flows} quiet').assert_ok()
            case.assert_sound()
            self.keep(world.start, case)

    @contextlib.contextmanager
    def case(self, world=World(), start=None):
        """Open a case: the database as it was when it was connected and a Ramp of its own, or both sides as they were
        kept under a name.
        """
        if not start and world.start not in self._copies:
            self._go_on(world)
        self.restore(start or world.start)
        with self._simulator(world, start) as ramp:
            with self.sql() as cursor:
                cursor.execute('UPDATE ramp_connection SET api_url = %s', [ramp.api_url])
            yield Case(self, ramp, world)

    @contextlib.contextmanager
    def killed_at(self, world, boundary, nth=1, how='kill', **shrink):
        """Open a case in which a process was cut off at a boundary, in the job in which the undisturbed run passes it
        for the nth time.
        """
        reference = self.reference(world, **shrink)
        number, nth = reference.find(boundary, nth)
        start, do, _hits = reference.steps[number]
        with self.case(world, start) as case:
            outcome = case.run(*do, shrink=shrink, cut={'at': boundary, 'nth': nth, 'how': how})
            if how == 'kill':
                outcome.assert_killed()
            else:
                assert outcome.code == 1, f'it did not notice\n{outcome.log[-4000:]}'
            yield case

    @contextlib.contextmanager
    def killed_in_turn(self, world, boundaries, **shrink):
        """Open a case in which processes were killed at one boundary after the other. A killed job is run again, and it
        ends before the next job begins.

        A boundary that is named twice is killed at in two jobs. If a job no longer passes a boundary after a kill, a
        later job is killed at it. Boundaries that no job passes any more are in `missed`.
        """
        reference, inside, named = self.reference(world, **shrink), {}, Counter()
        for boundary in boundaries:
            passes = [number for number, (_start, _do, hits) in enumerate(reference.steps) if boundary in hits]
            inside.setdefault(passes[named[boundary]], []).append(boundary)
            named[boundary] += 1
        with self.case(world, reference.steps[min(inside)][0]) as case:
            left = []
            for number, (_start, do, _hits) in list(enumerate(reference.steps))[min(inside) :]:
                due, left = [*left, *inside.pop(number, ())], []
                for boundary in due:
                    outcome = case.run(*do, shrink=shrink, cut={'at': boundary})
                    if outcome.code != -9:
                        outcome.assert_ok()
                        left.append(boundary)
                if not inside and not left:
                    break
                case.run(*do, shrink=shrink).assert_ok()
            case.missed = left
            yield case

    def killed_at_each(self, world, boundaries, **shrink):
        """Open cases in which processes were killed at each boundary: in turn, and alone where no job passed the
        boundary in turn.
        """
        with self.killed_in_turn(world, boundaries, **shrink) as case:
            yield case
        for boundary in case.missed:
            with self.killed_at(world, boundary, **shrink) as alone:
                yield alone

    def beginning(self, name, world, begin):
        """Keep both sides as `begin(case)` leaves them, once; returns the name of the copy."""
        if name not in self._copies:
            with self.case(world) as case:
                begin(case)
                self.keep(name, case)
        return name

    def reference(self, world, **shrink):
        """The state of Odoo and Ramp after undisturbed runs. Every disturbed case must end with the same state."""
        key = world, tuple(sorted(shrink.items()))
        if key not in self._references:
            with self.case(world) as case:
                steps = []
                for do in world.steps:
                    start = f'copy {next(self._numbers)}' if steps else None  # a case begins at the first step anyway
                    if start:
                        self.keep(start, case)
                    steps.append((start, do, case.run(*do, shrink=shrink).assert_ok().hits))
                if world.owes:  # one run counts the boundaries; the next ones do what waited for another job
                    case.run(f'{world.flows} quiet', shrink=shrink).assert_ok()
                case.assert_sound()
                hits = sum((Counter(found) for _start, _do, found in steps), Counter())
                self._references[key] = Reference(case.state(), dict(hits), tuple(steps))
        return self._references[key]

    # -- the forking process

    def _answer(self):
        line = self._forker.stdout.readline()
        assert line, f'the worker ended: {(self.folder / "forker.log").read_text(errors="replace")[-4000:]}'
        return json.loads(line)

    def ask(self, **command):
        print(json.dumps(command), file=self._forker.stdin)
        return self._answer()

    def file(self, kind):
        return self.folder / f'{next(self._numbers)}.{kind}'


class Process:
    """A running worker."""

    def __init__(self, stage, do, **command):
        self.stage = stage
        self.log, self.result = stage.file('log'), stage.file('result')
        self.pid = stage.ask(do=do, log=str(self.log), result=str(self.result), **command)['pid']

    def _is(self, *states):
        try:
            stat = Path(f'/proc/{self.pid}/stat').read_text(encoding='utf-8')
        except FileNotFoundError:
            return True
        return stat.rpartition(')')[2].split()[0] in states

    def stands(self):
        """Wait until the process stops at its cut."""
        while not self._is('T'):
            time.sleep(0.02)

    def waits_for_another(self):
        """Wait until the process waits for a lock of another one, or has ended."""
        with self.stage.sql('postgres') as cursor:
            while not self._is('Z'):
                cursor.execute(
                    "SELECT FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'",
                    [self.stage.database],
                )
                if cursor.rowcount:
                    return
                time.sleep(0.02)

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)

    def wait(self):
        code = self.stage.ask(wait=self.pid, seconds=SECONDS)['code']
        log = self.log.read_text(encoding='utf-8', errors='replace') if self.log.exists() else ''
        assert code is not None, f'it did not end in {SECONDS} s\n{log[-4000:]}'
        result = json.loads(self.result.read_text(encoding='utf-8')) if self.result.exists() else {}
        return Outcome(
            code, log, **{key: tuple(value) if isinstance(value, list) else value for key, value in result.items()}
        )


class Case:
    """One database and one Ramp."""

    def __init__(self, stage, ramp, world):
        self.stage, self.ramp, self.world, self.missed = stage, ramp, world, ()
        self._pids = queue.SimpleQueue()

    def start(self, *do, shrink=None, **command):
        small = SMALLER if self.world and self.world.owes else SMALL
        process = Process(self.stage, do, shrink=small if shrink is None else shrink, **command)
        self._pids.put(process.pid)
        return process

    def run(self, *do, **command):
        """Run steps until the process ends or dies as told. The database has noticed that when this returns."""
        outcome = self.start(*do, **command).wait()
        self.rest()
        return outcome

    def rest(self):
        """Wait until the database has closed the sessions of dead processes, which keep their locks until then."""
        end = time.monotonic() + SECONDS
        with self.stage.sql('postgres') as cursor:
            while time.monotonic() < end:
                cursor.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'",
                    [self.stage.database],
                )
                if cursor.fetchone() == (0,):
                    return
                time.sleep(0.01)
        raise AssertionError('sessions of dead processes do not end')

    def kill_in_ramp(self, method, path, wanted, nth=1):
        """Kill the asking process after Ramp has done the work of the nth such request, and before it answers."""
        seen = itertools.count(1)

        def hook(asked, where, body):
            if asked == method and where.endswith(path) and wanted(body) and next(seen) == nth:
                os.kill(self._pids.get(timeout=SECONDS), signal.SIGKILL)

        self.ramp.add_after_hook(hook)

    def kill_at_write(self, side, nth=1, paths=('/accounting/',)):
        """Kill the asking process before or after Ramp does the work of the nth request that changes something under
        these paths.
        """
        while not self._pids.empty():
            self._pids.get()  # drop the ids of processes that have ended
        seen = itertools.count(1)

        def hook(asked, where, body):
            if asked != 'GET' and is_work(where, paths) and next(seen) == nth:
                os.kill(self._pids.get(timeout=SECONDS), signal.SIGKILL)

        getattr(self.ramp, f'add_{side}_hook')(hook)

    @contextlib.contextmanager
    def gate(self):
        """Yield a file at which workers wait. They all go on when the block ends, as it releases the lock."""
        path = self.stage.file('gate')
        with open(path, 'w+', encoding='utf-8') as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield path

    def faulty(self, seed):
        """Give Ramp faults with a random seed of their own. None is switched on yet."""
        self.ramp.faults = Faults(seed)
        return self.ramp.faults

    def state(self):
        with self.stage.sql() as cursor:
            return {**state_of(cursor, self.ramp), **(payables_of(cursor, self.ramp) if self.world.owes else {})}

    def assert_sound(self):
        """Assert what holds in every case: the contract is kept, nothing is confirmed twice, the card liability ties
        out.
        """
        self.ramp.assert_clean()
        assert not self.ramp.request_violations
        with self.stage.sql() as cursor:
            cursor.execute("""
                SELECT 'account.move,' || reversed_entry_id FROM account_move WHERE reversed_entry_id IS NOT NULL AND state = 'posted'""")
            undone = {reference for (reference,) in cursor.fetchall()}
        for kind in {entry['sync_type'] for entry in self.ramp.state.journal}:
            # The entry that replaces a reversed one is reported once, too.
            twice = {
                ident: references
                for ident, references in self.ramp.list_successes(kind).items()
                if len(references) != len(set(references)) or set(references[:-1]) - undone
            }
            assert not twice, f'{kind}: confirmed more than once: {twice}'
        if self.world.owes:
            with self.stage.sql() as cursor:
                (assert_cards if self.world.is_of_cards else assert_payables)(cursor, self.ramp)
            return
        state = self.state()
        assert state['liability'] == state['spend'], differences(state['liability'], state['spend'])

    def unfinished(self):
        """Number of runs that did not end well."""
        with self.stage.sql() as cursor:
            cursor.execute("SELECT count(*) FROM ramp_run WHERE state <> 'done'")
            return cursor.fetchone()[0]

    def assert_same(self, reference):
        self.assert_sound()
        found = differences(reference, self.state())
        assert not found, self.told('\n'.join(found[:40]))

    def told(self, text):
        """Return a text with the names of the cases beside Ramp's ids."""
        for table in (
            'bills',
            'vendor_credits',
            'reimbursements',
            'repayments',
            'transactions',
            'statements',
            'transfers',
            'cashbacks',
        ):
            for row in self.ramp.state[table]:
                if row['_label'] and row['id'] in text:
                    text = text.replace(row['id'], f'{row["id"]} ({row["_label"]})')
        return text
