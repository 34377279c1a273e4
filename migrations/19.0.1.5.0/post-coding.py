# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import SUPERUSER_ID, api
from odoo.tools import split_every

FLOWS = ('account', 'tax_rate')
BATCH = 1000


def migrate(cr, version):
    """Distribution models of Odoo stay out of what comes from Ramp, until somebody wants them.

    Accounts that take no spend are withdrawn from Ramp, and rates of taxes without an account are sent: both are compared again.
    What codes a bill as a whole counts for each of its lines now; of a bill that was read before, that is no change in Ramp.
    """
    cr.execute("UPDATE ramp_connection SET analytic_policy = 'ramp'")
    env = api.Environment(cr, SUPERUSER_ID, {'active_test': False})
    env.invalidate_all()
    connections = env['ramp.connection'].search([('state', '=', 'connected')])
    for name in FLOWS if connections else ():
        env['ramp.record']._mark_dirty(connections, name)
        env[f'ramp.flow.{name}']._trigger()
    cr.execute("""
        SELECT id FROM ramp_record
         WHERE flow = 'bill' AND has_changed IS NOT TRUE AND payload @? '$.accounting_field_selections[0]'
    """)
    flow = env['ramp.flow.bill']
    for ids in split_every(BATCH, [row[0] for row in cr.fetchall()]):
        for record in env['ramp.record'].browse(ids):
            record.payload_hash = flow._ledger_row(record.connection_id, record.payload)['payload_hash']
        env.flush_all()
        env.invalidate_all()
