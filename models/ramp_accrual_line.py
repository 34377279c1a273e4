# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.exceptions import AccessError, ValidationError

# What a person enters, before it is posted
ENTERED = ('is_included', 'account_id')


class RampAccrualLine(models.Model):
    """One object of an accrual: its amount, its accounts, and the entry that accrues it.

    `is_active` says that it is accrued. The unique index makes it impossible that an object is accrued twice for a
    month, whoever posts at the same moment.
    """

    _name = 'ramp.accrual.line'
    _description = 'Object of a Ramp Accrual'
    _order = 'ramp_entity_id, currency_id, date, id'
    _rec_name = 'record_id'
    _check_company_auto = True

    accrual_id = fields.Many2one('ramp.accrual', required=True, readonly=True, index=True, ondelete='cascade')
    company_id = fields.Many2one('res.company', required=True, readonly=True)
    record_id = fields.Many2one(
        'ramp.record', string='In Ramp', required=True, readonly=True, index=True, ondelete='restrict'
    )
    month = fields.Date(required=True, readonly=True, help='The first day of the month.')
    date = fields.Date(readonly=True)
    flow = fields.Selection(related='record_id.flow')
    ramp_entity_id = fields.Char(string='Ramp Entity ID', readonly=True)
    ramp_entity_name = fields.Char(related='record_id.ramp_entity_name')
    reason_text = fields.Text(related='record_id.reason_text', string='Why It Is Not Posted')
    kind = fields.Char(string='Kind of Difference', readonly=True, help='What the tie-out calls it.')
    kind_text = fields.Char(string='Status', compute='_compute_kind_text')
    amount = fields.Monetary(readonly=True, help='The amount that the tie-out misses; negative for a refund.')
    currency_id = fields.Many2one('res.currency', required=True, readonly=True)
    is_included = fields.Boolean(string='Accrue', default=True)
    account_id = fields.Many2one(
        'account.account',
        string='Expense Account',
        check_company=True,
        domain=[('account_type', 'not in', ('liability_payable', 'asset_receivable', 'off_balance'))],
        help='The account of the whole amount. Empty: the accounts of its coding in Ramp, or the account without coding.',
    )
    parts = fields.Json(
        readonly=True, help='Its coding in Ramp as [{account, distribution, minor}], in minor units of the currency.'
    )
    coding_text = fields.Char(string='Coding in Ramp', compute='_compute_coding_text')
    move_id = fields.Many2one(
        'account.move', string='Accrual Entry', readonly=True, index='btree_not_null', ondelete='set null'
    )
    reversal_id = fields.Many2one('account.move', readonly=True, index='btree_not_null', ondelete='set null')
    is_active = fields.Boolean(string='Accrued', readonly=True)

    _accrued_once = models.UniqueIndex(
        '(record_id, month) WHERE is_active',
        'One of these objects is accrued for this month already. Press Refresh, and look at what is left.',
    )

    @api.depends('parts')
    def _compute_coding_text(self):
        Booking = self.env['ramp.flow.booking']
        accounts = self.env['account.account'].browse(
            {part['account'] for line in self for part in line.parts or () if part['account']}
        )
        # sudo: the names of accounts that the ledger's payload names; whoever reads the line reads the payload
        known = accounts.sudo().exists().grouped('id')
        for line in self:
            texts = []
            for part in line.parts or ():
                account = known.get(part['account'])
                account = account and account.with_company(line.company_id)
                name = f'{account.code or ""} {account.name}'.strip() if account else line.env._('No account')
                amount = line.currency_id.format(Booking._minor_to_float(part['minor'], line.currency_id))
                texts.append(f'{name}: {amount}' if len(line.parts) > 1 else name)
            line.coding_text = ', '.join(texts)

    @api.depends('kind')
    @api.depends_context('lang')
    def _compute_kind_text(self):
        labels = self.env['report.ramp_connector.tie_out']._difference_kind_labels()
        for line in self:
            line.kind_text = labels.get(line.kind, line.kind)

    def write(self, vals):
        """EXTENDS: let people leave a row out and choose its account, before it is posted.

        :raise AccessError: if something else is written
        """
        if not self.env.su:
            self.accrual_id._check_may_accrue()
            if not vals.keys() <= set(ENTERED):
                raise AccessError(self.env._('Only the connector writes what became of an accrual.'))
            self.accrual_id._check_is_draft()
        return super().write(vals)

    @api.constrains('account_id')
    def _check_account_id(self):
        for line in self.filtered('account_id'):
            connection = line.accrual_id.connection_id
            if line.account_id == connection.card_account_id:
                raise ValidationError(
                    self.env._(
                        '%(object)s, field "Expense Account": %(account)s is the card liability. Choose the account '
                        'of the expense.',
                        object=line.record_id.display_name,
                        account=line.account_id.display_name,
                    )
                )
