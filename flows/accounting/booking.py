# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import datetime

from odoo import api, models
from odoo.tools import LazyTranslate

from ...models.run_memory import run_memory
from ...ramp_api import PayloadError, RampScopeError, read_user, to_company_date
from ..engine.reasons import Held, Skipped
from .lookup import AccountingLookup, PeopleLookup

_lt = LazyTranslate(__name__)

# Nobody typed these documents, so Odoo sends no email and adds no followers or tracking messages. One message on the
# document says where it comes from.
QUIET = {'mail_create_nosubscribe': True, 'mail_create_nolog': True, 'tracking_disable': True, 'mail_notrack': True}
# Direction characters of Unicode. They could make one name look like another.
DIRECTIONS = '\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069'
NAME_LENGTH = 200  # characters of outside text that names and references may contain


def create_complete_entries(env, values, **context):
    """Create journal entries that have all of their lines. Core neither adds lines nor changes any.

    Otherwise, core would add a tax again that was rounded to zero, on top of Ramp's amount.

    :param values: values of an entry, or list of these
    :param context: further keys of the context, which the entries keep
    :return: the entries, as drafts
    """
    return env['account.move'].with_context(**QUIET, skip_invoice_sync=True, **context).create(values)


class RampFlowBooking(models.AbstractModel):
    """Base of the flows that post journal entries: days, locked periods, looking up, people, late details.

    Amounts are integers until they are written to a field of Odoo. Amounts of Ramp are in minor units (ISO 4217).
    Amounts in the company's currency are in units. A unit is the smallest amount of that currency in Odoo, whatever its
    rounding factor is.
    """

    _name = 'ramp.flow.booking'
    _description = 'Ramp Flow: from Ramp into the books'

    _lookup_class = AccountingLookup
    _business_domain = 'bill'  # business domain of the documents in the rules of analytic plans

    # ------------------------------------------------------------------ days

    def _get_booking_day(self, connection, *moments):
        """Return the day, in the company's time zone, of the first moment that is not empty, or None.

        A moment of exactly midnight UTC is a day that a person or Ramp chose, so it stays that day.

        :param moments: each a date, a datetime in UTC, or None
        """
        for moment in moments:
            if isinstance(moment, datetime.datetime):
                return (
                    moment.date()
                    if moment.time() == datetime.time.min
                    else to_company_date(moment, connection._time_zone())
                )
            if moment:
                return moment
        return None

    def _plan_entry_date(self, connection, date, journal, found, has_tax=False, ramp_id=None):
        """Return `_get_first_open_day` while planning, where many entries have the same days.

        What is accrued counts in its month already. So it is not posted before the accrual is reversed.

        :param found: `AccountingLookup`
        :param ramp_id: id of the object, if objects of this kind may be accrued
        :raise Held: when the period is locked and the connection does not allow another day
        """
        date = max(date, found.accrued.get(ramp_id, date))
        key = date, journal.id, has_tax
        if key not in found.open_days:
            found.open_days[key] = not connection.company_id._get_violated_lock_dates(date, has_tax, journal)
        return date if found.open_days[key] else self._get_first_open_day(connection, date, journal, has_tax)

    @api.model
    def _get_first_open_day(self, connection, date, journal, has_tax=False):
        """Return the day of an entry or a reversal, as the connection's setting for locked periods requires.

        :param has_tax: whether the entry has taxes, so that the tax lock date counts, too
        :raise Held: when the period is locked and the connection does not allow another day
        """
        day = date
        while locks := connection.company_id._get_violated_lock_dates(day, has_tax, journal):
            if connection.lock_date_policy == 'hold':
                raise Held(
                    _lt(
                        'The accounting period is closed: %(date)s is on or before the lock date %(lock)s. Reopen '
                        'the period, or set "Locked Periods" on the connection to "Post on the first open day".',
                        date=date,
                        lock=locks[-1][0],
                    ),
                    kind='lock_date',
                    by=('lock',),
                )
            day = locks[-1][0] + datetime.timedelta(days=1)
        return day

    @staticmethod
    def _has_taxed_lines(lines):
        """Return whether journal items count in the tax report, so that the tax lock date applies to them."""
        return bool(lines.tax_ids or lines.tax_line_id)

    def _check_ramp_entity(self, connection, value):
        """Check that an object belongs to the connection's Ramp entity.

        Nothing is reported to Ramp about objects of other entities.

        :raise Skipped: when it belongs to another Ramp entity
        """
        if connection._is_other_entity(value.entity_id):
            raise Skipped(self._of_another_entity())

    def _skip_booked_elsewhere(self, connection, moment):
        """Leave out an object without a sync status in Ramp that is in the books from before the connection.

        :param moment: datetime or date since when the object exists
        :raise Skipped: when the connection leaves such an object alone
        """
        if connection._is_left_alone(moment):
            raise Skipped(
                _lt(
                    'It was in Ramp before the connection existed. The connection leaves such objects alone (%s).',
                    connection._fields['existing_policy']._description_string(self.env),
                )
            )

    # ------------------------------------------------------------------ what counts as a change

    # `_get_booking_facts` contains money, coding, days, entity and vendor. `_get_late_details` contains spellings and
    # descriptions.

    @staticmethod
    def _get_chosen_options(selections):
        """Return the options that are selected, without the names that Ramp currently shows for them."""
        return sorted(
            [selection.type or '', selection.external_id or '', selection.external_code or '']
            for selection in selections
        )

    # ------------------------------------------------------------------ looking up

    def _look_up_accounting_state(self, connection, selections, codes):
        """Return what planning needs from Odoo for every kind of document, in a constant number of queries.

        :param selections: all selections of all lines
        :param codes: codes of the currencies that occur
        :return: instance of `_lookup_class`, an `AccountingLookup`; the flow sets the other attributes
        """
        company = connection.company_id
        currencies = {code: self.env['ramp.coding']._get_currency(code) for code in codes}
        foreign = [currency.id for currency in currencies.values() if currency and currency != company.currency_id]
        first_rate_days = (
            dict(
                self.env['res.currency.rate']._read_group(
                    [('currency_id', 'in', foreign), ('company_id', 'in', [False, company.root_id.id])],
                    ['currency_id'],
                    ['name:min'],
                )
            )
            if foreign
            else {}
        )
        return self._lookup_class(
            coding=self.env['ramp.coding']._look_up_selections(connection, selections),
            currencies=currencies,
            first_rate_days=first_rate_days,
        )

    @api.model
    def _look_up_booked_rows(self, connection, flow, ramp_ids, row_fields=(), move_fields=()):
        """Return the rows of a flow's objects with their entries or bills, in a constant number of queries.

        :return: {Ramp id: (row, journal entry or bill, or an empty recordset)}
        """
        rows = (
            self.env['ramp.record'].search_fetch(
                [('connection_id', '=', connection.id), ('flow', '=', flow), ('ramp_id', 'in', list(ramp_ids))],
                ['ramp_id', 'res_model', 'res_id', *row_fields],
            )
            if ramp_ids
            else ()
        )
        moves = (
            self.env['account.move']
            .browse(row.res_id for row in rows if row.res_id and row.res_model == 'account.move')
            .exists()
        )
        moves.fetch(list(move_fields))
        by_id = {move.id: move for move in moves}
        return {row.ramp_id: (row, by_id.get(row.res_id, moves.browse())) for row in rows}

    def _prefetch_partners(self, connection, partners):
        """Fetch at once what Odoo will read from the partner of each document."""
        partners.with_company(connection.company_id).mapped('property_account_position_id')

    # ------------------------------------------------------------------ people

    def _fetch_ramp_users(self, client):
        """Return all users of the Ramp business, read once in a run."""
        memory = run_memory(self.env)
        if memory.ramp_users is None:
            users = []
            try:
                # Ramp lists suspended users only on request (contract 2026-08-01). Their spend has to be posted, too.
                for params in ({}, {'status': 'USER_SUSPENDED'}):
                    users += client.list_objects('/users', params)
            except RampScopeError:
                users = []  # the reason on the row names the remedy
            memory.ramp_users = []
            for user in users:
                try:
                    memory.ramp_users.append(read_user(user))
                except PayloadError:
                    continue  # an unreadable user stays unknown, and the object's row says so
        return memory.ramp_users

    def _find_employees(self, connection, users):
        """Return the company's employees by Ramp user id.

        Archived employees are included, because spend remains to be posted after a person has left.
        """
        employees = (
            self.env['hr.employee']
            .with_context(active_test=False)
            .search_fetch(
                [('ramp_user_id', 'in', list(users)), ('company_id', '=', connection.company_id.id)], ['ramp_user_id']
            )
        )
        return {employee.ramp_user_id: employee for employee in employees}

    def _look_up_people(self, connection, users):
        """Return the employees by Ramp user id, and the questions about users that match no employee for certain.

        See `hr.employee._ramp_named`.

        :return: `PeopleLookup`
        """
        Employee, employees = self.env['hr.employee'], self._find_employees(connection, users)
        emails = Employee._ramp_emails(run_memory(self.env).ramp_users or (), users - set(employees))
        return PeopleLookup(
            employees=employees,
            questions={
                emails[email]: question
                for email, (_nobody, question) in Employee._ramp_named(connection, emails).items()
                if question
            },
        )

    def _get_employee_contacts(self, employees):
        """Create the missing contacts of employees, as Odoo does."""
        lonely = employees.filtered(lambda employee: not employee.work_contact_id)
        if lonely:
            lonely.with_context(**QUIET)._create_work_contacts()

    @staticmethod
    def _get_analytics_context(codings):
        """Return the ids of the codings' analytic accounts, for the context of documents (`ramp_known_analytics`).

        They were just found, so Odoo need not check each of them again.
        """
        return frozenset(
            int(identity)
            for coding in codings
            for identities in coding.distribution or ()
            for identity in identities.split(',')
        )

    # ------------------------------------------------------------------ changes that do not affect the books

    def _post_late_messages(self, record, messages):
        """Log messages on the page of a posted document."""
        document = self.env[record.res_model].browse(record.res_id).exists()
        for message in messages if document else ():
            document._message_log(body=message)

    def _describe_detail_changes(self, before, now):
        """Return sentences for the texts of `_get_late_details` and the `memos` of lines that changed in Ramp.

        A text does not count as changed if its stored version was erased, or if an earlier version of the addon did not
        store it.
        """
        labels = {
            'memo': self.env._('Memo'),
            'vendor_memo': self.env._('Memo for the Vendor'),
            'due': self.env._('Due Date'),
            'number': self.env._('Number'),
            'merchant': self.env._('Merchant'),
            'cardholder': self.env._('Cardholder'),
            'original': self.env._('Amount at the Merchant'),
        }
        texts = [
            self.env._('%(what)s changed in Ramp: %(text)s', what=label, text=now[key] or '-')
            for key, label in labels.items()
            if key in now and (now[key] or '') != (before.get(key, now[key]) or '')
        ]
        memos, memos_before = now.get('memos', []), before.get('memos', [])
        if len(memos) == len(memos_before):
            texts += [
                self.env._('Memo of line %(number)s changed in Ramp: %(text)s', number=number, text=text or '-')
                for number, (text, old) in enumerate(zip(memos, memos_before, strict=True), 1)
                if text != old
            ]
        return texts


def clean_text(text):
    """Return outside text on one line, without control and direction characters, or False if nothing is left."""
    if not text:
        return False
    kept = ''.join(
        ' ' if char.isspace() else char
        for char in text
        if char.isspace() or (char.isprintable() and char not in DIRECTIONS)
    )
    return ' '.join(kept.split())[:NAME_LENGTH] or False
