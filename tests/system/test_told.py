"""Ramp shows the current reason."""

from stage import World

WORLD = World(transactions=0, held=2, problems=False)
UNCODED = 'It has no account. Choose the accounting category in Ramp.'


def told(case):
    return [case.ramp.list_export_errors(row['id'])[-1:] for row in case.ramp.state['transactions']]


def test_page_of_a_proxy_is_not_the_word_of_ramp(stage):
    """A proxy's own 404 page is not an answer of Ramp, so the reasons are sent again later."""
    with stage.case(WORLD) as case:
        case.ramp.faults.add_fault('html_error', '/accounting/syncs')
        case.run('flows').assert_ok()
        assert told(case) == [[], []]
        case.ramp.faults.clear_faults()
        case.run('flows').assert_ok()
        assert told(case) == [[UNCODED], [UNCODED]]


def test_reason_that_comes_back_is_told_again(stage):
    """If an object's reason changes and comes back, Ramp is told the current reason each time, once."""
    with stage.case(WORLD) as case:
        first = next(iter(case.ramp.state['transactions']))['id']
        heard = []
        for account in (None, 'no-such-account') * 2:
            case.ramp.recode_transaction(first, account)
            case.run('flows', 'flows').assert_ok()
            heard.append(case.ramp.list_export_errors(first))
        assert [len(messages) for messages in heard] == [4] * 4  # one list, which grew by one each time
        assert heard[-1][0] == heard[-1][2] == UNCODED
        assert heard[-1][1] == heard[-1][3] != UNCODED


def test_reason_is_told_once_though_the_process_died(stage):
    with stage.case(WORLD) as case:
        for boundary in ('after reporting', 'before commit of transaction._report_reasons_batch', 'before reporting'):
            case.run('flows', cut={'at': boundary}).assert_killed()
        case.run('flows', 'flows').assert_ok()
        assert [case.ramp.list_export_errors(row['id']) for row in case.ramp.state['transactions']] == [
            [UNCODED],
            [UNCODED],
        ]
