"""Run the tests in lanes, side by side on all cores.

    ./dev test                      what a commit must pass
    ./dev test test_bill            only a file, a class or a part of a test's name
    ./dev test --only unit -x       one lane; unknown options go to pytest or Odoo
    ./dev test --full               every kill, every test under both runners, properties, and chaos and order by
                                    new seeds

| lane | what |
|---|---|
| lint, translations | `./dev lint`, `./dev i18n --check` |
| plain | tests that need no database: the client of Ramp's API, the simulator, and the package |
| unit | the addon's tests by pytest, each in a transaction that is rolled back; without the `odoo` lane's; a third of the slow ones |
| odoo | the addon's tests run by Odoo during an upgrade: those with the tag `ramp_smoke`; in a full run all |
| system | real processes, real HTTP, real SIGKILL |
"""

import argparse
import contextlib
import dataclasses
import functools
import itertools
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

from runtime import ADDON, CHECKOUT, OdooRuntime, ToolError, find_chromium, print_progress, run_script

CORES = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
WORKERS = min(CORES, 4)  # each has its own database and connections, on any number of cores
TESTS = CHECKOUT / 'tests'
PLAIN = ('test_package', 'test_ramp_api_', 'test_simulator')  # file name prefixes of tests that need no database
NO_TEST = 5  # pytest's exit code if no test matches the given words
CALM = {'PGOPTIONS': '-c synchronous_commit=off'}  # no test kills the server
TOURS = 'Tours'  # suffix of classes that drive a browser: Odoo's runner has them all, the unit lane only in a full run


@dataclasses.dataclass(frozen=True)
class TestLane:
    """A part of the tests that one command runs.

    :param prepare: function of (runtime, options) that returns a context, which lasts while the command runs; it yields
        (command, environment variables, folder)
    :param cores: the number that the command keeps busy
    :param seconds: more than this prints a warning, so that slow growth is noticed
    """

    prepare: Callable
    cores: int
    seconds: int


@contextlib.contextmanager
def make_test_database(runtime, source=None, suite='any'):
    """Yield the name of a database for this run only. Databases of killed runs are dropped.

    :param source: the template to clone; default: the one with the addon
    :param suite: part of the name, for several suites in this process
    """
    for name in runtime.postgres.list_databases():
        owner = name.removeprefix('ramp_test_').partition('_')[0]
        if name.startswith('ramp_test_') and owner.isdigit() and not Path(f'/proc/{owner}').exists():
            runtime.drop_database(name)
    name = runtime.ensure_database(f'ramp_test_{os.getpid()}_{suite}', fresh=True, source=source)
    try:
        yield name
    finally:
        runtime.drop_database(name)


def build_pytest_command(runtime, *arguments):
    """Return the command line of pytest with these arguments."""
    return [runtime.python, '-m', 'pytest', '-p', 'no:cacheprovider', '-q', '-ra', '--durations=10', *arguments]


def list_order_options(options):
    """Return pytest's options for a random order of classes and tests in a full run. No test may depend on another."""
    return ('--random-order-bucket=class', f'--random-order-seed={os.environ["RAMP_ROTATION"]}') if options.full else ()


def build_plugin_environ(runtime):
    """Return the environment in which pytest finds the plugins beside this file."""
    return {'PYTHONPATH': f'{CHECKOUT / "tools"}{os.pathsep}{runtime.build_environ()["PYTHONPATH"]}'}


def list_distribution_options(options, by):
    """Return pytest's options to distribute tests over processes, unless the user chose some by name."""
    return () if options.names or WORKERS < 2 else ('-n', WORKERS, '--dist', by)


@contextlib.contextmanager
def prepare_lint_lane(runtime, options):
    yield [runtime.python, CHECKOUT / 'tools/lint.py'], {}, CHECKOUT


@contextlib.contextmanager
def prepare_translations_lane(runtime, options):
    yield [runtime.python, CHECKOUT / 'tools/i18n.py', '--check'], {}, CHECKOUT


