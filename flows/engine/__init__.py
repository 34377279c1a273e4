# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (  # a base comes before the models that inherit it
    flow,
    store,
    describe,
    withhold,
    book,
    confirm,
    pull,
    compare,
    resolve,
    send,
    push,
    attach,
    files,
    files_withdraw,
    undo_job,
)
