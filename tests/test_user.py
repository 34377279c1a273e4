# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import Counter
from datetime import timedelta
from unittest.mock import patch

from freezegun import freeze_time
from hypothesis import example, given
from hypothesis import strategies as st

from odoo import Command, fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, new_test_user, tagged

from ..flows.people import person_resolve
from ..simulator.endpoints.locations import make_location
from ..simulator.errors import RampError
from .common import RampCase
from .properties import examples, in_turn

FLOWS = ('department', 'location', 'employee', 'user')
OUT = ('USER_INACTIVE', 'USER_SUSPENDED')
FAULTS = (
    {'kind': 'server_error', 'status': 500},
    {'kind': 'error_after', 'status': 502},
    {'kind': 'drop_before'},
    {'kind': 'drop_after'},
    {'kind': 'timeout_after', 'seconds': 0.01},
    {'kind': 'truncate'},
    {'kind': 'rate_limit', 'retry_after': 0},
)


class PeopleCase(RampCase):
    def once(self):
        super().once()
        for user in list(self.ramp.state['users']):
            if user['status'] == 'INVITE_PENDING':  # Ramp does not list pending users, see their own test
                self.ramp.update_user(user['id'], status='USER_ACTIVE')
        self.team, self.lab = self.env['hr.department'].create(
            [{'name': name, 'company_id': self.company.id} for name in ('Field Team', 'Lab')]
        )
        self.paris = self.env['hr.work.location'].create(
            {'name': 'Paris', 'company_id': self.company.id, 'address_id': self.company.partner_id.id}
        )

    def hire(self, name='Nora New', email='nora@example.com', **values):
        return self.env['hr.employee'].create(
            {'name': name, 'work_email': email, 'company_id': self.company.id, **values}
        )

    def push(self, times=2):
        """Run the jobs until their work has ended: one run creates a user, and the next one sets the manager."""
        for _time in range(times):
            self.sync(*FLOWS, now=False)

    def row(self, person):
        return self.env['ramp.record'].search(
            [
                ('flow', 'in', FLOWS),
                ('res_model', '=', person._name),
                ('res_id', '=', person.id),
                ('connection_id', '=', self.connection.id),
            ]
        )

    def there(self, person):
        return self.ramp.state['users'].get_row(self.row(person).ramp_id)

    def of_email(self, email):
        return [user for user in self.ramp.state['users'] if user['email'].lower() == email.lower()]

    def written(self, before):
        """Return the requests that were sent since `before` (counts), without reads."""
        return {
            key.replace('/developer/v1', ''): count
            for key, count in (self.ramp.count_requests() - before).items()
            if not key.startswith('GET') and not key.endswith('/token')
        }

    def created(self):
        """Return how often Ramp was asked to create a user."""
        return self.written(Counter()).get('POST /users/deferred', 0)

    def assertThere(self, person, **values):
        self.assertEqual(self.row(person).state, 'confirmed', self.row(person).error_message)
        user = self.there(person)
        self.assertEqual({key: user[key] for key in values}, values)
        return user

    def assertQuestion(self, person, pattern):
        self.assertEqual((self.row(person).state, self.row(person).hold_reason), ('held', 'question'))
        self.assertRegex(self.row(person).error_message, pattern)


