# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models


class AccountFiscalPosition(models.Model):
    _inherit = 'account.fiscal.position'

    @api.model
    def _get_fiscal_position(self, partner, delivery=None):
        """EXTENDS: Look up a partner's fiscal position once for each batch instead of once for each document.

        The results live in the context of one batch, like the entry numbers (see `account.move`).
        """
        memory = self.env.context.get('ramp_one_position')
        if memory is None or not partner.id:
            return super()._get_fiscal_position(partner, delivery)
        key = self.env.company.id, partner.id, delivery and delivery.id
        if key not in memory:
            memory[key] = super()._get_fiscal_position(partner, delivery).id
        return self.browse(memory[key])
