# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses
from collections import defaultdict
from datetime import timedelta

from odoo import api, models
from odoo.fields import Domain
from odoo.tools import LazyTranslate

from ...models.ledger_notes import ABSENT, Absent, LedgerNote
from ...ramp_api import RampServerError
from ..accounting.booking import clean_text
from ..engine.push_job import UNSAID
from ..engine.reasons import ALL_ARGUMENTS, Held
from ..engine.resolve import LOOK_UP_ALONE
from ..engine.send import PATIENCE

_lt = LazyTranslate(__name__)

PEOPLE = ('employee', 'user')  # the flows that send people
PERSON_SENT_ONCE = ('role',)  # sent only when a user is created; owned by Ramp from then on
FULL_NAME = ('first_name', 'last_name')
PLACES = {'department': 'department_id', 'location': 'location_id'}
OUT = ('USER_INACTIVE', 'USER_SUSPENDED')
NAME_LENGTH = 255
# Ramp may not find a user for this long after it created one, because it answers from a copy of its database.
LAG = timedelta(minutes=15)


class _AskedBefore(RampServerError):
    summary = ''  # the message is a complete sentence


@dataclasses.dataclass(kw_only=True)
class PersonNote(LedgerNote):
    """What the ledger notes of a person while it is not known whether Ramp created the user.

    - key: idempotency key of the request that creates the user; None if Ramp does not accept it any more
    - emails: addresses under which Ramp was asked to create the user, the last one at the end
    """

    key: str | None | Absent = ABSENT
    emails: list[str] | Absent = ABSENT


