"""The API of coding data: lists, uploads, changes and soft deletes, for every kind of object."""

from collections import Counter
from dataclasses import dataclass

from . import coding
from .endpoints import accounting_connection
from .errors import RampError, make_input_error, make_missing_error
from .listing import (
    Filter,
    answer_list_page,
    filter_by_value,
    make_choice_parser,
    parse_bool,
    parse_uuid,
    read_query_parameter,
)

LARGEST_UPLOAD = 500
FILTERS = {
    'remote_id': filter_by_value('id', str),
    'is_active': filter_by_value('is_active', parse_bool),
    'code': filter_by_value('code', str),
    'visibility': filter_by_value('visibility', make_choice_parser('HIDDEN', 'VISIBLE')),
    'is_synced': Filter(parse_bool, lambda row, value: row.get('is_synced', True) == value),
}


@dataclass(frozen=True)
class Kind:
    """The contract of one kind of object.

    :param needs: required fields of an upload; `may`: its optional fields
    :param changes: fields of a PATCH
    :param filters: names in FILTERS
    :param items: the key of the objects in uploads and answers
    :param told: further keys in the answer to an upload
    :param exists: the error code for an id that exists already
    :param read: `read(state, connection, values)` checks the values and returns those to store
    :param active: the field that is False in deleted rows; if it starts with an underscore, deleted rows are not
        answered
    """

    table: str
    what: str
    needs: tuple
    may: tuple
    changes: tuple
    filters: tuple = ()
    items: str = None
    told: tuple = ()
    exists: str = 'DEVELOPER_7001'
    read: object = None
    active: str = 'is_active'

    def is_row_told(self, row):
        return self.active[0] != '_' or row.get(self.active, True)


# -- connections


def find_named_connection(call):
    """Return the accounting connection that a call names, else the active one, else None."""
    given = read_query_parameter(call, 'accounting_connection_id', parse_uuid)
    if given is None and isinstance(call.body, dict):
        given = call.body.get('accounting_connection_id')
    if given is None:
        return accounting_connection.find_active_connection(call.state)
    row = call.state['connections'].get_row(given)
    if row is None:
        raise make_missing_error('Accounting connection')
    return row


def find_writable_connection(call):
    """Return the connection to write to.

    The app must hold the active connection, whichever connection the call names.
    """
    accounting_connection.check_api_connection(call.ramp)
    row = find_named_connection(call)
    if row['connection_type'] != 'API' or row['_owner'] != call.ramp.client_id:
        raise RampError(400, 'DEVELOPER_7001', 'This is not an API accounting connection')
    return row


# -- reading


def answer_coding_page(call, kind, field=None):
    """Return a page of a list. `field`: the ramp_id of the field whose options are listed."""
    mine = coding.in_books_of(find_named_connection(call))
    remote_id = call.query.get('remote_id') if 'remote_id' in kind.filters else None
    among = None
    if remote_id is not None:
        among = call.state[kind.table].list_named_rows((field, remote_id) if field else remote_id)
    return answer_list_page(
        call,
        kind.table,
        {name: FILTERS[name] for name in kind.filters},
        where=lambda row: mine(row) and kind.is_row_told(row),
        bucket=field,
        render=coding.make_coding_renderer(call.state),
        among=among,
    )


def find_coding_row(call, kind, name, owner):
    """Return the row for a path parameter, a ramp_id. Raise 404 if there is none or it is in other books."""
    found = call.find_path_row(kind.table, name)
    if not coding.in_books_of(owner)(found) or not kind.is_row_told(found):
        raise make_missing_error()
    return found


def answer_coding_row(call, kind, name):
    return coding.make_coding_renderer(call.state)(find_coding_row(call, kind, name, find_named_connection(call)))


# -- writing


