# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The same objects come to the same books, whichever of them Ramp showed first."""
from datetime import date
from itertools import permutations

from odoo.tests import tagged

from .common import PayablesCase

ISSUED, CHARGED, PAID = '2026-03-02', '2026-03-05T12:00:00+00:00', '2026-03-12'
FLOWS = ('vendor', 'transaction', 'bill', 'bill_payment', 'transaction', 'bill_payment')


@tagged('post_install', '-at_install', 'ramp')
class ArrivalCase(PayablesCase):
    def look(self):
        self.sync(*FLOWS)

    def books(self):
        """What stands: the lines of posted documents that were not reversed, nor reverse another one, without ids."""
        moves = self.env['account.move'].search([('company_id', '=', self.company.id), ('state', '=', 'posted')])
        undone = moves.filtered('reversed_entry_id')
        undone |= undone.reversed_entry_id
        for move in undone.reversed_entry_id:
            self.assertNothing(move + move.reversal_move_ids)
        found = []
        for move in moves - undone:
            found.append((move.move_type, move.date, move.ref, move.partner_id.name, move.payment_state, sorted(
                (line.account_id.code, line.partner_id.name or '', line.name or '', line.currency_id.name, line.amount_currency,
                 line.balance, line.amount_residual, sorted(line.tax_ids.mapped('name'))) for line in move.line_ids)))
        expenses = self.env['hr.expense'].search([('company_id', '=', self.company.id)])
        return sorted(found, key=str), sorted((expense.name, expense.total_amount, expense.state) for expense in expenses)

    def assertNothing(self, moves):
        for account in moves.line_ids.account_id:
            lines = moves.line_ids.filtered(lambda line, account=account: line.account_id == account)
            self.assertFalse(round(sum(lines.mapped('balance')), 4), account.code)
            self.assertFalse(round(sum(lines.mapped('amount_currency')), 4), account.code)

    def assertSame(self, steps):
        """Each order of the steps, with a look at Ramp after each of them, comes to the same books."""
        outcomes = {}
        for order in permutations(steps):
            with self.isolated():
                for step in order:
                    getattr(self, step)()
                    self.look()
                for flow in ('transaction', 'bill', 'bill_payment'):
                    for record in self.env['ramp.record'].search([('flow', '=', flow)]):
                        self.assertEqual(record.state, 'confirmed', (order, flow, record.error_message))
                outcomes[order] = self.books()
                self.ramp.assert_clean()
        first = next(iter(outcomes))
        for order, outcome in outcomes.items():
            self.assertEqual(outcome, outcomes[first], (order, first))
        return outcomes[first]


class CardBillCase(ArrivalCase):
    """A bill, the charge of the card that pays it, and the bill's word that it is paid."""

    currency = 'USD'

    def once(self):
        super().once()
        self.vendor = self.ramp.add_vendor('Acme')
        self.ids = {
            'bill': self.owe(5000, currency=self.currency, vendor=self.vendor, date=ISSUED, invoice_number='A-1', payment_method='CARD',
                             approval_status='PENDING'),
            'charge': self.spend(5000 if self.currency == 'USD' else 6250, date=CHARGED, merchant='Acme', sync_status='NOT_SYNC_READY')}

    def the_bill(self):
        self.ramp.update_bill(self.ids['bill'], approval_status='APPROVED')

    def the_charge(self):
        self.ramp.update_transaction(self.ids['charge'], sync_status='SYNC_READY')

    def the_payment(self):
        if self.ramp.state['bills'].get(self.ids['bill'])['approval_status'] != 'APPROVED':
            self.the_bill()
        self.ramp.pay_bill(self.ids['bill'], method='CARD', transaction=self.ids['charge'], date=PAID)

    def assertEachOrder(self):
        moves, expenses = self.assertSame(['the_bill', 'the_charge', 'the_payment'])
        self.assertEqual(expenses, [], 'the bill is the spend')
        self.assertEqual([(kind, day) for kind, day, reference, *_rest in moves if reference], [
            ('entry', date(2026, 3, 5)), ('in_invoice', date(2026, 3, 2))])
        self.assertEqual({line[6] for move in moves for line in move[5] if line[0] == '211000'}, {0.0})


class TestArrival(CardBillCase):

    def test_a_charge_that_pays_nothing_is_spend(self):
        self.the_charge()
        self.look()
        self.assertEqual(len(self.books()[1]), 1)

    def test_each_order(self):
        self.assertEachOrder()


class TestForeignArrival(CardBillCase):
    """The same of a bill in another currency than the card's."""

    currency = 'EUR'

    def test_each_order(self):
        self.assertEachOrder()
