"""The routes of /transactions with their filters and orders, and the sync type."""

from ... import coding
from ...errors import RampError, invalid_input, not_found
from ...listing import (
    Filter,
    answer_list,
    equals,
    ignored,
    one_of,
    parse_bool,
    parse_decimal,
    parse_uuid,
    read_parameter,
    since,
    until,
)
from ...routes import route
from ...state import wire_fields
from .. import syncs
from .making import STATUSES, change_transaction

syncs.TARGETS['TRANSACTION_SYNC'] = syncs.SyncTarget('transactions')
ORDERS = {
    'order_by_date_asc': ('date', False),
    'order_by_date_desc': ('date', True),
    'order_by_amount_asc': ('amount', False),
    'order_by_amount_desc': ('amount', True),
}
FILTERS = {
    'entity_id': equals('entity_id'),
    'card_id': equals('card_id'),
    'merchant_id': equals('merchant_id'),
    'statement_id': equals('statement_id'),
    'limit_id': equals('limit_id'),
    'spend_program_id': equals('spend_program_id'),
    'trip_id': equals('trip_id'),
    'sk_category_id': equals('sk_category_id', int),
    'user_id': Filter(parse_uuid, lambda row, value: row['card_holder'].get('user_id') == value),
    'department_id': Filter(parse_uuid, lambda row, value: row['card_holder'].get('department_id') == value),
    'location_id': Filter(parse_uuid, lambda row, value: row['card_holder'].get('location_id') == value),
    'has_statement': Filter(parse_bool, lambda row, value: ('statement_id' in row) == value),
    'all_requirements_met_and_approved': equals('all_requirements_met_and_approved', parse_bool),
    'from_date': since('user_transaction_time'),
    'to_date': until('user_transaction_time'),
    'synced_after': since('synced_at'),
    'updated_after': since('updated_at'),
    'min_amount': Filter(parse_decimal, lambda row, value: row.get('amount', 0) >= value),
    'max_amount': Filter(parse_decimal, lambda row, value: row.get('amount', 0) <= value),
    'approval_status': ignored(),
    'awaiting_approval_by_user_id': ignored(parse_uuid),
    'accounting_field_selection_id': Filter(
        parse_uuid,
        lambda row, value: any(
            selection['id'] == value
            for line in row['line_items'] or ()
            for selection in line['accounting_field_selections']
        ),
    ),
    'requires_memo': ignored(parse_bool),
}


# -- routes


@route('GET', '/transactions', scope='transactions:read')
def list_transactions(call):
    status = read_parameter(call, 'sync_status', one_of(*STATUSES))
    state = read_parameter(call, 'state', str)
    unsynced = read_parameter(call, 'has_no_sync_commits', parse_bool)
    orders = [name for name in ORDERS if read_parameter(call, name, parse_bool)]
    if len(orders) > 1:
        raise invalid_input('Only one order at a time', {name: ['Only one order at a time.'] for name in orders})
    order, reverse = ORDERS[orders[0]] if orders else ('', False)

    def is_listed(row):
        if state is None and row['state'] == 'DECLINED' or state not in (None, 'ALL', row['state']):
            return False
        # sync_status takes precedence over the older has_no_sync_commits. That one also leaves out the transactions of
        # one-time cards that pay bills.
        if status is None and unsynced and row.get('_bill'):
            return False
        return status is not None or unsynced is None or (row['sync_status'] != 'SYNCED') == unsynced

    return answer_list(
        call, 'transactions', FILTERS, is_listed, order, reverse, bucket=status, render=_transaction_renderer(call)
    )


@route('GET', '/transactions/{transaction_id}', scope='transactions:read')
def get_transaction(call):
    return _transaction_renderer(call)(call.row('transactions', 'transaction_id'))


@route('PATCH', '/transactions/{transaction_id}', scope='transactions:write')
def patch_transaction(call):
    row = call.row('transactions', 'transaction_id')
    if row['sync_status'] == 'SYNCED':
        raise RampError(403, 'DEVELOPER_TRANSACTION_SPLIT_NOT_ALLOWED', 'The transaction is synced')
    if 'line_items' in (call.body or {}):
        wanted = call.body['line_items'] or []
        total = row['_money']['amount_minor']
        if wanted and sum(item['amount'] for item in wanted) != total:
            raise RampError(400, 'DEVELOPER_TRANSACTION_INTERACTION_FAILED', 'The line items do not add up')
        lines = [
            {
                'amount_minor': item['amount'],
                'memo': item.get('memo'),
                'selections': coding.read_selections(call.state, item.get('accounting_field_selections')),
            }
            for item in wanted
        ]
        if not wanted:
            # The split is removed: one line again, with the coding of the first.
            lines = [{**row['_money']['lines'][0], 'amount_minor': total}]
        row = change_transaction(call.state, row['id'], lines=lines)
    return _transaction_renderer(call)(row)


@route('POST', '/accounting/ready-to-sync', scope='accounting:write')
def post_ready_to_sync(call):
    rows = [call.state['transactions'].get(ident) for ident in call.need('object_ids')]
    if None in rows:
        raise not_found('Transaction')
    synced = {row['id']: ['Already synced.'] for row in rows if row['sync_status'] == 'SYNCED'}
    if synced:
        raise invalid_input('Some transactions are synced', synced)
    for row in rows:
        call.state['transactions'].update(row['id'], sync_status='SYNC_READY', updated_at=call.state.now())
    return None, 204


def _transaction_renderer(call):
    return _newer_shape if call.ramp.newer_shape else wire_fields


def _newer_shape(row):
    """Return the shape of contracts after 2026-08: signed minor amounts beside the deprecated float."""
    body, values = wire_fields(row), row['_money']
    if 'amount' in body:
        body['entity_amount'] = {'value': values['amount_minor'], 'currency': values['currency']}
        body['merchant_amount'] = {'value': values['original_minor'], 'currency': values['original_currency']}
    return body
