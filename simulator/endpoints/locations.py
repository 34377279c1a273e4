"""/locations. A user's location determines the entity. Locations cannot be deleted."""

from .. import uploads
from ..errors import RampError
from ..listing import answer_list, equals
from ..payables import entity_of
from ..routes import route
from ..state import Table, wire_fields
from .departments import check_name

TABLES = {'locations': Table}


def make_location(state, name, entity_id, ident=None):
    row = state['locations'].add({'id': ident or state.stable_id('location', name), 'name': name, 'entity_id': None})
    return move_location(state, row['id'], entity_id)


def move_location(state, ident, entity_id):
    """Move a location and its users to an entity. Return the location's row."""
    entities = state['entities']
    for entity in list(entities):
        if (entity['id'] == entity_id) != (ident in entity['location_ids']):
            kept = [other for other in entity['location_ids'] if other != ident]
            entities.update(entity['id'], location_ids=[*kept, ident] if entity['id'] == entity_id else kept)
    for user in list(state['users']):
        if user['location_id'] == ident:
            state['users'].update(user['id'], entity_id=entity_id)
    return state['locations'].update(ident, entity_id=entity_id)


@route('GET', '/locations', scope='locations:read')
def list_locations(call):
    return answer_list(call, 'locations', {'entity_id': equals('entity_id')})


@route('GET', '/locations/{location_id}', scope='locations:read')
def get_location(call):
    return wire_fields(call.row('locations', 'location_id'))


@route('POST', '/locations', scope='locations:write')
def post_location(call):
    body = uploads.fields_of(call, ('name',), ('entity_id',))
    check_name(call.state, 'locations', body['name'])
    # Which entity Ramp takes without one in the request is unknown. The simulator takes the primary one.
    entity_id = _read_entity_id(call.state, body) or entity_of(call.state, None)['id']
    return wire_fields(make_location(call.state, body['name'], entity_id, call.state.new_id())), 201


@route('PATCH', '/locations/{location_id}', scope='locations:write')
def patch_location(call):
    body, row = uploads.fields_of(call, ('name',), ('entity_id',)), call.row('locations', 'location_id')
    check_name(call.state, 'locations', body['name'], row['id'])
    entity_id = _read_entity_id(call.state, body)
    row = call.state['locations'].update(row['id'], name=body['name'])
    return wire_fields(move_location(call.state, row['id'], entity_id) if entity_id else row)


def _read_entity_id(state, body):
    ident = body.get('entity_id')
    if ident is not None and ident not in state['entities']:
        raise RampError(400, 'DEVELOPER_7001', 'There is no such entity', {'entity_id': ['There is no such object.']})
    return ident
