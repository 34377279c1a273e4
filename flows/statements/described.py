# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models
from odoo.tools import LazyTranslate

from ..engine.describe import Detail

_lt = LazyTranslate(__name__)


class RampFlowStatementDescribed(models.AbstractModel):
    _inherit = 'ramp.flow.statement'

    _object_details = (
        ('opening', _lt('Opening Balance')),
        ('charges', _lt('Charges')),
        ('credits', _lt('Credits')),
        ('payments', _lt('Payments')),
        ('ending', _lt('Closing Balance')),
    )

    def _describe_object(self, connection, value):
        last = self._get_last_day(connection, value)
        return [
            Detail('start', _lt('First Day'), value.start),
            Detail('end', _lt('Last Day'), last),
            *super()._describe_object(connection, value),
            Detail('lines', _lt('Lines of the Whole Statement'), len(value.lines)),
        ]

    def _get_files_parent_id(self, record):
        # The sections of a statement share one PDF.
        return record.parent_ramp_id


class RampFlowTransferDescribed(models.AbstractModel):
    _inherit = 'ramp.flow.transfer'

    _object_details = (
        ('amount', _lt('Amount')),
        ('created_at', _lt('Day')),
        ('payment_id', _lt('Payment ID')),
        ('status', _lt('Status in Ramp')),
    )


class RampFlowCashbackDescribed(models.AbstractModel):
    _inherit = 'ramp.flow.cashback'

    _object_details = (('amount', _lt('Amount')), ('created_at', _lt('Day')))
