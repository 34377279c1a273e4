# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import Command, api, models


class AccountPaymentRegister(models.TransientModel):
    _inherit = 'account.payment.register'

    @api.model
    def default_get(self, fields):
        """EXTENDS: leave out the documents that Ramp pays, if there are others.

        A user who chooses one alone, or only such documents, may pay them here.
        """
        result = super().default_get(fields)
        if 'line_ids' in result and 'default_line_ids' not in self.env.context:
            lines = self.new({'line_ids': result['line_ids']}).line_ids._origin
            others = lines.filtered(lambda line: not line.move_id.ramp_payment)
            if others and others != lines:
                result['line_ids'] = [Command.set(others.ids)]
        return result

    @api.depends('line_ids')
    def _compute_actionable_errors(self):
        """EXTENDS: warn that Ramp pays a bill, so that it is not paid twice."""
        result = super()._compute_actionable_errors()
        for wizard in self:
            paid = wizard.line_ids.move_id.filtered('ramp_payment')
            left_out = wizard._chosen_moves().filtered('ramp_payment') - paid
            if paid:
                message = (
                    self.env._(
                        '%(bill)s comes from Ramp. %(payment)s To pay it here instead, cancel the payment in Ramp '
                        'first.',
                        bill=paid.display_name,
                        payment=paid.ramp_payment,
                    )
                    if len(paid) == 1
                    else self.env._(
                        '%s of these bills come from Ramp, which pays them. To pay them here instead, cancel their '
                        'payments in Ramp first.',
                        len(paid),
                    )
                )
            elif left_out:
                message = self.env._(
                    '%s of the selected bills are left out, because Ramp pays them. To pay one of them here anyway, '
                    'select it alone.',
                    len(left_out),
                )
            else:
                continue
            wizard.actionable_errors = {
                **(wizard.actionable_errors or {}),
                'ramp_payment': {
                    'message': message,
                    'level': 'warning',
                    'action_text': self.env._('View'),
                    'action': (paid or left_out)._get_records_action(name=self.env._('Paid by Ramp')),
                },
            }
        return result

    @api.model
    def _chosen_moves(self):
        """Return the documents for which the wizard was opened."""
        model, ids = self.env.context.get('active_model'), self.env.context.get('active_ids', [])
        if model == 'account.move.line':
            return self.env[model].browse(ids).move_id
        return self.env['account.move'].browse(ids if model == 'account.move' else [])
