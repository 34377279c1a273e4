# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import copy
import logging
from collections import defaultdict

from odoo import Command, api, fields, models
from odoo.tools import LazyTranslate

from ...ramp_api import Money
from ..engine.flow import is_of_object
from ..engine.reasons import ALL_ARGUMENTS, Held
from .booking import QUIET
from .payment_notes import PartNote, PaymentNote
from .payments import REST, SHOWN_BEFORE, SHOWN_WITHIN

_lt = LazyTranslate(__name__)

_logger = logging.getLogger(__name__)


class RampFlowPaymentBook(models.AbstractModel):
    """Post payments, reconcile them with the documents, and undo them."""

    _inherit = 'ramp.flow.payment'

    # ------------------------------------------------------------------ posting

    def _book_settlements(self, connection, settlements):
        """Undo what is no longer right, then post and reconcile the payments of these settlements.

        There is one payment for each transfer, payee and currency. The settlements are not changed, as they are
        planned once, and posted again one by one if their batch fails.

        :return: {(Ramp id, key): `PartNote`} of what was done before and stays, and of what was posted now
        :raise Held: when a payment cannot be posted or undone
        """
        notes = {}
        for settlement in settlements:
            kept = copy.deepcopy(settlement.noted.parts)
            self._repay_new_document(connection, PaymentNote(parts=kept), settlement.lines)
            notes.update(((settlement.ramp_id, key), note) for key, note in kept.items())
            corrected = {part.key for part in settlement.parts}
            if corrected:
                # The same money under another key: Ramp did not show the payment before, or it had no id yet.
                corrected |= {REST, settlement.ramp_id}
            for key, note in settlement.undo.items():
                self._undo_booked_payment(connection, note, settlement.reason, has_returned=key not in corrected)
        groups = defaultdict(list)
        for settlement in settlements:
            for part in settlement.parts:
                lines = settlement.lines
                groups[
                    part.payment_id or (settlement.ramp_id, part.key),
                    lines.partner_id,
                    lines.account_id,
                    part.journal,
                    part.date,
                    lines.currency_id,
                    part.settled and part.settled.currency,
                    settlement.move.is_inbound(),
                    settlement.move.partner_id,
                    part.payee,
                ].append((settlement, part))
        if not groups:
            return notes
        quiet = self.with_context(**QUIET, ramp_one_sequence={})
        payments = quiet.env['account.payment'].create(
            [self._prepare_payment_values(connection, *key[:8], members) for key, members in groups.items()]
        )
        moves = quiet.env['account.move'].create(
            [
                {
                    **payment._generate_move_vals(
                        line_ids=self._prepare_payment_lines(connection, payment, key[7], members)
                    ),
                    # The document has the partner's fiscal position. Odoo would search it again.
                    'fiscal_position_id': members[0][0].move.fiscal_position_id.id,
                }
                for payment, (key, members) in zip(payments, groups.items(), strict=True)
            ]
        )
        self._sync_payments_with_entries(payments, moves)
        payments.write({'state': 'in_process'})  # posts the entries
        plan = []
        for payment, move, members in zip(payments, moves, groups.values(), strict=True):
            bank = payment.outstanding_account_id
            lines = move.line_ids.filtered(lambda line, bank=bank: line.account_id != bank).sorted('sequence')
            for line, (settlement, part) in zip(lines, members, strict=True):
                notes[settlement.ramp_id, part.key] = PartNote(id=payment.id, line=line.id, amount=part.amount)
                plan.append(line + settlement.lines.filtered(lambda item: not item.reconciled))
        quiet._reconcile_line_pairs(plan)
        return notes

    @api.model
    def _sync_payments_with_entries(self, payments, moves):
        """Link the payments with their entries at once.

        Odoo links them one by one, and searches each time for what depends on the entry.
        """
        with self.env.protecting([payments._fields['move_id']], payments):
            for payment, move in zip(payments, moves, strict=True):
                payment.move_id = move
        payments.modified(['move_id'])

    def _reconcile_line_pairs(self, pairs):
        """Reconcile a payment with its document, each pair on its own. Pairs with a common line are in different rounds.

        The second pair of such a line gets what the first one left open. Of installments, core pays the oldest first.
        """
        # A common prefetch, so that a field is fetched once for all lines.
        together = tuple(dict.fromkeys(identity for pair in pairs for identity in pair._ids))
        pairs = [pair.with_prefetch(together) for pair in pairs]
        while pairs:
            seen, now, later = self.env['account.move.line'], [], []
            for pair in pairs:
                if pair & seen:
                    later.append(pair)
                else:
                    seen |= pair
                    now.append(pair)
            # The documents and entries are posted. Reconciling changes nothing in them.
            self.env['account.move.line'].with_context(skip_invoice_sync=True)._reconcile_plan(now)
            # Of a document that is due in installments, some may be paid by now.
            pairs = [pair.filtered(lambda line: not line.reconciled) for pair in later]
        self.env.flush_all()  # computes in this context what reconciling changes on bills and payments

    def _prepare_payment_values(
        self, connection, _transfer_id, partner, account, journal, date, currency, settled, inbound, members
    ):
        direction = 'inbound' if inbound else 'outbound'
        method = self._get_payment_method(journal, direction)
        parts = [part for _settlement, part in members]
        total = sum(part.settled.minor if settled else part.amount for part in parts)
        unit = self.env['ramp.coding']._get_currency(settled) if settled else currency
        return {
            'ramp_id': parts[0].payment_id or members[0][0].ramp_id,
            'payment_type': direction,
            'partner_type': 'supplier',
            'partner_id': partner.id,
            'company_id': connection.company_id.id,
            'journal_id': journal.id,
            'payment_method_line_id': method.id,
            'destination_account_id': account.id,
            'amount': self._minor_to_float(total, unit),
            'currency_id': unit.id,
            'date': date,
            'memo': ', '.join(dict.fromkeys(part.memo for part in parts))[:200],
            'partner_bank_id': False,
        }

    @api.model
    def _get_payment_method(self, journal, direction):
        """Return the payment method line of a journal.

        :raise Held: when the journal has none
        """
        method = journal[f'{direction}_payment_method_line_ids'][:1]
        if not method:
            raise Held(
                _lt('The journal %s has no payment method. Add "Manual" to it.', journal.display_name), by=ALL_ARGUMENTS
            )
        return method

    @api.model
    def _get_outstanding_account(self, connection, journal, direction):
        """Return (payment method line, outstanding account) of a journal.

        A payment stays on the outstanding account until the bank line is matched.
        """
        method = self._get_payment_method(journal, direction)
        return method, method.payment_account_id or self.env['account.payment'].with_company(connection.company_id).new(
            {'company_id': connection.company_id.id}
        )._get_outstanding_account(direction)

    def _prepare_payment_lines(self, connection, payment, inbound, members):
        """Return the items of a payment's entry.

        There is a line for each document, with exactly the amount that is paid of it, and one line for the bank.
        """
        company = connection.company_id.currency_id
        sign = -1 if inbound else 1
        lines, balances = [], []
        for settlement, part in members:
            balance = self._get_part_balance(connection, settlement, part)
            balances.append(balance)
            lines.append(
                {
                    'name': part.memo,
                    'sequence': len(lines) + 1,
                    'date_maturity': payment.date,
                    'partner_id': settlement.lines.partner_id.id,
                    'account_id': settlement.lines.account_id.id,
                    'currency_id': settlement.lines.currency_id.id,
                    'amount_currency': sign * self._minor_to_float(part.amount, settlement.lines.currency_id),
                    'balance': sign * self._units_to_amount(balance, company),
                    'analytic_distribution': False,
                }
            )
        lines.append(
            {
                'name': payment.memo,
                'sequence': len(lines) + 1,
                'date_maturity': payment.date,
                'partner_id': payment.partner_id.id,
                'account_id': payment.outstanding_account_id.id,
                'currency_id': payment.currency_id.id,
                'amount_currency': -sign * payment.amount,
                'balance': -sign * self._units_to_amount(sum(balances), company),
                'analytic_distribution': False,
            }
        )
        return [Command.create(values) for values in lines]

    def _get_part_balance(self, connection, settlement, part):
        """Return a part in units of the company's currency. The amount that left the bank is the best source."""
        company, currency = connection.company_id.currency_id, settlement.lines.currency_id
        if currency == company:
            return self._minor_to_units(part.amount, company)
        if part.settled and part.settled.currency == company.name:
            return self._minor_to_units(part.settled.minor, company)
        if part.rate is None:
            owed, amount = (sum(settlement.lines.mapped(name)) for name in ('balance', 'amount_currency'))
            rate = abs(owed / amount) if amount else 1.0
        else:
            rate = part.rate
        return self._convert_to_company(connection, Money(part.amount, currency.name), rate)

    # ------------------------------------------------------------------ undoing

    def _undo_booked_payment(self, connection, note, reason, has_returned):
        """Reverse the part of a payment that Ramp takes back, so that its document is open again. Cancel a draft.

        The bank side of the payment and that of the reversal stay open. If money came back, the bank shows both. If it
        shows neither, see `_match_returned_payments`.

        :param note: `PostedNote` of the part
        :param has_returned: True if the money came back, or never left. The reversal is then dated on the day when Ramp
            reported it, as Ramp does not say when it happened. False if the posting was wrong. It is then reversed on
            its own day.
        :raise Held: when the payment is matched with the bank, or the day is locked
        """
        payment = self.env['account.payment'].browse(note.id).exists()
        line = self.env['account.move.line'].browse(note.line).exists()
        if not payment or not line or payment.state in ('canceled', 'rejected'):
            return
        if payment.state == 'draft':
            # Somebody took it out of the books. There is nothing to reverse, and it must not come back.
            payment._message_log(body=reason)
            payment.action_cancel()
            return
        if payment.reconciled_statement_lines_count:
            raise Held(
                _lt(
                    'Payment %(payment)s is matched with the bank, but Ramp says: %(reason)s Undo the match, or post '
                    'the return by hand.',
                    payment=payment.name,
                    reason=reason,
                ),
                payment.move_id,
            )
        day = max(payment.date, fields.Date.context_today(self)) if has_returned else payment.date
        date = self._get_first_open_day(connection, day, payment.journal_id)
        bank = payment.move_id.line_ids.filtered(lambda item: item.account_id == payment.outstanding_account_id)[:1]
        partials = line.matched_debit_ids.debit_move_id + line.matched_credit_ids.credit_move_id
        reversal = partials.move_id.filtered(lambda move: move.reversed_entry_id == payment.move_id)[:1]
        if reversal:  # somebody has reversed it already
            payment._message_log(
                body=self.env._(
                    'It was already reversed by %(reversal)s. %(reason)s', reversal=reversal.name, reason=reason
                )
            )
            return
        # What core posted because of the payment (exchange differences, taxes that are due on payment) is reversed on that
        # day as well. Otherwise it would be reversed in the month of the payment.
        line.with_context(ramp_unreconciled_on=date).remove_move_reconcile()
        company = connection.company_id.currency_id
        values = [
            (line, -line.amount_currency, -line.balance),
            (bank, self._get_part_of_bank_line(line, bank), line.balance),
        ]
        reversal = (
            self.env['account.move']
            .with_context(**QUIET)
            .create(
                {
                    'move_type': 'entry',
                    'company_id': connection.company_id.id,
                    'journal_id': payment.journal_id.id,
                    'date': date,
                    'partner_id': payment.partner_id.id,
                    'ref': self.env._('Reversal of: %(name)s. %(reason)s', name=payment.name, reason=reason),
                    'line_ids': [
                        Command.create(
                            {
                                'name': item.name,
                                'account_id': item.account_id.id,
                                'partner_id': item.partner_id.id,
                                'currency_id': item.currency_id.id,
                                'amount_currency': amount,
                                'balance': company.round(balance),
                                # The same rule as in Odoo's own reversals.
                                'is_storno': item.company_id.account_storno and not item.is_storno,
                            }
                        )
                        for item, amount, balance in values
                    ],
                }
            )
        )
        reversal._post(soft=False)
        # Set after posting. Otherwise posting would also reconcile the lines of the bank side.
        reversal.reversed_entry_id = payment.move_id
        (line + reversal.line_ids.filtered(lambda item: item.account_id == line.account_id)).reconcile()
        payment._message_log(
            body=self.env._('Reversed by %(reversal)s. %(reason)s', reversal=reversal.name, reason=reason)
        )

    @api.model
    def _get_part_of_bank_line(self, line, bank):
        """Return what a line of a payment is in the currency of its bank line.

        The parts of a payment may have different rates. So only where the bank has a third currency does the part of
        the balance say it.
        """
        if bank.currency_id == line.currency_id:
            return line.amount_currency
        if bank.currency_id == bank.company_currency_id:
            return line.balance
        share = line.balance / bank.balance if bank.balance else -1.0
        return bank.currency_id.round(bank.amount_currency * share)

    def _match_returned_payments(self, connection):
        """Reconcile the bank side of a returned payment with that of its reversal, where the bank shows neither.

        The bank's statements must go on long enough after both (`SHOWN_WITHIN`), so that it will not show them any
        more. No open bank line may be one of them. A payment that was reversed only in part is left to a person.
        """
        lines = self.env['account.move.line'].search(
            [
                ('company_id', '=', connection.company_id.id),
                ('parent_state', '=', 'posted'),
                ('reconciled', '=', False),
                ('account_id.reconcile', '=', True),
                ('account_id.account_type', 'not in', ('liability_payable', 'asset_receivable')),
                ('move_id.reversed_entry_id.origin_payment_id.ramp_id', '!=', False),
            ]
        )
        shown = (
            dict(
                self.env['account.bank.statement.line']._read_group(
                    [
                        ('journal_id', 'in', lines.journal_id.ids),
                        ('state', '=', 'posted'),
                        ('date', '<=', fields.Date.context_today(self)),
                    ],
                    ['journal_id'],
                    ['date:max'],
                )
            )
            if lines
            else {}
        )
        for line in lines:
            if line.journal_id in shown and shown[line.journal_id] >= line.date + SHOWN_WITHIN:
                try:
                    with self.env.cr.savepoint():
                        self._match_reversed_payment(line)
                        self.env.flush_all()
                except Exception as error:
                    if not is_of_object(error, undone=True):
                        raise
                    _logger.warning('%s was not reconciled with what it reverses: %s', line.move_id.name, error)

    def _match_reversed_payment(self, line):
        paid = line.move_id.reversed_entry_id.line_ids.filtered(
            lambda item: item.account_id == line.account_id and not item.reconciled
        )
        amount = abs(line.amount_currency)
        if (
            len(paid) != 1
            or paid.amount_residual_currency != -line.amount_residual_currency
            or abs(paid.amount_currency) != amount
        ):
            return
        if self.env['account.bank.statement.line'].search_count(
            [
                ('journal_id', '=', line.journal_id.id),
                ('state', '=', 'posted'),
                ('is_reconciled', '=', False),
                ('date', '>=', paid.date - SHOWN_BEFORE),
                '|',
                ('amount', 'in', (amount, -amount)),
                ('amount_currency', 'in', (amount, -amount)),
            ],
            limit=1,
        ):
            return
        (line + paid).reconcile()

    @api.model
    def _join_memo_texts(self, *texts):
        return ' '.join(filter(None, texts))
