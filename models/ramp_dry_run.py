# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tools import format_date, format_datetime, formatLang

from ..report.ramp_dry_run_xlsx import DryRunWorkbook

# A result holds names and texts from Ramp, and is out of date after the next synchronization
KEEP_DRY_RUNS = timedelta(days=30)
GC_BATCH = 100
# What the page shows of a list; the workbook has all
MOST_ON_PAGE = 200


class RampDryRun(models.Model):
    """What a synchronization would post now, and what it would not: asked for by a person, and nothing is posted.

    The job makes the result (`models/ramp_dry_run_work.py`). A dry run of one row of the ledger asks Ramp for nothing,
    so it is made at once.
    """

    _name = 'ramp.dry.run'
    _inherit = 'ramp.mapped'
    _description = 'Ramp Dry Run'
    _rec_names_search = ['connection_id', 'record_id']
    _order = 'id desc'

    connection_id = fields.Many2one('ramp.connection', required=True, index=True, ondelete='cascade')
    company_id = fields.Many2one(related='connection_id.company_id', store=True, index=True)
    flow = fields.Selection(
        '_selection_posting_flow',
        string='Type',
        help='Show only objects of this type. All types are tried all the same, because one may depend on another.',
    )
    date_from = fields.Date(string='From', help='Show only what has this date or a later one.')
    date_to = fields.Date(string='To', help='Show only what has this date or an earlier one.')
    record_id = fields.Many2one('ramp.record', readonly=True, ondelete='cascade')
    state = fields.Selection(
        [('queued', 'Queued'), ('running', 'Running'), ('done', 'Finished'), ('failed', 'Failed')],
        string='Status',
        required=True,
        default='queued',
        readonly=True,
        index=True,
    )
    started_at = fields.Datetime(string='Started', readonly=True)
    finished_at = fields.Datetime(string='Finished', readonly=True)
    message = fields.Text(readonly=True)
    is_incomplete = fields.Boolean(
        readonly=True, help='Something could not be read or posted in time, so the synchronization would post more.'
    )
    result = fields.Json(readonly=True, prefetch=False)
    posted_count = fields.Integer(string='To Be Posted', readonly=True)
    stopped_count = fields.Integer(string='On Hold', readonly=True)
    summary = fields.Char(compute='_compute_summary')
    page = fields.Html(compute='_compute_page', sanitize=False)

    _period_order = models.Constraint(
        'CHECK (date_from IS NULL OR date_to IS NULL OR date_from <= date_to)', 'The period ends before it begins.'
    )

    @api.model
    def _selection_posting_flow(self):
        return [
            (flow._flow, flow._get_flow_label())
            for flow in self.env['ramp.connection']._flow_models()
            if flow._is_posting
        ]

    @api.depends('connection_id', 'record_id', 'create_date')
    @api.depends_context('lang', 'tz')
    def _compute_display_name(self):
        for run in self:
            what = run.record_id.display_name or run.connection_id.name
            when = run.create_date and format_datetime(self.env, run.create_date, dt_format='short')
            run.display_name = ', '.join(filter(None, (self.env._('Dry Run'), what, when)))

    @api.depends('result', 'state')
    @api.depends_context('lang')
    def _compute_summary(self):
        for run in self:
            run.summary = run.result and self._summarize_result(run.result)

    @api.model
    def _summarize_result(self, result):
        """Return the counts of a result, in words."""
        counts = result['counts']
        return self.env._(
            '%(stopped)s of %(total)s objects would be on hold or fail. %(posted)s would be posted, with '
            '%(entries)s entries. %(waiting)s would wait, and %(ignored)s would be left out.',
            stopped=counts['held'] + counts['error'],
            total=sum(counts[kind] for kind in ('posted', 'held', 'error', 'pending', 'ignored')),
            posted=counts['posted'],
            entries=len(result['entries']),
            waiting=counts['pending'],
            ignored=counts['ignored'],
        )

    # ------------------------------------------------------------------ who may

    @api.model
    def _check_is_accountant(self):
        if not self.env.su and not self.env.user.has_group('account.group_account_invoice'):
            raise AccessError(self.env._('Only accountants may start a dry run.'))

    @api.model_create_multi
    def create(self, vals_list):
        """EXTENDS: Call the job, for a connection that the user may read."""
        runs = super().create(vals_list)
        runs.connection_id.check_access('read')
        if runs.filtered(lambda run: run.state == 'queued'):
            # sudo: the job belongs to the system; who may create a dry run may have it made
            self.env.ref('ramp_connector.cron_dry_run').sudo()._trigger()
        return runs

    @api.constrains('connection_id')
    def _check_has_credentials(self):
        for run in self:
            if not run.record_id and not run.connection_id.has_credentials:
                raise ValidationError(
                    self.env._(
                        'Connection %s has no client id and secret yet, so Ramp cannot be asked.',
                        run.connection_id.name,
                    )
                )

    # ------------------------------------------------------------------ buttons

    def action_open_result(self):
        """Open the page of the dry run, from the dialog that creates it."""
        self.ensure_one()
        self.check_access('read')
        return self._get_records_action(name=self.env._('Dry Run'), views=[(False, 'form')], target='current')

    def action_open_workbook(self):
        """Download the result as a workbook."""
        self.ensure_one()
        self.check_access('read')
        self._check_has_result()
        return {
            'type': 'ir.actions.act_url',
            'url': f'/ramp_connector/dry_run/xlsx?run_id={self.id}',
            'target': 'download',
        }

    def _check_has_result(self):
        if not self.result:
            raise UserError(self.env._('This dry run has no result yet.'))

    def _result_workbook_file(self):
        """Return (file name, content) of the result as a workbook.

        :raise AccessError: the user may not read it
        :raise UserError: there is no result
        """
        self.check_access('read')
        self._check_has_result()
        return f'{self.display_name}.xlsx'.replace('/', '-'), DryRunWorkbook(self.env, self).as_bytes()

    # ------------------------------------------------------------------ the page

    @api.depends('result')
    @api.depends_context('lang')
    def _compute_page(self):
        for run in self:
            run.page = run.result and self._render_result(run.result, run.company_id)

    @api.model
    def _render_result(self, result, company):
        """Return a result as HTML.

        :param company: company whose currency the sums have
        """
        return self.env['ir.qweb']._render('ramp_connector.dry_run_page', self._page_values(result, company))

    @api.model
    def _page_values(self, result, company):
        """Return what the template of the page shows."""
        currency = company.currency_id
        flows = dict(self._fields['flow']._description_selection(self.env))

        return {
            'result': self._result_for_reader(result),
            'flows': flows,
            'as_money': lambda amount, code=currency.name: self._format_amount_by_code(amount, code),
            'as_date': lambda day: format_date(self.env, day) if day else '',
            'most': MOST_ON_PAGE,
            'places': self._place_labels(),
            'states': dict(self.env['ramp.record']._fields['state']._description_selection(self.env)),
        }

    @api.model
    def _format_amount_by_code(self, amount, code):
        """Return an amount in words. Without a currency of that code in Odoo, its code stands beside it."""
        currency = self._find_currency(code)
        return formatLang(self.env, amount, currency_obj=currency) if currency else f'{amount:.2f} {code or ""}'

    def _find_currency(self, code):
        """Return a currency by its code, archived ones too."""
        return self.env['res.currency'].with_context(active_test=False).search([('name', '=', code)], limit=1)

    @api.model
    def _place_labels(self):
        return dict(self.env['ramp.cause']._fields['place']._description_selection(self.env))

    # ------------------------------------------------------------------ cleaning up

    @api.autovacuum
    def _gc_dry_runs(self):
        """Delete old dry runs."""
        old = self.search([('create_date', '<', self.env.cr.now() - KEEP_DRY_RUNS)], limit=GC_BATCH + 1)
        old[:GC_BATCH].unlink()
        return min(len(old), GC_BATCH), max(0, len(old) - GC_BATCH)
