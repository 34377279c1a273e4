# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL, format_datetime

LOST_AFTER = timedelta(minutes=30)
# After this, the next run begins anew, because Ramp's lists are different by then
LEFT_OFF = timedelta(hours=1)
# Runs deleted in one transaction
GC_BATCH = 10000
KEEP_EMPTY = timedelta(days=3)
KEEP = timedelta(days=180)
# Any number: first key of the advisory locks held by running processes
ALIVE = 1382116688


class RampRun(models.Model):
    """One run of one flow for one connection, shown as progress and as history."""

    _name = 'ramp.run'
    _description = 'Ramp Synchronization Run'
    _rec_names_search = ['connection_id']
    _order = 'id desc'

    connection_id = fields.Many2one('ramp.connection', required=True, readonly=True, index=True, ondelete='cascade')
    company_id = fields.Many2one('res.company', required=True, readonly=True, index=True)
    flow = fields.Selection(
        lambda self: self.env['ramp.record']._selection_flow(), string='Type', required=True, readonly=True
    )
    state = fields.Selection(
        [
            ('running', 'Running'),
            ('paused', 'To Be Continued'),
            ('done', 'Finished'),
            ('failed', 'Failed'),
            ('lost', 'Interrupted'),
        ],
        string='Status',
        required=True,
        default='running',
        readonly=True,
        index=True,
    )
    # All moments are the database's time, which workers on several machines share. The times of events and of users'
    # requests are compared with them.
    started_at = fields.Datetime(
        string='Started', required=True, readonly=True, default=lambda self: self.env.cr.now().replace(microsecond=0)
    )
    finished_at = fields.Datetime(string='Finished', readonly=True)
    duration = fields.Float(string='Seconds', digits=(16, 0), compute='_compute_duration')
    seen = fields.Integer(readonly=True, help='Objects that Ramp listed, or that Odoo compared with Ramp.')
    total = fields.Integer(
        string='Due Rows', readonly=True, help='Rows that were due when the run began to post or to send.'
    )
    processed = fields.Integer(string='Worked On', readonly=True, help='Rows that the run tried to post or to send.')
    created = fields.Integer(
        string='Posted or Sent', readonly=True, help='Documents created in Odoo, or changes that Ramp accepted.'
    )
    confirmed = fields.Integer(
        readonly=True, help='Outcomes that Ramp accepted, or objects that are the same in Ramp and in Odoo.'
    )
    held = fields.Integer(readonly=True, help='Records that a person has to settle first.')
    failed = fields.Integer(readonly=True, help='Records that are retried automatically.')
    reread = fields.Boolean(
        readonly=True, help='Whether the run also checked what was posted before for later changes in Ramp.'
    )
    listed = fields.Boolean(
        readonly=True,
        help='Whether the run read its lists to the end. If so, changes from before its start need not be listed '
        'again.',
    )
    left_off = fields.Json(
        readonly=True, help='Where the run stopped because its time was up. The next run continues from there.'
    )
    taken_up = fields.Json(readonly=True, help='Where the previous run stopped and this one continued.')
    scope = fields.Json(
        readonly=True,
        help='The settings of the connection that decided which objects the lists showed when the run started.',
    )
    begun_at = fields.Datetime(
        string='Begun',
        readonly=True,
        help='When the first of the runs that read the lists together started. Empty: this is the first one.',
    )
    message = fields.Text(readonly=True)
    failure_kind = fields.Selection(
        [('integration', 'Integration lost'), ('credentials', 'Client ID and secret refused')],
        string='Kind of Failure',
        readonly=True,
        help='Why the run failed, where a person has to do something before any run can succeed.',
    )
    progress = fields.Float(compute='_compute_progress', help='Percentage of the due rows that are done.')
    progress_text = fields.Char(compute='_compute_progress')

    @api.depends('flow', 'started_at')
    @api.depends_context('lang', 'tz')
    def _compute_display_name(self):
        labels = dict(self._fields['flow']._description_selection(self.env))
        for run in self:
            run.display_name = (
                f'{labels.get(run.flow, run.flow)}, {format_datetime(self.env, run.started_at, dt_format="short")}'
            )

    @api.model
    def _search_display_name(self, operator, value):
        """EXTENDS: Find runs by the words for their type, too, as the name shows them."""
        domain = super()._search_display_name(operator, value)
        if operator != 'ilike' or not value:
            return domain
        labels = self._fields['flow']._description_selection(self.env)
        flows = [flow for flow, label in labels if value.lower() in label.lower()]
        return domain | Domain('flow', 'in', flows)

    @api.depends('started_at', 'finished_at')
    def _compute_duration(self):
        for run in self:
            run.duration = ((run.finished_at or self.env.cr.now()) - run.started_at).total_seconds()

    @api.depends('processed', 'total', 'seen', 'state')
    def _compute_progress(self):
        for run in self:
            run.progress = (
                100.0 if run.state == 'done' else (100.0 * min(run.processed / run.total, 1) if run.total else 0)
            )
            label = dict(run._fields['flow']._description_selection(self.env)).get(run.flow, run.flow)
            if run.total:
                run.progress_text = self.env._(
                    '%(flow)s: %(processed)s of %(total)s', flow=label, processed=run.processed, total=run.total
                )
            elif run.flow and self.env[f'ramp.flow.{run.flow}']._sends:
                run.progress_text = self.env._('%s: comparing Odoo with Ramp', label)
            else:
                run.progress_text = self.env._('%(flow)s: %(seen)s read from Ramp', flow=label, seen=run.seen)

    @api.model
    def _last_reread_at(self, connection, flow):
        """Return the start of the last run that looked at everything again, or False."""
        domain = [('connection_id', '=', connection.id), ('flow', '=', flow), ('reread', '=', True)]
        return self.search(domain, order='id desc', limit=1)._pass_started_at()

    @api.model
    def _last_listed_at(self, connection, flow):
        """Return the start of the last run that read its lists to the end, or False."""
        domain = [('connection_id', '=', connection.id), ('flow', '=', flow), ('listed', '=', True)]
        return self.search(domain, order='id desc', limit=1)._pass_started_at()

    def _pass_started_at(self):
        """Return the moment (UTC) before the first page of the lists was read, or False without a run.

        This run or an earlier one that it continues may have read that page.
        """
        return self.begun_at or self.started_at

    @api.model
    def _start_run(self, connection, flow):
        """Create a run that continues where the last one stopped, if that was recent.

        Runs that a crash left behind are closed.
        """
        now = self.env.cr.now()
        self._close_lost_runs(connection)
        paused = self.search([('connection_id', '=', connection.id), ('flow', '=', flow), ('state', '=', 'paused')])
        values = {
            'connection_id': connection.id,
            'company_id': connection.company_id.id,
            'flow': flow,
            'scope': connection._scope_of_lists(),
        }
        # There is one at most, because the next run closes it
        for run in paused:
            # A saved place is void in other lists: those of another Ramp business, or from another start date
            if run.left_off and run.finished_at >= now - LEFT_OFF and run.scope == values['scope']:
                values.update(taken_up=run.left_off, begun_at=run._pass_started_at())
            run.state = 'done'
        run = self.create(values)
        # The lock belongs to the database session. It tells other workers that the process is alive, and ends with the
        # process in any case.
        self.env.cr.execute(SQL('SELECT pg_advisory_lock(%s, %s)', ALIVE, run.id))
        return run

    def _close_lost_runs(self, connection):
        """Close the runs of a connection, of any flow, that are still open although their process has ended.

        Odoo ends a process that takes too long.
        """
        running = self.search([('connection_id', '=', connection.id), ('state', '=', 'running')])
        if not running:
            return
        alive = {
            row[0]
            for row in self.env.execute_query(
                SQL(
                    """
            SELECT objid::bigint FROM pg_locks
             WHERE locktype = 'advisory' AND classid = %s AND objid = ANY(%s::oid[]) AND objsubid = 2
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """,
                    ALIVE,
                    running.ids,
                )
            )
        }
        # A session may outlive a run that could not be closed
        old = self.env.cr.now() - LOST_AFTER
        lost = running.filtered(lambda run: run.id not in alive or run.write_date < old)
        lost.write(
            {
                'state': 'lost',
                'finished_at': self.env.cr.now(),
                'message': self.env._('The process ended before the run did. The next run continued its work.'),
            }
        )

    def _leave_off(self, place):
        """Store where the next run continues, because the time of this one is up.

        :param place: JSON value of the flow
        """
        self.left_off = place

    def _finish_run(self, message=False, is_over=False, failure_kind=False):
        """Close the run.

        :param message: error message, or False
        :param is_over: the time was up before the run came to its end
        :param failure_kind: see the field
        """
        self.write(
            {
                'state': 'failed' if message else 'paused' if self.left_off or is_over else 'done',
                'message': message,
                'failure_kind': failure_kind,
                'finished_at': self.env.cr.now().replace(microsecond=0),
            }
        )
        # Written before other workers could take the run for one whose process has ended
        self.flush_recordset()
        self.env.cr.execute(SQL('SELECT pg_advisory_unlock(%s, %s)', ALIVE, self.id))

    def action_undo(self):
        """Open a new undo of what this run posted.

        :raise UserError: when nothing of it is in the books
        """
        self.ensure_one()
        self.check_access('read')
        undo = self.env['ramp.undo'].create({'connection_id': self.connection_id.id, 'scope': 'run', 'run_id': self.id})
        undo.action_prepare()
        return undo._get_records_action()

    @api.autovacuum
    def _gc_runs(self):
        """Delete runs that found nothing to do after days, and the others after months."""
        now = fields.Datetime.now()
        # Nightly checks are few, and one without findings tells since when everything is in order
        old = self.search(
            [
                '|',
                '&',
                ('state', '!=', 'running'),
                ('started_at', '<', now - KEEP),
                '&',
                '&',
                '&',
                '&',
                '&',
                ('state', '=', 'done'),
                ('seen', '=', 0),
                ('processed', '=', 0),
                ('confirmed', '=', 0),
                ('flow', '!=', 'watch'),
                ('started_at', '<', now - KEEP_EMPTY),
            ],
            limit=GC_BATCH + 1,
        )
        old[:GC_BATCH].unlink()
        # The rest follows in the next round of the same vacuum
        return min(len(old), GC_BATCH), max(0, len(old) - GC_BATCH)
