# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.fields import Domain
from odoo.tools import SQL


class RampFlowEmployee(models.AbstractModel):
    """Employees of the connection's company.

    The link on the employee decides which Ramp user an employee is, whoever set it.
    """

    _name = 'ramp.flow.employee'
    _inherit = ['ramp.flow.person', 'ramp.flow.push']
    _description = 'Ramp Flow: employees'

    _flow = 'employee'
    _flow_sequence = 12
    _model = 'hr.employee'
    _kind = 'employee'

    @api.model
    def _get_flow_label(self):
        return self.env._('Employees')

    def _get_wanted_domain(self, connection):
        if not connection.push_users:
            return Domain.FALSE
        return (
            Domain('active', '=', True)
            & Domain('company_id', '=', connection.company_id.id)
            & (
                Domain('work_email', '!=', False)
                | Domain('user_id.email', '!=', False)
                | Domain('user_id.login', 'like', '@')
            )
        )

    def _reason_not_offered(self, record):
        if record.active and not record._ramp_email():
            return self.env._('The employee no longer has an email address.')
        return super()._reason_not_offered(record)

    def _get_linked_user_id(self, person):
        return person.ramp_user_id

    def _collect_changed_records(self, connections):
        """EXTENDS: forget what is known of employees whose link to a Ramp user was changed or cleared."""
        self.env['ramp.record'].flush_model()
        self.env['hr.employee'].flush_model(['ramp_user_id'])
        self.env.cr.execute(
            SQL(
                """
            UPDATE ramp_record r
               SET ramp_id = NULL, payload = NULL, payload_hash = NULL, state = 'pending', hold_reason = NULL, error_message = NULL,
                   reason = NULL,
                   is_uncertain = TRUE, attempts = 0, next_attempt = NULL, revision = COALESCE(revision, 0) + 1
              FROM hr_employee e
             WHERE r.flow = %s AND r.connection_id = ANY(%s) AND e.id = r.res_id AND r.ramp_id <> COALESCE(e.ramp_user_id, '')
            """,
                self._flow,
                connections.ids,
            )
        )
        self.env['ramp.record'].invalidate_model()
        return super()._collect_changed_records(connections)

    def _make_push_jobs(self, connection, rows):
        links = {
            employee.id: employee.ramp_user_id
            for employee in self.env['hr.employee']
            .with_context(active_test=False)
            .search_fetch([('id', 'in', rows.mapped('res_id')), ('ramp_user_id', '!=', False)], ['ramp_user_id'])
        }
        for job in super()._make_push_jobs(connection, rows):
            if not job.ramp_id and job.res_id in links:
                job.ramp_id, job.uncertain = links[job.res_id], True
            yield job

    def _get_extra_person_values(self, connection, records):
        departments = self.env['ramp.flow.department']._get_ramp_ids(connection, records.department_id)
        locations = self.env['ramp.flow.location']._get_ramp_ids(connection, records.work_location_id)
        # A manager may work for another company of the same Ramp business.
        companies = connection._seat_companies()
        further = {}
        for employee in records:
            manager, values = employee.parent_id, {}
            if manager in (employee, manager.browse()):
                values['manager'] = None
            elif manager.ramp_user_id and manager.company_id in companies:
                values['manager'] = manager.ramp_user_id  # until Ramp has the manager, none is sent
            places = {
                'department': departments.get(employee.department_id.id),
                'location': locations.get(employee.work_location_id.id),
            }
            # In Ramp, a user who has a department or location cannot be without one again.
            values.update((key, ramp_id) for key, ramp_id in places.items() if ramp_id)
            further[employee.id] = values
        return further

    def _link_push_jobs(self, jobs):
        users = {job.res_id: job.ramp_id for job in jobs}
        # With `ramp_linking`, this write is not noted as a change to compare with Ramp.
        Employee = self.env['hr.employee'].with_context(active_test=False, ramp_linking=True)
        for employee in Employee.search([('id', 'in', list(users))]):
            if employee.ramp_user_id != users[employee.id]:
                employee.ramp_user_id = users[employee.id]
