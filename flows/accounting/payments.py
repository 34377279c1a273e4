# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import datetime
import logging

from odoo import Command, api, models

from ...ramp_api import Money
from ..engine.flow import Held, Skipped, Waiting
from .booking import QUIET

_logger = logging.getLogger(__name__)

REST = 'rest'  # key of what was paid besides the one payment that Ramp tells of
# a bank may show a payment so long before its day, which is of another time zone
SHOWN_BEFORE = datetime.timedelta(days=5)
SHOWN_WITHIN = datetime.timedelta(days=10)  # a bank shows a payment within so many days, or never


@dataclasses.dataclass(frozen=True)
class Part:
    """One payment of one document. amount: what it pays of it, in minor units of the document's currency; settled: what
    left or reached the bank, where that is another currency; rate: company currency units for one of the document's,
    None: as the document has it."""

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
    """What the flows share that pay documents: a row for each paid document, one payment of Odoo for each transfer of
    Ramp.

    Its rows are not listed from Ramp: what tells of a document tells of its payment. A row compares what Ramp says with
    what it did (`noted`), and does the difference: a payment that failed after it was booked is reversed, another one
    takes its place.
    """

    _name = 'ramp.flow.payment'
    _inherit = [
        'ramp.flow.booking',
        'ramp.flow.store',
        'ramp.flow.withhold',
        'ramp.flow.book',
        'ramp.flow.confirm',
        'ramp.flow',
    ]
    _description = 'Ramp Flow: payments'

    _updates = True
    _parent_flow = None  # the flow whose documents are paid; rows have the same Ramp id

    # ------------------------------------------------------------------ a run

    def _run_connection_work(self, connection, run):
        if not self.env['ramp.record']._has_due_rows(connection, self._flow):
            return
        client = connection._run_client()
        self._check_seat(connection, client)
        self._fetch_before_booking(connection, client, None)
        self._book_all_due(connection, run, client)
        self._confirm_earlier_batches(connection, run, client)

    def _take_next_rows(self, connection, ramp_ids, after):
        """What was one transfer in Ramp is taken together, so that it becomes one payment."""
        Record = self.env['ramp.record']
        if self.env[f'ramp.flow.{self._parent_flow}']._is_reading_under_way(connection):
            return Record, Record  # it calls this job when it is done
        records, _siblings = super()._take_next_rows(connection, ramp_ids, after)
        transfers = [parent for parent in records.mapped('parent_ramp_id') if parent]
        return records, Record._take_due_siblings(connection, self._flow, transfers, records) if transfers else Record

    @api.model
    def _upsert_payment_rows(self, connection, rows, asked):
        """Put what the objects of a page say of their payments into the ledger: of those that are paid somehow, or were
        once.

        :param rows: ledger rows (see `_make_ledger_row`) of what is paid, by Ramp id
        """
        there = {
            record.ramp_id
            for record in self.env['ramp.record'].search_fetch(
                [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', list(rows))],
                ['ramp_id'],
            )
        }
        payments = [
            self._make_ledger_row(connection, row['payload'])
            for ramp_id, row in rows.items()
            if ramp_id in there or self._is_partly_paid(row['payload'], row['value'])
        ]
        if payments:
            # a row that the job of payments holds now is waited for: what Ramp says of it would not be heard again soon
            self.env['ramp.record']._upsert_page(connection, self._flow, payments, asked, updates=True, wait=True)

    def _is_partly_paid(self, payload, value):
        """Whether there is anything to book of how an object is paid."""
        raise NotImplementedError

    def _on_documents_booked(self, connection, moves):
        """Documents were booked: rows that wait for them are due, and payments of a former document of theirs pay the
        new one.

        :param moves: by Ramp id
        """
        rows = self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', list(moves))],
            ['ramp_id', 'noted', 'res_id', 'state', 'is_question'],
        )
        if not rows:
            return
        # one that was left out, because its document was, is looked at again, too
        noted, again = {}, rows.filtered(lambda row: not row.res_id and row.state == 'ignored' and row.is_question)
        for row in rows.filtered('res_id'):
            known = row.noted or {}
            if self._repay_new_document(connection, known, self._get_payable_lines(moves[row.ramp_id])[:1]):
                noted[row.id] = known
            again += row
        self.env['ramp.record']._store_noted(noted)
        again._reopen_payment()

    def _repay_new_document(self, connection, noted, line):
        """Let what paid a former document of a row's pay the one that took its place, whose payable line this is.

        Returns whether `noted` was changed: what was paid for another vendor, or on another account, is transferred,
        and noted. Raises `Held` where the day of that is closed.
        """
        has_changed = False
        for note, paid in self._find_earlier_payments(noted):
            if paid.reconciled or line.reconciled or {paid.parent_state, line.parent_state} != {'posted'}:
                continue
            if (paid.account_id, paid.partner_id) != (line.account_id, line.partner_id):
                paid = self._transfer_payment_entry(connection, paid, line)
                if 'line' in note:
                    note['line'] = paid.id
                else:
                    note['transfers'] = [*note.get('transfers', ()), paid.move_id.id]
                has_changed = True
            (paid + line).reconcile()
        return has_changed

    def _find_earlier_payments(self, noted):
        """[(note, payable line with which it paid)] of what was noted of a row: of its parts, and of how a card paid
        it.
        """
        found = [
            (note, self.env['account.move.line'].browse(note['line']).exists())
            for note in noted.get('parts', {}).values()
        ]
        if card := noted.get('card'):
            entries = (
                self.env['account.move'].browse(filter(None, [card.get('id'), *card.get('transfers', ())])).exists()
            )
            found += [(card, line) for line in entries.line_ids if line.account_type == 'liability_payable']
        return [(note, line) for note, line in found if line]

    def _transfer_payment_entry(self, connection, paid, line):
        """An entry that takes what is open of a payment over to the account and partner of the document that it pays,
        as far as that is open: one payment may pay several documents.

        Returns its line there; that of the payment is reconciled with the other one.
        """
        day = self._get_first_open_day(connection, max(paid.date, line.date), paid.journal_id)
        amount, balance = paid.amount_residual_currency, paid.amount_residual
        if paid.currency_id == line.currency_id and abs(line.amount_residual_currency) < abs(amount):
            share = abs(line.amount_residual_currency / amount)
            amount, balance = paid.currency_id.round(amount * share), paid.company_currency_id.round(balance * share)
        reference = self.env._('%(payment)s pays %(document)s', payment=paid.move_id.name, document=line.move_id.name)
        entry = (
            self.env['account.move']
            .with_context(**QUIET, skip_invoice_sync=True)
            .create(
                {
                    'move_type': 'entry',
                    'company_id': paid.company_id.id,
                    'journal_id': paid.journal_id.id,
                    'date': day,
                    'ref': reference,
                    'partner_id': line.partner_id.id,
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
                        for item, sign in ((line, 1), (paid, -1))
                    ],
                }
            )
        )
        entry._post(soft=False)
        here = entry.line_ids.filtered(
            lambda item: (item.account_id, item.partner_id) == (paid.account_id, paid.partner_id)
        )
        (paid + here).reconcile()
        for document in (paid.move_id.origin_payment_id or paid.move_id, line.move_id):
            document._message_log(
                body=self.env._(
                    '%(reference)s: %(entry)s', reference=reference, entry=entry._get_html_link(title=entry.name)
                )
            )
        return entry.line_ids - here

    # ------------------------------------------------------------------ looking up

    def _look_up_documents(self, connection, ramp_ids):
        """{Ramp id: (row of the document, move, its payable line)}, in a constant number of queries."""
        booked = self._look_up_booked_rows(
            connection,
            self._parent_flow,
            ramp_ids,
            ['state', 'error_message', 'name'],
            [
                'state',
                'name',
                'move_type',
                'currency_id',
                'partner_id',
                'amount_residual',
                'amount_total',
                'payment_state',
                'fiscal_position_id',
            ],
        )
        lines = {
            line.move_id: line
            for line in self._get_payable_lines(
                self.env['account.move'].union(*(move for _get_ledger_columns, move in booked.values()))
            )
        }
        return {
            ramp_id: (row, move, lines.get(move, self.env['account.move.line']))
            for ramp_id, (row, move) in booked.items()
        }

    def _get_payable_lines(self, moves):
        return (
            self.env['account.move.line'].search_fetch(
                [
                    ('move_id', 'in', moves.ids),
                    ('account_id.account_type', 'in', ('liability_payable', 'asset_receivable')),
                    ('display_type', '=', 'payment_term'),
                ],
                [
                    'move_id',
                    'account_id',
                    'partner_id',
                    'currency_id',
                    'amount_currency',
                    'balance',
                    'amount_residual',
                    'amount_residual_currency',
                    'reconciled',
                    'parent_state',
                ],
                order='id',
            )
            if moves
            else self.env['account.move.line']
        )

    def _look_up_noted(self, connection, ramp_ids):
        """What was done so far, by Ramp id."""
        rows = self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', list(ramp_ids))],
            ['ramp_id', 'noted'],
        )
        return {row.ramp_id: row.noted or {} for row in rows}

    # ------------------------------------------------------------------ planning

    def _check_paid_document(self, ramp_id, found):
        """(move, payable line) of the document to be paid; raises `Skipped`, `Waiting` or `Held` where there is none to
        pay.
        """
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

    def _plan_settlement(self, value, move, line, wanted, found, reason='', keep=()):
        """The `Settlement` of a document: `wanted` parts less what was done. `keep`: keys of what was done and stays as
        it is.
        """
        noted = found['noted'].get(value.id, {})
        done = noted.get('parts', {})
        keys = {part.key: part for part in wanted}
        undo = {
            key: note
            for key, note in done.items()
            if key not in keep and (key not in keys or note['amount'] != keys[key].amount)
        }
        parts = [part for part in wanted if part.key not in done or part.key in undo]
        kept = {**noted, 'parts': {key: note for key, note in done.items() if key not in undo}}
        return Settlement(value.id, move, line, kept, undo, parts, reason)

    def _check_open_amount(self, settlement, extra=0):
        """Raise `Held` unless so much is open in Odoo as is to be paid: somebody may have paid it there by hand."""
        move, line = settlement.move, settlement.line
        currency = move.currency_id
        wanted = self._minor_to_float(sum(part.amount for part in settlement.parts) + extra, currency)
        undone = self._minor_to_float(sum(note['amount'] for note in settlement.undo.values()), currency)
        open_now = abs(line.amount_residual_currency) + undone
        if currency.compare_amounts(wanted, open_now) > 0:
            raise Held(
                self.env._(
                    'Ramp paid %(paid)s, but only %(open)s of %(move)s is open in Odoo: somebody has paid or '
                    'reconciled it there. Undo that, '
                    'so that the payment of Ramp can take its place; or ignore this one.',
                    paid=self._format_minor_amount(wanted, currency),
                    open=self._format_minor_amount(open_now, currency),
                    move=move.name,
                ),
                move,
            )

    @staticmethod
    def _format_minor_amount(amount, currency):
        return f'{amount:.{currency.decimal_places}f} {currency.name}'
