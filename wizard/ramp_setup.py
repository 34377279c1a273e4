# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import Command, api, fields, models
from odoo.exceptions import AccessError, UserError

from ..models.connection_constants import OPTIONAL_SCOPES, SCOPES, UNSPENDABLE

# In the order in which a person sees them. `_leave_<step>` checks what was entered, `_enter_<step>` prepares the page.
STEPS = [
    ('credentials', 'Credentials'),
    ('features', 'Permissions'),
    ('integration', 'Integration'),
    ('entity', 'Entity'),
    ('books', 'Books'),
    ('offers', 'Coding Options'),
    ('start', 'Start Date'),
    ('preview', 'Preview'),
    ('done', 'Checklist'),
]
# Fields that the assistant and the connection have in common
CHOICES = (
    'environment',
    'api_url',
    'card_journal_id',
    'bill_journal_id',
    'payment_journal_id',
    'cashback_account_id',
    'account_policy',
    'offer_taxes',
    'offer_vendors',
    'start_date',
    'existing_policy',
    'lock_date_policy',
)
MANY_CHOICES = ('account_type_ids', 'analytic_plan_ids')
# Of a connection that exists already, these are proposed again
KEPT_CHOICES = tuple(name for name in CHOICES if name not in ('account_policy', 'offer_taxes', 'offer_vendors'))


