# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import os
import re
import threading
import uuid
from datetime import datetime, time, timedelta
from urllib.parse import urlsplit

import pytz
import requests

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tools import config, frozendict, ormcache

from ..ramp_api import (
    MemoryTokenStore,
    PayloadError,
    RampAuthError,
    RampClient,
    RampConnectionError,
    RampError,
    RampNotFound,
    read_accounting_provider,
    read_entity,
    to_company_date,
)

# Fields that are read together, and only where something is booked: each transaction of each job reads the others.
SETTINGS = 'settings'
API_URLS = {
    'production': 'https://api.ramp.com/developer/v1',
    'sandbox': 'https://demo-api.ramp.com/developer/v1',
}
APP_URLS = {
    'production': 'https://app.ramp.com',
    'sandbox': 'https://demo.ramp.com',
}
SCOPES = (
    'accounting:read', 'accounting:write', 'business:read', 'entities:read',
    'transactions:read', 'receipts:read', 'users:read',
)
# What the payables need beyond that, by the field that switches them on
OPTIONAL_SCOPES = {
    'pull_bills': ('bills:read', 'vendors:read', 'vendors:write'),
    'pull_reimbursements': ('reimbursements:read',),
    'pull_repayments': ('repayments:read',),
    'push_orders': ('purchase_orders:read', 'purchase_orders:write'),
    'push_receipts': ('item_receipts:read', 'item_receipts:write'),
    'pull_statements': ('statements:read', 'transfers:read', 'cashbacks:read'),
    'push_users': ('users:write', 'departments:read', 'departments:write', 'locations:read', 'locations:write'),
}
# Fields that decide what Odoo offers in Ramp
OFFERS = (
    'account_policy', 'account_type_ids', 'analytic_plan_ids', 'offer_taxes', 'offer_vendors', 'pull_bills', 'push_orders', 'push_receipts',
    'start_date', 'ramp_entity_id', 'card_journal_id', 'push_users', 'user_invitation', 'ramp_partner_id', 'merchant_partner_id')
# Types of accounts that take no spend: whatever is offered, these are not
UNSPENDABLE = (
    'asset_cash', 'asset_receivable', 'liability_credit_card', 'liability_payable', 'equity_unaffected', 'off_balance')
IDENTITY_PARAMETER = 'ramp_connector.identity'
PLAIN_HOST = re.compile(r'[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]')


class ThreadTokenStores:
    """Access tokens, per process and never in the database: minting one again costs a single request.

    A key holds everything that a token depends on, so that a changed secret never meets an old token.
    """

    def __init__(self):
        self._tokens = {}
        self._lock = threading.Lock()

    def store(self, key):
        stores, lock = self._tokens, self._lock

        class Store:
            def get(self):
                return stores.get(key)

            def set(self, token):
                with lock:
                    stores[key] = token

            def clear(self):
                with lock:
                    stores.pop(key, None)

        return Store()


_tokens = ThreadTokenStores()


