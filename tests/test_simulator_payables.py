"""The simulator's payables over real HTTP: vendors, bills and their payments, credits, reimbursements, repayments."""

import copy
import unittest
from collections import Counter
from unittest.mock import patch
from urllib.parse import urlsplit

import requests

from odoo.tests import tagged

from ..simulator import Seed, auth, coding
from ..simulator.endpoints import bills as bills_module
from .test_simulator import CONTRACT, SimulatorCase

NOBODY = '00000000-0000-4000-8000-000000000000'
PLANS = [
    {
        'field_id': 'plan-1',
        'field_name': 'Projects',
        'options': [{'id': 'a', 'value': 'Move'}, {'id': 'b', 'value': 'Fair'}],
    },
    {'field_id': 'plan-2', 'field_name': 'Markets', 'options': [{'id': 'eu', 'value': 'Europe'}]},
]


class PayablesCase(SimulatorCase):
    seed = {'transactions': 0, 'accounts': [{'id': '6100', 'code': '61', 'name': 'Software'}], 'analytics': PLANS}

    def setUp(self):
        super().setUp()
        self.client.seat(vendor_credits_enabled=True)

    def sign_in(self, ramp=None, **kwargs):
        return super().sign_in(ramp, **{'scope': ' '.join(auth.SCOPES), **kwargs})

    def bill(self, ident):
        answer = self.client.get(f'/bills/{ident}')
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()

    def ids(self, path, **params):
        return [row['id'] for row in self.client.every(path, **params)]

    def send(self, sync_type, *idents, error=None, **more):
        self.sent = getattr(self, 'sent', 0) + 1
        items = [
            {'id': ident, 'error': {'message': error}}
            if error
            else {'id': ident, 'reference_id': f'move-{ident}', **more}
            for ident in idents
        ]
        body = {'idempotency_key': f'key {self.sent}', 'sync_type': sync_type}
        return self.client.post(
            '/accounting/syncs', json={**body, 'failed_syncs' if error else 'successful_syncs': items}
        )

    def entity(self, currency):
        return self.ramp.state['entities'].find_first_row(currency=currency)['id']


@tagged('ramp_simulator')
class TestVendors(PayablesCase):
    def test_lists_hide_drafts_and_tell_no_change_time(self):
        acme = self.ramp.add_vendor('Acme', external_vendor_id='EXT-1')
        draft = self.ramp.add_vendor('Draft', draft=True, approval_status='PENDING', created=self.clock.now)
        gone = self.ramp.add_vendor('Gone', is_active=False)
        self.assertEqual(self.ids('/vendors'), [acme, gone])
        self.assertEqual(self.ids('/vendors', include_draft='true'), [acme, draft, gone])
        self.assertEqual(self.ids('/vendors', is_active='false'), [gone])
        self.assertEqual(self.ids('/vendors', name='Acme'), [acme])
        self.assertEqual(self.ids('/vendors', external_vendor_id='EXT-1'), [acme])
        self.clock.forward(hours=1)
        self.ramp.update_vendor(gone, description='closed')
        self.assertEqual(self.ids('/vendors', from_updated_at=self.clock.now.isoformat()), [gone])
        row = self.client.get(f'/vendors/{gone}').json()
        self.assertNotIn('updated_at', row)
        self.assertEqual((row['approval_status'], row['description']), ('APPROVED', 'closed'))
        self.assertEqual(self.client.get(f'/vendors/{draft}').json()['approval_status'], 'PENDING')
        self.assertRefused(self.client.get(f'/vendors/{NOBODY}'), 404, 'DEVELOPER_7002')

    def test_empty_fields_are_left_out_not_null(self):
        bare = self.ramp.add_vendor('Bare', country='DE', address=None, contacts=0)
        row = self.client.get('/vendors').json()['data'][0]
        self.assertEqual(row['id'], bare)
        self.assertEqual((row['contacts'], row['addresses'], row['external_vendor_id']), ([], [], None))
        self.assertFalse({'address', 'state', 'description', 'tax_address', 'merchant_id', 'subsidiary'} & set(row))
        told = self.client.get('/vendors', params={'include_subsidiary': 'true'}).json()['data'][0]
        self.assertEqual(told['subsidiary'], [])

    def test_contacts_and_bank_accounts_belong_to_one_vendor(self):
        one = self.ramp.add_vendor('One', contacts=3, accounts=2, currency='EUR', custom={'Tax ID': 'DE123'})
        two = self.ramp.add_vendor('Two', contacts=[{'email': 'a@b.example', 'first_name': 'Ada'}])
        found = self.client.every(f'/vendors/{one}/contacts', page_size=2)
        self.assertEqual([row['is_default'] for row in found], [True, False, False])
        self.assertEqual([row['id'] for row in found], self.client.get(f'/vendors/{one}').json()['contacts'])
        self.assertEqual(self.client.get(f'/vendors/{one}/contacts/{found[1]["id"]}').json(), found[1])
        self.assertRefused(self.client.get(f'/vendors/{two}/contacts/{found[1]["id"]}'), 404, 'DEVELOPER_7002')
        accounts = self.client.every(f'/vendors/{one}/accounts')
        self.assertEqual([(row['currency'], row['is_default']) for row in accounts], [('EUR', True), ('EUR', False)])
        self.assertEqual(self.client.get(f'/vendors/{one}/accounts/{accounts[0]["id"]}').json(), accounts[0])
        row = self.client.get(f'/vendors/{one}').json()
        self.assertEqual(row['default_payment_method']['policy']['data'], accounts[0])
        self.assertEqual(row['custom_record_fields'][0]['value']['value'], 'DE123')

    def test_create(self):
        contact = {'email': 'ap@new.example', 'first_name': 'Ada'}
        body = {
            'name': 'New',
            'country': 'US',
            'state': 'NY',
            'business_vendor_contacts': contact,
            'external_vendor_id': 'o-1',
        }
        for wrong, status, code in (
            ({'state': None}, 400, 'DEVELOPER_7080'),
            ({'business_vendor_contacts': [contact]}, 422, 'DEVELOPER_7001'),
            ({'business_vendor_contacts': {'first_name': 'Ada'}}, 422, 'DEVELOPER_7001'),
            ({'vat': '1'}, 422, 'DEVELOPER_7001'),
            ({'address': {'address_line_1': '1', 'city': 'X', 'postal_code': '1'}}, 400, 'DEVELOPER_7080'),
            ({'accounting_vendor_remote_id': 'nobody'}, 400, 'DEVELOPER_7001'),
        ):
            with self.subTest(wrong):
                self.assertRefused(self.client.post('/vendors', json={**body, **wrong}), status, code)
        self.assertEqual(self.ids('/vendors'), [])
        made = self.client.post('/vendors', json=body)
        self.assertEqual(made.status_code, 200)
        self.assertEqual(
            (made.json()['name'], made.json()['state'], made.json()['external_vendor_id']), ('New', 'NY', 'o-1')
        )
        self.assertEqual(self.client.every(f'/vendors/{made.json()["id"]}/contacts')[0]['email'], 'ap@new.example')
        german = self.client.post('/vendors', json={**body, 'country': 'DE', 'state': None})
        self.assertEqual(german.status_code, 200, german.text)

    def test_change(self):
        acme = self.ramp.add_vendor('Acme')
        path = f'/vendors/{acme}'
        self.assertRefused(self.client.patch(path, json={'name': 'Other'}), 422, 'DEVELOPER_7001')
        self.assertRefused(
            self.client.patch(path, json={'business_vendor_contacts': {'email': 'a@b'}}), 422, 'DEVELOPER_7001'
        )
        self.assertRefused(self.client.patch(path, json={'state': None}), 400, 'DEVELOPER_7080')
        address = {'address_line_1': '9 Elm St', 'city': 'Salem', 'postal_code': '97301', 'state': 'OR'}
        row = self.client.patch(path, json={'external_vendor_id': 'o-2', 'is_active': False, 'address': address}).json()
        self.assertEqual((row['name'], row['external_vendor_id'], row['is_active']), ('Acme', 'o-2', False))
        self.assertEqual(
            (row['address']['city'], row['addresses'][0]['city'], row['addresses'][0]['country']),
            ('Salem', 'Salem', 'US'),
        )

    def test_link_to_one_accounting_vendor(self):
        uploaded = self.client.post(
            '/accounting/vendors', json={'vendors': [{'id': 'p-7', 'name': 'Acme in the books', 'code': 'A7'}]}
        )
        one, two = self.ramp.add_vendor('One'), self.ramp.add_vendor('Two')
        bill = self.ramp.add_bill(vendor=one, amount_minor=100)
        self.assertNotIn('remote_id', self.bill(bill)['vendor'])
        linked = self.client.patch(f'/vendors/{one}', json={'accounting_vendor_remote_id': 'p-7'}).json()
        self.assertEqual(linked['accounting_vendor_remote_id'], 'p-7')
        self.assertEqual(
            self.bill(bill)['vendor'],
            {
                'id': one,
                'name': 'One',
                'type': 'BUSINESS',
                'remote_id': 'p-7',
                'remote_name': 'Acme in the books',
                'remote_code': 'A7',
            },
        )
        ramp_id = uploaded.json()['uploaded'][0]
        self.assertRefused(
            self.client.patch(f'/vendors/{two}', json={'vendor_tracking_category_option_id': ramp_id}),
            400,
            'DEVELOPER_7001',
        )
        self.assertEqual(self.ids('/vendors', accounting_vendor_remote_ids='x,p-7'), [one])
        self.assertEqual(self.ids('/vendors', vendor_tracking_category_option_ids=f'{NOBODY},{ramp_id}'), [one])
        self.assertEqual(self.ids('/vendors', vendor_tracking_category_option_ids=NOBODY), [])

    def test_delete_only_what_nothing_hangs_on(self):
        parent, busy = self.ramp.add_vendor('Parent'), self.ramp.add_vendor('Busy')
        child = self.ramp.add_vendor('Child', parent_vendor_id=parent)
        self.ramp.add_bill(vendor=busy, amount_minor=100)
        self.assertEqual(self.ids(f'/vendors/{parent}/children'), [child])
        self.assertEqual([row['is_deletable'] for row in self.client.every('/vendors')], [False, False, True])
        for ident in (parent, busy):
            self.assertRefused(self.client.delete(f'/vendors/{ident}'), 400, 'DEVELOPER_7001')
        for ident in (child, parent):
            self.assertEqual(self.client.delete(f'/vendors/{ident}').status_code, 204)
            self.assertRefused(self.client.get(f'/vendors/{ident}'), 404, 'DEVELOPER_7002')
        self.assertEqual(self.ids('/vendors'), [busy])


