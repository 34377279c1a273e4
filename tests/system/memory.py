"""Measure the memory of a run, the nightly check and the tie-out with a large ledger, in a process of its own; prints
it as JSON.

The ledger is made in SQL, as the benchmark of the tie-out does it. Each measure is the peak of a process that is forked
for it.
"""

import json
import os
import resource
import sys
import traceback
from datetime import date
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / 'tools')]

from bench_tie_out import add_card_spend  # noqa: E402
from odoo_env import connect_seeded_company, open_environment, run_simulator  # noqa: E402

MONTHS = 24


def job(flow):
    def work(env):
        env.ref(f'ramp_connector.cron_{flow}').method_direct_trigger()
        env.cr.commit()
        env.invalidate_all()
        run = env['ramp.run'].search([('flow', '=', flow)], limit=1)
        assert run.state in ('done', 'paused'), run.message

    return work


def tie_out(env):
    connection = env['ramp.connection'].search([('state', '=', 'connected')])
    assert env['report.ramp_connector.tie_out'].get_report(connection.id)['sections']


MEASURED = {'a run': job('transaction'), 'the nightly check': job('watch'), 'the tie-out': tie_out}


def peak(database, work):
    """Return the bytes at the peak of a process that does the work, beyond those with which it was forked."""
    import odoo.sql_db

    odoo.sql_db.close_all()
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        before = int(Path('/proc/self/statm').read_text(encoding='utf-8').split()[1]) * resource.getpagesize()
        try:
            with open_environment(database) as env:
                work(env)
            os.write(writer, str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before).encode())
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(0)
    os.close(writer)
    answer = os.read(reader, 100)
    os.waitpid(pid, 0)
    assert answer, 'it failed'
    return int(answer)


def main(database, *counts):
    found, there = [], 0
    with run_simulator('--no-validate') as ramp:
        with open_environment(database) as env:
            connection = connect_seeded_company(env, ramp, transactions=40, months=2)
            entity = ramp.call_admin('GET', '/objects/entities')['data'][0]['id']
            connection.use_webhooks = False
            env.cr.commit()
        for work in MEASURED.values():  # the first run also fills caches
            peak(database, work)
        for code, count in zip(('USD', 'EUR'), map(int, counts), strict=True):  # each count has entries of its own
            with open_environment(database) as env:
                connection = env['ramp.connection'].search([('state', '=', 'connected')])
                account = env['account.account'].search([('account_type', '=', 'expense')], limit=1)
                first = date.today().replace(day=1, year=date.today().year - 2)
                add_card_spend(env, connection, account, env.ref(f'base.{code}'), entity, count - there, MONTHS, first)
                env.cr.execute('ANALYZE')
                env.cr.commit()
            there = count
            found.append({'rows': count, **{name: peak(database, work) for name, work in MEASURED.items()}})
    print(json.dumps(found))


if __name__ == '__main__':
    main(*sys.argv[1:])
