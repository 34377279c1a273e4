"""/receipts"""

from .. import files
from ..listing import answer, equals, ignored, parse_bool, since, until
from ..routes import route
from ..state import Table, wire

TABLES = {"receipts": Table}
FILTERS = {
    "transaction_id": equals("transaction_id"),
    "reimbursement_id": equals("reimbursement_id"),
    "created_after": since("created_at"),
    "created_before": until("created_at"),
    "from_date": since("created_at"),
    "to_date": until("created_at"),
    "include_ocr_data": ignored(parse_bool),
}


def make(state, user_id, created_at, kind=None, filename=None, **links):
    """`links`: transaction_id or reimbursement_id. `kind`: pdf, png, jpg, bomb; None: by chance of the id."""
    return state["receipts"].add(
        {
            "id": state.new_id(),
            "created_at": created_at,
            "user_id": user_id,
            "_kind": kind,
            "_filename": filename,
            **links,
        }
    )


def _render(call):
    return lambda row: {**wire(row), "receipt_url": files.url(call, row)}


@route("GET", "/receipts", scope="receipts:read")
def index(call):
    return answer(call, "receipts", FILTERS, render=_render(call))


@route("GET", "/receipts/{receipt_id}", scope="receipts:read")
def detail(call):
    return _render(call)(call.row("receipts", "receipt_id"))
