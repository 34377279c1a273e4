# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import datetime
from unittest.mock import patch

from odoo import Command
from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import SQL, mute_logger

from ..flows.engine import files as file_flow
from ..ramp_api import RampClient, RampScopeError, read_bill, read_invoice_urls, scrub_bill
from ..simulator import files as simulated_files
from .common import PayablesCase, RampCase


class FileCase(RampCase):
    def object(self, ramp_id, flow, state='confirmed', name='Globex'):
        """Make the ledger's row of a bill or a reimbursement, as its flow would leave it."""
        self.env['ramp.record']._upsert_page(
            self.connection,
            flow,
            [
                {
                    'ramp_id': ramp_id,
                    'payload': {'id': ramp_id},
                    'payload_hash': ramp_id,
                    'name': name,
                    'date': datetime.date(2026, 3, 4),
                }
            ],
            self.env.cr.now(),
        )
        return self.state(ramp_id, flow, state)

    def state(self, ramp_id, flow, state):
        record = self.record(ramp_id, flow)
        record.write({'state': state, 'hold_reason': {'held': 'question', 'ignored': 'rule'}.get(state)})
        record.flush_recordset()
        return record

    def document(self, ramp_id):
        """Make a document, and link the row of its object to it as its flow would do."""
        move = self.env['account.move'].create(
            {
                'move_type': 'in_invoice',
                'ramp_id': ramp_id,
                'company_id': self.company.id,
                'invoice_date': '2026-03-04',
                'partner_id': self.env['res.partner'].create({'name': 'Globex'}).id,
                'invoice_line_ids': [
                    Command.create({'name': 'Goods', 'price_unit': 100, 'account_id': self.account_meals.id})
                ],
            }
        )
        self.env['ramp.record'].search([('ramp_id', '=', ramp_id), ('flow', 'in', ('bill', 'reimbursement'))]).write(
            {'res_model': move._name, 'res_id': move.id}
        )
        self.env.flush_all()
        return move

    def expect(self, flow, files):
        """Tell the flow which files there are. In production this is another transaction each time, with time between
        them.
        """
        self.env.cr.execute(SQL("UPDATE ramp_record SET seen_at = seen_at - interval '1 hour' WHERE flow = %s", flow))
        self.env[f'ramp.flow.{flow}']._enqueue_files(self.connection, files)
        self.env.invalidate_all()

    def names(self, document):
        return self.attachments(document).sorted('id').mapped('name')

    def page(self, records):
        """Return Ramp's pages of these rows, as for the real Ramp: a simulated Ramp has no pages."""
        with patch.object(type(self.connection), '_app_url', lambda connection: 'https://app.ramp.com'):
            return ' '.join(page or '' for page in records.mapped('ramp_url'))

    def due(self, record):
        record.write({'state': 'pending'})
        record.flush_recordset()


