# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""What the pages of the set-up assistant say about Ramp and the books."""

from datetime import date, datetime, timezone
from unittest.mock import patch

from odoo import Command
from odoo.exceptions import UserError
from odoo.tests import tagged

from ..models.connection_constants import OPTIONAL_SCOPES
from ..wizard import ramp_setup_connect, ramp_setup_start
from .test_setup import SetupCase


@tagged('post_install', '-at_install', 'ramp')
class TestSetupRamp(SetupCase):
    def test_permissions(self):
        """Each feature is present or missing. What is missing is switched off, and a list to copy if it is used."""
        self.ramp.scopes = tuple(scope for scope in self.ramp.scopes if not scope.startswith(('bills', 'statements')))
        setup = self.go_to('features')
        levels = {line.feature: line.level for line in setup.feature_ids}
        self.assertEqual(
            {feature for feature, level in levels.items() if level == 'missing'}, {'pull_bills', 'pull_statements'}
        )
        self.assertEqual(levels.keys(), {'always', *OPTIONAL_SCOPES})
        self.assertFalse(setup.pull_bills or setup.pull_statements or setup.missing_scopes)
        self.assertTrue(setup.pull_reimbursements)
        setup.pull_bills = True
        self.assertEqual(setup.missing_scopes, 'bills:read')
        with self.assertRaisesRegex(UserError, 'Bills.*lacks the scopes bills:read.*or switch it off'):
            setup.action_next()
        self.ramp.scopes = (*self.ramp.scopes, 'bills:read')
        setup.action_ask_again()
        self.assertFalse(setup.missing_scopes)
        self.assertTrue(setup.pull_bills, 'what was chosen stays')
        setup.action_next()

    def test_permissions_that_are_always_needed(self):
        self.ramp.scopes = tuple(scope for scope in self.ramp.scopes if scope not in ('users:read', 'business:read'))
        setup = self.go_to('features')
        self.assertEqual(setup.missing_scopes, 'business:read users:read')
        with self.assertRaisesRegex(UserError, 'lacks the scopes business:read users:read'):
            setup.action_next()

    def test_holder(self):
        """The page says who has the integration: nobody, this database, or another system."""
        setup = self.go_to('integration')
        self.assertEqual((setup.holder_state, setup.ramp_business_name), ('free', 'Widget Works Inc.'))
        self.ramp.take_accounting_seat('QuickBooks')
        setup.action_ask_again()
        self.assertEqual((setup.holder_state, setup.holder_name), ('other', 'QuickBooks'))
        self.ramp.take_accounting_seat(self.env['ramp.connection']._seat_name(), 'API')
        setup.action_ask_again()
        self.assertEqual(setup.holder_state, 'own')

    def test_entities(self):
        """The entity in the currency of the books is proposed. Another currency, and several entities, are warned of."""
        setup = self.go_to('entity')
        self.assertEqual(setup.entity_ids.mapped('currency'), ['USD', 'EUR'])
        self.assertEqual((setup.entity_id.currency, setup.entity_warning), ('USD', False))
        self.assertRegex(setup.entity_id.display_name, r'\(USD, primary\)$')
        setup.entity_id = setup.entity_ids[1]
        self.assertRegex(setup.entity_warning, 'currency is not that of the books of Widget Works .USD')
        setup.entity_policy = 'every'
        self.assertRegex(setup.entity_warning, '(?s)2 entities would be posted in the books.*currency is not')
        setup.write({'entity_policy': 'one', 'entity_id': False})
        with self.assertRaisesRegex(UserError, 'Choose the Ramp Entity'):
            setup.action_next()

    def test_entity_of_another_connection(self):
        self.go_to('preview').action_connect()
        elsewhere = self.env['res.company'].create({'name': 'Elsewhere'})
        self.user.company_ids = [Command.link(elsewhere.id)]
        setup = self.begin(company_id=elsewhere.id)
        setup.action_next()
        self.assertEqual(setup.entity_id.currency, 'EUR', 'the other one is taken')
        self.assertNotIn('Another connection', setup.entity_warning)
        setup.entity_id = setup.entity_ids[0]
        self.assertIn(
            'Another connection of this database posts the same objects, in Widget Works', setup.entity_warning
        )

    def test_without_entities(self):
        self.ramp.faults.add_fault('server_error', '/entities', status=403)
        setup = self.go_to('entity')
        self.assertEqual((setup.entity_policy, setup.entity_ids.ids), ('every', []))
        self.go_to('books', setup)


