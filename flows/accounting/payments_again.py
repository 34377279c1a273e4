# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import Command, models
from odoo.exceptions import UserError

from ..engine.reasons import Held
from .booking import create_complete_entries
from .payment_notes import PaymentNote


class RampFlowPaymentAgain(models.AbstractModel):
    """Payments that are posted, and pay a document once more: a new one, or one that somebody took them off."""

    _inherit = 'ramp.flow.payment'

    def _on_documents_booked(self, connection, moves):
        """Reopen the rows that wait for documents just posted. Let earlier payments pay the new documents.

        :param moves: {Ramp id: document}
        """
        rows = self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', list(moves))],
            ['ramp_id', 'noted', 'res_id', 'hold_reason'],
        )
        if not rows:
            return
        # A row that was ignored because its document was ignored is reopened, too.
        noted, again = {}, rows.filtered(lambda row: not row.res_id and row.hold_reason == 'rule')
        for row in rows.filtered('res_id'):
            known = row._read_note(PaymentNote)
            if self._repay_new_document(
                connection, known, self._select_owed_lines(self._get_payable_lines(moves[row.ramp_id]))
            ):
                noted[row.id] = known
            again += row
        self.env['ramp.record']._store_noted(noted)
        again._reopen_payment()

    def _repay_new_document(self, connection, noted, lines):
        """Let the earlier payments of a row pay its new document.

        A payment of another vendor or account is transferred first, and that is noted.

        :param noted: `PaymentNote` of the row
        :param lines: payable lines of the new document
        :return: whether `noted` was changed
        :raise Held: when the day of the transfer is locked
        """
        has_changed = False
        for note, paid in self._find_earlier_payments(noted):
            owed = lines.filtered(lambda line: not line.reconciled)
            if paid.reconciled or not owed or {paid.parent_state, owed.move_id.state} != {'posted'}:
                continue
            if (paid.account_id, paid.partner_id) != (owed.account_id, owed.partner_id):
                paid = self._transfer_payment_entry(connection, paid, owed)
                note.note_transfer(paid)
                has_changed = True
            (paid + owed).reconcile()
        return has_changed

    def _reconcile_again_for_user(self, connection, record):
        """Let the payments of a row pay its document again, with the user's access rights.

        :param record: row, in superuser mode
        :raise UserError: when a document or its payment is not posted, not open, or on a locked day
        """
        # sudo: the user may not be able to edit the ledger
        found = self.sudo()._look_up_documents(connection.sudo(), [record.ramp_id])
        _row, move, lines = found.get(record.ramp_id, (None, self.env['account.move'], self.env['account.move.line']))
        move, lines = move.with_env(self.env), lines.with_env(self.env)
        move.check_access('write')
        known = record._read_note(PaymentNote)
        try:
            if self._repay_new_document(connection, known, lines):
                self.env['ramp.record'].sudo()._store_noted({record.id: known})
        except Held as held:
            raise UserError(held.in_language(self.env.lang)) from held
        if any(not paid.reconciled for _note, paid in self._find_earlier_payments(known)) and not all(
            lines.mapped('reconciled')
        ):
            raise UserError(
                self.env._(
                    '%s cannot be reconciled with its payment. Check that both are posted and open.', move.display_name
                )
            )

    def _find_earlier_payments(self, noted):
        """Return the payable lines of earlier payments that are noted on a row: of its parts, and of a payment by card.

        :param noted: `PaymentNote` of the row
        :return: [(`PartNote` or `CardNote`, payable line)]
        """
        found = [
            (note, self.env['account.move.line'].browse(note.line).exists()) for note in (noted.parts or {}).values()
        ]
        if card := noted.card:
            entries = self.env['account.move'].browse(filter(None, [card.id, *(card.transfers or ())])).exists()
            found += [(card, line) for line in entries.line_ids if line.account_type == 'liability_payable']
        return [(note, line) for note, line in found if line]

    def _transfer_payment_entry(self, connection, paid, lines):
        """Post an entry that moves a payment's open amount to the account and partner of the document that it pays.

        It moves at most the open amount of the document, as one payment may pay several documents. The payment's line
        is reconciled with the entry.

        :param paid: payable line of the payment
        :param lines: open payable lines of the document
        :return: the entry's line on the document's account
        :raise Held: when the day is locked
        """
        day = self._get_first_open_day(connection, max(paid.date, lines.move_id.date), paid.journal_id)
        amount, balance = paid.amount_residual_currency, paid.amount_residual
        owed = self._sum_residuals(lines)
        if paid.currency_id == lines.currency_id and owed < abs(amount):
            share = owed / abs(amount)
            amount, balance = paid.currency_id.round(amount * share), paid.company_currency_id.round(balance * share)
        reference = self.env._('%(payment)s pays %(document)s', payment=paid.move_id.name, document=lines.move_id.name)
        entry = create_complete_entries(
            self.env,
            {
                'move_type': 'entry',
                'company_id': paid.company_id.id,
                'journal_id': paid.journal_id.id,
                'date': day,
                'ref': reference,
                'partner_id': lines.partner_id.id,
                'line_ids': [
                    Command.create(
                        {
                            'name': reference,
                            'account_id': item.account_id.id,
                            'partner_id': item.partner_id.id,
                            'currency_id': paid.currency_id.id,
                            'amount_currency': sign * amount,
                            'balance': sign * balance,
                        }
                    )
                    for item, sign in ((lines, 1), (paid, -1))
                ],
            },
        )
        entry._post(soft=False)
        here = entry.line_ids.filtered(
            lambda item: (item.account_id, item.partner_id) == (paid.account_id, paid.partner_id)
        )
        (paid + here).reconcile()
        for document in (paid.move_id.origin_payment_id or paid.move_id, lines.move_id):
            document._message_log(
                body=self.env._(
                    '%(reference)s: %(entry)s', reference=reference, entry=entry._get_html_link(title=entry.name)
                )
            )
        return entry.line_ids - here
