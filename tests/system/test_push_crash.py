"""Kills while objects of Odoo are sent to Ramp. After another run Ramp has the same as without the kill, and no request
was useless.
"""

import dataclasses
import itertools
import re

import pytest
from books import differences, rows
from selection import FULL, is_turn, shared, some
from stage import World, is_work
from test_workers import start_together

from simulator import coding

WORLD = World(transactions=0, held=0, problems=False)


@dataclasses.dataclass(frozen=True)
class Scene:
    """A case to kill. before: steps that are done and pushed first; deeds: what a person does then; step: the run that
    is cut off; tables: what it changes in Ramp, under these paths; empty: whether these tables are empty at the
    beginning.
    """

    before: tuple = ()
    deeds: tuple = ()
    step: str = 'push'
    tables: tuple = tuple(coding.TABLES)
    paths: tuple = ('/accounting/',)
    empty: bool = True


BOUGHT = ('buy: order', 'sync_now', 'procurement', 'procurement')
PROCUREMENT = Scene(
    step='procurement',
    tables=('vendors', 'purchase_orders', 'item_receipts'),
    paths=('/vendors', '/purchase-orders', '/item-receipts'),
)
PEOPLE = Scene(
    step='people',
    tables=('users', 'departments', 'locations'),
    paths=('/users', '/departments', '/locations'),
    empty=False,
)
SCENES = {
    'first upload': Scene(),
    'adoption': Scene(),
    'rename': Scene(('push', 'push'), ('change: rename',)),
    'withdrawal': Scene(('push', 'push'), ('change: withdraw',)),
    'move': Scene(('push', 'push'), ('change: move',)),
    'orders': dataclasses.replace(PROCUREMENT, deeds=('buy: order', 'buy: receive')),
    'amendments': dataclasses.replace(PROCUREMENT, before=BOUGHT, deeds=('buy: amend',)),
    'people': dataclasses.replace(PEOPLE, deeds=('hire: new',)),
    'changes of people': dataclasses.replace(
        PEOPLE, before=('hire: new', 'sync_now', 'people', 'people', 'people'), deeds=('hire: change',)
    ),
    'returns': dataclasses.replace(
        PROCUREMENT, before=('buy: order', 'buy: receive', *BOUGHT[1:]), deeds=('buy: return',)
    ),
}
WORKS = (
    '_collect_changed_records',
    '_compare_due_rows',
    '_mark_uncertain',
    '_note_invitation_sent',
    '_store_push_results',
    '_on_options_changed',
)
SIDES = ('before', 'after')
ALONE, IN_TURN = shared(itertools.product(SCENES, WORKS, SIDES), kind=lambda case: case)
KINDS = {name: scene.step for name, scene in SCENES.items()}
FIRST = {'push': 'first upload', 'procurement': 'orders', 'people': 'people'}  # by step
ONE_OF_KIND = some(SCENES, kind=KINDS.get)
NOTHING_CHANGES = {'_start_run', '_finish_sync_run'}  # only the row of the run; test_crash.py kills there
UUID = re.compile('[0-9a-f-]{36}')
NAMES = ('external_id', 'item_receipt_number', 'external_vendor_id', 'email', 'name')
CHANCE = ('ramp_id', 'created_at', 'updated_at', 'archived_at', '_valid', 'ramp_url', 'spend_request_id', 'contacts')


def begin(case, name):
    """Prepare a Ramp without a chart or with that of another system, and run the first steps of the scene."""
    scene = SCENES[name]
    for table in scene.tables if scene.empty else ():
        case.ramp.state.tables[table] = (
            coding.TABLES[table] if table in coding.TABLES else type(case.ramp.state.tables[table])
        )()
    if name == 'adoption':
        with case.stage.sql() as cursor:
            found = rows(
                cursor,
                """
                SELECT a.name ->> 'en_US' AS name, a.code_store ->> c.company_id::text AS code
                  FROM account_account a, ramp_connection c
                 WHERE a.account_type = 'expense' AND a.active AND a.code_store ->> c.company_id::text IS NOT NULL ORDER BY a.id""",
            )
        for row in found:
            coding.add_gl_account(
                case.ramp.state, f'theirs-{row["code"]}', f'Their {row["name"]}', row['code'], 'EXPENSE'
            )
    if scene.before or scene.deeds:
        case.run(*scene.before, *scene.deeds).assert_ok()


def pushed(case, scene):
    """Return what Ramp and the ledger have of a scene's kind, without random values."""
    with case.stage.sql() as cursor:
        ledger = rows(
            cursor,
            """
            SELECT flow, remote_id, res_model, state, error_message, is_uncertain, payload FROM ramp_record
             WHERE remote_id IS NOT NULL""",
        )
    tables = SCENES[scene].tables
    known = {}
    for row in (row for name in tables for row in case.ramp.state[name]):
        known[row.get('ramp_id', row['id'])] = name_of(row)
        for number, line in enumerate(row.get('line_items') or ()):
            known[line['id']] = line.get('external_id') or f'{name_of(row)} {number}'
    # An option of a withdrawn field is hidden or not. Nobody sees it in either case.
    gone = {row['ramp_id'] for row in case.ramp.state['fields'] if not row['is_active']}
    for row in ledger:
        if row['flow'] == 'analytic_account' and (row['payload'] or {}).get('field') in gone:
            del row['payload']['offered']
    return {
        **{
            name: {
                f'{known.get(row.get("_field"))} {name_of(row)}': plain(
                    {key: value for key, value in row.items() if key != 'visibility' or row.get('_field') not in gone},
                    known,
                )
                for row in case.ramp.state[name]
            }
            for name in tables
        },
        'ledger': {f'{row["flow"]} {row["remote_id"]}': plain(row, known) for row in ledger},
    }


