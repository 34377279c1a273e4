# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import datetime

from odoo import Command, api, models
from odoo.tools import SQL, LazyTranslate

from ...ramp_api import Money, PayloadError, allocate_amount, read_transaction
from ..accounting.booking import clean_text, create_complete_entries
from ..accounting.lookup import AccountingLookup
from ..accounting.payment_notes import CardNote, PaymentNote
from ..engine.reasons import Held, Waiting, hold_missing_setting

_lt = LazyTranslate(__name__)


@dataclasses.dataclass(frozen=True)
class CardPlan:
    """How a bill is settled by card.

    - name: label of the entries
    - entries: entries of the card transactions
    - expected: Money charged to the card, in the card's currency, if the transactions have not arrived
    - replaced: note of the expected entry, if the transactions turned out to be different
    """

    ramp_id: str
    move: models.Model
    lines: models.Model  # the bill's payable lines
    due: int  # in minor units of the bill's currency
    name: str
    entries: models.Model
    kept: CardNote | None = None  # note of a settlement that stays
    expected: Money | None = None
    date: datetime.date | None = None
    replaced: CardNote | None = None


class RampCardBill(models.AbstractModel):
    """Settle bills that are paid by a Ramp card.

    The bill is the spend. The card transaction only moves the amount owed from the vendor to the card. The books are
    the same, whichever of the two arrives first: the transaction's entry is payable / card liability, with the day and
    amounts of the transaction, and is reconciled with the bill.

        transaction arrives after its bill     it is posted this way
        transaction was posted as spend first  that entry is reversed, visibly, and this one replaces it
        transaction arrives later or never     payable / card liability is posted with the bill's data; a later
                                               transaction with the same data takes over that entry, one with
                                               different data replaces it
    """

    _name = 'ramp.card.bill'
    _description = 'Ramp: bills paid by card'

    @api.model
    def _exclusive_card_booking(self, connection, shared=False):
        """Return a lock that keeps card transactions and bill payments from being posted at the same time.

        Two processes that do not see each other's entry would charge the card twice.

        :param shared: True for batches of transactions, which may run side by side
        """
        return self.env['ramp.flow.pull']._exclusive_session_lock(f'{self._name} {connection.id}', shared)

    # ------------------------------------------------------------------ used by the flow of transactions

    @api.model
    def _find_paid_bills(self, connection, transaction_ids):
        """Return the rows of the bills that these transactions pay, in one query.

        :return: {transaction id: row of the flow bill_payment}
        """
        if not transaction_ids:
            return {}
        rows = self.env.execute_query(
            SQL(
                """
            SELECT r.id, t.id
              FROM ramp_record r, LATERAL jsonb_array_elements_text(r.payload #> '{payment,details,transaction_ids}') AS t(id)
             WHERE r.connection_id = %s AND r.flow = 'bill_payment' AND r.payload #> '{payment,details,transaction_ids}' ?| %s
               AND r.hold_reason IS DISTINCT FROM 'person'
            """,
                connection.id,
                list(transaction_ids),
            )
        )
        return {transaction_id: self.env['ramp.record'].browse(row_id) for row_id, transaction_id in rows}

    # ------------------------------------------------------------------ used by the flow of bill payments

    @api.model
    def _look_up_references(self, connection, values):
        """Return the transactions that these bills name.

        :return: {id: (row, move or an empty recordset, `Transaction` or None)}
        """
        booked = self.env['ramp.flow.booking']._look_up_booked_rows(
            connection,
            'transaction',
            {identity for value in values for identity in self._get_transaction_ids(value)},
            ['payload', 'state'],
        )
        found = {}
        for row, move in booked.values():
            try:
                value = read_transaction(row.payload)
            except PayloadError:
                value = None
            found[row.ramp_id] = row, move, value
        return found

    @staticmethod
    def _get_transaction_ids(value):
        return getattr(value.payment and value.payment.details, 'transaction_ids', ())

    @api.model
    def _plan_card_settlement(self, connection, value, move, lines, due, found):
        """Return the `CardPlan` of a bill.

        :param found: `BillPaymentLookup`
        :raise Waiting: while neither Ramp nor the transactions say that the bill is paid
        """
        note = found.noted[value.id].card
        ids = self._get_transaction_ids(value)
        entries = move.browse()
        arrived = 0
        for identity in ids:
            _row, entry, _transaction = found.cards.get(identity, (None, entries.browse(), None))
            entries |= entry.filtered(lambda item: item.state == 'posted')
            arrived += entry.state == 'posted'
        complete = bool(ids) and arrived == len(ids)
        plan = {
            'ramp_id': value.id,
            'move': move,
            'lines': lines,
            'due': due.minor,
            'name': self._get_bill_label(value),
            'entries': entries,
        }
        settled = move.browse(note.id).exists() if note else move.browse()
        if settled and not settled.reversal_move_ids:
            if complete and note.expected and note.id not in entries.ids:
                return CardPlan(**plan, replaced=note)
            return CardPlan(**plan, kept=note)
        if note and note.transfers:
            plan['replaced'] = note
        if complete:
            return CardPlan(**plan)
        if value.status != 'PAID':
            raise Waiting(_lt('It waits for its card transaction.'))
        if arrived:
            raise Waiting(_lt('Some of the card transactions that pay it have not arrived yet.'))
        expected, date = self._plan_expected_entry(connection, value, lines, due, found)
        return CardPlan(**plan, expected=expected, date=date)

    def _plan_expected_entry(self, connection, value, lines, due, found):
        """Return what the card is charged with for the bill, and the day, as far as the bill tells.

        :return: (Money, date)
        """
        flow = self.env['ramp.flow.bill_payment']
        expected = value.payment.amount
        payer = found.entities.get(value.entity_id)
        if expected.currency == value.amount.currency:
            expected = due
            if payer and payer != due.currency and value.fx_conversion_rate:
                expected = Money.from_major_units(due.decimal_amount * value.fx_conversion_rate, payer, strict=False)
        day = flow._get_payment_day(connection, value)
        if not day:
            raise Held(_lt('Its payment has no date, so it cannot be posted. Ask Ramp.'))
        if not connection.card_account_id:
            raise hold_missing_setting(connection, 'card_journal_id')
        found.currencies.setdefault(expected.currency, self.env['ramp.coding']._get_currency(expected.currency))
        flow._plan_currency(connection, expected.currency, found, rate=1, amounts=[expected.minor])
        date = flow._plan_entry_date(connection, day, connection.card_journal_id, found)
        card, company = found.currencies[expected.currency], connection.company_id.currency_id
        if company not in (card, lines.currency_id):
            # Posting needs a rate, so check here that there is one.
            flow._get_odoo_rate(connection, card, date, found)
        return expected, date

    @api.model
    def _book_plans(self, connection, plans):
        """Settle the bills of these plans.

        :return: {bill id: `CardNote`}
        """
        notes = {}
        for plan in plans:
            if plan.replaced:
                self._undo_card_settlement(
                    connection, plan.replaced, self.env._('Its card transactions are now posted, and differ from it.')
                )
            if plan.kept:
                self.env['ramp.flow.bill_payment']._repay_new_document(
                    connection, PaymentNote(card=plan.kept), plan.lines
                )
                notes[plan.ramp_id] = plan.kept
            elif plan.expected is not None:
                entry = self._book_expected_entry(connection, plan)
                notes[plan.ramp_id] = CardNote(id=entry.id, expected=[plan.expected.minor, plan.expected.currency])
            else:
                notes[plan.ramp_id] = CardNote(id=self._settle_card_bill(connection, plan).id)
        return notes

    @api.model
    def _undo_card_settlement(self, connection, note, reason=None):
        """Undo how a bill was settled.

        An entry that this flow posted is reversed. The entry of a card transaction stays, and only stops paying the
        bill.

        :param note: `CardNote` of the bill
        """
        reason = reason or self.env._('The bill was paid in another way.')
        flow = self.env['ramp.flow.transaction']
        for transfer in self.env['account.move'].browse(note.transfers or ()).exists():
            flow._undo_booked_move(connection, transfer, reason)
        entry = self.env['account.move'].browse(note.id).exists()
        if entry.ramp_id:
            entry.line_ids.filtered(lambda item: item.account_type == 'liability_payable').remove_move_reconcile()
        elif entry and not entry.reversal_move_ids:
            flow._undo_booked_move(connection, entry, reason)

    def _book_expected_entry(self, connection, plan):
        """Post payable / card liability with the bill's data, because its card transaction is not known here."""
        flow = self.env['ramp.flow.transaction']
        company = connection.company_id.currency_id
        card = self.env['ramp.coding']._get_currency(plan.expected.currency)
        currency = plan.lines.currency_id
        if card == company:
            balance = flow._minor_to_units(plan.expected.minor, company)
        elif currency == company:
            balance = flow._minor_to_units(plan.due, company)
        else:
            balance = flow._convert_to_company(
                connection, plan.expected, flow._get_odoo_rate(connection, card, plan.date, AccountingLookup())
            )
        entry = self._create_settlement_entry(
            connection,
            plan.date,
            plan.lines.partner_id,
            plan.name,
            [
                self._prepare_journal_item(
                    plan.lines.account_id,
                    plan.lines.partner_id,
                    plan.name,
                    currency,
                    flow._minor_to_float(plan.due, currency),
                    flow._units_to_amount(balance, company),
                ),
                self._prepare_journal_item(
                    connection.card_account_id,
                    plan.lines.partner_id,
                    plan.name,
                    card,
                    -flow._minor_to_float(plan.expected.minor, card),
                    -flow._units_to_amount(balance, company),
                ),
            ],
        )
        self._reconcile_entry_line(entry, plan.lines)
        return entry

    def _settle_card_bill(self, connection, plan):
        """Reconcile the posted card transactions with the bill that they pay.

        Transactions that were posted as spend are first posted again as payments.

        :return: the entry that settles the bill
        """
        spend = plan.entries.filtered(lambda entry: not self._get_payable_items(entry, plan.lines))
        entries = plan.entries - spend
        if spend:
            entries += self.env['ramp.flow.transaction']._book_as_payment(
                connection, spend, self.env._('It pays the bill %s. The spend is posted on that bill.', plan.move.name)
            )
        for entry in entries:
            self._reconcile_entry_line(entry, plan.lines)
        return entries[:1]

    # ------------------------------------------------------------------ entries

    @api.model
    def _get_bill_label(self, bill):
        """Return the label of the entries that settle a bill. It is the same for all of them.

        :param bill: `Bill`
        """
        return self.env._(
            'Paid by card: %s', clean_text(bill.invoice_number) or clean_text(bill.vendor.name) or bill.id
        )

    def _get_payable_items(self, entry, lines):
        return entry.line_ids.filtered(
            lambda item: item.account_id == lines.account_id and item.partner_id == lines.partner_id
        )

    def _reconcile_entry_line(self, entry, lines):
        paid, owed = (
            items.filtered(lambda item: not item.reconciled) for items in (self._get_payable_items(entry, lines), lines)
        )
        if paid and owed:
            (paid + owed).reconcile()

    @staticmethod
    def _prepare_journal_item(account, partner, name, currency, amount, balance):
        return {
            'account_id': account.id,
            'partner_id': partner.id,
            'name': name,
            'currency_id': currency.id,
            'amount_currency': amount,
            'balance': balance,
            'tax_ids': [Command.clear()],
        }

    def _create_settlement_entry(self, connection, date, partner, name, items):
        entry = create_complete_entries(
            self.env,
            {
                'move_type': 'entry',
                'company_id': connection.company_id.id,
                'journal_id': connection.card_journal_id.id,
                'partner_id': partner.id,
                'date': date,
                'ref': name,
                'line_ids': [Command.create(item) for item in items],
            },
        )
        entry._post(soft=False)
        return entry

    @api.model
    def _get_transaction_share(self, value, bill, found):
        """Return what a transaction pays of its bill, in minor units of the bill's currency.

        :param found: `PaidBillLookup` of the flow of transactions
        :return: int; None if the transaction is in the bill's currency itself
        :raise Waiting: while other transactions that pay the same bill have not arrived
        """
        if bill.amount.currency == value.amount.currency:
            return None
        ids = self._get_transaction_ids(bill)
        due = bill.amount.minor - sum(credit.amount.minor for credit in bill.applied_vendor_credits)
        if len(ids) == 1:
            return due
        others = [found.cards[identity][2] for identity in ids if identity in found.cards]
        if len(others) < len(ids) or not all(others):
            raise Waiting(_lt('It pays a bill together with other card transactions, which have not arrived yet.'))
        shares = allocate_amount(due, [other.amount.minor for other in others])
        return dict(zip((other.id for other in others), shares, strict=True))[value.id]
