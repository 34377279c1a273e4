# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from .ledger_json import json_digest

# What a withdrawal writes. Nothing else is ever written
WITHDRAWAL = {'withdrawn_at', 'withdrawer_id', 'withdrawer_name', 'withdrawal_reason'}


class RampTieOutSignOff(models.Model):
    """Who signed the tie-out of a month, when, and with which figures.

    A sign-off is never edited. It can be withdrawn, with a reason; the month can then be signed again. If a figure of
    the month changes later, the tie-out says so beside the name (see `report.ramp_connector.tie_out`).
    """

    _name = 'ramp.tie.out.sign.off'
    _description = 'Ramp Tie-Out: Sign-Off'
    _order = 'month desc, id desc'
    _rec_name = 'signer_name'

    connection_id = fields.Many2one('ramp.connection', required=True, readonly=True, index=True, ondelete='restrict')
    company_id = fields.Many2one(related='connection_id.company_id', store=True, index=True)
    month = fields.Date(required=True, readonly=True, help='The first day of the month.')
    signer_id = fields.Many2one('res.users', string='User', required=True, readonly=True, ondelete='restrict')
    signer_name = fields.Char(string='Signed by', required=True, readonly=True, help='The name at that moment.')
    signed_at = fields.Datetime(string='Signed on', required=True, readonly=True)
    figures = fields.Json(required=True, readonly=True, help='The figures of the month that were signed.')
    figures_digest = fields.Char(
        string='Hash of the Figures',
        required=True,
        readonly=True,
        help='SHA-256 hash of the figures as canonical JSON.',
    )
    withdrawn_at = fields.Datetime(string='Withdrawn on', readonly=True)
    withdrawer_id = fields.Many2one('res.users', string='Withdrawn by (User)', readonly=True, ondelete='restrict')
    withdrawer_name = fields.Char(string='Withdrawn by', readonly=True, help='The name at that moment.')
    withdrawal_reason = fields.Text(string='Reason', readonly=True)

    _signed_once = models.UniqueIndex(
        '(connection_id, month) WHERE withdrawn_at IS NULL',
        'This month is signed already. Withdraw that sign-off first.',
    )

    # ------------------------------------------------------------------ public methods (RPC)

    @api.model
    def sign_month(self, connection_id, month):
        """Sign a month's tie-out with its current figures, as the current user.

        :param month: 'YYYY-MM'
        :raise AccessError: unless the user is an accounting administrator of the connection's company
        :raise UserError: if the month is not over, was signed already, or is not written so
        """
        Report = self.env['report.ramp_connector.tie_out']
        connection = Report._readable_connection(connection_id)
        self._check_may_sign()
        first, last = Report._parse_months(connection, month, month)
        begin = connection.start_date.replace(day=1)
        if not first or first != last or last < begin or not Report._is_month_over(last):
            raise UserError(self.env._('Choose a month that is over, from the start date of the connection on.'))
        if self.search_count(
            [('connection_id', '=', connection.id), ('month', '=', last), ('withdrawn_at', '=', False)]
        ):
            raise UserError(self.env._('This month is signed already. Withdraw that sign-off first.'))
        figures = Report._signed_figures(Report._report_without_lists(connection.id, month, month), last)
        # sudo: nobody may write sign-offs themselves. Who may sign was checked above, and the figures are computed here.
        self.sudo().create(
            {
                'connection_id': connection.id,
                'month': last,
                'signer_id': self.env.uid,
                'signer_name': self.env.user.name,
                'signed_at': fields.Datetime.now(),
                'figures': figures,
                'figures_digest': json_digest(figures),
            }
        )
        return True

    def action_withdraw(self, reason):
        """Withdraw a sign-off.

        :param reason: why, in words
        :raise AccessError: unless the user is an accounting administrator of the connection's company
        :raise UserError: if there is no reason, or if it was withdrawn before
        """
        self.ensure_one()
        self.check_access('read')
        self._check_may_sign()
        if not (isinstance(reason, str) and reason.strip()):
            raise UserError(self.env._('Write a reason.'))
        # sudo: nobody may write sign-offs themselves. Who may withdraw one was checked above.
        self.sudo().write(
            {
                'withdrawn_at': fields.Datetime.now(),
                'withdrawer_id': self.env.uid,
                'withdrawer_name': self.env.user.name,
                'withdrawal_reason': reason.strip(),
            }
        )
        return True

    # ------------------------------------------------------------------ never edited

    def _check_may_sign(self):
        if not self.env.user.has_group('account.group_account_manager'):
            raise AccessError(self.env._('Only accounting administrators sign the tie-out of a month.'))

    def write(self, vals):
        """EXTENDS: refuse everything but the withdrawal of a sign-off that counts.

        :raise UserError: if something else is written
        """
        self.check_access('write')
        if vals and (not WITHDRAWAL.issuperset(vals) or any(sign_off.withdrawn_at for sign_off in self)):
            raise UserError(self.env._('A sign-off is never edited. Withdraw it, and sign the month again.'))
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise UserError(self.env._('A sign-off is never deleted. Withdraw it with a reason.'))

    def _is_intact(self):
        """Return whether the figures are those that were signed."""
        self.ensure_one()
        return json_digest(self.figures) == self.figures_digest
