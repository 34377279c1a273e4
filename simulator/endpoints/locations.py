"""/locations: a user's entity comes from the location."""

from ..listing import answer, equals
from ..routes import route
from ..state import Table, wire

TABLES = {"locations": Table}


def make(state, name, entity_id):
    row = state["locations"].add(
        {"id": state.stable_id("location", name), "name": name, "entity_id": entity_id}
    )
    entity = state["entities"].get(entity_id)
    if entity:
        state["entities"].update(entity_id, location_ids=[*entity["location_ids"], row["id"]])
    return row


@route("GET", "/locations", scope="locations:read")
def index(call):
    return answer(call, "locations", {"entity_id": equals("entity_id")})


@route("GET", "/locations/{location_id}", scope="locations:read")
def detail(call):
    return wire(call.row("locations", "location_id"))
