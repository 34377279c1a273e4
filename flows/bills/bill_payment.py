# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import datetime

from odoo import api, models

from ...ramp_api import CARD_PAYMENT_METHODS, PayloadError, read_bill, scrub_bill
from ..accounting.booking import clean_text
from ..accounting.payment_notes import CardNote
from ..accounting.payments import Settlement
from .bill import owed

# Every payment method of the contract is decided here. A payment with any other method is put on hold.
BANK_METHODS = frozenset(
    {
        'ACH',
        'CHECK',
        'CRYPTO_WALLET_TRANSFER',
        'DOMESTIC_WIRE',
        'FED_NOW',
        'INTERNATIONAL',
        'LOCAL_BANK_TRANSFER',
        'RTP',
        'SWIFT',
    }
)
# Values of `status_summary` of an open bill whose payment is over and left an amount to pay. With any other value, the
# payment is still on its way, or it failed.
PARTLY_PAID = frozenset({'PAYMENT_COMPLETED', 'PAYMENT_DETAILS_MISSING', 'PAYMENT_NOT_INSTRUCTED', 'PAYMENT_READY'})
# Values of `status_summary` of a partly paid bill: another payment is on its way or still to be made.
UNDER_WAY = frozenset(
    {
        'AWAITING_RELEASE',
        'BLOCKED',
        'HELD_BY_PROVIDER',
        'ON_HOLD',
        'PAYMENT_PROCESSING',
        'PAYMENT_SCHEDULED',
        'PENDING_VENDOR_APPROVAL',
        'WAITING_FOR_TRANSACTION_MATCH',
        'WAITING_FOR_VENDOR',
    }
)
# State of the payment that Ramp is to make, by `status_summary` of an open bill. With any other value, it is not
# scheduled yet.
ANNOUNCED_STATES = {
    'AWAITING_RELEASE': 'scheduled',
    'PAYMENT_SCHEDULED': 'scheduled',
    'HELD_BY_PROVIDER': 'under_way',
    'PAYMENT_PROCESSING': 'under_way',
    'WAITING_FOR_TRANSACTION_MATCH': 'under_way',
    'BLOCKED': 'stopped',
    'ON_HOLD': 'stopped',
    'PAYMENT_ERROR': 'failed',
}


@dataclasses.dataclass(frozen=True)
class BillPaymentPlan:
    """How the payment of one bill is to be posted.

    - credits: [(the refund's payable lines, minor units, credit id)] of credits to be applied
    - withdrawn: [(the refund's payable lines, credit id)] of credits that now pay less of the bill, or nothing
    """

    settlement: Settlement
    credits: list
    withdrawn: list
    card: object  # `CardPlan` of ramp.card.bill, or None
    is_paid: bool
    undo_card: CardNote | None  # note of a settlement by card, if the bill is now paid another way


@dataclasses.dataclass(frozen=True)
class PaymentTold:
    """One payment of a bill, as Ramp reports it; see `Part`.

    - amount: what it pays of the bill, in minor units of the bill's currency
    - settled: Money that left the bank, if that is in another currency
    """

    key: str
    payment_id: str | None
    amount: int
    settled: object
    day: datetime.date
    friendly_id: str | None


