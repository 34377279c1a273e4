# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The first day of a connection is a day in the company's time zone. An object of that day is posted, and one of the
moment before is not.
"""

from contextlib import contextmanager
from datetime import date, datetime, time, timedelta, timezone

import pytz
from freezegun import freeze_time

from odoo.tests import tagged

from .common import PayablesCase, StatementsCase
from .properties import in_turn
from .test_purchase_order import OrdersCase

START = date(2024, 3, 1)
ZONES = ('Asia/Tokyo', 'Pacific/Honolulu')  # more than half a working day before and behind UTC
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


def first_moment(zone, day=START):
    return pytz.timezone(zone).localize(datetime.combine(day, time.min)).astimezone(timezone.utc)


class FirstDayCase(StatementsCase, PayablesCase):
    flows = (
        'vendor',
        'transaction',
        'vendor_credit',
        'bill',
        'bill_payment',
        'reimbursement',
        'reimbursement_payment',
        'repayment',
        'transfer',
        'statement',
        'cashback',
    )

    @contextmanager
    def in_zone(self, zone):
        """Yield the first moment of the first day in a time zone, and undo everything afterwards."""
        with self.subTest(zone=zone), self.isolated():
            self.company.partner_id.tz = zone
            self.connection.start_date = START
            yield first_moment(zone)

    def add(self, kind, moment, **values):
        """Add an object of a moment that is ready to be posted; returns its Ramp id."""
        if kind == 'transaction':
            return self.spend(date=moment.isoformat(), **values)
        if kind == 'transfer':
            return self.ramp.add_transfer(amount_minor=4000, date=moment, **values)
        if kind == 'cashback':
            return self.ramp.add_cashback(amount_minor=500, date=moment, **values)
        if kind == 'reimbursement':
            day = moment.astimezone(pytz.timezone(self.connection._time_zone())).date().isoformat()
            return self.ramp.add_reimbursement(
                **{
                    'amount_minor': 3000,
                    'user': self.user_id,
                    'entity': self.primary,
                    'account': self.external(self.account_meals),
                    'state': 'REIMBURSED',
                    'date': moment,
                    'transaction_date': day,
                    'accounting_date': f'{day}T00:00:00+00:00',
                    'created_at': moment.isoformat(),
                    **values,
                }
            )
        if kind == 'bill':
            return self.owe(date=moment, **values)
        return self.ramp.add_vendor_credit(
            amount_minor=2000, account=self.external(self.account_meals), date=moment, **values
        )

    def assertLeftAlone(self, flow, ramp_id):
        """Nothing is posted for the object. If it has a row, the row is ignored and says why."""
        record = self.record(ramp_id, flow)
        self.assertFalse(record.res_id, (flow, record.name))
        if record:
            self.assertEqual(record.state, 'ignored', flow)
            self.assertRegex(record.error_message, 'before the start date')


@tagged('post_install', '-at_install', 'ramp')
class TestFirstDay(FirstDayCase):
    def everything(self):
        return self.sync(*self.flows)

    @in_turn
    def test_moments(self):
        for zone in ZONES:
            with self.in_zone(zone) as first:
                kinds = ('transaction', 'transfer', 'reimbursement')
                early = {kind: self.add(kind, first - SECOND) for kind in kinds}
                due = {kind: self.add(kind, first) for kind in kinds}
                self.everything()
                self.sync('watch')
                for kind in kinds:
                    self.assertTrue(self.record(due[kind], kind).res_id, kind)
                    self.assertEqual(self.record(due[kind], kind).date, START)
                    self.assertLeftAlone(kind, early[kind])

    def test_spent_before_and_handed_in_after(self):
        for zone in ZONES:
            with self.in_zone(zone) as first:
                ramp_id = self.add('reimbursement', first + HOUR, transaction_date=str(START - timedelta(days=1)))
                self.everything()
                self.assertLeftAlone('reimbursement', ramp_id)
                self.assertTrue(self.record(ramp_id, 'reimbursement'), 'it is said why')

    def test_days(self):
        """Objects that Ramp dates by day have no time zone."""
        for zone in ZONES:
            with self.in_zone(zone):
                kinds, day = ('bill', 'vendor_credit'), datetime.combine(START, time.min, timezone.utc)
                early = {kind: self.add(kind, day - SECOND) for kind in kinds}
                due = {kind: self.add(kind, day) for kind in kinds}
                self.everything()
                self.sync('watch')
                for kind in kinds:
                    self.assertTrue(self.record(due[kind], kind).res_id, kind)
                    self.assertLeftAlone(kind, early[kind])

    def test_repayments(self):
        for zone in ZONES:
            with self.in_zone(zone) as first:
                spent = self.add('transaction', first)
                early = self.ramp.add_repayment(transaction=spent, amount_minor=100, date=first - SECOND)
                due = self.ramp.add_repayment(transaction=spent, amount_minor=200, date=first)
                self.everything()
                self.assertTrue(self.record(due, 'repayment').res_id)
                self.assertEqual(self.record(due, 'repayment').date, START)
                self.assertLeftAlone('repayment', early)

    @in_turn
    def test_statements(self):
        """A statement that ends with the first moment belongs to the day before. Lines from before the first day are on
        no bill.
        """
        for zone in ZONES:
            with self.in_zone(zone) as first:
                before = self.add('transaction', first - 2 * HOUR)
                closed = self.ramp.close_statement(first)
                early = {kind: self.add(kind, first - HOUR) for kind in ('transaction', 'cashback', 'transfer')}
                due = {
                    kind: self.add(kind, first + SECOND, **values)
                    for kind, values in (('transaction', {'amount_minor': 7000}), ('cashback', {}))
                }
                statement = self.ramp.close_statement(first + HOUR)
                self.everything()
                self.sync('watch', *self.flows)
                for section in self.sections(statement):
                    self.assertEqual(
                        self.record(section, 'statement').state,
                        'confirmed',
                        self.record(section, 'statement').error_message,
                    )
                self.assertEqual(self.bill(statement).amount_total, 65.0)
                self.assertEqual(self.bill(statement).invoice_date, START)
                self.assertLeftAlone('transaction', before)
                for kind, ramp_id in early.items():
                    self.assertLeftAlone(kind, ramp_id)
                for kind, ramp_id in due.items():
                    self.assertEqual(self.record(ramp_id, kind).date, START)
                    self.assertTrue(self.record(ramp_id, kind).res_id, kind)
                for section in self.sections(closed):
                    self.assertFalse(self.record(section, 'statement').res_id)

    def test_withheld(self):
        """An object that Ramp does not offer yet waits if it is of the first day, and is ignored if it is of the moment
        before.
        """
        kinds = {
            'transaction': {'sync_status': 'NOT_SYNC_READY'},
            'transfer': {'sync_status': 'NOT_SYNC_READY'},
            'cashback': {'ready': False},
        }
        for zone in ZONES:
            with self.in_zone(zone) as first:
                early = {kind: self.add(kind, first - SECOND, **values) for kind, values in kinds.items()}
                due = {kind: self.add(kind, first, **values) for kind, values in kinds.items()}
                self.sync('watch')
                for kind in kinds:
                    record = self.record(due[kind], kind)
                    self.assertEqual((kind, record.state, record.is_withheld), (kind, 'pending', True))
                    self.assertLeftAlone(kind, early[kind])

    def test_a_page_that_shows_more_than_was_asked_for(self):
        """The date of an object decides whether it is left alone, whatever a list shows."""
        for kind in ('transaction', 'transfer', 'cashback', 'bill', 'vendor_credit', 'repayment', 'reimbursement'):
            flow = self.env[f'ramp.flow.{kind}']
            for zone in ZONES:
                with self.in_zone(zone) as first:
                    day = self.env['ramp.flow.booking']._get_booking_day(
                        self.connection, first if first.time() != time.min else START
                    )
                    self.assertEqual(day, START)
                    self.assertFalse(flow._is_before_start_date(self.connection, {'date': START}), kind)
                    self.assertTrue(
                        flow._is_before_start_date(self.connection, {'date': START - timedelta(days=1)}), kind
                    )
                    self.assertFalse(flow._is_before_start_date(self.connection, {'date': None}), kind)

    def test_what_was_there_before_the_connection(self):
        """An object that was there before the connection is left alone. A date is compared with the company's day on
        which Connect was pressed.
        """
        for zone in ZONES:
            with self.in_zone(zone) as first:
                self.connection.write({'existing_policy': 'leave', 'connected_at': (first + HOUR).replace(tzinfo=None)})
                leaves_alone = self.connection._is_left_alone
                self.assertTrue(leaves_alone(first))
                self.assertTrue(leaves_alone(first + HOUR - SECOND))
                self.assertFalse(leaves_alone(first + HOUR))
                self.assertTrue(leaves_alone(START - timedelta(days=1)))
                self.assertFalse(leaves_alone(START), 'nobody knows whether it was there in the morning')

    def test_lock_date(self):
        """The lock date is the last closed day in the company's time zone."""
        for zone in ZONES:
            with self.in_zone(zone) as first:
                self.connection.start_date = START - timedelta(days=30)
                self.company.fiscalyear_lock_date = START - timedelta(days=1)
                closed, due = self.add('transaction', first - SECOND), self.add('transaction', first)
                self.everything()
                self.assertTrue(self.record(due).res_id)
                self.assertEqual(self.move(due).date, START)
                self.assertHeld(closed, r'accounting period is closed: 2024-02-29 is on or before the lock date')
                self.connection.lock_date_policy = 'next_open'
                self.everything()
                self.assertEqual(self.move(closed).date, START, 'the first open day')


