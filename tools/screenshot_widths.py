"""Pictures of every screen at a width, such as that of a phone, and what does not fit there.

`./dev screenshots --width 400` makes them. They are for looking at, and are not part of the documentation.
"""

import json
import time

from runtime import ToolError, print_progress
from screenshot_access import describe_access_faults, fetch_axe_script, list_access_faults, measure_odoo_faults
from screenshot_screens import list_screens

HEIGHT, TALL = 1150, 1900  # of the window, and of a phone's, which shows more below
SMALL = 768  # below this, Odoo shows its pages for phones
# What reaches beyond the window, and is in nothing that scrolls sideways
TOO_WIDE = """[...document.querySelectorAll('.o_action_manager *, .o_control_panel *')].filter(node => {
    if (node.closest('.o-mail-Chatter')) {
        return false;  // not of the addon
    }
    const box = node.getBoundingClientRect();
    if (!box.width || !box.height || box.right <= window.innerWidth + 1 || getComputedStyle(node).visibility === 'hidden') {
        return false;
    }
    for (let outer = node.parentElement; outer; outer = outer.parentElement) {
        if (['auto', 'scroll'].includes(getComputedStyle(outer).overflowX) && node.closest('table')
            && outer.getBoundingClientRect().right <= window.innerWidth + 1) {
            return false;  // a table scrolls inside of it
        }
        if (outer.matches('.table-responsive, .o_list_renderer, .o_pivot, .o_notebook_headers, .o_statusbar_status')
            && getComputedStyle(outer).overflowX !== 'visible' && outer.getBoundingClientRect().right <= window.innerWidth + 1) {
            return false;
        }
    }
    return true;
}).map(node => node.tagName.toLowerCase() + '.' + [...node.classList].join('.')).slice(0, 8)"""


def open_screen(browser, path):
    """Open a page of the web client as one of its links does, which takes less time than to load it anew."""
    browser.evaluate_script(
        "document.querySelectorAll('.modal .btn-close, .o_mobile_menu .oi-close').forEach(node => node.click())"
    )
    time.sleep(0.2)
    browser.evaluate_script(
        f"""(() => {{
            const link = document.createElement('a');
            link.href = {json.dumps(path)};
            document.body.append(link);
            link.click();
            link.remove();
        }})()"""
    )
    time.sleep(0.4)
    browser.wait_until_idle()


def save_screens(browser, address, found, width, folder, only=()):
    """Write a picture of each screen into a folder. The window is tall, so most of them are whole.

    The user of the browser has logged in.

    :param found: what `prepare_screens` returns
    :param only: names of screens; empty: all
    :return: complaints: what does not fit, what a screen reader or a keyboard misses, and what the console says
    """
    folder.mkdir(parents=True, exist_ok=True)
    complaints = []
    browser.resize_page(width, TALL if width < SMALL else HEIGHT, mobile=width < SMALL)
    browser.open_page(f'{address}/odoo/ramp-connections')
    axe = fetch_axe_script()
    known = measure_odoo_faults(browser, axe, open_screen)
    for name, path, steps in list_screens(found):
        if only and name not in only:
            continue
        said = len(browser.complaints)
        try:
            open_screen(browser, f'/odoo/{path}')
            for step in steps:
                step(browser)
        except ToolError as reason:
            complaints.append(f'{name}: {reason}')
        time.sleep(0.3)
        wide = browser.evaluate_script(TOO_WIDE)
        browser.save_screenshot(folder / f'{name}.png')
        faults = describe_access_faults(list_access_faults(browser, axe), known)
        complaints += [f'{name}: {fault}' for fault in faults]
        complaints += [f'{name}: too wide at {width} px: {node}' for node in wide]
        complaints += [f'{name}: the console says: {text[:300]}' for text in browser.complaints[said:]]
        print_progress(f'{folder / name}.png')
    return complaints
