from . import test_ramp_api_client
from . import test_ramp_api_money
from . import test_ramp_api_payloads
from . import test_simulator
