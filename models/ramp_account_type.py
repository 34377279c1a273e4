# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import fields, models
from odoo.tools import SQL


class RampAccountType(models.Model):
    """The types of accounts, to be chosen from: a selection field can hold only one, a connection offers several."""

    _name = 'ramp.account.type'
    _description = 'Type of accounts offered to Ramp'
    _order = 'id'
    _log_access = False

    code = fields.Char(required=True, readonly=True)
    name = fields.Char(compute='_compute_name')

    _code_once = models.UniqueIndex('(code)')

    def init(self):
        """Have a record for each type that Odoo knows; other modules may add some."""
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
