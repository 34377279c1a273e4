"""The simulator's statements, transfers and cashbacks, over real HTTP."""

import copy
from collections import Counter
from urllib.parse import urlsplit

import requests

from odoo.tests import tagged

from ..simulator import Seed
from .test_simulator_payables import NOBODY, PayablesCase

JULY, AUGUST = '2026-07-01', '2026-08-01'
AMOUNTS = ('opening_balance', 'charges', 'credits', 'payments', 'ending_balance')


class StatementsCase(PayablesCase):
    """The clock stands at noon of August 15, 2026."""

    def spend(self, minor, settled, currency='USD', **values):
        return self.ramp.add_transaction(
            amount_minor=minor,
            currency=currency,
            entity=self.entity(currency),
            date=settled,
            settlement_date=settled,
            **values,
        )

    def statement(self, ident):
        answer = self.client.get(f'/statements/{ident}')
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()

    def sections(self, ident):
        """{currency: [opening, charges, credits, payments, ending]}"""
        return {
            item['charges']['currency_code']: [item[name]['amount'] for name in AMOUNTS]
            for item in self.statement(ident)['balance_sections']
        }

    def lines(self, ident):
        return {(line['type'], line['id']) for line in self.statement(ident)['statement_lines']}


@tagged('ramp_simulator')
class TestClosing(StatementsCase):
    def test_takes_what_moved_before_its_end_and_is_on_none_yet(self):
        bought, back = self.spend(10000, '2026-06-03T10:00:00Z'), self.spend(-2500, '2026-06-30T23:59:59+00:00')
        later = self.spend(700, '2026-07-01T00:00:00+00:00')
        self.ramp.update_transaction(later, date='2026-06-29T10:00:00Z', settlement_date='2026-07-01T00:00:00+00:00')
        yen = self.spend(5000, '2026-06-04T10:00:00Z', 'JPY', sync_status='NOT_SYNC_READY')
        pending = self.spend(1, '2026-06-04T10:00:00Z', state='PENDING', sync_status='NOT_SYNC_READY')
        credit = self.ramp.add_cashback(amount_minor=150, currency='USD', date='2026-06-20')
        paid = self.ramp.add_transfer(amount_minor=4000, currency='USD', date='2026-06-21')
        first = self.ramp.close_statement(JULY)
        self.assertEqual(self.sections(first), {'USD': [0, 10000, 2650, 4000, 3350], 'JPY': [0, 5000, 0, 0, 5000]})
        self.assertEqual(
            self.lines(first),
            {
                ('CARD_TRANSACTION', bought),
                ('CARD_TRANSACTION', back),
                ('CARD_TRANSACTION', yen),
                ('CASHBACK', credit),
                ('TRANSFER_PAYMENT', paid),
            },
        )
        row = self.statement(first)
        self.assertEqual(
            (row['start_date'], row['end_date']), ('2026-06-03T10:00:00+00:00', '2026-07-01T00:00:00+00:00')
        )
        self.assertNotIn('preceding_statement_id', row)
        self.assertEqual(
            row['ending_balance'], {'amount': 3350, 'currency_code': 'USD', 'minor_unit_conversion_rate': 100}
        )
        cleared = {line['id']: line.get('cleared_at') for line in row['statement_lines']}
        self.assertEqual(cleared[bought], '2026-06-03T10:00:00+00:00')
        self.assertIsNone(cleared[paid])
        self.assertEqual(set(self.ids('/transactions', statement_id=first)), {bought, back, yen})
        self.assertEqual(set(self.ids('/transactions', has_statement='false')), {later, pending})
        self.assertEqual(self.ids('/transfers', statement_id=first), [paid])
        self.assertEqual(self.ids('/cashbacks', statement_id=first), [credit])
        self.assertEqual(self.ids('/cashbacks', statement_id=NOBODY), [])

        self.ramp.update_transaction(
            pending, state='CLEARED', date='2026-06-10T10:00:00Z', settlement_date='2026-06-12T10:00:00Z'
        )
        second = self.ramp.close_statement(AUGUST, start='2026-07-01')
        self.assertEqual(self.sections(second), {'USD': [3350, 701, 0, 0, 4051], 'JPY': [5000, 0, 0, 0, 5000]})
        self.assertEqual(self.lines(second), {('CARD_TRANSACTION', later), ('CARD_TRANSACTION', pending)})
        row = self.statement(second)
        self.assertEqual((row['preceding_statement_id'], row['start_date']), (first, '2026-07-01T00:00:00+00:00'))
        ids = [item['id'] for ident in (first, second) for item in self.statement(ident)['balance_sections']]
        self.assertEqual(len(set(ids)), 4)

    def test_nothing_moved(self):
        ident = self.ramp.close_statement(JULY)
        row = self.statement(ident)
        self.assertEqual((row['balance_sections'], row['statement_lines'], row['charges']['amount']), ([], [], 0))

    def test_cashback_of_the_period(self):
        self.spend(10150, '2026-06-03T10:00:00Z')
        self.spend(-99, '2026-06-04T10:00:00Z')
        self.spend(-300, '2026-06-04T10:00:00Z', 'EUR')
        ident = self.ramp.close_statement(JULY, cashback_bps=150)
        self.assertEqual(self.sections(ident), {'USD': [0, 10150, 249, 0, 9901], 'EUR': [0, 0, 300, 0, -300]})
        [row] = self.client.every('/cashbacks')
        self.assertEqual(
            (row['amount']['amount'], row['sync_status'], row['created_at']),
            (150, 'SYNC_READY', '2026-06-30T23:59:59+00:00'),
        )
        self.assertIn(('CASHBACK', row['id']), self.lines(ident))

    def test_a_statement_ends_after_the_last_and_not_in_the_future(self):
        self.ramp.close_statement(JULY)
        for end in (JULY, '2026-06-01', '2026-08-16'):
            with self.assertRaises(ValueError):
                self.ramp.close_statement(end)
        with self.assertRaises(ValueError):
            self.ramp.close_statement(AUGUST, withhold='all')
        with self.assertRaises(TypeError):
            self.ramp.close_statement(AUGUST, ending=1)

    def test_a_transfer_returned_after_it_was_on_a_statement(self):
        self.spend(10000, '2026-05-03T10:00:00Z')
        self.ramp.close_statement('2026-06-01')
        transfer = self.ramp.add_transfer(currency='USD', date='2026-06-05')
        before = self.ramp.close_statement(JULY)
        self.assertEqual(self.sections(before)['USD'], [10000, 0, 0, 10000, 0])
        self.ramp.move_transfer(transfer, 'RETURNED_BY_RDFI', date='2026-07-08')
        self.spend(500, '2026-07-09T10:00:00Z')
        after = self.ramp.close_statement(AUGUST)
        self.assertEqual(self.sections(after)['USD'], [0, 500, 0, -10000, 10500])
        self.assertIn(('TRANSFER_PAYMENT', transfer), self.lines(after))
        self.assertEqual(self.sections(before)['USD'], [10000, 0, 0, 10000, 0])
        for ident in (before, after):
            self.assertEqual(self.ids('/transfers', statement_id=ident), [transfer])
        self.clock.forward(hours=1)
        # A transfer that comes and goes within a period leaves no line.
        self.ramp.move_transfer(transfer, 'COMPLETED', date='2026-08-02')
        self.ramp.move_transfer(transfer, 'CANCELED', date='2026-08-03')
        last = self.ramp.close_statement('2026-08-10')
        self.assertEqual((self.sections(last)['USD'], self.lines(last)), ([10500, 0, 0, 0, 10500], set()))

    def test_a_return_after_the_end_is_of_the_next(self):
        transfer = self.ramp.add_transfer(amount_minor=70, currency='USD', date='2026-06-28')
        self.ramp.move_transfer(transfer, 'ERROR', date='2026-07-02')
        self.assertEqual(self.sections(self.ramp.close_statement(JULY))['USD'], [0, 0, 0, 70, -70])
        self.assertEqual(self.sections(self.ramp.close_statement(AUGUST))['USD'], [-70, 0, 0, -70, 0])

    def test_told_before_or_after_what_is_on_it(self):
        bought = self.spend(10000, '2026-06-03T10:00:00Z')
        credit = self.ramp.add_cashback(amount_minor=150, date='2026-06-20')
        paid = self.ramp.add_transfer(amount_minor=150, date='2026-06-20')
        first = self.ramp.close_statement(JULY, withhold='lines')
        self.assertEqual(len(self.lines(first)), 3)
        objects = {'/transactions': bought, '/cashbacks': credit, '/transfers': paid}
        for path, ident in objects.items():
            self.assertEqual(self.ids(path), [])
            self.assertRefused(self.client.get(f'{path}/{ident}'), 404, 'DEVELOPER_7002')
        self.ramp.release_statement(first)
        for path, ident in objects.items():
            self.assertEqual(self.ids(path), [ident])
        late = self.spend(1, '2026-07-03T10:00:00Z')
        second = self.ramp.close_statement(AUGUST, withhold='statement')
        self.assertEqual(self.ids('/statements'), [first])
        self.assertRefused(self.client.get(f'/statements/{second}'), 404, 'DEVELOPER_7002')
        self.assertEqual(self.client.get(f'/transactions/{late}').json()['statement_id'], second)
        self.ramp.release_statement(second)
        self.assertEqual(self.ids('/statements'), [first, second])

    def test_made_wrong(self):
        self.spend(10000, '2026-06-03T10:00:00Z')
        other = self.spend(300, '2026-06-03T10:00:00Z', 'EUR')
        ident = self.ramp.close_statement(JULY)
        with self.assertRaises(ValueError):
            self.ramp.update_statement(ident, charges=1)
        section = next(
            item for item in self.statement(ident)['balance_sections'] if item['charges']['currency_code'] == 'USD'
        )
        self.ramp.update_statement(ident, section['id'], charges=9999, payments=-5)
        self.assertEqual(self.sections(ident)['USD'], [0, 9999, 0, -5, 10000])
        self.assertEqual(self.statement(ident)['charges']['amount'], 9999)
        self.assertEqual(self.sections(ident)['EUR'], [0, 300, 0, 0, 300])
        line = {'type': 'CASHBACK', 'id': NOBODY, 'created_at': '2026-06-03T10:00:00+00:00'}
        self.ramp.update_statement(ident, add_lines=[line], remove_lines=[other])
        self.assertIn(('CASHBACK', NOBODY), self.lines(ident))
        self.assertNotIn(('CARD_TRANSACTION', other), self.lines(ident))
        twice = self.ramp.state['statements'].rows[ident]['balance_sections'][:1] * 2
        self.ramp.update_statement(ident, balance_sections=twice)
        self.assertEqual(self.statement(ident)['balance_sections'], twice)
        with self.assertRaises(TypeError):
            self.ramp.update_statement(ident, section['id'], owed=1)

    def test_as_the_contracts_example(self):
        self.spend(10000, '2026-06-03T10:00:00Z')
        row = self.statement(self.ramp.close_statement(JULY, sparse=True))
        self.assertEqual(set(row['statement_lines'][0]), {'id', 'type'})
        self.assertEqual(row['balance_sections'][0]['charges'], {'amount': 10000, 'currency_code': 'USD'})
        self.assertEqual(row['payments'], {'amount': 0, 'currency_code': 'USD'})
        second = self.ramp.close_statement(AUGUST)
        self.assertEqual(self.sections(second)['USD'], [10000, 0, 0, 0, 10000])

    def test_the_file(self):
        self.spend(10000, '2026-06-03T10:00:00Z')
        ident = self.ramp.close_statement(JULY)
        link = self.statement(ident)['statement_url']
        self.assertIn('/files/statements/', link)
        answer = requests.get(link, timeout=20)
        self.assertEqual((answer.status_code, answer.headers['Content-Type']), (200, 'application/pdf'))
        self.assertTrue(answer.content.startswith(b'%PDF-1.4'))
        self.assertIn(b': 10000 USD', answer.content)
        self.assertEqual(self.client.every('/statements')[0]['statement_url'], link)
        self.clock.forward(hours=1, seconds=1)
        self.assertEqual(requests.get(link, timeout=20).status_code, 403)
        fresh = self.statement(ident)['statement_url']
        self.assertEqual(requests.get(fresh, timeout=20).content, answer.content)
        path = urlsplit(fresh)
        self.assertEqual(requests.get(self.ramp.url + path.path, timeout=20).status_code, 403)

    def test_list(self):
        ends = ('2026-05-01', '2026-06-01', JULY, AUGUST)
        idents = [self.ramp.close_statement(end) for end in ends]
        self.assertEqual(self.ids('/statements', page_size=2), idents)
        self.assertEqual(self.ids('/statements', from_date='2026-06-01T00:00:00Z'), idents[1:])
        self.assertEqual(self.ids('/statements', to_date='2026-06-01T00:00:00Z'), idents[:2])
        self.assertEqual(
            self.ids('/statements', from_date='2026-06-02T00:00:00Z', to_date='2026-07-31T00:00:00Z'), idents[2:3]
        )
        self.ramp.update_statement(idents[3], end_date='2026-08-16T00:00:00+00:00')
        self.assertEqual(self.ids('/statements'), idents[:3])
        self.assertEqual(self.ids('/statements', to_date='2026-08-17T00:00:00Z'), idents)
        self.assertRefused(self.client.get('/statements?from_date=yesterday'), 422, 'DEVELOPER_7001')
        self.assertRefused(self.client.get(f'/statements/{NOBODY}'), 404, 'DEVELOPER_7002')


