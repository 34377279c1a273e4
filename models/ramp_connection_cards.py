# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import SQL

from .connection_constants import SETTINGS
from .line_label import PLACEHOLDERS, fill, is_well_formed, unknown_placeholders

LABEL_TEMPLATE = '{merchant} · {memo} · {cardholder} ({original_amount})'


class RampConnection(models.Model):
    """How card spend is posted: its account, its partner and its labels."""

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

    @api.constrains('card_journal_id')
    def _check_card_account(self):
        """Refuse another card liability once card spend is posted.

        What is owed would be on two accounts, and the tie-out compares the balance of one.

        :raise ValidationError: names the account that is used, and the remedy
        """
        self.flush_recordset(['card_journal_id'])
        self.env['account.journal'].flush_model(['default_account_id'])
        self.env['account.move.line'].flush_model(['account_id', 'parent_state'])
        used = dict(
            self.env.execute_query(
                SQL(
                    """
                    SELECT c.id, line.account_id
                      FROM ramp_connection c
                      JOIN account_journal j ON j.id = c.card_journal_id
                     CROSS JOIN LATERAL (
                           -- one is enough, as this check keeps all of them on the same account
                           SELECT r.res_id, r.amount FROM ramp_record r
                            WHERE r.connection_id = c.id AND r.flow = 'transaction' AND r.res_model = 'account.move'
                              AND r.res_id IS NOT NULL
                            ORDER BY r.id DESC LIMIT 1) latest
                     CROSS JOIN LATERAL (
                           SELECT l.account_id FROM account_move_line l
                            WHERE l.move_id = latest.res_id AND l.parent_state <> 'cancel'
                            ORDER BY l.balance * sign(latest.amount) LIMIT 1) line
                     WHERE c.id = ANY(%s)
                       AND NOT EXISTS (
                           SELECT FROM account_move_line l
                            WHERE l.move_id = latest.res_id AND l.account_id = j.default_account_id)
                    """,
                    self.ids,
                )
            )
        )
        for connection in self.filtered(lambda connection: connection.id in used):
            account = self.env['account.account'].browse(used[connection.id])
            raise ValidationError(
                self.env._(
                    'Connection %(name)s, journal %(journal)s: card spend is posted to the card liability '
                    '%(account)s. Keep this account as the default account of the journal. To change its code or '
                    'its name, edit the account.',
                    name=connection.name,
                    journal=connection.card_journal_id.display_name,
                    account=account.with_company(connection.company_id).display_name,
                )
            )
