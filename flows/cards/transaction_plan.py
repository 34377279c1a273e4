# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses

from odoo import Command, models
from odoo.tools import LazyTranslate

from ...models.line_label import fill
from ...ramp_api import Bill, PayloadError, read_bill
from ..accounting.booking import NAME_LENGTH, clean_text
from ..accounting.lookup import AccountingLookup, PeopleLookup
from ..accounting.payment_notes import PaymentNote
from ..engine.reasons import Held, HoldCollector, Skipped, Waiting, hold_missing_setting
from .card_merchant import MerchantLookup, merchant_name
from .transaction import PART_LENGTH, BillPlan, Line, SpendPlan, _make_transaction_label

_lt = LazyTranslate(__name__)


@dataclasses.dataclass
class PaidBillLookup:
    """What is known of the bills that card transactions pay. All of it is empty where they pay none.

    rows: {transaction id: (row of the bill's payment, `Bill`)}
    cards: {transaction id: (row, entry or an empty recordset, `Transaction` or None)} of all that pay these bills
    documents: {Ramp id of a bill: (its row, the bill in Odoo, its payable line)}
    partners: {Ramp id of a vendor: (partner, None), or (empty recordset, reason or None)}
    """

    rows: dict[str, tuple[models.Model, Bill]] = dataclasses.field(default_factory=dict)
    cards: dict[str, tuple] = dataclasses.field(default_factory=dict)
    documents: dict[str, tuple[models.Model, models.Model, models.Model]] = dataclasses.field(default_factory=dict)
    partners: dict[str, tuple[models.Model, str | None]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class TransactionLookup(AccountingLookup):
    """What `ramp.flow.transaction` looks up.

    people: employees of the cardholders
    bills: bills that these transactions pay
    originals: {id of a purchase that is given back: (its row, its entry or an empty recordset)}
    merchants: partners that the merchants may be
    """

    people: PeopleLookup = dataclasses.field(default_factory=PeopleLookup)
    bills: PaidBillLookup = dataclasses.field(default_factory=PaidBillLookup)
    originals: dict[str, tuple[models.Model, models.Model]] = dataclasses.field(default_factory=dict)
    merchants: MerchantLookup = dataclasses.field(default_factory=MerchantLookup)


class RampFlowTransactionPlan(models.AbstractModel):
    """Look up what card transactions refer to, and plan their documents."""

    _inherit = 'ramp.flow.transaction'

    _lookup_class = TransactionLookup

    def _look_up_references(self, connection, values):
        found = self._look_up_accounting_state(
            connection,
            [selection for value in values for line in value.lines for selection in line.selections],
            {value.amount.currency for value in values},
        )
        found.people = self._look_up_people(connection, {value.user_id for value in values if value.user_id})
        found.bills = self._look_up_bills(connection, values)
        found.originals = self._look_up_originals(connection, values)
        found.merchants = self.env['ramp.card.merchant']._look_up_references(connection, values)
        found.accrued = self._look_up_accruals(connection, [value.id for value in values])
        return found

    def _look_up_originals(self, connection, values):
        """Return the purchases that refunds give back.

        :return: {id of the purchase: (its row, its entry or an empty recordset)}
        """
        originals = {value.original_transaction_id.lower() for value in values if value.original_transaction_id}
        return self._look_up_booked_rows(connection, self._flow, originals, ['name', 'date'], ['name'])

    def _look_up_bills(self, connection, values):
        """Return what is known of the bills that these transactions pay, and their documents.

        :return: `PaidBillLookup`
        """
        Card = self.env['ramp.card.bill']
        bills = {}
        for ramp_id, row in Card._find_paid_bills(connection, [value.id for value in values]).items():
            try:
                bills[ramp_id] = row, read_bill(row.payload)
            except PayloadError:
                continue
        if not bills:
            return PaidBillLookup()
        payables = [bill for _row, bill in bills.values()]
        return PaidBillLookup(
            rows=bills,
            cards=Card._look_up_references(connection, payables),
            documents=self.env['ramp.flow.bill_payment']._look_up_documents(connection, [bill.id for bill in payables]),
            partners=self.env['ramp.flow.vendor']._find_vendor_partners(
                connection, {bill.vendor.id for bill in payables}
            ),
        )

    def _exclusive_booking(self, connection):
        return self.env['ramp.card.bill']._exclusive_card_booking(connection, shared=True)

    def _plan_object(self, connection, value, found):
        self._check_ramp_state(connection, value)
        holds, currency, coded = HoldCollector(), None, None
        with holds.collect():
            self._check_card_journal(connection)
        with holds.collect():
            currency = self._plan_currency(
                connection,
                value.amount.currency,
                found,
                amounts=[value.amount.minor, *(line.amount.minor for line in value.lines)],
            )
        if value.id in found.bills.rows:
            holds.check()
            plan = self._plan_bill_charge(connection, value, currency, found)
            if plan:
                return plan
        with holds.collect():
            employee = self._plan_spend_employee(connection, value, found)
        with holds.collect():
            coded = self._plan_line_codings(connection, value.lines, found)
            partner, is_merchant = self.env['ramp.card.merchant']._plan_merchant_partner(
                connection, value, coded, found.merchants
            )
            coded = self._complete_line_coding(
                connection,
                value.lines,
                coded,
                [coding.partner or partner for coding in coded],
                found,
                [connection.expense_product_id] * len(coded),
            )
        with holds.collect():
            date = self._get_transaction_date(connection, value)
            if not date:
                raise Held(_lt('It has no date, so it cannot be posted. Ask Ramp.'))
            if connection.card_journal_id:
                has_tax = any(coding.tax for coding in coded or ())
                entry_date = self._plan_entry_date(
                    connection, date, connection.card_journal_id, found, has_tax, value.id
                )
                if currency:
                    # Posting needs a rate of this day
                    self._get_odoo_rate(connection, currency, entry_date, found)
        holds.check()
        amounts = [line.amount.minor for line in value.lines]
        balance, balances = self._plan_balances(connection, value.amount, currency, entry_date, amounts, found)
        return SpendPlan(
            transaction=value,
            date=date,
            entry_date=entry_date,
            currency=currency,
            label=self._plan_line_label(connection, value),
            balance=balance,
            lines=[
                Line(coding, line.amount.minor, part, self._plan_line_label(connection, value, line))
                for coding, line, part in zip(coded, value.lines, balances, strict=True)
            ],
            employee=employee,
            partner=partner,
            is_merchant=is_merchant,
            note='\n'.join(filter(None, (clean_text(value.memo), self._plan_refunded_original(value, found)))),
            details=self._plan_spend_details(value),
        )

    def _plan_bill_charge(self, connection, value, currency, found):
        """Return the `BillPlan` of a transaction that pays a bill. The bill is then the spend.

        :return: None if the bill is not in the books and will not be; the transaction is then the spend
        """
        known = found.bills
        row, bill = known.rows[value.id]
        document, move, line = known.documents.get(bill.id, (None, None, None))
        if document and document.is_withheld and self.env['ramp.flow.bill']._is_synced_in_ramp(document.payload):
            raise Held(
                _lt(
                    'It pays the bill %s, which another system marked as synced in Ramp. Post the payment of that '
                    'bill by hand, and ignore this one. Or mark the bill as not synced in Ramp, and both will be '
                    'posted.',
                    document.name,
                )
            )
        if not document or document.state == 'ignored':
            return None
        partner = move.partner_id if move else known.partners.get(bill.vendor.id, (None, None))[0]
        if not partner:
            raise Waiting(_lt('It pays a bill that is not posted yet: %s', document.error_message or document.name))
        share = self.env['ramp.card.bill']._get_transaction_share(value, bill, known)
        code = bill.amount.currency
        found.currencies.setdefault(code, self.env['ramp.coding']._get_currency(code))
        other = self._plan_currency(connection, code, found, rate=1)
        date = self._get_booking_day(
            connection, value.accounting_date, value.settlement_date, value.user_transaction_time
        )
        if not date:
            raise Held(_lt('It has no date, so it cannot be posted. Ask Ramp.'))
        note = row._read_note(PaymentNote).card
        if note and note.expected == [value.amount.minor, value.amount.currency]:
            entry = self.env['account.move'].browse(note.id).exists()
            # In a locked period, the entry stays as it is, even if its day differs.
            if (
                entry.state == 'posted'
                and not entry.reversal_move_ids
                and (
                    entry.date == date
                    or connection.company_id._get_violated_lock_dates(entry.date, False, entry.journal_id)
                )
            ):
                # This entry was created in expectation of the transaction.
                return BillPlan(value, row, entry)
        date = self._plan_entry_date(connection, date, connection.card_journal_id, found, ramp_id=value.id)
        balance, _shares = self._plan_balances(connection, value.amount, currency, date, [value.amount.minor], found)
        account = line.account_id if line else partner.with_company(connection.company_id).property_account_payable_id
        name = self.env['ramp.card.bill']._get_bill_label(bill)
        company = connection.company_id.currency_id
        item = self.env['ramp.card.bill']._prepare_journal_item
        partner = partner.commercial_partner_id
        return BillPlan(
            value,
            row,
            None,
            {
                'move_type': 'entry',
                'ramp_id': value.id,
                'company_id': connection.company_id.id,
                'journal_id': connection.card_journal_id.id,
                'partner_id': partner.id,
                'currency_id': currency.id,
                'date': date,
                'ref': name,
                'line_ids': [
                    Command.create(values)
                    for values in (
                        item(
                            account,
                            partner,
                            name,
                            other if share is not None else currency,
                            self._minor_to_float(
                                value.amount.minor if share is None else share, currency if share is None else other
                            ),
                            self._units_to_amount(balance, company),
                        ),
                        item(
                            connection.card_account_id,
                            partner,
                            name,
                            currency,
                            -self._minor_to_float(value.amount.minor, currency),
                            -self._units_to_amount(balance, company),
                        ),
                    )
                ],
            },
        )

    def _check_ramp_state(self, connection, value):
        if value.state in ('DECLINED', 'ERROR'):
            raise Skipped(_lt('No money moved: Ramp says %s.', value.state))
        if value.state != 'CLEARED':
            raise Waiting(_lt('It has not settled in Ramp yet (%s).', value.state))
        self._check_ramp_entity(connection, value)

    def _check_card_journal(self, connection):
        if not connection.card_journal_id.default_account_id:
            raise hold_missing_setting(connection, 'card_journal_id')

    def _plan_spend_employee(self, connection, value, found):
        employee = found.people.employees.get(value.user_id) or connection.fallback_employee_id
        if value.user_id in found.people.questions:
            raise Held(found.people.questions[value.user_id], kind='cardholder', ramp_user=value.user_id)
        if not employee:
            name = value.card_holder_name or value.user_id
            raise Held(
                _lt(
                    'The cardholder %(name)s is not an employee of %(company)s. In Odoo, give the employee the email '
                    'that the person has in Ramp: as the login or, without a login, as the work email. Or choose a '
                    'fallback employee on the connection.',
                    name=name or _lt('(unknown)'),
                    company=connection.company_id.name,
                ),
                kind='cardholder' if value.user_id else None,
                by=('name', 'company'),
                ramp_user=value.user_id,
                name=name,
            )
        return employee

    def _plan_line_label(self, connection, value, line=None):
        """Return the label of a line or of the whole transaction, by the connection's template; see `line_label`."""
        template, memo = connection.label_template, line and clean_text(line.memo)
        if memo and '{memo}' not in template:
            # Otherwise the memo of this line would appear nowhere.
            return memo
        original = value.original_amount
        is_foreign = original and original.currency != value.amount.currency
        label = fill(
            template,
            {
                name: text and text[:PART_LENGTH]
                for name, text in {
                    'merchant': merchant_name(value),
                    'memo': memo or clean_text(value.memo),
                    'cardholder': clean_text(value.card_holder_short_name),
                    'original_amount': is_foreign and f'{original.currency} {original.decimal_amount:f}',
                    'category': clean_text(value.category_name) or clean_text(value.category_code_description),
                    'trip': clean_text(value.trip_name),
                }.items()
            },
        )
        return label[:NAME_LENGTH] or _make_transaction_label(value)

    def _plan_refunded_original(self, value, found):
        """Return a sentence that names the purchase that a refund gives back; None if Ramp does not say."""
        if not value.original_transaction_id:
            return None
        row, entry = found.originals.get(value.original_transaction_id.lower(), (None, None))
        if not row:
            return self.env._('Refund of the transaction %s.', clean_text(value.original_transaction_id))
        names = {'name': row.name, 'date': row.date}
        if not entry:
            return self.env._('Refund of %(name)s, %(date)s.', **names)
        return self.env._('Refund of %(name)s, %(date)s: %(entry)s.', entry=entry.name, **names)

    def _plan_spend_details(self, value):
        """Return further facts that Ramp reports about the spend, one per line."""
        category = ', '.join(
            filter(None, dict.fromkeys((clean_text(value.category_name), clean_text(value.category_code_description))))
        )
        trip, names = clean_text(value.trip_name), ', '.join(filter(None, map(clean_text, value.attendees)))
        return '\n'.join(
            filter(
                None,
                (
                    category and self.env._('Category: %s', category),
                    trip and self.env._('Trip: %s', trip),
                    names and self.env._('Attendees: %s', names),
                ),
            )
        )
