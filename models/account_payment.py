# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import fields, models


class AccountPayment(models.Model):
    _name = 'account.payment'
    _inherit = ['account.payment', 'ramp.document']

    ramp_bank_reference = fields.Char(
        string='Bank Reference',
        readonly=True,
        copy=False,
        groups='base.group_user',
        help='The reference of the payment at the bank, as reported by Ramp: a trace ID or a check number.',
    )

    def _compute_outstanding_account_id(self):
        """EXTENDS: Give each payment from Ramp an outstanding account.

        A payment without this account has no journal entry, and an amount due of 0 on its bill would be wrong. On
        Community, core chooses an account for one payment at a time, if the payment method has none.
        """
        result = super()._compute_outstanding_account_id()
        without = self.filtered(lambda payment: payment.ramp_id and not payment.outstanding_account_id)
        for (_company, direction), payments in without.grouped(
            lambda payment: (payment.company_id, payment.payment_type)
        ).items():
            payments.outstanding_account_id = payments[:1]._get_outstanding_account(direction)
        return result

    def _ramp_records(self):
        """OVERRIDES: Return the ledger row of each payment by the payment's `ramp_id`.

        `ramp_id` is the id of the payment in Ramp. The rows belong to what the payment paid. If it paid several
        objects, one of their rows is returned.
        """
        # sudo: only accountants may read the ledger; users who may read the payment may know its status
        records = (
            self.env['ramp.record']
            .sudo()
            .search_fetch(
                [('res_model', '=', self._name), ('res_id', 'in', self.filtered('ramp_id')._origin.ids)],
                ['res_id', 'ramp_id', 'state', 'error_message', 'connection_id', 'flow'],
                order='id desc',
            )
        )
        by_id = {record.res_id: record for record in records}
        return {payment.ramp_id: by_id[payment.id] for payment in self if payment.id in by_id}
