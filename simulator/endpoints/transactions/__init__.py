"""/transactions, their split, and /accounting/ready-to-sync."""

from ... import money
from ...state import Table
from . import routes
from .making import STATUSES, add_receipt, change, line_selections, make, recode, totals

TABLES = {
    "transactions": lambda: Table(
        orders={
            "date": lambda row: row["user_transaction_time"],
            "amount": lambda row: row["_money"]["amount_minor"] / money.rate(row["_money"]["currency"]),
        },
        index="sync_status",
    )
}
__all__ = ["STATUSES", "TABLES", "add_receipt", "change", "line_selections", "make", "recode", "totals"]
