"""Connect and post, upgrade, and uninstall; prints the findings as JSON. It is a process of its own, because a registry
is rebuilt.
"""

import json
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / 'tools')]

from odoo_env import connect_seeded_company, open_environment, run_flow_jobs, run_simulator  # noqa: E402


def business(env, journal):
    """Return the records that must still exist after the addon is uninstalled."""
    moves = env['account.move'].search([('journal_id', '=', journal)])
    expenses = env['hr.expense'].search([])
    return {
        'entries': sorted(moves.mapped('name')),
        'states': sorted(set(moves.mapped('state'))),
        'partners': sorted(set(moves.partner_id.mapped('name'))),
        'categories': sorted(set(expenses.product_id.mapped('name'))),
        'balance': [round(sum(moves.line_ids.mapped('debit')), 2), round(sum(moves.line_ids.mapped('credit')), 2)],
        'expenses': len(expenses),
        'linked': len(expenses.account_move_id),
        'paid': expenses.mapped('state').count('paid'),
        'files': env['ir.attachment'].search_count([('res_model', 'in', ('hr.expense', 'account.move'))]),
    }


def main(database):
    import odoo.api
    from odoo.modules.registry import Registry

    found = {}
    with open_environment(database) as env, run_simulator('--no-validate') as ramp:
        connection = connect_seeded_company(env, ramp, transactions=40)
        run_flow_jobs(env, connection)
        journal = connection.card_journal_id.id
        found['before'] = business(env, journal)
        found['records'] = env['ramp.record'].search_count([('state', '=', 'confirmed')])
        env['ir.module.module'].search([('name', '=', 'ramp_connector')]).button_immediate_upgrade()
        with Registry(database).cursor() as cr:
            env = odoo.api.Environment(cr, odoo.api.SUPERUSER_ID, {})
            found['upgraded'] = business(env, journal)
            found['records_upgraded'] = env['ramp.record'].search_count([('state', '=', 'confirmed')])
            found['state_upgraded'] = env['ramp.connection'].search([]).mapped('state')
            env['ir.module.module'].search([('name', '=', 'ramp_connector')]).button_immediate_uninstall()
        with Registry(database).cursor() as cr:
            env = odoo.api.Environment(cr, odoo.api.SUPERUSER_ID, {})
            found['after'] = business(env, journal)
            cr.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'ramp%'")
            found['tables'] = cr.fetchall()
            cr.execute("SELECT table_name, column_name FROM information_schema.columns WHERE column_name LIKE 'ramp%'")
            found['columns'] = cr.fetchall()
            found['jobs'] = (
                env['ir.cron'].with_context(active_test=False).search_count([('cron_name', 'like', 'Ramp:')])
            )
        found['seats'] = [seat['is_active'] for seat in ramp.fetch_summary()['connections']]
    print(json.dumps(found))


if __name__ == '__main__':
    main(sys.argv[1])
