# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses

from odoo import SUPERUSER_ID, api
from odoo.addons.ramp_connector.flows.cards.repayment import RepaymentNote
from odoo.tools import SQL


def migrate(cr, version):
    """Repayments follow a card transaction that is posted anew, from this version on.

    Those that did not follow before stay where they are, because somebody may have corrected them by hand. A message on
    the connection names them.
    """
    env = api.Environment(cr, SUPERUSER_ID, {'active_test': False})
    flow = env['ramp.flow.repayment']
    for connection in env['ramp.connection'].search([]):
        after, entries = 0, env['account.move']
        while records := flow._find_misplaced_rows(connection, SQL('r.id > %s', after)):
            for record in records:
                record.noted = dataclasses.replace(record._read_note(RepaymentNote), transaction='').to_json()
            entries += entries.browse(records.mapped('res_id'))
            after = records[-1].id
        if entries:
            connection._message_log(
                body=env._(
                    'The card transactions of these repayments were posted again before the upgrade. What was repaid '
                    'is still on the former accounts. Correct it by hand, unless somebody did: %s',
                    ', '.join(entries.mapped('name')),
                )
            )
