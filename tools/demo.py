"""Run the connector end to end: a simulated Ramp, a real Odoo on a real PostgreSQL, then an Odoo to look at.

Ramp begins without a chart. Odoo connects and sends its own. Then people spend and code their spend with it, and Odoo
books it.
"""

import argparse
import contextlib
import os
import signal
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from decimal import Decimal

import procurement
from odoo_env import (
    analytic_accounts,
    card_liability,
    emit_json,
    environment,
    open_payables,
    run_flows,
    set_up_empty,
    simulator,
)
from runtime import Fail, Runtime, background, cache_dir, say, script, wait_for

DATABASE = 'ramp_demo'
# flow -> key of the objects it sends in the simulated Ramp
SENT = {
    'account': 'accounts',
    'analytic_plan': 'fields',
    'analytic_account': 'options',
    'tax_rate': 'tax_rates',
    'tax_code': 'tax_options',
    'accounting_vendor': 'vendors',
}
PLANS = {
    'Projects': ('Office Move', 'Website', 'Trade Fair', 'Customer Support'),
    'Markets': ('Americas', 'Europe', 'Japan', 'Middle East'),
}
SUPPLIERS = ('Amazon Web Services', 'Delta Air Lines', 'FedEx', 'GitHub', 'Staples', 'Uber', 'Verizon')
WORDS = ('flow', 'entity', 'currency', 'coding', 'named', 'supplier')  # columns that are aligned left
EXPONENTS = {'JPY': 0, 'KWD': 3}


def flow_table(runs, records, once_more=()):
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


def row_states(env, connection):
    """Return {flow: {state: number of rows}}. `waiting`: Ramp has not finished with it, and the row says so."""
    found = {}
    for record in env['ramp.record'].search_fetch(
        [('connection_id', '=', connection.id)], ['flow', 'state', 'error_message', 'sync_key']
    ):
        waiting = record.state == 'pending' and record.error_message or record.state == 'done' and not record.sync_key
        found.setdefault(record.flow, Counter())['waiting' if waiting else record.state] += 1
    return found


def sent_table(records, there):
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


def coding_table(ramp):
    """Return how the booked transactions were coded in Ramp: one row per way, with its number."""
    found = Counter()
    for row in ramp.ask('GET', '/transactions?sync_status=SYNCED')['data']:
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


def add_chart(env):
    """Add analytic plans, suppliers and an account for every tax to the demo company."""
    Plan = env['account.analytic.plan']
    for name, accounts in PLANS.items():
        analytic_accounts(env, Plan.search([('name', '=', name)], limit=1) or Plan.create({'name': name}), accounts)
    env['res.partner'].create([{'name': name, 'supplier_rank': 1} for name in SUPPLIERS])
    taxes = (
        env['account.tax']
        .search([('type_tax_use', '=', 'purchase')])
        .invoice_repartition_line_ids.filtered(lambda line: line.repartition_type == 'tax')
    )
    for line in taxes.filtered(lambda line: not line.account_id):
        line.account_id = taxes.account_id[:1]  # Ramp requires one, even for 0 %


def salaries_account(env):
    """Return the account of what employees get, or another one of what is owed.

    Paybacks without a transfer are deducted from it.
    """
    owed = env['account.account'].search(
        [('account_type', '=', 'liability_current'), ('company_ids', 'parent_of', env.company.ids)]
    )
    if not owed:
        raise Fail('the chart has no account of what is owed, such as salaries')
    return (owed.filtered(lambda account: 'salar' in account.name.lower()) or owed)[:1]


def enter_payments(env, connection):
    """Enter the payments of the bills that were paid outside of Ramp, as the reasons ask for. Return how many."""
    held = env['ramp.record'].search(
        [
            ('connection_id', '=', connection.id),
            ('flow', '=', 'bill_payment'),
            ('state', '=', 'held'),
            ('reason_move_id', '!=', False),
        ]
    )
    bills = held.filtered(lambda row: row.payload['payment']['payment_method'] == 'PAID_MANUALLY').reason_move_id
    for bill in bills:
        env['account.payment.register'].with_context(active_model='account.move', active_ids=bill.ids).create(
            {'journal_id': connection.payment_journal_id.id}
        )._create_payments()
    env.cr.commit()
    return len(bills)


