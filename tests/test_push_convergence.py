# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import itertools
from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st

from odoo import Command
from odoo.exceptions import UserError
from odoo.tests import tagged

from ..simulator.coding import in_books_of
from ..simulator.endpoints.accounting_connection import find_active_connection
from ..simulator.faults import FAULTS_AFTER_WORK
from .properties import examples, in_turn
from .test_push import CODING, PushCase

ROUNDS = 8  # of all jobs; after them nothing may change any more
TABLES = {
    '/accounting/accounts': 'accounts',
    '/accounting/fields': 'fields',
    '/accounting/field-options': 'options',
    '/accounting/tax/rates': 'tax_rates',
    '/accounting/tax/code/options': 'tax_options',
    '/accounting/vendors': 'accounting_vendors',
}
FLOWS = {
    'account': 'accounts',
    'analytic_plan': 'fields',
    'analytic_account': 'options',
    'tax_rate': 'tax_rates',
    'tax_code': 'tax_options',
    'accounting_vendor': 'accounting_vendors',
}
CLASSES = {
    'expense': 'EXPENSE',
    'expense_direct_cost': 'EXPENSE',
    'asset_current': 'ASSET',
    'liability_current': 'LIABILITY',
    'liability_credit_card': 'CREDCARD',
    'income': 'REVENUE',
    'income_other': 'REVENUE',
    'equity': 'EQUITY',
}
TYPES = ('expense', 'expense_direct_cost', 'asset_current', 'income')
KINDS = ('account', 'plan', 'analytic', 'tax', 'vendor')
FAULTS = (
    {'kind': 'server_error', 'status': 500},
    {'kind': 'server_error', 'status': 503},
    {'kind': 'error_after', 'status': 502},
    {'kind': 'error_after', 'status': 500},
    {'kind': 'drop_after'},
    {'kind': 'drop_before'},
    {'kind': 'truncate'},
    {'kind': 'rate_limit', 'retry_after': 0},
    {'kind': 'timeout_before', 'seconds': 0.01},
    {'kind': 'timeout_after', 'seconds': 0.01},
)
numbers = st.integers(0, 9)
DEEDS = (
    'create',
    'rename',
    'rename',
    'recode',
    'archive',
    'archive',
    'delete',
    'move',
    'move',
    'type',
    'subplan',
    'tax',
    'policy',
    'policy',
    'plans',
    'plans',
    'switch_taxes',
    'switch_vendors',
    'push_all',
    'disconnect',
)
deed = st.tuples(st.sampled_from(DEEDS), numbers, numbers)
run = st.just(('run', 0, 0))
fault = st.tuples(st.just('fault'), st.integers(0, 10 * len(FAULTS) - 1), st.integers(0, 14))
crash = st.tuples(st.just('crash'), st.integers(0, 4), st.just(0))
steps = st.lists(st.one_of(deed, deed, deed, run, fault, crash), min_size=2, max_size=16)


