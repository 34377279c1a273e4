# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import coding, flow, pull, transaction, receipt  # a base before what inherits it
