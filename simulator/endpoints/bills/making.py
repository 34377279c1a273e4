"""Creation, changes and archiving of bills, and the files of their invoices."""

import base64
from datetime import timedelta
from decimal import Decimal

from ... import coding, money
from ...payables import (
    NOT_GIVEN,
    complete_line_amounts,
    fill_line_coding,
    parse_midnight,
    parse_moment,
    quote_exchange_rate,
    recode_all_lines,
    refuse_unknown_names,
    render_bill_selections,
    resolve_entity,
    resolve_row,
    scale_line_amounts,
    select_payable_coding,
    sum_line_amounts,
)
from ...state import format_iso_time, make_blank_row
from .. import vendors
from .standing import compute_bill_standing

# Fields of a new bill that are empty.
UNSET = (
    'archived_at',
    'deep_link_url',
    'draft_bill_created_at',
    'draft_bill_id',
    'memo',
    'paid_at',
    'purchase_order_id',
    'remote_id',
    'vendor_memo',
    '_hold_reason',
    '_lacking',
    '_summary',
    '_synced_at',
)
EMPTY = ('applied_vendor_credits', 'invoice_urls', 'item_receipt_ids', '_files', '_invoices', '_payments')


# -- creation


def make_bill(
    store,
    /,
    *,
    vendor=None,
    amount_minor=None,
    currency=None,
    lines=None,
    inventory=(),
    account=NOT_GIVEN,
    analytics=None,
    entity=None,
    owner=None,
    date=None,
    due=None,
    posting_date=None,
    created=None,
    payment_method='ACH',
    approval_status='APPROVED',
    sync_status='NOT_SYNCED',
    fx_conversion_rate=None,
    header=(),
    invoices=1,
    held=False,
    orders=(),
    nulls=False,
    checks_required=False,
    label=None,
    broken=False,
    **wire_fields,
):
    """Add a bill and return its row. Pay it with :func:`pay_bills`.

    Amounts are minor units of `currency`, the invoice's currency (default: the entity's).

    :param vendor: a row, an id, or a name, which is created if it is new; None: the first vendor
    :param amount_minor: the total; default: the sum of the lines and the inventory
    :param lines: [{"amount_minor", and optionally "account", "tax", "vendor", "item", "analytics": {field id: option id},
        "selections", "memo", "currency", "purchase_order_line_item_id", "item_receipt_line_item_ids",
        "withheld_minor"}]; None: one line over the total less the inventory
    :param inventory: the same with "quantity" and "unit_price_minor"; "amount_minor" is optional
    :param account: the client's own id; None leaves lines uncoded; default: the first account
    :param date: date of the invoice: datetime, date or ISO text; `due` likewise (default: 30 days later)
    :param payment_method: the intended method; UNSPECIFIED: not chosen yet, and there is no payment
    :param fx_conversion_rate: from the invoice's currency to the entity's; default: the rate of the day
    :param header: selections that code the whole bill, from `coding.select_gl_account` and the like
    :param invoices: number of files, or [{"kind", "filename"}]
    :param held: the bill is on hold
    :param orders: ids of all matched purchase orders; the answer has only one of them, `purchase_order_id`
    :param nulls: answer null for empty optional fields, as Ramp's example does against its own schema
    :param checks_required: the bill is not ready to sync while a field is not coded that bills require
    :param broken: do not check the row against the contract
    :param wire_fields: any other field of the answer, with the value to give it
    """
    vendor = vendors.find_vendor(store, vendor)
    entity = resolve_entity(store, entity, currency)
    currency = currency or entity['currency']
    amount_minor, lines, inventory = complete_line_amounts('A bill', amount_minor, lines, inventory)
    row = {
        **_build_bill_parties(store, vendor, entity, owner),
        **_build_bill_days(store, date, due, posting_date, created),
        'accounting_field_selections': render_bill_selections(header),
        'approval_status': approval_status,
        'fx_conversion_rate': str(
            quote_exchange_rate(currency, entity['currency']) if fx_conversion_rate is None else fx_conversion_rate
        ),
        'sync_status': sync_status,
        '_method': payment_method,
        '_held': held,
        '_orders': list(orders),
        '_nulls': nulls,
        '_label': label,
        '_broken': broken or nulls,
    }
    row.update(
        _build_bill_amounts(
            store,
            {
                'amount_minor': amount_minor,
                'currency': currency,
                'lines': fill_line_coding(store, lines, account, analytics),
                'inventory': fill_line_coding(store, inventory, account, analytics),
            },
        )
    )
    row.update(compute_bill_standing(row))
    refuse_unknown_names('A bill', row, wire_fields)
    row.update(wire_fields, **{'_summary': wire_fields['status_summary']} if 'status_summary' in wire_fields else {})
    if checks_required:
        row['_lacking'] = _list_lacking_fields(store, row)
    store['bills'].add_row(row)
    for values in [{}] * invoices if isinstance(invoices, int) else invoices:
        attach_invoice_file(store, row['id'], **values)
    return row


