"""The output of the benchmark and its verdicts: each target with the measured value."""

from bench_kinds import BILLS
from bench_screen_report import judge_list_figures, judge_screen_figures, print_list_figures, print_screen_figures
from bench_table import print_figure_table

IDLE_QUERIES = 15  # per push without changes, apart from the scheduler's own
ORDER_QUERIES = 8  # that a connected company may pay to confirm an order or to validate a receipt
HOOK_QUERIES = 3  # that noting changes may cost, for any number of objects
BILL_QUERIES = 20  # per bill with its payment
ORDER_SIDES = {'without': 'without the addon', 'off': 'with it, not connected', 'on': 'connected'}
OPENS = 2.0  # seconds to open the tie-out of a two-year ledger
DRILLS = 1.0  # seconds to open what is behind one of its figures
ANSWERS = 0.05  # seconds within which 99 of 100 events are answered
ARRIVES = 2.0  # seconds within which 95 of 100 objects that Ramp reported are posted
FLAT = 0.10  # allowed difference between the last and the first thousand of a long run


# -- tables


def print_bench_result(result):
    """Print the machine, the tables of all sections, and the verdicts."""
    machine = result['machine']
    print(
        f'{machine["cores"]} cores, Python {machine["python"]}, PostgreSQL {machine["postgresql"]}, Odoo '
        f'{machine["odoo"]}; '
        f'load {machine["load"]} when it began.'
    )
    print(
        'Ratios are the result; other work on the machine disturbs absolute rates. CPU is that of Odoo and PostgreSQL '
        'together.'
    )
    if any(row['side'] == 'core' for rows in result['comparisons'].values() for row in rows):
        print("Odoo's own path knows one account an expense and no refund: it books fewer lines, and refunds as spend.")
    if any(row['side'] == 'wizard' for rows in result['comparisons'].values() for row in rows):
        print(
            'Bills: each with a payment of its own, posted and reconciled; one of six in another currency. Vendors '
            'are there before.'
        )
    print('The simulated Ramp runs beside it as a process of its own, without contract checks and without rate limit.')
    for name, rows in result['comparisons'].items():
        print_side_comparison(name, rows)
    for name, figures in result['long'].items():
        print_long_run(figures, name)
    for part, show_part in (
        ('receipts', print_receipt_figures),
        ('coding', print_coding_figures),
        ('orders', print_order_figures),
        ('screens', print_screen_figures),
        ('lists', print_list_figures),
        ('tie_out', print_tie_out_figures),
        ('webhooks', print_webhook_figures),
    ):
        if result.get(part):
            show_part(result[part])
    for verdict in result['verdicts']:
        print(f'{verdict["verdict"]:10}{verdict["text"]}')


def print_side_comparison(title, rows):
    print(f'\n{title}')
    print_figure_table(
        [
            '',
            'per second',
            'queries each',
            'in SQL',
            'in HTTP',
            'CPU ms each',
            'peak MB',
            'grown MB',
            'we are (low-high)',
            'by CPU',
            'target',
        ],
        [
            [
                row['label'],
                f'{row["rate"]:.1f}',
                f'{row["queries"]:.2f}',
                f'{row["sql_share"]:.0%}',
                f'{row["http_share"]:.1%}',
                f'{row["cpu_ms"]:.1f}',
                f'{row["peak_mb"]:.0f}',
                f'{row["grown_mb"]:+.0f}',
                f'{row["ratio"]:.2f} x ({row["ratio_low"]:.2f}-{row["ratio_high"]:.2f})' if 'ratio' in row else '',
                f'{row["ratio_cpu"]:.2f} x' if 'ratio' in row else '',
                f'{row["target"]:.1f} x' if row['target'] else '',
            ]
            for row in rows
        ],
    )
    for row in rows:
        if len(row['parts']) > 1:
            print(
                f'  {row["label"]}: '
                + '; '.join(
                    f'{name} {part["queries"]:.2f} queries and {part["cpu_ms"]:.1f} ms of CPU each'
                    for name, part in row['parts'].items()
                )
            )


