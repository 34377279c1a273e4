"""The simulator on its own, over real HTTP, because the other tests rely on it."""

import copy
import socket
import threading
import unittest
from collections import Counter
from datetime import datetime, timedelta, timezone
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import requests

from odoo.tests import tagged
from odoo.tests.common import _super_send

from ..simulator import KINDS, Fault, Seed, Simulator, memory, webhooks
from ..simulator import contract as contract_module
from ..simulator.faults import FAULTS_OF_EVENTS
from ..simulator.routes import API, ROUTES
from ..simulator.state import State, read_utc_now
from .smoke import PlainCase

ALL_SCOPES = (
    'accounting:read accounting:write transactions:read transactions:write receipts:read users:read'
    ' cards:read entities:read business:read departments:read locations:read'
)
CONTRACT = contract_module.load_contract() is not None


class Clock:
    """Ramp's clock, moved by hand."""

    def __init__(self):
        self.now = datetime(2026, 8, 15, 12, tzinfo=timezone.utc)

    def __call__(self):
        return self.now

    def monotonic(self):
        return self.now.timestamp()

    def forward(self, **delta):
        self.now += timedelta(**delta)


class Client(requests.Session):
    """A client with a token. `get("/users")` is below the API's base path."""

    def __init__(self, ramp, scope=ALL_SCOPES):
        super().__init__()
        self.ramp = ramp
        self.trust_env = False
        self.sign_in(scope)

    def sign_in(self, scope=ALL_SCOPES):
        self.headers.pop('Authorization', None)
        answer = self.post(
            '/token',
            auth=(self.ramp.client_id, self.ramp.client_secret),
            data={'grant_type': 'client_credentials', 'scope': scope},
        )
        self.headers['Authorization'] = f'Bearer {answer.json()["access_token"]}'
        return answer.json()

    def request(self, method, url, **kwargs):
        if url.startswith('/'):
            url = (self.ramp.url if url.startswith('/_simulator') else self.ramp.api_url) + url
        return super().request(method, url, timeout=kwargs.pop('timeout', 20), **kwargs)

    def pages(self, path, **params):
        answer = self.get(path, params=params).json()
        yield answer['data']
        while answer['page']['next']:
            answer = self.get(answer['page']['next']).json()
            yield answer['data']

    def every(self, path, **params):
        return [row for page in self.pages(path, **params) for row in page]

    def sync(self, key, good=(), bad=()):
        body = {'idempotency_key': key, 'sync_type': 'TRANSACTION_SYNC'}
        if good:
            body['successful_syncs'] = [{'id': ident, 'reference_id': f'move-{ident}'} for ident in good]
        if bad:
            body['failed_syncs'] = [{'id': ident, 'error': {'message': 'Period closed'}} for ident in bad]
        return self.post('/accounting/syncs', json=body)

    def seat(self, name='Odoo', **settings):
        return self.post(
            '/accounting/connection',
            json={'remote_provider_name': name, **({'settings': settings} if settings else {})},
        )


class SimulatorCase(PlainCase):
    """One small Ramp for each test. All answers are checked against the contract at the end of the test."""

    seed = {'transactions': 0}
    options = {}

    def setUp(self):
        super().setUp()
        self.clock = Clock()
        self.ramp = self.start(Seed(**self.seed), **self.options)
        self.client = self.sign_in()
        self.addCleanup(self.ramp.assert_clean)

    def start(self, seed, **options):
        ramp = Simulator(seed, clock=self.clock, monotonic=self.clock.monotonic, **options).start_server()
        self.addCleanup(ramp.stop_server)
        return ramp

    def sign_in(self, ramp=None, **kwargs):
        client = Client(ramp or self.ramp, **kwargs)
        self.addCleanup(client.close)
        return client

    def assertRefused(self, answer, status, code):
        self.assertEqual((answer.status_code, answer.json()['error_v2']['error_code']), (status, code))
        self.assertTrue(answer.headers['x-trace-id'])


@tagged('ramp_simulator')
class TestToken(SimulatorCase):
    def test_scope_is_narrowed_silently(self):
        given = self.client.sign_in('users:read treasury:read made:up')
        self.assertEqual(given['scope'], 'users:read')
        self.assertEqual(given['expires_in'], 864000)
        self.assertEqual(self.client.get('/users').status_code, 200)
        self.assertRefused(self.client.get('/transactions'), 403, 'DEVELOPER_7100')

    def test_no_scope_asked_none_given(self):
        self.assertEqual(self.client.sign_in(None)['scope'], '')
        self.assertRefused(self.client.get('/users'), 403, 'DEVELOPER_7100')

    def test_wrong_secret(self):
        answer = requests.post(
            f'{self.ramp.api_url}/token',
            auth=(self.ramp.client_id, 'wrong'),
            timeout=20,
            data={'grant_type': 'client_credentials'},
        )
        self.assertEqual((answer.status_code, answer.json()['error']), (401, 'invalid_client'))

    def test_unknown_expired_and_revoked_tokens(self):
        self.clock.forward(seconds=864000)
        self.assertRefused(self.client.get('/users'), 401, 'DEVELOPER_7028')
        self.client.sign_in()
        token = self.client.headers['Authorization'].partition(' ')[2]
        answer = requests.post(
            f'{self.ramp.api_url}/token/revoke',
            data={'token': token},
            timeout=20,
            auth=(self.ramp.client_id, self.ramp.client_secret),
        )
        self.assertEqual(answer.status_code, 200)
        self.assertRefused(self.client.get('/users'), 401, 'DEVELOPER_7028')
        self.ramp.dead_tokens_not_found = True
        self.assertRefused(self.client.get('/users'), 404, 'DEVELOPER_7002')

    def test_revoke_form(self):
        """The form of a revocation has a token, and perhaps its kind. A token that Ramp does not know is no error."""
        for form, allowed in (
            ({'token': 'x', 'token_type_hint': 'refresh_token'}, {200}),
            # 422: the contract's file is there
            ({'token_type_hint': 'refresh_token'}, {400, 422}),
            ({'token': 'x', 'token_type_hint': 'id_token'}, {400, 422}),
            ({'token': 'x', 'client_id': 'y'}, {400, 422}),
        ):
            with self.subTest(form=form):
                answer = requests.post(
                    f'{self.ramp.api_url}/token/revoke',
                    data=form,
                    timeout=20,
                    auth=(self.ramp.client_id, self.ramp.client_secret),
                )
                self.assertIn(answer.status_code, allowed)

    def test_rate_limit_rolls(self):
        self.ramp.rate.limit = 3
        self.ramp.rate.forget_requests()
        self.assertEqual([self.client.get('/business').status_code for _ in range(4)], [200, 200, 200, 429])
        self.clock.forward(seconds=11)
        answer = self.client.get('/business')
        self.assertEqual(answer.status_code, 200)

    def test_retry_after_header_only_if_wanted(self):
        self.ramp.rate.limit = 1
        self.ramp.rate.forget_requests()
        self.client.get('/business')
        self.assertNotIn('Retry-After', self.client.get('/business').headers)
        self.ramp.retry_after = 7
        self.assertEqual(self.client.get('/business').headers['Retry-After'], '7')


