# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models
from odoo.tools import LazyTranslate

from ..engine.describe import Detail

_lt = LazyTranslate(__name__)


class RampFlowTransactionDescribed(models.AbstractModel):
    _inherit = 'ramp.flow.transaction'

    _object_details = (
        ('merchant_name', _lt('Merchant')),
        ('card_holder_name', _lt('Cardholder')),
        ('amount', _lt('Amount')),
        ('original_amount', _lt('Amount at the Merchant')),
        ('user_transaction_time', _lt('Day of Purchase')),
        ('settlement_date', _lt('Day of Settlement')),
        ('accounting_date', _lt('Accounting Date')),
        ('category_name', _lt('Category in Ramp')),
        ('trip_name', _lt('Trip')),
        ('attendees', _lt('Attendees')),
        ('memo', _lt('Memo')),
        ('state', _lt('Status in Ramp')),
    )

    def _describe_object(self, connection, value):
        return [
            *super()._describe_object(connection, value),
            Detail('receipts', _lt('Number of Receipts'), len(value.receipts)),
            *self._list_line_details(value.lines),
        ]


class RampFlowRepaymentDescribed(models.AbstractModel):
    _inherit = 'ramp.flow.repayment'

    _object_details = (
        ('amount', _lt('Amount')),
        ('repaid_at', _lt('Day of Repayment')),
        ('funding_method', _lt('Repaid By')),
        ('status', _lt('Status in Ramp')),
    )

    def _describe_object(self, connection, value):
        spend = self._find_object_name(connection, 'transaction', value.original_transaction_id)
        return [Detail('spend', _lt('Repays'), spend), *super()._describe_object(connection, value)]
