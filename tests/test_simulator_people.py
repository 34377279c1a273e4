"""The simulator's users, deferred tasks, departments and locations, over real HTTP."""

import json
import unittest

import requests

from odoo.tests import tagged

from .test_ramp_api_payables import FOLDER
from .test_simulator import CONTRACT
from .test_simulator_payables import NOBODY, PayablesCase


class PeopleCase(PayablesCase):
    def setUp(self):
        super().setUp()
        self.keys = 0

    def invite(self, status=201, **changes):
        self.keys += 1
        answer = self.client.post(
            '/users/deferred',
            json={
                'email': 'new@example.com',
                'first_name': 'Nora',
                'last_name': 'New',
                'role': 'BUSINESS_USER',
                'is_draft': True,
                'idempotency_key': f'key {self.keys}',
                **changes,
            },
        )
        self.assertEqual(answer.status_code, status, answer.text)
        return answer if status != 201 else answer.json()['id']

    def task(self, ident):
        answer = self.client.get(f'/users/deferred/status/{ident}')
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()

    def made(self, **changes):
        return self.task(self.invite(**changes))['data']['user_id']

    def user(self, ident):
        return self.client.get(f'/users/{ident}').json()

    def manager(self):
        return self.ramp.add_user(
            'Max', 'Manager', 'max@example.com', is_manager=True, location=next(iter(self.ramp.state['locations']))
        )