@tagged('ramp_simulator')
class TestSeat(SimulatorCase):
    def test_taken_seat_answers_success_with_the_incumbent(self):
        self.ramp.take_accounting_seat('QuickBooks')
        answer = self.client.seat('Odoo')
        self.assertEqual(answer.status_code, 201)
        self.assertEqual(answer.json()['remote_provider_name'], 'QuickBooks')
        ident = self.ramp.add_transaction(amount_minor=100)
        self.assertRefused(self.client.sync('k', [ident]), 400, 'DEVELOPER_7001')

    def test_universal_csv_gives_way(self):
        self.ramp.take_accounting_seat('Universal CSV', 'CSV')
        self.assertEqual(self.client.seat('Odoo').json()['remote_provider_name'], 'Odoo')

    def test_tombstone_and_reactivation(self):
        ours = self.client.seat('Odoo').json()
        self.assertEqual(self.client.delete('/accounting/connection').status_code, 204)
        [tombstone] = self.client.get('/accounting/all-connections').json()['connections']
        self.assertEqual((tombstone['id'], tombstone['status']), (ours['id'], 'unlinked'))
        self.assertFalse(tombstone['is_active'])
        self.assertRefused(self.client.get('/accounting/connection'), 404, 'DEVELOPER_7002')
        back = self.client.post(f'/accounting/connection/{ours["id"]}/reactivate')
        self.assertTrue(back.json()['is_active'])
        self.ramp.take_accounting_seat('NetSuite')
        answer = self.client.post(f'/accounting/connection/{ours["id"]}/reactivate')
        self.assertRefused(answer, 400, 'DEVELOPER_7001')

    def test_settings(self):
        ours = self.client.seat().json()
        path = f'/accounting/connection/{ours["id"]}'
        self.client.patch(path, json={'settings': {'entity_selection_enabled': True}})
        settings = self.client.get(path).json()['settings']
        self.assertEqual([name for name, on in settings.items() if on], ['entity_selection_enabled'])
        self.assertRefused(
            self.client.patch(path, json={'settings': {'everything_enabled': True}}), 422, 'DEVELOPER_7001'
        )

    def test_sync_buttons_are_there_where_they_are_switched_on(self):
        ident = self.ramp.add_transaction(amount_minor=100)
        ours = self.client.seat().json()
        with self.assertRaisesRegex(LookupError, 'transaction_sync_button_enabled is off'):
            self.ramp.request_sync(ident)
        path = f'/accounting/connection/{ours["id"]}'
        self.client.patch(path, json={'settings': {'transaction_sync_button_enabled': True}})
        self.assertIsNone(self.ramp.request_sync(ident), 'nobody is subscribed')
        waiting = self.ramp.add_transaction(amount_minor=100, sync_status='NOT_SYNC_READY')
        with self.assertRaisesRegex(LookupError, 'not ready'):
            self.ramp.request_sync(waiting)


@tagged('ramp_simulator')
class TestLists(SimulatorCase):
    seed = {'transactions': 60, 'months': 2}

    def test_pages_cover_everything_once(self):
        pages = list(self.client.pages('/transactions', state='ALL', page_size=25))
        self.assertEqual([len(page) for page in pages], [25, 25, 10])
        self.assertEqual(len({row['id'] for page in pages for row in page}), 60)

    def test_page_size_bounds(self):
        self.assertEqual(len(self.client.get('/transactions').json()['data']), 20)
        for size in ('1', '101', 'many'):
            answer = self.client.get('/transactions', params={'page_size': size})
            self.assertRefused(answer, 422, 'DEVELOPER_7001')
            self.assertIn('page_size', answer.json()['error_v2']['additional_info'])

    def test_next_page_is_on_the_host_that_was_asked(self):
        url = f'http://localhost:{self.ramp.port}{API}/transactions?sync_status=SYNC_READY&page_size=2'
        following = self.client.get(url).json()['page']['next']
        self.assertEqual(urlsplit(following).hostname, 'localhost')
        self.assertEqual(parse_qs(urlsplit(following).query)['sync_status'], ['SYNC_READY'])

    def test_rows_that_leave_the_set_do_not_shift_others(self):
        self.client.seat()
        seen = []
        for number, page in enumerate(self.client.pages('/transactions', sync_status='SYNC_READY', page_size=7)):
            ids = [row['id'] for row in page]
            seen += ids
            self.assertEqual(self.client.sync(f'page {number}', ids).status_code, 201)
        ready = [row['id'] for row in self.ramp.state['transactions'] if row['sync_status'] != 'NOT_SYNC_READY']
        self.assertEqual(Counter(seen), Counter(ready))
        self.assertEqual(self.client.every('/transactions', sync_status='SYNC_READY'), [])

    def test_filters(self):
        rows = list(self.ramp.state['transactions'])
        entity = next(row['id'] for row in self.ramp.state['entities'] if row['currency'] == 'EUR')
        user = rows[0]['card_holder']['user_id']
        middle = rows[30]['user_transaction_time']
        for params, test in (
            ({'entity_id': entity}, lambda row: row['entity_id'] == entity),
            ({'user_id': user}, lambda row: row['card_holder']['user_id'] == user),
            ({'from_date': middle}, lambda row: row['user_transaction_time'] >= middle),
            ({'to_date': middle}, lambda row: row['user_transaction_time'] <= middle),
            ({'min_amount': '50.5'}, lambda row: row['amount'] >= 50.5),
            ({'sync_status': 'NOT_SYNC_READY'}, lambda row: row['sync_status'] == 'NOT_SYNC_READY'),
            ({'has_no_sync_commits': 'false'}, lambda row: row['sync_status'] == 'SYNCED'),
            ({'state': 'PENDING'}, lambda row: row['state'] == 'PENDING'),
        ):
            with self.subTest(params):
                expected = {row['id'] for row in rows if test(row)}
                self.assertLess(len(expected), 60)
                found = self.client.every('/transactions', **{'state': 'ALL', **params})
                self.assertEqual({row['id'] for row in found}, expected)

    def test_declined_are_hidden_unless_asked_for(self):
        declined = self.ramp.add_transaction(amount_minor=5, state='DECLINED', sync_status='NOT_SYNC_READY')
        self.assertNotIn(declined, {row['id'] for row in self.client.every('/transactions')})
        self.assertIn(declined, {row['id'] for row in self.client.every('/transactions', state='ALL')})
        self.assertIn(declined, {row['id'] for row in self.client.every('/transactions', state='DECLINED')})

    def test_changes_are_found_by_updated_after(self):
        ident = next(iter(self.ramp.state['transactions']))['id']
        self.clock.forward(days=1)
        now = self.ramp.state.read_time()
        self.assertEqual(self.client.every('/transactions', state='ALL', updated_after=now), [])
        self.ramp.update_transaction(ident, memo='changed')
        [row] = self.client.every('/transactions', state='ALL', updated_after=now)
        self.assertEqual((row['id'], row['memo']), (ident, 'changed'))

    def test_orders(self):
        for name, field in (('date', 'user_transaction_time'), ('amount', 'amount')):
            for end in ('asc', 'desc'):
                rows = self.client.every('/transactions', **{f'order_by_{name}_{end}': 'true', 'page_size': 9})
                values = [row[field] for row in rows]
                self.assertGreater(len(set(values)), 30)
                self.assertEqual(values, sorted(values, reverse=end == 'desc'))

    def test_unknown_parameter_is_ignored_and_wrong_value_refused(self):
        self.assertEqual(self.client.get('/transactions', params={'no_such': 'x'}).status_code, 200)
        for name, value in (('entity_id', 'x'), ('from_date', '2026-01-01'), ('sync_status', 'DONE')):
            self.assertRefused(self.client.get('/transactions', params={name: value}), 422, 'DEVELOPER_7001')

    def test_other_lists_and_details(self):
        for path in (
            '/users',
            '/entities',
            '/cards/physical',
            '/cards/virtual',
            '/departments',
            '/locations',
            '/receipts',
        ):
            with self.subTest(path):
                rows = self.client.every(path, page_size=3)
                self.assertGreater(len(rows), 3)
                self.assertEqual(len({row['id'] for row in rows}), len(rows))
                detail = self.client.get(f'{path}/{rows[-1]["id"]}').json()
                self.assertEqual(detail['id'], rows[-1]['id'])
                missing = self.client.get(f'{path}/00000000-0000-4000-8000-000000000000')
                self.assertRefused(missing, 404, 'DEVELOPER_7002')
        self.assertTrue(self.client.get('/business').json()['active'])

    def test_suspended_users_and_terminated_cards_are_hidden(self):
        listed = {row['status'] for row in self.client.every('/users')}
        self.assertEqual(listed, {'USER_ACTIVE', 'USER_INACTIVE'})
        self.assertEqual(len(self.client.every('/users', status='USER_SUSPENDED')), 1)
        self.assertRefused(self.client.get('/users?status=INVITE_PENDING'), 422, 'DEVELOPER_7001')
        card = next(iter(self.ramp.state['physical_cards']))['id']
        self.ramp.state['physical_cards'].update_row(card, state='TERMINATED')
        self.assertNotIn(card, {row['id'] for row in self.client.every('/cards/physical')})
        found = self.client.every('/cards/physical', include_terminated_only='true', include_activated_only='false')
        self.assertEqual([row['id'] for row in found], [card])

    def test_unknown_path_is_html(self):
        answer = self.client.get('/nothing/here')
        self.assertEqual((answer.status_code, answer.headers['Content-Type'][:9]), (404, 'text/html'))

    def test_connections_are_kept_alive(self):
        with patch.object(self.ramp._server, 'get_request', wraps=self.ramp._server.get_request) as accepted:
            for _ in range(5):
                self.client.get('/business')
        self.assertLessEqual(accepted.call_count, 1)


