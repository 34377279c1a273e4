"""POST /token and /token/revoke, and the page on which a person consents. The contract says JSON, but the real endpoint takes a form."""

from werkzeug.utils import redirect

from .. import auth, sign_in
from ..errors import OAuthError
from ..routes import route

# TokenRevokeRequestBody
REVOKE_FIELDS, TOKEN_KINDS = {'token', 'token_type_hint'}, ('access_token', 'refresh_token')


@route('POST', '/token', open=True)
def post_token(call):
    auth.check_client_credentials(call.request, call.ramp)
    form = call.body or {}
    grant = form.get('grant_type')
    if grant in ('authorization_code', 'refresh_token'):
        return sign_in.exchange_form(call.ramp, form)
    if grant != 'client_credentials':
        raise OAuthError(400, 'unsupported_grant_type', f'Unknown grant type {grant}')
    return auth.issue_access_token(call.ramp, form.get('scope'))


@route('POST', '/token/revoke', open=True)
def revoke_token(call):
    auth.check_client_credentials(call.request, call.ramp)
    form = call.body or {}
    if (
        not form.get('token')
        or not set(form) <= REVOKE_FIELDS
        or form.get('token_type_hint', 'access_token') not in TOKEN_KINDS
    ):
        raise OAuthError(400, 'invalid_request', 'The form has no token, an unknown kind of token, or other fields')
    auth.kill_access_token(call.state, form['token'])
    call.state.refresh_tokens.pop(form['token'], None)
    return {}


@route('GET', '/v1/authorize', base='', open=True)
def show_consent_page(call):
    """Consent at once, as a person would. In Ramp, this page is at another host than the API."""
    return redirect(sign_in.answer_consent(call.ramp, call.query.to_dict()), code=302)
