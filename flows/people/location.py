# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models

from ...ramp_api import read_location


class RampFlowLocation(models.AbstractModel):
    """Work locations. A location of Ramp belongs to an entity, and so do all who work there. Schema: Location."""

    _name = 'ramp.flow.location'
    _inherit = ['ramp.flow.place', 'ramp.flow.push']
    _description = 'Ramp Flow: locations'

    _flow = 'location'
    _flow_sequence = 11
    _model = 'hr.work.location'
    _kind = 'location'
    _endpoint = '/locations'
    _of_version = 'work_location_id'

    @api.model
    def _flow_label(self):
        return self.env._('Work locations')

    def _read_place(self, payload):
        return read_location(payload)

    def _creation(self, connection, job):
        entity = self._entity(connection)
        return {**super()._creation(connection, job), **({'entity_id': entity} if entity else {})}

    def _entity(self, connection):
        return (connection.ramp_entity_id or connection.primary_entity_id or '').lower()

    def _nearest(self, connection, remotes):
        """OVERRIDES: in the connection's entity, else in none."""
        entities = [(remote.values['entity'] or '').lower() for remote in remotes]
        for entity in (self._entity(connection), ''):
            if entity in entities:
                return [remote for remote, other in zip(remotes, entities, strict=True) if other == entity]
        return remotes

    def _further(self, place):
        return {'entity': place.entity_id}

    def _resolve(self, connection, client, jobs):
        """EXTENDS: people are not moved to another entity because two places are called the same."""
        result = super()._resolve(connection, client, jobs)
        entity = (connection.ramp_entity_id or '').lower()
        for job in jobs:
            if entity and job.known and job.known['entity'] and job.known['entity'].lower() != entity:
                job.state, job.blocked, job.uncertain = 'held', True, True
                job.error = self.env._(
                    'Ramp has a location of that name in another entity than that of the connection, and whoever works there belongs to '
                    'that entity. Rename one of them.')
                job.ramp_id, job.known = None, None
        return result
