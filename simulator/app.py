"""The simulated Ramp: its options, start and stop, snapshots and resets."""

import threading
import time

from . import auth, coding, contract, events, faults, memory, server
from .handles import Handles
from .pipeline import ENDPOINTS, RequestPipeline
from .routes import API
from .seed import Seed
from .state import State, read_utc_now
from .webhooks import Webhooks


class Simulator(RequestPipeline, Handles):
    """A Ramp on localhost.

    Use it as a context manager: `with Simulator(Seed(transactions=50)) as ramp: requests.get(ramp.api_url + ...)`.

    :param seed: a :class:`Seed`; None: the default one
    :param clock: function that returns Ramp's current time as an aware datetime
    :param monotonic: function that returns seconds; the clock of the rate limit and of webhook retries
    :param validate: check requests and answers against the contract, if its file is there
    :param scopes: the scopes granted to the app; a token gets only these, without an error
    :param rate_limit: requests per `rate_window` seconds and source address; 0 switches the limit off
    :param retry_after: seconds in the Retry-After header of a 429; None: no such header
    :param dead_tokens_not_found: dead tokens answer 404 DEVELOPER_7002 instead of 401 DEVELOPER_7028
    :param resync: answer to a success for an object that is already synced: "refuse" or "accept"
    :param keep_bodies: keep request bodies in the log
    :param ramp_plus: the business has Ramp Plus; without it there are no purchase orders and no item receipts
    :param bill_pay: the business pays bills by Ramp; without it the API creates and changes no bills
    :param hide_three_way: /purchase-orders leaves out orders with three-way match unless the request asks for them
    :param task_seconds: seconds until a deferred task creates its user; None: not before `finish_user_tasks`
    :param webhooks: options of :class:`Webhooks`, as a dict
    :param redirect_uris: addresses of the app to which a person is sent back after signing in; none: this is switched off
    """

    def __init__(
        self,
        seed=None,
        *,
        host='127.0.0.1',
        port=0,
        clock=read_utc_now,
        monotonic=time.monotonic,
        validate=True,
        client_id='ramp_id_simulator',
        client_secret='ramp_sec_simulator',
        scopes=auth.SCOPES,
        token_lifetime=864000,
        rate_limit=200,
        rate_window=10,
        retry_after=None,
        dead_tokens_not_found=False,
        resync='refuse',
        keep_bodies=False,
        ramp_plus=True,
        bill_pay=True,
        hide_three_way=True,
        task_seconds=0,
        webhooks=None,
        redirect_uris=(),
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
        self.bill_pay = bill_pay
        self.hide_three_way = hide_three_way
        self.task_seconds = task_seconds
        self.redirect_uris = tuple(redirect_uris)
        self.is_consent_given, self.rotates_refresh_tokens = True, False
        self.monotonic = monotonic
        self.webhooks = Webhooks(self, **(webhooks or {}))
        self.rate = auth.RateLimit(rate_limit, rate_window, monotonic)
        self.contract = contract.load_contract() if validate else None
        self._server = None
        self._stopping = threading.Event()
        self.reset_business()

    def reset_business(self):
        """Go back to the seed: data, faults, hooks, logs and tokens."""
        self.newer_shape = self.seed.newer_shape
        self.state = State(self.seed.seed, self.clock)
        for module in (coding, *ENDPOINTS):
            for name, make in getattr(module, 'TABLES', {}).items():
                self.state.tables[name] = make()
        self.faults = faults.Faults(self.seed.seed)
        self.rate.forget_requests()
        self._traces = 0
        self.requests = []
        self.contract_violations = []  # our answers that break the contract: a bug in the simulator
        self.request_violations = []  # refused requests that break the contract: a bug in the client or its test
        self.errors = []  # exceptions from handlers and hooks
        self.leaked_tokens = 0
        self._before, self._after = [], []
        self.seed.fill_state(self.state)
        self.webhooks.forget_events()

    # -- snapshots

    def take_snapshot(self):
        """Return everything that a test may change, for `restore_snapshot`.

        That is data, faults, hooks, logs, tokens, events and options, and whether and where the simulator listens.
        """
        with self.webhooks.pause_sending(), self.state.lock:
            return {
                'listens': self._find_listening_address(),
                'clock': self.state.clock,
                'state': self.state.snapshot_data(),
                'parts': [memory.remember_part(part) for part in self._list_remembered_parts()],
            }

    def restore_snapshot(self, kept):
        """Go back to what `take_snapshot` returned. The same snapshot can be restored several times."""
        if self._find_listening_address() != kept['listens']:
            self.stop_server()
        with self.webhooks.pause_sending(), self.state.lock:
            self.state.restore_data(kept['state'])
            self.state.clock = kept['clock']
            for part, remembered in zip(self._list_remembered_parts(), kept['parts'], strict=True):
                memory.restore_part(part, remembered)
            events.watch_tables(self.state, self.webhooks.emit_event)
        if kept['listens'] and not self._server:
            self.start_server()

    def _list_remembered_parts(self):
        return self, self.faults, self.rate, self.webhooks

    def _find_listening_address(self):
        return self._server and self._server.server_address[:2]

    # -- start and stop

    def start_server(self):
        self._stopping.clear()
        self._server = server.Server((self.host, self.port), self.answer_request, self._stopping)
        self.port = self._server.server_address[1]
        threading.Thread(
            target=self._server.serve_forever, kwargs={'poll_interval': 0.02}, name='ramp-simulator', daemon=True
        ).start()
        self.webhooks.start_sender()
        return self

    def stop_server(self):
        if self._server:
            self.webhooks.stop_sender()
            self._stopping.set()
            self._server.shutdown()
            self._server.close_kept_connections()
            self._server.server_close()
            self._server = None

    def __enter__(self):
        return self.start_server()

    def __exit__(self, *exc):
        self.stop_server()

    @property
    def url(self):
        return f'http://{self.host}:{self.port}'

    @property
    def api_url(self):
        return self.url + API