@tagged('post_install', '-at_install', 'ramp')
class TestUser(PeopleCase):
    """Employees and internal users are in Ramp as they are in Odoo, and Ramp sends no email without a request."""

    # ------------------------------------------------------------------ creating

    def test_a_draft_and_no_mail(self):
        boss = self.hire('Max van der Manager', 'max@example.com')
        nora = self.hire(department_id=self.team.id, work_location_id=self.paris.id, parent_id=boss.id)
        self.assertEqual(nora.ramp_state, 'Waiting to be sent')
        self.push(4)
        self.assertThere(boss, first_name='Max', last_name='van der Manager', is_manager=True, manager_id=None)
        user = self.assertThere(
            nora,
            status='USER_DRAFT',
            role='BUSINESS_USER',
            first_name='Nora',
            last_name='New',
            email='nora@example.com',
            manager_id=boss.ramp_user_id,
        )
        self.assertEqual(self.ramp.state['departments'].get_row(user['department_id'])['name'], 'Field Team')
        self.assertEqual(self.ramp.state['locations'].get_row(user['location_id'])['name'], 'Paris')
        self.assertEqual(user['entity_id'], self.connection.primary_entity_id)
        self.assertEqual(nora.ramp_user_id, user['id'])
        self.assertEqual(nora.ramp_state, 'In Ramp: The user is a draft: no invitation was sent.')
        self.assertEqual(self.ramp.sent_mails, [])
        before = self.ramp.count_requests()
        self.push()
        self.assertEqual(self.written(before), {})
        self.assertFalse(self.env['ramp.run'].search([('flow', '=', 'employee')], limit=1).state == 'running')

    def test_page_in_ramp(self):
        nora, ada, nobody = self.hire(), self.user('ada@odoo.example', name='Ada Admin'), self.hire('Una Unsent', False)
        self.push()
        self.connection.environment = 'production'
        self.env.invalidate_all()
        self.assertEqual(
            [person.ramp_url for person in (nora, ada, nobody)], ['https://app.ramp.com/people'] * 2 + [False]
        )

    def test_names(self):
        names = self.env['ramp.flow.employee']._split_person_name
        for name, expected in (
            ('Nora New', ('Nora', 'New')),
            ('Ludwig van Beethoven', ('Ludwig', 'van Beethoven')),
            ('Prince', ('Prince', '-')),
            ('Doe, Jane Ann', ('Jane Ann', 'Doe')),
            (' Ada \n  Moss ', ('Ada', 'Moss')),
            ('Doe,', ('Doe', '-')),
            ('x' * 300 + ' y', ('x' * 200, '-')),
        ):
            self.assertEqual(names(self.env['hr.employee'].new({'name': name})), list(expected), name)

    def test_role_of_new_ones(self):
        self.connection.user_role = 'BUSINESS_BOOKKEEPER'
        nora = self.hire()
        self.push()
        self.assertThere(nora, role='BUSINESS_BOOKKEEPER')
        self.ramp.update_user(nora.ramp_user_id, role='AUDITOR')
        nora.name = 'Nora Newer'
        self.connection.user_role = 'GUEST_USER'
        self.push()
        self.assertThere(nora, role='AUDITOR', last_name='Newer')
        self.assertFalse(
            {'BUSINESS_OWNER', 'BUSINESS_ADMIN'} & set(dict(self.connection._fields['user_role'].selection))
        )

    def test_off_and_nobody(self):
        self.connection.push_users = False
        nora = self.hire(department_id=self.team.id)
        before = self.ramp.count_requests()
        self.push()
        self.assertFalse(self.row(nora))
        self.assertEqual(self.ramp.count_requests() - before, Counter())
        self.assertNotIn('users:write', self.connection._required_scopes())
        self.connection.push_users = True
        self.assertIn('users:write', self.connection._required_scopes())
        self.push()
        self.assertThere(nora)

    def test_without_an_address(self):
        nora = self.hire(email=False)
        self.push()
        self.assertFalse(self.row(nora))
        self.assertIn('there is none', nora.ramp_state)
        nora.user_id = self.user('nora', name='Nora New')
        nora.work_email = nora.user_id.email = False
        self.push()
        self.assertFalse(self.row(nora))
        self.assertIn('there is none', nora.ramp_state)
        nora.work_email = 'nora at example'
        self.push()
        self.assertQuestion(nora, '"nora at example" is not a valid one')
        nora.work_email = 'Nora@Example.com'
        self.push()
        self.assertThere(nora, email='nora@example.com')

    def test_other_companies(self):
        other = self.env['res.company'].create({'name': 'Other'})
        nora = self.hire(company_id=other.id)
        self.push()
        self.assertFalse(self.row(nora))
        self.assertFalse(self.of_email('nora@example.com'))

    # ------------------------------------------------------------------ users of Odoo

    def user(self, login, groups='base.group_user', **values):
        return new_test_user(
            self.env, login, groups, company_id=self.company.id, company_ids=[Command.set(self.company.ids)], **values
        )

    def test_own_email_is_no_reason_to_be_somebody(self):
        """If a login is no email address, a user is found by an email that the user can change, so a person is asked."""
        ident = self.ramp.add_user('Vic', 'Tim', 'victim@example.com')
        plain = self.user('plain')
        plain.with_user(plain).write({'email': 'victim@example.com'})
        self.push()
        self.assertQuestion(plain, f'Vic Tim in Ramp has the email victim@example.com.*{ident}')
        plain.active = False
        thief = self.user('thief')
        nora = self.hire(user_id=thief.id)
        thief.with_user(thief).write({'email': 'victim@example.com'})
        self.assertEqual(nora.work_email, 'victim@example.com')
        self.push()
        self.assertQuestion(nora, f'Vic Tim in Ramp has the email victim@example.com.*{ident}')
        self.assertFalse(nora.ramp_user_id)
        nora.ramp_user_id = ident
        self.push()
        self.assertEqual(self.row(nora).ramp_id, ident)

    def test_the_login_comes_first(self):
        """The login says who an employee is in Ramp, whatever users enter as their email."""
        ident = self.ramp.add_user('Nora', 'New', 'nora@odoo.example')
        user = self.user('nora@odoo.example')
        nora = self.hire(user_id=user.id)
        user.with_user(user).write({'email': self.employee.work_email})
        self.push()
        self.assertEqual(nora.ramp_user_id, ident)

    def test_internal_users(self):
        ada, portal = (
            self.user('ada@odoo.example', name='Ada Admin'),
            self.user('pia@odoo.example', 'base.group_portal'),
        )
        self.push()
        self.assertThere(ada, email='ada@odoo.example', status='USER_DRAFT', last_name='Admin')
        self.assertFalse(self.row(portal))
        self.assertIn('draft', ada.ramp_state)
        with Form(ada, view='base.view_users_form') as form:
            self.assertTrue(form.ramp_can_invite)
        ada.partner_id.name = 'Ada Moss'
        self.push()
        self.assertThere(ada, last_name='Moss')
        before = self.ramp.count_requests()
        ada.active = False
        self.push()
        self.assertEqual(self.there(ada)['status'], 'USER_INACTIVE')
        self.assertEqual(list(self.written(before)), [f'PATCH /users/{self.row(ada).ramp_id}/deactivate'])

    def test_contact_edited_by_a_secretary(self):
        """A change of a contact is noted even if the editor may not see the employee behind it."""
        nora = self.hire()
        secretary = self.user('ramp_secretary', 'base.group_user,base.group_partner_manager')
        self.push()
        with self.assertRaises(AccessError):
            nora.work_contact_id.with_user(secretary).read(['employee_ids'])
        nora.work_contact_id.with_user(secretary).email = 'nora@elsewhere.example'
        self.env.flush_all()
        self.assertEqual(nora.ramp_state, 'Waiting to be sent')
        self.push()
        self.assertIn('The email in Ramp is nora@example.com', nora.ramp_state)

    def test_manager_linked_by_an_officer_of_few(self):
        """If a manager becomes another user in Ramp, this is noted for all who report to the manager, also for those
        whom the officer may not see.
        """
        boss = self.hire('Max Manager', 'max@example.com')
        nora = self.hire(parent_id=boss.id)
        self.push(3)
        officer = self.user('ramp_officer', 'base.group_user,hr.group_hr_user')
        self.env['ir.rule'].create(
            {
                'name': 'Managers only',
                'model_id': self.env['ir.model']._get_id('hr.employee'),
                'domain_force': "[('parent_id', '=', False)]",
                'groups': [Command.link(self.env.ref('hr.group_hr_user').id)],
            }
        )
        self.assertFalse(boss.with_user(officer).child_ids)
        self.env.invalidate_all()  # as in a request of its own
        self.assertFalse(nora._ramp_noted_ids())
        boss.with_user(officer).ramp_user_id = False
        self.env.flush_all()
        self.assertEqual(nora._ramp_noted_ids(), {nora.id})

    def test_an_employee_with_a_user_is_one_person(self):
        ada, bob = self.user('ada@odoo.example', name='Ada'), self.user('bob@odoo.example', name='Bob')
        employee = self.hire('Ada Moss', 'work@example.com', user_id=ada.id)
        namesake = self.hire('Bob Boss', 'Bob@odoo.example')
        self.push()
        self.assertFalse(self.row(ada))
        self.assertFalse(self.row(bob))
        self.assertThere(employee, email='ada@odoo.example')
        self.assertThere(namesake, email='bob@odoo.example')

    def test_a_user_becomes_an_employee(self):
        ada = self.user('ada@odoo.example', name='Ada Moss', email='ada@odoo.example')
        self.push()
        ident = self.there(ada)['id']
        employee = self.hire('Ada Moss', 'ada@odoo.example', user_id=ada.id)
        self.push(3)
        self.assertEqual(self.assertThere(employee)['id'], ident)
        self.assertEqual(self.there(employee)['status'], 'USER_DRAFT')
        self.assertEqual(self.row(ada).state, 'ignored')
        self.assertIn('Ada Moss, who is sent as an employee', self.row(ada).error_message)

    # ------------------------------------------------------------------ existing users

    def test_found_by_mail(self):
        ident = self.ramp.add_user('Eleonora', 'Neu', 'NORA@example.com')
        suspended = self.ramp.add_user('Sue', 'Pended', 'sue@example.com', status='USER_SUSPENDED')
        draft = self.ramp.add_user('Dora', 'Drafft', 'dora@example.com', status='USER_DRAFT')
        nora, sue, dora = (
            self.hire(),
            self.hire('Sue Pended', 'sue@example.com'),
            self.hire('Dora Draft', 'dora@example.com'),
        )
        self.push()
        self.assertEqual((nora.ramp_user_id, sue.ramp_user_id, dora.ramp_user_id), (ident, suspended, draft))
        self.assertEqual(self.created(), 0)
        # A user who was found keeps the name in Ramp until the name in Odoo changes.
        self.assertThere(nora, first_name='Eleonora', last_name='Neu')
        self.assertThere(sue, status='USER_SUSPENDED')
        self.assertIn('was deactivated in Ramp earlier', sue.ramp_state)
        self.assertThere(dora, last_name='Draft', status='USER_DRAFT')
        nora.name = 'Nora Newest'
        self.push()
        self.assertThere(nora, first_name='Nora', last_name='Newest')
        nora.name = 'Nora New'
        self.push()
        self.assertThere(nora, first_name='Nora', last_name='New')

    def test_who_is_there_stays_in_an_entity(self):
        """An existing user keeps the location in Ramp, which decides the entity, until the work location in Odoo
        changes.
        """
        office = self.ramp.state['locations'].find_first_row(
            entity_id=[entity['id'] for entity in self.ramp.state['entities']][1]
        )
        self.ramp.add_user('Nora', 'New', 'nora@example.com', location=office)
        nora = self.hire(work_location_id=self.paris.id)
        self.push(3)
        self.assertThere(nora, location_id=office['id'], entity_id=office['entity_id'])
        nora.department_id = self.env['hr.department'].create({'name': 'Moves', 'company_id': self.company.id})
        self.push(3)
        self.assertThere(nora, location_id=office['id'], entity_id=office['entity_id'])
        nora.work_location_id = self.paris.copy({'name': 'London'})
        self.push(3)
        self.assertNotEqual(self.there(nora)['location_id'], office['id'])

    def test_one_who_cannot_be_read(self):
        """If Ramp's answer for one person cannot be read, the other people are sent."""
        nora, other = self.hire(), self.hire('Olga Other', 'olga@example.com')
        self.push()
        self.ramp.update_user(nora.ramp_user_id, status='USER_UNHEARD_OF')
        nora.active = False
        other.name = 'Olga Otherwise'
        self.push()
        self.assertThere(other, last_name='Otherwise')
        self.assertQuestion(nora, 'has the status USER_UNHEARD_OF')
        self.assertFalse(self.there(nora)['status'] in OUT)
        nora.active, nora.name = True, 'Nora Newer'  # other changes do not depend on the status
        self.push()
        self.assertThere(nora, last_name='Newer', status='USER_UNHEARD_OF')
        self.assertEqual(self.ramp.sent_mails, [])

    def test_one_who_is_there_and_cannot_be_read(self):
        """A person whose user in Ramp cannot be read is not created again. This holds for known, linked and found
        users.
        """
        known = self.hire()
        self.push()
        created, ident = self.created(), known.ramp_user_id
        linked, mailed = self.hire('Lina Linked', 'lina@example.com'), self.hire('Maya Mail', 'maya@example.com')
        linked.ramp_user_id = self.ramp.add_user('Lina', 'Private', 'private@example.com')
        other = self.ramp.add_user('Maya', 'Mail', 'maya@example.com')
        for user in (ident, linked.ramp_user_id, other):
            self.ramp.update_user(user, role=7)
        self.row(known).is_uncertain = True
        known.name = 'Nora Newer'
        for _many in range(2):
            self.push()
            for person in (known, linked, mailed):
                self.assertQuestion(
                    person, r'cannot read what Ramp says about the user \S+@example.com \(Role: expected a text'
                )
            self.assertEqual((self.row(known).ramp_id, self.created()), (ident, created))
            self.patch(person_resolve, 'LOOK_UP_ALONE', 1)
        for user in (ident, linked.ramp_user_id, other):
            self.ramp.update_user(user, role='BUSINESS_USER')
        self.push()
        self.assertThere(known, id=ident, last_name='Newer')
        self.assertThere(mailed, id=other)
        self.assertThere(linked)
        self.assertEqual(self.created(), created)

    def test_one_whom_ramp_refuses_to_show(self):
        nora = self.hire()
        self.push()
        ident, created = nora.ramp_user_id, self.created()
        self.ramp.update_user(ident, status='INVITE_PENDING')  # Ramp does not list pending users
        self.row(nora).is_uncertain = True
        nora.name = 'Nora Newer'
        self.ramp.faults.add_fault('server_error', path=f'/users/{ident}', status=400)
        self.push()
        self.assertQuestion(nora, f'refuses to show the user {ident}: Server error')
        self.ramp.faults.clear_faults()
        self.push()
        self.assertThere(nora, id=ident, last_name='Newer')
        self.assertEqual(self.created(), created)

    def test_a_scheduled_invitation_of_an_odd_day(self):
        """An invitation whose scheduled date cannot be read is still scheduled, so none is sent now."""
        nora = self.hire()
        self.push()
        self.ramp.update_user(nora.ramp_user_id, scheduled_invitation_date='someday')
        nora.action_send_ramp_invitation()
        self.push()
        self.assertThere(nora, status='USER_DRAFT')
        self.assertEqual(self.ramp.sent_mails, [])

    def test_everybody_is_linked(self):
        """Each cardholder of the business is linked to the employee with the same email."""
        self.push()
        self.assertEqual(
            {employee.work_email: employee.ramp_user_id for employee in self.employees},
            {user['email']: user['id'] for user in self.ramp.state['users']},
        )
        self.assertEqual(self.created(), 0)

    def test_two_employees_of_one_address(self):
        one, two = self.hire('One Person'), self.hire('Two Persons', 'NORA@example.com')
        # with one spelling, Odoo gives both the same contact
        self.push()
        for person in (one, two):
            self.assertQuestion(
                person, 'More than one person has the email nora@example.com: .*One Person.*Two Persons'
            )
        self.assertFalse(self.of_email('nora@example.com'))
        two.work_email = 'two@example.com'
        self.push()
        self.assertThere(one)
        self.assertThere(two, email='two@example.com')

    def test_two_users_of_one_address(self):
        first = self.ramp.add_user('A', 'B', 'nora@example.com')
        second = self.ramp.state['users'].add_row(
            {**self.ramp.state['users'].get_row(first), 'id': self.ramp.state.make_new_id(), 'first_name': 'C'}
        )
        nora = self.hire()
        self.push()
        self.assertQuestion(nora, f'(?s)A B .{first}.*C B .{second["id"]}')
        self.ramp.update_user(first, email='other@example.com')
        self.push()
        self.assertEqual(nora.ramp_user_id, second['id'])

    def test_linked_to_somebody_else(self):
        nora, other = self.hire(), self.hire('Olga Other', 'olga@example.com')
        ident = self.ramp.add_user('Nora', 'New', 'nora@example.com')
        other.ramp_user_id = ident
        self.push()
        self.assertQuestion(nora, 'nora@example.com is already linked to Olga Other')
        self.assertThere(other, id=ident)
        self.assertIn('The email in Ramp is nora@example.com', other.ramp_state)
        other.ramp_user_id = False
        self.push(3)
        self.assertThere(nora, id=ident)
        self.assertThere(other, email='olga@example.com')

    def test_the_link_decides(self):
        ident = self.ramp.add_user('Nora', 'Private', 'private@example.com')
        nora = self.hire()
        self.push()
        own = nora.ramp_user_id
        nora.ramp_user_id = ident
        self.push()
        self.assertThere(nora, id=ident)
        nora.ramp_user_id = 'no id at all'
        self.push()
        self.assertThere(nora, id=own)

    # ------------------------------------------------------------------ changes

    def test_only_what_changed(self):
        boss = self.hire('Max Manager', 'max@example.com', department_id=self.team.id)
        nora = self.hire(department_id=self.team.id, work_location_id=self.paris.id)
        self.push(3)
        self.ramp.keep_bodies = True
        for change, expected in (
            ({'name': 'Nora Newer'}, {'last_name': 'Newer'}),
            ({'parent_id': boss.id}, {'direct_manager_id': boss.ramp_user_id, 'auto_promote': True}),
            ({'parent_id': False}, {'direct_manager_id': None}),
        ):
            nora.write(change)
            self.push(1)
            sent = [request for request in self.ramp.requests if request['method'] == 'PATCH']
            self.assertEqual(sent[-1]['body'], expected)
        nora.department_id = self.lab
        self.push()
        self.assertEqual(self.ramp.state['departments'].get_row(self.there(nora)['department_id'])['name'], 'Lab')
        nora.department_id = self.team
        self.push()
        self.assertEqual(
            self.ramp.state['departments'].get_row(self.there(nora)['department_id'])['name'], 'Field Team'
        )
        nora.write({'name': 'X Y'})
        nora.write({'name': 'Nora Newer', 'mobile_phone': '123'})
        before = self.ramp.count_requests()
        self.push()
        self.assertEqual(self.written(before), {})

    def test_a_department_from_a_day_on(self):
        nora = self.hire(department_id=self.team.id)
        self.push()
        day = fields.Date.today() + timedelta(days=3)
        nora.create_version({'date_version': day, 'department_id': self.lab.id})
        self.push()
        self.assertEqual(
            self.ramp.state['departments'].get_row(self.there(nora)['department_id'])['name'], 'Field Team'
        )
        with freeze_time(day):
            self.env['hr.employee']._cron_update_current_version_id()
        self.assertEqual(nora.ramp_state, 'Waiting to be sent')
        self.push()
        self.assertEqual(self.ramp.state['departments'].get_row(self.there(nora)['department_id'])['name'], 'Lab')

    def test_an_address_cannot_be_changed(self):
        nora = self.hire()
        self.push()
        before = self.ramp.count_requests()
        nora.work_email = 'n.new@example.com'
        self.push()
        self.assertEqual(self.written(before), {})
        self.assertThere(nora, email='nora@example.com')
        self.assertIn('The email in Ramp is nora@example.com. Odoo cannot change it', nora.ramp_state)
        nora.work_email = 'nora@example.com'
        self.push()
        self.assertNotIn('Odoo cannot change it', nora.ramp_state)

    def test_leave_and_come_back(self):
        nora = self.hire()
        self.push()
        nora.action_archive()
        self.push()
        self.assertEqual(self.there(nora)['status'], 'USER_INACTIVE')
        self.assertEqual(self.row(nora).state, 'ignored')
        self.assertEqual(nora.ramp_state, 'Archived in Odoo, so the person is deactivated in Ramp.')
        before = self.ramp.count_requests()
        self.push()
        self.assertEqual(self.written(before), {})
        nora.action_unarchive()
        self.push()
        self.assertThere(nora, status='USER_DRAFT')
        self.assertIn('draft', nora.ramp_state)
        self.assertEqual(self.ramp.sent_mails, [])

    def test_the_data_of_one_who_left(self):
        """The data of a person who left is erased from the ledger on request or after a time. A person who returns is
        the same user in Ramp.
        """
        for way in ('said', 'in time'):
            with self.subTest(way=way), self.isolated():
                nora, other = self.hire(), self.hire('Olga Other', 'olga@example.com')
                self.push(3)
                ramp_id = self.row(nora).ramp_id
                self.connection.keep_months = 1
                self.env['ramp.record']._gc_personal()
                self.assertIn('Nora', str(self.row(nora).payload), 'who is in Ramp is compared with it')
                nora.action_archive()
                self.push()
                if way == 'said':
                    nora.action_erase_ramp_data()
                else:
                    self.env['ramp.record']._gc_personal()
                    self.assertIn('Nora', str(self.row(nora).payload), 'not yet')
                    self.env.cr.execute("UPDATE ramp_record SET write_date = write_date - interval '2 months'")
                    self.env['ramp.record']._gc_personal()
                self.env.invalidate_all()
                kept = f'{self.row(nora).name} {self.row(nora).payload}'.lower()
                self.assertFalse([word for word in ('nora', 'new', 'example') if word in kept], kept)
                self.assertIn('Olga', str(self.row(other).payload))
                nora.action_unarchive()
                self.push()
                self.assertThere(nora, status='USER_DRAFT', first_name='Nora', id=ramp_id)
                self.assertEqual(self.row(nora).name, 'Nora New')
                self.assertEqual(len(self.of_email('nora@example.com')), 1)

    def test_who_was_deactivated_in_ramp(self):
        """Odoo does not activate a user who was deactivated in Ramp."""
        nora = self.hire()
        self.push()
        self.ramp.update_user(nora.ramp_user_id, status='USER_SUSPENDED')
        self.connection.action_push_all()
        self.push()
        self.assertThere(nora, status='USER_SUSPENDED')
        nora.active = False
        self.push()
        nora.active = True
        self.push()
        self.assertEqual(self.there(nora)['status'], 'USER_SUSPENDED')

    def test_owners_and_administrators(self):
        for role in ('BUSINESS_OWNER', 'BUSINESS_ADMIN', 'IT_ADMIN'):
            email = f'{role.lower()}@example.com'
            ident = self.ramp.add_user('Olive', role, email, role=role)
            olive = self.hire('Olive Owner', email)
            self.push()
            olive.active = False
            before = self.ramp.count_requests()
            self.push()
            self.assertEqual(self.written(before), {})
            user = self.ramp.state['users'].get_row(ident)
            self.assertEqual((user['status'], user['role']), ('USER_ACTIVE', role))
            self.assertIn('Odoo never deactivates an owner or administrator of Ramp', olive.ramp_state)
            olive.active = True
            self.push()
            self.assertThere(olive, status='USER_ACTIVE', role=role)

    def test_deleted(self):
        nora, double = self.hire(), self.hire('Dora Double', 'dora@example.com')
        self.push()
        ident = double.ramp_user_id
        row = self.row(double)
        double.unlink()
        self.push()
        self.assertEqual(self.ramp.state['users'].get_row(ident)['status'], 'USER_INACTIVE')
        self.assertEqual(row.state, 'ignored')
        # One of two employees is deleted, and the person is still there.
        again = self.hire('Nora Again', 'nora@example.com')
        self.push()
        ident = nora.ramp_user_id
        nora.unlink()
        self.push()
        self.assertEqual(self.ramp.state['users'].get_row(ident)['status'], 'USER_DRAFT')
        self.assertThere(again, id=ident)

    def test_moved_to_another_company(self):
        other = self.env['res.company'].create({'name': 'Other'})
        nora = self.hire()
        self.push()
        nora.company_id = other
        self.push()
        self.assertEqual(self.there(nora)['status'], 'USER_DRAFT')
        self.assertIn('Nothing changes in Ramp', self.row(nora).error_message)

    # ------------------------------------------------------------------ invitations

    def test_invitation_by_button(self):
        nora, other = self.hire(), self.hire('Olga Other', 'olga@example.com')
        with self.assertRaisesRegex(UserError, 'cannot be invited'):
            nora.action_send_ramp_invitation()
        self.push()
        self.assertTrue(nora.ramp_can_invite)
        nora.action_send_ramp_invitation()
        self.assertFalse(nora.ramp_can_invite)
        self.assertEqual(self.ramp.sent_mails, [])  # the button does not wait for Ramp
        self.push(3)
        self.assertEqual([mail['to'] for mail in self.ramp.sent_mails], ['nora@example.com'])
        self.assertThere(nora, status='INVITE_PENDING')
        self.assertThere(other, status='USER_DRAFT')
        self.assertEqual(nora.ramp_state, 'In Ramp: Invited.')
        with self.assertRaisesRegex(UserError, 'cannot be invited'):
            nora.action_send_ramp_invitation()
        self.connection.action_push_all()
        self.push()
        self.assertEqual(len(self.ramp.sent_mails), 1)

    def test_invitation_by_policy(self):
        there = self.ramp.add_user('There', 'Already', 'there@example.com')
        self.connection.user_invitation = 'invite'
        nora, already = self.hire(), self.hire('There Already', 'there@example.com')
        self.push(3)
        self.assertEqual([mail['to'] for mail in self.ramp.sent_mails], ['nora@example.com'])
        self.assertEqual(already.ramp_user_id, there)
        self.assertThere(nora, status='INVITE_PENDING')

    def test_invited_in_ramp_meanwhile(self):
        nora = self.hire()
        self.push()
        self.ramp.update_user(nora.ramp_user_id, status='INVITE_PENDING')
        nora.action_send_ramp_invitation()
        self.push()
        self.assertThere(nora, status='INVITE_PENDING')
        self.assertEqual(self.ramp.sent_mails, [])

    def test_invitation_that_got_through(self):
        """If the answer to an invitation is lost, no second email is sent."""
        nora = self.hire()
        self.push()
        nora.action_send_ramp_invitation()
        self.ramp.faults.add_fault('drop_after', path='/users/*/invite', count=1)
        self.push(3)
        self.assertThere(nora, status='INVITE_PENDING')
        self.assertEqual(len(self.ramp.sent_mails), 1)

    def test_something_that_a_change_is_about_is_not_found(self):
        """Ramp's 404 does not say what is missing, so an existing user is not created again, and the other people are
        sent.
        """
        nora, other = self.hire(), self.hire('Olga Other', 'olga@example.com')
        self.push()
        ident, before = nora.ramp_user_id, self.created()
        for path, deed, undo in (
            ('/users/*/invite', nora.action_send_ramp_invitation, lambda: nora.write({'ramp_invite': False})),
            (f'/users/{ident}', lambda: nora.write({'name': 'Nora Newer'}), lambda: nora.write({'name': 'Nora New'})),
            ('/users/*/deactivate', nora.action_archive, nora.action_unarchive),
        ):
            fault = self.ramp.faults.add_fault(
                'server_error', path=path, status=404, **({'method': 'PATCH'} if path.endswith(ident) else {})
            )
            deed()
            new = self.hire('Zoe Z', f'z{len(path)}@example.com')
            other.name += ' X'
            self.push()
            self.assertTrue(fault.struck)
            self.assertEqual((self.row(nora).state, self.row(nora).ramp_id), ('held', ident), path)
            self.assertIn('Ramp refused it: message: Server error', self.row(nora).error_message)
            self.assertThere(new)
            self.assertThere(other, last_name=other.name.partition(' ')[2])
            self.ramp.faults.clear_faults()
            undo()
            self.push()
            self.assertThere(nora, id=ident)
        self.assertEqual(self.created() - before, 3)
        self.assertEqual(len(self.of_email('nora@example.com')), 1)

    def remove(self, person):
        """Remove the user in Ramp, as if Ramp had deleted it."""
        users = self.ramp.state['users']
        ident = self.row(person).ramp_id
        users._remove_from_lists(ident)
        del users.rows[ident]

    @in_turn
    def test_who_is_gone_in_ramp(self):
        """If a user is gone in Ramp, a later run creates a new one with all its data. People behind it in the queue are
        sent, too.
        """
        for doubt in (False, True):
            with self.subTest(doubt=doubt):
                nora, ada = (
                    self.hire('Nora New', f'nora{doubt}@example.com'),
                    self.user(f'ada{doubt}@odoo.example', name='Ada Admin'),
                )
                left = self.hire('Lea Left', f'lea{doubt}@example.com')
                self.push()
                for person in (nora, ada, left):
                    self.remove(person)
                nora.name, ada.partner_id.name = 'Nora Newer', 'Ada Moss'
                left.active = False
                if doubt:
                    (self.row(nora) + self.row(ada) + self.row(left)).is_uncertain = True
                new = self.hire('Zoe Z', f'z{doubt}@example.com')
                self.push(1)
                self.assertEqual(self.row(nora).state, 'pending')
                self.assertIn('Ramp no longer has the user', self.row(nora).error_message)
                self.push(2)
                self.assertThere(nora, last_name='Newer', role='BUSINESS_USER')
                self.assertThere(ada, last_name='Moss')
                self.assertThere(new)
                self.assertEqual(self.row(left).state, 'ignored')
                self.assertFalse(self.of_email(f'lea{doubt}@example.com'))
                self.assertEqual(set(self.env['ramp.run'].search([]).mapped('state')), {'done'})

    def test_who_is_gone_and_there_again(self):
        """A user who is gone in Ramp is looked for before a new one is created."""
        ada = self.user('ada@odoo.example', name='Ada Admin')
        self.push()
        self.remove(ada)
        ada.partner_id.name = 'Ada Moss'
        self.row(ada).is_uncertain = True
        self.push(1)
        self.assertEqual(self.row(ada).state, 'pending')
        self.assertIn('Ramp no longer has the user', self.row(ada).error_message)
        created = self.created()
        ident = self.ramp.add_user('Ada', 'Moss', 'ada@odoo.example')
        self.push()
        self.assertThere(ada, id=ident)
        self.assertEqual(self.created(), created)

    def test_a_stranger_comes_while_one_is_created(self):
        """If a creation fails because somebody with that email came meanwhile, a person is asked, and nobody is created
        before the answer.
        """
        plain = self.user('plain')
        plain.with_user(plain).write({'email': 'victim@example.com'})

        def come(method, path, body):
            if path.endswith('/users/deferred') and body.get('email') == 'victim@example.com':
                if not self.of_email('victim@example.com'):
                    self.ramp.add_user('Vic', 'Tim', 'victim@example.com')
                raise RampError(500, 'DEVELOPER_7000', 'Server error')

        self.ramp.add_before_hook(come)
        self.push(1)
        created = self.created()
        self.assertEqual(created, 1)
        for _run in range(2):
            self.assertQuestion(plain, 'Vic Tim in Ramp has the email victim@example.com')
            self.push(1)
        self.assertEqual(self.created(), created)

    # ------------------------------------------------------------------ tasks

    def test_a_task_takes_its_time(self):
        self.ramp.task_seconds = None
        nora = self.hire()
        self.push(3)
        self.assertEqual(
            (self.row(nora).state, nora.ramp_state), ('pending', 'Waiting to be sent: Ramp is creating the user.')
        )
        self.assertEqual(self.created(), 1)
        self.assertFalse(nora.ramp_user_id)
        triggers = self.env['ir.cron.trigger'].search(
            [('cron_id', '=', self.env.ref('ramp_connector.cron_employee').id)]
        )
        self.assertTrue(triggers.filtered(lambda trigger: trigger.call_at > self.env.cr.now()))
        nora.name = 'Nora Newer'
        self.push()
        self.ramp.finish_user_tasks()
        self.push()
        self.assertThere(nora, last_name='Newer')
        self.assertEqual(self.created(), 1)

    def assertWaits(self, person, pattern):
        """Nothing more is requested for the person, and after some minutes somebody is asked to look."""
        self.push(2)
        self.assertEqual(
            (self.row(person).state, person.ramp_state), ('pending', 'Waiting to be sent: Ramp is creating the user.')
        )
        with patch.object(person_resolve, 'LAG', timedelta(0)):
            self.push(2)
        self.assertQuestion(person, pattern)
        self.assertFalse(person.ramp_user_id)
        self.assertEqual(self.created(), 1)

    def test_a_task_that_cannot_be_read(self):
        self.ramp.task_seconds = None
        nora = self.hire()
        self.push(1)
        task = next(iter(self.ramp.state['user_tasks']))['id']
        self.ramp.state['user_tasks'].update_row(task, status='QUEUED')
        self.assertWaits(nora, "cannot read .*'QUEUED' is not known.*Look for nora@example.com")
        self.ramp.state['user_tasks'].update_row(task, status='IN_PROGRESS')
        self.ramp.finish_user_tasks()
        self.push()
        self.assertThere(nora)
        self.assertEqual(self.created(), 1)

    def test_a_task_that_is_not_found_yet(self):
        self.ramp.task_seconds = None
        nora = self.hire()
        self.push(1)
        self.ramp.faults.add_fault('server_error', path='/users/deferred/status/*', status=404)
        self.push(2)
        self.assertEqual((self.row(nora).state, self.created()), ('pending', 1))
        self.ramp.finish_user_tasks(error='Lost')
        with patch.object(person_resolve, 'LAG', timedelta(0)):  # the user never comes
            self.push(1)
        self.assertEqual(self.created(), 2)
        self.ramp.faults.clear_faults()
        self.ramp.finish_user_tasks()
        self.push()
        self.assertThere(nora)

    def test_a_user_who_is_not_shown_yet(self):
        nora = self.hire()
        self.push(1)
        self.ramp.finish_user_tasks()
        [user] = self.of_email('nora@example.com')
        self.ramp.update_user(user['id'], status='INVITE_PENDING')  # Ramp does not list pending users
        self.ramp.faults.add_fault('server_error', path=f'/users/{user["id"]}', status=404)
        self.assertWaits(nora, 'Ramp created the user, but does not show it. Look for nora@example.com')
        self.ramp.faults.clear_faults()
        self.ramp.update_user(user['id'], status='USER_DRAFT')
        self.push()
        self.assertThere(nora, id=user['id'])

    def test_who_leaves_before_the_task_ends(self):
        self.ramp.task_seconds = None
        nora = self.hire()
        self.push()
        nora.active = False
        self.push()
        self.ramp.finish_user_tasks()
        self.push()
        self.assertEqual(self.there(nora)['status'], 'USER_INACTIVE')

    def test_a_task_that_fails(self):
        self.ramp.task_seconds = None
        nora = self.hire()
        self.push()
        self.ramp.finish_user_tasks(error='Mailbox unknown')
        self.push(3)
        self.assertEqual((self.row(nora).state, self.row(nora).hold_reason), ('held', 'refused'))
        self.assertIn('Ramp could not create the user: Mailbox unknown', nora.ramp_state)
        self.assertEqual(self.created(), 1)
        self.ramp.task_seconds = 0
        self.row(nora).action_retry()
        self.push(2)
        self.assertThere(nora)

    def test_the_address_is_taken_meanwhile(self):
        """If somebody creates the same person in Ramp meanwhile, the task fails, and that user is linked."""
        self.ramp.task_seconds = None
        nora = self.hire()
        self.push()
        ident = self.ramp.add_user('Nora', 'New', 'nora@example.com')
        self.ramp.finish_user_tasks()
        self.push()
        self.assertThere(nora, id=ident)

    def test_a_user_whom_ramp_does_not_list(self):
        ident = self.ramp.add_user('Nora', 'New', 'nora@example.com', status='INVITE_PENDING')
        nora = self.hire()
        self.push(3)
        self.assertEqual(self.row(nora).state, 'held')
        self.assertIn('A user with this email already exists. If the person was invited', nora.ramp_state)
        self.assertEqual(self.created(), 1)
        self.ramp.update_user(ident, status='USER_ACTIVE')
        self.row(nora).action_retry()
        self.push()
        self.assertThere(nora, id=ident)

    @in_turn
    def test_crash_before_the_task_was_written_down(self):
        for seconds, email in ((0, 'fast@example.com'), (None, 'slow@example.com')):
            self.ramp.task_seconds = seconds
            nora = self.hire(email=email)
            self.ramp.faults.add_fault('drop_after', path='/users/deferred', count=1)
            self.push(4)
            self.ramp.finish_user_tasks()
            self.env['ramp.record'].search([('next_attempt', '!=', False)]).next_attempt = False
            self.push(3)
            self.assertThere(nora, email=nora.work_email)
            self.assertEqual(len(self.of_email(nora.work_email)), 1)
        # A task whose answer was lost fails, and its key cannot be used again.
        self.ramp.task_seconds = None
        nora = self.hire(email='lost@example.com')
        self.ramp.faults.add_fault('drop_after', path='/users/deferred', count=1)
        self.push(1)
        self.ramp.finish_user_tasks(error='Lost')
        self.ramp.task_seconds = 0
        self.push(4)
        self.assertThere(nora, email='lost@example.com')
        self.assertEqual(self.ramp.sent_mails, [])

    def test_crash_and_another_email(self):
        """If Ramp's answer to a creation is lost and the email then changes, the draft is found by the former email."""
        for number, (seconds, archive) in enumerate(((0, False), (None, False), (0, True))):
            with self.subTest(seconds=seconds, archive=archive):
                self.ramp.task_seconds = seconds
                before, after = f'before{number}@example.com', f'after{number}@example.com'
                nora = self.hire(email=before)
                self.ramp.faults.add_fault('drop_after', path='/users/deferred', count=1)
                self.push(1)
                nora.work_email = after
                if archive:
                    nora.active = False
                self.push(1)
                if seconds is None:
                    self.ramp.finish_user_tasks()
                for _time in range(3):
                    self.env['ramp.record'].search([('next_attempt', '!=', False)]).next_attempt = False
                    self.push(1)
                [user] = self.of_email(before) + self.of_email(after)
                if archive:
                    self.assertEqual((self.row(nora).state, user['status']), ('ignored', 'USER_INACTIVE'))
                else:
                    self.assertEqual(self.assertThere(nora)['id'], user['id'])
                    self.assertIn(f'The email in Ramp is {before}', nora.ramp_state)
                self.assertFalse(self.row(nora).noted)

    def test_refused(self):
        nora = self.hire(email='nora@example.com')
        self.ramp.task_seconds = None
        self.connection.user_role = 'GUEST_USER'
        ident = self.ramp.add_user('Nora', 'New', 'nora@example.com')
        self.push()
        self.assertThere(nora, id=ident, role='BUSINESS_USER')

    # ------------------------------------------------------------------ managers

    def test_managers_change_places(self):
        a, b, c = (self.hire(f'{name} Person', f'{name}@example.com') for name in 'abc')
        b.parent_id, c.parent_id = a, b
        self.push(4)
        self.assertEqual((self.there(b)['manager_id'], self.there(c)['manager_id']), (a.ramp_user_id, b.ramp_user_id))
        (a + b + c).write({'parent_id': False})
        b.parent_id, a.parent_id = c, b
        self.push(4)
        self.assertEqual(
            [self.there(person)['manager_id'] for person in (a, b, c)], [b.ramp_user_id, c.ramp_user_id, None]
        )
        c.parent_id = a  # a circle, which Ramp refuses
        self.push(2)
        self.assertQuestion(c, 'The manager reports to the user')
        c.parent_id = False
        self.push(2)
        self.assertThere(c, manager_id=None)

    def test_a_manager_who_comes_later(self):
        boss = self.hire('Max Manager', False)
        nora = self.hire(parent_id=boss.id)
        self.push()
        self.assertThere(nora, manager_id=None)
        boss.work_email = 'max@example.com'
        self.push(4)
        self.assertThere(nora, manager_id=boss.ramp_user_id)

    # ------------------------------------------------------------------ departments and locations

    def names(self, table):
        return sorted(row['name'] for row in self.ramp.state[table])

    def test_departments_are_found_by_name_and_renamed(self):
        before = self.names('departments')
        there = before[0]
        team = self.env['hr.department'].create({'name': there.upper(), 'company_id': self.company.id})
        nora = self.hire(department_id=team.id)
        self.push()
        self.assertEqual(self.names('departments'), sorted([there.upper(), *before[1:]]))
        team.name = 'Robotics'
        self.push()
        self.assertEqual(self.names('departments'), sorted(['Robotics', *before[1:]]))
        self.assertEqual(self.ramp.state['departments'].get_row(self.there(nora)['department_id'])['name'], 'Robotics')
        self.assertNotIn('Lab', self.names('departments'))  # nobody works there
        team.active = False
        self.push()
        self.assertIn('cannot be deleted in Ramp', team.ramp_state)

    def test_departments_of_one_name(self):
        (root,) = self.env['hr.department'].create([{'name': 'Europe', 'company_id': self.company.id}])
        sales = self.env['hr.department'].create(
            [
                {'name': 'Selling', 'company_id': self.company.id},
                {'name': 'Selling', 'parent_id': root.id, 'company_id': self.company.id},
            ]
        )
        self.hire(department_id=sales[0].id)
        self.hire('Olga Other', 'olga@example.com', department_id=sales[1].id)
        self.push()
        self.assertTrue({'Selling', 'Europe / Selling'} <= set(self.names('departments')))

    def test_a_location_of_another_entity(self):
        entities = [entity['id'] for entity in self.ramp.state['entities']]
        ident = self.ramp.state['locations'].find_first_row(entity_id=entities[1])
        self.connection.ramp_entity_id = entities[0]
        self.paris.name = ident['name']
        nora = self.hire(work_location_id=self.paris.id)
        self.push()
        self.assertQuestion(self.paris, 'in another entity')
        self.assertThere(nora, location_id=None)
        self.paris.name = 'Paris'
        self.push(3)
        user = self.assertThere(nora, entity_id=entities[0])
        self.assertEqual(self.ramp.state['locations'].get_row(user['location_id'])['name'], 'Paris')

    def test_locations_of_one_name(self):
        """The location in the connection's entity is taken. Two locations of one name there are a question, and no
        third one is made.
        """
        first, second, *_others = (entity['id'] for entity in self.ramp.state['entities'])
        for chosen, entity in ((False, self.connection.primary_entity_id), (second, second), (first, first)):
            with self.subTest(chosen=chosen):
                self.connection.ramp_entity_id = chosen
                place = self.paris.copy({'name': f'Office {chosen}'})
                for other in (first, second):
                    make_location(self.ramp.state, place.name, other, self.ramp.state.make_new_id())
                nora = self.hire(email=f'nora{chosen}@example.com', work_location_id=place.id)
                self.push(3)
                location = self.ramp.state['locations'].get_row(self.row(place).ramp_id)
                self.assertEqual((location['name'], location['entity_id']), (place.name, entity))
                self.assertThere(nora, location_id=location['id'], entity_id=entity)
                self.assertEqual(self.names('locations').count(place.name), 2)
        make_location(self.ramp.state, 'PARIS', first, self.ramp.state.make_new_id())
        double = make_location(self.ramp.state, 'Paris', first, self.ramp.state.make_new_id())
        nora.work_location_id = self.paris
        self.push(3)
        self.assertQuestion(self.paris, 'Ramp has 2 with the name Paris')
        self.assertEqual(len([name for name in self.names('locations') if name.lower() == 'paris']), 2)
        self.ramp.state['locations'].update_row(double['id'], name='Paris North')
        self.push(3)
        self.assertEqual(self.row(self.paris).state, 'confirmed')
        self.assertThere(nora, location_id=self.row(self.paris).ramp_id)

    def test_departments_of_one_name_in_ramp(self):
        one, two = ({'id': self.ramp.state.make_new_id(), 'name': 'Field Team'} for _number in range(2))
        for department in (one, two):
            self.ramp.state['departments'].add_row(department)
        nora = self.hire(department_id=self.team.id)
        self.push()
        self.assertQuestion(self.team, 'Ramp has 2 with the name Field Team')
        self.assertThere(nora, department_id=None)
        self.assertEqual(self.names('departments').count('Field Team'), 2)
        self.ramp.state['departments'].update_row(one['id'], name='Field Team West')
        self.push(3)
        self.assertThere(nora, department_id=two['id'])

    # ------------------------------------------------------------------ hooks and rights

    def test_an_officer_without_rights_on_ramp(self):
        officer = new_test_user(
            self.env,
            'officer',
            'hr.group_hr_user',
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
        )
        Employee = self.env['hr.employee'].with_user(officer).with_company(self.company)
        before = self.ramp.count_requests()
        nora = Employee.create({'name': 'Nora New', 'work_email': 'nora@example.com', 'company_id': self.company.id})
        nora.write({'department_id': self.team.id, 'parent_id': self.employee.id, 'name': 'Nora Newer'})
        self.assertEqual(nora.ramp_state, 'Waiting to be sent')
        nora.action_archive()
        nora.action_unarchive()
        self.team.with_user(officer).name = 'Team'
        self.assertEqual(self.ramp.count_requests(), before)
        self.push()
        self.env.invalidate_all()
        self.assertIn('draft', nora.ramp_state)
        with Form(nora) as form:
            form.name = 'Nora Newest'
        nora.action_send_ramp_invitation()
        nora.unlink()
        self.push()

    def test_an_ordinary_user(self):
        nora = self.hire()
        self.push()
        user = new_test_user(self.env, 'plain', company_id=self.company.id, company_ids=[Command.set(self.company.ids)])
        public = self.env['hr.employee.public'].with_user(user).browse(nora.id)
        self.assertEqual(public.name, 'Nora New')
        self.assertFalse([name for name in public._fields if name.startswith('ramp_')])
        self.assertFalse(
            [name for name, field in nora._fields.items() if name.startswith('ramp_') and not field.groups]
        )
        self.assertTrue(nora.with_user(user).name)
        with self.assertRaises(AccessError):
            nora.with_user(user).ramp_user_id  # noqa: B018
        with self.assertRaises(AccessError):
            nora.with_user(user).action_send_ramp_invitation()
        user.with_user(user).write({'name': 'Plain Person', 'email': 'plain@example.com'})
        accountant = new_test_user(
            self.env,
            'accountant',
            'account.group_account_manager',
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
        )
        self.assertTrue(self.row(nora).with_user(accountant).status)
        self.assertEqual(self.row(nora).with_user(accountant).sent_text, 'Name: Nora New\nEmail: nora@example.com')

    def test_login_costs_nothing(self):
        user = self.user('ada@odoo.example')
        self.push()
        before = self.env['ramp.change'].search_count([])
        user.with_user(user)._update_last_login()
        user.write({'signature': 'x', 'tz': 'UTC'})
        self.env.flush_all()
        self.assertEqual(self.env['ramp.change'].search_count([]), before)

    def test_an_import_is_one_statement(self):
        self.env['ramp.change'].search([]).unlink()
        self.env.flush_all()
        statements = []
        execute = type(self.env.cr).execute

        def spy(cr, query, *args, **kwargs):
            statements.append(str(getattr(query, 'code', query)))
            return execute(cr, query, *args, **kwargs)

        self.patch(type(self.env.cr), 'execute', spy)
        result = self.env['hr.employee'].load(
            ['name', 'work_email', 'department_id'], [[f'Person {n}', f'p{n}@example.com', 'Lab'] for n in range(30)]
        )
        self.assertFalse([message for message in result['messages'] if message['type'] == 'error'])
        noted = [statement for statement in statements if 'INSERT INTO ramp_change' in statement]
        self.assertLessEqual(len(noted), 4)
        self.push(3)
        self.assertEqual(
            len(
                [
                    user
                    for user in self.ramp.state['users']
                    if user['email'].startswith('p')
                    and user['email'].endswith('@example.com')
                    and user['email'][1:-12].isdigit()
                ]
            ),
            30,
        )

    def test_two_entities_of_one_company(self):
        """The oldest connection to a Ramp business sends the company's people."""
        second = self.connection.copy(
            {
                'existing_policy': 'book',
                'name': 'Second',
                'ramp_entity_id': next(iter(self.ramp.state['entities']))['id'],
                'client_id': self.ramp.client_id,
                'client_secret': self.ramp.client_secret,
            }
        )
        second.action_connect()
        nora = self.hire()
        self.push(3)
        self.assertEqual(len(self.of_email('nora@example.com')), 1)
        self.assertThere(nora)
        rows = self.env['ramp.record'].search(
            [('flow', '=', 'employee'), ('res_id', '=', nora.id), ('connection_id', '=', second.id)]
        )
        self.assertEqual(rows.state, 'ignored')


