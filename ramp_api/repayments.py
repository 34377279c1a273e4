# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Repayments as value objects: what a person pays back of a card transaction.

The rules are those of `reading`. Schema: Repayment (2026-08-01).
"""

import dataclasses
import datetime

from .money import Money
from .reading import PayloadError, PayloadReader

REPAYMENT_STATUSES = frozenset(
    {'AWAITING_MANUAL_REPAYMENT', 'AWAITING_PAYMENT', 'NONE', 'REPAID', 'REPAYMENT_FAILED', 'REQUESTED_BY_REVIEWER'}
)


@dataclasses.dataclass(frozen=True)
class Repayment:
    """Cash a person pays back on a card transaction.

    status: one of REPAYMENT_STATUSES; amount: Money | None, never None if REPAID; repaid_at: aware, in UTC;
    original_transaction_id, user_id: Ramp declares them as any text.
    """

    id: str
    status: str
    amount: Money | None
    repaid_at: datetime.datetime | None
    funding_method: str | None
    original_transaction_id: str | None
    user_id: str | None
    entity_id: str | None


def read_repayment(payload):
    """Read a repayment from an object of GET /repayments.

    :param payload: dict
    :return: Repayment
    :raise PayloadError: if it is malformed, or repaid and without an amount
    """
    reader = PayloadReader(payload)
    ramp_id = reader.read_uuid('id', required=True)
    status = reader.read_choice('status', REPAYMENT_STATUSES, required=True)
    amount = reader.read_money('repayment_amount')
    if amount is None and status == 'REPAID':
        raise PayloadError('repayment_amount', 'Ramp sent no amount, yet it is repaid; there is nothing to book')
    return Repayment(
        id=ramp_id,
        status=status,
        amount=amount,
        repaid_at=reader.read_moment('repaid_at'),
        funding_method=reader.read_text('funding_method'),
        original_transaction_id=reader.read_text('original_transaction_id'),
        user_id=reader.read_text('user_id'),
        entity_id=reader.read_uuid('entity_id'),
    )
