"""What a test holds of the simulated Ramp, by business: what people, banks and time do to it, and what came of it."""

from .cards import CardHandles
from .integration import IntegrationHandles
from .payables import PayableHandles
from .people import PeopleHandles
from .procurement import ProcurementHandles
from .request_log import RequestLog


class Handles(CardHandles, PayableHandles, ProcurementHandles, PeopleHandles, IntegrationHandles, RequestLog):
    """The handles of all businesses, for a class that has the attributes of `Simulator`.

    Those that change something take the state's lock, so that a test may call them while requests are answered.
    """
