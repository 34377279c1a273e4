# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from odoo import Command
from odoo.exceptions import UserError, ValidationError
from odoo.tests import new_test_user, tagged

from ..simulator import coding
from .common import RampCase
from .properties import examples


@tagged('post_install', '-at_install', 'ramp')
class TestTransaction(RampCase):
    def liability(self):
        return self.connection.card_account_id.code

    def test_own_email_of_a_user_moves_nothing(self):
        """A user's own email, which core copies to the work email, assigns no spend. A stranger's spend is put on hold,
        and a colleague's goes to the colleague with that login.
        """
        stranger, colleague = list(self.ramp.state['users'])[1:3]
        self.connection.fallback_employee_id = self.employee
        self.employees[1].unlink()
        thief, owner = self.employees[3], self.employees[2]
        companies = {'company_id': self.company.id, 'company_ids': [Command.set(self.company.ids)]}
        thief.user_id = new_test_user(self.env, 'thief@work.example', **companies)
        owner.user_id = new_test_user(self.env, colleague['email'], **companies)
        (thief + owner).write({'work_email': False})
        owner.user_id.with_user(owner.user_id).write({'email': 'private@example.com'})
        for victim in (stranger, colleague):
            thief.user_id.with_user(thief.user_id).write({'email': victim['email']})
            self.assertEqual(thief.work_email, victim['email'])
            ramp_id = self.spend(user=victim['id'], receipts=1)
            self.sync()
            if victim is stranger:
                self.assertHeld(
                    ramp_id,
                    f'work email of {thief.name}, who logs in as thief@work.example.*{stranger["id"]} as the "Ramp User"',
                )
                thief.ramp_user_id = stranger['id']  # an officer says that it is the same person
                self.sync()
                self.assertConfirmed(ramp_id)
                self.assertEqual(self.expense(ramp_id).employee_id, thief)
                thief.ramp_user_id = False
            else:
                self.assertConfirmed(ramp_id)
                self.assertEqual(self.expense(ramp_id).employee_id, owner)
        owner.user_id.login = 'renamed@work.example'
        again = self.spend(user=colleague['id'])
        self.sync()
        self.assertEqual(self.expense(again).employee_id, owner, 'the link decides')

    def test_login_and_work_email_of_two_people(self):
        """If the email is one employee's login and another one's work email, the transaction is put on hold."""
        victim = list(self.ramp.state['users'])[1]
        self.employees[2].user_id = new_test_user(
            self.env, victim['email'], company_id=self.company.id, company_ids=[Command.set(self.company.ids)]
        )
        self.employees[1].work_email = victim['email']
        ramp_id = self.spend(user=victim['id'])
        self.sync()
        self.assertHeld(
            ramp_id,
            f'More than one employee.*{self.employees[1].name}.*{self.employees[2].name}|'
            f'More than one employee.*{self.employees[2].name}.*{self.employees[1].name}',
        )

    def test_the_same_person_in_another_company(self):
        """Spend is posted to the employee of the connection's company, whether found by the email or by the link."""
        company = self.env['res.company'].create({'name': 'Elsewhere'})
        double = self.env['hr.employee'].create(
            {'name': 'ZZ Double', 'company_id': company.id, 'work_email': self.employee.work_email.upper()}
        )
        by_email = self.spend()
        self.sync()
        double.ramp_user_id = self.user_id
        by_link = self.spend(1100)
        self.sync()
        for ramp_id in (by_email, by_link):
            self.assertConfirmed(ramp_id)
            self.assertEqual(self.expense(ramp_id).employee_id, self.employee)

    def test_merchant_in_another_form_of_unicode(self):
        vendor = self.env['res.partner'].create({'name': 'Caf\u00e9 Z\u00fcrich', 'supplier_rank': 1})
        ramp_id = self.spend(merchant='Cafe\u0301  ZU\u0308RICH')
        own = self.spend(merchant=self.employee.work_contact_id.name)
        self.employee.work_contact_id.supplier_rank = 1
        self.sync()
        self.assertEqual(self.move(ramp_id).partner_id, vendor)
        self.assertEqual(self.move(own).partner_id, self.connection.merchant_partner_id)

    def test_simple_purchase(self):
        ramp_id = self.spend(12345, merchant='Café ☕', memo='Lunch with a client', date='2026-03-04T15:00:00+00:00')
        self.sync()
        self.assertConfirmed(ramp_id)
        self.assertEqual(
            self.entry(ramp_id),
            [
                ('650001', Decimal('123.45'), Decimal('123.45')),
                (self.liability(), Decimal('-123.45'), Decimal('-123.45')),
            ],
        )
        move, expense = self.move(ramp_id), self.expense(ramp_id)
        self.assertEqual(str(move.date), '2026-03-04')
        self.assertEqual(move.journal_id, self.connection.card_journal_id)
        label = f'Café ☕ · Lunch with a client · {self.employee.name[0]}. {self.employee.name.partition(" ")[2]}'
        self.assertEqual((move.ref, expense.name), (label, label))
        self.assertRegex(move.name, r'^RAMP/2026/\d*/?\d+$')
        self.assertEqual(expense.employee_id, self.employee)
        self.assertEqual(expense.payment_mode, 'company_account')
        self.assertEqual(expense.state, 'paid')
        self.assertEqual((expense.total_amount, expense.total_amount_currency), (123.45, 123.45))
        self.assertEqual(expense.account_id, self.account_meals)
        self.assertEqual(expense.description, 'Lunch with a client\nCategory: Office supplies and cleaning')
        self.assertEqual(move.partner_id, self.connection.merchant_partner_id)
        self.ramp.assert_clean()

    def test_split_with_analytics(self):
        ramp_id = self.spend(
            10000,
            lines=[
                {
                    'amount_minor': 3333,
                    'account': self.external(self.account_meals),
                    'analytics': self.analytics(self.analytic_move, self.analytic_europe),
                },
                {
                    'amount_minor': 6666,
                    'account': self.external(self.account_travel),
                    'analytics': self.analytics(self.analytic_fair),
                    'memo': 'Hotel',
                },
                {'amount_minor': 1, 'account': self.external(self.account_software)},
            ],
        )
        self.sync()
        self.assertConfirmed(ramp_id)
        self.assertEqual(
            [line[:2] for line in self.entry(ramp_id)],
            [
                ('650001', Decimal('33.33')),
                ('650002', Decimal('66.66')),
                ('650003', Decimal('0.01')),
                (self.liability(), Decimal('-100.0')),
            ],
        )
        lines = self.move(ramp_id).line_ids.sorted('id')
        self.assertEqual(
            lines[0].analytic_distribution,
            {','.join(str(i) for i in sorted((self.analytic_move + self.analytic_europe).ids)): 100},
        )
        self.assertEqual(lines[1].analytic_distribution, {str(self.analytic_fair.id): 100})
        self.assertIn(' · Hotel · ', lines[1].name)
        self.assertFalse(lines[2].analytic_distribution)
        for analytic, amount in (
            (self.analytic_fair, -66.66),
            (self.analytic_europe, -33.33),
            (self.analytic_move, -33.33),
        ):
            lines = self.env['account.analytic.line'].search([(analytic.root_plan_id._column_name(), '=', analytic.id)])
            self.assertEqual(lines.mapped('amount'), [amount])

    def test_refund_mirrors_and_names_its_purchase(self):
        purchase = self.spend(5000)
        refund = self.spend(-2000, refund_of=purchase)
        self.sync()
        self.assertConfirmed(refund)
        self.assertEqual(
            self.entry(refund),
            [('650001', Decimal('-20.0'), Decimal('-20.0')), (self.liability(), Decimal('20.0'), Decimal('20.0'))],
        )
        self.assertEqual(self.expense(refund).total_amount, -20.0)
        self.assertEqual(self.record(refund).related_record_id, self.record(purchase))
        line = self.move(refund).line_ids.filtered(lambda line: line.account_id == self.account_meals)
        self.assertEqual((line.debit, line.credit), (0.0, 20.0))

    def test_foreign_currencies(self):
        for code, minor, amount, balance in (
            ('EUR', 10001, Decimal('100.01'), Decimal('125.01')),
            ('JPY', 15001, Decimal('15001'), Decimal('100.01')),
            ('KWD', 1235, Decimal('1.235'), Decimal('4.02')),
        ):
            with self.subTest(code):
                parts = [minor // 3, minor // 3, minor - 2 * (minor // 3)]
                ramp_id = self.spend(
                    minor,
                    currency=code,
                    lines=[
                        {'amount_minor': part, 'account': self.external(account)}
                        for part, account in zip(
                            parts, (self.account_meals, self.account_travel, self.account_software), strict=True
                        )
                    ],
                )
                self.sync('transaction')
                self.assertConfirmed(ramp_id)
                lines = self.entry(ramp_id)
                self.assertEqual(lines[-1][1:], (-amount, -balance))
                self.assertEqual(sum(line[1] for line in lines), 0)
                self.assertEqual(sum(line[2] for line in lines), 0)
                self.assertEqual(self.expense(ramp_id).currency_id.name, code)
                self.assertEqual(Decimal(str(self.expense(ramp_id).total_amount)), balance)
                self.assertEqual(Decimal(str(self.expense(ramp_id).total_amount_currency)), amount)

    def test_purchase_abroad_is_booked_as_settled(self):
        """If the merchant charges euros and the card settles dollars, the dollars are posted."""
        ramp_id = self.spend(
            10900,
            currency='USD',
            original_currency='EUR',
            original_minor=10000,
            lines=[
                {'amount_minor': 5450, 'account': self.external(self.account_meals)},
                {'amount_minor': 5450, 'account': self.external(self.account_travel)},
            ],
        )
        self.sync()
        self.assertConfirmed(ramp_id)
        self.assertEqual(self.entry(ramp_id)[-1][1:], (Decimal('-109.0'), Decimal('-109.0')))
        self.assertEqual(self.move(ramp_id).line_ids.currency_id.mapped('name'), ['USD'])

    def test_lines_that_cancel_out(self):
        ramp_id = self.spend(
            0,
            lines=[
                {'amount_minor': 1000, 'account': self.external(self.account_meals)},
                {'amount_minor': -1000, 'account': self.external(self.account_travel)},
            ],
        )
        self.sync()
        self.assertConfirmed(ramp_id)
        self.assertEqual([line[1] for line in self.entry(ramp_id)], [Decimal('10.0'), Decimal('-10.0'), Decimal('0.0')])
        ramp_id = self.spend(
            0,
            currency='EUR',
            lines=[
                {'amount_minor': minor, 'account': self.external(account)}
                for minor, account in (
                    (3333, self.account_meals),
                    (3333, self.account_travel),
                    (-6666, self.account_software),
                )
            ],
        )
        self.sync()
        self.assertConfirmed(ramp_id)
        self.assertEqual(
            [line[2] for line in self.entry(ramp_id)], [Decimal(text) for text in ('41.66', '41.66', '-83.32', '0')]
        )

    def test_account_by_code_when_the_identity_is_foreign(self):
        coding.add_gl_account(self.ramp.state, 'GL-77', 'Travelling', '650002')
        ramp_id = self.spend(100, account='GL-77')
        self.sync()
        self.assertConfirmed(ramp_id)
        self.assertEqual(self.entry(ramp_id)[0][0], '650002')

    def test_identity_survives_rename_and_recode(self):
        ramp_id = self.spend(100)
        self.account_meals.write({'name': 'Food', 'code': '650099'})
        self.sync()
        self.assertConfirmed(ramp_id)
        self.assertEqual(self.entry(ramp_id)[0][0], '650099')

    def test_known_vendor_is_the_partner_and_two_of_a_name_are_not(self):
        known = self.env['res.partner'].create({'name': 'Acme Air', 'supplier_rank': 1})
        self.env['res.partner'].create([{'name': 'Twin', 'supplier_rank': 1}, {'name': 'Twin', 'supplier_rank': 1}])
        first, second = self.spend(merchant='Acme Air'), self.spend(merchant='Twin')
        before = self.env['res.partner'].search_count([])
        self.sync()
        self.assertEqual(self.move(first).partner_id, known)
        self.assertEqual(self.move(second).partner_id, self.connection.merchant_partner_id)
        self.assertEqual(self.env['res.partner'].search_count([]), before)

    def test_hostile_text_is_text(self):
        ramp_id = self.spend(merchant='<script>alert(1)</script>\n\u202e=HYPERLINK("x")' + 'y' * 400, memo='<b>x</b>')
        self.sync()
        self.assertConfirmed(ramp_id)
        self.assertLessEqual(len(self.move(ramp_id).ref), 200)
        self.assertTrue(self.move(ramp_id).ref.startswith('<script>alert(1)</script> =HYPERLINK("x")yyy'))

    def test_date_is_the_day_in_the_companys_time_zone(self):
        self.company.partner_id.tz = 'America/Los_Angeles'
        ramp_id = self.spend(date='2026-03-01T05:00:00+00:00')
        self.sync()
        self.assertEqual(str(self.move(ramp_id).date), '2026-02-28')
        self.assertEqual(str(self.expense(ramp_id).date), '2026-02-28')

    def test_an_accounting_date_at_midnight_is_a_day(self):
        self.company.partner_id.tz = 'America/Los_Angeles'
        ramp_id = self.spend(date='2026-03-01T00:00:00+00:00')
        self.sync()
        self.assertEqual(str(self.move(ramp_id).date), '2026-03-01')

    def test_drafts_on_request(self):
        self.connection.card_post = 'draft'
        ramp_id = self.spend()
        self.sync()
        self.assertEqual(self.move(ramp_id).state, 'draft')
        self.assertEqual(self.record(ramp_id).state, 'confirmed')

    def test_declined_and_pending(self):
        declined = self.spend(state='DECLINED')
        pending = self.spend(state='PENDING', sync_status='NOT_SYNC_READY')
        unsettled = self.spend(state='COMPLETION')
        self.sync()
        self.assertFalse(self.record(pending))
        self.assertFalse(self.record(declined))  # Ramp lists declined transactions only on request
        self.assertEqual(self.record(unsettled).state, 'pending')
        self.assertIn('COMPLETION', self.record(unsettled).error_message)
        self.assertEqual(self.ramp.list_export_errors(unsettled), [])
        self.ramp.update_transaction(unsettled, state='CLEARED')
        self.sync()
        self.assertConfirmed(unsettled)

    def test_other_entity_and_older_spend_are_left_alone(self):
        entities = list(self.ramp.state['entities'])
        self.connection.write({'ramp_entity_id': entities[0]['id'], 'start_date': '2026-02-01'})
        mine = self.spend(entity=entities[0]['id'], date='2026-02-01T00:00:00+00:00')
        older = self.spend(entity=entities[0]['id'], date='2026-01-31T23:59:59+00:00')
        other = self.spend(entity=entities[1]['id'], date='2026-02-02T00:00:00+00:00')
        self.sync()
        self.assertConfirmed(mine)
        self.assertFalse(self.record(older) + self.record(other))

    def test_receipts_on_expense_and_entry(self):
        ramp_id = self.spend(receipts=2)
        self.sync()
        self.assertConfirmed(ramp_id)
        for document in (self.move(ramp_id), self.expense(ramp_id)):
            attachments = self.attachments(document)
            self.assertEqual(len(attachments), 2)
            self.assertTrue(document.message_main_attachment_id in attachments)
            for attachment in attachments:
                self.assertTrue(attachment.raw)
                self.assertIn(attachment.mimetype, ('application/pdf', 'image/png', 'image/jpeg'))
        self.assertEqual(self.ramp.leaked_tokens, 0)
        self.sync()
        self.assertEqual(len(self.attachments(self.move(ramp_id))), 2)

    def test_receipt_trouble_delays_nothing_and_is_tried_again(self):
        self.ramp.faults.add_fault('expired_file', path='/files*')
        ramp_id = self.spend(receipts=1)
        self.sync()
        self.assertConfirmed(ramp_id)
        receipt = self.ramp.state['transactions'].get_row(ramp_id)['receipts'][0]
        for _run in range(10):  # a failing host is no fault of the receipt, however long it lasts
            self.assertEqual(self.record(receipt, 'receipt').state, 'error')
            self.sync('receipt', now=False)
        self.ramp.faults.clear_faults()
        self.sync('receipt', now=False)
        self.assertEqual(self.record(receipt, 'receipt').state, 'confirmed')
        self.assertEqual(len(self.attachments(self.expense(ramp_id))), 1)

    def test_second_run_changes_nothing_and_writes_nothing(self):
        for number in range(5):
            self.spend(1000 + number, receipts=1)
        self.sync()
        before = (
            len(self.ramp.list_write_calls()),
            self.env['account.move'].search_count([]),
            self.env['hr.expense'].search_count([]),
        )
        runs = self.sync()
        self.assertEqual(
            (
                len(self.ramp.list_write_calls()),
                self.env['account.move'].search_count([]),
                self.env['hr.expense'].search_count([]),
            ),
            before,
        )
        self.assertEqual(runs.mapped('state'), ['done', 'done'])
        self.assertEqual(sum(runs.mapped('created')), 0)

    def test_bad_one_does_not_stop_a_batch(self):
        """If Odoo refuses one transaction, the batch is split and the others are posted. The refused one shows the
        reason and is retried later.
        """
        good = [self.spend(100 + number) for number in range(3)]
        bad = self.spend(666, merchant='Refused')
        original = type(self.env['account.move'])._post

        def refuse(moves, soft=True):
            if any(ref.startswith('Refused · ') for ref in moves.mapped('ref')):
                raise UserError('Not with me')  # pylint: disable=translation-required
            return original(moves, soft=soft)

        self.patch(type(self.env['account.move']), '_post', refuse)
        self.sync()
        for ramp_id in good:
            self.assertConfirmed(ramp_id)
        record = self.record(bad)
        self.assertEqual((record.state, record.attempts), ('error', 1))
        self.assertIn('Not with me', record.error_message)
        self.assertFalse(self.expense(bad))
        self.assertFalse(record.next_attempt, 'the next run tries it once more')
        self.sync('transaction')
        self.assertTrue(record.next_attempt, 'then later and later')
        self.sync('transaction', now=False)
        self.assertEqual(record.attempts, 2)
        for _attempt in range(8):
            self.sync('transaction')
        self.assertEqual(self.record(bad).state, 'held')
        self.assertEqual((self.record(bad).hold_reason, self.record(bad).attempts), ('exhausted', 8))
        self.patch(type(self.env['account.move']), '_post', original)
        self.sync()
        self.assertEqual(self.record(bad).state, 'held', 'quarantined: only a person lets it out')
        self.record(bad).action_retry()
        self.sync()
        self.assertConfirmed(bad)

    @examples(3)
    @given(data=st.data())
    def test_property_books_equal_ramp(self, data):
        """For any amounts, splits, currencies and signs, entries are balanced, and the liability is what Ramp says."""
        code = data.draw(st.sampled_from(['USD', 'EUR', 'JPY', 'KWD']))
        lines = data.draw(st.lists(st.integers(-(10**7), 10**7), min_size=1, max_size=7))
        accounts = (self.account_meals, self.account_travel, self.account_software)
        ramp_id = self.spend(
            sum(lines),
            currency=code,
            lines=[
                {'amount_minor': amount, 'account': self.external(accounts[number % 3])}
                for number, amount in enumerate(lines)
            ],
        )
        self.sync('transaction')
        self.assertConfirmed(ramp_id)
        scale = {'JPY': 0, 'KWD': 3}.get(code, 2)
        entry = self.entry(ramp_id)
        self.assertEqual(
            [line[1] for line in entry], [Decimal(amount).scaleb(-scale) for amount in [*lines, -sum(lines)]]
        )
        self.assertEqual(sum(line[2] for line in entry), 0)
        self.assertEqual(-entry[-1][2], Decimal(str(self.expense(ramp_id).total_amount)))

    def test_deleted_entry_opens_its_row(self):
        ramp_id = self.spend(receipts=1)
        self.sync()
        move, expense = self.move(ramp_id), self.expense(ramp_id)
        move.button_draft()
        move.unlink()
        record = self.record(ramp_id)
        self.assertEqual((record.state, record.hold_reason, record.res_id), ('held', 'deleted', 0))
        self.assertIn('deleted in Odoo', record.error_message)
        self.sync()
        self.assertFalse(self.move(ramp_id), 'a person decides')
        record.action_retry()
        runs = self.sync()
        self.assertEqual(record.state, 'confirmed', (record.error_message, runs.mapped('message')))
        self.assertEqual(len(self.move(ramp_id)), 1)
        self.assertEqual(self.expense(ramp_id).account_move_id, self.move(ramp_id))
        self.assertEqual(len(self.expense(ramp_id)), 1)
        self.assertTrue(expense)
        self.assertEqual(len(self.attachments(self.move(ramp_id))), 1)

    def test_card_liability_of_posted_spend_stays(self):
        """The card liability cannot change once spend is posted to it. Another journal with the same one can be used."""
        journal = self.connection.card_journal_id
        former = journal.default_account_id
        other = former.copy({'name': 'Other cards', 'code': '209901'})
        journal.default_account_id = other
        journal.default_account_id = former
        self.spend()
        self.spend(-500)
        self.sync()
        for card_journal, account in (
            (journal, other),
            (journal.copy({'code': 'CARDB', 'default_account_id': other.id}), False),
        ):
            with (
                self.assertRaisesRegex(ValidationError, f'posted to the card liability .*{former.name}'),
                self.env.cr.savepoint(),
            ):
                if account:
                    journal.default_account_id = account
                else:
                    self.connection.card_journal_id = card_journal
        self.connection.card_journal_id = journal.copy({'code': 'CARDC', 'default_account_id': former.id})

    def test_core_does_not_rebook_behind_the_ledger(self):
        ramp_id = self.spend()
        self.sync()
        expense, move = self.expense(ramp_id), self.move(ramp_id)
        with self.assertRaisesRegex(UserError, 'comes from Ramp'):
            expense.action_reset()
        move._reverse_moves([{'date': move.date}], cancel=True)  # core unlinks the expense from its entry
        self.assertFalse(expense.account_move_id)
        with self.assertRaisesRegex(UserError, 'comes from Ramp'):
            expense.action_post()
        self.assertFalse(self.env['account.payment'].search_count([('expense_ids', 'in', expense.ids)]))

    def test_core_still_refuses_expenses_of_nothing(self):
        with self.assertRaises(ValidationError):
            self.env['hr.expense'].create(
                {
                    'name': 'Nothing',
                    'employee_id': self.employee.id,
                    'product_id': self.connection.expense_product_id.id,
                    'total_amount_currency': 0,
                    'approval_state': 'approved',
                    'company_id': self.company.id,
                }
            )
