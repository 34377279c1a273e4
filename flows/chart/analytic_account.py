# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib

from odoo import api, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import LazyTranslate

from ...models.run_memory import run_memory
from ...ramp_api import RampNotFound
from ..engine.push_job import Remote
from ..engine.reasons import Waiting

_lt = LazyTranslate(__name__)


class RampFlowAnalyticAccount(models.AbstractModel):
    """Analytic accounts, which are the options of their plan's accounting field.

    An account that moves to another plan is hidden in the field that it leaves. Schema: CustomFieldOption.
    """

    _name = 'ramp.flow.analytic_account'
    _inherit = 'ramp.flow.push'
    _description = 'Ramp Flow: analytic accounts'

    _flow = 'analytic_account'
    _flow_sequence = 3
    _model = 'account.analytic.account'
    _kind = 'analytic'
    _endpoint = '/accounting/field-options'
    _upload_key = 'options'
    _fixed = ('field',)
    _can_be_hidden = True
    _new_id_when_fixed_changes = False  # remote ids are unique within a field only

    @api.model
    def _get_flow_label(self):
        return self.env._('Analytic accounts')

    def _get_wanted_domain(self, connection):
        return (
            Domain('root_plan_id', 'in', connection.analytic_plan_ids.filtered(lambda plan: not plan.parent_id).ids)
            & Domain('active', '=', True)
            & Domain('company_id', 'in', [False, *connection.company_id.parent_ids.ids])
        )

    def _get_display_title(self, record):
        return record.name

    def _get_plan_fields(self, connection, records):
        """Return the fields in Ramp of these accounts' plans, as far as Ramp has them.

        :return: {root plan id: Ramp id of its field}
        """
        rows = self.env['ramp.record'].search_fetch(
            self._rows_of_business_domain(connection)
            & Domain('flow', '=', 'analytic_plan')
            & Domain('res_id', 'in', records.root_plan_id.ids)
            & Domain('state', '=', 'confirmed'),
            ['res_id', 'ramp_id'],
        )
        return {row.res_id: row.ramp_id for row in rows}

    def _get_desired_values(self, connection, records):
        fields = self._get_plan_fields(connection, records)
        return {
            account.id: {
                'value': account.name,
                'code': account.code or '',
                'field': fields[account.root_plan_id.id],
                'offered': True,
            }
            if account.root_plan_id.id in fields
            else Waiting(_lt('It waits for the field of the plan %s.', account.root_plan_id.name))
            for account in records
        }

    def _differs_from_remote(self, job):
        # If the whole field is withdrawn, its options need not be. Ramp keeps them unchanged.
        fields = run_memory(self.env).analytic_fields
        if job.desired is None and not job.blocked and job.known and job.known.get('field') not in fields:
            job.state, job.error = 'ignored', job.reason
            return False
        return super()._differs_from_remote(job)

    def _compare_due_rows(self, connection, run, after):
        run_memory(self.env).analytic_fields = {
            row.ramp_id
            for row in self.env['ramp.record'].search_fetch(
                self._rows_of_business_domain(connection)
                & Domain('flow', '=', 'analytic_plan')
                & Domain('state', '!=', 'ignored'),
                ['ramp_id'],
            )
        }
        return super()._compare_due_rows(connection, run, after)

    def _read_remote_object(self, payload, query):
        active = payload.get('is_active', True)
        return Remote(
            payload.get('id'),
            payload['ramp_id'],
            {
                'value': payload.get('value'),
                'code': payload.get('code') or '',
                'active': active,
                'offered': active and payload.get('visibility') != 'HIDDEN',
                **({'field': query['field_id']} if query else {}),
            },
        )

    def _get_remote_key(self, remote_id, values):
        return values.get('field'), remote_id

    def _get_list_queries(self, connection, jobs):
        fields = {
            values['field'] for job in jobs for values in (job.desired, job.known) if values and values.get('field')
        }
        return [{'field_id': field} for field in sorted(fields & run_memory(self.env).analytic_fields)]

    def _get_lookup_query(self, job):
        field = (job.desired or job.known or {}).get('field')
        return {'field_id': field, 'remote_id': job.remote_id} if field else None

    def _query_remote_objects(self, client, query):
        with self._whose_field_is_there(query['field_id']):
            return super()._query_remote_objects(client, query)

    def _post_push_jobs(self, connection, client, jobs):
        with self._whose_field_is_there(jobs[0].desired['field']):
            return super()._post_push_jobs(connection, client, jobs)

    @contextlib.contextmanager
    def _whose_field_is_there(self, field):
        """Have a field created again if Ramp no longer knows it.

        The job of the plan looks for the field and creates it. Then the options follow.

        :raise UserError: Ramp does not know the field
        """
        try:
            yield
        except RampNotFound as error:
            self._transaction(self._recreate_lost_field, field)
            raise UserError(
                self.env._(
                    'A field was deleted in Ramp, so its options cannot be sent (%s). Odoo creates the field again, '
                    'then sends the options.',
                    error,
                )
            ) from error

    def _recreate_lost_field(self, field):
        for plan in self.env['ramp.record'].search([('flow', '=', 'analytic_plan'), ('ramp_id', '=', field)]):
            plan._mark_dirty(plan.connection_id, 'analytic_plan', [plan.res_id], uncertain=True)
        self.env['ramp.flow.analytic_plan']._trigger()

    def _get_upload_group(self, job):
        return job.desired['field']

    def _make_upload_body(self, connection, jobs):
        return {**super()._make_upload_body(connection, jobs), 'field_id': jobs[0].desired['field']}

    def _make_upload_item(self, job):
        values = job.desired
        return {'id': job.remote_id, 'value': values['value'], **({'code': values['code']} if values['code'] else {})}

    def _update_remote_object(self, client, job, changes):
        return client.patch(
            f'{self._endpoint}/{job.ramp_id}', self._make_change_body(job, changes, ('value', 'code')), idempotent=True
        )
