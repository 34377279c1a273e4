"""/cashbacks: what Ramp gives back on spend. Add them one by one, or by closing a statement."""

from .. import money
from ..listing import answer_list, equals, one_of, parse_bool, read_parameter, since, until
from ..payables import entity_of, parse_moment, refuse_unknown
from ..routes import route
from ..state import Table, iso_text, wire_fields
from . import syncs, transactions

TABLES = {'cashbacks': lambda: Table(index='sync_status')}
syncs.TARGETS['STATEMENT_CREDIT_SYNC'] = syncs.QuietTarget('cashbacks')
FILTERS = {
    'entity_id': equals('entity_id'),
    'statement_id': equals('_statement_id'),
    'from_date': since('created_at'),
    'to_date': until('created_at'),
}


@route('GET', '/cashbacks', scope='cashbacks:read')
def list_cashbacks(call):
    status = read_parameter(call, 'sync_status', one_of(*transactions.STATUSES))
    ready = read_parameter(call, 'sync_ready', parse_bool)

    def is_listed(row):
        return status is not None or not ready or row['sync_status'] == 'SYNC_READY'

    return answer_list(call, 'cashbacks', FILTERS, is_listed, bucket=status)


@route('GET', '/cashbacks/{cashback_id}', scope='cashbacks:read')
def get_cashback(call):
    return wire_fields(call.row('cashbacks', 'cashback_id'))


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
    entity = entity_of(store, entity, currency)
    row = {
        'id': store.new_id(),
        'amount': money.currency_amount(amount_minor, currency or entity['currency']),
        'created_at': iso_text(parse_moment(date) if date else store.clock()),
        'entity_id': entity['id'],
        'sync_status': 'SYNC_READY' if ready else 'NOT_SYNC_READY',
        '_statement_id': None,
        '_label': label,
        '_broken': broken,
    }
    refuse_unknown('A cashback', row, wire_fields)
    row.update(wire_fields)
    return store['cashbacks'].add(row)
