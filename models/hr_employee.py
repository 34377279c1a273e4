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
    _ramp_fields = frozenset({
        'name', 'work_email', 'user_id', 'active', 'company_id', 'parent_id', 'current_version_id', 'ramp_invite', 'ramp_user_id'})
    _ramp_officers = OFFICERS
    _ramp_addresses = ('work_email', 'user_id.email', 'user_id.login')

    ramp_id = fields.Char(groups=OFFICERS)
    ramp_state = fields.Char(groups=OFFICERS)
    ramp_url = fields.Char(groups=OFFICERS)
    ramp_invite = fields.Boolean(groups=OFFICERS)
    ramp_can_invite = fields.Boolean(groups=OFFICERS)
    ramp_user_id = fields.Char(
        index='btree_not_null', copy=False, groups=OFFICERS,
        help="Ramp's id of this person; found by the work e-mail.")

    _ramp_user_once = models.UniqueIndex(
        '(company_id, ramp_user_id) WHERE ramp_user_id IS NOT NULL', 'Another employee of the company is linked to this Ramp user.')

    @api.model
    def _ramp_link(self, connection, users, wanted):
        """Link Ramp users to the company's employees by work e-mail; by nothing else: names are not unique.

        :param users: list of `ramp_api.User`
        :param wanted: Ramp user ids to link
        """
        by_email = defaultdict(self.browse)
        emails = {email_normalize(user.email): user for user in users if user.id in wanted and user.email}
        employees = self.with_context(active_test=False).search([
            ('company_id', '=', connection.company_id.id), ('work_email', '!=', False)])
        for employee in employees:
            by_email[email_normalize(employee.work_email)] += employee
        for email, user in emails.items():
            candidates = by_email[email].filtered('active') or by_email[email]
            # an employee who is linked is somebody already, and nobody else may take that one's place
            if email and len(candidates) == 1 and not candidates.ramp_user_id:
                candidates.ramp_user_id = user.id

    def _ramp_concerned(self, vals):
        return () if self.env.context.get('ramp_linking') else super()._ramp_concerned(vals)

    def write(self, vals):
        """EXTENDS: whom Ramp has now can be somebody's manager there."""
        result = super().write(vals)
        if 'ramp_user_id' in vals:
            # whoever links an employee need not be allowed to see those of other companies
            self.sudo().child_ids._ramp_changed()
        return result

    @api.depends('work_email', 'user_id', 'active')
    def _compute_ramp_state(self):
        """EXTENDS: who has no e-mail has no row either."""
        result = super()._compute_ramp_state()
        lonely = self.filtered(lambda employee: not employee.ramp_state and employee.active and not employee._ramp_email())
        connections = self.env['ramp.connection'].search([('state', '=', 'connected'), ('push_users', '=', True)]) if lonely else ()
        for employee in lonely:
            if employee.company_id in connections.company_id:
                employee.ramp_state = self.env._('Not sent: Ramp knows people by their e-mail address, and there is none.')
        return result


class HrVersion(models.Model):
    _inherit = 'hr.version'

    @api.model_create_multi
    def create(self, vals_list):
        """EXTENDS: a version of an employee says where the person works."""
        versions = super().create(vals_list)
        versions.employee_id._ramp_changed()
        return versions

    def write(self, vals):
        """EXTENDS: a version of an employee says where the person works."""
        result = super().write(vals)
        if not {'department_id', 'work_location_id', 'employee_id', 'date_version', 'active'}.isdisjoint(vals):
            self.employee_id._ramp_changed()
        return result
