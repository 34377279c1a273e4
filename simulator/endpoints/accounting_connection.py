"""/accounting/connection: the accounting provider of the business. Only one can be active."""

from ..errors import RampError, make_input_error, make_missing_error
from ..routes import route
from ..state import Table, select_wire_fields

TABLES = {'connections': Table}
SETTINGS = (
    'entity_selection_enabled',
    'reimbursement_sync_button_enabled',
    'transaction_accounting_vendor_creation_on_sync_enabled',
    'transaction_sync_button_enabled',
    'vendor_credits_enabled',
)


def find_active_connection(state):
    return state['connections'].find_first_row(is_active=True)


def holds_api_connection(ramp):
    """Return whether this app has the active connection and it is of type API.

    Only then may the app upload coding data and report syncs.
    """
    row = find_active_connection(ramp.state)
    return bool(row) and row['connection_type'] == 'API' and row['_owner'] == ramp.client_id


def is_setting_enabled(state, setting):
    """Return whether the active accounting connection has this setting on. The default is off."""
    row = find_active_connection(state)
    return bool(row) and bool((row['settings'] or {}).get(setting))


def _read_connection_settings(call):
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
        raise make_input_error('Invalid input', {'settings': [f'{name}: {text[0]}' for name, text in wrong.items()]})
    return settings


def check_api_connection(ramp):
    if not holds_api_connection(ramp):
        raise RampError(400, 'DEVELOPER_7001', 'There is no active API accounting connection')


def take_accounting_seat(state, name, connection_type, owner, settings=None):
    incumbent = find_active_connection(state)
    if incumbent:
        _unlink_accounting_connection(state, incumbent)
    return state['connections'].add_row(
        {
            'id': state.make_new_id(),
            'connection_type': connection_type,
            'created_at': state.read_time(),
            'is_active': True,
            'is_ready_to_migrate': False,
            'last_linked_at': state.read_time(),
            'remote_provider_name': name,
            'settings': {**dict.fromkeys(SETTINGS, False), **(settings or {})} if connection_type == 'API' else None,
            'status': 'linked',
            '_owner': owner,
        }
    )


def _unlink_accounting_connection(state, row):
    state['connections'].update_row(row['id'], is_active=False, status='unlinked')


@route('POST', '/accounting/connection', scope='accounting:write')
def post_accounting_connection(call):
    incumbent = find_active_connection(call.state)
    # An API connection replaces Universal CSV. Any other incumbent stays, and Ramp still answers success.
    if incumbent and incumbent['connection_type'] != 'CSV':
        return select_wire_fields(incumbent), 201
    name, settings = call.read_required_field('remote_provider_name'), _read_connection_settings(call)
    if call.body.get('reactivate'):
        former = call.state['connections'].find_first_row(remote_provider_name=name, _owner=call.ramp.client_id)
        if former:
            return select_wire_fields(_relink_accounting_connection(call.state, former)), 201
    return select_wire_fields(take_accounting_seat(call.state, name, 'API', call.ramp.client_id, settings)), 201


@route('GET', '/accounting/connection', scope='accounting:read')
def get_active_connection(call):
    row = find_active_connection(call.state)
    if row is None:
        raise make_missing_error('Accounting connection')
    return select_wire_fields(row)


@route('DELETE', '/accounting/connection', scope='accounting:write')
def delete_accounting_connection(call):
    row = find_active_connection(call.state)
    if row is None or row['connection_type'] != 'API':
        raise make_missing_error('API accounting connection')
    # Ramp does not check which app a connection belongs to, so one app can delete the connection of another.
    _unlink_accounting_connection(call.state, row)
    return None, 204


@route('GET', '/accounting/all-connections', scope='accounting:read')
def list_accounting_connections(call):
    return {'connections': [select_wire_fields(row) for row in call.state['connections']]}


@route('GET', '/accounting/connection/{connection_id}', scope='accounting:read')
def get_accounting_connection(call):
    return select_wire_fields(call.find_path_row('connections', 'connection_id'))


@route('PATCH', '/accounting/connection/{connection_id}', scope='accounting:write')
def patch_accounting_connection(call):
    row = call.find_path_row('connections', 'connection_id')
    settings = _read_connection_settings(call)
    if set(call.body or {}) - {'settings'}:
        raise make_input_error('Only the settings of an accounting connection can be changed')
    if row['settings'] is None:
        raise RampError(400, 'DEVELOPER_7001', 'Only API connections have settings')
    return select_wire_fields(call.state['connections'].update_row(row['id'], settings={**row['settings'], **settings}))


@route('POST', '/accounting/connection/{connection_id}/reactivate', scope='accounting:write')
def reactivate_accounting_connection(call):
    row = call.find_path_row('connections', 'connection_id')
    other = find_active_connection(call.state)
    if other and other['id'] != row['id']:
        raise RampError(400, 'DEVELOPER_7001', 'Another accounting connection is active')
    return select_wire_fields(_relink_accounting_connection(call.state, row))


def _relink_accounting_connection(state, row):
    return state['connections'].update_row(row['id'], is_active=True, status='linked', last_linked_at=state.read_time())