class RampSetup(models.TransientModel):
    """The set-up assistant: it asks step by step for what a connection needs, and connects in the last step.

    Before that, Ramp is only read, and nothing is stored but the assistant itself. Other files extend it: `_ramp` asks
    Ramp, `_books` proposes journals and accounts, `_start` counts what would come, `_connect` previews and connects.
    """

    _name = 'ramp.setup'
    _description = 'Ramp Set-Up Assistant'

    state = fields.Selection(STEPS, string='Step', required=True, default='credentials')
    connection_id = fields.Many2one('ramp.connection', help='The connection that is set up. Empty: a new one.')
    company_id = fields.Many2one('res.company', required=True, default=lambda self: self.env.company)
    company_currency_id = fields.Many2one(related='company_id.currency_id', string='Currency of the Books')
    environment = fields.Selection(
        [('production', 'Production'), ('sandbox', 'Sandbox'), ('custom', 'Custom address')],
        required=True,
        default='production',
    )
    api_url = fields.Char(string='API Address')
    client_id = fields.Char(string='Client ID', help='From Ramp: Company > Developer > your app.')
    client_secret = fields.Char(
        compute='_compute_client_secret',
        inverse='_inverse_client_secret',
        help='It is entered once, and never shown again.',
    )
    kept_secret = fields.Char(groups=fields.NO_ACCESS)
    has_credentials = fields.Boolean(compute='_compute_has_credentials', compute_sudo=True)
    # compute_sudo: whether there are credentials is no secret; the credentials are not shown
    all_scopes = fields.Char(string='Scopes', compute='_compute_all_scopes')

    pull_bills = fields.Boolean(string='Bills, Vendors, Vendor Credits')
    pull_reimbursements = fields.Boolean(string='Reimbursements')
    pull_repayments = fields.Boolean(string='Repayments of Employees')
    pull_statements = fields.Boolean(string='Card Statements')
    push_orders = fields.Boolean(string='Purchase Orders')
    push_receipts = fields.Boolean(string='Receipts of Goods')
    push_users = fields.Boolean(string='People')

    card_journal_id = fields.Many2one(
        'account.journal', check_company=True, domain=[('type', '=', 'credit')], help='Empty: a new one.'
    )
    bill_journal_id = fields.Many2one('account.journal', check_company=True, domain=[('type', '=', 'purchase')])
    payment_journal_id = fields.Many2one(
        'account.journal', check_company=True, domain=[('type', 'in', ('bank', 'cash'))]
    )
    cashback_account_id = fields.Many2one('account.account', check_company=True, help='Empty: a new one.')
    new_card_journal = fields.Char(string='New Journal', compute='_compute_new_books')
    new_card_account = fields.Char(string='New Account of the Journal', compute='_compute_new_books')
    new_cashback_account = fields.Char(string='New Account of Cashback', compute='_compute_new_books')
    books_warning = fields.Text(compute='_compute_new_books')

    account_policy = fields.Selection(
        [('types', 'Accounts of the types chosen'), ('all', 'All active accounts')],
        string='Accounts in Ramp',
        required=True,
        default='types',
    )
    account_type_ids = fields.Many2many(
        'ramp.account.type',
        string='Account Types',
        domain=[('code', 'not in', UNSPENDABLE)],
        default=lambda self: self.env['ramp.account.type'].search([('code', '=like', 'expense%')], limit=20),
    )
    analytic_plan_ids = fields.Many2many(
        'account.analytic.plan', string='Analytic Plans in Ramp', domain=[('parent_id', '=', False)]
    )
    offer_taxes = fields.Boolean(string='Purchase Taxes')
    offer_vendors = fields.Boolean(string='Suppliers')
    offer_summary = fields.Text(string='Sent After You Connect', compute='_compute_offer_summary')

    start_date = fields.Date(default=lambda self: fields.Date.context_today(self).replace(month=1, day=1))
    existing_policy = fields.Selection(
        [('book', 'Post them: they are not in the books'), ('leave', 'Leave them alone: they are in the books')],
        string='Statements and Vendor Credits in Ramp Already',
    )
    lock_date_policy = fields.Selection(
        [('hold', 'Put on hold'), ('next_open', 'Post on the first open day')],
        string='Locked Periods',
        required=True,
        default='hold',
    )

    # ------------------------------------------------------------------ defaults

    @api.model
    def default_get(self, fields):
        """EXTENDS: Begin with what a connection has, if the assistant was opened from one."""
        values = super().default_get(fields)
        connection = self.env['ramp.connection'].browse(values.get('connection_id')).exists()
        if connection:
            connection._check_is_manager()
            kept = KEPT_CHOICES if connection.state == 'draft' else CHOICES
            values.update(connection._convert_to_write({name: connection[name] for name in kept}))
            values['company_id'] = connection.company_id.id
            values['access_kind'] = 'sign_in' if connection.has_sign_in else 'secret'
            if connection.state != 'draft':
                values.update({name: [Command.set(connection[name].ids)] for name in MANY_CHOICES})
        return {name: value for name, value in values.items() if name in fields}

    @api.depends_context('lang')
    def _compute_display_name(self):
        self.display_name = self.env._('Set Up Ramp')

    # ------------------------------------------------------------------ who may

    def _check_may_set_up(self):
        """Raise `AccessError` for users who may not connect this company with Ramp."""
        if not self.env.user.has_group('account.group_account_manager'):
            raise AccessError(self.env._('Only accounting administrators may connect Odoo with Ramp.'))
        self.check_access('write')
        for setup in self:
            if setup.company_id not in self.env.user.company_ids:
                raise AccessError(
                    self.env._(
                        'You do not work in the company %s. Choose one of your companies.', setup.sudo().company_id.name
                    )
                )
            if setup.company_id not in self.env.companies:
                raise UserError(
                    self.env._(
                        'Choose the company %s in the list of companies at the top first.', setup.company_id.name
                    )
                )
            setup.connection_id._check_is_manager()

    # ------------------------------------------------------------------ credentials

    def _compute_client_secret(self):
        # Nobody reads it again, not even who entered it
        self.client_secret = False

    def _inverse_client_secret(self):
        for setup in self.filtered('client_secret'):
            # sudo: no user may read the field in which it is kept
            setup.sudo().kept_secret = setup.client_secret
        self.invalidate_recordset(['client_secret'])

    @api.depends('client_id', 'kept_secret', 'connection_id', 'environment')
    def _compute_has_credentials(self):
        for setup in self:
            setup.has_credentials = bool((setup.client_id and setup.kept_secret) or setup.connection_id.has_credentials)

    def _compute_all_scopes(self):
        self.all_scopes = ' '.join((*SCOPES, *(scope for scopes in OPTIONAL_SCOPES.values() for scope in scopes)))

    def _forget_secrets(self):
        # sudo: no user may read the field in which the secret is kept
        self.sudo().write({'client_id': False, 'kept_secret': False})

    # ------------------------------------------------------------------ the connection to be

    def _connection_values(self):
        """Return the values that the connection gets, with credentials if somebody entered them here."""
        self.ensure_one()
        values = {name: self[name] for name in (*CHOICES, *OPTIONAL_SCOPES)}
        values['company_id'] = self.company_id
        # The amounts of one entity, or of all
        values['ramp_entity_id'] = self.entity_id.ramp_id if self.entity_policy == 'one' else False
        values = self.env['ramp.connection']._convert_to_write(values)
        values.update({name: [Command.set(self[name].ids)] for name in MANY_CHOICES})
        return {**values, **self._credential_values()}

    def _credential_values(self):
        # sudo: no user may read the field in which the secret is kept
        secret = self.sudo().kept_secret
        return {'client_id': self.client_id.strip(), 'client_secret': secret} if self.client_id and secret else {}

    def _draft_connection(self, **values):
        """Return the connection as it would be, unsaved.

        :param values: values that it has instead of those of the assistant
        :raise AccessError, UserError, ValidationError: if the address may not be used
        """
        self.ensure_one()
        Connection = self.env['ramp.connection'].with_company(self.company_id)
        seen = [name for name, field in Connection._fields.items() if Connection._has_field_access(field, 'write')]
        known = {} if self.connection_id else Connection.default_get(seen)
        # sudo: only to fill in what no user may read. Nothing is stored.
        connection = Connection.sudo().new(
            {**known, **self._connection_values(), **values}, origin=self.connection_id or None
        )
        connection = connection.sudo(self.env.su)
        # The client id and secret are sent there
        self.connection_id._check_address_change(
            {
                name: self[name]
                for name in ('environment', 'api_url')
                if not self.connection_id or self[name] != self.connection_id[name]
            }
        )
        connection._check_api_url()
        return connection

    # ------------------------------------------------------------------ steps

    def action_next(self):
        """Check what was entered, and go to the next step."""
        self.ensure_one()
        self._check_may_set_up()
        steps = [step for step, _label in STEPS]
        if self.state in steps[-2:]:
            raise UserError(self.env._('This is the last step. Press Connect.'))
        self._call_step('leave')
        self.state = steps[steps.index(self.state) + 1]
        self._call_step('enter')
        return True

    def action_back(self):
        """Go to the step before. What was entered stays."""
        self.ensure_one()
        self._check_may_set_up()
        steps = [step for step, _label in STEPS]
        if self.state in (steps[0], steps[-1]):
            raise UserError(self.env._('There is no step before this one.'))
        self.state = steps[steps.index(self.state) - 1]
        return True

    def action_cancel(self):
        """Delete the assistant with all that was entered, and open the connections."""
        self.ensure_one()
        self._check_may_set_up()
        self.unlink()
        return {
            **self.env['ir.actions.act_window']._for_xml_id('ramp_connector.ramp_connection_action'),
            'target': 'main',
        }

    def _call_step(self, verb):
        method = getattr(self, f'_{verb}_{self.state}', None)
        if method:
            method()
