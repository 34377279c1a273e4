# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib

from lxml import etree

from odoo import Command
from odoo.exceptions import AccessError
from odoo.tests import Form, HttpCase, new_test_user, tagged
from odoo.tools.safe_eval import safe_eval

from .common import RampCase

ROLES = {
    'accountant': 'account.group_account_invoice',
    'bookkeeper': 'account.group_account_user',
    'auditor': 'account.group_account_readonly',
    'manager': 'account.group_account_manager',
    'administrator': 'account.group_account_manager,hr_expense.group_hr_expense_manager,hr.group_hr_manager,base.group_system',
}
SCREENS = {
    'ramp.connection': ('list', 'form', 'search'),
    'ramp.record': ('list', 'kanban', 'form', 'search'),
    'ramp.run': ('list', 'form', 'search'),
}
SECRETS = {'client_id', 'client_secret'}


class ScreenCase(RampCase):

    def person(self, role):
        """A user of the company with the groups of a role."""
        return new_test_user(
            self.env, login=f'ramp_{role}', groups=f'base.group_user,{ROLES[role]}' if role in ROLES else 'base.group_user',
            context={'no_reset_password': True}, company_id=self.company.id, company_ids=[Command.set(self.company.ids)])

    def as_person(self, user):
        return self.env(user=user, context={'allowed_company_ids': self.company.ids, 'lang': 'en_US', 'tz': 'UTC'})


