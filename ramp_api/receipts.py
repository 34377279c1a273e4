# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Receipts of card transactions and reimbursements as value objects.

The rules are those of `reading`. Schema: Receipt (2026-08-01).
"""

import dataclasses
import datetime

from .reading import PayloadReader


@dataclasses.dataclass(frozen=True)
class Receipt:
    """A receipt, of either a transaction or a reimbursement.

    receipt_url: pre-signed, valid about an hour, a secret as long as it works; created_at: aware, in UTC.
    """

    id: str
    transaction_id: str | None
    reimbursement_id: str | None
    receipt_url: str = dataclasses.field(repr=False)
    created_at: datetime.datetime | None


def read_receipt(payload):
    """Read a receipt from an object of GET /receipts.

    :param payload: dict
    :return: Receipt
    :raise PayloadError: if it is malformed, or has no link
    """
    reader = PayloadReader(payload)
    return Receipt(
        id=reader.read_uuid('id', required=True),
        transaction_id=reader.read_uuid('transaction_id'),
        reimbursement_id=reader.read_uuid('reimbursement_id'),
        receipt_url=reader.read_text('receipt_url', required=True),
        created_at=reader.read_moment('created_at'),
    )
