# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from dateutil.relativedelta import relativedelta
from psycopg2.extras import Json

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tools import SQL

from .connection_constants import SETTINGS

# Flows whose payloads contain personal data and are history once the rows are settled. Vendors, contacts and everything
# that Odoo sends are left out: they are compared with their payload for good and follow the current data.
FLOWS = ('transaction', 'bill', 'bill_payment', 'vendor_credit', 'reimbursement', 'reimbursement_payment', 'repayment')
SETTLED = ('confirmed', 'ignored')
# Keys of payloads, at any depth, that say who a person is, where the person was, or what somebody wrote. Ids stay. They
# identify the object, and whoever has access to Ramp can find the person by them.
PERSONAL = frozenset(
    {
        'attendees',
        'disputes',
        'employee_id',
        'end_location',
        'first_name',
        'last_name',
        'memo',
        'merchant_data',
        'merchant_location',
        'passenger_name',
        'policy_violations',
        'start_location',
        'trip_name',
        'user_email',
        'user_full_name',
        'user_signature',
        'vendor_memo',
        'waypoints',
    }
)
# Keys of the `extras` of a row's note
TEXTS = frozenset({'cardholder', 'memo', 'memos', 'vendor_memo'})
# Flows of people whom Odoo sends. Before the row of a withdrawn person is used again, Ramp is asked about that person.
# So no personal data has to be kept until then.
PEOPLE = ('employee', 'user')
# Key of a payload, with the day of the removal; it vanishes when a new payload from Ramp takes its place
ERASED = 'erased_at'
AT_ONCE = 2000


def without_persons(part):
    """Return a payload, or a part of one, without personal data."""
    if isinstance(part, dict):
        return {key: without_persons(value) for key, value in part.items() if key not in PERSONAL}
    if isinstance(part, list):
        return [without_persons(value) for value in part]
    return part


class RampConnection(models.Model):
    _inherit = 'ramp.connection'

    keep_months = fields.Integer(
        string='Keep Personal Data For',
        tracking=True,
        help='Number of months after which names, email addresses, memos and places are removed from the ledger, for '
        'objects that are synced to Ramp or ignored. 0: they are kept. Documents in Odoo, amounts, dates, IDs '
        'and links stay.',
        prefetch=SETTINGS,
    )

    @api.constrains('keep_months')
    def _check_keep_months(self):
        for connection in self:
            if connection.keep_months < 0:
                raise ValidationError(
                    self.env._(
                        'Connection %s: enter the number of months for which personal data is kept, or 0 to keep it '
                        'for good.',
                        connection.name,
                    )
                )