def tie_out_table(env, connection, ramp):
    """Return the card liability in the ledger beside cleared and synced spend in Ramp, per entity and currency."""
    ledger = card_liability(env, connection)
    rows = []
    for total in ramp.totals(sync_status='SYNCED'):
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


def payables_table(env, connection, ramp):
    """Return what is owed to vendors, per currency: Ramp beside the payable accounts of the ledger."""
    ledger = open_payables(env, connection)
    rows = {}
    for total in ramp.ask('GET', '/payables')['payables']:
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


def owed_to_ramp(env, connection):
    """Return the tie-out report as shown: what is owed on the cards, and the explanation of each difference."""
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


def show_table(title, rows, columns):
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


def free_port(wanted):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(('127.0.0.1', wanted))
        except OSError as error:
            raise Fail(f'port {wanted} is taken; choose another one with --port') from error
        return probe.getsockname()[1]


def begin_company(env, ramp, seed):
    """Connect the demo company to a simulated Ramp without a chart. Return the connection."""
    say('connecting the demo company to a simulated Ramp that has no chart')
    add_chart(env)
    connection = set_up_empty(
        env,
        ramp,
        seed=seed,
        offer_taxes=True,
        push_orders=True,
        push_receipts=True,
        repayment_account_id=salaries_account(env).id,
        statement_policy='closed',
    )  # some transactions stay unfinished
    # Odoo shows the lines of an entry only to users with its full accounting features.
    env.ref('base.user_admin').group_ids += env.ref('account.group_account_user')
    env.cr.commit()
    return connection


def order_and_spend(env, connection, ramp, options):
    """Send the coding data, buy, and let people in Ramp spend. Return (runs, table of what was sent, orders)."""
    say('sending the chart, analytic accounts, taxes and suppliers to Ramp')
    runs = run_flows(env, connection, sends=True)
    sent = sent_table(row_states(env, connection), ramp.ask('GET', '/coding'))
    say(f'{options.orders} purchase orders: amended, received in part or whole, returned, cancelled')
    orders = procurement.buy_orders(env, connection, options.orders, options.seed)
    runs += run_flows(env, connection, sends=True)
    procurement.bill_orders(env, connection, ramp, orders)
    ramp.spend(
        transactions=options.transactions,
        bills=options.bills,
        reimbursements=options.reimbursements,
        seed=options.seed,
        statements=True,
    )  # coded with what was sent
    return runs, sent, orders


def synchronize(env, connection, options):
    """Book what arrived, and enter payments. Return (runs, runs that saw it again, seconds of the first)."""
    say(
        f'synchronizing {options.transactions} card transactions, {options.bills} bills, '
        f'{options.reimbursements} reimbursements'
    )
    started = time.monotonic()
    runs = run_flows(env, connection)
    seconds = time.monotonic() - started
    if entered := enter_payments(env, connection):
        say(
            f'{entered} {"bill that is" if entered == 1 else "bills that are"} marked as paid in the accounting '
            'system: '
            f'{"its payment is" if entered == 1 else "their payments are"} entered'
        )
    # Run again, as the scheduler would. A card charge that pays a bill is booked anew, and Ramp gets the change.
    once_more = run_flows(env, connection, sends=False)
    runs += run_flows(
        env, connection, sends=True
    )  # vendors from Ramp are suppliers now, and sent to Ramp as coding values
    return runs, once_more, seconds


