# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The same objects lead to the same entries, whichever Ramp shows first."""

from datetime import date
from itertools import permutations

from odoo.tests import tagged

from .common import PayablesCase, StatementsCase
from .properties import rotated
from .test_accounting_reference import IDENTITY, PAYMENT_IDENTITY
from .test_item_receipt import ReceiptsCase

ISSUED, CHARGED, PAID = '2026-03-02', '2026-03-05T12:00:00+00:00', '2026-03-12'
FLOWS = ('vendor', 'transaction', 'bill', 'bill_payment', 'transaction', 'bill_payment')


@tagged('post_install', '-at_install', 'ramp')
class ArrivalCase(PayablesCase):
    flows = FLOWS

    def look(self):
        self.sync(*self.flows)

    def books(self):
        """Return the lines of posted documents, without ids, and without reversals and what they reverse."""
        moves = self.env['account.move'].search([('company_id', '=', self.company.id), ('state', '=', 'posted')])
        undone = moves.filtered('reversed_entry_id')
        undone |= undone.reversed_entry_id
        for move in undone.reversed_entry_id:
            self.assertNothing(move + move.reversal_move_ids)
        found = []

        def text(value):
            return IDENTITY.sub('of Ramp', PAYMENT_IDENTITY.sub('of Ramp', value or ''))

        for move in moves - undone:
            found.append(
                (
                    move.move_type,
                    move.date,
                    text(move.ref),
                    move.partner_id.name,
                    move.payment_state,
                    sorted(
                        (
                            line.account_id.code,
                            line.partner_id.name or '',
                            text(line.name),
                            line.currency_id.name,
                            line.amount_currency,
                            line.balance,
                            line.amount_residual,
                            sorted(line.tax_ids.mapped('name')),
                        )
                        for line in move.line_ids
                    ),
                )
            )
        expenses = self.env['hr.expense'].search([('company_id', '=', self.company.id)])
        return sorted(found, key=str), sorted(
            (text(expense.name), expense.total_amount, expense.state) for expense in expenses
        )

    def assertNothing(self, moves):
        for account in moves.line_ids.account_id:
            lines = moves.line_ids.filtered(lambda line, account=account: line.account_id == account)
            self.assertFalse(round(sum(lines.mapped('balance')), 4), account.code)
            self.assertFalse(round(sum(lines.mapped('amount_currency')), 4), account.code)

    def assertSame(self, steps):
        """Each order of the steps, with a sync after each step, leads to the same entries as the first order, and
        leaves nothing open. In a commit, some of the other orders are tested.
        """
        outcomes, ids = {}, self.ids
        straight, *others = permutations(steps)
        for order in (straight, *rotated(others, of=5)):
            self.ids = dict(ids)
            with self.isolated():
                for step in order:
                    getattr(self, step)()
                    self.look()
                for flow in self.flows:
                    for record in self.env['ramp.record'].search([('flow', '=', flow)]):
                        kind = self.env[f'ramp.flow.{flow}']
                        ends = ('confirmed',) if kind._sends or kind._sync_type else ('done', 'confirmed')
                        self.assertIn(record.state, ends, (order, flow, record.error_message))
                outcomes[order] = self.books()
                self.ramp.assert_clean()
        for order, outcome in outcomes.items():
            self.assertEqual(outcome, outcomes[straight], (order, straight))
        return outcomes[straight]


class CardBillCase(ArrivalCase):
    """A bill, the charge of the card that pays it, and Ramp's report that the bill is paid."""

    currency = 'USD'

    def once(self):
        super().once()
        self.vendor = self.ramp.add_vendor('Acme')
        self.ids = {
            'bill': self.owe(
                5000,
                currency=self.currency,
                vendor=self.vendor,
                date=ISSUED,
                invoice_number='A-1',
                payment_method='CARD',
                approval_status='PENDING',
            ),
            'charge': self.spend(
                5000 if self.currency == 'USD' else 6250, date=CHARGED, merchant='Acme', sync_status='NOT_SYNC_READY'
            ),
        }

    def the_bill(self):
        self.ramp.update_bill(self.ids['bill'], approval_status='APPROVED')

    def the_charge(self):
        self.ramp.update_transaction(self.ids['charge'], sync_status='SYNC_READY')

    def the_payment(self):
        if self.ramp.state['bills'].get_row(self.ids['bill'])['approval_status'] != 'APPROVED':
            self.the_bill()
        self.ramp.pay_bill(self.ids['bill'], method='CARD', transaction=self.ids['charge'], date=PAID)

    def assertEachOrder(self):
        moves, expenses = self.assertSame(['the_bill', 'the_charge', 'the_payment'])
        self.assertEqual(expenses, [], 'the bill is the spend')
        self.assertEqual(
            [(kind, day) for kind, day, reference, *_rest in moves if reference],
            [('entry', date(2026, 3, 5)), ('in_invoice', date(2026, 3, 2))],
        )
        self.assertEqual({line[6] for move in moves for line in move[5] if line[0] == '211000'}, {0.0})


class TestArrival(CardBillCase):
    def test_a_charge_that_pays_nothing_is_spend(self):
        self.the_charge()
        self.look()
        self.assertEqual(len(self.books()[1]), 1)

    def test_each_order(self):
        self.assertEachOrder()


class TestForeignArrival(CardBillCase):
    """The same for a bill in another currency than the card's."""

    currency = 'EUR'

    def test_each_order(self):
        self.assertEachOrder()


