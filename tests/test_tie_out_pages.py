# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from contextlib import contextmanager

from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from ..report import ramp_tie_out_pages
from .test_month_end import MonthEndCase

FEW, MANY = 3, 9  # differences of a month


@tagged('post_install', '-at_install', 'ramp')
class TestTieOutPages(MonthEndCase):
    """The screen reads the differences of the tie-out page by page."""

    def setUp(self):
        super().setUp()
        self.env.flush_all()
        self.tie_out = self.env['report.ramp_connector.tie_out']

    def hold(self, count, month='2026-07'):
        """Let Ramp have so many transactions that are on hold here."""
        for number in range(count):
            self.spend(1000 + number, account=None, date=f'{month}-{number % 28 + 1:02}T12:00:00+00:00')
        self.sync_statements()

    def figures_of(self, report):
        """Return a report without its lists."""
        for section in report['sections']:
            for part in (*section['months'], section['carried']):
                for name in ('differences', 'rows'):
                    part['more'] = part.get('more', 0) + len(part.pop(name, ()))
                part.pop('more_amount', None)
        for part in report['open']:
            for row in part['rows']:
                row['more'] += len(row.pop('differences'))
        return report

    def read_pages(self, month, **options):
        """Return all pages of a list, until one is empty."""
        [section] = self.tie_out.get_first_page(self.connection.id)['sections']
        place = (self.connection.id, section['currency']['id'], section['entity'], month)
        pages = []
        for page in range(MANY + 3):
            if not (found := self.tie_out.get_differences(*place, page=page, **options)):
                return pages
            pages.append(found)
        return self.fail('the pages do not end')

    @contextmanager
    def counting(self, counts):
        before = self.env.cr.sql_log_count
        self.env.invalidate_all()
        yield
        counts.append(self.env.cr.sql_log_count - before)

    def test_the_figures_are_those_of_the_whole_report(self):
        self.differ()
        self.hold(FEW, '2026-08')
        whole = self.figures_of(self.report())
        self.assertTrue(whole['status']['count'])
        self.patch(ramp_tie_out_pages, 'PAGE_SIZE', 1)
        self.assertEqual(self.figures_of(self.tie_out.get_first_page(self.connection.id)), whole)
        self.assertEqual(self.figures_of(self.tie_out._report_without_lists(self.connection.id)), whole)

    def test_the_first_page_has_only_what_is_unfolded(self):
        self.hold(FEW)
        self.hold(FEW, '2026-08')
        self.patch(ramp_tie_out_pages, 'PAGE_SIZE', 2)
        [section] = self.tie_out.get_first_page(self.connection.id, None, '2026-08')['sections']
        listed = {month['month']: (len(month['differences']), month['more']) for month in section['months']}
        self.assertEqual((listed['2026-07'], listed['2026-08']), ((0, FEW), (2, FEW - 2)))

    def test_pages_of_a_month(self):
        """All pages together have each difference once, the largest first."""
        self.differ()
        self.hold(FEW)
        [section] = self.report()['sections']
        [month] = [month for month in section['months'] if month['month'] == '2026-07']
        self.patch(ramp_tie_out_pages, 'PAGE_SIZE', 2)
        pages = self.read_pages('2026-07')
        self.assertGreater(len(pages), 1)
        self.assertCountEqual(
            [item['name'] for page in pages for item in page], [item['name'] for item in month['differences']]
        )
        self.assertGreaterEqual(abs(pages[0][0]['difference']), abs(pages[-1][-1]['difference']))

    def test_pages_of_what_is_carried_forward(self):
        self.differ()
        self.hold(FEW)
        carried = self.section('2026-08', '2026-08')['carried']
        self.patch(ramp_tie_out_pages, 'PAGE_SIZE', 2)
        pages = self.read_pages(None, month_from='2026-08', month_to='2026-08')
        self.assertCountEqual(
            [item['record_id'] or item['move_id'] for page in pages for item in page],
            [item['record_id'] or item['move_id'] for item in carried['rows']],
        )

    def test_pages_of_open_bills(self):
        """The partners share one page at first; the rest is read for each of them."""
        for _number in range(FEW):
            self.pay_bill_of_vendor()
        report = self.report()
        [row] = [row for row in report['open'][0]['rows'] if row['odd']]
        self.assertEqual((len(row['differences']), row['more']), (FEW, 0))
        self.patch(ramp_tie_out_pages, 'PAGE_SIZE', 2)
        [first] = [row for row in self.tie_out.get_first_page(self.connection.id)['open'][0]['rows'] if row['odd']]
        self.assertEqual((len(first['differences']), first['more'], first['odd']), (2, FEW - 2, FEW))
        place = (self.connection.id, 'vendor', row['partner_id'], row['currency']['id'])
        pages = [self.tie_out.get_open_differences(*place, page=page) for page in range(2)]
        self.assertEqual([item for page in pages for item in page], row['differences'])

    def pay_bill_of_vendor(self):
        """Make a bill that is on hold, and so is open in Ramp only."""
        self.owe(5000, date='2026-07-10', account=None)
        self.sync_payables()

    def test_queries_do_not_grow_with_the_differences(self):
        counts = []
        for more in (FEW, MANY - FEW):
            self.hold(more)
            for _try in range(2):
                with self.counting(counts):
                    self.tie_out.get_first_page(self.connection.id)
                with self.counting(counts):
                    self.read_pages('2026-07')
        self.assertEqual(counts[2:4], counts[6:8])

    def test_who_may_read_a_page(self):
        [section] = self.tie_out.get_first_page(self.connection.id)['sections']
        stranger = self.tie_out.with_user(new_test_user(self.env, 'ramp_stranger', 'base.group_user'))
        with self.assertRaises(AccessError):
            stranger.get_first_page(self.connection.id)
        with self.assertRaises(AccessError):
            stranger.get_differences(self.connection.id, section['currency']['id'], section['entity'], '2026-07')
        with self.assertRaises(AccessError):
            stranger.get_open_differences(self.connection.id, 'vendor', 1, section['currency']['id'])
        with self.assertRaises(UserError):
            self.tie_out.get_differences(self.connection.id, section['currency']['id'], section['entity'], 'July')
