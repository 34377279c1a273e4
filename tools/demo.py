"""Run the connector end to end: a simulated Ramp, a real Odoo on a real PostgreSQL, then an Odoo to look at.

Ramp begins without a chart. Odoo connects and sends its own. Then people spend and code their spend with it, and Odoo
books it.
"""

import argparse
import contextlib
import os
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request

import procurement
from demo_report import (
    SENT,
    build_coding_table,
    build_flow_table,
    build_owed_tables,
    build_payables_table,
    build_sent_table,
    build_tie_out_table,
    count_row_states,
    list_book_differences,
    list_failed_runs,
    list_ramp_complaints,
    list_unfinished_rows,
    print_demo_result,
)
from odoo_env import (
    connect_empty_company,
    ensure_analytic_accounts,
    open_environment,
    print_json_result,
    read_card_liability,
    run_flow_jobs,
    run_simulator,
)
from runtime import (
    OdooRuntime,
    ToolError,
    find_free_port,
    get_cache_dir,
    print_progress,
    run_in_background,
    run_script,
    wait_for_condition,
)

DATABASE = 'ramp_demo'
PLANS = {
    'Projects': ('Office Move', 'Website', 'Trade Fair', 'Customer Support'),
    'Markets': ('Americas', 'Europe', 'Japan', 'Middle East'),
}
SUPPLIERS = ('Amazon Web Services', 'Delta Air Lines', 'FedEx', 'GitHub', 'Staples', 'Uber', 'Verizon')


def add_demo_chart(env):
    """Add analytic plans, suppliers and an account for every tax to the demo company."""
    Plan = env['account.analytic.plan']
    for name, accounts in PLANS.items():
        ensure_analytic_accounts(
            env, Plan.search([('name', '=', name)], limit=1) or Plan.create({'name': name}), accounts
        )
    env['res.partner'].create([{'name': name, 'supplier_rank': 1} for name in SUPPLIERS])
    taxes = (
        env['account.tax']
        .search([('type_tax_use', '=', 'purchase')])
        .invoice_repartition_line_ids.filtered(lambda line: line.repartition_type == 'tax')
    )
    for line in taxes.filtered(lambda line: not line.account_id):
        line.account_id = taxes.account_id[:1]  # Ramp requires one, even for 0 %


def find_salaries_account(env):
    """Return the account of what employees get, or another one of what is owed.

    Paybacks without a transfer are deducted from it.
    """
    owed = env['account.account'].search(
        [('account_type', '=', 'liability_current'), ('company_ids', 'parent_of', env.company.ids)]
    )
    if not owed:
        raise ToolError('the chart has no account of what is owed, such as salaries')
    return (owed.filtered(lambda account: 'salar' in account.name.lower()) or owed)[:1]


def enter_manual_payments(env, connection):
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


def connect_demo_company(env, ramp, seed):
    """Connect the demo company to a simulated Ramp without a chart. Return the connection."""
    print_progress('connecting the demo company to a simulated Ramp that has no chart')
    add_demo_chart(env)
    connection = connect_empty_company(
        env,
        ramp,
        seed=seed,
        offer_taxes=True,
        push_orders=True,
        push_receipts=True,
        repayment_account_id=find_salaries_account(env).id,
        statement_policy='closed',
    )  # some transactions stay unfinished
    # Odoo shows the lines of an entry only to users with its full accounting features.
    env.ref('base.user_admin').group_ids += env.ref('account.group_account_user')
    env.cr.commit()
    return connection


def order_and_spend_money(env, connection, ramp, options):
    """Send the coding data, buy, and let people in Ramp spend. Return (runs, table of what was sent, orders)."""
    print_progress('sending the chart, analytic accounts, taxes and suppliers to Ramp')
    runs = run_flow_jobs(env, connection, sends=True)
    sent = build_sent_table(count_row_states(env, connection), ramp.call_admin('GET', '/coding'))
    print_progress(f'{options.orders} purchase orders: amended, received in part or whole, returned, cancelled')
    orders = procurement.buy_demo_orders(env, connection, options.orders, options.seed)
    runs += run_flow_jobs(env, connection, sends=True)
    procurement.bill_received_orders(env, connection, ramp, orders)
    ramp.let_people_spend(
        transactions=options.transactions,
        bills=options.bills,
        reimbursements=options.reimbursements,
        seed=options.seed,
        statements=True,
    )  # coded with what was sent
    return runs, sent, orders


def synchronize_books(env, connection, options):
    """Book what arrived, and enter payments. Return (runs, runs that saw it again, seconds of the first)."""
    print_progress(
        f'synchronizing {options.transactions} card transactions, {options.bills} bills, '
        f'{options.reimbursements} reimbursements'
    )
    started = time.monotonic()
    runs = run_flow_jobs(env, connection)
    seconds = time.monotonic() - started
    if entered := enter_manual_payments(env, connection):
        print_progress(
            f'{entered} {"bill that is" if entered == 1 else "bills that are"} marked as paid in the accounting '
            'system: '
            f'{"its payment is" if entered == 1 else "their payments are"} entered'
        )
    # Run again, as the scheduler would. A card charge that pays a bill is booked anew, and Ramp gets the change.
    once_more = run_flow_jobs(env, connection, sends=False)
    runs += run_flow_jobs(
        env, connection, sends=True
    )  # vendors from Ramp are suppliers now, and sent to Ramp as coding values
    return runs, once_more, seconds


