# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import base64
import contextlib
import gzip
import itertools
import json
import logging
import re
from datetime import timedelta
from unittest.mock import patch

import psycopg2
from hypothesis import given
from hypothesis import strategies as st

from odoo import SUPERUSER_ID, fields
from odoo.exceptions import AccessError, UserError
from odoo.sql_db import Cursor, db_connect
from odoo.tests import HttpCase, TransactionCase, new_test_user, tagged
from odoo.tests.common import Opener, release_test_lock
from odoo.tools import file_open, mute_logger

from ..flows.engine import pull
from ..hooks import uninstall_hook
from ..models import token_stores
from ..ramp_api import RampClient, RampConnectionError, Subscription
from ..simulator import events
from ..simulator.webhooks import SIGNATURE_ENCODINGS, SIGNATURE_HEADERS, sign_event_body
from .common import RampCase
from .properties import examples, in_turn
from .smoke import SmokeTags
from .test_purchase_order import OrdersCase
from .test_user import PeopleCase

FORGED = examples(60)  # calls, over HTTP
CONFLICT = "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'serialization_failure'; END $$"
NOBODY = '00000000-0000-4000-8000-00000000dead'
WRITES = re.compile(
    r'\s*(INSERT|UPDATE|DELETE|WITH\b.*\b(INSERT|UPDATE|DELETE)\b|SELECT\b.*\bFOR (NO KEY )?UPDATE|SELECT pg_notify)',
    re.IGNORECASE | re.DOTALL,
)


@tagged('post_install', '-at_install', 'ramp')
class WebhookCase(RampCase, HttpCase):
    """The simulated Ramp sends its events to this Odoo over HTTP. Events are only sent by `deliver`."""

    @classmethod
    def _first(cls):
        first = super()._first()  # it receives requests, too
        first.http_request_key, first.http_request_allow_all = '', False
        first.opener, first.http_key_sequence = Opener(first), itertools.count()
        return first

    def once(self):
        super().once()
        self.sender = self.ramp.webhooks
        self.sender.hold_events()
        self.env['ir.config_parameter'].set_param('web.base.url', self.base_url())

    def deliver(self):
        """Let Ramp send its waiting events; returns Odoo's answers."""
        self.env.flush_all()
        with self.allow_requests(all_requests=True):
            answers = [entry['status'] for entry in self.sender.deliver_pending()]
            self._wait_remaining_requests()  # for what they do after the answer
        self.env.invalidate_all()
        return answers

    def forge(self, body=None, url=None, **options):
        """Send a call that does not come from Ramp; returns the answer."""
        self.env.flush_all()
        with self.allow_requests(all_requests=True):
            return self.sender.send_forged_event(url or self.webhook._endpoint_url(), body=body, **options)

    def run_job(self):
        self.sync('webhook', now=False)

    def subscribe(self):
        """Do the whole handshake; returns Ramp's row of the subscription."""
        self.connection.use_webhooks = True
        self.run_job()
        self.deliver()
        self.run_job()
        self.assertEqual(self.connection.webhook_state, 'active', self.connection.webhook_message)
        (row,) = self.subscriptions()
        return row

    def subscriptions(self):
        return [row for row in self.ramp.state['webhooks'] if not row['_deleted']]

    @property
    def webhook(self):
        return self.connection._webhook_subscriptions()

    def events(self):
        return self.env['ramp.event'].search([], order='id')

    def woken(self):
        """Return the flows whose jobs are triggered, once for each trigger, and remove the triggers."""
        triggers = self.env['ir.cron.trigger'].search([])
        flows = {flow._get_cron_job(): flow._flow for flow in self.connection._flow_models() if flow._get_cron_job()}
        found = sorted(flows[trigger.cron_id] for trigger in triggers if trigger.cron_id in flows)
        triggers.unlink()
        return found


