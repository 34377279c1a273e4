# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)

from lxml import etree

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, new_test_user, tagged
from odoo.tools.safe_eval import safe_eval

from .common import BrowserCase, PayablesCase, RampCase

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
    'ramp.tie.out': ('pivot', 'graph', 'list', 'search'),
}
SECRETS = {'client_id', 'client_secret'}
# Roles without any right in accounting; the purchase app need not be installed
OUTSIDERS = {
    'employee': 'base.group_user',
    'secretary': 'base.group_partner_manager',
    'personnel': 'hr.group_hr_user',
    'personnel_manager': 'hr.group_hr_manager',
    'approver': 'hr_expense.group_hr_expense_manager',
    'purchaser': 'purchase.group_purchase_user',
}
PUSHED = ('account.account', 'account.analytic.plan', 'account.analytic.account', 'account.tax', 'res.partner')
CODING = ('account', 'analytic_plan', 'analytic_account', 'tax_rate', 'tax_code', 'accounting_vendor')


class ScreenCase(RampCase):
    def person(self, role):
        """A user of the company with the groups of a role."""
        groups = {**OUTSIDERS, **ROLES}[role]
        return new_test_user(
            self.env,
            login=f'ramp_{role}',
            groups=f'base.group_user,{groups}',
            context={'no_reset_password': True},
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
        )

    def as_person(self, user):
        return self.env(user=user, context={'allowed_company_ids': self.company.ids, 'lang': 'en_US', 'tz': 'UTC'})