@tagged('ramp_simulator')
class TestReceipts(SimulatorCase):
    def setUp(self):
        super().setUp()
        self.transaction = self.ramp.add_transaction(amount_minor=1234, receipts=1)

    def link(self):
        [receipt] = self.client.every('/receipts', transaction_id=self.transaction)
        return receipt['receipt_url']

    def test_file_follows_the_receipt(self):
        starts = {'application/pdf': b'%PDF-1.4', 'image/png': b'\x89PNG\r\n\x1a\n', 'image/jpeg': b'\xff\xd8\xff'}
        for kind in ('pdf', 'png', 'jpg'):
            self.ramp.state['receipts'].update_row(next(iter(self.ramp.state['receipts']))['id'], _kind=kind)
            link = self.link()
            first, second = requests.get(link, timeout=20), requests.get(link, timeout=20)
            self.assertTrue(first.content.startswith(starts[first.headers['Content-Type']]))
            self.assertEqual(first.content, second.content)
        [detail] = self.client.get(f'/transactions/{self.transaction}').json()['receipts']
        self.assertIn(detail, link)

    def test_link_expires_and_cannot_be_altered(self):
        link = self.link()
        self.assertEqual(requests.get(link, timeout=20).status_code, 200)
        self.assertEqual(requests.get(link.replace('Expires=1', 'Expires=2'), timeout=20).status_code, 403)
        self.clock.forward(hours=2)
        self.assertEqual(requests.get(link, timeout=20).status_code, 403)
        self.assertEqual(requests.get(self.link(), timeout=20).status_code, 200)

    def test_leaked_token_is_refused_and_counted(self):
        self.assertEqual(self.client.get(self.link()).status_code, 400)
        self.assertEqual(self.ramp.leaked_tokens, 1)
        with self.assertRaisesRegex(AssertionError, 'pre-signed'):
            self.ramp.assert_clean()
        self.ramp.leaked_tokens = 0

    def test_file_name_with_every_script(self):
        receipt = next(iter(self.ramp.state['receipts']))['id']
        self.ramp.state['receipts'].update_row(receipt, _filename='Beleg Köln & 領収書.pdf')
        self.assertEqual(requests.get(self.link(), timeout=20).status_code, 200)


@tagged('ramp_simulator')
class TestSyncs(SimulatorCase):
    def setUp(self):
        super().setUp()
        self.one = self.ramp.add_transaction(amount_minor=1000)
        self.two = self.ramp.add_transaction(amount_minor=2000)
        self.client.seat()

    def test_success_moves_locks_and_is_journaled(self):
        self.assertEqual(self.client.sync('k', [self.one, self.two]).status_code, 201)
        row = self.client.get(f'/transactions/{self.one}').json()
        self.assertEqual((row['sync_status'], row['synced_at']), ('SYNCED', self.ramp.state.read_time()))
        self.assertEqual(self.ramp.list_successes(), {i: [f'move-{i}'] for i in (self.one, self.two)})
        answer = self.client.patch(f'/transactions/{self.one}', json={'line_items': []})
        self.assertRefused(answer, 403, 'DEVELOPER_TRANSACTION_SPLIT_NOT_ALLOWED')
        answer = self.client.post(
            '/accounting/ready-to-sync', json={'object_ids': [self.one], 'object_type': 'TRANSACTION'}
        )
        self.assertRefused(answer, 422, 'DEVELOPER_7001')

    def test_failure_is_shown_and_leaves_it_ready(self):
        self.assertEqual(self.client.sync('k', [self.two], [self.one]).status_code, 201)
        self.assertEqual(self.client.get(f'/transactions/{self.one}').json()['sync_status'], 'SYNC_READY')
        self.assertEqual(self.ramp.list_export_errors(self.one), ['Period closed'])
        self.assertEqual(self.client.sync('k2', [self.one]).status_code, 201)
        self.assertEqual(self.ramp.list_export_errors(self.one), [])

    def test_key_is_spent_by_success_and_by_failure(self):
        self.client.sync('good', [self.one])
        self.assertRefused(self.client.sync('good', [self.one]), 400, 'DEVELOPER_7005')
        self.assertRefused(self.client.sync('bad', ['00000000-0000-4000-8000-000000000000']), 422, 'DEVELOPER_7001')
        self.assertRefused(self.client.sync('bad', [self.two]), 400, 'DEVELOPER_7005')
        self.assertEqual(list(self.ramp.list_successes()), [self.one])

    def test_one_wrong_id_refuses_the_whole(self):
        waiting = self.ramp.add_transaction(amount_minor=1, sync_status='NOT_SYNC_READY')
        answer = self.client.sync('k', [self.one, waiting])
        self.assertRefused(answer, 422, 'DEVELOPER_7001')
        self.assertEqual(list(answer.json()['error_v2']['additional_info']), [waiting])
        self.assertEqual(self.ramp.state.journal, [])
        self.assertRefused(self.client.sync('k2', [self.one, self.one]), 422, 'DEVELOPER_7001')

    def test_second_success_is_refused_or_visible(self):
        self.client.sync('k1', [self.one])
        self.assertRefused(self.client.sync('k2', [self.one]), 422, 'DEVELOPER_7001')
        self.assertEqual(len(self.ramp.list_successes()[self.one]), 1)
        self.ramp.resync = 'accept'
        self.assertEqual(self.client.sync('k3', [self.one]).status_code, 201)
        self.assertEqual(len(self.ramp.list_successes()[self.one]), 2)

    def test_empty_and_missing_lists(self):
        body = {'sync_type': 'TRANSACTION_SYNC'}
        for key, more in (('a', {}), ('b', {'successful_syncs': []}), ('c', {'failed_syncs': []})):
            answer = self.client.post('/accounting/syncs', json={**body, **more, 'idempotency_key': key})
            self.assertRefused(answer, 422, 'DEVELOPER_7001')

    def test_no_body(self):
        self.assertRefused(self.client.post('/accounting/syncs', data='{'), 400, 'DEVELOPER_7011')

    def test_seat_is_needed(self):
        self.client.delete('/accounting/connection')
        self.assertRefused(self.client.sync('k', [self.one]), 400, 'DEVELOPER_7001')
        self.assertEqual(self.ramp.state.journal, [])

    def test_write_calls_and_hooks(self):
        seen = []
        self.ramp.add_before_hook(lambda *call: seen.append(('before', len(self.ramp.state.journal), *call[:2])))
        self.ramp.add_after_hook(lambda *call: seen.append(('after', len(self.ramp.state.journal), *call[:2])))
        self.client.get('/business')
        self.client.sync('k', [self.one])
        syncs = ('POST', f'{API}/accounting/syncs')
        self.assertEqual(seen[2:], [('before', 0, *syncs), ('after', 1, *syncs)])
        self.assertEqual(
            [entry['path'] for entry in self.ramp.list_write_calls()],
            [f'{API}/accounting/connection', f'{API}/accounting/syncs'],
        )


