"""/vendors: vendors that bills pay, with contacts and bank accounts. Vendors as coding values are other objects."""

from datetime import timedelta

from .. import coding, money, uploads
from ..errors import RampError, make_input_error, make_missing_error
from ..listing import (
    answer_list_page,
    filter_by_value,
    filter_from_time,
    filter_until_time,
    filter_without_effect,
    parse_bool,
    parse_uuid,
    read_query_parameter,
)
from ..payables import (
    filter_by_values,
    make_list_parser,
    parse_moment,
    refuse_unknown_names,
    remove_empty_fields,
    resolve_entity,
    resolve_row,
)
from ..routes import route
from ..state import Table, format_iso_time, make_blank_row, select_wire_fields

TABLES = {
    'vendors': Table,
    'vendor_contacts': lambda: Table(index='_vendor'),
    'vendor_accounts': lambda: Table(index='_vendor'),
}
FILTERS = {
    'external_vendor_id': filter_by_value('external_vendor_id', str),
    'merchant_id': filter_by_value('merchant_id'),
    'accounting_vendor_remote_ids': filter_by_values('accounting_vendor_remote_id'),
    'sk_category_ids': filter_by_values('sk_category_id', int),
    'from_created_at': filter_from_time('created_at'),
    'to_created_at': filter_until_time('created_at'),
    # The filter exists but the field does not: a client cannot see when a vendor changed.
    'from_updated_at': filter_from_time('_updated_at'),
    'to_updated_at': filter_until_time('_updated_at'),
    'vendor_owner_id': filter_by_value('vendor_owner_id'),
    'include_subsidiary': filter_without_effect(parse_bool),
    'include_draft': filter_without_effect(parse_bool),
    'is_active': filter_by_value('is_active', parse_bool),
    'name': filter_by_value('name', str),
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
COUNTRIES_WITH_STATE = ('US', 'CA', 'AU')
CREATE_FIELDS = (
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
CHANGE_FIELDS = (
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
KEPT_FIELDS = (
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
    drafts = read_query_parameter(call, 'include_draft', parse_bool, False)
    linked = read_query_parameter(call, 'vendor_tracking_category_option_ids', make_list_parser(parse_uuid))
    names = linked and {
        call.state['accounting_vendors'].get_row(ident)['id']
        for ident in linked
        if ident in call.state['accounting_vendors']
    }

    def is_vendor_listed(row):
        return (
            not row['_deleted']
            and (drafts or not row['_draft'])
            and (names is None or row['accounting_vendor_remote_id'] in names)
        )

    return answer_list_page(call, 'vendors', FILTERS, is_vendor_listed, render=_make_vendor_renderer(call))


@route('GET', '/vendors/{vendor_id}', scope='vendors:read')
def get_vendor(call):
    row = _find_vendor_of_call(call)
    return {**_make_vendor_renderer(call)(row), **row['_detail']}


@route('GET', '/vendors/{vendor_id}/children', scope='vendors:read')
def list_child_vendors(call):
    parent = _find_vendor_of_call(call)['id']
    return answer_list_page(
        call,
        'vendors',
        where=lambda row: row['parent_vendor_id'] == parent and not row['_deleted'],
        render=_make_vendor_renderer(call),
    )


@route('GET', '/vendors/{vendor_id}/contacts', scope='vendors:read')
def list_vendor_contacts(call):
    return answer_list_page(call, 'vendor_contacts', bucket=_find_vendor_of_call(call)['id'])


@route('GET', '/vendors/{vendor_id}/contacts/{vendor_contact_id}', scope='vendors:read')
def get_vendor_contact(call):
    return select_wire_fields(_find_part_of_call(call, 'vendor_contacts', 'vendor_contact_id'))


@route('GET', '/vendors/{vendor_id}/accounts', scope='vendors:read')
def list_bank_accounts(call):
    return answer_list_page(call, 'vendor_accounts', bucket=_find_vendor_of_call(call)['id'])


@route('GET', '/vendors/{vendor_id}/accounts/{bank_account_id}', scope='vendors:read')
def get_bank_account(call):
    return select_wire_fields(_find_part_of_call(call, 'vendor_accounts', 'bank_account_id'))


@route('POST', '/vendors', scope='vendors:write')
def post_vendor(call):
    body = uploads.read_checked_fields(call, ('business_vendor_contacts', 'country'), CREATE_FIELDS)
    wrong = uploads.list_field_complaints(
        body['business_vendor_contacts'], ('email',), ('first_name', 'last_name', 'phone')
    )
    if wrong:
        # The value is one object, though the name is a plural.
        raise make_input_error('Invalid input', {'business_vendor_contacts': wrong})
    if body['country'] == 'US' and not body.get('state'):
        raise RampError(400, 'DEVELOPER_7080', 'State is required for US vendors')
    given = body['business_vendor_contacts']
    values = {key: body[key] for key in KEPT_FIELDS if body.get(key) is not None}
    values['accounting_vendor_remote_id'] = _find_linked_accounting_vendor(call, body, None)
    row = make_vendor(
        call.state,
        body.get('name') or given['email'],
        address=_read_vendor_address(body),
        addresses=None,
        contacts=[given],
        vendor_type=None,
        **values,
    )
    return _make_vendor_renderer(call)(row)


@route('PATCH', '/vendors/{vendor_id}', scope='vendors:write')
def patch_vendor(call):
    """Change a vendor. Its name and contacts cannot be changed."""
    body = uploads.read_checked_fields(call, (), CHANGE_FIELDS)
    row = _find_vendor_of_call(call)
    values = {key: body[key] for key in KEPT_FIELDS if key in body}
    country = values.get('country', row['country'])
    if country == 'US' and not values.get('state', row['state']):
        raise RampError(400, 'DEVELOPER_7080', 'State is required for US vendors')
    if 'accounting_vendor_remote_id' in body or 'vendor_tracking_category_option_id' in body:
        values['accounting_vendor_remote_id'] = _find_linked_accounting_vendor(call, body, row['id'])
    if 'address' in body:
        values['address'] = _read_vendor_address({'country': country, **body})
        values['addresses'] = _build_listed_addresses(call.state, row['id'], [values['address']])
    return _make_vendor_renderer(call)(change_vendor(call.state, row['id'], **values))


@route('DELETE', '/vendors/{vendor_id}', scope='vendors:write')
def delete_vendor(call):
    row = _find_vendor_of_call(call)
    if not _is_vendor_deletable(call.state, row):
        raise RampError(400, 'DEVELOPER_7001', 'The vendor has bills, credits or child vendors')
    call.state['vendors'].update_row(row['id'], accounting_vendor_remote_id=None, _deleted=True)
    return None, 204


def _find_vendor_of_call(call):
    row = call.find_path_row('vendors', 'vendor_id')
    if row['_deleted']:
        raise make_missing_error('Vendor')
    return row


def _find_part_of_call(call, table, name):
    """Return a contact or an account of the vendor. Raise 404 for one of another vendor."""
    row = call.find_path_row(table, name)
    if row['_vendor'] != _find_vendor_of_call(call)['id']:
        raise make_missing_error()
    return row


def _find_linked_accounting_vendor(call, body, own):
    """Return the accounting vendor that a body names, by either id, or None. It can belong to one vendor only."""
    remote_id, ramp_id = body.get('accounting_vendor_remote_id'), body.get('vendor_tracking_category_option_id')
    if remote_id is None and ramp_id is None:
        return None
    if remote_id is not None and ramp_id is not None:
        raise make_input_error('Only one of them', {'accounting_vendor_remote_id': ['Only one link at a time.']})
    owner = uploads.find_named_connection(call)
    row = (
        coding.find_uploaded_row(call.state, 'accounting_vendors', remote_id, owner)
        if remote_id is not None
        else (call.state['accounting_vendors'].get_row(ramp_id))
    )
    if row is None or not coding.in_books_of(owner)(row):
        raise RampError(400, 'DEVELOPER_7001', 'There is no such accounting vendor')
    other = call.state['vendors'].find_first_row(accounting_vendor_remote_id=row['id'])
    if other and other['id'] != own:
        raise RampError(400, 'DEVELOPER_7001', 'The accounting vendor is linked to another vendor')
    return row['id']


def _read_vendor_address(body):
    given = body.get('address')
    if not given:
        return None
    country = given.get('country') or body['country']
    if country in COUNTRIES_WITH_STATE and not given.get('state'):
        raise RampError(400, 'DEVELOPER_7080', f'State is required for addresses in {country}')
    return {key: value for key, value in {**given, 'country': country}.items() if value is not None}


# -- answers


def _make_vendor_renderer(call):
    subsidiary = read_query_parameter(call, 'include_subsidiary', parse_bool, False)

    def render_listed_vendor(row):
        body = remove_empty_fields(select_wire_fields(row), OPTIONAL)
        body.update(_sum_vendor_spend(call.state, row), is_deletable=_is_vendor_deletable(call.state, row))
        if subsidiary:
            body['subsidiary'] = row['_subsidiary']
        return body

    return render_listed_vendor


def _is_vendor_deletable(state, row):
    return not (
        state['bills'].list_named_rows(row['id'])
        or state['vendor_credits'].list_named_rows(row['id'])
        or any(other['parent_vendor_id'] == row['id'] and not other['_deleted'] for other in state['vendors'])
    )


def _sum_vendor_spend(state, row):
    """Return the totals of paid bills in the primary entity's currency."""
    currency, now = resolve_entity(state, None)['currency'], state.clock()
    begins = {
        'total_spend_all_time': '',
        'total_spend_last_30_days': format_iso_time(now - timedelta(days=30)),
        'total_spend_last_365_days': format_iso_time(now - timedelta(days=365)),
        'total_spend_ytd': format_iso_time(now.replace(month=1, day=1, hour=0, minute=0, second=0)),
    }
    paid = [
        (bill['paid_at'], bill['_money']['amount_minor'])
        for bill in state['bills'].list_named_rows(row['id'])
        if bill['paid_at'] and bill['_money']['currency'] == currency
    ]
    return {
        name: money.build_currency_amount(sum(minor for at, minor in paid if at >= begin), currency)
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
        address = _invent_vendor_address(country, state)
    ident = store.make_new_id()
    row = {
        **make_blank_row(UNSET, ('contacts',)),
        'id': ident,
        'address': address,
        'addresses': _build_listed_addresses(store, ident, [address, *(addresses or ())]),
        'country': country,
        'created_at': format_iso_time(parse_moment(created) if created else store.clock() - timedelta(days=400)),
        'is_active': True,
        'name': name,
        'state': state,
        'tax_address': tax_address,
        'vendor_type': 'BUSINESS',
        '_detail': {
            'approval_status': approval_status,
            'custom_form_collection_response': None,
            'custom_record_fields': [_build_custom_cell(key, value) for key, value in custom.items()]
            if custom
            else None,
        },
        '_draft': draft,
        '_deleted': False,
        '_subsidiary': list(subsidiary),
        '_updated_at': store.read_time(),
        '_label': label,
        '_broken': broken,
    }
    refuse_unknown_names('A vendor', row, wire_fields)
    row.update(wire_fields)
    store['vendors'].add_row(row)
    _add_vendor_parts(store, ident, contacts, accounts, currency or 'USD')
    return row


def _invent_vendor_address(country, state):
    address = {'address_line_1': '1 Main St', 'city': 'Springfield', 'country': country, 'postal_code': '10001'}
    return {**address, 'state': state} if state else address


def _build_listed_addresses(store, ident, given):
    given = [address for address in given if address]
    return [
        {**address, 'id': store.derive_stable_id('address', ident, number), 'is_default': number == 0}
        for number, address in enumerate(given)
    ]


def _build_custom_cell(name, text):
    return {
        'column_display_name': name,
        'column_id': name.lower().replace(' ', '_'),
        'value': {'type': 'text', 'value': text, 'display_name': text},
    }


def _add_vendor_parts(store, ident, contacts, accounts, currency):
    """Add contacts and bank accounts to a new vendor, given as numbers or as values."""
    if isinstance(contacts, int):
        contacts = [{'email': f'billing{number or ""}@{ident[:8]}.example.com'} for number in range(contacts)]
    for values in contacts:
        add_vendor_contact(store, ident, **values)
    for values in [{}] * accounts if isinstance(accounts, int) else accounts:
        add_bank_account(store, ident, **{'currency': currency, **values})


def change_vendor(store, ident, /, **changes):
    """Change a vendor's fields, "draft" or "approval_status". This moves the time that from_updated_at compares."""
    row = store['vendors'].rows[ident]
    if 'draft' in changes:
        changes['_draft'] = changes.pop('draft')
    if 'approval_status' in changes:
        changes['_detail'] = {**row['_detail'], 'approval_status': changes.pop('approval_status')}
    refuse_unknown_names('A vendor', row, changes, ('_draft', '_detail'))
    return store['vendors'].update_row(ident, **changes, _updated_at=store.read_time())


def add_vendor_contact(store, ident, /, email, first_name=None, last_name=None, phone=None):
    """Add a contact to a vendor and return its row."""
    row = store['vendors'].rows[ident]
    made = store['vendor_contacts'].add_row(
        {
            'id': store.make_new_id(),
            'email': email,
            'first_name': first_name,
            'last_name': last_name,
            'phone': phone,
            'is_default': not row['contacts'],
            '_vendor': ident,
        }
    )
    store['vendors'].update_row(ident, contacts=[*row['contacts'], made['id']])
    return made


def add_bank_account(
    store, ident, /, payment_method='ACH', currency='USD', account_nickname='Primary', account_number_last_four='6789'
):
    """Add a bank account to a vendor and return its row. The first one becomes the default payment method."""
    is_default = not any(True for _ in store['vendor_accounts'].walk_rows(bucket=ident))
    made = store['vendor_accounts'].add_row(
        {
            'id': store.make_new_id(),
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
        store['vendors'].update_row(ident, default_payment_method={'policy': policy, 'update_source': 'MANUAL'})
    return made


def build_bill_vendor(store, ident, known):
    """Return the vendor part of a bill, with its current accounting vendor. `known`: used if the vendor is gone."""
    row = store['vendors'].get_row(ident)
    if row is None:
        return known
    body = {'id': ident, 'name': row['name']}
    if row['vendor_type']:
        body['type'] = row['vendor_type']
    if row['accounting_vendor_remote_id'] is not None:
        selection = coding.select_accounting_vendor(store, row['accounting_vendor_remote_id'])
        body.update(remote_id=selection['external_id'], remote_name=selection['name'])
        if selection.get('external_code'):
            body['remote_code'] = selection['external_code']
    return body


def find_vendor(store, value):
    """Return a vendor by row, id or name. None: the first vendor, which is created if there is none."""
    if value is None:
        return next(iter(store['vendors']), None) or make_vendor(store)
    if isinstance(value, str) and value not in store['vendors']:
        return store['vendors'].find_first_row(name=value) or make_vendor(store, value)
    return resolve_row(store['vendors'], value)
