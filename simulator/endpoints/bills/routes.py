"""The routes of /bills, their filters, and the two sync types."""

from decimal import Decimal

from werkzeug.wrappers import Response

from ... import files, money
from ...errors import RampError
from ...listing import Filter, answer, equals, one_of, parse_bool, parse_decimal, parse_uuid, read, since, until
from ...payables import is_coded, many, parse_day, unless_false, without_empty
from ...routes import route
from ...state import wire
from .. import syncs, vendors
from .making import archive
from .standing import CARD_METHODS, shown_payment

STATUSES = ("BILL_AND_PAYMENT_SYNCED", "BILL_SYNCED", "NOT_SYNCED")
APPROVALS = ("APPROVED", "INITIALIZED", "PENDING", "REJECTED", "TERMINATED")
FILTERED_METHODS = (
    "ACH", "CARD", "CHECK", "CRYPTO_WALLET_TRANSFER", "DOMESTIC_WIRE", "INTERNATIONAL", "LOCAL_BANK_TRANSFER",
    "ONE_TIME_CARD", "ONE_TIME_CARD_DELIVERY", "PAID_MANUALLY", "SWIFT",
)
SUMMARIES = (
    "APPROVAL_PENDING", "APPROVAL_REJECTED", "ARCHIVED", "AWAITING_RELEASE", "BLOCKED", "HELD_BY_PROVIDER", "ON_HOLD",
    "PAYMENT_COMPLETED", "PAYMENT_DETAILS_MISSING", "PAYMENT_ERROR", "PAYMENT_NOT_INSTRUCTED", "PAYMENT_PROCESSING",
    "PAYMENT_READY", "PAYMENT_SCHEDULED", "PENDING_VENDOR_APPROVAL", "WAITING_FOR_TRANSACTION_MATCH",
    "WAITING_FOR_VENDOR",
)
# Left out where empty; the contract does not know null for them (its own example has it: see `nulls` of `make`).
OPTIONAL = (
    "deep_link_url", "invoice_number", "memo", "paid_at", "posting_date", "purchase_order_id", "remote_id", "vendor_memo",
)


def _payment(row, name):
    return (row["payment"] or {}).get(name)


def _by_payment_date(compare):
    """Not supported for card payments, says the contract."""
    def test(row, value):
        at = _payment(row, "payment_date")
        return bool(at) and row["payment"]["payment_method"] not in CARD_METHODS and compare(at[:10], value)
    return Filter(parse_day, test)


def _by_amount(compare):
    """In major units: that, nobody has observed."""
    return Filter(parse_decimal, lambda row, value: compare(
        Decimal(row["_money"]["amount_minor"]) / money.rate(row["_money"]["currency"]), value))


FILTERS = {
    "entity_id": equals("entity_id"),
    "customer_friendly_payment_id": Filter(str, lambda row, value: _payment(row, "customer_friendly_payment_id") == value),
    "draft_bill_id": equals("draft_bill_id"),
    "invoice_number": equals("invoice_number", str),
    "remote_id": equals("remote_id", str),
    "accounting_field_selection_id": Filter(
        parse_uuid, lambda row, value: is_coded(row, value, "line_items", "inventory_line_items")),
    "status_summaries": Filter(many(one_of(*SUMMARIES)), lambda row, values: row["status_summary"] in values),
    "payment_id": Filter(parse_uuid, lambda row, value: _payment(row, "id") == value),
    "is_accounting_sync_enabled": equals("enable_accounting_sync", parse_bool),
    "approval_status": equals("approval_status", one_of(*APPROVALS)),
    "payment_method": Filter(one_of(*FILTERED_METHODS), lambda row, value: _payment(row, "payment_method") == value),
    "payment_status": equals("status", one_of("OPEN", "PAID")),
    "sync_ready": unless_false(lambda row: "ready" in (BILL.status(row), PAYMENT.status(row))),
    "payment_details_missing": unless_false(lambda row: row["status_summary"] == "PAYMENT_DETAILS_MISSING"),
    "from_created_at": since("created_at"),
    "to_created_at": until("created_at"),
    "from_due_date": since("due_at"),
    "to_due_date": until("due_at"),
    "from_issued_date": since("issued_at"),
    "to_issued_date": until("issued_at"),
    "from_paid_at": since("paid_at"),
    "to_paid_at": until("paid_at"),
    "from_payment_date": _by_payment_date(lambda at, value: at >= value),
    "to_payment_date": _by_payment_date(lambda at, value: at <= value),
    "min_amount": _by_amount(lambda amount, value: amount >= value),
    "max_amount": _by_amount(lambda amount, value: amount <= value),
}


