# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""A card transaction that was repaid in part is posted anew. What was repaid follows to its new coding."""

import itertools
from collections import Counter
from contextlib import nullcontext
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from psycopg2.errors import SerializationFailure

from odoo import SUPERUSER_ID, Command
from odoo.api import Environment
from odoo.modules.module import load_script
from odoo.tests import tagged

from ..ramp_api import allocate_amount
from ..simulator import coding
from .properties import examples, in_turn, rotated
from .test_repayment import RepaymentCase

NOON = '2026-03-02T12:00:00+00:00'
REPAID = '2026-03-20'
CLOSED = '2026-03-31'


class FollowsCase(RepaymentCase):
    flows = ('transaction', 'repayment')

    def once(self):
        super().once()
        self.last = self.env['account.move'].search([], limit=1, order='id desc').id or 0
        self.meals, self.travel, self.software = (
            self.external(account) for account in (self.account_meals, self.account_travel, self.account_software)
        )

    # ------------------------------------------------------------------ what happens

    def charge(self, amount_minor=5000, **values):
        return self.spent(amount_minor, **{'date': NOON, **values})

    def repaid(self, charge, amount_minor=2000):
        ramp_id = self.repay(charge, amount_minor, date=REPAID)
        self.sync_repayments()
        self.assertRepaid(ramp_id)
        return ramp_id

    def change(self, charge, **changes):
        """Ramp changes a transaction, and somebody chooses *Reverse and Post Again*. The next run has not begun."""
        record = self.record(charge)
        self.ramp.update_transaction(charge, **changes)
        record.confirmed_at = '2020-01-01'
        self.sync('transaction')
        self.assertTrue(record.has_changed, record.error_message)
        self.begin_transaction()
        record.action_rebook()

    def begin_transaction(self):
        """Forget the entry numbers that this transaction gave. Each click has a transaction of its own."""
        self.env['account.move']._get_sequence_cache().clear()

    def recode(self, charge, coded_to=None, **changes):
        self.change(charge, **(changes or {'account': self.external(coded_to)}))
        self.sync('transaction')
        self.assertEqual(self.record(charge).state, 'confirmed', self.record(charge).error_message)

    # ------------------------------------------------------------------ what is in the books

    def posted(self):
        return self.env['account.move'].search(
            [('company_id', '=', self.company.id), ('state', '=', 'posted'), ('id', '>', self.last)]
        )

    def moving(self):
        """Return the entries that moved shares, and count: they are not reversed."""
        return self.posted().filtered(
            lambda move: (
                'moved to the coding of' in (move.ref or '')
                and not move.reversed_entry_id
                and not move.reversal_move_ids
            )
        )

    def spending(self):
        """Return {account, partner, analytics, taxes: amounts in both currencies, in cents} of what was spent."""
        company, found = self.company, Counter()
        for line in self.posted().line_ids:
            account = line.account_id
            if account.account_type in ('asset_cash', 'liability_credit_card') or account in (
                self.connection.card_account_id,
                company.expense_currency_exchange_account_id,
                company.income_currency_exchange_account_id,
                company.transfer_account_id,
                *self.arrived().account_id,
            ):
                continue
            key = (
                account.code,
                line.partner_id.name,
                str(line.analytic_distribution or ''),
                *(tuple(part.mapped('name')) for part in (line.tax_ids, line.tax_line_id, line.tax_tag_ids)),
            )
            found[(*key, 'amount')] += round(line.amount_currency * 100)
            found[(*key, 'balance')] += round(line.balance * 100)
        return {key: amount for key, amount in found.items() if amount}

    def arrived(self):
        """Return the lines of repayments where the money arrived."""
        rows = self.env['ramp.record'].search([('flow', '=', 'repayment'), ('res_id', '!=', False)])
        entries = self.env['account.move'].browse(rows.mapped('res_id')).exists()
        return self.env['account.move.line'].union(*(entry.line_ids.sorted('id')[:1] for entry in entries))

    def by_account(self):
        found = Counter()
        for (code, *_rest, what), amount in self.spending().items():
            if what == 'balance':
                found[code] += amount
        return {code: amount for code, amount in found.items() if amount}

    def assertFollowed(self, *repayments, count=1):
        """These repayments are in order, and another run changes nothing."""
        for ramp_id in repayments:
            self.assertRepaid(ramp_id)
        self.assertEqual(len(self.moving()), count)
        before = self.posted()
        self.sync(*self.flows)
        self.assertEqual(self.posted(), before, 'once')
        for move in before:
            self.assertFalse(round(sum(move.line_ids.mapped('balance')), 2))


