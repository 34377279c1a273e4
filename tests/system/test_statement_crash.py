"""Card statements, their payments, cashback and kills: after another run the entries are the same, and Ramp is told
once.
"""

import copy
import dataclasses

import pytest
from books import differences
from cards import not_applied
from selection import assert_complete, shared, some
from stage import LAST, OWING, SMALLER
from test_crash import STEPS as OF_CARDS
from test_payables_crash import AFTER, FOUR, TWO
from test_workers import start_together

CARDS = dataclasses.replace(OWING, owing='cards')
WORLDS = {'cards': CARDS, 'cards later': dataclasses.replace(CARDS, later=True)}

COMMITS = {
    'cards': {
        'commit of transfer._store_listed_page': TWO,
        'commit of transfer._book_batch': FOUR,
        'confirming TRANSFER_SYNC': AFTER,
        'commit of transfer._confirm_booked_batch': AFTER,
        'commit of statement._store_listed_page': TWO,
        'commit of transaction._store_observed_page': TWO,
        'commit of cashback._store_observed_page': TWO,
        'commit of statement._book_batch': FOUR,
        'commit of cashback._store_listed_page': TWO,
        'commit of cashback._book_batch': TWO,
        'confirming STATEMENT_CREDIT_SYNC': AFTER,
        'commit of cashback._confirm_booked_batch': [('after', 1)],
        'commit of statement_file._attach_fetched_files': TWO,
    },
    'cards later': {
        'commit of transfer._store_listed_page': FOUR,
        'commit of transfer._book_batch': FOUR,
        'confirming TRANSFER_SYNC': AFTER,
        'commit of transfer._confirm_booked_batch': [('after', LAST)],
        'commit of statement._book_batch': FOUR,
        'confirming STATEMENT_CREDIT_SYNC': AFTER,
        'commit of cashback._confirm_booked_batch': [('after', LAST)],
    },
}
MATRIX = [
    (scene, f'{side} {step}', nth)
    for scene, steps in COMMITS.items()
    for step, ways in steps.items()
    for side, nth in ways
]
ALONE, IN_TURN = shared(MATRIX, kind=lambda case: case[1])
INSIDE = {
    ('cards', 'transfers'): (
        'commit of transfer._start_run',
        'page of /transfers',
        'upsert of transfer',
        'payments of transfer',
        'entries of transfer',
        'post of transfer',
        'applying of transfer',
        'booked transfer',
        'commit of transfer._next_unconfirmed',
        'commit of transfer._finish_sync_run',
    ),
    ('cards', 'statements'): (
        'commit of statement._start_run',
        'page of /statements',
        'upsert of statement',
        'page of /cashbacks',
        'upsert of cashback',
        'entries of statement',
        'post of statement',
        'upsert of statement_file',
        'booked statement',
        'commit of statement._skip_lost_rows',
        'commit of statement._finish_sync_run',
        'commit of cashback._start_run',
        'booked cashback',
        'commit of cashback._next_unconfirmed',
        'commit of cashback._finish_sync_run',
        'commit of statement_file._start_run',
        'commit of statement_file._find_due_file_rows',
        'GET /statements',
        'download',
        'attachments of statement_file',
        'booked statement_file',
        'commit of statement_file._finish_sync_run',
    ),
    ('cards later', 'all'): (
        'payments of transfer',
        'entries of transfer',
        'post of transfer',
        'applying of transfer',
        'upsert of statement',
        'entries of statement',
        'applying of transfer',
        'booked statement',
        'upsert of cashback',
        'attachments of statement_file',
    ),
}
RUN = ('sync_now', 'statements')


def again(case, reference):
    """Run undisturbed until the state is the same, at most as often as the scheduler does until nothing is left to do."""
    for _run in range(3):
        case.run('statements').assert_ok()
        if not differences(reference, case.state()):
            break
    case.assert_same(reference)


@pytest.mark.parametrize(
    ('scene', 'bills', 'payments', 'undone', 'held'), [('cards', 2, 6, 0, 2), ('cards later', 5, 9, 2, 0)]
)
def test_what_is_looked_at(stage, scene, bills, payments, undone, held):
    """The worlds contain what they should, because two empty worlds would have no differences either."""
    state = stage.reference(WORLDS[scene], **SMALLER).state
    entries = state['without Ramp']['entries']
    found = [move for moves in entries.values() for move in moves]
    records = state['without Ramp']['records']
    assert len([move for move in found if move['move_type'] == 'in_invoice']) == bills
    assert len([record for record in records['transfer'].values() if record['noted']['payment']]) == payments
    assert len([move for move in found if move['reverses']]) == undone
    assert len([record for record in records['statement'].values() if record['state'] == 'held']) == held


@pytest.mark.parametrize('scene', WORLDS)
def test_the_matrix_is_complete(stage, scene):
    assert_complete(stage.reference(WORLDS[scene], **SMALLER).hits, scene, COMMITS, INSIDE, elsewhere=OF_CARDS)


@pytest.mark.parametrize(('scene', 'boundary', 'nth'), ALONE)
def test_statement_killed_at(stage, scene, boundary, nth):
    with stage.killed_at(WORLDS[scene], boundary, nth, **SMALLER) as case:
        again(case, stage.reference(WORLDS[scene], **SMALLER).state)


@pytest.mark.parametrize('scene', dict.fromkeys(scene for scene, _boundary, _nth in IN_TURN))
def test_statement_killed_in_turn(stage, scene):
    due, reference = (
        [boundary for of, boundary, _nth in IN_TURN if of == scene],
        stage.reference(WORLDS[scene], **SMALLER).state,
    )
    for case in stage.killed_at_each(WORLDS[scene], due, **SMALLER):
        again(case, reference)


