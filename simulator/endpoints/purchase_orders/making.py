"""Creation, changes and archiving of orders, and bills that are matched with them."""

from datetime import timedelta
from decimal import Decimal

from ... import money
from ...payables import (
    parse_moment,
    refuse_unknown_names,
    render_bill_selections,
    resolve_entity,
    resolve_row,
    select_payable_coding,
)
from ...state import format_iso_time, make_blank_row
from .. import bills, vendors
from .numbers import choose_order_number
from .standing import list_order_receipts

SOURCES = ('ACCOUNTING_PROVIDER', 'DEVELOPER_API', 'EXTERNAL_IMPORT', 'RAMP')
# The fields of a line that a person fills in on Ramp's screens.
LINE = {
    'account': None,
    'analytics': None,
    'description': None,
    'end_date': None,
    'external_id': None,
    'id': None,
    'item': None,
    'quantity': 1,
    'remote_id': None,
    'selections': None,
    'start_date': None,
    'tax': None,
    'unit_price': 0,
    'vendor': None,
    'withholding_rate': None,
}
TOLD_AS_IS = ('description', 'end_date', 'external_id', 'remote_id', 'start_date', 'withholding_rate')
# Fields of a new order that are empty.
UNSET = (
    'archived_at',
    'external_id',
    'memo',
    'name',
    'net_payment_terms',
    'promise_date',
    'remote_id',
    'ship_to_address',
    'ship_to_company_name',
    'shipping_contact_email',
    'shipping_contact_first_name',
    'shipping_contact_last_name',
    'shipping_contact_phone_number',
    'spend_end_date',
    'spend_program_id',
    'spend_start_date',
    'withholding_default_rate',
    '_archived_reason',
)


def make_purchase_order(
    store,
    /,
    *,
    vendor=None,
    entity=None,
    owner=None,
    currency=None,
    lines=({'unit_price': 10000},),
    header=(),
    number=None,
    source='RAMP',
    three_way_match=False,
    approved=True,
    created=None,
    label=None,
    broken=False,
    **wire_fields,
):
    """Add a purchase order and return its row.

    :param vendor: a row, an id, or a name, which is created if it is new; None: no vendor
    :param currency: default: the entity's
    :param lines: [{"unit_price" (minor units, may be a fraction), "quantity", and optionally "description",
        "external_id", "account", "tax", "vendor", "item", "analytics", "selections", "withholding_rate", "start_date",
        "end_date", "remote_id"}]
    :param header: selections that code the whole order
    :param number: the order's number; None: the next one
    :param source: one of SOURCES
    :param three_way_match: the order takes receipts
    :param approved: False: not approved yet, and the API cannot change it
    :param broken: do not check the row against the contract
    :param wire_fields: any other field of the answer, with the value to give it
    """
    vendor = vendors.find_vendor(store, vendor) if vendor is not None else None
    entity = resolve_entity(store, entity, currency)
    owner = resolve_row(store['users'], owner) or next(iter(store['users']), None)
    row = {
        **_build_order_parties(store, vendor, entity, owner, source),
        'accounting_field_selections': render_bill_selections(header),
        'created_at': format_iso_time(parse_moment(created) if created else store.clock() - timedelta(days=10)),
        'purchase_order_number': choose_order_number(store, None) if number is None else number,
        'three_way_match_enabled': three_way_match,
        '_approved': approved,
        '_closed': False,
        '_label': label,
        '_broken': broken,
    }
    row.update(
        _build_order_amounts(
            store, {'currency': currency or entity['currency'], 'lines': [_complete_order_line(line) for line in lines]}
        )
    )
    refuse_unknown_names('A purchase order', row, wire_fields)
    return store['purchase_orders'].add_row({**row, **wire_fields})


def _build_order_parties(store, vendor, entity, owner, source):
    """Return the identity, vendor, entity, owner and source fields of a new order."""
    ident = store.make_new_id()
    return {
        **make_blank_row(UNSET, ('transaction_ids',)),
        'id': ident,
        'creation_source': source,
        'entity_id': entity['id'],
        'owner_id': owner and owner['id'],
        'ramp_url': f'https://app.ramp.com/s/procurement/purchase-orders/{ident}',
        'spend_request_id': store.derive_stable_id('spend request', ident),
        'user_id': owner['id'] if source == 'RAMP' and owner else None,
        'vendor_id': vendor and vendor['id'],
    }


