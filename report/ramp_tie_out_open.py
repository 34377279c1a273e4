# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import defaultdict

from odoo import fields, models
from odoo.tools import SQL

from .ramp_tie_out_report import OPEN_FLOWS, SHOWN


class RampTieOutOpen(models.AbstractModel):
    """Open bills and reimbursements: what Ramp has yet to pay, beside the residual amounts of their documents."""

    _inherit = 'report.ramp_connector.tie_out'

    def _open_balances(self, connection, kind):
        """Return the open amounts by partner and currency: Ramp's beside the residual amounts of the documents.

        :param kind: 'vendor' (bills and vendor credits) or 'employee' (reimbursements)
        """
        rows = self._open_balance_rows(connection, kind)
        odd = self.env['ramp.record'].browse([row[0] for row in rows if row[3] != row[4]])
        moves = self._moves_of_records(odd)
        groups = defaultdict(lambda: {'ramp': 0.0, 'odoo': 0.0, 'records': []})
        for record_id, currency, partner, ramp, odoo in rows:
            group = groups[partner, currency]
            group['ramp'] += float(ramp)
            group['odoo'] += float(odoo)
            if ramp != odoo:
                group['records'].append((record_id, ramp, odoo))
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
                    **self._compare_both_sides(currency, group['ramp'], group['odoo'], len(group['records'])),
                    'differences': [
                        self._open_balance_difference(currency, *row, moves) for row in group['records'][:SHOWN]
                    ],
                }
            )
        return {
            'kind': kind,
            'title': self.env._('Open bills by vendor')
            if kind == 'vendor'
            else self.env._('Open reimbursements by employee'),
            'rows': sorted(shown, key=lambda row: (not row['odd'], row['name'].lower(), row['currency']['name'])),
            'is_zero': not odd,
        }

    def _open_balance_rows(self, connection, kind):
        """Return [(row id, currency id, partner id, Ramp, Odoo)] of objects that are open on at least one side."""
        self._flush_read_models()
        return self.env.execute_query(
            SQL(
                """
            WITH o AS (
                SELECT r.id, r.parent_ramp_id, r.currency_id, r.res_id, COALESCE(p.open_amount, r.open_amount, 0) AS ramp,
                       COALESCE((
                           SELECT -sum(l.amount_residual_currency) FROM account_move_line l JOIN account_account a ON a.id = l.account_id
                            WHERE l.move_id = r.res_id AND a.account_type IN ('liability_payable', 'asset_receivable')
                              AND l.parent_state = 'posted'), 0) AS odoo
                  FROM ramp_record r
                  LEFT JOIN ramp_record p ON p.connection_id = r.connection_id AND p.flow = 'bill_payment' AND r.flow = 'bill'
                       AND p.ramp_id = r.ramp_id
                 WHERE r.connection_id = %(connection)s AND r.flow = ANY(%(flows)s) AND r.date >= %(start)s
                   AND (r.open_amount <> 0 OR r.res_model = 'account.move' AND EXISTS (
                       SELECT FROM account_move m WHERE m.id = r.res_id AND m.amount_residual <> 0 AND m.state = 'posted'))
            )
            SELECT o.id, o.currency_id, COALESCE(m.commercial_partner_id, v.res_id), o.ramp, o.odoo
              FROM o LEFT JOIN account_move m ON m.id = o.res_id
              LEFT JOIN ramp_record v ON v.connection_id = %(connection)s AND v.flow = 'vendor' AND v.ramp_id = o.parent_ramp_id
            """,
                connection=connection.id,
                flows=list(OPEN_FLOWS[kind]),
                start=connection.start_date,
            )
        )

    def _open_balance_difference(self, currency, record_id, ramp, odoo, moves):
        record = self.env['ramp.record'].browse(record_id)
        move = moves[record]
        payment = (
            self.env['ramp.record'].search(
                [
                    ('connection_id', '=', record.connection_id.id),
                    ('flow', 'in', ('bill_payment', 'reimbursement_payment')),
                    ('ramp_id', '=', record.ramp_id),
                ],
                limit=1,
            )
            if move.state == 'posted'
            else self.env['ramp.record']
        )
        if payment.state in ('held', 'error', 'pending'):
            kind, text = (
                'held' if payment.state != 'pending' else 'waiting',
                self.env._('Its payment: %s', payment.error_message or payment.status),
            )
        elif move.state == 'posted':
            kind, text = (
                'edited',
                self.env._('%s was paid, reconciled or edited in Odoo and no longer matches Ramp.', move.name),
            )
        else:
            kind, text = self._explain_object_difference(record, move, record.date, float(ramp), float(odoo))
        return {
            'kind': kind,
            'text': text,
            'name': record.name,
            'date': fields.Date.to_string(record.date) if record.date else False,
            'record_id': record.id,
            'move_id': move.id,
            'url': record.ramp_url,
            **{key: value for key, value in self._compare_both_sides(currency, ramp, odoo).items() if key != 'odd'},
        }
