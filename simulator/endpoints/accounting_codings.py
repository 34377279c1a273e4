"""POST /accounting/codings: code a transaction. Fields and options are named by their ramp_id.

A coding replaces the selection of its field on each line. Ramp's behaviour is unknown in some cases. The simulator
refuses a synced transaction, an unknown object with 400 (the contract names no other status), and a field named twice.
"""

from .. import coding, uploads
from ..errors import RampError, make_field_error
from ..routes import route
from . import transactions

NEEDS = ('accounting_coding_selections', 'object_id', 'object_type')
SELECTION_MAY = ('accounting_field_option_id', 'free_form_text')


@route('POST', '/accounting/codings', scope='accounting:write')
def post_coding(call):
    body, state = uploads.read_checked_fields(call, NEEDS, ()), call.state
    if body['object_type'] != 'TRANSACTION':
        raise make_field_error('object_type', 'Must be one of the allowed values.')
    owner = uploads.find_writable_connection(call)
    row = state['transactions'].get_row(body['object_id'])
    if row is None:
        raise RampError(400, 'DEVELOPER_7001', f'Unknown transaction {body["object_id"]}')
    if row['sync_status'] == 'SYNCED':
        raise RampError(400, 'DEVELOPER_7001', 'The transaction is synced')
    made = [_read_selection(state, owner, item) for item in body['accounting_coding_selections']]
    fields = [selection['category_info']['external_id'] for selection in made]
    if len(set(fields)) < len(fields):
        raise make_field_error('accounting_coding_selections', 'A field is named twice.')
    lines = [
        {
            **line,
            'selections': [
                *(
                    selection
                    for selection in transactions.select_transaction_coding(state, line)
                    if selection['category_info']['external_id'] not in fields
                ),
                *made,
            ],
        }
        for line in row['_money']['lines']
    ]
    changes = {'requires_accounting_vendor_creation_to_sync': False} if coding.MERCHANT in fields else {}
    transactions.change_transaction(state, row['id'], lines=lines, **changes)
    return body, 201


def _read_selection(state, owner, item):
    wrong = uploads.list_field_complaints(item, ('accounting_field_id',), SELECTION_MAY)
    if wrong or (item.get('accounting_field_option_id') is None) == (item.get('free_form_text') is None):
        text = 'Needs accounting_field_id, and either accounting_field_option_id or free_form_text.'
        raise make_field_error('accounting_coding_selections', text)
    field, table = coding.find_coded_field(state, item['accounting_field_id'], owner)
    if item.get('free_form_text') is not None:
        return coding.read_free_text(state, field, item['free_form_text'], owner)
    option = state[table].get_row(item['accounting_field_option_id'])
    is_mine = option is not None and coding.in_books_of(owner)(option) and option['is_active']
    if not is_mine or table == 'options' and option['_field'] != item['accounting_field_id']:
        raise RampError(400, 'DEVELOPER_7123', f'Unknown field option {item["accounting_field_option_id"]}')
    wanted = {'field_external_id': field, 'field_option_external_id': option['id']}
    return coding.read_coding_selections(state, [wanted])[0]
