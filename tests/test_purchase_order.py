# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo.tests import tagged

from .common import RampCase


@tagged('post_install', '-at_install', 'ramp')
class TestPurchaseOrder(RampCase):
    """Confirmed orders are in Ramp as they are in Odoo."""

    def setUp(self):
        super().setUp()
        self.connection.start_date = '2020-01-01'
        self.vendor = self.env['res.partner'].create({
            'name': 'Widget Supplier', 'is_company': True, 'email': 'sales@widget.example', 'country_id': self.env.ref('base.us').id,
            'state_id': self.env.ref('base.state_us_5').id, 'supplier_rank': 1})
        self.product = self.env['product.product'].create({
            'name': 'Widget', 'type': 'consu', 'purchase_method': 'receive', 'property_account_expense_id': self.account_meals.id})

    def order(self, *lines, confirm=True, **values):
        order = self.env['purchase.order'].create({
            'partner_id': self.vendor.id, 'company_id': self.company.id, 'order_line': [
                (0, 0, {'product_id': self.product.id, 'product_qty': quantity, 'price_unit': price, 'tax_ids': [(5,)], **more})
                for quantity, price, more in (lines or ((2, 10.0, {}),))], **values})
        if confirm:
            order.button_confirm()
        return order

    def push(self):
        return self.sync('purchase_order', 'spend_vendor', 'purchase_order', now=False)

    def row(self, order):
        return self.env['ramp.record'].search([('flow', '=', 'purchase_order'), ('res_id', '=', order.id)])

    def there(self, order):
        return self.ramp.state['purchase_orders'].get(self.row(order).ramp_id)

    def assertThere(self, order, *lines):
        self.assertEqual(self.row(order).state, 'confirmed', self.row(order).error_message)
        told = self.there(order)
        self.assertFalse(told['archived_at'])
        self.assertEqual([(line['quantity'], line['amount']['amount']) for line in told['line_items']], list(lines))
        return told

    def test_confirmed(self):
        order = self.order((2, 10.0, {}), (1, 5.5, {'name': 'Assembly'}))
        self.assertEqual(order.ramp_state, 'Waiting to be sent')
        self.push()
        told = self.assertThere(order, (2, 2000), (1, 550))
        self.assertIn(order.name, told['memo'])
        writes = self.ramp.counts()
        self.push()
        self.assertEqual({key: count for key, count in (self.ramp.counts() - writes).items() if not key.startswith('GET')}, {})

    def test_draft_is_nothing(self):
        order = self.order(confirm=False)
        self.push()
        self.assertFalse(self.row(order))

    def test_amended(self):
        order = self.order((2, 10.0, {}), (1, 5.5, {}))
        self.push()
        before = self.ramp.counts()
        order.order_line[0].product_qty = 3
        order.order_line[1].product_qty = 0
        order.write({'order_line': [(0, 0, {'product_id': self.product.id, 'product_qty': 4, 'price_unit': 1.0, 'tax_ids': [(5,)]})]})
        self.push()
        self.assertThere(order, (3, 3000), (4, 400))
        sent = {key.partition(' ')[0]: count for key, count in (self.ramp.counts() - before).items() if not key.startswith('GET')}
        self.assertEqual(sent, {'POST': 1, 'PATCH': 1, 'DELETE': 1})

    def test_cancelled_and_confirmed_again(self):
        order = self.order()
        self.push()
        first = self.row(order).ramp_id
        order.button_cancel()
        self.push()
        self.assertTrue(self.ramp.state['purchase_orders'].get(first)['archived_at'])
        self.assertEqual(self.row(order).state, 'ignored')
        order.button_draft()
        order.button_confirm()
        self.push()
        self.assertThere(order, (2, 2000))
        self.assertNotEqual(self.row(order).ramp_id, first)

    def test_quantities_and_discounts(self):
        order = self.order((2.5, 4.0, {}), (3, 3.3333, {'discount': 10}), (0, 9.0, {}))
        self.push()
        self.assertThere(order, (25, 1000), (3, 900))
        self.assertIn('1/10', self.there(order)['line_items'][0]['description'])

    def test_negative_line(self):
        order = self.order((1, 10.0, {}), (1, -2.0, {'name': 'Discount'}))
        self.push()
        self.assertEqual(self.row(order).state, 'held')
        self.assertIn('negative', order.ramp_state)

    def test_vendor_without_address_of_mail(self):
        self.vendor.email = False
        order = self.order()
        self.push()
        self.assertEqual(self.row(order).state, 'held')
        self.assertIn('e-mail', order.ramp_state)
        self.vendor.email = 'sales@widget.example'
        self.sync('spend_vendor', 'purchase_order')
        self.push()
        self.assertThere(order, (2, 2000))

    def test_crash_after_ramp_has_it(self):
        order = self.order()
        self.push()
        self.env.cr.execute("UPDATE ramp_record SET ramp_id = NULL, payload = NULL, state = 'pending', is_uncertain = TRUE WHERE id = %s",
                            [self.row(order).id])
        self.env.invalidate_all()
        self.push()
        self.assertThere(order, (2, 2000))
        self.assertEqual(len(list(self.ramp.state['purchase_orders'])), 1)