class TestSubscription(WebhookCase):
    def test_handshake(self):
        self.assertEqual((self.connection.use_webhooks, self.connection.webhook_state), (False, 'off'))
        self.woken()
        self.connection.use_webhooks = True
        self.assertEqual((self.connection.webhook_state, self.woken()), ('pending', ['webhook']))
        self.run_job()
        (row,) = self.subscriptions()
        self.assertEqual((row['status'], row['endpoint_url']), ('pending_verification', self.webhook._endpoint_url()))
        self.assertEqual(row['additional_headers'], {'X-Odoo-Database': self.env.cr.dbname})
        self.assertEqual((self.webhook.ramp_id, self.webhook.secret), (row['id'], row['_secret']))
        self.assertEqual(self.connection.webhook_state, 'pending')
        self.woken()
        self.assertEqual((self.deliver(), self.woken()), ([204], ['webhook']))
        self.run_job()
        self.assertEqual((self.connection.webhook_state, self.connection.webhook_message), ('active', False))
        self.assertEqual((self.subscriptions()[0]['status'], self.webhook.challenge), ('active', False))
        asked = len(self.ramp.list_write_calls())
        self.run_job()
        self.assertEqual(len(self.ramp.list_write_calls()), asked, 'what is in order is left alone')
        self.ramp.assert_clean()

    def test_the_challenge_comes_before_the_answer(self):
        post = RampClient.post

        def slowly(client, path, *args, **kwargs):
            if path != '/webhooks':
                return post(client, path, *args, **kwargs)
            self.ramp.add_after_hook(
                lambda method, path, body: (
                    (method, path[-9:]) == ('POST', '/webhooks')
                    and answers.extend(entry['status'] for entry in self.sender.deliver_pending())
                )
            )
            with self.allow_requests(all_requests=True), release_test_lock():
                return post(client, path, *args, **kwargs)

        answers = []
        self.connection.use_webhooks = True
        self.patch(RampClient, 'post', slowly)
        self.run_job()
        self.assertEqual((answers, self.connection.webhook_state), ([204], 'active'))

    def test_what_is_wanted(self):
        self.connection.write({'pull_bills': True, 'pull_reimbursements': True})
        self.subscribe()
        (row,) = self.subscriptions()
        self.assertLessEqual(
            {'bills.ready_to_sync', 'payments.updated', 'vendors.updated', 'transactions.ready_to_sync'},
            {*row['event_types']},
        )
        self.woken()
        self.connection.pull_bills = False
        self.assertIn('webhook', self.woken())
        self.run_job()
        self.deliver()
        self.run_job()
        (other,) = self.subscriptions()
        self.assertNotEqual((other['id'], other['endpoint_url']), (row['id'], row['endpoint_url']))
        self.assertEqual(
            {kind.partition('.')[0] for kind in other['event_types']},
            {'transactions', 'reimbursements', 'purchase_orders', 'users'},
        )
        self.assertEqual(self.connection.webhook_state, 'active')

    def test_every_event_of_a_flow_is_one_of_ramps(self):
        for flow in self.connection._flow_models():
            self.assertLessEqual(set(flow._events), set(events.EVENT_TYPES) - {'webhooks.verification'}, flow._flow)

    def test_repaired(self):
        def deleted():
            self.ramp.state['webhooks'].update_row(self.webhook.ramp_id, _deleted=True, status='inactive')

        def switched_off():
            self.ramp.state['webhooks'].update_row(self.webhook.ramp_id, status='inactive')

        def moved():
            self.env['ir.config_parameter'].set_param('web.base.url', self.base_url().replace('127.0.0.1', 'localhost'))

        def renamed():
            self.connection.database = 'another database'
            with self.assertRaises(UserError):
                self.connection._run_client()
            self.webhook.database = 'another database'
            self.connection.action_claim_database()

        def crashed_before_the_secret():
            self.webhook.write({'ramp_id': False, 'secret': False, 'state': 'pending'})

        def restored():
            self.webhook.write({'ramp_id': NOBODY})

        for trouble in (deleted, switched_off, moved, renamed, crashed_before_the_secret, restored):
            with self.subTest(trouble.__name__):
                before = self.subscribe()
                trouble()
                self.run_job()
                self.assertEqual(self.deliver(), [204])
                self.run_job()
                (after,) = self.subscriptions()
                self.assertNotEqual(after['id'], before['id'])
                self.assertEqual(
                    (self.connection.webhook_state, after['status'], self.webhook.ramp_id),
                    ('active', 'active', after['id']),
                )

    def test_others_are_left_alone(self):
        """Subscriptions of other addresses are left alone, as the app in Ramp may serve more than this connection."""
        other = self.ramp.add_subscription('https://erp.example.com/ramp_connector/webhook/0', ['bills.paid'])
        self.subscribe_and_leave()
        self.assertEqual([row['id'] for row in self.subscriptions()], [other['id']])

    def subscribe_and_leave(self):
        self.connection.use_webhooks = True
        self.run_job()
        self.assertEqual(len(self.subscriptions()), 2)
        self.connection.use_webhooks = False
        self.run_job()
        self.assertFalse(self.webhook)

    def test_removed(self):
        def switched_off():
            self.connection.use_webhooks = False
            self.run_job()

        def private():
            self.env['ir.config_parameter'].set_param('web.base.url', 'http://')
            self.run_job()

        for leave in (switched_off, private, self.connection.action_disconnect, lambda: uninstall_hook(self.env)):
            with self.subTest(leave):
                self.env['ir.config_parameter'].set_param('web.base.url', self.base_url())
                if self.connection.state != 'connected':
                    self.connection.action_connect()
                url = self.subscribe()['endpoint_url']
                leave()
                self.assertEqual((self.subscriptions(), bool(self.webhook)), ([], False))
                self.assertEqual(self.forge(url=url), 401)

    def test_two_of_one_business_leave_one_by_one(self):
        """The integration stays as long as one connection uses it. A subscription belongs to one connection."""
        second = self.connection.copy(
            {
                'existing_policy': 'book',
                'ramp_entity_id': NOBODY,
                'client_id': self.ramp.client_id,
                'client_secret': self.ramp.client_secret,
            }
        )
        self.assertFalse(second.use_webhooks)
        second.action_connect()
        first, self.connection = self.connection, second
        self.subscribe()
        second.action_disconnect()
        self.assertEqual((self.subscriptions(), first.state), ([], 'connected'))

    def test_who_has_no_credentials_any_more_can_leave(self):
        row = self.subscribe()
        self.connection.client_secret = 'gone'
        self.connection.action_disconnect()
        self.assertEqual((self.connection.state, bool(self.webhook)), ('disconnected', False))
        self.assertEqual(self.forge(url=row['endpoint_url'], secret=row['_secret']), 401)

    def test_addresses(self):
        self.connection.environment = 'production'
        for address, public in (
            ('https://erp.example.com', True),
            ('https://erp.example.com:8443/odoo', True),
            ('https://93.184.216.34', True),
            ('https://[2606:2800:220:1:248:1893:25c8:1946]', True),
            ('http://erp.example.com', False),
            ('https://localhost', False),
            ('https://127.0.0.1:8069', False),
            ('https://10.1.2.3', False),
            ('https://192.168.0.9', False),
            ('https://[::1]', False),
            ('https://erp', False),
            ('https://erp.local', False),
            ('https://erp.corp.internal', False),
            ('https://', False),
        ):
            self.env['ir.config_parameter'].set_param('web.base.url', address)
            self.assertEqual(self.connection._has_public_address(), public, address)
        self.connection.use_webhooks = True
        self.assertEqual(self.connection.webhook_state, 'private')
        self.assertIn('web.base.url', self.connection.webhook_message)

    def test_refused_by_ramp(self):
        """If Ramp refuses the subscription, the connection shows the reason, the job tries again, and the
        synchronization goes on.
        """
        self.ramp.scopes = tuple(scope for scope in self.ramp.scopes if scope != 'vendors:read')
        token_stores.access_tokens._tokens.clear()
        self.connection.use_webhooks = True
        self.run_job()
        self.assertEqual(self.connection.webhook_state, 'failed')
        self.assertIn('vendors:read', self.connection.webhook_message)
        self.assertFalse(self.connection.last_error)
        self.connection.pull_bills = False
        self.run_job()
        self.deliver()
        self.run_job()
        self.assertEqual((self.connection.webhook_state, self.connection.webhook_message), ('active', False))

    def test_not_verified(self):
        """Ramp may answer the challenge with 200 and a refusal in the body. An empty body counts as acceptance."""
        post = RampClient.post
        for answer, state in (
            ({'success': False}, 'failed'),
            ({'success': True}, 'active'),
            (None, 'active'),
            ({}, 'active'),
        ):
            with self.subTest(answer=answer):
                self.connection.use_webhooks = False
                self.run_job()
                self.connection.use_webhooks = True
                self.run_job()
                self.deliver()
                with patch.object(
                    RampClient,
                    'post',
                    lambda client, path, *args, answer=answer, **kwargs: (
                        answer if path.endswith('/verify') else post(client, path, *args, **kwargs)
                    ),
                ):
                    self.run_job()
                self.assertEqual(self.connection.webhook_state, state)
                self.assertEqual('challenge' in (self.connection.webhook_message or ''), state == 'failed')
        self.assertFalse(self.connection.last_error)

    def test_ramp_is_down(self):
        self.connection.use_webhooks = True
        with (
            patch.object(RampClient, 'post', side_effect=RampConnectionError('no route')),
            mute_logger('odoo.addons.ramp_connector.flows.engine.flow'),
        ):
            self.run_job()
        self.assertEqual(self.connection.webhook_state, 'pending')
        self.assertIn('no route', self.connection.last_error)
        self.subscribe()
        self.assertFalse(self.connection.last_error)

    def test_a_wrong_challenge(self):
        """A wrong challenge, by a stranger who is faster than Ramp, ends the subscription. The next one has another
        address.
        """
        self.connection.use_webhooks = True
        self.run_job()
        (row,) = self.subscriptions()
        wrong = {'type': 'webhooks.verification', 'challenge': 'guessed'}
        self.assertEqual(self.forge(json.dumps(wrong).encode(), secret=None), 204)
        self.env.invalidate_all()
        self.sender.drop_pending()
        self.run_job()
        self.assertEqual(self.connection.webhook_state, 'failed')
        self.assertEqual(
            self.forge(json.dumps(wrong).encode(), secret=None), 401, 'it is taken only while one is expected'
        )
        self.run_job()
        self.assertNotEqual(self.subscriptions()[0]['endpoint_url'], row['endpoint_url'])
        self.deliver()
        self.run_job()
        self.assertEqual(self.connection.webhook_state, 'active')

    def test_challenges_that_cannot_be(self):
        self.connection.use_webhooks = True
        self.run_job()
        for challenge in ('x' * 5000, 'nul\0', 'half \ud800', '', 7, None, ['x']):
            self.assertEqual(
                self.forge(json.dumps({'type': 'webhooks.verification', 'challenge': challenge}).encode(), secret=None),
                401,
            )
        self.env.invalidate_all()
        self.assertFalse(self.webhook.challenge)

    def test_an_event_before_the_handshake(self):
        """While a challenge is expected, no event is taken that is not signed."""
        self.connection.use_webhooks = True
        self.run_job()
        self.assertEqual(self.webhook.state, 'pending')
        event = json.dumps({'type': 'transactions.cleared', 'id': 'forged'}).encode()
        for secret in (None, 'guessed'):
            self.assertEqual(self.forge(event, secret=secret), 401)
        self.env.invalidate_all()
        self.assertFalse(self.events())

    def test_nothing_arrives(self):
        """If nothing arrives at an address that looks public, the connection names the address and keeps waiting."""
        self.connection.use_webhooks = True
        self.run_job()
        first = self.webhook._endpoint_url()
        self.sender.drop_pending()
        self.env.flush_all()
        self.run_job()
        self.assertEqual((self.connection.webhook_message, self.webhook._endpoint_url()), (False, first))
        self.env.cr.execute("UPDATE ramp_webhook SET create_date = create_date - interval '1 hour'")
        self.env.invalidate_all()
        self.run_job()
        self.assertEqual(self.connection.webhook_state, 'pending')
        self.assertIn(first, self.connection.webhook_message)
        self.assertEqual(len(self.subscriptions()), 1)
        self.deliver()
        self.run_job()
        self.assertEqual((self.connection.webhook_state, self.connection.webhook_message), ('active', False))

    def test_a_copy_of_the_database(self):
        row = self.subscribe()
        self.connection.database = 'another database'
        asked = len(self.ramp.requests)
        self.ramp.add_transaction(amount_minor=100, user=self.user_id)
        self.assertEqual(set(self.deliver()), {401})
        with mute_logger('odoo.addons.ramp_connector.flows.engine.flow'):
            self.run_job()
        self.connection.action_disconnect()
        self.assertEqual(
            (len(self.ramp.requests), self.subscriptions(), bool(self.webhook), self.events()),
            (asked, [row], False, self.env['ramp.event']),
        )

    def test_a_neutralized_database(self):
        row = self.subscribe()
        self.env.flush_all()
        with file_open('ramp_connector/data/neutralize.sql') as script:
            self.env.cr.execute(script.read())
        self.env.invalidate_all()
        self.assertEqual((bool(self.webhook), self.connection.use_webhooks), (False, False))
        self.assertFalse(self.env.ref('ramp_connector.cron_webhook').active, 'nor does any job ask Ramp')
        self.assertEqual(self.forge(url=row['endpoint_url'], secret=row['_secret']), 401)

    def test_nothing_secret_is_logged(self):
        self.subscribe()
        with self.assertLogs(level=logging.DEBUG) as logs:
            logging.getLogger('odoo.addons.ramp_connector').debug('at least one line')
            self.connection.use_webhooks = False
            self.run_job()
            row = self.subscribe()
            ident = self.spend()
            self.deliver()
            self.forge()
        text = '\n'.join(line for line in logs.output if 'odoo.sql_db' not in line)
        for secret in (row['_secret'], row['_challenge'], ident, self.sender.sent[-1]['id']):
            self.assertNotIn(secret, text)
        # A failing statement is logged with its values, but not this one, which has the secret.
        flow, webhook = self.env['ramp.flow.webhook'], self.webhook
        with self.assertNoLogs('odoo.sql_db', logging.ERROR), self.assertRaises(ValueError):
            flow._store_subscription(webhook, Subscription(row['id'], 'active', '', (), 'secret\0'))


