"""The simulator's purchase orders and item receipts, over real HTTP."""

import json
import unittest

import requests

from odoo.tests import tagged

from ..simulator.endpoints.purchase_orders import normalise_order_number
from .test_ramp_api_payables import FOLDER
from .test_simulator import CONTRACT
from .test_simulator_payables import NOBODY, PayablesCase


class ProcurementCase(PayablesCase):
    def setUp(self):
        super().setUp()
        self.acme = self.ramp.add_vendor('Acme')

    def order_body(self, **changes):
        lines = [
            {'unit_price': '12.34', 'unit_quantity': 3, 'description': 'Bolts', 'external_id': 'line-1'},
            {'unit_price': 100, 'unit_quantity': 1, 'external_id': 'line-2'},
        ]
        body = {
            'currency': 'USD',
            'entity_id': self.entity('USD'),
            'vendor_id': self.acme,
            'line_items': lines,
            'three_way_match_enabled': True,
            'external_id': 'purchase.order,1',
        }
        return {**body, **changes}

    def place(self, **changes):
        answer = self.client.post('/purchase-orders', json=self.order_body(**changes))
        self.assertEqual(answer.status_code, 201, answer.text)
        return answer.json()

    def order(self, ident):
        answer = self.client.get(f'/purchase-orders/{ident}')
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()

    def receive(self, order, *quantities, **changes):
        lines = [
            {'purchase_order_line_item_id': line['id'], 'unit_quantity': count}
            for line, count in zip(order['line_items'], quantities)
            if count
        ]
        return self.client.post(
            '/item-receipts',
            json={
                'purchase_order_id': order['id'],
                'item_receipt_number': 'WH/IN/1',
                'received_at': '2026-08-10',
                'item_receipt_line_items': lines,
                **changes,
            },
        )

    def listed(self, **params):
        return self.ids('/purchase-orders', **{'three_way_match_enabled': 'true', **params})


