# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import email_normalize


class RampPerson(models.AbstractModel):
    """Employees and users of Odoo who are users of Ramp; see `ramp.flow.person`."""

    _name = 'ramp.person'
    _inherit = 'ramp.pushed'
    _description = 'Person who is a user of Ramp'

    # Group whose members may send invitations
    _ramp_officers = None
    # Fields that may hold the email, the most certain one first
    _ramp_addresses = ()

    ramp_invite = fields.Boolean(
        string='Invitation to Ramp Wanted',
        copy=False,
        help='Ramp sends an invitation by email as soon as it has this person.',
    )
    ramp_can_invite = fields.Boolean(
        string='Can Be Invited to Ramp',
        compute='_compute_ramp_can_invite',
        compute_sudo=True,
        help='Whether this person is a draft in Ramp and no invitation has been requested.',
    )

    def _ramp_email(self):
        """Return the normalized email by which Ramp knows the person, or False."""
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
        """Return whether the email of `_ramp_email` is certain, because its owner cannot have chosen it.

        Otherwise a person has to confirm who it is.
        """
        raise NotImplementedError

    def _ramp_address(self):
        """Return the text that was entered as the email, valid or not.

        The login comes last, because it need not be an email.
        """
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
        """Ask Ramp to invite this person by email; the job sends the request."""
        self.ensure_one()
        self.check_access('write')
        if not self.env.su and not self.env.user.has_group(self._ramp_officers):
            raise AccessError(self.env._('Only officers of Employees may invite people to Ramp.'))
        if not self.ramp_can_invite:
            raise UserError(
                self.env._(
                    '%s cannot be invited. Only drafts in Ramp can be invited, and only once.', self.display_name
                )
            )
        self.ramp_invite = True
        title = self.env._('The invitation will be sent')
        return self.env['ramp.connection']._notify_user(
            'success', title, self.env._('It runs in the background; this page shows the result.')
        )
