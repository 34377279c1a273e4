# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (  # a base comes before the models that inherit it
    account,
    analytic_plan,
    analytic_account,
    tax_rate,
    tax_code,
    accounting_vendor,
)
