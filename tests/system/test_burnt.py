"""Ramp uses up an idempotency key with the first request that has it, even if that request fails."""

import pytest
from stage import SMALL, World

WORLD = World()


@pytest.mark.parametrize('resync', ['accept', 'refuse'])
def test_key_that_is_burnt_without_the_work(stage, resync):
    """If Ramp knows the key and has none of the objects, they are confirmed under another key, once."""
    reference = stage.reference(WORLD, **SMALL).state
    with stage.case(World(resync=resync)) as case:
        burnt = []

        def burn(method, path, body):
            if method == 'POST' and path.endswith('/accounting/syncs') and 'successful_syncs' in body and not burnt:
                burnt.append(body['idempotency_key'])
                case.ramp.state.idempotency_keys.add((path, body['idempotency_key']))

        case.ramp.add_before_hook(burn)
        case.run('flows', 'flows').assert_ok()
        refused = [
            entry
            for entry in case.ramp.requests
            if entry['status'] == 400 and entry['body'].get('idempotency_key') in burnt
        ]
        assert refused
        case.assert_same(reference)