@tagged('post_install', '-at_install', 'ramp')
class TestScreens(ScreenCase):
    """The requests of the screens to the server, for each role, without a browser."""

    def test_views_and_data_of_every_role(self):
        """Each screen opens for every role that may use it, with its view, its search and all its fields."""
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
                    self.assertEqual(
                        bool(SECRETS & set(fields)), role == 'administrator' and model == 'ramp.connection'
                    )
                    records = env[model].search([])
                    self.assertTrue(records)
                    records.web_read({name: {} for name in fields})

    def test_views_of_the_wizard(self):
        for role in ('accountant', 'manager'):
            env = self.as_person(self.person(role))
            self.assertIn(
                'reason',
                env['ramp.record.ignore'].get_views([(False, 'form')])['models']['ramp.record.ignore']['fields'],
            )
            self.assertIn(
                'proposed_move_ids',
                env['ramp.record.link'].get_views([(False, 'form')])['models']['ramp.record.link']['fields'],
            )

    def test_extended_screens_of_every_role(self):
        """The fields that the addon adds to Odoo's own screens break them for no role."""
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
                self.assertEqual(move.web_read({'ramp_state': {}, 'ramp_id': {}})[0]['ramp_state'], 'Synced to Ramp')

    def test_employee_sees_the_status_of_own_expense_only(self):
        """A cardholder without accounting rights reads the status on the own expense, and cannot read the ledger."""
        ramp_id = self.spend(merchant='Amazon Web Services')
        self.sync()
        user = self.person('employee')
        expense = self.expense(ramp_id)
        expense.employee_id.user_id = user
        env = self.as_person(user)
        own = expense.with_env(env)
        self.assertEqual(own.web_read({'ramp_state': {}, 'ramp_url': {}})[0]['ramp_state'], 'Synced to Ramp')
        for model in SCREENS:
            with self.assertRaises(AccessError):
                env[model].search([])

    def test_menus_lead_each_role_to_its_screens(self):
        """Accountants reach the inbox from their menu, although Odoo reserves Configuration for accounting
        administrators.
        """

        def reachable(role):
            menus = self.env['ir.ui.menu'].with_user(self.person(role)).load_menus(False)

            def below(menu):
                return [menu, *(found for child in menu['children'] for found in below(menus[child]))]

            names = [menu.get('xmlid') or '' for menu in below(menus['root'])]
            return {name.removeprefix('ramp_connector.') for name in names if name.startswith('ramp_connector.')}

        daily = {
            'ramp_menu_root',
            'ramp_menu_dashboard',
            'ramp_menu_problem',
            'ramp_menu_record',
            'ramp_menu_mapping',
            'ramp_menu_accrual',
            'ramp_menu_dry_run',
            'ramp_menu_synchronize',
            'ramp_menu_tie_out',
            'ramp_menu_tie_out_analysis',
        }
        setting = {
            'ramp_menu_configuration',
            'ramp_menu_setup',
            'ramp_menu_connection',
            'ramp_menu_run',
            'ramp_menu_undo',
        }
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
            ('hr.expense', 'hr_expense.hr_expense_view_search', own),
        ):
            arch = self.env[model].get_view(self.env.ref(view).id, 'search')['arch']
            domain = self._filter(arch, 'from_ramp')
            found = self.env[model].search(domain)
            self.assertEqual(set(found.mapped('ramp_id')), set(spent))
            self.assertNotIn(other, found)

    def _filter(self, arch, name):
        return safe_eval(etree.fromstring(arch).find(f".//filter[@name='{name}']").get('domain'))

    def test_smart_buttons(self):
        """The buttons lead from the expense to the entry, its row and back, and from the connection to its rows,
        problems, entries and runs.
        """
        ramp_id = self.spend(merchant='Amazon Web Services')
        held = self.spend(merchant='Blue Bottle Coffee', account=None)
        self.sync()
        accountant = self.person('accountant')
        accountant.group_ids += self.env.ref(
            'hr_expense.group_hr_expense_user'
        )  # Odoo shows other people's expenses to approvers only
        env = self.as_person(accountant)
        expense, move, record = (
            document.with_env(env) for document in (self.expense(ramp_id), self.move(ramp_id), self.record(ramp_id))
        )

        def opened(action):
            return action['res_model'], action['res_id']

        self.assertEqual(opened(expense.action_open_account_move()), ('account.move', move.id))
        self.assertEqual(opened(expense.action_open_ramp_record()), ('ramp.record', record.id))
        self.assertEqual(opened(move.action_open_ramp_record()), ('ramp.record', record.id))
        self.assertEqual(opened(record.action_open_document()), ('account.move', move.id))
        connection = self.connection.with_env(env)

        def listed(action):
            """Return the records in the list of an action, with its default filters."""
            Model = env[action['res_model']]
            arch = Model.get_view(False, 'search')['arch']
            domain = list(action.get('domain') or [])
            for key, value in action['context'].items():
                if key == 'search_default_connection_id':
                    domain += [('connection_id', '=', value)]
                elif key.startswith('search_default_'):
                    domain += self._filter(arch, key.removeprefix('search_default_'))
            return Model.search(domain)

        self.assertEqual(
            listed(connection.action_open_records()), (self.record(ramp_id) + self.record(held)).with_env(env)
        )
        self.assertEqual(
            listed(connection.with_context(ramp_filters=['problem']).action_open_records()),
            self.record(held).with_env(env),
        )
        self.assertEqual(listed(connection.action_open_causes())._get_records(), self.record(held).with_env(env))
        self.assertEqual(listed(connection.action_open_moves()), move)
        self.assertEqual(listed(connection.action_open_runs()).mapped('flow'), ['transaction'])
        self.assertEqual((connection.record_count, connection.problem_count), (2, 1))

    def test_receipt_rows_say_whose_they_are(self):
        """A receipt's row has the merchant and the date, and opens the file."""
        ramp_id = self.spend(merchant='Amazon Web Services', receipts=1)
        self.sync()
        receipt = self.env['ramp.record'].search([('flow', '=', 'receipt')])
        self.assertEqual((receipt.name, receipt.date), ('Receipt: Amazon Web Services', self.record(ramp_id).date))
        self.assertEqual(receipt.related_record_id, self.record(ramp_id))
        self.assertEqual(receipt.action_open_document()['url'], f'/web/content/{receipt.res_id}')

    def test_late_change_says_what_changed(self):
        ramp_id = self.spend(merchant='Amazon Web Services', amount_minor=10000)
        self.sync()
        self.record(ramp_id).write(
            {
                'state': 'held',
                'hold_reason': 'changed',
                'late_payload': {
                    **self.record(ramp_id).payload,
                    'memo': 'Corrected',
                    'sync_status': 'SYNC_READY',
                    'amount': 105.0,
                },
            }
        )
        self.assertEqual(
            self.record(ramp_id).late_changes.splitlines(),
            ['amount: 100.0, now 105.0', 'memo: (nothing), now Corrected'],
        )

    def test_late_change_says_amounts_as_money(self):
        ramp_id = self.spend(merchant='Amazon Web Services', amount_minor=10000)
        self.sync()
        self.ramp.update_transaction(ramp_id, amount_minor=10550, sync_status='SYNC_READY')
        record = self.record(ramp_id)
        late = self.ramp.state['transactions'].get_row(ramp_id)
        record.write({'state': 'held', 'hold_reason': 'changed', 'late_payload': late})
        self.assertEqual(
            record.late_changes.splitlines(),
            ['Amount: 100.00 USD, now 105.50 USD', 'Amount, line 1: 100.00 USD, now 105.50 USD'],
        )

    def test_late_change_says_what_was_picked_in_words(self):
        """A changed selection is shown as one line, not as one for each of its keys. Two forms of an empty value show
        no line.
        """
        ramp_id = self.spend(merchant='Amazon Web Services')
        self.sync()
        before = self.record(ramp_id).payload
        self.ramp.update_transaction(ramp_id, account=self.external(self.account_travel), sync_status='SYNC_READY')
        after = self.ramp.state['transactions'].get_row(ramp_id)
        self.record(ramp_id).write(
            {
                'state': 'held',
                'hold_reason': 'changed',
                'payload': {**before, 'memo': None},
                'late_payload': {**before, 'memo': '', 'line_items': after['line_items']},
            }
        )
        meals, travel = (f'{account.code} {account.name}' for account in (self.account_meals, self.account_travel))
        self.assertEqual(self.record(ramp_id).late_changes, f'Coding, line 1: {meals}, now {travel}')

    def test_error_of_one_flow_is_not_hidden_by_another(self):
        """The connection shows the failure of one flow until that flow succeeds, even if another flow succeeds first."""
        self.env['ramp.run'].search([]).unlink()
        Run = self.env['ramp.run']
        flows = {name: self.env[f'ramp.flow.{name}'] for name in ('transaction', 'receipt')}

        def ran(name, message=False):
            flows[name]._finish_sync_run(self.connection, Run._start_run(self.connection, name), message)

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
        """The form of a new connection opens with defaults, and can be saved with a name and an environment."""
        env = self.as_person(self.person('manager'))
        with Form(env['ramp.connection']) as form:
            form.name = 'Second'
            form.environment = 'sandbox'
        connection = form.save()
        self.assertEqual(
            (connection.state, connection.company_id, connection.card_post), ('draft', self.company, 'post')
        )
        self.assertTrue(connection.expense_product_id and connection.merchant_partner_id)

    def test_address_is_for_system_administrators(self):
        """Only system administrators are offered the environment "Custom address" and can change an address. Others can
        see it.
        """
        manager = self.person('manager')
        for administrator in (False, True):
            if administrator:
                manager.group_ids += self.env.ref('base.group_system')
            arch = etree.fromstring(self.as_person(manager)['ramp.connection'].get_view(view_type='form')['arch'])
            (environment,), (address,) = (
                arch.xpath("//field[@name='environment']"),
                arch.xpath("//field[@name='api_url']"),
            )
            self.assertEqual('custom' in environment.get('options', ''), not administrator)
            self.assertEqual(address.get('readonly') == '1', not administrator)
        with Form(self.as_person(manager)['ramp.connection']) as form:
            form.name, form.environment, form.api_url = 'Proxy', 'custom', 'https://proxy.example.com'


