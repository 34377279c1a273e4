"""Run Odoo's own tests of the modules this addon changes, without it and with it, and compare the results.

    ./dev core-tests                   both sides, half an hour each
    ./dev core-tests --reuse           the side without the addon only if it was not run with this Odoo before
    ./dev core-tests --only without    one side, nothing compared; --reuse finds its result later
    ./dev core-tests --tags /account/tests/test_tax.py:TestTax.test_division

Both databases have the same modules besides the addon, without demo data. The modules are upgraded, because Odoo runs
`at_install` tests only during an upgrade, and `post_install` tests only of upgraded modules. The `at_install` tests
then see the addon's tables but not its Python code, because they run before the modules that build on theirs are
loaded. So they are run again at the end, with the others (`core_side.py`).
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import time
from collections import Counter

from run_tests import make_test_database
from runtime import (
    ADDON,
    CHECKOUT,
    TEMPLATE_MODULES,
    OdooRuntime,
    ToolError,
    compute_digest,
    find_chromium,
    get_cache_dir,
    print_progress,
    run_command,
    run_in_background,
    run_script,
)

MODULES = ('account', 'account_payment', 'hr_expense', 'purchase')
LAUNCHER = CHECKOUT / 'tools/core_side.py'
SIDES = ('without', 'with')
PROGRESS = 60  # seconds between two progress lines
RECORD = re.compile(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \d+ (?P<level>\w+) \S+ (?P<logger>[\w.-]+): (?P<text>.*)')
# Odoo ends every record with the queries and seconds of a request. A test has no request.
TAIL = re.compile(r'\s*(- - -|\d+ \d+\.\d+ -?\d+\.\d+( r[ow](->rw)?)?)?\s*$')
TESTS = re.compile(r'odoo\.addons\.\w+\.tests\.|odoo\.tests\.suite$')
STARTED = re.compile(r'Starting (\S+) \.\.\.')
SKIPPED = re.compile(r'skipped (?:Subtest )?(?P<name>\S+)(?: \((?P<holder>odoo\.addons\.\S+)\))?(?P<which>.*?) : ')
FAILED = re.compile(r'(FAIL|ERROR): (?:Subtest )?(\S+)(?: \((odoo\.addons\.\S+)\))?')
TOTALS = re.compile(r'(\d+) failed, (\d+) error\(s\) of (\d+) tests when loading database')
UPGRADE = ' (during the upgrade)'


def format_test_address(logger, name):
    """Return a test's name in the form of `--tags`: `/account/tests/test_tax.py:TestTax.test_division`."""
    return f'/{logger.removeprefix("odoo.addons.").replace(".", "/")}.py:{name}'


def read_log_records(log):
    """Yield level, logger and text of all records in a log of Odoo, tracebacks included."""
    found = None
    with open(log, encoding='utf-8', errors='replace') as lines:
        for line in lines:
            match = RECORD.match(line)
            if match:
                if found:
                    yield found
                found = [*match.groups()]
            elif found:
                found[2] += '\n' + line.rstrip('\n')
    if found:
        yield found


class LogResult:
    """The results in a log of Odoo, of a run that is finished or still going on."""

    def __init__(self, log):
        self.log = log
        self.outcomes = {}  # test -> passed, skipped, FAIL or ERROR
        self.details = {}  # test that did not pass -> its tracebacks
        self.totals = None
        self.phase = UPGRADE
        self.started = Counter()
        self.flavours = Counter()
        for level, logger, text in read_log_records(log):
            self._read_log_record(level, logger, text)

    def _read_log_record(self, level, logger, text):
        if logger == 'odoo.tests.result':
            match = TOTALS.match(text)
            if match:
                self.totals = dict(zip(('failed', 'errors', 'run'), map(int, match.groups())))
        if logger == 'odoo.service.server' and text.startswith('Starting post tests'):
            self.phase = ''
        if not TESTS.match(logger):
            return
        match = STARTED.match(text)
        if match:
            self.started[logger.split('.')[2]] += 1
            self.outcomes.setdefault(self._get_test_name(logger, match[1]), 'passed')
        match = SKIPPED.match(text)
        if match:
            self.outcomes[self._get_test_name(logger, match['name'], match['holder']) + match['which']] = 'skipped'
        match = FAILED.match(text)
        if match and level == 'ERROR':
            name = self._get_test_name(logger, match[2], match[3])
            self.flavours[match[1]] += 1
            self.outcomes[name] = match[1] if self.outcomes.get(name) != 'ERROR' else 'ERROR'
            self.details.setdefault(name, []).append(
                [line for line in (TAIL.sub('', line) for line in text.splitlines()) if line]
            )

    def _get_test_name(self, logger, name, holder=None):
        """Return the name of a test, or of `setUpClass` and `tearDownClass`.

        Odoo logs the latter two under the runner's name.

        :param holder: the class, if the runner's text has it
        """
        if holder:
            logger, _dot, class_name = holder.rpartition('.')
            name = f'{class_name}.{name}'
        return format_test_address(logger, name) + self.phase

    def count_outcomes(self, outcome):
        """Return the number of tests with this outcome: passed, skipped, FAIL or ERROR."""
        return sum(found == outcome for found in self.outcomes.values())

    def check_odoo_totals(self):
        """Check that Odoo's own totals match what was read.

        Raise `ToolError` if not, because a comparison would be wrong.
        """
        if not self.totals:
            raise ToolError(f'Odoo ended before its tests did (see {self.log})')
        read = {'failed': self.flavours['FAIL'], 'errors': self.flavours['ERROR'], 'run': self.started.total()}
        if read != self.totals:
            raise ToolError(f'Odoo counted {self.totals} but its log shows {read} (see {self.log})')
        if not read['run']:
            raise ToolError(f'no test was run (see {self.log})')
        return self

    def list_last_lines(self, name, count):
        """Return the last lines of each traceback of a test, this many of each."""
        return [line for traceback in self.details.get(name, ()) for line in traceback[-count:]]


