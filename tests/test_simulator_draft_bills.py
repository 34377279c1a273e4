"""Draft bills of the simulator: the API creates and changes them, and people in Ramp make bills of them."""

import requests

from odoo.tests import tagged

from .test_simulator_bills import PDF, CreatedBillsCase
from .test_simulator_payables import NOBODY


class DraftBillsCase(CreatedBillsCase):
    def post_draft(self, **body):
        return self.client.post('/bills/drafts', json={'vendor_id': self.vendor, **body})

    def draft(self, **body):
        answer = self.post_draft(**body)
        self.assertEqual(answer.status_code, 201, answer.text)
        return answer.json()

    def full(self, **changes):
        return self.draft(
            **{
                'entity_id': self.home,
                'invoice_currency': 'USD',
                'invoice_number': 'BILL/2026/0007',
                'issued_at': '2026-08-10',
                'due_at': '2026-09-09',
                'remote_id': 'account.move,7',
                'payment_method': 'ACH',
                'vendor_contact_id': self.contact,
                'line_items': [{'amount': '100.25', 'memo': 'Paper', 'accounting_field_selections': self.code()}],
                **changes,
            }
        )

    def patch_draft(self, ident, **body):
        return self.client.patch(f'/bills/drafts/{ident}', json=body)


@tagged('ramp_simulator')
class TestDraftBills(DraftBillsCase):
    def test_a_vendor_is_enough(self):
        row = self.draft()
        self.assertEqual((row['status'], row['sync_status'], row['vendor']['name']), ('DRAFT', 'NOT_SYNCED', 'Acme'))
        for name in ('amount', 'entity_id', 'invoice_number', 'issued_at', 'accounting_date', 'remote_id', 'memo'):
            self.assertIsNone(row[name])
        self.assertEqual(self.client.get(f'/bills/drafts/{row["id"]}').json(), row)
        self.assertEqual((self.ids('/bills/drafts'), self.ids('/bills')), ([row['id']], []))
        self.assertInvalid(self.client.post('/bills/drafts', json={}), 422, 'vendor_id')

    def test_all_fields(self):
        stock = {'quantity': 2, 'unit_price': '0.333', 'accounting_field_selections': self.code()}
        row = self.full(inventory_line_items=[stock], accounting_field_selections=self.code('a', 'plan-1'), memo='Hi')
        self.assertEqual((row['amount']['amount'], row['amount']['currency_code']), (10092, 'USD'))
        self.assertEqual(row['line_items'][0]['accounting_field_selections'][0]['external_id'], '6100')
        self.assertEqual(row['inventory_line_items'][0]['unit_price']['amount'], 33)
        self.assertEqual(
            (row['remote_id'], row['memo'], row['accounting_date'][:10]), ('account.move,7', 'Hi', '2026-08-10')
        )
        dinar = self.draft(entity_id=self.entity('KWD'), line_items=[{'amount': '1.234'}])
        self.assertEqual(dinar['amount']['amount'], 1234)

    def test_refusals(self):
        self.assertInvalid(self.post_draft(vendor_id=NOBODY), 400, 'vendor_id')
        self.assertInvalid(self.post_draft(entity_id=NOBODY), 400, 'entity_id')
        self.assertInvalid(self.post_draft(vendor_contact_id=NOBODY), 400, 'vendor_contact_id')
        self.assertInvalid(self.post_draft(invoice_number='x' * 85), 422, 'invoice_number')
        self.assertInvalid(self.post_draft(memo='x' * 1001, vendor_memo='x' * 401), 422, 'memo', 'vendor_memo')
        self.assertInvalid(self.post_draft(line_items=[{'amount': '0.001'}]), 422, 'line_items')
        self.assertInvalid(self.post_draft(payment_details={}), 422, 'payment_details')
        self.assertInvalid(self.post_draft(remote_id='7', enable_accounting_sync=False), 422, 'remote_id')
        self.assertInvalid(self.post_draft(purchase_order_ids=[NOBODY]), 400, 'purchase_order_ids')
        answer = self.post_draft(use_default_payment_method=True, payment_method='ACH')
        self.assertInvalid(answer, 422, 'payment_method')
        answer = self.post_draft(vendor_id=self.ramp.add_vendor('Bare'), use_default_payment_method=True)
        self.assertInvalid(answer, 400, 'use_default_payment_method')
        answer = self.post_draft(line_items=[{'amount': 5, 'accounting_field_selections': self.code('9999')}])
        self.assertRefused(answer, 400, 'DEVELOPER_7123')
        self.client.delete('/accounting/connection')
        self.assertInvalid(self.post_draft(remote_id='7'), 422, 'remote_id')
        self.ramp.bill_pay = False
        self.assertRefused(self.post_draft(), 403, 'DEVELOPER_7101')
        self.client.sign_in('bills:read')
        self.assertRefused(self.post_draft(), 403, 'DEVELOPER_7100')

    def test_changes(self):
        ident = self.full()['id']
        self.assertRefused(self.patch_draft(ident, invoice_number=None), 422, 'DEVELOPER_7001')
        row = self.patch_draft(
            ident, line_items=[{'amount': 1}, {'amount': 2}], memo='x', posting_date='2026-08-31'
        ).json()
        self.assertEqual((len(row['line_items']), row['amount']['amount'], row['memo']), (2, 300, 'x'))
        self.assertEqual(row['accounting_date'][:10], '2026-08-31')
        row = self.patch_draft(ident, posting_date=None, line_items=None).json()
        self.assertEqual((row['accounting_date'][:10], row['amount'], row['line_items']), ('2026-08-10', None, []))
        self.assertEqual(self.patch_draft(ident, invoice_currency='JPY').status_code, 200)
        row = self.patch_draft(ident, line_items=[{'amount': 700}]).json()
        self.assertEqual((row['amount']['amount'], row['amount']['currency_code']), (700, 'JPY'))
        self.assertInvalid(self.patch_draft(ident, invoice_currency='EUR'), 400, 'invoice_currency')
        other = self.ramp.add_vendor('Other')
        self.assertEqual(self.patch_draft(ident, vendor_id=other).json()['vendor']['name'], 'Other')
        self.assertInvalid(self.patch_draft(ident, vendor_contact_id=self.contact), 400, 'vendor_contact_id')
        self.assertRefused(self.patch_draft(NOBODY, memo='x'), 404, 'DEVELOPER_7002')

    def test_filters(self):
        first = self.full()['id']
        self.clock.forward(days=1)
        other = self.ramp.add_vendor('Other')
        second = self.full(
            vendor_id=other,
            vendor_contact_id=self.ramp.state['vendors'].rows[other]['contacts'][0],
            invoice_number='8',
            remote_id='8',
            entity_id=self.entity('EUR'),
            issued_at='2026-08-16',
            due_at='2026-10-01',
        )['id']
        for params in (
            {'vendor_id': other},
            {'invoice_number': '8'},
            {'remote_id': '8'},
            {'entity_id': self.entity('EUR')},
            {'from_created_at': '2026-08-16T00:00:00Z'},
            {'from_issued_date': '2026-08-16T00:00:00Z'},
            {'from_due_date': '2026-10-01T00:00:00Z'},
        ):
            with self.subTest(params):
                self.assertEqual(self.ids('/bills/drafts', **params), [second])
        for name, day in (
            ('created_at', '2026-08-15T23:00:00Z'),
            ('issued_date', '2026-08-15T00:00:00Z'),
            ('due_date', '2026-09-10T00:00:00Z'),
        ):
            self.assertEqual(self.ids('/bills/drafts', **{f'to_{name}': day}), [first])
        third = self.draft()['id']
        self.assertEqual(self.ids('/bills/drafts', page_size=2), [first, second, third])

    def test_files(self):
        ident = self.draft()['id']
        path = f'/bills/drafts/{ident}/attachments'
        self.assertEqual(self.upload(path).status_code, 201)
        self.assertInvalid(self.upload(path), 400, 'attachment_type')
        self.assertInvalid(self.upload(path, 'FILE', b'GIF89a'), 400, 'file')
        self.assertEqual(self.upload(path, 'FILE').status_code, 201)
        [url] = self.client.get(f'/bills/drafts/{ident}').json()['invoice_urls']
        self.assertEqual(requests.get(url, timeout=20).content, PDF)
        bill = self.ramp.approve_draft(ident, amount_minor=500)
        self.assertEqual(requests.get(self.bill(bill)['invoice_urls'][0], timeout=20).content, PDF)
        self.assertRefused(self.upload(path), 404, 'DEVELOPER_7002')

    def test_the_api_neither_deletes_nor_submits(self):
        ident = self.draft()['id']
        self.assertEqual(self.client.delete(f'/bills/drafts/{ident}').status_code, 405)
        self.assertEqual(self.client.delete(f'/bills/{ident}').status_code, 404)
        self.assertEqual(self.client.get(f'/bills/{ident}').status_code, 404)
        self.assertEqual(self.client.post(f'/bills/drafts/{ident}/submit').status_code, 404)
        self.assertEqual(self.ids('/bills/drafts'), [ident])

    def test_a_lost_answer_leaves_a_draft(self):
        self.ramp.faults.add_fault('error_after', path='/bills/drafts', method='POST', count=1)
        self.assertEqual(self.post_draft(remote_id='7').status_code, 500)
        self.draft(remote_id='7')
        self.assertEqual(len(self.ids('/bills/drafts', remote_id='7')), 2)


