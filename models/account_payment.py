# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models


class AccountPayment(models.Model):
    _name = 'account.payment'
    _inherit = ['account.payment', 'ramp.document']

    def _ramp_records(self):
        """A payment bears Ramp's id of the payment; its rows are those of what it paid: one of them, where it paid several."""
        # the ledger is for accountants; who may read the payment may know its status
        records = self.env['ramp.record'].sudo().search_fetch(
            [('res_model', '=', self._name), ('res_id', 'in', self.filtered('ramp_id')._origin.ids)],
            ['res_id', 'ramp_id', 'state', 'error_message', 'connection_id', 'flow'], order='id desc')
        by_id = {record.res_id: record for record in records}
        return {payment.ramp_id: by_id[payment.id] for payment in self if payment.id in by_id}
