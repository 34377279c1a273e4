"""/accounting/tax: rates, the tax code field and its options. They are uploaded in this order."""

from decimal import Decimal, InvalidOperation

from .. import coding, uploads
from ..errors import RampError, make_field_error
from ..routes import route
from ..single_field import SingleField


def _read_tax_rate(state, connection, values):
    values = dict(values)
    if 'rate' in values:
        try:
            values['rate'] = format(Decimal(str(values['rate'])), 'f')
        except InvalidOperation:
            raise make_field_error('rate', 'Not a valid decimal.') from None
    if 'id' in values or 'accounting_gl_account_id' in values:
        account = state['accounts'].get_row(values.get('accounting_gl_account_id'))
        if account is None or not coding.in_books_of(connection)(account):
            raise RampError(400, 'DEVELOPER_7001', 'A tax rate needs the ramp_id of a GL account')
    return values


def _read_tax_option(state, connection, values):
    rates = {
        ident: coding.find_uploaded_row(state, 'tax_rates', ident, connection)
        for ident in values.get('tax_rate_ids', ())
    }
    unknown = [ident for ident, rate in rates.items() if not rate or not rate['_active']]
    if unknown:
        raise RampError(400, 'DEVELOPER_7001', f'Unknown tax rates: {", ".join(unknown)}')
    return values


RATES = uploads.Kind(
    table='tax_rates',
    what='Tax rates',
    needs=('id', 'name', 'rate'),
    may=('accounting_gl_account_id',),
    changes=('accounting_connection_id', 'accounting_gl_account_id', 'name', 'rate'),
    items='tax_rates',
    told=('accounting_connection_id',),
    read=_read_tax_rate,
    active='_active',
)
CODE = SingleField(
    uploads.Kind(
        table='tax_codes',
        what='Tax code fields',
        needs=('name',),
        may=('accounting_connection_id', 'display_name'),
        changes=('accounting_connection_id', 'display_name', 'name'),
        active='_active',
    ),
    'tax code field',
    coding.add_tax_code,
)
OPTIONS = uploads.Kind(
    table='tax_options',
    what='Tax code options',
    needs=('id', 'name'),
    may=('entity_remote_ids', 'tax_rate_ids'),
    changes=('accounting_connection_id', 'entity_remote_ids', 'name', 'tax_rate_ids'),
    filters=('remote_id', 'is_active', 'code', 'is_synced'),
    items='options',
    read=_read_tax_option,
)


@route('GET', '/accounting/tax/rates', scope='accounting:read')
def list_tax_rates(call):
    return uploads.answer_coding_page(call, RATES)


@route('POST', '/accounting/tax/rates', scope='accounting:write')
def upload_tax_rates(call):
    return uploads.upload_coding_rows(call, RATES, coding.add_tax_rate)


@route('PATCH', '/accounting/tax/rates/{tax_rate_id}', scope='accounting:write')
def patch_tax_rate(call):
    return uploads.patch_coding_row(call, RATES, 'tax_rate_id')


@route('DELETE', '/accounting/tax/rates/{tax_rate_id}', scope='accounting:write')
def delete_tax_rate(call):
    return uploads.delete_coding_row(call, RATES, 'tax_rate_id')


# -- the tax code field


@route('GET', '/accounting/tax/code', scope='accounting:read')
def get_tax_code(call):
    return CODE.answer_get(call)


@route('POST', '/accounting/tax/code', scope='accounting:write')
def post_tax_code(call):
    return CODE.answer_post(call)


@route('PATCH', '/accounting/tax/code', scope='accounting:write')
def patch_tax_code(call):
    return CODE.answer_patch(call)


@route('DELETE', '/accounting/tax/code', scope='accounting:write')
def delete_tax_code(call):
    return CODE.answer_delete(call)


# -- options of the tax code field


@route('GET', '/accounting/tax/code/options', scope='accounting:read')
def list_tax_options(call):
    return uploads.answer_coding_page(call, OPTIONS)


@route('POST', '/accounting/tax/code/options', scope='accounting:write')
def upload_tax_options(call):
    CODE.require_active(call)
    return uploads.upload_coding_rows(call, OPTIONS, coding.add_tax_option)


@route('PATCH', '/accounting/tax/code/options/{option_id}', scope='accounting:write')
def patch_tax_option(call):
    return uploads.patch_coding_row(call, OPTIONS, 'option_id')


@route('DELETE', '/accounting/tax/code/options/{option_id}', scope='accounting:write')
def delete_tax_option(call):
    return uploads.delete_coding_row(call, OPTIONS, 'option_id')
