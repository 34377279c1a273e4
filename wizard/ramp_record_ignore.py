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
        """Ignore the rows for the given reason, and say so."""
        self.record_ids._ignore_by_person(self.reason)
        count = len(self.record_ids)
        return self.env['ramp.connection']._notify_user(
            'success',
            self.env._('Ignore'),
            self.env._('1 record is ignored. Press Retry on it to take that back.')
            if count == 1
            else self.env._('%s records are ignored. Press Retry on them to take that back.', count),
            closes_dialog=True,
        )
