# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import fields, models
from odoo.exceptions import AccessError

READERS = ('account.group_account_readonly', 'account.group_account_invoice')


class DigestDigest(models.Model):
    """Figures of Ramp for Odoo's own digest emails, whose recipients and days somebody chooses.

    What is posted is counted within the period of a column. The other figures are those of now, so they are the same in
    all columns. Each recipient gets the figures of the own company, with the own rights.
    """

    _inherit = 'digest.digest'

    kpi_ramp_posted = fields.Boolean('Ramp: Objects Posted')
    kpi_ramp_posted_value = fields.Integer('Objects Posted from Ramp', compute='_compute_kpi_ramp_posted_value')
    kpi_ramp_attention = fields.Boolean('Ramp: Needs Attention Now')
    kpi_ramp_attention_value = fields.Integer(
        'Ramp Objects That Need Attention', compute='_compute_kpi_ramp_attention_value'
    )
    kpi_ramp_waiting = fields.Boolean('Ramp: Not Ready in Ramp Now')
    kpi_ramp_waiting_value = fields.Integer('Objects Not Ready in Ramp', compute='_compute_kpi_ramp_waiting_value')
    kpi_ramp_differences = fields.Boolean('Ramp: Tie-Out Differences Now')
    kpi_ramp_differences_value = fields.Integer(
        'Differences in the Tie-Out', compute='_compute_kpi_ramp_differences_value'
    )

    def _check_reads_ramp(self):
        """Raise `AccessError` for a recipient without accounting rights. Odoo then leaves the figure out."""
        if not any(self.env.user.has_group(group) for group in READERS):
            raise AccessError(self.env._('Only accountants may see figures of Ramp.'))

    def _compute_kpi_ramp_posted_value(self):
        self._check_reads_ramp()
        posting = [flow._flow for flow in self.env['ramp.connection']._flow_models() if not flow._sends]
        self._calculate_company_based_kpi(
            'ramp.run',
            'kpi_ramp_posted_value',
            date_field='started_at',
            additional_domain=[('flow', 'in', posting)],
            sum_field='created',
        )

    def _compute_kpi_ramp_attention_value(self):
        self._count_ramp_records('kpi_ramp_attention_value', [('state', 'in', ('held', 'error'))])

    def _compute_kpi_ramp_waiting_value(self):
        self._count_ramp_records('kpi_ramp_waiting_value', [('state', '=', 'pending'), ('is_withheld', '=', True)])

    def _count_ramp_records(self, field, domain):
        """Set a figure to the number of rows of the company that the reader may read."""
        self._check_reads_ramp()
        for digest in self:
            company = digest.company_id or self.env.company
            digest[field] = self.env['ramp.record'].search_count([('company_id', '=', company.id), *domain])

    def _compute_kpi_ramp_differences_value(self):
        self._check_reads_ramp()
        for digest in self:
            company = digest.company_id or self.env.company
            connections = self.env['ramp.connection'].search(
                [('company_id', '=', company.id), ('state', '!=', 'draft')]
            )
            digest.kpi_ramp_differences_value = sum(map(self._count_tie_out_differences, connections))

    def _count_tie_out_differences(self, connection):
        """Return the number of differences of the tie-out, which is computed once in a transaction.

        A digest asks for each figure six times, for three columns and the periods before them.
        """
        key = 'ramp_tie_out_differences', connection.id, self.env.uid
        counts = self.env.cr.cache
        if key not in counts:
            report = self.env['report.ramp_connector.tie_out']._report_without_lists(connection.id)
            counts[key] = report['status']['count']
        return counts[key]

    def _compute_kpis_actions(self, company, user):
        """EXTENDS: Open what a figure of Ramp counts."""
        menu = self.env.ref('account.menu_finance').id
        return {
            **super()._compute_kpis_actions(company, user),
            'kpi_ramp_posted': f'ramp_connector.ramp_run_action?menu_id={menu}',
            'kpi_ramp_attention': f'ramp_connector.ramp_cause_action?menu_id={menu}',
            'kpi_ramp_waiting': f'ramp_connector.ramp_record_action?menu_id={menu}',
            'kpi_ramp_differences': f'ramp_connector.ramp_tie_out_action?menu_id={menu}',
        }
