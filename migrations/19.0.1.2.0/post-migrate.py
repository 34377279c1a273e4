# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import SUPERUSER_ID, api

BATCH = 1000


def migrate(cr, version):
    """Bills and reimbursements are new: a connection that is there gets them when somebody switches them on, and not
    unasked.

    What a change of a transaction is was narrowed (memos are noted, they are no change of the books), so its mark is
    made anew: else everything that is booked would seem to have changed.
    """
    env = api.Environment(cr, SUPERUSER_ID, {'active_test': False})
    connections = env['ramp.connection'].search([])
    connections.write({'pull_bills': False, 'pull_reimbursements': False, 'pull_repayments': False})
    for connection in connections.filtered(lambda item: item.state == 'connected'):
        connection._complete_set_up()
        connection.message_post(
            body=env._(
                'Bills, reimbursements and repayments can now be read from Ramp too. Allow their permissions in '
                'Ramp, then switch them on.'
            )
        )
        if version.startswith('19.0.1.0.'):
            connection.message_post(
                body=env._(
                    'Accounts, analytic accounts and suppliers can now be offered in Ramp too. Choose which ones '
                    'under "Coding Options".'
                )
            )
    if version.startswith('19.0.1.0.'):
        # that version sent nothing: what is offered now somebody decides who knows what is in Ramp already
        connections.write(
            {'account_policy': 'types', 'account_type_ids': [(5,)], 'analytic_plan_ids': [(5,)], 'offer_vendors': False}
        )
    connections._switch_crons()
    flow, Record = env['ramp.flow.transaction'], env['ramp.record']
    after = 0
    while records := Record.search(
        [('flow', '=', 'transaction'), ('id', '>', after), ('has_changed', '=', False)], order='id', limit=BATCH
    ):
        for record in records:
            row = flow._make_ledger_row(record.connection_id, record.payload)
            record.payload_hash = row['payload_hash']
            if 'value' in row and record.res_id:
                record.noted = {'extras': flow._get_late_details(row['value'])}
        after = records[-1].id
        env.flush_all()
        env.invalidate_all()