@tagged('ramp_simulator')
class TestDecidedDrafts(DraftBillsCase):
    options = {'webhooks': {'held': True}}

    def caused(self):
        found = [event['type'] for event in self.ramp.webhooks.pending_events]
        self.ramp.webhooks.drop_pending()
        return found

    def test_approved_as_it_is(self):
        self.ramp.add_subscription('http://127.0.0.1:9/hook')
        draft = self.full()
        self.patch_draft(draft['id'], memo='x')
        self.assertEqual(self.caused(), [])
        self.clock.forward(days=2)
        ident = self.ramp.approve_draft(draft['id'])
        self.assertEqual(self.caused(), ['bills.created', 'bills.approved', 'bills.ready_to_sync'])
        row = self.bill(ident)
        self.assertNotEqual(ident, draft['id'])
        self.assertEqual((row['draft_bill_id'], row['draft_bill_created_at']), (draft['id'], draft['created_at']))
        self.assertEqual((row['remote_id'], row['invoice_number']), ('account.move,7', 'BILL/2026/0007'))
        self.assertEqual((row['amount'], row['approval_status']), (draft['amount'], 'APPROVED'))
        self.assertEqual(row['line_items'][0]['memo'], 'Paper')
        self.assertEqual((row['created_at'][:10], row['issued_at']), ('2026-08-17', draft['issued_at']))
        self.assertEqual(self.ids('/bills', draft_bill_id=draft['id']), [ident])
        self.assertEqual(self.ids('/bills/drafts'), [])
        self.assertRefused(self.client.get(f'/bills/drafts/{draft["id"]}'), 404, 'DEVELOPER_7002')
        self.assertRefused(self.patch_draft(draft['id'], memo='y'), 404, 'DEVELOPER_7002')
        with self.assertRaises(ValueError):
            self.ramp.approve_draft(draft['id'])

    def test_edited_on_the_way(self):
        ident = self.ramp.approve_draft(
            self.full()['id'], amount_minor=9900, invoice_number='R-7', vendor='Other', payment_method='CHECK'
        )
        row = self.bill(ident)
        self.assertEqual((row['amount']['amount'], row['line_items'][0]['amount']['amount']), (9900, 9900))
        self.assertEqual((row['invoice_number'], row['vendor']['name']), ('R-7', 'Other'))
        self.assertEqual(row['remote_id'], 'account.move,7')
        lines = [{'amount_minor': 1, 'account': '6100'}, {'amount_minor': 2, 'memo': 'Two'}]
        row = self.bill(self.ramp.approve_draft(self.full()['id'], lines=lines, account='6100'))
        self.assertEqual((row['amount']['amount'], len(row['line_items'])), (3, 2))

    def test_what_is_missing_is_added(self):
        bare = self.draft()['id']
        with self.assertRaises(ValueError):
            self.ramp.approve_draft(bare)
        row = self.bill(self.ramp.approve_draft(bare, amount_minor=100))
        self.assertEqual((row['entity_id'], row['status_summary']), (self.home, 'PAYMENT_DETAILS_MISSING'))
        self.assertTrue(row['invoice_number'])

    def test_submitted_then_approved_or_rejected(self):
        ident = self.ramp.submit_draft(self.full()['id'])
        self.assertEqual(self.bill(ident)['status_summary'], 'APPROVAL_PENDING')
        self.assertRefused(self.patch(ident, memo='x'), 400, 'DEVELOPER_7001')
        self.assertEqual(self.ids('/bills', sync_ready='true'), [])
        self.ramp.update_bill(ident, approval_status='APPROVED')
        self.assertEqual(self.ids('/bills', sync_ready='true'), [ident])
        self.ramp.add_subscription('http://127.0.0.1:9/hook')
        ident = self.ramp.reject_draft(self.full()['id'])
        self.assertEqual(self.caused(), ['bills.created', 'bills.rejected'])
        self.assertEqual(self.bill(ident)['status_summary'], 'APPROVAL_REJECTED')

    def test_discarded(self):
        ident = self.full()['id']
        self.ramp.discard_draft(ident)
        self.assertEqual((self.ids('/bills/drafts'), self.ids('/bills')), ([], []))
        self.assertRefused(self.client.get(f'/bills/drafts/{ident}'), 404, 'DEVELOPER_7002')

    def test_orders_and_payment(self):
        order = self.ramp.add_purchase_order(vendor=self.vendor, lines=[{'unit_price': 500, 'quantity': 4}])
        [line] = [item['id'] for item in self.ramp.state['purchase_orders'].rows[order]['line_items']]
        draft = self.full(purchase_order_ids=[order], line_items=[{'amount': 20, 'purchase_order_line_item_id': line}])
        ident = self.ramp.approve_draft(draft['id'])
        row = self.bill(ident)
        self.assertEqual((row['purchase_order_id'], row['line_items'][0]['purchase_order_line_item_id']), (order, line))
        self.ramp.pay_bill(ident)
        self.assertEqual(self.bill(ident)['status'], 'PAID')
        path = f'/purchase-orders/{order}'
        self.assertEqual(self.client.get(path).json()['bill_ids'], [ident])

    def test_from_another_process(self):
        draft = self.full()['id']
        row = self.client.post(f'/_simulator/draft-bills/{draft}/submit', json={'approval_status': 'APPROVED'}).json()
        self.assertEqual(self.bill(row['id'])['draft_bill_id'], draft)
        other = self.full()['id']
        self.client.post(f'/_simulator/draft-bills/{other}/discard')
        self.assertEqual(len(self.client.get('/_simulator/draft-bills').json()['data']), 2)
        self.assertEqual(self.ids('/bills/drafts'), [])


@tagged('ramp_simulator')
class TestDraftBillsWithoutContract(TestDraftBills):
    """The same rules on a machine without the contract."""

    options = {'validate': False}
