"""/reimbursements: what the business owes users, and what users owe the business. `direction` tells which."""

from datetime import timedelta

from .. import money
from ..listing import (
    Filter,
    answer_list_page,
    filter_by_value,
    filter_from_time,
    filter_until_time,
    filter_without_effect,
    make_choice_parser,
    parse_bool,
    parse_uuid,
    read_query_parameter,
)
from ..payables import (
    NOT_GIVEN,
    convert_minor_amount,
    fill_line_coding,
    filter_by_flag,
    is_coded_with,
    parse_midnight,
    parse_moment,
    recode_all_lines,
    refuse_unknown_names,
    render_reimbursement_selections,
    resolve_entity,
    resolve_row,
    scale_line_amounts,
    select_payable_coding,
    sum_line_amounts,
)
from ..routes import route
from ..state import Table, format_iso_time, make_blank_row, select_wire_fields
from . import receipts as receipt_files
from . import syncs

TABLES = {'reimbursements': lambda: Table(index='sync_status')}
syncs.TARGETS['REIMBURSEMENT_SYNC'] = syncs.SyncTarget('reimbursements')

DIRECTIONS = ('BUSINESS_TO_USER', 'USER_TO_BUSINESS')
STATUSES = ('NOT_SYNC_READY', 'SYNCED', 'SYNC_READY')
TYPES = ('MILEAGE', 'OUT_OF_POCKET', 'PAYBACK_FULL', 'PAYBACK_PARTIAL', 'PER_DIEM')
STATES = (
    'APPROVED',
    'AWAITING_EXPORT',
    'AWAITING_PAYMENT',
    'AWAITING_PUSH_PAYMENT',
    'CANCELED',
    'DELETED',
    'DRAFT',
    'EXPORTED',
    'EXPORT_FAILED',
    'EXPORT_INITIATED',
    'EXPORT_MARKED_AS_FAILED',
    'EXPORT_SUCCESSFUL',
    'FAILED_REIMBURSEMENT',
    'INIT',
    'MANUALLY_REIMBURSED',
    'MISSING_ACH',
    'PENDING',
    'PROCESSING',
    'PUSH_PAYMENT_FAILED',
    'PUSH_PAYMENT_INITIATED',
    'REIMBURSED',
    'REIMBURSED_VIA_PUSH',
    'REJECTED',
)
PAID_STATES = ('EXPORT_SUCCESSFUL', 'MANUALLY_REIMBURSED', 'REIMBURSED', 'REIMBURSED_VIA_PUSH')
UNAPPROVED_STATES = ('CANCELED', 'DELETED', 'DRAFT', 'INIT', 'PENDING', 'REJECTED')
FILTERS = {
    'state': filter_by_value('state', make_choice_parser(*STATES)),
    # The date of the transaction, kept as a time so that it can be compared.
    'from_transaction_date': filter_from_time('_transaction_time'),
    'to_transaction_date': filter_until_time('_transaction_time'),
    'awaiting_approval_by_user_id': filter_without_effect(parse_uuid),
    'has_been_approved': Filter(parse_bool, lambda row, value: bool(row['approved_at']) == value),
    'trip_id': filter_by_value('trip_id'),
    'accounting_field_selection_id': Filter(parse_uuid, lambda row, value: is_coded_with(row, value, 'line_items')),
    'entity_id': filter_by_value('entity_id'),
    'from_date': filter_from_time('created_at'),
    'to_date': filter_until_time('created_at'),
    'from_submitted_at': filter_from_time('submitted_at'),
    'to_submitted_at': filter_until_time('submitted_at'),
    'synced_after': filter_from_time('synced_at'),
    'updated_after': filter_from_time('updated_at'),
    'user_id': filter_by_value('user_id'),
}
# sync_status takes precedence over these older filters.
OLDER = {
    'sync_ready': filter_by_flag(lambda row: row['sync_status'] == 'SYNC_READY'),
    'has_no_sync_commits': Filter(parse_bool, lambda row, value: (row['sync_status'] != 'SYNCED') == value),
}


@route('GET', '/reimbursements', scope='reimbursements:read')
def list_reimbursements(call):
    # Without this filter Ramp lists one direction only.
    direction = read_query_parameter(call, 'direction', make_choice_parser(*DIRECTIONS), DIRECTIONS[0])
    status = read_query_parameter(call, 'sync_status', make_choice_parser(*STATUSES))
    filters = FILTERS if status else {**FILTERS, **OLDER}
    return answer_list_page(call, 'reimbursements', filters, lambda row: row['direction'] == direction, bucket=status)


@route('GET', '/reimbursements/{reimbursement_id}', scope='reimbursements:read')
def get_reimbursement(call):
    row = call.find_path_row('reimbursements', 'reimbursement_id')
    return {**select_wire_fields(row), **({'trace_id': row['_trace']} if row['_trace'] else {})}


# -- creation

