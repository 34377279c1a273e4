# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import Command
from odoo.tests import tagged

from ..simulator import coding
from ..simulator.errors import RampError
from .common import RampCase
from .properties import in_turn

CODING = ('account', 'analytic_plan', 'analytic_account', 'tax_rate', 'tax_code', 'accounting_vendor')


class PushCase(RampCase):
    """A Ramp business without a chart, and a company that gives it one."""

    seed = {'transactions': 0, 'accounts': [], 'analytics': []}

    @classmethod
    def prepare(cls):
        super().prepare()
        cls.env['account.account'].search([('company_ids', 'in', cls.company.ids)]).filtered(
            lambda account: not (account.code or '').startswith('65000')
        ).active = False
        cls.env['res.partner'].search([('supplier_rank', '>', 0)]).supplier_rank = 0

    def once(self):
        super().once()
        self.connection.analytic_plan_ids = self.plan + self.other_plan

    def push(self, now=False):
        return self.sync(*CODING, now=now)

    def remote(self, table, record):
        """The row in Ramp of a record in Odoo, or None."""
        rows = [row for row in self.ramp.state[table] if row['id'] == self.external(record)]
        self.assertLessEqual(len(rows), 1)
        return rows[0] if rows else None

    def row(self, record, flow=None):
        return self.env['ramp.record'].search(
            [
                ('res_model', '=', record._name),
                ('res_id', '=', record.id),
                ('flow', '=', flow or record._ramp_flows[-1]),
            ]
        )

    def writes(self):
        """Return the writes since the last call: a list of (method, path)."""
        calls = [
            (call['method'], call['path'].removeprefix('/developer/v1'))
            for call in self.ramp.list_write_calls()[self.told :]
        ]
        self.told += len(calls)
        return calls

    told = 0


