# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import Counter
from decimal import Decimal

from odoo import Command
from odoo.tests import new_test_user, tagged

from ..flows.reimbursements.reimbursement import DEAD, UNAPPROVED
from ..ramp_api import REIMBURSEMENT_PAID_STATES, REIMBURSEMENT_STATES
from .common import PayablesCase
from .properties import in_turn
from .test_query_counts import QueryCounting

FEW, MANY = 4, 12


class ReimbursementCase(PayablesCase):
    flows = ('reimbursement', 'reimbursement_payment')

    seed = {
        'transactions': 0,
        'users': [
            {'first_name': 'Dwight', 'last_name': 'Schrute', 'email': 'dwight@example.com'},
            {'first_name': 'Pam', 'last_name': 'Beesly', 'email': 'pam@example.com'},
        ],
    }

    def setUp(self):
        super().setUp()
        self.users = list(self.ramp.state['users'])
        self.dwight, self.pam = self.employees

    def claim(self, amount_minor=10000, **values):
        """Add a reimbursement that is ready and not paid; returns its Ramp id."""
        values.setdefault('user', self.user_id)
        values.setdefault('entity', self.primary)
        if 'lines' not in values:
            values.setdefault('account', self.external(self.account_meals))
        return self.ramp.add_reimbursement(amount_minor=amount_minor, **values)

    def paid(self, amount_minor=10000, **values):
        return self.claim(amount_minor, **{'state': 'REIMBURSED', **values})

    def payments(self, *ramp_ids):
        rows = self.env['ramp.record'].search([('flow', '=', 'reimbursement_payment'), ('ramp_id', 'in', ramp_ids)])
        return self.env['account.payment'].browse(
            {note['id'] for row in rows for note in (row.noted or {}).get('parts', {}).values()}
        )

    def assertBooked(self, ramp_id, flow='reimbursement', sync_type='REIMBURSEMENT_SYNC'):
        result = super().assertBooked(ramp_id, flow, sync_type)
        self.assertEqual(self.ramp.state['reimbursements'].get_row(ramp_id)['sync_status'], 'SYNCED')
        return result

    def assertPaid(self, ramp_id):
        self.assertBooked(ramp_id)
        self.assertEqual((self.move(ramp_id).amount_residual, self.move(ramp_id).payment_state), (0, 'in_payment'))
        row = self.record(ramp_id, 'reimbursement_payment')
        self.assertEqual((row.state, row.res_model), ('confirmed', 'account.payment'), row.error_message)

    def assertOpen(self, ramp_id, state, pattern, flow='reimbursement'):
        record = self.record(ramp_id, flow)
        self.assertEqual(record.state, state, record.error_message)
        self.assertRegex(record.error_message, pattern)
        if flow == 'reimbursement':
            self.assertFalse(self.move(ramp_id))

    def later(self, ramp_id):
        """Let an hour pass since the confirmation, because Ramp's list may be out of date in the same minute."""
        self.record(ramp_id, 'reimbursement').confirmed_at = '2020-01-01'


