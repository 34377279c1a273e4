# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
import datetime

from odoo import api, models
from odoo.tools import SQL

from ..ramp_api import CARD_PAYMENT_METHODS, PayloadError, read_bill, scrub_bill
from .bill import owed
from .booking import clean
from .flow import Held, Skipped, Waiting
from .payment import REST, Part, Settlement

# Every method of the contract is decided here; one that is not is held.
BANK_METHODS = frozenset({
    'ACH', 'CHECK', 'CRYPTO_WALLET_TRANSFER', 'DOMESTIC_WIRE', 'FED_NOW', 'INTERNATIONAL', 'LOCAL_BANK_TRANSFER', 'RTP', 'SWIFT'})
# An open bill with a payment that is over and left something to pay; in any other state the payment is still on its way, or failed.
PARTLY_PAID = frozenset({'PAYMENT_COMPLETED', 'PAYMENT_DETAILS_MISSING', 'PAYMENT_NOT_INSTRUCTED', 'PAYMENT_READY'})
# Of a bill that is paid in part: another payment is on its way, or is to be made.
UNDER_WAY = frozenset({
    'AWAITING_RELEASE', 'BLOCKED', 'HELD_BY_PROVIDER', 'ON_HOLD', 'PAYMENT_PROCESSING', 'PAYMENT_SCHEDULED',
    'PENDING_VENDOR_APPROVAL', 'WAITING_FOR_TRANSACTION_MATCH', 'WAITING_FOR_VENDOR'})
