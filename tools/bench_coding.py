"""Measure the cost of sending the chart to Ramp, in a process and a database of its own; called by `bench.py`.

push    accounts, plans and analytic accounts: the first time, again without changes, after one is renamed, and a
        comparison of everything with Ramp (Resync Coding Options)
save    the extra time for a user who saves, imports or creates: with and without a connection, in turns
"""

import argparse
import contextlib
import json
import statistics
import threading
import time
from collections import Counter
from pathlib import Path

from odoo_env import connect_empty_company, open_environment, run_simulator

CHART = ('account', 'analytic_plan', 'analytic_account')
PLANS = 2
BATCH = 1000  # objects per import
WORDS = {
    'save': 'an account saved and committed',
    'import': f'{BATCH:,} accounts imported (`load`)',
    'suppliers': f'{BATCH:,} suppliers created',
    'contacts': f'{BATCH:,} contacts created, who are no suppliers',
}
SAVES = 20  # saves of one account per round, each committed


class CostWatch:
    """Count queries, requests to Ramp and seconds. `measure_span` gives the figures of the work within it."""

    def __init__(self, ramp=True):
        self.requests = Counter()
        if ramp:
            self._count_ramp_requests()
        thread = threading.current_thread()
        # Odoo counts the queries of all cursors of a thread that has these attributes.
        thread.query_count, thread.query_time = 0, 0.0

    def _count_ramp_requests(self):
        from odoo.addons.ramp_connector.ramp_api import RampClient, SlidingWindow

        original = RampClient._send_api_attempt

        def count_and_send(ramp, call, auth):
            self.requests['writes' if call.is_write else 'tokens' if call.minting else 'reads'] += 1
            return original(ramp, call, auth)

        RampClient._send_api_attempt = count_and_send
        SlidingWindow.acquire_place = lambda window, longest=None: 0.0  # Ramp's limit is added by calculation later

    @contextlib.contextmanager
    def measure_span(self):
        """Yield a dict. At the end of the context it has the seconds, the queries and the requests by kind."""
        thread, figures = threading.current_thread(), {}
        queries, asked, started = thread.query_count, Counter(self.requests), time.perf_counter()
        yield figures
        figures.update(
            seconds=time.perf_counter() - started,
            queries=thread.query_count - queries,
            **{kind: self.requests[kind] - asked[kind] for kind in ('reads', 'writes', 'tokens')},
        )

    def measure_method(self, owner, name, found):
        """Add the seconds and queries of a method to a counter from now on."""
        original = getattr(owner, name)

        def call_and_measure(*args, **kwargs):
            with self.measure_span() as figures:
                result = original(*args, **kwargs)
            found.update({'seconds': figures['seconds'], 'queries': figures['queries'], 'calls': 1})
            return result

        setattr(owner, name, call_and_measure)


# ------------------------------------------------------------------------------------------ the data


def copy_record_rows(env, record, count, values):
    """Copy a record directly in the database.

    Creating 20,000 with the ORM takes minutes and says nothing about the push.

    :param values: SQL expressions of the columns that differ, by name; `n` is the number of the copy
    """
    env.flush_all()
    columns = [
        field.name
        for field in env[record._name]._fields.values()
        if field.store and field.column_type and field.name != 'id'
    ]
    chosen = ', '.join(f'{values[name]} AS "{name}"' if name in values else f'"{name}"' for name in columns)
    names = ', '.join(f'"{name}"' for name in columns)
    env.cr.execute(
        f'INSERT INTO {record._table} ({names}) SELECT {chosen} FROM {record._table}, generate_series(1, %s) AS n '
        'WHERE id = %s'
        ' RETURNING id',
        [count, record.id],
    )
    ids = [row[0] for row in env.cr.fetchall()]
    env.invalidate_all()
    return env[record._name].browse(ids)


