# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.fields import Domain

from ...models.connection_constants import UNSPENDABLE
from ..engine.push_job import Remote

# Ramp's classification by Odoo's account type. The whole type is looked up first, then its first word.
CLASSIFICATIONS = {
    'liability_credit_card': 'CREDCARD',
    'asset': 'ASSET',
    'liability': 'LIABILITY',
    'equity': 'EQUITY',
    'income': 'REVENUE',
    'expense': 'EXPENSE',
}


class RampFlowAccount(models.AbstractModel):
    """The chart of accounts, from which people pick the accounting category in Ramp.

    An archived account is hidden, not deleted, so that earlier codings stay readable. Schema: GeneralLedgerAccount.
    """

    _name = 'ramp.flow.account'
    _inherit = 'ramp.flow.push'
    _description = 'Ramp Flow: accounts'

    _flow = 'account'
    _flow_sequence = 1
    _model = 'account.account'
    _kind = 'account'
    _endpoint = '/accounting/accounts'
    _upload_key = 'gl_accounts'
    _fixed = ('classification',)
    _by_code = True
    _can_be_hidden = True

    @api.model
    def _get_flow_label(self):
        return self.env._('Accounts')

    def _get_wanted_domain(self, connection):
        domain = (
            Domain('company_ids', 'in', connection.company_id.parent_ids.ids)
            & Domain('active', '=', True)
            & Domain('account_type', 'not in', UNSPENDABLE)
            & Domain('id', '!=', connection.card_account_id.id)
        )
        if connection.account_policy == 'types':
            kinds = Domain('account_type', 'in', connection.account_type_ids.mapped('code'))
            # Ramp requires the account of each tax rate (contract 2026-08-01).
            domain &= kinds | Domain('id', 'in', self.env['ramp.flow.tax_rate']._get_tax_accounts(connection).ids)
        return domain

    def _reason_not_offered(self, record):
        if record.active and record.account_type in UNSPENDABLE:
            return self.env._(
                'Accounts of its type (%s) cannot take spend, so it is not offered in Ramp.',
                dict(record._fields['account_type']._description_selection(self.env))[record.account_type],
            )
        return super()._reason_not_offered(record)

    def _get_desired_values(self, connection, records):
        return {
            account.id: {
                'name': account.name,
                'code': account.code or '',
                'classification': self._get_ramp_classification(account),
                'offered': True,
            }
            for account in records.with_company(connection.company_id)
        }

    def _get_display_title(self, record):
        return f'{record.code} {record.name}' if record.code else record.name

    @api.model
    def _get_ramp_classification(self, account):
        kind = account.account_type or ''
        return CLASSIFICATIONS.get(kind) or CLASSIFICATIONS.get(kind.partition('_')[0]) or 'UNKNOWN'

    def _read_remote_object(self, payload, query):
        active = payload.get('is_active', True)
        return Remote(
            payload.get('id'),
            payload['ramp_id'],
            {
                'name': payload.get('name'),
                'code': payload.get('code') or '',
                'classification': payload.get('classification'),
                'offered': active and payload.get('visibility') != 'HIDDEN',
                'active': active,
            },
        )

    def _make_upload_item(self, job):
        values = job.desired
        return {
            'id': job.remote_id,
            'name': values['name'],
            'classification': values['classification'],
            **({'code': values['code']} if values['code'] else {}),
        }

    def _update_remote_object(self, client, job, changes):
        return client.patch(
            f'{self._endpoint}/{job.ramp_id}', self._make_change_body(job, changes, ('name', 'code')), idempotent=True
        )
