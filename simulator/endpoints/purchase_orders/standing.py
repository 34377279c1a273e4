"""The state of an order: what was received and billed, and the order as Ramp answers it."""

from ...state import wire_fields


def order_on_wire(store, row):
    """Return the order as lists and creation answer it, with the fields that depend on receipts and bills."""
    receipts = received_on(store, row['id'])
    return {
        **wire_fields(row),
        'bill_ids': [bill['id'] for bill in billed_on(store, row)],
        'billing_status': billing_status(store, row),
        'item_receipt_ids': [receipt['id'] for receipt in receipts],
        'receipt_status': receipt_status(store, row),
    }


def order_in_detail(store, row):
    """Return the order as GET by id answers it."""
    body = order_on_wire(store, row)
    lines = [{**line, 'custom_field_values': []} for line in body['line_items']]
    return {**body, 'line_items': lines, 'custom_form_collection_response': None}


def received_on(store, ident):
    """Return the receipts of an order that were not deleted."""
    return [row for row in store['item_receipts'].named(ident) if not row['archived_at']]


def billed_on(store, row):
    """Return the bills of an order that are not archived."""
    among = store['bills'].named(row['vendor_id']) if row['vendor_id'] else store['bills']
    return [bill for bill in among if bill['purchase_order_id'] == row['id'] and not bill['archived_at']]


def line_totals(store, ident):
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
    for receipt in received_on(store, ident):
        for line in receipt['line_items']:
            total = found.get(line['purchase_order_line_item_id'])
            if total:
                total['received'] += total['ordered'] if line['quantity'] is None else line['quantity']
    for bill in billed_on(store, row):
        for line in [*bill['line_items'], *bill['inventory_line_items']]:
            total = found.get(line['purchase_order_line_item_id'])
            if total:
                total['billed_minor'] += line['amount']['amount']
    return list(found.values())


def receipt_status(store, row):
    lines = line_totals(store, row['id'])
    if not any(line['received'] for line in lines):
        return 'NOT_RECEIVED'
    if any(line['received'] > line['ordered'] for line in lines):
        return 'OVER_RECEIVED'
    return 'FULLY_RECEIVED' if all(line['received'] == line['ordered'] for line in lines) else 'PARTIALLY_RECEIVED'


def billing_status(store, row):
    """Return the billing status by amount. A bill counts as a whole, even if its lines name no line of the order."""
    if row['archived_at']:
        return 'DELETED'
    if row['_closed']:
        return 'CLOSED'
    billed = sum(bill['_money']['amount_minor'] for bill in billed_on(store, row))
    if not billed:
        return 'OPEN'
    return 'FULLY_BILLED' if billed >= row['amount']['amount'] else 'PARTIALLY_BILLED'
