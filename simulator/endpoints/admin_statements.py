"""/_simulator/ for statements: what time, banks and accountants do with what is owed on cards, for a process outside."""

from . import cashbacks, statements, transfers
from .admin import _select, route


@route("GET", "/statements")
def list_statements(call):
    """All of them, underscore keys included; every query parameter is a field that must be equal."""
    return {"data": _select(call, "statements")}


@route("POST", "/statements")
def close_statement(call):
    """`{"end"}` and the values of `statements.close`."""
    values = dict(call.body)
    return statements.close(call.state, values.pop("end"), values.pop("start", None), **values), 201


@route("PATCH", "/statements/{ident}")
def change_statement(call):
    """`{"section"}` and the values of `statements.change`."""
    values = dict(call.body)
    return statements.change(call.state, call.row("statements", "ident")["id"], values.pop("section", None), **values)


@route("POST", "/statements/{ident}/release")
def release_statement(call):
    return statements.release(call.state, call.row("statements", "ident")["id"])


@route("GET", "/transfers")
def list_transfers(call):
    return {"data": _select(call, "transfers")}


@route("POST", "/transfers")
def add_transfer(call):
    return transfers.make(call.state, **(call.body or {})), 201


@route("PATCH", "/transfers/{ident}")
def move_transfer(call):
    """`{"status"}` and the values of `transfers.move`."""
    values = dict(call.body)
    return transfers.move(call.state, call.row("transfers", "ident")["id"], values.pop("status"), **values)


@route("GET", "/cashbacks")
def list_cashbacks(call):
    return {"data": _select(call, "cashbacks")}


@route("POST", "/cashbacks")
def add_cashback(call):
    return cashbacks.make(call.state, **(call.body or {})), 201


@route("GET", "/owed-on-cards")
def owed(call):
    """`?entity=&currency=&until=&sync_status=` as of `statements.owed`."""
    options = {name: call.query[name] for name in ("entity", "currency", "until") if name in call.query}
    return {"owed": statements.owed(call.state, sync_status=call.query.getlist("sync_status"), **options)}
