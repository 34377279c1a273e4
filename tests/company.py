# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The company of the tests. It is found in the database, or made. `tools/test_company.py` commits it, so that it is
found.
"""

from odoo import Command

from ..simulator.seed import PEOPLE

NAME = 'Widget Works'
ACCOUNTS = {'650001': 'Meals', '650002': 'Travel', '650003': 'Software'}
PLANS = {'Ramp Projects': ('Office Move', 'Trade Fair'), 'Ramp Markets': ('Europe',)}
SHARED = ('Europe',)  # analytic accounts of all companies
RATES = {'EUR': 0.8, 'JPY': 150.0, 'KWD': 0.307}

USERS = [
    {
        'first_name': first,
        'last_name': last,
        'email': f'cardholder_{number}@example.com',
    }  # as the simulated Ramp has them
    for number, (first, last) in enumerate(PEOPLE[:6], 1)
]


def company_of(env):
    """Return a company with a chart of accounts, analytic accounts, the rates of some currencies, and employees.

    It has no users and no entries, and nothing from Ramp. Names and codes tell its records apart.
    """
    return env['res.company'].search([('name', '=', NAME)]) or _made(env)


def _made(env):
    # Otherwise the chart of the country would replace this chart when the company is committed.
    company = (
        env['res.company']
        .with_context(chart_template_load=True)
        .create({'name': NAME, 'country_id': env.ref('base.us').id})
        .with_env(env)
    )
    env['account.chart.template'].try_loading('generic_coa', company=company, install_demo=False)
    env = env(context={**env.context, 'allowed_company_ids': company.ids})
    if not env['stock.warehouse'].search([('company_id', '=', company.id)]):  # within a test, core has made one
        env['stock.warehouse'].create({'company_id': company.id})
    env['account.account'].with_company(company).create(
        [
            {'name': name, 'code': code, 'account_type': 'expense', 'company_ids': [Command.set(company.ids)]}
            for code, name in ACCOUNTS.items()
        ]
    )
    for plan in env['account.analytic.plan'].create([{'name': name} for name in PLANS]):
        env['account.analytic.account'].create(
            [
                {'name': name, 'plan_id': plan.id, 'company_id': name not in SHARED and company.id}
                for name in PLANS[plan.name]
            ]
        )
    for code, rate in RATES.items():
        currency = env['res.currency'].with_context(active_test=False).search([('name', '=', code)])
        currency.active = True
        env['res.currency.rate'].create(
            {'currency_id': currency.id, 'name': '2020-01-01', 'rate': rate, 'company_id': company.id}
        )
    employees_of(env, company, USERS)
    return company


def employees_of(env, company, users):
    """Return the employees of a company for these users of Ramp, in their order. Missing ones are made, and others are
    deleted.
    """
    there = {employee.work_email: employee for employee in env['hr.employee'].search([('company_id', '=', company.id)])}
    emails = [user['email'] for user in users]
    env['hr.employee'].browse(employee.id for email, employee in there.items() if email not in emails).unlink()
    missing = [user for user in users if user['email'] not in there]
    made = (
        env['hr.employee']
        .with_context(tz='UTC')
        .create(
            [
                {
                    'name': f'{user["first_name"]} {user["last_name"]}'[:100],
                    'work_email': user['email'],
                    'company_id': company.id,
                }
                for user in missing
            ]
        )
    )
    there.update(zip((user['email'] for user in missing), made, strict=True))
    return env['hr.employee'].browse(there[email].id for email in emails)
