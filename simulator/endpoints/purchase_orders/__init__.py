"""/purchase-orders: what was ordered. Received and billed amounts are computed on each request.

Ramp's behaviour is unknown in some cases. The simulator takes the harder alternative:
* An archived order still claims its external id.
* An archived order cannot be read by its id; only the list has it.
* A vendor without email is refused.
* A price cannot be negative. A price finer than the currency is rounded, but the line's amount is computed from the
  unrounded price.
* The last line, and a line that was received or billed, cannot be deleted.
"""

from ...state import Table
from . import routes
from .making import (
    archive_purchase_order,
    bill_purchase_order,
    change_purchase_order,
    compute_extended_minor,
    make_purchase_order,
)
from .numbers import normalise_order_number, read_unit_quantity
from .standing import list_order_bills, render_listed_order, compute_line_totals

TABLES = {'purchase_orders': Table}
__all__ = [
    'TABLES',
    'archive_purchase_order',
    'bill_purchase_order',
    'list_order_bills',
    'change_purchase_order',
    'compute_extended_minor',
    'compute_line_totals',
    'make_purchase_order',
    'normalise_order_number',
    'render_listed_order',
    'read_unit_quantity',
]
