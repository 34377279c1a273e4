# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..flows.engine.flow import RampFlow
from ..flows.engine.pull import RampFlowPull
from ..flows.monitor.nightly_check import RampFlowWatch
from ..models import token_stores
from .common import PayablesCase, StatementsCase
from .properties import in_turn
from .test_purchase_order import OrdersCase


@tagged('post_install', '-at_install', 'ramp')
class TestWatch(StatementsCase):
    """The nightly check finds what no list shows, and opens it."""

    @in_turn
    def test_documents(self):
        ids = [self.spend(1000 + number, date=f'2026-07-0{number}T12:00:00+00:00') for number in range(1, 6)]
        self.sync_statements()
        draft, cancelled, reversed_one, edited, good = (self.move(ramp_id) for ramp_id in ids)
        draft.button_draft()
        cancelled.button_draft()
        cancelled.button_cancel()
        reversed_one._reverse_moves([{'date': '2026-07-20'}], cancel=True)
        edited.button_draft()
        card = edited.line_ids.filtered(lambda line: line.account_id == self.connection.card_account_id)
        edited.write(
            {
                'line_ids': [
                    (1, card.id, {'amount_currency': -9.0}),
                    (1, (edited.line_ids - card).id, {'amount_currency': 9.0}),
                ]
            }
        )
        edited.action_post()
        self.sync('watch')
        rows = [self.record(ramp_id) for ramp_id in ids]
        self.assertEqual(
            [(row.state, row.finding) for row in rows],
            [('held', 'draft'), ('held', 'cancelled'), ('held', 'reversed'), ('held', 'edited'), ('confirmed', False)],
        )
        self.assertIn(edited.name, rows[3].error_message)
        self.assertEqual(good.state, 'posted')
        draft.action_post()
        rows[2].action_retry()
        self.sync_statements()
        self.sync('watch')
        self.assertEqual([row.state for row in rows], ['confirmed', 'held', 'confirmed', 'held', 'confirmed'])
        self.assertEqual(len(self.ramp.list_successes()[ids[0]]), 1)

    @in_turn
    def test_found_and_then_deleted(self):
        """An entry that the check opened and somebody then deleted is not settled by the next check, because it has no
        document.
        """
        ramp_id = self.spend(1000)
        self.sync_statements()
        self.move(ramp_id).button_draft()
        self.sync('watch')
        row, name = self.record(ramp_id), self.move(ramp_id).name
        self.assertEqual(row.finding, 'draft')
        self.assertEqual(
            row.error_message,
            f'Its document {name} was reset to draft in Odoo after it was posted. Post it. If this is correct, press '
            'Retry to accept it.',
        )
        self.env['res.lang']._activate_lang('de_DE')
        self.assertIn(f'Das Dokument {name} wurde', row.with_context(lang='de_DE').reason_text)
        self.move(ramp_id).with_context(force_delete=True).unlink()
        self.sync('watch')
        row = self.record(ramp_id)
        self.assertEqual((row.state, row.res_id, row.finding), ('held', 0, False))
        self.assertIn('deleted in Odoo by', row.error_message)
        row.action_retry()
        self.sync_statements()
        self.assertEqual((row.state, self.move(ramp_id).state), ('confirmed', 'posted'))

    def test_deleted_and_no_longer_ready(self):
        """What waits for a person because its entry was deleted still waits when Ramp stops offering it and offers it
        again.
        """
        ramp_id = self.spend(1000)
        self.sync_statements()
        self.move(ramp_id).button_draft()
        self.move(ramp_id).unlink()
        record = self.record(ramp_id)
        for status in ('NOT_SYNC_READY', 'SYNC_READY'):
            self.ramp.update_transaction(ramp_id, sync_status=status)
            self.sync('watch', *self.flows)
            self.assertEqual((record.state, record.hold_reason), ('held', 'deleted'), status)
        self.assertFalse(self.move(ramp_id))

    def test_deleted_and_changed_in_ramp(self):
        """What waits for a person because its entry was deleted still waits when Ramp changes it. It is posted as Ramp has
        it by then.
        """
        ramp_id = self.spend(1000)
        self.sync_statements()
        self.move(ramp_id).button_draft()
        self.move(ramp_id).unlink()
        self.ramp.update_transaction(ramp_id, amount_minor=2000)
        self.sync_statements()
        record = self.record(ramp_id)
        self.assertEqual((record.state, record.hold_reason, bool(self.move(ramp_id))), ('held', 'deleted', False))
        self.assertIn('deleted in Odoo by', record.error_message)
        record.action_retry()
        self.sync_statements()
        self.assertEqual((record.state, self.move(ramp_id).amount_total), ('confirmed', 20.0))

    def test_found_and_then_held_for_something_else(self):
        """A finding that is corrected does not settle what the row waits for by now."""
        day = fields.Date.today() - timedelta(days=40)
        transfer = self.ramp.add_transfer(amount_minor=1000, date=day)
        self.sync_statements()
        record = self.record(transfer, 'transfer')
        self.payment(transfer).action_draft()
        self.sync('watch')
        self.assertEqual((record.hold_reason, record.finding), ('finding', 'draft'))
        self.payment(transfer).action_post()
        self.ramp.state['transfers'].update_row(transfer, created_at=f'{day}T13:00:00+00:00')
        self.company.fiscalyear_lock_date = day
        self.sync_statements()
        self.assertEqual((record.hold_reason, record.finding), ('question', 'draft'))
        self.sync('watch')
        self.assertEqual((record.state, record.hold_reason, record.finding), ('held', 'question', False))
        self.assertIn('accounting period is closed', record.error_message)

    def test_draft_by_policy_is_right(self):
        self.connection.card_post = 'draft'
        ramp_id = self.spend(1000)
        self.sync_statements()
        self.sync('watch')
        self.assertEqual(self.record(ramp_id).state, 'confirmed')

    def test_time_is_up_at_each_page(self):
        """If the time is up at each page, each run goes on where the one before it stopped. The check comes to its end
        as one run does.
        """
        ids = [self.spend(1000 + number, sync_status='NOT_SYNC_READY') for number in range(5)]
        self.patch(RampFlowPull, '_page_size', 2)
        self.patch(RampFlow, '_is_job_time_up', lambda flow: True)
        before, started = self.ramp.count_requests(), fields.Datetime.now()
        runs = self.env['ramp.run']
        while not self.connection.last_watch and len(runs) < 100:
            self.env['ir.cron.trigger'].search([]).unlink()
            runs += self.sync('watch', now=False)
            self.assertEqual(runs[-1].state, 'paused' if runs[-1].left_off else 'done')
            self.assertEqual(
                bool(runs[-1].left_off),
                bool(
                    self.env['ir.cron.trigger'].search_count(
                        [('cron_id', '=', self.env['ramp.flow.watch']._get_cron_job().id)]
                    )
                ),
            )
        self.assertGreater(len(runs), 3)
        self.assertEqual(set(runs.mapped('state')), {'done'})
        self.assertEqual([bool(run.left_off) for run in runs], [True] * (len(runs) - 1) + [False])
        self.assertEqual(self.connection.last_watch, runs[0].started_at)
        self.assertEqual(runs[1:].mapped('begun_at'), [runs[0].started_at] * (len(runs) - 1))
        self.assertGreaterEqual(self.connection.last_watch, started)
        self.assertEqual((self.ramp.count_requests() - before)['GET /developer/v1/transactions'], 3)
        self.assertEqual({self.record(ramp_id).is_withheld for ramp_id in ids}, {True})

    def test_left_off_long_ago(self):
        """The check begins anew if it was left off long ago, if a run failed, or if the settings changed, as Ramp's
        lists are others then.
        """
        Run = self.env['ramp.run']
        for hours, message, changed, goes_on in (
            (0, False, {}, True),
            (0, 'Ramp failed', {}, False),
            (2, False, {}, False),
            (0, False, {'accounting_connection_id': 'another'}, False),
            (0, False, {'start_date': '2026-02-01'}, False),
            (0, False, {'ramp_entity_id': self.ramp.state.make_new_id()}, False),
            (0, False, {'bill_policy': 'created'}, False),
        ):
            for during in (False, True):
                with self.subTest(hours=hours, message=message, changed=changed, during=during):
                    run = Run._start_run(self.connection, 'watch')
                    run.started_at -= timedelta(hours=3)
                    before = {name: self.connection[name] for name in changed}
                    if during:
                        self.connection.write(changed)
                    run._leave_off({'flow': 'watch'})
                    run._finish_run(message)
                    run.finished_at -= timedelta(hours=hours)
                    self.connection.write(changed)
                    following = Run._start_run(self.connection, 'watch')
                    self.assertEqual(
                        (following.taken_up, following.begun_at), (goes_on and run.left_off, goes_on and run.started_at)
                    )
                    following._finish_run()
                    self.connection.write(before)

    def test_what_ramp_does_not_offer(self):
        unready = self.spend(1000, sync_status='NOT_SYNC_READY')
        declined = self.spend(1100, sync_status='NOT_SYNC_READY', state='DECLINED')
        exported = self.spend(1200)
        self.ramp.export_elsewhere('TRANSACTION_SYNC', exported)
        before = self.spend(1300)
        self.ramp.update_transaction(before, sync_status='SYNCED', synced_at='2020-01-01T00:00:00+00:00')
        self.sync_statements()
        self.assertFalse(self.record(unready))
        self.sync('watch')
        self.assertEqual((self.record(unready).state, self.record(unready).is_withheld), ('pending', True))
        self.assertFalse(self.record(declined))
        self.assertEqual(self.record(exported).state, 'held')
        self.assertEqual(self.record(before).state, 'ignored')
        calls = len(self.ramp.requests)
        self.sync_statements()
        self.assertFalse([entry for entry in self.ramp.requests[calls:] if entry['path'].endswith('/syncs')])
        self.assertFalse(self.move(unready) + self.move(exported) + self.move(before))
        self.record(exported)._ignore_by_person('In the books by hand')
        self.sync('watch')
        self.assertEqual(self.record(exported).state, 'ignored')
        self.ramp.update_transaction(unready, sync_status='SYNC_READY')
        self.sync_statements()
        self.assertConfirmed(unready)


