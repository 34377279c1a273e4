"""Measure one side of the benchmark of card transactions; called by `bench.py`.

Each side has its own process and database. It begins with the same company, chart, cardholders and simulated Ramp, and
books the same transactions:

    ours   fetched from Ramp, recorded in the ledger, expense created, entry posted, confirmed to Ramp: the job as the
           scheduler calls it
    bare   `hr.expense` and its entry created and posted in batches of 100, committed. The values are read and decided
           before the clock starts. There is no Ramp and no ledger
    quiet  the same without change tracking and its mail messages, as ours has it
    core   Odoo's own way for company-paid expenses: created, submitted, approved and posted, in batches of 100
"""

import math
import sys

from bench_side import measure_one_side, run_jobs_in_turns, split_into_batches
from odoo_env import connect_seeded_company

# The tables that booking writes to. Statistics of other tables do not change meanwhile.
TABLES = (
    'ramp_record',
    'hr_expense',
    'account_move',
    'account_move_line',
    'account_payment',
    'account_analytic_line',
    'mail_message',
    'mail_followers',
    'mail_tracking_value',
    'mail_activity',
)


# ------------------------------------------------------------------------------------------ the data


def prepare_bench_company(env, ramp, size, seed):
    """Connect the company to a Ramp with exactly `size` transactions to book. Return the connection."""
    from odoo.addons.ramp_connector.models.run_memory import RunMemory

    connection = connect_seeded_company(env, ramp, transactions=round(size * 1.15) + 50, months=6, seed=seed)
    ready = list_ready_transactions(ramp)
    for payload in ready[size:]:
        ramp.call_admin('PATCH', f'/transactions/{payload["id"]}', {'sync_status': 'NOT_SYNC_READY'})
    if len(ready) < size:
        raise SystemExit(f'the simulator has only {len(ready)} transactions that are ready')
    # A company meets each cardholder once, so every side links them before the clock starts.
    flow = env['ramp.flow.transaction'].with_context(ramp_memory=RunMemory())
    users = flow._fetch_ramp_users(connection._new_client(deadline=math.inf))
    env['hr.employee']._ramp_link(connection, users, {user.id for user in users})
    env['ramp.connection']._database_identity()
    env.cr.commit()
    return connection


def list_ready_transactions(ramp):
    """Return the transactions that Ramp offers, in its own order."""
    found = [
        {key: value for key, value in row.items() if key[0] != '_'}
        for row in ramp.call_admin('GET', '/transactions?sync_status=SYNC_READY')['data']
    ]
    return sorted(found, key=lambda row: row['user_transaction_time'])


def decide_booking_rows(env, connection, ramp):
    """Return what the baselines book, as plain values.

    The payloads and the rules of coding and conversion are the same.
    """
    from odoo.addons.ramp_connector.models.run_memory import RunMemory

    flow = env['ramp.flow.transaction'].with_context(ramp_memory=RunMemory(), tz=connection._time_zone())
    values = [flow._read_payload(payload) for payload in list_ready_transactions(ramp)]
    found = flow._look_up_references(connection, values)
    company_scale = 10**connection.company_id.currency_id.decimal_places
    rows = []
    for value in values:
        plan = flow._plan_object(connection, value, found)
        scale = 10**plan.currency.decimal_places
        rows.append(
            {
                'name': plan.label,
                'date': plan.date,
                'entry_date': plan.entry_date,
                'currency': plan.currency.id,
                'employee': plan.employee.id,
                'partner': plan.partner.id,
                'memo': value.memo,
                'amount': float(value.amount.decimal_amount),
                'balance': plan.balance / company_scale,
                'lines': [
                    {
                        'account': line.coding.account.id,
                        'distribution': line.coding.distribution,
                        'amount': line.amount / scale,
                        'balance': line.balance / company_scale,
                        'name': line.name,
                    }
                    for line in plan.lines
                ],
            }
        )
    return rows


# ------------------------------------------------------------------------------------------ the sides


