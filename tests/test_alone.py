# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import errno
import hashlib
import zlib
from unittest.mock import patch

import psycopg2
from PIL import Image

from odoo.exceptions import AccessError, MissingError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..flows.accounting.booking import RampFlowBooking
from ..flows.cards.transaction_book import RampFlowTransactionBook
from ..flows.cards.transaction_plan import RampFlowTransactionPlan
from ..flows.engine.confirm import RampFlowConfirm
from ..flows.engine.flow import is_of_object
from ..flows.engine.reasons import Held
from ..flows.engine.withhold import RampFlowWithhold
from ..ramp_api import PayloadError, RampConnectionError, RampOutOfTime
from .common import PayablesCase, RampCase
from .properties import in_turn, rotated
from .smoke import PlainCase
from .test_push import PushCase

ODD = (
    RecursionError('deep'),
    OverflowError('large'),
    zlib.error('packed'),
    UnicodeDecodeError('utf-8', b'\xff', 0, 1, 'bytes'),
    AttributeError('no such'),
    AssertionError('never'),
    MissingError('gone'),
    AccessError('no'),
    KeyError('key'),
    StopIteration(),
    Image.DecompressionBombError('400 million pixels'),
    Exception('anything'),
)
LOGGERS = ('odoo.addons.ramp_connector.flows.engine', 'odoo.addons.ramp_connector.flows.monitor')


def odd_for(original, is_odd, error):
    """Return a method that raises for some objects. `is_odd` gets its arguments."""

    def method(self, *args, **kwargs):
        if is_odd(*args):
            raise error
        return original(self, *args, **kwargs)

    return method


@tagged('ramp_api')
class TestRule(PlainCase):
    def test_whatever_it_is(self):
        for error in (
            *ODD,
            PayloadError('a', 'b'),
            Held('x'),
            UserError('x'),
            MemoryError(),
            OSError('cannot identify image file'),
        ):
            self.assertTrue(is_of_object(error), repr(error))

    def test_what_is_not_the_objects(self):
        for error in (
            KeyboardInterrupt(),
            SystemExit(),
            GeneratorExit(),
            RampConnectionError('x'),
            RampOutOfTime(),
            psycopg2.errors.SerializationFailure(),
            psycopg2.errors.DeadlockDetected(),
            psycopg2.errors.LockNotAvailable(),
            psycopg2.OperationalError('server closed the connection'),
            psycopg2.InterfaceError('cursor closed'),
            OSError(errno.ENOSPC, 'No space left on device'),
        ):
            self.assertFalse(is_of_object(error, undone=True), repr(error))

    def test_a_failed_statement_wants_a_savepoint(self):
        class Refused(psycopg2.DataError):
            pgcode = '22003'

        class Full(psycopg2.OperationalError):
            pgcode = '53100'

        self.assertEqual([is_of_object(Refused(), undone=undone) for undone in (True, False)], [True, False])
        self.assertFalse(is_of_object(Full(), undone=True))


