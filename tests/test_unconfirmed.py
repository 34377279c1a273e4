# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Ramp accepts no confirmation for a day: what the screen says, and what happens then."""

from datetime import timedelta

from odoo import fields
from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from ..simulator.errors import RampError
from .common import PayablesCase
from .properties import in_turn

LOGGER = 'odoo.addons.ramp_connector.flows.engine.flow'


@tagged('post_install', '-at_install', 'ramp')
class TestUnconfirmed(PayablesCase):
    def once(self):
        super().once()
        self.ids = [self.spend(1000 + number) for number in range(3)]
        self.bill = self.owe(2000)

    def refuse(self, status, code):
        def hook(method, path, body):
            if path.endswith('/accounting/syncs'):
                raise RampError(status, code, 'Not today')

        self.ramp.add_before_hook(hook)

    def hour(self):
        """Let an hour pass, and run the jobs as the scheduler does."""
        rows = self.env['ramp.record'].search([('next_attempt', '!=', False)])
        for row in rows:
            row.next_attempt -= timedelta(hours=1)
        if self.connection.untold_since:
            self.connection.untold_since -= timedelta(hours=1)
        self.env.flush_all()
        return self.sync('transaction', 'vendor', 'bill', now=False)

    def accept(self):
        self.ramp._before.clear()
        self.ramp.faults.clear_faults()

    def assertUntold(self, pattern):
        """The objects are posted once and not confirmed. The form says since when, and shows no problem to solve and no
        failed run.
        """
        connection = self.connection
        self.assertEqual((connection.untold_count, connection.problem_count, connection.last_error), (4, 0, False))
        self.assertAlmostEqual(
            connection.untold_since, fields.Datetime.now() - timedelta(hours=23), delta=timedelta(minutes=5)
        )
        self.assertRegex(connection.untold_reason, pattern)
        self.assertNotIn('trace', connection.untold_reason)
        for ramp_id in self.ids:
            self.assertEqual(
                (self.record(ramp_id).state, len(self.move(ramp_id)), len(self.expense(ramp_id))), ('done', 1, 1)
            )
        self.assertEqual((self.record(self.bill, 'bill').state, self.move(self.bill).state), ('done', 'posted'))
        self.assertFalse(self.ramp.list_successes())
        self.assertEqual(Form(connection).untold_count, 4)
        action = connection.with_context(ramp_filters=['done']).action_open_records()
        self.assertEqual(action['context']['search_default_done'], 1)

    def assertTold(self):
        """Each object is confirmed once, and the form shows nothing."""
        for ramp_id in self.ids:
            self.assertConfirmed(ramp_id)
        self.assertBooked(self.bill)
        self.assertEqual(
            (self.connection.untold_since, self.connection.untold_reason, self.connection.untold_count),
            (False, False, 0),
        )

    def day(self, pattern, hours=24):
        with mute_logger(LOGGER):
            for _hour in range(hours):
                self.assertEqual(set(self.hour().mapped('state')), {'done'})
        self.assertUntold(pattern)
        self.accept()
        self.hour()
        self.assertTold()

    @in_turn
    def test_refused(self):
        """After a 400 the objects are sent one by one and not given up, however often Ramp refuses them."""
        self.refuse(400, 'DEVELOPER_7001')
        self.day('Not today')

    @in_turn
    def test_failing(self):
        """After a 500 the objects stay unconfirmed and are sent again."""
        self.ramp.faults.add_fault('server_error', '/accounting/syncs')
        self.day('problem on its side')

    @in_turn
    def test_page_of_a_proxy(self):
        """A 404 from a proxy says nothing about an object, so the batch is kept and sent again."""
        self.ramp.faults.add_fault('html_error', '/accounting/syncs')
        with mute_logger(LOGGER):
            self.hour()
        self.assertEqual([self.record(ramp_id).attempts for ramp_id in self.ids], [0, 0, 0])
        self.assertEqual(len({self.record(ramp_id).sync_key for ramp_id in self.ids}), 1, 'the batch stays one')
        self.day('HTTP 404', hours=23)

    @in_turn
    def test_one_that_is_refused(self):
        """If Ramp refuses one object, the others are confirmed, and the form shows the reason for that one."""

        def hook(method, path, body):
            if path.endswith('/accounting/syncs') and self.ids[0] in str(body):
                raise RampError(400, 'DEVELOPER_7001', 'Not this one')

        self.ramp.add_before_hook(hook)
        for _hour in range(10):
            self.hour()
        self.assertEqual((self.record(self.ids[0]).state, self.connection.untold_count), ('done', 1))
        self.assertIn('Not this one', self.connection.untold_reason)
        for ramp_id in self.ids[1:]:
            self.assertConfirmed(ramp_id)
        self.accept()
        self.hour()
        self.assertTold()

    def test_without_the_permission(self):
        """After a 403 the run fails, because somebody must grant the permission, but it posts everything first."""
        self.refuse(403, 'DEVELOPER_7100')
        with mute_logger(LOGGER):
            runs = self.hour()
        self.assertEqual(
            {run.flow: run.state for run in runs}, {'transaction': 'failed', 'vendor': 'done', 'bill': 'failed'}
        )
        self.assertIn('lacks a permission', self.connection.last_error)
        self.assertEqual(self.connection.untold_count, 4)
        self.accept()
        self.hour()
        self.assertTold()
        self.assertFalse(self.connection.last_error)
