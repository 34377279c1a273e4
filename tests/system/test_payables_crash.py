"""Payables and kills: after another run bills, payments and partners are the same, and Ramp is told once."""

import dataclasses
import time

import owing
import pytest
from books import differences
from selection import assert_complete, shared, some
from stage import LAST, OWING, SECONDS, SMALLER
from test_crash import STEPS as OF_CARDS
from test_workers import start_together

WORLDS = {
    'bills': OWING,
    'bills later': dataclasses.replace(OWING, later=True),
    'claims': dataclasses.replace(OWING, owing='claims'),
    'claims later': dataclasses.replace(OWING, owing='claims', later=True),
}
FOUR = [(side, nth) for nth in (1, LAST) for side in ('before', 'after')]
TWO = [('before', 1), ('after', LAST)]
AFTER = [('after', 1), ('after', LAST)]
# Steps after which committed or reported data has changed; only these have kills. The state before a report to Ramp is
# the state after the commit of its object, so each state of both sides occurs once.
COMMITS = {
    'bills': {
        'commit of vendor._store_listed_vendors': TWO,
        'commit of vendor._book_batch': TWO,
        'commit of vendor_credit._book_batch': TWO,
        'commit of bill._store_listed_page': TWO,
        'commit of bill._book_batch': FOUR,
        'confirming BILL_SYNC': AFTER,
        'commit of bill._confirm_booked_batch': AFTER,
        'reporting BILL_SYNC': AFTER,
        'commit of bill._report_reasons_batch': [('after', 1)],
        'commit of bill_payment._book_batch': FOUR,
        'confirming BILL_PAYMENT_SYNC': AFTER,
        'commit of bill_payment._confirm_booked_batch': AFTER,
        'reporting BILL_PAYMENT_SYNC': [('after', 1)],
        'commit of bill_payment._report_reasons_batch': [('after', 1)],
        'commit of bill_file._attach_fetched_files': TWO,
    },
    'bills later': {
        'commit of transaction._book_batch': [('before', 1), ('after', 1)],
        'confirming': [('after', 1)],
        'commit of bill._store_listed_page': FOUR,
        'commit of bill._book_batch': TWO,
        'confirming BILL_SYNC': [('after', LAST)],
        'commit of bill_payment._book_batch': FOUR,
        'confirming BILL_PAYMENT_SYNC': AFTER,
        'commit of bill_payment._confirm_booked_batch': [('after', LAST)],
    },
    'claims': {
        'commit of reimbursement._book_batch': FOUR,
        'confirming REIMBURSEMENT_SYNC': AFTER,
        'commit of reimbursement._confirm_booked_batch': [('after', LAST)],
        'reporting REIMBURSEMENT_SYNC': [('after', 1)],
        'commit of reimbursement._report_reasons_batch': [('after', 1)],
        'commit of reimbursement_payment._book_batch': TWO,
        'commit of repayment._book_batch': TWO,
        'commit of receipt._attach_fetched_files': TWO,
    },
    'claims later': {
        'commit of reimbursement._store_listed_page': FOUR,
        'commit of reimbursement_payment._book_batch': TWO,
        'commit of repayment._store_listed_page': TWO,
        'commit of repayment._book_batch': TWO,
    },
}
MATRIX = [
    (scene, f'{side} {step}', nth)
    for scene, steps in COMMITS.items()
    for step, ways in steps.items()
    for side, nth in ways
]
ALONE, IN_TURN = shared(MATRIX, kind=lambda case: case[1])
# Inside transactions, and between them where nothing changes, a process is killed at one boundary after the other.
INSIDE = {
    ('bills', 'vendors and credits'): (
        'commit of vendor._start_run',
        'commit of vendor._get_list_beginning',
        'page of /vendors',
        'GET /vendors',
        'page of /vendors/*/contacts',
        'upsert of vendor',
        'partners of vendor',
        'upsert of vendor_contact',
        'booked vendor_contact',
        'booked vendor',
        'commit of vendor._get_open_vendor_ids',
        'commit of vendor._finish_sync_run',
        'commit of vendor_credit._start_run',
        'page of /vendors/credits',
        'upsert of vendor_credit',
        'commit of vendor_credit._store_listed_page',
        'entries of vendor_credit',
        'post of vendor_credit',
        'booked vendor_credit',
        'commit of vendor_credit._finish_sync_run',
    ),
    ('bills', 'bills'): (
        'commit of bill._start_run',
        'page of /bills',
        'upsert of bill',
        'page of /entities',
        'entries of bill',
        'post of bill',
        'booked bill',
        'commit of bill._next_unconfirmed',
        'commit of bill._finish_sync_run',
    ),
    ('bills', 'payments'): (
        'commit of bill_payment._start_run',
        'credits of bill_payment',
        'payments of bill_payment',
        'entries of bill_payment',
        'post of bill_payment',
        'reconciling of bill_payment',
        'settling by card',
        'booked bill_payment',
        'commit of bill_payment._next_unconfirmed',
        'commit of bill_payment._finish_sync_run',
    ),
    ('bills', 'files'): (
        'upsert of bill_file',
        'commit of bill_file._start_run',
        'commit of bill_file._find_due_file_rows',
        'GET /bills',
        'download',
        'attachments of bill_file',
        'booked bill_file',
        'commit of bill_file._finish_sync_run',
    ),
    ('claims', 'all'): (
        'commit of reimbursement._start_run',
        'page of /reimbursements',
        'upsert of reimbursement',
        'upsert of reimbursement_payment',
        'entries of reimbursement',
        'post of reimbursement',
        'upsert of receipt',
        'booked reimbursement',
        'commit of reimbursement._next_unconfirmed',
        'commit of reimbursement._finish_sync_run',
        'commit of reimbursement_payment._start_run',
        'payments of reimbursement_payment',
        'entries of reimbursement_payment',
        'post of reimbursement_payment',
        'reconciling of reimbursement_payment',
        'booked reimbursement_payment',
        'commit of reimbursement_payment._finish_sync_run',
        'commit of repayment._start_run',
        'page of /repayments',
        'upsert of repayment',
        'entries of repayment',
        'post of repayment',
        'booked repayment',
        'commit of repayment._skip_lost_rows',
        'commit of repayment._finish_sync_run',
    ),
    ('claims later', 'all'): (
        'undoing of a payment of reimbursement_payment',
        'undoing of reimbursement',
        'undoing of repayment',
    ),
    ('bills later', 'all'): (
        'upsert of bill_payment',
        'undoing of bill',
        'entries of bill',
        'undoing of a payment of bill_payment',
        'credits of bill_payment',
        'post of bill_payment',
        'undoing of a card settlement',
        'settling by card',
    ),
}


