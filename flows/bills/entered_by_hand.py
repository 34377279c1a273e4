# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models


class RampFlowBillEnteredByHand(models.AbstractModel):
    """Link bills to those that somebody entered in Odoo. Ramp's payments of them are posted."""

    _inherit = 'ramp.flow.bill'

    _link_model = 'account.move'

    def _get_link_hints(self, connection, record):
        partner, _reason = self.env['ramp.flow.vendor']._find_vendor_partners(connection, {record.parent_ramp_id})[
            record.parent_ramp_id
        ]
        return (record.payload or {}).get('invoice_number'), partner

    def _on_document_linked(self, connection, value, document):
        booked = {value.id: document}
        if value.invoice_urls:
            self.env['ramp.flow.bill_file']._enqueue_files(connection, {value.id: len(value.invoice_urls)}, booked)
        payments = self.env['ramp.flow.bill_payment']
        payments._on_bill_booked(connection, booked)
        payments._trigger()


class RampFlowVendorCreditEnteredByHand(models.AbstractModel):
    """Link vendor credits to vendor credit notes that somebody entered in Odoo."""

    _inherit = 'ramp.flow.vendor_credit'

    _link_model = 'account.move'

    def _get_link_hints(self, connection, record):
        partner, _reason = self.env['ramp.flow.vendor']._find_vendor_partners(connection, {record.parent_ramp_id})[
            record.parent_ramp_id
        ]
        return (record.payload or {}).get('reference_number'), partner

    def _on_document_linked(self, connection, value, document):
        self.env['ramp.flow.bill_payment']._on_credits_booked(connection, [value.id])
