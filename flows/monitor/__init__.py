# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (  # a base before what inherits it
    nightly_check,
    webhook_subscription,
    integration,
)
