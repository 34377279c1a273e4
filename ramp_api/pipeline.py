# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The pipeline of every request to Ramp's API: limit, send, classify, perhaps repeat.

From the top down: `_request_with_token` handles the token, `_attempt_until_answered` the repeats, `_send_api_attempt`
one attempt, `_open_streamed_response` the connection.

Guides followed: "Authorization", "Rate limiting", "Error handling", "Debugging" (2026-08-01).
"""

import copy
import dataclasses
import email.utils
import json as jsonlib
import logging
import math
import random
import time
from functools import partial
from urllib.parse import urlsplit

import requests
from requests.auth import HTTPBasicAuth

from . import files
from .addresses import address_of_path, encode_query_params, normalise_base_url, path_of_address
from .auth import DEFAULT_SCOPES, TokenSource
from .errors import (
    DEAD_TOKEN_OR_MISSING,
    RampAuthError,
    RampConnectionError,
    RampError,
    RampFileError,
    RampIdempotencyReused,
    RampLinkExpired,
    RampNotFound,
    RampOutOfTime,
    RampProtocolError,
    RampRateLimited,
    RampReadOnlyError,
    RampScopeError,
    RampServerError,
    error_from_response,
)
from .limiter import LimitReached, SlidingWindow
from .transport import AnswerTime, TimedAdapter, describe_transport_failure, was_never_sent

_logger = logging.getLogger(__name__)

USER_AGENT = 'ramp-connector-odoo/19.0'
MAX_BODY = 50 * 1024 * 1024  # bytes
MAX_RETRY_AFTER = 60.0  # seconds
MAX_BACKOFF = 30.0  # seconds
ANSWER_SECONDS = 30.0  # for a whole answer, from the first attempt to connect to the last byte
LEAST_SECONDS = 10.0  # that an answer needs: with less time left in a run, no request is made

_READS = ('GET', 'HEAD')
KNOWN_PATH = '/business'  # answers every accepted token


@dataclasses.dataclass
class RequestCall:
    """One request as the caller sees it, over all its attempts.

    query: list of pairs (name, text); json: body of an API request; form: body of a request for a token; minting: bool,
    it is for a token.
    """

    method: str
    url: str
    repeatable: bool  # sending it twice has the effect of sending it once
    path: str = ''  # for logs and errors
    query: list | None = None
    json: object = None
    form: dict | None = None
    minting: bool = False
    foreign: bool = False  # not to the API, but to Ramp's file storage
    attempts: int = 0
    maybe_done: bool = False  # an attempt may have changed something at Ramp

    @property
    def error_facts(self):
        """Return what an error says of the request: dict of method and path."""
        return {'method': self.method, 'path': self.path}

    @property
    def is_write(self):
        """Return whether (bool) it may change something at Ramp."""
        return self.method not in _READS and not self.minting


class _BearerAuth(requests.auth.AuthBase):
    def __init__(self, token):
        self._token = token

    def __call__(self, request):
        request.headers['Authorization'] = f'Bearer {self._token.access_token}'
        return request


def _send_no_credentials(request):
    """Prevent requests from looking for credentials of its own (netrc, the session). Pass this as `auth`."""
    request.headers.pop('Authorization', None)
    return request


class RequestPipeline:
    """Send requests to Ramp. Use one pipeline per thread; token and rate limit are shared safely.

    A request is repeated only in these cases: it is a read; `idempotent` says that repeating does no harm (it has an
    idempotency key); Ramp refused it unread (429, 401); or it certainly was not sent.

    base_url: str, the address of the API, with its path; allow_http: bool; tokens: TokenSource; silence:
    RampConnectionError | None, the error of the last request to the API if it got no answer; answered: bool, whether
    any request was answered; clock_difference: float | None, seconds by which Ramp's clock is ahead of ours, by the
    last answer that says Ramp's time.
    """

    def __init__(
        self,
        base_url,
        client_id,
        client_secret,
        *,
        scopes=DEFAULT_SCOPES,
        session=None,
        limiter=None,
        token_store=None,
        sign_in=None,
        timeout=(10, 25),
        answer_seconds=ANSWER_SECONDS,
        max_attempts=5,
        deadline=math.inf,
        closed=None,
        sleep=time.sleep,
        rng=random.random,
        clock=time.time,
        monotonic=time.monotonic,
        user_agent=USER_AGENT,
        allow_http=False,
        read_only=False,
        kept_answers=None,
    ):
        """Create a pipeline.

        :param base_url: str, 'https://api.ramp.com' or with its path ('/developer/v1' is added if there is none)
        :param client_id: str, of the app in Ramp
        :param client_secret: str, of the app in Ramp
        :param scopes: iterable of str, to ask for with the token
        :param session: requests.Session, becomes the pipeline's own
        :param limiter: object with acquire_place(longest) and block_requests(seconds), both in seconds
        :param token_store: see MemoryTokenStore
        :param sign_in: keeper of a refresh token, see TokenSource
        :param timeout: (connect, read) in seconds; the second is the longest pause between two bytes
        :param answer_seconds: float, for a whole answer
        :param max_attempts: int, per request
        :param deadline: float, the time of `monotonic` at which every answer and pause must have ended; what would take
            longer is not begun and raises RampOutOfTime
        :param closed: str | None, why no request may be made now: every request then fails with these words, unsent
        :param sleep: (seconds) -> None, for tests; so are rng, clock and monotonic
        :param user_agent: str, the header's value
        :param allow_http: bool, also take http:// and hosts of the own network (simulator, custom environment)
        :param read_only: bool, refuse every request that may change something at Ramp, with RampReadOnlyError
        :param kept_answers: dict | None, to keep the answers to reads in, so that each is asked for once; several clients
            may share it
        :raise ValueError: if the address is not one of an API, or the credentials are missing
        """
        self.allow_http = allow_http
        self.base_url = normalise_base_url(base_url, allow_http=allow_http)
        self._session = session or requests.Session()
        self._session.headers['User-Agent'] = user_agent
        self._answer_seconds = answer_seconds
        self._answer_time = AnswerTime(timeout[1])
        for prefix in ('https://', 'http://'):
            self._session.mount(prefix, TimedAdapter(timeout, self._answer_time))
        self._limiter = limiter if limiter is not None else SlidingWindow(urlsplit(self.base_url).netloc, sleep=sleep)
        self._max_attempts = max_attempts
        self._deadline = deadline
        self._closed = closed
        self._read_only = read_only
        self._kept_answers = kept_answers
        self._monotonic = monotonic
        self.silence = None
        self.answered = False
        self.clock_difference = None
        self._sleep = sleep
        self._rng = rng
        self._clock = clock
        self.tokens = TokenSource(
            client_id,
            client_secret,
            scopes,
            self._post_token_form,
            realm=self.base_url,
            store=token_store,
            sign_in=sign_in,
            clock=clock,
        )

    def __repr__(self):
        return f'<{type(self).__name__} {self.base_url}>'

    def close_connections(self):
        """Close the connections to Ramp that are kept open between requests. A later request opens a new one.

        Otherwise they stay open until Python's garbage collector finds the client, as it is part of a cycle.
        """
        self._session.close()

    @property
    def granted_scopes(self):
        """Return frozenset of str: the scopes that Ramp granted, which may be fewer than asked for."""
        return self.tokens.granted_scopes

    def _request_with_token(self, method, path, *, url=None, params=None, json=None, idempotent=False):
        """Return decoded JSON of the answer to a request, None if it has no content.

        :param method: str, in capitals
        :param path: str such as '/transactions/<id>', or None with a `url` on our own host
        :param params: dict | None, the query
        :param json: the body
        :param idempotent: bool, repeating does no harm
        :raise RampError: one class per thing that a caller would do differently
        :raise RampReadOnlyError: a client that only reads was told to write
        """
        if self._read_only and method not in _READS:
            raise RampReadOnlyError(f'{method} {path}: this client only reads')
        if url is None:
            url = address_of_path(path, self.base_url)
        call = RequestCall(
            method,
            url,
            repeatable=idempotent or method in _READS,
            query=encode_query_params(params),
            json=json,
            path=path_of_address(url, self.base_url),
        )
        if self._kept_answers is None or method not in _READS:
            return self._ask_with_current_token(call, path)
        key = url, tuple(call.query or ())
        if key not in self._kept_answers:
            self._kept_answers[key] = self._ask_with_current_token(call, path)
        return copy.deepcopy(self._kept_answers[key])

    def _ask_with_current_token(self, call, path):
        token = self.tokens.ensure_current_token()
        try:
            return self._attempt_with_token(call, token)
        except RampAuthError as error:
            refusal = error
        except RampNotFound as error:
            # Ramp answers "not found", not "unauthorized", to a token that it no longer knows.
            if error.code != DEAD_TOKEN_OR_MISSING:
                raise
            if not self.tokens.is_token_suspect(token) and (path == KNOWN_PATH or self._is_token_known(token)):
                raise
            refusal = error
        missing = isinstance(refusal, RampNotFound)
        token = self.tokens.renew_rejected_token(token, suspected=missing)
        try:
            return self._attempt_with_token(call, token)
        except RampIdempotencyReused:
            # Ramp also consumes the key of a request that fails. If the first answer was a true 404, this one only
            # follows from it.
            if not missing or call.maybe_done:
                raise
        raise refusal

    def _is_token_known(self, token):
        """Return whether Ramp still accepts a token, by requesting an object that always exists.

        A young token is seldom dead, so it is not renewed on suspicion. But an object must not be taken for deleted
        because of a dead token.
        """
        probe = RequestCall('GET', self.base_url + KNOWN_PATH, repeatable=True, path=KNOWN_PATH)
        try:
            self._attempt_with_token(probe, token)
        except (RampAuthError, RampNotFound):
            return False
        except RampScopeError:
            return True
        return True

    def _attempt_with_token(self, call, token):
        return self._attempt_until_answered(partial(self._send_api_attempt, call, _BearerAuth(token)), call)

    def _post_token_form(self, path, form, basic):
        """Return decoded JSON of the answer to a form of the token endpoint. Raises RampError."""
        # Repeatable: minting one more token, or revoking one twice, does no harm.
        call = RequestCall('POST', self.base_url + path, repeatable=True, path=path, form=form, minting=True)
        auth = HTTPBasicAuth(*(part.encode() for part in basic))
        return self._attempt_until_answered(partial(self._send_api_attempt, call, auth), call)

    def _attempt_until_answered(self, send, call):
        """Return the result of `send()`. Repeat it as often as the rules of `call` and the time allow."""
        while True:
            call.attempts += 1
            self._wait_for_turn(call)
            try:
                result = send()
                if not call.foreign:
                    self.silence, self.answered = None, True
                return result
            except RampOutOfTime:
                raise
            except RampError as error:
                call.maybe_done |= error.maybe_done
                error.maybe_done = call.maybe_done
                if not call.foreign:
                    self.silence = error if isinstance(error, RampConnectionError) else None
                    self.answered |= self.silence is None
                delay = self._choose_delay_before_retry(error, call.attempts)
                if isinstance(error, RampRateLimited):
                    self._limiter.block_requests(delay)
                if call.attempts >= self._max_attempts or not _may_be_repeated(error, call):
                    raise
                if delay > self._seconds_left_to_begin():
                    # Without an answer, this error is the result. A request that was answered is made again in the next
                    # run.
                    if isinstance(error, RampConnectionError) or call.maybe_done:
                        raise
                    problem = RampOutOfTime(error.message, retry_after=delay, **call.error_facts)
                else:
                    problem = None
            if problem is not None:
                raise problem
            self._sleep(delay)

    def _wait_for_turn(self, call):
        """Wait for a place in the rate limit, and set the time of an attempt: at most what is left of the run.

        Raises RampOutOfTime when that is too little, RampConnectionError when nothing may be asked.
        """
        if self._closed and not call.foreign:
            raise RampConnectionError(self._closed, sent=False, **call.error_facts)
        wait = 0.0
        try:
            if not call.foreign:
                self._limiter.acquire_place(self._seconds_left_to_begin())
        except LimitReached as error:
            wait = error.seconds
        if wait or self._seconds_left_to_begin() < 0:
            raise RampOutOfTime(maybe_done=call.maybe_done, retry_after=wait, **call.error_facts)
        self._answer_time.begin_answer_time(min(self._answer_seconds, self._deadline - self._monotonic()))

    def _seconds_left_to_begin(self):
        """Return the seconds within which an answer must begin. Negative: it is too late for one."""
        return self._deadline - self._monotonic() - min(LEAST_SECONDS, self._answer_seconds / 2)

    def _choose_delay_before_retry(self, error, attempt):
        """Return seconds (float) to wait: what Ramp asks for, else longer with each attempt."""
        if error.retry_after is not None:
            return error.retry_after
        return self._rng() * min(MAX_BACKOFF, 2.0**attempt)  # full jitter, so that workers do not retry in step

    def _send_api_attempt(self, call, auth):
        """Make one attempt at an API request. Return decoded JSON or None. Raise the RampError for the answer."""
        with self._open_streamed_response(call, auth, {'Accept': 'application/json'}) as response:
            content = self._read_limited_body(response, call, MAX_BODY)
        server_time = _read_server_time(response)
        if server_time is not None:
            self.clock_difference = server_time - self._clock()
        facts = {**call.error_facts, 'trace_id': response.headers.get('x-trace-id')}
        decoded, garbled = None, False
        if content:
            try:
                decoded = jsonlib.loads(content.decode())
            except (ValueError, RecursionError):
                garbled = True
        status = response.status_code
        if not 200 <= status < 300:
            error = error_from_response(
                status,
                decoded,
                minting=call.minting,
                secrets=self.tokens.known_secrets,
                retry_after=self._read_retry_after(response),
                **facts,
            )
            error.maybe_done = call.is_write and isinstance(error, RampServerError)
            raise error
        if garbled or (not content and status != 204 and call.method == 'GET'):
            raise RampProtocolError(
                'the answer is cut off or not JSON', status=status, garbled=True, maybe_done=call.is_write, **facts
            )
        return decoded

    def _fetch_file_attempt(self, call, max_bytes):
        """Make one attempt at a file. Return a files.Download, or the address (str) of a redirect."""
        with self._open_streamed_response(call, _send_no_credentials, {'Accept-Encoding': 'identity'}) as response:
            status = response.status_code
            if status in (301, 302, 303, 307, 308):
                return requests.compat.urljoin(call.url, response.headers.get('Location') or '')
            if status in (403, 404, 410):
                raise RampLinkExpired(status=status, **call.error_facts)
            if status != 200:
                retry_after = self._read_retry_after(response)
                raise error_from_response(status, None, retry_after=retry_after, **call.error_facts)
            announced = response.headers.get('Content-Length', '')
            name = files.build_file_download(b'', response.headers, call.url).filename
            if announced.isdigit() and int(announced) > max_bytes:
                raise RampFileError(f'{name}: more than {max_bytes} bytes', **call.error_facts)
            content = self._read_limited_body(response, call, max_bytes, too_large=RampFileError, name=f'{name}: ')
        if announced.isdigit() and not response.headers.get('Content-Encoding') and int(announced) != len(content):
            raise RampConnectionError('the file arrived incomplete', **call.error_facts)
        if not content:
            raise RampFileError(f'{name}: it is empty', **call.error_facts)
        return files.build_file_download(content, response.headers, call.url)

    def _open_streamed_response(self, call, auth, headers):
        """Return the response to one attempt, headers only. Raises RampConnectionError."""
        started = time.monotonic()
        problem = None
        try:
            response = self._session.request(
                call.method,
                call.url,
                params=call.query,
                json=call.json,
                data=call.form,
                auth=auth,
                headers=headers,
                allow_redirects=False,
                stream=True,
            )
        except requests.RequestException as error:
            # Only its kind is kept. The exception itself has the address with its query and the request with its token.
            problem = RampConnectionError(
                describe_transport_failure(error),
                sent=not was_never_sent(error),
                maybe_done=call.is_write and not was_never_sent(error),
                **call.error_facts,
            )
        if problem is not None:
            _logger.debug('%s %s -> %s', call.method, call.path, problem.message)
            raise problem
        _logger.debug(
            '%s %s -> %s in %d ms, trace %s',
            call.method,
            call.path,
            response.status_code,
            (time.monotonic() - started) * 1000,
            response.headers.get('x-trace-id'),
        )
        return response

    def _read_limited_body(self, response, call, limit, too_large=RampProtocolError, name=''):
        """Return the content (bytes) of an answer. Raise `too_large` if it has more than `limit` bytes."""
        content, problem = bytearray(), None
        try:
            for chunk in response.iter_content(65536):
                content += chunk
                if len(content) > limit:
                    break
        except requests.RequestException as error:
            problem = RampConnectionError(
                describe_transport_failure(error), maybe_done=call.is_write, **call.error_facts
            )
        if problem is not None:
            raise problem
        if len(content) > limit:
            raise too_large(f'{name}more than {limit} bytes', maybe_done=call.is_write, **call.error_facts)
        return bytes(content)

    def _read_retry_after(self, response):
        """Read seconds to wait as asked for by Retry-After (a number or an HTTP date): float | None.

        At most MAX_RETRY_AFTER.
        """
        value = (response.headers.get('Retry-After') or '').strip()
        try:
            if value.replace('.', '', 1).isdigit():
                seconds = float(value)
            else:
                # By the sender's clock, which may differ from ours by minutes
                server_time = _read_server_time(response)
                now = self._clock() if server_time is None else server_time
                seconds = email.utils.parsedate_to_datetime(value).timestamp() - now
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def _read_server_time(response):
    """Return the sender's time of an answer, in seconds since 1970 (float), or None if its header is not readable."""
    try:
        return email.utils.parsedate_to_datetime(response.headers.get('Date')).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _may_be_repeated(error, call):
    """Return whether (bool) a request that failed may be sent again."""
    if isinstance(error, RampRateLimited):
        return True  # never processed
    if isinstance(error, RampConnectionError):
        return call.repeatable or not error.sent
    if isinstance(error, RampServerError):
        return call.repeatable
    return call.repeatable and getattr(error, 'garbled', False)
