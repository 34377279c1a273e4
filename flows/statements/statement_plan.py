# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models
from odoo.tools import LazyTranslate

from ...ramp_api import Money
from ..accounting.coding import Coding
from ..accounting.documents import Document, DocumentLine
from ..engine.reasons import ALL_ARGUMENTS, Held, Skipped, hold_missing_setting
from .statement import FLOWS, NAMED, StatementPlan, is_exact_sum

_lt = LazyTranslate(__name__)


class RampFlowStatementPlan(models.AbstractModel):
    """Plan a statement. It has to add up, and each of its lines has to be in the books."""

    _inherit = 'ramp.flow.statement'

    def _plan_object(self, connection, value, found):
        day = self._get_last_day(connection, value)
        if day < connection.start_date:
            raise Skipped(_lt('It ended before the start date of the connection.'))
        self._skip_booked_elsewhere(connection, value.end)
        journal, partner = self._plan_document_journal(connection), connection.ramp_partner_id
        if not partner:
            raise hold_missing_setting(connection, 'ramp_partner_id')
        if not connection.card_account_id:
            raise hold_missing_setting(connection, 'card_journal_id')
        currency = self._plan_currency(
            connection, value.currency, found, amounts=[value.charges.minor, value.credits.minor, value.ending.minor]
        )
        lines = self._plan_statement_lines(value, found)
        self._check_statement_sums(value, lines, found, bool(connection.ramp_entity_id))
        lines = [row for row in lines if row.date and row.date >= connection.start_date]
        spent, total = self._check_lines_booked(connection, value, lines, currency, found)
        back = sum(self._float_to_minor(row.amount, currency) for row in lines if row.flow == 'cashback')
        rate, leaves_difference = self._get_blended_rate(connection, currency, spent, total, day, found)
        if rate is None and (spent or back):
            # The bill has Odoo's rate of its day.
            self._get_odoo_rate(connection, currency, day, found)
        exchange_date = None
        if leaves_difference:
            exchange_date = self._plan_entry_date(connection, day, self._get_exchange_journal(connection), found)
        if not spent and not back and not exchange_date:
            raise Skipped(_lt('Nothing was spent.'))
        if back and not connection.cashback_account_id:
            raise hold_missing_setting(connection, 'cashback_account_id')
        nothing = {'distribution': False, 'tax': self.env['account.tax'], 'partner': self.env['res.partner']}
        period = self.env._('%(start)s to %(end)s', start=self._get_booking_day(connection, value.start), end=day)
        parts = [
            DocumentLine(Coding(account=account, **nothing), minor, name)
            for account, minor, name in (
                (connection.card_account_id, spent, self.env._('Card spend, %s', period)),
                (connection.cashback_account_id, -back, self.env._('Cashback, %s', period)),
            )
            if minor
        ]
        document = (
            self._turn_negative_document(
                Document(
                    ramp_id=value.id,
                    move_type='in_invoice',
                    partner=partner,
                    currency=currency,
                    rate=rate,
                    date=self._plan_entry_date(connection, day, journal, found),
                    invoice_date=day,
                    due_date=self._get_due_day(connection, day),
                    reference=f'{day} {value.currency} {value.id[:8]}',
                    note=False,
                    lines=parts,
                )
            )
            if parts
            else None
        )
        return StatementPlan(
            value, currency, document, [row.ramp_id for row in lines if row.flow == 'cashback'], total, exchange_date
        )

    @staticmethod
    def _get_due_day(connection, day):
        """Return the day on which a statement is due, by the payment terms of the partner that stands for Ramp.

        Ramp does not report a due date (contract 2026-08-01).
        """
        terms = connection.ramp_partner_id.with_company(connection.company_id).property_supplier_payment_term_id
        return max((line._get_due_date(day) for line in terms.line_ids), default=day)

    def _get_blended_rate(self, connection, currency, spent, total, day, found):
        """Return the rate of the bill, and whether an exchange difference is left.

        At this rate, the bill moves the posted amounts in both currencies. Charges and refunds can cancel each other
        out, although they were posted at different rates. Then no such rate exists, or it is one at which nobody
        changes money. The cashback is converted at the same rate, so it could become any amount. In that case, the bill
        is at Odoo's rate, and the rest is an exchange difference.

        :return: (float or None, bool); the rate is units of the company's currency for one unit of the section's, and
            None means Odoo's rate
        """
        company = connection.company_id.currency_id
        if currency == company or total is None:
            return None, False
        if not spent:
            return None, not company.is_zero(total)
        rate = total / self._minor_to_float(spent, currency)
        if (
            rate <= 0
            or (self._get_rate_deviation(connection, currency, rate, day, found) or 0) > connection.rate_tolerance
        ):
            return None, True
        return rate, False

    def _get_exchange_journal(self, connection):
        company = connection.company_id
        if not (
            company.currency_exchange_journal_id
            and company.income_currency_exchange_account_id
            and company.expense_currency_exchange_account_id
        ):
            raise Held(
                _lt(
                    'The company %s has no journal or accounts for exchange differences. Choose them in the settings '
                    'of '
                    'Accounting.',
                    company.name,
                ),
                by=ALL_ARGUMENTS,
            )
        return company.currency_exchange_journal_id

    def _plan_statement_lines(self, value, found):
        """Return the rows of the statement's lines that belong to the section."""
        rows = [found.rows[key] for kind, identity in value.lines if (key := (FLOWS[kind], identity)) in found.rows]
        return [
            row
            for row in rows
            if row.currency_id.name == value.currency and row.ramp_entity_id in (value.entity_id, False)
        ]

    def _check_statement_sums(self, value, lines, found, is_limited):
        """Raise `Held` unless the section adds up: in itself, with the statement before it, and with its lines."""
        if value.opening + value.charges - value.credits - value.payments != value.ending:
            raise Held(
                _lt(
                    'It does not add up: the opening balance %(opening)s plus charges of %(charges)s, less credits '
                    'of %(credits)s and payments of %(payments)s, is not the closing balance %(ending)s. Ask Ramp '
                    'for a corrected statement.',
                    opening=value.opening,
                    charges=value.charges,
                    credits=value.credits,
                    payments=value.payments,
                    ending=value.ending,
                )
            )
        before, name = found.endings.get(
            (value.preceding_statement_id, value.entity_id, value.currency), (value.opening, None)
        )
        if before != value.opening:
            raise Held(
                _lt(
                    'Its opening balance is %(opening)s, but the previous statement (%(name)s) ended with '
                    '%(ending)s. Ask Ramp for a corrected statement.',
                    opening=value.opening,
                    name=name,
                    ending=before,
                )
            )
        unknown = [identity for kind, identity in value.lines if (FLOWS[kind], identity) not in found.rows]
        said = value.charges.minor - value.credits.minor
        is_back = {'transaction': 1, 'cashback': -1, 'transfer': 0}
        summed = sum(
            is_back[row.flow] * self._float_to_minor(row.amount, row.currency_id) for row in lines if row.has_moved
        )
        if said != summed:
            still = [row for row in lines if not row.has_moved and row.flow != 'transfer']
            raise Held(
                self.env._(
                    'It shows charges less credits of %(said)s, but its lines add up to %(summed)s. %(lines)s',
                    said=Money(said, value.currency),
                    summed=Money(summed, value.currency),
                    lines=self._join_in_words(
                        [self._describe_statement_line(row, self.env._('not settled in Ramp')) for row in still]
                        # If the connection is limited to one entity, these lines belong to other entities.
                        + [self.env._('%s (Ramp does not show it)', identity) for identity in unknown if not is_limited]
                    ),
                ).strip()
            )
        paid = sum(
            self._float_to_minor(row.amount, row.currency_id)
            for row in lines
            if row.flow == 'transfer' and row.has_moved
        )
        if not is_exact_sum(value.payments.minor - paid, found.failed.get((value.entity_id, value.currency), ())):
            raise Held(
                _lt(
                    'It shows payments of %(said)s, but its transfers add up to %(paid)s. Check the transfers in Ramp.',
                    said=value.payments,
                    paid=Money(paid, value.currency),
                )
            )

    def _check_lines_booked(self, connection, value, lines, currency, found):
        """Return the spend of a section, and the amount at which it was posted.

        Ramp bills a line even if a person ignored it; that person posts it. A line that was exported before the
        connection existed is in the books in another way.

        :return: (minor units, amount in the company's currency, or None if not all lines are posted)
        :raise Held: unless each other line is posted with its amount
        """
        spent, total, odd = 0, 0.0, []
        for row in lines:
            if row.flow != 'transaction' or not row.has_moved:
                continue
            minor = self._float_to_minor(row.amount, currency)
            spent += minor
            amount, balance = found.charged.get(row.res_id or found.expected.get(row.ramp_id), (None, None))
            by_choice = row.hold_reason == 'person' or row.hold_reason == 'rule' and row.is_withheld
            if amount is not None and self._float_to_minor(amount, currency) == minor:
                total = total + balance if total is not None else None
                continue
            total = None
            if by_choice or connection.statement_policy == 'closed':
                continue
            odd.append(
                self._describe_statement_line(
                    row,
                    row.error_message or row.status
                    if amount is None
                    else self.env._('posted as %s', Money(self._float_to_minor(amount, currency), currency.name)),
                )
            )
        if odd:
            raise Held(
                _lt(
                    'Some of its lines (%(count)s) are not posted, or not with the amount in Ramp: %(lines)s',
                    count=len(odd),
                    lines=self._join_in_words(odd),
                ),
                title=_lt(
                    'Some lines of the card statement are not posted, or not with the amount in Ramp. Settle these '
                    'first. The statement is then posted by itself.'
                ),
            )
        return spent, total

    def _describe_statement_line(self, row, reason):
        return self.env._(
            '%(name)s, %(date)s, %(amount)s (%(reason)s)',
            name=row.name,
            date=row.date or '-',
            amount=Money(self._float_to_minor(row.amount, row.currency_id), row.currency_id.name),
            reason=reason,
        )

    def _join_in_words(self, texts):
        more = len(texts) - NAMED
        texts = texts[:NAMED] + ([self.env._('and %s more', more)] if more > 0 else [])
        return '; '.join(texts) + '.' if texts else ''
