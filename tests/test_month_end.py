# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import datetime
import io

import openpyxl

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from ..report.ramp_tie_out_report import Listing
from .common import PayablesCase
from .properties import in_turn
from .test_tie_out_screens import TieOutCase


class MonthEndCase(TieOutCase, PayablesCase):
    """The tie-out of a month as it is printed at its end."""

    flows = TieOutCase.flows

    def sync_payables(self, **options):
        self.connection.pull_bills = True
        return self.sync(*PayablesCase.flows, **options)

    def section(self, *months):
        [section] = self.report(*months)['sections']
        return section

    def workbook(self, *months, formulas=False):
        name, content = self.env['report.ramp_connector.tie_out']._workbook_file(self.connection.id, *months)
        return name, openpyxl.load_workbook(io.BytesIO(content), data_only=not formulas)

    def page(self, *months):
        report = self.env.ref('ramp_connector.ramp_tie_out_report')
        options = dict(zip(('month_from', 'month_to'), months, strict=False))
        content = report._render_qweb_html(
            report.report_name, None, data={'connection_id': self.connection.id, **options}
        )[0]
        return ' '.join(content.decode().split())

    def wait_in_ramp(self):
        """Add a transaction that nobody marked as ready in Ramp."""
        ramp_id = self.spend(700, merchant='Hotel', date='2026-07-09T12:00:00+00:00', sync_status='NOT_SYNC_READY')
        self.sync('watch')
        return ramp_id