@tagged('post_install', '-at_install', 'ramp')
class TestFirstDayOfOrders(OrdersCase):
    """Orders from before the start date are not sent to Ramp, however many there are when orders are switched on."""

    def orders(self, zone):
        self.company.partner_id.tz = zone
        self.connection.start_date = START
        ordered = {}
        for name, moment in (('early', first_moment(zone) - SECOND), ('due', first_moment(zone))):
            with freeze_time(moment.replace(tzinfo=None)):
                ordered[name] = self.order()
            ordered[name].date_approve = moment.replace(tzinfo=None)
        return ordered

    def test_in_time_zones(self):
        for zone in ZONES:
            with self.subTest(zone=zone), self.isolated():
                ordered = self.orders(zone)
                self.push()
                self.assertEqual(self.row(ordered['due']).state, 'confirmed', self.row(ordered['due']).error_message)
                self.assertFalse(self.row(ordered['early']))
                self.assertEqual(len(self.ramp.state['purchase_orders']), 1)
                ordered['early'].partner_ref = 'Changed later'
                ordered['early'].order_line.product_qty = 5
                self.push()
                self.assertFalse(self.row(ordered['early']).ramp_id)
                self.assertEqual(len(self.ramp.state['purchase_orders']), 1)

    def test_switched_on_later(self):
        self.connection.push_orders = False
        ordered = self.orders('Asia/Tokyo')
        self.push()
        self.assertFalse(self.ramp.state['purchase_orders'].rows)
        self.connection.push_orders = True
        self.push()
        self.assertEqual(
            [row['external_id'] for row in self.ramp.state['purchase_orders']], [self.external(ordered['due'])]
        )
