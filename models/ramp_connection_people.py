# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import fields, models

from .connection_constants import SETTINGS


class RampConnection(models.Model):
    """Settings of a connection about people; see `ramp.flow.person`."""

    _inherit = 'ramp.connection'

    push_users = fields.Boolean(
        string='People',
        default=True,
        tracking=True,
        help='Employees, and internal users who are no employees, are sent to Ramp as users, with their department, '
        'work location and '
        'manager. Who is archived in Odoo is deactivated there.',
    )
    user_invitation = fields.Selection(
        [('draft', 'Manually'), ('invite', 'Every new user')],
        string='Ramp Invites',
        required=True,
        default='draft',
        tracking=True,
        help='An invitation is a real email; the button Send Invitation is on the employee. Without one, people are '
        'drafts in Ramp.',
        prefetch=SETTINGS,
    )
    # Owners and administrators of the Ramp business are appointed in Ramp
    user_role = fields.Selection(
        [
            ('BUSINESS_USER', 'Employee'),
            ('GUEST_USER', 'Guest'),
            ('BUSINESS_BOOKKEEPER', 'Bookkeeper'),
            ('AUDITOR', 'Auditor'),
        ],
        string='Role of New Users',
        required=True,
        default='BUSINESS_USER',
        tracking=True,
        help='Of those whom Odoo creates; after that, and of everybody else, the role belongs to Ramp.',
        prefetch=SETTINGS,
    )