@tagged('post_install', '-at_install', 'ramp')
class TestPushAccounts(PushCase):
    def test_first_push_and_second(self):
        self.push()
        self.assertEqual(
            {(row['id'], row['code'], row['name'], row['classification']) for row in self.ramp.state['accounts']},
            {
                (
                    self.external(account),
                    account.code,
                    account.name,
                    self.env['ramp.flow.account']._get_ramp_classification(account),
                )
                for account in self.env['account.account'].search(
                    [('company_ids', 'in', self.company.ids), ('id', '!=', self.connection.card_account_id.id)]
                )
            },
        )
        self.assertEqual(self.row(self.account_meals).state, 'confirmed')
        self.assertIn(self.account_meals.ramp_state, ('Synced to Ramp', 'In Ramp'))
        self.writes()
        self.push()
        self.assertEqual(self.writes(), [])

    def test_rename_is_one_patch(self):
        self.push()
        self.writes()
        self.account_meals.name = 'Meals and more'
        self.push()
        self.assertEqual(
            self.writes(), [('PATCH', f'/accounting/accounts/{self.remote("accounts", self.account_meals)["ramp_id"]}')]
        )
        self.assertEqual(self.remote('accounts', self.account_meals)['name'], 'Meals and more')

    def test_archive_and_back(self):
        self.push()
        self.account_meals.active = False
        self.push()
        self.assertEqual(self.remote('accounts', self.account_meals)['visibility'], 'HIDDEN')
        self.account_meals.active = True
        self.push()
        self.assertEqual(self.remote('accounts', self.account_meals)['visibility'], 'VISIBLE')

    def test_analytic(self):
        self.push()
        self.assertEqual({row['name'] for row in self.ramp.state['fields']}, {self.plan.name, self.other_plan.name})
        self.assertEqual({row['value'] for row in self.ramp.state['options']}, {'Office Move', 'Trade Fair', 'Europe'})

    def test_query_cost_of_saving(self):
        """A saved account costs at most one query more than without a connection, and no HTTP."""
        self.push()
        counts = []
        for connected in (False, True):
            self.connection.state = 'connected' if connected else 'draft'
            self.env['ramp.connection']._pushed_domain_of('account')
            for number in range(2):
                self.env.flush_all()
                self.env.invalidate_all()
                self.env['ir.cron.trigger'].search([]).unlink()
                self.env.flush_all()
                before = self.env.cr.sql_log_count
                self.account_meals.write({'name': f'Meals {connected} {number}'})
                self.env.flush_all()
                counts.append(self.env.cr.sql_log_count - before)
        self.assertLessEqual(counts[3] - counts[1], 1, 'what is noted and the trigger of the job are one statement')

    def test_nothing_is_asked_of_the_database_when_nobody_wants_to_know(self):
        self.push()
        for work in (
            lambda: self.account_meals.write({'note': 'Only for us'}),
            lambda: self.env['res.partner'].create({'name': 'A customer', 'customer_rank': 1}),
        ):
            work()
            self.assertEqual(self.changes(), [])
        other = self.env['res.company'].create({'name': 'Elsewhere'})
        self.env['account.account'].with_company(other).create(
            {'name': 'Not ours', 'code': '100', 'account_type': 'expense', 'company_ids': [Command.set(other.ids)]}
        )
        self.assertEqual(self.changes(), [])
        self.connection.action_disconnect()
        self.account_meals.name = 'Nobody hears of it'
        self.env['ramp.connection'].flush_model()
        with self.assertQueryCount(0):
            self.account_meals._ramp_note_changes()
        self.assertEqual(self.changes(), [])

    def changes(self):
        self.env.cr.execute('SELECT flow, res_id FROM ramp_change ORDER BY id')
        return self.env.cr.fetchall()

    def test_one_statement_for_many_records(self):
        accounts = self.account_meals + self.account_travel + self.account_software
        self.push()
        self.env['ir.cron.trigger'].search([]).unlink()
        accounts.name = 'Same'
        self.account_meals.name = 'Another'
        self.assertEqual(self.changes(), [('account', account.id) for account in accounts + self.account_meals])
        triggers = self.env['ir.cron.trigger'].search([])
        self.assertEqual(triggers.cron_id, self.env.ref('ramp_connector.cron_account'))
        self.assertEqual(len(triggers), 1, 'the job is woken once in a transaction')

    def test_a_change_that_is_undone_sends_nothing(self):
        self.push()
        self.writes()
        self.account_meals.name = 'Something else'
        self.account_meals.name = 'Meals'
        self.push()
        self.assertEqual(self.writes(), [])
        self.assertEqual(self.row(self.account_meals).state, 'confirmed')

    def test_recode_and_clear_the_code(self):
        self.push()
        self.account_meals.code = '650077'
        self.analytic_fair.code = 'FAIR'
        self.push()
        self.assertEqual(self.remote('accounts', self.account_meals)['code'], '650077')
        self.assertEqual(self.remote('options', self.analytic_fair)['code'], 'FAIR')
        self.analytic_fair.code = False
        self.push()
        self.assertEqual(self.remote('options', self.analytic_fair)['code'], '')

    def test_delete(self):
        self.push()
        account, identity = self.account_software, self.external(self.account_software)
        row = self.row(account)
        account.unlink()
        self.push()
        [remote] = [remote for remote in self.ramp.state['accounts'] if remote['id'] == identity]
        self.assertEqual(remote['visibility'], 'HIDDEN')
        self.assertEqual((row.state, row.error_message), ('ignored', 'Deleted in Odoo, so it is not offered in Ramp.'))

    def test_classification(self):
        self.push()
        self.assertEqual(self.remote('accounts', self.connection.cashback_account_id)['classification'], 'REVENUE')
        flow = self.env['ramp.flow.account']
        kinds = dict(self.env['account.account']._fields['account_type'].selection)
        self.assertEqual(
            {
                flow._get_ramp_classification(self.env['account.account'].new({'account_type': kind}))
                for kind in kinds
                if kind != 'off_balance'
            },
            {'ASSET', 'LIABILITY', 'CREDCARD', 'EQUITY', 'REVENUE', 'EXPENSE'},
        )

    def test_by_type(self):
        kind = self.env['ramp.account.type'].search([('code', '=', 'expense')])
        self.connection.write({'account_policy': 'types', 'account_type_ids': [Command.set(kind.ids)]})
        self.push()
        self.assertEqual({row['classification'] for row in self.ramp.state['accounts']}, {'EXPENSE'})
        self.connection.account_policy = 'all'
        self.push()
        self.assertEqual(self.remote('accounts', self.connection.cashback_account_id)['visibility'], 'VISIBLE')
        self.connection.account_policy = 'types'
        self.push()
        self.assertEqual(self.remote('accounts', self.connection.cashback_account_id)['visibility'], 'HIDDEN')
        self.assertRegex(self.connection.cashback_account_id.ramp_state, 'settings of the connection exclude it')

    def test_account_shared_by_companies(self):
        """Each connection sends a shared account with the code of its company. If companies share a Ramp business, one
        connection sends it.
        """
        second = self.env['res.company'].create({'name': 'Second'})
        self.env.user.company_ids += second
        self.account_meals.with_company(second).write({'company_ids': [Command.link(second.id)], 'code': '77'})
        own = (
            self.env['account.account']
            .with_company(second)
            .create({'name': 'Own', 'code': '78', 'account_type': 'expense', 'company_ids': [Command.set(second.ids)]})
        )
        self.push()
        self.writes()
        other = self.connection.copy(
            {
                'existing_policy': 'book',
                'company_id': second.id,
                'name': 'Second',
                'ramp_entity_id': False,
                'client_id': self.ramp.client_id,
                'client_secret': self.ramp.client_secret,
            }
        )
        other.action_connect()
        self.push()
        self.assertEqual(self.remote('accounts', self.account_meals)['code'], '650001')
        self.assertEqual(self.remote('accounts', own)['code'], '78')
        rows = self.row(self.account_meals)
        self.assertEqual(rows.sorted('id').mapped('state'), ['confirmed', 'ignored'])
        self.assertIn('Offered by the connection Ramp', rows.filtered(lambda row: row.state == 'ignored').error_message)
        self.connection.action_disconnect()
        self.push()
        self.assertEqual(self.remote('accounts', self.account_meals)['code'], '77')
        self.assertEqual(
            self.remote('accounts', self.account_travel)['visibility'], 'VISIBLE', 'nobody was asked to hide it'
        )


