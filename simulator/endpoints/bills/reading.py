"""Parsing of the bodies of bills and draft bills: amounts, coding, vendors, orders and dates.

Requests have major units, as decimal text or number. Answers have minor units (contract 2026-08-01). The contract names
only 400 for what is formally right and refused. So an unknown id in a body answers 400, and one in the path 404. Ramp's
behaviour is unknown in some cases. The simulator takes the harder alternative:
* An amount finer than the currency is refused. A unit price may be finer; the line's amount is rounded.
* A total of zero or less is refused.
* A vendor that is a draft, deactivated or deleted is refused.
* An option that was deleted is refused. An option of other entities and a filter rule do not matter.
"""

from datetime import date as Date
from decimal import Decimal, InvalidOperation

from ... import coding, money, uploads
from ...errors import RampError, make_field_error, make_input_error
from .. import accounting_connection

LINE_LISTS = ('line_items', 'inventory_line_items')
LINE_NEEDS = {'line_items': ('amount',), 'inventory_line_items': ('quantity', 'unit_price')}
LINE_MAY = ('accounting_field_selections', 'memo')
# The longest texts of a bill, in characters (contract 2026-08-01).
LARGEST_TEXTS = {'invoice_number': 84, 'memo': 1000, 'vendor_memo': 400}
DAYS = ('due_at', 'issued_at', 'payment_date', 'posting_date', 'target_payment_arrival_date')


def refuse_body_value(field, text):
    """Return Ramp's 400 for a field that is formally right."""
    return RampError(400, 'DEVELOPER_7001', text, {field: [text]})


# -- form


def read_bill_body(call, needs, may, nullable=()):
    """Return the body with its form checked: names, lengths and days. `nullable`: days that may be null."""
    if call.body is None:
        raise RampError(400, 'DEVELOPER_7011', 'A JSON body is wanted')
    body = uploads.read_checked_fields(call, needs, may)
    wrong = {}
    for name, size in LARGEST_TEXTS.items():
        if name not in body or body[name] is None and name != 'invoice_number':
            continue
        if not isinstance(body[name], str):
            wrong[name] = ['Not a valid string.']
        elif len(body[name]) > size:
            wrong[name] = [f'Longer than maximum length {size}.']
    for name in DAYS:
        if name in body and not (body[name] is None and name in nullable) and not is_iso_day(body[name]):
            wrong[name] = ['Not a valid date.']
    if wrong:
        raise make_input_error('Invalid input', wrong)
    return body


def is_iso_day(text):
    try:
        return len(text) == 10 and bool(Date.fromisoformat(text))
    except (TypeError, ValueError):
        return False


def read_decimal(field, value):
    """Return a number of a request as a Decimal. Raise Ramp's 422 for anything else."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise make_field_error(field, 'Not a valid decimal.') from None
    if not number.is_finite():
        raise make_field_error(field, 'Not a valid decimal.')
    return number


# -- references


def find_billing_vendor(call, ident):
    row = call.state['vendors'].get_row(ident)
    if row is None or row['_deleted']:
        raise refuse_body_value('vendor_id', f'Unknown vendor {ident}')
    if row['_draft'] or not row['is_active']:
        raise refuse_body_value('vendor_id', f'The vendor {row["name"]} cannot be paid')
    return row


def find_billing_entity(call, ident):
    row = call.state['entities'].get_row(ident)
    if row is None:
        raise refuse_body_value('entity_id', f'Unknown entity {ident}')
    return row


def find_vendor_contact(call, ident, vendor):
    """Return the id of a vendor's contact. Raise Ramp's 400 for a contact of another vendor."""
    row = call.state['vendor_contacts'].get_row(ident)
    if row is None or row['_vendor'] != vendor['id']:
        raise refuse_body_value('vendor_contact_id', 'Not a contact of the vendor')
    return row['id']


def find_uploaded_attachment(call, ident):
    row = call.state['invoices'].get_row(ident)
    if row is None:
        raise refuse_body_value('attachment_id', f'Unknown attachment {ident}')
    return row


def check_remote_id(call, remote_id, is_synced):
    """Raise Ramp's 422 for a remote id of a bill that does not go to an accounting system.

    This answer of Ramp was seen live (2026-09).
    """
    if remote_id is None:
        return
    if not is_synced:
        raise make_field_error('remote_id', 'enable_accounting_sync must be true.')
    if accounting_connection.find_active_connection(call.state) is None:
        raise make_field_error('remote_id', 'An accounting connection is required.')


def find_matched_orders(call, idents, vendor, currency):
    """Return the purchase orders of a bill as rows. Raise Ramp's 400 for those that cannot be matched with it."""
    if idents and not call.ramp.ramp_plus:
        raise RampError(403, 'DEVELOPER_7101', 'This needs Ramp Plus')
    rows = []
    for ident in dict.fromkeys(idents or ()):
        row = call.state['purchase_orders'].get_row(ident)
        if row is None or row['archived_at']:
            raise refuse_body_value('purchase_order_ids', f'Unknown purchase order {ident}')
        if not row['_approved']:
            raise refuse_body_value('purchase_order_ids', f'The purchase order {ident} is not approved')
        if row['vendor_id'] not in (None, vendor['id']):
            raise refuse_body_value('purchase_order_ids', f'The purchase order {ident} is of another vendor')
        if row['_money']['currency'] != currency:
            raise refuse_body_value('purchase_order_ids', f'The purchase order {ident} is in another currency')
        rows.append(row)
    return rows


