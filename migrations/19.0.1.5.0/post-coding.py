# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import SUPERUSER_ID, api

FLOWS = ('account', 'tax_rate')


def migrate(cr, version):
    """Distribution models of Odoo stay out of what comes from Ramp, until somebody wants them.

    Accounts that take no spend are withdrawn from Ramp, and rates of taxes without an account are sent: both are
    compared again.
    """
    cr.execute("UPDATE ramp_connection SET analytic_policy = 'ramp'")
    env = api.Environment(cr, SUPERUSER_ID, {'active_test': False})
    env.invalidate_all()
    connections = env['ramp.connection'].search([('state', '=', 'connected')])
    for name in FLOWS if connections else ():
        env['ramp.record']._mark_dirty(connections, name)
        env[f'ramp.flow.{name}']._trigger()
