# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models
from odoo.tools import LazyTranslate

from ...models.run_memory import run_memory
from ...ramp_api import CARD_PAYMENT_METHODS, Money
from ..accounting.booking import clean_text
from ..accounting.payments import REST, Part
from ..engine.reasons import ALL_ARGUMENTS, Held, Skipped, Waiting, hold_missing_setting
from .bill import owed
from .bill_payment import BANK_METHODS, UNDER_WAY, BillPaymentPlan, PaymentTold
from .lookup import BillPaymentLookup

_lt = LazyTranslate(__name__)


class RampFlowBillPaymentPlan(models.AbstractModel):
    """Plan how a bill is paid in Odoo."""

    _inherit = 'ramp.flow.bill_payment'

    _lookup_class = BillPaymentLookup

    def _fetch_before_booking(self, connection, client, ramp_ids):
        self.env['ramp.flow.bill']._fetch_ramp_entities(client)

    def _look_up_references(self, connection, values):
        ids = [value.id for value in values]
        codes = {value.amount.currency for value in values} | {
            value.payment.amount.currency for value in values if value.payment
        }
        noted = self._look_up_noted(connection, ids)
        credits = {credit.id for value in values for credit in value.applied_vendor_credits}
        credits.update(identity for note in noted.values() for identity in note.credits or ())
        rows = (
            {
                row.ramp_id: row
                for row in self.env['ramp.record'].search_fetch(
                    [
                        ('connection_id', '=', connection.id),
                        ('flow', '=', 'vendor_credit'),
                        ('ramp_id', 'in', list(credits)),
                    ],
                    ['ramp_id', 'state', 'error_message', 'res_model', 'res_id', 'name'],
                )
            }
            if credits
            else {}
        )
        refunds = self._get_payable_lines(
            self.env['account.move'].browse(row.res_id for row in rows.values() if row.res_id)
        ).grouped(lambda line: line.move_id.id)
        found = self._look_up_accounting_state(connection, [], codes)
        found.documents = self._look_up_documents(connection, ids)
        found.noted = noted
        found.credit_rows = rows
        found.refunds = refunds
        found.cards = self.env['ramp.card.bill']._look_up_references(connection, values)
        found.entities = run_memory(self.env).entity_currencies or {}
        found.banks = self.env['ramp.bank.account']._journals_of(
            connection, {self._get_source_account(value) for value in values}
        )
        return found

    @staticmethod
    def _get_source_account(value):
        """Return Ramp's id of the bank account that pays the bill; None if there is none or Ramp does not say."""
        return getattr(value.payment and value.payment.details, 'source_bank_account_id', None)

    def _plan_object(self, connection, value, found):
        if not value.enable_accounting_sync and value.id not in found.documents:
            raise Skipped(_lt('It is excluded from accounting in Ramp.'))
        move, lines = self._check_paid_document(value.id, found)
        due = owed(value.amount, value.applied_vendor_credits)
        if due.minor < 0:
            raise Held(_lt('The vendor credit applied to it exceeds the amount due. Correct it in Ramp.'))
        credits, withdrawn = self._plan_applied_credits(value, lines, found), self._plan_withdrawn_credits(value, found)
        parts, card, reason = self._plan_bill_payment(connection, value, move, lines, due, found, credits)
        settlement = self._plan_settlement(
            value, move, lines, parts, found, reason, keep=() if card else self._find_earlier_parts(value, due, found)
        )
        done = settlement.undo or settlement.noted.card or withdrawn
        if not (parts or card or credits or done or value.applied_vendor_credits or value.status == 'PAID'):
            raise Waiting(_lt('It is not paid in Ramp yet.'))
        if settlement.parts:
            applied = settlement.noted.credits or {}
            changed = {identity for _lines, _minor, identity in credits} | {identity for _lines, identity in withdrawn}
            self._check_open_amount(
                settlement,
                sum(minor for _lines, minor, _id in credits) - sum(applied.get(identity, 0) for identity in changed),
            )
        return BillPaymentPlan(
            settlement,
            credits,
            withdrawn,
            card,
            value.status == 'PAID',
            None if card else settlement.noted.card or None,
        )

    def _plan_withdrawn_credits(self, value, found):
        """Return the vendor credits that now pay less of the bill than before, or nothing.

        :return: [(the refund's payable lines or None, credit id)]
        """
        now = {credit.id: credit.amount.minor for credit in value.applied_vendor_credits}
        withdrawn = []
        for identity, minor in (found.noted[value.id].credits or {}).items():
            if now.get(identity, 0) < minor:
                row = found.credit_rows.get(identity)
                # A credit that was undone in Odoo does not pay anything any more.
                withdrawn.append((found.refunds.get(row.res_id) if row else None, identity))
        return withdrawn

    def _plan_applied_credits(self, value, lines, found):
        """Return the vendor credits whose applied amount changed.

        :return: [(the refund's payable lines, minor units, credit id)]
        :raise Waiting: if the refund is not posted yet
        :raise Held: if the refund cannot be applied to the bill
        """
        applied = found.noted[value.id].credits or {}
        todo = []
        for credit in value.applied_vendor_credits:
            if applied.get(credit.id) == credit.amount.minor:
                continue
            row = found.credit_rows.get(credit.id)
            refund = found.refunds.get(row.res_id) if row and row.res_id else None
            if not refund and row and row.state == 'ignored':
                raise Held(
                    _lt(
                        'The vendor credit applied to it, %(name)s, is left out of the books: %(reason)s Apply that '
                        'credit in Odoo by hand, and ignore this one.',
                        name=row.name,
                        reason=row.error_message,
                    )
                )
            if not refund:
                raise Waiting(
                    _lt('The vendor credit applied to it is not posted: %s', row and row.error_message or credit.id)
                )
            if refund.move_id.state != 'posted':
                raise Waiting(_lt('The vendor credit applied to it is a draft in Odoo. Post it: %s', row.name))
            if credit.amount.currency != value.amount.currency:
                raise Held(
                    _lt(
                        'A vendor credit in %(other)s is applied to a bill in %(currency)s. Correct it in Ramp.',
                        other=credit.amount.currency,
                        currency=value.amount.currency,
                    )
                )
            if (refund.account_id, refund.partner_id) != (lines.account_id, lines.partner_id):
                there, here = map(
                    self.env['ramp.flow.account']._get_display_title, (refund.account_id, lines.account_id)
                )
                raise Held(
                    _lt(
                        'The vendor credit %(credit)s belongs to %(its_vendor)s on account %(its_account)s, but the '
                        'bill %(bill)s belongs to %(vendor)s on account %(account)s. Reset one of them to draft and '
                        'give it the account of the other, so that the credit can be applied.',
                        credit=refund.move_id.name,
                        its_vendor=refund.partner_id.name,
                        its_account=there,
                        bill=lines.move_id.name,
                        vendor=lines.partner_id.name,
                        account=here,
                    ),
                    refund.move_id,
                )
            todo.append((refund, credit.amount.minor, credit.id))
        return todo

    def _plan_bill_payment(self, connection, value, move, lines, due, found, credits):
        """Return how the bill is paid, and why an earlier posting of its payment is no longer valid.

        :return: ([`Part` paid by bank or by hand], `CardPlan` or None, reason as a sentence)
        """
        payment, paid = value.payment, value.status == 'PAID'
        method = payment and payment.payment_method
        if method in CARD_PAYMENT_METHODS:
            try:
                return (
                    [],
                    self.env['ramp.card.bill']._plan_card_settlement(connection, value, move, lines, due, found),
                    self.env._('It is paid by card.'),
                )
            except Waiting:
                if not credits:
                    raise
                return [], None, self.env._('It will be paid by card.')
        if not paid and not self._is_partial_payment_over(value):
            return (
                [],
                None,
                self.env._('Ramp says that the payment did not succeed (%s).', value.status_summary or value.status),
            )
        if not due.minor:
            return [], None, self.env._('It is paid by vendor credits.')
        if not payment or method in (None, 'UNSPECIFIED', 'VENDOR_CREDIT'):
            if self._is_paid_in_odoo(lines):
                return [], None, self.env._('It is paid in Odoo.')
            raise Held(
                _lt(
                    'It is paid, but Ramp does not say how (%s). Enter its payment in Odoo. This record then clears '
                    'itself.',
                    method or '-',
                ),
                by=ALL_ARGUMENTS,
            )
        journal = found.banks.get(self._get_source_account(value)) or connection.payment_journal_id
        if method == 'PAID_MANUALLY':
            if self._waits_for_manual_payment(connection, value):
                if not self._is_paid_in_odoo(lines):
                    raise Held(
                        _lt(
                            'It was marked as paid outside of Ramp. Enter the payment of %s in Odoo. This record '
                            'then clears itself.',
                            move.name,
                        ),
                        move,
                    )
                return [], None, self.env._('It is paid in Odoo.')
            journal = connection.manual_payment_journal_id or connection.payment_journal_id
        elif method not in BANK_METHODS:
            raise Held(
                _lt(
                    'It was paid by %s, which this connector does not know. Update the connector, or contact its maintainer.',
                    method,
                ),
                by=ALL_ARGUMENTS,
            )
        if not journal:
            raise hold_missing_setting(connection, 'payment_journal_id')
        parts = []
        for told in self._select_parts_to_book(
            connection, value, lines, self._list_reported_payments(connection, value, due, paid, found), found
        ):
            day = self._plan_entry_date(connection, told.day, journal, found)
            money = Money(told.amount, value.amount.currency)
            parts.append(
                Part(
                    told.key,
                    told.payment_id,
                    told.amount,
                    told.settled,
                    self._get_quoted_bill_rate(connection, value, found)
                    or self._plan_payment_rate(connection, money, told.settled, day, found),
                    day,
                    journal,
                    self._join_memo_texts(
                        clean_text(value.invoice_number) or clean_text(value.vendor.name), told.friendly_id
                    ),
                )
            )
        return parts, None, self.env._('Ramp now reports a different payment.')

    def _find_earlier_parts(self, value, due, found):
        """Return the posted parts that stay, although Ramp now shows or prepares another payment.

        Ramp shows one payment of a bill: the first that counts. If it exceeds the amount due together with an earlier
        payment, it replaced that one. If the next payment is on its way, Ramp still shows the earlier one, but the
        status is that of the next.

        :return: {key: `PartNote`}
        :raise Held: if a failed status may be that of either payment
        """
        payment, parts = value.payment, found.noted[value.id].parts or {}
        if not payment or not payment.id or payment.amount.currency != value.amount.currency:
            return {}
        shown = parts.get(payment.id)
        if (
            shown
            and value.status == 'OPEN'
            and payment.effective_date
            and shown.amount == payment.amount.minor < due.minor
        ):
            if value.status_summary == 'PAYMENT_ERROR':
                booked = self.env['account.payment'].browse(shown.id).exists()
                raise Held(
                    _lt(
                        'Ramp says that a payment of this bill failed, but not which one. %(amount)s of the bill is '
                        'posted as paid. If that payment failed, cancel the payment %(payment)s in Odoo. If another '
                        'one failed, there is nothing to do. This record clears itself with the next payment.',
                        amount=payment.amount,
                        payment=booked.name or '-',
                    ),
                    booked.move_id,
                )
            if value.status_summary in UNDER_WAY:
                return parts
        room = due.minor - payment.amount.minor
        earlier = {}
        for key, note in parts.items():
            if key not in (payment.id, value.id, REST) and note.amount <= room:
                earlier[key] = note
                room -= note.amount
        return earlier

    def _waits_for_manual_payment(self, connection, value):
        details = value.payment.details
        return (
            connection.manual_payment_policy == 'person'
            or getattr(details, 'manual_payment_method', None) == 'PAID_IN_ERP'
        )

    def _is_paid_in_odoo(self, lines):
        return lines.currency_id.is_zero(self._sum_residuals(lines))

    def _list_reported_payments(self, connection, value, due, paid, found):
        """Return the payments of a bill by bank or by hand that Ramp reports, as a list of `PaymentTold`."""
        payment = value.payment
        day = self._get_payment_day(connection, value)
        if not day:
            raise Held(_lt('Its payment has no date, so it cannot be posted. Ask Ramp.'))
        if payment.amount.currency != value.amount.currency:
            self._plan_currency(connection, payment.amount.currency, found, amounts=[payment.amount.minor])
            if payment.amount.currency == connection.company_id.currency_id.name and due.minor:
                self._check_quoted_rate(
                    connection,
                    found.currencies[due.currency],
                    float(payment.amount.decimal_amount / due.decimal_amount),
                    day,
                    found,
                )
            return [
                PaymentTold(
                    payment.id or value.id,
                    payment.id,
                    due.minor,
                    payment.amount,
                    day,
                    payment.customer_friendly_payment_id,
                )
            ]
        self._plan_currency(
            connection, payment.amount.currency, found, rate=1, amounts=[due.minor, payment.amount.minor]
        )
        if payment.amount.minor > due.minor:
            raise Held(
                _lt(
                    'Ramp paid %(paid)s for a bill with an amount due of %(due)s. Check it in Ramp.',
                    paid=payment.amount,
                    due=due,
                )
            )
        told = [
            PaymentTold(
                payment.id or value.id,
                payment.id,
                payment.amount.minor,
                None,
                day,
                payment.customer_friendly_payment_id,
            )
        ]
        rest = (
            due.minor
            - payment.amount.minor
            - sum(note.amount for note in self._find_earlier_parts(value, due, found).values())
        )
        if paid and rest:
            # Ramp does not report this other payment, but it reports the day on which the bill was paid.
            told.append(
                PaymentTold(REST, None, rest, None, self._get_booking_day(connection, value.paid_at) or day, None)
            )
        return [one for one in told if one.amount]

    def _select_parts_to_book(self, connection, value, lines, told, found):
        """Return the reported payments that are to be posted.

        A bill issued before the start date may have payments from before it. They are left out if somebody entered them
        in Odoo. That is the case if exactly the rest of the bill is open in Odoo.
        """
        if not self.env['ramp.flow.bill']._is_issued_before_start(connection, value):
            return told
        later = [one for one in told if one.day >= connection.start_date]
        booked = sum(note.amount for note in (found.noted[value.id].parts or {}).values())
        left = self._float_to_minor(self._sum_residuals(lines), lines.currency_id) + booked
        return later if sum(one.amount for one in later) == left else told

    def _get_quoted_bill_rate(self, connection, value, found):
        """Return Ramp's rate if it converts into the company's currency; None means Odoo's rate.

        :return: float, units of the company's currency for one unit of the bill's currency
        """
        company = connection.company_id.currency_id.name
        payer = found.entities.get(value.entity_id) or company
        if (
            payer == company
            and value.amount.currency != company
            and value.fx_conversion_rate
            and connection.bill_rate_policy == 'ramp'
        ):
            return float(value.fx_conversion_rate)
        return None
