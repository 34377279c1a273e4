# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The way to Ramp's API: one pipeline for every request (limit, send, classify, perhaps repeat), and nothing
else.

Guides followed: "Authorization", "Pagination", "Rate limiting", "Error handling", "Debugging".
"""

import dataclasses
import datetime
import email.utils
import json as jsonlib
import logging
import math
import random
import ssl
import time
from functools import partial
from urllib.parse import urlsplit

import requests
from requests.auth import HTTPBasicAuth
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ReadTimeoutError

from . import files
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
    RampScopeError,
    RampServerError,
    error_from_response,
)
from .limiter import LimitReached, SlidingWindow
from .transport import AnswerTime, TimedAdapter

_logger = logging.getLogger(__name__)

USER_AGENT = 'ramp-connector-odoo/19.0'
MAX_BODY = 50 * 1024 * 1024  # bytes
MAX_RETRY_AFTER = 60.0  # seconds
MAX_BACKOFF = 30.0  # seconds
MAX_FILE_HOPS = 3
ANSWER_SECONDS = 30.0  # for all of an answer, from the first try to connect to the last byte
LEAST_SECONDS = 10.0  # that an answer has: with less left of a run, nothing is asked any more

_READS = ('GET', 'HEAD')
KNOWN_PATH = '/business'  # answers every token that is accepted
_DEFAULT_PORTS = {'https': 443, 'http': 80}


@dataclasses.dataclass(frozen=True)
class Page:
    """rows: list, as Ramp sent them (a row may be of any type); next_url: str | None, where the next page
    is."""

    rows: list
    next_url: str | None


@dataclasses.dataclass
class _Call:
    """One request as the caller sees it, over all its attempts."""

    method: str
    url: str
    repeatable: bool  # sending it twice has the effect of sending it once
    path: str = ''  # for logs and errors
    query: list | None = None
    json: object = None
    form: dict | None = None
    minting: bool = False
    foreign: bool = False  # not to the API: to where Ramp keeps its files
    attempts: int = 0
    maybe_done: bool = False  # an attempt may have changed something at Ramp

    @property
    def facts(self):
        return {'method': self.method, 'path': self.path}

    @property
    def writes(self):
        return self.method not in _READS and not self.minting


class _Bearer(requests.auth.AuthBase):
    def __init__(self, token):
        self._token = token

    def __call__(self, request):
        request.headers['Authorization'] = f'Bearer {self._token.access_token}'
        return request


def _anonymous(request):
    # Passed as `auth`: keeps requests from looking for credentials of its own (netrc, the session).
    request.headers.pop('Authorization', None)
    return request


class RampClient:
    """A connection to one Ramp account. One client per thread; token and rate limit are shared safely.

    base_url: 'https://api.ramp.com' or with its path ('/developer/v1' is added if there is none); scopes:
    iterable of str; session: requests.Session, becomes the client's own; limiter: object with acquire(longest) and
    penalize(seconds); token_store: see MemoryTokenStore; timeout: (connect, read) seconds, of which the second is
    for the pause between two bytes; answer_seconds: float, for all of one answer; max_attempts: int, per request;
    deadline: float, the moment of `monotonic` beyond which no answer and no pause lasts: what would is not begun and
    raises RampOutOfTime; closed: str | None, why nothing may be asked now: every request then fails with these
    words, unsent; sleep, rng, clock, monotonic: for tests; allow_http: bool, also take http:// and hosts of the own
    network (simulator, custom).

    silence: RampConnectionError | None, what the last request to the API ended with, if nobody answered it; answered:
    bool, whether any request was answered.

    get, post, patch, put and delete return decoded JSON, or None when the answer has no content, and raise
    RampError.
    A request is repeated only if it is a read, if `idempotent` says that repeating does no harm (it carries
    an idempotency key), if Ramp refused it unread (429, 401), or if it certainly was not sent.
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
    ):
        self.allow_http = allow_http
        self.base_url = self._normalise(base_url)
        self._origin = _origin(self.base_url)
        self._session = session or requests.Session()
        self._session.headers['User-Agent'] = user_agent
        self._answer_seconds = answer_seconds
        self._answer_time = AnswerTime(timeout[1])
        for prefix in ('https://', 'http://'):
            self._session.mount(prefix, TimedAdapter(timeout, self._answer_time))
        self._limiter = (
            limiter if limiter is not None else SlidingWindow(urlsplit(self.base_url).netloc, sleep=sleep)
        )
        self._max_attempts = max_attempts
        self._deadline = deadline
        self._closed = closed
        self._monotonic = monotonic
        self.silence = None
        self.answered = False
        self._sleep = sleep
        self._rng = rng
        self._clock = clock
        self.tokens = TokenSource(
            client_id,
            client_secret,
            scopes,
            self._post_form,
            realm=self.base_url,
            store=token_store,
            clock=clock,
        )

    def __repr__(self):
        return f"<{type(self).__name__} {self.base_url}>"

    @property
    def scopes(self):
        """frozenset[str]: the scopes Ramp granted, which may be fewer than asked for."""
        return self.tokens.scopes

    def get(self, path, params=None):
        """path: str such as '/transactions/<id>'; params: dict; None leaves out, bool, date, datetime and
        lists work."""
        return self._request('GET', path, params=params)

    def post(self, path, json=None, *, idempotent=False):
        return self._request('POST', path, json=json, idempotent=idempotent)

    def patch(self, path, json=None, *, idempotent=False):
        return self._request('PATCH', path, json=json, idempotent=idempotent)

    def put(self, path, json=None, *, idempotent=False):
        return self._request('PUT', path, json=json, idempotent=idempotent)

    def delete(self, path, json=None, *, idempotent=False):
        return self._request('DELETE', path, json=json, idempotent=idempotent)

    def pages(self, path, params=None, start_url=None):
        """Yield Page after Page of a list, following `page.next`.

        params: dict; `page_size` 2..100, 100 unless given. start_url: a Page.next_url kept from earlier,
        replaces params.
        Raises RampProtocolError on a list of the wrong shape, on a next page elsewhere than at Ramp, and on a
        circle.
        """
        params = {'page_size': 100, **(params or {})}
        size = params['page_size']
        if not isinstance(size, int) or not 2 <= size <= 100:
            raise ValueError("page_size must be a whole number from 2 to 100")
        url, seen = start_url, set()
        while True:
            if url is None:
                answer = self._request('GET', path, params=params)
            else:
                seen.add(url)
                answer = self._request('GET', None, url=self._own_url(url, path))
            page = self._page(answer, path)
            if page.next_url in seen:
                raise RampProtocolError("the list of pages goes in a circle", method='GET', path=path)
            if page.next_url is not None:
                self._own_url(page.next_url, path)  # before anybody stores it
            yield page
            if page.next_url is None:
                return
            url = page.next_url

    def objects(self, path, params=None):
        """Yield the objects of all pages of a list, each once: pages may overlap, and one may come twice.

        What has no `id` is yielded as often as it comes. params and errors: as of `pages`.
        """
        seen = set()
        for page in self.pages(path, params):
            for row in page.rows:
                identity = row.get('id') if isinstance(row, dict) else None
                if isinstance(identity, str):
                    if identity in seen:
                        continue
                    seen.add(identity)
                yield row

    def download(self, url, max_bytes, allowed_types=None, max_pixels=math.inf):
        """Download (content: bytes, mimetype: str, filename: str) of a pre-signed link, without our
        credentials.

        max_bytes: int; allowed_types: iterable of mimetypes, judged by the content rather than by what the
        server says; max_pixels: int, of a picture, as its header says: a few bytes can be decoded to gigabytes.
        Raises RampLinkExpired (get a new link from the receipt), RampFileError (too large, empty, type not
        allowed; it names the file), RampProtocolError (a place that must not be asked, a redirect to another host),
        RampConnectionError, RampServerError.
        """
        for _hop in range(MAX_FILE_HOPS):
            files.check_url(url, allow_http=self.allow_http)
            call = _Call('GET', url, repeatable=True, path=f"file at {urlsplit(url).hostname}", foreign=True)
            answer = self._attempts(partial(self._fetch, call, max_bytes), call)
            if isinstance(answer, files.Download):
                if allowed_types is not None and answer.mimetype not in set(allowed_types):
                    raise RampFileError(
                        f"{answer.filename}: files of type {answer.mimetype} are not allowed", **call.facts)
                width, height = files.picture_size(answer)
                if width * height > max_pixels:
                    raise RampFileError(
                        f"{answer.filename}: a picture of {width} x {height} pixels, and more than {max_pixels} "
                        "are not taken",
                        **call.facts,
                    )
                return answer
            if _origin(answer) != _origin(url):
                raise RampProtocolError("a redirect to another host", **call.facts)
            url = answer
        raise RampProtocolError("too many redirects", **call.facts)

    # Addresses

    def _normalise(self, base_url):
        parts = urlsplit(base_url.strip())
        if parts.scheme != 'https' and not (parts.scheme == 'http' and self.allow_http):
            raise ValueError("The address of the API must start with https://")
        if _origin(base_url.strip()) is None or parts.query or parts.fragment:
            raise ValueError("The address of the API must be like https://api.ramp.com/developer/v1")
        path = parts.path.rstrip('/')
        if path.endswith('/developer'):
            path += '/v1'
        elif '/developer/' not in path:
            path += '/developer/v1'
        return f'{parts.scheme}://{parts.netloc.lower()}{path}'

    def _own_url(self, url, path):
        """`url` rebuilt on our own host, so that no trick of spelling can carry the token elsewhere."""
        if _origin(url) != self._origin:
            raise RampProtocolError(
                "the next page is on another host; the token is not sent there", method='GET', path=path
            )
        parts = urlsplit(url)
        base = urlsplit(self.base_url)
        return f'{base.scheme}://{base.netloc}{parts.path}' + (f'?{parts.query}' if parts.query else '')

    # The pipeline

    def _request(self, method, path, *, url=None, params=None, json=None, idempotent=False):
        if url is None:
            if not path.startswith('/') or any(part in path for part in ('//', '..', '?', '#', '\\')):
                raise ValueError(f"Not a path of the API: {path!r}")
            url = self.base_url + path
        call = _Call(
            method,
            url,
            repeatable=idempotent or method in _READS,
            query=_query(params),
            json=json,
            path=urlsplit(url).path.removeprefix(urlsplit(self.base_url).path),
        )
        token = self.tokens.current()
        try:
            return self._authorized(call, token)
        except RampAuthError as error:
            refusal = error
        except RampNotFound as error:
            # The trap: Ramp answers "not found", not "unauthorized", to a token it no longer knows.
            if error.code != DEAD_TOKEN_OR_MISSING:
                raise
            if not self.tokens.suspect(token) and (path == KNOWN_PATH or self._is_known(token)):
                raise
            refusal = error
        missing = isinstance(refusal, RampNotFound)
        token = self.tokens.renew(token, suspected=missing)
        try:
            return self._authorized(call, token)
        except RampIdempotencyReused:
            # Ramp burns the key of a request that fails: if the first answer was a true 404, this is only its
            # echo.
            if not missing or call.maybe_done:
                raise
        raise refusal

    def _is_known(self, token):
        """Whether Ramp still accepts a token: asked for what is always there. A young token is seldom dead, so it is not renewed on
        suspicion; but nobody may take an object for gone because of one that is."""
        probe = _Call('GET', self.base_url + KNOWN_PATH, repeatable=True, path=KNOWN_PATH)
        try:
            self._authorized(probe, token)
        except (RampAuthError, RampNotFound):
            return False
        except RampScopeError:
            return True
        return True

    def _authorized(self, call, token):
        return self._attempts(partial(self._send, call, _Bearer(token)), call)

    def _post_form(self, path, form, basic):
        # Asking for one token more, or revoking one twice, harms nobody: repeatable.
        call = _Call('POST', self.base_url + path, repeatable=True, path=path, form=form, minting=True)
        auth = HTTPBasicAuth(*(part.encode() for part in basic))
        return self._attempts(partial(self._send, call, auth), call)

    def _attempts(self, send, call):
        """The result of `send()`, called again as often as the rules of `call`, and the time, allow."""
        while True:
            call.attempts += 1
            self._begin(call)
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
                delay = self._delay(error, call.attempts)
                if isinstance(error, RampRateLimited):
                    self._limiter.penalize(delay)
                if call.attempts >= self._max_attempts or not _may_repeat(error, call):
                    raise
                if delay > self._left():
                    # nobody answered: that is what there is to say. What was answered would be asked again, in the next run.
                    if isinstance(error, RampConnectionError) or call.maybe_done:
                        raise
                    problem = RampOutOfTime(error.message, retry_after=delay, **call.facts)
                else:
                    problem = None
            if problem is not None:
                raise problem
            self._sleep(delay)

    def _begin(self, call):
        """Wait for a place in the rate limit, and set the time of an attempt: at most what is left of the run.

        Raises RampOutOfTime when that is too little, RampConnectionError when nothing may be asked.
        """
        if self._closed and not call.foreign:
            raise RampConnectionError(self._closed, sent=False, **call.facts)
        wait = 0.0
        try:
            if not call.foreign:
                self._limiter.acquire(self._left())
        except LimitReached as error:
            wait = error.seconds
        if wait or self._left() < 0:
            raise RampOutOfTime(maybe_done=call.maybe_done, retry_after=wait, **call.facts)
        self._answer_time.begin(min(self._answer_seconds, self._deadline - self._monotonic()))

    def _left(self):
        """Seconds that may pass before an answer is begun; negative: there is no time for one any more."""
        return self._deadline - self._monotonic() - min(LEAST_SECONDS, self._answer_seconds / 2)

    def _delay(self, error, attempt):
        if error.retry_after is not None:
            return error.retry_after
        return self._rng() * min(MAX_BACKOFF, 2.0**attempt)  # full jitter: workers must not come back in step

    def _send(self, call, auth):
        """One attempt at an API request: decoded JSON or None; raises the RampError that describes the
        answer."""
        with self._open(call, auth, {'Accept': 'application/json'}) as response:
            content = self._body(response, call, MAX_BODY)
        facts = {**call.facts, 'trace_id': response.headers.get('x-trace-id')}
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
                secrets=self.tokens.secrets,
                retry_after=self._retry_after(response),
                **facts,
            )
            error.maybe_done = call.writes and isinstance(error, RampServerError)
            raise error
        if garbled or (not content and status != 204 and call.method == 'GET'):
            raise RampProtocolError(
                "the answer is cut off or not JSON",
                status=status,
                garbled=True,
                maybe_done=call.writes,
                **facts,
            )
        return decoded

    def _fetch(self, call, max_bytes):
        """One attempt at a file: a files.Download, or the address (str) of a redirect."""
        with self._open(call, _anonymous, {'Accept-Encoding': 'identity'}) as response:
            status = response.status_code
            if status in (301, 302, 303, 307, 308):
                return requests.compat.urljoin(call.url, response.headers.get('Location') or '')
            if status in (403, 404, 410):
                raise RampLinkExpired(status=status, **call.facts)
            if status != 200:
                raise error_from_response(status, None, retry_after=self._retry_after(response), **call.facts)
            announced = response.headers.get('Content-Length', '')
            name = files.build(b'', response.headers, call.url).filename
            if announced.isdigit() and int(announced) > max_bytes:
                raise RampFileError(f"{name}: more than {max_bytes} bytes", **call.facts)
            content = self._body(response, call, max_bytes, too_large=RampFileError, name=f'{name}: ')
        if (
            announced.isdigit()
            and not response.headers.get('Content-Encoding')
            and int(announced) != len(content)
        ):
            raise RampConnectionError("the file arrived incomplete", **call.facts)
        if not content:
            raise RampFileError(f"{name}: it is empty", **call.facts)
        return files.build(content, response.headers, call.url)

    def _open(self, call, auth, headers):
        """The response to one attempt, headers only. Raises RampConnectionError."""
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
            # Only its kind is kept: the exception itself holds the address with its query and the request
            # with its token.
            problem = RampConnectionError(
                _describe(error),
                sent=not _never_sent(error),
                maybe_done=call.writes and not _never_sent(error),
                **call.facts,
            )
        if problem is not None:
            _logger.debug("%s %s -> %s", call.method, call.path, problem.message)
            raise problem
        _logger.debug(
            "%s %s -> %s in %d ms, trace %s",
            call.method,
            call.path,
            response.status_code,
            (time.monotonic() - started) * 1000,
            response.headers.get('x-trace-id'),
        )
        return response

    def _body(self, response, call, limit, too_large=RampProtocolError, name=''):
        content, problem = bytearray(), None
        try:
            for chunk in response.iter_content(65536):
                content += chunk
                if len(content) > limit:
                    break
        except requests.RequestException as error:
            problem = RampConnectionError(_describe(error), maybe_done=call.writes, **call.facts)
        if problem is not None:
            raise problem
        if len(content) > limit:
            raise too_large(f"{name}more than {limit} bytes", maybe_done=call.writes, **call.facts)
        return bytes(content)

    def _page(self, answer, path):
        facts = {'method': 'GET', 'path': path}
        if not isinstance(answer, dict) or not isinstance(answer.get('data'), list):
            raise RampProtocolError("the list has no data", **facts)
        page = answer.get('page')
        # Without it the list could end early without anybody noticing.
        if not isinstance(page, dict) or not isinstance(page.get('next'), (str, type(None))):
            raise RampProtocolError("the list does not say where its next page is", **facts)
        return Page(answer['data'], page.get('next') or None)

    def _retry_after(self, response):
        """Seconds to wait as asked for by Retry-After (a number or an HTTP date), at most MAX_RETRY_AFTER,
        else None."""
        value = (response.headers.get('Retry-After') or '').strip()
        try:
            if value.replace('.', '', 1).isdigit():
                seconds = float(value)
            else:
                try:  # by the clock of whoever says so, which may be minutes beside this one
                    now = email.utils.parsedate_to_datetime(response.headers.get('Date')).timestamp()
                except (ValueError, TypeError, IndexError, OverflowError):
                    now = self._clock()
                seconds = email.utils.parsedate_to_datetime(value).timestamp() - now
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def _may_repeat(error, call):
    if isinstance(error, RampRateLimited):
        return True  # never processed
    if isinstance(error, RampConnectionError):
        return call.repeatable or not error.sent
    if isinstance(error, RampServerError):
        return call.repeatable
    return call.repeatable and getattr(error, 'garbled', False)


