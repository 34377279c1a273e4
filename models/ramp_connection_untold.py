# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import re

from odoo import fields, models

from .connection_constants import SETTINGS

# The trace differs with each request
TRACE = re.compile(r',? ?trace [^\s,\]]+')


class RampConnection(models.Model):
    """Posted objects whose outcome Ramp does not accept: since when, and what Ramp says.

    Nothing is missing in the books then, and nothing is posted twice. Ramp keeps showing these objects as ready. Each
    run sends the outcome again; outcomes that Ramp refused are sent at least once an hour. Nothing is written as long
    as Ramp accepts the outcomes.
    """

    _inherit = 'ramp.connection'

    untold_since = fields.Datetime(
        string='Not Marked Synced Since',
        readonly=True,
        copy=False,
        help='Since when Ramp has not accepted the outcome of what is posted.',
    )
    untold_reason = fields.Text(string='What Ramp Says', readonly=True, copy=False, prefetch=SETTINGS)
    untold_count = fields.Integer(compute='_compute_untold_count', compute_sudo=True, string='Posted, Not Yet Synced')

    def _untold_domain(self):
        return [('connection_id', 'in', self.ids), ('state', '=', 'done'), ('sync_key', '!=', False)]

    def _compute_untold_count(self):
        counts = dict(self.env['ramp.record']._read_group(self._untold_domain(), ['connection_id'], ['__count']))
        for connection in self:
            connection.untold_count = counts.get(connection, 0)

    def _note_untold(self, reason):
        """Store whether Ramp accepted the outcomes of a run.

        :param reason: why Ramp did not accept an outcome, or None if it accepted all
        """
        self.ensure_one()
        if reason:
            reason = TRACE.sub('', reason)
            if not self.untold_since or self.untold_reason != reason:
                self.write({'untold_since': self.untold_since or fields.Datetime.now(), 'untold_reason': reason})
        elif self.untold_since and not self.env['ramp.record'].search_count(self._untold_domain(), limit=1):
            self.write({'untold_since': False, 'untold_reason': False})
