"""/users: created by deferred tasks, changed directly.

A due task is run on the next request. Only then it checks whether the user exists. Ramp's behaviour is unknown in some
cases. The simulator takes the harder alternative:
* The task, not the request, refuses an address that is in use.
* A manager must have `is_manager`. `auto_promote` sets it, in a change only.
* The owner cannot be deactivated.
"""

from datetime import datetime, timedelta

from .. import uploads
from ..errors import RampError
from ..listing import answer_list_page, filter_by_value, make_choice_parser
from ..payables import parse_midnight, refuse_unknown_names
from ..routes import route
from ..state import Table, format_iso_time, make_blank_row, select_wire_fields

TABLES = {'users': lambda: Table(name=lambda row: (row.get('email') or '').lower()), 'user_tasks': Table}
LISTED_STATUSES = ('USER_ACTIVE', 'USER_INACTIVE')
ROLES = (
    'AUDITOR',
    'BUSINESS_ADMIN',
    'BUSINESS_BOOKKEEPER',
    'BUSINESS_OWNER',
    'BUSINESS_USER',
    'GUEST_USER',
    'IT_ADMIN',
)
INACTIVE_STATUSES = ('USER_INACTIVE', 'USER_SUSPENDED')
OPEN_TASKS = ('STARTED', 'IN_PROGRESS')
FILTERS = {
    'employee_id': filter_by_value('employee_id', str),
    'role': filter_by_value('role', make_choice_parser(*ROLES)),
    'status': filter_by_value(
        'status', make_choice_parser('USER_ACTIVE', 'USER_DRAFT', 'USER_INACTIVE', 'USER_SUSPENDED')
    ),
    'entity_id': filter_by_value('entity_id'),
    'department_id': filter_by_value('department_id'),
    'email': filter_by_value('email', str),
    'location_id': filter_by_value('location_id'),
}
NEEDS = ('email', 'first_name', 'idempotency_key', 'last_name', 'role')
MAY = ('department_id', 'direct_manager_id', 'is_draft', 'is_manager', 'location_id', 'scheduled_deactivation_date')
CHANGES = (
    'auto_promote',
    'department_id',
    'direct_manager_id',
    'first_name',
    'is_manager',
    'last_name',
    'location_id',
    'role',
    'scheduled_deactivation_date',
)


# -- routes


@route('GET', '/users', scope='users:read')
def list_users(call):
    run_due_user_tasks(call.state)
    # Without a status filter Ramp lists active and inactive users only. It leaves out drafts, suspended users and open
    # invitations. Of these, the filter accepts only the first two.
    where = None if 'status' in call.query else lambda row: row['status'] in LISTED_STATUSES
    return answer_list_page(call, 'users', FILTERS, where)


@route('GET', '/users/{user_id}', scope='users:read')
def get_user(call):
    return select_wire_fields(_find_user(call))


@route('POST', '/users/deferred', scope='users:write', idempotent=True)
def post_user(call):
    body = uploads.read_checked_fields(call, NEEDS, MAY)
    values = {name: body[name] for name in ('email', 'first_name', 'is_manager', 'last_name', 'role') if name in body}
    values.update(_read_linked_fields(call.state, body))
    _check_user_role(body['role'], body.get('scheduled_deactivation_date'))
    if body['role'] == 'GUEST_USER' and 'scheduled_deactivation_date' not in body:
        values['scheduled_deactivation_date'] = parse_midnight(call.state.clock() + timedelta(days=182))
    else:
        values['scheduled_deactivation_date'] = parse_midnight(body.get('scheduled_deactivation_date'))
    values['status'] = 'USER_DRAFT' if body.get('is_draft') else 'INVITE_PENDING'
    return {'id': defer_user_creation(call.state, values, call.ramp.task_seconds)['id']}, 201


@route('GET', '/users/deferred/status/{task_id}', scope='users:write')
def get_user_task(call):
    run_due_user_tasks(call.state)
    return select_wire_fields(call.find_path_row('user_tasks', 'task_id'))


