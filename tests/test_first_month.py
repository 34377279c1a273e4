# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""From a company without a connection to the first month that is tied out and signed, by screens alone."""

import threading
import time

from odoo import SUPERUSER_ID, Command
from odoo.addons.base.models.ir_cron import MIN_TIME_PER_JOB
from odoo.api import Environment
from odoo.tests import new_test_user, tagged

from ..simulator import coding
from ..simulator.endpoints import users
from .common import BrowserCase, PayablesCase

POSTED = {
    'transaction': 11,
    'vendor': 1,
    'bill': 2,
    'bill_payment': 2,
    'reimbursement': 1,
    'statement': 2,
    'transfer': 1,
}
ONE_DOCUMENT = ('transaction', 'bill', 'reimbursement', 'statement', 'transfer')
PERSON = 'base.group_user,base.group_system,account.group_account_manager,hr.group_hr_user'


class Scheduler(threading.Thread):
    """Runs the jobs that are due in the background, as Odoo's scheduler does, while a person works in the browser."""

    def __init__(self, registry, ramp):
        super().__init__(daemon=True)
        self.registry, self.ramp, self.stopped, self.failures = registry, ramp, threading.Event(), []

    def run(self):
        while not self.stopped.wait(0.3):
            # Before, the test itself uses the transaction that all of them share
            for flow in self.find_due() if self.ramp.requests else ():
                try:
                    self.run_job(flow)
                except Exception as error:
                    self.failures.append(error)
                if self.stopped.is_set():
                    return

    def find_due(self):
        with self.registry.cursor() as cr:
            cr.execute('SELECT DISTINCT cron_id FROM ir_cron_trigger WHERE call_at <= %s', [cr.now()])
            due = {row[0] for row in cr.fetchall()}
            flows = Environment(cr, SUPERUSER_ID, {})['ramp.connection']._flow_models() if due else ()
            return [flow._name for flow in flows if flow._get_cron_id() in due]

    def run_job(self, name):
        with self.registry.cursor() as cr:
            flow = Environment(cr, SUPERUSER_ID, {'cron_end_time': time.monotonic() + MIN_TIME_PER_JOB})[name]
            cr.execute(
                'DELETE FROM ir_cron_trigger WHERE cron_id = %s AND call_at <= %s', [flow._get_cron_id(), cr.now()]
            )
            flow._cron_run()

    def stop(self):
        self.stopped.set()
        self.join(60)


