"""Measure one side of the benchmark of bills and their payments; called by `bench.py`.

Each side has its own process and database. It begins with the same company, chart, vendors and simulated Ramp, and
books the same bills with the same lines. Each bill is paid by its own transfer:

    ours    bills read from Ramp, recorded in the ledger, posted and confirmed; payments posted, reconciled and
            confirmed. The two jobs run in turns, as the scheduler calls them
    bare    bills and payments created and posted in batches of 100, reconciled pair by pair, committed. The values are
            read and decided before the clock starts. There is no Ramp and no ledger
    wizard  Odoo's own way: bills created and posted in batches of 100, and the wizard "Register Payment" for each
    one     the same, with each bill created and posted by itself, as a person does it

One bill of six is in another currency. Half of these are paid in the company's currency. Odoo's rates are those of Ramp
and give whole cents, so no side has exchange differences to book.
"""

import math
import random
import sys
from datetime import date, timedelta

import bench_transactions
from bench_side import measure_one_side, run_jobs_in_turns, split_into_batches
from odoo_env import connect_seeded_company

TABLES = (*bench_transactions.TABLES, 'account_partial_reconcile', 'account_full_reconcile', 'res_partner')
RATES = {'EUR': '1.25', 'JPY': '0.008'}  # units of the company's currency for one unit
VENDORS = 40
MONTHS = 6
STEP = 20  # amounts are multiples of this many minor units: whole cents in the company's currency at any rate
TYPICAL = {'JPY': 30000}


# ------------------------------------------------------------------------------------------ the data


def prepare_bench_company(env, ramp, size, seed):
    """Connect the company to a Ramp with exactly `size` paid bills to book. Return the connection."""
    connection = connect_seeded_company(env, ramp, transactions=0, seed=seed)
    for code, rate in RATES.items():
        env['res.currency.rate'].search([('currency_id.name', '=', code), ('company_id', '=', env.company.id)]).rate = (
            1 / float(rate)
        )
    # Without an account for outstanding payments, Odoo makes no entry of a payment.
    method = connection.payment_journal_id.outbound_payment_method_line_ids[:1]
    method.payment_account_id = method.payment_account_id or env['account.payment'].new(
        {'company_id': env.company.id}
    )._get_outstanding_account('outbound')
    env.cr.commit()
    add_paid_bills(ramp, size, seed)
    # A company meets each vendor once, so every side makes the partners before the clock starts.
    payloads = list_ready_bills(connection)
    if len(payloads) != size:
        raise SystemExit(f'the simulator has {len(payloads)} bills that are ready, instead of {size}')
    vendors = {payload['vendor']['id'] for payload in payloads}
    _get_run_flow(env, connection, 'vendor')._ensure_vendors_booked(
        connection, connection._new_client(deadline=math.inf), vendors
    )
    env['ramp.connection']._database_identity()
    env.cr.commit()
    return connection


def add_paid_bills(ramp, size, seed):
    """Add bills of some months, oldest first, each paid in full by its own transfer."""
    chance = random.Random(f'bills {seed}')
    chart = ramp.call_admin('GET', '/coding')
    accounts = [account['id'] for account in chart['accounts']]
    fields = {
        field['id']: [option['id'] for option in chart['options'] if option['field_id'] == field['ramp_id']]
        for field in chart['fields']
    }
    entity = ramp.call_admin('GET', '/objects/entities')['data'][0]['id']
    vendors = [
        ramp.call_admin('POST', '/vendors', {'name': f'Bench Vendor {number}'})['id'] for number in range(VENDORS)
    ]
    days = sorted(chance.randrange(10, MONTHS * 30) for _number in range(size))[::-1]

    def draw_bill_line(amount):
        coded = chance.random() < 0.7
        return {
            'amount_minor': amount,
            'account': chance.choice(accounts),
            'memo': 'Monthly service' if chance.random() < 0.4 else None,
            'analytics': {field: chance.choice(options) for field, options in fields.items()} if coded else None,
        }

    for day in days:
        currency = chance.choice(list(RATES)) if chance.random() < 1 / 6 else 'USD'
        count = 1 if chance.random() < 0.5 else chance.randint(2, 6)
        total = TYPICAL.get(currency, 25000) * chance.lognormvariate(0, 1)
        issued = date.today() - timedelta(days=day)
        bill = ramp.call_admin(
            'POST',
            '/bills',
            {
                'vendor': chance.choice(vendors),
                'entity': entity,
                'currency': currency,
                'date': str(issued),
                'due': str(issued + timedelta(days=30)),
                'fx_conversion_rate': RATES.get(currency, '1.0'),
                'lines': [draw_bill_line(STEP * max(1, round(total / count / STEP))) for _number in range(count)],
            },
        )
        ramp.call_admin(
            'POST',
            f'/bills/{bill["id"]}/payments',
            {
                'date': str(issued + timedelta(days=chance.randrange(8))),
                'in_payer_currency': currency != 'USD' and chance.random() < 0.5,
            },
        )


def list_ready_bills(connection):
    return [
        payload
        for page in connection._new_client(deadline=math.inf).list_pages('/bills', {'sync_ready': 'true'})
        for payload in page.rows
    ]


