# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import html
import io
import json
import sys
from unittest import skipUnless
from unittest.mock import patch
from urllib.parse import quote, urlencode

import openpyxl
from PyPDF2 import PdfReader

from odoo.addons.base.models.ir_actions_report import _wkhtml
from odoo.exceptions import AccessError, UserError
from odoo.tests import JsonRpcException, tagged
from odoo.tools import mute_logger

from ..report import ramp_tie_out_pages
from .common import BrowserCase, StatementsCase
from .test_screens import ScreenCase

XLSX = '/ramp_connector/tie_out/xlsx'


class TieOutCase(StatementsCase, ScreenCase):
    """A statement's month: spend, cashback and a payment, all of it posted."""

    def once(self):
        super().once()
        self.connection.write({'name': 'Ramp of the tour', 'start_date': '2026-06-01'})
        self.ramp_ids = [
            self.spend(minor, merchant=merchant, date=f'2026-07-{day:02}T12:00:00+00:00')
            for day, (merchant, minor) in enumerate(
                (('Amazon Web Services', 10000), ('FedEx', 2500), ('Staples', -500)), 3
            )
        ]
        self.ramp.close_statement('2026-08-01', cashback_bps=150)
        self.ramp.add_transfer(amount_minor=5000, date='2026-08-05')
        self.sync_statements()

    def report(self, *months):
        self.env.flush_all()
        return self.env['report.ramp_connector.tie_out'].get_report(self.connection.id, *months)

    def differ(self):
        """Make three differences: one that is only in Ramp, one that somebody reset to draft, and one that somebody
        entered.
        """
        self.held = self.spend(
            700, merchant='=HYPERLINK("https://example.com")', account=None, date='2026-07-09T12:00:00+00:00'
        )
        self.sync_statements()
        self.move(self.ramp_ids[1]).button_draft()
        self.by_hand = self.enter_by_hand('2026-07-10', 7.0, journal_id=self.connection.card_journal_id.id)


