# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models


class AccountTax(models.Model):
    _name = 'account.tax'
    _inherit = ['account.tax', 'ramp.pushed']

    _ramp_flows = ('tax_rate', 'tax_code')
    _ramp_fields = frozenset({
        'name', 'active', 'amount', 'amount_type', 'type_tax_use', 'children_tax_ids', 'company_id',
        'invoice_repartition_line_ids', 'repartition_line_ids'})
