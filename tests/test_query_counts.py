# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import threading
from collections import Counter
from contextlib import contextmanager
from datetime import date, timedelta

from odoo.tests import tagged

from ..models import ramp_record_statistics
from .common import RampCase, StatementsCase

FEW, MANY = 3, 12  # transactions; both fit on one page and into one batch
PHASES = ('_store_listed_page', '_book_batch', '_confirm_booked_batch')
TRIES = 2  # the first run of a kind also fills caches of the process


class QueryCounting:
    """The cost of an object is counted in queries, because these are the same on every machine, and seconds are not."""

    seed = {'transactions': 0, 'users': [{'first_name': 'Ada', 'last_name': 'Lovelace', 'email': 'ada@example.com'}]}

    def setUp(self):
        super().setUp()
        self.counts = Counter()

    def count_phases(self, flow, name='', phases=PHASES):
        """Count the queries of the phases of a flow, each under `name` and the phase's name."""
        flow = type(self.env[f'ramp.flow.{flow}'])
        for phase in phases:
            self.patch(flow, phase, self.counted(name + phase, getattr(flow, phase)))

    def counted(self, phase, original):
        def counting(*args, **kwargs):
            with self.counting(phase):
                return original(*args, **kwargs)

        return counting

    @contextmanager
    def counting(self, phase):
        """Count the queries of all cursors of this thread for the phase. Those of an inner phase count for both phases."""
        thread = threading.current_thread()
        hooks = getattr(thread, 'query_hooks', ())

        def hook(cr, query, params, start, delay):
            self.counts[phase] += 1

        thread.query_hooks = (*hooks, hook)
        try:
            yield
        finally:
            thread.query_hooks = hooks

    def each(self, few, many, **values):
        """Return the queries that one more object costs, by phase of `queries(count)`. The cost of a whole batch
        cancels out; see `totals` for it.
        """
        for _try in range(TRIES - 1):
            self.queries(2, **values)
        totals = self.totals = {count: self.queries(count, **values) for count in (few, many)}
        return {
            phase: (totals[many][phase] - totals[few][phase]) / (many - few) for phase in {*totals[few], *totals[many]}
        }


