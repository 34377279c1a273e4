# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models


class HrExpense(models.Model):
    _name = 'hr.expense'
    _inherit = ['hr.expense', 'ramp.document']

    _ramp_id_once = models.UniqueIndex('(ramp_id) WHERE ramp_id IS NOT NULL', 'This Ramp transaction has an expense already.')

    def _check_non_zero(self):
        # A transaction whose lines cancel each other out is spend all the same, and its entry shows it.
        return super(HrExpense, self.filtered(lambda expense: not expense.ramp_id))._check_non_zero()

    def action_open_account_move(self):
        """Core opens the payment of a company-paid expense; one from Ramp has an entry and no payment."""
        self.ensure_one()
        if self.ramp_id and not self.account_move_id.origin_payment_id:
            return {
                'type': 'ir.actions.act_window',
                'res_model': 'account.move',
                'name': self.account_move_id.name,
                'res_id': self.account_move_id.id,
                'views': [(False, 'form')],
            }
        return super().action_open_account_move()