@tagged('ramp_simulator')
class TestPurchaseOrders(ProcurementCase):
    def test_create_takes_major_units_and_answers_minor_ones(self):
        made = self.place(
            promise_date='2026-09-01', net_payment_terms=30, memo='For the fair', purchase_order_number='P00007'
        )
        first, second = made['line_items']
        self.assertEqual(
            first['unit_price'], {'amount': 1234, 'currency_code': 'USD', 'minor_unit_conversion_rate': 100}
        )
        self.assertEqual(
            (first['amount']['amount'], second['amount']['amount'], made['amount']['amount']), (3702, 10000, 13702)
        )
        self.assertEqual((first['quantity'], first['external_id'], first['description']), (3, 'line-1', 'Bolts'))
        self.assertEqual(
            (made['creation_source'], made['promise_date']), ('DEVELOPER_API', '2026-09-01T00:00:00+00:00')
        )
        self.assertEqual(
            (made['receipt_status'], made['billing_status'], made['bill_ids']), ('NOT_RECEIVED', 'OPEN', [])
        )
        self.assertIsNotNone(made['owner_id'])
        told = self.order(made['id'])
        self.assertEqual(told['line_items'][0].pop('custom_field_values'), [])
        self.assertEqual((told['id'], told['line_items'][0]), (made['id'], first))

    def test_currencies_have_their_own_minor_units(self):
        for number, (currency, price, unit, amount) in enumerate(
            (
                ('JPY', 1500, 1500, 4500),
                ('KWD', '1.234', 1234, 3702),
                ('USD', '0.125', 12, 38),
                ('USD', '0.333', 33, 100),
            )
        ):
            made = self.place(
                currency=currency, external_id=f'order-{number}', line_items=[{'unit_price': price, 'unit_quantity': 3}]
            )
            line = made['line_items'][0]
            self.assertEqual(
                (line['unit_price']['amount'], line['amount']['amount']), (unit, amount), (currency, price)
            )
            self.assertEqual(made['amount'], line['amount'])

    def test_refusals(self):
        line = {'unit_price': 1, 'unit_quantity': 1}
        for wrong, status, code in (
            ({'vendor_id': NOBODY}, 404, 'DEVELOPER_7002'),
            ({'entity_id': NOBODY}, 404, 'DEVELOPER_7002'),
            ({'owner_id': NOBODY}, 404, 'DEVELOPER_7002'),
            ({'vendor_id': self.ramp.add_vendor('Mute', contacts=0)}, 400, 'DEVELOPER_7001'),
            ({'vendor_id': self.ramp.add_vendor('Gone', is_active=False)}, 404, 'DEVELOPER_7002'),
            ({'line_items': []}, 422, 'DEVELOPER_7001'),
            ({'line_items': [{**line, 'unit_quantity': 1.5}]}, 422, 'DEVELOPER_7001'),
            ({'line_items': [{**line, 'unit_quantity': 0}]}, 422, 'DEVELOPER_7001'),
            ({'line_items': [{**line, 'unit_price': -1}]}, 422, 'DEVELOPER_7001'),
            ({'line_items': [{**line, 'external_id': 'a'}, {**line, 'external_id': 'a'}]}, 422, 'DEVELOPER_7001'),
            ({'line_items': [{**line, 'quantity': 1}]}, 422, 'DEVELOPER_7001'),
            ({'withholding_default_rate': '1.5'}, 422, 'DEVELOPER_7001'),
            ({'remote_id': 'po-1'}, 422, 'DEVELOPER_7001'),
            (
                {'accounting_field_selections': [{'field_external_id': 'no', 'field_option_external_id': 'no'}]},
                400,
                'DEVELOPER_7122',
            ),
            (
                {'accounting_field_selections': [{'field_external_id': 'Category', 'field_option_external_id': 'no'}]},
                400,
                'DEVELOPER_7123',
            ),
        ):
            with self.subTest(wrong):
                self.assertRefused(self.client.post('/purchase-orders', json=self.order_body(**wrong)), status, code)
        self.assertFalse(len(self.ramp.state['purchase_orders']))

    @unittest.skipUnless(CONTRACT, "Ramp's OpenAPI file is not here")
    def test_refusals_of_the_contract(self):
        for wrong in ({'currency': 'XXQ'}, {'promise_date': '2026-09-01T00:00:00Z'}, {'three_way_match_enabled': None}):
            with self.subTest(wrong):
                self.assertRefused(
                    self.client.post('/purchase-orders', json=self.order_body(**wrong)), 422, 'DEVELOPER_7001'
                )

    @unittest.skipUnless(FOLDER.is_dir(), "Ramp's examples are not here")
    def test_the_contracts_own_example(self):
        body = json.loads(
            (FOLDER / 'spec-2026-08-01/ApiPurchaseOrderCreateParamsRequestBody.json').read_text(encoding='utf-8')
        )
        body.pop('remote_id')  # stale: the schema no longer has it
        body.update(entity_id=self.entity('USD'), owner_id=self.ids('/users')[0], vendor_id=self.acme)
        answer = self.client.post('/purchase-orders', json=body)
        self.assertEqual(answer.status_code, 201, answer.text)
        self.assertEqual((answer.json()['purchase_order_number'], answer.json()['amount']['amount']), ('1234', 10000))

    def test_numbers_are_rewritten_and_collide(self):
        for given, made in (
            ('PO000002', ('', 2)),
            ('PO-000004', ('', 4)),
            ('PO-2026-003', ('2026', 3)),
            ('PO000004-1', ('PO000004', 1)),
            ('PO000004-A', ('PO000004-A', None)),
            ('P00001', ('P', 1)),
            ('', ('', None)),
            ('ä/b', ('', None)),
        ):
            self.assertEqual(normalise_order_number(given), made, given)
        first = self.place(external_id='a', purchase_order_number='PO000002')
        self.assertEqual(first['purchase_order_number'], '2')
        again = self.client.post(
            '/purchase-orders', json=self.order_body(external_id='b', purchase_order_number='PO-2')
        )
        self.assertRefused(again, 400, 'DEVELOPER_7063')
        self.assertEqual(
            self.place(external_id='c', purchase_order_number='PO000004-A')['purchase_order_number'], 'PO000004-A-1'
        )
        self.assertEqual(
            self.place(external_id='d', purchase_order_number='PO000004-A')['purchase_order_number'], 'PO000004-A-2'
        )
        self.assertEqual([self.place(external_id=name)['purchase_order_number'] for name in 'ef'], ['1', '3'])
        self.client.post(f'/purchase-orders/{first["id"]}/archive', json={})
        self.assertEqual(self.place(external_id='g', purchase_order_number='PO-2')['purchase_order_number'], '2')

    def test_archived_orders_disappear_and_keep_their_external_id(self):
        made = self.place()
        path = f'/purchase-orders/{made["id"]}'
        self.assertRefused(self.client.post(f'{path}/archive'), 400, 'DEVELOPER_7011')
        self.assertEqual(self.client.post(f'{path}/archive', json={'archived_reason': 'Cancelled'}).status_code, 204)
        for answer in (
            self.client.get(path),
            self.client.patch(path, json={'memo': 'x'}),
            self.client.post(f'{path}/archive', json={}),
            self.client.post(f'{path}/line-items', json={'line_items': [{'unit_price': 1, 'unit_quantity': 1}]}),
            self.client.delete(f'{path}/line-items/{made["line_items"][0]["id"]}'),
            self.receive(made, 1),
        ):
            self.assertRefused(answer, 404, 'DEVELOPER_7002')
        self.assertEqual(self.listed(external_id='purchase.order,1'), [])
        self.assertEqual(self.listed(external_id='purchase.order,1', include_archived='true'), [made['id']])
        self.assertRefused(self.client.post('/purchase-orders', json=self.order_body()), 400, 'DEVELOPER_7001')

    def test_change(self):
        made = self.place()
        path = f'/purchase-orders/{made["id"]}'
        code = {'field_external_id': 'Category', 'field_option_external_id': '6100'}
        changed = self.client.patch(
            path,
            json={
                'memo': 'New',
                'spend_end_date': '2026-12-31',
                'withholding_default_rate': '0.1',
                'accounting_field_selections': [code],
            },
        )
        self.assertEqual(changed.status_code, 200, changed.text)
        body = changed.json()
        self.assertEqual((body['memo'], body['spend_end_date']), ('New', '2026-12-31T00:00:00+00:00'))
        self.assertEqual(body['withholding_default_rate'], '0.1')
        self.assertEqual(body['accounting_field_selections'][0]['external_id'], '6100')
        for wrong in (
            {'vendor_id': self.acme},
            {'purchase_order_number': '7'},
            {'external_id': 'x'},
            {'promise_date': '2026-09-01'},
        ):
            self.assertRefused(self.client.patch(path, json=wrong), 422, 'DEVELOPER_7001')
        self.ramp.update_purchase_order(made['id'], approved=False)
        self.assertRefused(self.client.patch(path, json={'memo': 'x'}), 400, 'DEVELOPER_7001')

    def test_lines(self):
        made = self.place()
        path, (first, second) = f'/purchase-orders/{made["id"]}', (line['id'] for line in made['line_items'])
        added = self.client.post(
            f'{path}/line-items',
            json={
                'line_items': [
                    {
                        'unit_price': '5.00',
                        'unit_quantity': 2,
                        'external_id': 'line-3',
                        'accounting_field_selections': [
                            {'field_external_id': 'plan-1', 'field_option_external_id': 'a'}
                        ],
                    }
                ]
            },
        )
        self.assertEqual(added.status_code, 201, added.text)
        lines = added.json()['line_items']
        self.assertEqual([line['id'] for line in lines][:2], [first, second])
        self.assertEqual(
            (lines[2]['accounting_field_selections'][0]['external_id'], added.json()['amount']['amount']), ('a', 14702)
        )
        twice = self.client.post(
            f'{path}/line-items', json={'line_items': [{'unit_price': 1, 'unit_quantity': 1, 'external_id': 'line-3'}]}
        )
        self.assertRefused(twice, 422, 'DEVELOPER_7001')
        changed = self.client.patch(
            f'{path}/line-items/{first}', json={'unit_quantity': 4, 'unit_price': 10, 'description': None}
        )
        self.assertEqual(changed.status_code, 200, changed.text)
        line = changed.json()['line_items'][0]
        self.assertEqual(
            (line['id'], line['quantity'], line['amount']['amount'], line['description']), (first, 4, 4000, None)
        )
        self.assertEqual(line['external_id'], 'line-1')
        for wrong in ({'external_id': 'x'}, {'unit_quantity': 2.5}, {'quantity': 2}):
            self.assertRefused(self.client.patch(f'{path}/line-items/{first}', json=wrong), 422, 'DEVELOPER_7001')
        self.assertRefused(self.client.patch(f'{path}/line-items/{NOBODY}', json={}), 404, 'DEVELOPER_7002')
        self.receive(made, 1)
        self.assertRefused(self.client.delete(f'{path}/line-items/{first}'), 400, 'DEVELOPER_7001')
        gone = self.client.delete(f'{path}/line-items/{second}')
        self.assertEqual(
            (gone.status_code, len(gone.json()['line_items']), gone.json()['amount']['amount']), (200, 2, 5000)
        )
        lonely = self.place(external_id='x', line_items=[{'unit_price': 1, 'unit_quantity': 1}])
        last = self.client.delete(f'/purchase-orders/{lonely["id"]}/line-items/{lonely["line_items"][0]["id"]}')
        self.assertRefused(last, 400, 'DEVELOPER_7001')

    def test_lists(self):
        ours = self.place()['id']
        self.clock.forward(days=1)
        plain = self.ramp.add_purchase_order(
            vendor='Acme', entity=self.entity('EUR'), remote_id='erp-1', created=self.clock.now
        )
        # By default Ramp leaves out orders with three-way match, as the contract says.
        self.assertEqual(self.ids('/purchase-orders'), [plain])
        self.assertEqual(self.ids('/purchase-orders', external_id='purchase.order,1'), [])
        self.assertEqual(self.listed(external_id='purchase.order,1'), [ours])
        self.ramp.hide_three_way = False
        for params, found in (
            ({}, [ours, plain]),
            ({'creation_source': 'RAMP'}, [plain]),
            ({'remote_id': 'erp-1'}, [plain]),
            ({'entity_id': self.entity('USD')}, [ours]),
            ({'from_created_at': self.clock.now.isoformat()}, [plain]),
            ({'to_created_at': '2026-08-15T12:00:00+00:00'}, [ours]),
            ({'receipt_status': 'NOT_RECEIVED'}, [ours, plain]),
            ({'receipt_status': 'FULLY_RECEIVED'}, []),
            ({'spend_request_id': self.order(plain)['spend_request_id']}, [plain]),
            ({'three_way_match_enabled': 'false'}, [plain]),
        ):
            self.assertEqual(self.ids('/purchase-orders', **params), found, params)

    def test_needs_ramp_plus(self):
        self.ramp.ramp_plus = False
        self.assertRefused(self.client.get('/purchase-orders'), 403, 'DEVELOPER_7101')
        self.assertRefused(self.client.post('/item-receipts', json={}), 403, 'DEVELOPER_7101')
        self.assertEqual(self.client.get('/vendors').status_code, 200)

    def test_bills_of_an_order(self):
        made = self.place()
        first, second = (line['id'] for line in made['line_items'])
        receipt = self.receive(made, 2).json()
        bill = self.ramp.bill_purchase_order(made['id'], {first: 2})
        told = self.bill(bill)
        self.assertEqual((told['purchase_order_id'], told['item_receipt_ids']), (made['id'], [receipt['id']]))
        line = told['line_items'][0]
        self.assertEqual((line['purchase_order_line_item_id'], line['amount']['amount']), (first, 2468))
        self.assertEqual(line['item_receipt_line_item_ids'], [receipt['line_items'][0]['id']])
        now = self.order(made['id'])
        self.assertEqual((now['bill_ids'], now['billing_status']), ([bill], 'PARTIALLY_BILLED'))
        self.assertEqual([total['billed_minor'] for total in self.ramp.read_order_totals(made['id'])], [2468, 0])
        self.assertRefused(self.client.delete(f'/item-receipts/{receipt["id"]}'), 400, 'DEVELOPER_7001')
        rest = self.ramp.bill_purchase_order(made['id'], {first: 1, second: 1})
        self.assertEqual(self.order(made['id'])['billing_status'], 'FULLY_BILLED')
        self.ramp.archive_bill(rest)
        self.assertEqual(self.order(made['id'])['billing_status'], 'PARTIALLY_BILLED')
        self.ramp.update_purchase_order(made['id'], closed=True)
        self.assertEqual(self.order(made['id'])['billing_status'], 'CLOSED')


