# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models

VENDOR_FLOWS = ('vendor', 'vendor_contact')


class ResPartner(models.Model):
    """A supplier that Odoo offers in Ramp (see `ramp.pushed`), a vendor of bill pay that Ramp has, or both: a row for each."""

    _name = 'res.partner'
    _inherit = ['res.partner', 'ramp.pushed']

    _ramp_flows = ('accounting_vendor',)
    _ramp_fields = frozenset({'name', 'ref', 'active', 'supplier_rank', 'parent_id', 'company_id'})

    ramp_vendor_record_id = fields.Many2one(
        'ramp.record', string='Ramp Vendor', compute='_compute_ramp_vendor_record_id', compute_sudo=True,
        groups='account.group_account_readonly,account.group_account_invoice')
    ramp_vendor_state = fields.Char(
        string='Vendor in Ramp', compute='_compute_ramp_vendor_state', compute_sudo=True, groups='base.group_user')
    ramp_vendor_url = fields.Char(
        string='Vendor on Ramp\'s Pages', compute='_compute_ramp_vendor_state', compute_sudo=True, groups='base.group_user')

    def _ramp_new(self):
        return self.filtered('supplier_rank')

    def _ramp_vendor_rows(self):
        """The ledger's row of the vendor, or of the vendor's contact, that each partner is: in one query."""
        rows = {}
        # the ledger is for accountants; who may read the partner may know its status
        for row in self.env['ramp.record'].sudo().search_fetch(
                [('res_model', '=', self._name), ('res_id', 'in', self._origin.ids), ('flow', 'in', VENDOR_FLOWS),
                 ('company_id', 'in', self.env.companies.ids)],
                ['res_id', 'ramp_id', 'parent_ramp_id', 'state', 'error_message', 'connection_id', 'flow'], order='id desc'):
            weight = row.connection_id.state == 'connected', row.flow == 'vendor'
            if row.res_id not in rows or weight >= rows[row.res_id][0]:
                rows[row.res_id] = weight, row
        return {identity: row for identity, (_weight, row) in rows.items()}

    @api.depends_context('allowed_company_ids')
    def _compute_ramp_vendor_record_id(self):
        rows = self._ramp_vendor_rows()
        for partner in self:
            partner.ramp_vendor_record_id = rows.get(partner._origin.id, False)

    @api.depends_context('allowed_company_ids', 'lang')
    def _compute_ramp_vendor_state(self):
        rows = self._ramp_vendor_rows()
        for partner in self:
            row = rows.get(partner._origin.id)
            if row and row.state == 'confirmed':
                partner.ramp_vendor_state = (
                    self.env._('Vendor in Ramp') if row.flow == 'vendor' else self.env._('Contact of a vendor in Ramp'))
            else:
                partner.ramp_vendor_state = row._state_in_words() if row else False
            partner.ramp_vendor_url = row.ramp_url if row else False

    def action_open_ramp_vendor(self):
        """Smart button: the ledger's row of the vendor."""
        self.ensure_one()
        return {
            'type': 'ir.actions.act_window',
            'res_model': 'ramp.record',
            'res_id': self.ramp_vendor_record_id.id,
            'views': [(False, 'form')],
        }

    def action_open_vendor_in_ramp(self):
        """Smart button: the vendor in Ramp's own pages."""
        self.ensure_one()
        return {'type': 'ir.actions.act_url', 'url': self.ramp_vendor_url, 'target': 'new'}

    @api.ondelete(at_uninstall=False)
    def _unlink_ramp_documents(self):
        """A vendor's partner that is deleted leaves its row open, with a sentence; what was sent is withdrawn by its own flow."""
        # the person may delete the partner but not edit the ledger
        self.env['ramp.record'].sudo()._documents_deleted(self)
