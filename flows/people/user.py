# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.fields import Domain
from odoo.tools import SQL


class RampFlowUser(models.AbstractModel):
    """Internal users of the connection's company who are not employees.

    A user who is an employee is sent as an employee.
    """

    _name = 'ramp.flow.user'
    _inherit = ['ramp.flow.person', 'ramp.flow.push']
    _description = 'Ramp Flow: users'

    _flow = 'user'
    _flow_sequence = 13
    _model = 'res.users'
    _kind = 'user'

    @api.model
    def _get_flow_label(self):
        return self.env._('Users without an employee')

    def _get_wanted_domain(self, connection):
        if not connection.push_users:
            return Domain.FALSE
        company = connection.company_id.id

        def is_no_employee(model, alias, query):
            return SQL(
                """NOT EXISTS (
                    SELECT FROM hr_employee e, res_users u JOIN res_partner p ON p.id = u.partner_id
                     WHERE u.id = %s AND (
                        e.user_id = u.id
                        -- of an employee who is a user, the login says who it is
                        OR e.company_id = %s AND e.user_id IS NULL AND lower(e.work_email) IN (lower(u.login), lower(p.email))))""",
                SQL.identifier(alias, 'id'),
                company,
            )

        return (
            Domain('active', '=', True)
            & Domain('share', '=', False)
            & Domain('company_id', '=', company)
            & (Domain('email', '!=', False) | Domain('login', 'like', '@'))
            & Domain.custom(to_sql=is_no_employee)
        )

    def _reason_not_offered(self, record):
        employee = (
            self.env['hr.employee']
            .with_context(active_test=False)
            .search(
                [
                    '|',
                    ('user_id', '=', record.id),
                    '&',
                    ('user_id', '=', False),
                    ('work_email', 'in', [record.login, record.email]),
                ],
                limit=1,
            )
        )
        if employee:
            return self.env._('This user is the employee %s, who is sent as an employee.', employee.name)
        if record.active and record.share:
            return self.env._('Only internal users are sent to Ramp.')
        return super()._reason_not_offered(record)
