"""/locations. A user's location determines the entity. Locations cannot be deleted."""

from .. import uploads
from ..errors import RampError
from ..listing import answer_list_page, filter_by_value
from ..payables import resolve_entity
from ..routes import route
from ..state import Table, select_wire_fields
from .departments import check_unique_name

TABLES = {'locations': Table}


def make_location(state, name, entity_id, ident=None):
    row = state['locations'].add_row(
        {'id': ident or state.derive_stable_id('location', name), 'name': name, 'entity_id': None}
    )
    return move_location(state, row['id'], entity_id)


def move_location(state, ident, entity_id):
    """Move a location and its users to an entity. Return the location's row."""
    entities = state['entities']
    for entity in list(entities):
        if (entity['id'] == entity_id) != (ident in entity['location_ids']):
            kept = [other for other in entity['location_ids'] if other != ident]
            entities.update_row(entity['id'], location_ids=[*kept, ident] if entity['id'] == entity_id else kept)
    for user in list(state['users']):
        if user['location_id'] == ident:
            state['users'].update_row(user['id'], entity_id=entity_id)
    return state['locations'].update_row(ident, entity_id=entity_id)


@route('GET', '/locations', scope='locations:read')
def list_locations(call):
    return answer_list_page(call, 'locations', {'entity_id': filter_by_value('entity_id')})


@route('GET', '/locations/{location_id}', scope='locations:read')
def get_location(call):
    return select_wire_fields(call.find_path_row('locations', 'location_id'))


@route('POST', '/locations', scope='locations:write')
def post_location(call):
    body = uploads.read_checked_fields(call, ('name',), ('entity_id',))
    check_unique_name(call.state, 'locations', body['name'])
    # Which entity Ramp takes without one in the request is unknown. The simulator takes the primary one.
    entity_id = _read_entity_id(call.state, body) or resolve_entity(call.state, None)['id']
    return select_wire_fields(make_location(call.state, body['name'], entity_id, call.state.make_new_id())), 201


@route('PATCH', '/locations/{location_id}', scope='locations:write')
def patch_location(call):
    body, row = (
        uploads.read_checked_fields(call, ('name',), ('entity_id',)),
        call.find_path_row('locations', 'location_id'),
    )
    check_unique_name(call.state, 'locations', body['name'], row['id'])
    entity_id = _read_entity_id(call.state, body)
    row = call.state['locations'].update_row(row['id'], name=body['name'])
    return select_wire_fields(move_location(call.state, row['id'], entity_id) if entity_id else row)


def _read_entity_id(state, body):
    ident = body.get('entity_id')
    if ident is not None and ident not in state['entities']:
        raise RampError(400, 'DEVELOPER_7001', 'There is no such entity', {'entity_id': ['There is no such object.']})
    return ident
