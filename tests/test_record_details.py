# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The page of a ledger row: what Ramp sent, and what it changed later, in words."""

from unittest.mock import patch

from lxml import html

from odoo.tests import new_test_user, tagged
from odoo.tools.translate import code_translations

from ..flows.engine.status_words import STATUS_WORDS
from ..ramp_api import TRANSFER_ACCEPTED_STATUSES, bills, reimbursements, repayments, transactions
from .common import PayablesCase, RampCase, StatementsCase

SCRIPT = '<script>alert(1)</script>'


class DetailsCase:
    """Reads the table of a row."""

    def table(self, record):
        """Return {label: texts of the columns} of the table."""
        self.env.invalidate_all()
        return {
            row.xpath('./th')[0].text_content().strip(): [cell.text_content() for cell in row.xpath('./td')]
            for row in html.fromstring(record.details_table).xpath('.//tbody/tr')
        }

    def change(self, record, **values):
        """Let Ramp have changed an object after it was posted."""
        record.write({'state': 'held', 'hold_reason': 'changed', 'late_payload': {**record.payload, **values}})


@tagged('post_install', '-at_install', 'ramp')
class TestTransactionDetails(DetailsCase, RampCase):
    def test_in_words(self):
        ramp_id = self.spend(123456, merchant='Amazon', memo='Chairs', date='2026-03-01T02:00:00+00:00', receipts=1)
        self.company.partner_id.tz = 'America/New_York'
        self.sync()
        record = self.record(ramp_id)
        table = self.table(record)
        self.assertEqual(table['Merchant'], ['Amazon'])
        self.assertEqual(table['Amount'], ['1,234.56 USD'])
        self.assertEqual(table['Memo'], ['Chairs'])
        self.assertEqual(table['Status in Ramp'], ['Cleared'])
        self.assertEqual(table['Number of Receipts'], ['1'])
        self.assertIn(self.account_meals.name, table['Coding, line 1'][0])
        self.assertNotIn('Amount at the Merchant', table, 'it is the same amount')
        self.assertNotIn('Trip', table, 'what Ramp does not say has no row')
        [file] = self.attachments(self.move(ramp_id))
        self.assertIn(f'<a href="/web/content/{file.id}" target="_blank">', record.details_table)
        self.assertEqual(len(html.fromstring(record.details_table).xpath('.//thead//th')), 2)

    def test_days_are_those_of_the_company(self):
        ramp_id = self.spend(100, date='2026-03-01T02:00:00+00:00')
        self.sync('transaction')
        with patch.object(type(self.connection), '_time_zone', lambda connection: 'America/New_York'):
            self.assertEqual(self.table(self.record(ramp_id))['Accounting Date'], ['02/28/2026'])

    def test_decimals_of_the_currency(self):
        ramp_id = self.spend(1234, currency='JPY')
        self.sync('transaction')
        self.assertEqual(self.table(self.record(ramp_id))['Amount'], ['1,234 JPY'])

    def test_in_the_language_of_the_reader(self):
        self.env['res.lang']._activate_lang('de_DE')
        ramp_id = self.spend(123456)
        self.sync('transaction')
        words = {'Amount': 'Betrag', '%(what)s, line %(number)s': '%(what)s, Zeile %(number)s', 'Cleared': 'Gebucht'}
        with patch.object(code_translations, 'get_python_translations', lambda module, lang: words):
            table = self.table(self.record(ramp_id).with_context(lang='de_DE'))
        self.assertEqual(table['Betrag'], ['1.234,56 USD'])
        self.assertEqual(table['Betrag, Zeile 1'], ['1.234,56 USD'])
        self.assertEqual(table['Status in Ramp'], ['Gebucht'])

    def test_text_from_outside_is_no_markup(self):
        ramp_id = self.spend(100, merchant=SCRIPT, memo=SCRIPT)
        self.sync('transaction')
        record = self.record(ramp_id)
        for late in ({}, {'merchant_name': SCRIPT * 2, 'memo': SCRIPT * 2}, {'amount': SCRIPT}):
            with self.subTest(late=late):
                self.change(record, **late)
                page = html.fromstring(record.details_table)
                self.assertFalse(page.xpath('.//script'))
                self.assertNotIn('<script', record.details_table)
                self.assertIn(SCRIPT, page.text_content())
        record.payload = {SCRIPT: SCRIPT}
        self.env.invalidate_all()
        self.assertNotIn('<script', record.details_table)

    def test_name_of_a_file_is_no_markup(self):
        ramp_id = self.spend(100, receipts=1)
        self.sync()
        self.attachments(self.move(ramp_id)).name = SCRIPT
        self.env.invalidate_all()
        self.assertIn('&lt;script&gt;', self.record(ramp_id).details_table)
        self.assertNotIn('<script', self.record(ramp_id).details_table)

    def test_what_differs_has_a_mark(self):
        ramp_id = self.spend(100, merchant='Amazon', memo='Before')
        self.sync('transaction')
        record = self.record(ramp_id)
        self.change(record, memo='After', merchant_name=None)
        table = self.table(record)
        self.assertEqual(table['Memo Changed'], ['Before', 'After'])
        self.assertEqual(table['Merchant Changed'], ['Amazon', ''])
        self.assertEqual(table['Amount'], ['1.00 USD', '1.00 USD'])
        changed = html.fromstring(record.details_table).xpath('.//tr[contains(@class, "o_ramp_changed")]')
        self.assertEqual(len(changed), len(record.late_changes.splitlines()))
        self.assertIn('Merchant: Amazon, now (nothing)', record.late_changes)

    def test_lines_that_came_and_went(self):
        ramp_id = self.spend(3000)
        self.sync('transaction')
        record = self.record(ramp_id)
        part = {'amount_minor': 1500, 'account': self.external(self.account_travel)}
        self.ramp.update_transaction(ramp_id, lines=[part, part])
        self.change(record, **self.ramp.state['transactions'].get_row(ramp_id))
        table = self.table(record)
        self.assertEqual(table['Amount, line 1 Changed'], ['30.00 USD', '15.00 USD'])
        self.assertEqual(table['Amount, line 2 Changed'], ['', '15.00 USD'])

    def test_unreadable(self):
        """What cannot be read is shown as Ramp spells it, and so is a change that changes nothing in words."""
        ramp_id = self.spend(100)
        self.sync('transaction')
        record = self.record(ramp_id)
        self.change(record, state='NEW STATE')
        self.assertEqual(record.late_changes, 'state: CLEARED, now NEW STATE')
        self.assertEqual(self.table(record)['state Changed'], ['CLEARED', 'NEW STATE'])
        self.change(record, card_id='00000000-0000-4000-8000-000000000000')
        self.env.invalidate_all()
        self.assertIn('card_id: ', record.late_changes)
        self.assertEqual(self.table(record)['Status in Ramp'], ['Cleared', 'Cleared'])
        for payload in ([SCRIPT], {}, 'text'):
            with self.subTest(payload=payload):
                record.write({'payload': payload, 'late_payload': False})
                self.env.invalidate_all()
                self.assertFalse(record.late_changes)
                self.assertNotIn('<script', str(record.details_table))

    def test_only_the_form_asks_for_it(self):
        for view in ('list', 'kanban', 'search'):
            arch = self.env['ramp.record'].get_view(view_type=view)['arch']
            self.assertNotIn('details_table', arch)
        [form] = html.fromstring(self.env['ramp.record'].get_view(view_type='form')['arch']).xpath('//notebook')
        self.assertEqual(
            [page.get('name') for page in form.xpath('./page')], ['details', 'sent', 'technical'], 'the payload is last'
        )

    def test_readers_of_the_ledger_see_it(self):
        self.spend(100, receipts=1)
        self.sync()
        auditor = new_test_user(
            self.env,
            'details_auditor',
            'account.group_account_readonly',
            company_id=self.company.id,
            company_ids=self.company.ids,
        )
        for record in self.env['ramp.record'].search([('connection_id', '=', self.connection.id)]):
            with self.subTest(record.flow):
                record.with_user(auditor).with_context(allowed_company_ids=self.company.ids).read(
                    ['details_table', 'late_changes']
                )

    def test_every_status_has_words(self):
        known = {
            *transactions.TRANSACTION_STATES,
            *bills.BILL_STATUSES,
            *bills.BILL_STATUS_SUMMARIES,
            *reimbursements.REIMBURSEMENT_STATES,
            *reimbursements.REIMBURSEMENT_TYPES,
            *reimbursements.REIMBURSEMENT_DIRECTIONS,
            *repayments.REPAYMENT_STATUSES,
            *TRANSFER_ACCEPTED_STATUSES,
        }
        self.assertLessEqual(known, STATUS_WORDS.keys())


