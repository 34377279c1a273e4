"""/entities: the legal entities of the business, each with its own currency."""

from ..listing import answer_list_page, filter_by_value, filter_without_effect, parse_bool
from ..routes import route
from ..state import Table, select_wire_fields

TABLES = {'entities': Table}
FILTERS = {
    'currency': filter_by_value('currency', str),
    'entity_name': filter_by_value('entity_name', str),
    'is_primary': filter_by_value('is_primary', parse_bool),
    'hide_inactive': filter_without_effect(parse_bool),
}


def make_entity(state, name, currency, is_primary=False):
    ident = state.derive_stable_id('entity', name)
    banks = [
        {
            'id': state.derive_stable_id(kind, ident),
            'account_name': f'{name} {label}',
            'account_number_last_four': digits,
            'currency': currency,
        }
        for kind, label, digits in (('bank account', 'Checking', '0017'), ('other bank account', 'Payables', '4242'))
    ]
    return state['entities'].add_row(
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
    return answer_list_page(call, 'entities', FILTERS)


@route('GET', '/entities/{entity_id}', scope='entities:read')
def get_entity(call):
    return select_wire_fields(call.find_path_row('entities', 'entity_id'))