class TestEvents(WebhookCase):
    def once(self):
        super().once()
        self.row = self.subscribe()
        self.woken()

    def booked(self, *idents):
        for ident in idents:
            self.assertConfirmed(ident)

    def test_spend_is_booked_once(self):
        """Events that come twice, in disorder and again later lead to one row, one job and one document."""
        self.ramp.faults.add_fault('duplicate_event')
        self.ramp.faults.add_fault('reorder_event')
        idents = [self.spend(1000 + number) for number in range(3)]
        answers = self.deliver()
        self.assertEqual((set(answers), len(answers)), ({204}, 2 * len(self.events())))
        self.assertEqual({event.object_id for event in self.events()}, set(idents))
        self.assertEqual(self.woken(), ['transaction'])
        self.sync('transaction', now=False)
        self.booked(*idents)
        self.woken()  # the cardholder is known now, which wakes the job of employees
        count = len(self.events())
        for event in list(self.sender.sent):
            self.sender.replay_event(event)
        self.assertEqual(set(self.deliver()), {204})
        self.assertEqual(self.woken(), [])
        self.assertEqual(len(self.events()), count)
        self.sync('transaction', now=False)
        self.booked(*idents)
        self.assertTrue(self.connection.last_event)

    def asked(self, *flows):
        """Return how often the jobs ask Ramp for each path of transactions and bills."""
        before = self.ramp.count_requests()
        self.sync(*flows, now=False)
        found = {
            key.removeprefix('GET /developer/v1'): count for key, count in (self.ramp.count_requests() - before).items()
        }
        return {path: count for path, count in found.items() if path.startswith(('/transactions', '/bills'))}

    def test_what_an_event_names_is_looked_at(self):
        """A run reads the posted objects that events name, and no other ones, which may be thousands. All of them are
        read from time to time, and on Sync Now.
        """
        first, second = self.spend(1000), self.spend(2000)
        self.sync('transaction', now=False)
        self.patch(type(self.env['ramp.flow.pull']), '_reread_pause', timedelta(minutes=10))
        self.connection.sync_requested_at = False
        self.deliver()
        self.events().received_at = fields.Datetime.now() - timedelta(hours=1)
        self.ramp.recode_transaction(first, self.external(self.account_software))
        self.deliver()
        self.ramp.recode_transaction(second, self.external(self.account_software))  # its event has not arrived yet
        listed = self.asked('transaction')
        self.assertEqual(listed.pop(f'/transactions/{first}'), 1)
        self.assertEqual(set(listed), {'/transactions'})  # the list of what is ready
        self.assertEqual((self.record(first).has_changed, self.record(second).has_changed), (True, False))
        self.connection.sync_requested_at = fields.Datetime.now() + timedelta(seconds=1)
        self.asked('transaction')
        self.assertTrue(self.record(second).has_changed)

    def test_more_than_a_few_are_listed(self):
        """If events name more than a few objects, all are listed: a list of a hundred is one request."""
        idents = [self.spend(1000), self.spend(2000), self.spend(3000)]
        self.sync('transaction', now=False)
        self.patch(type(self.env['ramp.flow.pull']), '_reread_pause', timedelta(minutes=10))
        self.connection.sync_requested_at = False
        self.deliver()
        flow, run, now = self.env['ramp.flow.transaction'], self.env['ramp.run'], fields.Datetime.now()
        self.assertEqual(sorted(flow._changed_by_events(self.connection, run, now)), sorted(idents))
        with patch.object(pull, 'TOLD_PER_RUN', 2):
            self.assertIsNone(flow._changed_by_events(self.connection, run, now))

    def test_sync_now_in_the_same_second(self):
        """Sync Now in the second in which the last full re-read began asks for another one."""
        self.sync('transaction', now=False)
        self.patch(type(self.env['ramp.flow.pull']), '_reread_pause', timedelta(minutes=10))
        flow, run, now = self.env['ramp.flow.transaction'], self.env['ramp.run'], fields.Datetime.now()
        for requested, told in ((False, []), (now - timedelta(seconds=1), []), (now, None)):
            with self.subTest(requested=requested):
                self.connection.sync_requested_at = requested
                self.assertEqual(flow._changed_by_events(self.connection, run, now), told)

    def test_one_that_ramp_fails_on_when_it_is_looked_at(self):
        """If Ramp fails on one of the named objects, the others are read, and this one is read with the next list."""
        idents = [self.spend(1000), self.spend(2000), self.spend(3000)]
        self.sync('transaction', now=False)
        self.patch(type(self.env['ramp.flow.pull']), '_reread_pause', timedelta(minutes=10))
        self.connection.sync_requested_at = False
        for ident in idents:
            self.ramp.recode_transaction(ident, self.external(self.account_software))
        self.deliver()
        self.ramp.faults.add_fault('server_error', f'/transactions/{idents[0]}', method='GET')
        self.ramp.faults.add_fault('server_error', f'/transactions/{idents[1]}', method='GET', status=404)
        run = self.sync('transaction', now=False)
        self.assertEqual((run.state, run.listed), ('done', True))
        self.assertEqual([self.record(ident).has_changed for ident in idents], [False, False, True])
        self.ramp.faults.clear_faults()
        self.patch(type(self.env['ramp.flow.pull']), '_reread_pause', timedelta(0))
        self.sync('transaction', now=False)
        self.assertTrue(self.record(idents[0]).has_changed)

    def test_events_of_other_objects(self):
        """An event of a payment does not name the bills that it pays, so all bills are read."""
        self.connection.pull_bills = True
        entity = next(iter(self.ramp.state['entities']))['id']
        bill = self.ramp.add_bill(
            amount_minor=5000, currency='USD', account=self.external(self.account_meals), entity=entity
        )
        self.sync('vendor', 'bill', now=False)
        self.assertTrue(self.record(bill, 'bill').res_id)
        self.patch(type(self.env['ramp.flow.pull']), '_reread_pause', timedelta(minutes=10))
        self.connection.sync_requested_at = False
        self.deliver()
        flow = self.env['ramp.flow.bill']
        self.assertEqual(flow._changed_by_events(self.connection, self.env['ramp.run'], fields.Datetime.now()), [bill])
        self.sender.emit_event('payments.updated', NOBODY)
        self.deliver()
        self.assertIsNone(flow._changed_by_events(self.connection, self.env['ramp.run'], fields.Datetime.now()))

    def test_every_way_to_sign(self):
        for encoding in SIGNATURE_ENCODINGS:
            for header in SIGNATURE_HEADERS:
                for prefix in ('', 'sha256='):
                    self.sender.encoding, self.sender.header, self.sender.prefix = encoding, header, prefix
                    self.ramp.webhooks.emit_event('transactions.cleared', NOBODY)
                    self.assertEqual(
                        (self.deliver(), self.woken()), ([204], ['transaction']), (encoding, header, prefix)
                    )

    def test_jobs(self):
        """Each event type wakes the jobs that it concerns, and unknown objects do no harm."""
        self.connection.write(
            {'pull_bills': True, 'pull_reimbursements': True, 'push_orders': True, 'push_users': True}
        )
        wanted = {
            'purchase_orders': ['purchase_order'],
            'users': ['employee', 'user'],
            'transactions': ['transaction'],
            'bills': ['bill'],
            'payments': ['bill'],
            'reimbursements': ['reimbursement'],
            'vendors': ['vendor'],
        }
        heard = self.connection._wanted_event_types()
        secret = self.row['_secret']
        for kind in events.EVENT_TYPES:
            if kind == 'webhooks.verification':
                continue
            self.woken()
            self.assertEqual(self.forge(kind=kind, object_id=NOBODY, secret=secret), 204, kind)
            self.env.invalidate_all()
            self.assertEqual(self.woken(), wanted[kind.partition('.')[0]] if kind in heard else [], kind)
        self.assertEqual(self.events().mapped('type'), [kind for kind in events.EVENT_TYPES if kind in heard])
        runs = self.sync('transaction', 'bill', 'reimbursement', 'vendor', now=False)
        self.assertEqual(set(runs.mapped('state')), {'done'})
        self.connection.pull_bills = False
        self.woken()
        self.assertEqual(self.forge(kind='bills.paid', object_id=NOBODY, secret=secret), 204)
        self.assertEqual(self.woken(), [], 'bills are switched off')

    def test_what_is_signed_is_never_refused(self):
        """A signed event is never refused. Ramp drops an event that gets a 4xx and repeats one that gets a 5xx, and
        neither helps with an event that is not understood.
        """
        secret = self.row['_secret']
        for body in (
            b'',
            b'{',
            b'[]',
            b'null',
            b'\xff\xfe',
            b'{"type": 7}',
            b'{"type": "new.kind", "id": "1"}',
            b'[' * 50000,
            json.dumps({'type': 'webhooks.verification', 'challenge': 'late'}).encode(),
        ):
            self.assertEqual(self.forge(body, secret=secret), 204, body[:80])
        self.assertEqual((self.events(), self.woken()), (self.env['ramp.event'], []))
        self.assertEqual(
            self.forge(kind='transactions.cleared', secret=secret, headers={'Content-Type': 'text/plain'}), 204
        )
        self.assertEqual(self.woken(), ['transaction'])

    def test_what_is_odd_wakes_the_job_once(self):
        for values in (
            {'id': 'nul \0'},
            {'id': 'half \ud800'},
            {'id': 'x' * 5000},
            {'id': 7},
            {},
            {'id': '1', 'object': {'id': "' OR 1=1 --"}},
            {'id': '2', 'created_at': 1785585600, 'business_id': 'us', 'object': {'id': 'T-7'}},
            {'id': '3', 'object': {'id': 'nul \0'}},
        ):
            with self.subTest(values):
                body = json.dumps({'type': 'transactions.cleared', **values}).encode()
                for woken in (['transaction'], []):
                    self.assertEqual(self.forge(body, secret=self.row['_secret']), 204)
                    self.env.invalidate_all()
                    self.assertEqual(self.woken(), woken)
        self.assertEqual(self.events().mapped('object_id'), [False] * 5 + ["' OR 1=1 --", 'T-7', False])

    def test_one_that_does_not_want_any_more(self):
        # An earlier version allowed the last combination.
        for values in ((False, 'connected', True), (True, 'disconnected', True), (True, 'connected', False)):
            with self.subTest(values):
                self.env.flush_all()
                self.env.cr.execute('UPDATE ramp_connection SET use_webhooks = %s, state = %s, active = %s', values)
                self.env.invalidate_all()
                self.assertEqual(self.forge(secret=self.row['_secret']), 204)
                self.env.invalidate_all()
                self.assertEqual((self.events(), self.woken()), (self.env['ramp.event'], []))

    def test_trouble_of_ours(self):
        """If an event cannot be stored, Ramp is told to send it again, and then it is accepted."""
        ident = self.spend()
        with (
            patch.object(
                type(self.env['ramp.event']),
                '_store_and_call',
                side_effect=psycopg2.OperationalError('the disk is full'),
            ),
            self.assertLogs('odoo.addons.ramp_connector.controllers.ramp_webhook', logging.ERROR) as logs,
        ):
            self.assertEqual(set(self.deliver()), {503})
        self.assertNotIn(ident, '\n'.join(logs.output))
        self.assertFalse(self.events())
        self.assertEqual(set(self.deliver()), {204})
        self.sync('transaction', now=False)
        self.booked(ident)

    def test_another_transaction_in_the_way(self):
        """After a conflict with another transaction, the request is retried with the body that was read before."""
        self.sender.emit_event('transactions.cleared', NOBODY)
        cls, tries = type(self.env['ramp.event']), []
        take = cls._store_and_call

        def _store_and_call(records, connection, event):
            tries.append(event.id)
            if len(tries) < 3:
                records.env.cr.execute(CONFLICT, log_exceptions=False)
            return take(records, connection, event)

        self.patch(cls, '_store_and_call', _store_and_call)
        with patch('odoo.service.model.random.uniform', return_value=0):
            self.assertEqual(self.deliver(), [204])
        self.assertEqual((len(tries), len(self.events())), (3, 1))

    @contextlib.contextmanager
    def in_the_way(self, times):
        """Let another transaction be faster when events are stored, so many times."""
        execute, left = Cursor.execute, iter(range(times))

        def conflict(cr, query, *args, **kwargs):
            text = str(getattr(query, 'code', query))
            if 'ramp_event' in text and 'INSERT' in text and next(left, None) is not None:
                return execute(cr, CONFLICT, log_exceptions=False)
            return execute(cr, query, *args, **kwargs)

        with (
            patch.object(Cursor, 'execute', conflict),
            patch('odoo.service.model.random.uniform', return_value=0) as wait,
            self.assertNoLogs('odoo.sql_db', logging.ERROR),
        ):
            yield wait

    def test_sent_twice_at_once(self):
        self.sender.emit_event('transactions.cleared', NOBODY)
        self.deliver()
        self.woken()
        [event] = self.sender.sent[-1:]
        self.sender.replay_event(event)
        with self.in_the_way(1) as wait:
            self.assertEqual(self.deliver(), [204])
        self.assertEqual((len(self.events()), self.woken()), (1, []))
        wait.assert_not_called()  # Ramp would have to wait for up to two seconds

    def test_something_else_is_in_the_way(self):
        """An event that conflicts prevent from being stored is not accepted. The request is retried until it is stored."""
        self.sender.emit_event('transactions.cleared', NOBODY)
        with self.in_the_way(2):
            self.assertEqual(self.deliver(), [204])
        self.assertEqual((len(self.events()), self.woken()), (1, ['transaction']))

    def test_one_call_does_for_many(self):
        """A job that was called and has not begun is not called again, unless it should have begun long ago."""
        notified = []
        self.patch(type(self.env['ir.cron']), '_notifydb', lambda cron: notified.append(cron.env.cr.dbname))

        def emit(count=1):
            for _number in range(count):
                self.sender.emit_event('transactions.cleared', NOBODY)
            self.assertEqual(self.deliver(), [204] * count)

        emit(3)
        self.assertEqual((len(self.events()), notified), (3, [self.env.cr.dbname]))
        self.env['ir.cron.trigger'].search([]).call_at = fields.Datetime.now() - timedelta(seconds=30)
        emit(3)
        self.assertEqual((self.woken(), len(notified)), (['transaction'] * 2, 2))
        self.env['ir.cron.trigger'].create(
            {  # a trigger for later does not count
                'cron_id': self.env['ramp.flow.transaction']._get_cron_job().id,
                'call_at': fields.Datetime.now() + timedelta(minutes=5),
            }
        )
        emit()
        self.assertEqual((self.woken(), len(notified)), (['transaction'] * 2, 3))
        self.env['ramp.flow.transaction']._get_cron_job().active = False
        emit()
        self.assertEqual((self.woken(), len(notified)), ([], 3))

    def test_jobs_that_cannot_be_woken(self):
        """Ramp gets its answer even if the jobs cannot be woken. The scheduler finds the trigger within a minute."""
        with (
            patch.object(
                type(self.env['ir.cron']), '_notifydb', side_effect=psycopg2.OperationalError('too many connections')
            ),
            self.assertLogs('odoo.addons.ramp_connector.controllers.ramp_webhook', logging.WARNING),
        ):
            self.sender.emit_event('transactions.cleared', NOBODY)
            self.assertEqual(self.deliver(), [204])
        self.assertEqual(self.woken(), ['transaction'])

    def test_old_ones_are_forgotten(self):
        self.sender.emit_event('transactions.cleared', NOBODY)
        self.sender.emit_event('transactions.cleared', NOBODY)
        self.deliver()
        old, new = self.events()
        old.received_at -= timedelta(days=31)
        self.assertEqual(self.env['ramp.event']._gc_events(), (1, False))
        self.assertEqual(self.events(), new)

    def test_queries(self):
        """An event takes a constant and small number of queries, because Ramp waits for the answer."""
        counts = []
        for _number in range(3):
            self.sender.emit_event('transactions.cleared', NOBODY)
            self.env.flush_all()
            with self.statements() as found:
                self.deliver()
            counts.append(len(found))
        self.assertLessEqual(counts[-1], 8, found)

    @contextlib.contextmanager
    def statements(self):
        """Collect the statements of all cursors inside the block, without savepoints of the tests."""
        found, execute = [], Cursor.execute

        def watched(cr, query, *args, **kwargs):
            text = str(getattr(query, 'code', query))
            if 'SAVEPOINT' not in text.upper():
                found.append(text)
            return execute(cr, query, *args, **kwargs)

        with patch.object(Cursor, 'execute', watched):
            yield found


