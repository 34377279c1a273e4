"""/receipts"""

from .. import files
from ..listing import answer_list, equals, ignored, parse_bool, since, until
from ..routes import route
from ..state import Table, wire_fields

TABLES = {'receipts': Table}
FILTERS = {
    'transaction_id': equals('transaction_id'),
    'reimbursement_id': equals('reimbursement_id'),
    'created_after': since('created_at'),
    'created_before': until('created_at'),
    'from_date': since('created_at'),
    'to_date': until('created_at'),
    'include_ocr_data': ignored(parse_bool),
}


def make_receipt(state, user_id, created_at, kind=None, filename=None, **links):
    """Add a receipt.

    `links`: transaction_id or reimbursement_id. `kind`: pdf, png, jpg, bomb; None: chosen from the id.
    """
    return state['receipts'].add(
        {
            'id': state.new_id(),
            'created_at': created_at,
            'user_id': user_id,
            '_kind': kind,
            '_filename': filename,
            **links,
        }
    )


def _receipt_renderer(call):
    return lambda row: {**wire_fields(row), 'receipt_url': files.signed_url(call, row)}


@route('GET', '/receipts', scope='receipts:read')
def list_receipts(call):
    return answer_list(call, 'receipts', FILTERS, render=_receipt_renderer(call))


@route('GET', '/receipts/{receipt_id}', scope='receipts:read')
def get_receipt(call):
    return _receipt_renderer(call)(call.row('receipts', 'receipt_id'))
