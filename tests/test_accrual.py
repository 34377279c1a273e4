# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The accrual of a month: what Ramp has and the books have not, posted on its last day and reversed on day one."""

import datetime
from unittest.mock import patch

from psycopg2.errors import UniqueViolation

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import BrowserCase
from .test_month_end import MonthEndCase

MODEL = 'ramp.accrual'
JULY = '2026-07-09T12:00:00+00:00'


class AccrualCase(MonthEndCase):
    def once(self):
        super().once()
        self.liability = self.env['account.account'].create(
            {
                'name': 'Accrued Expenses',
                'code': '201900',
                'account_type': 'liability_current',
                'company_ids': [(6, 0, self.company.ids)],
            }
        )
        self.held = self.spend(700, merchant='Hotel', account=None, date=JULY)
        self.sync_statements()

    def propose(self, month='2026-07', connection=None):
        action = self.env[MODEL].open_month((connection or self.connection).id, month)
        accrual = self.env[MODEL].browse(action.get('res_id'))
        accrual.write({'liability_account_id': self.liability.id, 'expense_account_id': self.account_software.id})
        return accrual

    def accrue(self, month='2026-07', **values):
        accrual = self.propose(month, **values)
        accrual.action_post()
        return accrual

    def lines_of(self, moves):
        return [
            (line.account_id.code, line.currency_id.name, line.amount_currency, line.balance)
            for line in moves.line_ids.sorted(lambda line: (line.balance < 0, line.id))
        ]

    def standing(self, accrual):
        self.env.invalidate_all()
        return accrual.standing

    def balance_of(self, account, month=None):
        """The posted balance of an account, of a month or of all."""
        domain = [('account_id', '=', account.id), ('parent_state', '=', 'posted')]
        if month:
            first = datetime.date.fromisoformat(f'{month}-01')
            last = fields.Date.end_of(first, 'month')
            domain += [('date', '>=', first), ('date', '<=', last)]
        return round(sum(self.env['account.move.line'].search(domain).mapped('balance')), 2) + 0.0


