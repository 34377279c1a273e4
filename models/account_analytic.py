# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models


class AccountAnalyticPlan(models.Model):
    _name = 'account.analytic.plan'
    _inherit = ['account.analytic.plan', 'ramp.pushed']

    _ramp_flows = ('analytic_plan',)
    _ramp_fields = frozenset({'name', 'parent_id'})

    def write(self, vals):
        """EXTENDS: accounts of a plan that gets another root move to another field in Ramp."""
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
        """EXTENDS: core asks for each journal item whether its accounts exist; those of a batch were found a moment
        ago.
        """
        known = self.env.context.get('ramp_known_analytics')
        return self if known and known.issuperset(self._ids) else super().exists()
