"""/webhooks: subscriptions to events. A subscription cannot be changed, only deleted and created again.

It becomes active when its challenge comes back. Two of Ramp's answers are unknown: to a wrong challenge (here 400), and
to a challenge given twice (here it is accepted). Ramp requires public HTTPS; the simulator also accepts plain HTTP to
this machine.
"""

from urllib.parse import urlsplit

from .. import events, uploads
from ..errors import RampError, make_field_error, make_missing_error
from ..routes import route
from ..state import Table, select_wire_fields
from ..webhooks import VERIFICATION

TABLES = {'webhooks': Table}
LOOPBACK = ('127.0.0.1', '::1', 'localhost')


@route('GET', '/webhooks')
def list_webhooks(call):
    """Answer all subscriptions as a bare list, without the envelope of other lists."""
    return [_render_webhook_subscription(row) for row in call.state['webhooks'] if not row['_deleted']]


@route('GET', '/webhooks/{webhook_id}')
def get_webhook(call):
    return _render_webhook_subscription(_find_webhook(call))


@route('POST', '/webhooks')
def post_webhook(call):
    body = uploads.read_checked_fields(call, ('endpoint_url', 'event_types'), ('additional_headers',))
    url, headers, kinds = body['endpoint_url'], body.get('additional_headers') or {}, body['event_types']
    parts = urlsplit(url)
    if parts.scheme != 'https' and not (parts.scheme == 'http' and parts.hostname in LOOPBACK):
        raise make_field_error('endpoint_url', 'Must be a public HTTPS URL.')
    if not kinds or set(kinds) - set(events.EVENT_TYPES):
        raise make_field_error('event_types', 'Must be some of the allowed values.')
    if len(headers) > 5 or any(len(name) > 100 for name in headers):
        raise make_field_error('additional_headers', 'At most 5 headers, with names of at most 100 characters.')
    missing = {events.EVENT_SCOPES[kind.split('.')[0]] for kind in kinds if kind.split('.')[0] in events.EVENT_SCOPES}
    missing -= set(call.token['scopes'])
    if missing:
        raise RampError(
            403, 'DEVELOPER_7100', f'Missing scope {", ".join(sorted(missing))}', {'scope': sorted(missing)}
        )
    row = make_webhook(call.state, url, kinds, headers)
    call.ramp.webhooks.enqueue_event(
        row['id'], call.ramp.webhooks.build_event(VERIFICATION, challenge=row['_challenge'])
    )
    return {**select_wire_fields(row), 'secret': row['_secret']}, 201


@route('DELETE', '/webhooks/{webhook_id}')
def delete_webhook(call):
    call.state['webhooks'].update_row(_find_webhook(call)['id'], _deleted=True, status='inactive')
    return None, 204


@route('POST', '/webhooks/{webhook_id}/verify')
def verify_webhook(call):
    body, row = uploads.read_checked_fields(call, ('challenge',), ()), _find_webhook(call)
    if body['challenge'] != row['_challenge']:
        raise RampError(
            400, 'DEVELOPER_7001', 'The challenge is wrong', {'challenge': ['Not the challenge that was sent.']}
        )
    call.state['webhooks'].update_row(row['id'], status='active', updated_at=call.state.read_time())
    return {'success': True}


@route('POST', '/webhooks/mock-webhook-event')
def mock_webhook_event(call):
    body = uploads.read_checked_fields(call, ('event_type', 'object_id', 'object_metadata'), ())
    sender = call.ramp.webhooks
    event = sender.emit_event(body['event_type'], body['object_id'], body['object_metadata'])
    return event or sender.build_event(
        body['event_type'], {sender.object_key: body['object_id'], **body['object_metadata']}
    ), 201


def _find_webhook(call):
    row = call.find_path_row('webhooks', 'webhook_id')
    if row['_deleted']:
        raise make_missing_error('Webhook')
    return row


def _render_webhook_subscription(row):
    return {key: value for key, value in select_wire_fields(row).items() if key != 'additional_headers'}


def make_webhook(state, url, kinds, headers=None, status='pending_verification'):
    """Add a subscription and return its row, with `_secret` and `_challenge`."""
    business = next(iter(state['business']))
    return state['webhooks'].add_row(
        {
            'id': state.make_new_id(),
            'additional_headers': dict(headers or {}),
            'business_id': business['id'],
            'created_at': state.read_time(),
            'endpoint_url': url,
            'event_types': list(kinds),
            'status': status,
            'updated_at': state.read_time(),
            '_challenge': f'ramp_challenge_{state.make_new_id().replace("-", "")}',
            '_deleted': False,
            '_secret': f'ramp_sec_{state.make_new_id().replace("-", "")}',
        }
    )
