"""How fast card transactions, and bills with their payments, go into the books, beside baselines that do less, on the same data;
what it costs that Odoo gives Ramp its chart, purchase orders and receipts; and how soon each of both has what the other tells of.

    ./dev bench             1,000 transactions and 300 bills a side, in turns, and a chart of 500 and 2,000; ten minutes
    ./dev bench --full      also 10,000 transactions and 5,000 bills in one go, both sides without planner statistics, and a chart of
                            5,000 and 20,000; thirty minutes
    ./dev bench --only bills --bills 5000
    ./dev bench --only webhooks --webhooks 10000

Every measurement has a database and a process of its own. What counts are the ratios: the sides take turns because
a machine is never quiet; absolute rates stand beside them. See `bench_side.py` for what a side does, `bench_bills.py` for bills,
`bench_coding.py` for the chart, `bench_orders.py` for purchase orders, `bench_screens.py` for the way from Odoo's screens to Ramp, and
`bench_webhooks.py` for the way back.
"""
import argparse
import dataclasses
import json
import os
import platform
import statistics
import subprocess
import tempfile
from pathlib import Path

from runtime import ADDON, CHECKOUT, Fail, Runtime, say, script


@dataclasses.dataclass(frozen=True)
class Kind:
    """What is booked. sides: by name, with their labels; targets: how many times the rate of a side ours is to have."""

    objects: str
    script: str
    sides: dict
    targets: dict


TRANSACTIONS = Kind('transactions', 'bench_side.py', {
    'ours': 'Ramp Connector, end to end',
    'bare': 'bare ORM',
    'quiet': 'bare ORM, tracking off',
    'core': "Odoo's company-paid path",
}, {'bare': 0.8, 'core': 2.0})
BILLS = Kind('bills', 'bench_bills.py', {
    'ours': 'Ramp Connector, end to end',
    'bare': 'bare ORM, bills and payments in batches',
    'wizard': 'Odoo: bills in batches, Register Payment',
    'one': 'Odoo: bill by bill, Register Payment',
}, {'wizard': 4.0})
WITHOUT = dataclasses.replace(TRANSACTIONS, sides={
    'ours': 'Ramp Connector, as shipped', 'still': 'Ramp Connector, its own ANALYZE off', 'bare': 'bare ORM'}, targets={})
SECTIONS = ('transactions', 'bills', 'coding', 'orders', 'screens', 'tie-out', 'webhooks')
PREFIX = 'rp_bench_'
START = f'{PREFIX}start'  # every measurement begins with a copy of it
IDLE_QUERIES = 15  # of a push when nothing has changed, without the scheduler's own
ORDER_QUERIES = 8  # that a connected company may pay to confirm an order, or to validate a receipt
HOOK_QUERIES = 3  # that noting a change may cost, however many objects change at once
BILL_QUERIES = 20  # of a bill with its payment
ORDER_SIDES = {'without': 'without the addon', 'off': 'with it, not connected', 'on': 'connected'}
OPENS = 2.0  # seconds in which the tie-out opens, of a ledger of two years
DRILLS = 1.0  # and what is behind any of its figures
ANSWERS = 0.05  # seconds in which 99 of 100 events are answered
ARRIVES = 2.0  # and in which 95 of 100 objects are posted that Ramp told of
FOLLOWS = 2.0  # and in which 95 of 100 steps on Odoo's screens are in Ramp
FLAT = 0.10  # how far the last thousand of a long run may be from the first


def figures_of(runtime, script, database, *arguments, source=START):
    """What one of the scripts beside this one has measured in a database of its own."""
    runtime.drop(database)
    runtime.clone(source, database)
    try:
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / 'figures.json'
            code = subprocess.call(
                [str(runtime.python), str(CHECKOUT / 'tools' / script), '--database', database, '--output', str(output),
                 *map(str, arguments)],
                env=runtime.environ(), cwd=CHECKOUT)
            if code:
                raise Fail(f'a part of the benchmark failed: {script} {" ".join(map(str, arguments))}')
            return json.loads(output.read_text(encoding='utf-8'))
    finally:
        runtime.drop(database)


