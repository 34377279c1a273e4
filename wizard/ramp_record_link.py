# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.exceptions import UserError


class RampRecordLink(models.TransientModel):
    """Ask which document in Odoo stands for an object of Ramp.

    The documents that most likely do are proposed.
    """

    _name = 'ramp.record.link'
    _description = 'Link a Ramp Record to an Entry'

    record_id = fields.Many2one('ramp.record', string='In Ramp', required=True, readonly=True, ondelete='cascade')
    company_id = fields.Many2one(related='record_id.company_id', related_sudo=False)
    amount = fields.Monetary(related='record_id.amount', related_sudo=False)
    currency_id = fields.Many2one(related='record_id.currency_id', related_sudo=False)
    is_payment = fields.Boolean(compute='_compute_proposals')
    proposed_move_ids = fields.Many2many('account.move', string='Proposed Entries', compute='_compute_proposals')
    proposed_payment_ids = fields.Many2many('account.payment', string='Proposed Payments', compute='_compute_proposals')
    # Not in superuser mode, so that nobody is shown documents of another company
    move_id = fields.Many2one(
        'account.move',
        string='Entry',
        compute='_compute_chosen',
        compute_sudo=False,
        store=True,
        readonly=False,
        ondelete='cascade',
    )
    payment_id = fields.Many2one(
        'account.payment', compute='_compute_chosen', compute_sudo=False, store=True, readonly=False, ondelete='cascade'
    )

    @api.depends('record_id')
    def _compute_proposals(self):
        for link in self:
            record, moves, payments = link.record_id, self.env['account.move'], self.env['account.payment']
            flow = record and self.env[f'ramp.flow.{record.flow}'].with_company(record.company_id)
            model = getattr(flow, '_link_model', None)
            found = flow._propose_links(record.connection_id, record) if model else None
            link.is_payment = model == payments._name
            link.proposed_move_ids = found if model == moves._name else moves
            link.proposed_payment_ids = found if model == payments._name else payments

    @api.depends('record_id')
    def _compute_chosen(self):
        for link in self:
            link.move_id = link.proposed_move_ids[:1]
            link.payment_id = link.proposed_payment_ids[:1]

    def action_confirm(self):
        """Link the object to the chosen document."""
        self.ensure_one()
        document = self.payment_id if self.is_payment else self.move_id
        if not document:
            raise UserError(self.env._('Choose the document that stands for %s.', self.record_id.display_name))
        self.record_id._link_to_document(document)
        return {'type': 'ir.actions.act_window_close'}
