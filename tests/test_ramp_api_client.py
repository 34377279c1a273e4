# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import datetime
import json
import os
import pickle
import socket
import ssl
import stat
import tempfile
import threading
import traceback
from email.utils import formatdate
from unittest.mock import patch

import requests
import responses
from hypothesis import given
from hypothesis import strategies as st
from responses import matchers
from responses.registries import FirstMatchRegistry
from urllib3.exceptions import MaxRetryError, NewConnectionError
from urllib3.exceptions import SSLError as PoolSSLError

from odoo.tests import tagged
from odoo.tests.common import _super_send

from ..ramp_api import (
    DEFAULT_SCOPES,
    MemoryTokenStore,
    RampAuthError,
    RampClient,
    RampConnectionError,
    RampError,
    RampFileError,
    RampIdempotencyReused,
    RampLinkExpired,
    RampNotFound,
    RampOutOfTime,
    RampProtocolError,
    RampRateLimited,
    RampScopeError,
    RampServerError,
    RampValidationError,
    SlidingWindow,
    pipeline,
    scrub_text,
)
from ..ramp_api import limiter as limiter_module
from ..ramp_api.auth import Token
from .properties import examples
from .smoke import PlainCase

BASE = 'https://api.ramp.com/developer/v1'
LIST = f'{BASE}/transactions'
SYNCS = f'{BASE}/accounting/syncs'
CLIENT_ID, SECRET = 'app-id-4711', 'sEcReT-sEcReT-sEcReT'
START = 1_800_000_000.0
PNG = b'\x89PNG\r\n\x1a\n' + b'0' * 20
PUBLIC = [(socket.AF_INET, socket.SOCK_STREAM, 6, '', ('93.184.216.34', 443))]


def refusal(code, message='No.', **fields):
    return {
        'error_v2': {'error_code': code, 'message': message, 'additional_info': fields, 'notes': ''},
        'error': fields,
    }


def refused_connection():
    return requests.ConnectionError(
        MaxRetryError(None, LIST, NewConnectionError(None, 'Connection refused to api.ramp.com'))
    )


class Time:
    """A clock that only advances by sleeping."""

    def __init__(self, now=START):
        self.now = now
        self.slept = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Gate:
    """Replaces the limiter and counts the requests."""

    def __init__(self):
        self.passed = 0
        self.penalties = []

    def acquire_place(self, longest):
        self.passed += 1

    def block_requests(self, seconds):
        self.penalties.append(seconds)


class Once(FirstMatchRegistry):
    """Gives each scripted answer once."""

    def find(self, request):
        reasons = []
        for index, response in enumerate(self.registered):
            matches, reason = response.matches(request)
            if matches:
                del self.registered[index]
                return response, []
            reasons.append(reason)
        return None, reasons


class ClientCase(PlainCase):
    """Every answer is scripted. An unscripted request and an unused script fail the test."""

    @classmethod
    def _request_handler(cls, s, r, /, **kw):
        return _super_send(s, r, **kw)  # `responses` stands behind it and lets nothing out

    def setUp(self):
        super().setUp()
        self.http = responses.RequestsMock(assert_all_requests_are_fired=True, registry=Once)
        self.http.start()
        self.addCleanup(self.http.stop)
        self.time = Time()
        self.gate = Gate()
        self.minted = 0
        patcher = patch.object(socket, 'getaddrinfo', return_value=PUBLIC)
        self.resolve = patcher.start()
        self.addCleanup(patcher.stop)

    def start_over(self):
        self.http.reset()
        self.http._set_registry(Once)
        self.minted = 0

    def client(self, **kwargs):
        options = {
            'limiter': self.gate,
            'sleep': self.time.sleep,
            'clock': self.time.clock,
            'rng': lambda: 1.0,
            **kwargs,
        }
        return RampClient(options.pop('base_url', BASE), CLIENT_ID, SECRET, **options)

    def mint(self, times=1, **answer):
        """Script `times` token answers: token-1, token-2, ..."""
        for _i in range(times):
            self.minted += 1
            body = {'access_token': f'token-{self.minted}', 'expires_in': 864000, 'token_type': 'Bearer'}
            self.http.post(f'{BASE}/token', json={**body, **answer})

    def answer(self, method, url, *bodies, **kwargs):
        """Script one answer after the other: an exception, a status with optional JSON, or bytes."""
        for body in bodies:
            if isinstance(body, (Exception, bytes)):
                self.http.add(method, url, body=body, **kwargs)
            else:
                status, content, *headers = body if isinstance(body, tuple) else (body, {})
                self.http.add(method, url, json=content, status=status, headers=dict(*headers), **kwargs)

    def sent(self, part=''):
        return [call.request for call in self.http.calls if part in call.request.url]

    def bearers(self):
        return [r.headers['Authorization'] for r in self.sent() if not r.url.endswith('/token')]


@tagged('ramp_api')
class TestRequests(ClientCase):
    def test_get(self):
        self.mint()
        self.answer('GET', LIST, (200, {'data': 1}))
        client = self.client()
        noon = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
        answer = client.get(
            '/transactions',
            {'a': True, 'b': False, 'c': None, 'd': noon, 'e': datetime.date(2026, 1, 31), 'f': ['x', 'y'], 'g': 2},
        )
        self.assertEqual(answer, {'data': 1})
        self.assertEqual(
            self.sent()[1].url, f'{LIST}?a=true&b=false&d=2026-01-31T10%3A00%3A00Z&e=2026-01-31&f=x&f=y&g=2'
        )
        self.assertEqual(self.bearers(), ['Bearer token-1'])
        self.assertEqual(self.sent()[1].headers['User-Agent'], 'ramp-connector-odoo/19.0')
        self.assertEqual(self.gate.passed, 2)  # the request for the token counts, too

    def test_naive_datetime_is_refused(self):
        with self.assertRaises(ValueError):
            self.client().get('/transactions', {'from_date': datetime.datetime(2026, 1, 1)})

    def test_methods_and_bodies(self):
        self.mint()
        client = self.client()
        for name in ('post', 'patch', 'put', 'delete'):
            self.http.add(
                name.upper(), f'{BASE}/things/1', json={'id': name}, match=[matchers.json_params_matcher({'a': 1})]
            )
            self.assertEqual(getattr(client, name)('/things/1', {'a': 1}), {'id': name})

    def test_an_empty_object_is_a_body(self):
        self.mint()
        self.answer('POST', SYNCS, (200, {}))
        self.client().post('/accounting/syncs', {})
        self.assertEqual(self.sent(SYNCS)[0].body, b'{}')

    def test_no_content_is_none(self):
        self.mint()
        self.http.add('DELETE', f'{BASE}/things/1', status=204)
        self.http.add('POST', f'{BASE}/things', status=201, body=b'')
        client = self.client()
        self.assertIsNone(client.delete('/things/1'))
        self.assertIsNone(client.post('/things', {}))

    def test_paths_stay_inside_the_api(self):
        for path in ('transactions', '//evil.example', '/a/../b', '/a?b=1', '/a#b', 'https://evil.example/', '/a\\b'):
            with self.subTest(path=path), self.assertRaises(ValueError):
                self.client().get(path)

    def test_base_url(self):
        for given_url, expected in [
            ('https://api.ramp.com', BASE),
            (' https://API.ramp.com/ ', BASE),
            ('https://api.ramp.com/developer', BASE),
            ('https://api.ramp.com/developer/v1/', BASE),
            ('https://proxy.example:8443/ramp', 'https://proxy.example:8443/ramp/developer/v1'),
            ('https://proxy.example/developer/v2', 'https://proxy.example/developer/v2'),
        ]:
            self.assertEqual(self.client(base_url=given_url).base_url, expected)
        for bad in (
            'api.ramp.com',
            'http://api.ramp.com',
            'ftp://api.ramp.com',
            'https://',
            'https://u:p@api.ramp.com',
            'https://api.ramp.com?x=1',
            'https://a b',
            'https://api.ramp.com\\evil.example',
            '',
        ):
            with self.subTest(url=bad), self.assertRaises(ValueError):
                self.client(base_url=bad)
        local = self.client(base_url='http://localhost:8069', allow_http=True)
        self.assertEqual(local.base_url, 'http://localhost:8069/developer/v1')

    def test_timeout_is_always_set(self):
        self.mint()
        seen = []
        self.http.add_callback('GET', LIST, lambda r: (seen.append(r.req_kwargs['timeout']), (200, {}, '{}'))[1])
        self.client(timeout=(3, 4)).get('/transactions')
        self.assertEqual(seen, [(3, 4)])

    def test_credentials_are_required(self):
        for pair in (('', 'x'), ('x', ''), (None, None)):
            with self.assertRaises(ValueError):
                RampClient(BASE, *pair)