# -- syncs


class _BillTarget(syncs.SyncTarget):
    """The bill itself. Synced ones show a link into the books, if the client gave one."""

    done_as = ("BILL_SYNCED", "BILL_AND_PAYMENT_SYNCED")

    def status(self, row):
        if row["sync_status"] in self.done_as:
            return "done"
        if row["archived_at"]:
            return "ARCHIVED"
        if row["approval_status"] != "APPROVED":
            return row["approval_status"] or "NOT_APPROVED"
        if not row["enable_accounting_sync"]:
            return "SYNC_DISABLED"
        return self.ready_to(row)

    def ready_to(self, row):
        return "ready"

    def accept(self, state, row, item):
        values = {"deep_link_url": item["deep_link_url"]} if item.get("deep_link_url") else {}
        status = self.done_as[-1] if row["sync_status"] == "BILL_AND_PAYMENT_SYNCED" else self.done_as[0]
        state["bills"].update(row["id"], sync_status=status, _synced_at=state.now(), **values)


class _PaymentTarget(_BillTarget):
    """The payment of a bill that is in the books and fully paid."""

    done_as = ("BILL_AND_PAYMENT_SYNCED",)

    def ready_to(self, row):
        return "ready" if row["sync_status"] == "BILL_SYNCED" and row["status"] == "PAID" else row["status"]


BILL = syncs.TARGETS["BILL_SYNC"] = _BillTarget("bills")
PAYMENT = syncs.TARGETS["BILL_PAYMENT_SYNC"] = _PaymentTarget("bills")


# -- routes


@route("GET", "/bills", scope="bills:read")
def index(call):
    archived = read(call, "is_archived", parse_bool, False)
    status = read(call, "sync_status", one_of(*STATUSES))
    vendor = read(call, "vendor_id", parse_uuid)
    rows = None
    if vendor:
        rows = [row for row in call.state["bills"].named(vendor) if status in (None, row["sync_status"])]

    def where(row):
        return bool(row["archived_at"]) == archived and vendor in (None, row["vendor"]["id"])

    return answer(call, "bills", FILTERS, where, bucket=status, render=_renderer(call), among=rows)


@route("GET", "/bills/{bill_id}", scope="bills:read")
def detail(call):
    return _renderer(call, with_trace=True)(call.row("bills", "bill_id"))


@route("DELETE", "/bills/{bill_id}", scope="bills:write")
def delete(call):
    row = call.row("bills", "bill_id")
    try:
        archive(call.state, row["id"])
    except ValueError as error:
        raise RampError(400, "DEVELOPER_7001", str(error)) from None
    return None, 204


@route("GET", "/bills/{bill_id}/remittance-receipt", scope="bills:read")
def remittance_receipt(call):
    row = call.row("bills", "bill_id")
    if row["status"] != "PAID":
        raise RampError(400, "DEVELOPER_7001", "The bill is not paid")
    text = [f"Remittance for {row['invoice_number'] or row['id']}", f"Payment {_payment(row, 'id')}"]
    return Response(files.content({"id": row["id"], "_kind": "pdf", "_text": text})[1], content_type="application/pdf")


def _renderer(call, with_trace=False):
    state = call.state

    def render(row):
        body = wire(row) if row["_nulls"] else without_empty(wire(row), OPTIONAL)
        body["vendor"] = vendors.told(state, row["vendor"]["id"], row["vendor"])
        body["invoice_urls"] = [files.url(call, state["invoices"].rows[ident], "invoices") for ident in row["_invoices"]]
        shown = shown_payment(row)
        if with_trace and shown and shown["trace"]:
            body["payment"] = {**body["payment"], "trace_id": shown["trace"]}
        return body

    return render
