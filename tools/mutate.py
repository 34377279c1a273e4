"""Check that the tests notice broken lines: break one line of the addon at a time and run the tests that reach it.

    ./dev mutate --sample 40 --seed 1           forty mutants, chosen at random
    ./dev mutate --paths flows/bills/bill.py flows         only these files and folders
    ./dev mutate --mutant flows/bills/bill.py:120    those of a line, or the one with this name in the output
    ./dev mutate --map                          only renew the map of tests and lines

The map comes from running every test file once under coverage (about an hour on two busy cores). It is kept in one part
per test file, so a changed test file is run again by itself. Lines of the addon that have moved since are found by
comparing the files. Each mutant runs in a copy of the addon with its own database. Survivors are printed as
differences. Some are equivalent to the original, and others should be noticed by a test. Tests further away may catch
what survived the nearest ones: see `--seconds`.
"""

import argparse
import ast
import bisect
import contextlib
import dataclasses
import difflib
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import mutants
from coverage import CoverageData
from mutants import Mutant
from runtime import ADDON, CHECKOUT, Fail, Runtime, cache_dir, compiled_dir, digest, locked, say, script

PREFIX = 'ramp_mutate_'
SKIPPED = ('.git', '__pycache__', '.hypothesis', '.pytest_cache', '.ruff_cache')
CLASS = 6  # maximum seconds that a test class takes to begin
PATIENCE = 120  # seconds that a run may take before its tests begin
SLOWER = 3  # tests may take this many times as long as in the map
MAPPING = 5400  # seconds that a test file may take under coverage
FAILED = re.compile(r'^(?:(?:SUB)?FAILED.*?|ERROR) (tests/\S+\.py(?:::\S+)?)', re.M)
PASSED, REFUSED = 0, 1  # pytest's exit codes: all passed, some failed


# --------------------------------------------------------------------------------------------- workers


class Worker:
    """A copy of the addon with its own database, so mutants do not affect each other."""

    def __init__(self, runtime, number):
        self.runtime = runtime
        self.name = f'{PREFIX}{os.getpid()}_{number}'
        self.home = cache_dir() / 'mutants' / self.name
        self.process = None
        self.stamp = 0
        self.addon = self.home / ADDON
        shutil.copytree(CHECKOUT, self.addon, ignore=shutil.ignore_patterns(*SKIPPED))
        self.config = self.home / 'odoo.conf'
        self.config.write_text(
            runtime.config.read_text(encoding='utf-8').replace(str(runtime.addons), str(self.home)), encoding='utf-8'
        )
        self.template = runtime.template()  # of the copy's code, even if the checkout changes meanwhile
        self.renew_database()

    def renew_database(self):
        self.runtime.database(self.name, fresh=True, source=self.template)

    def close(self):
        self.stop()
        self.runtime.drop(self.name)
        for path in (self.home, compiled_dir() / str(self.home).lstrip('/')):
            shutil.rmtree(path, ignore_errors=True)

    def stop(self):
        """End the running process, with the browser and other processes it started."""
        process, self.process = self.process, None  # only once: the pid may be reused
        if process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def run_pytest(self, *arguments, timeout, **environ):
        """Return exit code and output of a run, or (None, output) if it took too long."""
        command = [
            self.runtime.python,
            '-m',
            'pytest',
            '-p',
            'no:cacheprovider',
            '-q',
            '-rfE',
            '--hypothesis-seed=0',
            f'--rootdir={self.addon}',
            f'--odoo-database={self.name}',
            '--odoo-http',
            f'--odoo-config={self.config}',
            *arguments,
        ]
        log = self.home / 'log'
        with open(log, 'wb') as output:
            self.process = process = subprocess.Popen(
                list(map(str, command)),
                cwd=self.addon,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**self.runtime.environ(), 'ODOO_RC': str(self.config), **environ},
                start_new_session=True,
            )
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                self.stop()
        return code, log.read_text(encoding='utf-8', errors='replace')

    @contextlib.contextmanager
    def with_mutant(self, path, code):
        """Give a file of the copy another text within this context.

        It also gets another modification time. Otherwise Python would use the code it compiled before.
        """
        target = self.addon / path
        original = target.read_bytes()
        self.stamp = max(self.stamp, int(time.time())) + 2
        try:
            target.write_text(code, encoding='utf-8')
            os.utime(target, (self.stamp, self.stamp))
            yield
        finally:
            target.write_bytes(original)
            self.stamp += 2
            os.utime(target, (self.stamp, self.stamp))


