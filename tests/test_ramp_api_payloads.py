# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import copy
import datetime
import traceback
from decimal import Decimal

from odoo.tests import tagged

from ..ramp_api import (
    Money,
    PayloadError,
    parse_utc_moment,
    read_accounting_provider,
    read_entity,
    read_receipt,
    read_transaction,
    to_company_date,
)
from .smoke import PlainCase

UTC = datetime.timezone.utc
IDS = [f'0000000{n}-0000-4000-8000-00000000000a' for n in range(9)]
MISSING = object()


def cents(amount, currency='USD', **more):
    return {'amount': amount, 'currency_code': currency, 'minor_unit_conversion_rate': 100, **more}


def coding(kind='GL_ACCOUNT', external_id='6100'):
    return {
        'type': kind,
        'external_id': external_id,
        'external_code': '6100',
        'name': 'Travel',
        'id': IDS[7],
        'category_info': {'id': IDS[8], 'external_id': 'gl', 'name': 'Account', 'type': 'GL_ACCOUNT'},
    }


def transaction(**changes):
    """A settled purchase of 90.00 USD in two lines. A change to MISSING removes the key."""
    payload = {
        'id': IDS[0],
        'amount': 90.0,
        'currency_code': 'USD',
        'minor_unit_conversion_rate': 100,
        'original_transaction_amount': cents(9000),
        'state': 'CLEARED',
        'sync_status': 'SYNC_READY',
        'synced_at': None,
        'user_transaction_time': '2026-03-01T18:00:00+00:00',
        'settlement_date': '2026-03-03T00:30:00Z',
        'accounting_date': '2026-03-03T00:30:00',
        'card_holder': {'user_id': IDS[1], 'first_name': 'Ada', 'last_name': 'Moss', 'employee_id': 'E-7'},
        'card_id': IDS[2],
        'entity_id': IDS[3],
        'statement_id': IDS[4],
        'merchant_id': IDS[5],
        'merchant_name': 'Vista Air',
        'merchant_descriptor': 'VISTA*AIR 0042',
        'memo': 'Fair in Lyon',
        'original_transaction_id': None,
        'receipts': [IDS[6]],
        'accounting_field_selections': [],
        'line_items': [
            {
                'amount': cents(5000),
                'converted_amount': cents(5000),
                'memo': 'Out',
                'accounting_field_selections': [coding()],
            },
            {
                'amount': cents(4000),
                'converted_amount': cents(4000),
                'accounting_field_selections': [coding(external_id='6200')],
            },
        ],
        'a_key_of_next_year': {'any': 'thing'},
    }
    payload.update(changes)
    return {key: value for key, value in payload.items() if value is not MISSING}


def line(**values):
    return {'accounting_field_selections': [], **values}


class PayloadCase(PlainCase):
    maxDiff = None

    def assertRefused(self, field, text, read, payload):
        with self.assertRaises(PayloadError) as caught:
            read(payload)
        self.assertEqual(caught.exception.field, field)
        self.assertIn(text, str(caught.exception))
        place = str(caught.exception).partition(': ')[0]
        self.assertRegex(place, r'^[A-Z][^_\[\]]*$', 'the place in words')