@tagged('ramp_simulator')
class TestUsers(PeopleCase):
    def test_a_draft_sends_nothing(self):
        office, team = (next(iter(self.ramp.state[name])) for name in ('locations', 'departments'))
        boss = self.manager()
        task = self.task(
            self.invite(location_id=office['id'], department_id=team['id'], direct_manager_id=boss, is_manager=True)
        )
        self.assertEqual(task['status'], 'SUCCESS')
        user = self.user(task['data']['user_id'])
        self.assertEqual(
            (user['status'], user['entity_id'], user['department_id']), ('USER_DRAFT', office['entity_id'], team['id'])
        )
        self.assertEqual((user['manager_id'], user['is_manager'], user['location_id']), (boss, True, office['id']))
        self.assertEqual(self.ramp.sent_mails, [])
        self.assertEqual(self.ids('/users', email='new@example.com'), [])
        self.assertEqual(self.ids('/users', email='new@example.com', status='USER_DRAFT'), [user['id']])

    def test_an_invitation_is_a_real_mail(self):
        ident = self.made(is_draft=False)
        self.assertEqual(self.user(ident)['status'], 'INVITE_PENDING')
        self.assertEqual(
            [(mail['kind'], mail['to']) for mail in self.ramp.sent_mails], [('invitation', 'new@example.com')]
        )
        self.assertEqual(self.ids('/users', email='new@example.com'), [])
        self.assertRefused(self.client.get('/users', params={'status': 'INVITE_PENDING'}), 422, 'DEVELOPER_7001')
        self.ramp.update_user(ident, status='USER_ACTIVE')
        self.assertEqual(self.ids('/users', email='new@example.com'), [ident])

    def test_tasks_take_their_time_and_fail(self):
        self.ramp.task_seconds = 60
        task = self.invite()
        self.assertEqual(
            self.task(task), {'id': task, 'status': 'STARTED', 'data': {}, 'context': self.task(task)['context']}
        )
        self.clock.forward(seconds=30)
        self.assertEqual(self.task(task)['status'], 'IN_PROGRESS')
        self.assertEqual(self.ids('/users', status='USER_DRAFT'), [])
        self.clock.forward(seconds=30)
        self.assertEqual(self.task(task)['status'], 'SUCCESS')
        self.assertEqual(len(self.ids('/users', status='USER_DRAFT')), 1)
        self.ramp.task_seconds = None
        other, third = self.invite(email='b@example.com'), self.invite(email='c@example.com')
        self.clock.forward(days=9)
        self.assertEqual(self.task(other)['status'], 'IN_PROGRESS')
        self.assertEqual(self.ramp.finish_user_tasks(other, error='Mailbox unknown'), [other])
        self.assertEqual(
            (self.task(other)['status'], self.task(other)['data']), ('ERROR', {'error': 'Mailbox unknown'})
        )
        self.assertEqual(self.ramp.finish_user_tasks(), [third])
        self.assertEqual(self.task(third)['status'], 'SUCCESS')
        self.assertEqual(self.ramp.finish_user_tasks(), [])
        self.assertRefused(self.client.get(f'/users/deferred/status/{NOBODY}'), 404, 'DEVELOPER_7002')

    def test_an_address_in_use_fails_in_the_task(self):
        self.made()
        task = self.task(self.invite(email='NEW@example.com'))
        self.assertEqual((task['status'], 'already exists' in task['data']['error']), ('ERROR', True))
        self.assertEqual(len(self.ids('/users', status='USER_DRAFT')), 1)

    def test_keys_are_burnt(self):
        self.invite(400, department_id=NOBODY, idempotency_key='once')
        self.assertRefused(self.invite(400, idempotency_key='once'), 400, 'DEVELOPER_7005')
        self.invite(idempotency_key='twice')
        self.assertRefused(self.invite(400, idempotency_key='twice'), 400, 'DEVELOPER_7005')

    def test_refusals(self):
        plain = self.ids('/users')[1]
        self.ramp.update_user(plain, is_manager=False)
        for wrong in (
            {'role': 'BUSINESS_OWNER'},
            {'department_id': NOBODY},
            {'location_id': NOBODY},
            {'direct_manager_id': NOBODY},
            {'direct_manager_id': plain},
            {'role': 'BUSINESS_ADMIN', 'scheduled_deactivation_date': '2026-12-31'},
        ):
            self.assertRefused(self.invite(400, **wrong), 400, 'DEVELOPER_7001')
        self.assertRefused(self.invite(422, employee_id='7'), 422, 'DEVELOPER_7001')

    @unittest.skipUnless(CONTRACT, "Ramp's OpenAPI file is not here")
    def test_refusals_of_the_contract(self):
        day = '2026-12-31T00:00:00Z'
        for wrong in (
            {'role': 'BOSS'},
            {'email': 'nobody'},
            {'first_name': 'x' * 256},
            {'scheduled_deactivation_date': day},
        ):
            self.assertRefused(self.invite(422, **wrong), 422, 'DEVELOPER_7001')

    @unittest.skipUnless(FOLDER.is_dir(), "Ramp's examples are not here")
    def test_the_contracts_own_example(self):
        body = json.loads((FOLDER / 'spec-2026-08-01/ApiUserCreateRequestBody.json').read_text(encoding='utf-8'))
        body.update(
            department_id=next(iter(self.ramp.state['departments']))['id'],
            direct_manager_id=self.manager(),
            location_id=next(iter(self.ramp.state['locations']))['id'],
            email='linda@example.com',
        )
        answer = self.client.post('/users/deferred', json=body)
        self.assertEqual(answer.status_code, 201, answer.text)
        self.assertEqual(self.task(answer.json()['id'])['status'], 'SUCCESS')

    def test_guests_leave_by_themselves(self):
        guest = self.made(role='GUEST_USER')
        self.assertEqual(self.user(guest)['scheduled_deactivation_date'][:7], '2027-02')
        kept = self.made(role='GUEST_USER', email='b@example.com', scheduled_deactivation_date=None)
        self.assertIsNone(self.user(kept)['scheduled_deactivation_date'])
        self.ramp.update_user(guest, status='USER_ACTIVE')
        self.clock.forward(days=200)
        self.assertEqual(self.client.sign_in('users:read')['scope'], 'users:read')
        self.assertEqual(self.user(guest)['status'], 'USER_INACTIVE')

    def test_change(self):
        ident, boss = self.made(), self.manager()
        office = self.ramp.state['locations'].find_first_row(entity_id=self.entity('EUR'))
        path = f'/users/{ident}'
        answer = self.client.patch(
            path,
            json={
                'first_name': 'Norah',
                'role': 'BUSINESS_BOOKKEEPER',
                'location_id': office['id'],
                'direct_manager_id': boss,
                'scheduled_deactivation_date': '2026-12-31',
            },
        )
        self.assertEqual((answer.status_code, answer.content), (204, b''))
        user = self.user(ident)
        self.assertEqual((user['first_name'], user['role'], user['manager_id']), ('Norah', 'BUSINESS_BOOKKEEPER', boss))
        self.assertEqual(
            (user['entity_id'], user['scheduled_deactivation_date']), (self.entity('EUR'), '2026-12-31T00:00:00+00:00')
        )
        self.assertEqual(
            self.client.patch(path, json={'direct_manager_id': None, 'scheduled_deactivation_date': None}).status_code,
            204,
        )
        self.assertEqual(
            (self.user(ident)['manager_id'], self.user(ident)['scheduled_deactivation_date']), (None, None)
        )
        self.assertRefused(self.client.patch(path, json={'email': 'other@example.com'}), 422, 'DEVELOPER_7001')
        self.assertRefused(self.client.patch(f'/users/{NOBODY}', json={}), 404, 'DEVELOPER_7002')
        for wrong in (
            {'role': 'BUSINESS_OWNER'},
            {'location_id': NOBODY},
            {'role': 'BUSINESS_ADMIN', 'scheduled_deactivation_date': '2027-01-01'},
        ):
            self.assertRefused(self.client.patch(path, json=wrong), 400, 'DEVELOPER_7001')

    def test_managers(self):
        a, b, c = (self.made(email=f'{name}@example.com', is_manager=name != 'c') for name in 'abc')
        self.assertEqual(self.client.patch(f'/users/{b}', json={'direct_manager_id': a}).status_code, 204)
        for ident, boss in ((a, b), (a, a), (b, c)):  # a circle, oneself, not a manager
            self.assertRefused(
                self.client.patch(f'/users/{ident}', json={'direct_manager_id': boss}), 400, 'DEVELOPER_7001'
            )
        self.assertEqual(
            self.client.patch(f'/users/{b}', json={'direct_manager_id': c, 'auto_promote': True}).status_code, 204
        )
        self.assertTrue(self.user(c)['is_manager'])

    def test_deactivate_and_reactivate_can_be_repeated(self):
        ident, draft = self.ids('/users')[0], self.made()
        for action, status in (('deactivate', 'USER_INACTIVE'), ('reactivate', 'USER_ACTIVE')):
            for _ in range(2):
                answer = self.client.patch(f'/users/{ident}/{action}')
                self.assertEqual((answer.status_code, answer.json()), (200, {}))
                self.assertEqual(self.user(ident)['status'], status)
        self.client.patch(f'/users/{draft}/deactivate')
        self.client.patch(f'/users/{draft}/reactivate')
        self.assertEqual(self.user(draft)['status'], 'USER_DRAFT')
        self.ramp.update_user(ident, role='BUSINESS_OWNER')
        self.assertRefused(self.client.patch(f'/users/{ident}/deactivate'), 400, 'DEVELOPER_7001')
        self.assertRefused(self.client.patch(f'/users/{NOBODY}/deactivate'), 404, 'DEVELOPER_7002')

    def test_invite(self):
        ident = self.made()
        path = f'/users/{ident}/invite'
        self.assertRefused(self.client.post(path, json={'action': 'SCHEDULE'}), 400, 'DEVELOPER_7001')
        self.assertEqual(
            self.client.post(path, json={'action': 'SCHEDULE', 'invitation_time': '2026-08-20T09:00:00+02:00'}).json(),
            {},
        )
        self.assertEqual(self.user(ident)['scheduled_invitation_date'], '2026-08-20T07:00:00+00:00')
        self.assertEqual(self.client.post(path, json={'action': 'DESCHEDULE'}).status_code, 200)
        self.clock.forward(days=6)
        self.assertEqual(self.user(ident)['status'], 'USER_DRAFT')
        self.client.post(path, json={'action': 'SCHEDULE', 'invitation_time': '2026-08-25T09:00:00Z'})
        self.clock.forward(days=3)
        self.client.sign_in('users:read users:write')
        self.assertEqual((self.user(ident)['status'], len(self.ramp.sent_mails)), ('USER_DRAFT', 0))
        self.clock.forward(days=3)
        self.assertEqual((self.user(ident)['status'], len(self.ramp.sent_mails)), ('INVITE_PENDING', 1))
        self.assertRefused(self.client.post(path, json={'action': 'SEND_NOW'}), 400, 'DEVELOPER_7001')
        other = self.made(email='b@example.com')
        self.assertEqual(self.client.post(f'/users/{other}/invite', json={'action': 'SEND_NOW'}).status_code, 200)
        self.assertEqual((self.user(other)['status'], len(self.ramp.sent_mails)), ('INVITE_PENDING', 2))
        self.assertRefused(
            self.client.post(f'/users/{NOBODY}/invite', json={'action': 'SEND_NOW'}), 404, 'DEVELOPER_7002'
        )

    def test_lists(self):
        ident = self.made(
            role='IT_ADMIN', location_id=self.ramp.state['locations'].find_first_row(entity_id=self.entity('EUR'))['id']
        )
        self.ramp.update_user(ident, status='USER_ACTIVE', employee_id='E-77')
        found = self.user(ident)
        for params in (
            {'role': 'IT_ADMIN'},
            {'employee_id': 'E-77'},
            {'email': 'new@example.com'},
            {'location_id': found['location_id'], 'role': 'IT_ADMIN'},
            {'entity_id': found['entity_id'], 'role': 'IT_ADMIN'},
        ):
            self.assertEqual(self.ids('/users', **params), [ident], params)
        self.ramp.update_user(ident, status='USER_SUSPENDED')
        self.assertEqual(self.ids('/users', role='IT_ADMIN'), [])
        self.assertEqual(self.ids('/users', role='IT_ADMIN', status='USER_SUSPENDED'), [ident])

    def test_administration(self):
        def admin(method, path, **kwargs):
            return requests.request(method, f'{self.ramp.url}/_simulator{path}', timeout=20, **kwargs)

        made = admin(
            'POST',
            '/users',
            json={'first_name': 'A', 'last_name': 'B', 'email': 'a@example.com', 'status': 'INVITE_PENDING'},
        )
        self.assertEqual(made.status_code, 201, made.text)
        path = f'/users/{made.json()["id"]}'
        self.assertEqual(admin('PATCH', path, json={'status': 'USER_ACTIVE'}).json()['status'], 'USER_ACTIVE')
        self.assertEqual(admin('PATCH', path, json={'mail': 'x'}).status_code, 422)
        self.assertEqual(len(admin('GET', '/users', params={'email': 'a@example.com'}).json()['data']), 1)
        self.ramp.task_seconds = None
        task = self.invite(is_draft=False)
        self.assertEqual(admin('POST', '/tasks/finish', json={'task': task}).json(), {'finished': [task]})
        self.assertEqual([mail['to'] for mail in admin('GET', '/mails').json()['mails']], ['new@example.com'])


