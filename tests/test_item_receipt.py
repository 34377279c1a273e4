# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import math
from collections import Counter, defaultdict

from hypothesis import example, given
from hypothesis import strategies as st

from odoo import Command
from odoo.exceptions import AccessError
from odoo.tests import Form, new_test_user, tagged
from odoo.tools import mute_logger

from ..simulator.errors import RampError
from .properties import examples, in_turn
from .test_purchase_order import FAULTS, OrdersCase

step = st.tuples(
    st.sampled_from(
        (
            'create',
            'receive',
            'receive',
            'receive',
            'back',
            'correct',
            'by_hand',
            'quantity',
            'add',
            'cancel',
            'again',
            'vendor',
            'fault',
            'crash',
            'sync',
            'sync',
        )
    ),
    st.integers(0, 999),
)


class ReceiptsCase(OrdersCase):
    """Goods that are received for orders and returned."""

    def receive(self, order, *quantities):
        """Validate the open receipt of an order, with a back-order for what is missing; returns it."""
        picking = order.picking_ids.filtered(lambda picking: picking.state not in ('done', 'cancel'))[:1]
        for move, quantity in zip(picking.move_ids.sorted('id'), quantities, strict=False):
            move.quantity = quantity
        picking.move_ids.picked = True
        picking.with_context(skip_backorder=True, skip_sms=True).button_validate()
        self.assertEqual(picking.state, 'done')
        return picking

    def give_back(self, picking, quantity, to_refund=True):
        wizard = (
            self.env['stock.return.picking']
            .with_context(active_id=picking.id, active_ids=picking.ids, active_model='stock.picking')
            .create({})
        )
        wizard.product_return_moves.write({'quantity': quantity, 'to_refund': to_refund})
        back = self.env['stock.picking'].browse(wizard.action_create_returns()['res_id'])
        back.move_ids.picked = True
        back.with_context(skip_backorder=True).button_validate()
        self.assertEqual(back.state, 'done')
        return back

    def receipts(self, order):
        """{number's key: [quantities]} of the receipts that Ramp has of an order, in the order of its lines."""
        there = self.there(order)
        lines = [line['id'] for line in there['line_items']]
        return {
            receipt['item_receipt_number'].rpartition('.')[2]: [
                sum(line['quantity'] for line in receipt['line_items'] if line['purchase_order_line_item_id'] == ident)
                for ident in lines
            ]
            for receipt in self.ramp.state['item_receipts']
            if receipt['purchase_order_id'] == there['id'] and not receipt['archived_at']
        }

    def receipt_row(self, order):
        return self.env['ramp.record'].search([('flow', '=', 'item_receipt'), ('res_id', '=', order.id)])


