"""Every test: with pytest and pytest-odoo, with Odoo's own runner, and the system tests that kill processes.

    ./dev test                      all three
    ./dev test --only pytest -k money

Each keeps one core busy: with more, the first two run side by side (what Odoo's prints comes when it has ended), and the system tests
are shared out (`-n 0`: they are not, as a debugger wants it).
"""
import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from runtime import ADDON, CHECKOUT, Runtime, chromium, say, script

SUITES = ('pytest', 'odoo', 'system')
STAGES = 4  # each is a database and connections of its own, however many cores there are
CORES = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()


def pytest_command(runtime, *arguments):
    return [runtime.python, '-m', 'pytest', '-p', 'no:cacheprovider', '-q', '-ra', '--durations=5', *arguments]


@contextlib.contextmanager
def database(runtime, source=None, suite='any'):
    """A database of this run's own: two runs at the same time do not meet. What killed runs left is dropped.

    :param source: the template to clone, if not the one with the addon
    :param suite: for its name, where several are at work in this process
    """
    for name in runtime.postgres.databases():
        owner = name.removeprefix('ramp_test_').partition('_')[0]
        if name.startswith('ramp_test_') and owner.isdigit() and not Path(f'/proc/{owner}').exists():
            runtime.drop(name)
    name = runtime.database(f'ramp_test_{os.getpid()}_{suite}', fresh=True, source=source)
    try:
        yield name
    finally:
        runtime.drop(name)


def run_pytest(runtime, extra, output):
    """The addon's tests in one process and one database, each in a transaction that is rolled back."""
    tests = runtime.addons / ADDON / 'tests'
    with database(runtime, suite='pytest') as name:
        return subprocess.call(list(map(str, pytest_command(
            runtime, f'--odoo-database={name}', '--odoo-http', f'--odoo-config={runtime.config}', f'--ignore={tests / "system"}',
            tests, *extra))), env=runtime.environ(), cwd=runtime.addons / ADDON, stdout=output)


def run_odoo(runtime, extra, output):
    """The same tests as Odoo itself runs them, in the course of an upgrade of the addon."""
    with database(runtime, suite='odoo') as name:
        return subprocess.call(runtime.odoo(
            '-d', name, '-u', ADDON, '--test-tags', f'/{ADDON}', '--stop-after-init', '--http-port', '0', '--log-level', 'warn',
            '--log-handler', 'py.warnings:CRITICAL', '--log-handler', 'odoo.tests.result:INFO', *extra),
            env=runtime.environ(), cwd=CHECKOUT, stdout=output, stderr=output and subprocess.STDOUT)


def run_system(runtime, extra, output):
    """Real processes, real HTTP, real SIGKILL: databases of their own, nothing rolled back."""
    return subprocess.call(list(map(str, pytest_command(
        runtime, '-p', 'no:odoo', '-n', min(CORES, STAGES) if CORES > 1 else 0, '--dist', 'worksteal', CHECKOUT / 'tests/system', *extra))),
        env={**runtime.environ(), 'RAMP_RUNTIME': '1'}, cwd=CHECKOUT, stdout=output)


def run(runtime, suite, extra, output=None):
    """Whether a suite passed. `output`: file for what it prints, if that is to be shown later."""
    started = time.monotonic()
    say(f'tests: {suite}')
    passed = not globals()[f'run_{suite}'](runtime, extra, output)
    if output:
        output.seek(0)
        shutil.copyfileobj(output, sys.stdout.buffer)
        sys.stdout.flush()
    say(f"tests: {suite} {'passed' if passed else 'FAILED'} in {time.monotonic() - started:.0f} s")
    return passed


def main():
    parser = argparse.ArgumentParser(prog='./dev test')
    parser.add_argument('--only', choices=SUITES, action='append')
    options, extra = parser.parse_known_args()
    runtime = Runtime().prepare()
    os.environ.update(runtime.environ())
    if not chromium():
        say('there is no Chromium here: the browser tests are SKIPPED')
    suites = options.only or SUITES
    passed = []
    if CORES > 1 and {'pytest', 'odoo'} <= set(suites):
        suites = [suite for suite in suites if suite not in ('pytest', 'odoo')]
        with ThreadPoolExecutor(1) as beside, tempfile.TemporaryFile() as output:
            other = beside.submit(run, runtime, 'odoo', extra, output)
            passed += [run(runtime, 'pytest', extra), other.result()]
    passed += [run(runtime, suite, extra) for suite in suites]
    return 0 if all(passed) else 1


if __name__ == '__main__':
    script(main)