def synchronize_again(env, connection, ramp):
    """Synchronize again without changes. Return (runs, write calls to Ramp, whether something changed)."""
    say('synchronizing again: nothing may change, and nothing may be written to Ramp')
    before = ramp.summary()['write_calls'], row_states(env, connection), card_liability(env, connection)
    runs = run_flows(env, connection)
    after = ramp.summary()['write_calls'], row_states(env, connection), card_liability(env, connection)
    return runs, after[0] - before[0], before[1:] != after[1:]


def run_demo(ramp, options):
    """Synchronize twice. Return the figures, with the reasons of a failure (an empty list on success)."""
    with environment(options.database) as env:
        connection = begin_company(env, ramp, options.seed)
        runs, sent, orders = order_and_spend(env, connection, ramp, options)
        arrived, once_more, seconds = synchronize(env, connection, options)
        runs += arrived
        flows = [row for row in flow_table(runs, row_states(env, connection), once_more) if row['flow'] not in SENT]
        others = {flow._flow for flow in connection._flow_models() if flow._sends}
        bought = procurement.compare_orders(env, connection, ramp, orders)
        ties, owed = tie_out_table(env, connection, ramp), payables_table(env, connection, ramp)
        proof, odd, rates = owed_to_ramp(env, connection)
        again, write_calls, has_changed = synchronize_again(env, connection, ramp)
        result = {
            'sent': sent,
            'followed': [row for row in flows if row['flow'] in others],
            'coded': coding_table(ramp),
            'orders': bought,
            'flows': [row for row in flows if row['flow'] not in others],
            'tie_out': ties,
            'payables': owed,
            'owed_to_ramp': proof,
            'rates': rates,
            'seconds': round(seconds, 1),
            'second_run': {'write_calls': write_calls, 'changed': has_changed},
        }
        summary = ramp.summary()
        reasons = [
            *reasons_of_runs([*runs, *once_more, *again]),
            *reasons_of_rows(sent, flows),
            *reasons_of_books(result, odd),
            *reasons_of_ramp(result, summary),
        ]
        return {**result, 'contract_checked': summary['contract'], 'ok': not reasons, 'problems': reasons}


# -- why a demo failed


def reasons_of_runs(runs):
    return [f'the {run.flow} run failed: {run.message}' for run in runs if run.state != 'done']


def reasons_of_rows(sent, flows):
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


def reasons_of_books(result, odd):
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


def reasons_of_ramp(result, summary):
    """Return the complaints of the simulated Ramp and the effects of the second run, as reasons."""
    reasons = []
    if result['second_run']['write_calls'] or result['second_run']['changed']:
        reasons.append('the second run was not without effect')
    for kind in ('contract_violations', 'request_violations', 'errors'):
        reasons += [f'{kind}: {text}' for text in summary[kind][:3]]
    return reasons


# -- an Odoo to look at


def let_ramp_tell(database, address):
    """Switch on webhooks from Ramp to this Odoo. Return our id of an account to code with."""
    with environment(database) as env:
        env['ir.config_parameter'].set_param('web.base.url', address)
        env['ir.config_parameter'].set_param('web.base.url.freeze', 'True')
        connection = env['ramp.connection'].search([], limit=1)
        connection.use_webhooks = True
        [account] = env['account.account'].search(
            [('account_type', '=', 'expense'), ('company_ids', 'in', connection.company_id.ids)], limit=1
        )
        env.cr.commit()
        return env['ramp.coding']._get_external_id(account)


