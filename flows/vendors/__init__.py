# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (  # a base comes before the models that inherit it
    field_merge,
    matching,
    contact,
    vendor,
    vendor_book,
    vendor_list,
    described,
)
