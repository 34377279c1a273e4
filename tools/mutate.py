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
import dataclasses
import re
import signal

import mutants
from mutant_map import TestMap, renew_test_map
from mutant_workers import PASSED, WorkerCrew
from mutants import CodeMutant
from runtime import CHECKOUT, OdooRuntime, ToolError, get_cache_dir, print_progress, run_script

PATIENCE = 120  # seconds that a run may take before its tests begin
SLOWER = 3  # tests may take this many times as long as in the map
FAILED = re.compile(r'^(?:(?:SUB)?FAILED.*?|ERROR) (tests/\S+\.py(?:::\S+)?)', re.M)


@dataclasses.dataclass
class MutantOutcome:
    mutant: CodeMutant
    verdict: str
    caught: bool


def judge_mutant(worker, mutant, reach, sources, longest):
    """Run the tests of a mutant."""
    tests, spent, known = reach.choose_nearest_tests(mutant.path, mutant.line, longest)
    if not tests:
        return MutantOutcome(mutant, 'NOT COVERED', False)
    with worker.place_mutant_code(mutant.path, mutant.build_broken_code(sources[mutant.path])):
        code, output = worker.run_pytest(
            '-x', *(worker.addon / test for test in tests), timeout=PATIENCE + SLOWER * spent
        )
    if code == PASSED:
        return MutantOutcome(mutant, f'SURVIVED {len(tests)} of the {known} tests that reach it', False)
    worker.renew_worker_database()  # the mutant may have damaged it
    if code is None:
        return MutantOutcome(mutant, 'caught: takes too long', True)
    failed = FAILED.search(output)
    if not failed:
        return MutantOutcome(mutant, f'caught: the tests cannot be run (pytest ends with {code})', True)
    return MutantOutcome(mutant, f'caught by {failed.group(1).removeprefix("tests/")}', True)


def check_unbroken_test(worker, test):
    """Check that the test passes without a mutant. Otherwise every mutant would look caught."""
    code, output = worker.run_pytest(worker.addon / test, timeout=PATIENCE * SLOWER)
    if code != PASSED:
        (get_cache_dir() / 'mutate.log').write_text(output, encoding='utf-8')
        raise ToolError(f'{test} fails although nothing is broken (see {get_cache_dir() / "mutate.log"})')


def read_mutate_options():
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


def choose_run_mutants(options):
    """Return the mutants of this run, and the text of every file."""
    paths = mutants.list_breakable_files(CHECKOUT, options.paths)
    if not paths:
        raise ToolError(f'no file of the addon is in {" ".join(options.paths)}')
    if options.mutant:
        paths = sorted({name.partition(':')[0] for name in options.mutant})
        if missing := set(paths) - set(mutants.list_breakable_files(CHECKOUT, paths)):
            raise ToolError(f'{", ".join(sorted(missing))} is no file of the addon that can be broken')
    sources = {path: (CHECKOUT / path).read_text(encoding='utf-8') for path in paths}
    candidates = [mutant for path, source in sources.items() for mutant in mutants.list_file_mutants(path, source)]
    if options.mutant:
        candidates = [
            mutant
            for mutant in candidates
            if any(re.match(rf'{re.escape(name)}\b', str(mutant)) for name in options.mutant)
        ]
        return mutants.choose_mutant_sample(candidates, sources, len(candidates), options.seed), sources
    return mutants.choose_mutant_sample(candidates, sources, options.sample or 40, options.seed), sources


def main():
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the tests are ended too
    options = read_mutate_options()
    chosen, sources = choose_run_mutants(options)
    if not chosen:
        raise ToolError('there is nothing to break')
    if options.list:
        print('\n'.join(f'{mutant}\n{mutant.build_code_diff(sources[mutant.path])}\n' for mutant in sorted(chosen)))
        return 0
    runtime = OdooRuntime().prepare_machine()
    renew_test_map(runtime, options)
    if options.map and not options.sample and not options.mutant:
        return 0
    reach = TestMap(sources)
    if reach.changed:
        print_progress(f'changed since they were mapped, the lines found again: {", ".join(sorted(reach.changed))}')
    with WorkerCrew(runtime, options.jobs) as crew:
        easy = min(reach.seconds, key=reach.seconds.get)
        for _done in crew.share_work_items(check_unbroken_test, [easy] * options.jobs):
            pass
        outcomes = []
        for outcome in crew.share_work_items(
            lambda worker, mutant: judge_mutant(worker, mutant, reach, sources, options.seconds), chosen
        ):
            outcomes.append(outcome)
            print(f'{outcome.mutant}: {outcome.verdict}', flush=True)
    caught = sum(outcome.caught for outcome in outcomes)
    for outcome in sorted(outcomes, key=lambda outcome: outcome.mutant):
        if not outcome.caught:
            print(
                f'\n{outcome.mutant}: {outcome.verdict}\n{outcome.mutant.build_code_diff(sources[outcome.mutant.path])}'
            )
    print(f'\n{caught} of {len(outcomes)} caught ({100 * caught // len(outcomes)} %)')
    return 0


if __name__ == '__main__':
    run_script(main)
