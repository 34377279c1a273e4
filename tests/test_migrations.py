# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Effects of an upgrade on the data of an earlier version. There is one test for each script, which is loaded as Odoo
loads it.
"""

import pathlib
import re
from unittest.mock import patch

from psycopg2.extras import Json

from odoo.modules.module import load_script
from odoo.tests import tagged
from odoo.tools import SQL

from ..simulator import coding
from .common import PayablesCase

FOLDER = pathlib.Path(__file__).resolve().parent.parent / 'migrations'
TESTED = {
    '19.0.1.2.0/post-migrate.py': 'TestMigrations.test_payables',
    '19.0.1.3.0/post-migrate.py': 'TestMigrations.test_statements',
    '19.0.1.5.0/post-banks.py': 'TestMigrations.test_banks',
    '19.0.1.5.0/post-bills.py': 'TestMigrations.test_bills',
    '19.0.1.5.0/post-cards.py': 'TestMigrations.test_cards',
    '19.0.1.5.0/post-changes.py': 'TestMigrations.test_changes',
    '19.0.1.5.0/post-coding.py': 'TestMigrations.test_coding',
    '19.0.1.5.0/post-entities.py': 'TestMigrations.test_entities',
    '19.0.1.5.0/post-seat.py': 'test_seat.py, TestUpgrade',
    '19.0.1.5.0/post-vendors.py': 'TestMigrations.test_vendors',
    '19.0.1.6.0/pre-hold-reason.py': 'TestMigrations.test_hold_reasons',
    '19.0.1.7.0/post-repayments.py': 'test_repayment_follows.py, TestRepaymentFollows',
}
FLOWS = ('vendor', 'transaction', 'vendor_credit', 'bill', 'bill_payment', 'reimbursement', 'repayment')


@tagged('post_install', '-at_install', 'ramp')
class TestMigrations(PayablesCase):
    flows = FLOWS

    def once(self):
        super().once()
        self.draft = self.env['ramp.connection'].create(
            {'name': 'Draft', 'company_id': self.company.id, 'environment': 'production', 'start_date': '2020-01-01'}
        )
        self.archived = self.env['ramp.connection'].create(
            {
                'name': 'Archived',
                'company_id': self.company.id,
                'environment': 'sandbox',
                'start_date': '2020-01-01',
                'active': False,
            }
        )
        self.connections = self.connection + self.draft + self.archived

    def script(self, name):
        return load_script(f'ramp_connector/migrations/{name}', pathlib.Path(name).stem)

    def migrate(self, script, version):
        self.env.flush_all()
        self.env.invalidate_all()
        script.migrate(self.env.cr, version)
        self.env.flush_all()
        self.env.invalidate_all()

    def set(self, records, **values):
        """Write values as an earlier version left them, without the ORM."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                'UPDATE %s SET %s WHERE id = ANY(%s)',
                SQL.identifier(records._table),
                SQL(', ').join(SQL('%s = %s', SQL.identifier(name), value) for name, value in values.items()),
                records.ids,
            )
        )
        self.env.invalidate_all()

    def assertOff(self, *switches):
        """These options are off in every connection, also in archived ones."""
        for connection in self.connections:
            self.assertEqual([name for name in switches if connection[name]], [], connection.name)

    def assertTold(self, before, pattern):
        """Only the connected connection gets a message."""
        self.assertRegex(self.connection.message_ids[0].body, pattern)
        told = [connection.name for connection in self.connections if len(connection.message_ids) > before[connection]]
        self.assertEqual(told, ['Ramp'])

    def test_each_script_has_a_test(self):
        scripts = {str(path.relative_to(FOLDER)) for path in FOLDER.glob('*/*.py')}
        self.assertEqual(scripts, set(TESTED), 'add a test for the script, and its name here')

    def test_payables(self):
        """To 1.2.0: bills are off until somebody switches them on. Fewer changes of a transaction count as changes."""
        ids = [self.spend(1000 + number, memo='Taxi') for number in range(3)]
        unbooked, changed = self.spend(2000, account=None), self.spend(3000)
        self.assertEqual(self.sync('transaction').message, False)
        rows = self.env['ramp.record'].search([('flow', '=', 'transaction')])
        self.assertEqual(len(rows), 5)
        hashes = {row: row.payload_hash for row in rows}
        self.set(rows, payload_hash='of before', noted=None)
        self.set(self.record(changed), has_changed=True)
        self.set(self.connections, pull_bills=True, pull_reimbursements=True, pull_repayments=True)
        self.set(self.connection, bill_journal_id=None, payment_journal_id=None)
        crons = self.env.ref('ramp_connector.cron_bill') + self.env.ref('ramp_connector.cron_repayment')
        crons.active = False
        told = {connection: len(connection.message_ids) for connection in self.connections}
        script = self.script('19.0.1.2.0/post-migrate.py')
        with patch.object(script, 'BATCH', 2):
            self.migrate(script, '19.0.1.1.0')
        self.assertOff('pull_bills', 'pull_reimbursements', 'pull_repayments')
        self.assertTold(told, 'Bills, reimbursements and repayments can now be read')
        self.assertEqual(
            (self.connection.bill_journal_id.type, self.connection.payment_journal_id.type), ('purchase', 'bank')
        )
        self.assertFalse(self.draft.bill_journal_id)
        self.assertEqual(crons.mapped('active'), [True, True])
        for row in rows - self.record(changed):
            self.assertEqual(row.payload_hash, hashes[row])
        self.assertEqual(self.record(changed).payload_hash, 'of before', 'what Ramp changed stays to be decided')
        for ramp_id in ids:
            self.assertEqual(self.record(ramp_id).noted['extras']['memo'], 'Taxi')
        self.assertFalse(self.record(unbooked).noted)
        self.sync('transaction')
        for ramp_id in ids:
            self.assertConfirmed(ramp_id)

    def test_payables_after_a_version_that_sent_nothing(self):
        """From 1.0: the connection offers nothing in Ramp that the earlier version did not send."""
        self.connections.write({'account_policy': 'all', 'offer_vendors': True})
        self.migrate(self.script('19.0.1.2.0/post-migrate.py'), '19.0.1.0.0')
        for connection in self.connections:
            self.assertEqual((connection.account_policy, connection.offer_vendors), ('types', False))
            self.assertFalse(connection.account_type_ids or connection.analytic_plan_ids)

    def test_changes(self):
        """To 1.5.0: fewer changes count as changes. A row that waited only for another spelling is in order."""
        same, spelled, changed, unbooked = (
            self.spend(1000),
            self.spend(1001),
            self.spend(1002),
            self.spend(1003, account=None),
        )
        bill = self.owe(2000, invoice_number='B-1')
        whole = self.owe(
            None,
            header=[
                coding.select_field_option(self.ramp.state, self.external(self.plan), self.external(self.analytic_move))
            ],
            lines=[{'amount_minor': minor, 'account': self.external(self.account_meals)} for minor in (1000, 2000)],
        )
        self.sync(*FLOWS)
        self.assertTrue(self.move(whole).invoice_line_ids[1].analytic_distribution)
        rows = self.env['ramp.record'].search([('flow', 'in', ('transaction', 'bill'))])
        hashes = {row: row.payload_hash for row in rows}
        self.set(rows, payload_hash='of before')
        for record, words in (
            (self.record(spelled), {'merchant_name': 'TAXI'}),
            (self.record(changed), {'amount': 99.0}),
            (self.record(bill, 'bill'), {'invoice_number': 'b1'}),
        ):
            self.set(record, has_changed=True, state='held', hold_reason='changed', error_message='Ramp changed it')
            record.late_payload = {**record.payload, **words}
        script = self.script('19.0.1.5.0/post-changes.py')
        with patch.object(script, 'BATCH', 2):
            self.migrate(script, '19.0.1.4.0')
        self.assertEqual({row: row.payload_hash for row in rows}, hashes)
        for record in (self.record(same), self.record(spelled), self.record(bill, 'bill')):
            self.assertEqual(
                (record.state, record.has_changed, record.late_payload, record.error_message),
                ('confirmed', False, False, False),
            )
        self.assertEqual((self.record(changed).state, self.record(changed).has_changed), ('held', True))
        self.assertTrue(self.record(changed).late_payload)
        self.assertEqual(self.record(unbooked).state, 'held')
        self.sync(*FLOWS)
        self.assertConfirmed(same)
        self.assertConfirmed(spelled)

    def test_hold_reasons(self):
        """To 1.6.0: each row that is on hold or ignored has a reason. The script reads the columns of every earlier
        version.
        """
        old = {
            'question': {'is_question': True, 'attempts': 2},
            'elsewhere': {'is_question': True, 'is_withheld': True},
            'exhausted': {'attempts': 8},
            'changed': {'late_payload': Json({'id': 'x'}), 'res_id': 1, 'attempts': 0},
            'finding': {'finding': 'draft', 'res_id': 2, 'attempts': 0},
            'deleted': {'sync_attempt': 1, 'attempts': 0},
            'deleted, and found before': {'sync_attempt': 1, 'attempts': 2, 'finding': 'draft'},
            'refused': {'remote_id': 'account-1', 'attempts': 0},
            'archived': {'remote_id': 'order-1', 'flow': 'purchase_order', 'is_uncertain': True, 'payload': Json({})},
            'exhausted of a job': {'remote_id': 'account-2', 'attempts': 8},
            'exhausted, unknown why': {'attempts': 0},
            'rule': {'state': 'ignored', 'is_question': True},
            'rule, withheld': {'state': 'ignored', 'is_question': True, 'is_withheld': True},
            'rule of a job': {'state': 'ignored', 'remote_id': 'account-3'},
            'person': {'state': 'ignored', 'is_question': False},
            **{
                f'none: {state}': {'state': state, 'is_question': True}
                for state in ('pending', 'error', 'done', 'confirmed')
            },
        }
        later = (
            'finding',
            'deleted, and found before',
            'elsewhere',
            'refused',
            'archived',
            'exhausted of a job',
            'rule, withheld',
            'rule of a job',
        )
        rows = self.env['ramp.record'].create(
            [
                {
                    'connection_id': self.connection.id,
                    'company_id': self.company.id,
                    'flow': 'transaction',
                    'ramp_id': name,
                }
                for name in old
            ]
        )
        self.env.cr.execute(
            SQL(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ramp_record_hold_reason_of_state'"
            )
        )
        [constraint] = self.env.cr.fetchone()
        self.env.flush_all()
        self.env.cr.execute('ALTER TABLE ramp_record DROP COLUMN hold_reason, ADD COLUMN is_question boolean')
        for row, values in zip(rows, old.values(), strict=True):
            self.set(row, **{'state': 'held', **values})
        undone = 'It was canceled in Ramp. BILL/7 was reversed by RBILL/7.'
        rule = next(row for row, name in zip(rows, old, strict=True) if name == 'rule')
        self.set(rule, flow='reimbursement', error_message=undone)
        self.env['ir.filters'].create(
            {'name': 'Old', 'model_id': 'ramp.record', 'domain': "[('is_question', '=', True)]"}
        )
        self.env.flush_all()
        script = self.script('19.0.1.6.0/pre-hold-reason.py')
        script.migrate(self.env.cr, '19.0.1.5.0')
        self.env.cr.execute('SELECT error_message FROM ramp_record WHERE id = %s', [rule.id])
        self.assertEqual(self.env.cr.fetchone()[0], undone.replace('canceled', 'cancelled'))
        self.env.cr.execute("SELECT count(*) FROM ir_filters WHERE name = 'Old'")
        self.assertEqual(self.env.cr.fetchone()[0], 0)

        def reasons():
            self.env.cr.execute('SELECT ramp_id, hold_reason FROM ramp_record WHERE id = ANY(%s)', [rows.ids])
            return {name: (reason or 'none') for name, reason in self.env.cr.fetchall()}

        wanted = {name: re.match(r'[a-z]+', name)[0] for name in old}
        self.assertEqual(reasons(), wanted)
        self.env.cr.execute(f'ALTER TABLE ramp_record ADD CONSTRAINT again {constraint}')
        # The first version had neither these rows nor these columns
        self.env.cr.execute(
            """
            DELETE FROM ramp_record WHERE ramp_id = ANY(%s);
            ALTER TABLE ramp_record DROP COLUMN hold_reason, DROP COLUMN finding, DROP COLUMN is_withheld,
                                    DROP COLUMN remote_id, DROP COLUMN is_uncertain, DROP COLUMN has_changed
            """,
            [list(later)],
        )
        script.migrate(self.env.cr, '19.0.1.0.0')
        self.assertEqual(reasons(), {name: wanted[name] for name in old if name not in later})

    def test_statements(self):
        """To 1.3.0: statements are off until somebody switches them on. The tie-out reads earlier objects from their
        payloads.
        """
        spent, refused = self.spend(1000), self.spend(1500, account=None)
        bill, owed = self.owe(2000), self.owe(2500)
        self.ramp.pay_bill(bill)
        self.ramp.add_vendor_credit(amount_minor=300, account=self.external(self.account_meals))
        self.ramp.add_repayment(transaction=spent, amount_minor=400)
        self.ramp.add_reimbursement(
            amount_minor=3000,
            user=self.user_id,
            entity=self.primary,
            account=self.external(self.account_meals),
            state='REIMBURSED',
        )
        self.sync(*FLOWS)
        rows = self.env['ramp.record'].search([('flow', 'in', FLOWS[1:])])
        self.assertEqual(set(rows.mapped('flow')), set(FLOWS[1:]))
        standing = {row: (row.ramp_entity_id, row.has_moved, row.open_amount) for row in rows}
        self.assertTrue(
            standing[self.record(spent)][1]
            and standing[self.record(refused)][1]
            and standing[self.record(owed, 'bill')][2]
        )
        late = {**self.record(spent).payload, 'state': 'DECLINED'}
        self.set(rows, ramp_entity_id=None, has_moved=None, open_amount=None)
        self.record(spent).late_payload = late
        self.set(
            self.connections, pull_statements=True, push_orders=True, push_receipts=True, push_users=True, database=None
        )
        self.set(self.connection, cashback_account_id=None)
        cron = self.env.ref('ramp_connector.cron_statement')
        cron.active = False
        self.env.cr.execute('ALTER TABLE ramp_connection ADD COLUMN last_sync timestamp')
        told = {connection: len(connection.message_ids) for connection in self.connections}
        script = self.script('19.0.1.3.0/post-migrate.py')
        with patch.object(script, 'BATCH', 1):
            self.migrate(script, '19.0.1.2.0')
        self.assertOff('pull_statements', 'push_orders', 'push_receipts', 'push_users')
        self.assertTold(told, 'Card statements, their payments and cashback can now be read')
        self.assertEqual(
            [connection.database for connection in self.connections], [self.connection._database(), False, False]
        )
        self.assertFalse(self.connection.is_copy)
        self.assertEqual(self.connection.cashback_account_id.account_type, 'income_other')
        self.assertTrue(cron.active)
        self.env.cr.execute(
            "SELECT FROM information_schema.columns WHERE table_name = 'ramp_connection' AND column_name = 'last_sync'"
        )
        self.assertFalse(self.env.cr.fetchall())
        for row in rows - self.record(spent):
            self.assertEqual((row.flow, row.ramp_entity_id, row.has_moved, row.open_amount), (row.flow, *standing[row]))
        self.assertEqual(self.record(spent).ramp_entity_id, self.primary)
        self.assertFalse(self.record(spent).has_moved, 'what Ramp says now counts')

    def test_entities(self):
        """To 1.5.0: rows of other companies' entities are deleted unless they are posted. Posted rows stay as they are."""
        own, other = (entity['id'] for entity in list(self.ramp.state['entities'])[:2])
        ids = [self.spend(1000), self.spend(1100), self.spend(1200, account=None), self.spend(1300, account=None)]
        self.sync('transaction')
        self.assertEqual([bool(self.record(ramp_id).res_id) for ramp_id in ids], [True, True, False, False])
        booked, booked_other, held, held_other = (self.record(ramp_id) for ramp_id in ids)
        sent = self.env['ramp.record'].create(
            {
                'connection_id': self.connection.id,
                'company_id': self.company.id,
                'flow': 'account',
                'remote_id': 'x',
                'ramp_entity_id': other,
            }
        )
        unlimited = self.env['ramp.record'].create(
            {
                'connection_id': self.archived.id,
                'company_id': self.company.id,
                'flow': 'transaction',
                'ramp_id': held_other.ramp_id,
                'ramp_entity_id': other,
            }
        )
        nameless = self.env['ramp.record'].create(
            {
                'connection_id': self.connection.id,
                'company_id': self.company.id,
                'flow': 'repayment',
                'ramp_id': held_other.ramp_id,
            }
        )
        self.set(booked_other + held_other, ramp_entity_id=other)
        self.set(
            self.connection,
            ramp_entity_id=own.upper(),
            existing_policy=None,
            connected_at=None,
            last_watch='2026-02-01 00:00:00',
        )
        self.set(self.draft, existing_policy=None, connected_at=None)
        self.set(self.archived, state='disconnected', existing_policy='leave', connected_at='2026-01-01 00:00:00')
        self.migrate(self.script('19.0.1.5.0/post-entities.py'), '19.0.1.4.0')
        rows = booked + booked_other + held + held_other + sent + unlimited + nameless
        self.assertEqual(rows - rows.exists(), held_other)
        self.assertEqual(
            (self.connection.existing_policy, self.connection.connected_at), ('book', self.connection.create_date)
        )
        self.assertEqual(
            set(self.connection.looked_at)
            - {'bill_payment', 'reimbursement_payment'},  # earlier versions had lists of these
            {flow._flow for flow in self.connection._flow_models() if hasattr(flow, '_get_nightly_listings')},
        )
        self.assertFalse(self.draft.existing_policy or self.draft.connected_at or self.draft.looked_at)
        self.assertEqual(
            (self.archived.existing_policy, str(self.archived.connected_at)), ('leave', '2026-01-01 00:00:00')
        )

    def test_banks(self):
        """To 1.5.0: bank lines are not matched until somebody wants it. The job of the bank references is on."""
        cron = self.env.ref('ramp_connector.cron_bank_reference')
        cron.active = False
        self.assertTrue(self.connection.match_bank_lines, 'of a new connection')
        self.migrate(self.script('19.0.1.5.0/post-banks.py'), '19.0.1.4.0')
        self.assertEqual(self.connections.mapped('match_bank_lines'), [False] * 3)
        self.assertTrue(cron.active)

    def test_bills(self):
        """To 1.5.0: a bill that vendor credits cover is paid. A bill that its own refund reverses stays reversed."""
        vendor = self.ramp.add_vendor('Creditor')
        covered, back = self.owe(4000, vendor=vendor), self.owe(5000)
        credit = self.ramp.add_vendor_credit(
            vendor=vendor, amount_minor=4000, account=self.external(self.account_meals)
        )
        self.ramp.apply_vendor_credit(credit, covered)
        self.sync(*FLOWS)
        self.move(back)._reverse_moves([{'invoice_date': '2026-03-04'}], cancel=True)
        moves = self.move(covered) + self.move(back)
        self.set(moves, payment_state='reversed')
        told = len(moves.message_ids)
        self.migrate(self.script('19.0.1.5.0/post-bills.py'), '19.0.1.4.0')
        self.assertEqual(moves.mapped('payment_state'), ['paid', 'reversed'])
        self.assertEqual(len(moves.message_ids), told)

    def test_cards(self):
        """To 1.5.0: a connected connection keeps its former labels. Expenses of drafts and of deleted entries get their
        state.
        """
        ids = [self.spend(1000), self.spend(1100), self.spend(1200, memo='Lunch')]
        self.connection.card_post = 'draft'
        self.sync('transaction')
        self.move(ids[0]).action_post()
        self.move(ids[1]).unlink()
        states = ['paid', 'refused', 'approved']
        self.set(self.env['hr.expense'].search([('ramp_id', 'in', ids)]), state='paid')
        messages = self.env['mail.message'].search_count([])
        cron = self.env.ref('ramp_connector.cron_transaction')
        self.assertGreater(cron.priority, self.env.ref('ramp_connector.cron_bill').priority, 'as in a new database')
        cron.priority = 5
        self.migrate(self.script('19.0.1.5.0/post-cards.py'), '19.0.1.4.0')
        self.assertEqual(cron.priority, 6)
        self.assertEqual([self.expense(ramp_id).state for ramp_id in ids], states)
        self.assertEqual(self.env['mail.message'].search_count([]), messages)
        self.assertEqual(self.connection.label_template, '{merchant}')
        self.assertEqual(self.draft.label_template, self.draft.default_get(['label_template'])['label_template'])
        again = self.spend(
            1300,
            merchant='Cafe',
            lines=[{'amount_minor': 1300, 'account': self.external(self.account_meals), 'memo': 'Lunch'}],
        )
        self.sync('transaction')
        self.assertEqual((self.expense(again).name, self.move(again).ref), ('Cafe', 'Cafe'))
        self.assertEqual(self.move(again).line_ids.sorted('id').mapped('name'), ['Lunch', 'Cafe'])

    def test_vendors(self):
        """To 1.5.0: suppliers and vendors that were sent are compared again, as employees and Ramp itself are left out now.
        Vendors are only compared in connections that send them.
        """
        Record, row = self.env['ramp.record'], {'company_id': self.company.id, 'state': 'confirmed'}
        sent = Record.create(
            [
                {
                    **row,
                    'connection_id': connection.id,
                    'flow': flow,
                    'remote_id': f'{flow}-x',
                    'res_model': 'res.partner',
                    'res_id': 1,
                }
                for connection in (self.connection, self.archived)
                for flow in ('accounting_vendor', 'spend_vendor', 'account')
            ]
        )
        pulled = Record.create({**row, 'connection_id': self.connection.id, 'flow': 'spend_vendor', 'ramp_id': 'y'})
        for bills, again in ((True, ['accounting_vendor', 'spend_vendor']), (False, ['accounting_vendor'])):
            self.set(sent, state='confirmed', revision=1)
            self.set(self.connection, pull_bills=bills)
            triggers = self.env['ir.cron.trigger'].search([])
            self.migrate(self.script('19.0.1.5.0/post-vendors.py'), '19.0.1.4.0')
            self.assertEqual([record.flow for record in sent if record.state == 'pending'], again)
            self.assertEqual(pulled.state, 'confirmed')
            called = (self.env['ir.cron.trigger'].search([]) - triggers).cron_id
            self.assertIn(self.env.ref('ramp_connector.cron_accounting_vendor'), called)

    def test_coding(self):
        """To 1.5.0: distribution models stay off. Objects that are no longer offered are withdrawn."""
        self.set(self.connections, analytic_policy='models')
        row = {'company_id': self.company.id, 'state': 'confirmed', 'res_model': 'account.account', 'res_id': 1}
        sent = self.env['ramp.record'].create(
            [
                {**row, 'connection_id': connection.id, 'flow': flow, 'remote_id': f'{flow}-x'}
                for connection in (self.connection, self.archived)
                for flow in ('account', 'tax_rate', 'tax_code')
            ]
        )
        triggers = self.env['ir.cron.trigger'].search([])
        self.migrate(self.script('19.0.1.5.0/post-coding.py'), '19.0.1.4.0')
        self.assertEqual(self.connections.mapped('analytic_policy'), ['ramp'] * 3)
        self.assertEqual([record.flow for record in sent if record.state == 'pending'], ['account', 'tax_rate'])
        woken = (self.env['ir.cron.trigger'].search([]) - triggers).cron_id
        self.assertEqual(
            woken, self.env.ref('ramp_connector.cron_account') + self.env.ref('ramp_connector.cron_tax_rate')
        )
