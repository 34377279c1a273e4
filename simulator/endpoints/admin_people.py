"""/_simulator/ for users: actions of users and their administrators, for other processes."""

from . import users
from .admin import admin_route, select_rows


@admin_route('GET', '/users')
def list_users(call):
    """List all of them, with underscore keys. Each query parameter is a field and the value it must have."""
    users.run_due_tasks(call.state)
    return {'data': select_rows(call, 'users')}


@admin_route('POST', '/users')
def add_user(call):
    return users.make_user(call.state, **call.body), 201


@admin_route('PATCH', '/users/{ident}')
def change_user(call):
    """Change a user. `{"status": "USER_ACTIVE"}` accepts an invitation."""
    return users.change_user(call.state, call.row('users', 'ident')['id'], **call.body)


@admin_route('POST', '/tasks/finish')
def finish_tasks(call):
    """Finish one task, or all open ones: `{"task", "error"}`. With an error they fail."""
    body = call.body or {}
    return {'finished': users.finish_tasks(call.state, body.get('task'), error=body.get('error'))}


@admin_route('GET', '/mails')
def list_mails(call):
    """List the emails that Ramp would have sent."""
    return {'mails': list(call.state.mails)}
