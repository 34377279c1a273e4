# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import Command, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import email_normalize

from ..flows.engine.names import name_key


class RampCardholderMatch(models.TransientModel):
    """Match all people of Ramp who hold objects with employees, at once.

    Odoo proposes the employee with the same email, else the only one with the same name. A person confirms each.
    """

    _name = 'ramp.cardholder.match'
    _description = 'Match Cardholders'

    connection_id = fields.Many2one('ramp.connection', required=True, readonly=True)
    company_id = fields.Many2one(related='connection_id.company_id')
    line_ids = fields.One2many('ramp.cardholder.match.line', 'match_id')

    @api.model
    def _open_for_connection(self, connection):
        """Return the action that opens the wizard for a connection.

        :raise UserError: if nobody is to be matched
        """
        people = {}
        for cause in self.env['ramp.cause'].search(
            [('connection_id', '=', connection.id), ('kind', '=', 'cardholder')], order='id'
        ):
            about = cause.cause['about']
            if about.get('ramp_user'):
                known = people.setdefault(about['ramp_user'], {'record_count': 0})
                known['record_count'] += cause.record_count
                known.update({key: value for key in ('name', 'email') if (value := about.get(key))})
        if not people:
            raise UserError(self.env._('Every cardholder is matched with an employee.'))
        proposals = self._propose_employees(connection, people)
        match = self.create(
            {
                'connection_id': connection.id,
                'line_ids': [
                    Command.create(
                        {
                            'ramp_user_id': user,
                            'name': person.get('name') or user,
                            'email': person.get('email'),
                            'record_count': person['record_count'],
                            'employee_id': proposals.get(user),
                        }
                    )
                    for user, person in sorted(people.items(), key=lambda item: item[1].get('name') or item[0])
                ],
            }
        )
        return match._get_records_action(name=self.env._('Match Cardholders'), target='new')

    @api.model
    def _propose_employees(self, connection, people):
        """Return {Ramp user id: id of an employee without a Ramp user} of the people who match one for certain."""
        employees = self.env['hr.employee'].search(
            [('company_id', '=', connection.company_id.id), ('ramp_user_id', '=', False)]
        )
        by_email, by_name = {}, {}
        for employee in employees:
            for address in {email_normalize(employee.work_email or ''), email_normalize(employee.user_id.login or '')}:
                by_email.setdefault(address, []).append(employee.id)
            by_name.setdefault(name_key(employee.name), []).append(employee.id)
        proposals = {}
        for user, person in people.items():
            email = email_normalize(person.get('email') or '')
            found = by_email.get(email, []) if email else []
            found = found or by_name.get(name_key(person.get('name') or ''), [])
            if len(found) == 1:
                proposals[user] = found[0]
        return proposals

    def action_create_others(self):
        """Mark everybody for whom no employee is chosen as a new employee, and show the dialog again."""
        self.ensure_one()
        self.line_ids.filtered(lambda line: not line.employee_id).create_employee = True
        return self._get_records_action(name=self.env._('Match Cardholders'), target='new')

    def action_confirm(self):
        """Link the chosen employees, create those that are wanted, and look again at what waited for them.

        It runs with the rights of the user: who may not edit employees cannot match them.
        """
        self.ensure_one()
        self.connection_id.check_access('read')
        chosen = self.line_ids.filtered(lambda line: line.employee_id or line.create_employee)
        if not chosen:
            raise UserError(self.env._('Choose an employee for somebody, or mark somebody as a new employee.'))
        for line in chosen:
            employee = line.employee_id or self.env['hr.employee'].create(
                {'name': line.name, 'work_email': line.email, 'company_id': self.connection_id.company_id.id}
            )
            if employee.ramp_user_id and employee.ramp_user_id != line.ramp_user_id:
                raise UserError(
                    self.env._(
                        '%(employee)s is linked to another person in Ramp. Clear the "Ramp User" of the employee first.',
                        employee=employee.name,
                    )
                )
            employee.ramp_user_id = line.ramp_user_id
        self.connection_id._look_again_at_questions()
        count, records = len(chosen), sum(chosen.mapped('record_count'))
        self.connection_id._message_log(body=self.env._('Cardholders matched with employees: %s', count))
        return self.connection_id._notify_user(
            'success',
            self.env._('Match Cardholders'),
            ' '.join(
                (
                    self.env._('1 person is matched.') if count == 1 else self.env._('%s people are matched.', count),
                    self.env._('1 record is tried again.')
                    if records == 1
                    else self.env._('%s records are tried again.', records),
                )
            ),
            closes_dialog=True,
        )


class RampCardholderMatchLine(models.TransientModel):
    """One person of Ramp who is to be matched with an employee."""

    _name = 'ramp.cardholder.match.line'
    _description = 'Match a Cardholder'

    match_id = fields.Many2one('ramp.cardholder.match', required=True, ondelete='cascade')
    company_id = fields.Many2one(related='match_id.company_id')
    ramp_user_id = fields.Char(required=True, readonly=True)
    name = fields.Char(string='In Ramp', required=True, readonly=True)
    email = fields.Char(readonly=True)
    record_count = fields.Integer(string='Records', readonly=True)
    employee_id = fields.Many2one('hr.employee', domain="[('company_id', '=', company_id)]")
    create_employee = fields.Boolean(string='New Employee')