@tagged('post_install', '-at_install', 'ramp')
class TestItemReceipt(ReceiptsCase):
    """A quantity that is received in Odoo is received on the order in Ramp."""

    def setUp(self):
        super().setUp()
        self.service = self.env['product.product'].create(
            {'name': 'Assembly', 'type': 'service', 'purchase_method': 'receive'}
        )
        self.kilogram = self.env.ref('uom.product_uom_kgm')
        self.product.uom_id = self.kilogram
        self.twice, self.crash_in = [], None
        self.ramp.add_before_hook(self.look)
        Record = self.env.registry['ramp.record']
        self.patch(Record, '_store_sent', self.crash(Record._store_sent))

    def writes(self):
        return Counter(
            {
                key: count
                for key, count in self.ramp.count_requests().items()
                if not key.startswith('GET') and 'item-receipts' in key
            }
        )

    def assertReceived(self, order, *receipts):
        self.assertEqual(self.receipt_row(order).state, 'confirmed', self.receipt_row(order).error_message)
        self.assertEqual(list(self.receipts(order).values()), list(receipts))

    def test_back_orders(self):
        order = self.order((10, 4.0, {}), (4, 1.0, {}))
        first = self.receive(order, 6, 0)
        self.push()
        self.assertReceived(order, [6, 0])
        receipt = next(iter(self.ramp.state['item_receipts']))
        self.assertIn(first.name, receipt['item_receipt_number'])
        self.assertEqual(receipt['received_at'][:10], str(first.date_done.date()))
        second = self.receive(order)
        self.assertEqual(order.ramp_receipt_state, 'In Ramp')
        self.push()
        self.assertReceived(order, [6, 0], [4, 4])
        self.assertEqual(list(self.receipts(order)), [str(first.id), str(second.id)])
        self.assertEqual(order.order_line.mapped('ramp_qty_received'), [10, 4])
        self.assertEqual((order.ramp_receipt_state, first.ramp_state), ('In Ramp', 'In Ramp'))
        before = self.writes()
        self.push()
        self.assertFalse(self.writes() - before)

    def test_nothing_received_is_nothing(self):
        order = self.order()
        self.push()
        self.assertFalse(self.receipt_row(order))
        self.assertFalse(order.ramp_receipt_state)
        order.picking_ids.action_cancel()
        self.push()
        self.assertFalse(self.receipt_row(order))

    def test_order_waits_for_its_vendor(self):
        self.vendor.email = False
        order = self.order()
        picking = self.receive(order)
        self.push()
        self.assertRegex(picking.ramp_state, 'Ramp does not have the order.*email')
        self.vendor.email = 'sales@widget.example'
        self.sync('spend_vendor', 'purchase_order')
        self.push()
        self.push()
        self.assertReceived(order, [2])

    def test_return(self):
        order = self.order((10, 4.0, {}))
        first = self.receive(order, 6)
        self.receive(order, 4)
        self.push()
        before = self.writes()
        self.give_back(first, 2)
        self.push()
        self.assertReceived(order, [4], [4])
        self.assertEqual(
            {key.partition(' ')[0]: count for key, count in (self.writes() - before).items()}, {'DELETE': 1, 'POST': 1}
        )
        self.give_back(first, 1, to_refund=False)  # to be replaced: the order counts it as received
        self.push()
        self.assertEqual(sorted(self.receipts(order).values()), [[4], [4]])

    def test_all_returned_and_received_again(self):
        order = self.order((3, 4.0, {}))
        first = self.receive(order)
        self.push()
        back = self.give_back(first, 3)
        self.push()
        self.assertReceived(order)
        self.give_back(back, 2)
        self.push()
        self.assertReceived(order, [2])

    def test_correction(self):
        order = self.order((10, 4.0, {}))
        picking = self.receive(order, 6)
        self.push()
        picking.action_toggle_is_locked()
        picking.move_ids.quantity = 5
        self.assertEqual(order.order_line.qty_received, 5)
        self.push()
        self.assertReceived(order, [5])

    def test_over_received(self):
        order = self.order((2, 4.0, {}))
        self.receive(order, 5)
        self.push()
        self.assertReceived(order, [5])
        self.assertEqual(order.order_line.ramp_qty_received, 5)

    def test_fractions(self):
        """A quantity of 2.5 kg is sent as 25 times 1/10 kg. The received parts are rounded down as a sum, so that it
        never drifts.
        """
        order = self.order((2.5, 4.0, {}))
        for quantity, expected in (
            (0.5, [[5]]),
            (0.78, [[5], [7]]),
            (0.58, [[5], [7], [6]]),
            (0.64, [[5], [7], [6], [7]]),
        ):
            self.receive(order, quantity)
            self.push()
            self.assertReceived(order, *expected)
        self.assertEqual(order.order_line.ramp_qty_received, 2.5)

    def test_other_unit(self):
        order = self.order((2, 4.0, {'product_uom_id': self.env.ref('uom.product_uom_ton').id}))
        self.receive(order, 1000)
        self.push()
        self.assertReceived(order, [1])
        self.receive(order, 300)
        self.receive(order)
        self.push()
        self.assertReceived(order, [1], [1])

    def test_amended_into_other_units(self):
        order = self.order((2.5, 4.0, {}))
        self.receive(order, 1)
        self.push()
        self.assertReceived(order, [10])
        order.order_line.product_qty = 3
        self.push()
        self.assertReceived(order, [10])
        self.assertEqual(self.there(order)['line_items'][0]['quantity'], 30, 'a receipt counts in these units')

    def test_service_by_hand(self):
        order = self.order((2, 4.0, {}), (8, 1.0, {'product_id': self.service.id}))
        self.receive(order)
        line = order.order_line[1]
        line.qty_received = 3
        self.push()
        self.assertEqual(self.receipts(order)['rest-1'], [0, 3])
        line.qty_received = 5  # the first receipt may be billed by now
        self.push()
        self.assertEqual([self.receipts(order)[key] for key in ('rest-1', 'rest-2')], [[0, 3], [0, 2]])
        line.qty_received = 4
        self.push()
        self.assertEqual([self.receipts(order)[key] for key in ('rest-1', 'rest-2')], [[0, 3], [0, 1]])
        line.qty_received = 0
        self.push()
        self.assertReceived(order, [2, 0])

    def test_receipts_by_hand_of_two_lines(self):
        """A receipt that is removed leaves a gap in the numbers. No two receipts have the same number."""
        order = self.order((1, 4.0, {}), *[(9, 1.0, {'product_id': self.service.id})] * 2)
        for line, quantity in ((1, 3), (2, 2), (1, 5), (2, 0), (1, 6)):
            order.order_line[line].qty_received = quantity
            self.push()
        self.assertEqual(self.receipts(order), {'rest-1': [0, 3, 0], 'rest-3': [0, 2, 0], 'rest-4': [0, 1, 0]})

    def test_order_of_services(self):
        """An order of services gets no receipts, as Ramp does not match it with receipts."""
        order = self.order((8, 1.0, {'product_id': self.service.id}))
        order.order_line.qty_received = 3
        self.push()
        self.assertEqual(self.row(order).state, 'confirmed')
        self.assertNotEqual(self.receipt_row(order).state, 'held')
        order.write(
            {'order_line': [Command.create({'product_id': self.product.id, 'product_qty': 1, 'price_unit': 1.0})]}
        )
        self.receive(order)
        self.push()
        self.assertFalse(self.writes())
        runs = self.push()
        self.assertFalse(runs.filtered(lambda run: run.flow == 'item_receipt'))

    def test_line_removed(self):
        """A line that was returned and removed from the order is removed in Ramp once its receipt is gone."""
        order = self.order((2, 4.0, {}), (3, 1.0, {}))
        picking = self.receive(order)
        self.push()
        wizard = (
            self.env['stock.return.picking']
            .with_context(active_id=picking.id, active_ids=picking.ids, active_model='stock.picking')
            .create({})
        )
        wizard.product_return_moves.filtered(
            lambda move: move.move_id.purchase_line_id == order.order_line[1]
        ).quantity = 3
        back = self.env['stock.picking'].browse(wizard.action_create_returns()['res_id'])
        back.move_ids.picked = True
        back.button_validate()
        order.order_line[1].product_qty = 0
        self.push()
        self.push()
        self.assertReceived(order, [2])
        self.assertEqual(self.row(order).state, 'confirmed')

    def test_line_that_was_received_is_set_to_nothing(self):
        """Ramp deletes no line that has receipts, so the line keeps the quantity that was received."""
        order = self.order((2, 4.0, {}), (3, 1.5, {}))
        self.receive(order)
        self.push()
        order.order_line[1].write({'product_qty': 0, 'price_unit': 1.5})
        self.push()
        self.assertFalse([key for key in self.writes() if key.startswith('DELETE')])
        self.assertEqual(self.row(order).state, 'confirmed', self.row(order).error_message)
        self.assertReceived(order, [2, 3])
        lines = self.ramp.state['purchase_orders'].get_row(self.row(order).ramp_id)['line_items']
        self.assertEqual([(line['quantity'], line['amount']['amount']) for line in lines], [(2, 800), (3, 450)])

    def test_cancelled_and_confirmed_again(self):
        order = self.order((4, 4.0, {}))
        self.receive(order, 3)
        self.push()
        first = self.row(order).ramp_id
        order.button_cancel()
        self.push()
        self.assertEqual(self.receipt_row(order).state, 'ignored')
        self.assertFalse([key for key in self.writes() if key.startswith('DELETE')])
        order.button_draft()
        order.button_confirm()
        self.push()
        self.assertNotEqual(self.row(order).ramp_id, first)
        self.assertReceived(order, [3])

    def test_another_vendor(self):
        """An order with another vendor is replaced in Ramp, and the new one gets the receipts. Those of the archived
        one stay.
        """
        order = self.order((4, 4.0, {}))
        self.receive(order, 3)
        self.push()
        first = self.row(order).ramp_id
        order.partner_id = self.vendor.copy({'name': 'Other Supplier', 'email': 'hello@other.example'})
        self.push()
        self.push()
        self.assertNotEqual(self.row(order).ramp_id, first)
        self.assertReceived(order, [3])
        self.assertFalse([key for key in self.writes() if key.startswith('DELETE')])

    def test_one_transfer_of_two_orders(self):
        one, other = self.order((2, 4.0, {})), self.order((3, 4.0, {}))
        other.picking_ids.move_ids.picking_id = one.picking_ids
        picking = self.receive(one)
        self.push()
        self.assertReceived(one, [2])
        self.assertReceived(other, [3])
        self.assertEqual(picking.ramp_state, 'In Ramp')
        self.receipt_row(other).write({'state': 'held', 'hold_reason': 'refused', 'error_message': 'Too many'})
        picking.invalidate_recordset()
        self.assertEqual(picking.ramp_state, f'{one.name}: In Ramp\n{other.name}: Too many')

    def test_serial_numbers(self):
        self.product.write(
            {'is_storable': True, 'tracking': 'serial', 'uom_id': self.env.ref('uom.product_uom_unit').id}
        )
        order = self.order((2, 4.0, {}))
        move = order.picking_ids.move_ids
        move.move_line_ids.unlink()
        move.move_line_ids = [
            Command.create({'product_id': self.product.id, 'lot_name': name, 'quantity': 1}) for name in ('S-1', 'S-2')
        ]
        self.receive(order)
        self.push()
        self.assertReceived(order, [2])
        self.assertEqual(next(iter(self.ramp.state['item_receipts']))['memo'], 'Lots and serial numbers: S-1, S-2')

    def test_dropship(self):
        picking_type = self.env['stock.picking.type'].create(
            {
                'name': 'Dropship',
                'code': 'incoming',
                'sequence_code': 'DSX',
                'company_id': self.company.id,
                'default_location_src_id': self.env.ref('stock.stock_location_suppliers').id,
                'default_location_dest_id': self.env.ref('stock.stock_location_customers').id,
            }
        )
        order = self.order((2, 4.0, {}), picking_type_id=picking_type.id)
        self.receive(order, 1)
        self.assertEqual(order.order_line.qty_received, 1)
        self.push()
        self.assertReceived(order, [1])

    # ------------------------------------------------------------------ Ramp's side

    def test_crash_after_ramp_has_it(self):
        order = self.order((4, 4.0, {}))
        self.receive(order, 3)
        self.push()
        self.env.cr.execute(
            "UPDATE ramp_record SET ramp_id = NULL, payload = NULL, state = 'pending', is_uncertain = TRUE WHERE id = "
            '%s',
            [self.receipt_row(order).id],
        )
        self.env.invalidate_all()
        before = self.writes()
        self.push()
        self.assertReceived(order, [3])
        self.assertFalse(self.writes() - before)

    @in_turn
    def test_process_dies_after_ramp_answered(self):
        """If the job dies between Ramp's answer and the commit, the next one first reads what Ramp has. Nothing is
        created twice.
        """
        for number in range(5):
            with self.subTest(number=number):
                order = self.order((4, 4.0, {}), (6, 1.0, {}))
                self.push()
                first = self.receive(order, 3, 2)
                self.crash_in = number
                self.push()
                self.crash_in = None
                self.push()
                self.assertReceived(order, [3, 2])
                self.receive(order, 1, 0)
                self.give_back(first, 1)  # one receipt takes the place of another, and a further one is made
                self.crash_in = number
                self.push()
                self.crash_in = None
                self.push()
                self.assertEqual(self.receipt_row(order).state, 'confirmed', self.receipt_row(order).error_message)
                self.assertEqual(sorted(self.receipts(order).values()), [[1, 0], [2, 1]])
        self.assertFalse(self.twice)

    def test_receipts_of_a_further_order(self):
        """The receipts that Ramp has of an order are read before its first receipt is made, also if Ramp has receipts
        of other orders.
        """
        one, other, known = (self.order((4, 4.0, {})) for _count in range(3))
        self.receive(one, 3)
        self.push()
        self.receive(other, 2)
        self.receive(known, 3)
        self.ramp.add_item_receipt(
            self.row(known).ramp_id,
            [{'line': self.there(known)['line_items'][0]['id'], 'quantity': 3}],
            number='by hand',
        )
        before = self.writes()
        runs = self.push()
        self.assertReceived(other, [2])
        self.assertReceived(known, [3])
        self.assertEqual(sum((self.writes() - before).values()), 1)
        self.assertFalse(any(runs.mapped('message')))

    def test_many_are_asked_for_at_once(self):
        """If the ledger has lost the receipts, Ramp's list is read once, and no receipt is made again."""
        orders = [self.order((4, 4.0, {})) for _count in range(12)]
        for order in orders:
            self.receive(order, 3)
        self.push()
        self.env.cr.execute(
            "UPDATE ramp_record SET ramp_id = NULL, payload = NULL, state = 'pending', is_uncertain = TRUE "
            "WHERE flow = 'item_receipt'"
        )
        self.env.invalidate_all()
        before, asked = self.writes(), self.ramp.count_requests()
        self.push()
        for order in orders:
            self.assertReceived(order, [3])
        self.assertFalse(self.writes() - before)
        self.assertEqual(
            sum(count for key, count in (self.ramp.count_requests() - asked).items() if 'item-receipts' in key), 1
        )

    def test_a_form_notes_nothing(self):
        order = self.order((2, 4.0, {}), (8, 1.0, {'product_id': self.service.id}))
        self.push()
        with Form(order) as form:
            with form.order_line.edit(1) as line:
                line.qty_received = 3
            self.env.cr.flush()
            self.assertFalse(order._ramp_noted_ids(('item_receipt',)))
        self.env.cr.flush()
        self.assertTrue(order._ramp_noted_ids(('item_receipt',)))

    def test_answers_are_lost(self):
        """If Ramp's answer is lost, no receipt is created twice."""
        order = self.order((4, 4.0, {}))
        self.push()
        self.receive(order, 3)
        self.ramp.faults.add_fault(path='/item-receipts', method='POST', count=1, kind='drop_after')
        self.push()
        self.assertNotEqual(self.receipt_row(order).state, 'confirmed')
        self.push()
        self.assertReceived(order, [3])
        picking = self.receive(order, 1)
        self.ramp.faults.add_fault(path='/item-receipts*', method='DELETE', count=9, kind='error_after', status=502)
        picking.action_toggle_is_locked()
        picking.move_ids.quantity = 0.5
        self.push()
        self.ramp.faults.clear_faults()
        self.env['ramp.record'].search([('next_attempt', '!=', False)]).next_attempt = False
        self.push()
        self.assertReceived(order, [3])

    def test_receipt_of_somebody_else(self):
        """A receipt that a person entered in Ramp is adopted if it is the same as Odoo's. Otherwise the order is put on
        hold. The receipt is never deleted.
        """
        order, other = self.order((4, 4.0, {})), self.order((4, 4.0, {}))
        self.push()
        for each in (order, other):
            line = self.there(each)['line_items'][0]['id']
            self.ramp.add_item_receipt(self.row(each).ramp_id, [{'line': line, 'quantity': 3}], number='by hand')
        self.receive(order, 3)
        self.receive(other, 2)
        before = self.writes()
        self.push()
        self.assertFalse(self.writes() - before)
        self.assertEqual(self.receipt_row(order).state, 'confirmed')
        self.assertEqual(self.receipt_row(other).state, 'held')
        self.assertIn('by hand', other.ramp_receipt_state)
        stray = next(
            row for row in self.ramp.state['item_receipts'] if row['purchase_order_id'] == self.row(other).ramp_id
        )
        self.ramp.remove_item_receipt(stray['id'])
        self.push()
        self.assertReceived(other, [2])

    def test_edited_in_ramp(self):
        """Receipts that were edited in Ramp are restored when everything is compared."""
        order = self.order((4, 4.0, {}), (9, 1.0, {'product_id': self.service.id}))
        self.receive(order, 3)
        order.order_line[1].qty_received = 2
        self.push()
        for receipt in self.ramp.state['item_receipts']:
            self.ramp.state['item_receipts'].update_row(
                receipt['id'], line_items=[{**line, 'quantity': None} for line in receipt['line_items']]
            )
        self.connection.action_push_all()
        self.push()
        self.assertReceived(order, [3, 0], [0, 2])

    def test_a_part_of_a_unit(self):
        """If an order in whole units is received in parts of a unit, it is counted in smaller units, and both systems
        agree.
        """
        order = self.order((10, 4.0, {}), (3, 1.0, {}))
        self.push()
        self.receive(order, 2.5, 1)
        self.push()
        self.push()
        told = self.there(order)
        self.assertEqual(
            [(line['quantity'], line['amount']['amount']) for line in told['line_items']], [(1000, 4000), (3, 300)]
        )
        self.assertIn('1/100', told['line_items'][0]['description'])
        self.assertReceived(order, [250, 1])
        self.assertEqual(order.order_line.mapped('ramp_qty_received'), [2.5, 1])
        self.receive(order, 3.33, 1)
        self.push()
        self.assertReceived(order, [250, 1], [333, 1])
        self.assertEqual(len(self.writes()), 1, 'no receipt was made twice')
        self.assertEqual(order.order_line.mapped('ramp_qty_received'), [5.83, 2])
        self.give_back(order.picking_ids.filtered(lambda picking: picking.state == 'done').sorted('id')[0], 1)
        self.push()
        self.assertReceived(order, [333, 1], [150, 0])
        order.order_line[0].product_qty = 11
        self.push()
        self.assertEqual([line['quantity'] for line in self.there(order)['line_items']], [1100, 3], 'it stays so')

    def test_a_part_of_a_unit_refused(self):
        """If Ramp refuses the smaller units, the receipt has the whole units that were received."""
        order = self.order((10, 4.0, {}))
        self.push()

        def refuse(method, path, _body):
            if method == 'PATCH' and '/line-items/' in path:
                raise RampError(400, 'DEVELOPER_7001', 'The quantity of this line cannot be changed')

        self.ramp.add_before_hook(refuse)
        self.receive(order, 2.5)
        for _time in range(3):
            self.push()
        self.assertReceived(order, [2])
        self.assertEqual((self.row(order).state, self.there(order)['line_items'][0]['quantity']), ('confirmed', 10))
        self.assertEqual(sum(count for key, count in self.ramp.count_requests().items() if key.startswith('PATCH')), 1)

    def test_a_part_of_a_unit_and_trouble(self):
        """While Ramp fails on the smaller units, the receipts wait, because receipts in whole units would stay."""
        order = self.order((10, 4.0, {}))
        self.push()
        self.ramp.faults.add_fault('server_error', '/purchase-orders/*', method='PATCH')
        self.receive(order, 2.5)
        self.push()
        self.push()
        self.assertEqual((self.row(order).state, self.receipts(order)), ('error', {}))
        self.ramp.faults.clear_faults()
        self.row(order).next_attempt = False
        self.push()
        self.push()
        self.assertReceived(order, [250])

    def test_a_part_of_a_unit_later(self):
        """An order that has receipts keeps its units, because a receipt that is matched with a bill cannot be made
        again.
        """
        order = self.order((10, 4.0, {}))
        self.receive(order, 4)
        self.push()
        self.receive(order, 2.5)
        self.push()
        self.push()
        self.assertEqual(self.there(order)['line_items'][0]['quantity'], 10)
        self.assertReceived(order, [4], [2])

    def test_matched_with_a_bill(self):
        """Ramp refuses to delete a receipt that is matched with a bill. The order says so, and its other receipts are
        sent.
        """
        order = self.order((9, 4.0, {}))
        first = self.receive(order, 3)
        self.push()
        self.ramp.bill_purchase_order(self.row(order).ramp_id, {self.there(order)['line_items'][0]['id']: 3})
        self.give_back(first, 1)
        self.receive(order, 4)
        self.push()
        self.assertEqual(self.receipt_row(order).state, 'held')
        self.assertIn('matched with a bill', order.ramp_receipt_state)
        self.assertIn([4], self.receipts(order).values())
        self.assertEqual(order.order_line.ramp_qty_received, 7)

    def test_without_ramp_plus(self):
        self.ramp.ramp_plus = False
        order = self.order()
        picking = self.receive(order)
        self.push()
        self.push()
        self.assertRegex(
            order.ramp_state, 'Ramp does not let Odoo use Purchase orders. They need Ramp Plus.*purchase_orders:write'
        )
        self.assertRegex(picking.ramp_state, 'They need Ramp Plus')
        self.ramp.ramp_plus = True
        self.push()
        self.push()
        self.assertReceived(order, [2])

    @mute_logger('odoo.addons.ramp_connector.flows.procurement.item_receipt_send')
    def test_odd_receipt_holds_its_order_alone(self):
        """A receipt that cannot be read puts its own order on hold. The other orders are sent."""
        odd, good = self.order((9, 4.0, {})), self.order((9, 4.0, {}))
        for order in (odd, good):
            self.receive(order, 3)
        self.push()
        [receipt] = [
            row for row in self.ramp.state['item_receipts'] if row['purchase_order_id'] == self.there(odd)['id']
        ]
        for changes in ({'item_receipt_number': None}, {'received_at': 'yesterday'}):
            with self.subTest(**changes):
                before = {key: receipt[key] for key in changes}
                self.ramp.state['item_receipts'].update_row(receipt['id'], **changes, _broken=True)
                for order in (odd, good):
                    self.receive(order, 1)
                self.env['ramp.record']._mark_dirty(self.connection, 'item_receipt', (odd + good).ids, uncertain=True)
                calls = self.writes()
                run = self.push()
                self.assertNotIn('failed', run.mapped('state'))
                self.assertEqual((self.receipt_row(odd).state, self.receipt_row(good).state), ('held', 'confirmed'))
                self.assertRegex(
                    self.receipt_row(odd).error_message, 'cannot read what Ramp says about a receipt of this order'
                )
                self.assertEqual(sum((self.writes() - calls).values()), 1)
                self.ramp.state['item_receipts'].update_row(receipt['id'], **before, _broken=False)
                self.push()
                self.assertEqual(self.receipt_row(odd).state, 'confirmed', self.receipt_row(odd).error_message)

    def test_plus_lost_for_receipts(self):
        order = self.order()
        self.push()
        self.ramp.ramp_plus = False
        self.receive(order)
        self.push()
        self.assertRegex(
            order.ramp_receipt_state, 'Receipts of purchase orders. They need Ramp Plus.*item_receipts:write'
        )

    def test_switched_off(self):
        self.connection.push_receipts = False
        order = self.order()
        self.receive(order)
        self.push()
        self.assertFalse(self.receipt_row(order))
        self.connection.push_receipts = True
        self.push()
        self.assertReceived(order, [2])

    def test_order_archived_in_ramp(self):
        """An order that was archived in Ramp is not made again unasked. Its receipts wait, and go to the new order if
        somebody retries.
        """
        order = self.order((4, 4.0, {}))
        self.receive(order, 1)
        self.push()
        first = self.row(order).ramp_id
        self.ramp.archive_purchase_order(first)
        self.receive(order, 1)
        for _count in range(3):
            self.push()
        self.assertEqual(self.row(order).ramp_id, first)
        self.assertEqual(
            (self.row(order).state, self.row(order).hold_reason, self.row(order).status),
            ('held', 'archived', 'Archived in Ramp'),
        )
        self.assertIn('It was archived in Ramp', order.ramp_state)
        self.assertIn('It was archived in Ramp', order.ramp_receipt_state)
        self.row(order).action_retry()
        self.push()
        self.assertNotEqual(self.row(order).ramp_id, first)
        self.assertReceived(order, [1], [1])

    def test_nightly_check(self):
        """The nightly check shows on the order what people did in Ramp."""
        order, other = self.order((4, 4.0, {})), self.order((4, 4.0, {}))
        self.receive(order, 3)
        self.receive(other, 3)
        self.push()
        self.sync('watch', now=False)
        self.assertEqual((order.ramp_state, order.ramp_progress), ('In Ramp', 'partially received, not billed'))
        self.ramp.bill_purchase_order(self.row(order).ramp_id)
        self.ramp.update_purchase_order(self.row(order).ramp_id, memo='Ours')
        self.ramp.add_item_receipt(self.row(order).ramp_id, number='by hand')
        self.ramp.archive_purchase_order(self.row(other).ramp_id)
        self.sync('watch', now=False)
        self.assertRegex(order.ramp_state, '^In Ramp: Someone edited the memo in Ramp')
        self.assertEqual(order.ramp_progress, 'fully received, fully billed')
        self.assertRegex(other.ramp_state, 'It was archived in Ramp')
        self.push()
        self.assertRegex(order.ramp_receipt_state, 'a receipt of this order that Odoo does not know: by hand')
        self.assertEqual(self.row(other).state, 'held')
        self.connection.action_push_all()
        self.push()
        self.sync('watch', now=False)
        self.assertEqual(order.ramp_state, 'In Ramp')

    # ------------------------------------------------------------------ users who validate, and queries

    def test_stock_user(self):
        order = self.order((4, 4.0, {}))
        self.push()
        user = new_test_user(
            self.env,
            'storekeeper',
            'base.group_user,stock.group_stock_user',
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
        )
        picking = order.picking_ids.with_user(user)
        picking.move_ids.quantity = 3
        picking.move_ids.picked = True
        picking.with_context(skip_backorder=True).button_validate()
        self.assertEqual(picking.state, 'done')
        picking.env.flush_all()  # the user who validates also notes the changes at the end
        self.push()
        self.assertReceived(order, [3])
        self.assertEqual(picking.ramp_state, 'In Ramp')
        with Form(picking) as form:
            self.assertEqual(form.ramp_state, 'In Ramp')
        buyer = new_test_user(
            self.env,
            'buyer',
            'base.group_user,purchase.group_purchase_user',
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
        )
        with Form(order.with_user(buyer)) as form:
            self.assertEqual(form.ramp_receipt_state, 'In Ramp')
            with form.order_line.edit(0) as line:
                self.assertEqual(line.ramp_qty_received, 3)

    def test_buyer_of_own_orders_only(self):
        """Changes are noted for all orders of a transfer, also for those that its user may not see."""
        buyer = new_test_user(
            self.env,
            'buyer',
            'base.group_user,purchase.group_purchase_user,stock.group_stock_user',
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
        )
        own, other = (
            self.order((2, 4.0, {}), (8, 1.0, {'product_id': self.service.id}), user_id=buyer.id),
            self.order((3, 4.0, {})),
        )
        other.picking_ids.move_ids.picking_id = own.picking_ids
        self.receive(own, 1, 1)
        self.push()
        self.assertReceived(other, [1])
        for model, path in (('purchase.order', 'user_id'), ('purchase.order.line', 'order_id.user_id')):
            self.env['ir.rule'].create(
                {
                    'name': 'Own orders only',
                    'model_id': self.env['ir.model']._get_id(model),
                    'domain_force': f"[('{path}', '=', user.id)]",
                    'groups': [Command.link(self.env.ref('purchase.group_purchase_user').id)],
                }
            )
        with self.assertRaises(AccessError):
            other.with_user(buyer).read(['name'])
        with self.assertRaises(AccessError):
            self.env['ramp.change'].with_user(buyer).search([])
        picking = own.picking_ids.filtered(lambda picking: picking.state != 'done').with_user(buyer)
        own.order_line[1].with_user(buyer).qty_received = 5
        picking.move_ids.picked = True
        picking.button_validate()
        picking.env.flush_all()
        self.assertEqual(picking.state, 'done')
        self.push()
        self.assertEqual(sorted(self.receipts(own).values()), [[0, 5], [1, 0], [1, 0]])
        self.assertReceived(other, [1], [2])

    def test_other_company(self):
        """A receipt of a company without a connection is not noted."""
        company = self.env['res.company'].create({'name': 'Elsewhere'})
        self.env.user.company_ids |= company
        order = (
            self.env['purchase.order']
            .with_company(company)
            .create(
                {
                    'partner_id': self.vendor.id,
                    'company_id': company.id,
                    'order_line': [
                        Command.create({'product_id': self.product.id, 'product_qty': 2, 'price_unit': 1.0})
                    ],
                }
            )
        )
        order.button_confirm()
        self.receive(order)
        self.env.cr.flush()
        self.env.cr.execute("SELECT count(*) FROM ramp_change WHERE flow = 'item_receipt'")
        self.assertEqual(self.env.cr.fetchone(), (0,))

    @in_turn
    def test_queries_of_a_validation(self):
        """Receipts add a constant number of queries to a validation, whatever the number of lines."""

        def cost(lines):
            order = self.order(*[(2, 1.0, {})] * lines)
            self.push()
            self.receive(self.order(*[(2, 1.0, {})] * lines))  # fills the caches of the process
            self.env.cr.flush()
            before = self.env.cr.sql_log_count
            self.receive(order)
            self.env.cr.flush()
            return self.env.cr.sql_log_count - before

        cost(1)
        more = {lines: cost(lines) for lines in (1, 8)}
        self.connection.push_receipts = False
        cost(1)
        less = {lines: cost(lines) for lines in (1, 8)}
        self.assertEqual({lines: more[lines] - less[lines] for lines in more}, {1: 2, 8: 2}, (more, less))

    # ------------------------------------------------------------------ property: any orders

    def transfers(self, order, state=None):
        return order.picking_ids.filtered(
            lambda picking: (picking.state == 'done') == (state == 'done') and picking.state != 'cancel'
        )

    def do_create(self, number):
        self.orders.append(
            self.order(
                (1 + number % 7, 1.25, {}), (1 + number % 5 / 4, 3.0, {}), (2, 5.0, {'product_id': self.service.id})
            )
        )

    def do_receive(self, number):
        order = self.pick(number, 'purchase')
        if order and self.transfers(order):
            self.receive(order, *[number % 7 / 4 + 0.5, number % 3][: 1 + number % 2])

    def do_back(self, number):
        order = self.pick(number, 'purchase')
        done = order and self.transfers(order, 'done').filtered(
            lambda picking: any(picking.move_ids.mapped('quantity'))
        )
        if done:
            self.give_back(done[number % len(done)], 0.5, to_refund=number % 4)

    def do_correct(self, number):
        order = self.pick(number, 'purchase')
        done = order and self.transfers(order, 'done')
        if done:
            picking = done[number % len(done)]
            picking.is_locked = False
            picking.move_ids[number % len(picking.move_ids)].quantity = number % 11 / 2

    def do_by_hand(self, number):
        if order := self.pick(number, 'purchase'):
            order.order_line.filtered(lambda line: line.product_id == self.service)[:1].qty_received = number % 5 / 2

    def do_quantity(self, number):
        if order := self.pick(number, 'purchase'):
            line = order.order_line[number % len(order.order_line)]
            line.product_qty = max(math.ceil(line.qty_received), 1 + number % 9 / 2)

    def do_add(self, number):
        if order := self.pick(number, 'purchase'):
            order.write(
                {
                    'order_line': [
                        Command.create(
                            {'product_id': self.product.id, 'product_qty': 1 + number % 3, 'price_unit': 2.0}
                        )
                    ]
                }
            )

    def do_vendor(self, number):
        if order := self.pick(number, 'purchase'):
            order.partner_id = self.vendor if order.partner_id != self.vendor else self.other_vendor

    def do_fault(self, number):
        self.ramp.faults.add_fault(
            path=('*', '/item-receipts*')[number % 2],
            skip=number % 5,
            count=1 + number % 3,
            **FAULTS[number % len(FAULTS)],
        )

    def do_crash(self, number):
        """Let the job die after Ramp has done its work and before it is stored, now or some steps later."""
        self.crash_in = number % 6

    def look(self, method, path, body):
        """Note each request that would make a receipt that is already there."""
        if (method, path) == ('POST', '/developer/v1/item-receipts'):
            with self.ramp.state.lock:
                self.twice += [
                    body['item_receipt_number']
                    for row in self.ramp.state['item_receipts']
                    if not row['archived_at']
                    and all(row[key] == body[key] for key in ('purchase_order_id', 'item_receipt_number'))
                ]

    def do_sync(self, _number):
        self.push()

    def assertConverged(self):
        """For each line of each order, Ramp's receipts add up to the quantity received in Odoo, in the units of the
        order.
        """
        self.ramp.faults.clear_faults()
        self.crash_in = None
        for _count in range(4):
            self.env['ramp.record'].search([('next_attempt', '!=', False)]).next_attempt = False
            self.push()
        orders = {
            row['external_id'].partition('.')[0]: row
            for row in self.ramp.state['purchase_orders']
            if not row['archived_at']
        }
        received = defaultdict(int)
        numbers = Counter()
        for receipt in self.ramp.state['item_receipts']:
            if not receipt['archived_at']:
                numbers[receipt['purchase_order_id'], receipt['item_receipt_number']] += 1
                for line in receipt['line_items']:
                    received[line['purchase_order_line_item_id']] += line['quantity']
        self.assertFalse([number for number, count in numbers.items() if count > 1])
        for order in self.orders:
            if order.state != 'purchase':
                continue
            there = orders[self.external(order)]
            by_line = {line['external_id']: line for line in there['line_items']}
            for line in order.order_line:
                told = by_line[f'{self.env["ramp.connection"]._database_identity()}-line-{line.id}']
                self.assertEqual(
                    received[told['id']],
                    math.floor(round(line.qty_received * told['quantity'] / line.product_qty, 6)),
                    (self.receipt_row(order).error_message, self.row(order).error_message),
                )
                self.assertAlmostEqual(
                    line.ramp_qty_received, received[told['id']] * line.product_qty / told['quantity'], places=4
                )
        before = self.writes()
        self.push()
        self.assertFalse(self.writes() - before)
        self.assertFalse(self.twice)
        self.assertFalse(self.env['ramp.run'].search([('message', 'like', 'Unexpected')]))
        self.ramp.assert_clean()

    @in_turn
    @examples(2)
    @given(steps=st.lists(step, min_size=5, max_size=40))
    @example(steps=[('create', 1), ('receive', 3), ('fault', 3), ('sync', 0), ('cancel', 0), ('again', 0), ('sync', 0)])
    @example(
        steps=[
            ('create', 3),
            ('receive', 1),
            ('sync', 0),
            ('back', 1),
            ('fault', 7),
            ('sync', 0),
            ('receive', 5),
            ('sync', 0),
        ]
    )
    @example(steps=[('create', 3), ('sync', 0), ('receive', 1), ('crash', 1), ('sync', 0), ('back', 1), ('sync', 0)])
    def test_property_receipts_converge(self, steps):
        self.orders, self.twice, self.crash_in = [], [], None
        self.other_vendor = self.vendor.copy({'name': 'Other Supplier', 'email': 'hello@other.example'})
        with self.isolated():
            for deed, number in steps:
                getattr(self, f'do_{deed}')(number)
            self.assertConverged()

    def test_queries_of_a_comparison(self):
        """The receipts that many orders should have in Ramp are found with as many queries as those of a few."""

        def cost(count):
            orders = self.env['purchase.order']
            for _count in range(count):
                orders += self.order((2, 1.0, {}), (3, 1.0, {}))
                self.receive(orders[-1], 1)
                self.receive(orders[-1])
            self.push()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            self.assertEqual(
                {
                    len(values['receipts'])
                    for values in self.env['ramp.flow.item_receipt']
                    ._get_desired_values(self.connection, orders.with_env(self.env))
                    .values()
                },
                {2},
            )
            return self.env.cr.sql_log_count - before

        cost(1)
        self.assertEqual(cost(2), cost(6))
