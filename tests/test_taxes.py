# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Taxed spend and bills: Ramp's amount to the cent, the tax as core computes it, in open periods."""

from datetime import date

from hypothesis import example, given
from hypothesis import strategies as st

from odoo import Command, fields
from odoo.exceptions import UserError
from odoo.tests import tagged

from ..simulator import coding
from .common import PayablesCase, StatementsCase
from .properties import examples, in_turn

DAY, NOON = '2026-03-02', '2026-03-02T12:00:00+00:00'
CLOSED = '2026-03-31'
PLACES = {'USD': 2, 'EUR': 2, 'JPY': 0, 'KWD': 3}


class TaxCase(PayablesCase, StatementsCase):
    flows = ('vendor', 'transaction', 'vendor_credit', 'bill', 'bill_payment', 'repayment')

    def once(self):
        super().once()
        self.connection.offer_taxes = True
        self.taxes = {rate: self.tax(f'VAT {rate}', rate) for rate in (5, 7, 19, 20)}
        halves = [
            Command.create({'repartition_type': 'base'}),
            *(
                Command.create({'repartition_type': 'tax', 'factor_percent': factor, 'account_id': account.id})
                for factor, account in ((100, self.account_travel), (-100, self.account_software))
            ),
        ]
        self.taxes['reverse'] = self.tax(
            'Reverse charge', 19, invoice_repartition_line_ids=halves, refund_repartition_line_ids=[*halves]
        )
        self.taxes['withheld'] = self.env['account.tax'].create(
            {
                'name': 'Reverse and withheld',
                'amount_type': 'group',
                'type_tax_use': 'purchase',
                'company_id': self.company.id,
                'children_tax_ids': [Command.set((self.taxes['reverse'] + self.tax('Withheld', -10)).ids)],
            }
        )
        self.sync('account', 'tax_rate', 'tax_code')

    def tax(self, name, amount, **values):
        return self.env['account.tax'].create(
            {
                'name': name,
                'amount': amount,
                'amount_type': 'percent',
                'type_tax_use': 'purchase',
                'company_id': self.company.id,
                'country_id': self.company.account_fiscal_country_id.id,
                **values,
            }
        )

    def code(self, kind):
        return (
            self.env['ramp.record']
            .search([('flow', '=', 'tax_code'), ('res_id', '=', self.taxes[kind].id)], limit=1)
            .remote_id
        )

    def charge(self, parts, currency='USD', day=DAY):
        """Add a transaction of taxed lines: [(minor units, kind of tax)]."""
        lines = [
            {
                'amount_minor': minor,
                'selections': [
                    coding.select_gl_account(self.ramp.state, self.external(self.account_meals)),
                    coding.select_tax_code(self.ramp.state, self.code(kind)),
                ],
            }
            for minor, kind in parts
        ]
        return self.spend(
            sum(minor for minor, _kind in parts), currency=currency, date=f'{day}T12:00:00+00:00', lines=lines
        )

    def billed(self, parts, **values):
        return self.owe(None, date=DAY, lines=self.lines(parts), **values)

    def lines(self, parts):
        return [
            {
                'amount_minor': minor,
                'account': self.external(self.account_meals),
                **({'tax': self.code(kind)} if kind else {}),
            }
            for minor, kind in parts
        ]

    def assertCharged(self, ramp_id, minor, currency):
        move = self.move(ramp_id)
        self.assertEqual(self.record(ramp_id).state, 'confirmed', self.record(ramp_id).error_message)
        card = move.line_ids.filtered(lambda line: line.account_id == self.connection.card_account_id)
        self.assertEqual(round(-sum(card.mapped('amount_currency')) * 10 ** PLACES[currency]), minor)
        self.assertEqual(len(card), 1)
        self.assertFalse(move.line_ids.filtered(lambda line: line.name == 'Automatic Balancing Line'))
        self.assertEqual(round(sum(move.line_ids.mapped('balance')), 4), 0)

    def in_report(self, tax):
        """Return (tax, base) of a tax in posted entries, in the company's currency."""
        lines = self.env['account.move.line'].search(
            [('company_id', '=', self.company.id), ('parent_state', '=', 'posted')]
        )
        return tuple(
            round(sum(found.mapped('balance')), 2)
            for found in (
                lines.filtered(lambda line: line.tax_line_id == tax),
                lines.filtered(lambda line: tax in line.tax_ids),
            )
        )


