# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import copy
import functools
import math
import re
import time
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from decimal import Decimal
from unittest.mock import patch

import odoo.modules.module
from odoo import SUPERUSER_ID, Command
from odoo.addons.base.models.ir_cron import MIN_TIME_PER_JOB
from odoo.api import Environment
from odoo.exceptions import UserError
from odoo.tests import HttpCase, TransactionCase, new_test_user, tagged

from ..flows.engine.flow import RampFlow
from ..models import ramp_connection_api, ramp_connection_reach, token_stores
from ..ramp_api import RampClient, SlidingWindow, limiter
from ..simulator import Seed, Simulator
from .company import ACCOUNTS, PLANS, USERS, company_of, employees_of
from .smoke import SmokeTags


def impatient(client):
    """Make clients that do not wait. The waits have tests of their own, and would slow down the others."""
    return functools.partial(
        client, sleep=lambda seconds: None, limiter=SlidingWindow('test', limit=10**6, shared=False)
    )


class Killed(UserError):
    """Stands for the death of the process: everything that was not committed is lost."""

    def __init__(self):
        super().__init__('Killed')


@tagged('post_install', '-at_install', 'ramp')
class RampCase(SmokeTags, TransactionCase):
    """A company, its people and a simulated Ramp over HTTP on this machine, joined by a connection.

    The state is made once for the class, and each test begins with it. The flows run as in production: through their
    jobs, with cursors that commit (here to savepoints).
    """

    seed = {'transactions': 0}
    connect = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # In production a job begins later than the request for it, also in the whole seconds that are stored. Here both
        # are in one transaction, so its time is set back by a second.
        cls.cr._now = cls.cr.now() - timedelta(seconds=1)
        cls.company = company_of(cls.env)
        cls.env.user.write({'company_ids': [Command.link(cls.company.id)], 'company_id': cls.company.id})
        cls.env = cls.env(context=dict(cls.env.context, allowed_company_ids=cls.company.ids, lang='en_US', tz='UTC'))
        cls.company = cls.company.with_env(cls.env)
        cls.account_meals, cls.account_travel, cls.account_software = (
            cls.env['account.account'].search([('company_ids', 'in', cls.company.ids), ('code', '=', code)])
            for code in ACCOUNTS
        )
        cls.plan, cls.other_plan = (cls.env['account.analytic.plan'].search([('name', '=', name)]) for name in PLANS)
        cls.analytic_move, cls.analytic_fair, cls.analytic_europe = (
            cls.env['account.analytic.account'].search([('plan_id.name', '=', plan), ('name', '=', name)])
            for plan, names in PLANS.items()
            for name in names
        )
        cls.classPatch(ramp_connection_api, 'RampClient', impatient(RampClient))
        cls.classPatch(
            type(cls.env['ramp.flow.pull']), '_reread_pause', timedelta(0)
        )  # tests do within a second what takes days in production
        # ANALYZE counts the rows of a test's own transaction, and its result outlives the rollback. The planner would
        # then take full tables for empty ones.
        cls.classPatch(type(cls.env['ramp.record']), '_refresh_statistics', lambda records: None)
        cls.classPatch(
            RampFlow, '_is_job_time_up', lambda flow: False
        )  # also on a slow machine; other tests cover the limit
        cls.classPatch(RampFlow, '_get_job_seconds', lambda flow: math.inf)
        # Tests do not wait until a Ramp that did not answer is asked again.
        cls.classPatch(ramp_connection_reach, 'FIRST_PAUSE', timedelta(0))
        cls.classPatch(ramp_connection_reach, 'LONGEST_PAUSE', timedelta(0))
        cls._memory = None
        cls.prepare()
        cls.ramp = cls.simulate()
        cls.employees = employees_of(cls.env, cls.company, list(cls.ramp.state['users']))
        cls.employee = cls.employees[0]
        cls.user_id = next(iter(cls.ramp.state['users']))['id']
        cls.primary = next(iter(cls.ramp.state['entities']))['id']
        cls.connection = cls.env['ramp.connection'].create(
            {
                'name': 'Ramp',
                'company_id': cls.company.id,
                'environment': 'custom',
                'api_url': cls.ramp.api_url,
                'client_id': cls.ramp.client_id,
                'client_secret': cls.ramp.client_secret,
                'start_date': '2015-01-01',
                'existing_policy': 'book',
                'rate_tolerance': 25.0,
            }
        )
        if cls.connect:
            cls.connection.action_connect()
        cls._once()

    @classmethod
    def prepare(cls):
        """Set up the company before Ramp is connected. Classes override this."""

    @classmethod
    def simulate(cls):
        ramp = Simulator(
            Seed(
                **{
                    'accounts': [
                        cls.as_account(account)
                        for account in (cls.account_meals, cls.account_travel, cls.account_software)
                    ],
                    'analytics': [cls.as_field(plan) for plan in (cls.plan, cls.other_plan)],
                    'users': USERS,
                    **cls.seed,
                }
            ),
            rate_limit=0,
        ).start_server()
        cls.addClassCleanup(ramp.stop_server)
        return ramp

    def once(self):
        """Prepare the state that every test of the class begins with. It runs once, after connecting, with the helpers
        of tests.

        Attributes that are set on `self` are there in all tests; lists and dictionaries are copied. Patches remain
        active.
        """

    @classmethod
    def _first(cls):
        """Return the instance that runs `once`. It is like a test, but its clean-ups run when the class ends."""
        first = cls('once')
        first.addCleanup = cls.addClassCleanup
        return first

    @classmethod
    def _once(cls):
        first = cls._first()
        with patch.object(odoo.modules.module, 'current_test', first):  # only the current test may open cursors
            there = set(vars(first))
            first.once()
        cls._begun = {name: value for name, value in vars(first).items() if name not in there}

    def setUp(self):
        super().setUp()
        if self._memory is None:
            type(self)._memory = self.remember()
        for name, value in self._begun.items():
            setattr(self, name, copy.copy(value) if isinstance(value, (dict, list, set)) else value)
        self.put_back(self._memory)

    def remember(self):
        """Return the state that no savepoint restores: Ramp's data, and the tokens in the memory of this process."""
        return self.ramp.take_snapshot(), dict(token_stores.access_tokens._tokens)

    def put_back(self, memory):
        simulated, tokens = memory
        self.ramp.restore_snapshot(simulated)
        token_stores.access_tokens._tokens.clear()
        token_stores.access_tokens._tokens.update(tokens)
        limiter._local_states.clear()

    @contextmanager
    def isolated(self):
        """Undo everything that happens inside the block, in Odoo and in Ramp. It is used for one example of a property."""
        memory = self.remember()
        savepoint = self.env.cr.savepoint()
        with savepoint:
            try:
                yield
            finally:
                self.env.transaction.clear()
                savepoint.rollback()
                self.env.transaction.clear()
                self.env.cr.cache.clear()
                self.env.cr.postcommit.clear()
                self.env.registry.clear_cache()
                self.put_back(memory)

    def crash(self, original):
        """Return a `ramp.record._store_sent` before which the job dies, `crash_in` calls from now (None: never)."""

        def store(records, rows):
            if rows and self.crash_in is not None:
                self.crash_in -= 1
                if self.crash_in < 0:
                    self.crash_in = None
                    raise Killed
            return original(records, rows)

        return store

    @classmethod
    def as_account(cls, account):
        return {
            'id': cls.env['ramp.coding']._get_external_id(account),
            'code': account.code,
            'name': account.name,
            'classification': 'EXPENSE',
        }

    @classmethod
    def as_field(cls, plan):
        coding = cls.env['ramp.coding']
        return {
            'field_id': coding._get_external_id(plan),
            'field_name': plan.name,
            'options': [
                {'id': coding._get_external_id(account), 'code': account.name, 'value': account.name}
                for account in plan.account_ids
            ],
        }

    def external(self, record):
        return self.env['ramp.coding']._get_external_id(record)

    def analytics(self, *accounts):
        """The selections of analytic accounts, in the form that the simulator takes."""
        return {self.external(account.root_plan_id): self.external(account) for account in accounts}

    def spend(self, amount_minor=12345, **values):
        """Add a cleared card transaction that is ready; returns its Ramp id."""
        values.setdefault('user', self.user_id)
        values.setdefault('currency', 'USD')
        values.setdefault('entity', next(iter(self.ramp.state['entities']))['id'])
        if 'lines' not in values:
            values.setdefault('account', self.external(self.account_meals))
        ramp_id = self.ramp.add_transaction(amount_minor=amount_minor, **values)
        if 'date' in values:  # the simulator settles purchases days later
            self.ramp.state['transactions'].update_row(
                ramp_id, accounting_date=values['date'], settlement_date=values['date']
            )
        return ramp_id

    def sync(self, *flows, now=True):
        """Press Sync now, and let the jobs run as the scheduler does. Returns the runs."""
        last = self.env['ramp.run'].search([], limit=1, order='id desc').id or 0
        if now:
            # TestConnection covers which jobs are woken. Here they run at once, which saves a tenth of the time of many
            # tests.
            with patch.object(type(self.connection), '_cron_jobs', lambda connection, flows: connection.env['ir.cron']):
                self.connection.with_context(ramp_quiet=True).action_sync_now()
        # an HttpCase is in that mode already
        with nullcontext() if type(self)._registry_patched else self.enter_registry_test_mode():
            for flow in flows or ('transaction', 'receipt'):
                self.run_flow(flow)
        return self.env['ramp.run'].search([('id', '>', last)])

    def run_flow(self, flow):
        """Do what the scheduler does for a flow's job, without its records of progress, which take a fifth of the
        suite's time.

        The system tests run the real scheduler, and TestJobs proves that the jobs do nothing else.
        """
        flow = self.env[f'ramp.flow.{flow}']
        self.env.flush_all()
        with self.registry.cursor() as cr:
            now = cr.now().replace(microsecond=0)
            cr.execute('DELETE FROM ir_cron_trigger WHERE cron_id = %s AND call_at <= %s', [flow._get_cron_id(), now])
            Environment(cr, SUPERUSER_ID, {'cron_end_time': time.monotonic() + MIN_TIME_PER_JOB})[
                flow._name
            ]._cron_run()
        self.env.invalidate_all()

    def run_undo_job(self):
        """Do what the scheduler does for the job that undoes synchronizations."""
        self.env.flush_all()
        with (
            nullcontext() if type(self)._registry_patched else self.enter_registry_test_mode(),
            self.registry.cursor() as cr,
        ):
            Environment(cr, SUPERUSER_ID, {})['ramp.undo']._cron_run()
        self.env.invalidate_all()

    def sync_until_listed(self, flow, between=lambda: None):
        """Run a flow's job, whose time is up at each page, until a run reaches the end of its lists. Returns the runs
        in order.
        """
        runs = self.env['ramp.run']
        while not runs[-1:].listed:
            self.assertLess(len(runs), 30, 'no run comes to its end')
            between()
            runs += self.sync(flow, now=False)
            self.assertEqual(runs[-1].state, 'done' if runs[-1].listed else 'paused')
        return runs

    def record(self, ramp_id, flow='transaction'):
        return self.env['ramp.record'].search([('ramp_id', '=', ramp_id), ('flow', '=', flow)])

    def move(self, ramp_id):
        return self.env['account.move'].search([('ramp_id', '=', ramp_id)])

    def expense(self, ramp_id):
        return self.env['hr.expense'].search([('ramp_id', '=', ramp_id)])

    def attachments(self, document):
        return self.env['ir.attachment'].search([('res_model', '=', document._name), ('res_id', '=', document.id)])

    def entry(self, ramp_id):
        """The lines of a transaction's entry: (account code, amount in its currency, balance), debits first."""
        return [
            (line.account_id.code, Decimal(str(line.amount_currency)), Decimal(str(line.balance)))
            for line in self.move(ramp_id).line_ids.sorted('id')
        ]

    def accountant_who_may_not_edit(self, move):
        """Return a new accountant of the company, whom a record rule keeps from editing a document."""
        self.env['ir.rule'].create(
            {
                'name': 'Nobody edits this document',
                'model_id': self.env['ir.model']._get_id('account.move'),
                'domain_force': f"[('id', '!=', {move.id})]",
                **dict.fromkeys(('perm_read', 'perm_create', 'perm_unlink'), False),
            }
        )
        return new_test_user(
            self.env,
            'ramp_accountant',
            'base.group_user,account.group_account_invoice',
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
        )

    def enter_by_hand(self, date, amount, **values):
        """Return an entry that a person posted to the card liability.

        :param values: further values of the entry
        """
        entry = self.env['account.move'].create(
            {
                'move_type': 'entry',
                'date': date,
                **values,
                'line_ids': [
                    Command.create({'account_id': self.connection.card_account_id.id, 'credit': amount}),
                    Command.create({'account_id': self.account_meals.id, 'debit': amount}),
                ],
            }
        )
        entry.action_post()
        return entry

    def assertHeld(self, ramp_id, pattern):
        """The transaction is on hold, nothing is posted, and Ramp got the same message."""
        record = self.record(ramp_id)
        self.assertEqual(record.state, 'held', record.error_message)
        self.assertRegex(record.error_message, pattern)
        self.assertFalse(record.res_id)
        self.assertFalse(self.move(ramp_id))
        self.assertFalse(self.expense(ramp_id))
        self.assertIn(
            re.sub(r'\s+', ' ', record.error_message),
            [re.sub(r'\s+', ' ', message) for message in self.ramp.list_export_errors(ramp_id)],
        )
        self.assertEqual(self.ramp.state['transactions'].get_row(ramp_id)['sync_status'], 'SYNC_READY')

    def assertConfirmed(self, ramp_id):
        """One expense, one posted entry, one confirmation."""
        record = self.record(ramp_id)
        self.assertEqual(record.state, 'confirmed', record.error_message)
        self.assertEqual(len(self.expense(ramp_id)), 1)
        self.assertEqual(self.move(ramp_id).mapped('state'), ['posted'])
        self.assertEqual((record.res_model, record.res_id), ('account.move', self.move(ramp_id).id))
        self.assertEqual(self.expense(ramp_id).account_move_id, self.move(ramp_id))
        self.assertEqual(self.ramp.list_successes().get(ramp_id), [f'account.move,{record.res_id}'])


