"""/bills: invoices of vendors, with their payments nested inside. Payments have no endpoint of their own.

A bill is synced twice: the bill itself (BILL_SYNC) and, once it is paid, its payment (BILL_PAYMENT_SYNC, under the
bill's id). The row keeps all payments (`_payments`). Ramp reports one of them: the first that is not a vendor credit.
Which one it reports after a payment failed is unknown. The simulator reports the failed one until there is another.
"""

from ...state import Table
from . import writing
from .making import attach_invoice_file, archive_bill, change_bill, make_bill
from .paying import pay_bills
from .routes import OPTIONAL
from .standing import METHODS, compute_open_minor, refresh_bill_standing

TABLES = {'bills': lambda: Table(index='sync_status', name=lambda row: row['vendor']['id']), 'invoices': Table}
__all__ = [
    'METHODS',
    'OPTIONAL',
    'TABLES',
    'attach_invoice_file',
    'archive_bill',
    'change_bill',
    'make_bill',
    'compute_open_minor',
    'pay_bills',
    'refresh_bill_standing',
]
