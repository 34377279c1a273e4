# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""A client of Ramp's developer API in plain Python. It does not import Odoo, and the Odoo side does not use HTTP.

A request goes through client, pipeline (limit, send, classify, repeat), limiter and transport. Further modules are
auth, addresses, paging, files and errors. Answers are read by reading and coding, with money and dates. Each kind of
object has a module: transactions, receipts, vendors, bills, bill_payments, vendor_credits, reimbursements, repayments,
statements, people, procurement, business, webhooks.

Facts about Ramp are from its OpenAPI document and guides of 2026-08-01, unless another source is given.
"""

from .auth import DEFAULT_SCOPES, MemoryTokenStore, TokenSource, build_authorize_url
from .bill_payments import (
    CARD_PAYMENT_METHODS,
    BillPayment,
    CardPaymentDetails,
    ManualPaymentDetails,
    VendorPaymentDetails,
)
from .bills import AppliedCredit, Bill, BillLine, BillVendor, Withholding, read_bill, read_invoice_urls, scrub_bill
from .business import (
    AccountingProvider,
    BankAccount,
    Business,
    Entity,
    read_accounting_provider,
    read_business,
    read_entity,
)
from .client import RampClient
from .coding import Selection
from .dates import parse_utc_moment, to_company_date
from .errors import (
    RampAuthError,
    RampConnectionError,
    RampError,
    RampFileError,
    RampIdempotencyReused,
    RampLinkExpired,
    RampNotFound,
    RampOutOfTime,
    RampProtocolError,
    RampRateLimited,
    RampReadOnlyError,
    RampScopeError,
    RampServerError,
    RampSignInLost,
    RampValidationError,
    scrub_text,
)
from .files import Download
from .limiter import SlidingWindow
from .money import EXPONENTS, Money, MoneyError, allocate_amount
from .paging import Page
from .people import (
    USER_LISTED_STATUSES,
    USER_ROLES,
    USER_STATUSES,
    Department,
    Location,
    User,
    UserTask,
    read_department,
    read_location,
    read_user,
    read_user_task,
)
from .procurement import (
    ItemReceipt,
    ItemReceiptLine,
    PurchaseOrder,
    PurchaseOrderLine,
    read_item_receipt,
    read_purchase_order,
)
from .reading import PayloadError
from .receipts import Receipt, read_receipt
from .reimbursements import (
    REIMBURSEMENT_IDLE_STATES,
    REIMBURSEMENT_PAID_STATES,
    REIMBURSEMENT_STATES,
    Reimbursement,
    ReimbursementLine,
    read_reimbursement,
)
from .repayments import Repayment, read_repayment
from .statements import (
    TRANSFER_ACCEPTED_STATUSES,
    TRANSFER_FAILED_STATUSES,
    Cashback,
    Statement,
    StatementLine,
    StatementSection,
    Transfer,
    read_cashback,
    read_statement,
    read_statement_url,
    read_transfer,
    scrub_statement,
)
from .transactions import Transaction, TransactionLine, read_transaction
from .vendor_credits import CreditLine, CreditUse, VendorCredit, read_vendor_credit
from .vendors import Address, Vendor, VendorContact, VendorDetail, read_vendor, read_vendor_contact, read_vendor_detail
from .webhooks import Event, Subscription, read_event, read_subscription, verify_signature

__all__ = [
    'CARD_PAYMENT_METHODS',
    'DEFAULT_SCOPES',
    'EXPONENTS',
    'REIMBURSEMENT_IDLE_STATES',
    'REIMBURSEMENT_PAID_STATES',
    'REIMBURSEMENT_STATES',
    'TRANSFER_ACCEPTED_STATUSES',
    'TRANSFER_FAILED_STATUSES',
    'USER_LISTED_STATUSES',
    'USER_ROLES',
    'USER_STATUSES',
    'AccountingProvider',
    'Address',
    'AppliedCredit',
    'BankAccount',
    'Bill',
    'BillLine',
    'BillPayment',
    'BillVendor',
    'Business',
    'CardPaymentDetails',
    'Cashback',
    'CreditLine',
    'CreditUse',
    'Department',
    'Download',
    'Entity',
    'Event',
    'ItemReceipt',
    'ItemReceiptLine',
    'Location',
    'ManualPaymentDetails',
    'MemoryTokenStore',
    'Money',
    'MoneyError',
    'Page',
    'PayloadError',
    'PurchaseOrder',
    'PurchaseOrderLine',
    'RampAuthError',
    'RampClient',
    'RampConnectionError',
    'RampError',
    'RampFileError',
    'RampIdempotencyReused',
    'RampLinkExpired',
    'RampNotFound',
    'RampOutOfTime',
    'RampProtocolError',
    'RampRateLimited',
    'RampReadOnlyError',
    'RampScopeError',
    'RampServerError',
    'RampValidationError',
    'Receipt',
    'Reimbursement',
    'ReimbursementLine',
    'Repayment',
    'Selection',
    'SlidingWindow',
    'Statement',
    'StatementLine',
    'StatementSection',
    'Subscription',
    'TokenSource',
    'Transaction',
    'TransactionLine',
    'Transfer',
    'User',
    'UserTask',
    'Vendor',
    'VendorContact',
    'VendorCredit',
    'VendorDetail',
    'VendorPaymentDetails',
    'Withholding',
    'allocate_amount',
    'parse_utc_moment',
    'read_accounting_provider',
    'read_bill',
    'read_business',
    'read_cashback',
    'read_department',
    'read_entity',
    'read_event',
    'read_invoice_urls',
    'read_item_receipt',
    'read_location',
    'read_purchase_order',
    'read_receipt',
    'read_reimbursement',
    'read_repayment',
    'read_statement',
    'read_statement_url',
    'read_subscription',
    'read_transaction',
    'read_transfer',
    'read_user',
    'read_user_task',
    'read_vendor',
    'read_vendor_contact',
    'read_vendor_credit',
    'read_vendor_detail',
    'scrub_text',
    'scrub_bill',
    'scrub_statement',
    'to_company_date',
    'verify_signature',
]
