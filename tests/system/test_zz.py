import pprint
from stage import OWING, OWING_LATER, SMALLER
def test_first(stage):
    for world in (OWING_LATER,):
        s, hits = stage.reference(world, **SMALLER)
        with stage.case(world) as case:
            print(case.told(pprint.pformat(s['payments'], width=300)))
