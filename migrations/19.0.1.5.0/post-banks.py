# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import SUPERUSER_ID, api


def migrate(cr, version):
    """Bank lines are matched by nobody but people, until somebody wants it; the job that asks for references begins."""
    cr.execute('UPDATE ramp_connection SET match_bank_lines = false')
    env = api.Environment(cr, SUPERUSER_ID, {'active_test': False})
    env.invalidate_all()
    env['ramp.connection']._switch_crons()