def synchronize_without_changes(env, connection, ramp):
    """Synchronize again without changes. Return (runs, write calls to Ramp, whether something changed)."""
    print_progress('synchronizing again: nothing may change, and nothing may be written to Ramp')
    before = (
        ramp.fetch_summary()['write_calls'],
        count_row_states(env, connection),
        read_card_liability(env, connection),
    )
    runs = run_flow_jobs(env, connection)
    after = (
        ramp.fetch_summary()['write_calls'],
        count_row_states(env, connection),
        read_card_liability(env, connection),
    )
    return runs, after[0] - before[0], before[1:] != after[1:]


def run_whole_demo(ramp, options):
    """Synchronize twice. Return the figures, with the reasons of a failure (an empty list on success)."""
    with open_environment(options.database) as env:
        connection = connect_demo_company(env, ramp, options.seed)
        runs, sent, orders = order_and_spend_money(env, connection, ramp, options)
        arrived, once_more, seconds = synchronize_books(env, connection, options)
        runs += arrived
        flows = [
            row
            for row in build_flow_table(runs, count_row_states(env, connection), once_more)
            if row['flow'] not in SENT
        ]
        others = {flow._flow for flow in connection._flow_models() if flow._sends}
        bought = procurement.compare_orders_with_ramp(env, connection, ramp, orders)
        ties, owed = build_tie_out_table(env, connection, ramp), build_payables_table(env, connection, ramp)
        proof, odd, rates = build_owed_tables(env, connection)
        again, write_calls, has_changed = synchronize_without_changes(env, connection, ramp)
        result = {
            'sent': sent,
            'followed': [row for row in flows if row['flow'] in others],
            'coded': build_coding_table(ramp),
            'orders': bought,
            'flows': [row for row in flows if row['flow'] not in others],
            'tie_out': ties,
            'payables': owed,
            'owed_to_ramp': proof,
            'rates': rates,
            'seconds': round(seconds, 1),
            'second_run': {'write_calls': write_calls, 'changed': has_changed},
        }
        summary = ramp.fetch_summary()
        reasons = [
            *list_failed_runs([*runs, *once_more, *again]),
            *list_unfinished_rows(sent, flows),
            *list_book_differences(result, odd),
            *list_ramp_complaints(result, summary),
        ]
        return {**result, 'contract_checked': summary['contract'], 'ok': not reasons, 'problems': reasons}


# -- an Odoo to look at


def let_ramp_send_events(database, address):
    """Switch on webhooks from Ramp to this Odoo. Return our id of an account to code with."""
    with open_environment(database) as env:
        env['ir.config_parameter'].set_param('web.base.url', address)
        env['ir.config_parameter'].set_param('web.base.url.freeze', 'True')
        connection = env['ramp.connection'].search([], limit=1)
        connection.use_webhooks = True
        [account] = env['account.account'].search(
            [('account_type', '=', 'expense'), ('company_ids', 'in', connection.company_id.ids)], limit=1
        )
        env.cr.commit()
        return env['ramp.coding']._get_external_id(account)


def serve_demo_odoo(runtime, ramp, port, database):
    """Run Odoo with its jobs until Ctrl-C, and print how to look at it. Raise `ToolError` if it does not start."""
    command = runtime.build_odoo_command(
        '-d', database, '--http-port', port, '--max-cron-threads', 1, '--log-level', 'warn'
    )
    with run_in_background(
        command, name='Odoo', log=get_cache_dir() / 'demo-odoo.log', env=runtime.build_environ()
    ) as process:
        address = f'http://127.0.0.1:{port}'

        def is_odoo_answering():
            try:
                return urllib.request.urlopen(f'{address}/web/login', timeout=5).status == 200
            except (urllib.error.URLError, OSError):
                return False

        wait_for_condition(is_odoo_answering, what='Odoo did not start', seconds=120, process=process)
        code = let_ramp_send_events(database, address)  # a running server is notified of jobs and runs them at once
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


def read_demo_options():
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


def main():
    options = read_demo_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that started processes are stopped too
    port = None if options.no_serve else find_free_port(options.port)
    runtime = OdooRuntime().prepare_machine()
    os.environ.update(runtime.build_environ())
    runtime.ensure_database(options.database, fresh=True)
    with tempfile.TemporaryFile('w+') as log, run_simulator(log=log) as ramp:
        result = run_whole_demo(ramp, options)
        if options.json:
            print_json_result(result)
        else:
            print_demo_result(result)
        for reason in result['problems']:
            print(f'dev: {reason}', file=sys.stderr)
        if not options.no_serve:
            serve_demo_odoo(runtime, ramp, port, options.database)
    return 0 if result['ok'] else 1


if __name__ == '__main__':
    run_script(main)