@tagged('post_install', '-at_install', 'ramp')
class TestCalls(SmokeTags, TransactionCase):
    """An event calls a job while that job begins. The tests use real transactions, side by side."""

    def setUp(self):
        super().setUp()
        self.cron = self.env['ramp.flow.transaction']._get_cron_job()
        self.reset(active=True)
        self.addCleanup(self.reset, active=self.cron.active)

    def reset(self, active):
        with db_connect(self.env.cr.dbname).cursor() as cr:  # commits
            cr.execute('DELETE FROM ir_cron_trigger WHERE cron_id = %s', [self.cron.id])
            cr.execute('UPDATE ir_cron SET active = %s WHERE id = %s', [active, self.cron.id])

    def other(self):
        env = self.env(cr=db_connect(self.env.cr.dbname).cursor(), user=SUPERUSER_ID)
        self.addCleanup(env.cr.close)
        env.cr.execute("SET lock_timeout TO '300ms'")
        env.cr.commit()
        return env

    def call(self, env):
        return env['ramp.event']._call_jobs([env['ramp.flow.transaction']])

    def begin(self, env):
        env['ir.cron']._clear_schedule({'id': self.cron.id})

    def test_a_job_begins(self):
        first, second, job = self.other(), self.other(), self.other()
        self.assertTrue(self.call(first))
        first.cr.commit()
        self.assertFalse(self.call(first))
        self.assertFalse(self.call(second), "two events at once are not in each other's way")
        second.cr.rollback()
        with self.assertRaises(psycopg2.errors.LockNotAvailable), mute_logger('odoo.sql_db'):
            self.begin(job)  # it would begin before the event is stored
        job.cr.rollback()
        first.cr.commit()
        self.begin(job)
        self.assertTrue(self.call(second), 'the job that has begun may not see this event')
        second.cr.commit()
        job.cr.commit()
        self.assertFalse(self.call(first))

    def test_a_job_has_begun(self):
        """If the job begins between two statements of the event, there is an error that `_store_and_call` handles."""
        first, job = self.other(), self.other()
        self.call(job)
        job.cr.commit()
        first.cr.execute('SELECT 1')
        self.begin(job)
        job.cr.commit()
        with self.assertRaises(psycopg2.errors.SerializationFailure), self.assertNoLogs('odoo.sql_db', logging.ERROR):
            self.call(first)
        first.cr.rollback()
        self.assertTrue(self.call(first))