@tagged('post_install', '-at_install', 'ramp', 'is_query_count')
class TestQueryCounts(QueryCounting, RampCase):
    def setUp(self):
        super().setUp()
        self.count_phases('transaction')

    def queries(self, count, **values):
        """Return the queries of each phase when so many transactions are fetched, posted and confirmed in one run."""
        spent = [self.spend(1000, date='2026-03-10T12:00:00+00:00', **values) for _number in range(count)]
        self.counts.clear()
        with self.counting('run'):
            self.sync('transaction')
        for ramp_id in spent:
            self.assertEqual(self.record(ramp_id).state, 'confirmed')
        return Counter(self.counts)

    def test_plain_transactions(self):
        """No query is made for each transaction: accounts, vendors, numbers and payment methods are found for the
        batch.
        """
        each = self.each(FEW, MANY)
        self.assertEqual(each['_store_listed_page'], 0)
        self.assertEqual(each['_confirm_booked_batch'], 0)
        self.assertLessEqual(each['_book_batch'], 0.5)
        self.assertLessEqual(each['run'], 0.5)

    def test_split_transactions_with_analytics(self):
        """The analytic accounts of a batch are known, so core does not check for each analytic line whether its account
        exists.
        """
        each = self.each(
            FEW,
            MANY,
            lines=[
                {
                    'amount_minor': 400,
                    'account': self.external(self.account_meals),
                    'analytics': self.analytics(self.analytic_move),
                },
                {
                    'amount_minor': 600,
                    'account': self.external(self.account_travel),
                    'analytics': self.analytics(self.analytic_fair),
                },
            ],
        )
        self.assertEqual(each['_store_listed_page'], 0)
        self.assertEqual(each['_confirm_booked_batch'], 0)
        self.assertLessEqual(each['run'], 0.5)

    def test_confirmation_is_one_request_for_all(self):
        self.queries(2)
        before = len(self.ramp.list_write_calls())
        self.queries(MANY)
        self.assertEqual(len(self.ramp.list_write_calls()) - before, 1)

    def test_receipts(self):
        """Receipts are processed in batches. Each one costs a constant number of queries for its own two attachments."""
        few, many = 5, 15  # below a batch

        def receipts(count):
            for _number in range(count):
                self.spend(1000, receipts=1)
            self.sync('transaction')
            self.counts.clear()
            with self.counting('receipts'):
                self.sync('receipt')
            return self.counts['receipts']

        receipts(2)
        first = receipts(few)
        self.assertLessEqual((receipts(many) - first) / (many - few), 12)

    def test_an_idle_run_costs_the_same_however_much_is_booked(self):
        def idle():
            self.counts.clear()
            with self.counting('idle'):
                self.sync('transaction')
            return self.counts['idle']

        self.queries(2)
        idle()
        before = idle()
        self.queries(MANY)
        self.assertLessEqual(idle(), before)

    def refresh_statistics(self):
        """Refresh the statistics as the product does, on a table that the test does not change."""
        self.patch(ramp_record_statistics, 'FILLED_TABLES', ('res_lang',))
        ramp_record_statistics.RampRecord._refresh_statistics(self.env['ramp.record'])

    def test_statistics_are_refreshed_when_a_table_was_filled(self):
        statements = []
        thread = threading.current_thread()
        thread.query_hooks = (lambda cr, query, params, start, delay: statements.append(query),)
        self.addCleanup(delattr, thread, 'query_hooks')
        self.patch(ramp_record_statistics, 'FEW_CHANGES', 10**9)
        self.refresh_statistics()
        self.assertFalse([text for text in statements if 'ANALYZE' in text], 'nothing was filled')
        self.patch(ramp_record_statistics, 'FEW_CHANGES', -(10**9))
        self.refresh_statistics()
        self.assertEqual([text.split('"')[1] for text in statements if 'ANALYZE' in text], ['res_lang'])

    def test_statistics_are_those_of_tables_that_exist(self):
        self.env.cr.execute(
            'SELECT relname FROM pg_stat_user_tables WHERE relname = ANY(%s)',
            [list(ramp_record_statistics.FILLED_TABLES)],
        )
        self.assertEqual({name for [name] in self.env.cr.fetchall()}, set(ramp_record_statistics.FILLED_TABLES))

    def test_statistics_never_fail_the_run(self):
        self.patch(ramp_record_statistics, 'FEW_CHANGES', 'not a number')
        self.refresh_statistics()
        self.env.cr.execute('SELECT 1')  # the transaction is usable


@tagged('post_install', '-at_install', 'ramp', 'is_query_count')
class TestQueryCountsStatements(QueryCounting, StatementsCase):
    """A statement costs the same however many lines it has. A transfer costs as much as a payment of Odoo."""

    def queries(self, count, flow='statement', **values):
        self.day = getattr(self, 'day', date(2026, 1, 1)) + timedelta(days=1)
        if flow == 'statement':
            for _number in range(count):
                self.spend(1000, date=f'{self.day}T12:00:00+00:00')
            self.sync('transaction')
            statement = self.ramp.close_statement(f'{self.day + timedelta(days=1)}T00:00:00+00:00')
        else:
            transfers = [self.ramp.add_transfer(amount_minor=100, date=str(self.day)) for _number in range(count)]
        self.counts.clear()
        with self.counting('run'):
            self.sync(flow, now=False)
        if flow == 'statement':
            self.assertEqual(self.bill(statement).mapped('amount_total'), [10.0 * count])
        else:
            self.assertEqual(len(self.payment(transfers[0])), 1)
        return Counter(self.counts)

    def test_statement(self):
        self.assertLessEqual(self.each(FEW, MANY)['run'], 0.05)

    def test_transfer(self):
        self.assertLessEqual(self.each(FEW, MANY, flow='transfer')['run'], 8)