@tagged('ramp_simulator')
class TestTransfers(StatementsCase):
    def test_ready_from_when_the_bank_accepts_it(self):
        ident = self.ramp.add_transfer(
            amount_minor=4000, currency='USD', status='INITIATED', date='2026-07-01T08:00:00Z'
        )
        seen = []
        for status in (
            'UPLOADED',
            'NOT_ACKED',
            'PROCESSING_BY_ODFI',
            'SUBMITTED_TO_FED',
            'SUBMITTED_TO_RDFI',
            'ACH_CONFIRMED',
            'COMPLETED',
        ):
            seen.append(self.client.get(f'/transfers/{ident}').json()['sync_status'])
            self.ramp.move_transfer(ident, status)
        self.assertEqual(Counter(seen), {'NOT_SYNC_READY': 3, 'SYNC_READY': 4})
        self.assertEqual(seen[2], 'NOT_SYNC_READY')
        [total] = self.ramp.owed_on_cards()
        self.assertEqual((total['payments_minor'], list(total['months'])), (4000, ['2026-07']))  # month of its creation
        for status in ('CANCELED', 'ERROR', 'NOT_ENOUGH_FUNDS', 'REJECTED_BY_ODFI', 'RETURNED_BY_RDFI'):
            self.ramp.move_transfer(ident, status)
            row = self.client.get(f'/transfers/{ident}').json()
            self.assertEqual((row['status'], row['sync_status']), (status, 'NOT_SYNC_READY'))
            self.assertEqual(self.ramp.owed_on_cards()[0]['owed_minor'], 0)
        nothing = self.ramp.add_transfer(amount_minor=0, status='UNNECESSARY')
        self.assertEqual(self.ids('/transfers', sync_status='SYNC_READY'), [])
        self.assertEqual(self.ids('/transfers', status='UNNECESSARY'), [nothing])

    def test_a_synced_one_stays_synced(self):
        ready, waiting = (
            self.ramp.add_transfer(amount_minor=1),
            self.ramp.add_transfer(amount_minor=1, status='INITIATED'),
        )
        self.assertRefused(self.send('TRANSFER_SYNC', ready, waiting), 422, 'DEVELOPER_7001')
        self.assertEqual(self.send('TRANSFER_SYNC', ready, error='No bank').status_code, 201)
        self.assertEqual(self.ramp.list_export_errors(ready), ['No bank'])
        self.assertEqual(self.send('TRANSFER_SYNC', ready).status_code, 201)
        self.assertEqual(
            (self.ramp.list_export_errors(ready), self.ramp.list_successes('TRANSFER_SYNC')),
            ([], {ready: [f'move-{ready}']}),
        )
        self.assertRefused(self.send('TRANSFER_SYNC', ready), 422, 'DEVELOPER_7001')
        self.ramp.move_transfer(ready, 'RETURNED_BY_RDFI')
        row = self.client.get(f'/transfers/{ready}').json()
        self.assertEqual((row['status'], row['sync_status']), ('RETURNED_BY_RDFI', 'SYNCED'))
        self.assertNotIn('synced_at', row)
        self.assertEqual(self.ids('/transfers', sync_status='SYNCED'), [ready])
        self.assertEqual(self.ids('/transfers', has_no_sync_commits='true'), [waiting])
        self.assertEqual(self.ids('/transfers', has_no_sync_commits='false'), [ready])
        self.assertEqual(self.ids('/transfers', has_no_sync_commits='false', sync_status='NOT_SYNC_READY'), [waiting])
        self.assertRefused(self.send('TRANSFER_SYNC', NOBODY), 422, 'DEVELOPER_7001')

    def test_pays_what_the_newest_statement_says(self):
        with self.assertRaises(TypeError):
            self.ramp.add_transfer(currency='EUR')
        self.spend(300, '2026-06-03T10:00:00Z', 'EUR')
        self.spend(-300, '2026-06-03T10:00:00Z', 'JPY')
        self.ramp.close_statement(JULY)
        euro, yen = self.ramp.add_transfer(currency='EUR'), self.ramp.add_transfer(entity=self.entity('JPY'))
        rows = {row['id']: row for row in self.client.every('/transfers')}
        self.assertEqual((rows[euro]['amount']['amount'], rows[euro]['entity_id']), (300, self.entity('EUR')))
        self.assertEqual(rows[yen]['amount'], {'amount': 0, 'currency_code': 'JPY', 'minor_unit_conversion_rate': 1})
        self.assertTrue(rows[euro]['payment_id'] and rows[euro]['bank_account_id'])
        with self.assertRaises(TypeError):
            self.ramp.add_transfer(amount_minor=1, amout=2)

    def test_list(self):
        days = ('2026-07-01', '2026-07-02', '2026-07-03')
        idents = [
            self.ramp.add_transfer(amount_minor=1, currency=currency, date=day)
            for day, currency in zip(days, ('USD', 'EUR', 'USD'))
        ]
        self.assertEqual(self.ids('/transfers', page_size=2), idents)
        self.assertEqual(self.ids('/transfers', entity_id=self.entity('EUR')), idents[1:2])
        self.assertEqual(self.ids('/transfers', from_date='2026-07-02T00:00:00Z'), idents[1:])
        self.assertEqual(self.ids('/transfers', to_date='2026-07-02T00:00:00Z'), idents[:2])
        self.assertEqual(self.ids('/transfers', statement_id=NOBODY), [])
        for wrong in ('status=LOST', 'sync_status=MAYBE', 'entity_id=1', 'from_date=x', 'has_no_sync_commits=2'):
            self.assertRefused(self.client.get(f'/transfers?{wrong}'), 422, 'DEVELOPER_7001')
        self.assertRefused(self.client.get(f'/transfers/{NOBODY}'), 404, 'DEVELOPER_7002')

    def test_a_status_of_next_year(self):
        ident = self.ramp.add_transfer(amount_minor=1)
        self.ramp.move_transfer(ident, 'TELEPORTED', broken=True)
        for row in (self.client.get(f'/transfers/{ident}').json(), self.client.every('/transfers')[0]):
            self.assertEqual((row['status'], row['sync_status']), ('TELEPORTED', 'NOT_SYNC_READY'))


