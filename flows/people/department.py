# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models

from ...ramp_api import read_department


class RampFlowDepartment(models.AbstractModel):
    """Departments.

    Ramp has no hierarchy of departments (contract 2026-08-01). If two have the same name, the whole path is the name.
    Schema: Department.
    """

    _name = 'ramp.flow.department'
    _inherit = ['ramp.flow.place', 'ramp.flow.push']
    _description = 'Ramp Flow: departments'

    _flow = 'department'
    _flow_sequence = 10
    _model = 'hr.department'
    _kind = 'department'
    _endpoint = '/departments'
    _of_version = 'department_id'

    @api.model
    def _get_flow_label(self):
        return self.env._('Departments')

    def _get_desired_values(self, connection, records):
        namesakes = {}
        for row in self.env.execute_query(self._search_wanted_ids(connection).select()):
            department = self.env[self._model].browse(row[0])
            namesakes.setdefault(self._get_place_key(department.name), []).append(department)
        several = frozenset(place.id for places in namesakes.values() if len(places) > 1 for place in places)
        return super(RampFlowDepartment, self.with_context(ramp_whole_path=several))._get_desired_values(
            connection, records
        )

    def _read_place_object(self, payload):
        return read_department(payload)

    def _get_display_title(self, record):
        name = record.complete_name if record.id in self.env.context.get('ramp_whole_path', ()) else record.name
        return ' '.join((name or '').split())

    def _get_place_name(self, record):
        return record.complete_name
