"""Creation, changes, files and holds of bills by the API.

A bill of the API is approved at once. There is no idempotency key: a lost answer leaves a bill, and a second request
makes a second one, with the same remote_id and number. Ramp's behaviour is unknown in some cases. The simulator takes
the harder alternative:
* What is in the books does not change any more: coding, lines, vendor, entity, number and dates of a synced bill.
* Amounts and parties of a bill that is paid, or whose payment is under way, do not change.
* A bill that lacks a field required for bills is created, but it is not ready to sync.
* An archived bill takes no changes and no files. A hold that is not there cannot be released.
"""

from ... import uploads
from ...errors import RampError, make_field_error
from ...payables import parse_midnight
from ...routes import route
from . import instructing, reading
from .making import attach_uploaded_file, change_bill, make_bill
from .paying import cancel_scheduled_payments, pay_bills, resize_scheduled_payment
from .routes import make_bill_renderer
from .standing import refresh_bill_standing

NEEDS = ('due_at', 'entity_id', 'invoice_currency', 'invoice_number', 'issued_at', 'vendor_id')
COMMON = (
    'accounting_field_selections',
    'inventory_line_items',
    'line_items',
    'memo',
    'payment_date',
    'payment_method',
    'posting_date',
    'purchase_order_ids',
    'remote_id',
    'vendor_contact_id',
    'vendor_memo',
)
MAY = (
    *COMMON,
    'attachment_id',
    'enable_accounting_sync',
    'payment_details',
    'target_payment_arrival_date',
    'use_default_payment_method',
    'use_default_vendor_contact',
)
CHANGES = (*COMMON, 'due_at', 'entity_id', 'invoice_number', 'issued_at', 'vendor_id')
# What the books have once a bill is synced.
BOOKED = (
    'accounting_field_selections',
    'entity_id',
    'inventory_line_items',
    'invoice_number',
    'issued_at',
    'line_items',
    'posting_date',
    'purchase_order_ids',
    'vendor_id',
)
# What a payment depends on.
PAID = (
    'entity_id',
    'inventory_line_items',
    'line_items',
    'payment_date',
    'payment_method',
    'vendor_contact_id',
    'vendor_id',
)


# -- creation


@route('POST', '/bills', scope='bills:write', bill_pay=True)
def post_bill(call):
    nullable = ('posting_date', 'target_payment_arrival_date')
    body, store = reading.read_bill_body(call, NEEDS, MAY, nullable), call.state
    is_synced = body.get('enable_accounting_sync', True)
    reading.check_remote_id(call, body.get('remote_id'), is_synced)
    vendor = reading.find_billing_vendor(call, body['vendor_id'])
    entity = reading.find_billing_entity(call, body['entity_id'])
    contact = _read_new_contact(call, body, vendor)
    method, plan = instructing.read_payment_plan(call, body, vendor, entity)
    currency = body['invoice_currency']
    orders = reading.find_matched_orders(call, body.get('purchase_order_ids'), vendor, currency)
    lines = {'lines': [], 'inventory': [], **reading.read_bill_lines(call, body, currency, orders, matchable=False)}
    reading.check_bill_total([*lines['lines'], *lines['inventory']])
    file = body.get('attachment_id') and reading.find_uploaded_attachment(call, body['attachment_id'])
    row = make_priced_bill(
        store,
        vendor=vendor,
        entity=entity,
        currency=currency,
        date=body['issued_at'],
        due=body['due_at'],
        posting_date=body.get('posting_date'),
        created=store.clock(),
        payment_method=method,
        header=reading.read_bill_coding(call, body.get('accounting_field_selections')),
        invoices=0,
        checks_required=True,
        vendor_contact_id=contact,
        enable_accounting_sync=is_synced,
        **lines,
        **{name: body.get(name) for name in ('invoice_number', 'memo', 'remote_id', 'vendor_memo')},
        **reading.build_order_links(store, orders),
    )
    if file:
        name = '_files' if file.get('_type') == 'FILE' else '_invoices'
        store['bills'].update_row(row['id'], **{name: [file['id']]})
    if plan:
        pay_bills(store, row['id'], method=method, **plan)
    return make_bill_renderer(call, with_trace=True)(row), 201


