# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import datetime
from datetime import timedelta

from odoo import Command, api, models
from odoo.tools import plaintext2html

from ..ramp_api import PayloadError, Transaction, read_bill, read_transaction
from .booking import NAME_LENGTH, QUIET, clean
from .card_merchant import merchant_name
from .coding import Coding
from .flow import Held, Skipped, Waiting
from .line_label import fill

REREAD_SYNCED = timedelta(days=30)  # so long after it was synced, receipts and memos that come later are noticed
IN_TRANSIT = timedelta(days=90)  # so long before the first day may have been bought what is of a later day in the books
PART_LENGTH = 80  # characters of each part of a label, so that a long memo leaves room for what follows it


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a transaction. Amounts with the tax that `coding` names, in minor units; `balance` in company currency."""

    coding: Coding
    amount: int
    balance: int
    name: str


@dataclasses.dataclass(frozen=True)
class Plan:
    """What will be booked for one transaction. Amounts are integers in minor units, spend is positive."""

    transaction: Transaction
    date: datetime.date  # of the expense: the accounting date in the company's time zone
    entry_date: datetime.date  # of the entry: later than `date` where the period was closed
    currency: models.Model
    lines: list  # of Line
    balance: int  # of the whole, in minor units of the company's currency
    employee: models.Model
    partner: models.Model  # empty: the merchant's, which is made when it is booked
    is_merchant: bool  # whether the partner is to be known by Ramp's id of the merchant
    label: str
    note: str  # what both documents say of it
    details: str  # what the expense says besides


@dataclasses.dataclass(frozen=True)
class BillPlan:
    """What will be booked for a transaction that pays a bill: an entry of its own, or none beside the one that stands for it."""

    transaction: Transaction
    row: models.Model  # of the bill's payment
    entry: models.Model | None
    values: dict | None = None  # of the entry to be made


class RampFlowTransaction(models.AbstractModel):
    """Card transactions: one company-paid expense and one journal entry each.

    The entry debits the account of every line of the transaction and credits the card liability with exactly the settled
    amount; a refund is the mirror image. Schema: Transaction of GET /transactions.
    """

    _name = 'ramp.flow.transaction'
    _inherit = 'ramp.flow.booking'
    _description = 'Ramp Flow: card transactions'

    _flow = 'transaction'
    _business_domain = 'expense'
    _flow_sequence = 10
    _events = (
        'transactions.all_requirements_met_and_approved_changed', 'transactions.body_coding_updated', 'transactions.cleared',
        'transactions.ready_to_sync', 'transactions.receipt_added', 'transactions.sync_requested')
    _endpoint = '/transactions'
    _sync_type = 'TRANSACTION_SYNC'
    _from_start_date = True  # Ramp's filter is by the moment of the purchase; the day of the books decides

    @api.model
    def _flow_label(self):
        return self.env._('Card transactions')

    @api.model
    def _page(self, record):
        return f'/details/transactions/{record.ramp_id}'

    def _list_params(self, connection):
        return {
            'sync_status': 'SYNC_READY', 'from_date': connection._start_moment(IN_TRANSIT), 'order_by_date_asc': 'true',
            **self._scope(connection)}

    def _read(self, payload):
        return read_transaction(payload)

    def _facts(self, value):
        """What is booked of a transaction; what the merchant or the cardholder is called, memos and files are no part of it."""
        return {
            'amount': str(value.amount), 'state': value.state, 'user': value.user_id, 'entity': value.entity_id,
            'merchant': value.merchant_id, 'day': str(value.accounting_date or value.settlement_date or value.user_transaction_time),
            'lines': [[str(line.amount), self._chosen(line.selections)] for line in value.lines],
        }

    def _extras(self, value):
        return {
            'receipts': sorted(value.receipts), 'memo': value.memo, 'memos': [line.memo for line in value.lines],
            'merchant': clean(value.merchant_name), 'cardholder': value.card_holder_name, 'original': str(value.original_amount or '')}

    def _reread_listings(self, connection, since):
        # when a transaction changed, nothing tells; what was synced lately is looked at once more
        synced = (self.env.cr.now() - REREAD_SYNCED).strftime('%Y-%m-%dT%H:%M:%SZ')
        return [{'sync_status': 'SYNCED', 'synced_after': synced, **self._scope(connection)}]

    def _watch_listings(self, connection, since):
        first = connection._start_moment()
        return [{'from_date': connection._start_moment(IN_TRANSIT) if since == first else since, **self._scope(connection)}]

    def _notice(self, connection, record, before, value):
        new = [receipt for receipt in value.receipts if receipt not in before.get('receipts', [])]
        self.env['ramp.flow.receipt']._expect(connection, {record.ramp_id: new})
        self._noticed(record, self._changes(before, self._extras(value)))

    def _row(self, connection, value):
        return {
            'name': _label(value), 'date': self._date(connection, value), 'money': value.amount,
            'parent_ramp_id': value.original_transaction_id, 'ramp_entity_id': value.entity_id, 'has_moved': value.state == 'CLEARED',
        }

    def _date(self, connection, value):
        """The day of the books: Ramp's accounting date, else settlement, else purchase, in the company's time zone."""
        return self._day(connection, value.accounting_date, value.settlement_date, value.user_transaction_time)

    # ------------------------------------------------------------------ cardholders

    def _prepare(self, connection, client, ramp_ids):
        """Link cardholders we have not met to employees, by login or work e-mail: a transaction names only Ramp's user id."""
        self.env.cr.execute(
            """
            SELECT DISTINCT lower(payload #>> '{card_holder,user_id}') FROM ramp_record
             WHERE connection_id = %s AND flow = %s AND ramp_id = ANY(%s) AND res_id IS NULL
            """, (connection.id, self._flow, ramp_ids))
        users = {row[0] for row in self.env.cr.fetchall() if row[0]}
        known = self._employees(connection, users)
        self.env.cr.rollback()
        unknown = users - set(known)
        if unknown:
            self._transaction(self.env['hr.employee']._ramp_link, connection, self._ramp_users(client), unknown)

    # ------------------------------------------------------------------ looking up, and deciding

    def _look_up(self, connection, values):
        return {
            **self._look_up_books(
                connection, [selection for value in values for line in value.lines for selection in line.selections],
                {value.amount.currency for value in values}),
            **self._look_up_people(connection, {value.user_id for value in values if value.user_id}),
            'bills': self._look_up_bills(connection, values),
            'originals': self._look_up_originals(connection, values),
            **self.env['ramp.card.merchant']._look_up(connection, values),
        }

    def _look_up_originals(self, connection, values):
        """What refunds give back: {transaction id: (its row, its entry or empty)}."""
        originals = {value.original_transaction_id.lower() for value in values if value.original_transaction_id}
        return self._look_up_booked(connection, self._flow, originals, ['name', 'date'], ['name'])

    def _look_up_bills(self, connection, values):
        """What is known of the bills that these transactions pay: {transaction id: (payment's row, Bill)}; and where they are booked."""
        Card = self.env['ramp.card.bill']
        bills = {}
        for ramp_id, row in Card._bills_of(connection, [value.id for value in values]).items():
            try:
                bills[ramp_id] = row, read_bill(row.payload)
            except PayloadError:
                continue
        if not bills:
            return {}
        payables = [bill for _row, bill in bills.values()]
        return {
            'rows': bills, 'cards': Card._look_up(connection, payables),
            'documents': self.env['ramp.flow.bill_payment']._look_up_documents(connection, [bill.id for bill in payables]),
            'partners': self.env['ramp.flow.vendor']._partners(connection, {bill.vendor.id for bill in payables}),
        }

    def _booking_lock(self, connection):
        return self.env['ramp.card.bill']._lock(connection, shared=True)

    def _plan(self, connection, value, found):
        self._check_state(connection, value)
        currency = self._plan_currency(connection, value.amount.currency, found, amounts=[
            value.amount.minor, *(line.amount.minor for line in value.lines)])
        if value.id in found['bills'].get('rows', {}):
            plan = self._plan_bill(connection, value, currency, found)
            if plan:
                return plan
        date = self._date(connection, value)
        if not date:
            raise Held(self.env._('It has no date. Ask Ramp; it cannot be booked on a day that is not known.'))
        coded = self._plan_coding(connection, value.lines, found)
        partner, is_merchant = self.env['ramp.card.merchant']._plan(connection, value, coded, found)
        coded = self._complete_coding(
            connection, value.lines, coded, [coding.partner or partner for coding in coded], found,
            [connection.expense_product_id] * len(coded))
        entry_date = self._plan_entry_date(
            connection, date, connection.card_journal_id, found, any(coding.tax for coding in coded))
        amounts = [line.amount.minor for line in value.lines]
        balance, balances = self._plan_balances(connection, value.amount, currency, entry_date, amounts, found)
        return Plan(
            transaction=value, date=date, entry_date=entry_date, currency=currency, label=self._plan_label(connection, value),
            balance=balance, lines=[Line(coding, line.amount.minor, part, self._plan_label(connection, value, line))
                                    for coding, line, part in zip(coded, value.lines, balances, strict=True)],
            employee=self._plan_employee(connection, value, found), partner=partner, is_merchant=is_merchant,
            note='\n'.join(filter(None, (clean(value.memo), self._plan_refund(value, found)))), details=self._plan_details(value),
        )

    def _plan_bill(self, connection, value, currency, found):
        """A transaction that pays a bill: the bill is the spend. None: the bill is not in the books and will not be, so it is spend."""
        known = found['bills']
        row, bill = known['rows'][value.id]
        document, move, line = known['documents'].get(bill.id, (None, None, None))
        if document and document.is_withheld and self.env['ramp.flow.bill']._is_synced(document.payload):
            raise Held(self.env._(
                'It pays the bill %s, which was exported from Ramp without this connection. Book the payment of that bill by hand, and '
                'ignore this one; or mark the bill as not synced in Ramp, and both come.', document.name))
        if not document or document.state == 'ignored':
            return None
        partner = move.partner_id if move else known['partners'].get(bill.vendor.id, (None, None))[0]
        if not partner:
            raise Waiting(self.env._('It pays a bill that is not booked yet: %s', document.error_message or document.name))
        share = self.env['ramp.card.bill']._share(value, bill, known)
        other = self._plan_currency(connection, bill.amount.currency, {
            **found, 'currencies': {bill.amount.currency: self.env['ramp.coding']._currency(bill.amount.currency)}}, rate=1)
        date = self._day(connection, value.accounting_date, value.settlement_date, value.user_transaction_time)
        if not date:
            raise Held(self.env._('It has no date. Ask Ramp; it cannot be booked on a day that is not known.'))
        note = (row.noted or {}).get('card') or {}
        if note.get('expected') == [value.amount.minor, value.amount.currency]:
            entry = self.env['account.move'].browse(note['id']).exists()
            # of a closed period it stands as it is
            if entry.state == 'posted' and not entry.reversal_move_ids and (
                    entry.date == date or connection.company_id._get_violated_lock_dates(entry.date, False, entry.journal_id)):
                return BillPlan(value, row, entry)  # the one that was made in its expectation
        date = self._plan_entry_date(connection, date, connection.card_journal_id, found)
        balance, _shares = self._plan_balances(connection, value.amount, currency, date, [value.amount.minor], found)
        account = line.account_id if line else partner.with_company(connection.company_id).property_account_payable_id
        name = self.env['ramp.card.bill']._name_of(bill)
        company = connection.company_id.currency_id
        item = self.env['ramp.card.bill']._item
        partner = partner.commercial_partner_id
        return BillPlan(value, row, None, {
            'move_type': 'entry', 'ramp_id': value.id, 'company_id': connection.company_id.id, 'journal_id': connection.card_journal_id.id,
            'partner_id': partner.id, 'currency_id': currency.id, 'date': date, 'ref': name,
            'line_ids': [Command.create(values) for values in (
                item(account, partner, name, other if share is not None else currency,
                     self._float(value.amount.minor if share is None else share, currency if share is None else other),
                     self._amount(balance, company)),
                item(connection.card_account_id, partner, name, currency, -self._float(value.amount.minor, currency),
                     -self._amount(balance, company)))]})

    def _check_state(self, connection, value):
        if value.state in ('DECLINED', 'ERROR'):
            raise Skipped(self.env._('No money moved: Ramp says %s.', value.state))
        if value.state != 'CLEARED':
            raise Waiting(self.env._('It has not settled in Ramp yet (%s).', value.state))
        self._check_entity(connection, value)
        if not connection.card_journal_id.default_account_id:
            raise Held(self.env._('The connection %s has no card journal with a default account. Choose one.', connection.name))

    def _plan_employee(self, connection, value, found):
        if value.user_id in found['questions']:
            raise Held(found['questions'][value.user_id])
        employee = found['employees'].get(value.user_id) or connection.fallback_employee_id
        if not employee:
            raise Held(self.env._(
                'The cardholder %(name)s is not an employee of %(company)s. Give the employee in Odoo the login, or without one the work '
                'e-mail, that the person has in Ramp, or choose a fallback employee on the connection.',
                name=value.card_holder_name or value.user_id or self.env._('(unknown)'), company=connection.company_id.name))
        return employee

    def _plan_label(self, connection, value, line=None):
        """What a line, or the whole, is called, by the connection's template; see `line_label`."""
        template, memo = connection.label_template, line and clean(line.memo)
        if memo and '{memo}' not in template:
            return memo  # else what is written of this line would be nowhere
        original = value.original_amount
        is_foreign = original and original.currency != value.amount.currency
        label = fill(template, {name: text and text[:PART_LENGTH] for name, text in {
            'merchant': merchant_name(value),
            'memo': memo or clean(value.memo),
            'cardholder': clean(value.card_holder_short_name),
            'original_amount': is_foreign and f'{original.currency} {original.decimal:f}',
            'category': clean(value.category_name) or clean(value.category_code_description),
            'trip': clean(value.trip_name),
        }.items()})
        return label[:NAME_LENGTH] or _label(value)

    def _plan_refund(self, value, found):
        """Which purchase a refund gives back, as a sentence; None where Ramp does not say."""
        if not value.original_transaction_id:
            return None
        row, entry = found['originals'].get(value.original_transaction_id.lower(), (None, None))
        if not row:
            return self.env._('Refund of the transaction %s.', clean(value.original_transaction_id))
        names = {'name': row.name, 'date': row.date}
        if not entry:
            return self.env._('Refund of %(name)s, %(date)s.', **names)
        return self.env._('Refund of %(name)s, %(date)s: %(entry)s.', entry=entry.name, **names)

    def _plan_details(self, value):
        """What Ramp tells of the spend besides, a line each."""
        category = ', '.join(filter(None, dict.fromkeys((clean(value.category_name), clean(value.category_code_description)))))
        trip, names = clean(value.trip_name), ', '.join(filter(None, map(clean, value.attendees)))
        return '\n'.join(filter(None, (
            category and self.env._('Category: %s', category), trip and self.env._('Trip: %s', trip),
            names and self.env._('Attendees: %s', names))))

    # ------------------------------------------------------------------ booking

    def _book(self, connection, plans):
        """Expenses with their entries; and the entries of those that pay a bill."""
        spend = [plan for plan in plans if isinstance(plan, Plan)]
        payments = [plan for plan in plans if isinstance(plan, BillPlan)]
        moves = iter(self._book_spend(connection, spend) if spend else ())
        entries = iter(self._book_bill_payments(connection, payments) if payments else ())
        return [next(moves if isinstance(plan, Plan) else entries) for plan in plans]

    def _book_bill_payments(self, connection, plans):
        Move = self.env['account.move'].with_context(**QUIET, ramp_one_sequence={})
        made = Move.create([plan.values for plan in plans if not plan.entry])
        made._post(soft=False)
        made = iter(made)
        # what the bill is settled with is there now
        self.env['ramp.record'].union(*(plan.row for plan in plans if not plan.entry))._reopen_payment()
        self.env['ramp.flow.bill_payment']._trigger()
        moves = []
        for plan in plans:
            if plan.entry and not plan.entry.ramp_id:
                plan.entry.ramp_id = plan.transaction.id
            moves.append(plan.entry or next(made))
        self._expect_receipts(connection, plans, moves)
        return moves

    @api.model
    def _book_as_payment(self, connection, entries, reason):
        """Book transactions that are in the books as spend as what pays a bill, in the same transaction of the database.

        What was posted is reversed. The expense goes with it: the spend is the bill's, and would be counted twice. Raises `Held`.

        :param entries: of the transactions, as spend
        :return: their new entries
        """
        records = self.env['ramp.record'].search([
            ('connection_id', '=', connection.id), ('flow', '=', self._flow), ('ramp_id', 'in', entries.mapped('ramp_id'))])
        repaid = self.env['ramp.record'].search([
            ('connection_id', '=', connection.id), ('flow', '=', 'repayment'), ('parent_ramp_id', 'in', records.mapped('ramp_id')),
            ('res_id', '!=', False)], limit=1)
        if repaid:
            raise Held(self.env._(
                'The card transaction that pays it was repaid in part by the employee: %s. Book the payment of the bill by hand, and '
                'ignore this one.', repaid.name))
        for record in records.filtered('late_payload'):
            raise Held(self.env._(
                'Ramp changed the card transaction that pays it after it was booked: %s. Decide on that one first.', record.name))
        for entry in entries:
            expenses = entry.expense_ids
            self._undo_move(connection, entry, reason)
            expenses.approval_state = False  # core lets nobody delete one that is approved
            expenses.unlink()
        records._reopen_for_booking()
        plans, values, _behind = self._plan_batch(connection, records)
        for record in records.filtered(lambda item: item not in plans):
            raise Held(record.error_message or self.env._('Its card transaction could not be booked anew: %s', record.name))
        moves = self._book(connection, list(plans.values()))
        records._mark_booked(moves, self._new_sync_key(records))
        self.env['ramp.record']._store_noted({record.id: {'extras': self._extras(values[record])} for record in records})
        self._trigger()  # Ramp is to hear of the new entries
        return self.env['account.move'].concat(*moves)

    def _book_spend(self, connection, plans):
        plans = self.env['ramp.card.merchant']._book(connection, plans)
        debits = {plan.transaction.id: self._debits(connection, plan) for plan in plans}
        expenses, again = self.env['ramp.card.expense']._save(connection, {
            plan.transaction.id: (self._expense_values(connection, plan), debits[plan.transaction.id]) for plan in plans})
        known = self._known_analytics(line.coding for plan in plans for line in plan.lines)
        # of a line whose tax is rounded to nothing, core would make the tax anew, on top of what Ramp says
        moves = self.env['account.move'].with_context(
            **QUIET, ramp_one_sequence={}, ramp_known_analytics=known, skip_invoice_sync=True).create(
            [self._move_values(connection, plan, expenses[plan.transaction.id], debits[plan.transaction.id]) for plan in plans])
        if connection.card_post == 'post':
            moves._post(soft=False)
        for plan, move in zip(plans, moves, strict=True):
            if plan.transaction.id in again:  # the receipts went with the deleted entry; the expense still has them
                for attachment in expenses[plan.transaction.id].attachment_ids:
                    attachment.copy({'res_model': 'account.move', 'res_id': move.id})
        self._expect_receipts(connection, plans, moves)
        return moves

    def _expect_receipts(self, connection, plans, moves):
        self.env['ramp.flow.receipt']._expect(
            connection, {plan.transaction.id: plan.transaction.receipts for plan in plans},
            {plan.transaction.id: move for plan, move in zip(plans, moves, strict=True)})

    def _expense_values(self, connection, plan):
        return {
            'name': plan.label,
            'employee_id': plan.employee.id,
            'date': plan.date,
            'currency_id': plan.currency.id,
            'total_amount_currency': float(plan.transaction.amount.decimal),
            'total_amount': self._amount(plan.balance, connection.company_id.currency_id),
            'vendor_id': plan.partner.id,
            'description': '\n'.join(filter(None, (plan.note, plan.details))) or False,
        }

    def _line_values(self, connection, plan, account, amount, balance, name, partner, distribution=False, is_refund=False):
        return {
            # where that is the law, what comes back is a negative debit, as in core's refunds
            'is_storno': connection.company_id.account_storno and is_refund,
            'account_id': account.id, 'partner_id': partner.id, 'name': name, 'currency_id': plan.currency.id,
            'amount_currency': self._float(amount, plan.currency),
            'balance': self._amount(balance, connection.company_id.currency_id),
            'analytic_distribution': distribution, 'tax_ids': [Command.clear()],
        }

    def _debits(self, connection, plan):
        """What was bought: the lines of the entry but for that of the card, with their taxes."""
        debits = []
        for part in plan.lines:
            partner = part.coding.partner or plan.partner
            values = self._line_values(connection, plan, part.coding.account, part.amount, part.balance, part.name, partner,
                                       part.coding.distribution, part.amount < 0)
            debits += self._with_tax(connection, part.coding, partner, values, part.amount < 0) if part.coding.tax else [values]
        return debits

    def _move_values(self, connection, plan, expense, debits):
        return {
            'move_type': 'entry',
            'ramp_id': plan.transaction.id,
            'company_id': connection.company_id.id,
            'journal_id': connection.card_journal_id.id,
            'partner_id': plan.partner.id,
            'currency_id': plan.currency.id,
            'date': plan.entry_date,
            'ref': plan.label,
            'narration': plan.note and plaintext2html(plan.note),  # somebody else's text is no markup
            'expense_ids': [Command.set(expense.ids)],
            'line_ids': [Command.create(values) for values in (*debits, self._line_values(
                connection, plan, connection.card_account_id, -plan.transaction.amount.minor, -plan.balance, plan.label, plan.partner,
                is_refund=plan.transaction.amount.minor < 0))],
        }


def _label(value):
    """What a person reads first: the merchant, or what the statement says."""
    return merchant_name(value) or clean(value.memo) or value.id