def measure(runtime, kind, side, size, statistics_mode, seed, receipts=False):
    """One side, once."""
    return figures_of(
        runtime, kind.script, f'{PREFIX}{side}', '--side', 'ours' if side == 'still' else side, '--size', size,
        '--statistics', 'none' if side == 'still' else statistics_mode, '--seed', seed, *(['--receipts'] if receipts else []))


def compare(runtime, kind, sides, size, rounds, statistics_mode, seed, receipts=False):
    """All sides in turns; the figures of each, by side. `receipts`: of the last run of ours, apart from its figures."""
    found = {side: [] for side in sides}
    for number in range(rounds):
        # back and forth: whoever came first in one round comes last in the next
        for side in sides if number % 2 == 0 else reversed(sides):
            say(f'round {number + 1} of {rounds}, statistics {statistics_mode}: {kind.sides[side]}, {size} {kind.objects}')
            figures = measure(runtime, kind, side, size, statistics_mode, seed, receipts and side == 'ours' and number == rounds - 1)
            say(f"  {figures['rate']:.1f} per second, {figures['queries']:.2f} queries each, {figures['cpu_ms']:.1f} ms of CPU each")
            found[side].append(figures)
    return found


def summarize(kind, found):
    """One row for each side: medians, and the median of its ratios to our side within a round."""
    rows = []
    for side, runs in found.items():
        row = {
            'side': side, 'label': kind.sides[side], 'count': runs[0]['count'], 'runs': len(runs), 'target': kind.targets.get(side),
            **{key: statistics.median(run[key] for run in runs)
               for key in ('rate', 'queries', 'sql_share', 'http_share', 'cpu_ms', 'peak_mb', 'grown_mb')},
            'parts': {name: {key: statistics.median(run['parts'][name][key] for run in runs) for key in part}
                      for name, part in runs[0]['parts'].items()},
        }
        if side != 'ours' and 'ours' in found:
            ratios = [ours['rate'] / run['rate'] for ours, run in zip(found['ours'], runs, strict=True)]
            row.update(ratio=statistics.median(ratios), ratio_low=min(ratios), ratio_high=max(ratios), ratio_cpu=statistics.median(
                run['cpu_ms'] / ours['cpu_ms'] for ours, run in zip(found['ours'], runs, strict=True)))
        rows.append(row)
    return rows


def facts(runtime):
    """What of the machine matters, and nothing that names it."""
    odoo = subprocess.run([str(runtime.python), '-c', 'import odoo.release as r; print(r.version)'], env=runtime.environ(),
                          capture_output=True, text=True, check=True).stdout.strip()
    return {
        'cores': len(os.sched_getaffinity(0)), 'python': platform.python_version(), 'odoo': odoo,
        'postgresql': runtime.postgres.sql('SHOW server_version').split()[0],
        'load': round(os.getloadavg()[0], 1),
    }


def table(head, rows):
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, *rows]:
        print('  ' + '  '.join(text.ljust(width) if not column else text.rjust(width)
                               for column, (text, width) in enumerate(zip(row, widths))))


def show_comparison(title, rows):
    print(f'\n{title}')
    table(
        ['', 'per second', 'queries each', 'in SQL', 'in HTTP', 'CPU ms each', 'peak MB', 'grown MB', 'we are (low-high)', 'by CPU',
         'target'],
        [[row['label'], f"{row['rate']:.1f}", f"{row['queries']:.2f}", f"{row['sql_share']:.0%}", f"{row['http_share']:.1%}",
          f"{row['cpu_ms']:.1f}", f"{row['peak_mb']:.0f}", f"{row['grown_mb']:+.0f}",
          f"{row['ratio']:.2f} x ({row['ratio_low']:.2f}-{row['ratio_high']:.2f})" if 'ratio' in row else '',
          f"{row['ratio_cpu']:.2f} x" if 'ratio' in row else '',
          f"{row['target']:.1f} x" if row['target'] else ''] for row in rows])
    for row in rows:
        if len(row['parts']) > 1:
            print(f"  {row['label']}: " + '; '.join(
                f"{name} {part['queries']:.2f} queries and {part['cpu_ms']:.1f} ms of CPU each" for name, part in row['parts'].items()))