def _build_bill_parties(store, vendor, entity, owner):
    """Return the identity, vendor, entity and owner fields of a new bill."""
    owner = (
        resolve_row(store['users'], owner)
        or store['users'].find_first_row(entity_id=entity['id'])
        or next(iter(store['users']))
    )
    ident = store.make_new_id()
    return {
        **make_blank_row(UNSET, EMPTY),
        'id': ident,
        'bill_owner': {'id': owner['id'], 'first_name': owner['first_name'], 'last_name': owner['last_name']},
        'enable_accounting_sync': True,
        'entity_id': entity['id'],
        'invoice_number': f'INV-{ident[:8].upper()}',
        'is_withholding_release': False,
        'vendor': {'id': vendor['id'], 'name': vendor['name']},
        'vendor_contact_id': next(iter(vendor['contacts']), None),
    }


def _build_bill_days(store, date, due, posting_date, created):
    issued = parse_moment(date or store.clock() - timedelta(days=10))
    return {
        'accounting_date': parse_midnight(posting_date or issued),
        'created_at': format_iso_time(
            min(parse_moment(created) if created else issued + timedelta(hours=9), store.clock())
        ),
        'due_at': parse_midnight(due or issued + timedelta(days=30)),
        'issued_at': parse_midnight(issued),
        'posting_date': parse_midnight(posting_date),
    }


# -- changes


def change_bill(store, ident, /, **changes):
    """Change a bill as people do in Ramp, and return its row. A bill has no time of change.

    Takes fields of the answer and these arguments of :func:`make_bill`: amount_minor, currency, lines, inventory,
    account, date, due, header, vendor, payment_method, held, orders. `invoices` is the minimum number of files. A
    status_summary given here stays until it is set to None or a payment moves.
    """
    row = store['bills'].rows[ident]
    wanted = _take_bill_amounts(row['_money'], changes)
    _rename_bill_arguments(store, changes)
    count = changes.pop('invoices', 0)
    refuse_unknown_names('A bill', row, changes, ('_held', '_method', '_orders', '_summary'))
    if wanted:
        changes.update(_build_bill_amounts(store, {**row['_money'], **wanted}))
    if row['_lacking'] is not None:
        changes['_lacking'] = _list_lacking_fields(store, {**row, **changes})
    standing = compute_bill_standing({**row, **changes})
    row = store['bills'].update_row(ident, **{**standing, **changes})
    for _ in range(count - len(row['_invoices'])):
        attach_invoice_file(store, ident)
    return row


def _take_bill_amounts(values, changes):
    """Take the changes of amounts and lines out of `changes`. Return them as complete values for `_money`."""
    wanted = {name: changes.pop(name) for name in tuple(changes) if name in values}
    if 'amount_minor' in wanted and not {'lines', 'inventory'} & set(wanted):
        rest = wanted['amount_minor'] - sum_line_amounts(values['inventory'])
        wanted['lines'] = scale_line_amounts(values['lines'] or [{'amount_minor': 0}], rest)
    elif wanted and 'amount_minor' not in wanted:
        wanted['amount_minor'] = sum(
            sum_line_amounts(wanted.get(name, values[name])) for name in ('lines', 'inventory')
        )
    if 'account' in changes:
        account = changes.pop('account')
        for name in ('lines', 'inventory'):
            wanted[name] = recode_all_lines(wanted.get(name, values[name]), account)
    return wanted


def _rename_bill_arguments(store, changes):
    """Rename the arguments of :func:`change_bill` to the fields of the row."""
    for name, field in (('date', 'issued_at'), ('due', 'due_at')):
        if name in changes:
            changes[field] = parse_midnight(changes.pop(name))
    for name in ('posting_date', 'issued_at'):
        if changes.get(name):
            changes[name] = changes['accounting_date'] = parse_midnight(changes[name])
    if 'header' in changes:
        changes['accounting_field_selections'] = render_bill_selections(changes.pop('header'))
    if 'vendor' in changes:
        vendor = vendors.find_vendor(store, changes.pop('vendor'))
        changes['vendor'] = {'id': vendor['id'], 'name': vendor['name']}
    for name, key in (
        ('payment_method', '_method'),
        ('held', '_held'),
        ('orders', '_orders'),
        ('status_summary', '_summary'),
    ):
        if name in changes:
            changes[key] = changes.pop(name)


