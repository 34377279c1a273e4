"""The processing of a request: hooks, faults, the rate limit, the contract and the endpoint."""

import importlib
import json
import logging
import pkgutil
import traceback
from dataclasses import dataclass, field

from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

from . import auth, endpoints, faults
from .errors import RampError
from .routes import ADMIN, API, ROUTES, Call

ENDPOINTS = [
    importlib.import_module(f'.{_module.name}', endpoints.__name__)
    for _module in pkgutil.iter_modules(endpoints.__path__)
]

URLS = Map([Rule(route.url_rule, endpoint=route, methods=[route.method]) for route in ROUTES], strict_slashes=False)
logger = logging.getLogger(__name__)
LOOPBACK = ('127.0.0.1', '::1', 'localhost')
HTML_404 = b'<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n'


@dataclass
class Answer:
    """An answer, and the network fault to send it with."""

    status: int
    body: bytes = b''
    headers: dict = field(default_factory=dict)
    cut: str = None  # "before": close without an answer; "half": close in the middle of the body
    trickle: str = None  # "headers" or "body": from there on, send single bytes
    pace: float = 0  # seconds between two bytes

    @classmethod
    def build_json(cls, status, payload):
        if status == 204:
            return cls(status)
        return cls(status, json.dumps(payload).encode(), {'Content-Type': 'application/json'})

    @classmethod
    def build_refusal(cls, error):
        """Return the answer for a :class:`RampError`."""
        return cls.build_json(error.status, error.build_body())

    @classmethod
    def build_html_not_found(cls):
        """Return a proxy's answer for an unknown address."""
        return cls(404, HTML_404, {'Content-Type': 'text/html; charset=utf-8'})