def change_purchase_order(store, ident, /, **changes):
    """Change an order as people do in Ramp, and return its row. An order has no time of change.

    Takes fields of the answer and these arguments of :func:`make_purchase_order`: lines, currency, header, vendor,
    number, approved. `closed` means that no more bills follow. Lines keep their ids by "id", else by position.
    """
    row = store['purchase_orders'].rows[ident]
    values = dict(row['_money'])
    wanted = {name: changes.pop(name) for name in tuple(changes) if name in values}
    if 'lines' in wanted:
        kept = [line['id'] for line in values['lines']] if len(wanted['lines']) == len(values['lines']) else []
        wanted['lines'] = [
            _complete_order_line({**line, 'id': line.get('id') or (kept[number] if kept else None)})
            for number, line in enumerate(wanted['lines'])
        ]
    if 'header' in changes:
        changes['accounting_field_selections'] = render_bill_selections(changes.pop('header'))
    if 'vendor' in changes:
        changes['vendor_id'] = vendors.find_vendor(store, changes.pop('vendor'))['id']
    for name, key in (('approved', '_approved'), ('closed', '_closed'), ('number', 'purchase_order_number')):
        if name in changes:
            changes[key] = changes.pop(name)
    refuse_unknown_names('A purchase order', row, changes, ('_approved', '_closed'))
    if wanted:
        changes.update(_build_order_amounts(store, {**values, **wanted}))
    return store['purchase_orders'].update_row(ident, **changes)


def archive_purchase_order(store, ident, /, reason=None):
    """Archive an order and return its row.

    Only lists that ask for archived orders still contain it. Its number is free again.
    """
    return store['purchase_orders'].update_row(ident, archived_at=store.read_time(), _archived_reason=reason)


def bill_purchase_order(store, ident, /, quantities=None, **values):
    """Add a bill matched with the order and its receipts, line by line. Return the bill's row.

    :param quantities: {line id: quantity}; default: everything ordered
    :param values: parameters of `bills.make_bill`
    """
    row = store['purchase_orders'].rows[ident]
    receipts = list_order_receipts(store, ident)
    lines = []
    for line, wanted in zip(row['_money']['lines'], row['line_items'], strict=True):
        count = wanted['quantity'] if quantities is None else quantities.get(wanted['id'])
        if count:
            lines.append(
                {
                    'amount_minor': compute_extended_minor(line, count),
                    'memo': wanted['description'],
                    'selections': select_payable_coding(store, line),
                    'purchase_order_line_item_id': wanted['id'],
                    'item_receipt_line_item_ids': [
                        item['id']
                        for receipt in receipts
                        for item in receipt['line_items']
                        if item['purchase_order_line_item_id'] == wanted['id']
                    ],
                }
            )
    return bills.make_bill(
        store,
        **{
            'vendor': row['vendor_id'],
            'entity': row['entity_id'],
            'currency': row['_money']['currency'],
            'lines': lines,
            'purchase_order_id': ident,
            'item_receipt_ids': [receipt['id'] for receipt in receipts],
            **values,
        },
    )


def compute_extended_minor(line, count):
    """Return the cost of `count` units of a line (of `_money`) in minor units.

    Prices may be finer than the currency.
    """
    return round(Decimal(line['unit_price']) * count)


def _complete_order_line(line):
    refuse_unknown_names('A line of a purchase order', LINE, line)
    return {**LINE, **line, 'unit_price': str(line.get('unit_price', 0))}


def _build_order_amounts(store, values):
    """Return the answer's fields that depend on the lines, and `_money`, the unrounded prices in minor units."""
    currency = values['currency']
    values = {**values, 'lines': [{**line, 'id': line['id'] or store.make_new_id()} for line in values['lines']]}
    items = [
        {
            'id': line['id'],
            'accounting_field_selections': render_bill_selections(select_payable_coding(store, line)),
            'amount': money.build_currency_amount(compute_extended_minor(line, line['quantity']), currency),
            'quantity': line['quantity'],
            'unit_price': money.build_currency_amount(compute_extended_minor(line, 1), currency),
            **{name: line[name] for name in TOLD_AS_IS},
        }
        for line in values['lines']
    ]
    total = money.build_currency_amount(sum(item['amount']['amount'] for item in items), currency)
    return {'amount': total, 'spend_total_amount': total, 'line_items': items, '_money': values}
