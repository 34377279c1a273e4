"""/_simulator/ for purchase orders and receipts: actions of buyers, for other processes."""

from . import item_receipts, purchase_orders
from .admin import register_admin_route, select_queried_rows


@register_admin_route('GET', '/purchase-orders')
def list_order_rows(call):
    """List all of them, with underscore keys. Each query parameter is a field and the value it must have."""
    return {
        'data': [
            {**row, **purchase_orders.render_listed_order(call.state, row)}
            for row in select_queried_rows(call, 'purchase_orders')
        ]
    }


@register_admin_route('POST', '/purchase-orders')
def add_order_row(call):
    return purchase_orders.make_purchase_order(call.state, **(call.body or {})), 201


@register_admin_route('PATCH', '/purchase-orders/{ident}')
def change_order_row(call):
    return purchase_orders.change_purchase_order(
        call.state, call.find_path_row('purchase_orders', 'ident')['id'], **call.body
    )


@register_admin_route('POST', '/purchase-orders/{ident}/archive')
def archive_order_row(call):
    return purchase_orders.archive_purchase_order(
        call.state, call.find_path_row('purchase_orders', 'ident')['id'], **(call.body or {})
    )


@register_admin_route('GET', '/purchase-orders/{ident}/totals')
def show_order_line_totals(call):
    return {
        'lines': purchase_orders.compute_line_totals(call.state, call.find_path_row('purchase_orders', 'ident')['id'])
    }


@register_admin_route('POST', '/purchase-orders/{ident}/receipts')
def add_item_receipt_row(call):
    """Add a receipt: `{"lines"}` and the parameters of `item_receipts.make_item_receipt`."""
    return item_receipts.make_item_receipt(
        call.state, call.find_path_row('purchase_orders', 'ident')['id'], **(call.body or {})
    ), 201


@register_admin_route('POST', '/purchase-orders/{ident}/bills')
def add_bill_for_order(call):
    """Add a bill for an order: `{"quantities": {line id: quantity}}` and the parameters of `bills.make_bill`."""
    return purchase_orders.bill_purchase_order(
        call.state, call.find_path_row('purchase_orders', 'ident')['id'], **(call.body or {})
    ), 201


@register_admin_route('GET', '/item-receipts')
def list_item_receipt_rows(call):
    return {'data': select_queried_rows(call, 'item_receipts')}


@register_admin_route('DELETE', '/item-receipts/{ident}')
def remove_item_receipt_row(call):
    item_receipts.remove_item_receipt(call.state, call.find_path_row('item_receipts', 'ident')['id'])
    return None, 204
