"""The routes of /purchase-orders, and the parsing of their bodies."""

from decimal import Decimal

from ... import coding, money, uploads
from ...errors import RampError, make_field_error, make_input_error, make_missing_error
from ...listing import (
    Filter,
    answer_list_page,
    filter_by_value,
    filter_from_time,
    filter_until_time,
    make_choice_parser,
    parse_bool,
    read_query_parameter,
)
from ...payables import parse_midnight
from ...routes import route
from .making import LINE, SOURCES, archive_purchase_order, change_purchase_order, make_purchase_order
from .numbers import choose_order_number, read_unit_quantity
from .standing import compute_line_totals, compute_receipt_status, render_detailed_order, render_listed_order

RECEIPT_STATUSES = ('FULLY_RECEIVED', 'NOT_RECEIVED', 'OVER_RECEIVED', 'PARTIALLY_RECEIVED')
FILTERS = {
    'creation_source': filter_by_value('creation_source', make_choice_parser(*SOURCES)),
    'from_created_at': filter_from_time('created_at'),
    'to_created_at': filter_until_time('created_at'),
    'external_id': filter_by_value('external_id', str),
    'remote_id': filter_by_value('remote_id', str),
    'entity_id': filter_by_value('entity_id'),
    'spend_request_id': filter_by_value('spend_request_id'),
}
NEEDS = ('currency', 'entity_id', 'line_items', 'three_way_match_enabled')
MAY = (
    'accounting_field_selections',
    'external_id',
    'memo',
    'net_payment_terms',
    'owner_id',
    'promise_date',
    'purchase_order_number',
    'spend_end_date',
    'spend_start_date',
    'vendor_id',
    'withholding_default_rate',
)
CHANGES = ('accounting_field_selections', 'memo', 'spend_end_date', 'spend_start_date', 'withholding_default_rate')
LINE_NEEDS = ('unit_price', 'unit_quantity')
LINE_MAY = ('accounting_field_selections', 'description', 'external_id', 'withholding_rate')
LINE_CHANGES = ('accounting_field_selections', 'description', 'unit_price', 'unit_quantity', 'withholding_rate')

# -- routes


@route('GET', '/purchase-orders', scope='purchase_orders:read', plus=True)
def list_purchase_orders(call):
    state = call.state
    archived = read_query_parameter(call, 'include_archived', parse_bool, False)
    three_way = read_query_parameter(
        call, 'three_way_match_enabled', parse_bool, False if call.ramp.hide_three_way else None
    )
    filters = {
        **FILTERS,
        'receipt_status': Filter(
            make_choice_parser(*RECEIPT_STATUSES), lambda row, value: compute_receipt_status(state, row) == value
        ),
    }

    def is_order_listed(row):
        return (archived or not row['archived_at']) and three_way in (None, row['three_way_match_enabled'])

    return answer_list_page(
        call, 'purchase_orders', filters, is_order_listed, render=lambda row: render_listed_order(state, row)
    )


@route('GET', '/purchase-orders/{purchase_order_id}', scope='purchase_orders:read', plus=True)
def get_purchase_order(call):
    return render_detailed_order(call.state, _find_purchase_order(call))


@route('POST', '/purchase-orders', scope='purchase_orders:write', plus=True)
def post_purchase_order(call):
    body, store = uploads.read_checked_fields(call, NEEDS, MAY), call.state
    entity = _find_optional_row(store, 'entities', body['entity_id'], 'Entity')
    vendor = _find_optional_row(store, 'vendors', body.get('vendor_id'), 'Vendor')
    owner = _find_optional_row(store, 'users', body.get('owner_id'), 'User')
    if vendor and (vendor['_deleted'] or not vendor['is_active']):
        raise make_missing_error('Vendor')
    if vendor and not vendor['contacts']:
        raise RampError(400, 'DEVELOPER_7001', 'The vendor has no contact with an email')
    if body.get('external_id') is not None and store['purchase_orders'].find_first_row(external_id=body['external_id']):
        raise RampError(400, 'DEVELOPER_7001', 'A purchase order with this external_id exists already')
    lines = _read_order_lines(call, body['line_items'], body['currency'])
    number = choose_order_number(store, body.get('purchase_order_number'))
    row = make_purchase_order(
        store,
        entity=entity,
        vendor=vendor,
        owner=owner,
        currency=body['currency'],
        lines=lines,
        number=number,
        header=coding.read_coding_selections(store, body.get('accounting_field_selections')),
        source='DEVELOPER_API',
        created=store.clock(),
        three_way_match=body['three_way_match_enabled'],
        **{name: body.get(name) for name in ('external_id', 'memo', 'net_payment_terms')},
        **{name: parse_midnight(body.get(name)) for name in ('promise_date', 'spend_start_date', 'spend_end_date')},
        withholding_default_rate=_read_withholding_rate(body.get('withholding_default_rate')),
    )
    return render_listed_order(store, row), 201


@route('PATCH', '/purchase-orders/{purchase_order_id}', scope='purchase_orders:write', plus=True)
def patch_purchase_order(call):
    """Change an order. Number, vendor, owner, terms and promised date cannot be changed."""
    body, row = uploads.read_checked_fields(call, (), CHANGES), _find_approved_order(call)
    values = {name: body[name] for name in ('memo',) if name in body}
    values.update({name: parse_midnight(body[name]) for name in ('spend_start_date', 'spend_end_date') if name in body})
    if 'withholding_default_rate' in body:
        values['withholding_default_rate'] = _read_withholding_rate(body['withholding_default_rate'])
    if 'accounting_field_selections' in body:
        values['header'] = coding.read_coding_selections(call.state, body['accounting_field_selections'])
    return render_detailed_order(call.state, change_purchase_order(call.state, row['id'], **values))


