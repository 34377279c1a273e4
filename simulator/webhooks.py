"""Delivery of webhook events, as in Ramp's guide "Webhooks".

The signature uses the subscription's secret and covers the exact bytes of the body. 2xx within ten seconds means
delivered. 3xx and 4xx drop the event. 429, 5xx and no answer lead to up to ten tries under the same id, with growing
pauses. Neither the order nor a single delivery is guaranteed. It is unknown which encoding and which header Ramp uses
now, so both are supported.
"""

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import random
import threading
import time
import uuid
from dataclasses import dataclass
from urllib.parse import urlsplit

from . import events

DELIVERY_TRIES = 10
ANSWER_SECONDS = 10  # seconds
SIGNATURE_HEADERS = ('X-Ramp-Signature', 'X-Ramp-Webhook-Signature')
SIGNATURE_ENCODINGS = ('hex', 'base64')
VERIFICATION = 'webhooks.verification'


def sign_event_body(secret, body, encoding='hex', prefix=''):
    """Return the HMAC-SHA256 of the body (bytes) as text.

    :param encoding: "hex" (lower case) or "base64"
    :param prefix: text before the signature, e.g. "sha256="
    """
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return prefix + (digest.hex() if encoding == 'hex' else base64.b64encode(digest).decode())


@dataclass
class Delivery:
    """An event for one subscription. due: monotonic seconds; number: the order of events due at the same time."""

    subscription: str
    event: dict
    due: float
    number: int
    tries: int = 0
    seconds: float | None = None  # duration of the last answer


