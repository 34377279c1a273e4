"""Parsing of what a body says about the payment of a bill, and the days on which Ramp initiates payments.

Ramp's behaviour is unknown in some cases. The simulator takes the harder alternative: the schema's default UNSPECIFIED
is not accepted, because the description of payment_method says that it is required (contract 2026-08-01).
"""

from datetime import date as Date
from datetime import timedelta

from ... import uploads
from ...errors import make_field_error, make_input_error
from .reading import is_iso_day, refuse_body_value
from .standing import CARD_METHODS

# Business days from the initiation of a payment to its arrival. Ramp's real times differ by bank; these are made up.
TRANSIT_DAYS = {
    'ACH': 3,
    'CHECK': 5,
    'CRYPTO_WALLET_TRANSFER': 0,
    'DOMESTIC_WIRE': 1,
    'INTERNATIONAL': 3,
    'LOCAL_BANK_TRANSFER': 1,
    'SWIFT': 3,
}
BANK_METHODS = tuple(method for method in TRANSIT_DAYS if method != 'CHECK')
MANUAL_METHODS = (
    'CASH',
    'CHECK',
    'CROSS_BORDER_PAYMENT',
    'CRYPTO_WALLET_TRANSFER',
    'DIRECT_DEBIT',
    'DOMESTIC_WIRE_TRANSFER',
    'NON_RAMP_CREDIT_CARD',
    'OTHER',
    'PAID_IN_ERP',
)
INSTRUCTED_METHODS = (*TRANSIT_DAYS, 'CARD', 'ONE_TIME_CARD', 'ONE_TIME_CARD_DELIVERY', 'PAID_MANUALLY')
# method -> (required, optional) payment details
CHECK_DETAILS = ('payment_arrival_date', 'source_bank_account_id'), ('is_same_day',)
BANK_DETAILS = (*CHECK_DETAILS[0], 'vendor_account_id'), CHECK_DETAILS[1]
DETAILS = {
    **dict.fromkeys(BANK_METHODS, BANK_DETAILS),
    'CHECK': CHECK_DETAILS,
    'CARD': (('spend_limit_id',), ('transaction_id',)),
    'PAID_MANUALLY': (('manual_payment_method', 'payment_date'), ()),
}


def find_initiation_day(store, day):
    """Return the next day on which Ramp initiates payments: not in the past, nor on a weekend (contract 2026-08-01)."""
    day = max(Date.fromisoformat(day), store.clock().date())
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return day.isoformat()


def compute_initiation_day(store, arrival, method):
    """Return the latest day to initiate a payment that should arrive on the day `arrival` (ISO text)."""
    day, left = Date.fromisoformat(arrival), TRANSIT_DAYS.get(method, 0)
    while left:
        day -= timedelta(days=1)
        left -= day.weekday() < 5
    return find_initiation_day(store, day.isoformat())


def read_payment_plan(call, body, vendor, entity):
    """Return (method, plan). The plan has parameters of `pay_bills`; None: nothing is scheduled nor paid yet."""
    if body.get('use_default_payment_method'):
        return _read_default_plan(call, body, vendor)
    method = body.get('payment_method')
    if method not in INSTRUCTED_METHODS:
        raise make_field_error('payment_method', 'Required unless use_default_payment_method is true.')
    if body.get('target_payment_arrival_date'):
        raise make_field_error('target_payment_arrival_date', 'Only with use_default_payment_method.')
    details = body.get('payment_details')
    if body.get('payment_date') and (method not in TRANSIT_DAYS or details is None):
        raise make_field_error('payment_date', 'Only with the details of a payment that Ramp initiates.')
    if details is None:
        if method == 'PAID_MANUALLY':
            raise make_field_error('payment_details', 'Missing data for required field.')
        return method, None
    _check_detail_fields(method, details)
    if method == 'PAID_MANUALLY':
        return method, {
            'status': 'completed',
            'date': details['payment_date'],
            'manual_method': details['manual_payment_method'],
        }
    if method == 'CARD':
        return method, _read_card_plan(call, details)
    return method, _read_transfer_plan(call, body, method, vendor, entity)


