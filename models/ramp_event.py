# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from datetime import timedelta

import psycopg2

from odoo import api, fields, models
from odoo.tools import SQL
from odoo.tools.constants import GC_UNLINK_LIMIT

KEEP = timedelta(days=30)  # much longer than Ramp tries again
CALLED = timedelta(seconds=5)  # in which a job that was called is expected to begin


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
    def _store_and_call(self, connection, event):
        """Store an event and call the jobs that it is for; returns whether there are such that sleep: see
        `ir.cron._notifydb`.
        """
        flows = [
            flow
            for flow in connection._flow_models()
            if event.type in flow._events and flow._is_enabled_for(connection)
        ]
        if not flows:
            return False
        try:
            return self._store_event(connection, event) and self._call_jobs(flows)
        except psycopg2.errors.SerializationFailure:
            # It was sent twice at once, or a job has just begun: seen with what is committed now, nothing is in the
            # way. At once, as
            # Odoo's own next try comes up to two seconds later, and Ramp waits.
            self.env.cr.rollback()
            return self._store_event(connection, event) and self._call_jobs(flows)

    def _store_event(self, connection, event):
        """Whether the event is new. One statement, as Ramp waits; the error is expected."""
        self.env.cr.execute(
            SQL(
                """
            INSERT INTO ramp_event (connection_id, event_id, type, object_id, received_at) VALUES (%s, %s, %s, %s, %s)
            ON CONFLICT (connection_id, event_id) DO NOTHING RETURNING id
            """,
                connection.id,
                event.id,
                event.type,
                event.object_id,
                self.env.cr.now().replace(microsecond=0),
            ),
            log_exceptions=False,
        )
        return bool(self.env.cr.fetchall())

    def _call_jobs(self, flows):
        """Call the jobs of these flows, but those that are called already: one run does for many events. Returns
        whether there are such.

        A job that begins deletes what called it. So what is locked does not count, and what is not locked is kept until
        this event is committed: the job then begins after it. Nor does what waits for long, as whoever called may have
        died before the jobs heard.
        """
        now = self.env.cr.now().replace(microsecond=0)  # the database's time: by that, jobs are due
        self.env.cr.execute(
            SQL(
                """
            INSERT INTO ir_cron_trigger (cron_id, call_at)
                 SELECT id, %(now)s FROM ir_cron
                  WHERE id = ANY(%(crons)s) AND active AND NOT EXISTS (
                        SELECT FROM ir_cron_trigger WHERE cron_id = ir_cron.id AND call_at BETWEEN %(since)s AND %(now)s
                           FOR KEY SHARE SKIP LOCKED)
              RETURNING id
            """,
                now=now,
                since=now - CALLED,
                crons=[cron for flow in flows if (cron := flow._get_cron_id())],
            ),
            log_exceptions=False,
        )
        return bool(self.env.cr.fetchall())

    @api.autovacuum
    def _gc_events(self):
        events = self.search([('received_at', '<', fields.Datetime.now() - KEEP)], limit=GC_UNLINK_LIMIT)
        events.unlink()
        return len(events), len(events) == GC_UNLINK_LIMIT