def name_of(row):
    """Return the name of a row of Ramp, which is the same in every case."""
    name = row['id'] if 'ramp_id' in row else next(filter(None, (row.get(key) for key in NAMES)), row['id'])
    return f'{name}, archived' if row.get('archived_at') else name


def plain(row, known):
    """Return a row with ids of ours in the place of Ramp's."""
    if isinstance(row, dict):
        return {known.get(key, key): plain(value, known) for key, value in row.items() if key not in CHANCE}
    if isinstance(row, list):
        return [plain(item, known) for item in row]
    return known.get(row, row) if isinstance(row, str) else row


def assert_same(case, scene, reference, at=None):
    """Assert that at most two runs after the cut lead to the same state, and that another run sends nothing.

    :param at: where it was cut off. The last run is only made after some cuts, as both sides are then as they were in a
    case in which it sent nothing.
    """
    before, step = len(case.ramp.list_write_calls()), SCENES[scene].step
    case.run('sync_now', step).assert_ok()
    if differences(reference, pushed(case, scene)):
        case.run('sync_now', step).assert_ok()
    found = differences(reference, pushed(case, scene))
    assert not found, '\n'.join(found[:30])
    for name in SCENES[scene].tables:
        ids = [(row.get('_field'), name_of(row)) for row in case.ramp.state[name]]
        assert len(ids) == len(set(ids)), f'{name}: twice'
    refused = [
        (call['method'], call['path'], call['body'])
        for call in case.ramp.list_write_calls()[before:]
        if (call['status'] or 500) >= 400
    ]
    assert not refused, f'sent without asking first: {refused}'
    if at is None or is_turn((scene, at), of=3):
        before = len(case.ramp.list_write_calls())
        case.run('sync_now', step).assert_ok()
        assert [(call['method'], call['path']) for call in case.ramp.list_write_calls()[before:]] == []
    case.ramp.assert_clean()
    assert not case.ramp.request_violations


@dataclasses.dataclass(frozen=True)
class Undisturbed:
    """The run of a scene without a cut: the copy of both sides with which it begins, its end, the boundaries that it
    passed, and its writes to Ramp.
    """

    start: str
    end: dict
    hits: dict
    writes: list


@pytest.fixture(scope='session')
def undisturbed(stage):
    """Return a function that gives the undisturbed run of a scene, and makes it at the first call."""
    found = {}

    def of(name):
        if name not in found:
            scene = SCENES[name]
            start = stage.beginning(name, WORLD, lambda case: begin(case, name))
            with stage.case(WORLD, start) as case:
                before = len(case.ramp.list_write_calls())
                hits = case.run(scene.step).assert_ok().hits
                writes = [
                    f'{call["method"]} {UUID.sub("*", call["path"])}'
                    for call in case.ramp.list_write_calls()[before:]
                    if is_work(call['path'], scene.paths)
                ]
                case.run('sync_now', scene.step).assert_ok()
                found[name] = Undisturbed(start, pushed(case, name), hits, writes)
                assert_same(case, name, found[name].end)
        return found[name]

    return of


def boundaries_of(undisturbed, side=None, work=None):
    return [
        name
        for name in undisturbed.hits
        for one in ([side] if side else SIDES)
        for other in ([work] if work else WORKS)
        if name.startswith(f'{one} commit of ') and name.endswith(f'.{other}')
    ]


def chosen(undisturbed, scene, side, work):
    """Return the (boundary, nth) at which a scene is cut off. The first scene of its kind is cut off at all its
    boundaries. Another one is cut off at those that only it passes, and at one of the rest.
    """
    passed, first = boundaries_of(undisturbed(scene), side, work), FIRST[SCENES[scene].step]
    hits = undisturbed(scene).hits
    times = {
        name: sorted({1, hits[name]} if work in ('_store_push_results', '_mark_uncertain') else {hits[name]})
        for name in passed
    }
    if scene == first or FULL:
        return some([(name, nth) for name in passed for nth in times[name]], kind=lambda case: case[0])
    elsewhere = boundaries_of(undisturbed(first), side, work)
    return some(
        [(name, nth) for name in passed for nth in times[name]],
        kind=lambda case: None if case[0] in elsewhere else case[0],
    )


