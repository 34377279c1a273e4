"""Make the pictures of the README and of the store page, with a real Odoo, a real browser and a simulated Ramp.

./dev screenshots                    make all of them
./dev screenshots --serve            prepare the same Odoo and leave it running
./dev screenshots --width 1400 400 --language en de
                                     every screen at these widths and in these languages, to look at; fails on any complaint
                                     of the console, of Odoo's log, or of axe-core (see screenshot_access.py)
"""

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from browser import HeadlessBrowser
from odoo_env import open_environment, run_simulator
from runtime import (
    CHECKOUT,
    OdooRuntime,
    ToolError,
    find_chromium,
    get_cache_dir,
    print_progress,
    run_in_background,
    run_script,
    wait_for_condition,
)
from screenshot_data import (
    make_picture_purchase,
    make_tie_out_differences,
    mend_tie_out_differences,
    prepare_picture_company,
)
from screenshot_screens import LANGUAGES, prepare_screens, set_language
from screenshot_widths import save_screens

DATABASE = 'ramp_screenshots'
DOCS = CHECKOUT / 'docs/images'
STORE = CHECKOUT / 'static/description'
ON_STORE = ('connection', 'inbox', 'changed', 'bill', 'expense', 'entry', 'tie_out', 'order')
WIDTH, WIDE = 1280, 1600  # Odoo shows a receipt beside its document only on wide screens; these pictures are reduced
LARGEST = 200 * 1024
# In Odoo's log: what Python says of Odoo's own code, and who is online, which ends when a page is left
NOT_OURS = re.compile(r' py\.warnings: | odoo\.addons\.bus\.|"mail_presence"')


def odoo_log_path(database):
    """Return the path of Odoo's log. It has warnings and errors only."""
    return get_cache_dir() / f'screenshots-{database}.log'


@contextlib.contextmanager
def run_picture_stage(runtime, database, port, jobs):
    """Run Odoo with the data, and the simulated Ramp. Yield (address of Odoo, Ramp)."""
    runtime.ensure_database(database, fresh=True)
    with tempfile.TemporaryFile('w+') as log, run_simulator(log=log) as ramp:
        with open_environment(database) as env:
            prepare_picture_company(env, ramp)
        address = f'http://127.0.0.1:{port}'
        command = runtime.build_odoo_command(
            '-d', database, '--http-port', port, '--max-cron-threads', jobs, '--log-level', 'warn'
        )
        with run_in_background(
            command, name='Odoo', log=odoo_log_path(database), env=runtime.build_environ()
        ) as process:

            def is_odoo_answering():
                try:
                    return urllib.request.urlopen(f'{address}/web/login', timeout=5).status == 200
                except (urllib.error.URLError, OSError):
                    return False

            wait_for_condition(is_odoo_answering, what='Odoo did not start', seconds=120, process=process)
            yield address, ramp


def call_model_method(browser, model, method, *args, **kwargs):
    """Call a method of a model as the browser's user. Return its result. Raise `ToolError` if Odoo refuses it."""
    body = json.dumps(
        {
            'jsonrpc': '2.0',
            'method': 'call',
            'params': {'model': model, 'method': method, 'args': args, 'kwargs': kwargs},
        }
    )
    answer = browser.evaluate_script(
        "fetch('/web/dataset/call_kw', {method: 'POST', headers: {'Content-Type': 'application/json'}, "
        f'body: {json.dumps(body)}}}).then(answer => answer.json())'
    )
    if 'error' in answer:
        raise ToolError(f'Odoo refused {model}.{method}: {answer["error"]["data"]["message"]}')
    return answer['result']


def save_page_picture(browser, name, *, width=WIDTH, height=None):
    """Take a picture, reduce it to 256 colours, and write it to its place. Raise `ToolError` if it is too large.

    :param width: of the picture, in pixels; a larger one is reduced
    :param height: the rest is cut off, in pixels
    """
    from PIL import Image

    with tempfile.TemporaryDirectory() as scratch:
        raw = Path(scratch) / 'raw.png'
        browser.evaluate_script('document.activeElement.blur()')  # a form focuses its first button
        time.sleep(0.3)
        browser.save_screenshot(raw)
        image = Image.open(raw).convert('RGB')
    if image.width != width:
        image = image.resize((width, round(image.height * width / image.width)), Image.LANCZOS)
    if height:
        image = image.crop((0, 0, image.width, height))
    data = io.BytesIO()
    image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(data, 'PNG', optimize=True)
    if data.tell() > LARGEST:
        raise ToolError(f'{name}.png has {data.tell() // 1024} KB')
    DOCS.mkdir(parents=True, exist_ok=True)
    (DOCS / f'{name}.png').write_bytes(data.getvalue())
    if name in ON_STORE:
        shutil.copy(DOCS / f'{name}.png', STORE / f'{name}.png')
    print_progress(f'docs/images/{name}.png ({data.tell() // 1024} KB)')


