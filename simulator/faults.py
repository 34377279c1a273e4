"""Faults of networks, proxies and busy servers, scripted or at random."""

import copy
import fnmatch
import random
import threading
from dataclasses import asdict, dataclass, field

# When each kind strikes: before the work, on the rows of a list, after the work, on a file, or on an event.
FAULTS_BEFORE_WORK = ('rate_limit', 'server_error', 'drop_before', 'timeout_before', 'hang', 'html_error', 'dead_token')
FAULTS_OF_ROWS = ('duplicate_page', 'reorder_page', 'malformed_object', 'stale_page')
FAULTS_AFTER_WORK = ('error_after', 'drop_after', 'truncate', 'timeout_after', 'trickle_headers', 'trickle_body')
FAULTS_OF_FILES = ('expired_file',)
# Events of webhooks. The fault's path is compared with the event type.
FAULTS_OF_EVENTS = ('lose_event', 'duplicate_event', 'reorder_event')
KINDS = FAULTS_BEFORE_WORK + FAULTS_OF_ROWS + FAULTS_AFTER_WORK + FAULTS_OF_FILES + FAULTS_OF_EVENTS


@dataclass
class Fault:
    """A fault. `path` is a glob for the path below /developer/v1 (or /files/...), e.g. "/transactions*"."""

    kind: str
    path: str = '*'
    method: str = None
    probability: float = 1.0
    count: int = None  # how often it may strike; None: without limit
    skip: int = 0  # number of matching requests that pass first
    status: int = 500  # for server_error and error_after
    retry_after: int = None  # for rate_limit: seconds in Retry-After; None: no such header
    seconds: float = 30.0  # timeout_*: seconds until the connection is closed; hang: never answered, nor closed
    pace: float = 1.0  # for trickle_*: seconds between two bytes
    how: str = None  # for malformed_object: missing_id, amount_as_text or null_lines; None: at random
    struck: int = field(default=0, compare=False)

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f'Unknown fault {self.kind}; there are {", ".join(KINDS)}')


class Faults:
    """The active faults, in the order they were added. At most one strikes per stage of a request."""

    def __init__(self, seed=1):
        self._random = random.Random(f'faults {seed}')
        self._lock = threading.Lock()
        self._waiting = []
        self._last_pages = {}
        # (kind, method, path) of every fault that struck. Tests use it to check that a fault really happened.
        self.struck = []

    def add_fault(self, kind, path='*', **options):
        fault = Fault(kind, path, **options)
        self._waiting.append(fault)
        return fault

    def clear_faults(self):
        self._waiting.clear()

    def list_waiting_faults(self):
        return [asdict(fault) for fault in self._waiting]

    def take_fault(self, stage, method, path):
        """Return the fault that strikes now, or None. This counts as a strike."""
        with self._lock:
            return self._take_locked_fault(stage, method, path)

    def _take_locked_fault(self, stage, method, path):
        for fault in self._waiting:
            if fault.kind not in stage or fault.method not in (None, method):
                continue
            if fault.count is not None and fault.struck >= fault.count or not fnmatch.fnmatchcase(path, fault.path):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if self._random.random() >= fault.probability:
                continue
            fault.struck += 1
            self.struck.append((fault.kind, method, path))
            return fault
        return None

    # -- rows of a list

    def change_list_page(self, path, has_start, body):
        """Return (body, fault): a changed copy and the fault that changed it, or the same body and None.

        A fault that would not show on this page stays active for a later one.
        """
        rows = body.get('data') if isinstance(body, dict) else None
        if not isinstance(rows, list) or not rows:
            return body, None
        with self._lock:
            former = self._last_pages.get(path) if has_start else None
            self._last_pages[path] = rows
            stage = {'malformed_object', 'stale_page'}
            if former:
                stage.add('duplicate_page')
            if len(rows) > 1:
                stage.add('reorder_page')
            fault = self._take_locked_fault(stage, 'GET', path)
            if fault is None:
                return body, None
            if fault.kind == 'duplicate_page':
                rows = former + rows
            elif fault.kind == 'reorder_page':
                shuffled = self._random.sample(rows, len(rows))
                rows = shuffled if shuffled != rows else rows[::-1]
            elif fault.kind == 'stale_page':  # the answer of a replica that lacks the newest object
                newest = max(rows, key=lambda row: str(row.get('created_at') or ''))
                rows = [row for row in rows if row is not newest]
            else:
                place = self._random.randrange(len(rows))
                rows = rows[:place] + [self._break_row(rows[place], fault.how)] + rows[place + 1 :]
            return {**body, 'data': rows}, fault

    def _break_row(self, row, how):
        row = copy.deepcopy(row)
        how = how or self._random.choice(('missing_id', 'amount_as_text', 'null_lines'))
        if how == 'missing_id':
            row.pop('id', None)
        elif how == 'amount_as_text':
            row['amount'] = 'not a number'
        else:
            row['line_items'] = None
        return row