@pytest.mark.parametrize('scene', SCENES)
def test_the_matrix_of_push_is_complete(undisturbed, scene):
    """Every boundary that a scene passes is one at which this scene or the first one of its kind is killed."""
    scenes = {scene, FIRST[SCENES[scene].step]}
    killed = {
        name
        for one in scenes
        for side in SIDES
        for work in WORKS
        for name, _nth in chosen(undisturbed, one, side, work)
    }
    assert not set(boundaries_of(undisturbed(scene))) - killed
    left = {
        work for name in undisturbed(scene).hits if ' commit of ' in name for work in [name.rpartition('.')[2]]
    } - set(WORKS)
    assert left <= NOTHING_CHANGES


@pytest.mark.parametrize(('scene', 'work', 'side'), ALONE)
def test_push_killed_at_commit(stage, undisturbed, scene, work, side):
    for boundary, nth in chosen(undisturbed, scene, side, work):
        with stage.case(WORLD, undisturbed(scene).start) as case:
            case.run(SCENES[scene].step, cut={'at': boundary, 'nth': nth}).assert_killed()
            assert_same(case, scene, undisturbed(scene).end, (boundary, nth))


@pytest.mark.parametrize('scene', dict.fromkeys(scene for scene, _work, _side in IN_TURN))
def test_push_killed_in_turn(stage, undisturbed, scene):
    """The run survives kills at the boundaries that have no case of their own. They come one after the other until the
    run is done, and the rest from the beginning again.
    """
    due = {
        boundary
        for of, work, side in IN_TURN
        if of == scene
        for boundary, _nth in chosen(undisturbed, scene, side, work)
    }
    left = [boundary for boundary in undisturbed(scene).hits if boundary in due]
    while left:
        reached = 0
        with stage.case(WORLD, undisturbed(scene).start) as case:
            for boundary in left:
                outcome = case.run(SCENES[scene].step, cut={'at': boundary})
                if outcome.code != -9:
                    outcome.assert_ok()
                    break
                reached += 1
            assert reached, f'not reached: {left}'
            assert_same(case, scene, undisturbed(scene).end)
        left = left[reached:]


@pytest.mark.parametrize(
    ('scene', 'side'), [*((scene, 'before') for scene in ONE_OF_KIND), *((scene, 'after') for scene in SCENES)]
)
def test_push_killed_in_ramp(stage, undisturbed, scene, side):
    """The run survives a kill before Ramp does the work, which is the state after the commit before, and a kill after
    Ramp has done it without an answer.
    """
    writes = enumerate(undisturbed(scene).writes, 1)
    for nth, _write in some(writes, kind=lambda write: write[1] if side == 'after' else None):
        with stage.case(WORLD, undisturbed(scene).start) as case:
            case.kill_at_write(side, nth, SCENES[scene].paths)
            case.run(SCENES[scene].step).assert_killed()
            assert_same(case, scene, undisturbed(scene).end, (side, nth))


@pytest.mark.parametrize('scene', ONE_OF_KIND)
def test_push_database_goes_away(stage, undisturbed, scene):
    boundary = next(
        name
        for name in sorted(undisturbed(scene).hits)
        if name.startswith('before commit of ') and name.endswith('._store_push_results')
    )
    for at in some([boundary, boundary.replace('before', 'after')], kind=lambda case: None):
        with stage.case(WORLD, undisturbed(scene).start) as case:
            assert case.run(SCENES[scene].step, cut={'at': at, 'how': 'disconnect'}).code == 1
            assert_same(case, scene, undisturbed(scene).end)


@pytest.mark.parametrize('scene', ONE_OF_KIND)
def test_push_two_at_once(stage, undisturbed, scene):
    with stage.case(WORLD, undisturbed(scene).start) as case:
        before = len(case.ramp.list_write_calls())
        for process in start_together(case, 2, f'{SCENES[scene].step} at once'):
            process.wait().assert_ok()
        case.rest()
        calls = [(call['method'], call['path'], str(call['body'])) for call in case.ramp.list_write_calls()[before:]]
        assert len(calls) == len(set(calls)), 'sent twice'
        assert all(call['status'] < 400 for call in case.ramp.list_write_calls()[before:])
        assert_same(case, scene, undisturbed(scene).end)


def test_push_keeps_a_change_made_while_it_sends(stage):
    """A change that is asked for while the job waits for Ramp (here: everything is compared again) is not lost when the
    job stores its results.
    """
    with stage.case(WORLD) as case:
        begin(case, 'first upload')
        done = []

        def hook(method, path, body):
            if method == 'POST' and path.endswith('/accounting/accounts') and not done:
                with stage.sql() as cursor:
                    cursor.execute("""
                        UPDATE account_account SET name = jsonb_build_object('en_US', 'Renamed meanwhile') WHERE id = (
                            SELECT min(res_id) FROM ramp_record WHERE flow = 'account')""")
                    cursor.execute("""
                        UPDATE ramp_record SET state = 'pending', revision = COALESCE(revision, 0) + 1 WHERE flow = 'account'""")
                done.append(path)

        case.ramp.add_after_hook(hook)
        case.run('push').assert_ok()
        assert done
        case.run('push').assert_ok()
        assert [row['name'] for row in case.ramp.state['accounts'] if row['name'] == 'Renamed meanwhile']