@tagged('ramp_simulator')
class TestCashbacks(StatementsCase):
    def test_list_and_sync(self):
        ready = self.ramp.add_cashback(amount_minor=100, currency='EUR', date='2026-07-01')
        waiting = self.ramp.add_cashback(amount_minor=200, date='2026-07-02', ready=False)
        self.assertEqual(self.ids('/cashbacks'), [ready, waiting])
        row = self.client.get(f'/cashbacks/{ready}').json()
        self.assertEqual(
            (row['amount']['amount'], row['entity_id'], row['sync_status']), (100, self.entity('EUR'), 'SYNC_READY')
        )
        self.assertEqual(self.ids('/cashbacks', sync_ready='true'), [ready])
        self.assertEqual(self.ids('/cashbacks', sync_ready='false'), [ready, waiting])
        self.assertEqual(self.ids('/cashbacks', sync_ready='true', sync_status='NOT_SYNC_READY'), [waiting])
        self.assertEqual(self.ids('/cashbacks', entity_id=self.entity('USD')), [waiting])
        self.assertEqual(self.ids('/cashbacks', from_date='2026-07-02T00:00:00Z'), [waiting])
        self.assertEqual(self.ids('/cashbacks', to_date='2026-07-01T00:00:00Z'), [ready])
        self.assertRefused(self.send('STATEMENT_CREDIT_SYNC', waiting), 422, 'DEVELOPER_7001')
        self.assertRefused(self.send('TRANSFER_SYNC', ready), 422, 'DEVELOPER_7001')
        self.assertEqual(self.send('STATEMENT_CREDIT_SYNC', ready).status_code, 201)
        self.assertRefused(self.send('STATEMENT_CREDIT_SYNC', ready), 422, 'DEVELOPER_7001')
        self.assertEqual(self.ids('/cashbacks', sync_status='SYNCED'), [ready])
        self.assertRefused(self.client.get('/cashbacks?sync_status=MAYBE'), 422, 'DEVELOPER_7001')
        self.assertRefused(self.client.get(f'/cashbacks/{NOBODY}'), 404, 'DEVELOPER_7002')
        with self.assertRaises(TypeError):
            self.ramp.add_cashback(amount_minor=1, amout=2)


