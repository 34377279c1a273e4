# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.fields import Domain


class RampPushed(models.AbstractModel):
    """Mapping fields and hooks of everything that Odoo offers to Ramp.

    The hooks note what changed, in the user's own transaction, and wake the flow's job: no HTTP, one statement for each
    recordset, and nothing at all when no connection wants such objects or no field changed that Ramp knows.
    """

    _name = 'ramp.pushed'
    _inherit = 'ramp.document'
    _description = 'Object that Odoo offers to Ramp'

    _ramp_flows = ()  # the push flows that send it
    _ramp_fields = frozenset()  # of these, a change is a change for Ramp

    ramp_id = fields.Char(compute='_compute_ramp_state', compute_sudo=True, store=False, index=False)
    ramp_record_id = fields.Many2one(search='_search_ramp_record_id')

    def _ramp_new(self):
        """Which of these records, just created, may be for Ramp; told without asking the database."""
        return self

    def _ramp_changed(self, flows=None):
        """Note that these records changed, where a connection wants to know, and wake the job."""
        for flow in flows or self._ramp_flows:
            domain = self.env['ramp.connection']._pushed(flow)
            # the person who saves has no rights on the ledger
            if self and domain is not None and self.env['ramp.change'].sudo()._note(flow, self, domain):
                self.env[f'ramp.flow.{flow}']._wake()

    @api.model_create_multi
    def create(self, vals_list):
        """EXTENDS: what is new may be for Ramp."""
        records = super().create(vals_list)
        records._ramp_new()._ramp_changed()
        return records

    def write(self, vals):
        """EXTENDS: what changed may be for Ramp."""
        result = super().write(vals)
        if not self._ramp_fields.isdisjoint(vals):
            self._ramp_changed()
        return result

    def unlink(self):
        """EXTENDS: what is gone may have to go in Ramp, too."""
        self._ramp_changed()
        return super().unlink()

    def _unlink_ramp_documents(self):
        return  # its row stays, so that the object in Ramp can be withdrawn

    # ------------------------------------------------------------------ what the ledger says of it

    def _ramp_rows(self):
        """The ledger's rows of these records by record id, of the companies the user is in."""
        rows = {}
        # the ledger is for accountants; who may read the object may know its status
        for row in self.env['ramp.record'].sudo().search_fetch(
                [('res_model', '=', self._name), ('res_id', 'in', self.ids), ('flow', '=', self._ramp_flows[-1]),
                 ('company_id', 'in', self.env.companies.ids)],
                ['res_id', 'ramp_id', 'state', 'error_message', 'connection_id', 'flow'], order='id desc'):
            rows[row.res_id] = row
        return rows

    def _compute_ramp_record_id(self):
        rows = self._ramp_rows()
        for record in self:
            record.ramp_record_id = rows.get(record.id, False)

    def _compute_ramp_state(self):
        rows = self._ramp_rows()
        for record in self:
            row = rows.get(record.id)
            record.ramp_id = row.ramp_id if row else False
            record.ramp_state = row._state_in_words() if row else False
            record.ramp_url = False

    def _search_ramp_record_id(self, operator, value):
        if operator not in ('in', 'not in', 'any', 'not any'):
            return NotImplemented
        Record = self.env['ramp.record']
        rows = Domain('res_model', '=', self._name) & Domain('company_id', 'in', self.env.companies.ids)
        inner = value if isinstance(value, Domain) else Domain('id', operator.rpartition(' ')[2], [item for item in value if item])
        unlinked = operator in ('in', 'not in') and False in value
        found = Domain('id', 'in', [row.res_id for row in Record.search_fetch(rows & inner, ['res_id'])])
        if unlinked:
            found |= Domain('id', 'not in', [row.res_id for row in Record.search_fetch(rows, ['res_id'])])
        return ~found if operator.startswith('not') else found
