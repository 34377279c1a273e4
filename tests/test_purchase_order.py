# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st

from odoo import Command
from odoo.tests import tagged

from ..simulator.errors import RampError
from .common import RampCase
from .properties import examples, in_turn

FAULTS = (
    {'kind': 'server_error', 'status': 500},
    {'kind': 'error_after', 'status': 502},
    {'kind': 'drop_before'},
    {'kind': 'drop_after'},
    {'kind': 'truncate'},
    {'kind': 'rate_limit', 'retry_after': 0},
)
step = st.tuples(
    st.sampled_from(
        ('create', 'create', 'confirm', 'quantity', 'price', 'add', 'empty', 'cancel', 'again', 'plan', 'fault', 'sync')
    ),
    st.integers(0, 999),
)


class OrdersCase(RampCase):
    """A supplier, a product and purchase orders."""

    def once(self):
        super().once()
        self.connection.start_date = '2020-01-01'
        self.vendor = self.env['res.partner'].create(
            {
                'name': 'Widget Supplier',
                'is_company': True,
                'email': 'sales@widget.example',
                'country_id': self.env.ref('base.us').id,
                'state_id': self.env.ref('base.state_us_5').id,
                'supplier_rank': 1,
            }
        )
        self.product = self.env['product.product'].create(
            {
                'name': 'Widget',
                'type': 'consu',
                'purchase_method': 'receive',
                'property_account_expense_id': self.account_meals.id,
            }
        )

    def order(self, *lines, confirm=True, **values):
        order = self.env['purchase.order'].create(
            {
                'partner_id': self.vendor.id,
                'company_id': self.company.id,
                'order_line': [
                    (
                        0,
                        0,
                        {
                            'product_id': self.product.id,
                            'product_qty': quantity,
                            'price_unit': price,
                            'tax_ids': [(5,)],
                            **more,
                        },
                    )
                    for quantity, price, more in (lines or ((2, 10.0, {}),))
                ],
                **values,
            }
        )
        if confirm:
            order.button_confirm()
        return order

    def push(self):
        self.env.cr.flush()  # as if the changes in Odoo were committed
        return self.sync('purchase_order', 'spend_vendor', 'purchase_order', 'item_receipt', now=False)

    def row(self, order):
        return self.env['ramp.record'].search([('flow', '=', 'purchase_order'), ('res_id', '=', order.id)])

    def there(self, order):
        return self.ramp.state['purchase_orders'].get_row(self.row(order).ramp_id)

    # steps of the properties: `number` is a random choice

    def pick(self, number, *states):
        orders = [order for order in self.orders if order.state in states]
        return orders[number % len(orders)] if orders else None

    def do_cancel(self, number):
        if order := self.pick(number, 'purchase'):
            order.button_cancel()

    def do_again(self, number):
        if order := self.pick(number, 'cancel'):
            order.button_draft()
            order.button_confirm()

    def external(self, record):
        if record._name != 'purchase.order':
            return super().external(record)
        return f'{self.env["ramp.connection"]._database_identity()}-order-{record.id}'


