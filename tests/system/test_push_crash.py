"""What Odoo offers in Ramp: killed anywhere, then run again, Ramp has the same as without, and nothing is sent in vain."""
import dataclasses

import pytest
from books import differences, rows
from stage import World
from test_workers import start_together

from simulator import coding

WORLD = World(transactions=0, held=0, problems=False)


@dataclasses.dataclass(frozen=True)
class Scene:
    """before: what is done, and pushed, first; deeds: what a person does then; step: the run that is cut off;
    tables: what of Ramp it changes, under these paths; empty: whether they are when it begins."""

    before: tuple = ()
    deeds: tuple = ()
    step: str = 'push'
    tables: tuple = tuple(coding.TABLES)
    paths: tuple = ('/accounting/',)
    empty: bool = True


BOUGHT = ('buy: order', 'sync_now', 'procurement', 'procurement')
PROCUREMENT = Scene(
    step='procurement', tables=('vendors', 'purchase_orders', 'item_receipts'), paths=('/vendors', '/purchase-orders', '/item-receipts'))
PEOPLE = Scene(step='people', tables=('users', 'departments', 'locations'), paths=('/users', '/departments', '/locations'), empty=False)
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
        PEOPLE, before=('hire: new', 'sync_now', 'people', 'people', 'people'), deeds=('hire: change',)),
    'returns': dataclasses.replace(
        PROCUREMENT, before=('buy: order', 'buy: receive', *BOUGHT[1:]), deeds=('buy: return',)),
}
WORKS = ('_collect', '_compare', '_mark_uncertain', '_store', '_options_changed')
SIDES = ('before', 'after')
NAMES = ('external_id', 'item_receipt_number', 'external_vendor_id', 'email', 'name')
CHANCE = ('ramp_id', 'created_at', 'updated_at', 'archived_at', '_valid', 'ramp_url', 'spend_request_id', 'contacts')


def begin(case, name):
    """A Ramp without a chart, or with that of another system; whatever the scene wants in it."""
    scene = SCENES[name]
    for table in scene.tables if scene.empty else ():
        case.ramp.state.tables[table] = (coding.TABLES[table] if table in coding.TABLES else type(case.ramp.state.tables[table]))()
    if name == 'adoption':
        with case.stage.sql() as cursor:
            found = rows(cursor, """
                SELECT a.name ->> 'en_US' AS name, a.code_store ->> c.company_id::text AS code
                  FROM account_account a, ramp_connection c
                 WHERE a.account_type = 'expense' AND a.active AND a.code_store ->> c.company_id::text IS NOT NULL ORDER BY a.id""")
        for row in found:
            coding.add_account(case.ramp.state, f"theirs-{row['code']}", f"Their {row['name']}", row['code'], 'EXPENSE')
    if scene.before or scene.deeds:
        case.run(*scene.before, *scene.deeds).assert_ok()


def pushed(case, scene):
    """What Ramp has of a scene's kind, and the ledger, free of what a chance decides."""
    with case.stage.sql() as cursor:
        ledger = rows(cursor, """
            SELECT flow, remote_id, res_model, state, error_message, is_uncertain, payload FROM ramp_record
             WHERE remote_id IS NOT NULL""")
    tables = SCENES[scene].tables
    known = {}
    for row in (row for name in tables for row in case.ramp.state[name]):
        known[row.get('ramp_id', row['id'])] = name_of(row)
        for number, line in enumerate(row.get('line_items') or ()):
            known[line['id']] = line.get('external_id') or f'{name_of(row)} {number}'
    # An option whose whole field is withdrawn is hidden, or as it was: nobody sees it either way.
    gone = {row['ramp_id'] for row in case.ramp.state['fields'] if not row['is_active']}
    for row in ledger:
        if row['flow'] == 'analytic_account' and (row['payload'] or {}).get('field') in gone:
            del row['payload']['offered']
    return {
        **{name: {f"{known.get(row.get('_field'))} {name_of(row)}": plain(
            {key: value for key, value in row.items() if key != 'visibility' or row.get('_field') not in gone}, known)
            for row in case.ramp.state[name]} for name in tables},
        'ledger': {f"{row['flow']} {row['remote_id']}": plain(row, known) for row in ledger},
    }


def name_of(row):
    """What a row of Ramp's is known by in every case."""
    name = row['id'] if 'ramp_id' in row else next(filter(None, (row.get(key) for key in NAMES)), row['id'])
    return f'{name}, archived' if row.get('archived_at') else name


def plain(row, known):
    """A row with ids of ours in the place of Ramp's."""
    if isinstance(row, dict):
        return {known.get(key, key): plain(value, known) for key, value in row.items() if key not in CHANCE}
    if isinstance(row, list):
        return [plain(item, known) for item in row]
    return known.get(row, row) if isinstance(row, str) else row


