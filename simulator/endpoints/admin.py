"""/_simulator/: actions of people in Ramp's screens, and control of the simulator itself.

These routes need no token. They answer only when the simulator is bound to loopback.
"""

import dataclasses
import functools
from collections import Counter

from .. import coding
from ..errors import RampError, invalid_input, not_found
from ..routes import ADMIN
from ..routes import route as _route
from ..seed import Seed
from ..state import wire_fields
from . import transactions, users

CODING = {
    'accounts': 'accounts',
    'fields': 'fields',
    'options': 'options',
    'vendors': 'accounting_vendors',
    'tax_rates': 'tax_rates',
    'tax_codes': 'tax_codes',
    'tax_options': 'tax_options',
}
SEED_OPTIONS = {item.name for item in dataclasses.fields(Seed)}


def admin_route(method, path):
    def register_handler(handler):
        @functools.wraps(handler)
        def answer_carefully(call):
            try:
                return handler(call)
            except (TypeError, ValueError, KeyError, AttributeError) as error:
                raise invalid_input(f'{type(error).__name__}: {error}') from error

        return _route(method, path, base=ADMIN, open=True)(answer_carefully)

    return register_handler


@admin_route('GET', '/')
def show_summary(call):
    ramp, state = call.ramp, call.state
    rows = state['transactions']
    return {
        'objects': {name: len(table) for name, table in sorted(state.tables.items())},
        'transactions': dict(Counter(f'{row["state"]} {row["sync_status"]}' for row in rows)),
        'connections': [wire_fields(row) for row in state['connections']],
        'problems': state.problems,
        'syncs': len(state.journal),
        'export_errors': len(state.export_errors),
        'requests': len(ramp.requests),
        'write_calls': len(ramp.write_calls()),
        'faults': ramp.faults.as_dicts(),
        'contract': ramp.contract is not None,
        'contract_violations': ramp.contract_violations,
        'request_violations': ramp.request_violations,
        'errors': ramp.errors,
        'leaked_tokens': ramp.leaked_tokens,
    }


# -- faults


@admin_route('GET', '/faults')
def list_faults(call):
    return {'faults': call.ramp.faults.as_dicts(), 'struck': call.ramp.faults.struck}


@admin_route('POST', '/faults')
def add_fault(call):
    return dataclasses.asdict(call.ramp.faults.add(**call.body)), 201


@admin_route('DELETE', '/faults')
def clear_faults(call):
    call.ramp.faults.clear()
    return None, 204


@admin_route('POST', '/kill-tokens')
def kill_tokens(call):
    """Make all current tokens dead. With `{"not_found": true}` they answer 404 instead of 401."""
    for token in call.state.tokens.values():
        token['dead'] = 'not found' if (call.body or {}).get('not_found') else 'revoked'
    return None, 204


# -- transactions


@admin_route('GET', '/transactions')
def list_transactions(call):
    """List all of them, with underscore keys. Each query parameter is a field and the value it must have."""
    return {'data': select_rows(call, 'transactions')}


@admin_route('POST', '/transactions')
def add_transaction(call):
    return transactions.make_transaction(call.state, **(call.body or {})), 201


@admin_route('PATCH', '/transactions/{ident}')
def change_transaction(call):
    return transactions.change_transaction(call.state, call.row('transactions', 'ident')['id'], **call.body)


@admin_route('POST', '/transactions/{ident}/receipts')
def add_receipt(call):
    row = call.row('transactions', 'ident')
    return wire_fields(transactions.add_receipt(call.state, row['id'], **(call.body or {}))), 201


@admin_route('GET', '/totals')
def show_totals(call):
    wanted = call.query.getlist('sync_status')
    options = {'sync_status': wanted} if wanted else {}
    return {'totals': transactions.spend_totals(call.state, until=call.query.get('until'), **options)}


# -- any object


def _find_table(call):
    if call.args['table'] not in call.state.tables:
        raise not_found('Table')
    return call.state[call.args['table']]


def select_rows(call, table):
    return [
        dict(row) for row in call.state[table] if all(str(row.get(name)) == value for name, value in call.query.items())
    ]


@admin_route('GET', '/objects/{table}')
def list_objects(call):
    _find_table(call)
    return {'data': select_rows(call, call.args['table'])}


@admin_route('POST', '/objects/{table}')
def add_object(call):
    table = _find_table(call)
    return table.add({table.key: call.state.new_id(), **call.body}), 201


@admin_route('PATCH', '/objects/{table}/{ident}')
def change_object(call):
    table = _find_table(call)
    return table.update(call.row(call.args['table'], 'ident')[table.key], **call.body)


# -- accounting


@admin_route('POST', '/seat')
def take_seat(call):
    """Let another provider take the seat: `{"name", "connection_type": "DIRECT" | "API" | "CSV"}`."""
    return wire_fields(call.ramp.seat(**call.body)), 201


@admin_route('GET', '/coding')
def coding_data(call):
    """Return all coding data of all connections as Ramp answers it, plus the keys that Ramp does not answer."""
    state, shown = call.state, coding.wire_renderer(call.state)

    def wire_rows(table):
        return [shown(row) | _hidden_fields(row) for row in state[table]]

    return {name: wire_rows(table) for name, table in CODING.items()}


def _hidden_fields(row):
    told = {'field_id': '_field', 'is_active': '_active'}
    return {name: row[key] for name, key in told.items() if key in row}


@admin_route('GET', '/export-errors')
def export_errors(call):
    return {'errors': dict(call.state.export_errors)}


@admin_route('GET', '/journal')
def show_journal(call):
    return {'journal': list(call.state.journal)}


# -- the business


@admin_route('GET', '/requests')
def show_requests(call):
    return {'requests': [dict(entry) for entry in call.ramp.requests]}


@admin_route('POST', '/seed')
def add_data(call):
    """Add to the client's chart, fields or people: `{"accounts", "analytics", "users"}`."""
    for account in call.body.get('accounts', ()):
        coding.add_account(call.state, **account)
    for item in call.body.get('analytics', ()):
        coding.add_field(call.state, item['field_id'], item['field_name'], item['options'])
    for person in call.body.get('users', ()):
        office = next(iter(call.state['locations']))
        users.make_user(call.state, **{'location': office, **person})
    return None, 204


@admin_route('POST', '/spend')
def let_spend(call):
    """Let people spend, coded with the uploaded data: `{"transactions", "months", "seed", "statements"}`."""
    dataclasses.replace(call.ramp.seed, **(call.body or {})).spend(call.state)
    return None, 204


@admin_route('POST', '/reset')
def reset_business(call):
    """Reset the business. The body may give options of `Seed` (accounts, analytics, transactions, ...)."""
    options = call.body or {}
    if set(options) - SEED_OPTIONS:
        raise RampError(422, 'DEVELOPER_7001', f'Unknown options: {", ".join(sorted(set(options) - SEED_OPTIONS))}')
    call.ramp.seed = dataclasses.replace(call.ramp.seed, **options)
    call.ramp.reset()
    return None, 204