@pytest.mark.parametrize(('scene', 'part'), INSIDE)
def test_statement_killed_inside(stage, scene, part):
    with stage.killed_in_turn(WORLDS[scene], [f'after {step}' for step in INSIDE[scene, part]], **SMALLER) as case:
        assert not case.missed
        again(case, stage.reference(WORLDS[scene], **SMALLER).state)


@pytest.mark.parametrize(
    ('scene', 'kind'),
    [('cards', 'TRANSFER_SYNC'), ('cards', 'STATEMENT_CREDIT_SYNC'), ('cards later', 'TRANSFER_SYNC')],
)
def test_statement_killed_when_ramp_has_done_the_work(stage, scene, kind):
    """The run survives a kill after Ramp has done the work and before the process gets the answer."""
    reference = stage.reference(WORLDS[scene], **SMALLER).state
    with stage.case(WORLDS[scene]) as case:
        case.kill_in_ramp(
            'POST', '/accounting/syncs', lambda body: body['sync_type'] == kind and 'successful_syncs' in body
        )
        case.run('statements').assert_killed()
        again(case, reference)


@pytest.mark.parametrize(
    'boundaries',
    some(
        [
            # the work after a crash is killed, too
            (
                'after commit of transfer._book_batch',
                'after confirming TRANSFER_SYNC',
                'before commit of transfer._confirm_booked_batch',
                'before commit of transfer._book_batch',
            ),
            (
                'before commit of statement._book_batch',
                'after commit of statement._book_batch',
                'after confirming STATEMENT_CREDIT_SYNC',
                'before commit of cashback._confirm_booked_batch',
            ),
        ],
        kind=lambda boundaries: None,
    ),
    ids=lambda boundaries: boundaries[0],
)
def test_statement_killed_again_and_again(stage, boundaries):
    world = WORLDS['cards later']
    reference = stage.reference(world, **SMALLER).state
    with stage.case(world) as case:
        for boundary in boundaries:
            case.run(*RUN, cut={'at': boundary}).assert_killed()
        again(case, reference)


def unapplied(state):
    """Return a state without which payment pays which bill. A payment pays the oldest bill that is open when both are
    there, so this depends on the order of posting.
    """
    state = copy.deepcopy(state)
    del state['reconciled']
    for name in ('account_partial_reconcile', 'account_full_reconcile'):
        del state['counts'][name]
    for moves in state['without Ramp']['entries'].values():
        for move in moves:
            del move['residual'], move['payment_state']
            for line in move['lines']:
                del line['residual']
    for payment in state['payments']:
        del payment['is_reconciled']
    return state


def again_unapplied(case, reference):
    case.run('statements', 'statements').assert_ok()
    case.assert_sound()
    found = differences(unapplied(reference), unapplied(case.state()))
    assert not found, case.told('\n'.join(found[:40]))


WORK = ('transfer', 'statement', 'cashback', 'statement_file')


@pytest.mark.parametrize('scene', WORLDS)
def test_statement_two_workers(stage, scene):
    """If two processes run the same jobs at the same time, each object is posted by one of them."""
    reference = stage.reference(WORLDS[scene], **SMALLER).state
    with stage.case(WORLDS[scene]) as case:
        case.run('sync_now', 'at once: transaction').assert_ok()
        jobs = [f'at once: {flow}' for flow in WORK]
        outcomes = [process.wait().assert_ok() for process in start_together(case, 2, *jobs, *jobs)]
        case.rest()
        booked = [ident for outcome in outcomes for ident in outcome.booked if ident.partition(' ')[0] in WORK]
        assert len(booked) == len(set(booked)), (
            f'by two: {sorted(ident for ident in booked if booked.count(ident) > 1)}'
        )
        again_unapplied(case, reference)
        assert case.unfinished() == 0


@pytest.mark.parametrize(('slow', 'quick'), [('transfer', 'statement'), ('statement', 'transfer')])
def test_a_statement_and_its_payment_at_the_same_moment(stage, slow, quick):
    """If a statement and its payment are posted at the same time, neither sees the other before the commit. The one
    that waits applies the payment.
    """
    world = WORLDS['cards']
    reference = stage.reference(world, **SMALLER).state
    with stage.case(world) as case:
        case.run('sync_now', 'at once: transaction').assert_ok()
        with stage.sql() as cursor:  # Odoo counts a partner's entries after the commit, but the first one within it
            cursor.execute(
                'UPDATE res_partner SET supplier_rank = 1 WHERE id IN (SELECT ramp_partner_id FROM ramp_connection)'
            )
        first = case.start(
            f'at once: {slow}', shrink={}, cut={'at': f'before commit of {slow}._book_batch', 'how': 'stop'}
        )
        first.stands()
        second = case.start(f'at once: {quick}', shrink={})
        second.waits_for_another()
        first.go_on()
        first.wait().assert_ok()
        second.wait().assert_ok()
        case.rest()
        with stage.sql() as cursor:
            assert not not_applied(cursor, case.ramp)
        again_unapplied(case, reference)


def test_statement_two_workers_and_one_is_killed(stage):
    world = WORLDS['cards later']
    reference = stage.reference(world, **SMALLER).state
    with stage.case(world) as case:
        case.run('sync_now', 'at once: transaction').assert_ok()
        jobs = [f'at once: {flow}' for flow in WORK]
        with case.gate() as gate:
            victim = case.start(*jobs, gate=str(gate), cut={'at': 'before commit of transfer._book_batch'})
            other = case.start(*jobs, *jobs, gate=str(gate))
        victim.wait().assert_killed()
        other.wait().assert_ok()
        case.rest()
        again_unapplied(case, reference)