class PushedCase(ScreenCase):
    """A company with one object of each kind that Odoo offers in Ramp."""

    seed = {'transactions': 0, 'accounts': [], 'analytics': []}

    @classmethod
    def prepare(cls):
        super().prepare()
        cls.tax_account = cls.env['account.account'].create(
            {
                'name': 'Input Tax',
                'code': '131001',
                'account_type': 'asset_current',
                'company_ids': [Command.set(cls.company.ids)],
            }
        )
        cls.env['account.account'].search([('company_ids', 'in', cls.company.ids)]).filtered(
            lambda account: account.code and not account.code.startswith(('65000', '131001'))
        ).active = False
        cls.env['account.tax'].search([]).active = False
        lines = [
            Command.create({'repartition_type': 'base'}),
            Command.create({'repartition_type': 'tax', 'account_id': cls.tax_account.id}),
        ]
        cls.tax = cls.env['account.tax'].create(
            {
                'name': 'Ramp 7 %',
                'amount': 7,
                'type_tax_use': 'purchase',
                'company_id': cls.company.id,
                'invoice_repartition_line_ids': lines,
                'refund_repartition_line_ids': lines,
            }
        )
        cls.env['res.partner'].search([('supplier_rank', '>', 0)]).supplier_rank = 0
        cls.supplier = cls.env['res.partner'].create({'name': 'Deco Addict', 'ref': 'V001', 'supplier_rank': 1})

    def once(self):
        super().once()
        self.connection.write({'analytic_plan_ids': [Command.set(self.plan.ids)], 'offer_taxes': True})
        self.objects = (self.account_meals, self.plan, self.analytic_move, self.tax, self.supplier)
        self.push()

    def push(self):
        for _again in range(2):  # rows that wait for another kind are sent by the next run
            self.sync(*CODING, now=False)

    def row(self, record):
        return self.env['ramp.record'].search(
            [('res_model', '=', record._name), ('res_id', '=', record.id), ('flow', '=', record._ramp_flows[-1])]
        )

    def refuse(self, account, name='No such name'):
        """Let Ramp refuse the new name of an account."""
        account.name = name
        self.ramp.faults.add_fault('server_error', '/accounting/accounts/*', method='PATCH', status=422, count=1)
        self.push()


