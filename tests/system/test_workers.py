"""Several processes run the same flow at the same time."""

import time

from stage import SECONDS, World

WORKERS = 4
WORLD = World(transactions=120)
SHRINK = {'page_size': 12, 'batch_size': 12}


def start_together(case, count, *do, **command):
    """Start processes, and let them begin only when all of them are ready."""
    with case.gate() as gate:
        processes = [case.start(*do, gate=str(gate), **command) for _number in range(count)]
        end = time.monotonic() + SECONDS
        while len(gate.read_text().split()) < count:
            assert time.monotonic() < end, 'not all workers came'
            time.sleep(0.01)
    return processes


def test_four_workers(stage):
    reference = stage.reference(WORLD, **SHRINK).state
    with stage.case(WORLD) as case:
        outcomes = [
            process.wait().assert_ok()
            for process in start_together(case, WORKERS, 'at once: transaction', shrink=SHRINK)
        ]
        booked = [set(outcome.booked) for outcome in outcomes]
        wanted = {ident for ident, transaction in reference['transactions'].items() if transaction['entries']}
        assert sum(map(len, booked)) == len(wanted), 'an object was booked by two'
        assert set().union(*booked) == wanted
        # Without locks the database would still refuse duplicates, but only after every process had begun the work of
        # all.
        begun, ended = (
            sum(outcome.hits.get(boundary, 0) for outcome in outcomes)
            for boundary in ('before expenses', 'after booked transaction')
        )
        assert begun - ended <= WORKERS, f'{begun} batches were begun to book {ended}'
        # All four usually post something. On a machine with few cores one may come too late, and the others do its
        # part.
        assert sum(map(bool, booked)) >= 2, [len(part) for part in booked]
        case.run('flows', shrink=SHRINK).assert_ok()  # the receipts
        case.assert_same(reference)
        assert case.unfinished() == 0


def test_four_workers_and_one_is_killed(stage):
    reference = stage.reference(WORLD, **SHRINK).state
    with stage.case(WORLD) as case:
        with case.gate() as gate:
            victim = case.start(
                'at once: transaction',
                gate=str(gate),
                shrink=SHRINK,
                cut={'at': 'after commit of transaction._store_listed_page', 'nth': 3},
            )
            others = [
                case.start('at once: transaction', gate=str(gate), shrink=SHRINK) for _number in range(WORKERS - 1)
            ]
        victim.wait().assert_killed()
        for process in others:
            process.wait().assert_ok()
        case.rest()
        case.run('flows', 'flows', shrink=SHRINK).assert_ok()
        case.assert_same(reference)


def test_two_workers_attach_receipts(stage):
    """Both workers take the same rows, because no lock is held while files are fetched. Still each file is attached
    once.
    """
    world = World(transactions=60)
    reference = stage.reference(world).state
    with stage.case(world) as case:
        case.run('at once: transaction', shrink={}).assert_ok()
        for process in start_together(case, 2, 'at once: receipt', shrink={'receipt_batch': 5}):
            process.wait().assert_ok()
        case.run('flows', shrink={}).assert_ok()
        case.assert_same(reference)
