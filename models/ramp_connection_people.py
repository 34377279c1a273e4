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
        help='Employees, and internal users who are not employees, are sent to Ramp as users, with their department, '
        'work location and manager. People who are archived in Odoo are deactivated there.',
    )
    user_invitation = fields.Selection(
        [('draft', 'Manually'), ('invite', 'Every new user')],
        string='Ramp Invites',
        required=True,
        default='draft',
        tracking=True,
        help='An invitation is a real email. Without one, people are drafts in Ramp. The button Send Invitation is '
        'on the employee.',
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
        help='The role of users that Odoo creates. After that, and for everybody else, the role is managed in Ramp.',
        prefetch=SETTINGS,
    )
