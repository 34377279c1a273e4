# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (  # a base before what inherits it
    card_settlement,
    vendor_credit,
    bill,
    bill_payment,
    bill_file,
)
