# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Webhooks from Ramp: is it Ramp, and what is it about (guide "Webhooks"; schemas OutboundWebhookSubscription*,
MockOutboundWebhookEventPayload).

An event says that something changed, never what: whoever gets one asks Ramp. Events are lost, doubled and out of order.
"""

import base64
import dataclasses
import datetime
import hashlib
import hmac
import json

from .payloads import PayloadError, _Reader

# Of today's guide, and of last year's.
SIGNATURE_HEADERS = ('x-ramp-signature', 'x-ramp-webhook-signature')
VERIFICATION = 'webhooks.verification'
SUBSCRIPTION_STATUSES = frozenset({'active', 'inactive', 'pending_verification'})


@dataclasses.dataclass(frozen=True)
class Event:
    """type: any text; id: the same each time it is sent, None only of a verification, which alone has a `challenge`;
    object_id: of what changed; sync_request_id: of `*.sync_requested` only."""

    id: str | None
    type: str
    created_at: datetime.datetime | None
    business_id: str | None
    object_id: str | None
    sync_request_id: str | None
    challenge: str | None = dataclasses.field(repr=False)

    @property
    def is_verification(self):
        return self.type == VERIFICATION


@dataclasses.dataclass(frozen=True)
class Subscription:
    """status: lower case. secret: only in the answer to its creation."""

    id: str
    status: str
    endpoint_url: str
    event_types: tuple[str, ...]
    secret: str | None = dataclasses.field(repr=False)


def verify(secret, body, headers):
    """Was the body (bytes, as received) signed with the subscription's secret (str)? headers: a mapping, however spelt.

    Ramp does not say today whether the signature is hex or base64, nor which of two headers has it: all are tried, in constant
    time. Without a secret, a signature or bytes the answer is False; nothing is ever raised.
    """
    if not isinstance(secret, str) or not secret or not isinstance(body, bytes):
        return False
    digest = hmac.new(secret.encode('utf-8', 'surrogatepass'), body, hashlib.sha256).digest()
    wanted = digest.hex().encode(), base64.b64encode(digest)
    found = False
    for given in _signatures(headers):
        for text in wanted:
            found |= hmac.compare_digest(given, text)
    return found


def _signatures(headers):
    """What may be a signature, as bytes, without a prefix such as "sha256="."""
    try:
        pairs = [(name, value) for name, value in headers.items()]
    except Exception:  # anything may be handed in, and nothing may come out but "no"
        return []
    found = []
    for name, value in pairs:
        if isinstance(name, str) and isinstance(value, str) and name.lower() in SIGNATURE_HEADERS:
            found.append(value.strip().removeprefix('sha256=').encode('utf-8', 'surrogatepass'))
    return found


def read_event(body):
    """Event from the body of a delivery (bytes or str). Raises PayloadError. Verify it first: anybody can send one."""
    try:
        payload = json.loads(body)
    except (ValueError, TypeError, RecursionError):
        raise PayloadError('payload', "this is not JSON") from None
    reader = _Reader(payload)
    kind = reader.text('type', required=True)
    about = reader.object('object')
    challenge = reader.text('challenge', required=True) if kind == VERIFICATION else None
    return Event(
        id=reader.text('id', required=kind != VERIFICATION),
        type=kind,
        created_at=reader.moment('created_at'),
        business_id=reader.uuid('business_id'),
        object_id=about.uuid('id') or about.uuid('resource_id') or about.uuid('object_id'),
        sync_request_id=about.text('sync_request_id'),
        challenge=challenge,
    )


def read_subscription(payload):
    """Subscription from an object of GET or POST /webhooks (dict). Raises PayloadError."""
    reader = _Reader(payload)
    kinds = []
    for value, path in reader.items('event_types'):
        if not isinstance(value, str):
            raise PayloadError(path, "expected a text")
        kinds.append(value)
    return Subscription(
        id=reader.text('id', required=True),
        status=reader.choice('status', SUBSCRIPTION_STATUSES, required=True, normalise=str.lower),
        endpoint_url=reader.text('endpoint_url', required=True),
        event_types=tuple(kinds),
        secret=reader.text('secret'),
    )
