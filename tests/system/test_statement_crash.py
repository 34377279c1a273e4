"""Card statements, their payments and cashback: killed anywhere, then run again, the same books, and Ramp told once."""
import dataclasses

import pytest
from books import differences
from stage import OWING, SMALLER
from test_crash import STEPS as OF_CARDS
from test_payables_crash import AFTER, FOUR, LAST, TWO
from test_workers import start_together

CARDS = dataclasses.replace(OWING, owing='cards')
WORLDS = {'cards': CARDS, 'cards later': dataclasses.replace(CARDS, later=True)}


def test_look(stage):
    for name, world in WORLDS.items():
        state, hits = stage.reference(world, **SMALLER)
        print(name, {key: value for key, value in hits.items() if key.startswith('after')})
        import pprint
        pprint.pprint(state['without Ramp']['records'])
