"""A Ramp that runs offline: stateful, true to Ramp's contract, with faults on demand.

Plain Python on werkzeug; it knows nothing of Odoo, nor of the connector's own client.
"""

from .app import Simulator
from .faults import KINDS, Fault
from .seed import Seed

__all__ = ['KINDS', 'Fault', 'Seed', 'Simulator']
