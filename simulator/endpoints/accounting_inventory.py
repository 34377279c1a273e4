"""/accounting/inventory-item: the field for inventory items, and its options. One field can be active."""

from .. import coding, uploads
from ..errors import RampError, make_missing_error
from ..routes import route


def _read_inventory_item(state, connection, values):
    ident = values.get('gl_account_id')
    if ident is not None:
        account = state['accounts'].get_row(ident)
        if account is None or not coding.in_books_of(connection)(account):
            raise RampError(400, 'DEVELOPER_7001', 'An inventory item needs the ramp_id of a GL account')
    return values


FIELD = uploads.Kind(
    table='inventory_fields',
    what='Inventory item fields',
    needs=('name',),
    may=('accounting_connection_id', 'display_name'),
    changes=('accounting_connection_id', 'display_name', 'name'),
    active='_active',
)
OPTIONS = uploads.Kind(
    table='inventory_items',
    what='Inventory item options',
    needs=('id', 'name'),
    may=('entity_remote_ids', 'gl_account_id'),
    changes=('accounting_connection_id', 'entity_remote_ids', 'gl_account_id', 'name', 'reactivate'),
    filters=('remote_id', 'is_active', 'code', 'is_synced'),
    items='options',
    read=_read_inventory_item,
)


def _require_active_field(call, connection):
    row = coding.find_active_inventory_field(call.state, connection)
    if row is None:
        raise make_missing_error('Inventory item field')
    return row


@route('GET', '/accounting/inventory-item', scope='accounting:read')
def get_inventory_field(call):
    return coding.make_coding_renderer(call.state)(_require_active_field(call, uploads.find_named_connection(call)))


@route('POST', '/accounting/inventory-item', scope='accounting:write')
def post_inventory_field(call):
    values = uploads.read_checked_fields(call, FIELD.needs, FIELD.may)
    owner = uploads.find_writable_connection(call)
    if coding.find_active_inventory_field(call.state, owner):
        raise RampError(400, 'DEVELOPER_7001', 'There is an active inventory item field already')
    row = coding.add_inventory_field(call.state, values['name'], values.get('display_name'), connection=owner['id'])
    return coding.make_coding_renderer(call.state)(row), 201


@route('PATCH', '/accounting/inventory-item', scope='accounting:write')
def patch_inventory_field(call):
    values = uploads.read_checked_fields(call, (), FIELD.changes)
    owner = uploads.find_writable_connection(call)
    return coding.make_coding_renderer(call.state)(
        uploads.write_coding_fields(call, FIELD, _require_active_field(call, owner), values, owner)
    )


@route('DELETE', '/accounting/inventory-item', scope='accounting:write')
def delete_inventory_field(call):
    """Delete the field softly. Its options stay, and a later field has them again."""
    row = _require_active_field(call, uploads.find_deletable_connection(call))
    uploads.touch_coding_row(call, FIELD, row, _active=False)
    return None, 204


# -- options


@route('GET', '/accounting/inventory-item/options', scope='accounting:read')
def list_inventory_items(call):
    return uploads.answer_coding_page(call, OPTIONS)


@route('POST', '/accounting/inventory-item/options', scope='accounting:write')
def upload_inventory_items(call):
    if not coding.find_active_inventory_field(call.state, uploads.find_writable_connection(call)):
        raise RampError(400, 'DEVELOPER_7001', 'There is no active inventory item field')
    return uploads.upload_coding_rows(call, OPTIONS, coding.add_inventory_item)


@route('PATCH', '/accounting/inventory-item/options/{option_id}', scope='accounting:write')
def patch_inventory_item(call):
    return uploads.patch_coding_row(call, OPTIONS, 'option_id')


@route('DELETE', '/accounting/inventory-item/options/{option_id}', scope='accounting:write')
def delete_inventory_item(call):
    return uploads.delete_coding_row(call, OPTIONS, 'option_id')
