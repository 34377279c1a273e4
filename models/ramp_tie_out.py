# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.tools import SQL


class RampTieOut(models.Model):
    """What changed the amount owed on the cards, by Ramp and by the books: one row for each object and month.

    Ramp's side comes from the ledger rows of objects that moved money, posted or not. Odoo's side comes from the posted
    journal items on the card liability and on the payables to the partner "Ramp". Each item belongs to the object that
    it was posted for, or to its own entry if there is none. If the two sides of a row differ, the row is a difference
    with an explanation; see `report.ramp_connector.tie_out`.

    Amounts are in the currency that is owed, and their sign says how they change it: spend is positive, payments are
    negative. Repayments reach the company's bank, so they are shown separately.
    """

    _name = 'ramp.tie.out'
    _description = 'Ramp Tie-Out'
    _auto = False
    _order = 'month desc, measure, id'
    _rec_name = 'record_id'

    connection_id = fields.Many2one('ramp.connection', readonly=True)
    company_id = fields.Many2one('res.company', readonly=True)
    ramp_entity_id = fields.Char(readonly=True)
    currency_id = fields.Many2one('res.currency', readonly=True)
    month = fields.Date(readonly=True, help='The first day of the month.')
    measure = fields.Selection(
        [
            ('spend', 'Spend'),
            ('refund', 'Refunds'),
            ('cashback', 'Cashback'),
            ('payment', 'Payments'),
            ('other', 'Entered in Odoo'),
            ('repayment', 'Repayments by employees'),
        ],
        readonly=True,
    )
    record_id = fields.Many2one('ramp.record', string='Object', readonly=True)
    move_id = fields.Many2one('account.move', string='Entry without an Object', readonly=True)
    ramp_amount = fields.Monetary(string='Ramp', readonly=True)
    odoo_amount = fields.Monetary(string='Odoo', readonly=True)
    difference = fields.Monetary(readonly=True)
    is_odd = fields.Boolean(string='Differs', readonly=True)

    def action_open(self):
        """Open what the row is about: the object's ledger row, or the entry without an object."""
        self.ensure_one()
        self.check_access('read')
        record = self.record_id or self.move_id
        return {
            'type': 'ir.actions.act_window',
            'res_model': record._name,
            'res_id': record.id,
            'views': [(False, 'form')],
        }

    @property
    def _table_query(self):
        return self._tie_out_query(self.env.context.get('ramp_connection_ids'))

    @api.model
    def _common_tables(self, connection_ids):
        """Return the common table expressions that the queries begin with.

        :param connection_ids: only these connections, which makes the query fast; None: all connections
        """
        return SQL(
            """
            c AS MATERIALIZED (
                SELECT c.id, c.company_id, c.start_date, c.ramp_partner_id AS partner_id, j.default_account_id AS account_id,
                       ARRAY(SELECT a.id FROM account_account a WHERE a.account_type = 'liability_payable') AS payable_ids
                  FROM ramp_connection c LEFT JOIN account_journal j ON j.id = c.card_journal_id
                 WHERE c.state <> 'draft' AND %(chosen)s
            ), link AS (
                -- which object an entry was booked for
                SELECT r.connection_id, r.res_id AS move_id, r.id AS record_id, r.ramp_entity_id,
                       CASE WHEN r.flow = 'statement' THEN 'cashback' WHEN r.amount < 0 THEN 'refund' ELSE 'spend' END AS measure
                  FROM c JOIN ramp_record r ON r.connection_id = c.id
                 WHERE r.flow IN ('transaction', 'statement') AND r.res_model = 'account.move' AND r.res_id IS NOT NULL
                UNION ALL
                SELECT r.connection_id, p.move_id, r.id, r.ramp_entity_id, 'payment'
                  FROM c JOIN ramp_record r ON r.connection_id = c.id
                  JOIN account_payment p ON p.id = r.res_id
                 WHERE r.flow = 'transfer' AND r.res_model = 'account.payment'
                UNION ALL
                -- of a bill that was paid by card, whose transaction is not booked itself
                SELECT b.connection_id, (b.noted #>> '{card,id}')::int, COALESCE(t.id, b.id), b.ramp_entity_id, 'spend'
                  FROM c JOIN ramp_record b ON b.connection_id = c.id
                  LEFT JOIN ramp_record t ON t.connection_id = b.connection_id AND t.flow = 'transaction'
                       AND t.ramp_id = b.payload #>> '{payment,details,transaction_ids,0}'
                 WHERE b.flow = 'bill_payment' AND b.noted -> 'card' ? 'expected' AND t.res_id IS NULL
            ), item AS (
                SELECT l.*, k.record_id, k.ramp_entity_id, COALESCE(k.measure, 'other') AS measure
                  FROM (SELECT c.id AS connection_id, c.company_id, l.id AS line_id, l.move_id, l.date, l.currency_id,
                               l.amount_currency, l.account_id
                          FROM c JOIN account_move_line l ON l.account_id = c.account_id AND l.company_id = c.company_id
                         WHERE l.parent_state = 'posted' AND l.amount_currency <> 0
                        UNION ALL
                        SELECT c.id, c.company_id, l.id, l.move_id, l.date, l.currency_id, l.amount_currency, l.account_id
                          FROM c JOIN account_move_line l ON l.partner_id = c.partner_id AND l.company_id = c.company_id
                         WHERE l.parent_state = 'posted' AND l.amount_currency <> 0 AND l.account_id = ANY(c.payable_ids)
                       ) l
                  LEFT JOIN link k ON k.connection_id = l.connection_id AND k.move_id = l.move_id
            )
            """,
            chosen=SQL('c.id = ANY(%s)', list(connection_ids)) if connection_ids is not None else SQL('TRUE'),
        )

    @api.model
    def _tie_out_query(self, connection_ids=None):
        """Return the SELECT of the rows.

        :param connection_ids: see `_common_tables`
        """
        return SQL('WITH %s %s', self._part_tables(connection_ids), self._sum_of_parts())

    @api.model
    def _part_tables(self, connection_ids=None):
        """Return the common table expressions that end with `part`: what each object and each item changes."""
        return SQL(
            """
            %(common)s, statement AS MATERIALIZED (
                -- which statement's bill the cashback is a part of
                SELECT s.connection_id, s.id, s.date, b.id AS cashback_id
                  FROM c JOIN ramp_record s ON s.connection_id = c.id, jsonb_array_elements_text(s.noted -> 'cashbacks') AS b(id)
                 WHERE s.flow = 'statement' AND s.res_id IS NOT NULL
            ), returned AS MATERIALIZED (
                -- payments that came back and were reversed on another day: Ramp, too, took them for paid until then
                SELECT DISTINCT p.move_id
                  FROM c JOIN account_move m ON m.company_id = c.company_id AND m.reversed_entry_id IS NOT NULL AND m.state = 'posted'
                  JOIN account_payment p ON p.move_id = m.reversed_entry_id AND p.ramp_id IS NOT NULL
                 WHERE NOT EXISTS (SELECT FROM link k WHERE k.move_id = p.move_id)
                   -- once, and wholly
                   AND NOT EXISTS (
                       SELECT FROM account_move_line l JOIN account_move x ON x.id = l.move_id AND x.state = 'posted'
                        WHERE (x.id = p.move_id OR x.reversed_entry_id = p.move_id) AND l.partner_id = c.partner_id
                          AND l.account_id = ANY(c.payable_ids)
                        GROUP BY l.currency_id HAVING sum(l.amount_currency) <> 0)
            ), part AS (
                -- all of its columns are in the index `_moved`, so the ledger itself is not read
                SELECT c.id AS connection_id, c.company_id, r.ramp_entity_id, r.currency_id, date_trunc('month', r.date)::date AS month,
                       CASE r.flow WHEN 'transfer' THEN 'payment' WHEN 'repayment' THEN 'repayment'
                                   ELSE CASE WHEN r.amount < 0 THEN 'refund' ELSE 'spend' END END AS measure,
                       r.id AS record_id, NULL::int AS move_id,
                       CASE r.flow WHEN 'transfer' THEN -r.amount ELSE r.amount END AS ramp_amount, 0.0 AS odoo_amount
                  FROM c JOIN ramp_record r ON r.connection_id = c.id
                 WHERE r.has_moved AND r.date >= c.start_date AND r.flow IN ('transaction', 'transfer', 'repayment')
                UNION ALL
                SELECT c.id, c.company_id, r.ramp_entity_id, r.currency_id, date_trunc('month', COALESCE(s.date, r.date))::date, 'cashback',
                       COALESCE(s.id, r.id), NULL, -r.amount, 0.0
                  FROM c JOIN ramp_record r ON r.connection_id = c.id AND r.flow = 'cashback'
                  LEFT JOIN statement s ON s.connection_id = r.connection_id AND s.cashback_id = r.ramp_id
                 WHERE r.has_moved AND r.date >= c.start_date
                UNION ALL
                SELECT i.connection_id, i.company_id, i.ramp_entity_id, i.currency_id, date_trunc('month', i.date)::date,
                       CASE WHEN t.move_id IS NULL THEN i.measure ELSE 'payment' END, i.record_id,
                       COALESCE(m.reversed_entry_id, m.id),  -- an entry and its reversal are one matter
                       CASE WHEN t.move_id IS NULL THEN 0.0 ELSE -i.amount_currency END, -i.amount_currency
                  FROM item i JOIN c ON c.id = i.connection_id
                  LEFT JOIN account_move m ON m.id = CASE WHEN i.record_id IS NULL THEN i.move_id END
                  LEFT JOIN returned t ON t.move_id = COALESCE(m.reversed_entry_id, m.id)
                 WHERE i.date >= c.start_date
                UNION ALL
                SELECT c.id, c.company_id, r.ramp_entity_id, m.currency_id, date_trunc('month', m.date)::date, 'repayment', r.id, NULL,
                       0.0, -m.amount_total
                  FROM c JOIN ramp_record r ON r.connection_id = c.id
                  JOIN account_move m ON m.id = r.res_id
                 WHERE r.flow = 'repayment' AND r.res_model = 'account.move' AND m.state = 'posted'
            )
            """,
            common=self._common_tables(connection_ids),
        )

    @api.model
    def _sum_of_parts(self):
        """Return the SELECT of the rows from `part`, see `_part_tables`."""
        return SQL(
            """
            SELECT (COALESCE(record_id * 2::bigint, move_id * 2::bigint + 1)) * 200000
                       + ((extract(year FROM month)::int - 2000) * 12 + extract(month FROM month)::int) * 100 + currency_id %% 100 AS id,
                   connection_id, company_id, max(ramp_entity_id) AS ramp_entity_id, currency_id, month, measure, record_id, move_id,
                   sum(ramp_amount) AS ramp_amount, sum(odoo_amount) AS odoo_amount, sum(ramp_amount) - sum(odoo_amount) AS difference,
                   sum(ramp_amount) <> sum(odoo_amount) AS is_odd
              FROM part
             GROUP BY connection_id, company_id, currency_id, month, measure, record_id, move_id
            """
        )
