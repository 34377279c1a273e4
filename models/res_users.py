# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import fields, models
from odoo.tools import email_normalize

OFFICERS = 'base.group_erp_manager'


class ResUsers(models.Model):
    """Internal users who are no employees are sent to Ramp; see `ramp.flow.user`."""

    _name = 'res.users'
    _inherit = ['res.users', 'ramp.person']

    _ramp_flows = ('user',)
    _ramp_fields = frozenset({'login', 'active', 'company_id', 'group_ids', 'ramp_invite'})
    _ramp_officers = OFFICERS
    _ramp_addresses = ('login', 'email')  # the email is for users to change themselves

    ramp_id = fields.Char(groups=OFFICERS)
    ramp_state = fields.Char(groups=OFFICERS)
    ramp_url = fields.Char(groups=OFFICERS)
    ramp_invite = fields.Boolean(groups=OFFICERS)
    ramp_can_invite = fields.Boolean(groups=OFFICERS)

    def _ramp_is_sure(self):
        """EXTENDS: the login is for administrators to change."""
        return bool(email_normalize(self.login))

    def _ramp_new_records(self):
        return self.filtered(lambda user: not user.share)


class ResPartner(models.Model):
    _inherit = 'res.partner'

    def write(self, vals):
        """EXTENDS: the name and email of a user, and the email of an employee, are those of the contact."""
        result = super().write(vals)
        if not {'name', 'email'}.isdisjoint(vals) and self.env['ramp.connection']._pushed_domain_of('user') is not None:
            # whoever edits a contact need not be allowed to see who is behind it
            contacts = self.sudo().with_context(active_test=False)
            contacts.user_ids._ramp_note_changes()
            if 'email' in vals:
                contacts.employee_ids._ramp_note_changes()
        return result
