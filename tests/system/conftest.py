"""Real Odoo processes on a real PostgreSQL, a simulated Ramp over HTTP, real SIGKILL. Run with `./dev test --only system`."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import selection
from stage import Stage

SCENE = {  # of tests that do not say which
    'test_payables_crash': 'bills', 'test_statement_crash': 'cards later', 'test_lifecycle_crash': 'one database'}


def pytest_report_header():
    return 'every case' if selection.FULL else f'one case of each kind: RAMP_ROTATION={selection.ROTATION}'


def pytest_collection_modifyitems(items):
    """Tests of one scene on one worker: its undisturbed run is made once. The others go wherever there is time."""
    for item in items:
        scene = getattr(item, 'callspec', None) and item.callspec.params.get('scene') or SCENE.get(item.path.stem)
        if scene or item.path.stem in ('test_crash', 'test_burnt', 'test_workers'):
            item.add_marker(pytest.mark.xdist_group(f'{item.path.stem} {scene}' if scene else 'card transactions'))


@pytest.fixture(scope='session')
def stage(tmp_path_factory):
    stage = Stage(tmp_path_factory.mktemp('system'))
    try:
        yield stage.open()
    finally:
        stage.close()
