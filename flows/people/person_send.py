# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import uuid

from odoo import models
from odoo.tools import LazyTranslate

from ...models.run_memory import run_memory
from ...ramp_api import USER_STATUSES, RampIdempotencyReused, RampNotFound, RampValidationError
from ..engine.push_job import Remote
from ..engine.reasons import ALL_ARGUMENTS, Held, Waiting
from .person import FULL_NAME, OUT, PLACES, PersonNote, _AskedBefore

_lt = LazyTranslate(__name__)


class RampFlowPersonSend(models.AbstractModel):
    """Send people to Ramp: create, invite, change and deactivate users."""

    _inherit = 'ramp.flow.person'

    def _post_push_jobs(self, connection, client, jobs):
        [job] = jobs
        wanted = job.desired
        # One key for the whole run, because the user may exist a moment later.
        job.key = job.key or self._transaction(self._note_invitation_sent, job)
        body = {
            'email': wanted['email'],
            'role': wanted['role'],
            'is_draft': True,
            'idempotency_key': job.key,
            **dict(zip(FULL_NAME, wanted['name'], strict=True)),
            **{name: wanted[key] for key, name in PLACES.items() if wanted.get(key)},
        }
        try:
            task = client.post(f'{self._endpoint}/deferred', body)
        except RampIdempotencyReused as error:
            # An earlier run sent this request, and its outcome is unknown or was a refusal. If the next run does not
            # find the user, it asks with a new key.
            self._transaction(self._note_invitation_sent, job, True)
            raise _AskedBefore(
                self.env._(
                    'Odoo asked Ramp to create this person, but the answer was lost. Odoo looks for the person and '
                    'asks again.'
                )
            ) from error
        return [Remote(job.remote_id, None, {'task': task['id']})] if isinstance(task, dict) and task.get('id') else []

    def _note_invitation_sent(self, job, spent=False):
        """Store the email and the idempotency key before Ramp is asked to create a user.

        Until the end of the task is known, later runs also look for this email, because the person may have another one
        by then.

        :param spent: whether Ramp no longer accepts the key; the next request has a new one
        :return: the key, or None if it is spent
        """
        row = self.env['ramp.record'].browse(job.id)
        noted = row._read_note(PersonNote)
        asked = PersonNote(
            key=None if spent else noted.key or str(uuid.uuid4()),
            emails=list(dict.fromkeys([*(noted.emails or ()), job.desired['email']])),
        )
        if asked != noted:
            self.env['ramp.record']._store_noted({row.id: asked})
        return asked.key

    @contextlib.contextmanager
    def _investigate_not_found(self, client, job):
        """Find out what Ramp did not find: the user, or what the request refers to (a department, a manager).

        Ramp's answer does not say which.

        :raise RampValidationError: the user exists
        :raise RampNotFound: the user is gone, and is not wanted
        :raise Waiting: the user is gone, and is to be created again
        """
        try:
            yield
        except RampNotFound as error:
            with contextlib.suppress(RampNotFound):
                self._fetch_current_user(client, job)
                raise RampValidationError(
                    error.message,
                    status=error.status,
                    code=error.code,
                    details=error.details,
                    trace_id=error.trace_id,
                    method=error.method,
                    path=error.path,
                ) from error
            if job.desired is None:
                raise
            # The desired values of an existing user do not suffice to create one. The next run prepares them again.
            job.ramp_id, job.known = None, None
            self._trigger()
            raise self._wait_for_gone_user() from error

    def _wait_for_gone_user(self):
        return Waiting(
            _lt(
                'Ramp no longer has the user. The next run looks for the person, and creates the user if there is none.'
            )
        )

    def _update_remote_object(self, client, job, changes):
        with self._investigate_not_found(client, job):
            self._update_ramp_user(client, job, changes)

    def _update_ramp_user(self, client, job, changes):
        path = f'{self._endpoint}/{job.ramp_id}'

        def told(*keys):  # keeps what Ramp has accepted, even if it refuses the rest
            kept = {key: value for key, value in job.known.get('kept', {}).items() if key not in keys}
            job.known = {**job.known, **{key: changes[key] for key in keys}, 'kept': kept}

        if 'offered' in changes:
            if job.known.get('withdrawn'):
                client.patch(f'{path}/reactivate', {}, idempotent=True)
            told('offered')
            job.known = {**job.known, 'withdrawn': False, **self._get_current_user(client, job)}
        body = {name: changes[key] for key, name in PLACES.items() if key in changes}
        if 'name' in changes:
            body |= {
                key: new
                for key, new, old in zip(FULL_NAME, changes['name'], job.known['name'], strict=True)
                if new != old
            }
        if body:
            client.patch(path, body, idempotent=True)
            told(*({'name', *PLACES} & changes.keys()))
        if job.desired.get('invited') and not job.known['invited']:
            job.known = {**job.known, **self._get_current_user(client, job)}
            if not job.known['invited']:  # somebody in Ramp may have invited the user
                client.post(f'{path}/invite', {'action': 'SEND_NOW'})  # this sends a real email
                job.known = {**job.known, 'invited': True, 'status': 'INVITE_PENDING'}
        if 'manager' in changes:
            client.patch(
                path,
                {'direct_manager_id': changes['manager'], **({'auto_promote': True} if changes['manager'] else {})},
                idempotent=True,
            )
            run_memory(self.env).is_manager_accepted = True
            told('manager')

    def _get_current_user(self, client, job):
        """Return the values that others may just have changed of a user.

        :raise Held: the user cannot be read
        """
        remote = self._fetch_current_user(client, job)
        if remote.unread:
            raise Held(remote.unread)
        return {key: remote.values[key] for key in ('status', 'invited', 'role', 'ramp_email')}

    def _fetch_current_user(self, client, job):
        return self._read_remote_object(client.get(f'{self._endpoint}/{job.ramp_id}'), {})

    def _deactivate_remote_object(self, client, job):
        """Deactivate the user of a person who left, if Odoo may do that."""
        person = self.env[self._model].browse(job.res_id).exists()
        gone = not person or not person.active
        email = job.known.get('email')
        connection = self.env['ramp.record'].browse(job.id).connection_id
        name = gone and next((other.name for other in self._find_namesakes(connection, {email})[email]), None)
        self.env.cr.rollback()
        if not gone:
            job.reason = self.env._('%s Nothing changes in Ramp.', job.reason)
            return
        if name:
            job.reason = self.env._(
                '%(reason)s But %(person)s has the same email, so the user in Ramp is not changed.',
                reason=job.reason,
                person=name,
            )
            return
        with self._investigate_not_found(client, job):
            self._deactivate_ramp_user(client, job)

    def _deactivate_ramp_user(self, client, job):
        job.known = {**job.known, **self._get_current_user(client, job)}
        if 'OWNER' in job.known['role'] or 'ADMIN' in job.known['role']:
            job.reason = self.env._(
                'Archived or deleted in Odoo. Odoo never deactivates an owner or administrator of Ramp. The person '
                'stays active until deactivated in Ramp.'
            )
        elif job.known['status'] not in USER_STATUSES:
            raise Held(
                _lt(
                    'Archived or deleted in Odoo. In Ramp, the user has the status %s, which Odoo does not know. '
                    'Deactivate the user in Ramp, unless the status already means that.',
                    job.known['status'],
                ),
                by=ALL_ARGUMENTS,
            )
        elif job.known['status'] not in OUT:
            client.patch(f'{self._endpoint}/{job.ramp_id}/deactivate', {}, idempotent=True)
            job.known = {**job.known, 'withdrawn': True, 'status': 'USER_INACTIVE'}

    def _hold_refused_job(self, job, error):
        # The manager may still report to this person, until the manager's own change arrives.
        if 'direct_manager_id' in error.details:
            job.blocked = True
            run_memory(self.env).is_manager_refused = True
        return super()._hold_refused_job(job, error)

    def _send_all_differences(self, connection, run):
        """EXTENDS: have the run repeated if a manager was refused and others were accepted.

        After the others moved, Ramp may accept the refused one.
        """
        done = super()._send_all_differences(connection, run)
        memory = run_memory(self.env)
        if not (done and memory.is_manager_refused):
            return done
        is_worth_a_repeat = memory.is_manager_accepted
        memory.is_manager_refused = memory.is_manager_accepted = False
        return not is_worth_a_repeat
