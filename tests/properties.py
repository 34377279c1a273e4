# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""How many examples a property is tried with, and how many rows of a table whose rows are much alike.

By default few, and the same ones each time. RAMP_EXAMPLES=N: N times as many. RAMP_FULL=1: twenty times as many, and
others each time; what fails prints a line that repeats it, to be kept as an `@example`. RAMP_ROTATION: which rows a
commit has; it is printed by each run.
"""

import os

from hypothesis import HealthCheck, settings

FULL = os.environ.get('RAMP_FULL') == '1'
ROTATION = int(os.environ.get('RAMP_ROTATION') or 0)  # another number with each commit
TIMES = float(os.environ.get('RAMP_EXAMPLES') or 1)


def examples(number):
    """Settings for a property, as a decorator of it: so many examples, twenty times as many with RAMP_FULL."""
    return settings(
        max_examples=max(1, round(number * TIMES * (20 if FULL else 1))),
        derandomize=not FULL,
        print_blob=FULL,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def rotated(rows, of):
    """All rows in a full run; else one of so many: others with each commit."""
    rows = list(rows)
    return rows if FULL else rows[ROTATION % of :: of]
