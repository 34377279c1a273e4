# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from odoo import Command
from odoo.tests import tagged

from ..flows.cards.repayment import BANK_METHODS, OTHER_METHODS, take
from ..ramp_api import allocate_amount
from ..simulator import coding
from ..simulator.endpoints.repayments import FUNDING_METHODS
from .common import PayablesCase
from .properties import examples, in_turn
from .test_query_counts import QueryCounting

FEW, MANY = 4, 12


class RepaymentCase(PayablesCase):
    seed = {
        'transactions': 0,
        'users': [{'first_name': 'Dwight', 'last_name': 'Schrute', 'email': 'dwight@example.com'}],
    }

    def spent(self, amount_minor=10000, **values):
        """Add a card transaction and post it; returns its Ramp id."""
        ramp_id = self.spend(amount_minor, **values)
        self.sync('transaction')
        return ramp_id

    def repay(self, transaction, amount_minor=None, **values):
        return self.ramp.add_repayment(transaction=transaction, amount_minor=amount_minor, **values)

    def sync_repayments(self):
        return self.sync('repayment')

    def balances(self, *ramp_ids, currency=False):
        """Return what is left of transactions after their repayments, in thousandths by account code."""
        lines = self.env['account.move'].search([('ramp_id', 'in', ramp_ids)]).line_ids
        found = Counter()
        for line in lines:
            found[line.account_id.code] += round((line.amount_currency if currency else line.balance) * 1000)
        return found

    def assertRepaid(self, ramp_id):
        record, entry = self.record(ramp_id, 'repayment'), self.move(ramp_id)
        self.assertEqual((record.state, record.res_id), ('confirmed', entry.id), record.error_message)
        self.assertEqual((entry.state, entry.move_type), ('posted', 'entry'))
        self.assertFalse(round(sum(entry.line_ids.mapped('balance')), 3))
        self.assertFalse(round(sum(entry.line_ids.mapped('amount_currency')), 3))

    def assertOpen(self, ramp_id, state, pattern):
        record = self.record(ramp_id, 'repayment')
        self.assertEqual(record.state, state, record.error_message)
        self.assertRegex(record.error_message, pattern)
        self.assertFalse(self.move(ramp_id))