@tagged('post_install', '-at_install', 'ramp')
class TestScreens(ScreenCase):
    """What the screens ask of the server, for each role; no browser."""

    def test_views_and_data_of_every_role(self):
        """Each screen opens for everyone who may use it: its view, its search, and every field that is on it."""
        self.spend(merchant='Amazon Web Services', receipts=1)
        self.spend(merchant='Blue Bottle Coffee', account=None)
        self.sync()
        for role in ROLES:
            env = self.as_person(self.person(role))
            for model, kinds in SCREENS.items():
                with self.subTest(role=role, model=model):
                    answer = env[model].get_views([(False, kind) for kind in kinds], {'toolbar': True})
                    self.assertEqual(set(answer['views']), set(kinds))
                    fields = answer['models'][model]['fields']
                    self.assertEqual(bool(SECRETS & set(fields)), role == 'administrator' and model == 'ramp.connection')
                    records = env[model].search([])
                    self.assertTrue(records)
                    records.web_read({name: {} for name in fields})

    def test_views_of_the_wizard(self):
        for role in ('accountant', 'manager'):
            env = self.as_person(self.person(role))
            self.assertIn('reason', env['ramp.record.ignore'].get_views([(False, 'form')])['models']['ramp.record.ignore']['fields'])

    def test_extended_screens_of_every_role(self):
        """The fields that the addon puts on Odoo's own screens break them for nobody."""
        ramp_id = self.spend(merchant='Amazon Web Services')
        self.sync()
        for role in (*ROLES, 'employee'):
            env = self.as_person(self.person(role))
            for model in ('hr.expense', *(('account.move',) if role != 'employee' else ())):
                with self.subTest(role=role, model=model):
                    views = env[model].get_views([(False, 'list'), (False, 'form'), (False, 'search')])
                    if role == 'administrator':
                        self.assertIn('ramp_state', views['models'][model]['fields'])
            if role != 'employee':
                move = self.move(ramp_id).with_env(env)
                self.assertEqual(move.web_read({'ramp_state': {}, 'ramp_id': {}})[0]['ramp_state'], 'Confirmed')

    def test_employee_sees_the_status_of_own_expense_only(self):
        """A cardholder without any right in accounting reads the status on the own expense, and nothing of the ledger."""
        ramp_id = self.spend(merchant='Amazon Web Services')
        self.sync()
        user = self.person('employee')
        expense = self.expense(ramp_id)
        expense.employee_id.user_id = user
        env = self.as_person(user)
        own = expense.with_env(env)
        self.assertEqual(own.web_read({'ramp_state': {}, 'ramp_url': {}})[0]['ramp_state'], 'Confirmed')
        for model in SCREENS:
            with self.assertRaises(AccessError):
                env[model].search([])

    def test_menus_lead_each_role_to_its_screens(self):
        """Accountants reach the inbox: Odoo keeps Configuration for accounting administrators."""
        def reachable(role):
            menus = self.env['ir.ui.menu'].with_user(self.person(role)).load_menus(False)

            def below(menu):
                return [menu, *(found for child in menu['children'] for found in below(menus[child]))]

            names = [menu.get('xmlid') or '' for menu in below(menus['root'])]
            return {name.removeprefix('ramp_connector.') for name in names if name.startswith('ramp_connector.')}

        daily = {'ramp_menu_root', 'ramp_menu_problem', 'ramp_menu_record', 'ramp_menu_synchronize'}
        setting = {'ramp_menu_configuration', 'ramp_menu_connection', 'ramp_menu_run'}
        for role in ('accountant', 'bookkeeper', 'auditor'):
            self.assertEqual(reachable(role), daily, role)
        self.assertEqual(reachable('manager'), daily | setting)

    def test_from_ramp_filters(self):
        """The filters of Odoo's own lists show what came from Ramp, and only that."""
        spent = [self.spend(merchant='Amazon Web Services'), self.spend(merchant='FedEx')]
        self.sync()
        by_hand = self.env['account.move'].create({'move_type': 'entry'})
        own = self.env['hr.expense'].create({'name': 'By hand', 'employee_id': self.employee.id, 'total_amount': 1})
        for model, view, other in (
                ('account.move', 'account.view_account_move_filter', by_hand),
                ('hr.expense', 'hr_expense.hr_expense_view_search', own)):
            arch = self.env[model].get_view(self.env.ref(view).id, 'search')['arch']
            domain = self._filter(arch, 'from_ramp')
            found = self.env[model].search(domain)
            self.assertEqual(set(found.mapped('ramp_id')), set(spent))
            self.assertNotIn(other, found)

    def _filter(self, arch, name):
        return safe_eval(etree.fromstring(arch).find(f".//filter[@name='{name}']").get('domain'))

    def test_smart_buttons(self):
        """Expense -> entry -> row -> entry, and from the connection to its rows, its problems, its entries and its runs."""
        ramp_id = self.spend(merchant='Amazon Web Services')
        held = self.spend(merchant='Blue Bottle Coffee', account=None)
        self.sync()
        accountant = self.person('accountant')
        accountant.group_ids += self.env.ref('hr_expense.group_hr_expense_user')  # Odoo shows other people's expenses to approvers only
        env = self.as_person(accountant)
        expense, move, record = (document.with_env(env) for document in (
            self.expense(ramp_id), self.move(ramp_id), self.record(ramp_id)))

        def opened(action):
            return action['res_model'], action['res_id']

        self.assertEqual(opened(expense.action_open_account_move()), ('account.move', move.id))
        self.assertEqual(opened(expense.action_open_ramp_record()), ('ramp.record', record.id))
        self.assertEqual(opened(move.action_open_ramp_record()), ('ramp.record', record.id))
        self.assertEqual(opened(record.action_open_document()), ('account.move', move.id))
        connection = self.connection.with_env(env)

        def listed(action):
            """What the list of an action shows, its default filters applied."""
            Model = env[action['res_model']]
            arch = Model.get_view(False, 'search')['arch']
            domain = list(action.get('domain') or [])
            for key, value in action['context'].items():
                if key == 'search_default_connection_id':
                    domain += [('connection_id', '=', value)]
                elif key.startswith('search_default_'):
                    domain += self._filter(arch, key.removeprefix('search_default_'))
            return Model.search(domain)

        self.assertEqual(listed(connection.action_open_records()), (self.record(ramp_id) + self.record(held)).with_env(env))
        self.assertEqual(listed(connection.with_context(ramp_problems=True).action_open_records()), self.record(held).with_env(env))
        self.assertEqual(listed(connection.action_open_moves()), move)
        self.assertEqual(listed(connection.action_open_runs()).mapped('flow'), ['transaction'])
        self.assertEqual((connection.record_count, connection.problem_count), (2, 1))

    def test_receipt_rows_say_whose_they_are(self):
        """A receipt's row bears the merchant and the day, and opens the file."""
        ramp_id = self.spend(merchant='Amazon Web Services', receipts=1)
        self.sync()
        receipt = self.env['ramp.record'].search([('flow', '=', 'receipt')])
        self.assertEqual((receipt.name, receipt.date), ('Receipt: Amazon Web Services', self.record(ramp_id).date))
        self.assertEqual(receipt.related_record_id, self.record(ramp_id))
        self.assertEqual(receipt.action_open_document()['url'], f'/web/content/{receipt.res_id}')

    def test_late_change_says_what_changed(self):
        ramp_id = self.spend(merchant='Amazon Web Services', amount_minor=10000)
        self.sync()
        self.record(ramp_id).write({'state': 'held', 'late_payload': {
            **self.record(ramp_id).payload, 'memo': 'Corrected', 'sync_status': 'SYNC_READY', 'amount': 105.0}})
        self.assertEqual(self.record(ramp_id).late_changes.splitlines(), ['amount: 100.0, now 105.0', 'memo: (nothing), now Corrected'])

    def test_late_change_says_amounts_as_money(self):
        ramp_id = self.spend(merchant='Amazon Web Services', amount_minor=10000)
        self.sync()
        self.ramp.update_transaction(ramp_id, amount_minor=10550, sync_status='SYNC_READY')
        record = self.record(ramp_id)
        record.write({'state': 'held', 'late_payload': self.ramp.state['transactions'].get(ramp_id)})
        self.assertIn('line_items.1.amount: 100 USD, now 105.5 USD', record.late_changes)

    def test_error_of_one_flow_is_not_hidden_by_another(self):
        """The card transactions fail, the receipts after them find nothing to do: the screen tells of the failure, until it is gone."""
        self.env['ramp.run'].search([]).unlink()
        Run = self.env['ramp.run']
        flows = {name: self.env[f'ramp.flow.{name}'] for name in ('transaction', 'receipt')}

        def ran(name, message=False):
            flows[name]._finish(self.connection, Run._start(self.connection, name), message)

        ran('transaction', 'Ramp was away.')
        ran('receipt')
        self.assertEqual(self.connection.last_error, 'Ramp was away.')
        ran('transaction')
        self.assertFalse(self.connection.last_error)

    def test_runs_have_a_name_for_people(self):
        self.sync()
        run = self.env['ramp.run'].search([('flow', '=', 'transaction')], limit=1)
        self.assertRegex(run.display_name, r'^Card transactions, \d')

    def test_form_of_a_new_connection(self):
        """The form opens with sensible defaults and asks for no more than the address of a custom environment."""
        env = self.as_person(self.person('manager'))
        with Form(env['ramp.connection']) as form:
            form.name = 'Second'
            form.environment = 'sandbox'
        connection = form.save()
        self.assertEqual((connection.state, connection.company_id, connection.card_post), ('draft', self.company, 'post'))
        self.assertTrue(connection.expense_product_id and connection.merchant_partner_id)