@tagged('ramp_api')
class TestRetries(ClientCase):
    def get(self, *bodies, **options):
        self.mint()
        self.answer('GET', LIST, *bodies)
        return self.client(**options).get('/transactions')

    def post(self, *bodies, idempotent=False, **options):
        self.mint()
        self.answer('POST', SYNCS, *bodies)
        return self.client(**options).post('/accounting/syncs', {'a': 1}, idempotent=idempotent)

    def test_get_is_repeated_after_server_errors(self):
        self.assertEqual(self.get(500, 502, (503, {}), (504, {}), (200, {'ok': 1})), {'ok': 1})
        self.assertEqual(self.time.slept, [2.0, 4.0, 8.0, 16.0])
        self.assertEqual(self.gate.passed, 6)

    def test_jitter_is_full(self):
        self.get(500, 500, (200, {}), rng=lambda: 0.25)
        self.assertEqual(self.time.slept, [0.5, 1.0])

    def test_get_gives_up(self):
        with self.assertRaises(RampServerError) as caught:
            self.get(500, 500, (504, {}), max_attempts=3)
        self.assertEqual(caught.exception.status, 504)
        self.assertFalse(caught.exception.maybe_done)
        self.assertTrue(caught.exception.retryable)
        self.assertEqual(len(self.time.slept), 2)

    def test_get_is_repeated_after_lost_connections(self):
        lost = requests.ConnectionError('Connection aborted.')
        self.assertEqual(self.get(requests.ReadTimeout(), lost, requests.ConnectTimeout(), (200, {'ok': 1})), {'ok': 1})

    def test_get_is_repeated_when_the_answer_is_cut_off(self):
        self.assertEqual(self.get(b'{"data": [', b'<html>Bad</html>', b'', (200, {'ok': 1})), {'ok': 1})
        self.assertEqual(len(self.time.slept), 3)

    def test_get_of_rubbish_gives_up(self):
        with self.assertRaises(RampProtocolError) as caught:
            self.get(b'\xff', b'{"a": ', max_attempts=2)
        self.assertFalse(caught.exception.retryable)
        self.assertFalse(caught.exception.maybe_done)

    def test_dropped_while_reading_the_body(self):
        real = requests.Response.iter_content

        def drop(response, *args):
            if response.request.method == 'GET' and len(self.sent(LIST)) == 1:
                raise requests.exceptions.ChunkedEncodingError('Connection broken')
            return real(response, *args)

        with patch.object(requests.Response, 'iter_content', drop):
            self.assertEqual(self.get((200, {}), (200, {'ok': 1})), {'ok': 1})

    def test_body_has_a_limit(self):
        with patch.object(pipeline, 'MAX_BODY', 10), self.assertRaisesRegex(RampProtocolError, 'more than 10 bytes'):
            self.mint()  # 50 bytes and more already
            self.client().get('/transactions')

    # Writes

    def test_post_is_not_repeated_when_it_may_have_been_done(self):
        for outcome, cls in [
            ((500, {}), RampServerError),
            ((504, {}), RampServerError),
            (requests.ReadTimeout(), RampConnectionError),
            (requests.ConnectionError('aborted'), RampConnectionError),
            (b'{"sync', RampProtocolError),
        ]:
            with self.subTest(outcome=outcome):
                self.start_over()
                with self.assertRaises(cls) as caught:
                    self.post(outcome)
                self.assertTrue(caught.exception.maybe_done)
                self.assertIn('check there before repeating', str(caught.exception))
                self.assertEqual(len(self.sent(SYNCS)), 1)
        self.assertEqual(self.time.slept, [])

    def test_other_writes_are_not_repeated_either(self):
        self.mint()
        client = self.client()
        for name in ('patch', 'put', 'delete'):
            self.answer(name.upper(), f'{BASE}/things/1', 500)
            with self.assertRaises(RampServerError):
                getattr(client, name)('/things/1', {})
        self.assertEqual(self.time.slept, [])

    def test_post_is_repeated_when_it_was_not_sent(self):
        certificate = requests.exceptions.SSLError(
            MaxRetryError(None, SYNCS, PoolSSLError(ssl.SSLCertVerificationError('self-signed')))
        )
        done = self.post(refused_connection(), requests.ConnectTimeout(), certificate, (201, {'ok': 1}))
        self.assertEqual(done, {'ok': 1})

    def test_post_that_never_left_is_not_done(self):
        with self.assertRaises(RampConnectionError) as caught:
            self.post(refused_connection(), refused_connection(), max_attempts=2)
        self.assertFalse(caught.exception.maybe_done)
        self.assertFalse(caught.exception.sent)

    def test_what_happened_is_said(self):
        certificate = requests.exceptions.SSLError(
            MaxRetryError(None, SYNCS, PoolSSLError(ssl.SSLCertVerificationError('self-signed')))
        )
        for outcome, words in (
            (refused_connection(), 'the server could not be reached'),
            (requests.ConnectTimeout(), 'no connection in time'),
            (requests.ReadTimeout(), 'no answer in time'),
            (requests.ConnectionError('aborted'), 'the connection was lost'),
            (certificate, r'the secure connection could not be made \(certificate or TLS\)'),
        ):
            with self.subTest(words):
                self.start_over()
                with self.assertRaisesRegex(RampConnectionError, f'^The connection to Ramp failed: {words}'):
                    self.post(outcome, max_attempts=1)

    def test_post_is_repeated_after_429(self):
        self.assertEqual(self.post(429, (201, {'ok': 1})), {'ok': 1})

    def test_post_with_key_is_repeated(self):
        lost = requests.ConnectionError('aborted')
        done = self.post((500, {}), lost, b'{"a', (201, {'ok': 1}), idempotent=True)
        self.assertEqual(done, {'ok': 1})
        self.assertEqual({r.body for r in self.sent(SYNCS)}, {b'{"a": 1}'})

    def test_key_used_by_an_earlier_attempt(self):
        with self.assertRaises(RampIdempotencyReused) as caught:
            self.post(requests.ReadTimeout(), (400, refusal('DEVELOPER_7005')), idempotent=True)
        self.assertTrue(caught.exception.maybe_done)

    def test_key_used_by_somebody_else(self):
        for before in ([], [429], [requests.ConnectTimeout()]):
            with self.subTest(before=before):
                self.start_over()
                with self.assertRaises(RampIdempotencyReused) as caught:
                    self.post(*before, (400, refusal('DEVELOPER_7005')), idempotent=True)
                self.assertFalse(caught.exception.maybe_done)

    def test_doubt_outlives_later_refusals(self):
        with self.assertRaises(RampRateLimited) as caught:
            self.post(500, 429, 429, idempotent=True, max_attempts=3)
        self.assertTrue(caught.exception.maybe_done)

    def test_refusals_are_not_repeated(self):
        for status in (400, 403, 404, 405, 409, 422):
            self.start_over()
            with self.assertRaises(RampError):
                self.get((status, {}))
        self.assertEqual(self.time.slept, [])

    # 429

    def test_retry_after_in_seconds(self):
        self.get((429, {}, {'Retry-After': '7'}), (429, {}, {'Retry-After': '0'}), (200, {}))
        self.assertEqual(self.time.slept, [7.0, 0.0])
        self.assertEqual(self.gate.penalties, [7.0, 0.0])

    def test_retry_after_as_a_date(self):
        dates = []
        for offset in (12, -5):
            moment = datetime.datetime.fromtimestamp(START + offset, datetime.timezone.utc)
            dates.append(moment.strftime('%a, %d %b %Y %H:%M:%S GMT'))
        self.get((429, {}, {'Retry-After': dates[0]}), (429, {}, {'Retry-After': dates[1]}), (200, {}))
        self.assertEqual(self.time.slept, [12.0, 0.0])

    def test_retry_after_has_a_limit(self):
        self.get((429, {}, {'Retry-After': '86400'}), (200, {}))
        self.assertEqual(self.time.slept, [60.0])

    def test_retry_after_nonsense_is_ignored(self):
        for value in ('soon', '-3', 'nan', '1e3', '²'.encode('latin-1').decode('latin-1')):
            self.start_over()
            self.time.slept.clear()
            self.get((429, {}, {'Retry-After': value}), (200, {}))
            self.assertEqual(self.time.slept, [2.0], value)

    def test_429_gives_up_and_warns_the_others(self):
        with self.assertRaises(RampRateLimited) as caught:
            self.get(*[(429, {}, {'Retry-After': '3'})] * 5)
        self.assertEqual(caught.exception.retry_after, 3.0)
        self.assertTrue(caught.exception.retryable)
        self.assertEqual(self.gate.penalties, [3.0] * 5)
        self.assertEqual(len(self.time.slept), 4)

    # Redirects

    def test_redirects_are_never_followed(self):
        for place in ('https://evil.example/x', f'{BASE}/other'):
            self.start_over()
            with self.assertRaises(RampProtocolError) as caught:
                self.get((302, {}, {'Location': place}))
            self.assertEqual(caught.exception.status, 302)
            self.assertEqual(len(self.sent()), 2)