def run_our_side(env, connection, meter, size):
    run_jobs_in_turns(env, connection, meter, size, ['transaction'])


def run_bare_side(env, connection, meter, rows):
    for batch in split_into_batches(rows):
        expenses = env['hr.expense'].create(
            [{**prepare_expense_values(connection, row), 'approval_state': 'approved'} for row in batch]
        )
        moves = env['account.move'].create(
            [prepare_entry_values(connection, expense, row) for expense, row in zip(expenses, batch, strict=True)]
        )
        moves._post()
        env.cr.commit()
        meter.count_done_objects(len(batch))


def prepare_expense_values(connection, row):
    """Return the values of an expense for `bare` and `core`. A split goes to its first account."""
    return {
        'name': row['name'],
        'employee_id': row['employee'],
        'company_id': connection.company_id.id,
        'product_id': connection.expense_product_id.id,
        'payment_mode': 'company_account',
        'date': row['date'],
        'currency_id': row['currency'],
        'total_amount_currency': row['amount'],
        'total_amount': row['balance'],
        'tax_ids': [(5,)],
        'account_id': row['lines'][0]['account'],
        'analytic_distribution': row['lines'][0]['distribution'],
        'vendor_id': row['partner'],
        'description': row['memo'],
    }


def prepare_entry_values(connection, expense, row):
    """Return the entry of an expense: its lines, and the card liability."""
    shared = {'partner_id': row['partner'], 'currency_id': row['currency']}
    return {
        'move_type': 'entry',
        'journal_id': connection.card_journal_id.id,
        'date': row['entry_date'],
        'ref': row['name'],
        **shared,
        'expense_ids': [(6, 0, expense.ids)],
        'line_ids': [
            *(
                (
                    0,
                    0,
                    {
                        'name': line['name'],
                        'account_id': line['account'],
                        **shared,
                        'amount_currency': line['amount'],
                        'balance': line['balance'],
                        'analytic_distribution': line['distribution'],
                    },
                )
                for line in row['lines']
            ),
            (
                0,
                0,
                {
                    'name': row['name'],
                    'account_id': connection.card_account_id.id,
                    **shared,
                    'amount_currency': -row['amount'],
                    'balance': -row['balance'],
                },
            ),
        ],
    }


def run_core_side(env, connection, meter, rows):
    """Book as core does. It has one account per expense and no refunds.

    So splits go to their first account, and refunds are booked as spend.
    """
    method = connection.card_journal_id.outbound_payment_method_line_ids[:1]
    for batch in split_into_batches(rows):
        expenses = env['hr.expense'].create(
            [
                {
                    **prepare_expense_values(connection, row),
                    'payment_method_line_id': method.id,
                    'total_amount_currency': abs(row['amount']),
                    'total_amount': abs(row['balance']),
                }
                for row in batch
            ]
        )
        expenses.action_submit()
        waiting = expenses.filtered(lambda expense: expense.approval_state == 'submitted')
        if waiting and waiting.action_approve():  # it asks about suspected duplicates; confirm
            waiting._do_approve(False)
        expenses.action_post()
        env.cr.commit()
        meter.count_done_objects(len(batch))


SIDES = {'bare': run_bare_side, 'quiet': run_bare_side, 'core': run_core_side}


# ------------------------------------------------------------------------------------------ the check of the work


def check_side_books(env, connection, side, size):
    """Check the number of posted entries and of expenses in their final state.

    A benchmark that skips its work is fast.
    """
    env.invalidate_all()
    entries = env['account.move'].search_count(
        [('journal_id', '=', connection.card_journal_id.id), ('state', '=', 'posted'), ('expense_ids', '!=', False)]
    )
    paid = env['hr.expense'].search_count([('state', '=', 'paid'), ('account_move_id', '!=', False)])
    if entries != size or paid != size:
        raise SystemExit(f'{side}: {entries} posted entries and {paid} paid expenses instead of {size}')


if __name__ == '__main__':
    measure_one_side(sys.modules[__name__])