@tagged('post_install', '-at_install', 'ramp')
class TestWatchPayables(PayablesCase):
    @in_turn
    def test_payment_of_a_part(self):
        """Each payment of a bill that was paid in parts is looked at, not only the first one."""
        ramp_id = self.owe(5000)
        for values in ({'amount_minor': 2000}, {}):
            self.sync('vendor', 'bill', 'bill_payment')
            self.ramp.pay_bill(ramp_id, **values)
        self.sync('bill', 'bill_payment')
        first, second = self.payment(ramp_id).sorted('id')
        row = self.record(ramp_id, 'bill_payment')
        self.assertEqual((row.res_id, second.amount), (first.id, 30.0))
        second.action_draft()
        self.sync('watch')
        self.assertEqual((row.state, row.finding), ('held', 'draft'))
        self.assertIn(second.name, row.error_message)
        second.action_post()
        self.sync('watch')
        self.assertEqual((row.state, row.finding), ('confirmed', False))

    @in_turn
    def test_bill_and_payment(self):
        open_bill, paid = self.owe(10000), self.owe(5000)
        self.ramp.pay_bill(paid)
        self.sync_payables()
        self.move(open_bill).button_draft()
        self.payment(paid).action_draft()
        self.payment(paid).action_cancel()
        self.sync('watch')
        self.assertEqual(
            (self.record(open_bill, 'bill').state, self.record(open_bill, 'bill').finding), ('held', 'draft')
        )
        self.assertEqual(self.record(paid, 'bill_payment').finding, 'cancelled')
        self.move(open_bill).action_post()
        self.sync('watch')
        self.assertEqual(self.record(open_bill, 'bill').state, 'confirmed')

    def test_paid_by_credit_or_by_card_is_right(self):
        vendor = self.ramp.add_vendor('Creditor')
        credited, card = self.owe(4000, vendor=vendor), self.owe(5100)
        credit = self.ramp.add_vendor_credit(
            vendor=vendor, amount_minor=4000, account=self.external(self.account_meals)
        )
        self.ramp.apply_vendor_credit(credit, credited)
        self.ramp.pay_bill(card, method='CARD', transaction=None)
        self.sync_payables()
        self.sync('watch')
        self.assertFalse(self.env['ramp.record'].search([('finding', '!=', False)]).mapped('error_message'))
        [section] = self.env['report.ramp_connector.tie_out'].get_report(self.connection.id)['sections']
        self.assertEqual([item['kind'] for month in section['months'] for item in month['differences']], ['expected'])

    def test_exported_by_hand(self):
        before = self.owe(500)
        self.ramp.export_elsewhere('BILL_SYNC', before)
        self.sync('watch')
        ramp_id = self.owe(10000)
        self.ramp.export_elsewhere('BILL_SYNC', ramp_id)
        self.sync_payables()
        self.sync('watch')
        self.assertEqual(
            [(self.record(bill, 'bill').state, bool(self.move(bill))) for bill in (ramp_id, before)],
            [('held', False), ('ignored', False)],
        )
        [bills, _people] = self.env['report.ramp_connector.tie_out'].get_report(self.connection.id)['open']
        self.assertEqual(
            sorted(item['kind'] for row in bills['rows'] for item in row['differences']), ['held', 'ignored']
        )

    def test_open_by_vendor(self):
        vendor = self.ramp.add_vendor('Widgets Inc')
        first, second = self.owe(10000, vendor=vendor), self.owe(5000, vendor=vendor)
        self.ramp.pay_bill(second, amount_minor=2000)
        self.sync_payables()
        [bills, _people] = self.env['report.ramp_connector.tie_out'].get_report(self.connection.id)['open']
        self.assertTrue(bills['is_zero'], bills)
        self.assertEqual(
            [(row['name'], row['ramp'], row['odoo']) for row in bills['rows']], [('Widgets Inc', 130.0, 130.0)]
        )
        self.env['account.payment.register'].with_context(
            active_model='account.move', active_ids=self.move(first).ids
        ).create({})._create_payments()
        [bills, _people] = self.env['report.ramp_connector.tie_out'].get_report(self.connection.id)['open']
        [row] = bills['rows']
        self.assertEqual((row['ramp'], row['odoo'], row['difference']), (130.0, 30.0, 100.0))
        self.assertRegex(row['differences'][0]['text'], 'no longer matches Ramp')
        third = self.owe(700, vendor=vendor, account=None)
        self.sync_payables()
        [bills, _people] = self.env['report.ramp_connector.tie_out'].get_report(self.connection.id)['open']
        self.assertEqual({item['kind'] for item in bills['rows'][0]['differences']}, {'edited', 'held'})
        self.assertTrue(self.record(third, 'bill').error_message)


