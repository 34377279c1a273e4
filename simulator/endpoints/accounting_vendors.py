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
def list_accounting_vendors(call):
    return uploads.answer_coding_page(call, VENDORS)


@route('POST', '/accounting/vendors', scope='accounting:write')
def upload_accounting_vendors(call):
    return uploads.upload_coding_rows(call, VENDORS, coding.add_accounting_vendor)


@route('GET', '/accounting/vendors/{vendor_id}', scope='accounting:read')
def get_accounting_vendor(call):
    return uploads.answer_coding_row(call, VENDORS, 'vendor_id')


@route('PATCH', '/accounting/vendors/{vendor_id}', scope='accounting:write')
def patch_accounting_vendor(call):
    return uploads.patch_coding_row(call, VENDORS, 'vendor_id')


@route('DELETE', '/accounting/vendors/{vendor_id}', scope='accounting:write')
def delete_accounting_vendor(call):
    return uploads.delete_coding_row(call, VENDORS, 'vendor_id')