@tagged('ramp_simulator')
class TestSplit(SimulatorCase):
    seed = {
        'transactions': 0,
        'analytics': [
            {'field_id': 'project', 'field_name': 'Project', 'options': [{'id': '7', 'code': 'P7', 'value': 'Moon'}]}
        ],
    }

    def split(self, ident, *amounts, option='7'):
        return self.client.patch(
            f'/transactions/{ident}',
            json={
                'line_items': [
                    {
                        'amount': amount,
                        'memo': f'part {amount}',
                        'accounting_field_selections': [
                            {'field_external_id': 'Category', 'field_option_external_id': 'sim-6100'},
                            {'field_external_id': 'project', 'field_option_external_id': option},
                        ],
                    }
                    for amount in amounts
                ]
            },
        )

    def test_split_and_unsplit(self):
        ident = self.ramp.add_transaction(amount_minor=1001)
        lines = self.split(ident, 334, 333, 334).json()['line_items']
        self.assertEqual([line['converted_amount']['amount'] for line in lines], [334, 333, 334])
        coded = [
            (s['category_info']['external_id'], s['type'], s['external_id'])
            for s in lines[0]['accounting_field_selections']
        ]
        self.assertEqual(coded, [('Category', 'GL_ACCOUNT', 'sim-6100'), ('project', 'OTHER', '7')])
        [line] = self.client.patch(f'/transactions/{ident}', json={'line_items': []}).json()['line_items']
        self.assertEqual(line['amount']['amount'], 1001)

    def test_wrong_sum_and_unknown_option(self):
        ident = self.ramp.add_transaction(amount_minor=1000)
        self.assertRefused(self.split(ident, 500, 499), 400, 'DEVELOPER_TRANSACTION_INTERACTION_FAILED')
        self.assertRefused(self.split(ident, 1000, option='8'), 400, 'DEVELOPER_7123')
        self.assertEqual(len(self.client.get(f'/transactions/{ident}').json()['line_items']), 1)

    def test_ready_to_sync(self):
        ident = self.ramp.add_transaction(amount_minor=1000, sync_status='NOT_SYNC_READY')
        body = {'object_ids': [ident], 'object_type': 'TRANSACTION'}
        self.assertEqual(self.client.post('/accounting/ready-to-sync', json=body).status_code, 204)
        self.assertEqual(self.client.get(f'/transactions/{ident}').json()['sync_status'], 'SYNC_READY')


