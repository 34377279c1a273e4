# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models
from odoo.exceptions import UserError

from ...ramp_api import read_accounting_provider


class RampFlowSeat(models.AbstractModel):
    """Settings of the accounting integration that decide what Ramp shows and lists.

    See `_wanted_seat_settings`. Schema: ApiAccountingConnectionSettingsUpdateParams of PATCH
    /accounting/connection/{connection_id} (2026-08-01, beta). States are compared, as for everything that goes to Ramp:
    hourly, and whenever the connection needs other settings.
    """

    _name = 'ramp.flow.seat'
    _inherit = 'ramp.flow'
    _description = 'Ramp Flow: settings of the accounting integration'

    _flow = 'seat'
    _flow_sequence = 205

    @api.model
    def _get_flow_label(self):
        return self.env._('Accounting integration')

    def _run_connection_work(self, connection, run):
        client = connection._run_client()
        there = connection._check_own_seat(client).settings
        wanted = connection._wanted_seat_settings()
        changes = {name for name, value in wanted.items() if there.get(name, False) != value}
        self.env.cr.rollback()  # no transaction stays open during the request
        if not changes:
            return
        # Send all of our settings, in case Ramp takes missing ones for switched off.
        answer = read_accounting_provider(
            client.patch(
                f'/accounting/connection/{connection.accounting_connection_id}', {'settings': wanted}, idempotent=True
            )
        )
        left = sorted(name for name in changes if answer.settings.get(name, False) != wanted[name])
        if left:
            raise UserError(
                self.env._(
                    'Connection %(name)s: Ramp did not apply these settings of the integration: '
                    '%(settings)s. Without them, vendor credits or the Sync buttons are missing in Ramp. Ask Ramp '
                    'whether they can be used.',
                    name=connection.name,
                    settings=', '.join(left),
                )
            )
        if 'vendor_credits_enabled' in changes:
            self.env['ramp.flow.vendor_credit']._trigger()  # credits that no list showed are listed now
