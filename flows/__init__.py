# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (  # the bases before the businesses
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
