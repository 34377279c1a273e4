# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The number of examples for a property, and the number of rows that are tested of a table with similar rows.

By default there are few examples, and the same ones each time. RAMP_EXAMPLES=N makes N times as many. RAMP_FULL=1 makes
twenty times as many, and others each time; a failure prints a line that repeats it, to be kept as an `@example`.
RAMP_ROTATION selects the rows and the slow tests for a commit; each run prints it.
"""

import os
from zlib import crc32

from hypothesis import HealthCheck, settings

FULL = os.environ.get('RAMP_FULL') == '1'
ROTATION = int(os.environ.get('RAMP_ROTATION') or 0)  # another number for each commit
TIMES = float(os.environ.get('RAMP_EXAMPLES') or 1)


def examples(number):
    """Return settings, used as a decorator of a property: so many examples, and twenty times as many with RAMP_FULL."""
    return settings(
        max_examples=max(1, round(number * TIMES * (20 if FULL else 1))),
        derandomize=not FULL,
        print_blob=FULL,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def rotated(rows, of):
    """Return all rows in a full run, else one of so many rows, which changes with each commit."""
    rows = list(rows)
    return rows if FULL else rows[ROTATION % of :: of]


def in_turn(test):
    """Mark a slow test of which a commit runs a third, others each time. Alone, by name or in a full run, it always runs.

    Its class has quick tests that run in each commit.
    """
    test.is_in_turn = True
    return test


def is_its_turn(name):
    """Return whether a commit runs the slow test with this name."""
    return FULL or (ROTATION + crc32(name.encode())) % 3 == 0
