# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Receipts of card transactions and reimbursements as value objects. The rules are those of `reading`. Schema: Receipt."""

import dataclasses
import datetime

from .reading import PayloadReader


@dataclasses.dataclass(frozen=True)
class Receipt:
    """receipt_url: pre-signed, valid about an hour, a secret as long as it works."""

    id: str
    transaction_id: str | None
    reimbursement_id: str | None
    receipt_url: str = dataclasses.field(repr=False)
    created_at: datetime.datetime | None


def read_receipt(payload):
    """Receipt from an object of GET /receipts (dict). Raises PayloadError."""
    reader = PayloadReader(payload)
    return Receipt(
        id=reader.uuid('id', required=True),
        transaction_id=reader.uuid('transaction_id'),
        reimbursement_id=reader.uuid('reimbursement_id'),
        receipt_url=reader.text('receipt_url', required=True),
        created_at=reader.moment('created_at'),
    )
