# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models
from odoo.exceptions import UserError


class RampFlowTransactionLink(models.AbstractModel):
    """Link card transactions to entries that somebody made on the card liability."""

    _inherit = 'ramp.flow.transaction'

    _link_model = 'account.move'

    def _get_link_amount(self, connection, document):
        lines = document.line_ids.filtered(lambda line: line.account_id == connection.card_account_id)
        if not lines:
            raise UserError(
                self.env._(
                    '%(document)s has no line on the card liability %(account)s. Choose an entry that was charged to '
                    'the card.',
                    document=document.display_name,
                    account=connection.card_account_id.display_name or '-',
                )
            )
        currency = lines.currency_id
        if len(currency) > 1:
            raise UserError(
                self.env._(
                    'Currency: the lines of %s on the card liability are in several currencies. Choose another entry.',
                    document.display_name,
                )
            )
        return -sum(lines.mapped('amount_currency')), currency

    def _get_link_domain(self, connection, record):
        return [
            ('company_id', '=', record.company_id.id),
            ('state', '=', 'posted'),
            ('ramp_id', '=', False),
            (
                'line_ids',
                'any',
                [
                    ('account_id', '=', connection.card_account_id.id),
                    ('currency_id', '=', record.currency_id.id),
                    ('amount_currency', '=', -record.amount),
                ],
            ),
        ]

    def _on_document_linked(self, connection, value, document):
        self.env['ramp.flow.receipt']._enqueue_files(connection, {value.id: value.receipts}, {value.id: document})
