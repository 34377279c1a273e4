"""/repayments: cash that users pay back on card transactions. There is no sync type for them."""

from datetime import timedelta

from .. import money
from ..listing import (
    Filter,
    answer_list_page,
    filter_by_value,
    filter_from_time,
    filter_without_effect,
    make_choice_parser,
    parse_utc_time,
    parse_uuid,
)
from ..payables import make_list_parser, parse_moment, refuse_unknown_names, remove_empty_fields, resolve_row
from ..routes import route
from ..state import Table, format_iso_time, select_wire_fields

TABLES = {'repayments': Table}
FUNDING_METHODS = ('ach', 'debit_card', 'export_for_payment', 'payroll', 'prefunded', 'push', 'repay_off_ramp')
STATUSES = (
    'AWAITING_MANUAL_REPAYMENT',
    'AWAITING_PAYMENT',
    'NONE',
    'REPAID',
    'REPAYMENT_FAILED',
    'REQUESTED_BY_REVIEWER',
)
FILTERS = {
    'entity_id': filter_without_effect(parse_uuid),  # "not supported yet"
    'funding_methods': Filter(
        make_list_parser(make_choice_parser(*FUNDING_METHODS)), lambda row, values: row['funding_method'] in values
    ),
    'from_repaid_at': filter_from_time('repaid_at'),
    'to_repaid_at': Filter(parse_utc_time, lambda row, value: bool(row['repaid_at']) and row['repaid_at'] < value),
    'user_id': filter_by_value('user_id'),
}


@route('GET', '/repayments', scope='repayments:read')
def list_repayments(call):
    # Newest first, unlike other lists.
    return answer_list_page(
        call,
        'repayments',
        FILTERS,
        reverse=True,
        render=lambda row: remove_empty_fields(select_wire_fields(row), ('entity_id',)),
    )


def make_repayment(
    store,
    /,
    *,
    transaction=None,
    amount_minor=None,
    currency=None,
    user=None,
    status='REPAID',
    date=None,
    label=None,
    broken=False,
    **wire_fields,
):
    """Add a repayment and return its row.

    :param transaction: id of the card transaction; its holder, entity and amount are the defaults
    :param date: time of the repayment, if it happened: datetime, date or ISO text
    :param wire_fields: any other field of the answer, with the value to give it
    """
    original = store['transactions'].rows[transaction] if transaction else None
    if original:
        user = user or original['card_holder'].get('user_id')
        currency = currency or original['_money']['currency']
        amount_minor = original['_money']['amount_minor'] if amount_minor is None else amount_minor
    if amount_minor is None:
        raise TypeError('A repayment needs a transaction or amount_minor')
    user = resolve_row(store['users'], user) or next(iter(store['users']))
    paid = status == 'REPAID'
    row = {
        'id': store.make_new_id(),
        'entity_id': original['entity_id'] if original else user['entity_id'],
        'funding_method': 'ach',
        'original_transaction_id': transaction,
        'repaid_at': format_iso_time(parse_moment(date or store.clock() - timedelta(days=1))) if paid else None,
        'repayment_amount': money.build_currency_amount(amount_minor, currency or 'USD'),
        'status': status,
        'user_id': user['id'],
        'user_signature': f'{user["first_name"]} {user["last_name"]}' if paid else None,
        '_label': label,
        '_broken': broken,
    }
    refuse_unknown_names('A repayment', row, wire_fields)
    row.update(wire_fields)
    return store['repayments'].add_row(row)