@tagged('post_install', '-at_install', 'ramp')
class TestSetupBooks(SetupCase):
    def test_new_ones_have_numbers(self):
        setup = self.go_to('books')
        self.assertEqual(setup.new_card_journal, 'RAMP Ramp Cards')
        self.assertRegex(setup.new_card_account, r'^\d{6} Ramp Card Liability$')
        self.assertEqual(setup.bill_journal_id.type, 'purchase')
        self.assertEqual(setup.payment_journal_id.type, 'bank')
        self.assertFalse(setup.books_warning)
        setup.bill_journal_id = False
        self.assertRegex(setup.books_warning, 'no journal for: Bill Journal')

    def test_journal_of_ramp_is_proposed(self):
        """A journal for Ramp that is there already is proposed, unless another connection uses it."""
        account = self.env['account.account'].create(
            {
                'name': 'Owed to Ramp',
                'code': '201777',
                'account_type': 'liability_credit_card',
                'company_ids': [Command.set(self.company.ids)],
            }
        )
        other, own = self.env['account.journal'].create(
            [
                {
                    'name': name,
                    'code': code,
                    'type': 'credit',
                    'default_account_id': account.id,
                    'company_id': self.company.id,
                }
                for name, code in (('Visa', 'VISA'), ('My Ramp', 'MYR'))
            ]
        )
        setup = self.go_to('books')
        self.assertEqual((setup.card_journal_id, setup.new_card_journal), (own, False))
        self.env['ramp.connection'].create(
            {'company_id': self.company.id, 'card_journal_id': own.id, 'environment': 'sandbox'}
        )
        self.assertFalse(self.go_to('books').card_journal_id)

    def test_no_account_twice(self):
        """The account that was shown is created, also if the charts gives both accounts one beginning."""
        setup = self.go_to('preview')
        shown = setup.new_card_account
        setup.action_connect()
        account = setup.connection_id.card_account_id.with_company(self.company)
        self.assertEqual(f'{account.code} {account.name}', shown)


