# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import uuid

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

from .connection_constants import OFFERS, SETTINGS, UNSPENDABLE


class RampConnection(models.Model):
    """One Ramp entity, or a whole Ramp business, joined to one company."""

    _name = 'ramp.connection'
    _description = 'Ramp Connection'
    _inherit = ['mail.thread', 'mail.activity.mixin', 'ramp.mapped']
    _order = 'company_id, id'
    _check_company_auto = True

    name = fields.Char(required=True, default=lambda self: self.env._('Ramp'))
    active = fields.Boolean(default=True)
    company_id = fields.Many2one(
        'res.company',
        required=True,
        index=True,
        default=lambda self: self.env.company,
        tracking=True,
        help='The company in whose books this connection posts.',
    )
    environment = fields.Selection(
        [('production', 'Production'), ('sandbox', 'Sandbox'), ('custom', 'Custom address')],
        required=True,
        default='production',
        tracking=True,
    )
    api_url = fields.Char(
        string='API Address',
        tracking=True,
        help='Only for the environment "Custom address": a proxy, or a simulator for tests.',
    )
    client_id = fields.Char(
        string='Client ID',
        groups='base.group_system',
        copy=False,
        help="From Ramp: Company > Developer > your app. The server's configuration file or environment overrides it.",
    )
    client_secret = fields.Char(groups='base.group_system', copy=False)
    has_credentials = fields.Boolean(compute='_compute_has_credentials', compute_sudo=True)
    ramp_entity_id = fields.Char(
        tracking=True,
        help='ID of the Ramp entity whose spend belongs to this company. Empty: every entity of the Ramp business.',
    )
    ramp_business_name = fields.Char(string='Ramp Business', readonly=True, copy=False, prefetch=SETTINGS)
    start_date = fields.Date(
        required=True,
        default=lambda self: fields.Date.context_today(self).replace(month=1, day=1),
        tracking=True,
        help='Spend before this date is left alone.',
    )
    existing_policy = fields.Selection(
        [('book', 'Post them: they are not in the books'), ('leave', 'Leave them alone: they are in the books')],
        string='Statements and Vendor Credits in Ramp Already',
        tracking=True,
        copy=False,
        help='Ramp does not say whether another system, or an earlier installation, has exported card statements and '
        'vendor credits. Decide what happens to those that existed before you pressed Connect.',
    )
    connected_at = fields.Datetime(string='Connected Since', readonly=True, copy=False)
    state = fields.Selection(
        [('draft', 'Not Connected'), ('connected', 'Connected'), ('disconnected', 'Disconnected')],
        string='Status',
        required=True,
        default='draft',
        readonly=True,
        copy=False,
        tracking=True,
    )
    database = fields.Char(
        readonly=True,
        copy=False,
        groups='base.group_system',
        help='The database that was connected, as UUID and name. A copy of it never contacts Ramp until a user '
        'allows it.',
    )
    is_copy = fields.Boolean(
        string='Database is a Copy',
        compute='_compute_is_copy',
        compute_sudo=True,
        help='This database is a copy or a restored backup of the one that was connected.',
    )
    accounting_connection_id = fields.Char(
        string='Accounting Connection in Ramp',
        readonly=True,
        copy=False,
        help="Ramp's ID of the accounting integration that this database holds.",
    )

    card_journal_id = fields.Many2one(
        'account.journal',
        check_company=True,
        domain=[('type', '=', 'credit')],
        copy=False,
        tracking=True,
        help="Card spend is posted here. The journal's default account is the card liability.",
        prefetch=SETTINGS,
    )
    card_account_id = fields.Many2one(related='card_journal_id.default_account_id', string='Card Liability')
    card_post = fields.Selection(
        [('post', 'Post the entry'), ('draft', 'Leave the entry as a draft')],
        string='Card Spend',
        required=True,
        default='post',
        tracking=True,
        prefetch=SETTINGS,
    )
    expense_product_id = fields.Many2one(
        'product.product',
        string='Expense Category',
        check_company=True,
        domain=[('can_be_expensed', '=', True)],
        default=lambda self: self.env.ref('ramp_connector.product_card_spend', raise_if_not_found=False),
        prefetch=SETTINGS,
    )
    merchant_partner_id = fields.Many2one(
        'res.partner',
        string='Card Merchant',
        check_company=True,
        default=lambda self: self.env.ref('ramp_connector.partner_card_merchant', raise_if_not_found=False),
        help='The partner for card spend at a merchant that is not one of your vendors.',
        prefetch=SETTINGS,
    )
    fallback_employee_id = fields.Many2one(
        'hr.employee',
        check_company=True,
        tracking=True,
        help='Receives the expenses of cardholders who are not employees here. Empty: such spend is put on hold.',
        prefetch=SETTINGS,
    )
    lock_date_policy = fields.Selection(
        [('hold', 'Put on hold'), ('next_open', 'Post on the first open day')],
        string='Locked Periods',
        required=True,
        default='hold',
        tracking=True,
        prefetch=SETTINGS,
    )

    account_policy = fields.Selection(
        [('all', 'All active accounts'), ('types', 'Accounts of the types chosen')],
        string='Accounts in Ramp',
        required=True,
        default='all',
        tracking=True,
        help='Which accounts people can pick as the accounting category in Ramp.',
        prefetch=SETTINGS,
    )
    account_type_ids = fields.Many2many(
        'ramp.account.type', string='Account Types', domain=[('code', 'not in', UNSPENDABLE)]
    )
    analytic_plan_ids = fields.Many2many(
        'account.analytic.plan',
        string='Analytic Plans in Ramp',
        domain=[('parent_id', '=', False)],
        default=lambda self: self.env['account.analytic.plan'].search([('parent_id', '=', False)]),
        help='Each plan becomes an accounting field in Ramp. Its analytic accounts, and those of its subplans, are '
        'the options.',
    )
    offer_taxes = fields.Boolean(
        string='Taxes in Ramp',
        tracking=True,
        help='Offer purchase taxes as tax codes. A line coded with one is posted with that tax, included in the '
        'amount.',
    )
    offer_vendors = fields.Boolean(
        string='Suppliers in Ramp',
        default=True,
        tracking=True,
        help='Offer suppliers as accounting vendors, so that spend can be coded to them.',
    )

    push_orders = fields.Boolean(
        string='Purchase Orders',
        default=True,
        tracking=True,
        help='Confirmed purchase orders are sent to Ramp. Needs Ramp Plus.',
    )
    push_receipts = fields.Boolean(
        string='Receipts of Orders',
        default=True,
        tracking=True,
        help='Receipts of purchase orders are sent to Ramp, which matches bills with them. Needs Ramp Plus.',
    )
    ramp_entities = fields.Json(readonly=True, copy=False, help='Names of the Ramp entities, by ID.', prefetch=SETTINGS)
    primary_entity_id = fields.Char(
        readonly=True,
        copy=False,
        help='ID of the primary Ramp entity, to which purchase orders belong.',
        prefetch=SETTINGS,
    )
    last_watch = fields.Datetime(
        string='Last Nightly Check',
        readonly=True,
        copy=False,
        help='When everything in Ramp was last checked, ready to sync or not.',
        prefetch=SETTINGS,
    )
    last_sync = fields.Datetime(string='Last Synchronization', compute='_compute_last_sync', compute_sudo=True)
    last_error = fields.Text(readonly=True, copy=False)
    # compute_sudo: users who may read the connection may see the counts, for example a system administrator without
    # accounting rights who enters the secret
    record_count = fields.Integer(compute='_compute_counts', compute_sudo=True)
    waiting_count = fields.Integer(compute='_compute_counts', compute_sudo=True, string='Waiting')
    problem_count = fields.Integer(compute='_compute_counts', compute_sudo=True, string='Needs Attention')
    offer_counts = fields.Json(
        compute='_compute_counts', compute_sudo=True, help='What Odoo offers, by kind and status.'
    )
    run_state = fields.Selection(
        [('idle', 'Idle'), ('queued', 'Queued'), ('running', 'Running')], compute='_compute_progress', compute_sudo=True
    )
    progress = fields.Float(
        compute='_compute_progress', compute_sudo=True, help='Percentage of the running synchronization that is done.'
    )
    progress_text = fields.Char(compute='_compute_progress', compute_sudo=True)
    sync_requested_at = fields.Datetime(readonly=True, copy=False)

    _entity_once = models.UniqueIndex(
        "(company_id, environment, COALESCE(api_url, ''), COALESCE(ramp_entity_id, '')) WHERE active",
        'This company already has a connection to that Ramp entity.',
    )

    @api.model_create_multi
    def create(self, vals_list):
        """EXTENDS: Clear the cache, because the new connection may offer something in Ramp."""
        self.env.registry.clear_cache()
        connections = super().create(vals_list)
        # Includes values that came from defaults
        for connection in connections:
            connection._check_address_change({'environment': connection.environment, 'api_url': connection.api_url})
        return connections

    def write(self, vals):
        """EXTENDS: Check the change, and compare the offers in Ramp again if it concerns them."""
        self._check_address_change(vals)
        self._check_company_stays(vals)
        result = super().write(vals)
        if not {'state', 'company_id', 'active', *OFFERS}.isdisjoint(vals):
            self.env.registry.clear_cache()
        if not {'company_id', *OFFERS}.isdisjoint(vals):
            self._compare_offers_again()
        return result

    def unlink(self):
        """EXTENDS: Clear the cache, because the connection may have offered something in Ramp."""
        self.env.registry.clear_cache()
        return super().unlink()

    def _check_company_stays(self, vals):
        """Raise `UserError` if the company would change on a connection that is connected or has ledger rows.

        The documents from Ramp are in the books of one company, and the rows are for the accountants of that company.
        """
        for connection in self if 'company_id' in vals else ():
            if connection.company_id.id == vals['company_id']:
                continue
            if connection.state == 'connected' or connection._has_ledger_rows():
                raise UserError(
                    self.env._(
                        'Connection %(name)s belongs to the company %(company)s, whose books contain its documents. '
                        'To connect another company, create a connection there.',
                        name=connection.name,
                        company=connection.company_id.name,
                    )
                )

    @api.constrains('rate_tolerance')
    def _check_rate_tolerance(self):
        for connection in self.filtered(lambda connection: connection.rate_tolerance < 0):
            raise ValidationError(
                self.env._(
                    'Connection %s, field "Rates May Differ By": enter the percentage by which a rate of Ramp may '
                    "differ from Odoo's, or 0 for none.",
                    connection.name,
                )
            )

    @api.constrains('active')
    def _check_active(self):
        for connection in self:
            if not connection.active and connection.state == 'connected':
                raise ValidationError(
                    self.env._(
                        'Disconnect %s before you archive it. Otherwise it would keep the accounting integration in '
                        'Ramp.',
                        connection.name,
                    )
                )

    @api.constrains('ramp_entity_id')
    def _check_ramp_entity_id(self):
        for connection in self.filtered('ramp_entity_id'):
            try:
                uuid.UUID(connection.ramp_entity_id)
            except ValueError as error:
                raise ValidationError(
                    self.env._(
                        'Connection %(name)s: "%(entity)s" is not the id of a Ramp entity. Copy it from Ramp, or '
                        'leave it empty.',
                        name=connection.name,
                        entity=connection.ramp_entity_id,
                    )
                ) from error

    @api.constrains('card_journal_id')
    def _check_card_journal_id(self):
        for connection in self.filtered('card_journal_id'):
            if not connection.card_journal_id.default_account_id:
                raise ValidationError(
                    self.env._(
                        'Journal %s has no default account. Choose one of the type Credit Card on the journal.',
                        connection.card_journal_id.display_name,
                    )
                )

    @api.ondelete(at_uninstall=False)
    def _unlink_except_used(self):
        for connection in self:
            if connection.state == 'connected':
                raise UserError(self.env._('Disconnect %s before you delete it.', connection.name))
            if self.env['ramp.record'].sudo().search_count([('connection_id', '=', connection.id)], limit=1):
                raise UserError(
                    self.env._(
                        '%s has created documents in Odoo. Archive it instead, so that their history is kept.',
                        connection.name,
                    )
                )