@tagged('ramp_simulator')
class TestFaults(SimulatorCase):
    seed = {'transactions': 30}

    def setUp(self):
        super().setUp()
        self.client.seat()
        self.ident = self.ramp.add_transaction(amount_minor=1000)

    def is_synced(self):
        return self.ident in self.ramp.list_successes()

    def ids(self, **params):
        return [row.get('id') for row in self.client.get('/transactions', params=params).json()['data']]

    def test_every_kind_is_tested_here(self):
        tested = {name.removeprefix('test_fault_') for name in dir(self) if name.startswith('test_fault_')}
        self.assertEqual(tested, set(KINDS) - set(FAULTS_OF_EVENTS))  # event faults are tested with webhooks

    def test_fault_hang(self):
        self.ramp.faults.add_fault('hang', '/business', count=1)
        with self.assertRaises(requests.Timeout), patch.object(requests.Session, 'send', _super_send):
            self.client.get('/business', timeout=0.05)
        self.assertEqual(self.client.get('/business').status_code, 200)

    def trickle(self, kind):
        """Return what has arrived after some reads. The body comes one byte at a time, what is before it in one piece."""
        self.ramp.faults.add_fault(kind, '/business', count=1, pace=0.01)
        with socket.create_connection((self.ramp.host, self.ramp.port), timeout=20) as connection:
            token = self.client.headers['Authorization']
            connection.sendall(f'GET {API}/business HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n'.encode())
            return b''.join(connection.recv(10000) for _time in range(6))

    def test_fault_trickle_headers(self):
        self.assertNotIn(b'\r\n\r\n', self.trickle('trickle_headers'))
        self.assertEqual(self.client.get('/business').status_code, 200)

    def test_fault_trickle_body(self):
        head, _end, body = self.trickle('trickle_body').partition(b'\r\n\r\n')
        self.assertIn(b'200', head)
        self.assertLess(len(body), 100)
        self.assertEqual(self.client.get('/business').status_code, 200)

    def test_fault_rate_limit(self):
        self.ramp.faults.add_fault('rate_limit', count=1, retry_after=3)
        answer = self.client.sync('k', [self.ident])
        self.assertEqual((answer.status_code, answer.headers['Retry-After']), (429, '3'))
        self.assertFalse(self.is_synced())
        self.assertEqual(self.client.sync('k', [self.ident]).status_code, 201)

    def test_fault_server_error(self):
        for status in (500, 502, 503, 504):
            self.ramp.faults.add_fault('server_error', '/accounting/syncs', status=status, count=1)
        self.assertEqual([self.client.sync('k', [self.ident]).status_code for _ in range(5)], [500, 502, 503, 504, 201])

    def test_fault_error_after(self):
        self.ramp.faults.add_fault('error_after', '/accounting/syncs', count=1)
        self.assertEqual(self.client.sync('k', [self.ident]).status_code, 500)
        self.assertTrue(self.is_synced())
        self.assertRefused(self.client.sync('k', [self.ident]), 400, 'DEVELOPER_7005')

    def test_fault_drop_before(self):
        self.ramp.faults.add_fault('drop_before', '/accounting/*', count=1)
        with self.assertRaises(requests.ConnectionError):
            self.client.sync('k', [self.ident])
        self.assertFalse(self.is_synced())

    def test_fault_drop_after(self):
        self.ramp.faults.add_fault('drop_after', '/accounting/*', count=1)
        with self.assertRaises(requests.ConnectionError):
            self.client.sync('k', [self.ident])
        self.assertTrue(self.is_synced())
        self.assertIsNone(self.ramp.requests[-1]['status'])

    def test_fault_truncate(self):
        self.ramp.faults.add_fault('truncate', '/accounting/syncs', count=1)
        try:
            # It depends on urllib3 whether half a body is an error at once, or only for the JSON reader.
            cut = self.client.sync('k', [self.ident])
        except requests.exceptions.ChunkedEncodingError:
            cut = None
        if cut is not None:
            with self.assertRaises(requests.exceptions.JSONDecodeError):
                cut.json()
        self.assertEqual(self.ramp.requests[-1]['fault'], 'truncate')
        self.assertTrue(self.is_synced())

    def test_fault_timeout_before(self):
        self.ramp.faults.add_fault('timeout_before', '/business', count=1, seconds=20)
        # Odoo's tests make a timeout ten seconds at least.
        with self.assertRaises(requests.Timeout), patch.object(requests.Session, 'send', _super_send):
            self.client.get('/business', timeout=0.05)
        self.assertEqual(self.client.get('/business').status_code, 200)

    def test_fault_timeout_after(self):
        worked = threading.Event()
        self.ramp.add_after_hook(lambda method, path, body: worked.set())
        self.ramp.faults.add_fault('timeout_after', '/accounting/syncs', count=1, seconds=0.01)
        with self.assertRaises(requests.ConnectionError):
            self.client.sync('k', [self.ident])
        self.assertTrue(worked.wait(10))
        self.assertTrue(self.is_synced())

    def test_fault_html_error(self):
        self.ramp.faults.add_fault('html_error', '/transactions/*', method='GET', count=1)
        answer = self.client.get(f'/transactions/{self.ident}')
        self.assertEqual(answer.status_code, 404)
        self.assertTrue(answer.text.startswith('<!doctype html>'))
        self.assertEqual(self.client.get(f'/transactions/{self.ident}').status_code, 200)

    def test_fault_dead_token(self):
        self.ramp.faults.add_fault('dead_token', count=1)
        for _ in range(2):
            self.assertRefused(self.client.get('/business'), 404, 'DEVELOPER_7002')
        self.client.sign_in()
        self.assertEqual(self.client.get('/business').status_code, 200)

    def test_fault_duplicate_page(self):
        self.ramp.faults.add_fault('duplicate_page', '/transactions', count=1)
        first = self.client.get('/transactions', params={'page_size': 5}).json()
        second = self.client.get(first['page']['next']).json()
        self.assertEqual([row['id'] for row in second['data'][:5]], [row['id'] for row in first['data']])
        self.assertEqual(len(second['data']), 10)

    def test_fault_reorder_page(self):
        straight = self.ids(page_size=10)
        self.ramp.faults.add_fault('reorder_page', count=1)
        shuffled = self.ids(page_size=10)
        self.assertNotEqual(shuffled, straight)
        self.assertEqual(Counter(shuffled), Counter(straight))

    def test_fault_malformed_object(self):
        for how, broken in (
            ('missing_id', lambda row: 'id' not in row),
            ('amount_as_text', lambda row: isinstance(row['amount'], str)),
            ('null_lines', lambda row: row['line_items'] is None),
        ):
            self.ramp.faults.add_fault('malformed_object', '/transactions', count=1, how=how)
            rows = self.client.get('/transactions').json()['data']
            self.assertEqual(sum(broken(row) for row in rows), 1, how)
            self.assertFalse(any(broken(row) for row in self.client.get('/transactions').json()['data']), how)

    def test_fault_stale_page(self):
        self.ramp.faults.add_fault('stale_page', '/transactions', count=1)
        before, after = self.ids(page_size=100), self.ids(page_size=100)
        self.assertEqual(len(set(after) - set(before)), 1)
        # If rows have a creation date, the newest one is missing.
        rows = [{'id': str(day), 'created_at': f'2026-01-0{day}'} for day in (1, 3, 2)]
        self.ramp.faults.add_fault('stale_page', '/anything', count=1)
        page, _fault = self.ramp.faults.change_list_page('/anything', False, {'data': rows})
        self.assertEqual([row['id'] for row in page['data']], ['1', '2'])

    def test_fault_expired_file(self):
        self.ramp.add_transaction(amount_minor=1, receipts=1)
        link = self.client.every('/receipts')[-1]['receipt_url']
        self.ramp.faults.add_fault('expired_file', count=1)
        self.assertEqual([requests.get(link, timeout=20).status_code for _ in range(2)], [403, 200])

    def test_chance_is_repeatable(self):
        def run():
            self.ramp.reset_business()
            self.client.sign_in()
            self.ramp.faults.add_fault('server_error', '/business', probability=0.5)
            return [self.client.get('/business').status_code for _ in range(20)]

        first = run()
        self.assertEqual(set(first), {200, 500})
        self.assertEqual(run(), first)

    def test_script(self):
        fault = self.ramp.faults.add_fault('server_error', '/business', skip=1, count=2)
        self.assertEqual([self.client.get('/business').status_code for _ in range(4)], [200, 500, 500, 200])
        self.assertEqual(fault.struck, 2)
        self.assertEqual([kind for kind, _, _ in self.ramp.faults.struck], ['server_error'] * 2)
        with self.assertRaises(ValueError):
            Fault('no such kind')

    def test_error_in_a_hook_is_not_lost(self):
        self.ramp.add_before_hook(lambda *call: 1 / 0)
        with patch('logging.Logger.exception'):
            self.assertEqual(self.client.get('/business').status_code, 500)
        self.assertIn('ZeroDivisionError', self.ramp.errors.pop())


