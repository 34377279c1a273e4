"""Bills that the API creates in the simulator: creation, changes, files, holds, and what people do with them in Ramp."""

import requests

from odoo.tests import tagged

from .test_simulator_payables import NOBODY, PayablesCase

PDF = b'%PDF-1.4\n1 0 obj\n<< >>\nendobj\n%%EOF\n'


class CreatedBillsCase(PayablesCase):
    def setUp(self):
        super().setUp()
        self.vendor = self.ramp.add_vendor('Acme', accounts=1)
        self.home = self.entity('USD')
        self.vendor_row = self.ramp.state['vendors'].rows[self.vendor]
        self.contact = self.vendor_row['contacts'][0]
        self.account = next(self.ramp.state['vendor_accounts'].walk_rows(bucket=self.vendor))['id']
        self.bank = self.ramp.state['entities'].rows[self.home]['payment_accounts'][1]['id']

    def body(self, **changes):
        """Return the body of a new bill. A change to None leaves a field out."""
        body = {
            'vendor_id': self.vendor,
            'vendor_contact_id': self.contact,
            'entity_id': self.home,
            'invoice_currency': 'USD',
            'invoice_number': 'BILL/2026/0007',
            'issued_at': '2026-08-10',
            'due_at': '2026-09-09',
            'payment_method': 'ACH',
            'line_items': [{'amount': '100.25', 'memo': 'Paper', 'accounting_field_selections': self.code()}],
            **changes,
        }
        return {name: value for name, value in body.items() if value is not None}

    def code(self, option='6100', field='Category'):
        return [{'field_external_id': field, 'field_option_external_id': option}]

    def details(self, **changes):
        return {
            'payment_arrival_date': '2026-08-26',
            'source_bank_account_id': self.bank,
            'vendor_account_id': self.account,
            **changes,
        }

    def post(self, **changes):
        return self.client.post('/bills', json=self.body(**changes))

    def make(self, **changes):
        answer = self.post(**changes)
        self.assertEqual(answer.status_code, 201, answer.text)
        return answer.json()

    def patch(self, ident, **body):
        return self.client.patch(f'/bills/{ident}', json=body)

    def change(self, ident, **body):
        answer = self.patch(ident, **body)
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()

    def assertInvalid(self, answer, status, *fields):
        """The answer is a refusal that names these fields."""
        self.assertRefused(answer, status, 'DEVELOPER_7001')
        self.assertEqual(sorted(answer.json()['error_v2']['additional_info']), sorted(fields))

    def upload(self, path, kind='INVOICE', content=PDF, name='Invoice 7.pdf'):
        return self.client.post(path, data={'attachment_type': kind}, files={'file': (name, content)})