@tagged('post_install', '-at_install', 'ramp')
class TestRepayment(RepaymentCase):
    def test_by_bank(self):
        self.company.partner_id.tz = 'America/New_York'
        tx = self.spent(
            10000,
            merchant='Staples',
            lines=[
                {
                    'amount_minor': 2500,
                    'account': self.external(self.account_meals),
                    'analytics': self.analytics(self.analytic_move),
                },
                {'amount_minor': 7500, 'account': self.external(self.account_travel)},
            ],
        )
        ramp_id = self.repay(tx, 4000, date='2026-03-05T02:00:00Z')
        self.sync_repayments()
        self.assertRepaid(ramp_id)
        entry, original = self.move(ramp_id), self.move(tx)
        method = self.connection.payment_journal_id.inbound_payment_method_line_ids[:1]
        account = method.payment_account_id or self.env['account.payment'].with_company(self.company).new(
            {'company_id': self.company.id}
        )._get_outstanding_account('inbound')
        self.assertEqual((entry.journal_id, str(entry.date)), (self.connection.payment_journal_id, '2026-03-04'))
        self.assertEqual(
            [(line.account_id, line.balance) for line in entry.line_ids.sorted('id')],
            [(account, 40.0), (self.account_meals, -10.0), (self.account_travel, -30.0)],
        )
        lines = entry.line_ids.sorted('id')
        self.assertEqual(lines[1].analytic_distribution, {str(self.analytic_move.id): 100})
        self.assertEqual(lines[1].partner_id, original.line_ids.sorted('id')[0].partner_id)
        self.assertEqual((entry.partner_id, lines[0].partner_id), (self.employee.work_contact_id,) * 2)
        self.assertRegex(entry.ref, f'^Repayment of Staples · .* {ramp_id[:8]}$')
        self.assertIn(original.name, ' '.join(entry.message_ids.mapped('body')))
        self.assertIn('40.00 USD was repaid by the employee', ' '.join(original.message_ids.mapped('body')))
        self.assertIn(entry.name, ' '.join(original.message_ids.mapped('body')))
        self.assertEqual(self.record(ramp_id, 'repayment').amount, -40.0)
        self.assertEqual(sum(entry.line_ids.analytic_line_ids.mapped('amount')), 10.0)

    @in_turn
    def test_every_method_is_decided(self):
        self.assertEqual(BANK_METHODS | OTHER_METHODS, set(FUNDING_METHODS))
        for method in FUNDING_METHODS:
            ramp_id = self.repay(self.spent(), funding_method=method)
            self.sync_repayments()
            if method in BANK_METHODS:
                self.assertRepaid(ramp_id)
            else:
                self.assertOpen(
                    ramp_id,
                    'held',
                    rf'without a bank transfer \({method}\). Choose the account under "Account for Payroll Deductions"',
                )
        unknown = self.repay(self.spent(), funding_method='barter', broken=True)
        none = self.repay(self.spent(), funding_method=None)
        self.sync_repayments()
        self.assertOpen(unknown, 'held', 'barter')
        self.assertOpen(none, 'held', 'does not know')
        self.connection.repayment_account_id = self.account_software
        self.sync_repayments()
        ramp_id = next(row['id'] for row in self.ramp.state['repayments'] if row['funding_method'] == 'payroll')
        self.assertRepaid(ramp_id)
        self.assertEqual(self.move(ramp_id).journal_id, self.connection.card_journal_id)
        self.assertEqual(
            self.move(ramp_id).line_ids.filtered(lambda line: line.balance > 0).account_id, self.account_software
        )

    def test_statuses(self):
        cases = {
            'AWAITING_MANUAL_REPAYMENT': 'pending',
            'AWAITING_PAYMENT': 'pending',
            'REQUESTED_BY_REVIEWER': 'pending',
            'NONE': 'ignored',
            'REPAYMENT_FAILED': 'ignored',
        }
        tx = self.spent()
        found = {status: self.repay(tx, 100, status=status) for status in cases}
        self.sync_repayments()
        for status, state in cases.items():
            self.assertOpen(found[status], state, r'^[A-Z].*\.$')
        self.ramp.state['repayments'].update_row(
            found['AWAITING_PAYMENT'], status='REPAID', repaid_at='2026-03-04T00:00:00+00:00'
        )
        self.ramp.state['repayments'].update_row(
            found['REPAYMENT_FAILED'], status='REPAID', repaid_at='2026-03-04T00:00:00+00:00'
        )
        self.sync_repayments()
        self.assertRepaid(found['AWAITING_PAYMENT'])
        self.assertRepaid(found['REPAYMENT_FAILED'])

    def test_odd_cents_and_taxes(self):
        tax = self.env['account.tax'].create(
            {
                'name': 'Ramp 7%',
                'amount': 7.0,
                'type_tax_use': 'purchase',
                'company_id': self.company.id,
                'country_id': self.company.account_fiscal_country_id.id,
            }
        )
        tags = self.env['account.account.tag'].create(
            [
                {'name': name, 'applicability': 'taxes', 'country_id': self.company.account_fiscal_country_id.id}
                for name in ('base', 'tax')
            ]
        )
        for line in tax.invoice_repartition_line_ids + tax.refund_repartition_line_ids:
            line.tag_ids = tags[line.repartition_type == 'tax']
        self.connection.offer_taxes = True
        self.sync('account', 'tax_rate', 'tax_code')
        code = coding.select_tax_code(self.ramp.state, self.external(tax))
        meals, travel, software = (
            coding.select_gl_account(self.ramp.state, self.external(account))
            for account in (self.account_meals, self.account_travel, self.account_software)
        )
        tx = self.spent(
            9998,
            lines=[
                {'amount_minor': 3333, 'selections': [meals, code]},
                {'amount_minor': 3333, 'selections': [travel]},
                {'amount_minor': 3332, 'selections': [software, code]},
            ],
        )
        original = self.move(tx)
        self.assertEqual(len(original.line_ids.filtered('tax_line_id')), 2)
        parts = [self.repay(tx, minor) for minor in (1, 3332, 3333, 3332)]
        self.sync_repayments()
        for ramp_id in parts:
            self.assertRepaid(ramp_id)
            self.assertLessEqual(
                len(self.move(ramp_id).line_ids), 1 + len(original.line_ids) - 1, 'no tax was computed anew'
            )
        liability = self.connection.card_account_id.code
        left = self.balances(tx, *parts)
        bank = self.move(parts[0]).line_ids.sorted('id')[0].account_id.code
        self.assertEqual({code: amount for code, amount in left.items() if amount}, {liability: -99980, bank: 99980})
        entry = self.move(parts[2])
        taxed = entry.line_ids.filtered('tax_line_id')
        self.assertEqual((taxed.tax_line_id, taxed.tax_tag_ids), (tax, tags[1]))
        self.assertEqual(entry.line_ids.filtered('tax_ids').tax_tag_ids, tags[0])
        for tag in tags:
            lines = (original + self.move(parts[0]).union(*(self.move(part) for part in parts))).line_ids
            self.assertFalse(
                round(sum(lines.filtered(lambda line, tag=tag: tag in line.tax_tag_ids).mapped('balance')), 2)
            )
        lines = (original.union(*(self.move(part) for part in parts))).line_ids
        self.assertAlmostEqual(sum(lines.mapped('tax_base_amount')), 0, delta=0.02)

    def test_foreign_adds_up_in_both_currencies(self):
        for code, minor in (('EUR', 9999), ('JPY', 10001), ('KWD', 12345)):
            tx = self.spent(
                minor,
                currency=code,
                lines=[
                    {'amount_minor': minor - 334, 'account': self.external(self.account_meals)},
                    {'amount_minor': 333, 'account': self.external(self.account_travel)},
                    {'amount_minor': 1, 'account': self.external(self.account_software)},
                ],
            )
            parts = [
                self.repay(tx, part, date=f'2026-03-0{number + 1}')
                for number, part in enumerate(allocate_amount(minor, [5, 3, 11]))
            ]
            self.sync_repayments()
            for ramp_id in parts:
                self.assertRepaid(ramp_id)
                self.assertEqual(self.move(ramp_id).currency_id.name, code)
            for currency in (False, True):
                left = self.balances(tx, *parts, currency=currency)
                for account in (self.account_meals, self.account_travel, self.account_software):
                    self.assertEqual(left[account.code], 0, (code, currency))

    def test_over_repayment(self):
        tx = self.spent(10000)
        first = self.repay(tx, 6000)
        self.sync_repayments()
        second, third = self.repay(tx, 4000), self.repay(tx, 1)
        self.sync_repayments()
        self.assertRepaid(first)
        states = {self.record(ramp_id, 'repayment').state for ramp_id in (second, third)}
        self.assertEqual(states, {'confirmed', 'held'})
        held = self.record(second, 'repayment') | self.record(third, 'repayment')
        self.assertRegex(
            held.filtered(lambda row: row.state == 'held').error_message,
            'only .* of the card transaction .* is still to be repaid',
        )

    def test_a_refund_is_not_repaid(self):
        tx = self.spent(-5000)
        ramp_id = self.repay(tx, 100)
        self.sync_repayments()
        self.assertOpen(ramp_id, 'held', 'only -50.00 USD')

    def test_another_currency(self):
        ramp_id = self.repay(self.spent(), 100, currency='EUR')
        self.sync_repayments()
        self.assertOpen(ramp_id, 'held', r'in EUR, but the card transaction .* is in USD')

    def test_original_comes_later(self):
        tx = self.spend(10000, account=None)
        ramp_id = self.repay(tx, 5000)
        self.sync_repayments()
        self.assertOpen(ramp_id, 'pending', f'has not been read from Ramp: {tx}')
        self.sync('transaction')
        self.sync_repayments()
        self.assertOpen(ramp_id, 'pending', 'is not posted: .*It has no account')
        self.record(tx)._ignore_by_person('private')
        self.sync_repayments()
        self.assertOpen(ramp_id, 'held', 'left out of the books: .*private')
        self.record(tx).action_retry()
        self.ramp.update_transaction(tx, account=self.external(self.account_meals))
        self.sync('transaction', 'repayment')
        self.assertRepaid(ramp_id)

    def test_original_is_a_draft_or_not_named(self):
        self.connection.card_post = 'draft'
        tx = self.spent()
        ramp_id, nameless = self.repay(tx, 5000), self.repay(None, 100)
        self.sync_repayments()
        self.assertOpen(ramp_id, 'pending', 'Post it')
        self.assertOpen(nameless, 'held', 'does not say which card transaction')
        self.move(tx).action_post()
        self.sync_repayments()
        self.assertRepaid(ramp_id)

    def test_original_pays_a_bill(self):
        bill = self.owe(5000, payment_method='CARD')
        self.ramp.pay_bill(bill, transaction=True)
        self.sync('bill', 'transaction', 'bill_payment')
        [tx] = self.ramp.state['bills'].get_row(bill)['payment']['details']['transaction_ids']
        ramp_id = self.repay(tx, 100)
        self.sync_repayments()
        self.assertOpen(ramp_id, 'held', 'pays a bill')

    def test_original_was_booked_anew(self):
        tx = self.spent(
            10001,
            lines=[
                {'amount_minor': minor, 'account': self.external(account)}
                for minor, account in ((5000, self.account_meals), (5001, self.account_travel))
            ],
        )
        first = self.repay(tx, 5000)
        self.sync_repayments()
        record = self.record(tx)
        self.ramp.update_transaction(
            tx, lines=[{'amount_minor': 10001, 'account': self.external(self.account_software)}]
        )
        record.confirmed_at = '2020-01-01'
        self.sync('transaction')
        self.assertEqual(record.state, 'held', record.error_message)
        record.action_rebook()
        self.sync('transaction')
        second, third = self.repay(tx, 5001), self.repay(tx, 1)
        self.sync_repayments()
        self.assertRepaid(first)
        spent = self.env['account.move.line'].search([('company_id', '=', self.company.id)])
        for account in (self.account_meals, self.account_travel):
            balances = spent.filtered(lambda line, account=account: line.account_id == account).mapped('balance')
            self.assertFalse(round(sum(balances), 2), 'what was repaid followed')
        states = [self.record(ramp_id, 'repayment').state for ramp_id in (second, third)]
        self.assertEqual(sorted(states), ['confirmed', 'held'])

    def test_whose_it_is(self):
        self.connection.fallback_employee_id = self.employee
        stranger = {
            'id': '00000000-0000-4000-8000-00000000abcd',
            'first_name': 'No',
            'last_name': 'Body',
            'email': 'no@example.com',
            'entity_id': self.primary,
            'employee_id': None,
        }
        self.employee.work_email = False
        ramp_id = self.repay(self.spent(), 100)
        unnamed = self.repay(self.spent(), 100, user_id=None)
        self.sync_repayments()
        self.assertOpen(ramp_id, 'held', 'is not an employee of Widget Works')
        self.assertOpen(unnamed, 'held', 'is not an employee')
        self.connection.fallback_employee_id = False
        self.employee.work_email = 'dwight@example.com'
        self.sync_repayments()
        self.assertRepaid(ramp_id)
        self.assertRepaid(unnamed)
        self.assertEqual(self.move(unnamed).partner_id, self.employee.work_contact_id)
        self.assertEqual(self.employee.ramp_user_id, self.user_id)
        other = self.repay(self.spent(), 100, user_id=stranger['id'])
        self.sync_repayments()
        self.assertOpen(other, 'held', 'is not an employee')

    def test_failed_later(self):
        tx = self.spent(10000)
        ramp_id = self.repay(tx, 4000)
        self.sync_repayments()
        entry = self.move(ramp_id)
        self.ramp.state['repayments'].update_row(ramp_id, status='REPAYMENT_FAILED', repaid_at=None)
        self.sync_repayments()
        self.assertOpen(ramp_id, 'ignored', r'^The repayment failed in Ramp\. .* was reversed by ')
        self.assertEqual((entry.reversal_move_ids.state, entry.ramp_id), ('posted', False))
        self.assertFalse(entry.line_ids.filtered(lambda line: line.account_id.reconcile and not line.reconciled))
        again = self.repay(tx, 10000)
        self.sync_repayments()
        self.assertRepaid(again)

    def test_failed_after_the_bank_line_was_matched(self):
        ramp_id = self.repay(self.spent(10000), 4000)
        self.sync_repayments()
        entry = self.move(ramp_id)
        line = entry.line_ids.sorted('id')[0]
        other = self.env['account.move'].create(
            {
                'move_type': 'entry',
                'journal_id': entry.journal_id.id,
                'line_ids': [
                    Command.create({'account_id': account.id, 'balance': balance})
                    for account, balance in ((line.account_id, -40.0), (self.account_software, 40.0))
                ],
            }
        )
        other.action_post()
        (line + other.line_ids.filtered(lambda item: item.account_id == line.account_id)).reconcile()
        self.ramp.state['repayments'].update_row(ramp_id, status='REPAYMENT_FAILED')
        self.sync_repayments()
        record = self.record(ramp_id, 'repayment')
        self.assertEqual((record.state, record.reason_move_id), ('held', entry))
        line.remove_move_reconcile()
        self.sync_repayments()
        self.assertEqual(record.state, 'ignored')

    def test_late_change(self):
        tx = self.spent(10000)
        ramp_id = self.repay(tx, 4000)
        self.sync_repayments()
        record, entry = self.record(ramp_id, 'repayment'), self.move(ramp_id)
        amount = {**self.ramp.state['repayments'].get_row(ramp_id)['repayment_amount'], 'amount': 4100}
        self.ramp.state['repayments'].update_row(ramp_id, repayment_amount=amount)
        self.sync_repayments()
        self.assertEqual(record.state, 'held')
        self.assertIn('Amount: 40.00 USD, now 41.00 USD', record.late_changes)
        record.action_retry()
        self.assertEqual(record.state, 'confirmed')
        self.sync_repayments()
        self.assertEqual((record.state, self.move(ramp_id)), ('confirmed', entry))
        self.ramp.state['repayments'].update_row(ramp_id, repayment_amount={**amount, 'amount': 4200})
        self.sync_repayments()
        record.action_rebook()
        self.sync_repayments()
        self.assertRepaid(ramp_id)
        self.assertEqual(self.balances(tx, ramp_id)['650001'], 58000)

    def test_closed_period_and_start_date(self):
        tx = self.spent(10000)
        self.company.fiscalyear_lock_date = '2026-03-31'
        ramp_id = self.repay(tx, 4000, date='2026-03-04')
        self.connection.start_date = '2026-03-02'
        before = self.repay(tx, 4000, date='2026-03-01')
        self.sync_repayments()
        self.assertOpen(ramp_id, 'held', 'period is closed')
        self.assertFalse(self.record(before, 'repayment'))
        self.connection.lock_date_policy = 'next_open'
        self.sync_repayments()
        self.assertEqual(str(self.move(ramp_id).date), '2026-04-01')

    def test_entities_and_unreadable(self):
        mine, theirs = self.repay(self.spent(), 100), self.repay(self.spent(), 100)
        broken = self.repay(self.spent(), 100, broken=True)
        self.ramp.state['repayments'].update_row(broken, repayment_amount=None)
        other = next(row['id'] for row in self.ramp.state['entities'] if row['id'] != self.primary)
        self.ramp.state['repayments'].update_row(theirs, entity_id=other)
        self.connection.ramp_entity_id = self.primary
        self.sync_repayments()
        self.assertRepaid(mine)
        self.assertFalse(self.record(theirs, 'repayment'))
        self.assertOpen(broken, 'held', 'there is nothing to book')

    def test_not_listed_any_more(self):
        ramp_id = self.repay(self.spent(), 100, funding_method='payroll')
        self.sync_repayments()
        self.assertEqual(self.record(ramp_id, 'repayment').state, 'held')
        self.ramp.state['repayments']._remove_from_lists(ramp_id)
        self.sync_repayments()
        self.assertOpen(ramp_id, 'ignored', 'no longer lists it')

    def test_second_run_changes_nothing(self):
        tx = self.spent(10000)
        found = [self.repay(tx, 1000), self.repay(tx, 2000), self.repay(tx, 100, status='AWAITING_PAYMENT')]
        self.sync_repayments()
        calls, moves = len(self.ramp.list_write_calls()), self.env['account.move'].search_count([])
        states = [self.record(ramp_id, 'repayment').state for ramp_id in found]
        self.sync_repayments()
        self.assertEqual((len(self.ramp.list_write_calls()), self.env['account.move'].search_count([])), (calls, moves))
        self.assertEqual([self.record(ramp_id, 'repayment').state for ramp_id in found], states)

    def test_switched_off(self):
        self.connection.pull_repayments = False
        ramp_id = self.repay(self.spent(), 100)
        self.sync_repayments()
        self.assertFalse(self.record(ramp_id, 'repayment'))


