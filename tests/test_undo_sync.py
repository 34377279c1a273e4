# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""What a synchronization posted is undone by period or by run, and what people did with it stays."""

from collections import Counter
from unittest.mock import patch

from odoo import Command
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, new_test_user, tagged
from odoo.tools import mute_logger

from ..flows.engine import undo_job
from .common import Killed, PayablesCase, StatementsCase
from .properties import in_turn

NOON = '2026-03-02T12:00:00+00:00'
FLOWS = (
    'vendor',
    'vendor_credit',
    'reimbursement',
    'reimbursement_payment',
    'bill',
    'transaction',
    'bill_payment',
    'repayment',
    'statement',
    'transfer',
    'cashback',
    'receipt',
    'bill_file',
    'statement_file',
)


class UndoCase(PayablesCase, StatementsCase):
    seed = {'transactions': 0, 'users': [{'first_name': 'Ada', 'last_name': 'Lovelace', 'email': 'ada@example.com'}]}

    def once(self):
        super().once()
        self.meals = self.external(self.account_meals)
        self.vendor = self.ramp.add_vendor('Acme')
        self.sync('vendor')
        self.before = self.balances()

    # ------------------------------------------------------------------ helpers

    def charge(self, amount_minor=12000, **values):
        return self.spend(amount_minor, **{'date': NOON, **values})

    def bill_of(self, amount_minor=12000, **values):
        number = f'A-{len(self.ramp.state["bills"])}'
        return self.owe(
            amount_minor, **{'date': '2026-03-02', 'vendor': self.vendor, 'invoice_number': number, **values}
        )

    def month_of_everything(self):
        """Let Ramp have one of each kind of object in a month, and post them."""
        charge = self.charge()
        self.charge(-2500)
        self.charge(8000, currency='EUR')
        paid = self.bill_of()
        credited = self.bill_of()
        credit = self.ramp.add_vendor_credit(vendor=self.vendor, amount_minor=2000, account=self.meals, date=NOON)
        self.ramp.apply_vendor_credit(credit, credited)
        self.ramp.pay_bill(paid, date='2026-03-20')
        self.ramp.pay_bill(credited, date='2026-03-20')
        self.bill_of(700)
        self.ramp.add_reimbursement(
            amount_minor=6000, user=self.user_id, entity=self.primary, account=self.meals, date=NOON, state='REIMBURSED'
        )
        by_card = self.bill_of(5000, payment_method='CARD')
        self.ramp.pay_bill(by_card, method='CARD', transaction=self.charge(5000), date='2026-03-12')
        self.sync(*FLOWS)
        self.ramp.add_repayment(transaction=charge, amount_minor=3000, date='2026-03-20')
        self.ramp.close_statement('2026-04-01', cashback_bps=150)
        self.ramp.add_transfer(date='2026-04-05')
        self.sync(*FLOWS)
        self.sync(*FLOWS)
        rows = self.booked()
        self.assertFalse(rows.filtered(lambda row: row.state not in ('confirmed', 'done')).mapped('error_message'))
        self.assertLessEqual(
            {'transaction', 'repayment', 'bill', 'bill_payment', 'vendor_credit', 'reimbursement'}
            | {'reimbursement_payment', 'statement', 'transfer', 'cashback', 'statement_file'},
            set(rows.mapped('flow')),
        )

    def booked(self):
        return self.env['ramp.record'].search(
            [('connection_id', '=', self.connection.id), ('res_id', '!=', False), ('flow', 'in', FLOWS[1:])]
        )

    def balances(self):
        """Return {account code: balance, in cents} of all posted items, without zeros."""
        found = Counter()
        for account, balance in self.env['account.move.line']._read_group(
            [('company_id', '=', self.company.id), ('parent_state', '=', 'posted')], ['account_id'], ['balance:sum']
        ):
            found[account.code] += round(balance * 100)
        return {code: minor for code, minor in found.items() if minor}

    def undo_of(self, **values):
        undo = self.env['ramp.undo'].create(
            {
                'connection_id': self.connection.id,
                'date_from': '2026-03-01',
                'date_to': '2026-04-30',
                'reason': 'Wrong start date',
                'typed_name': self.connection.name,
                **values,
            }
        )
        undo.action_prepare()
        return undo

    def undo(self, **values):
        undo = self.undo_of(**values)
        undo.action_start()
        self.run_undo_job()
        return undo

    def assertUndone(self, undo):
        self.assertEqual(undo.state, 'done')
        kept = undo.line_ids.filtered(lambda line: line.outcome in ('kept', 'todo'))
        self.assertEqual([(line.flow, line.words) for line in kept], [])
        self.assertFalse(self.booked())

    def outcome(self, undo, ramp_id, flow='transaction'):
        line = undo.line_ids.filtered(lambda item: item.record_id == self.record(ramp_id, flow))
        return line.outcome, line.words

    def differences(self):
        report = self.env['report.ramp_connector.tie_out'].get_report(self.connection.id)
        return [
            difference
            for section in report['sections']
            for month in section['months']
            for difference in month['differences']
        ], report


