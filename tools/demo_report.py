"""The figures of the demo as tables, the reasons of a failure, and how both are printed.

Amounts in the tables are texts in major units of their currency, unless a name ends with `_minor`.
"""

from collections import Counter
from decimal import Decimal

from odoo_env import read_card_liability, read_open_payables

# flow -> key of the objects it sends in the simulated Ramp
SENT = {
    'account': 'accounts',
    'analytic_plan': 'fields',
    'analytic_account': 'options',
    'tax_rate': 'tax_rates',
    'tax_code': 'tax_options',
    'accounting_vendor': 'vendors',
}
WORDS = ('flow', 'entity', 'currency', 'coding', 'named', 'supplier')  # columns that are aligned left
EXPONENTS = {'JPY': 0, 'KWD': 3}


# -- tables


def build_flow_table(runs, records, once_more=()):
    """Return one row per flow: what was seen, created, confirmed and held, and how long it took.

    :param once_more: runs that saw again what others had seen
    """
    table = {}
    for run in [*runs, *once_more]:
        row = table.setdefault(
            run.flow, {'flow': run.flow, 'seen': 0, 'created': 0, 'confirmed': 0, 'held': 0, 'seconds': 0.0}
        )
        for key in ('created', 'confirmed', *(('seen',) if run not in once_more else ())):
            row[key] += run[key]
        row['seconds'] += run.duration
    for flow, states in records.items():
        if flow in table:
            table[flow]['held'] = states.get('held', 0) + states.get('error', 0)
            table[flow]['waiting'] = states.get('waiting', 0)
            table[flow]['unconfirmed'] = states.get('pending', 0) + states.get('done', 0)
    return [{**row, 'seconds': round(row['seconds'], 1)} for row in table.values()]


def count_row_states(env, connection):
    """Return {flow: {state: number of rows}}. `waiting`: Ramp has not finished with it, and the row says so."""
    found = {}
    for record in env['ramp.record'].search_fetch(
        [('connection_id', '=', connection.id)], ['flow', 'state', 'error_message', 'sync_key']
    ):
        waiting = record.state == 'pending' and record.error_message or record.state == 'done' and not record.sync_key
        found.setdefault(record.flow, Counter())['waiting' if waiting else record.state] += 1
    return found


def build_sent_table(records, there):
    """Return one row per flow that sends: the number of confirmed and held rows, and what Ramp has."""
    return [
        {
            'flow': flow,
            'confirmed': records.get(flow, {}).get('confirmed', 0),
            'held': records.get(flow, {}).get('held', 0),
            'in Ramp': sum(row['is_active'] for row in there[name]),
        }
        for flow, name in SENT.items()
    ]


def build_coding_table(ramp):
    """Return how the booked transactions were coded in Ramp: one row per way, with its number."""
    found = Counter()
    for row in ramp.call_admin('GET', '/transactions?sync_status=SYNCED')['data']:
        lines = [[selection['type'] for selection in line['accounting_field_selections']] for line in row['line_items']]
        found.update(
            {
                'with an account': any('GL_ACCOUNT' in line for line in lines),
                'split over several lines': len(lines) > 1,
                'with two plans or more in a line': any(line.count('OTHER') > 1 for line in lines),
                'with a tax': any('TAX_CODE' in line for line in lines),
                'with a supplier': any('MERCHANT' in line for line in lines),
            }
        )
    return [{'coding': way, 'transactions': count} for way, count in found.items()]


def build_tie_out_table(env, connection, ramp):
    """Return the card liability in the ledger beside cleared and synced spend in Ramp, per entity and currency."""
    ledger = read_card_liability(env, connection)
    rows = []
    for total in ramp.fetch_spend_totals(sync_status='SYNCED'):
        amount, count = ledger.pop((total['entity_id'], total['currency']), (Decimal(0), 0))
        spent = Decimal(total['amount_minor']).scaleb(-EXPONENTS.get(total['currency'], 2))
        rows.append(
            {
                'entity': total['entity_id'],
                'currency': total['currency'],
                'transactions': total['count'],
                'entries': count,
                'ramp': str(spent),
                'odoo': str(Decimal(str(amount)).quantize(spent)),
                'difference': str(Decimal(str(amount)).normalize() - spent),
            }
        )
    for (entity, currency), (amount, count) in ledger.items():
        rows.append(
            {
                'entity': entity,
                'currency': currency,
                'transactions': 0,
                'entries': count,
                'ramp': '0',
                'odoo': str(amount),
                'difference': str(amount),
            }
        )
    return sorted(rows, key=lambda row: row['currency'])


