"""A run that finds nothing new changes nothing."""

from books import differences
from stage import World


def test_second_run_writes_nothing(stage):
    with stage.case(World(transactions=60)) as case:
        case.run('flows', shrink={}).assert_ok()
        case.assert_sound()
        before, written = case.state(), len(case.ramp.list_write_calls())
        assert written
        for do in ('flows', 'flows', 'flows quiet'):
            case.run(do, shrink={}).assert_ok()
            assert len(case.ramp.list_write_calls()) == written
            assert not differences(before, case.state())
