"""/bills/drafts: bills that a person in Ramp completes, and approves or rejects. The API can neither do so nor delete.

What a person does makes a bill with `draft_bill_id` and the remote id of the draft. Drafts cause no events; the bill
does. Ramp's behaviour is unknown in some cases. The simulator takes the harder alternative:
* A draft that became a bill, or that a person discarded, answers 404, and no list has it.
* The remote id of a draft needs an accounting connection, as that of a bill.
* A new currency needs new lines, if there are lines.
"""

from .. import files, money
from ..errors import make_field_error
from ..listing import answer_list_page
from ..payables import (
    parse_midnight,
    recode_all_lines,
    render_bill_selections,
    resolve_entity,
    scale_line_amounts,
    sum_line_amounts,
)
from ..routes import route
from ..state import Table, make_blank_row, select_wire_fields
from . import bills, vendors
from .bills import instructing, reading
from .bills.filters import SHARED_FILTERS
from .bills.writing import answer_uploaded_file

TABLES = {'draft_bills': Table}
FIELDS = (
    'accounting_field_selections',
    'due_at',
    'enable_accounting_sync',
    'entity_id',
    'inventory_line_items',
    'invoice_currency',
    'invoice_number',
    'issued_at',
    'line_items',
    'memo',
    'payment_method',
    'posting_date',
    'purchase_order_ids',
    'remote_id',
    'use_default_payment_method',
    'vendor_contact_id',
    'vendor_id',
    'vendor_memo',
)
TEXTS = ('invoice_number', 'memo', 'remote_id', 'vendor_memo')
# Fields of a new draft that are empty.
UNSET = (*TEXTS, 'accounting_date', 'amount', 'due_at', 'entity_id', 'issued_at', 'posting_date', '_contact')
EMPTY = ('inventory_line_items', 'invoice_urls', 'line_items', '_files', '_invoices', '_orders')


# -- routes


@route('GET', '/bills/drafts', scope='bills:read')
def list_draft_bills(call):
    vendor = call.query.get('vendor_id')

    def is_draft_listed(row):
        return vendor in (None, row['vendor']['id'])

    return answer_list_page(call, 'draft_bills', SHARED_FILTERS, is_draft_listed, render=_make_draft_renderer(call))


@route('GET', '/bills/drafts/{draft_bill_id}', scope='bills:read')
def get_draft_bill(call):
    return _make_draft_renderer(call)(call.find_path_row('draft_bills', 'draft_bill_id'))


@route('POST', '/bills/drafts', scope='bills:write', bill_pay=True)
def post_draft_bill(call):
    body = reading.read_bill_body(call, ('vendor_id',), FIELDS, nullable=('posting_date',))
    values = _read_draft_values(call, None, body)
    owner = next(iter(call.state['users']))
    row = {
        **make_blank_row(UNSET, EMPTY),
        'id': call.state.make_new_id(),
        'accounting_field_selections': [],
        'bill_owner': {'id': owner['id'], 'first_name': owner['first_name'], 'last_name': owner['last_name']},
        'created_at': call.state.read_time(),
        'status': 'DRAFT',
        'sync_status': 'NOT_SYNCED',
        '_synced': True,
        '_method': 'UNSPECIFIED',
        **values,
    }
    return _make_draft_renderer(call)(call.state['draft_bills'].add_row(row)), 201


@route('PATCH', '/bills/drafts/{draft_bill_id}', scope='bills:write', bill_pay=True)
def patch_draft_bill(call):
    """Change a draft. A list of lines or orders is replaced as a whole; null empties it."""
    body = reading.read_bill_body(call, (), FIELDS, nullable=('posting_date',))
    row = call.find_path_row('draft_bills', 'draft_bill_id')
    values = _read_draft_values(call, row, body)
    return _make_draft_renderer(call)(call.state['draft_bills'].update_row(row['id'], **values))


@route('POST', '/bills/drafts/{draft_bill_id}/attachments', scope='bills:write', bill_pay=True)
def post_draft_attachment(call):
    return answer_uploaded_file(call, 'draft_bills', call.find_path_row('draft_bills', 'draft_bill_id'))


# -- bodies


def _read_draft_values(call, row, body):
    """Return the fields of the row for a body. `row`: the present draft; None: a new one."""
    former = row or {'_synced': True, '_orders': [], '_money': None, 'issued_at': None, 'posting_date': None}
    values = {name: body[name] for name in TEXTS if name in body}
    values['_synced'] = body.get('enable_accounting_sync', former['_synced'])
    if 'remote_id' in body or 'enable_accounting_sync' in body:
        reading.check_remote_id(call, values.get('remote_id', former.get('remote_id')), values['_synced'])
    vendor = row and call.state['vendors'].rows[row['vendor']['id']]
    if 'vendor_id' in body:
        vendor = reading.find_billing_vendor(call, body['vendor_id'])
        values.update(vendor={'id': vendor['id'], 'name': vendor['name']}, _contact=None)
    if 'vendor_contact_id' in body:
        values['_contact'] = reading.find_vendor_contact(call, body['vendor_contact_id'], vendor)
    if 'entity_id' in body:
        values['entity_id'] = reading.find_billing_entity(call, body['entity_id'])['id']
    for name in ('due_at', 'issued_at', 'posting_date'):
        if name in body:
            values[name] = parse_midnight(body[name])
    values['accounting_date'] = values.get('posting_date', former['posting_date']) or values.get(
        'issued_at', former['issued_at']
    )
    if 'accounting_field_selections' in body:
        values['accounting_field_selections'] = render_bill_selections(
            reading.read_bill_coding(call, body['accounting_field_selections'])
        )
    values.update(_read_draft_method(body, vendor))
    values.update(_read_draft_amounts(call, former, body, vendor, values))
    return values


