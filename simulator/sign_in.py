"""The authorization code grant: a person consents in a browser, and the app gets a refresh token.

Contract: TokenRequestBody, TokenResponse (2026-08-01), guide "Authorization": `response_type=code`, `client_id`,
`redirect_uri` (exact match), `scope`, `state`. A code lives ten minutes and works once. There is no PKCE at this endpoint.
"""

from datetime import timedelta
from urllib.parse import urlencode

from .auth import issue_access_token
from .errors import OAuthError, RampError

CODE_SECONDS, TOKEN_SECONDS = 600, 3600
OFFLINE = 'offline_access'
AUTHORIZE_FIELDS = {'response_type', 'client_id', 'redirect_uri', 'scope', 'state'}
TOKEN_FIELDS = {
    'authorization_code': {'grant_type', 'code', 'redirect_uri'},
    'refresh_token': {'grant_type', 'refresh_token'},
}


def check_grant_enabled(ramp, grant):
    """Refuse the grant unless the app has an address to redirect to."""
    if not ramp.redirect_uris:
        raise RampError(400, 'DEVELOPER_7012', f'Grant type {grant} is not enabled for this app')


def answer_consent(ramp, query):
    """Return the address that the browser is sent to after a person has consented, or refused.

    :raise RampError: where Ramp shows an error itself, because it does not know the app or the address
    """
    check_grant_enabled(ramp, 'authorization_code')
    if query.get('client_id') != ramp.client_id or query.get('redirect_uri') not in ramp.redirect_uris:
        raise RampError(400, 'DEVELOPER_7001', 'The client_id or the redirect_uri is not that of an app')
    if set(query) != AUTHORIZE_FIELDS or query['response_type'] != 'code' or not query['state']:
        return _redirect(query, error='invalid_request')
    allowed = {*ramp.scopes, OFFLINE}
    if not set(query['scope'].split()) <= allowed:
        return _redirect(query, error='invalid_scope')
    if not ramp.is_consent_given:
        return _redirect(query, error='access_denied')
    code = _make_secret(ramp)
    ramp.state.codes[code] = {
        'redirect_uri': query['redirect_uri'],
        'scope': query['scope'],
        'until': ramp.state.clock() + timedelta(seconds=CODE_SECONDS),
    }
    return _redirect(query, code=code)


def _redirect(query, **answer):
    state = {'state': query['state']} if query.get('state') else {}
    return f'{query["redirect_uri"]}?{urlencode({**answer, **state})}'


def _make_secret(ramp):
    return ramp.state.make_new_id().replace('-', '') + ramp.state.make_new_id().replace('-', '')


def exchange_form(ramp, form):
    """Return the answer of the token endpoint to a code or a refresh token."""
    grant = form['grant_type']
    check_grant_enabled(ramp, grant)
    if set(form) != TOKEN_FIELDS[grant]:
        raise OAuthError(400, 'invalid_request', f'The form of {grant} has other fields')
    if grant == 'authorization_code':
        known = ramp.state.codes.pop(form['code'], None)
        if not known or known['until'] <= ramp.state.clock() or known['redirect_uri'] != form['redirect_uri']:
            raise OAuthError(400, 'invalid_grant', 'The code is not valid')
        scope, kept = known['scope'], None
    else:
        scope, kept = ramp.state.refresh_tokens.get(form['refresh_token']), form['refresh_token']
        if scope is None:
            raise OAuthError(400, 'invalid_grant', 'The refresh token is not valid')
    answer = issue_access_token(ramp, scope, TOKEN_SECONDS)
    if OFFLINE in scope.split():
        if kept and ramp.rotates_refresh_tokens:
            del ramp.state.refresh_tokens[kept]
            kept = None
        if not kept:
            kept = 'ramp_business_tok_' + _make_secret(ramp)
            ramp.state.refresh_tokens[kept] = scope
        answer['refresh_token'] = kept
    return answer
