"""/entities: the legal entities of the business, each with its own currency."""

from ..listing import answer_list, equals, ignored, parse_bool
from ..routes import route
from ..state import Table, wire_fields

TABLES = {'entities': Table}
FILTERS = {
    'currency': equals('currency', str),
    'entity_name': equals('entity_name', str),
    'is_primary': equals('is_primary', parse_bool),
    'hide_inactive': ignored(parse_bool),
}


def make_entity(state, name, currency, is_primary=False):
    ident = state.stable_id('entity', name)
    banks = [
        {
            'id': state.stable_id(kind, ident),
            'account_name': f'{name} {label}',
            'account_number_last_four': digits,
            'currency': currency,
        }
        for kind, label, digits in (('bank account', 'Checking', '0017'), ('other bank account', 'Payables', '4242'))
    ]
    return state['entities'].add(
        {
            'id': ident,
            'entity_name': name,
            'currency': currency,
            'is_primary': is_primary,
            'accounts': [],
            'connected_subsidiary': None,
            'default_bill_pay_payment_account_id': banks[0]['id'],
            'location_ids': [],
            'payment_accounts': banks,
        }
    )


@route('GET', '/entities', scope='entities:read')
def list_entities(call):
    return answer_list(call, 'entities', FILTERS)


@route('GET', '/entities/{entity_id}', scope='entities:read')
def get_entity(call):
    return wire_fields(call.row('entities', 'entity_id'))
