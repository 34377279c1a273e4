# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""People and where they belong, as value objects: users, the tasks that make them, departments, locations.

The rules are those of `reading`. Schemas: User, UserDeferredTask, Department, Location (2026-08-01).
"""

import contextlib
import dataclasses
import datetime

from .reading import PayloadError, PayloadReader

USER_STATUSES = frozenset(
    {
        'INVITE_EXPIRED',
        'INVITE_PENDING',
        'USER_ACTIVE',
        'USER_DRAFT',
        'USER_INACTIVE',
        'USER_ONBOARDING',
        'USER_SUSPENDED',
    }
)
# What /users can be asked for by status. Unasked, it lists active and inactive users.
USER_LISTED_STATUSES = ('USER_ACTIVE', 'USER_DRAFT', 'USER_INACTIVE', 'USER_SUSPENDED')
# Those that somebody can be given from outside.
USER_ROLES = frozenset({'AUDITOR', 'BUSINESS_ADMIN', 'BUSINESS_BOOKKEEPER', 'BUSINESS_USER', 'GUEST_USER', 'IT_ADMIN'})
TASK_STATUSES = frozenset({'ERROR', 'IN_PROGRESS', 'STARTED', 'SUCCESS'})


@dataclasses.dataclass(frozen=True)
class User:
    """A user of the business in Ramp.

    role, status: any text, of which USER_ROLES can be given and USER_STATUSES are known. All ids but employee_id,
    which is a text of others', are uuids. Moments are aware, in UTC; one that cannot be read is None.
    """

    id: str
    email: str | None
    first_name: str | None
    last_name: str | None
    employee_id: str | None
    status: str
    role: str | None
    is_manager: bool
    manager_id: str | None
    department_id: str | None
    location_id: str | None
    entity_id: str | None
    scheduled_deactivation_date: datetime.datetime | None
    scheduled_invitation_date: datetime.datetime | None


@dataclasses.dataclass(frozen=True)
class UserTask:
    """The making of a user.

    status: one of TASK_STATUSES; user_id: str | None, once it succeeded; error: str | None, Ramp's words, once it
    failed.
    """

    status: str
    user_id: str | None
    error: str | None

    @property
    def is_done(self):
        """Return whether (bool) it has ended, one way or the other."""
        return self.status in ('ERROR', 'SUCCESS')


@dataclasses.dataclass(frozen=True)
class Department:
    """A department of the business."""

    id: str
    name: str


@dataclasses.dataclass(frozen=True)
class Location:
    """A location of the business. entity_id: str | None, of everybody who works there."""

    id: str
    name: str
    entity_id: str | None


def read_user(payload):
    """Read a user from an object of GET /users or /users/{id}.

    :param payload: dict
    :return: User
    :raise PayloadError: if it is malformed; not because of a date
    """
    reader = PayloadReader(payload)
    return User(
        id=reader.read_uuid('id', required=True),
        email=reader.read_text('email'),
        first_name=reader.read_text('first_name'),
        last_name=reader.read_text('last_name'),
        employee_id=reader.read_text('employee_id'),
        status=reader.read_text('status', required=True),
        role=reader.read_text('role'),
        is_manager=reader.read_flag('is_manager'),
        manager_id=reader.read_uuid('manager_id'),
        department_id=reader.read_uuid('department_id'),
        location_id=reader.read_uuid('location_id'),
        entity_id=reader.read_uuid('entity_id'),
        scheduled_deactivation_date=_read_moment_or_none(reader, 'scheduled_deactivation_date'),
        scheduled_invitation_date=_read_moment_or_none(reader, 'scheduled_invitation_date'),
    )


def _read_moment_or_none(reader, key):
    with contextlib.suppress(PayloadError):  # nobody is to be unknown because of a date
        return reader.read_moment(key)


def read_user_task(payload):
    """Read a task from GET /users/deferred/status/{task_id}.

    :param payload: dict
    :return: UserTask
    :raise PayloadError: also where it succeeded and does not say whom it made
    """
    reader = PayloadReader(payload)
    data = reader.read_object('data')
    task = UserTask(
        status=reader.read_choice('status', TASK_STATUSES, required=True),
        user_id=data.read_uuid('user_id'),
        error=data.read_text('error'),
    )
    if task.status == 'SUCCESS' and task.user_id is None:
        raise PayloadError(
            data.path_of_key('user_id'), 'Ramp says that the user was made, and not which; look for it in Ramp'
        )
    return task


def read_department(payload):
    """Read a department from an object of GET or POST /departments.

    :param payload: dict
    :return: Department
    :raise PayloadError: if it has no id or name
    """
    reader = PayloadReader(payload)
    return Department(id=reader.read_uuid('id', required=True), name=reader.read_text('name', required=True))


def read_location(payload):
    """Read a location from an object of GET or POST /locations.

    :param payload: dict
    :return: Location
    :raise PayloadError: if it has no id or name
    """
    reader = PayloadReader(payload)
    return Location(
        id=reader.read_uuid('id', required=True),
        name=reader.read_text('name', required=True),
        entity_id=reader.read_uuid('entity_id'),
    )
