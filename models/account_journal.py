# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models


class AccountJournal(models.Model):
    _inherit = 'account.journal'

    @api.constrains('default_account_id')
    def _check_ramp_card_account(self):
        """Refuse another card liability once card spend from Ramp is posted to the present one."""
        # sudo: whoever may edit a journal may not see its connection. Only the check is done with it.
        self.env['ramp.connection'].sudo().with_context(active_test=False).search(
            [('card_journal_id', 'in', self.ids)]
        )._check_card_account()
