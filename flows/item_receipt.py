# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import logging
import math
import re
from collections import defaultdict
from decimal import Decimal

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL

from ..ramp_api import RampNotFound, RampProtocolError, RampValidationError, read_item_receipt
from .flow import Held, Waiting, is_of_object
from .push import Remote

_logger = logging.getLogger(__name__)

DIGITS = 6  # of a quantity; what is beyond them is how computers add
REST = 'rest-'  # key of a receipt that no transfer in Odoo stands for


class RampFlowItemReceipt(models.AbstractModel):
    """What was received of purchase orders: Ramp matches bills with it.

    One row for each order; what Ramp should have of it is the list of its receipts, one for each done transfer, so that for each line
    their sum is Odoo's `qty_received`, in the units in which the order was sent. Ramp knows no returns, and no receipt can be changed:
    what is not as it should be is deleted and made again. A receipt is known by its id in Ramp, and, where the answer was lost, by our
    number. Schema: ApiItemReceiptCreateParamsRequestBody; needs Ramp Plus, and orders that Ramp matches with receipts.
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
    def _flow_label(self):
        return self.env._('Receipts of purchase orders')

    @api.model
    def _enabled(self, connection):
        return connection.push_orders and connection.push_receipts

    @api.model
    def _page(self, record):
        return self.env['ramp.flow.purchase_order']._page(record)

    # ------------------------------------------------------------------ what is wanted

    def _wanted_domain(self, connection):
        """Orders of which something is received, or was, unless Ramp does not match them with receipts."""
        if not self._enabled(connection):
            return Domain.FALSE
        connection_id = connection.id  # the domain is kept: it must not hold on to a connection's cursor

        def row(condition):
            return Domain.custom(to_sql=lambda model, alias, query: SQL(
                'EXISTS (SELECT FROM ramp_record r WHERE r.connection_id = %s AND r.res_id = %s AND r.remote_id IS NOT NULL AND %s)',
                connection_id, SQL.identifier(alias, 'id'), condition))

        return (
            self.env['ramp.flow.purchase_order']._wanted_domain(connection)
            & row(SQL("r.flow = 'purchase_order' AND r.state <> 'ignored' AND (r.payload ->> 'three_way') IS DISTINCT FROM 'false'"))
            & (Domain('order_line', 'any', [('qty_received', '>', 0)]) | row(SQL("r.flow = 'item_receipt' AND r.ramp_id IS NOT NULL"))))

    def _not_offered(self, record):
        if record.state != 'purchase':
            return self.env._('The order is not confirmed. What Ramp has of it stays with the archived order.')
        return self.env._('Nothing is received of it, or Ramp does not match it with receipts: it had no goods when it was sent.')

    def _desired(self, connection, records):
        found = self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', 'in', ('purchase_order', self._flow)), ('res_id', 'in', records.ids),
             ('remote_id', '!=', False)], ['flow', 'res_id', 'ramp_id', 'state', 'error_message', 'is_uncertain', 'payload'])
        rows = defaultdict(dict)
        for row in found:
            rows[row.res_id][row.flow] = row
        counted = self.env['ramp.flow.purchase_order']._counted(found)
        desired, recounted = {}, []
        for order in records:
            sent, row = map(rows[order.id].get, ('purchase_order', self._flow))
            try:
                if sent and sent.state != 'held' and self._is_finer(order, counted):
                    if sent.state == 'confirmed':  # else the order's job is at it, and tries again in its own time
                        recounted.append(order.id)
                    raise Waiting(self.env._('The order is being sent to Ramp again, in units as small as what was received of it.'))
                desired[order.id] = self._order_values(connection, order, sent, row)
            except (Held, Waiting) as reason:
                desired[order.id] = reason
            except UserError as error:  # units of measure that have nothing in common
                desired[order.id] = Held(str(error))
        if recounted:
            orders = self.env['ramp.flow.purchase_order']
            self.env['ramp.record']._mark_dirty(connection, orders._flow, recounted)
            orders._trigger()
        return desired

    def _is_finer(self, order, counted):
        """Whether what is received of an order wants smaller units than Ramp counts it in."""
        orders = self.env['ramp.flow.purchase_order']
        return any(
            orders._unit(line, orders._whole(line, orders._ordered_quantity(line), *counted[line.id])[1]) != counted[line.id][0]
            for line in order.order_line if line.id in counted and line.product_qty > 0)

    def _order_values(self, connection, order, sent, row):
        told = sent and sent.payload or {}
        if not told.get('offered') or sent.is_uncertain:
            if sent and sent.state == 'held':
                raise Held(self.env._('Ramp does not have the order. %s', sent.error_message or ''))
            raise Waiting(self.env._('The order is being sent to Ramp.'))
        known = (row.payload or {}).get('receipts', {}) if row else {}
        counts = defaultdict(dict)
        for line in order.order_line:
            identity = f"{self.env['ramp.flow.purchase_order']._line_prefix()}{line.id}"
            if identity in told['line_ids'] and line.qty_received > 0:
                if not told['lines'][identity].get('unit'):
                    raise Waiting(self.env._('The order is being sent to Ramp.'))
                ramp_line = told['line_ids'][identity]
                before = {key: receipt['lines'].get(ramp_line) or 0 for key, receipt in known.items()}
                for key, count in self._shares(line, *told['lines'][identity]['unit'], before).items():
                    counts[key][ramp_line] = count
        zone = connection._timezone()
        pickings = {str(picking.id): picking for picking in order.order_line.move_ids.picking_id}
        receipts, texts = {}, {}
        for key, lines in counts.items():
            picking = pickings.get(key)
            done = picking and picking.date_done
            day = None if done or key not in known else known[key]['date']
            receipts[key] = {
                'date': day or self.env['ramp.flow.purchase_order']._local_day(done or fields.Datetime.now(), zone), 'lines': lines}
            texts[key] = [f'{(picking or order).name}-{order.id}.{key}', self._memo(order, picking)]
        return {'order': sent.ramp_id, 'offered': True, 'receipts': receipts, 'texts': texts}

    def _shares(self, line, uom_id, size, before):
        """{key of a receipt: how many units it has of a line}; together they are what the line says is received.

        The line decides, whose rules on returns, kits and dropshipping are its own. Its transfers in order of arrival say how it is
        shared: a return takes from the transfer it returns, else from the latest; what no transfer tells (services, kits) is the rest.
        Units are whole, so each transfer brings what all up to it come to, less what those before brought.

        :param size: how much of the unit of measure one unit in Ramp is
        :param before: {key: units} that Ramp has
        """
        uom, size = self.env['uom.uom'].browse(uom_id), Decimal(size)
        total = _number(line.product_uom_id._compute_quantity(line.qty_received, uom, round=False))
        moves = line._get_po_line_moves().filtered(lambda move: move.state == 'done' and move.picking_id).sorted(
            lambda move: (move.date, move.id))
        received = defaultdict(Decimal)
        for move in moves:
            if not move._is_purchase_return():
                received[move.picking_id.id] += self._quantity(move, uom)
        excess = sum(received.values()) - total
        returns = [(move.origin_returned_move_id.picking_id.id, self._quantity(move, uom)) for move in moves if move._is_purchase_return()]
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
        # one that is there is kept as far as it goes: it may be matched with a bill, and then nobody can delete it
        last = 0
        for last in sorted(int(key.removeprefix(REST)) for key in before if key.startswith(REST)):
            shares[f'{REST}{last}'] = min(rest, before[f'{REST}{last}'])
            rest -= shares[f'{REST}{last}']
        shares[f'{REST}{last + 1}'] = rest
        return {key: count for key, count in shares.items() if count}

    @staticmethod
    def _quantity(move, uom):
        return _number(move.product_uom._compute_quantity(move.quantity, uom, rounding_method='HALF-UP'))

    def _memo(self, order, picking):
        """Ramp takes lots for items of its own inventory only, and of those with quantities that may have been returned."""
        if not picking:
            return self.env._('Received without a transfer in Odoo')
        lots = [line.lot_id for move in picking.move_ids if move.purchase_line_id.order_id == order for line in move.move_line_ids]
        names = ', '.join(dict.fromkeys(lot.name for lot in lots if lot))
        return self.env['ramp.flow.purchase_order']._text(self.env._('Lots and serial numbers: %s', names)) if names else None

    # ------------------------------------------------------------------ sending

    def _is_to_be_sent(self, job):
        if job.known and job.desired:  # said once, and no reason to make a receipt again
            job.known = {**job.known, 'texts': job.desired['texts']}
        return super()._is_to_be_sent(job)

    def _change(self, client, job, changes):
        receipts, ids, refusal = dict(job.known['receipts']), dict(job.known['ids']), None
        job.known = {**job.known, 'receipts': receipts, 'ids': ids}  # step by step: what Ramp took before it refused something is known
        wanted = job.desired['receipts']
        differ = [key for key in {**receipts, **wanted} if receipts.get(key) != wanted.get(key)]
        for key in sorted(differ, key=lambda key: key in wanted):  # first what goes: at no time is more received than was
            try:
                if key in receipts:
                    with contextlib.suppress(RampNotFound):
                        client.delete(f'{self._endpoint}/{ids[key]}', idempotent=True)
                    del receipts[key], ids[key]
                if key in wanted:
                    ids[key] = self._create(client, job, key)
                    receipts[key] = wanted[key]
            except RampValidationError as error:
                refusal = refusal or error  # of one receipt; the others are none the worse
            except RampNotFound as error:
                raise Waiting(self.env._('Ramp does not have the order any more.')) from error
        if refusal:
            raise refusal

    def _create(self, client, job, key):
        number, memo = job.desired['texts'][key]
        receipt = job.desired['receipts'][key]
        answer = client.post(self._endpoint, {
            'purchase_order_id': job.desired['order'], 'item_receipt_number': number, 'received_at': receipt['date'],
            **({'memo': memo} if memo else {}), 'item_receipt_line_items': [
                {'purchase_order_line_item_id': line, 'unit_quantity': count} for line, count in receipt['lines'].items()]})
        if not (answer or {}).get('id'):
            raise RampProtocolError('the receipt that was created has no id', maybe_done=True)  # the next run asks for it
        return answer['id']

    def _withdraw(self, client, job):
        """Nothing is sent: receipts stay with the order that is archived, as the record of what arrived."""

    # ------------------------------------------------------------------ asking Ramp

    def _look_up_query(self, job):
        return {'purchase_order_id': (job.desired or job.known or {}).get('order')}

    def _look_up_alone(self, connection, client, job):
        """OVERRIDES: an order's receipts are found by the order; of one that Ramp does not have there are none."""
        query = self._look_up_query(job)
        self._found(job, next(iter(self._ask(client, query)), None) if query['purchase_order_id'] else None)

    def _ask(self, client, query):
        """The receipts in a list, gathered by order."""
        found = {}
        for page in client.list_pages(self._endpoint, query):
            for payload in page.rows:
                try:
                    receipt, order, unread = read_item_receipt(payload), None, None
                    order = receipt.purchase_order_id
                except Exception as error:
                    if not is_of_object(error):
                        raise
                    order = self._order_of_unread(payload, query)
                    unread = self.env._('Odoo cannot read what Ramp says of a receipt of this order (%s), and sends nothing until it '
                                        'can. Correct it in Ramp, or update the connector.', error)
                    _logger.warning('Ramp flow %s: a receipt of order %s cannot be read: %s', self._flow, order, error)
                remote = found.setdefault(order, Remote(None, order, {'order': order, 'receipts': {}}))
                if unread:
                    remote.unread = unread
                else:
                    remote.values['receipts'][receipt.id] = receipt
        return list(found.values())

    @staticmethod
    def _order_of_unread(payload, query):
        """Ramp's id of the order of a receipt that cannot be read, as far as one can tell."""
        order = payload.get('purchase_order_id') if isinstance(payload, dict) else None
        return order.lower() if isinstance(order, str) else query.get('purchase_order_id')

    def _remote_key(self, remote_id, values):
        return values.get('order')

    def _found(self, job, remote):
        """OVERRIDES: what of the receipts in Ramp is ours, by their ids or our numbers."""
        if remote and remote.unread:
            super()._found(job, remote)
            return
        job.uncertain = False
        wanted = (job.desired or {}).get('receipts', {})
        keys = {identity: key for key, identity in (job.known or {}).get('ids', {}).items()}
        receipts, ids, strange = {}, {}, []
        for identity, found in (remote.values['receipts'] if remote else {}).items():
            key = keys.get(identity) or self._key(job, found)
            if not key:
                strange.append(found)
                continue
            if key in receipts:  # twice: the second has no place
                key = f'{key} {identity}'
            receipts[key], ids[key] = self._compared(found), identity
        for found in list(strange):
            # somebody entered in Ramp what Odoo would send: that is the receipt, whatever its number
            receipt = self._compared(found)
            key = next((key for key in wanted if key not in receipts and wanted[key]['lines'] == receipt['lines']), None)
            if key:
                receipts[key], ids[key] = wanted[key], found.id
                strange.remove(found)
        job.ramp_id = remote.ramp_id if remote else self._look_up_query(job)['purchase_order_id']
        job.known = {'order': job.ramp_id, 'offered': True, 'receipts': receipts, 'ids': ids}
        if strange and job.desired:
            job.uncertain = True
            job.block(Held(self.env._(
                'Ramp has a receipt of this order that Odoo does not know: %s. Delete it in Ramp; what is received in Odoo is sent.',
                ', '.join(found.number for found in strange))))

    @staticmethod
    def _key(job, receipt):
        """The key in our own number, which ends with order and transfer."""
        found = re.search(rf'-{job.res_id}\.(\d+|{REST}\d+)$', receipt.number)
        return found and found[1]

    @staticmethod
    def _compared(receipt):
        """What is compared. A line without a quantity is of all that was ordered, and one of a fraction is not ours either: None."""
        lines = {}
        for line in receipt.lines:
            before = lines.get(line.purchase_order_line_item_id, 0)
            is_whole = None not in (before, line.quantity) and line.quantity == int(line.quantity)
            lines[line.purchase_order_line_item_id] = before + int(line.quantity) if is_whole else None
        return {'date': str(receipt.received_at.date()), 'lines': lines}

    # ------------------------------------------------------------------ what the order's flow has to do with it

    def _store(self, run, jobs, sent=True):
        """EXTENDS: an order that Ramp does not have any more says so; an amendment that Ramp refused because something was received
        may be possible now."""
        result = super()._store(run, jobs, sent)
        missed = [job.res_id for job in jobs if sent and job.blocked and job.uncertain and job.state == 'pending']
        settled = [job.res_id for job in jobs if sent and job.state == 'confirmed']
        orders = self.env['ramp.flow.purchase_order']
        rows = self.env['ramp.record'].search([
            ('connection_id', '=', run.connection_id.id), ('flow', '=', orders._flow), ('remote_id', '!=', False),
            ('res_id', 'in', missed + settled)]) if missed or settled else self.env['ramp.record']
        orders._note_archived(rows.filtered(lambda row: row.res_id in missed and row.state == 'confirmed'))
        refused = rows.filtered(lambda row: row.res_id in settled and row.state == 'held' and not (row.is_question or row.is_uncertain))
        if refused:
            rows._mark_dirty(run.connection_id, orders._flow, refused.mapped('res_id'))
            orders._trigger()
        return result


def _number(quantity):
    return Decimal(str(round(quantity, DIGITS)))
