# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import dataclasses
import uuid

from odoo import fields, models
from odoo.tools import LazyTranslate

from ...ramp_api import USER_LISTED_STATUSES, PayloadError, RampNotFound, RampValidationError, read_user, read_user_task
from ..engine.push_job import UNSAID, Remote
from ..engine.reasons import Held
from ..engine.resolve import LOOK_UP_ALONE
from .person import FULL_NAME, LAG, OUT, PERSON_SENT_ONCE, PersonNote

_lt = LazyTranslate(__name__)


class RampFlowPersonResolve(models.AbstractModel):
    """Find out which Ramp user a person is."""

    _inherit = 'ramp.flow.person'

    def _differs_from_remote(self, job):
        # A failed creation stays on hold until a person settles it.
        return job.state != 'held' and super()._differs_from_remote(job)

    def _resolve_uncertain_jobs(self, connection, client, jobs):
        """OVERRIDES: find the user by the creation task, else by Ramp's id, else by the email."""
        doubts = {
            job.id: self._follow_creation_task(client, job)
            for job in jobs
            if (job.known or {}).get('task') and not job.ramp_id
        }
        jobs = [job for job in jobs if not job.blocked]
        many = len(jobs) > LOOK_UP_ALONE
        listed = {remote.ramp_id: remote for remote in self._fetch_remote_list(client, {})} if many else {}
        asked = {
            row.id: row._read_note(PersonNote).emails
            for row in self.env['ramp.record'].browse(job.id for job in jobs)
            if row.noted
        }
        asked |= {job.id: [job.known['email']] for job in jobs if doubts.get(job.id) and job.known.get('email')}
        unsure = {
            job.id: person.name
            for job in jobs
            for person in self.env[self._model].browse(job.res_id).exists()
            if not person._ramp_is_sure()
        }
        owners = self._get_user_owners(connection)
        for job in jobs:
            remote = listed.get(job.ramp_id)
            if job.ramp_id and not remote:  # an invited user who has not signed in yet is on no list
                remote = self._search_ramp_user(client, job)
            for email in filter(None, [(job.desired or {}).get('email'), *asked.get(job.id, ())]):
                if not remote and not job.blocked:
                    remote = self._match_user_by_email(
                        job,
                        email,
                        [found for found in self._fetch_remote_list(client, {}) if found.values['ramp_email'] == email],
                    )
                    if remote and job.id in unsure:
                        remote = self._ask_which_user(job, email, remote, unsure[job.id])
            if remote and remote.unread and not job.blocked:
                job.block(Held(remote.unread))
                job.uncertain = True
            if job.id in doubts and job.blocked:
                job.ramp_id = None  # the task is still followed
            if doubts.get(job.id) and not remote:
                self._wait_for_ramp(job, doubts[job.id])
            if job.blocked:
                continue
            owner = remote and owners.get(remote.ramp_id)
            if owner and owner[:2] != (self._model, job.res_id):
                job.state, job.blocked, job.uncertain, job.ramp_id = 'held', True, True, None
                job.error = self.env._(
                    'The Ramp user with the email %(email)s is already linked to %(other)s. Clear the "Ramp User" of '
                    'the wrong person.',
                    email=remote.values['ramp_email'],
                    other=owner[2],
                )
            elif job.error and job.desired and not remote:  # the task reported this error
                job.state, job.known, job.uncertain = 'held', None, True
            elif job.known and job.desired and not remote:
                self._apply_remote_state(job, None)
                job.block(self._wait_for_gone_user())
                job.uncertain = True
                self._trigger()
            else:
                self._apply_remote_state(job, remote)

    def _search_ramp_user(self, client, job):
        """Return the user with the known Ramp id, or None.

        If Ramp refuses to show a valid id, the job is blocked, because the user may exist.
        """
        try:
            return self._fetch_current_user(client, job)
        except RampNotFound:
            return None
        except RampValidationError as error:
            with contextlib.suppress(ValueError):
                uuid.UUID(job.ramp_id)
                job.block(
                    Held(
                        _lt(
                            'Ramp refuses to show the user %(id)s: %(words)s. Odoo asks again in every run. If the '
                            '"Ramp User" in Odoo is wrong, correct or clear it.',
                            id=job.ramp_id,
                            words=(error.message or str(error)).rstrip('. '),
                        )
                    )
                )
                job.uncertain = True
            return None

    def _match_user_by_email(self, job, email, remotes):
        """Return the only Ramp user with the email, or None.

        Several users put the job on hold.
        """
        if len(remotes) > 1:
            job.state, job.blocked, job.uncertain = 'held', True, True
            job.error = self.env._(
                'Ramp has more than one user with the email %(email)s: %(names)s. Deactivate one of them and change '
                'its email there.',
                email=email,
                names=', '.join(f'{" ".join(remote.values["name"])} ({remote.ramp_id})' for remote in remotes),
            )
        return remotes[0] if len(remotes) == 1 else None

    def _ask_which_user(self, job, email, remote, name):
        """Put the job on hold until a person confirms that the Ramp user is this person.

        Users can change their own email. So a shared email does not prove that they are the same person.
        """
        job.block(
            Held(
                _lt(
                    'The user %(user)s in Ramp has the email %(email)s. In Odoo, %(name)s has this email, but '
                    'another login, and may have entered the email themselves. If it is the same person, change the '
                    'login to that email, or enter %(id)s as the "Ramp User" of the employee.',
                    user=' '.join(remote.values['name']),
                    email=email,
                    name=name,
                    id=remote.ramp_id,
                )
            )
        )
        job.uncertain = True

    def _follow_creation_task(self, client, job):
        """Read the task that creates a user.

        The job is then blocked (the task is not done yet), has Ramp's id, or has the reason of the failure.

        :return: why no user may be created even if none is found, or None
        """
        now = fields.Datetime.to_string(fields.Datetime.now())
        job.known = {'since': now, **job.known}
        if not job.known.get('made'):
            try:
                task = read_user_task(client.get(f'{self._endpoint}/deferred/status/{job.known["task"]}'))
            except RampNotFound:
                if self._may_still_lag(job):
                    job.blocked = True
                else:
                    job.known = None  # the task no longer exists: the user is found, or created again
                return None
            except PayloadError as error:
                return self.env._('Odoo asked Ramp to create the user, but cannot read the result (%s).', error)
            if not task.is_done:
                job.blocked = True
                return None
            if not task.user_id:
                job.known = None
                job.error = self.env._(
                    'Ramp could not create the user: %s. If the person was invited and has not accepted yet, Ramp '
                    'does not show that user. Press Retry once they have accepted.',
                    (task.error or self.env._('no reason given')).rstrip('. '),
                )
                return None
            job.known |= {'made': task.user_id, 'since': now}
        job.ramp_id = job.known['made']
        return self.env._('Ramp created the user, but does not show it.')

    @staticmethod
    def _may_still_lag(job):
        return fields.Datetime.now() - fields.Datetime.to_datetime(job.known['since']) < LAG

    def _wait_for_ramp(self, job, doubt):
        """Wait for a user who was created, or may have been, and is not found.

        A second user would be worse than none.
        """
        job.ramp_id, job.uncertain = None, True
        if self._may_still_lag(job):
            job.blocked = True
        elif not job.blocked:
            job.block(
                Held(
                    _lt(
                        '%(doubt)s Look for %(email)s among the people in Ramp. If there is no such user, create one '
                        'there. Odoo then links the user that it finds.',
                        doubt=doubt,
                        email=job.known['email'],
                    )
                )
            )

    def _get_user_owners(self, connection):
        """Return who in Odoo each Ramp user is.

        :return: {Ramp id: (model, record id, name)}
        """
        rows = self.env['ramp.record'].search_fetch(
            [
                ('connection_id', '=', connection.id),
                ('ramp_id', '!=', False),
                '|',
                ('flow', '=', self._flow),
                '&',
                ('flow', '=', 'user'),
                ('res_id', 'in', self.env['ramp.flow.user']._search_wanted_ids(connection).subselect()),
            ],
            ['ramp_id', 'res_model', 'res_id', 'name'],
        )
        owners = {row.ramp_id: (row.res_model, row.res_id, row.name) for row in rows}
        for employee in (
            self.env['hr.employee']
            .with_context(active_test=False)
            .search_fetch(
                [('company_id', '=', connection.company_id.id), ('ramp_user_id', '!=', False)], ['ramp_user_id', 'name']
            )
        ):
            owners[employee.ramp_user_id] = (employee._name, employee.id, employee.name)
        self.env.cr.rollback()
        return owners

    def _query_remote_objects(self, client, query):
        """Return all users that Ramp lists.

        Without a status, the list leaves out drafts and suspended users.
        """
        found = {}
        for status in USER_LISTED_STATUSES:
            for page in client.list_pages(self._endpoint, {'status': status}):
                found.update((remote.ramp_id, remote) for remote in self._read_remote_objects(page.rows, query))
        return list(found.values())

    def _read_remote_objects(self, payloads, query):
        return [
            payload if isinstance(payload, Remote) else self._read_remote_object(payload, query) for payload in payloads
        ]

    def _read_remote_object(self, payload, query):
        try:
            user = read_user(payload)
        except PayloadError as error:
            return self._make_unread_user(payload if isinstance(payload, dict) else {}, error)
        return Remote(
            None,
            user.id,
            {
                'ramp_email': (user.email or '').strip().lower(),
                'name': [user.first_name or '', user.last_name or ''],
                'department': user.department_id,
                'location': user.location_id,
                'manager': user.manager_id,
                'role': user.role or '',
                'status': user.status,
                'invited': user.status != 'USER_DRAFT' or bool(payload.get('scheduled_invitation_date')),
            },
        )

    def _make_unread_user(self, payload, error):
        """Return a user who exists, but cannot be read.

        A user who cannot be read must not be taken for missing.
        """
        ident, email, *name = (str(payload.get(key) or '').strip() for key in ('id', 'email', *FULL_NAME))
        return Remote(
            None,
            ident.lower(),
            {'ramp_email': email.lower(), 'name': name},
            self.env._(
                'Odoo cannot read what Ramp says about the user %(user)s (%(error)s), and sends nothing until it '
                'can. Update the connector, or correct the user in Ramp.',
                user=email or ident or '-',
                error=error,
            ),
        )

    def _apply_remote_state(self, job, remote):
        if not remote:
            return super()._apply_remote_state(job, None)
        before, values = job.known or {}, remote.values
        is_out, is_new = values['status'] in OUT, not before or 'task' in before
        withdrawn = is_out and (before.get('withdrawn', False) or job.desired is None)
        kept = before.get('kept', {})
        if is_new and job.desired and values['status'] != 'USER_DRAFT':  # a draft may be Odoo's own
            # The location decides the entity, and nobody is moved to another entity.
            kept = {
                'name': job.desired['name'],
                **({'location': job.desired.get('location')} if values['location'] else {}),
            }
            if job.desired.get('manager', values['manager']) is None and values['manager']:
                kept['manager'] = None
        if job.desired:
            job.desired = {
                key: value
                for key, value in job.desired.items()
                if key not in PERSON_SENT_ONCE and kept.get(key, UNSAID) != value
            }
        return super()._apply_remote_state(
            job,
            dataclasses.replace(
                remote,
                remote_id=job.remote_id,
                values={
                    **values,
                    'email': before.get('email') or (job.desired or {}).get('email') or values['ramp_email'],
                    'kept': kept,
                    # For an inactive user, Ramp does not say whether there was an invitation.
                    'invited': before.get('invited', values['invited']) if is_out else values['invited'],
                    'withdrawn': withdrawn,
                    'offered': not withdrawn,
                },
            ),
        )
