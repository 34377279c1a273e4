"""Derive webhook events from changes of rows.

There are no events for new vendors, cashbacks, transfers, statements, repayments or deleted receipts.
"""

from .endpoints import syncs
from .state import select_wire_fields

EVENT_TYPES = (
    'applications.status_updated',
    'bills.approved',
    'bills.archived',
    'bills.created',
    'bills.paid',
    'bills.ready_to_sync',
    'bills.rejected',
    'bills.updated',
    'entities.created',
    'item_receipts.created',
    'payments.updated',
    'purchase_orders.archived',
    'purchase_orders.created',
    'purchase_orders.updated',
    'reimbursements.batch_payment_reimbursed',
    'reimbursements.ready_for_review',
    'reimbursements.ready_to_sync',
    'reimbursements.sync_requested',
    'spend_requests.comment_created',
    'spend_requests.created',
    'tests.test_event',
    'transactions.all_requirements_met_and_approved_changed',
    'transactions.authorized',
    'transactions.body_coding_updated',
    'transactions.cleared',
    'transactions.declined',
    'transactions.ready_for_review',
    'transactions.ready_to_sync',
    'transactions.receipt_added',
    'transactions.sync_requested',
    'transactions.synced',
    'unified_requests.created',
    'unified_requests.external_approval_request',
    'unified_requests.external_approval_request_reset',
    'unified_requests.modified',
    'unified_requests.node_advanced',
    'unified_requests.override_approved',
    'unified_requests.updated',
    'users.invite_accepted',
    'vendor_agreements.archived',
    'vendor_agreements.created',
    'vendor_agreements.deleted',
    'vendor_agreements.document_added',
    'vendor_agreements.updated',
    'vendors.activated',
    'vendors.approved',
    'vendors.updated',
    'webhooks.verification',
)
# The scope that a token needs to subscribe to a family of events. Families not listed need none.
EVENT_SCOPES = {
    'applications': 'applications:read',
    'bills': 'bills:read',
    'entities': 'entities:read',
    'item_receipts': 'item_receipts:read',
    'payments': 'bills:read',
    'purchase_orders': 'purchase_orders:read',
    'reimbursements': 'reimbursements:read',
    'spend_requests': 'spend_requests:read',
    'transactions': 'transactions:read',
    'unified_requests': 'unified_requests:read',
    'users': 'users:read',
    'vendor_agreements': 'vendors:read',
    'vendors': 'vendors:read',
}
NOBODY = {}  # the former state of a new row


def has_field_become(old, row, name, *values):
    """Return whether the field has one of these values now and had none of them before."""
    return row.get(name) in values and old.get(name) not in values


def has_answer_changed(old, row, *names):
    return any(old.get(name) != row.get(name) for name in names)


def was_object_edited(old, row, but=()):
    """Return whether a field of the answer changed, other than those in `but`."""
    if not old:
        return False
    left_out = {'updated_at', *but}
    return any(old.get(name) != value for name, value in select_wire_fields(row).items() if name not in left_out)


def _list_coding_selections(row):
    return [line.get('accounting_field_selections') for line in row.get('line_items') or ()], row.get(
        'accounting_field_selections'
    )


def _list_transaction_events(old, row):
    if not old and row['state'] not in ('DECLINED', 'ERROR'):
        yield 'transactions.authorized'
    if has_field_become(old, row, 'state', 'DECLINED'):
        yield 'transactions.declined'
    if has_field_become(old, row, 'state', 'CLEARED'):
        yield 'transactions.cleared'
        if row['sync_status'] == 'NOT_SYNC_READY':
            yield 'transactions.ready_for_review'
    if old and has_answer_changed(old, row, 'all_requirements_met_and_approved'):
        yield 'transactions.all_requirements_met_and_approved_changed'
    if old and _list_coding_selections(old) != _list_coding_selections(row):
        yield 'transactions.body_coding_updated'
    if len(row['receipts'] or ()) > len(old.get('receipts') or ()):
        yield 'transactions.receipt_added'
    if has_field_become(old, row, 'sync_status', 'SYNC_READY'):
        yield 'transactions.ready_to_sync'
    if has_field_become(old, row, 'sync_status', 'SYNCED'):
        yield 'transactions.synced'


