# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import fields, models
from odoo.tools import email_normalize

OFFICERS = 'base.group_erp_manager'


class ResUsers(models.Model):
    """Internal users without an employee are sent to Ramp; see `ramp.flow.user`."""

    _name = 'res.users'
    _inherit = ['res.users', 'ramp.person']

    _ramp_flows = ('user',)
    _ramp_fields = frozenset({'login', 'active', 'company_id', 'group_ids', 'ramp_invite'})
    _ramp_officers = OFFICERS
    # Users can change the email themselves
    _ramp_addresses = ('login', 'email')

    ramp_id = fields.Char(groups=OFFICERS)
    ramp_state = fields.Char(groups=OFFICERS)
    ramp_url = fields.Char(groups=OFFICERS)
    ramp_invite = fields.Boolean(groups=OFFICERS)
    ramp_can_invite = fields.Boolean(groups=OFFICERS)

    def _ramp_is_sure(self):
        """EXTENDS: Return whether the login is an email; only administrators change logins."""
        return bool(email_normalize(self.login))

    def _ramp_new_records(self):
        return self.filtered(lambda user: not user.share)


class ResPartner(models.Model):
    _inherit = 'res.partner'

    def write(self, vals):
        """EXTENDS: Note the users and employees of these contacts, who share the name and email of the contact."""
        result = super().write(vals)
        if not {'name', 'email'}.isdisjoint(vals) and self.env['ramp.connection']._pushed_domain_of('user') is not None:
            # sudo: users who edit a contact may have no access to its users and employees
            contacts = self.sudo().with_context(active_test=False)
            contacts.user_ids._ramp_note_changes()
            if 'email' in vals:
                contacts.employee_ids._ramp_note_changes()
        return result
