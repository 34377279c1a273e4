"""Measure how long the tie-out, and the entries behind a figure, take to open over a large ledger; run by `bench.py`.

The measurement has its own database. SQL generates the ledger from one entry that Odoo itself has made: months of card
transactions with their entries and ledger rows, and for each month a statement with its bill and a transfer with its
payment.
"""

import argparse
import json
import statistics
import time
import uuid
from datetime import date
from functools import partial
from pathlib import Path

from dateutil.relativedelta import relativedelta
from odoo_env import activate_business_currencies, open_environment

MEASURES = ('spend', 'refund', 'cashback', 'payment')
PAYLOAD = 2000  # bytes of a transaction's payload, about as much as Ramp sends
DRILLED = 80  # rows that a list shows at once


def list_copied_columns(env, table, overrides):
    """Return SQL (columns, expressions) that copies rows of a table, with other expressions for some columns."""
    env.cr.execute(
        'SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = %s',
        [table],
    )
    names = [row[0] for row in env.cr.fetchall()]
    return ', '.join(f'"{name}"' for name in names), ', '.join(overrides.get(name, f't."{name}"') for name in names)


def build_large_ledger(env, transactions, months):
    """Build a ledger with this many transactions over this many months, up to the current one. Return its connection.

    There are two entities, with USD and EUR.
    """
    activate_business_currencies(env)
    connection = env['ramp.connection'].create(
        {'name': 'Ramp', 'environment': 'custom', 'api_url': 'http://127.0.0.1:9'}
    )
    connection._complete_set_up()
    first = date.today().replace(day=1) - relativedelta(months=months - 1)
    connection.write({'state': 'connected', 'start_date': first})
    entities = {'USD': '00000000-0000-4000-8000-000000000001', 'EUR': '00000000-0000-4000-8000-000000000002'}
    account = env['account.account'].search([('account_type', '=', 'expense')], limit=1)
    for number, (code, entity) in enumerate(entities.items()):
        currency = env.ref(f'base.{code}')
        share = transactions * (9 if not number else 1) // 10
        add_card_spend(env, connection, account, currency, entity, share, months, first)
        add_monthly_statements(env, connection, currency, entity, months, first)
    env.cr.commit()
    env.cr.execute('ANALYZE')
    env.cr.commit()
    return connection


