# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import SUPERUSER_ID, api

BATCH = 1000


def migrate(cr, version):
    """Card statements are new: a connection that is there gets them when somebody switches them on, and not unasked.

    The tie-out compares all that came before, too: what it needs of each object is read from the payload that the
    ledger kept.
    """
    cr.execute(
        'ALTER TABLE ramp_connection DROP COLUMN IF EXISTS last_sync'
    )  # what the runs say, nobody has to write down
    env = api.Environment(cr, SUPERUSER_ID, {'active_test': False})
    connections = env['ramp.connection'].search([])
    connections.write({'pull_statements': False, 'push_orders': False, 'push_receipts': False, 'push_users': False})
    connections.filtered(lambda item: item.state == 'connected').database = connections._database()
    for connection in connections.filtered(lambda item: item.state == 'connected'):
        connection._complete_set_up()
        connection.message_post(
            body=env._(
                'Card statements, their payments and cashback can now be read from Ramp too. Allow their permissions '
                'in Ramp, then switch them on.'
            )
        )
    connections._switch_crons()
    Record = env['ramp.record']
    for flow in ('transaction', 'bill', 'bill_payment', 'vendor_credit', 'reimbursement', 'repayment'):
        for connection in connections:
            after = 0
            while records := Record.search(
                [('connection_id', '=', connection.id), ('flow', '=', flow), ('id', '>', after)],
                order='id',
                limit=BATCH,
            ):
                rows = [
                    env[f'ramp.flow.{flow}']
                    .with_company(connection.company_id)
                    ._make_ledger_row(connection, record.late_payload or record.payload or {})
                    for record in records
                ]
                Record._refresh_standing(connection, flow, [row for row in rows if 'value' in row])
                after = records[-1].id
                env.invalidate_all()
