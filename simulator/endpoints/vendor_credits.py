"""/vendors/credits: what a vendor owes back, and the bills it was applied to. Read-only in Ramp's API, in USD only.

Credits are available only if the accounting connection has the setting `vendor_credits_enabled`. There is no sync type
for them. The schema of their lists has a list of lists, but its own example and all other lists have objects. The
simulator answers objects.
"""

from datetime import timedelta

from .. import money
from ..errors import not_found
from ..listing import Filter, answer_list, equals, parse_bool, read_parameter, since, until
from ..payables import (
    DEFAULT,
    bill_selections,
    coded_lines,
    complete_lines,
    entity_of,
    line_selections,
    parse_day,
    parse_moment,
    refuse_unknown,
)
from ..routes import route
from ..state import Table, iso_text, wire_fields
from . import accounting_connection, bills, vendors

TABLES = {'vendor_credits': lambda: Table(name=lambda row: row['vendor_id'])}
FILTERS = {
    'entity_id': equals('entity_id'),
    'from_created_at': since('created_at'),
    'to_created_at': until('created_at'),
    'from_accounting_date': Filter(parse_day, lambda row, value: row['accounting_date'] >= value),
    'to_accounting_date': Filter(parse_day, lambda row, value: row['accounting_date'] <= value),
}


@route('GET', '/vendors/credits', scope='vendors:read')
def list_credits(call):
    return _answer_credits(call)


@route('GET', '/vendors/credits/{vendor_credit_id}', scope='vendors:read')
def get_credit(call):
    if not _are_enabled(call):
        raise not_found('Vendor credit')
    return wire_fields(call.row('vendor_credits', 'vendor_credit_id'))


@route('GET', '/vendors/{vendor_id}/credits', scope='vendors:read')
def list_credits_of_vendor(call):
    return _answer_credits(call, call.row('vendors', 'vendor_id')['id'])


def _are_enabled(call):
    return accounting_connection.is_enabled(call.state, 'vendor_credits_enabled')


def _answer_credits(call, vendor=None):
    used = read_parameter(call, 'include_fully_used', parse_bool, False)
    shown = _are_enabled(call)

    def is_listed(row):
        return shown and vendor in (None, row['vendor_id']) and (used or row['remaining_amount']['amount'] != 0)

    call.unchecked = True  # only the list's schema is wrong; that of a single credit is checked
    return answer_list(call, 'vendor_credits', FILTERS, is_listed)


def make_credit(
    store,
    /,
    *,
    vendor=None,
    amount_minor=None,
    currency='USD',
    lines=None,
    inventory=(),
    account=DEFAULT,
    analytics=None,
    entity=None,
    date=None,
    header=(),
    label=None,
    broken=False,
    **wire_fields,
):
    """Add a vendor credit and return its row. Use it with :func:`apply_credit`.

    Lines and inventory are as in `bills.make_bill`, but "unit_quantity" is a whole number.
    """
    vendor = vendors.find_vendor(store, vendor)
    amount_minor, lines, inventory = complete_lines('A vendor credit', amount_minor, lines, inventory, 'unit_quantity')
    at = parse_moment(date or store.clock() - timedelta(days=5))
    ident = store.new_id()
    row = {
        'id': ident,
        'accounting_date': at.date().isoformat(),
        'accounting_field_selections': bill_selections(header),
        'applied_bills': [],
        'applied_draft_bills': [],
        'created_at': iso_text(min(at, store.clock())),
        'entity_id': entity_of(store, entity, currency)['id'],
        'expense_line_items': [
            _line_item(store, line, currency) for line in coded_lines(store, lines, account, analytics)
        ],
        'inventory_line_items': [
            _stock_line(store, line, currency) for line in coded_lines(store, inventory, account, analytics)
        ],
        'reference_bill_id': None,
        'reference_number': f'CREDIT-{ident[:6].upper()}',
        'vendor_id': vendor['id'],
        '_currency': currency,
        '_total': amount_minor,
        '_label': label,
        '_broken': broken,
    }
    row.update(_amount_fields(row))
    refuse_unknown('A vendor credit', row, wire_fields)
    row.update(wire_fields)
    return store['vendor_credits'].add(row)


