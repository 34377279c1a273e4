# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (  # a base before what inherits it
    coding,
    coding_defaults,
    booking,
    documents,
    payments,
)
