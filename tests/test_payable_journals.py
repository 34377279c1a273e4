# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import Command
from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from ..models.connection_constants import SCOPES
from .common import PayablesCase, StatementsCase
from .properties import in_turn
from .test_reimbursement import ReimbursementCase


def new_journal(case, kind, code):
    return case.env['account.journal'].create({'name': code, 'code': code, 'type': kind, 'company_id': case.company.id})


@tagged('post_install', '-at_install', 'ramp')
class TestPayableJournals(ReimbursementCase):
    """The journals and accounts on which payables are posted."""

    flows = ('vendor', 'vendor_credit', 'bill', 'bill_payment', 'reimbursement', 'reimbursement_payment')

    def book(self):
        """Post one document of each kind; returns their journals."""
        bill = self.owe(1000)
        credit = self.ramp.add_vendor_credit(amount_minor=300, account=self.external(self.account_meals))
        back = self.paid(500)
        self.sync_payables()
        return [self.move(ramp_id).journal_id for ramp_id in (bill, credit, back)]

    def test_the_bill_journal(self):
        self.assertEqual(self.book(), [self.connection.bill_journal_id] * 3)

    def test_journals_of_their_own(self):
        credits, back = new_journal(self, 'purchase', 'CRED'), new_journal(self, 'purchase', 'REIM')
        self.connection.write({'vendor_credit_journal_id': credits.id, 'reimbursement_journal_id': back.id})
        self.assertEqual(self.book(), [self.connection.bill_journal_id, credits, back])

    def test_without_a_bill_journal(self):
        credits = self.connection.vendor_credit_journal_id = self.connection.bill_journal_id
        self.connection.bill_journal_id = False
        bill, credit = (
            self.owe(1000),
            self.ramp.add_vendor_credit(amount_minor=300, account=self.external(self.account_meals)),
        )
        self.sync_payables()
        self.assertEqual((self.record(bill, 'bill').state, self.move(credit).journal_id), ('held', credits))
        self.assertRegex(self.record(bill, 'bill').error_message, 'has no bill journal')

    # ------------------------------------------------------------------ debts to employees

    def owed(self, ramp_id):
        return self.move(ramp_id).line_ids.filtered(lambda line: line.display_type == 'payment_term')

    def employee_account(self):
        account = self.env['account.account'].create(
            {
                'name': 'Owed to employees',
                'code': '211900',
                'account_type': 'liability_payable',
                'company_ids': [Command.set(self.company.ids)],
            }
        )
        self.connection.reimbursement_account_id = account
        return account

    def test_owed_as_partners_are(self):
        ramp_id = self.paid(10000)
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.assertEqual(
            self.owed(ramp_id).account_id,
            self.move(ramp_id).partner_id.with_company(self.company).property_account_payable_id,
        )

    def test_owed_to_employees(self):
        account = self.employee_account()
        ramp_id, back = self.paid(10000), self.paid(2500, direction='USER_TO_BUSINESS')
        bill = self.owe(4000)
        self.sync_payables()
        for identity in (ramp_id, back):
            self.assertPaid(identity)
            self.assertEqual((self.owed(identity).account_id, self.owed(identity).reconciled), (account, True))
            self.assertEqual(self.payments(identity).destination_account_id, account)
        self.assertNotEqual(self.owed(bill).account_id, account, 'vendors are owed apart')
        self.assertEqual(
            sum(self.env['account.move.line'].search([('account_id', '=', account.id)]).mapped('balance')), 0
        )

    def test_as_core_makes_it(self):
        """The entry is the same as for a bill that somebody enters with that account on the payable line."""
        account = self.employee_account()
        ramp_id = self.paid(10000)
        self.sync_payables()
        ours = self.move(ramp_id)
        cores = self.env['account.move'].create(
            {
                'move_type': 'in_invoice',
                'partner_id': ours.partner_id.id,
                'invoice_date': ours.invoice_date,
                'invoice_line_ids': [
                    Command.create(
                        {'name': 'x', 'price_unit': 100.0, 'account_id': self.account_meals.id, 'tax_ids': []}
                    )
                ],
            }
        )
        cores.line_ids.filtered(lambda line: line.display_type == 'payment_term').account_id = account
        cores.action_post()

        def lines(move):
            return [
                (line.account_id, line.display_type, line.balance, line.partner_id)
                for line in move.line_ids.sorted('balance')
            ]

        self.assertEqual(lines(ours), lines(cores))

    @in_turn
    def test_payment_returned(self):
        """A returned payment is on the same account. Earlier documents keep their own account."""
        before = self.paid(3000)
        self.sync_payables()
        account = self.employee_account()
        ramp_id = self.paid(10000)
        self.sync_payables()
        self.ramp.update_reimbursement(ramp_id, state='CANCELED')
        self.later(ramp_id)
        self.sync_payables()
        lines = self.env['account.move.line'].search([('account_id', '=', account.id)])
        self.assertEqual(
            (len(lines), sum(lines.mapped('balance')), lines.filtered(lambda line: not line.reconciled).ids), (4, 0, [])
        )
        self.assertPaid(before)
        self.assertNotEqual(self.owed(before).account_id, account)


