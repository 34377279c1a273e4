"""Real Odoo processes on a real PostgreSQL, a simulated Ramp over HTTP, real SIGKILL. Run with `./dev test --only system`."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from stage import Stage


@pytest.fixture(scope='session')
def stage(tmp_path_factory):
    stage = Stage(tmp_path_factory.mktemp('system'))
    try:
        yield stage.open()
    finally:
        stage.close()