def show_long(figures, title):
    print(f'\n{title}')
    table(['', 'per second', 'CPU ms each', 'queries each', 'memory MB', 'peak MB'],
          [[f"{step['from']:,} - {step['to']:,}", f"{step['rate']:.1f}", f"{step['cpu_ms']:.1f}", f"{step['queries']:.2f}",
            f"{step['rss_mb']:.0f}", f"{step['peak_mb']:.0f}"] for step in figures['steps']])
    print(f"  whole run {figures['rate']:.1f} per second; rate of the last thousand : first thousand = {figures['last_first']:.2f} by the "
          f"clock, {figures['last_first_cpu']:.2f} by processor time; memory {figures['grown_mb']:+.0f} MB")


def show_coding(figures):
    accounts, analytics = (figures['first'][flow]['objects'] for flow in ('account', 'analytic_account'))
    print(f'\nThe chart, from Odoo to Ramp: {accounts:,} accounts, {analytics:,} analytic accounts in {figures["plans"]} plans')
    table(['', 'objects', 'per second', 'writes / 1,000', 'reads / 1,000', 'queries / 1,000', 'of them for each 500'], [
        [f"{figures['labels'][flow]}, {what}", f"{run['objects']:,}", f"{run['objects'] / run['seconds']:,.0f}",
         *(f"{1000 * run[key] / run['objects']:.1f}" for key in ('writes', 'reads', 'queries')),
         f"{(run['queries'] - idle['queries']) / max(1, run['objects'] / 500):.0f}"]
        for what, runs in (('first push', figures['first']), ('Push All Again', figures['again']))
        for flow, run in runs.items() if flow != 'analytic_plan' for idle in [figures['idle'][flow]]])
    requests = sum(run['reads'] + run['writes'] for run in figures['again'].values())
    print(f"  Push All Again as a whole: {requests} requests, {sum(run['seconds'] for run in figures['again'].values()):.1f} s here "
          f"(Ramp's limit of 20 requests a second: at least {requests / 20:.0f} s); the button itself "
          f"{figures['again_click']['queries']} queries, {1000 * figures['again_click']['seconds']:.0f} ms")
    table(['a push when nothing has changed', 'writes', 'requests', 'queries', 'with the scheduler', 'ms', 'looking for missing rows ms'], [
        [figures['labels'][flow], str(run['writes']), str(run['reads'] + run['writes'] + run['tokens']), str(run['own_queries']),
         str(run['queries']), f"{1000 * run['own_seconds']:.0f}", f"{1000 * run['expect_seconds']:.0f}"]
        for flow, run in figures['idle'].items()])
    rename = figures['rename']
    print(f"  one account renamed: {rename['writes']} write, {rename['reads']} read, {rename['queries']} queries, "
          f"{1000 * rename['seconds']:.0f} ms")
    if figures['hooks']:
        table(['what a person pays', 'queries without', 'with a connection', 'ms without', 'with', 'time'], [
            [figures['labels'][what], f"{run['off_queries']:.0f}", f"{run['on_queries']:.0f}", f"{1000 * run['off_seconds']:,.1f}",
             f"{1000 * run['on_seconds']:,.1f}", f"{run['ratio'] - 1:+.0%}"] for what, run in figures['hooks'].items()])


def measure_orders(runtime, count, rounds):
    """Buttons on every side, in turns: medians of the rounds; and what the connected side pushed."""
    found = {side: [] for side in ORDER_SIDES}
    for number in range(rounds):
        for side in list(ORDER_SIDES)[::-1 if number % 2 else 1]:
            say(f'{count} purchase orders, {ORDER_SIDES[side]}')
            found[side].append(figures_of(runtime, 'bench_orders.py', f'{PREFIX}orders', '--side', side, '--orders', count,
                                          source=runtime.base_template() if side == 'without' else START))
    buttons = {side: {what: {key: statistics.median(run[what][key] for run in runs) for key in ('seconds', 'queries')}
                      for what in ('confirm', 'validate', 'import')} for side, runs in found.items()}
    return {**found['on'][-1], 'buttons': buttons}


