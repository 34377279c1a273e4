"""The main job, end to end: a simulated Ramp, a real Odoo on a real PostgreSQL, then an Odoo to look at."""
import argparse
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from decimal import Decimal

from odoo_env import books, emit, environment, run_flows, set_up, simulator
from runtime import Fail, Runtime, background, cache_dir, say, wait_for

DATABASE = 'ramp_demo'
EXPONENTS = {'JPY': 0, 'KWD': 3}


def flow_table(runs, records):
    """One row a flow: what was seen, created, confirmed and held, and how long it took."""
    table = {}
    for run in runs:
        row = table.setdefault(run.flow, {'flow': run.flow, 'seen': 0, 'created': 0, 'confirmed': 0, 'held': 0, 'seconds': 0.0})
        for key in ('seen', 'created', 'confirmed'):
            row[key] += run[key]
        row['seconds'] += run.duration
    for flow, states in records.items():
        if flow in table:
            table[flow]['held'] = states.get('held', 0) + states.get('error', 0)
            table[flow]['unconfirmed'] = states.get('pending', 0) + states.get('done', 0)
    return [{**row, 'seconds': round(row['seconds'], 1)} for row in table.values()]


def states(env, connection):
    found = {}
    for flow, state, count in env['ramp.record']._read_group([('connection_id', '=', connection.id)], ['flow', 'state'], ['__count']):
        found.setdefault(flow, {})[state] = count
    return found


def tie_out(env, connection, ramp):
    """Card liability in the ledger beside cleared and synced spend in Ramp, for each entity and currency."""
    ledger = books(env, connection)
    rows = []
    for total in ramp.totals(sync_status='SYNCED'):
        amount, count = ledger.pop((total['entity_id'], total['currency']), (Decimal(0), 0))
        spent = Decimal(total['amount_minor']).scaleb(-EXPONENTS.get(total['currency'], 2))
        rows.append({'entity': total['entity_id'], 'currency': total['currency'], 'transactions': total['count'], 'entries': count,
                     'ramp': str(spent), 'odoo': str(Decimal(str(amount)).quantize(spent)),
                     'difference': str(Decimal(str(amount)).normalize() - spent)})
    for (entity, currency), (amount, count) in ledger.items():
        rows.append({'entity': entity, 'currency': currency, 'transactions': 0, 'entries': count, 'ramp': '0', 'odoo': str(amount),
                     'difference': str(amount)})
    return sorted(rows, key=lambda row: row['currency'])


def show(title, rows, columns):
    print(f'\n{title}')
    widths = {column: max(len(column), *(len(str(row.get(column, ''))) for row in rows)) for column in columns} if rows else {}
    for row in [dict(zip(columns, columns)), *rows] if rows else []:
        print('  ' + '  '.join(
            f"{row.get(column, '')!s:{'<' if column in ('flow', 'entity', 'currency') else '>'}{widths[column]}}" for column in columns))


def free_port(wanted):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(('127.0.0.1', wanted))
        except OSError as error:
            raise Fail(f'port {wanted} is taken; choose another one with --port') from error
        return probe.getsockname()[1]


