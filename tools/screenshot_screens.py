"""Every screen of the addon, for looking at: how to open each, and the rows that it needs to show something."""

import json
from datetime import timedelta

from odoo_env import open_environment
from screenshot_data import make_tie_out_differences

# The pages of the connection's form
CONNECTION_PAGES = ('cards', 'payables', 'statements', 'procurement', 'people', 'offers', 'webhooks')
LANGUAGES = {'en': 'en_US', 'de': 'de_DE', 'fr': 'fr_FR', 'es': 'es_ES'}
SETUP_STEPS = ('credentials', 'features', 'integration', 'entity', 'books', 'offers', 'start', 'preview', 'done')


def prepare_screens(database, ramp):
    """Make what the screens show: differences, a mapping, a dry run, an undo, an accrual, and each step of the set-up.

    :return: {name: id}
    """
    with open_environment(database) as env:
        make_tie_out_differences(env, ramp)
        admin = env.ref('base.user_admin')
        env = env(user=admin)
        connection = env['ramp.connection'].search([('state', '=', 'connected')], limit=1)
        found = find_shown_rows(env, connection)
        found['dry_run'] = make_dry_run(env, connection)
        found['undo'] = make_undo(env, connection)
        found['accrual'] = make_accrual(env, connection)
        found['mapping'] = make_mapping(env, connection)
        connection.action_test_connection()
        env.cr.commit()
        found.update(make_setup_steps(env, ramp, connection))
        env.cr.commit()
    return found


def find_shown_rows(env, connection):
    """Return the ids of the rows of the ledger, the run and the sent objects that the pictures show."""
    Record = env['ramp.record']
    held = Record.search([('state', '=', 'held'), ('flow', '=', 'transaction')])
    return {
        'connection': connection.id,
        'held': held[:1].id,
        'changed': Record.search([('has_changed', '=', True)], limit=1).id,
        'sent': Record.search([('remote_id', '!=', False), ('state', '=', 'confirmed')], limit=1).id,
        'run': env['ramp.run'].search([('created', '>', 0)], limit=1).id,
        'journal': connection.card_journal_id.id,
        'account_cause': env['ramp.cause'].search([('kind', '=', 'map_option')], limit=1).id,
        'cardholder_cause': env['ramp.cause'].search([('kind', '=', 'cardholder')], limit=1).id,
    }


def make_dry_run(env, connection):
    """Make a dry run, with its result. Return its id."""
    run = env['ramp.dry.run'].create({'connection_id': connection.id})
    env.cr.commit()
    env.ref('ramp_connector.cron_dry_run').sudo().method_direct_trigger()
    env.cr.commit()
    return run.id


def make_undo(env, connection):
    """Make an undo that waits for its confirmation. Return its id."""
    undo = env['ramp.undo'].browse(connection.action_undo_sync()['res_id'])
    undo.action_prepare()
    env.cr.commit()
    return undo.id


def make_accrual(env, connection):
    """Propose the accrual of the month before. What waits is moved into that month. Return its id."""
    last_month = env.cr.now().date().replace(day=1) - timedelta(days=3)
    env.cr.execute(
        "UPDATE ramp_record SET date = %s WHERE connection_id = %s AND state = 'held' AND flow = 'transaction'",
        [last_month, connection.id],
    )
    env.invalidate_all()
    action = env['ramp.accrual'].open_month(connection.id, f'{last_month:%Y-%m}')
    env.cr.commit()
    return action.get('res_id')


def make_mapping(env, connection):
    """Decide what an option of Ramp means. Return the id of the decision."""
    account = env['account.account'].search([('name', '=', 'Meals')], limit=1)
    mapping = env['ramp.mapping'].search([], limit=1) or env['ramp.mapping'].create(
        {
            'connection_id': connection.id,
            'ramp_type': 'GL_ACCOUNT',
            'ramp_key': '699901',
            'name': '699901 Team Events',
            'target': 'account',
            'account_id': account.id,
        }
    )
    env.cr.commit()
    return mapping.id


def make_setup_steps(env, ramp, connection):
    """Go through the set-up assistant once for each of its steps. Return {'setup_STEP': id}."""
    found = {}
    for number, step in enumerate(SETUP_STEPS):
        setup = env['ramp.setup'].create(
            {
                'environment': 'custom',
                'api_url': ramp.api_url,
                'client_id': ramp.client_id,
                'client_secret': ramp.client_secret,
                'company_id': env.company.id,
                'existing_policy': 'leave',
                # The preview would post what is posted
                'connection_id': connection.id if step == 'preview' else False,
            }
        )
        if step == 'done':
            setup.sudo().write({'connection_id': connection.id, 'state': 'done'})
        else:
            for _time in range(number):
                setup.action_next()
        if step == 'preview':
            setup.action_preview()
        found[f'setup_{step}'] = setup.id
        env.cr.commit()
    return found


