# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Coding: what a person picked for an object or one of its lines.

The rules are those of `reading`. Schema: ApiTransactionAccountingFieldSelection (2026-08-01).
"""

import dataclasses

from .reading import PayloadError, PayloadReader


@dataclasses.dataclass(frozen=True)
class Selection:
    """One coding: the option that was picked of one accounting field.

    type: str, upper case (GL_ACCOUNT, OTHER, ...); external_id: str | None, our own id of the option; external_code,
    name: str | None, of the option; id: str | None, Ramp's id of the option; category_external_id: str | None, our
    own id of the field that the option belongs to.
    """

    type: str
    external_id: str | None
    external_code: str | None
    name: str | None
    id: str | None
    category_external_id: str | None


def read_coding_selections(reader):
    """Read the selections (tuple of Selection) of an object or a line.

    :param reader: PayloadReader
    :raise PayloadError: if one does not say which field it belongs to
    """
    return tuple(
        _read_coding_selection(PayloadReader(value, path))
        for value, path in reader.read_items('accounting_field_selections')
    )


def _read_coding_selection(reader):
    category = reader.read_object('category_info')
    kind = reader.read_text('type') or category.read_text('type')
    if kind is None:
        raise PayloadError(
            reader.path_of_key('type'), 'the coding does not say which field it belongs to; code it again in Ramp'
        )
    return Selection(
        type=kind.upper(),  # examples of the specification have 'Subsidiary' for SUBSIDIARY
        external_id=reader.read_text('external_id'),
        external_code=reader.read_text('external_code'),
        name=reader.read_text('name'),
        id=reader.read_text('id'),
        category_external_id=category.read_text('external_id'),
    )


def read_line_selections(readers, whole):
    """Read the selections of each line: its own; those of the whole for a single line that has none.

    :param readers: list of PayloadReader, one for each line
    :param whole: tuple of Selection
    :return: list of tuples of Selection
    :raise PayloadError: as of `read_coding_selections`
    """
    coded = [read_coding_selections(reader) for reader in readers]
    return [whole] if len(coded) == 1 and not coded[0] else coded
