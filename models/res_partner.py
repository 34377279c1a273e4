# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models


class ResPartner(models.Model):
    _name = 'res.partner'
    _inherit = ['res.partner', 'ramp.pushed']

    _ramp_flows = ('accounting_vendor',)
    _ramp_fields = frozenset({'name', 'ref', 'active', 'supplier_rank', 'parent_id', 'company_id'})

    def _ramp_new(self):
        return self.filtered('supplier_rank')