@tagged('post_install', '-at_install', 'ramp')
class TestPushedScreens(PushedCase):
    """An object that Odoo offers in Ramp shows its state on its own screen and in the ledger."""

    def test_screens_of_every_role(self):
        """Each form opens for every role that may open it without the addon. Only accountants get the button to the
        ledger.
        """
        for role in (*ROLES, *OUTSIDERS):
            if not self.env.ref({**ROLES, **OUTSIDERS}[role].split(',')[0], raise_if_not_found=False):
                continue
            env = self.as_person(self.person(role))
            for record in self.objects:
                if not env[record._name].has_access('read'):
                    continue
                # Odoo's own forms ask for these
                needed = {
                    'account.account': 'account.move.line',
                    'account.analytic.account': 'account.move.line',
                    'account.analytic.plan': 'account.analytic.applicability',
                }
                opens = record._name not in needed or env[needed[record._name]].has_access('read')
                with self.subTest(role=role, model=record._name):
                    answer = env[record._name].get_views([(False, 'list'), (False, 'form'), (False, 'search')])
                    fields = set(answer['models'][record._name]['fields'])
                    self.assertIn('ramp_state', fields)
                    form, search = (answer['views'][kind]['arch'] for kind in ('form', 'search'))
                    self.assertEqual('action_open_ramp_record' in form, role in ROLES)
                    self.assertEqual('ramp_refused' in search, role in ROLES)
                    shown = {
                        node.get('name')
                        for node in etree.fromstring(form).iter('field')
                        if not node.xpath('ancestor::field')
                    }
                    (values,) = record.with_env(env).web_read(
                        {name: {} for name in (shown if opens else ('name', 'ramp_state'))}
                    )
                    self.assertEqual(values['ramp_state'], 'In Ramp')
                    if role not in ROLES:
                        with self.assertRaises(AccessError):
                            record.with_env(env).read(['ramp_record_id'])
                        with self.assertRaises(AccessError):
                            env[record._name].search([('ramp_record_id', 'any', [('state', '=', 'held')])])

    def test_new_record_of_every_kind(self):
        """The Ramp fields of a new, empty record are computed without an error."""
        for model in PUSHED:
            new = self.env[model].new({'name': 'New'})
            self.assertFalse(new.ramp_state)
            self.assertFalse(new.ramp_record_id)

    def test_partner_form_of_a_plain_user_can_be_saved(self):
        env = self.as_person(self.person('secretary'))
        with Form(self.supplier.with_env(env)) as form:
            form.name = 'Deco Addicts'
        self.assertEqual(self.supplier.with_env(env).ramp_state, 'Waiting to be sent')

    def test_states_in_words(self):
        for record in self.objects:
            with self.subTest(model=record._name):
                self.assertEqual(record.ramp_state, 'In Ramp')
                record.name += ' again'
                record.invalidate_recordset()
                self.assertEqual(record.ramp_state, 'Waiting to be sent')
        self.push()
        self.assertEqual([record.ramp_state for record in self.objects], ['In Ramp'] * 5)
        self.account_meals.active = False
        self.push()
        self.assertEqual(self.account_meals.ramp_state, 'Archived in Odoo, so it is not offered in Ramp.')
        self.assertFalse(self.other_plan.ramp_state)
        self.connection.action_disconnect()
        self.account_travel.invalidate_recordset()
        self.assertEqual(self.account_travel.ramp_state, 'Odoo is not connected to Ramp.')

    def test_new_account_waits_before_it_has_a_row(self):
        account = self.account_meals.copy({'name': 'Taxi', 'code': '650009'})
        self.assertEqual(account.ramp_state, 'Waiting to be sent')
        self.assertFalse(account.ramp_record_id)
        self.push()
        account.invalidate_recordset()
        self.assertEqual((account.ramp_state, account.ramp_record_id), ('In Ramp', self.row(account)))

    def test_other_companies_know_nothing(self):
        """A supplier of all companies waits for the connection of one company. In the other companies it shows no
        state.
        """
        other = self.env['res.company'].create({'name': 'Elsewhere'})
        self.env.user.company_ids += other
        self.supplier.name = 'Deco'
        elsewhere = self.supplier.with_context(allowed_company_ids=other.ids)
        self.assertEqual((elsewhere.ramp_state, elsewhere.ramp_id), (False, False))
        self.assertEqual(self.supplier.ramp_state, 'Waiting to be sent')

    def test_refused(self):
        self.refuse(self.account_meals)
        self.assertRegex(self.account_meals.ramp_state, '^Ramp refused it: ')
        row = self.row(self.account_meals)
        self.assertEqual((row.state, row.status), ('held', 'Refused'))
        Account = self.env['account.account']
        arch = Account.get_view(self.env.ref('account.view_account_search').id, 'search')['arch']
        found = {
            name: Account.search(safe_eval(etree.fromstring(arch).find(f".//filter[@name='{name}']").get('domain')))
            for name in ('ramp_refused', 'ramp_waiting')
        }
        self.assertEqual(found, {'ramp_refused': self.account_meals, 'ramp_waiting': self.account_meals})
        row.with_env(self.as_person(self.person('accountant'))).action_retry()
        self.account_meals.invalidate_recordset()
        self.assertEqual(self.account_meals.ramp_state, 'Waiting to be sent')
        self.push()
        self.assertEqual(self.account_meals.ramp_state, 'In Ramp')
        self.assertFalse(Account.search([('ramp_record_id', 'any', [('state', '=', 'held')])]))

    def test_search_by_row(self):
        Account = self.env['account.account']
        known = Account.search([('ramp_record_id', '!=', False)])
        self.assertIn(self.account_meals, known)
        self.assertFalse(known & Account.search([('ramp_record_id', '=', False)]))
        self.assertEqual(Account.search([('ramp_record_id', '=', self.row(self.account_meals).id)]), self.account_meals)
        self.assertEqual(
            Account.search([('ramp_record_id', 'in', self.row(self.account_meals).ids)]), self.account_meals
        )

    def test_tax_says_what_its_rate_waits_for(self):
        """A tax has two rows, and it shows the reason from the row of its rate."""
        self.tax.invoice_repartition_line_ids.account_id = self.account_software
        self.row(self.account_software).write({'ramp_id': False, 'state': 'held', 'hold_reason': 'refused'})
        self.push()
        self.assertRegex(self.tax.ramp_state, 'posts to .*, which is not in Ramp')
        self.assertEqual(self.tax.ramp_record_id.flow, 'tax_rate')

    def test_as_many_queries_for_a_list_as_for_one(self):
        accounts = self.env['account.account'].create(
            [
                {
                    'name': f'Sort {number}',
                    'code': f'6501{number:02}',
                    'account_type': 'expense',
                    'company_ids': [Command.set(self.company.ids)],
                }
                for number in range(20)
            ]
        )
        self.push()
        counts = []
        for some in (accounts[:1], accounts[:1], accounts):
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            self.assertEqual(set(some.mapped('ramp_state')), {'In Ramp'})
            counts.append(self.env.cr.sql_log_count - before)
        self.assertEqual(counts[1], counts[2])

    def test_ledger_rows_of_both_directions(self):
        ramp_id = self.spend(merchant='Amazon Web Services')
        self.sync()
        Record = self.env['ramp.record']
        self.assertEqual(Record.search([], limit=1).ramp_id, ramp_id)  # rows without a date come after those with one
        arch = Record.get_view(False, 'search')['arch']
        sent, received = (
            Record.search(safe_eval(etree.fromstring(arch).find(f".//filter[@name='{name}']").get('domain')))
            for name in ('sent', 'received')
        )
        self.assertEqual(received, self.record(ramp_id))
        self.assertEqual(sent, Record.search([]) - received)
        self.assertEqual(received.status, 'Synced to Ramp')
        self.assertFalse(received.sent_text)
        self.assertEqual(set(sent.mapped('status')), {'In Ramp'})
        self.assertEqual(
            self.row(self.account_meals).sent_text.splitlines(),
            ['Name: Meals', 'Code: 650001', 'Kind of account: Expense', 'Can be picked: yes'],
        )
        self.assertIn('Field: Ramp Projects', self.row(self.analytic_move).sent_text)
        self.assertIn('Tax rates: Ramp 7 %', self.row(self.tax).sent_text)
        rate = Record.search([('flow', '=', 'tax_rate'), ('res_id', '=', self.tax.id)])
        self.assertIn('Rate: 7 %', rate.sent_text)
        self.assertRegex(rate.sent_text, 'Posted to: .*Input Tax')
        action = self.row(self.supplier).action_open_document()
        self.assertEqual((action['res_model'], action['res_id']), ('res.partner', self.supplier.id))

    def test_what_is_sent_is_not_ignored(self):
        self.refuse(self.account_meals)
        row = self.row(self.account_meals).with_env(self.as_person(self.person('accountant')))
        for attempt in (row.action_ignore, lambda: row._ignore_by_person('No')):
            with self.assertRaisesRegex(UserError, 'archive it in Odoo, or exclude it on the connection'):
                attempt()
        self.assertEqual(row.state, 'held')
        arch = etree.fromstring(row.get_view(False, 'form')['arch'])
        self.assertIn('remote_id', arch.find(".//button[@name='action_ignore']").get('invisible'))

    def test_deleted_in_odoo(self):
        row = self.row(self.account_meals)
        self.account_meals.unlink()
        self.push()
        self.assertEqual((row.state, row.status), ('ignored', 'Not offered'))
        with self.assertRaisesRegex(UserError, 'deleted in Odoo'):
            row.action_open_document()

    def test_counts_of_the_connection(self):
        """The connection shows the number of rows of each kind, without a query for each kind. Each number opens its
        rows.
        """
        self.refuse(self.account_meals)
        self.analytic_fair.active = False
        self.push()
        counts = {row['flow']: row for row in self.connection.offer_counts}
        self.assertEqual(
            list(counts),
            [*CODING, 'spend_vendor', 'purchase_order', 'item_receipt', 'department', 'location', 'employee', 'user'],
        )
        self.assertEqual((counts['account']['problem'], counts['analytic_account']['left_out']), (1, 1))
        self.assertEqual(
            counts['accounting_vendor'],
            {'flow': 'accounting_vendor', 'label': 'Suppliers', 'sent': 1, 'waiting': 0, 'problem': 0, 'left_out': 0},
        )
        action = self.connection.with_context(ramp_flow='account', ramp_filters=['problem']).action_open_records()
        self.assertEqual(
            action['context'],
            {
                'search_default_connection_id': self.connection.id,
                'search_default_problem': 1,
                'search_default_flow': 'account',
            },
        )
        self.connection.invalidate_recordset()
        before = self.env.cr.sql_log_count
        self.assertTrue(self.connection.offer_counts and self.connection.record_count)
        self.assertEqual(self.env.cr.sql_log_count - before, 1)

    def test_who_holds_the_seat(self):
        """If another system takes over the integration, the connection's page names it and says what to do."""
        self.ramp.take_accounting_seat('QuickBooks')
        self.account_meals.name = 'Lunch'
        self.push()
        self.assertRegex(
            self.connection.last_error, 'now held by "QuickBooks", so nothing is sent or posted.*press Disconnect'
        )
        self.account_meals.invalidate_recordset()
        self.assertEqual(self.account_meals.ramp_state, 'Waiting to be sent')

    def test_runs_of_both_directions(self):
        run = self.env['ramp.run'].search([('flow', '=', 'account')], limit=1)
        run.write({'total': 0})
        self.assertEqual(run.progress_text, 'Accounts: comparing Odoo with Ramp')
        self.assertEqual(run.fields_get(['created'])['created']['string'], 'Posted or Sent')


