"""/accounting/tax: rates, the tax code field and its options. They are uploaded in this order."""

from decimal import Decimal, InvalidOperation

from .. import coding, uploads
from ..errors import RampError, invalid_field, not_found
from ..routes import route


def _read_rate(state, connection, values):
    values = dict(values)
    if 'rate' in values:
        try:
            values['rate'] = format(Decimal(str(values['rate'])), 'f')
        except InvalidOperation:
            raise invalid_field('rate', 'Not a valid decimal.') from None
    if 'id' in values or 'accounting_gl_account_id' in values:
        account = state['accounts'].get(values.get('accounting_gl_account_id'))
        if account is None or not coding.in_books_of(connection)(account):
            raise RampError(400, 'DEVELOPER_7001', 'A tax rate needs the ramp_id of a GL account')
    return values


def _read_option(state, connection, values):
    rates = {
        ident: coding.find_uploaded(state, 'tax_rates', ident, connection) for ident in values.get('tax_rate_ids', ())
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
    read=_read_rate,
    active='_active',
)
CODE = uploads.Kind(
    table='tax_codes',
    what='Tax code fields',
    needs=('name',),
    may=('accounting_connection_id', 'display_name'),
    changes=('accounting_connection_id', 'display_name', 'name'),
    active='_active',
)
OPTIONS = uploads.Kind(
    table='tax_options',
    what='Tax code options',
    needs=('id', 'name'),
    may=('entity_remote_ids', 'tax_rate_ids'),
    changes=('accounting_connection_id', 'entity_remote_ids', 'name', 'tax_rate_ids'),
    filters=('remote_id', 'is_active', 'code', 'is_synced'),
    items='options',
    read=_read_option,
)


@route('GET', '/accounting/tax/rates', scope='accounting:read')
def list_rates(call):
    return uploads.answer_rows(call, RATES)


@route('POST', '/accounting/tax/rates', scope='accounting:write')
def upload_rates(call):
    return uploads.upload_rows(call, RATES, coding.add_tax_rate)


@route('PATCH', '/accounting/tax/rates/{tax_rate_id}', scope='accounting:write')
def patch_rate(call):
    return uploads.patch_row(call, RATES, 'tax_rate_id')


@route('DELETE', '/accounting/tax/rates/{tax_rate_id}', scope='accounting:write')
def delete_rate(call):
    return uploads.delete_row(call, RATES, 'tax_rate_id')


# -- the tax code field


def active_code(state, connection):
    """Return the tax code field in a connection's books, or None."""
    mine = coding.in_books_of(connection)
    return next((row for row in state['tax_codes'] if row['_active'] and mine(row)), None)


def _find_code(call, connection):
    row = active_code(call.state, connection)
    if row is None:
        raise not_found('Tax code field')
    return row


@route('GET', '/accounting/tax/code', scope='accounting:read')
def get_code(call):
    return coding.wire_renderer(call.state)(_find_code(call, uploads.named_connection(call)))


@route('POST', '/accounting/tax/code', scope='accounting:write')
def post_code(call):
    values = uploads.fields_of(call, CODE.needs, CODE.may)
    owner = uploads.writable_connection(call)
    if active_code(call.state, owner):
        raise RampError(400, 'DEVELOPER_7001', 'There is an active tax code field already')
    row = coding.add_tax_code(call.state, values['name'], values.get('display_name'), connection=owner['id'])
    return coding.wire_renderer(call.state)(row), 201


@route('PATCH', '/accounting/tax/code', scope='accounting:write')
def patch_code(call):
    values = uploads.fields_of(call, (), CODE.changes)
    owner = uploads.writable_connection(call)
    return coding.wire_renderer(call.state)(uploads.write_fields(call, CODE, _find_code(call, owner), values, owner))


@route('DELETE', '/accounting/tax/code', scope='accounting:write')
def delete_code(call):
    uploads.touch_row(call, CODE, _find_code(call, uploads.deletable_connection(call)), _active=False)
    return None, 204


# -- options of the tax code field


@route('GET', '/accounting/tax/code/options', scope='accounting:read')
def list_options(call):
    return uploads.answer_rows(call, OPTIONS)


@route('POST', '/accounting/tax/code/options', scope='accounting:write')
def upload_options(call):
    if not active_code(call.state, uploads.writable_connection(call)):
        raise RampError(400, 'DEVELOPER_7001', 'There is no active tax code field')
    return uploads.upload_rows(call, OPTIONS, coding.add_tax_option)


@route('PATCH', '/accounting/tax/code/options/{option_id}', scope='accounting:write')
def patch_option(call):
    return uploads.patch_row(call, OPTIONS, 'option_id')


@route('DELETE', '/accounting/tax/code/options/{option_id}', scope='accounting:write')
def delete_option(call):
    return uploads.delete_row(call, OPTIONS, 'option_id')
