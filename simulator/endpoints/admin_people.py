"""/_simulator/ for users: what they and their administrators do in Ramp's screens, for a process outside."""

from . import users
from .admin import admin_route, select_rows


@admin_route('GET', '/users')
def list_users(call):
    """All of them, underscore keys included; every query parameter is a field that must be equal."""
    users.run_due_tasks(call.state)
    return {'data': select_rows(call, 'users')}


@admin_route('POST', '/users')
def add_user(call):
    return users.make_user(call.state, **call.body), 201


@admin_route('PATCH', '/users/{ident}')
def change_user(call):
    """An invitation is accepted by `{"status": "USER_ACTIVE"}`."""
    return users.change_user(call.state, call.row('users', 'ident')['id'], **call.body)


@admin_route('POST', '/tasks/finish')
def finish_tasks(call):
    """`{"task", "error"}`: one or, without, all that are open; with an error they fail."""
    body = call.body or {}
    return {'finished': users.finish_tasks(call.state, body.get('task'), error=body.get('error'))}


@admin_route('GET', '/mails')
def list_mails(call):
    """What Ramp would have sent to people."""
    return {'mails': list(call.state.mails)}
