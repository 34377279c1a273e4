# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (  # a base before what inherits it
    account,
    analytic_plan,
    analytic_account,
    tax_rate,
    tax_code,
    accounting_vendor,
)
