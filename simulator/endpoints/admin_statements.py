"""/_simulator/ for statements: closing periods, transfers and cashback, for other processes."""

from . import cashbacks, statements, transfers
from .admin import register_admin_route, select_queried_rows


@register_admin_route('GET', '/statements')
def list_statement_rows(call):
    """List all of them, with underscore keys. Each query parameter is a field and the value it must have."""
    return {'data': select_queried_rows(call, 'statements')}


@register_admin_route('POST', '/statements')
def add_statement_row(call):
    """Close a statement: `{"end"}` and the parameters of `statements.close_statement`."""
    values = dict(call.body)
    return statements.close_statement(call.state, values.pop('end'), values.pop('start', None), **values), 201


@register_admin_route('PATCH', '/statements/{ident}')
def change_statement_row(call):
    """Change a statement: `{"section"}` and the parameters of `statements.change_statement`."""
    values = dict(call.body)
    return statements.change_statement(
        call.state, call.find_path_row('statements', 'ident')['id'], values.pop('section', None), **values
    )


@register_admin_route('POST', '/statements/{ident}/release')
def release_statement_row(call):
    return statements.release_statement(call.state, call.find_path_row('statements', 'ident')['id'])


@register_admin_route('GET', '/transfers')
def list_transfer_rows(call):
    return {'data': select_queried_rows(call, 'transfers')}


@register_admin_route('POST', '/transfers')
def add_transfer_row(call):
    return transfers.make_transfer(call.state, **(call.body or {})), 201


@register_admin_route('PATCH', '/transfers/{ident}')
def move_transfer_row(call):
    """Move a transfer: `{"status"}` and the parameters of `transfers.move_transfer`."""
    values = dict(call.body)
    return transfers.move_transfer(
        call.state, call.find_path_row('transfers', 'ident')['id'], values.pop('status'), **values
    )


@register_admin_route('GET', '/cashbacks')
def list_cashback_rows(call):
    return {'data': select_queried_rows(call, 'cashbacks')}


@register_admin_route('POST', '/cashbacks')
def add_cashback_row(call):
    return cashbacks.make_cashback(call.state, **(call.body or {})), 201


@register_admin_route('GET', '/owed-on-cards')
def show_owed_on_cards(call):
    """Return what is owed on cards: `?entity=&currency=&until=&sync_status=` as in `statements.owed_on_cards`."""
    options = {name: call.query[name] for name in ('entity', 'currency', 'until') if name in call.query}
    return {'owed': statements.owed_on_cards(call.state, sync_status=call.query.getlist('sync_status'), **options)}