def prepare_chart_company(env, ramp, accounts, analytics):
    """Prepare a company with a chart of these sizes, connected to a Ramp without it. Return the connection."""
    company = env.company
    Plan = env['account.analytic.plan']
    plans = Plan.search([('parent_id', '=', False)], limit=PLANS)
    plans += Plan.create([{'name': f'Plan {number}'} for number in range(len(plans), PLANS)])
    existing = env['account.account'].search([('company_ids', 'in', company.ids)])
    account = env['account.account'].create(
        {'code': '700000', 'name': 'Bench', 'account_type': 'expense', 'company_ids': [(6, 0, company.ids)]}
    )
    env.flush_all()
    made = copy_record_rows(
        env,
        account,
        max(accounts - len(existing) - 1, 0),
        {
            'name': "jsonb_build_object('en_US', 'Cost of ' || n)",
            'code_store': f"jsonb_build_object('{company.root_id.id}', (700000 + n)::text)",
        },
    )
    relation = account._fields['company_ids']
    env.cr.execute(
        f'INSERT INTO {relation.relation} ({relation.column1}, {relation.column2}) SELECT unnest(%s), %s',
        [made.ids, company.id],
    )
    for plan in plans:
        first = env['account.analytic.account'].create(
            {'name': f'{plan.name} first', 'plan_id': plan.id, 'company_id': company.id}
        )
        copy_record_rows(
            env,
            first,
            analytics // PLANS - 1,
            {'name': f"jsonb_build_object('en_US', '{plan.name} ' || n)", 'code': f"'{plan.id}-' || n"},
        )
    env.cr.execute(
        'ANALYZE account_account, account_analytic_account, account_account_res_company_rel'
    )  # they are not new
    env.cr.commit()
    return connect_empty_company(env, ramp, offer_vendors=False, analytic_plan_ids=[(6, 0, plans.ids)])


# ------------------------------------------------------------------------------------------ the push


def has_due_rows(env, connection, flow):
    """Return whether the ledger has rows of a flow that are still to be sent."""
    due = [('connection_id', '=', connection.id), ('flow', '=', flow), ('state', 'in', ('pending', 'error'))]
    return bool(env['ramp.record'].search_count(due, limit=1))


def push_flow_until_idle(env, connection, watch, flow):
    """Run the job of a flow as the scheduler does, until nothing is left. Return its figures."""
    cron = env['ir.cron'].browse(env[f'ramp.flow.{flow}']._get_cron_job().id)
    env.invalidate_all()
    with watch.measure_span() as figures:
        for figures['jobs'] in range(1, 50):
            cron.method_direct_trigger()
            env.cr.commit()
            env.invalidate_all()
            if not has_due_rows(env, connection, flow):
                break
    rows = env['ramp.record'].search_fetch(
        [('connection_id', '=', connection.id), ('flow', '=', flow), ('state', '=', 'confirmed')], ['id']
    )
    return {**figures, 'flow': flow, 'objects': len(rows)}


def push_chart_flows(env, connection, watch):
    """Push every flow of the chart. Return {flow: figures}."""
    return {flow: push_flow_until_idle(env, connection, watch, flow) for flow in CHART}


def measure_chart_pushes(env, connection, watch, ramp):
    """Return the figures of the first push, of one without changes, of a renamed account, and of a comparison."""
    # The scheduler's time slices are not part of this measurement.
    import odoo.addons.base.models.ir_cron as ir_cron

    ir_cron.MIN_TIME_PER_JOB = 3600
    found = {'first': push_chart_flows(env, connection, watch)}
    table = {'account': 'accounts', 'analytic_plan': 'fields', 'analytic_account': 'options'}
    there = ramp.fetch_summary()['objects']
    for flow, figures in found['first'].items():
        if not figures['objects'] or there[table[flow]] != figures['objects']:
            raise SystemExit(
                f'coding: {figures["objects"]} of the flow {flow} are confirmed, Ramp has {there[table[flow]]}'
            )
    push_chart_flows(env, connection, watch)  # fill tokens and caches, so that the next run is like all later idle runs
    inside = {name: Counter() for name in ('_create_missing_rows', '_cron_run')}
    watch.measure_method(env.registry['ramp.record'], '_create_missing_rows', inside['_create_missing_rows'])
    found['idle'] = {}
    for flow in CHART:
        for counter in inside.values():
            counter.clear()
        watch_run = Counter()
        original = env.registry[f'ramp.flow.{flow}']._cron_run
        watch.measure_method(env.registry[f'ramp.flow.{flow}'], '_cron_run', watch_run)
        found['idle'][flow] = push_flow_until_idle(env, connection, watch, flow) | {
            'own_queries': watch_run['queries'],
            'own_seconds': watch_run['seconds'],
            'expect_seconds': inside['_create_missing_rows']['seconds'],
        }
        env.registry[f'ramp.flow.{flow}']._cron_run = original
    env['account.account'].search([('code', '=', '700001')]).name = 'Renamed'
    env.cr.commit()
    found['rename'] = push_flow_until_idle(env, connection, watch, 'account')
    with watch.measure_span() as click:
        connection.action_push_all()
        env.cr.commit()
    found['again_click'] = click
    found['again'] = push_chart_flows(env, connection, watch)
    return found


# ------------------------------------------------------------------------------------------ the cost for a user


