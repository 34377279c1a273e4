# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Check that webhooks come from Ramp, and read their events.

An event says that something changed, but not what. The receiver asks Ramp for it. Events may be lost, doubled and out
of order.

Guide "Webhooks"; schemas OutboundWebhookSubscriptionResource, OutboundWebhookSubscriptionWithSecretResource,
MockOutboundWebhookEventPayload (2026-08-01).
"""

import base64
import dataclasses
import datetime
import hashlib
import hmac
import json

from .reading import UUID_PATTERN, PayloadError, PayloadReader

# The current guide has the first name, the guide of 2025-08-10 the second.
SIGNATURE_HEADERS = ('x-ramp-signature', 'x-ramp-webhook-signature')
ID_HEADER = 'x-ramp-webhook-id'
VERIFICATION = 'webhooks.verification'
MAX_TEXT = 200  # ids have 36
SUBSCRIPTION_STATUSES = frozenset({'active', 'inactive', 'pending_verification'})


@dataclasses.dataclass(frozen=True)
class Event:
    """One delivery. What is not as expected is None; the ids are short and printable.

    id: str, the same each time it is sent, None only of a verification, which alone has a `challenge`; type: any
    text; created_at: aware, in UTC; object_id: of what changed, a uuid as far as is known; sync_request_id: of
    `*.sync_requested` only.
    """

    id: str | None
    type: str
    created_at: datetime.datetime | None
    business_id: str | None
    object_id: str | None
    sync_request_id: str | None
    challenge: str | None = dataclasses.field(repr=False)

    @property
    def is_verification(self):
        """Return whether (bool) Ramp asks if the address is ours."""
        return self.type == VERIFICATION


@dataclasses.dataclass(frozen=True)
class Subscription:
    """A subscription to events. status: one of SUBSCRIPTION_STATUSES; secret: only in the answer to its creation."""

    id: str
    status: str
    endpoint_url: str
    event_types: tuple[str, ...]
    secret: str | None = dataclasses.field(repr=False)


def verify_signature(secret, body, headers):
    """Return whether the body was signed with the subscription's secret.

    Ramp does not say whether the signature is hex or base64 (guide of 2026-08-01), nor which of two headers has it. So
    all are tried, in constant time. Without a secret, a signature or bytes the answer is False. Nothing is raised.

    :param secret: str
    :param body: bytes, as received
    :param headers: a mapping, in any spelling of the names
    :return: bool
    """
    if not isinstance(secret, str) or not secret or not isinstance(body, bytes):
        return False
    digest = hmac.new(secret.encode('utf-8', 'surrogatepass'), body, hashlib.sha256).digest()
    wanted = digest.hex().encode(), base64.b64encode(digest)
    found = False
    for given in _list_signatures_to_try(headers):
        for text in wanted:
            found |= hmac.compare_digest(given, text)
    return found


def _list_signatures_to_try(headers):
    """Return the possible signatures: list of bytes, without a prefix such as "sha256="."""
    return [
        value.strip().removeprefix('sha256=').encode('utf-8', 'surrogatepass')
        for value in _list_values_of_headers(headers, SIGNATURE_HEADERS)
    ]


def _list_values_of_headers(headers, names):
    """Return the texts of the headers with these names (lower case)."""
    try:
        pairs = [(name, value) for name, value in headers.items()]
    except Exception:  # any input is possible, and the answer must then be "no"
        return []
    return [
        value for name, value in pairs if isinstance(name, str) and isinstance(value, str) and name.lower() in names
    ]


def read_event(body, headers=None):
    """Read the event of a delivery. Verify it first, because anybody can send one.

    Ramp does not send a refused event again. So only what is indispensable is required: the type, and a challenge.

    :param body: bytes or str
    :param headers: a mapping, or None
    :return: Event
    :raise PayloadError: if it is not JSON, has no type, or is a verification without a challenge
    """
    try:
        payload = json.loads(body)
    except (ValueError, TypeError, RecursionError):
        raise PayloadError('payload', 'this is not JSON') from None
    reader = PayloadReader(payload)
    kind = reader.read_text('type', required=True)
    about = payload.get('object')
    about = about if isinstance(about, dict) else {}
    challenge = reader.read_text('challenge', required=True) if kind == VERIFICATION else None
    ident = _keep_storable_text(payload.get('id'))
    if not ident and kind != VERIFICATION:
        sent = body.encode('utf-8', 'surrogatepass') if isinstance(body, str) else body
        named = next(filter(_keep_storable_text, _list_values_of_headers(headers, (ID_HEADER,))), None)
        ident = named or hashlib.sha256(sent).hexdigest()
    return Event(
        id=ident,
        type=kind,
        created_at=_read_field_or_none(reader.read_moment, 'created_at'),
        business_id=_read_field_or_none(reader.read_uuid, 'business_id'),
        object_id=_read_object_id(about),
        sync_request_id=_keep_storable_text(about.get('sync_request_id')),
        challenge=challenge,
    )


def _read_object_id(about):
    """Return the id of what changed. Receivers have seen it under each of these names."""
    names = ('id', 'resource_id', 'object_id')
    return next((_read_lower_case_uuid(text) for name in names if (text := _keep_storable_text(about.get(name)))), None)


def _keep_storable_text(value):
    """Return a text that may be stored as it is, else None."""
    return value if isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable() else None


def _read_lower_case_uuid(text):
    return text.lower() if UUID_PATTERN.fullmatch(text.lower()) else text


def _read_field_or_none(read, key):
    try:
        return read(key)
    except PayloadError:
        return None


def read_subscription(payload):
    """Read a subscription from an object of GET or POST /webhooks.

    :param payload: dict
    :return: Subscription
    :raise PayloadError: if it is malformed
    """
    reader = PayloadReader(payload)
    kinds = []
    for value, path in reader.read_items('event_types'):
        if not isinstance(value, str):
            raise PayloadError(path, 'expected a text')
        kinds.append(value)
    return Subscription(
        id=reader.read_text('id', required=True),
        status=reader.read_choice('status', SUBSCRIPTION_STATUSES, required=True, normalise=str.lower),
        endpoint_url=reader.read_text('endpoint_url', required=True),
        event_types=tuple(kinds),
        secret=reader.read_text('secret'),
    )