class TestCreditArrival(ArrivalCase):
    """A bill, a vendor credit, and a payment of what the credit leaves."""

    flows = ('vendor', 'vendor_credit', 'bill', 'bill_payment')

    def once(self):
        super().once()
        self.vendor = self.ramp.add_vendor('Acme')
        self.ids = {
            'bill': self.owe(5000, vendor=self.vendor, date=ISSUED, invoice_number='A-1', approval_status='PENDING')
        }

    def the_bill(self):
        self.ramp.update_bill(self.ids['bill'], approval_status='APPROVED')

    def the_credit(self):
        if 'credit' not in self.ids:
            self.ids['credit'] = self.ramp.add_vendor_credit(
                vendor=self.vendor,
                amount_minor=2000,
                account=self.external(self.account_meals),
                date=CHARGED,
                reference_number='C-1',
            )

    def the_payment(self):
        self.the_credit()
        self.the_bill()
        self.ramp.apply_vendor_credit(self.ids['credit'], self.ids['bill'])
        self.ramp.pay_bill(self.ids['bill'], date=PAID)

    def test_each_order(self):
        moves, _expenses = self.assertSame(['the_bill', 'the_credit', 'the_payment'])
        self.assertEqual([kind for kind, *_rest in moves], ['entry', 'in_invoice', 'in_refund'])
        self.assertEqual({line[6] for move in moves for line in move[5] if line[0] == '211000'}, {0.0})


class TestRefundArrival(ArrivalCase):
    """A charge, its refund, and what an employee repays of it."""

    flows = ('transaction', 'repayment', 'transaction', 'repayment')

    def once(self):
        super().once()
        self.connection.repayment_account_id = self.env['account.account'].search(
            [('company_ids', 'in', self.company.ids), ('account_type', '=', 'asset_current'), ('reconcile', '=', True)],
            limit=1,
        )
        charge = self.spend(5000, date=CHARGED, merchant='Acme', sync_status='NOT_SYNC_READY')
        self.ids = {
            'charge': charge,
            'refund': self.spend(-1000, date=f'{PAID}T12:00:00+00:00', refund_of=charge, sync_status='NOT_SYNC_READY'),
        }

    def the_charge(self):
        self.ramp.update_transaction(self.ids['charge'], sync_status='SYNC_READY')

    def the_refund(self):
        self.ramp.update_transaction(self.ids['refund'], sync_status='SYNC_READY')

    def the_repayment(self):
        self.ramp.add_repayment(transaction=self.ids['charge'], amount_minor=1500, date=PAID)

    def test_each_order(self):
        moves, expenses = self.assertSame(['the_charge', 'the_refund', 'the_repayment'])
        self.assertEqual(len(moves), 3)
        self.assertEqual(sorted(amount for _name, amount, _state in expenses), [-15.0, -10.0, 50.0])


class TestStatementArrival(StatementsCase, ArrivalCase):
    """Card spend, the statement with it, and the payment of the statement."""

    flows = ('transaction', 'transfer', 'statement', 'cashback', 'transaction', 'statement', 'transfer')

    def once(self):
        super().once()
        self.connection.start_date = '2026-06-01'
        self.ids = {'charge': self.spend(5000, date='2026-07-05T12:00:00+00:00', sync_status='NOT_SYNC_READY')}

    def the_charge(self):
        self.ramp.update_transaction(self.ids['charge'], sync_status='SYNC_READY')

    def the_statement(self):
        if 'statement' not in self.ids:
            self.ids['statement'] = self.ramp.close_statement('2026-08-01', cashback_bps=150)

    def the_payment(self):
        self.the_statement()
        self.ramp.add_transfer(date='2026-08-05')

    def test_each_order(self):
        moves, _expenses = self.assertSame(['the_charge', 'the_statement', 'the_payment'])
        self.assertEqual([kind for kind, *_rest in moves], ['entry', 'entry', 'in_invoice'])
        self.assertEqual({line[6] for move in moves for line in move[5] if line[0] == '211000'}, {0.0})


class TestOrderArrival(ReceiptsCase, ArrivalCase):
    """Receipts of an order, its bill, and the bill's payment."""

    flows = (
        'purchase_order',
        'spend_vendor',
        'purchase_order',
        'item_receipt',
        'vendor',
        'bill',
        'bill_payment',
        'item_receipt',
    )

    def once(self):
        super().once()
        self.sync('account')
        self.bought = self.order((3, 10.0, {}), (2, 7.5, {}))
        self.push()
        [first, second] = self.there(self.bought)['line_items']
        self.ids = {
            'bill': self.ramp.bill_purchase_order(
                self.row(self.bought).ramp_id,
                {first['id']: 3, second['id']: 1},
                approval_status='PENDING',
                date=ISSUED,
                invoice_number='A-1',
            )
        }

    def test_the_order_is_there(self):
        self.assertEqual(self.row(self.bought).state, 'confirmed')

    def look(self):
        self.env.cr.flush()  # as if the changes in Odoo were committed
        return super().look()

    def the_receipt(self):
        self.receive(self.bought, 3, 1)

    def the_bill(self):
        self.ramp.update_bill(self.ids['bill'], approval_status='APPROVED')

    def the_payment(self):
        self.the_bill()
        self.ramp.pay_bill(self.ids['bill'], date=PAID)

    def test_each_order(self):
        moves, _expenses, received, billed, told = self.assertSame(['the_receipt', 'the_bill', 'the_payment'])
        self.assertEqual((received, billed, [*told.values()]), ([3.0, 1.0], [3.0, 1.0], [[3, 1]]))
        self.assertEqual([kind for kind, *_rest in moves], ['entry', 'in_invoice'])
        self.assertEqual({line[6] for move in moves for line in move[5] if line[0] == '211000'}, {0.0})

    def books(self):
        """Add the received and billed quantities of the order."""
        lines = self.bought.order_line.sorted('id')
        return *super().books(), lines.mapped('qty_received'), lines.mapped('qty_invoiced'), self.receipts(self.bought)
