# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models
from odoo.tools import LazyTranslate

from ..engine.describe import Detail

_lt = LazyTranslate(__name__)


class RampFlowReimbursementDescribed(models.AbstractModel):
    _inherit = 'ramp.flow.reimbursement'

    _object_details = (
        ('user_full_name', _lt('Person')),
        ('user_email', _lt('Email')),
        ('type', _lt('Kind')),
        ('direction', _lt('Direction')),
        ('merchant', _lt('Merchant')),
        ('amount', _lt('Amount')),
        ('original_amount', _lt('Amount as Submitted')),
        ('payee_amount', _lt('Amount That the Person Receives')),
        ('transaction_date', _lt('Day of Purchase')),
        ('submitted_at', _lt('Submitted On')),
        ('approved_at', _lt('Approved On')),
        ('accounting_date', _lt('Accounting Date')),
        ('distance', _lt('Distance in Miles')),
        ('start_location', _lt('From')),
        ('waypoints', _lt('Via')),
        ('end_location', _lt('To')),
        ('memo', _lt('Memo')),
        ('state', _lt('Status in Ramp')),
    )

    def _describe_object(self, connection, value):
        return [
            *super()._describe_object(connection, value),
            Detail('attendees', _lt('Attendees'), tuple(name for name, _user in value.attendees if name)),
            Detail('receipts', _lt('Number of Receipts'), len(value.receipts)),
            *self._list_line_details(value.lines),
        ]


class RampFlowReimbursementPaymentDescribed(models.AbstractModel):
    _inherit = 'ramp.flow.reimbursement_payment'

    _object_details = (
        ('user_full_name', _lt('Person')),
        ('direction', _lt('Direction')),
        ('amount', _lt('Amount')),
        ('payee_amount', _lt('Amount That the Person Receives')),
        ('payment_processed_at', _lt('Day of Payment')),
        ('state', _lt('Status in Ramp')),
    )
