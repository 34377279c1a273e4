"""Kills anywhere in a run. After another run the entries are the same, and Ramp is told once."""

import pytest
from books import differences
from jobs import FLOWS
from selection import FULL, shared, some
from stage import SMALL, World

WORLD = World()
# Steps before and after which a process is killed, in the words of worker.py.
STEPS = (
    'page of /transactions',
    'upsert of transaction',
    'commit of transaction._store_listed_page',
    'GET /accounting',
    'page of /users',
    'commit of transaction._ramp_link',
    'expenses',
    'entries',
    'post',
    'upsert of receipt',
    'booked transaction',
    'commit of transaction._book_batch',
    'confirming',
    'commit of transaction._confirm_booked_batch',
    'reporting',
    'commit of transaction._report_reasons_batch',
    'commit of transaction._start_run',
    'commit of transaction._next_unconfirmed',
    'commit of transaction._finish_sync_run',
    'commit of receipt._find_due_file_rows',
    'GET /receipts',
    'download',
    'attachments',
    'booked receipt',
    'commit of receipt._attach_fetched_files',
    'commit of receipt._start_run',
    'commit of receipt._finish_sync_run',
)
ONCE = ('GET /accounting', '._start_run', '._finish_sync_run', '._next_unconfirmed')  # once in a run
CRUCIAL = (
    'booked transaction',
    'commit of transaction._book_batch',
    'confirming',
    'commit of transaction._confirm_booked_batch',
    'reporting',
    'commit of receipt._attach_fetched_files',
)
# Before a step the first time, after it the second time, and all four for the crucial steps.
MATRIX = [
    (f'{side} {step}', nth)
    for step in STEPS
    for side, nth in (('before', 1), ('after', 1), ('before', 2), ('after', 2))
    if step in CRUCIAL or (side, nth) in (('before', 1), ('after', 1 if step.endswith(ONCE) else 2))
]
# Steps after which committed or reported data has changed. Inside transactions, and between them where nothing changes,
# a process is killed at one boundary after the other, and in the full run also at each one alone.
CHANGES = (
    'commit of transaction._store_listed_page',
    'commit of transaction._ramp_link',
    'commit of transaction._book_batch',
    'confirming',
    'commit of transaction._confirm_booked_batch',
    'reporting',
    'commit of transaction._report_reasons_batch',
    'commit of receipt._attach_fetched_files',
)
ALONE, IN_TURN = shared(
    [(boundary, nth) for boundary, nth in MATRIX if FULL or boundary.partition(' ')[2] in CHANGES],
    kind=lambda case: case[0],
)
INSIDE = [f'{side} {step}' for step in STEPS if step not in CHANGES for side in ('before', 'after')]
CONFIRM, REPORT = 'successful_syncs', 'failed_syncs'


def flow_of(boundary):
    return 'receipt' if 'receipt' in boundary or 'download' in boundary else 'transaction'


def again(case, reference, **command):
    """Run undisturbed, once or if needed twice, as the scheduler does, and compare the states."""
    case.run('flows', **command).assert_ok()
    if differences(reference, case.state()):
        case.run('flows', **command).assert_ok()
    case.assert_same(reference)


def test_the_matrix_is_complete(stage):
    """A process is killed at every boundary that a run passes."""
    hits = stage.reference(WORLD, **SMALL).hits
    passed = {boundary for boundary in hits if not boundary.endswith((' statement', ' commit'))}
    assert passed == {boundary for boundary, _nth in MATRIX}
    assert passed == {boundary for boundary, _nth in (*ALONE, *IN_TURN)} | set(INSIDE)


@pytest.mark.parametrize(('boundary', 'nth'), ALONE)
def test_killed_at(stage, boundary, nth):
    with stage.killed_at(WORLD, boundary, nth, **SMALL) as case:
        again(case, stage.reference(WORLD, **SMALL).state)


@pytest.mark.parametrize('flow', dict.fromkeys(flow_of(boundary) for boundary, _nth in IN_TURN))
def test_killed_in_turn(stage, flow):
    due = [boundary for boundary, _nth in IN_TURN if flow_of(boundary) == flow]
    for case in stage.killed_at_each(WORLD, due, **SMALL):
        again(case, stage.reference(WORLD, **SMALL).state)


@pytest.mark.parametrize('flow', FLOWS)
def test_killed_inside(stage, flow):
    with stage.killed_in_turn(WORLD, [boundary for boundary in INSIDE if flow_of(boundary) == flow], **SMALL) as case:
        assert not case.missed
        again(case, stage.reference(WORLD, **SMALL).state)


@pytest.mark.parametrize(
    ('method', 'path', 'key', 'nth'),
    [
        ('POST', '/accounting/syncs', CONFIRM, 1),
        ('POST', '/accounting/syncs', CONFIRM, 2),
        ('POST', '/accounting/syncs', REPORT, 1),
        ('POST', '/accounting/syncs', REPORT, 2),
        ('POST', '/token', None, 1),
    ],
)
def test_killed_when_ramp_has_done_the_work(stage, method, path, key, nth):
    """The run survives a kill after Ramp has done the work and before the process gets the answer."""
    reference = stage.reference(WORLD, **SMALL).state
    with stage.case(WORLD) as case:
        case.kill_in_ramp(method, path, lambda body: key is None or key in body, nth)
        case.run('flows').assert_killed()
        again(case, reference)


@pytest.mark.parametrize(
    'boundaries',
    some(
        [
            # one after the other: the work after a crash is killed, too
            ('after confirming', 'after GET /transactions', 'before commit of transaction._confirm_booked_batch'),
            (
                'after booked transaction',
                'after booked transaction',
                'after commit of transaction._book_batch',
                'after confirming',
            ),
            ('after reporting', 'after reporting', 'before commit of transaction._report_reasons_batch'),
            (
                'after commit of transaction._store_listed_page',
                'after upsert of transaction',
                'after post',
                'before confirming',
            ),
            ('after attachments', 'after attachments', 'after commit of receipt._attach_fetched_files'),
        ],
        kind=lambda boundaries: None,
    ),
    ids=lambda boundaries: boundaries[0],
)
def test_killed_again_and_again(stage, boundaries):
    reference = stage.reference(WORLD, **SMALL).state
    with stage.case(WORLD) as case:
        for boundary in boundaries:
            case.run('flows', cut={'at': boundary}).assert_killed()
        again(case, reference)


@pytest.mark.parametrize(
    ('boundary', 'nth'),
    some(
        [
            ('after upsert of transaction', 2),
            ('after post', 1),
            ('before commit of transaction._book_batch', 2),
            ('after commit of transaction._book_batch', 1),
            ('after confirming', 1),
            ('after confirming', 2),
            ('after reporting', 1),
            ('after download', 1),
            ('before commit of receipt._attach_fetched_files', 2),
        ],
        kind=lambda case: case[0].partition(' ')[2] in CHANGES,
    ),
)
def test_database_goes_away_at(stage, boundary, nth):
    """If the server ends the sessions, as a failover does, the process goes on, and its run ends with an error."""
    with stage.killed_at(WORLD, boundary, nth, how='disconnect', **SMALL) as case:
        again(case, stage.reference(WORLD, **SMALL).state)


def test_killed_with_pages_and_batches_as_shipped(stage):
    world = World(transactions=130)
    reference = stage.reference(world).state
    with stage.case(world) as case:
        for boundary, nth in (('after post', 2), ('after confirming', 1), ('after booked receipt', 2)):
            case.run('flows', cut={'at': boundary, 'nth': nth}, shrink={}).assert_killed()
        again(case, reference, shrink={})
