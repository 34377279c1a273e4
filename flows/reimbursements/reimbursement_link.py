# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models


class RampFlowReimbursementLink(models.AbstractModel):
    """Link reimbursements to bills of the employee that somebody entered in Odoo. Ramp's payments of them are posted."""

    _inherit = 'ramp.flow.reimbursement'

    _link_model = 'account.move'

    def _get_link_hints(self, connection, record):
        user = (record.payload or {}).get('user_id')
        # sudo: accountants need not be able to read employees; the contact is the partner of their bills
        employee = (
            self.env['hr.employee']
            .sudo()
            .search([('company_id', '=', record.company_id.id), ('ramp_user_id', '=', user)], limit=1)
            if user
            else self.env['hr.employee'].sudo()
        )
        return None, employee.work_contact_id.sudo(False)

    def _on_document_linked(self, connection, value, document):
        booked = {value.id: document}
        self.env['ramp.flow.receipt']._enqueue_files(connection, {value.id: value.receipts}, booked)
        payments = self.env['ramp.flow.reimbursement_payment']
        payments._on_documents_booked(connection, booked)
        payments._trigger()