def save_main_pictures(browser, address):
    """Go through the screens and save the pictures of connection, inbox, records, bills and expenses."""
    browser.log_in_user(address, 'admin', 'admin')
    browser.open_page(f'{address}/odoo/ramp-connections')
    browser.click_element('.o_data_row .o_data_cell', 'Ramp')
    save_page_picture(browser, 'connection')
    browser.click_element('.o_notebook .nav-link', 'Payables')
    browser.resize_page(WIDTH, 1300)
    browser.wait_until_idle()
    save_page_picture(browser, 'payables', height=1120)
    browser.click_element('.o_notebook .nav-link', 'Coding Options')
    save_page_picture(browser, 'offers', height=1290)
    browser.resize_page(WIDTH, 800)
    browser.open_page(f'{address}/odoo/ramp')
    browser.wait_for_script("!!document.querySelector('.o_ramp_tie_out_card a')")
    browser.resize_page(WIDTH, 1300)
    browser.wait_until_idle()
    save_page_picture(browser, 'dashboard', height=1260)
    browser.resize_page(WIDTH, 800)
    browser.open_page(f'{address}/odoo/ramp-attention')
    save_page_picture(browser, 'inbox', height=740)
    browser.open_page(f'{address}/odoo/ramp-inbox')
    browser.click_element('.o_data_row .o_data_cell', 'Marriott')
    save_page_picture(browser, 'held', height=620)
    save_bill_pictures(browser, address)
    browser.open_page(f'{address}/odoo/ramp-records')
    save_page_picture(browser, 'records')
    [expense] = call_model_method(
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
    browser.resize_page(WIDE, 900)
    browser.open_page(f'{address}/odoo/action-hr_expense.action_hr_expense_account/{expense["id"]}')
    browser.wait_for_script(
        "!!document.querySelector('.o_attachment_preview iframe')?.contentDocument?.querySelector('.textLayer span')"
    )
    browser.wait_until_idle()
    save_page_picture(browser, 'expense')
    browser.resize_page(WIDTH, 800)
    browser.open_page(f'{address}/odoo/account.move/{expense["account_move_id"][0]}')
    save_page_picture(browser, 'entry')
    [row] = call_model_method(
        browser, 'ramp.record', 'search_read', [['flow', '=', 'bill'], ['has_changed', '=', True]], fields=['res_id']
    )
    call_model_method(
        browser, 'ramp.record', 'action_rebook', [row['id']]
    )  # last, because the inbox looks different from here on
    browser.resize_page(WIDTH, 1100)
    browser.open_page(f'{address}/odoo/account.move/{row["res_id"]}')
    save_page_picture(browser, 'reversed', height=1080)


def save_bill_pictures(browser, address):
    """Make pictures of a held bill, a bill that Ramp changed after it was booked, and a paid bill with its payment."""
    browser.open_page(f'{address}/odoo/ramp-inbox')
    browser.click_element('.o_data_row .o_data_cell', 'Gotham Property Group')
    save_page_picture(browser, 'duplicate', height=620)
    browser.open_page(f'{address}/odoo/ramp-inbox')
    browser.click_element('.o_data_row .o_data_cell', 'Bright Design Studio')
    save_page_picture(browser, 'changed', height=700)
    [paid] = call_model_method(
        browser, 'account.move', 'search_read', [['ramp_id', '!=', False], ['ref', '=', 'ACS-7731']], fields=['name']
    )
    browser.resize_page(WIDE, 960)
    browser.open_page(f'{address}/odoo/account.move/{paid["id"]}')
    browser.wait_for_script(
        "!!document.querySelector('.o_attachment_preview iframe')?.contentDocument?.querySelector('.textLayer span')"
    )
    browser.wait_until_idle()
    save_page_picture(browser, 'bill')
    browser.resize_page(WIDTH, 800)
    [payment] = call_model_method(
        browser, 'account.payment', 'search_read', [['ramp_id', '!=', False]], fields=['name'], limit=1
    )
    browser.open_page(f'{address}/odoo/account.payment/{payment["id"]}')
    save_page_picture(browser, 'payment', height=580)


def save_tie_out_pictures(browser, address, database, ramp):
    """Make pictures of the tie-out with differences, of its analysis, and of the tie-out without any."""
    with open_environment(database) as env:
        done = make_tie_out_differences(env, ramp)
    browser.resize_page(WIDTH, 1180)
    browser.open_page(f'{address}/odoo/ramp-tie-out')
    browser.click_element('.o_ramp_period')
    browser.click_element('.o-dropdown-item', 'This month')
    save_page_picture(browser, 'tie_out')
    browser.resize_page(WIDTH, 800)
    browser.open_page(f'{address}/odoo/ramp-tie-out-analysis')
    save_page_picture(browser, 'tie_out_analysis', height=620)
    with open_environment(database) as env:
        mend_tie_out_differences(env, ramp, *done)
    browser.open_page(f'{address}/odoo/ramp-tie-out')
    save_page_picture(browser, 'tie_out_green')


def save_purchase_pictures(browser, address, database, ramp):
    """Make pictures of orders, receipts, people, and the connection's pages for them."""
    with open_environment(database) as env:
        order, picking, person = make_picture_purchase(env, ramp)
    browser.resize_page(WIDE, 1000)
    browser.open_page(f'{address}/odoo/purchase.order/{order}')
    save_page_picture(browser, 'order', height=680)
    browser.open_page(f'{address}/odoo/stock.picking/{picking}')
    save_page_picture(browser, 'receipt', height=560)
    browser.resize_page(WIDTH, 1000)
    browser.open_page(f'{address}/odoo/hr.employee/{person}')
    browser.click_element('.o_notebook .nav-link', 'Settings')
    save_page_picture(browser, 'employee', height=760)
    browser.open_page(f'{address}/odoo/ramp-connections')
    browser.click_element('.o_data_row .o_data_cell', 'Ramp')
    for name, page in (('procurement', 'Procurement'), ('people', 'People'), ('real_time', 'Real Time')):
        browser.click_element('.o_notebook .nav-link', page)
        browser.wait_until_idle()
        save_page_picture(browser, name, height=900)


def save_all_screens(browser, address, ramp, options):
    """Save every screen in each language and at each width. Return the complaints: what does not fit, or was logged."""
    folder = options.output or get_cache_dir() / 'screenshots'
    found = prepare_screens(options.database, ramp)
    complaints = []
    browser.log_in_user(address, 'admin', 'admin')
    for language in options.language:
        set_language(options.database, LANGUAGES[language])
        for width in options.width:
            complaints += save_screens(
                browser, address, found, width, folder / f'{language}-{width}', only=options.only
            )
    log = odoo_log_path(options.database).read_text(encoding='utf-8', errors='replace')
    return complaints + [
        f"Odoo's log: {line[:300]}"
        for line in log.splitlines()
        if re.search(r' (WARNING|ERROR|CRITICAL) ', line) and not NOT_OURS.search(line)
    ]


def read_picture_options():
    parser = argparse.ArgumentParser(prog='./dev screenshots')
    parser.add_argument('--serve', action='store_true', help='take none; leave Odoo running')
    parser.add_argument(
        '--width', type=int, nargs='+', help='every screen at these widths in pixels, and no other pictures'
    )
    parser.add_argument('--language', nargs='+', choices=LANGUAGES, default=['en'], help='of these pictures')
    parser.add_argument('--only', nargs='+', default=(), metavar='SCREEN', help='these screens only')
    parser.add_argument('--output', type=Path, help='folder of these pictures; default: in the cache')
    parser.add_argument('--port', type=int, default=8169)
    parser.add_argument('--database', default=DATABASE, help='its name; it is made anew')
    return parser.parse_args()


def main():
    options = read_picture_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that started processes are stopped too
    executable = find_chromium()
    if not executable and not options.serve:
        raise ToolError('there is no Chromium here, and it could not be installed: no pictures')
    runtime = OdooRuntime().prepare_machine()
    os.environ.update(runtime.build_environ())
    # While pictures are made, jobs run only when the script says so.
    with run_picture_stage(runtime, options.database, options.port, jobs=int(options.serve)) as (address, ramp):
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
            with HeadlessBrowser(executable, width=WIDTH, height=800) as browser:
                if options.width:
                    complaints = save_all_screens(browser, address, ramp, options)
                    if complaints:
                        raise ToolError('\n'.join(['there are complaints', *complaints]))
                else:
                    save_main_pictures(browser, address)
                    save_tie_out_pictures(browser, address, options.database, ramp)
                    save_purchase_pictures(browser, address, options.database, ramp)
                if browser.complaints:
                    raise ToolError(f'the console complains: {browser.complaints[0][:300]}')
    return 0


if __name__ == '__main__':
    run_script(main)