@contextlib.contextmanager
def prepare_plain_lane(runtime, options):
    files = options.files.get('plain') or [
        path.name for path in sorted(TESTS.glob('test_*.py')) if path.name.startswith(PLAIN)
    ]
    yield (
        build_pytest_command(
            runtime,
            '-p',
            'no:odoo',
            '-p',
            'plain_tests',
            *list_order_options(options),
            *(runtime.addons / ADDON / 'tests' / name for name in files),
            *options.arguments,
        ),
        build_plugin_environ(runtime),
        runtime.addons / ADDON,
    )


@contextlib.contextmanager
def prepare_unit_lane(runtime, options):
    tests = runtime.addons / ADDON / 'tests'
    if options.full:
        fetch_browser()
    files = options.files.get('unit') or [
        path.name for path in sorted(TESTS.glob('test_*.py')) if not path.name.startswith(PLAIN)
    ]
    tours = () if options.full or options.names else ('-k', f'not {TOURS}')
    selection = ('-p', 'commit_selection') if options.whole and not options.full else ()
    with make_test_database(runtime, runtime.ensure_test_template(), 'unit') as name:
        yield (
            build_pytest_command(
                runtime,
                f'--odoo-database={name}',
                '--odoo-http',
                f'--odoo-config={runtime.config}',
                *list_distribution_options(options, 'loadscope'),
                *list_order_options(options),
                *tours,
                *selection,
                *(tests / name for name in files),
                *options.arguments,
            ),
            # The processes clone the database with PostgreSQL's own programs.
            {
                **CALM,
                **build_plugin_environ(runtime),
                'PGHOST': runtime.postgres.socket,
                'PGUSER': runtime.postgres.user,
                'PATH': f'{runtime.postgres.get_program_path("psql").parent}{os.pathsep}{runtime.build_environ()["PATH"]}',
            },
            runtime.addons / ADDON,
        )


@contextlib.contextmanager
def prepare_odoo_lane(runtime, options):
    tags = f'/{ADDON}' if options.full else f'ramp_smoke/{ADDON}'
    fetch_browser()  # waits if it is under way
    with make_test_database(runtime, runtime.ensure_test_template(), 'odoo') as name:
        yield (
            runtime.build_odoo_command(
                '-d',
                name,
                '-u',
                ADDON,
                '--test-tags',
                tags,
                '--stop-after-init',
                '--http-port',
                '0',
                '--log-level',
                'warn',
                '--log-handler',
                'py.warnings:CRITICAL',
                '--log-handler',
                'odoo.tests.result:INFO',
                '--log-handler',
                f'odoo.addons.{ADDON}.tests:INFO',
                *options.arguments,
            ),
            {**CALM, 'RAMP_FULL': ''},  # the many examples are pytest's
            CHECKOUT,
        )


@contextlib.contextmanager
def prepare_system_lane(runtime, options):
    yield (
        build_pytest_command(
            runtime,
            '-p',
            'no:odoo',
            *list_distribution_options(options, 'loadgroup'),
            '--no-loadscope-reorder',
            *list_order_options(options),
            *(TESTS / 'system' / name for name in options.files.get('system', ['.'])),
            *options.arguments,
        ),
        {'RAMP_RUNTIME': '1'},
        CHECKOUT,
    )


LANES = {  # in starting order; seconds on two cores
    'plain': TestLane(prepare_plain_lane, 1, 120),
    'lint': TestLane(prepare_lint_lane, 1, 90),
    'translations': TestLane(prepare_translations_lane, 1, 90),
    'system': TestLane(prepare_system_lane, WORKERS, 540),  # needs less than the other lanes
    'odoo': TestLane(prepare_odoo_lane, 1, 540),
    'unit': TestLane(prepare_unit_lane, WORKERS, 540),
}


# -- choice by name


