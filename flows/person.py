# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import dataclasses
import uuid
from collections import defaultdict
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain

from ..ramp_api import (
    USER_LISTED_STATUSES,
    USER_STATUSES,
    PayloadError,
    RampIdempotencyReused,
    RampNotFound,
    RampServerError,
    RampValidationError,
    read_user,
    read_user_task,
)
from .booking import clean
from .flow import Held, Waiting
from .push import LOOK_UP_ALONE, PATIENCE, UNSAID, Remote

PEOPLE = ('employee', 'user')  # the flows that send people
ONCE = ('role',)  # said when somebody is created; Ramp's own from then on
FULL_NAME = ('first_name', 'last_name')
PLACES = {'department': 'department_id', 'location': 'location_id'}
OUT = ('USER_INACTIVE', 'USER_SUSPENDED')
NAME_LENGTH = 255
LAG = timedelta(minutes=15)  # in which what Ramp made may not be found yet: it answers from a copy of its database


class _AskedBefore(RampServerError):
    summary = ''  # the message is a whole sentence


class RampFlowPerson(models.AbstractModel):
    """People as users of Ramp; schema: ApiUserCreateRequestBody. What an employee and a user of Odoo have in common.

    Whoever Ramp has is found first: by the link to the Ramp user, else by the e-mail, in every list Ramp has. Somebody new is created as
    a draft, which sends no e-mail, by a task whose id the row keeps until it has ended. Everything else follows as a change: the manager
    (who may be created in the same run), the invitation if it is asked for.

    Whether the person is archived in Odoo is `offered`. Who was deactivated in Ramp by somebody else stays so: only what was done here
    (`withdrawn`) is undone here.
    """

    _name = 'ramp.flow.person'
    _inherit = 'ramp.flow.push'
    _description = 'Ramp Flow: people'

    _endpoint = '/users'
    _upload_size = 1
    _asked_first = True
    _events = ('users.invite_accepted',)

    @api.model
    def _enabled(self, connection):
        return connection.push_users

    @api.model
    def _page(self, record):
        return '/people' if record.ramp_id else None

    # ------------------------------------------------------------------ what is wanted

    def _namesakes(self, connection, emails):
        """{e-mail: those people of this connection who have it}."""
        found = defaultdict(list)
        for flow in PEOPLE:
            People = self.env[f'ramp.flow.{flow}']
            Person = self.env[People._model]
            domain = People._wanted_domain(connection)
            if len(emails) <= LOOK_UP_ALONE:
                domain &= Domain.OR(Domain(name, '=ilike', email) for name in Person._ramp_addresses for email in emails if email)
            for person in Person.search(domain):
                email = person._ramp_email()
                if email in emails:
                    found[email].append(person)
        return found

    def _desired(self, connection, records):
        there = {row.res_id: row.payload for row in self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('flow', '=', self._flow), ('res_id', 'in', records.ids), ('ramp_id', '!=', False)],
            ['res_id', 'payload'])}
        new = [person for person in records if not there.get(person.id) and not self._linked(person)]
        namesakes = self._namesakes(connection, {person._ramp_email() for person in new}) if new else {}
        further = self._further(connection, records)
        desired = {}
        for person in records:
            known, email = there.get(person.id), person._ramp_email()
            if person not in new:
                desired[person.id] = self._person_values(connection, person, known, email, further[person.id])
            elif not email:
                desired[person.id] = Held(self.env._('Ramp knows people by their e-mail address, and "%s" is none.', clean(
                    person._ramp_address()) or '-'))
            elif len(namesakes[email]) > 1:
                desired[person.id] = Held(self.env._(
                    'More than one person has the e-mail %(email)s: %(names)s. Give each one an e-mail of their own.', email=email,
                    names=', '.join(other.name for other in namesakes[email])))
            else:
                desired[person.id] = self._person_values(connection, person, known, email, further[person.id])
        return desired

    def _linked(self, person):
        """Ramp's id of the user whom a person of Odoo is linked to."""
        return

    def _person_values(self, connection, person, known, email, further):
        values = {'email': email, 'name': self._names(person), 'offered': True, **further}
        if not known:
            values['role'] = connection.user_role
        else:
            # of somebody who was there before, what Ramp had stays until Odoo's changes
            values = {key: value for key, value in values.items() if known.get('kept', {}).get(key, UNSAID) != value}
        if connection.user_invitation == 'invite' or person.ramp_invite:
            values['invited'] = True
        return values

    def _further(self, connection, records):
        """{record id: what else Odoo says of the person}."""
        return {person.id: {} for person in records}

    @staticmethod
    def _names(person):
        """[first, last name]: the first word and the rest, "last, first" as it says; Ramp wants both."""
        last, comma, first = (clean(person.name) or '').partition(',')
        if not comma or not first.strip():
            first, _space, last = last.strip().partition(' ')
        return [first.strip()[:NAME_LENGTH] or '-', last.strip()[:NAME_LENGTH] or '-']

    def _not_offered(self, record):
        if not record.active:
            return self.env._('Archived in Odoo, so the person is deactivated in Ramp.')
        return self.env._('The person is none of this connection any more.')

    # ------------------------------------------------------------------ sending

    def _post(self, connection, client, jobs):
        [job] = jobs
        wanted = job.desired
        job.key = job.key or self._transaction(self._note_asked, job)  # one in a run, as the person may be there a moment later
        body = {
            'email': wanted['email'], 'role': wanted['role'], 'is_draft': True, 'idempotency_key': job.key,
            **dict(zip(FULL_NAME, wanted['name'], strict=True)), **{name: wanted[key] for key, name in PLACES.items() if wanted.get(key)}}
        try:
            task = client.post(f'{self._endpoint}/deferred', body)
        except RampIdempotencyReused as error:
            # asked for by a run whose end nobody saw, or refused then: if the person is not there by the next run, that asks anew
            self._transaction(self._note_asked, job, True)
            raise _AskedBefore(self.env._(
                'Ramp was asked to create this person, and the answer got lost. Odoo looks for the person and asks again.')) from error
        return [Remote(job.remote_id, None, {'task': task['id']})] if isinstance(task, dict) and task.get('id') else []

    def _note_asked(self, job, spent=False):
        """The key under which Ramp is asked to create somebody, written down before with the e-mail: until the end of the task is known,
        later runs look for that, too, as the e-mail may be another one by then.

        :param spent: Ramp takes the key no more; the next time it is another one
        """
        row = self.env['ramp.record'].browse(job.id)
        noted = row.noted or {}
        asked = {'key': None if spent else noted.get('key') or str(uuid.uuid4()),
                 'emails': list(dict.fromkeys([*noted.get('emails', ()), job.desired['email']]))}
        if asked != noted:
            self.env['ramp.record']._note({row.id: asked})
        return asked['key']

    @contextlib.contextmanager
    def _not_found_looked_into(self, client, job):
        """Ramp says that it does not find something, and not what: the user, or what the request is about (a department, a manager)."""
        try:
            yield
        except RampNotFound as error:
            with contextlib.suppress(RampNotFound):
                self._look(client, job)
                raise RampValidationError(
                    error.message, status=error.status, code=error.code, details=error.details, trace_id=error.trace_id,
                    method=error.method, path=error.path) from error
            if job.desired is None:
                raise
            # what is wanted of somebody who is there is less than what it takes to create them
            job.ramp_id, job.known = None, None
            self._trigger()
            raise self._gone() from error

    def _gone(self):
        return Waiting(self.env._('The user is gone in Ramp; the next run looks for the person, and creates the user if nobody is there.'))

    def _change(self, client, job, changes):
        with self._not_found_looked_into(client, job):
            self._change_user(client, job, changes)

    def _change_user(self, client, job, changes):
        path = f'{self._endpoint}/{job.ramp_id}'

        def told(*keys):  # what Ramp has accepted holds, even if it refuses the rest
            kept = {key: value for key, value in job.known.get('kept', {}).items() if key not in keys}
            job.known = {**job.known, **{key: changes[key] for key in keys}, 'kept': kept}

        if 'offered' in changes:
            if job.known.get('withdrawn'):
                client.patch(f'{path}/reactivate', {}, idempotent=True)
            told('offered')
            job.known = {**job.known, 'withdrawn': False, **self._standing(client, job)}
        body = {name: changes[key] for key, name in PLACES.items() if key in changes}
        if 'name' in changes:
            body |= {key: new for key, new, old in zip(FULL_NAME, changes['name'], job.known['name'], strict=True) if new != old}
        if body:
            client.patch(path, body, idempotent=True)
            told(*({'name', *PLACES} & changes.keys()))
        if job.desired.get('invited') and not job.known['invited']:
            job.known = {**job.known, **self._standing(client, job)}
            if not job.known['invited']:  # somebody in Ramp may have been faster
                client.post(f'{path}/invite', {'action': 'SEND_NOW'})  # a real e-mail
                job.known = {**job.known, 'invited': True, 'status': 'INVITE_PENDING'}
        if 'manager' in changes:
            client.patch(path, {
                'direct_manager_id': changes['manager'], **({'auto_promote': True} if changes['manager'] else {})}, idempotent=True)
            self._remember('managers told')
            told('manager')

    def _standing(self, client, job):
        """What others may have changed of a user a moment ago."""
        remote = self._look(client, job)
        if remote.unread:
            raise Held(remote.unread)
        return {key: remote.values[key] for key in ('status', 'invited', 'role', 'ramp_email')}

    def _look(self, client, job):
        return self._read_remote(client.get(f'{self._endpoint}/{job.ramp_id}'), {})

    def _withdraw(self, client, job):
        """Deactivate who left, if it is us to do that."""
        person = self.env[self._model].browse(job.res_id).exists()
        gone = not person or not person.active
        email = job.known.get('email')
        connection = self.env['ramp.record'].browse(job.id).connection_id
        name = gone and next((other.name for other in self._namesakes(connection, {email})[email]), None)
        self.env.cr.rollback()
        if not gone:
            job.reason = self.env._('%s In Ramp everything stays as it is.', job.reason)
            return
        if name:
            job.reason = self.env._('%(reason)s But %(person)s has the same e-mail, so the user in Ramp stays as it is.',
                                    reason=job.reason, person=name)
            return
        with self._not_found_looked_into(client, job):
            self._deactivate(client, job)

    def _deactivate(self, client, job):
        job.known = {**job.known, **self._standing(client, job)}
        if 'OWNER' in job.known['role'] or 'ADMIN' in job.known['role']:
            job.reason = self.env._('Archived or deleted in Odoo. An owner or administrator of Ramp is never deactivated by Odoo: '
                                    'the person stays active in Ramp until somebody does it there.')
        elif job.known['status'] not in USER_STATUSES:
            raise Held(self.env._(
                'Archived or deleted in Odoo. Ramp says that the status of the user is %s, which Odoo does not know: deactivate the user '
                'in Ramp, unless that is what it means.', job.known['status']))
        elif job.known['status'] not in OUT:
            client.patch(f'{self._endpoint}/{job.ramp_id}/deactivate', {}, idempotent=True)
            job.known = {**job.known, 'withdrawn': True, 'status': 'USER_INACTIVE'}

    def _refuse(self, job, error):
        if 'direct_manager_id' in error.details:  # the manager may report to this person until that one's own change arrives
            job.blocked = True
            self._remember('managers refused')
        return super()._refuse(job, error)

    def _remember(self, what):
        self.env.context.get('ramp_memory', {})[what] = True

    def _send_all(self, connection, run):
        """EXTENDS: who could not be put under a manager may be, now that others were moved."""
        done = super()._send_all(connection, run)
        memory = self.env.context.get('ramp_memory', {})
        return done and not (memory.pop('managers refused', False) and memory.pop('managers told', False))

    # ------------------------------------------------------------------ writing down

    def _store(self, run, jobs, sent=True):
        for job in jobs:
            if (job.known or {}).get('task') and job.state != 'held':
                job.state, job.uncertain = 'pending', True
                job.error = self.env._('Ramp is creating the user.')
            elif job.state == 'confirmed':
                job.error = ' '.join(self._remarks(job)) or None
        settled = self.env['ramp.record'].browse(job.id for job in jobs if job.known or job.state == 'held' and not job.blocked)
        self.env['ramp.record']._note(dict.fromkeys(settled.filtered('noted').ids, {}))
        if any((job.known or {}).get('task') and job.state == 'pending' for job in jobs):
            # the job belongs to the system; see `_trigger`
            self._cron().sudo()._trigger(at=self.env.cr.now() + PATIENCE)
        self._link([job for job in jobs if job.ramp_id])
        ignored = [job for job in jobs if job.state == 'ignored' and job.ramp_id]
        existing = self.env[self._model].browse(job.res_id for job in ignored).exists()._ids
        for job in ignored:
            if job.res_id not in existing:
                job.ramp_id, job.known = None, None  # somebody else may be that user of Ramp
        return super()._store(run, jobs, sent)

    def _link(self, jobs):
        """Note in Odoo which Ramp user each person is."""

    def _remarks(self, job):
        """What a person should know of somebody who is in Ramp, a sentence each."""
        known = job.known
        if known['status'] == 'USER_DRAFT':
            yield self.env._('The invitation is scheduled in Ramp.') if known['invited'] else self.env._(
                'The user is a draft: no invitation was sent.')
        elif known['status'] in ('INVITE_PENDING', 'INVITE_EXPIRED'):
            yield self.env._('Invited.') if known['status'] == 'INVITE_PENDING' else self.env._('The invitation has expired.')
        elif known['status'] in OUT:
            yield self.env._('The user was deactivated in Ramp before; reactivate it there, if that is to end.')
        if known['email'] and known['ramp_email'] and known['email'] != known['ramp_email']:
            yield self.env._(
                'The e-mail in Ramp is %s. Ramp lets nobody change an e-mail from outside: change it there.', known['ramp_email'])

    # ------------------------------------------------------------------ asking Ramp

    def _is_to_be_sent(self, job):
        # one whose creation failed waits for a person
        return job.state != 'held' and super()._is_to_be_sent(job)

    def _resolve(self, connection, client, jobs):
        """OVERRIDES: by the task that creates the person, by Ramp's id, by the e-mail."""
        doubts = {job.id: self._follow(client, job) for job in jobs if (job.known or {}).get('task') and not job.ramp_id}
        jobs = [job for job in jobs if not job.blocked]
        many = len(jobs) > LOOK_UP_ALONE
        listed = {remote.ramp_id: remote for remote in self._listed(client, {})} if many else {}
        asked = {row.id: row.noted['emails'] for row in self.env['ramp.record'].browse(job.id for job in jobs) if row.noted}
        asked |= {job.id: [job.known['email']] for job in jobs if doubts.get(job.id) and job.known.get('email')}
        unsure = {job.id: person.name for job in jobs for person in self.env[self._model].browse(job.res_id).exists()
                  if not person._ramp_is_sure()}
        owners = self._owners(connection)
        for job in jobs:
            remote = listed.get(job.ramp_id)
            if job.ramp_id and not remote:  # who is invited and has not come in yet is on no list
                remote = self._look_for(client, job)
            for email in filter(None, [(job.desired or {}).get('email'), *asked.get(job.id, ())]):
                if not remote and not job.blocked:
                    remote = self._by_email(job, email, [
                        found for found in self._listed(client, {}) if found.values['ramp_email'] == email])
                    if remote and job.id in unsure:
                        remote = self._ask_who_it_is(job, email, remote, unsure[job.id])
            if remote and remote.unread and not job.blocked:
                job.block(Held(remote.unread))
                job.uncertain = True
            if job.id in doubts and job.blocked:
                job.ramp_id = None  # the task is followed on
            if doubts.get(job.id) and not remote:
                self._wait_for(job, doubts[job.id])
            if job.blocked:
                continue
            owner = remote and owners.get(remote.ramp_id)
            if owner and owner[:2] != (self._model, job.res_id):
                job.state, job.blocked, job.uncertain, job.ramp_id = 'held', True, True, None
                job.error = self.env._(
                    'The user of Ramp with the e-mail %(email)s is linked to %(other)s already. Clear the Ramp ID of whoever it is not.',
                    email=remote.values['ramp_email'], other=owner[2])
            elif job.error and job.desired and not remote:  # what the task said
                job.state, job.known, job.uncertain = 'held', None, True
            elif job.known and job.desired and not remote:
                self._found(job, None)
                job.block(self._gone())
                job.uncertain = True
                self._trigger()
            else:
                self._found(job, remote)

    def _look_for(self, client, job):
        """The user who has the id that we know; None only if there is none."""
        try:
            return self._look(client, job)
        except RampNotFound:
            return None
        except RampValidationError as error:
            with contextlib.suppress(ValueError):
                uuid.UUID(job.ramp_id)
                job.block(Held(self.env._(
                    'Ramp refuses to show the user %(id)s: %(words)s. Odoo asks again in every run; if the Ramp ID in Odoo is wrong, '
                    'correct or clear it.', id=job.ramp_id, words=(error.message or str(error)).rstrip('. '))))
                job.uncertain = True
            return None

    def _by_email(self, job, email, remotes):
        """The user of Ramp who has the e-mail of a person; several are a question."""
        if len(remotes) > 1:
            job.state, job.blocked, job.uncertain = 'held', True, True
            job.error = self.env._(
                'Ramp has more than one user with the e-mail %(email)s: %(names)s. Deactivate one of them and change its e-mail there.',
                email=email, names=', '.join(
                    f"{' '.join(remote.values['name'])} ({remote.ramp_id})" for remote in remotes))
        return remotes[0] if len(remotes) == 1 else None

    def _ask_who_it_is(self, job, email, remote, name):
        """Users may change their e-mail themselves: it is no reason to take a user of Ramp for them, who may be somebody else."""
        job.block(Held(self.env._(
            'Ramp has the user %(user)s with the e-mail %(email)s, which is that of %(name)s here, who logs in with something else and may '
            'have entered it. If it is the same person, have the login be that e-mail, or enter %(id)s as the Ramp ID of the employee.',
            user=' '.join(remote.values['name']), email=email, name=name, id=remote.ramp_id)))
        job.uncertain = True

    def _follow(self, client, job):
        """Look at the task that creates somebody: it leaves the job blocked (not done yet), with Ramp's id, or with the reason why not.

        Returns why nobody is to be created although nobody may be found, if so.
        """
        now = fields.Datetime.to_string(fields.Datetime.now())
        job.known = {'since': now, **job.known}
        if not job.known.get('made'):
            try:
                task = read_user_task(client.get(f"{self._endpoint}/deferred/status/{job.known['task']}"))
            except RampNotFound:
                if self._may_lag(job):
                    job.blocked = True
                else:
                    job.known = None  # no such task any more: the person is there, or is created again
                return None
            except PayloadError as error:
                return self.env._('Ramp was asked to create the user, and Odoo cannot read what became of it (%s).', error)
            if not task.is_done:
                job.blocked = True
                return None
            if not task.user_id:
                job.known = None
                job.error = self.env._(
                    'Ramp could not create the user: %s. If it is somebody who was invited and has not come in yet, Ramp shows that user '
                    'to nobody; press Retry when they have.', (task.error or self.env._('no reason given')).rstrip('. '))
                return None
            job.known |= {'made': task.user_id, 'since': now}
        job.ramp_id = job.known['made']
        return self.env._('Ramp created the user, and does not show it.')

    @staticmethod
    def _may_lag(job):
        return fields.Datetime.now() - fields.Datetime.to_datetime(job.known['since']) < LAG

    def _wait_for(self, job, doubt):
        """Somebody was created, or may have been, and is not found: a second user would be worse than none."""
        job.ramp_id, job.uncertain = None, True
        if self._may_lag(job):
            job.blocked = True
        elif not job.blocked:
            job.block(Held(self.env._(
                '%(doubt)s Look for %(email)s among the people in Ramp, and create the user there if there is none: Odoo takes whom it '
                'finds.', doubt=doubt, email=job.known['email'])))

    def _owners(self, connection):
        """{Ramp's id: (model, record id, name) of who is that user in Odoo}."""
        rows = self.env['ramp.record'].search_fetch(
            [('connection_id', '=', connection.id), ('ramp_id', '!=', False),
             '|', ('flow', '=', self._flow),
             '&', ('flow', '=', 'user'), ('res_id', 'in', self.env['ramp.flow.user']._wanted(connection).subselect()),
             ], ['ramp_id', 'res_model', 'res_id', 'name'])
        owners = {row.ramp_id: (row.res_model, row.res_id, row.name) for row in rows}
        for employee in self.env['hr.employee'].with_context(active_test=False).search_fetch(
                [('company_id', '=', connection.company_id.id), ('ramp_user_id', '!=', False)], ['ramp_user_id', 'name']):
            owners[employee.ramp_user_id] = (employee._name, employee.id, employee.name)
        self.env.cr.rollback()
        return owners

    def _ask(self, client, query):
        """Everybody whom Ramp lists; a query of the plain list leaves out drafts and who is suspended."""
        found = {}
        for status in USER_LISTED_STATUSES:
            for page in client.list_pages(self._endpoint, {'status': status}):
                found.update((remote.ramp_id, remote) for remote in self._remotes(page.rows, query))
        return list(found.values())

    def _remotes(self, payloads, query):
        return [payload if isinstance(payload, Remote) else self._read_remote(payload, query) for payload in payloads]

    def _read_remote(self, payload, query):
        try:
            user = read_user(payload)
        except PayloadError as error:
            return self._unread(payload if isinstance(payload, dict) else {}, error)
        return Remote(None, user.id, {
            'ramp_email': (user.email or '').strip().lower(), 'name': [user.first_name or '', user.last_name or ''],
            'department': user.department_id, 'location': user.location_id, 'manager': user.manager_id, 'role': user.role or '',
            'status': user.status, 'invited': user.status != 'USER_DRAFT' or bool(payload.get('scheduled_invitation_date'))})

    def _unread(self, payload, error):
        """Somebody who is there, of whom no more is known: nobody may be taken for missing because of that."""
        ident, email, *name = (str(payload.get(key) or '').strip() for key in ('id', 'email', *FULL_NAME))
        return Remote(None, ident.lower(), {'ramp_email': email.lower(), 'name': name}, self.env._(
            'Odoo cannot read what Ramp says of the user %(user)s (%(error)s), and sends nothing until it can. Update the connector, or '
            'correct the user in Ramp.', user=email or ident or '-', error=error))

    def _found(self, job, remote):
        if not remote:
            return super()._found(job, None)
        before, values = job.known or {}, remote.values
        is_out, is_new = values['status'] in OUT, not before or 'task' in before
        withdrawn = is_out and (before.get('withdrawn', False) or job.desired is None)
        kept = before.get('kept', {})
        if is_new and job.desired and values['status'] != 'USER_DRAFT':  # drafts may be of our making
            # nor does anybody move to another entity, which is that of the location
            kept = {'name': job.desired['name'], **({'location': job.desired.get('location')} if values['location'] else {})}
            if job.desired.get('manager', values['manager']) is None and values['manager']:
                kept['manager'] = None
        if job.desired:
            job.desired = {key: value for key, value in job.desired.items() if key not in ONCE and kept.get(key, UNSAID) != value}
        return super()._found(job, dataclasses.replace(remote, remote_id=job.remote_id, values={
            **values, 'email': before.get('email') or (job.desired or {}).get('email') or values['ramp_email'], 'kept': kept,
            # of one who is out, Ramp does not say whether there was an invitation
            'invited': before.get('invited', values['invited']) if is_out else values['invited'],
            'withdrawn': withdrawn, 'offered': not withdrawn}))
