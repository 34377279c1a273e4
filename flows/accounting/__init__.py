# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (  # a base comes before the models that inherit it
    coding,
    coding_defaults,
    booking,
    booking_coding,
    booking_undo,
    link,
    booking_withdraw,
    booking_currency,
    accrued,
    accrual_standing,
    accrual_entries,
    documents,
    documents_book,
    payments,
    payments_book,
    payments_withdraw,
)
