# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import fields, models


class RampUndoLine(models.Model):
    """One object of an undo: what became of its document, or why it stays."""

    _name = 'ramp.undo.line'
    _description = 'Object of a Ramp Undo'
    _order = 'date desc nulls last, id desc'
    _rec_name = 'name'

    undo_id = fields.Many2one('ramp.undo', required=True, readonly=True, index=True, ondelete='cascade')
    company_id = fields.Many2one('res.company', required=True, readonly=True)
    record_id = fields.Many2one(
        'ramp.record', string='Ramp Record', readonly=True, index='btree_not_null', ondelete='set null'
    )
    flow = fields.Selection(
        lambda self: self.env['ramp.record']._selection_flow(), string='Type', required=True, readonly=True
    )
    name = fields.Char(string='Description', readonly=True)
    date = fields.Date(readonly=True)
    amount = fields.Monetary(readonly=True)
    currency_id = fields.Many2one('res.currency', readonly=True)
    document_name = fields.Char(string='Document', readonly=True)
    outcome = fields.Selection(
        [
            ('todo', 'To do'),
            ('deleted', 'Deleted'),
            ('reversed', 'Reversed'),
            ('released', 'Released'),
            ('gone', 'Was undone before'),
            ('kept', 'Could not be undone'),
        ],
        required=True,
        default='todo',
        readonly=True,
        index=True,
        help='Released: it has no document of its own, and is no longer linked to one.',
    )
    words = fields.Char(string='In Words', readonly=True)
    move_id = fields.Many2one(
        'account.move', string='Prevented By', readonly=True, index='btree_not_null', ondelete='set null'
    )
    was_told = fields.Boolean(
        string='Synced in Ramp', readonly=True, help='Ramp showed it as synced when it was undone, and still does.'
    )
    ramp_url = fields.Char(related='record_id.ramp_url', string='In Ramp')

    def action_open_in_ramp(self):
        """Open the object on Ramp's own pages."""
        self.ensure_one()
        self.check_access('read')
        return self.record_id.action_open_in_ramp()

    def action_retry(self):
        """Let these objects be posted again."""
        self.check_access('read')
        return self.record_id.filtered(lambda record: record.hold_reason == 'person').action_retry()
