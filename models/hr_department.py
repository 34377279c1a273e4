# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import models


class HrDepartment(models.Model):
    """Departments with employees are sent to Ramp; see `ramp.flow.department`."""

    _name = 'hr.department'
    _inherit = ['hr.department', 'ramp.pushed']

    _ramp_flows = ('department',)
    _ramp_fields = frozenset({'name', 'parent_id', 'active'})

    def _ramp_new_records(self):
        # A new department has no employees yet
        return self.browse()


class HrWorkLocation(models.Model):
    """Work locations with employees are sent to Ramp; see `ramp.flow.location`."""

    _name = 'hr.work.location'
    _inherit = ['hr.work.location', 'ramp.pushed']

    _ramp_flows = ('location',)
    _ramp_fields = frozenset({'name', 'active'})

    def _ramp_new_records(self):
        # A new work location has no employees yet
        return self.browse()
