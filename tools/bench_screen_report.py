"""What the benchmark prints of Odoo's screens, and its verdicts."""

from bench_table import print_figure_table

FOLLOWS = 2.0  # seconds within which 95 of 100 steps on Odoo's screens are in Ramp
ANSWERS_SCREEN = 0.3  # seconds within which the server answers what a list, a form or the dashboard asks for
OPENS_TIE_OUT = 2.0  # seconds to open the tie-out with thousands of differences
# These add up the whole ledger, and so does what the dashboard says of the tie-out after it has opened
TIE_OUT_SCREENS = ('ramp_tie_out_action', 'ramp_tie_out_analysis_action')


def print_screen_figures(figures):
    print(f"\nFrom a click on Odoo's screens to the state in Ramp, in a browser ({figures['rounds']} orders), seconds")
    print_figure_table(
        ['', 'Ramp p50', 'p95', 'slowest', 'the page p50', 'p95', f'while Ramp hangs for {figures["hangs"]:.0f} s'],
        [
            [
                step['words'],
                *(f'{step["ramp"][key]:.2f}' for key in ('p50', 'p95', 'max')),
                *(f'{step["page"][key]:.2f}' for key in ('p50', 'p95')),
                f'{step["stuck"]:.2f}',
            ]
            for step in figures['steps'].values()
        ],
    )


def print_list_figures(figures):
    print(
        f'\nThe screens over a ledger of {figures["rows"]:,} rows ({figures["held"]:,} on hold, with '
        f'{figures["causes"]:,} causes): what the server takes for each call, milliseconds'
    )
    print_figure_table(
        ['', 'calls', 'median', 'slowest call', 'its worst', 'queries', 'which'],
        [
            [
                f'{row["screen"].removeprefix("ramp_").removesuffix("_action")}: {row["what"]}',
                str(row['calls']),
                f'{row["median_ms"]:.0f}',
                f'{row["slowest_ms"]:.0f}',
                f'{row["worst_ms"]:.0f}',
                str(row['queries']),
                row['slowest'],
            ]
            for row in figures['screens']
        ],
    )


def judge_screen_figures(figures):
    follows, stuck = figures['follows']['p95'], max(step['stuck'] for step in figures['steps'].values())
    return [
        {
            'verdict': 'met' if follows < FOLLOWS else 'NOT MET',
            'text': f'95 of 100 steps on the screens are in Ramp in under {FOLLOWS:g} s (measured {follows:.2f})',
        },
        {
            'verdict': 'met' if stuck < figures['hangs'] / 2 else 'NOT MET',
            'text': f'no page waits for Ramp (the slowest took {stuck:.2f} s while Ramp hung for {figures["hangs"]:.0f} s)',
        },
    ]


def judge_list_figures(figures):
    groups = {False: [], True: []}
    for row in figures['screens']:
        groups[row['screen'] in TIE_OUT_SCREENS or row['what'].startswith('tie-out')].append(row)
    found = []
    for rows, limit, what in (
        (groups[False], ANSWERS_SCREEN, 'each call of a list, a form or the dashboard is answered'),
        (groups[True], OPENS_TIE_OUT, f'the tie-out with {figures["differences"]:,} differences opens'),
    ):
        row = max(rows, key=lambda row: row['slowest_ms'], default=None)
        if row:
            found.append(
                {
                    'verdict': 'met' if row['slowest_ms'] < 1000 * limit else 'NOT MET',
                    'text': f'{what} in under {limit:g} s (the slowest: {row["slowest_ms"] / 1000:.2f}, {row["screen"]}, '
                    f'{row["what"]} {row["slowest"]})',
                }
            )
    return found
