# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Signing in to Ramp by the authorization code grant: the client, against the simulated Ramp over HTTP."""

from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit

import requests

from odoo.tests import tagged

from ..ramp_api import (
    MemoryTokenStore,
    RampAuthError,
    RampClient,
    RampProtocolError,
    RampSignInLost,
    build_authorize_url,
)
from ..simulator import Seed, Simulator
from ..simulator.sign_in import CODE_SECONDS
from .smoke import PlainCase

BACK = 'https://odoo.example.com/ramp_connector/sign_in'
SCOPES = ('business:read', 'users:read')


class Keeper:
    """Keeps a refresh token, as Odoo does."""

    def __init__(self, token=None):
        self.token = token
        self.replaced = []

    def read_refresh_token(self):
        return self.token

    def replace_refresh_token(self, old, new):
        self.replaced.append((old, new))
        self.token = new


class SignInCase(PlainCase):
    def setUp(self):
        super().setUp()
        self.now = datetime(2026, 8, 15, 12, tzinfo=timezone.utc)
        self.ramp = Simulator(
            Seed(transactions=0), rate_limit=0, redirect_uris=(BACK,), clock=lambda: self.now
        ).start_server()
        self.addCleanup(self.ramp.stop_server)

    def read_clock(self):
        return self.now.timestamp()

    def client(self, **options):
        return RampClient(
            self.ramp.api_url,
            self.ramp.client_id,
            self.ramp.client_secret,
            scopes=SCOPES,
            allow_http=True,
            max_attempts=1,
            clock=self.read_clock,
            **options,
        )

    def consent(self, state='state-1', **changes):
        """Consent as a person in a browser. Return the answer's query, or the answer if it is no redirect."""
        url = build_authorize_url(f'{self.ramp.url}/v1/authorize', self.ramp.client_id, BACK, SCOPES, state)
        for old, new in changes.values():
            self.assertIn(old, url)
            url = url.replace(old, new)
        answer = requests.get(url, allow_redirects=False, timeout=20)
        if answer.status_code != 302:
            return answer
        location = answer.headers['Location']
        self.assertTrue(location.startswith(f'{BACK}?'))
        return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}

    def sign_in(self):
        return self.client().tokens.exchange_code(self.consent()['code'], BACK)


@tagged('post_install', '-at_install', 'ramp')
class TestSignInClient(SignInCase):
    def test_sign_in_and_refresh(self):
        """A code becomes a refresh token. With it, each hour brings a new access token."""
        answer = self.consent()
        self.assertEqual(answer['state'], 'state-1')
        client = self.client(token_store=MemoryTokenStore())
        keeper = Keeper(client.tokens.exchange_code(answer['code'], BACK))
        client = self.client(sign_in=keeper)
        self.assertTrue(client.get('/business'))
        self.assertEqual(client.granted_scopes, set(SCOPES))
        minted = sum(entry['path'].endswith('/token') for entry in self.ramp.requests)
        client.get('/business')
        self.now += timedelta(hours=1)
        client.get('/business')
        self.assertEqual(sum(entry['path'].endswith('/token') for entry in self.ramp.requests), minted + 1)
        self.assertEqual(keeper.replaced, [], 'Ramp does not rotate it')
        self.ramp.assert_clean()

    def test_rotation(self):
        """If Ramp gives another refresh token, it is kept. Who was slower takes that of the faster one."""
        self.ramp.rotates_refresh_tokens = True
        first = self.sign_in()
        keeper = Keeper(first)
        self.client(sign_in=keeper).get('/business')
        self.assertEqual(keeper.replaced, [(first, keeper.token)])

        class SlowKeeper(Keeper):
            known = [first, keeper.token]

            def read_refresh_token(self):
                return self.known.pop(0)

        self.assertTrue(self.client(sign_in=SlowKeeper()).get('/business'))

    def test_revoked(self):
        """A refresh token that Ramp does not accept is an error of its own, and is shown nowhere."""
        keeper = Keeper(self.sign_in())
        self.ramp.state.refresh_tokens.clear()
        with self.assertRaisesRegex(RampSignInLost, 'sign in to Ramp again') as caught:
            self.client(sign_in=keeper).get('/business')
        self.assertNotIn(keeper.token, str(caught.exception))
        with self.assertRaises(RampSignInLost):
            self.client(sign_in=Keeper()).get('/business')
        client = self.client(sign_in=keeper)
        with self.assertRaises(RampSignInLost):
            client.get('/business')
        self.assertIn(keeper.token, client.tokens.known_secrets)
        self.ramp.client_secret = 'another'
        with self.assertRaises(RampAuthError) as caught:
            self.client(sign_in=keeper, token_store=MemoryTokenStore()).tokens.exchange_code('x', BACK)
        self.assertNotIsInstance(caught.exception, RampSignInLost)

    def test_code_works_once_and_for_ten_minutes(self):
        code = self.consent()['code']
        self.client().tokens.exchange_code(code, BACK)
        with self.assertRaises(RampAuthError):
            self.client().tokens.exchange_code(code, BACK)
        code = self.consent()['code']
        with self.assertRaises(RampAuthError):
            self.client().tokens.exchange_code(code, f'{BACK}/')
        code = self.consent()['code']
        self.now += timedelta(seconds=CODE_SECONDS)
        with self.assertRaises(RampAuthError):
            self.client().tokens.exchange_code(code, BACK)

    def test_without_offline_access(self):
        code = self.consent(scope=('+offline_access', ''))['code']
        with self.assertRaisesRegex(RampProtocolError, 'no refresh_token'):
            self.client().tokens.exchange_code(code, BACK)


@tagged('post_install', '-at_install', 'ramp')
class TestSimulatedConsent(SignInCase):
    def test_refusals(self):
        """The page takes what the contract has, and nothing else. PKCE is not part of it."""
        self.ramp.is_consent_given = False
        self.assertEqual(self.consent(), {'error': 'access_denied', 'state': 'state-1'})
        for changes, error in (
            ({'scope': ('business%3Aread', 'cats%3Aread')}, 'invalid_scope'),
            ({'kind': ('response_type=code', 'response_type=token')}, 'invalid_request'),
            ({'more': ('state=state-1', 'state=state-1&code_challenge=x')}, 'invalid_request'),
        ):
            with self.subTest(error):
                self.assertEqual(self.consent(**changes)['error'], error)
        for changes in ({'id': (self.ramp.client_id, 'other')}, {'back': ('odoo.example.com', 'evil.example.com')}):
            self.assertEqual(self.consent(**changes).status_code, 400)

    def test_switched_off(self):
        self.ramp.redirect_uris = ()
        self.assertEqual(self.consent().json()['error_v2']['error_code'], 'DEVELOPER_7012')
        with self.assertRaisesRegex(RampAuthError, 'DEVELOPER_7012'):
            self.client().tokens.exchange_code('x', BACK)
