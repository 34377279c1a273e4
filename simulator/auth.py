"""OAuth tokens, their scopes, and the rate limit. `sign_in` has the grant by which a person signs in."""

import base64
import binascii
from datetime import timedelta

from .errors import OAuthError, RampError, make_missing_error

# The default scopes of the app: what the connector needs. Ramp silently narrows a token to the app's scopes.
SCOPES = (
    'accounting:read',
    'accounting:write',
    'transactions:read',
    'transactions:write',
    'reimbursements:read',
    'bills:read',
    'bills:write',
    'vendors:read',
    'vendors:write',
    'purchase_orders:read',
    'purchase_orders:write',
    'item_receipts:read',
    'item_receipts:write',
    'users:read',
    'users:write',
    'departments:read',
    'departments:write',
    'locations:read',
    'locations:write',
    'entities:read',
    'receipts:read',
    'receipts:write',
    'statements:read',
    'cashbacks:read',
    'transfers:read',
    'bank_accounts:read',
    'repayments:read',
    'cards:read',
    'business:read',
    'merchants:read',
)


def check_client_credentials(request, ramp):
    """Check the app's Basic credentials. Raise `invalid_client` if they are wrong."""
    kind, _, value = request.headers.get('Authorization', '').partition(' ')
    try:
        given = base64.b64decode(value).decode() if kind.lower() == 'basic' else ''
    except (binascii.Error, UnicodeDecodeError):
        given = ''
    if given != f'{ramp.client_id}:{ramp.client_secret}':
        raise OAuthError(401, 'invalid_client', 'Client authentication failed')


def issue_access_token(ramp, scope, lifetime=None):
    """Return the answer with a new access token.

    :param lifetime: seconds; None: that of the simulator
    """
    state = ramp.state
    lifetime = ramp.token_lifetime if lifetime is None else lifetime
    scopes = [name for name in (scope or '').split() if name in ramp.scopes]
    token = 'ramp_business_tok_' + state.make_new_id().replace('-', '') + state.make_new_id().replace('-', '')
    state.tokens[token] = {
        'scopes': frozenset(scopes),
        'until': state.clock() + timedelta(seconds=lifetime),
        'dead': None,
    }
    return {'access_token': token, 'expires_in': lifetime, 'scope': ' '.join(scopes), 'token_type': 'Bearer'}


def read_bearer_token(request):
    kind, _, value = request.headers.get('Authorization', '').partition(' ')
    return value.strip() if kind.lower() == 'bearer' else None


def kill_access_token(state, value, as_not_found=False):
    """Make a token unusable. With `as_not_found` it answers 404, as in Ramp's sandbox, else 401."""
    if value in state.tokens:
        state.tokens[value]['dead'] = 'not found' if as_not_found else 'revoked'


def check_access_token(request, ramp, scope):
    """Return the token of a request. Raise 401 (or 404) if it is dead, and 403 if it lacks `scope`."""
    token = ramp.state.tokens.get(read_bearer_token(request))
    if token is None or token['dead'] or token['until'] <= ramp.state.clock():
        if token and token['dead'] == 'not found' or ramp.dead_tokens_not_found:
            raise make_missing_error()
        raise RampError(401, 'DEVELOPER_7028', 'The access token is expired or not known')
    if scope and scope not in token['scopes']:
        raise RampError(403, 'DEVELOPER_7100', f'Missing scope {scope}', {'scope': [scope]})
    return token


class RateLimit:
    """Allow `limit` requests per rolling `window` seconds and source address."""

    def __init__(self, limit, window, monotonic):
        self.limit = limit
        self.window = window
        self.monotonic = monotonic
        self._seen = {}

    def forget_requests(self):
        self._seen.clear()

    def is_source_allowed(self, source):
        if not self.limit:
            return True
        now = self.monotonic()
        seen = [moment for moment in self._seen.get(source, ()) if moment > now - self.window]
        self._seen[source] = seen
        # A refused request does not count. Otherwise a client that retries would stay blocked.
        if len(seen) >= self.limit:
            return False
        seen.append(now)
        return True
