# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (  # a base comes before the models that inherit it
    spend_vendor,
    purchase_order,
    purchase_order_lines,
    purchase_order_watch,
    purchase_order_send,
    item_receipt,
    item_receipt_send,
)
