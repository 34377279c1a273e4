# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools import LazyTranslate

from ..engine.reasons import Held
from .booking import QUIET

_lt = LazyTranslate(__name__)


class RampFlowBookingUndo(models.AbstractModel):
    """Undo what was posted, in a visible way: a draft is deleted, a posted entry is reversed."""

    _inherit = 'ramp.flow.booking'

    # ------------------------------------------------------------------ objects that Ramp withdraws

    def _reverse_withdrawn_objects(self, connection, rows, reasons):
        """Undo what was posted of objects that Ramp has withdrawn since, unless somebody used it in Odoo.

        :param rows: {Ramp id: ledger row as of `_make_ledger_row`} of all objects in Ramp's answer
        :param reasons: {Ramp id: sentence} of the objects that are withdrawn
        """
        records = self.env['ramp.record'].search(
            [
                ('connection_id', '=', connection.id),
                ('flow', '=', self._flow),
                ('ramp_id', 'in', list(rows)),
                ('res_id', '!=', False),
                '|',
                ('ramp_id', 'in', list(reasons)),
                ('hold_reason', '=', 'question'),
            ]
        )
        for record in records.try_lock_for_update():
            # Its document could not be undone when Ramp withdrew the object. Now the object is no longer withdrawn.
            if record.ramp_id not in reasons:
                if self._is_question_settled(connection, record):
                    record._release_posted()
                continue
            self._reverse_withdrawn_object(connection, record, rows[record.ramp_id], reasons[record.ramp_id])

    def _is_question_settled(self, connection, record):
        """Return whether a posted object that is on hold, and is not withdrawn, has nothing else that holds it."""
        return True

    def _is_matched_in_odoo(self, record, move):
        """Return whether somebody paid or reconciled the document of an object."""
        return bool(move.line_ids.matched_debit_ids or move.line_ids.matched_credit_ids)

    def _undo_withdrawn_document(self, connection, record, move, reason):
        """Undo the document of an object that Ramp has withdrawn.

        :return: the reversal, or an empty recordset; see `_undo_booked_move`
        """
        return self._undo_booked_move(connection, move, reason) if move else move

    def _reverse_withdrawn_object(self, connection, record, row, reason):
        move = self.env['account.move'].browse(record.res_id).exists()
        if record._read_note().is_linked:
            self._unlink_draft_document(move, reason)
            record._reopen_for_booking()
            record._ignore_by_rule(reason)
            return
        if move.state == 'posted' and self._is_matched_in_odoo(record, move):
            record._mark_held(
                _lt(
                    '%(reason)s But %(move)s is paid or reconciled in Odoo. Undo that, or reverse the document by '
                    'hand.',
                    reason=reason,
                    move=move.name,
                ),
                move,
            )
            return
        try:
            with self.env.cr.savepoint():
                reversal = self._undo_withdrawn_document(connection, record, move, reason)
                # Retry has to use the current payload.
                record.write({'payload': row['payload'], 'payload_hash': row['payload_hash'], 'late_payload': False})
                record._reopen_for_booking()
        except (UserError, Held) as error:
            record._mark_held(
                _lt(
                    '%(reason)s Odoo refused to reverse %(move)s: %(error)s', reason=reason, move=move.name, error=error
                ),
                move,
            )
            return
        record._ignore_by_rule(
            _lt(
                '%(reason)s %(move)s was reversed by %(reversal)s.',
                reason=reason,
                move=move.name,
                reversal=reversal.name,
            )
            if reversal
            else reason
        )
        record.reason_move_id = reversal

    # ------------------------------------------------------------------ undoing

    def _undo_booked_object(self, connection, record, reason):
        """Undo the journal entry of an object. See `_undo_booked_move`."""
        document = self.env[record.res_model].browse(record.res_id).exists()
        if record._read_note().is_linked:
            self._unlink_draft_document(document, reason)
        elif document and document._name == 'account.move':
            self._undo_booked_move(connection, document, reason)

    @api.model
    def _unlink_draft_document(self, document, reason):
        """Detach a document that a user entered in Odoo from its object. The addon does not undo it.

        :param document: `account.move` or `account.payment`; may be empty
        """
        document.check_access('write')
        # sudo: users who may edit the document may clear its Ramp id, but not write one.
        document.sudo().ramp_id = False
        if document:
            document.with_context(**QUIET)._message_log(
                body=self.env._('This document is no longer linked to its object in Ramp. %s', reason)
            )

    def _undo_booked_move(self, connection, move, reason):
        """Undo an entry or a bill in a visible way: delete a draft, reverse a posted document on its own day.

        The document loses its Ramp id, so that another can take its place. A message on it gives the reason and the
        reversal. Its payments stay, unreconciled.

        :return: the reversal; an empty recordset for a draft
        :raise Held: when that day is locked and the connection does not allow the first open day
        """
        move = move.with_context(**QUIET)
        move.check_access('write')
        if move.state == 'posted':
            date = self._get_first_open_day(
                connection, move.date, move.journal_id, self._has_taxed_lines(move.line_ids)
            )
        # sudo: users who may undo the entry may clear its Ramp id, but not write one.
        move.sudo().ramp_id = False
        if move.state != 'posted':
            if move.state == 'draft':
                move.unlink()
            return move.browse()
        values = {
            'date': date,
            'ref': self.env._('Reversal of: %(name)s. %(reason)s', name=move.ref or move.name, reason=reason),
        }
        if move.is_invoice(include_receipts=True):
            # The reversal has the rate of the document, which may be Ramp's. So no difference is left in the company's
            # currency.
            values.update(
                invoice_date=date,
                invoice_date_due=date,
                invoice_payment_term_id=False,
                invoice_currency_rate=move.invoice_currency_rate,
            )
        reversal = move._reverse_moves([values], cancel=True)
        if move.is_invoice(include_receipts=True):
            (move.line_ids + reversal.line_ids).filtered(
                lambda line: line.account_type == 'liability_payable' and not line.reconciled
            ).reconcile()
        move._message_log(
            body=self.env._(
                'Reversed by %(reversal)s. %(reason)s',
                reversal=reversal._get_html_link(title=reversal.name),
                reason=reason,
            )
        )
        return reversal
