# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import Command
from odoo.tests import HttpCase, new_test_user, tagged

from .test_item_receipt import ReceiptsCase
from .test_screens import ScreenCase
from .test_user import PeopleCase
from .test_webhook import WebhookCase


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


@tagged('post_install', '-at_install', 'ramp', 'ramp_tour')
class TestPeopleTours(PeopleCase, ScreenCase, HttpCase):
    """An HR officer, who has no right in accounting, in a real browser, see `TestTours`; after each step, what Ramp has.

    Odoo's page of a departure opens for HR administrators only: it reads when the contract ends.
    """

    def setUp(self):
        super().setUp()
        # a custom address has no pages to link to
        self.patch(self.env.registry['ramp.connection'], '_app_url', lambda connection: 'https://app.ramp.test')

    def look(self, person, name, user):
        """A tour that begins on the form of an employee."""
        self.start_tour(f'/odoo/hr.employee/{person.id}', f'ramp_connector_person_{name}', login=user.login)
        self.env.invalidate_all()

    def test_life_of_an_employee(self):
        officer, manager = self.person('personnel'), self.person('personnel_manager')
        nora = self.hire()
        self.push()
        self.assertThere(nora, status='USER_DRAFT')
        self.start_tour('/odoo', 'ramp_connector_person_invite', login=officer.login)
        self.env.invalidate_all()
        self.assertTrue(nora.ramp_invite)
        self.assertEqual(self.ramp.mails, [])
        self.push()
        self.assertThere(nora, status='INVITE_PENDING')
        self.assertEqual(len(self.ramp.mails), 1)
        self.look(nora, 'rename', officer)
        self.push()
        self.assertThere(nora, first_name='Nora', last_name='Newer')
        self.look(nora, 'archive', manager)
        self.assertFalse(nora.active)
        self.push()
        self.assertEqual(self.there(nora)['status'], 'USER_INACTIVE')
        self.look(nora, 'archived', officer)
        self.assertEqual(len(self.ramp.mails), 1)
        self.ramp.assert_clean()


@tagged('post_install', '-at_install', 'ramp', 'ramp_tour')
class TestSettingsTours(WebhookCase, ScreenCase):
    """An accounting manager on the connection's page, see `TestTours`."""

    def look(self, name):
        self.start_tour('/odoo/ramp-connections', f'ramp_connector_{name}', login=self.manager.login)
        self.env.invalidate_all()

    def setUp(self):
        super().setUp()
        self.manager = self.person('manager')
        self.connection.name = 'Ramp of the tour'

    def test_settings(self):
        """What there is to choose, and what the page says of it; then it is discarded."""
        self.connection.environment = 'sandbox'  # a custom address may reach this machine
        settings = ('push_orders', 'push_receipts', 'push_users', 'user_invitation', 'user_role', 'use_webhooks')
        before = self.connection.read(settings)
        self.look('settings')
        self.assertEqual(self.connection.read(settings), before)

    def test_webhooks(self):
        self.look('webhooks_on')
        self.assertTrue(self.connection.use_webhooks)
        self.assertEqual(self.subscriptions(), [])
        self.run_job()
        self.deliver()
        self.run_job()
        [row] = self.subscriptions()
        self.assertEqual(row['status'], 'active')
        self.spend()
        self.deliver()
        self.assertTrue(self.events())
        self.look('webhooks_off')
        self.run_job()
        self.assertEqual(self.subscriptions(), [])
        self.ramp.assert_clean()
