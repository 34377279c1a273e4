"""/accounting/fields and /accounting/field-options: the custom coding fields of a client."""

import functools

from .. import coding, uploads
from ..errors import RampError, make_field_error, make_missing_error
from ..listing import parse_uuid, read_query_parameter
from ..routes import route

FIELDS = uploads.Kind(
    table='fields',
    what='Fields',
    needs=('id', 'name', 'input_type'),
    may=('accounting_connection_id', 'display_name', 'is_required_for', 'is_splittable'),
    changes=('accounting_connection_id', 'display_name', 'is_splittable', 'name'),
    filters=('remote_id', 'is_active'),
)
# What a field can be required for. This is set at creation and cannot be changed.
REQUIRING = frozenset(
    (
        'BILL',
        'BILL_PAYMENT',
        'CUSTOMER',
        'INVOICE',
        'PURCHASE_ORDER',
        'REIMBURSEMENT',
        'SPEND_PROGRAM',
        'TRANSACTION',
        'TRANSFER_LEDGER_ENTRY_MAPPING',
        'VENDOR_CREDIT',
    )
)
OPTIONS = uploads.Kind(
    table='options',
    what='Field options',
    needs=('id', 'value'),
    may=('code', 'display_name', 'entity_remote_ids'),
    changes=('code', 'display_name', 'entity_remote_ids', 'reactivate', 'value', 'visibility'),
    filters=('remote_id', 'is_active', 'code', 'visibility'),
    items='options',
    told=('accounting_connection_id', 'uploaded'),
)


@route('GET', '/accounting/fields', scope='accounting:read')
def list_accounting_fields(call):
    return uploads.answer_coding_page(call, FIELDS)


@route('POST', '/accounting/fields', scope='accounting:write')
def post_accounting_field(call):
    """Create a field. If the id exists, return the existing field, reactivated; the values given are not applied."""
    values = dict(uploads.read_checked_fields(call, FIELDS.needs, FIELDS.may))
    required = values.get('is_required_for', [])
    if not isinstance(required, list) or not REQUIRING.issuperset(map(str, required)):
        raise make_field_error('is_required_for', 'Must be one of the allowed values.')
    owner = uploads.find_writable_connection(call)
    row = coding.find_uploaded_row(call.state, 'fields', values['id'], owner)
    if row is None:
        values.pop('accounting_connection_id', None)
        row = coding.add_accounting_field(
            call.state,
            values.pop('id'),
            values.pop('name'),
            connection=owner['id'],
            **{'is_splittable': False, **values},
        )
    elif not row['is_active']:
        row = uploads.touch_coding_row(call, FIELDS, row, is_active=True)
    return coding.make_coding_renderer(call.state)(row), 201


@route('GET', '/accounting/fields/{field_id}', scope='accounting:read')
def get_accounting_field(call):
    return uploads.answer_coding_row(call, FIELDS, 'field_id')


@route('PATCH', '/accounting/fields/{field_id}', scope='accounting:write')
def patch_accounting_field(call):
    return uploads.patch_coding_row(call, FIELDS, 'field_id')


@route('DELETE', '/accounting/fields/{field_id}', scope='accounting:write')
def delete_accounting_field(call):
    return uploads.delete_coding_row(call, FIELDS, 'field_id')


# -- options


def _find_accounting_field(call, ident, owner):
    row = call.state['fields'].get_row(ident)
    if row is None or not coding.in_books_of(owner)(row):
        raise make_missing_error('Accounting field')
    return row


@route('GET', '/accounting/field-options', scope='accounting:read')
def list_field_options(call):
    ident = read_query_parameter(call, 'field_id', parse_uuid)
    if ident is None:
        raise make_field_error('field_id', 'Missing data for required field.')
    return uploads.answer_coding_page(
        call, OPTIONS, _find_accounting_field(call, ident, uploads.find_named_connection(call))['ramp_id']
    )


@route('POST', '/accounting/field-options', scope='accounting:write')
def upload_field_options(call):
    ident = call.read_required_field('field_id')
    field = _find_accounting_field(call, ident, uploads.find_writable_connection(call))
    if not field['is_active']:
        # Ramp's answer is unknown. The simulator refuses, because nobody would see these options.
        raise RampError(400, 'DEVELOPER_7001', 'The accounting field is not active')
    make = functools.partial(coding.add_field_option, field=field)
    return uploads.upload_coding_rows(call, OPTIONS, make, field['ramp_id'])


@route('GET', '/accounting/field-options/{field_option_id}', scope='accounting:read')
def get_field_option(call):
    return uploads.answer_coding_row(call, OPTIONS, 'field_option_id')


@route('PATCH', '/accounting/field-options/{field_option_id}', scope='accounting:write')
@route('PUT', '/accounting/field-options/{field_option_id}', scope='accounting:write')
def patch_field_option(call):
    return uploads.patch_coding_row(call, OPTIONS, 'field_option_id')


@route('DELETE', '/accounting/field-options/{field_option_id}', scope='accounting:write')
def delete_field_option(call):
    return uploads.delete_coding_row(call, OPTIONS, 'field_option_id')
