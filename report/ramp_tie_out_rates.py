# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.tools import SQL, float_round
from odoo.tools.misc import formatLang

FLOWS = ('transaction', 'bill', 'vendor_credit', 'reimbursement', 'statement')  # a payment is at the rate of what it pays


class RampTieOutRates(models.AbstractModel):
    _inherit = 'report.ramp_connector.tie_out'

    @api.model
    def _rates(self, connection, first, last):
        """What documents from Ramp in foreign currencies come to in the company's currency, beside what they are at Odoo's rates of their
        days. They may differ as far as the connection lets Ramp's rates differ; further off, it is a difference.

        :param first: first day of the first month, or None; last: of the last month
        :return: {'currency', 'tolerance', 'rows': [{'name', 'amount', 'ramp': at Odoo's rates, 'odoo': as booked, 'difference', 'percent',
                  'odd'}], 'is_zero'}
        """
        currency = connection.company_id.currency_id
        currencies = self.env['res.currency'].with_context(active_test=False)
        rows = []
        for foreign_id, amount, booked, expected in self._read_rates(connection, first, last):
            foreign, booked, expected = currencies.browse(foreign_id), float(booked), float(expected)
            percent = float_round(abs(booked / expected - 1) * 100, 6) if expected else 0.0
            rows.append({
                'name': formatLang(self.env, float(amount), currency_obj=foreign), 'code': foreign.name, 'amount': float(amount),
                'percent': percent, **self._figure(currency, expected, booked, percent > connection.rate_tolerance)})
        return {
            'currency': {'id': currency.id, 'name': currency.name, 'digits': currency.decimal_places},
            'title': self.env._("Foreign currencies in %s: at Odoo's rates of the days, and as booked", currency.name),
            'tolerance': connection.rate_tolerance, 'rows': rows, 'is_zero': not any(row['odd'] for row in rows)}

    @api.model
    def _read_rates(self, connection, first, last):
        """[(currency id, amount, as booked, at Odoo's rates)], each amount as if all were spent: refunds do not make up for bills."""
        company = connection.company_id
        period = SQL(' AND ').join(
            SQL('l.date %s %s', SQL(operator), day) for operator, day in self._period(connection, first, last)) or SQL('TRUE')
        return self.env.execute_query(SQL(
            """
            WITH spent AS (
                SELECT l.currency_id, COALESCE(m.invoice_date, m.date) AS day, sum(abs(l.amount_currency)) AS amount,
                       sum(abs(l.balance)) AS booked
                  FROM ramp_record r
                  JOIN account_move m ON m.id = r.res_id AND m.state = 'posted'
                  JOIN account_move_line l ON l.move_id = m.id AND l.currency_id <> %(currency)s
                  JOIN account_account a ON a.id = l.account_id
                 WHERE r.connection_id = %(connection)s AND r.res_model = 'account.move' AND r.flow = ANY(%(flows)s) AND %(period)s
                   AND CASE r.flow WHEN 'transaction' THEN l.account_id = %(card)s
                                   ELSE a.account_type IN ('liability_payable', 'asset_receivable') END
                 GROUP BY 1, 2
            ), priced AS (
                SELECT s.*, COALESCE(%(then)s, %(earliest)s, 1) AS rate,
                       COALESCE((SELECT x.rate FROM res_currency_rate x WHERE x.currency_id = %(currency)s AND x.name <= s.day
                                    AND (x.company_id IS NULL OR x.company_id = %(root)s)
                                  ORDER BY x.company_id, x.name DESC LIMIT 1), 1) AS own
                  FROM spent s
            )
            SELECT currency_id, sum(amount), sum(booked), sum(amount / rate * own) FROM priced GROUP BY currency_id ORDER BY currency_id
            """, connection=connection.id, flows=list(FLOWS), currency=company.currency_id.id, root=company.root_id.id,
            card=connection.card_account_id.id or None, period=period,
            # as `res.currency._get_rates` has it (Odoo 19.0): the last rate until that day, or the first one there is
            then=SQL(
                """(SELECT x.rate FROM res_currency_rate x WHERE x.currency_id = s.currency_id AND x.name <= s.day
                    AND (x.company_id IS NULL OR x.company_id = %s) ORDER BY x.company_id, x.name DESC LIMIT 1)""", company.root_id.id),
            earliest=SQL(
                """(SELECT x.rate FROM res_currency_rate x WHERE x.currency_id = s.currency_id
                    AND (x.company_id IS NULL OR x.company_id = %s) ORDER BY x.company_id, x.name LIMIT 1)""", company.root_id.id)))
