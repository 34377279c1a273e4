# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import logging
from collections import defaultdict

from odoo import Command, api, fields, models

from ...ramp_api import Money
from ..engine.flow import Held, is_of_object
from .booking import QUIET
from .payments import REST, SHOWN_BEFORE, SHOWN_WITHIN

_logger = logging.getLogger(__name__)


class RampFlowPaymentBook(models.AbstractModel):
    """Book payments, reconcile them with what they pay, and undo them."""

    _inherit = 'ramp.flow.payment'

    # ------------------------------------------------------------------ booking

    def _book_settlements(self, connection, settlements):
        """Undo what holds no more, and book the payments of these settlements: one for each transfer, partner and
        currency.

        Returns {(ramp_id, key): note}; the payments are posted and reconciled.
        """
        for settlement in settlements:
            self._repay_new_document(connection, {'parts': settlement.noted['parts']}, settlement.line)
            corrected = {part.key for part in settlement.parts}
            if (
                corrected
            ):  # the same money by another name: the payment that was not told before, or one that had no id yet
                corrected |= {REST, settlement.ramp_id}
            for key, note in settlement.undo.items():
                self._undo_booked_payment(connection, note, settlement.reason, has_returned=key not in corrected)
        groups = defaultdict(list)
        for settlement in settlements:
            for part in settlement.parts:
                line = settlement.line
                groups[
                    part.payment_id or (settlement.ramp_id, part.key),
                    line.partner_id,
                    line.account_id,
                    part.journal,
                    part.date,
                    line.currency_id,
                    part.settled and part.settled.currency,
                    settlement.move.is_inbound(),
                    settlement.move.partner_id,
                ].append((settlement, part))
        if not groups:
            return {}
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
                    # that of the document is the partner's; core would look for it once more
                    'fiscal_position_id': members[0][0].move.fiscal_position_id.id,
                }
                for payment, (key, members) in zip(payments, groups.items(), strict=True)
            ]
        )
        self._sync_payments_with_entries(payments, moves)
        payments.write({'state': 'in_process'})  # posts the entries
        notes, plan = {}, []
        for payment, move, members in zip(payments, moves, groups.values(), strict=True):
            bank = payment.outstanding_account_id
            lines = move.line_ids.filtered(lambda line, bank=bank: line.account_id != bank).sorted('sequence')
            for line, (settlement, part) in zip(lines, members, strict=True):
                notes[settlement.ramp_id, part.key] = {'id': payment.id, 'line': line.id, 'amount': part.amount}
                plan.append(line + settlement.line)
        quiet._reconcile_line_pairs(plan)
        return notes

    @api.model
    def _sync_payments_with_entries(self, payments, moves):
        """What core does for each payment by itself, for all at once: it would search for each one what depends on its
        entry.
        """
        with self.env.protecting([payments._fields['move_id']], payments):
            for payment, move in zip(payments, moves, strict=True):
                payment.move_id = move
        payments.modified(['move_id'])

    def _reconcile_line_pairs(self, pairs):
        """Reconcile each pair; at once where no line is in two of them, for what one leaves is the other's."""
        # known to each other, so that a field is fetched once for all of them
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
            # the documents and entries are posted: nothing in them follows from what is reconciled
            self.env['account.move.line'].with_context(skip_invoice_sync=True)._reconcile_plan(now)
            pairs = later
        self.env.flush_all()  # with this context: what reconciling changes of bills and payments is computed here

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
        """The payment method line of a journal."""
        method = journal[f'{direction}_payment_method_line_ids'][:1]
        if not method:
            raise Held(self.env._('The journal %s has no payment method. Add "Manual" to it.', journal.display_name))
        return method

    @api.model
    def _get_outstanding_account(self, connection, journal, direction):
        """(payment method line, account in which a payment stays until the bank line is matched) of a journal."""
        method = self._get_payment_method(journal, direction)
        return method, method.payment_account_id or self.env['account.payment'].with_company(connection.company_id).new(
            {'company_id': connection.company_id.id}
        )._get_outstanding_account(direction)

    def _prepare_payment_lines(self, connection, payment, inbound, members):
        """The entry of a payment: a line for each document it pays, exactly of what it pays of it, and one for the
        bank.
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
                    'partner_id': settlement.line.partner_id.id,
                    'account_id': settlement.line.account_id.id,
                    'currency_id': settlement.line.currency_id.id,
                    'amount_currency': sign * self._minor_to_float(part.amount, settlement.line.currency_id),
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
        """What a part is in units of the company's currency: what left the bank says it best."""
        company, currency = connection.company_id.currency_id, settlement.line.currency_id
        if currency == company:
            return self._minor_to_units(part.amount, company)
        if part.settled and part.settled.currency == company.name:
            return self._minor_to_units(part.settled.minor, company)
        if part.rate is None:
            line = settlement.line
            rate = abs(line.balance / line.amount_currency) if line.amount_currency else 1.0
        else:
            rate = part.rate
        return self._convert_to_company(connection, Money(part.amount, currency.name), rate)

    # ------------------------------------------------------------------ undoing

    def _undo_booked_payment(self, connection, note, reason, has_returned):
        """Reverse the part of a payment that Ramp takes back; what it paid is open again.

        The bank's line of the payment stays open beside that of the reversal: of money that came back the bank shows
        both. Where it shows neither, see `_match_returned_payments`.

        :param has_returned: whether the money came back, or never left, which is booked on the day on which Ramp told
            it, as Ramp does not say when it was; otherwise what was booked is wrong, and reversed on its own day
        """
        payment = self.env['account.payment'].browse(note['id']).exists()
        line = self.env['account.move.line'].browse(note['line']).exists()
        if not payment or not line or payment.state in ('canceled', 'rejected'):
            return
        if payment.reconciled_statement_lines_count:
            raise Held(
                self.env._(
                    'Payment %(payment)s is matched with the bank, but Ramp says: %(reason)s Undo the match, or book '
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
        if reversal:  # somebody was quicker
            payment._message_log(
                body=self.env._(
                    'It was reversed by %(reversal)s already. %(reason)s', reversal=reversal.name, reason=reason
                )
            )
            return
        line.remove_move_reconcile()
        share = line.balance / -bank.balance if bank.balance else 1.0
        company = connection.company_id.currency_id
        values = [
            (line, -line.amount_currency, -line.balance),
            (bank, -bank.currency_id.round(bank.amount_currency * share), line.balance),
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
                                'is_storno': item.company_id.account_storno
                                and not item.is_storno,  # as core has it in reversals
                            }
                        )
                        for item, amount, balance in values
                    ],
                }
            )
        )
        reversal._post(soft=False)
        reversal.reversed_entry_id = payment.move_id  # not before: posting it would reconcile the bank's lines, too
        (line + reversal.line_ids.filtered(lambda item: item.account_id == line.account_id)).reconcile()
        payment._message_log(
            body=self.env._('Reversed by %(reversal)s. %(reason)s', reversal=reversal.name, reason=reason)
        )

    def _match_returned_payments(self, connection):
        """Reconcile the bank's side of a payment that came back with that of its reversal, where the bank shows
        neither: its statements go on for so long after both (`SHOWN_WITHIN`) that it will not show them any more, and
        no open line of it could be one of them. What was reversed in part only is left to a person.
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
