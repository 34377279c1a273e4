# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models


class AccountAccount(models.Model):
    _name = 'account.account'
    _inherit = ['account.account', 'ramp.pushed']

    _ramp_flows = ('account',)
    _ramp_fields = frozenset(
        {'name', 'code', 'code_store', 'code_mapping_ids', 'account_type', 'active', 'company_ids'}
    )

    def write(self, vals):
        """EXTENDS: Note the taxes that post to an account that is archived or restored.

        A tax that posts to an archived account is not offered.
        """
        result = super().write(vals)
        if 'active' in vals and self.env['ramp.connection']._pushed_domain_of('tax_code') is not None:
            # sudo: any user who may save the account
            lines = self.env['account.tax.repartition.line'].sudo().search([('account_id', 'in', self.ids)])
            lines.tax_id._ramp_note_changes()
        return result
