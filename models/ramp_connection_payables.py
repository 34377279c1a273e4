# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import fields, models

from .connection_constants import SETTINGS


class RampConnection(models.Model):
    """Settings of bills, vendors, reimbursements, repayments and card statements."""

    _inherit = 'ramp.connection'

    pull_bills = fields.Boolean(
        string='Bills',
        default=True,
        tracking=True,
        help='Vendors, bills, their payments and vendor credits come from Ramp.',
    )
    bill_policy = fields.Selection(
        [('approved', 'When approved in Ramp'), ('created', 'When created in Ramp')],
        string='Create Bills',
        required=True,
        default='approved',
        tracking=True,
        help='Either way Ramp is told of a bill only once it is approved; a bill that is not approved in the end is '
        'reversed.',
    )
    bill_journal_id = fields.Many2one(
        'account.journal',
        check_company=True,
        domain=[('type', '=', 'purchase')],
        copy=False,
        tracking=True,
        help='Bills are posted here, and so is what has no journal of its own: vendor credits, reimbursements, card '
        'statements.',
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
        help="The payable account of reimbursements, apart from what vendors are owed. Empty: that of the employee's "
        'contact. It holds '
        'for what is booked from now on; a payment settles the account of what it pays.',
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
        help='A draft cannot be paid: its payment waits until somebody posts it.',
        prefetch=SETTINGS,
    )
    bill_rate_policy = fields.Selection(
        [('ramp', 'The rate that Ramp pays at'), ('odoo', "Odoo's rate of the invoice date")],
        string='Rate of Foreign Bills',
        required=True,
        default='ramp',
        tracking=True,
        help="What a bill in another currency than the company's is converted at. With Odoo's rate, the payment has "
        'an exchange '
        'difference.',
        prefetch=SETTINGS,
    )
    rate_tolerance = fields.Float(
        string='Rates May Differ By',
        default=10.0,
        tracking=True,
        help="How far, in percent, a rate that Ramp quotes may be from Odoo's of the same day. What is further off "
        'waits for a person.',
        prefetch=SETTINGS,
    )
    payment_journal_id = fields.Many2one(
        'account.journal',
        check_company=True,
        domain=[('type', 'in', ('bank', 'cash'))],
        copy=False,
        tracking=True,
        help='The bank from which Ramp pays bills, reimbursements and card statements, unless the bank account below '
        'says otherwise.',
        prefetch=SETTINGS,
    )
    bank_account_ids = fields.One2many(
        'ramp.bank.account',
        'connection_id',
        string='Bank Accounts in Ramp',
        copy=False,
        help='Each bank account that Ramp has told of. Choose the journal of what it pays.',
    )
    manual_payment_policy = fields.Selection(
        [('book', 'Post a payment'), ('person', 'Wait until the payment is entered in Odoo')],
        string='Bills Paid outside of Ramp',
        required=True,
        default='book',
        tracking=True,
        help='What becomes of a bill that somebody marked as paid in Ramp. One that is marked as paid in the '
        'accounting system always '
        'waits for its payment in Odoo.',
        prefetch=SETTINGS,
    )
    manual_payment_journal_id = fields.Many2one(
        'account.journal',
        string='Journal of Payments outside of Ramp',
        check_company=True,
        tracking=True,
        copy=False,
        domain=[('type', 'in', ('bank', 'cash', 'credit'))],
        help='Empty: the same as payments by Ramp.',
        prefetch=SETTINGS,
    )
    match_bank_lines = fields.Boolean(
        default=True,
        tracking=True,
        help='A bank line that carries the reference of a payment of Ramp, and its amount to the cent, is matched '
        'with that payment. '
        'Ramp tells the reference (the trace id) some days after it paid.',
        prefetch=SETTINGS,
    )
    vendor_policy = fields.Selection(
        [('first', 'Keep edits made in Odoo'), ('ramp', 'Ramp'), ('odoo', 'Odoo')],
        string='Vendor Master Data',
        required=True,
        default='first',
        tracking=True,
        help='When a vendor changes in Ramp. "Keep edits made in Odoo": a field that was edited in Odoo stays, the '
        'others follow. "Ramp": '
        'what Ramp has replaces what Odoo has. "Odoo": only what is empty in Odoo is filled.',
        prefetch=SETTINGS,
    )
    pull_reimbursements = fields.Boolean(
        string='Reimbursements', default=True, tracking=True, help='Reimbursements of employees come from Ramp.'
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
        help='A draft cannot be paid: its payment waits until somebody posts it.',
        prefetch=SETTINGS,
    )
    pull_repayments = fields.Boolean(
        string='Repayments',
        default=True,
        tracking=True,
        help='What employees pay back on card transactions comes from Ramp.',
    )
    repayment_account_id = fields.Many2one(
        'account.account',
        string='Account for Payroll Deductions',
        check_company=True,
        tracking=True,
        copy=False,
        help='Debited by what an employee pays back without a transfer, through the payroll for instance. Empty: such '
        'repayments wait.',
        prefetch=SETTINGS,
    )

    pull_statements = fields.Boolean(
        string='Card Statements',
        default=True,
        tracking=True,
        help='Card statements, their payments and cashback come from Ramp. A statement moves what was spent from the '
        'card liability to '
        'what is owed to Ramp.',
    )
    statement_policy = fields.Selection(
        [('tied', 'When each of its lines is in the books'), ('closed', 'When closed in Ramp')],
        string='Create Statements',
        required=True,
        default='tied',
        tracking=True,
        help='"When closed in Ramp": lines that are not in the books yet follow; until then the card liability is too '
        'low by them.',
        prefetch=SETTINGS,
    )
    statement_post = fields.Selection(
        [('post', 'Post the bill'), ('draft', 'Leave the bill as a draft')],
        string='Statement Bills',
        required=True,
        default='post',
        tracking=True,
        help='Payments are applied to it once it is posted.',
        prefetch=SETTINGS,
    )
    ramp_partner_id = fields.Many2one(
        'res.partner',
        string='Ramp as a Vendor',
        check_company=True,
        tracking=True,
        default=lambda self: self.env.ref('ramp_connector.partner_ramp', raise_if_not_found=False),
        help='Card statements are its bills; nothing else may be owed to it, as the tie-out compares what is.',
        prefetch=SETTINGS,
    )
    cashback_account_id = fields.Many2one(
        'account.account',
        string='Cashback Income',
        check_company=True,
        tracking=True,
        copy=False,
        help='Credited by cashback.',
        prefetch=SETTINGS,
    )
