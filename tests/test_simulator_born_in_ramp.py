"""Purchase orders and receipts of the simulator that people create in Ramp, and what tells them from those of the API."""

from odoo.tests import tagged

from .test_simulator_procurement import ProcurementCase


@tagged('ramp_simulator')
class TestBornInRamp(ProcurementCase):
    options = {'webhooks': {'held': True}}

    def setUp(self):
        super().setUp()
        self.ramp.add_subscription('http://127.0.0.1:9/hook')

    def caused(self):
        found = [(event['type'], event['object']['id']) for event in self.ramp.webhooks.pending_events]
        self.ramp.webhooks.drop_pending()
        return found

    def test_the_source_tells_them_apart(self):
        theirs = self.ramp.add_purchase_order(vendor=self.acme, three_way_match=True)
        ours = self.place()['id']
        others = [
            self.ramp.add_purchase_order(vendor=self.acme, source=source)
            for source in ('ACCOUNTING_PROVIDER', 'EXTERNAL_IMPORT')
        ]
        self.assertEqual(self.caused(), [('purchase_orders.created', ident) for ident in (theirs, ours, *others)])
        both = {'three_way_match_enabled': 'true'}
        self.assertEqual(self.ids('/purchase-orders', creation_source='RAMP', **both), [theirs])
        self.assertEqual(self.ids('/purchase-orders', creation_source='DEVELOPER_API', **both), [ours])
        row = self.order(theirs)
        self.assertEqual((row['creation_source'], row['external_id']), ('RAMP', None))
        self.assertEqual(row['user_id'], row['owner_id'])
        self.assertIsNone(self.order(ours)['user_id'])

    def test_it_is_approved_later_and_edited(self):
        order = self.ramp.add_purchase_order(vendor=self.acme, approved=False)
        self.caused()
        patch = f'/purchase-orders/{order}'
        self.assertRefused(self.client.patch(patch, json={'memo': 'x'}), 400, 'DEVELOPER_7001')
        self.ramp.update_purchase_order(order, approved=True)
        self.ramp.update_purchase_order(order, lines=[{'unit_price': 250, 'quantity': 4, 'description': 'Bolts'}])
        self.assertEqual(self.caused(), [('purchase_orders.updated', order)] * 2)
        self.assertEqual(self.order(order)['amount']['amount'], 1000)
        self.assertEqual(self.client.patch(patch, json={'memo': 'x'}).status_code, 200)

    def test_items_are_received_in_ramp(self):
        self.client.post('/accounting/inventory-item', json={'name': 'Item'})
        items = {'options': [{'id': 'bolt', 'name': 'Bolt'}]}
        self.client.post('/accounting/inventory-item/options', json=items)
        order = self.ramp.add_purchase_order(
            vendor=self.acme, three_way_match=True, lines=[{'unit_price': 250, 'quantity': 4, 'item': 'bolt'}]
        )
        self.caused()
        [line] = self.order(order)['line_items']
        [coded] = line['accounting_field_selections']
        self.assertEqual((coded['external_id'], coded['category_info']['type']), ('bolt', 'INVENTORY_ITEM'))
        lines = [{'line': line['id'], 'quantity': 3, 'lots': [{'lot_number': 'L-1', 'quantity': 3}]}]
        receipt = self.ramp.add_item_receipt(order, lines, number='IR-1', memo='Dock 2')
        self.assertEqual(self.caused(), [('item_receipts.created', receipt)])
        row = self.client.get(f'/item-receipts/{receipt}').json()
        self.assertEqual((row['item_receipt_number'], row['memo'], row['remote_id']), ('IR-1', 'Dock 2', None))
        self.assertEqual((row['line_items'][0]['quantity'], row['line_items'][0]['amount']['amount']), (3, 750))
        # A receipt does not tell whether a person or the API created it.
        self.assertNotIn('creation_source', row)
        self.assertEqual(self.order(order)['receipt_status'], 'PARTIALLY_RECEIVED')
        self.ramp.add_item_receipt(order)
        self.assertEqual(self.order(order)['receipt_status'], 'FULLY_RECEIVED')

    def test_without_ramp_plus(self):
        order = self.ramp.add_purchase_order(vendor=self.acme)
        self.ramp.ramp_plus = False
        for path in ('/purchase-orders', f'/purchase-orders/{order}', '/item-receipts'):
            self.assertRefused(self.client.get(path), 403, 'DEVELOPER_7101')
