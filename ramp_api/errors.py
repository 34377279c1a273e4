# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Errors of requests to Ramp: one class for each different reaction of a caller.

Error body: Ramp's guide "Error handling" (2026-08-01; `error_v2` = error_code, message, additional_info; `error` is its
legacy twin) and, for the token endpoint, the OAuth form (`error`, `error_description`).
"""

import json
import re

DEAD_TOKEN_OR_MISSING = 'DEVELOPER_7002'
IDEMPOTENCY_KEY_USED = 'DEVELOPER_7005'
TOKEN_EXPIRED = 'DEVELOPER_7028'
SCOPE_MISSING = 'DEVELOPER_7100'
INVALID_GRANT = 'invalid_grant'  # OAuth: a code or a refresh token that is not accepted

_MAX_TEXT = 500
_MAX_FIELDS = 20
_SCRUB_PATTERNS = (
    # the query of a pre-signed link is a key to the file
    (re.compile(r'(https?://[^\s?#]+)[?#]\S*'), r'\1?...'),
    (re.compile(r'(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}'), r'\1 ***'),
    (re.compile(r'\bramp_[a-z_]*(?:tok|jwt|sec)_\w+'), '***'),
    (re.compile(r'[\w.+-]+@[\w-]+(?:\.[\w-]+)+'), '[email]'),
    (re.compile(r'(?<![\w-])\d(?:[ -]?\d){8,}(?![\w-])'), '[number]'),  # card, account, tax and phone numbers
)


def scrub_text(text, secrets=()):
    """Return a short line without known secrets, tokens, email addresses and long numbers.

    :param text: any object
    :param secrets: iterable of str, to be left out wherever they stand
    :return: str, of at most 500 characters
    """
    text = ' '.join(str(text).split())
    for secret in secrets:
        if secret:
            text = text.replace(secret, '***')
    for pattern, replacement in _SCRUB_PATTERNS:
        text = pattern.sub(replacement, text)
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 3] + '...'


class RampError(Exception):
    """Base of all errors of this package that concern a request.

    status: int | None, HTTP status; code: str | None, Ramp's code such as ``DEVELOPER_7001``; message: str, Ramp's
    own words (scrubbed) or ours; details: dict of field name -> list of messages; trace_id: str | None, header
    ``x-trace-id``, what Ramp's support asks for; method, path: str | None, without query; maybe_done: bool, a *write*
    may have been carried out although no clear answer arrived: look before repeating it; retry_after: float | None,
    seconds Ramp asked to wait.

    ``str(error)`` is one sentence for a finance administrator.
    """

    summary = 'Ramp could not be used'
    retryable = False  # whether the same request may succeed later without any change

    def __init__(
        self,
        message='',
        *,
        status=None,
        code=None,
        details=None,
        trace_id=None,
        method=None,
        path=None,
        maybe_done=False,
        retry_after=None,
    ):
        super().__init__(message)  # the only positional argument, for pickle; the rest is in __dict__
        self.message = message
        self.status = status
        self.code = code
        self.details = details or {}
        self.trace_id = trace_id
        self.method = method
        self.path = path
        self.maybe_done = maybe_done
        self.retry_after = retry_after

    def __str__(self):
        fields = [f'{field}: {", ".join(messages)}' for field, messages in self.details.items()]
        words = [] if [self.message] in self.details.values() else [self.message.rstrip('. ')]
        text = ': '.join(filter(None, [self.summary, '; '.join(filter(None, words + fields))]))
        facts = [
            self.code,
            self.status and f'HTTP {self.status}',
            self.path and f'{self.method} {self.path}',
            self.trace_id and f'trace {self.trace_id}',
        ]
        facts = ', '.join(fact for fact in facts if fact)
        text += f' [{facts}].' if facts else '.'
        if self.maybe_done:
            text += ' The change may nevertheless have reached Ramp: check there before repeating it.'
        return text


class RampReadOnlyError(RuntimeError):
    """A client that only reads was told to write. This is a mistake in the program, and no answer of Ramp."""


class RampAuthError(RampError):
    """No token: 400/401 ``invalid_client``, grant switched off (7012), or a token that is still refused."""

    summary = (
        'Ramp does not accept the credentials; check the client ID, the client secret and the allowed grant '
        'types of the app in Ramp under Company > Developer'
    )


class RampSignInLost(RampAuthError):
    """Ramp does not accept the refresh token: it was revoked or has expired, or there is none. A person signs in again."""

    summary = 'Ramp no longer accepts the sign-in; somebody has to sign in to Ramp again'


class RampScopeError(RampError):
    """403, usually ``DEVELOPER_7100``: the token may not do this."""

    summary = 'The app in Ramp lacks a permission (scope) needed for this; add it under Company > Developer'


class RampNotFound(RampError):
    """404, after the token has been ruled out as the reason."""

    summary = 'Ramp does not know this object, or it has been archived'


class RampValidationError(RampError):
    """400, 422 and other refusals of the content of a request.

    It will be refused again until someone changes it.
    """

    summary = 'Ramp refused the request'


class RampIdempotencyReused(RampError):
    """400 ``DEVELOPER_7005``: the idempotency key was used before, by an accepted or by a failed request.

    maybe_done: bool, an earlier attempt of this very call had an unknown outcome, so it may well be the user of the
    key.
    """

    summary = 'Ramp has already received a request with this idempotency key'


class RampRateLimited(RampError):
    """429 on all attempts. Nothing was processed."""

    summary = 'Ramp is receiving too many requests from this server'
    retryable = True


class RampServerError(RampError):
    """5xx (or 408) on all attempts, or on a write that must not be repeated without a check."""

    summary = 'Ramp is having a problem on its side'
    retryable = True


class RampConnectionError(RampError):
    """Ramp was not reached, or the answer did not arrive.

    sent: bool, False when the request certainly never left (refused, unresolved name, connect timeout).
    """

    summary = 'The connection to Ramp failed'
    retryable = True

    def __init__(self, message='', *, sent=True, **kwargs):
        super().__init__(message, **kwargs)
        self.sent = sent


class RampOutOfTime(RampError):
    """The time of a run, or of a waiting user, is over.

    It is over before the next request, or would be after the pause that Ramp asks for. The request itself is fine and
    can be made later.

    retry_after: float | None, seconds until it makes sense; maybe_done: as of an earlier attempt.
    """

    summary = 'Ramp took too long, so the rest was not asked for'
    retryable = True


class RampProtocolError(RampError):
    """The answer is not what the API promises: no JSON, wrong shape, a redirect, a next page on another host.

    garbled: bool, the body was unreadable (cut off, HTML): a read is worth repeating.
    """

    summary = 'Ramp answered in an unexpected way'

    def __init__(self, message='', *, garbled=False, **kwargs):
        super().__init__(message, **kwargs)
        self.garbled = garbled


class RampLinkExpired(RampError):
    """A pre-signed file link no longer works (403, 404, 410): fetch the receipt again for a fresh one."""

    summary = 'The link to the file has expired'
    retryable = True


class RampFileError(RampError):
    """The file behind a link cannot be taken: too large, empty, or of a type that is not allowed."""

    summary = 'The file cannot be taken from Ramp'


def error_from_response(status, body, *, minting=False, secrets=(), **facts):
    """Return the RampError for an HTTP answer that is not a success.

    :param status: int
    :param body: decoded JSON, or None if there was none
    :param minting: bool, the token endpoint answered
    :param secrets: iterable of str, to keep out of the text
    :param facts: method, path, trace_id, retry_after of RampError
    :return: RampError
    """
    body = body if isinstance(body, dict) else {}
    v2 = body.get('error_v2') if isinstance(body.get('error_v2'), dict) else {}
    legacy = body.get('error')
    code = v2.get('error_code')
    if minting and isinstance(legacy, str) and (not code or legacy == INVALID_GRANT):
        code = legacy  # OAuth: invalid_client, invalid_scope, unauthorized_client, ...
    code = scrub_text(code, secrets) if isinstance(code, str) and code else None
    message = v2.get('message') or body.get('error_description') or (legacy if isinstance(legacy, str) else '')
    message = scrub_text(message, secrets) if isinstance(message, str) else ''
    if message == code:
        message = ''
    details = _scrub_error_details(v2.get('additional_info') or legacy, secrets)
    error_class = _error_class_of_status(status, code, minting)
    if error_class is RampProtocolError:
        message = message or 'a redirect, which is never followed; check the address of the API'
    return error_class(message, status=status, code=code, details=details, **facts)


def _scrub_error_details(fields, secrets):
    """Return Ramp's messages on the fields of a request: {name of a field: list of messages}."""
    details = {}
    if isinstance(fields, dict):
        for field, value in list(fields.items())[:_MAX_FIELDS]:
            details[scrub_text(field, secrets)] = _scrub_field_messages(value, secrets)
    return details


def _scrub_field_messages(value, secrets):
    values = value if isinstance(value, list) else [value]
    return [
        scrub_text(item if isinstance(item, str) else json.dumps(item, default=str), secrets)
        for item in values[:_MAX_FIELDS]
    ]


def _error_class_of_status(status, code, minting):
    """Return the error class for an HTTP status, and for Ramp's code if the status has several meanings."""
    if status == 429:
        return RampRateLimited
    if status >= 500 or status == 408:
        return RampServerError
    if status < 400:
        return RampProtocolError
    if code == IDEMPOTENCY_KEY_USED:
        return RampIdempotencyReused
    if status == 401 or code == TOKEN_EXPIRED or (minting and status in (400, 403, 422)):
        return RampAuthError
    if status == 404:
        return RampNotFound
    if status == 403 and code in (None, SCOPE_MISSING):
        return RampScopeError
    return RampValidationError
