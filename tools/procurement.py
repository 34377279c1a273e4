"""Purchases of the demo company: suppliers, products, orders with changes, receipts, returns and cancellations.

The tables also show how much of it Ramp has.
"""

import random

from odoo_env import RATES, run_flow_jobs

SUPPLIERS = (  # name, country, state, currency
    ('Redwood Timber Co', 'us', 'base.state_us_5', 'USD'),
    ('Alpenholz GmbH', 'de', None, 'EUR'),
    ('Great Lakes Fasteners', 'us', 'base.state_us_22', 'USD'),
    ('Osaka Precision', 'jp', None, 'JPY'),
)
PRODUCTS = (  # name, unit, price in USD
    ('Oak Board', 'unit', 42.5),
    ('Steel Bolt M8', 'unit', 0.35),
    ('Varnish, 5 l', 'unit', 38.9),
    ('Hinge', 'unit', 4.25),
    ('Drawer Slide', 'unit', 11.6),
    ('Wood Glue', 'kgm', 9.8),
)
SERVICE = ('Delivery', 'unit', 75.0)
FATES = ('whole', 'part', 'returned', 'rest', 'amended', 'cancelled', 'again', 'open')


def create_purchase_catalogue(env):
    """Create the suppliers that Ramp gets, and their products. Return (partners with their currencies, products)."""
    Currency = env['res.currency'].with_context(active_test=False)
    partners = env['res.partner'].create(
        [
            {
                'name': name,
                'is_company': True,
                'email': f'orders@{name.split()[0].lower()}.example',
                'supplier_rank': 1,
                'country_id': env.ref(f'base.{country}').id,
                'state_id': state and env.ref(state).id,
            }
            for name, country, state, _code in SUPPLIERS
        ]
    )
    products = env['product.product'].create(
        [
            {
                'name': name,
                'uom_id': env.ref(f'uom.product_uom_{unit}').id,
                'standard_price': price,
                'purchase_method': 'receive',
                'type': 'service' if (name, unit, price) == SERVICE else 'consu',
                'is_storable': (name, unit, price) != SERVICE,
            }
            for name, unit, price in (*PRODUCTS, SERVICE)
        ]
    )
    return [
        (partner, Currency.search([('name', '=', code)])) for partner, (*_words, code) in zip(partners, SUPPLIERS)
    ], products


def buy_demo_orders(env, connection, count, seed):
    """Confirm this many orders, send them to Ramp, and let typical things happen to them. Return the orders."""
    source = random.Random(seed)
    suppliers, products = create_purchase_catalogue(env)
    expense = env['account.account'].search(
        [('account_type', '=', 'expense'), ('company_ids', 'in', env.company.ids)], order='code', limit=1
    )
    products.property_account_expense_id = expense
    analytics = env['account.analytic.account'].search([('company_id', 'in', (False, env.company.id))])
    orders = env['purchase.order'].create(
        [
            _draw_order_values(source, *suppliers[number % len(suppliers)], products, analytics)
            for number in range(count)
        ]
    )
    orders.button_confirm()
    env.cr.commit()
    run_flow_jobs(env, connection, sends=True)
    for number, order in enumerate(orders):
        _apply_order_fate(env, source, order, FATES[number % len(FATES)])
    env.cr.commit()
    return orders


def _draw_order_values(source, partner, currency, products, analytics):
    kilogram = products.env.ref('uom.product_uom_kgm')
    lines = [
        (
            0,
            0,
            {
                'product_id': product.id,
                'price_unit': currency.round(product.standard_price * RATES.get(currency.name, 1)),
                'product_qty': source.choice((0.5, 2.25, 12.5))
                if product.uom_id == kilogram
                else source.randint(2, 40),
                'discount': source.choice((0, 0, 0, 12.5)),
                'tax_ids': [(5,)],
                'analytic_distribution': {str(source.choice(analytics).id): 100}
                if analytics and source.random() < 0.5
                else False,
            },
        )
        for product in source.sample(list(products), source.randint(2, 5))
    ]
    notes = (
        [(0, 0, {'display_type': 'line_section', 'name': 'For the workshop', 'product_qty': 0})]
        if source.random() < 0.3
        else []
    )
    return {'partner_id': partner.id, 'currency_id': currency.id, 'order_line': notes + lines}


def _apply_order_fate(env, source, order, fate):
    """Let something typical happen to a confirmed order: one of `FATES`."""
    if fate in ('cancelled', 'again'):
        order.button_cancel()
        if fate == 'again':
            order.button_draft()
            order.button_confirm()
    elif fate == 'amended':
        lines = order.order_line.filtered('product_id')
        lines[0].product_qty += 3
        lines[-1].product_qty = 0
        order.write(
            {
                'order_line': [
                    (
                        0,
                        0,
                        {
                            'product_id': lines[-1].product_id.id,
                            'product_qty': 1,
                            'price_unit': lines[-1].price_unit,
                            'tax_ids': [(5,)],
                        },
                    )
                ]
            }
        )
    elif fate != 'open' and order.picking_ids:
        picking = receive_order_share(order, 1 if fate == 'whole' else 0.5)
        if fate == 'returned':
            _return_received_units(env, picking)
        if fate == 'rest' and order.picking_ids.filtered(lambda left: left.state == 'assigned'):
            receive_order_share(order, 1)
    for line in order.order_line.filtered(lambda line: line.product_id.type == 'service') if fate == 'whole' else ():
        line.qty_received = line.product_qty  # a user enters this for services