class Workers:
    """Several workers, for the duration of a `with`. Remains of killed runs are removed."""

    def __init__(self, runtime, count):
        self.runtime, self.count = runtime, count
        self.free = queue.Queue()
        self.all = []

    def __enter__(self):
        home = cache_dir() / 'mutants'
        home.mkdir(exist_ok=True)
        for name in {*self.runtime.postgres.databases(), *(path.name for path in home.iterdir())}:
            owner = name.removeprefix(PREFIX).partition('_')[0]
            if name.startswith(PREFIX) and owner.isdigit() and not Path(f'/proc/{owner}').exists():
                self.runtime.drop(name)
                for left in (home / name, compiled_dir() / str(home / name).lstrip('/')):
                    shutil.rmtree(left, ignore_errors=True)
        try:
            for number in range(self.count):
                self.all.append(Worker(self.runtime, number))
                self.free.put(self.all[-1])
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_reason):
        for worker in self.all:
            worker.close()

    def share(self, function, items):
        """Yield the results of function(worker, item) as they arrive. Each worker has one item at a time."""

        def run_one(item):
            worker = self.free.get()
            try:
                return function(worker, item)
            finally:
                self.free.put(worker)

        with ThreadPoolExecutor(self.count) as pool:
            tasks = [pool.submit(run_one, item) for item in items]
            try:
                for task in as_completed(tasks):
                    yield task.result()
            except BaseException:
                for task in tasks:
                    task.cancel()
                for worker in self.all:
                    worker.stop()
                raise


# ------------------------------------------------------------------------------------------------ the map


def test_files():
    return sorted(str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / 'tests').glob('test_*.py'))


def map_part(test_file):
    """Return the path of the map of a test file."""
    name = Path(test_file)
    return cache_dir() / 'mutants/map' / f'{name.stem}-{digest((CHECKOUT / name).read_text(encoding="utf-8"))}.json'


def test_seconds(junit):
    """Return the seconds of each test in pytest's report, or None for a test that did not pass.

    Tests are given as (module with class, name).
    """
    found = {}
    for case in ElementTree.parse(junit).iter('testcase'):
        key = case.get('classname'), case.get('name')
        bad = {'failure', 'error', 'skipped'} & {child.tag for child in case} or key in found and found[key] is None
        found[key] = None if bad else float(case.get('time'))
    return found


def measure_file(worker, test_file):
    """Run a test file under coverage. Save, for each line, the tests that reached it."""
    target = map_part(test_file)
    data, junit, config = worker.home / 'coverage', worker.home / 'junit.xml', worker.home / 'coveragerc'
    # Not sys.monitoring: it reports a line once, not once per test.
    config.write_text(
        f'[run]\nsource = {worker.addon}\nomit = {worker.addon}/tests/*,{worker.addon}/tools/*\n'
        'concurrency = thread\ncore = ctrace\n',
        encoding='utf-8',
    )
    data.unlink(missing_ok=True)
    started = time.monotonic()
    code, output = worker.run_pytest(
        '--cov',
        f'--cov-config={config}',
        '--cov-context=test',
        '--cov-report=',
        f'--junitxml={junit}',
        worker.addon / test_file,
        timeout=MAPPING,
        COVERAGE_FILE=str(data),
    )
    if code not in (PASSED, REFUSED) or not data.exists():
        (cache_dir() / 'mutate.log').write_text(output, encoding='utf-8')
        raise Fail(f'{test_file} could not be run under coverage (see {cache_dir() / "mutate.log"})')
    found = CoverageData(str(data))
    found.read()
    took = test_seconds(junit)
    tests, sources, lines = {}, {}, {}
    for measured in found.measured_files():
        path = Path(measured)
        if (
            not path.is_relative_to(worker.addon) or not path.exists()
        ):  # code of server actions has a name like a file's
            continue
        name = str(path.relative_to(worker.addon))
        reached = defaultdict(set)
        for line, contexts in found.contexts_by_lineno(measured).items():
            for context in filter(None, contexts):
                test = context.rpartition('|')[0]
                module, *classes = test.split('::')
                key = '.'.join([module.removesuffix('.py').replace('/', '.'), *classes[:-1]]), classes[-1]
                if took.get(key) is not None:
                    reached[line].add(tests.setdefault(test, (len(tests), took[key]))[0])
        if reached:
            lines[name] = {line: sorted(numbers) for line, numbers in sorted(reached.items())}
            sources[name] = path.read_text(encoding='utf-8')
    failed = sorted('::'.join(key) for key, value in took.items() if value is None)
    keep = target.parent / 'sources'
    keep.mkdir(parents=True, exist_ok=True)
    for text in sources.values():
        (keep / digest(text)).write_text(text, encoding='utf-8')
    for old in sorted(target.parent.glob(f'{Path(test_file).stem}-*.json'), key=lambda path: path.stat().st_mtime)[:-3]:
        old.unlink()  # some maps are kept, for other branches
    partial = target.with_suffix('.partial')
    partial.write_text(
        json.dumps(
            {
                'tests': [[test, value[1]] for test, value in tests.items()],
                'lines': lines,
                'sources': {name: digest(text) for name, text in sources.items()},
            }
        ),
        encoding='utf-8',
    )
    partial.rename(target)
    say(
        f'{test_file}: {len(tests)} tests in {time.monotonic() - started:.0f} s'
        + (f'; failed or skipped, and not used: {", ".join(failed)}' if failed else '')
    )