@tagged('post_install', '-at_install', 'ramp')
class TestTieOutScreens(TieOutCase):
    """The data for the screen, the PDF and the workbook."""

    def test_status(self):
        """The status is green only if everything was read and agrees. Otherwise it says what is not known, or how many
        differences there are.
        """
        self.assertEqual(self.report()['status']['kind'], 'unread')
        self.assertRegex(self.report()['status']['note'], 'never. Press Refresh from Ramp')
        self.sync('watch')
        self.assertEqual(
            {key: self.report()['status'][key] for key in ('kind', 'count', 'text')},
            {'kind': 'zero', 'count': 0, 'text': 'Everything ties out to the cent'},
        )
        self.differ()
        self.assertEqual(
            {key: self.report()['status'][key] for key in ('kind', 'count', 'text')},
            {'kind': 'odd', 'count': 3, 'text': '3 differences'},
        )
        self.assertEqual(self.report('2026-08', '2026-08')['status']['text'], 'Differences in earlier months')
        self.env['ramp.record'].search([]).unlink()
        self.env['account.move'].search([]).filtered(lambda move: move.state == 'posted').button_draft()
        self.assertEqual(self.report()['status']['kind'], 'empty')

    def test_kinds_have_names(self):
        self.differ()
        report = self.report()
        kinds = [
            item['kind']
            for section in report['sections']
            for month in section['months']
            for item in month['differences']
        ]
        self.assertEqual(sorted(report['kinds'][kind] for kind in kinds), ['Draft', 'Entered by hand', 'On hold'])

    def test_balances_can_be_opened(self):
        """The items behind an opening or a closing balance, or behind several months, add up to it."""
        Report, usd = self.env['report.ramp_connector.tie_out'], self.env.ref('base.USD')
        [section] = self.report()['sections']

        def total(**options):
            action = Report.open_items(self.connection.id, 'odoo', usd.id, entity=section['entity'], **options)
            return (
                -round(sum(self.env[action['res_model']].search(action['domain']).mapped('amount_currency')), 2) + 0.0
            )

        for month in section['months']:
            with self.subTest(month=month['month']):
                self.assertEqual(total(month_to=month['month']), month['closing']['odoo'])
        first, last = section['months'][0]['month'], section['months'][-1]['month']
        self.assertEqual(total(month_to='2026-05'), section['opening']['odoo'])
        for line in section['lines']:
            if line['is_owed']:
                self.assertEqual(total(month=first, month_to=last, measure=line['measure']), line['odoo'])
        self.connection.start_date = '2026-07-04'  # in the middle of a month: the first transaction is in the opening
        [section] = self.report()['sections']
        self.assertEqual((section['opening']['odoo'], total(month_to='2026-06')), (100.0, 100.0))
        self.assertEqual(total(month='2026-07', measure='spend'), 25.0)

    def test_rows_of_the_analysis(self):
        self.differ()
        self.env.flush_all()
        rows = self.env['ramp.tie.out'].search([('is_odd', '=', True), ('connection_id', '=', self.connection.id)])
        self.assertEqual(
            {(action['res_model'], action['res_id']) for action in (row.action_open() for row in rows)},
            {
                ('ramp.record', self.record(self.held).id),
                ('ramp.record', self.record(self.ramp_ids[1]).id),
                ('account.move', self.by_hand.id),
            },
        )

    def test_read_again(self):
        accountant, auditor = (self.person(role) for role in ('accountant', 'auditor'))
        connection = self.connection.with_env(self.as_person(accountant))
        self.connection.sync_requested_at = False
        self.assertTrue(connection.action_read_again())
        self.assertTrue(self.connection.sync_requested_at)
        self.assertTrue(
            self.env['ir.cron.trigger'].search_count([('cron_id', '=', self.env.ref('ramp_connector.cron_watch').id)])
        )
        with self.assertRaises(AccessError):
            connection.with_env(self.as_person(auditor)).action_read_again()
        self.connection.state = 'disconnected'
        with self.assertRaises(UserError):
            connection.action_read_again()

    def test_html(self):
        """The HTML of the PDF names every difference."""
        self.sync('watch')
        self.differ()
        report = self.env.ref('ramp_connector.ramp_tie_out_report')
        html = report._render_qweb_html(report.report_name, None, data={'connection_id': self.connection.id})[
            0
        ].decode()
        for text in (
            '3 differences',
            '=HYPERLINK(&#34;https://example.com&#34;)',
            'Entered by hand',
            'Closing balance',
            '$',
        ):
            with self.subTest(text=text):
                self.assertIn(text, html)
        html = report._render_qweb_html(
            report.report_name, self.connection.ids, data={'month_from': '2026-08', 'month_to': '2026-08'}
        )[0]
        self.assertIn('August 2026', html.decode())
        self.assertNotIn('July 2026', html.decode())
        self.assertNotIn("At Odoo's rates", html.decode().replace('&#39;', "'"))

    def test_foreign_currencies_in_what_is_exported(self):
        self.spend(8000, currency='EUR', date='2026-07-04T12:00:00+00:00')
        self.sync('transaction')
        report = self.env.ref('ramp_connector.ramp_tie_out_report')
        text = report._render_qweb_html(report.report_name, self.connection.ids)[0].decode().replace('&#39;', "'")
        self.assertIn("At Odoo's rates", text)
        _name, content = self.env['report.ramp_connector.tie_out']._workbook_file(self.connection.id)
        rows = list(openpyxl.load_workbook(io.BytesIO(content))['Exchange Rates'].values)
        self.assertEqual((rows[-1][0], rows[-1][2:]), ('EUR', (100, 100, 0, 0)))


