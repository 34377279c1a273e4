# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Signing in to Ramp: the address, what comes back, and a sign-in that Ramp does not accept any more."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import requests

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.modules.neutralize import neutralize_database
from odoo.tests import HttpCase, tagged

from ..models.token_stores import SignInKeeper
from .test_setup import SYSTEM, SetupCase


class SignInCase(SetupCase):
    def once(self):
        super().once()
        self.back = self.env['ramp.connection'].get_base_url() + '/ramp_connector/sign_in'
        self.ramp.redirect_uris = (self.back,)
        self.ramp.keep_bodies = True

    def consent(self, setup):
        """Press the button, and consent as a person in a browser. Returns the query of Ramp's answer."""
        action = setup.action_sign_in()
        self.assertEqual((action['type'], action['target']), ('ir.actions.act_url', 'self'))
        self.assertTrue(action['url'].startswith(f'{self.ramp.url}/v1/authorize?'), 'at the host that is asked')
        answer = requests.get(action['url'], allow_redirects=False, timeout=20)
        location = answer.headers['Location']
        self.assertTrue(location.startswith(f'{self.back}?'))
        query = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        return query.get('state'), query.get('code'), query.get('error')

    def sign_in(self, **values):
        setup = self.begin(access_kind='sign_in', **values)
        address = setup._finish_sign_in(*self.consent(setup))
        self.assertEqual(address, f'/odoo/ramp-setup/{setup.id}')
        return setup

    def connected(self):
        """Return a connection that was set up by signing in."""
        setup = self.sign_in()
        with self.job_mode():
            self.go_to('preview', setup).action_connect()
        return setup.connection_id