class SideComparison:
    """The runs for one choice of modules and tags: their logs, and what they depend on."""

    def __init__(self, runtime, modules, tags):
        self.runtime = runtime
        self.modules = modules
        self.tags = tags or ','.join(f'/{module}' for module in modules)
        release = (runtime.home / 'odoo/release.py').stat()
        self.folder = (
            get_cache_dir()
            / 'core-tests'
            / compute_digest(
                runtime.home,
                release.st_mtime_ns,
                release.st_size,
                TEMPLATE_MODULES,
                ','.join(modules),
                self.tags,
                LAUNCHER.read_text(encoding='utf-8'),
                runtime.python,
                find_chromium(),
                shutil.which('wkhtmltopdf'),
            )
        )
        self.folder.mkdir(parents=True, exist_ok=True)

    def get_log_path(self, side):
        """Return the path of the log of one side. A checkout has its own log of the side with the addon."""
        return self.folder / ('without.log' if side == 'without' else f'with-{compute_digest(CHECKOUT)}.log')

    def get_note_path(self, side):
        """Return the path of the note of a finished run: the installed modules, and the seconds."""
        return self.get_log_path(side).with_suffix('.json')

    def list_installed_modules(self, name):
        """Return the names of the modules that are installed in a database, sorted."""
        return self.runtime.postgres.run_sql(
            "SELECT name FROM ir_module_module WHERE state = 'installed' ORDER BY name", database=name
        ).split()

    def is_side_reusable(self, side):
        """Return whether a former run of this side has a result that still holds."""
        return side == 'without' and self.get_note_path(side).exists() and self.get_log_path(side).exists()

    def run_core_side(self, side):
        """Run the tests of one side. Return its `LogResult`. Raise `ToolError` if they cannot be run."""
        log, note = self.get_log_path(side), self.get_note_path(side)
        note.unlink(missing_ok=True)
        runtime = self.runtime
        # Odoo's switches in the shell (retries, a limit of failures) would make the sides differ.
        environ = {name: value for name, value in runtime.build_environ().items() if not name.startswith('ODOO_TEST_')}
        with make_test_database(
            runtime, runtime.ensure_base_template() if side == 'without' else runtime.ensure_addon_template()
        ) as name:
            missing = [module for module in self.modules if module not in self.list_installed_modules(name)]
            if missing:
                print_progress(f'core tests {side} {ADDON}: installing {", ".join(missing)}')
                run_command(
                    runtime.build_odoo_command(
                        '-d', name, '-i', ','.join(missing), '--stop-after-init', '--no-http', '--log-level=warn'
                    ),
                    what=f'{", ".join(missing)} could not be installed',
                    env=environ,
                    cwd=CHECKOUT,
                )
            installed = self.list_installed_modules(name)
            lost = [module for module in self.modules if module not in installed]
            if lost:
                raise ToolError(f'there is no module {", ".join(lost)} in this Odoo')
            print_progress(f'core tests {side} {ADDON}: {self.tags} with {len(installed)} modules, log in {log}')
            started = time.monotonic()
            command = [
                runtime.python,
                LAUNCHER,
                '-c',
                runtime.config,
                '-d',
                name,
                '-u',
                ','.join(self.modules),
                '--test-tags',
                self.tags,
                '--stop-after-init',
                '--http-port',
                '0',
                '--log-level',
                'info',
                '--log-handler',
                'py.warnings:CRITICAL',
            ]
            with run_in_background(command, name='Odoo', log=log, env=environ, cwd=CHECKOUT) as process:
                while True:
                    try:
                        process.wait(PROGRESS)
                        break
                    except subprocess.TimeoutExpired:
                        self._print_side_progress(side, started)
            result = LogResult(log).check_odoo_totals()
            note.write_text(
                json.dumps({'installed': installed, 'seconds': round(time.monotonic() - started)}), encoding='utf-8'
            )
        return result

    def _print_side_progress(self, side, started):
        result = LogResult(self.get_log_path(side))
        tests = list(result.outcomes)
        print_progress(
            f'core tests {side} {ADDON}: {result.started.total()} tests, {result.flavours["FAIL"]} failed, '
            f'{result.flavours["ERROR"]} errors, {(time.monotonic() - started) / 60:.0f} min'
            + (f', now {tests[-1]}' if tests else ', Odoo is upgrading the modules')
        )

    def check_same_modules(self):
        """Check that the two databases differ in the addon only. Raise `ToolError` if not."""
        without, with_addon = (
            set(json.loads(self.get_note_path(side).read_text(encoding='utf-8'))['installed']) for side in SIDES
        )
        if without ^ with_addon != {ADDON}:
            raise ToolError(f'the sides differ in more than the addon: {", ".join(sorted(without ^ with_addon))}')


