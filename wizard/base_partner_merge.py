# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models

from ..models.res_partner import VENDOR_FLOWS


class BasePartnerMerge(models.TransientModel):
    _inherit = 'base.partner.merge.automatic.wizard'

    @api.model
    def _update_reference_fields(self, src_partners, dst_partner):
        """EXTENDS: link the Ramp vendors of the merged partners to the remaining partner."""
        # sudo: a user who may merge partners may also move their vendors
        self.env['ramp.record'].sudo().search(
            [('res_model', '=', 'res.partner'), ('res_id', 'in', src_partners.ids), ('flow', 'in', VENDOR_FLOWS)]
        ).write({'res_id': dst_partner.id})
        return super()._update_reference_fields(src_partners, dst_partner)
