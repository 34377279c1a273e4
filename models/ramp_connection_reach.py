# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import time
from datetime import timedelta

from odoo import fields, models
from odoo.tools import SQL, format_datetime

from .connection_constants import SETTINGS

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(minutes=10)  # between two looks whether Ramp answers again
# For whoever waits for an answer, with a page or an uninstallation before them
ONE_TRY = {'max_attempts': 1, 'timeout': (3, 5), 'answer_seconds': 6}
PATIENCE = 20  # seconds for all that one click asks


class RampConnection(models.Model):
    """Whether Ramp answers: known to all jobs of a connection, so that one finds out for all, and shown to whoever
    wonders.

    Nothing is written as long as Ramp answers. When nobody did, all tries of a request, `silent_since` says so, and
    nothing is asked before `silent_until`. Then the first job that comes asks, once; the first answer ends it, and
    wakes the jobs.
    """

    _inherit = 'ramp.connection'

    silent_since = fields.Datetime(
        string='No Answer Since', readonly=True, copy=False, help='Since when Ramp does not answer.'
    )
    silent_until = fields.Datetime(
        string='Next Try', readonly=True, copy=False, help='Before this moment no job asks a Ramp that does not answer.'
    )

    left_out = fields.Json(
        readonly=True,
        copy=False,
        help="Flows that Ramp's subscription does not include, as the nightly check found them.",
    )
    looked_at = fields.Json(
        readonly=True,
        copy=False,
        help='Flows whose objects the nightly check read as a whole, once at least: what is new since then came '
        'while this connection was there.',
        prefetch=SETTINGS,
    )

    def write(self, vals):
        """EXTENDS: what was found out of one address is nothing about another."""
        if not {'state', 'environment', 'api_url'}.isdisjoint(vals) and any(
            connection.silent_since for connection in self
        ):
            vals = {**vals, 'silent_since': False, 'silent_until': False}
        return super().write(vals)

    def _new_client(self, **options):
        """EXTENDS: a run has until its deadline, and tries again; whoever is no run is somebody who waits."""
        memory = self.env.context.get('ramp_memory')
        if memory is None:
            return super()._new_client(**{**ONE_TRY, 'deadline': time.monotonic() + PATIENCE, **options})
        client = super()._new_client(
            **{'deadline': self.env['ramp.flow']._get_job_deadline(), **memory.get('reach', {}), **options}
        )
        memory.setdefault('clients', []).append(client)
        return client

    def action_test_connection(self):
        """EXTENDS: Ramp answered."""
        action = super().action_test_connection()
        self._end_silence()
        return action

    def _request_sync(self):
        """EXTENDS: somebody wants to know now."""
        # see the method that is extended
        self.sudo().filtered('silent_until').silent_until = False
        return super()._request_sync()

    # ------------------------------------------------------------------ for runs

    def _reach_options(self):
        """Options of the client for a run that begins: how a Ramp that did not answer may be asked. No write if it
        does.
        """
        self.ensure_one()
        if not self.silent_since:
            return {}
        now = fields.Datetime.now()
        self.flush_recordset(['silent_until'])
        self.env.cr.execute(
            SQL(
                'UPDATE ramp_connection SET silent_until = %s WHERE id = %s AND (silent_until IS NULL OR silent_until '
                '<= %s) RETURNING id',
                self._next_try_at(now),
                self.id,
                now,
            )
        )
        is_first = bool(self.env.cr.fetchall())
        self.invalidate_recordset(['silent_until'])
        if is_first:
            return {'max_attempts': 1}
        return {
            'closed': self.env._(
                'Ramp has not answered since %(since)s. It is asked again at %(until)s',
                since=self._format_short_moment(self.silent_since),
                until=self._format_short_moment(self.silent_until),
            )
        }

    def _note_reach(self, clients):
        """Write down what a run found: nobody answered in the end, or somebody did again.

        :param clients: of the run
        :return: when somebody should look again, or None
        """
        self.ensure_one()
        if any(client.silence for client in clients):
            now = fields.Datetime.now()
            self.write({'silent_since': self.silent_since or now, 'silent_until': self._next_try_at(now)})
            return self.silent_until
        if any(client.answered for client in clients):
            self._end_silence()
        return None

    def _end_silence(self):
        """Ramp answers again: whoever was kept from asking asks now."""
        # anybody who may ask Ramp may find that it answers; the fields are nobody's to type
        for connection in self.sudo().filtered('silent_since'):
            connection.write({'silent_since': False, 'silent_until': False})
            if connection.state == 'connected':
                for job in self._cron_jobs(flow for flow in self._flow_models() if flow._is_enabled_for(connection)):
                    job._trigger()

    def _next_try_at(self, now):
        """Twice as long after the beginning of the silence as now, in bounds."""
        return now + min(max(now - (self.silent_since or now), FIRST_PAUSE), LONGEST_PAUSE)

    def _format_short_moment(self, moment):
        return format_datetime(self.env, moment, tz=self._time_zone(), dt_format='short')