@tagged('post_install', '-at_install', 'ramp')
class TestPushTrouble(PushCase):
    def refuse(self, bad, status=422):
        """Let Ramp refuse every write that contains this text."""

        def hook(method, path, body):
            if method != 'GET' and bad in str(body):
                raise RampError(status, 'DEVELOPER_7001', 'Invalid name', {'name': ['Invalid name']})

        self.ramp.add_before_hook(hook)

    def test_one_bad_object_does_not_hold_up_the_others(self):
        many = self.env['account.analytic.account'].create(
            [{'name': f'Number {number}', 'plan_id': self.plan.id} for number in range(40)]
        )
        many[17].name = 'Unspeakable'
        self.refuse('Unspeakable')
        self.push()
        self.push()
        self.assertEqual(len([row for row in self.ramp.state['options'] if row['value'].startswith('Number')]), 39)
        self.assertEqual(self.row(many[17]).state, 'held')
        self.assertRegex(many[17].ramp_state, 'Ramp refused.*Invalid name')
        self.writes()
        self.push()
        self.assertEqual(self.writes(), [], 'it is not sent again as it is')
        many[17].name = 'Spoken of'
        self.push()
        self.assertEqual(self.remote('options', many[17])['value'], 'Spoken of')
        self.assertEqual(self.row(many[17]).state, 'confirmed')

    def test_refused_change_keeps_what_ramp_has(self):
        self.push()
        self.refuse('Unspeakable')
        self.account_meals.name = 'Unspeakable'
        self.account_travel.name = 'Journeys'
        self.push()
        self.assertEqual(self.remote('accounts', self.account_meals)['name'], 'Meals')
        self.assertEqual(self.remote('accounts', self.account_travel)['name'], 'Journeys')
        self.account_meals.name = 'Meals'
        self.writes()
        self.push()
        self.assertEqual(self.writes(), [])
        self.assertEqual(self.row(self.account_meals).state, 'confirmed')

    def test_refused_and_then_archived(self):
        """What Ramp refused waits for nobody once it is archived."""
        self.refuse('Unspeakable')
        self.account_meals.name = 'Unspeakable'
        self.push()
        self.assertEqual(self.row(self.account_meals).hold_reason, 'refused')
        self.account_meals.active = False
        self.push()
        self.assertEqual(self.row(self.account_meals).state, 'ignored')

    def test_object_on_which_ramp_fails(self):
        self.push()
        self.refuse('Poison', status=500)
        self.account_meals.name = 'Poison'
        self.account_travel.name = 'Journeys'
        self.push()
        self.push()
        self.assertEqual(self.remote('accounts', self.account_travel)['name'], 'Journeys')
        self.assertEqual(self.row(self.account_meals).state, 'error')

    def test_another_system_has_the_seat(self):
        self.push()
        self.ramp.take_accounting_seat('QuickBooks')
        self.writes()
        self.account_meals.name = 'Renamed'
        ramp_id = self.spend()
        runs = self.sync('account', 'transaction')
        self.assertEqual(self.writes(), [])
        self.assertEqual(runs.mapped('state'), ['failed', 'failed'])
        self.assertIn('QuickBooks', self.connection.last_error)
        self.assertFalse(self.move(ramp_id))

    def test_existing_chart_is_adopted(self):
        """An existing account in Ramp is adopted by the id that Odoo once gave it, else by its code, and never twice."""
        state = self.ramp.state
        coding.add_gl_account(state, self.external(self.account_meals), 'Old name', '1', 'EXPENSE')
        coding.add_gl_account(state, '514', 'Their travel', '650002', 'EXPENSE')
        coding.add_gl_account(state, '515', 'Twice', '650003', 'EXPENSE')
        coding.add_gl_account(state, '516', 'Twice too', '650003', 'EXPENSE')
        coding.add_gl_account(state, '517', 'Only in Ramp', '999', 'EXPENSE')
        self.push()
        rows = {row['id']: row for row in state['accounts']}
        self.assertEqual(rows[self.external(self.account_meals)]['name'], 'Meals')
        self.assertEqual((rows['514']['name'], rows['514']['code']), ('Travel', '650002'))
        self.assertNotIn(self.external(self.account_travel), rows)
        self.assertIn(self.external(self.account_software), rows, 'two have its code: none of them is it')
        self.assertEqual(rows['517']['name'], 'Only in Ramp')
        self.writes()
        self.push()
        self.assertEqual(self.writes(), [])
        ramp_id = self.spend(700, lines=[{'amount_minor': 700, 'selections': [coding.select_gl_account(state, '514')]}])
        self.account_travel.code = '650099'
        self.sync('account', 'transaction')
        self.assertConfirmed(ramp_id)
        self.assertEqual(self.move(ramp_id).line_ids[0].account_id, self.account_travel)

    def test_push_all_again_repairs_what_was_changed_in_ramp(self):
        self.push()
        state = self.ramp.state
        state['accounts'].update_row(
            self.remote('accounts', self.account_meals)['ramp_id'], name='Changed there', visibility='HIDDEN'
        )
        state['options'].update_row(self.remote('options', self.analytic_fair)['ramp_id'], is_active=False)
        self.push()
        self.assertEqual(self.remote('accounts', self.account_meals)['name'], 'Changed there', 'nobody asked')
        self.connection.action_push_all()
        self.writes()
        self.push()
        self.assertEqual(len(self.writes()), 2, 'only what differs')
        self.assertEqual(self.remote('accounts', self.account_meals)['name'], 'Meals')
        self.assertEqual(self.remote('accounts', self.account_meals)['visibility'], 'VISIBLE')
        self.assertTrue(self.remote('options', self.analytic_fair)['is_active'])

    def test_changed_while_ramp_refuses_it(self):
        """A refusal is of the version that was sent. If the record is to be compared again meanwhile, it still waits."""
        self.push()
        self.refuse('Unspeakable')
        Record = type(self.env['ramp.record'])
        store = Record._store_sent

        def meanwhile(records, rows):
            if any(row['state'] == 'held' for row in rows):
                records._mark_dirty(self.connection, 'account', self.account_meals.ids)
            return store(records, rows)

        self.patch(Record, '_store_sent', meanwhile)
        self.account_meals.name = 'Unspeakable'
        self.assertEqual(self.sync('account', now=False).state, 'done')
        row = self.row(self.account_meals)
        self.assertEqual((row.state, row.hold_reason, row.error_message), ('pending', False, False))

    def test_doubted_while_it_is_sent(self):
        """If Ramp is to be asked about a record while it is sent, it is asked, although the change arrived."""
        self.push()
        Record = type(self.env['ramp.record'])
        store, row = Record._store_sent, self.row(self.account_meals)

        def meanwhile(records, rows):
            if any((sent['id'], sent['state']) == (row.id, 'confirmed') for sent in rows):
                records._mark_dirty(self.connection, 'account', self.account_meals.ids, uncertain=True)
            return store(records, rows)

        self.patch(Record, '_store_sent', meanwhile)
        self.account_meals.name = 'Lunch'
        self.sync('account', now=False)
        self.assertEqual(self.remote('accounts', self.account_meals)['name'], 'Lunch')
        self.assertEqual((row.state, row.is_uncertain), ('pending', True))

    def test_reconnect(self):
        self.push()
        self.connection.action_disconnect()
        self.account_meals.name = 'Meanwhile'
        self.connection.action_connect()
        self.writes()
        self.push()
        self.assertEqual([method for method, _path in self.writes()], ['PATCH'])
        self.assertEqual(self.remote('accounts', self.account_meals)['name'], 'Meanwhile')