def attach_invoice_file(store, ident, /, kind='pdf', filename=None, text=None):
    """Add a file of the invoice and return its row. `kind`: pdf, png, jpg, xml, or zip (an unwanted type)."""
    row = store['bills'].rows[ident]
    total = f'{row["_money"]["amount_minor"]} {row["_money"]["currency"]}'
    lines = text or [row['vendor']['name'], f'Invoice {row["invoice_number"]}', total]
    if row['_invoices'] and not text:
        lines.append(f'Attachment {len(row["_invoices"])}')  # files of a bill must differ
    made = store['invoices'].add_row({'id': store.make_new_id(), '_kind': kind, '_filename': filename, '_text': lines})
    store['bills'].update_row(ident, _invoices=[*row['_invoices'], made['id']])
    return made


def attach_uploaded_file(store, table, ident, /, kind, filename, content):
    """Add a PDF file that the API sent to a bill or draft, and return its row.

    Only files of the kind INVOICE are among the invoice_urls. The contract does not say what becomes of the others.
    """
    row = store[table].rows[ident]
    encoded = base64.b64encode(content).decode()  # rows are sent as JSON to other processes
    made = store['invoices'].add_row(
        {'id': store.make_new_id(), '_kind': 'pdf', '_filename': filename, '_type': kind, '_content': encoded}
    )
    name = '_invoices' if kind == 'INVOICE' else '_files'
    store[table].update_row(ident, **{name: [*row[name], made['id']]})
    return made


def archive_bill(store, ident, /):
    """Archive a bill, which is how Ramp deletes it, and return its row. Open payments are cancelled."""
    row = store['bills'].rows[ident]
    going = {item['id'] for item in row['_payments'] if item['state'] not in ('failed', 'cancelled')}
    if row['status'] == 'PAID':
        raise ValueError('The bill is paid')
    if any(item['id'] in going for other in store['bills'] if other is not row for item in other['_payments']):
        raise ValueError('The bill is in a batch payment')
    payments = [
        {**item, 'state': 'cancelled'} if item['state'] in ('scheduled', 'processing') else item
        for item in row['_payments']
    ]
    changes = {'archived_at': store.read_time(), '_payments': payments, '_summary': None}
    return store['bills'].update_row(ident, **changes, **compute_bill_standing({**row, **changes}))


def _list_lacking_fields(store, row):
    """Return the required fields that neither the bill nor each of its lines is coded with."""
    header = row['accounting_field_selections']
    lines = [*row['line_items'], *row['inventory_line_items']]
    return sorted(
        {
            ident
            for line in lines
            for ident in coding.list_missing_fields(store, 'BILL', [*header, *line['accounting_field_selections']])
        }
    )


# -- amounts in answers


def _build_bill_amounts(store, values):
    """Return the answer's fields that depend on amounts and lines, and `_money`, the values they come from."""
    return {
        'amount': money.build_currency_amount(values['amount_minor'], values['currency']),
        'line_items': [_build_bill_line(store, line, values['currency']) for line in values['lines']],
        'inventory_line_items': [
            {
                **_build_bill_line(store, line, values['currency']),
                'quantity': line['quantity'],
                'unit_price': money.build_currency_amount(
                    line['unit_price_minor'], line.get('currency') or values['currency']
                ),
            }
            for line in values['inventory']
        ],
        '_money': values,
    }


def _build_bill_line(store, line, currency):
    currency = line.get('currency') or currency
    item = {
        'accounting_field_selections': render_bill_selections(select_payable_coding(store, line)),
        'amount': money.build_currency_amount(line['amount_minor'], currency),
        'item_receipt_line_item_ids': list(line.get('item_receipt_line_item_ids') or ()),
        'purchase_order_line_item_id': line.get('purchase_order_line_item_id'),
        'withholding_line_item': None,
    }
    if line.get('memo'):
        item['memo'] = line['memo']
    if line.get('withheld_minor'):
        gross = line['amount_minor'] + line['withheld_minor']
        item['withholding_line_item'] = {
            'gross_amount': {'value': gross, 'currency': currency},
            'withholding_amount': {'value': line['withheld_minor'], 'currency': currency},
            'withholding_percentage': str(round(Decimal(line['withheld_minor']) * 100 / gross, 2)),
        }
    return item
