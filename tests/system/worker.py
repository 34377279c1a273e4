"""Odoo processes that may be killed. The script runs as `worker.py DATABASE` and takes commands on standard input.

Odoo is loaded once, and a process is forked for every command, as Odoo's own prefork server does. A forked process
opens connections of its own, runs the jobs as the scheduler would, and may be told to die at a boundary. The product
has no code for this: the boundaries are wrapped around its methods here.

    {"do": ["flows"], "cut": {"at": "before post", "nth": 2}, "log": path, "result": path}   ->  {"pid": 123}
    {"wait": 123, "seconds": 60}                                                            ->  {"code": -9}
"""

import contextlib
import datetime
import fcntl
import functools
import json
import os
import random
import re
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'tools'))

from jobs import FILES, FLOWS, JOBS, PAYABLES, STATEMENTS
from odoo_env import SimulatedRamp, connect_seeded_company, open_environment

# Boundaries inside the transactions of payables, for the flows that have the method.
INSIDE = {
    '_reconcile_line_pairs': 'reconciling',
    '_apply_vendor_credits': 'credits',
    '_reconcile_with_ramp': 'applying',
    '_undo_booked_payment': 'undoing of a payment',
    '_undo_booked_move': 'undoing',
}
QUIET_ROUNDS = 12


class Cuts:
    """Counts how often each boundary is passed, and cuts the process off at the requested one."""

    def __init__(self, database, at=None, nth=1, how='kill'):
        self.database, self.at, self.nth, self.how = database, at, nth, how
        self.hits = Counter()

    def __call__(self, boundary):
        self.hits[boundary] += 1
        if boundary == self.at and self.hits[boundary] == self.nth:
            getattr(self, self.how)()

    def kill(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def stop(self):
        """Stop the process in the middle of its work until the test lets it go on."""
        os.kill(os.getpid(), signal.SIGSTOP)

    def disconnect(self):
        """End every session of the database except the one that does this, as a failover does."""
        import psycopg2

        link = psycopg2.connect(dbname='postgres', user='odoo', host=os.environ['RAMP_SOCKET'])
        link.autocommit = True
        with link.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client "
                "backend'",
                [self.database],
            )
        link.close()


def around(cuts, owner, method, label):
    """Add boundaries before and after a method. `label` is a name, or a function of the arguments; None means no
    boundary.
    """
    original = getattr(owner, method)

    @functools.wraps(original)
    def wrapped(self, *args, **kwargs):
        name = label(self, *args, **kwargs) if callable(label) else label
        if name is None:
            return original(self, *args, **kwargs)
        cuts(f'before {name}')
        result = original(self, *args, **kwargs)
        cuts(f'after {name}')
        return result

    setattr(owner, method, wrapped)


def cut_client(cuts):
    from odoo.addons.ramp_connector.ramp_api import RampClient

    pages = RampClient.list_pages

    def cut_pages(self, path, *args, **kwargs):
        found = pages(self, path, *args, **kwargs)
        path = re.sub(r'[0-9a-f-]{36}', '*', path)
        while True:
            cuts(f'before page of {path}')
            page = next(found, None)
            if page is None:
                return
            cuts(f'after page of {path}')
            yield page

    RampClient.list_pages = cut_pages
    around(cuts, RampClient, 'get', lambda client, path, *args, **kwargs: f'GET /{path.split("/")[1]}')
    around(cuts, RampClient, 'post', lambda client, path, json=None, **kwargs: telling(json))
    around(cuts, RampClient, 'download_file', 'download')


def telling(body):
    """Return the name of the boundary for a report to Ramp, and None for any other request."""
    body = body or {}
    what = 'confirming' if 'successful_syncs' in body else 'reporting' if 'failed_syncs' in body else None
    return what and what + ('' if body['sync_type'] == 'TRANSACTION_SYNC' else f' {body["sync_type"]}')


def cut_requests(cuts):
    """Add boundaries before and after each request to Ramp, also for requests that no run sends."""
    import requests

    around(
        cuts,
        requests.Session,
        'send',
        lambda session, request, **kwargs: re.sub(
            r'[0-9a-f-]{36}', '*', f'request {request.method} {request.path_url.partition("/v1")[2]}'
        ),
    )


