"""Kills while *Connect* is at work. Pressed again, it leads to one integration in Ramp, as without the kill."""

import pytest
from books import differences, rows
from selection import some
from stage import World

WORLD = World(transactions=4, held=0, problems=False)
BEGINNINGS = {  # scene: its steps of worker.py
    'the first time': ('link: disconnect', 'link: begin anew'),
    'after Disconnect': ('link: disconnect',),
    'without a name': ('link: disconnect', 'link: begin anew', 'link: lose the name'),
}
LOOKS = {'POST /token', 'GET /business', 'GET /entities', 'GET /accounting/all-connections'}
ASKED = {  # requests to Ramp, by scene
    'the first time': {*LOOKS, 'POST /accounting/connection'},
    'after Disconnect': {*LOOKS, 'POST /accounting/connection/*/reactivate'},
}
ASKED['without a name'] = ASKED['the first time']
OUT = (
    'id',
    'api_url',
    'create_date',
    'write_date',
    'connected_at',
    'credentials_since',
    'sync_requested_at',
    'message_main_attachment_id',
    'card_journal_id',
    'cashback_account_id',
    'bill_journal_id',
    'payment_journal_id',
)  # numbers, times, and values that are compared by name


def begin(scene):
    def with_case(case):
        case.run(*BEGINNINGS[scene]).assert_ok()
        if scene != 'after Disconnect':  # as if it had never been connected
            for row in list(case.ramp.state['connections']):
                case.ramp.remove_object('connections', row['id'])

    return with_case


def state(case):
    """Return all that *Connect* changes, on both sides."""
    with case.stage.sql() as cursor:
        connections = [
            {key: value for key, value in row.items() if key not in OUT}
            for row in rows(cursor, 'SELECT * FROM ramp_connection')
        ]
        found = {
            'journals': rows(
                cursor,
                """
                SELECT c.state, j.code, j.type, a.code_store, p.code AS bills, b.code AS bank, k.code_store AS cashback
                  FROM ramp_connection c
                  LEFT JOIN account_journal j ON j.id = c.card_journal_id LEFT JOIN account_account a ON a.id = j.default_account_id
                  LEFT JOIN account_journal p ON p.id = c.bill_journal_id LEFT JOIN account_journal b ON b.id = c.payment_journal_id
                  LEFT JOIN account_account k ON k.id = c.cashback_account_id""",
            ),
            'jobs': rows(
                cursor,
                """
                SELECT d.name, c.active, EXISTS (SELECT FROM ir_cron_trigger t WHERE t.cron_id = c.id) AS called
                  FROM ir_cron c JOIN ir_model_data d ON d.model = 'ir.cron' AND d.res_id = c.id AND d.module = 'ramp_connector'
                 ORDER BY d.name""",
            ),
            'ledger': rows(cursor, 'SELECT flow, state, count(*) FROM ramp_record GROUP BY 1, 2 ORDER BY 1, 2'),
            'counts': {
                table: rows(cursor, f'SELECT count(*) FROM {table}')
                for table in (
                    'account_account',
                    'account_journal',
                    'mail_message',
                    'mail_tracking_value',
                    'ramp_change',
                    'ramp_run',
                    'res_partner',
                )
            },
            'name': rows(cursor, "SELECT length(value) FROM ir_config_parameter WHERE key = 'ramp_connector.identity'"),
        }
        names = {
            row['value']
            for row in rows(cursor, "SELECT value FROM ir_config_parameter WHERE key = 'ramp_connector.identity'")
        }
    seats = [
        {key: row[key] for key in ('connection_type', 'is_active', 'settings', 'status')}
        for row in case.ramp.state['connections']
    ]
    for connection in connections:
        connection['accounting_connection_id'] = [
            row['id'] for row in case.ramp.state['connections'] if row['is_active']
        ] == [connection['accounting_connection_id']]
    assert {row['remote_provider_name'] for row in case.ramp.state['connections']} <= {
        f'Odoo {name}' for name in names
    }, 'another name'
    return {**found, 'connections': connections, 'seats': seats}


def press(case, **command):
    return case.run('link: connect', requests=True, **command)


@pytest.mark.parametrize('scene', BEGINNINGS)
def test_killed_in_connect(stage, scene):
    """Connect survives a kill before and after each request and each commit."""
    start = stage.beginning(f'connect {scene}', WORLD, begin(scene))
    with stage.case(WORLD, start) as case:
        hits = press(case).assert_ok().hits
        reference = state(case)
        assert [seat['is_active'] for seat in reference['seats']] == [True]
        asked = {boundary.partition(' request ')[2].partition('?')[0] for boundary in hits if ' request ' in boundary}
        assert asked == ASKED[scene], 'add what is asked, or take it away, above'
    moments = [
        (boundary, nth)
        for boundary, count in hits.items()
        for nth in range(1, count + 1)
        if ' request ' in boundary or boundary.endswith(' commit')
    ]
    crucial = [
        moment
        for moment in moments
        if moment[0].startswith('after ') and moment[0].endswith(('connection', 'reactivate'))
    ]
    others = [moment for moment in moments if moment not in crucial]
    for boundary, nth in crucial + some(others, kind=lambda moment: moment[0].endswith(' commit')):
        with stage.case(WORLD, start) as case:
            before = state(case)
            press(case, cut={'at': boundary, 'nth': nth}).assert_killed()
            here = {key: value for key, value in state(case).items() if key not in ('seats', 'name')}
            found = differences({key: before[key] for key in here}, here)
            assert not found or here['connections'][0]['state'] == 'connected', (
                f'half connected at {boundary} {nth}: {found}'
            )
            press(case).assert_ok()
            found = differences(reference, state(case))
            assert not found, f'killed {boundary} {nth}: {found}'


@pytest.mark.parametrize('scene', ['the first time', 'after Disconnect'])
def test_killed_when_ramp_has_given_the_seat(stage, scene):
    """If Ramp has given the integration twice without an answer arriving, Connect takes it once, and the jobs run as
    usual.
    """
    start = stage.beginning(f'connect {scene}', WORLD, begin(scene))
    with stage.case(WORLD, start) as case:
        for _time in range(2):
            case.kill_at_write('after', paths=('/accounting/connection',))
            process = case.start('link: connect').wait()
            if process.code == 0:
                break
            process.assert_killed()
            case.rest()
            assert [row['is_active'] for row in case.ramp.state['connections']] == [True]
        assert process.code == 0, 'the seat was taken twice'
        case.run('sync_now', 'flows quiet').assert_ok()
        case.ramp.assert_clean()
        assert set(map(len, case.ramp.list_successes().values())) == {1}
