# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""OAuth 2.0 client credentials.

Guide "Authorization"; schemas TokenRequestBody, TokenResponse, TokenRevokeRequestBody (2026-08-01).
"""

import dataclasses
import hashlib
import threading
import time

from .errors import RampProtocolError

# One list for the whole connector. Ramp drops silently what the app lacks: compare with TokenSource.granted_scopes.
DEFAULT_SCOPES = (
    'accounting:read',
    'accounting:write',
    'bank_accounts:read',
    'bills:read',
    'bills:write',
    'business:read',
    'cards:read',
    'cashbacks:read',
    'departments:read',
    'departments:write',
    'entities:read',
    'item_receipts:read',
    'item_receipts:write',
    'locations:read',
    'locations:write',
    'merchants:read',
    'purchase_orders:read',
    'purchase_orders:write',
    'receipts:read',
    'receipts:write',
    'reimbursements:read',
    'repayments:read',
    'statements:read',
    'transactions:read',
    'transactions:write',
    'transfers:read',
    'users:read',
    'users:write',
    'vendors:read',
    'vendors:write',
)

EXPIRY_MARGIN = 300  # seconds before its end that a token counts as over
SUSPECT_AGE = 60  # seconds: a younger token is not the reason for a 404
SUSPECT_PAUSE = 300  # seconds: after a renewal because of a 404, the next 404s are what they say


class MemoryTokenStore:
    """Where a token is kept between requests: `get() -> dict | None`, `set(dict)`, `clear()`.

    The dict holds only JSON values. This one forgets with the process; Odoo brings its own.
    """

    def __init__(self):
        self._token = None

    def get(self):
        """The token as it was kept: dict | None."""
        return self._token

    def set(self, token):
        """Keep a token (dict)."""
        self._token = token

    def clear(self):
        """Forget the token."""
        self._token = None


@dataclasses.dataclass(frozen=True)
class Token:
    """A token of Ramp's.

    access_token: str, never shown; minted_at, expires_at: float, seconds since 1970; scopes: tuple of str, as
    granted; owner: str, fingerprint of what it was asked for; suspected: bool, minted because a 404 threw suspicion
    on another.
    """

    access_token: str = dataclasses.field(repr=False)
    minted_at: float
    expires_at: float
    scopes: tuple
    owner: str
    suspected: bool = False


class TokenSource:
    """Hands out a valid token, minting one when needed. Safe between threads."""

    def __init__(self, client_id, client_secret, scopes, post_form, *, realm='', store=None, clock=time.time):
        """Whose token, and where it is asked for and kept.

        :param client_id: str
        :param client_secret: str
        :param scopes: iterable of str, asked for
        :param post_form: (path, form, basic) -> decoded JSON, sends a form with Basic auth `basic` = (id, secret),
            raises RampError
        :param realm: str, the address the credentials belong to; a stored token of another realm, app or scope is not
            used
        :param store: see MemoryTokenStore
        :param clock: () -> float, seconds since 1970
        :raise ValueError: if the credentials are missing
        """
        if not client_id or not client_secret:
            raise ValueError('The client ID and the client secret of the Ramp app are required')
        self._basic = (client_id, client_secret)
        self._wanted = tuple(sorted(set(scopes)))
        self._post_form = post_form
        self._store = store if store is not None else MemoryTokenStore()
        self._clock = clock
        self._lock = threading.RLock()
        self._owner = hashlib.sha256('\n'.join((realm, client_id, *self._wanted)).encode()).hexdigest()

    def __repr__(self):
        return f'<{type(self).__name__}>'

    @property
    def granted_scopes(self):
        """frozenset of str: what Ramp really granted. Mints a token if there is none."""
        return frozenset(self.current_token().scopes)

    @property
    def known_secrets(self):
        """tuple of str: what must never be shown. Mints nothing."""
        token = self._read_stored_token()
        return (self._basic[1], token.access_token) if token else (self._basic[1],)

    def current_token(self):
        """A Token that is not about to expire. Raises RampAuthError and the other RampErrors of a request."""
        with self._lock:
            token = self._read_stored_token()
            if token and self._clock() < token.expires_at:
                return token
            return self._mint_token()

    def renew_token(self, rejected, *, suspected=False):
        """A Token other than one that Ramp no longer accepts.

        :param rejected: Token
        :param suspected: bool, it is only perhaps no longer accepted
        :raise RampError: as of `current_token`
        """
        with self._lock:
            token = self._read_stored_token()
            if token and token.access_token != rejected.access_token and self._clock() < token.expires_at:
                return token  # another thread or process was faster
            return self._mint_token(suspected=suspected)

    def is_suspect(self, token):
        """Whether a token could be the reason for a 404: bool.

        Ramp answers 404 DEVELOPER_7002 for a dead token, too (seen in its sandbox, 2026-10-01).
        """
        return self._clock() - token.minted_at > (SUSPECT_PAUSE if token.suspected else SUSPECT_AGE)

    def revoke_token(self):
        """Make the stored token, if any, worthless at Ramp and forget it.

        It is forgotten even if Ramp cannot be reached; the RampError is raised all the same.
        """
        with self._lock:
            token = self._read_stored_token()
            self._store.clear()
            if token:
                form = {'token': token.access_token, 'token_type_hint': 'access_token'}
                self._post_form('/token/revoke', form, self._basic)

    def _read_stored_token(self):
        values = self._store.get()
        try:
            token = Token(**{**values, 'scopes': tuple(values['scopes'])}) if values else None
        except (TypeError, KeyError):  # kept by another version of this module
            return None
        return token if token and token.owner == self._owner else None

    def _mint_token(self, *, suspected=False):
        """A new Token, stored. Raises RampProtocolError where the answer has none."""
        now = self._clock()
        answer = self._post_form(
            '/token', {'grant_type': 'client_credentials', 'scope': ' '.join(self._wanted)}, self._basic
        )
        answer = answer if isinstance(answer, dict) else {}
        secret, life, granted = answer.get('access_token'), answer.get('expires_in'), answer.get('scope')
        if (
            not isinstance(secret, str)
            or not secret
            or isinstance(life, bool)
            or not isinstance(life, (int, float))
            or life <= 0
        ):
            raise RampProtocolError('the token answer has no access_token or expires_in', method='POST', path='/token')
        # RFC 6749, 5.1: no scope in the answer means exactly what was asked for.
        scopes = granted.split() if isinstance(granted, str) else self._wanted
        token = Token(secret, now, now + life - min(EXPIRY_MARGIN, life / 10), tuple(scopes), self._owner, suspected)
        self._store.set({**dataclasses.asdict(token), 'scopes': list(scopes)})
        return token