@tagged('post_install', '-at_install', 'ramp')
class TestMonthEndSummary(MonthEndCase):
    """The summary says what is explained and what is not, and what came from earlier months."""

    def test_all_agrees(self):
        self.sync('watch')
        summary = self.section()['summary']
        self.assertEqual(
            {key: summary[key] for key in ('ramp', 'odoo', 'difference', 'explained', 'unexplained', 'kinds')},
            {'ramp': 68.2, 'odoo': 68.2, 'difference': 0, 'explained': 0, 'unexplained': 0, 'kinds': []},
        )
        self.assertEqual((summary['is_green'], summary['text']), (True, 'Nothing is unexplained. Nothing waits.'))

    def test_green_while_something_waits(self):
        """What waits in Ramp is a difference that is explained. The report is green and names it."""
        self.wait_in_ramp()
        report = self.report()
        [section] = report['sections']
        summary = section['summary']
        self.assertEqual(
            (summary['difference'], summary['explained'], summary['unexplained'], summary['is_green']),
            (7.0, 7.0, 0.0, True),
        )
        self.assertRegex(summary['text'], r'Nothing is unexplained\. Explained: Not ready in Ramp: \$\W*7\.00 \(1\)')
        self.assertEqual(
            (report['is_zero'], report['status']['kind'], report['status']['text']),
            (False, 'explained', 'Nothing is unexplained: Not ready in Ramp (1)'),
        )
        self.assertIn(' '.join(summary['text'].split()), self.page())

    def test_on_hold_because_of_ramp(self):
        """An object is explained if only somebody in Ramp can release it. Another one on hold is not."""
        self.spend(700, merchant='Hotel', account=None, date='2026-07-09T12:00:00+00:00')
        self.sync_statements()
        self.sync('watch')
        summary = self.section()['summary']
        self.assertEqual([row['label'] for row in summary['kinds']], ['On hold, to do in Ramp'])
        self.assertTrue(summary['is_green'])
        self.record(self.env['ramp.record'].search([('state', '=', 'held')]).ramp_id).reason = False
        summary = self.section()['summary']
        self.assertEqual([row['label'] for row in summary['kinds']], ['On hold'])
        self.assertEqual((summary['unexplained'], summary['is_green']), (7.0, False))

    def test_two_that_offset_each_other(self):
        """Unexplained differences that come to zero are unexplained."""
        self.differ()
        self.move(self.ramp_ids[1]).action_post()
        self.record(self.held).reason = False
        summary = self.section()['summary']
        self.assertEqual((summary['difference'], summary['unexplained']), (0, 0))
        self.assertEqual((summary['count'], summary['is_green']), (2, False))

    def test_other_period(self):
        """What is posted a month later is explained, unless its amount was edited as well."""
        self.sync('watch')
        move = self.move(self.ramp_ids[0])
        card = move.line_ids.filtered(lambda line: line.account_id == self.connection.card_account_id)
        move.button_draft()
        move.write({'date': '2026-08-02', 'name': '/'})
        move.action_post()
        summary = self.section('2026-07', '2026-07')['summary']
        self.assertEqual(
            [(row['kind'], row['amount'], row['is_explained']) for row in summary['kinds']], [('period', 100.0, True)]
        )
        self.assertTrue(summary['is_green'])
        self.assertEqual(self.section('2026-07', '2026-08')['summary']['kinds'], [])
        self.assertEqual(self.report()['status']['kind'], 'explained')
        move.button_draft()
        lines = [(1, card.id, {'amount_currency': -90.0}), (1, (move.line_ids - card).id, {'amount_currency': 90.0})]
        move.write({'line_ids': lines})
        move.action_post()
        summary = self.section('2026-07', '2026-07')['summary']
        self.assertEqual(
            [(row['label'], row['is_explained']) for row in summary['kinds']], [('Other period, and edited', False)]
        )

    def test_kinds_add_up(self):
        """Kinds add up to the difference at the end of the period."""
        self.differ()
        self.wait_in_ramp()
        summary = self.section()['summary']
        self.assertAlmostEqual(sum(row['amount'] for row in summary['kinds']), summary['difference'])
        self.assertAlmostEqual(summary['explained'] + summary['unexplained'], summary['difference'])
        self.assertEqual({row['kind'] for row in summary['kinds']}, {'withheld', 'draft', 'manual', 'held'})

    def test_carried_forward(self):
        """The objects of earlier months add up to the opening difference."""
        self.differ()
        self.assertEqual(self.section()['carried']['rows'], [])
        section = self.section('2026-08', '2026-08')
        carried = section['carried']
        self.assertEqual({item['kind'] for item in carried['rows']}, {'held', 'draft', 'manual'})
        self.assertEqual(carried['total'], section['opening']['difference'])
        self.assertAlmostEqual(
            sum(item['difference'] for item in carried['rows']) + carried['start'] + carried['more_amount'],
            carried['total'],
        )
        self.assertEqual(carried['total'], 25.0)
        page = self.page('2026-08', '2026-08')
        for text in ('Carried forward from earlier months', 'Opening difference', self.by_hand.name, self.held):
            self.assertIn(text, page)

    def test_carried_forward_from_before_the_start(self):
        self.enter_by_hand('2026-05-31', 400.0)
        section = self.section('2026-08', '2026-08')
        carried = section['carried']
        self.assertEqual((carried['rows'], carried['start'], carried['total']), ([], -400.0, -400.0))
        self.assertEqual((section['summary']['unexplained'], section['summary']['is_green']), (-400.0, False))

    def test_many_carried_forward(self):
        """What is not listed one by one has its sum."""
        self.differ()
        report = self.env['report.ramp_connector.tie_out']
        period = report._read_period(self.connection.id, '2026-08', '2026-08')
        carried = report._make_report(*period, Listing(1))['sections'][0]['carried']
        # One of the entity, and the entry by hand, which is of none
        self.assertEqual((len(carried['rows']), carried['more']), (2, 1))
        listed = sum(row['difference'] for row in carried['rows'])
        self.assertAlmostEqual(listed + carried['more_amount'], carried['total'])

    def test_what_is_zero_is_left_out(self):
        section = self.section()
        page = self.page()
        for month in section['months'][:-1]:
            self.assertEqual(month['label'] in page, not month['is_empty'], month['label'])
        self.assertIn(section['months'][-1]['label'], page)
        self.assertNotIn('Memo (not in the balance)', page)

    def test_accounts(self):
        """The accounts of the ledger add up to the closing balance, by their codes."""
        for months in ((), ('2026-07', '2026-07'), ('2026-08', '2026-08')):
            with self.subTest(months=months):
                section = self.section(*months)
                self.assertAlmostEqual(
                    sum(account['odoo'] for account in section['accounts']), section['closing']['odoo']
                )
                codes = [account['code'] for account in section['accounts']]
                self.assertEqual(codes, sorted(codes))
        self.assertIn(self.connection.ramp_partner_id.property_account_payable_id.code, codes)

    def test_entries_and_ids(self):
        self.differ()
        items = {item['kind']: item for month in self.section()['months'] for item in month['differences']}
        self.assertEqual((items['held']['ramp_id'], items['held']['entry']), (self.held, False))
        self.assertEqual(
            (items['draft']['ramp_id'], items['draft']['entry']), (self.ramp_ids[1], self.move(self.ramp_ids[1]).name)
        )
        self.assertEqual((items['manual']['ramp_id'], items['manual']['entry']), (False, self.by_hand.name))

    def test_queries_do_not_grow(self):
        self.wait_in_ramp()
        self.report('2026-08', '2026-08')
        self.env.invalidate_all()
        with self.assertQueryCount(45):
            self.report('2026-08', '2026-08')
        for day in range(1, 15):
            self.spend(100 * day, date=f'2026-07-{day:02}T12:00:00+00:00', account=None)
            self.owe(100 * day, date=f'2026-07-{day:02}', account=None)
        self.sync_statements()
        self.sync_payables()
        self.env.invalidate_all()
        with self.assertQueryCount(45):
            report = self.report('2026-08', '2026-08')
        self.assertEqual(len(report['sections'][0]['carried']['rows']), 15)


