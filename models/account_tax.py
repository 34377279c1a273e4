# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models


class AccountTax(models.Model):
    _name = 'account.tax'
    _inherit = ['account.tax', 'ramp.pushed']

    _ramp_flows = ('tax_rate', 'tax_code')
    _ramp_fields = frozenset(
        {
            'name',
            'active',
            'amount',
            'amount_type',
            'type_tax_use',
            'children_tax_ids',
            'company_id',
            'invoice_repartition_line_ids',
            'repartition_line_ids',
        }
    )

    def _ramp_note_changes(self, flows=None):
        """EXTENDS: Note a change of a tax for its tax groups, too."""
        if self and self.env['ramp.connection']._pushed_domain_of('tax_code') is not None:
            # sudo: any user who may save the tax. Archived groups are not offered.
            groups = self.sudo().search([('children_tax_ids', 'in', self.ids)])
            super(AccountTax, groups)._ramp_note_changes(['tax_code'])
        return super()._ramp_note_changes(flows)


class AccountTaxRepartitionLine(models.Model):
    _inherit = 'account.tax.repartition.line'

    def write(self, vals):
        """EXTENDS: Note a change of the account: the tax rate in Ramp has it, and it decides whether the tax is offered."""
        result = super().write(vals)
        if 'account_id' in vals:
            self.tax_id._ramp_note_changes()
        return result
