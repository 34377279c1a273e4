# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from datetime import timedelta

import psycopg2

from odoo import api, fields, models
from odoo.tools import SQL
from odoo.tools.constants import GC_UNLINK_LIMIT

# Much longer than Ramp keeps sending an event again
KEEP = timedelta(days=30)
# Time within which a triggered job should begin
CALLED = timedelta(seconds=5)


class RampEvent(models.Model):
    """An event that Ramp sent. Each is stored once, so that a repetition does nothing.

    Events trigger jobs, which ask Ramp what changed.
    """

    _name = 'ramp.event'
    _description = 'Ramp Event'
    _order = 'id desc'
    _rec_name = 'type'
    _log_access = False

    connection_id = fields.Many2one('ramp.connection', required=True, readonly=True, ondelete='cascade')
    event_id = fields.Char(required=True, readonly=True)
    type = fields.Char(required=True, readonly=True)
    object_id = fields.Char(readonly=True, help='The object that changed in Ramp.')
    received_at = fields.Datetime(required=True, readonly=True)

    _once = models.UniqueIndex('(connection_id, event_id)')
    _latest = models.Index('(connection_id, received_at)')

    @api.model
    def _store_and_call(self, connection, event):
        """Store an event and trigger the jobs that it is for.

        :return: whether any job was triggered that the scheduler has to be woken for; see `ir.cron._notifydb`
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
            # Ramp sent the event twice at the same moment, or a job has just begun. With a new snapshot nothing is in
            # the way. Try again at once: Odoo's own retry comes up to two seconds later, and Ramp waits for the answer.
            self.env.cr.rollback()
            return self._store_event(connection, event) and self._call_jobs(flows)

    def _store_event(self, connection, event):
        """Store an event in one statement, because Ramp waits; return whether it is new.

        The statement may fail with a serialization error, which `_store_and_call` expects, so errors are not logged.
        """
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
        """Trigger the jobs of these flows, unless they are triggered already: one run handles many events.

        A job that begins deletes its trigger. So a locked trigger does not count, because its job has begun. A free
        trigger is locked until this event is committed, so the job begins after that. A trigger that waits for long
        does not count either, because the process that made it may have ended before it woke the scheduler.

        :return: whether any job was triggered
        """
        # The time of the database, by which jobs are due
        now = self.env.cr.now().replace(microsecond=0)
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