@tagged('post_install', '-at_install', 'ramp')
class TestTaxes(TaxCase):
    kinds = st.sampled_from((5, 7, 19, 20, 'reverse', 'withheld'))
    minors = st.one_of(st.integers(1, 30), st.integers(1, 999999))

    def assertNoted(self, taxes):
        """The taxes are compared at once, and not only in the next round of their jobs."""
        changes = self.env['ramp.change'].search([('flow', '=', 'tax_code')])
        self.assertLessEqual(set(taxes.ids), set(changes.mapped('res_id')))

    def test_posts_to_an_archived_account(self):
        """A tax that posts to an archived account is no longer offered. Objects coded with it are put on hold with the
        reason. Both end when the account is active again.
        """
        account = (
            self.env['account.account']
            .with_company(self.company)
            .create(
                {
                    'name': 'Input tax',
                    'code': '199902',
                    'account_type': 'asset_current',
                    'company_ids': [Command.set(self.company.ids)],
                }
            )
        )
        taxes = {kind: self.taxes[kind] for kind in (19, 'reverse', 'withheld')}
        lines = (taxes[19] + taxes['reverse']).invoice_repartition_line_ids.filtered(
            lambda line: line.repartition_type == 'tax'
        )
        lines.account_id = account
        self.assertNoted(taxes[19] + taxes['reverse'] + taxes['withheld'])
        self.sync('account', 'tax_rate', 'tax_code')
        bill = self.billed([(1190, 19)])
        account.active = False
        self.assertNoted(taxes[19] + taxes['reverse'] + taxes['withheld'])
        self.sync('account', 'tax_rate', 'tax_code')
        shown = {row['id'].partition('.')[0] for row in self.ramp.state['tax_options'] if row.get('is_active', True)}
        for tax in taxes.values():
            row = self.env['ramp.record'].search([('flow', '=', 'tax_code'), ('res_id', '=', tax.id)])
            self.assertEqual(row.state, 'ignored', tax.name)
            self.assertIn('199902 Input tax, which is archived', row.error_message)
            self.assertNotIn(self.external(tax), shown)
        self.assertIn(self.external(self.taxes[20]), shown)
        self.sync_payables()
        row = self.record(bill, 'bill')
        self.assertEqual((row.state, bool(self.move(bill))), ('held', False))
        self.assertRegex(row.error_message, 'VAT 19.*archived')
        account.active = True
        self.assertNoted(taxes[19] + taxes['reverse'] + taxes['withheld'])
        self.sync('account', 'tax_rate', 'tax_code')
        self.assertEqual(
            self.env['ramp.record'].search([('flow', '=', 'tax_code'), ('res_id', '=', taxes[19].id)]).state,
            'confirmed',
        )
        self.sync_payables()
        self.assertBooked(bill)

    @in_turn
    @examples(2)
    @given(
        parts=st.lists(st.tuples(minors, kinds), min_size=1, max_size=3),
        sign=st.sampled_from((1, -1)),
        currency=st.sampled_from(sorted(PLACES)),
    )
    @example(parts=[(10, 5)], sign=1, currency='USD')
    @example(parts=[(10, 5), (3, 19), (1, 7)], sign=-1, currency='KWD')
    @example(parts=[(5, 20), (11000, 'withheld')], sign=1, currency='JPY')
    @example(parts=[(25, 5), (6939, 5)], sign=1, currency='EUR')
    def test_charges(self, parts, sign, currency):
        """The card liability is exactly Ramp's amount, however small, and a repayment takes back the same amount."""
        with self.isolated():
            parts = [(sign * minor, kind) for minor, kind in parts]
            total = sum(minor for minor, _kind in parts)
            ramp_id = self.charge(parts, currency)
            back = total > 0 and self.ramp.add_repayment(transaction=ramp_id, amount_minor=total, date='2026-03-20')
            for _time in range(2):
                self.sync('transaction', 'repayment')
            self.assertCharged(ramp_id, total, currency)
            lines = self.move(ramp_id).line_ids
            for share, of_share in lines.filtered('tax_line_id').grouped('tax_repartition_line_id').items():
                tax = share.tax_id  # each part has a line of its own
                base = sum(
                    lines.filtered(lambda line, tax=tax: tax in line.tax_ids.flatten_taxes_hierarchy()).mapped(
                        'amount_currency'
                    )
                )
                self.assertLessEqual(
                    abs(sum(of_share.mapped('amount_currency')) - base * tax.amount / 100 * share.factor),
                    1.5 * len(parts) / 10 ** PLACES[currency],
                )
            if back:
                self.assertEqual(
                    self.record(back, 'repayment').state, 'confirmed', self.record(back, 'repayment').error_message
                )
                lines = (self.move(ramp_id) + self.move(back)).line_ids.filtered(
                    lambda line: line.account_id == self.account_meals or line.tax_line_id
                )
                self.assertEqual(round(sum(lines.mapped('balance')), 4), 0)

    @in_turn
    @examples(2)
    @given(
        parts=st.lists(st.tuples(minors, st.one_of(st.none(), kinds)), min_size=1, max_size=3),
        rounding=st.sampled_from(('round_per_line', 'round_globally')),
        currency=st.sampled_from(sorted(PLACES)),
    )
    @example(parts=[(8, 7)], rounding='round_per_line', currency='USD')
    @example(parts=[(11000, 'withheld')], rounding='round_globally', currency='USD')
    @example(parts=[(12000, 20), (30000, None)], rounding='round_per_line', currency='KWD')
    def test_bills(self, parts, rounding, currency):
        """A bill has exactly Ramp's amount, or it is on hold with the reason and nothing is posted. The tax absorbs no
        more than rounding differences.
        """
        with self.isolated():
            self.company.tax_calculation_rounding_method = rounding
            ramp_id = self.billed(parts, currency=currency, entity=self.primary)
            self.sync_payables()
            self.assertOfParts('bill', ramp_id, parts, currency)

    @in_turn
    @examples(2)
    @given(
        parts=st.lists(st.tuples(minors, st.one_of(st.none(), kinds)), min_size=1, max_size=3),
        rounding=st.sampled_from(('round_per_line', 'round_globally')),
    )
    @example(parts=[(8, 7)], rounding='round_per_line')
    @example(parts=[(10, 5), (3, 19), (1, 7)], rounding='round_globally')
    @example(parts=[(5, 20), (11000, 'withheld')], rounding='round_per_line')
    def test_reimbursements(self, parts, rounding):
        """A reimbursement has exactly Ramp's amount, or it is on hold, as a bill is."""
        with self.isolated():
            self.company.tax_calculation_rounding_method = rounding
            self.connection.pull_reimbursements = True
            ramp_id = self.ramp.add_reimbursement(
                user=self.user_id,
                entity=self.primary,
                currency='USD',
                date=DAY,
                state='REIMBURSED',
                lines=self.lines(parts),
            )
            self.sync('reimbursement')
            self.assertOfParts('reimbursement', ramp_id, parts, 'USD')

    def assertOfParts(self, flow, ramp_id, parts, currency):
        record, move = self.record(ramp_id, flow), self.move(ramp_id)
        if record.state == 'held':
            self.assertFalse(move)
            self.assertIn('With the tax codes of its lines, Odoo calculates', record.error_message)
            self.assertLess(
                min(minor for minor, kind in parts if kind), 30, f'only cents cannot be met: {record.error_message}'
            )
            return
        self.assertEqual(record.state, 'confirmed', record.error_message)
        self.assertEqual(round(move.amount_total * 10 ** PLACES[currency]), sum(minor for minor, _kind in parts))
        for tax, lines in move.line_ids.filtered('tax_line_id').grouped('tax_line_id').items():
            base = sum(
                move.line_ids.filtered(lambda item, tax=tax: tax in item.tax_ids.flatten_taxes_hierarchy()).mapped(
                    'amount_currency'
                )
            )
            factor = sum(lines.tax_repartition_line_id.mapped('factor'))
            allowed = (2 * len(parts) + 1) / 10 ** PLACES[currency]
            self.assertLessEqual(abs(sum(lines.mapped('amount_currency')) - base * tax.amount / 100 * factor), allowed)
            if tax == self.taxes['reverse']:
                self.assertEqual(round(sum(lines.mapped('amount_currency')), 4), 0)

    def test_more_than_rounding(self):
        """A tax that does not fit into the bill's amount is not adjusted: the bill is put on hold."""
        ramp_id = self.billed([(12000, 20)])
        for total in (115.20, 119.95):
            with self.subTest(total=total), self.isolated():
                self.patch(
                    type(self.env['ramp.flow.bill']),
                    '_get_untaxed_price',
                    lambda flow, connection, document, line, amount, total=total: total / 1.2,
                )
                self.sync_payables()
                record = self.record(ramp_id, 'bill')
                self.assertEqual((record.state, bool(self.move(ramp_id))), ('held', False))
                self.assertIn(
                    f'Odoo calculates {total:.2f} USD, but the bill total is 120.00 USD', record.error_message
                )

    def test_quantities_that_odoo_would_round(self):
        stocked = {'quantity': '0.375', 'unit_price_minor': 80000, 'account': self.external(self.account_meals)}
        ramp_id = self.owe(
            None,
            date=DAY,
            inventory=[stocked],
            lines=[{'amount_minor': 12000, 'account': self.external(self.account_meals), 'tax': self.code(20)}],
        )
        kept = self.owe(None, date=DAY, inventory=[{**stocked, 'quantity': '0.25'}])
        self.sync_payables()
        self.assertEqual((self.move(ramp_id).amount_untaxed, self.move(ramp_id).amount_tax), (400.0, 20.0))
        self.assertEqual(self.move(kept).invoice_line_ids.mapped('quantity'), [0.25])

    @in_turn
    def test_a_bill_that_charges_had_paid(self):
        """If spend with tax is posted first, and then its bill with the same tax, the tax report has it once, by tax
        and by account.
        """
        tax, grid = (
            self.taxes[20],
            self.env['account.account.tag'].create(
                {'name': 'Grid', 'applicability': 'taxes', 'country_id': self.company.account_fiscal_country_id.id}
            ),
        )
        (tax.invoice_repartition_line_ids + tax.refund_repartition_line_ids).tag_ids = grid
        ramp_id = self.charge([(6600, 20), (4400, 20), (4, 20)])
        self.sync()
        bill = self.billed([(6600, 20), (4404, 20)], payment_method='CARD')
        self.ramp.pay_bill(bill, method='CARD', transaction=ramp_id, date='2026-03-15')
        self.sync_payables()
        self.assertEqual(
            self.record(bill, 'bill_payment').state, 'confirmed', self.record(bill, 'bill_payment').error_message
        )
        self.assertEqual(
            self.in_report(tax), (round(self.move(bill).amount_tax, 2), round(self.move(bill).amount_untaxed, 2))
        )
        lines = self.env['account.move.line'].search(
            [('company_id', '=', self.company.id), ('parent_state', '=', 'posted'), ('tax_tag_ids', 'in', grid.ids)]
        )
        self.assertEqual(round(sum(lines.mapped('balance')), 2), 110.04)

    @in_turn
    def test_tax_on_payment_and_a_credit_in_part(self):
        """Core's entries for taxes that are due on payment are also made for a part of a credit."""
        self.taxes['late'], due = self.create_tax_on_payment()
        self.sync('tax_rate', 'tax_code')
        vendor = self.ramp.add_vendor('Creditor')
        credit = self.ramp.add_vendor_credit(
            vendor=vendor,
            amount_minor=6000,
            date='2026-03-01',
            entity=self.primary,
            lines=[{'amount_minor': 6000, 'account': self.external(self.account_meals), 'tax': self.code('late')}],
        )
        bill = self.billed([(12000, 'late')], vendor=vendor)
        for amount, is_paid in ((2400, False), (3600, True)):
            self.ramp.apply_vendor_credit(credit, bill, amount)
            if is_paid:
                self.ramp.pay_bill(bill, date='2026-03-20')
            for _time in range(2):
                self.sync_payables()
            lines = self.env['account.move.line'].search([('account_id', '=', due.id), ('parent_state', '=', 'posted')])
            # The bill has a tax of 20, the credit one of 10. Parts that cover each other are due together.
            self.assertAlmostEqual(sum(lines.mapped('balance')), 20 - 10 if is_paid else 0, 2)

    def test_a_number_that_a_credit_covered_was_used(self):
        vendor = self.ramp.add_vendor('Covered')
        credit = self.ramp.add_vendor_credit(
            vendor=vendor,
            amount_minor=1000,
            date='2026-03-01',
            account=self.external(self.account_meals),
            entity=self.primary,
        )
        first = self.owe(1000, vendor=vendor, invoice_number='C-1', date=DAY)
        self.ramp.apply_vendor_credit(credit, first, 1000)
        for _time in range(2):
            self.sync_payables()
        self.assertEqual(self.move(first).payment_state, 'paid')
        again = self.owe(1000, vendor=vendor, invoice_number='C-1', date=DAY)
        self.sync_payables()
        self.assertRegex(self.record(again, 'bill').error_message, 'number C-1 in Odoo')