class Watch:
    """Checks each write before Ramp does it: whether it changes anything, and whether it may be sent."""

    def __init__(self, ramp):
        self.ramp, self.wrong = ramp, []
        ramp.add_before_hook(self.look)

    def look(self, method, path, body):
        path = path.removeprefix('/developer/v1')
        if method == 'GET' or not path.startswith('/accounting/') or path.startswith('/accounting/connection'):
            return
        with self.ramp.state.lock:
            said = self.said(method, path, body or {})
        if said and not (self.is_again() and (method != 'POST' or path == '/accounting/fields')):
            self.wrong.append(f'{method} {path} {body}: {said}')

    def is_again(self):
        """Whether the client itself repeats this request because its answer was lost a moment ago. Anybody else has to
        read first.
        """
        this, *before = reversed(self.ramp.requests)
        same = itertools.takewhile(
            lambda entry: (entry['method'], entry['path']) == (this['method'], this['path']), before
        )
        return any(entry['fault'] in FAULTS_AFTER_WORK for entry in same)

    def said(self, method, path, body):
        """Return what is wrong with a request, or None."""
        state = self.ramp.state
        if method == 'POST':
            return self.posted(state, path, body)
        table, _slash, ident = path.rpartition('/')
        row = state[TABLES[table]].get_row(ident)
        if not row:
            return 'of an object that Ramp does not have'
        shown = row.get('is_active', True)
        if method == 'DELETE':
            return None if shown else 'is deleted already'
        if 'reactivate' in body and not shown:
            return None
        return (
            None
            if any(row.get(key) != value for key, value in body.items() if key != 'reactivate')
            else 'says nothing new'
        )

    def posted(self, state, path, body):
        if path == '/accounting/tax/code':
            return 'the field is there' if any(map(self.here, state['tax_codes'])) else None
        if path == '/accounting/fields':
            row = next((row for row in state['fields'] if row['id'] == body['id'] and self.here(row)), None)
            return 'the field is there' if row and row['is_active'] else None
        items = next(value for value in body.values() if isinstance(value, list))
        known = {
            row['id'] for row in state[TABLES[path]] if self.here(row) and row.get('_field') == body.get('field_id')
        }
        twice = [item['id'] for item in items if item['id'] in known]
        return f'exist already: {twice}' if twice else None

    def here(self, row):
        return in_books_of(find_active_connection(self.ramp.state))(row)


