# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The cards of the accounting dashboard: what they say of Ramp, to whom, and with how many queries."""

import json

from odoo.tests import tagged

from .common import BrowserCase
from .test_screens import ScreenCase


class JournalCase(ScreenCase):
    def once(self):
        super().once()
        self.spend(1000)
        self.spend(2000, account=None)
        self.spend(300, account=None, currency='EUR')
        self.sync()

    def cards(self, env=None):
        """What the cards show, as {journal: connections}, for the journals that show anything."""
        self.env.invalidate_all()
        journals = (env or self.env)['account.journal'].search([('company_id', '=', self.company.id)])
        found = {journal: json.loads(journal.kanban_dashboard).get('ramp') for journal in journals}
        return {journal.with_env(self.env): shown for journal, shown in found.items() if shown}


@tagged('post_install', '-at_install', 'ramp')
class TestJournalDashboard(JournalCase):
    def test_card(self):
        cards = self.cards()
        self.assertEqual(set(cards), {self.connection.card_journal_id, self.connection.bill_journal_id})
        [card] = cards[self.connection.card_journal_id]
        self.assertEqual((card['id'], card['count'], card['has_tie_out']), (self.connection.id, 2, True))
        self.assertEqual(sorted(card['amounts'].split(', ')), ['$\xa020.00', '3.00\xa0€'])
        self.assertTrue(card['last_sync'])
        self.assertFalse(cards[self.connection.bill_journal_id][0]['has_tie_out'])

    def test_not_connected(self):
        self.connection.state = 'draft'
        self.assertEqual(self.cards(), {})

    def test_who_sees_it(self):
        """Whoever may read the connection and its ledger sees it. Other readers of the dashboard see nothing of it."""
        for role in ('accountant', 'bookkeeper', 'auditor', 'manager'):
            with self.subTest(role=role):
                self.assertEqual(len(self.cards(self.as_person(self.person(role)))), 2)
        env = self.as_person(self.env['res.users'].search([('login', '=', 'ramp_accountant')]))
        self.env['ir.rule'].create(
            {
                'name': 'Nobody sees a connection',
                'model_id': self.env['ir.model']._get_id('ramp.connection'),
                'domain_force': "[('id', '=', 0)]",
            }
        )
        self.assertEqual(self.cards(env), {})

    def test_constant_queries(self):
        """The figures take as many queries for many journals and connections as for one."""
        journals = self.connection.card_journal_id
        counts = []
        for _time in range(3):
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            self.assertEqual(len(journals._list_ramp_figures()), len(journals))
            counts.append(self.env.cr.sql_log_count - before)
            for number in range(3):
                journal = self.connection.card_journal_id.copy({'code': f'R{len(journals)}{number}'})
                journal.default_account_id = self.connection.card_account_id
                self.connection.copy(
                    {'state': 'connected', 'card_journal_id': journal.id, 'ramp_entity_id': self.primary}
                    | {'api_url': f'http://localhost/{len(journals)}'}
                ).sudo().write({'state': 'connected'})
                journals += journal
        self.assertEqual(counts[1], counts[2])


@tagged('post_install', '-at_install', 'ramp', 'ramp_tour')
class TestJournalDashboardTours(JournalCase, BrowserCase):
    def test_card(self):
        self.connection.name = 'Ramp of the tour'
        user = self.person('manager')
        self.start_tour('/odoo/accounting', 'ramp_connector_journal_card', login=user.login)


@tagged('post_install', '-at_install', 'ramp', 'ramp_tour')
class TestEmptyJournalDashboardTours(ScreenCase, BrowserCase):
    """The tie-out of a connection that has read nothing yet."""

    def test_nothing_read(self):
        kind = self.env['report.ramp_connector.dashboard'].get_tie_out(self.connection.id)['kind']
        self.assertEqual(kind, 'empty')

    def test_card(self):
        self.start_tour('/odoo/accounting', 'ramp_connector_journal_card_empty', login=self.person('manager').login)
