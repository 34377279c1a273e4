# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import datetime
import logging
from collections import defaultdict

from odoo import Command, api, fields, models

from ..ramp_api import Money
from .booking import QUIET
from .flow import Held, Skipped, Waiting, is_of_object

_logger = logging.getLogger(__name__)

REST = 'rest'  # key of what was paid besides the one payment that Ramp tells of
SHOWN_BEFORE = datetime.timedelta(days=5)  # a bank may show a payment so long before its day, which is of another time zone
SHOWN_WITHIN = datetime.timedelta(days=10)  # a bank shows a payment within so many days, or never


@dataclasses.dataclass(frozen=True)
class Part:
    """One payment of one document. amount: what it pays of it, in minor units of the document's currency; settled: what left or reached
    the bank, where that is another currency; rate: company currency units for one of the document's, None: as the document has it."""

    key: str  # identity within the row, in `noted`
    payment_id: str | None  # Ramp's id: what shares it was one transfer
    amount: int
    settled: Money | None
    rate: float | None
    date: datetime.date
    journal: models.Model
    memo: str


@dataclasses.dataclass(frozen=True)
class Settlement:
    """What is to be done so that a document in Odoo is paid as Ramp says. noted: what was done before and stays."""

    ramp_id: str
    move: models.Model
    line: models.Model  # the document's line in the payable account
    noted: dict
    undo: dict  # by key: what was noted and holds no more
    parts: list  # of Part: to be booked
    reason: str = ''


