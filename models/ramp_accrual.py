# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tools import format_date

# What a person enters, before it is posted
ENTERED = ('expense_account_id', 'liability_account_id', 'journal_id', 'line_ids')
GROUPS = ('account.group_account_user', 'account.group_account_manager')


class RampAccrual(models.Model):
    """The accrual of a month: what Ramp has and the books have not, reviewed by a person, posted and reversed on day one.

    It has a line for each object. Posting makes one journal entry for each entity and currency, and its reversal. See
    `flows/accounting/accrual_entries` for the entries and `report/ramp_tie_out_accrued` for what is proposed.
    """

    _name = 'ramp.accrual'
    _description = 'Ramp Accrual'
    _rec_names_search = ['connection_id']
    _order = 'month desc, id desc'
    _check_company_auto = True

    connection_id = fields.Many2one('ramp.connection', required=True, readonly=True, index=True, ondelete='restrict')
    company_id = fields.Many2one(related='connection_id.company_id', store=True, index=True)
    month = fields.Date(required=True, readonly=True, help='The first day of the month.')
    date = fields.Date(string='Accrual Date', readonly=True, help='The last day of the month: the day of the entries.')
    reversal_date = fields.Date(readonly=True, help='The day of the reversals: the first day of the next month.')
    journal_id = fields.Many2one(
        'account.journal', check_company=True, domain=[('type', '=', 'general')], help='The entries are posted here.'
    )
    expense_account_id = fields.Many2one(
        'account.account',
        string='Uncoded Expense',
        check_company=True,
        domain=[('account_type', 'in', ('expense', 'expense_direct_cost', 'expense_depreciation', 'expense_other'))],
        help='The expense account of objects whose coding in Ramp is missing or not known here.',
    )
    liability_account_id = fields.Many2one(
        'account.account',
        string='Accrued Liability',
        check_company=True,
        domain=[('account_type', '=', 'liability_current')],
        help='What is owed for the objects until they are posted. It is another account than the card liability.',
    )
    line_ids = fields.One2many('ramp.accrual.line', 'accrual_id')
    state = fields.Selection(
        [('draft', 'To Be Reviewed'), ('posted', 'Posted')], required=True, default='draft', readonly=True, copy=False
    )
    posted_by_id = fields.Many2one('res.users', readonly=True, copy=False)
    posted_at = fields.Datetime(string='Posted On', readonly=True, copy=False)
    line_count = fields.Integer(string='Objects', compute='_compute_amounts')
    amounts = fields.Char(string='Amount', compute='_compute_amounts', help='Sum of the included rows, by currency.')
    standing = fields.Selection(
        [('draft', 'To Be Reviewed'), ('posted', 'Posted'), ('undone', 'Undone'), ('odd', 'Needs Attention')],
        string='Status',
        compute='_compute_standing',
        help='Whether the entries still count. They may have been cancelled or reversed since.',
    )
    standing_text = fields.Text(string='In Words', compute='_compute_standing')

    # ------------------------------------------------------------------ what is shown

    @api.depends('month', 'connection_id')
    @api.depends_context('lang')
    def _compute_display_name(self):
        for accrual in self:
            accrual.display_name = self.env._(
                'Accrual %(month)s, %(connection)s',
                month=accrual.month and accrual._month_in_words() or '',
                connection=accrual.connection_id.name or '',
            )

    def _month_in_words(self):
        return format_date(self.env, self.month, date_format='MMMM yyyy')

    @api.depends('line_ids.is_included', 'line_ids.amount')
    def _compute_amounts(self):
        for accrual in self:
            lines = accrual.line_ids.filtered('is_included')
            accrual.line_count = len(lines)
            accrual.amounts = ', '.join(
                currency.format(sum(of_currency.mapped('amount')))
                for currency, of_currency in lines.grouped('currency_id').items()
            )

    @api.depends('state')
    @api.depends_context('lang')
    def _compute_standing(self):
        posted = self.filtered(lambda accrual: accrual.state == 'posted')
        pairs = posted._list_entry_pairs() if posted else {}
        for accrual in self:
            mine = pairs.get(accrual.id, [])
            texts = [text for pair in mine if (text := accrual._describe_pair_fault(pair))]
            accrual.standing_text = '\n'.join(texts) or False
            if accrual.state == 'draft':
                accrual.standing = 'draft'
            elif texts:
                accrual.standing = 'odd'
            else:
                accrual.standing = 'posted' if any(pair.is_in_force for pair in mine) else 'undone'

    # ------------------------------------------------------------------ access, and what may be entered

    @api.model
    def _may_accrue(self):
        return self.env.su or any(map(self.env.user.has_group, GROUPS))

    def _check_may_accrue(self):
        """Raise `AccessError` unless the user may post journal entries of the company: an accountant.

        Whoever may only enter bills may not.
        """
        if not self._may_accrue():
            raise AccessError(
                self.env._('Only accountants and accounting administrators post the accrual of a month from Ramp.')
            )
        self.check_access('write')

    def _check_is_draft(self):
        for accrual in self:
            if accrual.state != 'draft':
                raise UserError(self.env._('%s is posted. Undo it, and accrue the month again.', accrual.display_name))

    def write(self, vals):
        """EXTENDS: let people change only what they choose, before it is posted.

        :raise AccessError: if something else is written
        :raise UserError: if it is posted
        """
        if not self.env.su:
            self._check_may_accrue()
            if not vals.keys() <= set(ENTERED):
                raise AccessError(self.env._('Only the connector writes what became of an accrual.'))
            self._check_is_draft()
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_posted(self):
        self._check_is_draft()

    @api.constrains('liability_account_id', 'expense_account_id', 'connection_id')
    def _check_accounts(self):
        """Refuse the card liability: the tie-out would take the accrual for card spend."""
        for accrual in self:
            for field in ('liability_account_id', 'expense_account_id'):
                account = accrual[field]
                if account and (
                    account == accrual.connection_id.card_account_id or account.account_type == 'liability_payable'
                ):
                    raise ValidationError(
                        self.env._(
                            '%(accrual)s, field "%(field)s": %(account)s is the card liability or a payable account, '
                            'which the tie-out compares with Ramp. Choose another account.',
                            accrual=accrual.display_name,
                            field=self._fields[field]._description_string(self.env),
                            account=account.display_name,
                        )
                    )

    # ------------------------------------------------------------------ the review

    @api.model
    def open_month(self, connection_id, month):
        """Propose the accrual of a month, and open it for the review.

        :param month: 'YYYY-MM'
        :return: the action that opens it, or that says that nothing is left to accrue
        :raise AccessError: unless the user may post journal entries
        :raise UserError: if the month is not over, or if an earlier accrual of it is neither in force nor undone
        """
        Report = self.env['report.ramp_connector.tie_out']
        connection = Report._readable_connection(connection_id)
        self._check_may_accrue()
        first, last = Report._parse_months(connection, month, month)
        if not first or first != last or not self._is_month_to_accrue(connection, last):
            raise UserError(self.env._('Choose a month that is over, from the start date of the connection on.'))
        accrual = self.search(
            [
                ('connection_id', '=', connection.id),
                ('month', '=', last),
                ('state', '=', 'draft'),
                ('create_uid', '=', self.env.uid),
            ],
            limit=1,
        )
        if not accrual:
            # sudo: people make no accruals themselves. Who may was checked above.
            accrual = self.sudo().create(
                {'connection_id': connection.id, 'month': last, **self._get_default_accounts(connection)}
            )
        accrual = accrual.sudo(False)
        accrual._propose_lines()
        if not accrual.line_ids:
            title = accrual.display_name
            accrual.unlink()
            return connection._notify_user(
                'success', title, self.env._('Nothing is left to accrue: the rest is posted, accrued or ignored.')
            )
        return accrual._get_records_action(name=accrual.display_name)

    @api.model
    def _is_month_to_accrue(self, connection, month):
        """Return whether a month (its first day) may be accrued: from its last day on."""
        last_day = self.env['report.ramp_connector.tie_out']._last_day(month)
        return connection.start_date.replace(day=1) <= month and last_day <= fields.Date.context_today(self)

    @api.model
    def _get_default_accounts(self, connection):
        """Return the journal and the accounts of the connection's last accrual."""
        names = ('journal_id', 'expense_account_id', 'liability_account_id')
        last = self.search([('connection_id', '=', connection.id), ('state', '=', 'posted')], limit=1)
        values = {name: last[name].id for name in names}
        if not values['journal_id']:
            values['journal_id'] = (
                self.env['account.journal']
                .search([('company_id', '=', connection.company_id.id), ('type', '=', 'general')], limit=1)
                .id
            )
        return values

    def action_refresh(self):
        """Propose the rows again, as Ramp and the books are now. What was left out or changed is proposed as at first."""
        self.ensure_one()
        self._check_may_accrue()
        self._check_is_draft()
        self._propose_lines()
        return True

    def action_open_entries(self):
        """Open the journal entries and their reversals."""
        self.ensure_one()
        self.check_access('read')
        action = self.env['ir.actions.act_window']._for_xml_id('account.action_move_journal_line')
        action.update(
            name=self.display_name,
            domain=[('id', 'in', (self.line_ids.move_id + self.line_ids.reversal_id).ids)],
            context={'create': False},
        )
        return action