@tagged('ramp_api')
class TestTokens(ClientCase):
    def test_form_and_basic_auth(self):
        self.mint(scope='users:read transactions:read')
        client = self.client(scopes=('users:read', 'transactions:read', 'users:read'))
        self.assertEqual(client.granted_scopes, {'transactions:read', 'users:read'})
        request = self.sent()[0]
        self.assertEqual(request.body, 'grant_type=client_credentials&scope=transactions%3Aread+users%3Aread')
        self.assertEqual(request.headers['Authorization'], requests.auth._basic_auth_str(CLIENT_ID, SECRET))
        self.assertEqual(request.headers['Content-Type'], 'application/x-www-form-urlencoded')

    def test_granted_scopes_may_be_fewer(self):
        self.mint(scope='users:read')
        self.assertEqual(self.client().granted_scopes, {'users:read'})

    def test_scopes_default_to_what_was_asked_for(self):
        self.mint()
        self.assertEqual(self.client().granted_scopes, set(DEFAULT_SCOPES))

    def test_token_is_kept_until_shortly_before_its_end(self):
        self.mint(2)
        self.answer('GET', LIST, *[(200, {})] * 3)
        client = self.client()
        client.get('/transactions')
        self.time.now += 864000 - 301
        client.get('/transactions')
        self.time.now += 2
        client.get('/transactions')
        self.assertEqual(self.bearers(), ['Bearer token-1', 'Bearer token-1', 'Bearer token-2'])

    def test_short_token_is_used_most_of_its_life(self):
        self.mint(2, expires_in=100)
        client = self.client()
        for now, token in [(0, 'token-1'), (89, 'token-1'), (91, 'token-2')]:
            self.time.now = START + now
            self.assertEqual(client.tokens.ensure_current_token().access_token, token)

    def test_store_is_shared_and_json(self):  # pylint: disable=missing-return
        class JsonStore(MemoryTokenStore):
            def store_token(self, token):
                return super().store_token(json.loads(json.dumps(token)))

        store = JsonStore()
        self.mint(3)
        first = self.client(token_store=store)
        self.assertEqual(first.tokens.ensure_current_token(), first.tokens.ensure_current_token())
        self.assertEqual(self.client(token_store=store).tokens.ensure_current_token().access_token, 'token-1')
        # other scopes, or another environment: not the same token
        other = self.client(token_store=store, scopes=('users:read',))
        self.assertEqual(other.tokens.ensure_current_token().access_token, 'token-2')
        store.store_token({'kept': 'by another version'})
        self.assertEqual(self.client(token_store=store).tokens.ensure_current_token().access_token, 'token-3')

    def test_token_of_another_environment_is_not_used(self):
        store = MemoryTokenStore()
        self.mint()
        self.client(token_store=store).tokens.ensure_current_token()
        self.http.post('https://demo-api.ramp.com/developer/v1/token', json={'access_token': 'demo', 'expires_in': 9})
        demo = self.client(base_url='https://demo-api.ramp.com', token_store=store)
        self.assertEqual(demo.tokens.ensure_current_token().access_token, 'demo')

    def test_threads_mint_once(self):
        second = threading.Event()

        def answer(_request):
            if len(asked) == 1:
                second.set()
            asked.append(1)
            second.wait(0.1)  # time enough for another thread to get here, if it could
            return 200, {}, json.dumps({'access_token': 'token-1', 'expires_in': 864000})

        asked = []
        for _i in range(5):
            self.http.add_callback('POST', f'{BASE}/token', answer)
        client = self.client()
        threads = [threading.Thread(target=client.tokens.ensure_current_token) for _i in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(asked), 1)
        self.start_over()

    def test_bad_credentials(self):
        for status, body, code in [
            (401, {'error': 'invalid_client', 'error_description': 'Unknown app'}, 'invalid_client'),
            (400, {'error': 'invalid_client'}, 'invalid_client'),
            (400, refusal('DEVELOPER_7012', 'Grant type is off'), 'DEVELOPER_7012'),
            (403, {}, None),
        ]:
            with self.subTest(body=body):
                self.start_over()
                self.answer('POST', f'{BASE}/token', (status, body))
                with self.assertRaises(RampAuthError) as caught:
                    self.client().get('/transactions')
                self.assertEqual(caught.exception.code, code)
                if 'error_description' in body:
                    self.assertIn('Unknown app', str(caught.exception))
                self.assertIn('Company > Developer', str(caught.exception))
                self.assertFalse(caught.exception.retryable)
        self.assertEqual(self.time.slept, [])

    def test_minting_is_repeated(self):
        self.answer('POST', f'{BASE}/token', 500, requests.ReadTimeout(), 429)
        self.mint()
        self.assertEqual(self.client().tokens.ensure_current_token().access_token, 'token-1')
        self.assertEqual(len(self.time.slept), 3)

    def test_minting_that_fails_leaves_no_doubt_about_the_call(self):
        self.answer('POST', f'{BASE}/token', *[504] * 5)
        with self.assertRaises(RampServerError) as caught:
            self.client().post('/accounting/syncs', {})
        self.assertFalse(caught.exception.maybe_done)

    def test_odd_token_answers(self):
        for body in (
            [],
            {},
            {'access_token': '', 'expires_in': 9},
            {'access_token': 'x'},
            {'access_token': 'x', 'expires_in': 0},
            {'access_token': 'x', 'expires_in': True},
            {'access_token': 7, 'expires_in': 9},
        ):
            with self.subTest(body=body), self.assertRaises(RampProtocolError):
                self.start_over()
                self.answer('POST', f'{BASE}/token', (200, body))
                self.client().tokens.ensure_current_token()

    def test_401_renews_once(self):
        for code in ('DEVELOPER_7028', 'DEVELOPER_7002', None):
            with self.subTest(code=code):
                self.start_over()
                self.mint(2)
                self.answer('POST', SYNCS, (401, refusal(code)), (201, {'ok': 1}))
                self.assertEqual(self.client().post('/accounting/syncs', {}), {'ok': 1})
                self.assertEqual(self.bearers(), ['Bearer token-1', 'Bearer token-2'])

    def test_401_twice_is_an_error(self):
        self.mint(2)
        self.answer('GET', LIST, (401, {}), (401, {}))
        with self.assertRaises(RampAuthError):
            self.client().get('/transactions')

    def test_401_takes_the_token_another_process_minted(self):
        store = MemoryTokenStore()
        self.mint(1)
        client = self.client(token_store=store)
        newer = {**store.read_token(), 'access_token': 'newer'} if client.tokens.ensure_current_token() else None

        def expire(_request):
            store.store_token(newer)
            return 401, {}, '{}'

        self.http.add_callback('GET', LIST, expire)
        self.answer('GET', LIST, (200, {}))
        client.get('/transactions')
        self.assertEqual(self.bearers(), ['Bearer token-1', 'Bearer newer'])

    # The trap: a dead token answers 404

    def aged(self, **options):
        """A client whose token is two minutes old."""
        client = self.client(**options)
        client.tokens.ensure_current_token()
        self.time.now += 120
        return client

    def test_dead_token_behind_a_404(self):
        self.mint(2)
        self.answer('GET', LIST, (404, refusal('DEVELOPER_7002')), (200, {'ok': 1}))
        self.assertEqual(self.aged().get('/transactions'), {'ok': 1})
        self.assertEqual(self.bearers(), ['Bearer token-1', 'Bearer token-2'])

    def test_true_404_costs_one_renewal_and_then_one_question_for_a_while(self):
        self.mint(3)
        self.answer('GET', LIST, *[(404, refusal('DEVELOPER_7002'))] * 7)
        self.answer('GET', f'{BASE}/business', *[(200, {})] * 3)
        client = self.aged()
        for wait, sent_in_all in [(0, 2), (0, 4), (200, 6), (99, 8), (2, 10)]:
            self.time.now += wait
            with self.assertRaises(RampNotFound):
                client.get('/transactions')
            self.assertEqual(len(self.bearers()), sent_in_all)
        self.assertEqual(self.bearers()[-1], 'Bearer token-3')

    def test_fresh_token_is_not_suspected(self):
        """After a 404 a fresh token is checked with one request, and kept. An answer of 200 or 403 shows that it is
        alive.
        """
        for known in ((200, {}), (403, refusal('DEVELOPER_7100'))):
            with self.subTest(known=known):
                self.start_over()
                self.mint()
                self.answer('GET', LIST, (404, refusal('DEVELOPER_7002')))
                self.answer('GET', f'{BASE}/business', known)
                with self.assertRaises(RampNotFound):
                    self.client().get('/transactions')
                self.assertEqual(len(self.sent()), 3)

    def test_fresh_token_that_is_dead(self):
        """A 404 for a fresh token that is dead does not mean that the object is gone. The request is repeated with a
        new token.
        """
        for dead in ((404, refusal('DEVELOPER_7002')), (401, {})):
            with self.subTest(dead=dead):
                self.start_over()
                self.mint(2)
                self.answer('GET', LIST, (404, refusal('DEVELOPER_7002')), (200, {'ok': 1}))
                self.answer('GET', f'{BASE}/business', dead)
                self.assertEqual(self.client().get('/transactions'), {'ok': 1})
                self.assertEqual(self.bearers(), ['Bearer token-1', 'Bearer token-1', 'Bearer token-2'])

    def test_nobody_can_say_whether_the_token_is_known(self):
        self.mint()
        self.answer('GET', LIST, (404, refusal('DEVELOPER_7002')))
        self.answer('GET', f'{BASE}/business', (503, {}))
        with self.assertRaises(RampServerError):
            self.client(max_attempts=1).get('/transactions')

    def test_other_404_does_not_suspect_the_token(self):
        self.mint()
        client = self.aged()
        self.answer('GET', LIST, (404, refusal('DEVELOPER_7099')))
        self.http.add('GET', LIST, body='<html>no such page</html>', status=404)
        for _i in range(2):
            with self.assertRaises(RampNotFound) as caught:
                client.get('/transactions')
            self.assertNotIn('<html>', str(caught.exception))

    def test_401_renews_even_after_a_404_did(self):
        self.mint(3)
        answers = [(404, refusal('DEVELOPER_7002')), (404, refusal('DEVELOPER_7002')), (401, {}), (200, {})]
        self.answer('GET', LIST, *answers)
        client = self.aged()
        with self.assertRaises(RampNotFound):
            client.get('/transactions')
        client.get('/transactions')
        self.assertEqual(self.bearers()[-1], 'Bearer token-3')

    def test_burnt_key_does_not_hide_the_true_404(self):
        self.mint(2)
        self.answer('POST', SYNCS, (404, refusal('DEVELOPER_7002', 'No such user')), (400, refusal('DEVELOPER_7005')))
        with self.assertRaises(RampNotFound) as caught:
            self.aged().post('/accounting/syncs', {}, idempotent=True)
        self.assertEqual(caught.exception.message, 'No such user')

    def test_key_used_after_a_renewal_is_told(self):
        self.mint(2)
        self.answer('POST', SYNCS, (401, {}), (400, refusal('DEVELOPER_7005')))
        with self.assertRaises(RampIdempotencyReused):
            self.aged().post('/accounting/syncs', {}, idempotent=True)

    def test_credentials_that_died_with_the_token(self):
        self.mint()
        self.answer('POST', f'{BASE}/token', (401, {'error': 'invalid_client'}))
        self.answer('GET', LIST, (404, refusal('DEVELOPER_7002')))
        with self.assertRaises(RampAuthError):
            self.aged().get('/transactions')

    def test_date_of_retry_after_is_of_the_clock_that_says_it(self):
        """A date in Retry-After is read against the server's clock, which may differ by minutes in either direction."""
        for skew in (-600, 0, 600):
            with self.subTest(skew=skew):
                self.start_over()
                self.mint()
                told = self.time.now + skew
                headers = {'Date': formatdate(told, usegmt=True), 'Retry-After': formatdate(told + 7, usegmt=True)}
                self.answer('GET', LIST, (429, {}, headers), (200, {}))
                before = self.time.now
                self.client().get('/transactions')
                self.assertEqual(round(self.time.now - before), 7)

    def test_difference_of_the_clocks(self):
        """The client knows by how much Ramp's clock is ahead, from the last answer that says Ramp's time."""
        for skew in (-600, 0, 600):
            with self.subTest(skew=skew):
                self.start_over()
                self.mint()
                told = {'Date': formatdate(self.time.now + skew, usegmt=True)}
                self.answer('GET', LIST, (200, {}, told), (200, {}, {'Date': 'soon'}), (400, {}))
                client = self.client()
                self.assertIsNone(client.clock_difference)
                client.get('/transactions')
                client.get('/transactions')
                with self.assertRaises(RampValidationError):
                    client.get('/transactions')
                self.assertEqual(client.clock_difference, skew)

    # Revoking

    def test_revoke(self):
        store = MemoryTokenStore()
        self.mint(2)
        client = self.client(token_store=store)
        client.tokens.revoke_stored_token()  # nothing to revoke, nothing sent
        self.assertEqual(len(self.sent()), 0)
        client.tokens.ensure_current_token()
        self.http.post(
            f'{BASE}/token/revoke',
            body=b'',
            match=[matchers.urlencoded_params_matcher({'token': 'token-1', 'token_type_hint': 'access_token'})],
        )
        client.tokens.revoke_stored_token()
        self.assertIsNone(store.read_token())
        self.assertEqual(client.tokens.ensure_current_token().access_token, 'token-2')

    def test_revoke_sign_in(self):
        """The refresh token of a person goes first. It is no text that anybody may see."""
        self.mint()
        client = self.client()
        client.tokens.ensure_current_token()
        for token, kind in (('long-lived', 'refresh_token'), ('token-1', 'access_token')):
            self.http.post(
                f'{BASE}/token/revoke',
                body=b'',
                match=[matchers.urlencoded_params_matcher({'token': token, 'token_type_hint': kind})],
            )
        client.tokens.revoke_stored_token('long-lived')
        self.assertEqual(
            [form.rpartition('=')[2] for form in (call.request.body for call in self.http.calls[1:])],
            ['refresh_token', 'access_token'],
        )
        self.assertIn('long-lived', client.tokens.known_secrets)

    def test_revoke_forgets_even_offline(self):
        store = MemoryTokenStore()
        self.mint()
        client = self.client(token_store=store, max_attempts=1)
        client.tokens.ensure_current_token()
        self.answer('POST', f'{BASE}/token/revoke', refused_connection())
        with self.assertRaises(RampConnectionError):
            client.tokens.revoke_stored_token()
        self.assertIsNone(store.read_token())


