"""/vendors: vendors that bills pay, with contacts and bank accounts. Vendors as coding values are other objects."""

from datetime import timedelta

from .. import coding, money, uploads
from ..errors import RampError, invalid_input, not_found
from ..listing import answer_list, equals, ignored, parse_bool, parse_uuid, read_parameter, since, until
from ..payables import entity_of, field_among, parse_list, parse_moment, refuse_unknown, row_of, without_empty
from ..routes import route
from ..state import Table, blank_row, iso_text, wire_fields

TABLES = {
    'vendors': Table,
    'vendor_contacts': lambda: Table(index='_vendor'),
    'vendor_accounts': lambda: Table(index='_vendor'),
}
FILTERS = {
    'external_vendor_id': equals('external_vendor_id', str),
    'merchant_id': equals('merchant_id'),
    'accounting_vendor_remote_ids': field_among('accounting_vendor_remote_id'),
    'sk_category_ids': field_among('sk_category_id', int),
    'from_created_at': since('created_at'),
    'to_created_at': until('created_at'),
    # The filter exists but the field does not: a client cannot see when a vendor changed.
    'from_updated_at': since('_updated_at'),
    'to_updated_at': until('_updated_at'),
    'vendor_owner_id': equals('vendor_owner_id'),
    'include_subsidiary': ignored(parse_bool),
    'include_draft': ignored(parse_bool),
    'is_active': equals('is_active', parse_bool),
    'name': equals('name', str),
}
# Left out where empty, because the contract does not allow null.
OPTIONAL = (
    'address',
    'billing_frequency',
    'description',
    'federal_tax_classification',
    'merchant_id',
    'name_legal',
    'sk_category_id',
    'sk_category_name',
    'state',
    'tax_address',
    'vendor_type',
)
WANT_STATE = ('US', 'CA', 'AU')
CREATE = (
    'accounting_vendor_remote_id',
    'acting_user_id',
    'address',
    'default_entity_id',
    'external_vendor_id',
    'name',
    'parent_vendor_id',
    'request_payment_details',
    'request_tax_details',
    'state',
    'vendor_owner_id',
    'vendor_tracking_category_option_id',
)
CHANGE = (
    'accounting_vendor_remote_id',
    'address',
    'country',
    'default_entity_id',
    'description',
    'external_vendor_id',
    'is_active',
    'request_payment_details',
    'request_tax_details',
    'state',
    'vendor_tracking_category_option_id',
)
KEPT = (
    'country',
    'default_entity_id',
    'description',
    'external_vendor_id',
    'is_active',
    'parent_vendor_id',
    'state',
    'vendor_owner_id',
)


# -- routes


@route('GET', '/vendors', scope='vendors:read')
def list_vendors(call):
    drafts = read_parameter(call, 'include_draft', parse_bool, False)
    linked = read_parameter(call, 'vendor_tracking_category_option_ids', parse_list(parse_uuid))
    names = linked and {
        call.state['accounting_vendors'].get(ident)['id']
        for ident in linked
        if ident in call.state['accounting_vendors']
    }

    def is_listed(row):
        return (
            not row['_deleted']
            and (drafts or not row['_draft'])
            and (names is None or row['accounting_vendor_remote_id'] in names)
        )

    return answer_list(call, 'vendors', FILTERS, is_listed, render=_vendor_renderer(call))


@route('GET', '/vendors/{vendor_id}', scope='vendors:read')
def get_vendor(call):
    row = _vendor_of_call(call)
    return {**_vendor_renderer(call)(row), **row['_detail']}


@route('GET', '/vendors/{vendor_id}/children', scope='vendors:read')
def list_children(call):
    parent = _vendor_of_call(call)['id']
    return answer_list(
        call,
        'vendors',
        where=lambda row: row['parent_vendor_id'] == parent and not row['_deleted'],
        render=_vendor_renderer(call),
    )


@route('GET', '/vendors/{vendor_id}/contacts', scope='vendors:read')
def list_contacts(call):
    return answer_list(call, 'vendor_contacts', bucket=_vendor_of_call(call)['id'])


@route('GET', '/vendors/{vendor_id}/contacts/{vendor_contact_id}', scope='vendors:read')
def get_contact(call):
    return wire_fields(_part_of_call(call, 'vendor_contacts', 'vendor_contact_id'))


