# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import defaultdict
from fractions import Fraction

from odoo import Command, models

from ...ramp_api import allocate_amount
from ..accounting.booking import QUIET


class RampCardExpense(models.AbstractModel):
    """Create the expense that belongs to an entry of card spend.

    The expense shows for the whole what the lines of the entry show for the parts. Part of the flows of transactions
    and repayments.
    """

    _name = 'ramp.card.expense'
    _description = 'Ramp Flow: expenses of card spend'

    def _write_expenses(self, connection, expenses):
        """Create or correct the expenses of entries that are about to be created.

        If an entry was deleted or reversed, its expense still exists and is used again.

        :param expenses: {Ramp id: (values of the expense, values of the entry's lines without the card or bank line)}
        :return: ({Ramp id: expense}, set of the Ramp ids whose expenses existed already)
        """
        Expense, company = self.env['hr.expense'].with_context(**QUIET), connection.company_id
        common = {
            'company_id': company.id,
            'product_id': connection.expense_product_id.id,
            'payment_mode': 'company_account',
            # Pay from the card journal. Core would search for each expense and take any journal of the company.
            'payment_method_line_id': connection.card_journal_id.outbound_payment_method_line_ids[:1].id,
            'approval_state': 'approved',
            'approval_date': self.env.cr.now().replace(microsecond=0),
        }
        found = {
            expense.ramp_id: expense
            for expense in Expense.search_fetch([('ramp_id', 'in', list(expenses))], ['ramp_id'])
        }
        values, amounts = {}, {}
        for ramp_id, (own, lines) in expenses.items():
            currency = self.env['res.currency'].browse(own['currency_id'])
            amounts[ramp_id] = self._sum_line_amounts(lines, currency, company.currency_id)
            values[ramp_id] = {
                **common,
                **own,
                'ramp_id': ramp_id,
                **amounts[ramp_id],
                **self._sum_line_codings(lines, currency),
            }
        for ramp_id, expense in found.items():
            expense.write(values[ramp_id])
        again = set(found)
        found.update(
            (expense.ramp_id, expense)
            for expense in Expense.create([of_one for ramp_id, of_one in values.items() if ramp_id not in found])
        )
        for ramp_id, expense in found.items():
            # Core converts the total of an existing expense at its own rate, and computes the tax of the whole.
            for wanted in ({'total_amount': values[ramp_id]['total_amount']}, amounts[ramp_id]):
                different = {name: amount for name, amount in wanted.items() if expense[name] != amount}
                if different:
                    expense.write(different)
        return found, again

    def _sum_line_amounts(self, lines, currency, company_currency):
        """Return the tax and untaxed amounts of the entry's lines, in both currencies."""
        taxes = [line for line in lines if line.get('tax_repartition_line_id')]
        bases = [line for line in lines if not line.get('tax_repartition_line_id')]
        return {
            'tax_amount_currency': currency.round(sum(line['amount_currency'] for line in taxes)),
            'untaxed_amount_currency': currency.round(sum(line['amount_currency'] for line in bases)),
            'tax_amount': company_currency.round(sum(line['balance'] for line in taxes)),
            # Core keeps this amount in the precision of the expense's currency.
            'untaxed_amount': currency.round(company_currency.round(sum(line['balance'] for line in bases))),
        }

    def _sum_line_codings(self, lines, currency):
        """Return the account and taxes that all lines share, and the analytic accounts of all lines by their share."""
        bases = [line for line in lines if not line.get('tax_repartition_line_id')]
        accounts = {line['account_id'] for line in bases}
        # Include tax that is not recoverable. It is a cost on the account of its base.
        costs = [line for line in lines if line['account_id'] in accounts]
        # The command in `tax_ids` is either set or clear.
        taxes = {tuple(sorted(line['tax_ids'][0][2] or ())) for line in bases}
        return {
            'account_id': next(iter(accounts)) if len(accounts) == 1 else False,
            'tax_ids': [Command.set(taxes.pop() if len(taxes) == 1 else ())],
            'analytic_distribution': self._mix_distributions(costs, currency),
        }

    def _mix_distributions(self, lines, currency):
        """Return the analytic distributions of lines as one, weighted by the lines' amounts.

        Together with the share that is not distributed, it adds up to 100 %.
        """
        shares = defaultdict(Fraction)
        for line in lines:
            units = Fraction(self.env['ramp.flow.booking']._amount_to_units(line['amount_currency'], currency))
            for key, percent in (line.get('analytic_distribution') or {}).items():
                part = units * Fraction(str(percent)) / 100
                shares[key] += part
                shares[''] -= part
            shares[''] += units
        if not sum(shares.values()) or set(shares) == {''}:
            return False
        scale = 10 ** self.env['decimal.precision'].precision_get('Percentage Analytic')
        parts = zip(shares, allocate_amount(100 * scale, list(shares.values())), strict=True)
        return {key: part / scale for key, part in parts if key and part} or False