@tagged('ramp_simulator')
class TestScopes(StatementsCase):
    def test_each_has_its_own(self):
        for name in ('statements', 'transfers', 'cashbacks'):
            self.client.sign_in(f'{name}:read')
            for path in ('statements', 'transfers', 'cashbacks'):
                for answer in (self.client.get(f'/{path}'), self.client.get(f'/{path}/{NOBODY}')):
                    if path == name:
                        self.assertIn(answer.status_code, (200, 404))
                    else:
                        self.assertRefused(answer, 403, 'DEVELOPER_7100')


@tagged('ramp_simulator')
class TestScopesWithoutContract(TestScopes):
    options = {'validate': False}


@tagged('ramp_simulator')
class TestOwed(StatementsCase):
    def test_per_entity_currency_and_month(self):
        self.spend(10000, '2026-06-03T10:00:00Z')
        self.spend(-2500, '2026-07-03T10:00:00Z')
        self.spend(50, '2026-07-03T10:00:00Z', 'JPY')
        synced = self.spend(20, '2026-07-04T10:00:00Z', sync_status='SYNCED')
        self.ramp.add_cashback(amount_minor=100, date='2026-07-31T23:59:59Z')
        transfer = self.ramp.add_transfer(amount_minor=400, date='2026-07-31')
        self.ramp.move_transfer(transfer, 'RETURNED_BY_RDFI', date='2026-08-02')
        [total] = self.ramp.owed_on_cards(currency='USD')
        months = total.pop('months')
        self.assertEqual(
            total,
            {
                'entity_id': self.entity('USD'),
                'currency': 'USD',
                'charges_minor': 10020,
                'refunds_minor': 2500,
                'cashback_minor': 100,
                'payments_minor': 0,
                'owed_minor': 7420,
            },
        )
        self.assertEqual(
            {month: amounts['owed_minor'] for month, amounts in months.items()},
            {'2026-06': 10000, '2026-07': -2980, '2026-08': 400},
        )
        self.assertEqual(months['2026-08']['payments_minor'], -400)
        self.assertEqual(len(self.ramp.owed_on_cards()), 2)
        self.assertEqual([row['owed_minor'] for row in self.ramp.owed_on_cards(self.entity('JPY'))], [50])
        self.assertEqual([row['owed_minor'] for row in self.ramp.owed_on_cards(sync_status=['SYNCED'])], [20])
        self.assertEqual(
            [row['owed_minor'] for row in self.ramp.owed_on_cards(currency='USD', until='2026-07-04T10:00:00+00:00')],
            [7500],
        )
        self.assertTrue(synced)