@tagged('ramp_simulator')
class TestCreateBill(CreatedBillsCase):
    def test_it_is_approved_and_waits_for_payment_and_sync(self):
        row = self.make(remote_id='account.move,7', memo='Office', vendor_memo='Invoice 7', posting_date='2026-08-12')
        self.assertEqual(row['amount'], {'amount': 10025, 'currency_code': 'USD', 'minor_unit_conversion_rate': 100})
        self.assertEqual((row['approval_status'], row['status']), ('APPROVED', 'OPEN'))
        self.assertEqual((row['status_summary'], row['sync_status']), ('PAYMENT_READY', 'NOT_SYNCED'))
        self.assertEqual((row['issued_at'][:10], row['due_at'][:10]), ('2026-08-10', '2026-09-09'))
        self.assertEqual((row['posting_date'][:10], row['accounting_date'][:10]), ('2026-08-12', '2026-08-12'))
        self.assertEqual((row['memo'], row['vendor_memo'], row['remote_id']), ('Office', 'Invoice 7', 'account.move,7'))
        self.assertEqual((row['vendor_contact_id'], row['draft_bill_id']), (self.contact, None))
        self.assertEqual(row['invoice_urls'], [])
        [line] = row['line_items']
        self.assertEqual((line['memo'], line['accounting_field_selections'][0]['external_id']), ('Paper', '6100'))
        self.assertEqual(self.bill(row['id']), row)
        self.assertEqual(self.ids('/bills', remote_id='account.move,7'), [row['id']])
        # What began in Odoo is also offered for the way back.
        self.assertEqual(self.ids('/bills', sync_ready='true'), [row['id']])

    def test_required_fields(self):
        for name in ('vendor_id', 'entity_id', 'invoice_currency', 'invoice_number', 'issued_at', 'due_at'):
            with self.subTest(name):
                self.assertInvalid(self.post(**{name: None}), 422, name)
        self.assertInvalid(self.post(vendor_contact_id=None), 422, 'vendor_contact_id')
        self.assertInvalid(self.post(payment_method=None), 422, 'payment_method')
        self.assertInvalid(self.post(line_items=None), 422, 'line_items')
        self.assertInvalid(self.post(amount=5), 422, 'amount')
        self.assertRefused(self.client.post('/bills'), 400, 'DEVELOPER_7011')
        self.assertEqual(self.ids('/bills'), [])

    def test_lengths_and_days(self):
        self.make(invoice_number='7' * 84, memo='m' * 1000, vendor_memo='v' * 400)
        for name, size in (('invoice_number', 85), ('memo', 1001), ('vendor_memo', 401)):
            self.assertInvalid(self.post(**{name: 'x' * size}), 422, name)
        self.assertInvalid(self.post(issued_at='2026-08-10T00:00:00Z'), 422, 'issued_at')
        self.assertInvalid(self.post(due_at='10.08.2026'), 422, 'due_at')

    def test_the_checks_do_not_need_the_contract(self):
        self.ramp.contract = None
        self.assertInvalid(self.post(vendor_id=None), 422, 'vendor_id')
        self.assertInvalid(self.post(invoice_number='x' * 85, due_at='soon'), 422, 'due_at', 'invoice_number')
        self.assertInvalid(self.post(line_items=[{'amount': 1, 'tax': 2}]), 422, 'line_items')
        self.assertInvalid(self.post(line_items=[{'amount': 'many'}]), 422, 'line_items')
        self.assertInvalid(self.post(payment_method='CASH'), 422, 'payment_method')
        self.make()

    def test_major_units_of_every_currency(self):
        for currency, amount, minor in (('JPY', 1500, 1500), ('KWD', '1.234', 1234), ('EUR', 19.99, 1999)):
            with self.subTest(currency):
                row = self.make(
                    entity_id=self.entity(currency), invoice_currency=currency, line_items=[{'amount': amount}]
                )
                self.assertEqual((row['amount']['amount'], row['amount']['currency_code']), (minor, currency))
        foreign = self.make(invoice_currency='EUR')
        self.assertEqual((foreign['amount']['currency_code'], foreign['fx_conversion_rate']), ('EUR', '1.0873'))
        self.assertInvalid(self.post(invoice_currency='JPY'), 422, 'line_items')
        self.assertInvalid(self.post(line_items=[{'amount': '0.001'}]), 422, 'line_items')
        self.assertInvalid(self.post(line_items=[{'amount': 0}]), 400, 'line_items')
        self.assertInvalid(self.post(line_items=[{'amount': 1}, {'amount': -2}]), 400, 'line_items')
        self.assertInvalid(self.post(invoice_currency='XTS'), 400, 'invoice_currency')

    def test_lines_of_stock(self):
        item = {'quantity': '2.25', 'unit_price': '0.333', 'memo': 'Pens', 'accounting_field_selections': self.code()}
        row = self.make(line_items=[{'amount': -0.25}], inventory_line_items=[item])
        [line] = row['inventory_line_items']
        self.assertEqual((line['quantity'], line['unit_price']['amount'], line['amount']['amount']), (2.25, 33, 75))
        self.assertEqual(row['amount']['amount'], 50)
        self.assertInvalid(self.post(inventory_line_items=[{**item, 'quantity': -1}]), 422, 'inventory_line_items')

    def test_unknown_references(self):
        other = self.ramp.add_vendor('Other')
        stranger = self.ramp.state['vendors'].rows[other]['contacts'][0]
        self.assertInvalid(self.post(vendor_id=NOBODY), 400, 'vendor_id')
        self.assertInvalid(self.post(entity_id=NOBODY), 400, 'entity_id')
        self.assertInvalid(self.post(vendor_contact_id=stranger), 400, 'vendor_contact_id')
        self.assertInvalid(self.post(attachment_id=NOBODY), 400, 'attachment_id')
        for changes in ({'draft': True}, {'draft': False, 'is_active': False}):
            self.ramp.update_vendor(self.vendor, **changes)
            self.assertInvalid(self.post(), 400, 'vendor_id')

    def test_coding(self):
        row = self.make(
            accounting_field_selections=self.code('a', 'plan-1'),
            line_items=[{'amount': 5, 'accounting_field_selections': self.code() + self.code('eu', 'plan-2')}],
        )
        self.assertEqual([item['external_id'] for item in row['accounting_field_selections']], ['a'])
        told = row['line_items'][0]['accounting_field_selections']
        self.assertEqual([item['category_info']['type'] for item in told], ['GL_ACCOUNT', 'OTHER'])

        def refuse(selection, status, code):
            answer = self.post(line_items=[{'amount': 5, 'accounting_field_selections': selection}])
            self.assertRefused(answer, status, code)

        refuse(self.code(field='nothing'), 400, 'DEVELOPER_7122')
        refuse(self.code('9999'), 400, 'DEVELOPER_7123')
        refuse([{'field_external_id': 'Category'}], 422, 'DEVELOPER_7001')
        refuse([{**self.code()[0], 'free_form_text': 'x'}], 422, 'DEVELOPER_7001')
        refuse([{'field_external_id': 'plan-1', 'free_form_text': 'x'}], 400, 'DEVELOPER_7123')
        option = self.ramp.state['accounts'].list_named_rows('6100')[0]
        self.client.delete(f'/accounting/accounts/{option["ramp_id"]}')
        refuse(self.code(), 400, 'DEVELOPER_7123')

    def test_free_text(self):
        field = {'id': 'note', 'name': 'Note', 'input_type': 'FREE_FORM_TEXT'}
        self.client.post('/accounting/fields', json=field)
        selection = {'field_external_id': 'note', 'free_form_text': 'Room 7'}
        row = self.make(line_items=[{'amount': 5, 'accounting_field_selections': [selection]}])
        self.assertEqual(row['line_items'][0]['accounting_field_selections'][0]['name'], 'Room 7')

    def test_a_required_field_keeps_it_from_being_ready(self):
        field = {'id': 'team', 'name': 'Team', 'input_type': 'FREE_FORM_TEXT', 'is_required_for': ['BILL']}
        self.client.post('/accounting/fields', json=field)
        text = [{'field_external_id': 'team', 'free_form_text': 'Red'}]
        coded = {'amount': 5, 'accounting_field_selections': text}
        ident = self.make(line_items=[coded, {'amount': 5}])['id']
        self.assertEqual(self.ids('/bills', sync_ready='true'), [])
        self.assertEqual(self.send('BILL_SYNC', ident).status_code, 422)
        self.assertEqual(self.make(accounting_field_selections=text)['approval_status'], 'APPROVED')
        self.assertEqual(len(self.ids('/bills', sync_ready='true')), 1)
        answer = self.client.patch(f'/bills/{ident}', json={'line_items': [coded]})
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(len(self.ids('/bills', sync_ready='true')), 2)
        # What the seed and people create is coded as the accountants want.
        self.ramp.add_bill(amount_minor=1)
        self.assertEqual(len(self.ids('/bills', sync_ready='true')), 3)

    def test_remote_id_needs_a_connection(self):
        self.assertInvalid(self.post(remote_id='7', enable_accounting_sync=False), 422, 'remote_id')
        self.client.delete('/accounting/connection')
        self.assertInvalid(self.post(remote_id='7'), 422, 'remote_id')
        row = self.make(enable_accounting_sync=False)
        self.assertFalse(row['enable_accounting_sync'])
        self.assertNotIn('remote_id', row)
        self.assertEqual(self.ids('/bills', sync_ready='true'), [])

    def test_default_contact(self):
        row = self.make(use_default_vendor_contact=True, vendor_contact_id=None)
        self.assertEqual(row['vendor_contact_id'], self.contact)
        self.assertInvalid(self.post(use_default_vendor_contact=True), 422, 'vendor_contact_id')
        lonely = self.ramp.add_vendor('Lonely', contacts=0)
        answer = self.post(vendor_id=lonely, use_default_vendor_contact=True, vendor_contact_id=None)
        self.assertInvalid(answer, 400, 'use_default_vendor_contact')

    def test_a_lost_answer_leaves_a_bill(self):
        """There is no idempotency key, and neither the number nor the remote id is unique."""
        self.ramp.faults.add_fault('error_after', path='/bills', method='POST', count=1)
        self.assertEqual(self.post(remote_id='7').status_code, 500)
        self.assertEqual(len(self.ids('/bills', remote_id='7')), 1)
        self.ramp.faults.add_fault('drop_after', path='/bills', method='POST', count=1)
        with self.assertRaises(requests.ConnectionError):
            self.post(remote_id='7')
        self.make(remote_id='7')
        self.assertEqual(len(self.ids('/bills', remote_id='7', invoice_number='BILL/2026/0007')), 3)

    def test_no_scope_no_product(self):
        for scope in ('bills:read', 'bills:read accounting:write'):
            self.client.sign_in(scope)
            self.assertRefused(self.post(), 403, 'DEVELOPER_7100')
        self.sign_in()
        self.client = self.sign_in()
        ident = self.make()['id']
        self.ramp.bill_pay = False
        self.assertRefused(self.post(), 403, 'DEVELOPER_7101')
        self.assertRefused(self.patch(ident, memo='x'), 403, 'DEVELOPER_7101')
        self.assertRefused(self.client.delete(f'/bills/{ident}'), 403, 'DEVELOPER_7101')
        self.assertEqual(self.bill(ident)['id'], ident)