def make_map(runtime, options):
    """Map the test files that have no map of their current text."""
    with locked('mutants-map'):  # a process that waited may find the map already made
        wanted = [name for name in test_files() if options.map or not map_part(name).exists()]
        if not wanted:
            return
        say(
            f'running {len(wanted)} of {len(test_files())} test files under coverage: '
            f'{", ".join(Path(name).stem for name in wanted)}'
        )
        started = time.monotonic()
        wanted.sort(key=lambda name: -(CHECKOUT / name).stat().st_size)  # the long ones first: no core waits at the end
        with Workers(runtime, options.jobs) as crew:
            for _done in crew.share(measure_file, wanted):
                pass
        say(f'the map took {time.monotonic() - started:.0f} s')


class Map:
    """Which tests reach a line of the addon as it is now."""

    def __init__(self, sources):
        self.sources = sources
        self.reached = defaultdict(lambda: defaultdict(set))  # path -> line -> tests
        self.seconds = {}
        # class -> seconds until its tests run; pytest adds them to the first test
        self.beginning = defaultdict(float)
        self.modules = {}  # path -> tests that run a function in it
        self.changed = set()
        self.trees = {}
        moves = {}
        for test_file in test_files():
            content = json.loads(map_part(test_file).read_text(encoding='utf-8'))
            names = [name for name, _seconds in content['tests']]
            self.seconds.update(content['tests'])
            for test, took in content['tests']:
                holder = test.rpartition('::')[0]
                self.beginning[holder] = min(CLASS, max(self.beginning[holder], took))
            for path, lines in content['lines'].items():
                if path not in sources:
                    continue
                was = content['sources'][path]
                if (path, was) not in moves:
                    moves[path, was] = self._moved_lines(path, was)
                for line, numbers in lines.items():
                    now = moves[path, was].get(int(line)) if moves[path, was] is not None else int(line)
                    if now:
                        self.reached[path][now].update(names[number] for number in numbers)

    def _moved_lines(self, path, was):
        """Return where the lines of a former version of a file are now, or None if it did not change."""
        new = self.sources[path]
        if digest(new) == was:
            return None
        self.changed.add(path)
        old = (cache_dir() / 'mutants/map/sources' / was).read_text(encoding='utf-8')
        blocks = difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False).get_matching_blocks()
        return {block.a + offset + 1: block.b + offset + 1 for block in blocks for offset in range(block.size)}

    def _parsed_lines(self, path):
        """Return the lines of a file's functions (with decorators, without, last) and statements (first, last)."""
        if path not in self.trees:
            functions, statements = [], []
            for node in ast.walk(ast.parse(self.sources[path])):
                if isinstance(node, ast.Lambda):
                    functions.append((node.body.lineno, node.body.lineno, node.end_lineno))
                elif isinstance(node, ast.FunctionDef):
                    functions.append(
                        (
                            min(part.lineno for part in [node, *node.decorator_list]),
                            node.body[0].lineno,
                            node.end_lineno,
                        )
                    )
                elif isinstance(node, ast.stmt) and not isinstance(node, ast.ClassDef):
                    below = [
                        child.lineno
                        for field in ('body', 'orelse', 'handlers', 'finalbody')
                        for child in getattr(node, field, [])
                    ]
                    statements.append((node.lineno, max(node.lineno, min(below) - 1) if below else node.end_lineno))
            self.trees[path] = functions, statements
        return self.trees[path]

    def _tests_between(self, path, first, last):
        lines = self.reached[path]
        return set().union(*(lines[line] for line in range(first, last + 1) if line in lines))

    def tests(self, path, line):
        """Return the tests that depend on a line."""
        functions, statements = self._parsed_lines(path)
        lines = self.reached[path]
        around = [function for function in functions if function[0] <= line <= function[2]]
        if not around:  # module level: all tests that use the module
            if path not in self.modules:
                self.modules[path] = set().union(
                    *(self._tests_between(path, first, last) for _head, first, last in functions)
                )
            return self.modules[path] or set().union(*lines.values())
        _head, first, last = min(around, key=lambda function: function[2] - function[0])
        if line < first:  # a decorator or default
            return self._tests_between(path, first, last)
        if line in lines:
            return lines[line]
        # A line within a statement counts as the whole statement. A line changed since the mapping counts as the line
        # before it.
        spans = [(end - start, start, end) for start, end in statements if start <= line <= end]
        found = self._tests_between(path, *min(spans)[1:]) if spans else set()
        if not found and path in self.changed:
            known = sorted(number for number in lines if first <= number <= last)
            found = lines[known[max(0, bisect.bisect(known, line) - 1)]] if known else set()
        return found

    def choose_tests(self, path, line, longest):
        """Return the nearest tests that fit in the time, the seconds they should take, and the number of all tests.

        Tests of modules named like the file come first. The modules take turns, each with its quick tests first.

        :param longest: seconds; 0 for all tests
        """

        def words_of(name):
            return {
                word.rstrip('s') for word in re.split(r'[/_]', name.removesuffix('.py').removeprefix('tests/test_'))
            } - {'ramp'}

        turns = defaultdict(int)
        order = []
        for test in sorted(self.tests(path, line), key=lambda test: (self.seconds[test], test)):
            module = test.partition('::')[0]
            order.append((-len(words_of(path) & words_of(module)), turns[module], self.seconds[test], test))
            turns[module] += 1
        taken, spent = defaultdict(list), 0  # by class: each class sets up its own company
        for _far, _turn, seconds, test in sorted(order):
            holder = test.rpartition('::')[0]
            cost = seconds + (0 if holder in taken else self.beginning[holder])
            if not longest or not taken or spent + cost <= longest:
                taken[holder].append(test)
                spent += cost
        return [test for tests in taken.values() for test in tests], spent, len(order)