@tagged('post_install', '-at_install', 'ramp')
class TestRepaymentFollows(FollowsCase):
    def test_another_account(self):
        charge = self.charge()
        repayment = self.repaid(charge)
        self.recode(charge, self.account_travel)
        self.assertEqual(self.by_account(), {self.account_travel.code: 3000})
        self.assertFollowed(repayment)
        moving, entry = self.moving(), self.move(repayment)
        self.assertEqual((str(moving.date), moving.journal_id), (REPAID, self.connection.card_journal_id))
        self.assertEqual(
            [(line.account_id, line.balance) for line in moving.line_ids.sorted('balance')],
            [(self.account_travel, -20.0), (self.account_meals, 20.0)],
        )
        for document in (entry, self.move(charge)):
            self.assertIn(moving.name, ' '.join(document.message_ids.mapped('body')))
        self.assertIn(entry.name, ' '.join(moving.message_ids.mapped('body')))
        self.assertIn('20.00 USD was repaid', ' '.join(self.move(charge).message_ids.mapped('body')))
        expense = self.expense(repayment)
        self.assertEqual((expense.account_id, expense.total_amount), (self.account_travel, -20.0))
        self.assertEqual((expense.account_move_id, expense.state), (entry, self.expense(charge).state))

    def test_books_tie_out(self):
        charge = self.charge()
        repayment = self.repaid(charge)
        self.recode(charge, self.account_travel)
        self.sync('watch')
        rows = self.record(charge) | self.record(repayment, 'repayment')
        self.assertEqual(rows.mapped('state'), ['confirmed', 'confirmed'])
        report = self.env['report.ramp_connector.tie_out'].get_report(self.connection.id)
        differences = [item for part in report['sections'] for month in part['months'] for item in month['differences']]
        self.assertEqual(differences, [])

    def test_the_bank_keeps_its_match(self):
        charge = self.charge()
        repayment = self.repaid(charge)
        line = self.move(repayment).line_ids.sorted('id')[:1]
        statement = self.env['account.move'].create(
            {
                'journal_id': self.connection.payment_journal_id.id,
                'line_ids': [
                    Command.create({'account_id': account.id, 'balance': balance})
                    for account, balance in ((line.account_id, -20.0), (self.account_software, 20.0))
                ],
            }
        )
        statement.action_post()
        (line + statement.line_ids.filtered(lambda item: item.account_id == line.account_id)).reconcile()
        partial = line.matched_credit_ids
        self.recode(charge, self.account_travel)
        self.assertFollowed(repayment)
        self.assertEqual((line.reconciled, line.matched_credit_ids), (True, partial))
        self.assertEqual(self.by_account()[self.account_travel.code], 3000)

    @in_turn
    def test_several_repayments(self):
        charge = self.charge(5001)
        repayments = [self.repaid(charge, minor) for minor in (2000, 1, 1500)]
        self.recode(
            charge,
            lines=[
                {'amount_minor': 3334, 'account': self.travel, 'analytics': self.analytics(self.analytic_fair)},
                {'amount_minor': 1667, 'account': self.software},
            ],
        )
        self.assertFollowed(*repayments, count=3)
        self.assertEqual(self.by_account(), {self.account_travel.code: 1000, self.account_software.code: 500})
        # A later one takes what is left, so nothing remains.
        self.repaid(charge, 1500)
        self.assertEqual(self.spending(), {})

    def test_twice_and_back(self):
        charge = self.charge()
        repayment = self.repaid(charge)
        for account, count in ((self.account_travel, 1), (self.account_software, 1), (self.account_meals, 0)):
            self.recode(charge, account)
            self.assertEqual(self.by_account(), {account.code: 3000})
            self.assertFollowed(repayment, count=count)
        self.assertNotIn('moved', self.record(repayment, 'repayment').noted)

    @in_turn
    def test_a_hashed_journal(self):
        for journal in (self.connection.card_journal_id, self.connection.payment_journal_id):
            journal.restrict_mode_hash_table = True
        charge = self.charge()
        repayment = self.repaid(charge)
        self.assertTrue(self.move(repayment).inalterable_hash)
        for account in (self.account_travel, self.account_software):
            self.recode(charge, account)
            self.assertFollowed(repayment)
            self.assertEqual(self.by_account(), {account.code: 3000})

    def test_a_closed_period_is_decided_by_a_person(self):
        charge = self.charge()
        repayment = self.repaid(charge)
        self.change(charge, account=self.travel, accounting_date='2026-04-02T12:00:00+00:00')
        self.company.fiscalyear_lock_date = CLOSED
        self.sync(*self.flows)
        record = self.record(repayment, 'repayment')
        self.assertEqual((record.state, record.hold_reason), ('held', 'question'))
        self.assertIn('2026-03-20 is on or before the lock date', record.error_message)
        self.assertTrue(self.env['ramp.cause'].search([('kind', '=', 'lock_date')]))
        attempts, last = record.attempts, self.posted()
        self.sync(*self.flows)
        self.assertEqual((record.state, record.attempts, self.posted()), ('held', attempts, last))
        record.action_retry()
        self.sync(*self.flows)
        self.assertEqual(record.hold_reason, 'question')
        self.connection.lock_date_policy = 'next_open'
        self.sync_repayments()
        self.assertEqual((record.state, record.error_message), ('confirmed', False))
        self.assertFollowed(repayment)
        self.assertEqual(str(self.moving().date), '2026-04-01')

    @in_turn
    def test_less_than_was_repaid(self):
        charge = self.charge()
        repayment = self.repaid(charge)
        self.recode(charge, amount_minor=1500, account=self.travel)
        record = self.record(repayment, 'repayment')
        self.assertEqual(record.state, 'held')
        self.assertIn('only 15.00 USD of the card transaction', record.error_message)
        self.recode(charge, amount_minor=2500, account=self.travel)
        self.assertFollowed(repayment)
        self.assertEqual(self.by_account(), {self.account_travel.code: 500})

    @in_turn
    def test_the_new_entry_is_a_draft(self):
        charge = self.charge()
        repayment = self.repaid(charge)
        self.connection.card_post = 'draft'
        self.recode(charge, self.account_travel)
        self.assertFalse(self.moving())
        self.move(charge).action_post()
        self.sync('transaction')
        self.assertFollowed(repayment)
        self.assertEqual(self.by_account(), {self.account_travel.code: 3000})

    @in_turn
    def test_the_entry_was_deleted(self):
        """Somebody deleted the entry of the transaction, and it is posted anew as Ramp has it now."""
        charge = self.charge()
        repayment = self.repaid(charge)
        self.ramp.update_transaction(charge, account=self.travel)
        self.move(charge).button_draft()
        self.move(charge).unlink()
        self.sync('transaction')
        self.record(charge).action_retry()
        self.sync('transaction')
        self.assertFollowed(repayment)
        self.assertEqual(self.by_account(), {self.account_travel.code: 3000})

    @in_turn
    def test_repayments_are_switched_off(self):
        charge = self.charge()
        repayment = self.repaid(charge)
        self.connection.pull_repayments = False
        self.recode(charge, self.account_travel)
        self.assertFollowed(repayment)

    @in_turn
    def test_an_entry_by_hand(self):
        """An entry that somebody entered in another journal is repaid. It is unlinked, and the connector posts another."""
        charge = self.spend(5000, date=NOON, account=None)
        self.sync('transaction')
        entered = self.enter_by_hand('2026-03-02', 50.0)
        self.record(charge)._link_to_document(entered)
        repayment = self.repaid(charge)
        self.assertEqual(self.by_account(), {self.account_meals.code: 3000})
        self.record(charge).action_unlink_document()
        entered.button_draft()
        entered.button_cancel()
        self.ramp.update_transaction(charge, account=self.travel)
        self.sync('transaction')
        self.assertFollowed(repayment)
        self.assertEqual(self.by_account(), {self.account_travel.code: 3000})

    @in_turn
    def test_from_before(self):
        """To 1.7.0: what did not follow stays, and a message names it. What is posted anew from now on follows."""
        charges = self.charge(), self.charge()
        repayments = [self.repaid(charge) for charge in charges]
        for repayment in repayments:
            record = self.record(repayment, 'repayment')
            record.noted = {'shares': record.noted['shares']}
        with patch.object(type(self.env['ramp.flow.repayment']), '_follow_originals'):
            self.recode(charges[0], self.account_travel)
        load_script('ramp_connector/migrations/19.0.1.7.0/post-repayments.py', 'post-repayments').migrate(
            self.env.cr, '19.0.1.6.0'
        )
        self.assertIn(self.move(repayments[0]).name, self.connection.message_ids[:1].body)
        self.assertNotIn(self.move(repayments[1]).name, self.connection.message_ids[:1].body)
        self.recode(charges[1], self.account_travel)
        self.assertFollowed(*repayments)
        self.assertIn(self.move(repayments[1]).name, self.moving().message_ids.body)

    # ------------------------------------------------------------------ taken back

    @in_turn
    def test_the_repayment_fails(self):
        charge = self.charge()
        repayment = self.repaid(charge)
        self.recode(charge, self.account_travel)
        self.ramp.state['repayments'].update_row(repayment, status='REPAYMENT_FAILED', repaid_at=None)
        self.sync_repayments()
        self.assertOpen(repayment, 'ignored', r'^The repayment failed in Ramp\. .* was reversed by ')
        self.assertFalse(self.moving())
        self.assertEqual(self.by_account(), {self.account_travel.code: 5000})

    @in_turn
    def test_the_repayment_is_posted_anew(self):
        charge = self.charge()
        repayment = self.repaid(charge)
        self.recode(charge, self.account_travel)
        row = self.ramp.state['repayments'].get_row(repayment)
        self.ramp.state['repayments'].update_row(
            repayment, repayment_amount={**row['repayment_amount'], 'amount': 2500}
        )
        self.sync_repayments()
        self.begin_transaction()
        self.record(repayment, 'repayment').action_rebook()
        self.sync_repayments()
        self.assertFollowed(repayment, count=0)
        self.assertEqual(self.by_account(), {self.account_travel.code: 2500})

    @in_turn
    def test_somebody_takes_the_repayment_out(self):
        """Deleted and posted anew, deleted for good, or reversed by hand: what moved its shares goes with it."""
        for way in ('deleted', 'ignored', 'reversed'):
            with self.subTest(way), self.isolated():
                charge = self.charge()
                repayment = self.repaid(charge)
                self.recode(charge, self.account_travel)
                entry, record = self.move(repayment), self.record(repayment, 'repayment')
                self.begin_transaction()
                if way == 'reversed':
                    entry._reverse_moves(cancel=True)
                else:
                    entry.button_draft()
                    entry.unlink()
                    record.action_retry() if way == 'deleted' else record._ignore_by_person('Wrong')
                self.sync_repayments()
                self.assertFalse(self.moving())
                left = 3000 if way == 'deleted' else 5000
                self.assertEqual(self.by_account(), {self.account_travel.code: left})
                last = self.posted()
                self.sync(*self.flows)
                self.assertEqual(self.posted(), last)

    @in_turn
    def test_somebody_takes_the_moving_entry_out(self):
        """That is a decision. It counts until the transaction is posted anew once more."""
        charge = self.charge()
        repayment = self.repaid(charge)
        self.recode(charge, self.account_travel)
        self.begin_transaction()
        self.moving()._reverse_moves(cancel=True)
        self.assertFollowed(repayment, count=0)
        self.assertEqual(self.by_account(), {self.account_meals.code: -2000, self.account_travel.code: 5000})
        self.recode(charge, self.account_software)
        self.assertFollowed(repayment)
        self.assertEqual(self.by_account(), {self.account_software.code: 3000})

    @in_turn
    def test_somebody_edited_the_repayment(self):
        """An entry with another account by hand is in order already; one with other amounts stays as it is."""
        for amount, text in ((20.0, 'Reverses part of'), (19.0, 'because it was edited')):
            with self.subTest(amount), self.isolated():
                charge = self.charge()
                repayment = self.repaid(charge)
                entry = self.move(repayment)
                entry.button_draft()
                arrived, share = entry.line_ids.sorted('id')
                entry.line_ids = [
                    Command.update(arrived.id, {'debit': amount}),
                    Command.update(share.id, {'account_id': self.account_travel.id, 'credit': amount}),
                ]
                entry.action_post()
                self.recode(charge, self.account_travel)
                self.assertFalse(self.moving())
                self.assertIn(text, ' '.join(entry.message_ids[:2].mapped('body')))
                last = self.posted()
                self.sync(*self.flows)
                self.assertEqual(self.posted(), last)

    @in_turn
    def test_an_account_that_is_reconciled(self):
        self.account_meals.write({'account_type': 'asset_current', 'reconcile': True})
        charge = self.charge()
        repayment = self.repaid(charge)
        self.recode(charge, self.account_travel)
        share = self.move(repayment).line_ids.filtered(lambda line: line.account_id == self.account_meals)
        self.assertTrue(share.reconciled)
        self.assertEqual(share.matched_debit_ids.debit_move_id.move_id, self.moving())
        self.ramp.state['repayments'].update_row(repayment, status='REPAYMENT_FAILED', repaid_at=None)
        self.sync_repayments()
        self.assertEqual(self.record(repayment, 'repayment').state, 'ignored')
        self.assertFalse(self.moving())
        lines = self.posted().line_ids.filtered(lambda line: line.account_id == self.account_meals)
        self.assertFalse(lines.filtered(lambda line: not line.reconciled).move_id.mapped('ref'))

    @in_turn
    def test_somebody_reconciled_the_moving_entry(self):
        self.account_travel.write({'account_type': 'asset_current', 'reconcile': True})
        charge = self.charge()
        repayment = self.repaid(charge)
        self.recode(charge, self.account_travel)
        moving = self.moving()
        lines = (self.move(charge) | moving).line_ids.filtered(lambda line: line.account_id == self.account_travel)
        lines.reconcile()
        self.ramp.state['repayments'].update_row(repayment, status='REPAYMENT_FAILED', repaid_at=None)
        self.sync_repayments()
        record = self.record(repayment, 'repayment')
        self.assertEqual((record.state, record.hold_reason, self.moving()), ('held', 'question', moving))
        self.assertTrue(lines.matched_debit_ids)
        lines.remove_move_reconcile()
        self.sync_repayments()
        self.assertEqual(record.state, 'ignored')
        self.assertFalse(self.moving())

    @in_turn
    def test_undo(self):
        """An undo shows the entry that moved the shares, and takes it out of the books, by period or by run."""
        self.account_meals.write({'account_type': 'asset_current', 'reconcile': True})
        for scope, policy in (('period', 'reverse'), ('run', 'delete')):
            with self.subTest(scope=scope, policy=policy), self.isolated():
                charge = self.charge()
                repayment = self.repaid(charge)
                self.recode(charge, self.account_travel)
                moving, run = self.moving(), self.record(charge).booked_run_id
                undo = self.env['ramp.undo'].create(
                    {
                        'connection_id': self.connection.id,
                        'scope': scope,
                        'posted_policy': policy,
                        'reason': 'Wrong',
                        'typed_name': self.connection.name,
                        **(
                            {'run_id': run.id}
                            if scope == 'run'
                            else {'date_from': '2026-03-01', 'date_to': '2026-03-31'}
                        ),
                    }
                )
                undo.action_prepare()
                self.assertIn(moving, undo.document_ids)
                undo.action_start()
                self.run_undo_job()
                self.assertEqual(set(undo.line_ids.mapped('outcome')) - {'reversed', 'deleted'}, set())
                self.assertFalse(self.move(charge) | self.move(repayment) | self.moving())
                self.assertEqual(self.spending(), {})
                self.assertFalse(self.expense(charge) | self.expense(repayment))

    # ------------------------------------------------------------------ once

    @in_turn
    def test_another_worker_was_in_the_way(self):
        """The work is repeated as a whole, as after a crash: entry and note commit together."""
        charge = self.charge()
        repayment = self.repaid(charge)
        Record, failures = type(self.env['ramp.record']), [SerializationFailure]
        store = Record._store_noted

        def fail_once(records, noted):
            if failures and any(getattr(note, 'moved', None) for note in noted.values()):
                self.assertEqual(len(self.moving()), 1)
                raise failures.pop()
            return store(records, noted)

        with patch.object(Record, '_store_noted', fail_once):
            self.recode(charge, self.account_travel)
        self.assertFalse(failures)
        self.assertFollowed(repayment)
        self.assertEqual(self.by_account(), {self.account_travel.code: 3000})

    @in_turn
    def test_one_that_fails_stops_no_other(self):
        charge = self.charge()
        first, second = self.repaid(charge, 1000), self.repaid(charge, 2000)
        Repayment = type(self.env['ramp.flow.repayment'])
        move = Repayment._move_shares

        def fail(flow, connection, plan, *args):
            if plan.repayment.id == first:
                raise ZeroDivisionError
            return move(flow, connection, plan, *args)

        with patch.object(Repayment, '_move_shares', fail), self.assertLogs('odoo.addons.ramp_connector', 'ERROR'):
            self.recode(charge, self.account_travel)
        self.assertEqual(self.record(first, 'repayment').state, 'held')
        self.assertEqual(self.by_account(), {self.account_meals.code: -1000, self.account_travel.code: 3000})
        self.sync_repayments()
        self.assertFollowed(first, second, count=2)
        self.assertEqual(self.by_account(), {self.account_travel.code: 2000})

    @in_turn
    def test_a_dry_run_shows_it(self):
        charge = self.charge()
        repayment = self.repaid(charge)
        self.change(charge, account=self.travel)
        run = self.env['ramp.dry.run'].create({'connection_id': self.connection.id, 'flow': 'repayment'})
        self.env.flush_all()
        with (
            nullcontext() if type(self)._registry_patched else self.enter_registry_test_mode(),
            self.registry.cursor() as cr,
        ):
            Environment(cr, SUPERUSER_ID, {})['ramp.dry.run']._cron_run_queued()
        self.env.invalidate_all()
        [entry] = run.result['entries']
        self.assertEqual((entry['flow'], entry['object']), ('repayment', self.record(repayment, 'repayment').name))
        self.assertEqual({line['balance'] for line in entry['lines']}, {20.0, -20.0})
        self.assertFalse(self.moving())

    @in_turn
    def test_a_kept_repayment_of_another_transaction(self):
        """Ramp says that it repays another transaction, and a person keeps what is posted: it does not follow."""
        charge, other = self.charge(), self.charge(account=self.software)
        repayment = self.repaid(charge)
        self.ramp.state['repayments'].update_row(repayment, original_transaction_id=other)
        self.sync_repayments()
        record = self.record(repayment, 'repayment')
        self.assertEqual((record.state, record.parent_ramp_id), ('held', other))
        record.action_retry()
        self.sync(*self.flows)
        self.assertEqual(record.state, 'confirmed')
        self.assertFollowed(repayment, count=0)

    @in_turn
    @examples(2)
    @given(st.data())
    def test_any_changes_add_up(self, data):
        """Whatever is repaid and recoded in whatever order: what was spent is where the transaction is coded now."""
        with self.isolated():
            total, left = 10007, 10007
            charge, codes, repayments = self.charge(total), {self.account_meals.code}, []
            accounts = {
                account.code: account for account in (self.account_meals, self.account_travel, self.account_software)
            }
            for _step in range(data.draw(st.integers(2, 4))):
                if data.draw(st.booleans()) and left > 1:
                    part = data.draw(st.integers(1, left - 1))
                    repayments.append(self.repaid(charge, part))
                    left -= part
                else:
                    now = data.draw(st.sets(st.sampled_from(sorted(accounts)), min_size=1))
                    if now == codes:
                        continue
                    codes, weights = now, [data.draw(st.integers(1, 9)) for _code in now]
                    self.recode(
                        charge,
                        lines=[
                            {'amount_minor': minor, 'account': self.external(accounts[code])}
                            for code, minor in zip(sorted(codes), allocate_amount(total, weights), strict=True)
                        ],
                    )
                self.assertEqual(sum(self.by_account().values()), left)
                self.assertLessEqual(set(self.by_account()), codes)
            self.repaid(charge, left)
            self.assertEqual(self.spending(), {})


