"""Coding data: the objects that a client uploads, and the selections of them in answers.

An object belongs to the accounting connection it was uploaded to. It is visible while that connection is active, or
when a request names that connection. Objects of the seed belong to whichever connection is active.
"""

from .endpoints import accounting_connection
from .errors import RampError, make_field_error
from .state import Table, select_wire_fields


def _name_by_id(row):
    return row.get('id')


def _name_by_field(row):
    return row.get('_field'), row.get('id')


TABLES = {
    'accounts': lambda: Table(key='ramp_id', name=_name_by_id),
    'fields': lambda: Table(key='ramp_id', name=_name_by_id),
    'options': lambda: Table(key='ramp_id', index='_field', name=_name_by_field),
    'accounting_vendors': lambda: Table(key='ramp_id', name=_name_by_id),
    'tax_rates': lambda: Table(key='ramp_id', name=_name_by_id),
    'tax_codes': lambda: Table(key='ramp_id', name=_name_by_id),
    'tax_options': lambda: Table(key='ramp_id', name=_name_by_id),
    'inventory_fields': lambda: Table(key='ramp_id', name=_name_by_id),
    'inventory_items': lambda: Table(key='ramp_id', name=_name_by_id),
    'subsidiaries': lambda: Table(key='ramp_id', name=_name_by_id),
}
# Remote ids of the built-in fields. They are not listed in /accounting/fields. The client does not choose the remote ids
# of the tax code field and the inventory item field either. Those of these two and of the subsidiary field are made up.
CATEGORY = 'Category'
MERCHANT = 'Merchant'
TAX_CODE = 'Tax Code'
INVENTORY_ITEM = 'Inventory Item'
SUBSIDIARY = 'Subsidiary'
# built-in field -> table of its options
OPTION_TABLES = {
    CATEGORY: 'accounts',
    MERCHANT: 'accounting_vendors',
    TAX_CODE: 'tax_options',
    INVENTORY_ITEM: 'inventory_items',
    SUBSIDIARY: 'subsidiaries',
}


# -- lookup


def in_books_of(connection):
    """Return a test for whether a row is in the books of a connection. None: no connection is active."""
    ident = connection and connection['id']
    owners = (ident,) if connection and not connection['is_active'] else (None, ident)
    return lambda row: row.get('_connection') in owners


def find_uploaded_row(state, table, name, connection):
    """Return the row with the client's own id in a connection's books, or None. Deleted rows count.

    The name of an option is the pair (ramp_id of its field, its own id).
    """
    return next(filter(in_books_of(connection), state[table].list_named_rows(name)), None)


def make_coding_renderer(state):
    """Return a function that renders a row as Ramp answers it, with the connection it belongs to."""
    active = accounting_connection.find_active_connection(state)

    def render_coding_row(row):
        connection = state['connections'].get_row(row.get('_connection')) or active
        # The contract requires an id, so one is invented if there is no connection.
        owner = connection['id'] if connection else state.derive_stable_id('connection')
        body = {'accounting_connection_id': owner, **select_wire_fields(row)}
        if 'provider_name' in body:
            body['provider_name'] = connection and connection['remote_provider_name']
        return body

    return render_coding_row


def _find_selected_row(state, table, name):
    """Return the row that a selection refers to: in the active connection's books, else (for old codings) in any."""
    row = find_uploaded_row(state, table, name, accounting_connection.find_active_connection(state))
    return row or next(iter(state[table].list_named_rows(name)), None) or {}


# -- creation


def _add_coding_row(state, table, names, values, connection):
    """Add a row. Its ramp_id is derived from `names`, plus a number if other books already use that id."""
    ident, others = state.derive_stable_id(*names), 0
    while ident in state[table]:
        others += 1
        ident = state.derive_stable_id(*names, others)
    return state[table].add_row({'ramp_id': ident, **values, '_connection': connection})


def _add_creation_times(state, **values):
    return {**values, 'provider_name': None, 'created_at': state.read_time(), 'updated_at': state.read_time()}


