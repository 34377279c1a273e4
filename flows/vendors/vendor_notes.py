# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""What the ledger notes of vendors and of their contacts: see `ramp.vendor.changes`."""

import dataclasses

from ...models.ledger_notes import ABSENT, Absent, LedgerNote


@dataclasses.dataclass(kw_only=True)
class VendorNote(LedgerNote):
    """The note of a vendor.

    - written: {field of the partner: [Ramp's value, what Odoo stored]} of what was written last
    - is_active: whether the vendor was active in Ramp then
    """

    written: dict[str, list] | Absent = ABSENT
    is_active: bool | Absent = ABSENT

    @property
    def was_active(self):
        """Whether the vendor was active in Ramp before. One that is new here counts as active."""
        return self.is_active is ABSENT or self.is_active


@dataclasses.dataclass(kw_only=True)
class ContactNote(LedgerNote):
    """The note of a vendor's contact.

    - written: {field of the partner: [Ramp's value, what Odoo stored]} of what was written last
    - created: whether the flow created the contact, rather than found it
    - archived: True if the flow archived the contact, because Ramp does not have it any more
    """

    written: dict[str, list] | Absent = ABSENT
    created: bool | Absent = ABSENT
    archived: bool | Absent = ABSENT
