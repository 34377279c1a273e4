"""GET /business"""

from ..routes import route
from ..state import Table, select_wire_fields

TABLES = {'business': Table}


def make_business(state, name):
    return state['business'].add_row(
        {
            'id': state.derive_stable_id('business'),
            'active': True,
            'billing_address': {
                'address1': '123 Main St',
                'city': 'New York',
                'state': 'NY',
                'postal_code': '10003',
                'country': 'US',
            },
            'business_name_legal': name,
            'business_name_on_card': name,
            'created_time': '2022-08-20T16:54:29+00:00',
            'enforce_sso': False,
            'initial_approved_limit': 200000000,
            'is_integrated_with_slack': False,
            'is_reimbursements_enabled': True,
            'limit_locked': False,
            'phone': '8005550100',
            'website': 'https://example.com',
        }
    )


@route('GET', '/business', scope='business:read')
def get_business(call):
    return select_wire_fields(next(iter(call.state['business'])))
