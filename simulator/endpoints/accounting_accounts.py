"""/accounting/accounts: the GL accounts that a client uploaded."""

from .. import coding, uploads
from ..routes import route

ACCOUNTS = uploads.Kind(
    table='accounts',
    what='GL accounts',
    needs=('id', 'name', 'classification'),
    may=('code', 'entity_remote_ids'),
    # The classification cannot be changed after the upload.
    changes=('accounting_connection_id', 'code', 'entity_remote_ids', 'name', 'reactivate', 'visibility'),
    filters=('remote_id', 'is_active', 'code', 'is_synced'),
    items='gl_accounts',
    told=('accounting_connection_id', 'uploaded'),
    exists='DEVELOPER_7020',
)


@route('GET', '/accounting/accounts', scope='accounting:read')
def list_gl_accounts(call):
    return uploads.answer_coding_page(call, ACCOUNTS)


@route('POST', '/accounting/accounts', scope='accounting:write')
def upload_gl_accounts(call):
    return uploads.upload_coding_rows(call, ACCOUNTS, coding.add_gl_account)


@route('GET', '/accounting/accounts/{gl_account_id}', scope='accounting:read')
def get_gl_account(call):
    return uploads.answer_coding_row(call, ACCOUNTS, 'gl_account_id')


@route('PATCH', '/accounting/accounts/{gl_account_id}', scope='accounting:write')
def patch_gl_account(call):
    return uploads.patch_coding_row(call, ACCOUNTS, 'gl_account_id')


@route('DELETE', '/accounting/accounts/{gl_account_id}', scope='accounting:write')
def delete_gl_account(call):
    return uploads.delete_coding_row(call, ACCOUNTS, 'gl_account_id')