# Fields of a new reimbursement that are empty.
UNSET = (
    'distance',
    'end_location',
    'fund_id',
    'memo',
    'merchant',
    'merchant_id',
    'payment_batch_id',
    'payment_id',
    'payment_processed_at',
    'start_location',
    'synced_at',
    'trip_id',
    '_trace',
)
EMPTY = ('attendees', 'receipts', 'waypoints')
# Fields that only one type has.
OF_TYPE = {
    'MILEAGE': {'distance': 55, 'start_location': '1 Main St, Springfield', 'end_location': '2 Side St, Shelbyville'},
    'OUT_OF_POCKET': {'merchant': 'Delta Air Lines'},
}


def make_reimbursement(
    store,
    /,
    *,
    amount_minor=None,
    currency=None,
    lines=None,
    account=NOT_GIVEN,
    analytics=None,
    entity_minor=None,
    entity_currency=None,
    rate=None,
    payee_minor=None,
    payee_currency=None,
    user=None,
    entity=None,
    date=None,
    type='OUT_OF_POCKET',
    direction=None,
    state='AWAITING_PAYMENT',
    sync_status='SYNC_READY',
    receipts=0,
    header=(),
    legacy=False,
    label=None,
    broken=False,
    **wire_fields,
):
    """Add a reimbursement and return its row. Pay it with :func:`pay_reimbursements`.

    Amounts are minor units and not negative. Lines are in `currency`, in which the person spent. The entity pays in its
    own currency.

    :param lines: [{"amount_minor", and optionally "account", "tax", "vendor", "analytics": {field id: option id},
        "selections", "memo", "currency"}]; None: one line over the total
    :param entity_minor: what the entity pays, in `entity_currency` (default: the entity's own); default: computed from
        `rate`, the units of the entity's currency for one of `currency`
    :param payee_minor: what the person gets, in `payee_currency`; default: what the entity pays
    :param date: date of the expense: datetime, date or ISO text
    :param direction: default: by type; a payback goes from the user to the business
    :param receipts: number of receipts
    :param legacy: add the keys of former contracts: amount (major units), currency, original_reimbursement_amount
    :param broken: do not check the row against the contract
    :param wire_fields: any other field of the answer, with the value to give it
    """
    user = resolve_row(store['users'], user) or next(iter(store['users']))
    entity = resolve_entity(store, entity or user['entity_id'])
    if lines is None and amount_minor is None:
        raise TypeError('A reimbursement needs amount_minor or lines')
    spent = parse_moment(date or store.clock() - timedelta(days=6))
    row = {
        **_build_reimbursement_parties(store, user, entity),
        **_build_reimbursement_days(store, spent, state),
        'accounting_field_selections': render_reimbursement_selections(header),
        'direction': direction or DIRECTIONS[type.startswith('PAYBACK')],
        'spend_limit_id': wire_fields.get('fund_id'),
        'state': state,
        'sync_status': sync_status,
        'type': type,
        '_legacy': legacy,
        '_label': label,
        '_broken': broken,
        **OF_TYPE.get(type, {}),
    }
    lines = [{'amount_minor': amount_minor}] if lines is None else lines
    row.update(
        _build_reimbursement_amounts(
            store,
            {
                'amount_minor': sum_line_amounts(lines) if amount_minor is None else amount_minor,
                'currency': currency or entity['currency'],
                'lines': fill_line_coding(store, lines, account, analytics),
                'entity_minor': entity_minor,
                'entity_currency': entity_currency or entity['currency'],
                'rate': rate,
                'payee_minor': payee_minor,
                'payee_currency': payee_currency,
            },
            legacy,
        )
    )
    refuse_unknown_names('A reimbursement', row, wire_fields)
    row.update(wire_fields)
    store['reimbursements'].add_row(row)
    for _ in range(receipts):
        attach_reimbursement_receipt(store, row['id'])
    if state in PAID_STATES and not row['payment_processed_at']:
        pay_reimbursements(store, row['id'], state=state, date=spent + timedelta(days=4))
    return row


def _build_reimbursement_parties(store, user, entity):
    """Return the identity, user and entity fields of a new reimbursement."""
    return {
        **make_blank_row(UNSET, EMPTY),
        'id': store.make_new_id(),
        'employee_id': user['employee_id'],
        'entity_id': entity['id'],
        'user_email': user['email'],
        'user_full_name': f'{user["first_name"]} {user["last_name"]}',
        'user_id': user['id'],
    }


def _build_reimbursement_days(store, spent, state):
    """Return the times of spending, creation, submission and approval. None of them is in the future."""
    now = store.clock()
    created = format_iso_time(min(spent + timedelta(hours=3), now))
    submitted = None if state in ('DRAFT', 'INIT') else format_iso_time(min(spent + timedelta(days=1), now))
    approved = None if state in UNAPPROVED_STATES else format_iso_time(min(spent + timedelta(days=2), now))
    return {
        **_build_spent_days(spent),
        'approved_at': approved,
        'created_at': created,
        'submitted_at': submitted,
        'updated_at': approved or submitted or created,
    }


def _build_spent_days(spent):
    midnight = parse_midnight(spent)
    return {'transaction_date': spent.date().isoformat(), 'accounting_date': midnight, '_transaction_time': midnight}


# -- changes


