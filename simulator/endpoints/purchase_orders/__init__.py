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