@tagged('ramp_simulator')
class TestInstructedPayments(CreatedBillsCase):
    def test_bank_transfer(self):
        row = self.make(payment_details=self.details(is_same_day=True), payment_date='2026-08-20')
        payment = row['payment']
        self.assertEqual((row['status_summary'], payment['payment_date'][:10]), ('PAYMENT_SCHEDULED', '2026-08-20'))
        self.assertEqual(payment['details']['source_bank_account_id'], self.bank)
        self.assertEqual(payment['details']['vendor_account_id'], self.account)
        self.assertTrue(payment['details']['is_same_day'])
        self.assertIsNone(payment['effective_date'])

    def test_ramp_moves_the_day(self):
        for wanted, day in (('2026-08-22', '2026-08-24'), ('2026-08-01', '2026-08-17')):
            row = self.make(payment_details=self.details(), payment_date=wanted)
            self.assertEqual(row['payment']['payment_date'][:10], day)
        row = self.make(payment_details=self.details(payment_arrival_date='2026-08-26'))
        self.assertEqual(row['payment']['payment_date'][:10], '2026-08-21')

    def test_details_that_do_not_fit(self):
        for method, details in (
            ('ACH', self.details(source_bank_account_id=None)),
            ('ACH', {'payment_arrival_date': '2026-08-26', 'source_bank_account_id': self.bank}),
            ('CHECK', self.details()),
            ('ONE_TIME_CARD', self.details()),
            ('CARD', self.details()),
            ('PAID_MANUALLY', {'manual_payment_method': 'CASH'}),
            ('SWIFT', self.details(is_same_day=True)),
        ):
            with self.subTest(method):
                answer = self.post(payment_method=method, payment_details=details)
                self.assertInvalid(answer, 422, 'payment_details')
        self.assertInvalid(self.post(payment_method='PAID_MANUALLY'), 422, 'payment_details')
        self.assertInvalid(self.post(payment_date='2026-08-20'), 422, 'payment_date')
        self.assertInvalid(self.post(payment_method='CARD', payment_date='2026-08-20'), 422, 'payment_date')
        self.assertInvalid(self.post(target_payment_arrival_date='2026-08-20'), 422, 'target_payment_arrival_date')
        abroad = self.ramp.state['entities'].rows[self.entity('EUR')]['payment_accounts'][0]['id']
        stranger = self.ramp.add_vendor('Other', accounts=1)
        foreign = next(self.ramp.state['vendor_accounts'].walk_rows(bucket=stranger))['id']
        for details in (
            self.details(source_bank_account_id=abroad),
            self.details(vendor_account_id=foreign),
            self.details(vendor_account_id=NOBODY),
        ):
            self.assertInvalid(self.post(payment_details=details), 400, 'payment_details')
        answer = self.post(payment_method='SWIFT', payment_details=self.details())
        self.assertInvalid(answer, 400, 'payment_details')

    def test_check(self):
        details = self.details()
        del details['vendor_account_id']
        payment = self.make(payment_method='CHECK', payment_details=details)['payment']
        self.assertEqual((payment['payment_method'], payment['payment_date'][:10]), ('CHECK', '2026-08-19'))
        self.assertIsNone(payment['details']['vendor_account_id'])

    def test_paid_in_the_books(self):
        details = {'manual_payment_method': 'PAID_IN_ERP', 'payment_date': '2026-08-11'}
        row = self.make(payment_method='PAID_MANUALLY', payment_details=details)
        self.assertEqual((row['status'], row['status_summary']), ('PAID', 'PAYMENT_COMPLETED'))
        self.assertEqual(row['payment']['details']['manual_payment_method'], 'PAID_IN_ERP')
        self.assertEqual(row['payment']['payment_date'][:10], '2026-08-11')

    def test_card(self):
        limit = {'spend_limit_id': NOBODY}
        row = self.make(payment_method='CARD', payment_details=limit)
        self.assertEqual((row['status'], row['status_summary']), ('OPEN', 'WAITING_FOR_TRANSACTION_MATCH'))
        spent = self.ramp.add_transaction(amount_minor=10025)
        row = self.make(payment_method='CARD', payment_details={**limit, 'transaction_id': spent})
        self.assertEqual((row['status'], row['payment']['details']['transaction_ids']), ('PAID', [spent]))
        self.assertEqual(row['payment']['details']['fund_id'], NOBODY)
        answer = self.post(payment_method='CARD', payment_details={**limit, 'transaction_id': NOBODY})
        self.assertInvalid(answer, 400, 'payment_details')

    def test_default_method(self):
        values = {'use_default_payment_method': True, 'payment_method': None}
        row = self.make(**values)
        self.assertEqual((row['status_summary'], row['payment']['payment_method']), ('PAYMENT_READY', 'ACH'))
        row = self.make(**values, target_payment_arrival_date='2026-08-26')
        self.assertEqual(row['payment']['payment_date'][:10], '2026-08-21')
        self.assertEqual(row['payment']['details']['vendor_account_id'], self.account)
        self.assertInvalid(self.post(use_default_payment_method=True), 422, 'payment_method')
        answer = self.post(**values, payment_details=self.details())
        self.assertInvalid(answer, 422, 'payment_details')
        bare = self.ramp.add_vendor('Bare')
        contact = self.ramp.state['vendors'].rows[bare]['contacts'][0]
        answer = self.post(**values, vendor_id=bare, vendor_contact_id=contact)
        self.assertInvalid(answer, 400, 'use_default_payment_method')


