"""A field of coding of which a connection has one at the most, such as the one for tax codes: how the API treats it."""

import dataclasses
from collections.abc import Callable

from . import coding, uploads
from .errors import RampError, make_missing_error


@dataclasses.dataclass(frozen=True)
class SingleField:
    """:param kind: what the endpoints take and where the rows are
    :param name: in words, as in "There is no active tax code field"
    :param add: function of `coding` that adds the field
    """

    kind: uploads.Kind
    name: str
    add: Callable

    def find_active(self, state, connection):
        """Return the active field in a connection's books, or None."""
        mine = coding.in_books_of(connection)
        return next((row for row in state[self.kind.table] if row['_active'] and mine(row)), None)

    def require_active(self, call):
        """Raise Ramp's 400 if options are uploaded without the field."""
        if not self.find_active(call.state, uploads.find_writable_connection(call)):
            raise RampError(400, 'DEVELOPER_7001', f'There is no active {self.name}')

    def answer_get(self, call):
        return self._render(call, self._get_active(call, uploads.find_named_connection(call)))

    def answer_post(self, call):
        values = uploads.read_checked_fields(call, self.kind.needs, self.kind.may)
        owner = uploads.find_writable_connection(call)
        if self.find_active(call.state, owner):
            raise RampError(400, 'DEVELOPER_7001', f'There is an active {self.name} already')
        row = self.add(call.state, values['name'], values.get('display_name'), connection=owner['id'])
        return self._render(call, row), 201

    def answer_patch(self, call):
        values = uploads.read_checked_fields(call, (), self.kind.changes)
        owner = uploads.find_writable_connection(call)
        row = self._get_active(call, owner)
        return self._render(call, uploads.write_coding_fields(call, self.kind, row, values, owner))

    def answer_delete(self, call):
        """Delete the field softly. Its options stay, and a later field has them again."""
        row = self._get_active(call, uploads.find_deletable_connection(call))
        uploads.touch_coding_row(call, self.kind, row, _active=False)
        return None, 204

    def _get_active(self, call, connection):
        row = self.find_active(call.state, connection)
        if row is None:
            raise make_missing_error(self.name.capitalize())
        return row

    @staticmethod
    def _render(call, row):
        return coding.make_coding_renderer(call.state)(row)
