# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from .common import PayablesCase, StatementsCase


@tagged('post_install', '-at_install', 'ramp')
class TestTieOut(StatementsCase, PayablesCase):
    """The tie-out compares Ramp with the entries. It is zero if they agree, and names each difference."""

    def setUp(self):
        super().setUp()
        self.usd = self.env.ref('base.USD')
        self.connection.start_date = '2026-06-01'
        self.ramp_ids = [
            self.spend(minor, date=f'2026-07-{day:02}T12:00:00+00:00')
            for day, minor in enumerate((10000, 2500, -500), 3)
        ]

    def report(self, *months):
        self.env.flush_all()
        return self.env['report.ramp_connector.tie_out'].get_report(self.connection.id, *months)

    def section(self, *months, currency='USD'):
        [section] = [part for part in self.report(*months)['sections'] if part['currency']['name'] == currency]
        return section

    def month(self, label, currency='USD'):
        [month] = [month for month in self.section(currency=currency)['months'] if month['month'] == label]
        return month

    def assertNamed(self, label, kind, difference, pattern=''):
        """The month has one difference, of this kind and with this text, and the report is not zero."""
        month = self.month(label)
        found = [(item['kind'], item['difference']) for item in month['differences']]
        self.assertEqual(found, [(kind, difference)], month['differences'])
        self.assertRegex(month['differences'][0]['text'], pattern)
        self.assertAlmostEqual(sum(line['difference'] for line in month['lines'] if line['is_owed']), difference)
        self.assertFalse(month['is_zero'])
        self.assertFalse(self.report()['is_zero'])

    def test_zero(self):
        self.ramp.close_statement('2026-08-01', cashback_bps=150)
        self.ramp.add_transfer(amount_minor=5000, date='2026-08-05')
        self.sync_statements()
        report = self.report()
        self.assertTrue(report['is_zero'], report)
        july = self.month('2026-07')
        self.assertEqual(
            {line['measure']: (line['ramp'], line['odoo'], line['difference']) for line in july['lines']},
            {
                'spend': (125.0, 125.0, 0),
                'refund': (-5.0, -5.0, 0),
                'cashback': (-1.8, -1.8, 0),
                'payment': (0, 0, 0),
                'repayment': (0, 0, 0),
            },
        )
        self.assertEqual((july['opening']['ramp'], july['closing']['ramp'], july['closing']['odoo']), (0, 118.2, 118.2))
        self.assertEqual(self.section()['closing'], {'ramp': 68.2, 'odoo': 68.2, 'difference': 0, 'odd': 0})

    def test_not_ready(self):
        self.ramp.update_transaction(self.ramp_ids[1], sync_status='NOT_SYNC_READY')
        self.sync_statements()
        self.sync('watch')
        self.assertNamed('2026-07', 'withheld', 25.0, 'not marked as ready')

    def test_held(self):
        self.ramp.recode_transaction(self.ramp_ids[1], None)
        self.sync_statements()
        self.assertNamed('2026-07', 'held', 25.0, 'account')

    def test_edits(self):
        """Each kind of edit makes a difference of its own kind."""
        self.sync_statements()
        move = self.move(self.ramp_ids[0])
        card = move.line_ids.filtered(lambda line: line.account_id == self.connection.card_account_id)

        def amount():
            move.button_draft()
            move.write(
                {
                    'line_ids': [
                        (1, card.id, {'amount_currency': -90.0}),
                        (1, (move.line_ids - card).id, {'amount_currency': 90.0}),
                    ]
                }
            )
            move.action_post()

        def account():
            move.button_draft()
            card.account_id = self.account_travel
            move.action_post()

        def period():
            move.button_draft()
            move.write({'date': '2026-08-02', 'name': '/'})
            move.action_post()

        def cancel():
            move.button_draft()
            move.button_cancel()

        def delete():
            move.button_draft()
            move.with_context(force_delete=True).unlink()

        def reverse():
            move._reverse_moves([{'date': '2026-07-20'}], cancel=True)

        def by_hand():
            self.enter_by_hand('2026-07-09', 7.0, journal_id=self.connection.card_journal_id.id)

        for edit, kind, difference, pattern in (
            (amount, 'edited', 10.0, 'edited in Odoo'),
            (account, 'edited', 100.0, 'edited'),
            (period, 'period', 100.0, 'posted on'),
            (move.button_draft, 'draft', 100.0, 'draft'),
            (cancel, 'cancelled', 100.0, 'cancelled'),
            (delete, 'deleted', 100.0, 'deleted in Odoo by'),
            (reverse, 'reversed', 100.0, 'reversed in Odoo by'),
            (by_hand, 'manual', -7.0, 'There is no object in Ramp'),
        ):
            with self.subTest(edit=edit.__name__), self.env.cr.savepoint() as savepoint:
                edit()
                self.assertNamed('2026-07', kind, difference, pattern)
                savepoint.close(rollback=True)
            self.env.invalidate_all()
        self.assertTrue(self.report()['is_zero'])

    def test_two_that_cancel_each_other_out(self):
        """Two differences that cancel each other out are shown as two differences."""
        self.sync_statements()
        self.spend(700, account=None, date='2026-07-09T12:00:00+00:00')
        self.sync_statements()
        self.enter_by_hand('2026-07-09', 7.0, journal_id=self.connection.card_journal_id.id)
        month = self.month('2026-07')
        self.assertEqual(month['closing']['difference'], 0)
        self.assertFalse(month['is_zero'])
        self.assertEqual({item['kind'] for item in month['differences']}, {'held', 'manual'})

    def test_statement_and_payment_edited(self):
        statement = self.ramp.close_statement('2026-08-01', cashback_bps=150)
        transfer = self.ramp.add_transfer(amount_minor=5000, date='2026-08-05')
        self.sync_statements()
        with self.subTest('cashback'), self.env.cr.savepoint() as savepoint:
            self.bill(statement).button_draft()
            self.assertNamed('2026-07', 'draft', -1.8, 'draft')
            savepoint.close(rollback=True)
        self.env.invalidate_all()
        with self.subTest('payment'), self.env.cr.savepoint() as savepoint:
            self.payment(transfer).action_draft()
            self.assertNamed('2026-08', 'draft', -50.0, 'draft')
            savepoint.close(rollback=True)
        self.env.invalidate_all()
        with self.subTest('payment deleted'), self.env.cr.savepoint() as savepoint:
            self.payment(transfer).action_draft()
            self.payment(transfer).unlink()
            self.assertNamed('2026-08', 'deleted', -50.0, 'deleted')
            savepoint.close(rollback=True)

    def test_returned_payment_nets_out(self):
        transfer = self.ramp.add_transfer(amount_minor=5000, date='2026-08-05')
        self.sync_statements()
        self.ramp.move_transfer(transfer, 'RETURNED_BY_RDFI')
        self.sync_statements()
        self.assertTrue(self.report()['is_zero'])
        # The payment is in the month of the ledger until its return is known.
        [month] = [month for month in self.section()['months'] if month['month'] == '2026-08']
        [line] = [line for line in month['lines'] if line['measure'] == 'payment']
        self.assertEqual((line['ramp'], line['odoo'], month['is_zero']), (-50.0, -50.0, True))
        [month] = [
            month
            for month in self.section()['months']
            if month['month'] == f'{fields.Date.context_today(self.connection):%Y-%m}'
        ]
        [line] = [line for line in month['lines'] if line['measure'] == 'payment']
        self.assertEqual((line['ramp'], line['odoo'], month['closing']['difference']), (50.0, 50.0, 0.0))

    def test_return_that_somebody_booked_before(self):
        """A return that somebody posted in Odoo before is not posted again."""
        transfer = self.ramp.add_transfer(amount_minor=5000, date='2026-08-05')
        self.sync_statements()
        payment = self.env['account.payment'].search([('ramp_id', '=', transfer)])
        payment.move_id._reverse_moves([{'date': '2026-08-06'}], cancel=True)
        self.ramp.move_transfer(transfer, 'RETURNED_BY_RDFI')
        self.sync_statements()
        self.assertEqual(len(payment.move_id.reversal_move_ids), 1)
        self.assertTrue(self.report()['is_zero'])

    def test_return_that_was_booked_twice(self):
        transfer = self.ramp.add_transfer(amount_minor=5000, date='2026-08-05')
        self.sync_statements()
        payment = self.env['account.payment'].search([('ramp_id', '=', transfer)])
        self.ramp.move_transfer(transfer, 'RETURNED_BY_RDFI')
        self.sync_statements()
        self.assertTrue(self.report()['is_zero'])
        payment.move_id._reverse_moves([{'date': '2026-08-06'}]).action_post()
        self.assertFalse(self.report()['is_zero'])

    def test_payment_reversed_by_hand(self):
        """A payment that is reversed by hand in Odoo is a difference, because Ramp does not know of it."""
        transfer = self.ramp.add_transfer(amount_minor=5000, date='2026-08-05')
        self.sync_statements()
        payment = self.env['account.payment'].search([('ramp_id', '=', transfer)])
        payment.move_id._reverse_moves([{'date': '2026-08-06'}], cancel=True)
        self.assertFalse(self.report()['is_zero'])

    def test_owed_before_the_start(self):
        self.spend(40000, date='2026-05-05T12:00:00+00:00')
        self.ramp.close_statement('2026-06-01')
        self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        section = self.section()
        self.assertEqual(section['start'], {'ramp': 400.0, 'odoo': 0, 'difference': 400.0, 'odd': 1})
        self.assertFalse(section['is_zero'])
        self.enter_by_hand('2026-05-31', 400.0)
        self.assertTrue(self.report()['is_zero'])

    def test_entered_on_the_first_day(self):
        """An entry of the start date belongs to its month, and not to what was owed before."""
        self.sync_statements()
        self.enter_by_hand('2026-06-01', 400.0)
        section = self.section()
        self.assertEqual((section['start']['odoo'], section['closing']['odoo']), (0.0, 520.0))
        self.enter_by_hand('2026-05-31', 30.0)
        section = self.section()
        self.assertEqual((section['start']['odoo'], section['closing']['odoo']), (30.0, 550.0))

    def test_entities_of_one_currency(self):
        """What was entered by hand belongs to the only entity of its currency, and to none if there are several. The
        journal items of an entity are its own, and those entered by hand.
        """
        Report = self.env['report.ramp_connector.tie_out']
        other = list(self.ramp.state['entities'])[1]['id']
        self.sync_statements()
        self.enter_by_hand('2026-07-20', 40.0)
        self.assertEqual(self.section()['closing']['odoo'], 160.0)
        self.spend(3000, entity=other, currency='USD', date='2026-07-06T12:00:00+00:00')
        self.sync_statements()
        owed = {section['entity']: section['closing']['odoo'] for section in self.report()['sections']}
        self.assertEqual(owed, {self.primary: 120.0, other: 30.0, None: 40.0})
        for entity, amount in ((self.primary, -160.0), (other, -70.0), (None, -190.0)):
            action = Report.open_items(self.connection.id, 'odoo', self.usd.id, '2026-07', entity=entity)
            lines = self.env[action['res_model']].search(action['domain'])
            self.assertEqual(round(sum(lines.mapped('amount_currency')), 2), amount)

    def test_currencies_of_entities(self):
        for entity in list(self.ramp.state['entities'])[1:]:
            self.spend(1000, entity=entity['id'], currency=entity['currency'], date='2026-07-05T12:00:00+00:00')
        self.sync_statements()
        self.sync('watch')
        report = self.report()
        self.assertTrue(report['is_zero'])
        self.assertEqual(len(report['sections']), len(self.ramp.state['entities']))
        self.assertEqual(
            {section['entity_name'] for section in report['sections']},
            {entity['entity_name'] for entity in self.ramp.state['entities']},
        )

    def test_range_of_months(self):
        self.spend(900, date='2026-09-05T12:00:00+00:00')
        self.sync_statements()
        section = self.section('2026-08', '2026-09')
        self.assertEqual([month['month'] for month in section['months']], ['2026-08', '2026-09'])
        self.assertEqual((section['opening']['ramp'], section['closing']['ramp']), (120.0, 129.0))
        self.assertEqual([line['ramp'] for line in section['lines'] if line['measure'] == 'spend'], [9.0])

    def test_months_before_the_start(self):
        """A range that begins before the start date is shown from the month of that date on."""
        self.sync_statements()
        report = self.report('2026-01', '2026-07')
        self.assertEqual((report['period']['from'], report['period']['to']), ('2026-06', '2026-07'))
        [section] = report['sections']
        self.assertEqual([month['month'] for month in section['months']], ['2026-06', '2026-07'])

    def test_start_within_a_statement(self):
        """What the first statement shows of the days before the start date was owed then: spend less payments."""
        self.connection.start_date = '2026-06-10'
        self.spend(40000, date='2026-06-05T12:00:00+00:00')
        self.ramp.add_transfer(amount_minor=15000, date='2026-06-08')
        self.spend(700, date='2026-06-10T12:00:00+00:00')
        self.ramp.close_statement('2026-07-01')
        self.sync_statements()
        self.assertEqual(self.section()['start']['ramp'], 250.0)

    def test_every_year_that_there_is(self):
        """Any range of months shows at most the possible months, and earlier amounts are in the opening balance."""
        self.sync_statements()
        whole = self.section()
        for first, last in (('0001-01', '9999-12'), ('0001-01', '0001-01'), ('9999-01', '9999-12')):
            with self.subTest(first=first, last=last):
                self.assertLessEqual(
                    max((len(section['months']) for section in self.report(first, last)['sections']), default=0), 240
                )
        self.assertEqual(self.section('0001-01', '9999-12')['closing'], whole['closing'])
        self.connection.start_date = '0001-01-01'
        section = self.section('0001-01', '9999-12')
        self.assertEqual((len(section['months']), section['closing']), (240, whole['closing']))

    def test_drill(self):
        statement = self.ramp.close_statement('2026-08-01', cashback_bps=150)
        self.ramp.add_transfer(amount_minor=5000, date='2026-08-05')
        self.sync_statements()
        Report = self.env['report.ramp_connector.tie_out']
        for month, measure, amount, count in (
            ('2026-07', 'spend', -125.0, 2),
            ('2026-07', 'refund', 5.0, 1),
            ('2026-08', 'payment', 50.0, 1),
            (None, None, -68.2, None),
        ):
            with self.subTest(measure=measure):
                action = Report.open_items(self.connection.id, 'odoo', self.usd.id, month, measure)
                lines = self.env[action['res_model']].search(action['domain'])
                self.assertAlmostEqual(sum(lines.mapped('amount_currency')), amount)
                action = Report.open_items(self.connection.id, 'ramp', self.usd.id, month, measure)
                records = self.env[action['res_model']].search(action['domain'])
                if count:
                    self.assertEqual(len(records), count)
        [cashback] = self.ramp.state['cashbacks']
        records = self.env['ramp.record'].search(
            Report.open_items(self.connection.id, 'ramp', self.usd.id, '2026-07', 'cashback')['domain']
        )
        self.assertEqual(records.ramp_id, cashback['id'])
        lines = self.env['account.move.line'].search(
            Report.open_items(self.connection.id, 'odoo', self.usd.id, '2026-07', 'cashback')['domain']
        )
        self.assertEqual((lines.move_id, round(sum(lines.mapped('amount_currency')), 2)), (self.bill(statement), 1.8))

    def test_pivot(self):
        self.sync_statements()
        self.env.flush_all()
        [(ramp, odoo, difference)] = self.env['ramp.tie.out']._read_group(
            [('connection_id', '=', self.connection.id), ('measure', '=', 'spend')],
            [],
            ['ramp_amount:sum', 'odoo_amount:sum', 'difference:sum'],
        )
        self.assertEqual((ramp, odoo, difference), (125.0, 125.0, 0))

    def test_rates(self):
        """Amounts in other currencies are shown at Odoo's rates and as posted. Refunds do not compensate for bills."""
        self.assertEqual(self.report()['rates']['rows'], [])
        EUR = {'currency': 'EUR', 'date': '2026-07-04T12:00:00+00:00'}
        self.spend(8000, **EUR)
        self.spend(-4000, **EUR)
        euro = self.env.ref('base.EUR')
        self.env['res.currency.rate'].create(
            {'currency_id': euro.id, 'name': '2026-07-10', 'rate': 0.5, 'company_id': self.company.id}
        )
        self.connection.rate_tolerance = 90
        self.connection.pull_bills = True
        self.owe(1000, currency='EUR', date='2026-07-12', fx_conversion_rate='2.2')
        self.sync('transaction', 'vendor', 'bill')
        [row] = self.report()['rates']['rows']
        # 120 at 1 / 0.8, 10 at 1 / 0.5; the bill at Ramp's 2.2, 10 % off.
        self.assertEqual(
            (row['code'], row['amount'], row['ramp'], row['odoo'], row['difference']),
            ('EUR', 130.0, 170.0, 172.0, -2.0),
        )
        self.assertAlmostEqual(row['percent'], 2 / 170 * 100, 5)
        self.assertEqual((row['odd'], self.report()['rates']['is_zero']), (0, True))
        [row] = self.report('2026-08')['rates']['rows'] or [None]
        self.assertIsNone(row)
        self.connection.rate_tolerance = 9
        report = self.report()
        self.assertEqual(
            (report['rates']['rows'][0]['odd'], report['rates']['is_zero'], report['is_zero']),
            (1, False, False),
            'the bill alone is too far off, though all of them are not',
        )
        self.env['res.currency.rate'].search([('currency_id', '=', euro.id), ('name', '<', '2026-07-10')]).unlink()
        [row] = self.report()['rates']['rows']
        self.assertEqual((row['amount'], row['ramp'], row['odoo'], row['unknown']), (10.0, 20.0, 22.0, 2))
        self.connection.rate_tolerance = 0
        self.env['res.currency.rate'].search([('currency_id', '=', euro.id)]).write({'rate': 1 / 2.2})
        self.assertTrue(self.report()['rates']['is_zero'], 'a cent is rounding')

    def test_access(self):
        self.sync_statements()
        other = self.env['res.company'].create({'name': 'Elsewhere'})
        Report = self.env['report.ramp_connector.tie_out']
        accountant = new_test_user(
            self.env,
            'tie_accountant',
            'account.group_account_readonly',
            company_id=self.company.id,
            company_ids=[(6, 0, self.company.ids)],
        )
        self.assertTrue(Report.with_user(accountant).get_report(self.connection.id)['sections'])
        for login, groups, company in (
            ('tie_employee', 'base.group_user', self.company),
            ('tie_other', 'account.group_account_readonly', other),
        ):
            user = new_test_user(self.env, login, groups, company_id=company.id, company_ids=[(6, 0, company.ids)])
            for call in (
                lambda report: report.get_report(self.connection.id),
                lambda report: report.open_items(self.connection.id, 'odoo', self.usd.id),
            ):
                with self.subTest(login=login), self.assertRaises(AccessError):
                    call(Report.with_user(user).with_context(allowed_company_ids=company.ids))

    def test_queries_do_not_grow(self):
        self.sync_statements()
        self.report()
        self.env.invalidate_all()
        with self.assertQueryCount(40):
            self.report()
        for day in range(1, 20):
            self.spend(100 * day, date=f'2026-08-{day:02}T12:00:00+00:00')
        self.sync_statements()
        self.env.invalidate_all()
        with self.assertQueryCount(40):
            self.report()
