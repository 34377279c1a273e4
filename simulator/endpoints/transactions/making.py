"""Creation of card transactions, and later changes to them."""

from datetime import date as Date
from datetime import datetime, time, timedelta, timezone

from ... import coding, money
from ...payables import NOT_GIVEN, fill_line_coding, recode_all_lines, resolve_entity, resolve_row, scale_line_amounts
from ...state import format_iso_time, make_blank_row
from .. import receipts as receipt_files

STATUSES = ('NOT_SYNC_READY', 'SYNCED', 'SYNC_READY')
# Fields of the answer that only some transactions have.
MORE_FIELDS = {
    'decline_details',
    'fund_id',
    'limit_id',
    'merchant_category_code',
    'merchant_category_code_description',
    'merchant_data',
    'settlement_date',
    'spend_program_id',
    'statement_id',
}
# Fields of a new transaction that are empty.
UNSET = ('network_merchant_id', 'synced_at', 'trip_id', 'trip_name')
EMPTY = (
    'accounting_categories',
    'accounting_field_selections',
    'attendees',
    'disputes',
    'policy_violations',
    'receipts',
)


# -- creation


def make_transaction(
    store,
    /,
    *,
    amount_minor=None,
    currency=None,
    lines=None,
    account=NOT_GIVEN,
    analytics=None,
    original_minor=None,
    original_currency=None,
    user=None,
    entity=None,
    card_id=None,
    date=None,
    sync_status='SYNC_READY',
    state='CLEARED',
    receipts=0,
    refund_of=None,
    merchant='Office Depot',
    merchant_descriptor=None,
    category=(12, 'Office supplies and cleaning'),
    memo=None,
    label=None,
    broken=False,
    **wire_fields,
):
    """Add a transaction and return its row.

    Amounts are signed minor units of `currency` (default: the entity's).

    :param lines: [{"amount_minor", and optionally "account", "analytics": {field id: option id}, "memo", "currency"}];
        None: one line over the total
    :param account: the client's own id; None leaves the line uncoded; default: the first account
    :param original_minor: what the merchant charged, in minor units of `original_currency`, if it is another currency
    :param user: a row or an id; so is `entity`
    :param date: time of the purchase: datetime, date or ISO text
    :param receipts: number of receipts
    :param refund_of: id of the original; its holder, card, merchant and negated amount are the defaults
    :param broken: do not check the row against the contract
    :param wire_fields: any other field of the answer, with the value to give it
    """
    original = store['transactions'].rows[refund_of] if refund_of else None
    if original:
        entity = entity or original['entity_id']
        user = user or original['card_holder'].get('user_id')
        card_id = card_id or original.get('card_id')
        merchant = original['merchant_name']
        if amount_minor is None:
            amount_minor = -original['_money']['amount_minor']
    user, entity = _choose_user_and_entity(store, user, entity, currency)
    spent = _parse_purchase_moment(store, date)
    row = {
        **_build_transaction_parties(store, user, entity, card_id),
        **_build_merchant_fields(store, merchant, merchant_descriptor, category),
        **_build_transaction_days(store, spent, state),
        'all_requirements_met_and_approved': sync_status != 'NOT_SYNC_READY',
        'memo': memo,
        'original_transaction_id': refund_of,
        'state': state,
        'sync_status': sync_status,
        '_label': label,
        '_broken': broken,
    }
    row.update(
        _build_transaction_amounts(
            store,
            {
                'amount_minor': amount_minor,
                'currency': currency or entity['currency'],
                'original_minor': original_minor,
                'original_currency': original_currency,
                'lines': fill_line_coding(store, lines or [{'amount_minor': amount_minor}], account, analytics),
            },
        )
    )
    if state == 'DECLINED':
        row['decline_details'] = _build_decline_details(row)
    _refuse_unknown_fields(row, wire_fields)
    row.update(wire_fields)
    store['transactions'].add_row(row)
    for _ in range(receipts):
        attach_transaction_receipt(store, row['id'])
    return row


def _choose_user_and_entity(store, user, entity, currency):
    """Return (user, entity) as rows. A missing one is derived from the other, or from the currency."""
    user = resolve_row(store['users'], user)
    entity = resolve_row(store['entities'], entity) or _choose_user_entity(store, user, currency)
    return user or store['users'].find_first_row(entity_id=entity['id']) or next(iter(store['users'])), entity