@tagged('ramp_simulator')
class TestChangeBill(CreatedBillsCase):
    def test_lines_are_replaced_as_a_whole(self):
        ident = self.make(line_items=[{'amount': 1}, {'amount': 2}])['id']
        item = {'quantity': 2, 'unit_price': 3}
        row = self.change(ident, inventory_line_items=[item])
        self.assertEqual((len(row['line_items']), row['amount']['amount']), (2, 900))
        row = self.change(ident, line_items=[{'amount': '7.50', 'memo': 'One'}], inventory_line_items=None)
        self.assertEqual((len(row['line_items']), row['inventory_line_items']), (1, []))
        self.assertEqual((row['amount']['amount'], row['line_items'][0]['memo']), (750, 'One'))
        self.assertInvalid(self.patch(ident, line_items=[]), 422, 'line_items')
        self.assertInvalid(self.patch(ident, line_items=[{'amount': -1}]), 400, 'line_items')
        self.assertEqual(self.bill(ident), row)

    def test_other_fields(self):
        ident = self.make(memo='Old', posting_date='2026-08-12')['id']
        row = self.change(ident, memo=None, vendor_memo='Hi', invoice_number='8', remote_id='9', due_at='2026-10-01')
        self.assertNotIn('memo', row)
        self.assertEqual((row['vendor_memo'], row['invoice_number'], row['remote_id']), ('Hi', '8', '9'))
        self.assertEqual(row['due_at'][:10], '2026-10-01')
        row = self.change(ident, posting_date=None, issued_at='2026-08-11')
        self.assertNotIn('posting_date', row)
        self.assertEqual((row['accounting_date'][:10], row['issued_at'][:10]), ('2026-08-11', '2026-08-11'))
        row = self.change(ident, accounting_field_selections=self.code('a', 'plan-1'), entity_id=self.entity('EUR'))
        self.assertEqual((row['entity_id'], len(row['accounting_field_selections'])), (self.entity('EUR'), 1))
        other = self.ramp.add_vendor('Other')
        row = self.change(ident, vendor_id=other)
        contact = self.ramp.state['vendors'].rows[other]['contacts'][0]
        self.assertEqual((row['vendor']['name'], row['vendor_contact_id']), ('Other', contact))
        self.assertInvalid(self.patch(ident, vendor_contact_id=self.contact), 400, 'vendor_contact_id')
        self.assertInvalid(self.patch(ident, invoice_currency='EUR'), 422, 'invoice_currency')
        self.assertInvalid(self.patch(ident, due_at=None), 422, 'due_at')
        self.assertRefused(self.patch(NOBODY, memo='x'), 404, 'DEVELOPER_7002')
        self.client.delete('/accounting/connection')
        self.assertInvalid(self.patch(ident, remote_id='8'), 422, 'remote_id')

    def test_only_approved_ones(self):
        for status in ('PENDING', 'REJECTED', 'INITIALIZED'):
            ident = self.ramp.add_bill(amount_minor=100, approval_status=status)
            self.assertRefused(self.patch(ident, memo='x'), 400, 'DEVELOPER_7001')
        gone = self.make()['id']
        self.client.delete(f'/bills/{gone}')
        self.assertRefused(self.patch(gone, memo='x'), 400, 'DEVELOPER_7001')

    def test_what_is_in_the_books_stays(self):
        ident = self.make()['id']
        self.send('BILL_SYNC', ident)
        answer = self.patch(ident, line_items=[{'amount': 1}], invoice_number='8', memo='x')
        self.assertInvalid(answer, 400, 'invoice_number', 'line_items')
        self.assertEqual(self.change(ident, memo='x', payment_method='CHECK')['memo'], 'x')

    def test_what_is_paid_stays(self):
        ident = self.make()['id']
        for status in ('processing', 'completed'):
            self.ramp.pay_bill(ident, status=status)
            answer = self.patch(ident, line_items=[{'amount': 1}], payment_date=None, memo='x')
            self.assertInvalid(answer, 400, 'line_items', 'payment_date')
        self.assertEqual(self.change(ident, memo='x')['memo'], 'x')

    def test_schedule(self):
        ident = self.make()['id']
        row = self.change(ident, payment_date='2026-08-22')
        self.assertEqual(
            (row['status_summary'], row['payment']['payment_date'][:10]), ('PAYMENT_SCHEDULED', '2026-08-24')
        )
        payment = row['payment']['id']
        row = self.change(ident, payment_date='2026-08-26', line_items=[{'amount': 5}])
        self.assertEqual((row['payment']['id'], row['payment']['amount']['amount']), (payment, 500))
        row = self.change(ident, payment_date=None)
        self.assertEqual((row['status_summary'], row['payment']['id']), ('PAYMENT_READY', None))
        self.change(ident, payment_date='2026-08-26')
        row = self.change(ident, payment_method='CARD')
        self.assertEqual(row['status_summary'], 'WAITING_FOR_TRANSACTION_MATCH')
        self.assertInvalid(self.patch(ident, payment_date='2026-08-26'), 422, 'payment_date')
        self.assertInvalid(self.patch(ident, payment_method='UNSPECIFIED'), 422, 'payment_method')

    def test_purchase_orders(self):
        order = self.ramp.add_purchase_order(
            vendor=self.vendor, lines=[{'unit_price': 500, 'quantity': 4}], three_way_match=True
        )
        receipt = self.ramp.add_item_receipt(order)
        [line] = [item['id'] for item in self.ramp.state['purchase_orders'].rows[order]['line_items']]
        matched = [{'amount': 20, 'purchase_order_line_item_id': line}]
        self.assertInvalid(self.post(line_items=matched, purchase_order_ids=[order]), 422, 'line_items')
        row = self.make(purchase_order_ids=[order])
        self.assertEqual((row['purchase_order_id'], row['item_receipt_ids']), (order, [receipt]))
        self.assertIsNone(row['line_items'][0]['purchase_order_line_item_id'])
        row = self.change(row['id'], line_items=matched)
        [told] = row['line_items']
        self.assertEqual(told['purchase_order_line_item_id'], line)
        received = self.client.get(f'/item-receipts/{receipt}').json()['line_items'][0]['id']
        self.assertEqual(told['item_receipt_line_item_ids'], [received])
        path = f'/purchase-orders/{order}'
        self.assertEqual(self.client.get(path).json()['bill_ids'], [row['id']])
        self.assertEqual(self.ramp.read_order_totals(order)[0]['billed_minor'], 2000)
        other = self.ramp.add_purchase_order(vendor=self.vendor)
        row = self.change(row['id'], purchase_order_ids=[other, order])
        self.assertEqual(row['purchase_order_id'], other)
        self.assertEqual(
            [self.client.get(f'/purchase-orders/{i}').json()['bill_ids'] for i in (other, order)], [[row['id']]] * 2
        )
        row = self.change(row['id'], purchase_order_ids=[])
        self.assertNotIn('purchase_order_id', row)
        self.assertIsNone(row['line_items'][0]['purchase_order_line_item_id'])
        self.assertInvalid(self.patch(row['id'], line_items=matched), 400, 'line_items')

    def test_orders_that_do_not_fit(self):
        for values in (
            {'vendor': 'Other'},
            {'vendor': self.vendor, 'approved': False},
            {'vendor': self.vendor, 'currency': 'EUR'},
        ):
            order = self.ramp.add_purchase_order(**values)
            self.assertInvalid(self.post(purchase_order_ids=[order]), 400, 'purchase_order_ids')
        gone = self.ramp.add_purchase_order(vendor=self.vendor)
        self.ramp.archive_purchase_order(gone)
        for ident in (gone, NOBODY):
            self.assertInvalid(self.post(purchase_order_ids=[ident]), 400, 'purchase_order_ids')
        self.ramp.ramp_plus = False
        self.assertRefused(self.post(purchase_order_ids=[gone]), 403, 'DEVELOPER_7101')


