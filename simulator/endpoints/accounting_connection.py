"""/accounting/connection: the accounting provider of the business. Only one can be active."""

from ..errors import RampError, invalid_input, not_found
from ..routes import route
from ..state import Table, wire_fields

TABLES = {'connections': Table}
SETTINGS = (
    'entity_selection_enabled',
    'reimbursement_sync_button_enabled',
    'transaction_accounting_vendor_creation_on_sync_enabled',
    'transaction_sync_button_enabled',
    'vendor_credits_enabled',
)


def active_connection(state):
    return state['connections'].find(is_active=True)


def is_ours(ramp):
    """Return whether this app has the active connection and it is of type API.

    Only then may the app upload coding data and report syncs.
    """
    row = active_connection(ramp.state)
    return bool(row) and row['connection_type'] == 'API' and row['_owner'] == ramp.client_id


def is_enabled(state, setting):
    """Return whether the active accounting connection has this setting on. The default is off."""
    row = active_connection(state)
    return bool(row) and bool((row['settings'] or {}).get(setting))


def _read_settings(call):
    """Return the settings of a request. Raise Ramp's 422 for unknown names and for values that are not booleans.

    This check also works without the contract's file.
    """
    settings = (call.body or {}).get('settings') or {}
    wrong = {name: ['Unknown field.'] for name in settings if name not in SETTINGS}
    wrong |= {
        name: ['Not a valid boolean.']
        for name, value in settings.items()
        if name in SETTINGS and not isinstance(value, bool)
    }
    if wrong:
        raise invalid_input('Invalid input', {'settings': [f'{name}: {text[0]}' for name, text in wrong.items()]})
    return settings


def check_ours(ramp):
    if not is_ours(ramp):
        raise RampError(400, 'DEVELOPER_7001', 'There is no active API accounting connection')


def take_seat(state, name, connection_type, owner, settings=None):
    incumbent = active_connection(state)
    if incumbent:
        _unlink_connection(state, incumbent)
    return state['connections'].add(
        {
            'id': state.new_id(),
            'connection_type': connection_type,
            'created_at': state.now(),
            'is_active': True,
            'is_ready_to_migrate': False,
            'last_linked_at': state.now(),
            'remote_provider_name': name,
            'settings': {**dict.fromkeys(SETTINGS, False), **(settings or {})} if connection_type == 'API' else None,
            'status': 'linked',
            '_owner': owner,
        }
    )


def _unlink_connection(state, row):
    state['connections'].update(row['id'], is_active=False, status='unlinked')


@route('POST', '/accounting/connection', scope='accounting:write')
def post_connection(call):
    incumbent = active_connection(call.state)
    # An API connection replaces Universal CSV. Any other incumbent stays, and Ramp still answers success.
    if incumbent and incumbent['connection_type'] != 'CSV':
        return wire_fields(incumbent), 201
    name, settings = call.need('remote_provider_name'), _read_settings(call)
    if call.body.get('reactivate'):
        former = call.state['connections'].find(remote_provider_name=name, _owner=call.ramp.client_id)
        if former:
            return wire_fields(_relink_connection(call.state, former)), 201
    return wire_fields(take_seat(call.state, name, 'API', call.ramp.client_id, settings)), 201


@route('GET', '/accounting/connection', scope='accounting:read')
def get_active_connection(call):
    row = active_connection(call.state)
    if row is None:
        raise not_found('Accounting connection')
    return wire_fields(row)


@route('DELETE', '/accounting/connection', scope='accounting:write')
def delete_connection(call):
    row = active_connection(call.state)
    if row is None or row['connection_type'] != 'API':
        raise not_found('API accounting connection')
    # Ramp does not check which app a connection belongs to, so one app can delete the connection of another.
    _unlink_connection(call.state, row)
    return None, 204


@route('GET', '/accounting/all-connections', scope='accounting:read')
def list_connections(call):
    return {'connections': [wire_fields(row) for row in call.state['connections']]}


@route('GET', '/accounting/connection/{connection_id}', scope='accounting:read')
def get_connection(call):
    return wire_fields(call.row('connections', 'connection_id'))


@route('PATCH', '/accounting/connection/{connection_id}', scope='accounting:write')
def patch_connection(call):
    row = call.row('connections', 'connection_id')
    settings = _read_settings(call)
    if set(call.body or {}) - {'settings'}:
        raise invalid_input('Only the settings of an accounting connection can be changed')
    if row['settings'] is None:
        raise RampError(400, 'DEVELOPER_7001', 'Only API connections have settings')
    return wire_fields(call.state['connections'].update(row['id'], settings={**row['settings'], **settings}))


@route('POST', '/accounting/connection/{connection_id}/reactivate', scope='accounting:write')
def reactivate_connection(call):
    row = call.row('connections', 'connection_id')
    other = active_connection(call.state)
    if other and other['id'] != row['id']:
        raise RampError(400, 'DEVELOPER_7001', 'Another accounting connection is active')
    return wire_fields(_relink_connection(call.state, row))


def _relink_connection(state, row):
    return state['connections'].update(row['id'], is_active=True, status='linked', last_linked_at=state.now())