def _read_draft_method(body, vendor):
    if body.get('use_default_payment_method'):
        if 'payment_method' in body:
            raise make_field_error('payment_method', 'Not with use_default_payment_method.')
        return {'_method': instructing.find_default_account(vendor)['payment_method']}
    if 'payment_method' not in body:
        return {}
    if body['payment_method'] not in instructing.INSTRUCTED_METHODS:
        raise make_field_error('payment_method', 'Must be one of the allowed values.')
    return {'_method': body['payment_method']}


def _read_draft_amounts(call, former, body, vendor, values):
    """Return the fields that depend on currency, orders and lines."""
    state, known = call.state, former['_money']
    currency = body.get('invoice_currency') or known and known['currency']
    currency = currency or resolve_entity(state, values.get('entity_id'))['currency']
    known = known or {'currency': currency, 'lines': [], 'inventory': []}
    orders = [state['purchase_orders'].rows[ident] for ident in former['_orders']]
    if 'purchase_order_ids' in body:
        orders = reading.find_matched_orders(call, body['purchase_order_ids'], vendor, currency)
    found = reading.read_bill_lines(call, body, currency, orders)
    if currency != known['currency'] and any(known[name] and name not in found for name in ('lines', 'inventory')):
        raise reading.refuse_body_value('invoice_currency', 'A new currency needs new lines')
    made = {**known, 'currency': currency, **found}
    return {
        '_orders': [order['id'] for order in orders],
        '_money': made,
        'amount': money.build_currency_amount(sum_line_amounts([*made['lines'], *made['inventory']]), currency)
        if made['lines'] or made['inventory']
        else None,
        'line_items': [_build_draft_line(line, currency) for line in made['lines']],
        'inventory_line_items': [
            {
                **_build_draft_line(line, currency),
                'quantity': line['quantity'],
                'unit_price': money.build_currency_amount(line['unit_price_minor'], currency),
            }
            for line in made['inventory']
        ],
    }


def _build_draft_line(line, currency):
    return {
        'accounting_field_selections': render_bill_selections(line['selections']),
        'amount': money.build_currency_amount(line['amount_minor'], currency),
        'memo': line['memo'],
    }


def _make_draft_renderer(call):
    def render_draft_bill(row):
        return {
            **select_wire_fields(row),
            'vendor': vendors.build_bill_vendor(call.state, row['vendor']['id'], row['vendor']),
            'invoice_urls': [
                files.build_signed_url(call, call.state['invoices'].rows[ident], 'invoices')
                for ident in row['_invoices']
            ],
        }

    return render_draft_bill


# -- what people do in Ramp


def submit_draft_bill(store, ident, /, approval_status='PENDING', **changes):
    """Make a bill of a draft, as people do in Ramp, and return the bill's row.

    :param approval_status: APPROVED, PENDING, REJECTED, ...
    :param changes: what the person edits on the way: parameters of `bills.make_bill`. `amount_minor` alone scales the
        lines; `account` codes all of them. What the draft lacks gets the default of `bills.make_bill`
    """
    row = _find_waiting_draft(store, ident)
    values = {
        'vendor': row['vendor']['id'],
        'entity': row['entity_id'],
        'owner': row['bill_owner']['id'],
        'currency': row['_money']['currency'],
        'date': row['issued_at'],
        'due': row['due_at'],
        'posting_date': row['posting_date'],
        'created': store.clock(),
        'header': row['accounting_field_selections'],
        'payment_method': row['_method'],
        'invoices': 0,
        'checks_required': True,
        'enable_accounting_sync': row['_synced'],
        'draft_bill_id': ident,
        'draft_bill_created_at': row['created_at'],
        **{name: row[name] for name in TEXTS if row[name] is not None},
        **({'vendor_contact_id': row['_contact']} if row['_contact'] else {}),
        **_edit_draft_lines(row['_money'], changes),
    }
    orders = [store['purchase_orders'].rows[order] for order in row['_orders']]
    links = reading.build_order_links(store, orders)
    made = bills.make_bill(store, approval_status=approval_status, **{**values, **links, **changes})
    store['draft_bills'].update_row(ident, _withheld=True)
    return store['bills'].update_row(made['id'], _invoices=row['_invoices'], _files=row['_files'])


def approve_draft_bill(store, ident, /, **changes):
    """Approve a draft and return the row of the bill that it becomes. `changes`: see `submit_draft_bill`."""
    return submit_draft_bill(store, ident, 'APPROVED', **changes)


def reject_draft_bill(store, ident, /, **changes):
    """Reject a draft and return the row of the rejected bill that it becomes."""
    return submit_draft_bill(store, ident, 'REJECTED', **changes)


def discard_draft_bill(store, ident, /):
    """Delete a draft, which only people in Ramp can do, and return its row."""
    _find_waiting_draft(store, ident)
    return store['draft_bills'].update_row(ident, _withheld=True)


def _find_waiting_draft(store, ident):
    row = store['draft_bills'].rows[ident]
    if row.get('_withheld'):
        raise ValueError('The draft is a bill already, or was discarded')
    return row


def _edit_draft_lines(known, changes):
    """Return the lines of a draft, edited as `changes` say. Takes "account" out of them."""
    lines = {name: changes.get(name, known[name]) for name in ('lines', 'inventory')}
    if 'amount_minor' in changes and 'lines' not in changes:
        rest = changes['amount_minor'] - sum_line_amounts(lines['inventory'])
        lines['lines'] = scale_line_amounts(lines['lines'] or [{'amount_minor': 0}], rest)
    if 'account' in changes:
        account = changes.pop('account')
        lines = {name: recode_all_lines(lines[name], account) for name in lines}
    if not lines['lines'] and not lines['inventory']:
        raise ValueError('A bill needs an amount')
    return lines
