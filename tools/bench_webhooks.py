"""Measure how fast Odoo answers Ramp's events, and the time from an event to the posted document; run by `bench.py`.

The measurement has its own database, a real Odoo server with its jobs, and a simulated Ramp in another process that
sends over HTTP. One fifth of the events are sent twice, and one fifth out of order. One of ten is about a booked
object. Then people spend at random times, one after the other, again with one fifth of the events sent twice, and the
database is watched.
"""

import argparse
import contextlib
import json
import random
import statistics
import tempfile
import time
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path

from odoo_env import connect_seeded_company, open_environment, run_flow_jobs, run_simulator
from runtime import OdooRuntime, find_free_port, run_in_background, wait_for_condition

TWICE = LATE = 0.2
KNOWN = 10  # one of this many events is about a booked object
AT_ONCE = 500  # events that are queued at the same time
PAUSE = 1.0  # average seconds between two objects
PATIENCE = 90
ENTRIES = "SELECT COUNT(*), SUM(debit), MAX(id) FROM account_move_line WHERE parent_state = 'posted'"


def compute_percentiles(seconds):
    """Return the 50th, 95th and 99th percentile, the maximum and the count of these numbers."""
    cuts = statistics.quantiles(seconds, n=100, method='inclusive')
    return {'p50': cuts[49], 'p95': cuts[94], 'p99': cuts[98], 'max': max(seconds), 'count': len(seconds)}


def is_odoo_healthy(port):
    """Return whether Odoo answers at all."""
    try:
        return urllib.request.urlopen(f'http://127.0.0.1:{port}/web/health', timeout=5).status == 200
    except (urllib.error.URLError, OSError):
        return False


@contextlib.contextmanager
def run_odoo_server(database, port, workers):
    """Run Odoo as in production, listening on this machine."""
    runtime = OdooRuntime().prepare_machine()
    command = runtime.build_odoo_command(
        '-d',
        database,
        '--http-port',
        port,
        '--http-interface',
        '127.0.0.1',
        '--workers',
        workers,
        '--max-cron-threads',
        2,
        '--gevent-port',
        find_free_port(0),
        '--log-level',
        'warn',
    )

    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / 'odoo.log'
        with run_in_background(command, name='Odoo', log=log, env=runtime.build_environ()) as process:
            wait_for_condition(partial(is_odoo_healthy, port), what='Odoo did not start', seconds=120, process=process)
            yield
            lines = log.read_text(
                encoding='utf-8', errors='replace'
            ).splitlines()  # jobs interrupted by the shutdown log errors
        for number, line in enumerate(lines):
            # Core logs a conflict of two jobs as an error too, and repeats the job.
            if (' ERROR ' in line or ' CRITICAL ' in line) and 'odoo.sql_db: bad query' not in line:
                raise SystemExit('\n'.join(['Odoo says:', *lines[number : number + 60]]))  # with the traceback


def fetch_committed_rows(database, query, *parameters):
    """Return all rows of a query, as committed now."""
    from odoo.sql_db import db_connect

    with contextlib.closing(db_connect(database).cursor()) as cr:
        cr.execute(query, parameters)
        return cr.fetchall()


def send_webhook_events(ramp, count, port, known):
    """Send this many events, most of them about unknown objects.

    Return the seconds that each answer took, as seen by Ramp, and for comparison those of an idle page requested
    meanwhile.

    :param known: Ramp ids of booked card transactions
    """
    idle = []

    def are_events_sent():
        started = time.perf_counter()
        is_odoo_healthy(port)
        idle.append(time.perf_counter() - started)
        return not ramp.call_admin('GET', '/events/counts')['pending']

    before = ramp.call_admin('GET', '/events/counts')['log']
    ramp.call_admin('POST', '/faults', {'kind': 'duplicate_event', 'probability': TWICE})
    ramp.call_admin('POST', '/faults', {'kind': 'reorder_event', 'probability': LATE})
    kinds = ('transactions.cleared', 'bills.updated', 'vendors.updated', 'reimbursements.ready_to_sync')
    source = random.Random(1)
    for start in range(0, count, AT_ONCE):
        ramp.call_admin('PATCH', '/webhooks', {'held': True})
        for number in range(start, min(start + AT_ONCE, count)):
            stranger = f'{source.getrandbits(32):08x}-0000-4000-8000-000000000000'
            ramp.call_admin(
                'POST',
                '/events',
                {
                    'kind': kinds[0] if number % KNOWN == 0 else kinds[number % 4],
                    'object_id': source.choice(known) if number % KNOWN == 0 else stranger,
                },
            )
        ramp.call_admin('PATCH', '/webhooks', {'held': False})
        wait_for_condition(are_events_sent, what='the events were not sent', seconds=300)
        time.sleep(0.2)
    ramp.call_admin('DELETE', '/faults')
    log = ramp.call_admin('GET', '/events')['log'][before:]
    refused = [entry for entry in log if entry['status'] != 204]
    if refused or len({entry['id'] for entry in log}) != count:
        raise SystemExit(f'{len(refused)} of {len(log)} events were not taken: {refused[:1]}')
    return [entry['seconds'] for entry in log], idle


