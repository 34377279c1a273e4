# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import json
import unittest

from hypothesis import given
from hypothesis import strategies as st

from odoo.tests import tagged

from ..ramp_api import (
    TRANSFER_ACCEPTED_STATUSES,
    TRANSFER_FAILED_STATUSES,
    Money,
    PayloadError,
    StatementLine,
    parse_utc_moment,
    read_cashback,
    read_statement,
    read_statement_url,
    read_transfer,
    scrub_statement,
)
from ..simulator.endpoints import transfers as simulated
from .test_ramp_api_payables import FOLDER, MINOR, NonsenseCase, calm, made
from .test_ramp_api_payloads import IDS, MISSING, PayloadCase, cents
from .test_simulator_statements import StatementsCase

AMOUNTS = ('opening_balance', 'charges', 'credits', 'payments', 'ending_balance')
LINK = 'https://statements.example.com/2026-07.pdf?Expires=1&Signature=s3cret'


def section(number=1, currency='USD', **changes):
    values = dict(zip(AMOUNTS, (cents(amount, currency) for amount in (100, 10000, 2500, 600, 7000))))
    return made({'id': IDS[number], 'entity_id': IDS[3], **values}, changes)


def statement(**changes):
    return made(
        {
            'id': IDS[0],
            **{name: cents(0) for name in AMOUNTS},
            'balance_sections': [section(1), section(2, charges=cents(10900), entity_id=IDS[4].upper())],
            'start_date': '2026-07-01T00:00:00+00:00',
            'end_date': '2026-08-01T00:00:00Z',
            'preceding_statement_id': IDS[5],
            'statement_lines': [
                {
                    'type': 'CARD_TRANSACTION',
                    'id': IDS[6].upper(),
                    'created_at': '2026-07-02T00:00:00Z',
                    'cleared_at': None,
                },
                {'type': 'CASHBACK', 'id': IDS[7], 'created_at': '2026-07-31T00:00:00Z'},
                {'type': 'TRANSFER_PAYMENT', 'id': IDS[8]},
            ],
            'statement_url': LINK,
            'a_key_of_next_year': [],
        },
        changes,
    )


def transfer(**changes):
    return made(
        {
            'id': IDS[0],
            'amount': cents(1963058),
            'bank_account_id': IDS[1],
            'entity_id': IDS[2],
            'payment_id': 'PAYMENT 7',
            'status': 'COMPLETED',
            'created_at': '2026-07-31T12:00:00+00:00',
            'sync_status': 'SYNC_READY',
        },
        changes,
    )


def cashback(**changes):
    return made(
        {
            'id': IDS[0],
            'amount': cents(150),
            'entity_id': IDS[2],
            'created_at': '2026-07-31T12:00:00Z',
            'sync_status': 'SYNCED',
        },
        changes,
    )


def outcome(payload):
    """Return what the reader makes of a payload: a value, or the arguments of its refusal."""
    try:
        return read_statement(payload)
    except PayloadError as error:
        return error.args