class RequestPipeline:
    """Answer requests, for a class with the attributes of `Simulator`."""

    def add_before_hook(self, hook):
        """Call `hook(method, path, body)` when a request arrives, before any work.

        If the hook raises a RampError, that is the answer.
        """
        self._before.append(hook)

    def add_after_hook(self, hook):
        """Call `hook(method, path, body)` when the work is done, before the client gets the answer."""
        self._after.append(hook)

    def answer_request(self, request):
        """Return the :class:`Answer` to a werkzeug request, and log the request in `requests`."""
        entry = {
            'method': request.method,
            'path': request.path,
            'query': request.args.to_dict(flat=False),
            'status': None,
            'time': self.state.read_time(),
            'fault': None,
        }
        try:
            body, readable = _read_request_body(request)
            if self.keep_bodies:
                entry['body'] = body
            self.requests.append(entry)
            result = self._answer_logged_request(request, entry, body, readable)
        except Exception:
            logger.exception('The simulator failed on %s %s', request.method, request.path)
            self.errors.append(traceback.format_exc())
            result = Answer.build_refusal(RampError(500, 'DEVELOPER_7000', 'Error inside the simulator'))
        entry['trace_id'] = self._next_trace_id()
        result.headers.setdefault('x-trace-id', entry['trace_id'])
        entry['status'] = None if result.cut == 'before' else result.status
        return result

    def _next_trace_id(self):
        with self.state.lock:
            trace = self.state.derive_stable_id('trace', self._traces)
            self._traces += 1
        return trace

    def _answer_logged_request(self, request, entry, body, readable):
        if request.path.startswith(ADMIN):
            return self._route_request(request, body, readable, None)
        name = request.path[len(API) :] if request.path.startswith(API) else request.path
        try:
            self._call_request_hooks(self._before, request, body)
        except RampError as error:
            return Answer.build_refusal(error)
        stage = (
            faults.FAULTS_BEFORE_WORK
            if auth.read_bearer_token(request)
            else set(faults.FAULTS_BEFORE_WORK) - {'dead_token'}
        )
        fault = self.faults.take_fault(stage, request.method, name)
        if fault:
            entry['fault'] = fault.kind
            if fault.kind != 'dead_token':
                return self._fail_before_work(fault)
            auth.kill_access_token(self.state, auth.read_bearer_token(request), as_not_found=True)
        if request.path.startswith(API) and not self._is_within_rate(request):
            return self._refuse_over_rate(self.retry_after)
        result = self._route_request(request, body, readable, name, entry)
        self._call_request_hooks(self._after, request, body)
        fault = self.faults.take_fault(faults.FAULTS_AFTER_WORK, request.method, name)
        if fault:
            entry['fault'] = fault.kind
            return self._fail_after_work(fault, result)
        return result

    def _call_request_hooks(self, hooks, request, body):
        for hook in hooks:
            hook(request.method, request.path, body)

    def _is_within_rate(self, request):
        with self.state.lock:
            return self.rate.is_source_allowed(request.remote_addr)

    def _refuse_over_rate(self, retry_after):
        # The guide gives 429 no error code, so this number is invented.
        result = Answer.build_refusal(RampError(429, 'DEVELOPER_7029', 'Too many requests'))
        if retry_after is not None:
            result.headers['Retry-After'] = str(retry_after)
        return result

    def _fail_before_work(self, fault):
        if fault.kind == 'rate_limit':
            return self._refuse_over_rate(fault.retry_after)
        if fault.kind == 'server_error':
            return Answer.build_refusal(RampError(fault.status, 'DEVELOPER_7000', 'Server error'))
        if fault.kind == 'html_error':
            return Answer.build_html_not_found()
        if fault.kind == 'timeout_before':
            self._stopping.wait(fault.seconds)
        if fault.kind == 'hang':
            self._stopping.wait()
        return Answer(500, cut='before')

    def _fail_after_work(self, fault, result):
        if fault.kind == 'error_after':
            return Answer.build_refusal(RampError(fault.status, 'DEVELOPER_7000', 'Server error'))
        if fault.kind.startswith('trickle'):
            result.trickle, result.pace = fault.kind.partition('_')[2], fault.pace
            return result
        if fault.kind == 'truncate':
            result.cut = 'half'
            return result
        if fault.kind == 'timeout_after':
            self._stopping.wait(fault.seconds)
        return Answer(500, cut='before')

    def _route_request(self, request, body, readable, name, entry=None):
        try:
            route, args = URLS.bind(request.host or 'localhost').match(request.path, request.method)
        except MethodNotAllowed as error:
            return Answer.build_refusal(RampError(405, 'DEVELOPER_7000', error.description))
        except (NotFound, HTTPException):
            return Answer.build_html_not_found()
        if route.base == ADMIN and self.host not in LOOPBACK:
            return Answer.build_html_not_found()
        call = Call(self, request, route, args, body)
        try:
            with self.state.lock:
                self._admit_call(call, readable, entry)
                result = route.handler(call)
        except RampError as error:
            return Answer.build_refusal(error)
        if isinstance(result, Response):
            return Answer(result.status_code, result.get_data(), dict(result.headers.items()))
        payload, status = result if isinstance(result, tuple) else (result, 200)
        if route.base == API:
            self._check_answer_contract(call, status, payload)
            payload, fault = self.faults.change_list_page(name, 'start' in request.args, payload)
            if fault:
                entry['fault'] = fault.kind
        return Answer.build_json(status, payload)

    def _admit_call(self, call, readable, entry):
        """Check token, scope, products, body, idempotency key and contract, in Ramp's order. Raise the refusal."""
        route, judge = call.route, self.contract
        if judge and not judge.has_route(route):
            judge = None
        if route.base == API and not route.open:
            scope = judge.find_required_scope(route) if judge else route.scope
            call.token = auth.check_access_token(call.request, self, scope)
        if (judge.requires_ramp_plus(route) if judge else route.plus) and not self.ramp_plus:
            # Ramp's real refusal is unknown.
            raise RampError(403, 'DEVELOPER_7101', 'This needs Ramp Plus')
        if route.bill_pay and not self.bill_pay:
            raise RampError(403, 'DEVELOPER_7101', 'This needs Bill Pay')
        if route.base != API:
            return
        if not readable or call.body is None and judge and judge.wants_request_body(route):
            raise RampError(400, 'DEVELOPER_7011', 'A JSON body is wanted')
        self._spend_idempotency_key(call)
        if judge:
            self._check_request_contract(judge, call, entry)

    def _spend_idempotency_key(self, call):
        if call.route.idempotent and isinstance(call.body, dict) and call.body.get('idempotency_key'):
            key = call.route.path_template, call.body['idempotency_key']
            if key in self.state.idempotency_keys:
                raise RampError(400, 'DEVELOPER_7005', 'Idempotency key already exists')
            # Ramp consumes the key even if it refuses this request later on.
            self.state.idempotency_keys.add(key)

    def _check_request_contract(self, judge, call, entry):
        route = call.route
        entry['unknown_parameters'] = sorted(set(call.query) - judge.list_query_names(route))
        try:
            judge.check_request(route, call.query, call.body)
        except RampError as error:
            self.request_violations.append(f'{route.method} {route.path_template}: {error.fields}')
            raise

    def _check_answer_contract(self, call, status, payload):
        if not self.contract or call.unchecked or not self.contract.has_route(call.route):
            return
        for problem in self.contract.list_answer_errors(call.route, status, payload, call.rows, call.rows_in):
            text = f'{call.route.method} {call.route.path_template} {status}: {problem}'
            logger.error('Answer breaks the contract: %s', text)
            self.contract_violations.append(text)


def _read_request_body(request):
    """Return (body, readable): JSON or form as a dict. An unreadable body is None and not readable."""
    if request.mimetype in ('application/x-www-form-urlencoded', 'multipart/form-data'):
        return request.form.to_dict(), True
    data = request.get_data()
    if not data:
        return None, True
    try:
        return json.loads(data), True
    except ValueError:
        return None, False