@tagged('post_install', '-at_install', 'ramp')
class TestReceipts(FileCase):
    def test_receipt_of_a_reimbursement(self):
        ramp_id = self.ramp.add_reimbursement(amount_minor=2500, receipts=2)
        receipts = self.ramp.state['reimbursements'].get_row(ramp_id)['receipts']
        self.object(ramp_id, 'reimbursement', name='Taxi')
        bill = self.document(ramp_id)
        self.expect('receipt', {ramp_id: receipts})
        self.sync('receipt')
        for receipt in receipts:
            record = self.record(receipt, 'receipt')
            self.assertEqual((record.state, record.name), ('confirmed', 'Receipt: Taxi'), record.error_message)
            self.assertEqual(self.env['ir.attachment'].browse(record.res_id).res_id, bill.id)
            self.assertTrue(self.page(record).endswith(f'/details/reimbursements/{ramp_id}'))
        self.assertEqual(len(self.attachments(bill)), 2)
        self.assertTrue(bill.message_main_attachment_id)
        self.ramp.assert_clean()

    def test_page_of_a_transaction(self):
        ramp_id = self.spend(receipts=1)
        self.sync()
        [receipt] = self.ramp.state['transactions'].get_row(ramp_id)['receipts']
        self.assertTrue(self.page(self.record(receipt, 'receipt')).endswith(f'/details/transactions/{ramp_id}'))

    def test_pages_need_one_query_for_a_list(self):
        def queries(count):
            self.env['ramp.record'].search([('flow', '=', 'receipt')]).unlink()
            for number in range(count):
                ramp_id = self.ramp.add_reimbursement(amount_minor=100 + number, receipts=1)
                self.object(ramp_id, 'reimbursement')
                self.expect('receipt', {ramp_id: self.ramp.state['reimbursements'].get_row(ramp_id)['receipts']})
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            self.assertEqual(
                self.page(self.env['ramp.record'].search([('flow', '=', 'receipt')])).count('/details/reimbursements/'),
                count,
            )
            return self.env.cr.sql_log_count - before

        queries(1)
        self.assertEqual(queries(2), queries(7))

    def test_waits_for_its_document_and_is_left_out_with_it(self):
        ramp_id = self.ramp.add_reimbursement(amount_minor=2500, receipts=1)
        [receipt] = self.ramp.state['reimbursements'].get_row(ramp_id)['receipts']
        for state in ('pending', 'error', 'held'):
            self.object(ramp_id, 'reimbursement', state)
            self.expect('receipt', {ramp_id: [receipt]})
            self.sync('receipt')
            record = self.record(receipt, 'receipt')
            self.assertEqual(record.state, 'pending')
            self.assertIn('as soon as', record.error_message)
        self.assertFalse(
            [entry for entry in self.ramp.requests if '/receipts/' in entry['path']], 'not fetched for nothing'
        )
        self.state(ramp_id, 'reimbursement', 'ignored')
        self.sync('receipt')
        self.assertEqual(
            (record.state, record.error_message), ('ignored', 'The object that it belongs to has no document in Odoo.')
        )
        self.state(ramp_id, 'reimbursement', 'confirmed')
        bill = self.document(ramp_id)
        self.expect('receipt', {ramp_id: [receipt]})
        self.sync('receipt')
        self.assertEqual((record.state, len(self.attachments(bill))), ('confirmed', 1))

    def test_the_ledger_says_which_document_it_is(self):
        """The ledger decides which document gets a file. A document that only claims the Ramp id gets no receipt, which
        may be another person's.
        """
        ramp_id = self.spend(receipts=1)
        [receipt] = self.ramp.state['transactions'].get_row(ramp_id)['receipts']
        self.object(ramp_id, 'transaction', 'pending')
        forged = self.env['hr.expense'].create(
            {
                'name': 'Mine',
                'employee_id': self.employees[1].id,
                'company_id': self.company.id,
                'ramp_id': ramp_id,
                'product_id': self.connection.expense_product_id.id,
            }
        )
        entry = self.document(ramp_id)  # no row of the ledger names this entry
        self.assertFalse(self.record(ramp_id).res_id)
        self.expect('receipt', {ramp_id: [receipt]})
        self.sync('receipt')
        self.assertEqual(self.record(receipt, 'receipt').state, 'pending')
        self.assertFalse(self.attachments(forged) + self.attachments(entry))

    def test_without_any_parent(self):
        ramp_id = self.spend(receipts=1)
        [receipt] = self.ramp.state['transactions'].get_row(ramp_id)['receipts']
        self.expect('receipt', {ramp_id: [receipt]})
        self.sync('receipt')
        self.assertEqual(self.record(receipt, 'receipt').state, 'ignored')

    def test_bill_that_is_booked_again_gets_them_again(self):
        ramp_id = self.ramp.add_reimbursement(amount_minor=2500, receipts=1)
        receipts = self.ramp.state['reimbursements'].get_row(ramp_id)['receipts']
        self.object(ramp_id, 'reimbursement')
        first = self.document(ramp_id)
        self.expect('receipt', {ramp_id: receipts})
        self.sync('receipt')
        first.ramp_id = False  # as when it is reversed
        first.flush_recordset()
        second = self.document(ramp_id)
        self.expect('receipt', {ramp_id: receipts})
        self.sync('receipt')
        self.assertEqual([len(self.attachments(bill)) for bill in (first, second)], [1, 1])
        record = self.record(receipts[0], 'receipt')
        self.assertEqual((record.state, record.res_id), ('confirmed', self.attachments(second).id))
        self.expect('receipt', {ramp_id: receipts})
        self.assertEqual(record.state, 'confirmed')

    def test_entry_that_is_booked_again_leaves_its_receipts_in_order(self):
        ramp_id = self.spend(receipts=1)
        self.sync()
        [receipt] = self.ramp.state['transactions'].get_row(ramp_id)['receipts']
        self.env.cr.execute(
            "UPDATE ramp_record SET confirmed_at = now() AT TIME ZONE 'UTC' - interval '1 day' WHERE flow = 'receipt'"
        )
        self.expect('receipt', {ramp_id: [receipt]})
        self.assertEqual(self.record(receipt, 'receipt').state, 'confirmed', 'Ramp is never told of files')

    def test_ramp_silent(self):
        for number in range(file_flow.SILENCE + 2):
            self.spend(1000 + number, receipts=1)
        self.sync('transaction')
        self.ramp.faults.add_fault('drop_before', path='/receipts/*')
        run = self.sync('receipt', now=False)
        records = self.env['ramp.record'].search([('flow', '=', 'receipt')])
        self.assertEqual((run.state, sorted(records.mapped('state'))), ('failed', ['error'] * 3 + ['pending'] * 2))
        self.assertEqual(set(records.mapped('attempts')), {0})
        self.ramp.faults.clear_faults()
        self.sync('receipt', now=False)
        self.assertEqual(set(records.mapped('state')), {'confirmed'})

    def test_one_that_odoo_refuses_does_not_stop_the_others(self):
        for number in range(3):
            self.spend(1000 + number, receipts=1)
        self.sync('transaction')
        bad = self.env['ramp.record'].search([('flow', '=', 'receipt')], limit=1)
        refused = self.move(bad.parent_ramp_id)
        name = f'receipt.{simulated_files.find_file_kind({"id": bad.ramp_id})}'
        original = type(self.env['account.move'])._message_set_main_attachment_id

        def strict(document, *args, **kwargs):
            if document == refused:
                raise UserError(document.env._('No.'))
            return original(document, *args, **kwargs)

        with patch.object(type(self.env['account.move']), '_message_set_main_attachment_id', strict):
            self.sync('receipt', now=False)
        self.assertEqual((bad.state, bad.error_message), ('error', f'Odoo refused to attach {name}: No.'))
        self.assertFalse(self.attachments(refused))
        self.assertEqual(
            (self.env['ramp.record'].search([('flow', '=', 'receipt')]) - bad).mapped('state'),
            ['confirmed', 'confirmed'],
        )
        self.sync('receipt', now=False)
        self.assertEqual((bad.state, len(self.attachments(refused))), ('confirmed', 1))

    def test_picture_of_400_million_pixels(self):
        """A picture of 48 KB that decodes to gigabytes is put on hold alone, by name. The other files are attached."""
        for number in range(3):
            self.spend(1000 + number, receipts=1)
        self.sync('transaction')
        bad = self.env['ramp.record'].search([('flow', '=', 'receipt')], limit=1)
        self.ramp.state['receipts'].update_row(bad.ramp_id, _kind='bomb')
        run = self.sync('receipt', now=False)
        self.assertEqual((run.state, bad.state, bad.hold_reason), ('done', 'held', 'question'), run.message)
        self.assertRegex(
            bad.error_message,
            r'receipt\.bomb\.png: a picture of 20000 x 20000 pixels, and more than 50000000 are not taken',
        )
        self.assertRegex(bad.error_message, 'Replace it in Ramp, or attach it by hand and ignore this one')
        self.assertEqual(
            (self.env['ramp.record'].search([('flow', '=', 'receipt')]) - bad).mapped('state'),
            ['confirmed', 'confirmed'],
        )
        self.ramp.state['receipts'].update_row(bad.ramp_id, _kind='png')
        self.sync('receipt', now=False)
        self.assertEqual(bad.state, 'confirmed')

    @mute_logger('odoo.addons.ramp_connector.flows.engine.files')
    def test_whatever_a_picture_makes_odoo_raise(self):
        """If a picture makes Odoo raise any error, also one that is no ValueError, only that file is put on hold."""
        for number in range(3):
            self.spend(1000 + number, receipts=1)
        self.sync('transaction')
        bad = self.env['ramp.record'].search([('flow', '=', 'receipt')], limit=1)
        self.ramp.state['receipts'].update_row(bad.ramp_id, _kind='bomb')
        self.patch(file_flow, 'MAX_PIXELS', 10**12)
        run = self.sync('receipt', now=False)
        self.assertEqual((run.state, bad.state), ('done', 'held'), run.message)
        self.assertRegex(
            bad.error_message,
            r'receipt\.bomb\.png: Odoo cannot use this file \(DecompressionBombError; .*Replace it in',
        )
        self.assertEqual(
            (self.env['ramp.record'].search([('flow', '=', 'receipt')]) - bad).mapped('state'),
            ['confirmed', 'confirmed'],
        )

    @mute_logger('odoo.addons.ramp_connector.flows.engine.files')
    def test_whatever_reading_a_link_raises(self):
        for number in range(2):
            self.spend(1000 + number, receipts=1)
        self.sync('transaction')
        bad, good = self.env['ramp.record'].search([('flow', '=', 'receipt')])
        for place, name in ((type(self.env['ramp.flow.receipt']), '_fetch_file_links'), (RampClient, 'download_file')):
            original = getattr(place, name)

            def odd(itself, *args, original=original):
                if bad.ramp_id in str(args):
                    raise RecursionError
                return original(itself, *args)

            with self.subTest(place=name), patch.object(place, name, odd):
                run = self.sync('receipt', now=False)
                self.assertEqual((run.state, bad.state, good.state), ('done', 'held', 'confirmed'), run.message)
                self.assertRegex(bad.error_message, 'RecursionError')
                bad.action_retry()
                bad.flush_recordset()


