# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (  # a base comes before the models that inherit it
    transfer,
    transfer_reconcile,
    statement,
    statement_book,
    statement_plan,
    cashback,
    statement_withdraw,
    statement_file,
    statement_link,
    described,
)
