"""/_simulator/: actions of people in Ramp's screens, and control of the simulator itself.

These routes need no token. They answer only when the simulator is bound to loopback.
"""

import dataclasses
import functools
from collections import Counter

from .. import coding
from ..errors import RampError, make_input_error, make_missing_error
from ..routes import ADMIN
from ..routes import route as _route
from ..seed import Seed
from ..state import select_wire_fields
from . import transactions, users

CODING_TABLES = {
    'accounts': 'accounts',
    'fields': 'fields',
    'options': 'options',
    'vendors': 'accounting_vendors',
    'tax_rates': 'tax_rates',
    'tax_codes': 'tax_codes',
    'tax_options': 'tax_options',
    'inventory_fields': 'inventory_fields',
    'inventory_items': 'inventory_items',
    'subsidiaries': 'subsidiaries',
}
SEED_OPTIONS = {item.name for item in dataclasses.fields(Seed)}


def register_admin_route(method, path):
    def register_admin_handler(handler):
        @functools.wraps(handler)
        def answer_or_refuse(call):
            try:
                return handler(call)
            except (TypeError, ValueError, KeyError, AttributeError) as error:
                raise make_input_error(f'{type(error).__name__}: {error}') from error

        return _route(method, path, base=ADMIN, open=True)(answer_or_refuse)

    return register_admin_handler


@register_admin_route('GET', '/')
def show_business_summary(call):
    ramp, state = call.ramp, call.state
    rows = state['transactions']
    return {
        'objects': {name: len(table) for name, table in sorted(state.tables.items())},
        'transactions': dict(Counter(f'{row["state"]} {row["sync_status"]}' for row in rows)),
        'connections': [select_wire_fields(row) for row in state['connections']],
        'problems': state.problems,
        'syncs': len(state.journal),
        'export_errors': len(state.export_errors),
        'requests': len(ramp.requests),
        'write_calls': len(ramp.list_write_calls()),
        'faults': ramp.faults.list_waiting_faults(),
        'contract': ramp.contract is not None,
        'contract_violations': ramp.contract_violations,
        'request_violations': ramp.request_violations,
        'errors': ramp.errors,
        'leaked_tokens': ramp.leaked_tokens,
    }


# -- faults


@register_admin_route('GET', '/faults')
def list_active_faults(call):
    return {'faults': call.ramp.faults.list_waiting_faults(), 'struck': call.ramp.faults.struck}


@register_admin_route('POST', '/faults')
def add_active_fault(call):
    return dataclasses.asdict(call.ramp.faults.add_fault(**call.body)), 201


@register_admin_route('DELETE', '/faults')
def clear_active_faults(call):
    call.ramp.faults.clear_faults()
    return None, 204


@register_admin_route('POST', '/kill-tokens')
def kill_all_tokens(call):
    """Make all current tokens dead. With `{"not_found": true}` they answer 404 instead of 401."""
    for token in call.state.tokens.values():
        token['dead'] = 'not found' if (call.body or {}).get('not_found') else 'revoked'
    return None, 204


# -- transactions


@register_admin_route('GET', '/transactions')
def list_transaction_rows(call):
    """List all of them, with underscore keys. Each query parameter is a field and the value it must have."""
    return {'data': select_queried_rows(call, 'transactions')}


@register_admin_route('POST', '/transactions')
def add_transaction_row(call):
    return transactions.make_transaction(call.state, **(call.body or {})), 201


@register_admin_route('PATCH', '/transactions/{ident}')
def change_transaction_row(call):
    return transactions.change_transaction(call.state, call.find_path_row('transactions', 'ident')['id'], **call.body)


@register_admin_route('POST', '/transactions/{ident}/receipts')
def add_transaction_receipt(call):
    row = call.find_path_row('transactions', 'ident')
    return select_wire_fields(transactions.attach_transaction_receipt(call.state, row['id'], **(call.body or {}))), 201


@register_admin_route('GET', '/totals')
def show_spend_totals(call):
    wanted = call.query.getlist('sync_status')
    options = {'sync_status': wanted} if wanted else {}
    return {'totals': transactions.compute_spend_totals(call.state, until=call.query.get('until'), **options)}


# -- any object


def _find_named_table(call):
    if call.args['table'] not in call.state.tables:
        raise make_missing_error('Table')
    return call.state[call.args['table']]


def select_queried_rows(call, table):
    return [
        dict(row) for row in call.state[table] if all(str(row.get(name)) == value for name, value in call.query.items())
    ]


@register_admin_route('GET', '/objects/{table}')
def list_table_rows(call):
    _find_named_table(call)
    return {'data': select_queried_rows(call, call.args['table'])}


@register_admin_route('POST', '/objects/{table}')
def add_table_row(call):
    table = _find_named_table(call)
    return table.add_row({table.key: call.state.make_new_id(), **call.body}), 201


@register_admin_route('PATCH', '/objects/{table}/{ident}')
def change_table_row(call):
    table = _find_named_table(call)
    return table.update_row(call.find_path_row(call.args['table'], 'ident')[table.key], **call.body)


# -- accounting


@register_admin_route('POST', '/seat')
def take_seat_elsewhere(call):
    """Let another provider take the seat: `{"name", "connection_type": "DIRECT" | "API" | "CSV"}`."""
    return select_wire_fields(call.ramp.take_accounting_seat(**call.body)), 201


@register_admin_route('GET', '/coding')
def show_coding_data(call):
    """Return all coding data of all connections as Ramp answers it, plus the keys that Ramp does not answer."""
    state, shown = call.state, coding.make_coding_renderer(call.state)

    def render_table_rows(table):
        return [shown(row) | _select_hidden_fields(row) for row in state[table]]

    return {name: render_table_rows(table) for name, table in CODING_TABLES.items()}


def _select_hidden_fields(row):
    told = {'field_id': '_field', 'is_active': '_active'}
    return {name: row[key] for name, key in told.items() if key in row}


@register_admin_route('GET', '/export-errors')
def show_export_errors(call):
    return {'errors': dict(call.state.export_errors)}


@register_admin_route('GET', '/journal')
def show_sync_journal(call):
    return {'journal': list(call.state.journal)}


# -- the business


@register_admin_route('GET', '/requests')
def show_request_log(call):
    return {'requests': [dict(entry) for entry in call.ramp.requests]}


@register_admin_route('POST', '/seed')
def add_seed_data(call):
    """Add to the client's chart, fields or people: `{"accounts", "analytics", "users"}`."""
    for account in call.body.get('accounts', ()):
        coding.add_gl_account(call.state, **account)
    for item in call.body.get('analytics', ()):
        coding.add_accounting_field(call.state, item['field_id'], item['field_name'], item['options'])
    for person in call.body.get('users', ()):
        office = next(iter(call.state['locations']))
        users.make_user(call.state, **{'location': office, **person})
    return None, 204


@register_admin_route('POST', '/spend')
def let_people_spend(call):
    """Let people spend, coded with the uploaded data: `{"transactions", "months", "seed", "statements"}`."""
    dataclasses.replace(call.ramp.seed, **(call.body or {})).let_people_spend(call.state)
    return None, 204


@register_admin_route('POST', '/reset')
def reset_business(call):
    """Reset the business. The body may give options of `Seed` (accounts, analytics, transactions, ...)."""
    options = call.body or {}
    if set(options) - SEED_OPTIONS:
        raise RampError(422, 'DEVELOPER_7001', f'Unknown options: {", ".join(sorted(set(options) - SEED_OPTIONS))}')
    call.ramp.seed = dataclasses.replace(call.ramp.seed, **options)
    call.ramp.reset_business()
    return None, 204
