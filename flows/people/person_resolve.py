# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import dataclasses
import uuid

from odoo import fields, models

from ...ramp_api import USER_LISTED_STATUSES, PayloadError, RampNotFound, RampValidationError, read_user, read_user_task
from ..engine.flow import Held
from ..engine.push_job import UNSAID, Remote
from ..engine.resolve import LOOK_UP_ALONE
from .person import FULL_NAME, LAG, OUT, PERSON_SENT_ONCE


class RampFlowPersonResolve(models.AbstractModel):
    """Ask Ramp who of its users a person is."""

    _inherit = 'ramp.flow.person'

    def _differs_from_remote(self, job):
        # one whose creation failed waits for a person
        return job.state != 'held' and super()._differs_from_remote(job)

    def _resolve_uncertain_jobs(self, connection, client, jobs):
        """OVERRIDES: by the task that creates the person, by Ramp's id, by the email."""
        doubts = {
            job.id: self._follow_creation_task(client, job)
            for job in jobs
            if (job.known or {}).get('task') and not job.ramp_id
        }
        jobs = [job for job in jobs if not job.blocked]
        many = len(jobs) > LOOK_UP_ALONE
        listed = {remote.ramp_id: remote for remote in self._fetch_remote_list(client, {})} if many else {}
        asked = {
            row.id: row.noted['emails'] for row in self.env['ramp.record'].browse(job.id for job in jobs) if row.noted
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
            if job.ramp_id and not remote:  # who is invited and has not come in yet is on no list
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
                job.ramp_id = None  # the task is followed on
            if doubts.get(job.id) and not remote:
                self._wait_for_ramp(job, doubts[job.id])
            if job.blocked:
                continue
            owner = remote and owners.get(remote.ramp_id)
            if owner and owner[:2] != (self._model, job.res_id):
                job.state, job.blocked, job.uncertain, job.ramp_id = 'held', True, True, None
                job.error = self.env._(
                    'The user of Ramp with the email %(email)s is linked to %(other)s already. Clear the Ramp ID of '
                    'whoever it is not.',
                    email=remote.values['ramp_email'],
                    other=owner[2],
                )
            elif job.error and job.desired and not remote:  # what the task said
                job.state, job.known, job.uncertain = 'held', None, True
            elif job.known and job.desired and not remote:
                self._apply_remote_state(job, None)
                job.block(self._wait_for_gone_user())
                job.uncertain = True
                self._trigger()
            else:
                self._apply_remote_state(job, remote)

    def _search_ramp_user(self, client, job):
        """The user who has the id that we know; None only if there is none."""
        try:
            return self._fetch_current_user(client, job)
        except RampNotFound:
            return None
        except RampValidationError as error:
            with contextlib.suppress(ValueError):
                uuid.UUID(job.ramp_id)
                job.block(
                    Held(
                        self.env._(
                            'Ramp refuses to show the user %(id)s: %(words)s. Odoo asks again in every run; if the '
                            'Ramp ID in Odoo is wrong, '
                            'correct or clear it.',
                            id=job.ramp_id,
                            words=(error.message or str(error)).rstrip('. '),
                        )
                    )
                )
                job.uncertain = True
            return None

    def _match_user_by_email(self, job, email, remotes):
        """The user of Ramp who has the email of a person; several are a question."""
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
        """Users may change their email themselves: it is no reason to take a user of Ramp for them, who may be
        somebody else.
        """
        job.block(
            Held(
                self.env._(
                    'Ramp has the user %(user)s with the email %(email)s, which is that of %(name)s here, who logs '
                    'in with something else and may '
                    'have entered it. If it is the same person, have the login be that email, or enter %(id)s as the '
                    'Ramp ID of the employee.',
                    user=' '.join(remote.values['name']),
                    email=email,
                    name=name,
                    id=remote.ramp_id,
                )
            )
        )
        job.uncertain = True

    def _follow_creation_task(self, client, job):
        """Look at the task that creates somebody: it leaves the job blocked (not done yet), with Ramp's id, or with the
        reason why not.

        Returns why nobody is to be created although nobody may be found, if so.
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
                    job.known = None  # no such task any more: the person is there, or is created again
                return None
            except PayloadError as error:
                return self.env._(
                    'Ramp was asked to create the user, and Odoo cannot read what became of it (%s).', error
                )
            if not task.is_done:
                job.blocked = True
                return None
            if not task.user_id:
                job.known = None
                job.error = self.env._(
                    'Ramp could not create the user: %s. If it is somebody who was invited and has not come in yet, '
                    'Ramp shows that user '
                    'to nobody; press Retry when they have.',
                    (task.error or self.env._('no reason given')).rstrip('. '),
                )
                return None
            job.known |= {'made': task.user_id, 'since': now}
        job.ramp_id = job.known['made']
        return self.env._('Ramp created the user, and does not show it.')

    @staticmethod
    def _may_still_lag(job):
        return fields.Datetime.now() - fields.Datetime.to_datetime(job.known['since']) < LAG

    def _wait_for_ramp(self, job, doubt):
        """Somebody was created, or may have been, and is not found: a second user would be worse than none."""
        job.ramp_id, job.uncertain = None, True
        if self._may_still_lag(job):
            job.blocked = True
        elif not job.blocked:
            job.block(
                Held(
                    self.env._(
                        '%(doubt)s Look for %(email)s among the people in Ramp, and create the user there if there is '
                        'none: Odoo takes whom it '
                        'finds.',
                        doubt=doubt,
                        email=job.known['email'],
                    )
                )
            )

    def _get_user_owners(self, connection):
        """{Ramp's id: (model, record id, name) of who is that user in Odoo}."""
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
        """Everybody whom Ramp lists; a query of the plain list leaves out drafts and who is suspended."""
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
        """Somebody who is there, of whom no more is known: nobody may be taken for missing because of that."""
        ident, email, *name = (str(payload.get(key) or '').strip() for key in ('id', 'email', *FULL_NAME))
        return Remote(
            None,
            ident.lower(),
            {'ramp_email': email.lower(), 'name': name},
            self.env._(
                'Odoo cannot read what Ramp says of the user %(user)s (%(error)s), and sends nothing until it can. '
                'Update the connector, or '
                'correct the user in Ramp.',
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
        if is_new and job.desired and values['status'] != 'USER_DRAFT':  # drafts may be of our making
            # nor does anybody move to another entity, which is that of the location
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
                    # of one who is out, Ramp does not say whether there was an invitation
                    'invited': before.get('invited', values['invited']) if is_out else values['invited'],
                    'withdrawn': withdrawn,
                    'offered': not withdrawn,
                },
            ),
        )