class RampConnection(models.Model):
    """One Ramp entity (or a whole Ramp business) joined to one company."""

    _name = 'ramp.connection'
    _description = 'Ramp Connection'
    _inherit = ['mail.thread', 'ramp.mapped']
    _order = 'company_id, id'
    _check_company_auto = True

    name = fields.Char(required=True, default=lambda self: self.env._('Ramp'))
    active = fields.Boolean(default=True)
    company_id = fields.Many2one(
        'res.company', required=True, index=True, default=lambda self: self.env.company, tracking=True,
        help='The company whose books receive what this connection brings in.')
    environment = fields.Selection(
        [('production', 'Production'), ('sandbox', 'Sandbox'), ('custom', 'Custom address')],
        required=True, default='production', tracking=True)
    api_url = fields.Char(
        string='API Address', tracking=True,
        help='Only for the environment "Custom address": a proxy, or a simulator for tests.')
    client_id = fields.Char(
        string='Client ID', groups='base.group_system', copy=False,
        help="From Ramp: Company > Developer > your app. The server's configuration file or environment overrides it.")
    client_secret = fields.Char(groups='base.group_system', copy=False)
    has_credentials = fields.Boolean(compute='_compute_has_credentials', compute_sudo=True)
    ramp_entity_id = fields.Char(
        tracking=True,
        help="Id of the Ramp entity whose spend belongs to this company. Empty: every entity of the Ramp business.")
    ramp_business_name = fields.Char(string='Ramp Business', readonly=True, copy=False, prefetch=SETTINGS)
    start_date = fields.Date(
        required=True, default=lambda self: fields.Date.context_today(self).replace(month=1, day=1), tracking=True,
        help='Spend before this day is left alone.')
    existing_policy = fields.Selection(
        [('book', 'Book them: they are not in the books'), ('leave', 'Leave them alone: they are in the books')],
        string='Statements and Vendor Credits in Ramp Already', tracking=True, copy=False,
        help='Ramp does not say of card statements and vendor credits whether another system, or an earlier installation, has exported '
             'them. What there was before Connect was pressed is treated so.')
    connected_at = fields.Datetime(string='Connected Since', readonly=True, copy=False)
    state = fields.Selection(
        [('draft', 'Not Connected'), ('connected', 'Connected'), ('disconnected', 'Disconnected')], string='Status',
        required=True, default='draft', readonly=True, copy=False, tracking=True)
    database = fields.Char(
        readonly=True, copy=False, groups='base.group_system',
        help='Which database was connected, as uuid and name. A copy of it never speaks to Ramp until somebody says that it may.')
    is_copy = fields.Boolean(
        string='Database is a Copy', compute='_compute_is_copy', compute_sudo=True,
        help='This database was made from the one that was connected, by a copy or by restoring a backup.')
    accounting_connection_id = fields.Char(
        string='Accounting Connection in Ramp', readonly=True, copy=False,
        help="Ramp's id of the accounting seat that this database holds.")

    card_journal_id = fields.Many2one(
        'account.journal', check_company=True, domain=[('type', '=', 'credit')], copy=False,
        tracking=True, help="Card spend is posted here; the journal's default account is the card liability.", prefetch=SETTINGS)
    card_account_id = fields.Many2one(related='card_journal_id.default_account_id', string='Card Liability')
    card_post = fields.Selection(
        [('post', 'Post the entry'), ('draft', 'Leave the entry as a draft')], string='Card Spend', required=True,
        default='post', tracking=True, prefetch=SETTINGS)
    expense_product_id = fields.Many2one(
        'product.product', string='Expense Category', check_company=True, domain=[('can_be_expensed', '=', True)],
        default=lambda self: self.env.ref('ramp_connector.product_card_spend', raise_if_not_found=False), prefetch=SETTINGS)
    merchant_partner_id = fields.Many2one(
        'res.partner', string='Card Merchant', check_company=True,
        default=lambda self: self.env.ref('ramp_connector.partner_card_merchant', raise_if_not_found=False),
        help='Partner of card spend at a merchant who is not one of your vendors.', prefetch=SETTINGS)
    fallback_employee_id = fields.Many2one(
        'hr.employee', check_company=True, tracking=True,
        help='Receives the expenses of cardholders who are not employees here. Empty: such spend waits.', prefetch=SETTINGS)
    lock_date_policy = fields.Selection(
        [('hold', 'Hold it and tell Ramp why'), ('next_open', 'Book it on the first open day')],
        string='In a Closed Period', required=True, default='hold', tracking=True, prefetch=SETTINGS)

    account_policy = fields.Selection(
        [('all', 'All active accounts'), ('types', 'Accounts of the types chosen')], string='Accounts in Ramp', required=True,
        default='all', tracking=True, help='Which accounts people can pick as accounting category in Ramp.', prefetch=SETTINGS)
    account_type_ids = fields.Many2many('ramp.account.type', string='Account Types', domain=[('code', 'not in', UNSPENDABLE)])
    analytic_plan_ids = fields.Many2many(
        'account.analytic.plan', string='Analytic Plans in Ramp', domain=[('parent_id', '=', False)],
        default=lambda self: self.env['account.analytic.plan'].search([('parent_id', '=', False)]),
        help='Each becomes an accounting field in Ramp; its analytic accounts, and those of the plans below it, are the options.')
    offer_taxes = fields.Boolean(
        string='Taxes in Ramp', tracking=True,
        help='Offer purchase taxes as tax codes. A line coded with one is booked with that tax, included in the amount.')
    offer_vendors = fields.Boolean(
        string='Suppliers in Ramp', default=True, tracking=True,
        help='Offer suppliers as accounting vendors, so that spend can be coded to them.')

    pull_bills = fields.Boolean(
        string='Bills', default=True, tracking=True, help='Vendors, bills, their payments and vendor credits come from Ramp.')
    bill_policy = fields.Selection(
        [('approved', 'When approved in Ramp'), ('created', 'When created in Ramp')], string='Book Bills', required=True,
        default='approved', tracking=True,
        help='Either way Ramp is told of a bill only once it is approved; a bill that is not approved in the end is reversed.')
    bill_journal_id = fields.Many2one(
        'account.journal', check_company=True, domain=[('type', '=', 'purchase')], copy=False, tracking=True,
        help='Bills are posted here, and so is what has no journal of its own: vendor credits, reimbursements, card statements.',
        prefetch=SETTINGS)
    vendor_credit_journal_id = fields.Many2one(
        'account.journal', check_company=True, domain=[('type', '=', 'purchase')], copy=False, tracking=True,
        help='Vendor credits are posted here. Empty: the bill journal.', prefetch=SETTINGS)
    reimbursement_journal_id = fields.Many2one(
        'account.journal', check_company=True, domain=[('type', '=', 'purchase')], copy=False, tracking=True,
        help='Reimbursements are posted here. Empty: the bill journal.', prefetch=SETTINGS)
    reimbursement_account_id = fields.Many2one(
        'account.account', string='Owed to Employees', check_company=True, tracking=True, copy=False,
        domain=[('account_type', '=', 'liability_payable')],
        help="The payable account of reimbursements, apart from what vendors are owed. Empty: that of the employee's contact. It holds "
             'for what is booked from now on; a payment settles the account of what it pays.', prefetch=SETTINGS)
    statement_journal_id = fields.Many2one(
        'account.journal', check_company=True, domain=[('type', '=', 'purchase')], copy=False, tracking=True,
        help='Card statements are posted here. Empty: the bill journal.', prefetch=SETTINGS)
    bill_post = fields.Selection(
        [('post', 'Post the bill'), ('draft', 'Leave the bill as a draft')], string='Bills and Vendor Credits', required=True,
        default='post', tracking=True, help='A draft cannot be paid: its payment waits until somebody posts it.', prefetch=SETTINGS)
    bill_rate_policy = fields.Selection(
        [('ramp', 'The rate that Ramp pays at'), ('odoo', "Odoo's rate of the invoice date")], string='Rate of Foreign Bills',
        required=True, default='ramp', tracking=True,
        help='What a bill in another currency than the company\'s is converted at. With Odoo\'s rate, the payment has an exchange '
             'difference.', prefetch=SETTINGS)
    rate_tolerance = fields.Float(
        string='Rates May Differ By', default=10.0, tracking=True,
        help='How far, in percent, a rate that Ramp quotes may be from Odoo\'s of the same day. What is further off waits for a person.',
        prefetch=SETTINGS)
    payment_journal_id = fields.Many2one(
        'account.journal', check_company=True, domain=[('type', 'in', ('bank', 'cash'))], copy=False, tracking=True,
        help='The bank from which Ramp pays bills, reimbursements and card statements, unless the bank account below says otherwise.',
        prefetch=SETTINGS)
    bank_account_ids = fields.One2many(
        'ramp.bank.account', 'connection_id', string='Bank Accounts in Ramp', copy=False,
        help='Each bank account that Ramp has told of. Choose the journal of what it pays.')
    manual_payment_policy = fields.Selection(
        [('book', 'Book a payment'), ('person', 'Wait until the payment is entered in Odoo')], string='Bills Paid outside of Ramp',
        required=True, default='book', tracking=True,
        help='What becomes of a bill that somebody marked as paid in Ramp. One that is marked as paid in the accounting system always '
             'waits for its payment in Odoo.', prefetch=SETTINGS)
    manual_payment_journal_id = fields.Many2one(
        'account.journal', string='Journal of Payments outside of Ramp', check_company=True, tracking=True, copy=False,
        domain=[('type', 'in', ('bank', 'cash', 'credit'))], help='Empty: the same as payments by Ramp.', prefetch=SETTINGS)
    match_bank_lines = fields.Boolean(
        default=True, tracking=True,
        help='A bank line that carries the reference of a payment of Ramp, and its amount to the cent, is matched with that payment. '
             'Ramp tells the reference (the trace id) some days after it paid.', prefetch=SETTINGS)
    vendor_policy = fields.Selection(
        [('first', 'Whoever wrote it first'), ('ramp', 'Ramp'), ('odoo', 'Odoo')], string='Vendor Data Belong To', required=True,
        default='first', tracking=True,
        help='When a vendor changes in Ramp. "Whoever wrote it first": a field that was edited in Odoo stays, the others follow. "Ramp": '
             'what Ramp has replaces what Odoo has. "Odoo": only what is empty in Odoo is filled.', prefetch=SETTINGS)
    pull_reimbursements = fields.Boolean(
        string='Reimbursements', default=True, tracking=True, help='Reimbursements of employees come from Ramp.')
    reimbursement_policy = fields.Selection(
        [('paid', 'When paid in Ramp'), ('ready', 'When ready in Ramp, paid or not')], string='Book Reimbursements', required=True,
        default='paid', tracking=True, prefetch=SETTINGS)
    reimbursement_post = fields.Selection(
        [('post', 'Post the bill'), ('draft', 'Leave the bill as a draft')], string='Reimbursement Bills', required=True,
        default='post', tracking=True, help='A draft cannot be paid: its payment waits until somebody posts it.', prefetch=SETTINGS)
    pull_repayments = fields.Boolean(
        string='Repayments', default=True, tracking=True, help='What employees pay back on card transactions comes from Ramp.')
    repayment_account_id = fields.Many2one(
        'account.account', string='Repayments outside of the Bank', check_company=True, tracking=True, copy=False,
        help='Debited by what an employee pays back without a transfer, through the payroll for instance. Empty: such repayments wait.',
        prefetch=SETTINGS)

    pull_statements = fields.Boolean(
        string='Card Statements', default=True, tracking=True,
        help='Card statements, their payments and cashback come from Ramp. A statement moves what was spent from the card liability to '
             'what is owed to Ramp.')
    statement_policy = fields.Selection(
        [('tied', 'When each of its lines is in the books'), ('closed', 'When closed in Ramp')], string='Book Statements', required=True,
        default='tied', tracking=True,
        help='"When closed in Ramp": lines that are not in the books yet follow; until then the card liability is too low by them.',
        prefetch=SETTINGS)
    statement_post = fields.Selection(
        [('post', 'Post the bill'), ('draft', 'Leave the bill as a draft')], string='Statement Bills', required=True, default='post',
        tracking=True, help='Payments are applied to it once it is posted.', prefetch=SETTINGS)
    ramp_partner_id = fields.Many2one(
        'res.partner', string='Ramp as a Vendor', check_company=True, tracking=True,
        default=lambda self: self.env.ref('ramp_connector.partner_ramp', raise_if_not_found=False),
        help='Card statements are its bills; nothing else may be owed to it, as the tie-out compares what is.', prefetch=SETTINGS)
    cashback_account_id = fields.Many2one(
        'account.account', string='Cashback Income', check_company=True, tracking=True, copy=False, help='Credited by cashback.',
        prefetch=SETTINGS)

    push_orders = fields.Boolean(
        string='Purchase Orders', default=True, tracking=True,
        help='Confirmed purchase orders are sent to Ramp. Needs Ramp Plus.')
    push_receipts = fields.Boolean(
        string='Receipts', default=True, tracking=True,
        help='What is received of purchase orders is sent to Ramp, which matches bills with it. Needs Ramp Plus.')
    ramp_entities = fields.Json(readonly=True, copy=False, help='Names of the Ramp entities by their id.', prefetch=SETTINGS)
    primary_entity_id = fields.Char(
        readonly=True, copy=False, help='Id of the primary Ramp entity: purchase orders belong to it.', prefetch=SETTINGS)
    last_watch = fields.Datetime(
        string='Last Nightly Check', readonly=True, copy=False, help='When everything in Ramp was last looked at, offered or not.',
        prefetch=SETTINGS)
    last_sync = fields.Datetime(string='Last Synchronization', compute='_compute_last_sync', compute_sudo=True)
    last_error = fields.Text(readonly=True, copy=False)
    # who may read the connection may know how many: a system administrator without accounting rights, who enters the secret, too
    record_count = fields.Integer(compute='_compute_counts', compute_sudo=True)
    waiting_count = fields.Integer(compute='_compute_counts', compute_sudo=True, string='Waiting')
    problem_count = fields.Integer(compute='_compute_counts', compute_sudo=True, string='To Clear')
    offer_counts = fields.Json(compute='_compute_counts', compute_sudo=True, help='What Odoo offers, by kind and by what became of it.')
    run_state = fields.Selection(
        [('idle', 'Idle'), ('queued', 'Queued'), ('running', 'Running')], compute='_compute_progress', compute_sudo=True)
    progress = fields.Float(compute='_compute_progress', compute_sudo=True, help='Percent of the running synchronization.')
    progress_text = fields.Char(compute='_compute_progress', compute_sudo=True)
    sync_requested_at = fields.Datetime(readonly=True, copy=False)

    _entity_once = models.UniqueIndex(
        "(company_id, environment, COALESCE(api_url, ''), COALESCE(ramp_entity_id, '')) WHERE active",
        'This company has a connection to that Ramp entity already.')

    @api.model_create_multi
    def create(self, vals_list):
        """EXTENDS: what is offered in Ramp may have changed."""
        self.env.registry.clear_cache()
        connections = super().create(vals_list)
        for connection in connections:  # what came from defaults, too
            connection._check_address({'environment': connection.environment, 'api_url': connection.api_url})
        return connections

    def write(self, vals):
        """EXTENDS: what is offered in Ramp may have changed."""
        self._check_address(vals)
        self._check_company_stays(vals)
        result = super().write(vals)
        if not {'state', 'company_id', 'active', *OFFERS}.isdisjoint(vals):
            self.env.registry.clear_cache()
        if not {'company_id', *OFFERS}.isdisjoint(vals):
            self._compare_again()
        return result

    def unlink(self):
        """EXTENDS: what is offered in Ramp may have changed."""
        self.env.registry.clear_cache()
        return super().unlink()

    def _check_address(self, vals):
        """The client id and secret go to the address: only who may read them says which; and the seat is held where it was taken."""
        if self.env.su:
            return
        if (vals.get('api_url') or vals.get('environment') == 'custom') and not self.env.user.has_group('base.group_system'):
            raise AccessError(self.env._(
                'Only a system administrator may set the API address of a Ramp connection or the environment "Custom address", as the '
                'client id and secret are sent there. Choose the environment "Production" or "Sandbox", or ask one.'))
        for connection in self:
            moves = any(name in vals and (vals[name] or False) != connection[name] for name in ('environment', 'api_url'))
            if moves and connection._has_rows():
                raise UserError(self.env._(
                    'Connection %s has brought records of its Ramp business, which mean nothing anywhere else: its environment and API '
                    'address stay as they are. Make a new connection for the other address; press Disconnect here and archive this one.',
                    connection.name))
            if moves and connection.state == 'connected':
                raise UserError(self.env._(
                    'Connection %s is connected: press Disconnect before you change its environment or API address.', connection.name))
            # whoever keeps its secret on the server named this company's connection
            if ('company_id' in vals and vals['company_id'] != connection.company_id.id and any(connection.sudo()._server_credentials())
                    and not self.env.user.has_group('base.group_system')):
                raise AccessError(self.env._(
                    'The client id and secret of connection %s are kept on the server, for its company. Only a system administrator may '
                    'move it to another company; or make a new connection there.', connection.name))

    def _check_company_stays(self, vals):
        """What came from Ramp is in the books of one company, and its rows are for that company's accountants to read."""
        for connection in self if 'company_id' in vals else ():
            if connection.company_id.id == vals['company_id']:
                continue
            if connection.state == 'connected' or connection._has_rows():
                raise UserError(self.env._(
                    'Connection %(name)s belongs to the company %(company)s, in whose books its documents are. To connect another company, '
                    'make a connection there.', name=connection.name, company=connection.company_id.name))

    @api.depends('client_id', 'client_secret', 'environment')
    def _compute_has_credentials(self):
        for connection in self:
            connection.has_credentials = all(connection._credentials())

    @api.depends('database')
    def _compute_is_copy(self):
        here = self._database()
        for connection in self:
            connection.is_copy = bool(connection.database) and connection.database != here

    @api.model
    def _database(self):
        """What tells this database from its copies: Odoo gives those that it makes another uuid, and others have another name."""
        # no secret, and asked for on behalf of anybody
        return f"{self.env['ir.config_parameter'].sudo().get_param('database.uuid')} {self.env.cr.dbname}"

    def _check_database(self):
        """Raise `UserError` in a copy of the database that was connected."""
        for connection in self:
            if connection.is_copy:
                raise UserError(self.env._(
                    'Connection %s: this database is a copy of the one that was connected, or got another name, so nothing is sent to Ramp '
                    'and nothing is booked from it. If the original is gone, press "This Is the Original"; if not, press Disconnect here.',
                    connection.name))

    def action_claim_database(self):
        """This database takes the place of the one that was connected."""
        self._check_manager()
        # see action_connect
        self.sudo().database = self._database()
        self._request_sync()
        return True

    def _compute_counts(self):
        counts = {connection.id: {} for connection in self}
        for connection, flow, state, count in self.env['ramp.record']._read_group(
                [('connection_id', 'in', self.ids)], ['connection_id', 'flow', 'state'], ['__count']):
            counts[connection.id][flow, state] = count
        for connection in self:
            found = counts.get(connection.id, {})

            def total(*states, flow=None, found=found):
                return sum(count for (kind, state), count in found.items() if state in states and flow in (None, kind))

            connection.record_count = sum(found.values())
            connection.waiting_count = total('pending', 'done')
            connection.problem_count = total('error', 'held')
            connection.offer_counts = [{
                'flow': flow._flow, 'label': flow._flow_label(), 'sent': total('confirmed', flow=flow._flow),
                'waiting': total('pending', flow=flow._flow), 'problem': total('error', 'held', flow=flow._flow),
                'left_out': total('ignored', flow=flow._flow),
            } for flow in self._flows() if flow._sends]

    def _compute_last_sync(self):
        # not stored: the jobs, which end at the same moment, would wait for each other
        for connection in self:
            connection.last_sync = self.env['ramp.run'].search(
                [('connection_id', '=', connection.id), ('finished_at', '!=', False)], order='id desc', limit=1).finished_at

    def _compute_progress(self):
        running = {}
        for run in self.env['ramp.run'].search([('connection_id', 'in', self.ids), ('state', '=', 'running')], order='id'):
            running[run.connection_id] = run
        for connection in self:
            run = running.get(connection)
            queued = connection.sync_requested_at and (
                not connection.last_sync or connection.last_sync < connection.sync_requested_at)
            if run:
                connection.run_state, connection.progress, connection.progress_text = 'running', run.progress, run.progress_text
            else:
                connection.run_state = 'queued' if connection.state == 'connected' and queued else 'idle'
                connection.progress, connection.progress_text = 0, False

    @api.constrains('environment', 'api_url')
    def _check_api_url(self):
        for connection in self.filtered(lambda connection: connection.environment == 'custom'):
            fault = connection._address_fault()
            if fault:
                raise ValidationError(self.env._(
                    'Connection %(name)s, field "API Address": %(fault)s Write it like https://ramp-proxy.example.com/developer/v1 (or '
                    'http://).', name=connection.name, fault=fault))

    def _address_fault(self):
        """What is wrong with the API address, as a sentence; False: nothing."""
        address = self.api_url or ''
        if not address.startswith(('https://', 'http://')):
            return self.env._('The environment "Custom address" needs an address that starts with https://.')
        if not address.isascii() or not address.isprintable() or ' ' in address or '\\' in address:
            return self.env._('It has spaces, or letters beyond a to z: a name in another script is written as xn--...')
        try:
            parts = urlsplit(address)
            host, port = parts.hostname or '', parts.port
        except ValueError:
            return self.env._('Its host or port cannot be read: a port is a number from 1 to 65535.')
        if '@' in parts.netloc:
            return self.env._('It has a user or a password: the client id and secret are what Ramp is told.')
        # as written: urlsplit takes the brackets of an address of IPv6 away
        if not PLAIN_HOST.fullmatch(parts.netloc.lower().rpartition(':')[0] if port is not None else parts.netloc.lower()) or '..' in host:
            return self.env._('Its host cannot be read.')
        if port == 0 or parts.netloc.endswith(':'):
            return self.env._('Its host or port cannot be read: a port is a number from 1 to 65535.')
        if parts.query or parts.fragment or '?' in address or '#' in address:
            return self.env._('It ends with the path: nothing with "?" or "#".')
        return False

    @api.constrains('rate_tolerance')
    def _check_rate_tolerance(self):
        for connection in self.filtered(lambda connection: connection.rate_tolerance < 0):
            raise ValidationError(self.env._(
                'Connection %s, field "Rates May Differ By": enter how many percent a rate of Ramp may differ from Odoo\'s; 0 for none.',
                connection.name))

    @api.constrains('active')
    def _check_active(self):
        for connection in self:
            if not connection.active and connection.state == 'connected':
                raise ValidationError(self.env._(
                    'Disconnect %s before you archive it: it would keep the accounting seat in Ramp.', connection.name))

    @api.constrains('ramp_entity_id')
    def _check_ramp_entity_id(self):
        for connection in self.filtered('ramp_entity_id'):
            try:
                uuid.UUID(connection.ramp_entity_id)
            except ValueError as error:
                raise ValidationError(self.env._(
                    'Connection %(name)s: "%(entity)s" is not the id of a Ramp entity. Copy it from Ramp, or leave it empty.',
                    name=connection.name, entity=connection.ramp_entity_id)) from error

    @api.constrains('card_journal_id')
    def _check_card_journal_id(self):
        for connection in self.filtered('card_journal_id'):
            if not connection.card_journal_id.default_account_id:
                raise ValidationError(self.env._(
                    'Journal %s has no default account: choose one of the type Credit Card on the journal.',
                    connection.card_journal_id.display_name))

    @api.ondelete(at_uninstall=False)
    def _unlink_except_used(self):
        for connection in self:
            if connection.state == 'connected':
                raise UserError(self.env._('Disconnect %s before you delete it.', connection.name))
            if self.env['ramp.record'].sudo().search_count([('connection_id', '=', connection.id)], limit=1):
                raise UserError(self.env._(
                    '%s has brought documents into Odoo; archive it instead, so that their history stays.', connection.name))

    # ------------------------------------------------------------------ talking to Ramp

    def _credentials(self):
        """The pair (client id, client secret), each from the server's configuration before the database."""
        self.ensure_one()
        return tuple(kept or entered for kept, entered in zip(
            self._server_credentials(), (self.client_id, self.client_secret), strict=True))

    def _server_credentials(self):
        """The pair of what the server keeps for this very connection, None where it keeps nothing.

        Environment: RAMP_CLIENT_ID_<database>_<connection id> and RAMP_CLIENT_SECRET_<database>_<connection id>. Configuration file:
        ramp_client_id_<database>_<connection id>, likewise; only for databases in lower case, as its names have no case. Never for the
        environment "Custom address": what is kept for Ramp is not sent anywhere else.
        """
        self.ensure_one()
        if self.environment == 'custom' or not self._origin.id:
            return None, None
        names = self._server_names()
        is_in_file = self.env.cr.dbname == self.env.cr.dbname.lower()
        return tuple(os.environ.get(name) or is_in_file and config.get(name.lower()) or None for name in names)

    def _server_names(self):
        """The names under which the server's environment keeps the client id and the secret of this connection."""
        return tuple(f'{name}_{self.env.cr.dbname}_{self._origin.id}' for name in ('RAMP_CLIENT_ID', 'RAMP_CLIENT_SECRET'))

    def _api_url(self):
        self.ensure_one()
        return self.api_url if self.environment == 'custom' else API_URLS[self.environment]

    def _app_url(self):
        """Where a person opens Ramp; a custom address has no pages to link to."""
        self.ensure_one()
        return APP_URLS.get(self.environment)

    def _client(self):
        """A client for a run on this connection's Ramp: of credentials that are known to be of its Ramp business.

        Raises `UserError` when there are none, and where nobody has asked Ramp yet whose they are; see `_check_business`.
        """
        client = self._new_client()
        self._check_verified()
        return client

    def _new_client(self, **options):
        """A client with the credentials as they are, whosever they are; raises `UserError` when there are none.

        :param options: more arguments for `RampClient`, e.g. another token store
        """
        self.ensure_one()
        self._check_database()
        # The credentials are readable by system administrators only; who may sync may have them used, not see them.
        connection = self.sudo()
        client_id, client_secret = connection._credentials()
        if not (client_id and client_secret):
            if self.environment == 'custom':
                raise UserError(self.env._(
                    'Connection %s has no client id and secret. A system administrator enters them: in Ramp, Company > Developer.',
                    self.name))
            raise UserError(self.env._(
                'Connection %(name)s has no client id and secret. A system administrator enters them (in Ramp, Company > Developer), or '
                "keeps them in the server's environment as %(client_id)s and %(client_secret)s.",
                name=self.name, **dict(zip(('client_id', 'client_secret'), connection._server_names(), strict=True))))
        url = connection._api_url()
        options.setdefault('token_store', _tokens.store((
            self.env.cr.dbname, self.id, url, client_id, client_secret, connection._scopes())))
        try:
            return RampClient(
                url, client_id, client_secret, scopes=connection._scopes(), allow_http=self.environment == 'custom',
                session=requests.Session(), **options)
        except ValueError as error:  # an address that an earlier version let pass
            raise UserError(self.env._(
                'Connection %(name)s, field "API Address": Ramp cannot be asked there. %(error)s', name=self.name, error=error)) from error

    def _scopes(self):
        """The permissions that this connection needs in Ramp."""
        self.ensure_one()
        return (*SCOPES, *(scope for field, scopes in OPTIONAL_SCOPES.items() if self[field] for scope in scopes))

    def _start_moment(self, before=timedelta(0)):
        """The first moment of the start date, or of a day before it, in the company's time zone, in UTC, as Ramp's filters want it."""
        return self._start_time(before).strftime('%Y-%m-%dT%H:%M:%SZ')

    def _start_time(self, before=timedelta(0)):
        """The same as a datetime, as Odoo stores it: a domain with a date would mean midnight for whoever searches."""
        self.ensure_one()
        zone = pytz.timezone(self._timezone())
        return zone.localize(datetime.combine(self.start_date - before, time.min)).astimezone(pytz.utc).replace(tzinfo=None)

    def _is_other_entity(self, entity_id):
        """Whether an object of this Ramp entity, an id in whichever case or None, is another connection's; without an id nobody knows."""
        self.ensure_one()
        return bool(self.ramp_entity_id and entity_id) and entity_id.lower() != self.ramp_entity_id.lower()

    def _leaves_alone(self, moment):
        """Whether an object without a sync status that is of this moment, datetime or date, was there before and is to be left alone."""
        self.ensure_one()
        if self.existing_policy != 'leave' or not (self.connected_at and moment):
            return False
        if isinstance(moment, datetime):
            return moment.astimezone(pytz.utc).replace(tzinfo=None) < self.connected_at
        return moment < to_company_date(pytz.utc.localize(self.connected_at), self._timezone())

    def _seat_companies(self):
        """The companies that share this connection's Ramp business."""
        return self.search([
            ('state', '=', 'connected'), ('accounting_connection_id', '=', self.accounting_connection_id)]).company_id

    def _scope_of_lists(self):
        """What decides which objects Ramp's lists show, as JSON: with another one, a place in them is none."""
        return [self._api_url(), self.accounting_connection_id, self._start_moment(), self.ramp_entity_id or None, self.bill_policy]

    def _timezone(self):
        """Name of the company's time zone: it decides on which day a moment falls in the books."""
        self.ensure_one()
        known = self.env.context.get('ramp_memory', {}).setdefault('timezones', {})  # of a run, which asks after each commit
        if self.id not in known:
            company = self.company_id
            company.fetch(['partner_id', 'resource_calendar_id'])  # each job asks, and most need nothing else of these
            company.partner_id.fetch(['tz', 'lang'])
            if not company.partner_id.tz:
                company.resource_calendar_id.fetch(['tz'])
            known[self.id] = company.partner_id.tz or company.resource_calendar_id.tz or 'UTC'
        return known[self.id]

    @api.model
    def _identity(self):
        """Eight characters that name this database towards Ramp, made once and kept for good.

        They are part of the id under which every account and analytic account is known in Ramp: another database that
        later takes the seat must not mistake our account 57 for its own. Not the database's uuid: that one changes
        when a database is restored, and what people picked in Ramp must not.
        """
        # Any user's action may need the identity first, and it is no secret.
        parameters = self.env['ir.config_parameter'].sudo()
        # made in a moment, another transaction has committed it and this one may not see it: it is kept beside, till its end
        identity = self.env.cr.cache.get(IDENTITY_PARAMETER) or parameters.get_param(IDENTITY_PARAMETER)
        if not identity:
            identity = self.env.cr.cache[IDENTITY_PARAMETER] = self._make_identity()
        return identity

    @api.model
    def _name_database(self):
        """Make the identity, if there is none, in this transaction: an installation or an upgrade, during which no other one may write."""
        parameters = self.env['ir.config_parameter'].sudo()  # see _identity
        if not parameters.get_param(IDENTITY_PARAMETER):
            parameters.set_param(IDENTITY_PARAMETER, uuid.uuid4().hex[:8])

    @api.model
    def _make_identity(self):
        """Make the identity and commit it, whatever becomes of the caller: Ramp knows the name of a seat for good.

        This is for a database in which somebody deleted what `_name_database` made.
        """
        with self.env.registry.cursor() as cr:
            cr.execute("SET LOCAL lock_timeout = '10s'")  # the caller may have deleted it: nobody is to wait for himself
            cr.execute(
                """
                INSERT INTO ir_config_parameter (key, value, create_date, write_date) VALUES (%s, %s, now(), now())
                ON CONFLICT (key) DO UPDATE SET value = COALESCE(NULLIF(ir_config_parameter.value, ''), EXCLUDED.value)
                RETURNING value
                """, (IDENTITY_PARAMETER, uuid.uuid4().hex[:8]))
            identity = cr.fetchone()[0]
        self.env.registry.clear_cache('stable')  # in which it is missing
        return identity

    def _seat_name(self):
        """The name under which this database holds the accounting seat: how it knows its own again."""
        return f'Odoo {self._identity()}'

    # ------------------------------------------------------------------ buttons

    def _check_manager(self):
        if not self.env.su and not self.env.user.has_group('account.group_account_manager'):
            raise AccessError(self.env._('Only accounting administrators may change how Odoo is connected to Ramp.'))
        self.check_access('write')  # which of them: not another company's

    def _notify(self, kind, title, message):
        return {
            'type': 'ir.actions.client',
            'tag': 'display_notification',
            'params': {'type': kind, 'title': title, 'message': message, 'sticky': kind != 'success',
                       'next': {'type': 'ir.actions.client', 'tag': 'soft_reload'}},
        }

    def action_test_connection(self):
        """Ask Ramp who we are; says what is missing in words. Changes nothing."""
        self.ensure_one()
        self._check_manager()
        try:
            # a token of its own: scopes that were added in Ramp come only with a new one
            client = self._new_client(token_store=MemoryTokenStore())
            business = self._ask_business(client)
            missing = set(self._scopes()) - set(client.granted_scopes)
        except RampError as error:
            raise UserError(self._explain(error)) from error
        self._check_same_business(business)
        # see action_connect
        self.sudo().ramp_business_name = business.name
        if missing:
            return self._notify('warning', self.env._('Connected to %s, with permissions missing', business.name), self.env._(
                'Allow these scopes for the app in Ramp (Company > Developer): %s', ', '.join(sorted(missing))))
        return self._notify('success', self.env._('The connection works'), self.env._('Ramp business: %s', business.name))

    def action_connect(self):
        """Take the accounting seat in Ramp, complete the set-up and switch the synchronization on."""
        self.ensure_one()
        self._check_manager()
        if self.state == 'connected':
            return self._notify('success', self.env._('Already connected'), self.name)
        if not self.active:
            raise UserError(self.env._('Connection %s is archived: unarchive it before you press Connect.', self.name))
        if not self.existing_policy and (self.pull_statements or self.pull_bills):
            raise UserError(self.env._(
                'Connection %(name)s: choose what becomes of the card statements and vendor credits that are in Ramp already '
                '("%(field)s"). Ramp does not say whether another system has booked them.', name=self.name,
                field=self._fields['existing_policy']._description_string(self.env)))
        self._check_chart()
        client = self._new_client()
        try:
            business = self._ask_business(client)
            self._check_same_business(business)
            entities = self._read_entities(client)
            self._complete_set_up()
            # Last, as Ramp keeps it whatever becomes of this transaction: the next Connect knows the seat by its name.
            seat = self._take_seat(client)
        except RampError as error:
            raise UserError(self._explain(error)) from error
        # accounting administrators decide on the connection; the fields that hold its state are nobody's to type
        self.sudo().write({
            'state': 'connected', 'connected_at': self.env.cr.now(), 'accounting_connection_id': seat, 'last_error': False,
            'database': self._database(), **self._business_values(business)})
        self.sudo()._note_entities(entities)
        self._switch_crons()
        self._compare_again(uncertain=True)
        self._request_sync()
        return self._notify('success', self.env._('Connected'), self.env._(
            'Odoo is now the accounting system of this Ramp business. The first synchronization has been started.'))

    @api.model
    def _read_entities(self, client):
        """The Ramp business's entities; none where Ramp does not say."""
        entities = []
        with contextlib.suppress(RampError):  # their ids are shown instead
            for payload in client.list_objects('/entities'):
                with contextlib.suppress(PayloadError):
                    entities.append(read_entity(payload))
        return entities

    def _note_entities(self, entities):
        """Keep what Ramp tells of its entities: their names, which is the primary one, and the bank accounts that they pay from."""
        self.ensure_one()
        if not entities:
            return
        self.write({
            'ramp_entities': {entity.id: entity.name or entity.id for entity in entities},
            'primary_entity_id': next((entity.id for entity in reversed(entities) if entity.is_primary), False)})
        self.env['ramp.bank.account']._learn_accounts(self, {
            account.id: account for entity in entities if not self._is_other_entity(entity.id) for account in entity.payment_accounts})

    def action_sync_now(self):
        """Queue a synchronization; returns at once. Rows that wait after an error are tried again right away."""
        self._check_sync()
        self._request_sync()
        if self.env.context.get('ramp_quiet'):
            return True
        return self._notify('success', self.env._('Synchronization queued'), self.env._(
            'It runs in the background; this page shows its progress.'))

    def action_read_again(self):
        """The same for the tie-out's page: everything is looked at, as the nightly check is one of the flows."""
        self._check_sync()
        self._request_sync()
        return True

    def action_open_tie_out(self):
        self.ensure_one()
        self.check_access('read')
        action = self.env['ir.actions.client']._for_xml_id('ramp_connector.ramp_tie_out_action')
        action['context'] = {'active_id': self.id}
        return action

    def _check_sync(self):
        self.check_access('read')
        if not self.env.su and not self.env.user.has_group('account.group_account_invoice'):
            raise AccessError(self.env._('Only accountants may synchronize with Ramp.'))
        for connection in self:
            if connection.state != 'connected':
                raise UserError(self.env._('%s is not connected to Ramp yet: press Connect first.', connection.name))

    def action_push_all(self):
        """Compare everything that Odoo offers with what Ramp really has, and repair what differs."""
        self._check_manager()
        for connection in self:
            if connection.state != 'connected':
                raise UserError(self.env._('%s is not connected to Ramp yet: press Connect first.', connection.name))
        self._compare_again(uncertain=True)
        self._request_sync()
        return self._notify('success', self.env._('Everything is compared with Ramp'), self.env._(
            'It runs in the background. Only what differs is sent.'))

    def action_disconnect(self):
        """Give the accounting seat back and stop synchronizing. Documents and history stay."""
        self.ensure_one()
        self._check_manager()
        if self.state != 'connected':
            raise UserError(self.env._('%s is not connected.', self.name))
        message = self._leave_ramp()
        self._compare_again()
        # see action_connect
        self.sudo().write({'state': 'disconnected', 'accounting_connection_id': False, 'last_error': message, 'database': False})
        self._switch_crons()
        return self._notify('warning' if message else 'success', self.env._('Disconnected'), message or self.env._(
            'The accounting seat in Ramp is free again. Your documents and their history stay.'))

    def _explain(self, error):
        """A Ramp error as a sentence that names the connection and the remedy."""
        if isinstance(error, RampAuthError):
            return self.env._(
                'Connection %(name)s: Ramp refused the client id and secret (%(error)s). Check them, and that the app belongs to '
                'the environment chosen and allows the grant "client credentials".', name=self.name, error=error)
        return self.env._('Connection %(name)s: %(error)s', name=self.name, error=error)

    @staticmethod
    def _providers(client):
        """Every accounting connection that the Ramp business has or had."""
        answer = client.get('/accounting/all-connections')
        return [read_accounting_provider(provider) for provider in (answer or {}).get('connections') or []]

    def _check_seat(self, client):
        """What Ramp says of our accounting seat (`AccountingProvider`); raises `UserError` unless it is ours now: it can be taken in
        Ramp's own screens at any time."""
        active = [provider for provider in self._providers(client) if provider.is_active]
        for provider in active:
            if provider.id == self.accounting_connection_id:
                return provider
        if active:
            raise UserError(self.env._(
                'Connection %(name)s: the accounting seat of this Ramp business is held by "%(incumbent)s" now, so nothing is sent '
                'or booked. To use Odoo, disconnect that system in Ramp (Settings > Accounting); then press Disconnect and '
                'Connect here.', name=self.name, incumbent=active[0].remote_provider_name or active[0].connection_type))
        raise UserError(self.env._(
            'Connection %s: Odoo was disconnected in Ramp, so nothing is sent or booked. Press Disconnect and Connect here to '
            'take the accounting seat again.', self.name))

    def _take_seat(self, client):
        """Become the accounting system of the Ramp business; returns the id of the accounting connection.

        One seat per business: when it is taken, Ramp answers a request for it with success *and the incumbent's
        connection*, so the names are compared before and after. Other connections of this database share our seat.
        """
        name = self._seat_name()
        providers = self._providers(client)
        active = [provider for provider in providers if provider.is_active]
        for provider in active:
            if provider.remote_provider_name == name and provider.connection_type == 'API':
                return provider.id
            raise UserError(self.env._(
                'The accounting seat of this Ramp business is taken by "%(incumbent)s". Nothing was changed. To use Odoo instead, '
                'disconnect that system in Ramp first (Settings > Accounting), then press Connect again.',
                incumbent=provider.remote_provider_name or provider.connection_type))
        own = [provider for provider in providers if provider.remote_provider_name == name and provider.connection_type == 'API']
        for provider in own:
            try:
                client.post(f'/accounting/connection/{provider.id}/reactivate')
                return provider.id
            except RampNotFound:
                continue  # a tombstone too old to be revived: take a new seat
        taken = read_accounting_provider(client.post('/accounting/connection', {
            'remote_provider_name': name, 'settings': self._seat_settings()}))
        if taken.remote_provider_name != name:
            raise UserError(self.env._(
                'The accounting seat of this Ramp business was taken by "%s" a moment ago. Nothing was changed.',
                taken.remote_provider_name))
        return taken.id

    def _leave_ramp(self):
        """Give back what this connection has in Ramp, in one short try, so that nobody has to stay with a Ramp that does not answer.

        Returns a sentence that says what may be left there and how to free it, or False. Never raises for trouble with Ramp.
        """
        self.ensure_one()
        steps = [step for step in self._steps_of_leaving() if not self.is_copy]  # in a copy, all of it is the original's
        failure = False
        try:
            client = steps and self._new_client()
            for step in steps:
                try:
                    step(client)
                except (RampConnectionError, RampAuthError):
                    raise  # the others would fare no better
                except RampError as error:
                    failure = failure or self._explain(error)
        except RampError as error:
            failure = self._explain(error)
        except (UserError, PayloadError) as error:  # without credentials, or Ramp answers nonsense
            failure = str(error)
        return failure and self.env._(
            '%(failure)s Ramp may go on to show "%(seat)s" as its accounting system, and to send events: disconnect it in Ramp '
            '(Settings > Accounting), or press Connect and Disconnect here once Ramp can be reached again.',
            failure=failure, seat=self._seat_name())

    def _steps_of_leaving(self):
        """What is to be given back in Ramp, as functions of a client; nothing where another connection of this database needs it."""
        sharing = self.search([
            ('id', '!=', self.id), ('state', '=', 'connected'),
            ('accounting_connection_id', '=', self.accounting_connection_id)])
        return [] if sharing or not self.accounting_connection_id else [self._release_seat]

    def _release_seat(self, client):
        """Free the accounting seat, unless it is not ours (any more)."""
        if any(provider.is_active and provider.id == self.accounting_connection_id for provider in self._providers(client)):
            client.delete('/accounting/connection')

    # ------------------------------------------------------------------ set-up and scheduling

    def _latest_failure(self):
        """What stopped the flows whose latest run failed: a flow that fares well says nothing of the others."""
        self.ensure_one()
        self.env['ramp.run'].flush_model()
        self.env.cr.execute(
            """
            SELECT DISTINCT ON (flow) state, message FROM ramp_run
             WHERE connection_id = %s AND state IN ('done', 'paused', 'failed') ORDER BY flow, id DESC
            """, [self.id])
        return '\n'.join(sorted({message for state, message in self.env.cr.fetchall() if state == 'failed' and message})) or False

    @api.model
    def _flows(self):
        """The flow models of this registry, in the order in which they run."""
        return sorted((self.env[name] for name in self.env.registry if name.startswith('ramp.flow.') and self.env[name]._flow),
                      key=lambda flow: flow._flow_sequence)

    @api.model
    def _pushed(self, flow):
        """Domain of the records that any connection sends with a flow; None when there is none."""
        return self._pushed_domains().get(flow)

    @api.model
    @ormcache()
    def _pushed_domains(self):
        # asked by whoever saves an account
        connections = self.sudo().search([('state', '=', 'connected')])
        domains = {flow._flow: flow.sudo()._pushed_domain(connections) for flow in self._flows() if flow._sends} if connections else {}
        return frozendict({flow: domain for flow, domain in domains.items() if not domain.is_false()})

    def _compare_again(self, uncertain=False):
        """Let everything that these connections send be compared again: with what Ramp accepted last, or, if `uncertain`,
        with what Ramp has."""
        connected = self.filtered(lambda connection: connection.state == 'connected')
        # of a shared Ramp business, what one connection stops offering is another's to offer
        connected |= self.search([
            ('state', '=', 'connected'), ('accounting_connection_id', 'in', [
                seat for seat in self.mapped('accounting_connection_id') if seat])])
        for flow in self._flows() if connected else ():
            if flow._sends:
                # who may decide what is offered may have it compared, though not edit the ledger
                self.env['ramp.record'].sudo()._mark_dirty(connected.filtered(flow._enabled), flow._flow, uncertain=uncertain)
                flow._trigger()

    @api.model
    def _switch_crons(self):
        """The jobs run while any connection is connected, and only then."""
        on = bool(self.sudo().search_count([('state', '=', 'connected')], limit=1))
        for job in self._jobs(self._flows()):
            if job.active != on:
                job.active = on

    @api.model
    def _jobs(self, flows):
        """The jobs of flows, known to each other: what is asked of one is read of all."""
        # jobs belong to the system; whoever may connect, or press Sync now, decides whether and when they run
        return self.env['ir.cron'].sudo().browse([job for flow in flows if (job := flow._cron_id())])

    def _request_sync(self):
        """Mark a synchronization as wanted and wake the jobs, in the caller's transaction and without HTTP."""
        # who may press Sync now (checked there) may have the rows tried again, though not edit them
        self.sudo().write({'sync_requested_at': self.env.cr.now().replace(microsecond=0)})
        self.env['ramp.record'].sudo()._make_due(self)
        for job in self._jobs(flow for flow in self._flows() if any(flow._enabled(connection) for connection in self)):
            job._trigger()

    def action_open_records(self):
        self.ensure_one()
        self.check_access('read')
        action = self.env['ir.actions.act_window']._for_xml_id('ramp_connector.ramp_record_action')
        filters = ['problem'] if self.env.context.get('ramp_problems') else self.env.context.get('ramp_filters') or []
        flow = self.env.context.get('ramp_flow')
        action['context'] = {
            'search_default_connection_id': self.id, **{f'search_default_{name}': 1 for name in filters},
            **({'search_default_flow': flow} if flow else {})}
        return action

    def action_open_runs(self):
        self.ensure_one()
        self.check_access('read')
        action = self.env['ir.actions.act_window']._for_xml_id('ramp_connector.ramp_run_action')
        action['context'] = {'search_default_connection_id': self.id, 'search_default_worked': 1}
        return action

    def action_open_moves(self):
        """The journal entries that card spend became."""
        self.ensure_one()
        self.check_access('read')
        action = self.env['ir.actions.act_window']._for_xml_id('account.action_move_journal_line')
        action['domain'] = [('ramp_id', '!=', False), ('journal_id', '=', self.card_journal_id.id)]
        action['context'] = {'default_move_type': 'entry', 'create': False}
        return action

    def action_open_bills(self):
        """The bills, refunds and reimbursements that came from Ramp."""
        self.ensure_one()
        self.check_access('read')
        action = self.env['ir.actions.act_window']._for_xml_id('account.action_move_in_invoice_type')
        action['domain'] = [
            ('ramp_id', '!=', False), ('move_type', 'in', ('in_invoice', 'in_refund')), ('company_id', '=', self.company_id.id)]
        action['context'] = {'default_move_type': 'in_invoice', 'create': False}
        return action