@tagged('post_install', '-at_install', 'ramp')
class TestPullAlone(PayablesCase):
    """If one object makes the code raise any error anywhere, the others are posted, and that object shows the error."""

    def others(self):
        return [self.spend(1000 + number, merchant=f'Good {number}') for number in range(2)]

    def assertAlone(self, odd, others, pattern, state=('held', 'error')):
        for ramp_id in others:
            self.assertConfirmed(ramp_id)
        record = self.record(odd)
        self.assertIn(record.state, state)
        self.assertRegex(record.error_message, pattern)
        self.assertFalse(self.move(odd))

    @in_turn
    @mute_logger(*LOGGERS)
    def test_every_stage_and_every_error(self):
        flow = type(self.env['ramp.flow.transaction'])
        stages = {
            '_read_payload': lambda payload: payload.get('id') == self.odd,
            '_get_ledger_columns': lambda connection, value: value.id == self.odd,
            '_get_booking_facts': lambda value: value.id == self.odd,
            '_look_up_references': lambda connection, values: any(value.id == self.odd for value in values),
            '_plan_object': lambda connection, value, found: value.id == self.odd,
            '_book_plans': lambda connection, plans: any(plan.transaction.id == self.odd for plan in plans),
        }
        for number, (name, is_odd) in enumerate(stages.items()):
            for error in rotated(ODD[number :: len(stages)] + ODD[:1], of=3):
                with self.subTest(stage=name, error=repr(error)):
                    others = self.others()
                    self.odd = self.spend(777)
                    original = getattr(flow, name)
                    with patch.object(flow, name, odd_for(original, is_odd, error)):
                        run = self.sync('transaction')
                    self.assertEqual(run.state, 'done', run.message)
                    self.assertAlone(
                        self.odd, others, 'could not be posted|cannot be posted|Odoo refused', ('held', 'error')
                    )
                    self.sync('transaction')
                    self.assertConfirmed(self.odd)

    @mute_logger(*LOGGERS)
    def test_confirmed(self):
        """If the confirmation of one object cannot be made, the others of the batch are confirmed."""
        others = self.others()
        odd = self.spend(777)
        with patch.object(
            RampFlowConfirm,
            '_make_sync_item',
            odd_for(RampFlowConfirm._make_sync_item, lambda record: record.ramp_id == odd, KeyError('x')),
        ):
            run = self.sync('transaction')
        self.assertEqual(run.state, 'done', run.message)
        for ramp_id in others:
            self.assertConfirmed(ramp_id)
        self.assertEqual(self.record(odd).state, 'done')
        self.assertIn('could not create the confirmation', self.record(odd).error_message)
        self.sync('transaction')
        self.assertConfirmed(odd)

    @mute_logger(*LOGGERS)
    def test_what_the_database_refuses(self):
        """A text that is too long for an index is stopped with its own object, as Ramp allows any text there."""
        others = self.others()
        odd = self.spend(777)
        text = ''.join(hashlib.sha512(str(number).encode()).hexdigest() for number in range(60))
        self.ramp.state['transactions'].update_row(odd, original_transaction_id=text)
        run = self.sync('transaction')
        self.assertEqual(run.state, 'done', run.message)
        for ramp_id in others:
            self.assertConfirmed(ramp_id)
        self.assertTrue(self.record(odd))

    @mute_logger(*LOGGERS)
    def test_nested_too_deep(self):
        others = self.others()
        odd = self.spend(777)
        deep = []
        for _level in range(600):
            deep = [deep]
        self.ramp.state['transactions'].update_row(odd, memo=deep, _broken=True)
        run = self.sync('transaction')
        self.assertEqual(run.state, 'done', run.message)
        self.assertAlone(odd, others, 'cannot be posted')

    @mute_logger(*LOGGERS)
    def test_what_changed_of_one_cannot_be_shown(self):
        """If the note about a change of one document cannot be written, the list is still processed."""
        first = self.spend(1000)
        self.sync('transaction')
        self.ramp.update_transaction(first, memo='new')
        late = self.spend(1100)
        with patch.object(
            RampFlowBooking,
            '_post_late_messages',
            odd_for(RampFlowBooking._post_late_messages, lambda *args: True, AttributeError('x')),
        ):
            run = self.sync('transaction')
        self.assertEqual(run.state, 'done', run.message)
        self.assertConfirmed(late)
        self.sync('transaction')
        self.assertIn('Memo changed in Ramp: new', ' '.join(self.move(first).message_ids.mapped('body')))

    @mute_logger(*LOGGERS)
    def test_what_else_a_page_tells_of_one(self):
        """If the payment of one bill cannot be read, the payments of other bills are posted."""
        odd, good = self.owe(1000), self.owe(2000)
        self.ramp.pay_bill(odd)
        self.ramp.pay_bill(good)
        payments = type(self.env['ramp.flow.bill_payment'])
        original = payments._is_partly_paid
        with patch.object(
            payments, '_is_partly_paid', odd_for(original, lambda payload, bill: bill.id == odd, AssertionError('x'))
        ):
            runs = self.sync_payables()
        self.assertNotIn('failed', runs.mapped('state'))
        self.assertPaid(good)
        self.sync_payables()
        self.sync_payables()
        self.assertBooked(odd)

    @mute_logger(*LOGGERS)
    def test_a_withheld_one(self):
        with patch.object(
            RampFlowWithhold,
            '_get_withheld_state',
            odd_for(
                RampFlowWithhold._get_withheld_state,
                lambda connection, row, record: row['ramp_id'] == self.odd,
                AttributeError('x'),
            ),
        ):
            self.odd = self.spend(777, sync_status='NOT_SYNC_READY')
            other = self.spend(888, sync_status='NOT_SYNC_READY')
            run = self.sync('watch')
        self.assertEqual(run.state, 'done', run.message)
        self.assertEqual(self.record(other).state, 'pending')
        self.assertRegex(self.record(self.odd).error_message, 'cannot be read')

    @mute_logger(*LOGGERS)
    def test_the_processs_end_is_no_error_of_an_object(self):
        self.spend(777)
        for error in (KeyboardInterrupt, SystemExit):
            with (
                self.subTest(error=error.__name__),
                patch.object(RampFlowTransactionPlan, '_plan_object', side_effect=error()),
                self.assertRaises(error),
            ):
                self.sync('transaction')

    @mute_logger(*LOGGERS)
    def test_a_full_disk_is_no_error_of_an_object(self):
        odd = self.spend(777)
        with patch.object(
            RampFlowTransactionBook, '_book_plans', side_effect=OSError(errno.ENOSPC, 'No space left on device')
        ):
            run = self.sync('transaction')
        self.assertEqual((run.state, self.record(odd).state, self.record(odd).attempts), ('failed', 'pending', 0))


