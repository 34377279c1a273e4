"""The company of the pictures: its spend, bills and purchases, and the differences that the tie-out shows."""

from datetime import datetime, timezone

import procurement
from odoo_env import connect_seeded_company, run_flow_jobs

ACCOUNTS = {
    'Cloud Hosting': ('Amazon Web Services',),
    'Software Subscriptions': ('GitHub', 'Zoom'),
    'Airfare': ('Delta Air Lines',),
    'Lodging': ('Marriott',),
    'Ground Transport': ('Uber', 'Hertz', 'Shell'),
    'Meals': ('Blue Bottle Coffee', 'Café Zürich', "Trader Joe's"),
    'Office Supplies': ('Staples', 'IKEA', 'Barnes & Noble'),
    'Postage and Shipping': ('FedEx',),
    'Advertising': ('Google Ads',),
    'Telephone and Internet': ('Verizon',),
}
# (vendor, invoice number, code of its lines, lines). The first number occurs a second time.
BILLS = (
    ('Gotham Property Group', 'GPG-2041', 'Staples', (('Office rent', 420000), ('Cleaning', 36000))),
    (
        'Acme Cloud Services',
        'ACS-7731',
        'Amazon Web Services',
        (('Compute', 128450), ('Storage', 31275), ('Support plan', 20000)),
    ),
    ('Acme Cloud Services', 'ACS-7732', 'GitHub', (('Training day', 95000),)),
    ('Bright Design Studio', 'BDS-118', 'Google Ads', (('Brochure, 24 pages', 180000),)),
    ('Northwind Logistics', 'NW-90417', 'FedEx', (('Freight, two pallets', 61890),)),
)
PEOPLE = [
    ('Ada', 'Lovelace'),
    ('Liam', "O'Brien"),
    ('Zoë', 'Nuñez'),
    ('José', 'González'),
    ('Bjørn', 'Sørensen'),
    ('Mary', 'Major'),
]


def prepare_picture_company(env, ramp):
    """Prepare a company with some weeks of card spend and a few bills, most of it booked and some of it held.

    Return its connection.
    """
    connection, codes = connect_picture_company(env, ramp)
    code_card_spend(ramp, codes)
    run_flow_jobs(env, connection)
    bills = add_vendor_bills(ramp, codes)
    run_flow_jobs(env, connection)
    add_held_spend(ramp, codes)
    change_booked_spend(ramp)
    add_vendor_bills(ramp, codes, number='GPG-2041', count=1)  # the books have this number already
    change_booked_bill(ramp, codes, bills['BDS-118'])
    # Rows confirmed less than a minute ago count as seen before.
    env.cr.execute("UPDATE ramp_record SET confirmed_at = confirmed_at - interval '1 hour'")
    env.cr.commit()
    run_flow_jobs(env, connection)
    return connection


def connect_picture_company(env, ramp):
    """Connect a company with an account for each kind of spend.

    Return (connection, {merchant: our id of its account}).
    """
    company = env.company
    company.name = 'Widget Works'
    accounts = env['account.account'].create(
        [
            {'name': name, 'code': f'68{number:02}00', 'account_type': 'expense', 'company_ids': [(6, 0, company.ids)]}
            for number, name in enumerate(ACCOUNTS, 1)
        ]
    )
    # Only these users see the lines of entries.
    env.ref('base.user_admin').group_ids += env.ref('account.group_account_user')
    connection = connect_seeded_company(
        env,
        ramp,
        transactions=70,
        months=2,
        seed=3,
        entities=[
            {'name': 'Widget Works Inc.', 'currency': 'USD'},
            {'name': 'Widget Works Europe GmbH', 'currency': 'EUR'},
        ],
        users=[
            {'first_name': first, 'last_name': last, 'email': f'{number}@widgetworks.example'}
            for number, (first, last) in enumerate(PEOPLE, 1)
        ],
    )
    connection.name = 'Ramp'
    # This address is shown in reasons that name a document.
    env['ir.config_parameter'].set_param('web.base.url', 'https://odoo.widgetworks.example')
    env.cr.commit()
    return connection, {
        merchant: env['ramp.coding']._get_external_id(account)
        for account, merchants in zip(accounts, ACCOUNTS.values(), strict=True)
        for merchant in merchants
    }


