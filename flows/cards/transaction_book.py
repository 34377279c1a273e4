# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import Command, api, models
from odoo.tools import LazyTranslate, plaintext2html

from ...models.ledger_notes import LedgerNote
from ..accounting.booking import QUIET, create_complete_entries
from ..engine.reasons import Held
from .transaction import BillPlan, SpendPlan

_lt = LazyTranslate(__name__)


class RampFlowTransactionBook(models.AbstractModel):
    """Post card transactions, either as spend or as the payment of a bill."""

    _inherit = 'ramp.flow.transaction'

    def _finish_sync_run(self, connection, run, message):
        """EXTENDS: call the job of card statements, whose own turn comes every four hours."""
        if run.created:
            self._call_statement_job(connection)
        return super()._finish_sync_run(connection, run, message)

    def _on_decided(self, connections):
        """EXTENDS: call the job of card statements, too. A charge that is ignored or linked may be the last line that
        a statement waited for.
        """
        self._call_statement_job(connections)
        return super()._on_decided(connections)

    def _call_statement_job(self, connections):
        """Schedule the job of card statements, once, if a statement of these connections waits."""
        # sudo: who settles a charge may not be able to read statements. Only whether one waits is read.
        statement = self.env['ramp.flow.statement'].sudo()
        if any(
            statement._is_enabled_for(connection) and statement._has_open_statements(connection)
            for connection in connections.sudo()
        ):
            statement._trigger()

    def _book_plans(self, connection, plans):
        """Create expenses with their entries, and the entries of transactions that pay a bill."""
        spend = [plan for plan in plans if isinstance(plan, SpendPlan)]
        payments = [plan for plan in plans if isinstance(plan, BillPlan)]
        moves = iter(self._book_card_spend(connection, spend) if spend else ())
        entries = iter(self._book_bill_payments(connection, payments) if payments else ())
        return [next(moves if isinstance(plan, SpendPlan) else entries) for plan in plans]

    def _book_bill_payments(self, connection, plans):
        Move = self.env['account.move'].with_context(**QUIET, ramp_one_sequence={})
        made = Move.create([plan.values for plan in plans if not plan.entry])
        made._post(soft=False)
        made = iter(made)
        # The entries that settle these bills exist now.
        self.env['ramp.record'].union(*(plan.row for plan in plans if not plan.entry))._reopen_payment()
        self.env['ramp.flow.bill_payment']._trigger()
        moves = []
        for plan in plans:
            if plan.entry and not plan.entry.ramp_id:
                plan.entry.ramp_id = plan.transaction.id
            moves.append(plan.entry or next(made))
        self._enqueue_plan_receipts(connection, plans, moves)
        return moves

    @api.model
    def _book_as_payment(self, connection, entries, reason):
        """Post transactions again as payments of a bill, after they were posted as spend.

        Everything happens in one database transaction. Posted entries are reversed. Their expenses are deleted: the
        spend is on the bill and would be counted twice.

        :param entries: entries of the transactions, posted as spend
        :return: their new entries
        :raise Held: if a transaction was repaid in part, changed in Ramp, is linked to somebody's entry, or cannot be
            posted again
        """
        records = self.env['ramp.record'].search(
            [
                ('connection_id', '=', connection.id),
                ('flow', '=', self._flow),
                ('ramp_id', 'in', entries.mapped('ramp_id')),
            ]
        )
        repaid = self.env['ramp.record'].search(
            [
                ('connection_id', '=', connection.id),
                ('flow', '=', 'repayment'),
                ('parent_ramp_id', 'in', records.mapped('ramp_id')),
                ('res_id', '!=', False),
            ],
            limit=1,
        )
        if repaid:
            raise Held(
                _lt(
                    'The employee repaid part of the card transaction that pays it: %s. Post the payment of the bill '
                    'by hand, and ignore this one.',
                    repaid.name,
                )
            )
        for record in records.filtered(lambda item: item._read_note().is_linked):
            raise Held(
                _lt(
                    'The card transaction that pays it, %(name)s, is linked to %(entry)s, which somebody entered in '
                    'Odoo. Unlink it on the record of the transaction. Or post the payment of the bill by hand, and '
                    'ignore this one.',
                    name=record.name,
                    entry=entries.filtered(lambda entry, row=record: entry.id == row.res_id).name,
                )
            )
        for record in records.filtered('late_payload'):
            raise Held(
                _lt(
                    'Ramp changed the card transaction that pays it after it was posted: %s. Decide on that one first.',
                    record.name,
                )
            )
        for entry in entries:
            expenses = entry.expense_ids
            self._undo_booked_move(connection, entry, reason)
            # Core does not let anybody delete an approved expense.
            expenses.approval_state = False
            expenses.unlink()
        records._reopen_for_booking()
        plans, values, _behind = self._plan_batch_rows(connection, records)
        for record in records.filtered(lambda item: item not in plans):
            raise Held(record.error_message or _lt('Its card transaction could not be posted again: %s', record.name))
        moves = self._book_plans(connection, list(plans.values()))
        records._mark_booked(moves, self._new_sync_key(records))
        self.env['ramp.record']._store_noted(
            {record.id: LedgerNote(extras=self._get_late_details(values[record])) for record in records}
        )
        # The job confirms the new entries in Ramp.
        self._trigger()
        return self.env['account.move'].concat(*moves)

    def _book_card_spend(self, connection, plans):
        plans = self.env['ramp.card.merchant']._book_plans(connection, plans)
        debits = {plan.transaction.id: self._list_debit_lines(connection, plan) for plan in plans}
        expenses, again = self.env['ramp.card.expense']._write_expenses(
            connection,
            {
                plan.transaction.id: (self._prepare_expense_values(connection, plan), debits[plan.transaction.id])
                for plan in plans
            },
        )
        known = self._get_analytics_context(line.coding for plan in plans for line in plan.lines)
        moves = create_complete_entries(
            self.env,
            [
                self._prepare_move_values(connection, plan, expenses[plan.transaction.id], debits[plan.transaction.id])
                for plan in plans
            ],
            ramp_one_sequence={},
            ramp_known_analytics=known,
        )
        if connection.card_post == 'post':
            moves._post(soft=False)
        for plan, move in zip(plans, moves, strict=True):
            # The receipts were deleted with the old entry, but the expense still has them.
            if plan.transaction.id in again:
                for attachment in expenses[plan.transaction.id].attachment_ids:
                    attachment.copy({'res_model': 'account.move', 'res_id': move.id})
        self._enqueue_plan_receipts(connection, plans, moves)
        return moves

    def _enqueue_plan_receipts(self, connection, plans, moves):
        self.env['ramp.flow.receipt']._enqueue_files(
            connection,
            {plan.transaction.id: plan.transaction.receipts for plan in plans},
            {plan.transaction.id: move for plan, move in zip(plans, moves, strict=True)},
        )

    def _prepare_expense_values(self, connection, plan):
        return {
            'name': plan.label,
            'employee_id': plan.employee.id,
            'date': plan.date,
            'currency_id': plan.currency.id,
            'total_amount_currency': float(plan.transaction.amount.decimal_amount),
            'total_amount': self._units_to_amount(plan.balance, connection.company_id.currency_id),
            'vendor_id': plan.partner.id,
            'description': '\n'.join(filter(None, (plan.note, plan.details))) or False,
        }

    def _prepare_entry_line(
        self, connection, plan, account, amount, balance, name, partner, distribution=False, is_refund=False
    ):
        return {
            # Where the law requires it (storno), a refund is a negative debit, as in core's refunds.
            'is_storno': connection.company_id.account_storno and is_refund,
            'account_id': account.id,
            'partner_id': partner.id,
            'name': name,
            'currency_id': plan.currency.id,
            'amount_currency': self._minor_to_float(amount, plan.currency),
            'balance': self._units_to_amount(balance, connection.company_id.currency_id),
            'analytic_distribution': distribution,
            'tax_ids': [Command.clear()],
        }

    def _list_debit_lines(self, connection, plan):
        """Return the values of the entry's lines with their taxes, without the card line."""
        debits = []
        for part in plan.lines:
            partner = part.coding.partner or plan.partner
            values = self._prepare_entry_line(
                connection,
                plan,
                part.coding.account,
                part.amount,
                part.balance,
                part.name,
                partner,
                part.coding.distribution,
                part.amount < 0,
            )
            debits += (
                self._set_line_tax(connection, part.coding, partner, values, part.amount < 0)
                if part.coding.tax
                else [values]
            )
        return debits

    def _prepare_move_values(self, connection, plan, expense, debits):
        return {
            'move_type': 'entry',
            'ramp_id': plan.transaction.id,
            'company_id': connection.company_id.id,
            'journal_id': connection.card_journal_id.id,
            'partner_id': plan.partner.id,
            'currency_id': plan.currency.id,
            'date': plan.entry_date,
            'ref': plan.label,
            'narration': plan.note and plaintext2html(plan.note),  # text from outside must not become markup
            'expense_ids': [Command.set(expense.ids)],
            'line_ids': [
                Command.create(values)
                for values in (
                    *debits,
                    self._prepare_entry_line(
                        connection,
                        plan,
                        connection.card_account_id,
                        -plan.transaction.amount.minor,
                        -plan.balance,
                        plan.label,
                        plan.partner,
                        is_refund=plan.transaction.amount.minor < 0,
                    ),
                )
            ],
        }
