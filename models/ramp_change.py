# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL


class RampChange(models.Model):
    """What changed in Odoo and has not been looked at by its push flow yet.

    Why not the ledger's rows themselves: the job that sends writes those all the time, and two transactions that write
    one row collide. A person who saves an account, or imports ten thousand, must neither wait for the job nor be rolled
    back by it; rows that are only ever added here cannot meet. The job moves them into the ledger before anything else.
    """

    _name = 'ramp.change'
    _description = 'Ramp: changes in Odoo to be looked at'
    _log_access = False

    flow = fields.Char(required=True)
    res_id = fields.Many2oneReference(model_field='flow', required=True)

    _of_flow = models.Index('(flow, res_id)')

    @api.model
    def _note(self, flow, records, domain):
        """Note the records that a connection wants, or that Ramp knows already; returns whether there were any.

        One statement, in the caller's transaction.
        """
        Model = records.sudo().with_context(active_test=False)  # what is noted is decided by the connection, not by the user's rights
        wanted = Model._search(domain & Domain('id', 'in', records.ids), order=None)
        noted = self.env.execute_query(SQL(
            """
            INSERT INTO ramp_change (flow, res_id)
            SELECT %(flow)s, id FROM %(table)s
             WHERE id = ANY(%(ids)s) AND (id IN %(wanted)s OR EXISTS (
                SELECT FROM ramp_record r WHERE r.res_model = %(model)s AND r.res_id = %(table)s.id AND r.flow = %(flow)s))
            RETURNING id
            """, flow=flow, table=SQL.identifier(records._table), ids=list(records.ids), wanted=wanted.subselect(), model=records._name))
        return bool(noted)

    @api.model
    def _collect(self, flow):
        """Take what was noted for a flow; returns the ids of the records, to be marked in this same transaction."""
        self.env.cr.execute(SQL(
            """
            DELETE FROM ramp_change WHERE id IN (SELECT id FROM ramp_change WHERE flow = %s ORDER BY id FOR UPDATE SKIP LOCKED)
            RETURNING res_id
            """, flow))
        return sorted({row[0] for row in self.env.cr.fetchall()})