@tagged('ramp_simulator')
class TestBills(PayablesCase):
    def test_both_kinds_of_lines_make_the_amount(self):
        ident = self.ramp.add_bill(
            currency='JPY',
            lines=[{'amount_minor': 1000, 'memo': 'paper', 'analytics': {'plan-1': 'a', 'plan-2': 'eu'}}],
            inventory=[{'quantity': 2.5, 'unit_price_minor': 301, 'account': None}],
        )
        row = self.bill(ident)
        self.assertEqual(row['amount'], {'amount': 1752, 'currency_code': 'JPY', 'minor_unit_conversion_rate': 1})
        line, stock = row['line_items'][0], row['inventory_line_items'][0]
        self.assertEqual((line['amount']['amount'], line['memo']), (1000, 'paper'))
        self.assertEqual((stock['amount']['amount'], stock['quantity'], stock['unit_price']['amount']), (752, 2.5, 301))
        self.assertEqual(stock['accounting_field_selections'], [])
        self.assertNotIn('memo', stock)
        self.assertEqual(
            [
                (item['category_info']['type'], item['category_info']['external_id'], item['external_id'])
                for item in line['accounting_field_selections']
            ],
            [('GL_ACCOUNT', 'Category', '6100'), ('OTHER', 'plan-1', 'a'), ('OTHER', 'plan-2', 'eu')],
        )
        # In the smaller form only the category tells the kind of field.
        self.assertFalse({'type', 'source'} & set(line['accounting_field_selections'][0]))
        selection = line['accounting_field_selections'][1]['id']
        self.assertEqual(self.ids('/bills', accounting_field_selection_id=selection), [ident])

    def test_empty_fields_are_left_out_not_null(self):
        row = self.bill(self.ramp.add_bill(amount_minor=100, invoice_number=None))
        self.assertFalse(set(bills_module.OPTIONAL) & set(row))
        self.assertIsNone(row['draft_bill_id'])
        ident = self.ramp.add_bill(amount_minor=100, nulls=True)
        self.assertLessEqual(set(bills_module.OPTIONAL), set(self.bill(ident)))
        self.assertIsNone(self.bill(ident)['remote_id'])
        # A page with several bills does not have these keys either.
        self.assertEqual(len(self.ids('/bills')), 2)

    def test_more_fields(self):
        order, line, receipt = (self.ramp.state.derive_stable_id(name) for name in ('order', 'line', 'receipt'))
        row = self.bill(
            self.ramp.add_bill(
                entity=self.entity('USD'),
                currency='EUR',
                fx_conversion_rate='1.0873',
                date='2026-08-01',
                due='2026-08-31',
                posting_date='2026-08-03',
                remote_id='account.move,7',
                purchase_order_id=order,
                item_receipt_ids=[receipt],
                header=[coding.select_gl_account(self.ramp.state, '6100')],
                lines=[
                    {
                        'amount_minor': 9000,
                        'withheld_minor': 1000,
                        'purchase_order_line_item_id': line,
                        'item_receipt_line_item_ids': [receipt],
                    }
                ],
            )
        )
        self.assertEqual((row['amount']['currency_code'], row['fx_conversion_rate']), ('EUR', '1.0873'))
        self.assertEqual(
            [row[name][:10] for name in ('issued_at', 'due_at', 'posting_date', 'accounting_date')],
            ['2026-08-01', '2026-08-31', '2026-08-03', '2026-08-03'],
        )
        self.assertEqual((row['purchase_order_id'], row['item_receipt_ids']), (order, [receipt]))
        self.assertEqual(row['line_items'][0]['purchase_order_line_item_id'], line)
        self.assertEqual(row['line_items'][0]['withholding_line_item']['withholding_percentage'], '10.00')
        self.assertEqual(row['accounting_field_selections'][0]['external_id'], '6100')
        self.assertEqual(
            self.ids('/bills', remote_id='account.move,7', from_issued_date='2026-08-01T00:00:00Z'), [row['id']]
        )
        self.assertEqual(self.ids('/bills', from_issued_date='2026-08-02T00:00:00Z'), [])

    def test_archived_ones_are_listed_instead(self):
        one, two, paid = (self.ramp.add_bill(amount_minor=100) for _ in range(3))
        self.ramp.pay_bill(paid)
        self.ramp.pay_bill(one, status='scheduled', date='2026-09-01')
        self.assertEqual(self.client.delete(f'/bills/{one}').status_code, 204)
        self.assertEqual(self.ids('/bills'), [two, paid])
        self.assertEqual(self.ids('/bills', is_archived='true'), [one])
        row = self.bill(one)
        self.assertEqual((row['status_summary'], row['payment']['id']), ('ARCHIVED', None))
        self.assertTrue(row['archived_at'])
        self.assertRefused(self.client.delete(f'/bills/{paid}'), 400, 'DEVELOPER_7001')
        self.assertRefused(self.send('BILL_SYNC', one), 422, 'DEVELOPER_7001')
        batch = [self.ramp.add_bill(amount_minor=100) for _ in range(2)]
        self.ramp.pay_bill(batch, status='scheduled')
        self.assertRefused(self.client.delete(f'/bills/{batch[0]}'), 400, 'DEVELOPER_7001')
        with self.assertRaises(ValueError):
            self.ramp.archive_bill(batch[1])

    def test_filters(self):
        euro, small, other = self.ramp.add_vendor('Euro'), self.ramp.add_vendor('Small'), self.entity('EUR')
        one = self.ramp.add_bill(
            vendor=euro, amount_minor=250000, entity=other, approval_status='PENDING', invoice_number='A-1'
        )
        two = self.ramp.add_bill(vendor=small, amount_minor=5000, payment_method='CHECK', enable_accounting_sync=False)
        three = self.ramp.add_bill(vendor=small, amount_minor=700, payment_method='UNSPECIFIED')
        payment = self.ramp.pay_bill(two, date='2026-08-10')
        for params, found in (
            ({'vendor_id': small}, [two, three]),
            ({'entity_id': other}, [one]),
            ({'invoice_number': 'A-1'}, [one]),
            ({'approval_status': 'PENDING'}, [one]),
            ({'approval_status': 'APPROVED'}, [two, three]),
            ({'status_summaries': 'APPROVAL_PENDING,PAYMENT_COMPLETED'}, [one, two]),
            ({'payment_status': 'PAID'}, [two]),
            ({'payment_method': 'CHECK'}, [two]),
            ({'payment_id': payment}, [two]),
            ({'customer_friendly_payment_id': self.bill(two)['payment']['customer_friendly_payment_id']}, [two]),
            ({'is_accounting_sync_enabled': 'false'}, [two]),
            ({'payment_details_missing': 'true'}, [three]),
            ({'payment_details_missing': 'false'}, [one, two, three]),
            ({'from_payment_date': '2026-08-10', 'to_payment_date': '2026-08-10'}, [two]),
            ({'from_payment_date': '2026-08-11'}, []),
            ({'min_amount': '50', 'max_amount': '2500'}, [one, two]),
            ({'sync_status': 'BILL_SYNCED'}, []),
            ({'vendor_id': small, 'sync_status': 'NOT_SYNCED', 'page_size': 2}, [two, three]),
            ({'updated_after': '2030-01-01T00:00:00Z'}, [one, two, three]),  # there is none, so it is ignored
        ):
            with self.subTest(params):
                self.assertEqual(self.ids('/bills', **params), found)
        for wrong in (
            {'status_summaries': 'PAID'},
            {'payment_method': 'RTP'},
            {'from_payment_date': '2026-08-10T00:00:00Z'},
        ):
            self.assertRefused(self.client.get('/bills', params=wrong), 422, 'DEVELOPER_7001')

    def test_pages_of_a_vendor(self):
        vendor = self.ramp.add_vendor('Busy')
        made = []
        for _ in range(5):
            made.append(self.ramp.add_bill(vendor=vendor, amount_minor=100))
            self.ramp.add_bill(vendor='Other', amount_minor=100)
        self.assertEqual(self.ids('/bills', vendor_id=vendor, page_size=2), made)

    def test_changes(self):
        ident = self.ramp.add_bill(lines=[{'amount_minor': 100}, {'amount_minor': 300}])
        self.ramp.update_bill(ident, amount_minor=1000, account='6200', memo='corrected', date='2026-07-01')
        row = self.bill(ident)
        self.assertEqual([line['amount']['amount'] for line in row['line_items']], [250, 750])
        self.assertEqual(row['line_items'][1]['accounting_field_selections'][0]['external_id'], '6200')
        self.assertEqual(
            (row['memo'], row['issued_at'][:10], row['payment']['amount']['amount']), ('corrected', '2026-07-01', 1000)
        )
        self.ramp.update_bill(ident, approval_status='REJECTED')
        self.assertEqual(self.bill(ident)['status_summary'], 'APPROVAL_REJECTED')
        self.ramp.update_bill(ident, status_summary='HELD_BY_PROVIDER')
        self.assertEqual(self.bill(ident)['status_summary'], 'HELD_BY_PROVIDER')
        with self.assertRaises(TypeError):
            self.ramp.update_bill(ident, invoice_nr='1')
        with self.assertRaises(TypeError):
            self.ramp.add_bill(amount_minor=1, invoice_nr='1')

    def test_invoice_files(self):
        ident = self.ramp.add_bill(
            amount_minor=100, invoice_number='R-7', invoices=[{'filename': 'a b ü.pdf'}, {'kind': 'png'}]
        )
        first, second = self.bill(ident)['invoice_urls']
        self.assertIn('/files/invoices/', first)
        content = requests.get(first, timeout=20)
        self.assertEqual(
            (content.status_code, content.headers['Content-Type'], content.content[:5]),
            (200, 'application/pdf', b'%PDF-'),
        )
        self.assertIn(b'Invoice R-7', content.content)
        self.assertEqual(requests.get(second, timeout=20).content[1:4], b'PNG')
        self.assertEqual(self.client.every('/receipts'), [])
        listed = self.client.get('/bills').json()['data'][0]['invoice_urls']
        self.clock.forward(hours=2)
        self.assertEqual(requests.get(first, timeout=20).status_code, 403)
        fresh = self.bill(ident)['invoice_urls'][0]
        self.assertNotIn(fresh, listed)
        self.ramp.faults.add_fault('expired_file', path='/files/invoices/*', count=1)
        self.assertEqual([requests.get(fresh, timeout=20).status_code for _ in range(2)], [403, 200])
        path = urlsplit(fresh).path
        self.assertEqual(
            requests.get(self.ramp.url + path.replace('/invoices/', '/users/'), timeout=20).status_code, 403
        )

    def test_remittance_receipt(self):
        ident = self.ramp.add_bill(amount_minor=100)
        self.assertRefused(self.client.get(f'/bills/{ident}/remittance-receipt'), 400, 'DEVELOPER_7001')
        self.ramp.pay_bill(ident)
        self.assertEqual(self.client.get(f'/bills/{ident}/remittance-receipt').content[:5], b'%PDF-')


