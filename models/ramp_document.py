# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.fields import Domain


class RampDocument(models.AbstractModel):
    """Mapping fields of every document that crosses the border. The ledger (`ramp.record`) stays the only truth.

    They are not for portal users, who may read bills and orders of their own.
    """

    _name = 'ramp.document'
    _inherit = 'ramp.mapped'
    _description = 'Document that comes from or goes to Ramp'

    ramp_id = fields.Char(
        string='Ramp ID',
        index='btree_not_null',
        copy=False,
        readonly=True,
        groups='base.group_user',
        help="Ramp's own id of this document.",
    )
    ramp_record_id = fields.Many2one(
        'ramp.record',
        compute='_compute_ramp_record_id',
        compute_sudo=True,
        groups='account.group_account_readonly,account.group_account_invoice',
    )
    ramp_state = fields.Char(
        string='Ramp Status', compute='_compute_ramp_state', compute_sudo=True, groups='base.group_user'
    )
    ramp_url = fields.Char(string='In Ramp', compute='_compute_ramp_state', compute_sudo=True, groups='base.group_user')

    def _ramp_records(self):
        """Mapping of each document's Ramp id to its row in the ledger, in one query. Of the document's company: ids are
        no secrets.
        """
        ids = [ramp_id for ramp_id in self.mapped('ramp_id') if ramp_id]
        # the ledger is for accountants; who may read the document may know its status
        records = (
            self.env['ramp.record']
            .sudo()
            .search_fetch(
                Domain('ramp_id', 'in', ids) & Domain('company_id', 'in', self.company_id.ids),
                ['ramp_id', 'company_id', 'state', 'error_message', 'connection_id', 'flow', 'res_model'],
                order='id desc',
            )
            if ids
            else []
        )
        # a bill and its payment have one id: that of the document's own kind counts, else the first one
        return {record.ramp_id: record for record in sorted(records, key=lambda record: record.res_model == self._name)}

    def _ramp_record_of(self, records):
        """The row of one document; records: of `_ramp_records`."""
        record = records.get(self.ramp_id, self.env['ramp.record'])
        return record if record.company_id == self.company_id else record.browse()

    @api.depends('ramp_id')
    def _compute_ramp_record_id(self):
        records = self._ramp_records()
        for document in self:
            document.ramp_record_id = document._ramp_record_of(records)

    @api.depends('ramp_id')
    def _compute_ramp_state(self):
        records = self._ramp_records()
        for document in self:
            record = document._ramp_record_of(records)
            document.ramp_state = record._status_with_reason() if record else False
            document.ramp_url = record.ramp_url if record else False

    def action_open_ramp_record(self):
        """Smart button: the ledger's row of this document."""
        self.ensure_one()
        self.check_access('read')
        self.ramp_record_id.check_access('read')
        return {
            'type': 'ir.actions.act_window',
            'res_model': 'ramp.record',
            'res_id': self.ramp_record_id.id,
            'views': [(False, 'form')],
        }

    def action_open_in_ramp(self):
        """Smart button: this document in Ramp's own pages."""
        self.ensure_one()
        self.check_access('read')
        return {'type': 'ir.actions.act_url', 'url': self.ramp_url, 'target': 'new'}

    @api.ondelete(at_uninstall=False)
    def _unlink_ramp_documents(self):
        """A booked document that is deleted leaves its row open, with a sentence, instead of a dangling link."""
        # the person may delete the document but not edit the ledger
        booked = self.filtered('ramp_id')
        if booked:
            self.env['ramp.record'].sudo()._hold_deleted_documents(booked)