@tagged('post_install', '-at_install', 'ramp')
class TestPayableDetails(DetailsCase, PayablesCase):
    def test_bill_and_vendor(self):
        vendor = self.ramp.add_vendor(SCRIPT)
        ramp_id = self.owe(10000, vendor=vendor, invoice_number='A 1', memo='Chairs')
        self.ramp.pay_bill(ramp_id, date='2026-03-20')
        self.sync_payables()
        table = self.table(self.record(ramp_id, 'bill'))
        self.assertEqual(table['Vendor'], [SCRIPT])
        self.assertEqual(table['Number'], ['A 1'])
        self.assertEqual(table['Amount'], ['100.00 USD'])
        self.assertEqual(table['Memo'], ['Chairs'])
        self.assertEqual(self.table(self.record(ramp_id, 'bill_payment'))['Amount of the Payment'], ['100.00 USD'])
        self.assertEqual(self.table(self.record(vendor, 'vendor'))['Name'], [SCRIPT])
        for record in self.env['ramp.record'].search([('connection_id', '=', self.connection.id)]):
            with self.subTest(record.flow):
                self.assertNotIn('<script', str(record.details_table))


@tagged('post_install', '-at_install', 'ramp')
class TestStatementDetails(DetailsCase, StatementsCase):
    def test_statement_and_payment(self):
        self.spend(12300, date='2026-07-03T12:00:00+00:00')
        transfer = self.ramp.add_transfer(amount_minor=10000, date='2026-07-10')
        statement = self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        table = self.table(self.record(self.sections(statement)[0], 'statement'))
        self.assertEqual((table['Charges'], table['Payments']), (['123.00 USD'], ['100.00 USD']))
        self.assertEqual(self.table(self.record(transfer, 'transfer'))['Amount'], ['100.00 USD'])
