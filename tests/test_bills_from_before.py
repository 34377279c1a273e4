# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Bills issued before the start date are in Odoo already, as somebody entered them. Ramp's payment of such a bill is
posted or put on hold.
"""

from odoo import Command
from odoo.exceptions import AccessError
from odoo.tests import tagged

from .common import PayablesCase

START, ISSUED, PAID = '2026-03-01', '2026-02-10', '2026-03-20'
REST_PAID = '2026-03-21'  # date of a payment that Ramp does not show: its arrival


@tagged('post_install', '-at_install', 'ramp')
class TestBillsFromBefore(PayablesCase):
    def once(self):
        super().once()
        self.connection.start_date = START
        self.vendor = self.ramp.add_vendor('Acme')
        self.sync('vendor')
        self.partner = self.env['res.partner'].search([('name', '=', 'Acme')])

    def entered(self, number='A 1', amount=50.0, post=True, **values):
        """Enter a bill as an accountant does."""
        bill = self.env['account.move'].create(
            {
                'move_type': 'in_invoice',
                'partner_id': self.partner.id,
                'invoice_date': ISSUED,
                'ref': number,
                'company_id': self.company.id,
                'invoice_line_ids': [
                    Command.create(
                        {
                            'name': 'Chairs',
                            'price_unit': amount,
                            'tax_ids': [Command.clear()],
                            'account_id': self.account_meals.id,
                        }
                    )
                ],
                **values,
            }
        )
        if post:
            bill.action_post()
        return bill

    def of_ramp(self, exported=True, paid=PAID, **values):
        bill = self.owe(5000, **{'vendor': self.vendor, 'date': ISSUED, 'invoice_number': 'a1', **values})
        if exported:
            self.ramp.export_elsewhere('BILL_SYNC', bill)
        if paid:
            self.ramp.pay_bill(bill, date=paid)
        return bill

    def assertLinked(self, ramp_id, bill, paid=PAID):
        self.sync_payables()
        row, payment = self.record(ramp_id, 'bill'), self.record(ramp_id, 'bill_payment')
        self.assertEqual((row.state, row.res_id), ('confirmed', bill.id), row.error_message)
        self.assertEqual(payment.state, 'confirmed', payment.error_message)
        self.assertEqual((bill.amount_residual, bill.payment_state, bill.ramp_id), (0, 'in_payment', ramp_id))
        self.assertEqual(str(self.payment(ramp_id).date), paid)
        self.assertEqual(self.move(ramp_id), bill, 'nothing else was booked')
        self.assertEqual(len(self.ramp.list_successes('BILL_PAYMENT_SYNC')[ramp_id]), 1)
        self.assertEqual(self.ramp.state['bills'].get_row(ramp_id)['sync_status'], 'BILL_AND_PAYMENT_SYNCED')

    def test_exported_by_another_system(self):
        """If another system exported the bill, Ramp is only told about the payment."""
        self.ramp.resync = 'accept'  # otherwise Ramp refuses what it is told again, and nobody sees it
        bill, ramp_id = self.entered(), self.of_ramp()
        self.assertLinked(ramp_id, bill)
        self.assertFalse(self.ramp.list_successes('BILL_SYNC').get(ramp_id))
        self.assertIn('This is also a bill in Ramp', ' '.join(bill.message_ids.mapped('body')))
        calls = len(self.ramp.list_write_calls())
        self.sync_payables()
        self.assertEqual(len(self.ramp.list_write_calls()), calls)
        self.assertEqual(len(self.payment(ramp_id)), 1)

    def test_never_exported(self):
        bill, ramp_id = self.entered(), self.of_ramp(exported=False)
        self.assertLinked(ramp_id, bill)
        self.assertEqual(self.ramp.list_successes('BILL_SYNC')[ramp_id], [f'account.move,{bill.id}'])

    def test_due_in_installments(self):
        """The payment of Ramp pays all installments of the bill, or those that are open."""
        terms = self.env['account.payment.term'].create(
            {
                'name': 'In two halves',
                'line_ids': [
                    Command.create({'value': 'percent', 'value_amount': 50, 'nb_days': days}) for days in (10, 40)
                ],
            }
        )
        bill, ramp_id = self.entered(invoice_payment_term_id=terms.id), self.of_ramp()
        self.assertEqual(len(bill.line_ids), 3)
        self.assertLinked(ramp_id, bill)
        self.assertEqual(len(self.payment(ramp_id)), 1)
        bill = self.entered('A 2', invoice_payment_term_id=terms.id)
        self.register(bill, 25.0, '2026-02-20')
        ramp_id = self.of_ramp(paid=None, invoice_number='a2')
        self.ramp.pay_bill(ramp_id, amount_minor=2500, date='2026-02-20')
        self.ramp.pay_bill(ramp_id, date=PAID)
        self.assertLinked(ramp_id, bill, REST_PAID)
        self.assertEqual(self.payment(ramp_id).mapped('amount'), [25.0])

    def test_entered_later(self):
        """The bill is on hold, with what to do, until somebody enters and posts it."""
        ramp_id = self.of_ramp()
        self.sync_payables()
        row = self.record(ramp_id, 'bill')
        self.assertEqual(row.state, 'held')
        self.assertRegex(
            row.error_message,
            'issued on 2026-02-10, before the start date.*no posted bill from Acme with the number a1',
        )
        self.assertFalse(self.move(ramp_id))
        self.assertFalse(self.payment(ramp_id))
        bill = self.entered(post=False)
        self.sync_payables()
        self.assertEqual(self.record(ramp_id, 'bill').state, 'held', 'a draft may be another one tomorrow')
        bill.action_post()
        self.assertLinked(ramp_id, bill)

    def test_of_another_amount(self):
        ramp_id = self.of_ramp()
        bill = self.entered(amount=49.0)
        self.sync_payables()
        self.assertRegex(
            self.record(ramp_id, 'bill').error_message, 'In Odoo it is .*, with a total other than 50.00 USD'
        )
        self.assertEqual(bill.amount_residual, 49.0)

    def test_paid_in_odoo_already(self):
        bill, ramp_id = self.entered(), self.of_ramp()
        self.env['account.payment.register'].with_context(active_model='account.move', active_ids=bill.ids).create(
            {}
        )._create_payments()
        self.sync_payables()
        self.assertRegex(self.record(ramp_id, 'bill_payment').error_message, 'only 0.00 USD of .* is open in Odoo')
        self.assertFalse(self.payment(ramp_id))

    def register(self, bill, amount, day):
        self.env['account.payment.register'].with_context(active_model='account.move', active_ids=bill.ids).create(
            {'amount': amount, 'payment_date': day, 'payment_difference_handling': 'open'}
        )._create_payments()

    def in_two_parts(self, first='2026-02-20'):
        ramp_id = self.of_ramp(paid=None)
        self.ramp.pay_bill(ramp_id, amount_minor=2000, date=first)
        self.ramp.pay_bill(ramp_id, date=PAID)
        return ramp_id

    def test_a_part_was_paid_before(self):
        """A part that was paid before is in Odoo, in a closed period. Only the rest that Ramp paid is posted."""
        bill = self.entered()
        self.register(bill, 20.0, '2026-02-20')
        self.company.fiscalyear_lock_date = '2026-02-28'
        ramp_id = self.in_two_parts()
        self.assertLinked(ramp_id, bill, REST_PAID)
        self.assertEqual(self.payment(ramp_id).mapped('amount'), [30.0])
        self.record(ramp_id, 'bill_payment')._reopen_payment()
        self.assertLinked(ramp_id, bill, REST_PAID)

    def test_a_part_that_nobody_entered(self):
        """If the whole bill is open in Odoo, both parts that Ramp paid are posted."""
        bill, ramp_id = self.entered(), self.in_two_parts()
        self.sync_payables()
        self.assertEqual(
            self.record(ramp_id, 'bill_payment').state, 'confirmed', self.record(ramp_id, 'bill_payment').error_message
        )
        self.assertEqual(sorted(self.payment(ramp_id).mapped('amount')), [20.0, 30.0])
        self.assertEqual((bill.amount_residual, bill.payment_state), (0, 'in_payment'))

    def test_something_else_was_paid_before(self):
        """If another amount was paid in Odoo before, the payment is put on hold."""
        bill, ramp_id = self.entered(), self.in_two_parts()
        self.register(bill, 15.0, '2026-02-20')
        self.sync_payables()
        self.assertRegex(self.record(ramp_id, 'bill_payment').error_message, 'only 35.00 USD of .* is open in Odoo')
        self.assertFalse(self.payment(ramp_id))
        self.register(bill, 5.0, '2026-02-20')
        self.assertLinked(ramp_id, bill, REST_PAID)

    def test_both_parts_later(self):
        bill, ramp_id = self.entered(), self.in_two_parts('2026-03-05')
        self.register(bill, 20.0, '2026-03-05')
        self.sync_payables()
        self.assertRegex(self.record(ramp_id, 'bill_payment').error_message, 'only 30.00 USD of .* is open in Odoo')

    def test_of_no_business(self):
        """Bills that are open, were paid before the start date, or have an exported payment are left alone."""
        self.entered()
        before, still_open, exported = (
            self.of_ramp(paid='2026-02-20'),
            self.of_ramp(paid=None),
            self.of_ramp(exported=False),
        )
        for kind in ('BILL_SYNC', 'BILL_PAYMENT_SYNC'):
            self.ramp.export_elsewhere(kind, exported)
        self.sync_payables()
        for ramp_id in (before, still_open, exported):
            self.assertFalse(self.record(ramp_id, 'bill').res_id)
            self.assertNotEqual(self.record(ramp_id, 'bill').state, 'held')
            self.assertFalse(self.payment(ramp_id))

    def test_comes_back_and_is_archived(self):
        """If the payment comes back, it is undone. The bill, which somebody entered, is left alone when it is archived
        in Ramp.
        """
        bill, ramp_id = self.entered(), self.of_ramp()
        self.assertLinked(ramp_id, bill)
        self.ramp.pay_bill(ramp_id, status='failed')
        self.sync_payables()
        self.assertEqual((bill.amount_residual, bill.payment_state), (50.0, 'not_paid'))
        self.ramp.archive_bill(ramp_id)
        self.sync('watch')
        self.sync_payables()
        self.assertEqual((bill.state, bill.reversal_move_ids.ids), ('posted', []))

    def test_changed_in_ramp(self):
        bill, ramp_id = self.entered(), self.of_ramp()
        self.assertLinked(ramp_id, bill)
        self.env['ramp.flow.bill']._undo_booked_object(
            self.connection, self.record(ramp_id, 'bill'), 'Ramp changed it.'
        )
        self.assertEqual((bill.state, bill.ramp_id, bill.reversal_move_ids.ids), ('posted', False, []))

    def test_who_may_not_edit_the_bill(self):
        """Somebody who may not edit the bill does not take it off its object in Ramp, either."""
        bill, ramp_id = self.entered(), self.of_ramp()
        self.assertLinked(ramp_id, bill)
        user = self.accountant_who_may_not_edit(bill)
        with self.assertRaises(AccessError):
            self.env['ramp.flow.bill'].with_user(user)._undo_booked_object(
                self.connection.with_user(user), self.record(ramp_id, 'bill').with_user(user), 'Ramp changed it.'
            )
        self.assertEqual(bill.ramp_id, ramp_id)