def print_long_run(figures, title):
    print(f'\n{title}')
    print_figure_table(
        ['', 'per second', 'CPU ms each', 'queries each', 'memory MB', 'peak MB'],
        [
            [
                f'{step["from"]:,} - {step["to"]:,}',
                f'{step["rate"]:.1f}',
                f'{step["cpu_ms"]:.1f}',
                f'{step["queries"]:.2f}',
                f'{step["rss_mb"]:.0f}',
                f'{step["peak_mb"]:.0f}',
            ]
            for step in figures['steps']
        ],
    )
    print(
        f'  whole run {figures["rate"]:.1f} per second; rate of the last thousand : first thousand = '
        f'{figures["last_first"]:.2f} by the '
        f'clock, {figures["last_first_cpu"]:.2f} by processor time; memory {figures["grown_mb"]:+.0f} MB'
    )


def print_receipt_figures(figures):
    print(
        f'\nReceipts, apart from the above: {figures["count"]} files, {figures["rate"]:.0f} per second here, '
        f"{figures['queries']:.1f} queries each. A receipt costs {figures['requests']:.1f} requests, so Ramp's limit "
        'of 20 '
        f'requests a second allows {20 / figures["requests"]:.0f} receipts a second.'
    )


def print_coding_figures(figures):
    accounts, analytics = (figures['first'][flow]['objects'] for flow in ('account', 'analytic_account'))
    print(
        f'\nThe chart, from Odoo to Ramp: {accounts:,} accounts, {analytics:,} analytic accounts in '
        f'{figures["plans"]} plans'
    )
    print_figure_table(
        ['', 'objects', 'per second', 'writes / 1,000', 'reads / 1,000', 'queries / 1,000', 'of them for each 500'],
        [
            [
                f'{figures["labels"][flow]}, {what}',
                f'{run["objects"]:,}',
                f'{run["objects"] / run["seconds"]:,.0f}',
                *(f'{1000 * run[key] / run["objects"]:.1f}' for key in ('writes', 'reads', 'queries')),
                f'{(run["queries"] - idle["queries"]) / max(1, run["objects"] / 500):.0f}',
            ]
            for what, runs in (('first push', figures['first']), ('Resync Coding Options', figures['again']))
            for flow, run in runs.items()
            if flow != 'analytic_plan'
            for idle in [figures['idle'][flow]]
        ],
    )
    requests = sum(run['reads'] + run['writes'] for run in figures['again'].values())
    print(
        f'  Resync Coding Options as a whole: {requests} requests, '
        f'{sum(run["seconds"] for run in figures["again"].values()):.1f} s here '
        f"(Ramp's limit of 20 requests a second: at least {requests / 20:.0f} s); the button itself "
        f'{figures["again_click"]["queries"]} queries, {1000 * figures["again_click"]["seconds"]:.0f} ms'
    )
    print_figure_table(
        [
            'a push when nothing has changed',
            'writes',
            'requests',
            'queries',
            'with the scheduler',
            'ms',
            'looking for missing rows ms',
        ],
        [
            [
                figures['labels'][flow],
                str(run['writes']),
                str(run['reads'] + run['writes'] + run['tokens']),
                str(run['own_queries']),
                str(run['queries']),
                f'{1000 * run["own_seconds"]:.0f}',
                f'{1000 * run["expect_seconds"]:.0f}',
            ]
            for flow, run in figures['idle'].items()
        ],
    )
    rename = figures['rename']
    print(
        f'  one account renamed: {rename["writes"]} write, {rename["reads"]} read, {rename["queries"]} queries, '
        f'{1000 * rename["seconds"]:.0f} ms'
    )
    if figures['hooks']:
        print_figure_table(
            ['what a person pays', 'queries without', 'with a connection', 'ms without', 'with', 'time'],
            [
                [
                    figures['labels'][what],
                    f'{run["off_queries"]:.0f}',
                    f'{run["on_queries"]:.0f}',
                    f'{1000 * run["off_seconds"]:,.1f}',
                    f'{1000 * run["on_seconds"]:,.1f}',
                    f'{run["ratio"] - 1:+.0%}',
                ]
                for what, run in figures['hooks'].items()
            ],
        )


