# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models
from odoo.exceptions import RedirectWarning, UserError
from odoo.tools import LazyTranslate

from ..engine.reasons import Held
from ..engine.withdrawn import Withdrawn
from .booking import QUIET
from .payment_notes import PaymentNote

_lt = LazyTranslate(__name__)


class RampFlowPaymentWithdraw(models.AbstractModel):
    """Undo a synchronization: take the payments of documents out of the books."""

    _inherit = 'ramp.flow.payment'

    def _withdraw_object(self, connection, record, undo):
        note = record._read_note(PaymentNote)
        done = [
            self._withdraw_posted_payment(connection, part, undo, self._flow) for part in (note.parts or {}).values()
        ]
        done += self._withdraw_settlements(connection, record, note, undo)
        if not done:
            raise Held(_lt('What pays %s was entered in Odoo by a person, so it stays.', record.name or record.ramp_id))
        return Withdrawn.together(done)

    def _withdraw_settlements(self, connection, record, note, undo):
        """Undo what settles a document besides payments.

        :return: list of `Withdrawn`
        """
        return []

    def _withdraw_posted_payment(self, connection, note, undo, flow):
        """Undo the part of a payment that a note names, as the document's choice and Odoo's rules allow.

        The bank's side of a payment that is reversed wholly is reconciled with that of its reversals, because the
        bank does not show it for this payment.

        :param note: `PostedNote`
        :param flow: name of the flow whose rows note the payment
        :return: `Withdrawn`
        :raise Held: when it is matched with the bank, or pays something from elsewhere
        """
        payment = self.env['account.payment'].browse(note.id).exists().with_context(**QUIET)
        line = self.env['account.move.line'].browse(note.line).exists()
        if not payment or payment.state in ('canceled', 'rejected'):
            return Withdrawn('gone', self.env._('Its payment was deleted or cancelled in Odoo before.'))
        name, entry = payment.display_name, payment.move_id
        if payment.state == 'draft':
            payment.ramp_id = False
            payment.unlink()
            return Withdrawn('deleted', self.env._('%s was a draft and is deleted.', name))
        if line.move_id != entry:
            raise Held(
                _lt(
                    '%(payment)s was moved to another vendor or account by %(entry)s. Undo both by hand.',
                    payment=name,
                    entry=line.move_id.display_name or '?',
                ),
                line.move_id,
            )
        self._check_untangled(entry, lambda other: bool(other.ramp_id) or other.reversed_entry_id == entry)
        before = entry.reversal_move_ids
        if undo.posted_policy == 'delete' and not before and self._is_payment_covered(undo, payment, flow):
            if self._delete_posted_payment(payment, undo):
                return Withdrawn('deleted', self.env._('%s is deleted.', name))
        self._undo_booked_payment(connection, note, undo._get_undo_text(), has_returned=False)
        reversal = entry.reversal_move_ids - before
        self._close_reversed_payment(payment)
        if not reversal:
            return Withdrawn('gone', self.env._('%s was reversed in Odoo before.', name))
        return Withdrawn(
            'reversed', self.env._('%(move)s is reversed by %(reversal)s.', move=name, reversal=reversal.name)
        )

    def _is_payment_covered(self, undo, payment, flow):
        """Return whether all documents that a payment pays are being undone, so that it may be deleted as a whole."""
        lines = payment.move_id.line_ids
        partials = lines.matched_debit_ids | lines.matched_credit_ids
        others = (
            (partials.debit_move_id | partials.credit_move_id).move_id - payment.move_id - partials.exchange_move_id
        )
        if flow == 'transfer':
            return True
        paid = set(others.mapped('ramp_id'))
        covered = self.env['ramp.undo.line'].search(
            [('undo_id', '=', undo.id), ('flow', '=', flow), ('record_id.ramp_id', 'in', list(paid))]
        )
        return paid <= set(covered.record_id.mapped('ramp_id'))

    def _delete_posted_payment(self, payment, undo):
        """Delete a payment with its entry. See `_delete_posted_move`."""
        if not undo._ends_sequence(payment.move_id):
            return False
        try:
            with self.env.cr.savepoint():
                payment = payment.with_user(undo.started_by_id).sudo()  # sudo: see `_delete_posted_move`
                payment.ramp_id = False
                payment.move_id.line_ids.remove_move_reconcile()
                payment.action_draft()
                payment.unlink()
        except (UserError, RedirectWarning):
            return False
        return True

    def _close_reversed_payment(self, payment):
        """Reconcile the bank's side of a payment that is reversed wholly, and free its Ramp id for another one."""
        entry = payment.move_id
        moves = entry + entry.reversal_move_ids.filtered(lambda item: item.state == 'posted')
        bank = moves.line_ids.filtered(lambda item: item.account_id == payment.outstanding_account_id)
        if payment.currency_id.is_zero(sum(bank.mapped('amount_currency'))):
            payment.ramp_id = False
            if payment.outstanding_account_id.reconcile and not any(bank.mapped('reconciled')):
                bank.reconcile()
