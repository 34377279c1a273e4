# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import math
from collections import defaultdict
from decimal import Decimal

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL, LazyTranslate

from ..engine.reasons import Held, Waiting

_lt = LazyTranslate(__name__)

DIGITS = 6  # decimal places of a quantity; further ones are floating-point noise
REST = 'rest-'  # start of the key of a receipt that has no transfer in Odoo


class RampFlowItemReceipt(models.AbstractModel):
    """Receipts of purchase orders, which Ramp matches with bills.

    There is one row for each order. Ramp should have a list of receipts for it, one for each done transfer. For each
    line, their sum is Odoo's `qty_received`, in the units in which the order was sent.

    Ramp has no returns and cannot change a receipt (contract 2026-08-01). A receipt that is wrong is deleted and
    created again. A receipt is known by its id in Ramp or, if the answer was lost, by our number.

    Schema: ApiItemReceiptCreateParamsRequestBody. It needs Ramp Plus, and orders that Ramp matches with receipts.
    """

    _name = 'ramp.flow.item_receipt'
    _inherit = 'ramp.flow.push'
    _description = 'Ramp Flow: receipts of purchase orders'

    _flow = 'item_receipt'
    _flow_sequence = 9
    _model = 'purchase.order'
    _kind = 'receipts'
    _endpoint = '/item-receipts'
    _fixed = ('order',)
    _new_id_when_fixed_changes = False
    _asked_first = True
    _switch = 'push_receipts'

    @api.model
    def _get_flow_label(self):
        return self.env._('Receipts of purchase orders')

    @api.model
    def _is_enabled_for(self, connection):
        return connection.push_orders and connection.push_receipts

    @api.model
    def _get_ramp_page_path(self, record):
        return self.env['ramp.flow.purchase_order']._get_ramp_page_path(record)

    # ------------------------------------------------------------------ desired state

    def _get_wanted_domain(self, connection):
        """Return the domain of the orders of which something is received, or was.

        Orders that Ramp does not match with receipts are left out.
        """
        if not self._is_enabled_for(connection):
            return Domain.FALSE
        connection_id = connection.id  # the domain is cached, and must not keep the connection's cursor

        def row(condition):
            return Domain.custom(
                to_sql=lambda model, alias, query: SQL(
                    'EXISTS (SELECT FROM ramp_record r WHERE r.connection_id = %s AND r.res_id = %s AND r.remote_id '
                    'IS NOT NULL AND %s)',
                    connection_id,
                    SQL.identifier(alias, 'id'),
                    condition,
                )
            )

        return (
            self.env['ramp.flow.purchase_order']._get_wanted_domain(connection)
            & row(
                SQL(
                    "r.flow = 'purchase_order' AND r.state <> 'ignored' AND (r.payload ->> 'three_way') IS DISTINCT "
                    "FROM 'false'"
                )
            )
            & (
                Domain('order_line', 'any', [('qty_received', '>', 0)])
                | row(SQL("r.flow = 'item_receipt' AND r.ramp_id IS NOT NULL"))
            )
        )

    def _reason_not_offered(self, record):
        if record.state != 'purchase':
            return self.env._('The order is not confirmed. Its receipts in Ramp stay with the archived order.')
        return self.env._(
            'Nothing has been received, or Ramp does not match this order with receipts, because it had no goods '
            'when it was sent.'
        )

    def _get_desired_values(self, connection, records):
        found = self.env['ramp.record'].search_fetch(
            [
                ('connection_id', '=', connection.id),
                ('flow', 'in', ('purchase_order', self._flow)),
                ('res_id', 'in', records.ids),
                ('remote_id', '!=', False),
            ],
            ['flow', 'res_id', 'ramp_id', 'state', 'error_message', 'is_uncertain', 'payload'],
        )
        rows = defaultdict(dict)
        for row in found:
            rows[row.res_id][row.flow] = row
        counted = self.env['ramp.flow.purchase_order']._get_counted_units(found)
        desired, recounted = {}, []
        for order in records:
            sent, row = map(rows[order.id].get, ('purchase_order', self._flow))
            try:
                if sent and sent.state != 'held' and self._is_finer_than_unit(order, counted):
                    if sent.state == 'confirmed':  # else the order's job is sending it, and retries by itself
                        recounted.append(order.id)
                    raise Waiting(
                        _lt('The order is being sent to Ramp again, in units small enough for the quantity received.')
                    )
                desired[order.id] = self._prepare_order_receipts(connection, order, sent, row)
            except (Held, Waiting) as reason:
                desired[order.id] = reason
            except UserError as error:  # units of measure that cannot be converted
                desired[order.id] = Held(str(error))
        if recounted:
            orders = self.env['ramp.flow.purchase_order']
            self.env['ramp.record']._mark_dirty(connection, orders._flow, recounted)
            orders._trigger()
        return desired

    def _is_finer_than_unit(self, order, counted):
        """Return whether the received quantities of an order need smaller units than those in which Ramp counts it.

        :param counted: see `_get_counted_units`
        """
        orders = self.env['ramp.flow.purchase_order']
        return any(
            orders._get_line_unit(
                line, orders._get_whole_quantity(line, orders._get_ordered_quantity(line), *counted[line.id])[1]
            )
            != counted[line.id][0]
            for line in order.order_line
            if line.id in counted and line.product_qty > 0
        )

    def _prepare_order_receipts(self, connection, order, sent, row):
        told = sent and sent.payload or {}
        if not told.get('offered') or sent.is_uncertain:
            if sent and sent.state == 'held':
                raise Held(_lt('Ramp does not have the order. %s', sent.error_message or ''))
            raise Waiting(_lt('The order is being sent to Ramp.'))
        known = (row.payload or {}).get('receipts', {}) if row else {}
        counts = defaultdict(dict)
        for line in order.order_line:
            identity = f'{self.env["ramp.flow.purchase_order"]._get_line_prefix()}{line.id}'
            if identity in told['line_ids'] and line.qty_received > 0:
                if not told['lines'][identity].get('unit'):
                    raise Waiting(_lt('The order is being sent to Ramp.'))
                ramp_line = told['line_ids'][identity]
                before = {key: receipt['lines'].get(ramp_line) or 0 for key, receipt in known.items()}
                for key, count in self._share_received_quantity(line, *told['lines'][identity]['unit'], before).items():
                    counts[key][ramp_line] = count
        zone = connection._time_zone()
        pickings = {str(picking.id): picking for picking in order.order_line.move_ids.picking_id}
        receipts, texts = {}, {}
        for key, lines in counts.items():
            picking = pickings.get(key)
            done = picking and picking.date_done
            day = None if done or key not in known else known[key]['date']
            receipts[key] = {
                'date': day or self.env['ramp.flow.purchase_order']._get_local_day(done or fields.Datetime.now(), zone),
                'lines': lines,
            }
            texts[key] = [f'{(picking or order).name}-{order.id}.{key}', self._make_receipt_memo(order, picking)]
        return {'order': sent.ramp_id, 'offered': True, 'receipts': receipts, 'texts': texts}

    def _share_received_quantity(self, line, uom_id, size, before):
        """Return how many units of a line each receipt has, with the received quantity of the line as their sum.

        The line decides the total, with its own rules for returns, kits and dropshipping. Its transfers, in order of
        arrival, decide how it is shared. A return reduces the transfer that it returns, else the latest one. What no
        transfer explains (services, kits) is the rest. Units are whole: each transfer gets what all transfers up to it
        come to, rounded down, less what those before it got.

        :param uom_id: id of the unit of measure
        :param size: how much of the unit of measure one unit in Ramp is
        :param before: {key of a receipt: units} that Ramp has
        :return: {key of a receipt: units}
        """
        uom, size = self.env['uom.uom'].browse(uom_id), Decimal(size)
        total = receipt_quantity_text(line.product_uom_id._compute_quantity(line.qty_received, uom, round=False))
        moves = (
            line._get_po_line_moves()
            .filtered(lambda move: move.state == 'done' and move.picking_id)
            .sorted(lambda move: (move.date, move.id))
        )
        received = defaultdict(Decimal)
        for move in moves:
            if not move._is_purchase_return():
                received[move.picking_id.id] += self._get_moved_quantity(move, uom)
        excess = sum(received.values()) - total
        returns = [
            (move.origin_returned_move_id.picking_id.id, self._get_moved_quantity(move, uom))
            for move in moves
            if move._is_purchase_return()
        ]
        for picking_id, most in returns + [(picking_id, excess) for picking_id in reversed(received)]:
            taken = max(Decimal(), min(excess, most, received.get(picking_id, 0)))
            if taken:
                received[picking_id] -= taken
                excess -= taken
        shares, so_far, sent = {}, Decimal(), 0
        for picking_id, quantity in received.items():
            so_far += quantity
            shares[str(picking_id)], sent = math.floor(so_far / size) - sent, math.floor(so_far / size)
        rest = math.floor(total / size) - sent
        # Keep existing receipts as far as possible. A receipt that is matched with a bill cannot be deleted.
        last = 0
        for last in sorted(int(key.removeprefix(REST)) for key in before if key.startswith(REST)):
            shares[f'{REST}{last}'] = min(rest, before[f'{REST}{last}'])
            rest -= shares[f'{REST}{last}']
        shares[f'{REST}{last + 1}'] = rest
        return {key: count for key, count in shares.items() if count}

    @staticmethod
    def _get_moved_quantity(move, uom):
        return receipt_quantity_text(move.product_uom._compute_quantity(move.quantity, uom, rounding_method='HALF-UP'))

    def _make_receipt_memo(self, order, picking):
        """Return the memo of a receipt, or None.

        It names the lots and serial numbers, without quantities. Ramp takes lots only for items of its own inventory,
        and only with quantities. Some of those may have been returned.
        """
        if not picking:
            return self.env._('Received without a transfer in Odoo')
        lots = [
            line.lot_id
            for move in picking.move_ids
            if move.purchase_line_id.order_id == order
            for line in move.move_line_ids
        ]
        names = ', '.join(dict.fromkeys(lot.name for lot in lots if lot))
        return (
            self.env['ramp.flow.purchase_order']._shorten_text(self.env._('Lots and serial numbers: %s', names))
            if names
            else None
        )

    # ------------------------------------------------------------------ effects on the order

    def _store_push_results(self, run, jobs, sent=True):
        """EXTENDS: note orders that Ramp no longer has, and retry refused amendments.

        Ramp refuses an amendment because of a receipt. It may accept it after the receipts changed.
        """
        result = super()._store_push_results(run, jobs, sent)
        missed = [job.res_id for job in jobs if sent and job.blocked and job.uncertain and job.state == 'pending']
        settled = [job.res_id for job in jobs if sent and job.state == 'confirmed']
        orders = self.env['ramp.flow.purchase_order']
        rows = (
            self.env['ramp.record'].search(
                [
                    ('connection_id', '=', run.connection_id.id),
                    ('flow', '=', orders._flow),
                    ('remote_id', '!=', False),
                    ('res_id', 'in', missed + settled),
                ]
            )
            if missed or settled
            else self.env['ramp.record']
        )
        orders._note_archived_orders(rows.filtered(lambda row: row.res_id in missed and row.state == 'confirmed'))
        refused = rows.filtered(
            lambda row: row.res_id in settled and row.hold_reason == 'refused' and not row.is_uncertain
        )
        if refused:
            rows._mark_dirty(run.connection_id, orders._flow, refused.mapped('res_id'))
            orders._trigger()
        return result


def receipt_quantity_text(quantity):
    return Decimal(str(round(quantity, DIGITS)))