@tagged('post_install', '-at_install', 'ramp', 'ramp_tour')
class TestPushedTours(PushedCase, BrowserCase):
    """An accounting administrator in a real browser, see `TestTours`."""

    def test_account(self):
        self.connection.name = 'Ramp of the tour'
        user = self.person('manager')
        self.start_tour(f'/odoo/account.account/{self.account_meals.id}', 'ramp_connector_rename', login=user.login)
        self.env.invalidate_all()
        self.assertEqual(self.account_meals.name, 'Meals of the tour')
        self.push()
        self.start_tour(f'/odoo/account.account/{self.account_meals.id}', 'ramp_connector_renamed', login=user.login)
        self.refuse(self.account_travel)
        self.start_tour('/odoo/ramp-connections', 'ramp_connector_offers', login=user.login)


@tagged('post_install', '-at_install', 'ramp', 'ramp_tour')
class TestTours(ScreenCase, BrowserCase):
    """Tours of an accountant in a real browser. Odoo skips them, and says so, if no Chromium is installed."""

    def test_accountant(self):
        self.connection.name = 'Ramp of the tour'
        booked, uncoded, strange = (
            self.spend(merchant='Amazon Web Services'),
            self.spend(merchant='Blue Bottle Coffee', account=None),
            self.spend(merchant='FedEx', account='no-such-account'),
        )
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
        self.assertTrue(any('Booked by hand' in message for message in self.ramp.list_export_errors(strange)))

    def test_pressed_while_the_page_looks(self):
        self.spend(merchant='FedEx', account='no-such-account')
        self.sync()
        self.start_tour('/odoo', 'ramp_connector_pressed_meanwhile', login=self.person('accountant').login)


