"""What the business owes: killed anywhere, then run again, the same bills, payments and partners, and Ramp told once."""
import pytest
from books import differences
from stage import OWING, OWING_LATER, SMALLER
from test_crash import STEPS as OF_CARDS

WORLDS = {'first': OWING, 'later': OWING_LATER}
LAST = 'last'  # the last time that a boundary is passed in a run
FOUR = [(side, nth) for nth in (1, LAST) for side in ('before', 'after')]
TWO = [('before', 1), ('after', LAST)]
AFTER = [('after', 1), ('after', LAST)]
# Where what is committed or told changes: killed there, and nowhere else. What comes before a step that tells Ramp is what comes
# after the commit of what it tells, and so on: each state of both sides occurs once.
COMMITS = {
    'first': {
        'commit of vendor._store_listed': TWO, 'commit of vendor._book_batch': TWO,
        'commit of vendor_credit._book_batch': TWO,
        'commit of bill._store_page': TWO,
        'commit of bill._book_batch': FOUR, 'confirming BILL_SYNC': AFTER, 'commit of bill._confirm_batch': AFTER,
        'reporting BILL_SYNC': AFTER, 'commit of bill._report_batch': [('after', 1)],
        'commit of bill_payment._book_batch': FOUR, 'confirming BILL_PAYMENT_SYNC': AFTER, 'commit of bill_payment._confirm_batch': AFTER,
        'reporting BILL_PAYMENT_SYNC': [('after', 1)], 'commit of bill_payment._report_batch': [('after', 1)],
    },
    'later': {
        'commit of transaction._book_batch': [('before', 1), ('after', 1)], 'confirming': [('after', 1)],
        'commit of bill._store_page': FOUR,
        'commit of bill._book_batch': TWO, 'confirming BILL_SYNC': [('after', LAST)],
        'commit of bill_payment._book_batch': FOUR, 'confirming BILL_PAYMENT_SYNC': AFTER,
        'commit of bill_payment._confirm_batch': [('after', LAST)],
    },
}
MATRIX = [(scene, f'{side} {step}', nth) for scene, steps in COMMITS.items() for step, ways in steps.items() for side, nth in ways]
# Inside of transactions, and between them where nothing changes: killed at one after the other, each time a little later.
INSIDE = {
    ('first', 'vendors and credits'): (
        'commit of vendor._start', 'commit of vendor._since', 'page of /vendors', 'GET /vendors', 'page of /vendors/*/contacts',
        'upsert of vendor', 'partners of vendor', 'upsert of vendor_contact', 'booked vendor_contact', 'booked vendor',
        'commit of vendor._open_ids', 'commit of vendor._finish',
        'commit of vendor_credit._start', 'page of /vendors/credits', 'upsert of vendor_credit', 'commit of vendor_credit._store_page',
        'entries of vendor_credit', 'post of vendor_credit', 'booked vendor_credit', 'commit of vendor_credit._finish'),
    ('first', 'bills'): (
        'commit of bill._start', 'page of /bills', 'upsert of bill', 'page of /entities', 'entries of bill', 'post of bill', 'booked bill',
        'commit of bill._next_unconfirmed', 'commit of bill._finish'),
    ('first', 'payments'): (
        'commit of bill_payment._start', 'credits of bill_payment', 'payments of bill_payment', 'entries of bill_payment',
        'post of bill_payment', 'reconciling of bill_payment', 'settling by card', 'booked bill_payment',
        'commit of bill_payment._next_unconfirmed', 'commit of bill_payment._finish'),
    ('later', 'all'): (
        'upsert of bill_payment', 'undoing of bill', 'entries of bill', 'undoing of a payment of bill_payment', 'credits of bill_payment',
        'post of bill_payment', 'undoing of a card settlement', 'settling by card'),
}


def again(case, reference):
    """Undisturbed runs, as few as bring about the same, and at most as many as the scheduler makes until nothing is left to do."""
    for _run in range(3):
        case.run('payables').assert_ok()
        if not differences(reference, case.state()):
            break
    case.assert_same(reference)


def world_of(scene):
    return WORLDS[scene], ('sync_now', 'payables')


def test_what_is_looked_at(stage):
    """The worlds have what they are to have: whoever compares two empty ones finds no difference."""
    first, _hits = stage.reference(OWING, **SMALLER)
    later, _hits = stage.reference(OWING_LATER, **SMALLER)
    for state, synced, paid, payments in ((first, 20, 13, 9), (later, 24, 18, 12)):
        bills = state['bills'].values()
        assert (sum(bill['BILL_SYNC'] for bill in bills), sum(bill['BILL_PAYMENT_SYNC'] for bill in bills)) == (synced, paid)
        assert len(state['payments']) == payments and state['reconciled'] and state['partners']
        assert len([bill for bill in bills if bill['told']]) >= 2


