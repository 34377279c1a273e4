"""/_simulator/ for users: what they and their administrators do in Ramp's screens, for a process outside."""

from . import users
from .admin import _select, route


@route("GET", "/users")
def list_users(call):
    """All of them, underscore keys included; every query parameter is a field that must be equal."""
    users.settle(call.state)
    return {"data": _select(call, "users")}


@route("POST", "/users")
def add_user(call):
    return users.make(call.state, **call.body), 201


@route("PATCH", "/users/{ident}")
def change_user(call):
    """An invitation is accepted by `{"status": "USER_ACTIVE"}`."""
    return users.change(call.state, call.row("users", "ident")["id"], **call.body)


@route("POST", "/tasks/finish")
def finish_tasks(call):
    """`{"task", "error"}`: one or, without, all that are open; with an error they fail."""
    body = call.body or {}
    return {"finished": users.finish(call.state, body.get("task"), error=body.get("error"))}


@route("GET", "/mails")
def mails(call):
    """What Ramp would have sent to people."""
    return {"mails": list(call.state.mails)}
