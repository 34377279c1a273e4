# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.tools import SQL
from odoo.tools.misc import formatLang

# Payments are left out, because a payment has the rate of the document that it pays
FLOWS = ('transaction', 'bill', 'vendor_credit', 'reimbursement', 'statement')


class RampTieOutRates(models.AbstractModel):
    _inherit = 'report.ramp_connector.tie_out'

    @api.model
    def _foreign_currency_rates(self, connection, first, last):
        """Return the foreign-currency documents from Ramp in the company's currency: as posted, and at Odoo's rates.

        Odoo's rate is that of the document's day. An amount may differ as far as the connection lets Ramp's rates
        differ. One that is further off is a difference.

        :param first: first day of the first month, or None
        :param last: first day of the last month
        :return: {'currency', 'tolerance', 'rows': [{'name', 'code', 'amount', 'ramp': at Odoo's rates, 'odoo': as
            posted, 'difference', 'percent', 'odd': number of documents that are too far off, 'unknown': number of
            documents of days without a rate}], 'is_zero'}
        """
        currency = connection.company_id.currency_id
        currencies = self.env['res.currency'].with_context(active_test=False)
        rows = []
        for foreign_id, amount, booked, expected, odd, unknown in self._read_foreign_amounts(connection, first, last):
            foreign, booked, expected = currencies.browse(foreign_id), float(booked or 0), float(expected or 0)
            name = formatLang(self.env, float(amount or 0), currency_obj=foreign)
            if unknown:
                name = self.env._(
                    '%(amount)s, without %(count)s documents of days that have no rate', amount=name, count=unknown
                )
            rows.append(
                {
                    'name': name,
                    'code': foreign.name,
                    'amount': float(amount or 0),
                    'unknown': unknown,
                    'percent': round(abs(booked / expected - 1) * 100, 6) if expected else 0.0,
                    **self._compare_both_sides(currency, expected, booked, odd),
                }
            )
        return {
            'currency': {'id': currency.id, 'name': currency.name, 'digits': currency.decimal_places},
            'title': self.env._("Foreign currencies in %s: at Odoo's daily rates, and as posted", currency.name),
            'tolerance': connection.rate_tolerance,
            'rows': rows,
            'is_zero': not any(row['odd'] for row in rows),
        }

    @api.model
    def _read_foreign_amounts(self, connection, first, last):
        """Return the amounts of the documents by foreign currency.

        Each amount is absolute, so that refunds do not offset bills.

        :return: [(currency id, amount, as posted, at Odoo's rates, number of documents that are too far off, number of
            documents of days without a rate)]
        """
        company = connection.company_id
        period = SQL(' AND ').join(
            SQL('l.date %s %s', SQL(operator), day) for operator, day in self._period_bounds(connection, first, last)
        ) or SQL('TRUE')

        def rate_subquery(currency, condition, order):
            # Like `res.currency._get_rates` (Odoo 19.0)
            return SQL(
                """(SELECT x.rate FROM res_currency_rate x WHERE x.currency_id = %s AND (x.company_id IS NULL OR x.company_id = %s)
                            AND %s ORDER BY x.company_id, x.name %s LIMIT 1)""",
                currency,
                company.root_id.id,
                condition,
                SQL(order),
            )

        until, any_day = SQL('x.name <= d.day'), SQL('TRUE')
        return self.env.execute_query(
            SQL(
                """
            WITH spent AS (
                SELECT l.currency_id, COALESCE(m.invoice_date, m.date) AS day, m.id, sum(abs(l.amount_currency)) AS amount,
                       sum(abs(l.balance)) AS booked
                  FROM ramp_record r
                  JOIN account_move m ON m.id = r.res_id AND m.state = 'posted'
                  JOIN account_move_line l ON l.move_id = m.id AND l.currency_id <> %(currency)s
                  JOIN account_account a ON a.id = l.account_id
                 WHERE r.connection_id = %(connection)s AND r.res_model = 'account.move' AND r.flow = ANY(%(flows)s) AND %(period)s
                   AND CASE r.flow WHEN 'transaction' THEN l.account_id = %(card)s
                                   ELSE a.account_type IN ('liability_payable', 'asset_receivable') END
                 GROUP BY 1, 2, 3
            ), priced AS MATERIALIZED (
                -- once for each day, and not for each document
                SELECT d.currency_id, d.day, %(theirs)s AS theirs, COALESCE(%(own)s, %(first)s, 1) AS own
                  FROM (SELECT DISTINCT currency_id, day FROM spent) d
            ), compared AS (
                SELECT s.*, p.theirs, s.amount / p.theirs * p.own AS expected
                  FROM spent s JOIN priced p ON p.currency_id = s.currency_id AND p.day = s.day
            )
            SELECT currency_id, sum(amount) FILTER (WHERE theirs IS NOT NULL), sum(booked) FILTER (WHERE theirs IS NOT NULL), sum(expected),
                   count(*) FILTER (WHERE abs(booked - expected) > expected * %(tolerance)s / 100 + %(rounding)s),
                   count(*) FILTER (WHERE theirs IS NULL)
              FROM compared GROUP BY currency_id ORDER BY currency_id
            """,
                connection=connection.id,
                flows=list(FLOWS),
                currency=company.currency_id.id,
                card=connection.card_account_id.id or None,
                period=period,
                tolerance=connection.rate_tolerance,
                rounding=company.currency_id.rounding,
                theirs=rate_subquery(SQL('d.currency_id'), until, 'DESC'),
                own=rate_subquery(company.currency_id.id, until, 'DESC'),
                first=rate_subquery(company.currency_id.id, any_day, 'ASC'),
            )
        )
