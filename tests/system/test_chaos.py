"""All faults at once, with a random seed, and processes killed at any statement. In the end the entries are the same."""

import random

import pytest
from books import differences
from selection import seeds
from stage import SMALL, World

SEEDS = seeds(12, 120)
# Under faults the connector may have to confirm under another key, and relies on Ramp to refuse objects that are
# synced.
WORLD = World(transactions=12, held=2, resync='refuse')
RUNS = 3
# The probability that a fault strikes a request that it fits. A seed meets most faults, and still gets something done.
FAULTS = {
    'rate_limit': 0.04,
    'server_error': 0.04,
    'drop_before': 0.03,
    'html_error': 0.03,
    'dead_token': 0.03,
    'error_after': 0.05,
    'drop_after': 0.05,
    'truncate': 0.04,
    'duplicate_page': 0.15,
    'reorder_page': 0.15,
    'malformed_object': 0.2,
    'expired_file': 0.1,
    'timeout_before': 0.01,
    'timeout_after': 0.02,
}
# Reasons that damaged objects lead to.
DAMAGED = ('Ramp sent data that cannot be posted. ', 'It has no account. ', 'The cardholder ')


def break_things(case, chance):
    faults = case.faulty(chance.randrange(2**32))
    for kind, probability in chance.sample(sorted(FAULTS.items()), len(FAULTS)):
        options = {'seconds': 0.8, 'count': 2} if kind.startswith('timeout') else {}
        if kind == 'dead_token':
            # A token that dies as soon as it was renewed cannot be told from an object that Ramp does not have.
            options['count'] = 1
        if kind in ('server_error', 'error_after'):
            options['status'] = chance.choice((500, 502, 503, 504))
        if kind == 'rate_limit':
            options['retry_after'] = chance.choice((None, 0, 1))
        faults.add_fault(kind, probability=probability * chance.uniform(0.5, 2), **options)
    return faults


def cut_somewhere(chance):
    """Cut off every fourth run at any statement or commit. A run that ends earlier is not cut off."""
    if chance.random() > 0.25:
        return {}
    at, last = chance.choice(
        (('before a statement', 500), ('after a statement', 500), ('before a commit', 30), ('after a commit', 30))
    )
    return {'cut': {'at': at, 'nth': chance.randint(20 if last == 500 else 3, last)}}


def without_noise(state, reference):
    """Return a state without what faults may leave. Everything else must be equal.

    An object that arrived damaged is reported to Ramp once for each damage. The report stays in Ramp's list of export
    errors if the object cannot be posted for another reason. So does a cardholder whom Ramp did not show at the moment:
    all reasons of an object are reported together. An object that arrived without an id has a row of its own,
    which is closed as soon as Ramp is seen not to have it.
    """
    damaged = state['without Ramp']['records'].get('transaction', {})
    for ident, record in list(damaged.items()):
        if (
            ident.startswith('malformed-')
            and record['state'] == 'ignored'
            and record['reason'] == 'Ramp no longer has it.'
            and record['res_model'] is None
        ):
            del damaged[ident]
            state['counts']['ramp_record'] -= 1
    if not damaged:
        state['without Ramp']['records'].pop('transaction', None)
    for ident, transaction in state['transactions'].items():
        wanted = reference['transactions'][ident]['told']
        if wanted:
            transaction['told'] = [
                text for text in transaction['told'] if text in wanted or not text.startswith(DAMAGED)
            ]
    return state


def asked(case, ident):
    """Return the reports to Ramp about an object, and their results: (fault, status, kind, number of objects)."""
    calls = [entry for entry in case.ramp.requests if entry['path'].endswith('/accounting/syncs')]
    return [
        (entry['fault'], entry['status'], key, len(items))
        for entry in calls
        for key, items in entry['body'].items()
        if key.endswith('_syncs') and ident in {item['id'] for item in items}
    ]


@pytest.mark.parametrize('seed', SEEDS)
def test_chaos(stage, seed):
    reference = stage.reference(WORLD, **SMALL).state
    chance = random.Random(f'chaos {seed}')
    impatient = {**SMALL, 'impatient': True}
    with stage.case(WORLD) as case:
        faults = break_things(case, chance)
        codes = [case.run('sync_now', 'flows', shrink=impatient, **cut_somewhere(chance)).code for _run in range(RUNS)]
        assert set(codes) <= {0, -9}, codes
        struck = sorted({kind for kind, _method, _path in faults.struck})
        faults.clear_faults()
        outcome = case.run('flows quiet')
        assert outcome.code == 0 and not outcome.failures, outcome.log[-4000:]
        case.assert_sound()
        for ident, transaction in reference['transactions'].items():
            assert case.ramp.list_export_errors(ident)[-1:] == transaction['told'], (
                f'the last that Ramp heard of {ident}, {asked(case, ident)}'
            )
        found = differences(reference, without_noise(case.state(), reference))
        assert not found, '\n'.join([f'codes {codes}, struck {struck}', *found[:40]])


def test_every_fault_strikes(stage):
    """The probabilities above are large enough: some seeds meet each kind of fault."""
    met = set()
    for seed in range(20):
        with stage.case(WORLD) as case:
            faults = break_things(case, random.Random(f'chaos {seed}'))
            for _run in range(RUNS):
                case.run('sync_now', 'flows', shrink={**SMALL, 'impatient': True})
            met |= {kind for kind, _method, _path in faults.struck}
        if met == set(FAULTS):
            return
    raise AssertionError(f'never met: {set(FAULTS) - met}')
