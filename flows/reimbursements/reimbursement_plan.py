# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses

from odoo import api, models
from odoo.tools import LazyTranslate, email_normalize

from ...ramp_api import REIMBURSEMENT_PAID_STATES
from ..accounting.booking import clean_text
from ..accounting.documents import Document, DocumentLine
from ..accounting.lookup import PayableLookup
from ..engine.reasons import Held, HoldCollector, Skipped, Waiting
from .reimbursement import DEAD, UNAPPROVED

_lt = LazyTranslate(__name__)


@dataclasses.dataclass
class ReimbursementLookup(PayableLookup):
    """What `ramp.flow.reimbursement` looks up.

    employees: {Ramp user id: employee that is linked to it}
    named: {email as `email_normalize` returns it: (employee, None), or (empty recordset, question for a person)}
    users: {employee: Ramp user id}, of those that are planned in this batch
    """

    employees: dict[str, models.Model] = dataclasses.field(default_factory=dict)
    named: dict[str, tuple[models.Model, str | None]] = dataclasses.field(default_factory=dict)
    users: dict[models.Model, str] = dataclasses.field(default_factory=dict)


class RampFlowReimbursementPlan(models.AbstractModel):
    """Look up what reimbursements refer to, and plan their documents."""

    _inherit = 'ramp.flow.reimbursement'

    _lookup_class = ReimbursementLookup

    # ------------------------------------------------------------------ looking up

    def _look_up_references(self, connection, values):
        found = self._look_up_accounting_state(
            connection,
            [selection for value in values for line in value.lines for selection in line.selections],
            {value.amount.currency for value in values if value.amount},
        )
        found.employees = self._find_employees(connection, {value.user_id for value in values})
        found.named = self._look_up_named(connection, values, found.employees)
        found.accrued = self._look_up_accruals(connection, [value.id for value in values])
        return found

    def _look_up_named(self, connection, values, employees):
        """Return the employees that have the emails of Ramp users who are linked to none.

        See `hr.employee._ramp_named`.

        :param employees: {Ramp user id: employee that is linked to it}
        """
        return self.env['hr.employee']._ramp_named(
            connection,
            {
                email: value.user_id
                for value in values
                if value.user_id not in employees and (email := email_normalize(value.user_email or ''))
            },
        )

    # ------------------------------------------------------------------ planning

    def _plan_object(self, connection, value, found):
        self._check_ramp_state(connection, value)
        holds, journal, spent, employee, coded = HoldCollector(), None, None, None, None
        with holds.collect():
            journal = self._plan_document_journal(connection)
        with holds.collect():
            employee = self._plan_payee_employee(connection, value, found)
        with holds.collect():
            coded = self._plan_line_codings(connection, value.lines, found)
            if employee:
                contacts = [employee.work_contact_id] * len(value.lines)
                coded = self._complete_line_coding(connection, value.lines, coded, contacts, found)
        with holds.collect():
            spent = self._get_spending_day(connection, value)
            if not spent:
                raise Held(_lt('It has no date, so it cannot be posted. Ask Ramp.'))
            if journal:
                day = self._get_booking_day(connection, value.accounting_date, spent)
                has_tax = any(coding.tax for coding in coded or ())
                date = self._plan_entry_date(connection, day, journal, found, has_tax, value.id)
        with holds.collect():
            currency = self._plan_currency(
                connection, value.amount.currency, found, amounts=[line.amount.minor for line in value.lines]
            )
            if spent:
                self._check_document_rate(connection, currency, None, spent, found)
        holds.check()
        document = Document(
            ramp_id=value.id,
            move_type='in_invoice' if value.direction == 'BUSINESS_TO_USER' else 'in_refund',
            partner=employee.work_contact_id,
            currency=currency,
            rate=None,
            date=date,
            invoice_date=spent,
            due_date=self._get_booking_day(connection, value.payment_processed_at),
            # The merchant and the day say more than an id. The payment's id is that of a whole batch.
            reference=f'{self._make_reimbursement_label(value)} {spent} {value.id[:8]}',
            note=self._make_reimbursement_note(value),
            lines=[
                DocumentLine(coding, line.amount.minor, self._make_line_name(value, line, spent))
                for coding, line in zip(coded, value.lines, strict=True)
            ],
        )
        return document, employee, value

    def _check_ramp_state(self, connection, value):
        """Raise `Skipped` or `Waiting` if the reimbursement is not to be posted now.

        Every state of the contract is decided here; see also `_describe_ramp_state`.
        """
        if value.state in DEAD:
            raise Skipped(self._describe_ramp_state(value.state))
        spent = self._get_spending_day(connection, value)
        if spent and spent < connection.start_date:
            raise Skipped(
                _lt(
                    'It was spent on %(date)s, before the start date of the connection (%(start)s).',
                    date=spent,
                    start=connection.start_date,
                )
            )
        self._check_ramp_entity(connection, value)
        if value.state in UNAPPROVED:
            raise Waiting(self._describe_ramp_state(value.state))
        if value.sync_status == 'NOT_SYNC_READY':
            raise Waiting(_lt('It is not marked as ready in Ramp.'))
        if connection.reimbursement_policy == 'paid' and value.state not in REIMBURSEMENT_PAID_STATES:
            raise Waiting(self._describe_ramp_state(value.state))

    @api.model
    def _describe_ramp_state(self, state):
        """Return a state of Ramp as a sentence."""
        return {
            'APPROVED': self.env._('It is approved in Ramp, but not paid yet.'),
            'AWAITING_EXPORT': self.env._('It waits in Ramp to be exported for payment.'),
            'AWAITING_PAYMENT': self.env._('It is not paid in Ramp yet.'),
            'AWAITING_PUSH_PAYMENT': self.env._('It is not paid in Ramp yet.'),
            'CANCELED': self.env._('It was cancelled in Ramp.'),
            'DELETED': self.env._('It was deleted in Ramp.'),
            'DRAFT': self.env._('It is still a draft in Ramp.'),
            'EXPORTED': self.env._('It was exported from Ramp for payment, but is not paid yet.'),
            'EXPORT_FAILED': self.env._('Its export for payment failed in Ramp.'),
            'EXPORT_INITIATED': self.env._('It is being exported from Ramp for payment.'),
            'EXPORT_MARKED_AS_FAILED': self.env._('Its export for payment was marked as failed in Ramp.'),
            'EXPORT_SUCCESSFUL': self.env._('It was exported from Ramp and paid.'),
            'FAILED_REIMBURSEMENT': self.env._('Its payment failed in Ramp.'),
            'INIT': self.env._('It is still being entered in Ramp.'),
            'MANUALLY_REIMBURSED': self.env._('It was paid outside of Ramp.'),
            'MISSING_ACH': self.env._('It is not paid: the employee has no bank account in Ramp.'),
            'PENDING': self.env._('It is not approved in Ramp yet.'),
            'PROCESSING': self.env._('Its payment is on its way.'),
            'PUSH_PAYMENT_FAILED': self.env._('Its payment failed in Ramp.'),
            'PUSH_PAYMENT_INITIATED': self.env._('Its payment is on its way.'),
            'REIMBURSED': self.env._('It was paid by Ramp.'),
            'REIMBURSED_VIA_PUSH': self.env._('It was paid by Ramp.'),
            'REJECTED': self.env._('It was rejected in Ramp.'),
        }[state]

    def _plan_payee_employee(self, connection, value, found):
        """Return the employee who is owed: by the link to the Ramp user, else by email.

        It is never a guess, and never the fallback employee.

        :raise Held: if no employee is certain, or the employee is linked to another Ramp user
        """
        email = email_normalize(value.user_email or '')
        employee, question = found.employees.get(value.user_id), None
        if not employee:
            employee, question = found.named.get(email, (None, None))
        person = clean_text(value.user_full_name) or clean_text(value.user_email) or value.user_id
        about = {'ramp_user': value.user_id, 'name': person, 'email': email}
        if question:
            raise Held(question, kind='cardholder', **about)
        if not employee:
            raise Held(
                _lt(
                    '%(person)s (%(email)s) is not an employee of %(company)s. In Odoo, give the employee the email '
                    'that the person has in Ramp: as the login or, without a login, as the work email.',
                    email=email or '-',
                    company=connection.company_id.name,
                    person=person,
                ),
                kind='cardholder',
                by=('email', 'company', 'person'),
                **about,
            )
        # This also covers two reimbursements that are posted together.
        if found.users.setdefault(employee, employee.ramp_user_id or value.user_id) != value.user_id:
            raise Held(
                _lt(
                    'The employee %(employee)s has the email %(email)s, but is linked to another Ramp user. If that '
                    'is the same person, clear the "Ramp User" of the employee.',
                    employee=employee.name,
                    email=email,
                )
            )
        return employee