@tagged('ramp_simulator')
class TestStatementAdministration(StatementsCase):
    def ask(self, method, path, **body):
        answer = self.client.request(method, f'/_simulator{path}', json=body)
        self.assertIn(answer.status_code, (200, 201), answer.text)
        return answer.json()

    def test_a_world_made_from_outside(self):
        self.spend(10000, '2026-06-03T10:00:00Z')
        credit = self.ask('POST', '/cashbacks', amount_minor=100, date='2026-06-04')
        row = self.ask('POST', '/statements', end=JULY, withhold='statement', cashback_bps=100)
        self.assertEqual(row['balance_sections'][0]['credits']['amount'], 200)
        self.assertEqual(self.ids('/statements'), [])
        self.ask('POST', f'/statements/{row["id"]}/release')
        self.assertEqual(self.ids('/statements'), [row['id']])
        self.ask(
            'PATCH',
            f'/statements/{row["id"]}',
            section=row['balance_sections'][0]['id'],
            charges=1,
            remove_lines=[credit['id']],
        )
        self.assertEqual(self.sections(row['id'])['USD'], [0, 1, 200, 0, 9800])
        transfer = self.ask('POST', '/transfers', currency='USD', status='INITIATED')
        self.assertEqual(transfer['amount']['amount'], 9800)
        moved = self.ask('PATCH', f'/transfers/{transfer["id"]}', status='COMPLETED', date='2026-08-01')
        self.assertEqual((moved['sync_status'], len(moved['_moves'])), ('SYNC_READY', 1))
        totals = self.ask('GET', '/owed-on-cards?currency=USD')['owed']
        self.assertEqual([(total['owed_minor'], total['payments_minor']) for total in totals], [(0, 9800)])
        self.assertEqual(self.ask('GET', '/owed-on-cards?sync_status=SYNCED')['owed'], [])
        for name in ('statements', 'transfers', 'cashbacks'):
            self.assertTrue(self.ask('GET', f'/{name}')['data'], name)
        self.assertEqual(self.ask('GET', '/transfers?status=ERROR')['data'], [])

    def test_mistakes_are_refused(self):
        for path, body in (
            ('/statements', {}),
            ('/statements', {'end': '2027-01-01'}),
            ('/transfers', {}),
            ('/cashbacks', {}),
        ):
            self.assertRefused(self.client.post(f'/_simulator{path}', json=body), 422, 'DEVELOPER_7001')
        self.assertRefused(
            self.client.patch(f'/_simulator/transfers/{NOBODY}', json={'status': 'ERROR'}), 404, 'DEVELOPER_7002'
        )