def apply_credit(store, ident, bill, /, amount_minor=None):
    """Apply a credit to a bill of the vendor: as much as possible, or a part. Return the minor units used.

    `bill` may be an unknown id, as that of a draft bill.
    """
    row = store['vendor_credits'].rows[ident]
    target = store['bills'].get(bill)
    if amount_minor is None:
        left = row['remaining_amount']['amount']
        amount_minor = min(left, bills.open_minor(target)) if target else left
    if target and target['_money']['currency'] != row['_currency']:
        raise ValueError('The credit is in another currency than the bill')
    if amount_minor > row['remaining_amount']['amount']:
        raise ValueError('The credit is too small')
    amount = money.currency_amount(amount_minor, row['_currency'])
    name = 'applied_bills' if target else 'applied_draft_bills'
    changes = {name: [*row[name], {'amount': amount, 'bill_id': bill}]}
    store['vendor_credits'].update(ident, **changes, **_amount_fields({**row, **changes}))
    if target:
        store['bills'].update(
            bill, applied_vendor_credits=[*target['applied_vendor_credits'], {'amount': amount, 'id': ident}]
        )
        bills.refresh_standing(store, bill)
    return amount_minor


def unapply_credit(store, ident, bill, /, amount_minor=None):
    """Take a credit, or a part of it, off a bill, which opens the bill again. Return the minor units taken off."""
    row, target = store['vendor_credits'].rows[ident], store['bills'].rows[bill]
    used = sum(item['amount']['amount'] for item in row['applied_bills'] if item['bill_id'] == bill)
    taken = used if amount_minor is None else amount_minor
    if not 0 < taken <= used:
        raise ValueError('So much of the credit is not applied to the bill')
    left = [{'amount': money.currency_amount(used - taken, row['_currency'])}] if taken < used else []
    changes = {
        'applied_bills': [
            *(item for item in row['applied_bills'] if item['bill_id'] != bill),
            *({**item, 'bill_id': bill} for item in left),
        ]
    }
    store['vendor_credits'].update(ident, **changes, **_amount_fields({**row, **changes}))
    store['bills'].update(
        bill,
        applied_vendor_credits=[
            *(item for item in target['applied_vendor_credits'] if item['id'] != ident),
            *({**item, 'id': ident} for item in left),
        ],
    )
    bills.refresh_standing(store, bill)
    return taken


def change_credit(store, ident, /, **changes):
    """Change a credit and return its row.

    Takes fields of the answer and these arguments of :func:`make_credit`: amount_minor, account, lines, date.
    """
    row = store['vendor_credits'].rows[ident]
    currency = row['_currency']
    if 'account' in changes or 'amount_minor' in changes and 'lines' not in changes:
        total = changes.get('amount_minor', row['_total'])
        changes.setdefault('lines', [{'amount_minor': total}])
    if 'lines' in changes:
        lines = coded_lines(store, changes.pop('lines'), changes.pop('account', DEFAULT), None)
        changes['expense_line_items'] = [_line_item(store, line, currency) for line in lines]
        changes['_total'] = changes.pop('amount_minor', None) or sum(line['amount_minor'] for line in lines)
    if 'date' in changes:
        changes['accounting_date'] = parse_moment(changes.pop('date')).date().isoformat()
    refuse_unknown('A vendor credit', row, changes, ('_total',))
    return store['vendor_credits'].update(ident, **changes, **_amount_fields({**row, **changes}))


def _amount_fields(row):
    used = sum(item['amount']['amount'] for name in ('applied_bills', 'applied_draft_bills') for item in row[name])
    return {
        'total_amount': money.currency_amount(row['_total'], row['_currency']),
        'total_applied_amount': money.currency_amount(used, row['_currency']),
        'remaining_amount': money.currency_amount(row['_total'] - used, row['_currency']),
    }


def _line_item(store, line, currency):
    item = {
        'accounting_field_selections': bill_selections(line_selections(store, line)),
        'amount': money.currency_amount(line['amount_minor'], line.get('currency') or currency),
    }
    if line.get('memo'):
        item['memo'] = line['memo']
    return item


def _stock_line(store, line, currency):
    price = money.currency_amount(line['unit_price_minor'], currency)
    return {**_line_item(store, line, currency), 'unit_quantity': line['unit_quantity'], 'unit_price': price}
