"""Measure the speed of the addon beside baselines that do less, on the same data.

It measures how fast card transactions, and bills with their payments, are booked. It also measures the cost of sending
the chart, purchase orders and receipts to Ramp, and the delay of changes in both directions.

    ./dev bench             1,000 transactions and 300 bills per side, in turns, and charts of 500 and 2,000 accounts;
                            ten minutes
    ./dev bench --full      also 10,000 transactions and 5,000 bills in one go, both sides without planner statistics,
                            and charts of 5,000 and 20,000; thirty minutes
    ./dev bench --only bills --bills 5000
    ./dev bench --only webhooks --webhooks 10000

Every measurement has its own database and process. The ratios are what counts: other work disturbs the machine, so the
sides take turns. Absolute rates are printed beside them. The scripts are `bench_transactions.py` for card
transactions, `bench_bills.py` for bills, `bench_coding.py` for the chart, `bench_orders.py` for purchase orders,
`bench_screens.py` for the way from Odoo's screens to Ramp, `bench_lists.py` for what the server takes for each screen,
`bench_webhooks.py` for the way back, and `bench_tie_out.py` for the tie-out.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
from pathlib import Path

from bench_kinds import BILLS, TRANSACTIONS, WITHOUT
from bench_report import ORDER_SIDES, describe_server_processes, judge_bench_result, print_bench_result
from runtime import ADDON, CHECKOUT, OdooRuntime, ToolError, print_progress, run_script

SECTIONS = ('transactions', 'bills', 'coding', 'orders', 'screens', 'tie-out', 'webhooks')
PREFIX = 'rp_bench_'
START = f'{PREFIX}start'  # every measurement begins with a copy of it


def run_bench_script(runtime, script, database, *arguments, source=START):
    """Run one of the bench scripts with a database of its own. Return its figures. Raise `ToolError` if it fails.

    :param source: the database that the script begins with a copy of
    """
    runtime.drop_database(database)
    runtime.clone_database(source, database)
    try:
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / 'figures.json'
            code = subprocess.call(
                [
                    str(runtime.python),
                    str(CHECKOUT / 'tools' / script),
                    '--database',
                    database,
                    '--output',
                    str(output),
                    *map(str, arguments),
                ],
                env=runtime.build_environ(),
                cwd=CHECKOUT,
            )
            if code:
                raise ToolError(f'a part of the benchmark failed: {script} {" ".join(map(str, arguments))}')
            return json.loads(output.read_text(encoding='utf-8'))
    finally:
        runtime.drop_database(database)


def measure_side_once(runtime, kind, side, size, statistics_mode, seed, receipts=False):
    """Measure one side of a kind of document once. Return its figures."""
    return run_bench_script(
        runtime,
        kind.script,
        f'{PREFIX}{side}',
        '--side',
        'ours' if side == 'still' else side,
        '--size',
        size,
        '--statistics',
        'none' if side == 'still' else statistics_mode,
        '--seed',
        seed,
        *(['--receipts'] if receipts else []),
    )


def compare_sides_in_turns(runtime, kind, sides, size, rounds, statistics_mode, seed, receipts=False):
    """Measure all sides in turns. Return the figures by side. `receipts`: also measure receipts, in our last run."""
    found = {side: [] for side in sides}
    for number in range(rounds):
        # Reverse the order in every other round: who was first is then last.
        for side in sides if number % 2 == 0 else reversed(sides):
            print_progress(
                f'round {number + 1} of {rounds}, statistics {statistics_mode}: {kind.sides[side]}, {size} '
                f'{kind.objects}'
            )
            figures = measure_side_once(
                runtime, kind, side, size, statistics_mode, seed, receipts and side == 'ours' and number == rounds - 1
            )
            print_progress(
                f'  {figures["rate"]:.1f} per second, {figures["queries"]:.2f} queries each, {figures["cpu_ms"]:.1f} '
                'ms of CPU each'
            )
            found[side].append(figures)
    return found


def summarize_side_figures(kind, found):
    """Return one row per side: medians, and the median of its ratios to our side within a round."""
    rows = []
    for side, runs in found.items():
        row = {
            'side': side,
            'label': kind.sides[side],
            'count': runs[0]['count'],
            'runs': len(runs),
            'target': kind.targets.get(side),
            **{
                key: statistics.median(run[key] for run in runs)
                for key in ('rate', 'queries', 'sql_share', 'http_share', 'cpu_ms', 'peak_mb', 'grown_mb')
            },
            'parts': {
                name: {key: statistics.median(run['parts'][name][key] for run in runs) for key in part}
                for name, part in runs[0]['parts'].items()
            },
        }
        if side != 'ours' and 'ours' in found:
            ratios = [ours['rate'] / run['rate'] for ours, run in zip(found['ours'], runs, strict=True)]
            row.update(
                ratio=statistics.median(ratios),
                ratio_low=min(ratios),
                ratio_high=max(ratios),
                ratio_cpu=statistics.median(
                    run['cpu_ms'] / ours['cpu_ms'] for ours, run in zip(found['ours'], runs, strict=True)
                ),
            )
        rows.append(row)
    return rows


def read_machine_facts(runtime):
    """Return the facts of the machine that matter for the figures, without its name."""
    odoo = subprocess.run(
        [str(runtime.python), '-c', 'import odoo.release as r; print(r.version)'],
        env=runtime.build_environ(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    return {
        'cores': len(os.sched_getaffinity(0)),
        'python': platform.python_version(),
        'odoo': odoo,
        'postgresql': runtime.postgres.run_sql('SHOW server_version').split()[0],
        'load': round(os.getloadavg()[0], 1),
    }


def measure_order_sides(runtime, count, rounds):
    """Measure buttons on every side, in turns. Return medians of the rounds, and what the connected side pushed."""
    found = {side: [] for side in ORDER_SIDES}
    for number in range(rounds):
        for side in list(ORDER_SIDES)[:: -1 if number % 2 else 1]:
            print_progress(f'{count} purchase orders, {ORDER_SIDES[side]}')
            found[side].append(
                run_bench_script(
                    runtime,
                    'bench_orders.py',
                    f'{PREFIX}orders',
                    '--side',
                    side,
                    '--orders',
                    count,
                    source=runtime.ensure_base_template() if side == 'without' else START,
                )
            )
    buttons = {
        side: {
            what: {key: statistics.median(run[what][key] for run in runs) for key in ('seconds', 'queries')}
            for what in ('confirm', 'validate', 'import')
        }
        for side, runs in found.items()
    }
    return {**found['on'][-1], 'buttons': buttons}


def read_bench_options():
    parser = argparse.ArgumentParser(prog='./dev bench')
    parser.add_argument(
        '--full', action='store_true', help='also long runs of ours, and both sides without planner statistics'
    )
    parser.add_argument('--only', choices=SECTIONS, action='append', help='only this section; may be repeated')
    parser.add_argument('--size', type=int, default=1000, help='transactions a side')
    parser.add_argument('--rounds', type=int, default=2, help='how often the sides take turns')
    parser.add_argument('--sides', default=','.join(TRANSACTIONS.sides), help='which: ' + ', '.join(TRANSACTIONS.sides))
    parser.add_argument('--long', type=int, default=None, metavar='N', help='the long run of ours; 10,000 with --full')
    parser.add_argument('--long-bare', action='store_true', help='the long run of the bare ORM too')
    parser.add_argument(
        '--without',
        type=int,
        default=None,
        metavar='N',
        help='compare without planner statistics at this size; 3,000 with --full',
    )
    parser.add_argument('--bill-size', type=int, default=300, help='bills a side, with their payments')
    parser.add_argument('--bill-sides', default=','.join(BILLS.sides), help='which: ' + ', '.join(BILLS.sides))
    parser.add_argument(
        '--bills', type=int, default=None, metavar='N', help='a long run of ours with N bills; 5,000 with --full'
    )
    parser.add_argument(
        '--coding',
        type=int,
        default=None,
        metavar='N',
        help='a chart of N accounts and 4 N analytic accounts; 500, with --full 5,000, with --rounds 0 none',
    )
    parser.add_argument(
        '--orders', type=int, default=None, metavar='N', help='purchase orders and receipts; 50, with --full 300'
    )
    parser.add_argument(
        '--screens', type=int, default=None, metavar='N', help='orders on the screens of a browser; 5, with --full 25'
    )
    parser.add_argument(
        '--rows', type=int, default=None, metavar='N', help='rows of the ledger behind the lists; 200,000'
    )
    parser.add_argument(
        '--tie-out', type=int, default=None, metavar='N', help='transactions in the ledger of the tie-out; 200,000'
    )
    parser.add_argument('--workers', default='0,2', help='of the Odoo that gets them; 0: one process with threads')
    parser.add_argument(
        '--webhooks', type=int, default=None, metavar='N', help='events to a running Odoo; 1,000, with --full 10,000'
    )
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--json', action='store_true', help='the figures as JSON')
    return parser.parse_args()


def main():
    options = read_bench_options()
    runtime = OdooRuntime().prepare_machine()
    runtime.ensure_database(START, fresh=True)
    try:
        result = run_all_sections(runtime, options)
    finally:
        runtime.drop_database(START)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        print_bench_result(result)
    return 0


def run_all_sections(runtime, options):
    """Measure every section that the options ask for. Return all figures with their verdicts."""
    result = {
        'machine': read_machine_facts(runtime),
        'addon': ADDON,
        'comparisons': {},
        'long': {},
        'coding': None,
        'orders': None,
        'screens': None,
        'lists': None,
        'tie_out': None,
        'webhooks': [],
    }
    first = [
        f'{options.size:,} transactions, fresh planner statistics on every side',
        f'{options.bill_size:,} bills with their payments, fresh planner statistics on every side',
    ]
    measure_side_comparisons(runtime, options, result, first)
    measure_long_runs(runtime, options, result)
    measure_other_sections(runtime, options, result)
    measure_webhook_servers(runtime, options, result)
    result['verdicts'] = judge_bench_result(result, first)
    return result


def choose_section_size(options, section, given, full, usual=0):
    """Return the size of a part: as given, else by --full, and none if the section is left out."""
    if options.only and section not in options.only:
        return 0
    return given if given is not None else full if options.full else usual


def measure_side_comparisons(runtime, options, result, first):
    for name, kind, size, sides in zip(
        first, (TRANSACTIONS, BILLS), (options.size, options.bill_size), (options.sides, options.bill_sides)
    ):
        sides = [side for side in kind.sides if side in sides.split(',')]
        if not (choose_section_size(options, kind.objects, size, size) and options.rounds and sides):
            continue
        found = compare_sides_in_turns(
            runtime, kind, sides, size, options.rounds, 'fresh', options.seed, receipts=kind is TRANSACTIONS
        )
        result['comparisons'][name] = summarize_side_figures(kind, found)
        result['receipts'] = found.get('ours', [{}])[-1].get('receipts') or result.get('receipts')
    without = choose_section_size(options, 'transactions', options.without, 3000)
    if without:
        sides = [side for side in WITHOUT.sides if side == 'still' or side in options.sides.split(',')]
        result['comparisons'][f'{without:,} transactions into tables without planner statistics, autovacuum off'] = (
            summarize_side_figures(
                WITHOUT, compare_sides_in_turns(runtime, WITHOUT, sides, without, 1, 'own', options.seed)
            )
        )


def measure_long_runs(runtime, options, result):
    long = choose_section_size(options, 'transactions', options.long, 10000)
    for kind, side, size in (
        (TRANSACTIONS, 'ours', long),
        (TRANSACTIONS, 'bare', options.long_bare and long),
        (BILLS, 'ours', choose_section_size(options, 'bills', options.bills, 5000)),
    ):
        if size:
            print_progress(f'{kind.sides[side]}: {size} {kind.objects} in one go')
            title = f'{kind.sides[side]}: {size:,} {kind.objects} in one go, nothing analyzed from outside'
            result['long'][title] = measure_side_once(runtime, kind, side, size, 'own', options.seed)


def measure_other_sections(runtime, options, result):
    """Measure the chart, purchase orders, screens and the tie-out. Without rounds, only those that are asked for."""

    def get_usual_size(size):
        return size if options.rounds else 0

    coding = choose_section_size(options, 'coding', options.coding, 5000, get_usual_size(500))
    if coding:
        print_progress(f'the chart: {coding} accounts, {4 * coding} analytic accounts')
        result['coding'] = run_bench_script(
            runtime,
            'bench_coding.py',
            f'{PREFIX}coding',
            '--accounts',
            coding,
            '--analytics',
            4 * coding,
            '--rounds',
            2 * options.rounds + 1,
        )
    bought = choose_section_size(options, 'orders', options.orders, 300, get_usual_size(50))
    if bought:
        result['orders'] = measure_order_sides(runtime, bought, options.rounds)
    rounds = choose_section_size(options, 'screens', options.screens, 25, get_usual_size(5))
    if rounds:
        print_progress(f"{rounds} orders on Odoo's screens")
        result['screens'] = run_bench_script(runtime, 'bench_screens.py', f'{PREFIX}screens', '--rounds', rounds)
    rows = choose_section_size(options, 'screens', options.rows, 200000, get_usual_size(200000))
    if rows:
        print_progress(f'the screens of the addon over a ledger of {rows} rows')
        result['lists'] = run_bench_script(runtime, 'bench_lists.py', f'{PREFIX}lists', '--rows', rows)
    ledger = choose_section_size(options, 'tie-out', options.tie_out, 200000, get_usual_size(200000))
    if ledger:
        print_progress(f'the tie-out: {ledger} card transactions in 24 months')
        result['tie_out'] = run_bench_script(
            runtime, 'bench_tie_out.py', f'{PREFIX}tie_out', '--transactions', ledger, '--months', 24
        )


def measure_webhook_servers(runtime, options, result):
    sent = choose_section_size(options, 'webhooks', options.webhooks, 10000, 1000 if options.rounds else 0)
    for workers in map(int, options.workers.split(',')) if sent else ():
        print_progress(f'webhooks: {sent} events to an Odoo with {describe_server_processes({"workers": workers})}')
        result['webhooks'].append(
            run_bench_script(runtime, 'bench_webhooks.py', f'{PREFIX}webhooks', '--events', sent, '--workers', workers)
        )


if __name__ == '__main__':
    run_script(main)