@tagged('ramp_simulator')
class TestBillPayments(PayablesCase):
    def stage(self, ident):
        row = self.bill(ident)
        payment = row['payment'] or {}
        return row['status'], row['status_summary'], payment.get('id'), bool(payment.get('effective_date'))

    def test_stages_keep_the_id(self):
        ident = self.ramp.add_bill(amount_minor=5000)
        self.assertEqual(self.stage(ident), ('OPEN', 'PAYMENT_READY', None, False))
        payment = self.ramp.pay_bill(ident, status='scheduled', date='2026-08-14')
        self.assertEqual(self.stage(ident), ('OPEN', 'PAYMENT_SCHEDULED', payment, False))
        self.assertEqual(self.ramp.pay_bill(ident, status='processing'), payment)
        self.assertEqual(self.stage(ident), ('OPEN', 'PAYMENT_PROCESSING', payment, True))
        self.assertNotIn('paid_at', self.bill(ident))
        self.assertEqual(self.ramp.pay_bill(ident), payment)
        self.assertEqual(self.stage(ident), ('PAID', 'PAYMENT_COMPLETED', payment, True))
        row = self.bill(ident)
        self.assertEqual((row['paid_at'][:10], row['payment']['payment_date'][:10]), ('2026-08-15', '2026-08-14'))
        self.assertEqual(row['payment']['details']['schema_type'], 'VendorPaymentDetailsSchema')
        self.assertEqual(row['payment']['trace_id']['descriptor'], 'ACH Trace ID')
        # The list does not show it.
        self.assertIsNone(self.client.get('/bills').json()['data'][0]['payment']['trace_id'])

    def test_failed_again_cancelled_returned(self):
        ident = self.ramp.add_bill(amount_minor=5000)
        first = self.ramp.pay_bill(ident, status='processing')
        self.ramp.pay_bill(ident, status='failed')
        self.assertEqual(self.stage(ident), ('OPEN', 'PAYMENT_ERROR', first, True))
        second = self.ramp.pay_bill(ident)
        self.assertNotEqual(first, second)
        self.assertEqual(self.stage(ident), ('PAID', 'PAYMENT_COMPLETED', second, True))
        self.ramp.pay_bill(ident, status='failed')
        self.assertEqual(self.stage(ident), ('OPEN', 'PAYMENT_ERROR', second, True))
        third = self.ramp.pay_bill(ident, status='scheduled')
        self.assertEqual(self.stage(ident)[:3], ('OPEN', 'PAYMENT_SCHEDULED', third))
        self.ramp.pay_bill(ident, status='cancelled')
        self.assertEqual(self.stage(ident)[0], 'OPEN')

    def test_parts(self):
        ident = self.ramp.add_bill(amount_minor=5000)
        first = self.ramp.pay_bill(ident, amount_minor=2000)
        self.assertEqual(self.stage(ident)[::2], ('OPEN', first))
        self.assertEqual(self.ramp.read_vendor_totals()[0]['open_minor'], 3000)
        second = self.ramp.pay_bill(ident)
        self.assertNotEqual(first, second)
        # Ramp only shows the first payment, whose amount is not the bill's.
        self.assertEqual(self.stage(ident)[::2], ('PAID', first))
        self.assertEqual(self.bill(ident)['payment']['amount']['amount'], 2000)
        self.assertEqual(self.ramp.read_vendor_totals()[0]['open_minor'], 0)

    def test_batch(self):
        idents = [
            self.ramp.add_bill(vendor=name, amount_minor=minor) for name, minor in (('A', 100), ('A', 250), ('B', 70))
        ]
        payment = self.ramp.pay_bill(idents, status='processing')
        self.assertEqual(self.ids('/bills', payment_id=payment), idents)
        self.ramp.pay_bill(idents)
        rows = [self.bill(ident) for ident in idents]
        self.assertEqual({row['payment']['id'] for row in rows}, {payment})
        self.assertEqual(len({row['payment']['customer_friendly_payment_id'] for row in rows}), 1)
        self.assertEqual([row['payment']['amount']['amount'] for row in rows], [100, 250, 70])
        late = self.ramp.add_bill(amount_minor=5)
        self.assertEqual(self.ramp.pay_bill(late, payment_id=payment), payment)
        self.assertEqual(len(self.ids('/bills', payment_id=payment)), 4)

    def test_bank_accounts(self):
        """A payment leaves one of the bank accounts from which its entity pays."""
        first, second = (
            self.ramp.add_bill(entity=self.entity('KWD'), currency='KWD', amount_minor=100) for _number in range(2)
        )
        entity = self.client.get(f'/entities/{self.entity("KWD")}').json()
        own, other = (account['id'] for account in entity['payment_accounts'])
        self.assertEqual(entity['default_bill_pay_payment_account_id'], own)
        self.ramp.pay_bill(first)
        self.ramp.pay_bill(second, source=other)
        told = [self.bill(ident)['payment']['details']['source_bank_account_id'] for ident in (first, second)]
        self.assertEqual(told, [own, other])
        third = self.ramp.add_bill(amount_minor=100)
        for values in ({'source': other}, {'source': own, 'method': 'PAID_MANUALLY'}):
            with self.assertRaisesRegex(ValueError, 'Nothing is paid by .* from the bank account'):
                self.ramp.pay_bill(third, **values)

    def test_every_method(self):
        for method in bills_module.METHODS:
            with self.subTest(method):
                ident = self.ramp.add_bill(amount_minor=100, payment_method=method)
                planned = self.bill(ident)['payment']
                if method in ('UNSPECIFIED', 'VENDOR_CREDIT'):
                    self.assertIsNone(planned)
                    with self.assertRaises(ValueError):
                        self.ramp.pay_bill(ident)
                    continue
                self.assertEqual(
                    (planned['id'], planned['payment_date'], planned['payment_method']), (None, None, method)
                )
                self.ramp.pay_bill(ident)
                payment = self.bill(ident)['payment']
                self.assertEqual(payment['payment_method'], method)
                card = 'CARD' in method.split('_')
                self.assertEqual(payment['effective_date'] is None, card)
                self.assertEqual(payment['customer_friendly_payment_id'] is None, card or method == 'PAID_MANUALLY')
        self.ramp.pay_bill(self.ramp.add_bill(amount_minor=1), method='PAID_MANUALLY', manual_method='PAID_IN_ERP')
        self.assertEqual(self.client.every('/bills')[-1]['payment']['details']['manual_payment_method'], 'PAID_IN_ERP')

    def test_by_card(self):
        known, unknown, waiting = (
            self.ramp.add_bill(
                vendor='Acme', amount_minor=4200, currency='USD', payment_method=method, date='2026-08-01'
            )
            for method in ('ONE_TIME_CARD', 'CARD', 'CARD')
        )
        self.assertEqual(self.bill(waiting)['status_summary'], 'WAITING_FOR_TRANSACTION_MATCH')
        self.ramp.pay_bill(known, transaction=True, date='2026-08-05')
        self.ramp.pay_bill(unknown)
        details = self.bill(known)['payment']['details']
        self.assertEqual(details['fund_id'], details['spend_limit_id'])
        charge = self.client.get(f'/transactions/{details["transaction_ids"][0]}').json()
        self.assertEqual(
            (charge['amount'], charge['merchant_name'], charge['sync_status']), (42.0, 'Acme', 'SYNC_READY')
        )
        self.assertEqual(self.bill(known)['payment']['payment_date'], charge['settlement_date'])
        stray = self.bill(unknown)['payment']['details']['transaction_ids'][0]
        self.assertRefused(self.client.get(f'/transactions/{stray}'), 404, 'DEVELOPER_7002')
        # The older filter leaves out transactions of bills; sync_status does not.
        self.assertEqual(self.ids('/transactions', has_no_sync_commits='true'), [])
        self.assertEqual(self.ids('/transactions', sync_status='SYNC_READY'), [charge['id']])
        self.assertEqual(
            self.ids('/transactions', has_no_sync_commits='true', sync_status='SYNC_READY'), [charge['id']]
        )
        found = self.ramp.read_vendor_totals()[0]
        self.assertEqual((found['card_minor'], found['paid_minor'], found['open_minor']), (8400, 8400, 4200))

    def test_in_the_payers_currency(self):
        ident = self.ramp.add_bill(
            entity=self.entity('KWD'), currency='USD', amount_minor=10000, fx_conversion_rate='0.3069'
        )
        self.ramp.pay_bill(ident, in_payer_currency=True)
        row = self.bill(ident)
        self.assertEqual(row['amount'], {'amount': 10000, 'currency_code': 'USD', 'minor_unit_conversion_rate': 100})
        self.assertEqual(
            row['payment']['amount'], {'amount': 30690, 'currency_code': 'KWD', 'minor_unit_conversion_rate': 1000}
        )
        self.assertEqual((row['status'], self.ramp.read_vendor_totals()[0]['open_minor']), ('PAID', 0))


