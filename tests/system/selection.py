"""The cases that a run takes: all of them in the full run (`./dev test --full`), else one of each kind, which changes
with each commit.

In every commit a process is killed at each boundary at which it can be killed. `RAMP_ROTATION` names the selection, so
that a failure can be repeated; each run prints it.
"""

import os
from zlib import crc32

FULL = bool(os.environ.get('RAMP_FULL'))
ROTATION = int(os.environ.get('RAMP_ROTATION') or 0)


def some(cases, kind=lambda case: case):
    """Return all cases in the full run, else one of each kind, in turn."""
    if FULL:
        return list(cases)
    groups = {}
    for case in cases:
        groups.setdefault(kind(case), []).append(case)
    # Each group has an offset. Otherwise the first cases of all groups would meet in one commit, and the last ones in
    # another.
    return [group[(ROTATION + number) % len(group)] for number, group in enumerate(groups.values())]


def is_turn(case, of):
    """Whether a case is one of those with a certain slow check: all of them in the full run, else one of so many."""
    return FULL or (ROTATION + crc32(repr(case).encode())) % of == 0


def shared(cases, kind):
    """Return (cases with a kill of their own, cases killed one after the other) of `some`. In the full run all are
    killed alone, else an eighth, which changes with each commit.
    """
    chosen = some(cases, kind)
    alone = [case for case in chosen if is_turn(kind(case), of=8)]
    return alone, [case for case in chosen if case not in alone]


def seeds(few, many):
    """Return random seeds: `many` in the full run, else `few`, which change with each commit."""
    return range(many) if FULL else [ROTATION % 1000 * few + number for number in range(few)]


def assert_complete(hits, scene, commits, inside, elsewhere):
    """Assert that every boundary of a scene's run is one with a kill, in some scene or `elsewhere`, and that each named
    boundary is passed.

    :param commits: the steps by scene; inside: the steps by scene and part
    """
    passed = {boundary.partition(' ')[2] for boundary in hits} - {'a statement', 'a commit'}
    here = {*commits[scene], *(step for (where, _part), steps in inside.items() if where == scene for step in steps)}
    anywhere = {step for steps in (*commits.values(), *inside.values()) for step in steps}
    missing, superfluous = passed - anywhere - set(elsewhere), here - passed
    assert not (missing or superfluous), f'not killed at {sorted(missing)}; never passed: {sorted(superfluous)}'