def serve_odoo(runtime, ramp, port, database):
    """Run Odoo with its jobs until Ctrl-C."""
    command = runtime.odoo('-d', database, '--http-port', port, '--max-cron-threads', 1, '--log-level', 'warn')
    with background(command, name='Odoo', log=cache_dir() / 'demo-odoo.log', env=runtime.environ()) as process:
        address = f'http://127.0.0.1:{port}'

        def is_answering():
            try:
                return urllib.request.urlopen(f'{address}/web/login', timeout=5).status == 200
            except (urllib.error.URLError, OSError):
                return False

        wait_for(is_answering, what='Odoo did not start', seconds=120, process=process)
        code = let_ramp_tell(database, address)  # a running server is notified of jobs and runs them at once
        print(
            f'\nOdoo:      {address}/odoo/ramp-connections\nuser:      admin\npassword:  admin\n'
            f'Ramp:      {ramp.admin}/  (the simulator; it sends its events to Odoo)\n\n'
            f'Spend with a card, and see it in Odoo a moment later:\n'
            f"  curl -X POST {ramp.admin}/transactions -H 'Content-Type: application/json' -d "
            f"""'{{"merchant": "Staples", "amount_minor": 4250, "currency": "USD", "account": "{code}"}}'\n"""
            'Or confirm a purchase order, receive it, archive an account, and look at Ramp. Ctrl-C stops both.',
            flush=True,
        )
        with contextlib.suppress(KeyboardInterrupt):
            process.wait()


def read_options():
    parser = argparse.ArgumentParser(prog='./dev demo')
    parser.add_argument(
        '--no-serve',
        action='store_true',
        help='stop after the figures; exit 1 if anything is unconfirmed or does not tie out',
    )
    parser.add_argument('--json', action='store_true', help='the figures as JSON')
    parser.add_argument('--port', type=int, default=8069)
    parser.add_argument('--transactions', type=int, default=600)
    parser.add_argument('--bills', type=int, default=120)
    parser.add_argument('--reimbursements', type=int, default=80)
    parser.add_argument('--orders', type=int, default=24)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--database', default=DATABASE, help='its name; it is made anew')
    return parser.parse_args()


def show_result(result):
    show_table('What Odoo offers in Ramp', result['sent'], ['flow', 'confirmed', 'in Ramp', 'held'])
    show_table(
        'People, vendors, orders and receipts, from Odoo to Ramp',
        result['followed'],
        ['flow', 'seen', 'confirmed', 'waiting', 'held', 'seconds'],
    )
    show_table(
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
    show_table('What arrived', result['flows'], ['flow', 'seen', 'created', 'confirmed', 'waiting', 'held', 'seconds'])
    show_table('Coded by people in Ramp with what Odoo offers', result['coded'], ['coding', 'transactions'])
    show_table(
        'Card liability in Odoo, beside what Ramp says was spent',
        result['tie_out'],
        ['currency', 'entity', 'transactions', 'entries', 'ramp', 'odoo', 'difference'],
    )
    show_table(
        'Open bills: what Ramp says is owed to vendors, beside the ledger',
        result['payables'],
        ['currency', 'vendors', 'bills', 'billed', 'credited', 'paid', 'open', 'odoo', 'different'],
    )
    show_table(
        'The tie-out: what is owed on the cards, Ramp beside Odoo',
        result['owed_to_ramp'],
        ['currency', 'entity', 'spend', 'refund', 'cashback', 'payment', 'owed', 'odoo', 'difference', 'named'],
    )
    if result['rates']:
        show_table(
            "Foreign currencies in the company's: as posted, beside Odoo's rates of the days",
            result['rates'],
            [column for column in result['rates'][0] if column != 'odd'],
        )
    print(
        f'\nSecond run: {result["second_run"]["write_calls"]} write calls, '
        f'{"something changed" if result["second_run"]["changed"] else "nothing changed"}'
    )


def main():
    options = read_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that started processes are stopped too
    port = None if options.no_serve else free_port(options.port)
    runtime = Runtime().prepare()
    os.environ.update(runtime.environ())
    runtime.database(options.database, fresh=True)
    with tempfile.TemporaryFile('w+') as log, simulator(log=log) as ramp:
        result = run_demo(ramp, options)
        if options.json:
            emit_json(result)
        else:
            show_result(result)
        for reason in result['problems']:
            print(f'dev: {reason}', file=sys.stderr)
        if not options.no_serve:
            serve_odoo(runtime, ramp, port, options.database)
    return 0 if result['ok'] else 1


if __name__ == '__main__':
    script(main)