def upload_coding_rows(call, kind, make, field=None):
    """Upload a batch, all or nothing. `make(state, connection=..., **item)` adds one row."""
    items = call.read_required_field(kind.items)
    if not isinstance(items, list) or not 1 <= len(items) <= LARGEST_UPLOAD:
        raise make_input_error('Invalid input', {kind.items: [f'Length must be between 1 and {LARGEST_UPLOAD}.']})
    wrong = {
        str(place): found
        for place, item in enumerate(items)
        if (found := list_field_complaints(item, kind.needs, kind.may))
    }
    if wrong:
        raise make_input_error('Invalid input', {kind.items: wrong})
    owner = find_writable_connection(call)
    _refuse_known_ids(call.state, kind, items, owner, field)
    _refuse_unknown_entities(call.state, owner, items)
    if kind.read:
        items = [kind.read(call.state, owner, item) for item in items]
    rows = [make(call.state, connection=owner['id'], **item) for item in items]
    call.rows, call.rows_in = rows, kind.items
    more = {'accounting_connection_id': owner['id'], 'uploaded': [made['ramp_id'] for made in rows]}
    shown = coding.make_coding_renderer(call.state)
    return {**{name: more[name] for name in kind.told}, kind.items: [shown(made) for made in rows]}, 201


def _refuse_known_ids(state, kind, items, owner, field):
    taken = {}
    for ident, count in Counter(item['id'] for item in items).items():
        if count > 1:
            taken[ident] = ['Id is named twice.']
        elif coding.find_uploaded_row(state, kind.table, (field, ident) if field else ident, owner):
            taken[ident] = ['Id exists already.']
    if taken:
        text = f'{kind.what} cannot be uploaded, their ids exist already or are named twice: {", ".join(taken)}'
        raise RampError(400, kind.exists, text, taken)


def _refuse_unknown_entities(state, owner, items):
    """Raise Ramp's 400 for entities that were not uploaded, if the connection has entity selection on.

    What Ramp does without this setting is unknown. The simulator then takes any id.
    """
    if not (owner['settings'] or {}).get('entity_selection_enabled'):
        return
    named = {ident for item in items for ident in item.get('entity_remote_ids') or ()}
    unknown = sorted(ident for ident in named if not coding.find_uploaded_row(state, 'subsidiaries', ident, owner))
    if unknown:
        raise RampError(
            400, 'DEVELOPER_7001', f'Unknown entities: {", ".join(unknown)}', {'entity_remote_ids': unknown}
        )


def patch_coding_row(call, kind, name):
    body = read_checked_fields(call, (), kind.changes)
    owner = find_writable_connection(call)
    found = find_coding_row(call, kind, name, owner)
    return coding.make_coding_renderer(call.state)(write_coding_fields(call, kind, found, body, owner))


def write_coding_fields(call, kind, found, body, owner):
    """Write the fields of a PATCH to a row."""
    values = {key: value for key, value in body.items() if key not in ('accounting_connection_id', 'reactivate')}
    _refuse_unknown_entities(call.state, owner, [values])
    if kind.read:
        values = kind.read(call.state, owner, values)
    if 'reactivate' in body:
        values[kind.active] = True
    return touch_coding_row(call, kind, found, **values)


def delete_coding_row(call, kind, name):
    """Delete softly: the row stays, and its id stays reserved."""
    touch_coding_row(
        call, kind, find_coding_row(call, kind, name, find_deletable_connection(call)), **{kind.active: False}
    )
    return None, 204


def find_deletable_connection(call):
    """Return the connection to delete from. The request may lack a body."""
    if call.body is not None:
        read_checked_fields(call, (), ('accounting_connection_id',))
    return find_writable_connection(call)


def touch_coding_row(call, kind, found, **values):
    if 'updated_at' in found:
        values['updated_at'] = call.state.read_time()
    return call.state[kind.table].update_row(found['ramp_id'], **values)


# -- checks that the contract makes too, but its file may be missing


def read_checked_fields(call, needs, may):
    """Return the body. Raise Ramp's 422 if a field is missing, unknown or wrong."""
    wrong = list_field_complaints(call.body, needs, may)
    if wrong:
        raise make_input_error('Invalid input', wrong)
    return call.body


def list_field_complaints(values, needs, may):
    if not isinstance(values, dict):
        return {'_schema': ['Not a valid object.']}
    wrong = {name: ['Missing data for required field.'] for name in needs if name not in values}
    wrong.update({name: ['Unknown field.'] for name in values if name not in needs and name not in may})
    if 'reactivate' in may and values.get('reactivate', True) is not True:
        wrong['reactivate'] = ['Must be one of the allowed values.']
    return wrong
