# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (  # the bases come before the kinds of objects
    engine,
    accounting,
    chart,
    procurement,
    people,
    vendors,
    bills,
    cards,
    reimbursements,
    statements,
    monitor,
)