def print_side_totals(comparison, results):
    """Print one line per side: how many tests ran, failed and were skipped, and by module."""
    print(f"\nOdoo's own tests, {comparison.tags}\n")
    modules = sorted({module for result in results.values() for module in result.started})
    print(
        f'{"":24}{"run":>8}{"failed":>8}{"errors":>8}{"skipped":>9}{"minutes":>9}  '
        + ''.join(f'{module:>17}' for module in modules)
    )
    for side, result in results.items():
        seconds = json.loads(comparison.get_note_path(side).read_text(encoding='utf-8'))['seconds']
        print(
            f'{side + " " + ADDON:24}{result.totals["run"]:>8}{result.totals["failed"]:>8}{result.totals["errors"]:>8}'
            f'{result.count_outcomes("skipped"):>9}{seconds / 60:>9.1f}  '
            + ''.join(f'{result.started[module]:>17}' for module in modules)
        )
    print()


def print_side_difference(without, with_addon):
    """Print what differs, and a summary of what fails on both sides. Return the number of tests that differ."""
    names = [*with_addon.outcomes, *(name for name in without.outcomes if name not in with_addon.outcomes)]
    both = [name for name in names if without.outcomes.get(name) == with_addon.outcomes.get(name) in ('FAIL', 'ERROR')]
    if both:
        print(f'Not passed on both sides, so not because of the addon: {len(both)}')
        for name in both:
            print(f'  {with_addon.outcomes[name]:8} {name}')
            for line in with_addon.list_last_lines(name, 1)[:1]:
                print(f'           {line.strip()[:120]}')
        print()
    different = [name for name in names if without.outcomes.get(name) != with_addon.outcomes.get(name)]
    # The same test may fail on both sides, but for another reason in its subtests.
    different += [name for name in both if len(without.details[name]) != len(with_addon.details[name])]
    print(f'Different: {len(different)}')
    for name in different:
        print(
            f'  {name}\n    without: {without.outcomes.get(name, "not run")}, with: '
            f'{with_addon.outcomes.get(name, "not run")}'
        )
        for side, result in (('without', without), ('with', with_addon)):
            for line in result.list_last_lines(name, 6):
                print(f'      {side}: {line}')
    print(f'\nLogs: {without.log}\n      {with_addon.log}')
    return len(different)


def read_core_options():
    parser = argparse.ArgumentParser(prog='./dev core-tests')
    parser.add_argument('--modules', default=','.join(MODULES), help='whose tests, by commas')
    parser.add_argument('--tags', help="Odoo's --test-tags, in place of all tests of the modules")
    parser.add_argument(
        '--reuse', action='store_true', help='take the side without the addon from a former run with the same Odoo'
    )
    parser.add_argument('--only', choices=SIDES, help='run one side and compare nothing')
    return parser.parse_args()


def main():
    options = read_core_options()
    modules = sorted(filter(None, options.modules.split(',')))
    if not modules or ADDON in modules:
        raise ToolError('name modules of Odoo in --modules')
    runtime = OdooRuntime().prepare_machine()
    os.environ.update(runtime.build_environ())
    if not find_chromium():
        print_progress('there is no Chromium here: the browser tours are SKIPPED on both sides')
    comparison = SideComparison(runtime, modules, options.tags)
    results = {}
    for side in [options.only] if options.only else SIDES:
        if options.reuse and comparison.is_side_reusable(side):
            print_progress(f'core tests {side} {ADDON}: the result of a former run is reused')
            results[side] = LogResult(comparison.get_log_path(side)).check_odoo_totals()
        else:
            results[side] = comparison.run_core_side(side)
    print_side_totals(comparison, results)
    if options.only:
        print(f'Log: {results[options.only].log}')
        return 0
    comparison.check_same_modules()
    return 1 if print_side_difference(*results.values()) else 0


if __name__ == '__main__':
    run_script(main)
