# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from decimal import Decimal

from odoo import api, models
from odoo.fields import Domain
from odoo.tools import SQL, LazyTranslate

from ...models.connection_constants import UNSPENDABLE
from ..engine.push_job import Remote
from ..engine.reasons import ALL_ARGUMENTS, Held, Waiting

_lt = LazyTranslate(__name__)


class RampFlowTaxRate(models.AbstractModel):
    """Rates of purchase taxes, of which tax codes consist.

    Nobody picks a rate, so a rate that is no longer needed stays. Schema: ApiAccountingTaxRateResource. Ramp requires
    the account that a rate posts to (contract 2026-08-01).
    """

    _name = 'ramp.flow.tax_rate'
    _inherit = 'ramp.flow.push'
    _description = 'Ramp Flow: tax rates'

    _flow = 'tax_rate'
    _flow_sequence = 4
    _model = 'account.tax'
    _kind = 'rate'
    _endpoint = '/accounting/tax/rates'
    _upload_key = 'tax_rates'

    @api.model
    def _get_flow_label(self):
        return self.env._('Tax rates')

    def _get_wanted_domain(self, connection):
        if not connection.offer_taxes:
            return Domain.FALSE
        own = Domain('company_id', 'in', connection.company_id.parent_ids.ids) & Domain('active', '=', True)
        purchase = Domain('type_tax_use', '=', 'purchase')
        groups = self.env['account.tax'].search(own & purchase & Domain('amount_type', '=', 'group'))
        return (
            own & Domain('amount_type', '=', 'percent') & (purchase | Domain('id', 'in', groups.children_tax_ids.ids))
        )

    def _collect_changed_records(self, connections):
        """EXTENDS: mark the rates whose account was replaced by another object in Ramp."""
        for connection in connections:
            moved = self.env.execute_query(
                SQL(
                    """
                SELECT r.res_id FROM ramp_record r
                 WHERE r.connection_id = %(connection)s AND r.flow = %(flow)s AND r.state = 'confirmed' AND NOT EXISTS (
                    SELECT FROM ramp_record a
                     WHERE a.connection_id = %(connection)s AND a.flow = 'account' AND a.ramp_id = r.payload ->> 'account')
                """,
                    connection=connection.id,
                    flow=self._flow,
                )
            )
            if moved:
                self.env['ramp.record']._mark_dirty(connection, self._flow, [row[0] for row in moved])
        return super()._collect_changed_records(connections)

    def _get_tax_accounts(self, connection):
        """Return the accounts that offered taxes post to."""
        taxes = self.env['account.tax'].search(self._get_wanted_domain(connection))
        return self.env['account.account'].union(*map(self._get_tax_account, taxes))

    def _get_tax_account(self, tax):
        """Return the first account that a tax posts to.

        It is empty if the tax is part of the cost, or if Ramp may not have its account.
        """
        return tax.invoice_repartition_line_ids.filtered(
            lambda line: line.repartition_type == 'tax'
        ).account_id.filtered(lambda account: account.account_type not in UNSPENDABLE)[:1]

    def _get_desired_values(self, connection, records):
        accounts = {tax.id: self._get_tax_account(tax) for tax in records}
        rows = self.env['ramp.record'].search_fetch(
            self._rows_of_business_domain(connection)
            & Domain('flow', '=', 'account')
            & Domain('res_id', 'in', [account.id for account in accounts.values()]),
            ['res_id', 'ramp_id', 'state', 'error_message'],
        )
        rows = {row.res_id: row for row in rows.sorted(lambda row: bool(row.ramp_id))}
        if not all(accounts.values()):
            # A rate of zero posts nothing, and a tax that is not deductible posts to the account of the line. Ramp
            # still requires an account (contract 2026-08-01), so they get the first one that Ramp has.
            rows[False] = rows.get(False) or self.env['ramp.record'].search(
                self._rows_of_business_domain(connection)
                & Domain('flow', '=', 'account')
                & Domain('state', '=', 'confirmed'),
                order='res_id',
                limit=1,
            )
        return {tax.id: self._get_desired_rate(tax, accounts[tax.id], rows.get(accounts[tax.id].id)) for tax in records}

    def _get_desired_rate(self, tax, account, row):
        if not account and not row:
            return Waiting(_lt('It waits for the accounts, because Ramp requires one for each rate.'))
        if row and row.state == 'pending' and not row.ramp_id:
            return Waiting(
                _lt('It waits for the account %s.', self.env['ramp.flow.account']._get_display_title(account))
            )
        if not row or not row.ramp_id:  # a hidden account is enough, as nobody picks it
            return Held(
                _lt(
                    'The tax %(tax)s posts to %(account)s, which is not in Ramp. See its record under Accounts.',
                    tax=tax.display_name,
                    account=self.env['ramp.flow.account']._get_display_title(account),
                ),
                by=ALL_ARGUMENTS,
            )
        return {
            'name': tax.name,
            'rate': _format_plain_number(Decimal(str(tax.amount)) / 100),
            'account': row.ramp_id,
            'offered': True,
        }

    def _read_remote_object(self, payload, query):
        rate = payload.get('rate')
        return Remote(
            payload.get('id'),
            payload['ramp_id'],
            {
                'name': payload.get('name'),
                'rate': None if rate is None else _format_plain_number(Decimal(str(rate))),
                'account': payload.get('accounting_gl_account_id'),
                'offered': True,
            },
        )

    def _get_lookup_query(self, job):
        return  # Ramp has no such filter (contract 2026-08-01), and there are few rates

    def _differs_from_remote(self, job):
        if not super()._differs_from_remote(job):
            return False
        if not job.uncertain and job.desired is None:
            job.state, job.error = 'ignored', job.reason  # the rate stays in Ramp
        return job.state != 'ignored'

    def _make_upload_item(self, job):
        return {'id': job.remote_id, **self._make_rate_body(job.desired)}

    def _make_rate_body(self, values):
        names = {'name': 'name', 'rate': 'rate', 'account': 'accounting_gl_account_id'}
        return {name: values[key] for key, name in names.items() if key in values}

    def _update_remote_object(self, client, job, changes):
        return client.patch(f'{self._endpoint}/{job.ramp_id}', self._make_rate_body(changes), idempotent=True)


def _format_plain_number(number):
    """Return a number as text without an exponent and without trailing zeros.

    Equal rates are then equal texts.
    """
    text = format(number, 'f')
    return text.rstrip('0').rstrip('.') if '.' in text else text