@tagged('post_install', '-at_install', 'ramp')
class TestSetupStart(SetupCase):
    def test_counts_by_month(self):
        """What is ready is counted and summed by month and currency, from the start date on."""
        for day, minor in (('2023-12-31', 900), ('2024-01-01', 1000), ('2024-01-31', 2050), ('2024-03-05', 4000)):
            self.spend(minor, date=f'{day}T12:00:00Z')
        self.owe(7500, date=datetime(2024, 2, 10, 12, tzinfo=timezone.utc))
        setup = self.go_to('start')
        self.assertEqual(
            {
                (row['month'], row['flow'], row['currency']): (row['count'], row['amount'])
                for row in setup.counts['ready']
            },
            {
                ('2024-01', 'transaction', 'USD'): (2, 30.5),
                ('2024-03', 'transaction', 'USD'): (1, 40.0),
                ('2024-02', 'bill', 'USD'): (1, 75.0),
            },
        )
        self.assertFalse(setup.counts['cut'] or setup.counts['troubles'] or setup.counts['synced'])
        self.assertIn('January 2024', str(setup.counts_page))
        self.assertIn('$\xa030.50', str(setup.counts_page))
        self.assertNotIn('At least', str(setup.counts_page))
        setup.start_date = '2024-02-01'
        self.assertEqual(setup.counted_from, date(2024, 1, 1))
        setup.action_count_again()
        self.assertEqual({row['month'] for row in setup.counts['ready']}, {'2024-02', '2024-03'})

    def test_exported_by_another_system(self):
        for number in range(3):
            ramp_id = self.spend(date='2024-02-03T12:00:00Z')
            if number:
                self.ramp.export_elsewhere('TRANSACTION_SYNC', ramp_id)
        setup = self.go_to('start')
        self.assertEqual(setup.counts['synced'], [{'flow': 'transaction', 'count': 2}])
        self.assertEqual([row['count'] for row in setup.counts['ready']], [1])

    def test_own_objects_are_not_of_another_system(self):
        """What this connection posted itself, before it was disconnected, is not counted."""
        setup = self.go_to('preview')
        setup.action_connect()
        self.connection = setup.connection_id
        own = self.spend(date='2024-02-03T12:00:00Z')
        self.sync()
        self.assertConfirmed(own)
        self.connection.with_user(self.user).action_disconnect()
        self.ramp.export_elsewhere('TRANSACTION_SYNC', self.spend(date='2024-02-04T12:00:00Z'))
        again = self.go_to('start', self.begin(connection_id=self.connection.id))
        self.assertEqual(again.counts['synced'], [{'flow': 'transaction', 'count': 1}])

    def test_long_lists_are_cut(self):
        """A list is read to a limit, and the page says that there is more."""
        for _number in range(102):
            self.spend(date='2024-02-03T12:00:00Z')
        with patch.object(ramp_setup_start, 'MOST_PAGES', 1):
            setup = self.go_to('start')
        self.assertEqual(setup.counts['cut'], ['transaction'])
        self.assertEqual([row['count'] for row in setup.counts['ready']], [100])
        self.assertIn('At least', str(setup.counts_page))
        setup.action_count_again()
        self.assertEqual(setup.counts['cut'], [])

    def test_trouble_of_one_list(self):
        """A list that fails does not hide the others."""
        self.spend(date='2024-02-03T12:00:00Z')
        self.ramp.faults.add_fault('server_error', '/bills', status=500)
        setup = self.go_to('start')
        self.assertEqual(set(setup.counts['troubles']), {'bill'})
        self.assertEqual([row['flow'] for row in setup.counts['ready']], ['transaction'])
        self.assertIn('could not be counted completely', str(setup.counts_page))

    def test_lock_dates(self):
        """The start date is proposed after the lock date. An earlier one is warned of."""
        self.company.fiscalyear_lock_date = '2024-06-30'
        setup = self.go_to('start')
        self.assertEqual((setup.start_date, setup.start_warning), (date(2024, 7, 1), False))
        self.assertIn('06/30/2024', setup.lock_text)
        setup.start_date = '2024-06-30'
        self.assertRegex(setup.start_warning, 'locked.*put on hold')
        setup.lock_date_policy = 'next_open'
        self.assertRegex(setup.start_warning, 'first open day')

    def test_what_the_books_have(self):
        setup = self.go_to('start')
        self.assertEqual((setup.first_entry_date, setup.opening_text[:4]), (False, 'None'))
        move = self.env['account.move'].create(
            {
                'date': '2023-11-05',
                'line_ids': [
                    Command.create({'account_id': self.account_meals.id, 'debit': amount, 'credit': -amount + 5})
                    if amount
                    else Command.create({'account_id': self.account_travel.id, 'credit': 5})
                    for amount in (5, 0)
                ],
            }
        )
        move.action_post()
        setup.invalidate_recordset()
        self.assertEqual(setup.first_entry_date, date(2023, 11, 5))

    def test_policy_is_asked_for(self):
        setup = self.go_to('start')
        setup.existing_policy = False
        with self.assertRaisesRegex(UserError, 'Statements and Vendor Credits in Ramp Already') as asked:
            setup.action_next()
        with self.assertRaises(UserError) as same:
            setup._draft_connection()._check_may_connect()
        self.assertEqual(str(asked.exception), str(same.exception), 'the assistant and Connect say the same')
        setup.write({'pull_bills': False, 'pull_statements': False})
        setup.action_next()


@tagged('post_install', '-at_install', 'ramp')
class TestSetupPreview(SetupCase):
    def test_preview_is_what_connect_posts(self):
        """The preview is the dry run of the connection that is not there yet."""
        good, bad = (
            self.spend(4200, date='2024-02-03T12:00:00Z'),
            self.spend(100, date='2024-02-04T12:00:00Z', account='no-such-account'),
        )
        setup = self.go_to('preview')
        with self.job_mode():
            setup.action_preview()
        self.assertEqual((setup.preview['counts']['posted'], setup.preview['counts']['held']), (1, 1))
        self.assertIn('1 of 2 objects', setup.preview_summary)
        self.assertIn('42.00', str(setup.preview_page))
        setup.action_connect()
        self.connection = setup.connection_id
        self.sync()
        self.assertConfirmed(good)
        self.assertEqual(self.record(bad).state, 'held')

    def test_trouble(self):
        """If Ramp does not answer, the page says so, and Connect stays possible."""
        setup = self.go_to('preview')
        self.ramp.faults.add_fault('server_error', '*', status=503)
        with self.job_mode():
            setup.action_preview()
        self.assertTrue(setup.preview_failure)
        self.assertFalse(setup.preview)

    def test_time_is_limited(self):
        self.spend(date='2024-02-03T12:00:00Z')
        setup = self.go_to('preview')
        with self.job_mode(), patch.object(ramp_setup_connect, 'PREVIEW_SECONDS', 1e-6):
            setup.action_preview()
        self.assertRegex(setup.preview_failure or setup.preview_message, 'took too long')
