# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Personal data is removed from the ledger after some time or on request. The data that the accounts need stays."""

import json

from dateutil.relativedelta import relativedelta

from odoo import Command, fields
from odoo.addons.base.models.ir_autovacuum import is_autovacuum
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import new_test_user, tagged

from ..models import ramp_record_keeping
from ..models.ramp_record_keeping import ERASED, without_persons
from .common import PayablesCase, StatementsCase
from .properties import in_turn

FLOWS = (
    'vendor',
    'transaction',
    'receipt',
    'vendor_credit',
    'bill',
    'bill_payment',
    'bill_file',
    'reimbursement',
    'reimbursement_payment',
    'repayment',
    'transfer',
    'statement',
    'cashback',
)
SECRETS = ('Quarterly offsite', 'for the vendor alone', 'Secret Harbour')


class KeepingCase(StatementsCase, PayablesCase):
    flows = FLOWS

    def once(self):
        super().once()
        user = next(iter(self.ramp.state['users']))
        self.words = [*SECRETS, user['first_name'], user['last_name'], user['email']]
        memo = {'memo': SECRETS[0]}
        self.spent = self.spend(
            7000,
            date='2026-07-05T12:00:00+00:00',
            receipts=1,
            lines=[{'amount_minor': 7000, 'account': self.external(self.account_meals), 'memo': SECRETS[0]}],
            **memo,
        )
        self.owed = self.owe(2000, date='2026-07-06', vendor_memo=SECRETS[1], **memo)
        self.paid_bill = self.owe(2500, date='2026-07-07', **memo)
        self.ramp.pay_bill(self.paid_bill, date='2026-07-10')
        self.refunded = self.ramp.add_reimbursement(
            amount_minor=3000,
            user=self.user_id,
            entity=self.primary,
            account=self.external(self.account_meals),
            state='REIMBURSED',
            date='2026-07-08',
            receipts=1,
            start_location=SECRETS[2],
            **memo,
        )
        self.repaid = self.ramp.add_repayment(transaction=self.spent, amount_minor=100, date='2026-07-09')
        self.sync(*FLOWS)
        self.sync('receipt', 'watch')
        self.rows = self.env['ramp.record'].search([('flow', 'in', ramp_record_keeping.FLOWS)])

    def vacuum(self, months=1):
        self.connection.keep_months = months
        done = self.env['ramp.record']._gc_personal()
        self.env.invalidate_all()
        return done

    def told(self, rows):
        """Return the personal data that the ledger still has of these rows."""
        self.env.cr.execute(
            "SELECT concat_ws(' ', flow, name, payload::text, late_payload::text, noted::text) FROM ramp_record WHERE "
            'id = ANY(%s)',
            [rows.ids],
        )
        return [(word, text) for [text] in self.env.cr.fetchall() for word in self.words if word in text]

    def kept(self, rows):
        return {
            row: (
                row.connection_id,
                row.flow,
                row.ramp_id,
                row.parent_ramp_id,
                row.res_model,
                row.res_id,
                row.date,
                row.amount,
                row.currency_id,
                row.state,
                row.payload_hash,
                row.has_moved,
                row.open_amount,
                row.sync_key,
                row.is_told,
            )
            for row in rows
        }

    def books(self):
        return {
            (move.id, move.state, move.ref, str(move.line_ids.mapped('balance')))
            for move in self.env['account.move'].search([])
        }


