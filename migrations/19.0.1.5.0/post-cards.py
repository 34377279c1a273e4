# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import SUPERUSER_ID, api


def migrate(cr, version):
    """Card spend goes on to be called by its merchant alone, as it was, in connections that have connected.

    Expenses of entries that are drafts were called paid, and those of entries that are gone approved: they get the
    state of now. The job of card transactions comes after that of bills, where both are due.
    """
    cr.execute("UPDATE ramp_connection SET label_template = '{merchant}' WHERE state <> 'draft'")
    env = api.Environment(cr, SUPERUSER_ID, {'tracking_disable': True})
    expenses = env['hr.expense'].search(
        [('ramp_id', '!=', False), '|', ('account_move_id', '=', False), ('account_move_id.state', '=', 'draft')]
    )
    env.add_to_compute(expenses._fields['state'], expenses)
    expenses.flush_recordset(['state'])
    cron = env.ref('ramp_connector.cron_transaction', raise_if_not_found=False)
    if cron and cron.priority == 5:
        cron.priority = 6
