# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Objects that another accounting system exported from Ramp are in that system's books. They are not posted here
without a person's decision.
"""

from datetime import timedelta, timezone
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import PayablesCase, StatementsCase
from .properties import examples, in_turn

SYNC_TYPES = {
    'transaction': 'TRANSACTION_SYNC',
    'bill': 'BILL_SYNC',
    'reimbursement': 'REIMBURSEMENT_SYNC',
    'transfer': 'TRANSFER_SYNC',
    'cashback': 'STATEMENT_CREDIT_SYNC',
}
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


class ExportedCase(StatementsCase, PayablesCase):
    """A business that can make objects of every kind."""

    flows = FLOWS

    def make(self, kind, day=None):
        """Make an object that is ready to be posted, of yesterday unless said otherwise; returns its Ramp id."""
        day = day or f'{fields.Date.today() - timedelta(days=1)}T12:00:00+00:00'
        if kind == 'transaction':
            return self.spend(1000, date=day)
        if kind == 'bill':
            ramp_id = self.owe(2000)
            self.ramp.pay_bill(ramp_id)
            return ramp_id
        if kind == 'open bill':
            return self.owe(2500)
        if kind == 'reimbursement':
            return self.ramp.add_reimbursement(
                amount_minor=3000,
                user=self.user_id,
                entity=self.primary,
                account=self.external(self.account_meals),
                state='REIMBURSED',
            )
        if kind == 'transfer':
            return self.ramp.add_transfer(amount_minor=4000, date=day)
        return self.ramp.add_cashback(amount_minor=500, date=day)

    def export(self, kind, ramp_id):
        """Let another system export an object and, for a paid bill, its payment."""
        self.ramp.export_elsewhere(SYNC_TYPES[kind.split()[-1]], ramp_id)
        if kind == 'bill':
            self.ramp.export_elsewhere('BILL_PAYMENT_SYNC', ramp_id)

    def booked(self, *ramp_ids):
        return (
            self.env['account.move'].search([('ramp_id', 'in', ramp_ids)])
            + self.env['account.payment'].search([('ramp_id', 'in', ramp_ids)]).move_id
        )

    def assertNotBooked(self, *ramp_ids):
        """None of these is posted, and Odoo has told Ramp nothing about them."""
        self.assertFalse(self.booked(*ramp_ids).mapped('ramp_id'))
        self.assertFalse(
            self.env['ramp.record']
            .search([('ramp_id', 'in', ramp_ids), ('res_id', '!=', False)])
            .mapped('display_name')
        )
        told = {entry['id'] for entry in self.ramp.state.journal}
        self.assertFalse(told & set(ramp_ids))

    def everything(self):
        return self.sync(*self.flows)


@tagged('post_install', '-at_install', 'ramp')
class TestExportedElsewhere(ExportedCase):
    kinds = ('transaction', 'bill', 'open bill', 'reimbursement', 'transfer', 'cashback')

    def test_noted_at_night_and_not_booked_by_day(self):
        """The nightly check notes objects that another system exported in rows. Such a row does not lead to posting."""
        ids = {kind: self.make(kind) for kind in self.kinds}
        for kind, ramp_id in ids.items():
            self.export(kind, ramp_id)
        for _night in range(2):
            self.sync('watch')
            self.everything()
        self.assertNotBooked(*ids.values())
        for kind, ramp_id in ids.items():
            self.assertEqual(
                (self.record(ramp_id, kind.split()[-1]).state, self.record(ramp_id, kind.split()[-1]).is_withheld),
                ('held' if kind in ('transaction', 'reimbursement') else 'ignored', True),
                kind,
            )

    def test_moment_of_the_export(self):
        """The time of the export counts to the second, in any time zone. If it cannot be read, the first check decides."""
        created = self.connection.create_date.replace(microsecond=0)
        tokyo, lima = timezone(timedelta(hours=9)), timezone(timedelta(hours=-5))
        flow, nothing = self.env['ramp.flow.transaction'], self.env['ramp.record']

        def moment(zone, **after):
            return (created + timedelta(**after)).replace(tzinfo=timezone.utc).astimezone(zone).isoformat()

        said = {
            moment(zone, **{unit: number}): number < 0
            for zone in (timezone.utc, tokyo, lima)
            for unit in ('seconds', 'hours')
            for number in (-1, 0, 1)
        }
        for text, is_before in {**said, f'{created.isoformat()}Z': False, 'yesterday': True, 20260301: True}.items():
            with self.subTest(text):
                self.connection.looked_at = []
                self.assertEqual(
                    flow._was_exported_before(self.connection, {'payload': {'synced_at': text}}, nothing), is_before
                )
        self.connection.looked_at = ['transaction']
        self.assertFalse(flow._was_exported_before(self.connection, {'payload': {'synced_at': 'yesterday'}}, nothing))

    def test_exported_after_the_first_look_is_a_question(self):
        self.sync('watch')
        ids = {kind: self.make(kind) for kind in self.kinds}
        for kind, ramp_id in ids.items():
            self.export(kind, ramp_id)
        for _night in range(2):
            self.everything()
            self.sync('watch')
        self.assertNotBooked(*ids.values())
        for kind, ramp_id in ids.items():
            record = self.record(ramp_id, kind.split()[-1])
            self.assertEqual((kind, record.state, record.hold_reason), (kind, 'held', 'elsewhere'))
            self.assertIn('Another system marked it as synced in Ramp', record.error_message)

    def test_another_flow_fails_every_night(self):
        """Each flow has its own first check. A later export is put on hold, even if another flow's check fails every
        night.
        """
        before = self.make('bill')
        self.export('bill', before)
        with (
            patch.object(
                self.env.registry['ramp.flow.transfer'], '_store_snapshot_of_lists', side_effect=KeyError('odd')
            ),
            mute_logger('odoo.addons.ramp_connector.flows.monitor.nightly_check'),
        ):
            self.sync('watch', now=False)
            ids = {kind: self.make(kind) for kind in ('bill', 'transfer')}
            for kind, ramp_id in ids.items():
                self.export(kind, ramp_id)
            self.sync('watch', now=False)
            self.assertNotIn('transfer', self.connection.looked_at)
        self.sync('watch')
        self.assertEqual(
            [self.record(ramp_id, kind).state for kind, ramp_id in (('bill', before), *ids.items())],
            ['ignored', 'held', 'ignored'],
        )

    def test_marked_as_not_synced_in_ramp(self):
        """An object that a person marks as not synced in Ramp, as the reason suggests, is posted."""
        ids = {kind: self.make(kind) for kind in ('transaction', 'open bill', 'reimbursement')}
        for kind, ramp_id in ids.items():
            self.export(kind, ramp_id)
        self.sync('watch')
        self.ramp.state['transactions'].update_row(ids['transaction'], sync_status='SYNC_READY', synced_at=None)
        self.ramp.state['bills'].update_row(ids['open bill'], sync_status='NOT_SYNCED')
        self.ramp.state['reimbursements'].update_row(ids['reimbursement'], sync_status='SYNC_READY', synced_at=None)
        self.everything()
        self.assertEqual(set(self.booked(*ids.values()).mapped('ramp_id')) & set(ids.values()), set(ids.values()))

    def test_ramp_fails_in_the_middle_of_a_run(self):
        """If Ramp fails in the middle of a run, the rows in the ledger are processed, but a withheld row is not posted."""
        ids = {kind: self.make(kind) for kind in self.kinds}
        for kind, ramp_id in ids.items():
            self.export(kind, ramp_id)
        waits = self.spend(1100, sync_status='NOT_SYNC_READY')
        self.sync('watch')
        self.connection.looked_at = False  # as if they were new: on hold, and each run looks at them
        self.sync('watch')
        self.ramp.faults.add_fault('server_error', status=503)
        with mute_logger('odoo.addons.ramp_connector.flows.engine.flow'):
            runs = self.everything()
        self.assertIn('failed', runs.mapped('state'))
        self.assertNotBooked(waits, *ids.values())
        self.assertEqual(self.record(waits).state, 'pending')

    def test_retry_asks_ramp_at_once(self):
        ramp_id = self.make('transaction')
        self.export('transaction', ramp_id)
        self.sync('watch')
        self.record(ramp_id).action_retry()
        self.sync('transaction')
        self.assertNotBooked(ramp_id)
        self.assertEqual(self.record(ramp_id).state, 'held')

    def test_ours_whose_document_was_deleted_is_booked_again(self):
        ramp_id = self.make('transaction')
        self.everything()
        self.move(ramp_id).button_draft()
        self.move(ramp_id).with_context(force_delete=True).unlink()
        self.sync('watch', 'transaction')
        self.assertFalse(self.move(ramp_id))
        self.record(ramp_id).action_retry()
        self.sync('transaction')
        self.assertEqual(self.record(ramp_id).state, 'confirmed')
        self.assertEqual(len(self.move(ramp_id)), 1)

    def test_card_pays_a_bill_that_another_system_exported(self):
        """A bill that another system exported is not posted if a card pays it, because it is in the other books."""
        bill, charge = self.owe(5000), self.spend(5000)
        self.export('open bill', bill)
        self.sync('watch')
        self.ramp.pay_bill(bill, method='CARD', transaction=charge)
        self.ramp.state['bills'].update_row(bill, sync_status='BILL_AND_PAYMENT_SYNCED')
        self.everything()
        self.sync('watch')
        self.everything()
        self.assertFalse(self.booked(bill))

    def test_charge_of_a_bill_that_another_system_exported_later(self):
        """The charge that pays a bill is a question if another system exported the bill after it was seen here."""
        bill, charge = self.owe(5000, account=None), self.spend(5000, sync_status='NOT_SYNC_READY')
        self.ramp.pay_bill(bill, method='CARD', transaction=charge)
        self.everything()
        self.assertEqual(self.record(bill, 'bill').state, 'held')
        self.export('open bill', bill)
        self.everything()
        self.assertTrue(self.record(bill, 'bill').is_withheld)
        self.ramp.update_transaction(charge, sync_status='SYNC_READY')
        self.everything()
        self.assertHeld(charge, 'which another system marked as synced in Ramp')
        self.assertFalse(self.booked(bill))

    @in_turn
    def test_canceled_stays_left_out(self):
        """A reimbursement that was canceled before it was ready stays left out."""
        ramp_id = self.ramp.add_reimbursement(
            amount_minor=3000,
            user=self.user_id,
            entity=self.primary,
            account=self.external(self.account_meals),
            state='REIMBURSED',
        )
        self.employee.work_email = False
        self.everything()
        self.ramp.update_reimbursement(ramp_id, state='CANCELED', sync_status='NOT_SYNC_READY')
        states = []
        for _run in range(3):
            self.everything()
            self.sync('watch')
            states.append(self.record(ramp_id, 'reimbursement').state)
        self.assertEqual(states, ['ignored'] * 3)
        self.assertIn('cancelled', self.record(ramp_id, 'reimbursement').error_message)

    def test_canceled_is_left_out_at_once(self):
        """A run that reads no posted objects again leaves out a reimbursement that was canceled, with the reason."""
        ramp_id = self.make('reimbursement')
        self.employee.work_email = False
        self.sync('reimbursement')
        record = self.record(ramp_id, 'reimbursement')
        self.assertEqual(record.state, 'held')
        self.patch(type(self.env['ramp.flow.pull']), '_reread_pause', timedelta(minutes=10))
        self.connection.sync_requested_at = False
        self.ramp.update_reimbursement(ramp_id, state='CANCELED', sync_status='NOT_SYNC_READY')
        self.sync('reimbursement', now=False)
        self.assertEqual((record.state, record.hold_reason), ('ignored', 'rule'))
        self.assertIn('cancelled', record.error_message)

    def test_canceled_and_exported(self):
        """A reimbursement that another system exported and that is canceled is no question: it is nobody's money."""
        self.sync('watch')
        ramp_id = self.make('reimbursement')
        self.export('reimbursement', ramp_id)
        self.ramp.update_reimbursement(ramp_id, state='CANCELED')
        for _night in range(2):
            self.sync('watch')
            self.everything()
            record = self.record(ramp_id, 'reimbursement')
            self.assertEqual((record.state, record.hold_reason), ('ignored', 'rule'))
            self.assertIn('cancelled', record.error_message)
        self.assertNotBooked(ramp_id)

    @in_turn
    def test_installed_anew(self):
        """After a new installation the ledger is empty, but objects that Ramp shows as synced are not posted again."""
        day = '2026-07-05T12:00:00+00:00'
        repaid = self.make('transaction', day)
        ids = [repaid, *(self.make(kind, day) for kind in self.kinds)]
        self.ramp.add_repayment(transaction=repaid, amount_minor=300)
        vendor = self.ramp.add_vendor('Creditor')
        self.ramp.add_vendor_credit(vendor=vendor, amount_minor=700, account=self.external(self.account_meals))
        self.ramp.close_statement('2026-08-01')
        for _round in range(2):
            self.everything()
        self.assertTrue(self.booked(*ids))
        self.forget_everything()
        with self.assertRaisesRegex(UserError, 'Statements and Vendor Credits in Ramp Already'):
            self.connection.action_connect()
        self.connection.existing_policy = 'leave'
        self.connection.action_connect()
        mine = [('company_id', '=', self.company.id)]
        before = self.env['account.move'].search_count(mine)
        for _night in range(2):
            self.everything()
            self.sync('watch')
        self.assertEqual(self.env['account.move'].search([*mine, ('ramp_id', '!=', False)]).mapped('ref'), [])
        self.assertEqual(self.env['account.move'].search_count(mine), before)
        new = self.make('transaction')
        self.everything()
        self.assertConfirmed(new)

    def forget_everything(self):
        """Do what uninstalling does: the documents stay, without any link to Ramp."""
        self.connection.action_disconnect()
        self.env.flush_all()
        self.env.cr.execute('DELETE FROM ramp_record')
        self.env.cr.execute('DELETE FROM ramp_run')
        for table in ('account_move', 'account_payment', 'hr_expense'):
            self.env.cr.execute(f'UPDATE {table} SET ramp_id = NULL')  # pylint: disable=sql-injection  # of this test's own list
        self.env.invalidate_all()
        self.connection.write({'existing_policy': False, 'last_watch': False, 'looked_at': False})
        # The ledger is younger than Ramp's objects.
        self.env.cr.execute('UPDATE ramp_connection SET create_date = %s', [self.env.cr.now() + timedelta(days=1)])
        self.env.invalidate_all()

    @in_turn
    @examples(2)
    @given(
        st.lists(
            st.tuples(st.sampled_from(kinds), st.sampled_from(('first', 'later', 'ours')), st.booleans()),
            min_size=1,
            max_size=6,
        ),
        st.lists(st.sampled_from(('sync', 'watch', 'retry', 'backdate')), min_size=1, max_size=5),
    )
    def test_whatever_happens(self, objects, steps):
        """Nothing that others exported is posted or reported, for any mix of exports before and after the first check,
        retries, runs and nightly checks.
        """
        with self.isolated():
            ours, theirs = [], []
            for kind, when, _late in objects:
                if when != 'later':
                    ramp_id = self.make(kind)
                    (ours if when == 'ours' else theirs).append(ramp_id)
                    if when == 'first':
                        self.export(kind, ramp_id)
            for number, step in enumerate(steps):
                if number == len(steps) // 2:
                    for kind, when, held in objects:
                        if when == 'later':
                            ramp_id = self.make(kind)
                            if held and kind == 'transaction':  # seen before it was exported, and not posted
                                self.ramp.recode_transaction(ramp_id, None)
                                self.sync('transaction')
                            self.export(kind, ramp_id)
                            theirs.append(ramp_id)
                if step == 'sync':
                    self.everything()
                elif step == 'watch':
                    self.sync('watch')
                elif step == 'retry':
                    self.env['ramp.record'].search(
                        [('ramp_id', 'in', theirs), ('state', 'in', ('held', 'ignored', 'pending'))]
                    ).action_retry()
                else:
                    self.env.cr.execute("UPDATE ramp_record SET seen_at = seen_at - interval '1 day'")
                    self.env.invalidate_all()
            self.everything()
            self.sync('watch')
            self.everything()
            moves = self.booked(*theirs).filtered(lambda move: move.ramp_id in theirs)
            self.assertFalse(moves.mapped('ref'))
            told = {entry['id'] for entry in self.ramp.state.journal if entry['ok']}
            self.assertFalse(told & set(theirs))


