"""Methods for tests, by business area: they change the simulated Ramp and read the results."""

from .cards import CardHandles
from .integration import IntegrationHandles
from .payables import PayableHandles
from .people import PeopleHandles
from .procurement import ProcurementHandles
from .request_log import RequestLog


class Handles(CardHandles, PayableHandles, ProcurementHandles, PeopleHandles, IntegrationHandles, RequestLog):
    """All handles, for a class with the attributes of `Simulator`.

    Handles that change data take the state's lock, so tests may call them while requests are answered.
    """
