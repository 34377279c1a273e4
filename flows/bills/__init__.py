# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (  # a base comes before the models that inherit it
    card_settlement,
    vendor_credit,
    bill,
    bill_lists,
    bill_link,
    bill_payment,
    bill_payment_book,
    bill_payment_plan,
    bill_payment_withdraw,
    bill_file,
    entered_by_hand,
    described,
)
