# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import SUPERUSER_ID, api

FLOWS = ('accounting_vendor', 'spend_vendor')


def migrate(cr, version):
    """Employees and the partner *Ramp* are no vendors in Ramp any more: what was sent of them is compared again, and
    withdrawn.
    """
    env = api.Environment(cr, SUPERUSER_ID, {'active_test': False})
    connections = env['ramp.connection'].search([('state', '=', 'connected')])
    for name in FLOWS if connections else ():
        flow = env[f'ramp.flow.{name}']
        env['ramp.record']._mark_dirty(connections.filtered(flow._is_enabled_for), name)
        flow._trigger()