@tagged('post_install', '-at_install', 'ramp')
class TestPushAnalytic(PushCase):
    def once(self):
        super().once()
        self.push()
        self.writes()

    def visible(self):
        """{field: options that people can pick}"""
        fields = {row['ramp_id']: row['name'] for row in self.ramp.state['fields'] if row['is_active']}
        found = {name: set() for name in fields.values()}
        for row in self.ramp.state['options']:
            if row['_field'] in fields and row['is_active'] and row['visibility'] == 'VISIBLE':
                found[fields[row['_field']]].add(row['value'])
        return found

    @in_turn
    def test_fewest_calls(self):
        self.env['account.analytic.account'].create(
            [
                {'name': f'{plan.name} {number}', 'plan_id': plan.id}
                for plan, count in ((self.plan, 999), (self.other_plan, 501))
                for number in range(count)
            ]
        )
        self.push()
        self.assertEqual(self.writes(), [('POST', '/accounting/field-options')] * 4)
        self.assertEqual(len(self.ramp.state['options']), 1503)
        requests = len(self.ramp.requests)
        self.push()
        self.assertEqual(len(self.ramp.requests), requests)

    def test_account_of_another_company(self):
        """An analytic account of another company is not offered, and one that moves there is withdrawn."""
        elsewhere = self.env['res.company'].create({'name': 'Elsewhere'})
        self.env['account.analytic.account'].create(
            {'name': 'Theirs', 'plan_id': self.plan.id, 'company_id': elsewhere.id}
        )
        self.push()
        self.assertEqual(self.visible(), {'Ramp Projects': {'Office Move', 'Trade Fair'}, 'Ramp Markets': {'Europe'}})
        self.analytic_fair.company_id = elsewhere
        self.push()
        self.assertEqual(self.visible(), {'Ramp Projects': {'Office Move'}, 'Ramp Markets': {'Europe'}})

    def test_move_between_plans_and_back(self):
        self.analytic_fair.plan_id = self.other_plan
        self.push()
        self.assertEqual(self.visible(), {'Ramp Projects': {'Office Move'}, 'Ramp Markets': {'Europe', 'Trade Fair'}})
        self.analytic_fair.plan_id = self.plan
        self.push()
        self.assertEqual(self.visible(), {'Ramp Projects': {'Office Move', 'Trade Fair'}, 'Ramp Markets': {'Europe'}})
        self.assertEqual(len(self.ramp.state['options']), 4, 'it came back as what it was')

    def test_sub_plan_follows_its_root(self):
        part = self.env['account.analytic.plan'].create({'name': 'Part', 'parent_id': self.plan.id})
        self.env['account.analytic.account'].create({'name': 'Detail', 'plan_id': part.id})
        self.push()
        self.assertEqual(
            self.visible(), {'Ramp Projects': {'Office Move', 'Trade Fair', 'Detail'}, 'Ramp Markets': {'Europe'}}
        )
        part.parent_id = self.other_plan
        self.push()
        self.assertEqual(
            self.visible(), {'Ramp Projects': {'Office Move', 'Trade Fair'}, 'Ramp Markets': {'Europe', 'Detail'}}
        )

    def test_plan_that_is_not_chosen(self):
        self.connection.analytic_plan_ids -= self.plan
        self.push()
        field = self.remote('fields', self.plan)
        self.assertEqual(
            self.writes(), [('DELETE', f'/accounting/fields/{field["ramp_id"]}')], 'its options go with it'
        )
        self.assertEqual(self.visible(), {'Ramp Markets': {'Europe'}})
        self.analytic_move.name = 'Office Moved'
        self.push()
        self.assertEqual(self.writes(), [])
        self.connection.analytic_plan_ids += self.plan
        self.push()
        self.assertEqual(self.visible(), {'Ramp Projects': {'Office Moved', 'Trade Fair'}, 'Ramp Markets': {'Europe'}})

    def test_field_deleted_in_ramp(self):
        """If somebody deletes a field in Ramp, the field and its options are made again."""
        field = self.remote('fields', self.plan)['ramp_id']
        for table, key in (('options', '_field'), ('fields', 'ramp_id')):
            rows = self.ramp.state[table]
            for row in [row for row in rows if row[key] == field]:
                rows.update_row(row['ramp_id'], is_active=False)
        self.connection.action_push_all()
        self.push()
        self.push()
        self.assertEqual(self.visible(), {'Ramp Projects': {'Office Move', 'Trade Fair'}, 'Ramp Markets': {'Europe'}})

    def test_field_that_ramp_does_not_know(self):
        def hook(method, path, body):
            if 'field-options' in path and (body or {}).get('field_id') == gone:
                raise RampError(404, 'DEVELOPER_7002', 'Not found')

        gone = self.remote('fields', self.plan)['ramp_id']
        self.ramp.add_before_hook(hook)
        self.env['account.analytic.account'].create({'name': 'Late', 'plan_id': self.plan.id})
        [run] = self.sync('analytic_account', now=False)
        self.assertIn('A field was deleted in Ramp', run.message)
        self.assertTrue(self.row(self.plan).is_uncertain, 'its job is going to look')

    def test_translated_name(self):
        self.env['res.lang']._activate_lang('fr_FR')
        self.company.partner_id.lang = 'fr_FR'
        self.account_meals.update_field_translations('name', {'fr_FR': 'Repas'})
        self.assertEqual([change.res_id for change in self.env['ramp.change'].search([])], self.account_meals.ids)
        self.push()
        self.assertEqual(self.remote('accounts', self.account_meals)['name'], 'Repas')

    def test_rename_a_plan(self):
        self.plan.name = 'Undertakings'
        self.push()
        self.assertEqual([method for method, _path in self.writes()], ['PATCH'])
        self.assertEqual(self.visible(), {'Undertakings': {'Office Move', 'Trade Fair'}, 'Ramp Markets': {'Europe'}})

    def test_deleted_in_an_import(self):
        """What is deleted while changes are collected is noted at once, as it cannot be found at the end."""
        deleted = self.analytic_europe.id
        self.env['ramp.change'].search([]).unlink()
        with self.plan._ramp_note_together():
            self.analytic_europe.unlink()
        changes = self.env['ramp.change'].search([('flow', '=', 'analytic_account')])
        self.assertEqual(changes.mapped('res_id'), [deleted])

    def test_archive_delete(self):
        self.analytic_fair.active = False
        self.analytic_europe.unlink()
        self.push()
        self.assertEqual(self.visible(), {'Ramp Projects': {'Office Move'}, 'Ramp Markets': set()})
        self.analytic_fair.active = True
        self.push()
        self.assertEqual(self.visible(), {'Ramp Projects': {'Office Move', 'Trade Fair'}, 'Ramp Markets': set()})