@tagged('post_install', '-at_install', 'ramp')
class TestBillFiles(FileCase):
    def bill(self, invoices=2):
        """Return the Ramp id and the document of a posted bill with files."""
        ramp_id = self.ramp.add_bill(amount_minor=10000, invoices=invoices)
        self.object(ramp_id, 'bill')
        document = self.document(ramp_id)
        self.expect('bill_file', {ramp_id: len(self.invoices(ramp_id))})
        return ramp_id, document

    def invoices(self, ramp_id):
        return self.ramp.state['bills'].get_row(ramp_id)['_invoices']

    def downloads(self):
        return [entry['path'] for entry in self.ramp.requests if entry['path'].startswith('/files/')]

    def test_two_files_attached_once(self):
        ramp_id, bill = self.bill([{'filename': 'one.png', 'kind': 'png'}, {'filename': 'two.pdf'}])
        run = self.sync('bill_file')
        record = self.record(ramp_id, 'bill_file')
        self.assertEqual((record.state, record.error_message), ('confirmed', False))
        self.assertEqual(
            (record.name, record.date, record.parent_ramp_id), ('Invoice: Globex', datetime.date(2026, 3, 4), ramp_id)
        )
        self.assertEqual(record.related_record_id, self.record(ramp_id, 'bill'))
        self.assertEqual((run.state, run.created, run.confirmed), ('done', 1, 1))
        self.assertEqual(self.names(bill), ['one.png', 'two.pdf'])
        self.assertEqual(record.res_model, 'ir.attachment')
        self.assertEqual(record.res_id, self.attachments(bill).sorted('id')[0].id)
        self.assertEqual(bill.message_main_attachment_id.name, 'two.pdf', 'what can be read beside the bill')
        self.assertEqual(record.action_open_document()['url'], f'/web/content/{record.res_id}')
        downloads = len(self.downloads())
        self.expect('bill_file', {ramp_id: 2})
        runs = self.sync('bill_file')
        self.assertEqual((len(self.downloads()), runs.processed, len(self.attachments(bill))), (downloads, 0, 2))
        self.assertEqual(self.ramp.leaked_tokens, 0)
        self.ramp.assert_clean()

    def test_first_file_is_the_main_attachment(self):
        _ramp_id, bill = self.bill([{'filename': 'one.pdf'}, {'filename': 'two.pdf'}])
        self.sync('bill_file')
        self.assertEqual(bill.message_main_attachment_id.name, 'one.pdf')

    def test_main_attachment_of_a_person_stays(self):
        _ramp_id, bill = self.bill(1)
        own = self.env['ir.attachment'].create(
            {'name': 'own.pdf', 'raw': b'%PDF-1', 'res_model': bill._name, 'res_id': bill.id}
        )
        bill._message_set_main_attachment_id(own)
        self.sync('bill_file')
        self.assertEqual((bill.message_main_attachment_id, len(self.attachments(bill))), (own, 2))

    def test_nothing_is_expected_of_a_bill_without_files(self):
        ramp_id, _bill = self.bill(0)
        self.assertFalse(self.record(ramp_id, 'bill_file'))

    def test_a_third_file_later(self):
        ramp_id, bill = self.bill(2)
        self.sync('bill_file')
        before, record = self.attachments(bill), self.record(ramp_id, 'bill_file')
        document = record.res_id
        self.ramp.update_bill(ramp_id, invoices=3)
        self.expect('bill_file', {ramp_id: 3})
        self.assertEqual((record.state, record.res_id, record.payload['count']), ('pending', document, 3))
        self.sync('bill_file')
        self.assertEqual((record.state, record.res_id), ('confirmed', document))
        self.assertEqual(len(self.attachments(bill) - before), 1)
        self.assertEqual(self.attachments(bill) & before, before)

    def test_links_in_another_order(self):
        ramp_id, bill = self.bill(3)
        self.sync('bill_file')
        before, record = self.attachments(bill), self.record(ramp_id, 'bill_file')
        document = record.res_id
        self.ramp.state['bills'].update_row(ramp_id, _invoices=self.invoices(ramp_id)[::-1])
        self.due(record)
        self.sync('bill_file')
        self.assertEqual((record.state, record.res_id, self.attachments(bill)), ('confirmed', document, before))

    def test_the_same_file_twice(self):
        _ramp_id, bill = self.bill([{'text': ['Same']}, {'text': ['Same']}])
        self.sync('bill_file')
        self.assertEqual(len(self.attachments(bill)), 1)

    def test_a_file_that_somebody_attached_already(self):
        ramp_id, bill = self.bill(1)
        self.sync('bill_file')
        content = self.attachments(bill).raw
        other_id, other = self.bill([{'text': self.ramp.state['invoices'].get_row(self.invoices(ramp_id)[0])['_text']}])
        self.assertNotEqual(other_id, ramp_id)
        own = self.env['ir.attachment'].create(
            {'name': 'own.pdf', 'raw': content, 'res_model': other._name, 'res_id': other.id}
        )
        self.sync('bill_file')
        self.assertEqual(self.attachments(other), own)
        self.assertEqual(self.record(other_id, 'bill_file').res_id, own.id)

    def test_expired_links_are_renewed(self):
        ramp_id, bill = self.bill(2)
        self.ramp.faults.add_fault('expired_file', path='/files/invoices/*', count=1)
        self.sync('bill_file')
        record = self.record(ramp_id, 'bill_file')
        self.assertEqual((record.state, record.attempts, record.res_id), ('error', 0, 0))
        self.assertIn('File 1 of 2: The link to the file has expired', record.error_message)
        self.assertEqual(len(self.attachments(bill)), 1)
        self.sync('bill_file', now=False)
        self.assertEqual((record.state, len(self.attachments(bill))), ('confirmed', 2))
        self.assertEqual(len([entry for entry in self.ramp.requests if entry['path'].endswith(f'/bills/{ramp_id}')]), 2)

    def test_wrong_type_is_held_while_the_other_is_attached(self):
        ramp_id, bill = self.bill([{'kind': 'zip'}, {}])
        self.sync('bill_file')
        record = self.record(ramp_id, 'bill_file')
        self.assertEqual((record.state, record.hold_reason, len(self.attachments(bill))), ('held', 'question', 1))
        self.assertRegex(record.error_message, r'^File 1 of 2: The file cannot be attached.*application/zip')
        self.sync('bill_file')
        self.assertEqual((record.state, len(self.attachments(bill))), ('held', 1))
        self.ramp.state['invoices'].update_row(self.invoices(ramp_id)[0], _kind='pdf', _text=['Corrected'])
        self.sync('bill_file')
        self.assertEqual((record.state, record.error_message, len(self.attachments(bill))), ('confirmed', False, 2))

    def test_picture_too_large_is_held_while_the_others_are_attached(self):
        for most in (file_flow.MAX_PIXELS, 10**12):
            with self.subTest(most=most), mute_logger('odoo.addons.ramp_connector.flows.engine.files'):
                self.patch(file_flow, 'MAX_PIXELS', most)
                ramp_id, bill = self.bill(
                    [{'text': [str(most)]}, {'kind': 'bomb', 'filename': 'photo.png'}, {'text': ['z']}]
                )
                self.sync('bill_file')
                record = self.record(ramp_id, 'bill_file')
                self.assertEqual((record.state, len(self.attachments(bill))), ('held', 2), record.error_message)
                self.assertRegex(record.error_message, r'^File 2 of 3: The file cannot be attached: .*photo\.png: ')
                self.sync('bill_file')
                self.assertEqual((record.state, len(self.attachments(bill))), ('held', 2), 'once each')

    def test_too_large_is_held_while_the_other_is_attached(self):
        ramp_id, bill = self.bill([{}, {'text': ['x' * 2000]}])
        self.patch(file_flow, 'MAX_BYTES', 1500)
        self.sync('bill_file')
        record = self.record(ramp_id, 'bill_file')
        self.assertEqual((record.state, len(self.attachments(bill))), ('held', 1))
        self.assertRegex(record.error_message, '^File 2 of 2: .*more than 1500 bytes')
        record._ignore_by_person('We have it on paper.')
        self.sync('bill_file')
        self.assertEqual(record.state, 'ignored')

    def test_what_is_missing_of_a_complete_bill_can_be_ignored(self):
        ramp_id, _bill = self.bill(1)
        self.sync('bill_file')
        record = self.record(ramp_id, 'bill_file')
        with self.assertRaisesRegex(UserError, 'is posted'):
            record._ignore_by_person('Why not.')
        self.ramp.state['bills'].update_row(
            ramp_id,
            _invoices=[
                *self.invoices(ramp_id),
                self.ramp.state['invoices'].add_row(
                    {'id': self.ramp.state.make_new_id(), '_kind': 'zip', '_filename': None, '_text': None}
                )['id'],
            ],
        )
        self.expect('bill_file', {ramp_id: 2})
        self.sync('bill_file')
        self.assertEqual(record.state, 'held')
        self.assertTrue(record.res_id)
        record._ignore_by_person('We have it on paper.')
        self.expect('bill_file', {ramp_id: 3})
        self.assertEqual(record.state, 'ignored')

    def test_electronic_invoice(self):
        ramp_id, bill = self.bill([{'kind': 'xml'}, {}])
        self.sync('bill_file')
        self.assertEqual(self.record(ramp_id, 'bill_file').state, 'confirmed')
        self.assertEqual(self.attachments(bill).sorted('id').mapped('mimetype'), ['text/plain', 'application/pdf'])
        self.assertEqual(self.names(bill), ['invoice.xml', 'invoice.pdf'])
        self.assertEqual(bill.message_main_attachment_id.mimetype, 'application/pdf')

    def test_ramp_silent(self):
        bills = [self.bill(1) for _number in range(file_flow.SILENCE + 1)]
        self.ramp.faults.add_fault('drop_before', path='/bills/*')
        run = self.sync('bill_file', now=False)
        records = self.env['ramp.record'].search([('flow', '=', 'bill_file')])
        self.assertEqual((run.state, sorted(records.mapped('state'))), ('failed', ['error'] * 3 + ['pending']))
        self.assertEqual(set(records.mapped('attempts')), {0})
        self.ramp.faults.clear_faults()
        self.sync('bill_file', now=False)
        self.assertEqual(set(records.mapped('state')), {'confirmed'})
        self.assertEqual([len(self.attachments(bill)) for _id, bill in bills], [1] * 4)

    def test_host_of_the_files_silent(self):
        """If the host of the files does not answer, the run stops asking it after some files. All files are attached
        later.
        """
        ramp_id, bill = self.bill(6)
        fault = self.ramp.faults.add_fault('drop_before', path='/files/*')
        self.sync('bill_file', now=False)
        record = self.record(ramp_id, 'bill_file')
        self.assertEqual((record.state, len(record.error_message.splitlines())), ('error', 6))
        self.assertEqual(len(set(self.downloads())), file_flow.SILENCE)
        self.assertTrue(fault.struck)
        self.ramp.faults.clear_faults()
        self.sync('bill_file', now=False)
        self.assertEqual((record.state, len(self.attachments(bill))), ('confirmed', 6))

    def test_missing_scope_counts_as_a_failure(self):
        """A missing scope counts as a failure, also for a row that has a document. The row is tried again later."""
        ramp_id, _bill = self.bill(1)
        self.sync('bill_file')
        record = self.record(ramp_id, 'bill_file')
        self.expect('bill_file', {ramp_id: 2})
        with patch.object(
            type(self.env['ramp.flow.bill_file']), '_fetch_file_links', side_effect=RampScopeError(status=403)
        ):
            self.sync('bill_file')
            self.assertEqual((record.state, record.attempts), ('error', 1))
            self.sync('bill_file')
            self.assertEqual((record.state, record.attempts), ('error', 2))
            self.assertTrue(record.next_attempt)
        record.action_retry()
        self.sync('bill_file')
        self.assertEqual(record.state, 'confirmed')

    def test_deleted_files_stay_deleted(self):
        ramp_id, bill = self.bill(2)
        self.sync('bill_file')
        kept, deleted = self.attachments(bill).sorted('id')
        deleted.unlink()
        record = self.record(ramp_id, 'bill_file')
        self.due(record)
        self.sync('bill_file')
        self.assertEqual((record.state, self.attachments(bill)), ('confirmed', kept))
        self.ramp.update_bill(ramp_id, invoices=3)
        self.expect('bill_file', {ramp_id: 3})
        self.sync('bill_file')
        self.assertEqual((record.state, len(self.attachments(bill))), ('confirmed', 2), 'the third one only')
        self.attachments(bill).unlink()
        self.due(record)
        self.sync('bill_file')
        self.assertEqual((record.state, record.error_message), ('ignored', 'Its files were deleted in Odoo.'))
        self.assertFalse(self.attachments(bill))

    def test_bill_that_is_booked_again_gets_them_again(self):
        ramp_id, first = self.bill(2)
        self.sync('bill_file')
        first.ramp_id = False
        self.record(ramp_id, 'bill')._reopen_for_booking()
        self.object(ramp_id, 'bill', 'pending')
        self.due(self.record(ramp_id, 'bill_file'))
        self.sync('bill_file')
        record = self.record(ramp_id, 'bill_file')
        self.assertEqual(record.state, 'pending')
        self.state(ramp_id, 'bill', 'confirmed')
        second = self.document(ramp_id)
        self.expect('bill_file', {ramp_id: 2})
        self.sync('bill_file')
        self.assertEqual(record.state, 'confirmed')
        self.assertEqual([len(self.attachments(bill)) for bill in (first, second)], [2, 2])
        self.assertIn(record.res_id, self.attachments(second).ids)
        self.assertTrue(second.message_main_attachment_id)

    def test_no_file_any_more(self):
        ramp_id, bill = self.bill(1)
        files = self.invoices(ramp_id)
        self.ramp.state['bills'].update_row(ramp_id, _invoices=[])
        self.sync('bill_file')
        record = self.record(ramp_id, 'bill_file')
        self.assertEqual(
            (record.state, record.error_message), ('ignored', 'Ramp no longer shows a file for this bill.')
        )
        self.ramp.state['bills'].update_row(ramp_id, _invoices=files)
        self.expect('bill_file', {ramp_id: 1})
        self.sync('bill_file')
        self.assertEqual((record.state, len(self.attachments(bill))), ('confirmed', 1))

    def test_bill_that_ramp_does_not_have(self):
        ramp_id, _bill = self.bill(1)
        del self.ramp.state['bills'].rows[ramp_id]
        self.sync('bill_file')
        record = self.record(ramp_id, 'bill_file')
        self.assertEqual((record.state, record.error_message), ('held', 'Ramp no longer has this bill.'))

    def test_more_is_expected_while_files_are_fetched(self):
        """If more files are expected while files are fetched, the fetched ones do not count as all."""
        ramp_id, bill = self.bill(1)
        flow = self.env['ramp.flow.bill_file']
        run = self.env['ramp.run']._start_run(self.connection, 'bill_file')
        _after, [(identity, _id, version)] = flow._find_due_file_rows(self.connection, 0)
        fetched = {
            identity: file_flow.Fetched(
                version, flow._fetch_row_files(self.connection, self.connection._run_client(), ramp_id)
            )
        }
        self.ramp.update_bill(ramp_id, invoices=2)
        self.expect('bill_file', {ramp_id: 2})
        flow._attach_fetched_files(self.connection, run, fetched)
        self.assertEqual((self.record(ramp_id, 'bill_file').state, len(self.attachments(bill))), ('pending', 0))
        self.sync('bill_file')
        self.assertEqual((self.record(ramp_id, 'bill_file').state, len(self.attachments(bill))), ('confirmed', 2))

    def test_memory_is_bounded(self):
        self.patch(file_flow, 'MAX_HELD', 100)
        bills = [self.bill(1) for _number in range(3)]
        sizes = []
        attach = type(self.env['ramp.flow.bill_file'])._attach_fetched_files

        def watched(flow, connection, run, fetched):
            sizes.append(len(fetched))
            return attach(flow, connection, run, fetched)

        with patch.object(type(self.env['ramp.flow.bill_file']), '_attach_fetched_files', watched):
            self.sync('bill_file')
        self.assertEqual((sizes, [len(self.attachments(bill)) for _id, bill in bills]), ([1, 1, 1], [1, 1, 1]))

    def test_switched_off_with_bills(self):
        ramp_id, _bill = self.bill(1)
        self.connection.pull_bills = False
        self.assertFalse(self.sync('bill_file'))
        self.assertEqual(self.record(ramp_id, 'bill_file').state, 'pending')

    def test_links_are_nowhere(self):
        ramp_id, _bill = self.bill(2)
        self.ramp.faults.add_fault('expired_file', path='/files/invoices/*', count=1)
        with self.assertLogs(level='DEBUG') as logs:
            self.sync('bill_file')
        self.env.flush_all()
        self.env.cr.execute('SELECT r::text FROM ramp_record r UNION ALL SELECT r::text FROM ramp_run r')
        for text in [
            *(row[0] for row in self.env.cr.fetchall()),
            *(
                line
                for line in logs.output
                if not line.startswith(('DEBUG:urllib3', 'INFO:werkzeug', 'DEBUG:odoo.sql_db'))
            ),
        ]:
            self.assertNotIn('Signature', text)
            self.assertNotIn('/files/invoices', text)

    def test_scrubbed_payload(self):
        ramp_id, _bill = self.bill(2)
        payload = self.connection._run_client().get(f'/bills/{ramp_id}')
        self.assertIn('Signature', str(payload))
        scrubbed = scrub_bill(payload)
        self.assertIn('Signature', str(payload), 'the original is left alone')
        self.assertEqual(scrubbed['invoice_urls'], ['http://127.0.0.1', 'http://127.0.0.1'])
        self.assertEqual({**scrubbed, 'invoice_urls': payload['invoice_urls']}, payload)
        self.assertEqual(len(read_bill(scrubbed).invoice_urls), len(read_invoice_urls(payload)))
        for odd, expected in (
            (None, None),
            ([], []),
            ('https://a.example/x?k=1', 'https://a.example'),
            ({'url': 'https://a.example/x'}, {}),
            (
                [None, 3, 'no link', 'https://[', 'https://u:p@a.example/x', {'a': 1}, ['x']],
                [None, 3, '(link)', '(link)', 'https://a.example', {}, []],
            ),
        ):
            self.assertEqual(scrub_bill({'id': 'x', 'invoice_urls': odd}), {'id': 'x', 'invoice_urls': expected})
        self.assertEqual((scrub_bill([1]), scrub_bill({'id': 'x'})), ([1], {'id': 'x'}))