@tagged('post_install', '-at_install', 'ramp')
class TestAccrual(AccrualCase):
    def test_posted_and_reversed(self):
        """There is one entry on the last day of the month, and its reversal on the next day. Nothing is left of both."""
        accrual = self.propose()
        [line] = accrual.line_ids
        self.assertEqual((line.record_id, line.amount, line.kind), (self.record(self.held), 7.0, 'held'))
        self.assertEqual((accrual.standing, accrual.amounts), ('draft', '$\xa07.00'))
        accrual.action_post()
        self.assertEqual((accrual.state, self.standing(accrual)), ('posted', 'posted'))
        move, reversal = line.move_id, line.reversal_id
        self.assertEqual((str(move.date), str(reversal.date)), ('2026-07-31', '2026-08-01'))
        self.assertEqual((move.state, reversal.state, reversal.reversed_entry_id), ('posted', 'posted', move))
        self.assertEqual(
            self.lines_of(move),
            [(self.account_software.code, 'USD', 7.0, 7.0), (self.liability.code, 'USD', -7.0, -7.0)],
        )
        self.assertEqual(self.balance_of(self.liability, '2026-07'), -7.0)
        self.assertEqual((self.balance_of(self.liability), self.balance_of(self.account_software)), (0, 0))

    def test_tie_out_agrees(self):
        """What may be accrued is what the tie-out misses, to the cent. Then the tie-out calls it accrued and explained."""
        self.wait_in_ramp()
        before = self.section('2026-07', '2026-07')['summary']
        accrual = self.accrue()
        self.assertEqual(sum(accrual.line_ids.mapped('amount')), before['difference'])
        report = self.report('2026-07', '2026-07')
        summary = report['sections'][0]['summary']
        self.assertEqual((summary['odoo'], summary['ramp']), (before['odoo'], before['ramp']))
        self.assertEqual(
            [(row['kind'], row['label'], row['amount'], row['count'], row['is_explained']) for row in summary['kinds']],
            [('accrued', 'Accrued', 14.0, 2, True)],
        )
        self.assertTrue(summary['is_green'])
        self.assertEqual(report['status']['text'], 'Nothing is unexplained: Accrued (2)')
        [item] = report['accruals']
        move = accrual.line_ids.move_id
        self.assertEqual((item['month'], item['is_odd']), ('2026-07', False))
        for text in (move.name, accrual.line_ids.reversal_id.name, '14.00', '(2)', '07/31/2026', '08/01/2026'):
            self.assertIn(text, item['text'])
        self.assertIn(' '.join(item['text'].split()), self.page('2026-07', '2026-07'))
        _name, book = self.workbook('2026-07', '2026-07')
        rows = [row for row in book['Summary'].iter_rows(values_only=True) if row[0]]
        self.assertIn(item['text'], [row[0] for row in rows])
        self.assertIn(('Accrued', 14.0), [(row[1], row[5]) for row in rows])
        [month] = report['sections'][0]['months']
        self.assertRegex(month['differences'][0]['text'], 'Accrued for this month')
        # A month later it is no longer accrued
        kinds = {row['kind'] for row in self.section('2026-08', '2026-08')['summary']['kinds']}
        self.assertEqual(kinds, {'held', 'withheld'})

    def test_posted_later(self):
        """An object that is accrued is posted after its reversal, also if the month is open. No month has it twice."""
        self.accrue()
        self.ramp.recode_transaction(self.held, self.external(self.account_meals))
        self.sync('watch')
        before = {month: self.balance_of(self.account_meals, month) for month in ('2026-07', '2026-08')}
        self.sync_statements()
        move = self.move(self.held)
        self.assertEqual((move.state, str(move.date)), ('posted', '2026-08-01'))
        self.assertEqual(str(self.expense(self.held).date), '2026-07-09')
        self.assertEqual(self.balance_of(self.account_meals, '2026-07'), before['2026-07'])
        self.assertEqual(self.balance_of(self.account_meals, '2026-08'), before['2026-08'] + 7.0)
        self.assertEqual(self.balance_of(self.account_software, '2026-07'), 7.0)
        self.assertEqual(self.balance_of(self.account_software, '2026-08'), -7.0)
        self.assertEqual([row['kind'] for row in self.section('2026-07', '2026-07')['summary']['kinds']], ['accrued'])
        self.assertEqual(self.section('2026-07', '2026-08')['summary']['kinds'], [])
        self.assertTrue(self.report()['status']['kind'] in ('zero', 'explained'), self.report()['status'])

    def test_not_twice(self):
        accrual = self.propose()
        accrual.line_ids.is_included = False
        with self.assertRaisesRegex(UserError, 'no row to accrue'):
            accrual.action_post()
        accrual.line_ids.is_included = True
        accrual.action_post()
        action = self.env[MODEL].open_month(self.connection.id, '2026-07')
        self.assertRegex(action['params']['message'], 'Nothing is left to accrue')
        self.assertFalse(self.env[MODEL].search([('state', '=', 'draft')]))
        with self.assertRaisesRegex(UserError, 'is posted'):
            accrual.action_post()
        other = self.env[MODEL].create({'connection_id': self.connection.id, 'month': '2026-07-01'})
        values = {**accrual.line_ids.copy_data()[0], 'accrual_id': other.id}
        with (
            mute_logger('odoo.sql_db'),
            self.assertRaisesRegex(UniqueViolation, 'ramp_accrual_line_accrued_once'),
            self.env.cr.savepoint(),
        ):
            self.env['ramp.accrual.line'].create({**values, 'is_active': True})

    def test_two_reviews_at_once(self):
        """Two people review the same month. The second one who posts is refused, and nothing of it is posted."""
        first, second = self.propose(), self.propose()
        self.assertEqual(first, second)
        manager = self.person('manager')
        other = self.env[MODEL].with_env(self.as_person(manager)).open_month(self.connection.id, '2026-07')
        other = self.env[MODEL].browse(other['res_id'])
        self.assertNotEqual(first, other)
        other.write({'liability_account_id': self.liability.id, 'expense_account_id': self.account_software.id})
        first.action_post()
        entries = self.env['account.move'].search_count([])
        with self.assertRaisesRegex(UserError, 'changed since it was proposed'):
            other.action_post()
        # Also if it does not see the other one yet
        with (
            patch.object(type(other), '_check_lines_stand', lambda *args: None),
            mute_logger('odoo.sql_db'),
            self.assertRaisesRegex(UniqueViolation, 'ramp_accrual_line_accrued_once'),
            self.env.cr.savepoint(),
        ):
            other.action_post()
        self.assertEqual(self.env['account.move'].search_count([]), entries)

    def test_the_row_is_written(self):
        """A job that posts the object at the same moment has to begin again, so its row is written."""
        accrual = self.propose()
        record = self.record(self.held)
        self.env.flush_all()
        self.env.cr.execute('SELECT xmin, ctid FROM ramp_record WHERE id = %s', (record.id,))
        before = self.env.cr.fetchone()
        accrual.action_post()
        self.env.flush_all()
        self.env.cr.execute('SELECT xmin, ctid FROM ramp_record WHERE id = %s', (record.id,))
        self.assertNotEqual(self.env.cr.fetchone(), before)

    def test_left_out(self):
        self.wait_in_ramp()
        accrual = self.propose()
        held = accrual.line_ids.filtered(lambda line: line.record_id == self.record(self.held))
        held.is_included = False
        accrual.action_post()
        self.assertEqual(self.balance_of(self.liability, '2026-07'), -7.0)
        self.assertFalse(held.is_active or held.move_id)
        kinds = {row['kind']: row['amount'] for row in self.section('2026-07', '2026-07')['summary']['kinds']}
        self.assertEqual(kinds, {'accrued': 7.0, 'held': 7.0})
        again = self.accrue()
        self.assertEqual(again.line_ids.record_id, self.record(self.held))
        self.assertEqual(self.balance_of(self.liability, '2026-07'), -14.0)

    def test_coding(self):
        """A known coding is taken with its analytics, line by line. What is not known is on the account that is chosen."""
        self.spend(
            1000,
            merchant='Conference',
            date=JULY,
            sync_status='NOT_SYNC_READY',
            lines=[
                {
                    'amount_minor': 900,
                    'account': self.external(self.account_travel),
                    'analytics': self.analytics(self.analytic_fair),
                },
                {'amount_minor': 100, 'account': None},
            ],
        )
        self.sync('watch')
        accrual = self.propose()
        accrual.expense_account_id = False
        with self.assertRaisesRegex(UserError, 'Uncoded Expense'):
            accrual.action_post()
        accrual.expense_account_id = self.account_software
        line = accrual.line_ids.filtered(lambda line: line.amount == 10.0)
        self.assertRegex(line.coding_text, rf'{self.account_travel.code}.*9\.00, No account: .*1\.00')
        accrual.line_ids.filtered(lambda line: line.amount == 7.0).account_id = self.account_meals
        accrual.action_post()
        self.assertEqual(
            self.lines_of(line.move_id),
            [
                (self.account_meals.code, 'USD', 7.0, 7.0),
                (self.account_travel.code, 'USD', 9.0, 9.0),
                (self.account_software.code, 'USD', 1.0, 1.0),
                (self.liability.code, 'USD', -17.0, -17.0),
            ],
        )
        travel = line.move_id.line_ids.filtered(lambda item: item.account_id == self.account_travel)
        self.assertEqual(travel.analytic_distribution, {str(self.analytic_fair.id): 100.0})

    def test_refund_and_zero(self):
        """A refund is accrued on the other side. If all cancels out, there is no liability."""
        self.spend(-700, merchant='Hotel', account=None, date=JULY)
        self.sync_statements()
        accrual = self.accrue()
        self.assertEqual(
            self.lines_of(accrual.line_ids.move_id),
            [(self.account_software.code, 'USD', 7.0, 7.0), (self.account_software.code, 'USD', -7.0, -7.0)],
        )
        self.assertEqual(self.standing(accrual), 'posted')

    def test_currencies(self):
        """Each currency has an entry of its own, at Odoo's rate of the day. The reversal has the same rate."""
        self.spend(800, currency='EUR', account=None, date=JULY)
        self.sync_statements()
        self.env['res.currency.rate'].create(
            {
                'currency_id': self.env.ref('base.EUR').id,
                'name': '2026-08-01',
                'rate': 0.5,
                'company_id': self.company.id,
            }
        )
        accrual = self.accrue()
        moves = accrual.line_ids.move_id.sorted(lambda move: move.currency_id.name)
        self.assertEqual(moves.mapped('currency_id.name'), ['EUR', 'USD'])
        self.assertEqual(
            self.lines_of(moves[0]),
            [(self.account_software.code, 'EUR', 8.0, 10.0), (self.liability.code, 'EUR', -8.0, -10.0)],
        )
        self.assertEqual(self.balance_of(self.liability), 0)

    def test_no_rate(self):
        self.spend(800, currency='EUR', account=None, date=JULY)
        self.sync_statements()
        accrual = self.propose()
        self.env['res.currency.rate'].search([('currency_id.name', '=', 'EUR')]).unlink()
        with self.assertRaisesRegex(UserError, 'Odoo has no exchange rate for EUR'):
            accrual.action_post()

    def test_locked(self):
        """A locked month is refused, with the lock date and the remedy, whatever the connection does with objects."""
        accrual = self.propose()
        self.company.fiscalyear_lock_date = '2026-07-31'
        with self.assertRaisesRegex(UserError, 'lock date 2026-07-31. Reopen'):
            accrual.action_post()
        self.connection.lock_date_policy = 'next_open'
        with self.assertRaisesRegex(UserError, r'locked until 07/31/2026\. Reopen'):
            accrual.action_post()
        self.company.fiscalyear_lock_date = '2026-06-30'
        accrual.action_post()
        self.company.fiscalyear_lock_date = '2026-07-31'
        self.ramp.recode_transaction(self.held, self.external(self.account_meals))
        self.connection.lock_date_policy = 'hold'
        self.sync_statements()
        self.assertEqual(str(self.move(self.held).date), '2026-08-01', 'the accrual is the decision')

    def test_carried_and_again(self):
        """What still waits a month later is accrued again for that month."""
        self.accrue()
        accrual = self.accrue('2026-08')
        self.assertEqual(accrual.line_ids.record_id, self.record(self.held))
        self.assertEqual((str(accrual.date), str(accrual.reversal_date)), ('2026-08-31', '2026-09-01'))
        self.assertEqual([self.balance_of(self.liability, f'2026-0{month}') for month in (7, 8, 9)], [-7.0, 0, 7.0])
        self.ramp.recode_transaction(self.held, self.external(self.account_meals))
        self.sync_statements()
        self.assertEqual(str(self.move(self.held).date), '2026-09-01')

    def test_changed_since_it_was_proposed(self):
        accrual = self.propose()
        self.ramp.recode_transaction(self.held, self.external(self.account_meals))
        self.sync_statements()
        with self.assertRaisesRegex(UserError, 'Hotel, .*7.00, changed since it was proposed'):
            accrual.action_post()
        accrual.action_refresh()
        self.assertFalse(accrual.line_ids)

    def test_changed_after_it_was_accrued(self):
        """If Ramp changes the amount, the accrual explains the difference no longer."""
        self.accrue()
        self.ramp.update_transaction(self.held, amount_minor=900)
        self.sync_statements()
        self.sync('watch')
        self.assertEqual(self.record(self.held).amount, 9.0)
        kinds = [(row['kind'], row['amount']) for row in self.section('2026-07', '2026-07')['summary']['kinds']]
        self.assertEqual(kinds, [('held', 9.0)])

    def test_months_that_cannot_be_accrued(self):
        for month in ('9999-01', '2026-05', f'{datetime.date.today():%Y-%m}'):
            with self.subTest(month=month), self.assertRaisesRegex(UserError, 'Choose a month that is over'):
                self.propose(month)

    def test_accounts_that_the_tie_out_counts(self):
        accrual = self.propose()
        for values in (
            {'liability_account_id': self.connection.card_account_id.id},
            {'liability_account_id': self.payable.id},
            {'expense_account_id': self.connection.card_account_id.id},
        ):
            with (
                self.subTest(values=values),
                self.isolated(),
                self.assertRaisesRegex(ValidationError, 'another account'),
            ):
                accrual.write(values)
        with self.isolated(), self.assertRaisesRegex(ValidationError, 'is the card liability'):
            accrual.line_ids.account_id = self.connection.card_account_id
        accrual.liability_account_id = False
        with self.assertRaisesRegex(UserError, 'Accrued Liability'):
            accrual.action_post()

    def test_bills_and_reimbursements(self):
        """Open bills and reimbursements that are not posted are accrued with what the tie-out calls open."""
        bill = self.owe(10000, date='2026-07-10', account=None)
        self.sync_payables()
        opened = self.report('2026-07', '2026-07')['open'][0]['rows']
        self.assertEqual([(row['ramp'], row['odoo']) for row in opened], [(100.0, 0)])
        accrual = self.accrue()
        line = accrual.line_ids.filtered(lambda line: line.flow == 'bill')
        self.assertEqual((line.amount, line.kind), (100.0, 'held'))
        [row] = self.report('2026-07', '2026-07')['open'][0]['rows']
        self.assertEqual([(item['kind'], item['is_explained']) for item in row['differences']], [('accrued', True)])
        self.assertIn('card spend: $\xa07.00', self.report('2026-07', '2026-07')['accruals'][0]['text'])
        self.ramp.update_bill(bill, account=self.external(self.account_meals))
        self.sync_payables()
        move = self.move(bill)
        self.assertEqual((str(move.date), str(move.invoice_date)), ('2026-08-01', '2026-07-10'))

    def test_bill_that_an_accrued_transaction_pays(self):
        """The bill is the spend of the transaction. So it is not posted before the accrual is reversed either."""
        self.accrue()
        self.env['ramp.record'].create(
            {
                'connection_id': self.connection.id,
                'company_id': self.company.id,
                'flow': 'bill_payment',
                'ramp_id': 'paid',
                'payload': {'payment': {'details': {'transaction_ids': [self.held]}}},
            }
        )
        found = self.env['ramp.flow.bill']._look_up_accruals(self.connection, ['paid', 'another'])
        self.assertEqual({ramp_id: str(day) for ramp_id, day in found.items()}, {'paid': '2026-08-01'})

    def test_reimbursements(self):
        """What an employee paid and nobody posted is accrued with what the tie-out calls open."""
        spent = self.ramp.add_reimbursement(
            amount_minor=6000, user=self.user_id, entity=self.primary, account=None, date=JULY
        )
        self.connection.write({'pull_reimbursements': True, 'reimbursement_policy': 'ready'})
        self.sync('reimbursement')
        accrual = self.accrue()
        line = accrual.line_ids.filtered(lambda line: line.flow == 'reimbursement')
        _bills, people = self.report('2026-07', '2026-07')['open']
        self.assertEqual([(row['ramp'], row['odoo']) for row in people['rows']], [(line.amount, 0)])
        self.assertEqual((line.amount, line.account_id), (60.0, self.env['account.account']))
        self.ramp.update_reimbursement(spent, account=self.external(self.account_travel))
        self.sync('reimbursement')
        move = self.move(spent)
        self.assertEqual((str(move.date), move.amount_total), ('2026-08-01', 60.0))
        self.assertTrue(self.report('2026-07', '2026-07')['open'][1]['is_green'])