@tagged('post_install', '-at_install', 'ramp', 'ramp_tour')
class TestTieOutTours(TieOutCase, BrowserCase):
    """The report in a real browser, and its exports over HTTP; see `TestTours`."""

    def book(self, **options):
        answer = self.url_open(
            f'{XLSX}?connection_id={self.connection.id}' + ''.join(f'&{key}={value}' for key, value in options.items())
        )
        self.assertEqual(answer.status_code, 200, answer.text[:500])
        self.assertIn('attachment', answer.headers['Content-Disposition'])
        return openpyxl.load_workbook(io.BytesIO(answer.content)), openpyxl.load_workbook(
            io.BytesIO(answer.content), data_only=True
        )

    def call(self, method, *arguments):
        return self.make_jsonrpc_request(
            '/web/dataset/call_kw',
            {'model': 'report.ramp_connector.tie_out', 'method': method, 'args': arguments, 'kwargs': {}},
        )

    def test_green(self):
        self.sync('watch')
        exported, report = [], type(self.env['report.ramp_connector.tie_out'])
        original = report._workbook_file

        def counting(*args, **options):
            exported.append(args[1:])
            return original(*args, **options)

        self.patch(report, '_workbook_file', counting)
        self.start_tour('/odoo', 'ramp_connector_tie_out_green', login=self.person('auditor').login)
        self.assertEqual([arguments[0] for arguments in exported], [self.connection.id])

    def test_sign_off(self):
        """An accounting administrator signs a month, and withdraws it with a reason."""
        self.sync('watch')
        self.start_tour('/odoo/ramp-tie-out', 'ramp_connector_tie_out_sign_off', login=self.person('manager').login)
        sign_off = self.env['ramp.tie.out.sign.off'].search([('connection_id', '=', self.connection.id)])
        self.assertEqual((f'{sign_off.month:%Y-%m}', sign_off.withdrawal_reason), ('2026-07', 'Too early'))

    def test_amber(self):
        self.sync('watch')
        self.differ()
        self.start_tour('/odoo', 'ramp_connector_tie_out_amber', login=self.person('auditor').login)

    def test_pages(self):
        """A list is unfolded with its first page, and a click brings the next one."""
        self.sync('watch')
        self.differ()
        for number, merchant in enumerate(('Fourth', 'Fifth', 'Sixth')):
            self.spend(300 - number, merchant=merchant, account=None, date='2026-07-11T12:00:00+00:00')
        self.sync_statements()
        # The entry by hand is of no entity, and is on the first page, too
        self.patch(ramp_tie_out_pages, 'PAGE_SIZE', 2)
        self.start_tour('/odoo/ramp-tie-out', 'ramp_connector_tie_out_pages', login=self.person('auditor').login)

    def test_rates(self):
        """The report shows a rate that was entered after the charge was posted, and that differs from it by more than
        the tolerance.
        """
        self.spend(8000, currency='EUR', merchant='Hotel', date='2026-07-06T12:00:00+00:00')
        self.sync_statements()
        self.sync('watch')
        self.env['res.currency.rate'].create(
            {
                'currency_id': self.env.ref('base.EUR').id,
                'company_id': self.company.id,
                'name': '2026-07-06',
                'rate': 0.5,
            }
        )
        self.start_tour('/odoo', 'ramp_connector_tie_out_rates', login=self.person('auditor').login)

    def test_nothing_there(self):
        """If Ramp was never read, an accountant can request it. Without a connection the page says so."""
        auditor = self.person('auditor')
        self.connection.sync_requested_at = False
        self.start_tour('/odoo/ramp-tie-out', 'ramp_connector_tie_out_unread', login=self.person('accountant').login)
        self.env.invalidate_all()
        self.assertTrue(self.connection.sync_requested_at)
        self.connection.state = 'draft'
        self.start_tour('/odoo/ramp-tie-out', 'ramp_connector_tie_out_unconnected', login=auditor.login)

    def test_xlsx(self):
        self.sync('watch')
        self.differ()
        report = self.report()
        user = self.person('auditor')
        self.authenticate(user.login, user.login)
        formulas, values = self.book()
        [section] = report['sections']
        sheet = values.worksheets[1]
        rows = {
            (row[0].value and f'{row[0].value:%Y-%m}', row[1].value): [cell.value for cell in row[2:5]]
            for row in sheet.iter_rows(min_row=6)
        }
        shown = [month for month in section['months'] if not month['is_empty']]
        self.assertEqual([month['month'] for month in shown], ['2026-07', '2026-08'])
        for month in shown:
            for label, figures in (
                ('Opening balance', month['opening']),
                ('Closing balance', month['closing']),
                *((line['label'], line) for line in month['lines'] if line['is_owed'] and not line['is_empty']),
            ):
                self.assertEqual(
                    rows[month['month'], label], [figures[side] for side in ('ramp', 'odoo', 'difference')]
                )
        self.assertEqual([value for key, value in rows.items() if 'Checksum' in (key[1] or '')], [[0, 0, 0]])
        self.assertEqual(sheet.freeze_panes, 'A6')
        self.assertEqual(sheet['C6'].number_format, '#,##0.00')
        listed = [[cell.value for cell in row] for row in values['Differences'].iter_rows(min_row=6) if row[2].value]
        named = [item for month in section['months'] for item in month['differences']]
        self.assertEqual(
            [row[9:12] for row in listed], [[item['ramp'], item['odoo'], item['difference']] for item in named]
        )
        self.assertIn('=HYPERLINK("https://example.com")', [row[3] for row in listed])
        for sheet in formulas.worksheets:
            for cell in (cell for row in sheet.iter_rows() for cell in row if cell.data_type == 'f'):
                self.assertRegex(cell.value, r"^=((ROUND|SUMIF)\(|'[^']+'![CD]\d+$)")
            self.assertFalse([cell for row in sheet.iter_rows() for cell in row if cell.hyperlink])
        [total] = [
            row
            for row in values['Differences'].iter_rows(min_row=6, values_only=True)
            if row[8] == 'Closing difference USD'
        ]
        self.assertEqual(total[11], section['closing']['difference'])
        _formulas, values = self.book(month_from='2026-08', month_to='2026-08')
        self.assertEqual(
            {f'{row[0].value:%Y-%m}' for row in values.worksheets[1].iter_rows(min_row=6) if row[0].value}, {'2026-08'}
        )

    def test_xlsx_of_no_connection(self):
        """What is no id of a connection is a wrong request, and no error of the server."""
        user = self.person('auditor')
        self.authenticate(user.login, user.login)
        with mute_logger('odoo.http'):
            for connection in ('', 'x', '-1', '1.5'):
                self.assertEqual(self.url_open(f'{XLSX}?connection_id={connection}').status_code, 400, connection)

    def test_xlsx_without_its_library(self):
        user = self.person('auditor')
        self.authenticate(user.login, user.login)
        with patch.dict(sys.modules, {'xlsxwriter': None}), mute_logger('odoo.http'):
            answer = self.url_open(f'{XLSX}?connection_id={self.connection.id}')
        self.assertEqual(
            (answer.status_code // 100, 'pip install XlsxWriter' in html.unescape(answer.text)),
            (4, True),
            answer.text[:500],
        )

    def test_access(self):
        for role, code in (('accountant', 200), ('auditor', 200), ('employee', 403)):
            with self.subTest(role=role):
                user = self.person(role)
                self.authenticate(user.login, user.login)
                with mute_logger('odoo.http'):
                    answer = self.url_open(f'{XLSX}?connection_id={self.connection.id}')
                self.assertEqual(answer.status_code, code, answer.text[:300])
                if code == 200:
                    self.assertTrue(self.call('get_report', self.connection.id)['sections'])
                    continue
                for method, *arguments in (
                    ('get_report',),
                    ('open_items', 'odoo', self.env.ref('base.USD').id),
                    ('open_owing', 'vendor', 'odoo', 1, 1),
                ):
                    with self.assertRaisesRegex(JsonRpcException, 'AccessError'), mute_logger('odoo.http'):
                        self.call(method, self.connection.id, *arguments)
                with mute_logger('odoo.http'):
                    self.assertEqual(
                        self.url_open(f'/report/html/ramp_connector.tie_out/{self.connection.id}').status_code, 403
                    )
        for query in ('', '?connection_id=x', '?connection_id=-1'):
            self.assertEqual(self.url_open(XLSX + query).status_code, 400)

    @skipUnless(_wkhtml().state == 'ok', 'wkhtmltopdf is not here')
    def test_pdf(self):
        self.sync('watch')
        self.differ()
        user = self.person('auditor')
        self.authenticate(user.login, user.login)
        Report = self.env['ir.actions.report']
        print_it = type(Report)._run_wkhtmltopdf

        def with_fonts_of_the_machine(report, bodies, **options):
            # Some builds of the program draw web fonts as outlines, in which no text can be read.
            style = '<style>* {font-family: sans-serif !important}</style></head>'
            return print_it(report, [str(body).replace('</head>', style) for body in bodies], **options)

        # The options are those of the button. Within tests, Odoo makes a PDF only on explicit request.
        options = json.dumps({'connection_id': self.connection.id, 'month_from': False, 'month_to': '2026-08'})
        data = json.dumps(
            [f'/report/pdf/ramp_connector.tie_out?options={quote(options)}&context={quote("{}")}', 'qweb-pdf']
        )
        with patch.object(type(Report), '_run_wkhtmltopdf', with_fonts_of_the_machine):
            answer = self.url_open(
                '/report/download?' + urlencode({'data': data, 'context': json.dumps({'force_report_rendering': True})})
            )
        self.assertEqual(
            (answer.status_code, answer.headers['Content-Type']), (200, 'application/pdf'), answer.text[:500]
        )
        self.assertIn('August', answer.headers['Content-Disposition'])
        content = answer.content
        text = ' '.join(' '.join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages).split())
        for expected in ('3 differences', 'Closing balance', 'Entered by hand', '25.00', 'July 2026'):
            self.assertIn(expected, text)