@tagged('post_install', '-at_install', 'ramp')
class TestVanished(ExportedCase):
    """An object that is gone from Ramp does not stay on Ramp's side of the tie-out."""

    def later(self):
        """Let the next run begin in a later second. Runs store the second of their beginning, and rows the exact time
        at which they were seen.
        """
        self.env.flush_all()
        self.env.cr.execute("UPDATE ramp_record SET seen_at = seen_at - interval '2 seconds'")
        self.env.invalidate_all()

    @in_turn
    def test_of_each_kind(self):
        spend, unready = self.make('transaction'), self.spend(1100, sync_status='NOT_SYNC_READY')
        bill, transfer = self.make('open bill'), self.make('transfer')
        repayment = self.ramp.add_repayment(transaction=spend, amount_minor=400)
        self.everything()
        self.sync('watch')
        self.assertEqual(self.record(unready).state, 'pending')
        for table, ramp_id in (
            ('transactions', spend),
            ('transactions', unready),
            ('bills', bill),
            ('transfers', transfer),
            ('repayments', repayment),
        ):
            self.ramp.remove_object(table, ramp_id)
        self.later()
        self.everything()
        self.sync('watch')
        for ramp_id, flow in ((spend, 'transaction'), (bill, 'bill'), (transfer, 'transfer'), (repayment, 'repayment')):
            record = self.record(ramp_id, flow)
            self.assertEqual((flow, record.state, record.finding), (flow, 'held', 'vanished'), record.error_message)
            self.assertIn('no longer has', record.error_message)
            self.assertFalse(record.has_moved or record.open_amount)
        self.assertEqual(self.record(unready).state, 'ignored')
        report = self.env['report.ramp_connector.tie_out'].get_report(self.connection.id)
        kinds = {
            item['kind']
            for section in report['sections']
            for month in section['months']
            for item in month['differences']
        }
        self.assertEqual(kinds, {'vanished'})
        self.record(spend).action_retry()
        self.sync('watch')
        self.assertEqual(self.record(spend).state, 'confirmed', 'somebody says that the books are right')

    def test_it_comes_back(self):
        """It is found again, even if its day is too long ago for a list of the nightly check."""
        for days in (200, 3):
            with self.subTest(days=days):
                ramp_id = self.make('transaction', f'{fields.Date.today() - timedelta(days=days)}T12:00:00+00:00')
                self.everything()
                row = self.ramp.remove_object('transactions', ramp_id)
                self.later()
                self.sync('watch')
                self.assertEqual(self.record(ramp_id).finding, 'vanished')
                self.ramp.state['transactions'].add_row(row)
                self.sync('watch')
                self.assertEqual(
                    (self.record(ramp_id).state, self.record(ramp_id).finding, self.record(ramp_id).has_moved),
                    ('confirmed', False, True),
                )