@tagged('ramp_api')
class TestStatement(PayloadCase):
    def refused(self, field, text, **changes):
        self.assertRefused(field, text, read_statement, statement(**changes))
        self.assertRefused(field, text, read_statement, scrub_statement(statement(**changes)))

    def test_all_fields(self):
        read = read_statement(statement())
        self.assertEqual((read.id, read.preceding_statement_id), (IDS[0], IDS[5]))
        self.assertEqual(
            (read.start_date, read.end_date),
            (parse_utc_moment('2026-07-01T00:00:00Z'), parse_utc_moment('2026-08-01T00:00:00Z')),
        )
        first, second = read.sections
        self.assertEqual((first.id, first.entity_id, second.entity_id, first.currency), (IDS[1], IDS[3], IDS[4], 'USD'))
        self.assertEqual([getattr(first, name).minor for name in AMOUNTS], [100, 10000, 2500, 600, 7000])
        self.assertEqual(second.charges, Money(10900, 'USD'))
        self.assertEqual(
            read.lines, (('CARD_TRANSACTION', IDS[6]), ('CASHBACK', IDS[7]), StatementLine('TRANSFER_PAYMENT', IDS[8]))
        )
        self.assertNotIn('s3cret', repr(read))
        hash(read)

    def test_absent(self):
        read = read_statement(
            statement(
                preceding_statement_id=MISSING, balance_sections=[], statement_lines=MISSING, charges='of no interest'
            )
        )
        self.assertEqual((read.preceding_statement_id, read.sections, read.lines), (None, (), ()))

    def test_what_is_on_it_is_not_judged(self):
        sections = [section(1, payments=cents(-5), ending_balance=cents(10**9)), section(2), section(3, 'EUR')]
        read = read_statement(statement(balance_sections=sections))
        self.assertEqual(
            [item.ending_balance for item in read.sections],
            [Money(10**9, 'USD'), Money(7000, 'USD'), Money(7000, 'EUR')],
        )

    def test_ids(self):
        self.refused('id', 'required', id=None)
        self.refused('preceding_statement_id', 'not an id', preceding_statement_id='0')
        self.refused('balance_sections[0].id', 'required', balance_sections=[section(id=MISSING)])
        self.refused('balance_sections[0].entity_id', 'required', balance_sections=[section(entity_id=None)])
        self.refused(
            'balance_sections[1].id', 'two sections', balance_sections=[section(5), section(id=IDS[5].upper())]
        )

    def test_dates(self):
        for key in ('start_date', 'end_date'):
            self.refused(key, 'required', **{key: None})
            self.refused(key, 'not a date', **{key: '2026-07-01'})
        self.refused('end_date', 'before start_date', start_date='2026-08-02T00:00:00Z')

    def test_money(self):
        for name in AMOUNTS:
            at = f'balance_sections[0].{name}'
            self.refused(at, 'no amount', balance_sections=[section(**{name: None})])
            self.refused(f'{at}.amount', 'whole number', balance_sections=[section(**{name: cents(1.5)})])
            self.refused(at, 'rate', balance_sections=[section(**{name: cents(1, 'JPY')})])
        self.refused(
            'balance_sections[0].charges',
            'is in EUR, but the section is in USD',
            balance_sections=[section(charges=cents(1, 'EUR'))],
        )

    def test_a_rate_that_is_not_told(self):
        def bare(currency):
            return section(**{name: {'amount': 7, 'currency_code': currency} for name in AMOUNTS})

        for currency in ('USD', 'JPY', 'KWD'):
            read = read_statement(statement(balance_sections=[bare(currency)]))
            self.assertEqual(read.sections[0].payments, Money(7, currency))
        self.refused('balance_sections[0].ending_balance', 'only read with', balance_sections=[bare('USDC')])

    def test_lines(self):
        self.refused('statement_lines[0].type', "'FEE' is not known", statement_lines=[{'type': 'FEE', 'id': IDS[0]}])
        self.refused('statement_lines[0].type', 'required', statement_lines=[{'id': IDS[0]}])
        self.refused('statement_lines[0].id', 'required', statement_lines=[{'type': 'CASHBACK'}])
        self.refused('statement_lines[0].id', 'not an id', statement_lines=[{'type': 'CASHBACK', 'id': 'x'}])
        self.refused('statement_lines[0]', 'an object', statement_lines=[['CASHBACK']])
        self.refused('statement_lines', 'a list', statement_lines={})

    def test_link(self):
        self.assertEqual(read_statement_url(statement()), LINK)
        self.assertIsNone(read_statement_url(statement(statement_url=MISSING, id=None)))
        self.assertRefused('statement_url', 'a text', read_statement_url, statement(statement_url=[LINK]))

    def test_scrubbed(self):
        payload = statement()
        kept = scrub_statement(payload)
        self.assertEqual(payload, statement())
        self.assertNotIn('s3cret', json.dumps(kept))
        self.assertEqual(
            kept['statement_lines'],
            [['CARD_TRANSACTION', IDS[6].upper()], ['CASHBACK', IDS[7]], ['TRANSFER_PAYMENT', IDS[8]]],
        )
        self.assertEqual(set(payload) - set(kept), {'statement_url'})
        self.assertEqual(read_statement(kept), read_statement(payload))
        self.assertEqual(scrub_statement(kept), kept)
        self.assertEqual(read_statement(json.loads(json.dumps(kept))), read_statement(payload))
        for odd in (None, [], 'x', {}, {'statement_lines': 'x'}):
            self.assertEqual(scrub_statement(odd), odd)

    @calm
    @given(st.lists(st.tuples(*[MINOR] * 5, st.sampled_from(('USD', 'EUR', 'CAD'))), max_size=5))
    def test_any_amounts(self, rows):
        sections = [
            section(number, currency, **dict(zip(AMOUNTS, (cents(amount, currency) for amount in amounts))))
            for number, (*amounts, currency) in enumerate(rows)
        ]
        read = read_statement(statement(balance_sections=sections))
        self.assertEqual(
            [(*(getattr(item, name).minor for name in AMOUNTS), item.currency) for item in read.sections], rows
        )

    @calm
    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.sampled_from(('', 'CASHBACK', 'FEE', IDS[0], LINK)),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(('type', 'id', 'created_at')), inner)
            ),
        )
    )
    def test_any_lines_scrubbed_or_not(self, lines):
        payload = statement(statement_lines=lines)
        self.assertEqual(outcome(scrub_statement(payload)), outcome(payload))