@tagged('post_install', '-at_install', 'ramp', 'ramp_tour')
class TestPayablesTours(PayablesCase, ScreenCase, BrowserCase):
    """Bills in a real browser, see `TestTours`."""

    def test_settings(self):
        self.connection.name = 'Ramp of the tour'
        self.start_tour('/odoo/ramp-connections', 'ramp_connector_payables', login=self.person('manager').login)

    def test_paid_bill(self):
        vendor = self.ramp.add_vendor('Acme Cloud Services')
        bills = [
            self.owe(
                None,
                vendor=vendor,
                lines=[
                    {'amount_minor': minor, 'account': self.external(self.account_software), 'memo': memo}
                    for memo, minor in lines
                ],
            )
            for lines in ((('Compute', 128450), ('Storage', 31275)), (('Training', 95000),))
        ]
        self.ramp.pay_bill(bills)
        self.sync_payables()
        self.assertPaid(bills[0])
        self.start_tour(
            f'/odoo/account.move/{self.move(bills[0]).id}', 'ramp_connector_bill', login=self.person('accountant').login
        )

    def test_changed_bill(self):
        user, account = self.person('accountant'), self.external(self.account_software)
        lines = [{'amount_minor': 180000, 'account': account, 'memo': 'Brochure'}]
        ramp_id = self.owe(
            None, vendor=self.ramp.add_vendor('Bright Design Studio'), invoice_number='BDS-118', lines=lines
        )
        self.sync_payables()
        self.ramp.update_bill(
            ramp_id, lines=[*lines, {'amount_minor': 45000, 'account': account, 'memo': 'Photographs'}]
        )
        self.sync_payables()
        before = self.move(ramp_id)
        self.start_tour('/odoo', 'ramp_connector_changed_bill', login=user.login)
        self.env.invalidate_all()
        self.assertEqual(
            (before.payment_state, before.ramp_id, self.record(ramp_id, 'bill').state), ('reversed', False, 'pending')
        )
        self.start_tour(f'/odoo/account.move/{before.id}', 'ramp_connector_reversed_bill', login=user.login)
        self.sync_payables(now=False)
        self.assertEqual(self.move(ramp_id).amount_total, 2250.0)
        self.start_tour('/odoo', 'ramp_connector_booked_again', login=user.login)

    def test_number_twice(self):
        vendor = self.ramp.add_vendor('Gotham Property Group')
        for amount in (420000, 456000):
            self.owe(amount, vendor=vendor, invoice_number='GPG-2041')
            self.sync_payables()
        self.start_tour('/odoo', 'ramp_connector_number_twice', login=self.person('accountant').login)
