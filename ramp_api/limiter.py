# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Ramp's rate limit: 200 requests per rolling 10 s per *source IP* (guide "Rate limiting", 2026-08-01).

The limit applies to the machine, not to the process. So Odoo's workers share one budget in a small locked file. Several
machines behind one NAT address share the limit without knowing it; 429 and `block_requests` handle that case.
"""

import contextlib
import hashlib
import json
import logging
import math
import os
import stat
import tempfile
import threading
import time

try:
    import fcntl
except ImportError:  # not on Windows: each process then counts by itself
    fcntl = None

_logger = logging.getLogger(__name__)

MAX_PENALTY = 60.0  # seconds

_local_states = {}  # key -> state of this process, where no file can be shared
_local_lock = threading.Lock()


class LimitReached(Exception):
    """No place is free in time. seconds: float, the wait that would be needed from now on."""

    def __init__(self, seconds):
        super().__init__(seconds)
        self.seconds = seconds


class SlidingWindow:
    """Let at most `limit` calls of `acquire_place` return in any `window` seconds.

    They are counted over all processes of this user and machine.
    """

    def __init__(
        self, host, *, limit=190, window=10.0, shared=True, directory=None, clock=time.monotonic, sleep=time.sleep
    ):
        """Create a window.

        :param host: str, the host that the budget is for
        :param limit: int, below Ramp's 200, because the network may bunch requests
        :param window: float, seconds
        :param shared: bool, False counts in this process only
        :param directory: str | None, folder of the file; None: the system's folder for temporary files
        :param clock: () -> float, seconds; must be comparable between processes of the machine
        :param sleep: (seconds) -> None
        :raise ValueError: on a limit below 1
        """
        if limit < 1:
            raise ValueError('limit must be at least 1')
        uid = os.getuid() if hasattr(os, 'getuid') else 'user'
        name = f'ramp_rate_{uid}_{hashlib.sha256(host.encode()).hexdigest()[:16]}.json'
        self.path = os.path.join(directory or tempfile.gettempdir(), name)
        self.limit = limit
        self.window = window
        self._shared = shared and fcntl is not None
        self._clock = clock
        self._sleep = sleep

    def acquire_place(self, longest=math.inf):
        """Take one place in the window, and sleep until there is one.

        :param longest: float, seconds
        :return: float, the seconds slept
        :raise LimitReached: if it would take longer; this does not sleep any further
        """
        slept = 0.0
        while True:
            with self._lock_shared_state() as state:
                now = self._clock()
                hits = state['hits'] = self._list_hits_in_window(state['hits'], now)
                blocked = self._read_block_end(state, now)
                if blocked > now:
                    wait = blocked - now
                elif len(hits) >= self.limit:
                    wait = hits[-self.limit] + self.window - now
                else:
                    hits.append(now)
                    return slept
            wait = max(wait, 0.001)  # never spin on a rounding error
            if slept + wait > longest:
                raise LimitReached(wait)
            self._sleep(wait)  # outside the lock, so that others can look
            slept += wait

    def block_requests(self, seconds):
        """Block all requests of this machine after a 429, for `seconds` (float, at most MAX_PENALTY)."""
        with self._lock_shared_state() as state:
            now = self._clock()
            until = now + min(max(float(seconds), 0.0), MAX_PENALTY)
            state['blocked_until'] = max(self._read_block_end(state, now), until)

    def _list_hits_in_window(self, hits, now):
        """Return the hits within the window.

        Future ones are from before a reboot, which restarts the monotonic clock.
        """
        return [hit for hit in hits if now - self.window < hit <= now]

    def _read_block_end(self, state, now):
        return state['blocked_until'] if state['blocked_until'] <= now + MAX_PENALTY else 0.0

    @contextlib.contextmanager
    def _lock_shared_state(self):
        """Lock and yield the state: {'hits': ascending moments, 'blocked_until': moment}. Changes are saved."""
        descriptor = self._open_state_file() if self._shared else None
        if descriptor is None:
            with _local_lock:
                yield _local_states.setdefault(self.path, {'hits': [], 'blocked_until': 0.0})
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            state = self._read_state_file(descriptor)
            yield state
            content = json.dumps(state).encode()
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, content, 0)
        finally:
            os.close(descriptor)  # and with it the lock

    def _open_state_file(self):
        """Return a descriptor of our own private file, or None if its place cannot be trusted or used."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(self.path, flags, 0o600)
        except OSError as error:
            return self._count_per_process(error)
        info = os.fstat(descriptor)
        if (
            stat.S_ISREG(info.st_mode)
            and info.st_uid == os.geteuid()
            and info.st_nlink == 1
            and not info.st_mode & 0o077
        ):
            return descriptor
        os.close(descriptor)
        return self._count_per_process('the file is not private to this user')

    def _count_per_process(self, reason):
        self._shared = False
        _logger.info("Ramp's rate limit is counted per process only: %s (%s)", reason, self.path)

    @staticmethod
    def _read_state_file(descriptor):
        try:
            state = json.loads(os.pread(descriptor, 1_000_000, 0))
            return {'hits': sorted(float(hit) for hit in state['hits']), 'blocked_until': float(state['blocked_until'])}
        except (ValueError, KeyError, TypeError):  # new, or cut off by a crash: start afresh
            return {'hits': [], 'blocked_until': 0.0}
