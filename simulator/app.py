"""The simulated Ramp: one request's way from the socket to the answer, and the handles a test holds."""

import importlib
import json
import logging
import pkgutil
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field

from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

from . import auth, coding, contract, endpoints, events, faults, memory, payables, server
from .endpoints import syncs
from .errors import RampError
from .routes import ADMIN, API, ROUTES, Call
from .seed import Seed
from .state import State, utc_now
from .webhooks import Webhooks

ENDPOINTS = [
    importlib.import_module(f".{_module.name}", endpoints.__name__)
    for _module in pkgutil.iter_modules(endpoints.__path__)
]

URLS = Map([Rule(route.rule, endpoint=route, methods=[route.method]) for route in ROUTES], strict_slashes=False)
logger = logging.getLogger(__name__)
LOOPBACK = ("127.0.0.1", "::1", "localhost")
HTML_404 = b"<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n"


@dataclass
class Answer:
    status: int
    body: bytes = b""
    headers: dict = field(default_factory=dict)
    cut: str = None  # "before": close without a word; "half": close in the middle of the body
    trickle: str = None  # "headers", "body": from there on byte by byte
    pace: float = 0  # seconds between two of them

    @classmethod
    def json(cls, status, payload):
        if status == 204:
            return cls(status)
        return cls(status, json.dumps(payload).encode(), {"Content-Type": "application/json"})


