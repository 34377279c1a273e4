"""/_simulator/ for purchase orders and receipts: what buyers do in Ramp's screens, for a process outside."""

from . import item_receipts, purchase_orders
from .admin import _select, route


@route("GET", "/purchase-orders")
def list_orders(call):
    """All of them, underscore keys included; every query parameter is a field that must be equal."""
    return {"data": [{**row, **purchase_orders.told(call.state, row)} for row in _select(call, "purchase_orders")]}


@route("POST", "/purchase-orders")
def add_order(call):
    return purchase_orders.make(call.state, **(call.body or {})), 201


@route("PATCH", "/purchase-orders/{ident}")
def change_order(call):
    return purchase_orders.change(call.state, call.row("purchase_orders", "ident")["id"], **call.body)


@route("POST", "/purchase-orders/{ident}/archive")
def archive_order(call):
    return purchase_orders.archive(call.state, call.row("purchase_orders", "ident")["id"], **(call.body or {}))


@route("GET", "/purchase-orders/{ident}/totals")
def totals(call):
    return {"lines": purchase_orders.totals(call.state, call.row("purchase_orders", "ident")["id"])}


@route("POST", "/purchase-orders/{ident}/receipts")
def add_receipt(call):
    """`{"lines"}` and the values of `item_receipts.make`."""
    return item_receipts.make(call.state, call.row("purchase_orders", "ident")["id"], **(call.body or {})), 201


@route("POST", "/purchase-orders/{ident}/bills")
def add_bill(call):
    """`{"quantities": {line id: quantity}}` and the values of `bills.make`."""
    return purchase_orders.bill(call.state, call.row("purchase_orders", "ident")["id"], **(call.body or {})), 201


@route("GET", "/item-receipts")
def list_receipts(call):
    return {"data": _select(call, "item_receipts")}


@route("DELETE", "/item-receipts/{ident}")
def remove_receipt(call):
    item_receipts.remove(call.state, call.row("item_receipts", "ident")["id"])
    return None, 204
