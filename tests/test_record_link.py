# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""An object that waits is linked to a document that somebody entered by hand. The document counts in the tie-out, Ramp is
told, and the connector never reverses it.
"""

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, new_test_user, tagged

from .common import PayablesCase, StatementsCase

DAY = '2026-07-03'
BILLS = ('vendor', 'vendor_credit', 'bill', 'bill_payment', 'bill_file')
PEOPLE = ('reimbursement', 'reimbursement_payment', 'receipt')
STATEMENTS = ('transaction', 'transfer', 'statement', 'cashback', 'statement_file')


@tagged('post_install', '-at_install', 'ramp')
class TestRecordLink(StatementsCase, PayablesCase):
    def once(self):
        super().once()
        self.connection.start_date = '2026-06-01'
        self.accountant = new_test_user(
            self.env,
            'link_accountant',
            'base.group_user,account.group_account_invoice,base.group_multi_currency',
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
        )
        self.auditor = new_test_user(
            self.env,
            'link_auditor',
            'account.group_account_readonly',
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
        )

    def as_user(self, record, user=None):
        return record.with_user(user or self.accountant).with_context(allowed_company_ids=self.company.ids)

    def held_spend(self, amount_minor=12345, **values):
        """Add a card transaction that is on hold; returns its Ramp id."""
        ramp_id = self.spend(amount_minor, account=None, **{'date': f'{DAY}T12:00:00+00:00', **values})
        self.sync('transaction')
        self.assertEqual(self.record(ramp_id).state, 'held')
        return ramp_id

    def entry_by_hand(self, amount=123.45, currency='USD', post=True, **values):
        """Enter card spend as an accountant does."""
        money = self.env.ref(f'base.{currency}')
        money.active = True
        move = self.env['account.move'].create(
            {
                'move_type': 'entry',
                'company_id': self.company.id,
                'date': DAY,
                'journal_id': self.connection.card_journal_id.id,
                'line_ids': [
                    Command.create(
                        {
                            'name': 'Chairs',
                            'account_id': account.id,
                            'currency_id': money.id,
                            'amount_currency': sign * amount,
                            'balance': sign * amount,
                            'tax_ids': [Command.clear()],
                        }
                    )
                    for account, sign in ((self.account_meals, 1), (self.connection.card_account_id, -1))
                ],
                **values,
            }
        )
        if post:
            move._post(soft=False)
        return move

    def bill_by_hand(self, partner, amount=100.0, account=None, post=True, **values):
        bill = self.env['account.move'].create(
            {
                'move_type': 'in_invoice',
                'partner_id': partner.id,
                'invoice_date': DAY,
                'date': DAY,
                'ref': 'A 1',
                'company_id': self.company.id,
                'invoice_line_ids': [
                    Command.create(
                        {
                            'name': 'Chairs',
                            'price_unit': amount,
                            'tax_ids': [Command.clear()],
                            'account_id': (account or self.account_meals).id,
                        }
                    )
                ],
                **values,
            }
        )
        if post:
            bill._post(soft=False)
        return bill

    def payment_by_hand(self, amount=50.0, partner=None, post=True, **values):
        journal = self.connection.payment_journal_id
        method = journal.outbound_payment_method_line_ids[:1]
        if not method.payment_account_id:
            method.payment_account_id = self.env['account.account'].create(
                {
                    'name': 'Outstanding by Hand',
                    'code': '110099',
                    'account_type': 'asset_current',
                    'reconcile': True,
                    'company_ids': [Command.set(self.company.ids)],
                }
            )
        payment = self.env['account.payment'].create(
            {
                'payment_type': 'outbound',
                'partner_type': 'supplier',
                'partner_id': (partner or self.connection.ramp_partner_id).id,
                'amount': amount,
                'date': '2026-08-05',
                'journal_id': journal.id,
                'payment_method_line_id': method.id,
                **values,
            }
        )
        if post:
            payment.action_post()
        return payment

    def link(self, record, document, user=None):
        self.as_user(record, user)._link_to_document(self.as_user(document, user))
        self.env.invalidate_all()

    def refuse(self, record, document, pattern):
        with self.assertRaisesRegex(UserError, pattern), self.env.cr.savepoint():
            self.link(record, document)
        self.assertFalse(record.res_id)
        self.assertNotEqual(document.ramp_id, record.ramp_id)

    def assertLinked(self, record, document, state='confirmed'):
        self.env.invalidate_all()
        self.assertEqual((record.state, record.res_model, record.res_id), (state, document._name, document.id))
        self.assertTrue(record.is_linked)
        self.assertFalse(record.error_message)
        self.assertEqual(document.ramp_id, record.ramp_id)
        self.assertIn('Linked to an object of Ramp', ' '.join(document.message_ids.mapped('body')))

    def assertTiedOut(self, is_zero=True):
        self.env.flush_all()
        report = self.env['report.ramp_connector.tie_out'].get_report(self.connection.id)
        self.assertEqual(report['is_zero'], is_zero, report)

    def assertUntouched(self, document):
        """The document stands, and belongs to nobody."""
        self.assertIn(document.state, ('posted', 'in_process', 'paid'))
        move = document if document._name == 'account.move' else document.move_id
        self.assertFalse(move.reversal_move_ids)
        self.assertFalse(document.ramp_id)
        self.assertIn('no longer linked', ' '.join(document.message_ids.mapped('body')))

    # ------------------------------------------------------------------ card transactions

    def test_transaction(self):
        ramp_id = self.held_spend(receipts=1)
        record, entry = self.record(ramp_id), self.entry_by_hand()
        self.assertTiedOut(False)
        self.link(record, entry)
        self.assertLinked(record, entry, 'done')
        self.assertFalse(self.ramp.list_successes().get(ramp_id), 'nothing is sent in the transaction of a person')
        self.sync('transaction', 'receipt')
        self.assertLinked(record, entry)
        self.assertEqual(self.ramp.list_successes()[ramp_id], [f'account.move,{entry.id}'])
        self.assertEqual(self.ramp.state['transactions'].get_row(ramp_id)['sync_status'], 'SYNCED')
        self.assertEqual(len(self.attachments(entry)), 1)
        self.assertEqual(self.move(ramp_id), entry)
        self.assertTiedOut()
        calls = len(self.ramp.list_write_calls())
        self.sync('transaction', 'receipt', 'watch')
        self.assertEqual(len(self.ramp.list_write_calls()), calls)
        self.assertLinked(record, entry)

    def test_refund(self):
        ramp_id = self.held_spend(-500)
        self.link(self.record(ramp_id), self.entry_by_hand(-5.0))
        self.sync('transaction')
        self.assertEqual(self.record(ramp_id).state, 'confirmed')
        self.assertTiedOut()

    def test_what_is_refused(self):
        ramp_id = self.held_spend()
        record = self.record(ramp_id)
        self.refuse(record, self.entry_by_hand(123.46), r'Amount: .*comes to .*123\.46, but .*123\.45')
        self.refuse(record, self.entry_by_hand(-123.45), 'Direction: .*is the opposite')
        self.refuse(record, self.entry_by_hand(currency='EUR'), 'Currency: .*in EUR, but .* in USD')
        self.refuse(record, self.entry_by_hand(post=False), r'not posted.*Draft')
        without = self.bill_by_hand(self.env['res.partner'].create({'name': 'Other'}), 123.45)
        self.refuse(record, without, 'has no line on the card liability')
        reversed_entry = self.entry_by_hand()
        reversed_entry._reverse_moves(cancel=True)
        self.refuse(record, reversed_entry, 'was reversed by')

    def test_another_company(self):
        ramp_id = self.held_spend()
        elsewhere = self.env['res.company'].create({'name': 'Elsewhere'})
        self.accountant.company_ids += elsewhere
        entry = self.entry_by_hand()
        journal = self.env['account.journal'].create(
            {'name': 'Other', 'code': 'OTH', 'type': 'general', 'company_id': elsewhere.id}
        )
        foreign = self.env['account.move'].create({'company_id': elsewhere.id, 'journal_id': journal.id})
        both = (self.company + elsewhere).ids
        record = self.record(ramp_id).with_user(self.accountant).with_context(allowed_company_ids=both)
        with self.assertRaisesRegex(UserError, 'belongs to the company Elsewhere'), self.env.cr.savepoint():
            record._link_to_document(foreign.with_env(record.env))
        self.accountant.company_ids -= elsewhere
        with self.assertRaises(AccessError), self.env.cr.savepoint():
            self.link(self.record(ramp_id), foreign)
        self.link(self.record(ramp_id), entry)

    def test_linked_twice(self):
        first, second = self.held_spend(), self.held_spend()
        entry = self.entry_by_hand()
        self.link(self.record(first), entry)
        self.refuse(self.record(second), entry, 'stands for another object of Ramp already')
        with self.assertRaisesRegex(UserError, 'has the status'), self.env.cr.savepoint():
            self.link(self.record(first), self.entry_by_hand())

    def test_posted_by_the_connector(self):
        """What the connector posted stands for its own object only."""
        booked = self.spend(12345, date=f'{DAY}T12:00:00+00:00')
        held = self.held_spend()
        self.refuse(self.record(held), self.move(booked), 'stands for another object')

    def test_not_offered(self):
        ramp_id = self.spend(12345, date=f'{DAY}T12:00:00+00:00', sync_status='NOT_SYNC_READY')
        self.sync('transaction', 'watch')
        record = self.record(ramp_id)
        self.assertTrue(record.is_withheld)
        self.refuse(record, self.entry_by_hand(), 'does not offer')

    def test_other_kinds(self):
        self.spend(100, receipts=1)
        self.sync('transaction')
        receipt = self.env['ramp.record'].search([('flow', '=', 'receipt')])
        with self.assertRaisesRegex(UserError, r'cannot be linked to an entry \(type: Receipts\)'):
            self.as_user(receipt).action_link()

    def test_exported_elsewhere(self):
        """Ramp shows it as synced already. It is linked, and Ramp is told nothing."""
        ramp_id = self.spend(12345, date=f'{DAY}T12:00:00+00:00')
        self.ramp.export_elsewhere('TRANSACTION_SYNC', ramp_id)
        self.sync('transaction', 'watch')
        record = self.record(ramp_id)
        self.assertEqual((record.state, record.hold_reason), ('held', 'elsewhere'))
        entry = self.entry_by_hand()
        self.link(record, entry)
        self.assertLinked(record, entry)
        self.sync('transaction', 'watch')
        self.assertLinked(record, entry)
        self.assertFalse(self.ramp.list_successes().get(ramp_id))
        self.assertTiedOut()

    def test_roles(self):
        record, entry = self.record(self.held_spend()), self.entry_by_hand()
        for user in (self.auditor, new_test_user(self.env, 'link_employee')):
            with self.subTest(user=user.login):
                for call in (
                    lambda user=user: self.link(record, entry, user),
                    lambda user=user: self.as_user(record, user).action_link(),
                    lambda user=user: self.as_user(record, user).action_unlink_document(),
                ):
                    with self.assertRaises(AccessError), self.env.cr.savepoint():
                        call()
        self.env['ir.rule'].create(
            {
                'name': 'Nobody edits this entry',
                'model_id': self.env['ir.model']._get_id('account.move'),
                'domain_force': f"[('id', '!=', {entry.id})]",
                **dict.fromkeys(('perm_read', 'perm_create', 'perm_unlink'), False),
            }
        )
        with self.assertRaises(AccessError), self.env.cr.savepoint():
            self.link(record, entry)
        self.assertEqual((record.state, entry.ramp_id), ('held', False))

    def test_wizard(self):
        record = self.record(self.held_spend())
        far = self.entry_by_hand(date='2026-08-20')
        near, other = self.entry_by_hand(), self.entry_by_hand(99.0)
        action = self.as_user(record).action_link()
        link = self.as_user(self.env['ramp.record.link'].browse(action['res_id']))
        self.assertEqual(link.proposed_move_ids.ids, [near.id, far.id])
        self.assertEqual((link.move_id, link.is_payment, link.amount), (near.with_env(link.env), False, 123.45))
        with Form(link) as form:
            form.move_id = other
        with self.assertRaisesRegex(UserError, 'Amount'), self.env.cr.savepoint():
            link.action_confirm()
        link.move_id = False
        with self.assertRaisesRegex(UserError, 'Choose the document'):
            link.action_confirm()
        link.move_id = far
        link.action_confirm()
        self.assertLinked(record, far, 'done')

    def test_wizard_of_another_company(self):
        """Nobody learns of objects or documents of a company by a wizard for its records."""
        record, entry = self.record(self.held_spend()), self.entry_by_hand()
        elsewhere = self.env['res.company'].create({'name': 'Elsewhere'})
        stranger = new_test_user(
            self.env,
            'link_stranger',
            'account.group_account_invoice',
            company_id=elsewhere.id,
            company_ids=[Command.set(elsewhere.ids)],
        )
        Wizard = self.env['ramp.record.link'].with_user(stranger).with_context(allowed_company_ids=elsewhere.ids)
        with self.assertRaises(AccessError), self.env.cr.savepoint():
            link = Wizard.create({'record_id': record.id, 'move_id': entry.id})
            link.read(['amount', 'proposed_move_ids'])
        with self.assertRaises(AccessError), self.env.cr.savepoint():
            Wizard.create({'record_id': record.id, 'move_id': entry.id}).action_confirm()
        self.assertEqual(record.state, 'held')

    def test_change_in_ramp_is_asked_about(self):
        ramp_id = self.held_spend()
        record, entry = self.record(ramp_id), self.entry_by_hand()
        self.link(record, entry)
        self.sync('transaction')
        record.confirmed_at = '2020-01-01'
        self.ramp.update_transaction(ramp_id, amount_minor=20000, sync_status='SYNC_READY', synced_at=None)
        self.sync('transaction')
        self.assertEqual((record.state, record.hold_reason, record.res_id), ('held', 'changed', entry.id))
        self.as_user(record).action_rebook()
        self.assertUntouched(entry)
        self.env.invalidate_all()
        self.assertEqual((record.state, record.res_id, record.is_linked), ('pending', False, False))

    def test_unlink(self):
        ramp_id = self.held_spend()
        record, entry = self.record(ramp_id), self.entry_by_hand()
        with self.assertRaisesRegex(UserError, 'is not linked'):
            self.as_user(record).action_unlink_document()
        self.link(record, entry)
        self.sync('transaction')
        self.as_user(record).action_unlink_document()
        self.env.invalidate_all()
        self.assertUntouched(entry)
        self.assertEqual((record.state, record.hold_reason, record.res_id), ('held', 'finding', False))
        self.assertRegex(record.error_message, f'unlinked {entry.name}')
        self.sync('transaction')
        self.assertEqual(record.state, 'held', 'it waits for a person')
        self.assertTiedOut(False)
        self.ramp.resync = 'accept'
        other = self.entry_by_hand()
        self.link(record, other)
        self.sync('transaction')
        self.assertEqual(record.state, 'confirmed', record.error_message)
        self.assertEqual(self.ramp.list_successes()[ramp_id], [f'account.move,{entry.id}', f'account.move,{other.id}'])

    def test_deleted_afterwards(self):
        record, entry = self.record(self.held_spend()), self.entry_by_hand()
        self.link(record, entry)
        self.sync('transaction')
        entry.button_draft()
        entry.unlink()
        self.env.invalidate_all()
        self.assertEqual((record.state, record.hold_reason, record.res_id), ('held', 'deleted', False))
        self.assertFalse(record.noted, 'what is posted instead is no entry of a person')

    def test_spend_that_pays_a_bill(self):
        """A linked entry is not posted again as the payment of a bill."""
        tx = self.held_spend(5000)
        entry = self.entry_by_hand(50.0)
        self.link(self.record(tx), entry)
        self.sync('transaction')
        bill = self.owe(5000, payment_method='CARD', date=DAY)
        self.ramp.pay_bill(bill, transaction=tx)
        self.sync(*BILLS)
        payment = self.record(bill, 'bill_payment')
        self.assertEqual(payment.state, 'held')
        self.assertRegex(payment.error_message, f'is linked to {entry.name}, which somebody entered')
        self.assertEqual((entry.state, entry.ramp_id, entry.reversal_move_ids.ids), ('posted', tx, []))

    def test_settlement_of_a_bill(self):
        """An entry that settles a bill by card stands for no other charge."""
        bill = self.owe(5000, payment_method='CARD', date=DAY)
        self.ramp.pay_bill(bill, date=DAY)
        self.sync(*BILLS)
        settled = self.env['account.move'].browse(self.record(bill, 'bill_payment').noted['card']['id'])
        self.assertTrue(settled)
        self.refuse(self.record(self.held_spend(5000)), settled, 'stands for another object')

    # ------------------------------------------------------------------ bills, credits, reimbursements

    def held_bill(self, **values):
        vendor = self.ramp.add_vendor('Acme')
        ramp_id = self.owe(10000, vendor=vendor, account=None, date=DAY, invoice_number='A 1', **values)
        self.sync(*BILLS)
        self.assertEqual(self.record(ramp_id, 'bill').state, 'held')
        return ramp_id, self.env['res.partner'].search([('name', '=', 'Acme')])

    def test_bill_and_its_payment(self):
        ramp_id, partner = self.held_bill()
        record = self.record(ramp_id, 'bill')
        self.refuse(record, self.bill_by_hand(partner, 99.0), r'Amount: .*99\.00, but .*100\.00')
        self.refuse(record, self.bill_by_hand(partner, move_type='in_refund'), 'Direction')
        charge = self.entry_by_hand(100.0)
        self.refuse(record, charge, 'neither a vendor bill nor')
        other = self.bill_by_hand(self.env['res.partner'].create({'name': 'Other'}), ref='A 1')
        bill = self.bill_by_hand(partner)
        link = self.as_user(self.env['ramp.record.link']).create({'record_id': record.id})
        self.assertEqual(link.proposed_move_ids.ids, [bill.id, other.id])
        self.link(record, bill)
        self.ramp.pay_bill(ramp_id, date='2026-07-20')
        self.sync(*BILLS)
        self.assertLinked(record, bill)
        self.assertEqual(self.ramp.list_successes('BILL_SYNC')[ramp_id], [f'account.move,{bill.id}'])
        self.sync(*BILLS)
        self.assertEqual((bill.amount_residual, bill.payment_state), (0, 'in_payment'))
        self.assertEqual(self.ramp.state['bills'].get_row(ramp_id)['sync_status'], 'BILL_AND_PAYMENT_SYNCED')
        (charge + other).button_draft()
        self.assertTiedOut()

    def test_bill_that_ramp_withdraws(self):
        ramp_id, partner = self.held_bill()
        record, bill = self.record(ramp_id, 'bill'), self.bill_by_hand(partner)
        self.link(record, bill)
        self.sync(*BILLS)
        self.ramp.archive_bill(ramp_id)
        self.sync(*BILLS)
        self.assertUntouched(bill)
        self.assertEqual((record.state, record.res_id), ('ignored', False))

    def test_bill_that_ramp_changes(self):
        ramp_id, partner = self.held_bill()
        record, bill = self.record(ramp_id, 'bill'), self.bill_by_hand(partner)
        self.link(record, bill)
        self.sync(*BILLS)
        self.ramp.update_bill(ramp_id, amount_minor=12000)
        self.sync(*BILLS)
        self.assertEqual((record.state, record.hold_reason), ('held', 'changed'))
        self.as_user(record).action_rebook()
        self.assertUntouched(bill)

    def test_vendor_credit(self):
        vendor = self.ramp.add_vendor('Acme')
        ramp_id = self.ramp.add_vendor_credit(vendor=vendor, amount_minor=4000, account=None, date=DAY)
        self.sync(*BILLS)
        record, partner = self.record(ramp_id, 'vendor_credit'), self.env['res.partner'].search([('name', '=', 'Acme')])
        self.assertEqual(record.state, 'held')
        self.refuse(record, self.bill_by_hand(partner, 40.0, ref='B 1'), 'Direction')
        refund = self.bill_by_hand(partner, 40.0, move_type='in_refund')
        link = self.as_user(self.env['ramp.record.link']).create({'record_id': record.id})
        self.assertEqual(link.move_id.id, refund.id)
        link.action_confirm()
        self.assertLinked(record, refund)
        bill = self.owe(10000, vendor=vendor, date=DAY, invoice_number='C 1')
        self.ramp.apply_vendor_credit(ramp_id, bill, 4000)
        self.sync(*BILLS)
        self.sync(*BILLS)
        self.assertEqual((refund.amount_residual, self.move(bill).amount_residual), (0, 60.0))

    def test_reimbursement(self):
        ramp_id = self.ramp.add_reimbursement(
            amount_minor=10000, user=self.user_id, entity=self.primary, account=None, date=DAY, receipts=1
        )
        self.ramp.pay_reimbursement(ramp_id, date='2026-07-20T12:00:00Z')
        self.sync(*PEOPLE)
        record = self.record(ramp_id, 'reimbursement')
        self.assertEqual(record.state, 'held', record.error_message)
        bill = self.bill_by_hand(self.employee.work_contact_id)
        self.link(record, bill)
        self.sync(*PEOPLE)
        self.assertLinked(record, bill)
        self.assertEqual(self.ramp.list_successes('REIMBURSEMENT_SYNC')[ramp_id], [f'account.move,{bill.id}'])
        self.assertEqual(len(self.attachments(bill)), 1)
        self.sync(*PEOPLE)
        self.assertEqual((bill.amount_residual, bill.payment_state), (0, 'in_payment'))
        self.assertTiedOut()

    # ------------------------------------------------------------------ statements and their payments

    def held_statement(self, **values):
        """Post card spend, and close a statement that is on hold with its payment. Returns their rows."""
        partner = self.connection.ramp_partner_id
        self.spend(12000, date='2026-07-03T12:00:00+00:00')
        statement = self.ramp.close_statement('2026-08-01', **values)
        transfer = self.ramp.add_transfer(amount_minor=5000, date='2026-08-05')
        self.connection.ramp_partner_id = False
        self.sync(*STATEMENTS)
        self.connection.ramp_partner_id = partner
        [section] = self.sections(statement)
        records = self.record(section, 'statement'), self.record(transfer, 'transfer')
        self.assertEqual([record.state for record in records], ['held', 'held'])
        return records

    def statement_bill(self, amount=120.0, **values):
        return self.bill_by_hand(
            self.connection.ramp_partner_id,
            amount,
            self.connection.card_account_id,
            **{'invoice_date': '2026-07-31', 'date': '2026-07-31', 'ref': 'July', **values},
        )

    def test_statement_and_its_payment(self):
        statement, transfer = self.held_statement()
        wrong = self.bill_by_hand(self.connection.ramp_partner_id, 120.0, ref='wrong account')
        self.refuse(statement, wrong, 'Lines: .*moves .*0.00 on the card liability')
        stranger = self.env['res.partner'].create({'name': 'Other'})
        foreign = self.bill_by_hand(stranger, 120.0, self.connection.card_account_id, ref='other')
        self.refuse(statement, foreign, 'Vendor: .*is of Other')
        (wrong + foreign).button_draft()
        (wrong + foreign).unlink()
        bill, payment = self.statement_bill(), self.payment_by_hand()
        self.link(statement, bill)
        self.assertLinked(statement, bill)
        self.refuse(transfer, self.payment_by_hand(51.0, post=False), 'not posted')
        self.refuse(transfer, self.payment_by_hand(partner=stranger), 'Vendor: ')
        link = self.as_user(self.env['ramp.record.link']).create({'record_id': transfer.id})
        self.assertEqual((link.is_payment, link.payment_id.id), (True, payment.id))
        link.action_confirm()
        self.assertLinked(transfer, payment, 'done')
        self.assertEqual(bill.amount_residual, 70.0, 'the payment is applied to the statement')
        self.sync(*STATEMENTS)
        self.assertLinked(transfer, payment)
        self.assertEqual(self.ramp.list_successes('TRANSFER_SYNC')[transfer.ramp_id], [f'account.payment,{payment.id}'])
        self.assertTiedOut()

    def test_statement_with_cashback(self):
        statement, _transfer = self.held_statement(cashback_bps=150)
        bill = self.statement_bill(
            invoice_line_ids=[
                Command.create(
                    {'name': name, 'price_unit': amount, 'account_id': account.id, 'tax_ids': [Command.clear()]}
                )
                for name, amount, account in (
                    ('Spend', 120.0, self.connection.card_account_id),
                    ('Cashback', -1.8, self.connection.cashback_account_id),
                )
            ]
        )
        self.link(statement, bill)
        self.sync('cashback')
        [cashback] = list(self.ramp.state['cashbacks'])
        self.assertEqual(self.record(cashback['id'], 'cashback').res_id, bill.id)
        self.assertTrue(self.ramp.list_successes('STATEMENT_CREDIT_SYNC')[cashback['id']])

    def test_payment_that_comes_back(self):
        """The connector reverses no payment that somebody entered."""
        _statement, transfer = self.held_statement()
        payment = self.payment_by_hand()
        self.link(transfer, payment)
        self.sync('transfer')
        self.ramp.move_transfer(transfer.ramp_id, 'RETURNED_BY_RDFI')
        self.sync('transfer')
        self.assertUntouched(payment)
        self.assertFalse(transfer.res_id)
        self.assertFalse(transfer.is_linked)

    def test_payment_that_changes(self):
        _statement, transfer = self.held_statement()
        payment = self.payment_by_hand()
        self.link(transfer, payment)
        self.sync('transfer')
        amount = {**self.ramp.state['transfers'].get_row(transfer.ramp_id)['amount'], 'amount': 6000}
        self.ramp.state['transfers'].update_row(transfer.ramp_id, amount=amount)
        self.sync('transfer')
        self.assertEqual((transfer.state, transfer.res_id), ('held', payment.id))
        self.assertRegex(transfer.error_message, r'Ramp now reports 60\.00 USD.*Correct that payment, or press Unlink')
        self.as_user(transfer).action_unlink_document()
        self.env.invalidate_all()
        self.assertUntouched(payment)
        self.assertEqual((transfer.state, transfer.hold_reason), ('held', 'finding'))
        self.sync('transfer')
        self.assertEqual(transfer.hold_reason, 'finding')
