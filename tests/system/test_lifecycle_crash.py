"""Kills while the module is upgraded or uninstalled. The database is unchanged or the work is done, and a repetition
leads to the same end.

The tests have a database of their own, and another one after a test that ends without the module, because nothing
restores what an uninstallation removes.
"""

import pytest
from books import differences, rows, state_of
from selection import FULL, some
from stage import Stage, World

WORLD = World(transactions=8, held=1, problems=False, owing='bills')
# Tables that Odoo writes at any time, or that a killed process may leave changed.
BESIDE = {'ir_module_module', 'ir_cron', 'ir_cron_progress', 'ir_cron_trigger', 'ir_attachment', 'ir_config_parameter'}
MOMENTS = ('id', 'create_date', 'write_date', 'message_main_attachment_id')
OLD = """
    UPDATE ir_module_module SET latest_version = '19.0.1.1.0' WHERE name = 'ramp_connector';
    UPDATE ramp_record SET payload_hash = 'of before', noted = NULL WHERE flow = 'transaction';
    UPDATE ramp_record SET ramp_entity_id = NULL, has_moved = NULL, open_amount = NULL;
    UPDATE ramp_connection SET existing_policy = NULL, connected_at = NULL, cashback_account_id = NULL, database = NULL,
           bill_journal_id = NULL, payment_journal_id = NULL;
    UPDATE ir_cron SET active = FALSE WHERE id IN (
        SELECT res_id FROM ir_model_data WHERE module = 'ramp_connector' AND name IN ('cron_bill', 'cron_statement', 'cron_seat'));
    DELETE FROM ir_config_parameter WHERE key = 'ramp_connector.identity';
    ALTER TABLE ramp_connection ADD COLUMN last_sync timestamp, DROP COLUMN silent_since, DROP COLUMN left_out;
    ALTER TABLE ramp_run DROP COLUMN begun_at;
"""


@pytest.fixture(scope='module')
def stages():
    """Yield the stage of this file in a list, so that it can be replaced."""
    found = []
    yield found
    for stage in found:
        stage.close()


@pytest.fixture
def theatre(stages, tmp_path_factory):
    if stages and not is_installed(stages[0]):
        stages.pop().close()
    if not stages:
        stages.append(Stage(tmp_path_factory.mktemp('lifecycle'), 'life'))
        stages[0].open()
        with stages[0].sql() as cursor:
            # Odoo locks this table without waiting, and would take a lock of autovacuum for another operation on
            # modules.
            cursor.execute('ALTER TABLE ir_module_module SET (autovacuum_enabled = off)')
    return stages[0]


def is_installed(stage):
    with stage.sql() as cursor:
        return (
            rows(cursor, "SELECT state FROM ir_module_module WHERE name = 'ramp_connector'")[0]['state'] == 'installed'
        )


def book(case):
    case.run('payables quiet').assert_ok()
    assert case.state()['counts']['hr_expense'] > 5


@pytest.fixture
def booked(theatre):
    with theatre.case(WORLD, theatre.beginning('booked', WORLD, book)) as case:
        yield case


def is_compared(table):
    return table not in BESIDE and not table.startswith('orm_signaling_')


def contents(case):
    """Return the columns and a checksum of the rows for each table, except tables that Odoo writes at any time."""
    with case.stage.sql() as cursor:
        cursor.execute("""
            SELECT table_name, string_agg(format('%I %s', column_name, data_type), ', ' ORDER BY column_name)
              FROM information_schema.columns WHERE table_schema = 'public' GROUP BY 1""")
        found = {}
        for table, columns in cursor.fetchall():
            if is_compared(table):
                cursor.execute(f"""
                    SELECT md5(string_agg(row, '' ORDER BY row)) FROM (SELECT md5(to_jsonb(t)::text) AS row FROM public."{table}" t) x""")
                found[table] = columns, cursor.fetchone()[0]
    return found


def module(case):
    with case.stage.sql() as cursor:
        return rows(cursor, "SELECT state, latest_version FROM ir_module_module WHERE name = 'ramp_connector'")[0]


