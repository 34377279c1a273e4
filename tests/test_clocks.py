# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The clocks of Odoo, PostgreSQL and Ramp are minutes apart, and still nothing is missed or posted twice."""

from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged

from ..flows.cards.transaction import RampFlowTransaction
from ..ramp_api import Event
from ..simulator.state import read_utc_now
from .common import PayablesCase
from .properties import in_turn

EVENT = ('one', 'transactions.ready_to_sync', None, None, '1f0e6f0c-0000-4000-8000-000000000003', None, None)
NOW = fields.Datetime.now
SKEWS = (timedelta(minutes=-9), timedelta(minutes=9))
FLOWS = ('vendor', 'transaction', 'bill', 'bill_payment', 'reimbursement', 'reimbursement_payment')


@tagged('post_install', '-at_install', 'ramp')
class TestClocks(PayablesCase):
    def ramp_is(self, skew):
        self.ramp.state.clock = lambda: read_utc_now() + skew

    def odoo_is(self, skew):
        """Set Odoo's clock apart from the database's, which `cr.now` shows."""
        return patch.object(fields.Datetime, 'now', lambda *args: NOW() + skew)

    @in_turn
    def test_ramp(self):
        """A change in Ramp between two runs is seen by the second one, whichever clock is ahead."""
        for skew in SKEWS:
            with self.subTest(skew=skew), self.isolated():
                self.ramp_is(skew)
                vendor = self.ramp.add_vendor('Paper & Sons')
                spent, bill = self.spend(1000), self.owe(2000, vendor=vendor)
                claim = self.ramp.add_reimbursement(
                    amount_minor=3000,
                    user=self.user_id,
                    entity=self.primary,
                    account=self.external(self.account_meals),
                    state='REIMBURSED',
                )
                self.sync(*FLOWS)
                self.assertConfirmed(spent)
                self.assertBooked(bill)
                self.assertEqual(self.record(claim, 'reimbursement').state, 'confirmed')
                self.ramp.update_vendor(vendor, name='Paper and Daughters')
                self.ramp.update_reimbursement(claim, amount_minor=3100)
                self.ramp.update_transaction(spent, amount_minor=1100)
                self.ramp.pay_bill(bill)
                later = self.spend(4000)
                self.sync(*FLOWS, now=False)
                self.assertConfirmed(later)
                self.assertPaid(bill)
                self.assertTrue(self.record(spent).has_changed)
                self.assertTrue(self.record(claim, 'reimbursement').has_changed)
                row = self.record(vendor, 'vendor')
                self.assertEqual(self.env['res.partner'].browse(row.res_id).name, 'Paper and Daughters')
                before = self.env['account.move'].search_count([])
                self.sync(*FLOWS)
                self.assertEqual(self.env['account.move'].search_count([]), before, 'nothing twice')

    def test_token_that_ended_by_the_clock_of_ramp(self):
        ramp_id = self.spend()
        self.ramp_is(timedelta(days=11))
        asked = len(self.ramp.requests)
        self.assertEqual(self.sync('transaction').state, 'done')
        self.assertConfirmed(ramp_id)
        self.assertEqual(
            [entry['status'] for entry in self.ramp.requests[asked:] if entry['path'].endswith('/token')], [200]
        )

    def test_sync_now_while_a_run_is_under_way(self):
        """If somebody presses Sync Now during a run, the job is called once more, whatever the process's clock says."""
        self.spend()
        cron = self.env.ref('ramp_connector.cron_transaction')
        prepare = RampFlowTransaction._fetch_before_booking

        def press(flow, connection, *args):
            running = flow.env['ramp.run'].search([('flow', '=', 'transaction'), ('state', '=', 'running')])
            running.begun_at = running.started_at
            connection._request_sync()
            flow.env['ir.cron.trigger'].search([('cron_id', '=', cron.id)]).unlink()
            flow.env.cr.commit()
            return prepare(flow, connection, *args)

        for skew in SKEWS:
            with self.subTest(skew=skew), self.isolated(), self.odoo_is(skew):
                with patch.object(RampFlowTransaction, '_fetch_before_booking', press):
                    run = self.sync('transaction', now=False)
                self.assertTrue(run.listed)
                self.assertTrue(self.calls(cron), 'the job is called once more')
                self.calls(cron).unlink()
                self.connection.sync_requested_at = run.started_at - timedelta(minutes=1)
                self.sync('transaction', now=False)
                self.assertFalse(self.calls(cron), 'nobody asked since')

    def calls(self, cron):
        return self.env['ir.cron.trigger'].search([('cron_id', '=', cron.id)])

    def test_event(self):
        """An event wakes its job at once, and counts as older than the runs that begin after it."""
        cron = self.env.ref('ramp_connector.cron_transaction')
        for skew in SKEWS:
            with self.subTest(skew=skew), self.isolated(), self.odoo_is(skew):
                run = self.sync('transaction')
                flow = self.env['ramp.flow.transaction']
                for requested, is_asked in ((timedelta(seconds=-1), False), (timedelta(0), True)):
                    self.connection.sync_requested_at = run.started_at + requested
                    self.assertEqual(flow._is_asked_since(self.connection, run.started_at), is_asked)
                self.connection.sync_requested_at = False
                event = Event(*EVENT)
                self.calls(cron).unlink()
                with self.enter_registry_test_mode(), self.registry.cursor() as cr:
                    now = cr.now()
                    connection = self.connection.with_env(self.env(cr=cr))
                    connection.env['ramp.event']._store_and_call(connection, event)
                self.env.invalidate_all()
                self.assertEqual(
                    [call.call_at <= now for call in self.calls(cron)], [True], 'due by the clock of the database'
                )
                self.assertTrue(flow._is_asked_since(self.connection, run.started_at))
                self.assertFalse(flow._is_asked_since(self.connection, run.started_at + timedelta(minutes=1)))
