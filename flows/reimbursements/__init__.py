# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (  # a base comes before the models that inherit it
    reimbursement,
    reimbursement_plan,
    reimbursement_payment,
    bank_reference,
    reimbursement_link,
    described,
)