def again(case, reference):
    """Run undisturbed until the state is the same, at most as often as the scheduler does until nothing is left to do."""
    for _run in range(3):
        case.run('payables').assert_ok()
        if not differences(reference, case.state()):
            break
    case.assert_same(reference)


RUN = ('sync_now', 'payables')


@pytest.mark.parametrize(
    ('scene', 'synced', 'paid', 'payments', 'told'),
    [('bills', 21, 15, 10, 3), ('bills later', 26, 21, 14, 2), ('claims', 9, 0, 8, 1), ('claims later', 12, 0, 11, 0)],
)
def test_what_is_looked_at(stage, scene, synced, paid, payments, told):
    """The worlds contain what they should, because two empty worlds would have no differences either."""
    state = stage.reference(WORLDS[scene], **SMALLER).state
    objects = [*state['bills'].values(), *state['claims'].values()]
    found = [
        sum(row.get(kind, 0) for row in objects) for kind in ('BILL_SYNC', 'BILL_PAYMENT_SYNC', 'REIMBURSEMENT_SYNC')
    ]
    assert (found[0] + found[2], found[1]) == (synced, paid)
    assert (len(state['payments']), len([row for row in objects if row['told']])) == (payments, told)


@pytest.mark.parametrize('scene', WORLDS)
def test_the_matrix_is_complete(stage, scene):
    assert_complete(stage.reference(WORLDS[scene], **SMALLER).hits, scene, COMMITS, INSIDE, elsewhere=OF_CARDS)


@pytest.mark.parametrize(('scene', 'boundary', 'nth'), ALONE)
def test_payables_killed_at(stage, scene, boundary, nth):
    with stage.killed_at(WORLDS[scene], boundary, nth, **SMALLER) as case:
        again(case, stage.reference(WORLDS[scene], **SMALLER).state)


@pytest.mark.parametrize('scene', dict.fromkeys(scene for scene, _boundary, _nth in IN_TURN))
def test_payables_killed_in_turn(stage, scene):
    due, reference = (
        [boundary for of, boundary, _nth in IN_TURN if of == scene],
        stage.reference(WORLDS[scene], **SMALLER).state,
    )
    for case in stage.killed_at_each(WORLDS[scene], due, **SMALLER):
        again(case, reference)