@route('POST', '/purchase-orders/{purchase_order_id}/archive', scope='purchase_orders:write', plus=True)
def post_order_archive(call):
    if call.body is None:
        raise RampError(400, 'DEVELOPER_7011', 'A JSON body is wanted')
    body = uploads.read_checked_fields(call, (), ('archived_reason',))
    archive_purchase_order(call.state, _find_purchase_order(call)['id'], body.get('archived_reason'))
    return None, 204


@route('POST', '/purchase-orders/{purchase_order_id}/line-items', scope='purchase_orders:write', plus=True)
def post_order_lines(call):
    body, row = uploads.read_checked_fields(call, ('line_items',), ()), _find_approved_order(call)
    lines = _read_order_lines(call, body['line_items'], row['_money']['currency'], row['_money']['lines'])
    return render_detailed_order(
        call.state, change_purchase_order(call.state, row['id'], lines=[*row['_money']['lines'], *lines])
    ), 201


@route(
    'PATCH', '/purchase-orders/{purchase_order_id}/line-items/{line_item_id}', scope='purchase_orders:write', plus=True
)
def patch_order_line(call):
    body, row = uploads.read_checked_fields(call, (), LINE_CHANGES), _find_approved_order(call)
    number = _find_line_place(row, call.args['line_item_id'])
    lines = list(row['_money']['lines'])
    lines[number] = {**lines[number], **_read_line_values(call, body, row['_money']['currency'])}
    return render_detailed_order(call.state, change_purchase_order(call.state, row['id'], lines=lines))


@route(
    'DELETE', '/purchase-orders/{purchase_order_id}/line-items/{line_item_id}', scope='purchase_orders:write', plus=True
)
def delete_order_line(call):
    row = _find_approved_order(call)
    number = _find_line_place(row, call.args['line_item_id'])
    total = compute_line_totals(call.state, row['id'])[number]
    if total['received'] or total['billed_minor']:
        raise RampError(400, 'DEVELOPER_7001', 'The line was received or billed')
    if len(row['line_items']) == 1:
        raise RampError(400, 'DEVELOPER_7001', 'A purchase order needs a line')
    lines = list(row['_money']['lines'])
    del lines[number]
    return render_detailed_order(call.state, change_purchase_order(call.state, row['id'], lines=lines))


def _find_purchase_order(call):
    row = call.find_path_row('purchase_orders', 'purchase_order_id')
    if row['archived_at']:
        raise make_missing_error('Purchase order')
    return row


def _find_approved_order(call):
    row = _find_purchase_order(call)
    if not row['_approved']:
        raise RampError(400, 'DEVELOPER_7001', 'The purchase order is not approved')
    return row


def _find_line_place(row, ident):
    """Return the index of the order's line with this id. Raise Ramp's 404 if there is none."""
    for number, line in enumerate(row['line_items']):
        if line['id'] == ident:
            return number
    raise make_missing_error('Line item')


def _find_optional_row(store, table, ident, what):
    if ident is None:
        return None
    if ident not in store[table]:
        raise make_missing_error(what)
    return store[table].rows[ident]


def _read_order_lines(call, items, currency, others=()):
    """Convert lines of a request for `make_purchase_order`. `others`: existing lines, whose external ids are taken."""
    if not isinstance(items, list) or not items:
        raise make_field_error('line_items', 'Shorter than minimum length.')
    wrong = {
        str(place): found
        for place, item in enumerate(items)
        if (found := uploads.list_field_complaints(item, LINE_NEEDS, LINE_MAY))
    }
    if wrong:
        raise make_input_error('Invalid input', {'line_items': wrong})
    seen = {line['external_id'] for line in others} - {None}
    for item in items:
        if item.get('external_id') in seen:
            raise make_field_error('line_items', f'external_id {item["external_id"]} is there already.')
        seen |= {item.get('external_id')} - {None}
    return [
        {**LINE, 'external_id': item.get('external_id'), **_read_line_values(call, item, currency)} for item in items
    ]


def _read_line_values(call, item, currency):
    values = {name: item[name] for name in ('description',) if name in item}
    if 'unit_quantity' in item:
        values['quantity'] = read_unit_quantity(item['unit_quantity'])
    if 'unit_price' in item:
        # The request has major units, as decimal text or number. The answer has minor units.
        price = Decimal(str(item['unit_price'])) * money.minor_per_major(currency)
        values['unit_price'] = str(price)
        if price < 0:
            raise make_field_error('unit_price', 'Must not be negative.')
    if 'withholding_rate' in item:
        values['withholding_rate'] = _read_withholding_rate(item['withholding_rate'])
    if 'accounting_field_selections' in item:
        values['selections'] = coding.read_coding_selections(call.state, item['accounting_field_selections'])
    return values


def _read_withholding_rate(value):
    if value is None:
        return None
    if not 0 <= Decimal(str(value)) <= 1:
        raise make_field_error('withholding_rate', 'Must be between 0 and 1.')
    return str(value)
