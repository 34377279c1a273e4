"""Real Odoo processes on a real PostgreSQL, a simulated Ramp over HTTP, real SIGKILL. Run with `./dev test --only
system`.
"""

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import selection
from stage import Stage

SCENE = {  # the scene of tests that do not name one
    'test_payables_crash': 'bills',
    'test_statement_crash': 'cards later',
    'test_lifecycle_crash': 'one database',
    'test_server_crash': 'one server',
}
# Making a server takes a minute.
collect_ignore = [] if selection.FULL else ['test_server_crash.py']
LONG = {  # files: how many other tests one of their tests takes as long as
    'test_lifecycle_crash': 12,
    'test_countries': 20,
    'test_memory': 15,
    'test_lifecycle': 12,
}


def pytest_report_header():
    return 'every case' if selection.FULL else f'one case of each kind: RAMP_ROTATION={selection.ROTATION}'


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the marks in the same hook
def pytest_collection_modifyitems(items):
    """Keep the tests of one scene on one worker, so that its undisturbed run is made once. Other tests go to any
    worker.

    Short tests come last, because a long one that begins last leaves the other cores without work.
    """
    items[:] = [item for item in items if not has_no_case(item)]
    tests = Counter()
    for item in items:
        scene = getattr(item, 'callspec', None) and item.callspec.params.get('scene') or SCENE.get(item.path.stem)
        scene = getattr(item.module, 'KINDS', {}).get(scene, scene)  # scenes that are compared
        if scene or item.path.stem in ('test_crash', 'test_burnt', 'test_workers'):
            item.add_marker(pytest.mark.xdist_group(f'{item.path.stem} {scene}' if scene else 'card transactions'))
        tests[group_of(item)] += LONG.get(item.path.stem, 1)
    items.sort(key=lambda item: (-tests[group_of(item)], group_of(item)))


def has_no_case(item):
    """Whether pytest would skip it. In a full run each kill has a case of its own, so none is left to kill in turn."""
    return any(
        mark.kwargs.get('reason', '').startswith('got empty parameter set') for mark in item.iter_markers('skip')
    )


def group_of(item):
    mark = item.get_closest_marker('xdist_group')
    return mark.args[0] if mark else item.nodeid


def pytest_collection_finish(session):
    """Assert that pytest-xdist sees the groups. Otherwise each worker makes the scene again, which takes twice the
    time.
    """
    if os.environ.get('PYTEST_XDIST_WORKER') and not session.config.option.collectonly:
        alone = [
            item.nodeid for item in session.items if item.get_closest_marker('xdist_group') and '@' not in item.nodeid
        ]
        assert not alone, f'pytest-xdist does not see the groups of {alone}'


@pytest.fixture(scope='session')
def stage(tmp_path_factory):
    stage = Stage(tmp_path_factory.mktemp('system'))
    try:
        yield stage.open()
    finally:
        stage.close()
