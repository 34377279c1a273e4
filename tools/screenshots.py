"""Make the pictures of the README and of the store page, with a real Odoo, a real browser and a simulated Ramp.

./dev screenshots                    make all of them
./dev screenshots --serve            prepare the same Odoo and leave it running
"""

import argparse
import contextlib
import io
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
from datetime import datetime, timezone
from pathlib import Path

import procurement
from browser import Browser
from odoo_env import environment, run_flows, set_up, simulator
from runtime import CHECKOUT, Fail, Runtime, background, cache_dir, chromium, say, script, wait_for

DATABASE = 'ramp_screenshots'
DOCS = CHECKOUT / 'docs/images'
STORE = CHECKOUT / 'static/description'
ON_STORE = ('connection', 'inbox', 'changed', 'bill', 'expense', 'entry', 'tie_out', 'order')
WIDTH, WIDE = 1280, 1600  # Odoo shows a receipt beside its document only on wide screens; these pictures are reduced
LARGEST = 200 * 1024

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


def make_bills(ramp, codes, number=None, count=None):
    """Add bills of some vendors, two of them paid by one transfer. Return {number: Ramp id}."""
    made = {}
    for vendor, invoice, account, lines in BILLS[:count]:
        made[invoice] = ramp.ask(
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
        ramp.ask('POST', '/bills/payments', {'ids': [made['ACS-7731'], made['ACS-7732']]})
    return made


def prepare_company(env, ramp):
    """Prepare a company with some weeks of card spend and a few bills, most of it booked and some of it held."""
    company = env.company
    company.name = 'Widget Works'
    accounts = env['account.account'].create(
        [
            {'name': name, 'code': f'68{number:02}00', 'account_type': 'expense', 'company_ids': [(6, 0, company.ids)]}
            for number, name in enumerate(ACCOUNTS, 1)
        ]
    )
    env.ref('base.user_admin').group_ids += env.ref(
        'account.group_account_user'
    )  # only these users see the lines of entries
    connection = set_up(
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
    env['ir.config_parameter'].set_param(
        'web.base.url', 'https://odoo.widgetworks.example'
    )  # shown in reasons that name a document
    env.cr.commit()
    codes = {
        merchant: env['ramp.coding']._get_external_id(account)
        for account, merchants in zip(accounts, ACCOUNTS.values(), strict=True)
        for merchant in merchants
    }
    for row in ramp.ask('GET', '/transactions')['data']:
        merchant = row['merchant_name'] if row['merchant_name'] in codes else 'Staples'
        memo = row['memo'] if row['memo'] in ('Team lunch', 'Client visit', 'Monthly plan') else None
        if row['sync_status'] == 'SYNC_READY':
            ramp.ask(
                'PATCH',
                f'/transactions/{row["id"]}',
                {'merchant_name': merchant, 'memo': memo, 'account': codes[merchant]},
            )
        for receipt in row['receipts']:
            ramp.ask(
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
    run_flows(env, connection)
    bills = make_bills(ramp, codes)
    run_flows(env, connection)
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
        ramp.ask('POST', '/transactions', {'currency': 'USD', **values})
    changed = next(
        row
        for row in ramp.ask('GET', '/transactions?sync_status=SYNCED')['data']
        if row['_money']['amount_minor'] > 2000
    )
    ramp.ask(
        'PATCH',
        f'/transactions/{changed["id"]}',
        {'amount_minor': changed['_money']['amount_minor'] + 500, 'sync_status': 'SYNC_READY', 'memo': 'Tip added'},
    )
    make_bills(ramp, codes, number='GPG-2041', count=1)  # the books have this number already
    ramp.ask(
        'PATCH',
        f'/bills/{bills["BDS-118"]}',
        {
            'lines': [
                {'amount_minor': 180000, 'account': codes['Google Ads'], 'memo': 'Brochure, 24 pages'},
                {'amount_minor': 45000, 'account': codes['Google Ads'], 'memo': 'Photographs'},
            ]
        },
    )
    # Rows confirmed less than a minute ago count as seen before.
    env.cr.execute("UPDATE ramp_record SET confirmed_at = confirmed_at - interval '1 hour'")
    env.cr.commit()
    run_flows(env, connection)
    return connection


def make_differences(env, ramp):
    """Add a statement with its payment, and changes that people make to entries in Odoo afterwards."""
    connection = env['ramp.connection'].search([], limit=1)
    connection.payment_journal_id = connection.payment_journal_id or env['account.journal'].search(
        [('type', '=', 'bank')], limit=1
    )
    first = datetime.now(timezone.utc).replace(day=1)
    ramp.ask('POST', '/statements', {'end': f'{first:%Y-%m-%d}', 'cashback_bps': 150})
    ramp.ask('POST', '/transfers', {'amount_minor': 100000, 'currency': 'USD'})
    connection.statement_policy = 'closed'
    env.cr.commit()
    run_flows(env, connection)
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
    run_flows(env, connection)
    return entries[0].id, by_hand.id


def mend_differences(env, ramp, entry_id, by_hand_id):
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
    for row in ramp.ask('GET', '/transactions')['data']:
        if row['sync_status'] != 'SYNCED' and row['state'] == 'CLEARED':
            ramp.ask('PATCH', f'/transactions/{row["id"]}', {'account': account, 'sync_status': 'SYNC_READY'})
    for row in env['ramp.record'].search([('has_changed', '=', True)]):
        row.action_rebook()
    for row in env['ramp.record'].search([('flow', '=', 'bill'), ('state', '=', 'held')]):
        ramp.ask('PATCH', f'/bills/{row.ramp_id}', {'invoice_number': 'GPG-2042'})
    env.cr.commit()
    for _time in range(2):
        run_flows(env, connection)


def tie_out_pages(browser, address, database, ramp):
    """Make pictures of the tie-out with differences, of its analysis, and of the tie-out without any."""
    with environment(database) as env:
        done = make_differences(env, ramp)
    browser.resize(WIDTH, 1180)
    browser.open(f'{address}/odoo/ramp-tie-out')
    browser.click('.o_ramp_period')
    browser.click('.o-dropdown-item', 'This month')
    save_picture(browser, 'tie_out')
    browser.resize(WIDTH, 800)
    browser.open(f'{address}/odoo/ramp-tie-out-analysis')
    save_picture(browser, 'tie_out_analysis', height=620)
    with environment(database) as env:
        mend_differences(env, ramp, *done)
    browser.open(f'{address}/odoo/ramp-tie-out')
    save_picture(browser, 'tie_out_green')


def make_purchase(env, ramp):
    """Add a partly received and billed order, and a new employee. Return (order, receipt, employee)."""
    connection = env['ramp.connection'].search([], limit=1)
    connection.write({'push_orders': True, 'push_receipts': True})
    suppliers, products = procurement.make_catalogue(env)
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
    run_flows(env, connection, sends=True)
    picking = procurement.receive_order(order, 0.5)
    env.cr.commit()
    run_flows(env, connection, sends=True)
    row = env['ramp.record'].search([('flow', '=', 'purchase_order'), ('res_id', '=', order.id)])
    first = next(iter(row.payload['line_ids'].values()))
    ramp.ask('POST', f'/purchase-orders/{row.ramp_id}/bills', {'quantities': {first: 12}})
    run_flows(env, connection)
    return order.id, picking.id, person.id


def purchase_pages(browser, address, database, ramp):
    """Make pictures of orders, receipts, people, and the connection's pages for them."""
    with environment(database) as env:
        order, picking, person = make_purchase(env, ramp)
    browser.resize(WIDE, 1000)
    browser.open(f'{address}/odoo/purchase.order/{order}')
    save_picture(browser, 'order', height=680)
    browser.open(f'{address}/odoo/stock.picking/{picking}')
    save_picture(browser, 'receipt', height=560)
    browser.resize(WIDTH, 1000)
    browser.open(f'{address}/odoo/hr.employee/{person}')
    browser.click('.o_notebook .nav-link', 'Settings')
    save_picture(browser, 'employee', height=760)
    browser.open(f'{address}/odoo/ramp-connections')
    browser.click('.o_data_row .o_data_cell', 'Ramp')
    for name, page in (('procurement', 'Procurement'), ('people', 'People'), ('real_time', 'Real Time')):
        browser.click('.o_notebook .nav-link', page)
        browser.settle()
        save_picture(browser, name, height=900)


@contextlib.contextmanager
def odoo_stage(runtime, database, port, jobs):
    """Run Odoo with the data, and the simulated Ramp. Yield (address of Odoo, Ramp)."""
    runtime.database(database, fresh=True)
    with tempfile.TemporaryFile('w+') as log, simulator(log=log) as ramp:
        with environment(database) as env:
            prepare_company(env, ramp)
        address = f'http://127.0.0.1:{port}'
        command = runtime.odoo('-d', database, '--http-port', port, '--max-cron-threads', jobs, '--log-level', 'warn')
        with background(
            command, name='Odoo', log=cache_dir() / 'screenshots-odoo.log', env=runtime.environ()
        ) as process:

            def is_answering():
                try:
                    return urllib.request.urlopen(f'{address}/web/login', timeout=5).status == 200
                except (urllib.error.URLError, OSError):
                    return False

            wait_for(is_answering, what='Odoo did not start', seconds=120, process=process)
            yield address, ramp


def call_method(browser, model, method, *args, **kwargs):
    """Call a method of a model as the browser's user."""
    body = json.dumps(
        {
            'jsonrpc': '2.0',
            'method': 'call',
            'params': {'model': model, 'method': method, 'args': args, 'kwargs': kwargs},
        }
    )
    answer = browser.ask(
        "fetch('/web/dataset/call_kw', {method: 'POST', headers: {'Content-Type': 'application/json'}, "
        f'body: {json.dumps(body)}}}).then(answer => answer.json())'
    )
    if 'error' in answer:
        raise Fail(f'Odoo refused {model}.{method}: {answer["error"]["data"]["message"]}')
    return answer['result']


def save_picture(browser, name, *, width=WIDTH, height=None):
    """Take a picture, reduce it to 256 colours, and write it to its place."""
    from PIL import Image

    with tempfile.TemporaryDirectory() as scratch:
        raw = Path(scratch) / 'raw.png'
        browser.ask('document.activeElement.blur()')  # a form focuses its first button
        time.sleep(0.3)
        browser.picture(raw)
        image = Image.open(raw).convert('RGB')
    if image.width != width:
        image = image.resize((width, round(image.height * width / image.width)), Image.LANCZOS)
    if height:
        image = image.crop((0, 0, image.width, height))
    data = io.BytesIO()
    image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(data, 'PNG', optimize=True)
    if data.tell() > LARGEST:
        raise Fail(f'{name}.png has {data.tell() // 1024} KB')
    DOCS.mkdir(parents=True, exist_ok=True)
    (DOCS / f'{name}.png').write_bytes(data.getvalue())
    if name in ON_STORE:
        shutil.copy(DOCS / f'{name}.png', STORE / f'{name}.png')
    say(f'docs/images/{name}.png ({data.tell() // 1024} KB)')


def take_pictures(browser, address):
    """Go through the screens."""
    browser.log_in(address, 'admin', 'admin')
    browser.open(f'{address}/odoo/ramp-connections')
    browser.click('.o_data_row .o_data_cell', 'Ramp')
    save_picture(browser, 'connection')
    browser.click('.o_notebook .nav-link', 'Payables')
    browser.resize(WIDTH, 1300)
    browser.settle()
    save_picture(browser, 'payables', height=1120)
    browser.click('.o_notebook .nav-link', 'Coding Options')
    save_picture(browser, 'offers', height=1290)
    browser.resize(WIDTH, 800)
    browser.open(f'{address}/odoo/ramp-inbox')
    save_picture(browser, 'inbox', height=740)
    browser.click('.o_data_row .o_data_cell', 'Marriott')
    save_picture(browser, 'held', height=620)
    bill_pages(browser, address)
    browser.open(f'{address}/odoo/ramp-records')
    save_picture(browser, 'records')
    [expense] = call_method(
        browser,
        'hr.expense',
        'search_read',
        [
            ['ramp_id', '!=', False],
            ['currency_id.name', '=', 'USD'],
            ['message_main_attachment_id.mimetype', '=', 'application/pdf'],
            ['total_amount', '>', 20],
        ],
        fields=['account_move_id'],
        limit=1,
    )
    browser.resize(WIDE, 900)
    browser.open(f'{address}/odoo/action-hr_expense.action_hr_expense_account/{expense["id"]}')
    browser.wait(
        "!!document.querySelector('.o_attachment_preview iframe')?.contentDocument?.querySelector('.textLayer span')"
    )
    browser.settle()
    save_picture(browser, 'expense')
    browser.resize(WIDTH, 800)
    browser.open(f'{address}/odoo/account.move/{expense["account_move_id"][0]}')
    save_picture(browser, 'entry')
    [row] = call_method(
        browser, 'ramp.record', 'search_read', [['flow', '=', 'bill'], ['has_changed', '=', True]], fields=['res_id']
    )
    call_method(
        browser, 'ramp.record', 'action_rebook', [row['id']]
    )  # last, because the inbox looks different from here on
    browser.resize(WIDTH, 1100)
    browser.open(f'{address}/odoo/account.move/{row["res_id"]}')
    save_picture(browser, 'reversed', height=1080)


def bill_pages(browser, address):
    """Make pictures of a held bill, a bill that Ramp changed after it was booked, and a paid bill with its payment."""
    browser.open(f'{address}/odoo/ramp-inbox')
    browser.click('.o_data_row .o_data_cell', 'Gotham Property Group')
    save_picture(browser, 'duplicate', height=620)
    browser.open(f'{address}/odoo/ramp-inbox')
    browser.click('.o_data_row .o_data_cell', 'Bright Design Studio')
    save_picture(browser, 'changed', height=700)
    [paid] = call_method(
        browser, 'account.move', 'search_read', [['ramp_id', '!=', False], ['ref', '=', 'ACS-7731']], fields=['name']
    )
    browser.resize(WIDE, 960)
    browser.open(f'{address}/odoo/account.move/{paid["id"]}')
    browser.wait(
        "!!document.querySelector('.o_attachment_preview iframe')?.contentDocument?.querySelector('.textLayer span')"
    )
    browser.settle()
    save_picture(browser, 'bill')
    browser.resize(WIDTH, 800)
    [payment] = call_method(
        browser, 'account.payment', 'search_read', [['ramp_id', '!=', False]], fields=['name'], limit=1
    )
    browser.open(f'{address}/odoo/account.payment/{payment["id"]}')
    save_picture(browser, 'payment', height=580)


def read_options():
    parser = argparse.ArgumentParser(prog='./dev screenshots')
    parser.add_argument('--serve', action='store_true', help='take none; leave Odoo running')
    parser.add_argument('--port', type=int, default=8169)
    parser.add_argument('--database', default=DATABASE, help='its name; it is made anew')
    return parser.parse_args()


def main():
    options = read_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that started processes are stopped too
    executable = chromium()
    if not executable and not options.serve:
        raise Fail('there is no Chromium here, and it could not be installed: no pictures')
    runtime = Runtime().prepare()
    os.environ.update(runtime.environ())
    # While pictures are made, jobs run only when the script says so.
    with odoo_stage(runtime, options.database, options.port, jobs=int(options.serve)) as (address, ramp):
        if options.serve:
            print(
                f'Odoo:      {address}/odoo/ramp-connections (admin, admin)\nRamp:      {ramp.admin}/\nCtrl-C stops '
                'both.',
                flush=True,
            )
            with contextlib.suppress(KeyboardInterrupt):
                while True:
                    time.sleep(3600)
        else:
            with Browser(executable, width=WIDTH, height=800) as browser:
                take_pictures(browser, address)
                tie_out_pages(browser, address, options.database, ramp)
                purchase_pages(browser, address, options.database, ramp)
                if browser.complaints:
                    raise Fail(f'the console complains: {browser.complaints[0][:300]}')
    return 0


if __name__ == '__main__':
    script(main)