@tagged('ramp_simulator')
class TestItemReceipts(ProcurementCase):
    def setUp(self):
        super().setUp()
        self.made = self.place()

    def status(self):
        return self.order(self.made['id'])['receipt_status']

    def received(self):
        return [total['received'] for total in self.ramp.read_order_totals(self.made['id'])]

    def test_what_arrives_moves_the_order(self):
        answer = self.receive(self.made, 2, memo='Truck 1')
        self.assertEqual(answer.status_code, 201, answer.text)
        receipt = answer.json()
        self.assertEqual(
            (receipt['item_receipt_number'], receipt['received_at']), ('WH/IN/1', '2026-08-10T00:00:00+00:00')
        )
        line = receipt['line_items'][0]
        self.assertEqual((line['quantity'], line['amount']['amount'], line['unit_price']['amount']), (2, 2468, 1234))
        self.assertEqual((self.status(), self.received()), ('PARTIALLY_RECEIVED', [2, 0]))
        self.receive(self.made, 1, 1)
        self.assertEqual((self.status(), self.received()), ('FULLY_RECEIVED', [3, 1]))
        self.assertEqual(len(self.order(self.made['id'])['item_receipt_ids']), 2)
        self.assertEqual(self.receive(self.made, 5).status_code, 201)  # more than was ordered
        self.assertEqual((self.status(), self.received()), ('OVER_RECEIVED', [8, 1]))
        self.assertEqual(self.listed(receipt_status='OVER_RECEIVED'), [self.made['id']])

    def test_a_correction_is_a_deletion_and_another_one(self):
        receipt = self.receive(self.made, 3, 1).json()
        path = f'/item-receipts/{receipt["id"]}'
        self.assertEqual(self.client.patch(path, json={}).status_code, 405)
        self.assertEqual(self.client.delete(path).status_code, 204)
        self.assertEqual((self.status(), self.received()), ('NOT_RECEIVED', [0, 0]))
        self.assertRefused(self.client.get(path), 404, 'DEVELOPER_7002')
        self.assertRefused(self.client.delete(path), 404, 'DEVELOPER_7002')
        again = self.receive(self.made, 2)
        self.assertEqual((again.status_code, self.received()), (201, [2, 0]))
        self.assertEqual(self.ids('/item-receipts'), [again.json()['id']])
        self.assertEqual(self.ids('/item-receipts', include_archived='true'), [receipt['id'], again.json()['id']])

    def test_lists(self):
        one = self.receive(self.made, 1).json()['id']
        other = self.place(external_id='other', entity_id=self.entity('EUR'))
        two = self.receive(other, 0, 1).json()['id']
        for params, found in (
            ({}, [one, two]),
            ({'purchase_order_id': other['id']}, [two]),
            ({'entity_id': self.entity('EUR')}, [two]),
            ({'purchase_order_line_item_id': self.made['line_items'][0]['id']}, [one]),
        ):
            self.assertEqual(self.ids('/item-receipts', **params), found, params)

    def test_refusals(self):
        line = {'purchase_order_line_item_id': self.made['line_items'][0]['id'], 'unit_quantity': 2}
        other = self.place(external_id='other', three_way_match_enabled=False)
        lots = [{'lot_number': 'L1', 'quantity': '1.5'}]
        for wrong, status in (
            ({'purchase_order_id': NOBODY}, 404),
            ({'purchase_order_id': other['id']}, 400),
            ({'item_receipt_line_items': []}, 422),
            ({'item_receipt_line_items': [{**line, 'unit_quantity': 1.5}]}, 422),
            ({'item_receipt_line_items': [{**line, 'unit_quantity': -1}]}, 422),
            ({'item_receipt_line_items': [{**line, 'purchase_order_line_item_id': other['line_items'][0]['id']}]}, 422),
            ({'item_receipt_line_items': [{**line, 'inventory_assignments': lots}]}, 422),
            ({'receieved_at': '2026-08-10'}, 422),  # as in the contract's own example
        ):
            with self.subTest(wrong):
                answer = self.receive(self.made, **{'item_receipt_line_items': [line], **wrong})
                self.assertEqual(answer.status_code, status, answer.text)
        self.assertFalse(len(self.ramp.state['item_receipts']))
        whole = self.receive(
            self.made, item_receipt_line_items=[{'purchase_order_line_item_id': line['purchase_order_line_item_id']}]
        )
        self.assertEqual(
            (whole.status_code, whole.json()['line_items'][0]['quantity'], self.received()), (201, None, [3, 0])
        )
        lots.append({'lot_number': 'L2', 'quantity': 0.5, 'expiration_date': '2027-01-01'})
        split = self.receive(self.made, item_receipt_line_items=[{**line, 'inventory_assignments': lots}])
        self.assertEqual(
            [lot['quantity'] for lot in split.json()['line_items'][0]['inventory_assignments']], ['1.5', '0.5']
        )

    @unittest.skipUnless(CONTRACT, "Ramp's OpenAPI file is not here")
    def test_a_moment_is_not_a_day(self):
        self.assertRefused(self.receive(self.made, 1, received_at='2026-08-10T12:00:00Z'), 422, 'DEVELOPER_7001')

    def test_inventory_lines_need_a_quantity(self):
        item = {
            'id': NOBODY,
            'external_id': 'i',
            'name': 'i',
            'display_name': 'i',
            'provider_name': None,
            'category_info': {'id': NOBODY, 'external_id': 'Item', 'name': 'Item', 'type': 'INVENTORY_ITEM'},
        }
        order = self.ramp.add_purchase_order(
            three_way_match=True, lines=[{'quantity': 2, 'unit_price': 5, 'selections': [item]}]
        )
        line = {'purchase_order_line_item_id': self.order(order)['line_items'][0]['id']}
        answer = self.receive({'id': order, 'line_items': []}, item_receipt_line_items=[line])
        self.assertRefused(answer, 422, 'DEVELOPER_7001')