class BrowserCase(SmokeTags, HttpCase):
    """Base of the tours. Other tours may run beside them, on the same cores (see also `addTour`)."""

    is_smoke = True

    def start_tour(self, url_path, tour_name, **options):
        return super().start_tour(url_path, tour_name, **{'timeout': 180, **options})


class PayablesCase(RampCase):
    """A `RampCase` with vendors, bills and their payments."""

    flows = ('vendor', 'vendor_credit', 'bill', 'bill_payment', 'bill_file')

    def create_tax_on_payment(self):
        """Return (a purchase tax of 20 % that is due with the payment, the account that it is due on)."""
        waiting, due = self.env['account.account'].create(
            [
                {
                    'name': name,
                    'code': code,
                    'account_type': 'asset_current',
                    'reconcile': name == 'Waiting',
                    'company_ids': [Command.set(self.company.ids)],
                }
                for name, code in (('Waiting', '253001'), ('Due', '253002'))
            ]
        )
        self.company.tax_exigibility = True
        parts = [
            Command.create({'repartition_type': 'base'}),
            Command.create({'repartition_type': 'tax', 'account_id': due.id}),
        ]
        tax = self.env['account.tax'].create(
            {
                'name': 'On payment',
                'amount': 20,
                'type_tax_use': 'purchase',
                'company_id': self.company.id,
                'country_id': self.company.account_fiscal_country_id.id,
                'tax_exigibility': 'on_payment',
                'cash_basis_transition_account_id': waiting.id,
                'invoice_repartition_line_ids': parts,
                'refund_repartition_line_ids': [*parts],
            }
        )
        return tax, due

    def owe(self, amount_minor=10000, **values):
        """Add an approved bill; returns its Ramp id."""
        values.setdefault('currency', 'USD')
        values.setdefault('entity', self.primary)
        if 'lines' not in values and 'inventory' not in values:
            values.setdefault('account', self.external(self.account_meals))
        return self.ramp.add_bill(amount_minor=amount_minor, **values)

    def sync_payables(self, **options):
        return self.sync(*self.flows, **options)

    def payable(self):
        return (
            self.move_of_any()
            .line_ids.filtered(lambda line: line.account_type == 'liability_payable')
            .account_id[:1]
            .code
        )

    def move_of_any(self):
        return self.env['account.move'].search([('ramp_id', '!=', False), ('move_type', '=', 'in_invoice')], limit=1)

    def payment(self, *bills):
        rows = self.env['ramp.record'].search([('flow', '=', 'bill_payment'), ('ramp_id', 'in', bills)])
        return self.env['account.payment'].browse(
            {note['id'] for row in rows for note in (row.noted or {}).get('parts', {}).values()}
        )

    def assertBooked(self, ramp_id, flow='bill', sync_type='BILL_SYNC'):
        """One posted bill, one confirmation with a link to it."""
        record = self.record(ramp_id, flow)
        self.assertEqual(record.state, 'confirmed', record.error_message)
        self.assertEqual((record.res_model, record.res_id), ('account.move', self.move(ramp_id).id))
        self.assertEqual(self.move(ramp_id).state, 'posted')
        self.assertEqual(self.ramp.list_successes(sync_type).get(ramp_id), [f'account.move,{record.res_id}'])

    def assertPaid(self, ramp_id):
        """The bill is posted, has nothing due and is in payment, and Ramp was told once."""
        self.assertBooked(ramp_id)
        row, bill = self.record(ramp_id, 'bill_payment'), self.move(ramp_id)
        self.assertEqual(row.state, 'confirmed', row.error_message)
        self.assertEqual((bill.amount_residual, bill.payment_state), (0, 'in_payment'))
        self.assertEqual(len(self.ramp.list_successes('BILL_PAYMENT_SYNC').get(ramp_id, ())), 1)
        self.assertEqual(self.ramp.state['bills'].get_row(ramp_id)['sync_status'], 'BILL_AND_PAYMENT_SYNCED')

    def assertSettledByCard(self, ramp_id, minor):
        """The bill has nothing due, and the spend and the card liability are posted once."""
        self.assertBooked(ramp_id)
        row = self.record(ramp_id, 'bill_payment')
        self.assertEqual(row.state, 'confirmed', row.error_message)
        self.assertEqual(self.move(ramp_id).amount_residual, 0)
        lines = self.env['account.move.line'].search(
            [('company_id', '=', self.company.id), ('parent_state', '=', 'posted')]
        )

        def balance(test):
            return round(sum(line.balance for line in lines if test(line.account_id)) * 100)

        self.assertEqual(balance(lambda account: account == self.connection.card_account_id), -minor)
        self.assertEqual(balance(lambda account: account.account_type == 'liability_payable'), 0)
        self.assertEqual(balance(lambda account: account.account_type == 'expense'), minor)


