# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses

from .reasons import Held

UNSAID = object()


@dataclasses.dataclass
class Job:
    """One ledger row on its way to Ramp. `known` and `desired` are dicts with the flow's own keys."""

    id: int
    revision: int
    res_id: int
    name: str
    remote_id: str
    ramp_id: str | None
    known: dict | None  # what Ramp has, or None for nothing
    desired: dict | None  # what Ramp should have, or None if the object is not to be offered
    uncertain: bool  # in doubt: `known` may be out of date
    reason: str | None = None  # why the object is not offered
    state: str = 'pending'
    error: str | None = None
    causes: list = ()  # list of `Cause` that the error is made of, if they are known
    blocked: bool = False  # something has to be settled first; `state` and `error` say what
    key: str | None = None  # idempotency key of the request that creates the object, where Ramp requires one
    troubled: bool = False  # Ramp answered with an error in the last run

    @property
    def offered(self):
        return bool(self.known) and self.known.get('offered', True)

    def block(self, reason):
        """Block the job until something is settled.

        :param reason: `Held` or `Waiting` that says what
        """
        self.state, self.error, self.blocked = 'held' if isinstance(reason, Held) else 'pending', str(reason), True
        self.causes = reason.causes

    @property
    def hold_reason(self):
        """Kind of reason for the state, as in the ledger; None if the state needs none."""
        return {'held': 'question' if self.blocked else 'refused', 'ignored': 'rule'}.get(self.state)

    @property
    def changes(self):
        return {key: value for key, value in self.desired.items() if (self.known or {}).get(key, UNSAID) != value}


@dataclasses.dataclass
class Remote:
    """One object as Ramp has it: Odoo's id, Ramp's id, and its values under the flow's own keys.

    unread: a sentence saying why the object cannot be read. It exists in Ramp, and must not be treated as missing.
    """

    remote_id: str
    ramp_id: str
    values: dict
    unread: str | None = None