@tagged('post_install', '-at_install', 'ramp')
class TestWatchAlone(OrdersCase):
    """Each flow and each order is checked on its own."""

    def watch(self):
        self.connection.last_watch = False
        return self.sync('watch', now=False)

    def messages(self):
        return [message.body for message in self.connection.message_ids if 'Ramp Plus' in (message.body or '')]

    def unready(self):
        """Add a transaction that only the check finds."""
        return self.spend(777, sync_status='NOT_SYNC_READY')

    def assertLookedAtOthers(self, ramp_id):
        self.assertTrue(self.record(ramp_id).is_withheld)

    def test_without_ramp_plus(self):
        """A function that the subscription does not include is reported once, and the tie-out can still be green."""
        self.ramp.ramp_plus = False
        for _night in range(2):
            ramp_id = self.unready()
            run = self.watch()
            self.assertEqual((run.state, run.message, bool(self.connection.last_watch)), ('done', False, True))
            self.assertFalse(self.connection.last_error)
            self.assertLookedAtOthers(ramp_id)
            self.assertEqual(self.connection.left_out, ['purchase_order'])
            [message] = self.messages()
            self.assertIn('does not let Odoo use Purchase orders', message)
        self.ramp.ramp_plus = True
        self.watch()
        self.assertFalse(self.connection.left_out)
        self.ramp.ramp_plus = False
        self.watch()
        self.assertEqual(len(self.messages()), 2, 'it was lost again')

    def test_permission_is_missing(self):
        """If a permission is missing, the run fails so that somebody grants it. The tie-out does not need the
        permission.
        """
        self.ramp.scopes = tuple(scope for scope in self.ramp.scopes if not scope.startswith('purchase_orders'))
        token_stores.access_tokens._tokens.clear()
        ramp_id = self.unready()
        run = self.watch()
        self.assertEqual((run.state, bool(self.connection.last_watch)), ('failed', True))
        self.assertRegex(run.message, 'Purchase orders could not be checked. .*lacks a permission')
        self.assertFalse(self.messages())
        self.assertLookedAtOthers(ramp_id)

    def test_one_flow_fails(self):
        for fault, words in (
            ({'kind': 'server_error', 'status': 500}, 'having a problem'),
            ({'kind': 'html_error'}, 'does not know'),
        ):
            with self.subTest(**fault):
                self.ramp.faults.clear_faults()
                self.ramp.faults.add_fault(path='/bills', **fault)
                ramp_id = self.unready()
                with mute_logger('odoo.addons.ramp_connector.flows.engine.flow'):
                    run = self.watch()
                self.assertEqual((run.state, self.connection.last_watch), ('failed', False), 'the tie-out is not whole')
                self.assertFalse(run.reread, 'the next check reads everything, too')
                self.assertRegex(
                    run.message, f'^Nightly check of connection Ramp: Bills could not be checked. .*{words}'
                )
                self.assertEqual(len(run.message.splitlines()), 1, 'and it names no other')
                self.assertIn('Bills could not be checked', self.connection.last_error)
                self.assertLookedAtOthers(ramp_id)
        self.ramp.faults.clear_faults()
        self.assertEqual(self.watch().state, 'done')
        self.assertFalse(self.connection.last_error)

    @mute_logger(
        'odoo.addons.ramp_connector.flows.engine.flow', 'odoo.addons.ramp_connector.flows.monitor.nightly_check'
    )
    def test_one_flow_raises_what_nobody_thought_of(self):
        ramp_id = self.unready()
        with (
            patch.object(type(self.env['ramp.flow.bill']), '_store_snapshot_of_lists', side_effect=KeyError('x')),
            patch.object(RampFlowWatch, '_find_changed_documents', side_effect=AttributeError('y')),
        ):
            run = self.watch()
        self.assertEqual(run.state, 'failed')
        self.assertRegex(run.message, 'Bills could not be checked. Unexpected error: KeyError')
        self.assertRegex(run.message, 'Nightly check could not be checked. Unexpected error: AttributeError')
        self.assertLookedAtOthers(ramp_id)

    def test_failures_are_kept_over_the_runs_of_a_night(self):
        """A failure in the first of several runs is named by the last one, and the check is not complete."""
        self.patch(RampFlow, '_is_job_time_up', lambda flow: True)
        self.ramp.faults.add_fault('server_error', path='/bills')
        ramp_id = self.unready()
        self.connection.last_watch = False
        runs = self.env['ramp.run']
        with mute_logger('odoo.addons.ramp_connector.flows.engine.flow'):
            while (not runs or runs[-1].left_off) and len(runs) < 100:
                runs += self.sync('watch', now=False)
        self.assertGreater(len(runs), 2)
        self.assertEqual((runs[-1].state, self.connection.last_watch), ('failed', False))
        self.assertRegex(runs[-1].message, 'Bills could not be checked')
        self.assertLookedAtOthers(ramp_id)

    @in_turn
    def test_left_out_is_kept_over_the_runs_of_a_night(self):
        """What the subscription does not include is noted once by the last of several runs."""
        self.ramp.ramp_plus = False
        self.patch(RampFlow, '_is_job_time_up', lambda flow: True)
        self.connection.last_watch = False
        runs = self.env['ramp.run']
        while (not runs or runs[-1].left_off) and len(runs) < 100:
            runs += self.sync('watch', now=False)
        self.assertGreater(len(runs), 2)
        self.assertEqual((bool(self.connection.last_watch), self.connection.left_out), (True, ['purchase_order']))
        self.assertEqual(len(self.messages()), 1)

    def test_silent_ramp_is_asked_once(self):
        self.ramp.faults.add_fault('drop_before', path='/bills')
        calls = len(self.ramp.requests)
        with mute_logger('odoo.addons.ramp_connector.flows.engine.flow'):
            run = self.watch()
        self.assertEqual((run.state, self.connection.last_watch), ('failed', False))
        self.assertFalse([entry for entry in self.ramp.requests[calls:] if entry['path'].endswith('/statements')])

    @in_turn
    @mute_logger('odoo.addons.ramp_connector.flows.engine.push')
    def test_one_odd_order(self):
        """An order that cannot be read is put on hold, whatever is odd in it. Changes of the other orders are reported."""
        for changes in (
            {'line_items': None},
            {'memo': 5},
            {'entity_id': None},
            {'amount': {'amount': '1', 'currency_code': 'USD'}},
        ):
            with self.subTest(**changes):
                odd, good = self.order(), self.order()
                self.push()
                for order, values in ((odd, changes), (good, {'memo': 'Edited in Ramp'})):
                    there = self.there(order)
                    if values == {'line_items': None}:
                        values = {
                            'line_items': [
                                {**line, 'accounting_field_selections': [{}]} for line in there['line_items']
                            ]
                        }
                    self.ramp.state['purchase_orders'].update_row(there['id'], **values, _broken=order == odd)
                run = self.watch()
                self.assertEqual((run.state, run.message), ('done', False))
                self.assertEqual((self.row(good).state, self.row(odd).state), ('confirmed', 'held'))
                self.assertIn('edited the memo', self.row(good).error_message)
                self.assertRegex(self.row(odd).error_message, "cannot read Ramp's version of it")
                calls = len(self.ramp.list_write_calls())
                self.push()
                self.assertEqual(
                    (self.row(odd).state, len(self.ramp.list_write_calls())), ('held', calls), 'nothing is sent'
                )
                self.ramp.archive_purchase_order(self.row(good).ramp_id)
                self.ramp.archive_purchase_order(self.row(odd).ramp_id)


@tagged('post_install', '-at_install', 'ramp')
class TestWatchOddOrder(OrdersCase):
    @in_turn
    @mute_logger('odoo.addons.ramp_connector.flows.engine.push')
    def test_read_again(self):
        order = self.order()
        self.push()
        there = self.there(order)
        memo = there['memo']
        self.ramp.state['purchase_orders'].update_row(there['id'], memo=5, _broken=True)
        self.sync('watch', now=False)
        self.assertEqual(self.row(order).state, 'held')
        self.ramp.state['purchase_orders'].update_row(there['id'], memo=memo, _broken=False)
        self.push()
        self.assertEqual((self.row(order).state, self.row(order).error_message), ('confirmed', False))
        self.assertEqual(
            len([row for row in self.ramp.state['purchase_orders'] if row['external_id'] == there['external_id']]), 1
        )
