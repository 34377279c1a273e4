"""POST /token and /token/revoke. The contract says JSON, but the real endpoint takes a form."""

from .. import auth
from ..errors import OAuthError, RampError
from ..routes import route


@route('POST', '/token', open=True)
def post_token(call):
    auth.check_client_credentials(call.request, call.ramp)
    form = call.body or {}
    grant = form.get('grant_type')
    if grant in ('authorization_code', 'refresh_token'):
        raise RampError(400, 'DEVELOPER_7012', f'Grant type {grant} is not enabled for this app')
    if grant != 'client_credentials':
        raise OAuthError(400, 'unsupported_grant_type', f'Unknown grant type {grant}')
    return auth.issue_access_token(call.ramp, form.get('scope'))


@route('POST', '/token/revoke', open=True)
def revoke_token(call):
    auth.check_client_credentials(call.request, call.ramp)
    auth.kill_access_token(call.state, (call.body or {}).get('token'))
    return {}