def show_orders(figures):
    print(f"\nPurchase orders of {figures['lines']} lines, and their receipts: what a person pays (median of {figures['count']})")
    words = {'confirm': 'an order confirmed', 'validate': 'a receipt validated',
             'import': f"{figures['imported']:,} lines of orders imported"}
    first = figures['buttons']['without']
    table(['', *(f'queries {label}' for label in ORDER_SIDES.values()), *(f'ms {label}' for label in ORDER_SIDES.values()), 'time'], [
        [text, *(f"{side[what]['queries']:.0f}" for side in figures['buttons'].values()),
         *(f"{1000 * side[what]['seconds']:,.1f}" for side in figures['buttons'].values()),
         f"{figures['buttons']['on'][what]['seconds'] / first[what]['seconds'] - 1:+.0%}"] for what, text in words.items()])
    table(['pushed', 'objects', 'per second', 'requests each', 'queries each', 'requests when nothing changed', 'queries'], [
        [name, str(run['push']['objects']), f"{run['push']['objects'] / run['push']['seconds']:.0f}",
         f"{(run['push']['reads'] + run['push']['writes']) / run['push']['objects']:.1f}",
         f"{run['push']['queries'] / run['push']['objects']:.1f}", str(run['idle']['reads'] + run['idle']['writes']),
         str(run['idle']['queries'])] for name, run in (('orders', figures['orders']), ('receipts', figures['receipts']))])


def order_verdicts(figures):
    sides = figures['buttons']
    more = {what: sides['on'][what]['queries'] - sides['without'][what]['queries'] for what in sides['on']}
    asked = sum(figures[what]['reads'] + figures[what]['writes'] + figures[what]['tokens'] for what in ('confirm', 'validate', 'import'))
    idle = sum(figures[what]['idle']['reads'] + figures[what]['idle']['writes'] for what in ('orders', 'receipts'))
    return [{'verdict': 'met' if met else 'NOT MET', 'text': text} for met, text in (
        (max(more.values()) <= ORDER_QUERIES, f'to confirm, to validate or to import costs at most {ORDER_QUERIES} queries more than '
         f"without the addon (measured {more['confirm']:.0f}, {more['validate']:.0f} and {more['import']:.0f})"),
        (asked == 0, f'and no request (measured {asked:.0f})'),
        (idle == 0, f'what has not changed is not sent again, nor asked for (measured {idle} requests)'))]


def show_screens(figures):
    print(f"\nFrom a click on Odoo's screens to the state in Ramp, in a browser ({figures['rounds']} orders), seconds")
    table(['', 'Ramp p50', 'p95', 'slowest', 'the page p50', 'p95', f"while Ramp hangs for {figures['hangs']:.0f} s"], [
        [step['words'], *(f"{step['ramp'][key]:.2f}" for key in ('p50', 'p95', 'max')),
         *(f"{step['page'][key]:.2f}" for key in ('p50', 'p95')), f"{step['stuck']:.2f}"] for step in figures['steps'].values()])


def screen_verdicts(figures):
    follows, stuck = figures['follows']['p95'], max(step['stuck'] for step in figures['steps'].values())
    return [
        {'verdict': 'met' if follows < FOLLOWS else 'NOT MET',
         'text': f'95 of 100 steps on the screens are in Ramp in under {FOLLOWS:g} s (measured {follows:.2f})'},
        {'verdict': 'met' if stuck < figures['hangs'] / 2 else 'NOT MET',
         'text': f"no page waits for Ramp (the slowest took {stuck:.2f} s while Ramp hung for {figures['hangs']:.0f} s)"}]


def show_tie_out(figures):
    print(f"\nThe tie-out of a ledger of {figures['transactions']:,} card transactions in {figures['months']} months "
          f"({figures['sections']} entities and currencies)")
    table(['', 'seconds', 'queries'], [
        [f"the report opens (median of {len(figures['all_seconds'])})", f"{figures['seconds']:.2f}", str(figures['queries'])],
        [f"what is behind a figure opens (median of {figures['cells']})", f"{figures['drill_median']:.2f}", ''],
        ['the slowest of them', f"{figures['drill_seconds']:.2f}", str(figures['drill_queries'])]])


def show_webhooks(servers):
    for figures in servers:
        print(f"\nEvents from Ramp to Odoo with {how_it_runs(figures)} and two for jobs; a subscription was verified in "
              f"{figures['verified']:.1f} s")
        table(['seconds', 'count', 'p50', 'p95', 'p99', 'slowest'], [
            [what, f"{row['count']:,}", *(f"{row[key]:.3f}" for key in ('p50', 'p95', 'p99', 'max'))]
            for what, row in (
                ('an event is answered', figures['answers']), ('a page that does nothing, meanwhile', figures['idle']),
                ('from card spend to the posted entry', figures['transactions']),
                ('from a bill to the posted bill', figures['bills']))])


