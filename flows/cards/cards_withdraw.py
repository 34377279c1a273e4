# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models
from odoo.tools import LazyTranslate

from ..engine.reasons import Held
from ..engine.withdrawn import Withdrawn

_lt = LazyTranslate(__name__)


class RampFlowTransactionWithdraw(models.AbstractModel):
    """Undo a synchronization: card transactions, with their expenses."""

    _inherit = 'ramp.flow.transaction'

    def _withdraw_object(self, connection, record, undo):
        repaid = self.env['ramp.record'].search(
            [
                ('connection_id', '=', connection.id),
                ('flow', '=', 'repayment'),
                ('parent_ramp_id', '=', record.ramp_id),
                ('res_id', '!=', False),
            ],
            limit=1,
        )
        if repaid:
            raise Held(_lt('The employee repaid a part of it: %s, which stays. Undo that first.', repaid.name))
        done = super()._withdraw_object(connection, record, undo)
        self._withdraw_expenses(record)
        return done


class RampFlowRepaymentWithdraw(models.AbstractModel):
    """Undo a synchronization: repayments, with their expenses."""

    _inherit = 'ramp.flow.repayment'

    def _withdraw_object(self, connection, record, undo):
        # What moved its shares goes first, because it may be reconciled with the repayment.
        moved = self._find_moved_entry(record)
        self._detach_moved_entry(record, moved)
        before = [self._withdraw_move(connection, moved, undo)] if moved else []
        done = Withdrawn.together([super()._withdraw_object(connection, record, undo), *before])
        self._withdraw_expenses(record)
        return done