def cut_database(cuts):
    from odoo.sql_db import Cursor

    around(cuts, Cursor, 'execute', 'a statement')
    around(cuts, Cursor, 'commit', 'a commit')


def cut_structure(cuts):
    """Add boundaries where a table or a column is dropped."""
    from odoo.sql_db import Cursor

    def goes(cursor, query, *args, **kwargs):
        found = re.search(r'\bDROP (TABLE|COLUMN)\b', str(getattr(query, 'code', query)))
        return found and f'a {found[1].lower()} goes'

    around(cuts, Cursor, 'execute', goes)


def cut_flows(cuts, env, booked):
    """Add boundaries in the flows. `booked` collects the Ramp ids of the objects that this process posted and
    committed.

    Boundaries of card transactions have plain names. Those of the other flows end in "of <flow>".
    """

    def model(name):
        return type(env[name])

    running, fresh = [], []

    def of_flow(what, *only):
        """Return the name of a boundary inside the running flow. `only`: the flows that have it, if not all."""

        def name(*args, **kwargs):
            flow = running[-1] if running else None
            if not flow or only and flow not in only:
                return None
            return what if flow in FLOWS else f'{what} of {flow}'

        return name

    around(
        cuts,
        model('ramp.record'),
        '_upsert_page',
        lambda record, connection, flow, *args, **kwargs: f'upsert of {flow}',
    )
    around(cuts, model('hr.expense'), 'create', 'expenses')
    around(cuts, model('account.move'), 'create', of_flow('entries'))
    around(cuts, model('account.move'), '_post', of_flow('post'))
    around(cuts, model('ir.attachment'), 'create', of_flow('attachments', *FILES))
    around(cuts, model('res.partner'), 'create', of_flow('partners'))
    around(cuts, model('account.payment'), 'create', of_flow('payments'))
    for flow in {*PAYABLES, *STATEMENTS} - set(FLOWS):
        for method, what in INSIDE.items():
            if hasattr(model(f'ramp.flow.{flow}'), method):
                around(cuts, model(f'ramp.flow.{flow}'), method, f'{what} of {flow}')
    around(cuts, model('ramp.card.bill'), '_book_plans', 'settling by card')
    around(cuts, model('ramp.card.bill'), '_undo_card_settlement', 'undoing of a card settlement')

    note = model('ramp.record')._mark_booked

    def noted(self, *args, **kwargs):
        name = f'booked {self[:1].flow}' if self else None
        if name:
            cuts(f'before {name}')
        note(self, *args, **kwargs)
        if name:
            fresh.extend(
                record.ramp_id if record.flow == 'transaction' else f'{record.flow} {record.ramp_id}'
                for record in self
                if record.flow != 'receipt'
            )
            cuts(f'after {name}')

    model('ramp.record')._mark_booked = noted
    for flow in dict.fromkeys(flow for jobs in JOBS.values() for flow in jobs):
        cut_transactions(cuts, model(f'ramp.flow.{flow}'), flow, fresh, booked)
    for flow in {*PAYABLES, *STATEMENTS}:
        watch(model(f'ramp.flow.{flow}'), flow, running)


def watch(owner, flow, running):
    """Keep in `running` which flow is at work: this one, or one that it calls."""
    for method in ('_run_connection_work', '_ensure_vendors_booked'):
        if hasattr(owner, method):
            setattr(owner, method, watched(getattr(owner, method), flow, running))


def watched(original, flow, running):
    @functools.wraps(original)
    def wrapped(self, *args, **kwargs):
        running.append(flow)
        try:
            return original(self, *args, **kwargs)
        finally:
            running.pop()

    return wrapped


def cut_transactions(cuts, owner, flow, fresh, booked):
    """Add boundaries before and after the commit of each piece of a flow's work."""
    original = owner._transaction

    def transaction(self, work, *args, **kwargs):
        name = f'{flow}.{work.__name__}'

        def watched(*given):
            fresh.clear()  # drops those of an attempt that was rolled back
            result = work(*given)
            cuts(f'before commit of {name}')
            return result

        result = original(self, watched, *args, **kwargs)
        booked.extend(fresh)
        fresh.clear()
        cuts(f'after commit of {name}')
        return result

    owner._transaction = transaction


