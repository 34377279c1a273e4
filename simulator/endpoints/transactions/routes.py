"""The routes of /transactions with their filters and orders, and the sync type."""

from ... import coding
from ...errors import RampError, make_field_error, make_input_error, make_missing_error
from ...listing import (
    Filter,
    answer_list_page,
    filter_by_value,
    filter_from_time,
    filter_until_time,
    filter_without_effect,
    make_choice_parser,
    parse_bool,
    parse_decimal,
    parse_uuid,
    read_query_parameter,
)
from ...routes import route
from ...state import select_wire_fields
from .. import syncs
from .making import STATUSES, change_transaction

syncs.TARGETS['TRANSACTION_SYNC'] = syncs.SyncTarget('transactions')
# The most objects of one request (contract 2026-08-01).
LARGEST_MARKING = 500
ORDERS = {
    'order_by_date_asc': ('date', False),
    'order_by_date_desc': ('date', True),
    'order_by_amount_asc': ('amount', False),
    'order_by_amount_desc': ('amount', True),
}
FILTERS = {
    'entity_id': filter_by_value('entity_id'),
    'card_id': filter_by_value('card_id'),
    'merchant_id': filter_by_value('merchant_id'),
    'statement_id': filter_by_value('statement_id'),
    'limit_id': filter_by_value('limit_id'),
    'spend_program_id': filter_by_value('spend_program_id'),
    'trip_id': filter_by_value('trip_id'),
    'sk_category_id': filter_by_value('sk_category_id', int),
    'user_id': Filter(parse_uuid, lambda row, value: row['card_holder'].get('user_id') == value),
    'department_id': Filter(parse_uuid, lambda row, value: row['card_holder'].get('department_id') == value),
    'location_id': Filter(parse_uuid, lambda row, value: row['card_holder'].get('location_id') == value),
    'has_statement': Filter(parse_bool, lambda row, value: ('statement_id' in row) == value),
    'all_requirements_met_and_approved': filter_by_value('all_requirements_met_and_approved', parse_bool),
    'from_date': filter_from_time('user_transaction_time'),
    'to_date': filter_until_time('user_transaction_time'),
    'synced_after': filter_from_time('synced_at'),
    'updated_after': filter_from_time('updated_at'),
    'min_amount': Filter(parse_decimal, lambda row, value: row.get('amount', 0) >= value),
    'max_amount': Filter(parse_decimal, lambda row, value: row.get('amount', 0) <= value),
    'approval_status': filter_without_effect(),
    'awaiting_approval_by_user_id': filter_without_effect(parse_uuid),
    'accounting_field_selection_id': Filter(
        parse_uuid,
        lambda row, value: any(
            selection['id'] == value
            for line in row['line_items'] or ()
            for selection in line['accounting_field_selections']
        ),
    ),
    'requires_memo': filter_without_effect(parse_bool),
}


# -- routes


@route('GET', '/transactions', scope='transactions:read')
def list_transactions(call):
    status = read_query_parameter(call, 'sync_status', make_choice_parser(*STATUSES))
    state = read_query_parameter(call, 'state', str)
    unsynced = read_query_parameter(call, 'has_no_sync_commits', parse_bool)
    orders = [name for name in ORDERS if read_query_parameter(call, name, parse_bool)]
    if len(orders) > 1:
        raise make_input_error('Only one order at a time', {name: ['Only one order at a time.'] for name in orders})
    order, reverse = ORDERS[orders[0]] if orders else ('', False)

    def is_transaction_listed(row):
        if state is None and row['state'] == 'DECLINED' or state not in (None, 'ALL', row['state']):
            return False
        # sync_status takes precedence over the older has_no_sync_commits. That one also leaves out the transactions of
        # one-time cards that pay bills.
        if status is None and unsynced and row.get('_bill'):
            return False
        return status is not None or unsynced is None or (row['sync_status'] != 'SYNCED') == unsynced

    return answer_list_page(
        call,
        'transactions',
        FILTERS,
        is_transaction_listed,
        order,
        reverse,
        bucket=status,
        render=_make_transaction_renderer(call),
    )


@route('GET', '/transactions/{transaction_id}', scope='transactions:read')
def get_transaction(call):
    return _make_transaction_renderer(call)(call.find_path_row('transactions', 'transaction_id'))


@route('PATCH', '/transactions/{transaction_id}', scope='transactions:write')
def patch_transaction(call):
    row = call.find_path_row('transactions', 'transaction_id')
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
                'selections': coding.read_coding_selections(call.state, item.get('accounting_field_selections')),
            }
            for item in wanted
        ]
        if not wanted:
            # The split is removed: one line again, with the coding of the first.
            lines = [{**row['_money']['lines'][0], 'amount_minor': total}]
        row = change_transaction(call.state, row['id'], lines=lines)
    return _make_transaction_renderer(call)(row)


@route('POST', '/accounting/ready-to-sync', scope='accounting:write')
def post_ready_to_sync(call):
    """Mark transactions as ready to sync. One that lacks a required field is refused, and the others with it."""
    idents = call.read_required_field('object_ids')
    if call.read_required_field('object_type') != 'TRANSACTION':
        raise make_field_error('object_type', 'Must be one of the allowed values.')
    if not isinstance(idents, list) or not 1 <= len(idents) <= LARGEST_MARKING:
        raise make_field_error('object_ids', f'Length must be between 1 and {LARGEST_MARKING}.')
    rows = [call.state['transactions'].get_row(ident) for ident in idents]
    if None in rows:
        raise make_missing_error('Transaction')
    synced = {row['id']: ['Already synced.'] for row in rows if row['sync_status'] == 'SYNCED'}
    if synced:
        raise make_input_error('Some transactions are synced', synced)
    missing = {row['id']: found for row in rows if (found := _list_missing_fields(call.state, row))}
    if missing:
        raise make_input_error('Some transactions lack required fields', missing)
    for row in rows:
        call.state['transactions'].update_row(row['id'], sync_status='SYNC_READY', updated_at=call.state.read_time())
    return None, 204


def _list_missing_fields(state, row):
    """Return complaints about the required fields that a line of a transaction lacks."""
    return sorted(
        {
            f'{ident} is required.'
            for line in row['line_items'] or ()
            for ident in coding.list_missing_fields(state, 'TRANSACTION', line['accounting_field_selections'])
        }
    )


def _make_transaction_renderer(call):
    return _render_newer_shape if call.ramp.newer_shape else select_wire_fields


def _render_newer_shape(row):
    """Return the shape of contracts after 2026-08: signed minor amounts beside the deprecated float."""
    body, values = select_wire_fields(row), row['_money']
    if 'amount' in body:
        body['entity_amount'] = {'value': values['amount_minor'], 'currency': values['currency']}
        body['merchant_amount'] = {'value': values['original_minor'], 'currency': values['original_currency']}
    return body
