# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models


class AccountMove(models.Model):
    _name = 'account.move'
    _inherit = ['account.move', 'ramp.document']

    _ramp_id_once = models.UniqueIndex('(ramp_id) WHERE ramp_id IS NOT NULL', 'This Ramp object has a journal entry already.')

    def _compute_ramp_state(self):  # pylint: disable=missing-return
        """EXTENDS: a bill says, too, what keeps its payment from being booked."""
        super()._compute_ramp_state()
        bills = self.filtered(lambda move: move.ramp_id and move.is_purchase_document())
        # see ramp.document
        troubled = {record.ramp_id: record for record in self.env['ramp.record'].sudo().search_fetch(
            [('ramp_id', 'in', bills.mapped('ramp_id')), ('flow', 'in', ('bill_payment', 'reimbursement_payment')),
             ('company_id', 'in', bills.company_id.ids), ('state', 'in', ('held', 'error'))],
            ['ramp_id', 'state', 'error_message', 'remote_id'])} if bills else {}
        for bill in bills.filtered(lambda move: move.ramp_id in troubled):
            bill.ramp_state = self.env._('%(bill)s. Its payment: %(payment)s', bill=bill.ramp_state, payment=troubled[
                bill.ramp_id]._state_in_words())

    def _get_next_sequence_format(self):
        """Ask the database for the last number of a journal and month once for each batch, not once for each entry.

        `_locked_increment` keeps counting by itself once it holds the sequence; only the question for the last number
        was repeated. The memory lives in the context of one batch, never longer than its transaction.
        """
        memory = self.env.context.get('ramp_one_sequence')
        if memory is None:
            return super()._get_next_sequence_format()
        key = (self.journal_id.id, self.move_type, bool(self.origin_payment_id), self.date.year, self.date.month)
        if key not in memory:
            memory[key] = super()._get_next_sequence_format()
        format_string, values = memory[key]
        return format_string, dict(values)  # the caller takes values out of it

    def _get_invoice_in_payment_state(self):
        """A bill from Ramp is "In Payment" until the bank line is matched, on Community too; every other invoice keeps its habit."""
        if len(self) == 1 and self.is_purchase_document(include_receipts=True) and self.sudo().ramp_id:  # for portal users, too
            return 'in_payment'
        return super()._get_invoice_in_payment_state()

    def _compute_commercial_partner_id(self):
        """EXTENDS: an employee whose contact is below the company's own is owed a reimbursement; the company owes itself nothing."""
        result = super()._compute_commercial_partner_id()
        for move in self:
            own = move.company_id.partner_id
            if move.commercial_partner_id == own != move.partner_id and (
                    move.ramp_id or move.reversed_entry_id.commercial_partner_id == move.partner_id):
                move.commercial_partner_id = move.partner_id
        return result

    def _compute_needed_terms(self):
        """An entry from Ramp has all its lines; core would look, for each one, for the account that settles a company-paid
        expense, make it where the chart has none, and refuse the entry where it is archived."""
        entries = self.filtered(lambda move: move.move_type == 'entry' and move.ramp_id)
        entries.needed_terms = {}
        entries.needed_terms_dirty = True
        return super(AccountMove, self - entries)._compute_needed_terms()
