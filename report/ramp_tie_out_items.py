# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import json

from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.tools import SQL

from .ramp_tie_out_report import MEMO_MEASURE


class RampTieOutItems(models.AbstractModel):
    """What is behind a figure: the journal items in Odoo, or the objects in Ramp."""

    _inherit = 'report.ramp_connector.tie_out'

    # ------------------------------------------------------------------ journal items

    def _open_journal_items_action(self, connection, currency_id, first, last, measure, entity):
        action = self.env['ir.actions.act_window']._for_xml_id('account.action_account_moves_all')
        figure = {
            'connection_id': connection.id,
            'currency_id': currency_id,
            'first': first and str(first),
            'last': last and str(last),
            'measure': measure,
            'entity': entity,
        }
        action.update(
            name=self.env._('Ramp tie-out: journal items'),
            domain=[('ramp_tie_out', '=', json.dumps(figure))],
            context={'create': False},
            views=[(False, 'list'), (False, 'pivot'), (False, 'form')],
            search_view_id=False,
        )
        return action

    @api.model
    def _journal_items_query(self, connection_id, currency_id, first=None, last=None, measure=None, entity=None):
        """Return a SELECT of the ids of the journal items behind a figure.

        :param first: first day of the first month, or None
        :param last: first day of the last month, or None
        """
        connection = self._readable_connection(connection_id)
        self._check_known_measure(measure)
        self._flush_read_models()
        first, last = fields.Date.to_date(first), fields.Date.to_date(last)
        period = SQL(' AND ').join(
            SQL('i.date %s %s', SQL(operator), day) for operator, day in self._period_bounds(connection, first, last)
        ) or SQL('TRUE')
        if measure == MEMO_MEASURE:
            return SQL(
                """(
                SELECT i.id FROM account_move_line i JOIN ramp_record r ON r.res_model = 'account.move' AND r.res_id = i.move_id
                 WHERE r.connection_id = %s AND r.flow = 'repayment' AND i.currency_id = %s AND i.parent_state = 'posted' AND %s AND %s
                )""",
                connection.id,
                currency_id,
                period,
                SQL('r.ramp_entity_id = %s', entity) if entity else SQL('TRUE'),
            )
        return SQL(
            """(
            WITH %(common)s
            SELECT i.line_id FROM item i WHERE i.currency_id = %(currency)s AND %(period)s AND %(measure)s AND %(entity)s
            )""",
            common=self.env['ramp.tie.out']._common_tables(connection.ids),
            currency=currency_id,
            period=period,
            measure=SQL('i.measure = %s', measure) if measure else SQL('TRUE'),
            # Manual entries are shown with every entity
            entity=SQL('(i.ramp_entity_id = %s OR i.ramp_entity_id IS NULL)', entity) if entity else SQL('TRUE'),
        )

    @staticmethod
    def _period_bounds(connection, first, last):
        """Return the bounds of a period as [(operator, day)].

        What was owed before the start date is part of every opening balance, and of no month.
        """
        end = last and last + relativedelta(months=1)
        if first:
            return [('>=', max(first, connection.start_date)), ('<', end)]
        return [('<', max(end, connection.start_date))] if end else []

    # ------------------------------------------------------------------ objects in Ramp

    def _open_objects_action(self, connection, currency_id, first, last, measure, entity):
        action = self._open_ledger_action()
        action['domain'] = self._objects_domain(connection, currency_id, first, last, measure, entity)
        return action

    def _objects_domain(self, connection, currency_id, first, last, measure, entity):
        flows = {
            'spend': 'transaction',
            'refund': 'transaction',
            'cashback': 'cashback',
            'payment': 'transfer',
            MEMO_MEASURE: 'repayment',
        }
        domain = [
            ('connection_id', '=', connection.id),
            ('has_moved', '=', True),
            ('currency_id', '=', currency_id),
            (
                'flow',
                'in',
                [flows[measure]]
                if measure in flows
                else []
                if measure
                else sorted(set(flows.values()) - {'repayment'}),
            ),
        ]
        if measure in ('spend', 'refund'):
            domain.append(('amount', '>=' if measure == 'spend' else '<', 0))
        if entity:
            domain.append(('ramp_entity_id', '=', entity))
        if last and measure == 'cashback':
            domain.append(('id', 'in', self._cashback_of_months(connection, first, last)))
        else:
            domain += [('date', operator, day) for operator, day in self._period_bounds(connection, first, last)]
        return [*domain, ('date', '>=', connection.start_date)]

    def _cashback_of_months(self, connection, first, last):
        """Return the row ids of the cashback that counts in these months.

        Cashback counts on the date of its statement, or on its own date if it is on none yet.
        """
        period = SQL(' AND ').join(
            SQL('COALESCE(s.date, r.date) %s %s', SQL(operator), day)
            for operator, day in self._period_bounds(connection, first, last)
        )
        return [
            row[0]
            for row in self.env.execute_query(
                SQL(
                    """
            SELECT r.id FROM ramp_record r
              LEFT JOIN ramp_record s ON s.connection_id = r.connection_id AND s.flow = 'statement' AND s.res_id IS NOT NULL
                   AND s.noted -> 'cashbacks' ? r.ramp_id
             WHERE r.connection_id = %s AND r.flow = 'cashback' AND %s
            """,
                    connection.id,
                    period,
                )
            )
        ]

    def _open_ledger_action(self):
        action = self.env['ir.actions.act_window']._for_xml_id('ramp_connector.ramp_record_action')
        action.update(name=self.env._('Ramp tie-out: what Ramp says'), context={})
        return action