def build_payables_table(env, connection, ramp):
    """Return what is owed to vendors, per currency: Ramp beside the payable accounts of the ledger."""
    ledger = read_open_payables(env, connection)
    rows = {}
    for total in ramp.call_admin('GET', '/payables')['payables']:
        row = rows.setdefault(total['currency'], Counter())
        row.update(
            {name: total[name] for name in ('bills', 'billed_minor', 'credited_minor', 'paid_minor', 'open_minor')}
        )
        mine = ledger.pop((total['vendor_id'], total['currency']), 0)
        row.update({'vendors': 1, 'odoo_minor': mine, 'different': mine != total['open_minor']})
    for (_vendor, currency), minor in ledger.items():
        rows.setdefault(currency, Counter()).update({'odoo_minor': minor, 'different': bool(minor)})
    return [
        {
            'currency': currency,
            'vendors': row['vendors'],
            'bills': row['bills'],
            'different': row['different'],
            **{
                name: str(Decimal(row[f'{name}_minor']).scaleb(-EXPONENTS.get(currency, 2)))
                for name in ('billed', 'credited', 'paid', 'open', 'odoo')
            },
        }
        for currency, row in sorted(rows.items())
    ]


def build_owed_tables(env, connection):
    """Return the tie-out report as shown, as three results.

    These are the rows of what is owed on the cards, with the explanation of each difference; {kind of document: number
    of differences}; and the rows of foreign currencies.
    """
    report = env['report.ramp_connector.tie_out'].get_report(connection.id)
    rows = []
    for section in report['sections']:
        differences = [item for month in section['months'] for item in month['differences']]
        rows.append(
            {
                'entity': section['entity_name'],
                'currency': section['currency']['name'],
                **{line['measure']: line['ramp'] for line in section['lines']},
                'owed': section['closing']['ramp'],
                'odoo': section['closing']['odoo'],
                'difference': section['closing']['difference'],
                # Repayments are not part of what is owed.
                'explained': round(
                    sum(item['difference'] for item in differences if item['measure'] != 'repayment'), 3
                ),
                'named': ', '.join(
                    f'{count} {kind}' for kind, count in sorted(Counter(item['kind'] for item in differences).items())
                ),
            }
        )
    rates, unit = report['rates'], report['rates']['currency']['name']
    return (
        rows,
        {part['kind']: sum(row['odd'] for row in part['rows']) for part in report['open']},
        [
            {
                'currency': row['code'],
                'amount': f'{row["amount"]:.2f}',
                f'posted in {unit}': f'{row["odoo"]:.2f}',
                "at Odoo's rates": f'{row["ramp"]:.2f}',
                'percent off': f'{row["percent"]:.2f}',
                'odd': row['odd'],
            }
            for row in rates['rows']
        ],
    )


# -- why a demo failed


def list_failed_runs(runs):
    """Return the runs that did not end well, as reasons."""
    return [f'the {run.flow} run failed: {run.message}' for run in runs if run.state != 'done']


def list_unfinished_rows(sent, flows):
    """Return the rows that are not in their final state, as reasons."""
    return [
        *(
            f'{row["confirmed"]} of flow {row["flow"]} are confirmed, Ramp has {row["in Ramp"]}'
            for row in sent
            if row['confirmed'] != row['in Ramp']
        ),
        *(f'{row["flow"]}: nothing was sent' for row in sent if not row['confirmed']),
        *(f'{row["held"]} of flow {row["flow"]} are held' for row in sent if row['held']),
        *(f'{row["unconfirmed"]} of flow {row["flow"]} are not confirmed' for row in flows if row.get('unconfirmed')),
        *(f'{row["held"]} of flow {row["flow"]} are held' for row in flows if row['held']),
    ]