def _build_category_info(state, ident):
    return {'id': ident, 'name': ident, 'ramp_id': state.derive_stable_id('field', ident)}


def _find_existing_row(state, table, name, connection):
    """Return the row if it is already in the books, else None. The `add_` functions do not change such a row."""
    owner = (
        state['connections'].get_row(connection) if connection else accounting_connection.find_active_connection(state)
    )
    return find_uploaded_row(state, table, name, owner)


def add_gl_account(state, id, name, code='', classification='EXPENSE', entity_remote_ids=None, *, connection=None):
    """Add a GL account under the client's own id. Leave an existing one unchanged."""
    return _find_existing_row(state, 'accounts', str(id), connection) or _add_coding_row(
        state,
        'accounts',
        ('account', str(id)),
        _add_creation_times(
            state,
            id=str(id),
            name=name,
            code=code or '',
            classification=classification,
            is_active=True,
            visibility='VISIBLE',
            entity_remote_ids=entity_remote_ids,
            gl_account_category_info=_build_category_info(state, CATEGORY),
        ),
        connection,
    )


def add_accounting_vendor(state, id, name, code='', entity_remote_ids=None, *, connection=None):
    """Add an accounting vendor. It is a coding value, not a vendor that gets paid."""
    return _find_existing_row(state, 'accounting_vendors', str(id), connection) or _add_coding_row(
        state,
        'accounting_vendors',
        ('accounting vendor', str(id)),
        _add_creation_times(
            state,
            id=str(id),
            name=name,
            code=code or '',
            is_active=True,
            is_synced=True,
            entity_remote_ids=entity_remote_ids,
            vendor_category_info=_build_category_info(state, MERCHANT),
        ),
        connection,
    )


def add_accounting_field(
    state,
    field_id,
    field_name,
    options=(),
    *,
    display_name=None,
    input_type='SINGLE_CHOICE',
    is_splittable=True,
    is_required_for=(),
    connection=None,
):
    """Add a field with options ({"id", "value", "code"}). The default type is single choice."""
    row = _find_existing_row(state, 'fields', field_id, connection) or _add_coding_row(
        state,
        'fields',
        ('field', field_id),
        _add_creation_times(
            state,
            id=field_id,
            name=field_name,
            display_name=display_name or field_name,
            input_type=input_type,
            is_active=True,
            is_splittable=is_splittable,
            is_required_for=list(is_required_for),
        ),
        connection,
    )
    for option in options:
        add_field_option(state, row, **option)
    return row


def add_field_option(state, field, id, value, code='', display_name=None, entity_remote_ids=None, *, connection=None):
    """Add an option to a field, which is given as its row."""
    name = field['ramp_id'], str(id)
    return _find_existing_row(state, 'options', name, connection) or _add_coding_row(
        state,
        'options',
        ('option', field['id'], str(id)),
        {
            **_add_creation_times(
                state,
                id=str(id),
                value=value,
                display_name=display_name or value,
                code=code or '',
                is_active=True,
                visibility='VISIBLE',
                entity_remote_ids=entity_remote_ids,
            ),
            '_field': field['ramp_id'],
        },
        connection,
    )


def add_tax_rate(state, id, name, rate, accounting_gl_account_id=None, *, connection=None):
    """Add a tax rate, e.g. "0.05" for 5 %. The account it is booked to is given by its ramp_id."""
    return _find_existing_row(state, 'tax_rates', str(id), connection) or _add_coding_row(
        state,
        'tax_rates',
        ('tax rate', str(id)),
        {
            'id': str(id),
            'name': name,
            'rate': str(rate),
            'accounting_gl_account_id': accounting_gl_account_id,
            '_active': True,
        },
        connection,
    )


def _add_single_field(state, table, ident, name, display_name, connection):
    values = {'id': ident, 'name': name, 'display_name': display_name or name, '_active': True}
    return _add_coding_row(state, table, ('field', ident), values, connection)


def add_tax_code(state, name, display_name=None, *, connection=None):
    """Add the tax code field. This does not check whether one exists already."""
    return _add_single_field(state, 'tax_codes', TAX_CODE, name, display_name, connection)