class StatementsCase(RampCase):
    """A `RampCase` with card statements, their payments and cashback."""

    flows = ('transaction', 'transfer', 'statement', 'cashback', 'statement_file')

    def once(self):
        super().once()
        self.connection.payment_journal_id = self.env['account.journal'].search(
            [('company_id', '=', self.company.id), ('type', '=', 'bank')], limit=1
        )

    def sync_statements(self, **options):
        return self.sync(*self.flows, **options)

    def sections(self, statement):
        """Ramp ids of a statement's balance sections."""
        return [section['id'] for section in self.ramp.state['statements'].get_row(statement)['balance_sections']]

    def bill(self, statement):
        """The bills of a statement, in the order of its sections."""
        return self.env['account.move'].concat(*(self.move(section) for section in self.sections(statement)))

    def payment(self, transfer):
        return self.env['account.payment'].search([('ramp_id', '=', transfer)])

    def balance(self, *accounts, currency=None):
        """The balance of accounts, in minor units of the company's currency or of another one (name) with two decimals."""
        lines = self.env['account.move.line'].search(
            [
                ('company_id', '=', self.company.id),
                ('parent_state', '=', 'posted'),
                ('account_id', 'in', [account.id for account in accounts]),
            ]
        )
        if currency:
            return round(
                sum(lines.filtered(lambda line: line.currency_id.name == currency).mapped('amount_currency')) * 100
            )
        return round(sum(lines.mapped('balance')) * 100)

    @property
    def payable(self):
        return self.connection.ramp_partner_id.with_company(self.company).property_account_payable_id