@tagged('ramp_simulator')
class TestBillSync(PayablesCase):
    def test_the_matrix(self):
        open_, paid = self.ramp.add_bill(amount_minor=100), self.ramp.add_bill(amount_minor=100)
        self.ramp.pay_bill(paid)
        ready = {'sync_ready': 'true'}
        self.assertEqual(self.ids('/bills', **ready), [open_, paid])
        # A payment is not synced before its bill, even if the bill is paid.
        self.assertRefused(self.send('BILL_PAYMENT_SYNC', paid), 422, 'DEVELOPER_7001')
        self.assertEqual(self.send('BILL_SYNC', open_, paid, deep_link_url='https://books.example/7').status_code, 201)
        self.assertEqual(self.bill(open_)['deep_link_url'], 'https://books.example/7')
        self.assertEqual(self.ids('/bills', **ready), [paid])
        self.assertEqual(self.ids('/bills', sync_status='BILL_SYNCED'), [open_, paid])
        self.assertRefused(self.send('BILL_PAYMENT_SYNC', open_), 422, 'DEVELOPER_7001')
        self.assertRefused(self.send('BILL_SYNC', paid), 422, 'DEVELOPER_7001')
        self.assertEqual(self.send('BILL_PAYMENT_SYNC', paid).status_code, 201)
        self.assertEqual(self.bill(paid)['sync_status'], 'BILL_AND_PAYMENT_SYNCED')
        self.assertEqual(self.ids('/bills', **ready), [])
        self.assertEqual(self.ids('/bills', sync_ready='false'), [open_, paid])
        self.ramp.pay_bill(open_)
        self.assertEqual(self.ids('/bills', sync_status='BILL_SYNCED', **ready), [open_])
        self.assertEqual(self.ramp.list_successes('BILL_SYNC').keys(), {open_, paid})
        self.assertEqual(self.ramp.list_successes('BILL_PAYMENT_SYNC'), {paid: [f'move-{paid}']})

    def test_what_is_not_ready(self):
        cases = [
            self.ramp.add_bill(amount_minor=100, **values)
            for values in (
                {'approval_status': 'PENDING'},
                {'approval_status': 'REJECTED'},
                {'enable_accounting_sync': False},
            )
        ]
        good = self.ramp.add_bill(amount_minor=100)
        self.assertEqual(self.ids('/bills', sync_ready='true'), [good])
        for ident in cases:
            self.ramp.pay_bill(ident)
            for sync_type in ('BILL_SYNC', 'BILL_PAYMENT_SYNC'):
                self.assertRefused(self.send(sync_type, ident, good), 422, 'DEVELOPER_7001')
        self.assertEqual(self.ramp.state.journal, [])

    def test_failures_are_shown(self):
        ident = self.ramp.add_bill(amount_minor=100)
        self.assertEqual(self.send('BILL_SYNC', ident, error='No such account').status_code, 201)
        self.assertEqual(self.ramp.list_export_errors(ident), ['No such account'])
        self.assertEqual(self.bill(ident)['sync_status'], 'NOT_SYNCED')
        self.assertEqual(self.send('BILL_SYNC', ident).status_code, 201)
        self.assertEqual(self.ramp.list_export_errors(ident), [])

    def test_again_does_not_take_back_the_payment(self):
        ident = self.ramp.add_bill(amount_minor=100)
        self.ramp.pay_bill(ident)
        self.send('BILL_SYNC', ident)
        self.send('BILL_PAYMENT_SYNC', ident)
        self.ramp.resync = 'accept'
        self.assertEqual(self.send('BILL_SYNC', ident).status_code, 201)
        self.assertEqual(self.bill(ident)['sync_status'], 'BILL_AND_PAYMENT_SYNCED')

    def test_what_the_books_say(self):
        acme = self.ramp.add_vendor('Acme')
        one, two = (self.ramp.add_bill(vendor=acme, currency='USD', amount_minor=minor) for minor in (1000, 300))
        self.ramp.add_bill(vendor=acme, currency='KWD', amount_minor=7)
        self.ramp.pay_bill(one)
        self.assertEqual(self.ramp.read_vendor_totals(booked=True), [])
        self.send('BILL_SYNC', one, two)
        booked = self.ramp.read_vendor_totals(booked=True)
        self.assertEqual([(t['currency'], t['bills'], t['open_minor']) for t in booked], [('USD', 2, 1300)])
        self.send('BILL_PAYMENT_SYNC', one)
        self.assertEqual(self.ramp.read_vendor_totals(booked=True)[0]['open_minor'], 300)
        self.assertEqual(
            [(t['currency'], t['open_minor']) for t in self.ramp.read_vendor_totals()], [('KWD', 7), ('USD', 300)]
        )