class TestEventsOfWhatIsSent(WebhookCase, OrdersCase, PeopleCase):
    """Changes that people make in Ramp to objects that Odoo sends are seen when an event arrives, not only at night."""

    def once(self):
        super().once()
        self.connection.write({'push_orders': True, 'push_users': True})
        self.subscribe()

    def settle(self, seen=timedelta(minutes=1)):
        """Make it look as if the objects were sent a while ago and their events had come."""
        self.deliver()
        self.sync('purchase_order', 'employee', now=False)
        self.env.flush_all()
        self.env.cr.execute('UPDATE ramp_record SET seen_at = seen_at - %s', [seen])
        self.env['ramp.event'].search([]).unlink()
        self.woken()

    def reads(self, *flows):
        """Return the single objects that the jobs read from Ramp."""
        before = self.ramp.count_requests()
        self.sync(*flows, now=False)
        return {
            key.removeprefix('GET /developer/v1'): count
            for key, count in (self.ramp.count_requests() - before).items()
            if re.match('GET .*/[-0-9a-f]{36}$', key)
        }

    def test_order(self):
        order, other = self.order(), self.order()
        OrdersCase.push(self)
        self.settle()
        ramp_id = self.row(order).ramp_id
        self.ramp.update_purchase_order(ramp_id, memo='Ours')
        self.deliver()
        self.assertEqual(self.woken(), ['purchase_order'])
        writes = len(self.ramp.list_write_calls())
        self.assertEqual(self.reads('purchase_order'), {f'/purchase-orders/{ramp_id}': 1})
        self.assertRegex(order.ramp_state, '^In Ramp: Someone edited the memo in Ramp')
        self.assertEqual((other.ramp_state, len(self.ramp.list_write_calls())), ('In Ramp', writes))
        self.assertEqual(self.reads('purchase_order'), {}, 'once')
        self.ramp.archive_purchase_order(self.row(other).ramp_id)
        self.deliver()
        self.sync('purchase_order', now=False)
        self.assertIn('It was archived in Ramp', other.ramp_state)
        self.ramp.assert_clean()

    def test_order_on_which_ramp_fails(self):
        """If Ramp fails on one order, the other orders are sent, and that order is read again later."""
        order, other = self.order(), self.order()
        OrdersCase.push(self)
        self.settle()
        self.ramp.update_purchase_order(self.row(order).ramp_id, memo='Ours')
        self.deliver()
        self.ramp.faults.add_fault('server_error', f'/purchase-orders/{self.row(order).ramp_id}', method='GET')
        other.order_line.product_qty = 5
        [run] = self.sync('purchase_order', now=False)
        self.assertEqual(
            (run.state, self.there(other)['line_items'][0]['quantity'], order.ramp_state), ('done', 5, 'In Ramp')
        )
        self.ramp.faults.clear_faults()
        self.sync('purchase_order', now=False)
        self.assertIn('Someone edited the memo', order.ramp_state)

    def test_order_that_is_gone(self):
        order = self.order()
        OrdersCase.push(self)
        self.settle()
        self.sender.emit_event('purchase_orders.updated', self.row(order).ramp_id)
        self.deliver()
        with self.ramp.state.lock:
            del self.ramp.state['purchase_orders'].rows[self.row(order).ramp_id]
        self.assertEqual(len(self.reads('purchase_order')), 1)
        self.assertEqual(self.reads('purchase_order'), {})
        self.assertIn('It was archived in Ramp', order.ramp_state)

    def test_own_changes(self):
        """Events about Odoo's own changes cause no request."""
        order = self.order()
        OrdersCase.push(self)
        self.settle(timedelta())
        order.order_line.product_qty = 7
        self.sync('purchase_order', now=False)
        self.assertEqual(self.there(order)['line_items'][0]['quantity'], 7)
        self.deliver()
        self.assertIn('purchase_orders.updated', self.events().mapped('type'))
        self.assertEqual(self.reads('purchase_order'), {})

    def test_person(self):
        nora = self.hire()
        PeopleCase.push(self, 3)
        nora.action_send_ramp_invitation()
        PeopleCase.push(self)
        self.assertIn('Invited', nora.ramp_state)
        self.settle()
        self.ramp.update_user(nora.ramp_user_id, status='USER_ACTIVE')
        self.deliver()
        self.assertEqual(self.woken(), ['employee', 'user'])
        self.sync('employee', 'user', now=False)
        self.assertEqual(nora.ramp_state, 'In Ramp')


