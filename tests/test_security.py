# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import json
import logging

from odoo import Command
from odoo.tests import HttpCase, JsonRpcException, new_test_user, tagged
from odoo.tools import mute_logger

from .common import RampCase


class RpcCase(RampCase, HttpCase):
    """Calls over RPC as the users in `roles`, by role."""

    is_smoke = True

    def call(self, role, model, method, *args, **kwargs):
        """Make an RPC call as a role, as the web client does."""
        if getattr(self, 'role', None) != role:
            self.authenticate(self.roles[role].login, self.roles[role].login)
            self.role = role
        kwargs.setdefault('context', {'allowed_company_ids': self.company.ids})
        return self.make_jsonrpc_request(
            '/web/dataset/call_kw', {'model': model, 'method': method, 'args': list(args), 'kwargs': kwargs}
        )

    def refused(self, role, *args, **kwargs):
        loud = 'odoo.http', 'odoo.addons.base.models.ir_model', 'odoo.addons.base.models.ir_rule'
        with self.assertRaises(JsonRpcException) as caught, mute_logger(*loud):
            self.call(role, *args, **kwargs)
        return str(caught.exception)


@tagged('post_install', '-at_install', 'ramp')
class TestSecurity(RpcCase):
    """The rights of each role, over RPC as that role."""

    def once(self):
        super().once()
        self.held = self.spend(account=None)
        self.booked = self.spend()
        self.sync()
        companies = {'company_id': self.company.id, 'company_ids': [Command.set(self.company.ids)]}
        self.roles = {
            'accountant': new_test_user(
                self.env, 'ramp_accountant', 'base.group_user,account.group_account_invoice', **companies
            ),
            'manager': new_test_user(
                self.env, 'ramp_manager', 'base.group_user,account.group_account_manager', **companies
            ),
            'employee': new_test_user(self.env, 'ramp_employee', 'base.group_user', **companies),
            'system': new_test_user(self.env, 'ramp_system', 'base.group_system', **companies),
            'auditor': new_test_user(
                self.env, 'ramp_auditor', 'base.group_user,account.group_account_readonly', **companies
            ),
            'bookkeeper': new_test_user(
                self.env, 'ramp_bookkeeper', 'base.group_user,account.group_account_user', **companies
            ),
        }
        self.env.flush_all()

    def test_secrets_never_leave_the_server(self):
        for role in ('accountant', 'manager'):
            with self.subTest(role):
                (values,) = self.call(role, 'ramp.connection', 'read', self.connection.ids, [])
                self.assertNotIn(self.ramp.client_secret, json.dumps(values))
                self.assertNotIn('client_secret', values)
                self.assertNotIn('client_id', values)
                self.assertTrue(values['has_credentials'])
                for field in ('client_secret', 'client_id'):
                    self.refused(role, 'ramp.connection', 'read', self.connection.ids, [field])
                    self.refused(role, 'ramp.connection', 'search', [(field, '=like', 'ramp%')])
                    self.refused(role, 'ramp.connection', 'write', self.connection.ids, {field: 'x'})
                    self.refused(role, 'ramp.connection', 'export_data', self.connection.ids, [field])
                    self.refused(role, 'ramp.connection', 'read_group', [], ['id'], [field])
        (values,) = self.call('system', 'ramp.connection', 'read', self.connection.ids, ['client_secret'])
        self.assertEqual(values['client_secret'], self.ramp.client_secret)
        copied = self.call(
            'manager',
            'ramp.connection',
            'copy',
            self.connection.ids,
            {'environment': 'sandbox', 'api_url': False, 'ramp_entity_id': '24850cdb-1b3f-4eb9-bf20-967ca9f97605'},
        )
        self.assertFalse(self.env['ramp.connection'].browse(copied).client_secret)

    def test_only_system_administrators_say_where_the_secret_goes(self):
        self.connection.action_disconnect()
        self.env['ramp.record'].search([]).unlink()  # a connection with rows keeps its address
        evil = {'environment': 'custom', 'api_url': 'https://evil.example'}
        for values in (evil, {'environment': 'custom'}, {'api_url': evil['api_url']}):
            self.assertIn(
                'AccessError', self.refused('manager', 'ramp.connection', 'write', self.connection.ids, values)
            )
        self.assertIn('AccessError', self.refused('manager', 'ramp.connection', 'create', {'name': 'Mine', **evil}))
        self.assertIn(
            'AccessError',
            self.refused(
                'manager',
                'ramp.connection',
                'create',
                {'name': 'Mine'},
                context={
                    'allowed_company_ids': self.company.ids,
                    'default_environment': 'custom',
                    'default_api_url': evil['api_url'],
                },
            ),
        )
        self.assertIn(
            'AccessError',
            self.refused(
                'manager',
                'ramp.connection',
                'copy',
                self.connection.ids,
                {'ramp_entity_id': '24850cdb-1b3f-4eb9-bf20-967ca9f97605'},
            ),
        )
        self.assertTrue(
            self.call('manager', 'ramp.connection', 'create', {'name': 'Mine', 'environment': 'production'})
        )
        self.assertTrue(
            self.call(
                'manager', 'ramp.connection', 'write', self.connection.ids, {'environment': 'sandbox', 'api_url': False}
            )
        )
        self.assertTrue(self.call('system', 'ramp.connection', 'write', self.connection.ids, evil))

    def test_the_address_stays_while_connected(self):
        for role, values in (
            ('manager', {'environment': 'sandbox'}),
            ('manager', {'api_url': False}),
            ('system', {'api_url': 'https://proxy.example'}),
            ('system', {'environment': 'production'}),
        ):
            with self.subTest(role=role, values=values):
                self.assertIn('UserError', self.refused(role, 'ramp.connection', 'write', self.connection.ids, values))

    def test_private_machinery_is_not_callable(self):
        for model, method in (
            ('ramp.connection', '_client_credentials'),
            ('ramp.connection', '_run_client'),
            ('ramp.record', '_upsert_page'),
            ('ramp.record', '_mark_held'),
            ('ramp.flow.transaction', '_cron_run'),
            ('ramp.flow.transaction', '_transaction'),
        ):
            with self.subTest(method):
                self.refused('manager', model, method)

    def test_accountant_uses_and_retries_but_does_not_configure(self):
        record = self.record(self.held)
        self.assertTrue(
            self.call(
                'accountant',
                'ramp.record',
                'search_read',
                [('ramp_id', '=', self.held)],
                ['state', 'error_message', 'payload_text'],
            )
        )
        self.assertTrue(self.call('accountant', 'ramp.record', 'action_retry', record.ids))
        self.assertTrue(self.call('accountant', 'ramp.connection', 'action_sync_now', self.connection.ids))
        for args in (
            ('ramp.connection', 'write', self.connection.ids, {'start_date': '2026-01-01'}),
            ('ramp.connection', 'create', {'name': 'Mine'}),
            ('ramp.connection', 'unlink', self.connection.ids),
            ('ramp.connection', 'action_connect', self.connection.ids),
            ('ramp.connection', 'action_disconnect', self.connection.ids),
            ('ramp.connection', 'action_test_connection', self.connection.ids),
            ('ramp.record', 'write', record.ids, {'state': 'confirmed'}),
            ('ramp.record', 'unlink', record.ids),
            ('ramp.record', 'create', {'ramp_id': 'x'}),
            ('ramp.run', 'write', self.env['ramp.run'].search([], limit=1).ids, {'seen': 9}),
        ):
            with self.subTest(args[:2]):
                self.refused('accountant', *args)

    def test_accountant_ignores_with_a_reason(self):
        record = self.record(self.held)
        wizard = self.call(
            'accountant', 'ramp.record.ignore', 'create', {'record_ids': [Command.set(record.ids)], 'reason': 'Private'}
        )
        self.call('accountant', 'ramp.record.ignore', 'action_confirm', [wizard])
        record.invalidate_recordset()
        self.assertEqual(record.state, 'ignored')
        self.assertIn('ramp_accountant', record.error_message)

    def test_manager_configures(self):
        self.call('manager', 'ramp.connection', 'write', self.connection.ids, {'lock_date_policy': 'next_open'})
        self.call('manager', 'ramp.connection', 'action_test_connection', self.connection.ids)
        self.call('manager', 'ramp.connection', 'action_disconnect', self.connection.ids)
        self.connection.invalidate_recordset()
        self.assertEqual(self.connection.state, 'disconnected')
        self.call('manager', 'ramp.connection', 'action_connect', self.connection.ids)
        self.refused('manager', 'ramp.record', 'write', self.record(self.held).ids, {'state': 'confirmed'})

    def test_employee_sees_their_own_expense_only(self):
        employee = self.employees[3]
        employee.user_id = self.roles['employee']
        employee.ramp_user_id = list(self.ramp.state['users'])[3]['id']
        theirs = self.spend(user=employee.ramp_user_id)
        self.sync()
        self.assertConfirmed(theirs)
        found = self.call(
            'employee', 'hr.expense', 'search_read', [('ramp_id', '!=', False)], ['ramp_id', 'ramp_state', 'ramp_url']
        )
        self.assertEqual([row['ramp_id'] for row in found], [theirs])
        self.assertEqual(found[0]['ramp_state'], 'Synced to Ramp')
        for model in ('ramp.connection', 'ramp.record', 'ramp.run', 'ramp.record.ignore'):
            with self.subTest(model):
                self.refused('employee', model, 'search_read', [], ['id'])
        self.refused('employee', 'hr.expense', 'read', self.expense(theirs).ids, ['ramp_record_id'])
        self.refused('employee', 'hr.expense', 'read', self.expense(self.booked).ids, ['ramp_id'])
        self.refused('employee', 'ramp.record', 'action_retry', self.record(self.held).ids)
        self.refused('employee', 'ramp.connection', 'action_sync_now', self.connection.ids)

    def test_only_administrators_decide_what_is_offered(self):
        offers = (
            {'offer_taxes': True},
            {'offer_vendors': False},
            {'account_policy': 'types'},
            {'account_type_ids': [Command.clear()]},
            {'analytic_plan_ids': [Command.clear()]},
        )
        for role in ('employee', 'accountant', 'bookkeeper', 'auditor'):
            with self.subTest(role):
                self.refused(role, 'ramp.connection', 'action_push_all', self.connection.ids)
                for values in offers:
                    self.refused(role, 'ramp.connection', 'write', self.connection.ids, values)
        self.refused('system', 'ramp.connection', 'action_push_all', self.connection.ids)
        for values in offers:
            self.assertTrue(self.call('manager', 'ramp.connection', 'write', self.connection.ids, values))
        self.assertEqual(
            self.call('manager', 'ramp.connection', 'action_push_all', self.connection.ids)['params']['type'], 'success'
        )

    def test_what_was_noted_is_for_nobody(self):
        """Only the jobs read the noted changes. Account types are for users who may open a connection."""
        self.account_meals.name = 'Lunch'
        self.env.flush_all()
        for role in self.roles:
            with self.subTest(role):
                self.refused(role, 'ramp.change', 'search_read', [], ['res_id'])
                self.refused(role, 'ramp.change', 'create', {'flow': 'account', 'res_id': self.account_meals.id})
                self.refused(role, 'ramp.change', '_note_changes', 'account')
                self.refused(role, 'ramp.account.type', 'create', {'code': 'x'})
                self.refused(role, 'ramp.account.type', 'write', [1], {'code': 'x'})
                if role == 'employee':
                    self.refused(role, 'ramp.account.type', 'search_read', [], ['name'])
                else:
                    self.assertTrue(self.call(role, 'ramp.account.type', 'search_read', [], ['name']))

    def test_status_of_what_is_offered_is_for_all_and_the_ledger_is_not(self):
        self.sync('account', now=False)
        row = self.env['ramp.record'].search([('flow', '=', 'account'), ('res_id', '=', self.account_meals.id)])
        self.assertEqual(row.status, 'In Ramp')
        for role in ('employee', 'accountant', 'auditor', 'manager'):
            with self.subTest(role):
                (values,) = self.call(role, 'account.account', 'read', self.account_meals.ids, ['name', 'ramp_state'])
                self.assertEqual(values['ramp_state'], 'In Ramp')
                domain = [('ramp_record_id', 'any', [('state', '=', 'confirmed')])]
                if role == 'employee':
                    self.refused(role, 'account.account', 'search', domain)
                    self.refused(role, 'account.account', 'read', self.account_meals.ids, ['ramp_record_id'])
                    self.refused(role, 'account.account', 'action_open_ramp_record', self.account_meals.ids)
                    self.refused(role, 'ramp.record', 'read', row.ids, ['status', 'sent_text'])
                    self.refused(role, 'ramp.record', 'action_retry', row.ids)
                    self.refused(role, 'ramp.connection', 'read', self.connection.ids, ['offer_counts'])
                else:
                    self.assertIn(self.account_meals.id, self.call(role, 'account.account', 'search', domain))
                    (values,) = self.call(role, 'ramp.record', 'read', row.ids, ['status', 'sent_text'])
                    self.assertIn('Name: Meals', values['sent_text'])
                    self.assertTrue(self.call(role, 'ramp.connection', 'read', self.connection.ids, ['offer_counts']))
        wizard = self.call(
            'accountant', 'ramp.record.ignore', 'create', {'record_ids': [Command.set(row.ids)], 'reason': 'No'}
        )
        self.assertIn('UserError', self.refused('accountant', 'ramp.record.ignore', 'action_confirm', [wizard]))

    def test_portal_users_learn_nothing(self):
        """A supplier with a portal login reads the own partner, bill and order, but not their state in Ramp."""
        portal = new_test_user(self.env, 'ramp_portal', 'base.group_portal')
        portal.partner_id.supplier_rank = 1
        line = {'name': 'Paper', 'price_unit': 10}
        bill = self.env['account.move'].create(
            {
                'move_type': 'in_invoice',
                'partner_id': portal.partner_id.id,
                'invoice_date': '2026-08-01',
                'company_id': self.company.id,
                'ramp_id': self.held,
                'invoice_line_ids': [Command.create({**line, 'account_id': self.account_meals.id})],
            }
        )
        bill.action_post()
        self.assertTrue(bill.ramp_state)
        order = self.env['purchase.order'].create(
            {
                'partner_id': portal.partner_id.id,
                'company_id': self.company.id,
                'order_line': [
                    Command.create(
                        {
                            **line,
                            'product_qty': 1,
                            'product_id': self.env['product.product'].create({'name': 'Paper'}).id,
                        }
                    )
                ],
            }
        )
        order.button_confirm()
        self.roles['portal'] = portal
        self.env.flush_all()
        for record, name in (
            (portal.partner_id, 'name'),
            (bill, 'name'),
            (bill.invoice_line_ids, 'name'),
            (order, 'name'),
        ):
            self.assertTrue(self.call('portal', record._name, 'read', record.ids, [name], context={}))
            self.call('portal', record._name, 'search', [('id', 'in', record.ids), ('name', '!=', False)], context={})
            for field in [field for field in record._fields if field.startswith('ramp_')]:
                with self.subTest(model=record._name, field=field):
                    self.refused('portal', record._name, 'read', record.ids, [field], context={})
                    self.refused('portal', record._name, 'search', [(field, '!=', False)], context={})
        Portal = self.env(user=portal)
        self.assertEqual(bill.with_env(Portal)._get_invoice_in_payment_state(), 'in_payment')
        for model in self.env.registry:
            for name, field in self.env[model]._fields.items():
                if name.startswith('ramp_') and not model.startswith('ramp.'):
                    self.assertFalse(Portal[model]._has_field_access(field, 'read'), f'{model}.{name}')

    def test_other_companies_do_not_touch_it(self):
        """Administrators of other companies who know the id of a connection cannot use any of its buttons."""
        other = self.env['res.company'].create({'name': 'Elsewhere'})
        self.roles['manager'].write({'company_ids': [Command.set(other.ids)], 'company_id': other.id})
        self.connection.database = 'another'
        buttons = [name for name in dir(type(self.connection)) if name.startswith('action_')]
        self.assertLessEqual(
            {'action_claim_database', 'action_test_connection', 'action_disconnect', 'action_open_tie_out'}, {*buttons}
        )
        asked = len(self.ramp.requests)
        for button in buttons:
            with self.subTest(button):
                self.assertIn(
                    'AccessError',
                    self.refused(
                        'manager',
                        'ramp.connection',
                        button,
                        self.connection.ids,
                        context={'allowed_company_ids': other.ids},
                    ),
                )
        self.connection.invalidate_recordset()
        self.assertEqual((self.connection.database, len(self.ramp.requests)), ('another', asked))

    def test_other_companies_do_not_see_it(self):
        other = self.env['res.company'].create({'name': 'Elsewhere'})
        self.roles['manager'].write({'company_ids': [Command.set(other.ids)], 'company_id': other.id})
        for model in ('ramp.connection', 'ramp.record', 'ramp.run'):
            self.assertEqual(self.call('manager', model, 'search', [], context={'allowed_company_ids': other.ids}), [])
        self.refused(
            'manager',
            'ramp.record',
            'action_retry',
            self.record(self.held).ids,
            context={'allowed_company_ids': other.ids},
        )

    def test_mapping_fields_are_written_by_the_connector_only(self):
        """Only the connector writes the mapping fields. An expense with another person's Ramp id would get that
        person's receipt.
        """
        employee, expense = self.roles['employee'], self.expense(self.booked)
        mine = self.env['hr.employee'].create({'name': 'Mine', 'user_id': employee.id, 'company_id': self.company.id})
        values = {
            'name': 'Mine',
            'employee_id': mine.id,
            'company_id': self.company.id,
            'product_id': self.connection.expense_product_id.id,
        }
        self.env.flush_all()
        context = {'allowed_company_ids': self.company.ids}
        own = self.call('employee', 'hr.expense', 'create', values)
        for call in (
            ('employee', 'hr.expense', 'create', {**values, 'ramp_id': self.held}),
            ('employee', 'hr.expense', 'create', [{**values, 'ramp_id': self.held}]),
            ('employee', 'hr.expense', 'write', own, {'ramp_id': self.held}),
            ('employee', 'hr.expense', 'web_save', [own], {'ramp_id': self.held}, {}),
            ('manager', 'account.move', 'write', self.move(self.booked).ids, {'ramp_id': False}),
            ('manager', 'account.move', 'create', {'move_type': 'entry', 'ramp_id': 'x'}),
            ('system', 'hr.expense', 'write', expense.ids, {'ramp_state': 'Synced to Ramp'}),
        ):
            with self.subTest(call[:3]):
                self.assertIn('AccessError', self.refused(*call))
        by_default = {**context, 'default_ramp_id': 'x'}
        self.assertIn('AccessError', self.refused('employee', 'hr.expense', 'create', values, context=by_default))
        loaded = self.call('employee', 'hr.expense', 'load', ['name', 'ramp_id'], [['Mine', self.held]])
        self.assertFalse(loaded['ids'])
        self.assertIn('Only the Ramp connector', loaded['messages'][0]['message'])
        copied = self.call('manager', 'account.move', 'copy', self.move(self.booked).ids)
        self.assertFalse(self.env['account.move'].browse(copied).ramp_id)
        self.assertTrue(self.call('employee', 'hr.expense', 'fields_get', ['ramp_id'])['ramp_id']['readonly'])
        for name in (
            'state',
            'accounting_connection_id',
            'last_watch',
            'ramp_entities',
            'primary_entity_id',
            'database',
            'last_error',
            'ramp_business_name',
            'sync_requested_at',
        ):
            for role in ('manager', 'system'):
                with self.subTest(field=name, role=role):
                    self.refused(role, 'ramp.connection', 'write', self.connection.ids, {name: False})
        self.assertIn(
            'AccessError', self.refused('manager', 'ramp.connection', 'create', {'name': 'Mine', 'state': 'connected'})
        )

    def test_a_connection_with_documents_stays_in_its_company(self):
        other = self.env['res.company'].create({'name': 'Elsewhere'})
        self.roles['manager'].company_ids += other
        context = {'allowed_company_ids': [self.company.id, other.id]}
        # without records that core would not move to another company
        moved = {
            'company_id': other.id,
            **{
                name: False
                for name, field in self.connection._fields.items()
                if field.type == 'many2one' and field.store and field.check_company
            },
        }
        self.env.flush_all()
        self.assertIn(
            'UserError',
            self.refused('manager', 'ramp.connection', 'write', self.connection.ids, moved, context=context),
        )
        self.connection.action_disconnect()
        self.assertIn(
            'UserError',
            self.refused('manager', 'ramp.connection', 'write', self.connection.ids, moved, context=context),
        )
        self.assertTrue(
            self.call('manager', 'ramp.connection', 'write', self.connection.ids, {'company_id': self.company.id})
        )
        new = self.call(
            'manager',
            'ramp.connection',
            'create',
            {'name': 'New', 'environment': 'sandbox', 'company_id': self.company.id},
        )
        self.assertTrue(
            self.call('manager', 'ramp.connection', 'write', [new], {'company_id': other.id}, context=context)
        )

    def test_companies_in_the_context_show_nothing(self):
        """Companies in the context show no status, although it is computed in superuser mode, where Odoo does not check
        them.
        """
        self.sync('analytic_plan', 'accounting_vendor')
        other = self.env['res.company'].create({'name': 'Elsewhere'})
        self.roles['accountant'].write({'company_ids': [Command.set(other.ids)], 'company_id': other.id})
        shared = self.env['res.partner'].create({'name': 'Shared', 'supplier_rank': 1})
        self.sync('accounting_vendor')
        self.assertEqual((self.plan.ramp_state, shared.ramp_state), ('In Ramp', 'In Ramp'))
        self.env.flush_all()
        fields = ['ramp_state', 'ramp_id', 'ramp_record_id']
        for record in (self.plan, shared):
            for context in ({'allowed_company_ids': other.ids}, {}):
                [row] = self.call('accountant', record._name, 'read', record.ids, fields, context=context)
                self.assertEqual([row[name] for name in fields], [False, False, False])
                self.assertEqual(
                    self.call(
                        'accountant',
                        record._name,
                        'search',
                        [('id', '=', record.id), ('ramp_record_id', 'not in', [False])],
                        context=context,
                    ),
                    [],
                )
            for companies in (
                self.company.ids,
                [*other.ids, *self.company.ids],
            ):  # some of Odoo's own fields refuse that, others do not
                theirs = record.with_user(self.roles['accountant']).with_context(allowed_company_ids=companies)
                self.assertEqual([theirs.ramp_state, theirs.ramp_id, theirs.ramp_record_id.ids], [False, False, []])

    def test_nothing_private_is_logged(self):
        self.spend(merchant='Private Clinic', memo='Surgery')
        with self.assertLogs(level=logging.DEBUG) as logs:
            logging.getLogger('odoo.addons.ramp_connector').debug('at least one line')
            self.sync()
        text = '\n'.join(line for line in logs.output if 'odoo.sql_db' not in line)
        for secret in (self.ramp.client_secret, 'Private Clinic', 'Surgery', 'Bearer'):
            self.assertNotIn(secret, text)
