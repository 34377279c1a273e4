# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from datetime import timedelta

from psycopg2.extras import Json

from odoo import api, models
from odoo.tools import SQL

from .ramp_record import OPEN_STATES

MAX_ATTEMPTS = 8
FIRST_DELAY = timedelta(minutes=1)
LONGEST_DELAY = timedelta(hours=6)
UNTOLD_DELAY = timedelta(hours=1)  # at most, until Ramp is told again of what is booked


class RampRecord(models.Model):
    """What became of rows: booked, confirmed, held, waiting, left out, failed, undone.

    These methods run in background jobs as superuser. None can be called over RPC (leading underscore).
    """

    _inherit = 'ramp.record'

    # ------------------------------------------------------------------ booked, and what Ramp knows

    def _mark_booked(self, documents, sync_key, told=True, again=False):
        """Link each row to its document, in one statement and in the document's transaction.

        :param sync_key: under which Ramp is to be told; None: not yet, or, with `told` False, never
        :param again: whether a document may take another's place without Ramp hearing of it twice
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
                   sync_key = %s, error_message = NULL, attempts = 0,
                   is_question = FALSE, next_attempt = NULL, reason_move_id = NULL, write_date = %s
              FROM (VALUES %s) AS v(id, res_model, res_id) WHERE r.id = v.id
            """,
                again,
                'done' if told else 'confirmed',
                sync_key,
                self.env.cr.now(),
                values,
            )
        )
        self.invalidate_recordset()

    @api.model
    def _store_noted(self, noted):
        """Remember what documents show of their objects, in one statement. `noted`: JSON by row id."""
        if not noted:
            return
        values = SQL(', ').join(SQL('(%s, %s)', identity, Json(value)) for identity, value in noted.items())
        self.env.cr.execute(
            SQL(
                'UPDATE ramp_record r SET noted = v.noted::jsonb FROM (VALUES %s) AS v(id, noted) WHERE r.id = v.id',
                values,
            ),
            log_exceptions=False,
        )  # see _upsert_page
        self.invalidate_model(['noted'])

    def _mark_confirmed(self):
        """Ramp accepted the outcome."""
        # clock_timestamp, not the transaction's time: a page that was asked for before this moment is out of date
        self.env.cr.execute(
            SQL(
                """
            UPDATE ramp_record
               SET state = 'confirmed', confirmed_at = clock_timestamp() AT TIME ZONE 'UTC', error_message = NULL, attempts = 0,
                   next_attempt = NULL, is_question = FALSE, is_told = TRUE
             WHERE id = ANY(%s)
            """,
                self.ids,
            )
        )
        self.invalidate_recordset()

    def _mark_reported(self):
        """Ramp knows the reason."""
        self.env.cr.execute(
            SQL(
                'UPDATE ramp_record SET reported_hash = md5(error_message), reports = COALESCE(reports, 0) + 1 WHERE '
                'id = ANY(%s)',
                self.ids,
            )
        )
        self.invalidate_recordset(['reported_hash', 'reports'])

    # ------------------------------------------------------------------ not booked

    def _mark_held(self, message, move=None):
        """Hold for a person; the sentence goes to the error inbox and to Ramp. Looked at again in every run.

        :param move: the document in Odoo that is in the way, if one is
        """
        self.ensure_one()
        move = move or self.env['account.move']
        if (self.state, self.error_message, self.reason_move_id) != ('held', message, move):
            self.write(
                {
                    'state': 'held',
                    'error_message': message,
                    'is_question': True,
                    'next_attempt': False,
                    'attempts': self.attempts + 1,
                    'reason_move_id': move.id,
                }
            )

    def _mark_waiting(self, message):
        """Not an error: Ramp itself is not finished with the object."""
        self.ensure_one()
        if (self.state, self.error_message) != ('pending', message):
            self.write({'state': 'pending', 'error_message': message, 'is_question': False, 'next_attempt': False})

    def _ignore_by_rule(self, message):
        """Leave out by rule. Comes back by itself when Ramp changes the object (`is_question`).

        A reason that says the same and more is kept: of a bill that was archived, it names the reversal.
        """
        self.ensure_one()
        if self.error_message and self.error_message.startswith(message):
            message = self.error_message
        self.write({'state': 'ignored', 'error_message': message, 'is_question': True, 'next_attempt': False})

    def _ignore_out_of_scope(self, message, counts=False):
        """What is not booked is no business of the connection any more, and does not count in what Ramp says is owed.

        :param counts: it counts all the same: a statement may name what is from before the start date, and has to add
            up
        """
        records = self.filtered(
            lambda record: record.state != 'ignored' or not counts and (record.has_moved or record.open_amount)
        )
        records.try_lock_for_update().write(
            {
                'state': 'ignored',
                'error_message': message,
                'is_question': True,
                'next_attempt': False,
                **({} if counts else {'has_moved': False, 'open_amount': False}),
            }
        )

    def _mark_failed(self, message):
        """A failure of this object that may pass: try again in the next run, then later and later; after `MAX_ATTEMPTS`
        in a row hold it for a person. What is booked, and Ramp does not take the outcome of, is told for good: see
        `_note_untold`."""
        self.ensure_one()
        is_booked = self.state == 'done'
        attempts = 1 + (self.attempts if self.state in ('error', 'done') else 0)
        values = {'error_message': message, 'attempts': attempts, 'is_question': False, 'next_attempt': False}
        if attempts >= MAX_ATTEMPTS and not is_booked:
            values['state'] = 'held'
        else:
            values['state'] = 'done' if is_booked else 'error'
            if attempts > 1:
                values['next_attempt'] = self.env.cr.now() + min(
                    FIRST_DELAY * 2 ** min(attempts - 2, MAX_ATTEMPTS), UNTOLD_DELAY if is_booked else LONGEST_DELAY
                )
        self.write(values)

    def _retry_next_run(self, message):
        """Ramp did not answer: no fault of this object, so it does not count against it and is tried in every run."""
        self.ensure_one()
        if (self.state, self.error_message) != ('error', message):
            self.write({'state': 'error', 'error_message': message, 'is_question': False, 'next_attempt': False})

    # ------------------------------------------------------------------ undone

    def _reopen_for_booking(self):
        """Let objects be booked again whose documents were undone. Whatever is booked then is confirmed under a key of
        its own.
        """
        self.flush_recordset()
        # the ORM would write 0 for "no document"; the indexes and the flows know one way to say it
        self.env.cr.execute(
            SQL(
                """
            UPDATE ramp_record
               SET state = 'pending', res_model = NULL, res_id = NULL, sync_key = NULL, sync_attempt = COALESCE(sync_attempt, 0) + 1,
                   error_message = NULL, attempts = 0, next_attempt = NULL, is_question = FALSE, noted = NULL
             WHERE id = ANY(%s)
            """,
                self.ids,
            )
        )
        self.invalidate_recordset()

    def _mark_unbooked(self, message):
        """What was booked of the object was undone, and Ramp has nothing to book in its place; a change there makes the
        row due.
        """
        self.ensure_one()
        self._reopen_for_booking()
        self._mark_waiting(message)

    def _reopen_payment(self):
        """Let payments be compared again whose document was booked anew: what they paid of the former one they pay of
        it.
        """
        self.flush_recordset()
        self.env.cr.execute(
            SQL(
                """
            UPDATE ramp_record
               SET state = 'pending', sync_key = NULL, sync_attempt = COALESCE(sync_attempt, 0) + 1, error_message = NULL, attempts = 0,
                   next_attempt = NULL, is_question = FALSE, noted = noted - 'credits'
             WHERE id = ANY(%s)
            """,
                self.ids,
            )
        )
        self.invalidate_recordset()

    def _mark_vanished(self, moment):
        """Ramp has these objects no more: they count for nothing there. What is booked of them is for a person to undo
        (see `_find_changed_documents` of `ramp.flow.watch`)."""
        for record in self:
            if record.res_id:
                record.noted = {**(record.noted or {}), 'vanished': moment.isoformat()}
            elif record.state in OPEN_STATES:
                record._ignore_by_rule(self.env._('Ramp no longer has it.'))
        payments = self.search(
            [
                ('connection_id', 'in', self.connection_id.ids),
                ('flow', '=', 'bill_payment'),
                ('ramp_id', 'in', self.filtered(lambda record: record.flow == 'bill').mapped('ramp_id')),
            ]
        )
        (self | payments).write({'has_moved': False, 'open_amount': False})
