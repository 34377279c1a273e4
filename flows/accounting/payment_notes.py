# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""What the ledger notes of the payments of a document: see `ramp.flow.payment`."""

import dataclasses

from ...models.ledger_notes import ABSENT, Absent, JsonNote, LedgerNote


@dataclasses.dataclass(kw_only=True)
class PostedNote(JsonNote):
    """A payment that was posted.

    - id: of the `account.payment`
    - line: id of the payable line (`account.move.line`) that pays the document
    """

    id: int | Absent = ABSENT
    line: int | Absent = ABSENT


@dataclasses.dataclass(kw_only=True)
class PartNote(PostedNote):
    """One posted payment of one document; see `Part`.

    - amount: the part of the document that it pays, in minor units of the document's currency
    """

    amount: int | Absent = ABSENT

    def note_transfer(self, line):
        """Note the line of an entry that moved the payment to another partner or account. It pays the document now."""
        self.line = line.id


@dataclasses.dataclass(kw_only=True)
class CardNote(JsonNote):
    """How a bill was settled by card.

    - id: of the entry (`account.move`) that settles the bill; False if there is none
    - expected: [minor units, currency code] of the charge, if the entry was posted without its card transaction
    - transfers: ids of entries (`account.move`) that moved the settlement to another partner or account
    """

    id: int | bool | Absent = ABSENT
    expected: list | Absent = ABSENT
    transfers: list[int] | Absent = ABSENT

    def note_transfer(self, line):
        """Note the line of an entry that moved the settlement to another partner or account."""
        self.transfers = [*(self.transfers or ()), line.move_id.id]


@dataclasses.dataclass(kw_only=True)
class PaymentNote(LedgerNote):
    """The note of a row of `ramp.flow.payment`: what was done to pay the document.

    - parts: {key of a `Part`: its note}
    - credits: of a bill, {Ramp id of a vendor credit: minor units of the bill's currency that it pays}
    - card: of a bill, how it was settled by card; None if it was not
    """

    parts: dict[str, PartNote] | Absent = ABSENT
    credits: dict[str, int] | Absent = ABSENT
    card: CardNote | None | Absent = ABSENT

    @classmethod
    def from_json(cls, value):
        """EXTENDS: read the notes of the parts and of the card."""
        note = super().from_json(value)
        note.parts = note.parts and {key: PartNote.from_json(part) for key, part in note.parts.items()}
        note.card = note.card and CardNote.from_json(note.card)
        return note