def add_tax_option(state, id, name, tax_rate_ids=(), entity_remote_ids=None, *, connection=None):
    """Add an option of the tax code field. Its rates are given by the client's own ids."""
    return _find_existing_row(state, 'tax_options', str(id), connection) or _add_coding_row(
        state,
        'tax_options',
        ('tax option', str(id)),
        {
            'id': str(id),
            'name': name,
            'tax_rate_ids': list(tax_rate_ids),
            'entity_remote_ids': entity_remote_ids,
            'is_active': True,
        },
        connection,
    )


def add_inventory_field(state, name, display_name=None, *, connection=None):
    """Add the inventory item field. This does not check whether one exists already."""
    return _add_single_field(state, 'inventory_fields', INVENTORY_ITEM, name, display_name, connection)


def add_inventory_item(state, id, name, gl_account_id=None, entity_remote_ids=None, *, connection=None):
    """Add an option of the inventory item field. Its GL account is given by its ramp_id."""
    return _find_existing_row(state, 'inventory_items', str(id), connection) or _add_coding_row(
        state,
        'inventory_items',
        ('inventory item', str(id)),
        {
            'id': str(id),
            'name': name,
            'gl_account_id': gl_account_id,
            'entity_remote_ids': entity_remote_ids,
            'is_active': True,
        },
        connection,
    )


def add_subsidiary(state, id, name, country=None, currency=None, federal_id_number=None, *, connection=None):
    """Add an entity of the client's books."""
    return _find_existing_row(state, 'subsidiaries', str(id), connection) or _add_coding_row(
        state,
        'subsidiaries',
        ('subsidiary', str(id)),
        {
            'id': str(id),
            'name': name,
            'country': country,
            'currency': currency,
            'federal_id_number': federal_id_number,
            'is_active': True,
        },
        connection,
    )


# -- selections: an object may be coded with something that is hidden, deleted or unknown now


def select_gl_account(state, external_id, name=None):
    """Return the selection of a GL account. `external_id` may be unknown, because a client's books change."""
    row = _find_selected_row(state, 'accounts', external_id)
    name = name or row.get('name', f'Account {external_id}')
    return _build_coding_selection(state, 'GL_ACCOUNT', CATEGORY, CATEGORY, external_id, name, row.get('code'))


def select_accounting_vendor(state, external_id, name=None):
    """Return the selection of an accounting vendor."""
    row = _find_selected_row(state, 'accounting_vendors', external_id)
    name = name or row.get('name', f'Vendor {external_id}')
    return _build_coding_selection(state, 'MERCHANT', MERCHANT, MERCHANT, external_id, name, row.get('code'))


def select_tax_code(state, option_id, name=None):
    """Return the selection of a tax code option."""
    field, row = _find_selected_row(state, 'tax_codes', TAX_CODE), _find_selected_row(state, 'tax_options', option_id)
    name = name or row.get('name', f'Tax {option_id}')
    return _build_coding_selection(state, 'TAX_CODE', TAX_CODE, field.get('name', TAX_CODE), option_id, name, None)


def select_inventory_item(state, item_id, name=None):
    """Return the selection of an inventory item."""
    field = _find_selected_row(state, 'inventory_fields', INVENTORY_ITEM)
    row = _find_selected_row(state, 'inventory_items', item_id)
    name = name or row.get('name', f'Item {item_id}')
    field_name = field.get('name', INVENTORY_ITEM)
    return _build_coding_selection(state, 'INVENTORY_ITEM', INVENTORY_ITEM, field_name, item_id, name, None)


def select_field_option(state, field_id, option_id, name=None):
    """Return the selection of a custom field's option. Its type is always OTHER."""
    field = _find_selected_row(state, 'fields', field_id)
    row = _find_selected_row(state, 'options', (field.get('ramp_id'), option_id))
    name = name or row.get('value', f'Option {option_id}')
    return _build_coding_selection(
        state, 'OTHER', field_id, field.get('name', field_id), option_id, name, row.get('code')
    )


