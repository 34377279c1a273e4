# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models

from .ledger_notes import OrderNote

# Fields of an order line whose change matters to Ramp
LINE_FIELDS = frozenset(
    {
        'product_qty',
        'product_uom_id',
        'price_unit',
        'discount',
        'tax_ids',
        'name',
        'product_id',
        'analytic_distribution',
        'display_type',
        'order_id',
        'date_planned',
    }
)
RECEIPTS = ('item_receipt',)


class PurchaseOrder(models.Model):
    """Confirmed orders and their receipts are sent to Ramp.

    See `ramp.flow.purchase_order` and `ramp.flow.item_receipt`.
    """

    _name = 'purchase.order'
    _inherit = ['purchase.order', 'ramp.pushed']

    _ramp_flows = ('purchase_order',)
    _ramp_fields = frozenset(
        {
            'state',
            'name',
            'partner_id',
            'partner_ref',
            'currency_id',
            'date_planned',
            'date_approve',
            'payment_term_id',
            'user_id',
            'origin',
            'company_id',
        }
    )

    ramp_receipt_state = fields.Char(
        string='Receipts in Ramp', compute='_compute_ramp_receipt_state', compute_sudo=True, groups='base.group_user'
    )

    ramp_progress = fields.Char(
        string='Seen in Ramp',
        compute='_compute_ramp_progress',
        compute_sudo=True,
        groups='base.group_user',
        help='Receipts and bills of this order in Ramp, as seen by the nightly check.',
    )

    def _ramp_new_records(self):
        return self.filtered(lambda order: order.state == 'purchase')

    def _ramp_note_changes(self, flows=None):
        """EXTENDS: Leave out orders that are neither confirmed nor cancelled, because Ramp never had them."""
        orders = self.filtered(lambda order: order.state in ('purchase', 'cancel'))
        return super(PurchaseOrder, orders)._ramp_note_changes(flows)

    @api.depends_context('allowed_company_ids', 'uid', 'lang')
    def _compute_ramp_receipt_state(self):
        words = self._ramp_status_words(self._ramp_ledger_rows(RECEIPTS), RECEIPTS)
        for order in self:
            order.ramp_receipt_state = words.get(order._origin.id, False)

    @api.depends_context('allowed_company_ids', 'uid', 'lang')
    def _compute_ramp_progress(self):
        words = {
            'NOT_RECEIVED': self.env._('not received'),
            'PARTIALLY_RECEIVED': self.env._('partially received'),
            'FULLY_RECEIVED': self.env._('fully received'),
            'OVER_RECEIVED': self.env._('more received than ordered'),
            'OPEN': self.env._('not billed'),
            'PARTIALLY_BILLED': self.env._('partially billed'),
            'FULLY_BILLED': self.env._('fully billed'),
            'CLOSED': self.env._('closed'),
            'DELETED': self.env._('archived'),
        }
        rows = self._ramp_ledger_rows()
        for order in self:
            row = rows.get(order._origin.id)
            note = row._read_note(OrderNote) if row else OrderNote()
            seen = [words.get(status, status) for status in (note.receipt_status, note.billing_status) if status]
            order.ramp_progress = ', '.join(seen) or False

    def _ramp_received(self):
        """Note, at the end of the transaction, that the received quantities of these orders may have changed.

        Each order is noted once, however many stock moves there are. Core computes received quantities in the middle of
        a flush, when nothing can be read or written.
        """
        # Orders on a form that is not saved yet have no id in the database
        ids = [ident for ident in self._ids if ident]
        if not ids or self.env['ramp.connection']._pushed_domain_of(*RECEIPTS) is None:
            return
        precommit = self.env.cr.precommit
        if 'ramp.received' not in precommit.data:
            precommit.add(self._ramp_note_received)
        precommit.data.setdefault('ramp.received', set()).update(ids)

    @api.model
    def _ramp_note_received(self):
        ids = self.env.cr.precommit.data.pop('ramp.received', ())
        # sudo: users who validate a transfer may have no access to purchase orders
        self.sudo().search_fetch([('id', 'in', sorted(ids))], ['state'])._ramp_note_changes(RECEIPTS)


class PurchaseOrderLine(models.Model):
    _name = 'purchase.order.line'
    _inherit = ['purchase.order.line', 'ramp.mapped']

    ramp_qty_received = fields.Float(
        string='Received in Ramp',
        digits='Product Unit',
        compute='_compute_ramp_qty_received',
        compute_sudo=True,
        groups='base.group_user',
        help='The received quantity that was sent to Ramp and accepted.',
    )

    @api.depends_context('allowed_company_ids', 'uid')
    def _compute_ramp_qty_received(self):
        rows = self.order_id._ramp_ledger_rows(('purchase_order',))
        receipts = self.order_id._ramp_ledger_rows(RECEIPTS)
        prefix = self.env['ramp.flow.purchase_order']._get_line_prefix()
        for line in self:
            order, found = rows.get(line.order_id._origin.id), receipts.get(line.order_id._origin.id)
            told, identity = order and order.payload or {}, f'{prefix}{line._origin.id}'
            unit = told.get('lines', {}).get(identity, {}).get('unit')
            counts = (
                [
                    receipt['lines'].get(told['line_ids'][identity], 0)
                    for receipt in (found.payload or {}).get('receipts', {}).values()
                ]
                if unit and found
                else []
            )
            line.ramp_qty_received = (
                self.env['uom.uom'].browse(unit[0])._compute_quantity(sum(counts) * float(unit[1]), line.product_uom_id)
                if any(counts)
                else 0
            )

    def _compute_qty_received(self):
        """EXTENDS: Note the order, because every change of received quantities ends here.

        The quantities change by transfers, returns, corrections and kits.
        """
        result = super()._compute_qty_received()
        self.order_id._ramp_received()
        return result

    @api.model_create_multi
    def create(self, vals_list):
        """EXTENDS: Note the order, because a new line changes what Ramp should have of it."""
        lines = super().create(vals_list)
        lines.order_id._ramp_note_changes()
        return lines

    def write(self, vals):
        """EXTENDS: Note the order or its receipts, depending on what changes on the line."""
        result = super().write(vals)
        if not LINE_FIELDS.isdisjoint(vals):
            self.order_id._ramp_note_changes()
        if 'qty_received' in vals:
            self.order_id._ramp_received()
        return result

    def unlink(self):
        """EXTENDS: Note the order, because a deleted line changes what Ramp should have of it."""
        orders = self.order_id
        result = super().unlink()
        orders.exists()._ramp_note_changes()
        return result