def assert_same(case, scene, reference):
    """After the cut: at most two runs bring about the same, and another one sends nothing."""
    before, step = len(case.ramp.write_calls()), SCENES[scene].step
    case.run('sync_now', step).assert_ok()
    if differences(reference, pushed(case, scene)):
        case.run('sync_now', step).assert_ok()
    found = differences(reference, pushed(case, scene))
    assert not found, '\n'.join(found[:30])
    for name in SCENES[scene].tables:
        ids = [(row.get('_field'), name_of(row)) for row in case.ramp.state[name]]
        assert len(ids) == len(set(ids)), f'{name}: twice'
    refused = [(call['method'], call['path'], call['body']) for call in case.ramp.write_calls()[before:] if (call['status'] or 500) >= 400]
    assert not refused, f'sent without asking first: {refused}'
    before = len(case.ramp.write_calls())
    case.run('sync_now', step).assert_ok()
    assert [(call['method'], call['path']) for call in case.ramp.write_calls()[before:]] == []
    case.ramp.assert_clean()
    assert not case.ramp.request_violations


@pytest.fixture(scope='session')
def references(stage):
    """Of each scene: the end without a cut, the boundaries that were passed, and the number of writes."""
    found = {}
    for scene in SCENES:
        with stage.case(WORLD) as case:
            begin(case, scene)
            before = len(case.ramp.write_calls())
            step = SCENES[scene].step
            hits = case.run(step).assert_ok().hits
            writes = len(case.ramp.write_calls()) - before
            case.run('sync_now', step).assert_ok()
            found[scene] = pushed(case, scene), hits, writes
            assert_same(case, scene, found[scene][0])
    return found


@pytest.mark.parametrize('side', SIDES)
@pytest.mark.parametrize('work', WORKS)
@pytest.mark.parametrize('scene', SCENES)
def test_push_killed_at_commit(stage, references, scene, work, side):
    """In every flow that passes it, the first time and the last."""
    reference, hits, _writes = references[scene]
    passed = {name: count for name, count in hits.items() if name.startswith(f'{side} commit of ') and name.endswith(f'.{work}')}
    for boundary, count in passed.items():
        for nth in {1, count} if work in ('_store', '_mark_uncertain') else {count}:
            with stage.case(WORLD) as case:
                begin(case, scene)
                case.run(SCENES[scene].step, cut={'at': boundary, 'nth': nth}).assert_killed()
                assert_same(case, scene, reference)


@pytest.mark.parametrize('side', SIDES)
@pytest.mark.parametrize('scene', SCENES)
def test_push_killed_in_ramp(stage, references, scene, side):
    """Before Ramp begins, and when it has done the work and has not said so."""
    reference, _hits, writes = references[scene]
    for nth in range(1, writes + 1):
        with stage.case(WORLD) as case:
            begin(case, scene)
            case.kill_at_write(side, nth, SCENES[scene].paths)
            case.run(SCENES[scene].step).assert_killed()
            assert_same(case, scene, reference)


@pytest.mark.parametrize('scene', SCENES)
def test_push_database_goes_away(stage, references, scene):
    reference, hits, _writes = references[scene]
    boundary = next(name for name in sorted(hits) if name.startswith('before commit of ') and name.endswith('._store'))
    for cut in ({'at': boundary}, {'at': boundary.replace('before', 'after')}):
        with stage.case(WORLD) as case:
            begin(case, scene)
            assert case.run(SCENES[scene].step, cut={**cut, 'how': 'disconnect'}).code == 1
            assert_same(case, scene, reference)


@pytest.mark.parametrize('scene', SCENES)
def test_push_two_at_once(stage, references, scene):
    reference, _hits, _writes = references[scene]
    with stage.case(WORLD) as case:
        begin(case, scene)
        before = len(case.ramp.write_calls())
        for process in start_together(case, 2, f'{SCENES[scene].step} at once'):
            process.wait().assert_ok()
        case.rest()
        calls = [(call['method'], call['path'], str(call['body'])) for call in case.ramp.write_calls()[before:]]
        assert len(calls) == len(set(calls)), 'sent twice'
        assert all(call['status'] < 400 for call in case.ramp.write_calls()[before:])
        assert_same(case, scene, reference)


def test_push_keeps_a_change_made_while_it_sends(stage):
    """What is asked for while the job waits for Ramp (here: everything compared again) is not lost when it notes what it sent."""
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

        case.ramp.after(hook)
        case.run('push').assert_ok()
        assert done
        case.run('push').assert_ok()
        assert [row['name'] for row in case.ramp.state['accounts'] if row['name'] == 'Renamed meanwhile']