def _list_bill_events(old, row):
    if not old:
        yield 'bills.created'
    if has_field_become(old, row, 'approval_status', 'APPROVED'):
        yield 'bills.approved'
    if has_field_become(old, row, 'approval_status', 'REJECTED', 'TERMINATED'):
        yield 'bills.rejected'
    archived = bool(row['archived_at']) and not old.get('archived_at')
    if archived:
        yield 'bills.archived'
    payment = row.get('payment') or {}
    if has_answer_changed(old, row, 'payment') and payment.get('id'):
        yield 'payments.updated', payment['id']
    if has_field_become(old, row, 'status', 'PAID'):
        yield 'bills.paid'
    # Approvals and payments are not updates.
    if not archived and was_object_edited(
        old,
        row,
        (
            'applied_vendor_credits',
            'approval_status',
            'archived_at',
            'deep_link_url',
            'paid_at',
            'payment',
            'status',
            'status_summary',
            'sync_status',
            'synced_at',
        ),
    ):
        yield 'bills.updated'
    for target in (syncs.TARGETS['BILL_SYNC'], syncs.TARGETS['BILL_PAYMENT_SYNC']):
        if target.read_sync_state(row) == 'ready' and not (old and target.read_sync_state(old) == 'ready'):
            yield 'bills.ready_to_sync'


def _list_reimbursement_events(old, row):
    if has_field_become(old, row, 'state', 'PENDING'):
        yield 'reimbursements.ready_for_review'
    if has_field_become(old, row, 'sync_status', 'SYNC_READY'):
        yield 'reimbursements.ready_to_sync'
    if row['payment_batch_id'] and row['payment_processed_at'] and not old.get('payment_processed_at'):
        yield 'reimbursements.batch_payment_reimbursed', row['payment_batch_id']


def _list_vendor_events(old, row):
    if old and has_field_become(old, row, 'is_active', True):
        yield 'vendors.activated'
    if old and has_field_become(old['_detail'], row['_detail'], 'approval_status', 'APPROVED'):
        yield 'vendors.approved'
    # Changes of contacts cause no event. The contacts of a new vendor are added after it.
    if was_object_edited(old, row, ('contacts', 'default_payment_method', 'is_active')):
        yield 'vendors.updated'


def _list_purchase_order_events(old, row):
    if not old:
        yield 'purchase_orders.created'
    elif row['archived_at'] and not old['archived_at']:
        yield 'purchase_orders.archived'
    elif was_object_edited(old, row) or has_answer_changed(old, row, '_approved', '_closed'):
        yield 'purchase_orders.updated'


def _list_user_events(old, row):
    if (
        old
        and old['status'] in ('INVITE_EXPIRED', 'INVITE_PENDING')
        and row['status'] in ('USER_ACTIVE', 'USER_ONBOARDING')
    ):
        yield 'users.invite_accepted'


def _make_creation_lister(kind):
    def list_creation_event(old, row):
        if not old:
            yield kind

    return list_creation_event


EVENTS_OF_TABLE = {
    'bills': _list_bill_events,
    'entities': _make_creation_lister('entities.created'),
    'item_receipts': _make_creation_lister('item_receipts.created'),
    'purchase_orders': _list_purchase_order_events,
    'reimbursements': _list_reimbursement_events,
    'transactions': _list_transaction_events,
    'users': _list_user_events,
    'vendors': _list_vendor_events,
}


def watch_tables(state, emit):
    """Call `emit(event type, object id)` for every later change in the tables of `state`."""

    def make_table_watcher(of):
        def emit_row_events(old, row):
            if not len(state['webhooks']):
                return
            for found in of(old or NOBODY, row):
                kind, ident = found if isinstance(found, tuple) else (found, row['id'])
                emit(kind, ident)

        return emit_row_events

    for name, of in EVENTS_OF_TABLE.items():
        state[name].watcher = make_table_watcher(of)