@route('GET', '/vendors/{vendor_id}/accounts', scope='vendors:read')
def list_bank_accounts(call):
    return answer_list(call, 'vendor_accounts', bucket=_vendor_of_call(call)['id'])


@route('GET', '/vendors/{vendor_id}/accounts/{bank_account_id}', scope='vendors:read')
def get_bank_account(call):
    return wire_fields(_part_of_call(call, 'vendor_accounts', 'bank_account_id'))


@route('POST', '/vendors', scope='vendors:write')
def post_vendor(call):
    body = uploads.fields_of(call, ('business_vendor_contacts', 'country'), CREATE)
    wrong = uploads.field_complaints(body['business_vendor_contacts'], ('email',), ('first_name', 'last_name', 'phone'))
    if wrong:
        # The value is one object, though the name is a plural.
        raise invalid_input('Invalid input', {'business_vendor_contacts': wrong})
    if body['country'] == 'US' and not body.get('state'):
        raise RampError(400, 'DEVELOPER_7080', 'State is required for US vendors')
    given = body['business_vendor_contacts']
    values = {key: body[key] for key in KEPT if body.get(key) is not None}
    values['accounting_vendor_remote_id'] = _linked_accounting_vendor(call, body, None)
    row = make_vendor(
        call.state,
        body.get('name') or given['email'],
        address=_read_address(body),
        addresses=None,
        contacts=[given],
        vendor_type=None,
        **values,
    )
    return _vendor_renderer(call)(row)


@route('PATCH', '/vendors/{vendor_id}', scope='vendors:write')
def patch_vendor(call):
    """Change a vendor. Its name and contacts cannot be changed."""
    body = uploads.fields_of(call, (), CHANGE)
    row = _vendor_of_call(call)
    values = {key: body[key] for key in KEPT if key in body}
    country = values.get('country', row['country'])
    if country == 'US' and not values.get('state', row['state']):
        raise RampError(400, 'DEVELOPER_7080', 'State is required for US vendors')
    if 'accounting_vendor_remote_id' in body or 'vendor_tracking_category_option_id' in body:
        values['accounting_vendor_remote_id'] = _linked_accounting_vendor(call, body, row['id'])
    if 'address' in body:
        values['address'] = _read_address({'country': country, **body})
        values['addresses'] = _listed_addresses(call.state, row['id'], [values['address']])
    return _vendor_renderer(call)(change_vendor(call.state, row['id'], **values))


@route('DELETE', '/vendors/{vendor_id}', scope='vendors:write')
def delete_vendor(call):
    row = _vendor_of_call(call)
    if not _is_deletable(call.state, row):
        raise RampError(400, 'DEVELOPER_7001', 'The vendor has bills, credits or child vendors')
    call.state['vendors'].update(row['id'], accounting_vendor_remote_id=None, _deleted=True)
    return None, 204


def _vendor_of_call(call):
    row = call.row('vendors', 'vendor_id')
    if row['_deleted']:
        raise not_found('Vendor')
    return row


def _part_of_call(call, table, name):
    """Return a contact or an account of the vendor. Raise 404 for one of another vendor."""
    row = call.row(table, name)
    if row['_vendor'] != _vendor_of_call(call)['id']:
        raise not_found()
    return row


def _linked_accounting_vendor(call, body, own):
    """Return the accounting vendor that a body names, by either id, or None. It can belong to one vendor only."""
    remote_id, ramp_id = body.get('accounting_vendor_remote_id'), body.get('vendor_tracking_category_option_id')
    if remote_id is None and ramp_id is None:
        return None
    if remote_id is not None and ramp_id is not None:
        raise invalid_input('Only one of them', {'accounting_vendor_remote_id': ['Only one link at a time.']})
    owner = uploads.named_connection(call)
    row = (
        coding.find_uploaded(call.state, 'accounting_vendors', remote_id, owner)
        if remote_id is not None
        else (call.state['accounting_vendors'].get(ramp_id))
    )
    if row is None or not coding.in_books_of(owner)(row):
        raise RampError(400, 'DEVELOPER_7001', 'There is no such accounting vendor')
    other = call.state['vendors'].find(accounting_vendor_remote_id=row['id'])
    if other and other['id'] != own:
        raise RampError(400, 'DEVELOPER_7001', 'The accounting vendor is linked to another vendor')
    return row['id']


