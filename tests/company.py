# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The company that the tests are about: found in the database, or made. `tools/test_company.py` commits it, so that it is found."""
from odoo import Command

NAME = 'Widget Works'
ACCOUNTS = {'650001': 'Meals', '650002': 'Travel', '650003': 'Software'}
PLANS = {'Ramp Projects': ('Office Move', 'Trade Fair'), 'Ramp Markets': ('Europe',)}
SHARED = ('Europe',)  # analytic accounts of all companies
RATES = {'EUR': 0.8, 'JPY': 150.0, 'KWD': 0.307}


def company_of(env):
    """A company with a chart of accounts, analytic accounts and the rates of some currencies.

    Nobody is its user, nothing is booked, and nothing of Ramp is there. Names and codes say what is what.
    """
    return env['res.company'].search([('name', '=', NAME)]) or _made(env)


def _made(env):
    # Otherwise the chart of the country would take the place of ours when this is committed.
    company = env['res.company'].with_context(chart_template_load=True).create(
        {'name': NAME, 'country_id': env.ref('base.us').id}).with_env(env)
    env['account.chart.template'].try_loading('generic_coa', company=company, install_demo=False)
    env = env(context={**env.context, 'allowed_company_ids': company.ids})
    if not env['stock.warehouse'].search([('company_id', '=', company.id)]):  # within a test, core has made one
        env['stock.warehouse'].create({'company_id': company.id})
    env['account.account'].with_company(company).create([
        {'name': name, 'code': code, 'account_type': 'expense', 'company_ids': [Command.set(company.ids)]}
        for code, name in ACCOUNTS.items()])
    for plan in env['account.analytic.plan'].create([{'name': name} for name in PLANS]):
        env['account.analytic.account'].create([
            {'name': name, 'plan_id': plan.id, 'company_id': name not in SHARED and company.id} for name in PLANS[plan.name]])
    for code, rate in RATES.items():
        currency = env['res.currency'].with_context(active_test=False).search([('name', '=', code)])
        currency.active = True
        env['res.currency.rate'].create({'currency_id': currency.id, 'name': '2020-01-01', 'rate': rate, 'company_id': company.id})
    return company