@tagged('ramp_simulator')
class TestVendorCredits(PayablesCase):
    def test_used_ones_are_hidden(self):
        acme = self.ramp.add_vendor('Acme')
        one, two = (
            self.ramp.add_vendor_credit(vendor=acme, amount_minor=500, date=day) for day in ('2026-08-01', '2026-08-09')
        )
        bill = self.ramp.add_bill(vendor=acme, currency='USD', amount_minor=900)
        self.assertEqual(self.ramp.apply_vendor_credit(one, bill), 500)
        self.assertEqual(self.ids('/vendors/credits'), [two])
        self.assertEqual(self.ids('/vendors/credits', include_fully_used='true'), [one, two])
        self.assertEqual(self.ids('/vendors/credits', from_accounting_date='2026-08-02'), [two])
        self.assertEqual(self.ids(f'/vendors/{acme}/credits', include_fully_used='true'), [one, two])
        self.assertEqual(self.ids(f'/vendors/{self.ramp.add_vendor("Other")}/credits'), [])
        row = self.client.get(f'/vendors/credits/{one}').json()
        self.assertEqual(
            row['applied_bills'], [{'amount': self.bill(bill)['applied_vendor_credits'][0]['amount'], 'bill_id': bill}]
        )
        self.assertEqual(
            [row[name]['amount'] for name in ('total_amount', 'total_applied_amount', 'remaining_amount')],
            [500, 500, 0],
        )
        listed = self.client.get('/vendors/credits', params={'include_fully_used': 'true'}).json()['data']
        self.assertEqual(listed[0], row)

    def test_a_bill_paid_by_credit_and_money(self):
        acme = self.ramp.add_vendor('Acme')
        bill = self.ramp.add_bill(vendor=acme, currency='USD', amount_minor=900)
        credit = self.ramp.add_vendor_credit(
            vendor=acme,
            lines=[{'amount_minor': 100, 'memo': 'returned'}],
            inventory=[{'unit_quantity': 2, 'unit_price_minor': 150}],
        )
        self.ramp.apply_vendor_credit(credit, bill)
        self.assertEqual(self.bill(bill)['payment']['amount']['amount'], 500)
        self.ramp.pay_bill(bill)
        row = self.bill(bill)
        self.assertEqual(
            (row['status'], row['amount']['amount'], row['payment']['amount']['amount']), ('PAID', 900, 500)
        )
        alone = self.ramp.add_bill(vendor=acme, currency='USD', amount_minor=100)
        second = self.ramp.add_vendor_credit(vendor=acme, amount_minor=300)
        self.assertEqual(self.ramp.apply_vendor_credit(second, alone), 100)
        row = self.bill(alone)
        self.assertEqual((row['status'], row['payment'], row['status_summary']), ('PAID', None, 'PAYMENT_COMPLETED'))
        self.assertTrue(row['paid_at'])
        found = self.ramp.read_vendor_totals()[0]
        self.assertEqual((found['credited_minor'], found['paid_minor'], found['open_minor']), (500, 500, 0))

    def test_nobody_sees_them_where_they_are_off(self):
        credit = self.ramp.add_vendor_credit(amount_minor=300)
        self.assertEqual(self.ids('/vendors/credits'), [credit])
        (seat,) = self.ramp.state['connections']
        self.client.patch(f'/accounting/connection/{seat["id"]}', json={'settings': {'vendor_credits_enabled': False}})
        self.assertEqual(self.ids('/vendors/credits'), [])
        self.assertRefused(self.client.get(f'/vendors/credits/{credit}'), 404, 'DEVELOPER_7002')

    def test_drafts_and_refusals(self):
        credit = self.ramp.add_vendor_credit(amount_minor=300)
        self.ramp.apply_vendor_credit(credit, NOBODY, 100)
        row = self.client.get(f'/vendors/credits/{credit}').json()
        self.assertEqual((row['applied_bills'], row['applied_draft_bills'][0]['bill_id']), ([], NOBODY))
        self.assertEqual(row['remaining_amount']['amount'], 200)
        with self.assertRaises(ValueError):
            self.ramp.apply_vendor_credit(credit, self.ramp.add_bill(currency='EUR', amount_minor=100))
        with self.assertRaises(ValueError):
            self.ramp.apply_vendor_credit(credit, self.ramp.add_bill(currency='USD', amount_minor=1000), 201)


