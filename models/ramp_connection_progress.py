# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models


class RampConnection(models.Model):
    """The progress of the synchronization, for the connection's page."""

    _inherit = 'ramp.connection'

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
                .search([('connection_id', '=', connection.id), ('finished_at', '!=', False)], order='id desc', limit=1)
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

    def _latest_failure(self):
        """Return the messages of the flows whose latest run failed, or False.

        A flow that works says nothing about the others, so each flow's latest run counts.
        """
        self.ensure_one()
        self.env['ramp.run'].flush_model()
        self.env.cr.execute(
            """
            SELECT DISTINCT ON (flow) state, message FROM ramp_run
             WHERE connection_id = %s AND state IN ('done', 'paused', 'failed') ORDER BY flow, id DESC
            """,
            [self.id],
        )
        return (
            '\n'.join(sorted({message for state, message in self.env.cr.fetchall() if state == 'failed' and message}))
            or False
        )
