# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Constants of the connection, the flows and the tests, kept here so that these files need not import each other."""

# Prefetch group of fields that are needed only while something is posted. The other fields are read in every
# transaction of every job.
SETTINGS = 'settings'
API_URLS = {'production': 'https://api.ramp.com/developer/v1', 'sandbox': 'https://demo-api.ramp.com/developer/v1'}
APP_URLS = {'production': 'https://app.ramp.com', 'sandbox': 'https://demo.ramp.com'}
SCOPES = (
    'accounting:read',
    'accounting:write',
    'business:read',
    'entities:read',
    'transactions:read',
    'receipts:read',
    'users:read',
)
# Further scopes that the payables and other flows need, by the field that switches them on
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
    'account_policy',
    'account_type_ids',
    'analytic_plan_ids',
    'offer_taxes',
    'offer_vendors',
    'pull_bills',
    'push_orders',
    'push_receipts',
    'start_date',
    'ramp_entity_id',
    'card_journal_id',
    'push_users',
    'user_invitation',
    'ramp_partner_id',
    'merchant_partner_id',
)
# Account types that take no spend. They are never offered, whatever the settings say.
UNSPENDABLE = (
    'asset_cash',
    'asset_receivable',
    'liability_credit_card',
    'liability_payable',
    'equity_unaffected',
    'off_balance',
)
IDENTITY_PARAMETER = 'ramp_connector.identity'