class RampFlowPayment(models.AbstractModel):
    """What the flows share that pay documents: a row for each paid document, one payment of Odoo for each transfer of Ramp.

    Its rows are not listed from Ramp: what tells of a document tells of its payment. A row compares what Ramp says with what it did
    (`noted`), and does the difference: a payment that failed after it was booked is reversed, another one takes its place.
    """

    _name = 'ramp.flow.payment'
    _inherit = 'ramp.flow.booking'
    _description = 'Ramp Flow: payments'

    _updates = True
    _parent_flow = None  # the flow whose documents are paid; rows have the same Ramp id

    # ------------------------------------------------------------------ a run

    def _work(self, connection, run):
        if not self.env['ramp.record']._has_due_rows(connection, self._flow):
            return
        client = connection._run_client()
        self._check_seat(connection, client)
        self._prepare(connection, client, None)
        self._book_open(connection, run, client)
        self._confirm_open(connection, run, client)

    def _take_due(self, connection, ramp_ids, after):
        """What was one transfer in Ramp is taken together, so that it becomes one payment."""
        Record = self.env['ramp.record']
        if self.env[f'ramp.flow.{self._parent_flow}']._is_at_work(connection):
            return Record, Record  # it calls this job when it is done
        records, _siblings = super()._take_due(connection, ramp_ids, after)
        transfers = [parent for parent in records.mapped('parent_ramp_id') if parent]
        return records, Record._take_due_siblings(connection, self._flow, transfers, records) if transfers else Record

    @api.model
    def _expect(self, connection, rows, asked):
        """Put what the objects of a page say of their payments into the ledger: of those that are paid somehow, or were once.

        :param rows: ledger rows (see `_ledger_row`) of what is paid, by Ramp id
        """
        there = {record.ramp_id for record in self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', list(rows))], ['ramp_id'])}
        payments = [self._ledger_row(connection, row['payload']) for ramp_id, row in rows.items()
                    if ramp_id in there or self._is_paid_somehow(row['payload'], row['value'])]
        if payments:
            # a row that the job of payments holds now is waited for: what Ramp says of it would not be heard again soon
            self.env['ramp.record']._upsert_page(connection, self._flow, payments, asked, updates=True, wait=True)

    def _is_paid_somehow(self, payload, value):
        """Whether there is anything to book of how an object is paid."""
        raise NotImplementedError

    def _documents_booked(self, connection, moves):
        """Documents were booked: rows that wait for them are due, and payments of a former document of theirs pay the new one.

        :param moves: by Ramp id
        """
        rows = self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', list(moves))],
            ['ramp_id', 'noted', 'res_id', 'state', 'is_question'])
        if not rows:
            return
        # one that was left out, because its document was, is looked at again, too
        noted, again = {}, rows.filtered(lambda row: not row.res_id and row.state == 'ignored' and row.is_question)
        for row in rows.filtered('res_id'):
            known = row.noted or {}
            if self._pay_again(connection, known, self._payable_lines(moves[row.ramp_id])[:1]):
                noted[row.id] = known
            again += row
        self.env['ramp.record']._store_noted(noted)
        again._reopen_payment()

    def _pay_again(self, connection, noted, line):
        """Let what paid a former document of a row's pay the one that took its place, whose payable line this is.

        Returns whether `noted` was changed: what was paid for another vendor, or on another account, is transferred, and noted. Raises
        `Held` where the day of that is closed.
        """
        has_changed = False
        for note, paid in self._paid_before(noted):
            if paid.reconciled or line.reconciled or {paid.parent_state, line.parent_state} != {'posted'}:
                continue
            if (paid.account_id, paid.partner_id) != (line.account_id, line.partner_id):
                paid = self._transfer_payment(connection, paid, line)
                if 'line' in note:
                    note['line'] = paid.id
                else:
                    note['transfers'] = [*note.get('transfers', ()), paid.move_id.id]
                has_changed = True
            (paid + line).reconcile()
        return has_changed

    def _paid_before(self, noted):
        """[(note, payable line with which it paid)] of what was noted of a row: of its parts, and of how a card paid it."""
        found = [(note, self.env['account.move.line'].browse(note['line']).exists()) for note in noted.get('parts', {}).values()]
        if card := noted.get('card'):
            entries = self.env['account.move'].browse(filter(None, [card.get('id'), *card.get('transfers', ())])).exists()
            found += [(card, line) for line in entries.line_ids if line.account_type == 'liability_payable']
        return [(note, line) for note, line in found if line]

    def _transfer_payment(self, connection, paid, line):
        """An entry that takes what is open of a payment over to the account and partner of the document that it pays, as far as that is
        open: one payment may pay several documents.

        Returns its line there; that of the payment is reconciled with the other one.
        """
        day = self._open_day(connection, max(paid.date, line.date), paid.journal_id)
        amount, balance = paid.amount_residual_currency, paid.amount_residual
        if paid.currency_id == line.currency_id and abs(line.amount_residual_currency) < abs(amount):
            share = abs(line.amount_residual_currency / amount)
            amount, balance = paid.currency_id.round(amount * share), paid.company_currency_id.round(balance * share)
        reference = self.env._('%(payment)s pays %(document)s', payment=paid.move_id.name, document=line.move_id.name)
        entry = self.env['account.move'].with_context(**QUIET, skip_invoice_sync=True).create({
            'move_type': 'entry', 'company_id': paid.company_id.id, 'journal_id': paid.journal_id.id, 'date': day, 'ref': reference,
            'partner_id': line.partner_id.id, 'line_ids': [Command.create({
                'name': reference, 'account_id': item.account_id.id, 'partner_id': item.partner_id.id, 'currency_id': paid.currency_id.id,
                'amount_currency': sign * amount, 'balance': sign * balance,
            }) for item, sign in ((line, 1), (paid, -1))]})
        entry._post(soft=False)
        here = entry.line_ids.filtered(lambda item: (item.account_id, item.partner_id) == (paid.account_id, paid.partner_id))
        (paid + here).reconcile()
        for document in (paid.move_id.origin_payment_id or paid.move_id, line.move_id):
            document._message_log(body=self.env._(
                '%(reference)s: %(entry)s', reference=reference, entry=entry._get_html_link(title=entry.name)))
        return entry.line_ids - here

    # ------------------------------------------------------------------ looking up

    def _look_up_documents(self, connection, ramp_ids):
        """{Ramp id: (row of the document, move, its payable line)}, in a constant number of queries."""
        booked = self._look_up_booked(connection, self._parent_flow, ramp_ids, ['state', 'error_message', 'name'], [
            'state', 'name', 'move_type', 'currency_id', 'partner_id', 'amount_residual', 'amount_total', 'payment_state',
            'fiscal_position_id'])
        lines = {line.move_id: line for line in self._payable_lines(self.env['account.move'].union(*(
            move for _row, move in booked.values())))}
        return {ramp_id: (row, move, lines.get(move, self.env['account.move.line'])) for ramp_id, (row, move) in booked.items()}

    def _payable_lines(self, moves):
        return self.env['account.move.line'].search_fetch(
            [('move_id', 'in', moves.ids), ('account_id.account_type', 'in', ('liability_payable', 'asset_receivable')),
             ('display_type', '=', 'payment_term')],
            ['move_id', 'account_id', 'partner_id', 'currency_id', 'amount_currency', 'balance', 'amount_residual',
             'amount_residual_currency', 'reconciled', 'parent_state'], order='id') if moves else self.env['account.move.line']

    def _look_up_noted(self, connection, ramp_ids):
        """What was done so far, by Ramp id."""
        rows = self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', list(ramp_ids))], ['ramp_id', 'noted'])
        return {row.ramp_id: row.noted or {} for row in rows}

    # ------------------------------------------------------------------ planning

    def _check_document(self, ramp_id, found):
        """(move, payable line) of the document to be paid; raises `Skipped`, `Waiting` or `Held` where there is none to pay."""
        row, move, line = found['documents'].get(ramp_id, (None, None, None))
        if not row:
            raise Waiting(self.env._('What it pays has not been read from Ramp yet.'))
        if not move and row.state == 'ignored':
            raise Skipped(self.env._('What it pays is left out: %s', row.error_message))
        if not move:
            raise Waiting(self.env._('What it pays is not booked: %s', row.error_message or row.status))
        if move.state == 'draft':
            raise Waiting(self.env._('What it pays is a draft in Odoo. Post it: %s', row.name))
        if move.state != 'posted' or not line:
            raise Held(self.env._('What it pays is cancelled in Odoo: %s', move.name), move)
        return move, line

    def _compare(self, value, move, line, wanted, found, reason='', keep=()):
        """The `Settlement` of a document: `wanted` parts less what was done. `keep`: keys of what was done and stays as it is."""
        noted = found['noted'].get(value.id, {})
        done = noted.get('parts', {})
        keys = {part.key: part for part in wanted}
        undo = {key: note for key, note in done.items()
                if key not in keep and (key not in keys or note['amount'] != keys[key].amount)}
        parts = [part for part in wanted if part.key not in done or part.key in undo]
        kept = {**noted, 'parts': {key: note for key, note in done.items() if key not in undo}}
        return Settlement(value.id, move, line, kept, undo, parts, reason)

    def _check_open(self, settlement, extra=0):
        """Raise `Held` unless so much is open in Odoo as is to be paid: somebody may have paid it there by hand."""
        move, line = settlement.move, settlement.line
        currency = move.currency_id
        wanted = self._float(sum(part.amount for part in settlement.parts) + extra, currency)
        undone = self._float(sum(note['amount'] for note in settlement.undo.values()), currency)
        open_now = abs(line.amount_residual_currency) + undone
        if currency.compare_amounts(wanted, open_now) > 0:
            raise Held(self.env._(
                'Ramp paid %(paid)s, but only %(open)s of %(move)s is open in Odoo: somebody has paid or reconciled it there. Undo that, '
                'so that the payment of Ramp can take its place; or ignore this one.',
                paid=self._in_words(wanted, currency), open=self._in_words(open_now, currency), move=move.name), move)

    @staticmethod
    def _in_words(amount, currency):
        return f'{amount:.{currency.decimal_places}f} {currency.name}'

    # ------------------------------------------------------------------ booking

    def _settle_documents(self, connection, settlements):
        """Undo what holds no more, and book the payments of these settlements: one for each transfer, partner and currency.

        Returns {(ramp_id, key): note}; the payments are posted and reconciled.
        """
        for settlement in settlements:
            self._pay_again(connection, {'parts': settlement.noted['parts']}, settlement.line)
            corrected = {part.key for part in settlement.parts}
            if corrected:  # the same money by another name: the payment that was not told before, or one that had no id yet
                corrected |= {REST, settlement.ramp_id}
            for key, note in settlement.undo.items():
                self._undo_payment(connection, note, settlement.reason, has_returned=key not in corrected)
        groups = defaultdict(list)
        for settlement in settlements:
            for part in settlement.parts:
                line = settlement.line
                groups[
                    part.payment_id or (settlement.ramp_id, part.key), line.partner_id, line.account_id, part.journal, part.date,
                    line.currency_id, part.settled and part.settled.currency, settlement.move.is_inbound(), settlement.move.partner_id,
                ].append((settlement, part))
        if not groups:
            return {}
        quiet = self.with_context(**QUIET, ramp_one_sequence={})
        payments = quiet.env['account.payment'].create(
            [self._payment_values(connection, *key[:8], members) for key, members in groups.items()])
        moves = quiet.env['account.move'].create([{
            **payment._generate_move_vals(line_ids=self._payment_lines(connection, payment, key[7], members)),
            # that of the document is the partner's; core would look for it once more
            'fiscal_position_id': members[0][0].move.fiscal_position_id.id,
        } for payment, (key, members) in zip(payments, groups.items(), strict=True)])
        self._give_entries(payments, moves)
        payments.write({'state': 'in_process'})  # posts the entries
        notes, plan = {}, []
        for payment, move, members in zip(payments, moves, groups.values(), strict=True):
            bank = payment.outstanding_account_id
            lines = move.line_ids.filtered(lambda line, bank=bank: line.account_id != bank).sorted('sequence')
            for line, (settlement, part) in zip(lines, members, strict=True):
                notes[settlement.ramp_id, part.key] = {'id': payment.id, 'line': line.id, 'amount': part.amount}
                plan.append(line + settlement.line)
        quiet._reconcile(plan)
        return notes

    @api.model
    def _give_entries(self, payments, moves):
        """What core does for each payment by itself, for all at once: it would search for each one what depends on its entry."""
        with self.env.protecting([payments._fields['move_id']], payments):
            for payment, move in zip(payments, moves, strict=True):
                payment.move_id = move
        payments.modified(['move_id'])

    def _reconcile(self, pairs):
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

    def _payment_values(self, connection, _transfer, partner, account, journal, date, currency, settled, inbound, members):
        direction = 'inbound' if inbound else 'outbound'
        method = self._method(journal, direction)
        parts = [part for _settlement, part in members]
        total = sum(part.settled.minor if settled else part.amount for part in parts)
        unit = self.env['ramp.coding']._currency(settled) if settled else currency
        return {
            'ramp_id': parts[0].payment_id or members[0][0].ramp_id,
            'payment_type': direction,
            'partner_type': 'supplier',
            'partner_id': partner.id,
            'company_id': connection.company_id.id,
            'journal_id': journal.id,
            'payment_method_line_id': method.id,
            'destination_account_id': account.id,
            'amount': self._float(total, unit),
            'currency_id': unit.id,
            'date': date,
            'memo': ', '.join(dict.fromkeys(part.memo for part in parts))[:200],
            'partner_bank_id': False,
        }

    @api.model
    def _method(self, journal, direction):
        """The payment method line of a journal."""
        method = journal[f'{direction}_payment_method_line_ids'][:1]
        if not method:
            raise Held(self.env._('The journal %s has no payment method. Add "Manual" to it.', journal.display_name))
        return method

    @api.model
    def _bank(self, connection, journal, direction):
        """(payment method line, account in which a payment stays until the bank line is matched) of a journal."""
        method = self._method(journal, direction)
        return method, method.payment_account_id or self.env['account.payment'].with_company(connection.company_id).new(
            {'company_id': connection.company_id.id})._get_outstanding_account(direction)

    def _payment_lines(self, connection, payment, inbound, members):
        """The entry of a payment: a line for each document it pays, exactly of what it pays of it, and one for the bank."""
        company = connection.company_id.currency_id
        sign = -1 if inbound else 1
        lines, balances = [], []
        for settlement, part in members:
            balance = self._part_balance(connection, settlement, part)
            balances.append(balance)
            lines.append({
                'name': part.memo, 'sequence': len(lines) + 1, 'date_maturity': payment.date, 'partner_id': settlement.line.partner_id.id,
                'account_id': settlement.line.account_id.id, 'currency_id': settlement.line.currency_id.id,
                'amount_currency': sign * self._float(part.amount, settlement.line.currency_id),
                'balance': sign * self._amount(balance, company), 'analytic_distribution': False})
        lines.append({
            'name': payment.memo, 'sequence': len(lines) + 1, 'date_maturity': payment.date, 'partner_id': payment.partner_id.id,
            'account_id': payment.outstanding_account_id.id, 'currency_id': payment.currency_id.id,
            'amount_currency': -sign * payment.amount, 'balance': -sign * self._amount(sum(balances), company),
            'analytic_distribution': False})
        return [Command.create(values) for values in lines]

    def _part_balance(self, connection, settlement, part):
        """What a part is in units of the company's currency: what left the bank says it best."""
        company, currency = connection.company_id.currency_id, settlement.line.currency_id
        if currency == company:
            return self._own_units(part.amount, company)
        if part.settled and part.settled.currency == company.name:
            return self._own_units(part.settled.minor, company)
        if part.rate is None:
            line = settlement.line
            rate = abs(line.balance / line.amount_currency) if line.amount_currency else 1.0
        else:
            rate = part.rate
        return self._to_company(connection, Money(part.amount, currency.name), rate)

    # ------------------------------------------------------------------ undoing

    def _undo_payment(self, connection, note, reason, has_returned):
        """Reverse the part of a payment that Ramp takes back; what it paid is open again.

        The bank's line of the payment stays open beside that of the reversal: of money that came back the bank shows both. Where it shows
        neither, see `_match_returned`.

        :param has_returned: whether the money came back, or never left, which is booked on the day on which Ramp told it, as Ramp does not
            say when it was; otherwise what was booked is wrong, and reversed on its own day
        """
        payment = self.env['account.payment'].browse(note['id']).exists()
        line = self.env['account.move.line'].browse(note['line']).exists()
        if not payment or not line or payment.state in ('canceled', 'rejected'):
            return
        if payment.reconciled_statement_lines_count:
            raise Held(self.env._(
                'Payment %(payment)s is matched with the bank, but Ramp says: %(reason)s Undo the match, or book the return by hand.',
                payment=payment.name, reason=reason), payment.move_id)
        day = max(payment.date, fields.Date.context_today(self)) if has_returned else payment.date
        date = self._open_day(connection, day, payment.journal_id)
        bank = payment.move_id.line_ids.filtered(lambda item: item.account_id == payment.outstanding_account_id)[:1]
        partials = line.matched_debit_ids.debit_move_id + line.matched_credit_ids.credit_move_id
        reversal = partials.move_id.filtered(lambda move: move.reversed_entry_id == payment.move_id)[:1]
        if reversal:  # somebody was quicker
            payment._message_log(body=self.env._(
                'It was reversed by %(reversal)s already. %(reason)s', reversal=reversal.name, reason=reason))
            return
        line.remove_move_reconcile()
        share = line.balance / -bank.balance if bank.balance else 1.0
        company = connection.company_id.currency_id
        values = [(line, -line.amount_currency, -line.balance),
                  (bank, -bank.currency_id.round(bank.amount_currency * share), line.balance)]
        reversal = self.env['account.move'].with_context(**QUIET).create({
            'move_type': 'entry', 'company_id': connection.company_id.id, 'journal_id': payment.journal_id.id, 'date': date,
            'partner_id': payment.partner_id.id,
            'ref': self.env._('Reversal of: %(name)s. %(reason)s', name=payment.name, reason=reason),
            'line_ids': [Command.create({
                'name': item.name, 'account_id': item.account_id.id, 'partner_id': item.partner_id.id, 'currency_id': item.currency_id.id,
                'amount_currency': amount, 'balance': company.round(balance),
                'is_storno': item.company_id.account_storno and not item.is_storno,  # as core has it in reversals
            }) for item, amount, balance in values]})
        reversal._post(soft=False)
        reversal.reversed_entry_id = payment.move_id  # not before: posting it would reconcile the bank's lines, too
        (line + reversal.line_ids.filtered(lambda item: item.account_id == line.account_id)).reconcile()
        payment._message_log(body=self.env._('Reversed by %(reversal)s. %(reason)s', reversal=reversal.name, reason=reason))

    def _match_returned(self, connection):
        """Reconcile the bank's side of a payment that came back with that of its reversal, where the bank shows neither: its statements
        go on for so long after both (`SHOWN_WITHIN`) that it will not show them any more, and no open line of it could be one of them.
        What was reversed in part only is left to a person.
        """
        lines = self.env['account.move.line'].search([
            ('company_id', '=', connection.company_id.id), ('parent_state', '=', 'posted'), ('reconciled', '=', False),
            ('account_id.reconcile', '=', True), ('account_id.account_type', 'not in', ('liability_payable', 'asset_receivable')),
            ('move_id.reversed_entry_id.origin_payment_id.ramp_id', '!=', False)])
        shown = dict(self.env['account.bank.statement.line']._read_group(
            [('journal_id', 'in', lines.journal_id.ids), ('state', '=', 'posted'), ('date', '<=', fields.Date.context_today(self))],
            ['journal_id'], ['date:max'])) if lines else {}
        for line in lines:
            if line.journal_id in shown and shown[line.journal_id] >= line.date + SHOWN_WITHIN:
                try:
                    with self.env.cr.savepoint():
                        self._match_with_reversal(line)
                        self.env.flush_all()
                except Exception as error:
                    if not is_of_object(error, undone=True):
                        raise
                    _logger.warning('%s was not reconciled with what it reverses: %s', line.move_id.name, error)

    def _match_with_reversal(self, line):
        paid = line.move_id.reversed_entry_id.line_ids.filtered(lambda item: item.account_id == line.account_id and not item.reconciled)
        amount = abs(line.amount_currency)
        if len(paid) != 1 or paid.amount_residual_currency != -line.amount_residual_currency or abs(paid.amount_currency) != amount:
            return
        if self.env['account.bank.statement.line'].search_count([
                ('journal_id', '=', line.journal_id.id), ('state', '=', 'posted'), ('is_reconciled', '=', False),
                ('date', '>=', paid.date - SHOWN_BEFORE), '|', ('amount', 'in', (amount, -amount)),
                ('amount_currency', 'in', (amount, -amount))], limit=1):
            return
        (line + paid).reconcile()

    @api.model
    def _memo(self, *texts):
        return ' '.join(filter(None, texts))
