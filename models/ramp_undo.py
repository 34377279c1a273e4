# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Domain
from odoo.tools import SQL, format_date

# (flow, field that includes it), in the order in which they are undone: what depends on something comes before it
STAGES = (
    ('bill_payment', 'with_bills'),
    ('reimbursement_payment', 'with_reimbursements'),
    ('transfer', 'with_statements'),
    ('statement', 'with_statements'),
    ('cashback', 'with_statements'),
    ('statement_file', 'with_statements'),
    ('repayment', 'with_cards'),
    ('transaction', 'with_cards'),
    ('bill', 'with_bills'),
    ('bill_file', 'with_bills'),
    ('reimbursement', 'with_reimbursements'),
    ('receipt', 'with_cards'),  # also those of reimbursements
    ('vendor_credit', 'with_bills'),
)
POSTING = ('transaction', 'repayment', 'bill', 'reimbursement', 'vendor_credit', 'statement')
PAYING = ('bill_payment', 'reimbursement_payment')
FILES = ('statement_file', 'bill_file', 'receipt')
AREAS = tuple(dict.fromkeys(area for _flow, area in STAGES))
# What a person enters. The preview shows what these fields choose, so a change of them clears it.
CHOSEN = ('connection_id', 'scope', 'run_id', 'date_from', 'date_to', *AREAS)
ENTERED = (*CHOSEN, 'posted_policy', 'reason', 'typed_name')