step = st.tuples(
    st.sampled_from(
        (
            'create',
            'create',
            'user',
            'rename',
            'department',
            'location',
            'archive',
            'unarchive',
            'manager',
            'manager',
            'invite',
            'department_name',
            'slow',
            'fail',
            'fault',
            'fault',
            'sync',
            'sync',
        )
    ),
    st.integers(0, 999),
)


@tagged('post_install', '-at_install', 'ramp')
class TestPeopleConverge(PeopleCase):
    """After any changes to people, and with a Ramp that fails, Ramp has each person once, as Odoo has them, and has
    sent emails only to the right people.
    """

    def pick(self, number, active=True, employees=False):
        people = [
            person
            for person in self.people
            if person.active == active and (not employees or person._name == 'hr.employee')
        ]
        return people[number % len(people)] if people else None

    def do_create(self, number):
        self.people.append(
            self.hire(
                f'Person {number % 7} of {len(self.people)}',
                f'person{len(self.people)}@example.com',
                department_id=(False, self.team.id, self.lab.id)[number % 3],
                parent_id=number % 2 and (boss := self.pick(number, employees=True)) and boss.id,
            )
        )

    def do_user(self, number):
        self.people.append(
            self.env['res.users'].create(
                {
                    'name': f'User {number % 7}',
                    'login': f'person{len(self.people)}@example.com',
                    'company_id': self.company.id,
                    'company_ids': [Command.set(self.company.ids)],
                }
            )
        )

    def do_rename(self, number):
        if person := self.pick(number):
            person.name = ('Ann Lee', 'Bo Xi', 'Cher', 'Ludwig van Beethoven')[number % 4]

    def do_department(self, number):
        if person := self.pick(number, employees=True):
            person.department_id = (self.team, self.lab)[number % 2]

    def do_department_name(self, number):
        self.team.name = ('Field Team', 'Team of the Field')[number % 2]

    def do_location(self, number):
        if person := self.pick(number, employees=True):
            person.work_location_id = self.paris

    def do_archive(self, number):
        if person := self.pick(number):
            person.action_archive()

    def do_unarchive(self, number):
        if person := self.pick(number, active=False):
            person.action_unarchive()

    def do_manager(self, number):
        person, boss = self.pick(number, employees=True), self.pick(number // 7, employees=True)
        above = boss
        while person and above and above != person:
            above = above.parent_id
        if person and boss:
            person.parent_id = False if above == person else boss

    def do_invite(self, number):
        if (person := self.pick(number)) and person.ramp_can_invite:
            person.action_send_ramp_invitation()

    def do_slow(self, number):
        self.ramp.task_seconds = (None, 0)[number % 2]

    def do_fail(self, number):
        self.ramp.finish_user_tasks(error='Mailbox unknown' if number % 2 else None)

    def do_fault(self, number):
        self.ramp.faults.add_fault(
            path=('*', '/users*', '/users/deferred*', '/departments')[number % 4],
            skip=number % 3,
            count=1 + number % 3,
            **FAULTS[number % len(FAULTS)],
        )

    def do_sync(self, _number):
        self.push(1)

    def settle(self):
        """Stop all failures, press Retry on what is on hold, and run until nothing changes."""
        self.ramp.faults.clear_faults()
        self.ramp.task_seconds = 0
        self.ramp.finish_user_tasks()
        for _round in range(8):
            before = self.ramp.count_requests()
            self.env['ramp.record'].search([('next_attempt', '!=', False)]).next_attempt = False
            self.env['ramp.record'].search([('hold_reason', '=', 'refused'), ('flow', 'in', FLOWS)]).action_retry()
            self.push(1)
            rows = self.env['ramp.record'].search(
                [('flow', 'in', FLOWS), ('state', 'not in', ('confirmed', 'ignored'))]
            )
            if not rows and not self.written(before) and not self.env['ramp.change'].search([('flow', 'in', FLOWS)]):
                return
        self.fail(f'Still at it: {[(row.name, row.state, row.error_message) for row in rows]} {self.written(before)}')

    def assertConverged(self, strangers):
        self.settle()
        users = [user for user in self.ramp.state['users'] if user['id'] not in strangers]
        self.assertLessEqual(max(Counter(user['email'].lower() for user in users).values(), default=0), 1)
        by_email = {user['email']: user for user in users}
        self.assertLessEqual(set(by_email), {person._ramp_email() for person in self.people})
        mails = Counter(mail['to'] for mail in self.ramp.sent_mails)
        asked = {person._ramp_email() for person in self.people if person.ramp_invite}
        self.assertLessEqual(set(mails), asked)
        self.assertLessEqual(max(mails.values(), default=0), 1)
        for person in self.people:
            user = by_email.get(person._ramp_email())
            if not person.active:
                self.assertTrue(not user or user['status'] == 'USER_INACTIVE', user)
                continue
            self.assertEqual(self.row(person).ramp_id, user['id'])
            self.assertEqual(
                [user['first_name'], user['last_name']], self.env['ramp.flow.person']._split_person_name(person)
            )
            self.assertEqual(user['status'], 'INVITE_PENDING' if user['email'] in mails else 'USER_DRAFT')
            self.assertEqual(user['email'] in mails, person.ramp_invite)
            if person._name == 'hr.employee':
                self.assertEqual(person.ramp_user_id, user['id'])
                self.assertEqual(user['manager_id'], person.parent_id.ramp_user_id or None)
                for place, table, key in (
                    (person.department_id, 'departments', 'department_id'),
                    (person.work_location_id, 'locations', 'location_id'),
                ):
                    self.assertEqual(
                        user[key] and self.ramp.state[table].get_row(user[key])['name'], place.name or None
                    )
        before = self.ramp.count_requests()
        self.push(1)
        self.assertEqual(self.written(before), {})
        self.ramp.assert_clean()

    @in_turn
    @examples(2)
    @given(steps=st.lists(step, min_size=4, max_size=30))
    @example(steps=[('slow', 0), ('create', 1), ('sync', 0), ('fail', 1), ('sync', 0), ('rename', 1)])
    @example(
        steps=[('create', 1), ('fault', 3), ('sync', 0), ('archive', 0), ('sync', 0), ('unarchive', 0), ('sync', 0)]
    )
    @example(
        steps=[
            ('create', 0),
            ('create', 1),
            ('sync', 0),
            ('sync', 0),
            ('invite', 0),
            ('fault', 3),
            ('sync', 0),
            ('archive', 0),
        ]
    )
    def test_property_people_converge(self, steps):
        strangers = {user['id'] for user in self.ramp.state['users']}
        self.people = []
        with self.isolated():
            self.ramp.task_seconds = 0
            for deed, number in steps:
                getattr(self, f'do_{deed}')(number)
            self.assertConverged(strangers)