def print_order_figures(figures):
    print(
        f'\nPurchase orders of {figures["lines"]} lines, and their receipts: what a person pays (median of '
        f'{figures["count"]})'
    )
    words = {
        'confirm': 'an order confirmed',
        'validate': 'a receipt validated',
        'import': f'{figures["imported"]:,} lines of orders imported',
    }
    first = figures['buttons']['without']
    print_figure_table(
        [
            '',
            *(f'queries {label}' for label in ORDER_SIDES.values()),
            *(f'ms {label}' for label in ORDER_SIDES.values()),
            'time',
        ],
        [
            [
                text,
                *(f'{side[what]["queries"]:.0f}' for side in figures['buttons'].values()),
                *(f'{1000 * side[what]["seconds"]:,.1f}' for side in figures['buttons'].values()),
                f'{figures["buttons"]["on"][what]["seconds"] / first[what]["seconds"] - 1:+.0%}',
            ]
            for what, text in words.items()
        ],
    )
    print_figure_table(
        [
            'pushed',
            'objects',
            'per second',
            'requests each',
            'queries each',
            'requests when nothing changed',
            'queries',
        ],
        [
            [
                name,
                str(run['push']['objects']),
                f'{run["push"]["objects"] / run["push"]["seconds"]:.0f}',
                f'{(run["push"]["reads"] + run["push"]["writes"]) / run["push"]["objects"]:.1f}',
                f'{run["push"]["queries"] / run["push"]["objects"]:.1f}',
                str(run['idle']['reads'] + run['idle']['writes']),
                str(run['idle']['queries']),
            ]
            for name, run in (('orders', figures['orders']), ('receipts', figures['receipts']))
        ],
    )


def print_tie_out_figures(figures):
    print(
        f'\nThe tie-out of a ledger of {figures["transactions"]:,} card transactions in {figures["months"]} months '
        f'({figures["sections"]} entities and currencies)'
    )
    print_figure_table(
        ['', 'seconds', 'queries'],
        [
            [
                f'the report opens (median of {len(figures["all_seconds"])})',
                f'{figures["seconds"]:.2f}',
                str(figures['queries']),
            ],
            [f'what is behind a figure opens (median of {figures["cells"]})', f'{figures["drill_median"]:.2f}', ''],
            ['the slowest of them', f'{figures["drill_seconds"]:.2f}', str(figures['drill_queries'])],
        ],
    )


def print_webhook_figures(servers):
    for figures in servers:
        print(
            f'\nEvents from Ramp to Odoo with {describe_server_processes(figures)} and two for jobs; '
            f'a subscription was verified in {figures["verified"]:.1f} s'
        )
        print_figure_table(
            ['seconds', 'count', 'p50', 'p95', 'p99', 'slowest'],
            [
                [what, f'{row["count"]:,}', *(f'{row[key]:.3f}' for key in ('p50', 'p95', 'p99', 'max'))]
                for what, row in (
                    ('an event is answered', figures['answers']),
                    ('a page that does nothing, meanwhile', figures['idle']),
                    ('from card spend to the posted entry', figures['transactions']),
                    ('from a bill to the posted bill', figures['bills']),
                )
            ],
        )


def describe_server_processes(figures):
    """Return in words how the Odoo of a measurement runs: with workers or with threads."""
    return f'{figures["workers"]} workers' if figures['workers'] else 'threads'


# -- verdicts


def judge_bench_result(result, first):
    """Return the targets with the measured values, each as {'verdict', 'text'}.

    :param first: names of the comparisons of transactions and of bills
    """
    found = [*judge_side_comparisons(result, first), *judge_long_runs(result['long'])]
    for part, judge in (
        ('tie_out', judge_tie_out_figures),
        ('webhooks', judge_webhook_figures),
        ('coding', judge_coding_figures),
        ('orders', judge_order_figures),
        ('screens', judge_screen_figures),
        ('lists', judge_list_figures),
    ):
        found += judge(result[part]) if result[part] else []
    return found


def judge_side_comparisons(result, first):
    found = [
        {
            'verdict': 'met' if row['ratio'] >= row['target'] else 'NOT MET',
            'text': f'at least {row["target"]:.1f} times the rate of: {row["label"]} (measured {row["ratio"]:.2f})',
        }
        for name in first
        for row in result['comparisons'].get(name, ())
        if row['target'] and 'ratio' in row
    ]
    queries = [
        row['queries']
        for name, rows in result['comparisons'].items()
        for row in rows
        if name == first[1] and row['side'] == 'ours'
    ] + [figures['queries'] for name, figures in result['long'].items() if BILLS.objects in name]
    if queries:
        found.append(
            {
                'verdict': 'met' if max(queries) <= BILL_QUERIES else 'NOT MET',
                'text': f'at most {BILL_QUERIES} queries for a bill with its payment (measured {max(queries):.2f})',
            }
        )
    return found