def measure_document_arrivals(ramp, database, count, make):
    """Let this many things happen in Ramp at random times. Return the seconds from each to its posted document."""
    source = random.Random(2)
    begun, found = {}, {}
    due = time.monotonic()
    while len(found) < count:
        if len(begun) < count and time.monotonic() >= due:
            started = time.monotonic()
            begun[make()] = started
            due = time.monotonic() + source.expovariate(1 / PAUSE)
        for [ramp_id] in fetch_committed_rows(
            database,
            "SELECT ramp_id FROM account_move WHERE state = 'posted' AND ramp_id = ANY(%s)",
            list(begun.keys() - found.keys()),
        ):
            found[ramp_id] = time.monotonic() - begun[ramp_id]
        if time.monotonic() > max(begun.values()) + PATIENCE:
            reasons = fetch_committed_rows(
                database,
                'SELECT ramp_id, state, error_message FROM ramp_record WHERE ramp_id = ANY(%s)',
                list(begun.keys() - found.keys()),
            )
            raise SystemExit(
                f'{len(begun) - len(found)} of {count} were not booked within {PATIENCE} seconds: {reasons}'
            )
        time.sleep(0.01)
    return list(found.values())


def read_webhook_options():
    parser = argparse.ArgumentParser()
    parser.add_argument('--database', required=True)
    parser.add_argument('--output', required=True)
    parser.add_argument('--events', type=int, required=True)
    parser.add_argument('--objects', type=int, default=60, help='card transactions, and half as many bills')
    parser.add_argument('--workers', type=int, required=True, help='of Odoo: 0 is one process with threads')
    return parser.parse_args()


def connect_booked_company(database, ramp, port):
    """Connect a company with some booked spend. Return (id of its connection, our id of an account to code with)."""
    with open_environment(database) as env:
        connection = connect_seeded_company(env, ramp, transactions=300)
        run_flow_jobs(env, connection)
        env['ir.config_parameter'].set_param('web.base.url', f'http://127.0.0.1:{port}')
        env['ir.config_parameter'].set_param('web.base.url.freeze', 'True')
        account = env['account.account'].search(
            [('account_type', '=', 'expense'), ('company_ids', 'in', connection.company_id.ids)], limit=1
        )
        code, ident = env['ramp.coding']._get_external_id(account), connection.id
        env.cr.commit()
    return ident, code


def make_object_adders(ramp, code):
    """Return two functions that add a card transaction, or a bill, in Ramp and return its id."""
    people = [row['id'] for row in ramp.call_admin('GET', '/objects/users')['data'] if row['status'] == 'USER_ACTIVE']
    entity = next(row['id'] for row in ramp.call_admin('GET', '/objects/entities')['data'] if row['is_primary'])
    source = random.Random(3)

    def add_card_transaction():
        return ramp.call_admin(
            'POST',
            '/transactions',
            {
                'amount_minor': source.randint(100, 90000),
                'currency': 'USD',
                'user': source.choice(people),
                'entity': entity,
                'account': code,
            },
        )['id']

    def add_vendor_bill():
        return ramp.call_admin(
            'POST',
            '/bills',
            {'amount_minor': source.randint(100, 900000), 'currency': 'USD', 'entity': entity, 'account': code},
        )['id']

    return add_card_transaction, add_vendor_bill


def subscribe_to_webhooks(database, ident):
    """Switch webhooks on as a user does. The server's own job does the rest. Return the seconds it takes."""
    with open_environment(database) as env:
        env['ramp.connection'].browse(ident).use_webhooks = True
        started = time.monotonic()
        env.cr.commit()
    wait_for_condition(
        lambda: fetch_committed_rows(database, "SELECT FROM ramp_webhook WHERE state = 'active'"),
        what='Ramp did not verify the subscription',
        seconds=PATIENCE,
    )
    return time.monotonic() - started


def measure_event_answers(ramp, database, port, count):
    """Run :func:`send_webhook_events` and check that the events are stored and changed nothing in the books."""
    booked = fetch_committed_rows(
        database, "SELECT ramp_id FROM ramp_record WHERE flow = 'transaction' AND state = 'confirmed'"
    )
    known = sorted(row[0] for row in booked)
    entries = fetch_committed_rows(database, ENTRIES)
    send_webhook_events(ramp, 20, port, known)  # warm up the processes
    answered, idle = send_webhook_events(ramp, count, port, known)
    taken = len(fetch_committed_rows(database, 'SELECT FROM ramp_event'))
    if taken != count + 20:
        raise SystemExit(f'{taken} events are stored instead of {count + 20}')
    time.sleep(5)  # let the jobs that the events started finish
    if fetch_committed_rows(database, ENTRIES) != entries:
        raise SystemExit('events of what is booked changed the books')
    return answered, idle


def main():
    options = read_webhook_options()
    database, port = options.database, find_free_port(0)
    with run_simulator('--no-validate', '--rate-limit', 0) as ramp:
        ident, code = connect_booked_company(database, ramp, port)
        spend, owe = make_object_adders(ramp, code)
        with run_odoo_server(database, port, options.workers):
            verified = subscribe_to_webhooks(database, ident)
            answered, idle = measure_event_answers(ramp, database, port, options.events)
            ramp.call_admin('POST', '/faults', {'kind': 'duplicate_event', 'probability': TWICE})
            spent = measure_document_arrivals(ramp, database, options.objects, spend)
            owed = measure_document_arrivals(ramp, database, max(options.objects // 2, 1), owe)
        twice = fetch_committed_rows(
            database, 'SELECT ramp_id FROM account_move WHERE ramp_id IS NOT NULL GROUP BY ramp_id HAVING count(*) > 1'
        )
        if twice:
            raise SystemExit(f'{len(twice)} objects are booked twice')
    Path(options.output).write_text(
        json.dumps(
            {
                'workers': options.workers,
                'verified': verified,
                'answers': compute_percentiles(answered),
                'idle': compute_percentiles(idle),
                'transactions': compute_percentiles(spent),
                'bills': compute_percentiles(owed),
            }
        ),
        encoding='utf-8',
    )


if __name__ == '__main__':
    main()
