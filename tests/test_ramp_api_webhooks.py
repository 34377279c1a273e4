# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import base64
import hashlib
import hmac
import json
import unittest

from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from odoo.tests import tagged

from ..ramp_api import PayloadError, parse_utc_moment, read_event, read_subscription, verify_signature
from .smoke import PlainCase
from .test_ramp_api_payables import FOLDER, NonsenseCase, calm, made
from .test_ramp_api_payloads import IDS, MISSING, PayloadCase

SECRET = 'ramp_sec_aXbKpLmNqRsTuVwXyZaBcDeFgHiJkLmN'
NAMES = ('X-Ramp-Signature', 'x-ramp-signature', 'X-RAMP-WEBHOOK-SIGNATURE', 'X-Ramp-Webhook-Signature')


def digest(secret, body):
    return hmac.new(secret.encode(), body, hashlib.sha256).digest()


def event(**changes):
    return made(
        {
            'id': IDS[0],
            'type': 'transactions.ready_to_sync',
            'created_at': '2026-08-01T12:00:00Z',
            'business_id': IDS[1],
            'object': {'id': IDS[2].upper()},
        },
        changes,
    )


def read(payload):
    return read_event(json.dumps(payload).encode())


@tagged('ramp_api')
class TestVerify(PlainCase):
    def test_known_answer(self):
        """The signature of RFC 4231, test case 2, is accepted, so that the test does not depend on the addon's own
        hashing.
        """
        body = b'what do ya want for nothing?'
        known = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'
        for text in (known, base64.b64encode(bytes.fromhex(known)).decode()):
            for prefix in ('', 'sha256='):
                for name in NAMES:
                    self.assertTrue(verify_signature('Jefe', body, {name: f' {prefix}{text} '}), (prefix, name))
        self.assertFalse(verify_signature('Jefe', body, {'X-Ramp-Webhook-ID': known}))
        self.assertFalse(verify_signature('Jefe', body + b'!', {'X-Ramp-Signature': known}))
        self.assertFalse(verify_signature('jefe', body, {'X-Ramp-Signature': known}))

    def test_headers_of_a_web_server(self):
        text = digest(SECRET, b'{}').hex()
        self.assertTrue(verify_signature(SECRET, b'{}', Headers([('Host', 'x'), ('X-Ramp-Signature', text)])))
        self.assertTrue(
            verify_signature(
                SECRET, b'{}', Headers([('X-Ramp-Signature', 'wrong'), ('X-Ramp-Webhook-Signature', text)])
            )
        )

    def test_closed(self):
        body, text = b'{}', digest(SECRET, b'{}').hex()
        for secret in (None, '', b'', False, 0, SECRET.encode(), [SECRET]):
            self.assertFalse(verify_signature(secret, body, {'X-Ramp-Signature': text}), secret)
            self.assertFalse(
                verify_signature(secret, body, {'X-Ramp-Signature': hmac.new(b'', body, hashlib.sha256).hexdigest()})
            )
        for wrong in (None, '{}', bytearray(body), 0, [body]):
            self.assertFalse(verify_signature(SECRET, wrong, {'X-Ramp-Signature': text}), wrong)
        for headers in (
            None,
            {},
            [],
            'X-Ramp-Signature',
            7,
            object(),
            {'X-Ramp-Signature': None},
            {'X-Ramp-Signature': text.encode()},
            {'X-Ramp-Signature': [text]},
            {b'X-Ramp-Signature': text},
            {None: text},
            {'X-Ramp-Signature': text[:-1]},
            {'X-Ramp-Signature': f'{text},{text}'},
            {'X-Ramp-Signature': ''},
            {'X-Ramp-Signature': 'sha256='},
        ):
            self.assertFalse(verify_signature(SECRET, body, headers), headers)

    def test_headers_that_fall_apart(self):
        class Broken:
            def items(self):
                raise RuntimeError

        class Odd:
            def items(self):
                return [1, 2]

        for headers in (Broken(), Odd(), Broken, Odd):
            self.assertFalse(verify_signature(SECRET, b'{}', headers))

    @calm
    @given(
        secret=st.text(min_size=1),
        body=st.binary(),
        other=st.binary(),
        name=st.sampled_from(NAMES),
        hexadecimal=st.booleans(),
    )
    def test_any_bytes(self, secret, body, other, name, hexadecimal):
        raw = hmac.new(secret.encode('utf-8', 'surrogatepass'), body, hashlib.sha256).digest()
        headers = {
            'Content-Type': 'application/json',
            name: raw.hex() if hexadecimal else base64.b64encode(raw).decode(),
        }
        self.assertIs(verify_signature(secret, body, headers), True)
        self.assertIs(verify_signature(secret, other, headers), other == body)

    @calm
    @given(
        secret=st.text(min_size=1),
        body=st.binary(),
        headers=st.dictionaries(
            st.one_of(st.sampled_from(NAMES), st.text()), st.one_of(st.text(), st.binary(), st.none(), st.integers())
        ),
    )
    def test_any_headers(self, secret, body, headers):
        self.assertIs(verify_signature(secret, body, headers), False)

    @calm
    @given(
        st.from_type(type).flatmap(st.from_type) | st.none(),
        st.binary() | st.none(),
        st.none() | st.integers() | st.text(),
    )
    def test_anything(self, secret, body, headers):
        self.assertIs(verify_signature(secret, body, headers), False)


