# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import Command
from odoo.tests import new_test_user, tagged

from .common import BrowserCase
from .properties import in_turn
from .test_item_receipt import ReceiptsCase
from .test_screens import ScreenCase
from .test_security import RpcCase
from .test_user import PeopleCase
from .test_webhook import WebhookCase


@tagged('post_install', '-at_install', 'ramp', 'ramp_tour')
class TestProcurementTours(ReceiptsCase, ScreenCase, BrowserCase):
    """Tours of a buyer without accounting rights in a real browser (see `TestTours`). Each step is checked in Ramp."""

    def once(self):
        super().once()
        # A custom address has no pages to link to.
        self.patch(self.env.registry['ramp.connection'], '_app_url', lambda connection: 'https://app.ramp.test')
        self.buyer = new_test_user(
            self.env,
            'ramp_buyer',
            'base.group_user,purchase.group_purchase_user,stock.group_stock_user',
            context={'no_reset_password': True},
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
        )
        self.vendor.ramp_spend_vendor = True
        self.push()

    def look(self, order, name):
        """Start a tour on the form of an order."""
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
        """The buyer reads on the order why Ramp does not take it."""
        self.vendor = self.vendor.copy({'name': 'Quiet Supplier', 'email': False})
        order = self.order()
        self.push()
        self.assertFalse(self.row(order).ramp_id)
        self.look(order, 'held')
        self.vendor.email = 'sales@quiet.example'
        self.ramp.faults.add_fault('server_error', '/purchase-orders', method='POST', status=422, count=9)
        self.push()
        self.push()
        self.assertFalse(list(self.ramp.state['purchase_orders']))
        self.look(order, 'refused')


@tagged('post_install', '-at_install', 'ramp', 'ramp_tour')
class TestPeopleTours(PeopleCase, ScreenCase, BrowserCase):
    """Tours of an HR officer without accounting rights in a real browser (see `TestTours`). Each step is checked in
    Ramp.

    Odoo's page of a departure opens for HR administrators only, as it reads when the contract ends.
    """

    def setUp(self):
        super().setUp()
        # A custom address has no pages to link to.
        self.patch(self.env.registry['ramp.connection'], '_app_url', lambda connection: 'https://app.ramp.test')

    def look(self, person, name, user):
        """Start a tour on the form of an employee."""
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
        self.assertEqual(self.ramp.sent_mails, [])
        self.push()
        self.assertThere(nora, status='INVITE_PENDING')
        self.assertEqual(len(self.ramp.sent_mails), 1)
        self.look(nora, 'rename', officer)
        self.push()
        self.assertThere(nora, first_name='Nora', last_name='Newer')
        self.look(nora, 'archive', manager)
        self.assertFalse(nora.active)
        self.push()
        self.assertEqual(self.there(nora)['status'], 'USER_INACTIVE')
        self.look(nora, 'archived', officer)
        self.assertEqual(len(self.ramp.sent_mails), 1)
        self.ramp.assert_clean()


@tagged('post_install', '-at_install', 'ramp', 'ramp_tour')
class TestSettingsTours(WebhookCase, ScreenCase, BrowserCase):
    """Tours of an accounting manager on the connection's page (see `TestTours`)."""

    def look(self, name):
        self.start_tour('/odoo/ramp-connections', f'ramp_connector_{name}', login=self.manager.login)
        self.env.invalidate_all()

    def setUp(self):
        super().setUp()
        self.manager = self.person('manager')
        self.connection.name = 'Ramp of the tour'

    def test_settings(self):
        """The page shows the settings and explains them. Changes that are discarded are not saved."""
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


