# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The rights of each role over RPC: each model, each public method and each field of this addon.

The registry says what there is, and the tables below say what each role may do. Anything new that is in no table fails.
"""

import contextlib
import inspect

from odoo import Command, api, models
from odoo.exceptions import AccessError
from odoo.service.model import call_kw
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from .common import RampCase

# role: its groups; the public user exists already
ROLES = {
    'public': None,
    'portal': 'base.group_portal',
    'employee': 'base.group_user',
    'invoicing': 'account.group_account_invoice',
    'bookkeeper': 'account.group_account_user',
    'manager': 'account.group_account_manager',
    'auditor': 'account.group_account_readonly',
    'approver': 'hr_expense.group_hr_expense_team_approver',
    'expenses': 'hr_expense.group_hr_expense_manager',
    'officer': 'hr.group_hr_user',
    'buyer': 'purchase.group_purchase_user',
    'purchases': 'purchase.group_purchase_manager',
    'storekeeper': 'stock.group_stock_user',
    'stock': 'stock.group_stock_manager',
    'rights': 'base.group_erp_manager',
    'system': 'base.group_system',
}
MIXINS = {'ramp.mapped', 'ramp.document', 'ramp.pushed', 'ramp.person'}  # tested where they are inherited
# Roles that may read the ledger; work with it; all employees' roles; roles that may look at a connection
BOOKS = 'invoicing bookkeeper manager auditor'
WORKS = 'invoicing bookkeeper manager'
STAFF = ' '.join(role for role in ROLES if role not in ('public', 'portal'))
SEES = f'{BOOKS} system'
BUYS = f'{BOOKS} buyer purchases storekeeper stock'

# model: roles that may read, write, create and delete
ACCESS = {
    'ramp.account.type': (SEES, '', '', ''),
    'ramp.accrual': (BOOKS, 'bookkeeper manager', '', 'bookkeeper manager'),
    'ramp.accrual.line': (BOOKS, 'bookkeeper manager', '', ''),
    'ramp.bank.account': (SEES, 'manager', '', ''),
    'ramp.cardholder.match': ('invoicing', 'invoicing', WORKS, 'invoicing'),  # those of `invoicing`
    'ramp.cardholder.match.line': ('invoicing', 'invoicing', WORKS, 'invoicing'),  # those of `invoicing`
    'ramp.cause': (BOOKS, '', '', ''),
    'ramp.change': ('', '', '', ''),
    'ramp.connection': (SEES, 'manager system', 'manager', 'manager'),
    'ramp.connection.check': (SEES, '', '', ''),
    'ramp.dry.run': (BOOKS, '', WORKS, ''),
    'ramp.event': ('', '', '', ''),
    'ramp.mapping': (BOOKS, WORKS, WORKS, WORKS),
    'ramp.merchant': ('', '', '', ''),
    'ramp.record': (BOOKS, '', '', ''),
    'ramp.record.ignore': ('invoicing', 'invoicing', WORKS, 'invoicing'),  # those of `invoicing`
    'ramp.record.link': ('invoicing', 'invoicing', WORKS, 'invoicing'),  # those of `invoicing`
    'ramp.run': (BOOKS, '', '', ''),
    'ramp.setup': ('manager', 'manager', 'manager', 'manager'),
    'ramp.setup.entity': ('manager', 'manager', 'manager', 'manager'),
    'ramp.setup.feature': ('manager', 'manager', 'manager', 'manager'),
    'ramp.sign.in': ('', '', '', ''),
    'ramp.tie.out': (BOOKS, '', '', ''),
    'ramp.undo': ('manager', 'manager', 'manager', 'manager'),
    'ramp.undo.line': ('manager', '', '', ''),
    'ramp.undo.sum': ('manager', '', '', ''),
    'ramp.tie.out.sign.off': (BOOKS, '', '', ''),
    'ramp.webhook': ('', '', '', ''),
}
# model of another addon: {field: (roles that may read it, roles that may write it), among those that may do so with the
# record}
DOCUMENT = {'ramp_id': (STAFF, ''), 'ramp_record_id': (BOOKS, ''), 'ramp_state': (STAFF, ''), 'ramp_url': (STAFF, '')}
OFFICER, RIGHTS = ('officer', ''), ('rights system', '')
FIELDS = {
    'account.account': DOCUMENT,
    'account.analytic.account': DOCUMENT,
    'account.analytic.plan': DOCUMENT,
    'account.move': {**DOCUMENT, 'ramp_payment': (STAFF, '')},
    'account.move.line': {'ramp_tie_out': (BOOKS, '')},
    'account.payment': {**DOCUMENT, 'ramp_bank_reference': (STAFF, '')},
    'account.tax': DOCUMENT,
    'hr.department': DOCUMENT,
    'hr.employee': {
        **dict.fromkeys(('ramp_id', 'ramp_record_id', 'ramp_state', 'ramp_url', 'ramp_can_invite'), OFFICER),
        **dict.fromkeys(('ramp_invite', 'ramp_user_id'), ('officer', 'officer')),
    },
    'hr.expense': DOCUMENT,
    'hr.work.location': DOCUMENT,
    'purchase.order': {**DOCUMENT, 'ramp_progress': (STAFF, ''), 'ramp_receipt_state': (STAFF, '')},
    'purchase.order.line': {'ramp_qty_received': (STAFF, '')},
    'res.partner': {
        **DOCUMENT,
        'ramp_spend_vendor': (WORKS, WORKS),
        'ramp_can_be_vendor': (WORKS, ''),
        'ramp_vendor_record_id': (BOOKS, ''),
        'ramp_vendor_state': (STAFF, ''),
        'ramp_vendor_url': (STAFF, ''),
    },
    'res.users': {
        **dict.fromkeys(('ramp_id', 'ramp_state', 'ramp_url', 'ramp_can_invite'), RIGHTS),
        'ramp_record_id': (BOOKS, ''),
        'ramp_invite': ('rights system', 'rights system'),
    },
    'stock.picking': {'ramp_state': (STAFF, '')},
}
# model: {method: roles that may call it}; and the arguments of methods that have some
OPENS = {'action_open_in_ramp': STAFF, 'action_open_ramp_record': BOOKS}
METHODS = {
    'account.account': OPENS,
    'account.analytic.account': OPENS,
    'account.analytic.plan': {**OPENS, 'action_open_in_ramp': SEES},
    'account.move': {**OPENS, 'action_open_in_ramp': f'{BOOKS} approver expenses'},
    'account.payment': {**OPENS, 'action_open_in_ramp': BOOKS},
    'account.tax': OPENS,
    'hr.department': OPENS,
    'hr.employee': {
        'action_erase_ramp_data': '',
        'action_open_in_ramp': 'officer',
        'action_open_ramp_record': '',
        'action_send_ramp_invitation': 'officer',
    },
    'hr.expense': {
        'action_open_account_move': 'bookkeeper expenses',
        'action_open_in_ramp': 'bookkeeper expenses',
        'action_open_ramp_record': 'bookkeeper',
        'action_reset': 'bookkeeper expenses',
    },
    'hr.work.location': OPENS,
    'purchase.order': {**OPENS, 'action_open_in_ramp': BUYS},
    'ramp.accrual': {
        'action_open_entries': BOOKS,
        **dict.fromkeys(('action_post', 'action_refresh', 'action_undo', 'open_month'), 'bookkeeper manager'),
    },
    'ramp.cardholder.match': dict.fromkeys(('action_confirm', 'action_create_others'), 'invoicing'),
    'ramp.cause': {
        'action_open_records': BOOKS,
        **dict.fromkeys(('action_ignore', 'action_retry', 'action_solve'), WORKS),
    },
    'ramp.connection': {
        **dict.fromkeys(
            (
                'action_open_bills',
                'action_open_causes',
                'action_open_checks',
                'action_open_moves',
                'action_open_records',
                'action_open_runs',
                'action_open_tie_out',
            ),
            SEES,
        ),
        **dict.fromkeys(('action_dry_run', 'action_read_again', 'action_sync_now'), WORKS),
        **dict.fromkeys(
            (
                'action_claim_database',
                'action_connect',
                'action_disconnect',
                'action_push_all',
                'action_set_up',
                'action_settle_setting',
                'action_sign_in',
                'action_test_connection',
                'action_undo_sync',
            ),
            'manager',
        ),
    },
    'ramp.connection.check': {'action_fix': 'manager'},
    'ramp.dry.run': dict.fromkeys(('action_open_result', 'action_open_workbook'), BOOKS),
    'ramp.mapping': {'action_confirm': WORKS},
    'ramp.record': {
        'action_erase_personal': 'manager',
        'action_open_document': BOOKS,
        'action_open_in_ramp': BOOKS,
        **dict.fromkeys(
            (
                'action_dry_run',
                'action_ignore',
                'action_link',
                'action_rebook',
                'action_reconcile_again',
                'action_retry',
                'action_unlink_document',
            ),
            WORKS,
        ),
    },
    'ramp.record.ignore': {'action_confirm': 'invoicing'},
    'ramp.record.link': {'action_confirm': 'invoicing'},
    'report.ramp_connector.dashboard': dict.fromkeys(('get_dashboard', 'get_tie_out'), BOOKS),
    'ramp.run': {'action_undo': 'manager'},
    'ramp.setup': dict.fromkeys(
        (
            'action_ask_again',
            'action_back',
            'action_cancel',
            'action_check',
            'action_connect',
            'action_count_again',
            'action_next',
            'action_open_connection',
            'action_open_dashboard',
            'action_preview',
            'action_sign_in',
        ),
        'manager',
    ),
    'ramp.tie.out': {'action_open': BOOKS},
    'ramp.undo': dict.fromkeys(('action_open_lines', 'action_prepare', 'action_start'), 'manager'),
    'ramp.undo.line': dict.fromkeys(('action_open_in_ramp', 'action_retry'), 'manager'),
    'ramp.tie.out.sign.off': {'action_withdraw': 'manager', 'sign_month': 'manager'},
    'report.ramp_connector.tie_out': dict.fromkeys(
        (
            'get_options',
            'get_report',
            'get_first_page',
            'get_differences',
            'get_open_differences',
            'open_items',
            'open_owing',
        ),
        BOOKS,
    ),
    'res.partner': {
        **OPENS,
        'action_create_in_ramp': WORKS,
        'action_open_ramp_vendor': BOOKS,
        'action_open_vendor_in_ramp': STAFF,
    },
    'res.users': {
        'action_open_in_ramp': 'rights system',
        'action_open_ramp_record': BOOKS,
        'action_send_ramp_invitation': 'rights system',
    },
}
# Core lets everybody read these records, whatever their company. Values from Ramp are empty there.
SHARED = {'account.analytic.plan', 'hr.work.location', 'ramp.account.type', 'res.users'}
# All rights in another company
FOREIGN = ','.join(
    (
        'account.group_account_manager',
        'hr.group_hr_manager',
        'purchase.group_purchase_manager',
        'stock.group_stock_manager',
        'hr_expense.group_hr_expense_manager',
    )
)


class Undone(Exception):
    """Ends a savepoint and undoes its work."""


class RoleCase(RampCase):
    def once(self):
        super().once()
        self.held = self.spend(account=None)
        self.booked = self.spend()
        self.sync()
        elsewhere = self.env['res.company'].create({'name': 'Elsewhere'})
        here = {'company_id': self.company.id, 'company_ids': [Command.set(self.company.ids)]}
        self.users = {
            role: new_test_user(self.env, f'role_{role}', groups, **here)
            if groups
            else self.env.ref('base.public_user')
            for role, groups in ROLES.items()
        }
        self.users['foreign'] = new_test_user(
            self.env, 'role_foreign', FOREIGN, company_id=elsewhere.id, company_ids=[Command.set(elsewhere.ids)]
        )
        self.samples = self.make_samples()
        self.env.flush_all()

    def make_samples(self):
        """Return a record of each model that has anything of this addon, by model."""
        Model = self.env
        product = Model['product.product'].create({'name': 'Paper', 'type': 'consu'})
        supplier = Model['res.partner'].create({'name': 'Supplier', 'supplier_rank': 1, 'company_id': self.company.id})
        order = Model['purchase.order'].create(
            {
                'partner_id': supplier.id,
                'company_id': self.company.id,
                'order_line': [Command.create({'product_id': product.id, 'product_qty': 1, 'price_unit': 10})],
            }
        )
        order.button_confirm()
        bank = Model['account.journal'].search([('company_id', '=', self.company.id), ('type', '=', 'bank')], limit=1)
        payment = Model['account.payment'].create(
            {
                'payment_type': 'outbound',
                'partner_type': 'supplier',
                'partner_id': supplier.id,
                'amount': 10,
                'journal_id': bank.id,
            }
        )
        match = (
            Model['ramp.cardholder.match']
            .with_user(self.users['invoicing'])
            .create(
                {
                    'connection_id': self.connection.id,
                    'line_ids': [Command.create({'name': 'Grace', 'ramp_user_id': 'x'})],
                }
            )
        )
        setup = (
            Model['ramp.setup']
            .with_user(self.users['manager'])
            .create(
                {
                    'feature_ids': [Command.create({'feature': 'always', 'level': 'present'})],
                    'entity_ids': [Command.create({'name': 'Elsewhere Inc.', 'ramp_id': 'x'})],
                }
            )
        )
        move = self.move(self.booked)
        undo = Model['ramp.undo'].create(
            {'connection_id': self.connection.id, 'date_from': '2015-01-01', 'date_to': '2099-12-31'}
        )
        undo.action_prepare()
        accrual = Model['ramp.accrual'].create(
            {
                'connection_id': self.connection.id,
                'month': '2026-01-01',
                'line_ids': [
                    Command.create(
                        {
                            'company_id': self.company.id,
                            'month': '2026-01-01',
                            'record_id': self.record(self.held).id,
                            'currency_id': self.company.currency_id.id,
                        }
                    )
                ],
            }
        )
        samples = [
            self.connection,
            accrual,
            accrual.line_ids,
            undo,
            undo.line_ids[:1],
            undo.sum_ids[:1],
            Model['ramp.connection.check'].create(
                {
                    'connection_id': self.connection.id,
                    'check_key': 'scopes',
                    'level': 'error',
                    'case_name': 'missing',
                    'parameters': {'scopes': ['users:read']},
                    'fix_name': 'copy_scopes',
                    'checked_at': '2026-01-01 00:00:00',
                }
            ),
            self.record(self.held),
            self.record(self.held).cause_ids,
            Model['ramp.mapping'].create(
                {
                    'connection_id': self.connection.id,
                    'name': 'Insurance',
                    'ramp_type': 'GL_ACCOUNT',
                    'ramp_key': 'X-1',
                    'target': 'left_out',
                }
            ),
            Model['ramp.dry.run'].create(
                {'connection_id': self.connection.id, 'state': 'done', 'result': {'entries': []}}
            ),
            match,
            match.line_ids,
            setup,
            setup.feature_ids,
            setup.entity_ids,
            Model['ramp.run'].search([('connection_id', '=', self.connection.id)], limit=1),
            Model['ramp.account.type'].search([], limit=1),
            self.connection.bank_account_ids[:1],
            Model['ramp.tie.out'].search([('connection_id', '=', self.connection.id)], limit=1),
            Model['ramp.tie.out.sign.off'].create(
                {
                    'connection_id': self.connection.id,
                    'month': '2026-01-01',
                    'signer_id': self.users['manager'].id,
                    'signer_name': 'Grace',
                    'signed_at': '2026-02-01 00:00:00',
                    'figures': {'balances': {}},
                    'figures_digest': 'x',
                }
            ),
            Model['ramp.record.ignore']
            .with_user(self.users['invoicing'])
            .create({'record_ids': [Command.set(self.record(self.held).ids)], 'reason': 'Private'}),
            Model['ramp.record.link']
            .with_user(self.users['invoicing'])
            .create({'record_id': self.record(self.held).id}),
            Model['ramp.sign.in'].create({'refresh_token': 'x'}),
            Model['ramp.webhook'].create({'connection_id': self.connection.id}),
            Model['ramp.event'].create(
                {
                    'connection_id': self.connection.id,
                    'event_id': 'x',
                    'type': 'x',
                    'received_at': '2026-01-01 00:00:00',
                }
            ),
            Model['ramp.merchant'].create({'company_id': self.company.id, 'ramp_id': 'x', 'partner_id': supplier.id}),
            Model['ramp.change'].create({'flow': 'account', 'res_id': self.account_meals.id}),
            move,
            move.line_ids[:1],
            self.expense(self.booked),
            payment,
            order,
            order.order_line,
            order.picking_ids,
            supplier,
            self.employee,
            new_test_user(
                self.env, 'role_colleague', company_id=self.company.id, company_ids=[Command.set(self.company.ids)]
            ),
            self.account_meals,
            self.plan,
            self.analytic_move,
            Model['account.tax'].search(
                [('company_id', '=', self.company.id), ('type_tax_use', '=', 'purchase')], limit=1
            ),
            Model['hr.department'].create({'name': 'Sales', 'company_id': self.company.id}),
            Model['hr.work.location'].create(
                {
                    'name': 'Dock',
                    'company_id': self.company.id,
                    'address_id': self.company.partner_id.id,
                    'location_type': 'other',
                }
            ),
        ]
        return {sample._name: sample for sample in samples if sample}

    # ------------------------------------------------------------------ as a role

    def call(self, role, model, method, *args, context=None):
        """Return the result of a call over RPC by a role; raises what the call raises."""
        user = self.users[role]
        return call_kw(
            api.Environment(self.env.cr, user.id, {})[model],
            method,
            args,
            {'context': {'allowed_company_ids': user.company_ids.ids, **(context or {})}},
        )

    def is_let(self, role, model, method, *args, context=None):
        """Whether the role may make a call. Only a refusal of access counts as a no, as many arguments are missing
        here. The work of the call is undone.
        """
        reads = method.startswith(('read', 'search', 'action_open', 'fields_get'))
        try:
            with contextlib.nullcontext() if reads else self.env.cr.savepoint():
                self.call(role, model, method, *args, context=context)
                raise Undone
        except AccessError:
            return False
        except Exception:  # the savepoint has undone the work
            return True

    def those(self, test):
        """Return the roles for which the test holds."""
        loud = (
            'odoo.addons.base.models.ir_model',
            'odoo.addons.base.models.ir_rule',
            'odoo.orm.models',
            'odoo.models',
            'odoo.sql_db',
        )
        with mute_logger(*loud):
            return {role for role in ROLES if test(role)}

    def assertRoles(self, expected, test):
        expected = set(expected.split())
        self.assertLessEqual(expected, ROLES.keys())
        self.assertEqual(self.those(test), expected)

    def as_role(self, role, model):
        """Return the sample of a model in the environment of a role."""
        user = self.users[role]
        return self.samples[model].with_env(
            api.Environment(self.env.cr, user.id, {'allowed_company_ids': user.company_ids.ids})
        )

    def ids(self, model):
        return self.samples[model].ids

    # ------------------------------------------------------------------ models, fields and methods

    def own_models(self):
        """Return the names of this addon's models that have records."""
        return {
            name
            for name, model in self.env.registry.items()
            if model._original_module == 'ramp_connector' and not model._abstract
        }

    def own_fields(self):
        """Return {model of another addon: names of this addon's fields on it}."""
        found = {
            name: {
                field
                for field, definition in model._fields.items()
                if field.startswith('ramp_') and not definition.inherited
            }
            for name, model in self.env.registry.items()
            if not model._abstract and model._original_module != 'ramp_connector'
        }
        return {name: fields for name, fields in found.items() if fields}

    def own_methods(self):
        """Return {model: names of this addon's public methods on it}, without those of the ORM, which check access
        themselves.
        """
        found = {}
        for model, registry_class in self.env.registry.items():
            if model in MIXINS:
                continue
            names = {
                name
                for cls in registry_class.mro()
                if cls.__module__.startswith('odoo.addons.ramp_connector.')
                for name, value in vars(cls).items()
                if not name.startswith('_')
                and (inspect.isfunction(value) or isinstance(value, (classmethod, staticmethod)))
            }
            names = {
                name
                for name in names
                if not hasattr(models.BaseModel, name)
                and not any(getattr(getattr(cls, name, None), '_api_private', False) for cls in registry_class.mro())
            }
            if names:
                found[model] = names
        return found


