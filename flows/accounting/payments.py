# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import datetime
from collections import defaultdict

from odoo import api, models
from odoo.tools import LazyTranslate

from ...ramp_api import Money
from ..engine.reasons import Held, Skipped, Waiting
from .lookup import PaymentLookup
from .payment_notes import PaymentNote

_lt = LazyTranslate(__name__)

REST = 'rest'  # key of what was paid beside the one payment that Ramp shows
# The bank line of a payment may be dated up to this long before the payment, whose day is from another time zone.
SHOWN_BEFORE = datetime.timedelta(days=5)
SHOWN_WITHIN = datetime.timedelta(days=10)  # a bank shows a payment within this time, or never


@dataclasses.dataclass(frozen=True)
class Part:
    """One payment of one document.

    amount: the part of the document that it pays, in minor units of the document's currency
    settled: money that left or reached the bank, where that is another currency
    rate: units of the company's currency for one of the document's, or None for the document's rate, which counts only
        where Odoo has no rate of the day
    """

    key: str  # identity within the row, used in `PaymentNote.parts`
    payment_id: str | None  # Ramp's id; parts with the same id were one transfer
    amount: int
    settled: Money | None
    rate: float | None
    date: datetime.date
    journal: models.Model
    memo: str
    payee: str | None = None  # Ramp's id of who gets the money, where a transfer pays several people


@dataclasses.dataclass(frozen=True)
class Settlement:
    """What has to be done so that a document in Odoo is paid as in Ramp.

    noted: what was done before and stays; its `parts` are a dict, even if nothing was done
    """

    ramp_id: str
    move: models.Model
    lines: models.Model  # the document's payable lines: several if it is due in installments
    noted: PaymentNote
    undo: dict  # {key: `PartNote`} of what was done and is no longer right
    parts: list  # list of Part to be posted
    reason: str = ''