def work(ramp, options):
    """Synchronize twice; returns the figures and the reasons why the demo failed (an empty list when it did not)."""
    with environment(options.database) as env:
        say('connecting the demo company to the simulated Ramp')
        connection = set_up(env, ramp, transactions=options.transactions, seed=options.seed)
        # Odoo shows the lines of an entry only to users with its full accounting features
        env.ref('base.user_admin').group_ids += env.ref('account.group_account_user')
        env.cr.commit()
        say(f'synchronizing {options.transactions} card transactions')
        started = time.monotonic()
        runs = run_flows(env, connection)
        seconds = time.monotonic() - started
        flows = flow_table(runs, states(env, connection))
        ties = tie_out(env, connection, ramp)
        say('synchronizing again: nothing may change, and nothing may be written to Ramp')
        before = ramp.summary()['write_calls'], states(env, connection), books(env, connection)
        again = run_flows(env, connection)
        after = ramp.summary()['write_calls'], states(env, connection), books(env, connection)
        summary = ramp.summary()
        reasons = [f'the {run.flow} run failed: {run.message}' for run in [*runs, *again] if run.state != 'done']
        reasons += [f"{row['unconfirmed']} of flow {row['flow']} are not confirmed" for row in flows if row.get('unconfirmed')]
        reasons += [f"{row['held']} of flow {row['flow']} are held" for row in flows if row['held']]
        reasons += [f"{row['currency']} of entity {row['entity']} differs by {row['difference']}" for row in ties
                    if Decimal(row['difference'])]
        reasons += [f"{row['currency']}: {row['transactions']} transactions, {row['entries']} entries" for row in ties
                    if row['transactions'] != row['entries']]
        if before != after:
            reasons.append('the second run was not without effect')
        for kind in ('contract_violations', 'request_violations', 'errors'):
            reasons += [f'{kind}: {text}' for text in summary[kind][:3]]
        return {
            'flows': flows, 'tie_out': ties, 'seconds': round(seconds, 1),
            'second_run': {'write_calls': after[0] - before[0], 'changed': before[1:] != after[1:]},
            'contract_checked': summary['contract'], 'ok': not reasons, 'problems': reasons,
        }


def serve(runtime, ramp, port, database):
    """Odoo with its jobs, until somebody presses Ctrl-C."""
    command = runtime.odoo('-d', database, '--http-port', port, '--max-cron-threads', 1, '--log-level', 'warn')
    with background(command, name='Odoo', log=cache_dir() / 'demo-odoo.log', env=runtime.environ()) as process:
        address = f'http://127.0.0.1:{port}'

        def answers():
            try:
                return urllib.request.urlopen(f'{address}/web/login', timeout=5).status == 200
            except (urllib.error.URLError, OSError):
                return False

        wait_for(answers, what='Odoo did not start', seconds=120, process=process)
        print(f'\nOdoo:      {address}/odoo/ramp-connections\nuser:      admin\npassword:  admin\n'
              f'Ramp:      {ramp.admin}/  (the simulator)\nCtrl-C stops both.', flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            process.wait()


def main():
    parser = argparse.ArgumentParser(prog='./dev demo')
    parser.add_argument('--no-serve', action='store_true',
                        help='stop after the figures; exit 1 if anything is unconfirmed or does not tie out')
    parser.add_argument('--json', action='store_true', help='the figures as JSON')
    parser.add_argument('--port', type=int, default=8069)
    parser.add_argument('--transactions', type=int, default=600)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--database', default=DATABASE, help='its name; it is made anew')
    options = parser.parse_args()
    port = None if options.no_serve else free_port(options.port)
    runtime = Runtime().prepare()
    os.environ.update(runtime.environ())
    runtime.database(options.database, fresh=True)
    with tempfile.TemporaryFile('w+') as log, simulator(log=log) as ramp:
        result = work(ramp, options)
        if options.json:
            emit(result)
        else:
            show('What arrived', result['flows'], ['flow', 'seen', 'created', 'confirmed', 'held', 'seconds'])
            show('Card liability in Odoo, beside what Ramp says was spent', result['tie_out'],
                 ['currency', 'entity', 'transactions', 'entries', 'ramp', 'odoo', 'difference'])
            print(f"\nSecond run: {result['second_run']['write_calls']} write calls, "
                  f"{'something changed' if result['second_run']['changed'] else 'nothing changed'}")
        for reason in result['problems']:
            print(f'dev: {reason}', file=sys.stderr)
        if not options.no_serve:
            serve(runtime, ramp, port, options.database)
    return 0 if result['ok'] else 1


if __name__ == '__main__':
    try:
        sys.exit(main())
    except Fail as failure:
        print(f'dev: {failure}.', file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except subprocess.SubprocessError as failure:
        print(f'dev: {failure}.', file=sys.stderr)
        sys.exit(1)