@tagged('ramp_simulator')
class TestReimbursements(PayablesCase):
    def one(self, ident):
        answer = self.client.get(f'/reimbursements/{ident}')
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()

    def test_one_direction_at_a_time(self):
        mine = self.ramp.add_reimbursement(amount_minor=100)
        theirs = [
            self.ramp.add_reimbursement(amount_minor=100, type=kind) for kind in ('PAYBACK_FULL', 'PAYBACK_PARTIAL')
        ]
        self.assertEqual(self.ids('/reimbursements'), [mine])
        self.assertEqual(self.ids('/reimbursements', direction='USER_TO_BUSINESS'), theirs)
        self.assertEqual(self.ids('/reimbursements', sync_status='SYNC_READY'), [mine])
        self.assertRefused(self.client.get('/reimbursements?direction=BOTH'), 422, 'DEVELOPER_7001')
        # The amounts do not show the direction.
        self.assertEqual({self.one(ident)['entity_amount']['value'] for ident in (mine, *theirs)}, {100})

    def test_three_amounts(self):
        ident = self.ramp.add_reimbursement(
            entity=self.entity('KWD'),
            currency='JPY',
            rate='0.00205',
            payee_minor=666,
            payee_currency='USD',
            lines=[{'amount_minor': 600, 'memo': 'taxi'}, {'amount_minor': 400, 'analytics': {'plan-1': 'b'}}],
        )
        row = self.one(ident)
        self.assertEqual(row['merchant_amount'], {'value': 1000, 'currency': 'JPY'})
        self.assertEqual(row['entity_amount'], {'value': 2050, 'currency': 'KWD'})
        self.assertEqual(
            row['payee_amount'], {'amount': 666, 'currency_code': 'USD', 'minor_unit_conversion_rate': 100}
        )
        self.assertEqual([line['amount']['currency_code'] for line in row['line_items']], ['JPY', 'JPY'])
        selection = row['line_items'][1]['accounting_field_selections'][1]
        self.assertEqual(
            (selection['type'], selection['external_code'], selection['external_id']), ('OTHER', None, 'b')
        )
        self.assertEqual(self.ids('/reimbursements', accounting_field_selection_id=selection['id']), [ident])
        self.assertNotIn('amount', row)
        self.ramp.update_reimbursement(ident, amount_minor=2000)
        row = self.one(ident)
        self.assertEqual(
            (row['entity_amount']['value'], [line['amount']['amount'] for line in row['line_items']]),
            (4100, [1200, 800]),
        )
        legacy = self.one(self.ramp.add_reimbursement(entity=self.entity('USD'), amount_minor=1234, legacy=True))
        self.assertEqual((legacy['amount'], legacy['currency']), (12.34, 'USD'))

    def test_kinds(self):
        fund = self.ramp.state.derive_stable_id('fund')
        drive = self.one(self.ramp.add_reimbursement(amount_minor=100, type='MILEAGE', waypoints=['x'], fund_id=fund))
        self.assertEqual((drive['distance'], drive['waypoints'], drive['merchant']), (55, ['x'], None))
        self.assertEqual((drive['fund_id'], drive['spend_limit_id']), (fund, fund))
        self.assertIsNone(self.one(self.ramp.add_reimbursement(amount_minor=100, type='PER_DIEM'))['distance'])
        empty = self.one(
            self.ramp.add_reimbursement(
                amount_minor=0,
                state='DRAFT',
                sync_status='NOT_SYNC_READY',
                entity_amount=None,
                merchant_amount=None,
                payee_amount=None,
            )
        )
        self.assertEqual((empty['submitted_at'], empty['approved_at'], empty['entity_amount']), (None, None, None))

    def test_filters(self):
        users = list(self.ramp.state['users'])[:2]
        old, new = (
            self.ramp.add_reimbursement(amount_minor=100, user=user, date=day)
            for user, day in zip(users, ('2026-07-01', '2026-08-01'), strict=True)
        )
        draft = self.ramp.add_reimbursement(
            amount_minor=100, user=users[0], state='DRAFT', sync_status='NOT_SYNC_READY'
        )
        self.send('REIMBURSEMENT_SYNC', old)
        for params, found in (
            ({'user_id': users[1]['id']}, [new]),
            ({'state': 'DRAFT'}, [draft]),
            ({'has_been_approved': 'false'}, [draft]),
            ({'to_transaction_date': '2026-07-15T00:00:00Z'}, [old]),
            ({'from_date': '2026-07-15T00:00:00Z'}, [new, draft]),
            ({'from_submitted_at': '2026-07-15T00:00:00Z'}, [new]),
            ({'synced_after': '2026-08-15T00:00:00Z'}, [old]),
            ({'updated_after': '2026-08-15T12:00:00Z'}, [old]),
            ({'sync_ready': 'true'}, [new]),
            ({'has_no_sync_commits': 'true'}, [new, draft]),
            ({'has_no_sync_commits': 'true', 'sync_status': 'SYNCED'}, [old]),
            ({'sync_ready': 'true', 'sync_status': 'NOT_SYNC_READY'}, [draft]),
        ):
            with self.subTest(params):
                self.assertEqual(self.ids('/reimbursements', **params), found)

    def test_sync(self):
        ready, draft = (
            self.ramp.add_reimbursement(amount_minor=100, sync_status=status)
            for status in ('SYNC_READY', 'NOT_SYNC_READY')
        )
        self.assertRefused(self.send('REIMBURSEMENT_SYNC', ready, draft), 422, 'DEVELOPER_7001')
        self.assertEqual(self.send('REIMBURSEMENT_SYNC', ready).status_code, 201)
        row = self.one(ready)
        self.assertEqual((row['sync_status'], row['synced_at']), ('SYNCED', self.ramp.state.read_time()))
        self.assertRefused(self.send('REIMBURSEMENT_SYNC', ready), 422, 'DEVELOPER_7001')
        self.assertRefused(self.send('BILL_SYNC', draft), 422, 'DEVELOPER_7001')

    def test_each_person_of_a_batch_has_a_transfer(self):
        users = [user['id'] for user in self.ramp.state['users']][:2]
        idents = [self.ramp.add_reimbursement(amount_minor=100, user=user) for user in (*users, users[0])]
        self.ramp.pay_reimbursement(idents)
        first, second, third = (self.one(ident)['trace_id']['trace_id'] for ident in idents)
        self.assertEqual(first, third)
        self.assertNotEqual(first, second)

    def test_one_batch_pays_several(self):
        idents = [self.ramp.add_reimbursement(amount_minor=minor, receipts=1) for minor in (100, 250)]
        batch = self.ramp.pay_reimbursement(idents, state='PROCESSING')
        row = self.one(idents[0])
        self.assertEqual((row['payment_batch_id'], row['payment_id'], row['payment_processed_at']), (batch, None, None))
        self.ramp.pay_reimbursement(idents, batch_id=batch)
        rows = [self.one(ident) for ident in idents]
        self.assertEqual({(row['payment_batch_id'], row['state']) for row in rows}, {(batch, 'REIMBURSED')})
        self.assertEqual(len({row['payment_id'] for row in rows}), 1)
        self.assertEqual(rows[0]['trace_id']['descriptor'], 'Trace ID')
        self.assertNotIn('trace_id', self.client.every('/reimbursements')[0])
        receipts = self.client.every('/receipts', reimbursement_id=idents[1])
        self.assertEqual([row['id'] for row in receipts], rows[1]['receipts'])
        self.assertEqual(requests.get(receipts[0]['receipt_url'], timeout=20).status_code, 200)
        self.assertEqual(
            [
                (total['count'], total['amount_minor'], total['paid_minor'])
                for total in self.ramp.read_reimbursement_totals()
            ],
            [(2, 350, 350)],
        )