@tagged('post_install', '-at_install', 'ramp')
class TestConvergence(PushCase):
    """Ramp shows in the end what Odoo offers, and no request was useless, whatever happens in Odoo and on the way."""

    @classmethod
    def prepare(cls):
        super().prepare()
        # Each root plan has columns of its own. They do not concern Ramp, and a registry cannot be rolled back.
        cls.classPatch(type(cls.env['account.analytic.plan']), '_sync_all_plan_column', lambda self: None)
        cls.classPatch(
            type(cls.env['account.analytic.account']),
            '_update_accounts_in_analytic_lines',
            lambda self, *args, **kwargs: None,
        )
        cls.env['account.tax'].search([('company_id', '=', cls.company.id)]).active = False
        cls.tax_account = (
            cls.env['account.account']
            .with_company(cls.company)
            .create(
                {
                    'name': 'Input tax',
                    'code': '650009',
                    'account_type': 'asset_current',
                    'company_ids': [Command.set(cls.company.ids)],
                }
            )
        )
        cls.country = cls.company.account_fiscal_country_id

    def setUp(self):
        super().setUp()
        self.ramp.keep_bodies = True
        self.crash_in = None
        Record = self.env.registry['ramp.record']
        self.patch(Record, '_store_sent', self.crash(Record._store_sent))
        self.new_tax('Tax A', 10)
        self.env['res.partner'].create({'name': 'Supplier A', 'supplier_rank': 1, 'company_id': False})
        self.connection.offer_taxes = True
        self.env.flush_all()

    # ------------------------------------------------------------------ the expected state, without code of the addon

    def of_company(self, model, *domain):
        return self.env[model].with_context(active_test=False).with_company(self.company).search([*domain], order='id')

    def things(self, kind):
        """Return the records that a step may change, also archived ones."""
        return {
            'account': lambda: self.of_company(
                'account.account', ('company_ids', 'in', self.company.ids), ('code', '=like', '6500%')
            ),
            'plan': lambda: self.of_company('account.analytic.plan', ('name', '=like', 'Ramp %')),
            'analytic': lambda: self.of_company('account.analytic.account', ('plan_id', 'in', self.things('plan').ids)),
            'tax': lambda: self.of_company(
                'account.tax', ('company_id', '=', self.company.id), ('name', '=like', 'Tax %')
            ),
            'vendor': lambda: self.of_company(
                'res.partner', ('supplier_rank', '>', 0), ('name', '=like', 'Supplier %')
            ),
        }[kind]()

    def wanted(self):
        """Return what Ramp should show: a list for each kind, without the ids that Ramp gives."""
        connection, found = self.connection, {}
        types = set(connection.account_type_ids.mapped('code')) if connection.account_policy == 'types' else None
        accounts = self.of_company('account.account', ('company_ids', 'in', self.company.ids)).filtered(
            lambda account: (
                account.active
                and account.account_type != 'liability_credit_card'
                and (types is None or account.account_type in types or account in self.tax_accounts())
            )
        )
        found['accounts'] = Counter(
            (self.external(account), account.name, account.code or '', CLASSES[account.account_type])
            for account in accounts
        )
        plans = connection.analytic_plan_ids.filtered(lambda plan: not plan.parent_id)
        found['fields'] = Counter((self.external(plan), plan.name) for plan in plans)
        found['options'] = Counter(
            (self.external(account.root_plan_id), self.external(account), account.name, account.code or '')
            for account in self.of_company('account.analytic.account', ('company_id', 'in', (False, self.company.id)))
            if account.active and account.root_plan_id in plans
        )
        taxes = self.of_company('account.tax', ('company_id', '=', self.company.id)).filtered(
            lambda tax: (
                connection.offer_taxes
                and tax.active
                and tax.type_tax_use == 'purchase'
                and self.tax_parts(tax, accounts)
            )
        )
        found['tax_options'] = Counter(
            (
                self.external(tax),
                tax.name,
                tuple(
                    sorted(
                        (part.name, round(part.amount, 4), self.external(self.account_of(part)))
                        for part in self.tax_parts(tax, accounts)
                    )
                ),
            )
            for tax in taxes
        )
        found['accounting_vendors'] = Counter(
            (self.external(partner), partner.name, partner.ref or '')
            for partner in self.of_company('res.partner', ('supplier_rank', '>', 0), ('parent_id', '=', False))
            if partner.active
            and connection.offer_vendors
            and partner.company_id in (self.company, self.env['res.company'])
        )
        return found

    def account_of(self, tax):
        return tax.invoice_repartition_line_ids.filtered(lambda line: line.repartition_type == 'tax').account_id

    def tax_parts(self, tax, accounts):
        """Return the rates of a tax if all of them can be offered, else None."""
        parts = tax.children_tax_ids.filtered('active') if tax.amount_type == 'group' else tax
        return parts if all(self.account_of(part) in accounts for part in parts) else None

    def tax_accounts(self):
        """Return the accounts of the offered taxes, which Ramp must have whatever types are chosen."""
        if not self.connection.offer_taxes:
            return self.env['account.account']
        taxes = self.of_company('account.tax', ('company_id', '=', self.company.id)).filtered(
            lambda tax: tax.active and tax.type_tax_use == 'purchase'
        )
        parts = (taxes + taxes.filtered(lambda tax: tax.amount_type == 'group').children_tax_ids).filtered(
            lambda tax: tax.active and tax.amount_type == 'percent'
        )
        return self.account_of(parts)

    def shown(self):
        """Return what Ramp shows, in the form of `wanted`. Ids come without their generation."""
        state, here = self.ramp.state, in_books_of(find_active_connection(self.ramp.state))

        def rows(table):
            return [
                row
                for row in state[table]
                if here(row) and row.get('is_active', True) and row.get('visibility') != 'HIDDEN'
            ]

        accounts = {row['ramp_id']: row for row in rows('accounts')}
        fields = {row['ramp_id']: row for row in rows('fields')}
        rates = {row['id']: row for row in state['tax_rates'] if here(row)}
        return {
            'accounts': Counter(
                (own(row), row['name'], row['code'], row['classification']) for row in accounts.values()
            ),
            'fields': Counter(
                (row['id'], row['display_name']) for row in fields.values() if row['name'] == row['display_name']
            ),
            'options': Counter(
                (fields[row['_field']]['id'], row['id'], row['value'], row['code'])
                for row in rows('options')
                if row['_field'] in fields
            ),
            'tax_options': Counter(
                (
                    own(row),
                    row['name'],
                    tuple(
                        sorted(
                            (
                                rates[rate]['name'],
                                round(float(rates[rate]['rate']) * 100, 4),
                                own(
                                    accounts.get(rates[rate]['accounting_gl_account_id'], {'id': 'of a hidden account'})
                                ),
                            )
                            for rate in row['tax_rate_ids']
                        )
                    ),
                )
                for row in rows('tax_options')
            ),
            'accounting_vendors': Counter((row['id'], row['name'], row['code']) for row in rows('accounting_vendors')),
        }

    # ------------------------------------------------------------------ steps

    def pick(self, kind, number):
        records = self.things(kind)
        return records[number % len(records)] if records else records

    def new_tax(self, name, amount):
        group = self.env['account.tax.group'].search([('company_id', '=', self.company.id)], limit=1)
        lines = [
            Command.clear(),
            Command.create({'repartition_type': 'base'}),
            Command.create({'repartition_type': 'tax', 'account_id': self.tax_account.id}),
        ]
        return self.env['account.tax'].create(
            {
                'name': name,
                'amount': amount,
                'type_tax_use': 'purchase',
                'company_id': self.company.id,
                'tax_group_id': group.id,
                'country_id': self.country.id,
                'invoice_repartition_line_ids': lines,
                'refund_repartition_line_ids': lines,
            }
        )

    def do_create(self, kind, number):
        kind, stamp = KINDS[kind % len(KINDS)], next(self.stamps)
        if kind == 'account':
            self.env['account.account'].with_company(self.company).create(
                {
                    'name': f'Account {stamp}',
                    'code': f'6500{stamp + 10}',
                    'account_type': TYPES[number % len(TYPES)],
                    'company_ids': [Command.set(self.company.ids)],
                }
            )
        elif kind == 'plan':
            self.env['account.analytic.plan'].create({'name': f'Ramp {stamp}'})
        elif kind == 'analytic':
            self.env['account.analytic.account'].create(
                {
                    'name': f'Analytic {stamp}',
                    'plan_id': self.pick('plan', number).id,
                    'company_id': self.company.id if number % 2 else False,
                }
            )
        elif kind == 'tax':
            tax = self.new_tax(f'Tax {stamp}', 1 + stamp / 8)
            if number % 3 == 0:
                parts = (self.things('tax') - tax).filtered(lambda part: part.amount_type == 'percent')[:2]
                tax.write({'amount_type': 'group', 'children_tax_ids': [Command.set(parts.ids)]})
        else:
            self.env['res.partner'].create(
                {'name': f'Supplier {stamp}', 'supplier_rank': 1, 'ref': f'S{stamp}' if number % 2 else False}
            )

    def do_rename(self, kind, number):
        kind = KINDS[kind % len(KINDS)]
        word = {'account': 'Account', 'plan': 'Ramp', 'analytic': 'Analytic', 'tax': 'Tax', 'vendor': 'Supplier'}[kind]
        thing = self.pick(kind, number)
        thing.name = f'{word} {next(self.stamps)}'

    def do_recode(self, kind, number):
        kind = ('account', 'analytic', 'vendor')[kind % 3]
        name = {'account': 'code', 'analytic': 'code', 'vendor': 'ref'}[kind]
        stamp = next(self.stamps)
        self.pick(kind, number)[name] = (
            f'6500{stamp + 10}' if kind == 'account' else False if stamp % 4 == 0 else f'C{stamp}'
        )

    def do_archive(self, kind, number):
        """Archive a record, or restore an archived one."""
        thing = self.pick(('account', 'analytic', 'tax', 'vendor')[kind % 4], number)
        thing.active = not thing.active

    def do_delete(self, kind, number):
        kind = KINDS[kind % len(KINDS)]
        thing = self.pick(kind, number)
        if (
            kind == 'account'
            and thing == self.tax_account
            or kind == 'plan'
            and (thing.children_ids or thing in self.plan + self.other_plan)
        ):
            return
        if kind == 'plan':
            self.of_company('account.analytic.account', ('plan_id', '=', thing.id)).unlink()
        if kind == 'tax' and self.of_company('account.tax', ('children_tax_ids', 'in', thing.ids)):
            return
        thing.unlink()

    def do_move(self, number, plan):
        self.pick('analytic', number).plan_id = self.pick('plan', plan)

    def do_type(self, number, kind):
        account = self.pick('account', number)
        if account != self.tax_account or kind % 2:
            account.account_type = TYPES[kind % len(TYPES)]

    def do_subplan(self, number, other):
        """Move a plan below another one, or make it a root again."""
        plan, parent = self.pick('plan', number), self.pick('plan', other)
        plan.parent_id = False if plan.parent_id or parent == plan or parent.parent_id or plan.children_ids else parent

    def do_tax(self, number, amount):
        tax = self.pick('tax', number)
        if tax.amount_type == 'percent':
            tax.amount = amount

    def do_policy(self, number, _other):
        if number % 3 == 0:
            self.connection.account_policy = 'all'
        else:
            types = self.env['ramp.account.type'].search([('code', 'in', TYPES[number % 4 :] + TYPES[: number % 3])])
            self.connection.write({'account_policy': 'types', 'account_type_ids': [Command.set(types.ids)]})

    def do_plans(self, number, _other):
        plans = self.things('plan').filtered(lambda plan: not plan.parent_id)
        self.connection.analytic_plan_ids = plans.filtered(lambda plan: (plan.id + number) % 3 != 0 if number else True)

    def do_switch_taxes(self, *_numbers):
        self.connection.offer_taxes = not self.connection.offer_taxes

    def do_switch_vendors(self, *_numbers):
        self.connection.offer_vendors = not self.connection.offer_vendors

    def do_push_all(self, *_numbers):
        if self.connection.state == 'connected':
            self.connection.action_push_all()

    def do_disconnect(self, *_numbers):
        """Disconnect, or connect if it is disconnected."""
        try:
            with self.env.cr.savepoint():
                if self.connection.state == 'connected':
                    self.connection.action_disconnect()
                else:
                    self.connection.action_connect()
        except UserError:
            self.assertTrue(self.ramp.faults.list_waiting_faults(), 'refused without a reason')

    def do_run(self, *_numbers):
        self.sync(*CODING, now=self.connection.state == 'connected')

    def do_fault(self, number, skip):
        options = FAULTS[number % len(FAULTS)]
        self.ramp.faults.add_fault(
            path='/accounting/*',
            skip=skip,
            count=1 + 3 * (number // 50),
            method=(None, 'GET', 'POST', 'PATCH')[number // 10 % 4],
            **options,
        )

    def do_crash(self, number, _other):
        """Let the job die after Ramp has done its work and before it is stored, now or some steps later."""
        self.crash_in = number

    # ------------------------------------------------------------------ the property

    def ledger(self):
        self.env.cr.execute("""
            SELECT flow, res_id, remote_id, ramp_id, state, error_message, payload::text, is_uncertain FROM ramp_record
             WHERE remote_id IS NOT NULL ORDER BY id""")
        return self.env.cr.fetchall()

    def settle(self):
        """Stop the faults, and run the jobs until nothing changes."""
        self.ramp.faults.clear_faults()
        self.crash_in = None
        if not any(row['is_active'] for row in self.ramp.state['connections']) and self.connection.state == 'connected':
            self.connection.action_disconnect()
        if self.connection.state != 'connected':
            self.connection.action_connect()
        for _round in range(ROUNDS):
            before, sent = self.ledger(), len(self.ramp.list_write_calls())
            runs = self.sync(*CODING, now=True)
            self.assertEqual(runs.filtered(lambda run: run.state != 'done').mapped('message'), [])
            if (self.ledger(), len(self.ramp.list_write_calls())) == (before, sent):
                return
        self.fail(
            f'not quiet after {ROUNDS} rounds: '
            f'{[(entry["method"], entry["path"]) for entry in self.ramp.list_write_calls()[-6:]]}'
        )

    def assert_converged(self):
        self.settle()
        wanted, shown = self.wanted(), self.shown()
        for kind, rows in wanted.items():
            self.assertEqual(
                (sorted(rows - shown[kind]), sorted(shown[kind] - rows)),
                ([], []),
                f'{kind}: wanted and not shown; shown and not wanted',
            )
        self.assert_ledger(wanted)
        here = in_books_of(find_active_connection(self.ramp.state))
        for table in FLOWS.values():
            names = Counter((row.get('_field'), row['id']) for row in self.ramp.state[table] if here(row))
            self.assertEqual([name for name, count in names.items() if count > 1], [], f'{table}: twice')

    def assert_ledger(self, wanted):
        """Assert that every row of the ledger is true."""
        for row in self.env['ramp.record'].search([('remote_id', '!=', False)]):
            text = f'{row.flow} {row.remote_id} {row.state} {row.error_message or ""} {row.payload}'
            flow, table = self.env[f'ramp.flow.{row.flow}'], FLOWS[row.flow]
            remote = self.ramp.state[table].get_row(row.ramp_id) if row.ramp_id else None
            self.assertEqual(bool(row.ramp_id), bool(row.payload), text)
            if remote:
                self.assertEqual(remote['id'], row.remote_id, text)
                query = {'field_id': remote['_field']} if '_field' in remote else {}
                real = flow._read_remote_object(remote, query).values
                self.assertEqual({**real, 'active': None}, {**row.payload, 'active': None}, text)
            elif row.ramp_id:
                self.fail(f'{text}: Ramp never had it')
            offered = any(own({'id': row.remote_id}) in (name[0], name[1]) for name in wanted.get(table, ()))
            if row.state == 'confirmed':
                self.assertTrue(offered or row.flow == 'tax_rate', text)
            elif row.state == 'ignored':
                self.assertFalse(offered, f'{text} {wanted.get(table)}')
                self.assertTrue(row.error_message, text)
            elif row.state == 'held':
                self.assertIn(row.flow, ('tax_rate',), text)
            else:
                self.assertEqual((row.state, row.flow), ('pending', 'tax_code'), text)
            if row.is_uncertain:  # it is not read while it waits for something else, or if its whole field is deleted
                self.assertTrue(
                    row.state in ('pending', 'held') or row.flow == 'analytic_account' and row.state == 'ignored', text
                )

    def play(self, steps, first):
        self.stamps = itertools.count(1)
        if first:
            self.do_run()
        for deed, number, other in steps:
            if (
                deed
                in (
                    'run',
                    'fault',
                    'crash',
                    'policy',
                    'plans',
                    'switch_taxes',
                    'switch_vendors',
                    'push_all',
                    'disconnect',
                )
                or deed == 'create'
                or self.things(
                    {'move': 'analytic', 'type': 'account', 'subplan': 'plan', 'tax': 'tax'}.get(deed, 'account')
                )
            ):
                getattr(self, f'do_{deed}')(number, other)
                self.env.flush_all()
        self.assert_converged()
        self.assertEqual(self.watch.wrong, [])
        self.ramp.assert_clean()
        self.assertEqual(self.ramp.request_violations, [])

    @in_turn
    @examples(2)
    @given(steps=steps, first=st.booleans())
    @example(steps=[('fault', 24, 0), ('run', 0, 0)], first=False)  # the answer to the first upload is lost
    @example(steps=[('create', 0, 0), ('fault', 26, 0), ('run', 0, 0), ('delete', 0, 4)], first=True)
    @example(steps=[('run', 0, 0), ('archive', 0, 3)], first=False)  # the account of a tax that is offered
    def test_property_ramp_shows_what_odoo_offers(self, steps, first):
        self.ramp._before.clear()
        self.watch = Watch(self.ramp)
        with self.isolated():
            self.play(steps, first)


def own(row):
    """Return the id of an object without the suffix that tells it from the one that it replaced."""
    return row['id'].partition('.')[0]
