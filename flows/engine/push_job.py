# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import dataclasses

from .flow import Held

UNSAID = object()


@dataclasses.dataclass
class Job:
    """One row of the ledger on its way to Ramp. `known` and `desired` are dictionaries of the flow's own keys."""

    id: int
    revision: int
    res_id: int
    name: str
    remote_id: str
    ramp_id: str | None
    known: dict | None  # what Ramp has; None: nothing
    desired: dict | None  # what it should have; None: it is not to be offered
    uncertain: bool  # `known` may be out of date
    reason: str | None = None  # why it is not offered
    state: str = 'pending'
    error: str | None = None
    blocked: bool = False  # by something else that has to be settled first: `state` and `error` say what
    key: str | None = None  # of the request that creates it, where Ramp wants one
    troubled: bool = False  # Ramp failed on it in the run before

    @property
    def offered(self):
        return bool(self.known) and self.known.get('offered', True)

    def block(self, reason):
        """Something else has to be settled first: a `Held` or `Waiting` says what."""
        self.state, self.error, self.blocked = 'held' if isinstance(reason, Held) else 'pending', str(reason), True

    @property
    def changes(self):
        return {key: value for key, value in self.desired.items() if (self.known or {}).get(key, UNSAID) != value}


@dataclasses.dataclass
class Remote:
    """What Ramp has of one object: our id, Ramp's id, and its values under the flow's own keys.

    unread: why nothing more is known of it, a sentence: it is there, and must not be taken for missing
    """

    remote_id: str
    ramp_id: str
    values: dict
    unread: str | None = None