@tagged('post_install', '-at_install', 'ramp')
class TestMonthEndOpen(MonthEndCase):
    """Bills and reimbursements that were open on the last day of the period."""

    def open_bills(self, *months):
        bills, _people = self.report(*months)['open']
        return bills

    @in_turn
    def test_paid_after_the_period(self):
        bill = self.owe(10000, date='2026-07-10')
        self.sync_payables()
        self.ramp.pay_bill(bill, date='2026-08-05')
        self.sync_payables()
        self.assertPaid(bill)
        self.assertEqual(self.open_bills()['rows'], [])
        [row] = self.open_bills('2026-07', '2026-07')['rows']
        self.assertEqual((row['ramp'], row['odoo'], row['odd']), (100.0, 100.0, 0))
        self.assertIn('07/31/2026', self.open_bills('2026-07', '2026-07')['title'])
        self.assertEqual(self.open_bills('2026-06', '2026-06')['rows'], [])
        action = self.env['report.ramp_connector.tie_out'].open_owing(
            self.connection.id, 'vendor', 'odoo', row['partner_id'], row['currency']['id'], '2026-07'
        )
        self.assertEqual(self.env['account.move'].search(action['domain']), self.move(bill))

    def test_paid_in_part_after_the_period(self):
        bill = self.owe(10000, date='2026-07-10')
        self.ramp.pay_bill(bill, date='2026-08-05', amount_minor=4000)
        self.sync_payables()
        for month, amount in (('2026-07', 100.0), ('2026-08', 60.0)):
            [row] = self.open_bills(month, month)['rows']
            self.assertEqual((row['ramp'], row['odoo'], row['odd']), (amount, amount, 0), month)

    def test_paid_in_another_currency_after_the_period(self):
        """An amount in dollars is never added to euros. Odoo's side says what was open."""
        bill = self.owe(10000, currency='EUR', entity=self.primary, fx_conversion_rate='1.0873', date='2026-07-10')
        self.ramp.pay_bill(bill, date='2026-08-05', settled_minor=10900, in_payer_currency=True)
        self.sync_payables()
        self.assertPaid(bill)
        [row] = self.open_bills('2026-07', '2026-07')['rows']
        self.assertEqual(row['currency']['name'], 'EUR')
        self.assertEqual((row['ramp'], row['odoo'], row['differences'][0]['kind']), (0, 100.0, 'period'))

    def test_paid_on_another_day_in_odoo(self):
        """Both sides agree today. The day on which they did not is explained."""
        bill = self.owe(10000, date='2026-07-10')
        self.ramp.pay_bill(bill, date='2026-07-30')
        self.sync_payables()
        payment = PayablesCase.payment(self, bill)
        payment.action_draft()
        payment.date = '2026-08-02'
        payment.action_post()
        lines = (payment.move_id + self.move(bill)).line_ids
        lines.filtered(lambda line: line.account_type == 'liability_payable' and not line.reconciled).reconcile()
        bills = self.open_bills('2026-07', '2026-07')
        [row] = bills['rows']
        self.assertEqual((row['ramp'], row['odoo'], row['differences'][0]['kind']), (0, 100.0, 'period'))
        self.assertEqual((bills['is_zero'], bills['is_green']), (False, True))
        self.assertEqual(self.open_bills()['rows'], [])


