# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL


class RampPushed(models.AbstractModel):
    """Fields and hooks of everything that Odoo offers to Ramp.

    The hooks note what changed, in the user's own transaction, and trigger the flow's job. They use no HTTP and one
    statement for each recordset. They do nothing if no connection wants such objects, or if Ramp knows none of the
    changed fields.
    """

    _name = 'ramp.pushed'
    _inherit = 'ramp.document'
    _description = 'Object that Odoo offers to Ramp'

    # Push flows that send this model
    _ramp_flows = ()
    # Fields whose change matters to Ramp
    _ramp_fields = frozenset()

    ramp_id = fields.Char(compute='_compute_ramp_state', compute_sudo=True, store=False, index=False)
    ramp_record_id = fields.Many2one(search='_search_ramp_record_id')

    def _ramp_new_records(self):
        """Return the records that Ramp may want, out of these new records, without a query."""
        return self

    def _ramp_flows_concerned(self, vals):
        """Return the push flows for which writing these values is a change."""
        return () if self._ramp_fields.isdisjoint(vals) else self._ramp_flows

    def _ramp_note_changes(self, flows=None):
        """Note that these records changed and trigger the job, if a connection wants to know."""
        if not self:
            return
        together = self.env.cr.cache.get('ramp.together')
        for flow in flows or self._ramp_flows:
            if together is not None:
                together.setdefault((self._name, flow), set()).update(self.ids)
                continue
            domain = self.env['ramp.connection']._pushed_domain_of(flow)
            if domain is not None:
                job = self.env[f'ramp.flow.{flow}']
                if self.env['ramp.change']._note_changes(flow, self, domain, job._get_cron_id()):
                    job._trigger_push_job()

    @contextlib.contextmanager
    def _ramp_note_together(self):
        """Collect the changes made within this context, and note them at its end, all at once.

        Core writes each new account again, one at a time.
        """
        cache = self.env.cr.cache
        if 'ramp.together' in cache:
            yield
            return
        together = cache['ramp.together'] = {}
        try:
            yield
        finally:
            del cache['ramp.together']
        for (model, flow), ids in together.items():
            self.env[model].browse(sorted(ids))._ramp_note_changes((flow,))

    @api.model
    def load(self, fields, data):  # pylint: disable=redefined-outer-name
        """EXTENDS: Note an import all at once; changes that its savepoints roll back are not noted."""
        with self._ramp_note_together():
            return super().load(fields, data)

    @api.model_create_multi
    def create(self, vals_list):
        """EXTENDS: Note the new records."""
        with self._ramp_note_together():
            records = super().create(vals_list)
            records._ramp_new_records()._ramp_note_changes()
        return records

    def write(self, vals):
        """EXTENDS: Note the records if the values matter to Ramp."""
        flows = self._ramp_flows_concerned(vals)
        result = super().write(vals)
        if flows:
            self._ramp_note_changes(flows)
        return result

    def unlink(self):
        """EXTENDS: Note the records, because they may have to be removed from Ramp, too."""
        # Records that are deleted cannot be found at the end of the context, so note them now
        together = self.env.cr.cache.pop('ramp.together', None)
        try:
            self._ramp_note_changes()
        finally:
            if together is not None:
                self.env.cr.cache['ramp.together'] = together
        return super().unlink()

    def _unlink_ramp_documents(self):
        # The row stays, so that the object can be withdrawn from Ramp
        return

    # ------------------------------------------------------------------ status from the ledger

    def _ramp_ledger_rows(self, flows=None):
        """Return {record id: ledger row} for these records and the user's companies, in one query.

        Several connections may know a record, and a tax has a row as a rate and one as a tax code. The row that tells
        the user most is returned.
        """
        flows = flows or self._ramp_flows

        def row_weight(row):
            troubled = row.state in ('held', 'error')
            return (
                row.connection_id.state == 'connected',
                troubled,
                row.state != 'ignored',
                flows.index(row.flow),
                -row.id,
            )

        rows = {}
        # sudo: only accountants may read the ledger; users who may read the object may know its status
        for row in (
            self.env['ramp.record']
            .sudo()
            .search_fetch(
                [
                    ('res_model', '=', self._name),
                    ('res_id', 'in', self._origin.ids),
                    ('flow', 'in', flows),
                    ('remote_id', '!=', False),
                    ('company_id', 'in', self._ramp_companies().ids),
                ],
                ['res_id', 'ramp_id', 'remote_id', 'state', 'error_message', 'hold_reason', 'connection_id', 'flow'],
                order='id',
            )
        ):
            if row.res_id not in rows or row_weight(row) > row_weight(rows[row.res_id]):
                rows[row.res_id] = row
        return rows

    def _ramp_noted_ids(self, flows=None):
        """Return the ids of these records that changed since their push flow last looked, in one query."""
        if not self._origin:
            return set()
        noted = self.env.execute_query(
            SQL(
                'SELECT res_id FROM ramp_change WHERE flow = ANY(%s) AND res_id = ANY(%s)',
                list(flows or self._ramp_flows),
                list(self._origin.ids),
            )
        )
        return {row[0] for row in noted}

    @api.depends_context('allowed_company_ids', 'uid')
    def _compute_ramp_record_id(self):
        rows = self._ramp_ledger_rows()
        for record in self:
            record.ramp_record_id = rows.get(record._origin.id, False)

    def _ramp_status_words(self, rows, flows=None):
        """Return {record id: status in words for a person}.

        :param rows: result of `_ramp_ledger_rows` for the same flows
        """
        noted = self._ramp_noted_ids(flows)
        # The change may be meant for a connection of another company
        Connection = self.env['ramp.connection']
        awaited = bool(noted) and Connection.search_count(
            [('state', '=', 'connected'), ('company_id', 'in', self._ramp_companies().ids)], limit=1
        )
        words = {}
        for ident in self._origin.ids:
            row = rows.get(ident)
            if row and row.connection_id.state != 'connected':
                words[ident] = self.env._('Odoo is not connected to Ramp.')
            elif awaited and ident in noted:
                words[ident] = self.env._('Waiting to be sent')
            else:
                words[ident] = row._status_with_reason() if row else False
        return words

    @api.depends_context('allowed_company_ids', 'uid', 'lang')
    def _compute_ramp_state(self):
        rows = self._ramp_ledger_rows()
        words = self._ramp_status_words(rows)
        for record in self:
            row = rows.get(record._origin.id)
            record.ramp_id = row.ramp_id if row else False
            record.ramp_url = row.ramp_url if row else False
            record.ramp_state = words.get(record._origin.id, False)

    def _search_ramp_record_id(self, operator, value):
        if operator not in ('in', 'not in', 'any', 'not any'):
            return NotImplemented
        Record = self.env['ramp.record']
        rows = (
            Domain('res_model', '=', self._name)
            & Domain('remote_id', '!=', False)
            & Domain('company_id', 'in', self._ramp_companies().ids)
        )
        if isinstance(value, Domain):
            inner = value
        else:
            # Ids, or a query of ids
            inner = Domain('id', 'in', value if operator.endswith('any') else [item for item in value if item])
        found = Domain('id', 'in', Record._search(rows & inner).subselect('res_id'))
        if operator in ('in', 'not in') and False in value:
            found |= Domain('id', 'not in', Record._search(rows).subselect('res_id'))
        return ~found if operator.startswith('not') else found