class Unlimited:
    """A rate limiter without a limit, as these tests do not examine it."""

    def acquire_place(self, longest):
        return 0.0

    def block_requests(self, seconds):
        pass


def shrink(env, *, page_size=None, batch_size=None, receipt_batch=None, impatient=False):
    """Make pages and batches small, and let time pass faster for the client."""
    pull, book = type(env['ramp.flow.pull']), type(env['ramp.flow.book'])  # the other flows inherit from these
    pull._reread_pause = datetime.timedelta(0)  # days pass in seconds here
    if page_size:
        pull._page_size = page_size
    if batch_size:
        book._batch_size = batch_size
        type(env['ramp.flow.statement'])._batch_size = min(batch_size, 2)
    if receipt_batch:
        type(env['ramp.flow.receipt'])._batch_size = receipt_batch
    if impatient:
        from odoo.addons.ramp_connector.ramp_api import RampClient, auth

        # Tokens and outages are seconds old here, and minutes old in production.
        auth.SUSPECT_AGE = auth.SUSPECT_PAUSE = 0
        start = RampClient.__init__
        RampClient.__init__ = lambda self, *args, **kwargs: start(
            self,
            *args,
            **{**kwargs, 'sleep': lambda seconds: None, 'limiter': Unlimited(), 'timeout': (5, 0.5), 'max_attempts': 3},
        )


def left_out(env, job):
    """Whether Odoo passes the job over once, because its process died three times in a row."""
    from odoo.addons.base.models.ir_cron import CONSECUTIVE_TIMEOUT_FOR_FAILURE

    last = env['ir.cron.progress'].search([('cron_id', '=', job.id)], order='id desc', limit=1)
    return last.timed_out_counter >= CONSECUTIVE_TIMEOUT_FOR_FAILURE and not last.done


def trigger(env, flows):
    """Run every job once, as the scheduler would; returns the exceptions that a job let out."""
    failures = []
    for flow in flows:
        job = env['ir.cron'].browse(env[f'ramp.flow.{flow}']._get_cron_job().id)
        if left_out(env, job):
            with contextlib.suppress(TypeError):  # Odoo fails so when the job has no exception to show
                job.method_direct_trigger()
            env.cr.commit()
        answer = job.method_direct_trigger()
        env.cr.commit()
        env.invalidate_all()
        if isinstance(answer, dict):
            failures.append(answer['params']['data']['message'])
    return failures


def sync_now(env):
    env['ramp.connection'].search([('state', '=', 'connected')]).with_context(ramp_quiet=True).action_sync_now()
    env.cr.commit()


def change(env, what):
    """Make a change that a person makes in Odoo to objects that are offered in Ramp."""
    connection = env['ramp.connection'].search([('state', '=', 'connected')])
    company = connection.company_id

    def some(model, *domain, count=3):
        return env[model].with_company(company).search([*domain], order='id', limit=count)

    accounts = some('account.account', ('account_type', '=', 'expense'), ('company_ids', 'in', company.ids))
    analytics = some('account.analytic.account', ('root_plan_id', 'in', connection.analytic_plan_ids.ids))
    taxes = some('account.tax', ('type_tax_use', '=', 'purchase'), ('company_id', '=', company.id), count=1)
    suppliers = some('res.partner', ('supplier_rank', '>', 0), ('parent_id', '=', False))
    if what == 'set up':
        for number in range(3):
            env['res.partner'].create({'name': f'Push Supplier {number}', 'supplier_rank': 1})
        plans = analytics.root_plan_id + env['account.analytic.plan'].create({'name': 'Push Markets'})
        env['account.analytic.account'].create({'name': 'Push Europe', 'plan_id': plans[-1].id})
        for tax in some('account.tax', ('type_tax_use', '=', 'purchase'), ('company_id', '=', company.id), count=None):
            lines = (tax.invoice_repartition_line_ids + tax.refund_repartition_line_ids).filtered(
                lambda line: line.repartition_type == 'tax'
            )
            lines.account_id = accounts[0]
        connection.write({'offer_taxes': True, 'offer_vendors': True, 'analytic_plan_ids': [(6, 0, plans.ids)]})
    elif what == 'rename':
        for records in (accounts, analytics, taxes, suppliers, analytics.root_plan_id):
            for record in records:
                record.name = f'{record.name} renamed'
    elif what == 'withdraw':
        accounts[1:].active = False
        for records in (analytics, taxes, suppliers):
            records.active = False
        connection.analytic_plan_ids = connection.analytic_plan_ids[:1]
    elif what == 'touch all':
        connection._compare_offers_again()
    elif what == 'move':
        analytics.plan_id = connection.analytic_plan_ids.filtered(lambda plan: plan.name == 'Push Markets')
        accounts[1:].account_type = 'asset_current'
    else:
        raise ValueError(what)
    env.cr.commit()