@tagged('post_install', '-at_install', 'ramp')
class TestPushAlone(PushCase):
    """An odd object on the way to Ramp does not stop the others."""

    def once(self):
        super().once()
        self.push()

    def odd_account(self):
        self.odd, self.other = self.env['account.account'].create(
            [
                {'name': name, 'code': code, 'account_type': 'expense', 'company_ids': self.company.ids}
                for name, code in (('Odd', '659901'), ('Other', '659902'))
            ]
        )
        self.env.cr.flush()

    def assertAlone(self, runs, pattern):
        self.assertNotIn('failed', runs.mapped('state'))
        self.assertEqual(self.row(self.other).state, 'confirmed')
        self.assertIn(self.row(self.odd).state, ('held', 'error'))
        self.assertRegex(self.row(self.odd).error_message, pattern)

    @mute_logger(*LOGGERS)
    def test_decided(self):
        flow = type(self.env['ramp.flow.account'])
        self.odd_account()
        with patch.object(
            flow,
            '_get_desired_values',
            odd_for(flow._get_desired_values, lambda connection, records: self.odd in records, ZeroDivisionError('x')),
        ):
            self.assertAlone(self.push(), 'could not determine what to send')
        self.push(now=True)
        self.assertEqual(self.row(self.odd).state, 'confirmed')

    @mute_logger(*LOGGERS)
    def test_named_and_reasoned(self):
        """If deciding what to send fails for one row, the others are sent."""
        flow = type(self.env['ramp.flow.account'])
        for name, is_odd in (
            ('_get_display_title', lambda record: record == self.odd),
            ('_reason_not_offered', lambda record: record == self.odd),
            ('_differs_from_remote', lambda job: job.res_id == self.odd.id),
        ):
            with self.subTest(of=name), self.isolated():
                self.odd_account()
                if name == '_reason_not_offered':
                    self.push()
                    self.odd.active = False
                    self.other.name = 'Renamed'
                with patch.object(flow, name, odd_for(getattr(flow, name), is_odd, KeyError('x'))):
                    self.assertAlone(self.push(), 'could not determine what to send')
                self.push(now=True)
                self.assertEqual(self.row(self.odd).state, 'ignored' if name == '_reason_not_offered' else 'confirmed')

    @mute_logger(*LOGGERS)
    def test_put_into_words(self):
        flow = type(self.env['ramp.flow.account'])
        self.odd_account()
        with patch.object(
            flow,
            '_make_upload_item',
            odd_for(flow._make_upload_item, lambda job: job.res_id == self.odd.id, AttributeError('x')),
        ):
            self.assertAlone(self.push(), 'could not be sent')
        self.push(now=True)
        self.assertEqual(self.row(self.odd).state, 'confirmed')
        self.assertEqual(len([row for row in self.ramp.state['accounts'] if row['code'] == '659901']), 1)

    @in_turn
    @mute_logger(*LOGGERS)
    def test_changed(self):
        flow = type(self.env['ramp.flow.account'])
        self.odd_account()
        self.push()
        (self.odd + self.other).name = 'Renamed'
        with patch.object(
            flow,
            '_update_remote_object',
            odd_for(
                flow._update_remote_object, lambda client, job, changes: job.res_id == self.odd.id, IndexError('x')
            ),
        ):
            self.assertAlone(self.push(), 'could not be sent')
        self.push(now=True)
        self.assertEqual(
            (self.row(self.odd).state, self.remote('accounts', self.odd)['name']), ('confirmed', 'Renamed')
        )

    @mute_logger(*LOGGERS)
    def test_read(self):
        """An object that cannot be read in Ramp counts as existing: it is neither sent again nor forgotten."""
        flow = type(self.env['ramp.flow.account'])
        self.odd_account()
        self.push()
        self.env['ramp.record']._mark_dirty(self.connection, 'account', (self.odd + self.other).ids, uncertain=True)
        self.writes()
        with patch.object(
            flow,
            '_read_remote_object',
            odd_for(
                flow._read_remote_object,
                lambda payload, query: payload['code'] == '659901',
                PayloadError('name', 'expected a text'),
            ),
        ):
            self.assertAlone(self.push(), r"cannot read Ramp's version of it \(\S+; Name: expected a text\)")
            self.odd.name = 'Renamed'
            self.push(now=True)
        self.assertEqual(self.writes(), [])
        self.push(now=True)
        self.assertEqual(
            (self.row(self.odd).state, self.remote('accounts', self.odd)['name']), ('confirmed', 'Renamed')
        )


@tagged('post_install', '-at_install', 'ramp')
class TestBookingAlone(RampCase):
    is_smoke = True

    @mute_logger(*LOGGERS)
    def test_one_member(self):
        odd, good = self.spend(777), self.spend(888)
        with patch.object(
            RampFlowTransactionPlan,
            '_plan_object',
            odd_for(
                RampFlowTransactionPlan._plan_object,
                lambda connection, value, found: value.id == odd,
                AttributeError('x'),
            ),
        ):
            self.sync('transaction')
        self.assertConfirmed(good)
        self.assertEqual(self.record(odd).state, 'error')