@tagged('post_install', '-at_install', 'ramp')
class TestFilesOfBookedBills(PayablesCase):
    def test_from_bill_to_files(self):
        ramp_id = self.owe(12345, invoices=2)
        self.sync('bill', 'bill_file')
        bill = self.move(ramp_id)
        self.assertEqual((self.record(ramp_id, 'bill_file').state, len(self.attachments(bill))), ('confirmed', 2))
        self.assertTrue(bill.message_main_attachment_id)
        self.assertNotIn('Signature', str(self.record(ramp_id, 'bill').payload), 'links are not stored')
        self.assertEqual(bill.ramp_record_id, self.record(ramp_id, 'bill'), 'the row of its files is not its own')
        with patch.object(type(self.connection), '_app_url', lambda connection: 'https://app.ramp.com'):
            self.assertTrue(self.record(ramp_id, 'bill').ramp_url)
            self.assertEqual(self.record(ramp_id, 'bill_file').ramp_url, self.record(ramp_id, 'bill').ramp_url)
        self.ramp.update_bill(ramp_id, invoices=3)
        self.sync('bill', 'bill_file')
        self.assertEqual((self.record(ramp_id, 'bill_file').state, len(self.attachments(bill))), ('confirmed', 3))
        self.sync('bill', 'bill_file')
        self.assertEqual(len(self.attachments(bill)), 3)
