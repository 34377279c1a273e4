# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.fields import Domain

from ...models.run_memory import run_memory
from ..engine.push_job import Remote


class RampFlowAnalyticPlan(models.AbstractModel):
    """Analytic plans: each root plan is an accounting field of single choice.

    A plan below another one belongs to the field of its root. Schema: ApiAccountingCustomFieldResource. Fields are
    created one at a time. A request to create a field that exists returns the field and shows it again. A field cannot
    be hidden: one that is no longer offered is deleted, and Ramp keeps its id (contract 2026-08-01).
    """

    _name = 'ramp.flow.analytic_plan'
    _inherit = 'ramp.flow.push'
    _description = 'Ramp Flow: analytic plans'

    _flow = 'analytic_plan'
    _flow_sequence = 2
    _model = 'account.analytic.plan'
    _kind = 'plan'
    _endpoint = '/accounting/fields'
    _upload_size = 1

    @api.model
    def _get_flow_label(self):
        return self.env._('Analytic plans')

    def _get_wanted_domain(self, connection):
        return Domain('id', 'in', connection.analytic_plan_ids.ids) & Domain('parent_id', '=', False)

    def _reason_not_offered(self, record):
        if record.parent_id:
            return self.env._(
                "It is part of the plan %s. That plan's field in Ramp has its accounts as options.", record.root_id.name
            )
        return super()._reason_not_offered(record)

    def _get_desired_values(self, connection, records):
        run_memory(self.env).required_plans.update(self._get_required_plans(connection, records))
        return {plan.id: {'name': plan.name, 'offered': True} for plan in records}

    def _get_required_plans(self, connection, plans):
        """Return the plans that Odoo requires on each line, whatever its account.

        Ramp accepts this only when a field is created (contract 2026-08-01), so it is not part of the comparison.

        :return: {plan id: list of the kinds of objects in Ramp that need it}
        """
        bills = ['BILL', 'VENDOR_CREDIT'] if connection.pull_bills else []
        reimbursements = ['REIMBURSEMENT'] if connection.pull_reimbursements else []
        required = {}
        for business_domain, kinds in (('bill', bills + reimbursements), ('expense', ['TRANSACTION'])):
            for plan in self.env['ramp.coding.defaults']._get_mandatory_plans(connection, business_domain):
                if plan['applicability'] == 'mandatory' and plan['id'] in plans.ids:
                    required.setdefault(plan['id'], []).extend(kinds)
        return required

    def _read_remote_object(self, payload, query):
        return Remote(
            payload.get('id'),
            payload['ramp_id'],
            {'name': payload.get('display_name') or payload.get('name'), 'offered': payload.get('is_active', True)},
        )

    def _post_push_jobs(self, connection, client, jobs):
        [job] = jobs
        field = client.post(
            self._endpoint, {**self._make_upload_body(connection, jobs), **self._make_upload_item(job)}, idempotent=True
        )
        if (
            field and self._read_remote_object(field, {}).values['name'] != job.desired['name']
        ):  # the field existed, under its former name
            field = (
                client.patch(f'{self._endpoint}/{field["ramp_id"]}', self._make_field_names(job), idempotent=True)
                or field
            )
        self._transaction(self._on_options_changed, connection, job.res_id, (field or {}).get('ramp_id'))
        return [field] if field else []

    def _make_upload_item(self, job):
        required = run_memory(self.env).required_plans.get(job.res_id)
        return {
            'id': job.remote_id,
            'input_type': 'SINGLE_CHOICE',
            'is_splittable': True,
            **self._make_field_names(job),
            **({'is_required_for': required} if required else {}),
        }

    def _make_field_names(self, job):
        return {'name': job.desired['name'], 'display_name': job.desired['name']}

    def _update_remote_object(self, client, job, changes):
        if 'offered' in changes:
            [answer] = self._post_push_jobs(self.env['ramp.record'].browse(job.id).connection_id, client, [job]) or [
                None
            ]
            return answer
        return client.patch(f'{self._endpoint}/{job.ramp_id}', self._make_field_names(job), idempotent=True)

    def _on_options_changed(self, connection, plan_id, field):
        """Have Ramp asked for the options of a field again.

        They waited for the field, or were deleted with it.

        :param field: Ramp id of the field, or None
        """
        accounts = (
            self.env['account.analytic.account']
            .with_context(active_test=False)
            .search([('root_plan_id', '=', plan_id)])
        )
        # Includes options whose account left the plan or Odoo while the field was deleted: Ramp shows them again with
        # the field.
        left = (
            self.env['ramp.record'].search(
                [('connection_id', '=', connection.id), ('flow', '=', 'analytic_account'), ('payload', '!=', False)]
            )
            if field
            else ()
        )
        ids = {*accounts.ids, *(row.res_id for row in left if row.payload.get('field') == field)}
        self.env['ramp.record']._mark_dirty(connection, 'analytic_account', ids, uncertain=True)
        self.env['ramp.flow.analytic_account']._trigger()
