"""What a screen reader and a keyboard miss on a screen: axe-core's rules, beside Odoo's own screens as the measure.

`./dev screenshots --width 1400` prints it. axe-core comes from the Python package axe-playwright-python, which is
fetched when it is needed: its dependencies are not, as the browser of these tools is another one.
"""

import json
import sys

from runtime import get_cache_dir, run_command
from runtime.cache import hold_build_lock

AXE_PACKAGE = 'axe-playwright-python==0.1.8'  # axe-core 4
# Odoo's screens that are built of the same parts: lists, forms, a dashboard, a pivot table
MEASURES = (
    'action-account.action_move_in_invoice_type',
    'action-account.open_account_journal_dashboard_kanban',
    'action-account.action_account_invoice_report_all',
    'action-base.action_partner_form/1',
    'action-base.action_res_company_form/1',
    'action-base.action_res_users/2',
    'action-hr_expense.hr_expense_actions_all',
)
# Odoo's widgets and frames, which look the same everywhere
PARTS_OF_ODOO = (
    '.o_form_label_readonly',
    '.o_searchview',
    '.o_control_panel',
    '.o_optional_columns_dropdown',
    '.o_list_renderer',
    '.o_tag',
    '.o_avatar',
    '.o_field_badge',
    '.o_clipboard_button',
    '.o_pivot',
    '.o-mail-Chatter',
)
FOUND = """axe.run({
    include: [[document.querySelector('.modal') ? '.modal' : '.o_action_manager']],
    exclude: PARTS.filter(part => document.querySelector(part)).map(part => [part])
}, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'], resultTypes: ['violations']
}).then(result => result.violations.flatMap(violation => violation.nodes.map(node => {
    const element = document.querySelector(node.target[0]);
    const check = node.any[0] || node.all[0] || node.none[0] || {};
    const place = violation.id === 'color-contrast' ? `${check.data.fgColor} on ${check.data.bgColor}`
        : element ? element.tagName.toLowerCase() + '.' + [...element.classList].sort().join('.') : '';
    return [violation.id, place, node.html.slice(0, 160), check.message || violation.help];
})))""".replace('PARTS', json.dumps(PARTS_OF_ODOO))
# What a mouse can press and the keyboard cannot reach, in the parts that are the addon's own
UNREACHABLE = """[...document.querySelectorAll('[class*=o_ramp] *')].filter(node =>
    node.offsetParent && getComputedStyle(node).cursor === 'pointer'
    && getComputedStyle(node.parentElement).cursor !== 'pointer'
    && !node.closest('a[href], button, input, select, textarea, label, summary, [tabindex], .o_data_row, .o_kanban_record, .oe_stat_button')
).map(node => ['keyboard', node.tagName.toLowerCase() + '.' + [...node.classList].sort().join('.'),
    node.outerHTML.slice(0, 160), 'The keyboard does not reach it'])"""


def fetch_axe_script():
    """Return the source of axe-core. It is fetched once."""
    folder = get_cache_dir() / AXE_PACKAGE.replace('==', '-')
    script = folder / 'axe_playwright_python/axe.min.js'
    with hold_build_lock('axe'):
        if not script.exists():
            run_command(
                [
                    sys.executable,
                    '-m',
                    'pip',
                    'install',
                    '--quiet',
                    '--no-deps',
                    '--disable-pip-version-check',
                    '--target',
                    folder,
                    AXE_PACKAGE,
                ],
                what='axe-core could not be fetched',
                log=get_cache_dir() / 'pip.log',
            )
    return script.read_text(encoding='utf-8')


def list_access_faults(browser, axe):
    """Return [(rule, place, HTML, why)] of the page that the browser shows: what one of axe's rules finds wrong.

    The place is an element, or a pair of colours.

    :param axe: what `fetch_axe_script` returns
    """
    if not browser.evaluate_script('!!window.axe'):
        browser.evaluate_script(f'{axe};true')
    return browser.evaluate_script(FOUND) + browser.evaluate_script(UNREACHABLE)


def measure_odoo_faults(browser, axe, open_screen):
    """Return {(rule, place)}: what axe finds wrong with Odoo's own screens, in any Odoo.

    :param open_screen: function of (browser, path)
    """
    known = set()
    for path in MEASURES:
        open_screen(browser, f'/odoo/{path}')
        known.update((rule, place) for rule, place, _html, _why in list_access_faults(browser, axe))
    return known


def describe_access_faults(faults, known):
    """Return a text for each fault that Odoo's own screens do not have."""
    return sorted(
        {f'{rule}: {why} {json.dumps(html)}' for rule, place, html, why in faults if (rule, place) not in known}
    )
