"""/_simulator/ for webhooks: hold, release and replay events, for other processes.

Such a process can forge events itself. Losing, doubling and reordering events at random is among the faults. No handler
here sends while the state is locked, because the receiver of an event may ask Ramp about it at once. Handlers only
release what is to be sent.
"""

from ..state import select_wire_fields
from . import webhooks
from .admin import register_admin_route


@register_admin_route('GET', '/webhooks')
def list_subscription_rows(call):
    return {'data': [dict(row) for row in call.state['webhooks']]}


@register_admin_route('POST', '/webhooks')
def add_subscription_row(call):
    """Add an active subscription without the handshake: `{"url", "kinds", "headers"}`."""
    row = webhooks.make_webhook(call.state, **{'status': 'active', **call.body})
    return {**select_wire_fields(row), 'secret': row['_secret']}, 201


@register_admin_route('PATCH', '/webhooks')
def change_sender_options(call):
    """Change any of `{"held", "encoding", "header", "prefix", "sign_verification", "object_key", "backoff"}`."""
    sender, body = call.ramp.webhooks, dict(call.body)
    unknown = set(body) - {'backoff', 'encoding', 'header', 'held', 'object_key', 'prefix', 'sign_verification'}
    if unknown:
        raise TypeError(f'Webhooks have no {", ".join(sorted(unknown))}')
    for name, value in body.items():
        setattr(sender, name, value)
    if not sender.held:
        sender.release_events()
    return None, 204


@register_admin_route('GET', '/events')
def list_sent_events(call):
    sender = call.ramp.webhooks
    return {'sent': list(sender.sent), 'pending': sender.pending_events, 'log': list(sender.log)}


@register_admin_route('GET', '/events/counts')
def count_sent_events(call):
    """Return the numbers of events. Clients that poll use this, because the list of all events is long."""
    sender = call.ramp.webhooks
    return {'sent': len(sender.sent), 'pending': len(sender.pending_events), 'log': len(sender.log)}


@register_admin_route('POST', '/events')
def emit_causeless_event(call):
    """Emit an event without a cause in the data: `{"kind", "object_id", "metadata"}`."""
    return {'event': call.ramp.webhooks.emit_event(**call.body)}, 201


@register_admin_route('POST', '/events/{ident}/replay')
def replay_sent_event(call):
    return call.ramp.webhooks.replay_event(call.args['ident'])
