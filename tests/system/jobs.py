"""The jobs, in the order in which they run. What has a job has a line here, and nowhere else."""

FLOWS = ('transaction', 'receipt')
# With what the business owes.
PAYABLES = (
    'transaction',
    'vendor',
    'vendor_credit',
    'bill',
    'bill_payment',
    'bill_file',
    'reimbursement',
    'reimbursement_payment',
    'repayment',
    'receipt',
)
# What is owed on cards.
STATEMENTS = ('transaction', 'transfer', 'statement', 'cashback', 'statement_file')
PUSH = ('account', 'analytic_plan', 'analytic_account', 'tax_rate', 'tax_code', 'accounting_vendor')
# Orders ask for their vendors, and wait for them.
PROCUREMENT = ('purchase_order', 'spend_vendor', 'purchase_order', 'item_receipt')
# Managers come when both are there, and what is asked for in a run is looked at in the next.
PEOPLE = ('department', 'location', 'employee', 'user', 'employee', 'employee')
JOBS = {  # by the step that runs them
    'flows': FLOWS,
    'payables': PAYABLES,
    'statements': STATEMENTS,
    'push': PUSH,
    'procurement': PROCUREMENT,
    'people': PEOPLE,
}
FILES = ('receipt', 'bill_file', 'statement_file')  # what fetches files
