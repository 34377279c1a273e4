# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import SQL

from .connection_constants import SETTINGS


class RampConnection(models.Model):
    """Settings of bills, vendors, reimbursements, repayments and card statements."""

    _inherit = 'ramp.connection'

    pull_bills = fields.Boolean(
        string='Bills',
        default=True,
        tracking=True,
        help='Read vendors, bills, their payments and vendor credits from Ramp.',
    )
    bill_policy = fields.Selection(
        [('approved', 'When approved in Ramp'), ('created', 'When created in Ramp')],
        string='Create Bills',
        required=True,
        default='approved',
        tracking=True,
        help='Either way, a bill is marked as synced in Ramp only once it is approved. A bill that is not approved '
        'in the end is reversed.',
    )
    bill_journal_id = fields.Many2one(
        'account.journal',
        check_company=True,
        domain=[('type', '=', 'purchase')],
        copy=False,
        tracking=True,
        help='Bills are posted here. So are vendor credits, reimbursements and card statements that have no journal '
        'of their own.',
        prefetch=SETTINGS,
    )
    vendor_credit_journal_id = fields.Many2one(
        'account.journal',
        check_company=True,
        domain=[('type', '=', 'purchase')],
        copy=False,
        tracking=True,
        help='Vendor credits are posted here. Empty: the bill journal.',
        prefetch=SETTINGS,
    )
    reimbursement_journal_id = fields.Many2one(
        'account.journal',
        check_company=True,
        domain=[('type', '=', 'purchase')],
        copy=False,
        tracking=True,
        help='Reimbursements are posted here. Empty: the bill journal.',
        prefetch=SETTINGS,
    )
    reimbursement_account_id = fields.Many2one(
        'account.account',
        string='Owed to Employees',
        check_company=True,
        tracking=True,
        copy=False,
        domain=[('account_type', '=', 'liability_payable')],
        help='The payable account for reimbursements, separate from what vendors are owed. Empty: the account of the '
        "employee's contact. It applies to what is posted from now on. A payment settles the account of the "
        'document that it pays.',
        prefetch=SETTINGS,
    )
    statement_journal_id = fields.Many2one(
        'account.journal',
        check_company=True,
        domain=[('type', '=', 'purchase')],
        copy=False,
        tracking=True,
        help='Card statements are posted here. Empty: the bill journal.',
        prefetch=SETTINGS,
    )
    bill_post = fields.Selection(
        [('post', 'Post the bill'), ('draft', 'Leave the bill as a draft')],
        string='Bills and Vendor Credits',
        required=True,
        default='post',
        tracking=True,
        help='A draft cannot be paid. Its payment waits until the draft is posted.',
        prefetch=SETTINGS,
    )
    bill_rate_policy = fields.Selection(
        [('ramp', 'The rate that Ramp pays at'), ('odoo', "Odoo's rate of the invoice date")],
        string='Rate of Foreign Bills',
        required=True,
        default='ramp',
        tracking=True,
        help="The rate at which a bill in a foreign currency is converted. With Odoo's rate, the payment has an "
        'exchange difference.',
        prefetch=SETTINGS,
    )
    rate_tolerance = fields.Float(
        string='Rates May Differ By',
        default=10.0,
        tracking=True,
        help="By how much, in percent, a rate that Ramp quotes may differ from Odoo's rate of the same day. Beyond "
        'that, the object is put on hold.',
        prefetch=SETTINGS,
    )
    payment_journal_id = fields.Many2one(
        'account.journal',
        check_company=True,
        domain=[('type', 'in', ('bank', 'cash'))],
        copy=False,
        tracking=True,
        help='The bank from which Ramp pays bills, reimbursements and card statements, unless the bank account below '
        'has its own journal.',
        prefetch=SETTINGS,
    )
    bank_account_ids = fields.One2many(
        'ramp.bank.account',
        'connection_id',
        string='Bank Accounts in Ramp',
        copy=False,
        help='Every bank account that Ramp has reported. Choose the journal for payments from it.',
    )
    manual_payment_policy = fields.Selection(
        [('book', 'Post a payment'), ('person', 'Wait until the payment is entered in Odoo')],
        string='Bills Paid outside of Ramp',
        required=True,
        default='book',
        tracking=True,
        help='What happens to a bill that was marked as paid in Ramp. A bill that was marked as paid in the '
        'accounting system always waits for its payment in Odoo.',
        prefetch=SETTINGS,
    )
    manual_payment_journal_id = fields.Many2one(
        'account.journal',
        string='Journal of Payments outside of Ramp',
        check_company=True,
        tracking=True,
        copy=False,
        domain=[('type', 'in', ('bank', 'cash', 'credit'))],
        help='Empty: the same journal as for payments by Ramp.',
        prefetch=SETTINGS,
    )
    match_bank_lines = fields.Boolean(
        default=True,
        tracking=True,
        help='A bank line with the reference and the exact amount of a Ramp payment is matched with that payment. '
        'Ramp reports the reference (the trace ID) some days after the payment.',
        prefetch=SETTINGS,
    )
    vendor_policy = fields.Selection(
        [('first', 'Keep edits made in Odoo'), ('ramp', 'Ramp'), ('odoo', 'Odoo')],
        string='Vendor Master Data',
        required=True,
        default='first',
        tracking=True,
        help='What happens when a vendor changes in Ramp. "Keep edits made in Odoo": fields edited in Odoo stay, the '
        'others follow Ramp. "Ramp": the data in Ramp replaces the data in Odoo. "Odoo": only fields that are '
        'empty in Odoo are filled.',
        prefetch=SETTINGS,
    )
    pull_reimbursements = fields.Boolean(
        string='Reimbursements', default=True, tracking=True, help='Read reimbursements of employees from Ramp.'
    )
    reimbursement_policy = fields.Selection(
        [('paid', 'When paid in Ramp'), ('ready', 'When ready in Ramp, paid or not')],
        string='Create Reimbursements',
        required=True,
        default='paid',
        tracking=True,
        prefetch=SETTINGS,
    )
    reimbursement_post = fields.Selection(
        [('post', 'Post the bill'), ('draft', 'Leave the bill as a draft')],
        string='Reimbursement Bills',
        required=True,
        default='post',
        tracking=True,
        help='A draft cannot be paid. Its payment waits until the draft is posted.',
        prefetch=SETTINGS,
    )
    pull_repayments = fields.Boolean(
        string='Repayments',
        default=True,
        tracking=True,
        help='Read what employees pay back for card transactions from Ramp.',
    )
    repayment_account_id = fields.Many2one(
        'account.account',
        string='Account for Payroll Deductions',
        check_company=True,
        tracking=True,
        copy=False,
        help='Debited with what an employee pays back without a transfer, for example through payroll. Empty: such '
        'repayments are put on hold.',
        prefetch=SETTINGS,
    )

    pull_statements = fields.Boolean(
        string='Card Statements',
        default=True,
        tracking=True,
        help='Read card statements, their payments and cashback from Ramp. A statement moves the spend from the card '
        'liability to what is owed to Ramp.',
    )
    statement_policy = fields.Selection(
        [('tied', 'When each of its lines is in the books'), ('closed', 'When closed in Ramp')],
        string='Create Statements',
        required=True,
        default='tied',
        tracking=True,
        help='"When closed in Ramp": lines that are not in the books yet follow later. Until then, the card '
        'liability is too low by their amount.',
        prefetch=SETTINGS,
    )
    statement_post = fields.Selection(
        [('post', 'Post the bill'), ('draft', 'Leave the bill as a draft')],
        string='Statement Bills',
        required=True,
        default='post',
        tracking=True,
        help='Payments are applied to the bill once it is posted.',
        prefetch=SETTINGS,
    )
    ramp_partner_id = fields.Many2one(
        'res.partner',
        string='Ramp as a Vendor',
        check_company=True,
        tracking=True,
        default=lambda self: self.env.ref('ramp_connector.partner_ramp', raise_if_not_found=False),
        help='Card statements become bills from this partner. Nothing else may be owed to it, because the tie-out '
        'compares its balance.',
        prefetch=SETTINGS,
    )
    cashback_account_id = fields.Many2one(
        'account.account',
        string='Cashback Income',
        check_company=True,
        tracking=True,
        copy=False,
        help='Cashback is credited to this account.',
        prefetch=SETTINGS,
    )

    @api.constrains('ramp_partner_id')
    def _check_is_commercial_partner(self):
        """Refuse a contact of a company for Ramp: core posts what is owed with the company itself."""
        for connection in self:
            company = connection.ramp_partner_id.commercial_partner_id
            if connection.ramp_partner_id != company:
                raise ValidationError(
                    self.env._(
                        'Connection %(name)s, field "Ramp as a Vendor": %(partner)s is a contact of %(company)s. Choose '
                        '%(company)s.',
                        name=connection.name,
                        partner=connection.ramp_partner_id.display_name,
                        company=company.display_name,
                    )
                )

    @api.constrains('ramp_partner_id')
    def _check_ramp_partner_id(self):
        """Refuse another partner for Ramp once something is posted.

        Statements and their payments would be owed to two partners: none would be reconciled with the other, and the
        tie-out compares the balance of one.

        :raise ValidationError: names the partner that is used, and the remedy
        """
        self.flush_recordset(['ramp_partner_id'])
        used = dict(
            self.env.execute_query(
                SQL(
                    """
                    SELECT DISTINCT ON (c.id) c.id, m.commercial_partner_id
                      FROM ramp_connection c
                      JOIN ramp_record r ON r.connection_id = c.id AND r.flow IN ('statement', 'transfer') AND r.res_id IS NOT NULL
                      LEFT JOIN account_payment p ON p.id = r.res_id AND r.res_model = 'account.payment'
                      JOIN account_move m ON m.id = CASE r.res_model WHEN 'account.move' THEN r.res_id ELSE p.move_id END
                     WHERE c.id = ANY(%s) AND m.state <> 'cancel' AND m.commercial_partner_id IS DISTINCT FROM c.ramp_partner_id
                    """,
                    self.ids,
                )
            )
        )
        for connection in self:
            if connection.id in used:
                raise ValidationError(
                    self.env._(
                        'Connection %(name)s, field "Ramp as a Vendor": statements and payments are posted with '
                        '%(partner)s. To use another contact, merge the two contacts.',
                        name=connection.name,
                        partner=self.env['res.partner'].browse(used[connection.id]).display_name,
                    )
                )
