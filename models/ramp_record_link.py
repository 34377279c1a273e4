# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import LazyTranslate

_lt = LazyTranslate(__name__)


class RampRecord(models.Model):
    """Link a row to a document that somebody entered in Odoo by hand, and unlink it."""

    _inherit = 'ramp.record'

    is_linked = fields.Boolean(
        compute='_compute_is_linked',
        help='Whether its document was entered in Odoo by hand. The connector does not reverse such a document.',
    )

    @api.depends('noted', 'res_id')
    def _compute_is_linked(self):
        for record in self:
            record.is_linked = bool(record.res_id and record._read_note().is_linked)

    def action_link(self):
        """Open the wizard that asks for the document.

        :raise UserError: if the row cannot be linked
        """
        self.ensure_one()
        self._check_is_accountant()
        self._check_linkable()
        link = self.env['ramp.record.link'].create({'record_id': self.id})
        return link._get_records_action(name=self.env._('Link to an Entry'), target='new')

    def _check_linkable(self):
        """Check that the row waits for a document, and is of a kind that may be linked to one.

        :raise UserError: if not
        """
        flow = self.env[f'ramp.flow.{self.flow}']
        if not getattr(flow, '_link_model', None):
            raise UserError(
                self.env._(
                    '%(object)s cannot be linked to an entry (type: %(type)s). Ignore it, or let it be posted.',
                    object=self.display_name,
                    type=flow._get_flow_label(),
                )
            )
        flow._check_record_linkable(self)

    def _lock_for_decision(self):
        """Lock the row, and read it again.

        :raise UserError: when a job works on it now
        """
        if not self.try_lock_for_update():
            raise UserError(self.env._('%s is being processed now. Try again in a moment.', self.display_name))
        self.invalidate_recordset()

    def _link_to_document(self, document):
        """Let a document stand for the object, and have Ramp told that it is synced.

        :param document: `account.move` or `account.payment` that the user may edit
        :raise UserError: when the document cannot stand for the object
        """
        self.ensure_one()
        self._check_is_accountant()
        self._check_linkable()
        document.ensure_one()
        document.check_access('write')
        # sudo: accountants decide on rows (checked above) without being able to edit them
        record = self.sudo()
        record._lock_for_decision()
        if not document.sudo().try_lock_for_update():
            raise UserError(self.env._('%s is being edited now. Try again in a moment.', document.display_name))
        flow = record.env[f'ramp.flow.{record.flow}'].with_company(record.company_id)
        flow._link_document(record.connection_id, record, document.sudo())

    def action_unlink_document(self):
        """Unlink the document that somebody entered. It stays as it is, and the object waits for another decision."""
        self._check_is_accountant()
        for record in self:
            if not record.is_linked:
                raise UserError(
                    self.env._('%s is not linked to a document that was entered by hand.', record.display_name)
                )
        for record in self:
            # sudo: see `_link_to_document`
            row = record.sudo()
            row._lock_for_decision()
            name = row.env[row.res_model].browse(row.res_id).exists().display_name or ''
            flow = self.env[f'ramp.flow.{record.flow}'].with_company(record.company_id)
            flow._undo_for_user(record.connection_id, record, self.env._('%s unlinked it.', self.env.user.name))
            row._hold_without_document(
                'finding',
                _lt(
                    '%(user)s unlinked %(document)s. Link it to another entry, press Retry to post it, or Ignore to '
                    'leave it out.',
                    user=self.env.user.name,
                    document=name,
                ),
            )
        return True
