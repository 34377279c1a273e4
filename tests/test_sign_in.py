# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Signing in to Ramp: the address, what comes back, and a sign-in that Ramp does not accept any more."""

from datetime import timedelta
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import requests

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.modules.neutralize import neutralize_database
from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger

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
        address = self.answer(setup, *self.consent(setup))
        self.assertEqual(address, f'/odoo/ramp-setup/{setup.id}')
        return setup

    def answer(self, setup, state, code, error):
        """Do what the page does to which Ramp sends a person back."""
        return setup._take_sign_in(state)._finish_sign_in(code, error)

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
            lambda: self.answer(setup, 'x' + state, code, error),
            lambda: self.answer(setup, None, code, error),
            lambda: self.answer(setup.with_user(other), state, code, error),
        ):
            with self.assertRaisesRegex(UserError, 'Nobody expects this answer'):
                refused()
        self.assertFalse(setup.has_sign_in)
        with self.assertRaisesRegex(UserError, 'Nobody expects this answer'):
            self.answer(setup, state, code, error)  # another user brought it before, so it is used up
        state, code, error = self.consent(setup)
        self.answer(setup, state, code, error)
        self.assertTrue(setup.has_sign_in)
        with self.assertRaisesRegex(UserError, 'Nobody expects this answer'):
            self.answer(setup, state, code, error)
        state, code, error = self.consent(setup)
        setup.sudo().sign_in_until = fields.Datetime.now() - timedelta(seconds=1)
        with self.assertRaisesRegex(UserError, 'more than ten minutes'):
            self.answer(setup, state, code, error)

    def test_refused(self):
        """If nobody consents, or Ramp does not accept the code, the page says so, and asks again."""
        self.ramp.is_consent_given = False
        setup = self.begin(access_kind='sign_in')
        self.answer(setup, *self.consent(setup))
        self.assertIn('(access_denied)', setup.sign_in_message)
        self.ramp.is_consent_given = True
        state, _code, _error = self.consent(setup)
        self.assertFalse(setup.sign_in_message)
        self.answer(setup, state, None, '<script>alert(1)</script>')
        self.assertIn('(?)', setup.sign_in_message)
        state, code, _error = self.consent(setup)
        self.answer(setup, state, code + 'x', None)
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
        address = self.answer(setup, *self.consent(setup))
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
        address = self.answer(setup, *self.consent(setup))
        self.assertEqual(address, f'/odoo/ramp-connections/{connection.id}')
        self.assertEqual(connection.sudo().sign_in_id, former)
        self.assertIn('belong to the Ramp business', connection.with_user(self.user).sign_in_message)
        self.assertFalse(connection.with_env(self.env).sign_in_message, 'it is for the user who signed in')

    def test_refused_again(self):
        """A refused sign-in for a connected connection leads back to it, with the reason. A later one clears it."""
        connection = self.connected()
        former = connection.sudo().sign_in_id
        mine = connection.with_user(self.user)
        self.ramp.is_consent_given = False
        mine.action_sign_in()
        setup = mine._own_setups()[0].with_user(self.user)
        state, code, error = self.consent(setup)
        self.assertEqual(self.answer(setup, state, code, error), f'/odoo/ramp-connections/{connection.id}')
        mine.invalidate_recordset()
        self.assertRegex(mine.sign_in_message, r'\(access_denied\).*press Sign In to Ramp again')
        self.assertEqual((connection.state, connection.sudo().sign_in_id), ('connected', former))
        with self.assertRaisesRegex(UserError, 'Nobody expects this answer'):
            self.answer(setup, state, code, error)
        self.ramp.is_consent_given = True
        mine.action_sign_in()
        setup = mine._own_setups()[0].with_user(self.user)
        self.answer(setup, *self.consent(setup))
        mine.invalidate_recordset()
        self.assertFalse(mine.sign_in_message)
        self.assertFalse(former.exists())

    def test_not_allowed_any_more(self):
        """Who has lost the right to set up Ramp gets no access, and the state is used up."""
        setup = self.begin(access_kind='sign_in')
        state, code, error = self.consent(setup)
        self.user.group_ids -= self.env.ref('account.group_account_manager')
        self.answer(setup, state, code, error)
        self.assertFalse(setup.sudo().has_sign_in)
        self.assertIn('Only accounting administrators', setup.sudo().sign_in_message)
        self.assertFalse(setup.sudo().sign_in_digest)

    def disconnect(self, connection):
        """Disconnect, and do what happens after the commit. Returns the forms that revoke tokens."""
        self.ramp.requests.clear()
        with self.job_mode():
            connection.with_user(self.user).action_disconnect()
            self.assertFalse(self.revoked(), 'nothing is revoked before the commit')
            self.env.cr.postcommit.run()
        return self.revoked()

    def revoked(self):
        return [entry['body'] for entry in self.ramp.requests if entry['path'].endswith('/token/revoke')]

    def test_disconnect_revokes(self):
        """On Disconnect, the tokens are revoked at Ramp, and somebody has to sign in again to connect."""
        connection = self.connected()
        token = connection.sudo().sign_in_id.refresh_token
        revoked = self.disconnect(connection)
        self.assertEqual([form['token_type_hint'] for form in revoked], ['refresh_token', 'access_token'])
        self.assertEqual(revoked[0]['token'], token)
        self.assertFalse(self.ramp.state.refresh_tokens)
        self.assertFalse(connection.sudo().sign_in_id.refresh_token)
        self.assertTrue(connection.has_sign_in, 'it is still known that somebody has to sign in')
        self.ramp.assert_clean()

    def test_disconnect_revokes_the_token_of_the_app(self):
        self.go_to('preview').action_connect()
        revoked = self.disconnect(self.connections())
        self.assertEqual([form['token_type_hint'] for form in revoked], ['access_token'])

    def test_not_revoked(self):
        """If Ramp does not revoke a token, the connection's log says so. Disconnect has done the rest."""
        connection = self.connected()
        self.ramp.faults.add_fault('server_error', '*/token/revoke')
        self.disconnect(connection)
        self.assertEqual(connection.state, 'disconnected')
        self.assertIn('Ramp did not revoke it', str(connection.message_ids[:1].body))
        self.assertFalse(connection.sudo().sign_in_id.refresh_token)

    def test_connect_again(self):
        """To connect again, somebody has to sign in again, because Disconnect revokes the access."""
        connection = self.connected()
        with self.job_mode():
            connection.with_user(self.user).action_disconnect()
            context = {'default_connection_id': connection.id, 'allowed_company_ids': self.company.ids}
            Setup = self.env['ramp.setup'].with_user(self.user).with_context(**context)
            setup = Setup.create({})
            self.assertEqual((setup.access_kind, setup.has_sign_in), ('sign_in', False))
            with self.assertRaisesRegex(UserError, 'Press Sign In to Ramp first'):
                setup.action_next()
            self.answer(setup, *self.consent(setup))
            self.go_to('preview', setup).action_connect()
        self.assertEqual((connection.state, connection.has_sign_in), ('connected', True))
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

    def test_state_is_used_up_by_an_error(self):
        """An answer that ends in an error page uses its state up, too."""
        setup = self.begin(access_kind='sign_in')
        state, code, _error = self.consent(setup)
        self.authenticate(self.user.login, self.user.login)
        page = f'/ramp_connector/sign_in?state={state}&code={code}'
        with mute_logger('odoo.http'), patch.object(type(setup), '_exchange_code', side_effect=ValueError('broken')):
            self.assertEqual(self.url_open(page, allow_redirects=False).status_code, 500)
        answer = self.url_open(page, allow_redirects=False)
        self.assertEqual((answer.status_code, 'Nobody expects this answer' in answer.text), (400, True))
        self.env.invalidate_all()
        self.assertFalse(setup.has_sign_in)

    def test_nobody_is_logged_in(self):
        self.authenticate(None, None)
        answer = self.url_open('/ramp_connector/sign_in?state=x&code=y', allow_redirects=False)
        self.assertEqual((answer.status_code, urlsplit(answer.headers['Location']).path), (303, '/web/login'))
