"""/_simulator/ for purchase orders and receipts: actions of buyers, for other processes."""

from . import item_receipts, purchase_orders
from .admin import admin_route, select_rows


@admin_route('GET', '/purchase-orders')
def list_orders(call):
    """List all of them, with underscore keys. Each query parameter is a field and the value it must have."""
    return {
        'data': [
            {**row, **purchase_orders.order_on_wire(call.state, row)} for row in select_rows(call, 'purchase_orders')
        ]
    }


@admin_route('POST', '/purchase-orders')
def add_order(call):
    return purchase_orders.make_order(call.state, **(call.body or {})), 201


@admin_route('PATCH', '/purchase-orders/{ident}')
def change_order(call):
    return purchase_orders.change_order(call.state, call.row('purchase_orders', 'ident')['id'], **call.body)


@admin_route('POST', '/purchase-orders/{ident}/archive')
def archive_order(call):
    return purchase_orders.archive_order(call.state, call.row('purchase_orders', 'ident')['id'], **(call.body or {}))


@admin_route('GET', '/purchase-orders/{ident}/totals')
def show_line_totals(call):
    return {'lines': purchase_orders.line_totals(call.state, call.row('purchase_orders', 'ident')['id'])}


@admin_route('POST', '/purchase-orders/{ident}/receipts')
def add_receipt(call):
    """Add a receipt: `{"lines"}` and the parameters of `item_receipts.make_item_receipt`."""
    return item_receipts.make_item_receipt(
        call.state, call.row('purchase_orders', 'ident')['id'], **(call.body or {})
    ), 201


@admin_route('POST', '/purchase-orders/{ident}/bills')
def add_bill(call):
    """Add a bill for an order: `{"quantities": {line id: quantity}}` and the parameters of `bills.make_bill`."""
    return purchase_orders.bill_order(call.state, call.row('purchase_orders', 'ident')['id'], **(call.body or {})), 201


@admin_route('GET', '/item-receipts')
def list_receipts(call):
    return {'data': select_rows(call, 'item_receipts')}


@admin_route('DELETE', '/item-receipts/{ident}')
def remove_receipt(call):
    item_receipts.remove_item_receipt(call.state, call.row('item_receipts', 'ident')['id'])
    return None, 204
