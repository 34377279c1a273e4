"""/users"""

from ..listing import answer, equals, one_of
from ..routes import route
from ..state import Table, wire

TABLES = {"users": Table}
LISTED = ("USER_ACTIVE", "USER_INACTIVE")
FILTERS = {
    "employee_id": equals("employee_id", str),
    "role": equals("role", str),
    "status": equals("status", one_of("USER_ACTIVE", "USER_DRAFT", "USER_INACTIVE", "USER_SUSPENDED")),
    "entity_id": equals("entity_id"),
    "department_id": equals("department_id"),
    "email": equals("email", str),
    "location_id": equals("location_id"),
}


def make(state, first_name, last_name, email, location=None, department=None, **values):
    business = next(iter(state["business"]), None)
    return state["users"].add(
        {
            "id": state.stable_id("user", email),
            "business_id": business and business["id"],
            "first_name": first_name,
            "last_name": last_name,
            "email": email,
            "employee_id": None,
            "phone": None,
            "role": "BUSINESS_USER",
            "status": "USER_ACTIVE",
            "is_manager": False,
            "manager_id": None,
            "department_id": department and department["id"],
            "location_id": location and location["id"],
            "entity_id": location and location["entity_id"],
            "custom_fields": [],
            "scheduled_deactivation_date": None,
            "scheduled_invitation_date": None,
            **values,
        }
    )


@route("GET", "/users", scope="users:read")
def index(call):
    # Unasked, Ramp lists active and inactive users: suspended ones and open invitations are left out.
    where = None if "status" in call.query else lambda row: row["status"] in LISTED
    return answer(call, "users", FILTERS, where)


@route("GET", "/users/{user_id}", scope="users:read")
def detail(call):
    return wire(call.row("users", "user_id"))