@pytest.mark.parametrize(('scene', 'part'), INSIDE)
def test_payables_killed_inside(stage, scene, part):
    with stage.killed_in_turn(WORLDS[scene], [f'after {step}' for step in INSIDE[scene, part]], **SMALLER) as case:
        assert not case.missed
        again(case, stage.reference(WORLDS[scene], **SMALLER).state)


@pytest.mark.parametrize(
    ('scene', 'kind', 'key', 'nth'),
    [
        ('bills', 'BILL_SYNC', 'successful_syncs', 2),
        ('bills', 'BILL_SYNC', 'failed_syncs', 1),
        ('bills', 'BILL_PAYMENT_SYNC', 'successful_syncs', 2),
        ('bills', 'BILL_PAYMENT_SYNC', 'failed_syncs', 1),
        ('claims', 'REIMBURSEMENT_SYNC', 'successful_syncs', 1),
    ],
)
def test_payables_killed_when_ramp_has_done_the_work(stage, scene, kind, key, nth):
    """The run survives a kill after Ramp has done the work and before the process gets the answer."""
    world = WORLDS[scene]
    reference = stage.reference(world, **SMALLER).state
    with stage.case(world) as case:
        case.kill_in_ramp('POST', '/accounting/syncs', lambda body: body['sync_type'] == kind and key in body, nth)
        case.run('payables').assert_killed()
        again(case, reference)


@pytest.mark.parametrize(
    ('scene', 'boundaries'),
    some(
        [
            # the work after a crash is killed, too
            (
                'bills',
                (
                    'after confirming BILL_SYNC',
                    'after page of /bills',
                    'before commit of bill._confirm_booked_batch',
                    'after confirming BILL_SYNC',
                ),
            ),
            (
                'bills',
                (
                    'after commit of bill_payment._book_batch',
                    'after confirming BILL_PAYMENT_SYNC',
                    'before commit of bill_payment._confirm_booked_batch',
                    'after reporting BILL_PAYMENT_SYNC',
                ),
            ),
            (
                'bills later',
                (
                    'before commit of bill_payment._book_batch',
                    'before commit of bill_payment._book_batch',
                    'after commit of bill_payment._book_batch',
                    'after confirming BILL_PAYMENT_SYNC',
                ),
            ),
        ],
        kind=lambda case: None,
    ),
)
def test_payables_killed_again_and_again(stage, scene, boundaries):
    world = WORLDS[scene]
    reference = stage.reference(world, **SMALLER).state
    with stage.case(world) as case:
        for boundary in boundaries:
            case.run(*RUN, cut={'at': boundary}).assert_killed()
        again(case, reference)


@pytest.mark.parametrize(
    ('scene', 'boundary', 'nth'),
    some(
        [
            ('bills', 'after partners of vendor', 1),
            ('bills', 'before commit of bill._book_batch', 2),
            ('bills', 'after confirming BILL_SYNC', 1),
            ('bills', 'after reconciling of bill_payment', 1),
            ('bills', 'after confirming BILL_PAYMENT_SYNC', 1),
            ('bills later', 'after undoing of a payment of bill_payment', 1),
        ],
        kind=lambda case: 'bill_payment' in case[1],
    ),
)
def test_payables_database_goes_away_at(stage, scene, boundary, nth):
    with stage.killed_at(WORLDS[scene], boundary, nth, how='disconnect', **SMALLER) as case:
        again(case, stage.reference(WORLDS[scene], **SMALLER).state)


def test_bills_before_vendors(stage):
    """The job of bills makes the vendors that it needs, if it runs before the job of vendors."""
    reference = stage.reference(OWING, **SMALLER).state
    with stage.case(OWING) as case:
        for boundary in (
            'after upsert of vendor',
            'after commit of vendor._store_listed_page',
            'before commit of vendor._book_batch',
            'after commit of vendor._book_batch',
        ):
            case.run('at once: transaction', 'at once: bill', cut={'at': boundary}).assert_killed()
        case.run('at once: bill').assert_ok()
        again(case, reference)


WORK = (
    'vendor',
    'vendor_credit',
    'bill',
    'bill_payment',
    'bill_file',
    'reimbursement',
    'reimbursement_payment',
    'repayment',
    'receipt',
)


