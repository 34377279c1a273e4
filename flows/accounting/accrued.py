# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools import SQL, format_date


class RampFlowAccrued(models.AbstractModel):
    """Post what is accrued after its accrual, so that no month has it twice. See `ramp.accrual`."""

    _inherit = 'ramp.flow.booking'

    @api.model
    def _look_up_accruals(self, connection, ramp_ids):
        """Return from which day on objects of this flow may be posted: the day on which their accrual is reversed.

        A bill that a card transaction pays is the spend of that transaction. So the accrual of either counts for both.

        :return: {Ramp id: day}, without objects that are not accrued
        """
        if not ramp_ids:
            return {}
        Accrual = self.env['ramp.accrual']
        Accrual._flush_entries()
        return dict(
            self.env.execute_query(
                SQL(
                    """
                    SELECT o.ramp_id, max(GREATEST(v.date, (l.month + interval '1 month')::date))
                      FROM (
                        SELECT r.ramp_id, r.id AS record_id FROM ramp_record r
                         WHERE r.connection_id = %(connection)s AND r.flow = %(flow)s AND r.ramp_id = ANY(%(ids)s)
                        UNION ALL
                        SELECT b.ramp_id, r.id FROM ramp_record b
                         CROSS JOIN LATERAL jsonb_array_elements_text(
                               CASE WHEN jsonb_typeof(b.payload #> '{payment,details,transaction_ids}') = 'array'
                                    THEN b.payload #> '{payment,details,transaction_ids}' ELSE '[]' END) AS paid(ramp_id)
                          JOIN ramp_record r ON r.connection_id = b.connection_id AND r.flow = 'transaction'
                           AND r.ramp_id = paid.ramp_id
                         WHERE %(flow)s = 'bill' AND b.connection_id = %(connection)s AND b.flow = 'bill_payment'
                           AND b.ramp_id = ANY(%(ids)s)
                      ) o
                      JOIN ramp_accrual_line l ON l.record_id = o.record_id AND l.is_active
                      LEFT JOIN account_move v ON v.id = l.reversal_id AND v.state = 'posted'
                     WHERE %(counts)s
                     GROUP BY o.ramp_id
                    """,
                    connection=connection.id,
                    flow=self._flow,
                    ids=list(ramp_ids),
                    counts=Accrual._entry_counts(SQL('l.move_id'), SQL('l.reversal_id')),
                )
            )
        )

    def _check_link_accrual(self, connection, record, document):
        """Check that a document that somebody entered is not in the month for which the object is accrued.

        :raise UserError: if it is; names the day from which on it may be
        """
        day = self._look_up_accruals(connection, [record.ramp_id]).get(record.ramp_id)
        if day and document.date < day:
            raise UserError(
                self.env._(
                    '%(object)s is accrued until %(day)s, so %(document)s of %(date)s would count it twice. Choose a '
                    'document of that day or later, or undo the accrual first.',
                    object=record.display_name,
                    day=format_date(self.env, day),
                    document=document.display_name,
                    date=format_date(self.env, document.date),
                )
            )