@tagged('ramp_simulator')
class TestBuyers(ProcurementCase):
    """Actions of people in Ramp's screens, made from another process."""

    def admin(self, method, path, **kwargs):
        return requests.request(method, f'{self.ramp.url}/_simulator{path}', timeout=20, **kwargs)

    def test_administration(self):
        answer = self.admin(
            'POST',
            '/purchase-orders',
            json={'vendor': 'Acme', 'three_way_match': True, 'lines': [{'unit_price': 250.5, 'quantity': 4}]},
        )
        self.assertEqual(answer.status_code, 201, answer.text)
        order = answer.json()['id']
        self.assertEqual(self.order(order)['amount']['amount'], 1002)
        path = f'/purchase-orders/{order}'
        self.assertEqual(
            self.admin('PATCH', path, json={'memo': 'M', 'lines': [{'unit_price': 300, 'quantity': 2}]}).status_code,
            200,
        )
        self.assertEqual(self.admin('PATCH', path, json={'mmeo': 'M'}).status_code, 422)
        receipt = self.admin('POST', f'{path}/receipts', json={}).json()
        self.assertEqual(self.admin('POST', f'{path}/bills').status_code, 201)
        lines = self.admin('GET', f'{path}/totals').json()['lines']
        self.assertEqual([(line['ordered'], line['received'], line['billed_minor']) for line in lines], [(2, 2, 600)])
        listed = self.admin('GET', '/purchase-orders', params={'memo': 'M'}).json()['data']
        self.assertEqual([(row['id'], row['receipt_status']) for row in listed], [(order, 'FULLY_RECEIVED')])
        self.assertEqual(len(self.admin('GET', '/item-receipts').json()['data']), 1)
        self.assertEqual(self.admin('DELETE', f'/item-receipts/{receipt["id"]}').status_code, 204)
        self.assertEqual(self.ramp.read_order_totals(order)[0]['received'], 0)
        self.assertEqual(self.admin('POST', f'{path}/archive', json={'reason': 'x'}).status_code, 200)
        self.assertRefused(self.client.get(path), 404, 'DEVELOPER_7002')

    def test_lines_keep_their_ids(self):
        order = self.ramp.add_purchase_order(lines=[{'unit_price': 1}, {'unit_price': 2}])
        before = [line['id'] for line in self.order(order)['line_items']]
        self.ramp.update_purchase_order(order, lines=[{'unit_price': 1, 'quantity': 5}, {'unit_price': 2}])
        self.assertEqual([line['id'] for line in self.order(order)['line_items']], before)
        self.ramp.update_purchase_order(order, lines=[{'unit_price': 2, 'id': before[1]}])
        self.assertEqual([line['id'] for line in self.order(order)['line_items']], before[1:])
        with self.assertRaises(TypeError):
            self.ramp.add_purchase_order(lines=[{'price': 1}])