def list_screens(found):
    """Return [(name, path, steps)]. Each step is a function of the browser that comes after the page was opened."""
    connection = f'ramp-connections/{found["connection"]}'
    held = f'ramp-records/{found["held"]}'
    return [
        ('dashboard', 'ramp', [wait_for('.o_ramp_tie_out_card a', seconds=90)]),
        ('attention', 'ramp-attention', []),
        ('inbox', 'ramp-inbox', []),
        ('records', 'ramp-records', []),
        ('record_held', held, []),
        ('record_held_technical', held, [open_tab('technical')]),
        ('record_changed', f'ramp-records/{found["changed"]}', []),
        ('record_sent', f'ramp-records/{found["sent"]}', []),
        ('record_link', held, [press('action_link')]),
        ('record_ignore', held, [press('action_ignore')]),
        ('records_search', 'ramp-records', [open_search_menu]),
        ('mappings', 'ramp-mappings', []),
        ('mapping', f'ramp-mappings/{found["mapping"]}', []),
        ('map_option', 'ramp-attention', [solve_cause(found['account_cause'])]),
        ('cardholders', 'ramp-attention', [solve_cause(found['cardholder_cause'])]),
        ('connections', 'ramp-connections', []),
        *((f'connection_{page}', connection, [open_tab(page)]) for page in CONNECTION_PAGES),
        ('connection_new', 'ramp-connections/new', []),
        ('checks', connection, [call_button('ramp.connection', 'action_open_checks', found['connection'])]),
        ('dry_run_dialog', connection, [call_button('ramp.connection', 'action_dry_run', found['connection'])]),
        ('dry_runs', 'ramp-dry-runs', []),
        ('dry_run', f'ramp-dry-runs/{found["dry_run"]}', []),
        ('runs', 'ramp-runs', []),
        ('run', f'ramp-runs/{found["run"]}', []),
        ('undos', 'ramp-undo', []),
        ('undo', f'ramp-undo/{found["undo"]}', []),
        ('undo_lines', f'ramp-undo/{found["undo"]}', [call_button('ramp.undo', 'action_open_lines', found['undo'])]),
        ('accruals', 'ramp-accruals', []),
        *([('accrual', f'ramp-accruals/{found["accrual"]}', [])] if found['accrual'] else []),
        ('tie_out', 'ramp-tie-out', [unfold_tie_out]),
        ('tie_out_analysis', 'ramp-tie-out-analysis', []),
        (
            'journals',
            'action-account.open_account_journal_dashboard_kanban',
            [wait_for('.o_ramp_tie_out_status, .o_ramp_journal')],
        ),
        *(
            (f'setup_{step}', f'action-ramp_connector.ramp_setup_action/{found[f"setup_{step}"]}', [])
            for step in SETUP_STEPS
        ),
        ('menu', 'ramp', [open_ramp_menu]),  # last, because it stays open
    ]


def wait_for(selector, seconds=40):
    """Return a step that waits for an element."""
    return lambda browser: browser.wait_for_script(f'!!document.querySelector({json.dumps(selector)})', seconds=seconds)


def open_tab(name):
    """Return a step that opens a page of the form's notebook, and scrolls to it."""
    tab = f'.o_notebook .nav-link[name={name}]'

    def step(browser):
        browser.click_element(tab)
        browser.evaluate_script(f'document.querySelector({json.dumps(tab)}).scrollIntoView()')

    return step


def press(name):
    """Return a step that presses a button of the form's header, which is in a menu on a phone."""

    def step(browser):
        button = f'.o_form_statusbar button[name={name}], .o_dialog button[name={name}], .o-dropdown--menu button[name={name}]'
        if not browser.evaluate_script(
            f'[...document.querySelectorAll({json.dumps(button)})].some(node => node.offsetParent)'
        ):
            browser.click_element(
                '.o_form_statusbar .o_statusbar_buttons button.dropdown-toggle, .o_statusbar_buttons .o-dropdown'
            )
        browser.click_element(button)
        browser.wait_for_script("!!document.querySelector('.modal')")
        browser.wait_until_idle()

    return step


def call_button(model, method, row):
    """Return a step that does what a button of another page does."""

    def step(browser):
        browser.evaluate_script(
            f"""odoo.__WOWL_DEBUG__.root.env.services.action.doActionButton({{type: 'object', name: '{method}',
            resModel: '{model}', resId: {row}, buttonContext: {{}},
            context: odoo.loader.modules.get('@web/core/user').user.context}}).then(() => true)"""
        )
        browser.wait_until_idle()

    return step


def solve_cause(cause):
    """Return a step that opens what settles a cause."""
    return call_button('ramp.cause', 'action_solve', cause)


def open_search_menu(browser):
    """Open the filters of a list."""
    if browser.evaluate_script("!!document.querySelector('.o_searchview_dropdown_toggler')?.offsetParent"):
        browser.click_element('.o_searchview_dropdown_toggler')
    else:
        browser.click_element('.o_control_panel button:has(.oi-search, .fa-search)')  # on a phone


def unfold_tie_out(browser):
    """Unfold the newest month of the tie-out."""
    if browser.evaluate_script("!!document.querySelector('.o_ramp_toggle[aria-expanded=false]')"):
        browser.click_element('.o_ramp_toggle[aria-expanded=false]')


def open_ramp_menu(browser):
    """Open the menu in which the screens are: that of vendors, or the one of a phone."""
    menu = '[data-menu-xmlid="account.menu_finance_payables"]'
    if browser.evaluate_script(f"!!document.querySelector('{menu}')?.offsetParent"):
        browser.click_element(menu)
    else:
        browser.click_element('.o_main_navbar .o_menu_toggle, .o_main_navbar :has(> .fa-bars)')


def set_language(database, code):
    """Let the administrator and the company's people read this language, such as 'de_DE'; it is loaded first."""
    with open_environment(database) as env:
        if code != 'en_US':
            env['base.language.install'].create(
                {
                    'lang_ids': [
                        (6, 0, env['res.lang'].with_context(active_test=False).search([('code', '=', code)]).ids)
                    ],
                    'overwrite': True,
                }
            ).lang_install()
        env.ref('base.user_admin').lang = code
        env.cr.commit()
        env.registry.signal_changes()  # to the Odoo that is running