@tagged('post_install', '-at_install', 'ramp')
class TestMonthEndFiles(MonthEndCase):
    """The PDF and the workbook of a month."""

    def test_names(self):
        self.company.name = 'A/B: "Works" <Inc>.'
        name, _book = self.workbook('2026-07', '2026-07')
        self.assertEqual(name, 'Ramp Tie-Out A B Works Inc . July 2026.xlsx')
        report = self.env['report.ramp_connector.tie_out']
        self.assertEqual(
            report._pdf_file_name(self.connection.id, '2026-07', '2026-08'),
            'Ramp Tie-Out A B Works Inc . July 2026 to August 2026',
        )

    def test_printed_by(self):
        self.env.user.tz = 'Europe/Vienna'
        text = f'Printed by {self.env.user.name} on '
        self.env = self.env(context={**self.env.context, 'tz': 'Europe/Vienna'})
        self.assertIn(text, self.page())
        self.assertIn('(Europe/Vienna)', self.page())
        _name, book = self.workbook()
        self.assertRegex(book['Summary']['A4'].value, f'^{text}.*Europe/Vienna')

    def test_summary_sheet(self):
        """The summary is first. Its formulas come to the figures of the report, and the sheets meet it."""
        self.differ()
        self.wait_in_ramp()
        [section] = self.report('2026-08', '2026-08')['sections']
        summary = section['summary']
        _name, values = self.workbook('2026-08', '2026-08')
        _name, formulas = self.workbook('2026-08', '2026-08', formulas=True)
        self.assertEqual(values.sheetnames[0], 'Summary')
        row = [cell.value for cell in values['Summary'][6]]
        self.assertEqual(row[2:7], [summary[key] for key in ('odoo', 'ramp', 'difference', 'explained', 'unexplained')])
        self.assertTrue(all(str(cell.value).startswith('=') for cell in formulas['Summary'][6][2:7]))
        sheet = formulas[values.sheetnames[1]]
        place = formulas['Summary']['C6'].value.partition('!')[2]
        self.assertEqual(values[sheet.title][place].value, summary['odoo'])
        for name, label, column, expected in (
            ('Differences', 'Closing difference USD', 11, summary['difference']),
            ('Accounts', 'Closing balance USD', 3, summary['odoo']),
        ):
            [total] = [row for row in values[name].iter_rows(values_only=True) if label in row]
            self.assertEqual(total[column], expected)

    def test_dates_filters_and_frozen_headers(self):
        self.differ()
        _name, book = self.workbook()
        for sheet in book:
            self.assertEqual(sheet.freeze_panes, 'A6', sheet.title)
        sheet = book['Differences']
        self.assertTrue(sheet.auto_filter.ref.startswith('A5:N'))
        rows = [row for row in sheet.iter_rows(min_row=6, values_only=True) if row[2]]
        self.assertEqual(len(rows), 3)
        for row in rows:
            self.assertEqual(row[1], datetime.datetime(2026, 7, 1))
            self.assertIsInstance(row[6], datetime.datetime)
        months = {row[0] for row in book.worksheets[1].iter_rows(min_row=6, values_only=True) if row[0]}
        self.assertLessEqual({datetime.datetime(2026, 7, 1), datetime.datetime(2026, 8, 1)}, months)