def seats(case):
    return [row['is_active'] for row in case.ramp.state['connections']]


def several(hits, crucial, every=1):
    """Return moments (boundary, nth): the crucial ones, and many more in a full run."""
    moments = list(crucial)
    if FULL:
        moments += [
            (boundary, nth)
            for boundary, count in hits.items()
            if boundary in ('before a statement', 'before a commit')
            for nth in range(1, count, every if boundary.endswith('statement') else 10)
        ]
    return list(dict.fromkeys(moments))


# ---------------------------------------------------------------------------------------------- upgrading


def upgraded(case):
    """Return the result of an upgrade: the structure, the module's records, and its data without ids and times."""
    with case.stage.sql() as cursor:
        found = {
            'module': module(case),
            'columns': rows(
                cursor,
                """
                SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns WHERE table_schema = 'public'
                 ORDER BY 1, 2""",
            ),
            'indexes': rows(cursor, "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"),
            'constraints': rows(
                cursor,
                """
                SELECT conname, conrelid::regclass::text AS of FROM pg_constraint WHERE connamespace = 'public'::regnamespace
                 ORDER BY 1, 2""",
            ),
            'brought': rows(
                cursor, "SELECT name, model, noupdate FROM ir_model_data WHERE module = 'ramp_connector' ORDER BY 1"
            ),
            'views': rows(
                cursor,
                """
                SELECT d.name, md5(v.arch_db::text) FROM ir_ui_view v
                  JOIN ir_model_data d ON d.model = 'ir.ui.view' AND d.res_id = v.id AND d.module = 'ramp_connector' ORDER BY 1""",
            ),
            'jobs': rows(
                cursor,
                """
                SELECT d.name, c.active FROM ir_cron c
                  JOIN ir_model_data d ON d.model = 'ir.cron' AND d.res_id = c.id AND d.module = 'ramp_connector' ORDER BY 1""",
            ),
            'told': rows(cursor, "SELECT body FROM mail_message WHERE model = 'ramp.connection' ORDER BY 1"),
            'name': rows(cursor, "SELECT length(value) FROM ir_config_parameter WHERE key = 'ramp_connector.identity'"),
            'books': state_of(cursor, case.ramp),
        }
        for table in ('ramp_connection', 'ramp_record', 'ramp_run'):
            found[table] = sorted(
                str(
                    sorted(
                        (key, str(value))
                        for key, value in row.items()
                        if key not in (*MOMENTS, 'cashback_account_id', 'api_url')
                    )
                )
                for row in rows(cursor, f'SELECT * FROM {table}')
            )
        cursor.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE "
            "TABLE'"
        )
        found['rows'] = {
            table: rows(cursor, f'SELECT count(*) FROM "{table}"')
            for (table,) in cursor.fetchall()
            if is_compared(table)
        }
    return found


def grow_old(case):
    with case.stage.sql() as cursor:
        cursor.execute(OLD)
        cursor.execute('UPDATE ramp_connection SET api_url = %s', [case.ramp.api_url])


