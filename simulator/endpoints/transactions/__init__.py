"""/transactions, their splits, and /accounting/ready-to-sync."""

from ... import money
from ...state import Table
from . import routes
from .making import (
    STATUSES,
    attach_transaction_receipt,
    change_transaction,
    select_transaction_coding,
    make_transaction,
    recode_transaction,
    compute_spend_totals,
)

TABLES = {
    'transactions': lambda: Table(
        orders={
            'date': lambda row: row['user_transaction_time'],
            'amount': lambda row: row['_money']['amount_minor'] / money.minor_per_major(row['_money']['currency']),
        },
        index='sync_status',
    )
}
__all__ = [
    'STATUSES',
    'TABLES',
    'attach_transaction_receipt',
    'change_transaction',
    'select_transaction_coding',
    'make_transaction',
    'recode_transaction',
    'compute_spend_totals',
]
