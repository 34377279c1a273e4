# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models
from odoo.tools import LazyTranslate

from ..engine.reasons import Held
from ..engine.withdrawn import Withdrawn

_lt = LazyTranslate(__name__)


class RampFlowBillPaymentWithdraw(models.AbstractModel):
    """Undo a synchronization: what settles bills by card, and by vendor credit."""

    _inherit = 'ramp.flow.bill_payment'

    def _withdraw_settlements(self, connection, record, note, undo):
        """EXTENDS: undo the settlement by card, and no longer apply vendor credits."""
        done = super()._withdraw_settlements(connection, record, note, undo)
        if note.card and note.card.id:
            done.append(self._withdraw_card_settlement(connection, record, note.card, undo))
        if note.credits:
            done += self._release_vendor_credits(connection, record, note.credits)
        return done

    def _find_payable_lines(self, connection, flow, ramp_ids):
        """Return the payable lines of the documents of objects."""
        booked = self._look_up_booked_rows(connection, flow, ramp_ids)
        return self._get_payable_lines(self.env['account.move'].union(*(move for _row, move in booked.values())))

    def _withdraw_card_settlement(self, connection, record, card, undo):
        entry = self.env['account.move'].browse(card.id).exists()
        if card.transfers:
            raise Held(
                _lt('%s was moved to another vendor or account. Undo both by hand.', entry.display_name or '?'), entry
            )
        bill = self._find_payable_lines(connection, 'bill', [record.ramp_id])
        between = (entry.line_ids.matched_debit_ids | entry.line_ids.matched_credit_ids).filtered(
            lambda partial: partial.debit_move_id in bill or partial.credit_move_id in bill
        )
        between.unlink()
        if entry.ramp_id:
            # The entry belongs to the card transaction, which has a row of its own.
            return Withdrawn('released', self.env._('%s no longer pays it.', entry.display_name))
        return self._withdraw_move(connection, entry, undo)

    def _release_vendor_credits(self, connection, record, credits):
        bill = self._find_payable_lines(connection, 'bill', [record.ramp_id])
        done = []
        for refund in self._find_payable_lines(connection, 'vendor_credit', list(credits)):
            for line in bill:
                self._find_partials_between(refund, line).unlink()
            done.append(
                Withdrawn('released', self.env._('%s is no longer applied to it.', refund.move_id.display_name))
            )
        return done or [Withdrawn('gone', self.env._('Its document was deleted in Odoo before.'))]