@tagged('post_install', '-at_install', 'ramp', 'ramp_tour')
class TestFirstMonthTours(PayablesCase, BrowserCase):
    """The first month of a company in a real browser. The jobs run beside it, and nobody reloads a page."""

    connect = False

    @classmethod
    def prepare(cls):
        super().prepare()
        cls.env['account.account'].create(
            {
                'name': 'Accrued Expenses',
                'code': '201900',
                'account_type': 'liability_current',
                'company_ids': [Command.set(cls.company.ids)],
            }
        )

    def once(self):
        super().once()
        self.connection.unlink()
        self.env.ref('base.EUR').active = False
        self.company.fiscalyear_lock_date = '2026-07-03'
        self.user = new_test_user(
            self.env,
            'ramp_first_month',
            PERSON,
            context={'no_reset_password': True},
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
        )
        self.spend_july()

    def spend_july(self):
        """A month in Ramp: charges in two currencies, a refund, bills, a reimbursement, a statement, and four causes."""
        coding.add_gl_account(self.ramp.state, 'X-1', 'Insurance', '6700')
        stranger = users.make_user(self.ramp.state, 'Grace', 'Hopper', 'grace@example.com')['id']
        travel, software = self.external(self.account_travel), self.external(self.account_software)
        hosting = self.july(3, 12000, merchant='Amazon Web Services', receipts=1)
        self.july(6, 4599, merchant='FedEx')
        self.july(
            7,
            30000,
            merchant='Hotel Adler',
            lines=[{'amount_minor': 25000, 'account': travel}, {'amount_minor': 5000, 'account': software}],
        )
        self.july(9, -2000, merchant='Amazon Web Services', refund_of=hosting)
        for day, minor in ((10, 8000), (11, 1234)):
            self.july(day, minor, merchant='Deutsche Bahn', currency='EUR')
        for day, minor in ((13, 45000), (14, 5500)):
            self.july(day, minor, merchant='Allianz', account='X-1')
        for day, minor in ((15, 2500), (16, 7725)):
            self.july(day, minor, merchant='Blue Bottle Coffee', user=stranger)
        self.july(2, 9900, merchant='Delta Air Lines')
        vendor = self.ramp.add_vendor('Acme Cloud Services')
        bills = [
            self.owe(minor, vendor=vendor, invoice_number=number, account=account, date='2026-07-08')
            for number, minor, account in (('A-1', 100000, software), ('A-2', 25050, 'X-1'))
        ]
        self.ramp.pay_bill(bills, date='2026-07-20')
        self.ramp.add_reimbursement(
            amount_minor=3000,
            user=self.user_id,
            entity=self.primary,
            account=travel,
            state='REIMBURSED',
            date='2026-07-18T12:00:00+00:00',
            transaction_date='2026-07-17',
            accounting_date='2026-07-18T00:00:00+00:00',
        )
        self.ramp.close_statement('2026-07-31', cashback_bps=150)
        self.ramp.add_transfer(date='2026-08-05')
        # On no statement, and somebody in Ramp has still to approve it
        self.july(31, 6000, merchant='Staples', sync_status='NOT_SYNC_READY')

    def july(self, day, minor, **values):
        return self.spend(minor, date=f'2026-07-{day:02}T12:00:00+00:00', **values)

    def test_first_month(self):
        scheduler = Scheduler(self.registry, self.ramp)
        cookies = {
            'ramp_url': self.ramp.api_url,
            'ramp_id': self.ramp.client_id,
            'ramp_secret': self.ramp.client_secret,
        }
        self.env.cr.flush()
        scheduler.start()
        try:
            with self.assertNoLogs('odoo', 'ERROR'):
                self.start_tour('/odoo', 'ramp_connector_first_month', login=self.user.login, cookies=cookies)
        finally:
            scheduler.stop()
        self.assertFalse(scheduler.failures)
        self.env.invalidate_all()
        self.ramp.assert_clean()
        self.check_ledger()
        self.check_tie_out()
        self.check_sign_off()

    def rows(self, query, **values):
        self.env.cr.execute(query, {'company': self.company.id, **values})
        return self.env.cr.fetchall()

    def check_ledger(self):
        """Every object is posted once and confirmed, except for the one that waits in Ramp."""
        self.assertEqual(
            self.rows(
                "SELECT flow, name, state FROM ramp_record WHERE company_id = %(company)s AND state != 'confirmed'"
            ),
            [('transaction', 'Staples', 'pending')],
        )
        found = self.rows(
            """
            SELECT flow, count(*), count(DISTINCT res_model || ',' || res_id) FROM ramp_record
             WHERE company_id = %(company)s AND state = 'confirmed' AND remote_id IS NULL GROUP BY flow
            """
        )
        counts = {flow: count for flow, count, _documents in found}
        self.assertEqual(
            {flow: counts.get(flow) for flow in POSTED}, POSTED, 'cashback and payments of bills are parts of others'
        )
        for flow, count, documents in found:
            if flow in ONE_DOCUMENT:
                self.assertEqual(documents, count, f'{flow}: one document for each object')
        self.assertEqual(
            self.rows(
                """
                SELECT count(*) FROM account_move WHERE company_id = %(company)s AND state = 'posted'
                   AND move_type = 'in_invoice' AND ref IN ('A-1', 'A-2') AND amount_residual = 0
                """
            ),
            [(2,)],
        )

    def check_tie_out(self):
        """What the books owe to Ramp is what Ramp says, in each currency, to the cent."""
        connection = self.env['ramp.connection'].search([('company_id', '=', self.company.id)])
        payable = connection.ramp_partner_id.with_company(self.company).property_account_payable_id
        owed = {
            total['currency']: total['owed_minor'] for total in self.ramp.owed_on_cards(sync_status=['SYNCED']) if total
        }
        self.assertEqual(set(owed), {'USD', 'EUR'})
        self.assertEqual(
            dict(
                self.rows(
                    """
                    SELECT c.name, -round(sum(l.amount_currency) * 100)::int
                      FROM account_move_line l JOIN res_currency c ON c.id = l.currency_id
                     WHERE l.company_id = %(company)s AND l.parent_state = 'posted' AND (l.account_id = %(card)s
                           OR l.account_id = %(payable)s AND l.partner_id = %(partner)s)
                     GROUP BY c.name
                    """,
                    card=connection.card_account_id.id,
                    payable=payable.id,
                    partner=connection.ramp_partner_id.id,
                )
            ),
            owed,
        )

    def check_sign_off(self):
        [(signer, figures, withdrawn)] = self.rows(
            """
            SELECT signer_id, figures, withdrawn_at FROM ramp_tie_out_sign_off
             WHERE company_id = %(company)s AND month = '2026-07-01'
            """
        )
        self.assertEqual((signer, bool(figures), withdrawn), (self.user.id, True, None))
        self.assertEqual(
            self.rows(
                'SELECT state, round(sum(l.amount), 2) FROM ramp_accrual a JOIN ramp_accrual_line l '
                'ON l.accrual_id = a.id WHERE a.company_id = %(company)s GROUP BY state'
            ),
            [('posted', 60)],
        )