def judge_long_runs(runs):
    found = []
    for name, figures in runs.items():
        first_step, last_step = figures['steps'][0], figures['steps'][-1]
        flat = figures['last_first'] >= 1 - FLAT
        # If the work per transaction is constant and only the elapsed time grows, other processes disturbed the run.
        disturbed = not flat and figures['last_first_cpu'] >= 1 - FLAT
        found += [
            {
                'verdict': 'met' if flat else 'disturbed' if disturbed else 'NOT MET',
                'text': f'the last thousand as fast as the first, within {FLAT:.0%} (measured {figures["last_first"]:.2f} by the clock, '
                f'{figures["last_first_cpu"]:.2f} by processor time): {name}',
            },
            {
                'verdict': 'met' if last_step['peak_mb'] <= first_step['peak_mb'] * (1 + FLAT) else 'NOT MET',
                'text': f'peak memory flat (measured {first_step["peak_mb"]:.0f} MB after the first thousand, '
                f'{last_step["peak_mb"]:.0f} MB at the end): {name}',
            },
        ]
    return found


def judge_tie_out_figures(figures):
    return [
        {
            'verdict': 'met' if seconds < limit else 'NOT MET',
            'text': f'{what} in under {limit:.0f} s (measured {seconds:.2f})',
        }
        for seconds, limit, what in (
            (figures['seconds'], OPENS, 'the tie-out opens'),
            (figures['drill_seconds'], DRILLS, 'what is behind any of its figures opens'),
        )
    ]


def judge_webhook_figures(servers):
    found = []
    for figures in servers:
        for seconds, limit, what in (
            (figures['answers']['p99'], ANSWERS, '99 of 100 events answered'),
            (figures['transactions']['p95'], ARRIVES, '95 of 100 card transactions posted'),
            (figures['bills']['p95'], ARRIVES, '95 of 100 bills posted'),
        ):
            # If even an idle page takes that long, other processes disturbed the run.
            disturbed = figures['idle']['p99'] > ANSWERS / 2
            found.append(
                {
                    'verdict': 'met' if seconds < limit else 'disturbed' if disturbed else 'NOT MET',
                    'text': f'{what} in under {limit:g} s (measured {seconds:.3f}): {describe_server_processes(figures)}',
                }
            )
    return found


def judge_coding_figures(figures):
    idle, rename, hooks = figures['idle'].values(), figures['rename'], figures['hooks']
    asked = sum(run['reads'] + run['writes'] + run['tokens'] for run in idle)
    queries = max(run['own_queries'] for run in idle)
    targets = [
        (asked == 0, f'a second push makes no request (measured {asked})'),
        (queries <= IDLE_QUERIES, f'and at most {IDLE_QUERIES} queries for each kind (measured {queries})'),
        (rename['writes'] == 1, f'a renamed account is one write call (measured {rename["writes"]})'),
        (
            not any(run['writes'] for run in figures['again'].values()),
            'Resync Coding Options writes nothing where nothing differs',
        ),
    ]
    if hooks:
        more = max(run['on_queries'] - run['off_queries'] for run in hooks.values())
        asked = sum(run['requests'] for run in hooks.values())
        targets += [
            (
                more <= HOOK_QUERIES,
                f'to save one object, or to import 1,000, costs at most {HOOK_QUERIES} queries more '
                f'(measured {more:.0f})',
            ),
            (asked == 0, f'and no request (measured {asked:.0f})'),
        ]
    return [{'verdict': 'met' if met else 'NOT MET', 'text': text} for met, text in targets]


def judge_order_figures(figures):
    sides = figures['buttons']
    more = {what: sides['on'][what]['queries'] - sides['without'][what]['queries'] for what in sides['on']}
    asked = sum(
        figures[what]['reads'] + figures[what]['writes'] + figures[what]['tokens']
        for what in ('confirm', 'validate', 'import')
    )
    idle = sum(figures[what]['idle']['reads'] + figures[what]['idle']['writes'] for what in ('orders', 'receipts'))
    return [
        {'verdict': 'met' if met else 'NOT MET', 'text': text}
        for met, text in (
            (
                max(more.values()) <= ORDER_QUERIES,
                f'to confirm, to validate or to import costs at most {ORDER_QUERIES} queries more than '
                f'without the addon (measured {more["confirm"]:.0f}, {more["validate"]:.0f} and {more["import"]:.0f})',
            ),
            (asked == 0, f'and no request (measured {asked:.0f})'),
            (idle == 0, f'what has not changed is not sent again, nor asked for (measured {idle} requests)'),
        )
    ]
