# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""What the ledger notes of card statements and of their payments."""

import dataclasses

from ...models.ledger_notes import ABSENT, Absent, LedgerNote
from ..accounting.payment_notes import PostedNote


@dataclasses.dataclass(kw_only=True)
class StatementNote(LedgerNote):
    """The note of a statement.

    - cashbacks: Ramp ids of the cashbacks that are a part of its document
    - exchange: id of the entry (`account.move`) with the exchange difference, if there is one beside the document
    """

    cashbacks: list[str] | Absent = ABSENT
    exchange: int | Absent = ABSENT


@dataclasses.dataclass(kw_only=True)
class TransferPaymentNote(PostedNote):
    """The posted payment of a transfer; its line is that of the amount owed to Ramp.

    - amount: [minor units, currency code] that Ramp reported
    """

    amount: list | Absent = ABSENT


@dataclasses.dataclass(kw_only=True)
class TransferNote(LedgerNote):
    """The note of a transfer.

    - payment: the payment that was posted last
    """

    payment: TransferPaymentNote | Absent = ABSENT

    @classmethod
    def from_json(cls, value):
        """EXTENDS: read the note of the payment."""
        note = super().from_json(value)
        note.payment = note.payment and TransferPaymentNote.from_json(note.payment)
        return note