class RampRecord(models.Model):
    """Removes personal data from rows when nobody needs it any more. Identity, document, amount, state and hash stay.

    So nothing is posted twice, and a change in Ramp is noticed as before. The payload can still be read: payments that
    are posted anew, bills paid by card and statements read the payloads of settled rows.
    """

    _inherit = 'ramp.record'

    @api.autovacuum
    def _gc_personal(self):
        """Remove personal data that is older than the connections keep it, up to `AT_ONCE` rows at a time."""
        done = 0
        for connection in self.env['ramp.connection'].with_context(active_test=False).search([('keep_months', '>', 0)]):
            until = fields.Date.today() - relativedelta(months=connection.keep_months)
            which = SQL('connection_id = %s AND COALESCE(date, create_date::date) < %s', connection.id, until)
            done += len(self._take_settled_rows(which, AT_ONCE - done)._erase_personal())
            if done >= AT_ONCE:
                break
            done += self._erase_withdrawn_people(SQL('connection_id = %s AND write_date < %s', connection.id, until))
        return done, done >= AT_ONCE

    @api.model
    def _erase_withdrawn_people(self, which):
        """Remove personal data from the rows of people who were withdrawn from Ramp.

        :param which: condition (`SQL`) on the rows
        :return: number of rows
        """
        self.flush_model()
        self.env.cr.execute(
            SQL(
                """
            UPDATE ramp_record
               SET payload = payload - 'kept' || %s::jsonb, payload_hash = NULL, is_uncertain = TRUE, name = COALESCE(ramp_id, remote_id)
             WHERE id IN (
                   SELECT id FROM ramp_record
                    WHERE flow = ANY(%s) AND state = ANY(%s) AND payload ->> 'withdrawn' = 'true' AND NOT jsonb_exists(payload, %s) AND %s
                    ORDER BY id
                      FOR UPDATE SKIP LOCKED)
            """,
                Json(
                    {
                        'email': '',
                        'ramp_email': '',
                        'name': ['', ''],
                        ERASED: fields.Date.to_string(fields.Date.today()),
                    }
                ),
                list(PEOPLE),
                list(SETTLED),
                ERASED,
                which,
            ),
            log_exceptions=False,
        )
        self.invalidate_model()
        return self.env.cr.rowcount

    @api.model
    def _take_settled_rows(self, which, limit=None):
        """Lock and return settled rows with personal data, except those that another worker has locked.

        :param which: condition (`SQL`) on the rows
        """
        self.flush_model()
        self.env.cr.execute(
            SQL(
                """
            SELECT id FROM ramp_record
             WHERE flow = ANY(%s) AND state = ANY(%s) AND payload IS NOT NULL AND remote_id IS NULL
               AND (jsonb_typeof(payload) <> 'object' OR NOT jsonb_exists(payload, %s)) AND %s
             ORDER BY id LIMIT %s
               FOR UPDATE SKIP LOCKED
            """,
                list(FLOWS),
                list(SETTLED),
                ERASED,
                which,
                limit,
            )
        )
        return self.browse(row[0] for row in self.env.cr.fetchall())

    def _erase_personal(self):
        """Remove personal data from these locked rows and from the names of their receipts; return the rows."""
        values = []
        for record in self:
            payload, name = record._payload_without_persons()
            noted, note = record.noted, record._read_note()
            if note.extras:
                note.extras = {key: value for key, value in note.extras.items() if key not in TEXTS}
            values.append(
                SQL(
                    '(%s, %s::jsonb, %s::jsonb, %s)',
                    record.id,
                    Json(payload),
                    Json(note.to_json()) if noted else None,
                    name,
                )
            )
        if values:
            # Not logged on failure, because the statement contains payloads
            self.env.cr.execute(
                SQL(
                    """
                UPDATE ramp_record r SET payload = v.payload, late_payload = NULL, noted = v.noted, name = v.name
                  FROM (VALUES %s) AS v(id, payload, noted, name) WHERE r.id = v.id
                """,
                    SQL(', ').join(values),
                ),
                log_exceptions=False,
            )
            for company, records in self.grouped('company_id').items():
                self.env.cr.execute(
                    SQL(
                        """
                    UPDATE ramp_record f SET name = %s || r.name FROM ramp_record r
                     WHERE r.id = ANY(%s) AND f.connection_id = r.connection_id AND f.flow = 'receipt' AND f.parent_ramp_id = r.ramp_id
                       AND r.flow IN ('transaction', 'reimbursement')
                    """,
                        self._in_company_language(company).env._('Receipt: %s', ''),
                        records.ids,
                    )
                )
            self.invalidate_model()
        return self

    def _in_company_language(self, company):
        """Return these rows in the language of the jobs, which give rows their names."""
        return self.with_company(company).with_context(lang=company.partner_id.lang or self.env.lang)

    def _payload_without_persons(self):
        """Return (payload without personal data, name that results from it)."""
        self.ensure_one()
        flow = self.env[f'ramp.flow.{self.flow}'].with_env(self._in_company_language(self.company_id).env)
        mark = {ERASED: fields.Date.to_string(fields.Date.today())}
        payload = without_persons(self.payload) if isinstance(self.payload, dict) else {}
        row = flow._make_ledger_row(self.connection_id, payload)
        # Nothing else is kept of a payload that cannot be read
        if 'value' not in row:
            return {**({'id': payload['id']} if isinstance(payload.get('id'), str) else {}), **mark}, row['name']
        return {**payload, **mark}, row['name']

    def action_erase_personal(self):
        """Remove personal data from the selected rows that are settled."""
        if not self.env.su and not self.env.user.has_group('account.group_account_manager'):
            raise AccessError(self.env._('Only accounting administrators may remove personal data from the ledger.'))
        self.check_access('read')
        # sudo: administrators decide (checked above) without being able to edit rows
        return self.sudo()._erase_chosen_rows(SQL('id = ANY(%s)', self.ids))

    @api.model
    def _erase_chosen_rows(self, which, people=None):
        """Remove personal data from settled rows, and return a notification that says how many rows are left.

        :param which: condition (`SQL`) on the rows
        :param people: condition (`SQL`) on the rows of withdrawn people; None: the same one
        """
        done = len(self._take_settled_rows(which)._erase_personal())
        done += self._erase_withdrawn_people(which if people is None else people)
        self.env.cr.execute(
            SQL(
                'SELECT count(*) FROM ramp_record WHERE flow = ANY(%s) AND state <> ALL(%s) AND %s',
                list(FLOWS),
                list(SETTLED),
                which,
            )
        )
        [left] = self.env.cr.fetchone()
        if not done and left:
            raise UserError(
                self.env._(
                    'None of the %s records is synced to Ramp or ignored yet, so their data is still needed. Clear '
                    'them first.',
                    left,
                )
            )
        title = self.env._('Personal data removed')
        return self.env['ramp.connection']._notify_user(
            'warning' if left else 'success',
            title,
            self.env._(
                'Records: %(done)s. Not yet synced to Ramp or ignored, so their data is still needed: %(left)s. The '
                'documents in Odoo and the data in Ramp do not change.',
                done=done,
                left=left,
            ),
        )