@tagged('post_install', '-at_install', 'ramp', 'ramp_tour')
class TestTours(ScreenCase, HttpCase):
    """An accountant in a real browser. Odoo skips these, and says so, where no Chromium is installed."""

    def enter_registry_test_mode(self):
        return contextlib.nullcontext()  # the whole of an HttpCase is in it

    def test_accountant(self):
        self.connection.name = 'Ramp of the tour'
        booked, uncoded, strange = (
            self.spend(merchant='Amazon Web Services'), self.spend(merchant='Blue Bottle Coffee', account=None),
            self.spend(merchant='FedEx', account='no-such-account'))
        user = self.person('accountant')
        self.start_tour('/odoo', 'ramp_connector_synchronize', login=user.login)
        self.env.invalidate_all()
        self.assertEqual(self.connection.run_state, 'queued')
        self.sync(now=False)
        self.assertEqual(self.connection.run_state, 'idle')
        self.assertConfirmed(booked)
        self.start_tour('/odoo', 'ramp_connector_inbox', login=user.login)
        self.env.invalidate_all()
        self.assertEqual(self.record(uncoded).state, 'pending')
        self.assertEqual(self.record(strange).state, 'ignored')
        self.assertIn('Booked by hand', self.record(strange).error_message)
        self.assertIn(user.name, self.record(strange).error_message)
        self.sync(now=False)
        self.assertHeld(uncoded, 'It has no account')
        self.assertTrue(any('Booked by hand' in message for message in self.ramp.export_errors(strange)))
