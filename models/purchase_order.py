# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models

# What of a line is a change for Ramp
LINE_FIELDS = frozenset({
    'product_qty', 'product_uom_id', 'price_unit', 'discount', 'tax_ids', 'name', 'product_id', 'analytic_distribution', 'display_type',
    'order_id'})


class PurchaseOrder(models.Model):
    """Confirmed orders are sent to Ramp; see `ramp.flow.purchase_order`."""

    _name = 'purchase.order'
    _inherit = ['purchase.order', 'ramp.pushed']

    _ramp_flows = ('purchase_order',)
    _ramp_fields = frozenset({
        'state', 'name', 'partner_id', 'partner_ref', 'currency_id', 'date_planned', 'date_approve', 'payment_term_id', 'user_id', 'origin',
        'company_id'})

    def _ramp_new(self):
        return self.filtered(lambda order: order.state == 'purchase')

    def _ramp_changed(self, flows=None):
        """EXTENDS: what is not confirmed is nothing to Ramp, and was not, unless it is being cancelled."""
        return super(PurchaseOrder, self.filtered(lambda order: order.state in ('purchase', 'cancel')))._ramp_changed(flows)


class PurchaseOrderLine(models.Model):
    _inherit = 'purchase.order.line'

    @api.model_create_multi
    def create(self, vals_list):
        """EXTENDS: a further line changes what Ramp should have of its order."""
        lines = super().create(vals_list)
        lines.order_id._ramp_changed()
        return lines

    def write(self, vals):
        """EXTENDS: a line changes what Ramp should have of its order."""
        result = super().write(vals)
        if not LINE_FIELDS.isdisjoint(vals):
            self.order_id._ramp_changed()
        return result

    def unlink(self):
        """EXTENDS: so does one that is gone."""
        orders = self.order_id
        result = super().unlink()
        orders.exists()._ramp_changed()
        return result
