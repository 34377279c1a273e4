"""The map of tests and lines: which tests reach a line of the addon, and how long each test takes.

It is made by running every test file under coverage. Each test file has its part of the map, in a file of the cache
that is named by the text of the test file.
"""

import ast
import bisect
import difflib
import json
import re
import time
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from pathlib import Path

from coverage import CoverageData
from mutant_workers import PASSED, REFUSED, WorkerCrew
from runtime import CHECKOUT, ToolError, compute_digest, get_cache_dir, hold_build_lock, print_progress

CLASS = 6  # maximum seconds that a test class takes to begin
MAPPING = 5400  # seconds that a test file may take under coverage


# ------------------------------------------------------------------------------------------------ making it


def list_test_files():
    return sorted(str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / 'tests').glob('test_*.py'))


def get_map_path(test_file):
    """Return the path of the map of a test file."""
    name = Path(test_file)
    return (
        get_cache_dir()
        / 'mutants/map'
        / f'{name.stem}-{compute_digest((CHECKOUT / name).read_text(encoding="utf-8"))}.json'
    )


def read_test_seconds(junit):
    """Return the seconds of each test in pytest's report, or None for a test that did not pass.

    Tests are given as (module with class, name).
    """
    found = {}
    for case in ElementTree.parse(junit).iter('testcase'):
        key = case.get('classname'), case.get('name')
        bad = {'failure', 'error', 'skipped'} & {child.tag for child in case} or key in found and found[key] is None
        found[key] = None if bad else float(case.get('time'))
    return found


def map_test_file(worker, test_file):
    """Run a test file under coverage. Save, for each line, the tests that reached it."""
    target = get_map_path(test_file)
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
        (get_cache_dir() / 'mutate.log').write_text(output, encoding='utf-8')
        raise ToolError(f'{test_file} could not be run under coverage (see {get_cache_dir() / "mutate.log"})')
    found = CoverageData(str(data))
    found.read()
    took = read_test_seconds(junit)
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
        (keep / compute_digest(text)).write_text(text, encoding='utf-8')
    for old in sorted(target.parent.glob(f'{Path(test_file).stem}-*.json'), key=lambda path: path.stat().st_mtime)[:-3]:
        old.unlink()  # some maps are kept, for other branches
    partial = target.with_suffix('.partial')
    partial.write_text(
        json.dumps(
            {
                'tests': [[test, value[1]] for test, value in tests.items()],
                'lines': lines,
                'sources': {name: compute_digest(text) for name, text in sources.items()},
            }
        ),
        encoding='utf-8',
    )
    partial.rename(target)
    print_progress(
        f'{test_file}: {len(tests)} tests in {time.monotonic() - started:.0f} s'
        + (f'; failed or skipped, and not used: {", ".join(failed)}' if failed else '')
    )


def renew_test_map(runtime, options):
    """Map the test files that have no map of their current text."""
    with hold_build_lock('mutants-map'):  # a process that waited may find the map already made
        wanted = [name for name in list_test_files() if options.map or not get_map_path(name).exists()]
        if not wanted:
            return
        print_progress(
            f'running {len(wanted)} of {len(list_test_files())} test files under coverage: '
            f'{", ".join(Path(name).stem for name in wanted)}'
        )
        started = time.monotonic()
        wanted.sort(key=lambda name: -(CHECKOUT / name).stat().st_size)  # the long ones first: no core waits at the end
        with WorkerCrew(runtime, options.jobs) as crew:
            for _done in crew.share_work_items(map_test_file, wanted):
                pass
        print_progress(f'the map took {time.monotonic() - started:.0f} s')


# ------------------------------------------------------------------------------------------------ reading it


class TestMap:
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
        for test_file in list_test_files():
            content = json.loads(get_map_path(test_file).read_text(encoding='utf-8'))
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
                    moves[path, was] = self._find_moved_lines(path, was)
                for line, numbers in lines.items():
                    now = moves[path, was].get(int(line)) if moves[path, was] is not None else int(line)
                    if now:
                        self.reached[path][now].update(names[number] for number in numbers)

    def _find_moved_lines(self, path, was):
        """Return where the lines of a former version of a file are now, or None if it did not change."""
        new = self.sources[path]
        if compute_digest(new) == was:
            return None
        self.changed.add(path)
        old = (get_cache_dir() / 'mutants/map/sources' / was).read_text(encoding='utf-8')
        blocks = difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False).get_matching_blocks()
        return {block.a + offset + 1: block.b + offset + 1 for block in blocks for offset in range(block.size)}

    def _parse_source_lines(self, path):
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

    def _list_tests_between(self, path, first, last):
        lines = self.reached[path]
        return set().union(*(lines[line] for line in range(first, last + 1) if line in lines))

    def list_line_tests(self, path, line):
        """Return the tests that depend on a line."""
        functions, statements = self._parse_source_lines(path)
        lines = self.reached[path]
        around = [function for function in functions if function[0] <= line <= function[2]]
        if not around:  # module level: all tests that use the module
            if path not in self.modules:
                self.modules[path] = set().union(
                    *(self._list_tests_between(path, first, last) for _head, first, last in functions)
                )
            return self.modules[path] or set().union(*lines.values())
        _head, first, last = min(around, key=lambda function: function[2] - function[0])
        if line < first:  # a decorator or default
            return self._list_tests_between(path, first, last)
        if line in lines:
            return lines[line]
        # A line within a statement counts as the whole statement. A line changed since the mapping counts as the line
        # before it.
        spans = [(end - start, start, end) for start, end in statements if start <= line <= end]
        found = self._list_tests_between(path, *min(spans)[1:]) if spans else set()
        if not found and path in self.changed:
            known = sorted(number for number in lines if first <= number <= last)
            found = lines[known[max(0, bisect.bisect(known, line) - 1)]] if known else set()
        return found

    def choose_nearest_tests(self, path, line, longest):
        """Return the nearest tests that fit in the time, the seconds they should take, and the number of all tests.

        Tests of modules named like the file come first. The modules take turns, each with its quick tests first.

        :param longest: seconds; 0 for all tests
        """

        def split_name_words(name):
            return {
                word.rstrip('s') for word in re.split(r'[/_]', name.removesuffix('.py').removeprefix('tests/test_'))
            } - {'ramp'}

        turns = defaultdict(int)
        order = []
        for test in sorted(self.list_line_tests(path, line), key=lambda test: (self.seconds[test], test)):
            module = test.partition('::')[0]
            order.append(
                (-len(split_name_words(path) & split_name_words(module)), turns[module], self.seconds[test], test)
            )
            turns[module] += 1
        taken, spent = defaultdict(list), 0  # by class: each class sets up its own company
        for _far, _turn, seconds, test in sorted(order):
            holder = test.rpartition('::')[0]
            cost = seconds + (0 if holder in taken else self.beginning[holder])
            if not longest or not taken or spent + cost <= longest:
                taken[holder].append(test)
                spent += cost
        return [test for tests in taken.values() for test in tests], spent, len(order)