def list_book_differences(result, odd):
    """Return the differences between the books and Ramp, as reasons. odd: {kind of document: number of differences}."""
    return [
        *(
            f'{row["currency"]} of entity {row["entity"]} differs by {row["difference"]}'
            for row in result['tie_out']
            if Decimal(row['difference'])
        ),
        *(
            f'{row["currency"]}: {row["transactions"]} transactions, {row["entries"]} entries'
            for row in result['tie_out']
            if row['transactions'] != row['entries']
        ),
        *(
            f'{row["currency"]}: the ledger owes {row["different"]} vendors something else than Ramp'
            for row in result['payables']
            if row['different']
        ),
        *(
            f'{row["currency"]} of {row["entity"]}: a difference of {row["difference"]} is owed to Ramp, '
            f'{row["explained"]} of it '
            'has a name'
            for row in result['owed_to_ramp']
            if row['difference'] != row['explained']
        ),
        *(f'{count} open documents by {kind} are not what Ramp says' for kind, count in odd.items() if count),
        *(
            f"{row['currency']}: what is posted is {row['percent off']} % off Odoo's rates"
            for row in result['rates']
            if row['odd']
        ),
        *(
            f'{row["supplier"]}: {row["different"]} orders are not in Ramp as they are in Odoo'
            for row in result['orders']
            if row['different']
        ),
    ]


def list_ramp_complaints(result, summary):
    """Return the complaints of the simulated Ramp and the effects of the second run, as reasons."""
    reasons = []
    if result['second_run']['write_calls'] or result['second_run']['changed']:
        reasons.append('the second run was not without effect')
    for kind in ('contract_violations', 'request_violations', 'errors'):
        reasons += [f'{kind}: {text}' for text in summary[kind][:3]]
    return reasons


# -- output


def print_demo_table(title, rows, columns):
    """Print rows, which are dicts, under the names of their columns. Columns of words are aligned left."""
    print(f'\n{title}')
    widths = (
        {column: max(len(column), *(len(str(row.get(column, ''))) for row in rows)) for column in columns}
        if rows
        else {}
    )
    for row in [dict(zip(columns, columns)), *rows] if rows else []:
        print(
            '  '
            + '  '.join(
                f'{row.get(column, "")!s:{"<" if column in WORDS else ">"}{widths[column]}}' for column in columns
            )
        )


def print_demo_result(result):
    """Print all tables of a demo, and what its second run did."""
    print_demo_table('What Odoo offers in Ramp', result['sent'], ['flow', 'confirmed', 'in Ramp', 'held'])
    print_demo_table(
        'People, vendors, orders and receipts, from Odoo to Ramp',
        result['followed'],
        ['flow', 'seen', 'confirmed', 'waiting', 'held', 'seconds'],
    )
    print_demo_table(
        'Purchase orders and what is received of them: Odoo beside Ramp',
        result['orders'],
        [
            'supplier',
            'currency',
            'orders',
            'in Ramp',
            'ordered',
            'ordered in Ramp',
            'received',
            'received in Ramp',
            'different',
        ],
    )
    print_demo_table(
        'What arrived', result['flows'], ['flow', 'seen', 'created', 'confirmed', 'waiting', 'held', 'seconds']
    )
    print_demo_table('Coded by people in Ramp with what Odoo offers', result['coded'], ['coding', 'transactions'])
    print_demo_table(
        'Card liability in Odoo, beside what Ramp says was spent',
        result['tie_out'],
        ['currency', 'entity', 'transactions', 'entries', 'ramp', 'odoo', 'difference'],
    )
    print_demo_table(
        'Open bills: what Ramp says is owed to vendors, beside the ledger',
        result['payables'],
        ['currency', 'vendors', 'bills', 'billed', 'credited', 'paid', 'open', 'odoo', 'different'],
    )
    print_demo_table(
        'The tie-out: what is owed on the cards, Ramp beside Odoo',
        result['owed_to_ramp'],
        ['currency', 'entity', 'spend', 'refund', 'cashback', 'payment', 'owed', 'odoo', 'difference', 'named'],
    )
    if result['rates']:
        print_demo_table(
            "Foreign currencies in the company's: as posted, beside Odoo's rates of the days",
            result['rates'],
            [column for column in result['rates'][0] if column != 'odd'],
        )
    print(
        f'\nSecond run: {result["second_run"]["write_calls"]} write calls, '
        f'{"something changed" if result["second_run"]["changed"] else "nothing changed"}'
    )