@tagged('ramp_api')
class TestEvent(PayloadCase):
    def test_all_fields(self):
        found = read(event())
        self.assertEqual((found.id, found.type, found.object_id), (IDS[0], 'transactions.ready_to_sync', IDS[2]))
        self.assertEqual((found.created_at, found.business_id), (parse_utc_moment('2026-08-01T12:00:00Z'), IDS[1]))
        self.assertEqual((found.challenge, found.sync_request_id, found.is_verification), (None, None, False))
        for name in ('resource_id', 'object_id'):
            self.assertEqual(read(event(object={name: IDS[3]})).object_id, IDS[3])
        self.assertEqual(read(event(object={'id': IDS[2], 'sync_request_id': 'r-7'})).sync_request_id, 'r-7')
        self.assertIsNone(read(event(object=MISSING, created_at=None, business_id=MISSING)).object_id)
        self.assertEqual(read(event(type='bills.of_next_year')).type, 'bills.of_next_year')

    def test_verification(self):
        found = read({'type': 'webhooks.verification', 'challenge': 'c-1'})
        self.assertEqual((found.is_verification, found.challenge, found.id), (True, 'c-1', None))
        self.assertNotIn('c-1', repr(found))
        self.assertRefused('challenge', 'required', read, event(type='webhooks.verification'))
        self.assertIsNone(read(event(challenge='c-1')).challenge)

    def test_what_nobody_needs_may_be_as_it_likes(self):
        for value in (1785585600, 'yesterday', '', [], {}, True, '\0', 'x' * 5000):
            found = read(event(created_at=value, business_id=value, object={'id': IDS[2], 'sync_request_id': value}))
            self.assertEqual((found.created_at, found.business_id, found.object_id), (None, None, IDS[2]))
            self.assertIn(found.sync_request_id, (None, 'yesterday'))
            found = read(
                {'type': 'webhooks.verification', 'challenge': 'c-1', 'created_at': value, 'id': value, 'object': value}
            )
            self.assertEqual(found.challenge, 'c-1')
        for about, ident in (
            ({'id': 'T-7'}, 'T-7'),
            ({'id': 7}, None),
            ({'id': 'nul \0'}, None),
            ({'id': 'x' * 201}, None),
            ([], None),
            ('x', None),
            ({'id': 7, 'resource_id': IDS[3]}, IDS[3]),
        ):
            self.assertEqual(read(event(object=about)).object_id, ident, about)

    def test_id(self):
        """An event without a proper id in the body has the header's id, else a hash of the bytes. A repetition has the
        same id.
        """
        for ident in (None, MISSING, '', 7, [], 'nul \0', 'half \ud800', 'x' * 201):
            body = json.dumps(event(id=ident))
            self.assertEqual(read_event(body.encode(), Headers([('X-Ramp-Webhook-ID', 'e-1')])).id, 'e-1')
            for headers in (
                None,
                {},
                {'x-ramp-webhook-id': ''},
                {'X-Ramp-Webhook-Id': 'x' * 201},
                {'X-Ramp-Webhook-ID': 7},
            ):
                self.assertEqual(read_event(body.encode(), headers).id, hashlib.sha256(body.encode()).hexdigest())
            self.assertEqual(read_event(body).id, read_event(body.encode()).id)
        self.assertEqual(read_event(json.dumps(event()).encode(), {'x-ramp-webhook-id': 'e-1'}).id, IDS[0])

    def test_refused(self):
        self.assertRefused('type', 'required', read, event(type=''))
        for body in (b'', b'{', b'\xff\xfe', b'[' * 100000, b'[]', b'7', b'null', None, 7, '"x"'):
            with self.assertRaises(PayloadError):
                read_event(body)

    @calm
    @given(st.binary() | st.text())
    def test_any_body(self, body):
        try:
            read_event(body)
        except PayloadError as error:
            self.assertTrue(error.field)

    def test_subscription(self):
        payload = {
            'id': IDS[0],
            'status': 'ACTIVE',
            'endpoint_url': 'https://example.com/r',
            'event_types': ['bills.paid'],
            'secret': SECRET,
        }
        found = read_subscription(payload)
        self.assertEqual((found.status, found.event_types, found.secret), ('active', ('bills.paid',), SECRET))
        self.assertNotIn(SECRET, repr(found))
        self.assertRefused('status', 'not known', read_subscription, {**payload, 'status': 'asleep'})
        self.assertRefused('event_types[0]', 'a text', read_subscription, {**payload, 'event_types': [7]})

    @unittest.skipUnless(FOLDER.is_dir(), 'the examples of the contract are not here')
    def test_examples(self):
        for name in ('OutboundWebhookSubscriptionResource', 'OutboundWebhookSubscriptionWithSecretResource'):
            payload = json.loads((FOLDER / f'spec-2026-08-01/{name}.json').read_text(encoding='utf-8'))
            self.assertEqual(read_subscription(payload).status, 'active')
        for name in ('WebhookEvent', 'WebhookVerificationEvent'):
            read(json.loads((FOLDER / f'illustrative/{name}.json').read_text(encoding='utf-8'))['example'])


@tagged('ramp_api')
class TestNonsenseWebhooks(NonsenseCase):
    def test_any_field(self):
        self.check(event(), read)
        self.check(
            {'id': IDS[0], 'status': 'active', 'endpoint_url': 'https://example.com', 'event_types': ['a']},
            read_subscription,
        )
