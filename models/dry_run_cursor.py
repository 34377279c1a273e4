# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The cursor of a dry run: nothing that is done with it remains."""

from collections import Counter

from odoo.sql_db import BaseCursor, Savepoint


class DryRunCursor(BaseCursor):
    """A cursor that never commits. It is on top of a real cursor, which is rolled back in the end.

    Flows commit in many places, and roll back to what they committed last. Here a commit only releases a savepoint, and
    a rollback goes back to that point. So the code of the flows is the one that posts, and no flow can forget the dry
    run. What core does after a commit (mail, notifications, calls of jobs) is never done.

    numbers: how many numbers of each standard sequence were given, by the name of the sequence in the database
    """

    def __init__(self, cursor):
        """Create a dry-run cursor.

        :param cursor: BaseCursor, becomes the dry run's own; `close` closes it, too
        """
        super().__init__()
        self._cursor = cursor
        self._savepoint = None
        self.numbers = Counter()

    def __getattr__(self, name):
        return getattr(self._cursor, name)

    def _begin(self):
        # Lazily, like a real transaction
        if self._savepoint is None:
            self._savepoint = Savepoint(self._cursor)

    def _end(self, rollback):
        savepoint, self._savepoint = self._savepoint, None
        if savepoint is not None:
            savepoint.close(rollback=rollback)

    def execute(self, query, params=None, log_exceptions=True):
        """EXTENDS: Execute a query."""
        self._begin()
        return self._cursor.execute(query, params, log_exceptions)

    def execute_values(self, *args, **kwargs):
        """EXTENDS: Execute a query with many rows of values."""
        self._begin()
        return self._cursor.execute_values(*args, **kwargs)

    def commit(self):
        """Keep what was done until the dry run ends."""
        self.flush()
        self._end(rollback=False)
        self.clear()
        for callbacks in (self.prerollback, self.postrollback, self.postcommit):
            callbacks.clear()

    def rollback(self):
        """Undo what was done since the last `commit`."""
        self.clear()
        self.postcommit.clear()
        self.prerollback.run()
        self._end(rollback=True)
        self.postrollback.run()

    def close(self):
        """Undo everything, and close the cursor."""
        try:
            self.clear()
            self.postcommit.clear()
            self._savepoint = None
            self._cursor.rollback()
        finally:
            self._cursor.close()

    def now(self):
        """Return the moment (UTC) at which the dry run began."""
        return self._cursor.now()

    def dictfetchone(self):
        """Return the next row of the result as a dict, or None."""
        return self._cursor.dictfetchone()

    def dictfetchmany(self, size):
        """Return the next rows of the result as dicts."""
        return self._cursor.dictfetchmany(size)

    def dictfetchall(self):
        """Return the rows of the result as dicts."""
        return self._cursor.dictfetchall()


def is_dry_run(env):
    """Return whether an environment belongs to a dry run. Nobody can claim that by a context.

    :param env: odoo.api.Environment
    """
    return isinstance(env.cr, DryRunCursor)
