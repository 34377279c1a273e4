"""/departments. They cannot be deleted. Duplicate names are refused here; what Ramp does is unknown."""

from .. import uploads
from ..errors import RampError
from ..listing import answer_list_page
from ..routes import route
from ..state import Table, select_wire_fields

TABLES = {'departments': Table}


def make_department(state, name):
    return state['departments'].add_row({'id': state.derive_stable_id('department', name), 'name': name})


@route('GET', '/departments', scope='departments:read')
def list_departments(call):
    return answer_list_page(call, 'departments')


@route('GET', '/departments/{department_id}', scope='departments:read')
def get_department(call):
    return select_wire_fields(call.find_path_row('departments', 'department_id'))


@route('POST', '/departments', scope='departments:write')
def post_department(call):
    body = uploads.read_checked_fields(call, ('name',), ())
    check_unique_name(call.state, 'departments', body['name'])
    return select_wire_fields(
        call.state['departments'].add_row({'id': call.state.make_new_id(), 'name': body['name']})
    ), 201


@route('PATCH', '/departments/{department_id}', scope='departments:write')
def patch_department(call):
    body, row = uploads.read_checked_fields(call, ('name',), ()), call.find_path_row('departments', 'department_id')
    check_unique_name(call.state, 'departments', body['name'], row['id'])
    return select_wire_fields(call.state['departments'].update_row(row['id'], name=body['name']))


def check_unique_name(state, table, name, own=None):
    """Raise 400 if the name is empty or another row of the table has it."""
    if not name.strip():
        raise RampError(400, 'DEVELOPER_7001', 'The name is empty', {'name': ['Shorter than minimum length.']})
    if any(row['name'].lower() == name.lower() and row['id'] != own for row in state[table]):
        raise RampError(400, 'DEVELOPER_7001', 'The name exists already', {'name': ['Exists already.']})
