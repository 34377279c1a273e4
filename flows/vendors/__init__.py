# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (  # a base before what inherits it
    field_merge,
    matching,
    contact,
    vendor,
    vendor_book,
    vendor_list,
)
