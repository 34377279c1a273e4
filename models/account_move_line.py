# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import json

from odoo import api, fields, models
from odoo.fields import Domain


class AccountMoveLine(models.Model):
    _name = 'account.move.line'
    _inherit = ['account.move.line', 'ramp.mapped']

    ramp_tie_out = fields.Char(
        compute='_compute_ramp_tie_out',
        search='_search_ramp_tie_out',
        exportable=False,
        groups='account.group_account_readonly,account.group_account_invoice',
        help='Only for searching: the journal items behind a figure of the Ramp tie-out.',
    )

    @api.depends()
    def _compute_ramp_tie_out(self):
        self.ramp_tie_out = False

    @api.model
    def _search_ramp_tie_out(self, operator, value):
        """Return a domain for the journal items behind a figure of the tie-out.

        The domain holds a query, because a list of ids could be very long.

        :param value: one or more figures as JSON (see `report.ramp_connector.tie_out`)
        """
        if operator not in ('=', 'in'):
            return NotImplemented
        values = [value] if isinstance(value, str) else value
        query = self.env['report.ramp_connector.tie_out']._journal_items_query
        return Domain.OR(Domain('id', 'in', query(**json.loads(figure))) for figure in values)