# --------------------------------------------------------------------------------------------- the mutants


@dataclasses.dataclass
class Outcome:
    mutant: Mutant
    verdict: str
    caught: bool


def judge_mutant(worker, mutant, reach, sources, longest):
    """Run the tests of a mutant."""
    tests, spent, known = reach.choose_tests(mutant.path, mutant.line, longest)
    if not tests:
        return Outcome(mutant, 'NOT COVERED', False)
    with worker.with_mutant(mutant.path, mutant.code(sources[mutant.path])):
        code, output = worker.run_pytest(
            '-x', *(worker.addon / test for test in tests), timeout=PATIENCE + SLOWER * spent
        )
    if code == PASSED:
        return Outcome(mutant, f'SURVIVED {len(tests)} of the {known} tests that reach it', False)
    worker.renew_database()  # the mutant may have damaged it
    if code is None:
        return Outcome(mutant, 'caught: takes too long', True)
    failed = FAILED.search(output)
    if not failed:
        return Outcome(mutant, f'caught: the tests cannot be run (pytest ends with {code})', True)
    return Outcome(mutant, f'caught by {failed.group(1).removeprefix("tests/")}', True)


def try_out(worker, test):
    """Check that the test passes without a mutant. Otherwise every mutant would look caught."""
    code, output = worker.run_pytest(worker.addon / test, timeout=PATIENCE * SLOWER)
    if code != PASSED:
        (cache_dir() / 'mutate.log').write_text(output, encoding='utf-8')
        raise Fail(f'{test} fails although nothing is broken (see {cache_dir() / "mutate.log"})')