def _check_detail_fields(method, details):
    if method not in DETAILS:
        raise make_field_error('payment_details', f'There are none for {method}.')
    wrong = uploads.list_field_complaints(details, *DETAILS[method])
    wrong.update(
        {
            name: ['Field may not be null.']
            for name, value in details.items()
            if value is None and name in DETAILS[method][0]
        }
    )
    for name in ('payment_arrival_date', 'payment_date'):
        if details.get(name) is not None and not is_iso_day(details[name]):
            wrong[name] = ['Not a valid date.']
    if method == 'PAID_MANUALLY' and details.get('manual_payment_method') not in MANUAL_METHODS:
        wrong.setdefault('manual_payment_method', ['Must be one of the allowed values.'])
    if details.get('is_same_day') and method != 'ACH':
        wrong['is_same_day'] = ['Only for ACH.']
    if wrong:
        raise make_input_error('Invalid input', {'payment_details': wrong})


def _read_card_plan(call, details):
    """Return the plan of a bill that a card transaction paid already. Without one, Ramp waits for it."""
    ident = details.get('transaction_id')
    if ident is None:
        return None
    if ident not in call.state['transactions']:
        raise refuse_body_value('payment_details', f'Unknown transaction {ident}')
    return {'status': 'completed', 'transaction': ident, 'fund': details['spend_limit_id']}


def _read_transfer_plan(call, body, method, vendor, entity):
    details = body['payment_details']
    if details['source_bank_account_id'] not in [account['id'] for account in entity['payment_accounts']]:
        raise refuse_body_value('payment_details', 'The entity pays no bills from this bank account')
    target = details.get('vendor_account_id')
    if method != 'CHECK':
        account = call.state['vendor_accounts'].get_row(target)
        if account is None or account['_vendor'] != vendor['id']:
            raise refuse_body_value('payment_details', 'Not a bank account of the vendor')
        if account['payment_method'] != method:
            raise refuse_body_value('payment_details', f'The bank account of the vendor does not take {method}')
    return {
        'status': 'scheduled',
        'date': find_initiation_day(call.state, body['payment_date'])
        if body.get('payment_date')
        else compute_initiation_day(call.state, details['payment_arrival_date'], method),
        'source': details['source_bank_account_id'],
        'vendor_account': target,
        'same_day': details.get('is_same_day', False),
    }


def find_default_account(vendor):
    """Return the bank account of a vendor's default payment method. Raise Ramp's 400 if it has none."""
    policy = (vendor['default_payment_method'] or {}).get('policy')
    if not policy:
        raise refuse_body_value('use_default_payment_method', 'The vendor has no default payment method')
    return policy['data']


def _read_default_plan(call, body, vendor):
    for name in ('payment_method', 'payment_details'):
        if body.get(name) is not None:
            raise make_field_error(name, 'Not with use_default_payment_method.')
    account = find_default_account(vendor)
    method, day = account['payment_method'], body.get('payment_date')
    if not day and body.get('target_payment_arrival_date'):
        day = compute_initiation_day(call.state, body['target_payment_arrival_date'], method)
    if not day:
        return method, None
    return method, {
        'status': 'scheduled',
        'date': find_initiation_day(call.state, day),
        'vendor_account': account['id'],
    }


def check_schedulable(call, row, method):
    """Raise Ramp's errors for a bill whose payment cannot get a day by the API."""
    if method in CARD_METHODS or method not in TRANSIT_DAYS:
        raise make_field_error('payment_date', f'Not for {method}.')
    if row['_held']:
        raise refuse_body_value('payment_date', 'The bill is on hold')
    if method != 'CHECK' and next(call.state['vendor_accounts'].walk_rows(bucket=row['vendor']['id']), None) is None:
        raise refuse_body_value('payment_date', 'The vendor has no bank account')