def list_received_lines(store, orders):
    """Return (ids of the orders' receipts, {order line id: ids of its receipt lines})."""
    receipts = [
        receipt
        for order in orders
        for receipt in store['item_receipts'].list_named_rows(order['id'])
        if not receipt['archived_at']
    ]
    lines = {}
    for receipt in receipts:
        for line in receipt['line_items']:
            lines.setdefault(line['purchase_order_line_item_id'], []).append(line['id'])
    return [receipt['id'] for receipt in receipts], lines


def build_order_links(store, orders):
    """Return the arguments of `make_bill` for a bill that is matched with these orders. The first is answered."""
    return {
        'purchase_order_id': orders[0]['id'] if orders else None,
        'item_receipt_ids': list_received_lines(store, orders)[0],
        'orders': [order['id'] for order in orders],
    }


# -- coding and lines


def read_bill_coding(call, wanted):
    """Return the selections of a body. Raise Ramp's errors for unknown and for deleted options."""
    return coding.read_coding_selections(call.state, wanted, refuses_deleted=True)


def read_bill_lines(call, body, currency, orders=(), matchable=True):
    """Return the lists of lines that a body has, as arguments of `make_bill`: {"lines", "inventory"}.

    :param currency: the invoice's currency
    :param orders: the rows of the matched purchase orders
    :param matchable: a line may name the line of an order; only new bills cannot do so (contract 2026-08-01)
    """
    links = list_received_lines(call.state, orders)[1]
    ordered = {line['id'] for order in orders for line in order['line_items']}
    found = {}
    for name, target in zip(LINE_LISTS, ('lines', 'inventory'), strict=True):
        if name not in body:
            continue
        items = body[name] or []
        may = (*LINE_MAY, 'purchase_order_line_item_id') if matchable else LINE_MAY
        wrong = {
            str(place): complaints
            for place, item in enumerate(items)
            if (complaints := uploads.list_field_complaints(item, LINE_NEEDS[name], may))
        }
        if wrong:
            raise make_input_error('Invalid input', {name: wrong})
        read = _read_expense_line if name == 'line_items' else _read_inventory_line
        found[target] = []
        for item in items:
            ident = item.get('purchase_order_line_item_id')
            if ident is not None and ident not in ordered:
                raise refuse_body_value(name, f'{ident} is not a line of a matched purchase order')
            found[target].append(
                {
                    **read(item, currency),
                    'memo': item.get('memo'),
                    'selections': read_bill_coding(call, item.get('accounting_field_selections')),
                    'purchase_order_line_item_id': ident,
                    'item_receipt_line_item_ids': links.get(ident, []),
                }
            )
    return found


def _read_expense_line(item, currency):
    minor = read_decimal('line_items', item['amount']) * money.minor_per_major(currency)
    if minor != minor.to_integral_value():
        raise make_field_error('line_items', f'The amount {item["amount"]} is finer than {currency}.')
    return {'amount_minor': int(minor)}


def _read_inventory_line(item, currency):
    quantity = read_decimal('inventory_line_items', item['quantity'])
    if quantity < 0:
        raise make_field_error('inventory_line_items', 'The quantity is negative.')
    price = read_decimal('inventory_line_items', item['unit_price']) * money.minor_per_major(currency)
    return {
        'amount_minor': round(quantity * price),
        'unit_price_minor': round(price),
        'quantity': int(quantity) if quantity == quantity.to_integral_value() else float(quantity),
    }


def check_bill_total(lines):
    """Raise Ramp's errors for a bill without lines, or with a total that nobody can pay."""
    if not lines:
        raise make_field_error('line_items', 'A bill needs a line.')
    if sum(line['amount_minor'] for line in lines) <= 0:
        raise refuse_body_value('line_items', 'The total of a bill must be positive')