class RampUndo(models.Model):
    """Undo what a synchronization posted: choose it, look at it, confirm it; then a job does it.

    It stays as the record of what was done, with a line for each object. See `flows/engine/undo_job.py`.
    """

    _name = 'ramp.undo'
    _description = 'Undo of a Ramp Synchronization'
    _rec_names_search = ['connection_id']
    _order = 'id desc'

    connection_id = fields.Many2one('ramp.connection', required=True, index=True, ondelete='cascade')
    company_id = fields.Many2one(related='connection_id.company_id', store=True, index=True)
    scope = fields.Selection(
        [('period', 'Everything of a period'), ('run', 'What one run posted')],
        string='What to Undo',
        required=True,
        default='period',
    )
    run_id = fields.Many2one('ramp.run', ondelete='set null', index='btree_not_null')
    date_from = fields.Date(string='From', help='The first day of the objects in Ramp.')
    date_to = fields.Date(string='To', help='The last day of the objects in Ramp.')
    with_cards = fields.Boolean(string='Card transactions and repayments', default=True)
    with_statements = fields.Boolean(string='Card statements, their payments, cashback', default=True)
    with_bills = fields.Boolean(string='Bills, their payments, vendor credits', default=True)
    with_reimbursements = fields.Boolean(string='Reimbursements and their payments', default=True)
    posted_policy = fields.Selection(
        [('reverse', 'Reverse it on its own day'), ('delete', 'Delete it where Odoo allows it, otherwise reverse it')],
        string='What Is Posted',
        required=True,
        default='reverse',
        help='Drafts are deleted. In a locked period, the policy of the connection for locked periods counts.',
    )
    reason = fields.Char(help='It is kept on each object.')
    typed_name = fields.Char(string='Name of the Connection', help='Type the name of the connection to confirm.')
    state = fields.Selection(
        [('draft', 'To Be Confirmed'), ('queued', 'Queued'), ('running', 'Running'), ('done', 'Finished')],
        string='Status',
        required=True,
        default='draft',
        readonly=True,
        index=True,
        copy=False,
    )
    started_by_id = fields.Many2one('res.users', string='Confirmed By', readonly=True, copy=False)
    started_at = fields.Datetime(string='Confirmed On', readonly=True, copy=False)
    finished_at = fields.Datetime(string='Finished', readonly=True, copy=False)
    line_ids = fields.One2many('ramp.undo.line', 'undo_id', readonly=True, copy=False)
    sum_ids = fields.One2many('ramp.undo.sum', 'undo_id', string='What Will Be Undone', readonly=True, copy=False)
    document_ids = fields.Many2many(
        'account.move', 'ramp_undo_move_rel', 'undo_id', 'move_id', string='Documents', readonly=True, copy=False
    )
    line_count = fields.Integer(string='Objects', compute='_compute_line_counts')
    todo_count = fields.Integer(string='Still to Do', compute='_compute_line_counts')
    kept_count = fields.Integer(string='Could Not Be Undone', compute='_compute_line_counts')
    told_count = fields.Integer(string='Still Synced in Ramp', compute='_compute_line_counts')

    @api.depends('connection_id', 'started_at')
    def _compute_display_name(self):
        for undo in self:
            undo.display_name = self.env._('Undo of %s', undo.connection_id.name or '')

    @api.depends('line_ids.outcome')
    def _compute_line_counts(self):
        Line = self.env['ramp.undo.line']
        counts = {}
        for undo, outcome, is_told, count in Line._read_group(
            [('undo_id', 'in', self.ids)], ['undo_id', 'outcome', 'was_told'], ['__count']
        ):
            counts.setdefault(undo.id, []).append((outcome, is_told, count))
        for undo in self:
            mine = counts.get(undo.id, [])
            undo.line_count = sum(count for _outcome, _told, count in mine)
            undo.todo_count = sum(count for outcome, _told, count in mine if outcome == 'todo')
            undo.kept_count = sum(count for outcome, _told, count in mine if outcome == 'kept')
            undo.told_count = sum(count for outcome, told, count in mine if told and outcome not in ('todo', 'kept'))

    # ------------------------------------------------------------------ what a person may enter

    @api.constrains('date_from', 'date_to', 'run_id', 'connection_id')
    def _check_scope(self):
        for undo in self:
            if undo.date_from and undo.date_to and undo.date_from > undo.date_to:
                raise ValidationError(self.env._('The period ends before it begins. Correct its days.'))
            if undo.run_id and undo.run_id.connection_id != undo.connection_id:
                raise ValidationError(self.env._('The run belongs to another connection. Choose one of this one.'))

    @api.model
    def _check_entered(self, values):
        if not self.env.su and not values.keys() <= set(ENTERED):
            raise AccessError(self.env._('Only the connector writes what became of an undo.'))

    @api.model_create_multi
    def create(self, vals_list):
        """EXTENDS: let people enter only what they choose, also by defaults."""
        for values in vals_list:
            self._check_entered(values)
        defaults = {key.removeprefix('default_') for key in self.env.context if key.startswith('default_')}
        self._check_entered(dict.fromkeys(defaults & self._fields.keys()))
        return super().create(vals_list)

    def write(self, vals):
        """EXTENDS: let people change only what they choose, before it is confirmed."""
        self._check_entered(vals)
        if not self.env.su and vals:
            for undo in self:
                undo._check_is_draft()
            if vals.keys() & set(CHOSEN):
                # sudo: people do not write the preview, but their choice voids it
                self.sudo()._clear_preview()
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_confirmed(self):
        for undo in self:
            undo._check_is_draft()

    def _check_is_draft(self):
        self.ensure_one()
        if self.state != 'draft':
            raise UserError(self.env._('%s is confirmed. It stays as the record of what was done.', self.display_name))

    def _check_is_manager(self):
        self.ensure_one()
        self.check_access('write')
        self.connection_id.check_access('write')

    # ------------------------------------------------------------------ preview

    def action_prepare(self):
        """List what would be undone, with its sums. Nothing else happens.

        :raise UserError: when there is nothing
        """
        self._check_is_manager()
        self._check_is_draft()
        if self.scope == 'run' and not self.run_id:
            raise UserError(self.env._('Choose the run.'))
        if self.scope == 'period' and not (self.date_from and self.date_to):
            raise UserError(self.env._('Enter the first and the last day of the period.'))
        # sudo: administrators choose what is undone (checked above), but nobody writes the list
        undo = self.sudo()
        undo._clear_preview()
        undo._collect_lines()
        undo._collect_documents()
        undo._sum_documents()
        self.invalidate_recordset()
        if not self.line_ids:
            raise UserError(self.env._('Nothing of that is posted, so there is nothing to undo.'))
        return True

    def _clear_preview(self):
        self.line_ids.unlink()
        self.sum_ids.unlink()
        self.document_ids = False

    def _collect_lines(self):
        """Make a line for each posted object that is chosen, and for each one that depends on it: payments of its
        document, repayments, cashback, files.
        """
        self.env.flush_all()
        flows = [flow for flow, area in STAGES if self[area]]
        where = (
            SQL('r.booked_run_id = %s', self.run_id.id)
            if self.scope == 'run'
            else SQL('r.date BETWEEN %s AND %s', self.date_from, self.date_to)
        )
        self.env.cr.execute(
            SQL(
                """
            WITH chosen AS (
                SELECT r.id, r.connection_id, r.flow, r.ramp_id, r.parent_ramp_id, r.noted FROM ramp_record r
                 WHERE r.connection_id = %(connection)s AND r.flow = ANY(%(flows)s) AND r.res_id IS NOT NULL AND %(where)s
            ), picked AS (
                SELECT id FROM chosen
                UNION
                SELECT d.id FROM chosen c JOIN ramp_record d ON d.connection_id = c.connection_id AND d.ramp_id = c.ramp_id
                 WHERE d.flow = c.flow || '_payment' AND c.flow IN ('bill', 'reimbursement')
                UNION
                SELECT d.id FROM chosen c JOIN ramp_record d ON d.connection_id = c.connection_id AND d.parent_ramp_id = c.ramp_id
                 WHERE c.flow = 'transaction' AND d.flow = 'repayment'
                UNION
                SELECT d.id FROM chosen c, jsonb_array_elements_text(
                           CASE WHEN jsonb_typeof(c.noted -> 'cashbacks') = 'array' THEN c.noted -> 'cashbacks' ELSE '[]' END) AS b(id)
                  JOIN ramp_record d ON d.ramp_id = b.id
                 WHERE c.flow = 'statement' AND d.connection_id = c.connection_id AND d.flow = 'cashback'
                UNION
                SELECT d.id FROM chosen c JOIN ramp_record d ON d.connection_id = c.connection_id
                   AND d.parent_ramp_id = CASE c.flow WHEN 'statement' THEN c.parent_ramp_id ELSE c.ramp_id END
                 WHERE d.flow = ANY(%(files)s)
            )
            INSERT INTO ramp_undo_line (undo_id, company_id, record_id, flow, name, date, amount, currency_id, document_name,
                                        outcome, was_told, create_uid, write_uid, create_date, write_date)
            SELECT %(undo)s, r.company_id, r.id, r.flow, r.name, r.date, r.amount, r.currency_id,
                   NULLIF(COALESCE(m.name, p.name), '/'), 'todo', COALESCE(r.is_told, FALSE), %(uid)s, %(uid)s, %(now)s, %(now)s
              FROM ramp_record r JOIN picked USING (id)
              LEFT JOIN account_move m ON r.res_model = 'account.move' AND m.id = r.res_id
              LEFT JOIN account_payment p ON r.res_model = 'account.payment' AND p.id = r.res_id
             WHERE r.res_id IS NOT NULL
            """,
                connection=self.connection_id.id,
                flows=flows,
                where=where,
                files=list(FILES),
                undo=self.id,
                uid=self.env.uid,
                now=self.env.cr.now(),
            )
        )
        self.env.invalidate_all()

    def _collect_documents(self):
        """Collect the documents of the lines that are the connector's own."""
        self.env.cr.execute(
            SQL(
                """
            WITH chosen AS (
                SELECT u.flow, r.res_model, r.res_id, r.noted FROM ramp_undo_line u JOIN ramp_record r ON r.id = u.record_id
                 WHERE u.undo_id = %(undo)s AND r.noted ->> 'is_linked' IS DISTINCT FROM 'true'
            ), document AS (
                SELECT res_id AS move_id FROM chosen WHERE res_model = 'account.move' AND flow = ANY(%(posting)s)
                UNION
                SELECT (noted ->> 'exchange')::int FROM chosen WHERE flow = 'statement'
                UNION
                SELECT (noted ->> 'moved')::int FROM chosen WHERE flow = 'repayment'
                UNION
                SELECT (noted #>> '{card,id}')::int FROM chosen
                 WHERE flow = 'bill_payment' AND jsonb_typeof(noted #> '{card,id}') = 'number'
                UNION
                SELECT p.move_id FROM chosen JOIN account_payment p ON p.id = (noted #>> '{payment,id}')::int WHERE flow = 'transfer'
                UNION
                SELECT p.move_id FROM chosen, jsonb_each(
                           CASE WHEN jsonb_typeof(noted -> 'parts') = 'object' THEN noted -> 'parts' ELSE '{}' END) AS part(key, value)
                  JOIN account_payment p ON p.id = (part.value ->> 'id')::int
                 WHERE flow = ANY(%(paying)s)
            )
            INSERT INTO ramp_undo_move_rel (undo_id, move_id) SELECT %(undo)s, m.id FROM account_move m JOIN document d ON d.move_id = m.id
            """,
                undo=self.id,
                posting=list(POSTING),
                paying=list(PAYING),
            )
        )
        self.env.invalidate_all()

    def _sum_documents(self):
        """Sum the documents by month, journal, account and currency."""
        self.env.cr.execute(
            SQL(
                """
            INSERT INTO ramp_undo_sum (undo_id, company_id, month, journal_id, account_id, currency_id, entry_state, entry_count,
                                       amount, balance, create_uid, write_uid, create_date, write_date)
            SELECT d.undo_id, l.company_id, date_trunc('month', l.date)::date, l.journal_id, l.account_id, l.currency_id, l.parent_state,
                   count(DISTINCT l.move_id), sum(l.amount_currency), sum(l.balance), %(uid)s, %(uid)s, %(now)s, %(now)s
              FROM ramp_undo_move_rel d JOIN account_move_line l ON l.move_id = d.move_id
             WHERE d.undo_id = %(undo)s AND l.account_id IS NOT NULL AND l.parent_state <> 'cancel'
             GROUP BY d.undo_id, l.company_id, date_trunc('month', l.date), l.journal_id, l.account_id, l.currency_id, l.parent_state
            """,
                undo=self.id,
                uid=self.env.uid,
                now=self.env.cr.now(),
            )
        )
        self.env.invalidate_all()

    # ------------------------------------------------------------------ confirmation

    def action_start(self):
        """Confirm the undo. The job does it.

        :raise UserError: when the reason or the name of the connection is missing
        """
        self._check_is_manager()
        self._check_is_draft()
        if not self.line_ids:
            raise UserError(self.env._('Press "Show What Will Be Undone" first, and look at it.'))
        if not (self.reason or '').strip():
            raise UserError(self.env._('Enter a reason, so that others know why it was undone.'))
        if (self.typed_name or '').strip() != self.connection_id.name.strip():
            raise UserError(self.env._('To confirm, type the name of the connection: %s', self.connection_id.name))
        # sudo: administrators confirm (checked above), but nobody enters that something is confirmed
        self.sudo().write(
            {
                'state': 'queued',
                'reason': self.reason.strip(),
                'started_by_id': self.env.uid,
                'started_at': self.env.cr.now().replace(microsecond=0),
            }
        )
        self._trigger_job()
        return True

    # ------------------------------------------------------------------ pages

    def action_open_lines(self):
        """Open the objects of the undo."""
        self.ensure_one()
        self.check_access('read')
        context = {f'search_default_{name}': 1 for name in self.env.context.get('ramp_filters', ())}
        return {
            'type': 'ir.actions.act_window',
            'name': self.display_name,
            'res_model': 'ramp.undo.line',
            'views': [(False, 'list'), (False, 'kanban')],
            'mobile_view_mode': 'kanban',
            'domain': Domain('undo_id', '=', self.id),
            'context': context,
        }