def _get_run_flow(env, connection, name):
    from odoo.addons.ramp_connector.models.run_memory import RunMemory

    return (
        env[f'ramp.flow.{name}']
        .with_company(connection.company_id)
        .with_context(ramp_memory=RunMemory(), tz=connection._time_zone())
    )


def decide_booking_rows(env, connection, ramp):
    """Return what the baselines book, as plain values.

    The payloads and the rules of coding and conversion are the same.
    """
    flow = _get_run_flow(env, connection, 'bill')
    payer = flow.env['ramp.flow.bill_payment']
    flow._fetch_ramp_entities(connection._new_client(deadline=math.inf))
    values = [(flow._read_payload(payload), payer._read_payload(payload)) for payload in list_ready_bills(connection)]
    found = flow._look_up_references(connection, [value for value, _paid in values])
    rows = []
    for value, paid in values:
        document, _files = flow._plan_object(connection, value, found)
        bill = {
            **flow._prepare_document_values(connection, document, document.rate and 1 / document.rate),
            'invoice_line_ids': [
                (0, 0, flow._prepare_document_line(connection, document, line)) for line in document.lines
            ],
        }
        del bill['ramp_id']
        amount = paid.payment.amount
        rows.append(
            {
                'bill': bill,
                'partner': document.partner.id,
                'memo': document.reference,
                'date': payer._get_payment_day(connection, paid),
                'amount': float(amount.decimal_amount),
                'settled': amount.currency != value.amount.currency,
                'currency': env['ramp.coding']._get_currency(amount.currency).id,
            }
        )
    return rows


# ------------------------------------------------------------------------------------------ the sides


def run_our_side(env, connection, meter, size):
    run_jobs_in_turns(env, connection, meter, size, ['bill', 'bill_payment'])


def run_bare_side(env, connection, meter, rows):
    method = connection.payment_journal_id.outbound_payment_method_line_ids[:1]
    for batch in split_into_batches(rows):
        bills = env['account.move'].create([row['bill'] for row in batch])
        bills._post()
        payments = env['account.payment'].create(
            [
                {
                    'payment_type': 'outbound',
                    'partner_type': 'supplier',
                    'partner_id': row['partner'],
                    'journal_id': connection.payment_journal_id.id,
                    'payment_method_line_id': method.id,
                    'amount': row['amount'],
                    'currency_id': row['currency'],
                    'date': row['date'],
                    'memo': row['memo'],
                }
                for row in batch
            ]
        )
        payments.action_post()
        for bill, payment in zip(bills, payments, strict=True):
            (bill.line_ids + payment.move_id.line_ids).filtered(
                lambda line: line.account_type == 'liability_payable'
            ).reconcile()
        env.cr.commit()
        meter.count_done_objects(len(batch))


def register_bill_payment(env, connection, bill, row):
    """Register a payment as a person does with the button Pay. In another currency, enter the amount the bank shows."""
    env['account.payment.register'].with_context(active_model='account.move', active_ids=bill.ids).create(
        {
            'journal_id': connection.payment_journal_id.id,
            'payment_date': row['date'],
            **({'currency_id': row['currency'], 'amount': row['amount']} if row['settled'] else {}),
        }
    ).action_create_payments()


def run_wizard_side(env, connection, meter, rows):
    for batch in split_into_batches(rows):
        bills = env['account.move'].create([row['bill'] for row in batch])
        bills.action_post()
        for bill, row in zip(bills, batch, strict=True):
            register_bill_payment(env, connection, bill, row)
        env.cr.commit()
        meter.count_done_objects(len(batch))


def run_single_side(env, connection, meter, rows):
    for batch in split_into_batches(rows):
        for row in batch:
            bill = env['account.move'].create(row['bill'])
            bill.action_post()
            register_bill_payment(env, connection, bill, row)
            env.cr.commit()
        meter.count_done_objects(len(batch))


SIDES = {'bare': run_bare_side, 'wizard': run_wizard_side, 'one': run_single_side}


# ------------------------------------------------------------------------------------------ the check of the work


def check_side_books(env, connection, side, size):
    """Check that every bill is posted and fully paid, by an entry of a payment, to the cent.

    A benchmark that skips its work is fast.
    """
    env.invalidate_all()
    bills = env['account.move'].search([('move_type', '=', 'in_invoice'), ('state', '=', 'posted')])
    payments = env['account.payment'].search([('state', 'in', ('in_process', 'paid'))])
    lines = payments.move_id.line_ids.filtered(lambda line: line.account_id == payments.outstanding_account_id)
    entries = env['account.move'].search_count([('state', '=', 'posted'), ('move_type', '=', 'entry')])
    found = {
        'bills': len(bills),
        'payments': len(payments),
        'entries': entries,
        'paid': len(
            bills.filtered(lambda bill: not bill.amount_residual and bill.payment_state in ('in_payment', 'paid'))
        ),
        'payments with an entry': len(payments.move_id.filtered(lambda move: move.state == 'posted')),
        'cents': round(100 * sum(bills.mapped('amount_total_signed'))),
        'analytic': bool(env['account.analytic.line'].search_count([])),
    }
    wanted = {**dict.fromkeys(found, size), 'cents': round(100 * sum(lines.mapped('balance'))), 'analytic': True}
    if found != wanted:
        raise SystemExit(f'{side}: {found} instead of {wanted}')


if __name__ == '__main__':
    measure_one_side(sys.modules[__name__])
