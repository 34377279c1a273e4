# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (
    ramp_document,
    ramp_record,
    ramp_run,
    ramp_connection,
    account_move,
    hr_employee,
    hr_expense,
)
