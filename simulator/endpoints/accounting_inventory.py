"""/accounting/inventory-item: the field for inventory items, and its options. One field can be active."""

from .. import coding, uploads
from ..errors import RampError
from ..routes import route
from ..single_field import SingleField


def _read_inventory_item(state, connection, values):
    ident = values.get('gl_account_id')
    if ident is not None:
        account = state['accounts'].get_row(ident)
        if account is None or not coding.in_books_of(connection)(account):
            raise RampError(400, 'DEVELOPER_7001', 'An inventory item needs the ramp_id of a GL account')
    return values


FIELD = SingleField(
    uploads.Kind(
        table='inventory_fields',
        what='Inventory item fields',
        needs=('name',),
        may=('accounting_connection_id', 'display_name'),
        changes=('accounting_connection_id', 'display_name', 'name'),
        active='_active',
    ),
    'inventory item field',
    coding.add_inventory_field,
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


@route('GET', '/accounting/inventory-item', scope='accounting:read')
def get_inventory_field(call):
    return FIELD.answer_get(call)


@route('POST', '/accounting/inventory-item', scope='accounting:write')
def post_inventory_field(call):
    return FIELD.answer_post(call)


@route('PATCH', '/accounting/inventory-item', scope='accounting:write')
def patch_inventory_field(call):
    return FIELD.answer_patch(call)


@route('DELETE', '/accounting/inventory-item', scope='accounting:write')
def delete_inventory_field(call):
    return FIELD.answer_delete(call)


# -- options


@route('GET', '/accounting/inventory-item/options', scope='accounting:read')
def list_inventory_items(call):
    return uploads.answer_coding_page(call, OPTIONS)


@route('POST', '/accounting/inventory-item/options', scope='accounting:write')
def upload_inventory_items(call):
    FIELD.require_active(call)
    return uploads.upload_coding_rows(call, OPTIONS, coding.add_inventory_item)


@route('PATCH', '/accounting/inventory-item/options/{option_id}', scope='accounting:write')
def patch_inventory_item(call):
    return uploads.patch_coding_row(call, OPTIONS, 'option_id')


@route('DELETE', '/accounting/inventory-item/options/{option_id}', scope='accounting:write')
def delete_inventory_item(call):
    return uploads.delete_coding_row(call, OPTIONS, 'option_id')