def change_reimbursement(store, ident, /, **changes):
    """Change a reimbursement and return its row. This moves `updated_at`.

    Takes fields of the answer and these arguments of :func:`make_reimbursement`: amount_minor, currency, lines,
    account, entity_minor, entity_currency, rate, payee_minor, payee_currency, date, header, receipts (minimum number of
    receipts).
    """
    row = store['reimbursements'].rows[ident]
    wanted = _take_reimbursement_amounts(row['_money'], changes)
    if 'date' in changes:
        changes.update(_build_spent_days(parse_moment(changes.pop('date'))))
    if 'header' in changes:
        changes['accounting_field_selections'] = render_reimbursement_selections(changes.pop('header'))
    count = changes.pop('receipts', None)
    if isinstance(count, list):  # a list of ids
        changes['receipts'], count = count, None
    refuse_unknown_names('A reimbursement', row, changes, ('_transaction_time',))
    if wanted:
        changes.update(_build_reimbursement_amounts(store, {**row['_money'], **wanted}, row['_legacy']))
    for _ in range((count or 0) - len(row['receipts'])):
        attach_reimbursement_receipt(store, ident)
    changes.setdefault('updated_at', store.read_time())
    return store['reimbursements'].update_row(ident, **changes)


def _take_reimbursement_amounts(values, changes):
    """Take the changes of amounts and lines out of `changes`. Return them as complete values for `_money`."""
    wanted = {name: changes.pop(name) for name in tuple(changes) if name in values}
    if 'lines' in wanted:
        wanted.setdefault('amount_minor', sum_line_amounts(wanted['lines']))
    if 'amount_minor' in wanted:
        wanted = {'entity_minor': None, 'payee_minor': None, **wanted}
        if 'lines' not in wanted:
            wanted['lines'] = scale_line_amounts(values['lines'], wanted['amount_minor'])
    if 'account' in changes:
        wanted['lines'] = recode_all_lines(wanted.get('lines', values['lines']), changes.pop('account'))
    return wanted


def pay_reimbursements(store, idents, /, *, state='REIMBURSED', date=None, batch_id=None, payment_id=None):
    """Pay one reimbursement, or several (a list) in one batch. Return the batch's id.

    A state that is not in PAID means that the payment failed or is under way. Then the batch is set, but no payment
    time.
    """
    several = [idents] if isinstance(idents, str) else list(idents)
    batch_id = batch_id or store.make_new_id()
    payment_id = payment_id or batch_id.replace('-', '')[:10].upper()
    at = format_iso_time(min(parse_moment(date or store.clock()), store.clock()))
    done = state in PAID_STATES
    for ident in several:
        row = store['reimbursements'].rows[ident]
        trace = _build_bank_trace(batch_id, row['user_id']) if done else None
        store['reimbursements'].update_row(
            ident,
            state=state,
            payment_batch_id=batch_id,
            payment_id=payment_id if done else None,
            payment_processed_at=at if done else None,
            updated_at=max(at, row['updated_at'] or at),
            _trace=trace,
        )
    return batch_id


def _build_bank_trace(batch_id, user_id):
    """Return the bank's reference: one transfer per employee of a batch.

    Schema: ApiReimbursementTraceId (contract 2026-08-01).
    """
    number = (int(batch_id[-12:], 16) + int(user_id[-12:], 16)) % 10**15
    return {'descriptor': 'Trace ID', 'trace_id': f'{number:015}'}


def attach_reimbursement_receipt(store, ident, /, **values):
    """Add a receipt to a reimbursement and return its row. `values`: parameters of `receipts.make_receipt`."""
    row = store['reimbursements'].rows[ident]
    receipt = receipt_files.make_receipt(store, row['user_id'], row['created_at'], reimbursement_id=ident, **values)
    store['reimbursements'].update_row(ident, receipts=[*row['receipts'], receipt['id']])
    return receipt


def _build_reimbursement_amounts(store, values, legacy):
    """Return the answer's fields that depend on amounts and lines, and `_money`, the values they come from."""
    minor, currency = values['amount_minor'], values['currency']
    entity_minor, entity_currency = values['entity_minor'], values['entity_currency']
    if entity_minor is None:
        entity_minor = (
            minor
            if currency == entity_currency
            else convert_minor_amount(minor, currency, values['rate'] or 1, entity_currency)
        )
    payee_minor, payee_currency = values['payee_minor'], values['payee_currency'] or entity_currency
    body = {
        'entity_amount': {'value': entity_minor, 'currency': entity_currency},
        'merchant_amount': {'value': minor, 'currency': currency},
        'payee_amount': money.build_currency_amount(
            entity_minor if payee_minor is None else payee_minor, payee_currency
        ),
        'line_items': [
            {
                'accounting_field_selections': render_reimbursement_selections(select_payable_coding(store, line)),
                'amount': money.build_currency_amount(line['amount_minor'], line.get('currency') or currency),
                'memo': line.get('memo'),
            }
            for line in values['lines']
        ],
        '_money': values,
    }
    if legacy:
        body.update(
            amount=money.convert_to_major(entity_minor, entity_currency),
            currency=entity_currency,
            original_reimbursement_amount=money.build_currency_amount(minor, currency),
        )
    return body
