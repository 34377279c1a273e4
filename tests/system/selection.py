"""Which cases a run takes: all of them in the full run (`./dev test --full`), else one of each kind, another one with
each commit.

Whichever commit: each boundary at which a process can be killed is one at which it is killed. `RAMP_ROTATION` names the
selection, so that what failed can be run again; it is printed by each run.
"""

import os
from zlib import crc32

FULL = bool(os.environ.get('RAMP_FULL'))
ROTATION = int(os.environ.get('RAMP_ROTATION') or 0)


def some(cases, kind=lambda case: case):
    """All cases, in the full run; else of those that are of one kind the one whose turn it is."""
    if FULL:
        return list(cases)
    groups = {}
    for case in cases:
        groups.setdefault(kind(case), []).append(case)
    # moved on from group to group: else the first ones of all would meet in one commit, and the last ones in another
    return [group[(ROTATION + number) % len(group)] for number, group in enumerate(groups.values())]


def is_turn(case, of):
    """Whether a case is one of those that a check is made in, which takes long: in all of them in the full run, else in
    one of so many.
    """
    return FULL or (ROTATION + crc32(repr(case).encode())) % of == 0


def shared(cases, kind):
    """(cases to be killed in alone, those to be killed in one after the other) of `some`: alone in all of them in the
    full run, else in an eighth, other ones with each commit."""
    chosen = some(cases, kind)
    alone = [case for case in chosen if is_turn(kind(case), of=8)]
    return alone, [case for case in chosen if case not in alone]


def seeds(few, many):
    """Numbers of chances: in the full run `many`, else `few` others with each commit."""
    return range(many) if FULL else [ROTATION % 1000 * few + number for number in range(few)]


def assert_complete(hits, scene, commits, inside, elsewhere):
    """Every boundary that a scene's run passes is one at which it is killed, in some scene or `elsewhere`; and none is
    named in vain.

    :param commits: the steps by scene; inside: the steps by scene and part
    """
    passed = {boundary.partition(' ')[2] for boundary in hits} - {'a statement', 'a commit'}
    here = {*commits[scene], *(step for (where, _part), steps in inside.items() if where == scene for step in steps)}
    anywhere = {step for steps in (*commits.values(), *inside.values()) for step in steps}
    missing, superfluous = passed - anywhere - set(elsewhere), here - passed
    assert not (missing or superfluous), f'not killed at {sorted(missing)}; never passed: {sorted(superfluous)}'