@tagged('post_install', '-at_install', 'ramp')
class TestMonthEndSignOff(MonthEndCase):
    """Accounting administrators sign a month. A later change of a figure shows."""

    def sign(self, month='2026-07', role='manager'):
        self.env.flush_all()
        user = self.env['res.users'].search([('login', '=', f'ramp_{role}')]) or self.person(role)
        model = self.env['ramp.tie.out.sign.off'].with_env(self.as_person(user))
        model.sign_month(self.connection.id, month)
        return model.search([('connection_id', '=', self.connection.id)], limit=1, order='id desc')

    def shown(self, *months):
        return [(item['is_withdrawn'], item['is_changed'], item['text']) for item in self.report(*months)['sign_offs']]

    def test_signed_and_unchanged(self):
        sign_off = self.sign()
        self.assertEqual(sign_off.signer_name, sign_off.signer_id.name)
        self.assertEqual(sign_off.figures['balances'][f'{self.primary}/USD/closing odoo'], '118.20')
        for months in ((), ('2026-07', '2026-07'), ('2026-07', '2026-08')):
            with self.subTest(months=months):
                [(is_withdrawn, is_changed, text)] = self.shown(*months)
                self.assertEqual((is_withdrawn, is_changed), (False, False))
                self.assertIn(f'July 2026: signed by {sign_off.signer_name} on ', text)
                self.assertIn('Nothing changed', text)
        self.assertEqual(self.shown('2026-08', '2026-08'), [])

    def test_changed_after_it_was_signed(self):
        """The screen, the PDF and the workbook say what changed, from whichever period they are seen."""
        self.sign()
        self.move(self.ramp_ids[1]).button_draft()
        for months in ((), ('2026-07', '2026-07')):
            [(_is_withdrawn, is_changed, text)] = self.shown(*months)
            self.assertTrue(is_changed)
            self.assertRegex(text, r'since then changed: .*Closing balance \(Odoo\): 118\.20, now 93\.20 USD')
            self.assertIn('Changed since it was signed.', self.page(*months))
            _name, book = self.workbook(*months)
            self.assertIn(text, [row[0] for row in book['Summary'].iter_rows(values_only=True)])
        self.move(self.ramp_ids[1]).action_post()
        self.assertFalse(self.shown()[0][1])

    def test_open_bills_are_signed(self):
        self.owe(10000, date='2026-07-10')
        self.sync_payables()
        self.sign()
        bill = self.owe(5000, date='2026-07-20')
        self.sync_payables()
        [(_is_withdrawn, is_changed, text)] = self.shown('2026-07', '2026-07')
        self.assertTrue(is_changed)
        self.assertRegex(text, r'Open \(Odoo\): 100\.00, now 150\.00 USD; .*, Open \(Ramp\): 100\.00, now 150\.00 USD')
        self.assertTrue(self.move(bill))

    def test_withdrawn(self):
        sign_off = self.sign()
        with self.assertRaisesRegex(UserError, 'signed already'):
            self.sign()
        for reason in ('', '  ', None, 5):
            with self.assertRaisesRegex(UserError, 'reason'):
                sign_off.action_withdraw(reason)
        sign_off.action_withdraw(' A receipt was missing ')
        [(is_withdrawn, is_changed, text)] = self.shown()
        self.assertEqual((is_withdrawn, is_changed), (True, False))
        self.assertRegex(text, 'withdrawn by .*: A receipt was missing$')
        with self.assertRaisesRegex(UserError, 'never edited'):
            sign_off.action_withdraw('again')
        self.sign()
        self.assertEqual([item[0] for item in self.shown()], [False, True])

    def test_never_edited(self):
        """Nobody edits or deletes a sign-off, not even a job. Figures that were edited in the database show."""
        sign_off = self.sign()
        for values in ({'signer_name': 'Somebody'}, {'figures': {}}, {'withdrawn_at': False, 'month': '2026-06-01'}):
            with self.assertRaisesRegex(UserError, 'never edited'):
                sign_off.sudo().write(values)
            with self.assertRaises(AccessError):
                sign_off.write(values)
        with self.assertRaisesRegex(UserError, 'never deleted'):
            sign_off.sudo().unlink()
        self.env.flush_all()
        self.env.cr.execute(
            """UPDATE ramp_tie_out_sign_off SET figures = '{"balances": {}}' WHERE id = %s""", (sign_off.id,)
        )
        self.env.invalidate_all()
        self.assertRegex(self.shown()[0][2], 'not those that were signed')

    def test_who_may_sign(self):
        users = {role: self.person(role) for role in ('accountant', 'bookkeeper', 'auditor')}
        for role in users:
            with self.subTest(role=role), self.assertRaises(AccessError):
                self.sign(role=role)
        sign_off = self.sign()
        report = self.env['report.ramp_connector.tie_out'].with_env(self.as_person(users['auditor']))
        shown = report.get_report(self.connection.id, '2026-08', '2026-08')
        self.assertEqual((shown['may_sign'], shown['to_sign']), (False, False))
        with self.assertRaises(AccessError):
            sign_off.with_env(report.env).action_withdraw('A reason')

    def test_months_that_cannot_be_signed(self):
        for month in ('9999-01', '2026-05', False, f'{datetime.date.today():%Y-%m}'):
            with self.subTest(month=month), self.assertRaisesRegex(UserError, 'Choose a month that is over'):
                self.sign(month)
        with self.assertRaises(UserError):
            self.sign('July')
        self.assertTrue(self.sign('2026-06'), 'a month in which nothing moved')
        self.assertFalse(self.shown('2026-06', '2026-06')[0][1])

    def test_queries_do_not_grow(self):
        self.sign()
        self.report()
        self.env.invalidate_all()
        with self.assertQueryCount(45):
            self.report()
        self.sign('2026-08')
        self.sign('2026-06')
        self.env.invalidate_all()
        with self.assertQueryCount(45):
            self.assertEqual(len(self.report()['sign_offs']), 3)