@tagged('post_install', '-at_install', 'ramp')
class TestReimbursement(ReimbursementCase):
    def test_paid(self):
        ramp_id = self.claim(
            12345,
            date='2026-03-04',
            memo='Airfare',
            merchant='Delta Airlines',
            attendees=[{'name': 'Jack <b>Johnson</b>', 'user_id': None}],
            accounting_date='2026-03-06T03:00:00Z',
        )
        self.company.partner_id.tz = 'America/New_York'
        self.ramp.pay_reimbursement(ramp_id, date='2026-03-20T02:00:00Z')
        self.sync_payables()
        self.assertPaid(ramp_id)
        bill = self.move(ramp_id)
        self.assertEqual(
            (bill.move_type, bill.partner_id, bill.journal_id),
            ('in_invoice', self.dwight.work_contact_id, self.connection.bill_journal_id),
        )
        self.assertEqual(
            (str(bill.invoice_date), str(bill.date), str(bill.invoice_date_due)),
            ('2026-03-04', '2026-03-05', '2026-03-19'),
        )
        self.assertEqual(bill.ref, f'Delta Airlines 2026-03-04 {ramp_id[:8]}')
        self.assertEqual(bill.invoice_line_ids.mapped('name'), ['Delta Airlines: Airfare'])
        for text in ('Airfare', 'Delta Airlines', 'Attendees: Jack &lt;b&gt;Johnson&lt;/b&gt;'):
            self.assertIn(text, bill.narration)
        self.assertEqual(
            self.entry(ramp_id),
            [
                ('650001', Decimal('123.45'), Decimal('123.45')),
                (self.payable(), Decimal('-123.45'), Decimal('-123.45')),
            ],
        )
        payment = self.payments(ramp_id)
        self.assertEqual(
            (payment.amount, payment.payment_type, payment.partner_id, str(payment.date)),
            (123.45, 'outbound', self.dwight.work_contact_id, '2026-03-19'),
        )
        self.assertEqual(payment.journal_id, self.connection.payment_journal_id)
        self.assertEqual(self.record(ramp_id, 'reimbursement').name, 'Dwight Schrute: Delta Airlines')
        self.assertEqual(self.dwight.ramp_user_id, self.user_id)
        self.ramp.assert_clean()

    def test_paid_back_by_the_employee(self):
        ramp_id = self.paid(
            5000,
            type='PAYBACK_FULL',
            lines=[
                {'amount_minor': 2000, 'account': self.external(self.account_meals)},
                {'amount_minor': 3000, 'account': self.external(self.account_travel)},
            ],
        )
        self.sync_payables()
        self.assertPaid(ramp_id)
        bill = self.move(ramp_id)
        self.assertEqual((bill.move_type, bill.amount_total), ('in_refund', 50.0))
        self.assertEqual(
            self.entry(ramp_id)[:2],
            [('650001', Decimal('-20.0'), Decimal('-20.0')), ('650002', Decimal('-30.0'), Decimal('-30.0'))],
        )
        self.assertEqual((self.payments(ramp_id).payment_type, self.payments(ramp_id).amount), ('inbound', 50.0))
        self.assertEqual(self.record(ramp_id, 'reimbursement').amount, -50.0)

    def test_unpaid_waits_under_the_policy_paid(self):
        ramp_id = self.claim(state='MISSING_ACH')
        self.sync_payables()
        self.assertOpen(ramp_id, 'pending', 'no bank account in Ramp')
        self.assertFalse(self.record(ramp_id, 'reimbursement_payment'))
        self.ramp.pay_reimbursement(ramp_id)
        self.sync_payables()
        self.assertPaid(ramp_id)

    def test_unpaid_is_booked_under_the_policy_ready(self):
        self.connection.reimbursement_policy = 'ready'
        ramp_id = self.claim(state='AWAITING_PAYMENT')
        self.sync_payables()
        self.assertBooked(ramp_id)
        self.assertEqual((self.move(ramp_id).amount_residual, self.move(ramp_id).payment_state), (100.0, 'not_paid'))
        self.assertFalse(self.record(ramp_id, 'reimbursement_payment'))
        self.ramp.pay_reimbursement(ramp_id)
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.assertEqual(len(self.ramp.list_successes('REIMBURSEMENT_SYNC')[ramp_id]), 1)

    def test_every_state_is_decided(self):
        for policy, booked in (
            ('paid', REIMBURSEMENT_PAID_STATES),
            ('ready', REIMBURSEMENT_STATES - DEAD - UNAPPROVED),
        ):
            self.connection.reimbursement_policy = policy
            claims = {state: self.claim(state=state) for state in sorted(REIMBURSEMENT_STATES)}
            self.sync_payables()
            for state, ramp_id in claims.items():
                with self.subTest(policy=policy, state=state):
                    if state in booked:
                        self.assertBooked(ramp_id)
                    else:
                        self.assertOpen(ramp_id, 'ignored' if state in DEAD else 'pending', r'^[A-Z].*\.$')
        unknown = self.claim(state='LOST_AT_SEA', broken=True)
        self.sync_payables()
        self.assertOpen(unknown, 'held', 'LOST_AT_SEA')

    def test_states_by_name(self):
        """What is withdrawn is left out, and what is not approved waits. The states are written here once more on
        purpose.
        """
        self.connection.reimbursement_policy = 'ready'
        wanted = {
            **dict.fromkeys(('CANCELED', 'DELETED', 'REJECTED'), 'ignored'),
            **dict.fromkeys(('DRAFT', 'INIT', 'PENDING'), 'pending'),
        }
        claims = {state: self.claim(state=state) for state in wanted}
        self.sync_payables()
        for state, ramp_id in claims.items():
            with self.subTest(state):
                self.assertOpen(ramp_id, wanted[state], r'^It .* in Ramp')

    def test_drafts(self):
        self.connection.reimbursement_post = 'draft'
        ramp_id = self.paid()
        self.sync_payables()
        self.assertEqual(self.move(ramp_id).state, 'draft')
        self.assertEqual(self.record(ramp_id, 'reimbursement').state, 'confirmed')
        self.assertOpen(ramp_id, 'pending', 'Post it', 'reimbursement_payment')
        self.move(ramp_id).action_post()
        self.sync_payables()
        self.assertPaid(ramp_id)

    def test_before_the_start_date(self):
        self.connection.start_date = '2026-03-01'
        ramp_id = self.paid(date='2026-02-27', created_at='2026-03-02T00:00:00+00:00')
        self.sync_payables()
        self.assertOpen(ramp_id, 'ignored', '2026-02-27, before the start date')
        self.sync_payables()
        self.assertOpen(ramp_id, 'ignored', 'left out of the books: It was spent on', 'reimbursement_payment')
        self.connection.start_date = '2026-02-01'
        self.sync_payables()
        self.sync_payables()
        self.assertPaid(ramp_id)

    def test_closed_period(self):
        self.company.fiscalyear_lock_date = '2026-03-31'
        ramp_id = self.paid(date='2026-03-04')
        self.sync_payables()
        self.assertOpen(ramp_id, 'held', 'period is closed')
        self.connection.lock_date_policy = 'next_open'
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.assertEqual(
            (str(self.move(ramp_id).date), str(self.move(ramp_id).invoice_date)), ('2026-04-01', '2026-03-04')
        )

    def test_batch_is_one_payment_for_each_employee(self):
        mine = [self.claim(1000 + number) for number in range(3)]
        hers = self.claim(5000, user=self.users[1]['id'])
        alone = self.claim(700)
        self.ramp.pay_reimbursement([*mine, hers])
        self.ramp.pay_reimbursement(alone)
        self.sync_payables()
        for ramp_id in (*mine, hers, alone):
            self.assertPaid(ramp_id)
        self.assertEqual(self.payments(*mine).mapped('amount'), [30.03])
        self.assertEqual(self.payments(hers).mapped('amount'), [50.0])
        self.assertEqual(len(self.payments(*mine, hers, alone)), 3)

    @in_turn
    def test_two_employees_of_one_contact(self):
        """The bank shows a transfer for each of them, so each has a payment of their own."""
        self.pam.work_contact_id = self.dwight.work_contact_id
        his, hers = self.claim(1000), self.claim(2000, user=self.users[1]['id'])
        self.ramp.pay_reimbursement([his, hers])
        self.sync_payables()
        for ramp_id, amount in ((his, 10.0), (hers, 20.0)):
            self.assertPaid(ramp_id)
            self.assertEqual(self.payments(ramp_id).mapped('amount'), [amount])

    def test_by_payment_id_where_there_is_no_batch(self):
        claims = [
            self.claim(
                1000, state='REIMBURSED', payment_id='NDPHKHCN6G', payment_processed_at='2026-03-04T00:00:00+00:00'
            )
            for _number in range(2)
        ]
        self.sync_payables()
        self.assertEqual(self.payments(*claims).mapped('amount'), [20.0])
        nameless = self.claim(500, state='REIMBURSED', payment_processed_at='2026-03-04T00:00:00+00:00')
        self.sync_payables()
        before = self.payments(claims[0]), self.payments(nameless)
        # These changes are no reason to pay them again.
        self.ramp.update_reimbursement(claims[0], payment_batch_id=None, payment_id=None)
        self.ramp.update_reimbursement(nameless, payment_id='NDPHKHCN6H')
        self.sync_payables()
        self.assertPaid(claims[0])
        self.assertPaid(nameless)
        self.assertEqual((self.payments(claims[0]), self.payments(nameless)), before)
        self.ramp.update_reimbursement(claims[0], payment_id='ANOTHER')  # returned and paid again since the last run
        self.ramp.update_reimbursement(claims[1], payment_id='ANOTHER')
        self.sync_payables()
        self.assertPaid(claims[0])
        self.assertNotEqual(self.payments(*claims), before[0])

    def test_employees_below_the_company_or_of_one_contractor(self):
        """Each employee is the partner of the own reimbursement and payment, also if the contact is below the company
        or a contractor.
        """
        parent = self.company.partner_id
        (self.dwight + self.pam).work_contact_id.parent_id = parent
        claims = [self.claim(user=user['id']) for user in self.users]
        self.ramp.pay_reimbursement(claims)
        self.sync_payables()
        for ramp_id, employee in zip(claims, self.employees, strict=True):
            self.assertPaid(ramp_id)
            self.assertEqual(self.move(ramp_id).line_ids.partner_id, employee.work_contact_id)
            self.assertEqual(self.payments(ramp_id).partner_id, employee.work_contact_id)
        self.ramp.update_reimbursement(claims[0], state='CANCELED')
        bill = self.move(claims[0])
        self.sync_payables()
        self.assertEqual(bill.payment_state, 'reversed')
        self.assertEqual(
            bill.line_ids.partner_id + bill.reversal_move_ids.line_ids.partner_id, self.dwight.work_contact_id
        )

        (self.dwight + self.pam).work_contact_id.parent_id = self.env['res.partner'].create(
            {'name': 'Contractor', 'is_company': True}
        )
        claims = [self.claim(user=user['id']) for user in self.users]
        self.ramp.pay_reimbursement(claims)
        self.sync_payables()
        self.assertEqual(len(self.payments(*claims)), 2)

    # ------------------------------------------------------------------ employees

    def test_by_email_whatever_its_case(self):
        ramp_id = self.paid(user_email=' DWIGHT@Example.com')
        self.sync_payables()
        self.assertEqual(self.move(ramp_id).partner_id, self.dwight.work_contact_id)

    def test_by_link_where_the_email_says_nothing(self):
        self.pam.ramp_user_id = self.user_id
        ramp_id = self.paid(user_email='private@example.com')
        self.sync_payables()
        self.assertEqual(self.move(ramp_id).partner_id, self.pam.work_contact_id)

    def test_once_there_the_link_decides(self):
        """A linked employee keeps the reimbursements, whatever becomes of the email."""
        self.dwight.ramp_user_id = self.user_id
        self.dwight.work_email, self.pam.work_email = 'dwight@elsewhere.example', 'dwight@example.com'
        ramp_id = self.paid()
        self.sync_payables()
        self.assertEqual(self.move(ramp_id).partner_id, self.dwight.work_contact_id)

    def test_two_employees_of_one_email(self):
        self.pam.work_email = 'dwight@example.com'
        ramp_id = self.paid()
        self.sync_payables()
        self.assertOpen(ramp_id, 'held', 'More than one employee .*dwight@example.com: .*Pam Beesly')
        self.assertEqual(
            self.ramp.list_export_errors(ramp_id)[-1:], [self.record(ramp_id, 'reimbursement').error_message]
        )
        self.dwight.ramp_user_id = self.user_id
        self.sync_payables()
        self.assertEqual(self.move(ramp_id).partner_id, self.dwight.work_contact_id)

    def test_own_email_of_a_user_is_a_question(self):
        user = new_test_user(
            self.env, 'pam@work.example', company_id=self.company.id, company_ids=[Command.set(self.company.ids)]
        )
        self.pam.user_id = user
        self.dwight.work_email = False
        user.with_user(user).write({'email': 'dwight@example.com'})
        ramp_id = self.paid()
        self.sync_payables()
        self.assertOpen(ramp_id, 'held', 'work email of Pam Beesly, who logs in as pam@work.example')
        self.dwight.ramp_user_id = self.user_id
        self.sync_payables()
        self.assertEqual(self.move(ramp_id).partner_id, self.dwight.work_contact_id)

    def test_active_before_archived(self):
        self.pam.work_email = 'dwight@example.com'
        self.dwight.active = False
        first = self.paid()
        self.sync_payables()
        self.assertEqual(self.move(first).partner_id, self.pam.work_contact_id)

    def test_archived_alone(self):
        self.dwight.active = False
        ramp_id = self.paid()
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.assertEqual(self.move(ramp_id).partner_id, self.dwight.work_contact_id)

    def test_nobody_and_never_the_fallback(self):
        self.connection.fallback_employee_id = self.pam
        self.dwight.work_email = False
        other = self.env['res.company'].create({'name': 'Other'})
        self.env['hr.employee'].create(
            {'name': 'Dwight elsewhere', 'work_email': 'dwight@example.com', 'company_id': other.id}
        )
        ramp_id = self.paid()
        self.sync_payables()
        self.assertOpen(ramp_id, 'held', r'Dwight Schrute \(dwight@example.com\) is not an employee of Widget Works')
        self.dwight.work_email = 'dwight@example.com'
        self.sync_payables()
        self.assertPaid(ramp_id)

    def test_no_email_is_no_match(self):
        self.pam.work_email = False
        ramp_id = self.paid(user_email='')
        self.sync_payables()
        self.assertOpen(ramp_id, 'held', 'is not an employee')

    def test_email_of_somebody_who_is_another_user(self):
        self.dwight.ramp_user_id = self.users[1]['id']
        ramp_id = self.paid()
        self.sync_payables()
        self.assertOpen(ramp_id, 'held', 'linked to another Ramp user')

    def test_two_users_of_one_email_in_one_batch(self):
        first = self.paid()
        second = self.paid(user=self.users[1]['id'], user_email='dwight@example.com')
        self.sync_payables()
        self.assertPaid(first)
        self.assertOpen(second, 'held', 'linked to another Ramp user')

    def test_no_work_contact(self):
        self.dwight.work_contact_id = False
        self.dwight.flush_recordset()
        self.env.cr.execute("UPDATE hr_employee SET work_email = 'dwight@example.com' WHERE id = %s", [self.dwight.id])
        self.env.invalidate_all()
        ramp_id = self.paid()
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.assertEqual(
            (self.dwight.work_contact_id, self.dwight.work_contact_id.name),
            (self.move(ramp_id).partner_id, 'Dwight Schrute'),
        )

    # ------------------------------------------------------------------ texts and amounts

    def test_mileage_and_per_diem(self):
        miles = self.paid(type='MILEAGE', distance=55, start_location='A St', waypoints=['B\nSt'], end_location='C St')
        bare = self.paid(type='MILEAGE', distance=None, start_location=None, end_location=None, memo='To the fair')
        long = self.paid(type='MILEAGE', distance=12.5, waypoints=['x' * 400])
        daily = self.paid(type='PER_DIEM', memo='Trip to Boston')
        nameless = self.paid(type='PER_DIEM', date='2026-03-04')
        self.sync_payables()
        names = {ramp_id: self.move(ramp_id).invoice_line_ids.name for ramp_id in (miles, bare, long, daily, nameless)}
        self.assertEqual(
            [names[ramp_id] for ramp_id in (miles, bare, daily, nameless)],
            [
                'Mileage: 55 mi, A St - B St - C St',
                'Mileage; To the fair',
                'Per diem: Trip to Boston',
                'Per diem: 2026-03-04',
            ],
        )
        self.assertIn('Mileage: 12.5 mi', names[long])
        self.assertRegex(self.move(miles).ref, '^Mileage ')

    def test_foreign_spend(self):
        ramp_id = self.paid(
            9200,
            currency='EUR',
            entity_minor=10003,
            merchant='Bistro',
            lines=[
                {'amount_minor': 3333, 'account': self.external(self.account_meals)},
                {'amount_minor': 5867, 'account': self.external(self.account_travel), 'memo': 'x' * 500},
            ],
        )
        self.sync_payables()
        self.assertPaid(ramp_id)
        lines = self.move(ramp_id).invoice_line_ids
        self.assertEqual(sum(lines.mapped('price_total')), 100.03)
        self.assertEqual(lines[0].name, 'Bistro (33.33 EUR)')
        self.assertRegex(lines[1].name, r'x \(58\.67 EUR\)$')
        self.assertEqual(self.move(ramp_id).currency_id.name, 'USD')

    def test_payee_in_another_currency(self):
        ramp_id = self.paid(10000, payee_minor=8500, payee_currency='EUR')
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.assertIn('The employee receives 85.00 EUR.', self.move(ramp_id).narration)
        self.assertEqual((self.payments(ramp_id).amount, self.payments(ramp_id).currency_id.name), (100.0, 'USD'))
        self.ramp.update_reimbursement(ramp_id, payee_minor=8600)
        self.sync_payables()
        self.assertIn('The employee receives 86.00 EUR.', ' '.join(self.move(ramp_id).message_ids.mapped('body')))

    def test_entities_of_other_currencies(self):
        for code, minor, amount in (('JPY', 12345, 12345.0), ('KWD', 12345, 12.345)):
            entity = next(row for row in self.ramp.state['entities'] if row['currency'] == code)
            ramp_id = self.paid(
                minor,
                entity=entity['id'],
                lines=[
                    {'amount_minor': minor - 1, 'account': self.external(self.account_meals)},
                    {'amount_minor': 1, 'account': self.external(self.account_travel)},
                ],
            )
            self.sync_payables()
            self.assertPaid(ramp_id)
            self.assertEqual((self.move(ramp_id).amount_total, self.move(ramp_id).currency_id.name), (amount, code))
            self.assertEqual(self.payments(ramp_id).amount, amount)
            self.assertFalse(round(sum(self.move(ramp_id).line_ids.mapped('balance')), 2))

    def test_taxes_are_included(self):
        tax = self.env['account.tax'].create(
            {
                'name': 'Ramp 7%',
                'amount': 7.0,
                'type_tax_use': 'purchase',
                'company_id': self.company.id,
                'country_id': self.company.account_fiscal_country_id.id,
            }
        )
        self.connection.offer_taxes = True
        self.sync('account', 'tax_rate', 'tax_code')
        ramp_id = self.paid(
            9999,
            lines=[{'amount_minor': 9999, 'account': self.external(self.account_meals), 'tax': self.external(tax)}],
        )
        self.sync_payables()
        self.assertPaid(ramp_id)
        bill = self.move(ramp_id)
        self.assertEqual((bill.amount_total, bill.amount_tax, bill.invoice_line_ids.tax_ids), (99.99, 6.54, tax))

    def test_analytics(self):
        ramp_id = self.paid(
            lines=[
                {
                    'amount_minor': 10000,
                    'account': self.external(self.account_meals),
                    'analytics': self.analytics(self.analytic_move, self.analytic_europe),
                }
            ]
        )
        self.sync_payables()
        key = ','.join(str(identity) for identity in sorted((self.analytic_move + self.analytic_europe).ids))
        self.assertEqual(self.move(ramp_id).invoice_line_ids.analytic_distribution, {key: 100})

    # ------------------------------------------------------------------ receipts and late changes

    def test_receipts(self):
        ramp_id = self.paid(receipts=2)
        self.sync(*self.flows, 'receipt')
        self.assertEqual(len(self.attachments(self.move(ramp_id))), 2)

    def test_late_receipt_and_memo(self):
        ramp_id = self.paid(receipts=1, memo='Before')
        self.sync(*self.flows, 'receipt')
        self.ramp.update_reimbursement(ramp_id, receipts=2, memo='After')
        self.sync(*self.flows, 'receipt')
        self.assertEqual(len(self.attachments(self.move(ramp_id))), 2)
        self.assertPaid(ramp_id)
        self.assertIn('Memo changed in Ramp: After', ' '.join(self.move(ramp_id).message_ids.mapped('body')))

    def test_late_change_of_money(self):
        ramp_id = self.paid(10000)
        self.sync_payables()
        bill, record, payment = self.move(ramp_id), self.record(ramp_id, 'reimbursement'), self.payments(ramp_id)
        self.ramp.update_reimbursement(ramp_id, amount_minor=12000)
        self.later(ramp_id)
        self.sync_payables()
        self.assertEqual((record.state, bill.amount_total), ('held', 100.0))
        self.assertIn('Amount: 100.00 USD, now 120.00 USD', record.late_changes)
        record.action_rebook()
        self.sync_payables()
        self.sync_payables()
        self.assertEqual((record.state, self.move(ramp_id).amount_total), ('confirmed', 120.0))
        self.assertEqual((bill.payment_state, self.move(ramp_id).payment_state), ('reversed', 'in_payment'))
        self.assertNotEqual(self.payments(ramp_id), payment)
        lines = self.env['account.move.line'].search(
            [
                ('account_id.account_type', '=', 'liability_payable'),
                ('parent_state', '=', 'posted'),
                ('company_id', '=', self.company.id),
            ]
        )
        self.assertFalse(lines.filtered(lambda line: not line.reconciled))

    def test_late_change_kept_by_retry(self):
        ramp_id = self.paid(10000)
        self.sync_payables()
        self.ramp.update_reimbursement(ramp_id, amount_minor=12000)
        self.later(ramp_id)
        self.sync_payables()
        record = self.record(ramp_id, 'reimbursement')
        record.action_retry()
        self.sync_payables()
        self.assertEqual((record.state, self.move(ramp_id).amount_total), ('confirmed', 100.0))

    # ------------------------------------------------------------------ withdrawn, failed, by hand

    def test_canceled_after_it_was_booked(self):
        self.connection.reimbursement_policy = 'ready'
        ramp_id = self.claim()
        self.sync_payables()
        bill = self.move(ramp_id)
        self.ramp.update_reimbursement(ramp_id, state='CANCELED')
        self.sync_payables()
        self.assertEqual((bill.payment_state, bill.amount_residual, bill.ramp_id), ('reversed', 0, False))
        self.assertOpen(ramp_id, 'ignored', r'^It was cancelled in Ramp\. .* was reversed by ')
        moves = self.env['account.move'].search_count([])
        self.record(ramp_id, 'reimbursement').action_retry()
        self.sync_payables()
        self.assertFalse(self.move(ramp_id))
        self.assertEqual(self.env['account.move'].search_count([]), moves, 'Retry looks at what Ramp says now')

    def test_canceled_after_it_was_paid(self):
        ramp_id = self.paid()
        self.sync_payables()
        bill, payment = self.move(ramp_id), self.payments(ramp_id)
        self.ramp.update_reimbursement(ramp_id, state='CANCELED', payment_processed_at=None)
        self.sync_payables()
        self.assertEqual(bill.payment_state, 'reversed')
        self.assertIn('cancelled in Ramp', ' '.join(payment.message_ids.mapped('body')))
        self.assertEqual(self.record(ramp_id, 'reimbursement').state, 'ignored')
        self.sync_payables()
        self.assertEqual(self.record(ramp_id, 'reimbursement_payment').state, 'ignored')
        self.assertFalse(
            sum(
                payment.move_id.line_ids.filtered(
                    lambda line: (
                        line.account_id
                        == bill.line_ids.filtered(lambda item: item.account_type == 'liability_payable').account_id
                    )
                ).mapped('amount_residual')
            )
        )

    def pay_by_hand(self, bill):
        wizard = (
            self.env['account.payment.register']
            .with_context(active_model='account.move', active_ids=bill.ids)
            .create({})
        )
        return wizard._create_payments()

    def test_canceled_but_paid_in_odoo(self):
        self.connection.reimbursement_policy = 'ready'
        ramp_id = self.claim()
        self.sync_payables()
        bill = self.move(ramp_id)
        payment = self.pay_by_hand(bill)
        self.ramp.update_reimbursement(ramp_id, state='DELETED')
        self.sync_payables()
        record = self.record(ramp_id, 'reimbursement')
        self.assertEqual((record.state, record.reason_move_id, bill.ramp_id), ('held', bill, ramp_id))
        self.assertRegex(record.error_message, 'deleted in Ramp. But .* is paid or reconciled in Odoo')
        payment.action_draft()
        payment.action_cancel()
        self.ramp.state['reimbursements'].update_row(
            ramp_id, updated_at='2020-01-01T00:00:00+00:00'
        )  # Ramp reports it once
        self.sync_payables()
        self.assertEqual((record.state, bill.payment_state), ('ignored', 'reversed'))

    def test_canceled_by_mistake(self):
        self.connection.reimbursement_policy = 'ready'
        ramp_id = self.claim()
        self.sync_payables()
        self.pay_by_hand(self.move(ramp_id))
        self.ramp.update_reimbursement(ramp_id, state='CANCELED')
        self.sync_payables()
        self.assertEqual(self.record(ramp_id, 'reimbursement').state, 'held')
        self.ramp.update_reimbursement(ramp_id, state='APPROVED')
        self.sync_payables()
        self.assertBooked(ramp_id)

    def test_payment_failed_later(self):
        ramp_id = self.paid()
        self.sync_payables()
        first = self.payments(ramp_id)
        self.ramp.pay_reimbursement(ramp_id, state='FAILED_REIMBURSEMENT')
        self.sync_payables()
        bill = self.move(ramp_id)
        self.assertEqual((bill.amount_residual, bill.payment_state), (100.0, 'not_paid'))
        self.assertEqual(self.record(ramp_id, 'reimbursement_payment').state, 'pending')
        self.sync_payables()
        self.assertOpen(ramp_id, 'pending', 'failed', 'reimbursement_payment')
        self.ramp.pay_reimbursement(ramp_id)
        self.sync_payables()
        self.assertPaid(ramp_id)
        self.assertNotEqual(self.payments(ramp_id), first)

    def test_one_of_a_batch_failed_later(self):
        claims = [self.claim(1000), self.claim(2000)]
        self.ramp.pay_reimbursement(claims)
        self.sync_payables()
        self.ramp.pay_reimbursement(claims[0], state='PUSH_PAYMENT_FAILED')
        self.sync_payables()
        self.assertEqual(self.move(claims[0]).amount_residual, 10.0)
        self.assertPaid(claims[1])

    def test_paid_by_hand(self):
        self.check_paid_outside('MANUALLY_REIMBURSED')

    def test_exported(self):
        self.check_paid_outside('EXPORT_SUCCESSFUL')

    def check_paid_outside(self, state):
        cash = self.env['account.journal'].create(
            {'name': 'Cash box', 'code': 'BOX', 'type': 'cash', 'company_id': self.company.id}
        )
        self.connection.manual_payment_journal_id = cash
        booked = self.paid(state=state)
        self.sync_payables()
        self.assertPaid(booked)
        self.assertEqual(self.payments(booked).journal_id, cash)
        self.connection.manual_payment_policy = 'person'
        awaited = self.paid(state=state)
        self.sync_payables()
        self.assertBooked(awaited)
        self.assertOpen(awaited, 'held', 'paid outside of Ramp. Enter the payment of BILL', 'reimbursement_payment')
        self.pay_by_hand(self.move(awaited))
        self.ramp.update_reimbursement(
            booked, payment_processed_at='2026-03-04T00:00:00+00:00'
        )  # read again, and left as it is
        self.sync_payables()
        self.assertEqual(self.record(awaited, 'reimbursement_payment').state, 'confirmed')
        self.assertFalse(self.payments(awaited))
        self.assertPaid(booked)

    def test_paid_on_a_day_that_is_not_known(self):
        ramp_id = self.paid(state='MANUALLY_REIMBURSED')
        self.ramp.update_reimbursement(ramp_id, payment_processed_at=None)
        self.sync_payables()
        self.assertOpen(ramp_id, 'held', 'does not say when it was paid. Enter the payment', 'reimbursement_payment')

    def test_paid_in_odoo_already(self):
        self.connection.reimbursement_policy = 'ready'
        ramp_id = self.claim()
        self.sync_payables()
        self.pay_by_hand(self.move(ramp_id))
        self.ramp.pay_reimbursement(ramp_id)
        self.sync_payables()
        self.assertOpen(ramp_id, 'held', 'Ramp paid 100.00 USD, but only 0.00 USD', 'reimbursement_payment')

    # ------------------------------------------------------------------ once

    def test_second_run_changes_nothing(self):
        claims = [self.paid(1000), self.paid(2000, type='PAYBACK_PARTIAL')]
        self.claim(3000)
        self.paid(4000, user_email='nobody@example.com', user=self.users[1]['id'], account=None)
        self.sync_payables()
        calls, moves = len(self.ramp.list_write_calls()), self.env['account.move'].search_count([])
        states = self.env['ramp.record'].search([]).mapped('state')
        for _run in range(2):
            self.sync_payables()
        self.assertEqual((len(self.ramp.list_write_calls()), self.env['account.move'].search_count([])), (calls, moves))
        self.assertEqual(self.env['ramp.record'].search([]).mapped('state'), states)
        for ramp_id in claims:
            self.assertPaid(ramp_id)
            self.assertEqual(len(self.ramp.list_successes('REIMBURSEMENT_SYNC')[ramp_id]), 1)

    def test_switched_off(self):
        self.connection.pull_reimbursements = False
        ramp_id = self.paid()
        self.sync_payables()
        self.assertFalse(self.record(ramp_id, 'reimbursement'))

    def test_another_entity(self):
        other = next(row['id'] for row in self.ramp.state['entities'] if row['id'] != self.primary)
        self.connection.ramp_entity_id = self.primary
        mine, theirs = self.paid(), self.paid(entity=other, currency='USD', entity_currency='USD')
        self.sync_payables()
        self.assertPaid(mine)
        self.assertFalse(self.record(theirs, 'reimbursement'))

    def test_books_agree_with_ramp(self):
        """A seeded business: its paid reimbursements are posted, to the cent and by person."""
        self.connection.reimbursement_policy = 'ready'
        for number in range(12):
            self.claim(
                1000 + 7 * number,
                user=self.users[number % 2]['id'],
                type=('OUT_OF_POCKET', 'PAYBACK_FULL')[number % 3 == 2],
                state=('AWAITING_PAYMENT', 'REIMBURSED')[number % 4 == 1],
            )
        self.sync_payables()
        for total in self.ramp.read_reimbursement_totals(sync_status=['SYNCED']):
            employee = self.employees.filtered(lambda item, total=total: item.ramp_user_id == total['user_id'])
            bills = self.env['account.move'].search(
                [
                    ('ramp_id', '!=', False),
                    ('partner_id', '=', employee.work_contact_id.id),
                    ('move_type', '=', 'in_invoice' if total['direction'] == 'BUSINESS_TO_USER' else 'in_refund'),
                ]
            )
            self.assertEqual(len(bills), total['count'])
            self.assertEqual(round(sum(bills.mapped('amount_total')) * 100), total['amount_minor'])
            self.assertEqual(
                round(sum(bills.mapped('amount_residual')) * 100), total['amount_minor'] - total['paid_minor']
            )