@tagged('ramp_simulator')
class TestSeededStatements(StatementsCase):
    seed = {'transactions': 300, 'months': 6, 'statements': True}
    options = {'rate_limit': 0}

    def test_every_answer_is_in_the_contract_and_no_more(self):
        judge = self.ramp.contract
        for path, name in (('/statements', 'Statement'), ('/transfers', 'Transfer'), ('/cashbacks', 'Cashback')):
            rows = self.client.every(path, page_size=100)
            self.assertGreater(len(rows), 4, path)
            for row in rows:
                self.assertEqual(set(self.client.get(f'{path}/{row["id"]}').json()), set(row))
                if judge:
                    validator = judge._provide_validator(
                        ('closed', name), {'$ref': f'#/components/schemas/{name}'}, closed=True
                    )
                    self.assertEqual([error.message for error in validator.iter_errors(row)], [], row)

    def test_sections_add_up_and_follow_each_other(self):
        ending, last, closed = {}, None, Counter()
        for row in self.client.every('/statements'):
            self.assertEqual(row.get('preceding_statement_id'), last)
            last = row['id']
            for section in row['balance_sections']:
                opening, charges, credits, payments, end = (section[name]['amount'] for name in AMOUNTS)
                key = section['entity_id'], section['charges']['currency_code']
                self.assertEqual(opening + charges - credits - payments, end)
                self.assertEqual(opening, ending.get(key, 0))
                ending[key] = end
                closed[key] = end
        open_ = Counter()
        for item in self.ramp.state['transactions']:
            if item['state'] == 'CLEARED' and 'statement_id' not in item:
                open_[item['entity_id'], item['_money']['currency']] += item['_money']['amount_minor']
        for row in self.ramp.state['transfers']:
            for move in row['_moves']:
                if not move['statement_id']:
                    open_[row['entity_id'], row['amount']['currency_code']] -= move['amount_minor']
        self.assertEqual(len(closed), 4)
        for total in self.ramp.owed_on_cards():
            key = total['entity_id'], total['currency']
            self.assertEqual(total['owed_minor'], closed[key] + open_[key])
            self.assertEqual(sum(month['owed_minor'] for month in total['months'].values()), total['owed_minor'])

    def test_all_cases_are_there(self):
        statuses = Counter(row['status'] for row in self.ramp.state['transfers'])
        self.assertLessEqual({'COMPLETED', 'RETURNED_BY_RDFI', 'NOT_ENOUGH_FUNDS'}, set(statuses))
        self.assertTrue(
            any(len({move['statement_id'] for move in row['_moves']}) == 2 for row in self.ramp.state['transfers'])
        )
        due = {
            (row['id'], item['entity_id']): item['ending_balance']['amount']
            for row in self.ramp.state['statements']
            for item in row['balance_sections']
        }
        paid = {row['amount']['amount'] for row in self.ramp.state['transfers']}
        self.assertTrue(paid - set(due.values()), 'one in part')
        self.assertTrue(paid & set(due.values()), 'one as a whole')
        rows = list(self.ramp.state['transfers'])
        for failed in (row for row in rows if row['status'] in ('RETURNED_BY_RDFI', 'NOT_ENOUGH_FUNDS')):
            again = [
                row
                for row in rows
                if row['status'] == 'COMPLETED'
                and row['created_at'] > failed['created_at']
                and (row['entity_id'], row['amount']) == (failed['entity_id'], failed['amount'])
            ]
            self.assertEqual(len(again), 1, failed)

    def test_the_same_every_time_and_the_rest_as_before(self):
        again = self.start(Seed(**self.seed))
        self.assertEqual(list(again.state['statements'].rows), list(self.ramp.state['statements'].rows))
        self.assertEqual(again.owed_on_cards(), self.ramp.owed_on_cards())
        without = self.start(Seed(**{**self.seed, 'statements': False}))
        self.assertFalse(
            len(without.state['statements']) + len(without.state['transfers']) + len(without.state['cashbacks'])
        )
        rows = copy.deepcopy(self.ramp.state['transactions'].rows)
        for row in rows.values():
            row.pop('statement_id', None)
        self.assertEqual(rows, without.state['transactions'].rows)

    def test_spend_goes_on(self):
        before = len(self.ramp.state['statements'])
        self.clock.forward(days=62)
        self.spend(10000, '2026-06-30T10:00:00Z')  # late, and it makes no statement of its own
        self.client.sign_in(' '.join(self.ramp.scopes))
        answer = self.client.post(
            '/_simulator/spend', json={'transactions': 20, 'months': 2, 'seed': 7, 'statements': True}
        )
        self.assertEqual(answer.status_code, 204, answer.text)
        self.assertEqual(len(self.ramp.state['statements']), before + 2)
        self.test_sections_add_up_and_follow_each_other()
