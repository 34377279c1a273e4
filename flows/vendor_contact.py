# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models


class RampFlowVendorContact(models.AbstractModel):
    """Contacts of vendors, as contacts of their partners.

    Has no list and no job: the vendors' flow makes one row for each contact and works on it together with its vendor.
    """

    _name = 'ramp.flow.vendor_contact'
    _inherit = 'ramp.flow'
    _description = 'Ramp Flow: contacts of vendors'

    _flow = 'vendor_contact'
    _flow_sequence = 31

    @api.model
    def _flow_label(self):
        return self.env._('Vendor contacts')

    @api.model
    def _page(self, record):
        return record.parent_ramp_id and f'/bill-pay/vendors/{record.parent_ramp_id}'

    @api.model
    def _trigger(self):
        self.env['ramp.flow.vendor']._trigger()