@tagged('ramp_api')
class TestTransaction(PayloadCase):
    def refused(self, field, text='', **changes):
        self.assertRefused(field, text, read_transaction, transaction(**changes))

    def test_all_fields(self):
        payload = transaction()
        before = copy.deepcopy(payload)
        read = read_transaction(payload)
        self.assertEqual(payload, before)
        self.assertEqual(read.id, IDS[0])
        self.assertEqual(read.amount, Money(9000, 'USD'))
        self.assertEqual(read.original_amount, Money(9000, 'USD'))
        self.assertEqual((read.state, read.sync_status, read.synced_at), ('CLEARED', 'SYNC_READY', None))
        self.assertEqual(read.user_transaction_time, datetime.datetime(2026, 3, 1, 18, tzinfo=UTC))
        self.assertEqual(read.settlement_date, datetime.datetime(2026, 3, 3, 0, 30, tzinfo=UTC))
        self.assertEqual(read.accounting_date, read.settlement_date)
        self.assertEqual(read.accounting_date.utcoffset(), datetime.timedelta())
        self.assertEqual(
            (read.user_id, read.card_holder_name, read.card_holder_employee_id), (IDS[1], 'Ada Moss', 'E-7')
        )
        self.assertEqual(
            (read.card_id, read.entity_id, read.statement_id, read.merchant_id), (IDS[2], IDS[3], IDS[4], IDS[5])
        )
        self.assertEqual((read.merchant_name, read.merchant_descriptor), ('Vista Air', 'VISTA*AIR 0042'))
        self.assertEqual((read.memo, read.original_transaction_id), ('Fair in Lyon', None))
        self.assertEqual(read.receipts, (IDS[6],))
        self.assertEqual([item.amount.minor for item in read.lines], [5000, 4000])
        self.assertEqual([item.memo for item in read.lines], ['Out', None])
        selection = read.lines[0].selections[0]
        self.assertEqual(
            (selection.type, selection.external_id, selection.external_code), ('GL_ACCOUNT', '6100', '6100')
        )
        self.assertEqual((selection.name, selection.id, selection.category_external_id), ('Travel', IDS[7], 'gl'))
        self.assertEqual(read.lines[1].selections[0].external_id, '6200')
        hash(read)  # frozen all the way down

    def test_id(self):
        self.assertEqual(read_transaction(transaction(id=IDS[0].upper())).id, IDS[0])
        for value in (MISSING, None, '', 7, 'x', IDS[0][:-1], IDS[0] + '\n', '../' + IDS[0], f'{{{IDS[0]}}}'):
            with self.subTest(value=value):
                self.refused('id', id=value)

    def test_not_an_object(self):
        for payload in (None, [], 'x', 1):
            with self.subTest(payload=payload):
                self.assertRefused('payload', 'expected an object', read_transaction, payload)

    def test_wrong_types(self):
        for field, value in [
            ('amount', '90.00'),
            ('amount', True),
            ('amount', [90]),
            ('currency_code', 840),
            ('currency_code', MISSING),
            ('minor_unit_conversion_rate', '100'),
            ('minor_unit_conversion_rate', 1000),
            ('memo', ['x']),
            ('receipts', IDS[6]),
            ('receipts', ''),
            ('line_items', {}),
            ('card_holder', 'Ada'),
            ('accounting_field_selections', 'x'),
            ('card_id', 12),
            ('entity_id', 'main'),
            ('statement_id', 'last'),
            ('merchant_id', 'm'),
            ('state', 1),
            ('synced_at', 20260301),
        ]:
            with self.subTest(field=field, value=value):
                self.refused(field, **{field: value})
        self.refused('amount', 'expected a number', amount=True)
        self.refused('receipts[0]', receipts=['../users'])
        self.refused('line_items[1]', 'expected an object', line_items=[line(amount=cents(9000)), None])
        self.refused('card_holder.user_id', card_holder={'user_id': 'me'})

    def test_enums(self):
        for state in ('CLEARED', 'COMPLETION', 'DECLINED', 'ERROR', 'PENDING', 'PENDING_INITIATION'):
            self.assertEqual(read_transaction(transaction(state=state)).state, state)
        for state in ('ALL', 'cleared', 'SETTLED'):
            self.refused('state', 'not known to this version', state=state)
        self.refused('state', 'required', state=MISSING)
        self.refused('sync_status', 'not known to this version', sync_status='SYNCED_TWICE')
        self.assertIsNone(read_transaction(transaction(sync_status=MISSING)).sync_status)

    def test_dates(self):
        self.refused('accounting_date', 'is not a date and time', accounting_date='2026-03-03')
        self.refused('settlement_date', 'is not a valid date', settlement_date='2026-02-30T00:00:00Z')
        self.assertIsNone(read_transaction(transaction(accounting_date=None)).accounting_date)

    # Amounts

    def test_amount_alone_or_the_new_pair_alone(self):
        new = {'value': 9000, 'currency': 'USD'}
        merchant = {'value': 8000, 'currency': 'EUR'}
        read = read_transaction(
            transaction(
                amount=MISSING,
                currency_code=MISSING,
                original_transaction_amount=MISSING,
                entity_amount=new,
                merchant_amount=merchant,
            )
        )
        self.assertEqual((read.amount, read.original_amount), (Money(9000, 'USD'), Money(8000, 'EUR')))
        self.assertEqual(read_transaction(transaction(entity_amount=new)).amount, Money(9000, 'USD'))
        self.assertEqual(read_transaction(transaction(amount=Decimal('90.00'))).amount, Money(9000, 'USD'))
        self.refused('amount', 'neither', amount=MISSING)

    def test_old_and_new_amount_must_agree(self):
        for value, currency in [(9001, 'USD'), (-9000, 'USD'), (9000, 'CAD')]:
            self.refused('entity_amount', 'contradicts', entity_amount={'value': value, 'currency': currency})
        self.refused(
            'merchant_amount',
            '80.00 USD contradicts original_transaction_amount, which is 90.00 USD',
            merchant_amount={'value': 8000, 'currency': 'USD'},
        )
        same = {'value': 9000, 'currency': 'USD'}
        self.assertEqual(read_transaction(transaction(merchant_amount=same)).original_amount, Money(9000, 'USD'))

    def test_amount_details(self):
        self.refused('amount', 'more than the 2 decimals', amount=90.001)
        self.refused('amount', "'ZZZ'", currency_code='ZZZ')
        self.refused('entity_amount.value', 'whole number', entity_amount={'value': 90.0, 'currency': 'USD'})
        self.refused('entity_amount.currency', 'required', entity_amount={'value': 9000})
        self.refused(
            'original_transaction_amount', 'rate is 100, but JPY', original_transaction_amount=cents(9000, 'JPY')
        )

    def test_currencies_without_and_with_three_decimals(self):
        for currency, major, rate, minor in [('JPY', 9000.0, 1, 9000), ('KWD', 9.125, 1000, 9125)]:
            amount = {'amount': minor, 'currency_code': currency, 'minor_unit_conversion_rate': rate}
            read = read_transaction(
                transaction(
                    amount=major,
                    currency_code=currency,
                    minor_unit_conversion_rate=rate,
                    original_transaction_amount=None,
                    line_items=[line(amount=amount)],
                )
            )
            self.assertEqual(read.lines[0].amount, Money(minor, currency))

    def test_refund_is_negative(self):
        lines = [line(amount=cents(-5000)), line(amount=cents(-4000))]
        read = read_transaction(transaction(amount=-90.0, line_items=lines, original_transaction_id=IDS[5]))
        self.assertEqual(read.amount, Money(-9000, 'USD'))
        self.assertEqual([item.amount.minor for item in read.lines], [-5000, -4000])
        # Only the header's sign is documented. The merchant's amount has the same sign.
        self.assertEqual(read.original_amount, Money(-9000, 'USD'))
        self.assertEqual(read.original_transaction_id, IDS[5])
        self.refused('line_items', 'add up to 90.00 USD, but the transaction is -90.00 USD', amount=-90.0)

    # Lines

    def test_lines_must_add_up(self):
        lines = [line(amount=cents(5000)), line(amount=cents(3999))]
        self.refused('line_items', 'add up to 89.99 USD, but the transaction is 90.00 USD', line_items=lines)

    def test_line_without_amount(self):
        self.refused('line_items[0].converted_amount', 'no amount', line_items=[line(amount=None)])
        self.refused('line_items[0].amount.currency_code', 'required', line_items=[line(amount={'amount': 9000})])

    def test_no_lines_is_one_line(self):
        for lines in (MISSING, None, []):
            read = read_transaction(transaction(line_items=lines, accounting_field_selections=[coding()]))
            self.assertEqual(len(read.lines), 1)
            self.assertEqual(read.lines[0].amount, read.amount)
            self.assertEqual(read.lines[0].memo, 'Fair in Lyon')
            self.assertEqual(read.lines[0].selections[0].external_id, '6100')

    def test_only_a_single_uncoded_line_inherits(self):
        top = [coding(external_id='top')]
        single = [line(amount=cents(9000))]
        read = read_transaction(transaction(accounting_field_selections=top, line_items=single))
        self.assertEqual([item.external_id for item in read.lines[0].selections], ['top'])
        own = [line(amount=cents(9000), accounting_field_selections=[coding()])]
        read = read_transaction(transaction(accounting_field_selections=top, line_items=own))
        self.assertEqual([item.external_id for item in read.lines[0].selections], ['6100'])
        two = [line(amount=cents(5000)), line(amount=cents(4000))]
        read = read_transaction(transaction(accounting_field_selections=top, line_items=two))
        self.assertEqual([item.selections for item in read.lines], [(), ()])

    def test_foreign_lines_take_the_converted_amount(self):
        lines = [
            line(amount=cents(3000, 'EUR'), converted_amount=cents(3233)),
            line(amount=cents(1000, 'EUR'), converted_amount=cents(1077)),
        ]
        read = read_transaction(
            transaction(amount=43.1, original_transaction_amount=cents(4000, 'EUR'), line_items=lines)
        )
        self.assertEqual([item.amount for item in read.lines], [Money(3233, 'USD'), Money(1077, 'USD')])
        self.assertEqual(read.original_amount, Money(4000, 'EUR'))

    def test_foreign_lines_alone_share_the_settled_total(self):
        lines = [line(amount=cents(3000, 'EUR')), line(amount=cents(1000, 'EUR'), converted_amount=None)]
        original = cents(4000, 'EUR')
        for sign in (1, -1):
            read = read_transaction(
                transaction(amount=sign * 43.1, original_transaction_amount=original, line_items=lines)
            )
            self.assertEqual(
                [item.amount for item in read.lines], [Money(sign * 3233, 'USD'), Money(sign * 1077, 'USD')]
            )
        self.refused(
            'line_items',
            'add up to 40.00 EUR, but the merchant charged 41.00 EUR',
            amount=43.1,
            original_transaction_amount=cents(4100, 'EUR'),
            line_items=lines,
        )
        self.refused(
            'line_items',
            'cannot be split',
            amount=43.1,
            original_transaction_amount=None,
            line_items=[line(amount=cents(5, 'EUR')), line(amount=cents(-5, 'EUR'))],
        )

    def test_lines_in_other_currencies(self):
        self.refused(
            'line_items[0].converted_amount',
            'settled in USD',
            line_items=[line(amount=cents(9000), converted_amount=cents(9000, 'EUR'))],
        )
        self.refused(
            'line_items', 'mix EUR and USD', line_items=[line(amount=cents(5000, 'EUR')), line(amount=cents(4000))]
        )

    def test_selection_type(self):
        def types(**values):
            selection = {**coding(), **values}
            lines = [line(amount=cents(9000), accounting_field_selections=[selection])]
            return read_transaction(transaction(line_items=lines)).lines[0].selections[0].type

        self.assertEqual(types(type='Subsidiary'), 'SUBSIDIARY')
        self.assertEqual(types(type=None), 'GL_ACCOUNT')
        with self.assertRaisesRegex(PayloadError, '^Line 1, accounting field selections 1, type: '):
            types(type=None, category_info=None)

    def test_message_holds_no_payload_data(self):
        holder = {'user_id': 'ada@example.com', 'first_name': {'secret': 'Ada'}}
        for key, value in holder.items():
            with self.assertRaises(PayloadError) as caught:
                read_transaction(transaction(card_holder={key: value}))
            text = ''.join(traceback.format_exception(caught.exception))
            self.assertNotIn('ada@example.com', text)
            self.assertNotIn('secret', str(caught.exception))


