# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models

from .purchase_order import RECEIPTS


class StockPicking(models.Model):
    """A done transfer of ordered products shows whether Ramp knows of the receipt; see `ramp.flow.item_receipt`."""

    _name = 'stock.picking'
    _inherit = ['stock.picking', 'ramp.mapped']

    ramp_state = fields.Char(
        string='Ramp Status',
        compute='_compute_ramp_state',
        compute_sudo=True,
        groups='base.group_user',
        help='Whether Ramp has this receipt and, if not, why.',
    )

    @api.depends_context('allowed_company_ids', 'uid', 'lang')
    def _compute_ramp_state(self):
        done = self.filtered(lambda picking: picking.state == 'done')
        orders = done.move_ids.purchase_line_id.order_id
        rows = orders._ramp_ledger_rows(RECEIPTS)
        words = orders._ramp_status_words(rows, RECEIPTS)
        for picking in self:
            own = (picking & done).move_ids.purchase_line_id.order_id
            texts = {order.name: words[order.id] for order in own if words.get(order.id)}
            alike = len(set(texts.values())) == 1
            picking.ramp_state = (
                next(iter(texts.values()))
                if alike
                else '\n'.join(
                    self.env._('%(order)s: %(state)s', order=name, state=text) for name, text in texts.items()
                )
                or False
            )
