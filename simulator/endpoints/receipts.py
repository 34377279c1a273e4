"""/receipts"""

from .. import files
from ..listing import (
    answer_list_page,
    filter_by_value,
    filter_from_time,
    filter_until_time,
    filter_without_effect,
    parse_bool,
)
from ..routes import route
from ..state import Table, select_wire_fields

TABLES = {'receipts': Table}
FILTERS = {
    'transaction_id': filter_by_value('transaction_id'),
    'reimbursement_id': filter_by_value('reimbursement_id'),
    'created_after': filter_from_time('created_at'),
    'created_before': filter_until_time('created_at'),
    'from_date': filter_from_time('created_at'),
    'to_date': filter_until_time('created_at'),
    'include_ocr_data': filter_without_effect(parse_bool),
}


def make_receipt(state, user_id, created_at, kind=None, filename=None, **links):
    """Add a receipt.

    `links`: transaction_id or reimbursement_id. `kind`: pdf, png, jpg, bomb; None: chosen from the id.
    """
    return state['receipts'].add_row(
        {
            'id': state.make_new_id(),
            'created_at': created_at,
            'user_id': user_id,
            '_kind': kind,
            '_filename': filename,
            **links,
        }
    )


def _make_receipt_renderer(call):
    return lambda row: {**select_wire_fields(row), 'receipt_url': files.build_signed_url(call, row)}


@route('GET', '/receipts', scope='receipts:read')
def list_receipts(call):
    return answer_list_page(call, 'receipts', FILTERS, render=_make_receipt_renderer(call))


@route('GET', '/receipts/{receipt_id}', scope='receipts:read')
def get_receipt(call):
    return _make_receipt_renderer(call)(call.find_path_row('receipts', 'receipt_id'))
