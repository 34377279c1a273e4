# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import logging
import re

from odoo import models
from odoo.tools import LazyTranslate

from ...ramp_api import RampNotFound, RampProtocolError, RampValidationError, read_item_receipt
from ..engine.flow import is_of_object
from ..engine.push_job import Remote
from ..engine.reasons import Held, Waiting
from .item_receipt import REST

_lt = LazyTranslate(__name__)

_logger = logging.getLogger(__name__)


class RampFlowItemReceiptSend(models.AbstractModel):
    """Send receipts to Ramp, and ask Ramp which ones it has."""

    _inherit = 'ramp.flow.item_receipt'

    # ------------------------------------------------------------------ sending

    def _differs_from_remote(self, job):
        if job.known and job.desired:  # a change of texts is no reason to create a receipt again
            job.known = {**job.known, 'texts': job.desired['texts']}
        return super()._differs_from_remote(job)

    def _update_remote_object(self, client, job, changes):
        receipts, ids, refusal = dict(job.known['receipts']), dict(job.known['ids']), None
        # `known` is updated step by step, so that it is right even if Ramp refuses a later request.
        job.known = {**job.known, 'receipts': receipts, 'ids': ids}
        wanted = job.desired['receipts']
        differ = [key for key in {**receipts, **wanted} if receipts.get(key) != wanted.get(key)]
        # Deletions come first, so that Ramp never shows more received than Odoo has.
        for key in sorted(differ, key=lambda key: key in wanted):
            try:
                if key in receipts:
                    with contextlib.suppress(RampNotFound):
                        client.delete(f'{self._endpoint}/{ids[key]}', idempotent=True)
                    del receipts[key], ids[key]
                if key in wanted:
                    ids[key] = self._create_remote_receipt(client, job, key)
                    receipts[key] = wanted[key]
            except RampValidationError as error:
                refusal = refusal or error  # it concerns one receipt; the others are still sent
            except RampNotFound as error:
                raise Waiting(_lt('Ramp no longer has the order.')) from error
        if refusal:
            raise refusal

    def _create_remote_receipt(self, client, job, key):
        number, memo = job.desired['texts'][key]
        receipt = job.desired['receipts'][key]
        answer = client.post(
            self._endpoint,
            {
                'purchase_order_id': job.desired['order'],
                'item_receipt_number': number,
                'received_at': receipt['date'],
                **({'memo': memo} if memo else {}),
                'item_receipt_line_items': [
                    {'purchase_order_line_item_id': line, 'unit_quantity': count}
                    for line, count in receipt['lines'].items()
                ],
            },
        )
        if not (answer or {}).get('id'):
            # The next run asks Ramp for it.
            raise RampProtocolError('the receipt that was created has no id', maybe_done=True)
        return answer['id']

    def _deactivate_remote_object(self, client, job):
        """Send nothing: receipts stay with the archived order, as the record of what arrived."""

    # ------------------------------------------------------------------ lookups in Ramp

    def _get_lookup_query(self, job):
        return {'purchase_order_id': (job.desired or job.known or {}).get('order')}

    def _look_up_single_job(self, connection, client, job):
        """OVERRIDES: find the receipts of an order by the order.

        An order that Ramp does not have has no receipts.
        """
        query = self._get_lookup_query(job)
        self._apply_remote_state(
            job, next(iter(self._query_remote_objects(client, query)), None) if query['purchase_order_id'] else None
        )

    def _query_remote_objects(self, client, query):
        """Return the receipts of a list, grouped by order."""
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
                    unread = self.env._(
                        'Odoo cannot read what Ramp says about a receipt of this order (%s), and sends nothing until '
                        'it can. Correct it in Ramp, or update the connector.',
                        error,
                    )
                    _logger.warning('Ramp flow %s: a receipt of order %s cannot be read: %s', self._flow, order, error)
                remote = found.setdefault(order, Remote(None, order, {'order': order, 'receipts': {}}))
                if unread:
                    remote.unread = unread
                else:
                    remote.values['receipts'][receipt.id] = receipt
        return list(found.values())

    @staticmethod
    def _order_of_unread(payload, query):
        """Return Ramp's id of the order of a receipt that cannot be read, or None if it is unknown."""
        order = payload.get('purchase_order_id') if isinstance(payload, dict) else None
        return order.lower() if isinstance(order, str) else query.get('purchase_order_id')

    def _get_remote_key(self, remote_id, values):
        return values.get('order')

    def _apply_remote_state(self, job, remote):
        """OVERRIDES: find our receipts among those in Ramp, by their ids or our numbers."""
        if remote and remote.unread:
            super()._apply_remote_state(job, remote)
            return
        job.uncertain = False
        wanted = (job.desired or {}).get('receipts', {})
        keys = {identity: key for key, identity in (job.known or {}).get('ids', {}).items()}
        receipts, ids, strange = {}, {}, []
        for identity, found in (remote.values['receipts'] if remote else {}).items():
            key = keys.get(identity) or self._make_receipt_key(job, found)
            if not key:
                strange.append(found)
                continue
            if key in receipts:  # Ramp has it twice; nothing wants the second one, so it is deleted
                key = f'{key} {identity}'
            receipts[key], ids[key] = self._get_compared_values(found), identity
        for found in list(strange):
            # Somebody entered in Ramp what Odoo would send. It counts as our receipt, whatever its number.
            receipt = self._get_compared_values(found)
            key = next(
                (key for key in wanted if key not in receipts and wanted[key]['lines'] == receipt['lines']), None
            )
            if key:
                receipts[key], ids[key] = wanted[key], found.id
                strange.remove(found)
        job.ramp_id = remote.ramp_id if remote else self._get_lookup_query(job)['purchase_order_id']
        job.known = {'order': job.ramp_id, 'offered': True, 'receipts': receipts, 'ids': ids}
        if strange and job.desired:
            job.uncertain = True
            job.block(
                Held(
                    _lt(
                        'Ramp has a receipt of this order that Odoo does not know: %s. Delete it in Ramp. Odoo sends '
                        'what was received here.',
                        ', '.join(found.number for found in strange),
                    )
                )
            )

    @staticmethod
    def _make_receipt_key(job, receipt):
        """Return the key of a receipt from our number, which ends with the order and the transfer."""
        found = re.search(rf'-{job.res_id}\.(\d+|{REST}\d+)$', receipt.number)
        return found and found[1]

    @staticmethod
    def _get_compared_values(receipt):
        """Return the values of a receipt that are compared.

        A line without a quantity stands for all that was ordered. Odoo sends neither such lines nor fractions, so their
        quantity is None.
        """
        lines = {}
        for line in receipt.lines:
            before = lines.get(line.purchase_order_line_item_id, 0)
            is_whole = None not in (before, line.quantity) and line.quantity == int(line.quantity)
            lines[line.purchase_order_line_item_id] = before + int(line.quantity) if is_whole else None
        return {'date': str(receipt.received_at.date()), 'lines': lines}