@tagged('post_install', '-at_install', 'ramp')
class TestUndoSync(UndoCase):
    def assertNothingLeft(self, undo):
        self.assertUndone(undo)
        self.assertEqual(self.balances(), self.before)
        expenses = self.env['hr.expense'].search([('company_id', '=', self.company.id), ('ramp_id', '!=', False)])
        self.assertFalse(expenses)
        self.assertFalse(self.env['account.move'].search([('ramp_id', '!=', False)]))
        open_lines = self.env['account.move.line'].search(
            [
                ('company_id', '=', self.company.id),
                ('parent_state', '=', 'posted'),
                ('account_id.account_type', 'in', ('liability_payable', 'asset_receivable')),
                ('reconciled', '=', False),
            ]
        )
        self.assertFalse(open_lines.mapped('move_id.name'))
        # Vendors and employees stay.
        self.assertTrue(self.record(self.vendor, 'vendor').res_id)

    @in_turn
    def test_month_of_everything_reversed(self):
        self.month_of_everything()
        posted = self.balances()
        undo = self.undo_of()
        self.assertEqual(self.balances(), posted, 'the preview changes nothing')
        self.assertEqual(round(sum(undo.sum_ids.mapped('balance')), 2), 0)
        self.assertIn(self.account_meals, undo.sum_ids.account_id)
        self.assertEqual(
            {(line.month, line.month_name) for line in undo.sum_ids},
            {(line.month, f'{line.month:%B %Y}') for line in undo.sum_ids},
        )
        bills = undo.line_ids.filtered(lambda line: line.flow == 'bill')
        self.assertEqual(
            [line.document_name for line in bills],
            [self.env['account.move'].browse(line.record_id.res_id).name for line in bills],
        )
        self.assertTrue(all(line.document_name for line in bills))
        undo.action_start()
        self.run_undo_job()
        self.assertNothingLeft(undo)
        self.assertIn('reversed', undo.line_ids.mapped('outcome'))
        self.assertNotIn('deleted', undo.line_ids.mapped('outcome'))
        rows = undo.line_ids.record_id - undo.line_ids.filtered(lambda line: line.flow.endswith('_file')).record_id
        self.assertEqual(set(rows.mapped('hold_reason')), {'person'})
        self.assertEqual(set(rows.mapped('error_message')), {f'Undone by {self.env.user.name}: Wrong start date'})
        # Each difference of the tie-out is named.
        found, report = self.differences()
        self.assertEqual({difference['kind'] for difference in found}, {'ignored'})
        self.assertEqual({difference['text'] for difference in found}, set(rows.mapped('error_message')))
        for section in report['sections']:
            named = [item for month in section['months'] for item in month['differences']]
            self.assertEqual(section['closing']['odoo'], 0.0)
            self.assertAlmostEqual(
                section['closing']['difference'],
                sum(item['difference'] for item in named if item['measure'] != 'repayment'),
                msg='nothing is unexplained',
            )
        # The next synchronization posts nothing, and reports no failure of what Ramp shows as synced.
        told = undo.line_ids.filtered('was_told').record_id
        self.assertEqual(undo.told_count, len(undo.line_ids.filtered('was_told')))
        posted = self.balances()
        self.sync(*FLOWS)
        self.assertEqual(self.balances(), posted)
        self.assertFalse(self.booked())
        for record in told:
            self.assertFalse(self.ramp.list_export_errors(record.ramp_id), record.flow)
        # Nothing is undone twice.
        self.run_undo_job()
        self.assertEqual(self.balances(), posted)

    @in_turn
    def test_retry_posts_once_again(self):
        self.month_of_everything()
        posted = self.balances()
        undo = self.undo()
        self.assertUndone(undo)
        undo.line_ids.action_retry()
        self.sync(*FLOWS)
        self.sync(*FLOWS)
        self.assertEqual(self.balances(), posted)
        self.sync(*FLOWS)
        self.assertEqual(self.balances(), posted)

    @in_turn
    def test_month_of_everything_deleted(self):
        count = self.env['account.move'].search_count([('company_id', '=', self.company.id)])
        self.month_of_everything()
        moves = self.env['account.move'].search([('ramp_id', '!=', False)])
        undo = self.undo(posted_policy='delete')
        self.assertNothingLeft(undo)
        self.assertLessEqual(set(undo.line_ids.mapped('outcome')), {'deleted', 'released', 'gone'})
        left = self.env['account.move'].search_count([('company_id', '=', self.company.id)])
        self.assertEqual((left, len(moves.exists())), (count, 0), 'nothing of it is left, and nothing was added')
        self.assertFalse(
            self.env['account.move'].search([('company_id', '=', self.company.id), ('made_sequence_gap', '=', True)])
        )

    def test_drafts(self):
        self.connection.write({'card_post': 'draft', 'bill_post': 'draft'})
        charge, bill = self.charge(), self.bill_of()
        self.sync(*FLOWS)
        moves = self.move(charge) + self.move(bill)
        self.assertEqual(set(moves.mapped('state')), {'draft'})
        undo = self.undo()
        self.assertUndone(undo)
        self.assertFalse(moves.exists())
        documents = undo.line_ids.filtered(lambda line: line.flow != 'bill_file')
        self.assertEqual(set(documents.mapped('outcome')), {'deleted'})

    def test_locked_period(self):
        charge = self.charge()
        self.sync(*FLOWS)
        posted = self.balances()
        self.connection.lock_date_policy = 'hold'
        self.company.fiscalyear_lock_date = '2026-03-31'
        undo = self.undo(posted_policy='delete')
        outcome, words = self.outcome(undo, charge)
        self.assertEqual(outcome, 'kept')
        self.assertRegex(words, r'period is closed: 2026-03-0\d')
        self.assertEqual(self.balances(), posted)
        self.assertConfirmed(charge)
        self.connection.lock_date_policy = 'next_open'
        move = self.move(charge)
        undo = self.undo(posted_policy='delete')
        self.assertUndone(undo)
        self.assertEqual(str(move.reversal_move_ids.date), '2026-04-01')
        self.assertEqual(self.balances(), self.before)

    def test_bank_match_and_what_people_paid(self):
        matched, paid, free = self.bill_of(11100), self.bill_of(22200), self.bill_of(33300)
        self.ramp.pay_bill(matched, date='2026-03-20')
        self.sync(*FLOWS)
        payment = self.env['account.payment'].search([('ramp_id', '!=', False)])
        line = self.env['account.bank.statement.line'].create(
            {
                'journal_id': payment.journal_id.id,
                'date': '2026-03-21',
                'amount': -111.0,
                'payment_ref': 'Acme',
                'partner_id': payment.partner_id.id,
            }
        )
        _liquidity, suspense, _other = line._seek_for_lines()
        suspense.account_id = payment.outstanding_account_id
        outstanding = payment.move_id.line_ids.filtered(lambda item: item.account_id == payment.outstanding_account_id)
        (suspense + outstanding).reconcile()
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=self.move(paid).ids
        ).create({'payment_date': '2026-03-22'}).action_create_payments()
        undo = self.undo(posted_policy='delete')
        self.assertEqual(undo.state, 'done')
        outcome, words = self.outcome(undo, matched, 'bill_payment')
        self.assertEqual(outcome, 'kept')
        self.assertIn(line.move_id.name, words)
        outcome, words = self.outcome(undo, matched, 'bill')
        self.assertEqual(outcome, 'kept')
        self.assertIn(payment.name, words)
        outcome, words = self.outcome(undo, paid, 'bill')
        self.assertEqual(outcome, 'kept')
        self.assertRegex(words, 'is paid by or reconciled with')
        self.assertIn(self.outcome(undo, free, 'bill')[0], ('deleted', 'reversed'))
        self.assertEqual(
            [self.record(bill, 'bill').state for bill in (matched, paid, free)], ['confirmed', 'confirmed', 'ignored']
        )
        # Their files stay with the two bills.
        kept = undo.line_ids.filtered(lambda item: item.outcome == 'kept')
        self.assertEqual(sorted(kept.mapped('flow')), ['bill', 'bill', 'bill_file', 'bill_file', 'bill_payment'])
        self.assertEqual(undo.kept_count, 5)

    def test_one_failure_does_not_stop_the_others(self):
        charges = [self.charge(1000 + number) for number in range(3)]
        self.sync(*FLOWS)
        flow = type(self.env['ramp.flow.transaction'])
        original = flow._withdraw_object

        def fails(model, connection, record, undo):
            done = original(model, connection, record, undo)
            if record.ramp_id == charges[1]:
                raise ZeroDivisionError
            return done

        with patch.object(flow, '_withdraw_object', fails), mute_logger(undo_job.__name__):
            undo = self.undo()
        self.assertEqual([self.outcome(undo, charge)[0] for charge in charges], ['reversed', 'kept', 'reversed'])
        self.assertIn('ZeroDivisionError', self.outcome(undo, charges[1])[1])
        self.assertConfirmed(charges[1])

    def test_killed_between_batches(self):
        for number in range(5):
            self.charge(1000 + number)
        self.sync(*FLOWS)
        undo = self.undo_of()
        undo.action_start()
        original, calls = type(undo)._undo_next_batch, []

        def killed(model, flow):
            count = original(model, flow)
            calls.append(count)
            if len(calls) == 2:
                raise Killed
            return count

        with patch.object(undo_job, 'BATCH', 2), patch.object(type(undo), '_undo_next_batch', killed):
            try:  # not `assertRaises`, which would roll back what the job committed
                self.run_undo_job()
                self.fail('not killed')
            except Killed:
                self.env.transaction.clear()
        self.env.invalidate_all()
        self.assertEqual((undo.state, undo.todo_count), ('running', 3))
        self.run_undo_job()
        self.assertNothingLeft(undo)
        entries = self.env['account.move'].search(
            [('company_id', '=', self.company.id), ('journal_id', '=', self.connection.card_journal_id.id)]
        )
        self.assertEqual(len(entries), 10, 'each one reversed once')

    def test_continues_when_the_time_is_up(self):
        for number in range(3):
            self.charge(1000 + number)
        self.sync(*FLOWS)
        undo = self.undo_of()
        undo.action_start()
        with (
            patch.object(undo_job, 'BATCH', 1),
            patch.object(type(self.env['ramp.flow']), '_is_job_time_up', lambda flow: True),
        ):
            self.run_undo_job()
            self.assertEqual((undo.state, undo.todo_count), ('running', 2))
        job = self.env.ref('ramp_connector.cron_undo')
        self.assertTrue(self.env['ir.cron.trigger'].search([('cron_id', '=', job.id)]))
        self.run_undo_job()
        self.assertNothingLeft(undo)

    def test_by_run(self):
        first = self.charge(1000)
        one = self.sync('transaction')
        second = self.charge(2000)
        two = self.sync('transaction')
        self.assertEqual(self.record(first).booked_run_id, one)
        self.assertEqual(self.record(second).booked_run_id, two)
        action = two.action_undo()
        undo = self.env['ramp.undo'].browse(action['res_id'])
        self.assertEqual(undo.line_ids.record_id, self.record(second))
        undo.write({'reason': 'A test', 'typed_name': self.connection.name})
        undo.action_start()
        self.run_undo_job()
        self.assertConfirmed(first)
        self.assertEqual(self.record(second).state, 'ignored')
        with self.assertRaisesRegex(UserError, 'nothing to undo'):
            two.action_undo()

    def test_by_period_and_kind(self):
        march, april = self.charge(1000), self.charge(2000, date='2026-04-10T12:00:00+00:00')
        bill = self.bill_of()
        self.ramp.pay_bill(bill, date='2026-05-20')
        self.sync(*FLOWS)
        undo = self.undo(date_to='2026-03-31', with_bills=False)
        self.assertEqual(undo.line_ids.record_id, self.record(march))
        self.assertEqual(self.record(march).state, 'ignored')
        self.assertConfirmed(april)
        # A payment depends on its bill, whatever its own day.
        undo = self.undo(date_to='2026-03-31')
        self.assertEqual(self.outcome(undo, bill, 'bill_payment')[0], 'reversed')
        self.assertEqual(self.outcome(undo, bill, 'bill')[0], 'reversed')

    def test_one_transfer_of_which_a_part_stays(self):
        march, april = self.bill_of(1000), self.bill_of(2000, date='2026-04-10')
        self.ramp.pay_bill([march, april], date='2026-04-20')
        self.sync(*FLOWS)
        payment = self.env['account.payment'].search([('ramp_id', '!=', False)])
        self.assertEqual((len(payment), payment.amount), (1, 30.0))
        undo = self.undo(date_to='2026-03-31', posted_policy='delete')
        self.assertEqual(self.outcome(undo, march, 'bill_payment')[0], 'reversed')
        self.assertIn(self.outcome(undo, march, 'bill')[0], ('deleted', 'reversed'))
        self.assertEqual(self.move(april).amount_residual, 0)
        self.assertTrue(payment.ramp_id, 'its other part stands')
        self.assertEqual(self.record(april, 'bill_payment').state, 'confirmed')
        self.assertUndone(self.undo())
        self.assertEqual(self.balances(), self.before)

    def test_document_that_a_person_entered(self):
        bill = self.bill_of()
        self.sync(*FLOWS)
        row, move = self.record(bill, 'bill'), self.move(bill)
        row.noted = {**row.noted, 'is_linked': True}
        undo = self.undo()
        outcome, words = self.outcome(undo, bill, 'bill')
        self.assertEqual(outcome, 'kept')
        self.assertIn('entered in Odoo by a person', words)
        self.assertIn(move.name, words)
        self.assertEqual((move.state, row.state), ('posted', 'confirmed'))

    def test_what_depends_and_stays_is_named(self):
        charge = self.charge()
        self.sync(*FLOWS)
        undo = self.undo_of()
        repayment = self.ramp.add_repayment(transaction=charge, amount_minor=3000, date='2026-03-20')
        self.sync('repayment')
        undo.action_start()
        self.run_undo_job()
        outcome, words = self.outcome(undo, charge)
        self.assertEqual(outcome, 'kept')
        self.assertIn(self.record(repayment, 'repayment').name, words)
        self.assertUndone(self.undo())

    def test_reversed_by_a_person_before(self):
        charge = self.charge()
        self.sync(*FLOWS)
        self.move(charge)._reverse_moves([{'date': '2026-03-05'}], cancel=True)
        undo = self.undo()
        self.assertEqual(self.outcome(undo, charge)[0], 'gone')
        self.assertEqual(self.balances(), self.before)
        self.assertEqual(self.record(charge).hold_reason, 'person')

    def test_row_that_another_job_has_locked(self):
        charge = self.charge()
        self.sync(*FLOWS)
        undo = self.undo_of()
        undo.action_start()
        with patch.object(type(undo), '_take_next_lines', lambda model, flow: model.env['ramp.undo.line']):
            self.run_undo_job()
        self.assertEqual((undo.state, self.outcome(undo, charge)[0]), ('running', 'todo'))
        self.run_undo_job()
        self.assertUndone(undo)

    def test_confirmation(self):
        self.charge()
        self.sync(*FLOWS)
        undo = self.undo_of(reason=' ', typed_name=False)
        with self.assertRaisesRegex(UserError, 'reason'):
            undo.action_start()
        undo.reason = 'A test'
        with self.assertRaisesRegex(UserError, 'type the name'):
            undo.action_start()
        undo.typed_name = self.connection.name
        undo.action_start()
        self.assertEqual(undo.state, 'queued')
        with self.assertRaises(UserError):
            undo.action_start()
        with self.assertRaises(ValidationError):
            self.undo_of(date_from='2026-05-01')
        with self.assertRaisesRegex(UserError, 'nothing to undo'):
            self.undo_of(date_from='2020-01-01', date_to='2020-02-01')

    def test_roles(self):
        self.charge()
        self.sync(*FLOWS)
        here = {'company_id': self.company.id, 'company_ids': [Command.set(self.company.ids)]}
        manager = new_test_user(self.env, 'undo_manager', 'account.group_account_manager', **here)
        accountant = new_test_user(self.env, 'undo_accountant', 'account.group_account_user', **here)
        elsewhere = self.env['res.company'].create({'name': 'Elsewhere'})
        foreign = new_test_user(
            self.env,
            'undo_foreign',
            'account.group_account_manager',
            company_id=elsewhere.id,
            company_ids=[Command.set(elsewhere.ids)],
        )
        for user in (accountant, foreign):
            with self.assertRaises(AccessError):
                self.connection.with_user(user).action_undo_sync()
            with self.assertRaises(AccessError):
                self.env['ramp.undo'].with_user(user).create({'connection_id': self.connection.id})
        action = (
            self.connection.with_user(manager).with_context(allowed_company_ids=self.company.ids).action_undo_sync()
        )
        undo = self.env['ramp.undo'].with_user(manager).browse(action['res_id'])
        undo.action_prepare()
        for values in ({'state': 'done'}, {'line_ids': [Command.clear()]}, {'started_by_id': accountant.id}):
            with self.assertRaises(AccessError):
                undo.write(values)
        with self.assertRaises(AccessError):
            self.env['ramp.undo'].with_user(manager).create({'connection_id': self.connection.id, 'state': 'queued'})
        with self.assertRaises(AccessError):
            self.env['ramp.undo'].with_user(manager).with_context(default_state='queued').create(
                {'connection_id': self.connection.id}
            )
        self.env['ramp.undo'].with_user(manager).create({'connection_id': self.connection.id}).unlink()
        undo.date_to = '2026-04-01'
        self.assertFalse(undo.line_ids, 'another choice voids the preview')
        undo.action_prepare()
        with Form(undo) as form:  # what the page sends is what a person may enter
            form.reason = 'A test'
            form.typed_name = self.connection.name
        self.assertTrue(undo.line_ids, 'the confirmation does not void the preview')
        self.assertTrue(undo.get_views([(False, 'list'), (False, 'form')])['views'])
        action = undo.with_context(ramp_filters=['kept']).action_open_lines()
        self.assertEqual(self.env['ramp.undo.line'].with_user(manager).search(action['domain']), undo.line_ids)
        undo.action_start()
        with self.assertRaises(UserError):
            undo.reason = 'Another one'
        with self.assertRaises(UserError):
            undo.unlink()
        self.run_undo_job()
        self.assertUndone(undo.sudo())
