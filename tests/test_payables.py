# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import re
from collections import defaultdict
from decimal import Decimal

from odoo.tests import tagged

from ..ramp_api import EXPONENTS
from .common import PayablesCase
from .properties import in_turn


@tagged('post_install', '-at_install', 'ramp')
class TestPayables(PayablesCase):
    """A business with every kind of case: the entries are what Ramp says, to the cent."""

    seed = {'transactions': 12, 'bills': 60, 'problems': True}

    def once(self):
        super().once()
        for code, rate in (('GBP', 0.79), ('CHF', 0.88)):
            currency = self.env['res.currency'].with_context(active_test=False).search([('name', '=', code)])
            currency.active = True
            self.env['res.currency.rate'].create(
                {'currency_id': currency.id, 'name': '2020-01-01', 'rate': rate, 'company_id': self.company.id}
            )

    def open_in_odoo(self):
        """Return what the entries owe by vendor of Ramp and currency, in minor units, read with SQL of its own."""
        self.env.flush_all()
        self.env.cr.execute("""
            SELECT r.payload #>> '{vendor,id}', c.name, -SUM(l.amount_residual_currency)
              FROM ramp_record r
              JOIN account_move m ON m.id = r.res_id AND m.state = 'posted'
              JOIN account_move_line l ON l.move_id = m.id
              JOIN account_account a ON a.id = l.account_id AND a.account_type = 'liability_payable'
              JOIN res_currency c ON c.id = l.currency_id
             WHERE r.flow = 'bill' GROUP BY 1, 2""")
        return {
            (vendor, code): round(amount * 10 ** EXPONENTS[code])
            for vendor, code, amount in self.env.cr.fetchall()
            if amount
        }

    @in_turn
    def test_lands_to_the_cent(self):
        self.company.fiscalyear_lock_date = '2015-12-31'
        self.sync(
            'vendor', 'vendor_credit', 'bill', 'bill_payment', 'transaction', 'bill_payment', 'bill_file', 'receipt'
        )
        bills = self.env['ramp.record'].search([('flow', '=', 'bill')])
        problems = {ident for label, ident in self.ramp.seed_problems.items() if label.startswith('bill_')}
        strange = [
            (row.name, row.state, row.error_message)
            for row in bills
            if row.state not in ('confirmed', 'ignored') and row.ramp_id not in problems
        ]
        self.assertFalse(strange)
        for label, ident in self.ramp.seed_problems.items():
            if label.startswith('bill_') and label != 'bill_unknown_status':
                row = self.record(ident, 'bill')
                self.assertIn(row.state, ('held', 'error'), (label, row.state))
                self.assertTrue(row.error_message)
                if not row.ramp_id.startswith('malformed'):
                    self.assertIn(
                        re.sub(r'\s+', ' ', row.error_message),
                        [re.sub(r'\s+', ' ', text) for text in self.ramp.list_export_errors(ident)],
                        label,
                    )
        wanted = {
            (total['vendor_id'], total['currency']): total['open_minor']
            for total in self.ramp.read_vendor_totals(booked=False)
            if total['open_minor']
        }
        for ident in problems:
            row = self.ramp.state['bills'].get_row(ident)
            if row and row['_money']:
                key = row['vendor']['id'], row['_money']['currency']
                wanted[key] = wanted.get(key, 0) - row['_money']['amount_minor']
        wanted = {key: minor for key, minor in wanted.items() if minor}
        self.assertEqual(self.open_in_odoo(), wanted)
        payments = self.env['ramp.record'].search([('flow', '=', 'bill_payment')])
        self.assertFalse(
            [
                (row.name, row.state, row.error_message)
                for row in payments
                if row.ramp_id not in problems and row.state in ('held', 'error')
            ]
        )
        paid = [
            row['id']
            for row in self.ramp.state['bills']
            if row['status'] == 'PAID'
            and row['approval_status'] == 'APPROVED'
            and row['enable_accounting_sync']
            and row['id'] not in problems
        ]
        self.assertTrue(paid)
        for ident in paid:
            self.assertEqual(self.move(ident).amount_residual, 0, ident)
            self.assertIn(self.move(ident).payment_state, ('in_payment', 'paid', 'reversed'))
            self.assertEqual(
                self.record(ident, 'bill_payment').state, 'confirmed', self.record(ident, 'bill_payment').error_message
            )
        self.ramp.assert_clean()
        for sync_type in ('BILL_SYNC', 'BILL_PAYMENT_SYNC'):
            self.assertFalse(
                {ident: told for ident, told in self.ramp.list_successes(sync_type).items() if len(told) > 1}
            )
        # The card liability is the amount spent, whether a bill or an expense is the spend.
        liability = defaultdict(Decimal)
        for line in self.env['account.move.line'].search(
            [('account_id', '=', self.connection.card_account_id.id), ('parent_state', '=', 'posted')]
        ):
            liability[line.currency_id.name] -= Decimal(str(line.amount_currency))
        calls, counts = len(self.ramp.list_write_calls()), self.counts()
        self.sync(
            'vendor', 'vendor_credit', 'bill', 'bill_payment', 'transaction', 'bill_payment', 'bill_file', 'receipt'
        )
        self.assertEqual(
            (len(self.ramp.list_write_calls()), self.counts()), (calls, counts), self.ramp.state.journal[-3:]
        )

    def counts(self):
        return {
            model: self.env[model].search_count([])
            for model in (
                'account.move',
                'account.move.line',
                'account.payment',
                'account.partial.reconcile',
                'res.partner',
                'ir.attachment',
                'ramp.record',
            )
        }