class RampFlowPerson(models.AbstractModel):
    """People as users of Ramp: the common part of the flows of employees and users.

    An existing user of Ramp is found first: by the link to the Ramp user, else by the email, in every list that Ramp
    has. A new user is created as a draft, which sends no email. A task of Ramp does this, and the row keeps the task's
    id until the task has ended. Everything else follows as a change: the manager, who may be created in the same run,
    and the invitation, if it is requested.

    `offered` says whether the person is active in Odoo. A user whom somebody else deactivated in Ramp stays inactive:
    only a deactivation by Odoo (`withdrawn`) is undone by Odoo. Schema: ApiUserCreateRequestBody.
    """

    _name = 'ramp.flow.person'
    _description = 'Ramp Flow: people'

    _endpoint = '/users'
    _upload_size = 1
    _asked_first = True
    _events = ('users.invite_accepted',)

    @api.model
    def _is_enabled_for(self, connection):
        return connection.push_users

    @api.model
    def _get_ramp_page_path(self, record):
        return '/people' if record.ramp_id else None

    # ------------------------------------------------------------------ desired state

    def _find_namesakes(self, connection, emails):
        """Return the people of this connection who have these emails.

        :return: {email: list of people}
        """
        found = defaultdict(list)
        for flow in PEOPLE:
            People = self.env[f'ramp.flow.{flow}']
            Person = self.env[People._model]
            domain = People._get_wanted_domain(connection)
            if len(emails) <= LOOK_UP_ALONE:
                domain &= Domain.OR(
                    Domain(name, '=ilike', email) for name in Person._ramp_addresses for email in emails if email
                )
            for person in Person.search(domain):
                email = person._ramp_email()
                if email in emails:
                    found[email].append(person)
        return found

    def _get_desired_values(self, connection, records):
        there = {
            row.res_id: row.payload
            for row in self.env['ramp.record'].search_fetch(
                [
                    ('connection_id', '=', connection.id),
                    ('flow', '=', self._flow),
                    ('res_id', 'in', records.ids),
                    ('ramp_id', '!=', False),
                ],
                ['res_id', 'payload'],
            )
        }
        new = [person for person in records if not there.get(person.id) and not self._get_linked_user_id(person)]
        namesakes = self._find_namesakes(connection, {person._ramp_email() for person in new}) if new else {}
        further = self._get_extra_person_values(connection, records)
        desired = {}
        for person in records:
            known, email = there.get(person.id), person._ramp_email()
            if person not in new:
                desired[person.id] = self._prepare_person_values(connection, person, known, email, further[person.id])
            elif not email:
                desired[person.id] = Held(
                    _lt(
                        'Ramp identifies people by their email address, and "%s" is not a valid one.',
                        clean_text(person._ramp_address()) or '-',
                    )
                )
            elif len(namesakes[email]) > 1:
                desired[person.id] = Held(
                    _lt(
                        'More than one person has the email %(email)s: %(names)s. Give each of them a different email.',
                        email=email,
                        names=', '.join(other.name for other in namesakes[email]),
                    ),
                    by=ALL_ARGUMENTS,
                )
            else:
                desired[person.id] = self._prepare_person_values(connection, person, known, email, further[person.id])
        return desired

    def _get_linked_user_id(self, person):
        """Return the id of the Ramp user to whom a person in Odoo is linked."""
        return

    def _prepare_person_values(self, connection, person, known, email, further):
        values = {'email': email, 'name': self._split_person_name(person), 'offered': True, **further}
        if not known:
            values['role'] = connection.user_role
        else:
            # A user who existed before keeps Ramp's value until the value in Odoo changes.
            values = {key: value for key, value in values.items() if known.get('kept', {}).get(key, UNSAID) != value}
        if connection.user_invitation == 'invite' or person.ramp_invite:
            values['invited'] = True
        return values

    def _get_extra_person_values(self, connection, records):
        """Return the further values that Odoo has of people.

        :return: {record id: values}
        """
        return {person.id: {} for person in records}

    @staticmethod
    def _split_person_name(person):
        """Return [first name, last name]. Ramp requires both.

        The first word is the first name, except in "last, first".
        """
        last, comma, first = (clean_text(person.name) or '').partition(',')
        if not comma or not first.strip():
            first, _space, last = last.strip().partition(' ')
        return [first.strip()[:NAME_LENGTH] or '-', last.strip()[:NAME_LENGTH] or '-']

    def _reason_not_offered(self, record):
        if not record.active:
            return self.env._('Archived in Odoo, so the person is deactivated in Ramp.')
        return self.env._('This person no longer belongs to this connection.')

    # ------------------------------------------------------------------ results

    def _store_push_results(self, run, jobs, sent=True):
        for job in jobs:
            if (job.known or {}).get('task') and job.state != 'held':
                job.state, job.uncertain = 'pending', True
                job.error = self.env._('Ramp is creating the user.')
            elif job.state == 'confirmed':
                job.error = ' '.join(self._describe_person_remarks(job)) or None
        settled = self.env['ramp.record'].browse(
            job.id for job in jobs if job.known or job.state == 'held' and not job.blocked
        )
        self.env['ramp.record']._store_noted(dict.fromkeys(settled.filtered('noted').ids, {}))
        if any((job.known or {}).get('task') and job.state == 'pending' for job in jobs):
            # sudo: the job belongs to the system; see `_trigger`
            self._get_cron_job().sudo()._trigger(at=self.env.cr.now() + PATIENCE)
        self._link_push_jobs([job for job in jobs if job.ramp_id])
        ignored = [job for job in jobs if job.state == 'ignored' and job.ramp_id]
        existing = self.env[self._model].browse(job.res_id for job in ignored).exists()._ids
        for job in ignored:
            if job.res_id not in existing:
                job.ramp_id, job.known = None, None  # another person may be that Ramp user
        return super()._store_push_results(run, jobs, sent)

    def _link_push_jobs(self, jobs):
        """Store in Odoo which Ramp user each person is (here: nothing)."""

    def _describe_person_remarks(self, job):
        """Yield the sentences that people should read about a user who is in Ramp."""
        known = job.known
        if known['status'] == 'USER_DRAFT':
            yield (
                self.env._('The invitation is scheduled in Ramp.')
                if known['invited']
                else self.env._('The user is a draft: no invitation was sent.')
            )
        elif known['status'] in ('INVITE_PENDING', 'INVITE_EXPIRED'):
            yield (
                self.env._('Invited.')
                if known['status'] == 'INVITE_PENDING'
                else self.env._('The invitation has expired.')
            )
        elif known['status'] in OUT:
            yield self.env._('The user was deactivated in Ramp earlier. Reactivate it there if necessary.')
        if known['email'] and known['ramp_email'] and known['email'] != known['ramp_email']:
            yield self.env._('The email in Ramp is %s. Odoo cannot change it. Change it in Ramp.', known['ramp_email'])
