"""Odoo inside this process, a simulated Ramp in another one, and a company that both share.

Run scripts that import this module with the environment of `runtime.OdooRuntime.build_environ`.
"""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import requests

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(Path(__file__).resolve().parent))


@contextlib.contextmanager
def open_environment(database, *, user=None):
    """Yield an Odoo environment of the superuser with its own cursor. Only the caller commits."""
    import odoo.api
    import odoo.tools
    from odoo.modules.registry import Registry

    odoo.tools.config.parse_config(
        ['-c', os.environ['ODOO_RC'], '-d', database, '--log-level=warn'], setup_logging=True
    )
    with Registry(database).cursor() as cr:
        yield odoo.api.Environment(cr, user or odoo.api.SUPERUSER_ID, {})
        cr.rollback()


@contextlib.contextmanager
def run_simulator(*arguments, log=None):
    """Run a simulated Ramp in its own process. Yield its `SimulatedRamp`.

    :param arguments: options of its command line
    :param log: file for its errors; None: they are not kept
    """
    command = [sys.executable, '-m', 'simulator', '--port', '0', *map(str, arguments)]
    environ = {
        **os.environ,
        'PYTHONPATH': f'{CHECKOUT}{os.pathsep}{os.environ.get("PYTHONPATH", "")}',
        'PYTHONUNBUFFERED': '1',
    }
    process = subprocess.Popen(
        command,
        cwd=CHECKOUT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log or subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        address = None
        for line in process.stdout:
            if line.startswith('Ramp is at '):
                address = line.split()[-1]
            if line.startswith('administration at '):
                break
        if not address:
            raise SystemExit('dev: the simulator did not start.')
        yield SimulatedRamp(address, process)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()


class SimulatedRamp:
    """The simulated Ramp for scripts: its address and its administration."""

    client_id = 'ramp_id_simulator'
    client_secret = 'ramp_sec_simulator'

    def __init__(self, api_url, process=None):
        self.api_url = api_url
        self.admin = api_url.removesuffix('/developer/v1') + '/_simulator'
        self.process = process

    def call_admin(self, method, path, body=None):
        """Send a request to the administration. Return its JSON answer, or None if it is empty.

        Raise `requests.HTTPError` if the simulator refuses the request.
        """
        answer = requests.request(method, self.admin + path, json=body, timeout=120)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def reset_business(self, **options):
        """Begin a new business with these options of `simulator.seed.Seed`."""
        return self.call_admin('POST', '/reset', options)

    def let_people_spend(self, **options):
        """Let people spend, coded with the data that Odoo sent."""
        return self.call_admin('POST', '/spend', options)

    def fetch_spend_totals(self, **query):
        """Return the sums of card transactions by entity and currency, in minor units."""
        text = '&'.join(f'{key}={value}' for key, value in query.items())
        return self.call_admin('GET', f'/totals?{text}')['totals']

    def fetch_summary(self):
        """Return what the simulator has and what it complains of, as a dict."""
        return self.call_admin('GET', '/')


RATES = {'EUR': 0.92, 'JPY': 149.0, 'KWD': 0.307, 'GBP': 0.79, 'CHF': 0.88}


def activate_business_currencies(env):
    """Activate the currencies of the simulated business, each with a rate."""
    for currency in env['res.currency'].with_context(active_test=False).search([('name', 'in', list(RATES))]):
        currency.active = True
        if not currency.rate_ids and currency != env.company.currency_id:
            env['res.currency.rate'].create(
                {
                    'currency_id': currency.id,
                    'rate': RATES[currency.name],
                    'name': '2020-01-01',
                    'company_id': env.company.id,
                }
            )


def ensure_analytic_accounts(env, plan, names):
    """Return the analytic accounts with these names in a plan. Create missing ones."""
    there = env['account.analytic.account'].search([('plan_id', '=', plan.id), ('name', 'in', names)])
    return there + env['account.analytic.account'].create(
        [
            {'name': name, 'plan_id': plan.id, 'company_id': env.company.id}
            for name in names
            if name not in there.mapped('name')
        ]
    )


def hire_business_people(env, ramp):
    """Create employees for the people of the simulated business that Odoo does not know."""
    people = ramp.call_admin('GET', '/objects/users')['data']
    known = set(env['hr.employee'].with_context(active_test=False).search([]).mapped('work_email'))
    env['hr.employee'].create(
        [
            {
                'name': f'{person["first_name"]} {person["last_name"]}'[:120],
                'work_email': person['email'],
                'company_id': env.company.id,
            }
            # Ramp does not list users with an open invitation, so Odoo cannot know them.
            for person in people
            if person['email'] not in known and person['status'] != 'INVITE_PENDING'
        ]
    )


def connect_to_ramp(env, ramp, **values):
    """Connect the company to the simulated business and commit. Return the connection."""
    connection = env['ramp.connection'].create(
        {
            'name': 'Ramp (simulated)',
            'environment': 'custom',
            'api_url': ramp.api_url,
            'client_id': ramp.client_id,
            'client_secret': ramp.client_secret,
            'start_date': '2020-01-01',
            'existing_policy': 'book',
            'company_id': env.company.id,
            **values,
        }
    )
    env.cr.commit()
    connection.action_connect()
    env.cr.commit()
    return connection


def connect_seeded_company(env, ramp, *, transactions=600, months=6, seed=1, **options):
    """Prepare the demo company for the simulated business, add its chart to Ramp, and connect both.

    Return the connection. The people of the business become employees, and its currencies are activated with a rate.
    The chart is in Ramp with the ids that the addon uses, as if it had been sent long ago.
    """
    activate_business_currencies(env)
    plan = env['account.analytic.plan'].search([], limit=1) or env['account.analytic.plan'].create({'name': 'Projects'})
    analytics = ensure_analytic_accounts(env, plan, ('Office Move', 'Website', 'Trade Fair', 'Customer Support'))
    coding = env['ramp.coding']
    accounts = env['account.account'].search(
        [('account_type', 'in', ('expense', 'asset_prepayments')), ('company_ids', 'in', env.company.ids)]
    )
    ramp.reset_business(
        transactions=transactions,
        months=months,
        seed=seed,
        accounts=[
            {
                'id': coding._get_external_id(account),
                'code': account.code,
                'name': account.name,
                'classification': 'EXPENSE',
            }
            for account in accounts
        ],
        analytics=[
            {
                'field_id': coding._get_external_id(plan),
                'field_name': plan.name,
                'options': [
                    {
                        'id': coding._get_external_id(account),
                        'code': account.code or account.name,
                        'value': account.name,
                    }
                    for account in analytics
                ],
            }
        ],
        **options,
    )
    hire_business_people(env, ramp)
    return connect_to_ramp(env, ramp)


def connect_empty_company(env, ramp, *, seed=1, **values):
    """Connect the demo company to a simulated Ramp without chart and spend. Return the connection.

    `run_flow_jobs` sends the chart, and `SimulatedRamp.let_people_spend` adds the spend.

    :param values: of the connection
    """
    activate_business_currencies(env)
    ramp.reset_business(transactions=0, seed=seed, accounts=[], analytics=[])
    hire_business_people(env, ramp)
    return connect_to_ramp(env, ramp, **values)


def run_flow_jobs(env, connection, limit=50, sends=None):
    """Run every flow's job, as the scheduler would, until nothing is left to do. Return its runs.

    :param sends: True: only flows from Odoo to Ramp; False: only the others; None: all
    """
    last = env['ramp.run'].search([], limit=1, order='id desc').id or 0
    connection.with_context(ramp_quiet=True).action_sync_now()
    env.cr.commit()
    for flow in connection._flow_models():
        if sends is not None and flow._sends != sends or not flow._get_cron_job():
            continue
        for _attempt in range(limit):
            cron = env['ir.cron'].browse(flow._get_cron_job().id)
            cron.method_direct_trigger()
            env.cr.commit()
            env.invalidate_all()
            called_again = env['ir.cron.trigger'].search_count(
                [('cron_id', '=', cron.id), ('call_at', '<=', env.cr.now())], limit=1
            )
            if not called_again and not env['ramp.record'].search_count(
                [
                    ('connection_id', '=', connection.id),
                    ('flow', '=', flow._flow),
                    ('next_attempt', '=', False),
                    ('error_message', '=', False),
                    '|',
                    ('state', '=', 'pending'),
                    '&',
                    ('state', '=', 'done'),
                    ('sync_key', '!=', False),
                ],
                limit=1,
            ):
                break
    return env['ramp.run'].search([('id', '>', last)], order='id')


def read_card_liability(env, connection):
    """Return {(Ramp entity id, currency): (amount, number of entries)} of the card account.

    Only entries of card transactions count. Amounts are major units of the currency; a liability is positive.
    """
    env.cr.execute(
        """
        SELECT r.payload ->> 'entity_id', c.name, -SUM(l.amount_currency), COUNT(DISTINCT m.id)
          FROM account_move_line l
          JOIN account_move m ON m.id = l.move_id AND m.state = 'posted'
          JOIN res_currency c ON c.id = l.currency_id
          JOIN ramp_record r ON r.res_model = 'account.move' AND r.res_id = m.id AND r.flow = 'transaction'
         WHERE l.account_id = %s
         GROUP BY 1, 2""",
        [connection.card_account_id.id],
    )
    return {(entity, currency): (amount, count) for entity, currency, amount, count in env.cr.fetchall()}


def read_open_payables(env, connection):
    """Return what the general ledger owes by Ramp vendor and currency, in minor units.

    Other entries of the partner count too.
    """
    env.cr.execute(
        """
        SELECT v.ramp_id, c.name, c.decimal_places, -SUM(l.amount_residual_currency)
          FROM account_move_line l
          JOIN account_account a ON a.id = l.account_id AND a.account_type = 'liability_payable'
          JOIN res_currency c ON c.id = l.currency_id
          JOIN ramp_record v ON v.flow = 'vendor' AND v.res_model = 'res.partner' AND v.res_id = l.partner_id AND v.connection_id = %s
         WHERE l.parent_state = 'posted' AND l.company_id = %s
           AND NOT EXISTS (
                SELECT FROM ramp_record k WHERE k.flow = 'vendor_credit' AND k.res_model = 'account.move' AND k.res_id = l.move_id)
         GROUP BY 1, 2, 3""",
        [connection.id, connection.company_id.id],
    )
    return {
        (vendor, currency): round(amount * 10**places)
        for vendor, currency, places, amount in env.cr.fetchall()
        if amount
    }


def print_json_result(result):
    """Print a result as JSON, with texts for values that JSON does not have."""
    print(json.dumps(result, indent=2, default=str), flush=True)
