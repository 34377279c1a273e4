"""/webhooks: subscriptions to events. A subscription cannot be changed, only deleted and created again.

It becomes active when its challenge comes back. Two of Ramp's answers are unknown: to a wrong challenge (here 400), and
to a challenge given twice (here it is accepted). Ramp requires public HTTPS; the simulator also accepts plain HTTP to
this machine.
"""

from urllib.parse import urlsplit

from .. import events, uploads
from ..errors import RampError, invalid_field, not_found
from ..routes import route
from ..state import Table, wire_fields
from ..webhooks import VERIFICATION

TABLES = {'webhooks': Table}
LOOPBACK = ('127.0.0.1', '::1', 'localhost')


@route('GET', '/webhooks')
def list_webhooks(call):
    """Answer all subscriptions as a bare list, without the envelope of other lists."""
    return [_webhook_on_wire(row) for row in call.state['webhooks'] if not row['_deleted']]


@route('GET', '/webhooks/{webhook_id}')
def get_webhook(call):
    return _webhook_on_wire(_find_webhook(call))


@route('POST', '/webhooks')
def post_webhook(call):
    body = uploads.fields_of(call, ('endpoint_url', 'event_types'), ('additional_headers',))
    url, headers, kinds = body['endpoint_url'], body.get('additional_headers') or {}, body['event_types']
    parts = urlsplit(url)
    if parts.scheme != 'https' and not (parts.scheme == 'http' and parts.hostname in LOOPBACK):
        raise invalid_field('endpoint_url', 'Must be a public HTTPS URL.')
    if not kinds or set(kinds) - set(events.TYPES):
        raise invalid_field('event_types', 'Must be some of the allowed values.')
    if len(headers) > 5 or any(len(name) > 100 for name in headers):
        raise invalid_field('additional_headers', 'At most 5 headers, with names of at most 100 characters.')
    missing = {events.SCOPES[kind.split('.')[0]] for kind in kinds if kind.split('.')[0] in events.SCOPES}
    missing -= set(call.token['scopes'])
    if missing:
        raise RampError(
            403, 'DEVELOPER_7100', f'Missing scope {", ".join(sorted(missing))}', {'scope': sorted(missing)}
        )
    row = make_webhook(call.state, url, kinds, headers)
    call.ramp.webhooks.enqueue(row['id'], call.ramp.webhooks.event(VERIFICATION, challenge=row['_challenge']))
    return {**wire_fields(row), 'secret': row['_secret']}, 201


@route('DELETE', '/webhooks/{webhook_id}')
def delete_webhook(call):
    call.state['webhooks'].update(_find_webhook(call)['id'], _deleted=True, status='inactive')
    return None, 204


@route('POST', '/webhooks/{webhook_id}/verify')
def verify_webhook(call):
    body, row = uploads.fields_of(call, ('challenge',), ()), _find_webhook(call)
    if body['challenge'] != row['_challenge']:
        raise RampError(
            400, 'DEVELOPER_7001', 'The challenge is wrong', {'challenge': ['Not the challenge that was sent.']}
        )
    call.state['webhooks'].update(row['id'], status='active', updated_at=call.state.now())
    return {'success': True}


@route('POST', '/webhooks/mock-webhook-event')
def mock_event(call):
    body = uploads.fields_of(call, ('event_type', 'object_id', 'object_metadata'), ())
    sender = call.ramp.webhooks
    event = sender.emit(body['event_type'], body['object_id'], body['object_metadata'])
    return event or sender.event(
        body['event_type'], {sender.object_key: body['object_id'], **body['object_metadata']}
    ), 201


def _find_webhook(call):
    row = call.row('webhooks', 'webhook_id')
    if row['_deleted']:
        raise not_found('Webhook')
    return row


def _webhook_on_wire(row):
    return {key: value for key, value in wire_fields(row).items() if key != 'additional_headers'}


def make_webhook(state, url, kinds, headers=None, status='pending_verification'):
    """Add a subscription and return its row, with `_secret` and `_challenge`."""
    business = next(iter(state['business']))
    return state['webhooks'].add(
        {
            'id': state.new_id(),
            'additional_headers': dict(headers or {}),
            'business_id': business['id'],
            'created_at': state.now(),
            'endpoint_url': url,
            'event_types': list(kinds),
            'status': status,
            'updated_at': state.now(),
            '_challenge': f'ramp_challenge_{state.new_id().replace("-", "")}',
            '_deleted': False,
            '_secret': f'ramp_sec_{state.new_id().replace("-", "")}',
        }
    )
