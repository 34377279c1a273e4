# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import defaultdict

from odoo import api, fields, models
from odoo.tools import email_normalize


class HrEmployee(models.Model):
    _inherit = 'hr.employee'

    ramp_user_id = fields.Char(
        index='btree_not_null', copy=False, groups='hr.group_hr_user',
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
