# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models

from ...models.ledger_notes import OrderNote
from ...ramp_api import read_purchase_order
from ..engine.flow import is_of_object


class RampFlowPurchaseOrderWatch(models.AbstractModel):
    """Check what becomes of orders in Ramp: edited, archived, unreadable."""

    _inherit = 'ramp.flow.purchase_order'

    def _inspect_remote_objects(self, connection, client):
        """Note what people in Ramp did to our orders, and what Ramp received and billed (nightly check)."""
        for three_way in ('true', 'false'):
            for page in client.list_pages(
                self._endpoint,
                {'creation_source': 'DEVELOPER_API', 'include_archived': 'true', 'three_way_match_enabled': three_way},
            ):
                self._transaction(
                    self._note_remote_orders,
                    connection,
                    {
                        payload['id'].lower(): payload
                        for payload in page.rows
                        if isinstance(payload, dict) and isinstance(payload.get('id'), str)
                    },
                )

    def _compare_named_rows(self, connection, rows):
        """OVERRIDES: keep what people did in Ramp, and note it on the row."""
        ramp_ids, client = rows.mapped('ramp_id'), connection._run_client()
        self.env.cr.rollback()  # no transaction stays open during the requests
        for ramp_id, payload in self._fetch_each_object(client, ramp_ids):
            self._transaction(self._note_remote_orders, connection, {ramp_id: payload})

    def _note_remote_orders(self, connection, there):
        """Note on their rows what Ramp has of orders.

        :param there: {Ramp id: payload, or None if Ramp does not find the order}. Fetched alone, an archived order is
            not found either.
        """
        Record = self.env['ramp.record']
        ours = [('connection_id', '=', connection.id), ('remote_id', '!=', False)]
        rows = Record.search([*ours, ('flow', '=', self._flow), ('ramp_id', 'in', list(there))]).try_lock_for_update()
        receipts = {
            row.res_id: set((row.payload or {}).get('ids', {}).values())
            for row in Record.search_fetch(
                [
                    *ours,
                    ('flow', '=', 'item_receipt'),
                    ('state', '=', 'confirmed'),
                    ('res_id', 'in', rows.mapped('res_id')),
                ],
                ['res_id', 'payload'],
            )
        }
        rows.seen_at = self.env.cr.now()
        others = []
        for row in rows:
            try:
                order = there[row.ramp_id] and read_purchase_order(there[row.ramp_id])
                self._note_remote_order(row, order)
            except Exception as error:
                if not is_of_object(error):
                    raise
                self._note_unread_order(row, there[row.ramp_id])
                continue
            if (
                order
                and row.state == 'confirmed'
                and not row.is_uncertain
                and receipts.get(row.res_id, set(order.item_receipt_ids)) != set(order.item_receipt_ids)
            ):
                others.append(row.res_id)
        if others:
            Record._mark_dirty(connection, 'item_receipt', others, uncertain=True)
            self.env['ramp.flow.item_receipt']._trigger()

    def _note_remote_order(self, row, order):
        """Note on its row what became of an order.

        :param order: the order as Ramp has it, or None
        """
        if order:
            noted = OrderNote(receipt_status=order.receipt_status, billing_status=order.billing_status).to_json()
            if row.noted != noted:
                row.noted = noted
        if row.state != 'confirmed' or row.is_uncertain:
            return
        if not order or order.archived_at:
            self._note_archived_orders(row)
            return
        edited = self._describe_remote_edits(row.payload, order)
        if (row.error_message or '') != edited:
            row.error_message = edited

    def _note_unread_order(self, row, payload):
        """Put an order on hold whose payload cannot be read.

        The next run asks for it again.
        """
        if row.state == 'confirmed':
            row.write(
                {
                    'state': 'held',
                    'hold_reason': 'question',
                    'is_uncertain': True,
                    'error_message': self._read_remote_safely(payload, {}).unread
                    or self.env._("Odoo cannot read Ramp's version of it. The server log has the details."),
                }
            )

    def _note_archived_orders(self, rows):
        if rows:
            rows.write(
                {
                    'state': 'held',
                    'hold_reason': 'archived',
                    'is_uncertain': True,
                    'error_message': self.env._(
                        'It was archived in Ramp. Press Retry to send it as a new order, or cancel it here.'
                    ),
                }
            )

    def _describe_remote_edits(self, sent, order):
        """Return in words what differs in Ramp from what was sent, or '' if nothing does."""
        values = self._read_order_as_remote(order).values
        lines = {
            identity: self._read_line_as_sent(line, sent['lines'].get(identity), None, sent['currency'])
            for identity, line in values['lines'].items()
        }
        strange = len(order.lines) != len(lines)
        labels = {
            'memo': self.env._('the memo'),
            'start': self.env._('the first day of the spend'),
            'end': self.env._('the last day of the spend'),
            'lines': self.env._('the lines'),
        }
        different = [
            label
            for key, label in labels.items()
            if (lines if key == 'lines' else values[key]) != sent.get(key) or key == 'lines' and strange
        ]
        return (
            self.env._(
                'Someone edited %s in Ramp. The next change of the order in Odoo sends only what it changes. Resync '
                'Coding Options sends everything.',
                ', '.join(different),
            )
            if different
            else ''
        )
