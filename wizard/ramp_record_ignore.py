# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import fields, models


class RampRecordIgnore(models.TransientModel):
    """Ask why objects are left out of the books.

    The reason stays on the row and is sent to Ramp.
    """

    _name = 'ramp.record.ignore'
    _description = 'Ignore Ramp Records'

    record_ids = fields.Many2many('ramp.record', required=True)
    reason = fields.Char(required=True)

    def action_confirm(self):
        """Ignore the rows for the given reason."""
        self.record_ids._ignore_by_person(self.reason)
        return {'type': 'ir.actions.act_window_close'}