@route('PATCH', '/users/{user_id}', scope='users:write')
def patch_user(call):
    """Change a user. The email address cannot be changed."""
    body, row = uploads.read_checked_fields(call, (), CHANGES), _find_user(call)
    role, date = body.get('role', row['role']), body.get('scheduled_deactivation_date')
    if 'role' in body and row['role'] == 'BUSINESS_OWNER' and role != 'BUSINESS_OWNER':
        raise _make_field_refusal('role', 'The owner stays the owner.')
    if role != row['role'] or date:
        _check_user_role(role, date, owner=row['role'] == 'BUSINESS_OWNER')
    values = {name: body[name] for name in ('first_name', 'is_manager', 'last_name', 'role') if name in body}
    values.update(_read_linked_fields(call.state, body, row, body.get('auto_promote')))
    if 'scheduled_deactivation_date' in body:
        values['scheduled_deactivation_date'] = parse_midnight(date)
    change_user(call.state, row['id'], **values)
    return None, 204


@route('PATCH', '/users/{user_id}/deactivate', scope='users:write')
def deactivate_user(call):
    row = _find_user(call)
    if row['role'] == 'BUSINESS_OWNER':
        raise _make_field_refusal('user_id', 'The owner cannot be deactivated.')
    if row['status'] != 'USER_INACTIVE':
        change_user(call.state, row['id'], status='USER_INACTIVE')
    return {}


@route('PATCH', '/users/{user_id}/reactivate', scope='users:write')
def reactivate_user(call):
    """Reactivate a user. One who never signed in becomes a draft or invited again."""
    row = _find_user(call)
    if row['status'] in INACTIVE_STATUSES:
        change_user(call.state, row['id'], status=row.get('_before') or 'USER_ACTIVE')
    return {}


@route('POST', '/users/{user_id}/invite', scope='users:write')
def invite_user(call):
    body, row = uploads.read_checked_fields(call, ('action',), ('invitation_time',)), _find_user(call)
    action = body['action']
    if action == 'DESCHEDULE':
        change_user(call.state, row['id'], scheduled_invitation_date=None)
    elif row['status'] != 'USER_DRAFT':
        raise _make_field_refusal('action', 'The user is not a draft.')
    elif action == 'SEND_NOW':
        send_invitation(call.state, row['id'])
    else:
        change_user(call.state, row['id'], scheduled_invitation_date=_read_invitation_time(body))
    return {}


def _find_user(call):
    run_due_user_tasks(call.state)
    return call.find_path_row('users', 'user_id')


def _make_field_refusal(field, message):
    return RampError(400, 'DEVELOPER_7001', message, {field: [message]})


def _check_user_role(role, deactivation, owner=False):
    if role == 'BUSINESS_OWNER' and not owner:
        raise _make_field_refusal('role', 'Nobody can be made the owner.')
    if deactivation and role in ('BUSINESS_ADMIN', 'BUSINESS_OWNER'):
        raise _make_field_refusal('scheduled_deactivation_date', 'Cannot be set for admins or owners.')


def _read_linked_fields(store, body, row=None, promote=False):
    """Return the fields for department, location (with its entity) and manager that the body names."""
    values = {}
    for name, table in (('department_id', 'departments'), ('location_id', 'locations'), ('direct_manager_id', 'users')):
        if body.get(name) is not None and body[name] not in store[table]:
            raise _make_field_refusal(name, 'There is no such object.')
    if 'department_id' in body:
        values['department_id'] = body['department_id']
    if 'location_id' in body:
        values.update(_read_location_fields(store, body['location_id']))
    if 'direct_manager_id' in body:
        values['manager_id'] = body['direct_manager_id']
    if values.get('manager_id'):
        manager = store['users'].rows[values['manager_id']]
        if row and _does_report_to(store, manager, row['id']):
            raise _make_field_refusal('direct_manager_id', 'The manager reports to the user.')
        if not manager['is_manager']:
            if not promote:
                raise _make_field_refusal('direct_manager_id', 'The user is not a manager.')
            change_user(store, manager['id'], is_manager=True)
    return values


def _read_location_fields(store, location_id):
    location = location_id and store['locations'].rows[location_id]
    return {'location_id': location_id, 'entity_id': location and location['entity_id']}


def _does_report_to(store, row, ident):
    seen = set()
    while row and row['id'] not in seen:
        if row['id'] == ident:
            return True
        seen.add(row['id'])
        row = store['users'].get_row(row['manager_id'])
    return False


def _read_invitation_time(body):
    if not body.get('invitation_time'):
        raise _make_field_refusal('invitation_time', 'Missing data for required field.')
    at = datetime.fromisoformat(body['invitation_time'].replace('Z', '+00:00'))
    if not at.tzinfo:
        raise _make_field_refusal('invitation_time', 'Must have a time zone.')
    return format_iso_time(at)