class RampFlowPayment(models.AbstractModel):
    """Base of the flows that pay documents: one row for each paid document, one payment for each transfer in Ramp.

    Ramp has no list of these rows. The payload of a document contains its payment. A row compares what Ramp says with
    what was done (`noted`), and posts the difference. A payment that failed after posting is reversed, and another one
    replaces it.
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

    _lookup_class = PaymentLookup
    _updates = True
    _parent_flow = None  # flow whose documents are paid; its rows have the same Ramp ids

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
        """Take the rows that were one transfer in Ramp together, so that they become one payment."""
        Record = self.env['ramp.record']
        if self.env[f'ramp.flow.{self._parent_flow}']._is_reading_under_way(connection):
            return Record, Record  # the other flow triggers this job at its end
        records, _siblings = super()._take_next_rows(connection, ramp_ids, after)
        transfers = [parent for parent in records.mapped('parent_ramp_id') if parent]
        return records, Record._take_due_siblings(connection, self._flow, transfers, records) if transfers else Record

    @api.model
    def _upsert_payment_rows(self, connection, rows, asked):
        """Store the payments of a page's objects in the ledger, if the objects are paid at least partly, or were once.

        :param rows: {Ramp id: ledger row as of `_make_ledger_row`} of the documents
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
            # `wait`: the job of payments may hold a row now. If it were skipped, its change would be read much later.
            self.env['ramp.record']._upsert_page(connection, self._flow, payments, asked, updates=True, wait=True)

    def _is_partly_paid(self, payload, value):
        """Return whether there is anything to post of the payment of an object."""
        raise NotImplementedError

    # ------------------------------------------------------------------ looking up

    def _look_up_documents(self, connection, ramp_ids):
        """Return the documents to be paid, in a constant number of queries.

        :return: {Ramp id: (row of the document, document, its payable lines)}
        """
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
        lines = self._get_payable_lines(
            self.env['account.move'].union(*(move for _row, move in booked.values()))
        ).grouped('move_id')
        return {
            ramp_id: (row, move, self._select_owed_lines(lines.get(move, self.env['account.move.line'])))
            for ramp_id, (row, move) in booked.items()
        }

    @staticmethod
    def _select_owed_lines(lines):
        """Return the payable lines of a document on one account: that of the first one that is open.

        A payment has one account. Somebody may have split what is owed over several.
        """
        first = (lines.filtered(lambda line: not line.reconciled) or lines)[:1]
        return lines.filtered(lambda line: line.account_id == first.account_id)

    def _get_payable_lines(self, moves):
        """Return the payable lines of documents: one for each installment, in the order in which they are due."""
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
                    'date_maturity',
                ],
                order='date_maturity, id',
            )
            if moves
            else self.env['account.move.line']
        )

    def _look_up_noted(self, connection, ramp_ids):
        """Return what was done so far: {Ramp id: `PaymentNote`}. A row that is not there has an empty note."""
        rows = self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', list(ramp_ids))],
            ['ramp_id', 'noted'],
        )
        return defaultdict(PaymentNote, {row.ramp_id: row._read_note(PaymentNote) for row in rows})

    # ------------------------------------------------------------------ planning

    def _plan_payment_rate(self, connection, money, settled, day, found):
        """Return the rate of a payment that Ramp quotes no rate for: Odoo's of the day on which it is posted.

        As in core, what the rate has moved since the document is an exchange difference. If Ramp says what left the
        bank in a third currency, that is converted.

        :param money: Money, the part of the document that is paid
        :param settled: Money that left or reached the bank, where that is another currency, or None
        :param day: date of the payment's entry
        :param found: `PaymentLookup`
        :return: float, units of the company's currency for one of the document's; None if nothing is converted, or if
            the day is before the first rate
        """
        moved, company = settled or money, connection.company_id.currency_id.name
        if company in (money.currency, moved.currency) or not money.minor:
            return None
        currency = found.currencies[moved.currency]
        if found.first_rate_days.get(currency, datetime.date.max) > day:
            return None
        rate = self._get_odoo_rate(connection, currency, day, found)
        return rate * float(moved.decimal_amount / money.decimal_amount) if settled else rate

    def _check_paid_document(self, ramp_id, found):
        """Return the document to be paid, and its payable lines.

        :param found: `PaymentLookup`
        :raise Skipped, Waiting, Held: when there is none to pay
        """
        row, move, lines = found.documents.get(ramp_id, (None, None, None))
        if not row:
            raise Waiting(_lt('The document that it pays has not been read from Ramp yet.'))
        if not move and row.state == 'ignored':
            raise Skipped(_lt('The document that it pays is left out of the books: %s', row.error_message))
        if not move:
            raise Waiting(_lt('The document that it pays is not posted: %s', row.error_message or row.status))
        if move.state == 'draft':
            raise Waiting(_lt('The document that it pays is a draft in Odoo. Post it: %s', row.name))
        if move.state != 'posted' or not lines:
            raise Held(_lt('The document that it pays is cancelled in Odoo: %s', move.name), move)
        return move, lines

    def _plan_settlement(self, value, move, lines, wanted, found, reason='', keep=()):
        """Return the `Settlement` of a document: the wanted parts without what was done.

        :param wanted: list of Part
        :param keep: keys of what was done and stays unchanged
        """
        noted = found.noted[value.id]
        done = noted.parts or {}
        keys = {part.key: part for part in wanted}
        undo = {
            key: note
            for key, note in done.items()
            if key not in keep and (key not in keys or note.amount != keys[key].amount)
        }
        parts = [part for part in wanted if part.key not in done or part.key in undo]
        kept = dataclasses.replace(noted, parts={key: note for key, note in done.items() if key not in undo})
        return Settlement(value.id, move, lines, kept, undo, parts, reason)

    def _check_open_amount(self, settlement, extra=0):
        """Check that the document's open amount in Odoo covers the payment.

        :param extra: amount in minor units that is paid in addition to the parts
        :raise Held: when less is open, as somebody may have paid it by hand
        """
        move = settlement.move
        currency = move.currency_id
        wanted = self._minor_to_float(sum(part.amount for part in settlement.parts) + extra, currency)
        undone = self._minor_to_float(sum(note.amount for note in settlement.undo.values()), currency)
        open_now = self._sum_residuals(settlement.lines) + undone
        if currency.compare_amounts(wanted, open_now) > 0:
            raise Held(
                _lt(
                    'Ramp paid %(paid)s, but only %(open)s of %(move)s is open in Odoo, because it was paid or '
                    'reconciled there. Undo that, so that the payment from Ramp can take its place, or ignore this '
                    'one.',
                    paid=self._format_minor_amount(wanted, currency),
                    open=self._format_minor_amount(open_now, currency),
                    move=move.name,
                ),
                move,
            )

    @staticmethod
    def _sum_residuals(lines):
        """Return what is open of the payable lines of a document, in its currency."""
        return lines.currency_id.round(abs(sum(lines.mapped('amount_residual_currency'))))

    @staticmethod
    def _format_minor_amount(amount, currency):
        return f'{amount:.{currency.decimal_places}f} {currency.name}'