@tagged('post_install', '-at_install', 'ramp')
class TestClosedPeriods(TaxCase):
    """An entry for a closed period follows the connection's lock date policy, whatever makes the entry."""

    def close(self, *locks):
        self.company.write(dict.fromkeys(locks or ['fiscalyear_lock_date'], CLOSED))

    def test_tax_lock(self):
        # In either order in one batch: what is open for one is not open for the other.
        before, taxed, plain = self.spend(400, date=NOON), self.charge([(11000, 20)]), self.spend(500, date=NOON)
        self.close('tax_lock_date')
        self.sync()
        self.assertRegex(self.record(taxed).error_message, 'accounting period is closed: 2026-03-02')
        self.assertConfirmed(before)
        self.assertConfirmed(plain)
        self.connection.lock_date_policy = 'next_open'
        self.sync()
        self.assertEqual(self.move(taxed).date, date(2026, 4, 1))

    def test_the_settlement_of_a_bill(self):
        ramp_id = self.spend(5000, date=NOON)
        self.sync()
        bill = self.owe(5000, date='2026-03-12', payment_method='CARD')
        self.sync_payables()
        self.close()
        self.ramp.pay_bill(bill, method='CARD', transaction=ramp_id, date='2026-03-15')
        self.sync_payables()
        self.assertRegex(self.record(bill, 'bill_payment').error_message, 'accounting period is closed: 2026-03-02')
        self.connection.lock_date_policy = 'next_open'
        self.sync_payables()
        self.assertSettledByCard(bill, 5000)
        [entry] = (
            self.move(bill)
            .line_ids.filtered(lambda line: line.account_type == 'liability_payable')
            .matched_debit_ids.debit_move_id
        )
        self.assertEqual(entry.date, date(2026, 4, 1))

    def test_reversed_by_hand(self):
        ramp_id = self.spend(5000, date=NOON)
        self.sync()
        first = self.move(ramp_id)
        self.ramp.update_transaction(ramp_id, amount_minor=6000)
        self.env['ramp.run'].search([]).unlink()
        self.sync()
        self.assertTrue(self.record(ramp_id).late_payload, self.record(ramp_id).state)
        self.close()
        with self.assertRaisesRegex(UserError, 'cannot be undone. The accounting period is closed'):
            self.record(ramp_id).action_rebook()
        self.assertEqual(first.ramp_id, ramp_id)
        self.connection.lock_date_policy = 'next_open'
        self.record(ramp_id).action_rebook()
        self.assertEqual(first.reversal_move_ids.date, date(2026, 4, 1))

    def test_withdrawn_in_ramp(self):
        bill = self.billed([(12000, 20)])
        self.sync_payables()
        self.close('tax_lock_date')
        self.ramp.archive_bill(bill)
        self.sync_payables()
        record = self.record(bill, 'bill')
        self.assertRegex(record.error_message, 'was archived in Ramp.*The accounting period is closed')
        self.assertFalse(self.move(bill).reversal_move_ids)
        self.company.tax_lock_date = False
        self.sync_payables()
        self.assertEqual(self.record(bill, 'bill').state, 'ignored')

    @in_turn
    def test_a_payment_that_came_back(self):
        bill = self.owe(5000, date=DAY)
        self.ramp.pay_bill(bill, date='2026-03-20')
        self.sync_payables()
        payment = self.payment(bill)
        self.close()
        self.ramp.pay_bill(bill, status='failed')
        with self.isolated():  # its own month is closed, the month in which it becomes known is open
            self.sync_payables()
            [reversal] = self.env['account.move'].search([('reversed_entry_id', '=', payment.move_id.id)])
            self.assertEqual(
                (payment.date, reversal.date), (date(2026, 3, 20), fields.Date.context_today(self.connection))
            )
            self.assertEqual(self.move(bill).amount_residual, 50.0)
        self.patch(fields.Date, 'context_today', lambda record, timestamp=None: date(2026, 3, 25))
        self.sync_payables()
        self.assertRegex(self.record(bill, 'bill_payment').error_message, 'accounting period is closed: 2026-03-25')
        self.connection.lock_date_policy = 'next_open'
        self.sync_payables()
        [reversal] = self.env['account.move'].search([('reversed_entry_id', '=', payment.move_id.id)])
        self.assertEqual((payment.date, reversal.date), (date(2026, 3, 20), date(2026, 4, 1)))
        self.assertEqual(self.move(bill).amount_residual, 50.0)
