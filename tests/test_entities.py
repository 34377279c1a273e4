# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""A connection of one Ramp entity never handles objects of another one, however they arrive."""

from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from .properties import in_turn
from .test_exported_elsewhere import ExportedCase


@tagged('post_install', '-at_install', 'ramp')
class TestEntities(ExportedCase):
    def once(self):
        super().once()
        self.mine, self.other = [entity['id'] for entity in self.ramp.state['entities']][:2]
        self.currency = self.ramp.state['entities'].get_row(self.other)['currency']
        self.connection.ramp_entity_id = self.mine

    def objects_of(self, entity):
        """Make one object of each kind of an entity, and some that are not ready to be posted; returns their Ramp ids."""
        day = f'{fields.Date.today() - timedelta(days=3)}T12:00:00+00:00'
        currency = self.ramp.state['entities'].get_row(entity)['currency']
        values = {'entity': entity, 'currency': currency}
        spend = self.spend(1000, date=day, **values)
        bill, unpaid = self.owe(2000, **values), self.owe(2100, **values)
        self.ramp.pay_bill(bill)
        exported = self.spend(1200, date=day, **values)
        self.ramp.export_elsewhere('TRANSACTION_SYNC', exported)
        # A vendor credit is in USD here, whatever the currency of the entity.
        credit = self.ramp.add_vendor_credit(entity=entity, amount_minor=700, account=self.external(self.account_meals))
        return [
            spend,
            bill,
            unpaid,
            exported,
            credit,
            self.spend(1100, date=day, sync_status='NOT_SYNC_READY', **values),
            self.spend(1300, date=day, account=None, **values),
            self.ramp.add_reimbursement(
                amount_minor=3000,
                user=self.user_id,
                account=self.external(self.account_meals),
                state='REIMBURSED',
                **values,
            ),
            self.ramp.add_repayment(transaction=spend, amount_minor=100, date=day),
            self.ramp.add_transfer(amount_minor=4000, date=day, **values),
            self.ramp.add_cashback(amount_minor=500, date=day, **values),
        ]

    def sections_of(self, statement, entity):
        return [
            section['id']
            for section in self.ramp.state['statements'].get_row(statement)['balance_sections']
            if section['entity_id'] == entity
        ]

    def assertUnknown(self, ids):
        """These objects have no row and no document, and Ramp was told nothing about them."""
        rows = self.env['ramp.record'].search(['|', ('ramp_id', 'in', ids), ('parent_ramp_id', 'in', ids)])
        self.assertFalse([(row.flow, row.name, row.state) for row in rows])
        self.assertFalse(self.env['account.move'].search([('ramp_id', 'in', ids)]))
        self.assertFalse([entry for entry in self.ramp.state.journal if entry['id'] in ids])
        self.assertFalse([ramp_id for ramp_id in ids if self.ramp.list_export_errors(ramp_id)])

    @in_turn
    def test_every_flow(self):
        """Objects of another entity stay unknown in lists, single reads, events, statements, files and the nightly
        check.
        """
        mine, theirs = self.objects_of(self.mine), self.objects_of(self.other)
        tomorrow = f'{fields.Date.today() - timedelta(days=1)}'
        statement = self.ramp.close_statement(tomorrow, cashback_bps=100)
        for ramp_id in theirs:  # even if an event names them
            self.env['ramp.event'].sudo().create(
                {
                    'connection_id': self.connection.id,
                    'event_id': f'event-{ramp_id}',
                    'type': 'transactions.cleared',
                    'object_id': ramp_id,
                    'received_at': fields.Datetime.now(),
                }
            )
        for _day in range(2):
            self.everything()
            self.sync('watch')
        self.assertUnknown([*theirs, *self.sections_of(statement, self.other)])
        rows = self.env['ramp.record'].search([('ramp_entity_id', '!=', False)])
        self.assertEqual(set(rows.mapped('ramp_entity_id')), {self.mine})
        self.assertGreaterEqual(set(rows.mapped('ramp_id')), set(mine))
        # A statement names the lines of the whole business, but only by id.
        known = str([{**row.payload, 'statement_lines': None} for row in rows])
        self.assertFalse([ramp_id for ramp_id in theirs if ramp_id in known])

    @in_turn
    def test_file_of_a_statement(self):
        """A statement's PDF shows the spend of the whole business, so it is attached only if all of that belongs to the
        connection.
        """
        day = f'{fields.Date.today() - timedelta(days=3)}T12:00:00+00:00'
        files = []
        for entities in ((self.mine,), (self.mine, self.other)):
            for entity in entities:
                self.spend(
                    1000, date=day, entity=entity, currency=self.ramp.state['entities'].get_row(entity)['currency']
                )
            statement = self.ramp.close_statement(f'{fields.Date.today() - timedelta(days=2 - len(files))}')
            self.sync(*self.flows, 'statement_file')
            [bill] = self.env['account.move'].search([('ramp_id', 'in', self.sections_of(statement, self.mine))])
            files.append(len(self.attachments(bill)))
            self.assertEqual(
                self.record(statement, 'statement_file').state, 'ignored' if len(entities) > 1 else 'confirmed'
            )
        self.assertEqual(files, [1, 0])

    @in_turn
    def test_moved_to_another_entity(self):
        """An object that waited here and moved to another entity is left out and counts for nothing. Ramp is told
        nothing.
        """
        ramp_id = self.spend(1300, account=None, entity=self.mine)
        self.everything()
        self.assertEqual(self.record(ramp_id).state, 'held')
        told = len(self.ramp.list_export_errors(ramp_id))
        self.ramp.state['transactions'].update_row(ramp_id, entity_id=self.other)
        self.everything()
        self.sync('watch')
        record = self.record(ramp_id)
        self.assertEqual((record.state, record.has_moved), ('ignored', False))
        self.assertIn('another Ramp entity', record.error_message)
        self.assertEqual(len(self.ramp.list_export_errors(ramp_id)), told)

    def test_id_in_capitals(self):
        """An entity's id that somebody typed in capitals is the same id."""
        self.connection.ramp_entity_id = self.mine.upper()
        mine, theirs = self.spend(1000, entity=self.mine), self.spend(1000, entity=self.other, currency=self.currency)
        self.sync('transaction', 'watch')
        self.assertConfirmed(mine)
        self.assertUnknown([theirs])

    def test_bank_accounts_of_others(self):
        """Bank accounts of another entity are not shown."""
        rows = self.ramp.state['entities']
        theirs = rows.get_row(self.other)['payment_accounts'] or [
            {**rows.get_row(self.mine)['payment_accounts'][0], 'id': 'c0ffee00-0000-4000-8000-000000000001'}
        ]
        rows.update_row(self.other, payment_accounts=theirs)
        self.connection.bank_account_ids.unlink()
        self.sync('watch')
        self.assertEqual(
            set(self.connection.bank_account_ids.mapped('ramp_id')),
            {account['id'] for account in rows.get_row(self.mine)['payment_accounts']},
        )

    @in_turn
    def test_two_companies_in_either_order(self):
        """Each entity's objects come to its own company, whichever connects first."""
        mine, theirs = self.objects_of(self.mine), self.objects_of(self.other)
        self.everything()
        self.assertUnknown(theirs)
        company = self.env['res.company'].create(
            {
                'name': 'Other Entity',
                'currency_id': self.env['res.currency'].search([('name', '=', self.currency)]).id,
                'country_id': self.env.ref('base.us').id,
            }
        )
        self.env.user.company_ids += company
        self.env['account.chart.template'].try_loading('generic_coa', company=company, install_demo=False)
        second = self.connection.copy(
            {
                'existing_policy': 'book',
                'company_id': company.id,
                'name': 'Other',
                'ramp_entity_id': self.other,
                'client_id': self.ramp.client_id,
                'client_secret': self.ramp.client_secret,
                'start_date': '2015-01-01',
                'fallback_employee_id': False,
            }
        )
        second.with_context(allowed_company_ids=company.ids).action_connect()
        for _day in range(2):
            self.everything()
            self.sync('watch')
        for connection, own in ((self.connection, mine), (second, theirs)):
            rows = self.env['ramp.record'].search(
                [('connection_id', '=', connection.id), ('ramp_entity_id', '!=', False)]
            )
            self.assertEqual(set(rows.mapped('ramp_entity_id')), {connection.ramp_entity_id})
            self.assertGreaterEqual(set(rows.mapped('ramp_id')), set(own))