def code_card_spend(ramp, codes):
    """Give the card transactions merchants that have an account, and receipts with their amounts."""
    for row in ramp.call_admin('GET', '/transactions')['data']:
        merchant = row['merchant_name'] if row['merchant_name'] in codes else 'Staples'
        memo = row['memo'] if row['memo'] in ('Team lunch', 'Client visit', 'Monthly plan') else None
        if row['sync_status'] == 'SYNC_READY':
            ramp.call_admin(
                'PATCH',
                f'/transactions/{row["id"]}',
                {'merchant_name': merchant, 'memo': memo, 'account': codes[merchant]},
            )
        for receipt in row['receipts']:
            ramp.call_admin(
                'PATCH',
                f'/objects/receipts/{receipt}',
                {
                    '_kind': 'pdf',
                    '_text': [
                        merchant,
                        '',
                        f'Date    {row["user_transaction_time"][:10]}',
                        f'Total    {row["amount"]:.2f} {row["currency_code"]}',
                        '',
                        'Paid by card. Thank you!',
                    ],
                },
            )


def add_vendor_bills(ramp, codes, number=None, count=None):
    """Add bills of some vendors, two of them paid by one transfer. Return {number: Ramp id}."""
    made = {}
    for vendor, invoice, account, lines in BILLS[:count]:
        made[invoice] = ramp.call_admin(
            'POST',
            '/bills',
            {
                'vendor': vendor,
                'currency': 'USD',
                'invoice_number': number or invoice,
                'lines': [{'amount_minor': minor, 'account': codes[account], 'memo': memo} for memo, minor in lines],
                'invoices': [
                    {
                        'filename': f'{number or invoice}.pdf',
                        'text': [
                            vendor,
                            '',
                            f'Invoice {number or invoice}',
                            '',
                            *(f'{memo}    {minor / 100:.2f}' for memo, minor in lines),
                            '',
                            f'Total    {sum(minor for _memo, minor in lines) / 100:.2f} USD',
                        ],
                    }
                ],
            },
        )['id']
    if not count:
        ramp.call_admin('POST', '/bills/payments', {'ids': [made['ACS-7731'], made['ACS-7732']]})
    return made


def add_held_spend(ramp, codes):
    """Add card transactions that cannot be booked: without an account, with an unknown one, by an unknown person."""
    primary = codes['Uber']
    for values in (
        {'merchant': 'Blue Bottle Coffee', 'amount_minor': 4210, 'account': None},
        {'merchant': 'FedEx', 'amount_minor': 4599, 'account': '699900'},
        {
            'merchant': 'Marriott',
            'amount_minor': 61240,
            'lines': [{'amount_minor': 51240, 'account': primary}, {'amount_minor': 10000, 'account': None}],
        },
        {
            'merchant': 'Uber',
            'amount_minor': 2250,
            'account': primary,
            'user': None,
            'card_holder': {
                'user_id': '3fa85f64-5717-4562-b3fc-2c963f66afa6',
                'first_name': 'Robin',
                'last_name': 'Newcomer',
            },
            'broken': True,
        },
    ):
        ramp.call_admin('POST', '/transactions', {'currency': 'USD', **values})


def change_booked_spend(ramp):
    """Let a booked card transaction become larger."""
    changed = next(
        row
        for row in ramp.call_admin('GET', '/transactions?sync_status=SYNCED')['data']
        if row['_money']['amount_minor'] > 2000
    )
    ramp.call_admin(
        'PATCH',
        f'/transactions/{changed["id"]}',
        {'amount_minor': changed['_money']['amount_minor'] + 500, 'sync_status': 'SYNC_READY', 'memo': 'Tip added'},
    )


def change_booked_bill(ramp, codes, bill):
    """Let a booked bill get another line. `bill`: its Ramp id."""
    ramp.call_admin(
        'PATCH',
        f'/bills/{bill}',
        {
            'lines': [
                {'amount_minor': 180000, 'account': codes['Google Ads'], 'memo': 'Brochure, 24 pages'},
                {'amount_minor': 45000, 'account': codes['Google Ads'], 'memo': 'Photographs'},
            ]
        },
    )