def find_named_tests(name):
    """Return ({lane: matching files}, the keyword for pytest, whether these files have other tests).

    `name` is a file, a class or a part of a test's name. Raise `ToolError` if nothing matches.
    """
    path, _colons, inside = name.partition('::')
    stem = Path(path).name.removesuffix('.py')
    tests = [('system', path) for path in sorted((TESTS / 'system').glob('test_*.py'))] + [
        ('plain' if path.name.startswith(PLAIN) else 'unit', path) for path in sorted(TESTS.glob('test_*.py'))
    ]
    of_file = [(lane, path) for lane, path in tests if path.stem in (stem, f'test_{stem}')]
    found = of_file or [
        (lane, path)
        for lane, path in tests
        if name.lower() in path.stem
        or re.search(rf'^\s*(class|def) \w*{re.escape(name)}', path.read_text(encoding='utf-8'), re.M | re.I)
    ]
    if not found:
        raise ToolError(f'no test file, class or test has {name!r} in its name')
    files = {}
    for lane, path in found:
        files.setdefault(lane, []).append(f'{path.name}::{inside}' if inside else path.name)
    return files, (inside or stem).rpartition('::')[2] if of_file else name, not of_file


# -- running


def run_test_lane(runtime, name, options, output=None):
    """Return the exit code of a lane. `output`: a file for its output, if that is shown later."""
    lane, started, pid = LANES[name], time.monotonic(), None
    print_progress(f'tests: {name}')
    with lane.prepare(runtime, options) as (command, environ, folder):
        process = subprocess.Popen(
            list(map(str, command)),
            cwd=folder,
            stdout=output,
            stderr=output and subprocess.STDOUT,
            env={**runtime.build_environ(), **{key: str(value) for key, value in environ.items()}},
        )
        try:
            pid, status, used = os.wait4(process.pid, 0)
        finally:
            if pid is None:
                process.terminate()
                process.wait()
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    if output:
        if name == 'odoo':
            append_slowest_tests(output)
        output.seek(0)
        shutil.copyfileobj(output, sys.stdout.buffer)
        sys.stdout.flush()
    result = {0: 'passed', NO_TEST: 'ran no test'}.get(process.returncode, 'FAILED')
    print_progress(
        f'tests: {name} {result} in {seconds:.0f} s '
        f'({used.ru_utime + used.ru_stime:.0f} s of a core, besides those of PostgreSQL)'
    )
    if seconds > lane.seconds and not options.full and CORES >= 2:
        print_progress(f'tests: {name} took more than the {lane.seconds} s that it should take at most')
    return process.returncode


def have_lanes_passed(codes):
    """Return whether the lanes passed. A lane without matching tests passes, unless all are without."""
    return set(codes) <= {0, NO_TEST} and 0 in codes


def append_slowest_tests(output):
    """Append the slowest ten tests to Odoo's log, as pytest does. Each test is logged when it starts."""
    output.seek(0)
    starts = re.findall(
        r'^\S+ (\d+):(\d+):(\d+),(\d+) .* Starting (\S+) \.\.\.', output.read().decode(errors='replace'), re.M
    )
    moments = [
        (int(hour) * 3600 + int(minute) * 60 + int(second) + int(part) / 1000, test)
        for hour, minute, second, part, test in starts
    ]
    taken = sorted(
        ((after - at) % 86400, test) for (at, test), (after, _next) in zip(moments, moments[1:], strict=False)
    )
    text = ''.join(f'{seconds:.2f}s {test}\n' for seconds, test in taken[:-11:-1])
    output.write(f'slowest 10 of {len(moments)}, with the set-up of the class that begins after them\n{text}'.encode())


def run_lanes_side_by_side(runtime, names, options):
    """Return the exit codes of all lanes. A lane begins when a core is free.

    One that needs a single core may run beside one that takes all.
    """
    waiting, running, codes = list(names), {}, []
    with ThreadPoolExecutor() as pool:

        def start_lane_task(function, cores, *arguments):
            running[pool.submit(function, *arguments)] = cores

        start_lane_task(fetch_browser, 0)  # waits for the network
        start_lane_task(prepare_test_template, 1, runtime)
        while waiting or running:
            while waiting and sum(running.values()) < CORES:
                name = waiting.pop(0)
                start_lane_task(run_lane_and_show, LANES[name].cores, runtime, name, options)
            done, _others = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                del running[future]
                codes.append(future.result())
    return codes


def prepare_test_template(runtime):
    """Make the template that several lanes need, while other lanes run. Return 0, an exit code."""
    runtime.ensure_test_template()
    return 0