def how_it_runs(figures):
    return f"{figures['workers']} workers" if figures['workers'] else 'threads'


def show(result):
    machine = result['machine']
    print(f"{machine['cores']} cores, Python {machine['python']}, PostgreSQL {machine['postgresql']}, Odoo {machine['odoo']}; "
          f"load {machine['load']} when it began.")
    print('Ratios are the result; other work on the machine disturbs absolute rates. CPU is that of Odoo and PostgreSQL together.')
    if any(row['side'] == 'core' for rows in result['comparisons'].values() for row in rows):
        print("Odoo's own path knows one account an expense and no refund: it books fewer lines, and refunds as spend.")
    if any(row['side'] == 'wizard' for rows in result['comparisons'].values() for row in rows):
        print('Bills: each with a payment of its own, posted and reconciled; one of six in another currency. Vendors are there before.')
    print('The simulated Ramp runs beside it as a process of its own, without contract checks and without rate limit.')
    for name, rows in result['comparisons'].items():
        show_comparison(name, rows)
    for name, figures in result['long'].items():
        show_long(figures, name)
    receipts = result.get('receipts')
    if receipts:
        print(f"\nReceipts, apart from the above: {receipts['count']} files, {receipts['rate']:.0f} per second here, "
              f"{receipts['queries']:.1f} queries each. A receipt costs {receipts['requests']:.1f} requests, so Ramp's limit of 20 "
              f"requests a second allows {20 / receipts['requests']:.0f} receipts a second.")
    if result['coding']:
        show_coding(result['coding'])
    if result['orders']:
        show_orders(result['orders'])
    if result['screens']:
        show_screens(result['screens'])
    if result['tie_out']:
        show_tie_out(result['tie_out'])
    if result['webhooks']:
        show_webhooks(result['webhooks'])
    for verdict in result['verdicts']:
        print(f"{verdict['verdict']:10}{verdict['text']}")


def verdicts(result, first):
    """The targets, each with what was measured."""
    found = []
    for name in first:
        for row in result['comparisons'].get(name, ()):
            if row['target'] and 'ratio' in row:
                found.append({
                    'verdict': 'met' if row['ratio'] >= row['target'] else 'NOT MET',
                    'text': f"at least {row['target']:.1f} times the rate of: {row['label']} (measured {row['ratio']:.2f})"})
    queries = [row['queries'] for name, rows in result['comparisons'].items() for row in rows
               if name == first[1] and row['side'] == 'ours'] + [
        figures['queries'] for name, figures in result['long'].items() if BILLS.objects in name]
    if queries:
        found.append({
            'verdict': 'met' if max(queries) <= BILL_QUERIES else 'NOT MET',
            'text': f'at most {BILL_QUERIES} queries for a bill with its payment (measured {max(queries):.2f})'})
    for name, figures in result['long'].items():
        first_step, last_step = figures['steps'][0], figures['steps'][-1]
        flat = figures['last_first'] >= 1 - FLAT
        # Where the work of a transaction stays the same and only the clock says otherwise, something else ran beside it.
        disturbed = not flat and figures['last_first_cpu'] >= 1 - FLAT
        found.append({
            'verdict': 'met' if flat else 'disturbed' if disturbed else 'NOT MET',
            'text': f"the last thousand as fast as the first, within {FLAT:.0%} (measured {figures['last_first']:.2f} by the clock, "
                    f"{figures['last_first_cpu']:.2f} by processor time): {name}"})
        found.append({
            'verdict': 'met' if last_step['peak_mb'] <= first_step['peak_mb'] * (1 + FLAT) else 'NOT MET',
            'text': f"peak memory flat (measured {first_step['peak_mb']:.0f} MB after the first thousand, {last_step['peak_mb']:.0f} MB "
                    f'at the end): {name}'})
    if result['tie_out']:
        figures = result['tie_out']
        for seconds, limit, what in ((figures['seconds'], OPENS, 'the tie-out opens'),
                                     (figures['drill_seconds'], DRILLS, 'what is behind any of its figures opens')):
            found.append({'verdict': 'met' if seconds < limit else 'NOT MET',
                          'text': f'{what} in under {limit:.0f} s (measured {seconds:.2f})'})
    for figures in result['webhooks']:
        for seconds, limit, what in (
                (figures['answers']['p99'], ANSWERS, '99 of 100 events answered'),
                (figures['transactions']['p95'], ARRIVES, '95 of 100 card transactions posted'),
                (figures['bills']['p95'], ARRIVES, '95 of 100 bills posted')):
            # where even a page that does nothing takes that long, something else ran beside it
            disturbed = figures['idle']['p99'] > ANSWERS / 2
            found.append({'verdict': 'met' if seconds < limit else 'disturbed' if disturbed else 'NOT MET',
                          'text': f'{what} in under {limit:g} s (measured {seconds:.3f}): {how_it_runs(figures)}'})
    for part, judge in (('coding', coding_verdicts), ('orders', order_verdicts), ('screens', screen_verdicts)):
        found += judge(result[part]) if result[part] else []
    return found


