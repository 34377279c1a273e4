# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from datetime import timedelta

from odoo import api, fields, models

from .check_answers import CheckResult

# A job that is due for longer is late
LATE = timedelta(hours=1)
# Failures of a job in a row, and processes that ended early in a day, from which something is wrong
MOST_FAILURES = 3
DAY = timedelta(days=1)


class RampConnectionCheck(models.Model):
    """Checks of the jobs: whether they are switched on, run, and come to their end."""

    _inherit = 'ramp.connection.check'

    def _jobs_of_flows(self, connection):
        """Return the jobs of the flows that are switched on, as {flow name: job}."""
        flows = {
            flow._flow: flow._get_cron_id() for flow in connection._flow_models() if flow._is_enabled_for(connection)
        }
        # Read together
        jobs = self.env['ir.cron'].browse([job for job in flows.values() if job])
        found = jobs.grouped('id')
        return {flow: found[job] for flow, job in flows.items() if job}

    def _judge_jobs(self, connection, answers):
        if connection.state != 'connected':
            return CheckResult('ok', 'draft')
        jobs = self._jobs_of_flows(connection)
        stopped = [flow for flow, job in jobs.items() if not job.active]
        if stopped:
            return CheckResult('error', 'stopped', {'stopped_flows': stopped}, 'switch_jobs')
        failing = [flow for flow, job in jobs.items() if job.failure_count >= MOST_FAILURES]
        if failing:
            return CheckResult('warning', 'failing', {'failing_flows': failing})
        return CheckResult('ok', 'active', {'count': len(jobs)})

    def _judge_workers(self, connection, answers):
        if connection.state != 'connected':
            return CheckResult('ok', 'draft')
        now = self.env.cr.now()
        # Jobs that were off before Connect have been due for as long
        begun = connection.connected_at or now
        Run = self.env['ramp.run']
        # A job that has more to do than its time allows is called again and stays due
        running = {
            flow
            for (flow,) in Run._read_group(
                [('connection_id', '=', connection.id), ('started_at', '>', now - LATE)], ['flow']
            )
        }
        late = {
            flow: due
            for flow, job in self._jobs_of_flows(connection).items()
            if job.active and flow not in running and (due := max(job.nextcall, begun)) + LATE < now
        }
        if late:
            since = fields.Datetime.to_string(min(late.values()))
            if not running:
                return CheckResult('error', 'idle', {'since_moment': since})
            return CheckResult('warning', 'late', {'late_flows': sorted(late), 'since_moment': since})
        lost = Run.search_count(
            [('connection_id', '=', connection.id), ('state', '=', 'lost'), ('started_at', '>', now - DAY)]
        )
        if lost >= MOST_FAILURES:
            return CheckResult('warning', 'lost', {'count': lost})
        return CheckResult('ok', 'running')

    # ------------------------------------------------------------------ words

    @api.model
    def _get_sentences(self):
        """EXTENDS: Add the sentences of these checks."""
        return {
            **super()._get_sentences(),
            ('jobs', 'active'): self.env._('All %(count)s jobs of what is switched on are active.'),
            ('jobs', 'stopped'): self.env._(
                'These jobs are switched off, so what they do does not happen: %(stopped_flows)s. Somebody archived '
                'them, or Odoo did after they failed for a week. Switch them on.'
            ),
            ('jobs', 'failing'): self.env._(
                'These jobs failed several times in a row: %(failing_flows)s. Odoo switches off a job that fails for '
                'a week. The server log has the reason. Give it to your server administrator.'
            ),
            ('workers', 'running'): self.env._('The jobs run when they are due.'),
            ('workers', 'idle'): self.env._(
                'A job was due at %(since_moment)s, and none has run since. Nothing is read or sent. Let your server '
                'administrator check that a process for jobs is running (max_cron_threads).'
            ),
            ('workers', 'late'): self.env._(
                'These jobs have been waiting since %(since_moment)s or later for a free process: %(late_flows)s. '
                'Other jobs take the time. Let your server administrator add processes for jobs (max_cron_threads).'
            ),
            ('workers', 'lost'): self.env._(
                '%(count)s runs of the last day were ended before they came to their end. Nothing is lost, as the next '
                'run continues. Let your server administrator compare the limits of time and memory '
                '(limit_time_real_cron, limit_memory_hard) with the server log.'
            ),
        }

    @api.model
    def _get_fix_labels(self):
        """EXTENDS: Add the buttons of these checks."""
        return {**super()._get_fix_labels(), 'switch_jobs': self.env._('Switch Them On')}

    # ------------------------------------------------------------------ buttons

    def _fix_switch_jobs(self):
        self.connection_id._switch_crons()
        self._judge_again()
        return True