@tagged('post_install', '-at_install', 'ramp')
class TestWhoSeesWhatIsSent(ReceiptsCase, RpcCase):
    """Rights to read over RPC what became of orders, receipts and people in Ramp."""

    fields = {
        'purchase.order': ('ramp_state', 'ramp_receipt_state', 'ramp_progress', 'ramp_id', 'ramp_url'),
        'purchase.order.line': ('ramp_qty_received',),
        'stock.picking': ('ramp_state',),
        'hr.employee': ('ramp_state', 'ramp_id', 'ramp_url', 'ramp_user_id', 'ramp_invite', 'ramp_can_invite'),
        'res.users': ('ramp_state', 'ramp_id', 'ramp_url', 'ramp_invite', 'ramp_can_invite'),
    }

    def once(self):
        super().once()
        self.employee.user_id = False
        self.order_sent = self.order((4, 4.0, {}))
        self.picking = self.receive(self.order_sent, 3)
        companies = {'company_id': self.company.id, 'company_ids': [Command.set(self.company.ids)]}
        self.roles = {
            role: new_test_user(self.env, f'ramp_{role}', groups, email=f'{role}@role.example', **companies)
            for role, groups in {
                'buyer': 'base.group_user,purchase.group_purchase_user',
                'storekeeper': 'base.group_user,stock.group_stock_user',
                'officer': 'base.group_user,hr.group_hr_user',
                'keeper': 'base.group_user,base.group_erp_manager',
                'employee': 'base.group_user',
                'supplier': 'base.group_portal',
            }.items()
        }
        self.roles['supplier'].partner_id.parent_id = self.vendor
        self.push()
        for _again in range(2):  # Ramp creates people over several runs
            self.sync('employee', 'user', now=False)
        self.objects = {
            record._name: record
            for record in (
                self.order_sent,
                self.order_sent.order_line,
                self.picking,
                self.employee,
                self.roles['employee'],
            )
        }
        self.env.flush_all()

    def values(self, role, model, *fields):
        (values,) = self.call(role, model, 'read', self.objects[model].ids, list(fields))
        return values

    def assertHidden(self, role, model):
        for field in self.fields[model]:
            with self.subTest(role=role, model=model, field=field):
                self.assertEqual(
                    self.refused(role, model, 'read', self.objects[model].ids, [field]), 'odoo.exceptions.AccessError'
                )
                self.assertNotIn(field, self.call(role, model, 'fields_get'))

    def test_those_who_work_with_it(self):
        """Users who work with an object read its state in words, but not the ledger."""
        for role, model, state in (
            ('buyer', 'purchase.order', 'In Ramp'),
            ('storekeeper', 'stock.picking', 'In Ramp'),
            ('officer', 'hr.employee', 'In Ramp'),
            ('keeper', 'res.users', 'In Ramp: The user is a draft'),
        ):
            with self.subTest(role=role):
                self.assertRegex(self.values(role, model, *self.fields[model])['ramp_state'], f'^{state}')
                if model not in ('stock.picking', 'hr.employee'):  # officers see which row a person has, and no more
                    self.refused(role, model, 'read', self.objects[model].ids, ['ramp_record_id'])
                self.refused(role, 'ramp.record', 'search_read', [], ['name'])
        self.assertEqual(self.values('buyer', 'purchase.order', 'ramp_receipt_state')['ramp_receipt_state'], 'In Ramp')
        self.assertEqual(self.values('buyer', 'purchase.order.line', 'ramp_qty_received')['ramp_qty_received'], 3)

    def test_supplier_with_a_login(self):
        """A supplier with a login reads the own order, but not its state in Ramp."""
        self.assertEqual(self.values('supplier', 'purchase.order', 'name')['name'], self.order_sent.name)
        for model in ('purchase.order', 'purchase.order.line'):
            self.assertHidden('supplier', model)

    def test_those_whom_another_module_lets_in(self):
        """The fields are hidden themselves, and not only by the rights on their models, because other modules open
        those to further users.
        """
        for model, role, group in (
            ('stock.picking', 'supplier', 'base.group_portal'),
            ('hr.employee', 'employee', 'base.group_user'),
            ('res.users', 'employee', 'base.group_user'),
        ):
            self.env['ir.model.access'].create(
                {
                    'name': 'Let in',
                    'model_id': self.env['ir.model']._get_id(model),
                    'group_id': self.env.ref(group).id,
                    'perm_read': True,
                }
            )
            self.env.flush_all()
            self.assertTrue(self.values(role, model, 'name')['name'])
            self.assertHidden(role, model)

    @in_turn
    def test_colleagues(self):
        """A user who only sees the public card of an employee does not see these fields."""
        for field in self.fields['hr.employee']:
            with self.subTest(field=field):
                self.assertEqual(
                    self.refused('employee', 'hr.employee', 'read', self.employee.ids, [field]),
                    'odoo.exceptions.AccessError',
                )
                self.assertNotIn(field, self.env['hr.employee.public']._fields)
