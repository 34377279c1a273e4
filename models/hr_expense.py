# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.exceptions import UserError


class HrExpense(models.Model):
    _name = 'hr.expense'
    _inherit = ['hr.expense', 'ramp.document']

    _ramp_id_once = models.UniqueIndex(
        '(ramp_id) WHERE ramp_id IS NOT NULL', 'This Ramp transaction has an expense already.'
    )

    @api.constrains('state', 'approval_state', 'total_amount', 'total_amount_currency')
    def _check_non_zero(self):
        # A transaction whose lines cancel each other out is spend all the same, and its entry shows it.
        return super(HrExpense, self.filtered(lambda expense: not expense.ramp_id))._check_non_zero()

    @api.depends('ramp_id')
    def _compute_state(self):
        """EXTENDS: core calls what the company paid "Paid" as soon as there is an entry. Of one from Ramp the entry
        decides: with a draft it is approved and not posted. What has none any more is refused, and so left out of the
        analysis."""
        result = super()._compute_state()
        for expense in self.filtered('ramp_id'):
            if not expense.account_move_id:
                expense.state = 'refused'
            elif expense.account_move_id.state == 'draft':
                expense.state = 'approved'
        return result

    @api.depends('ramp_id')
    def _compute_is_editable(self):
        """EXTENDS: one from Ramp equals its entry, also while that is a draft. It is corrected there, or in Ramp."""
        result = super()._compute_is_editable()
        if not self.env.su:
            self.filtered('ramp_id').is_editable = False
        return result

    def _check_from_ramp(self):
        """Core would reverse the entry of an expense that is reset, and pay it when it is posted: both behind the
        ledger's back.
        """
        for expense in self.filtered('ramp_id'):
            raise UserError(
                self.env._(
                    'The expense %s comes from Ramp. To take it out of the books, reset its journal entry to draft '
                    'and delete it; then '
                    'press Retry on its Ramp record to post it again, or Ignore to leave it out.',
                    expense.name,
                )
            )

    def _check_can_create_move(self):
        self._check_from_ramp()
        return super()._check_can_create_move()

    def action_reset(self):
        """EXTENDS hr_expense: not for an expense from Ramp; raises `UserError` with the remedy."""
        self.check_access('read')
        self._check_from_ramp()
        return super().action_reset()

    def action_open_account_move(self):
        """Core opens the payment of a company-paid expense; one from Ramp has an entry and no payment."""
        self.ensure_one()
        self.check_access('read')
        if self.ramp_id and not self.account_move_id.origin_payment_id:
            return {
                'type': 'ir.actions.act_window',
                'res_model': 'account.move',
                'name': self.account_move_id.name,
                'res_id': self.account_move_id.id,
                'views': [(False, 'form')],
            }
        return super().action_open_account_move()
