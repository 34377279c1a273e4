# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.exceptions import RedirectWarning, UserError
from odoo.tools import LazyTranslate

from ..engine.reasons import Held
from ..engine.withdrawn import Withdrawn
from .booking import QUIET

_lt = LazyTranslate(__name__)


class RampFlowBookingWithdraw(models.AbstractModel):
    """Undo a synchronization (`ramp.undo`): take an object's documents out of the books, and leave it out of them.

    Nothing that a person made is touched: a document that a person entered, a match with the bank, a payment or a
    reconciliation with a document from elsewhere. `Held` says so, and names the document.
    """

    _inherit = 'ramp.flow.booking'

    def _withdraw_object(self, connection, record, undo):
        """Take the documents of an object out of the books.

        :param undo: `ramp.undo`
        :return: `Withdrawn`
        :raise Held, UserError: when they stay; the caller rolls back to its savepoint
        """
        move = (
            self.env['account.move'].browse(record.res_id).exists()
            if record.res_model == 'account.move'
            else self.env['account.move']
        )
        if record._read_note().is_linked:
            raise Held(_lt('%s was entered in Odoo by a person, so it stays.', move.display_name), move)
        return self._withdraw_move(connection, move, undo)

    def _close_withdrawn_row(self, record, reason):
        """Leave an object out until a person presses Retry, after its documents were undone.

        :param reason: sentence with the name of the person
        """
        is_told = record.is_told
        if record.late_payload:
            # Retry has to use the current version.
            record._accept_late_payload()
        record._reopen_for_booking()
        record.write({**record._reason_values(reason), 'state': 'ignored', 'hold_reason': 'person', 'finding': False})
        if is_told:
            # Ramp shows it as synced, and has no endpoint to take that back. A failure is not reported of it.
            record.flush_recordset()
            record._mark_reported()

    # ------------------------------------------------------------------ an entry or a bill

    def _withdraw_move(self, connection, move, undo):
        """Delete a draft; delete a posted document if that was chosen and Odoo allows it, otherwise reverse it.

        :return: `Withdrawn`
        :raise Held: when it is paid, matched or reconciled with something that stays, or its day is locked
        """
        if not move:
            return Withdrawn('gone', self.env._('Its document was deleted in Odoo before.'))
        move = move.with_context(**QUIET)
        name = move.display_name
        reversals = move.reversal_move_ids.filtered(lambda item: item.state == 'posted')
        if move.state == 'cancel' or self._is_reversed_wholly(move, reversals):
            move.ramp_id = False
            return Withdrawn('gone', self.env._('%s was cancelled or reversed in Odoo before.', name))
        if reversals:
            raise Held(
                _lt(
                    '%(move)s was reversed in part by %(reversal)s. Undo that first.',
                    move=name,
                    reversal=reversals[:1].name,
                ),
                reversals[:1],
            )
        self._check_untangled(move)
        if move.state == 'draft':
            self._undo_booked_move(connection, move, undo._get_undo_text())
            return Withdrawn('deleted', self.env._('%s was a draft and is deleted.', name))
        if undo.posted_policy == 'delete' and self._delete_posted_move(move, undo):
            return Withdrawn('deleted', self.env._('%s is deleted.', name))
        reversal = self._undo_booked_move(connection, move, undo._get_undo_text())
        return Withdrawn(
            'reversed', self.env._('%(move)s is reversed by %(reversal)s.', move=name, reversal=reversal.name)
        )

    @api.model
    def _is_reversed_wholly(self, move, reversals):
        currency = move.currency_id
        return bool(reversals) and not currency.compare_amounts(
            move.amount_total, sum(reversals.mapped('amount_total'))
        )

    @api.model
    def _check_untangled(self, move, allowed=lambda other: False):
        """Check that a document is not reconciled with anything that stays.

        :param allowed: function that returns whether a journal entry may be unreconciled from the document
        :raise Held: names what it is reconciled with
        """
        partials = move.line_ids.matched_debit_ids | move.line_ids.matched_credit_ids
        others = (partials.debit_move_id | partials.credit_move_id).move_id - move - partials.exchange_move_id
        for other in others:
            # Odoo itself makes and undoes the entries of taxes that are due on payment.
            if other.tax_cash_basis_origin_move_id or allowed(other):
                continue
            if other.statement_line_id:
                raise Held(
                    _lt(
                        '%(move)s is matched with the bank line %(other)s. Undo the match first.',
                        move=move.display_name,
                        other=other.display_name,
                    ),
                    other,
                )
            raise Held(
                _lt(
                    '%(move)s is paid by or reconciled with %(other)s, which stays. Undo that first.',
                    move=move.display_name,
                    other=other.display_name,
                ),
                other,
            )

    @api.model
    def _delete_posted_move(self, move, undo):
        """Delete a posted document.

        :return: whether it is deleted: only if no other document has a later number of its sequence, and if Odoo
            allows it (hash, lock dates, audit trail)
        """
        if not undo._ends_sequence(move):
            return False
        try:
            with self.env.cr.savepoint():
                # sudo: what the person who confirmed it may do, counts for Odoo's rules; the job has the access rights
                move = move.with_user(undo.started_by_id).sudo()
                move.ramp_id = False
                move.line_ids.remove_move_reconcile()
                move.button_draft()
                move.unlink()
        except (UserError, RedirectWarning):
            return False
        return True

    # ------------------------------------------------------------------ expenses of card spend

    def _withdraw_expenses(self, record):
        """Delete the expenses of an object whose entry is undone."""
        expenses = self.env['hr.expense'].search(
            [('ramp_id', '=', record.ramp_id), ('company_id', '=', record.company_id.id)]
        )
        # Core does not let anybody delete an approved expense.
        expenses.approval_state = False
        expenses.unlink()
