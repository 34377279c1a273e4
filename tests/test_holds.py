# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from odoo.tests import tagged

from ..ramp_api import read_transaction
from ..simulator import coding
from .common import RampCase


@tagged('post_install', '-at_install', 'ramp')
class TestHolds(RampCase):
    """An object that cannot be posted is put on hold with a reason, which Ramp is told. It goes on when it is fixed,
    and delays no other object.
    """

    def setUp(self):
        super().setUp()
        self.good = self.spend(777)

    def check(self, ramp_id, pattern, fix):
        self.sync('transaction')
        self.assertHeld(ramp_id, pattern)
        self.assertConfirmed(self.good)
        calls = len(self.ramp.list_write_calls())
        self.sync('transaction')
        self.assertEqual(len(self.ramp.list_write_calls()), calls, 'Ramp is told a reason once')
        fix()
        self.sync('transaction', now=False)
        self.assertConfirmed(ramp_id)

    def test_uncoded(self):
        ramp_id = self.spend(account=None)
        self.check(
            ramp_id, 'no account', lambda: self.ramp.recode_transaction(ramp_id, self.external(self.account_travel))
        )
        self.assertEqual(self.entry(ramp_id)[0][0], '650002')

    def test_reason_is_told_again_after_one_of_which_nobody_knows_whether_it_was_heard(self):
        """If Ramp's answer to the second reason is lost and the first reason comes back, the first one is sent again,
        and Ramp shows it.
        """
        coding.add_gl_account(self.ramp.state, 'X-1', 'Nowhere', '699999')
        ramp_id = self.spend(account='X-1')
        self.sync('transaction')
        [first] = self.ramp.list_export_errors(ramp_id)
        self.ramp.recode_transaction(ramp_id, None)
        self.ramp.faults.add_fault('truncate', '/accounting/syncs', count=1)
        self.ramp.faults.add_fault('drop_before', '/accounting/syncs', skip=1)  # when the client tries again
        self.sync('transaction')
        self.ramp.faults.clear_faults()
        self.assertRegex(self.ramp.list_export_errors(ramp_id)[-1], 'no account')
        self.ramp.recode_transaction(ramp_id, 'X-1')
        self.sync('transaction')
        self.assertEqual(self.ramp.list_export_errors(ramp_id)[-1], first)
        calls = len(self.ramp.list_write_calls())
        self.sync('transaction')
        self.assertEqual(len(self.ramp.list_write_calls()), calls)

    def test_unknown_account(self):
        coding.add_gl_account(self.ramp.state, 'X-1', 'Nowhere', '699999')
        ramp_id = self.spend(account='X-1')
        self.check(
            ramp_id,
            'account "Nowhere" does not exist in Odoo',
            lambda: self.account_software.copy({'code': '699999', 'name': 'Nowhere'}),
        )

    def test_deleted_account(self):
        account = self.account_software.copy({'code': '699998', 'name': 'Short-lived'})
        external_id = self.external(account)
        coding.add_gl_account(self.ramp.state, external_id, 'Short-lived', '699998')
        account.unlink()
        ramp_id = self.spend(account=external_id)
        self.check(
            ramp_id,
            'account "Short-lived" was deleted in Odoo. .*press "Map"',
            lambda: self.ramp.recode_transaction(ramp_id, self.external(self.account_meals)),
        )

    def test_account_of_another_database(self):
        foreign = f'00000000-account-{self.account_meals.id}'
        coding.add_gl_account(self.ramp.state, foreign, 'Theirs')
        ramp_id = self.spend(account=foreign)
        self.check(
            ramp_id,
            'another Odoo database',
            lambda: self.ramp.recode_transaction(ramp_id, self.external(self.account_meals)),
        )

    def test_archived_account(self):
        ramp_id = self.spend(account=self.external(self.account_travel))
        self.account_travel.active = False
        self.check(ramp_id, '650002 Travel is archived', lambda: self.account_travel.write({'active': True}))

    def test_archived_analytic_account(self):
        ramp_id = self.spend(analytics=self.analytics(self.analytic_fair))
        self.analytic_fair.active = False
        self.check(ramp_id, 'Trade Fair is archived', lambda: self.analytic_fair.write({'active': True}))
        self.assertEqual(
            self.move(ramp_id).line_ids.sorted('id')[0].analytic_distribution, {str(self.analytic_fair.id): 100}
        )

    def test_foreign_option(self):
        self.ramp.state['options'].add_row(
            {
                **next(iter(self.ramp.state['options'])),
                'ramp_id': self.ramp.state.make_new_id(),
                'id': 'their-option',
                'value': 'Theirs',
            }
        )
        ramp_id = self.spend(analytics={self.external(self.plan): 'their-option'})
        self.check(
            ramp_id,
            'does not come from Odoo',
            lambda: self.ramp.update_transaction(
                ramp_id, lines=[{'amount_minor': 12345, 'account': self.external(self.account_meals)}]
            ),
        )

    def test_wrong_currency_on_a_line(self):
        line = {'amount_minor': 12345, 'account': self.external(self.account_meals)}
        ramp_id = self.spend(lines=[{**line, 'currency': 'EUR'}])
        self.check(ramp_id, 'EUR', lambda: self.ramp.update_transaction(ramp_id, lines=[line]))

    def test_inactive_currency(self):
        euro = self.env['res.currency'].search([('name', '=', 'EUR')])
        euro.active = False
        ramp_id = self.spend(currency='EUR')
        self.check(ramp_id, 'EUR is not active', lambda: euro.write({'active': True}))

    def test_currency_without_rate(self):
        yen = self.env['res.currency'].search([('name', '=', 'JPY')])
        yen.rate_ids.unlink()
        ramp_id = self.spend(currency='JPY')
        self.check(
            ramp_id,
            'no exchange rate for JPY',
            lambda: self.env['res.currency.rate'].create(
                {'currency_id': yen.id, 'name': '2020-01-01', 'rate': 150, 'company_id': self.company.id}
            ),
        )

    def test_currency_rounded_too_coarsely(self):
        dinar = self.env['res.currency'].search([('name', '=', 'KWD')])
        dinar.rounding = 0.01
        ramp_id = self.spend(currency='KWD')
        self.check(
            ramp_id,
            'rounds KWD to 0.01, so 12.345 KWD cannot be posted exactly',
            lambda: dinar.write({'rounding': 0.001}),
        )

    def test_sum_mismatch(self):
        line = {'account': self.external(self.account_meals)}
        ramp_id = self.spend(10000, lines=[{**line, 'amount_minor': 4000}, {**line, 'amount_minor': 5999}])
        self.check(
            ramp_id,
            '99.99.*100.00',
            lambda: self.ramp.update_transaction(
                ramp_id, lines=[{**line, 'amount_minor': 4000}, {**line, 'amount_minor': 6000}]
            ),
        )

    def test_no_card_journal(self):
        self.connection.card_journal_id = False
        ramp_id = self.spend()
        self.sync('transaction')
        self.assertHeld(ramp_id, 'has no card journal with a default account')

    def test_closed_period(self):
        ramp_id = self.spend(date='2026-01-15T12:00:00+00:00')
        self.company.fiscalyear_lock_date = '2026-01-31'
        self.check(
            ramp_id,
            'period is closed: 2026-01-15 .* 2026-01-31',
            lambda: self.company.write({'fiscalyear_lock_date': False}),
        )
        self.assertEqual(str(self.move(ramp_id).date), '2026-01-15')

    def test_closed_period_booked_on_the_first_open_day(self):
        ramp_id = self.spend(date='2026-01-15T12:00:00+00:00')
        self.company.fiscalyear_lock_date = '2026-01-31'
        self.connection.lock_date_policy = 'next_open'
        self.sync()
        self.assertConfirmed(ramp_id)
        self.assertEqual((str(self.move(ramp_id).date), str(self.expense(ramp_id).date)), ('2026-02-01', '2026-01-15'))

    def test_unknown_cardholder(self):
        self.employee.work_email = 'somebody.else@example.com'
        ramp_id = self.spend()
        self.good = self.spend(1, user=list(self.ramp.state['users'])[1]['id'])
        person = self.ramp.state['users'].get_row(self.user_id)
        self.check(
            ramp_id,
            f'cardholder {person["first_name"]}',
            lambda: self.employee.write({'work_email': person['email'].upper()}),
        )
        self.assertEqual(self.expense(ramp_id).employee_id, self.employee)

    def test_unknown_cardholder_with_a_fallback(self):
        self.employee.work_email = False
        self.connection.fallback_employee_id = self.employees[5]
        ramp_id = self.spend()
        self.sync()
        self.assertConfirmed(ramp_id)
        self.assertEqual(self.expense(ramp_id).employee_id, self.employees[5])

    def test_two_employees_of_one_address_are_nobody(self):
        twin = self.env['hr.employee'].create(
            {'name': 'Twin', 'work_email': self.employee.work_email, 'company_id': self.company.id}
        )
        ramp_id = self.spend()
        self.good = self.spend(1, user=list(self.ramp.state['users'])[1]['id'])
        self.check(ramp_id, 'cardholder', lambda: twin.write({'work_email': 'twin@example.com'}))

    def test_suspended_cardholder_is_found(self):
        self.ramp.state['users'].update_row(self.user_id, status='USER_SUSPENDED')
        ramp_id = self.spend()
        self.sync()
        self.assertConfirmed(ramp_id)

    def test_malformed(self):
        ramp_id = self.spend(broken=True)
        whole = dict(self.ramp.state['transactions'].get_row(ramp_id))
        self.ramp.state['transactions'].update_row(ramp_id, amount='a lot')
        self.check(
            ramp_id,
            'Amount: expected a number',
            lambda: self.ramp.state['transactions'].update_row(ramp_id, amount=whole['amount']),
        )

    def test_unknown_state(self):
        ramp_id = self.spend(state='REVERSED_BY_NETWORK', broken=True)
        self.check(
            ramp_id,
            "'REVERSED_BY_NETWORK' is not known",
            lambda: self.ramp.state['transactions'].update_row(ramp_id, state='CLEARED'),
        )

    def test_object_without_id_is_kept_and_goes_when_ramp_mends_it(self):
        ramp_id = self.spend(4242)
        self.ramp.faults.add_fault('malformed_object', path='/transactions', count=1, how='no_id')
        self.sync('transaction')
        broken = self.env['ramp.record'].search([('ramp_id', '=like', 'malformed-%')])
        self.assertLessEqual(len(broken), 1)
        self.sync('transaction')
        self.assertConfirmed(ramp_id)
        self.assertNotIn('held', self.env['ramp.record'].search([('ramp_id', '=like', 'malformed-%')]).mapped('state'))

    def test_no_longer_ready(self):
        ramp_id = self.spend(account=None)
        self.sync('transaction')
        self.ramp.update_transaction(ramp_id, sync_status='NOT_SYNC_READY')
        self.sync('transaction')
        self.assertEqual((self.record(ramp_id).state, self.record(ramp_id).is_withheld), ('pending', True))
        self.ramp.recode_transaction(ramp_id, self.external(self.account_meals))
        self.ramp.update_transaction(ramp_id, sync_status='SYNC_READY')
        self.sync('transaction')
        self.assertConfirmed(ramp_id)

    def test_no_longer_ready_and_back_unchanged(self):
        ramp_id = self.spend(analytics=self.analytics(self.analytic_fair))
        self.analytic_fair.active = False
        self.sync('transaction')
        self.ramp.update_transaction(ramp_id, sync_status='NOT_SYNC_READY')
        self.sync('transaction')
        self.assertEqual((self.record(ramp_id).state, self.record(ramp_id).is_withheld), ('pending', True))
        self.analytic_fair.active = True
        self.ramp.update_transaction(ramp_id, sync_status='SYNC_READY')
        self.sync('transaction')
        self.assertConfirmed(ramp_id)

    def test_exported_by_hand_in_ramp(self):
        ramp_id = self.spend(account=None)
        self.sync('transaction')
        self.ramp.update_transaction(ramp_id, sync_status='SYNCED')
        self.sync('transaction')
        record = self.record(ramp_id)
        self.assertEqual((record.state, record.is_withheld), ('held', True))
        self.assertIn('Another system', record.error_message)
        self.ramp.recode_transaction(ramp_id, self.external(self.account_meals))
        self.ramp.update_transaction(ramp_id, sync_status='SYNC_READY')
        self.sync('transaction')
        self.assertConfirmed(ramp_id)

    def test_ignored_by_a_person(self):
        ramp_id = self.spend(account=None)
        self.sync('transaction')
        wizard = self.env['ramp.record.ignore'].create(
            {'record_ids': self.record(ramp_id).ids, 'reason': 'Booked by hand'}
        )
        wizard.action_confirm()
        self.ramp.recode_transaction(ramp_id, self.external(self.account_meals))
        self.sync('transaction')
        self.assertEqual(self.record(ramp_id).state, 'ignored')
        self.assertFalse(self.move(ramp_id))
        self.assertIn('Booked by hand', self.ramp.list_export_errors(ramp_id)[-1])
        self.record(ramp_id).action_retry()
        self.sync('transaction')
        self.assertConfirmed(ramp_id)

    def test_texts_that_postgresql_does_not_take(self):
        ramp_id = self.spend(merchant='Nul\x00 and half a pair \ud83d', memo='\x00')
        self.sync('transaction')
        self.assertConfirmed(ramp_id)
        self.assertConfirmed(self.good)
        self.assertIn('\ufffd', self.record(ramp_id).payload['merchant_name'])

    def test_days_that_no_calendar_has(self):
        """A date that cannot be converted to the company's time zone puts its object on hold, and the others go on."""
        self.company.partner_id.tz = 'America/Los_Angeles'
        ramp_id = self.spend()
        self.ramp.state['transactions'].update_row(ramp_id, accounting_date='0001-01-01T01:00:00+00:00')
        self.sync('transaction')
        self.assertHeld(ramp_id, 'cannot be posted')
        self.assertConfirmed(self.good)

    def test_page_larger_than_asked_for(self):
        ids = [self.spend(100 + number) for number in range(30)]
        self.patch(type(self.env['ramp.flow.transaction']), '_batch_size', 7)
        self.sync('transaction')
        for ramp_id in ids:
            self.assertConfirmed(ramp_id)

    def test_branch_uses_the_accounts_of_its_parent(self):
        branch = self.env['res.company'].create({'name': 'Branch', 'parent_id': self.company.id})
        self.env.user.company_ids += branch
        found = self.env['ramp.coding']._look_up_selections(
            self.connection.new({'company_id': branch.id}),
            read_transaction(self.ramp.state['transactions'].get_row(self.good)).lines[0].selections,
        )
        coding = self.env['ramp.coding']._decode_selections(
            read_transaction(self.ramp.state['transactions'].get_row(self.good)).lines[0].selections, found
        )
        self.assertEqual(coding.account, self.account_meals)
