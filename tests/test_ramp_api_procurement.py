# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import datetime
import json
import unittest
from decimal import Decimal

from odoo.tests import tagged

from ..ramp_api import (
    Money,
    RampClient,
    RampNotFound,
    SlidingWindow,
    parse_utc_moment,
    read_item_receipt,
    read_purchase_order,
)
from .test_ramp_api_payables import FOLDER, NonsenseCase, made, small
from .test_ramp_api_payloads import IDS, MISSING, PayloadCase, cents
from .test_simulator_procurement import ProcurementCase


def line(number=1, **changes):
    return made(
        {
            'id': IDS[number],
            'accounting_field_selections': [small()],
            'amount': cents(3702),
            'description': 'Bolts',
            'end_date': '2026-12-31',
            'external_id': f'line-{number}',
            'quantity': 3.0,
            'remote_id': None,
            'start_date': None,
            'unit_price': cents(1234),
            'withholding_rate': '0.1',
        },
        changes,
    )


def order(**changes):
    return made(
        {
            'id': IDS[0],
            'accounting_field_selections': [],
            'amount': cents(13702),
            'archived_at': None,
            'bill_ids': [IDS[5].upper()],
            'billing_status': 'OPEN',
            'created_at': '2026-08-01T10:00:00Z',
            'creation_source': 'DEVELOPER_API',
            'custom_form_collection_response': None,
            'entity_id': IDS[3],
            'external_id': 'purchase.order,7',
            'item_receipt_ids': [],
            'line_items': [line(1), line(2, unit_price=None, quantity=None, amount=cents(10000))],
            'memo': 'For the fair',
            'name': None,
            'net_payment_terms': 30,
            'owner_id': IDS[4],
            'promise_date': '2026-09-01T00:00:00+00:00',
            'purchase_order_number': '7',
            'ramp_url': 'https://app.ramp.com/s/1',
            'receipt_status': 'NOT_RECEIVED',
            'remote_id': None,
            'spend_end_date': None,
            'spend_start_date': None,
            'three_way_match_enabled': True,
            'vendor_id': IDS[6],
            'withholding_default_rate': None,
        },
        changes,
    )


def receipt(**changes):
    return made(
        {
            'id': IDS[0],
            'archived_at': None,
            'created_at': '2026-08-10T10:00:00Z',
            'documents': [],
            'item_receipt_number': 'WH/IN/1',
            'line_items': [
                {
                    'id': IDS[1],
                    'purchase_order_line_item_id': IDS[2],
                    'quantity': 2,
                    'amount': cents(2468),
                    'memo': None,
                },
                {
                    'id': IDS[3],
                    'purchase_order_line_item_id': IDS[4],
                    'quantity': None,
                    'amount': None,
                    'memo': 'all of it',
                },
            ],
            'memo': None,
            'purchase_order_id': IDS[5],
            'received_at': '2026-08-10T00:00:00+00:00',
            'remote_id': None,
        },
        changes,
    )