@tagged('ramp_simulator')
class TestBillFiles(CreatedBillsCase):
    def test_one_invoice_and_many_files(self):
        ident = self.make()['id']
        path = f'/bills/{ident}/attachments'
        made = self.upload(path)
        self.assertEqual((made.status_code, list(made.json())), (201, ['id']))
        [url] = self.bill(ident)['invoice_urls']
        content = requests.get(url, timeout=20)
        self.assertEqual((content.content, content.headers['Content-Type']), (PDF, 'application/pdf'))
        self.assertIn('Invoice%207.pdf', url)
        self.assertInvalid(self.upload(path), 400, 'attachment_type')
        for _number in range(2):
            self.assertEqual(self.upload(path, 'FILE').status_code, 201)
        self.assertEqual(len(self.bill(ident)['invoice_urls']), 1)
        again = self.make(attachment_id=made.json()['id'])
        self.assertEqual(requests.get(again['invoice_urls'][0], timeout=20).content, PDF)

    def test_part_named_as_the_contract_says(self):
        """The contract wants the disposition "attachment"; most clients send "form-data"."""
        ident, mark = self.make()['id'], 'end-of-part'
        parts = (('form-data; name="attachment_type"', b'INVOICE'), ('attachment; name="file"; filename="7.pdf"', PDF))
        body = b''.join(
            f'--{mark}\r\nContent-Disposition: {kind}\r\n\r\n'.encode() + data + b'\r\n' for kind, data in parts
        )
        answer = self.client.post(
            f'/bills/{ident}/attachments',
            data=body + f'--{mark}--\r\n'.encode(),
            headers={'Content-Type': f'multipart/form-data; boundary={mark}'},
        )
        self.assertEqual(answer.status_code, 201, answer.text)
        [url] = self.bill(ident)['invoice_urls']
        self.assertEqual(requests.get(url, timeout=20).content, PDF)

    def test_refusals(self):
        ident = self.make()['id']
        path = f'/bills/{ident}/attachments'
        self.assertInvalid(self.upload(path, content=b'\x89PNG\r\n'), 400, 'file')
        self.assertInvalid(self.upload(path, content=b''), 400, 'file')
        self.assertInvalid(self.upload(path, 'EMAIL'), 422, 'attachment_type')
        self.assertInvalid(self.client.post(path, files={'file': ('a.pdf', PDF)}), 422, 'attachment_type')
        self.assertInvalid(self.client.post(path, data={'attachment_type': 'FILE'}), 422, 'file')
        self.assertInvalid(self.client.post(path, json={'attachment_type': 'FILE'}), 422, 'file')
        self.assertRefused(self.upload(f'/bills/{NOBODY}/attachments'), 404, 'DEVELOPER_7002')
        self.client.delete(f'/bills/{ident}')
        self.assertRefused(self.upload(path), 400, 'DEVELOPER_7001')


