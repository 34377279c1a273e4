# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import SUPERUSER_ID, api


def migrate(cr, version):
    """Bills from Ramp that vendor credits covered are paid, not reversed: the state is stored, so it is computed once
    more.
    """
    env = api.Environment(cr, SUPERUSER_ID, {'active_test': False, 'tracking_disable': True})
    env['account.move'].search(
        [('ramp_id', '!=', False), ('move_type', 'in', ('in_invoice', 'in_refund')), ('payment_state', '=', 'reversed')]
    )._compute_payment_state()
