# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""A time limit for a whole answer, whatever the server does.

`requests` alone limits only the pause between two bytes, so a server that sends one byte per second would be waited for
without end. Here the sockets of a session wait no longer than the rest of the answer's time. That covers status line,
headers and body, in any encoding, and needs no second thread.
"""

import http.client
import io
import math
import socket
import ssl
import time

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ReadTimeoutError
from urllib3.poolmanager import pool_classes_by_scheme

SHORTEST_WAIT = 0.001  # seconds; 0 would mean not to wait at all, and raise another error


class AnswerTime:
    """The time left for the current answer. One per session, because a session makes one request at a time.

    pause: float, seconds between two bytes; clock: () -> float, seconds.
    """

    def __init__(self, pause, clock=time.monotonic):
        self._pause = pause
        self._clock = clock
        self._ends = math.inf

    def begin_answer_time(self, seconds):
        """Allow `seconds` (float) for a whole answer, from now on."""
        self._ends = self._clock() + seconds

    def count_seconds_left(self, most):
        """Return seconds (float) that may be waited now, at most `most`. Raises TimeoutError when the time is over."""
        left = self._ends - self._clock()
        if left <= 0:
            raise TimeoutError('the answer took too long')
        return max(min(left, most), SHORTEST_WAIT)

    def limit_socket_wait(self, sock):
        """Let a socket wait for its next byte as long as it may. Raises TimeoutError when the time is over."""
        sock.settimeout(self.count_seconds_left(self._pause))


class _TimedReader(io.RawIOBase):
    """Read from a socket. Each wait is within the answer's time."""

    def __init__(self, sock, answer_time):
        self._sock = sock
        self._answer_time = answer_time
        self._raw = sock.makefile('rb', buffering=0)

    def readable(self):
        return True

    def readinto(self, buffer):
        self._answer_time.limit_socket_wait(self._sock)
        return self._raw.readinto(buffer)

    def close(self):
        if not self.closed:
            self._raw.close()
        return super().close()


class _TimedFile:
    """Replaces the socket where `http.client.HTTPResponse` calls `makefile`."""

    def __init__(self, sock, answer_time):
        self._sock = sock
        self._answer_time = answer_time

    def makefile(self, *_mode):
        return io.BufferedReader(_TimedReader(self._sock, self._answer_time))


def _build_timed_pool_class(pool, answer_time):
    """Return a class of connection pools whose connections keep to `answer_time`."""

    class Response(http.client.HTTPResponse):
        def __init__(self, sock, *args, **kwargs):
            super().__init__(_TimedFile(sock, answer_time), *args, **kwargs)

    class Connection(pool.ConnectionCls):
        response_class = Response

        def _new_conn(self):
            # All addresses of the name share the time to connect. urllib3 would give it to each of them.
            name, most = self._dns_host, self.timeout
            addresses = _resolve_host_addresses(name, self.port)
            try:
                for number, address in enumerate(addresses):
                    self._dns_host = address
                    if isinstance(most, (int, float)):
                        self.timeout = answer_time.count_seconds_left(most) / (len(addresses) - number)
                    try:
                        return super()._new_conn()
                    except (ConnectTimeoutError, NewConnectionError):
                        if number == len(addresses) - 1:
                            raise
            finally:
                self._dns_host, self.timeout = name, most
            return None

        def send(self, data):
            if self.sock is not None:
                answer_time.limit_socket_wait(self.sock)
            return super().send(data)

    return type(pool.__name__, (pool,), {'ConnectionCls': Connection})


def _resolve_host_addresses(name, port):
    """Return the addresses of a host.

    If there are none, return its name; connecting then fails with urllib3's error.
    """
    try:
        found = socket.getaddrinfo(name.strip('[]'), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return [name]
    return list(dict.fromkeys(address[0] for *_rest, address in found)) or [name]


class TimedAdapter(HTTPAdapter):
    """An adapter with its own timeouts, so no call can forget them, and wrappers of Session.send see none to compare.

    timeout: (connect, read) in seconds; an answer has no end until `answer_time.begin_answer_time`.
    """

    def __init__(self, timeout, answer_time):
        self._timeout = timeout
        self._pools = {
            'http': _build_timed_pool_class(HTTPConnectionPool, answer_time),
            'https': _build_timed_pool_class(HTTPSConnectionPool, answer_time),
        }
        super().__init__(max_retries=0)

    def send(self, request, stream=False, timeout=None, **kwargs):  # pylint: disable=arguments-differ
        return super().send(request, stream=stream, timeout=timeout or self._timeout, **kwargs)

    def init_poolmanager(self, *args, **kwargs):
        result = super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools
        return result

    def proxy_manager_for(self, *args, **kwargs):
        manager = super().proxy_manager_for(*args, **kwargs)
        if manager.pool_classes_by_scheme is pool_classes_by_scheme:  # a SOCKS proxy has connections of its own
            manager.pool_classes_by_scheme = self._pools
        return manager


def was_never_sent(error):
    """Return whether a request certainly did not leave: bool.

    It was refused, its name not resolved, no connection made in time, or the certificate is wrong.

    :param error: requests.RequestException
    """
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = error.args[0] if isinstance(error, requests.ConnectionError) and error.args else None
    reason = getattr(cause, 'reason', cause)
    if isinstance(reason, (NewConnectionError, ConnectTimeoutError)):
        return True
    return isinstance(next(iter(getattr(reason, 'args', ())), None), ssl.SSLCertVerificationError)


def describe_transport_failure(error):
    """Return what happened on the wire: str, for the message of a RampConnectionError.

    :param error: requests.RequestException
    """
    if isinstance(error, requests.Timeout) or isinstance(next(iter(error.args), None), ReadTimeoutError):
        return 'no connection in time' if was_never_sent(error) else 'no answer in time'
    if isinstance(error, requests.exceptions.SSLError):
        return 'the secure connection could not be made (certificate or TLS)'
    return 'the server could not be reached' if was_never_sent(error) else 'the connection was lost'