class HrEmployee(models.Model):
    _inherit = 'hr.employee'

    def action_erase_ramp_data(self):
        """Remove from the ledger the personal data of somebody who has left."""
        self.ensure_one()
        self.check_access('write')
        if not self.env.su and not self.env.user.has_group('hr.group_hr_manager'):
            raise AccessError(
                self.env._('Only administrators of Employees may remove the data of a person from the Ramp ledger.')
            )
        if self.active:
            raise UserError(
                self.env._('%s is an active employee. Archive the employee before you remove their data.', self.name)
            )
        # sudo: administrators of Employees (checked above) need not be accountants
        person = self.sudo()
        user, emails = (
            (person.ramp_user_id or '').lower() or None,
            [email.lower() for email in {person.work_email, person.user_id.login, person.user_id.email} if email],
        )
        sent = SQL(
            "(res_model = 'hr.employee' AND res_id = %s OR res_model = 'res.users' AND res_id = %s)",
            person.id,
            person.user_id.id or 0,
        )
        if not (
            user
            or emails
            or person.env['ramp.record'].search_count(
                [('flow', 'in', PEOPLE), ('res_model', '=', 'hr.employee'), ('res_id', '=', person.id)], limit=1
            )
        ):
            raise UserError(
                self.env._(
                    '%s has neither a "Ramp User" nor an email address, so no record in the ledger can be theirs.',
                    self.name,
                )
            )
        return person.env['ramp.record']._erase_chosen_rows(
            SQL(
                """
            company_id = %(company)s AND (
                %(user)s IN (lower(payload #>> '{card_holder,user_id}'), lower(payload ->> 'user_id'), lower(payload #>> '{bill_owner,id}'))
                OR payload @> %(attendee)s::jsonb OR lower(payload ->> 'user_email') = ANY(%(emails)s))
            """,
                company=person.company_id.id,
                user=user,
                emails=emails,
                attendee=Json({'attendees': [{'user_id': user or 'nobody'}]}),
            ),
            sent,
        )