@tagged('ramp_api')
class TestPages(ClientCase):
    def page(self, rows, following, **kwargs):
        self.answer('GET', LIST, (200, {'data': rows, 'page': {'next': following}}), **kwargs)

    def pages(self, *args, **kwargs):
        return list(self.client().list_pages('/transactions', *args, **kwargs))

    def test_follows_next(self):
        self.mint()
        second = f'{LIST}?page_size=100&start=b'
        self.page([{'id': 'a'}, 'odd', None], second)
        self.page([{'id': 'c'}], None)
        pages = self.pages({'state': 'CLEARED'})
        self.assertEqual([page.rows for page in pages], [[{'id': 'a'}, 'odd', None], [{'id': 'c'}]])
        self.assertEqual([page.next_url for page in pages], [second, None])
        self.assertEqual([r.url for r in self.sent(LIST)], [f'{LIST}?page_size=100&state=CLEARED', second])

    def test_is_lazy(self):
        self.mint()
        self.page([1], f'{LIST}?start=b')
        self.assertEqual(next(self.client().list_pages('/transactions')).rows, [1])

    def test_resumes(self):
        self.mint()
        self.page([], None)
        self.pages(start_url='https://API.ramp.com:443/developer/v1/transactions?start=x')
        self.assertEqual(self.sent(LIST)[0].url, f'{LIST}?start=x')

    def test_page_size(self):
        self.mint(2)
        for size in (2, 100):
            self.page([], None)
            self.pages({'page_size': size})
        for size in (1, 101, '50', None, True):
            with self.subTest(size=size), self.assertRaises(ValueError):
                self.pages({'page_size': size})

    def test_never_leaves_the_host(self):
        for place in (
            'https://evil.example/developer/v1/transactions',
            'http://api.ramp.com/developer/v1/transactions',
            'https://api.ramp.com:8443/developer/v1/transactions',
            'https://api.ramp.com@evil.example/',
            'https://evil.example\\@api.ramp.com/',
            'https://user:pass@api.ramp.com/x',
            'https://api.ramp.com.evil.example/',
            'https://api.ramp.com /x',
            '//api.ramp.com/x',
            '/developer/v1/transactions?start=b',
            'https://api.ramp.com:port/',
        ):
            with self.subTest(place=place):
                self.start_over()
                self.mint()
                self.page([1], place)
                with self.assertRaisesRegex(RampProtocolError, 'another host'):
                    self.pages()
                with self.assertRaisesRegex(RampProtocolError, 'another host'):
                    self.pages(start_url=place)
                self.assertEqual({r.url.split('?')[0] for r in self.sent()}, {f'{BASE}/token', LIST})

    def test_circle(self):
        self.mint()
        second, third = f'{LIST}?start=b', f'{LIST}?start=c'
        for following in (second, third, second):
            self.page([1], following)
        with self.assertRaisesRegex(RampProtocolError, 'circle'):
            self.pages()

    def test_wrong_shapes(self):
        for body in (
            [],
            {},
            {'data': {}, 'page': {'next': None}},
            {'data': None, 'page': {'next': None}},
            {'data': []},
            {'data': [], 'page': None},
            {'data': [], 'page': {'next': 7}},
            'text',
            None,
        ):
            with self.subTest(body=body), self.assertRaises(RampProtocolError):
                self.start_over()
                self.mint()
                self.http.get(LIST, body=json.dumps(body))
                self.pages()