@tagged('ramp_simulator')
class TestSeed(SimulatorCase):
    seed = {
        'transactions': 600,
        'problems': True,
        'accounts': [{'id': '41', 'code': '600000', 'name': 'Expenses'}],
        'analytics': [{'field_id': 'plan-1', 'field_name': 'Project', 'options': [{'id': '9', 'value': 'Moon'}]}],
    }

    def fingerprint(self, **changes):
        ramp = Simulator(Seed(**{**self.seed, **changes}), clock=self.clock, validate=False)
        return [dict(row) for row in ramp.state['transactions']]

    def test_same_seed_same_data(self):
        self.assertEqual(self.fingerprint(), self.fingerprint())
        self.assertNotEqual(self.fingerprint(), self.fingerprint(seed=2))

    def test_everything_listed_holds_to_the_contract(self):
        rows = self.client.every('/transactions', state='ALL', page_size=100)
        self.assertEqual(len(rows), len(self.ramp.state['transactions']))
        for path in ('/users', '/entities', '/cards/physical', '/cards/virtual', '/receipts'):
            self.assertTrue(self.client.every(path, page_size=100), path)
        self.assertEqual(self.ramp.contract_violations, [])

    def test_ready_ones_can_be_booked(self):
        rows = [
            row for row in self.ramp.state['transactions'] if row['sync_status'] == 'SYNC_READY' and not row['_label']
        ]
        self.assertGreater(len(rows), 400)
        for row in rows:
            rate = row['minor_unit_conversion_rate']
            self.assertEqual(rate, {'JPY': 1, 'KWD': 1000}.get(row['currency_code'], 100))
            booked = sum(line['converted_amount']['amount'] for line in row['line_items'])
            self.assertEqual(booked, round(row['amount'] * rate))
            paid = sum(line['amount']['amount'] for line in row['line_items'])
            self.assertEqual(paid, row['original_transaction_amount']['amount'])
            for line in row['line_items']:
                self.assertEqual(line['accounting_field_selections'][0]['external_id'], '41')

    def test_variety(self):
        rows = [row for row in self.ramp.state['transactions'] if not row['_label']]
        self.assertEqual({row['currency_code'] for row in rows}, {'USD', 'EUR', 'JPY', 'KWD'})
        self.assertGreater(sum(row['currency_code'] == 'USD' for row in rows), 300)
        self.assertEqual({row['state'] for row in rows}, {'CLEARED', 'PENDING', 'DECLINED'})
        ids = {row['id']: row for row in rows}
        refunds = [row for row in rows if row['original_transaction_id']]
        self.assertTrue(refunds)
        for row in refunds:
            self.assertLess(row['amount'], 0)
            self.assertEqual(row['currency_code'], ids[row['original_transaction_id']]['currency_code'])
        sizes = Counter(len(row['line_items']) for row in rows)
        self.assertLessEqual({1, 2, 3, 4, 5, 6, 7}, set(sizes))
        self.assertTrue(
            any(row['original_transaction_amount']['currency_code'] != row['currency_code'] for row in rows)
        )
        self.assertTrue(any(line['converted_amount']['amount'] == 0 for row in rows for line in row['line_items']))
        with_receipt = sum(bool(row['receipts']) for row in rows) / len(rows)
        self.assertTrue(0.4 < with_receipt < 0.8)
        self.assertIn("<script>alert('ramp')</script>", {row['merchant_name'] for row in rows})
        self.assertGreaterEqual(len(self.ramp.state['users']), 25)
        coded = [
            any(s['type'] == 'OTHER' for s in line['accounting_field_selections'])
            for row in rows
            if row['sync_status'] == 'SYNC_READY'
            for line in row['line_items']
        ]
        self.assertTrue(0.25 < sum(coded) / len(coded) < 0.6)

    def test_problems_are_labelled_and_as_named(self):
        rows = {label: self.ramp.state['transactions'].get_row(i) for label, i in self.ramp.seed_problems.items()}

        def selections(label):
            return [s['external_id'] for line in rows[label]['line_items'] for s in line['accounting_field_selections']]

        self.assertEqual(selections('uncoded'), [])
        self.assertEqual(selections('unknown_account'), ['no-such-account'])
        self.assertEqual(selections('archived_option'), ['41', 'no-such-option'])
        self.assertEqual(rows['wrong_currency']['line_items'][0]['converted_amount']['currency_code'], 'EUR')
        lines = rows['sum_mismatch']['line_items']
        self.assertEqual(sum(line['converted_amount']['amount'] for line in lines), 9999)
        self.assertEqual(rows['closed_period']['accounting_date'][:4], '2015')
        stranger = rows['unknown_cardholder']['card_holder']['user_id']
        self.assertRefused(self.client.get(f'/users/{stranger}'), 404, 'DEVELOPER_7002')
        self.assertNotIn('amount', self.client.get(f'/transactions/{self.ramp.seed_problems["malformed"]}').json())
        self.assertEqual(rows['unknown_state']['state'], 'REVERSED_BY_NETWORK')
        self.assertEqual(len(rows), 9)

    def test_totals_are_the_sum_of_cleared_spend(self):
        expected = Counter()
        for row in self.ramp.state['transactions']:
            if row['state'] == 'CLEARED':
                minor = round(row.get('amount', 100) * row['minor_unit_conversion_rate'])
                expected[row['entity_id'], row['currency_code']] += minor
        found = {(t['entity_id'], t['currency']): t['amount_minor'] for t in self.ramp.read_spend_totals()}
        self.assertEqual(found, expected)
        self.assertEqual(len(found), 4)

    def test_newer_shape(self):
        ramp = self.start(Seed(transactions=0, newer_shape=True))
        ident = ramp.add_transaction(amount_minor=-1500, currency='KWD', original_minor=-450, original_currency='USD')
        row = self.sign_in(ramp).get(f'/transactions/{ident}').json()
        self.assertEqual(row['entity_amount'], {'value': -1500, 'currency': 'KWD'})
        self.assertEqual(row['merchant_amount'], {'value': -450, 'currency': 'USD'})
        self.assertEqual(row['amount'], -1.5)
        ramp.assert_clean()

    def test_helpers(self):
        ident = self.ramp.add_transaction(amount_minor=1000, lines=[{'amount_minor': 999}, {'amount_minor': 1}])
        self.ramp.update_transaction(ident, amount_minor=2001)
        self.ramp.recode_transaction(ident, '77')
        row = self.client.get(f'/transactions/{ident}').json()
        self.assertEqual(row['amount'], 20.01)
        self.assertEqual(sum(line['amount']['amount'] for line in row['line_items']), 2001)
        self.assertEqual(
            {s['external_id'] for line in row['line_items'] for s in line['accounting_field_selections']}, {'77'}
        )
        refund = self.client.get(f'/transactions/{self.ramp.add_transaction(refund_of=ident)}').json()
        self.assertEqual((refund['amount'], refund['original_transaction_id']), (-20.01, ident))
        with self.assertRaises(TypeError):
            self.ramp.add_transaction(amount_minor=1, amout=2)

    def test_pending_becomes_cleared(self):
        ident = self.ramp.add_transaction(amount_minor=1, state='PENDING', sync_status='NOT_SYNC_READY')
        self.assertNotIn('settlement_date', self.client.get(f'/transactions/{ident}').json())
        self.ramp.update_transaction(ident, state='CLEARED', sync_status='SYNC_READY')
        self.assertIn(ident, {row['id'] for row in self.client.every('/transactions', sync_status='SYNC_READY')})
        self.assertTrue(self.client.get(f'/transactions/{ident}').json()['settlement_date'])