def _build_coding_selection(state, kind, field_id, field_name, external_id, name, code):
    selection = {
        'id': state.derive_stable_id(kind, field_id, external_id),
        'external_id': external_id,
        'name': name,
        'display_name': name,
        'provider_name': 'Simulator',
        'type': kind,
        'category_info': {
            'id': state.derive_stable_id('field', field_id),
            'external_id': field_id,
            'name': field_name,
            'type': kind,
        },
        'source': {'type': 'USER'},
    }
    if code:
        selection['external_code'] = code
    return selection


def read_coding_selections(state, wanted, refuses_deleted=False):
    """Return the selections for `[{"field_external_id", "field_option_external_id" or "free_form_text"}]`.

    Raise Ramp's errors for unknown ids, and for items with both values or with none.
    """
    active = accounting_connection.find_active_connection(state)
    built_in = {
        CATEGORY: select_gl_account,
        MERCHANT: select_accounting_vendor,
        TAX_CODE: select_tax_code,
        INVENTORY_ITEM: select_inventory_item,
    }
    selections = []
    for item in wanted or ():
        field_id, value = item['field_external_id'], item.get('field_option_external_id')
        if (value is None) == (item.get('free_form_text') is None):
            text = 'Needs either field_option_external_id or free_form_text.'
            raise make_field_error('accounting_field_selections', text)
        if value is None:
            selections.append(read_free_text(state, field_id, item['free_form_text'], active))
            continue
        find_known_option(state, field_id, value, active, refuses_deleted)
        select = built_in.get(field_id)
        selections.append(select(state, value) if select else select_field_option(state, field_id, value))
    return selections


def find_known_option(state, field_id, option_id, connection, refuses_deleted=False):
    """Return the option's row in a connection's books, by remote ids. Raise Ramp's errors for unknown ids.

    Deleted options count, unless `refuses_deleted` says otherwise.
    """
    table, name = OPTION_TABLES.get(field_id), option_id
    if table is None:
        field = find_uploaded_row(state, 'fields', field_id, connection)
        if field is None:
            raise RampError(400, 'DEVELOPER_7122', f'Unknown field {field_id}')
        table, name = 'options', (field['ramp_id'], option_id)
    row = find_uploaded_row(state, table, name, connection)
    if row is None or refuses_deleted and not row['is_active']:
        raise RampError(400, 'DEVELOPER_7123', f'Unknown field option {option_id}')
    return row


def find_coded_field(state, ident, connection):
    """Return (remote id, table of the options) of a field by its ramp_id. Raise Ramp's error for an unknown one."""
    mine = in_books_of(connection)
    for table, options in (
        ('fields', 'options'),
        ('tax_codes', 'tax_options'),
        ('inventory_fields', 'inventory_items'),
    ):
        row = state[table].get_row(ident)
        if row is not None and mine(row) and row.get('is_active', row.get('_active')):
            return row['id'], options
    for name in (CATEGORY, MERCHANT):
        if ident == state.derive_stable_id('field', name):
            return name, OPTION_TABLES[name]
    raise RampError(400, 'DEVELOPER_7122', f'Unknown field {ident}')


def read_free_text(state, field_id, text, connection):
    """Return the selection of a text in a field without options. Raise Ramp's errors for other fields."""
    field = find_uploaded_row(state, 'fields', field_id, connection)
    if field is None:
        raise RampError(400, 'DEVELOPER_7122', f'Unknown field {field_id}')
    if field['input_type'] != 'FREE_FORM_TEXT':
        raise RampError(400, 'DEVELOPER_7123', f'The field {field_id} has options, not texts')
    return _build_coding_selection(state, 'OTHER', field_id, field['name'], text, text, None)


def list_missing_fields(state, kind, selections):
    """Return the remote ids of the fields that objects of a kind (TRANSACTION, ...) need and `selections` lack."""
    mine = in_books_of(accounting_connection.find_active_connection(state))
    coded = {item['category_info']['external_id'] for item in selections}
    needed = [row['id'] for row in state['fields'] if mine(row) and row['is_active'] and kind in row['is_required_for']]
    return [ident for ident in needed if ident not in coded]
