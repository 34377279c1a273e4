"""/vendors/credits: what a vendor owes back, and the bills it was applied to. Read-only in Ramp's API, in USD only.

Credits are available only if the accounting connection has the setting `vendor_credits_enabled`. There is no sync type
for them. The schema of their lists has a list of lists, but its own example and all other lists have objects. The
simulator answers objects.
"""

from datetime import timedelta

from .. import money
from ..errors import make_missing_error
from ..listing import (
    Filter,
    answer_list_page,
    filter_by_value,
    filter_from_time,
    filter_until_time,
    parse_bool,
    read_query_parameter,
)
from ..payables import (
    NOT_GIVEN,
    complete_line_amounts,
    fill_line_coding,
    parse_day,
    parse_moment,
    refuse_unknown_names,
    render_bill_selections,
    resolve_entity,
    select_payable_coding,
)
from ..routes import route
from ..state import Table, format_iso_time, select_wire_fields
from . import accounting_connection, bills, vendors

TABLES = {'vendor_credits': lambda: Table(name=lambda row: row['vendor_id'])}
FILTERS = {
    'entity_id': filter_by_value('entity_id'),
    'from_created_at': filter_from_time('created_at'),
    'to_created_at': filter_until_time('created_at'),
    'from_accounting_date': Filter(parse_day, lambda row, value: row['accounting_date'] >= value),
    'to_accounting_date': Filter(parse_day, lambda row, value: row['accounting_date'] <= value),
}


@route('GET', '/vendors/credits', scope='vendors:read')
def list_vendor_credits(call):
    return _answer_credit_page(call)


@route('GET', '/vendors/credits/{vendor_credit_id}', scope='vendors:read')
def get_vendor_credit(call):
    if not _are_credits_enabled(call):
        raise make_missing_error('Vendor credit')
    return select_wire_fields(call.find_path_row('vendor_credits', 'vendor_credit_id'))


@route('GET', '/vendors/{vendor_id}/credits', scope='vendors:read')
def list_credits_of_vendor(call):
    return _answer_credit_page(call, call.find_path_row('vendors', 'vendor_id')['id'])


def _are_credits_enabled(call):
    return accounting_connection.is_setting_enabled(call.state, 'vendor_credits_enabled')


def _answer_credit_page(call, vendor=None):
    used = read_query_parameter(call, 'include_fully_used', parse_bool, False)
    shown = _are_credits_enabled(call)

    def is_credit_listed(row):
        return shown and vendor in (None, row['vendor_id']) and (used or row['remaining_amount']['amount'] != 0)

    call.unchecked = True  # only the list's schema is wrong; that of a single credit is checked
    return answer_list_page(call, 'vendor_credits', FILTERS, is_credit_listed)


def make_vendor_credit(
    store,
    /,
    *,
    vendor=None,
    amount_minor=None,
    currency='USD',
    lines=None,
    inventory=(),
    account=NOT_GIVEN,
    analytics=None,
    entity=None,
    date=None,
    header=(),
    label=None,
    broken=False,
    **wire_fields,
):
    """Add a vendor credit and return its row. Use it with :func:`apply_vendor_credit`.

    Lines and inventory are as in `bills.make_bill`, but "unit_quantity" is a whole number.
    """
    vendor = vendors.find_vendor(store, vendor)
    amount_minor, lines, inventory = complete_line_amounts(
        'A vendor credit', amount_minor, lines, inventory, 'unit_quantity'
    )
    at = parse_moment(date or store.clock() - timedelta(days=5))
    ident = store.make_new_id()
    row = {
        'id': ident,
        'accounting_date': at.date().isoformat(),
        'accounting_field_selections': render_bill_selections(header),
        'applied_bills': [],
        'applied_draft_bills': [],
        'created_at': format_iso_time(min(at, store.clock())),
        'entity_id': resolve_entity(store, entity, currency)['id'],
        'expense_line_items': [
            _build_credit_line(store, line, currency) for line in fill_line_coding(store, lines, account, analytics)
        ],
        'inventory_line_items': [
            _build_inventory_line(store, line, currency)
            for line in fill_line_coding(store, inventory, account, analytics)
        ],
        'reference_bill_id': None,
        'reference_number': f'CREDIT-{ident[:6].upper()}',
        'vendor_id': vendor['id'],
        '_currency': currency,
        '_total': amount_minor,
        '_label': label,
        '_broken': broken,
    }
    row.update(_build_credit_amounts(row))
    refuse_unknown_names('A vendor credit', row, wire_fields)
    row.update(wire_fields)
    return store['vendor_credits'].add_row(row)


