# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
from decimal import Decimal

from odoo import models

from ...ramp_api import Money, read_purchase_order
from ..engine.push_job import Remote
from .purchase_order import HEADER, SENT_AT_CREATION, quantity_text


class RampFlowPurchaseOrderSend(models.AbstractModel):
    """Send orders to Ramp, and ask Ramp what it has of them."""

    _inherit = 'ramp.flow.purchase_order'

    # ------------------------------------------------------------------ sending

    def _post_push_jobs(self, connection, client, jobs):
        [job] = jobs
        answer = client.post(self._endpoint, self._make_upload_item(job))
        return [answer] if isinstance(answer, dict) else []

    def _make_upload_item(self, job):
        values = job.desired
        body = {
            'external_id': job.remote_id,
            'vendor_id': values['vendor'],
            'currency': values['currency'],
            'entity_id': values['entity'],
            'three_way_match_enabled': values['three_way'],
            'memo': values['memo'],
            'promise_date': values['promise'],
            'net_payment_terms': values['terms'],
            'owner_id': values['owner'],
            'purchase_order_number': self._get_order_number(job),
            'spend_start_date': values['start'],
            'spend_end_date': values['end'],
            'line_items': [self._make_line_item(line, identity) for identity, line in values['lines'].items()],
        }
        return {key: value for key, value in body.items() if value not in (None, '')}

    def _get_order_number(self, job):
        """Return the number of an order in Ramp.

        An order that replaces another one gets a number of its own.
        """
        generation = job.remote_id.partition('.')[2]
        return '-'.join(filter(None, (job.desired['number'], generation)))

    def _make_line_item(self, line, identity=None):
        item = {
            'unit_quantity': line['quantity'],
            'unit_price': line['price'],
            'description': line['description'],
            'accounting_field_selections': [
                {'field_external_id': field, 'field_option_external_id': option} for field, option in line['coding']
            ],
        }
        return {**item, 'external_id': identity} if identity else item

    def _update_remote_object(self, client, job, changes):
        path = f'{self._endpoint}/{job.ramp_id}'
        header = {name: changes[key] for key, name in HEADER.items() if key in changes}
        if header:
            client.patch(path, header, idempotent=True)
        if 'lines' not in changes:
            return
        lines, before, ids = changes['lines'], dict(job.known.get('lines', {})), dict(job.known.get('line_ids', {}))
        # `known` is updated step by step, so that it is right even if Ramp refuses a later request.
        job.known = {**job.known, 'lines': before, 'line_ids': ids}
        new = {identity: line for identity, line in lines.items() if identity not in ids}
        if new:  # before others are deleted, because an order keeps at least one line
            answer = client.post(
                f'{path}/line-items',
                {'line_items': [self._make_line_item(line, identity) for identity, line in new.items()]},
            )
            ids.update(self._read_remote_object(answer, {}).values['line_ids'])
            before.update(new)
        for identity, line in lines.items():
            if identity not in new and line != before.get(identity):
                client.patch(f'{path}/line-items/{ids[identity]}', self._make_line_item(line), idempotent=True)
                before[identity] = line
        for identity in set(ids) - set(lines):
            client.delete(f'{path}/line-items/{ids[identity]}', idempotent=True)
            del ids[identity]
            before.pop(identity, None)

    def _deactivate_remote_object(self, client, job):
        client.post(f'{self._endpoint}/{job.ramp_id}/archive', {}, idempotent=True)

    def _store_push_results(self, run, jobs, sent=True):
        """EXTENDS: compare the receipts again, which name the lines of Ramp's order and count in its units."""
        result = super()._store_push_results(run, jobs, sent)
        receipts = self.env['ramp.flow.item_receipt']
        if sent and jobs and receipts._is_enabled_for(run.connection_id):
            self.env['ramp.record']._mark_dirty(run.connection_id, receipts._flow, [job.res_id for job in jobs])
            receipts._trigger()
        return result

    # ------------------------------------------------------------------ lookups in Ramp

    def _read_remote_objects(self, payloads, query):
        return [
            self._read_remote_safely(payload, query)
            for payload in payloads
            if isinstance(payload, dict) and payload.get('id')
        ]

    def _read_remote_object(self, payload, query):
        return self._read_order_as_remote(read_purchase_order(payload))

    @staticmethod
    def _read_order_as_remote(order):
        lines = [line for line in order.lines if line.external_id]
        days = {key: getattr(order, name) for key, name in HEADER.items() if key != 'memo'}
        return Remote(
            order.external_id,
            order.id,
            {
                'vendor': order.vendor_id,
                'currency': order.currency,
                'entity': order.entity_id,
                'offered': not order.archived_at,
                'memo': order.memo or '',
                **{key: day and str(day) for key, day in days.items()},
                'three_way': order.three_way_match_enabled,
                'lines': {
                    line.external_id: {
                        'quantity': quantity_text(line.quantity),
                        'price': line.unit_price and f'{line.unit_price.decimal_amount:f}',
                        'description': line.description or '',
                        'coding': sorted(
                            [selection.category_external_id or '', selection.external_id or '']
                            for selection in line.selections
                        ),
                    }
                    for line in lines
                },
                'line_ids': {line.external_id: line.id for line in lines},
            },
        )

    def _get_lookup_query(self, job):
        return {'external_id': job.remote_id, 'include_archived': 'true'}

    def _query_remote_objects(self, client, query):
        """Return the orders of both lists.

        Unless asked, Ramp leaves out the orders that it matches with receipts.
        """
        found = {}
        for three_way in ('true', 'false'):
            for page in client.list_pages(self._endpoint, {**query, 'three_way_match_enabled': three_way}):
                found.update((remote.ramp_id, remote) for remote in self._read_remote_objects(page.rows, query))
        return list(found.values())

    def _apply_remote_state(self, job, remote):
        told = job.desired or job.known
        if remote and told and not remote.unread:
            # Ramp is assumed to have what was sent at creation. It shows a price rounded to the currency.
            desired, known = told.get('lines', {}), (job.known or {}).get('lines', {})
            lines = {
                identity: self._read_line_as_sent(line, desired.get(identity), known.get(identity), told['currency'])
                for identity, line in remote.values['lines'].items()
            }
            once = {key: (job.known or told).get(key) for key in SENT_AT_CREATION}
            remote = dataclasses.replace(remote, values={**once, **remote.values, 'lines': lines})
        return super()._apply_remote_state(job, remote)

    @staticmethod
    def _read_line_as_sent(line, desired, known, currency):
        """Return a line with the values that Ramp does not show: its unit, and its price before rounding."""
        described = [
            sent
            for sent in (desired, known)
            if sent and all(sent[key] == line[key] for key in ('quantity', 'description'))
        ]
        line, shown = {**line, 'unit': described[0].get('unit') if described else None}, line['price']
        if not shown or not desired:
            return {**line, 'price': None}
        price = Money.from_major_units(Decimal(shown), currency)
        is_same = Money.from_major_units(Decimal(desired['price']), currency, strict=False) == price
        return {**line, 'price': desired['price'] if is_same else f'{price.decimal_amount:f}'}

    def _differs_from_remote(self, job):
        if job.desired and job.known and job.offered:  # sent only at creation
            job.desired = {**job.desired, **{key: job.known[key] for key in SENT_AT_CREATION if key in job.known}}
        return super()._differs_from_remote(job)
