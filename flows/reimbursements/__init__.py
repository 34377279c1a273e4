# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (  # a base before what inherits it
    reimbursement,
    reimbursement_plan,
    reimbursement_payment,
    bank_reference,
)
