# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.exceptions import UserError


class HrExpense(models.Model):
    _name = 'hr.expense'
    _inherit = ['hr.expense', 'ramp.document']

    _ramp_id_once = models.UniqueIndex(
        '(ramp_id) WHERE ramp_id IS NOT NULL', 'This Ramp transaction already has an expense.'
    )

    @api.constrains('state', 'approval_state', 'total_amount', 'total_amount_currency')
    def _check_non_zero(self):
        # A card transaction with lines that add up to zero is still spend, and its entry shows it.
        return super(HrExpense, self.filtered(lambda expense: not expense.ramp_id))._check_non_zero()

    @api.depends('ramp_id')
    def _compute_state(self):
        """EXTENDS: Derive the state of an expense from Ramp from its journal entry.

        Core shows a company-paid expense as "Paid" as soon as it has an entry. An expense from Ramp with a draft entry
        is approved and not posted. An expense without an entry is refused, which leaves it out of the analysis.
        """
        result = super()._compute_state()
        for expense in self.filtered('ramp_id'):
            if not expense.account_move_id:
                expense.state = 'refused'
            elif expense.account_move_id.state == 'draft':
                expense.state = 'approved'
        return result

    @api.depends('ramp_id')
    def _compute_is_editable(self):
        """EXTENDS: Make expenses from Ramp read-only, even while the entry is a draft.

        An expense from Ramp equals its entry. Corrections are made on the entry or in Ramp.
        """
        result = super()._compute_is_editable()
        if not self.env.su:
            self.filtered('ramp_id').is_editable = False
        return result

    def _check_from_ramp(self):
        """Raise `UserError` for an expense from Ramp.

        If it were reset, core would reverse its entry. If it were posted, core would pay it. The ledger would know of
        neither.
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
        """EXTENDS hr_expense: Refuse to reset an expense from Ramp.

        :raise UserError: names the remedy
        """
        self.check_access('read')
        self._check_from_ramp()
        return super().action_reset()

    def action_open_account_move(self):
        """EXTENDS: Open the journal entry of an expense from Ramp.

        For company-paid expenses, core opens the payment. An expense from Ramp has an entry and no payment.
        """
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