@tagged('post_install', '-at_install', 'ramp')
class TestPushTaxes(PushCase):
    def once(self):
        super().once()
        self.env['account.tax'].search([('company_id', '=', self.company.id)]).active = False
        self.tax = (
            self.env['account.tax']
            .with_company(self.company)
            .create(
                {
                    'name': 'Input 10%',
                    'amount_type': 'percent',
                    'amount': 10,
                    'type_tax_use': 'purchase',
                    'company_id': self.company.id,
                }
            )
        )
        self.lines = self.tax.invoice_repartition_line_ids.filtered(lambda line: line.repartition_type == 'tax')
        self.lines.account_id = self.account_software
        self.connection.offer_taxes = True
        self.push()

    def codes(self):
        return {row['name']: row['tax_rate_ids'] for row in self.ramp.state['tax_options'] if row['is_active']}

    def test_rate_and_code(self):
        [rate] = self.ramp.state['tax_rates']
        self.assertEqual(
            (rate['name'], rate['rate'], rate['accounting_gl_account_id']),
            ('Input 10%', '0.1', self.remote('accounts', self.account_software)['ramp_id']),
        )
        self.assertEqual(self.codes(), {'Input 10%': [rate['id']]})
        self.writes()
        self.push()
        self.assertEqual(self.writes(), [])

    def test_change_archive_and_back(self):
        self.tax.write({'name': 'Input 12.5%', 'amount': 12.5})
        self.push()
        [rate] = self.ramp.state['tax_rates']
        self.assertEqual((rate['name'], rate['rate'], list(self.codes())), ('Input 12.5%', '0.125', ['Input 12.5%']))
        self.tax.active = False
        self.push()
        self.assertEqual(self.codes(), {})
        self.tax.active = True
        self.push()
        self.assertEqual(self.codes(), {'Input 12.5%': [rate['id']]})

    def test_tax_of_sales(self):
        """A tax of sales is not offered, and one that becomes a tax of sales is withdrawn."""
        sale = self.tax.copy({'name': 'Output 10%', 'type_tax_use': 'sale'})
        self.push()
        self.assertEqual(list(self.codes()), ['Input 10%'])
        sale.type_tax_use = 'purchase'
        self.push()
        self.assertEqual(set(self.codes()), {'Input 10%', 'Output 10%'})
        sale.type_tax_use = 'sale'
        self.push()
        self.assertEqual(list(self.codes()), ['Input 10%'])

    def test_account_of_the_tax(self):
        self.lines.account_id = self.account_meals
        self.push()
        [rate] = self.ramp.state['tax_rates']
        self.assertEqual(rate['accounting_gl_account_id'], self.remote('accounts', self.account_meals)['ramp_id'])

    def test_tax_without_an_account(self):
        """A tax without an account is a part of the cost. Ramp wants an account for its rate: it gets any one, and the
        tax's own account later.
        """
        other = self.tax.copy({'name': 'Cost'})
        other.invoice_repartition_line_ids.account_id = False
        self.push()
        self.assertEqual(set(self.codes()), {'Input 10%', 'Cost'})
        [rate] = [rate for rate in self.ramp.state['tax_rates'] if rate['name'] == 'Cost']
        self.assertIn(rate['accounting_gl_account_id'], [account['ramp_id'] for account in self.ramp.state['accounts']])
        other.invoice_repartition_line_ids.filtered(
            lambda line: line.repartition_type == 'tax'
        ).account_id = self.account_meals
        self.push()
        self.assertEqual(rate['accounting_gl_account_id'], self.remote('accounts', self.account_meals)['ramp_id'])

    def test_tax_without_any_account_in_ramp(self):
        """A tax waits for an account in Ramp, and is not sent without one."""
        accounts = self.env['ramp.record'].search([('flow', '=', 'account')])
        accounts.state = 'pending'
        other = self.tax.copy({'name': 'Cost'})
        other.invoice_repartition_line_ids.account_id = False
        self.sync('tax_rate', now=False)
        self.assertEqual(self.row(other, 'tax_rate').state, 'pending')
        self.assertIn('It waits for the accounts', self.row(other, 'tax_rate').error_message)

    def test_not_asked_for(self):
        self.connection.offer_taxes = False
        self.push()
        self.assertEqual(self.codes(), {})