@tagged('ramp_api')
class TestPurchaseOrder(PayloadCase):
    def refused(self, field, text, **changes):
        self.assertRefused(field, text, read_purchase_order, order(**changes))

    def test_all_fields(self):
        read = read_purchase_order(order())
        self.assertEqual(
            (read.id, read.external_id, read.number, read.remote_id), (IDS[0], 'purchase.order,7', '7', None)
        )
        self.assertEqual((read.vendor_id, read.entity_id, read.owner_id), (IDS[6], IDS[3], IDS[4]))
        self.assertEqual((read.amount, read.currency, read.net_payment_terms), (Money(13702, 'USD'), 'USD', 30))
        self.assertEqual((read.promise_date, read.spend_start_date), (datetime.date(2026, 9, 1), None))
        self.assertEqual(
            (read.receipt_status, read.billing_status, read.creation_source), ('NOT_RECEIVED', 'OPEN', 'DEVELOPER_API')
        )
        self.assertEqual((read.bill_ids, read.item_receipt_ids, read.three_way_match_enabled), ((IDS[5],), (), True))
        self.assertEqual((read.created_at, read.archived_at), (parse_utc_moment('2026-08-01T10:00:00Z'), None))
        first, second = read.lines
        self.assertEqual((first.quantity, first.unit_price, first.amount), (3, Money(1234, 'USD'), Money(3702, 'USD')))
        self.assertEqual((first.withholding_rate, first.end_date), (Decimal('0.1'), datetime.date(2026, 12, 31)))
        self.assertEqual((first.external_id, first.selections[0].external_id), ('line-1', '6100'))
        self.assertEqual((second.quantity, second.unit_price), (None, None))
        hash(read)

    def test_it_need_not_add_up(self):
        self.assertEqual(read_purchase_order(order(amount=cents(1))).amount, Money(1, 'USD'))

    def test_refused(self):
        self.refused('id', 'required', id=MISSING)
        self.refused('amount', 'no amount', amount=None)
        self.refused('amount.currency_code', 'required', amount={'amount': 1, 'currency': 'USD'})
        self.refused('receipt_status', 'not known', receipt_status='LOST')
        self.refused('billing_status', 'not known', billing_status='HALF')
        self.refused('creation_source', 'not known', creation_source='FAX')
        self.refused('line_items[0].amount', 'is in EUR', line_items=[line(amount=cents(1, 'EUR'))])
        self.refused('line_items[0].unit_price', 'is in EUR', line_items=[line(unit_price=cents(1, 'EUR'))])
        self.refused('line_items', 'one id', line_items=[line(), line()])
        self.refused('bill_ids[0]', 'not an id', bill_ids=['x'])
        self.assertIsNone(read_purchase_order(order(billing_status=MISSING)).billing_status)

    def test_receipt(self):
        read = read_item_receipt(receipt())
        self.assertEqual(
            (read.number, read.purchase_order_id, read.received_at),
            ('WH/IN/1', IDS[5], parse_utc_moment('2026-08-10T00:00:00Z')),
        )
        self.assertEqual(
            [(item.purchase_order_line_item_id, item.quantity) for item in read.lines], [(IDS[2], 2), (IDS[4], None)]
        )
        self.assertEqual((read.lines[0].amount, read.lines[1].amount), (Money(2468, 'USD'), None))
        self.assertRefused('purchase_order_id', 'required', read_item_receipt, receipt(purchase_order_id=None))
        self.assertRefused(
            'line_items', 'one id', read_item_receipt, receipt(line_items=receipt()['line_items'][:1] * 2)
        )

    @unittest.skipUnless(FOLDER.is_dir(), 'the examples of the contract are not here')
    def test_examples(self):
        """The contract's examples can be read once they are corrected where they contradict the schema: a key's name, a
        line without an id.
        """

        def example(name):
            return json.loads((FOLDER / f'spec-2026-08-01/{name}.json').read_text(encoding='utf-8'))

        for name in ('ApiPurchaseOrderResource', 'ApiPurchaseOrderDetailResource'):
            body = example(name)
            body['amount'] = cents(body['amount']['amount'])
            self.assertEqual(read_purchase_order(body).number, 'PO-0001')
        body = example('ApiItemReceiptResource')
        body['line_items'][0]['id'] = IDS[0]
        self.assertEqual(len(read_item_receipt(body).lines), 1)


@tagged('ramp_api')
class TestNonsenseProcurement(NonsenseCase):
    def test_any_field(self):
        self.check(order(), read_purchase_order)
        self.check(receipt(), read_item_receipt)


@tagged('ramp_api')
class TestSimulatedProcurement(ProcurementCase):
    """The client of the flows reads and writes orders and receipts in the simulator."""

    def setUp(self):
        super().setUp()
        self.api = RampClient(
            self.ramp.url,
            self.ramp.client_id,
            self.ramp.client_secret,
            allow_http=True,
            sleep=lambda seconds: None,
            limiter=SlidingWindow('test', limit=10**6, shared=False),
        )

    def test_there_and_back(self):
        made = read_purchase_order(self.api.post('/purchase-orders', self.order_body(promise_date='2026-09-01')))
        self.assertEqual((made.amount, made.promise_date), (Money(13702, 'USD'), datetime.date(2026, 9, 1)))
        self.assertEqual([item.external_id for item in made.lines], ['line-1', 'line-2'])
        path = f'/purchase-orders/{made.id}'
        got = read_item_receipt(
            self.api.post(
                '/item-receipts',
                {
                    'purchase_order_id': made.id,
                    'item_receipt_number': 'WH/IN/1',
                    'received_at': '2026-08-10',
                    'item_receipt_line_items': [{'purchase_order_line_item_id': made.lines[0].id, 'unit_quantity': 2}],
                },
            )
        )
        self.assertEqual(got.lines[0].quantity, 2)
        # This deletion has an answer with a body.
        changed = read_purchase_order(self.api.delete(f'{path}/line-items/{made.lines[1].id}'))
        self.assertEqual((len(changed.lines), changed.receipt_status), (1, 'PARTIALLY_RECEIVED'))
        self.assertIsNone(self.api.delete(f'/item-receipts/{got.id}'))
        self.assertIsNone(self.api.post(f'{path}/archive', {}))  # an empty body is a body
        with self.assertRaises(RampNotFound):
            self.api.get(path)
        listed = [
            row
            for page in self.api.list_pages(
                '/purchase-orders',
                {'external_id': 'purchase.order,1', 'include_archived': True, 'three_way_match_enabled': True},
            )
            for row in page.rows
        ]
        self.assertEqual(
            [(read_purchase_order(row).id, row['billing_status']) for row in listed], [(made.id, 'DELETED')]
        )