def _choose_user_entity(store, user, currency):
    """Return the user's entity if it has the currency, else the first entity that has it, else the primary one."""
    own = user and store['entities'].get_row(user['entity_id'])
    if own and currency in (None, own['currency']):
        return own
    return resolve_entity(store, None, currency)


def _build_transaction_parties(store, user, entity, card_id):
    """Return the identity, holder, entity and card fields of a new transaction."""
    return {
        **make_blank_row(UNSET, EMPTY),
        'id': store.make_new_id(),
        'card_holder': _build_card_holder(store, user),
        'card_id': card_id or store.derive_stable_id('card', user['id'], True, 1),
        'card_present': False,
        'entity_id': entity['id'],
        'requires_accounting_vendor_creation_to_sync': False,
    }


def _build_card_holder(store, user):
    holder = {'user_id': user['id'], 'first_name': user['first_name'], 'last_name': user['last_name']}
    for name in ('department', 'location'):
        row = store[name + 's'].get_row(user[name + '_id'])
        if row:
            holder[name + '_id'], holder[name + '_name'] = row['id'], row['name']
    if user['employee_id']:
        holder['employee_id'] = user['employee_id']
    return holder


def _build_merchant_fields(store, merchant, descriptor, category):
    return {
        'merchant_descriptor': descriptor or (merchant or '').upper()[:22],
        'merchant_id': store.derive_stable_id('merchant', merchant),
        'merchant_location': {'city': 'NEW YORK', 'country': 'USA', 'postal_code': '10003', 'state': 'NY'},
        'merchant_name': merchant,
        'sk_category_id': category[0],
        'sk_category_name': category[1],
    }


def _build_transaction_days(store, spent, state):
    settled = _choose_settlement_time(store, spent)
    return {
        'accounting_date': format_iso_time(settled) if state == 'CLEARED' else None,
        'updated_at': format_iso_time(min(settled, store.clock())),
        'user_transaction_time': format_iso_time(spent),
        **({'settlement_date': format_iso_time(settled)} if state == 'CLEARED' else {}),
    }


def _build_decline_details(row):
    values = row['_money']
    return {
        'amount': row['amount'],
        'declined_amount': {'value': values['amount_minor'], 'currency': values['currency']},
        'reason': 'AUTHORIZER_CARD_LIMIT',
    }


# -- changes


def change_transaction(store, ident, /, **changes):
    """Change a transaction as people do in Ramp, and return its row. This moves `updated_at`.

    Takes fields of the answer and these arguments of :func:`make_transaction`: amount_minor, currency, lines,
    original_minor, original_currency, account, date, receipts (minimum number of receipts).
    """
    row = store['transactions'].rows[ident]
    values = dict(row['_money'])
    wanted = {name: changes.pop(name) for name in tuple(changes) if name in values}
    if 'amount_minor' in wanted and 'lines' not in wanted:
        wanted['lines'] = scale_line_amounts(values['lines'], wanted['amount_minor'])
    if 'amount_minor' in wanted:
        wanted = {'original_minor': None, 'original_currency': None, **wanted}
    if 'account' in changes:
        account = changes.pop('account')
        wanted['lines'] = recode_all_lines(wanted.get('lines', values['lines']), account)
    _refuse_unknown_fields(row, changes)
    if wanted:
        changes.update(_build_transaction_amounts(store, {**values, **wanted}))
    changes = _move_transaction_days(store, row, changes)
    for _ in range(changes.pop('receipts', 0) - len(row['receipts'])):
        attach_transaction_receipt(store, ident)
    changes.setdefault('updated_at', store.read_time())
    return store['transactions'].update_row(ident, **changes)


def _move_transaction_days(store, row, changes):
    """Replace "date" in the changes by the dates that depend on it and on the state."""
    spent = _parse_purchase_moment(store, changes.pop('date', row['user_transaction_time']))
    changes['user_transaction_time'] = format_iso_time(spent)
    is_cleared = changes.get('state', row['state']) == 'CLEARED'
    if is_cleared and (format_iso_time(spent) != row['user_transaction_time'] or row['accounting_date'] is None):
        settled = format_iso_time(_choose_settlement_time(store, spent))
        changes = {'accounting_date': settled, 'settlement_date': settled, **changes}
    return changes