@tagged('post_install', '-at_install', 'ramp')
class TestPushVendors(PushCase):
    def test_life_of_a_supplier(self):
        vendor = self.env['res.partner'].create(
            {'name': 'Paper & Sons', 'ref': 'P1', 'supplier_rank': 1, 'is_company': True}
        )
        self.env['res.partner'].create({'name': 'A person there', 'parent_id': vendor.id, 'supplier_rank': 1})
        self.push()
        [remote] = self.ramp.state['accounting_vendors']
        self.assertEqual((remote['name'], remote['code']), ('Paper & Sons', 'P1'))
        vendor.write({'name': 'Paper & Daughters', 'ref': False})
        self.push()
        [remote] = self.ramp.state['accounting_vendors']
        self.assertEqual((remote['name'], remote['code']), ('Paper & Daughters', ''))
        vendor.active = False
        self.push()
        self.assertFalse(remote['is_active'])
        vendor.active = True
        self.push()
        self.assertTrue(remote['is_active'])

    def test_supplier_of_another_company(self):
        """A supplier of another company is not offered, and one that moves there is withdrawn."""
        elsewhere = self.env['res.company'].create({'name': 'Elsewhere'})
        shared, _theirs = self.env['res.partner'].create(
            [{'name': 'Shared', 'supplier_rank': 1}, {'name': 'Theirs', 'supplier_rank': 1, 'company_id': elsewhere.id}]
        )
        self.push()
        [remote] = self.ramp.state['accounting_vendors']
        self.assertEqual((remote['name'], remote['is_active']), ('Shared', True))
        shared.company_id = elsewhere
        self.push()
        self.assertFalse(remote['is_active'])
        shared.company_id = self.company
        self.push()
        self.assertTrue(remote['is_active'])

    def test_employees_and_ramp_are_no_suppliers(self):
        """Employees and Ramp itself are not sent as suppliers, although they get bills, because nobody codes spend to
        them.
        """
        person, ramp = self.employee.work_contact_id, self.connection.ramp_partner_id
        both = self.env['res.partner'].create({'name': 'Freelancer', 'supplier_rank': 1})
        (person + ramp).supplier_rank = 1
        self.push()
        self.assertEqual([row['name'] for row in self.ramp.state['accounting_vendors']], ['Freelancer'])
        employee = self.env['hr.employee'].create(
            {'name': 'Freelancer', 'work_contact_id': both.id, 'company_id': self.company.id}
        )
        self.push()
        [remote] = self.ramp.state['accounting_vendors']
        self.assertFalse(remote['is_active'])
        self.assertEqual(
            both.ramp_state, 'It is the contact of an employee. Employees who are reimbursed are not vendors in Ramp.'
        )
        self.assertFalse(both.ramp_can_be_vendor)
        employee.work_contact_id = False
        self.push()
        self.assertTrue(remote['is_active'])
        self.connection.ramp_partner_id = both
        self.push()
        self.assertFalse(remote['is_active'])
        self.assertIn('Ramp itself', both.ramp_state)
        self.assertIn(ramp.name, [row['name'] for row in self.ramp.state['accounting_vendors'] if row['is_active']])

    def test_the_partner_of_card_merchants_is_no_supplier(self):
        """The partner for card merchants is not sent, nor is somebody who was an employee."""
        merchants = self.connection.merchant_partner_id
        left = self.env['res.partner'].create({'name': 'Left', 'supplier_rank': 1})
        self.env['hr.employee'].create(
            {'name': 'Left', 'work_contact_id': left.id, 'company_id': self.company.id, 'active': False}
        )
        merchants.supplier_rank = 1
        self.push()
        self.assertEqual([row['name'] for row in self.ramp.state['accounting_vendors']], [])
        for partner, words in ((merchants, 'card merchants'), (left, 'contact of an employee')):
            self.assertIn(words, partner._ramp_no_vendor())
            self.assertFalse(partner.ramp_can_be_vendor)

    def test_settings_that_decide_wake_the_jobs(self):
        """What a setting offers or withdraws is compared at once, and not only in the next round of the jobs."""
        ramp, merchants = self.env['res.partner'].create(
            [{'name': name, 'is_company': True} for name in ('Another Ramp', 'Other merchants')]
        )
        account = self.env['account.account'].create(
            {
                'name': 'Other cards',
                'code': '219901',
                'account_type': 'liability_credit_card',
                'company_ids': [Command.set(self.company.ids)],
            }
        )
        journal = self.env['account.journal'].create(
            {
                'name': 'Other cards',
                'code': 'OCRD',
                'type': self.connection.card_journal_id.type,
                'default_account_id': account.id,
                'company_id': self.company.id,
            }
        )
        job = self.env['ramp.flow.accounting_vendor']._get_cron_job()
        for values in (
            {'account_policy': 'types'},
            {'analytic_plan_ids': [Command.clear()]},
            {'offer_taxes': True},
            {'offer_vendors': False},
            {'pull_bills': False},
            {'start_date': '2016-01-01'},
            {'card_journal_id': journal.id},
            {'ramp_partner_id': ramp.id},
            {'merchant_partner_id': merchants.id},
        ):
            with self.subTest(values):
                self.env['ir.cron.trigger'].search([]).unlink()
                self.connection.write(values)
                self.assertTrue(self.env['ir.cron.trigger'].search([('cron_id', '=', job.id)]))

    def test_who_becomes_an_employee_is_noted_at_once(self):
        """A partner who becomes an employee, or stops being one, is noted at once, and not only when all suppliers are
        compared.
        """
        both, other = self.env['res.partner'].create(
            [{'name': name, 'supplier_rank': 1} for name in ('Freelancer', 'Contractor')]
        )
        self.push()

        def noted():
            changes = self.env['ramp.change'].search([('flow', '=', 'accounting_vendor')])
            ids = set(changes.mapped('res_id')) & {both.id, other.id}
            changes.unlink()
            return ids

        noted()
        employee = self.env['hr.employee'].create(
            {'name': 'Freelancer', 'work_contact_id': both.id, 'company_id': self.company.id}
        )
        self.assertEqual(noted(), {both.id})
        employee.work_contact_id = other
        self.assertEqual(noted(), {both.id, other.id})
        employee.unlink()
        self.assertEqual(noted(), {other.id})

    def test_supplier_by_a_bill(self):
        """Odoo raises the supplier rank of a partner without the ORM when a bill is made. The next run finds the
        partner.
        """
        partner = self.env['res.partner'].create({'name': 'Not yet'})
        self.push()
        self.assertFalse(list(self.ramp.state['accounting_vendors']))
        partner._increase_rank('supplier_rank')
        self.env.cr.execute('UPDATE res_partner SET supplier_rank = 1 WHERE id = %s', [partner.id])
        self.push()
        self.assertEqual([row['name'] for row in self.ramp.state['accounting_vendors']], ['Not yet'])
        self.env['ramp.change'].search([]).unlink()
        partner.supplier_rank += 1
        self.assertFalse(self.env['ramp.change'].search([]), 'a further bill changes nothing in Ramp')