# What an open bill says of the payment that Ramp is to make of it; all else: it is not scheduled yet.
ANNOUNCED_STATES = {
    'AWAITING_RELEASE': 'scheduled', 'PAYMENT_SCHEDULED': 'scheduled',
    'HELD_BY_PROVIDER': 'under_way', 'PAYMENT_PROCESSING': 'under_way', 'WAITING_FOR_TRANSACTION_MATCH': 'under_way',
    'BLOCKED': 'stopped', 'ON_HOLD': 'stopped', 'PAYMENT_ERROR': 'failed'}


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be done about the payment of one bill. credits: [(refund's payable line, minor units, credit id)] to be applied;
    withdrawn: [(refund's payable line, credit id)] of those that pay less of it now, or nothing."""

    settlement: Settlement
    credits: list
    withdrawn: list
    card: object  # see ramp.card.bill, or None
    is_paid: bool
    undo_card: dict | None  # how it was settled by card before it was paid otherwise


@dataclasses.dataclass(frozen=True)
class PaymentTold:
    """A payment of a bill as Ramp tells of it. amount: what it pays of the bill, in minor units of its currency; settled: what left the
    bank, where that is another currency. See `Part`."""

    key: str
    payment_id: str | None
    amount: int
    settled: object
    day: datetime.date
    friendly_id: str | None


class RampFlowBillPayment(models.AbstractModel):
    """How bills are paid: by bank, by card, by vendor credits, or by hand, in one row for each bill.

    Bank: a payment, reconciled with the bill, which is "In Payment" until the bank line is matched. Card: against the card liability,
    exactly once with the card transaction. Credits: the refund is applied. Confirmed under the bill's id (BILL_PAYMENT_SYNC) once
    the bill is fully paid. Ramp tells of one payment only; what is paid beyond it is a payment of its own.
    """

    _name = 'ramp.flow.bill_payment'
    _inherit = 'ramp.flow.payment'
    _description = 'Ramp Flow: payments of bills'

    _flow = 'bill_payment'
    _flow_sequence = 60
    _endpoint = '/bills'
    _sync_type = 'BILL_PAYMENT_SYNC'
    _parent_flow = 'bill'

    @api.model
    def _flow_label(self):
        return self.env._('Bill payments')

    @api.model
    def _page(self, record):
        return f'/bill-pay/bills/{record.ramp_id}'

    @api.model
    def _enabled(self, connection):
        return connection.pull_bills

    def _scrub(self, payload):
        return scrub_bill(payload)

    def _read(self, payload):
        return read_bill(payload)

    def _facts(self, value):
        payment = value.payment
        return {
            'status': value.status, 'amount': str(value.amount), 'archived': bool(value.archived_at),
            'partly': value.status_summary in PARTLY_PAID or self._is_part_over(value)
            or value.status_summary == 'PAYMENT_ERROR' and 'failed',
            'enabled': value.enable_accounting_sync,
            'credits': sorted([credit.id, str(credit.amount)] for credit in value.applied_vendor_credits),
            'payment': payment and [payment.id, payment.payment_method, str(payment.amount), str(payment.payment_date),
                                    str(payment.effective_date), str(payment.details)],
        }

    def _row(self, connection, value):
        payment = value.payment
        return {
            'name': ' '.join(filter(None, (clean(value.vendor.name), clean(value.invoice_number)))) or value.id,
            'date': self._payment_day(connection, value), 'money': payment.amount if payment else value.amount,
            'parent_ramp_id': payment.id if payment else None, 'ramp_entity_id': value.entity_id,
            'open_amount': self.env['ramp.flow.bill']._open_amount(value, self._paid_in_part(value)),
        }

    @api.model
    def _bank_reference(self, value):
        """(Ramp id of its payment, the bank's reference of that) as the detail of a bill has them."""
        payment = value.payment
        return (payment.id or value.id, payment.trace_id) if payment else (None, None)

    @api.model
    def _announced_payment(self, value):
        """[where the payment of a bill by Ramp stands, its moment as text], see `account.move`; None where Ramp pays nothing of it."""
        payment = value.payment
        if not payment or value.archived_at or payment.payment_method not in BANK_METHODS | CARD_PAYMENT_METHODS:
            return None
        moment = payment.payment_date
        return ['paid' if value.status == 'PAID' else ANNOUNCED_STATES.get(value.status_summary, 'planned'), moment and moment.isoformat()]

    def _is_part_over(self, value):
        """Whether the payment that Ramp tells of an open bill is over and left something to pay.

        Of a bill on hold the status says no more than that: a payment of less than the bill is one that was made before. One of the
        whole may have been initiated only (the contract of 2026-08-01 on `effective_date`), and is over when the bill is paid.
        """
        if not value.payment or not value.payment.effective_date:
            return False
        return value.status_summary in PARTLY_PAID or value.status_summary == 'ON_HOLD' and self._is_less_than_owed(value)

    @staticmethod
    def _is_less_than_owed(value):
        payment = value.payment
        return payment.amount.currency == value.amount.currency and (
            payment.amount.minor < owed(value.amount, value.applied_vendor_credits).minor)

    def _paid_in_part(self, value):
        """What is paid of an open bill, in minor units of its currency, as far as Ramp tells."""
        payment = value.payment
        if not payment or not payment.effective_date or payment.amount.currency != value.amount.currency:
            return 0
        partly = value.status_summary in PARTLY_PAID or value.status_summary in UNDER_WAY and self._is_less_than_owed(value)
        return payment.amount.minor if partly else 0

    def _is_synced(self, payload):
        return payload.get('sync_status') == 'BILL_AND_PAYMENT_SYNCED'

    def _is_ready(self, payload):
        return payload.get('sync_status') == 'BILL_SYNCED' and payload.get('status') == 'PAID'

    def _is_confirmable(self, value):
        return value.status == 'PAID'

    def _payment_day(self, connection, value):
        payment = value.payment
        return self._day(connection, *((payment.effective_date, payment.payment_date) if payment else ()), value.paid_at)

    def _is_paid_somehow(self, payload, bill):
        payment = payload.get('payment') or {}
        details = payment.get('details') or {}
        return bool(bill.status == 'PAID' or bill.applied_vendor_credits or details.get('transaction_ids')
                    or payment.get('effective_date') and bill.status_summary in PARTLY_PAID
                    or bill.status_summary == 'ON_HOLD' and self._is_part_over_or_odd(payload))

    def _is_part_over_or_odd(self, payload):
        try:
            return self._is_part_over(self._read(payload))
        except PayloadError:
            return True  # the payment gets a row, which says what cannot be read

    # ------------------------------------------------------------------ planning

    def _prepare(self, connection, client, ramp_ids):
        self.env['ramp.flow.bill']._entities(client)

    def _look_up(self, connection, values):
        ids = [value.id for value in values]
        codes = {value.amount.currency for value in values} | {value.payment.amount.currency for value in values if value.payment}
        noted = self._look_up_noted(connection, ids)
        credits = {credit.id for value in values for credit in value.applied_vendor_credits}
        credits.update(identity for note in noted.values() for identity in note.get('credits', {}))
        rows = {row.ramp_id: row for row in self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', '=', 'vendor_credit'), ('ramp_id', 'in', list(credits))],
            ['ramp_id', 'state', 'error_message', 'res_model', 'res_id', 'name'])} if credits else {}
        refunds = {line.move_id.id: line for line in self._payable_lines(
            self.env['account.move'].browse(row.res_id for row in rows.values() if row.res_id))}
        return {
            **self._look_up_books(connection, [], codes),
            'documents': self._look_up_documents(connection, ids), 'noted': noted,
            'credit_rows': rows, 'refunds': refunds, 'cards': self.env['ramp.card.bill']._look_up(connection, values),
            'entities': self.env.context.get('ramp_memory', {}).get('entities', {}),
            'banks': self.env['ramp.bank.account']._journals_of(connection, {self._source_account(value) for value in values}),
        }

    @staticmethod
    def _source_account(value):
        """Ramp's id of the bank account that a bill is paid from; None where it is not told, or there is none."""
        return getattr(value.payment and value.payment.details, 'source_bank_account_id', None)

    def _plan(self, connection, value, found):
        if not value.enable_accounting_sync and value.id not in found['documents']:
            raise Skipped(self.env._('Ramp keeps it out of accounting.'))
        move, line = self._check_document(value.id, found)
        due = owed(value.amount, value.applied_vendor_credits)
        if due.minor < 0:
            raise Held(self.env._('More vendor credit is applied to it than it owes. Correct it in Ramp.'))
        credits, withdrawn = self._plan_credits(value, line, found), self._plan_withdrawn(value, found)
        parts, card, reason = self._plan_payment(connection, value, move, line, due, found, credits)
        settlement = self._compare(value, move, line, parts, found, reason, keep=() if card else self._earlier(value, due, found))
        done = settlement.undo or settlement.noted.get('card') or withdrawn
        if not (parts or card or credits or done or value.applied_vendor_credits or value.status == 'PAID'):
            raise Waiting(self.env._('It is not paid in Ramp yet.'))
        if settlement.parts:
            applied = found['noted'].get(value.id, {}).get('credits', {})
            changed = {identity for _line, _minor, identity in credits} | {identity for _line, identity in withdrawn}
            self._check_open(settlement, sum(minor for _line, minor, _id in credits) - sum(
                applied.get(identity, 0) for identity in changed))
        return Plan(settlement, credits, withdrawn, card, value.status == 'PAID', None if card else settlement.noted.get('card'))

    def _plan_withdrawn(self, value, found):
        """The vendor credits of which less is applied now than was, or nothing: [(refund's payable line, credit id)]."""
        now = {credit.id: credit.amount.minor for credit in value.applied_vendor_credits}
        withdrawn = []
        for identity, minor in found['noted'].get(value.id, {}).get('credits', {}).items():
            if now.get(identity, 0) < minor:
                row = found['credit_rows'].get(identity)
                # one that was undone in Odoo pays nothing any more
                withdrawn.append((found['refunds'].get(row.res_id) if row else None, identity))
        return withdrawn

    def _plan_credits(self, value, line, found):
        """The vendor credits of which another part is applied now: [(refund's payable line, minor units, credit id)]."""
        applied = found['noted'].get(value.id, {}).get('credits', {})
        todo = []
        for credit in value.applied_vendor_credits:
            if applied.get(credit.id) == credit.amount.minor:
                continue
            row = found['credit_rows'].get(credit.id)
            refund = found['refunds'].get(row.res_id) if row and row.res_id else None
            if not refund and row and row.state == 'ignored':
                raise Held(self.env._(
                    'The vendor credit applied to it, %(name)s, is left out: %(reason)s Apply that credit in Odoo by hand, and ignore '
                    'this one.', name=row.name, reason=row.error_message))
            if not refund:
                raise Waiting(self.env._('The vendor credit applied to it is not booked: %s', row and row.error_message or credit.id))
            if refund.parent_state != 'posted':
                raise Waiting(self.env._('The vendor credit applied to it is a draft in Odoo. Post it: %s', row.name))
            if credit.amount.currency != value.amount.currency:
                raise Held(self.env._('A vendor credit in %(other)s is applied to a bill in %(currency)s.',
                                      other=credit.amount.currency, currency=value.amount.currency))
            if (refund.account_id, refund.partner_id) != (line.account_id, line.partner_id):
                there, here = map(self.env['ramp.flow.account']._title, (refund.account_id, line.account_id))
                raise Held(self.env._(
                    'The vendor credit %(credit)s is of %(its_vendor)s on account %(its_account)s, the bill %(bill)s of %(vendor)s on '
                    'account %(account)s. Reset one of them to draft and put it on the account of the other, so that the credit can be '
                    'applied.',
                    credit=refund.move_id.name, its_vendor=refund.partner_id.name, its_account=there,
                    bill=line.move_id.name, vendor=line.partner_id.name, account=here), refund.move_id)
            todo.append((refund, credit.amount.minor, credit.id))
        return todo

    def _plan_payment(self, connection, value, move, line, due, found, credits):
        """(parts, card, reason): what pays the bill by bank or hand, what by card, and why what was booked before holds no more."""
        payment, paid = value.payment, value.status == 'PAID'
        method = payment and payment.payment_method
        if method in CARD_PAYMENT_METHODS:
            try:
                return [], self.env['ramp.card.bill']._plan(connection, value, move, line, due, found), self.env._('It is paid by card.')
            except Waiting:
                if not credits:
                    raise
                return [], None, self.env._('It is to be paid by card.')
        if not paid and not self._is_part_over(value):
            return [], None, self.env._('Ramp says that the payment did not succeed (%s).', value.status_summary or value.status)
        if not due.minor:
            return [], None, self.env._('It is paid by vendor credits.')
        if not payment or method in (None, 'UNSPECIFIED', 'VENDOR_CREDIT'):
            if self._is_paid_in_odoo(line):
                return [], None, self.env._('It is paid in Odoo.')
            raise Held(self.env._(
                'It is paid, but Ramp does not say how (%s). Enter its payment in Odoo; then it confirms itself.', method or '-'))
        journal = found['banks'].get(self._source_account(value)) or connection.payment_journal_id
        if method == 'PAID_MANUALLY':
            if self._waits_for_person(connection, value):
                if not self._is_paid_in_odoo(line):
                    raise Held(self.env._(
                        'It was marked as paid outside of Ramp. Enter the payment of %s in Odoo; then it confirms itself.', move.name,
                    ), move)
                return [], None, self.env._('It is paid in Odoo.')
            journal = connection.manual_payment_journal_id or connection.payment_journal_id
        elif method not in BANK_METHODS:
            raise Held(self.env._('It was paid by %s, which this connector does not know. Ask for a new version.', method))
        if not journal:
            raise Held(self.env._('The connection %s has no payment journal. Choose one.', connection.name))
        parts = [
            Part(told.key, told.payment_id, told.amount, told.settled, self._plan_rate(connection, value, found),
                 self._plan_entry_date(connection, told.day, journal, found), journal,
                 self._memo(clean(value.invoice_number) or clean(value.vendor.name), told.friendly_id))
            for told in self._to_be_booked(connection, value, line, self._payments_told(connection, value, due, paid, found), found)]
        return parts, None, self.env._('Ramp tells of another payment now.')

    def _earlier(self, value, due, found):
        """{key: note} of what was paid before another payment that is under way or that Ramp tells of now, and stays.

        Ramp shows one payment of a bill, the first that counts. One beside which another has no room took that one's place; of one
        that is shown while the next is under way, the status speaks of the next. Raises `Held` where it may be either.
        """
        payment, parts = value.payment, found['noted'].get(value.id, {}).get('parts', {})
        if not payment or not payment.id or payment.amount.currency != value.amount.currency:
            return {}
        shown = parts.get(payment.id)
        if shown and value.status == 'OPEN' and payment.effective_date and shown['amount'] == payment.amount.minor < due.minor:
            if value.status_summary == 'PAYMENT_ERROR':
                booked = self.env['account.payment'].browse(shown['id']).exists()
                raise Held(self.env._(
                    'Ramp says that a payment of this bill failed, but not which one. %(amount)s of it is booked as paid. If that failed, '
                    'cancel the payment %(payment)s in Odoo; if another did, there is nothing to do. It clears itself with the next '
                    'payment.', amount=payment.amount, payment=booked.name or '-'), booked.move_id)
            if value.status_summary in UNDER_WAY:
                return parts
        room = due.minor - payment.amount.minor
        earlier = {}
        for key, note in parts.items():
            if key not in (payment.id, value.id, REST) and note['amount'] <= room:
                earlier[key] = note
                room -= note['amount']
        return earlier

    def _waits_for_person(self, connection, value):
        details = value.payment.details
        return connection.manual_payment_policy == 'person' or getattr(details, 'manual_payment_method', None) == 'PAID_IN_ERP'

    @staticmethod
    def _is_paid_in_odoo(line):
        return line.currency_id.is_zero(line.amount_residual_currency)

    def _payments_told(self, connection, value, due, paid, found):
        """What Ramp tells of how a bill was paid by bank or hand: [PaymentTold]."""
        payment = value.payment
        day = self._payment_day(connection, value)
        if not day:
            raise Held(self.env._('Its payment has no date. Ask Ramp; it cannot be booked on a day that is not known.'))
        if payment.amount.currency != value.amount.currency:
            self._plan_currency(connection, payment.amount.currency, found, amounts=[payment.amount.minor])
            if payment.amount.currency == connection.company_id.currency_id.name and due.minor:
                self._check_quote(
                    connection, found['currencies'][due.currency], float(payment.amount.decimal / due.decimal), day, found)
            return [PaymentTold(payment.id or value.id, payment.id, due.minor, payment.amount, day, payment.customer_friendly_payment_id)]
        self._plan_currency(connection, payment.amount.currency, found, rate=1, amounts=[due.minor, payment.amount.minor])
        if payment.amount.minor > due.minor:
            raise Held(self.env._(
                'Ramp paid %(paid)s for a bill that owed %(due)s. Look at it in Ramp.', paid=payment.amount, due=due))
        told = [PaymentTold(payment.id or value.id, payment.id, payment.amount.minor, None, day, payment.customer_friendly_payment_id)]
        rest = due.minor - payment.amount.minor - sum(note['amount'] for note in self._earlier(value, due, found).values())
        if paid and rest:
            # of the payment that Ramp does not tell, it tells the day on which the bill was paid
            told.append(PaymentTold(REST, None, rest, None, self._day(connection, value.paid_at) or day, None))
        return [one for one in told if one.amount]

    def _to_be_booked(self, connection, value, line, told, found):
        """All that Ramp tells of; of a bill from before the start date, without what was paid before it, where somebody has entered that:
        exactly the rest of the bill is open in Odoo."""
        if not self.env['ramp.flow.bill']._is_before(connection, value):
            return told
        later = [one for one in told if one.day >= connection.start_date]
        booked = sum(note['amount'] for note in found['noted'].get(value.id, {}).get('parts', {}).values())
        left = self._minor(abs(line.amount_residual_currency), line.currency_id) + booked
        return later if sum(one.amount for one in later) == left else told

    def _plan_rate(self, connection, value, found):
        """Company currency units for one of the bill's, where Ramp's rate leads into the company's currency; None: as the bill has it."""
        company = connection.company_id.currency_id.name
        payer = found['entities'].get(value.entity_id) or company
        if (payer == company and value.amount.currency != company and value.fx_conversion_rate
                and connection.bill_rate_policy == 'ramp'):
            return float(value.fx_conversion_rate)
        return None

    # ------------------------------------------------------------------ booking

    def _booking_lock(self, connection):
        return self.env['ramp.card.bill']._lock(connection)

    def _book(self, connection, plans):
        for plan in plans:
            if plan.undo_card:
                self.env['ramp.card.bill']._undo(connection, plan.undo_card)
        self._withdraw_credits(plans)  # before: a payment may take the place of a credit
        notes = self._settle_documents(connection, [plan.settlement for plan in plans])
        self._apply_credits(connection, plans)  # not before: a payment that is undone leaves open what a credit covers now
        cards = self.env['ramp.card.bill']._book(connection, [plan.card for plan in plans if plan.card])
        rows = {row.ramp_id: row for row in self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', '=', self._flow),
             ('ramp_id', 'in', [plan.settlement.ramp_id for plan in plans])], ['ramp_id'])}
        noted, documents = {}, []
        for plan in plans:
            settlement = plan.settlement
            parts = {**settlement.noted['parts'], **{part.key: notes[settlement.ramp_id, part.key] for part in settlement.parts}}
            withdrawn = {identity for _line, identity in plan.withdrawn}
            credits = {key: minor for key, minor in settlement.noted.get('credits', {}).items() if key not in withdrawn}
            credits.update((identity, minor) for _line, minor, identity in plan.credits)
            noted[rows[settlement.ramp_id].id] = {
                **settlement.noted, 'parts': parts, 'credits': credits, 'card': cards.get(settlement.ramp_id)}
            stands = parts or credits or cards.get(settlement.ramp_id) or plan.is_paid
            documents.append(self._main_document(settlement, parts, cards.get(settlement.ramp_id), plan) if stands else None)
        self.env['ramp.record']._store_noted(noted)
        return documents

    def _main_document(self, settlement, parts, card, plan):
        """What the row leads to: the payment, the entry that settles by card, the refund, or the bill that somebody paid in Odoo."""
        for note in parts.values():
            return self.env['account.payment'].browse(note['id'])
        if card and card.get('id'):
            return self.env['account.move'].browse(card['id'])
        for line, _minor, _identity in plan.credits:
            return line.move_id
        return settlement.move

    @api.model
    def _withdraw_credits(self, plans):
        """Open what credits paid of bills that they pay less of now; what they still pay is applied anew."""
        for plan in plans:
            for refund, _identity in plan.withdrawn:
                if refund:
                    self._between(refund, plan.settlement.line).unlink()

    @api.model
    def _between(self, refund, bill):
        return self.env['account.partial.reconcile'].search([('debit_move_id', '=', refund.id), ('credit_move_id', '=', bill.id)])

    def _apply_credits(self, connection, plans):
        """Apply exactly so much of each refund as Ramp says, which may be less than both could take."""
        for plan in plans:
            bill = plan.settlement.line
            for refund, minor, _identity in plan.credits:
                amount = self._float(minor, bill.currency_id)
                before = sum(self._between(refund, bill).mapped('debit_amount_currency'))
                more = bill.currency_id.round(amount - before)
                if not more:
                    continue
                if bill.currency_id.compare_amounts(more, self._both_open(refund, bill)) > 0:
                    raise Held(self.env._(
                        'Ramp applied %(amount)s of the vendor credit %(credit)s to %(bill)s, but so much is not open in Odoo. Undo '
                        'what was reconciled by hand.', amount=amount, credit=refund.move_id.name, bill=bill.move_id.name), refund.move_id)
                self._apply_credit(refund, bill, more)

    @staticmethod
    def _both_open(refund, bill):
        return min(abs(bill.amount_residual_currency), abs(refund.amount_residual_currency))

    def _apply_credit(self, refund, bill, amount):
        if not bill.currency_id.compare_amounts(amount, self._both_open(refund, bill)):
            (refund + bill).reconcile()
            return
        rate = abs(bill.balance / bill.amount_currency) if bill.amount_currency else 1.0
        partial = self.env['account.partial.reconcile'].create({
            'debit_move_id': refund.id, 'credit_move_id': bill.id, 'amount': bill.company_currency_id.round(amount * rate),
            'debit_amount_currency': amount, 'credit_amount_currency': amount})
        if bill.company_id.tax_exigibility:
            partial._create_tax_cash_basis_moves()  # taxes that are due on payment are due for this part, as core has it

    @api.model
    def _credits_booked(self, connection, ramp_ids):
        """Bills wait for these credits, or were paid with former documents of theirs, which were undone."""
        paid = self.env.execute_query(SQL(
            "SELECT id FROM ramp_record WHERE connection_id = %s AND flow = %s AND res_id IS NOT NULL AND noted -> 'credits' ?| %s",
            connection.id, self._flow, list(ramp_ids)))
        self.env['ramp.record'].browse(identity for [identity] in paid)._reopen_payment()
        self._trigger()

    @api.model
    def _bill_booked(self, connection, moves):
        self._documents_booked(connection, moves)

