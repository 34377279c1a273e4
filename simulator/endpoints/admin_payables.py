"""/_simulator/ for payables: actions of vendors, users and accountants, for other processes."""

from .. import payables
from ..state import wire_fields
from . import bills, reimbursements, repayments, vendor_credits, vendors
from .admin import admin_route, select_rows


@admin_route('GET', '/vendors')
def list_vendors(call):
    return {'data': select_rows(call, 'vendors')}


@admin_route('POST', '/vendors')
def add_vendor(call):
    values = dict(call.body or {})
    return vendors.make_vendor(call.state, *([values.pop('name')] if 'name' in values else []), **values), 201


@admin_route('PATCH', '/vendors/{ident}')
def change_vendor(call):
    return vendors.change_vendor(call.state, call.row('vendors', 'ident')['id'], **call.body)


@admin_route('GET', '/bills')
def list_bills(call):
    """List all of them, with underscore keys. Each query parameter is a field and the value it must have."""
    return {'data': select_rows(call, 'bills')}


@admin_route('POST', '/bills')
def add_bill(call):
    return bills.make_bill(call.state, **(call.body or {})), 201


@admin_route('POST', '/bills/payments')
def pay_bills(call):
    """Pay several bills in one batch: `{"ids": [...]}` and the parameters of `bills.pay_bills`."""
    values = dict(call.body)
    return {'payment_id': bills.pay_bills(call.state, values.pop('ids'), **values)}, 201


@admin_route('PATCH', '/bills/{ident}')
def change_bill(call):
    return bills.change_bill(call.state, call.row('bills', 'ident')['id'], **call.body)


@admin_route('POST', '/bills/{ident}/payments')
def pay_bill(call):
    bills.pay_bills(call.state, call.row('bills', 'ident')['id'], **(call.body or {}))
    return call.row('bills', 'ident'), 201


@admin_route('POST', '/bills/{ident}/archive')
def archive_bill(call):
    return bills.archive_bill(call.state, call.row('bills', 'ident')['id'])


@admin_route('GET', '/vendor-credits')
def list_credits(call):
    return {'data': select_rows(call, 'vendor_credits')}


@admin_route('POST', '/vendor-credits')
def add_credit(call):
    return vendor_credits.make_credit(call.state, **(call.body or {})), 201


@admin_route('POST', '/vendor-credits/{ident}/applications')
def apply_credit(call):
    """Apply a credit to a bill: `{"bill_id", "amount_minor"}`."""
    row = call.row('vendor_credits', 'ident')
    vendor_credits.apply_credit(call.state, row['id'], call.body['bill_id'], call.body.get('amount_minor'))
    return row, 201


@admin_route('GET', '/reimbursements')
def list_reimbursements(call):
    return {'data': select_rows(call, 'reimbursements')}


@admin_route('POST', '/reimbursements')
def add_reimbursement(call):
    return reimbursements.make_reimbursement(call.state, **(call.body or {})), 201


@admin_route('POST', '/reimbursements/payments')
def pay_reimbursements(call):
    """Pay several in one batch: `{"ids": [...]}` and the parameters of `reimbursements.pay_reimbursements`."""
    values = dict(call.body)
    return {'payment_batch_id': reimbursements.pay_reimbursements(call.state, values.pop('ids'), **values)}, 201


@admin_route('PATCH', '/reimbursements/{ident}')
def change_reimbursement(call):
    return reimbursements.change_reimbursement(call.state, call.row('reimbursements', 'ident')['id'], **call.body)


@admin_route('POST', '/reimbursements/{ident}/receipts')
def add_receipt(call):
    row = call.row('reimbursements', 'ident')
    return wire_fields(reimbursements.add_receipt(call.state, row['id'], **(call.body or {}))), 201


@admin_route('GET', '/repayments')
def list_repayments(call):
    return {'data': select_rows(call, 'repayments')}


@admin_route('POST', '/repayments')
def add_repayment(call):
    return repayments.make_repayment(call.state, **(call.body or {})), 201


@admin_route('GET', '/payables')
def show_totals(call):
    """Return the totals per vendor. `?booked=true`: only what was reported to Ramp as synced."""
    booked = call.query.get('booked', '').lower() in ('1', 'true')
    return {
        'payables': payables.vendor_totals(call.state, booked=booked, until=call.query.get('until')),
        'owed': payables.reimbursement_totals(call.state, call.query.getlist('sync_status')),
    }
