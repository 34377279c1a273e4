# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import SQL

KEEP = timedelta(days=30)  # longer than Ramp tries again
# Which jobs an event wakes, by what is before the point of its type. An event says that something changed, never what: the job asks.
FLOWS = {
    'transactions': ('transaction', 'receipt'), 'bills': ('bill', 'bill_payment', 'bill_file'), 'payments': ('bill', 'bill_payment'),
    'reimbursements': ('reimbursement', 'reimbursement_payment'), 'vendors': ('vendor', 'spend_vendor'),
    'purchase_orders': ('purchase_order',), 'webhooks': ('webhook',)}


class RampEvent(models.Model):
    """An event that Ramp sent: each id once, so that a repeat does nothing. It wakes jobs, which ask Ramp what there is."""

    _name = 'ramp.event'
    _description = 'Ramp Event'
    _order = 'id desc'
    _rec_name = 'type'

    connection_id = fields.Many2one('ramp.connection', required=True, readonly=True, ondelete='cascade')
    company_id = fields.Many2one(related='connection_id.company_id')
    event_id = fields.Char(required=True, readonly=True)
    type = fields.Char(required=True, readonly=True)
    object_id = fields.Char(readonly=True)
    sent_at = fields.Datetime(readonly=True, help='When it happened, as Ramp says.')
    received_at = fields.Datetime(readonly=True, required=True)

    _once = models.UniqueIndex('(connection_id, event_id)', 'An event of Ramp is taken once.')
    _received = models.Index('(received_at)')

    @api.model
    def _receive(self, connection, event):
        """Store an event and wake the jobs that it is about; returns whether it is new. In one statement, for Ramp waits."""
        rows = self.env.execute_query(SQL(
            """
            INSERT INTO ramp_event (connection_id, event_id, type, object_id, sent_at, received_at, create_uid, write_uid,
                                    create_date, write_date)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (connection_id, event_id) DO NOTHING RETURNING id
            """, connection.id, event.id, event.type, event.object_id, event.created_at and event.created_at.replace(tzinfo=None),
            fields.Datetime.now(), self.env.uid, self.env.uid, self.env.cr.now(), self.env.cr.now()))
        if rows:
            for flow in FLOWS.get(event.type.partition('.')[0], ()):
                if self.env[f'ramp.flow.{flow}']._enabled(connection):
                    self.env[f'ramp.flow.{flow}']._trigger()
        return bool(rows)

    @api.autovacuum
    def _gc_events(self):
        self.search([('received_at', '<', fields.Datetime.now() - KEEP)], limit=10000).unlink()
