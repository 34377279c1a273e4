# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL


class RampChange(models.Model):
    """The outbox: records that changed in Odoo and that their push flow has not compared with Ramp yet.

    Changes are not written to the ledger rows directly. The push job writes those rows all the time, and two
    transactions that write the same row collide. A user who saves an account, or imports ten thousand, must neither
    wait for the job nor be rolled back by it. Rows that are only inserted cannot collide. The job moves them into the
    ledger before it does anything else.
    """

    _name = 'ramp.change'
    _description = 'Ramp: changes in Odoo to be looked at'
    _log_access = False

    flow = fields.Char(required=True)
    res_id = fields.Many2oneReference(model_field='flow', required=True)

    _of_flow = models.Index('(flow, res_id)')

    @api.model
    def _note_changes(self, flow, records, domain, cron_id):
        """Note the records that a connection sends or that Ramp knows already, and trigger the job.

        This takes one statement in the caller's transaction, because a user is waiting. The statement also makes the
        trigger of ir.cron, once for each transaction.

        :return: whether any record was noted
        """
        # sudo: the connection decides what is noted, not the access rights of the user
        Model = records.sudo().with_context(active_test=False)
        wanted = Model._search(domain & Domain('id', 'in', records.ids), order=None)
        now = self.env.cr.now()
        [[count]] = self.env.execute_query(
            SQL(
                """
            WITH noted AS (
                INSERT INTO ramp_change (flow, res_id)
                SELECT %(flow)s, id FROM %(table)s
                 WHERE id = ANY(%(ids)s) AND (id IN %(wanted)s OR EXISTS (
                    SELECT FROM ramp_record r WHERE r.res_model = %(model)s AND r.res_id = %(table)s.id AND r.flow = %(flow)s))
                RETURNING id
            ), woken AS (
                INSERT INTO ir_cron_trigger (cron_id, call_at, create_uid, write_uid, create_date, write_date)
                SELECT %(cron)s, date_trunc('second', %(now)s), %(uid)s, %(uid)s, %(now)s, %(now)s
                 WHERE %(cron)s IS NOT NULL AND EXISTS (SELECT FROM noted)
                   AND NOT EXISTS (SELECT FROM ir_cron_trigger WHERE cron_id = %(cron)s AND create_date = %(now)s)
            )
            SELECT count(*) FROM noted
            """,
                flow=flow,
                table=SQL.identifier(records._table),
                ids=list(records.ids),
                wanted=wanted.subselect(),
                model=records._name,
                cron=SQL('%s::int', cron_id or None),
                now=SQL('%s::timestamp', now),
                uid=self.env.uid,
            )
        )
        return bool(count)

    @api.model
    def _take_changes(self, flow):
        """Delete the noted changes of a flow and return the ids of their records.

        The caller marks the records in the same transaction.
        """
        self.env.cr.execute(
            SQL(
                """
            DELETE FROM ramp_change WHERE id IN (SELECT id FROM ramp_change WHERE flow = %s ORDER BY id FOR UPDATE SKIP LOCKED)
            RETURNING res_id
            """,
                flow,
            )
        )
        return sorted({row[0] for row in self.env.cr.fetchall()})