@pytest.mark.parametrize('scene', ['bills', 'claims'])
def test_payables_several_workers(stage, scene):
    """If three processes run the same jobs at the same time, each object is posted by one of them, and each transfer is
    one payment.
    """
    reference = stage.reference(WORLDS[scene], **SMALLER).state
    with stage.case(WORLDS[scene]) as case:
        case.run('at once: transaction').assert_ok()
        jobs = [f'at once: {flow}' for flow in WORK]
        outcomes = [process.wait().assert_ok() for process in start_together(case, 3, *jobs, *jobs)]
        case.rest()
        booked = [ident for outcome in outcomes for ident in outcome.booked if ident.partition(' ')[0] in WORK]
        assert len(booked) == len(set(booked)), (
            f'by two: {sorted(ident for ident in booked if booked.count(ident) > 1)}'
        )
        again(case, reference)
        assert case.unfinished() == 0


@pytest.mark.parametrize('scene', ['bills later'])
def test_payables_several_workers_and_one_is_killed(stage, scene):
    world = WORLDS[scene]
    reference = stage.reference(world, **SMALLER).state
    with stage.case(world) as case:
        case.run('sync_now', 'at once: transaction').assert_ok()
        jobs = [f'at once: {flow}' for flow in WORK]
        with case.gate() as gate:
            victim = case.start(*jobs, gate=str(gate), cut={'at': 'before commit of bill._book_batch'})
            others = [case.start(*jobs, *jobs, gate=str(gate)) for _number in range(2)]
        victim.wait().assert_killed()
        for process in others:
            process.wait().assert_ok()
        case.rest()
        again(case, reference)


@pytest.mark.parametrize(
    ('how', 'nth'), some([(how, nth) for how in ('stop', 'kill') for nth in (1, 2, 4)], kind=lambda case: case[0])
)
def test_one_transfer_is_one_payment_though_its_bills_are_still_listed(stage, nth, how):
    """If the job of payments finds a part of a batch while its other bills are on later pages, it waits for them and is
    called again.
    """
    reference = stage.reference(OWING, **SMALLER).state
    with stage.case(OWING) as case:
        case.run(*(f'at once: {flow}' for flow in ('transaction', 'vendor', 'vendor_credit'))).assert_ok()
        lister = case.start('at once: bill', cut={'at': 'after commit of bill._book_batch', 'nth': nth, 'how': how})
        if how == 'kill':
            lister.wait().assert_killed()
            case.rest()
        else:
            lister.stands()
        case.start('at once: bill_payment').wait().assert_ok()
        if how == 'stop':
            lister.go_on()
            lister.wait().assert_ok()
        case.rest()
        again(case, reference)


@pytest.mark.parametrize(
    ('slow', 'quick'),
    [('transaction', ('vendor', 'vendor_credit', 'bill', 'bill_payment')), ('bill_payment', ('transaction',))],
    ids=['charge', 'bill'],
)
def test_a_bill_and_its_charge_at_the_same_moment(stage, slow, quick):
    """If a bill and its charge are posted at the same time, neither sees the other before the commit. Still the spend
    and the card liability are posted once.
    """
    with stage.case(OWING) as case:
        case.run(
            'sync_now', *(f'at once: {flow}' for flow in ('vendor', 'vendor_credit', 'bill') if flow not in quick)
        ).assert_ok()
        first = case.start(
            f'at once: {slow}', shrink={}, cut={'at': f'before commit of {slow}._book_batch', 'how': 'stop'}
        )
        first.stands()
        second = case.start(*(f'at once: {flow}' for flow in quick), shrink={})
        second.waits_for_another()
        first.go_on()
        first.wait().assert_ok()
        second.wait().assert_ok()
        case.rest()
        case.run('payables').assert_ok()
        case.run('payables').assert_ok()
        case.assert_sound()


def test_one_transfer_is_one_payment_though_another_worker_has_a_part(stage):
    """If another worker has a bill of a batch, the job waits for it. It does not pay the other bills with a payment of
    their own.
    """
    reference = stage.reference(OWING, **SMALLER).state
    with stage.case(OWING) as case:
        case.run(*(f'at once: {flow}' for flow in ('transaction', 'vendor', 'vendor_credit', 'bill'))).assert_ok()
        with stage.sql() as cursor:
            cursor.execute(
                "BEGIN; SELECT FROM ramp_record WHERE flow = 'bill_payment' AND ramp_id = %s FOR UPDATE",
                [owing.bill(case.ramp, 'batch 4')],
            )
            process = case.start('at once: bill_payment')
            end = time.monotonic() + SECONDS
            with stage.sql('postgres', user='postgres') as other:
                while time.monotonic() < end:
                    other.execute(
                        "SELECT FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'", [stage.database]
                    )
                    if other.fetchone() is not None or process.result.exists():  # it waits or went on
                        break
                    time.sleep(0.05)
            cursor.execute('COMMIT')
        process.wait().assert_ok()
        case.rest()
        again(case, reference)