class RampUndoSum(models.Model):
    """A line of the preview: what the documents to be undone have on an account, in a month, journal and currency."""

    _name = 'ramp.undo.sum'
    _description = 'Sum of a Ramp Undo'
    _order = 'month, journal_id, account_id, id'

    undo_id = fields.Many2one('ramp.undo', required=True, readonly=True, index=True, ondelete='cascade')
    company_id = fields.Many2one('res.company', required=True, readonly=True)
    company_currency_id = fields.Many2one(related='company_id.currency_id', string='Company Currency')
    month = fields.Date(string='First Day', readonly=True)
    month_name = fields.Char(string='Month', compute='_compute_month_name')
    journal_id = fields.Many2one('account.journal', readonly=True, ondelete='cascade')
    account_id = fields.Many2one('account.account', readonly=True, ondelete='cascade')
    currency_id = fields.Many2one('res.currency', readonly=True)
    entry_state = fields.Selection([('draft', 'Draft'), ('posted', 'Posted')], string='Status', readonly=True)
    entry_count = fields.Integer(string='Entries', readonly=True)
    amount = fields.Monetary(readonly=True)
    balance = fields.Monetary(currency_field='company_currency_id', readonly=True)

    @api.depends('month')
    @api.depends_context('lang')
    def _compute_month_name(self):
        for line in self:
            line.month_name = format_date(self.env, line.month, date_format='MMMM yyyy')
