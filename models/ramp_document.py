# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.fields import Domain


class RampDocument(models.AbstractModel):
    """Fields that link a document to Ramp. The ledger (`ramp.record`) remains the only source of truth.

    Portal users, who may read their own bills and orders, cannot see these fields.
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
        help="Ramp's ID of this document.",
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
        """Return the ledger row of each document by its Ramp id, in one query.

        Only rows of the documents' companies count, because a Ramp id is no secret.
        """
        ids = [ramp_id for ramp_id in self.mapped('ramp_id') if ramp_id]
        # sudo: only accountants may read the ledger; users who may read the document may know its status
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
        # A bill and its payment have the same id: the row of the document's own model counts, else the first one
        return {record.ramp_id: record for record in sorted(records, key=lambda record: record.res_model == self._name)}

    def _ramp_record_of(self, records):
        """Return the row of one document.

        :param records: result of `_ramp_records`
        """
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
        """Open the ledger row of this document (smart button)."""
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
        """Open this document on Ramp's own pages (smart button)."""
        self.ensure_one()
        self.check_access('read')
        return {'type': 'ir.actions.act_url', 'url': self.ramp_url, 'target': 'new'}

    @api.ondelete(at_uninstall=False)
    def _unlink_ramp_documents(self):
        """Reopen the ledger rows of posted documents that are deleted, with a reason, so that no link leads nowhere."""
        # sudo: users who may delete the document may not edit the ledger
        booked = self.filtered('ramp_id')
        if booked:
            self.env['ramp.record'].sudo()._hold_deleted_documents(booked)
