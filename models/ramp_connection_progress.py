# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import SQL

# A user is told what became of a request for so long, even if a job has not run by then
OUTCOME_FOR = timedelta(minutes=15)


class RampConnection(models.Model):
    """The progress of the synchronization, for the connection's page."""

    _inherit = 'ramp.connection'

    sync_requested_by_id = fields.Many2one(
        'res.users',
        string='Last Sync Now By',
        readonly=True,
        copy=False,
        index='btree_not_null',
        help='Who requested a synchronization last. This person is shown what it did.',
    )
    sync_outcome = fields.Json(
        compute='_compute_sync_outcome',
        compute_sudo=True,
        help='What the synchronization did that the user has just requested: `text`, whether all jobs have run '
        '(`is_over`), and how many of them (`done` of `due`).',
    )

    def _compute_counts(self):
        counts = {connection.id: {} for connection in self}
        for connection, flow, state, count in self.env['ramp.record']._read_group(
            [('connection_id', 'in', self.ids)], ['connection_id', 'flow', 'state'], ['__count']
        ):
            counts[connection.id][flow, state] = count
        for connection in self:
            found = counts.get(connection.id, {})

            def count_in_states(*states, flow=None, found=found):
                return sum(count for (kind, state), count in found.items() if state in states and flow in (None, kind))

            connection.record_count = sum(found.values())
            connection.waiting_count = count_in_states('pending', 'done')
            connection.problem_count = count_in_states('error', 'held')
            connection.offer_counts = [
                {
                    'flow': flow._flow,
                    'label': flow._get_flow_label(),
                    'sent': count_in_states('confirmed', flow=flow._flow),
                    'waiting': count_in_states('pending', flow=flow._flow),
                    'problem': count_in_states('error', 'held', flow=flow._flow),
                    'left_out': count_in_states('ignored', flow=flow._flow),
                }
                for flow in self._flow_models()
                if flow._sends
            ]

    def _compute_last_sync(self):
        # Not stored, because jobs that end at the same moment would wait for each other
        for connection in self:
            connection.last_sync = (
                self.env['ramp.run']
                .search(
                    [('connection_id', 'in', connection.ids), ('finished_at', '!=', False)], order='id desc', limit=1
                )
                .finished_at
            )

    def _compute_progress(self):
        running = {}
        for run in self.env['ramp.run'].search(
            [('connection_id', 'in', self.ids), ('state', '=', 'running')], order='id'
        ):
            running[run.connection_id] = run
        for connection in self:
            run = running.get(connection)
            queued = connection.sync_requested_at and (
                not connection.last_sync or connection.last_sync < connection.sync_requested_at
            )
            if run:
                connection.run_state, connection.progress, connection.progress_text = (
                    'running',
                    run.progress,
                    run.progress_text,
                )
            else:
                connection.run_state = 'queued' if connection.state == 'connected' and queued else 'idle'
                connection.progress, connection.progress_text = 0, False

    # ------------------------------------------------------------------ what a request did

    @api.depends_context('uid', 'lang')
    def _compute_sync_outcome(self):
        now = self.env.cr.now()
        for connection in self:
            requested = connection.sync_requested_at
            connection.sync_outcome = (
                connection._find_sync_outcome()
                if requested
                and connection.sync_requested_by_id.id == self.env.uid
                and now - requested < OUTCOME_FOR
                and connection.state == 'connected'
                else False
            )

    def _find_sync_outcome(self):
        """Return the value of `sync_outcome` for the last request."""
        runs = self.env['ramp.run'].search(
            [('connection_id', '=', self.id), ('started_at', '>=', self.sync_requested_at)], order='id'
        )
        latest = {run.flow: run.state for run in runs}
        flows = [flow for flow in self._flow_models() if flow._is_enabled_for(self)]
        # A job that is switched off never runs
        due = [flow for flow in flows if flow._get_cron_id() and flow._get_cron_job().active]
        called = self._find_called_jobs(due)
        done = sum(
            # A run that began just before the request does not count, as the job is called once more
            flow._get_cron_id() not in called
            # A job that has nothing to send starts no run
            and (latest[flow._flow] in ('done', 'failed', 'lost') if flow._flow in latest else flow._sends)
            for flow in due
        )
        is_over = done == len(due)
        text = self._describe_runs(runs)
        if is_over and not text:
            text = self.env._('There was nothing new, in Ramp or in Odoo.')
        return {'is_over': is_over, 'text': text, 'done': done, 'due': len(due)}

    def _find_called_jobs(self, flows):
        """Return the ids of the jobs of these flows that were triggered, and have not run since."""
        # sudo: whether jobs wait is no secret, but only administrators may read their triggers
        triggers = (
            self.env['ir.cron.trigger']
            .sudo()
            .search_fetch(
                [('cron_id', 'in', self._cron_jobs(flows).ids), ('call_at', '<=', fields.Datetime.now())], ['cron_id']
            )
        )
        return set(triggers.cron_id.ids)

    def _describe_runs(self, runs):
        """Return what runs did, in words. The text is empty if they did nothing."""
        sent = runs.filtered(lambda run: self.env[f'ramp.flow.{run.flow}']._sends)
        counts = (
            (self.env._('Posted'), sum((runs - sent).mapped('created'))),
            (self.env._('sent to Ramp'), sum(sent.mapped('created'))),
            (self.env._('marked synced in Ramp'), sum((runs - sent).mapped('confirmed'))),
            (self.env._('on hold'), sum(runs.mapped('held'))),
            (self.env._('failed, will retry'), sum(runs.mapped('failed'))),
        )
        words = ', '.join(f'{label}: {count}' for label, count in counts if count)
        return f'{words[0].upper()}{words[1:]}.' if words else ''

    # ------------------------------------------------------------------ failures

    def _failing_runs(self):
        """Return the latest runs of the flows whose latest run failed.

        A flow that works says nothing about the others, so each flow's latest run counts.
        """
        self.ensure_one()
        self.env['ramp.run'].flush_model()
        rows = self.env.execute_query(
            SQL(
                """
                SELECT DISTINCT ON (flow) state, id FROM ramp_run
                 WHERE connection_id = %s AND state IN ('done', 'paused', 'failed') ORDER BY flow, id DESC
                """,
                self.id,
            )
        )
        return self.env['ramp.run'].browse([run for state, run in rows if state == 'failed'])

    def _latest_failure(self):
        """Return the messages of the flows whose latest run failed, or False."""
        return '\n'.join(sorted({message for message in self._failing_runs().mapped('message') if message})) or False