def receive_order_share(order, share):
    """Validate the open quantity of an order's receipt, or a part of each line with a back-order.

    Return the receipt.
    """
    picking = order.picking_ids.filtered(lambda picking: picking.state == 'assigned')[:1]
    for move in picking.move_ids:
        move.quantity = move.product_uom.round(move.product_uom_qty * share) or move.product_uom_qty
    picking.move_ids.picked = True
    picking.with_context(skip_backorder=True, skip_sms=True).button_validate()
    return picking


def _return_received_units(env, picking):
    """Return one unit of each line of a receipt, to be refunded."""
    wizard = (
        env['stock.return.picking']
        .with_context(active_id=picking.id, active_ids=picking.ids, active_model='stock.picking')
        .create({})
    )
    for line in wizard.product_return_moves:
        line.write({'quantity': min(1, line.move_id.quantity), 'to_refund': True})
    back = env['stock.picking'].browse(wizard.action_create_returns()['res_id'])
    back.move_ids.picked = True
    back.with_context(skip_backorder=True, skip_sms=True).button_validate()


def bill_received_orders(env, connection, ramp, orders):
    """Add bills in Ramp for the first line of each received order."""
    there = {row['id']: row for row in ramp.call_admin('GET', '/objects/purchase_orders')['data']}
    received = {row['purchase_order_id'] for row in ramp.call_admin('GET', '/objects/item_receipts')['data']}
    for row in _find_order_rows(env, connection, orders):
        order = there.get(row.ramp_id)
        if order and not order['archived_at'] and order['id'] in received:
            line = order['line_items'][0]
            ramp.call_admin(
                'POST', f'/purchase-orders/{order["id"]}/bills', {'quantities': {line['id']: line['quantity']}}
            )


def _find_order_rows(env, connection, orders):
    return env['ramp.record'].search(
        [
            ('connection_id', '=', connection.id),
            ('flow', '=', 'purchase_order'),
            ('res_id', 'in', orders.ids),
            ('remote_id', '!=', False),
        ]
    )


def compare_orders_with_ramp(env, connection, ramp, orders):
    """Return one row per supplier: its orders, ordered and received amounts, Odoo beside Ramp.

    Amounts are in the orders' currency.
    """
    env.invalidate_all()
    there = {
        row['id']: row for row in ramp.call_admin('GET', '/objects/purchase_orders')['data'] if not row['archived_at']
    }
    arrived = {}
    for receipt in ramp.call_admin('GET', '/objects/item_receipts')['data']:
        for line in receipt['line_items'] if not receipt['archived_at'] else ():
            ident = line['purchase_order_line_item_id']
            arrived[ident] = arrived.get(ident, 0) + line['quantity']
    sent = {row.res_id: row for row in _find_order_rows(env, connection, orders)}
    table = {}
    for order in orders:
        row = table.setdefault(
            order.partner_id.name,
            {
                'supplier': order.partner_id.name,
                'currency': order.currency_id.name,
                'orders': 0,
                'in Ramp': 0,
                'ordered': 0.0,
                'ordered in Ramp': 0.0,
                'received': 0.0,
                'received in Ramp': 0.0,
                'different': 0,
            },
        )
        told = there.get(sent[order.id].ramp_id) if order.id in sent else None
        mine = order if order.state == 'purchase' else env['purchase.order']
        lines = {line.id: line.qty_received for line in mine.order_line if line.qty_received}
        known, theirs = sent[order.id].payload if told else {}, {}
        for identity, ident in known.get('line_ids', {}).items():
            if arrived.get(ident):
                theirs[int(identity.rpartition('-')[2])] = arrived[ident] * float(known['lines'][identity]['unit'][1])
        digits = order.currency_id.decimal_places
        amount = sum(line['amount']['amount'] for line in told['line_items']) / 10**digits if told else 0.0
        row['orders'] += len(mine)
        row['in Ramp'] += bool(told)
        ordered = sum(mine.order_line.mapped('price_subtotal'))  # the order's own total may be rounded differently
        row['ordered'] = round(row['ordered'] + ordered, digits)
        row['ordered in Ramp'] = round(row['ordered in Ramp'] + amount, digits)
        row['received'] = round(row['received'] + sum(lines.values()), 3)
        row['received in Ramp'] = round(row['received in Ramp'] + sum(theirs.values()), 3)
        row['different'] += bool(
            len(mine) != bool(told)
            or abs(ordered - amount) > 0.005
            or any(abs(lines.get(key, 0) - theirs.get(key, 0)) > 0.0005 for key in {*lines, *theirs})
        )
    return list(table.values())