# -- creation

# Fields of a new user that are empty.
UNSET = ('employee_id', 'phone', 'manager_id', 'scheduled_deactivation_date', 'scheduled_invitation_date', '_before')


def make_user(state, first_name, last_name, email, location=None, department=None, **values):
    """Add an existing user and return the row. `location` and `department` are rows. The entity is the location's."""
    business = next(iter(state['business']), None)
    row = {
        **make_blank_row(UNSET, ('custom_fields',)),
        'id': state.derive_stable_id('user', email),
        'business_id': business and business['id'],
        'first_name': first_name,
        'last_name': last_name,
        'email': email,
        'role': 'BUSINESS_USER',
        'status': 'USER_ACTIVE',
        'is_manager': False,
        'department_id': department and department['id'],
        'location_id': location and location['id'],
        'entity_id': location and location['entity_id'],
        '_broken': False,
    }
    refuse_unknown_names('A user', row, values, ('_broken',))
    return state['users'].add_row({**row, **values})


def change_user(store, ident, /, **changes):
    """Change a user as people do in Ramp, and return the row. A `location_id` sets the entity too."""
    row = store['users'].rows[ident]
    refuse_unknown_names('A user', row, changes)
    if 'location_id' in changes:
        changes = {**_read_location_fields(store, changes['location_id']), **changes}
    if changes.get('status') in INACTIVE_STATUSES and row['status'] not in INACTIVE_STATUSES:
        changes['_before'] = row['status']
    return store['users'].update_row(ident, **changes)


def send_invitation(store, ident, /):
    """Send the invitation, and return the user's row. Ramp sends a real email; here it is added to `State.mails`."""
    row = store['users'].rows[ident]
    store.mails.append({'kind': 'invitation', 'to': row['email'], 'time': store.read_time()})
    return change_user(store, ident, status='INVITE_PENDING', scheduled_invitation_date=None)


# -- tasks


def defer_user_creation(store, values, seconds=0, /):
    """Add a task that creates a user from `values`, and return its row.

    :param seconds: delay until the task runs; None: not before `finish_user_tasks`
    """
    due = None if seconds is None else format_iso_time(store.clock() + timedelta(seconds=seconds))
    owner = next(iter(store['users']), None)
    return store['user_tasks'].add_row(
        {
            'id': store.make_new_id(),
            'status': 'STARTED',
            'context': {'acting_user_id': owner['id']} if owner else {},
            'data': {},
            '_begins': store.read_time(),
            '_due': due,
            '_values': values,
        }
    )


def finish_user_tasks(store, ident=None, /, error=None):
    """Finish a task, or all open ones, now. With `error` (a text) they fail. Return their ids."""
    found = [row['id'] for row in store['user_tasks'] if row['status'] in OPEN_TASKS and ident in (None, row['id'])]
    for task_id in found:
        _finish_user_task(store, store['user_tasks'].rows[task_id], error)
    return found


def run_due_user_tasks(store):
    """Run what is due by now: tasks, invitations, deactivations."""
    now = store.read_time()
    for row in list(store['user_tasks']):
        if row['status'] in OPEN_TASKS and row['_due'] is not None and row['_due'] <= now:
            _finish_user_task(store, row)
        elif row['status'] == 'STARTED' and row['_begins'] < now:
            store['user_tasks'].update_row(row['id'], status='IN_PROGRESS')
    for row in list(store['users']):
        if row['status'] == 'USER_DRAFT' and (row.get('scheduled_invitation_date') or '~') <= now:
            send_invitation(store, row['id'])
        if row['status'] == 'USER_ACTIVE' and (row.get('scheduled_deactivation_date') or '~') <= now:
            change_user(store, row['id'], status='USER_INACTIVE')


def _finish_user_task(store, row, error=None):
    values = dict(row['_values'])
    if not error and store['users'].list_named_rows(values['email'].lower()):
        error = 'A user with this email already exists'
    if error:
        return store['user_tasks'].update_row(row['id'], status='ERROR', data={'error': error})
    invited = values['status'] == 'INVITE_PENDING'
    user = make_user(store, values.pop('first_name'), values.pop('last_name'), values.pop('email'), **values)
    if invited:
        send_invitation(store, user['id'])
    return store['user_tasks'].update_row(row['id'], status='SUCCESS', data={'user_id': user['id']})
