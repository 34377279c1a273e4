"""Run the simulator.

python -m simulator [--port N] [--seed N] [--transactions N] [--statements] [--no-validate] [--rate-limit N]
"""

import argparse
import signal
import threading

from . import Seed, Simulator


def read_command_options():
    parser = argparse.ArgumentParser(prog='simulator', description='A Ramp that runs offline.')
    parser.add_argument('--host', default='127.0.0.1')
    parser.add_argument('--port', type=int, default=8970)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--transactions', type=int, default=600)
    parser.add_argument('--months', type=int, default=6)
    parser.add_argument('--bills', type=int, default=0)
    parser.add_argument('--reimbursements', type=int, default=0)
    parser.add_argument('--statements', action='store_true', help='close one for each month with spend, and pay it')
    parser.add_argument('--problems', action='store_true', help='add one transaction of each bad kind')
    parser.add_argument('--newer-shape', action='store_true', help='entity_amount and merchant_amount too')
    parser.add_argument('--no-validate', action='store_true', help='do not check against the contract')
    parser.add_argument('--rate-limit', type=int, default=200, help='requests in 10 s; 0: no limit')
    return parser.parse_args()


def main():
    options = read_command_options()
    seed = Seed(
        seed=options.seed,
        transactions=options.transactions,
        months=options.months,
        problems=options.problems,
        newer_shape=options.newer_shape,
        bills=options.bills,
        reimbursements=options.reimbursements,
        statements=options.statements,
    )
    ramp = Simulator(
        seed, host=options.host, port=options.port, validate=not options.no_validate, rate_limit=options.rate_limit
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *args: stop.set())
    with ramp:
        print(f'Ramp is at {ramp.api_url}')
        print(f'client id {ramp.client_id}, client secret {ramp.client_secret}')
        print('contract checked' if ramp.contract else 'contract not checked')
        print(f'administration at {ramp.url}/_simulator/', flush=True)
        stop.wait()


if __name__ == '__main__':
    main()