def _read_address(body):
    given = body.get('address')
    if not given:
        return None
    country = given.get('country') or body['country']
    if country in WANT_STATE and not given.get('state'):
        raise RampError(400, 'DEVELOPER_7080', f'State is required for addresses in {country}')
    return {key: value for key, value in {**given, 'country': country}.items() if value is not None}


# -- answers


def _vendor_renderer(call):
    subsidiary = read_parameter(call, 'include_subsidiary', parse_bool, False)

    def render_vendor(row):
        body = without_empty(wire_fields(row), OPTIONAL)
        body.update(_spend_totals(call.state, row), is_deletable=_is_deletable(call.state, row))
        if subsidiary:
            body['subsidiary'] = row['_subsidiary']
        return body

    return render_vendor


def _is_deletable(state, row):
    return not (
        state['bills'].named(row['id'])
        or state['vendor_credits'].named(row['id'])
        or any(other['parent_vendor_id'] == row['id'] and not other['_deleted'] for other in state['vendors'])
    )


def _spend_totals(state, row):
    """Return the totals of paid bills in the primary entity's currency."""
    currency, now = entity_of(state, None)['currency'], state.clock()
    begins = {
        'total_spend_all_time': '',
        'total_spend_last_30_days': iso_text(now - timedelta(days=30)),
        'total_spend_last_365_days': iso_text(now - timedelta(days=365)),
        'total_spend_ytd': iso_text(now.replace(month=1, day=1, hour=0, minute=0, second=0)),
    }
    paid = [
        (bill['paid_at'], bill['_money']['amount_minor'])
        for bill in state['bills'].named(row['id'])
        if bill['paid_at'] and bill['_money']['currency'] == currency
    ]
    return {
        name: money.currency_amount(sum(minor for at, minor in paid if at >= begin), currency)
        for name, begin in begins.items()
    }


# -- creation

# Fields of a new vendor that are empty.
UNSET = (
    'accounting_vendor_remote_id',
    'billing_frequency',
    'default_entity_id',
    'default_payment_method',
    'description',
    'external_vendor_id',
    'federal_tax_classification',
    'merchant_id',
    'name_legal',
    'parent_vendor_id',
    'sk_category_id',
    'sk_category_name',
    'vendor_owner_id',
)


def make_vendor(
    store,
    name='Acme Supplies',
    /,
    *,
    country='US',
    state=None,
    address=True,
    addresses=None,
    tax_address=None,
    contacts=1,
    accounts=0,
    currency=None,
    draft=False,
    approval_status='APPROVED',
    subsidiary=(),
    custom=None,
    created=None,
    label=None,
    broken=False,
    **wire_fields,
):
    """Add a vendor that can be paid, and return its row. The contract has no field for a tax number; see `custom`.

    :param address: the default address as a dict; True: a made-up one; None: none. `addresses`: further ones
    :param contacts: number of contacts, or [{"email", "first_name", "last_name", "phone"}]; the first is the default
    :param accounts: number of bank accounts, or [{"payment_method", "currency", "account_nickname",
        "account_number_last_four"}]
    :param draft: not published yet; only listed with include_draft
    :param subsidiary: ids in the ERP, answered with include_subsidiary
    :param custom: {name: text} of the business's own columns, e.g. {"Tax ID": "DE123456789"}; only in the detail
    :param wire_fields: any other field of the answer, with the value to give it
    """
    state = 'NY' if state is None and country == 'US' else state
    if address is True:
        address = _made_up_address(country, state)
    ident = store.new_id()
    row = {
        **blank_row(UNSET, ('contacts',)),
        'id': ident,
        'address': address,
        'addresses': _listed_addresses(store, ident, [address, *(addresses or ())]),
        'country': country,
        'created_at': iso_text(parse_moment(created) if created else store.clock() - timedelta(days=400)),
        'is_active': True,
        'name': name,
        'state': state,
        'tax_address': tax_address,
        'vendor_type': 'BUSINESS',
        '_detail': {
            'approval_status': approval_status,
            'custom_form_collection_response': None,
            'custom_record_fields': [_custom_cell(key, value) for key, value in custom.items()] if custom else None,
        },
        '_draft': draft,
        '_deleted': False,
        '_subsidiary': list(subsidiary),
        '_updated_at': store.now(),
        '_label': label,
        '_broken': broken,
    }
    refuse_unknown('A vendor', row, wire_fields)
    row.update(wire_fields)
    store['vendors'].add(row)
    _add_parts(store, ident, contacts, accounts, currency or 'USD')
    return row


