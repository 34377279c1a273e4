"""What a test holds of the simulated Ramp: what people, banks and time do to it, and what came of it, by business."""

from .cards import CardHandles
from .integration import IntegrationHandles
from .payables import PayableHandles
from .people import PeopleHandles
from .procurement import ProcurementHandles
from .request_log import RequestLog


class Handles(CardHandles, PayableHandles, ProcurementHandles, PeopleHandles, IntegrationHandles, RequestLog):
    """All of them. The class that inherits them has `state`, `requests` and the other attributes of `Simulator`."""
