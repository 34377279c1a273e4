"""Every test: with pytest and pytest-odoo, with Odoo's own runner, and the system tests that kill processes.

    ./dev test                      all three
    ./dev test --only pytest -k money
"""
import argparse
import os
import subprocess
import sys
import time

from runtime import ADDON, CHECKOUT, Fail, Runtime, chromium, say

SUITES = ('pytest', 'odoo', 'system')


def pytest_command(runtime, *arguments):
    return [runtime.python, '-m', 'pytest', '-p', 'no:cacheprovider', '-q', '-ra', '--durations=5', *arguments]


def run_pytest(runtime, extra):
    """The addon's tests in one process and one database, each in a transaction that is rolled back."""
    runtime.database('ramp_test_pytest', fresh=True)
    tests = runtime.addons / ADDON / 'tests'
    return subprocess.call(list(map(str, pytest_command(
        runtime, '--odoo-database=ramp_test_pytest', '--odoo-http', f'--odoo-config={runtime.config}',
        f'--ignore={tests / "system"}', tests, *extra))),
        env=runtime.environ(), cwd=runtime.addons / ADDON)


def run_odoo(runtime, extra):
    """The same tests as Odoo itself runs them, its own checks of views, access and translations of the addon included."""
    runtime.database('ramp_test_odoo', fresh=True)
    return subprocess.call(runtime.odoo(
        '-d', 'ramp_test_odoo', '-u', ADDON, '--test-tags', f'/{ADDON}', '--stop-after-init', '--http-port', '0', '--log-level', 'warn',
        '--log-handler', 'py.warnings:CRITICAL', *extra), env=runtime.environ(), cwd=CHECKOUT)


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
    try:
        sys.exit(main())
    except Fail as failure:
        print(f'dev: {failure}.', file=sys.stderr)
        sys.exit(1)
