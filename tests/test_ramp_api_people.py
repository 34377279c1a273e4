# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import json
import unittest

from odoo.tests import tagged

from ..ramp_api import (
    USER_ROLES,
    Department,
    Location,
    UserTask,
    parse_utc_moment,
    read_department,
    read_location,
    read_user,
    read_user_task,
)
from .test_ramp_api_payables import FOLDER, NonsenseCase, made
from .test_ramp_api_payloads import IDS, MISSING, PayloadCase
from .test_simulator_people import PeopleCase


def user(**changes):
    return made(
        {
            'id': IDS[0].upper(),
            'email': 'ada@example.com',
            'first_name': 'Ada',
            'last_name': 'Moss',
            'employee_id': '',
            'status': 'USER_ACTIVE',
            'role': 'BUSINESS_USER',
            'is_manager': True,
            'manager_id': IDS[1],
            'department_id': IDS[2],
            'location_id': IDS[3],
            'entity_id': IDS[4],
            'phone': 5551234,
            'scheduled_deactivation_date': '2026-12-31T00:00:00+00:00',
            'scheduled_invitation_date': None,
        },
        changes,
    )


def task(**changes):
    return made(
        {'id': IDS[0], 'status': 'SUCCESS', 'context': {'acting_user_id': IDS[2]}, 'data': {'user_id': IDS[1]}}, changes
    )


@tagged('ramp_api')
class TestPeople(PayloadCase):
    def test_user(self):
        read = read_user(user())
        self.assertEqual(
            (read.id, read.email, read.first_name, read.last_name, read.employee_id),
            (IDS[0], 'ada@example.com', 'Ada', 'Moss', None),
        )
        self.assertEqual((read.status, read.role, read.is_manager), ('USER_ACTIVE', 'BUSINESS_USER', True))
        self.assertEqual((read.manager_id, read.department_id, read.location_id, read.entity_id), tuple(IDS[1:5]))
        self.assertEqual(
            (read.scheduled_deactivation_date, read.scheduled_invitation_date),
            (parse_utc_moment('2026-12-31T00:00:00Z'), None),
        )
        self.assertEqual(
            read_user(user(role='UNBUNDLED_OWNER')).role, 'UNBUNDLED_OWNER'
        )  # the spend is posted whoever it is
        bare = read_user({'id': IDS[0], 'status': 'INVITE_PENDING'})
        self.assertEqual((bare.role, bare.is_manager, bare.manager_id), (None, False, None))
        self.assertEqual(read_user(user(status='USER_UNHEARD_OF')).status, 'USER_UNHEARD_OF')
        odd = read_user(user(scheduled_deactivation_date='soon', scheduled_invitation_date=7))
        self.assertEqual((odd.scheduled_deactivation_date, odd.scheduled_invitation_date), (None, None))
        self.assertRefused('status', 'required', read_user, user(status=None))
        self.assertRefused('id', 'required', read_user, user(id=MISSING))
        self.assertRefused('is_manager', 'true or false', read_user, user(is_manager=1))
        self.assertNotIn('BUSINESS_OWNER', USER_ROLES)

    def test_task(self):
        self.assertEqual(read_user_task(task()), UserTask('SUCCESS', IDS[1], None))
        self.assertTrue(read_user_task(task()).is_done)
        for status in ('STARTED', 'IN_PROGRESS'):
            self.assertEqual(read_user_task(task(status=status, data=MISSING)), UserTask(status, None, None))
            self.assertFalse(read_user_task(task(status=status)).is_done)
        failed = read_user_task(task(status='ERROR', data={'error': 'A user with this email already exists'}))
        self.assertEqual(
            (failed.is_done, failed.user_id, failed.error), (True, None, 'A user with this email already exists')
        )
        self.assertRefused('status', 'not known', read_user_task, task(status='DONE'))
        self.assertRefused('data.user_id', 'not which', read_user_task, task(data={}))

    def test_places(self):
        self.assertEqual(read_department({'id': IDS[0], 'name': 'Sales'}), Department(IDS[0], 'Sales'))
        self.assertEqual(
            read_location({'id': IDS[0], 'name': 'Paris', 'entity_id': IDS[1]}), Location(IDS[0], 'Paris', IDS[1])
        )
        self.assertIsNone(read_location({'id': IDS[0], 'name': 'Paris'}).entity_id)
        self.assertRefused('name', 'required', read_department, {'id': IDS[0], 'name': ''})

    @unittest.skipUnless(FOLDER.is_dir(), 'the examples of the contract are not here')
    def test_examples(self):
        for name, read in (
            ('User', read_user),
            ('UserDeferredTask', read_user_task),
            ('Department', read_department),
            ('Location', read_location),
        ):
            read(json.loads((FOLDER / f'spec-2026-08-01/{name}.json').read_text(encoding='utf-8')))


@tagged('ramp_api')
class TestNonsensePeople(NonsenseCase):
    def test_any_field(self):
        self.check(user(), read_user)
        self.check(task(), read_user_task)
        self.check({'id': IDS[0], 'name': 'Paris', 'entity_id': IDS[1]}, read_location)


@tagged('ramp_api')
class TestSimulatedPeople(PeopleCase):
    def test_what_the_simulator_answers(self):
        self.ramp.task_seconds = 60
        ident = self.invite(location_id=next(iter(self.ramp.state['locations']))['id'])
        self.assertEqual(read_user_task(self.task(ident)), UserTask('STARTED', None, None))
        self.ramp.finish_user_tasks()
        read = read_user(self.user(read_user_task(self.task(ident)).user_id))
        self.assertEqual((read.status, read.email), ('USER_DRAFT', 'new@example.com'))
        for row in self.client.every('/users'):
            read_user(row)
        for row in self.client.every('/departments'):
            read_department(row)
        self.assertTrue(all(read_location(row).entity_id for row in self.client.every('/locations')))