def _made_up_address(country, state):
    address = {'address_line_1': '1 Main St', 'city': 'Springfield', 'country': country, 'postal_code': '10001'}
    return {**address, 'state': state} if state else address


def _listed_addresses(store, ident, given):
    given = [address for address in given if address]
    return [
        {**address, 'id': store.stable_id('address', ident, number), 'is_default': number == 0}
        for number, address in enumerate(given)
    ]


def _custom_cell(name, text):
    return {
        'column_display_name': name,
        'column_id': name.lower().replace(' ', '_'),
        'value': {'type': 'text', 'value': text, 'display_name': text},
    }


def _add_parts(store, ident, contacts, accounts, currency):
    """Add contacts and bank accounts to a new vendor, given as numbers or as values."""
    if isinstance(contacts, int):
        contacts = [{'email': f'billing{number or ""}@{ident[:8]}.example.com'} for number in range(contacts)]
    for values in contacts:
        add_contact(store, ident, **values)
    for values in [{}] * accounts if isinstance(accounts, int) else accounts:
        add_account(store, ident, **{'currency': currency, **values})


def change_vendor(store, ident, /, **changes):
    """Change a vendor's fields, "draft" or "approval_status". This moves the time that from_updated_at compares."""
    row = store['vendors'].rows[ident]
    if 'draft' in changes:
        changes['_draft'] = changes.pop('draft')
    if 'approval_status' in changes:
        changes['_detail'] = {**row['_detail'], 'approval_status': changes.pop('approval_status')}
    refuse_unknown('A vendor', row, changes, ('_draft', '_detail'))
    return store['vendors'].update(ident, **changes, _updated_at=store.now())


def add_contact(store, ident, /, email, first_name=None, last_name=None, phone=None):
    """Add a contact to a vendor and return its row."""
    row = store['vendors'].rows[ident]
    made = store['vendor_contacts'].add(
        {
            'id': store.new_id(),
            'email': email,
            'first_name': first_name,
            'last_name': last_name,
            'phone': phone,
            'is_default': not row['contacts'],
            '_vendor': ident,
        }
    )
    store['vendors'].update(ident, contacts=[*row['contacts'], made['id']])
    return made


def add_account(
    store, ident, /, payment_method='ACH', currency='USD', account_nickname='Primary', account_number_last_four='6789'
):
    """Add a bank account to a vendor and return its row. The first one becomes the default payment method."""
    is_default = not any(True for _ in store['vendor_accounts'].walk(bucket=ident))
    made = store['vendor_accounts'].add(
        {
            'id': store.new_id(),
            'account_nickname': account_nickname,
            'account_number_last_four': account_number_last_four,
            'currency': currency,
            'is_default': is_default,
            'payment_method': payment_method,
            '_vendor': ident,
        }
    )
    if is_default:
        policy = {'kind': 'BANK_ACCOUNT', 'data': {key: made[key] for key in made if key[0] != '_'}}
        store['vendors'].update(ident, default_payment_method={'policy': policy, 'update_source': 'MANUAL'})
    return made


def vendor_on_bill(store, ident, known):
    """Return the vendor part of a bill, with its current accounting vendor. `known`: used if the vendor is gone."""
    row = store['vendors'].get(ident)
    if row is None:
        return known
    body = {'id': ident, 'name': row['name']}
    if row['vendor_type']:
        body['type'] = row['vendor_type']
    if row['accounting_vendor_remote_id'] is not None:
        selection = coding.vendor(store, row['accounting_vendor_remote_id'])
        body.update(remote_id=selection['external_id'], remote_name=selection['name'])
        if selection.get('external_code'):
            body['remote_code'] = selection['external_code']
    return body


def find_vendor(store, value):
    """Return a vendor by row, id or name. None: the first vendor, which is created if there is none."""
    if value is None:
        return next(iter(store['vendors']), None) or make_vendor(store)
    if isinstance(value, str) and value not in store['vendors']:
        return store['vendors'].find(name=value) or make_vendor(store, value)
    return row_of(store['vendors'], value)
