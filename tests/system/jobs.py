"""The jobs, in the order in which they run. Every job has a line here, and nowhere else."""

FLOWS = ('transaction', 'receipt')
# With payables.
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
# With card statements.
STATEMENTS = ('transaction', 'transfer', 'statement', 'cashback', 'statement_file')
PUSH = ('account', 'analytic_plan', 'analytic_account', 'tax_rate', 'tax_code', 'accounting_vendor')
# Orders request their vendors, and wait for them.
PROCUREMENT = ('purchase_order', 'spend_vendor', 'purchase_order', 'item_receipt')
# A manager is set when both people are in Ramp, and the next run reads what a run has requested.
PEOPLE = ('department', 'location', 'employee', 'user', 'employee', 'employee')
JOBS = {  # by the step that runs them
    'flows': FLOWS,
    'payables': PAYABLES,
    'statements': STATEMENTS,
    'push': PUSH,
    'procurement': PROCUREMENT,
    'people': PEOPLE,
}
FILES = ('receipt', 'bill_file', 'statement_file')  # flows that fetch files