class Simulator:
    """A Ramp on localhost. `with Simulator(Seed(transactions=50)) as ramp: requests.get(ramp.api_url + ...)`.

    :param seed: a :class:`Seed`, or None for the default one
    :param clock: returns the aware datetime that Ramp believes it is
    :param monotonic: the clock of the rate limit
    :param validate: check requests and answers against the contract (if its file is there)
    :param scopes: what the app is granted; tokens are silently narrowed to these
    :param rate_limit: requests per `rate_window` seconds and source; 0 switches it off
    :param retry_after: seconds in the Retry-After header of a 429; None: no such header
    :param dead_tokens_not_found: dead tokens answer 404 DEVELOPER_7002 instead of 401 DEVELOPER_7028
    :param resync: what a success for an object already synced answers: "refuse" or "accept"
    :param keep_bodies: keep request bodies in the log
    :param ramp_plus: the business has Ramp Plus; without it there are neither purchase orders nor item receipts
    :param hide_three_way: /purchase-orders, not asked for orders with three-way match, leaves them out
    :param task_seconds: how long it takes until a user is made; None: until `finish_tasks`
    :param webhooks: options of :class:`Webhooks`, as a dict
    """

    def __init__(
        self,
        seed=None,
        *,
        host="127.0.0.1",
        port=0,
        clock=utc_now,
        monotonic=time.monotonic,
        validate=True,
        client_id="ramp_id_simulator",
        client_secret="ramp_sec_simulator",
        scopes=auth.SCOPES,
        token_lifetime=864000,
        rate_limit=200,
        rate_window=10,
        retry_after=None,
        dead_tokens_not_found=False,
        resync="refuse",
        keep_bodies=False,
        ramp_plus=True,
        hide_three_way=True,
        task_seconds=0,
        webhooks=None,
    ):
        self.seed = seed or Seed()
        self.host, self.port = host, port
        self.clock = clock
        self.client_id, self.client_secret = client_id, client_secret
        self.scopes = tuple(scopes)
        self.token_lifetime = token_lifetime
        self.retry_after = retry_after
        self.dead_tokens_not_found = dead_tokens_not_found
        self.resync = resync
        self.keep_bodies = keep_bodies
        self.ramp_plus = ramp_plus
        self.hide_three_way = hide_three_way
        self.task_seconds = task_seconds
        self.monotonic = monotonic
        self.webhooks = Webhooks(self, **(webhooks or {}))
        self.rate = auth.RateLimit(rate_limit, rate_window, monotonic)
        self.contract = contract.load() if validate else None
        self._server = None
        self._stopping = threading.Event()
        self.reset()

    def reset(self):
        """Back to the seed: data, faults, hooks, logs and tokens."""
        self.newer_shape = self.seed.newer_shape
        self.state = State(self.seed.seed, self.clock)
        for module in (coding, *ENDPOINTS):
            for name, make in getattr(module, "TABLES", {}).items():
                self.state.tables[name] = make()
        self.faults = faults.Faults(self.seed.seed)
        self.rate.reset()
        self._traces = 0
        self.requests = []
        self.contract_violations = []  # answers of ours that break the contract: a bug here
        self.request_violations = []  # requests refused for breaking it: a bug in the client, or its test
        self.errors = []  # exceptions of handlers and hooks
        self.leaked_tokens = 0
        self._before, self._after = [], []
        self.seed.fill(self.state)
        self.webhooks.reset()

    # -- back to what was

    def snapshot(self):
        """Everything that a test may change, for `restore`: data, faults, hooks, logs, tokens, events and options, and whether
        it listens, and where."""
        with self.webhooks.quiet(), self.state.lock:
            return {
                "listens": self._address(),
                "clock": self.state.clock,
                "state": self.state.snapshot(),
                "parts": [memory.remember(part) for part in self._parts()],
            }

    def restore(self, kept):
        """Back to what `snapshot` returned, as often as wanted."""
        if self._address() != kept["listens"]:
            self.stop()
        with self.webhooks.quiet(), self.state.lock:
            self.state.restore(kept["state"])
            self.state.clock = kept["clock"]
            for part, remembered in zip(self._parts(), kept["parts"], strict=True):
                memory.put_back(part, remembered)
            events.watch(self.state, self.webhooks.emit)
        if kept["listens"] and not self._server:
            self.start()

    def _parts(self):
        return self, self.faults, self.rate, self.webhooks

    def _address(self):
        return self._server and self._server.server_address[:2]

    # -- life

    def start(self):
        self._stopping.clear()
        self._server = server.Server((self.host, self.port), self.answer, self._stopping)
        self.port = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.02},
            name="ramp-simulator",
            daemon=True,
        ).start()
        self.webhooks.start()
        return self

    def stop(self):
        if self._server:
            self.webhooks.stop()
            self._stopping.set()
            self._server.shutdown()
            self._server.close_all()
            self._server.server_close()
            self._server = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    @property
    def api_url(self):
        return self.url + API

    # -- what tests read

    @property
    def problems(self):
        """{kind of problem: transaction id} of a seed with `problems=True`."""
        return self.state.problems

    def write_calls(self):
        """Calls that may have changed something at Ramp."""
        return [
            entry
            for entry in self.requests
            if entry["method"] != "GET"
            and entry["path"].startswith(API)
            and not entry["path"].startswith(API + "/token")
        ]

    def successes(self, sync_type=None):
        """{object id: [reference_id, ...]} of every success accepted; more than one is a double effect.

        Bills and their payments share ids: for them name the `sync_type`.
        """
        found = {}
        for entry in self.state.journal:
            if entry["ok"] and sync_type in (None, entry["sync_type"]):
                found.setdefault(entry["id"], []).append(entry["reference_id"])
        return found

    def export_errors(self, ident):
        return self.state.export_errors.get(ident, [])

    def assert_clean(self):
        """Neither an answer off the contract, nor an error inside, nor a token sent to a file's storage."""
        trouble = self.contract_violations + self.errors
        if self.leaked_tokens:
            trouble.append(f"{self.leaked_tokens} tokens were sent to pre-signed links")
        if trouble:
            raise AssertionError("\n".join(map(str, trouble)))

    def before(self, hook):
        """Call `hook(method, path, body)` when a request has arrived and nothing is done yet; a RampError that it
        raises is the answer."""
        self._before.append(hook)

    def after(self, hook):
        """Call `hook(method, path, body)` when the work is done and the client has not heard of it yet."""
        self._after.append(hook)

    # -- one request

    def answer(self, request):
        entry = {
            "method": request.method,
            "path": request.path,
            "query": request.args.to_dict(flat=False),
            "status": None,
            "time": self.state.now(),
            "fault": None,
        }
        try:
            body, readable = _read_body(request)
            if self.keep_bodies:
                entry["body"] = body
            self.requests.append(entry)
            result = self._answer(request, entry, body, readable)
        except Exception:
            logger.exception("The simulator failed on %s %s", request.method, request.path)
            self.errors.append(traceback.format_exc())
            result = Answer.json(500, RampError(500, "DEVELOPER_7000", "Error inside the simulator").body())
        with self.state.lock:
            trace = self.state.stable_id("trace", self._traces)
            self._traces += 1
        result.headers.setdefault("x-trace-id", trace)
        entry["trace_id"] = trace
        entry["status"] = None if result.cut == "before" else result.status
        return result

    def _answer(self, request, entry, body, readable):
        if request.path.startswith(ADMIN):
            return self._work(request, body, readable, None)
        name = request.path[len(API) :] if request.path.startswith(API) else request.path
        try:
            self._run(self._before, request, body)
        except RampError as error:
            return Answer.json(error.status, error.body())
        stage = faults.BEFORE if auth.bearer(request) else set(faults.BEFORE) - {"dead_token"}
        fault = self.faults.take(stage, request.method, name)
        if fault:
            entry["fault"] = fault.kind
            if fault.kind != "dead_token":
                return self._fail_before(fault)
            auth.kill(self.state, auth.bearer(request), as_not_found=True)
        if request.path.startswith(API) and not self._within_rate(request):
            return self._too_many(self.retry_after)
        result = self._work(request, body, readable, name, entry)
        self._run(self._after, request, body)
        fault = self.faults.take(faults.AFTER, request.method, name)
        if fault:
            entry["fault"] = fault.kind
            return self._fail_after(fault, result)
        return result

    def _run(self, hooks, request, body):
        for hook in hooks:
            hook(request.method, request.path, body)

    def _within_rate(self, request):
        with self.state.lock:
            return self.rate.allow(request.remote_addr)

    def _too_many(self, retry_after):
        # The guide gives 429 no error code; the number is made up.
        result = Answer.json(429, RampError(429, "DEVELOPER_7029", "Too many requests").body())
        if retry_after is not None:
            result.headers["Retry-After"] = str(retry_after)
        return result

    def _fail_before(self, fault):
        if fault.kind == "rate_limit":
            return self._too_many(fault.retry_after)
        if fault.kind == "server_error":
            return Answer.json(fault.status, RampError(fault.status, "DEVELOPER_7000", "Server error").body())
        if fault.kind == "html_error":
            return Answer(404, HTML_404, {"Content-Type": "text/html; charset=utf-8"})
        if fault.kind == "timeout_before":
            self._stopping.wait(fault.seconds)
        if fault.kind == "hang":
            self._stopping.wait()
        return Answer(500, cut="before")

    def _fail_after(self, fault, result):
        if fault.kind == "error_after":
            return Answer.json(fault.status, RampError(fault.status, "DEVELOPER_7000", "Server error").body())
        if fault.kind.startswith("trickle"):
            result.trickle, result.pace = fault.kind.partition("_")[2], fault.pace
            return result
        if fault.kind == "truncate":
            result.cut = "half"
            return result
        if fault.kind == "timeout_after":
            self._stopping.wait(fault.seconds)
        return Answer(500, cut="before")

    def _work(self, request, body, readable, name, entry=None):
        try:
            route, args = URLS.bind(request.host or "localhost").match(request.path, request.method)
        except MethodNotAllowed as error:
            return Answer.json(405, RampError(405, "DEVELOPER_7000", error.description).body())
        except (NotFound, HTTPException):
            return Answer(404, HTML_404, {"Content-Type": "text/html; charset=utf-8"})
        if route.base == ADMIN and self.host not in LOOPBACK:
            return Answer(404, HTML_404, {"Content-Type": "text/html; charset=utf-8"})
        call = Call(self, request, route, args, body)
        try:
            with self.state.lock:
                self._admit(call, readable, entry)
                result = route.handler(call)
        except RampError as error:
            return Answer.json(error.status, error.body())
        if isinstance(result, Response):
            return Answer(result.status_code, result.get_data(), dict(result.headers.items()))
        payload, status = result if isinstance(result, tuple) else (result, 200)
        if route.base == API:
            self._check_answer(call, status, payload)
            payload, fault = self.faults.change_page(name, "start" in request.args, payload)
            if fault:
                entry["fault"] = fault.kind
        return Answer.json(status, payload)

    def _admit(self, call, readable, entry):
        """Token, scope, idempotency key and contract, in Ramp's order; raises the refusal."""
        route, judge = call.route, self.contract
        if judge and not judge.has(route):
            judge = None
        if route.base == API and not route.open:
            scope = judge.scope(route) if judge else route.scope
            call.token = auth.check(call.request, self, scope)
        if (judge.plus(route) if judge else route.plus) and not self.ramp_plus:
            # Nobody has observed the refusal.
            raise RampError(403, "DEVELOPER_7101", "This needs Ramp Plus")
        if route.base != API:
            return
        if not readable or call.body is None and judge and judge.wants_body(route):
            raise RampError(400, "DEVELOPER_7011", "A JSON body is wanted")
        if route.idempotent and isinstance(call.body, dict) and call.body.get("idempotency_key"):
            key = route.template, call.body["idempotency_key"]
            if key in self.state.idempotency_keys:
                raise RampError(400, "DEVELOPER_7005", "Idempotency key already exists")
            # Spent even if this very request is refused further down: so the real one does.
            self.state.idempotency_keys.add(key)
        if judge:
            entry["unknown_parameters"] = sorted(set(call.query) - judge.query_names(route))
            try:
                judge.check_request(route, call.query, call.body)
            except RampError as error:
                self.request_violations.append(f"{route.method} {route.template}: {error.fields}")
                raise

    def _check_answer(self, call, status, payload):
        if not self.contract or call.unchecked or not self.contract.has(call.route):
            return
        for problem in self.contract.answer_errors(call.route, status, payload, call.rows, call.rows_in):
            text = f"{call.route.method} {call.route.template} {status}: {problem}"
            logger.error("Answer breaks the contract: %s", text)
            self.contract_violations.append(text)

    # -- what tests change

    def add_transaction(self, **values):
        """A transaction; see `endpoints.transactions.make` for the values. Returns its id."""
        with self.state.lock:
            return endpoints.transactions.make(self.state, **values)["id"]

    def update_transaction(self, ident, **changes):
        """Change wire fields, or `amount_minor`, `lines`, ... as in `add_transaction`; moves `updated_at`."""
        with self.state.lock:
            return endpoints.transactions.change(self.state, ident, **changes)

    def recode(self, ident, account):
        """Code all lines of a transaction to one account (the client's own id)."""
        with self.state.lock:
            return endpoints.transactions.recode(self.state, ident, account)

    def add_vendor(self, *name, **values):
        """A vendor who is paid; see `endpoints.vendors.make` for the values. Returns its id."""
        with self.state.lock:
            return endpoints.vendors.make(self.state, *name, **values)["id"]

    def update_vendor(self, ident, **changes):
        with self.state.lock:
            return endpoints.vendors.change(self.state, ident, **changes)

    def add_bill(self, **values):
        """A bill; see `endpoints.bills.make` for the values. Returns its id."""
        with self.state.lock:
            return endpoints.bills.make(self.state, **values)["id"]

    def update_bill(self, ident, **changes):
        """Change wire fields, or `amount_minor`, `lines`, `account`, ... as in `add_bill`."""
        with self.state.lock:
            return endpoints.bills.change(self.state, ident, **changes)

    def pay_bill(self, idents, **values):
        """Move a bill's payment on, or make one; a list of bills: a batch. See `endpoints.bills.pay`. Returns its id."""
        with self.state.lock:
            return endpoints.bills.pay(self.state, idents, **values)

    def archive_bill(self, ident):
        with self.state.lock:
            return endpoints.bills.archive(self.state, ident)

    def add_reimbursement(self, **values):
        """A reimbursement; see `endpoints.reimbursements.make` for the values. Returns its id."""
        with self.state.lock:
            return endpoints.reimbursements.make(self.state, **values)["id"]

    def update_reimbursement(self, ident, **changes):
        """Change wire fields, or `amount_minor`, `lines`, ... as in `add_reimbursement`; moves `updated_at`."""
        with self.state.lock:
            return endpoints.reimbursements.change(self.state, ident, **changes)

    def pay_reimbursement(self, idents, **values):
        """Pay one, or several in one batch; see `endpoints.reimbursements.pay`. Returns the batch's id."""
        with self.state.lock:
            return endpoints.reimbursements.pay(self.state, idents, **values)

    def add_vendor_credit(self, **values):
        """A vendor credit; see `endpoints.vendor_credits.make` for the values. Returns its id."""
        with self.state.lock:
            return endpoints.vendor_credits.make(self.state, **values)["id"]

    def apply_vendor_credit(self, ident, bill, amount_minor=None):
        """Use a credit for a bill; returns the minor units used."""
        with self.state.lock:
            return endpoints.vendor_credits.apply(self.state, ident, bill, amount_minor)

    def unapply_vendor_credit(self, ident, bill, amount_minor=None):
        """Take a credit off a bill; returns the minor units taken off."""
        with self.state.lock:
            return endpoints.vendor_credits.unapply(self.state, ident, bill, amount_minor)

    def update_vendor_credit(self, ident, **changes):
        """Change wire fields, or `amount_minor`, `lines`, ... as in `add_vendor_credit`."""
        with self.state.lock:
            return endpoints.vendor_credits.change(self.state, ident, **changes)

    def add_repayment(self, **values):
        """A repayment; see `endpoints.repayments.make` for the values. Returns its id."""
        with self.state.lock:
            return endpoints.repayments.make(self.state, **values)["id"]

    def close_statement(self, end, start=None, **values):
        """A statement over what is on none yet; see `endpoints.statements.close` for the values. Returns its id."""
        with self.state.lock:
            return endpoints.statements.close(self.state, end, start, **values)["id"]

    def update_statement(self, ident, section=None, **changes):
        """Make it wrong, or add and remove lines; see `endpoints.statements.change`."""
        with self.state.lock:
            return endpoints.statements.change(self.state, ident, section, **changes)

    def release_statement(self, ident):
        """Tell what `close_statement` withheld."""
        with self.state.lock:
            return endpoints.statements.release(self.state, ident)

    def add_transfer(self, **values):
        """A payment of what is owed on cards; see `endpoints.transfers.make` for the values. Returns its id."""
        with self.state.lock:
            return endpoints.transfers.make(self.state, **values)["id"]

    def move_transfer(self, ident, status, **values):
        """Another status; see `endpoints.transfers.move`."""
        with self.state.lock:
            return endpoints.transfers.move(self.state, ident, status, **values)

    def add_cashback(self, **values):
        """A cashback; see `endpoints.cashbacks.make` for the values. Returns its id."""
        with self.state.lock:
            return endpoints.cashbacks.make(self.state, **values)["id"]

    def add_purchase_order(self, **values):
        """A purchase order; see `endpoints.purchase_orders.make` for the values. Returns its id."""
        with self.state.lock:
            return endpoints.purchase_orders.make(self.state, **values)["id"]

    def update_purchase_order(self, ident, **changes):
        """Change wire fields, or `lines`, `approved`, ... as in `add_purchase_order`."""
        with self.state.lock:
            return endpoints.purchase_orders.change(self.state, ident, **changes)

    def archive_purchase_order(self, ident, reason=None):
        with self.state.lock:
            return endpoints.purchase_orders.archive(self.state, ident, reason)

    def bill_purchase_order(self, ident, quantities=None, **values):
        """A bill matched with an order and its receipts; see `endpoints.purchase_orders.bill`. Returns its id."""
        with self.state.lock:
            return endpoints.purchase_orders.bill(self.state, ident, quantities, **values)["id"]

    def ordered(self, ident):
        """What was received and billed, line by line; see `endpoints.purchase_orders.totals`."""
        with self.state.lock:
            return endpoints.purchase_orders.totals(self.state, ident)

    def add_item_receipt(self, order, lines=None, **values):
        """A receipt of an order; see `endpoints.item_receipts.make` for the values. Returns its id."""
        with self.state.lock:
            return endpoints.item_receipts.make(self.state, order, lines, **values)["id"]

    def remove_item_receipt(self, ident):
        with self.state.lock:
            return endpoints.item_receipts.remove(self.state, ident)

    def add_user(self, first_name="Ada", last_name="Lovelace", email="ada@example.com", **values):
        """A user; see `endpoints.users.make` for the values. Returns the id."""
        with self.state.lock:
            return endpoints.users.make(self.state, first_name, last_name, email, **values)["id"]

    def update_user(self, ident, **changes):
        """Change wire fields of a user; an invitation is accepted by the status USER_ACTIVE."""
        with self.state.lock:
            return endpoints.users.change(self.state, ident, **changes)

    def finish_tasks(self, task=None, error=None):
        """Finish a deferred task, or all of them; see `endpoints.users.finish`. Returns their ids."""
        with self.state.lock:
            return endpoints.users.finish(self.state, task, error)

    @property
    def mails(self):
        """What Ramp would have sent to people: [{"kind", "to", "time"}]."""
        return self.state.mails

    def subscribe(self, url, kinds=events.TYPES, headers=None):
        """An active subscription, without the handshake; returns its row, with `_secret`."""
        with self.state.lock:
            return endpoints.webhooks.make(self.state, url, kinds, headers, status="active")

    def export_elsewhere(self, sync_type, ident):
        """Another accounting system than the one that holds the seat tells the outcome of an object (ready or not)."""
        with self.state.lock:
            target = endpoints.syncs.TARGETS[sync_type]
            return target.accept(self.state, self.state[target.table].get(ident), {})

    def remove(self, table, ident):
        """An object is gone from Ramp: no list shows it, and who asks for it is told that there is none."""
        with self.state.lock:
            return self.state[table].remove(ident)

    def seat(self, name, connection_type="DIRECT"):
        """Another accounting provider takes the business's one seat; ours, if there, is unlinked."""
        with self.state.lock:
            return endpoints.accounting_connection.seat(self.state, name, connection_type, owner=None)

    def request_sync(self, ident):
        """Somebody presses Sync on a transaction or reimbursement that is ready; returns the event, None if nobody is subscribed.

        Raises LookupError where the accounting connection has no such button, or the object is not offered.
        """
        with self.state.lock:
            return syncs.request(self, ident)

    def totals(self, **kwargs):
        with self.state.lock:
            return endpoints.transactions.totals(self.state, **kwargs)

    def payables(self, **kwargs):
        """What is owed per vendor and currency; see `payables.totals`."""
        with self.state.lock:
            return payables.totals(self.state, **kwargs)

    def owed(self, **kwargs):
        """What reimbursements move per person and currency; see `payables.owed`."""
        with self.state.lock:
            return payables.owed(self.state, **kwargs)

    def owed_on_cards(self, *args, **kwargs):
        """What is owed on cards per entity and currency; see `endpoints.statements.owed`."""
        with self.state.lock:
            return endpoints.statements.owed(self.state, *args, **kwargs)

    def counts(self):
        """Requests per "METHOD /path"."""
        return Counter(f"{entry['method']} {entry['path']}" for entry in self.requests)


def _read_body(request):
    """(body, readable): JSON or form as a dict; a body that cannot be read is None and not readable."""
    if request.mimetype in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return request.form.to_dict(), True
    data = request.get_data()
    if not data:
        return None, True
    try:
        return json.loads(data), True
    except ValueError:
        return None, False
