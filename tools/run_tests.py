"""Every test: with pytest and pytest-odoo, with Odoo's own runner, and the system tests that kill processes.

    ./dev test                      all three
    ./dev test --only pytest -k money
"""
import argparse
import contextlib
import os
import subprocess
import time
from pathlib import Path

from runtime import ADDON, CHECKOUT, Runtime, chromium, say, script

SUITES = ('pytest', 'odoo', 'system')


def pytest_command(runtime, *arguments):
    return [runtime.python, '-m', 'pytest', '-p', 'no:cacheprovider', '-q', '-ra', '--durations=5', *arguments]


@contextlib.contextmanager
def database(runtime, source=None):
    """A database of this run's own: two runs at the same time do not meet. What killed runs left is dropped.

    :param source: the template to clone, if not the one with the addon
    """
    for name in runtime.postgres.databases():
        owner = name.removeprefix('ramp_test_')
        if name.startswith('ramp_test_') and owner.isdigit() and not Path(f'/proc/{owner}').exists():
            runtime.drop(name)
    name = runtime.database(f'ramp_test_{os.getpid()}', fresh=True, source=source)
    try:
        yield name
    finally:
        runtime.drop(name)


def run_pytest(runtime, extra):
    """The addon's tests in one process and one database, each in a transaction that is rolled back."""
    tests = runtime.addons / ADDON / 'tests'
    with database(runtime) as name:
        return subprocess.call(list(map(str, pytest_command(
            runtime, f'--odoo-database={name}', '--odoo-http', f'--odoo-config={runtime.config}', f'--ignore={tests / "system"}',
            tests, *extra))), env=runtime.environ(), cwd=runtime.addons / ADDON)


def run_odoo(runtime, extra):
    """The same tests as Odoo itself runs them, in the course of an upgrade of the addon."""
    with database(runtime) as name:
        return subprocess.call(runtime.odoo(
            '-d', name, '-u', ADDON, '--test-tags', f'/{ADDON}', '--stop-after-init', '--http-port', '0', '--log-level', 'warn',
            '--log-handler', 'py.warnings:CRITICAL', '--log-handler', 'odoo.tests.result:INFO', *extra),
            env=runtime.environ(), cwd=CHECKOUT)


def run_system(runtime, extra):
    """Real processes, real HTTP, real SIGKILL: databases of their own, nothing rolled back."""
    return subprocess.call(list(map(str, pytest_command(
        runtime, '-p', 'no:odoo', CHECKOUT / 'tests/system', *extra))), env={**runtime.environ(), 'RAMP_RUNTIME': '1'}, cwd=CHECKOUT)


def main():
    parser = argparse.ArgumentParser(prog='./dev test')
    parser.add_argument('--only', choices=SUITES, action='append')
    options, extra = parser.parse_known_args()
    runtime = Runtime().prepare()
    os.environ.update(runtime.environ())
    if not chromium():
        say('there is no Chromium here: the browser tests are SKIPPED')
    codes = {}
    for name in options.only or SUITES:
        started = time.monotonic()
        say(f'tests: {name}')
        codes[name] = globals()[f'run_{name}'](runtime, extra)
        say(f"tests: {name} {'passed' if not codes[name] else 'FAILED'} in {time.monotonic() - started:.0f} s")
    return 1 if any(codes.values()) else 0


if __name__ == '__main__':
    script(main)
