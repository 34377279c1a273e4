# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.exceptions import ValidationError

from .connection_constants import SETTINGS
from .line_label import PLACEHOLDERS, fill, is_well_formed, unknown_placeholders

LABEL_TEMPLATE = '{merchant} · {memo} · {cardholder} ({original_amount})'


class RampConnection(models.Model):
    """How card spend is posted: its partner and its labels."""

    _inherit = 'ramp.connection'

    merchant_policy = fields.Selection(
        [('one', 'One partner for all card merchants'), ('each', 'A vendor for each merchant')],
        string='Merchants',
        required=True,
        default='one',
        tracking=True,
        help='The partner for card spend that is coded to none of your vendors, at a merchant whose name none of '
        'them has. "A vendor for each merchant": one vendor is created for each merchant in Ramp, however the '
        'name is spelled. Like every vendor, it can be offered in Ramp. If two vendors have the name, the card '
        'merchant is used anyway.',
        prefetch=SETTINGS,
    )
    label_template = fields.Char(
        string='Labels',
        required=True,
        default=LABEL_TEMPLATE,
        tracking=True,
        help='The label of the journal items and the expense of card spend. Placeholders: {merchant}, {memo} (of the '
        'line, else of the transaction), {cardholder}, {original_amount} (if it was paid in another currency '
        "than the card's), {category} and {trip}. An empty placeholder is removed, together with the text "
        'between it and the one before, or with its brackets. Without {memo}, a line that has its own memo uses '
        'that memo as its label.',
        prefetch=SETTINGS,
    )
    label_preview = fields.Char(string='For Example', compute='_compute_label_preview')

    @api.depends('label_template')
    @api.depends_context('lang')
    def _compute_label_preview(self):
        example = {
            'merchant': self.env._('Hotel Paris'),
            'memo': self.env._('Client visit'),
            'cardholder': 'A. Lovelace',
            'original_amount': 'EUR 90.00',
            'category': self.env._('Lodging'),
            'trip': self.env._('Paris in June'),
        }
        for connection in self:
            connection.label_preview = connection._label_template_fault() or fill(connection.label_template, example)

    @api.constrains('label_template')
    def _check_label_template(self):
        for connection in self:
            if fault := connection._label_template_fault():
                raise ValidationError(
                    self.env._('Connection %(name)s, field "Labels": %(fault)s', name=connection.name, fault=fault)
                )

    def _label_template_fault(self):
        """Return a sentence that says what is wrong with the template of labels, or None."""
        template, known = self.label_template or '', ', '.join(f'{{{name}}}' for name in PLACEHOLDERS)
        if unknown := unknown_placeholders(template):
            return self.env._(
                'There is no placeholder %(name)s. Use one of these: %(known)s.', name=f'{{{unknown[0]}}}', known=known
            )
        if not is_well_formed(template):
            return self.env._('It has no placeholder, or an unmatched brace. Use at least one of these: %s.', known)
        return None