@tagged('ramp_simulator')
class TestPlaces(PeopleCase):
    def test_departments(self):
        made = self.client.post('/departments', json={'name': 'Robotics'})
        self.assertEqual(made.status_code, 201, made.text)
        ident = made.json()['id']
        self.assertIn(ident, self.ids('/departments'))
        self.assertEqual(
            self.client.patch(f'/departments/{ident}', json={'name': 'Robots'}).json(), {'id': ident, 'name': 'Robots'}
        )
        self.assertEqual(self.client.get(f'/departments/{ident}').json()['name'], 'Robots')
        for wrong in ('robots', ' '):
            self.assertRefused(self.client.post('/departments', json={'name': wrong}), 400, 'DEVELOPER_7001')
        self.assertRefused(self.client.post('/departments', json={}), 422, 'DEVELOPER_7001')
        self.assertEqual(self.client.post('/departments', json={'name': 'Robotics'}).status_code, 201)
        self.assertEqual(self.client.delete(f'/departments/{ident}').status_code, 405)

    def test_a_location_that_moves_takes_its_people_along(self):
        made = self.client.post('/locations', json={'name': 'Paris', 'entity_id': self.entity('EUR')})
        self.assertEqual(made.status_code, 201, made.text)
        ident = made.json()['id']
        self.assertEqual(self.client.post('/locations', json={'name': 'Home'}).json()['entity_id'], self.entity('USD'))
        self.assertIn(ident, self.client.get(f'/entities/{self.entity("EUR")}').json()['location_ids'])
        user = self.made(location_id=ident)
        self.assertEqual(self.user(user)['entity_id'], self.entity('EUR'))
        moved = self.client.patch(f'/locations/{ident}', json={'name': 'Osaka', 'entity_id': self.entity('JPY')}).json()
        self.assertEqual((moved['name'], moved['entity_id']), ('Osaka', self.entity('JPY')))
        self.assertEqual(self.user(user)['entity_id'], self.entity('JPY'))
        self.assertNotIn(ident, self.client.get(f'/entities/{self.entity("EUR")}').json()['location_ids'])
        self.assertIn(ident, self.ids('/locations', entity_id=self.entity('JPY')))
        for wrong in ({'name': 'osaka'}, {'name': 'Rome', 'entity_id': NOBODY}):
            self.assertRefused(self.client.post('/locations', json=wrong), 400, 'DEVELOPER_7001')
        self.assertEqual(
            self.client.patch(f'/locations/{ident}', json={'name': 'Kobe'}).json()['entity_id'], self.entity('JPY')
        )
