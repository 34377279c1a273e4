# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (
    ramp_document,
    ramp_pushed,
    ramp_account_type,
    ramp_change,
    ramp_record,
    ramp_record_push,
    ramp_run,
    ramp_connection,
    account_account,
    account_analytic,
    account_move,
    account_payment,
    account_tax,
    hr_employee,
    hr_expense,
    res_partner,
)
