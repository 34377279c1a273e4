# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from datetime import date
from typing import NamedTuple

from odoo import api, models
from odoo.tools import SQL, format_date

from .ramp_tie_out_differences import ACCRUED_KINDS
from .ramp_tie_out_report import OPEN_FLOWS


class AccruableRow(NamedTuple):
    """An object of Ramp that is missing in the books at the end of a month. The amount is the tie-out's difference."""

    record_id: int
    entity: str | None
    currency_id: int
    date: date | None
    amount: float
    kind: str


class RampTieOutAccrued(models.AbstractModel):
    """What the tie-out says of accruals: what may be accrued, which differences are, and whether their entries stand."""

    _inherit = 'report.ramp_connector.tie_out'

    @api.model
    def _accrued_query(self, month):
        """Return a SELECT (record_id, amount, move_id) of the objects that are accrued for a month, and whose entry and
        reversal stand.

        :param month: first day of the month
        """
        Accrual = self.env['ramp.accrual']
        return SQL(
            """
            SELECT l.record_id, l.amount, l.move_id FROM ramp_accrual_line l
             WHERE l.is_active AND l.month = %(month)s AND %(posted)s AND %(reversed)s
            """,
            month=month,
            posted=Accrual._entry_counts(SQL('l.move_id'), SQL('l.reversal_id')),
            reversed=Accrual._entry_counts(SQL('l.reversal_id'), SQL('NULL')),
        )

    # ------------------------------------------------------------------ what may be accrued

    def _list_accruable(self, connection, month):
        """Return what Ramp has and the books do not at the end of a month, and is not accrued, as [`AccruableRow`].

        Card spend comes from the figures of the tie-out, and open bills and reimbursements from its open amounts, so
        that both come to the same.

        :param month: first day of the month
        """
        self._flush_read_models()
        self.env['ramp.accrual']._flush_entries()
        spend = SQL(
            """
            SELECT record_id, move_id, ramp_entity_id, currency_id, sum(ramp_amount) AS ramp_amount, sum(odoo_amount) AS odoo_amount,
                   whole
              FROM (SELECT *, sum(difference) OVER (PARTITION BY record_id, move_id, currency_id) AS whole
                      FROM (%(query)s) t WHERE is_odd AND measure IN ('spend', 'refund')) o
             WHERE month <= %(month)s AND record_id IS NOT NULL
             GROUP BY record_id, move_id, ramp_entity_id, currency_id, whole
            """,
            query=self.env['ramp.tie.out']._tie_out_query(connection.ids),
            month=month,
        )
        rows = self.env.execute_query(
            SQL(
                """
                SELECT n.record_id, r.ramp_entity_id, n.currency_id, r.date, n.ramp_amount, n.kind
                  FROM (%(named)s) n JOIN ramp_record r ON r.id = n.record_id AND r.flow = 'transaction'
                 WHERE n.ramp_amount <> 0 AND n.odoo_amount = 0 AND n.kind = ANY(%(kinds)s)
                   AND (n.kind <> 'period' OR n.is_explained)
                 ORDER BY r.date, n.record_id
                """,
                named=self._named_rows_query(spend, month),
                kinds=list(ACCRUED_KINDS),
            )
        )
        found = [AccruableRow(*row[:4], float(row[4]), row[5]) for row in rows]
        for kind in OPEN_FLOWS:
            open_rows = [
                row
                for row in self._open_balance_rows(connection, kind, self._last_day(month))
                # Without a document, or with one of a later month
                if row.ramp and not row.odoo and row.kind in ACCRUED_KINDS and self._is_missing(row)
            ]
            records = self.env['ramp.record'].browse([row.record_id for row in open_rows])
            found += [
                AccruableRow(
                    row.record_id,
                    record.ramp_entity_id or None,
                    row.currency_id,
                    record.date,
                    float(row.ramp),
                    row.kind,
                )
                for row, record in zip(open_rows, records, strict=True)
            ]
        return found

    @staticmethod
    def _is_missing(row):
        """Return whether an open object has no document, or one of a later month that agrees with Ramp."""
        return row.kind != 'period' and row.move_state is None or row.kind == 'period' and not row.whole

    # ------------------------------------------------------------------ what a report says

    def _accruals_of_report(self, connection, first, last):
        """Return the accruals of the report's months, the newest first, without those that were undone.

        :param first: first day of the first month, or None
        :return: [{'id', 'month', 'text', 'is_odd', 'figures': {(entity, currency id): amount}}]
        """
        Accrual = self.env['ramp.accrual']
        period = SQL('a.month <= %s AND a.connection_id = %s', last, connection.id)
        if first:
            period = SQL('%s AND a.month >= %s', period, first)
        pairs = Accrual._list_entry_pairs(period)
        found = []
        for accrual in Accrual.browse(pairs).sorted(lambda item: (item.month, item.id), reverse=True):
            standing = [pair for pair in pairs[accrual.id] if not pair.is_void]
            faults = [text for pair in standing if (text := accrual._describe_pair_fault(pair))]
            if standing:
                found.append(
                    {
                        'id': accrual.id,
                        'month': f'{accrual.month:%Y-%m}',
                        'is_odd': bool(faults),
                        'text': self._accrual_in_words(accrual, standing, faults),
                        'figures': [
                            (pair.entity, self._currency_of_accrual(pair.currency_id), float(pair.amount))
                            for pair in standing
                        ],
                    }
                )
        return found

    def _currency_of_accrual(self, currency_id):
        currency = self.env['res.currency'].browse(currency_id)
        return {'id': currency.id, 'name': currency.name, 'digits': currency.decimal_places}

    def _pair_in_words(self, pair):
        currency, Move = self.env['res.currency'].browse(pair.currency_id), self.env['account.move']
        amount = currency.format(float(pair.amount))
        if pair.spend != pair.amount:
            amount = self.env._(
                '%(amount)s, of it card spend: %(spend)s', amount=amount, spend=currency.format(float(pair.spend))
            )
        return self.env._(
            '%(amount)s (%(count)s) by %(move)s, reversed by %(reversal)s',
            amount=amount,
            count=pair.count,
            move=Move.browse(pair.move_id).name or '-',
            reversal=Move.browse(pair.reversal_id).name or '-',
        )

    def _accrual_in_words(self, accrual, pairs, faults):
        entries = '; '.join(map(self._pair_in_words, pairs))
        text = self.env._(
            '%(month)s: accrued on %(date)s and reversed on %(back)s: %(entries)s.',
            month=accrual._month_in_words(),
            date=format_date(self.env, accrual.date),
            back=format_date(self.env, accrual.reversal_date),
            entries=entries,
        )
        return ' '.join([text, *faults])

    def _month_to_accrue(self, connection, last):
        """Return {'month', 'label'} if the user may accrue the last month of the report now, else False."""
        Accrual = self.env['ramp.accrual']
        if not (Accrual._may_accrue() and Accrual._is_month_to_accrue(connection, last)):
            return False
        return {'month': f'{last:%Y-%m}', 'label': format_date(self.env, last, date_format='MMMM yyyy')}