@tagged('post_install', '-at_install', 'ramp')
class TestSignIn(SignInCase):
    def test_set_up_by_signing_in(self):
        """A person signs in instead of client credentials, and the connection works with the refresh token."""
        setup = self.begin(access_kind='sign_in')
        with self.assertRaisesRegex(UserError, 'Press Sign In to Ramp first'):
            setup.action_next()
        connection = self.connected()
        self.assertEqual((connection.state, connection.has_sign_in), ('connected', True))
        self.connection = connection
        ramp_id = self.spend(date='2024-02-03T12:00:00Z')
        self.sync()
        self.assertConfirmed(ramp_id)
        grants = {entry['body']['grant_type'] for entry in self.ramp.requests if entry['path'].endswith('/token')}
        self.assertEqual(grants, {'authorization_code', 'refresh_token'})
        self.assertFalse(self.env['ramp.setup'].sudo().search([('sign_in_id', '!=', False)]))
        self.ramp.assert_clean()

    def test_state_works_once_for_its_user_and_for_ten_minutes(self):
        setup = self.begin(access_kind='sign_in')
        state, code, error = self.consent(setup)
        other = self.make_user('ramp_setup_other', SYSTEM)
        for refused in (
            lambda: setup._finish_sign_in('x' + state, code, error),
            lambda: setup._finish_sign_in(None, code, error),
            lambda: setup.with_user(other)._finish_sign_in(state, code, error),
        ):
            with self.assertRaisesRegex(UserError, 'Nobody expects this answer'):
                refused()
        self.assertFalse(setup.has_sign_in)
        setup._finish_sign_in(state, code, error)
        self.assertTrue(setup.has_sign_in)
        with self.assertRaisesRegex(UserError, 'Nobody expects this answer'):
            setup._finish_sign_in(state, code, error)
        state, code, error = self.consent(setup)
        setup.sudo().sign_in_until = fields.Datetime.now() - timedelta(seconds=1)
        with self.assertRaisesRegex(UserError, 'more than ten minutes'):
            setup._finish_sign_in(state, code, error)

    def test_refused(self):
        """If nobody consents, or Ramp does not accept the code, the page says so, and asks again."""
        self.ramp.is_consent_given = False
        setup = self.begin(access_kind='sign_in')
        setup._finish_sign_in(*self.consent(setup))
        self.assertIn('(access_denied)', setup.sign_in_message)
        self.ramp.is_consent_given = True
        state, _code, _error = self.consent(setup)
        self.assertFalse(setup.sign_in_message)
        setup._finish_sign_in(state, None, '<script>alert(1)</script>')
        self.assertIn('(?)', setup.sign_in_message)
        state, code, _error = self.consent(setup)
        setup._finish_sign_in(state, code + 'x', None)
        self.assertIn('Connection Ramp: ', setup.sign_in_message)
        self.assertFalse(setup.has_sign_in)

    def test_https(self):
        """Ramp takes https addresses only."""
        setup = self.begin(access_kind='sign_in', environment='sandbox', api_url=False)
        self.assertTrue(setup.redirect_uri.startswith('http://'))
        with self.assertRaisesRegex(UserError, 'web.base.url'):
            setup.action_sign_in()
        self.env['ir.config_parameter'].set_param('web.base.url', 'https://odoo.example.com')
        setup.invalidate_recordset()
        query = parse_qs(urlsplit(setup.action_sign_in()['url']).query)
        self.assertEqual(query['redirect_uri'], ['https://odoo.example.com/ramp_connector/sign_in'])
        self.assertTrue(setup.action_sign_in()['url'].startswith('https://demo.ramp.com/v1/authorize?'))
        self.assertIn('offline_access', query['scope'][0])
        self.assertNotIn(self.ramp.client_secret, str(query))

    def test_secrets(self):
        """No user reads the refresh token, and cancelling deletes it."""
        setup = self.sign_in()
        sign_in = setup.sudo().sign_in_id
        for names in (['sign_in_id'], ['sign_in_digest']):
            with self.assertRaises(AccessError):
                setup.read(names)
        with self.assertRaises(AccessError):
            sign_in.with_user(self.user).read(['refresh_token'])
        self.assertNotIn(sign_in.refresh_token, str(setup.read()))
        setup.action_cancel()
        self.assertFalse(sign_in.exists())

    def test_rotation(self):
        """A refresh token that Ramp replaces is stored at once, whatever becomes of the job."""
        self.ramp.rotates_refresh_tokens = True
        connection = self.connected()
        sign_in = connection.sudo().sign_in_id
        sign_in.invalidate_recordset()
        self.assertEqual(list(self.ramp.state.refresh_tokens), [sign_in.refresh_token])

    def test_a_newer_token_stays(self):
        """Who is slower does not overwrite the refresh token of another process."""
        sign_in = self.env['ramp.sign.in'].create({'refresh_token': 'newer'})
        sign_in.flush_recordset()
        with self.job_mode():
            keeper = SignInKeeper(self.registry, sign_in.id)
            keeper.replace_refresh_token('older', 'late')
            self.assertEqual(keeper.read_refresh_token(), 'newer')
            keeper.replace_refresh_token('newer', 'newest')
            self.assertEqual(keeper.read_refresh_token(), 'newest')

    def test_revoked(self):
        """A sign-in that Ramp does not accept stops the runs, says what helps, and is replaced by another one."""
        self.connection = self.connected()
        self.ramp.state.refresh_tokens.clear()
        self.ramp.state.tokens.clear()
        ramp_id = self.spend(date='2024-02-03T12:00:00Z')
        run = self.sync('transaction')
        self.assertRegex(run.message, 'no longer accepts the sign-in.*press Sign In to Ramp Again')
        setup_action = self.connection.with_user(self.user).action_sign_in()
        setup = self.env['ramp.setup'].with_user(self.user).search([], order='id desc', limit=1)
        self.assertIn('/v1/authorize?', setup_action['url'])
        former = self.connection.sudo().sign_in_id
        address = setup._finish_sign_in(*self.consent(setup))
        self.assertEqual(address, f'/odoo/ramp-connections/{self.connection.id}')
        self.assertFalse(former.exists() or setup.exists())
        self.sync('transaction')
        self.assertConfirmed(ramp_id)

    def test_sign_in_of_another_business(self):
        """Who signs in for another business does not replace the sign-in of the connection."""
        connection = self.connected()
        former = connection.sudo().sign_in_id
        connection.sudo().ramp_business_id = 'another'
        connection.with_user(self.user).action_sign_in()
        setup = self.env['ramp.setup'].with_user(self.user).search([], order='id desc', limit=1)
        with self.assertRaisesRegex(UserError, 'belong to the Ramp business'), self.env.cr.savepoint():
            setup._finish_sign_in(*self.consent(setup))
        self.assertEqual(connection.sudo().sign_in_id, former)

    def test_connect_again(self):
        """A connection that was disconnected keeps its sign-in, unless somebody signs in again."""
        connection = self.connected()
        former = connection.sudo().sign_in_id
        with self.job_mode():
            connection.with_user(self.user).action_disconnect()
            context = {'default_connection_id': connection.id, 'allowed_company_ids': self.company.ids}
            Setup = self.env['ramp.setup'].with_user(self.user).with_context(**context)
            setup = Setup.create({})
            self.assertEqual((setup.access_kind, setup.has_sign_in), ('sign_in', True))
            self.go_to('preview', setup).action_connect()
        self.assertEqual((connection.state, connection.sudo().sign_in_id), ('connected', former))
        connection.with_user(self.user).action_disconnect()
        with self.job_mode():
            self.go_to('preview', Setup.create({'access_kind': 'secret'})).action_connect()
        self.assertFalse(connection.has_sign_in)

    def test_without_sign_in(self):
        self.go_to('preview').action_connect()
        with self.assertRaisesRegex(UserError, 'nobody has to sign in'):
            self.connections().with_user(self.user).action_sign_in()

    def test_unused_ones_are_deleted(self):
        """Odoo's clean-up deletes the sign-ins of abandoned assistants."""
        used = self.connected().sudo().sign_in_id
        unused = self.env['ramp.sign.in'].create({'refresh_token': 'x'})
        self.env.flush_all()
        self.env.cr.execute("UPDATE ramp_sign_in SET create_date = create_date - interval '2 days'")
        self.env.invalidate_all()
        self.env['ramp.sign.in']._gc_sign_ins()
        self.assertEqual((used.exists(), unused.exists().ids), (used, []))

    def test_neutralized(self):
        """A neutralized copy has neither sign-ins nor what is entered in assistants."""
        self.connected()
        self.begin()
        self.env.flush_all()
        neutralize_database(self.env.cr)
        for table in ('ramp_setup', 'ramp_sign_in'):
            self.env.cr.execute(f'SELECT count(*) FROM {table}')  # pylint: disable=sql-injection
            self.assertEqual(self.env.cr.fetchone(), (0,), table)


@tagged('post_install', '-at_install', 'ramp')
class TestSignInPage(SignInCase, HttpCase):
    """The address to which Ramp sends a person back."""

    def test_receive_code(self):
        setup = self.begin(access_kind='sign_in')
        state, code, _error = self.consent(setup)
        self.authenticate(self.user.login, self.user.login)
        answer = self.url_open(f'/ramp_connector/sign_in?state={state}&code={code}', allow_redirects=False)
        self.assertEqual(answer.status_code, 303)
        self.assertEqual(urlsplit(answer.headers['Location']).path, f'/odoo/ramp-setup/{setup.id}')
        self.env.invalidate_all()
        self.assertTrue(setup.has_sign_in)
        answer = self.url_open(f'/ramp_connector/sign_in?state={state}&code={code}', allow_redirects=False)
        self.assertEqual(answer.status_code, 400)
        self.assertIn('Nobody expects this answer', answer.text)

    def test_nobody_is_logged_in(self):
        self.authenticate(None, None)
        answer = self.url_open('/ramp_connector/sign_in?state=x&code=y', allow_redirects=False)
        self.assertEqual((answer.status_code, urlsplit(answer.headers['Location']).path), (303, '/web/login'))
