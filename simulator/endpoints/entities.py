"""/entities: the legal entities of the business, each with its own currency."""

from ..listing import answer, equals, ignored, parse_bool
from ..routes import route
from ..state import Table, wire

TABLES = {"entities": Table}
FILTERS = {
    "currency": equals("currency", str),
    "entity_name": equals("entity_name", str),
    "is_primary": equals("is_primary", parse_bool),
    "hide_inactive": ignored(parse_bool),
}


def make(state, name, currency, is_primary=False):
    return state["entities"].add(
        {
            "id": state.stable_id("entity", name),
            "entity_name": name,
            "currency": currency,
            "is_primary": is_primary,
            "accounts": [],
            "connected_subsidiary": None,
            "default_bill_pay_payment_account_id": None,
            "location_ids": [],
            "payment_accounts": [],
        }
    )


@route("GET", "/entities", scope="entities:read")
def index(call):
    return answer(call, "entities", FILTERS)


@route("GET", "/entities/{entity_id}", scope="entities:read")
def detail(call):
    return wire(call.row("entities", "entity_id"))