def test_the_matrix_is_complete(stage):
    """Every boundary that a run passes is one at which it is killed, here or where card transactions are."""
    steps = {step for steps in (*COMMITS.values(), *INSIDE.values()) for step in steps}
    passed = set()
    for world in WORLDS.values():
        _state, hits = stage.reference(world, **SMALLER)
        passed |= {boundary.partition(' ')[2] for boundary in hits} - {'a statement', 'a commit'}
    assert passed - set(OF_CARDS) == steps - set(OF_CARDS)


@pytest.mark.parametrize(('scene', 'boundary', 'nth'), MATRIX)
def test_payables_killed_at(stage, scene, boundary, nth):
    world, do = world_of(scene)
    reference, hits = stage.reference(world, **SMALLER)
    with stage.case(world) as case:
        case.run(*do, cut={'at': boundary, 'nth': hits[boundary] if nth == LAST else nth}).assert_killed()
        again(case, reference)


@pytest.mark.parametrize(('scene', 'part'), INSIDE)
def test_payables_killed_inside(stage, scene, part):
    world, do = world_of(scene)
    reference, _hits = stage.reference(world, **SMALLER)
    with stage.case(world) as case:
        for step in INSIDE[scene, part]:
            case.run(*do, cut={'at': f'after {step}'}).assert_killed()
        again(case, reference)


@pytest.mark.parametrize(('kind', 'key', 'nth'), [
    ('BILL_SYNC', 'successful_syncs', 2), ('BILL_SYNC', 'failed_syncs', 1),
    ('BILL_PAYMENT_SYNC', 'successful_syncs', 2), ('BILL_PAYMENT_SYNC', 'failed_syncs', 1)])
def test_payables_killed_when_ramp_has_done_the_work(stage, kind, key, nth):
    """Ramp knows, and the process that asked never hears of it."""
    reference, _hits = stage.reference(OWING, **SMALLER)
    with stage.case(OWING) as case:
        case.kill_in_ramp('POST', '/accounting/syncs', lambda body: body['sync_type'] == kind and key in body, nth)
        case.run('payables').assert_killed()
        again(case, reference)


@pytest.mark.parametrize(('scene', 'boundaries'), [
    # what cleans up after a crash is killed too
    ('first', ('after confirming BILL_SYNC', 'after page of /bills', 'before commit of bill._confirm_batch', 'after confirming BILL_SYNC')),
    ('first', ('after commit of bill_payment._book_batch', 'after confirming BILL_PAYMENT_SYNC', 'before commit of bill_payment._confirm_batch',
               'after reporting BILL_PAYMENT_SYNC')),
    ('later', ('before commit of bill_payment._book_batch', 'before commit of bill_payment._book_batch',
               'after commit of bill_payment._book_batch', 'after confirming BILL_PAYMENT_SYNC')),
], ids=['bills', 'payments', 'later'])
def test_payables_killed_again_and_again(stage, scene, boundaries):
    world, do = world_of(scene)
    reference, _hits = stage.reference(world, **SMALLER)
    with stage.case(world) as case:
        for boundary in boundaries:
            case.run(*do, cut={'at': boundary}).assert_killed()
        again(case, reference)


@pytest.mark.parametrize(('scene', 'boundary', 'nth'), [
    ('first', 'after partners of vendor', 1), ('first', 'before commit of bill._book_batch', 2), ('first', 'after confirming BILL_SYNC', 1),
    ('first', 'after reconciling of bill_payment', 1), ('first', 'after confirming BILL_PAYMENT_SYNC', 1),
    ('later', 'after undoing of a payment of bill_payment', 1)])
def test_payables_database_goes_away_at(stage, scene, boundary, nth):
    world, do = world_of(scene)
    reference, _hits = stage.reference(world, **SMALLER)
    with stage.case(world) as case:
        outcome = case.run(*do, cut={'at': boundary, 'nth': nth, 'how': 'disconnect'})
        assert outcome.code == 1, f'it did not notice\n{outcome.log[-4000:]}'
        again(case, reference)


def test_bills_before_vendors(stage):
    """The job of the bills comes first, and makes the vendors that it needs."""
    reference, _hits = stage.reference(OWING, **SMALLER)
    with stage.case(OWING) as case:
        for boundary in ('after upsert of vendor', 'after commit of vendor._store_page', 'before commit of vendor._book_batch',
                         'after commit of vendor._book_batch'):
            case.run('at once: transaction', 'at once: bill', cut={'at': boundary}).assert_killed()
        case.run('at once: bill').assert_ok()
        again(case, reference)