@tagged('ramp_api')
class TestErrors(ClientCase):
    def error(self, status, body, **options):
        self.start_over()
        self.mint()
        self.answer('GET', LIST, (status, body, {'x-trace-id': 'trace-9'}))
        if status == 404 and refusal('DEVELOPER_7002') == body:
            self.answer('GET', f'{BASE}/business', (200, {}))  # asks whether the token is dead
        with self.assertRaises(RampError) as caught:
            self.client(max_attempts=1, **options).get('/transactions', {'q': 'hidden'})
        return caught.exception

    def test_classes(self):
        for status, code, cls in [
            (400, 'DEVELOPER_7005', RampIdempotencyReused),
            (400, 'DEVELOPER_7020', RampValidationError),
            (403, 'DEVELOPER_7100', RampScopeError),
            (403, None, RampScopeError),
            (403, 'DEVELOPER_TRANSACTION_SPLIT_NOT_ALLOWED', RampValidationError),
            (404, 'DEVELOPER_7002', RampNotFound),
            (409, None, RampValidationError),
            (422, 'DEVELOPER_7001', RampValidationError),
            (429, None, RampRateLimited),
            (408, None, RampServerError),
            (500, None, RampServerError),
            (307, None, RampProtocolError),
        ]:
            with self.subTest(status=status, code=code):
                error = self.error(status, refusal(code))
                self.assertIs(type(error), cls)
                self.assertEqual((error.status, error.code), (status, code))
                retryable = cls in (RampRateLimited, RampServerError)
                self.assertEqual(error.retryable, retryable)

    def test_sentence(self):
        error = self.error(
            422, refusal('DEVELOPER_7001', 'Value is wrong', page_size=['Too large', 'Odd'], memo='Too long')
        )
        self.assertEqual(error.details, {'page_size': ['Too large', 'Odd'], 'memo': ['Too long']})
        self.assertEqual(
            str(error),
            'Ramp refused the request: Value is wrong; page_size: Too large, Odd; memo: Too long '
            '[DEVELOPER_7001, HTTP 422, GET /transactions, trace trace-9].',
        )
        self.assertEqual((error.method, error.path, error.trace_id), ('GET', '/transactions', 'trace-9'))

    def test_sentence_does_not_repeat_itself(self):
        error = self.error(422, refusal('DEVELOPER_7001', 'Too large', page_size=['Too large']))
        self.assertIn('refused the request: page_size: Too large [DEVELOPER_7001', str(error))
        self.assertIn('HTTP 500', str(self.error(500, {})))

    def test_odd_bodies(self):
        for body in ([], 'text', None, 7, {'error_v2': 'x', 'error': 7}, {'error_v2': {'message': ['x']}}):
            with self.subTest(body=body):
                self.assertEqual(self.error(422, body).message, '')
        self.assertEqual(self.error(422, {'error': {'a': ['b']}}).details, {'a': ['b']})
        self.assertEqual(self.error(422, {'error': 'legacy'}).message, 'legacy')
        nested = self.error(422, {'error': {'lines': {'0': {'amount': ['bad']}}}})
        self.assertIn('bad', str(nested))

    def test_pickle(self):
        for error in (
            self.error(422, refusal('DEVELOPER_7001', 'Wrong', memo=['Too long'])),
            RampConnectionError('lost', sent=False, method='GET', path='/x'),
            RampProtocolError('odd', garbled=True),
        ):
            again = pickle.loads(pickle.dumps(error))
            self.assertIs(type(again), type(error))
            self.assertEqual(again.__dict__, error.__dict__)
            self.assertEqual(str(again), str(error))

    def test_scrub(self):
        for text, clean in [
            ('user ada.moss+1@example.co.uk exists', 'user [email] exists'),
            ('account 1234 5678 9012 3456 is closed', 'account [number] is closed'),
            ('Bearer abcdefghijkl', 'Bearer ***'),
            ('token ramp_business_tok_AbC1 is old', 'token *** is old'),
            ('see https://files.example.com/a.png?Signature=x', 'see https://files.example.com/a.png?...'),
            ('the word is xyzzy', 'the word is ***'),
            ('line\none', 'line one'),
        ]:
            self.assertEqual(scrub_text(text, ['xyzzy', '']), clean)
        untouched = 'id fd14cd6a-846e-4994-9315-5a59e6bb465f, 90.00 USD on 2026-01-31'
        self.assertEqual(scrub_text(untouched), untouched)
        self.assertEqual(len(scrub_text('x' * 9999)), 500)

    def test_nothing_secret_anywhere(self):
        """Logs, message, repr, pickle and traceback of a request that fails in every way contain nothing secret."""
        self.mint(2)
        leak = f'{SECRET} token-2 ada@example.com'
        self.answer('POST', SYNCS, (401, {}), (422, refusal('DEVELOPER_7001', leak, memo=[leak])))
        self.answer(
            'POST',
            f'{BASE}/things',
            requests.ConnectionError(f'{SECRET} token-2 at /things?q=private'),
            requests.ReadTimeout(leak),
        )
        client = self.client(max_attempts=1)
        texts = [repr(client), repr(client.tokens)]
        with self.assertLogs('odoo.addons.ramp_connector.ramp_api', 'DEBUG') as logs:
            texts.append(repr(client.tokens.ensure_current_token()))
            for path in ('/accounting/syncs', '/things', '/things'):
                with self.assertRaises(RampError) as caught:
                    client.post(path, {'memo': 'private words'})
                error = caught.exception
                texts += [str(error), repr(error), repr(error.__dict__), repr(pickle.dumps(error))]
                texts += traceback.format_exception(error)
                seen = error
                while seen is not None:  # reporting tools walk the chain, too
                    texts.append(str(seen))
                    self.assertIsInstance(seen, RampError)
                    seen = seen.__cause__ or seen.__context__
        self.answer('GET', LIST, 200)
        with self.assertLogs('odoo.addons.ramp_connector.ramp_api', 'DEBUG') as more:
            client.get('/transactions', {'q': 'private'})
        self.assertRegex(more.output[0], r'GET /transactions -> 200 in \d+ ms, trace None')
        for text in texts + logs.output + more.output:
            for secret in (SECRET, 'token-1', 'token-2', 'ada@example.com', 'private'):
                self.assertNotIn(secret, text)