def recode_transaction(store, ident, account):
    return change_transaction(store, ident, account=account)


def attach_transaction_receipt(store, ident, **values):
    """Add a receipt to a transaction and return its row. `values`: parameters of `receipts.make_receipt`."""
    row = store['transactions'].rows[ident]
    user_id = row['card_holder'].get('user_id')
    receipt = receipt_files.make_receipt(store, user_id, row['user_transaction_time'], transaction_id=ident, **values)
    store['transactions'].update_row(ident, receipts=[*row['receipts'], receipt['id']])
    return receipt


def compute_spend_totals(store, sync_status=STATUSES, until=None):
    """Return cleared spend per entity and currency in minor units, which the books must match in the end.

    :param until: only purchases before this time (ISO text)
    :return: [{"entity_id", "currency", "amount_minor", "count"}]
    """
    found = {}
    for row in store['transactions']:
        if row['state'] != 'CLEARED' or row['sync_status'] not in sync_status:
            continue
        if until and row['user_transaction_time'] >= until:
            continue
        values = row['_money']
        key = row['entity_id'], values['currency']
        total = found.setdefault(key, {'entity_id': key[0], 'currency': key[1], 'amount_minor': 0, 'count': 0})
        total['amount_minor'] += values['amount_minor']
        total['count'] += 1
    return sorted(found.values(), key=lambda total: (total['entity_id'], total['currency']))


def _build_transaction_amounts(store, values):
    """Return the answer's fields that depend on amounts and lines, and `_money`, the values they come from."""
    minor, currency = values['amount_minor'], values['currency']
    if values['original_minor'] is None:
        values = {**values, 'original_minor': minor, 'original_currency': currency}
    original, foreign = values['original_minor'], values['original_currency']
    lines = values['lines']
    if foreign == currency:
        shares = [line['amount_minor'] for line in lines]
    else:
        # A line's `amount` is then in the merchant's currency. This was seen live, against the contract's text.
        # `converted_amount` is what to book.
        shares = money.split_minor_amount(original, [abs(line['amount_minor']) for line in lines])
    return {
        'amount': money.convert_to_major(minor, currency),
        'currency_code': currency,
        'minor_unit_conversion_rate': money.minor_per_major(currency),
        'original_transaction_amount': money.build_currency_amount(original, foreign),
        'line_items': [
            _build_transaction_line(store, line, share, currency, foreign)
            for line, share in zip(lines, shares, strict=True)
        ],
        '_money': values,
    }


def _build_transaction_line(store, line, share, currency, foreign):
    line_currency = line.get('currency')
    item = {
        'accounting_field_selections': select_transaction_coding(store, line),
        'amount': money.build_currency_amount(share, line_currency or foreign),
        'converted_amount': money.build_currency_amount(line['amount_minor'], line_currency or currency),
    }
    if line.get('memo'):
        item['memo'] = line['memo']
    return item


def select_transaction_coding(store, line):
    """Return the selections of a line: "selections" as they are, else from "account" and "analytics"."""
    if line.get('selections') is not None:
        return line['selections']
    selections = []
    if line.get('account') is not None:
        selections.append(coding.select_gl_account(store, str(line['account'])))
    for field_id, option_id in (line.get('analytics') or {}).items():
        selections.append(coding.select_field_option(store, field_id, str(option_id)))
    return selections


def _refuse_unknown_fields(row, names):
    """Raise for unknown names.

    A misspelt argument would become a field of the object, and the test would test nothing.
    """
    unknown = set(names) - set(row) - MORE_FIELDS - {'date', 'receipts'}
    if unknown:
        raise TypeError(f'A transaction has no {", ".join(sorted(unknown))}')


def _choose_settlement_time(store, spent):
    """Return the settlement time: days after the purchase, but not in the future."""
    return max(spent, min(spent + timedelta(days=1 + spent.toordinal() % 3), store.clock()))


def _parse_purchase_moment(store, value):
    if value is None:
        return store.clock() - timedelta(days=3)
    if isinstance(value, str):
        value = datetime.fromisoformat(value.replace('Z', '+00:00'))
    elif isinstance(value, Date) and not isinstance(value, datetime):
        value = datetime.combine(value, time(15, 30))
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
