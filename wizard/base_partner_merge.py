# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models

from ..models.res_partner import VENDOR_FLOWS


class BasePartnerMerge(models.TransientModel):
    _inherit = 'base.partner.merge.automatic.wizard'

    @api.model
    def _update_reference_fields(self, src_partners, dst_partner):
        """EXTENDS: the vendor that a partner was in Ramp is the partner that is left."""
        # who may merge partners may have their vendors go along
        self.env['ramp.record'].sudo().search(
            [('res_model', '=', 'res.partner'), ('res_id', 'in', src_partners.ids), ('flow', 'in', VENDOR_FLOWS)]
        ).write({'res_id': dst_partner.id})
        return super()._update_reference_fields(src_partners, dst_partner)
