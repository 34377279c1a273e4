"""Run the demo's months in a company of another country, currency or habit, and print the result. It is a process of
its own, because a registry is rebuilt.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / 'tools')]

import demo  # noqa: E402
import odoo_env  # noqa: E402
from odoo_env import open_environment, run_simulator  # noqa: E402

# rates of the currencies that the simulated business spends, and of the companies
RATES = {**odoo_env.RATES, 'USD': 1.0, 'CAD': 1.36, 'MXN': 17.1, 'RON': 4.58, 'KWD': 0.307, 'TWD': 32.0}


def pay_taxes_on_payment(env):
    company = env.company
    waiting = env['account.account'].create(
        {
            'name': 'Taxes of what is not paid',
            'code': '199901',
            'account_type': 'asset_current',
            'reconcile': True,
            'company_ids': [(6, 0, company.ids)],
        }
    )
    company.tax_exigibility = True
    taxes = env['account.tax'].search(
        [('company_id', '=', company.id), ('type_tax_use', '=', 'purchase'), ('amount_type', '=', 'percent')]
    )
    taxes.write({'tax_exigibility': 'on_payment', 'cash_basis_transition_account_id': waiting.id})


def hash_journals(env):
    """Hash the entries of all journals, also of those that the connector makes later."""
    env['account.journal'].search([('company_id', '=', env.company.id)]).restrict_mode_hash_table = True
    env['ir.default'].set('account.journal', 'restrict_mode_hash_table', True)


def open_branch(env):
    """Open a branch, which uses its parent's chart and taxes. The users who connect and sell work in it."""
    branch = env['res.company'].create({'name': 'Branch', 'parent_id': env.company.id})
    for user in env['res.users'].browse(env.uid) + env.ref('base.user_admin'):
        user.write({'company_ids': [(4, branch.id)], 'company_id': branch.id})
    env['stock.warehouse'].create({'name': 'Branch', 'code': 'BR', 'company_id': branch.id})  # to receive orders in


HABITS = {
    'none': lambda env: None,
    'rounded as a whole': lambda env: env.company.write({'tax_calculation_rounding_method': 'round_globally'}),
    'rounded by line': lambda env: env.company.write({'tax_calculation_rounding_method': 'round_per_line'}),
    'year from July': lambda env: env.company.write({'fiscalyear_last_month': '6', 'fiscalyear_last_day': 30}),
    'storno': lambda env: env.company.write({'account_storno': True}),
    'taxes on payment': pay_taxes_on_payment,
    'hashed journals': hash_journals,
    'branch': open_branch,
}


def settle(env, chart, currency, habit):
    """Give the company another country with its chart of accounts, its currency or another one, rates of all other
    currencies, and a habit.
    """
    company = env.company
    country = env['account.chart.template']._get_chart_template_mapping()[chart].get('country_id')
    if country:
        company.country_id = country
    env['account.chart.template'].try_loading(chart, company=company, install_demo=False)
    assert company.chart_template == chart
    if currency:
        found = env['res.currency'].with_context(active_test=False).search([('name', '=', currency)])
        found.active = True
        company.currency_id = found
    HABITS[habit](env)
    for currency in env['res.currency'].with_context(active_test=False).search([('name', 'in', list(RATES))]):
        currency.active = True
        currency.rate_ids.unlink()
        if currency != company.currency_id:
            env['res.currency.rate'].create(
                {
                    'currency_id': currency.id,
                    'name': '2020-01-01',
                    'company_id': company.id,
                    'rate': RATES[currency.name] / RATES[company.currency_id.name],
                }
            )
    env.cr.commit()
    return company.currency_id.name


def documents(env):
    """Return how many documents are posted, by kind, and which are unbalanced or in another currency than the
    company's.
    """
    moves = env['account.move'].search([('company_id', '=', env.company.id), ('state', '=', 'posted')])
    own = env.company.currency_id
    return {
        'kinds': {kind: len(found) for kind, found in moves.grouped('move_type').items()},
        'unbalanced': moves.filtered(lambda move: not own.is_zero(sum(move.line_ids.mapped('balance')))).mapped('name'),
        'foreign': len(moves.filtered(lambda move: move.line_ids.currency_id - own)),
        'held': env['ramp.record'].search([('state', '=', 'held')]).mapped('error_message'),
        'drafts': env['account.move'].search_count([('state', '=', 'draft'), ('ramp_id', '!=', False)]),
    }


def main(database, chart, currency, habit, seed):
    with open_environment(database) as env:
        currency = settle(env, chart, currency, habit)
    with run_simulator() as ramp:
        result = demo.run_whole_demo(
            ramp,
            SimpleNamespace(database=database, seed=int(seed), transactions=60, bills=24, reimbursements=16, orders=6),
        )
    with open_environment(database) as env:
        found = documents(env)
    print(
        json.dumps(
            {'currency': currency, 'problems': result['problems'], 'flows': result['flows'], **found}, default=str
        )
    )


if __name__ == '__main__':
    main(*sys.argv[1:])
