# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from datetime import timedelta

from odoo import Command, fields
from odoo.exceptions import ValidationError
from odoo.tests import tagged

from ..flows.engine.book import RampFlowBook
from ..flows.statements import transfer as transfer_flow
from .common import StatementsCase
from .properties import in_turn


@tagged('post_install', '-at_install', 'ramp')
class TestStatement(StatementsCase):
    """Statements, the transfers that pay them, and cashback are posted exactly once, in any order."""

    def month(self, *minors, month=7, **values):
        return [
            self.spend(minor, date=f'2026-{month:02}-{day:02}T12:00:00+00:00', **values)
            for day, minor in enumerate(minors, 3)
        ]

    def assertOwed(self, minor, currency='USD'):
        """The card liability and the debt to Ramp are together what Ramp says."""
        told = sum(row['owed_minor'] for row in self.ramp.owed_on_cards(currency=currency))
        self.assertEqual(told, minor)
        self.assertEqual(-self.balance(self.connection.card_account_id, self.payable, currency=currency), minor)

    def test_moves_the_spend_and_shows_cashback(self):
        self.month(10000, 2500, -500)
        statement = self.ramp.close_statement('2026-08-01', cashback_bps=150)
        self.sync_statements()
        [section] = self.sections(statement)
        row, bill = self.record(section, 'statement'), self.bill(statement)
        self.assertEqual(row.state, 'confirmed', row.error_message)
        self.assertEqual(
            (bill.move_type, bill.state, bill.partner_id, bill.amount_total),
            ('in_invoice', 'posted', self.connection.ramp_partner_id, 118.20),
        )
        self.assertEqual((str(bill.invoice_date), str(bill.date)), ('2026-07-31', '2026-07-31'))
        self.assertEqual(
            [(line.account_id, line.balance) for line in bill.invoice_line_ids],
            [(self.connection.card_account_id, 120.0), (self.connection.cashback_account_id, -1.8)],
        )
        self.assertEqual(self.balance(self.connection.card_account_id), 0)
        self.assertEqual(self.balance(self.connection.cashback_account_id), -180)
        self.assertOwed(11820)
        [cashback] = list(self.ramp.state['cashbacks'])
        self.assertEqual(self.record(cashback['id'], 'cashback').state, 'confirmed')
        self.assertEqual(self.record(cashback['id'], 'cashback').res_id, bill.id)
        self.assertEqual(self.ramp.list_successes('STATEMENT_CREDIT_SYNC')[cashback['id']], [f'account.move,{bill.id}'])
        self.assertEqual(bill.message_main_attachment_id.mimetype, 'application/pdf')
        self.assertEqual(len(self.attachments(bill)), 1)
        calls = len([entry for entry in self.ramp.requests if entry['method'] == 'POST' and 'sync' in entry['path']])
        self.sync_statements()
        self.assertEqual(
            len([entry for entry in self.ramp.requests if entry['method'] == 'POST' and 'sync' in entry['path']]), calls
        )
        self.assertEqual(len(self.bill(statement)), 1)
        self.assertEqual(len(self.attachments(bill)), 1)

    def test_partner_of_posted_statements_stays(self):
        """Ramp keeps its partner once a statement or a payment is posted with it. A merge of contacts moves both."""
        other = self.env['res.partner'].create({'name': 'Ramp Business Corporation'})
        ramp = self.connection.ramp_partner_id
        self.connection.ramp_partner_id = other
        self.connection.ramp_partner_id = ramp
        self.month(10000)
        self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        for partner in (other, False):
            with (
                self.assertRaisesRegex(ValidationError, f'posted with {ramp.name}. To use another contact'),
                self.env.cr.savepoint(),
            ):
                self.connection.ramp_partner_id = partner
        self.env['base.partner.merge.automatic.wizard'].create({})._merge((ramp + other).ids, other)
        self.assertEqual(self.connection.ramp_partner_id, other)
        with self.assertRaisesRegex(ValidationError, f'is a contact of {other.name}. Choose {other.name}'):
            self.connection.ramp_partner_id = self.env['res.partner'].create({'name': 'Desk', 'parent_id': other.id})

    def test_partner_of_posted_payments_stays(self):
        ramp = self.connection.ramp_partner_id
        self.ramp.add_transfer(amount_minor=5000, date='2026-09-05')
        self.sync_statements()
        with self.assertRaisesRegex(ValidationError, f'posted with {ramp.name}. To use another contact'):
            self.connection.ramp_partner_id = self.env['res.partner'].create({'name': 'Other'})

    def test_payable_account_changes_between_statement_and_payment(self):
        """A payment is posted to the account that the oldest open statement is on, like core's own Pay does."""
        self.month(10000)
        first = self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        former = self.payable
        partner = self.connection.ramp_partner_id.with_company(self.company)
        partner.property_account_payable_id = former.copy({'name': 'Cards payable'})
        self.month(4000, month=8)
        second = self.ramp.close_statement('2026-09-01')
        one = self.ramp.add_transfer(amount_minor=10000, date='2026-09-05')
        self.sync_statements()
        self.assertEqual(self.payment(one).destination_account_id, former)
        self.assertEqual((self.bill(first).payment_state, self.bill(second).payment_state), ('in_payment', 'not_paid'))
        other = self.ramp.add_transfer(amount_minor=4000, date='2026-09-06')
        self.sync_statements()
        self.assertEqual(self.payment(other).destination_account_id, self.payable)
        self.assertEqual(self.bill(second).payment_state, 'in_payment')
        self.assertEqual(self.balance(former, self.payable), 0)

    def test_payable_account_changes_between_payment_and_statement(self):
        """A statement is posted to the account of the payments that are open for it, as long as they last."""
        self.ramp.add_transfer(amount_minor=6000, date='2026-07-20')
        self.sync_statements()
        former, partner = self.payable, self.connection.ramp_partner_id.with_company(self.company)
        partner.property_account_payable_id = former.copy({'name': 'Cards payable'})
        self.month(10000)
        first = self.ramp.close_statement('2026-08-01')
        self.month(4000, month=8)
        second = self.ramp.close_statement('2026-09-01')
        self.sync_statements()
        owed = [
            bill.line_ids.filtered(lambda line: line.display_type == 'payment_term')
            for bill in (self.bill(first), self.bill(second))
        ]
        self.assertEqual([line.account_id for line in owed], [former, self.payable])
        self.assertEqual([line.amount_residual for line in owed], [-40.0, -40.0])
        self.ramp.add_transfer(amount_minor=4000, date='2026-09-05')
        self.ramp.add_transfer(amount_minor=4000, date='2026-09-06')
        self.sync_statements()
        self.assertEqual([line.reconciled for line in owed], [True, True])
        self.assertEqual((self.balance(former), self.balance(self.payable)), (0, 0))

    def test_item_of_a_person_without_a_due_date(self):
        """An entry with the partner that has no due date counts with its own day."""
        self.month(10000)
        statement = self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        entry = self.env['account.move'].create(
            {
                'date': '2026-08-02',
                'line_ids': [
                    Command.create(
                        {'account_id': account.id, 'partner_id': self.connection.ramp_partner_id.id, 'balance': balance}
                    )
                    for account, balance in ((self.payable, -5.0), (self.account_meals, 5.0))
                ],
            }
        )
        entry.action_post()
        entry.line_ids.date_maturity = False
        transfer = self.ramp.add_transfer(amount_minor=10500, date='2026-08-05')
        self.sync_statements()
        record = self.record(transfer, 'transfer')
        self.assertEqual(record.state, 'confirmed', record.error_message)
        self.assertEqual((self.bill(statement).payment_state, self.balance(self.payable)), ('in_payment', 0))

    def test_due_by_the_terms_of_the_partner(self):
        """The partner's payment terms give the due date of a statement, as Ramp does not say when it debits the bank."""
        self.month(10000)
        statement = self.ramp.close_statement('2026-08-01')
        self.connection.ramp_partner_id.with_company(self.company).property_supplier_payment_term_id = self.env.ref(
            'account.account_payment_term_15days'
        )
        self.sync_statements()
        bill = self.bill(statement)
        self.assertEqual((str(bill.invoice_date), str(bill.invoice_date_due)), ('2026-07-31', '2026-08-15'))
        self.assertEqual(len(bill.line_ids.filtered(lambda line: line.account_type == 'liability_payable')), 1)

    def test_one_batch_at_a_time(self):
        """Batches of statements and of payments take the same lock, as they are reconciled with each other."""
        taken, take = [], RampFlowBook._take_session_lock

        def note(flow, query):
            taken.extend(query.params)
            return take(flow, query)

        self.patch(RampFlowBook, '_take_session_lock', note)
        self.month(10000)
        self.ramp.close_statement('2026-08-01')
        self.ramp.add_transfer(date='2026-08-05')
        for flow, name in (('transaction', 'ramp.card.bill'), ('transfer', 'transfer'), ('statement', 'transfer')):
            with self.subTest(flow):
                taken.clear()
                self.sync(flow)
                self.assertIn(f'ramp_connector {name} {self.connection.id}', taken)

    def test_paid_oldest_first(self):
        self.month(10000)
        first = self.ramp.close_statement('2026-08-01')
        self.month(4000, month=8)
        second = self.ramp.close_statement('2026-09-01')
        one = self.ramp.add_transfer(amount_minor=6000, date='2026-09-05')
        self.sync_statements()
        self.assertEqual((self.bill(first).amount_residual, self.bill(second).amount_residual), (40.0, 40.0))
        self.assertEqual(self.ramp.list_successes('TRANSFER_SYNC')[one], [f'account.payment,{self.payment(one).id}'])
        self.ramp.add_transfer(amount_minor=8000, date='2026-09-06')
        self.sync_statements()
        self.assertEqual(
            (self.bill(first).payment_state, self.bill(second).payment_state), ('in_payment', 'in_payment')
        )
        self.assertOwed(0)

    def test_payment_before_the_statement(self):
        transfer = self.ramp.add_transfer(amount_minor=6000, date='2026-07-20')
        self.sync_statements()
        self.assertEqual(self.record(transfer, 'transfer').state, 'confirmed')
        self.month(10000)
        statement = self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        self.assertFalse(self.record(self.sections(statement)[0], 'statement').error_message)
        self.assertEqual(self.bill(statement).amount_residual, 40.0)
        self.assertOwed(4000)

    def test_returned_payment(self):
        self.patch(transfer_flow, 'REREAD', timedelta(days=3650))
        self.month(10000)
        statement = self.ramp.close_statement('2026-08-01')
        transfer = self.ramp.add_transfer(date='2026-08-05')
        self.sync_statements()
        bill, payment = self.bill(statement), self.payment(transfer)
        self.assertEqual((bill.amount_residual, bill.payment_state), (0, 'in_payment'))
        self.ramp.move_transfer(transfer, 'RETURNED_BY_RDFI')
        self.sync_statements()
        self.assertEqual((bill.amount_residual, bill.payment_state), (100.0, 'not_paid'))
        self.assertOwed(10000)
        self.assertIn('returned by the bank', ' '.join(payment.message_ids.mapped('body')))
        self.assertEqual(len(payment.move_id.reversal_move_ids), 1)
        self.sync_statements()
        self.assertEqual(len(payment.move_id.reversal_move_ids), 1)
        self.assertIn('returned by the bank', self.record(transfer, 'transfer').error_message)
        again = self.ramp.add_transfer(amount_minor=10000, date='2026-08-09')
        self.sync_statements()
        self.assertEqual(bill.amount_residual, 0)
        self.assertTrue(self.payment(again))
        self.assertOwed(0)
        self.ramp.close_statement('2026-09-01')
        self.sync_statements()
        self.assertFalse(
            self.env['ramp.record'].search([('flow', '=', 'statement'), ('state', '=', 'held')]).mapped('error_message')
        )

    def test_unreadable_at_first(self):
        """A transfer that cannot be read stops no statement. A statement that is repaired in Ramp leaves no open row."""
        self.month(10000)
        statement = self.ramp.close_statement('2026-08-01')
        self.ramp.add_transfer(amount_minor=4000, date='2026-07-20')
        for path in ('/transfers', '/statements'):
            self.ramp.faults.add_fault('malformed_object', path, count=1, how='missing_id')
        self.sync_statements()
        self.assertFalse(self.bill(statement))
        self.sync_statements()
        self.assertEqual(self.bill(statement).amount_residual, 60.0)
        self.assertFalse(
            self.env['ramp.record'].search([('state', 'in', ('held', 'error', 'pending'))]).mapped('display_name')
        )

    def test_payments_before_statements_of_several_entities(self):
        entities = list(self.ramp.state['entities'])[:2]
        for entity in entities:
            self.ramp.add_transfer(
                amount_minor=6000, entity=entity['id'], currency=entity['currency'], date='2026-07-20'
            )
            self.spend(10000, entity=entity['id'], currency=entity['currency'], date='2026-07-05T12:00:00+00:00')
        self.sync('transaction', 'transfer')
        statement = self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        self.assertEqual(self.bill(statement).mapped('amount_residual'), [40.0, 40.0])

    def test_payments_that_were_returned_before_the_connection_was_there(self):
        """A transfer that came back before the connection was made is ignored, although one statement counted it and a
        later one took it back.
        """
        self.month(10000)
        first = self.ramp.close_statement('2026-08-01')
        self.ramp.add_transfer(amount_minor=10000, date='2026-08-05')
        self.month(500, month=8)
        second = self.ramp.close_statement('2026-09-01')
        [transfer] = self.ramp.state['transfers']
        self.ramp.move_transfer(transfer['id'], 'RETURNED_BY_RDFI', date='2026-09-05')
        self.month(700, month=9)
        third = self.ramp.close_statement('2026-10-01')
        self.sync_statements()
        self.assertEqual([self.bill(statement).amount_total for statement in (first, second, third)], [100.0, 5.0, 7.0])
        self.assertEqual(self.record(transfer['id'], 'transfer').state, 'ignored')
        self.assertOwed(11200)

    @in_turn
    def test_every_status_is_decided(self):
        for status, state, word in (
            ('INITIATED', 'pending', 'on its way'),
            ('UPLOADED', 'pending', 'on its way'),
            ('NOT_ACKED', 'pending', 'on its way'),
            ('PROCESSING_BY_ODFI', 'confirmed', ''),
            ('SUBMITTED_TO_FED', 'confirmed', ''),
            ('SUBMITTED_TO_RDFI', 'confirmed', ''),
            ('ACH_CONFIRMED', 'confirmed', ''),
            ('COMPLETED', 'confirmed', ''),
            ('CANCELED', 'ignored', 'cancelled'),
            ('ERROR', 'ignored', 'failed'),
            ('NOT_ENOUGH_FUNDS', 'ignored', 'funds'),
            ('REJECTED_BY_ODFI', 'ignored', 'rejected'),
            ('RETURNED_BY_RDFI', 'ignored', 'returned'),
            ('UNNECESSARY', 'ignored', 'nothing to pay'),
            ('TELEPORTED', 'held', 'TELEPORTED'),
        ):
            with self.subTest(status=status):
                transfer = self.ramp.add_transfer(
                    amount_minor=100, status=status, sync_status='SYNC_READY', broken=True, date='2026-08-05'
                )
                self.sync('transfer')
                row = self.record(transfer, 'transfer')
                self.assertEqual(row.state, state, row.error_message)
                self.assertIn(word, row.error_message or '')
                self.assertEqual(len(self.payment(transfer)), state == 'confirmed')

    def test_waits_for_its_lines(self):
        good, late = self.month(10000, 700)
        self.ramp.update_transaction(late, sync_status='NOT_SYNC_READY')
        statement = self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        row = self.record(self.sections(statement)[0], 'statement')
        self.assertEqual(row.state, 'held')
        self.assertRegex(row.error_message, r'lines \(1\) are not posted.*7\.00 USD \(It is not marked as ready')
        self.assertTrue(self.move(good))
        self.assertFalse(self.bill(statement))
        self.ramp.update_transaction(late, sync_status='SYNC_READY')
        self.sync_statements()
        self.assertEqual(self.bill(statement).amount_total, 107.0)
        self.assertOwed(10700)

    def test_when_closed(self):
        self.connection.statement_policy = 'closed'
        _good, late = self.month(10000, 700)
        self.ramp.update_transaction(late, sync_status='NOT_SYNC_READY')
        statement = self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        self.assertEqual(self.bill(statement).amount_total, 107.0)
        self.ramp.update_transaction(late, sync_status='SYNC_READY')
        self.sync_statements()
        self.assertEqual(self.balance(self.connection.card_account_id), 0)
        self.assertOwed(10700)

    def test_before_the_first_rate(self):
        """A statement that is posted when closed waits for a rate of its day, as what is on it does."""
        self.connection.statement_policy = 'closed'
        euro = self.env.ref('base.EUR')
        rates = self.env['res.currency.rate'].search(
            [('currency_id', '=', euro.id), ('company_id', '=', self.company.id)]
        )
        rates.name = '2026-09-01'
        self.spend(2500, currency='EUR', date='2026-07-15T12:00:00+00:00')
        statement = self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        record = self.record(self.sections(statement)[0], 'statement')
        self.assertEqual((record.state, bool(self.bill(statement))), ('held', False))
        self.assertRegex(record.error_message, 'no exchange rate for EUR on 2026-07-31: the first rate is dated')
        rates.name = '2026-07-01'
        self.sync_statements()
        self.assertEqual(self.bill(statement).amount_total, 25.0)

    def test_does_not_add_up(self):
        self.month(10000)
        statement = self.ramp.close_statement('2026-08-01')
        for changes, word in (
            ({'ending_balance': 9999}, 'does not add up'),
            ({'charges': 10001, 'ending_balance': 10001}, r'its lines add up to 100\.00 USD'),
            ({'payments': 100, 'ending_balance': 9900}, 'its transfers add up to'),
        ):
            with self.subTest(changes=changes):
                before = {
                    name: self.ramp.state['statements'].get_row(statement)['balance_sections'][0][name]['amount']
                    for name in changes
                }
                self.ramp.update_statement(statement, **changes)
                self.sync_statements()
                row = self.record(self.sections(statement)[0], 'statement')
                self.assertEqual(row.state, 'held')
                self.assertRegex(row.error_message, word)
                self.ramp.update_statement(statement, **before)
        self.sync_statements()
        self.assertEqual(self.bill(statement).amount_total, 100.0)

    def test_begins_where_the_one_before_ended(self):
        self.month(10000)
        self.ramp.close_statement('2026-08-01')
        self.month(500, month=8)
        second = self.ramp.close_statement('2026-09-01')
        self.ramp.update_statement(second, opening_balance=9000, ending_balance=9500)
        self.sync_statements()
        self.assertRegex(
            self.record(self.sections(second)[0], 'statement').error_message,
            r'opening balance is 90\.00 USD.*ended with 100\.00',
        )

    def test_line_of_another_amount_in_the_books(self):
        self.connection.card_post = 'draft'
        (ramp_id,) = self.month(10000)
        statement = self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        row = self.record(self.sections(statement)[0], 'statement')
        self.assertEqual(row.state, 'held')
        move = self.move(ramp_id)
        card = move.line_ids.filtered(lambda line: line.account_id == self.connection.card_account_id)
        move.write(
            {
                'line_ids': [
                    (1, card.id, {'amount_currency': -90.0}),
                    (1, (move.line_ids - card).id, {'amount_currency': 90.0}),
                ]
            }
        )
        move.action_post()
        self.sync_statements()
        self.assertRegex(row.error_message, r'posted as 90\.00 USD')

    def test_changed_after_it_was_booked(self):
        """If Ramp adds a line to a posted statement, the statement is put on hold for a person's decision, and the
        payment stays.
        """
        self.month(10000)
        statement = self.ramp.close_statement('2026-08-01')
        self.ramp.add_transfer(amount_minor=10000, date='2026-08-05')
        self.sync_statements()
        bill = self.bill(statement)
        [late] = self.month(300, month=6)
        self.ramp.state['transactions'].update_row(late, statement_id=statement)
        self.ramp.update_statement(
            statement,
            charges=10300,
            ending_balance=10300,
            add_lines=[{'type': 'CARD_TRANSACTION', 'id': late, 'created_at': '2026-07-30T00:00:00+00:00'}],
        )
        self.sync_statements()
        row = self.record(self.sections(statement)[0], 'statement')
        self.assertTrue(row.has_changed)
        self.assertEqual((row.state, bill.amount_residual), ('held', 0))
        row.action_rebook()
        self.sync_statements()
        self.assertEqual(bill.payment_state, 'reversed')
        self.assertEqual((self.bill(statement).amount_total, self.bill(statement).amount_residual), (103.0, 3.0))
        self.assertEqual(self.balance(self.connection.card_account_id), 0)
        self.assertOwed(300)

    def test_currencies_and_entities(self):
        """Each entity's section is a bill of its own. The card liability is zero in both currencies, whatever the
        rates.
        """
        entities = list(self.ramp.state['entities'])
        self.assertGreater(len(entities), 1)
        for entity in entities:
            self.spend(10000, entity=entity['id'], currency=entity['currency'], date='2026-07-05T12:00:00+00:00')
            self.env['res.currency.rate'].create(
                {
                    'currency_id': self.env.ref(f'base.{entity["currency"]}').id,
                    'name': '2026-07-20',
                    'rate': 0.9,
                    'company_id': self.company.id,
                }
            ) if entity['currency'] != 'USD' else None
            self.spend(3333, entity=entity['id'], currency=entity['currency'], date='2026-07-25T12:00:00+00:00')
        statement = self.ramp.close_statement('2026-08-01', cashback_bps=100)
        self.sync_statements()
        self.assertEqual(len(self.bill(statement)), len(entities))
        self.assertEqual(self.balance(self.connection.card_account_id), 0)
        for entity in entities:
            self.assertEqual(self.balance(self.connection.card_account_id, currency=entity['currency']), 0)

    def test_refunded_at_another_rate(self):
        """A refund at another rate leaves an amount in the company's currency only. It becomes an exchange difference,
        whichever rate the bill has.
        """
        entity = next(row for row in self.ramp.state['entities'] if row['currency'] == 'EUR')
        rate = {'currency_id': self.env.ref('base.EUR').id, 'company_id': self.company.id}
        self.env['res.currency.rate'].create(
            [{**rate, 'name': '2026-07-10', 'rate': 0.5}, {**rate, 'name': '2026-07-20', 'rate': 0.8}]
        )
        for month, refund in ((7, -10000), (8, -9900)):
            self.env['res.currency.rate'].create({**rate, 'name': f'2026-{month:02}-02', 'rate': 0.8})
            self.env['res.currency.rate'].create(
                {**rate, 'name': f'2026-{month:02}-08', 'rate': 0.5}
            ) if month == 8 else None
            for day, minor in ((3, 10000), (12, refund)):
                self.spend(minor, entity=entity['id'], currency='EUR', date=f'2026-{month:02}-{day:02}T12:00:00+00:00')
            statement = self.ramp.close_statement(f'2026-{month + 1:02}-01')
            self.sync_statements()
            self.assertEqual(self.balance(self.connection.card_account_id), 0)
            self.assertEqual(self.balance(self.connection.card_account_id, currency='EUR'), 0)
            [section] = self.sections(statement)
            self.assertEqual(
                self.record(section, 'statement').state, 'confirmed', self.record(section, 'statement').error_message
            )
        self.assertEqual((self.bill(statement).move_type, self.bill(statement).amount_total), ('in_invoice', 1.0))
        record = self.record(section, 'statement')
        entry = self.env['account.move'].browse(record.noted['exchange'])
        self.ramp.update_statement(statement, charges=10100, ending_balance=200)
        self.sync_statements()
        record.action_rebook()
        self.assertEqual(len(entry.reversal_move_ids), 1)
        self.ramp.update_statement(statement, charges=10000, ending_balance=100)
        self.sync_statements()
        self.assertEqual(self.balance(self.connection.card_account_id), 0)

    def test_what_is_left_of_refunds_at_other_rates(self):
        """The remainder of refunds at other rates does not set the rate of the bill. With such a rate 10 EUR would be 20
        dollars, and the cashback would be doubled.
        """
        entity = next(row for row in self.ramp.state['entities'] if row['currency'] == 'EUR')
        rates = (('2026-07-02', 1.0), ('2026-07-10', 1.1), ('2026-07-20', 1.0))
        self.env['res.currency.rate'].create(
            [
                {'currency_id': self.env.ref('base.EUR').id, 'company_id': self.company.id, 'name': day, 'rate': rate}
                for day, rate in rates
            ]
        )
        for day, minor in ((3, 12000), (12, -11000)):
            self.spend(minor, entity=entity['id'], currency='EUR', date=f'2026-07-{day:02}T12:00:00+00:00')
        self.ramp.add_cashback(entity=entity['id'], currency='EUR', amount_minor=500, date='2026-07-25T12:00:00+00:00')
        statement = self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        [section] = self.sections(statement)
        lines = {line.account_id: (line.amount_currency, line.balance) for line in self.bill(statement).line_ids}
        self.assertEqual(lines[self.connection.card_account_id], (10.0, 10.0))
        self.assertEqual(lines[self.connection.cashback_account_id], (-5.0, -5.0))
        entry = self.env['account.move'].browse(self.record(section, 'statement').noted['exchange'])
        self.assertEqual(
            {line.account_id: line.balance for line in entry.line_ids},
            {self.connection.card_account_id: 10.0, self.company.income_currency_exchange_account_id: -10.0},
        )
        self.assertEqual(self.balance(self.connection.card_account_id), 0)
        self.assertEqual(self.balance(self.connection.card_account_id, currency='EUR'), 0)
        self.assertTrue(self.env['report.ramp_connector.tie_out'].get_report(self.connection.id)['rates']['is_zero'])

    def test_only_the_connection_s_entity(self):
        entities = list(self.ramp.state['entities'])
        self.connection.ramp_entity_id = entities[0]['id']
        for entity in entities:
            self.spend(10000, entity=entity['id'], currency=entity['currency'], date='2026-07-05T12:00:00+00:00')
        statement = self.ramp.close_statement('2026-08-01', cashback_bps=100)
        self.sync_statements()
        self.assertEqual(len(self.bill(statement)), 1)
        self.assertEqual(self.env['ramp.record'].search_count([('flow', '=', 'statement')]), 1)

    def test_before_the_start_date(self):
        self.month(10000)
        [early] = self.month(800, month=6)
        self.connection.start_date = '2026-07-01'
        statement = self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        self.assertEqual(self.bill(statement).amount_total, 100.0)
        self.assertEqual(self.record(early).state, 'ignored')
        self.assertIn('before the start date', self.record(early).error_message)

    def test_there_before_the_connection(self):
        """A statement that ended before the connection existed is left alone. One that ended later is posted whole."""
        self.connection.write({'existing_policy': 'leave', 'connected_at': '2026-08-15 00:00:00'})
        self.month(10000)
        early = self.ramp.close_statement('2026-08-01')
        self.month(2000, month=8)
        late = self.ramp.close_statement('2026-09-01')
        self.sync_statements()
        self.assertFalse(self.bill(early))
        self.assertEqual(self.bill(late).amount_total, 20.0)

    def test_closed_period(self):
        """A statement of a closed period is held, or posted on the first open day. Its own day stays."""
        self.month(10000)
        statement = self.ramp.close_statement('2026-08-01')
        self.sync('transaction')
        self.company.fiscalyear_lock_date = '2026-07-31'
        self.sync_statements()
        record = self.record(self.sections(statement)[0], 'statement')
        self.assertEqual(record.state, 'held')
        self.assertRegex(record.error_message, 'accounting period is closed: 2026-07-31')
        self.connection.lock_date_policy = 'next_open'
        self.sync_statements()
        bill = self.bill(statement)
        self.assertEqual((str(bill.invoice_date), str(bill.date)), ('2026-07-31', '2026-08-01'))

    def test_ignored_line_is_billed(self):
        ramp_id, _other = self.month(10000, 2000, account=None)
        self.ramp.recode_transaction(_other, self.external(self.account_meals))
        statement = self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        self.assertEqual(self.record(self.sections(statement)[0], 'statement').state, 'held')
        self.record(ramp_id)._ignore_by_person('Booked by hand')
        self.sync_statements()
        self.assertEqual(self.bill(statement).amount_total, 120.0)

    def test_ignored_payment_stays_ignored(self):
        """A payment that a person ignored stays ignored when Ramp changes it."""
        day = fields.Date.today() - timedelta(days=40)
        self.company.fiscalyear_lock_date = day
        transfer = self.ramp.add_transfer(amount_minor=1000, date=day, status='SUBMITTED_TO_RDFI')
        self.sync_statements()
        record = self.record(transfer, 'transfer')
        self.assertEqual(record.hold_reason, 'question')
        record._ignore_by_person('Entered by hand')
        self.company.fiscalyear_lock_date = False
        for status in ('COMPLETED', 'RETURNED_BY_RDFI'):
            self.ramp.move_transfer(transfer, status)
            self.sync_statements()
            self.sync('watch')
            self.assertEqual((record.state, record.hold_reason), ('ignored', 'person'), status)
        self.assertFalse(self.payment(transfer))

    def test_more_refunds_than_spend(self):
        self.month(1000, -3000)
        statement = self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        self.assertEqual((self.bill(statement).move_type, self.bill(statement).amount_total), ('in_refund', 20.0))
        self.assertOwed(-2000)

    def test_nothing_on_it(self):
        self.month(1000)
        self.ramp.close_statement('2026-08-01')
        second = self.ramp.close_statement('2026-09-01')
        self.sync_statements()
        row = self.record(self.sections(second)[0], 'statement')
        self.assertEqual((row.state, row.error_message), ('ignored', 'Nothing was spent.'))

    def test_statement_without_its_cashback_being_ready(self):
        self.month(10000)
        cashback = self.ramp.add_cashback(amount_minor=150, date='2026-07-30', ready=False)
        statement = self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        self.assertEqual(self.bill(statement).amount_total, 98.5)
        self.assertEqual(self.record(cashback, 'cashback').state, 'pending')
        self.ramp.state['cashbacks'].update_row(cashback, sync_status='SYNC_READY')
        self.sync_statements()
        self.assertEqual(self.record(cashback, 'cashback').state, 'confirmed')
        self.assertOwed(9850)

    def test_paid_by_hand_in_odoo_and_by_ramp(self):
        """If a bill is paid in Odoo and by Ramp, the excess stays open on the payment."""
        self.month(10000)
        statement = self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        bill = self.bill(statement)
        self.env['account.payment.register'].with_context(active_model='account.move', active_ids=bill.ids).create(
            {}
        )._create_payments()
        self.ramp.add_transfer(date='2026-08-05')
        self.sync_statements()
        self.assertEqual(bill.amount_residual, 0)
        self.assertEqual(-self.balance(self.payable), -10000)