def save_renamed_account(env, account, number):
    account.name = f'Saved {number}'
    env.flush_all()
    env.cr.commit()


def import_chart_accounts(env, count, number):
    done = env['account.account'].load(
        ['code', 'name', 'account_type'],
        [[f'{800000 + number}.{row}', f'Imported {row}', 'expense'] for row in range(count)],
    )
    if not done['ids']:
        raise SystemExit(f'coding: the import failed: {done["messages"][0]}')
    env.flush_all()


def create_supplier_partners(env, count, number, rank=1):
    env['res.partner'].create([{'name': f'Partner {number} {row}', 'supplier_rank': rank} for row in range(count)])
    env.flush_all()


def create_contact_partners(env, count, number):
    create_supplier_partners(env, count, number, rank=0)


def switch_connection_state(env, connection, on):
    """Switch the connection on or off for the hooks. Clear the caches of earlier answers."""
    env.cr.execute(
        'UPDATE ramp_connection SET state = %s, offer_vendors = TRUE WHERE id = %s',
        ['connected' if on else 'disconnected', connection.id],
    )
    env.cr.commit()
    env.invalidate_all()
    env.registry.clear_cache()


def measure_user_saves(env, connection, watch, rounds):
    """Return medians of rounds in which both sides take turns: {what: {'on': .., 'off': .., 'ratio': ..}}."""
    account = env['account.account'].search([('code', '=', '700000')])
    found = {}
    for number in range(rounds):
        for on in (True, False) if number % 2 else (False, True):
            switch_connection_state(env, connection, on)
            side = 'on' if on else 'off'
            for what, work in (
                ('contacts', create_contact_partners),
                ('suppliers', create_supplier_partners),
                ('import', import_chart_accounts),
            ):
                work(env, 2, number)  # fill the caches, as a running server has
                env.cr.rollback()
                env.invalidate_all()
                with watch.measure_span() as figures:
                    work(env, BATCH, number)
                env.cr.rollback()
                found.setdefault(what, {}).setdefault(side, []).append(figures)
            singles = []
            for single in range(SAVES + 2):
                env.invalidate_all()
                with watch.measure_span() as figures:
                    save_renamed_account(env, account, f'{number} {single} {side}')
                singles.append(figures)
            found.setdefault('save', {}).setdefault(side, []).append(
                {key: statistics.median(single[key] for single in singles[2:]) for key in singles[0]}
            )
    switch_connection_state(env, connection, True)
    return {
        what: {
            'on_seconds': statistics.median(run['seconds'] for run in sides['on']),
            'off_seconds': statistics.median(run['seconds'] for run in sides['off']),
            'on_queries': statistics.median(run['queries'] for run in sides['on']),
            'off_queries': statistics.median(run['queries'] for run in sides['off']),
            'requests': sum(run['reads'] + run['writes'] + run['tokens'] for run in sides['on']),
            'ratio': statistics.median(
                on['seconds'] / off['seconds'] for on, off in zip(sides['on'], sides['off'], strict=True)
            ),
        }
        for what, sides in found.items()
    }


def read_coding_options():
    parser = argparse.ArgumentParser()
    parser.add_argument('--database', required=True)
    parser.add_argument('--accounts', type=int, required=True)
    parser.add_argument('--analytics', type=int, required=True)
    parser.add_argument('--rounds', type=int, required=True)
    parser.add_argument('--output', required=True)
    parser.add_argument('--profile', help='write a profile of Python calls here')
    return parser.parse_args()


def main():
    options = read_coding_options()
    with run_simulator('--no-validate', '--rate-limit', 0) as ramp, open_environment(options.database) as env:
        env = env(context={**env.context, 'lang': 'en_US'})
        connection = prepare_chart_company(env, ramp, options.accounts, options.analytics)
        watch = CostWatch()
        work = lambda: measure_chart_pushes(env, connection, watch, ramp)
        if options.profile:
            import cProfile

            profile = cProfile.Profile()
            figures = profile.runcall(work)
            profile.dump_stats(options.profile)
        else:
            figures = work()
        figures['hooks'] = measure_user_saves(env, connection, watch, options.rounds) if options.rounds else {}
        figures['plans'] = PLANS
        figures['labels'] = {**WORDS, **{flow: env[f'ramp.flow.{flow}']._get_flow_label() for flow in CHART}}
        problems = ramp.fetch_summary()['errors']
        if problems:
            raise SystemExit(f'the simulator failed: {problems[0]}')
    Path(options.output).write_text(json.dumps(figures), encoding='utf-8')


if __name__ == '__main__':
    main()