def _never_sent(error):
    """Did the request certainly not leave? Refused, name not resolved, no connection in time, wrong
    certificate."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = error.args[0] if isinstance(error, requests.ConnectionError) and error.args else None
    reason = getattr(cause, 'reason', cause)
    if isinstance(reason, (NewConnectionError, ConnectTimeoutError)):
        return True
    return isinstance(next(iter(getattr(reason, 'args', ())), None), ssl.SSLCertVerificationError)


def _describe(error):
    if isinstance(error, requests.Timeout) or isinstance(next(iter(error.args), None), ReadTimeoutError):
        return "no connection in time" if _never_sent(error) else "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "the secure connection could not be made (certificate or TLS)"
    return "the server could not be reached" if _never_sent(error) else "the connection was lost"


def _origin(url):
    """(scheme, host, port) of `url`, or None if it has no clear one."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    # Parsers disagree about backslashes, spaces and user names: such an address has no clear host.
    if not parts.hostname or '@' in parts.netloc or any(char == '\\' or ord(char) <= 32 for char in url):
        return None
    return parts.scheme, parts.hostname, port


def _query(params):
    """Pairs for the query string, as the API reads them: true/false, ISO dates in UTC, lists repeated."""

    def text(value):
        if isinstance(value, bool):
            return 'true' if value else 'false'
        if isinstance(value, datetime.datetime):
            if value.tzinfo is None:
                raise ValueError("A datetime for Ramp must have a time zone")
            return value.astimezone(datetime.timezone.utc).isoformat().replace('+00:00', 'Z')
        return value.isoformat() if isinstance(value, datetime.date) else str(value)

    pairs = []
    for key, value in (params or {}).items():
        values = value if isinstance(value, (list, tuple)) else [value]
        pairs += [(key, text(item)) for item in values if item is not None]
    return pairs