def make_tie_out_differences(env, ramp):
    """Add a statement with its payment, and changes that people make to entries in Odoo afterwards."""
    connection = env['ramp.connection'].search([], limit=1)
    connection.payment_journal_id = connection.payment_journal_id or env['account.journal'].search(
        [('type', '=', 'bank')], limit=1
    )
    first = datetime.now(timezone.utc).replace(day=1)
    ramp.call_admin('POST', '/statements', {'end': f'{first:%Y-%m-%d}', 'cashback_bps': 150})
    ramp.call_admin('POST', '/transfers', {'amount_minor': 100000, 'currency': 'USD'})
    connection.statement_policy = 'closed'
    env.cr.commit()
    run_flow_jobs(env, connection)
    entries = env['account.move'].search(
        [
            ('ramp_id', '!=', False),
            ('move_type', '=', 'entry'),
            ('state', '=', 'posted'),
            ('currency_id.name', '=', 'USD'),
            ('amount_total', '>', 50),
        ],
        order='date desc, id',
        limit=2,
    )
    entries[0].button_draft()
    by_hand = env['account.move'].create(
        {
            'move_type': 'entry',
            'journal_id': connection.card_journal_id.id,
            'date': entries[0].date,
            'ref': 'Correction',
            'line_ids': [
                (0, 0, {'name': 'Taxi, paid in cash', 'account_id': connection.card_account_id.id, 'credit': 38.0}),
                (0, 0, {'name': 'Taxi, paid in cash', 'account_id': connection.cashback_account_id.id, 'debit': 38.0}),
            ],
        }
    )
    by_hand.action_post()
    env.cr.commit()
    run_flow_jobs(env, connection)
    return entries[0].id, by_hand.id


def mend_tie_out_differences(env, ramp, entry_id, by_hand_id):
    """Resolve the differences as their names say, until none is left."""
    connection = env['ramp.connection'].search([], limit=1)
    Move = env['account.move']
    Move.browse(entry_id).action_post()
    Move.browse(by_hand_id).button_draft()
    Move.browse(by_hand_id).button_cancel()
    connection.fallback_employee_id = env['hr.employee'].search([('work_email', '!=', False)], limit=1)
    env.cr.commit()
    account = env['ramp.coding']._get_external_id(
        env['account.account'].search([('name', '=', 'Office Supplies')], limit=1)
    )
    for row in ramp.call_admin('GET', '/transactions')['data']:
        if row['sync_status'] != 'SYNCED' and row['state'] == 'CLEARED':
            ramp.call_admin('PATCH', f'/transactions/{row["id"]}', {'account': account, 'sync_status': 'SYNC_READY'})
    for row in env['ramp.record'].search([('has_changed', '=', True)]):
        row.action_rebook()
    for row in env['ramp.record'].search([('flow', '=', 'bill'), ('state', '=', 'held')]):
        ramp.call_admin('PATCH', f'/bills/{row.ramp_id}', {'invoice_number': 'GPG-2042'})
    env.cr.commit()
    for _time in range(2):
        run_flow_jobs(env, connection)


def make_picture_purchase(env, ramp):
    """Add a partly received and billed order, and a new employee. Return (order, receipt, employee)."""
    connection = env['ramp.connection'].search([], limit=1)
    connection.write({'push_orders': True, 'push_receipts': True})
    suppliers, products = procurement.create_purchase_catalogue(env)
    products.property_account_expense_id = env['account.account'].search([('name', '=', 'Office Supplies')], limit=1)
    [project] = env['account.analytic.account'].search([('name', '=', 'Office Move')], limit=1)
    order = env['purchase.order'].create(
        {
            'partner_id': suppliers[0][0].id,
            'order_line': [
                (
                    0,
                    0,
                    {
                        'product_id': product.id,
                        'product_qty': quantity,
                        'price_unit': product.standard_price,
                        'tax_ids': [(5,)],
                        'analytic_distribution': {str(project.id): 100},
                    },
                )
                for product, quantity in zip(products, (24, 400, 6), strict=False)
            ],
        }
    )
    order.button_confirm()
    Department = env['hr.department']
    department = Department.search([('name', '=', 'Engineering')], limit=1) or Department.create(
        {'name': 'Engineering'}
    )
    person = env['hr.employee'].create(
        {'name': 'Grace Hopper', 'work_email': 'grace@widgetworks.example', 'department_id': department.id}
    )
    env.cr.commit()
    run_flow_jobs(env, connection, sends=True)
    picking = procurement.receive_order_share(order, 0.5)
    env.cr.commit()
    run_flow_jobs(env, connection, sends=True)
    row = env['ramp.record'].search([('flow', '=', 'purchase_order'), ('res_id', '=', order.id)])
    first = next(iter(row.payload['line_ids'].values()))
    ramp.call_admin('POST', f'/purchase-orders/{row.ramp_id}/bills', {'quantities': {first: 12}})
    run_flow_jobs(env, connection)
    return order.id, picking.id, person.id