def buy(env, what):
    """Do what purchasers and the warehouse do."""
    connection = env['ramp.connection'].search([('state', '=', 'connected')])
    env = env(context={**env.context, 'allowed_company_ids': connection.company_id.ids})
    orders = env['purchase.order'].search([('company_id', '=', connection.company_id.id)], order='id')
    if what == 'order':
        # Restored objects get free ids, and what is sent names the ids. They must be the same in each case.
        for table in ('purchase_order', 'purchase_order_line', 'stock_picking', 'stock_move', 'res_partner'):
            env.cr.execute('SELECT setval(%s, 100000)', [f'{table}_id_seq'])
        sequences = env['stock.picking.type'].search([]).sequence_id + env['ir.sequence'].search(
            [('code', '=', 'purchase.order')]
        )
        sequences.number_next_actual = 500
        connection.write({'start_date': '2020-01-01', 'pull_bills': True, 'push_orders': True, 'push_receipts': True})
        vendors = env['res.partner'].create(
            [
                {
                    'name': f'Order Supplier {number}',
                    'is_company': True,
                    'email': f'sales{number}@supplier.example',
                    'supplier_rank': 1,
                    'country_id': env.ref('base.us').id,
                    'state_id': env.ref('base.state_us_5').id,
                }
                for number in range(2)
            ]
        )
        product = env['product.product'].create({'name': 'Part', 'type': 'consu', 'purchase_method': 'purchase'})
        orders = env['purchase.order'].create(
            [
                {
                    'partner_id': vendors[number % 2].id,
                    'company_id': connection.company_id.id,
                    'order_line': [
                        (
                            0,
                            0,
                            {
                                'product_id': product.id,
                                'product_qty': quantity,
                                'price_unit': 10 + number,
                                'tax_ids': [(5,)],
                            },
                        )
                        for quantity in (4, 2.5, 1)
                    ],
                }
                for number in range(4)
            ]
        )
        orders.button_confirm()
    elif what == 'receive':
        for number, picking in enumerate(orders.picking_ids.sorted('id')[:3]):
            for move in picking.move_ids:
                move.quantity = move.product_uom_qty if number else 1
                move.picked = True
            picking.with_context(skip_backorder=True, picking_ids_not_to_backorder=[]).button_validate()
    elif what == 'amend':
        orders[0].order_line[0].product_qty = 6
        orders[1].write(
            {
                'order_line': [
                    (0, 0, {'product_id': orders.order_line.product_id.id, 'product_qty': 7, 'price_unit': 3.0})
                ]
            }
        )
        orders[2].partner_ref = 'Their number'
        orders[3].button_cancel()
    elif what == 'return':
        picking = orders[1].picking_ids.filtered(lambda picking: picking.state == 'done')[:1]
        wizard = (
            env['stock.return.picking']
            .with_context(active_id=picking.id, active_ids=picking.ids, active_model='stock.picking')
            .create({})
        )
        for line in wizard.product_return_moves:
            line.quantity = 1
        back = env['stock.picking'].browse(wizard.action_create_returns()['res_id'])
        for move in back.move_ids:
            move.quantity = 1
            move.picked = True
        back.button_validate()
    else:
        raise ValueError(what)
    env.cr.commit()