@tagged('post_install', '-at_install', 'ramp')
class TestAccrualUndone(AccrualCase):
    """An accrual that somebody undoes is seen, and the month may be accrued again."""

    def test_undo(self):
        accrual = self.accrue()
        accrual.action_undo()
        moves = accrual.line_ids.move_id + accrual.line_ids.reversal_id
        self.assertEqual(moves.mapped('state'), ['cancel', 'cancel'])
        self.assertEqual(self.standing(accrual), 'undone')
        self.assertEqual([row['kind'] for row in self.section('2026-07', '2026-07')['summary']['kinds']], ['held'])
        self.assertEqual(self.report()['accruals'], [])
        again = self.accrue()
        self.assertNotEqual(again, accrual)
        self.assertEqual(self.balance_of(self.liability, '2026-07'), -7.0)
        # The object is posted on its own day again once nothing accrues it
        again.action_undo()
        self.ramp.recode_transaction(self.held, self.external(self.account_meals))
        self.sync_statements()
        self.assertEqual(str(self.move(self.held).date), '2026-07-09')

    def test_by_hand(self):
        """Each way to take back one of the two entries is seen. The month may be accrued again once both are gone."""

        def draft(move):
            move.button_draft()

        def cancel(move):
            move.button_draft()
            move.button_cancel()

        def delete(move):
            move.button_draft()
            move.with_context(force_delete=True).unlink()

        def reverse(move):
            move._reverse_moves([{'date': move.date}], cancel=True)

        for undo in (draft, cancel, delete, reverse):
            for name in ('move_id', 'reversal_id'):
                with self.subTest(undo=undo.__name__, entry=name), self.isolated():
                    accrual = self.accrue()
                    line = accrual.line_ids
                    other = line['reversal_id' if name == 'move_id' else 'move_id']
                    undo(line[name])
                    self.assertEqual(self.standing(accrual), 'odd')
                    self.assertRegex(accrual.standing_text, 'no longer')
                    report = self.report('2026-07', '2026-07')
                    self.assertEqual((report['status']['kind'], report['accruals'][0]['is_odd']), ('odd', True))
                    self.assertIn('press Undo', report['accruals'][0]['text'])
                    with self.assertRaisesRegex(UserError, 'press Undo'):
                        self.propose()
                    undo(other)
                    self.assertEqual(self.standing(accrual), 'undone')
                    again = self.accrue()
                    self.assertEqual(again.line_ids.record_id, self.record(self.held))
                    self.assertEqual(self.balance_of(self.liability, '2026-07'), -7.0)
                    self.assertEqual(self.balance_of(self.liability), 0)

    def test_undo_what_is_half_undone(self):
        accrual = self.accrue()
        accrual.line_ids.move_id.button_draft()
        accrual.action_undo()
        self.assertEqual(self.standing(accrual), 'undone')
        self.assertTrue(self.propose().line_ids)

    def test_posted_again_after_it_was_undone(self):
        accrual = self.accrue()
        accrual.action_undo()
        again = self.accrue()
        moves = accrual.line_ids.move_id + accrual.line_ids.reversal_id
        moves.button_draft()
        moves.action_post()
        self.assertEqual((self.standing(accrual), self.standing(again)), ('odd', 'posted'))
        self.assertRegex(accrual.standing_text, 'posted again after it was undone')
        self.assertEqual(self.report()['status']['kind'], 'odd')

    def test_edited(self):
        accrual = self.accrue()
        move = accrual.line_ids.move_id
        for values in (
            {'line_ids': [(1, line.id, {'balance': line.balance * 2}) for line in move.line_ids]},
            {'date': '2026-06-30', 'name': '/'},
        ):
            with self.subTest(values=list(values)), self.isolated():
                move.button_draft()
                move.write(values)
                move.action_post()
                self.assertEqual(self.standing(accrual), 'odd')
                self.assertRegex(accrual.standing_text, 'was edited')

    def test_moved_into_the_month(self):
        """If somebody moves the entry of an accrued object into the month, the tie-out says that it counts twice."""
        self.accrue()
        self.ramp.recode_transaction(self.held, self.external(self.account_meals))
        self.sync_statements()
        move = self.move(self.held)
        move.button_draft()
        move.write({'date': '2026-07-09', 'name': '/'})
        move.action_post()
        report = self.report('2026-07', '2026-07')
        self.assertEqual(report['status']['kind'], 'odd')
        self.assertRegex(report['accruals'][0]['text'], 'posted in that month as well: 1')

    def test_linked_to_an_entry_of_the_month(self):
        self.accrue()
        entry = self.enter_by_hand('2026-07-10', 7.0, journal_id=self.connection.card_journal_id.id)
        record = self.record(self.held)
        with self.assertRaisesRegex(UserError, 'accrued until 08/01/2026.*undo the accrual first'):
            record._link_to_document(entry)
        entry.button_draft()
        entry.write({'date': '2026-08-03', 'name': '/'})
        entry.action_post()
        record._link_to_document(entry)
        self.assertEqual(self.section('2026-07', '2026-08')['summary']['kinds'], [])

    def test_a_sign_off_shows_it(self):
        """An accrual after a sign-off is a change of the month, and so is its undo."""
        self.env['ramp.tie.out.sign.off'].sign_month(self.connection.id, '2026-07')
        self.assertFalse(self.report()['sign_offs'][0]['is_changed'])
        accrual = self.accrue()
        for months in ((), ('2026-07', '2026-07')):
            [sign_off] = self.report(*months)['sign_offs']
            self.assertTrue(sign_off['is_changed'])
            self.assertRegex(sign_off['text'], r'Accrued: 0, now 7\.00 USD')
        accrual.action_undo()
        self.assertFalse(self.report()['sign_offs'][0]['is_changed'])

    def test_who_may(self):
        """Accountants and accounting administrators accrue. Whoever may only enter bills does not."""
        for role in ('bookkeeper', 'manager'):
            with self.subTest(role=role), self.isolated():
                env = self.as_person(self.person(role))
                report = env['report.ramp_connector.tie_out'].get_report(self.connection.id, '2026-07', '2026-07')
                self.assertEqual(report['to_accrue']['month'], '2026-07')
                action = env[MODEL].open_month(self.connection.id, '2026-07')
                accrual = env[MODEL].browse(action['res_id'])
                accrual.write(
                    {
                        'liability_account_id': self.liability.id,
                        'expense_account_id': self.account_software.id,
                        'line_ids': [(1, accrual.line_ids.id, {'account_id': self.account_meals.id})],
                    }
                )
                for values in ({'state': 'posted'}, {'month': '2026-06-01'}, {'line_ids': [(2, accrual.line_ids.id)]}):
                    with self.assertRaises(AccessError):
                        accrual.write(values)
                with self.assertRaises(AccessError):
                    accrual.line_ids.write({'amount': 1.0})
                accrual.action_post()
                self.assertEqual(accrual.posted_by_id, env.user)
                with self.assertRaisesRegex(UserError, 'Undo it'):
                    accrual.line_ids.is_included = False
                with self.assertRaisesRegex(UserError, 'Undo it'):
                    accrual.unlink()
                accrual.action_undo()
        accrual = self.propose()
        for role in ('accountant', 'auditor'):
            with self.subTest(role=role):
                env = self.as_person(self.person(role))
                report = env['report.ramp_connector.tie_out'].get_report(self.connection.id, '2026-07', '2026-07')
                self.assertFalse(report['to_accrue'])
                for method in ('action_post', 'action_refresh', 'action_undo'):
                    with self.assertRaises(AccessError):
                        getattr(accrual.with_env(env), method)()
                with self.assertRaises(AccessError):
                    env[MODEL].open_month(self.connection.id, '2026-07')


@tagged('post_install', '-at_install', 'ramp', 'ramp_tour')
class TestAccrualTours(AccrualCase, BrowserCase):
    def test_accrual(self):
        """An accountant accrues a month from the tie-out, and the tie-out names the accrual."""
        self.sync('watch')
        self.account_software.name = 'Software of the tour'
        self.start_tour('/odoo/ramp-tie-out', 'ramp_connector_accrual', login=self.person('manager').login)
        accrual = self.env[MODEL].search([('connection_id', '=', self.connection.id)])
        self.assertEqual((accrual.state, self.balance_of(self.liability, '2026-07')), ('posted', -7.0))
