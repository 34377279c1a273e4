"""/cards/physical and /cards/virtual"""

from ..errors import RampError
from ..listing import answer_list_page, filter_by_value, filter_without_effect, parse_bool, read_query_parameter
from ..routes import route
from ..state import Table, select_wire_fields

TABLES = {'physical_cards': Table, 'virtual_cards': Table}
CREATED_AT = '2023-01-02T00:00:00+00:00'


def make_card(state, user, physical=True, number=1):
    """Add a card of a user (a row) and return its row. `number` distinguishes a user's cards of one kind."""
    ident = state.derive_stable_id('card', user['id'], physical, number)
    if physical:
        return state['physical_cards'].add_row(_build_physical_card(ident, user, is_primary=number == 1))
    return state['virtual_cards'].add_row(
        {
            'id': ident,
            'created_at': CREATED_AT,
            'fund_id': None,
            'is_card_suspended': False,
            'user_id': user['id'],
            '_entity_id': user['entity_id'],
            '_terminated': False,
        }
    )


def _build_physical_card(ident, user, is_primary):
    return {
        'id': ident,
        'automatic_routing_enabled': False,
        'cardholder_id': user['id'],
        'cardholder_name': f'{user["first_name"]} {user["last_name"]}',
        'created_at': CREATED_AT,
        'display_name': 'Physical card',
        'expiration': '0231',
        'fulfillment': None,
        'fund_id': None,
        'has_program_overridden': False,
        'is_physical': True,
        'is_primary': is_primary,
        'is_suspended': False,
        'last_four': f'{int(ident[:8], 16) % 10000:04}',
        'state': 'ACTIVE',
    }


@route('GET', '/cards/physical', scope='cards:read')
def list_physical_cards(call):
    activated = read_query_parameter(call, 'include_activated_only', parse_bool, True)
    terminated = read_query_parameter(call, 'include_terminated_only', parse_bool, False)
    if activated and terminated:
        raise RampError(400, 'DEVELOPER_7076', 'include_terminated_only needs include_activated_only=false')

    def is_card_listed(row):
        if terminated:
            return row['state'] == 'TERMINATED'
        return row['state'] == 'ACTIVE' if activated else row['state'] != 'TERMINATED'

    filters = {'user_id': filter_by_value('cardholder_id'), 'display_name': filter_by_value('display_name', str)}
    return answer_list_page(call, 'physical_cards', filters, is_card_listed)


@route('GET', '/cards/physical/{card_id}', scope='cards:read')
def get_physical_card(call):
    return select_wire_fields(call.find_path_row('physical_cards', 'card_id'))


@route('GET', '/cards/virtual', scope='cards:read')
def list_virtual_cards(call):
    terminated = read_query_parameter(call, 'is_terminated', parse_bool, False)
    filters = {
        'user_id': filter_by_value('user_id'),
        'entity_id': filter_by_value('_entity_id'),
        'is_terminated': filter_without_effect(parse_bool),
    }
    return answer_list_page(call, 'virtual_cards', filters, lambda row: row['_terminated'] == terminated)


@route('GET', '/cards/virtual/{card_id}', scope='cards:read')
def get_virtual_card(call):
    return select_wire_fields(call.find_path_row('virtual_cards', 'card_id'))