@tagged('ramp_simulator')
class TestRepayments(PayablesCase):
    def test_list(self):
        purchase = self.ramp.add_transaction(amount_minor=4000)
        first = self.ramp.add_repayment(transaction=purchase, amount_minor=1500, date='2026-08-01')
        last = self.ramp.add_repayment(transaction=purchase, status='AWAITING_PAYMENT', funding_method='payroll')
        rows = self.client.every('/repayments')
        self.assertEqual([row['id'] for row in rows], [last, first])  # the newest first
        self.assertEqual([row['repayment_amount']['amount'] for row in rows], [4000, 1500])
        self.assertEqual((rows[0]['repaid_at'], rows[1]['original_transaction_id']), (None, purchase))
        self.assertEqual(self.ids('/repayments', funding_methods='ach,push'), [first])
        self.assertEqual(self.ids('/repayments', from_repaid_at='2026-08-01T00:00:00Z'), [first])
        self.assertEqual(self.ids('/repayments', to_repaid_at='2026-08-01T00:00:00Z'), [])
        self.assertEqual(
            self.ids('/repayments', entity_id=NOBODY), [last, first]
        )  # not supported yet, says the contract
        self.assertRefused(self.client.get('/repayments?funding_methods=cash'), 422, 'DEVELOPER_7001')


@tagged('ramp_simulator')
class TestAdministration(PayablesCase):
    def post(self, path, **body):
        answer = self.client.post(f'/_simulator{path}', json=body)
        self.assertIn(answer.status_code, (200, 201), answer.text)
        return answer.json()

    def test_a_world_made_from_outside(self):
        vendor = self.post('/vendors', name='Acme', contacts=2)
        bills = [
            self.post('/bills', vendor=vendor['id'], amount_minor=minor, currency='USD') for minor in (1000, 200, 50)
        ]
        idents = [bill['id'] for bill in bills]
        payment = self.post('/bills/payments', ids=idents[:2], status='scheduled')['payment_id']
        self.assertEqual(self.ids('/bills', payment_id=payment), idents[:2])
        self.assertEqual(self.post(f'/bills/{idents[0]}/payments')['status'], 'PAID')
        credit = self.post('/vendor-credits', vendor=vendor['id'], amount_minor=30)
        applied = self.post(f'/vendor-credits/{credit["id"]}/applications', bill_id=idents[1])
        self.assertEqual(applied['remaining_amount']['amount'], 0)
        self.assertTrue(self.post(f'/bills/{idents[2]}/archive')['archived_at'])
        changed = self.client.patch(f'/_simulator/bills/{idents[1]}', json={'memo': 'seen'}).json()
        self.assertEqual(changed['memo'], 'seen')
        person = self.post('/reimbursements', amount_minor=500)
        self.assertTrue(self.post('/reimbursements/payments', ids=[person['id']])['payment_batch_id'])
        self.post(f'/reimbursements/{person["id"]}/receipts', kind='png')
        self.post('/repayments', amount_minor=5)
        totals = self.client.get('/_simulator/payables').json()
        self.assertEqual(
            [(t['vendor_id'], t['currency'], t['open_minor']) for t in totals['payables']], [(vendor['id'], 'USD', 170)]
        )
        self.assertEqual([total['amount_minor'] for total in totals['owed']], [500])
        self.assertEqual(self.client.get('/_simulator/payables?booked=true').json()['payables'], [])
        for name in ('vendors', 'bills', 'vendor-credits', 'reimbursements', 'repayments'):
            self.assertTrue(self.client.get(f'/_simulator/{name}').json()['data'], name)
        self.assertEqual(len(self.client.get('/_simulator/bills?status=PAID').json()['data']), 1)

    def test_mistakes_are_refused(self):
        bill = self.post('/bills', amount_minor=1)['id']
        for path, body in (('/bills', {}), ('/bills', {'amount': 1}), (f'/bills/{bill}/payments', {'status': 'lost'})):
            self.assertRefused(self.client.post(f'/_simulator{path}', json=body), 422, 'DEVELOPER_7001')
        self.assertRefused(self.client.post(f'/_simulator/bills/{NOBODY}/archive'), 404, 'DEVELOPER_7002')


