# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""How long posted objects are checked for later changes in Ramp: to the day, and no longer."""

from datetime import timedelta

from dateutil.relativedelta import relativedelta

from odoo.tests import tagged

from .common import StatementsCase


@tagged('post_install', '-at_install', 'ramp')
class TestHowFarBack(StatementsCase):
    def ago(self, days):
        """Return a moment so many days ago, but an hour later in the day, so that a slow test does not add a day."""
        return (self.env.cr.now() - timedelta(days=days, hours=-1)).strftime('%Y-%m-%dT%H:%M:%S+00:00')

    def test_transactions(self):
        """Transactions are checked by the time at which they were synced."""
        inside, outside = self.spend(1000), self.spend(1100)
        self.sync('transaction')
        for ramp_id, days in ((inside, 30), (outside, 32)):
            self.ramp.update_transaction(ramp_id, amount_minor=1200, synced_at=self.ago(days))
        self.assertNoticed('transaction', inside, outside)

    def test_transfers(self):
        """Transfers are checked for a year after they were made. A later return must be noticed by a person."""
        inside, outside = (self.ramp.add_transfer(amount_minor=1000, date=self.ago(days)) for days in (365, 367))
        self.sync('transfer')
        self.assertEqual(len(self.payment(inside) + self.payment(outside)), 2)
        for transfer in (inside, outside):
            self.ramp.move_transfer(transfer, 'RETURNED_BY_RDFI')
        self.sync('transfer')
        self.assertEqual(
            [len(self.payment(transfer).move_id.reversal_move_ids) for transfer in (inside, outside)], [1, 0]
        )

    def test_paid_bills(self):
        """Paid bills are checked by the time at which they were paid."""
        inside, outside = (
            self.ramp.add_bill(
                amount_minor=1000, currency='USD', entity=self.primary, account=self.external(self.account_meals)
            )
            for _number in range(2)
        )
        for bill in (inside, outside):
            self.ramp.pay_bill(bill, date=self.ago(90))
        self.sync('vendor', 'bill', 'bill_payment')
        for bill, days in ((inside, 90), (outside, 92)):
            self.assertEqual(self.record(bill, 'bill_payment').state, 'confirmed')
            self.ramp.update_bill(bill, account=self.external(self.account_travel), paid_at=self.ago(days))
        self.assertNoticed('bill', inside, outside)

    def asked_since(self, path, name):
        """Return what a query parameter was in the requests for a list, and forget these requests."""
        found = {
            value
            for request in self.ramp.requests
            if request['path'].endswith(f'/v1{path}')
            for value in request['query'].get(name, [None])
        }
        self.ramp.requests.clear()
        return found

    def test_nightly_check(self):
        """The nightly check reads everything once a week, and otherwise the last three months before this one."""
        self.sync('watch')
        everything = self.asked_since('/transfers', 'from_date')
        self.assertEqual(everything, {self.connection._start_moment()})
        lately = {f'{self.env.cr.now().replace(day=1) - relativedelta(months=3):%Y-%m-%d}T00:00:00Z'}
        whole = self.env['ramp.run'].search([('flow', '=', 'watch')])
        begun = whole.started_at
        for days, since in ((0, lately), (6, lately), (8, everything)):
            with self.subTest(days=days):
                whole.started_at = begun - timedelta(days=days)
                self.sync('watch')
                self.assertEqual(self.asked_since('/transfers', 'from_date'), since)

    def test_nightly_check_of_a_young_connection(self):
        """The nightly check reads nothing from before the start date."""
        self.connection.start_date = self.env.cr.now().replace(day=1)
        for _night in range(2):
            self.sync('watch')
            self.assertEqual(self.asked_since('/transfers', 'from_date'), {self.connection._start_moment()})

    def test_lists_of_changes(self):
        """A list of changes begins some time before the last one, because clocks differ."""
        for flow, path, name in (
            ('vendor', '/vendors', 'from_updated_at'),
            ('reimbursement', '/reimbursements', 'updated_after'),
        ):
            with self.subTest(flow):
                run = self.sync(flow)
                self.connection.sync_requested_at = False
                self.asked_since(path, name)
                self.sync(flow, now=False)
                before = f'{run.started_at - timedelta(minutes=15):%Y-%m-%dT%H:%M:%SZ}'
                self.assertEqual(self.asked_since(path, name) - {None}, {before})

    def assertNoticed(self, flow, inside, outside):
        """The change of the first object is noticed, and that of the second one is not."""
        records = self.record(inside, flow) + self.record(outside, flow)
        records.confirmed_at = self.ago(3)[:10]  # Ramp may show what it was told a moment before
        self.sync(flow)
        self.assertEqual(
            records.mapped(lambda record: (record.state, record.has_changed)), [('held', True), ('confirmed', False)]
        )
