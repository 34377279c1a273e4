"""The data of the simulated Ramp: plain dicts in tables, behind one lock.

A row is the object as it is answered. Keys that start with an underscore are internal. Nested values are replaced and
never changed in place, so an answer cannot change while it is written.
"""

import bisect
import hashlib
import pickle
import random
import threading
import uuid
from datetime import datetime, timezone


def read_utc_now():
    return datetime.now(timezone.utc)


def format_iso_time(moment):
    """Return a timestamp of fixed width. Timestamps are compared as text."""
    return moment.astimezone(timezone.utc).strftime('%Y-%m-%dT%H:%M:%S+00:00')


def make_blank_row(unset, empty=()):
    """Return the empty fields of a new row: None for the names in `unset`, a list for those in `empty`."""
    return {**dict.fromkeys(unset), **{name: [] for name in empty}}


def select_wire_fields(row):
    return {key: value for key, value in row.items() if key[0] != '_'}


class Table:
    """Objects of one kind, in keyset order: an object that leaves a filtered set does not shift the others.

    :param orders: further orders, {name: sort key}
    :param index: a field with few values, e.g. a status; rows of one value are found without a walk over the table
    :param name: function that returns a row's name for `list_named_rows`, e.g. the client's own id; rows may share it
    """

    CONTENT = ('rows', '_number', '_lists', '_places', '_names', '_named')

    def __init__(self, key='id', orders=None, index=None, name=None):
        self.key = key
        self.index = index
        self.name = name
        self.orders = {'': lambda row: 0, **(orders or {})}
        self.rows = {}
        self._number = {}
        self._lists = {}
        self._places = {}
        self._names = {}
        self._named = {}
        # Called with (former row or None, row) after each change. Webhooks use it.
        self.watcher = None

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        return iter(self.rows.values())

    def __contains__(self, ident):
        return ident in self.rows

    def get_row(self, ident):
        return self.rows.get(ident)

    def find_first_row(self, **values):
        """Return the first row whose fields have these values, or None."""
        return next((row for row in self if all(row.get(k) == v for k, v in values.items())), None)

    def list_named_rows(self, name):
        """Return the rows with this name, oldest first."""
        return [self.rows[ident] for ident in self._named.get(name, ())]

    def add_row(self, row):
        ident = row[self.key]
        if ident in self.rows:
            raise ValueError(f'{ident} exists already')
        # Whether the row passed the contract check. The key is there from the start: adding it later would change the
        # dict's size
        # during another thread's loop.
        row['_valid'] = False
        self.rows[ident] = row
        self._number[ident] = len(self._number)
        self._insert_into_lists(ident)
        if self.watcher:
            self.watcher(None, row)
        return row

    def update_row(self, ident, **changes):
        row = self.rows[ident]
        old = dict(row) if self.watcher else None
        row.update(changes, _valid=False)
        self._remove_from_lists(ident)
        self._insert_into_lists(ident)
        if self.watcher:
            self.watcher(old, row)
        return row

    def remove_row(self, ident):
        """Remove a row without a trace, and return it."""
        self._remove_from_lists(ident)
        return self.rows.pop(ident)

    def walk_rows(self, order='', bucket=None, after=None, reverse=False):
        """Yield the rows of a bucket (None: all) in order, after the id `after`. That row may have left the bucket."""
        entries = self._lists.get((order, bucket), [])
        if after is None:
            position = len(entries) - 1 if reverse else 0
        else:
            place = self._build_sort_entry(order, after)
            position = bisect.bisect_left(entries, place) - 1 if reverse else bisect.bisect_right(entries, place)
        step = -1 if reverse else 1
        while 0 <= position < len(entries):
            yield self.rows[entries[position][2]]
            position += step

    def _build_sort_entry(self, order, ident):
        return self.orders[order](self.rows[ident]), self._number[ident], ident

    def _insert_into_lists(self, ident):
        buckets = [None] if self.index is None else [None, self.rows[ident].get(self.index)]
        places = self._places[ident] = [
            ((order, bucket), self._build_sort_entry(order, ident)) for order in self.orders for bucket in buckets
        ]
        for name, entry in places:
            bisect.insort(self._lists.setdefault(name, []), entry)
        if self.name:
            name = self._names[ident] = self.name(self.rows[ident])
            self._named.setdefault(name, []).append(ident)
            self._named[name].sort(key=self._number.get)

    def _remove_from_lists(self, ident):
        for name, entry in self._places.pop(ident):
            entries = self._lists[name]
            del entries[bisect.bisect_left(entries, entry)]
        if self.name:
            self._named[self._names.pop(ident)].remove(ident)


class State:
    """The data of one simulated business. The endpoint modules define `tables` (their TABLES)."""

    LEFT_OUT = {'lock', 'clock', 'tables'}

    def __init__(self, seed=1, clock=read_utc_now):
        self.lock = threading.RLock()
        self.clock = clock
        self.seed = seed
        self.tables = {}
        self.tokens = {}
        self.codes, self.refresh_tokens = {}, {}
        self.idempotency_keys = set()
        # All sync outcomes that Ramp accepted, in order. Tests use it to prove "exactly once".
        self.journal = []
        # The messages that a user would see as Export Errors, by object id.
        self.export_errors = {}
        self.problems = {}
        # The emails that Ramp would have sent: {"kind", "to", "time"}.
        self.mails = []
        self._random = random.Random(seed)

    def snapshot_data(self):
        """Return all data, for `restore_data` of this state or of another one with the same tables."""
        with self.lock:
            known = {name: value for name, value in vars(self).items() if name not in self.LEFT_OUT}
            tables = {
                name: {part: getattr(table, part) for part in Table.CONTENT} for name, table in self.tables.items()
            }
            return pickle.dumps((known, tables))

    def restore_data(self, memory):
        """Restore what `snapshot_data` returned. The lock, the clock, the tables and their watchers stay."""
        known, tables = pickle.loads(memory)
        with self.lock:
            for name in set(vars(self)) - set(known) - self.LEFT_OUT:
                delattr(self, name)
            vars(self).update(known)
            for name, content in tables.items():
                vars(self.tables[name]).update(content)

    def __getitem__(self, table):
        return self.tables[table]

    def read_time(self):
        return format_iso_time(self.clock())

    def make_new_id(self):
        with self.lock:
            return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def derive_stable_id(self, *names):
        """Return an id derived from the names alone, so the same account has the same id in every answer."""
        digest = hashlib.sha256(repr((self.seed, names)).encode()).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4))
