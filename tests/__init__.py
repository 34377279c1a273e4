# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from . import (
    test_coding,
    test_connection,
    test_holds,
    test_ledger,
    test_push,
    test_push_convergence,
    test_query_counts,
    test_ramp_api_client,
    test_ramp_api_money,
    test_ramp_api_payloads,
    test_screens,
    test_security,
    test_simulator,
    test_simulator_coding,
    test_simulator_payables,
    test_transaction,
)
