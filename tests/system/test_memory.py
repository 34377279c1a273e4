"""The ledger is not kept in memory: a run, the nightly check and the tie-out take as much for a large one as for a
small one.
"""

import json
import subprocess
from pathlib import Path

from selection import FULL
from stage import PREFIX, Stage

SMALL, LARGE = 1000, 200_000 if FULL else 20_000
PER_ROW = 300  # bytes for one more row at most; its payload alone takes ten times as many once it is read
MOST = 120 * 2**20  # bytes more than in an idle process


def test_memory_does_not_grow_with_the_ledger(stage: Stage):
    database = stage.runtime.ensure_database(f'{PREFIX}memory', fresh=True)
    try:
        done = subprocess.run(
            [str(stage.runtime.python), str(Path(__file__).with_name('memory.py')), database, str(SMALL), str(LARGE)],
            env=stage.environ(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert not done.returncode, done.stderr[-4000:]
        small, large = json.loads(done.stdout.splitlines()[-1])
    finally:
        stage.runtime.drop_database(database)
    print(f'{small}\n{large}')
    for name in set(small) - {'rows'}:
        grown = (large[name] - small[name]) / (LARGE - SMALL)
        assert grown < PER_ROW and large[name] < MOST, (
            f'{name}: {grown:.0f} bytes for each row, {large[name] / 2**20:.0f} MB in all'
        )
