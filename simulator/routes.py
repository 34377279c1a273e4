"""How an endpoint module says which calls it answers."""

from dataclasses import dataclass, field

from . import errors

API = '/developer/v1'
ADMIN = '/_simulator'
ROUTES = []


@dataclass(frozen=True)
class Route:
    method: str
    path: str  # with the contract's own parameter names: /transactions/{transaction_id}
    handler: object
    base: str = API
    scope: str = None  # used without the contract file; with it, the contract's `security` decides
    open: bool = False  # no token wanted
    idempotent: bool = False  # the body's idempotency_key is spent by the first attempt, whatever its outcome
    plus: bool = False  # only for businesses with Ramp Plus

    @property
    def template(self):
        return self.base + self.path

    @property
    def rule(self):
        return self.template.replace('{', '<').replace('}', '>')


def route(method, path, **options):
    """Decorator: `handler(call)` returns a body, `(body, status)` or a werkzeug Response."""

    def register_handler(handler):
        ROUTES.append(Route(method, path, handler, **options))
        return handler

    return register_handler


@dataclass
class Call:
    """One request on its way through an endpoint."""

    ramp: object
    request: object
    route: Route
    args: dict
    body: dict = None
    token: dict = None
    # Rows behind the answer's objects, so that a row is checked against the contract once and not per page.
    rows: list = field(default_factory=list)
    rows_in: str = 'data'  # where in the answer they are
    unchecked: bool = False

    @property
    def state(self):
        return self.ramp.state

    @property
    def query(self):
        return self.request.args

    def need(self, name):
        """A field of the body, or Ramp's 422: also where no contract file has checked it before."""
        if not isinstance(self.body, dict) or name not in self.body:
            raise errors.invalid_field(name, 'Missing data for required field.')
        return self.body[name]

    def row(self, table, name):
        """The row named by a path parameter, or Ramp's 404."""
        row = self.state[table].get(self.args[name])
        if row is None or row.get('_withheld') and self.route.base == API:
            raise errors.not_found()
        if row.get('_broken'):
            self.unchecked = True
        return row