def hire(env, what):
    """Do what the personnel office does."""
    connection = env['ramp.connection'].search([('state', '=', 'connected')])
    Employee = env['hr.employee'].with_company(connection.company_id)
    if what == 'new':
        for table in ('hr_employee', 'hr_department', 'hr_work_location', 'res_partner'):  # see `buy`
            env.cr.execute('SELECT setval(%s, 100000)', [f'{table}_id_seq'])
        connection.push_users = True
        departments = env['hr.department'].create(
            [{'name': f'Crash Department {number}', 'company_id': connection.company_id.id} for number in range(2)]
        )
        place = env['hr.work.location'].create(
            {
                'name': 'Crash Office',
                'address_id': connection.company_id.partner_id.id,
                'company_id': connection.company_id.id,
            }
        )
        boss = Employee.create(
            {'name': 'Crash Boss', 'work_email': 'boss@crash.example', 'department_id': departments[0].id}
        )
        Employee.create(
            [
                {
                    'name': f'Crash Person {number}',
                    'work_email': f'person{number}@crash.example',
                    'parent_id': boss.id,
                    'department_id': departments[number % 2].id,
                    'work_location_id': place.id,
                }
                for number in range(3)
            ]
        )
    elif what == 'change':
        people = Employee.search([('work_email', '=like', 'person%@crash.example')], order='id')
        people[0].name = 'Crash Renamed'
        people[1].active = False
        people[2].write({'parent_id': people[0].id, 'department_id': people[1].department_id.id})
    else:
        raise ValueError(what)
    env.cr.commit()


def link(env, what):
    """Do what the accounting administrator does with the connection."""
    connection = env['ramp.connection'].search([], limit=1)
    if what == 'connect':
        env['ramp.connection'].browse(connection.id).action_connect()
    elif what == 'disconnect':
        connection.action_disconnect()
    elif what == 'begin anew':
        # A person has entered the credentials and chosen nothing else.
        kept = {
            name: connection[name]
            for name in ('environment', 'api_url', 'client_id', 'client_secret', 'start_date', 'existing_policy')
        }
        connection.unlink()
        env['ramp.connection'].create({'name': 'Ramp', 'company_id': env.company.id, **kept})
    elif what == 'lose the name':
        env['ir.config_parameter'].search([('key', '=', 'ramp_connector.identity')]).unlink()
    else:
        raise ValueError(what)
    env.cr.commit()


def operate(command, result):
    """Do what a system administrator does with the module, in a server that has just been started."""
    from odoo.modules.registry import Registry

    cuts = Cuts(command['database'], **command.get('cut') or {})
    Registry.delete(command['database'])
    with open_environment(command['database']) as env:
        cut_requests(cuts)
        cut_structure(cuts)
        cut_database(cuts)
        module = env['ir.module.module'].search([('name', '=', 'ramp_connector')])
        for step in command['do']:
            getattr(
                module,
                {
                    'module: upgrade': 'button_immediate_upgrade',
                    'module: uninstall': 'button_immediate_uninstall',
                    'module: reset': 'button_reset_state',
                }[step],
            )()  # the last one is in the menu of the list of modules
            env.cr.commit()
    result['hits'] = dict(cuts.hits)


def ledger(env):
    env.cr.execute(
        'SELECT flow, ramp_id, state, error_message, res_id, attempts, reported_hash FROM ramp_record ORDER BY flow, '
        'ramp_id'
    )
    rows = env.cr.fetchall()
    env.cr.rollback()
    return rows


def until_quiet(env, flows):
    """Press Sync now until nothing changes any more."""
    failures = []
    for _round in range(QUIET_ROUNDS):
        before = ledger(env)
        sync_now(env)
        failures = trigger(env, flows)
        if ledger(env) == before:
            return failures
    raise AssertionError(f'still not quiet after {QUIET_ROUNDS} synchronizations')


def at_once(env, flows):
    """Run the flows without the jobs. The scheduler gives a job to one worker, and here all workers must have it."""
    for flow in flows:
        env[f'ramp.flow.{flow}']._cron_run()
    return []


