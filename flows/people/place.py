# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses

from odoo import api, models
from odoo.fields import Domain
from odoo.tools import SQL, LazyTranslate

from ..engine.names import name_key
from ..engine.push_job import Remote
from ..engine.reasons import Held

_lt = LazyTranslate(__name__)


class RampFlowPlace(models.AbstractModel):
    """Places where people belong: the common part of the flows of departments and locations.

    A place is found in Ramp by its name, else created. It is renamed with Odoo's. Ramp has no way to delete one
    (contract 2026-08-01). Only places where an employee works are sent.
    """

    _name = 'ramp.flow.place'
    _description = 'Ramp Flow: where people belong'

    _upload_size = 1
    _asked_first = True
    _by_code = True  # Ramp has no code, so the normalized name serves as one
    _remote_keys = ('id', None)
    _of_version = None  # column of `hr_version` that says where an employee works

    @api.model
    def _is_enabled_for(self, connection):
        return connection.push_users

    def _get_wanted_domain(self, connection):
        if not connection.push_users:
            return Domain.FALSE
        company, column = connection.company_id.id, SQL.identifier('v', self._of_version)

        def has_people(model, alias, query):
            return SQL(
                """EXISTS (
                    SELECT FROM hr_version v JOIN hr_employee e ON e.current_version_id = v.id
                     WHERE %s = %s AND e.active AND e.company_id = %s)""",
                column,
                SQL.identifier(alias, 'id'),
                company,
            )

        return Domain('active', '=', True) & Domain.custom(to_sql=has_people)

    def _get_desired_values(self, connection, records):
        everyone = {}
        for place in self.env[self._model].browse(
            row[0] for row in self.env.execute_query(self._search_wanted_ids(connection).select())
        ):
            everyone.setdefault(self._get_place_key(self._get_display_title(place)), []).append(place)
        desired = {}
        for place in records:
            name = self._get_display_title(place)
            others = [other for other in everyone.get(self._get_place_key(name), ()) if other != place]
            desired[place.id] = (
                Held(
                    _lt(
                        'Ramp allows each name only once, but Odoo has more than one with this name: %s. Give each a '
                        'different name.',
                        ', '.join(self._get_place_name(other) for other in (place, *others)),
                    )
                )
                if others
                else {'name': name, 'code': self._get_place_key(name), 'offered': True}
            )
        return desired

    @staticmethod
    def _get_place_key(name):
        return name_key(name)

    def _get_display_title(self, record):
        return ' '.join((record.name or '').split())

    def _get_place_name(self, record):
        return record.display_name

    def _reason_not_offered(self, record):
        if not record.active:
            return self.env._('Archived in Odoo. It cannot be deleted in Ramp, so it stays there.')
        return self.env._('Nobody works there. It cannot be deleted in Ramp, so it stays there.')

    def _deactivate_remote_object(self, client, job):
        """Send nothing: Ramp cannot delete a place, and the reason says so."""

    def _post_push_jobs(self, connection, client, jobs):
        [job] = jobs
        answer = client.post(self._endpoint, self._make_creation_body(connection, job))
        return [
            dataclasses.replace(remote, remote_id=job.remote_id) for remote in self._read_remote_objects([answer], {})
        ]

    def _make_creation_body(self, connection, job):
        return {'name': job.desired['name']}

    def _update_remote_object(self, client, job, changes):
        if 'name' in changes:
            client.patch(f'{self._endpoint}/{job.ramp_id}', {'name': changes['name']}, idempotent=True)

    def _read_remote_objects(self, payloads, query):
        return [
            payload if isinstance(payload, Remote) else self._read_remote_safely(payload, query)
            for payload in payloads
            if isinstance(payload, Remote) or isinstance(payload, dict) and payload.get('id')
        ]

    def _read_remote_object(self, payload, query):
        place = self._read_place_object(payload)
        return Remote(
            None,
            place.id,
            {
                'name': place.name,
                'code': self._get_place_key(place.name),
                'offered': True,
                **self._get_extra_place_values(place),
            },
        )

    def _read_place_object(self, payload):
        """Return a place as a value object.

        :raise PayloadError: the payload cannot be read
        """
        raise NotImplementedError

    def _get_extra_place_values(self, place):
        return {}

    def _resolve_uncertain_jobs(self, connection, client, jobs):
        """EXTENDS: look for a place of the same name.

        Nothing in Ramp makes names unique, and a second place of that name would be confusing.
        """
        result = super()._resolve_uncertain_jobs(connection, client, jobs)
        taken = self._get_taken_remote_ids(connection) if jobs else ()
        for job in jobs:
            if job.known or not job.desired or job.blocked:
                continue
            same = self._find_nearest_place(
                connection,
                [
                    remote
                    for remote in self._fetch_remote_list(client, {})
                    if not remote.unread
                    and remote.values['code'] == job.desired['code']
                    and self._is_adoptable_remote(remote, taken)
                ],
            )
            if len(same) == 1:
                self._apply_remote_state(job, same[0])
            elif same:
                job.block(
                    Held(
                        _lt(
                            'Ramp has %(count)s with the name %(name)s, so Odoo cannot tell which one is meant. '
                            'Rename the others in Ramp, or this one in Odoo.',
                            count=len(same),
                            name=job.desired['name'],
                        )
                    )
                )
                job.uncertain = True
        return result

    def _find_nearest_place(self, connection, remotes):
        """Return those of the places with the same name that may be meant."""
        return remotes

    def _get_lookup_query(self, job):
        return None  # Ramp stores no id of ours for a place, and has no such filter

    def _apply_remote_state(self, job, remote):
        return super()._apply_remote_state(job, remote and dataclasses.replace(remote, remote_id=job.remote_id))

    def _store_push_results(self, run, jobs, sent=True):
        """EXTENDS: compare the people who work there again."""
        for job in jobs:
            if job.state == 'ignored':
                job.ramp_id, job.known = None, None  # another place may get the name; this one is found by it again
        places = [job.res_id for job in jobs if job.state == 'confirmed'] if sent else []
        if places:
            self.env['hr.employee'].search([(self._of_version, 'in', places)])._ramp_note_changes()
        return super()._store_push_results(run, jobs, sent)

    def _get_ramp_ids(self, connection, records):
        """Return the Ramp ids of records, and wake the job for those that it has not seen.

        :return: {record id: Ramp id}
        """
        rows = self.env['ramp.record'].search_fetch(
            self._rows_of_business_domain(connection)
            & Domain('flow', '=', self._flow)
            & Domain('res_id', 'in', records.ids)
            & Domain('remote_id', '!=', False),
            ['res_id', 'ramp_id'],
        )
        if set(records.ids) - set(rows.mapped('res_id')):
            self._trigger()
        return {row.res_id: row.ramp_id for row in rows if row.ramp_id}