def coding_verdicts(figures):
    idle, rename, hooks = figures['idle'].values(), figures['rename'], figures['hooks']
    asked = sum(run['reads'] + run['writes'] + run['tokens'] for run in idle)
    queries = max(run['own_queries'] for run in idle)
    targets = [
        (asked == 0, f'a second push makes no request (measured {asked})'),
        (queries <= IDLE_QUERIES, f'and at most {IDLE_QUERIES} queries for each kind (measured {queries})'),
        (rename['writes'] == 1, f"a renamed account is one write call (measured {rename['writes']})"),
        (not any(run['writes'] for run in figures['again'].values()), 'Push All Again writes nothing where nothing differs'),
    ]
    if hooks:
        more = max(run['on_queries'] - run['off_queries'] for run in hooks.values())
        asked = sum(run['requests'] for run in hooks.values())
        targets += [
            (more <= HOOK_QUERIES, f'to save one object, or to import 1,000, costs at most {HOOK_QUERIES} queries more '
                                   f'(measured {more:.0f})'),
            (asked == 0, f'and no request (measured {asked:.0f})'),
        ]
    return [{'verdict': 'met' if met else 'NOT MET', 'text': text} for met, text in targets]


def main():
    parser = argparse.ArgumentParser(prog='./dev bench')
    parser.add_argument('--full', action='store_true', help='also long runs of ours, and both sides without planner statistics')
    parser.add_argument('--only', choices=SECTIONS, action='append', help='only this section; may be repeated')
    parser.add_argument('--size', type=int, default=1000, help='transactions a side')
    parser.add_argument('--rounds', type=int, default=2, help='how often the sides take turns')
    parser.add_argument('--sides', default=','.join(TRANSACTIONS.sides), help='which: ' + ', '.join(TRANSACTIONS.sides))
    parser.add_argument('--long', type=int, default=None, metavar='N', help='the long run of ours; 10,000 with --full')
    parser.add_argument('--long-bare', action='store_true', help='the long run of the bare ORM too')
    parser.add_argument('--without', type=int, default=None, metavar='N',
                        help='compare without planner statistics at this size; 3,000 with --full')
    parser.add_argument('--bill-size', type=int, default=300, help='bills a side, with their payments')
    parser.add_argument('--bill-sides', default=','.join(BILLS.sides), help='which: ' + ', '.join(BILLS.sides))
    parser.add_argument('--bills', type=int, default=None, metavar='N', help='a long run of ours with N bills; 5,000 with --full')
    parser.add_argument('--coding', type=int, default=None, metavar='N',
                        help='a chart of N accounts and 4 N analytic accounts; 500, with --full 5,000, with --rounds 0 none')
    parser.add_argument('--orders', type=int, default=None, metavar='N', help='purchase orders and receipts; 50, with --full 300')
    parser.add_argument('--screens', type=int, default=None, metavar='N', help='orders on the screens of a browser; 5, with --full 25')
    parser.add_argument('--tie-out', type=int, default=None, metavar='N', help='transactions in the ledger of the tie-out; 200,000')
    parser.add_argument('--workers', default='0,2', help='of the Odoo that gets them; 0: one process with threads')
    parser.add_argument('--webhooks', type=int, default=None, metavar='N', help='events to a running Odoo; 1,000, with --full 10,000')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--json', action='store_true', help='the figures as JSON')
    options = parser.parse_args()
    runtime = Runtime().prepare()
    runtime.database(START, fresh=True)
    try:
        result = run(runtime, options)
    finally:
        runtime.drop(START)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)
    return 0


