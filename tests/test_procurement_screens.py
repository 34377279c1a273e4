# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import Command
from odoo.tests import HttpCase, new_test_user, tagged

from .test_item_receipt import ReceiptsCase
from .test_screens import ScreenCase


@tagged('post_install', '-at_install', 'ramp', 'ramp_tour')
class TestProcurementTours(ReceiptsCase, ScreenCase, HttpCase):
    """A buyer, who has no right in accounting, in a real browser, see `TestTours`; after each step, what Ramp has."""

    def setUp(self):
        super().setUp()
        # a custom address has no pages to link to
        self.patch(self.env.registry['ramp.connection'], '_app_url', lambda connection: 'https://app.ramp.test')
        self.buyer = new_test_user(
            self.env, 'ramp_buyer', 'base.group_user,purchase.group_purchase_user,stock.group_stock_user',
            context={'no_reset_password': True}, company_id=self.company.id, company_ids=[Command.set(self.company.ids)])
        self.vendor.ramp_spend_vendor = True
        self.push()

    def look(self, order, name):
        """A tour that begins on the form of an order."""
        self.start_tour(f'/odoo/purchase.order/{order.id}', f'ramp_connector_order_{name}', login=self.buyer.login)
        self.env.invalidate_all()

    def test_life_of_an_order(self):
        order = self.order((10, 4.0, {}), confirm=False, user_id=self.buyer.id)
        self.start_tour('/odoo', 'ramp_connector_order_confirm', login=self.buyer.login)
        self.env.invalidate_all()
        self.assertEqual((order.state, self.row(order).ramp_id), ('purchase', False))
        self.push()
        [line] = self.there(order)['line_items']
        self.assertEqual((line['quantity'], line['amount']['amount']), (10, 4000))
        self.look(order, 'receive')
        done = order.picking_ids.filtered(lambda picking: picking.state == 'done')
        self.assertEqual((len(order.picking_ids), done.move_ids.quantity), (2, 6))
        self.push()
        self.assertEqual(self.receipts(order), {str(done.id): [6]})
        self.look(order, 'return')
        self.push()
        self.assertEqual(self.receipts(order), {str(done.id): [4]})
        self.look(order, 'cancel')
        self.assertEqual(order.state, 'cancel')
        self.push()
        self.assertTrue(self.there(order)['archived_at'])
        self.assertEqual(self.receipts(order), {str(done.id): [4]})
        self.look(order, 'archived')
        self.ramp.assert_clean()

    def test_order_that_ramp_does_not_take(self):
        """The buyer reads why, in words."""
        self.vendor = self.vendor.copy({'name': 'Quiet Supplier', 'email': False})
        order = self.order()
        self.push()
        self.assertFalse(self.row(order).ramp_id)
        self.look(order, 'held')
        self.vendor.email = 'sales@quiet.example'
        self.ramp.faults.add('server_error', '/purchase-orders', method='POST', status=422, count=9)
        self.push()
        self.push()
        self.assertFalse(list(self.ramp.state['purchase_orders']))
        self.look(order, 'refused')