@tagged('post_install', '-at_install', 'ramp')
class TestPurchaseOrder(OrdersCase):
    """Confirmed orders are in Ramp as they are in Odoo."""

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
        writes = self.ramp.count_requests()
        self.push()
        self.assertEqual(
            {key: count for key, count in (self.ramp.count_requests() - writes).items() if not key.startswith('GET')},
            {},
        )

    def test_page_in_ramp(self):
        """The button of the form leads to the order's own page in Ramp. A custom address has no such page."""
        order, waiting = self.order(), self.order(confirm=False)
        self.push()
        self.assertFalse(order.ramp_url)
        self.connection.environment = 'production'
        self.env.invalidate_all()
        self.assertEqual(
            order.ramp_url, f'https://app.ramp.com/s/procurement/purchase-orders/{self.row(order).ramp_id}'
        )
        self.assertEqual(order.action_open_in_ramp()['url'], order.ramp_url)
        self.assertFalse(waiting.ramp_url)

    def test_draft_is_nothing(self):
        order = self.order(confirm=False)
        self.push()
        self.assertFalse(self.row(order))

    def test_amended(self):
        order = self.order((2, 10.0, {}), (1, 5.5, {}))
        self.push()
        before = self.ramp.count_requests()
        order.order_line[0].product_qty = 3
        order.order_line[1].product_qty = 0
        order.write(
            {
                'order_line': [
                    (0, 0, {'product_id': self.product.id, 'product_qty': 4, 'price_unit': 1.0, 'tax_ids': [(5,)]})
                ]
            }
        )
        self.push()
        self.assertThere(order, (3, 3000), (4, 400))
        sent = {
            key.partition(' ')[0]: count
            for key, count in (self.ramp.count_requests() - before).items()
            if not key.startswith('GET')
        }
        self.assertEqual(sent, {'POST': 1, 'PATCH': 1, 'DELETE': 1})

    def test_cancelled_and_confirmed_again(self):
        order = self.order()
        self.push()
        first = self.row(order).ramp_id
        order.button_cancel()
        self.push()
        self.assertTrue(self.ramp.state['purchase_orders'].get_row(first)['archived_at'])
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

    def test_coded(self):
        """A line is coded with the account and the analytic accounts that Ramp has, each in its own field. If several
        accounts of a plan share the line, the field is left out.
        """
        self.sync('account', 'analytic_plan', 'analytic_account')
        move, fair, europe = (
            str(account.id) for account in (self.analytic_move, self.analytic_fair, self.analytic_europe)
        )
        order = self.order(
            (1, 1.0, {'analytic_distribution': {f'{fair},{europe}': 100}}),
            (2, 1.0, {'analytic_distribution': {fair: 60, move: 40}}),
        )
        self.push()
        plan, other_plan, account = (
            self.external(record) for record in (self.plan, self.other_plan, self.account_meals)
        )
        both, shared = (
            {item['category_info']['external_id']: item['external_id'] for item in line['accounting_field_selections']}
            for line in self.assertThere(order, (1, 100), (2, 200))['line_items']
        )
        self.assertEqual(
            both,
            {
                'Category': account,
                plan: self.external(self.analytic_fair),
                other_plan: self.external(self.analytic_europe),
            },
        )
        self.assertEqual(shared, {'Category': account})
        order.order_line[0].analytic_distribution = {move: 100}
        self.push()
        selections = self.assertThere(order, (1, 100), (2, 200))['line_items'][0]['accounting_field_selections']
        self.assertEqual({item['external_id'] for item in selections}, {account, self.external(self.analytic_move)})

    @in_turn
    def test_coded_with_what_another_company_offers(self):
        """Companies that share a Ramp business share one list. Orders of both are coded with what the older connection
        offers.
        """
        second = self.env['res.company'].create({'name': 'Second'})
        self.env.user.company_ids += second
        self.account_meals.with_company(second).write({'company_ids': [Command.link(second.id)], 'code': '77'})
        self.product.with_company(second).property_account_expense_id = self.account_meals
        self.sync('account', 'analytic_plan', 'analytic_account')
        other = self.connection.copy(
            {
                'existing_policy': 'book',
                'company_id': second.id,
                'name': 'Second',
                'start_date': '2020-01-01',
                'client_id': self.ramp.client_id,
                'client_secret': self.ramp.client_secret,
            }
        )
        other.action_connect()
        own = self.env['account.analytic.account'].create(
            {'name': 'Own', 'plan_id': self.other_plan.id, 'company_id': second.id}
        )
        self.sync('account', 'analytic_plan', 'analytic_account')
        self.assertEqual(
            self.env['ramp.record'].search([('res_model', '=', own._name), ('res_id', '=', own.id)]).state, 'confirmed'
        )
        # The buyer is also a user of another Ramp business.
        buyer = self.env['res.users'].create(
            {'name': 'Buyer', 'login': 'buyer', 'company_ids': [Command.set([*self.company.ids, *second.ids])]}
        )
        third = self.env['res.company'].create({'name': 'Third'})
        strange, known = (self.ramp.state.make_new_id(), next(iter(self.ramp.state['users']))['id'])
        self.env['hr.employee'].create(
            [
                {'name': f'Buyer {number}', 'user_id': buyer.id, 'company_id': company.id, 'ramp_user_id': ramp_id}
                for number, (company, ramp_id) in enumerate(((self.company, known), (third, strange)))
            ]
        )
        order = self.order(
            (1, 1.0, {'analytic_distribution': {f'{self.analytic_fair.id},{own.id}': 100}, 'tax_ids': False}),
            confirm=False,
            company_id=second.id,
            user_id=buyer.id,
        )
        order.with_company(second).button_confirm()
        self.push()
        self.push()
        self.assertEqual(self.row(order).state, 'confirmed', self.row(order).error_message)
        told = self.there(order)
        self.assertEqual(
            {item['external_id'] for item in told['line_items'][0]['accounting_field_selections']},
            {self.external(self.account_meals), self.external(self.analytic_fair), self.external(own)},
        )
        self.assertEqual(told['owner_id'], known)

    def test_currency_that_ramp_does_not_know(self):
        """An order in a currency that Ramp does not know is put on hold. Other orders are sent."""
        currency = self.env.ref('base.ZIG')
        currency.write({'active': True, 'rate_ids': [(0, 0, {'rate': 2.0})]})
        strange, order = self.order(currency_id=currency.id), self.order()
        self.push()
        self.assertEqual(self.row(strange).state, 'held')
        self.assertIn('Ramp does not support its currency ZIG', self.row(strange).error_message)
        self.assertThere(order, (2, 2000))

    def test_dates_of_lines_and_terms(self):
        """A new arrival date of a line is sent to Ramp. Ramp gets no payment terms that end with a month."""
        terms = self.env['account.payment.term'].create(
            [
                {
                    'name': delay,
                    'line_ids': [(0, 0, {'value': 'percent', 'value_amount': 100, 'nb_days': 10, 'delay_type': delay})],
                }
                for delay in ('days_after', 'days_after_end_of_next_month')
            ]
        )
        orders = [self.order(payment_term_id=term.id) for term in terms]
        self.push()
        self.assertEqual([self.there(order)['net_payment_terms'] for order in orders], [10, None])
        orders[0].order_line.write({'date_planned': '2027-03-01 12:00:00'})
        self.push()
        self.assertEqual(self.there(orders[0])['spend_end_date'][:10], '2027-03-01')

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
        self.assertIn('email', order.ramp_state)
        self.vendor.email = 'sales@widget.example'
        self.sync('spend_vendor', 'purchase_order')
        self.push()
        self.assertThere(order, (2, 2000))

    def test_vendor_who_is_an_employee(self):
        """A vendor who is an employee is not made a vendor in Ramp, and the order says why it waits."""
        self.env['hr.employee'].create(
            {'name': 'Emil', 'work_contact_id': self.vendor.id, 'company_id': self.company.id}
        )
        order = self.order()
        self.push()
        self.assertEqual(self.row(order).state, 'held')
        self.assertIn('It is the contact of an employee', order.ramp_state)
        self.assertFalse(self.vendor.ramp_spend_vendor)
        self.assertFalse([call for call in self.ramp.list_write_calls() if '/vendors' in call['path']])

    def billed(self, order, quantities=None, **values):
        """Return the bill in Odoo of an order that Ramp billed: {index of a line: Ramp's units}, or all of it."""
        told = self.there(order)
        ramp_id = self.ramp.bill_purchase_order(
            told['id'],
            quantities and {told['line_items'][index]['id']: count for index, count in quantities.items()},
            **values,
        )
        self.sync('vendor', 'bill', now=False)
        self.assertEqual(self.record(ramp_id, 'bill').state, 'confirmed', self.record(ramp_id, 'bill').error_message)
        return self.move(ramp_id)

    def test_its_bill(self):
        """The order counts the billed quantity in its own units, as if the bill had been made from it."""
        self.sync('account')
        self.product.purchase_method = 'purchase'
        order = self.order((2.5, 4.0, {}), (4, 25.0, {'discount': 10}))
        self.push()
        bill = self.billed(order, {0: 10, 1: 1})
        self.assertEqual(bill.amount_total, 26.5)
        self.assertEqual(bill.invoice_line_ids.purchase_line_id, order.order_line)
        self.assertEqual(bill.invoice_line_ids.product_id, self.product)
        self.assertEqual(order.invoice_ids, bill)
        self.assertEqual(order.order_line.mapped('qty_invoiced'), [1.0, 1.0])
        self.assertEqual(order.invoice_status, 'to invoice')
        self.assertEqual(self.billed(order, {0: 15, 1: 3}).amount_total, 73.5)
        self.assertEqual(order.order_line.mapped('qty_invoiced'), [2.5, 4.0])
        self.assertEqual(order.invoice_status, 'invoiced')

    def test_its_bill_of_stock(self):
        """A bill's inventory lines, which have quantities and prices of their own, count as billed on the order."""
        self.sync('account')
        self.product.purchase_method = 'purchase'
        order = self.order((2.5, 4.0, {}))
        self.push()
        [line] = self.there(order)['line_items']
        bill = self.billed(
            order,
            lines=[],
            inventory=[
                {
                    'amount_minor': 825,
                    'quantity': 20,
                    'unit_price_minor': 41,
                    'account': self.external(self.account_meals),
                    'purchase_order_line_item_id': line['id'],
                }
            ],
        )
        self.assertEqual(bill.amount_total, 8.25)
        self.assertEqual(order.order_line.qty_invoiced, 2.0)

    def test_its_bill_with_tax(self):
        """The tax that Ramp's amount includes does not count as goods on the order."""
        tax = self.env['account.tax'].create(
            {'name': 'Input', 'amount': 25, 'type_tax_use': 'purchase', 'company_id': self.company.id}
        )
        self.connection.offer_taxes = True
        self.sync('account', 'tax_rate', 'tax_code')
        code = self.env['ramp.record'].search([('flow', '=', 'tax_code'), ('res_id', '=', tax.id)]).remote_id
        order = self.order((4, 10.0, {}))
        self.push()
        [line] = self.there(order)['line_items']
        bill = self.billed(
            order,
            lines=[
                {
                    'amount_minor': 2500,
                    'account': self.external(self.account_meals),
                    'tax': code,
                    'purchase_order_line_item_id': line['id'],
                }
            ],
        )
        self.assertEqual((bill.amount_total, bill.amount_tax), (25, 5))
        self.assertEqual(order.order_line.qty_invoiced, 2.0)

    def test_its_credit(self):
        self.sync('account')
        self.product.purchase_method = 'purchase'
        order = self.order((4, 10.0, {}))
        self.push()
        self.billed(order)
        [line] = self.there(order)['line_items']
        credit = self.billed(
            order,
            lines=[
                {
                    'amount_minor': -1000,
                    'account': self.external(self.account_meals),
                    'purchase_order_line_item_id': line['id'],
                }
            ],
        )
        self.assertEqual((credit.move_type, credit.amount_total), ('in_refund', 10))
        self.assertEqual(order.order_line.qty_invoiced, 3.0)

    def test_valued_goods(self):
        """Goods with perpetual valuation are billed on the stock valuation account, as Odoo bills them."""
        stock = self.env['account.account'].create(
            {'name': 'Inventory', 'code': '110999', 'account_type': 'asset_current'}
        )
        self.connection.account_type_ids |= self.env['ramp.account.type'].search([('code', '=', 'asset_current')])
        category = self.env['product.category'].create(
            {'name': 'Valued', 'property_valuation': 'real_time', 'property_stock_valuation_account_id': stock.id}
        )
        self.product.write({'is_storable': True, 'categ_id': category.id})
        self.sync('account')
        order = self.order((4, 10.0, {}))
        self.push()
        bill = self.billed(order)
        self.assertEqual(bill.invoice_line_ids.account_id, stock)

    def test_crash_after_ramp_has_it(self):
        order = self.order()
        self.push()
        self.env.cr.execute(
            "UPDATE ramp_record SET ramp_id = NULL, payload = NULL, state = 'pending', is_uncertain = TRUE WHERE id = "
            '%s',
            [self.row(order).id],
        )
        self.env.invalidate_all()
        self.push()
        self.assertThere(order, (2, 2000))
        self.assertEqual(len(list(self.ramp.state['purchase_orders'])), 1)

    def test_created_and_not_shown_yet(self):
        """If Ramp fails after the work and its lists lag behind, the order is not sent again in that run. A later
        refusal is not final.
        """
        self.push_vendor()
        self.ramp.faults.add_fault('error_after', '/purchase-orders', method='POST', status=504, count=1)
        self.ramp.faults.add_fault('stale_page', '/purchase-orders', count=3)
        order = self.order()
        self.send()
        self.assertEqual(self.posts(), 1)
        self.assertEqual((self.row(order).state, self.row(order).is_uncertain), ('error', True))
        self.send()  # the lists still do not show it, and Ramp refuses a second one
        self.assertEqual(self.posts(), 2)
        self.assertEqual(
            (self.row(order).state, self.row(order).is_uncertain), ('pending', True), self.row(order).error_message
        )
        self.send()
        self.assertEqual(self.posts(), 2)
        self.assertThere(order, (2, 2000))
        self.assertEqual(len(list(self.ramp.state['purchase_orders'])), 1)

    def test_failed_and_refused(self):
        """An order that Ramp refuses after a failure is put on hold if it is not there when Ramp is asked once more."""
        self.push_vendor()
        self.ramp.faults.add_fault('server_error', '/purchase-orders', method='POST', count=1)
        order = self.order()
        self.send()
        self.ramp.add_before_hook(self.refusing('POST', '/purchase-orders', 422))
        self.send()
        self.assertEqual(self.row(order).state, 'pending')
        self.assertIn('Ramp refused it', self.row(order).error_message)
        self.send()
        self.assertEqual(self.row(order).state, 'held')
        self.assertEqual(self.posts(), 3)

    def test_line_failed_and_refused(self):
        order = self.order()
        self.push()
        self.ramp.faults.add_fault('server_error', '/purchase-orders/*/line-items', method='POST', count=1)
        order.order_line = [
            Command.create({'product_id': self.product.id, 'product_qty': 3, 'price_unit': 1.0, 'tax_ids': False})
        ]
        self.send()
        self.assertEqual(self.row(order).state, 'error')
        self.ramp.add_before_hook(self.refusing('POST', '/line-items', 422))
        for state in ('pending', 'held'):
            self.send()
            self.assertEqual(self.row(order).state, state)
            self.assertIn('Ramp refused it', self.row(order).error_message)

    def send(self):
        self.env.cr.flush()
        self.sync('purchase_order', now=False)

    def push_vendor(self):
        self.vendor.ramp_spend_vendor = True
        self.push()

    def posts(self):
        return self.ramp.count_requests()['POST /developer/v1/purchase-orders']

    @staticmethod
    def refusing(method, end, status):
        def hook(asked, path, body):
            if asked == method and path.endswith(end):
                raise RampError(status, 'DEVELOPER_7001', 'Invalid', {'memo': ['Invalid']})

        return hook

    # ------------------------------------------------------------------ property: any orders

    def do_create(self, number):
        self.orders.append(
            self.order((1 + number % 7, 1.25 * (1 + number % 11), {}), (number % 5 / 2, 3.0, {}), confirm=number % 2)
        )

    def do_confirm(self, number):
        if order := self.pick(number, 'draft'):
            order.button_confirm()

    def do_quantity(self, number):
        if order := self.pick(number, 'purchase'):
            order.order_line[number % len(order.order_line)].product_qty = number % 9 / 2

    def do_price(self, number):
        if order := self.pick(number, 'purchase'):
            order.order_line[number % len(order.order_line)].price_unit = number / 7

    def do_add(self, number):
        if order := self.pick(number, 'purchase'):
            order.write(
                {
                    'order_line': [
                        (
                            0,
                            0,
                            {
                                'product_id': self.product.id,
                                'product_qty': 1 + number % 3,
                                'price_unit': number % 50,
                                'tax_ids': [(5,)],
                            },
                        )
                    ]
                }
            )

    def do_empty(self, number):
        if order := self.pick(number, 'purchase'):
            order.order_line[number % len(order.order_line)].product_qty = 0

    def do_plan(self, number):
        if order := self.pick(number, 'purchase'):
            order.date_planned = f'2027-01-{1 + number % 28:02} 12:00:00'

    def do_fault(self, number):
        self.ramp.faults.add_fault(
            path=('*', '/purchase-orders*')[number % 2],
            skip=number % 5,
            count=1 + number % 3,
            **FAULTS[number % len(FAULTS)],
        )

    def do_sync(self, _number):
        self.push()

    def assertConverged(self):
        """Each order that is not archived in Ramp is as in Odoo, none is there twice, and nothing is left to send."""
        self.ramp.faults.clear_faults()
        for _count in range(3):
            self.env['ramp.record'].search([('next_attempt', '!=', False)]).next_attempt = False
            self.push()
        there = {}
        for row in self.ramp.state['purchase_orders']:
            if not row['archived_at']:
                there.setdefault(row['external_id'].partition('.')[0], []).append(row)
        expected = {}
        for order in self.orders:
            lines = Counter()
            for line in order.order_line:
                if line.product_qty:
                    quantity = line.product_qty if line.product_qty % 1 == 0 else line.product_qty * 10
                    lines[int(quantity), round(line.price_subtotal * 100)] += 1
            if order.state == 'purchase' and lines:
                expected[self.external(order)] = lines
        told = {
            identity: Counter((line['quantity'], line['amount']['amount']) for line in rows[0]['line_items'])
            for identity, rows in there.items()
        }
        # An order whose last line was emptied stays as it is in Ramp, which takes no order without lines. Its row says
        # so.
        emptied = {
            self.external(order)
            for order in self.orders
            if self.external(order) not in expected and order.state == 'purchase' and self.row(order).state == 'held'
        }
        self.assertEqual({identity: lines for identity, lines in told.items() if identity not in emptied}, expected)
        self.assertFalse([identity for identity, rows in there.items() if len(rows) > 1])
        before = self.ramp.count_requests()
        self.push()
        self.assertFalse([key for key in self.ramp.count_requests() - before if not key.startswith('GET')])
        self.ramp.assert_clean()

    @examples(2)
    @given(steps=st.lists(step, min_size=5, max_size=40))
    @example(steps=[('create', 1), ('fault', 3), ('sync', 0), ('cancel', 0), ('again', 0), ('sync', 0)])
    def test_property_orders_converge(self, steps):
        self.orders = []
        with self.isolated():
            for deed, number in steps:
                getattr(self, f'do_{deed}')(number)
            self.assertConverged()
