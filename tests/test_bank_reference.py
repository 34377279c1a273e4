# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The bank's reference of a payment: it comes from Ramp's detail to the payment, and matches the payment with its bank
line.
"""

from datetime import timedelta
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import PayablesCase
from .properties import examples, in_turn


class BankCase(PayablesCase):
    def paid(self, amount_minor=10000, count=1, **values):
        """Return (payment, reference) of bills that are paid together today. They are posted, and the reference is
        known.
        """
        vendor = self.ramp.add_vendor(f'Vendor {self.ramp.state.make_new_id()}')
        bills = [self.owe(amount_minor, vendor=vendor) for _number in range(count)]
        self.ramp.pay_bill(bills, date=str(fields.Date.context_today(self.connection)), **values)
        self.sync_payables()
        payment = self.payment(*bills)
        self.assertEqual(len(payment), 1)
        self.sync('bank_reference')
        return payment, self.ramp_reference(bills[0])

    def ramp_reference(self, ramp_id):
        return self.connection._run_client().get(f'/bills/{ramp_id}')['payment']['trace_id']['trace_id']

    def line(self, text, amount, journal=None, **values):
        return self.env['account.bank.statement.line'].create(
            {
                'journal_id': (journal or self.connection.payment_journal_id).id,
                'date': fields.Date.context_today(self.connection),
                'payment_ref': text,
                'amount': amount,
                **values,
            }
        )

    def match(self):
        self.sync('bank_reference')


@tagged('post_install', '-at_install', 'ramp')
class TestBankReference(BankCase):
    def test_kept(self):
        payment, reference = self.paid(count=2)
        self.assertEqual((payment.ramp_bank_reference, payment.amount), (reference, 200.0))
        bank = payment.move_id.line_ids.filtered(lambda line: line.account_id == payment.outstanding_account_id)
        self.assertIn(reference, bank.name)
        asked = len(self.ramp.requests)
        self.sync('bank_reference')
        self.assertEqual(
            [entry['path'] for entry in self.ramp.requests[asked:] if '/bills/' in entry['path']], [], 'it is known'
        )

    def test_lists_do_not_tell_it(self):
        ramp_id = self.owe(10000)
        self.ramp.pay_bill(ramp_id)
        [bill] = [bill for bill in self.connection._run_client().list_objects('/bills', {}) if bill['id'] == ramp_id]
        self.assertIsNone(bill['payment']['trace_id'])

    def test_asked_again_until_there_is_one(self):
        payment, reference = self.paid(method='ACH')
        payment.ramp_bank_reference = False
        payments = self.ramp.state['bills'].get_row(self.record_of(payment).ramp_id)['_payments']
        payments[0]['trace'], trace = None, payments[0]['trace']
        self.sync('bank_reference')
        self.assertFalse(payment.ramp_bank_reference)
        payments[0]['trace'] = trace
        self.sync('bank_reference')
        self.assertEqual(payment.ramp_bank_reference, reference)

    def record_of(self, payment):
        return self.env['ramp.record'].search(
            [('res_model', '=', 'account.payment'), ('res_id', '=', payment.id)], limit=1
        )

    @in_turn
    def test_matched(self):
        for shape in ('ACH {}', 'ach trace no. {} vendor', 'Ref:{}/RAMP', '{}'):
            with self.subTest(shape=shape), self.isolated():
                payment, reference = self.paid()
                line = self.line(shape.format(reference), -100.0)
                self.match()
                self.assertTrue(line.is_reconciled)
                self.assertTrue(payment.is_matched)
                self.assertEqual((payment.state, payment.reconciled_bill_ids.payment_state), ('paid', 'paid'))
                self.assertEqual(
                    line.move_id.line_ids.filtered(
                        lambda item, payment=payment: item.account_id == payment.outstanding_account_id
                    ).balance,
                    100.0,
                )

    def test_zeros_that_the_bank_leaves_out(self):
        payment, _reference = self.paid()
        payment.ramp_bank_reference = '000076921900257'
        line = self.line('ACH 76921900257', -100.0)
        self.match()
        self.assertTrue(line.is_reconciled)

    @in_turn
    def test_how_long_a_reference_is(self):
        """Six characters are a reference, and eight behind zeros that the bank leaves out. Fewer are not."""
        for reference, text, is_matched in (
            ('A1042', 'A1042', False),
            ('AB1042', 'AB1042', True),
            ('00001234567', '1234567', False),
            ('000012345678', '12345678', True),
        ):
            with self.subTest(reference):
                payment, _reference = self.paid()
                payment.ramp_bank_reference = reference
                line = self.line(f'Transfer {text}', -100.0)
                self.match()
                self.assertEqual(line.is_reconciled, is_matched)

    def test_left_to_a_person(self):
        """A bank line is left to a person if it has no reference, several ones, or another amount."""
        payment, reference = self.paid()
        other, second = self.paid(5000)
        bank = self.env['account.journal'].create(
            {'name': 'Other Bank', 'code': 'OBK', 'type': 'bank', 'company_id': self.company.id}
        )
        lines = [
            self.line('Something else', -100.0),
            self.line(reference, -100.01),
            self.line(reference, 100.0),
            self.line(f'9{reference}', -100.0),
            self.line(f'{reference}0', -100.0),
            self.line(f'{reference} {second}', -100.0),
            self.line(reference, -100.0, journal=bank),
        ]
        lines.append(self.line(reference, -100.0, date=payment.date - timedelta(days=6)))
        lines.append(self.line('Amount', -100.0, transaction_details={'amount': reference, 'date': reference}))
        draft = self.line(reference, -100.0)
        draft.move_id.button_draft()
        lines.append(draft)
        self.match()
        self.assertEqual([line.is_reconciled for line in lines], [False] * len(lines))
        self.assertFalse(payment.is_matched or other.is_matched)

    def test_in_the_details_of_the_bank(self):
        payment, reference = self.paid()
        line = self.line('Transfer', -100.0, transaction_details={'remittance': ['ACH', {'trace': reference}]})
        self.match()
        self.assertTrue(line.is_reconciled)

    def test_number_of_a_check(self):
        """A short number counts as a check number only if the bank says so."""
        payment, _reference = self.paid()
        payment.ramp_bank_reference = '1042'
        other = self.line('Rent 1042', -100.0)
        self.match()
        self.assertFalse(other.is_reconciled)
        line = self.line('CHECK 1042', -100.0)
        self.match()
        self.assertEqual((other.is_reconciled, line.is_reconciled), (False, True))

    def test_what_is_open(self):
        """If a part of the payment is matched, a bank line is compared with the rest."""
        payment, reference = self.paid()
        first, whole, rest = self.line('First', -40.0), self.line(reference, -100.0), self.line(reference, -60.0)
        _liquidity, suspense, _other = first._seek_for_lines()
        suspense.account_id = payment.outstanding_account_id
        (
            suspense + payment.move_id.line_ids.filtered(lambda line: line.account_id == payment.outstanding_account_id)
        ).reconcile()
        self.match()
        self.assertEqual((whole.is_reconciled, rest.is_reconciled, payment.is_matched), (False, True, True))

    def test_one_that_cannot_be_written_stops_no_other(self):
        (first, reference), (_second, other) = self.paid(), self.paid(5000)
        lines = [self.line(reference, -100.0), self.line(other, -50.0)]
        reconcile = type(self.env['account.move.line']).reconcile

        def fail(records):
            if first.move_id in records.move_id:
                raise ValueError('not this one')
            return reconcile(records)

        with (
            patch.object(type(self.env['account.move.line']), 'reconcile', fail),
            mute_logger('odoo.addons.ramp_connector.flows.reimbursements.bank_reference'),
        ):
            run = self.sync('bank_reference')
        self.assertEqual([line.is_reconciled for line in lines], [False, True])
        self.assertEqual(run.state, 'done')

    def test_bills_without_permission(self):
        """If bills are switched off, so that the permission to read them is missing, the rest of the job goes on."""
        payment, reference = self.paid()
        self.connection.write({'pull_bills': False, 'pull_reimbursements': True})
        line = self.line(reference, -100.0)
        asked = len(self.ramp.requests)
        run = self.sync('bank_reference')
        self.assertEqual((run.state, line.is_reconciled), ('done', True))
        self.assertFalse([entry for entry in self.ramp.requests[asked:] if '/bills/' in entry['path']])

    def test_each_employee_has_a_reference(self):
        """In one batch each employee's transfer has its own reference."""
        self.connection.pull_reimbursements = True
        people = list(self.ramp.state['users'])[:2]
        claims = [
            self.ramp.add_reimbursement(
                amount_minor=3300,
                user=person['id'],
                entity=self.primary,
                state='APPROVED',
                account=self.external(self.account_meals),
            )
            for person in people
        ]
        self.ramp.pay_reimbursement(claims, date=f'{fields.Date.context_today(self.connection)}T12:00:00+00:00')
        client = self.connection._run_client()
        told = {client.get(f'/reimbursements/{claim}')['trace_id']['trace_id'] for claim in claims}
        self.assertEqual(len(told), 2)
        self.sync('reimbursement', 'reimbursement_payment', 'bank_reference')
        payments = self.env['account.payment'].search([('ramp_id', '!=', False)])
        self.assertEqual(sorted(payments.mapped('ramp_bank_reference')), sorted(told))
        lines = [self.line(reference, -33.0) for reference in told]
        self.match()
        self.assertEqual([line.is_reconciled for line in lines], [True, True])

    def test_shown_twice(self):
        payment, reference = self.paid()
        lines = self.line(reference, -100.0) + self.line(reference, -100.0)
        self.match()
        self.assertEqual(sorted(lines.mapped('is_reconciled')), [False, True])
        self.assertTrue(payment.is_matched)

    def test_matched_by_hand_before(self):
        payment, reference = self.paid()
        line = self.line(reference, -100.0)
        _liquidity, suspense, _other = line._seek_for_lines()
        suspense.account_id = self.account_meals
        self.match()
        self.assertFalse(payment.is_matched)
        self.assertEqual(suspense.account_id, self.account_meals)

    def test_nobody_wants_it(self):
        self.connection.match_bank_lines = False
        payment, reference = self.paid()
        line = self.line(reference, -100.0)
        self.match()
        self.assertEqual((payment.ramp_bank_reference, line.is_reconciled), (reference, False))

    def test_closed_period_stops_no_other(self):
        """A bank line in a closed period stays as it is, and stops no other line."""
        (first, reference), (second, other) = self.paid(), self.paid(5000)
        line = self.line(reference, -100.0, date='2020-01-31')
        # The date is set in SQL: core closes no period with open bank lines, but lines can come into a closed one.
        self.env.cr.execute(
            "UPDATE res_company SET fiscalyear_lock_date = '2020-12-31' WHERE id = %s", [self.company.id]
        )
        self.env.invalidate_all()
        open_line = self.line(other, -50.0)
        self.match()
        self.assertEqual((line.is_reconciled, open_line.is_reconciled), (False, True))
        self.assertEqual((first.is_matched, second.is_matched), (False, True))

    def test_hashed_entries_keep_their_labels(self):
        self.connection.payment_journal_id.restrict_mode_hash_table = True
        ramp_id = self.owe(10000)
        self.ramp.pay_bill(ramp_id, date=str(fields.Date.context_today(self.connection)))
        self.sync_payables()
        payment = self.payment(ramp_id)
        self.assertTrue(payment.move_id.inalterable_hash)
        before = payment.move_id.line_ids.mapped('name')
        self.sync('bank_reference')
        self.assertEqual(payment.ramp_bank_reference, self.ramp_reference(ramp_id))
        self.assertEqual(payment.move_id.line_ids.mapped('name'), before)

    def test_reimbursements(self):
        self.connection.pull_reimbursements = True
        claims = [
            self.ramp.add_reimbursement(
                amount_minor=3300,
                user=self.user_id,
                entity=self.primary,
                state='APPROVED',
                account=self.external(self.account_meals),
            )
            for _number in range(2)
        ]
        self.ramp.pay_reimbursement(claims, date=f'{fields.Date.context_today(self.connection)}T12:00:00+00:00')
        self.sync('reimbursement', 'reimbursement_payment', 'bank_reference')
        payment = self.env['account.payment'].search([('ramp_id', '!=', False)])
        reference = self.connection._run_client().get(f'/reimbursements/{claims[0]}')['trace_id']['trace_id']
        self.assertEqual((payment.amount, payment.ramp_bank_reference), (66.0, reference))
        line = self.line(f'REIMB {reference}', -66.0)
        self.match()
        self.assertTrue(line.is_reconciled)

    @in_turn
    @examples(2)
    @given(
        amounts=st.lists(st.sampled_from((1000, 2500, 9999)), min_size=2, max_size=5),
        carries=st.lists(st.booleans(), min_size=5, max_size=5),
        order=st.randoms(use_true_random=False),
    )
    def test_property_all_that_carry_it_and_no_other(self, amounts, carries, order):
        with self.isolated():
            bills = [self.owe(amount) for amount in amounts]
            for ramp_id in bills:
                self.ramp.pay_bill(ramp_id, date=str(fields.Date.context_today(self.connection)))
            self.sync_payables()
            self.sync('bank_reference')
            payments = [(self.payment(ramp_id), self.ramp_reference(ramp_id)) for ramp_id in bills]
            lines = [
                (self.line(f'Payment {reference}' if told else 'Payment', -payment.amount), payment, told)
                for (payment, reference), told in order.sample(
                    list(zip(payments, carries, strict=False)), len(payments)
                )
            ]
            self.match()
            for line, payment, told in lines:
                self.assertEqual((line.is_reconciled, payment.is_matched), (told, told))
