# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import logging
import time
from datetime import timedelta

from odoo import api, models
from odoo.exceptions import RedirectWarning, UserError
from odoo.tools import SQL, LazyTranslate

from ...models.ramp_undo import STAGES
from ...ramp_api import RampOutOfTime
from .flow import is_of_object
from .reasons import Held

_lt = LazyTranslate(__name__)

_logger = logging.getLogger(__name__)

BATCH = 50  # objects undone in one transaction
# After this, the job looks again at what another job had locked
LOCKED_PAUSE = timedelta(minutes=1)


class RampUndo(models.Model):
    """The job that undoes what was confirmed.

    The documents of a batch, their rows and their lines are committed together. So a job that was killed continues
    with the lines that are still to do, and nothing is undone twice. Stages go one after the other, as an object can be
    undone only after what depends on it.
    """

    _inherit = 'ramp.undo'

    def _trigger_job(self, at=None):
        # sudo: jobs belong to the system, but who confirms an undo decides that it runs
        self.env.ref('ramp_connector.cron_undo').sudo()._trigger(at=at)

    @api.model
    def _cron_run(self):
        """Undo what is confirmed, as the entry point of the job. It continues in another call when its time is up."""
        deadline = time.monotonic() + self.env['ramp.flow']._get_job_seconds()
        for undo in self.search([('state', 'in', ('queued', 'running'))], order='id'):
            connection, user = undo.connection_id, undo.started_by_id
            undo = undo.with_company(undo.company_id).with_context(
                allowed_company_ids=undo.company_id.ids,
                lang=user.lang or self.env.lang,
                tz=connection._time_zone(),
                ramp_deadline=deadline,
            )
            try:
                is_over = undo._run_stages()
            except RampOutOfTime:
                self.env.cr.rollback()
                undo._trigger_job()
                is_over = False
            if not is_over:
                self.env['ir.cron']._commit_progress()
                return

    def _run_stages(self):
        """Undo the lines that are still to do.

        :return: False when the job has to be called again, which is requested
        """
        flow_base = self.env['ramp.flow']
        flow_base._transaction(self._mark_running)
        for name, _area in STAGES:
            if not self._count_todo(name):
                continue
            flow = self.env[f'ramp.flow.{name}']
            while True:
                with self._get_booking_lock(flow):
                    count = flow_base._transaction(self._undo_next_batch, name)
                if not count:
                    break
                if flow_base._is_job_time_up():
                    self._trigger_job()
                    return False
            if self._count_todo(name):
                # Another job has locked these. What they depend on has to wait for them.
                self._trigger_job(self.env.cr.now() + LOCKED_PAUSE)
                return False
        flow_base._transaction(self._mark_done)
        return True

    def _get_booking_lock(self, flow):
        """Return the lock under which a flow posts, so that it does not post at the same moment."""
        book = flow if hasattr(flow, '_exclusive_booking') else self.env['ramp.flow.book']
        return book._exclusive_booking(self.connection_id)

    def _count_todo(self, flow):
        return self.env['ramp.undo.line'].search_count(
            [('undo_id', '=', self.id), ('flow', '=', flow), ('outcome', '=', 'todo')], limit=1
        )

    def _mark_running(self):
        if self.state == 'queued':
            self.state = 'running'
        # Rows that somebody removed in the meantime have nothing that could be undone.
        self.env['ramp.undo.line'].search(
            [('undo_id', '=', self.id), ('outcome', '=', 'todo'), ('record_id', '=', False)]
        ).outcome = 'gone'

    def _mark_done(self):
        self.write({'state': 'done', 'finished_at': self.env.cr.now().replace(microsecond=0)})

    def _undo_next_batch(self, flow):
        """Undo the next objects of a flow, in one transaction.

        :return: how many were looked at
        """
        lines = self._take_next_lines(flow)
        for line in lines:
            line._undo_object()
        return len(lines)

    def _take_next_lines(self, flow):
        """Lock and return lines that are to do, with their rows, the newest document first.

        The last number of a journal can be deleted without a gap, so what was posted last goes first.
        """
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
            SELECT l.id FROM ramp_undo_line l JOIN ramp_record r ON r.id = l.record_id
             WHERE l.undo_id = %s AND l.flow = %s AND l.outcome = 'todo'
             ORDER BY r.res_id DESC, r.id DESC LIMIT %s
               FOR UPDATE OF l, r SKIP LOCKED
            """,
                self.id,
                flow,
                BATCH,
            )
        )
        return self.env['ramp.undo.line'].browse(row[0] for row in self.env.cr.fetchall())

    def _ends_sequence(self, move):
        """Return whether no document that stays has a later number of a document's sequence.

        Odoo lets accounting administrators make gaps, which is not what an undo is for.
        """
        self.env['account.move'].flush_model(['journal_id', 'sequence_prefix', 'sequence_number'])
        self.env.cr.execute(
            SQL(
                """
            SELECT NOT EXISTS (
                SELECT FROM account_move m
                 WHERE m.journal_id = %s AND m.sequence_prefix = %s AND m.sequence_number > %s AND m.id <> %s
                   AND NOT EXISTS (SELECT FROM ramp_undo_move_rel d WHERE d.undo_id = %s AND d.move_id = m.id))
            """,
                move.journal_id.id,
                move.sequence_prefix,
                move.sequence_number,
                move.id,
                self.id,
            )
        )
        return self.env.cr.fetchone()[0]

    def _get_undo_text(self):
        """Return why documents are undone, as text for documents."""
        return self.env._('Undone by %(user)s: %(reason)s', user=self.started_by_id.name, reason=self.reason)


class RampUndoLine(models.Model):
    _inherit = 'ramp.undo.line'

    def _undo_object(self):
        """Undo one object, and note what became of it. If that fails, nothing of it changes."""
        self.ensure_one()
        record, undo = self.record_id, self.undo_id
        if not record.res_id:
            self.write({'outcome': 'gone', 'words': self.env._('It was undone or deleted in the meantime.')})
            return
        document = self.env[record.res_model].browse(record.res_id).exists()
        values = {
            'document_name': document.display_name if document else False,
            'was_told': record.is_told,
            'move_id': False,
        }
        flow = self.env[f'ramp.flow.{self.flow}']
        try:
            with self.env.cr.savepoint():
                done = flow._withdraw_object(undo.connection_id.with_env(self.env), record, undo)
                flow._close_withdrawn_row(
                    record, _lt('Undone by %(user)s: %(reason)s', user=undo.started_by_id.name, reason=undo.reason)
                )
                self.env.flush_all()
            values.update(outcome=done.outcome, words=done.words)
        except Held as reason:
            values.update(
                outcome='kept',
                words=reason.in_language(self.env.lang),
                move_id=reason.move.exists().id if reason.move else False,
            )
        except (UserError, RedirectWarning) as error:
            values.update(outcome='kept', words=self.env._('Odoo refused it: %s', error.args[0]))
        except Exception as error:
            if not is_of_object(error, undone=True):
                raise
            _logger.exception('Ramp: %s could not be undone', record.ramp_id)
            values.update(
                outcome='kept',
                words=self.env._('It failed (%s). The server log has the details.', type(error).__name__),
            )
        self.write(values)
