# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""A paid document is posted anew for another vendor or on another account. The payments of the first one pay the
second.
"""

from datetime import timedelta
from unittest.mock import patch

from odoo import Command
from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import PayablesCase
from .properties import in_turn
from .test_reimbursement import ReimbursementCase


class PaidAgainCase(PayablesCase):
    flows = ('vendor', 'transaction', 'bill', 'bill_payment', 'transaction', 'bill_payment')

    def once(self):
        super().once()
        self.vendor, self.other = self.ramp.add_vendor('Acme'), self.ramp.add_vendor('Other')
        self.ramp_id = self.bill()

    def bill(self, **values):
        return self.owe(
            5000, **{'vendor': self.vendor, 'invoice_number': f'A-{len(self.ramp.state["bills"])}', **values}
        )

    def pay(self, **values):
        self.ramp.pay_bill(self.ramp_id, **values)
        self.sync_payables()
        self.assertEqual(self.move(self.ramp_id).amount_residual, 0)

    def change(self, **values):
        self.ramp.update_bill(self.ramp_id, **(values or {'vendor': self.other}))
        self.sync_payables()
        record = self.record(self.ramp_id, 'bill')
        self.assertTrue(record.has_changed, record.error_message)
        record.action_rebook()

    def owed_on_another_account(self):
        account = self.env['account.account'].create(
            {
                'name': 'Owed to others',
                'code': '211900',
                'account_type': 'liability_payable',
                'company_ids': [Command.set(self.company.ids)],
            }
        )
        self.move(self.ramp_id).partner_id.with_company(self.company).property_account_payable_id = account
        return account

    def owed(self):
        """Return {(account, partner): open amount} of the payable accounts. Lines without an open amount are
        reconciled.
        """
        lines = self.env['account.move.line'].search(
            [
                ('company_id', '=', self.company.id),
                ('account_type', '=', 'liability_payable'),
                ('parent_state', '=', 'posted'),
            ]
        )
        open_now = {}
        for (account, partner), items in lines.grouped(
            lambda line: (line.account_id.code, line.partner_id.name)
        ).items():
            # The debt equals the open amount, so nothing is paid with what belongs to another partner.
            self.assertEqual(round(sum(items.mapped('balance')), 2), round(sum(items.mapped('amount_residual')), 2))
            self.assertFalse(
                {item.amount_residual > 0 for item in items if item.amount_residual} >= {True, False},
                'open on both sides',
            )
            open_now[account, partner] = round(sum(items.mapped('balance')), 2)
        return {key: amount for key, amount in open_now.items() if amount}

    def assertPaidAgain(self, name='Other'):
        self.sync_payables()
        bill = self.move(self.ramp_id)
        self.assertEqual((bill.partner_id.name, bill.amount_residual, bill.state), (name, 0, 'posted'))
        self.assertEqual(self.owed(), {})
        for flow in ('bill', 'bill_payment'):
            record = self.record(self.ramp_id, flow)
            self.assertEqual(record.state, 'confirmed', record.error_message)
        count = self.env['account.move'].search_count([])
        self.sync_payables()
        self.assertEqual(self.env['account.move'].search_count([]), count, 'once')

    def assertOnCard(self, amount, spent=None):
        """The amount is spent once, by the card."""
        lines = self.env['account.move.line'].search(
            [('company_id', '=', self.company.id), ('parent_state', '=', 'posted')]
        )
        for account, balance in ((self.connection.card_account_id, -amount), (self.account_meals, spent or amount)):
            self.assertEqual(
                sum(lines.filtered(lambda line, account=account: line.account_id == account).mapped('balance')), balance
            )


@tagged('post_install', '-at_install', 'ramp')
class TestPaidAgain(PaidAgainCase):
    @in_turn
    def test_of_another_vendor(self):
        self.pay()
        self.change()
        self.assertPaidAgain()
        [transfer] = self.env['account.move'].search([('ref', '=like', '% pays %')])
        self.assertEqual(transfer.date, self.payment(self.ramp_id).date)
        self.assertEqual(
            [(line.partner_id.name, line.balance) for line in transfer.line_ids.sorted('balance')],
            [('Acme', -50.0), ('Other', 50.0)],
        )
        self.assertIn(transfer.name, ' '.join(self.move(self.ramp_id).message_ids.mapped('body')))
        self.assertIn(transfer.name, ' '.join(self.payment(self.ramp_id).message_ids.mapped('body')))

    @in_turn
    def test_on_another_account(self):
        self.pay()
        account = self.owed_on_another_account()
        self.change(account=self.external(self.account_travel))
        self.assertPaidAgain('Acme')
        self.assertIn(account, self.move(self.ramp_id).line_ids.account_id)

    @in_turn
    def test_there_and_back(self):
        self.pay()
        self.change()
        self.assertPaidAgain()
        self.change(vendor=self.vendor)
        self.assertPaidAgain('Acme')

    def test_of_a_batch(self):
        """If one bill of a batch is posted anew, the other one keeps its share of the transfer."""
        second = self.bill()
        self.ramp.pay_bill([self.ramp_id, second])
        self.sync_payables()
        self.change()
        self.assertPaidAgain()
        self.assertEqual((self.move(second).amount_residual, self.move(second).payment_state), (0, 'in_payment'))

    @in_turn
    def test_in_parts(self):
        self.ramp.pay_bill(self.ramp_id, amount_minor=2000)
        self.sync_payables()
        self.pay()
        self.change()
        self.assertPaidAgain()

    def test_in_another_currency(self):
        self.ramp_id = self.bill(currency='EUR', entity=self.primary, fx_conversion_rate='1.25')
        self.pay()
        self.change()
        self.sync_payables()
        self.assertEqual(self.move(self.ramp_id).amount_residual, 0)
        self.assertEqual(self.owed(), {('211000', 'Acme'): -50.0}, 'the bill in dollars, which nobody paid')

    @in_turn
    def test_that_came_back(self):
        """If the payment comes back, the new vendor is owed again, and the former one is not."""
        self.pay()
        self.change()
        self.assertPaidAgain()
        self.ramp.pay_bill(self.ramp_id, status='failed')
        self.sync_payables()
        self.assertEqual(list(self.owed().values()), [-50.0])
        self.assertEqual(next(iter(self.owed()))[1], 'Other')

    @in_turn
    def test_left_as_a_draft(self):
        """If the new bill is a draft, it is paid when somebody posts it."""
        self.pay()
        self.connection.bill_post = 'draft'
        self.change()
        self.sync_payables()
        bill = self.move(self.ramp_id)
        self.assertEqual((bill.state, self.record(self.ramp_id, 'bill_payment').state), ('draft', 'pending'))
        bill.action_post()
        self.assertPaidAgain()

    @in_turn
    def test_left_as_a_draft_in_a_batch_that_fails(self):
        """If a batch fails after the payment was transferred, the next attempt transfers it again and notes that one."""
        self.pay()
        self.connection.bill_post = 'draft'
        self.change()
        self.sync_payables()
        self.connection.bill_post = 'post'
        second = self.bill()
        self.sync_payables()
        self.move(self.ramp_id).action_post()
        self.ramp.pay_bill(second)
        flow, sizes = type(self.env['ramp.flow.bill_payment']), []
        original = flow._apply_vendor_credits

        def not_together(model, connection, plans):
            sizes.append(len(plans))
            if len(plans) > 1:
                raise UserError('Not together')  # pylint: disable=translation-required
            return original(model, connection, plans)

        with patch.object(flow, '_apply_vendor_credits', not_together):
            self.sync_payables()
        self.assertGreater(max(sizes), 1, 'there was a batch')
        self.assertPaidAgain()
        [note] = self.record(self.ramp_id, 'bill_payment').noted['parts'].values()
        self.assertTrue(self.env['account.move.line'].browse(note['line']).exists().reconciled)
        self.assertEqual(self.move(second).amount_residual, 0)

    def test_left_as_a_draft_of_the_same_vendor(self):
        self.pay()
        self.connection.bill_post = 'draft'
        self.change(account=self.external(self.account_travel))
        self.sync_payables()
        self.move(self.ramp_id).action_post()
        self.assertPaidAgain('Acme')
        self.assertEqual(self.move(self.ramp_id).payment_state, 'in_payment')

    @in_turn
    def test_in_a_closed_period(self):
        self.pay()
        self.ramp.update_bill(self.ramp_id, vendor=self.other)
        self.sync_payables()
        self.record(self.ramp_id, 'bill').action_rebook()
        lock = self.company.fiscalyear_lock_date = self.payment(self.ramp_id).date
        self.sync_payables()
        record = self.record(self.ramp_id, 'bill')
        self.assertEqual(record.state, 'held')
        self.assertRegex(record.error_message, 'closed')
        self.assertEqual(self.owed(), {('211000', 'Acme'): 50.0}, 'it waits, whole')
        self.connection.lock_date_policy = 'next_open'
        self.assertPaidAgain()
        [transfer] = self.env['account.move'].search([('ref', '=like', '% pays %')])
        self.assertEqual(transfer.date, lock + timedelta(days=1))

    def test_a_credit_on_another_account(self):
        """A credit cannot be transferred to another account like a payment, so a person puts both on one account."""
        credit = self.ramp.add_vendor_credit(
            vendor=self.vendor, amount_minor=5000, account=self.external(self.account_meals), reference_number='C-1'
        )
        self.sync('vendor', 'vendor_credit', 'bill')
        account = self.owed_on_another_account()
        self.ramp_id = self.bill()
        self.sync_payables()
        self.ramp.apply_vendor_credit(credit, self.ramp_id, 5000)
        self.sync_payables()
        record = self.record(self.ramp_id, 'bill_payment')
        self.assertEqual(record.state, 'held')
        self.assertRegex(
            record.error_message,
            'belongs to Acme on account 211000.*to Acme on account 211900.* Reset one of them to draft',
        )
        refund = self.move(credit)
        refund.button_draft()
        refund.line_ids.filtered(lambda line: line.display_type == 'payment_term').account_id = account
        refund.action_post()
        self.sync_payables()
        self.assertEqual(
            (record.state, self.move(self.ramp_id).amount_residual, refund.amount_residual), ('confirmed', 0, 0)
        )

    @in_turn
    def test_by_card_before_its_charge(self):
        self.pay(method='CARD')
        self.change()
        self.assertPaidAgain()
        self.assertOnCard(50.0)

    @in_turn
    def test_by_card(self):
        self.pay(method='CARD', transaction=True)
        self.change()
        self.assertPaidAgain()
        self.assertOnCard(50.0)

    @in_turn
    def test_by_a_card_that_pays_another_bill_too(self):
        """If a charge also pays a bill that is not approved yet, that part stays where it is."""
        second = self.bill(payment_method='CARD', approval_status='PENDING')
        charge = self.spend(10000, merchant='Acme')
        self.ramp.update_bill(self.ramp_id, payment_method='CARD')
        self.ramp.pay_bill([self.ramp_id, second], method='CARD', transaction=charge)
        self.sync_payables()
        self.assertEqual(self.owed(), {('211000', 'Acme'): 50.0})
        self.change()
        self.sync_payables()
        self.assertEqual(self.owed(), {('211000', 'Acme'): 50.0})
        self.assertEqual(self.move(self.ramp_id).amount_residual, 0)
        self.ramp.update_bill(second, approval_status='APPROVED')
        self.assertPaidAgain()
        self.assertEqual(self.move(second).amount_residual, 0)

    @in_turn
    def test_by_card_before_its_charge_which_says_otherwise(self):
        """If a charge with another amount arrives later, the transferred amount is taken back together with what
        replaced it.
        """
        charge = self.spend(5100, merchant='Acme', sync_status='NOT_SYNC_READY')
        self.ramp.pay_bill(self.ramp_id, method='CARD', transaction=charge)
        self.sync_payables()
        self.change()
        self.assertPaidAgain()
        self.ramp.update_transaction(charge, sync_status='SYNC_READY')
        self.sync_payables()
        self.sync_payables()
        self.assertEqual(self.owed(), {('211000', 'Other'): 1.0})
        self.assertOnCard(51.0, spent=50.0)


@tagged('post_install', '-at_install', 'ramp')
class TestReimbursedAgain(ReimbursementCase):
    def test_owed_on_another_account(self):
        """A reimbursement that is posted anew stays paid, even if the account for debts to employees was changed
        meanwhile.
        """
        ramp_id = self.paid(10000)
        self.sync_payables()
        self.assertPaid(ramp_id)
        account = self.env['account.account'].create(
            {
                'name': 'Owed to employees',
                'code': '211900',
                'account_type': 'liability_payable',
                'company_ids': [Command.set(self.company.ids)],
            }
        )
        self.connection.reimbursement_account_id = account
        self.ramp.update_reimbursement(ramp_id, account=self.external(self.account_travel))
        self.later(ramp_id)
        self.sync_payables()
        self.record(ramp_id, 'reimbursement').action_rebook()
        self.sync_payables()
        self.assertEqual(self.record(ramp_id, 'reimbursement_payment').state, 'confirmed')
        self.assertEqual(self.move(ramp_id).amount_residual, 0)
        lines = self.env['account.move.line'].search(
            [('account_type', '=', 'liability_payable'), ('company_id', '=', self.company.id)]
        )
        self.assertEqual(lines.filtered(lambda line: not line.reconciled).ids, [])
        self.assertEqual(
            {
                code: sum(items.mapped('balance'))
                for code, items in lines.grouped(lambda line: line.account_id.code).items()
            },
            {account.code: 0, '211000': 0},
        )
