# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import defaultdict
from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import SQL

from .check_answers import CheckResult

# Expenses of the fallback employee of this time are counted
FALLBACK_TIME = timedelta(days=90)


class RampConnectionCheck(models.Model):
    """Checks of people: whether cardholders and employees find each other.

    Lines hold counts and no names: the ledger forgets people, and so does this.
    """

    _inherit = 'ramp.connection.check'

    def _search_unknown_cardholders(self, connection):
        """Return the rows of card spend that wait because nobody in Odoo is linked to the cardholder.

        :return: [(row id, Ramp id of the cardholder)]
        """
        self.env['ramp.record'].flush_model()
        self.env['hr.employee'].flush_model(['ramp_user_id', 'company_id'])
        return self.env.execute_query(
            SQL(
                """
                SELECT r.id, lower(r.payload #>> '{card_holder,user_id}') FROM ramp_record r
                 WHERE r.connection_id = %s AND r.flow = 'transaction' AND r.state = 'held' AND r.hold_reason = 'question'
                   AND NOT EXISTS (
                       SELECT FROM hr_employee e
                        WHERE e.company_id = %s AND lower(e.ramp_user_id) = lower(r.payload #>> '{card_holder,user_id}'))
                 ORDER BY r.id
                """,
                connection.id,
                connection.company_id.id,
            )
        )

    def _judge_cardholders(self, connection, answers):
        if connection.state == 'draft':
            return CheckResult('ok', 'draft')
        fallback = connection.fallback_employee_id
        if fallback:
            count = self.env['hr.expense'].search_count(
                [
                    ('ramp_id', '!=', False),
                    ('employee_id', '=', fallback.id),
                    ('date', '>=', fields.Date.today() - FALLBACK_TIME),
                ]
            )
            return CheckResult('ok', 'fallback', {'count': count})
        rows = self._search_unknown_cardholders(connection)
        if rows:
            people = len({user for _row, user in rows})
            return CheckResult('warning', 'unknown', {'people': people, 'count': len(rows)}, 'cardholder_rows')
        return CheckResult('ok', 'known')

    def _employees_with_emails(self, connection):
        """Return the active employees of the company by the email by which Ramp knows them, as {email or False: them}."""
        Employee = self.env['hr.employee']
        employees = Employee.search([('company_id', '=', connection.company_id.id)])
        # Read together, before they are asked for one by one
        employees.user_id.mapped('login')
        found = defaultdict(Employee.browse)
        for employee in employees:
            found[employee._ramp_email()] += employee
        return found

    def _find_employees_of_one_email(self, connection):
        found = self._employees_with_emails(connection)
        return self.env['hr.employee'].union(
            *(employees for email, employees in found.items() if email and len(employees) > 1)
        )

    def _judge_duplicate_emails(self, connection, answers):
        employees = self._find_employees_of_one_email(connection)
        if employees:
            return CheckResult('warning', 'found', {'count': len(employees)}, 'duplicate_employees')
        return CheckResult('ok', 'none')

    def _judge_missing_emails(self, connection, answers):
        if not connection.push_users:
            return CheckResult('ok', 'off')
        employees = self._employees_with_emails(connection)[False]
        if employees:
            return CheckResult('warning', 'found', {'count': len(employees)}, 'lonely_employees')
        return CheckResult('ok', 'none')

    # ------------------------------------------------------------------ words

    @api.model
    def _get_sentences(self):
        """EXTENDS: Add the sentences of these checks."""
        return {
            **super()._get_sentences(),
            ('cardholders', 'known'): self.env._('No card spend waits for an employee.'),
            ('cardholders', 'fallback'): self.env._(
                'Spend of unknown cardholders goes to the fallback employee of the connection. Expenses in the last '
                '90 days: %(count)s.'
            ),
            ('cardholders', 'unknown'): self.env._(
                'Cardholders without an employee in Odoo: %(people)s. Their spend is on hold (objects: %(count)s). Give '
                'each employee the email that the person has in Ramp: as the login or, without a login, as the work '
                'email. Or choose a fallback employee on the connection.'
            ),
            ('duplicate_emails', 'none'): self.env._('Each employee has an email of their own.'),
            ('duplicate_emails', 'found'): self.env._(
                '%(count)s employees share an email with another one. Odoo cannot tell who is meant: their spend is '
                'put on hold, and they are not sent to Ramp. Give each of them a different email.'
            ),
            ('missing_emails', 'none'): self.env._('Each employee has an email, by which Ramp identifies people.'),
            ('missing_emails', 'found'): self.env._(
                'Employees without a valid email: %(count)s. They are not sent to Ramp, which identifies people by '
                'their email. Enter a work email for those who shall use Ramp.'
            ),
        }

    @api.model
    def _get_fix_labels(self):
        """EXTENDS: Add the buttons of these checks."""
        return {
            **super()._get_fix_labels(),
            'cardholder_rows': self.env._('Show Them'),
            'duplicate_employees': self.env._('Show Them'),
            'lonely_employees': self.env._('Show Them'),
        }

    # ------------------------------------------------------------------ buttons

    def _fix_cardholder_rows(self):
        # sudo: the ids only. The list shows the rows that the user may read.
        rows = self.sudo()._search_unknown_cardholders(self.connection_id)
        return self._open_ledger_rows([('id', 'in', [row for row, _user in rows])])

    def _fix_duplicate_employees(self):
        # sudo: the ids only. The list shows what the user may read of these employees.
        return self._open_employees(self.sudo()._find_employees_of_one_email(self.connection_id.sudo()))

    def _fix_lonely_employees(self):
        # sudo: the ids only. The list shows what the user may read of these employees.
        return self._open_employees(self.sudo()._employees_with_emails(self.connection_id.sudo())[False])

    def _open_employees(self, employees):
        """Open a list of employees, of their public profiles for users who are no HR officers."""
        is_officer = self.env['hr.employee'].has_access('read')
        return {
            'type': 'ir.actions.act_window',
            'name': self.env._('Employees'),
            'res_model': 'hr.employee' if is_officer else 'hr.employee.public',
            'views': [(False, 'list'), (False, 'form')],
            'domain': [('id', 'in', employees.ids)],
        }
