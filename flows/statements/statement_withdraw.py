# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models
from odoo.tools import LazyTranslate

from ..engine.reasons import Held
from ..engine.withdrawn import Withdrawn
from .statement_notes import StatementNote, TransferNote

_lt = LazyTranslate(__name__)


class RampFlowTransferWithdraw(models.AbstractModel):
    """Undo a synchronization: payments of card statements."""

    _inherit = 'ramp.flow.transfer'

    def _withdraw_object(self, connection, record, undo):
        note = record._read_note(TransferNote).payment
        if not note:
            raise Held(_lt('What pays %s was entered in Odoo by a person, so it stays.', record.name))
        return self.env['ramp.flow.payment']._withdraw_posted_payment(connection, note, undo, self._flow)


class RampFlowStatementWithdraw(models.AbstractModel):
    """Undo a synchronization: card statements, with their exchange differences."""

    _inherit = 'ramp.flow.statement'

    def _withdraw_object(self, connection, record, undo):
        entry = self.env['account.move'].browse(record._read_note(StatementNote).exchange or []).exists()
        done = [super()._withdraw_object(connection, record, undo)]
        if entry:
            done.append(self._withdraw_move(connection, entry, undo))
        return Withdrawn.together(done)


class RampFlowCashbackWithdraw(models.AbstractModel):
    """Undo a synchronization: cashback, which is a part of its statement."""

    _inherit = 'ramp.flow.cashback'

    def _withdraw_object(self, connection, record, undo):
        statement = self.env['ramp.record'].search(
            [
                ('connection_id', '=', connection.id),
                ('flow', '=', 'statement'),
                ('res_model', '=', record.res_model),
                ('res_id', '=', record.res_id),
            ],
            limit=1,
        )
        if statement:
            raise Held(_lt('It is a part of %s, which stays.', statement.name))
        return Withdrawn('released', self.env._('The statement that it was a part of is undone.'))