def run(runtime, options):
    def wanted(section, given, full, usual=0):
        """The size of a part: as given, else by --full; none where the section is left out."""
        if options.only and section not in options.only:
            return 0
        return given if given is not None else full if options.full else usual

    long, bills = wanted('transactions', options.long, 10000), wanted('bills', options.bills, 5000)
    without = wanted('transactions', options.without, 3000)
    coding = wanted('coding', options.coding, 5000, 500 if options.rounds else 0)
    result = {'machine': facts(runtime), 'addon': ADDON, 'comparisons': {}, 'long': {}, 'coding': None, 'orders': None, 'screens': None,
              'tie_out': None, 'webhooks': []}
    first = [f'{options.size:,} transactions, fresh planner statistics on every side',
             f'{options.bill_size:,} bills with their payments, fresh planner statistics on every side']
    for name, kind, size, sides in zip(
            first, (TRANSACTIONS, BILLS), (options.size, options.bill_size), (options.sides, options.bill_sides)):
        sides = [side for side in kind.sides if side in sides.split(',')]
        if not (wanted(kind.objects, size, size) and options.rounds and sides):
            continue
        found = compare(runtime, kind, sides, size, options.rounds, 'fresh', options.seed, receipts=kind is TRANSACTIONS)
        result['comparisons'][name] = summarize(kind, found)
        result['receipts'] = found.get('ours', [{}])[-1].get('receipts') or result.get('receipts')
    if without:
        sides = [side for side in WITHOUT.sides if side == 'still' or side in options.sides.split(',')]
        result['comparisons'][f'{without:,} transactions into tables without planner statistics, autovacuum off'] = summarize(
            WITHOUT, compare(runtime, WITHOUT, sides, without, 1, 'own', options.seed))
    for kind, side, size in ((TRANSACTIONS, 'ours', long), (TRANSACTIONS, 'bare', options.long_bare and long), (BILLS, 'ours', bills)):
        if size:
            say(f'{kind.sides[side]}: {size} {kind.objects} in one go')
            result['long'][f'{kind.sides[side]}: {size:,} {kind.objects} in one go, nothing analyzed from outside'] = measure(
                runtime, kind, side, size, 'own', options.seed)
    if coding:
        say(f'the chart: {coding} accounts, {4 * coding} analytic accounts')
        result['coding'] = figures_of(runtime, 'bench_coding.py', f'{PREFIX}coding', '--accounts', coding, '--analytics', 4 * coding,
                                      '--rounds', 2 * options.rounds + 1)
    bought = wanted('orders', options.orders, 300, 50 if options.rounds else 0)
    if bought:
        result['orders'] = measure_orders(runtime, bought, options.rounds)
    rounds = wanted('screens', options.screens, 25, 5 if options.rounds else 0)
    if rounds:
        say(f"{rounds} orders on Odoo's screens")
        result['screens'] = figures_of(runtime, 'bench_screens.py', f'{PREFIX}screens', '--rounds', rounds)
    ledger = wanted('tie-out', options.tie_out, 200000, 200000 if options.rounds else 0)
    if ledger:
        say(f'the tie-out: {ledger} card transactions in 24 months')
        result['tie_out'] = figures_of(runtime, 'bench_tie_out.py', f'{PREFIX}tie_out', '--transactions', ledger, '--months', 24)
    sent = wanted('webhooks', options.webhooks, 10000, 1000 if options.rounds else 0)
    for workers in map(int, options.workers.split(',')) if sent else ():
        say(f'webhooks: {sent} events to an Odoo with {how_it_runs({"workers": workers})}')
        result['webhooks'].append(figures_of(
            runtime, 'bench_webhooks.py', f'{PREFIX}webhooks', '--events', sent, '--workers', workers))
    result['verdicts'] = verdicts(result, first)
    return result


if __name__ == '__main__':
    script(main)
