# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from markupsafe import Markup

from odoo import Command, models
from odoo.tools import LazyTranslate

from ..accounting.booking import clean_text, create_complete_entries
from ..engine.reasons import ALL_ARGUMENTS, Held, Skipped, Waiting, hold_missing_setting
from .repayment import BANK_METHODS, OTHER_METHODS, UNUSUAL, RepaymentNote, RepaymentPlan, take

_lt = LazyTranslate(__name__)


class RampFlowRepaymentBook(models.AbstractModel):
    """Plan repayments, and post them."""

    _inherit = 'ramp.flow.repayment'

    # ------------------------------------------------------------------ planning

    def _plan_object(self, connection, value, found):
        self._check_ramp_state(connection, value)
        row, original = self._plan_original_spend(value, found)
        journal, account = self._plan_repayment_account(connection, value)
        # The entry takes the rate of the original, so Odoo needs no rate here.
        self._plan_currency(connection, value.amount.currency, found, rate=1, amounts=[value.amount.minor])
        day = self._get_booking_day(connection, value.repaid_at)
        if not day:
            raise Held(_lt('It has no date, so it cannot be posted. Ask Ramp.'))
        spend = self._list_spend_lines(connection, original, found)
        employee = self._plan_repaying_employee(connection, value, original, found)
        date = self._plan_entry_date(
            connection, day, journal, found, any(line.tax_ids or line.tax_line_id for line in spend)
        )
        # Last, because the amounts count as taken from here on.
        shares, balance = self._plan_repaid_shares(connection, value, original, spend, found)
        return RepaymentPlan(
            value,
            original,
            date,
            journal,
            account,
            employee,
            shares,
            balance,
            self.env._(
                'Repayment of %(original)s %(id)s', original=clean_text(original.ref) or row.name, id=value.id[:8]
            ),
            found.expenses.get(original, self.env['hr.expense']).filtered(lambda expense: expense.state != 'refused'),
        )

    @staticmethod
    def _list_spend_lines(connection, original, found):
        card = original.journal_id.default_account_id | connection.card_account_id
        return [line for line in found.lines[original] if line.account_id not in card]

    def _check_ramp_state(self, connection, value):
        if value.status in ('NONE', 'REPAYMENT_FAILED'):
            raise Skipped(self._describe_repayment_status(value.status))
        if value.status != 'REPAID':
            raise Waiting(self._describe_repayment_status(value.status))
        if value.amount.minor <= 0:
            raise Held(_lt('Its amount is %s. Check it in Ramp.', value.amount))

    def _plan_original_spend(self, value, found):
        """Return the row and the entry of the card transaction that is repaid.

        :raise Waiting: if the transaction is not posted yet
        :raise Held: if there is no entry to take back
        """
        identity = self._get_original_id(value)
        if not identity:
            raise Held(_lt('Ramp does not say which card transaction is repaid. Post it by hand, and ignore this one.'))
        row, original = found.originals.get(identity, (None, None))
        if not row:
            raise Waiting(
                _lt(
                    'The card transaction that it repays has not been read from Ramp: %s. If it is from before the '
                    'start date, post the repayment by hand, and ignore this one.',
                    identity,
                )
            )
        if row.state == 'ignored' and not original:
            raise Held(
                _lt(
                    'The card transaction that it repays, %(name)s, is left out of the books: %(reason)s Post the '
                    'repayment by hand, and ignore this one.',
                    name=row.name,
                    reason=row.error_message,
                )
            )
        if not original:
            raise Waiting(
                _lt(
                    'The card transaction that it repays is not posted: %(name)s. %(reason)s',
                    name=row.name,
                    reason=row.error_message or row.status,
                )
            )
        if original.state == 'draft':
            raise Waiting(_lt('The card transaction that it repays is a draft in Odoo. Post it: %s', row.name))
        if original.state != 'posted':
            raise Held(_lt('The card transaction that it repays is cancelled in Odoo: %s', original.name), original)
        return row, original

    def _plan_repayment_account(self, connection, value):
        """Return the journal and account where the money arrives: the bank, or the account that the connection sets."""
        if value.funding_method in BANK_METHODS:
            if not connection.payment_journal_id:
                raise hold_missing_setting(connection, 'payment_journal_id')
            _method, account = self.env['ramp.flow.payment']._get_outstanding_account(
                connection, connection.payment_journal_id, 'inbound'
            )
            return connection.payment_journal_id, account
        if value.funding_method not in OTHER_METHODS:
            raise Held(
                _lt(
                    'It was repaid by %s, which this connector does not know. Update the connector, or contact its maintainer.',
                    value.funding_method or '-',
                ),
                by=ALL_ARGUMENTS,
            )
        if not connection.repayment_account_id:
            raise Held(
                _lt(
                    'It was repaid without a bank transfer (%(method)s). Choose the account under "Account for '
                    'Payroll Deductions" on the connection %(name)s.',
                    method=value.funding_method,
                    name=connection.name,
                ),
                by=ALL_ARGUMENTS,
            )
        return connection.card_journal_id, connection.repayment_account_id

    def _plan_repaying_employee(self, connection, value, original, found):
        """Return the employee who repaid: that of the Ramp user, else that of the original's expense."""
        if value.user_id and value.user_id.lower() in found.people.questions:
            raise Held(found.people.questions[value.user_id.lower()])
        spent = found.expenses.get(original, self.env['hr.expense'])
        employee = found.people.employees.get(value.user_id.lower()) if value.user_id else spent.employee_id
        if not employee or not value.user_id and employee == connection.fallback_employee_id:
            raise Held(
                _lt(
                    'The person who repaid it (%(user)s) is not an employee of %(company)s. In Odoo, give the '
                    'employee the email that the person has in Ramp: as the login or, without a login, as the work '
                    'email.',
                    user=value.user_id or '-',
                    company=connection.company_id.name,
                ),
                by=ALL_ARGUMENTS,
            )
        return employee

    def _plan_repaid_shares(self, connection, value, original, spend, found):
        """Return what the repayment takes of the rest of each line, and note it as taken.

        :return: ([(line, units of the original's currency, units of the company's currency)], sum of the latter)
        """
        company = connection.company_id.currency_id
        currency = original.currency_id
        if any(line.account_id.account_type in UNUSUAL for line in spend):
            raise Held(
                _lt(
                    'The card transaction that it repays pays a bill: %s. Post the repayment by hand, and ignore '
                    'this one.',
                    original.name,
                ),
                original,
            )
        if value.amount.currency != currency.name or any(line.currency_id != currency for line in spend):
            raise Held(
                _lt(
                    'It is in %(currency)s, but the card transaction %(original)s is in %(other)s. Correct it in Ramp.',
                    currency=value.amount.currency,
                    original=original.name,
                    other=currency.name,
                ),
                original,
            )
        whole = [
            (self._amount_to_units(line.amount_currency, currency), self._amount_to_units(line.balance, company))
            for line in spend
        ]
        amount = self._minor_to_units(value.amount.minor, currency)
        taken = found.taken.setdefault(self._get_original_id(value), {})
        total, done = sum(minor for minor, _balance in whole), sum(minor for minor, _balance in taken.values())
        if amount > total - done:
            raise Held(
                _lt(
                    'It is %(amount)s, but only %(rest)s of the card transaction %(original)s is still to be repaid. '
                    'Check its repayments in Ramp.',
                    amount=value.amount,
                    original=original.name,
                    rest=f'{self._units_to_amount(total - done, currency):.{currency.decimal_places}f} {currency.name}',
                ),
                original,
            )
        # What was taken of an earlier entry of the original follows to these lines; see `_follow_originals`.
        rest = [
            (minor - taken.get(line.id, (0, 0))[0], balance - taken.get(line.id, (0, 0))[1])
            for line, (minor, balance) in zip(spend, whole, strict=True)
        ]
        shares, balances = take(amount, rest, currency == company)
        for line, minor, part in zip(spend, shares, balances, strict=True):
            sums = taken.setdefault(line.id, [0, 0])
            taken[line.id] = [sums[0] + minor, sums[1] + part]
        return list(zip(spend, shares, balances, strict=True)), sum(balances)

    # ------------------------------------------------------------------ posting

    def _book_plans(self, connection, plans):
        self._get_employee_contacts(self.env['hr.employee'].union(*(plan.employee for plan in plans)))
        rows = {
            row.ramp_id: row
            for row in self.env['ramp.record'].search_fetch(
                [
                    ('connection_id', '=', connection.id),
                    ('flow', '=', self._flow),
                    ('ramp_id', 'in', [plan.repayment.id for plan in plans]),
                ],
                ['ramp_id', 'noted'],
            )
        }
        for row in rows.values():
            # Somebody deleted the entry whose shares it moved.
            self._undo_moved_entry(connection, row, self.env._('Its repayment was deleted in Odoo.'))
        spend = {plan.repayment.id: self._prepare_spend_values(plan) for plan in plans}
        expenses, _again = self.env['ramp.card.expense']._write_expenses(
            connection,
            {
                plan.repayment.id: (self._prepare_expense_values(connection, plan), spend[plan.repayment.id])
                for plan in plans
                if plan.spent
            },
        )
        moves = create_complete_entries(
            self.env,
            [
                self._prepare_repayment_move(
                    connection, plan, spend[plan.repayment.id], expenses.get(plan.repayment.id, plan.spent.browse())
                )
                for plan in plans
            ],
            ramp_one_sequence={},
        )
        moves._post(soft=False)
        self.env['ramp.record']._store_noted(
            {rows[plan.repayment.id].id: self._make_share_note(plan) for plan in plans}
        )
        self._post_repayment_notes(plans, moves)
        return moves

    def _make_share_note(self, plan):
        return RepaymentNote(
            shares=[[line.id, minor, balance] for line, minor, balance in plan.shares],
            transaction=self._get_original_id(plan.repayment),
        )

    def _prepare_spend_values(self, plan):
        """Return the values of the lines that take back the lines of the original."""
        currency, company = plan.original.currency_id, plan.original.company_currency_id
        return [
            self._mirror_entry_line(
                line, self._units_to_amount(-minor, currency), self._units_to_amount(-balance, company)
            )
            for line, minor, balance in plan.shares
            if minor or balance or line.tax_ids or line.tax_line_id
        ]

    def _prepare_expense_values(self, connection, plan):
        """Return the values of an expense that takes back the same amount of the original's expense.

        It works like the expense of a refund: both expenses together are what the company spent.
        """
        return {
            'name': plan.label,
            'employee_id': plan.employee.id,
            'date': plan.date,
            'currency_id': plan.original.currency_id.id,
            'total_amount_currency': -self._minor_to_float(plan.repayment.amount.minor, plan.original.currency_id),
            'total_amount': -self._units_to_amount(plan.balance, connection.company_id.currency_id),
            'vendor_id': plan.spent.vendor_id.id,
        }

    def _prepare_repayment_move(self, connection, plan, spend, expense):
        company, currency = connection.company_id.currency_id, plan.original.currency_id
        contact = plan.employee.work_contact_id
        arrived = {
            'account_id': plan.account.id,
            'partner_id': contact.id,
            'name': plan.label,
            'currency_id': currency.id,
            'amount_currency': self._minor_to_float(plan.repayment.amount.minor, currency),
            'balance': self._units_to_amount(plan.balance, company),
            'analytic_distribution': {},
            'tax_ids': [Command.clear()],
        }
        return {
            'move_type': 'entry',
            'ramp_id': plan.repayment.id,
            'company_id': connection.company_id.id,
            'journal_id': plan.journal.id,
            'partner_id': contact.id,
            'currency_id': currency.id,
            'date': plan.date,
            'ref': plan.label,
            'expense_ids': [Command.set(expense.ids)],
            'line_ids': [Command.create(values) for values in (arrived, *spend)],
        }

    @staticmethod
    def _mirror_entry_line(line, amount, balance):
        """Return a line that takes back a part of another line, including its part of the tax report."""
        return {
            'account_id': line.account_id.id,
            'partner_id': line.partner_id.id,
            'name': line.name,
            'currency_id': line.currency_id.id,
            'amount_currency': amount,
            'balance': balance,
            'analytic_distribution': line.analytic_distribution or {},
            'tax_ids': [Command.set(line.tax_ids.ids)],
            'tax_tag_ids': [Command.set(line.tax_tag_ids.ids)],
            'tax_repartition_line_id': line.tax_repartition_line_id.id,
            'group_tax_id': line.group_tax_id.id,
            'tax_base_amount': line.company_currency_id.round(line.tax_base_amount * balance / line.balance)
            if line.balance
            else 0.0,
            'is_storno': line.company_id.account_storno and not line.is_storno,  # as in core's reversals
        }

    def _post_repayment_notes(self, plans, moves):
        """Log a message on each entry, and on the entry that it takes back."""
        bodies, originals = {}, {}
        for plan, move in zip(plans, moves, strict=True):
            bodies[move.id] = self.env._('Reverses part of %s.', plan.original._get_html_link())
            originals.setdefault(plan.original, []).append(
                self.env._(
                    '%(amount)s was repaid by the employee: %(entry)s',
                    amount=plan.repayment.amount,
                    entry=move._get_html_link(),
                )
            )
        moves._message_log_batch(bodies=bodies)
        moves.browse(original.id for original in originals)._message_log_batch(
            bodies={original.id: Markup('<br/>').join(texts) for original, texts in originals.items()}
        )
