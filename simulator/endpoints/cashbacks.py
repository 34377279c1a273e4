"""/cashbacks: what Ramp gives back on spend. Add them one by one, or by closing a statement."""

from .. import money
from ..listing import (
    answer_list_page,
    filter_by_value,
    filter_from_time,
    filter_until_time,
    make_choice_parser,
    parse_bool,
    read_query_parameter,
)
from ..payables import parse_moment, refuse_unknown_names, resolve_entity
from ..routes import route
from ..state import Table, format_iso_time, select_wire_fields
from . import syncs, transactions

TABLES = {'cashbacks': lambda: Table(index='sync_status')}
syncs.TARGETS['STATEMENT_CREDIT_SYNC'] = syncs.QuietTarget('cashbacks')
FILTERS = {
    'entity_id': filter_by_value('entity_id'),
    'statement_id': filter_by_value('_statement_id'),
    'from_date': filter_from_time('created_at'),
    'to_date': filter_until_time('created_at'),
}


@route('GET', '/cashbacks', scope='cashbacks:read')
def list_cashbacks(call):
    status = read_query_parameter(call, 'sync_status', make_choice_parser(*transactions.STATUSES))
    ready = read_query_parameter(call, 'sync_ready', parse_bool)

    def is_cashback_listed(row):
        return status is not None or not ready or row['sync_status'] == 'SYNC_READY'

    return answer_list_page(call, 'cashbacks', FILTERS, is_cashback_listed, bucket=status)


@route('GET', '/cashbacks/{cashback_id}', scope='cashbacks:read')
def get_cashback(call):
    return select_wire_fields(call.find_path_row('cashbacks', 'cashback_id'))


def make_cashback(
    store,
    /,
    *,
    entity=None,
    amount_minor,
    currency=None,
    date=None,
    ready=True,
    label=None,
    broken=False,
    **wire_fields,
):
    """Add a cashback and return its row.

    :param entity: a row or an id; default: the first one with `currency`, else the primary one
    :param amount_minor: minor units of `currency` (default: the entity's); positive reduces what is owed
    :param date: time of creation: datetime, date or ISO text; default: now
    :param broken: do not check the row against the contract
    :param wire_fields: any other field of the answer, with the value to give it
    """
    entity = resolve_entity(store, entity, currency)
    row = {
        'id': store.make_new_id(),
        'amount': money.build_currency_amount(amount_minor, currency or entity['currency']),
        'created_at': format_iso_time(parse_moment(date) if date else store.clock()),
        'entity_id': entity['id'],
        'sync_status': 'SYNC_READY' if ready else 'NOT_SYNC_READY',
        '_statement_id': None,
        '_label': label,
        '_broken': broken,
    }
    refuse_unknown_names('A cashback', row, wire_fields)
    row.update(wire_fields)
    return store['cashbacks'].add_row(row)