class Webhooks:
    """The sender of events.

    `sent` has every event that had a subscription. `log` has every attempt: {"id", "type", "subscription", "try",
    "status", "outcome", "seconds"}. The status is None without an answer. The outcome is delivered, dropped, retry or
    lost.

    :param encoding: one of SIGNATURE_ENCODINGS; `header`: one of SIGNATURE_HEADERS; `prefix`: text before the signature
    :param sign_verification: sign the challenge too, though it may arrive before the client knows the secret
    :param object_key: the key of the object's id in an event: "id", "resource_id" or "object_id"
    :param backoff: maximum of the first pause, in seconds; each further pause is up to twice as long
    :param held: send nothing automatically; see `deliver_pending`
    """

    def __init__(
        self,
        ramp,
        encoding='hex',
        header=SIGNATURE_HEADERS[0],
        prefix='',
        sign_verification=False,
        object_key='id',
        backoff=60.0,
        held=False,
    ):
        self.ramp = ramp
        self.encoding, self.header, self.prefix = encoding, header, prefix
        self.sign_verification = sign_verification
        self.object_key = object_key
        self.backoff = backoff
        self.held = held
        self._thread = None
        self._wake = threading.Condition()
        self._sending = threading.Lock()  # held during automatic sending

    def forget_events(self):
        """Forget everything, and watch the current business."""
        with self._wake:
            self._random = random.Random(f'webhooks {self.ramp.seed.seed}')
            # Separate from the state's source of ids: objects have the same ids with and without subscriptions.
            self._ids = random.Random(f'events {self.ramp.seed.seed}')
            self._pending = []
            self._number = 0
            self.sent = []
            self.log = []
        events.watch_tables(self.ramp.state, self.emit_event)

    # -- start and stop

    def start_sender(self):
        self._stopping = False
        self._thread = threading.Thread(target=self._run_sender, name='ramp-webhooks', daemon=True)
        self._thread.start()

    def stop_sender(self):
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join(ANSWER_SECONDS)
        self._thread = None

    def hold_events(self):
        """Stop sending automatically; see `deliver_pending`."""
        self.held = True

    def release_events(self):
        """Send automatically again, beginning with what is pending."""
        with self._wake:
            self.held = False
            self._wake.notify_all()

    @contextlib.contextmanager
    def pause_sending(self):
        """Pause automatic sending within this context. Wait for a delivery under way first."""
        with self._sending:
            yield
        with self._wake:
            self._wake.notify_all()

    # -- events

    def emit_event(self, kind, object_id, metadata=None):
        """Emit an event to each active subscription of its type.

        Return it (a dict), or None without such a subscription.
        """
        with self.ramp.state.lock:
            return self._emit_locked_event(kind, object_id, metadata)

    def _emit_locked_event(self, kind, object_id, metadata):
        wanted = [
            row for row in self.ramp.state['webhooks'] if row['status'] == 'active' and kind in row['event_types']
        ]
        if not wanted:
            return None
        event = self.build_event(kind, {self.object_key: object_id, **(metadata or {})})
        if kind == 'reimbursements.batch_payment_reimbursed' and any(
            other['type'] == kind and other['object'] == event['object'] for other in self.sent
        ):
            return None  # one event per batch
        self.sent.append(event)
        for row in wanted:
            self.enqueue_event(row['id'], event)
        return event

    def build_event(self, kind, about=None, **more):
        state = self.ramp.state
        business = next(iter(state['business']), None)
        return {
            'id': str(uuid.UUID(int=self._ids.getrandbits(128), version=4)),
            'type': kind,
            'created_at': state.read_time(),
            'business_id': business['id'] if business else state.derive_stable_id('business'),
            **({'object': about} if about is not None else {}),
            **more,
        }

    def enqueue_event(self, subscription, event):
        """Queue an event, subject to the faults lose_event, duplicate_event and reorder_event."""

        def is_event_struck(kind):
            return event['type'] != VERIFICATION and self.ramp.faults.take_fault({kind}, 'POST', event['type'])

        if is_event_struck('lose_event'):
            self._note_attempt(Delivery(subscription, event, 0, 0), None, 'lost')
            return
        late = self._random.random() * self.backoff / 10 if is_event_struck('reorder_event') else 0
        copies = 2 if is_event_struck('duplicate_event') else 1
        with self._wake:
            for _ in range(copies):
                self._number += 1
                self._pending.append(Delivery(subscription, event, self.ramp.monotonic() + late, self._number))
            self._wake.notify_all()

    # -- for tests

    @property
    def pending_events(self):
        """Return the queued events, in the order in which they will be sent."""
        with self._wake:
            return [item.event for item in sorted(self._pending, key=_find_delivery_order)]

    def deliver_pending(self):
        """Send everything pending once, whether due or not. Failures are queued again. Return the new log entries."""
        with self._wake:
            items, self._pending = sorted(self._pending, key=_find_delivery_order), []
        return [entry for entry in map(self._try_delivery, items) if entry]

    def wait_for_attempts(self, count, seconds=10):
        """Wait until the log has this many attempts. Return whether it does in time."""
        with self._wake:
            return self._wake.wait_for(lambda: len(self.log) >= count, seconds)

    def drop_pending(self):
        """Forget what is pending, and return how many events that is."""
        with self._wake:
            count, self._pending = len(self._pending), []
        return count

    def replay_event(self, event):
        """Send an event (a dict of `sent`, or its id) again under its own id."""
        if isinstance(event, str):
            event = {other['id']: other for other in self.sent}[event]
        for row in self.ramp.state['webhooks']:
            if row['status'] == 'active' and event['type'] in row['event_types']:
                self.enqueue_event(row['id'], event)
        return event

    def send_forged_event(
        self, url, kind='transactions.ready_to_sync', object_id=None, *, secret='forged', body=None, headers=None
    ):
        """Send a request that does not come from Ramp. Return the answer's HTTP status, or None without an answer.

        :param secret: the secret to sign with; None: no signature
        :param body: bytes; default: an event like Ramp's
        :param headers: headers to add or replace
        """
        if body is None:
            body = _encode_event_body(
                self.build_event(kind, {self.object_key: object_id or self.ramp.state.make_new_id()})
            )
        given = {'Content-Type': 'application/json'}
        if secret is not None:
            given[self.header] = sign_event_body(secret, body, self.encoding, self.prefix)
        return _post_event_body(url, body, {**given, **(headers or {})})

    # -- sending

    def _run_sender(self):
        while True:
            with self._wake:
                if self._stopping:
                    return
                if not self._list_due_deliveries():
                    # A clock that tests move by hand wakes nobody, so look again from time to time.
                    self._wake.wait(0.2 if self._pending and not self.held else None)
                    continue
            with self._sending:
                with self._wake:
                    item = next(iter(self._list_due_deliveries()), None)
                    if item is None:
                        continue
                    self._pending.remove(item)
                self._try_delivery(item)

    def _list_due_deliveries(self):
        now = self.ramp.monotonic()
        return (
            [] if self.held else sorted((item for item in self._pending if item.due <= now), key=_find_delivery_order)
        )

    def _try_delivery(self, item):
        """Try one delivery. Return its log entry, or None if the subscription is gone."""
        row = self.ramp.state['webhooks'].get_row(item.subscription)
        challenge = item.event['type'] == VERIFICATION
        if row is None or row['_deleted'] or row['status'] == 'inactive':
            return None
        body = _encode_event_body(item.event)
        headers = {'Content-Type': 'application/json', 'User-Agent': 'Ramp-Webhooks', **row['additional_headers']}
        if not challenge:
            headers['X-Ramp-Webhook-ID'] = item.event['id']
        if not challenge or self.sign_verification:
            headers[self.header] = sign_event_body(row['_secret'], body, self.encoding, self.prefix)
        item.tries += 1
        started = time.perf_counter()
        status = _post_event_body(row['endpoint_url'], body, headers)
        item.seconds = time.perf_counter() - started
        if status is not None and 200 <= status < 300:
            return self._note_attempt(item, status, 'delivered')
        if status is not None and status != 429 and status < 500 or item.tries >= DELIVERY_TRIES:
            return self._note_attempt(item, status, 'dropped')
        with self._wake:
            item.due = self.ramp.monotonic() + self._random.random() * self.backoff * 2 ** (item.tries - 1)
            self._pending.append(item)
            self._wake.notify_all()
        return self._note_attempt(item, status, 'retry')

    def _note_attempt(self, item, status, outcome):
        entry = {
            'id': item.event['id'],
            'type': item.event['type'],
            'subscription': item.subscription,
            'try': item.tries,
            'status': status,
            'outcome': outcome,
            'seconds': item.seconds,
        }
        with self._wake:
            self.log.append(entry)
            self._wake.notify_all()
        return entry


def _find_delivery_order(item):
    return item.due, item.number


def _encode_event_body(event):
    return json.dumps(event, ensure_ascii=False).encode()


def _post_event_body(url, body, headers):
    """POST and return the answer's status, or None without an answer in time. Redirects are not followed."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == 'https' else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=ANSWER_SECONDS)
    try:
        connection.request('POST', (parts.path or '/') + (f'?{parts.query}' if parts.query else ''), body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
