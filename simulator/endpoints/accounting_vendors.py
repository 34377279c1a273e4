"""/accounting/vendors: vendors as coding values. Vendors that get paid are other objects; see /vendors."""

from .. import coding, uploads
from ..routes import route

VENDORS = uploads.Kind(
    table='accounting_vendors',
    what='Vendors',
    needs=('id', 'name'),
    may=('code', 'entity_remote_ids'),
    changes=('accounting_connection_id', 'code', 'entity_remote_ids', 'name', 'reactivate'),
    filters=('remote_id', 'is_active', 'code', 'is_synced'),
    items='vendors',
    told=('uploaded',),
)


@route('GET', '/accounting/vendors', scope='accounting:read')
def list_vendors(call):
    return uploads.answer_rows(call, VENDORS)


@route('POST', '/accounting/vendors', scope='accounting:write')
def upload_vendors(call):
    return uploads.upload_rows(call, VENDORS, coding.add_vendor)


@route('GET', '/accounting/vendors/{vendor_id}', scope='accounting:read')
def get_vendor(call):
    return uploads.answer_row(call, VENDORS, 'vendor_id')


@route('PATCH', '/accounting/vendors/{vendor_id}', scope='accounting:write')
def patch_vendor(call):
    return uploads.patch_row(call, VENDORS, 'vendor_id')


@route('DELETE', '/accounting/vendors/{vendor_id}', scope='accounting:write')
def delete_vendor(call):
    return uploads.delete_row(call, VENDORS, 'vendor_id')