@tagged('post_install', '-at_install', 'ramp')
class TestBankAccounts(PayablesCase):
    """The journals for payments from a bank account of Ramp."""

    def bank_accounts(self):
        """Return the Ramp ids of the two bank accounts of the primary entity."""
        return [account['id'] for account in self.ramp.state['entities'].get_row(self.primary)['payment_accounts']]

    def bank_account(self, ramp_id):
        return self.env['ramp.bank.account'].search(
            [('connection_id', '=', self.connection.id), ('ramp_id', '=', ramp_id)]
        )

    def test_known_when_connected(self):
        accounts = self.connection.bank_account_ids
        self.assertLessEqual(set(self.bank_accounts()), set(accounts.mapped('ramp_id')))
        [checking] = self.bank_account(self.bank_accounts()[0])
        self.assertRegex(checking.name, 'Checking$')
        self.assertEqual((checking.last_four, checking.journal_id.ids, checking.company_id), ('0017', [], self.company))
        self.assertFalse(
            [scope for scope in SCOPES if 'bank' in scope], 'no permission is needed that apps do not have'
        )

    @in_turn
    def test_journal_of_the_bank_account(self):
        own, _other = self.bank_accounts()
        journal = self.bank_account(own).journal_id = new_journal(self, 'bank', 'BNK9')
        bills = [self.owe(number) for number in (1000, 2000, 3000)]
        self.ramp.pay_bill(bills[0])
        self.ramp.pay_bill(bills[1], source=self.bank_accounts()[1])
        self.ramp.pay_bill(bills[2], method='PAID_MANUALLY')
        self.sync_payables()
        for ramp_id in bills:
            self.assertPaid(ramp_id)
        self.assertEqual(
            [self.payment(ramp_id).journal_id for ramp_id in bills],
            [journal, *[self.connection.payment_journal_id] * 2],
        )
        self.sync_payables()
        self.bank_account(own).journal_id = False
        self.sync_payables()
        self.assertEqual(self.payment(bills[0]).journal_id, journal, 'what is booked stays')

    def test_seen_for_the_first_time(self):
        own, other = self.bank_accounts()
        self.connection.bank_account_ids.unlink()
        self.ramp.pay_bill([self.owe(1000), self.owe(2000)], source=other)
        self.sync_payables()
        [account] = self.connection.bank_account_ids
        self.assertEqual((account.ramp_id, account.name, account.journal_id.ids), (other, False, []))
        account.journal_id = journal = new_journal(self, 'bank', 'BNK9')
        self.sync('watch')
        self.assertRegex(account.name, 'Payables$')
        self.assertEqual((account.journal_id, self.bank_account(own).last_four), (journal, '0017'))
        entity = self.ramp.state['entities'].get_row(self.primary)
        self.ramp.state['entities'].update_row(
            self.primary, payment_accounts=[{**entity['payment_accounts'][1], 'account_name': 'Renamed'}]
        )
        self.sync('watch')
        self.assertEqual((account.name, len(self.bank_account(own))), ('Renamed', 1))

    def test_unreadable_bank_account(self):
        """A bank account that cannot be read is left out, and the others are read."""
        self.connection.bank_account_ids.unlink()
        [one, two] = self.ramp.state['entities'].get_row(self.primary)['payment_accounts']
        self.ramp.state['entities'].update_row(self.primary, payment_accounts=[{**one, 'id': 'odd'}, two])
        self.sync('watch')
        self.assertIn(self.primary, self.connection.ramp_entities)
        self.assertEqual((self.bank_account(one['id']).ids, self.bank_account(two['id']).last_four), ([], '4242'))

    def test_who_chooses(self):
        account = self.connection.bank_account_ids[:1]
        journal = new_journal(self, 'bank', 'BNK9')
        for group, may in (('account_invoice', False), ('account_readonly', False), ('account_manager', True)):
            user = new_test_user(
                self.env, group, f'account.group_{group}', company_id=self.company.id, company_ids=self.company.ids
            )
            connection = self.connection.with_user(user)
            values = {'bank_account_ids': [Command.update(account.id, {'journal_id': journal.id})]}
            if may:
                connection.write(values)
            else:
                self.assertRaises(AccessError, connection.write, values)
            self.assertRaises(AccessError, account.with_user(user).write, {'ramp_id': 'x'})
        self.assertEqual(account.journal_id, journal)

    def test_queries_of_bank_accounts(self):
        """The journals take one query, however many payments there are, and one more if some accounts are new."""
        Account, ids = self.env['ramp.bank.account'], [f'{number:032x}' for number in range(40)]
        for count, queries in ((0, 0), (2, 2), (2, 1), (40, 2), (40, 1)):
            self.env.invalidate_all()
            self.connection.id  # noqa: B018
            with self.subTest(count), self.assertQueryCount(queries):
                Account._journals_of(self.connection, [None, *ids[:count]])


