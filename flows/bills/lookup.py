# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""What the flows of bills look up for a batch."""

import dataclasses

from odoo import models

from ...ramp_api import Transaction
from ..accounting.lookup import PayableLookup, PaymentLookup
from ..procurement.purchase_order import OrderedLookup


@dataclasses.dataclass
class BillLookup(PayableLookup):
    """What `ramp.flow.bill` looks up.

    ordered: purchase orders in Odoo that the bills name
    """

    ordered: OrderedLookup = dataclasses.field(default_factory=OrderedLookup)


@dataclasses.dataclass
class BillPaymentLookup(PaymentLookup):
    """What `ramp.flow.bill_payment` looks up.

    credit_rows: {Ramp id of a vendor credit: its row}
    refunds: {id of a refund: its payable line}
    cards: {Ramp id: (row, entry or an empty recordset, `Transaction` or None)} of the card transactions
    entities: {Ramp id of an entity: code of its currency, or None}
    banks: {Ramp id of a bank account: its journal}
    """

    credit_rows: dict[str, models.Model] = dataclasses.field(default_factory=dict)
    refunds: dict[int, models.Model] = dataclasses.field(default_factory=dict)
    cards: dict[str, tuple[models.Model, models.Model, Transaction | None]] = dataclasses.field(default_factory=dict)
    entities: dict[str, str | None] = dataclasses.field(default_factory=dict)
    banks: dict[str, models.Model] = dataclasses.field(default_factory=dict)
