"""/transfers: payments of what is owed on cards.

A transfer counts as money once the bank has accepted it (`ACCEPTED_STATUSES`). From then on it is also ready to
sync. If it fails afterwards, its money is taken back. Both are kept as movements (`_moves`: [{"at", "amount_minor",
"statement_id"}]), from which statements are made. Whether `UNNECESSARY` transfers, which are of zero, become ready in
Ramp is unknown; here they do not.
"""

from .. import money
from ..listing import (
    Filter,
    answer_list_page,
    filter_by_value,
    filter_from_time,
    filter_until_time,
    make_choice_parser,
    parse_bool,
    parse_uuid,
    read_query_parameter,
)
from ..payables import parse_moment, refuse_unknown_names, resolve_entity
from ..routes import route
from ..state import Table, format_iso_time, select_wire_fields
from . import syncs, transactions

TABLES = {'transfers': lambda: Table(index='sync_status')}
syncs.TARGETS['TRANSFER_SYNC'] = syncs.QuietTarget('transfers')

ACCEPTED_STATUSES = ('ACH_CONFIRMED', 'COMPLETED', 'PROCESSING_BY_ODFI', 'SUBMITTED_TO_FED', 'SUBMITTED_TO_RDFI')
FAILED_STATUSES = ('CANCELED', 'ERROR', 'NOT_ENOUGH_FUNDS', 'REJECTED_BY_ODFI', 'RETURNED_BY_RDFI')
STATUSES = (*ACCEPTED_STATUSES, *FAILED_STATUSES, 'INITIATED', 'NOT_ACKED', 'UNNECESSARY', 'UPLOADED')
FILTERS = {
    'status': filter_by_value('status', make_choice_parser(*STATUSES)),
    'entity_id': filter_by_value('entity_id'),
    'statement_id': Filter(parse_uuid, lambda row, value: any(move['statement_id'] == value for move in row['_moves'])),
    'from_date': filter_from_time('created_at'),
    'to_date': filter_until_time('created_at'),
}


@route('GET', '/transfers', scope='transfers:read')
def list_transfers(call):
    status = read_query_parameter(call, 'sync_status', make_choice_parser(*transactions.STATUSES))
    unsynced = read_query_parameter(call, 'has_no_sync_commits', parse_bool)

    def is_transfer_listed(row):
        return status is not None or unsynced is None or (row['sync_status'] != 'SYNCED') == unsynced

    return answer_list_page(call, 'transfers', FILTERS, is_transfer_listed, bucket=status)


@route('GET', '/transfers/{transfer_id}', scope='transfers:read')
def get_transfer(call):
    return select_wire_fields(call.find_path_row('transfers', 'transfer_id'))


# -- creation


def make_transfer(
    store,
    /,
    *,
    entity=None,
    amount_minor=None,
    currency=None,
    status='COMPLETED',
    date=None,
    label=None,
    broken=False,
    **wire_fields,
):
    """Add a transfer and return its row. Change its status with :func:`move_transfer`.

    :param entity: a row or an id; default: the first one with `currency`, else the primary one
    :param amount_minor: minor units of `currency` (default: the entity's); default: what the newest statement says is
        owed, at least 0; raises TypeError if no statement says it
    :param date: time of creation: datetime, date or ISO text; default: now
    :param broken: do not check the row against the contract
    :param wire_fields: any other field of the answer, with the value to give it
    """
    entity = resolve_entity(store, entity, currency)
    currency = currency or entity['currency']
    if amount_minor is None:
        amount_minor = _compute_amount_due(store, entity['id'], currency)
    ident = store.make_new_id()
    row = {
        'id': ident,
        'amount': money.build_currency_amount(amount_minor, currency),
        'bank_account_id': store.derive_stable_id('bank account', entity['id']),
        'created_at': format_iso_time(parse_moment(date) if date else store.clock()),
        'entity_id': entity['id'],
        'payment_id': f'PAYMENT-{ident[:8].upper()}',
        'status': None,
        'sync_status': None,
        '_moves': [],
        '_label': label,
        '_broken': broken,
    }
    refuse_unknown_names('A transfer', row, wire_fields)
    row.update(_build_status_fields(row, status, row['created_at']), **wire_fields)
    return store['transfers'].add_row(row)


def move_transfer(store, ident, status, /, date=None, broken=False):
    """Set the status of a transfer and return its row.

    :param date: time of the change: datetime, date or ISO text; a failing transfer takes its money back then; default:
        now
    :param broken: do not check the row against the contract, for a status that it does not have
    """
    row = store['transfers'].rows[ident]
    at = format_iso_time(parse_moment(date) if date else store.clock())
    return store['transfers'].update_row(
        ident, **_build_status_fields(row, status, at), _broken=row['_broken'] or broken
    )


def _compute_amount_due(store, entity_id, currency):
    newest = next(reversed(store['statements'].rows.values()), None)
    found = [
        section['ending_balance']['amount']
        for section in (newest or {}).get('balance_sections', ())
        if (section['entity_id'], section['ending_balance']['currency_code']) == (entity_id, currency)
    ]
    if not found:
        raise TypeError('A transfer needs amount_minor where no statement says what is owed')
    return max(0, sum(found))


def _build_status_fields(row, status, at):
    """Return the fields of a transfer that depend on its status."""
    accepted = status in ACCEPTED_STATUSES
    change = (row['amount']['amount'] if accepted else 0) - sum(item['amount_minor'] for item in row['_moves'])
    moves = row['_moves']
    if change:
        # An accepted transfer counts from its creation, even if the bank accepted it later.
        moves = [*moves, {'at': at if moves else row['created_at'], 'amount_minor': change, 'statement_id': None}]
    ready = 'SYNC_READY' if accepted else 'NOT_SYNC_READY'
    return {'status': status, 'sync_status': 'SYNCED' if row['sync_status'] == 'SYNCED' else ready, '_moves': moves}