def test_killed_in_an_upgrade(theatre, booked):
    grow_old(booked)
    before = contents(booked)
    hits = booked.run('module: upgrade').assert_ok().hits
    reference = upgraded(booked)
    assert reference['module'] == {'state': 'installed', 'latest_version': reference['module']['latest_version']}
    assert 'of before' not in str(reference['ramp_record']) and {'left_out', 'begun_at'} <= {
        row['column_name'] for row in reference['columns']
    }
    statements, commits = hits['before a statement'], hits['before a commit']
    moments = several(
        hits,
        some(
            [('before a statement', statements * part // 10) for part in range(2, 10)]
            + [
                (f'{side} a commit', nth) for side in ('before', 'after') for nth in range(max(1, commits - 4), commits)
            ],
            kind=lambda moment: moment[0].endswith(' commit'),
        ),
        every=max(1, statements // 8),
    )
    for boundary, nth in moments:
        theatre.restore('booked')
        grow_old(booked)
        booked.run('module: upgrade', cut={'at': boundary, 'nth': nth}).assert_killed()
        here = module(booked)
        if here['state'] == 'to upgrade':
            assert here['latest_version'] == '19.0.1.1.0'
            found = differences(before, contents(booked))
            assert not found, f'not whole after it was killed {boundary} {nth}: {found[:20]}'
        if here['state'] != 'installed':
            booked.run('module: reset').assert_ok()
        booked.run('module: upgrade').assert_ok()
        found = differences(reference, upgraded(booked))
        assert not found, f'killed {boundary} {nth}: {found[:20]}'


# ---------------------------------------------------------------------------------------------- uninstalling


def business(case):
    """Return the records that must still exist after the module is uninstalled."""
    with case.stage.sql() as cursor:
        return {
            'entries': rows(
                cursor, 'SELECT name, state, move_type, date, amount_total FROM account_move ORDER BY name, id'
            ),
            'lines': rows(cursor, 'SELECT count(*), sum(debit) AS debit, sum(credit) AS credit FROM account_move_line'),
            'expenses': rows(cursor, 'SELECT name, state, total_amount FROM hr_expense ORDER BY 1, 2, 3'),
            'partners': rows(cursor, 'SELECT name FROM res_partner ORDER BY 1'),
            'payments': rows(cursor, 'SELECT count(*) FROM account_payment'),
            'files': rows(
                cursor,
                """
                SELECT name, checksum, res_model FROM ir_attachment WHERE res_model IN ('hr.expense', 'account.move') ORDER BY 1, 2, 3""",
            ),
        }


def test_killed_in_an_uninstallation_and_stays(theatre, booked):
    """After a kill, the database is unchanged but the integration in Ramp is gone. A user who keeps the module is told
    what to do, and goes on.
    """
    before = contents(booked)
    booked.run('module: uninstall', cut={'at': 'after request DELETE /accounting/connection'}).assert_killed()
    found = differences(before, contents(booked))
    assert not found, found[:20]
    assert seats(booked) == [False]
    booked.run('module: reset').assert_ok()
    failed = [run['message'] for run in booked.run('flows').runs if run['state'] == 'failed']
    assert failed and all('Press Disconnect and Connect' in message for message in failed), failed
    booked.run('link: disconnect', 'link: connect').assert_ok()
    assert seats(booked) == [True], 'the seat that was his'
    booked.ramp.add_transaction(amount_minor=1234)
    booked.run('payables quiet').assert_ok()
    booked.assert_sound()


def test_killed_in_an_uninstallation_again_and_again(theatre, booked):
    """An uninstallation that is killed again and again ends with the module gone."""
    before, there = contents(booked), business(booked)
    assert there['expenses'] and there['payments'] and there['files']
    moments = [
        ('before request DELETE /accounting/connection', 1),
        ('after request DELETE /accounting/connection', 1),
        *((('before a table goes', nth) for nth in range(1, 12)) if FULL else [('before a table goes', 3)]),
        *((('before a column goes', nth) for nth in (1, 2, 5, 10, 20)) if FULL else []),
        ('before a commit', 2),
        ('after a commit', 2),
    ]
    for boundary, nth in moments:
        booked.run('module: uninstall', cut={'at': boundary, 'nth': nth}).assert_killed()
        assert business(booked) == there
        here = module(booked)
        if here['state'] == 'to remove':
            found = differences(before, contents(booked))
            assert not found, f'not whole after it was killed {boundary} {nth}: {found[:20]}'
            booked.run('module: reset').assert_ok()
    if module(booked)['state'] != 'uninstalled':
        booked.run('module: uninstall').assert_ok()
    assert module(booked)['state'] == 'uninstalled'
    assert business(booked) == there
    assert not any(seats(booked)), 'nobody else can take it'
    with theatre.sql() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE 'ramp%'")
        assert not cursor.fetchall()
        cursor.execute("""
            SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name LIKE 'ramp%'""")
        assert not cursor.fetchall()
        for query in (
            "SELECT model FROM ir_model WHERE model LIKE 'ramp.%'",
            "SELECT name FROM ir_model_data WHERE module = 'ramp_connector'",
        ):
            cursor.execute(query)
            assert not cursor.fetchall()
