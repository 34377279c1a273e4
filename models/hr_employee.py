# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import defaultdict

from odoo import api, fields, models
from odoo.tools import email_normalize

OFFICERS = 'hr.group_hr_user'


class HrEmployee(models.Model):
    """Employees are cardholders and are sent to Ramp as users; see `ramp.flow.employee`."""

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
    # The login comes first. Users can change the other two themselves, and core copies one to the other.
    _ramp_addresses = ('user_id.login', 'work_email', 'user_id.email')

    ramp_id = fields.Char(groups=OFFICERS)
    # Core reads fields with these groups only for HR officers. It takes every other field for one of the public
    # profile.
    ramp_record_id = fields.Many2one(groups=OFFICERS)
    ramp_state = fields.Char(groups=OFFICERS)
    ramp_url = fields.Char(groups=OFFICERS)
    ramp_invite = fields.Boolean(groups=OFFICERS)
    ramp_can_invite = fields.Boolean(groups=OFFICERS)
    ramp_user_id = fields.Char(
        index='btree_not_null',
        copy=False,
        groups=OFFICERS,
        help="Ramp's ID of this person. Odoo finds it by the login, or by the work email of a person without a "
        'login. Once it is set, only this ID counts.',
    )

    _ramp_user_once = models.UniqueIndex(
        '(company_id, ramp_user_id) WHERE ramp_user_id IS NOT NULL',
        'Another employee of the company is already linked to this Ramp user.',
    )

    def _ramp_is_sure(self):
        """EXTENDS: Return whether the email is certain: an employee without a user cannot change the work email."""
        return not self.user_id or bool(email_normalize(self.user_id.login))

    @api.model
    def _ramp_named(self, connection, emails):
        """Find employees by the emails that Ramp knows.

        The email of an employee is the login, or the work email of an employee without a user. Names are not unique.

        Users can change their own email, and core copies it to the work email. So the work email of a user does not
        identify the person, and a person has to decide. Archived employees count if no active employee has the email:
        people leave, and their spend stays.

        :param emails: {email as `email_normalize` returns it: Ramp user id}
        :return: {email: (employee, None), or (empty recordset, question for a person)}; unknown emails are left out
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
            # A linked employee is another Ramp user already
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
                        'More than one employee of %(company)s has the email %(email)s: %(names)s. Give each of them '
                        'a different email.',
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
                        'The email %(email)s is the work email of %(people)s. Users may change their work email '
                        'themselves, so it does not prove who it is. If it is the same person, enter %(user)s as the '
                        '"Ramp User" of the employee. If not, correct the work email.',
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
        :param wanted: ids of the Ramp users to link
        """
        emails = self._ramp_emails(users, wanted)
        for email, (employee, _question) in self._ramp_named(connection, emails).items():
            # An existing link is never replaced
            if employee and not employee.ramp_user_id:
                employee.ramp_user_id = emails[email]

    @staticmethod
    def _ramp_emails(users, wanted):
        """Return {normalized email: Ramp user id} of the wanted Ramp users."""
        return {email: user.id for user in users if user.id in wanted and (email := email_normalize(user.email or ''))}

    def _ramp_flows_concerned(self, vals):
        return () if self.env.context.get('ramp_linking') else super()._ramp_flows_concerned(vals)

    def _ramp_contacts(self):
        """Return the contacts of these employees that would otherwise be vendors."""
        # sudo: users who edit employees may have no access to partners
        return self.sudo().work_contact_id.filtered(lambda partner: partner.supplier_rank or partner.ramp_spend_vendor)

    @api.model_create_multi
    def create(self, vals_list):
        """EXTENDS: Compare the employees' contacts again, because the contact of an employee is no vendor."""
        employees = super().create(vals_list)
        employees._ramp_contacts()._ramp_note_changes()
        return employees

    def unlink(self):
        """EXTENDS: Compare the contacts again, because the contact of a former employee may be a vendor."""
        contacts = self._ramp_contacts()
        result = super().unlink()
        contacts.exists()._ramp_note_changes()
        return result

    def write(self, vals):
        """EXTENDS: Note changes of contacts and managers.

        The contact of an employee is no vendor. An employee whom Ramp has can be a manager there.
        """
        contacts = self._ramp_contacts() if 'work_contact_id' in vals else self.env['res.partner']
        result = super().write(vals)
        if 'work_contact_id' in vals:
            (contacts | self._ramp_contacts())._ramp_note_changes()
        if 'ramp_user_id' in vals:
            # sudo: users who link an employee may have no access to employees of other companies
            self.sudo().child_ids._ramp_note_changes()
        return result

    @api.depends('work_email', 'user_id', 'active')
    def _compute_ramp_state(self):
        """EXTENDS: Say why an employee without an email is not sent; there is no ledger row for such an employee."""
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
                    'Not sent: Ramp identifies people by their email address, and there is none.'
                )
        return result


class HrVersion(models.Model):
    _inherit = 'hr.version'

    @api.model_create_multi
    def create(self, vals_list):
        """EXTENDS: Note the employee as changed, because the version has the department and work location."""
        versions = super().create(vals_list)
        versions.employee_id._ramp_note_changes()
        return versions

    def write(self, vals):
        """EXTENDS: Note the employee as changed, because the version has the department and work location."""
        result = super().write(vals)
        if not {'department_id', 'work_location_id', 'employee_id', 'date_version', 'active'}.isdisjoint(vals):
            self.employee_id._ramp_note_changes()
        return result