@tagged('ramp_api')
class TestOtherPayloads(PayloadCase):
    def test_entity(self):
        payload = {
            'id': IDS[0],
            'entity_name': 'North',
            'currency': 'CAD',
            'is_primary': True,
            'connected_subsidiary': {'external_id': '42'},
            'payment_accounts': [
                {
                    'id': IDS[1].upper(),
                    'account_name': 'Checking',
                    'account_number_last_four': '0042',
                    'currency': 'CAD',
                },
                {'id': 'odd', 'account_name': 'Nobody knows which'},
                'odd',
                {'id': IDS[2], 'account_name': 7},
                {'id': IDS[2]},
            ],
        }
        entity = read_entity(payload)
        self.assertEqual(
            [(account.id, account.name, account.last_four) for account in entity.payment_accounts],
            [(IDS[1], 'Checking', '0042'), (IDS[2], None, None)],
        )
        self.assertEqual((entity.id, entity.name, entity.currency), (IDS[0], 'North', 'CAD'))
        self.assertEqual((entity.is_primary, entity.subsidiary_external_id), (True, '42'))
        bare = read_entity({'id': IDS[0], 'currency': None, 'is_primary': None, 'connected_subsidiary': None})
        self.assertEqual((bare.is_primary, bare.subsidiary_external_id, bare.payment_accounts), (False, None, ()))
        self.assertRefused('payment_accounts', 'a list', read_entity, {**payload, 'payment_accounts': {}})
        self.assertRefused('is_primary', 'true or false', read_entity, {**payload, 'is_primary': 1})

    def test_receipt(self):
        url = 'https://files.example.com/r.png?Signature=abc'
        payload = {'id': IDS[0], 'transaction_id': IDS[1], 'receipt_url': url, 'created_at': '2026-01-01T00:00:00Z'}
        receipt = read_receipt(payload)
        self.assertEqual((receipt.id, receipt.transaction_id), (IDS[0], IDS[1]))
        self.assertIsNone(receipt.reimbursement_id)
        self.assertEqual(receipt.receipt_url, url)
        self.assertEqual(receipt.created_at, datetime.datetime(2026, 1, 1, tzinfo=UTC))
        self.assertNotIn('Signature', repr(receipt))
        self.assertRefused('receipt_url', 'required', read_receipt, {'id': IDS[0]})

    def test_accounting_provider(self):
        payload = {
            'id': IDS[0],
            'remote_provider_name': 'Odoo',
            'is_active': True,
            'status': 'LINKED',
            'connection_type': 'API',
        }
        provider = read_accounting_provider(payload)
        self.assertEqual((provider.id, provider.remote_provider_name), (IDS[0], 'Odoo'))
        self.assertEqual((provider.is_active, provider.status, provider.connection_type), (True, 'linked', 'API'))
        self.assertIsNone(read_accounting_provider({}))
        self.assertIsNone(read_accounting_provider({**payload, 'status': None}).status)
        for field, value in [('status', 'PAUSED'), ('connection_type', 'FAX'), ('id', None)]:
            self.assertRefused(field, '', read_accounting_provider, {**payload, field: value})


