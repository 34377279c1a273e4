"""The simulator's webhooks over real HTTP: subscriptions, the events of changes, and events that get lost."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest.mock import patch

import requests

from odoo.tests import tagged

from ..ramp_api import read_event, read_subscription, verify_signature
from ..simulator import contract, events, faults, webhooks
from .test_simulator import CONTRACT
from .test_simulator_payables import NOBODY, PayablesCase


class Receiver:
    """An endpoint. got: [(headers, body)]; `answer`: the status of its answers, or a function of (headers, body)."""

    def __init__(self):
        receiver = self
        self.got, self.answer, self.heard = [], 200, threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length']))
                receiver.got.append((dict(self.headers.items()), body))
                status = receiver.answer(self.headers, body) if callable(receiver.answer) else receiver.answer
                if status is None:
                    self.close_connection = True
                else:
                    self.send_response(status)
                    if 300 <= status < 400:
                        self.send_header('Location', '/elsewhere')
                    self.send_header('Content-Length', '0')
                    self.end_headers()
                receiver.heard.set()

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.02}, daemon=True).start()
        self.url = f'http://127.0.0.1:{self.server.server_address[1]}/ramp/webhook?company=1'

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    @property
    def events(self):
        return [json.loads(body) for headers, body in self.got]


class WebhooksCase(PayablesCase):
    options = {'webhooks': {'held': True}}

    def setUp(self):
        super().setUp()
        self.receiver = Receiver()
        self.addCleanup(self.receiver.stop)
        self.sender = self.ramp.webhooks

    def subscribe(self, *kinds, **more):
        return self.ramp.add_subscription(self.receiver.url, kinds or events.EVENT_TYPES, **more)

    def outcomes(self):
        return [entry['outcome'] for entry in self.sender.deliver_pending()]

    def caused(self):
        """Return [(type, object id)] of the events since the last call."""
        found = [(event['type'], event['object']['id']) for event in self.sender.pending_events]
        self.sender.drop_pending()
        return found


@tagged('ramp_simulator')
class TestSubscriptions(WebhooksCase):
    def ask(self, **changes):
        return self.client.post(
            '/webhooks',
            json={
                'endpoint_url': self.receiver.url,
                'event_types': ['bills.paid', 'users.invite_accepted'],
                'additional_headers': {'X-Tenant': 'one'},
                **changes,
            },
        )

    def test_handshake(self):
        made = self.ask()
        self.assertEqual(made.status_code, 201, made.text)
        row = read_subscription(made.json())
        self.assertEqual(
            (row.status, row.event_types, made.json()['additional_headers']),
            ('pending_verification', ('bills.paid', 'users.invite_accepted'), {'X-Tenant': 'one'}),
        )
        bill = self.ramp.add_bill(amount_minor=100)
        self.ramp.pay_bill(bill)
        self.assertEqual(self.outcomes(), ['delivered'])
        ((headers, body),) = self.receiver.got
        event = read_event(body)
        self.assertTrue(event.is_verification and event.challenge)
        # The secret cannot be known yet, so the call has neither signature nor number.
        self.assertEqual(
            (headers['X-Tenant'], 'X-Ramp-Signature' in headers, 'X-Ramp-Webhook-ID' in headers), ('one', False, False)
        )
        path = f'/webhooks/{row.id}'
        self.assertRefused(self.client.post(f'{path}/verify', json={'challenge': 'guess'}), 400, 'DEVELOPER_7001')
        self.assertEqual(
            self.client.post(f'{path}/verify', json={'challenge': event.challenge}).json(), {'success': True}
        )
        self.assertEqual(self.client.get(path).json()['status'], 'active')
        told = self.client.get('/webhooks').json()
        self.assertEqual(
            [(set(item) & {'secret', 'additional_headers'}, item['id']) for item in told], [(set(), row.id)]
        )
        self.ramp.pay_bill(self.ramp.add_bill(amount_minor=100))
        self.assertEqual(self.outcomes(), ['delivered'])
        headers, body = self.receiver.got[-1]
        self.assertTrue(verify_signature(row.secret, body, headers))
        self.assertEqual(headers['X-Ramp-Webhook-ID'], read_event(body).id)

    def test_the_challenge_can_come_before_the_secret(self):
        answered = []
        self.ramp.add_after_hook(
            lambda method, path, body: (method, path[-9:]) == ('POST', '/webhooks') and self.sender.deliver_pending()
        )
        self.receiver.answer = lambda headers, body: answered.append(len(self.client.get('/webhooks').json())) or 200
        made = self.ask().json()
        self.assertEqual((answered, len(self.receiver.got)), ([1], 1))
        challenge = read_event(self.receiver.got[0][1]).challenge
        self.assertEqual(
            self.client.post(f'/webhooks/{made["id"]}/verify', json={'challenge': challenge}).status_code, 200
        )

    def test_deletion_is_the_only_change(self):
        ident = self.ask().json()['id']
        self.assertEqual(self.client.patch(f'/webhooks/{ident}', json={}).status_code, 405)
        self.assertEqual(self.client.delete(f'/webhooks/{ident}').status_code, 204)
        self.assertEqual(self.client.get('/webhooks').json(), [])
        for answer in (
            self.client.get(f'/webhooks/{ident}'),
            self.client.delete(f'/webhooks/{ident}'),
            self.client.post(f'/webhooks/{ident}/verify', json={'challenge': 'x'}),
        ):
            self.assertRefused(answer, 404, 'DEVELOPER_7002')
        self.assertEqual((self.sender.deliver_pending(), self.receiver.got), ([], []))

    def test_refusals(self):
        for wrong in (
            {'endpoint_url': 'http://erp.example.com/webhook'},
            {'event_types': []},
            {'event_types': ['TRANSACTION_REFUNDED']},
            {'additional_headers': {f'X-{number}': '1' for number in range(6)}},
            {'additional_headers': {'X' * 101: '1'}},
            {'secret': 'mine'},
        ):
            with self.subTest(wrong):
                self.assertRefused(self.ask(**wrong), 422, 'DEVELOPER_7001')
        self.assertEqual(self.ask(endpoint_url='https://erp.example.com/webhook').status_code, 201)
        self.client.sign_in('users:read')
        self.assertRefused(self.ask(), 403, 'DEVELOPER_7100')
        self.assertEqual(self.ask(event_types=['users.invite_accepted', 'tests.test_event']).status_code, 201)

    def test_mock_event(self):
        body = {'event_type': 'tests.test_event', 'object_id': NOBODY, 'object_metadata': {'sync_request_id': 's'}}
        self.assertEqual(self.client.post('/webhooks/mock-webhook-event', json=body).status_code, 201)
        self.assertEqual(self.sender.pending_events, [])
        self.subscribe('tests.test_event')
        made = self.client.post('/webhooks/mock-webhook-event', json=body).json()
        self.assertEqual(self.outcomes(), ['delivered'])
        self.assertEqual(self.receiver.events, [made])
        event = read_event(self.receiver.got[0][1])
        self.assertEqual((event.object_id, event.sync_request_id), (NOBODY, 's'))

    def test_types_are_the_contracts(self):
        if not CONTRACT:
            self.skipTest("Ramp's OpenAPI file is not here")
        document = json.loads(contract.find_contract_file().read_text(encoding='utf-8'))
        kinds = document['components']['schemas']['OutboundWebhookSubscriptionCreateRequestBody']['properties'][
            'event_types'
        ]
        self.assertEqual(tuple(kinds['items']['enum']), events.EVENT_TYPES)


@tagged('ramp_simulator')
class TestEvents(WebhooksCase):
    def setUp(self):
        super().setUp()
        self.subscribe()

    def test_nobody_subscribed_nothing_happens(self):
        for row in self.ramp.state['webhooks']:
            self.ramp.state['webhooks'].update_row(row['id'], status='inactive')
        self.ramp.add_transaction(amount_minor=100)
        self.assertEqual((self.sender.sent, self.sender.pending_events), ([], []))

    def test_transactions(self):
        ident = self.ramp.add_transaction(amount_minor=100, state='PENDING', sync_status='NOT_SYNC_READY')
        self.assertEqual(self.caused(), [('transactions.authorized', ident)])
        self.ramp.update_transaction(ident, state='CLEARED')
        self.assertEqual(self.caused(), [('transactions.cleared', ident), ('transactions.ready_for_review', ident)])
        self.ramp.update_transaction(ident, receipts=1)
        self.assertEqual(self.caused(), [('transactions.receipt_added', ident)])
        self.ramp.update_transaction(ident, account='7000')
        self.assertEqual(self.caused(), [('transactions.body_coding_updated', ident)])
        self.ramp.update_transaction(ident, sync_status='SYNC_READY', all_requirements_met_and_approved=True)
        self.assertEqual(
            self.caused(),
            [('transactions.all_requirements_met_and_approved_changed', ident), ('transactions.ready_to_sync', ident)],
        )
        self.assertEqual(self.send('TRANSACTION_SYNC', ident).status_code, 201)
        self.assertEqual(self.caused(), [('transactions.synced', ident)])
        declined = self.ramp.add_transaction(amount_minor=100, state='DECLINED', sync_status='NOT_SYNC_READY')
        self.assertEqual(self.caused(), [('transactions.declined', declined)])
        refund = self.ramp.add_transaction(refund_of=ident, sync_status='NOT_SYNC_READY')
        self.assertIn(('transactions.cleared', refund), self.caused())

    def test_bills(self):
        ident = self.ramp.add_bill(amount_minor=1000, approval_status='PENDING')
        self.assertEqual(self.caused(), [('bills.created', ident)])
        self.ramp.update_bill(ident, approval_status='APPROVED')
        self.assertEqual(self.caused(), [('bills.approved', ident), ('bills.ready_to_sync', ident)])
        self.ramp.update_bill(ident, invoice_number='I-2')
        self.assertEqual(self.caused(), [('bills.updated', ident)])
        self.send('BILL_SYNC', ident)
        self.assertEqual(self.caused(), [])
        payment = self.ramp.pay_bill(ident, status='scheduled')
        self.assertEqual(self.caused(), [('payments.updated', payment)])
        self.ramp.pay_bill(ident)
        self.assertEqual(
            self.caused(), [('payments.updated', payment), ('bills.paid', ident), ('bills.ready_to_sync', ident)]
        )
        other = self.ramp.add_bill(amount_minor=1000)
        self.caused()
        self.ramp.archive_bill(other)
        self.assertEqual(self.caused(), [('bills.archived', other)])
        third = self.ramp.add_bill(amount_minor=1, approval_status='PENDING')
        self.ramp.update_bill(third, approval_status='REJECTED')
        self.assertEqual(self.caused()[-1], ('bills.rejected', third))

    def test_reimbursements(self):
        one, two = (
            self.ramp.add_reimbursement(amount_minor=500, state='PENDING', sync_status='NOT_SYNC_READY') for _ in 'ab'
        )
        self.assertEqual(
            self.caused(), [('reimbursements.ready_for_review', one), ('reimbursements.ready_for_review', two)]
        )
        self.ramp.update_reimbursement(one, state='AWAITING_PAYMENT', sync_status='SYNC_READY')
        self.assertEqual(self.caused(), [('reimbursements.ready_to_sync', one)])
        batch = self.ramp.pay_reimbursement([one, two])
        self.assertEqual(self.caused(), [('reimbursements.batch_payment_reimbursed', batch)])

    def test_vendors_people_and_procurement(self):
        vendor = self.ramp.add_vendor('Acme', approval_status='PENDING', contacts=2, accounts=1)
        self.assertEqual(self.caused(), [])  # a vendor's creation is no event
        self.ramp.update_vendor(vendor, approval_status='APPROVED')
        self.assertEqual(self.caused(), [('vendors.approved', vendor)])
        self.client.patch(f'/vendors/{vendor}', json={'description': 'Tools', 'is_active': False})
        self.assertEqual(self.caused(), [('vendors.updated', vendor)])
        self.ramp.update_vendor(vendor, is_active=True)
        self.assertEqual(self.caused(), [('vendors.activated', vendor)])
        user = self.ramp.add_user(status='INVITE_PENDING')
        self.ramp.update_user(user, status='USER_ACTIVE')
        self.ramp.update_user(user, first_name='Eva')
        self.assertEqual(self.caused(), [('users.invite_accepted', user)])
        order = self.ramp.add_purchase_order(vendor=vendor, three_way_match=True)
        receipt = self.ramp.add_item_receipt(order)
        self.assertEqual(self.caused(), [('purchase_orders.created', order), ('item_receipts.created', receipt)])
        self.client.patch(f'/purchase-orders/{order}', json={'memo': 'x'})
        self.ramp.remove_item_receipt(receipt)  # no event
        self.client.post(f'/purchase-orders/{order}/archive', json={})
        self.assertEqual(self.caused(), [('purchase_orders.updated', order), ('purchase_orders.archived', order)])

    def test_objects_are_the_same_with_and_without(self):
        def made(subscribed):
            self.ramp.reset_business()
            if subscribed:
                self.subscribe()
            else:
                for _ in range(3):
                    self.ramp.state.make_new_id()  # the id of a subscription
            return [self.ramp.add_transaction(amount_minor=1), self.ramp.add_bill(amount_minor=1)], len(
                self.sender.sent
            )

        one, two = made(True), made(False)
        self.assertEqual(one[0], two[0])
        self.assertEqual((one[1] > 2, two[1]), (True, 0))


@tagged('ramp_simulator')
class TestDelivery(WebhooksCase):
    def emit(self, count=1):
        return [self.sender.emit_event('tests.test_event', self.ramp.state.make_new_id())['id'] for _ in range(count)]

    def arrived(self):
        return [event['id'] for event in self.receiver.events]

    def test_signatures(self):
        row = self.subscribe()
        for encoding in webhooks.SIGNATURE_ENCODINGS:
            for header in webhooks.SIGNATURE_HEADERS:
                for prefix in ('', 'sha256='):
                    self.sender.encoding, self.sender.header, self.sender.prefix = encoding, header, prefix
                    self.emit()
                    self.sender.deliver_pending()
                    headers, body = self.receiver.got[-1]
                    self.assertTrue(headers[header].startswith(prefix))
                    self.assertTrue(verify_signature(row['_secret'], body, headers), (encoding, header, prefix))
                    self.assertFalse(verify_signature(row['_secret'] + 'x', body, headers))
                    self.assertFalse(verify_signature(row['_secret'], body + b' ', headers))

    def test_other_names_of_the_object(self):
        self.subscribe()
        for name in ('id', 'resource_id', 'object_id'):
            self.sender.object_key = name
            self.emit()
            self.sender.deliver_pending()
            self.assertEqual(list(self.receiver.events[-1]['object']), [name])
            self.assertTrue(read_event(self.receiver.got[-1][1]).object_id)

    def test_answers(self):
        self.subscribe()
        for status, outcome in (
            (204, 'delivered'),
            (302, 'dropped'),
            (400, 'dropped'),
            (404, 'dropped'),
            (410, 'dropped'),
            (429, 'retry'),
            (500, 'retry'),
            (503, 'retry'),
            (None, 'retry'),
        ):
            self.receiver.answer = status
            self.emit()
            self.assertEqual(self.outcomes(), [outcome], status)
            self.assertEqual(self.sender.drop_pending(), outcome == 'retry')
        self.assertEqual(len(self.receiver.got), 9)  # no redirect was followed

    def test_ten_tries_under_one_id(self):
        self.subscribe()
        self.receiver.answer = 503
        (ident,) = self.emit()
        self.assertEqual([self.outcomes() for _ in range(11)], [['retry']] * 9 + [['dropped'], []])
        self.assertEqual(self.arrived(), [ident] * 10)
        self.assertEqual([entry['try'] for entry in self.sender.log], list(range(1, 11)))

    def test_waits_grow(self):
        self.subscribe()
        self.receiver.answer = 500
        self.emit()
        for tries in range(1, 6):
            self.sender.deliver_pending()
            wait = self.sender._pending[0].due - self.ramp.monotonic()
            self.assertLess(wait, 60 * 2 ** (tries - 1))
        self.assertGreater(wait, 60)

    def test_every_kind_of_fault_is_tested_here(self):
        tested = {name.removeprefix('test_fault_') for name in dir(self) if name.startswith('test_fault_')}
        self.assertEqual(tested, set(faults.FAULTS_OF_EVENTS))

    def test_fault_lose_event(self):
        self.subscribe()
        fault = self.ramp.faults.add_fault('lose_event', 'tests.*', count=2, skip=1)
        first, *_lost, last = self.emit(4)
        self.sender.deliver_pending()
        self.assertEqual((self.arrived(), fault.struck), ([first, last], 2))
        self.assertEqual([entry['outcome'] for entry in self.sender.log].count('lost'), 2)
        self.ramp.faults.clear_faults()
        self.ramp.faults.add_fault('lose_event', 'bills.*')
        self.emit()
        self.assertEqual(self.outcomes(), ['delivered'])

    def test_fault_duplicate_event(self):
        self.subscribe()
        self.ramp.faults.add_fault('duplicate_event', 'tests.*', count=1)
        one, two = self.emit(2)
        self.sender.deliver_pending()
        self.assertEqual(self.arrived(), [one, one, two])

    def test_fault_reorder_event(self):
        self.subscribe()
        self.ramp.faults.add_fault('reorder_event')
        many = self.emit(12)
        self.sender.deliver_pending()
        self.assertNotEqual(self.arrived(), many)
        self.assertEqual(Counter(self.arrived()), Counter(many))

    def test_by_seed(self):
        def story():
            self.ramp.reset_business()
            self.receiver.got.clear()
            self.subscribe()
            for kind in ('lose_event', 'duplicate_event', 'reorder_event'):
                self.ramp.faults.add_fault(kind, probability=0.3)
            self.emit(20)
            self.sender.deliver_pending()
            return self.receiver.events

        one, two = story(), story()
        self.assertEqual(one, two)
        self.assertTrue(len({event['id'] for event in one}) < 20)

    def test_replay_and_forgery(self):
        row = self.subscribe()
        (ident,) = self.emit()
        self.sender.deliver_pending()
        self.sender.replay_event(ident)
        self.sender.deliver_pending()
        self.assertEqual(self.arrived(), [ident, ident])
        secret = row['_secret']
        self.receiver.answer = lambda headers, body: 200 if verify_signature(secret, body, headers) else 401
        for options, status in (
            ({}, 401),
            ({'secret': None}, 401),
            ({'body': b'\xff'}, 401),
            ({'secret': secret}, 200),
            ({'secret': secret, 'headers': {'X-Ramp-Signature': '0' * 64}}, 401),
        ):
            self.assertEqual(self.sender.send_forged_event(self.receiver.url, **options), status, options)
        self.assertIsNone(self.sender.send_forged_event('http://127.0.0.1:9/'))

    def test_who_gets_an_event_may_ask_ramp_about_it(self):
        self.sender.release_events()
        self.subscribe('bills.created')
        self.receiver.answer = lambda headers, body: self.client.get(f'/bills/{read_event(body).object_id}').status_code
        self.ramp.add_bill(amount_minor=100)
        self.assertTrue(self.receiver.heard.wait(10))
        self.assertEqual(self.settled(), ['delivered'])

    def test_it_sends_by_itself_and_tries_again(self):
        self.sender.release_events()
        self.sender.backoff = 0.01
        self.subscribe()
        answers = [500, 200]
        self.receiver.answer = lambda headers, body: answers.pop(0)
        (ident,) = self.emit()
        self.assertEqual(self.settled(), ['retry'])
        self.clock.forward(seconds=1)
        self.assertEqual(self.settled(2), ['retry', 'delivered'])
        self.assertEqual(self.arrived(), [ident, ident])
        self.sender.hold_events()
        looked, due = threading.Event(), self.sender._list_due_deliveries
        with patch.object(self.sender, '_list_due_deliveries', side_effect=lambda: [due(), looked.set()][0]):
            self.emit()
            self.assertTrue(looked.wait(10))
            self.sender.stop_sender()  # the sender ends what it has begun
        self.assertEqual((len(self.receiver.got), len(self.sender.pending_events)), (2, 1))

    def settled(self, count=1):
        """Wait for so many outcomes and return all. The receiver answers before the sender notes the outcome."""
        self.assertTrue(self.sender.wait_for_attempts(count), self.sender.log)
        return [entry['outcome'] for entry in self.sender.log]

    def test_administration(self):
        def admin(method, path, **kwargs):
            return requests.request(method, f'{self.ramp.url}/_simulator{path}', timeout=20, **kwargs)

        made = admin('POST', '/webhooks', json={'url': self.receiver.url, 'kinds': ['tests.test_event']})
        self.assertEqual((made.status_code, made.json()['status']), (201, 'active'))
        self.assertEqual(len(admin('GET', '/webhooks').json()['data']), 1)
        event = admin('POST', '/events', json={'kind': 'tests.test_event', 'object_id': NOBODY}).json()['event']
        self.assertEqual(admin('POST', f'/events/{event["id"]}/replay').status_code, 200)
        told = admin('GET', '/events').json()
        self.assertEqual((len(told['sent']), len(told['pending']), told['log']), (1, 2, []))
        self.assertEqual(admin('PATCH', '/webhooks', json={'encoding': 'base64', 'held': False}).status_code, 204)
        self.assertEqual(self.settled(2), ['delivered', 'delivered'])
        headers, body = self.receiver.got[0]
        self.assertTrue(headers['X-Ramp-Signature'].endswith('='))
        self.assertTrue(verify_signature(made.json()['secret'], body, headers))
        self.assertEqual(admin('PATCH', '/webhooks', json={'sent': []}).status_code, 422)
        self.assertEqual(admin('POST', '/events/nothing/replay').status_code, 422)
