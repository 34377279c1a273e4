# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.fields import Domain
from odoo.tools import LazyTranslate

from ...ramp_api import RampNotFound
from ..engine.push_job import Remote
from ..engine.reasons import Waiting

_lt = LazyTranslate(__name__)

# Taxes that post to an archived account. Their amounts could not be posted.
POSTS_TO_ARCHIVED = Domain(
    'invoice_repartition_line_ids', 'any', [('repartition_type', '=', 'tax'), ('account_id.active', '=', False)]
)


class RampFlowTaxCode(models.AbstractModel):
    """Purchase taxes, which are the options of Ramp's one tax-code field.

    A group of taxes has the rates of its members. Schema: ApiAccountingTaxCodeOptionResource. A deleted option cannot
    be restored: a tax that is offered again gets a new option (contract 2026-08-01).
    """

    _name = 'ramp.flow.tax_code'
    _inherit = 'ramp.flow.push'
    _description = 'Ramp Flow: tax codes'

    _flow = 'tax_code'
    _flow_sequence = 5
    _model = 'account.tax'
    _kind = 'tax'
    _endpoint = '/accounting/tax/code/options'
    _upload_key = 'options'
    _asked_by_ramp_id = False
    _fixed = ('offered',)

    @api.model
    def _get_flow_label(self):
        return self.env._('Tax codes')

    def _get_wanted_domain(self, connection):
        if not connection.offer_taxes:
            return Domain.FALSE
        return (
            Domain('company_id', 'in', connection.company_id.parent_ids.ids)
            & Domain('active', '=', True)
            & Domain('type_tax_use', '=', 'purchase')
            & (
                Domain('amount_type', '=', 'percent')
                | Domain('amount_type', '=', 'group') & ~Domain('children_tax_ids.amount_type', '!=', 'percent')
            )
            & ~POSTS_TO_ARCHIVED
            & ~Domain('children_tax_ids', 'any', POSTS_TO_ARCHIVED)
        )

    def _reason_not_offered(self, record):
        parts = record.children_tax_ids if record.amount_type == 'group' else record
        archived = parts.invoice_repartition_line_ids.filtered(
            lambda line: line.repartition_type == 'tax' and line.account_id and not line.account_id.active
        ).account_id
        if record.active and archived:
            return self.env._(
                'It posts to %s, which is archived in Odoo, so it is not offered in Ramp. Choose another account for '
                'the tax, or unarchive that one.',
                self.env['ramp.flow.account']._get_display_title(archived[0].with_company(record.company_id)),
            )
        return super()._reason_not_offered(record)

    def _get_desired_values(self, connection, records):
        parts = {
            tax.id: tax.children_tax_ids.filtered('active') if tax.amount_type == 'group' else tax for tax in records
        }
        rows = self.env['ramp.record'].search_fetch(
            [
                ('connection_id', '=', connection.id),
                ('flow', '=', 'tax_rate'),
                ('state', '=', 'confirmed'),
                ('res_id', 'in', [part.id for part in parts.values() for part in part]),
            ],
            ['res_id', 'remote_id'],
        )
        rates = {row.res_id: row.remote_id for row in rows}
        return {
            tax.id: {'name': tax.name, 'rates': sorted(rates[part.id] for part in parts[tax.id]), 'offered': True}
            if all(part.id in rates for part in parts[tax.id])
            else Waiting(_lt('It waits for its tax rate. See Tax rates.'))
            for tax in records
        }

    def _check_before_sending(self, connection, client):
        try:
            field = client.get('/accounting/tax/code')
        except RampNotFound:
            field = None
        if not field:
            client.post(
                '/accounting/tax/code',
                {
                    **self._make_upload_body(connection, []),
                    'name': self.env._('Tax'),
                    'display_name': self.env._('Tax'),
                },
            )

    def _read_remote_object(self, payload, query):
        return Remote(
            payload.get('id'),
            payload['ramp_id'],
            {
                'name': payload.get('name'),
                'rates': sorted(payload.get('tax_rate_ids') or []),
                'offered': payload.get('is_active', True),
            },
        )

    def _make_upload_item(self, job):
        return {'id': job.remote_id, 'name': job.desired['name'], 'tax_rate_ids': job.desired['rates']}

    def _update_remote_object(self, client, job, changes):
        names = {'name': 'name', 'rates': 'tax_rate_ids'}
        return client.patch(
            f'{self._endpoint}/{job.ramp_id}',
            {name: changes[key] for key, name in names.items() if key in changes},
            idempotent=True,
        )
