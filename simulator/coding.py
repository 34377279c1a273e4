"""Coding: the accounts and fields a client uploaded, and the selections that objects carry in answers."""

from .errors import RampError
from .state import Table

TABLES = {
    "accounts": lambda: Table(key="ramp_id"),
    "fields": lambda: Table(key="ramp_id"),
    "options": lambda: Table(key="ramp_id"),
}
# The built-in field of GL accounts has this remote id and is not among /accounting/fields.
CATEGORY = "Category"


def add_account(state, id, name, code="", classification="EXPENSE"):
    """A GL account under the client's own id; an account already there is left alone."""
    ident = state.stable_id("account", id)
    return state["accounts"].get(ident) or state["accounts"].add(
        {
            "ramp_id": ident,
            "id": str(id),
            "name": name,
            "code": code,
            "classification": classification,
            "is_active": True,
            "visibility": "VISIBLE",
            "entity_remote_ids": None,
            "provider_name": None,
            "created_at": state.now(),
            "updated_at": state.now(),
            "gl_account_category_info": {
                "id": CATEGORY,
                "name": CATEGORY,
                "ramp_id": state.stable_id(CATEGORY),
            },
        }
    )


def add_field(state, field_id, field_name, options=()):
    """A single-choice field with options ({"id", "value", "code"})."""
    ident = state.stable_id("field", field_id)
    if ident not in state["fields"]:
        state["fields"].add(
            {
                "ramp_id": ident,
                "id": field_id,
                "name": field_name,
                "display_name": field_name,
                "input_type": "SINGLE_CHOICE",
                "is_active": True,
                "is_splittable": True,
                "provider_name": None,
                "created_at": state.now(),
                "updated_at": state.now(),
            }
        )
    for option in options:
        option_id = state.stable_id("option", field_id, str(option["id"]))
        if option_id not in state["options"]:
            state["options"].add(
                {
                    "ramp_id": option_id,
                    "id": str(option["id"]),
                    "value": option["value"],
                    "code": option.get("code", ""),
                    "is_active": True,
                    "visibility": "VISIBLE",
                    "provider_name": None,
                    "entity_remote_ids": None,
                    "created_at": state.now(),
                    "updated_at": state.now(),
                    "_field": field_id,
                }
            )


def account(state, external_id, name=None):
    """The selection of a GL account; `external_id` need not be known (a client's books change)."""
    row = state["accounts"].get(state.stable_id("account", external_id)) or {}
    return _selection(
        state,
        "GL_ACCOUNT",
        CATEGORY,
        CATEGORY,
        external_id,
        name or row.get("name", f"Account {external_id}"),
        row.get("code"),
    )


def option(state, field_id, option_id, name=None):
    """The selection of a custom field's option. Its type is OTHER whatever the field is."""
    field = state["fields"].get(state.stable_id("field", field_id)) or {}
    row = state["options"].get(state.stable_id("option", field_id, option_id)) or {}
    return _selection(
        state,
        "OTHER",
        field_id,
        field.get("name", field_id),
        option_id,
        name or row.get("value", f"Option {option_id}"),
        row.get("code"),
    )


def _selection(state, kind, field_id, field_name, external_id, name, code):
    selection = {
        "id": state.stable_id(kind, field_id, external_id),
        "external_id": external_id,
        "name": name,
        "display_name": name,
        "provider_name": "Simulator",
        "type": kind,
        "category_info": {
            "id": state.stable_id("field", field_id),
            "external_id": field_id,
            "name": field_name,
            "type": kind,
        },
        "source": {"type": "USER"},
    }
    if code:
        selection["external_code"] = code
    return selection


def from_request(state, wanted):
    """Selections for `[{"field_external_id", "field_option_external_id"}]`; Ramp's errors for unknown."""
    selections = []
    for item in wanted or ():
        field_id, value = item["field_external_id"], item.get("field_option_external_id")
        if field_id == CATEGORY:
            if state.stable_id("account", value) not in state["accounts"]:
                raise RampError(400, "DEVELOPER_7123", f"Unknown field option {value}")
            selections.append(account(state, value))
        elif state.stable_id("field", field_id) not in state["fields"]:
            raise RampError(400, "DEVELOPER_7122", f"Unknown field {field_id}")
        elif state.stable_id("option", field_id, value) not in state["options"]:
            raise RampError(400, "DEVELOPER_7123", f"Unknown field option {value}")
        else:
            selections.append(option(state, field_id, value))
    return selections
