# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models


class AccountAnalyticPlan(models.Model):
    _name = 'account.analytic.plan'
    _inherit = ['account.analytic.plan', 'ramp.pushed']

    _ramp_flows = ('analytic_plan',)
    _ramp_fields = frozenset({'name', 'parent_id'})

    def write(self, vals):
        """EXTENDS: Send the accounts again when their plan gets another root plan.

        In Ramp these accounts move to another accounting field.
        """
        result = super().write(vals)
        if 'parent_id' in vals:
            self.env['account.analytic.account'].with_context(active_test=False).search(
                [('plan_id', 'child_of', self.ids)]
            )._ramp_note_changes()
        return result


class AccountAnalyticAccount(models.Model):
    _name = 'account.analytic.account'
    _inherit = ['account.analytic.account', 'ramp.pushed']

    _ramp_flows = ('analytic_account',)
    _ramp_fields = frozenset({'name', 'code', 'active', 'plan_id', 'company_id'})

    def exists(self):
        """EXTENDS: Skip the query for analytic accounts that the batch has found already.

        Core calls this method for each journal item.
        """
        known = self.env.context.get('ramp_known_analytics')
        return self if known and known.issuperset(self._ids) else super().exists()
