# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""What `noted` of a ledger row says, typed: the keys that all flows share, and the base of what a flow adds.

The column keeps JSON, which SQL reads as well. Python reads it by `ramp.record._read_note` and stores it by
`_store_noted`. The note of a flow is a class in the room of that flow, or here if a model reads it.
"""

import dataclasses
import enum


class Absent(enum.Enum):
    """The value of a field whose key is not in the JSON. It is false.

    It is not None: that is the value of a field whose key is there, as null.
    """

    ABSENT = enum.auto()

    def __bool__(self):
        return False


ABSENT = Absent.ABSENT


@dataclasses.dataclass(kw_only=True)
class JsonNote:
    """A JSON object whose keys are the fields of a class.

    The JSON that a note was read from and the JSON that it writes are equal, as long as no field changes.

    - other_keys: the keys that the class has no field for. Another writer of the same row may need them.
    """

    other_keys: dict = dataclasses.field(default_factory=dict)

    @classmethod
    def _list_keys(cls):
        return [field.name for field in dataclasses.fields(cls) if field.name != 'other_keys']

    @classmethod
    def from_json(cls, value):
        """Return the note that a JSON object describes; a note without keys if there is no object.

        :param value: dict; or None or False, as Odoo reads an empty column
        """
        other_keys = dict(value or {})
        named = {key: other_keys.pop(key) for key in cls._list_keys() if key in other_keys}
        return cls(**named, other_keys=other_keys)

    def to_json(self):
        """Return the note as a JSON object: its fields, except those that are ABSENT, and the other keys."""
        named = {key: getattr(self, key) for key in self._list_keys()}
        return {**self.other_keys, **{key: _to_json(value) for key, value in named.items() if value is not ABSENT}}


def _to_json(value):
    if isinstance(value, JsonNote):
        return value.to_json()
    if isinstance(value, dict):
        return {key: _to_json(part) for key, part in value.items()}
    return value


@dataclasses.dataclass(kw_only=True)
class LedgerNote(JsonNote):
    """The note of a row, with the keys that the engine and the ledger write for every flow.

    - extras: the late details that the document shows, as of `_get_late_details`; texts of people leave it with the
      personal data
    - files: ids of the attachments, {'model,id' of the document: {checksum: attachment id}}. A file that was deleted
      from the document stays in it, so that it is not attached again.
    - is_linked: True if the document was in Odoo before, and stands for the object. The addon does not undo it.
    - accepted: kind of the finding (see `ramp.record.finding`) that a person accepted by Retry
    - vanished: moment when Ramp was found not to have the object any more, ISO 8601 in UTC
    """

    extras: dict | Absent = ABSENT
    files: dict[str, dict[str, int]] | Absent = ABSENT
    is_linked: bool | Absent = ABSENT
    accepted: str | Absent = ABSENT
    vanished: str | Absent = ABSENT


@dataclasses.dataclass(kw_only=True)
class OrderNote(LedgerNote):
    """The note of a purchase order: what Ramp says of it. It is here because the order's form reads it.

    - receipt_status, billing_status: as Ramp spells them; None if Ramp does not say
    """

    receipt_status: str | None | Absent = ABSENT
    billing_status: str | None | Absent = ABSENT