@tagged('ramp_api')
class TestTransfer(PayloadCase):
    def test_all_fields(self):
        read = read_transfer(transfer())
        self.assertEqual(
            (read.id, read.amount, read.status, read.sync_status),
            (IDS[0], Money(1963058, 'USD'), 'COMPLETED', 'SYNC_READY'),
        )
        self.assertEqual((read.bank_account_id, read.entity_id, read.payment_id), (IDS[1], IDS[2], 'PAYMENT 7'))
        self.assertEqual(read.created_at, parse_utc_moment('2026-07-31T12:00:00Z'))
        hash(read)

    def test_absent_null_and_refused(self):
        for empty in (None, MISSING):
            read = read_transfer(transfer(bank_account_id=empty, entity_id=empty, payment_id=empty))
            self.assertEqual((read.bank_account_id, read.entity_id, read.payment_id), (None, None, None))
            for key in ('id', 'status', 'sync_status', 'created_at'):
                self.assertRefused(key, 'required', read_transfer, transfer(**{key: empty}))
            self.assertRefused('amount', 'no amount', read_transfer, transfer(amount=empty))
        self.assertRefused('sync_status', 'not known', read_transfer, transfer(sync_status='MAYBE'))
        self.assertRefused('amount', 'rate', read_transfer, transfer(amount=cents(1, 'KWD')))

    def test_status_is_any_text(self):
        self.assertEqual(read_transfer(transfer(status='TELEPORTED')).status, 'TELEPORTED')

    def test_statuses_mean_the_same_on_both_sides(self):
        self.assertEqual(TRANSFER_ACCEPTED_STATUSES, set(simulated.ACCEPTED_STATUSES))
        self.assertEqual(TRANSFER_FAILED_STATUSES, set(simulated.FAILED_STATUSES))


@tagged('ramp_api')
class TestCashback(PayloadCase):
    def test_fields_absent_and_refused(self):
        read = read_cashback(cashback())
        self.assertEqual(
            (read.id, read.amount, read.entity_id, read.sync_status), (IDS[0], Money(150, 'USD'), IDS[2], 'SYNCED')
        )
        self.assertEqual(read.created_at, parse_utc_moment('2026-07-31T12:00:00Z'))
        self.assertIsNone(read_cashback(cashback(entity_id=MISSING)).entity_id)
        for key in ('id', 'sync_status', 'created_at'):
            self.assertRefused(key, 'required', read_cashback, cashback(**{key: None}))
        self.assertRefused('amount', 'no amount', read_cashback, cashback(amount=MISSING))
        self.assertRefused('amount.amount', 'whole number', read_cashback, cashback(amount=cents('1')))


@tagged('ramp_api')
@unittest.skipUnless(FOLDER and FOLDER.is_dir(), 'the examples of the contract are not here')
class TestStatementExamples(PayloadCase):
    def example(self, folder, name):
        return json.loads((FOLDER / folder / f'{name}.json').read_text(encoding='utf-8'))

    def test_statement(self):
        payload = self.example('spec-2026-08-01', 'Statement')
        read = read_statement(payload)
        [item] = read.sections
        self.assertEqual(item.opening_balance + item.charges - item.credits - item.payments, item.ending_balance)
        self.assertEqual((item.ending_balance, len(read.lines)), (Money(178098867, 'USD'), 8))
        self.assertIn('Signature=', read_statement_url(payload))
        self.assertEqual(read_statement(scrub_statement(payload)), read)

    def test_transfer_and_cashback(self):
        read = read_transfer(self.example('illustrative', 'Transfer')['example'])
        self.assertEqual((read.amount, read.status), (Money(1963058, 'USD'), 'COMPLETED'))
        read = read_cashback(self.example('illustrative', 'Cashback')['example'])
        self.assertEqual((read.amount, read.sync_status), (Money(12345, 'USD'), 'SYNC_READY'))


@tagged('ramp_api')
class TestSimulatedStatements(StatementsCase):
    seed = {'transactions': 200, 'months': 4, 'statements': True}
    options = {'rate_limit': 0}

    def test_every_object(self):
        for path, read in (('/transfers', read_transfer), ('/cashbacks', read_cashback)):
            state = self.ramp.state[path[1:]].rows
            rows = [read(row) for row in self.client.every(path, page_size=100)]
            self.assertEqual(
                [(row.id, row.amount.minor) for row in rows],
                [(ident, row['amount']['amount']) for ident, row in state.items()],
            )
            self.assertTrue(rows)
        rows = self.client.every('/statements')
        self.assertGreater(len(rows), 2)
        for row in rows:
            read = read_statement(row)
            self.assertEqual(read_statement(scrub_statement(row)), read)
            self.assertEqual(len(read.lines), len(row['statement_lines']))
            for item in read.sections:
                self.assertEqual(
                    item.opening_balance + item.charges - item.credits - item.payments, item.ending_balance
                )

    def test_as_the_contracts_example(self):
        self.clock.forward(days=40)
        self.client.sign_in(' '.join(self.ramp.scopes))
        ident = self.ramp.close_statement(self.clock.now, sparse=True)
        self.assertTrue(read_statement(self.statement(ident)).sections)


@tagged('ramp_api')
class TestStatementNonsense(NonsenseCase):
    def test_any_field(self):
        for payload in (statement(), scrub_statement(statement())):
            self.check(payload, read_statement)
        self.check(transfer(), read_transfer)
        self.check(cashback(), read_cashback)
