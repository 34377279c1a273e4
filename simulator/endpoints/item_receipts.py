"""/item-receipts: received quantities of a purchase order.

A receipt cannot be changed: a wrong one is deleted and created again. Quantities above the order are accepted, and so
is a second receipt of the same number, because Ramp does not say that numbers are unique. No key makes the request
idempotent. Quantities are positive whole numbers, so returns cannot be reported. Ramp's behaviour is unknown in two
cases, and the simulator refuses both: a receipt of an order without three-way match, and deleting a receipt that is on
a bill.
"""

from decimal import Decimal

from .. import money, uploads
from ..errors import RampError, make_field_error, make_input_error, make_missing_error
from ..listing import Filter, answer_list_page, filter_by_value, parse_bool, parse_uuid, read_query_parameter
from ..payables import parse_midnight, refuse_unknown_names
from ..routes import route
from ..state import Table, select_wire_fields
from . import purchase_orders

TABLES = {'item_receipts': lambda: Table(name=lambda row: row['purchase_order_id'])}
FILTERS = {
    'entity_id': Filter(parse_uuid, lambda row, value: row['_entity'] == value),
    'purchase_order_line_item_id': Filter(
        parse_uuid, lambda row, value: any(line['purchase_order_line_item_id'] == value for line in row['line_items'])
    ),
    'purchase_order_id': filter_by_value('purchase_order_id'),
}
NEEDS = ('item_receipt_line_items', 'item_receipt_number', 'purchase_order_id', 'received_at')
LINE_MAY = ('inventory_assignments', 'unit_quantity')


@route('GET', '/item-receipts', scope='item_receipts:read', plus=True)
def list_item_receipts(call):
    archived = read_query_parameter(call, 'include_archived', parse_bool, False)
    return answer_list_page(call, 'item_receipts', FILTERS, lambda row: archived or not row['archived_at'])


@route('GET', '/item-receipts/{item_receipt_id}', scope='item_receipts:read', plus=True)
def get_item_receipt(call):
    return select_wire_fields(_find_item_receipt(call))


@route('POST', '/item-receipts', scope='item_receipts:write', plus=True)
def post_item_receipt(call):
    body = uploads.read_checked_fields(call, NEEDS, ('memo',))
    order = call.state['purchase_orders'].get_row(body['purchase_order_id'])
    if order is None or order['archived_at']:
        raise make_missing_error('Purchase order')
    if not order['three_way_match_enabled']:
        raise RampError(400, 'DEVELOPER_7001', 'Three-way match is not enabled for the purchase order')
    items = body['item_receipt_line_items']
    if not items:
        raise make_field_error('item_receipt_line_items', 'Shorter than minimum length.')
    row = make_item_receipt(
        call.state,
        order['id'],
        [_read_receipt_line(order, item) for item in items],
        number=body['item_receipt_number'],
        date=body['received_at'],
        memo=body.get('memo'),
    )
    return select_wire_fields(row), 201


@route('DELETE', '/item-receipts/{item_receipt_id}', scope='item_receipts:write', plus=True)
def delete_item_receipt(call):
    row = _find_item_receipt(call)
    lines = {line['id'] for line in row['line_items']}
    order = call.state['purchase_orders'].rows[row['purchase_order_id']]
    for bill in purchase_orders.list_order_bills(call.state, order):
        matched = {ident for line in bill['line_items'] for ident in line['item_receipt_line_item_ids']}
        if row['id'] in bill['item_receipt_ids'] or lines & matched:
            raise RampError(400, 'DEVELOPER_7001', 'The item receipt is matched with a bill')
    remove_item_receipt(call.state, row['id'])
    return None, 204


def _find_item_receipt(call):
    row = call.find_path_row('item_receipts', 'item_receipt_id')
    if row['archived_at']:
        raise make_missing_error('Item receipt')
    return row


def _read_receipt_line(order, item):
    """Convert a line of a request to an argument of `make_item_receipt`."""
    wrong = uploads.list_field_complaints(item, ('purchase_order_line_item_id',), LINE_MAY)
    if wrong:
        raise make_input_error('Invalid input', {'item_receipt_line_items': wrong})
    ident = item['purchase_order_line_item_id']
    ordered = next((line for line in order['line_items'] if line['id'] == ident), None)
    if ordered is None:
        raise make_field_error('purchase_order_line_item_id', 'Not a line of the purchase order.')
    count, lots = item.get('unit_quantity'), item.get('inventory_assignments') or []
    if count is not None:
        purchase_orders.read_unit_quantity(count)
    elif lots or is_inventory_line(ordered):
        raise make_field_error('unit_quantity', 'Missing data for required field.')
    if lots and sum(Decimal(str(lot['quantity'])) for lot in lots) != count:
        raise make_field_error('inventory_assignments', 'Quantities must sum to unit_quantity.')
    return {'line': ident, 'quantity': count, 'lots': lots}


def is_inventory_line(line):
    """Return whether an order line is coded with an inventory item."""
    return any(item['category_info']['type'] == 'INVENTORY_ITEM' for item in line['accounting_field_selections'])


def make_item_receipt(store, order, /, lines=None, *, number=None, date=None, memo=None, **wire_fields):
    """Add a receipt of an order (its id) and return its row.

    :param lines: [{"line": id of an order line, "quantity": units, None: all of it, "lots": [{"lot_number", "quantity",
        "expiration_date"}]}]; None: all open quantities
    :param date: day of arrival; default: today
    """
    row = store['purchase_orders'].rows[order]
    lines = _list_open_lines(store, order) if lines is None else lines
    ident = store.make_new_id()
    made = {
        'id': ident,
        'archived_at': None,
        'created_at': store.read_time(),
        'documents': [],
        'item_receipt_number': number or f'IR-{ident[:8].upper()}',
        'line_items': [_build_receipt_line(store, row, **line) for line in lines],
        'memo': memo,
        'purchase_order_id': order,
        'received_at': parse_midnight(date or store.clock()),
        'remote_id': None,
        '_entity': row['entity_id'],
    }
    refuse_unknown_names('An item receipt', made, wire_fields)
    return store['item_receipts'].add_row({**made, **wire_fields})


def _list_open_lines(store, order):
    return [
        {'line': total['id'], 'quantity': total['ordered'] - total['received']}
        for total in purchase_orders.compute_line_totals(store, order)
        if total['ordered'] > total['received']
    ]


def remove_item_receipt(store, ident, /):
    """Delete a receipt and return its row. Only lists that ask for archived receipts still contain it."""
    return store['item_receipts'].update_row(ident, archived_at=store.read_time())


def _build_receipt_line(store, order, line, quantity=None, lots=()):
    number = [item['id'] for item in order['line_items']].index(line)
    ordered = order['line_items'][number]
    count = ordered['quantity'] if quantity is None else quantity
    return {
        'id': store.make_new_id(),
        'accounting_field_selections': ordered['accounting_field_selections'],
        'amount': money.build_currency_amount(
            purchase_orders.compute_extended_minor(order['_money']['lines'][number], count), order['_money']['currency']
        ),
        'inventory_assignments': [
            {
                'id': store.make_new_id(),
                'lot_number': lot['lot_number'],
                'quantity': str(lot['quantity']),
                'expiration_date': lot.get('expiration_date'),
            }
            for lot in lots
        ],
        'memo': None,
        'purchase_order_line_item_id': line,
        'quantity': quantity,
        'remote_id': None,
        'unit_price': ordered['unit_price'],
    }
