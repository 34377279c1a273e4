# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models


class AccountAccount(models.Model):
    _name = 'account.account'
    _inherit = ['account.account', 'ramp.pushed']

    _ramp_flows = ('account',)
    _ramp_fields = frozenset(
        {'name', 'code', 'code_store', 'code_mapping_ids', 'account_type', 'active', 'company_ids'}
    )
