# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from datetime import timedelta

import psycopg2

from odoo import api, fields, models
from odoo.tools import SQL
from odoo.tools.constants import GC_UNLINK_LIMIT

KEEP = timedelta(days=30)  # much longer than Ramp tries again
MAX_ID = 200


class RampEvent(models.Model):
    """An event that Ramp sent: each once, so that a repeat does nothing. It wakes jobs, which ask Ramp what there is."""

    _name = 'ramp.event'
    _description = 'Ramp Event'
    _order = 'id desc'
    _rec_name = 'type'
    _log_access = False

    connection_id = fields.Many2one('ramp.connection', required=True, readonly=True, ondelete='cascade')
    event_id = fields.Char(required=True, readonly=True)
    type = fields.Char(required=True, readonly=True)
    object_id = fields.Char(readonly=True, help='What changed in Ramp.')
    received_at = fields.Datetime(required=True, readonly=True)

    _once = models.UniqueIndex('(connection_id, event_id)')
    _latest = models.Index('(connection_id, received_at)')

    @api.model
    def _take(self, connection, event):
        """Store an event and wake the jobs that it is for; returns whether it was one, and new."""
        flows = [flow for flow in connection._flows() if event.type in flow._events and flow._enabled(connection)]
        if not flows or len(event.id) > MAX_ID or not event.id.isprintable():
            return False
        try:
            # one statement, as Ramp waits; the error is expected
            self.env.cr.execute(SQL(
                """
                INSERT INTO ramp_event (connection_id, event_id, type, object_id, received_at) VALUES (%s, %s, %s, %s, %s)
                ON CONFLICT (connection_id, event_id) DO NOTHING RETURNING id
                """, connection.id, event.id, event.type, event.object_id, fields.Datetime.now()), log_exceptions=False)
        except psycopg2.errors.SerializationFailure:
            self.env.cr.rollback()
            if not self.search_count([('connection_id', '=', connection.id), ('event_id', '=', event.id)], limit=1):
                raise  # something else was in the way: it is taken again from the start
            return False  # it was sent twice at once, and the other one was committed a moment ago
        is_new = bool(self.env.cr.fetchall())
        for flow in flows if is_new else ():
            flow._trigger()
        return is_new

    @api.autovacuum
    def _gc_events(self):
        events = self.search([('received_at', '<', fields.Datetime.now() - KEEP)], limit=GC_UNLINK_LIMIT)
        events.unlink()
        return len(events), len(events) == GC_UNLINK_LIMIT
