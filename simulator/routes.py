"""Declaration of routes by the endpoint modules."""

from dataclasses import dataclass, field

from . import errors

API = '/developer/v1'
ADMIN = '/_simulator'
ROUTES = []


@dataclass(frozen=True)
class Route:
    method: str
    path: str  # with the contract's parameter names: /transactions/{transaction_id}
    handler: object
    base: str = API
    scope: str = None  # used without the contract file; with it, the contract's `security` decides
    open: bool = False  # needs no token
    idempotent: bool = False  # the first attempt consumes the body's idempotency_key, whatever its outcome
    plus: bool = False  # only for businesses with Ramp Plus
    bill_pay: bool = False  # only for businesses with Bill Pay

    @property
    def path_template(self):
        return self.base + self.path

    @property
    def url_rule(self):
        return self.path_template.replace('{', '<').replace('}', '>')


def route(method, path, **options):
    """Register a route (decorator). `handler(call)` returns a body, `(body, status)` or a werkzeug Response."""

    def register_route_handler(handler):
        ROUTES.append(Route(method, path, handler, **options))
        return handler

    return register_route_handler


@dataclass
class Call:
    """One request for an endpoint."""

    ramp: object
    request: object
    route: Route
    args: dict
    body: dict = None
    token: dict = None
    # The rows behind the answer's objects: each is checked against the contract once, not once per page.
    rows: list = field(default_factory=list)
    rows_in: str = 'data'  # the key of these objects in the answer
    unchecked: bool = False

    @property
    def state(self):
        return self.ramp.state

    @property
    def query(self):
        return self.request.args

    def read_required_field(self, name):
        """Return a field of the body. Raise Ramp's 422 if it is missing, because the contract file may not be there."""
        if not isinstance(self.body, dict) or name not in self.body:
            raise errors.make_field_error(name, 'Missing data for required field.')
        return self.body[name]

    def find_path_row(self, table, name):
        """Return the row that a path parameter names. Raise Ramp's 404 if there is none."""
        row = self.state[table].get_row(self.args[name])
        if row is None or row.get('_withheld') and self.route.base == API:
            raise errors.make_missing_error()
        if row.get('_broken'):
            self.unchecked = True
        return row
