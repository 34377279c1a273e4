"""Installation, upgrade and uninstallation: the documents of the business stay, and the integration in Ramp is given
back.
"""

import json
import subprocess
from pathlib import Path

from stage import PREFIX, Stage


def test_upgrade_and_uninstall(stage: Stage):
    database = stage.runtime.ensure_database(f'{PREFIX}lifecycle', fresh=True)
    try:
        done = subprocess.run(
            [str(stage.runtime.python), str(Path(__file__).with_name('lifecycle.py')), database],
            env=stage.environ(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert not done.returncode, done.stderr[-4000:]
        found = json.loads(done.stdout.splitlines()[-1])
    finally:
        stage.runtime.drop_database(database)
    before = found['before']
    assert before['expenses'] > 30 and before['linked'] == before['paid'] == before['expenses'] == len(
        before['entries']
    )
    assert before['files'] and before['states'] == ['posted']
    assert found['upgraded'] == before
    assert found['records_upgraded'] == found['records'] and found['state_upgraded'] == ['connected']
    assert found['after'] == before
    assert (found['tables'], found['columns'], found['jobs']) == ([], [], 0)
    assert found['seats'] == [False]
    assert ' ERROR ' not in done.stderr, done.stderr[-4000:]
