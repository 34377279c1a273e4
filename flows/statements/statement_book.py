# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses

from odoo import Command, models

from ...models.ledger_notes import ABSENT
from ..accounting.booking import QUIET
from .statement_notes import StatementNote


class RampFlowStatementBook(models.AbstractModel):
    """Post statements, with the exchange difference of the spend that they settle."""

    _inherit = 'ramp.flow.statement'

    def _exclusive_booking(self, connection):
        return self.env['ramp.flow.transfer']._exclusive_booking(connection)

    def _book_plans(self, connection, plans):
        documents = self._choose_payable_accounts(connection, [plan for plan in plans if plan.document])
        bills = iter(
            self._book_documents(connection, documents, connection.statement_post == 'post') if documents else ()
        )
        rows = {
            row.ramp_id: row
            for row in self.env['ramp.record'].search_fetch(
                [
                    ('connection_id', '=', connection.id),
                    ('flow', '=', self._flow),
                    ('ramp_id', 'in', [plan.section.id for plan in plans]),
                ],
                ['ramp_id', 'parent_ramp_id'],
            )
        }
        moves, noted = [], {}
        for plan in plans:
            bill = next(bills) if plan.document else self.env['account.move']
            entry = self._book_exchange_difference(connection, plan, bill) if plan.date else bill.browse()
            moves.append(bill or entry)
            noted[rows[plan.section.id].id] = StatementNote(
                cashbacks=plan.cashbacks, exchange=entry.id if bill and entry else ABSENT
            )
        self.env['ramp.record']._store_noted(noted)
        self.env['ramp.flow.cashback']._on_statements_booked(
            connection, {cashback: move for plan, move in zip(plans, moves, strict=True) for cashback in plan.cashbacks}
        )
        self.env['ramp.flow.statement_file']._enqueue_statement_files(
            connection, {rows[plan.section.id].parent_ramp_id for plan in plans}
        )
        self.env['ramp.flow.transfer']._reconcile_with_ramp(connection)
        return moves

    def _choose_payable_accounts(self, connection, plans):
        """Return the documents of these plans, each on the account of the oldest payment that is still open for it.

        The payable account of the partner may have changed since that payment. Items of two accounts cannot be
        reconciled.
        """
        Transfer, accounts = self.env['ramp.flow.transfer'], {}
        open_now = Transfer._get_open_amounts(connection)
        # The oldest statement is paid first.
        for plan in sorted(plans, key=lambda plan: plan.document.invoice_date):
            document = plan.document
            amounts = open_now.get((plan.section.entity_id, plan.currency, document.move_type == 'in_invoice'), {})
            accounts[plan.section.id] = Transfer._take_open_account(
                amounts, self._minor_to_float(document.total, document.currency), document.currency
            )
        return [dataclasses.replace(plan.document, payable=accounts[plan.section.id]) for plan in plans]

    def _book_exchange_difference(self, connection, plan, bill):
        """Post the amount in the company's currency that the bill leaves on the card liability.

        :return: the entry; an empty recordset if the bill leaves nothing
        """
        company = connection.company_id
        card = bill.line_ids.filtered(lambda line: line.account_id == connection.card_account_id)
        left = company.currency_id.round(plan.total - sum(card.mapped('balance')))
        if not left:
            return bill.browse()
        name = self.env._('Exchange difference, card spend of %s', plan.section.id[:8])
        other = (
            company.income_currency_exchange_account_id if left > 0 else company.expense_currency_exchange_account_id
        )
        entry = (
            self.env['account.move']
            .with_context(**QUIET)
            .create(
                {
                    'move_type': 'entry',
                    'ramp_id': False if bill else plan.section.id,
                    'company_id': company.id,
                    'date': plan.date,
                    'ref': name,
                    'journal_id': self._get_exchange_journal(connection).id,
                    'line_ids': [
                        Command.create(
                            {
                                'name': name,
                                'account_id': account.id,
                                'currency_id': plan.currency.id,
                                'amount_currency': 0.0,
                                'balance': balance,
                                'partner_id': connection.ramp_partner_id.id,
                            }
                        )
                        for account, balance in ((connection.card_account_id, left), (other, -left))
                    ],
                }
            )
        )
        entry._post(soft=False)
        return entry

    def _undo_booked_object(self, connection, record, reason):
        entry = self.env['account.move'].browse(record._read_note(StatementNote).exchange or []).exists()
        result = super()._undo_booked_object(connection, record, reason)
        if entry:
            self._undo_booked_move(connection, entry, reason)
        return result
