# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (  # a base before what inherits it
    coding,
    flow,
    pull,
    booking,
    push,
    account,
    analytic_plan,
    analytic_account,
    tax_rate,
    tax_code,
    accounting_vendor,
    transaction,
    receipt,
    vendor,
    vendor_contact,
)