def take(env, step):
    """Take a step; returns the exceptions that jobs let out.

    A step is "sync_now", an action of a person such as "buy: order", or a name of jobs in JOBS. "payables quiet" runs
    the jobs until nothing changes any more, and "payables at once" beside other processes. "job: bill" and "at once:
    bill" run a single job.
    """
    jobs, _space, how = step.partition(' ')
    kind, _colon, what = step.partition(': ')
    if step == 'sync_now':
        sync_now(env)
    elif jobs in JOBS:
        return {'': trigger, 'quiet': until_quiet, 'at once': at_once}[how](env, JOBS[jobs])
    elif kind in ('job', 'at once'):
        return {'job': trigger, 'at once': at_once}[kind](env, (what,))
    else:
        {'buy': buy, 'hire': hire, 'change': change, 'link': link}[kind](env, what)
    return []


def act(command, result):
    cuts = Cuts(command['database'], **command.get('cut') or {})
    with open_environment(command['database']) as env:
        shrink(env, **command.get('shrink') or {})
        cut_client(cuts)
        cut_flows(cuts, env, result['booked'])
        last = env['ramp.run'].search([], limit=1, order='id desc').id or 0
        if command.get('gate'):
            with open(command['gate'], 'a', encoding='utf-8') as gate:
                print(os.getpid(), file=gate, flush=True)
                fcntl.flock(gate, fcntl.LOCK_SH)  # the test releases all workers at once
        cut_database(cuts)
        if command.get('requests'):
            cut_requests(cuts)
        for step in command['do']:
            result['failures'] += take(env, step)
            env.cr.commit()
        result['runs'] = [
            {'flow': run.flow, 'state': run.state, 'message': run.message}
            for run in env['ramp.run'].search([('id', '>', last)], order='id')
        ]
    result['hits'] = dict(cuts.hits)


def child(command):
    """Run a command in the forked process; returns the exit code."""
    with open(command['log'], 'ab', buffering=0) as log, open(os.devnull, 'rb') as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    random.seed()  # four workers must not back off in step
    result = {'booked': [], 'failures': [], 'runs': [], 'hits': {}}
    code = 0
    try:
        (operate if command['do'][0].startswith('module: ') else act)(command, result)
    except BaseException:
        traceback.print_exc()
        code = 1
    Path(command['result']).write_text(json.dumps(result), encoding='utf-8')
    return code


def wait(pid, seconds):
    """Return the exit code of a child, negative for a signal. None: it did not end and was killed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def connect(database, address):
    """Set the company up and connect it, once, in a process of its own."""
    with open_environment(database) as env:
        connect_seeded_company(env, SimulatedRamp(address), transactions=0)
        change(env, 'set up')


def warm(database):
    """Run the jobs once in the forking process. Its children then find the lazy parts of the registry made, as in a
    server.
    """
    import odoo.sql_db

    with open_environment(database) as env:
        from odoo.addons.ramp_connector.flows.bills import bill_lists
        from odoo.addons.ramp_connector.flows.reimbursements import reimbursement
        from odoo.addons.ramp_connector.flows.statements import transfer
        from odoo.addons.ramp_connector.models import token_stores

        # Ramp's clock stands still here, see owing.MOMENT
        bill_lists.REREAD_PAID = reimbursement.REREAD_OVERLAP = transfer.REREAD = datetime.timedelta(days=3650)
        failures = trigger(env, PAYABLES) + trigger(env, STATEMENTS[1:])
        env.registry.clear_all_caches()  # the database will be restored; caches of the code stay
    token_stores.access_tokens._tokens.clear()
    odoo.sql_db.close_all()
    return failures


def serve(database):
    import odoo.addons.base.models.ir_cron as ir_cron

    # On a busy machine a job's time may be up before its work is done. These tests do not cover how the next run goes
    # on.
    ir_cron.MIN_TIME_PER_JOB = 600
    answer = os.fdopen(os.dup(1), 'w', buffering=1)
    os.dup2(2, 1)
    print(json.dumps({'failures': warm(database)}), file=answer)
    for line in sys.stdin:
        command = json.loads(line)
        if 'wait' in command:
            print(json.dumps({'code': wait(command['wait'], command['seconds'])}), file=answer)
            continue
        pid = os.fork()
        if not pid:
            with contextlib.suppress(BaseException):
                os._exit(child({**command, 'database': database}))
            os._exit(2)
        print(json.dumps({'pid': pid}), file=answer)


if __name__ == '__main__':
    if len(sys.argv) > 2:
        connect(sys.argv[1], sys.argv[2])
    else:
        serve(sys.argv[1])
