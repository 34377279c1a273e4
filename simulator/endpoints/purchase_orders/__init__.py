"""/purchase-orders: what was ordered; what of it was received and billed is worked out when somebody asks.

Nobody has observed, and here it is the harder case: whether an archived order still claims its external id (it does),
whether it can be read by its id (it cannot, only the list has it), whether a vendor without email is refused (it is),
whether a price may be negative (no) or finer than the currency (it is rounded, the line's amount is not made of the
rounded price), whether the last line, or one that was received or billed, can be deleted (no).
"""

from ...state import Table
from . import routes
from .making import archive_order, bill_order, change_order, extended_minor, make_order
from .numbers import normalise_number, read_quantity
from .standing import billed_on, order_on_wire, line_totals

TABLES = {'purchase_orders': Table}
__all__ = [
    'TABLES',
    'archive_order',
    'bill_order',
    'billed_on',
    'change_order',
    'extended_minor',
    'line_totals',
    'make_order',
    'normalise_number',
    'order_on_wire',
    'read_quantity',
]
