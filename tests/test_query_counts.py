# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import threading
from collections import Counter
from contextlib import contextmanager

from odoo.tests import tagged

from .common import RampCase

FEW, MANY = 20, 40  # transactions; both fit on one page and into one batch
PHASES = ('_store_page', '_book_batch', '_confirm_batch')
TRIES = 3  # the first run of a kind also fills caches of the process


@tagged('post_install', '-at_install', 'ramp', 'is_query_count')
class TestQueryCounts(RampCase):
    """What a transaction costs is counted in queries: they are the same on every machine, seconds are not."""

    seed = {'transactions': 0, 'users': [{'first_name': 'Ada', 'last_name': 'Lovelace', 'email': 'ada@example.com'}]}

    def setUp(self):
        super().setUp()
        self.counts = Counter()
        flow = type(self.env['ramp.flow.transaction'])
        for phase in PHASES:
            self.patch(flow, phase, self.counted(phase, getattr(flow, phase)))

    def counted(self, phase, original):
        def counting(*args, **kwargs):
            with self.counting(phase):
                return original(*args, **kwargs)
        return counting

    @contextmanager
    def counting(self, phase):
        """Add the queries of all cursors of this thread to the phase's count; those of an inner phase count for both."""
        thread = threading.current_thread()
        hooks = getattr(thread, 'query_hooks', ())

        def hook(cr, query, params, start, delay):
            self.counts[phase] += 1

        thread.query_hooks = (*hooks, hook)
        try:
            yield
        finally:
            thread.query_hooks = hooks

    def queries(self, count, **values):
        """Queries of each phase when this many transactions are fetched, booked and confirmed in one run."""
        spent = [self.spend(1000, date='2026-03-10T12:00:00+00:00', **values) for _number in range(count)]
        self.counts.clear()
        with self.counting('run'):
            self.sync('transaction')
        for ramp_id in spent:
            self.assertEqual(self.record(ramp_id).state, 'confirmed')
        return Counter(self.counts)

    def each(self, **values):
        """Queries that one transaction more costs, by phase: what a batch costs as a whole cancels out."""
        for _try in range(TRIES - 1):
            self.queries(2, **values)
        few, many = self.queries(FEW, **values), self.queries(MANY, **values)
        return {phase: (many[phase] - few[phase]) / (MANY - FEW) for phase in ('run', *PHASES)}

    def test_plain_transactions(self):
        """Nothing is asked for each transaction: accounts, vendors, numbers and payment methods are found for the batch."""
        each = self.each()
        self.assertEqual(each['_store_page'], 0)
        self.assertEqual(each['_confirm_batch'], 0)
        self.assertLessEqual(each['_book_batch'], 0.5)
        self.assertLessEqual(each['run'], 0.5)

    def test_split_transactions_with_analytics(self):
        """Core asks for each analytic line whether its account exists."""
        each = self.each(lines=[
            {'amount_minor': 400, 'account': self.external(self.account_meals), 'analytics': self.analytics(self.analytic_move)},
            {'amount_minor': 600, 'account': self.external(self.account_travel), 'analytics': self.analytics(self.analytic_fair)}])
        self.assertEqual(each['_store_page'], 0)
        self.assertEqual(each['_confirm_batch'], 0)
        self.assertLessEqual(each['run'], 3)
