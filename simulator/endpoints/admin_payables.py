"""/_simulator/ for payables: actions of vendors, users and accountants, for other processes."""

from .. import payables
from ..state import select_wire_fields
from . import bills, draft_bills, reimbursements, repayments, vendor_credits, vendors
from .admin import register_admin_route, select_queried_rows


@register_admin_route('GET', '/vendors')
def list_vendor_rows(call):
    return {'data': select_queried_rows(call, 'vendors')}


@register_admin_route('POST', '/vendors')
def add_vendor_row(call):
    values = dict(call.body or {})
    return vendors.make_vendor(call.state, *([values.pop('name')] if 'name' in values else []), **values), 201


@register_admin_route('PATCH', '/vendors/{ident}')
def change_vendor_row(call):
    return vendors.change_vendor(call.state, call.find_path_row('vendors', 'ident')['id'], **call.body)


@register_admin_route('GET', '/bills')
def list_bill_rows(call):
    """List all of them, with underscore keys. Each query parameter is a field and the value it must have."""
    return {'data': select_queried_rows(call, 'bills')}


@register_admin_route('POST', '/bills')
def add_bill_row(call):
    return bills.make_bill(call.state, **(call.body or {})), 201


@register_admin_route('POST', '/bills/payments')
def pay_bill_rows(call):
    """Pay several bills in one batch: `{"ids": [...]}` and the parameters of `bills.pay_bills`."""
    values = dict(call.body)
    return {'payment_id': bills.pay_bills(call.state, values.pop('ids'), **values)}, 201


@register_admin_route('PATCH', '/bills/{ident}')
def change_bill_row(call):
    return bills.change_bill(call.state, call.find_path_row('bills', 'ident')['id'], **call.body)


@register_admin_route('POST', '/bills/{ident}/payments')
def pay_bill_row(call):
    bills.pay_bills(call.state, call.find_path_row('bills', 'ident')['id'], **(call.body or {}))
    return call.find_path_row('bills', 'ident'), 201


@register_admin_route('POST', '/bills/{ident}/archive')
def archive_bill_row(call):
    return bills.archive_bill(call.state, call.find_path_row('bills', 'ident')['id'])


@register_admin_route('GET', '/draft-bills')
def list_draft_rows(call):
    return {'data': select_queried_rows(call, 'draft_bills')}


@register_admin_route('POST', '/draft-bills/{ident}/submit')
def submit_draft_row(call):
    """Make a bill of a draft: `{"approval_status": "APPROVED"}` and what the person edits on the way."""
    row = call.find_path_row('draft_bills', 'ident')
    return draft_bills.submit_draft_bill(call.state, row['id'], **(call.body or {})), 201


@register_admin_route('POST', '/draft-bills/{ident}/discard')
def discard_draft_row(call):
    return draft_bills.discard_draft_bill(call.state, call.find_path_row('draft_bills', 'ident')['id'])


@register_admin_route('GET', '/vendor-credits')
def list_credit_rows(call):
    return {'data': select_queried_rows(call, 'vendor_credits')}


@register_admin_route('POST', '/vendor-credits')
def add_credit_row(call):
    return vendor_credits.make_vendor_credit(call.state, **(call.body or {})), 201


@register_admin_route('POST', '/vendor-credits/{ident}/applications')
def apply_credit_row(call):
    """Apply a credit to a bill: `{"bill_id", "amount_minor"}`."""
    row = call.find_path_row('vendor_credits', 'ident')
    vendor_credits.apply_vendor_credit(call.state, row['id'], call.body['bill_id'], call.body.get('amount_minor'))
    return row, 201


@register_admin_route('GET', '/reimbursements')
def list_reimbursement_rows(call):
    return {'data': select_queried_rows(call, 'reimbursements')}


@register_admin_route('POST', '/reimbursements')
def add_reimbursement_row(call):
    return reimbursements.make_reimbursement(call.state, **(call.body or {})), 201


@register_admin_route('POST', '/reimbursements/payments')
def pay_reimbursement_rows(call):
    """Pay several in one batch: `{"ids": [...]}` and the parameters of `reimbursements.pay_reimbursements`."""
    values = dict(call.body)
    return {'payment_batch_id': reimbursements.pay_reimbursements(call.state, values.pop('ids'), **values)}, 201


@register_admin_route('PATCH', '/reimbursements/{ident}')
def change_reimbursement_row(call):
    return reimbursements.change_reimbursement(
        call.state, call.find_path_row('reimbursements', 'ident')['id'], **call.body
    )


@register_admin_route('POST', '/reimbursements/{ident}/receipts')
def add_reimbursement_receipt(call):
    row = call.find_path_row('reimbursements', 'ident')
    return select_wire_fields(
        reimbursements.attach_reimbursement_receipt(call.state, row['id'], **(call.body or {}))
    ), 201


@register_admin_route('GET', '/repayments')
def list_repayment_rows(call):
    return {'data': select_queried_rows(call, 'repayments')}


@register_admin_route('POST', '/repayments')
def add_repayment_row(call):
    return repayments.make_repayment(call.state, **(call.body or {})), 201


@register_admin_route('GET', '/payables')
def show_vendor_totals(call):
    """Return the totals per vendor. `?booked=true`: only what was reported to Ramp as synced."""
    booked = call.query.get('booked', '').lower() in ('1', 'true')
    return {
        'payables': payables.compute_vendor_totals(call.state, booked=booked, until=call.query.get('until')),
        'owed': payables.compute_reimbursement_totals(call.state, call.query.getlist('sync_status')),
    }