@tagged('ramp_api')
class TestDates(PlainCase):
    def test_parse_utc(self):
        for text, expected in [
            ('2026-01-31T13:45:00Z', (2026, 1, 31, 13, 45)),
            ('2026-01-31T13:45:00z', (2026, 1, 31, 13, 45)),
            ('2026-01-31T13:45:00', (2026, 1, 31, 13, 45)),
            ('2026-01-31 13:45', (2026, 1, 31, 13, 45)),
            ('2026-01-31T13:45:00+0000', (2026, 1, 31, 13, 45)),
            ('2026-01-31T13:45:00-05:00', (2026, 1, 31, 18, 45)),
            ('2026-01-31T13:45:00+05:30', (2026, 1, 31, 8, 15)),
            ('2026-01-01T00:00:00+01', (2025, 12, 31, 23, 0)),
            ('2026-01-31T13:45:00.1234567Z', (2026, 1, 31, 13, 45, 0, 123456)),
            ('2026-01-31T13:45:00.5+00:00', (2026, 1, 31, 13, 45, 0, 500000)),
        ]:
            with self.subTest(text=text):
                self.assertEqual(parse_utc_moment(text), datetime.datetime(*expected, tzinfo=UTC))
                self.assertEqual(parse_utc_moment(text).utcoffset(), datetime.timedelta())

    def test_parse_utc_refuses(self):
        for text in [
            '2026-01-31',
            '2026-01-31T:00:00+00:00',
            '2026-01-31T00:00:00+00:00+00:00',
            '2026-02-30T00:00:00Z',
            '2026-01-31T25:00:00Z',
            '2026-01-31T00:00:00+25:00',
            '2026-01-31T00:00:00+01:75',
            '0001-01-01T00:00:00+10:00',
            '31.01.2026',
            '',
            'now',
            ' 2026-01-31T00:00:00Z',
            '2026-01-31T00:00:00Z\n',
            '٢٠٢٦-01-31T00:00:00Z',
            None,
            1769860000,
        ]:
            with self.subTest(text=text), self.assertRaises(ValueError):
                parse_utc_moment(text)

    def test_company_date_around_midnight_and_clock_changes(self):
        for moment, zone, expected in [
            ('2026-03-01T04:59:59Z', 'America/New_York', (2026, 2, 28)),
            ('2026-03-01T05:00:00Z', 'America/New_York', (2026, 3, 1)),
            # Clocks go forward on 2026-03-08, so the day ends an hour earlier in UTC.
            ('2026-03-08T04:59:59Z', 'America/New_York', (2026, 3, 7)),
            ('2026-03-09T03:59:59Z', 'America/New_York', (2026, 3, 8)),
            ('2026-03-09T04:00:00Z', 'America/New_York', (2026, 3, 9)),
            # Clocks go back on 2026-11-01.
            ('2026-11-01T04:00:00Z', 'America/New_York', (2026, 11, 1)),
            ('2026-11-02T04:59:59Z', 'America/New_York', (2026, 11, 1)),
            ('2026-12-31T14:59:59Z', 'Asia/Tokyo', (2026, 12, 31)),
            ('2026-12-31T15:00:00Z', 'Asia/Tokyo', (2027, 1, 1)),
            ('2026-06-30T22:30:00Z', 'Europe/Paris', (2026, 7, 1)),
            ('2026-06-30T12:00:00Z', 'Pacific/Kiritimati', (2026, 7, 1)),
            ('2026-03-01T07:59:00Z', 'US/Pacific', (2026, 2, 28)),
            ('2026-03-01T00:00:00Z', 'UTC', (2026, 3, 1)),
        ]:
            with self.subTest(moment=moment, zone=zone):
                self.assertEqual(to_company_date(parse_utc_moment(moment), zone), datetime.date(*expected))

    def test_company_date_refuses_to_guess(self):
        moment = datetime.datetime(2026, 3, 1, tzinfo=UTC)
        for zone in ('', None, False, 'Mars/Olympus', '../etc/passwd'):
            with self.subTest(zone=zone), self.assertRaisesRegex(ValueError, 'time zone'):
                to_company_date(moment, zone)
        with self.assertRaisesRegex(ValueError, 'without a time zone'):
            to_company_date(moment.replace(tzinfo=None), 'UTC')