def read_options():
    parser = argparse.ArgumentParser(
        prog='./dev mutate', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--sample', type=int, metavar='N', help='how many mutants (40)')
    parser.add_argument('--seed', type=int, default=1, metavar='N', help='which: the same for the same code (1)')
    parser.add_argument('--paths', nargs='+', default=(), metavar='PATH', help='files and folders of the addon')
    parser.add_argument('--mutant', action='append', metavar='NAME', help='FILE:LINE, or a name as the output has it')
    parser.add_argument(
        '--seconds',
        type=int,
        default=90,
        metavar='N',
        help='how long the tests of one mutant may take together, as the map knows them; 0: all tests that reach it '
        '(90)',
    )
    parser.add_argument('--jobs', type=int, default=2, metavar='N', help='mutants at the same time (2)')
    parser.add_argument(
        '--map', action='store_true', help='make the whole map anew; without --sample or --mutant nothing else'
    )
    parser.add_argument('--list', action='store_true', help='only print which mutants would run')
    return parser.parse_args()


def choose_mutants(options):
    """Return the mutants of this run, and the text of every file."""
    paths = mutants.source_files(CHECKOUT, options.paths)
    if not paths:
        raise Fail(f'no file of the addon is in {" ".join(options.paths)}')
    if options.mutant:
        paths = sorted({name.partition(':')[0] for name in options.mutant})
        if missing := set(paths) - set(mutants.source_files(CHECKOUT, paths)):
            raise Fail(f'{", ".join(sorted(missing))} is no file of the addon that can be broken')
    sources = {path: (CHECKOUT / path).read_text(encoding='utf-8') for path in paths}
    candidates = [mutant for path, source in sources.items() for mutant in mutants.mutants_of(path, source)]
    if options.mutant:
        candidates = [
            mutant
            for mutant in candidates
            if any(re.match(rf'{re.escape(name)}\b', str(mutant)) for name in options.mutant)
        ]
        return mutants.choose_sample(candidates, sources, len(candidates), options.seed), sources
    return mutants.choose_sample(candidates, sources, options.sample or 40, options.seed), sources


def main():
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the tests are ended too
    options = read_options()
    chosen, sources = choose_mutants(options)
    if not chosen:
        raise Fail('there is nothing to break')
    if options.list:
        print('\n'.join(f'{mutant}\n{mutant.diff(sources[mutant.path])}\n' for mutant in sorted(chosen)))
        return 0
    runtime = Runtime().prepare()
    make_map(runtime, options)
    if options.map and not options.sample and not options.mutant:
        return 0
    reach = Map(sources)
    if reach.changed:
        say(f'changed since they were mapped, the lines found again: {", ".join(sorted(reach.changed))}')
    with Workers(runtime, options.jobs) as crew:
        easy = min(reach.seconds, key=reach.seconds.get)
        for _done in crew.share(try_out, [easy] * options.jobs):
            pass
        outcomes = []
        for outcome in crew.share(
            lambda worker, mutant: judge_mutant(worker, mutant, reach, sources, options.seconds), chosen
        ):
            outcomes.append(outcome)
            print(f'{outcome.mutant}: {outcome.verdict}', flush=True)
    caught = sum(outcome.caught for outcome in outcomes)
    for outcome in sorted(outcomes, key=lambda outcome: outcome.mutant):
        if not outcome.caught:
            print(f'\n{outcome.mutant}: {outcome.verdict}\n{outcome.mutant.diff(sources[outcome.mutant.path])}')
    print(f'\n{caught} of {len(outcomes)} caught ({100 * caught // len(outcomes)} %)')
    return 0


if __name__ == '__main__':
    script(main)