def add_card_spend(env, connection, account, currency, entity, count, months, first):
    """Add card transactions of 10.00 to 109.99, spread evenly over the days of all months. One of fifty is a refund."""
    move = env['account.move'].create(
        {
            'move_type': 'entry',
            'journal_id': connection.card_journal_id.id,
            'date': first,
            'currency_id': currency.id,
            'line_ids': [
                (0, 0, {'account_id': account.id, 'currency_id': currency.id, 'amount_currency': 1.0, 'balance': 1.0}),
                (
                    0,
                    0,
                    {
                        'account_id': connection.card_account_id.id,
                        'currency_id': currency.id,
                        'amount_currency': -1.0,
                        'balance': -1.0,
                    },
                ),
            ],
        }
    )
    move.action_post()
    env.flush_all()
    env.cr.execute(
        """
        CREATE TEMPORARY TABLE made ON COMMIT DROP AS
        SELECT nextval('account_move_id_seq') AS move_id, nextval('ramp_record_id_seq') AS record_id, gen_random_uuid()::text AS ramp_id,
               (CASE WHEN n %% 50 = 0 THEN -1 ELSE 1 END * (1000 + (n * 7919::bigint) %% 10000) / 100.0)::numeric(16, 2) AS amount,
               %s::date + ((n * 30::bigint * %s / %s)::int) AS date, n
          FROM generate_series(1, %s) n
        """,
        [first, months, count + 1, count],
    )
    names, values = list_copied_columns(
        env,
        'account_move',
        {
            'id': 'made.move_id',
            'date': 'made.date',
            'ramp_id': 'made.ramp_id',
            'amount_total': 'abs(made.amount)',
            'name': f"'BENCH/{currency.name}/' || made.n",
            'sequence_number': 'made.n',
            'sequence_prefix': f"'BENCH/{currency.name}/'",
            'access_token': 'NULL',
            'secure_sequence_number': 'NULL',
        },
    )
    env.cr.execute(
        f'INSERT INTO account_move ({names}) SELECT {values} FROM account_move t, made WHERE t.id = %s', [move.id]
    )
    names, values = list_copied_columns(
        env,
        'account_move_line',
        {
            'id': "nextval('account_move_line_id_seq')",
            'move_id': 'made.move_id',
            'date': 'made.date',
            'amount_currency': 't.amount_currency * made.amount',
            'balance': 't.balance * made.amount',
            'debit': 'greatest(t.balance * made.amount, 0)',
            'credit': 'greatest(-t.balance * made.amount, 0)',
            'move_name': f"'BENCH/{currency.name}/' || made.n",
        },
    )
    env.cr.execute(
        f'INSERT INTO account_move_line ({names}) SELECT {values} FROM account_move_line t, made WHERE t.move_id = %s',
        [move.id],
    )
    env.cr.execute(
        """
        INSERT INTO ramp_record (id, connection_id, company_id, flow, ramp_id, name, date, amount, currency_id, ramp_entity_id, has_moved,
                                 state, res_model, res_id, payload, is_told, seen_at, confirmed_at)
        SELECT record_id, %s, %s, 'transaction', ramp_id, 'Merchant ' || n %% 500, date, amount, %s, %s, TRUE, 'confirmed', 'account.move',
               move_id, jsonb_build_object(
                   'id', ramp_id, 'memo', (SELECT string_agg(md5(n || '.' || i), '') FROM generate_series(1, %s) i)),
               TRUE, now(), now() FROM made
        """,
        [connection.id, connection.company_id.id, currency.id, entity, PAYLOAD // 32],
    )
    move.button_draft()
    move.unlink()
    env.cr.commit()


def add_monthly_statements(env, connection, currency, entity, months, first):
    """Add for each month a statement with a bill and its cashback, and a transfer with its payment."""
    Record = env['ramp.record']
    partner = connection.ramp_partner_id
    values = {
        'connection_id': connection.id,
        'company_id': connection.company_id.id,
        'currency_id': currency.id,
        'ramp_entity_id': entity,
        'state': 'confirmed',
        'is_told': True,
    }
    for number in range(months):
        month = first + relativedelta(months=number)
        last = month + relativedelta(months=1, days=-1)
        env.cr.execute(
            'SELECT COALESCE(sum(amount), 0), array_agg(ramp_id) FROM ramp_record WHERE connection_id = %s AND '
            'currency_id = %s'
            " AND flow = 'transaction' AND date BETWEEN %s AND %s",
            [connection.id, currency.id, month, last],
        )
        spent, lines = env.cr.fetchone()
        spent = float(spent)
        back = round(spent * 0.015, 2)
        name = f'{currency.name}-{number}'
        bill = env['account.move'].create(
            {
                'move_type': 'in_invoice',
                'partner_id': partner.id,
                'ramp_id': f'statement-{name}',
                'currency_id': currency.id,
                'date': last,
                'invoice_date': last,
                'ref': name,
                'journal_id': connection.bill_journal_id.id,
                'invoice_line_ids': [
                    (0, 0, {'name': text, 'account_id': account.id, 'price_unit': amount, 'tax_ids': [(5,)]})
                    for text, account, amount in (
                        ('Card spend', connection.card_account_id, spent),
                        ('Cashback', connection.cashback_account_id, -back),
                    )
                ],
            }
        )
        bill.action_post()
        payment = env['account.payment'].create(
            {
                'payment_type': 'outbound',
                'partner_type': 'supplier',
                'partner_id': partner.id,
                'amount': round(spent - back, 2),
                'currency_id': currency.id,
                'date': last,
                'journal_id': connection.payment_journal_id.id,
                'ramp_id': f'transfer-{name}',
            }
        )
        payment.action_post()
        (bill.line_ids + payment.move_id.line_ids).filtered(
            lambda line: line.account_type == 'liability_payable'
        ).reconcile()
        payload = make_statement_payload(currency, entity, month, last, spent, back, lines or [])
        Record.create(
            [
                {
                    **values,
                    'flow': 'statement',
                    'ramp_id': f'statement-{name}',
                    'date': last,
                    'amount': spent - back,
                    'res_model': bill._name,
                    'res_id': bill.id,
                    'noted': {'cashbacks': [f'cashback-{name}']},
                    'payload': payload,
                },
                {
                    **values,
                    'flow': 'cashback',
                    'ramp_id': f'cashback-{name}',
                    'date': last,
                    'amount': back,
                    'has_moved': True,
                    'res_model': bill._name,
                    'res_id': bill.id,
                    'payload': {},
                },
                {
                    **values,
                    'flow': 'transfer',
                    'ramp_id': f'transfer-{name}',
                    'date': last,
                    'amount': payment.amount,
                    'has_moved': True,
                    'res_model': payment._name,
                    'res_id': payment.id,
                    'payload': {},
                },
            ]
        )
    env.cr.commit()


def make_statement_payload(currency, entity, month, last, spent, back, lines):
    """Return a statement as the ledger stores it: paid in full, with all its lines."""

    def make_amount_value(amount):
        return {'amount': round(amount * 100), 'currency_code': currency.name, 'minor_unit_conversion_rate': 100}

    return {
        'id': str(uuid.uuid4()),
        'start_date': f'{month}T00:00:00+00:00',
        'end_date': f'{last}T23:59:59+00:00',
        'balance_sections': [
            {
                'id': str(uuid.uuid4()),
                'entity_id': entity,
                'opening_balance': make_amount_value(0),
                'charges': make_amount_value(spent),
                'credits': make_amount_value(back),
                'payments': make_amount_value(spent - back),
                'ending_balance': make_amount_value(0),
            }
        ],
        'statement_lines': [['CARD_TRANSACTION', identity] for identity in lines],
    }


def measure_cold_work(database, work):
    """Return (seconds, queries, result of `work(env)`), with empty caches."""
    with open_environment(database) as env:
        before, started = env.cr.sql_log_count, time.monotonic()
        result = work(env)
        env.flush_all()
        return time.monotonic() - started, env.cr.sql_log_count - before, result


def open_figure_items(env, connection, section, month, measure, side):
    """Open what is behind a figure as the client does: the action, then the first page of its list."""
    action = env['report.ramp_connector.tie_out'].open_items(
        connection, side, section['currency']['id'], month, measure, section['entity']
    )
    model = env[action['res_model']].with_context(**action['context'])
    views = dict(model.get_views([(False, 'list')])['views'])
    fields = {name: {} for name in ('date', 'display_name') if name in model._fields}
    answer = model.web_search_read(action['domain'], fields, limit=DRILLED, count_limit=10001)
    return bool(views) and answer['length']


def read_tie_out_options():
    parser = argparse.ArgumentParser()
    parser.add_argument('--database', required=True)
    parser.add_argument('--output', required=True)
    parser.add_argument('--transactions', type=int, required=True)
    parser.add_argument('--months', type=int, required=True)
    parser.add_argument('--rounds', type=int, default=5)
    return parser.parse_args()


def main():
    options = read_tie_out_options()
    with open_environment(options.database) as env:
        connection = build_large_ledger(env, options.transactions, options.months).id
    opened = [
        measure_cold_work(options.database, lambda env: env['report.ramp_connector.tie_out'].get_report(connection))
        for _ in range(options.rounds)
    ]
    report = opened[-1][2]
    assert report['is_zero'], 'the generated ledger does not tie out'
    drills = []
    for section in report['sections']:
        months = [month['month'] for month in section['months']]
        for month in (None, months[0], months[len(months) // 2], months[-1]):
            for measure in (None, *MEASURES):
                for side in ('odoo', 'ramp'):
                    seconds, queries, length = measure_cold_work(
                        options.database,
                        partial(
                            open_figure_items,
                            connection=connection,
                            section=section,
                            month=month,
                            measure=measure,
                            side=side,
                        ),
                    )
                    drills.append(
                        {
                            'seconds': seconds,
                            'queries': queries,
                            'length': length,
                            'side': side,
                            'measure': measure or 'all',
                            'month': month or 'all',
                        }
                    )
    slowest = max(drills, key=lambda item: item['seconds'])
    Path(options.output).write_text(
        json.dumps(
            {
                'transactions': options.transactions,
                'months': options.months,
                'sections': len(report['sections']),
                'seconds': statistics.median(item[0] for item in opened),
                'all_seconds': [round(item[0], 3) for item in opened],
                'queries': max(item[1] for item in opened),
                'cells': len(drills),
                'drill_seconds': slowest['seconds'],
                'drill_median': statistics.median(item['seconds'] for item in drills),
                'drill_queries': max(item['queries'] for item in drills),
                'slowest': slowest,
            }
        ),
        encoding='utf-8',
    )


if __name__ == '__main__':
    main()