@tagged('ramp_simulator')
class TestHolds(CreatedBillsCase):
    def hold(self, ident, **kwargs):
        return self.client.post(f'/bills/{ident}/hold', **kwargs)

    def test_hold_takes_payments_back(self):
        ident = self.make(payment_details=self.details())['id']
        row = self.hold(ident, json={'reason': 'Goods are missing'}).json()
        self.assertEqual((row['status_summary'], row['payment']['id']), ('ON_HOLD', None))
        self.assertEqual(self.hold(ident).status_code, 200)
        self.assertInvalid(self.patch(ident, payment_date='2026-08-20'), 400, 'payment_date')
        row = self.client.post(f'/bills/{ident}/release').json()
        self.assertEqual((row['status_summary'], row['payment']['id']), ('PAYMENT_READY', None))
        self.assertRefused(self.client.post(f'/bills/{ident}/release'), 400, 'DEVELOPER_7001')
        self.assertEqual(self.change(ident, payment_date='2026-08-20')['status_summary'], 'PAYMENT_SCHEDULED')

    def test_refusals(self):
        ident = self.make()['id']
        self.assertInvalid(self.hold(ident, json={'reason': 7}), 422, 'reason')
        self.assertInvalid(self.hold(ident, json={'why': 'x'}), 422, 'why')
        self.ramp.pay_bill(ident, status='processing')
        self.assertRefused(self.hold(ident), 400, 'DEVELOPER_7001')
        self.ramp.pay_bill(ident)
        self.assertRefused(self.hold(ident), 400, 'DEVELOPER_7001')
        self.assertRefused(self.hold(NOBODY), 404, 'DEVELOPER_7002')
        gone = self.make()['id']
        self.client.delete(f'/bills/{gone}')
        self.assertRefused(self.hold(gone), 400, 'DEVELOPER_7001')
        self.assertRefused(self.client.post(f'/bills/{gone}/release'), 400, 'DEVELOPER_7001')