@tagged('post_install', '-at_install', 'ramp')
class TestKeeping(KeepingCase):
    def test_kept_unless_said_otherwise(self):
        self.assertTrue(self.told(self.rows))
        before = self.rows.mapped('payload')
        self.assertEqual(self.connection.keep_months, 0)
        self.assertEqual(self.vacuum(0), (0, False))
        self.assertEqual(self.rows.mapped('payload'), before)
        with self.assertRaisesRegex(ValidationError, 'number of months'):
            self.connection.keep_months = -1

    def test_what_goes_and_what_stays(self):
        self.assertEqual(set(self.rows.mapped('flow')), set(ramp_record_keeping.FLOWS) - {'vendor_credit'})
        self.assertEqual(set(self.rows.mapped('state')), {'confirmed'})
        receipts = self.env['ramp.record'].search([('flow', '=', 'receipt')])
        self.assertEqual(len(receipts), 2)
        self.assertTrue(self.told(receipts), 'a receipt is called after its person')
        before, report = self.kept(self.rows), self.env['report.ramp_connector.tie_out'].get_report(self.connection.id)
        books = self.books()
        self.assertEqual(self.vacuum(), (len(self.rows), False))
        self.assertEqual(self.told(self.rows + receipts), [])
        self.assertEqual(self.kept(self.rows), before)
        self.assertEqual(self.vacuum(), (0, False), 'once')
        self.assertEqual(self.env['report.ramp_connector.tie_out'].get_report(self.connection.id), report)
        # No job misses the removed data, or brings it back.
        for _day in range(2):
            self.sync(*FLOWS)
            self.sync('watch')
        self.assertEqual(self.books(), books)
        self.assertEqual(self.kept(self.rows), before)
        moves = self.env['account.move'].browse(
            self.rows.filtered(lambda row: row.res_model == 'account.move').mapped('res_id')
        )
        self.assertFalse(
            [message for message in moves.message_ids.mapped('body') if 'Memo' in message and 'changed' in message]
        )

    def test_each_payload_can_still_be_read(self):
        """A payload without personal data still has the same date, amounts and relations."""
        for row in self.rows:
            flow = self.env[f'ramp.flow.{row.flow}']
            before, after = (
                flow._make_ledger_row(self.connection, payload)
                for payload in (row.payload, without_persons(row.payload))
            )
            for key in before.keys() - {'name', 'payload', 'payload_hash', 'value'}:
                self.assertEqual(after[key], before[key], (row.flow, key))
            self.assertIn('value', after)

    def test_the_boundary(self):
        """Rows of the last months stay."""
        today = fields.Date.today()
        row, other = self.record(self.spent), self.record(self.owed, 'bill')
        row.date, other.date = today - relativedelta(months=36), today - relativedelta(months=36, days=1)
        self.assertEqual(self.vacuum(36)[0], 1)
        self.assertEqual((ERASED in row.payload, ERASED in other.payload), (False, True))

    def test_each_connection_has_its_period(self):
        """The period of one connection does not count for the rows of another one."""
        other = self.connection.copy(
            {'existing_policy': 'book', 'ramp_entity_id': '24850cdb-1b3f-4eb9-bf20-967ca9f97605'}
        )
        other.keep_months = 36
        row = self.record(self.owed, 'bill')
        row.connection_id = other
        self.assertEqual(self.vacuum()[0], len(self.rows) - 1)
        self.assertNotIn(ERASED, row.payload)

    def test_the_vacuum_calls_it(self):
        for model, name in (('ramp.record', '_gc_personal'), ('ramp.run', '_gc_runs'), ('ramp.event', '_gc_events')):
            self.assertTrue(is_autovacuum(getattr(type(self.env[model]), name)), name)

    def test_each_key_of_a_person(self):
        """Every key that tells of a person goes, at any depth. The table is written here once more on purpose."""
        keys = (
            'attendees',
            'disputes',
            'employee_id',
            'end_location',
            'first_name',
            'last_name',
            'memo',
            'merchant_data',
            'merchant_location',
            'passenger_name',
            'policy_violations',
            'start_location',
            'trip_name',
            'user_email',
            'user_full_name',
            'user_signature',
            'vendor_memo',
            'waypoints',
        )
        told = dict.fromkeys(keys, 'Ada')
        self.assertEqual(
            without_persons({'id': '1', **told, 'lines': [{'amount': 2, **told, 'deep': {'id': '3', **told}}]}),
            {'id': '1', 'lines': [{'amount': 2, 'deep': {'id': '3'}}]},
        )

    def test_what_is_not_settled_keeps_all(self):
        for state in ('pending', 'done', 'error', 'held'):
            self.rows.write({'state': state, 'hold_reason': state == 'held' and 'question'})
            self.assertEqual(self.vacuum(), (0, False), state)
        self.rows.write({'state': 'ignored', 'hold_reason': 'person'})
        self.assertEqual(self.vacuum()[0], len(self.rows))

    def test_what_ramp_said_later(self):
        """The personal data of a later version of a settled object goes, too."""
        row = self.record(self.spent)
        row.late_payload = {**row.payload, 'memo': SECRETS[0]}
        self.vacuum()
        self.assertFalse(row.late_payload)

    def test_ignored_without_a_document(self):
        """An object that was never posted has nothing noted. Its personal data goes like that of the others."""
        ramp_id = self.spend(1234, account=None, date='2026-07-05T12:00:00+00:00', memo=SECRETS[0])
        self.sync('transaction')
        row = self.record(ramp_id)
        row._ignore_by_person('Private')
        self.assertFalse(row.noted)
        self.assertEqual(self.vacuum()[0], len(self.rows) + 1)
        self.assertEqual((self.told(row), row.state, row.noted), ([], 'ignored', False))

    def test_in_batches(self):
        self.patch(ramp_record_keeping, 'AT_ONCE', 2)
        counts = []
        while not counts or counts[-1][1]:
            counts.append(self.vacuum())
            self.assertLess(len(counts), 20)
        self.assertEqual(sum(done for done, _more in counts), len(self.rows))
        self.assertTrue(all(done <= 2 for done, _more in counts))

    def test_queries(self):
        """Erasing takes as many queries for many rows as for one."""
        others = [self.spend(1000 + number, date='2026-07-05T12:00:00+00:00') for number in range(4)]
        self.sync('transaction')
        counts = []
        self.record(self.spent)._erase_personal()  # fills the caches
        rows = self.env['ramp.record'].search([('ramp_id', 'in', others)])
        for part in (rows[:1], rows[1:]):
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            part._erase_personal()
            counts.append(self.env.cr.sql_log_count - before)
        self.assertEqual(counts[0], counts[1])

    def test_unreadable_rows_lose_all_but_their_id(self):
        row = self.record(self.repaid, 'repayment')
        row.payload = {'id': row.ramp_id, 'user_signature': self.words[3], 'odd': self.words[4]}
        self.vacuum()
        self.assertEqual(set(row.payload), {'id', ERASED})
        row.payload = [self.words[3]]
        self.vacuum()
        self.assertEqual(set(row.payload), {ERASED})

    @in_turn
    def test_a_change_in_ramp_is_noticed_as_before(self):
        self.vacuum()
        self.ramp.update_transaction(
            self.spent, amount_minor=7100, lines=[{'amount_minor': 7100, 'account': self.external(self.account_meals)}]
        )
        self.sync('transaction')
        record = self.record(self.spent)
        self.assertEqual((record.state, record.has_changed), ('held', True))
        self.assertNotIn(ERASED, record.late_changes)
        self.vacuum()
        self.assertTrue(record.late_payload, 'a person decides first')

    def test_payments_are_done_anew(self):
        """A payment is posted again with the payload that is left."""
        self.vacuum()
        row, before = self.record(self.paid_bill, 'bill_payment'), self.move(self.paid_bill)
        row._reopen_payment()
        self.sync(*FLOWS)
        self.assertEqual(
            (row.state, before.payment_state, len(PayablesCase.payment(self, self.paid_bill))),
            ('confirmed', 'in_payment', 1),
        )

    def test_a_statement_over_what_was_erased(self):
        self.vacuum()
        statement = self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        self.assertEqual(self.bill(statement).amount_total, 70.0)
        [section] = self.sections(statement)
        self.assertEqual(self.record(section, 'statement').state, 'confirmed')
        self.vacuum()
        self.assertNotIn(ERASED, self.record(section, 'statement').payload, 'the next one is compared with it')


