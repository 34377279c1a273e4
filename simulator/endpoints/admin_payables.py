"""/_simulator/ for payables: what vendors, people and accountants do in Ramp's screens, for a process outside."""

from .. import payables
from ..state import wire
from . import bills, reimbursements, repayments, vendor_credits, vendors
from .admin import _select, route


@route("GET", "/vendors")
def list_vendors(call):
    return {"data": _select(call, "vendors")}


@route("POST", "/vendors")
def add_vendor(call):
    values = dict(call.body or {})
    return vendors.make(call.state, *([values.pop("name")] if "name" in values else []), **values), 201


@route("PATCH", "/vendors/{ident}")
def change_vendor(call):
    return vendors.change(call.state, call.row("vendors", "ident")["id"], **call.body)


@route("GET", "/bills")
def list_bills(call):
    """All of them, underscore keys included; every query parameter is a field that must be equal."""
    return {"data": _select(call, "bills")}


@route("POST", "/bills")
def add_bill(call):
    return bills.make(call.state, **(call.body or {})), 201


@route("POST", "/bills/payments")
def pay_bills(call):
    """A batch: `{"ids": [...]}` and the values of `bills.pay`."""
    values = dict(call.body)
    return {"payment_id": bills.pay(call.state, values.pop("ids"), **values)}, 201


@route("PATCH", "/bills/{ident}")
def change_bill(call):
    return bills.change(call.state, call.row("bills", "ident")["id"], **call.body)


@route("POST", "/bills/{ident}/payments")
def pay_bill(call):
    bills.pay(call.state, call.row("bills", "ident")["id"], **(call.body or {}))
    return call.row("bills", "ident"), 201


@route("POST", "/bills/{ident}/archive")
def archive_bill(call):
    return bills.archive(call.state, call.row("bills", "ident")["id"])


@route("GET", "/vendor-credits")
def list_credits(call):
    return {"data": _select(call, "vendor_credits")}


@route("POST", "/vendor-credits")
def add_credit(call):
    return vendor_credits.make(call.state, **(call.body or {})), 201


@route("POST", "/vendor-credits/{ident}/applications")
def apply_credit(call):
    """`{"bill_id", "amount_minor"}`"""
    row = call.row("vendor_credits", "ident")
    vendor_credits.apply(call.state, row["id"], call.body["bill_id"], call.body.get("amount_minor"))
    return row, 201


@route("GET", "/reimbursements")
def list_reimbursements(call):
    return {"data": _select(call, "reimbursements")}


@route("POST", "/reimbursements")
def add_reimbursement(call):
    return reimbursements.make(call.state, **(call.body or {})), 201


@route("POST", "/reimbursements/payments")
def pay_reimbursements(call):
    """A batch: `{"ids": [...]}` and the values of `reimbursements.pay`."""
    values = dict(call.body)
    return {"payment_batch_id": reimbursements.pay(call.state, values.pop("ids"), **values)}, 201


@route("PATCH", "/reimbursements/{ident}")
def change_reimbursement(call):
    return reimbursements.change(call.state, call.row("reimbursements", "ident")["id"], **call.body)


@route("POST", "/reimbursements/{ident}/receipts")
def add_receipt(call):
    row = call.row("reimbursements", "ident")
    return wire(reimbursements.add_receipt(call.state, row["id"], **(call.body or {}))), 201


@route("GET", "/repayments")
def list_repayments(call):
    return {"data": _select(call, "repayments")}


@route("POST", "/repayments")
def add_repayment(call):
    return repayments.make(call.state, **(call.body or {})), 201


@route("GET", "/payables")
def totals(call):
    """`?booked=true`: only what Ramp was told is in the books."""
    booked = call.query.get("booked", "").lower() in ("1", "true")
    return {
        "payables": payables.totals(call.state, booked=booked, until=call.query.get("until")),
        "owed": payables.owed(call.state, call.query.getlist("sync_status")),
    }
