# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import re
from collections import Counter
from datetime import date
from typing import NamedTuple

from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import format_date, format_datetime

from .ramp_tie_out_xlsx import Workbook

# Measures that change what is owed
MEASURES = ('spend', 'refund', 'cashback', 'payment', 'other')
# Shown beside them; it does not change what is owed
MEMO_MEASURE = 'repayment'
OPEN_FLOWS = {'vendor': ('bill', 'vendor_credit'), 'employee': ('reimbursement',)}
# Differences of a month that are listed one by one
SHOWN = 200
# Ramp did not exist before
EPOCH = date(2000, 1, 1)


class Listing(NamedTuple):
    """Which differences of a report are listed one by one. Its figures and counts are of all of them."""

    # rows of a list
    size: int = SHOWN
    page: int = 0
    # first days of the months whose differences are listed; None: all
    months: tuple | None = None
    # whether what is carried forward is listed
    carried: bool = True
    # rows of all partners with open bills together; None: any number
    together: int | None = None


# As the PDF and the workbook have it
WHOLE_LISTS = Listing()


class RampTieOutReport(models.AbstractModel):
    """The tie-out on the screen, as PDF and as XLSX: what Ramp says is owed, beside the books, with all differences.

    Figures are floats in units of their currency, rounded like it. They are exact in the database, where they are
    compared.
    """

    _name = 'report.ramp_connector.tie_out'
    _description = 'Ramp Tie-Out Report'

    # ------------------------------------------------------------------ public methods (RPC)

    @api.model
    def get_options(self):
        """Return the connections and the months that can be chosen.

        :return: {'connections': [{'id', 'name', 'from', 'to'}]}, with the first and last month as 'YYYY-MM'
        """
        connections = self.env['ramp.connection'].with_context(active_test=False).search([('state', '!=', 'draft')])
        self._check_readable(connections)
        today = fields.Date.context_today(self)
        first = dict(
            self.env['ramp.record']._read_group(
                [('connection_id', 'in', connections.ids), ('has_moved', '=', True)], ['connection_id'], ['date:min']
            )
        )
        return {
            'connections': [
                {
                    'id': connection.id,
                    'name': connection.display_name,
                    'from': f'{max(first.get(connection) or today, connection.start_date):%Y-%m}',
                    'to': f'{today:%Y-%m}',
                }
                for connection in connections
            ]
        }

    @api.model
    def get_report(self, connection_id, month_from=None, month_to=None):
        """Return the report of a connection as JSON.

        :param month_from: first month as 'YYYY-MM'; default: the first there is
        :param month_to: last month as 'YYYY-MM', included; default: the current month
        :return: {'connection', 'period', 'is_zero', 'sections': [one for each entity and currency], 'open': [by vendor,
            by employee], 'rates': see `_foreign_currency_rates`, 'status': the result in words, 'kinds': {kind of a
            difference: its label}, 'sign_offs': see `_sign_offs_of_report`, 'to_sign': see `_month_to_sign`,
            'accruals': see `_accruals_of_report`, 'to_accrue': see `_month_to_accrue`}
        """
        return self._make_report(*self._read_period(connection_id, month_from, month_to), WHOLE_LISTS)

    def _make_report(self, connection, first, last, listing):
        """Return the report, see `get_report`.

        :param first: first day of the first month, or None
        :param last: first day of the last month
        """
        sections = self._entity_sections(connection, first, last, listing)
        owing = [self._open_balances(connection, kind, last, listing) for kind in OPEN_FLOWS]
        rates = self._foreign_currency_rates(connection, first, last)
        is_zero = all(part['is_zero'] for part in (*sections, *owing, rates))
        accruals = self._accruals_of_report(connection, first, last)
        report = {
            'connection': {'id': connection.id, 'name': connection.display_name, 'company': connection.company_id.name},
            'period': {
                'from': f'{first:%Y-%m}' if first else False,
                'to': f'{last:%Y-%m}',
                'label': self._period_in_words(connection, first, last),
            },
            'is_zero': is_zero,
            'sections': sections,
            'open': owing,
            'rates': rates,
            'status': self._report_overall_status(connection, is_zero, sections, owing, rates, accruals),
            'kinds': self._difference_kind_labels(),
            'read': fields.Datetime.to_string(connection.last_watch) if connection.last_watch else False,
            'may_sign': self.env.user.has_group('account.group_account_manager'),
            'accruals': accruals,
            'to_accrue': self._month_to_accrue(connection, last),
        }
        report['sign_offs'] = self._sign_offs_of_report(connection, report, first, last)
        report['to_sign'] = self._month_to_sign(connection, report, last)
        return report

    @api.model
    def open_items(self, connection_id, side, currency_id, month=None, measure=None, entity=None, month_to=None):
        """Return an action that opens what is behind a figure.

        :param side: 'odoo' for the journal items, 'ramp' for the objects from Ramp
        :param month: 'YYYY-MM'; None: everything until now, or until `month_to`
        :param measure: one of the rows of the report; None: everything that changes what is owed
        :param month_to: the last month, if there are several
        """
        connection = self._readable_connection(connection_id)
        self._check_known_measure(measure)
        first, last = self._parse_months(connection, month, month_to or month) if month or month_to else (None, None)
        if side == 'odoo':
            return self._open_journal_items_action(connection, currency_id, first, last, measure, entity)
        return self._open_objects_action(connection, currency_id, first, last, measure, entity)

    @api.model
    def open_owing(self, connection_id, kind, side, partner_id, currency_id, month_to=None):
        """Return an action that opens what is behind a figure of a partner's open bills or reimbursements.

        :param kind: 'vendor' (bills) or 'employee' (reimbursements)
        :param side: see `open_items`
        :param month_to: last month of the report as 'YYYY-MM'; default: the current month
        """
        connection = self._readable_connection(connection_id)
        _first, last = self._parse_months(connection, None, month_to)
        records = self.env['ramp.record'].browse(
            [
                row.record_id
                for row in self._open_balance_rows(connection, kind, self._last_day(last))
                if (row.currency_id, row.partner_id) == (currency_id, partner_id or None)
            ]
        )
        if side == 'ramp':
            action = self._open_ledger_action()
            action['domain'] = [('id', 'in', records.ids)]
            return action
        action = self.env['ir.actions.act_window']._for_xml_id('account.action_move_in_invoice_type')
        moves = self.env['account.move'].union(*self._moves_of_records(records).values())
        action.update(
            name=self.env._('Ramp tie-out: bills'), domain=[('id', 'in', moves.ids)], context={'create': False}
        )
        return action

    # ------------------------------------------------------------------ access and parameters

    def _check_readable(self, connections):
        """Raise `AccessError` unless the user may read the connections, their ledger and the journal items.

        The figures are read in SQL, which checks no access.
        """
        connections.check_access('read')
        for model in ('ramp.record', 'ramp.tie.out', 'ramp.tie.out.sign.off', 'ramp.accrual', 'account.move.line'):
            self.env[model].check_access('read')

    def _readable_connection(self, connection_id):
        connection = self.env['ramp.connection'].browse(int(connection_id)).exists()
        if not connection:
            raise UserError(self.env._('This connection no longer exists.'))
        self._check_readable(connection)
        if connection.company_id not in self.env.companies:
            raise AccessError(self.env._('Choose the company %s first.', connection.company_id.name))
        return connection.with_company(connection.company_id)

    @staticmethod
    def _check_known_measure(measure):
        if measure not in (None, *MEASURES, MEMO_MEASURE):
            raise ValueError(f'unknown measure {measure}')

    def _parse_months(self, connection, month_from, month_to):
        """Return the first day of the first month (or None) and of the last month, within the months that can be shown.

        :raise UserError: if a month is not written as 'YYYY-MM'
        """
        today = fields.Date.context_today(self)
        try:
            first = date.fromisoformat(f'{month_from}-01') if month_from else None
            last = date.fromisoformat(f'{month_to}-01') if month_to else today.replace(day=1)
        except ValueError as error:
            raise UserError(self.env._('Write a month as 2026-07.')) from error
        # A month before the start date is allowed, for the journal items behind an opening balance
        last = max(min(last, today.replace(day=1) + relativedelta(years=1)), EPOCH)
        return first and min(max(first, connection.start_date.replace(day=1), EPOCH), last), last

    def _period_in_words(self, connection, first, last):
        def month_name(day):
            return format_date(self.env, day, date_format='MMMM yyyy')

        if first == last:
            return month_name(last)
        return self.env._(
            '%(first)s to %(last)s', first=month_name(first or connection.start_date), last=month_name(last)
        )

    # ------------------------------------------------------------------ overall status

    def _report_overall_status(self, connection, is_zero, sections, owing, rates, accruals):
        """Return {'kind', 'count', 'text', 'note'}.

        The kind is 'zero' if both sides agree, and 'explained' if they differ only by what waits or was decided. Both
        are only said after a nightly check, because the lists of ready objects do not show everything in Ramp.
        """
        count = sum(len(month['differences']) + month['more'] for section in sections for month in section['months'])
        count += sum(section['start']['odd'] for section in sections) + sum(
            row['odd'] for part in (*owing, rates) for row in part['rows']
        )
        odd_accruals = sum(accrual['is_odd'] for accrual in accruals)
        count += odd_accruals
        note = (
            self.env._('Last full check of Ramp: %s', format_datetime(self.env, connection.last_watch))
            if connection.last_watch
            else self.env._(
                'Last full check of Ramp: never. Press Refresh from Ramp to find out what is not ready in Ramp.'
            )
        )
        is_zero = is_zero and not odd_accruals
        is_explained = (
            not odd_accruals
            and rates['is_zero']
            and all(part['is_green'] for part in (*(section['summary'] for section in sections), *owing))
        )
        if not (sections or any(part['rows'] for part in owing)):
            kind, text = 'empty', self.env._('Nothing has been read from Ramp yet')
        elif not (is_zero or is_explained):
            kind, text = 'odd', self._count_in_words(count)
        elif not connection.last_watch:
            kind, text = 'unread', self.env._('What was read from Ramp so far ties out; the rest is not known yet')
        elif is_zero:
            kind, text = 'zero', self.env._('Everything ties out to the cent')
        else:
            kind, text = 'explained', self.env._('Nothing is unexplained: %s', self._waiting_in_words(sections, owing))
        return {'kind': kind, 'count': count, 'text': text, 'note': note}

    def _count_in_words(self, count):
        if not count:
            return self.env._('Differences in earlier months')
        return self.env._('1 difference') if count == 1 else self.env._('%s differences', count)

    def _waiting_in_words(self, sections, owing):
        """Return how many objects wait, or were decided on, by kind."""
        counts = Counter()
        for section in sections:
            for row in section['summary']['kinds']:
                counts[row['label']] += row['count']
        labels = self._difference_kind_labels()
        for part in owing:
            for kind, count in part['kinds'].items():
                counts[labels[kind]] += count
        return ', '.join(f'{label} ({count})' for label, count in sorted(counts.items())) or self.env._(
            'what differs in a month is made up for in another one'
        )

    def _difference_kind_labels(self):
        return {
            'accrued': self.env._('Accrued'),
            'cancelled': self.env._('Cancelled'),
            'changed': self.env._('Changed in Ramp'),
            'deleted': self.env._('Deleted'),
            'draft': self.env._('Draft'),
            'edited': self.env._('Edited'),
            'expected': self.env._('Paid by card'),
            'held': self.env._('On hold'),
            'ignored': self.env._('Ignored'),
            'manual': self.env._('Entered by hand'),
            'period': self.env._('Other period'),
            'reversed': self.env._('Reversed'),
            'vanished': self.env._('No longer in Ramp'),
            'waiting': self.env._('Waiting'),
            'withheld': self.env._('Not ready in Ramp'),
        }

    # ------------------------------------------------------------------ PDF

    @api.model
    def _get_report_values(self, docids, data=None):
        """EXTENDS: Return the values for the template.

        :param data: connection_id, month_from, month_to
        """
        options = data or {}
        reports = [
            self.get_report(connection, options.get('month_from'), options.get('month_to'))
            for connection in docids or [options.get('connection_id')]
        ]
        for report in reports:
            report['printed'] = self._printed_in_words()
        connections = self.env['ramp.connection'].browse([report['connection']['id'] for report in reports])
        currencies = self.env['res.currency'].browse(
            {
                part['currency']['id']
                for report in reports
                for part in (
                    *report['sections'],
                    *(row for part in report['open'] for row in part['rows']),
                    report['rates'],
                )
            }
        )
        return {'docs': reports, 'connections': connections.grouped('id'), 'currencies': currencies.grouped('id')}

    # ------------------------------------------------------------------ XLSX

    @api.model
    def _workbook_file(self, connection_id, month_from=None, month_to=None):
        """Return (file name, content) of the report as a workbook."""
        report = self.get_report(connection_id, month_from, month_to)
        report['title'] = self._report_title(report)
        report['printed'] = self._printed_in_words()
        return f'{self._safe_file_name(report["title"])}.xlsx', Workbook(self.env, report).as_bytes()

    # ------------------------------------------------------------------ what is printed

    def _report_title(self, report):
        """Return the title of a printed report: its company and its period."""
        return self.env._(
            'Ramp Tie-Out %(company)s %(period)s',
            company=report['connection']['company'],
            period=report['period']['label'],
        )

    def _printed_in_words(self):
        """Return by whom, when and in which time zone the report was printed."""
        zone = self.env.tz.zone
        return self.env._(
            'Printed by %(name)s on %(moment)s (%(zone)s)',
            name=self.env.user.name,
            moment=format_datetime(self.env, fields.Datetime.now(), tz=zone),
            zone=zone,
        )

    @staticmethod
    def _safe_file_name(title):
        """Return a title as the name of a file on every system, without its suffix."""
        return ' '.join(re.sub(r'[\\/:*?"<>|\x00-\x1f\x7f]', ' ', title).split()).strip('. ')[:120].strip('. ')

    @api.model
    def _pdf_file_name(self, connection_id, month_from=None, month_to=None):
        """Return the name of the PDF file, without its suffix."""
        connection = self._readable_connection(connection_id)
        first, last = self._parse_months(connection, month_from, month_to)
        return self._safe_file_name(
            self._report_title(
                {
                    'connection': {'company': connection.company_id.name},
                    'period': {'label': self._period_in_words(connection, first, last)},
                }
            )
        )