@tagged('ramp_api')
class TestDownload(ClientCase):
    URL = 'https://files.example.com/demo/receipt%20one.png?Expires=1&Signature=s3cr3t'

    def download(self, *bodies, url=URL, max_bytes=1000, allowed_types=None, headers=None, **options):
        for body in bodies:
            if isinstance(body, tuple):
                self.http.add('GET', url, status=body[0], headers=body[1] if len(body) > 1 else {})
            else:
                self.http.add('GET', url, body=body, headers=headers)
        return self.client(**options).download_file(url, max_bytes, allowed_types)

    def test_plain(self):
        session = requests.Session()
        session.headers['Authorization'] = 'Bearer left-over'
        with patch.object(requests.sessions, 'get_netrc_auth', return_value=('user', 'pass')):
            file = self.download(PNG, session=session, headers={'Content-Type': 'text/html'})
        self.assertEqual((file.content, file.mimetype, file.filename), (PNG, 'image/png', 'receipt one.png'))
        self.assertEqual(len(self.sent()), 1)  # no token was asked for
        self.assertNotIn('Authorization', self.sent()[0].headers)
        self.assertEqual(self.gate.passed, 0)  # another host, another limit
        self.assertNotIn('PNG', repr(file))

    def test_types_are_sniffed(self):
        for content, mimetype in [
            (b'%PDF-1.7 x', 'application/pdf'),
            (PNG, 'image/png'),
            (b'\xff\xd8\xff\xe0x', 'image/jpeg'),
            (b'GIF89ax', 'image/gif'),
            (b'RIFF\0\0\0\0WEBPx', 'image/webp'),
            (b'\0\0\0\x18ftypheic', 'image/heic'),
            (b'\xef\xbb\xbf<?xml version="1.0"?><Invoice/>', 'application/xml'),
            (b'<html>', 'application/octet-stream'),  # though the server says it is a picture
            (b'RIFF\0\0\0\0WAVEx', 'application/octet-stream'),
            (b'\0\0\0\x18ftypmp42', 'application/octet-stream'),
        ]:
            with self.subTest(mimetype=mimetype):
                self.start_over()
                file = self.download(content, headers={'Content-Type': 'image/png'})
                self.assertEqual(file.mimetype, mimetype)
        self.start_over()
        file = self.download(b'hello', headers={'Content-Type': 'text/plain; charset=utf-8'})
        self.assertEqual(file.mimetype, 'text/plain')
        self.start_over()
        file = self.download(
            b'<Invoice/>',
            headers={'Content-Type': 'application/xml', 'Content-Disposition': 'attachment; filename="Factur-X.xml"'},
        )
        self.assertEqual((file.mimetype, file.filename), ('application/xml', 'Factur-X.xml'))

    def test_names(self):
        for header, name in [
            ('attachment; filename="bill.png"', 'bill.png'),
            ('attachment; filename="../../etc/passwd"', 'passwd.png'),
            ('attachment; filename="a\\b<c>.PNG"', 'b_c_.PNG'),
            ("attachment; filename*=UTF-8''caf%C3%A9.png", 'café.png'),
            ('attachment; filename="bill.exe"', 'bill.exe.png'),
            ('attachment; filename=".."', 'receipt.png'),
            ('inline', 'receipt one.png'),
        ]:
            with self.subTest(header=header):
                self.start_over()
                self.assertEqual(self.download(PNG, headers={'Content-Disposition': header}).filename, name)

    def test_limits(self):
        self.assertEqual(self.download(PNG, max_bytes=len(PNG)).content, PNG)
        for kwargs, text in [
            ({'max_bytes': len(PNG) - 1}, 'more than 27 bytes'),
            ({'allowed_types': ['application/pdf']}, 'image/png are not allowed'),
        ]:
            with self.assertRaisesRegex(RampFileError, text):
                self.download(PNG, **kwargs)
        self.start_over()
        with self.assertRaisesRegex(RampFileError, 'empty'):
            self.download(b'')
        self.assertEqual(self.time.slept, [])

    def test_expired(self):
        for status in (403, 404, 410):
            self.start_over()
            with self.assertRaises(RampLinkExpired) as caught:
                self.download((status,))
            self.assertTrue(caught.exception.retryable)
            self.assertNotIn('s3cr3t', str(caught.exception) + repr(caught.exception.__dict__))
        self.assertEqual(self.time.slept, [])

    def test_repeats_after_trouble(self):
        with self.assertLogs('odoo.addons.ramp_connector.ramp_api', 'DEBUG') as logs:
            self.assertEqual(self.download((503,), requests.ReadTimeout(), PNG).content, PNG)
        self.assertNotIn('s3cr3t', ''.join(logs.output))

    def test_incomplete_file(self):
        with self.assertRaisesRegex(RampConnectionError, 'incomplete|lost'):  # as urllib3 1 or 2 lets one find out
            self.download(PNG, headers={'Content-Length': '29'}, max_attempts=1)

    def test_redirects(self):
        there = 'https://files.example.com/there.png'
        self.http.add('GET', there, body=PNG)
        self.assertEqual(self.download((302, {'Location': '/there.png'})).filename, 'there.png')
        for place in ('https://other.example.com/x', 'http://files.example.com/x', 'https://files.example.com:99/'):
            self.start_over()
            with self.assertRaisesRegex(RampProtocolError, 'another host'):
                self.download((302, {'Location': place}))
        self.start_over()
        with self.assertRaisesRegex(RampProtocolError, 'too many'):
            self.download(*[(302, {'Location': self.URL})] * 3)
        self.assertEqual(len(self.sent()), 3)

    def test_own_network_is_not_asked(self):
        for url in (
            'http://files.example.com/x',
            'https://127.0.0.1/x',
            'https://[::1]/x',
            'https://8.8.8.8/x',
            'https://u@files.example.com/x',
            'https://files.example.com\\@evil.example/',
            'https://evil.example\\files.example.com/',
            'file:///etc/passwd',
            'https:///x',
            'https://[/x',
            '',
            None,
        ):
            with self.subTest(url=url), self.assertRaises(RampProtocolError):
                self.client().download_file(url, 10)
        for ip in ('127.0.0.1', '10.1.2.3', '169.254.169.254', '100.64.0.1', '::1', 'fe80::1%eth0', 'fd00::1') + (
            '::ffff:10.0.0.1',
            '224.0.0.1',
            '0.0.0.0',
        ):
            self.resolve.return_value = PUBLIC + [(0, 0, 0, '', (ip, 443))]
            with self.subTest(ip=ip), self.assertRaisesRegex(RampProtocolError, 'private network'):
                self.client().download_file(self.URL, 10)
        self.assertEqual(len(self.sent()), 0)

    def test_public_addresses_are_asked(self):
        for ip in ('93.184.216.34', '2606:2800:220:1::1', '::ffff:93.184.216.34'):
            self.resolve.return_value = [(0, 0, 0, '', (ip, 443))]
            self.assertEqual(self.download(PNG).content, PNG)

    def test_name_that_does_not_resolve_here_may_do_so_at_a_proxy(self):
        self.resolve.side_effect = socket.gaierror()
        self.assertEqual(self.download(PNG).content, PNG)

    def test_allow_http_is_for_the_simulator(self):
        url = 'http://127.0.0.1:8069/file'
        self.assertEqual(self.download(PNG, url=url, allow_http=True).content, PNG)