@tagged('ramp_simulator')
class TestPeopleAndCreatedBills(CreatedBillsCase):
    """What people do in Ramp with a bill that the API created."""

    def test_pay_return_and_pay_again(self):
        ident = self.make(payment_details=self.details())['id']
        payment = self.bill(ident)['payment']['id']
        self.assertEqual(self.ramp.pay_bill(ident, status='processing'), payment)
        self.assertEqual(self.client.get(f'/bills/{ident}/remittance-receipt').status_code, 400)
        self.ramp.pay_bill(ident)
        self.assertEqual(self.bill(ident)['status'], 'PAID')
        receipt = self.client.get(f'/bills/{ident}/remittance-receipt')
        self.assertEqual((receipt.headers['Content-Type'], receipt.content[:5]), ('application/pdf', b'%PDF-'))
        self.ramp.pay_bill(ident, status='failed')
        self.assertEqual(self.bill(ident)['status_summary'], 'PAYMENT_ERROR')
        self.ramp.pay_bill(ident, method='CARD', transaction=True)
        row = self.bill(ident)
        self.assertEqual((row['status'], row['payment']['payment_method']), ('PAID', 'CARD'))
        self.assertEqual(self.client.get(f'/bills/{NOBODY}/remittance-receipt').status_code, 404)

    def test_batch_and_parts(self):
        first, second = (self.make(invoice_number=number)['id'] for number in 'ab')
        payment = self.ramp.pay_bill([first, second], status='scheduled')
        self.assertEqual(self.ids('/bills', payment_id=payment), [first, second])
        self.assertRefused(self.client.delete(f'/bills/{first}'), 400, 'DEVELOPER_7001')
        self.ramp.pay_bill([first, second])
        self.assertEqual(self.bill(second)['status'], 'PAID')
        third = self.make()['id']
        self.ramp.pay_bill(third, amount_minor=25)
        self.assertEqual(self.bill(third)['status'], 'OPEN')
        self.ramp.pay_bill(third)
        self.assertEqual(self.bill(third)['status'], 'PAID')
        self.assertRefused(self.client.delete(f'/bills/{third}'), 400, 'DEVELOPER_7001')

    def test_archive(self):
        ident = self.make(payment_details=self.details())['id']
        self.assertEqual(self.client.delete(f'/bills/{ident}').status_code, 204)
        row = self.bill(ident)
        self.assertEqual((row['status_summary'], row['payment']['id']), ('ARCHIVED', None))
        self.assertEqual(self.ids('/bills'), [])
        self.assertEqual(self.ids('/bills', is_archived='true'), [ident])
        self.assertRefused(self.client.delete(f'/bills/{ident}'), 400, 'DEVELOPER_7001')
        self.assertRefused(self.client.delete(f'/bills/{NOBODY}'), 404, 'DEVELOPER_7002')

    def test_edit(self):
        ident = self.make(remote_id='7')['id']
        self.ramp.update_bill(ident, amount_minor=9900, invoice_number='BILL-7', vendor='Other')
        row = self.bill(ident)
        self.assertEqual(
            (row['amount']['amount'], row['invoice_number'], row['vendor']['name']), (9900, 'BILL-7', 'Other')
        )
        self.assertEqual(row['remote_id'], '7')

    def test_both_syncs(self):
        ident = self.make()['id']
        self.assertEqual(self.send('BILL_SYNC', ident).status_code, 201)
        self.assertEqual(self.send('BILL_PAYMENT_SYNC', ident).status_code, 422)
        self.ramp.pay_bill(ident)
        self.assertEqual(self.send('BILL_PAYMENT_SYNC', ident).status_code, 201)
        self.assertEqual(self.bill(ident)['sync_status'], 'BILL_AND_PAYMENT_SYNCED')


