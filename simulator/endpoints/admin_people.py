"""/_simulator/ for users: actions of users and their administrators, for other processes."""

from . import users
from .admin import register_admin_route, select_queried_rows


@register_admin_route('GET', '/users')
def list_user_rows(call):
    """List all of them, with underscore keys. Each query parameter is a field and the value it must have."""
    users.run_due_user_tasks(call.state)
    return {'data': select_queried_rows(call, 'users')}


@register_admin_route('POST', '/users')
def add_user_row(call):
    return users.make_user(call.state, **call.body), 201


@register_admin_route('PATCH', '/users/{ident}')
def change_user_row(call):
    """Change a user. `{"status": "USER_ACTIVE"}` accepts an invitation."""
    return users.change_user(call.state, call.find_path_row('users', 'ident')['id'], **call.body)


@register_admin_route('POST', '/tasks/finish')
def finish_task_rows(call):
    """Finish one task, or all open ones: `{"task", "error"}`. With an error they fail."""
    body = call.body or {}
    return {'finished': users.finish_user_tasks(call.state, body.get('task'), error=body.get('error'))}


@register_admin_route('GET', '/mails')
def list_sent_mails(call):
    """List the emails that Ramp would have sent."""
    return {'mails': list(call.state.mails)}
