# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
from datetime import timedelta

from psycopg2.extras import Json

from odoo import api, models
from odoo.tools import SQL, LazyTranslate

from .ledger_notes import JsonNote, LedgerNote
from .ramp_record import OPEN_STATES
from .run_memory import run_memory

_lt = LazyTranslate(__name__)

MAX_ATTEMPTS = 8
FIRST_DELAY = timedelta(minutes=1)
LONGEST_DELAY = timedelta(hours=6)
# Longest wait before Ramp is sent the outcome of a posted object again
UNTOLD_DELAY = timedelta(hours=1)


class RampRecord(models.Model):
    """What became of rows: posted, confirmed, on hold, waiting, left out, failed, undone.

    These methods run in background jobs as superuser. None can be called over RPC (leading underscore).
    """

    _inherit = 'ramp.record'

    # ------------------------------------------------------------------ posted, confirmed and reported

    def _mark_booked(self, documents, sync_key, told=True, again=False):
        """Link each row to its document, in one statement and in the document's transaction.

        :param sync_key: key of the confirmation; None: not known yet, or never confirmed (with `told` False)
        :param told: whether Ramp is to be sent the outcome
        :param again: whether the document takes another's place; an outcome that Ramp accepted is not sent again then
        """
        if not self:
            return
        values = SQL(', ').join(
            SQL('(%s, %s, %s)', record.id, document._name, document.id)
            for record, document in zip(self, documents, strict=True)
        )
        self.env.cr.execute(
            SQL(
                """
            UPDATE ramp_record r
               SET state = CASE WHEN is_told AND %s THEN 'confirmed' ELSE %s END, res_model = v.res_model, res_id = v.res_id,
                   sync_key = %s, error_message = NULL,
                   reason = NULL, attempts = 0,
                   hold_reason = NULL, next_attempt = NULL, reason_move_id = NULL, write_date = %s,
                   booked_run_id = COALESCE(%s, booked_run_id)
              FROM (VALUES %s) AS v(id, res_model, res_id) WHERE r.id = v.id
            """,
                again,
                'done' if told else 'confirmed',
                sync_key,
                self.env.cr.now(),
                run_memory(self.env).run_id,
                values,
            )
        )
        self.invalidate_recordset()

    def _read_note(self, note_class=LedgerNote):
        """Return what the document of this row already shows of its object.

        The note is a copy: `_store_noted` stores it.

        :param note_class: class of the flow's notes; `LedgerNote` names only the keys that all flows share
        """
        return note_class.from_json(self.noted)

    @api.model
    def _store_noted(self, noted):
        """Store what the documents already show of their objects, in one statement.

        :param noted: {row id: note, or its JSON value}
        """
        if not noted:
            return
        values = SQL(', ').join(
            SQL('(%s, %s)', identity, Json(note.to_json() if isinstance(note, JsonNote) else note))
            for identity, note in noted.items()
        )
        # Not logged on failure, because the statement contains texts from Ramp
        self.env.cr.execute(
            SQL(
                'UPDATE ramp_record r SET noted = v.noted::jsonb FROM (VALUES %s) AS v(id, noted) WHERE r.id = v.id',
                values,
            ),
            log_exceptions=False,
        )
        self.invalidate_model(['noted'])

    def _mark_confirmed(self):
        """Store that Ramp accepted the outcome."""
        # Not the transaction's time, but clock_timestamp: a page requested before this moment is out of date
        self.env.cr.execute(
            SQL(
                """
            UPDATE ramp_record
               SET state = 'confirmed', confirmed_at = clock_timestamp() AT TIME ZONE 'UTC', error_message = NULL,
                   reason = NULL, attempts = 0,
                   next_attempt = NULL, hold_reason = NULL, is_told = TRUE
             WHERE id = ANY(%s)
            """,
                self.ids,
            )
        )
        self.invalidate_recordset()

    def _mark_reported(self):
        """Store that Ramp knows the reason."""
        self.env.cr.execute(
            SQL(
                'UPDATE ramp_record SET reported_hash = md5(error_message), reports = COALESCE(reports, 0) + 1 WHERE '
                'id = ANY(%s)',
                self.ids,
            )
        )
        self.invalidate_recordset(['reported_hash', 'reports'])

    def _get_posted_state(self):
        """Return the state of a row whose document is in the books: whether Ramp knows it, or has to be told."""
        self.ensure_one()
        return 'confirmed' if self.is_told or not self.env[f'ramp.flow.{self.flow}']._sync_type else 'done'

    def _release_posted(self):
        """Take a row off hold whose document is in the books."""
        self.ensure_one()
        self.write(
            {
                'state': self._get_posted_state(),
                'error_message': False,
                'reason': False,
                'hold_reason': False,
                'reason_move_id': False,
            }
        )

    # ------------------------------------------------------------------ not posted

    def _mark_held(self, reason, move=None):
        """Put the row on hold for a person; the reason goes to the error inbox and to Ramp.

        The row is looked at again in every run.

        :param reason: see `_reason_values`
        :param move: document in Odoo that is in the way, if there is one
        """
        self.ensure_one()
        move, values = move or self.env['account.move'], self._reason_values(reason)
        if (self.hold_reason, self.error_message, self.reason, self.reason_move_id) != (
            'question',
            values['error_message'],
            values['reason'],
            move,
        ):
            self.write(
                {
                    **values,
                    'state': 'held',
                    'hold_reason': 'question',
                    'next_attempt': False,
                    'attempts': self.attempts + 1,
                    'reason_move_id': move.id,
                }
            )

    def _mark_waiting(self, reason):
        """Let the row wait, because Ramp has not finished with the object; this is no error.

        :param reason: see `_reason_values`
        """
        self.ensure_one()
        values = self._reason_values(reason)
        if (self.state, self.error_message) != ('pending', values['error_message']):
            self.write({**values, 'state': 'pending', 'hold_reason': False, 'next_attempt': False})

    def _ignore_by_rule(self, reason):
        """Leave the object out by rule. It comes back by itself when Ramp changes it, or offers it again.

        A stored reason that begins with the same sentence is kept. For an archived bill, it also names the reversal.

        :param reason: see `_reason_values`
        """
        self.ensure_one()
        values = self._reason_values(reason)
        if self.error_message and self.error_message.startswith(values['error_message']):
            values = {}
        self.write({**values, 'state': 'ignored', 'hold_reason': 'rule', 'next_attempt': False})

    def _ignore_out_of_scope(self, reason, counts=False):
        """Ignore rows that have left the connection's scope, and leave them out of what Ramp says is owed.

        :param counts: still count them; a statement may list objects from before the start date, and has to add up
        """
        records = self.filtered(
            lambda record: record.state != 'ignored' or not counts and (record.has_moved or record.open_amount)
        )
        records.try_lock_for_update().write(
            {
                'state': 'ignored',
                **self._make_reason(self.connection_id[:1], reason),
                'hold_reason': 'rule',
                'next_attempt': False,
                **({} if counts else {'has_moved': False, 'open_amount': False}),
            }
        )

    def _mark_failed(self, reason):
        """Store a failure of this object that may pass.

        The next run tries again, then the delays grow. After `MAX_ATTEMPTS` failures in a row, the row is put on hold
        for a person. A posted row is never put on hold here: its outcome is sent until Ramp accepts it, see
        `_note_untold`.

        :param reason: see `_reason_values`
        """
        self.ensure_one()
        is_booked = self.state == 'done'
        attempts = 1 + (self.attempts if self.state in ('error', 'done') else 0)
        values = {**self._reason_values(reason), 'attempts': attempts, 'hold_reason': False, 'next_attempt': False}
        if attempts >= MAX_ATTEMPTS and not is_booked:
            values.update(state='held', hold_reason='exhausted')
        else:
            values['state'] = 'done' if is_booked else 'error'
            if attempts > 1:
                values['next_attempt'] = self.env.cr.now() + min(
                    FIRST_DELAY * 2 ** min(attempts - 2, MAX_ATTEMPTS), UNTOLD_DELAY if is_booked else LONGEST_DELAY
                )
        self.write(values)

    def _retry_next_run(self, reason):
        """Let every run try the row, because Ramp did not answer.

        This is no failure of the object and does not count as one.

        :param reason: see `_reason_values`
        """
        self.ensure_one()
        values = self._reason_values(reason)
        if (self.state, self.error_message) != ('error', values['error_message']):
            self.write({**values, 'state': 'error', 'hold_reason': False, 'next_attempt': False})

    # ------------------------------------------------------------------ undone

    def _reopen_for_booking(self):
        """Let objects be posted again after their documents were undone.

        The new documents are confirmed under new sync keys.
        """
        self.flush_recordset()
        # The ORM would write 0 for "no document"; the indexes and the flows expect NULL
        self.env.cr.execute(
            SQL(
                """
            UPDATE ramp_record
               SET state = 'pending', res_model = NULL, res_id = NULL, sync_key = NULL, sync_attempt = COALESCE(sync_attempt, 0) + 1,
                   error_message = NULL, reason = NULL, attempts = 0, next_attempt = NULL, hold_reason = NULL, noted = NULL
             WHERE id = ANY(%s)
            """,
                self.ids,
            )
        )
        self.invalidate_recordset()

    def _mark_unbooked(self, reason):
        """Let the row wait after its document was undone, when Ramp has nothing to post in its place.

        A change in Ramp makes the row due.
        """
        self.ensure_one()
        self._reopen_for_booking()
        self._mark_waiting(reason)

    def _reopen_payment(self):
        """Let payments be compared again after the documents that they paid were posted anew.

        They then pay the new documents instead of the former ones.
        """
        self.flush_recordset()
        self.env.cr.execute(
            SQL(
                """
            UPDATE ramp_record
               SET state = 'pending', sync_key = NULL, sync_attempt = COALESCE(sync_attempt, 0) + 1, error_message = NULL,
                   reason = NULL, attempts = 0,
                   next_attempt = NULL, hold_reason = NULL, noted = noted - 'credits'
             WHERE id = ANY(%s)
            """,
                self.ids,
            )
        )
        self.invalidate_recordset()

    def _mark_vanished(self, moment):
        """Store that Ramp no longer has these objects, so they no longer count in Ramp's figures.

        A person has to undo their documents (see `_find_changed_documents` of `ramp.flow.watch`).
        """
        for record in self:
            if record.res_id:
                record.noted = dataclasses.replace(record._read_note(), vanished=moment.isoformat()).to_json()
            elif record.state in OPEN_STATES:
                record._ignore_by_rule(_lt('Ramp no longer has it.'))
        payments = self.search(
            [
                ('connection_id', 'in', self.connection_id.ids),
                ('flow', '=', 'bill_payment'),
                ('ramp_id', 'in', self.filtered(lambda record: record.flow == 'bill').mapped('ramp_id')),
            ]
        )
        (self | payments).write({'has_moved': False, 'open_amount': False})
