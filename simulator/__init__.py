"""Simulate Ramp's developer API offline, with state, contract checks and faults on demand.

The package is plain Python on werkzeug. It imports neither Odoo nor the connector's own client.
"""

from .app import Simulator
from .faults import KINDS, Fault
from .seed import Seed

__all__ = ['KINDS', 'Fault', 'Seed', 'Simulator']