def make_priced_bill(store, **values):
    """Add a bill and return its row. Raise Ramp's 400 for a currency whose rate the simulator does not know."""
    try:
        return make_bill(store, **values)
    except ValueError as error:
        raise reading.refuse_body_value('invoice_currency', str(error)) from None


def _read_new_contact(call, body, vendor):
    given = body.get('vendor_contact_id')
    if body.get('use_default_vendor_contact'):
        if given is not None:
            raise make_field_error('vendor_contact_id', 'Not with use_default_vendor_contact.')
        if not vendor['contacts']:
            raise reading.refuse_body_value('use_default_vendor_contact', 'The vendor has no contact')
        return vendor['contacts'][0]
    if given is None:
        raise make_field_error('vendor_contact_id', 'Required unless use_default_vendor_contact is true.')
    return reading.find_vendor_contact(call, given, vendor)


# -- changes


@route('PATCH', '/bills/{bill_id}', scope='bills:write', bill_pay=True)
def patch_bill(call):
    """Change an approved bill. A list of lines or orders is replaced as a whole; null empties it."""
    nullable = ('payment_date', 'posting_date')
    body, row = reading.read_bill_body(call, (), CHANGES, nullable), _find_open_bill(call)
    if row['approval_status'] != 'APPROVED':
        raise RampError(400, 'DEVELOPER_7001', 'Only approved bills can be updated')
    _refuse_late_changes(row, body)
    reading.check_remote_id(call, body.get('remote_id'), row['enable_accounting_sync'])
    values = _read_bill_changes(call, row, body)
    method = body.get('payment_method', row['_method'])
    if 'payment_method' in body and method not in instructing.INSTRUCTED_METHODS:
        raise make_field_error('payment_method', 'Must be one of the allowed values.')
    if body.get('payment_date'):
        instructing.check_schedulable(call, {**row, 'vendor': values.get('vendor', row['vendor'])}, method)
    _write_bill_changes(call, row, values)
    _write_payment_changes(call, row, body, method)
    return make_bill_renderer(call, with_trace=True)(row)


def _refuse_late_changes(row, body):
    late = {}
    if row['sync_status'] != 'NOT_SYNCED':
        late.update({name: ['The bill is synced.'] for name in BOOKED if name in body})
    if any(item['state'] in ('processing', 'completed') for item in row['_payments']):
        late.update({name: ['The bill is paid, or its payment is under way.'] for name in PAID if name in body})
    if late:
        raise RampError(400, 'DEVELOPER_7001', f'The bill does not take {", ".join(late)} any more', late)


def _read_bill_changes(call, row, body):
    """Return the parameters of `change_bill` for a body."""
    currency = row['_money']['currency']
    values = {name: body[name] for name in ('invoice_number', 'memo', 'remote_id', 'vendor_memo') if name in body}
    vendor = call.state['vendors'].rows[row['vendor']['id']]
    if 'vendor_id' in body:
        vendor = reading.find_billing_vendor(call, body['vendor_id'])
        values.update(vendor=vendor, vendor_contact_id=next(iter(vendor['contacts']), None))
    if 'vendor_contact_id' in body:
        values['vendor_contact_id'] = reading.find_vendor_contact(call, body['vendor_contact_id'], vendor)
    if 'entity_id' in body:
        values['entity_id'] = reading.find_billing_entity(call, body['entity_id'])['id']
    for name, argument in (('issued_at', 'date'), ('due_at', 'due')):
        if name in body:
            values[argument] = body[name]
    if 'posting_date' in body:
        values['posting_date'] = body['posting_date']
        if body['posting_date'] is None:
            values['accounting_date'] = parse_midnight(body.get('issued_at') or row['issued_at'])
    if 'accounting_field_selections' in body:
        values['header'] = reading.read_bill_coding(call, body['accounting_field_selections'])
    orders = [call.state['purchase_orders'].rows[ident] for ident in _list_order_ids(row)]
    if 'purchase_order_ids' in body:
        orders = reading.find_matched_orders(call, body['purchase_order_ids'], vendor, currency)
        values.update(reading.build_order_links(call.state, orders))
        kept = {line['id'] for order in orders for line in order['line_items']}
        values.update({name: _drop_lost_links(row['_money'][name], kept) for name in ('lines', 'inventory')})
    values.update(reading.read_bill_lines(call, body, currency, orders))
    if 'lines' in values or 'inventory' in values:
        reading.check_bill_total(
            [line for name in ('lines', 'inventory') for line in values.get(name, row['_money'][name])]
        )
    return values


