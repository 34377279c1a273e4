# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import SUPERUSER_ID, api
from odoo.tools import split_every

BATCH = 1000
FLOWS = ('transaction', 'bill', 'vendor_credit')


def migrate(cr, version):
    """What a change of a booked object is was narrowed: numbers and names that Ramp spells otherwise are details. And
    what codes a bill as a whole counts for its lines now. So the mark of what was booked is made anew, else all of it
    would seem to have changed; and a row that waited for such a change only waits no more.
    """
    env = api.Environment(cr, SUPERUSER_ID, {'active_test': False})
    ids = env['ramp.record'].search([('flow', 'in', FLOWS)], order='id').ids
    for part in split_every(BATCH, ids):
        for record in env['ramp.record'].browse(part):
            flow = env[f'ramp.flow.{record.flow}']
            record.payload_hash = flow._make_ledger_row(record.connection_id, record.payload)['payload_hash']
            late = (
                record.late_payload and flow._make_ledger_row(record.connection_id, record.late_payload)['payload_hash']
            )
            if late == record.payload_hash and record.has_changed:
                record.write(
                    {
                        'late_payload': False,
                        'has_changed': False,
                        'error_message': False,
                        'hold_reason': False,
                        'state': 'confirmed' if record.is_told or not flow._sync_type else 'done',
                    }
                )
        env.flush_all()
        env.invalidate_all()