@tagged('post_install', '-at_install', 'ramp')
class TestRepaymentFollowsEach(FollowsCase):
    """Each kind of change, in an open and in a closed period.

    The books are those of a transaction that was coded so from the beginning.
    """

    def once(self):
        super().once()
        self.connection.offer_taxes = True
        self.on_payment, _due = self.create_tax_on_payment()
        tags = self.env['account.account.tag'].create(
            [
                {'name': name, 'applicability': 'taxes', 'country_id': self.company.account_fiscal_country_id.id}
                for name in ('base', 'tax')
            ]
        )
        self.tax = self.env['account.tax'].create(
            {
                'name': 'Seven',
                'amount': 7.0,
                'type_tax_use': 'purchase',
                'company_id': self.company.id,
                'country_id': self.company.account_fiscal_country_id.id,
            }
        )
        for line in self.tax.invoice_repartition_line_ids + self.tax.refund_repartition_line_ids:
            line.tag_ids = tags[line.repartition_type == 'tax']
        self.sync('account', 'tax_rate', 'tax_code')
        self.env['res.partner'].create([{'name': name, 'supplier_rank': 1} for name in ('Taxi Ltd', 'Other')])
        self.env['res.currency.rate'].create(
            {
                'currency_id': self.env.ref('base.EUR').id,
                'name': '2026-03-10',
                'rate': 0.77,
                'company_id': self.company.id,
            }
        )

    def lines(self, *parts):
        """Return lines of a transaction; each part is (minor units, account, tax or None)."""
        state = self.ramp.state
        return [
            {
                'amount_minor': minor,
                'selections': [
                    coding.select_gl_account(state, self.external(account)),
                    *([coding.select_tax_code(state, self.external(tax))] if tax else []),
                ],
            }
            for minor, account, tax in parts
        ]

    @property
    def kinds(self):
        """Return {kind of change: (how the transaction is before, what changes, how many entries move shares)}."""
        meals, travel, software = self.account_meals, self.account_travel, self.account_software
        merchant = self.ramp.state.derive_stable_id('merchant', 'Other')
        split = ((3333, meals, self.tax), (3334, travel, None), (3333, software, self.tax))
        return {
            'account': ({}, {'account': self.travel}, 1),
            'analytics': (
                {'analytics': self.analytics(self.analytic_move)},
                {
                    'lines': [
                        {'amount_minor': 10000, 'account': self.meals, 'analytics': self.analytics(self.analytic_fair)}
                    ]
                },
                1,
            ),
            'tax comes': ({}, {'lines': self.lines((10000, meals, self.tax))}, 1),
            'tax goes': (
                {'lines': self.lines((10000, meals, self.tax))},
                {'lines': self.lines((10000, meals, None))},
                1,
            ),
            'tax on payment': (
                {'lines': self.lines((10000, meals, self.on_payment))},
                {'lines': self.lines((10000, travel, self.tax))},
                1,
            ),
            'tax on payment goes': (
                {'lines': self.lines((10000, meals, self.on_payment))},
                {'lines': self.lines((10000, meals, None))},
                1,
            ),
            'split': ({}, {'lines': self.lines(*split)}, 1),
            'one line of several': (
                {'lines': self.lines(*split)},
                {'lines': self.lines(split[0], (3334, meals, None), split[2])},
                1,
            ),
            'amount': ({}, {'amount_minor': 9000, 'account': self.meals}, 0),
            'merchant': ({'merchant': 'Taxi Ltd'}, {'merchant_id': merchant, 'merchant_name': 'Other'}, 1),
            'another currency': ({'currency': 'EUR'}, {'account': self.travel}, 1),
            'another rate': (
                {'currency': 'EUR'},
                {'account': self.travel, 'accounting_date': '2026-03-12T12:00:00+00:00'},
                1,
            ),
            'another rate only': ({'currency': 'EUR'}, {'accounting_date': '2026-03-12T12:00:00+00:00'}, 1),
            'day': ({}, {'accounting_date': '2026-03-12T12:00:00+00:00'}, 0),
        }

    def twin(self, before, changes):
        """Return what is spent by a transaction that is so from the beginning."""
        with self.isolated():
            charge = self.spend(10000, date=NOON, **before)
            self.ramp.update_transaction(charge, **changes)
            self.sync('transaction')
            self.repaid(charge, 3337)
            return self.spending()

    def assertLikeTwin(self, kind, period):
        before, changes, count = self.kinds[kind]
        twin = self.twin(before, changes)
        self.assertTrue(twin)
        with self.isolated():
            charge = self.charge(10000, **before)
            repayment = self.repaid(charge, 3337)
            if period == 'closed':
                self.company.fiscalyear_lock_date = CLOSED
                self.connection.lock_date_policy = 'next_open'
            self.change(charge, **changes)
            self.sync('transaction')
            if period == 'closed' and before.get('currency'):
                # The new entry is of another day, so it has another rate than the twin.
                self.assertEqual({key[0] for key in self.spending()}, {key[0] for key in twin})
            else:
                self.assertEqual(self.spending(), twin)
            self.assertFollowed(
                repayment, count=max(count, 1) if period == 'closed' and before.get('currency') else count
            )
            self.assertEqual(
                {str(move.date) for move in self.moving()},
                {'2026-04-01' if period == 'closed' else REPAID} if self.moving() else set(),
            )
            self.repaid(charge, changes.get('amount_minor', 10000) - 3337)
            self.assertEqual(self.spending(), {}, 'nothing is left')

    def test_account(self):
        self.assertLikeTwin('account', 'open')

    @in_turn
    def test_each_kind_of_change(self):
        for kind, period in rotated(itertools.product(self.kinds, ('open', 'closed')), of=5):
            with self.subTest(kind=kind, period=period):
                self.assertLikeTwin(kind, period)