class TestForged(WebhookCase):
    """A forged call is not accepted, and leaves nothing in the database or in the log."""

    def once(self):
        super().once()
        self.row = self.subscribe()
        self.sender.emit_event('transactions.cleared', NOBODY, {'note': 'Café Zoë'})
        self.genuine = json.dumps(self.sender.pending_events[0], ensure_ascii=False).encode()
        self.deliver()
        self.other = self.connection.copy(
            {
                'existing_policy': 'book',
                'ramp_entity_id': NOBODY,
                'client_id': self.ramp.client_id,
                'client_secret': self.ramp.client_secret,
            }
        )
        self.other.action_connect()
        mine, self.connection = self.connection, self.other
        self.others_row = next(row for row in self.subscribe_second() if row['id'] == self.webhook.ramp_id)
        self.connection = mine
        self.woken()
        self.before = self.standing()
        self.calls = 0

    def subscribe_second(self):
        self.connection.use_webhooks = True
        self.run_job()
        self.deliver()
        self.run_job()
        self.assertEqual(self.connection.webhook_state, 'active')
        return self.subscriptions()

    def standing(self):
        self.env.invalidate_all()
        return (
            self.events().read(),
            self.env['ramp.webhook'].sudo().search([]).read(),
            self.env['ir.cron.trigger'].search([]).ids,
        )

    def signed(self, body, secret=None, encoding='hex'):
        return sign_event_body(self.row['_secret'] if secret is None else secret, body, encoding)

    @contextlib.contextmanager
    def nothing_happens(self):
        execute, written = Cursor.execute, []

        def watched(cr, query, *args, **kwargs):
            text = str(getattr(query, 'code', query))
            if WRITES.match(text):
                written.append(text)
            return execute(cr, query, *args, **kwargs)

        self.env.flush_all()
        with (
            patch.object(Cursor, 'execute', watched),
            self.assertNoLogs('odoo', logging.WARNING),
            self.assertNoLogs('odoo.addons.ramp_connector', logging.INFO),
        ):
            yield
        self.assertEqual(written, [])
        self.assertEqual(self.standing(), self.before)

    def refused(self, body, headers, url=None, statuses=(401,)):
        self.calls += 1
        status = self.forge(body, url or self.row['endpoint_url'], secret=None, headers=headers)
        self.assertIn(status, statuses, (body[:200], headers))

    def test_by_name(self):
        body, good = self.genuine, self.signed(self.genuine)
        event = json.loads(body)
        name = SIGNATURE_HEADERS[0]
        address = self.row['endpoint_url']
        cases = {
            'not signed': (body, {}),
            'an empty signature': (body, {name: ''}),
            'only a prefix': (body, {name: 'sha256='}),
            'guessed': (body, {name: '0' * 64}),
            'an empty secret': (body, {name: sign_event_body('', body)}),
            'secret None': (body, {name: sign_event_body('None', body)}),
            'secret False': (body, {name: sign_event_body('False', body)}),
            'another secret': (body, {name: sign_event_body('ramp_sec_other', body)}),
            'the secret of another connection': (body, {name: sign_event_body(self.others_row['_secret'], body)}),
            'another connection': (body, {name: good}, self.others_row['endpoint_url']),
            'another header': (body, {'X-Signature': good, 'Authorization': good}),
            'another header, nearly the same': (body, {'X-Ramp-Signatures': good}),
            'the signature in the body': (json.dumps({**event, name: good}).encode(), {}),
            'the signature cut': (body, {name: good[:-1]}),
            'the signature twice': (body, {name: f'{good},{good}'}),
            'the signature in capitals': (body, {name: good.upper()}),
            'base64 of the hex': (body, {name: base64.b64encode(good.encode()).decode()}),
            'of something else': (body, {name: self.signed(b'{}')}),
            'of nothing': (b'', {name: self.signed(b'{}')}),
            'truncated': (body[:-1], {name: good}),
            'without its last line': (body.rstrip(b'}'), {name: good}),
            'something behind it': (body + b'\n', {name: good}),
            'something before it': (b'\xef\xbb\xbf' + body, {name: good}),
            'an id of another': (json.dumps({**event, 'id': NOBODY}, ensure_ascii=False).encode(), {name: good}),
            'written again: ASCII only': (json.dumps(event).encode(), {name: good}),
            'written again: without spaces': (
                json.dumps(event, ensure_ascii=False, separators=(',', ':')).encode(),
                {name: good},
            ),
            'written again: sorted': (json.dumps(event, ensure_ascii=False, sort_keys=True).encode(), {name: good}),
            'other code points': (body.decode().replace('é', 'e\u0301').encode(), {name: good}),
            'latin-1': (
                body.decode().encode('latin-1'),
                {name: good, 'Content-Type': 'application/json; charset=latin-1'},
            ),
            'utf-16': (
                body.decode().encode('utf-16'),
                {name: good, 'Content-Type': 'application/json; charset=utf-16'},
            ),
            'gzip': (gzip.compress(body), {name: good, 'Content-Encoding': 'gzip'}),
            'a form': (b'payload=' + body, {name: good, 'Content-Type': 'application/x-www-form-urlencoded'}),
            'a form of just that': (body, {name: good, 'Content-Type': 'application/x-www-form-urlencoded'}),
            'a challenge': (json.dumps({'type': 'webhooks.verification', 'challenge': 'x'}).encode(), {}),
            'a challenge, signed by another': (
                json.dumps({'type': 'webhooks.verification', 'challenge': 'x'}).encode(),
                {name: good},
            ),
            'nowhere': (body, {name: good}, address.rpartition('/')[0] + '/' + NOBODY),
            'deep': (b'[' * 60000, {name: good}),
            'with a query': (body, {name: '0' * 64}, address + '?token=1&body=2'),
        }
        with self.nothing_happens():
            for case, arguments in cases.items():
                with self.subTest(case):
                    self.refused(*arguments)
        self.assertEqual(self.forge(body, address, secret=self.row['_secret']), 204)

    def test_wrong_requests(self):
        address = self.row['endpoint_url']
        with self.nothing_happens():
            for body in (b'x' * (64 * 1024 + 1), b' ' * 10**6):
                self.refused(body, {SIGNATURE_HEADERS[0]: self.signed(body)}, statuses=(413,))
            self.refused(
                self.genuine,
                {SIGNATURE_HEADERS[0]: '0' * 64},
                address.rpartition('/')[0] + '/%27%20OR%201=1',
                statuses=(404,),
            )
        for method in ('GET', 'PUT', 'DELETE', 'PATCH'):
            answer = self.url_open(
                address, method=method, data=self.genuine, headers={SIGNATURE_HEADERS[0]: self.signed(self.genuine)}
            )
            self.assertEqual(answer.status_code, 405, method)
        self.assertEqual(self.standing(), self.before)
        body = json.dumps({'type': 'transactions.cleared', 'id': 'the largest one'}).encode()
        self.assertEqual(self.forge(body.ljust(64 * 1024), address, secret=self.row['_secret']), 204)

    def test_refusals_are_all_alike(self):
        """Neither the answer nor its headers tell whether an address exists."""

        def answer(url):
            found = self.url_open(url, data=self.genuine, headers={SIGNATURE_HEADERS[0]: '0' * 64})
            return (
                found.status_code,
                found.content,
                {key: value for key, value in found.headers.items() if key != 'Date'},
            )

        nowhere = self.row['endpoint_url'].rpartition('/')[0] + '/' + NOBODY
        self.assertEqual(answer(self.row['endpoint_url']), answer(nowhere))
        self.assertEqual(answer(nowhere)[:2], (401, b''))

    @FORGED
    @given(data=st.data())
    def mutate(self, data):
        body = bytearray(self.genuine)
        for _change in range(data.draw(st.integers(0, 3))):
            position = data.draw(st.integers(0, len(body)))
            body[position : position + data.draw(st.integers(0, 40))] = data.draw(
                st.one_of(
                    st.binary(max_size=20),
                    st.text(max_size=10).map(lambda text: text.encode('utf-8', 'surrogatepass')),
                    st.sampled_from((b'"', b'{', b'}', b'\\u0000', b'null', NOBODY.encode())),
                )
            )
        body = bytes(body)
        secret = self.row['_secret']
        wrong = data.draw(
            st.one_of(
                st.just(self.others_row['_secret']),
                st.just(''),
                st.just(secret[:-1]),
                st.just(secret.upper()),
                st.just(' ' + secret),
                st.text(max_size=40),
            ).filter(lambda text: text != secret and 'surrogate' not in repr(text.encode('utf-8', 'replace')))
        )
        signatures = [
            sign_event_body(
                wrong.encode('utf-8', 'ignore').decode(), body, data.draw(st.sampled_from(SIGNATURE_ENCODINGS))
            )
        ]
        if body != self.genuine:
            signatures.append(self.signed(self.genuine, encoding=data.draw(st.sampled_from(SIGNATURE_ENCODINGS))))
        good = self.signed(body)
        position = data.draw(st.integers(0, 63))
        signatures += [
            good[:position]
            + format((int(good[position], 16) + data.draw(st.integers(1, 15))) % 16, 'x')
            + good[position + 1 :],
            good[:position],
            data.draw(st.text('0123456789abcdef', max_size=70)),
        ]
        given_signature = data.draw(st.sampled_from(signatures))
        if given_signature == good:
            return
        name = data.draw(
            st.sampled_from((*SIGNATURE_HEADERS, SIGNATURE_HEADERS[0].lower(), SIGNATURE_HEADERS[1].upper()))
        )
        self.refused(body, {name: data.draw(st.sampled_from(('', 'sha256='))) + given_signature})

    @in_turn
    def test_property_no_forged_event_is_accepted(self):
        with self.nothing_happens():
            self.mutate()
        self.assertGreaterEqual(self.calls, FORGED.max_examples * 0.9)
        logging.getLogger(__name__).info('%s forged calls, none accepted', self.calls)


