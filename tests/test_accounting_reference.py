# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""docs/accounting.md shows an entry for each kind of object. The test fails if the posted entry differs.

`RAMP_WRITE_REFERENCE=1 ./dev test test_accounting_reference` writes the entries into the document anew; read what
changed.
"""

import datetime
import os
import pathlib
import re
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged

from ..simulator import coding
from .common import PayablesCase, StatementsCase
from .properties import rotated

DOCUMENT = pathlib.Path(__file__).resolve().parent.parent / 'docs/accounting.md'
BLOCK = re.compile(r'(<!-- entries: (\w+) -->\n).*?(<!-- end -->)', re.DOTALL)
CARDS = ('transaction', 'repayment')
BILLS = ('vendor', 'vendor_credit', 'bill', 'transaction', 'bill_payment')
REIMBURSEMENTS = ('reimbursement', 'reimbursement_payment')
STATEMENTS = ('transaction', 'transfer', 'statement', 'cashback')
TODAY = datetime.date(2026, 4, 2)
DAY, NOON = '2026-03-02', '2026-03-02T12:00:00+00:00'
IDENTITY = re.compile(r'\b[0-9a-f]{8}\b')
PAYMENT_IDENTITY = re.compile(r'\b(?:[0-9A-F]{10}|PAYMENT-[0-9A-F]{8})\b')


@tagged('post_install', '-at_install', 'ramp')
class TestAccountingReference(PayablesCase, StatementsCase):
    seed = {'transactions': 0, 'users': [{'first_name': 'Ada', 'last_name': 'Lovelace', 'email': 'ada@example.com'}]}

    def once(self):
        super().once()
        self.connection.offer_taxes = True
        self.tax = self.env['account.tax'].create(
            {
                'name': '20 %',
                'amount': 20,
                'amount_type': 'percent',
                'type_tax_use': 'purchase',
                'company_id': self.company.id,
                'country_id': self.company.account_fiscal_country_id.id,
            }
        )
        tax_account = self.env['account.account'].search(
            [('company_ids', 'in', self.company.ids), ('code', '=', '131000')]
        )
        self.assertTrue(tax_account)
        lines = self.tax.invoice_repartition_line_ids + self.tax.refund_repartition_line_ids
        lines.filtered(lambda line: line.repartition_type == 'tax').account_id = tax_account
        self.sync('account', 'tax_rate', 'tax_code')
        self.code = self.env['ramp.record'].search([('flow', '=', 'tax_code'), ('res_id', '=', self.tax.id)]).remote_id
        self.meals, self.travel = self.external(self.account_meals), self.external(self.account_travel)
        self.vendor = self.ramp.add_vendor('Acme Ltd')

    # ------------------------------------------------------------------ documents

    def charge(self, amount_minor=12000, **values):
        return self.spend(amount_minor, **{'date': NOON, 'merchant': 'Hotel Paris', 'memo': 'Client visit', **values})

    def bill_of(self, amount_minor=12000, **values):
        return self.owe(
            amount_minor,
            **{
                'date': DAY,
                'due': '2026-04-01',
                'vendor': self.vendor,
                'invoice_number': 'A-17',
                'memo': 'Office chairs',
                **values,
            },
        )

    def card_purchase(self):
        self.charge()

    def card_purchase_abroad(self):
        self.charge(9900, original_minor=9000, original_currency='EUR')

    def card_purchase_with_tax(self):
        state = self.ramp.state
        self.charge(
            lines=[
                {
                    'amount_minor': 12000,
                    'selections': [
                        coding.select_gl_account(state, self.meals),
                        coding.select_tax_code(state, self.code),
                    ],
                }
            ]
        )

    def card_purchase_split(self):
        self.charge(
            lines=[
                {
                    'amount_minor': 9000,
                    'account': self.travel,
                    'analytics': self.analytics(self.analytic_fair),
                    'memo': 'Room',
                },
                {'amount_minor': 3000, 'account': self.meals, 'memo': 'Breakfast'},
            ]
        )

    def card_purchase_in_another_currency(self):
        self.charge(8000, currency='EUR')

    def card_refund(self):
        self.charge(-2500, memo='Room not used')

    def repayment(self):
        spent = self.charge()
        self.sync(*CARDS)
        self.ramp.add_repayment(transaction=spent, amount_minor=3000, date='2026-03-20')

    def repayment_of_a_transaction_posted_again(self):
        spent = self.charge()
        self.sync(*CARDS)
        self.ramp.add_repayment(transaction=spent, amount_minor=3000, date='2026-03-20')
        self.sync(*CARDS)
        self.ramp.update_transaction(spent, account=self.travel)
        self.record(spent).confirmed_at = '2026-03-31'
        self.sync(*CARDS)
        self.record(spent).action_rebook()

    def accrual(self):
        spent = self.charge(sync_status='NOT_SYNC_READY')
        self.sync('watch')
        accruals = self.env['ramp.accrual']
        accrual = accruals.browse(accruals.open_month(self.connection.id, '2026-03')['res_id'])
        liability = {
            'name': 'Accrued Expenses',
            'code': '201900',
            'account_type': 'liability_current',
            'company_ids': [(6, 0, self.company.ids)],
        }
        accrual.liability_account_id = self.env['account.account'].create(liability)
        accrual.action_post()
        self.ramp.update_transaction(spent, sync_status='SYNC_READY')

    def bill(self):
        self.bill_of()

    def bill_with_tax(self):
        self.bill_of(None, lines=[{'amount_minor': 12000, 'account': self.meals, 'tax': self.code}])

    def bill_in_another_currency(self):
        self.ramp.pay_bill(self.bill_of(8000, currency='EUR'), date='2026-03-20')

    def bill_paid(self):
        self.ramp.pay_bill(self.bill_of(), date='2026-03-20')

    def bill_with_a_credit(self):
        bill = self.bill_of()
        credit = self.ramp.add_vendor_credit(
            vendor=self.vendor, amount_minor=2000, account=self.meals, date=NOON, reference_number='C-3'
        )
        self.ramp.apply_vendor_credit(credit, bill)
        self.ramp.pay_bill(bill, date='2026-03-20')

    def bill_whose_payment_came_back(self):
        bill = self.bill_of()
        self.ramp.pay_bill(bill, date='2026-03-20')
        self.sync(*BILLS)
        self.ramp.pay_bill(bill, status='failed')

    def bill_paid_by_card(self):
        bill = self.bill_of(payment_method='CARD')
        self.sync(*BILLS)
        self.ramp.pay_bill(
            bill, method='CARD', transaction=self.charge(date='2026-03-05T12:00:00+00:00'), date='2026-03-12'
        )

    def charge_that_pays_a_bill_later(self):
        charge = self.charge()
        self.sync(*CARDS)
        self.ramp.pay_bill(self.bill_of(payment_method='CARD'), method='CARD', transaction=charge, date='2026-03-12')

    def reimbursement(self):
        self.ramp.add_reimbursement(
            amount_minor=6000,
            user=self.user_id,
            entity=self.primary,
            account=self.travel,
            date=NOON,
            merchant='Taxi',
            memo='Airport',
            state='REIMBURSED',
        )

    def statement(self):
        self.charge(date='2026-03-04T12:00:00+00:00')
        self.ramp.close_statement('2026-04-01', cashback_bps=150)
        self.ramp.add_transfer(date='2026-04-05')

    def changed_after_it_was_booked(self):
        spent = self.charge()
        self.sync(*CARDS)
        self.ramp.update_transaction(spent, account=self.travel)
        self.record(spent).confirmed_at = '2026-03-31'
        self.sync(*CARDS)
        self.record(spent).action_rebook()

    def closed_period(self):
        self.connection.lock_date_policy = 'next_open'
        self.company.fiscalyear_lock_date = '2026-03-31'
        self.charge()

    # ------------------------------------------------------------------ their form in the document

    def flows_of(self, kind):
        if kind == 'statement':
            return STATEMENTS
        return REIMBURSEMENTS if kind == 'reimbursement' else BILLS if 'bill' in kind else CARDS

    def shown(self, kind):
        with self.isolated():
            last = self.env['account.move'].search([], limit=1, order='id desc').id or 0
            getattr(self, kind)()
            self.sync(*self.flows_of(kind))
            moves = self.env['account.move'].search([('id', '>', last), ('company_id', '=', self.company.id)])
            self.assertEqual(set(moves.mapped('state')), {'posted'})
            open_rows = self.env['ramp.record'].search([('remote_id', '=', False), ('state', 'in', ('held', 'error'))])
            self.assertFalse(open_rows.mapped('error_message'), kind)
            return '\n'.join(self.table(move) for move in moves.sorted(lambda move: (move.date, move.id)))

    def table(self, move):
        what = {
            'entry': 'Payment' if move.origin_payment_id else 'Journal entry',
            'in_invoice': 'Vendor bill',
            'in_refund': 'Vendor credit note',
        }[move.move_type]
        title = f'**{what}** of {move.date}, journal {move.journal_id.name}'
        if move.is_invoice():
            states = dict(move._fields['payment_state']._description_selection(self.env))
            title += f', bill date {move.invoice_date}, due {move.invoice_date_due}, {states[move.payment_state]}'
        if move.ref:
            title += f': {move.ref}'
        currency = self.company.currency_id
        rows = [('Account', 'Partner', 'Label', 'Debit', 'Credit', 'In currency', 'Tax', 'Analytics')]
        for line in move.line_ids.sorted(lambda line: (line.balance < 0, line.account_id.code, -abs(line.balance))):
            names = self.env['account.analytic.account'].browse(
                int(identity) for key in line.analytic_distribution or {} for identity in key.split(',')
            )
            tax = ', '.join(line.tax_ids.mapped('name')) or line.tax_line_id.name and f'tax of {line.tax_line_id.name}'
            rows.append(
                (
                    f'{line.account_id.code} {line.account_id.name}',
                    line.partner_id.name or '',
                    line.name or '',
                    f'{line.debit:.2f}' if line.debit else '',
                    f'{line.credit:.2f}' if line.credit else '',
                    f'{line.amount_currency:.2f} {line.currency_id.name}' if line.currency_id != currency else '',
                    tax or '',
                    ', '.join(names.mapped('name')),
                )
            )
        columns = [column for column in range(8) if column < 5 or any(row[column] for row in rows[1:])]
        lines = ['| ' + ' | '.join(row[column] for column in columns) + ' |' for row in rows]
        lines.insert(1, '|' + '|'.join(' ---: ' if column in (3, 4, 5) else ' --- ' for column in columns) + '|')
        shown = '\n'.join([title, '', *lines, '']).replace('  |', ' |')
        return PAYMENT_IDENTITY.sub('1A2B3C4D5E', IDENTITY.sub('1a2b3c4d', shown))

    def test_each_kind_is_shown_once(self):
        kinds = [kind for _begin, kind, _end in BLOCK.findall(DOCUMENT.read_text(encoding='utf-8'))]
        self.assertEqual(len(kinds), len(set(kinds)))
        self.assertGreater(len(kinds), 15)

    @patch.object(fields.Date, 'context_today', lambda record, timestamp=None: TODAY)
    def test_document(self):
        """The document shows the posted entries. In a commit, half of the kinds are tested."""
        text = DOCUMENT.read_text(encoding='utf-8')
        kinds = [kind for _begin, kind, _end in BLOCK.findall(text)]
        if os.environ.get('RAMP_WRITE_REFERENCE'):
            shown = {kind: self.shown(kind) for kind in kinds}
            text = BLOCK.sub(lambda block: f'{block[1]}{shown[block[2]]}{block[3]}', text)
            DOCUMENT.write_text(text, encoding='utf-8')
        for kind in rotated(kinds, of=2):
            self.assertIn(
                self.shown(kind), text, f'docs/accounting.md shows another entry of {kind}; see the top of this file'
            )
