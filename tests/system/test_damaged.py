"""Objects that arrive damaged after their document was posted."""

import pytest
from stage import World

WORLD = World(transactions=0, held=0, problems=False)


@pytest.mark.parametrize('how', ['missing_id', 'amount_as_text', 'null_lines'])
def test_damaged_after_it_was_booked(stage, how):
    """If Ramp's list shows a posted, unconfirmed object damaged once, it is confirmed without help of a person. Its
    process had died before the confirmation.
    """
    with stage.case(WORLD) as case:
        ident = case.ramp.add_transaction(amount_minor=1234)
        case.run('flows', cut={'at': 'after commit of transaction._book_batch'}).assert_killed()
        before = case.state()['transactions'][ident]['record']['booked_as']
        case.ramp.faults.add_fault('malformed_object', '/transactions', count=1, how=how)
        case.run('flows').assert_ok()
        assert [kind for kind, _method, _path in case.ramp.faults.struck] == ['malformed_object']
        assert case.state()['transactions'][ident]['record']['booked_as'] == before
        case.run('flows', 'flows', 'flows quiet').assert_ok()
        case.assert_sound()
        found = case.state()['transactions'][ident]
        assert (found['record']['state'], found['ramp'], found['confirmed'], len(found['entries'])) == (
            'confirmed',
            'SYNCED',
            1,
            1,
        )