@tagged('post_install', '-at_install', 'ramp')
class TestRoles(RoleCase):
    def test_tables_are_complete(self):
        self.assertEqual(self.own_models(), ACCESS.keys())
        self.assertEqual(self.own_fields(), {model: set(fields) for model, fields in FIELDS.items()})
        self.assertEqual(self.own_methods(), {model: set(methods) for model, methods in METHODS.items()})
        self.assertEqual({*ACCESS, *FIELDS}, self.samples.keys())
        self.assertEqual(self.those(lambda role: self.users[role]._is_public()), {'public'})

    def test_models(self):
        for model, expected in ACCESS.items():
            ids = self.ids(model)
            for (method, *args), roles in zip(
                (('read', ids, ['id']), ('write', ids, {}), ('create', {}), ('unlink', ids)), expected, strict=True
            ):
                with self.subTest(model=model, method=method):
                    self.assertRoles(roles, lambda role, call=(model, method, *args): self.is_let(role, *call))

    def test_fields(self):
        for model, fields in FIELDS.items():
            got = {role: self.call(role, model, 'fields_get', list(fields), ['readonly']) for role in ROLES}
            for field, (readers, writers) in fields.items():
                with self.subTest(model=model, field=field):
                    shown = {role: got[role][field] for role in ROLES if field in got[role]}
                    self.assertEqual(shown.keys(), set(readers.split()))
                    self.assertEqual(
                        {role for role, field in shown.items() if not field['readonly']}, set(writers.split())
                    )

    def test_what_the_connector_writes(self):
        """Only the connector writes its fields. No role can, by `write`, by `create` or by a default in the context."""
        for model, ids in ((model, self.ids(model)) for model in (*FIELDS, 'ramp.connection')):
            own = {
                name: field
                for name, field in self.env[model]._fields.items()
                if self.env[model]._is_connector_field(field)
            }
            self.assertLessEqual({name for name, roles in FIELDS.get(model, {}).items() if not roles[1]}, own.keys())
            stored = [name for name, field in own.items() if field.store]
            for role in ROLES:
                record = self.as_role(role, model)
                if record.has_access('write'):
                    for name in own:
                        with self.subTest(model=model, role=role, field=name):
                            self.assertFalse(self.is_let(role, model, 'write', ids, {name: 'x'}))
                if stored and record.browse().has_access('create'):
                    with self.subTest(model=model, role=role):
                        self.assertFalse(self.is_let(role, model, 'create', {stored[0]: 'x'}))
                        self.assertFalse(self.is_let(role, model, 'create', {}, context={f'default_{stored[-1]}': 'x'}))

    def test_methods(self):
        arguments = {
            'get_options': (),
            'get_report': self.connection.ids,
            'get_first_page': self.connection.ids,
            'get_differences': (self.connection.id, 1, False, '2026-07'),
            'get_open_differences': (self.connection.id, 'vendor', False, 1),
            'get_dashboard': self.connection.ids,
            'get_tie_out': self.connection.ids,
            'open_items': (self.connection.id, 'ramp', 1),
            'open_owing': (self.connection.id, 'vendor', 'ramp', 1, 1),
            'sign_month': (self.connection.id, '2026-01'),
            'open_month': (self.connection.id, '2026-01'),
            'action_withdraw': (self.ids('ramp.tie.out.sign.off'), 'A reason'),
        }
        for model, methods in METHODS.items():
            for method, roles in methods.items():
                args = arguments[method] if method in arguments else [self.ids(model)]
                with self.subTest(model=model, method=method):
                    self.assertRoles(roles, lambda role, call=(model, method, *args): self.is_let(role, *call))
                    if model not in SHARED and method != 'get_options':
                        self.assertFalse(self.is_let('foreign', model, method, *args))

    def test_own_rules_of_the_ledger(self):
        """An administrator's own record rule on the ledger counts for the buttons of documents that open a row."""
        self.env['ramp.record'].create(
            {
                'connection_id': self.connection.id,
                'company_id': self.company.id,
                'flow': 'vendor',
                'ramp_id': 'the vendor',
                'res_model': 'res.partner',
                'res_id': self.samples['res.partner'].id,
                'state': 'confirmed',
            }
        )
        calls = {
            'account.move': 'action_open_ramp_record',
            'hr.expense': 'action_open_ramp_record',
            'res.partner': 'action_open_ramp_vendor',
        }
        for is_hidden in (False, True):
            if is_hidden:
                self.env['ir.rule'].create(
                    {
                        'name': 'Nobody sees the ledger',
                        'model_id': self.env['ir.model']._get_id('ramp.record'),
                        'domain_force': "[('id', '=', 0)]",
                    }
                )
            self.env.flush_all()
            self.env.invalidate_all()
            for model, method in calls.items():
                with self.subTest(model=model, is_hidden=is_hidden):
                    self.assertEqual(self.is_let('bookkeeper', model, method, self.ids(model)), not is_hidden)

    def test_own_rules_of_connections(self):
        """An administrator's own record rule on connections counts for what is done for one of them."""
        calls = (
            ('invoicing', 'ramp.mapping', 'write', self.ids('ramp.mapping'), {}),
            ('invoicing', 'ramp.dry.run', 'create', {'connection_id': self.connection.id}),
            ('manager', 'ramp.undo', 'action_prepare', self.ids('ramp.undo')),
        )
        for is_hidden in (False, True):
            if is_hidden:
                self.env['ir.rule'].create(
                    {
                        'name': 'Nobody sees a connection',
                        'model_id': self.env['ir.model']._get_id('ramp.connection'),
                        'domain_force': "[('id', '=', 0)]",
                    }
                )
            self.env.flush_all()
            self.env.invalidate_all()
            for role, model, method, *arguments in calls:
                with self.subTest(model=model, is_hidden=is_hidden):
                    self.assertEqual(self.is_let(role, model, method, *arguments), not is_hidden)

    def test_another_company(self):
        """A user with all rights in another company reads and finds nothing of this one."""
        for model in ACCESS:
            if model in SHARED:
                continue
            ids = self.ids(model)
            with self.subTest(model=model):
                for method, *args in (('read', ids, ['id']), ('write', ids, {}), ('unlink', ids)):
                    self.assertFalse(self.is_let('foreign', model, method, *args))
                if self.is_let('foreign', model, 'search', []):
                    self.assertEqual(self.call('foreign', model, 'search', [('id', 'in', ids)]), [])
        self.assertEqual(self.call('foreign', 'report.ramp_connector.tie_out', 'get_options'), {'connections': []})
        for model, fields in FIELDS.items():
            if not self.is_let('foreign', model, 'read', self.ids(model), ['id']):
                continue
            for companies in (self.users['foreign'].company_ids.ids, self.company.ids):  # real, and forged
                got = self.call('foreign', model, 'fields_get', list(fields), ['readonly'])
                shown = [name for name in got if name not in ('ramp_user_id', 'ramp_invite', 'ramp_spend_vendor')]
                with (
                    self.subTest(model=model, companies=companies),
                    contextlib.suppress(AccessError),
                ):  # a refusal is fine, too
                    [row] = self.call(
                        'foreign', model, 'read', self.ids(model), shown, context={'allowed_company_ids': companies}
                    )
                    self.assertEqual({name: row[name] for name in shown if row[name]}, {})

    def test_whole_records(self):
        """The addon's fields keep no role from reading a whole record. Fields that the role may not see are left out."""
        for model, fields in FIELDS.items():
            for role in ROLES:
                shown = self.call(role, model, 'fields_get', list(fields), ['type'])
                if shown and self.as_role(role, model).has_access('read'):
                    with self.subTest(model=model, role=role):
                        [row] = self.call(role, model, 'read', self.ids(model), list(shown))
                        self.assertLessEqual(shown.keys(), row.keys())
        for role in ROLES:
            if role not in ('public', 'portal', 'system'):  # core gives these no whole employee
                with self.subTest(role):
                    self.assertTrue(self.call(role, 'hr.employee', 'read', self.ids('hr.employee'), []))
