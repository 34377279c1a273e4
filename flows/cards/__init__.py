# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (  # a base comes before the models that inherit it
    card_expense,
    card_merchant,
    transaction,
    transaction_plan,
    transaction_book,
    transaction_link,
    receipt,
    repayment,
    repayment_book,
    repayment_move,
    repayment_follow,
    described,
    cards_withdraw,
)
