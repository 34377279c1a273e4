# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import functools
import json

from odoo import api, fields, models
from odoo.tools import format_date

from .reason import Cause, join_texts, text_digest

OPEN_STATES = ('pending', 'error', 'held')
# Reasons that may vanish without a decision in Odoo. A run posts such a row once it can, or takes it up again when Ramp
# changes it. A row with any other reason waits for a person.
PASSING_REASONS = ('question', 'elsewhere', 'rule')


class RampRecord(models.Model):
    """The ledger: exactly one row for every object that passes between Ramp and Odoo.

    The unique index makes duplicates impossible in the database. A document and its row change in the same transaction.
    Ramp learns only of committed changes.
    """

    _name = 'ramp.record'
    _description = 'Ramp Record'
    # Objects that Odoo sends have no date; they must not push the spend off the first page
    _order = 'date desc nulls last, id desc'
    _rec_name = 'name'

    connection_id = fields.Many2one('ramp.connection', required=True, readonly=True, ondelete='restrict')
    company_id = fields.Many2one('res.company', required=True, readonly=True, index=True)
    flow = fields.Selection('_selection_flow', string='Type', required=True, readonly=True)
    ramp_id = fields.Char(string='Ramp ID', readonly=True, index=True)
    parent_ramp_id = fields.Char(
        string='Belongs To',
        readonly=True,
        index='btree_not_null',
        help='Ramp ID of the object this one belongs to: the transaction of a receipt, the purchase of a refund.',
    )
    name = fields.Char(string='Description', readonly=True)
    date = fields.Date(readonly=True)
    amount = fields.Monetary(readonly=True, help='The amount in Ramp: spend is positive, a refund is negative.')
    currency_id = fields.Many2one('res.currency', readonly=True)
    state = fields.Selection(
        [
            ('pending', 'Waiting'),
            ('done', 'Posted, not yet marked synced in Ramp'),
            ('confirmed', 'Synced to Ramp'),
            ('error', 'Failed, will retry'),
            ('held', 'On Hold'),
            ('ignored', 'Ignored'),
        ],
        string='Status',
        required=True,
        default='pending',
        readonly=True,
        index=True,
    )
    status = fields.Char(
        string='In Words',
        compute='_compute_status',
        help='The status in words, for what Odoo sends or for what it receives.',
    )
    res_model = fields.Char(string='Document Model', readonly=True)
    res_id = fields.Many2oneReference(string='Document', model_field='res_model', readonly=True)
    ramp_entity_id = fields.Char(
        string='Ramp Entity ID', readonly=True, help='ID of the Ramp entity that the object belongs to.'
    )
    ramp_entity_name = fields.Char(string='Ramp Entity', compute='_compute_ramp_entity_name')
    is_withheld = fields.Boolean(
        readonly=True,
        help='Ramp shows the object but does not offer it for posting. The reason says what it waits for.',
    )
    finding = fields.Char(readonly=True, help='What the nightly check found about its document in Odoo.')
    has_moved = fields.Boolean(
        readonly=True,
        help='Whether its money has moved. Only then does it count in what is owed on the cards according to Ramp.',
    )
    open_amount = fields.Monetary(
        readonly=True, help='The amount still to be paid according to Ramp; negative for a credit.'
    )
    payload = fields.Json(readonly=True)
    payload_text = fields.Text(string='As Ramp sent it', compute='_compute_payload_text')
    sent_text = fields.Text(string='What Ramp Has', compute='_compute_sent_text')
    late_payload = fields.Json(
        readonly=True, help="Ramp's current version of an object that was posted in an earlier version."
    )
    late_payload_text = fields.Text(string='As Ramp has it now', compute='_compute_payload_text')
    has_changed = fields.Boolean(readonly=True, help='Ramp changed it after it was posted here; see the late payload.')
    payload_hash = fields.Char(readonly=True)
    noted = fields.Json(
        readonly=True,
        help='Details of the object that its document already shows, besides what is posted once: files, memo, '
        'payments.',
    )
    error_message = fields.Text(string='Reason for Ramp', readonly=True, help='The reason as it is reported to Ramp.')
    reason = fields.Json(
        string='Causes of the Reason',
        readonly=True,
        help='The causes of the reason as data (`Cause`), so that it can be read in every language and grouped by cause.',
    )
    reason_text = fields.Text(string='Reason', compute='_compute_reason_text')
    cause_ids = fields.Many2many(
        'ramp.cause', string='Causes', compute='_compute_cause_ids', search='_search_cause_ids', store=False
    )
    reason_move_id = fields.Many2one(
        'account.move',
        string='Named in the Reason',
        readonly=True,
        ondelete='set null',
        index='btree_not_null',
        help='The document in Odoo that blocks it, or that was undone.',
    )
    hold_reason = fields.Selection(
        [
            # on hold
            ('question', 'A question to settle'),
            ('elsewhere', 'Exported by another system'),
            ('exhausted', 'Failed too often'),
            ('changed', 'Changed in Ramp'),
            ('finding', 'Document changed in Odoo'),
            ('deleted', 'Document deleted in Odoo'),
            ('refused', 'Refused by Ramp'),
            ('archived', 'Archived in Ramp'),
            # ignored
            ('rule', 'Left out by a rule'),
            ('person', 'Ignored by a person'),
        ],
        string='Kind of Reason',
        readonly=True,
        help='Why the row is on hold or ignored. A question is looked at again in every run, and what a rule left out '
        'comes back when Ramp changes it. Everything else waits for a decision.',
    )
    attempts = fields.Integer(readonly=True, aggregator=None, help='Number of failures in a row.')
    next_attempt = fields.Datetime(readonly=True)
    seen_at = fields.Datetime(string='Last Seen in Ramp', readonly=True)
    reported_hash = fields.Char(readonly=True, help='The hash of the failure that was last reported to Ramp.')
    reports = fields.Integer(
        string='Times Reported',
        readonly=True,
        help='How often a failure was reported to Ramp. A reason that comes back is reported again.',
    )
    sync_key = fields.Char(
        readonly=True, help='The key under which the outcome is confirmed to Ramp. The records of a batch share it.'
    )
    sync_attempt = fields.Integer(readonly=True)
    is_told = fields.Boolean(readonly=True, help='Ramp accepted an outcome and has not asked for another one since.')
    confirmed_at = fields.Datetime(readonly=True)
    booked_run_id = fields.Many2one(
        'ramp.run',
        string='Posted By',
        readonly=True,
        ondelete='set null',
        index='btree_not_null',
        help='The synchronization run that posted its document.',
    )
    ramp_url = fields.Char(string='In Ramp', compute='_compute_ramp_url')
    is_posting = fields.Boolean(compute='_compute_is_posting', help='Whether its document is one that is posted.')
    related_record_id = fields.Many2one('ramp.record', string='Parent Row', compute='_compute_related_record_id')

    _once = models.UniqueIndex('(connection_id, flow, ramp_id)', 'This Ramp object already has a record.')
    _hold_reason_of_state = models.Constraint(
        "CHECK (CASE WHEN state = 'held' THEN COALESCE(hold_reason, 'rule') NOT IN ('rule', 'person') "
        "WHEN state = 'ignored' THEN COALESCE(hold_reason, '') IN ('rule', 'person') ELSE hold_reason IS NULL END)",
        'A row that is on hold or ignored needs a kind of reason, and no other row has one.',
    )
    _open = models.Index("(connection_id, flow, id) WHERE state IN ('pending', 'error', 'held')")
    _unconfirmed = models.Index("(connection_id, flow, sync_key) WHERE state = 'done'")
    _document = models.Index('(res_model, res_id) WHERE res_id IS NOT NULL')
    _card_payments = models.Index(
        "USING gin ((payload #> '{payment,details,transaction_ids}')) WHERE flow = 'bill_payment'"
    )
    _moved = models.Index(
        '(connection_id, date) INCLUDE (id, flow, ramp_entity_id, currency_id, amount, res_model, res_id) WHERE '
        'has_moved'
    )
    # Which object an entry was posted for: all that the tie-out asks of these rows
    _entries = models.Index(
        "(connection_id) INCLUDE (flow, id, res_id, ramp_entity_id, amount) WHERE flow IN ('transaction', 'statement') "
        "AND res_model = 'account.move' AND res_id IS NOT NULL"
    )
    _in_order = models.Index('(date DESC NULLS LAST, id DESC)')
    # Filters of the list that find a few rows among many, in the order of the list
    _changed_in_order = models.Index('(date DESC NULLS LAST, id DESC) WHERE has_changed IS TRUE')
    _withheld_in_order = models.Index('(date DESC NULLS LAST, id DESC) WHERE is_withheld IS TRUE')
    _found_in_order = models.Index('(date DESC NULLS LAST, id DESC) WHERE finding IS NOT NULL')
    _of_reason = models.Index('USING hash (error_message) WHERE error_message IS NOT NULL')
    _decided_in_order = models.Index('(date DESC NULLS LAST, id DESC) WHERE decision IS NOT NULL')

    @api.model
    def _selection_flow(self):
        return [(flow._flow, flow._get_flow_label()) for flow in self.env['ramp.connection']._flow_models()]

    @api.depends('payload', 'late_payload')
    def _compute_payload_text(self):
        for record in self:
            for name in ('payload', 'late_payload'):
                record[f'{name}_text'] = record[name] and json.dumps(
                    record[name], indent=2, ensure_ascii=False, sort_keys=True
                )

    # ------------------------------------------------------------------ the reason in every language

    @api.model
    def _make_reason(self, connection, reason):
        """Return the values of the fields that hold a reason.

        :param reason: `Reason` of a flow, `Cause`, or a sentence (see `Sentence.of`)
        :return: {'error_message': text in the language of the environment, 'reason': JSON value}
        """
        causes = [reason] if isinstance(reason, Cause) else getattr(reason, 'causes', None) or [Cause.of(reason)]
        text = join_texts(causes, self.env.lang)
        return {
            'error_message': text,
            'reason': {'of': text_digest(text), 'causes': [cause.to_json(connection.id) for cause in causes]},
        }

    def _reason_values(self, reason):
        """Return `_make_reason` for this row."""
        return self._make_reason(self.connection_id, reason)

    def _get_causes(self):
        """Return the causes of the reason. There is none where the reason was stored as a text only."""
        self.ensure_one()
        if not self.reason or not self.error_message or self.reason['of'] != text_digest(self.error_message):
            return []
        return [Cause.from_json(cause) for cause in self.reason['causes']]

    @api.depends('error_message', 'reason')
    @api.depends_context('lang')
    def _compute_reason_text(self):
        for record in self:
            record.reason_text = self._reason_in_words(record._get_causes()) or record.error_message

    @api.model
    def _reason_in_words(self, causes):
        """Return the sentences of causes in the language and with the date format of the reader."""
        return join_texts(causes, self.env.lang, functools.partial(format_date, self.env))

    @api.depends('error_message', 'reason', 'state')
    def _compute_cause_ids(self):
        known = self.env['ramp.cause']._causes_of_records(self)
        for record in self:
            record.cause_ids = known.get(record.id, False)

    def _search_cause_ids(self, operator, value):
        if operator != 'in':
            return NotImplemented
        return [('id', 'in', self.env['ramp.cause']._record_query(value))]

    @api.depends('ramp_id', 'flow', 'connection_id')
    def _compute_ramp_url(self):
        for record in self:
            base = record.connection_id._app_url() if record.connection_id else False
            page = record.flow and self.env[f'ramp.flow.{record.flow}']._get_ramp_page_path(record)
            record.ramp_url = f'{base}{page}' if base and page else False

    @api.depends('ramp_entity_id')
    def _compute_ramp_entity_name(self):
        for record in self:
            # The id is shown until the nightly check has read the names
            record.ramp_entity_name = (record.connection_id.ramp_entities or {}).get(
                record.ramp_entity_id
            ) or record.ramp_entity_id

    @api.depends('parent_ramp_id')
    def _compute_related_record_id(self):
        parents = {}
        for record in self.search(
            [('ramp_id', 'in', [parent for parent in self.mapped('parent_ramp_id') if parent])], order='id'
        ):
            # The first row is the object itself; its payment has the same id
            parents.setdefault(record.ramp_id, record)
        for record in self:
            record.related_record_id = parents.get(record.parent_ramp_id, False)

    @api.depends('name', 'ramp_id', 'remote_id')
    def _compute_display_name(self):
        for record in self:
            record.display_name = record.name or record.ramp_id or record.remote_id
