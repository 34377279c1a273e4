# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import Counter, defaultdict
from typing import NamedTuple

from dateutil.relativedelta import relativedelta

from odoo import fields, models
from odoo.tools import SQL, format_date

from .ramp_tie_out_report import OPEN_FLOWS


class OpenRow(NamedTuple):
    """An object that was open on a day, on at least one side."""

    record_id: int
    currency_id: int
    partner_id: int | None
    # open on the day
    ramp: float
    odoo: float
    # open today, by Ramp less by Odoo
    whole: float
    payment_id: int | None
    payment_state: str | None
    move_state: str | None
    kind: str
    is_explained: bool


class RampTieOutOpen(models.AbstractModel):
    """Open bills and reimbursements: what Ramp had yet to pay, beside the residual amounts of their documents.

    Both are as of the last day of the period. A payment after it counts as not made yet: in Ramp by the day of the
    payment, in Odoo by the day of the reconciled entries. Ramp names no day on which a credit was applied, so what is
    applied today counts as applied.
    """

    _inherit = 'report.ramp_connector.tie_out'

    def _open_balances(self, connection, kind, last, listing):
        """Return the open amounts by partner and currency: Ramp's beside the residual amounts of the documents.

        :param kind: 'vendor' (bills and vendor credits) or 'employee' (reimbursements)
        :param last: first day of the last month
        :param listing: see `Listing`
        :return: {'kind', 'title', 'rows', 'kinds': {kind of a difference: number}, 'is_zero', 'is_green'}
        """
        day = self._last_day(last)
        rows = self._open_balance_rows(connection, kind, day)
        odd = [row for row in rows if row.ramp != row.odoo]
        kinds = {row.record_id: self._kind_of_open_row(row) for row in odd}
        groups = defaultdict(lambda: {'ramp': 0.0, 'odoo': 0.0, 'odd': []})
        for row in rows:
            group = groups[row.partner_id, row.currency_id]
            group['ramp'] += row.ramp
            group['odoo'] += row.odoo
            if row.ramp != row.odoo:
                group['odd'].append(row)
        partners = (
            self.env['res.partner'].browse({partner for partner, _currency in groups if partner}).exists().grouped('id')
        )
        shown = []
        for (partner, currency_id), group in groups.items():
            currency = self.env['res.currency'].browse(currency_id)
            shown.append(
                {
                    'partner_id': partner,
                    'name': partners[partner].display_name if partner in partners else self.env._('Not in Odoo'),
                    'currency': {'id': currency.id, 'name': currency.name, 'digits': currency.decimal_places},
                    **self._compare_both_sides(currency, group['ramp'], group['odoo'], len(group['odd'])),
                    'odd_rows': group['odd'],
                }
            )
        shown.sort(key=lambda row: (not row['odd'], row['name'].lower(), row['currency']['name']))
        self._list_open_differences(shown, kinds, day, listing)
        label = format_date(self.env, min(day, fields.Date.context_today(self)))
        return {
            'kind': kind,
            'title': self.env._('Open bills by vendor on %s', label)
            if kind == 'vendor'
            else self.env._('Open reimbursements by employee on %s', label),
            'rows': shown,
            'kinds': dict(Counter(kind for kind, _is_explained in kinds.values())),
            'is_zero': not odd,
            'is_green': all(is_explained for _kind, is_explained in kinds.values()),
        }

    def _list_open_differences(self, shown, kinds, day, listing):
        """Replace what differs of each partner by the differences in words, as far as they are listed.

        :param shown: rows of the report; `odd_rows` becomes `differences`, and `more`: the number of the others
        """
        left, listed = listing.together, []
        for row in shown:
            odd = row.pop('odd_rows')
            size = listing.size if left is None else min(listing.size, left)
            row['differences'], row['more'] = odd[:size], max(0, len(odd) - size)
            listed += row['differences']
            if left is not None:
                left -= len(row['differences'])
        described = self._describe_open_rows(listed, kinds, day)
        for row in shown:
            row['differences'] = [described[item.record_id] for item in row['differences']]

    @staticmethod
    def _last_day(last):
        """Return the last day of the month that begins on a day."""
        return last + relativedelta(months=1, days=-1)

    def _open_balance_rows(self, connection, kind, day):
        """Return the objects that were open on a day, on at least one side, as [`OpenRow`]."""
        self._flush_read_models()
        rows = SQL(
            """
            SELECT o.*, o.ramp_now - o.odoo_now AS whole FROM (
                SELECT r.id AS record_id, NULL::int AS move_id, r.parent_ramp_id, r.currency_id, r.res_id, p.id AS payment_id,
                       p.state AS payment_state, s.ramp_now,
                       -- what was paid after the day was open on it
                       s.ramp_now + CASE
                           WHEN p.date > %(day)s AND p.state <> 'ignored' AND p.currency_id = r.currency_id
                                AND NOT COALESCE(r.is_withheld, FALSE) AND (r.flow <> 'bill' OR p.parent_ramp_id IS NOT NULL)
                           THEN CASE WHEN COALESCE(r.open_amount, 0) = 0 THEN COALESCE(p.amount, 0) ELSE r.open_amount - s.ramp_now END
                           ELSE 0 END AS ramp_amount,
                       COALESCE(l.odoo_now, 0) AS odoo_now, COALESCE(l.odoo_amount, 0) AS odoo_amount
                  FROM ramp_record r
                  LEFT JOIN ramp_record p ON p.connection_id = r.connection_id AND p.ramp_id = r.ramp_id
                       AND p.flow = CASE r.flow WHEN 'bill' THEN 'bill_payment' WHEN 'reimbursement' THEN 'reimbursement_payment' END
                 CROSS JOIN LATERAL (
                       SELECT COALESCE(CASE WHEN r.flow = 'bill' THEN p.open_amount END, r.open_amount, 0) AS ramp_now) s
                  LEFT JOIN LATERAL (
                       SELECT -sum(l.amount_residual_currency) AS odoo_now,
                              -sum(l.amount_residual_currency + COALESCE(x.later, 0)) FILTER (WHERE l.date <= %(day)s) AS odoo_amount
                         FROM account_move_line l JOIN account_account a ON a.id = l.account_id
                         LEFT JOIN LATERAL (
                              SELECT sum(CASE WHEN x.debit_move_id = l.id THEN x.debit_amount_currency
                                              ELSE -x.credit_amount_currency END) AS later
                                FROM account_partial_reconcile x
                               WHERE (x.debit_move_id = l.id OR x.credit_move_id = l.id) AND x.max_date > %(day)s) x ON TRUE
                        WHERE l.move_id = r.res_id AND r.res_model = 'account.move' AND l.parent_state = 'posted'
                          AND a.account_type IN ('liability_payable', 'asset_receivable')) l ON TRUE
                 WHERE r.connection_id = %(connection)s AND r.flow = ANY(%(flows)s) AND r.date BETWEEN %(start)s AND %(day)s
              ) o
             WHERE o.ramp_amount <> 0 OR o.odoo_amount <> 0
            """,
            connection=connection.id,
            flows=list(OPEN_FLOWS[kind]),
            start=connection.start_date,
            day=day,
        )
        return [
            OpenRow(*row)
            for row in self.env.execute_query(
                SQL(
                    """
            SELECT o.record_id, o.currency_id, COALESCE(m.commercial_partner_id, v.res_id), o.ramp_amount, o.odoo_amount, o.whole,
                   o.payment_id, o.payment_state, m.state, o.kind, o.is_explained
              FROM (%(named)s) o
              LEFT JOIN account_move m ON m.id = o.res_id
              LEFT JOIN ramp_record v ON v.connection_id = %(connection)s AND v.flow = 'vendor' AND v.ramp_id = o.parent_ramp_id
             ORDER BY abs(o.ramp_amount - o.odoo_amount) DESC, o.record_id
            """,
                    named=self._named_rows_query(rows, day.replace(day=1)),
                    connection=connection.id,
                )
            )
        ]

    @staticmethod
    def _kind_of_open_row(row):
        """Return (kind, whether that explains it) of an open object whose sides differ."""
        if row.kind == 'accrued':
            return row.kind, True
        if not row.whole:
            # Both sides agree today
            return 'period', True
        if row.move_state == 'posted' and row.payment_state in ('held', 'error', 'pending'):
            return ('waiting', True) if row.payment_state == 'pending' else ('held', False)
        if row.move_state == 'posted':
            return 'edited', False
        return row.kind, row.is_explained

    def _describe_open_rows(self, rows, kinds, day):
        """Return {row id: difference in words}.

        :param kinds: {row id: (kind, whether that explains it)}
        """
        records = self.env['ramp.record'].browse([row.record_id for row in rows])
        payments = self.env['ramp.record'].browse([row.payment_id for row in rows if row.payment_id]).grouped('id')
        moves = self._moves_of_records(records)
        return {
            row.record_id: self._describe_open_row(
                row, *kinds[row.record_id], record, moves[record], payments.get(row.payment_id), day
            )
            for row, record in zip(rows, records, strict=True)
        }

    def _describe_open_row(self, row, kind, is_explained, record, move, payment, day):
        if kind == 'accrued':
            text = self._explain_object_difference(kind, record, move, float(row.odoo))
        elif kind == 'period':
            text = self.env._(
                'Both sides agree today. By %s, it was posted or paid on one side only.', format_date(self.env, day)
            )
        elif payment and move.state == 'posted' and kind in ('held', 'waiting'):
            text = self.env._('Its payment: %s', payment.reason_text or payment.status)
        elif move.state == 'posted':
            text = self.env._('%s was paid, reconciled or edited in Odoo and no longer matches Ramp.', move.name)
        else:
            text = self._explain_object_difference(kind, record, move, float(row.odoo))
        currency = self.env['res.currency'].browse(row.currency_id)
        return {
            'kind': kind,
            'is_explained': is_explained,
            'text': text,
            'name': record.name,
            'date': fields.Date.to_string(record.date) if record.date else False,
            'record_id': record.id,
            'move_id': move.id,
            'entry': move.name or False,
            'ramp_id': record.ramp_id,
            'url': record.ramp_url,
            **{
                key: value
                for key, value in self._compare_both_sides(currency, row.ramp, row.odoo).items()
                if key != 'odd'
            },
        }