def apply_vendor_credit(store, ident, bill, /, amount_minor=None):
    """Apply a credit to a bill of the vendor: as much as possible, or a part. Return the minor units used.

    `bill` may be an unknown id, as that of a draft bill.
    """
    row = store['vendor_credits'].rows[ident]
    target = store['bills'].get_row(bill)
    if amount_minor is None:
        left = row['remaining_amount']['amount']
        amount_minor = min(left, bills.compute_open_minor(target)) if target else left
    if target and target['_money']['currency'] != row['_currency']:
        raise ValueError('The credit is in another currency than the bill')
    if amount_minor > row['remaining_amount']['amount']:
        raise ValueError('The credit is too small')
    amount = money.build_currency_amount(amount_minor, row['_currency'])
    name = 'applied_bills' if target else 'applied_draft_bills'
    changes = {name: [*row[name], {'amount': amount, 'bill_id': bill}]}
    store['vendor_credits'].update_row(ident, **changes, **_build_credit_amounts({**row, **changes}))
    if target:
        store['bills'].update_row(
            bill, applied_vendor_credits=[*target['applied_vendor_credits'], {'amount': amount, 'id': ident}]
        )
        bills.refresh_bill_standing(store, bill)
    return amount_minor


def unapply_vendor_credit(store, ident, bill, /, amount_minor=None):
    """Take a credit, or a part of it, off a bill, which opens the bill again. Return the minor units taken off."""
    row, target = store['vendor_credits'].rows[ident], store['bills'].rows[bill]
    used = sum(item['amount']['amount'] for item in row['applied_bills'] if item['bill_id'] == bill)
    taken = used if amount_minor is None else amount_minor
    if not 0 < taken <= used:
        raise ValueError('So much of the credit is not applied to the bill')
    left = [{'amount': money.build_currency_amount(used - taken, row['_currency'])}] if taken < used else []
    changes = {
        'applied_bills': [
            *(item for item in row['applied_bills'] if item['bill_id'] != bill),
            *({**item, 'bill_id': bill} for item in left),
        ]
    }
    store['vendor_credits'].update_row(ident, **changes, **_build_credit_amounts({**row, **changes}))
    store['bills'].update_row(
        bill,
        applied_vendor_credits=[
            *(item for item in target['applied_vendor_credits'] if item['id'] != ident),
            *({**item, 'id': ident} for item in left),
        ],
    )
    bills.refresh_bill_standing(store, bill)
    return taken


def change_vendor_credit(store, ident, /, **changes):
    """Change a credit and return its row.

    Takes fields of the answer and these arguments of :func:`make_vendor_credit`: amount_minor, account, lines, date.
    """
    row = store['vendor_credits'].rows[ident]
    currency = row['_currency']
    if 'account' in changes or 'amount_minor' in changes and 'lines' not in changes:
        total = changes.get('amount_minor', row['_total'])
        changes.setdefault('lines', [{'amount_minor': total}])
    if 'lines' in changes:
        lines = fill_line_coding(store, changes.pop('lines'), changes.pop('account', NOT_GIVEN), None)
        changes['expense_line_items'] = [_build_credit_line(store, line, currency) for line in lines]
        changes['_total'] = changes.pop('amount_minor', None) or sum(line['amount_minor'] for line in lines)
    if 'date' in changes:
        changes['accounting_date'] = parse_moment(changes.pop('date')).date().isoformat()
    refuse_unknown_names('A vendor credit', row, changes, ('_total',))
    return store['vendor_credits'].update_row(ident, **changes, **_build_credit_amounts({**row, **changes}))


def _build_credit_amounts(row):
    used = sum(item['amount']['amount'] for name in ('applied_bills', 'applied_draft_bills') for item in row[name])
    return {
        'total_amount': money.build_currency_amount(row['_total'], row['_currency']),
        'total_applied_amount': money.build_currency_amount(used, row['_currency']),
        'remaining_amount': money.build_currency_amount(row['_total'] - used, row['_currency']),
    }


def _build_credit_line(store, line, currency):
    item = {
        'accounting_field_selections': render_bill_selections(select_payable_coding(store, line)),
        'amount': money.build_currency_amount(line['amount_minor'], line.get('currency') or currency),
    }
    if line.get('memo'):
        item['memo'] = line['memo']
    return item


def _build_inventory_line(store, line, currency):
    price = money.build_currency_amount(line['unit_price_minor'], currency)
    return {**_build_credit_line(store, line, currency), 'unit_quantity': line['unit_quantity'], 'unit_price': price}
