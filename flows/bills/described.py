# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models
from odoo.tools import LazyTranslate

from ..engine.describe import Detail

_lt = LazyTranslate(__name__)

VENDOR_AND_NUMBER = (('vendor.name', _lt('Vendor')), ('invoice_number', _lt('Number')))
PAYMENT = (
    ('payment.amount', _lt('Amount of the Payment')),
    ('payment.payment_method', _lt('Paid By')),
    ('payment.payment_date', _lt('Day of Payment')),
    ('payment.effective_date', _lt('Day of Arrival')),
)


class RampFlowBillDescribed(models.AbstractModel):
    _inherit = 'ramp.flow.bill'

    _object_details = (
        *VENDOR_AND_NUMBER,
        ('amount', _lt('Amount')),
        ('issued_at', _lt('Bill Date')),
        ('due_at', _lt('Due Date')),
        ('accounting_date', _lt('Accounting Date')),
        ('posting_date', _lt('Posting Date')),
        ('bill_owner_name', _lt('Owner')),
        ('memo', _lt('Memo')),
        ('vendor_memo', _lt('Memo for the Vendor')),
        ('approval_status', _lt('Approval')),
        ('status', _lt('Status in Ramp')),
        ('status_summary', _lt('Progress in Ramp')),
        ('archived_at', _lt('Archived On')),
        *PAYMENT,
    )

    def _describe_object(self, connection, value):
        return [
            *super()._describe_object(connection, value),
            Detail(
                'order',
                _lt('Purchase Order'),
                self._find_object_name(connection, 'purchase_order', value.purchase_order_id),
            ),
            *_list_credit_details(value),
            Detail('files', _lt('Number of Files'), len(value.invoice_urls)),
            *self._list_line_details(value.lines),
        ]


class RampFlowBillPaymentDescribed(models.AbstractModel):
    _inherit = 'ramp.flow.bill_payment'

    _object_details = (
        *VENDOR_AND_NUMBER,
        ('amount', _lt('Amount of the Bill')),
        *PAYMENT,
        ('paid_at', _lt('Paid On')),
        ('status', _lt('Status in Ramp')),
        ('status_summary', _lt('Progress in Ramp')),
    )

    def _describe_object(self, connection, value):
        return [*super()._describe_object(connection, value), *_list_credit_details(value)]


class RampFlowVendorCreditDescribed(models.AbstractModel):
    _inherit = 'ramp.flow.vendor_credit'

    _object_details = (
        ('reference_number', _lt('Number')),
        ('total', _lt('Amount')),
        ('applied', _lt('Applied to Bills')),
        ('remaining', _lt('Remaining')),
        ('accounting_date', _lt('Accounting Date')),
    )

    def _describe_object(self, connection, value):
        vendor = self._find_object_name(connection, 'vendor', value.vendor_id)
        return [
            Detail('vendor', _lt('Vendor'), vendor),
            *super()._describe_object(connection, value),
            *self._list_line_details(value.lines),
        ]


def _list_credit_details(value):
    """Return the vendor credits that are applied to a bill."""
    return [
        Detail(f'credit.{number}', _lt('Vendor Credit %(number)s', number=number), credit.amount)
        for number, credit in enumerate(value.applied_vendor_credits, 1)
    ]