@tagged('post_install', '-at_install', 'ramp')
class TestErasing(KeepingCase):
    """A person who left can be erased at once."""

    def user(self, name, groups):
        return new_test_user(
            self.env,
            f'ramp_{name}',
            f'base.group_user,{groups}',
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
        )

    @in_turn
    def test_an_employee_who_left(self):
        other = self.ramp.add_reimbursement(
            amount_minor=3300,
            user=list(self.ramp.state['users'])[1]['id'],
            entity=self.primary,
            state='REIMBURSED',
            account=self.external(self.account_meals),
            memo='Lunch with the others',
        )
        open_one = self.spend(1700, account=None, memo=SECRETS[0])
        self.sync(*FLOWS)
        employee = self.employee.with_user(self.user('hr', 'hr.group_hr_manager'))
        with self.assertRaisesRegex(UserError, 'Archive the employee'):
            employee.action_erase_ramp_data()
        employee.action_archive()
        action = employee.action_erase_ramp_data()
        self.env.invalidate_all()
        self.assertEqual(action['params']['type'], 'warning')
        self.assertIn('data is still needed: 1.', action['params']['message'])
        for ramp_id, flow in (
            (self.spent, 'transaction'),
            (self.refunded, 'reimbursement'),
            (self.refunded, 'reimbursement_payment'),
            (self.repaid, 'repayment'),
        ):
            self.assertIn(ERASED, self.record(ramp_id, flow).payload, flow)
            self.assertEqual(self.told(self.record(ramp_id, flow)), [])
        self.assertNotIn(ERASED, self.record(other, 'reimbursement').payload)
        self.assertIn('Lunch with the others', json.dumps(self.record(other, 'reimbursement').payload))
        self.assertNotIn(ERASED, self.record(open_one).payload)

    def test_who_was_a_guest(self):
        """Spend of another person that names the person as an attendee is erased, too."""
        ramp_id = self.ramp.add_reimbursement(
            amount_minor=3300,
            user=list(self.ramp.state['users'])[1]['id'],
            entity=self.primary,
            state='REIMBURSED',
            account=self.external(self.account_meals),
        )
        self.ramp.state['reimbursements'].update_row(ramp_id, attendees=[{'name': 'Ada', 'user_id': self.user_id}])
        self.sync(*FLOWS)
        self.employee.action_archive()
        self.employee.action_erase_ramp_data()
        self.env.invalidate_all()
        self.assertIn(ERASED, self.record(ramp_id, 'reimbursement').payload)

    def test_by_address_alone(self):
        """A person who was never linked is found by the email."""
        self.employee.ramp_user_id = False
        self.employee.action_archive()
        self.employee.action_erase_ramp_data()
        self.env.invalidate_all()
        self.assertIn(ERASED, self.record(self.refunded, 'reimbursement').payload)
        self.assertNotIn(ERASED, self.record(self.spent).payload)
        self.employee.work_email = False
        with self.assertRaisesRegex(UserError, 'no record in the ledger can be theirs'):
            self.employee.action_erase_ramp_data()

    def test_nobody_else_may(self):
        self.employee.action_archive()
        for groups in ('hr.group_hr_user', 'account.group_account_manager'):
            with self.assertRaises(AccessError):
                self.employee.with_user(self.user(groups.rpartition('.')[2], groups)).action_erase_ramp_data()
        with self.assertRaisesRegex(AccessError, 'Only accounting administrators'):
            self.rows.with_user(self.user('accountant', 'account.group_account_user')).action_erase_personal()
        self.assertTrue(self.told(self.rows))

    def test_who_may_not_edit_the_employee(self):
        """Somebody who may read an employee and not edit them does not erase their data, either."""
        self.employee.action_archive()
        self.env['ir.rule'].create(
            {
                'name': 'Nobody edits employees',
                'model_id': self.env['ir.model']._get_id('hr.employee'),
                'domain_force': "[('id', '=', 0)]",
                **dict.fromkeys(('perm_read', 'perm_create', 'perm_unlink'), False),
            }
        )
        employee = self.employee.with_user(self.user('hr', 'hr.group_hr_manager'))
        self.assertFalse(employee.active)
        with self.assertRaises(AccessError):
            employee.action_erase_ramp_data()
        self.assertTrue(self.told(self.rows))

    def test_chosen_rows(self):
        row, other = self.record(self.spent), self.record(self.owed, 'bill')
        row.with_user(self.user('manager', 'account.group_account_manager')).action_erase_personal()
        self.env.invalidate_all()
        self.assertEqual((ERASED in row.payload, ERASED in other.payload), (True, False))
        other.write({'state': 'held', 'hold_reason': 'question'})
        with self.assertRaisesRegex(UserError, 'Clear them first'):
            other.action_erase_personal()

    def test_another_company(self):
        """An administrator of one company erases nothing of another company."""
        company = self.env['res.company'].create({'name': 'Gadget Guild'})
        leaver = self.env['hr.employee'].create(
            {'name': 'Same Person', 'company_id': company.id, 'work_email': self.employee.work_email, 'active': False}
        )
        leaver.action_erase_ramp_data()
        self.env.invalidate_all()
        self.assertFalse([row.display_name for row in self.rows if ERASED in row.payload])
