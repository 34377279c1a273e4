# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import defaultdict

from odoo import api, fields, models
from odoo.tools import email_normalize

OFFICERS = 'hr.group_hr_user'


class HrEmployee(models.Model):
    """Employees are cardholders, and sent to Ramp as users; see `ramp.flow.employee`."""

    _name = 'hr.employee'
    _inherit = ['hr.employee', 'ramp.person']

    _ramp_flows = ('employee',)
    _ramp_fields = frozenset(
        {
            'name',
            'work_email',
            'user_id',
            'active',
            'company_id',
            'parent_id',
            'current_version_id',
            'ramp_invite',
            'ramp_user_id',
        }
    )
    _ramp_officers = OFFICERS
    # the login first: the others are for users to change themselves, and core copies one to the other
    _ramp_addresses = ('user_id.login', 'work_email', 'user_id.email')

    ramp_id = fields.Char(groups=OFFICERS)
    # core reads what officers alone may see for nobody else, and takes every other field to be one of the public
    # profile
    ramp_record_id = fields.Many2one(groups=OFFICERS)
    ramp_state = fields.Char(groups=OFFICERS)
    ramp_url = fields.Char(groups=OFFICERS)
    ramp_invite = fields.Boolean(groups=OFFICERS)
    ramp_can_invite = fields.Boolean(groups=OFFICERS)
    ramp_user_id = fields.Char(
        index='btree_not_null',
        copy=False,
        groups=OFFICERS,
        help="Ramp's id of this person; found by the login, or the work email of who has none. Once it is there, it "
        'decides.',
    )

    _ramp_user_once = models.UniqueIndex(
        '(company_id, ramp_user_id) WHERE ramp_user_id IS NOT NULL',
        'Another employee of the company is linked to this Ramp user.',
    )

    def _ramp_is_sure(self):
        """EXTENDS: an employee who is no user cannot change the work email."""
        return not self.user_id or bool(email_normalize(self.user_id.login))

    @api.model
    def _ramp_named(self, connection, emails):
        """Who has an email address that Ramp knows: by the login, or the work email of who has none; names are not
        unique.

        Users change their email themselves, and core makes it the work email: what it says of a user is a question
        for a person. Archived employees count, too, where nobody else has the address: people leave, and their spend
        stays.

        :param emails: {address as `email_normalize` has it: Ramp user id}
        :return: {address: (employee, None), or (empty recordset, the question)}; without those of whom nothing is known
        """
        certain, claimed = defaultdict(self.browse), defaultdict(self.browse)
        employees = (
            self.with_context(active_test=False).search(
                [
                    ('company_id', '=', connection.company_id.id),
                    '|',
                    ('work_email', '!=', False),
                    ('user_id', '!=', False),
                ]
            )
            if emails
            else self
        )
        for employee in employees:
            login, work = (email_normalize(address or '') for address in (employee.user_id.login, employee.work_email))
            own = login if employee.user_id else work
            if own in emails:
                certain[own] += employee
            # an employee who is linked is somebody already
            elif work in emails and not employee.ramp_user_id:
                claimed[work] += employee
        named = {}
        for email, employees in certain.items():
            employees = employees.filtered('active') or employees
            named[email] = (
                (employees, None)
                if len(employees) == 1
                else (
                    self.browse(),
                    self.env._(
                        'More than one employee of %(company)s has the email %(email)s: %(names)s. Give each one an '
                        'email of their own.',
                        company=connection.company_id.name,
                        email=email,
                        names=', '.join(employees.mapped('name')),
                    ),
                )
            )
        for email, employees in claimed.items():
            if email not in named:
                named[email] = (
                    self.browse(),
                    self.env._(
                        'The email %(email)s is the work email of %(people)s. Users may change a work email '
                        'themselves, so it does not say '
                        'who it is. If it is the same person, enter %(user)s as the Ramp ID of the employee; if not, '
                        'correct the work email.',
                        email=email,
                        user=emails[email],
                        people=', '.join(
                            self.env._(
                                '%(name)s, who logs in as %(login)s', name=employee.name, login=employee.user_id.login
                            )
                            for employee in employees
                        ),
                    ),
                )
        return named

    @api.model
    def _ramp_link(self, connection, users, wanted):
        """Link Ramp users to the company's employees; see `_ramp_named`.

        :param users: list of `ramp_api.User`
        :param wanted: Ramp user ids to link
        """
        emails = self._ramp_emails(users, wanted)
        for email, (employee, _question) in self._ramp_named(connection, emails).items():
            # nobody else may take the place of somebody
            if employee and not employee.ramp_user_id:
                employee.ramp_user_id = emails[email]

    @staticmethod
    def _ramp_emails(users, wanted):
        """{address: Ramp user id} of those Ramp users who are wanted."""
        return {email: user.id for user in users if user.id in wanted and (email := email_normalize(user.email or ''))}

    def _ramp_flows_concerned(self, vals):
        return () if self.env.context.get('ramp_linking') else super()._ramp_flows_concerned(vals)

    def _ramp_contacts(self):
        """The contacts of these employees that would be vendors, if they were not theirs."""
        # whoever edits employees need not be allowed to edit partners
        return self.sudo().work_contact_id.filtered(lambda partner: partner.supplier_rank or partner.ramp_spend_vendor)

    @api.model_create_multi
    def create(self, vals_list):
        """EXTENDS: an employee's contact is no vendor."""
        employees = super().create(vals_list)
        employees._ramp_contacts()._ramp_note_changes()
        return employees

    def unlink(self):
        """EXTENDS: who was an employee may be a vendor."""
        contacts = self._ramp_contacts()
        result = super().unlink()
        contacts.exists()._ramp_note_changes()
        return result

    def write(self, vals):
        """EXTENDS: whom Ramp has now can be somebody's manager there; and an employee's contact is no vendor."""
        contacts = self._ramp_contacts() if 'work_contact_id' in vals else self.env['res.partner']
        result = super().write(vals)
        if 'work_contact_id' in vals:
            (contacts | self._ramp_contacts())._ramp_note_changes()
        if 'ramp_user_id' in vals:
            # whoever links an employee need not be allowed to see those of other companies
            self.sudo().child_ids._ramp_note_changes()
        return result

    @api.depends('work_email', 'user_id', 'active')
    def _compute_ramp_state(self):
        """EXTENDS: who has no email has no row either."""
        result = super()._compute_ramp_state()
        lonely = self.filtered(
            lambda employee: not employee.ramp_state and employee.active and not employee._ramp_email()
        )
        connections = (
            self.env['ramp.connection'].search([('state', '=', 'connected'), ('push_users', '=', True)])
            if lonely
            else ()
        )
        for employee in lonely:
            if employee.company_id in connections.company_id:
                employee.ramp_state = self.env._(
                    'Not sent: Ramp knows people by their email address, and there is none.'
                )
        return result


class HrVersion(models.Model):
    _inherit = 'hr.version'

    @api.model_create_multi
    def create(self, vals_list):
        """EXTENDS: a version of an employee says where the person works."""
        versions = super().create(vals_list)
        versions.employee_id._ramp_note_changes()
        return versions

    def write(self, vals):
        """EXTENDS: a version of an employee says where the person works."""
        result = super().write(vals)
        if not {'department_id', 'work_location_id', 'employee_id', 'date_version', 'active'}.isdisjoint(vals):
            self.employee_id._ramp_note_changes()
        return result