@tagged('post_install', '-at_install', 'ramp')
class TestRepaymentShares(RepaymentCase):
    connect = False

    @examples(100)
    @given(st.data())
    def test_any_lines_and_parts_add_up(self, data):
        """Any parts that are repaid add up in both currencies, and a full repayment leaves nothing of any line."""
        amounts = data.draw(
            st.lists(st.integers(-(10**6), 10**7), min_size=1, max_size=8).filter(lambda items: sum(items) > 0)
        )
        total = sum(amounts)
        same = data.draw(st.booleans())
        whole = total if same else data.draw(st.integers(0, 10**9))
        balances = amounts if same else allocate_amount(whole, amounts)
        rest = list(zip(amounts, balances, strict=True))
        left = total
        while left:
            part = data.draw(st.integers(1, left)) if data.draw(st.booleans()) else left
            shares, parts = take(part, rest, same)
            self.assertEqual(sum(shares), part)
            if same:
                self.assertEqual(shares, parts)
            for (minor, balance), share, piece in zip(rest, shares, parts, strict=True):
                self.assertLessEqual(abs(share), abs(minor))
                self.assertLessEqual(abs(piece), abs(balance))
                self.assertGreaterEqual(share * minor, 0)
                self.assertGreaterEqual(share * piece, 0, 'Odoo refuses a line whose two amounts have different signs')
            rest = [
                (minor - share, balance - piece)
                for (minor, balance), share, piece in zip(rest, shares, parts, strict=True)
            ]
            left -= part
        self.assertEqual(set(rest), {(0, 0)})


@tagged('post_install', '-at_install', 'ramp', 'is_query_count')
class TestRepaymentQueries(QueryCounting, RepaymentCase):
    seed = RepaymentCase.seed

    def setUp(self):
        super().setUp()
        self.count_phases('repayment', phases=('_store_listed_page', '_look_up_references'))

    def queries(self, count):
        spent = [self.spend(1000, date='2026-03-10T12:00:00+00:00') for _number in range(count)]
        self.sync('transaction')
        for tx in spent:
            self.repay(tx, 500, date='2026-03-11')
        self.counts = counts = Counter()
        with self.counting('repayment'):
            self.sync_repayments()
        return counts

    def test_constant(self):
        for _try in range(2):
            self.queries(2)
        few, many = self.queries(FEW), self.queries(MANY)
        each = {phase: (many[phase] - few[phase]) / (MANY - FEW) for phase in many}
        for phase, most in (('_store_listed_page', 0), ('_look_up_references', 0), ('repayment', 1.5)):
            self.assertLessEqual(each[phase], most, (few, many))
