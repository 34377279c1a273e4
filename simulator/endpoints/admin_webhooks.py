"""/_simulator/ for webhooks: holding events, letting them go and repeating them, for a process outside, which can forge
its own.

Losing, doubling and reordering them by chance is among the faults. Nothing here waits for an answer while the state is
locked: whoever gets an event may ask Ramp about it at once. So what is to be sent is only let go.
"""

from ..state import wire_fields
from . import webhooks
from .admin import admin_route


@admin_route('GET', '/webhooks')
def list_subscriptions(call):
    return {'data': [dict(row) for row in call.state['webhooks']]}


@admin_route('POST', '/webhooks')
def add_subscription(call):
    """`{"url", "kinds", "headers"}`: active, without the handshake."""
    row = webhooks.make_webhook(call.state, **{'status': 'active', **call.body})
    return {**wire_fields(row), 'secret': row['_secret']}, 201


@admin_route('PATCH', '/webhooks')
def change_options(call):
    """`{"held", "encoding", "header", "prefix", "sign_verification", "object_key", "backoff"}`, any of them."""
    sender, body = call.ramp.webhooks, dict(call.body)
    unknown = set(body) - {'backoff', 'encoding', 'header', 'held', 'object_key', 'prefix', 'sign_verification'}
    if unknown:
        raise TypeError(f'Webhooks have no {", ".join(sorted(unknown))}')
    for name, value in body.items():
        setattr(sender, name, value)
    if not sender.held:
        sender.release()
    return None, 204


@admin_route('GET', '/events')
def list_events(call):
    sender = call.ramp.webhooks
    return {'sent': list(sender.sent), 'pending': sender.pending, 'log': list(sender.log)}


@admin_route('GET', '/events/counts')
def count_events(call):
    """How many there are of each: for who asks often, as all of them together are long."""
    sender = call.ramp.webhooks
    return {'sent': len(sender.sent), 'pending': len(sender.pending), 'log': len(sender.log)}


@admin_route('POST', '/events')
def emit_event(call):
    """`{"kind", "object_id", "metadata"}`: an event that nothing here causes."""
    return {'event': call.ramp.webhooks.emit(**call.body)}, 201


@admin_route('POST', '/events/{ident}/replay')
def replay_event(call):
    return call.ramp.webhooks.replay(call.args['ident'])
