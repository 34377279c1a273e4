"""The state of a bill: the fields that depend on payments, credits, approval and archiving."""

from ... import money

CARD_METHODS = ('AUTOMATIC_CARD_PAYMENT', 'CARD', 'ONE_TIME_CARD', 'ONE_TIME_CARD_DELIVERY')
METHODS = (
    'ACH',
    *CARD_METHODS,
    'CHECK',
    'CRYPTO_WALLET_TRANSFER',
    'DOMESTIC_WIRE',
    'FED_NOW',
    'INTERNATIONAL',
    'LOCAL_BANK_TRANSFER',
    'PAID_MANUALLY',
    'RTP',
    'SWIFT',
    'UNSPECIFIED',
    'VENDOR_CREDIT',
)
# A payment that nobody has instructed yet: only its method and amount are known.
NOT_INSTRUCTED = {
    'id': None,
    'friendly': None,
    'scheduled': None,
    'effective': None,
    'told': None,
    'manual_method': None,
    'fund_id': None,
    'same_day': False,
    'source': None,
    'account': None,
}


def compute_open_minor(row):
    """Return the minor units left to pay, after credits and completed payments."""
    paid = sum(item['amount_minor'] for item in row['_payments'] if item['state'] == 'completed')
    return row['_money']['amount_minor'] - _sum_credited_minor(row) - paid


def refresh_bill_standing(store, ident):
    """Recompute the state fields of a bill. Call it after a credit was applied."""
    row = store['bills'].rows[ident]
    return store['bills'].update_row(ident, **compute_bill_standing(row))


def _sum_credited_minor(row):
    return sum(item['amount']['amount'] for item in row['applied_vendor_credits'])


def find_shown_payment(row):
    """Return the payment that Ramp reports: the first that did not fail, else the last that failed, or None."""
    good = [item for item in row['_payments'] if item['state'] not in ('failed', 'cancelled')]
    bad = [item for item in row['_payments'] if item['state'] == 'failed']
    return good[0] if good else bad[-1] if bad else None


def compute_bill_standing(row):
    """Return the fields of the answer that depend on payments, credits, approval and archiving."""
    completed = [item for item in row['_payments'] if item['state'] == 'completed']
    covered = _sum_credited_minor(row) + sum(item['amount_minor'] for item in completed)
    paid = bool(completed or row['applied_vendor_credits']) and covered >= row['_money']['amount_minor']
    moments = [item['completed'] for item in completed]
    return {
        'status': 'PAID' if paid else 'OPEN',
        'paid_at': (row['paid_at'] or max(moments, default=row['created_at'])) if paid else None,
        'payment': _render_shown_payment(row),
        'status_summary': row['_summary'] or _choose_status_summary(row, paid),
    }


def _choose_status_summary(row, paid):
    states = [item['state'] for item in row['_payments']]
    if row['archived_at']:
        return 'ARCHIVED'
    if row['approval_status'] in ('REJECTED', 'TERMINATED'):
        return 'APPROVAL_REJECTED'
    if row['approval_status'] != 'APPROVED':
        return 'APPROVAL_PENDING'
    if paid:
        return 'PAYMENT_COMPLETED'
    if row['_held']:
        return 'ON_HOLD'
    for state, summary in (('processing', 'PAYMENT_PROCESSING'), ('scheduled', 'PAYMENT_SCHEDULED')):
        if state in states:
            return summary
    if states[-1:] == ['failed']:
        return 'PAYMENT_ERROR'
    if row['_method'] == 'UNSPECIFIED':
        return 'PAYMENT_DETAILS_MISSING'
    return 'WAITING_FOR_TRANSACTION_MATCH' if row['_method'] in CARD_METHODS else 'PAYMENT_READY'


def _render_shown_payment(row):
    item, currency = find_shown_payment(row), row['_money']['currency']
    if item is None:
        left = compute_open_minor(row)
        if row['_method'] in ('UNSPECIFIED', 'VENDOR_CREDIT') or left <= 0:
            return None
        item = {**NOT_INSTRUCTED, 'amount_minor': left, 'method': row['_method'], 'transaction_ids': []}
    method = item['method']
    return {
        'id': item['id'],
        'amount': item['told'] or money.build_currency_amount(item['amount_minor'], currency),
        'customer_friendly_payment_id': item['friendly'],
        'details': _build_payment_details(item),
        'effective_date': None if method in CARD_METHODS else item['effective'],
        'payment_date': item['scheduled'],
        'payment_method': method,
        'trace_id': None,  # only in the detail
    }


def _build_payment_details(item):
    if item['method'] in CARD_METHODS:
        details = {'schema_type': 'CardPaymentDetailsSchema', 'transaction_ids': item['transaction_ids']}
        if item['fund_id']:
            details.update(fund_id=item['fund_id'], spend_limit_id=item['fund_id'])
        return details
    if item['method'] == 'PAID_MANUALLY':
        return {'schema_type': 'ManualPaymentDetailsSchema', 'manual_payment_method': item['manual_method']}
    return {
        'schema_type': 'VendorPaymentDetailsSchema',
        'approval_status': None,
        'is_same_day': item['same_day'],
        'source_bank_account_id': item['source'],
        'vendor_account_id': item['account'],
    }