@tagged('ramp_simulator')
class TestAdmin(SimulatorCase):
    seed = {'transactions': 5}

    def test_world_can_be_changed_over_http(self):
        made = self.client.post('/_simulator/transactions', json={'amount_minor': 4200, 'receipts': 2})
        self.assertEqual((made.status_code, len(made.json()['receipts'])), (201, 2))
        ident = made.json()['id']
        self.client.patch(f'/_simulator/transactions/{ident}', json={'memo': 'late'})
        self.assertEqual(self.client.get(f'/transactions/{ident}').json()['memo'], 'late')
        self.client.post(f'/_simulator/transactions/{ident}/receipts', json={'kind': 'png'})
        self.assertEqual(len(self.client.get(f'/transactions/{ident}').json()['receipts']), 3)
        user = self.client.every('/users')[0]['id']
        self.client.patch(f'/_simulator/objects/users/{user}', json={'status': 'USER_SUSPENDED'})
        self.assertNotIn(user, {row['id'] for row in self.client.every('/users')})
        found = self.client.get('/_simulator/objects/users', params={'status': 'USER_SUSPENDED'}).json()['data']
        self.assertIn(user, {row['id'] for row in found})

    def test_faults_seat_and_books(self):
        self.client.post('/_simulator/faults', json={'kind': 'server_error', 'path': '/business', 'count': 1})
        self.assertEqual([self.client.get('/business').status_code for _ in range(2)], [500, 200])
        self.assertEqual(len(self.client.get('/_simulator/faults').json()['struck']), 1)
        self.client.delete('/_simulator/faults')
        self.client.post('/_simulator/seat', json={'name': 'Xero'})
        self.assertEqual(self.client.seat().json()['remote_provider_name'], 'Xero')
        self.assertEqual(self.client.get('/_simulator/totals').json()['totals'], self.ramp.read_spend_totals())
        summary = self.client.get('/_simulator/').json()
        self.assertEqual((summary['objects']['transactions'], summary['write_calls']), (5, 1))
        paths = [entry['path'] for entry in self.client.get('/_simulator/requests').json()['requests']]
        self.assertIn(f'{API}/business', paths)

    def test_journal_and_export_errors(self):
        ident = self.ramp.add_transaction(amount_minor=1)
        self.client.seat()
        self.client.sync('k', bad=[ident])
        errors = self.client.get('/_simulator/export-errors').json()['errors']
        self.assertEqual(errors, {ident: ['Period closed']})
        [entry] = self.client.get('/_simulator/journal').json()['journal']
        self.assertEqual((entry['id'], entry['ok'], entry['error']), (ident, False, 'Period closed'))

    def test_reset_with_the_clients_own_chart(self):
        accounts = [{'id': '88', 'code': '612000', 'name': 'Travel'}]
        answer = self.client.post('/_simulator/reset', json={'transactions': 8, 'accounts': accounts})
        self.assertEqual(answer.status_code, 204)
        self.assertRefused(self.client.get('/business'), 401, 'DEVELOPER_7028')
        rows = self.client.get('/_simulator/transactions').json()['data']
        self.assertEqual(len(rows), 8)
        ready = [row for row in rows if row['sync_status'] == 'SYNC_READY']
        self.assertEqual(
            {line['accounting_field_selections'][0]['external_id'] for row in ready for line in row['line_items']},
            {'88'},
        )
        self.assertEqual(self.client.post('/_simulator/reset', json={'wrong': 1}).status_code, 422)

    def test_more_data_and_wrong_data(self):
        self.client.post(
            '/_simulator/seed',
            json={
                'accounts': [{'id': '9', 'name': 'Nine'}],
                'analytics': [{'field_id': 'f', 'field_name': 'F', 'options': [{'id': '1', 'value': 'One'}]}],
                'users': [{'first_name': 'New', 'last_name': 'Person', 'email': 'new@example.com'}],
            },
        )
        self.assertEqual(len(self.client.every('/users', email='new@example.com')), 1)
        self.assertIsNotNone(self.ramp.state['accounts'].find_first_row(id='9'))
        self.assertEqual(self.client.post('/_simulator/transactions', json={'nonsense': 1}).status_code, 422)

    def test_dead_tokens(self):
        self.client.post('/_simulator/kill-tokens', json={'not_found': True})
        self.assertRefused(self.client.get('/business'), 404, 'DEVELOPER_7002')

    def test_only_on_loopback(self):
        self.ramp.host = '0.0.0.0'
        self.addCleanup(setattr, self.ramp, 'host', '127.0.0.1')
        self.assertEqual(requests.get(f'http://127.0.0.1:{self.ramp.port}/_simulator/', timeout=20).status_code, 404)


@tagged('ramp_simulator')
class TestSnapshot(SimulatorCase):
    """Changes of one test are not there in the next one, which begins with the same simulator."""

    seed = {'transactions': 3}
    options = {'webhooks': {'held': True}, 'rate_limit': 8}

    def setUp(self):
        super().setUp()
        self.client.seat()
        self.ident = self.ramp.add_transaction(amount_minor=1000)
        self.ramp.add_subscription('http://127.0.0.1:9/', ['transactions.cleared', 'bills.created'])
        self.fault = self.ramp.faults.add_fault('server_error', '/users', count=2, skip=1)
        self.ramp.add_before_hook(self.hear)
        self.heard = []
        self.kept = self.ramp.take_snapshot()

    def hear(self, method, path, body):
        self.heard.append(path)

    def what_there_is(self):
        """Return the whole state, by the simulator's names."""

        def kept(value):
            if callable(value) or value is self.ramp.contract:
                return value
            return list(value) if isinstance(value, list) and any(map(callable, value)) else copy.deepcopy(value)

        left_out = {*memory.LEFT_OUT_NAMES, *State.LEFT_OUT, '_random', '_ids'}
        sender, state = self.ramp.webhooks, self.ramp.state
        found = {
            type(part).__name__: {name: kept(value) for name, value in vars(part).items() if name not in left_out}
            for part in (self.ramp, self.ramp.faults, self.ramp.rate, sender, state)
        }
        found['rows'] = {name: copy.deepcopy(table.rows) for name, table in state.tables.items()}
        found['clocks'] = state.clock, self.ramp.clock
        found['chance'] = [
            source.getstate() for source in (state._random, self.ramp.faults._random, sender._random, sender._ids)
        ]
        return found

    def change_everything(self):
        ramp = self.ramp
        ramp.update_transaction(self.ident, memo='changed')
        ramp.add_transaction(amount_minor=5)
        ramp.add_bill(amount_minor=7)
        self.client.sync('key', good=[self.ident])
        self.client.sign_in()
        self.client.post('/accounting/syncs', json={'nonsense': 1})
        for _number in range(3):
            self.client.get('/users')
        ramp.faults.add_fault('drop_before', probability=0.5)
        ramp.faults.take_fault({'drop_before'}, 'GET', '/x')
        ramp.add_before_hook(print)
        ramp.add_after_hook(print)
        ramp.errors.append('one')
        ramp.contract_violations.append('one')
        ramp.leaked_tokens += 1
        ramp.resync, ramp.retry_after, ramp.task_seconds, ramp.keep_bodies = 'accept', 3, None, True
        ramp.ramp_plus = ramp.hide_three_way = ramp.contract = None
        ramp.scopes, ramp.client_secret, ramp.token_lifetime, ramp.dead_tokens_not_found = (), 'other', 1, True
        ramp.clock = ramp.state.clock = ramp.monotonic = ramp.rate.monotonic = read_utc_now
        ramp.rate.limit, ramp.rate.window = 1, 2
        ramp.answer_request = lambda request: None
        ramp.state.seed, ramp.state.extra = 99, True
        ramp.webhooks.drop_pending()
        ramp.webhooks.encoding, ramp.webhooks.held, ramp.webhooks.backoff = 'base64', False, 0
        ramp.webhooks.log.append({})

    def test_everything_comes_back(self):
        before = self.what_there_is()
        for _again in range(2):
            self.change_everything()
            now = self.what_there_is()
            self.assertEqual([name for name in before if now[name] == before[name]], [])
            self.ramp.restore_snapshot(self.kept)
            self.assertEqual(self.what_there_is(), before)

    def test_the_same_happens_again(self):
        """After a restore, ids, random values and the rate limit are the same as they would have been."""

        def happens():
            made = self.ramp.add_transaction(amount_minor=77)
            answers = [self.client.get(path) for path in ('/users', '/users', '/users', '/business')]
            return (
                made,
                self.ramp.webhooks.pending_events,
                [(answer.status_code, answer.headers['x-trace-id']) for answer in answers],
                list(self.heard),
                self.client.get('/business').status_code,
            )

        first = happens()
        self.assertEqual([status for status, _trace in first[2]], [200, 500, 500, 200])
        self.heard.clear()  # the test's own list
        self.ramp.restore_snapshot(self.kept)
        self.assertEqual(happens(), first)

    def test_who_watches_and_who_has_a_token_still_does(self):
        self.client.post('/_simulator/kill-tokens', json={})
        self.ramp.state['webhooks'].update_row(next(iter(self.ramp.state['webhooks']))['id'], status='inactive')
        self.ramp.restore_snapshot(self.kept)
        self.assertEqual(self.client.get('/business').status_code, 200)
        self.assertEqual(self.ramp.webhooks.pending_events, [])
        bill = self.ramp.add_bill(amount_minor=7)
        self.assertEqual([event['object']['id'] for event in self.ramp.webhooks.pending_events], [bill])

    def test_after_a_reset_and_in_another_order(self):
        self.client.post('/_simulator/reset', json={'transactions': 1, 'seed': 5})
        self.ramp.restore_snapshot(self.kept)
        self.assertEqual([row['id'] for row in self.ramp.state['transactions']][-1], self.ident)
        listed = {row['id'] for row in self.client.every('/transactions')}
        self.assertIn(self.ident, listed)
        later = self.ramp.take_snapshot()
        self.ramp.add_transaction(amount_minor=1)
        self.ramp.restore_snapshot(later)
        self.assertEqual({row['id'] for row in self.client.every('/transactions')}, listed)
        self.ramp.restore_snapshot(self.kept)
        self.assertEqual((self.ramp.seed.seed, self.ramp.state.seed), (1, 1))

    def test_it_listens_where_it_did(self):
        url = self.ramp.url
        self.ramp.stop_server()
        with self.assertRaises(requests.ConnectionError):
            requests.get(f'{url}/_simulator/', timeout=20)
        self.ramp.restore_snapshot(self.kept)
        self.assertEqual(self.client.get('/business').status_code, 200)
        self.ramp.stop_server()
        self.ramp.port = 0
        self.ramp.start_server()
        self.assertNotEqual(self.ramp.url, url)
        self.ramp.restore_snapshot(self.kept)
        self.assertEqual((self.ramp.url, self.client.get('/business').status_code), (url, 200))
        self.ramp.stop_server()
        silent = self.ramp.take_snapshot()
        self.ramp.start_server()
        self.ramp.restore_snapshot(silent)
        self.assertIsNone(self.ramp._find_listening_address())

    def test_what_is_being_sent_is_waited_for(self):
        sender, begun, may_end = self.ramp.webhooks, threading.Event(), threading.Event()

        def post(url, body, headers):
            begun.set()
            may_end.wait(10)
            return 200

        with patch.object(webhooks, '_post_event_body', post):
            self.ramp.add_bill(amount_minor=7)
            sender.release_events()
            self.assertTrue(begun.wait(10))
            restoring = threading.Thread(target=self.ramp.restore_snapshot, args=[self.kept])
            restoring.start()
            self.assertTrue(self.ramp.state.tables)
            may_end.set()
            restoring.join(10)
        self.assertEqual((sender.log, sender.pending_events, sender.held), ([], [], True))


