"""Pictures of the main pages at another width, such as that of a phone, and what does not fit there.

`./dev screenshots --width 400` makes them. They are for looking at, and are not part of the documentation.
"""

import json
import time

from odoo_env import open_environment
from runtime import print_progress
from screenshot_data import make_tie_out_differences

HEIGHT, TALL = 850, 2600  # of a window, and of one that shows a whole page
SMALL = 768  # below this, Odoo shows its pages for phones
# What reaches beyond the window, and is in nothing that scrolls sideways
TOO_WIDE = """[...document.querySelectorAll('.o_action_manager *, .o_control_panel *')].filter(node => {
    const box = node.getBoundingClientRect();
    if (!box.width || !box.height || box.right <= window.innerWidth + 1 || getComputedStyle(node).visibility === 'hidden') {
        return false;
    }
    for (let outer = node.parentElement; outer; outer = outer.parentElement) {
        if (outer.matches('.table-responsive, .o_list_renderer, .o_pivot, .o_notebook_headers, .o_statusbar_status')
            && getComputedStyle(outer).overflowX !== 'visible' && outer.getBoundingClientRect().right <= window.innerWidth + 1) {
            return false;
        }
    }
    return true;
}).map(node => node.tagName.toLowerCase() + '.' + [...node.classList].join('.')).slice(0, 8)"""


def list_main_pages(database):
    """Return {name: path} of the main pages."""
    with open_environment(database) as env:
        Record = env['ramp.record']
        held = Record.search([('state', '=', 'held'), ('flow', '=', 'transaction')], limit=1)
        changed = Record.search([('has_changed', '=', True)], limit=1)
        connection = env['ramp.connection'].search([], limit=1)
    return {
        'dashboard': 'ramp',
        'attention': 'ramp-attention',
        'inbox': 'ramp-inbox',
        'records': 'ramp-records',
        'record': f'ramp-records/{held.id}',
        'record_changed': f'ramp-records/{changed.id}',
        'connections': 'ramp-connections',
        'connection': f'ramp-connections/{connection.id}',
        'runs': 'ramp-runs',
        'mappings': 'ramp-mappings',
        'tie_out': 'ramp-tie-out',
        'tie_out_analysis': 'ramp-tie-out-analysis',
    }


def save_pages_of_width(browser, address, database, ramp, width, folder):
    """Write two pictures of each main page into a folder: the window, and the whole page. Print what does not fit."""
    with open_environment(database) as env:
        make_tie_out_differences(env, ramp)
    folder.mkdir(parents=True, exist_ok=True)
    browser.resize_page(width, HEIGHT, mobile=width < SMALL)
    browser.log_in_user(address, 'admin', 'admin')
    for name, path in list_main_pages(database).items():
        browser.resize_page(width, HEIGHT, mobile=width < SMALL)
        browser.open_page(f'{address}/odoo/{path}')
        browser.wait_until_idle()
        if name == 'dashboard':
            browser.wait_for_script("!!document.querySelector('.o_ramp_tie_out_card a')")
        time.sleep(0.3)
        browser.save_screenshot(folder / f'{name}.png')
        wide = browser.evaluate_script(TOO_WIDE)
        browser.resize_page(width, TALL, mobile=width < SMALL)
        browser.wait_until_idle()
        browser.save_screenshot(folder / f'{name}_whole.png')
        print_progress(f'{folder / name}.png{": too wide: " + json.dumps(wide) if wide else ""}')
