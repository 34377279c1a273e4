# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""What a run has read from Ramp and done so far, for as long as the run lasts."""

import dataclasses
from typing import Any

from ..ramp_api import RampClient, RampError, User


@dataclasses.dataclass(eq=False, slots=True)
class RunMemory:
    """What the flows of one run share. The run has it in its context, under the key `ramp_memory`.

    It is changed in place, outlives the transactions of the run, and is neither stored nor rolled back. Each run of a
    connection has its own. It is equal to itself only, so that Odoo never takes the context of one run for that of
    another.
    """

    # More arguments for `RampClient` (see `ramp.connection._reach_options`); empty if Ramp answered before
    reach_options: dict[str, Any] = dataclasses.field(default_factory=dict)
    # Clients of the run, which know whether Ramp answered
    ramp_clients: list[RampClient] = dataclasses.field(default_factory=list)
    # Answers of Ramp that are asked for only once, see `RampClient`. None: each is asked for anew, as in every sync
    kept_answers: dict[tuple, Any] | None = None
    # Whether the run ended because its time was up
    is_over: bool = False
    # Why the run failed (see `ramp.run.failure_kind`); None: for another reason, or not at all
    failure_kind: str | None = None
    # Id of the `ramp.run`. None: outside of a run
    run_id: int | None = None
    # Whether this database is known to hold the accounting integration of the Ramp business
    is_seat_checked: bool = False
    # IANA name of the company's time zone by connection id, as far as it was asked for
    time_zones: dict[int, str] = dataclasses.field(default_factory=dict)

    # Currency code of each Ramp entity by its Ramp id, None where Ramp has none. None as a whole: not read yet
    entity_currencies: dict[str, str | None] | None = None
    # All users of the Ramp business that can be read. None: not read yet
    ramp_users: list[User] | None = None

    # Why Ramp did not accept the outcome of objects, as a sentence. None: it accepted all
    untold_reason: str | None = None
    # Error of a permission that Ramp does not grant, shown at the end of the run
    forbidden_error: RampError | None = None
    # Whether Ramp refused the links to bills, so that bills are confirmed without one
    is_link_refused: bool = False

    # Objects that could not be sent because Ramp answered with an error
    server_troubles: int = 0
    # Objects of Ramp (`Remote` of flows/engine/push_job.py) by flow name and by the query of the list, as its items
    remote_lists: dict[str, dict[tuple, list]] = dataclasses.field(default_factory=dict)
    # Ramp ids of the accounting fields of analytic plans, without those that are ignored. None: not looked up yet
    analytic_fields: set[str] | None = None
    # Kinds of objects in Ramp that need the analytic plan, by plan id
    required_plans: dict[int, list[str]] = dataclasses.field(default_factory=dict)
    # Whether Ramp refused a manager, and whether it accepted one. If it did both, the run is repeated, and both are
    # cleared
    is_manager_refused: bool = False
    is_manager_accepted: bool = False


def run_memory(env) -> RunMemory:
    """Return the memory of the current run.

    Outside of a run it is a new one, so what is stored into it is lost.

    :param env: odoo.api.Environment
    """
    memory = env.context.get('ramp_memory')
    # Any user can send a context, but only a run has this class in it
    return memory if isinstance(memory, RunMemory) else RunMemory()