@tagged('ramp_simulator')
class TestEventsOfCreatedBills(CreatedBillsCase):
    options = {'webhooks': {'held': True}}

    def setUp(self):
        super().setUp()
        self.ramp.add_subscription('http://127.0.0.1:9/hook')

    def caused(self):
        found = [event['type'] for event in self.ramp.webhooks.pending_events]
        self.ramp.webhooks.drop_pending()
        return found

    def test_the_life_of_a_bill(self):
        ident = self.make()['id']
        self.assertEqual(self.caused(), ['bills.created', 'bills.approved', 'bills.ready_to_sync'])
        self.change(ident, memo='x')
        self.assertEqual(self.caused(), ['bills.updated'])
        self.change(ident, payment_date='2026-08-20')
        self.assertEqual(self.caused(), ['payments.updated'])
        self.ramp.pay_bill(ident)
        self.assertEqual(self.caused(), ['payments.updated', 'bills.paid'])
        other = self.make(payment_details=self.details())['id']
        self.assertEqual(self.caused(), ['bills.created', 'bills.approved', 'bills.ready_to_sync', 'payments.updated'])
        self.client.delete(f'/bills/{other}')
        self.assertEqual(self.caused(), ['bills.archived'])


@tagged('ramp_simulator')
class TestCreateBillWithoutContract(TestCreateBill):
    """The same rules on a machine without the contract."""

    options = {'validate': False}


@tagged('ramp_simulator')
class TestChangeBillWithoutContract(TestChangeBill):
    """The same rules on a machine without the contract."""

    options = {'validate': False}


@tagged('ramp_simulator')
class TestHoldsWithoutContract(TestHolds):
    """The same rules on a machine without the contract."""

    options = {'validate': False}
