"""/departments"""

from ..listing import answer
from ..routes import route
from ..state import Table, wire

TABLES = {"departments": Table}


def make(state, name):
    return state["departments"].add({"id": state.stable_id("department", name), "name": name})


@route("GET", "/departments", scope="departments:read")
def index(call):
    return answer(call, "departments")


@route("GET", "/departments/{department_id}", scope="departments:read")
def detail(call):
    return wire(call.row("departments", "department_id"))
