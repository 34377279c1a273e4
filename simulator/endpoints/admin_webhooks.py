"""/_simulator/ for webhooks: holding events, letting them go and repeating them, for a process outside, which can forge its own.

Losing, doubling and reordering them by chance is among the faults. Nothing here waits for an answer while the state is
locked: whoever gets an event may ask Ramp about it at once. So what is to be sent is only let go.
"""

from ..state import wire
from . import webhooks
from .admin import route


@route("GET", "/webhooks")
def subscriptions(call):
    return {"data": [dict(row) for row in call.state["webhooks"]]}


@route("POST", "/webhooks")
def subscribe(call):
    """`{"url", "kinds", "headers"}`: active, without the handshake."""
    row = webhooks.make(call.state, **{"status": "active", **call.body})
    return {**wire(row), "secret": row["_secret"]}, 201


@route("PATCH", "/webhooks")
def options(call):
    """`{"held", "encoding", "header", "prefix", "sign_verification", "object_key", "backoff"}`, any of them."""
    sender, body = call.ramp.webhooks, dict(call.body)
    unknown = set(body) - {"backoff", "encoding", "header", "held", "object_key", "prefix", "sign_verification"}
    if unknown:
        raise TypeError(f"Webhooks have no {', '.join(sorted(unknown))}")
    for name, value in body.items():
        setattr(sender, name, value)
    if not sender.held:
        sender.release()
    return None, 204


@route("GET", "/events")
def events(call):
    sender = call.ramp.webhooks
    return {"sent": list(sender.sent), "pending": sender.pending, "log": list(sender.log)}


@route("GET", "/events/counts")
def counts(call):
    """How many there are of each: for who asks often, as all of them together are long."""
    sender = call.ramp.webhooks
    return {"sent": len(sender.sent), "pending": len(sender.pending), "log": len(sender.log)}


@route("POST", "/events")
def emit(call):
    """`{"kind", "object_id", "metadata"}`: an event that nothing here causes."""
    return {"event": call.ramp.webhooks.emit(**call.body)}, 201


@route("POST", "/events/{ident}/replay")
def replay(call):
    return call.ramp.webhooks.replay(call.args["ident"])
