# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (  # a base before what inherits it
    spend_vendor,
    purchase_order,
    item_receipt,
)
