# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import email_normalize


class RampPerson(models.AbstractModel):
    """Employees and users, who are users of Ramp; see `ramp.flow.person`."""

    _name = 'ramp.person'
    _inherit = 'ramp.pushed'
    _description = 'Person who is a user of Ramp'

    _ramp_officers = None  # the group that may invite
    _ramp_addresses = ()  # the fields that may hold the email address, the best first

    ramp_invite = fields.Boolean(
        string='Invitation to Ramp Wanted',
        copy=False,
        help='Ramp sends an invitation by email as soon as it has this person.',
    )
    ramp_can_invite = fields.Boolean(
        compute='_compute_ramp_can_invite',
        compute_sudo=True,
        help='Whether this person is a draft in Ramp and nobody asked for more.',
    )

    def _ramp_email(self):
        """The email address by which Ramp knows the person, in small letters, or False."""
        self.ensure_one()
        return next(
            (
                email
                for name in self._ramp_addresses
                for address in self.mapped(name)
                if (email := email_normalize(address))
            ),
            False,
        )

    def _ramp_is_sure(self):
        """Whether the person cannot have chosen the address of `_ramp_email`; a person who could is asked for."""
        raise NotImplementedError

    def _ramp_address(self):
        """What was entered as one, if it is one or not; a login need not be meant as one."""
        names = sorted(self._ramp_addresses, key=lambda name: name.endswith('login'))
        return next((address for name in names for address in self.mapped(name) if address), False)

    @api.depends('ramp_invite', 'active')
    @api.depends_context('allowed_company_ids', 'uid')
    def _compute_ramp_can_invite(self):
        rows = self._ramp_ledger_rows()
        for person in self:
            row = rows.get(person._origin.id)
            person.ramp_can_invite = bool(
                row
                and row.state != 'ignored'
                and row.payload
                and not row.payload.get('invited')
                and not person.ramp_invite
            )

    def action_send_ramp_invitation(self):
        """Ask Ramp to invite this person by email; its job does it."""
        self.ensure_one()
        self.check_access('write')
        if not self.env.su and not self.env.user.has_group(self._ramp_officers):
            raise AccessError(self.env._('Only officers may invite people to Ramp.'))
        if not self.ramp_can_invite:
            raise UserError(self.env._('%s cannot be invited: only drafts in Ramp can, once.', self.display_name))
        self.ramp_invite = True
        title = self.env._('The invitation is going to be sent')
        return self.env['ramp.connection']._notify_user(
            'success', title, self.env._('It runs in the background; this page shows what became of it.')
        )