@tagged('ramp_simulator')
@unittest.skipUnless(CONTRACT, "Ramp's OpenAPI file is not here")
class TestContract(SimulatorCase):
    seed = {'transactions': 3}

    def test_ramp_plus_is_wanted_where_the_contract_says_so(self):
        judge = contract_module.load_contract()
        known = [route for route in ROUTES if judge.has_route(route)]
        self.assertEqual(
            {route.path_template for route in known if judge.requires_ramp_plus(route)},
            {route.path_template for route in known if route.plus},
        )
        self.assertEqual(
            {route.path.split('/')[1] for route in known if route.plus}, {'purchase-orders', 'item-receipts'}
        )

    def test_wrong_requests_are_refused_as_ramp_does(self):
        answer = self.client.post('/accounting/connection', json={'remote_provider_name': 'Odoo', 'color': 1})
        self.assertRefused(answer, 422, 'DEVELOPER_7001')
        self.assertEqual(answer.json()['error_v2']['additional_info'], {'color': ['Unknown field.']})
        answer = self.client.post('/accounting/connection', json={})
        self.assertEqual(answer.json()['error'], {'remote_provider_name': ['Missing data for required field.']})
        answer = self.client.post(
            '/accounting/syncs',
            json={'idempotency_key': 'k', 'sync_type': 'TRANSACTION_SYNC', 'successful_syncs': [{'id': 'x'}]},
        )
        self.assertEqual(
            answer.json()['error_v2']['additional_info'],
            {
                'successful_syncs': {
                    '0': {'id': ['Not a valid uuid.'], 'reference_id': ['Missing data for required field.']}
                }
            },
        )
        self.assertEqual(len(self.ramp.request_violations), 3)

    def test_wrong_answers_are_recorded(self):
        ident = self.client.get('/transactions').json()['data'][0]['id']
        for changes in (
            {'synced_at': 7},
            {'sync_status': 'MAYBE'},
            {'entity_id': 'not a uuid'},
            {'user_transaction_time': 'yesterday'},
        ):
            good = {name: self.ramp.state['transactions'].get_row(ident)[name] for name in changes}
            self.ramp.state['transactions'].update_row(ident, **changes)
            with patch('logging.Logger.error'):
                self.client.get(f'/transactions/{ident}')
                self.client.get('/transactions', params={'state': 'ALL'})
            self.assertEqual(len(self.ramp.contract_violations), 2, changes)
            with self.assertRaisesRegex(AssertionError, next(iter(changes))):
                self.ramp.assert_clean()
            self.ramp.contract_violations.clear()
            self.ramp.state['transactions'].update_row(ident, **good)

    def test_every_route_is_in_the_contract_with_its_scope(self):
        judge = self.ramp.contract
        for route in ROUTES:
            if route.base == API:
                with self.subTest(route.path_template):
                    self.assertTrue(judge.has_route(route))
                    self.assertEqual(judge.find_required_scope(route), route.scope)

    def test_ci_without_the_file_does_not_start(self):
        environment = {'RAMP_OPENAPI': '/no/such/file.json'}
        with (
            patch.dict('os.environ', {**environment, 'CI': 'true'}),
            self.assertRaisesRegex(RuntimeError, 'RAMP_OPENAPI'),
        ):
            Simulator(Seed(transactions=0))
        with patch.dict('os.environ', {**environment, 'CI': ''}):
            self.assertIsNone(Simulator(Seed(transactions=0)).contract)


@tagged('ramp_simulator')
class TestWithoutContract(SimulatorCase):
    """The endpoints' own checks, so that most faults are also found on a machine without the contract."""

    options = {'validate': False}

    def test_refusals(self):
        self.assertRefused(self.client.post('/accounting/connection', json={}), 422, 'DEVELOPER_7001')
        self.client.seat()
        body = {'idempotency_key': 'k', 'sync_type': 'TRANSACTION_SYNC', 'failed_syncs': []}
        self.assertRefused(self.client.post('/accounting/syncs', json=body), 422, 'DEVELOPER_7001')
        self.assertRefused(self.client.get('/transactions?entity_id=x'), 422, 'DEVELOPER_7001')
        self.client.sign_in('business:read')
        self.assertRefused(self.client.get('/users'), 403, 'DEVELOPER_7100')


@tagged('ramp_simulator')
class TestScale(SimulatorCase):
    seed = {'transactions': 10000}
    options = {'validate': False, 'rate_limit': 0}

    def test_ten_thousand(self):
        self.client.seat()
        ready = sum(row['sync_status'] == 'SYNC_READY' for row in self.ramp.state['transactions'])
        self.ramp.requests.clear()
        ids = [row['id'] for row in self.client.every('/transactions', sync_status='SYNC_READY', page_size=100)]
        self.assertEqual((len(ids), len(set(ids))), (ready, ready))
        self.assertEqual(len(self.ramp.requests), -(-ready // 100))
        for start in range(0, ready, 5000):
            self.assertEqual(self.client.sync(f'part {start}', ids[start : start + 5000]).status_code, 201)
        self.assertEqual(set(map(len, self.ramp.list_successes().values())), {1})
        self.assertEqual(self.client.every('/transactions', sync_status='SYNC_READY'), [])
