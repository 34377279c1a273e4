# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""OAuth 2.0: client credentials, or a refresh token after a person has signed in (authorization code).

Guide "Authorization"; schemas TokenRequestBody, TokenResponse, TokenRevokeRequestBody (2026-08-01).
"""

import dataclasses
import hashlib
import threading
import time
from urllib.parse import urlencode

from .errors import INVALID_GRANT, RampAuthError, RampProtocolError, RampSignInLost

# The scopes of the whole connector. Ramp silently drops what the app lacks: compare with TokenSource.granted_scopes.
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

OFFLINE_SCOPE = 'offline_access'  # without it, Ramp gives no refresh token
EXPIRY_MARGIN = 300  # seconds before its end from which a token counts as expired
SUSPECT_AGE = 60  # seconds; a younger token is not the reason for a 404
SUSPECT_PAUSE = 300  # seconds after a renewal because of a 404 in which further 404s are taken literally


def build_authorize_url(page, client_id, redirect_uri, scopes, state):
    """Return the address at which a person signs in to Ramp and consents.

    :param page: str, address of Ramp's page without a query
    :param redirect_uri: str, to which Ramp sends the browser back with `code` and `state`; as entered for the app
    :param scopes: iterable of str
    :param state: str that nobody can guess
    """
    query = {
        'response_type': 'code',
        'client_id': client_id,
        'redirect_uri': redirect_uri,
        'scope': ' '.join((*scopes, OFFLINE_SCOPE)),
        'state': state,
    }
    return f'{page}?{urlencode(query)}'


class MemoryTokenStore:
    """A store for the token between requests: `read_token() -> dict | None`, `store_token(dict)`, `forget_token()`.

    The dict has JSON values only. This store lives as long as the process; Odoo has its own.
    """

    def __init__(self):
        self._token = None

    def read_token(self):
        """Return the token as it was kept: dict | None."""
        return self._token

    def store_token(self, token):
        """Keep a token (dict)."""
        self._token = token

    def forget_token(self):
        """Forget the token."""
        self._token = None


@dataclasses.dataclass(frozen=True)
class Token:
    """A token from Ramp.

    access_token: str, never shown; minted_at, expires_at: float, seconds since 1970; scopes: tuple of str, as granted;
    owner: str, fingerprint of realm, app and scopes; suspected: bool, minted because a 404 made another token suspect.
    """

    access_token: str = dataclasses.field(repr=False)
    minted_at: float
    expires_at: float
    scopes: tuple
    owner: str
    suspected: bool = False


class TokenSource:
    """Provide a valid token, and mint one when needed. Thread-safe."""

    def __init__(
        self, client_id, client_secret, scopes, post_form, *, realm='', store=None, sign_in=None, clock=time.time
    ):
        """Create a token source.

        :param client_id: str
        :param client_secret: str
        :param scopes: iterable of str, to ask for
        :param post_form: (path, form, basic) -> decoded JSON, sends a form with Basic auth `basic` = (id, secret),
            raises RampError
        :param realm: str, the address that the credentials belong to; a stored token of another realm, app or scope is
            not used
        :param store: see MemoryTokenStore
        :param sign_in: keeper of the refresh token of a person who signed in: `read_refresh_token() -> str | None`,
            `replace_refresh_token(old, new)`; None: the app has credentials of its own
        :param clock: () -> float, seconds since 1970
        :raise ValueError: if the credentials are missing
        """
        if not client_id or not client_secret:
            raise ValueError('The client ID and the client secret of the Ramp app are required')
        self._basic = (client_id, client_secret)
        self._wanted = tuple(sorted(set(scopes)))
        self._post_form = post_form
        self._store = store if store is not None else MemoryTokenStore()
        self._sign_in = sign_in
        self._refresh_tokens = set()  # those that this source has seen, never to be shown
        self._clock = clock
        self._lock = threading.RLock()
        self._owner = hashlib.sha256('\n'.join((realm, client_id, *self._wanted)).encode()).hexdigest()

    def __repr__(self):
        return f'<{type(self).__name__}>'

    @property
    def granted_scopes(self):
        """Return the scopes (frozenset of str) that Ramp granted. Mint a token if there is none."""
        return frozenset(self.ensure_current_token().scopes)

    @property
    def known_secrets(self):
        """Return the texts (tuple of str) that must never be shown. Mint nothing."""
        token = self._read_stored_token()
        return (self._basic[1], *self._refresh_tokens, *((token.access_token,) if token else ()))

    def ensure_current_token(self):
        """Return a Token that is not about to expire. Raise RampAuthError or another RampError of a request."""
        with self._lock:
            token = self._read_stored_token()
            if token and self._clock() < token.expires_at:
                return token
            return self._mint_new_token()

    def renew_rejected_token(self, rejected, *, suspected=False):
        """Return a Token other than one that Ramp no longer accepts.

        :param rejected: Token
        :param suspected: bool, `rejected` may still be accepted
        :raise RampError: as of `ensure_current_token`
        """
        with self._lock:
            token = self._read_stored_token()
            if token and token.access_token != rejected.access_token and self._clock() < token.expires_at:
                return token  # another thread or process was faster
            return self._mint_new_token(suspected=suspected)

    def is_token_suspect(self, token):
        """Return whether a token could be the reason for a 404: bool.

        Ramp answers 404 DEVELOPER_7002 for a dead token, too (seen in its sandbox, 2026-10-01).
        """
        return self._clock() - token.minted_at > (SUSPECT_PAUSE if token.suspected else SUSPECT_AGE)

    def revoke_stored_token(self, refresh_token=None):
        """Revoke the stored token, if any, at Ramp and forget it.

        It is forgotten even if Ramp cannot be reached. The RampError is raised anyway.

        :param refresh_token: str or None, of a person who signed in; revoked before the stored token
        """
        with self._lock:
            token = self._read_stored_token()
            self._store.forget_token()
            if refresh_token:
                self._refresh_tokens.add(refresh_token)
                self._revoke_token(refresh_token, 'refresh_token')
            if token:
                self._revoke_token(token.access_token, 'access_token')

    def _revoke_token(self, token, kind):
        self._post_form('/token/revoke', {'token': token, 'token_type_hint': kind}, self._basic)

    def _read_stored_token(self):
        values = self._store.read_token()
        try:
            token = Token(**{**values, 'scopes': tuple(values['scopes'])}) if values else None
        except (TypeError, KeyError):  # kept by another version of this module
            return None
        return token if token and token.owner == self._owner else None

    def _mint_new_token(self, *, suspected=False):
        """Return a new Token and store it. Raise RampProtocolError if the answer has none."""
        now = self._clock()
        if self._sign_in is None:
            form = {'grant_type': 'client_credentials', 'scope': ' '.join(self._wanted)}
            answer = self._post_form('/token', form, self._basic)
        else:
            answer = self._refresh_sign_in()
        return self._store_new_token(answer, now, suspected)

    def _refresh_sign_in(self):
        """Return the answer to a refresh token. Keep the new refresh token, if Ramp gives one.

        :raise RampSignInLost: Ramp does not accept it
        """
        tried = None
        while True:
            token = self._sign_in.read_refresh_token()
            if not token or token == tried:
                raise RampSignInLost(code=INVALID_GRANT if tried else None, method='POST', path='/token')
            self._refresh_tokens.add(token)
            try:
                answer = self._post_form('/token', {'grant_type': 'refresh_token', 'refresh_token': token}, self._basic)
            except RampAuthError as error:
                if error.code != INVALID_GRANT:
                    raise
                tried = token  # unless another process was faster, and has a newer one
                continue
            renewed = answer.get('refresh_token') if isinstance(answer, dict) else None
            if isinstance(renewed, str) and renewed and renewed != token:
                self._refresh_tokens.add(renewed)
                self._sign_in.replace_refresh_token(token, renewed)
            return answer

    def exchange_code(self, code, redirect_uri):
        """Exchange the code of a sign-in. Return the refresh token (str). The access token is kept.

        :raise RampAuthError: Ramp does not accept the code
        :raise RampProtocolError: there is no refresh token in the answer
        """
        with self._lock:
            now = self._clock()
            form = {'grant_type': 'authorization_code', 'code': code, 'redirect_uri': redirect_uri}
            answer = self._post_form('/token', form, self._basic)
            refresh = answer.get('refresh_token') if isinstance(answer, dict) else None
            if not isinstance(refresh, str) or not refresh:
                raise RampProtocolError('the token answer has no refresh_token', method='POST', path='/token')
            self._refresh_tokens.add(refresh)
            self._store_new_token(answer, now, False)
            return refresh

    def _store_new_token(self, answer, now, suspected):
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
        # No scope in the answer means exactly what was asked for (RFC 6749, 5.1).
        scopes = granted.split() if isinstance(granted, str) else self._wanted
        token = Token(secret, now, now + life - min(EXPIRY_MARGIN, life / 10), tuple(scopes), self._owner, suspected)
        self._store.store_token({**dataclasses.asdict(token), 'scopes': list(scopes)})
        return token
