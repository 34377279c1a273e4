# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""How a bill is paid, as value objects: what a bill says of its payment.

The rules are those of `reading`. Schema: Bill, `payment` and its `details` (2026-08-01).
"""

import dataclasses
import datetime

from .money import Money
from .reading import read_required_amount, read_uuid_list

# The money of these moves as card transactions, which are booked as such.
CARD_PAYMENT_METHODS = frozenset({'AUTOMATIC_CARD_PAYMENT', 'CARD', 'ONE_TIME_CARD', 'ONE_TIME_CARD_DELIVERY'})
PAYMENT_METHODS = CARD_PAYMENT_METHODS | {
    'ACH',
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
}
MANUAL_PAYMENT_METHODS = frozenset(
    {
        'CASH',
        'CHECK',
        'CROSS_BORDER_PAYMENT',
        'CRYPTO_WALLET_TRANSFER',
        'DIRECT_DEBIT',
        'DOMESTIC_WIRE_TRANSFER',
        'NON_RAMP_CREDIT_CARD',
        'OTHER',
        'PAID_IN_ERP',
    }
)
APPROVAL_STATUSES = frozenset({'APPROVED', 'INITIALIZED', 'PENDING', 'REJECTED', 'TERMINATED'})


@dataclasses.dataclass(frozen=True)
class CardPaymentDetails:
    """A payment by card.

    fund_id: str | None, uuid; transaction_ids: the card transactions that paid the bill; none while they are not
    known.
    """

    fund_id: str | None
    transaction_ids: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ManualPaymentDetails:
    """A payment outside of Ramp.

    manual_payment_method: one of MANUAL_PAYMENT_METHODS, None until the bill is marked as paid.
    """

    manual_payment_method: str | None


@dataclasses.dataclass(frozen=True)
class VendorPaymentDetails:
    """A payment that Ramp makes to the vendor.

    approval_status: one of APPROVAL_STATUSES, or None; source_bank_account_id, vendor_account_id: str | None, uuids
    of the accounts it leaves and reaches.
    """

    approval_status: str | None
    is_same_day: bool
    source_bank_account_id: str | None
    vendor_account_id: str | None


@dataclasses.dataclass(frozen=True)
class BillPayment:
    """The payment of a bill.

    amount: Money in the invoice's currency or in that of whoever pays; id and customer_friendly_payment_id: str |
    None, the same for all bills of a batch; payment_method: one of PAYMENT_METHODS, or None; payment_date,
    effective_date: aware, in UTC; details: as of the method, None if there are none; trace_descriptor, trace_id:
    detail only.
    """

    amount: Money
    id: str | None
    customer_friendly_payment_id: str | None
    payment_method: str | None
    payment_date: datetime.datetime | None
    effective_date: datetime.datetime | None
    details: CardPaymentDetails | ManualPaymentDetails | VendorPaymentDetails | None
    trace_descriptor: str | None
    trace_id: str | None


def read_bill_payment(bill):
    """Read the payment of a bill.

    :param bill: PayloadReader of the bill
    :return: BillPayment, None if Ramp tells of none
    :raise PayloadError: if it is malformed, has no amount, or is by a method that is not known
    """
    if bill.values.get('payment') is None:
        return None
    reader = bill.read_object('payment')
    trace = reader.read_object('trace_id')
    payment_method = reader.read_choice('payment_method', PAYMENT_METHODS)
    return BillPayment(
        amount=read_required_amount(reader, 'amount', None, 'the payment'),
        id=reader.read_text('id'),
        customer_friendly_payment_id=reader.read_text('customer_friendly_payment_id'),
        payment_method=payment_method,
        payment_date=reader.read_moment('payment_date'),
        effective_date=reader.read_moment('effective_date'),
        details=_read_payment_details(reader.read_object('details'), payment_method),
        trace_descriptor=trace.read_text('descriptor'),
        trace_id=trace.read_text('trace_id'),
    )


def _read_card_details(reader):
    fund_id = reader.read_uuid('fund_id') or reader.read_uuid('spend_limit_id')  # the latter is its former name
    return CardPaymentDetails(fund_id, read_uuid_list(reader, 'transaction_ids'))


def _read_manual_details(reader):
    return ManualPaymentDetails(reader.read_choice('manual_payment_method', MANUAL_PAYMENT_METHODS))


def _read_vendor_details(reader):
    return VendorPaymentDetails(
        approval_status=reader.read_choice('approval_status', APPROVAL_STATUSES),
        is_same_day=reader.read_flag('is_same_day'),
        source_bank_account_id=reader.read_uuid('source_bank_account_id'),
        vendor_account_id=reader.read_uuid('vendor_account_id'),
    )


_DETAILS_READERS = {
    'CardPaymentDetailsSchema': _read_card_details,
    'ManualPaymentDetailsSchema': _read_manual_details,
    'VendorPaymentDetailsSchema': _read_vendor_details,
}


def _read_payment_details(reader, payment_method):
    """Read the details, by `schema_type`, else by the payment method.

    There may be none, as in examples of the specification: then the result is None.
    """
    if not reader.values:
        return None
    told_by_method = None
    if payment_method in CARD_PAYMENT_METHODS:
        told_by_method = 'CardPaymentDetailsSchema'
    elif payment_method == 'PAID_MANUALLY':
        told_by_method = 'ManualPaymentDetailsSchema'
    elif payment_method:
        told_by_method = 'VendorPaymentDetailsSchema'
    schema = (
        reader.read_choice('schema_type', frozenset(_DETAILS_READERS), required=not told_by_method) or told_by_method
    )
    return _DETAILS_READERS[schema](reader)
