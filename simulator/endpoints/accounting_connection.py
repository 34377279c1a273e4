"""/accounting/connection: the one seat a business has for an accounting provider."""

from ..errors import RampError, invalid, not_found
from ..routes import route
from ..state import Table, wire

TABLES = {"connections": Table}
SETTINGS = (
    "entity_selection_enabled",
    "reimbursement_sync_button_enabled",
    "transaction_accounting_vendor_creation_on_sync_enabled",
    "transaction_sync_button_enabled",
    "vendor_credits_enabled",
)


def active(state):
    return state["connections"].find(is_active=True)


def is_ours(ramp):
    """Does the app of this simulator hold the seat with an API connection? Only then may it upload, and report syncs."""
    row = active(ramp.state)
    return bool(row) and row["connection_type"] == "API" and row["_owner"] == ramp.client_id


def is_enabled(state, setting):
    """Has the business's accounting connection this setting? Whatever nobody switched on is off."""
    row = active(state)
    return bool(row) and bool((row["settings"] or {}).get(setting))


def _settings_of(call):
    """The settings of a request; unknown ones and other values than true and false are refused, without the contract's file too."""
    settings = (call.body or {}).get("settings") or {}
    wrong = {name: ["Unknown field."] for name in settings if name not in SETTINGS}
    wrong |= {name: ["Not a valid boolean."] for name, value in settings.items() if name in SETTINGS and not isinstance(value, bool)}
    if wrong:
        raise invalid("Invalid input", {"settings": [f"{name}: {text[0]}" for name, text in wrong.items()]})
    return settings


def check_ours(ramp):
    if not is_ours(ramp):
        raise RampError(400, "DEVELOPER_7001", "There is no active API accounting connection")


def seat(state, name, connection_type, owner, settings=None):
    incumbent = active(state)
    if incumbent:
        _unlink(state, incumbent)
    return state["connections"].add(
        {
            "id": state.new_id(),
            "connection_type": connection_type,
            "created_at": state.now(),
            "is_active": True,
            "is_ready_to_migrate": False,
            "last_linked_at": state.now(),
            "remote_provider_name": name,
            "settings": {**dict.fromkeys(SETTINGS, False), **(settings or {})}
            if connection_type == "API"
            else None,
            "status": "linked",
            "_owner": owner,
        }
    )


def _unlink(state, row):
    state["connections"].update(row["id"], is_active=False, status="unlinked")


@route("POST", "/accounting/connection", scope="accounting:write")
def create(call):
    incumbent = active(call.state)
    # Universal CSV gives way to an API connection; anybody else stays, and the caller is told success.
    if incumbent and incumbent["connection_type"] != "CSV":
        return wire(incumbent), 201
    name, settings = call.need("remote_provider_name"), _settings_of(call)
    if call.body.get("reactivate"):
        former = call.state["connections"].find(remote_provider_name=name, _owner=call.ramp.client_id)
        if former:
            return wire(_relink(call.state, former)), 201
    return wire(seat(call.state, name, "API", call.ramp.client_id, settings)), 201


@route("GET", "/accounting/connection", scope="accounting:read")
def current(call):
    row = active(call.state)
    if row is None:
        raise not_found("Accounting connection")
    return wire(row)


@route("DELETE", "/accounting/connection", scope="accounting:write")
def delete(call):
    row = active(call.state)
    if row is None or row["connection_type"] != "API":
        raise not_found("API accounting connection")
    # Ramp does not ask whose connection it is: deleting another app's is possible, and visible here.
    _unlink(call.state, row)
    return None, 204


@route("GET", "/accounting/all-connections", scope="accounting:read")
def every(call):
    return {"connections": [wire(row) for row in call.state["connections"]]}


@route("GET", "/accounting/connection/{connection_id}", scope="accounting:read")
def detail(call):
    return wire(call.row("connections", "connection_id"))


@route("PATCH", "/accounting/connection/{connection_id}", scope="accounting:write")
def patch(call):
    row = call.row("connections", "connection_id")
    settings = _settings_of(call)
    if set(call.body or {}) - {"settings"}:
        raise invalid("Only the settings of an accounting connection can be changed")
    if row["settings"] is None:
        raise RampError(400, "DEVELOPER_7001", "Only API connections have settings")
    return wire(call.state["connections"].update(row["id"], settings={**row["settings"], **settings}))


@route("POST", "/accounting/connection/{connection_id}/reactivate", scope="accounting:write")
def reactivate(call):
    row = call.row("connections", "connection_id")
    other = active(call.state)
    if other and other["id"] != row["id"]:
        raise RampError(400, "DEVELOPER_7001", "Another accounting connection is active")
    return wire(_relink(call.state, row))


def _relink(state, row):
    return state["connections"].update(row["id"], is_active=True, status="linked", last_linked_at=state.now())