class RampFlowBillPayment(models.AbstractModel):
    """Post the payments of bills: by bank, by card, by vendor credit or by hand. Each bill has one row.

    - Bank: a payment is reconciled with the bill. The bill is "In Payment" until the bank line is matched.
    - Card: the bill is settled against the card liability, exactly once with the card transaction.
    - Vendor credit: the refund is applied to the bill.

    The payment is confirmed under the bill's id (BILL_PAYMENT_SYNC) once the bill is fully paid. Ramp reports only one
    payment of a bill. The amount paid beyond it becomes a payment of its own.
    """

    _name = 'ramp.flow.bill_payment'
    _inherit = 'ramp.flow.payment'
    _description = 'Ramp Flow: payments of bills'

    _flow = 'bill_payment'
    _flow_sequence = 60
    _endpoint = '/bills'
    _sync_type = 'BILL_PAYMENT_SYNC'
    _parent_flow = 'bill'

    @api.model
    def _get_flow_label(self):
        return self.env._('Bill payments')

    @api.model
    def _get_ramp_page_path(self, record):
        return f'/bill-pay/bills/{record.ramp_id}'

    @api.model
    def _is_enabled_for(self, connection):
        return connection.pull_bills

    def _scrub_payload(self, payload):
        return scrub_bill(payload)

    def _read_payload(self, payload):
        return read_bill(payload)

    def _get_booking_facts(self, value):
        payment = value.payment
        return {
            'status': value.status,
            'amount': str(value.amount),
            'archived': bool(value.archived_at),
            'partly': value.status_summary in PARTLY_PAID
            or self._is_partial_payment_over(value)
            or value.status_summary == 'PAYMENT_ERROR'
            and 'failed',
            'enabled': value.enable_accounting_sync,
            'credits': sorted([credit.id, str(credit.amount)] for credit in value.applied_vendor_credits),
            'payment': payment
            and [
                payment.id,
                payment.payment_method,
                str(payment.amount),
                str(payment.payment_date),
                str(payment.effective_date),
                str(payment.details),
            ],
        }

    def _get_ledger_columns(self, connection, value):
        payment = value.payment
        return {
            'name': ' '.join(filter(None, (clean_text(value.vendor.name), clean_text(value.invoice_number))))
            or value.id,
            'date': self._get_payment_day(connection, value),
            'money': payment.amount if payment else value.amount,
            'parent_ramp_id': payment.id if payment else None,
            'ramp_entity_id': value.entity_id,
            'open_amount': self.env['ramp.flow.bill']._get_open_bill_amount(value, self._get_partly_paid_amount(value)),
        }

    @api.model
    def _get_bank_reference(self, value):
        """Return the Ramp id of a bill's payment and its bank reference, both from the detail of the bill."""
        payment = value.payment
        return (payment.id or value.id, payment.trace_id) if payment else (None, None)

    @api.model
    def _get_announced_payment(self, value):
        """Return the state and moment of Ramp's payment of a bill, as `account.move` shows them.

        :return: [state, moment as ISO text or None]; None if Ramp pays nothing of the bill
        """
        payment = value.payment
        if not payment or value.archived_at or payment.payment_method not in BANK_METHODS | CARD_PAYMENT_METHODS:
            return None
        moment = payment.payment_date
        return [
            'paid' if value.status == 'PAID' else ANNOUNCED_STATES.get(value.status_summary, 'planned'),
            moment and moment.isoformat(),
        ]

    def _is_partial_payment_over(self, value):
        """Return whether the payment that Ramp reports for an open bill is over and left an amount to pay.

        If a bill is ON_HOLD, its status says no more than that. A payment of less than the bill was then made before. A
        payment of the whole bill may only have been initiated (contract 2026-08-01 on `effective_date`). It is over
        when the bill is paid.
        """
        if not value.payment or not value.payment.effective_date:
            return False
        return (
            value.status_summary in PARTLY_PAID or value.status_summary == 'ON_HOLD' and self._is_less_than_owed(value)
        )

    @staticmethod
    def _is_less_than_owed(value):
        payment = value.payment
        return payment.amount.currency == value.amount.currency and (
            payment.amount.minor < owed(value.amount, value.applied_vendor_credits).minor
        )

    def _get_partly_paid_amount(self, value):
        """Return what is paid of an open bill according to Ramp, in minor units of the bill's currency."""
        payment = value.payment
        if not payment or not payment.effective_date or payment.amount.currency != value.amount.currency:
            return 0
        partly = (
            value.status_summary in PARTLY_PAID or value.status_summary in UNDER_WAY and self._is_less_than_owed(value)
        )
        return payment.amount.minor if partly else 0

    def _is_synced_in_ramp(self, payload):
        return payload.get('sync_status') == 'BILL_AND_PAYMENT_SYNCED'

    def _is_ready_in_ramp(self, payload):
        return payload.get('sync_status') == 'BILL_SYNCED' and payload.get('status') == 'PAID'

    def _is_outcome_accepted(self, value):
        return value.status == 'PAID'

    def _get_payment_day(self, connection, value):
        payment = value.payment
        return self._get_booking_day(
            connection, *((payment.effective_date, payment.payment_date) if payment else ()), value.paid_at
        )

    def _is_partly_paid(self, payload, value):
        payment = payload.get('payment') or {}
        details = payment.get('details') or {}
        return bool(
            value.status == 'PAID'
            or value.applied_vendor_credits
            or details.get('transaction_ids')
            or payment.get('effective_date')
            and value.status_summary in PARTLY_PAID
            or value.status_summary == 'ON_HOLD'
            and self._is_part_over_or_odd(payload)
        )

    def _is_part_over_or_odd(self, payload):
        try:
            return self._is_partial_payment_over(self._read_payload(payload))
        except PayloadError:
            # The payment gets a row, which reports what cannot be read.
            return True