@tagged('ramp_api')
class TestLimiter(PlainCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.time = Time(now=1000.0)
        patcher = patch.dict(limiter_module._local_states, clear=True)
        patcher.start()
        self.addCleanup(patcher.stop)

    def limiter(self, **kwargs):
        options = {'directory': self.folder, 'clock': self.time.clock, 'sleep': self.time.sleep, **kwargs}
        return SlidingWindow(options.pop('host', 'api.ramp.com'), **options)

    def test_limit_is_shared_between_instances(self):
        one, other, elsewhere = self.limiter(limit=2), self.limiter(limit=2), self.limiter(host='x', limit=2)
        self.assertEqual([one.acquire_place(), other.acquire_place(), elsewhere.acquire_place()], [0, 0, 0])
        self.assertEqual(os.listdir(self.folder).__len__(), 2)
        self.time.now += 4
        self.assertAlmostEqual(one.acquire_place(), 6.0)
        self.assertEqual(other.acquire_place(), 0)
        self.assertAlmostEqual(other.acquire_place(), 10.0)

    def test_default_is_below_what_ramp_allows(self):
        limiter = self.limiter()
        self.assertEqual(sum(limiter.acquire_place() == 0 for _i in range(191)), 190)

    def test_penalty_holds_everybody(self):
        one, other = self.limiter(), self.limiter()
        one.block_requests(7)
        one.block_requests(3)  # a shorter one does not shorten it
        self.assertAlmostEqual(other.acquire_place(), 7.0)
        self.assertEqual(one.acquire_place(), 0)
        one.block_requests(10**6)
        self.assertAlmostEqual(other.acquire_place(), 60.0)
        one.block_requests(-5)
        self.assertEqual(other.acquire_place(), 0)

    def test_file_is_private(self):
        limiter = self.limiter()
        limiter.acquire_place()
        info = os.stat(limiter.path)
        self.assertEqual(stat.S_IMODE(info.st_mode), 0o600)
        self.assertNotIn('ramp.com', limiter.path)

    def test_untrusted_files_are_left_alone(self):
        target = os.path.join(self.folder, 'target')
        with open(target, 'w') as file:
            file.write('precious')
        os.chmod(target, 0o600)
        path = self.limiter().path
        for name, prepare in [
            ('symlink', lambda: os.symlink(target, path)),
            ('hard link', lambda: os.link(target, path)),
            ('folder', lambda: os.mkdir(path)),
            ('pipe', lambda: os.mkfifo(path, 0o600)),
            ('open to all', lambda: (open(path, 'w').close(), os.chmod(path, 0o666))),
        ]:
            with self.subTest(name=name):
                limiter_module._local_states.clear()
                prepare()
                one, other = self.limiter(limit=1), self.limiter(limit=1)
                self.assertEqual(one.acquire_place(), 0)
                self.assertAlmostEqual(other.acquire_place(), 10.0)  # still counted, within this process
                with open(target) as file:
                    self.assertEqual(file.read(), 'precious')
                if name == 'open to all':
                    self.assertEqual(os.path.getsize(path), 0)  # others could have written it
                os.rmdir(path) if name == 'folder' else os.unlink(path)

    def test_missing_folder_and_missing_fcntl(self):
        one = self.limiter(directory='/nonexistent', limit=1)
        self.assertEqual(one.acquire_place(), 0)
        self.assertAlmostEqual(one.acquire_place(), 10.0)
        with patch.object(limiter_module, 'fcntl', None):
            one, other = self.limiter(limit=1), self.limiter(limit=1)
            one.acquire_place()
            self.assertAlmostEqual(other.acquire_place(), 10.0)
        self.assertEqual(os.listdir(self.folder), [])

    def test_damaged_state_and_reboot(self):
        limiter = self.limiter(limit=1)
        for content in (
            b'',
            b'{"hits": [10',
            b'[]',
            b'{"hits": 5, "blocked_until": 0}',
            b'\xff',
            b'{"hits": [900000.0], "blocked_until": 900000.0}',  # the clock has started again since
        ):
            with open(limiter.path, 'wb') as file:
                file.write(content)
            os.chmod(limiter.path, 0o600)
            self.assertEqual(limiter.acquire_place(), 0, content)

    def test_threads_do_not_lose_each_other(self):
        def work():
            limiter = self.limiter(limit=1000)
            for _i in range(20):
                limiter.acquire_place()

        threads = [threading.Thread(target=work) for _i in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with open(self.limiter().path) as file:
            self.assertEqual(len(json.load(file)['hits']), 100)

    @examples(50)
    @given(
        st.integers(1, 5),
        st.lists(st.tuples(st.floats(0, 6), st.sampled_from([None, None, None, 0, 3])), min_size=5, max_size=30),
        st.booleans(),
    )
    def test_never_more_than_the_limit_in_any_window(self, limit, steps, shared):
        limiter_module._local_states.clear()
        for name in os.listdir(self.folder):
            os.unlink(os.path.join(self.folder, name))
        limiters = [self.limiter(limit=limit, shared=shared) for _i in range(2)]
        passed, free_at = [], 0.0
        for number, (pause, penalty) in enumerate(steps):
            self.time.now += pause
            limiter = limiters[number % 2]
            if penalty is not None:
                limiter.block_requests(penalty)
                free_at = max(free_at, self.time.now + penalty)
            asked = self.time.now
            due = max([asked, free_at] + [passed[-limit] + 10 for _x in passed[:1] if len(passed) >= limit])
            limiter.acquire_place()
            self.assertGreaterEqual(self.time.now + 1e-6, due)
            self.assertLess(self.time.now - due, 0.01)  # it waits no longer than needed
            passed.append(self.time.now)


class Slow(threading.Thread):
    """A server on this machine that takes a request and then calls `act(connection)`."""

    def __init__(self, act):
        super().__init__(daemon=True)
        self.act = act
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.over = threading.Event()
        self.accepted = 0

    def run(self):
        while True:
            try:
                connection, _address = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            with connection:
                connection.recv(65536)
                try:
                    self.act(connection)
                except OSError:
                    continue

    def stop(self):
        self.over.set()
        self.listener.close()

    def trickle(self, connection, text):
        """Send a byte every 20 ms, so that there is never a long pause."""
        for number in range(len(text)):
            connection.sendall(text[number : number + 1])
            if self.over.wait(0.02):
                return


@tagged('ramp_api')
class TestTimes(PlainCase):
    """An answer, and all the requests of a run, end in time, whatever the server does."""

    HEAD = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n'
    LONG = b' ' * 5000

    @classmethod
    def _request_handler(cls, s, r, /, **kw):
        return _super_send(s, r, **kw)

    def server(self, act):
        server = Slow(lambda connection: act(server, connection))
        server.start()
        self.addCleanup(server.stop)
        return server

    def client(self, server, **options):
        store = MemoryTokenStore()
        client = RampClient(
            f'http://127.0.0.1:{server.port}',
            CLIENT_ID,
            SECRET,
            **{
                'allow_http': True,
                'token_store': store,
                'answer_seconds': 0.2,
                'max_attempts': 1,
                'sleep': lambda seconds: None,
                'limiter': SlidingWindow('test', limit=10**6, shared=False),
                **options,
            },
        )
        client.tokens.ensure_current_token = lambda: Token('token', 0, float('inf'), (), 'x')
        return client

    def assertSilent(self, act, method='get', **options):
        server = self.server(act)
        client = self.client(server, **options)
        with self.assertRaisesRegex(RampConnectionError, 'no answer in time|connection was lost') as caught:
            getattr(client, method)('/transactions')
        self.assertIs(client.silence, caught.exception)
        self.assertFalse(client.answered)
        return server, caught.exception

    def test_hangs(self):
        self.assertSilent(lambda server, connection: server.over.wait(20))

    def test_trickles_its_headers(self):
        self.assertSilent(
            lambda server, connection: server.trickle(connection, self.HEAD + b'X: ' + self.LONG + b'\r\n\r\n{}')
        )

    def test_trickles_its_body(self):
        head = self.HEAD + b'Content-Length: 5002\r\n\r\n'

        def act(server, connection):
            connection.sendall(head)
            server.trickle(connection, self.LONG + b'{}')

        self.assertSilent(act)

    def test_trickles_chunks(self):
        def act(server, connection):
            connection.sendall(self.HEAD + b'Transfer-Encoding: chunked\r\n\r\n')
            server.trickle(connection, b'1\r\n \r\n' * 1000 + b'0\r\n\r\n')

        self.assertSilent(act)

    def test_a_write_may_have_arrived(self):
        _server, error = self.assertSilent(lambda server, connection: server.over.wait(20), 'post')
        self.assertTrue(error.maybe_done and error.sent)

    def test_connection_that_was_kept(self):
        """The time of an earlier answer on the same connection does not count for the next one."""
        answers = []

        def act(server, connection):
            for _number in range(3):
                answers.append(1)
                connection.sendall(self.HEAD + b'Content-Length: 2\r\n\r\n{}')
                connection.recv(65536)

        server = self.server(act)
        client = self.client(server, answer_seconds=20)
        for _number in range(3):
            self.assertEqual(client.get('/transactions'), {})
        self.assertEqual((server.accepted, len(answers)), (1, 3))
        self.assertTrue(client.answered)
        self.assertIsNone(client.silence)

    def test_addresses_share_the_time_to_connect(self):
        waits = []

        def connect(address, timeout, **options):
            waits.append((address[0], timeout))
            raise TimeoutError

        names = [(socket.AF_INET, socket.SOCK_STREAM, 6, '', (f'10.0.0.{number}', 80)) for number in range(4)]
        client = self.client(self.server(lambda server, connection: None), timeout=(2, 5), answer_seconds=30)
        with (
            patch.object(socket, 'getaddrinfo', return_value=names),
            patch('urllib3.util.connection.create_connection', connect),
            self.assertRaisesRegex(RampConnectionError, 'no connection in time'),
        ):
            client.get('/transactions')
        self.assertEqual([address for address, _timeout in waits], [f'10.0.0.{number}' for number in range(4)])
        self.assertLess(waits[0][1], 0.6)


@tagged('ramp_api')
class TestDeadline(ClientCase):
    """The time that a run has left decides which requests are still sent."""

    def client(self, left=60.0, **options):
        start = self.time.now
        return super().client(**{'monotonic': self.time.clock, 'deadline': start + left, **options})

    def test_a_try_that_does_not_fit_is_not_begun(self):
        client = self.client(left=9.0)
        with self.assertRaises(RampOutOfTime) as caught:
            client.get('/transactions')
        self.assertFalse(self.http.calls)
        self.assertTrue(caught.exception.retryable)
        self.assertIsNone(client.silence)

    def test_an_answer_ends_with_the_run(self):
        """An answer may take its own time, but no longer than what is left of the run."""
        for left, seconds in ((60.0, 30.0), (12.0, 12.0)):
            with self.subTest(left=left):
                client = self.client(left=left)
                self.mint()
                self.answer('GET', LIST, (200, {'data': []}))
                with patch.object(client._answer_time, 'begin_answer_time') as begin:
                    client.get('/transactions')
                self.assertEqual([call.args for call in begin.call_args_list], [(seconds,)] * 2)

    def test_pauses_that_do_not_fit(self):
        self.mint()
        self.answer('GET', LIST, 500, 500, 500)
        client = self.client(left=20.0)
        with self.assertRaises(RampOutOfTime) as caught:
            client.get('/transactions')
        self.assertEqual(self.time.slept, [2.0, 4.0])
        self.assertEqual(caught.exception.retry_after, 8.0)
        self.assertIsNone(client.silence)
        self.assertTrue(client.answered)

    def test_a_pause_that_ramp_wants(self):
        self.mint()
        self.answer('GET', LIST, (429, {}, {'Retry-After': '55'}))
        with self.assertRaises(RampOutOfTime) as caught:
            self.client().get('/transactions')
        self.assertEqual((self.time.slept, caught.exception.retry_after), ([], 55.0))
        self.assertEqual(self.gate.penalties, [55.0], 'the other workers are told')

    def test_the_limit_is_reached(self):
        self.gate.acquire_place = lambda longest: (_ for _ in ()).throw(limiter_module.LimitReached(longest + 1))
        with self.assertRaises(RampOutOfTime) as caught:
            self.client().get('/transactions')
        self.assertEqual(caught.exception.retry_after, 51.0)

    def test_limiter_does_not_sleep_in_vain(self):
        limiter = SlidingWindow('test', limit=1, shared=False, clock=self.time.clock, sleep=self.time.sleep)
        limiter.acquire_place()
        with self.assertRaises(limiter_module.LimitReached) as caught:
            limiter.acquire_place(5.0)
        self.assertEqual((caught.exception.seconds, self.time.slept), (10.0, []))
        self.assertEqual(limiter.acquire_place(10.5), 10.0)

    def test_nobody_answered(self):
        """If nobody answered, the run ends with that error, and not with the end of its time."""
        self.mint()
        self.answer('GET', LIST, requests.ReadTimeout(), requests.ReadTimeout())
        client = self.client(left=13.0)
        with self.assertRaises(RampConnectionError) as caught:
            client.get('/transactions')
        self.assertIs(client.silence, caught.exception)
        self.assertEqual(self.time.slept, [2.0])

    def test_a_write_that_may_be_done_says_so(self):
        self.mint()
        self.answer('POST', SYNCS, 500)
        with self.assertRaises(RampServerError) as caught:
            self.client(left=11.0).post('/accounting/syncs', {}, idempotent=True)
        self.assertTrue(caught.exception.maybe_done)

    def test_silence_ends_with_an_answer(self):
        self.mint()
        self.answer('GET', LIST, requests.ReadTimeout(), (404, refusal('DEVELOPER_7001')))
        client = self.client(max_attempts=1)
        with self.assertRaises(RampConnectionError):
            client.get('/transactions')
        with self.assertRaises(RampNotFound):
            client.get('/transactions')
        self.assertEqual((client.silence, client.answered), (None, True))

    def test_closed(self):
        with self.assertRaisesRegex(RampConnectionError, 'Not now') as caught:
            self.client(closed='Not now').get('/transactions')
        self.assertFalse(self.http.calls or caught.exception.sent)

    def test_storage_of_files_is_not_ramp(self):
        self.http.add('GET', 'https://files.example/a.png', body=requests.ReadTimeout())
        client = self.client(max_attempts=1)
        with self.assertRaises(RampConnectionError):
            client.download_file('https://files.example/a.png', 100)
        self.assertEqual((client.silence, client.answered, self.gate.passed), (None, False, 0))
