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

from bench_coding import CostWatch, push_flow_until_idle
from odoo_env import connect_empty_company, open_environment, run_simulator

LINES = 5  # lines per order
WARM = 3  # of each kind, first and not counted: they fill the caches, as on a running server
IMPORTED = 200  # orders with lines that are created at once, as by an import


def create_order_master_data(env):
    """Create the vendor and the products of the orders. Return both."""
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


def create_draft_orders(env, vendor, products, count):
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


def measure_record_work(env, watch, records, work):
    """Return the median costs of `work` over the records, each committed."""
    found = []
    for record in records:
        env.invalidate_all()
        with watch.measure_span() as figures:
            work(record)
            env.flush_all()
            env.cr.commit()
        found.append(figures)
    return {key: statistics.median(figures[key] for figures in found[WARM:]) for key in found[0]}


def validate_goods_receipt(picking):
    """Press the button of a receipt. Stop the script if Odoo asks for something."""
    done = picking.button_validate()
    if done is not True and picking.state != 'done':
        raise SystemExit(f'orders: the receipt {picking.name} asks for something: {done}')


def measure_push_and_idle(env, connection, watch, flow):
    """Push a flow until nothing is left. Return its figures, and those of a further run without work."""
    return {
        'push': push_flow_until_idle(env, connection, watch, flow),
        'idle': push_flow_until_idle(env, connection, watch, flow),
    }


def measure_one_order_side(env, watch, connection, count):
    """Return the figures of one side. `connection`: None if nothing is connected."""
    vendor, products = create_order_master_data(env)
    bought = create_draft_orders(env, vendor, products, count + WARM)
    found = {'confirm': measure_record_work(env, watch, bought, lambda order: order.button_confirm())}
    pickings = bought.picking_ids
    for move in pickings.move_ids:
        move.quantity = move.product_uom_qty
        move.picked = True
    env.cr.commit()
    if connection:
        # Orders wait for their vendors, so vendors come first.
        push_flow_until_idle(env, connection, watch, 'purchase_order')
        push_flow_until_idle(env, connection, watch, 'spend_vendor')
        found['orders'] = measure_push_and_idle(env, connection, watch, 'purchase_order')
    found['validate'] = measure_record_work(env, watch, pickings, validate_goods_receipt)
    if connection:
        found['receipts'] = measure_push_and_idle(env, connection, watch, 'item_receipt')
    env.invalidate_all()
    with watch.measure_span() as found['import']:
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


def read_order_options():
    parser = argparse.ArgumentParser()
    parser.add_argument('--database', required=True)
    parser.add_argument('--side', choices=('without', 'off', 'on'), required=True)
    parser.add_argument('--orders', type=int, required=True)
    parser.add_argument('--output', required=True)
    return parser.parse_args()


def main():
    options = read_order_options()
    import odoo.addons.base.models.ir_cron as ir_cron

    ir_cron.MIN_TIME_PER_JOB = 3600  # no time slices: they are not part of this measurement
    with open_environment(options.database) as env:
        env = env(context={**env.context, 'lang': 'en_US'})
        watch = CostWatch(ramp=options.side == 'on')
        if options.side == 'on':
            with run_simulator('--no-validate', '--rate-limit', 0) as ramp:
                connection = connect_empty_company(env, ramp, pull_bills=True, push_orders=True, push_receipts=True)
                figures = measure_one_order_side(env, watch, connection, options.orders)
                problems = ramp.fetch_summary()['errors']
                if problems:
                    raise SystemExit(f'the simulator failed: {problems[0]}')
        else:
            figures = measure_one_order_side(env, watch, None, options.orders)
    Path(options.output).write_text(json.dumps(figures), encoding='utf-8')


if __name__ == '__main__':
    main()
