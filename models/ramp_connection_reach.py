# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import time
from datetime import timedelta

from odoo import fields, models
from odoo.tools import SQL, format_datetime

from .connection_constants import SETTINGS
from .run_memory import RunMemory

# Pauses before a job asks again whether Ramp answers
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(minutes=10)
# Client options while a user waits for an answer, on a page or in an uninstallation
ONE_TRY = {'max_attempts': 1, 'timeout': (3, 5), 'answer_seconds': 6}
# Seconds for all requests of one click
PATIENCE = 20


class RampConnection(models.Model):
    """Whether Ramp answers: one job finds out for all jobs of the connection, and the user sees it.

    Nothing is written as long as Ramp answers. If all attempts of a request get no answer, `silent_since` is set, and
    no job asks before `silent_until`. After that, the next job asks once. The first answer clears both fields and
    triggers the jobs.
    """

    _inherit = 'ramp.connection'

    silent_since = fields.Datetime(
        string='No Answer Since', readonly=True, copy=False, help='Since when Ramp has not answered.'
    )
    silent_until = fields.Datetime(
        string='Next Try',
        readonly=True,
        copy=False,
        help='While Ramp does not answer, no job asks it before this time.',
    )

    left_out = fields.Json(
        readonly=True,
        copy=False,
        help='Flows that the Ramp subscription does not include, according to the nightly check.',
    )
    looked_at = fields.Json(
        readonly=True,
        copy=False,
        help='Flows whose objects the nightly check has read completely at least once. Objects that are new since '
        'then appeared while this connection existed.',
        prefetch=SETTINGS,
    )

    def write(self, vals):
        """EXTENDS: Clear what is known about the address when the address or the state changes."""
        if not {'state', 'environment', 'api_url'}.isdisjoint(vals) and any(
            connection.silent_since for connection in self
        ):
            vals = {**vals, 'silent_since': False, 'silent_until': False}
        return super().write(vals)

    def _new_client(self, **options):
        """EXTENDS: Let a run try until its deadline; other callers, where a user waits, get one attempt."""
        memory = self.env.context.get('ramp_memory')
        if not isinstance(memory, RunMemory):
            return super()._new_client(**{**ONE_TRY, 'deadline': time.monotonic() + PATIENCE, **options})
        client = super()._new_client(
            **{
                'deadline': self.env['ramp.flow']._get_job_deadline(),
                'kept_answers': memory.kept_answers,
                **memory.reach_options,
                **options,
            }
        )
        memory.ramp_clients.append(client)
        return client

    def _request_sync(self):
        """EXTENDS: Ask Ramp at once, because the user wants to know now."""
        # sudo: see the extended method
        self.sudo().filtered('silent_until').silent_until = False
        return super()._request_sync()

    # ------------------------------------------------------------------ runs

    def _reach_options(self):
        """Return the client options for a new run, depending on whether Ramp answered before.

        The dictionary is empty, and nothing is written, if Ramp answers. If Ramp does not, only the first run after
        `silent_until` may ask, once.
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
                'Ramp has not answered since %(since)s. Odoo tries again at %(until)s.',
                since=self._format_short_moment(self.silent_since),
                until=self._format_short_moment(self.silent_until),
            )
        }

    def _note_reach(self, clients):
        """Store whether Ramp answered the run.

        :param clients: clients of the run
        :return: when to ask again, in UTC, or None
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
        """Note that Ramp answers again, and trigger the jobs that were kept from asking."""
        # sudo: any user's request may find that Ramp answers, but nobody enters these fields
        for connection in self.sudo().filtered('silent_since'):
            connection.write({'silent_since': False, 'silent_until': False})
            if connection.state == 'connected':
                for job in self._cron_jobs(flow for flow in self._flow_models() if flow._is_enabled_for(connection)):
                    job._trigger()

    def _next_try_at(self, now):
        """Return the moment when the time since the beginning of the silence has doubled, within bounds, in UTC."""
        return now + min(max(now - (self.silent_since or now), FIRST_PAUSE), LONGEST_PAUSE)

    def _format_short_moment(self, moment):
        return format_datetime(self.env, moment, tz=self._time_zone(), dt_format='short')
