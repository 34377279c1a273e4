# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models
from odoo.tools import LazyTranslate

from .reasons import Held
from .withdrawn import Withdrawn

_lt = LazyTranslate(__name__)


class RampFlowFileWithdraw(models.AbstractModel):
    """Undo a synchronization: files. Those of a deleted document are deleted with it; a reversed one keeps its files."""

    _inherit = 'ramp.flow.file'

    def _withdraw_object(self, connection, record, undo):
        """Say what became of a file; see `ramp.flow.booking`."""
        documents = self._find_booked_documents(connection, [record.parent_ramp_id]).get(record.parent_ramp_id)
        if documents:
            raise Held(_lt('It is attached to %s, which stays.', documents[0].display_name))
        return Withdrawn('released', self.env._('The document that it was attached to is undone.'))

    def _close_withdrawn_row(self, record, reason):
        """Leave a file out by a rule: it comes back when its object is posted again."""
        record._reopen_for_booking()
        record._ignore_by_rule(reason)