@tagged('post_install', '-at_install', 'ramp')
class TestStatementJournals(StatementsCase):
    def test_journals_of_statements_and_their_payments(self):
        [own, other] = [
            account['id'] for account in self.ramp.state['entities'].get_row(self.primary)['payment_accounts']
        ]
        journals = [new_journal(self, kind, code) for kind, code in (('purchase', 'STMT'), ('bank', 'BNK9'))]
        self.spend(10000, date='2026-07-03T12:00:00+00:00')
        before = self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        self.connection.statement_journal_id = journals[0]
        self.connection.bank_account_ids.filtered(lambda account: account.ramp_id == other).journal_id = journals[1]
        self.spend(5000, date='2026-08-03T12:00:00+00:00')
        after = self.ramp.close_statement('2026-09-01')
        transfers = [
            self.ramp.add_transfer(amount_minor=7500, date='2026-09-05', bank_account_id=account)
            for account in (own, other)
        ] + [self.ramp.add_transfer(amount_minor=0, date='2026-09-06', bank_account_id=None)]
        self.sync_statements()
        self.assertEqual(
            (self.bill(before).journal_id, self.bill(after).journal_id), (self.connection.bill_journal_id, journals[0])
        )
        self.assertEqual(
            [self.payment(transfer).journal_id for transfer in transfers[:2]],
            [self.connection.payment_journal_id, journals[1]],
        )
        self.assertEqual((self.bill(before).amount_residual, self.bill(after).amount_residual), (0, 0))
        self.assertEqual(self.payment(transfers[1]).outstanding_account_id.account_type, 'asset_current')
