"""Measure purchase orders and goods receipts, in a process and a database of its own; called by `bench.py`.

    --side without   Odoo without the addon
    --side off       with the addon, nothing connected
    --side on        connected; also measures how fast orders and receipts are pushed

Orders and receipts are made before the clock starts. The measurement covers each press of the button, with its commit.
"""

import argparse
import json
import statistics
from pathlib import Path

from bench_coding import Watch, push_flow
from odoo_env import connect_empty_company, open_environment, run_simulator

LINES = 5  # lines per order
WARM = 3  # of each kind, first and not counted: they fill the caches, as on a running server
IMPORTED = 200  # orders with lines that are created at once, as by an import


def prepare_company(env):
    vendor = env['res.partner'].create(
        {
            'name': 'Bench Supplier',
            'is_company': True,
            'email': 'sales@bench.example',
            'country_id': env.ref('base.us').id,
            'state_id': env.ref('base.state_us_5').id,
            'supplier_rank': 1,
        }
    )
    products = env['product.product'].create(
        [{'name': f'Bench Part {number}', 'type': 'consu', 'is_storable': True} for number in range(LINES)]
    )
    env.cr.commit()
    return vendor, products


def make_orders(env, vendor, products, count):
    made = env['purchase.order'].create(
        [
            {
                'partner_id': vendor.id,
                'company_id': env.company.id,
                'order_line': [
                    (0, 0, {'product_id': product.id, 'product_qty': 4, 'price_unit': 10.5, 'tax_ids': [(5,)]})
                    for product in products
                ],
            }
            for _number in range(count)
        ]
    )
    env.cr.commit()
    return made


def time_work(env, watch, records, work):
    """Return the median costs of `work` over the records, each committed."""
    found = []
    for record in records:
        env.invalidate_all()
        with watch.span() as figures:
            work(record)
            env.flush_all()
            env.cr.commit()
        found.append(figures)
    return {key: statistics.median(figures[key] for figures in found[WARM:]) for key in found[0]}


def validate_receipt(picking):
    done = picking.button_validate()
    if done is not True and picking.state != 'done':
        raise SystemExit(f'orders: the receipt {picking.name} asks for something: {done}')


def measure_push(env, connection, watch, flow):
    """Push a flow until nothing is left. Return its figures, and those of a further run without work."""
    return {'push': push_flow(env, connection, watch, flow), 'idle': push_flow(env, connection, watch, flow)}


def measure_orders(env, watch, connection, count):
    vendor, products = prepare_company(env)
    bought = make_orders(env, vendor, products, count + WARM)
    found = {'confirm': time_work(env, watch, bought, lambda order: order.button_confirm())}
    pickings = bought.picking_ids
    for move in pickings.move_ids:
        move.quantity = move.product_uom_qty
        move.picked = True
    env.cr.commit()
    if connection:
        # Orders wait for their vendors, so vendors come first.
        push_flow(env, connection, watch, 'purchase_order')
        push_flow(env, connection, watch, 'spend_vendor')
        found['orders'] = measure_push(env, connection, watch, 'purchase_order')
    found['validate'] = time_work(env, watch, pickings, validate_receipt)
    if connection:
        found['receipts'] = measure_push(env, connection, watch, 'item_receipt')
    env.invalidate_all()
    with watch.span() as found['import']:
        env['purchase.order'].create(
            [
                {
                    'partner_id': vendor.id,
                    'company_id': env.company.id,
                    'order_line': [
                        (0, 0, {'product_id': product.id, 'product_qty': 4, 'price_unit': 10.5, 'tax_ids': [(5,)]})
                        for product in products
                    ],
                }
                for _number in range(IMPORTED)
            ]
        )
        env.flush_all()
    env.cr.rollback()
    return {**found, 'count': count, 'lines': LINES, 'imported': IMPORTED * LINES}


def read_options():
    parser = argparse.ArgumentParser()
    parser.add_argument('--database', required=True)
    parser.add_argument('--side', choices=('without', 'off', 'on'), required=True)
    parser.add_argument('--orders', type=int, required=True)
    parser.add_argument('--output', required=True)
    return parser.parse_args()


def main():
    options = read_options()
    import odoo.addons.base.models.ir_cron as ir_cron

    ir_cron.MIN_TIME_PER_JOB = 3600  # no time slices: they are not part of this measurement
    with open_environment(options.database) as env:
        env = env(context={**env.context, 'lang': 'en_US'})
        watch = Watch(ramp=options.side == 'on')
        if options.side == 'on':
            with run_simulator('--no-validate', '--rate-limit', 0) as ramp:
                connection = connect_empty_company(env, ramp, pull_bills=True, push_orders=True, push_receipts=True)
                figures = measure_orders(env, watch, connection, options.orders)
                problems = ramp.fetch_summary()['errors']
                if problems:
                    raise SystemExit(f'the simulator failed: {problems[0]}')
        else:
            figures = measure_orders(env, watch, None, options.orders)
    Path(options.output).write_text(json.dumps(figures), encoding='utf-8')


if __name__ == '__main__':
    main()
