# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models

from .ramp_tie_out_report import OPEN_FLOWS, Listing

# Differences that the screen shows of a list at once
PAGE_SIZE = 40


class RampTieOutPages(models.AbstractModel):
    """The tie-out as the screen reads it: all figures, and the differences page by page.

    The PDF and the workbook have the lists as a whole.
    """

    _inherit = 'report.ramp_connector.tie_out'

    @api.model
    def get_first_page(self, connection_id, month_from=None, month_to=None):
        """Return the report as `get_report` does, with the first page of the lists that the screen unfolds.

        These are what is carried forward, the last month, and the first partners. The other lists are empty, and their
        `more` says how many differences they have.
        """
        connection, first, last = self._read_period(connection_id, month_from, month_to)
        return self._make_report(connection, first, last, Listing(PAGE_SIZE, months=(last,), together=PAGE_SIZE))

    @api.model
    def get_differences(self, connection_id, currency_id, entity, month, month_from=None, month_to=None, page=0):
        """Return a page of the differences of a section.

        :param entity: Ramp entity of the section, or None
        :param month: 'YYYY-MM', or None for what is carried forward from earlier months
        :param month_from: of the report, see `get_report`
        :param page: from 0 on; entries of no entity may make a page twice as long
        :return: list of differences, see `_describe_differences`
        """
        connection, first, last = self._read_period(connection_id, month_from, month_to)
        if month:
            _first, day = self._parse_months(connection, month, month)
            listing = Listing(PAGE_SIZE, int(page), months=(day,), carried=False)
        else:
            listing = Listing(PAGE_SIZE, int(page), months=())
        self._flush_read_models()
        figures = self._read_monthly_figures(connection, first, last, listing)
        rows = [
            row
            for row in (figures.monthly if month else figures.carried)
            if (row.entity, row.currency_id) == (entity or None, currency_id)
        ]
        return self._describe_differences(rows)

    @api.model
    def get_open_differences(self, connection_id, kind, partner_id, currency_id, month_to=None, page=0):
        """Return a page of the differences of a partner's open bills or reimbursements.

        :param kind: see `open_owing`
        :param partner_id: False for objects whose partner is not in Odoo
        """
        connection, _first, last = self._read_period(connection_id, None, month_to)
        if kind not in OPEN_FLOWS:
            raise ValueError(f'unknown kind {kind}')
        day = self._last_day(last)
        rows = [
            row
            for row in self._open_balance_rows(connection, kind, day)
            if row.ramp != row.odoo and (row.partner_id, row.currency_id) == (partner_id or None, currency_id)
        ]
        rows = rows[int(page) * PAGE_SIZE : (int(page) + 1) * PAGE_SIZE]
        described = self._describe_open_rows(rows, {row.record_id: self._kind_of_open_row(row) for row in rows}, day)
        return [described[row.record_id] for row in rows]

    def _read_period(self, connection_id, month_from, month_to):
        """Return (connection, first month or None, last month), checked as for `get_report`."""
        connection = self._readable_connection(connection_id)
        return connection, *self._parse_months(connection, month_from, month_to)

    @api.model
    def _report_without_lists(self, connection_id, month_from=None, month_to=None):
        """Return the report without a single difference, for those who need its figures only."""
        return self._make_report(*self._read_period(connection_id, month_from, month_to), Listing(0))
