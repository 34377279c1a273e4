# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import api, models

from ...ramp_api import read_location


class RampFlowLocation(models.AbstractModel):
    """Work locations.

    A location in Ramp belongs to an entity, and so does everybody who works there (contract 2026-08-01). Schema:
    Location.
    """

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
    def _get_flow_label(self):
        return self.env._('Work locations')

    def _read_place_object(self, payload):
        return read_location(payload)

    def _make_creation_body(self, connection, job):
        entity = self._get_location_entity(connection)
        return {**super()._make_creation_body(connection, job), **({'entity_id': entity} if entity else {})}

    def _get_location_entity(self, connection):
        return (connection.ramp_entity_id or connection.primary_entity_id or '').lower()

    def _find_nearest_place(self, connection, remotes):
        """OVERRIDES: prefer those in the connection's entity, then those without an entity."""
        entities = [(remote.values['entity'] or '').lower() for remote in remotes]
        for entity in (self._get_location_entity(connection), ''):
            if entity in entities:
                return [remote for remote, other in zip(remotes, entities, strict=True) if other == entity]
        return remotes

    def _get_extra_place_values(self, place):
        return {'entity': place.entity_id}

    def _resolve_uncertain_jobs(self, connection, client, jobs):
        """EXTENDS: put a location on hold if Ramp has one of that name in another entity.

        Otherwise people would move to that entity only because two locations have the same name.
        """
        result = super()._resolve_uncertain_jobs(connection, client, jobs)
        entity = (connection.ramp_entity_id or '').lower()
        for job in jobs:
            if entity and job.known and job.known['entity'] and job.known['entity'].lower() != entity:
                job.state, job.blocked, job.uncertain = 'held', True, True
                job.error = self.env._(
                    'Ramp has a location with this name in another entity than that of the connection, and people '
                    'who work there belong to that entity. Rename one of them.'
                )
                job.ramp_id, job.known = None, None
        return result
