# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import fields, models
from odoo.tools import SQL


class RampAccountType(models.Model):
    """Account types to choose from. A selection field holds only one; a connection can offer several."""

    _name = 'ramp.account.type'
    _description = 'Type of accounts offered to Ramp'
    _order = 'id'
    _log_access = False

    code = fields.Char(required=True, readonly=True)
    name = fields.Char(compute='_compute_name')

    _code_once = models.UniqueIndex('(code)')

    def init(self):
        """Create a record for each account type that Odoo knows; other modules may add types."""
        codes = list(dict(self.env['account.account']._fields['account_type'].selection))
        self.env.cr.execute(
            SQL(
                'INSERT INTO ramp_account_type (code) SELECT code FROM unnest(%s) WITH ORDINALITY AS t(code, position) '
                'ORDER BY position ON CONFLICT DO NOTHING',
                codes,
            )
        )

    def _compute_name(self):
        labels = dict(self.env['account.account']._fields['account_type']._description_selection(self.env))
        for kind in self:
            kind.name = labels.get(kind.code, kind.code)