@functools.cache  # reported once
def fetch_browser():
    """Fetch the browser of the tours, if it can be had. Return 0, an exit code."""
    if not find_chromium():
        print_progress('there is no Chromium here: the browser tests are SKIPPED')
    return 0


def run_lane_and_show(runtime, name, options):
    """Run a lane and print its output at the end, so that the outputs of several lanes do not mix."""
    with tempfile.TemporaryFile() as output:
        return run_test_lane(runtime, name, options, output)


def choose_test_rotation():
    """Return a number that changes with each commit and selects which of several cases of a kind run.

    RAMP_ROTATION overrides it.
    """
    given = os.environ.get('RAMP_ROTATION')
    if given:
        return given
    commit = subprocess.run(
        ['git', 'rev-parse', 'HEAD'], cwd=CHECKOUT, capture_output=True, text=True, check=False
    ).stdout
    return str(int(commit[:8] or '0', 16))


def describe_full_run(runtime):
    """Return what a full run has beyond `./dev test`, as a text of several lines."""
    command = [
        runtime.python,
        '-m',
        'pytest',
        '-p',
        'no:odoo',
        '-p',
        'no:cacheprovider',
        '-q',
        '--collect-only',
        TESTS / 'system',
    ]

    def count_system_cases(full):
        found = subprocess.run(
            list(map(str, command)),
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
            env={**runtime.build_environ(), 'RAMP_RUNTIME': '1', 'RAMP_FULL': full},
        )
        return found.stdout.count('::')

    properties = sum(path.read_text(encoding='utf-8').count('@given') for path in TESTS.glob('test_*.py'))
    return '\n'.join(
        [
            'A full run has beyond ./dev test:',
            f'  system: {count_system_cases("1")} cases instead of {count_system_cases("")}, '
            'and in those of push every kill instead of one of its kind',
            '  odoo: every test instead of those with the tag ramp_smoke; unit: the tours, and all slow tests instead of '
            'a third',
            f'  unit and plain: twenty times as many examples of {properties} properties, by a new chance',
            '  classes, and the tests of each, in another order',
            '  the addon installed anew instead of upgraded',
        ]
    )


def main():
    arguments = sys.argv[1:]
    words = list(itertools.takewhile(lambda argument: not argument.startswith('-'), arguments))
    parser = argparse.ArgumentParser(
        prog='./dev test',
        usage='./dev test [NAME ...] [options of this and of the runner]',
        epilog=('NAME: a test file, a class, or a part of the name of a file, a class or a test'),
    )
    parser.add_argument('--only', choices=LANES, action='append', help='a lane')
    parser.add_argument('--full', action='store_true', help='everything, by new chances')
    options, options.arguments = parser.parse_known_args(arguments[len(words) :])
    options.names, options.files = words, {}
    if options.arguments and not (options.only or options.names):
        parser.error(f'{" ".join(options.arguments)}: options of a runner need --only LANE, or names')
    names = options.only or list(LANES)
    found = [find_named_tests(name) for name in options.names]
    for files, _keyword, _others in found:
        for lane, paths in files.items():
            options.files.setdefault(lane, []).extend(paths)
    if any(others for _files, _keyword, others in found):  # pytest takes one choice for all files
        options.arguments = [*options.arguments, '-k', ' or '.join(keyword for _files, keyword, _others in found)]
    if options.names:
        names = [name for name in names if name in options.files]
    options.whole = names == list(LANES) and not options.names
    runtime = OdooRuntime().prepare_machine()
    os.environ.update(runtime.build_environ())
    os.environ['RAMP_ROTATION'] = choose_test_rotation()
    if options.full:
        os.environ['RAMP_FULL'] = '1'
        os.environ['RAMP_ROTATION'] = str(secrets.randbits(32))
        runtime.ensure_addon_template(new=True)
    print_progress(f'tests: RAMP_ROTATION={os.environ["RAMP_ROTATION"]}')
    if options.names or len(names) == 1:
        codes = [run_test_lane(runtime, name, options) for name in names]
    else:
        codes = run_lanes_side_by_side(runtime, names, options)
    if options.full:
        print(describe_full_run(runtime))
    return 0 if have_lanes_passed(codes) else 1


if __name__ == '__main__':
    run_script(main)