@tagged('post_install', '-at_install', 'ramp', 'is_query_count')
class TestReimbursementQueries(QueryCounting, ReimbursementCase):
    """The cost of a reimbursement is counted in queries, which are the same on every machine."""

    seed = ReimbursementCase.seed

    def setUp(self):
        super().setUp()
        self.count_phases(
            'reimbursement', phases=('_store_listed_page', '_look_up_references', '_confirm_booked_batch')
        )

    def queries(self, count):
        """Return the queries for reading, posting and confirming so many, and for paying them, in one run each."""
        self.ramp.pay_reimbursement(
            [self.claim(1000, date='2026-03-10', user=self.users[number % 2]['id']) for number in range(count)]
        )
        self.counts = counts = Counter()
        for phase in self.flows:
            with self.counting(phase):
                self.sync(phase)
        return counts

    @in_turn
    def test_constant(self):
        self.patch(type(self.env['ramp.flow.reimbursement']), '_get_changed_listings', lambda *args: [])
        for _try in range(2):
            self.queries(2)
        few, many = self.queries(FEW), self.queries(MANY)
        each = {phase: (many[phase] - few[phase]) / (MANY - FEW) for phase in many}
        # Nearly all queries of a payment are for the message on the bill.
        for phase, most in (
            ('_store_listed_page', 0),
            ('_look_up_references', 0),
            ('_confirm_booked_batch', 0),
            ('reimbursement', 3),
            ('reimbursement_payment', 5),
        ):
            self.assertLessEqual(each[phase], most, (few, many))