class TestAccess(WebhookCase):
    is_smoke = True

    def once(self):
        super().once()
        self.row = self.subscribe()
        self.sender.emit_event('transactions.cleared', NOBODY)
        self.deliver()
        values = {'company_id': self.company.id, 'company_ids': [fields.Command.set(self.company.ids)]}
        self.roles = {
            group: new_test_user(
                self.env, f'hook_{number}', group if 'portal' in group else f'base.group_user,{group}', **values
            )
            for number, group in enumerate(
                (
                    'base.group_portal',
                    'base.group_user',
                    'account.group_account_readonly',
                    'account.group_account_invoice',
                    'account.group_account_user',
                    'account.group_account_manager',
                    'base.group_system',
                )
            )
        }

    def test_secrets_and_events_are_for_nobody(self):
        for group, user in self.roles.items():
            for record in (self.webhook, self.events()):
                record = record.with_user(user)
                for attempt in (
                    lambda record=record: record.read(),
                    lambda record=record: record.search([]),
                    lambda record=record: record.unlink(),
                    lambda record=record: record.write({'connection_id': self.connection.id}),
                    lambda record=record: record.create({'connection_id': self.connection.id}),
                ):
                    with (
                        self.subTest(group=group, model=record._name),
                        self.assertRaises(AccessError),
                        mute_logger('odoo.addons.base.models.ir_model', 'odoo.addons.base.models.ir_rule'),
                    ):
                        attempt()

    def test_who_sees_and_who_switches(self):
        for group, user in self.roles.items():
            connection = self.connection.with_user(user)
            with self.subTest(group):
                if group in ('base.group_portal', 'base.group_user'):
                    with self.assertRaises(AccessError), mute_logger('odoo.addons.base.models.ir_model'):
                        connection.read(['webhook_state'])
                    continue
                (values,) = connection.read()
                self.assertEqual((values['webhook_state'], bool(values['last_event'])), ('active', True))
                for secret in (self.row['_secret'], self.row['_challenge'], self.webhook.token):
                    self.assertNotIn(secret, str(values))
                if group in ('account.group_account_manager', 'base.group_system'):
                    connection.write({'use_webhooks': False})
                    connection.write({'use_webhooks': True})
                else:
                    with self.assertRaises(AccessError), mute_logger('odoo.addons.base.models.ir_model'):
                        connection.write({'use_webhooks': False})

    def test_the_state_is_nobodys_to_type(self):
        with self.assertRaises(AccessError):
            self.connection.with_user(self.roles['account.group_account_manager']).write({'webhook_state': 'off'})
        self.env.invalidate_all()
        self.assertEqual(self.connection.webhook_state, 'active')

    @in_turn
    def test_machinery_is_private(self):
        for model in ('ramp.webhook', 'ramp.event'):
            for name in vars(type(self.env[model]).__mro__[1]):
                if callable(getattr(type(self.env[model]), name, None)) and name not in ('create', 'write', 'unlink'):
                    self.assertTrue(name.startswith('_'), name)
