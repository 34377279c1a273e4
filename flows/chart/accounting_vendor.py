# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.fields import Domain

from ..engine.push_job import Remote


class RampFlowAccountingVendor(models.AbstractModel):
    """Suppliers as accounting vendors, to which people code bills and card transactions.

    They are not the vendors of bill pay. Schema: VendorAccount. It has no visibility, so an archived supplier is
    deleted in Ramp. Ramp keeps the id and can take the deletion back (contract 2026-08-01).
    """

    _name = 'ramp.flow.accounting_vendor'
    _inherit = 'ramp.flow.push'
    _description = 'Ramp Flow: accounting vendors'

    _flow = 'accounting_vendor'
    _flow_sequence = 6
    _model = 'res.partner'
    _kind = 'partner'
    _endpoint = '/accounting/vendors'
    _upload_key = 'vendors'

    @api.model
    def _get_flow_label(self):
        return self.env._('Suppliers')

    def _get_wanted_domain(self, connection):
        if not connection.offer_vendors:
            return Domain.FALSE
        return (
            Domain('supplier_rank', '>', 0)
            & Domain('active', '=', True)
            & Domain('parent_id', '=', False)
            & Domain('company_id', 'in', [False, *connection.company_id.parent_ids.ids])
            & Domain.custom(to_sql=self.env['res.partner']._ramp_is_vendor)
        )

    def _reason_not_offered(self, record):
        return record._ramp_no_vendor() or super()._reason_not_offered(record)

    def _get_desired_values(self, connection, records):
        return {
            partner.id: {'name': partner.name or partner.display_name, 'code': partner.ref or '', 'offered': True}
            for partner in records
        }

    def _read_remote_object(self, payload, query):
        return Remote(
            payload.get('id'),
            payload['ramp_id'],
            {'name': payload.get('name'), 'code': payload.get('code') or '', 'offered': payload.get('is_active', True)},
        )

    def _make_upload_item(self, job):
        values = job.desired
        return {'id': job.remote_id, 'name': values['name'], **({'code': values['code']} if values['code'] else {})}

    def _update_remote_object(self, client, job, changes):
        body = {key: changes[key] for key in ('name', 'code') if key in changes}
        if 'offered' in changes:
            body['reactivate'] = True
        return client.patch(f'{self._endpoint}/{job.ramp_id}', body, idempotent=True)