@tagged('ramp_simulator')
class TestSeededPayables(PayablesCase):
    seed = {'transactions': 40, 'months': 3, 'bills': 160, 'reimbursements': 110, 'analytics': PLANS, 'problems': True}
    options = {'rate_limit': 0}
    LISTS = (
        ('/vendors', {'include_draft': 'true', 'include_subsidiary': 'true'}, 'Vendor'),
        ('/bills', {}, 'Bill'),
        ('/bills', {'is_archived': 'true'}, 'Bill'),
        ('/reimbursements', {}, 'Reimbursement'),
        ('/reimbursements', {'direction': 'USER_TO_BUSINESS'}, 'Reimbursement'),
        ('/vendors/credits', {'include_fully_used': 'true'}, 'VendorCreditResource'),
        ('/repayments', {}, 'Repayment'),
    )

    def test_every_answer_is_in_the_contract_and_no_more(self):
        judge = self.ramp.contract
        for path, params, name in self.LISTS:
            rows = self.client.every(path, page_size=100, **params)
            self.assertTrue(rows, path)
            validator = judge and judge._provide_validator(
                ('closed', name), {'$ref': f'#/components/schemas/{name}'}, closed=True
            )
            for row in rows:
                if path != '/repayments' and row['id'] not in self.ramp.seed_problems.values():
                    shown = self.client.get(f'{path}/{row["id"]}')
                    self.assertEqual(shown.status_code, 200)
                    self.assertLessEqual(set(row) - {'subsidiary'}, set(shown.json()))
                if judge and not self._odd(path, row):
                    row = copy.deepcopy(row)
                    if name == 'Bill' and row['payment']:
                        self.assertTrue(row['payment']['details'].pop('schema_type'))
                    self.assertEqual([error.message for error in validator.iter_errors(row)], [], row)

    def _odd(self, path, row):
        table = {'vendors': 'vendors', 'bills': 'bills', 'reimbursements': 'reimbursements'}.get(path.split('/')[-1])
        stored = self.ramp.state[table].get_row(row['id']) if table else {}
        return stored.get('_broken') or stored.get('_legacy')

    def test_all_cases_are_there(self):
        bills = list(self.ramp.state['bills'])
        summaries = Counter(row['status_summary'] for row in bills)
        for name in (
            'APPROVAL_PENDING',
            'APPROVAL_REJECTED',
            'ARCHIVED',
            'ON_HOLD',
            'PAYMENT_COMPLETED',
            'PAYMENT_DETAILS_MISSING',
            'PAYMENT_ERROR',
            'PAYMENT_PROCESSING',
            'PAYMENT_READY',
            'PAYMENT_SCHEDULED',
            'WAITING_FOR_TRANSACTION_MATCH',
        ):
            self.assertTrue(summaries[name], name)
        self.assertLessEqual({'USD', 'EUR', 'JPY', 'KWD'}, {row['_money']['currency'] for row in bills})
        methods = {row['payment']['payment_method'] for row in bills if row['payment']}
        self.assertLessEqual(set(bills_module.METHODS) - {'UNSPECIFIED', 'VENDOR_CREDIT'}, methods)
        batches = Counter(row['payment']['id'] for row in bills if row['payment'] and row['payment']['id'])
        self.assertGreater(max(batches.values()), 2)
        charges = [
            ident
            for row in bills
            if row['payment'] and row['status'] == 'PAID'
            for ident in row['payment']['details'].get('transaction_ids', ())
        ]
        self.assertEqual({ident in self.ramp.state['transactions'] for ident in charges}, {True, False})
        self.assertTrue(any(row['inventory_line_items'] and row['line_items'] for row in bills if row['line_items']))
        self.assertTrue(any(len(line.get('analytics') or ()) == 2 for row in bills for line in row['_money']['lines']))
        self.assertTrue(
            any(
                row['payment'] and row['payment']['amount']['currency_code'] != row['_money']['currency']
                for row in bills
            )
        )
        credits = list(self.ramp.state['vendor_credits'])
        self.assertEqual({row['remaining_amount']['amount'] == 0 for row in credits}, {True, False})
        self.assertEqual(
            {row['type'] for row in self.ramp.state['reimbursements']} - {'TELEPATHY'},
            {'MILEAGE', 'OUT_OF_POCKET', 'PAYBACK_FULL', 'PAYBACK_PARTIAL', 'PER_DIEM'},
        )
        self.assertTrue(any(row['custom_record_fields'] for row in (v['_detail'] for v in self.ramp.state['vendors'])))
        self.assertGreater(sum(name.startswith('bill_') for name in self.ramp.seed_problems), 9)
        self.assertGreater(sum(name.startswith('reimbursement_') for name in self.ramp.seed_problems), 7)

    def test_only_problems_do_not_add_up(self):
        for row in self.ramp.state['bills']:
            lines = [line for name in ('line_items', 'inventory_line_items') for line in row[name]]
            whole = row['_label'] or sum(line['amount']['amount'] for line in lines) == row['amount']['amount']
            self.assertTrue(whole, row['id'])
            self.assertTrue(row['_label'] or row['amount']['amount'] > 0)
        for row in self.ramp.state['reimbursements']:
            if not row['_label']:
                self.assertEqual(
                    sum(line['amount']['amount'] for line in row['line_items']), row['merchant_amount']['value']
                )
        self.assertTrue(all(total['open_minor'] >= 0 for total in self.ramp.read_vendor_totals()))

    def test_the_same_every_time_and_cards_as_before(self):
        again = self.start(Seed(**self.seed))
        self.assertEqual(list(again.state['bills'].rows), list(self.ramp.state['bills'].rows))
        self.assertEqual(again.read_vendor_totals(), self.ramp.read_vendor_totals())
        without = self.start(Seed(**{**self.seed, 'bills': 0, 'reimbursements': 0}))
        self.assertFalse(len(without.state['vendors']) + len(without.state['bills']))
        before = list(without.state['transactions'].rows)
        self.assertEqual(list(self.ramp.state['transactions'].rows)[: len(before)], before)

    def test_spend_with_what_was_uploaded(self):
        ramp = self.start(Seed(transactions=0, accounts=[]), rate_limit=0)
        client = self.sign_in(ramp)
        client.seat()
        client.post(
            '/accounting/accounts', json={'gl_accounts': [{'id': 'o-1', 'name': 'Rent', 'classification': 'EXPENSE'}]}
        )
        client.post('/accounting/vendors', json={'vendors': [{'id': 'p-1', 'name': 'Landlord'}]})
        answer = client.post('/_simulator/spend', json={'bills': 10, 'reimbursements': 5, 'vendors': 3})
        self.assertEqual(answer.status_code, 204, answer.text)
        coded = {line['account'] for row in ramp.state['bills'] for line in row['_money']['lines']}
        self.assertEqual(coded, {'o-1'})
        self.assertEqual(client.every('/vendors')[0]['accounting_vendor_remote_id'], 'p-1')
        ramp.assert_clean()


@tagged('ramp_simulator')
class TestWithoutContract(PayablesCase):
    """The endpoints' own checks."""

    options = {'validate': False}

    def test_refusals(self):
        contact = {'email': 'a@b.example'}
        for body in (
            {'country': 'DE'},
            {'country': 'DE', 'business_vendor_contacts': [contact]},
            {'country': 'DE', 'business_vendor_contacts': contact, 'vat': '1'},
        ):
            self.assertRefused(self.client.post('/vendors', json=body), 422, 'DEVELOPER_7001')
        self.assertRefused(
            self.client.patch(f'/vendors/{self.ramp.add_vendor()}', json={'name': 'x'}), 422, 'DEVELOPER_7001'
        )
        for path in (
            '/bills?status_summaries=PAID',
            '/bills?sync_status=MAYBE',
            '/bills?vendor_id=x',
            '/reimbursements?direction=UP',
            '/repayments?funding_methods=cash',
            '/vendors?sk_category_ids=a',
        ):
            self.assertRefused(self.client.get(path), 422, 'DEVELOPER_7001')


@tagged('ramp_simulator')
class TestJudge(PayablesCase):
    @unittest.skipUnless(CONTRACT, "the contract's file is not here")
    def test_a_wrong_bill_is_noticed(self):
        ident = self.ramp.add_bill(amount_minor=100)
        self.ramp.state['bills'].update_row(ident, status='MAYBE')
        with patch('logging.Logger.error'):
            self.client.get('/bills')
        self.assertTrue(self.ramp.contract_violations)
        self.ramp.contract_violations.clear()