def _list_order_ids(row):
    return row['_orders'] or [ident for ident in (row['purchase_order_id'],) if ident]


def _drop_lost_links(lines, kept):
    """Return the lines without links to order lines other than those in `kept`."""
    unlinked = {'purchase_order_line_item_id': None, 'item_receipt_line_item_ids': []}
    return [line if line.get('purchase_order_line_item_id') in kept else {**line, **unlinked} for line in lines]


def _write_bill_changes(call, row, values):
    if values:
        change_bill(call.state, row['id'], **values)
        resize_scheduled_payment(call.state, row['id'])


def _write_payment_changes(call, row, body, method):
    if method != row['_method'] or 'payment_date' in body and body['payment_date'] is None:
        cancel_scheduled_payments(call.state, row['id'])
    if method != row['_method']:
        change_bill(call.state, row['id'], payment_method=method)
    if body.get('payment_date'):
        day = instructing.find_initiation_day(call.state, body['payment_date'])
        pay_bills(call.state, row['id'], status='scheduled', date=day)


def _find_open_bill(call):
    row = call.find_path_row('bills', 'bill_id')
    if row['archived_at']:
        raise RampError(400, 'DEVELOPER_7001', 'The bill is archived')
    return row


# -- files


@route('POST', '/bills/{bill_id}/attachments', scope='bills:write', bill_pay=True)
def post_bill_attachment(call):
    return answer_uploaded_file(call, 'bills', _find_open_bill(call))


def answer_uploaded_file(call, table, row):
    """Attach the file of a multipart body to a bill or draft. Ramp takes PDF files only (guide, 2026-08)."""
    kind, file = call.read_required_field('attachment_type'), call.request.files.get('file')
    if kind not in ('FILE', 'INVOICE'):
        # The schema has EMAIL and VENDOR_CREDIT too, but its description says that these two are supported.
        raise make_field_error('attachment_type', 'Must be one of the allowed values.')
    if file is None:
        raise make_field_error('file', 'Missing data for required field.')
    content = file.read()
    if not content.startswith(b'%PDF-'):
        raise reading.refuse_body_value('file', 'Only PDF files are accepted')
    if kind == 'INVOICE' and row['_invoices']:
        raise reading.refuse_body_value('attachment_type', 'The invoice is attached already')
    made = attach_uploaded_file(call.state, table, row['id'], kind, file.filename or None, content)
    return {'id': made['id']}, 201


# -- holds


@route('POST', '/bills/{bill_id}/hold', scope='bills:write', bill_pay=True)
def post_bill_hold(call):
    """Put a bill on hold. Scheduled payments lose their day. A payment under way cannot be held."""
    body = uploads.read_checked_fields(call, (), ('reason',)) if call.body is not None else {}
    if not isinstance(body.get('reason'), (str, type(None))):
        raise make_field_error('reason', 'Not a valid string.')
    row = _find_open_bill(call)
    if row['status'] == 'PAID' or any(item['state'] == 'processing' for item in row['_payments']):
        raise RampError(400, 'DEVELOPER_7001', 'The bill is paid, or its payment is under way')
    cancel_scheduled_payments(call.state, row['id'])
    call.state['bills'].update_row(row['id'], _held=True, _hold_reason=body.get('reason'), _summary=None)
    return make_bill_renderer(call, with_trace=True)(refresh_bill_standing(call.state, row['id']))


@route('POST', '/bills/{bill_id}/release', scope='bills:write', bill_pay=True)
def post_bill_release(call):
    """End the hold of a bill. Payments that it took back are not scheduled again."""
    row = _find_open_bill(call)
    if not row['_held']:
        raise RampError(400, 'DEVELOPER_7001', 'The bill is not on hold')
    call.state['bills'].update_row(row['id'], _held=False, _hold_reason=None, _summary=None)
    return make_bill_renderer(call, with_trace=True)(refresh_bill_standing(call.state, row['id']))
