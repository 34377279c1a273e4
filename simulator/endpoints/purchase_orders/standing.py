"""The state of an order: what was received and billed, and the order as Ramp answers it."""

from ...state import select_wire_fields


def render_listed_order(store, row):
    """Return the order as lists and creation answer it, with the fields that depend on receipts and bills."""
    receipts = list_order_receipts(store, row['id'])
    return {
        **select_wire_fields(row),
        'bill_ids': [bill['id'] for bill in list_order_bills(store, row)],
        'billing_status': compute_billing_status(store, row),
        'item_receipt_ids': [receipt['id'] for receipt in receipts],
        'receipt_status': compute_receipt_status(store, row),
    }


def render_detailed_order(store, row):
    """Return the order as GET by id answers it."""
    body = render_listed_order(store, row)
    lines = [{**line, 'custom_field_values': []} for line in body['line_items']]
    return {**body, 'line_items': lines, 'custom_form_collection_response': None}


def list_order_receipts(store, ident):
    """Return the receipts of an order that were not deleted."""
    return [row for row in store['item_receipts'].list_named_rows(ident) if not row['archived_at']]


def list_order_bills(store, row):
    """Return the bills of an order that are not archived."""
    among = store['bills'].list_named_rows(row['vendor_id']) if row['vendor_id'] else store['bills']
    return [
        bill for bill in among if row['id'] in (bill['purchase_order_id'], *bill['_orders']) and not bill['archived_at']
    ]


def compute_line_totals(store, ident):
    """Return what was received and billed for each line, in the order of the lines.

    The result is [{"id", "external_id", "ordered", "received", "billed_minor"}]. A receipt line without a quantity
    covers the whole order line.
    """
    row = store['purchase_orders'].rows[ident]
    found = {
        line['id']: {
            'id': line['id'],
            'external_id': line['external_id'],
            'ordered': line['quantity'],
            'received': 0,
            'billed_minor': 0,
        }
        for line in row['line_items']
    }
    for receipt in list_order_receipts(store, ident):
        for line in receipt['line_items']:
            total = found.get(line['purchase_order_line_item_id'])
            if total:
                total['received'] += total['ordered'] if line['quantity'] is None else line['quantity']
    for bill in list_order_bills(store, row):
        for line in [*bill['line_items'], *bill['inventory_line_items']]:
            total = found.get(line['purchase_order_line_item_id'])
            if total:
                total['billed_minor'] += line['amount']['amount']
    return list(found.values())


def compute_receipt_status(store, row):
    lines = compute_line_totals(store, row['id'])
    if not any(line['received'] for line in lines):
        return 'NOT_RECEIVED'
    if any(line['received'] > line['ordered'] for line in lines):
        return 'OVER_RECEIVED'
    return 'FULLY_RECEIVED' if all(line['received'] == line['ordered'] for line in lines) else 'PARTIALLY_RECEIVED'


def compute_billing_status(store, row):
    """Return the billing status by amount. A bill counts as a whole, even if its lines name no line of the order."""
    if row['archived_at']:
        return 'DELETED'
    if row['_closed']:
        return 'CLOSED'
    billed = sum(bill['_money']['amount_minor'] for bill in list_order_bills(store, row))
    if not billed:
        return 'OPEN'
    return 'FULLY_BILLED' if billed >= row['amount']['amount'] else 'PARTIALLY_BILLED'
