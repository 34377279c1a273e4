# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Many objects on hold are settled by a few clicks, each of which settles a cause for all of its objects."""

import logging
import time

from odoo import Command
from odoo.tests import Form, new_test_user, tagged

from ..simulator import coding
from ..simulator.endpoints import users
from .common import RampCase, StatementsCase
from .test_query_counts import QueryCounting

_logger = logging.getLogger(__name__)
STRANGERS = (('Grace', 'Hopper'), ('Alan', 'Turing'), ('Mary', 'Shelley'), ('Karl', 'Benz'), ('Rosa', 'Bonheur'))
MOST_CLICKS = 3  # for each cause
MOST_RUNS = 1  # of the job, after the last click


@tagged('post_install', '-at_install', 'ramp')
class TestManyHeld(QueryCounting, RampCase):
    """An unknown account, unknown cardholders, an inactive currency and a locked period hold many objects."""

    def once(self):
        super().once()
        coding.add_gl_account(self.ramp.state, 'X-1', 'Insurance', '6700')
        self.strangers = [
            users.make_user(self.ramp.state, first, last, f'{last.lower()}@example.com')['id']
            for first, last in STRANGERS
        ]
        self.env.ref('base.EUR').active = False
        self.company.fiscalyear_lock_date = '2026-06-30'

    def test_few(self):
        self.hold_and_settle(8)

    def test_many(self):
        """500 objects: the queries of a click do not grow with the objects, nor do those of an object with the batch."""
        with self.isolated():
            few = self.hold_and_settle(40)
        many = self.hold_and_settle(500)
        for click, count in few['clicks'].items():
            # A few more where a cache was emptied in between; 460 more objects would be at least as many queries
            self.assertLessEqual(many['clicks'][click], count + 20, click)
        self.assertLessEqual((many['run'] - few['run']) / 460, 1.5)
        _logger.info('500 objects on hold: %(number)s clicks, %(seconds).1f s of jobs', many)

    def hold(self, count):
        """Add objects on hold, a quarter for each cause. Returns their Ramp ids."""
        day = '2026-07-05T12:00:00+00:00'
        return [
            ramp_id
            for number in range(count // 4)
            for ramp_id in (
                self.spend(1000 + number, account='X-1', date=day),
                self.spend(2000 + number, user=self.strangers[number % len(self.strangers)], date=day),
                self.spend(3000 + number, currency='EUR', date=day),
                self.spend(4000 + number, date='2026-06-05T12:00:00+00:00'),
            )
        ]

    def click(self, name, button, *args):
        """Press a button, and count it."""
        self.env.flush_all()
        self.env.invalidate_all()
        self.clicks.append(name)
        with self.counting(name):
            result = button(*args)
            self.env.flush_all()
        return result

    def cause(self, kind):
        return self.env['ramp.cause'].search([('connection_id', '=', self.connection.id), ('kind', '=', kind)])

    def settle_causes(self):
        """Press the buttons of the causes as the screen does. A dialog that opens is the page of the next click."""
        option = self.cause('map_option')
        action = self.click('account: Map', option.action_solve)
        form = Form(self.env['ramp.mapping'].with_context(**action['context']), view=action['views'][0][0])
        self.click('account: choose it', setattr, form, 'account_id', self.account_travel)
        mapping = form.save()
        self.click('account: save', mapping.action_confirm)
        people = self.cause('cardholder')
        self.assertGreater(len(people), 1, 'one cause for each person')
        action = self.click('cardholder: Match', people[0].action_solve)
        match = self.env['ramp.cardholder.match'].browse(action['res_id'])
        self.click('cardholder: New Employees', match.action_create_others)
        self.click('cardholder: confirm', match.action_confirm)
        self.click('currency: Activate', self.cause('currency').action_solve)
        self.click('lock: Post on First Open Day', self.cause('lock_date').action_solve)
        self.click('lock: confirm', lambda: None)

    def hold_and_settle(self, count):
        """Hold objects, settle the causes, and run the jobs until all are posted. Returns what it took."""
        self.clicks = []
        held = self.hold(count)
        self.sync('transaction')
        rows = self.env['ramp.record'].search([('ramp_id', 'in', held)])
        self.assertEqual(rows.mapped('state'), ['held'] * len(held))
        self.counts.clear()
        self.settle_causes()
        for kind in {name.partition(':')[0] for name in self.clicks}:
            self.assertLessEqual(sum(name.startswith(f'{kind}:') for name in self.clicks), MOST_CLICKS, kind)
        started, runs = time.monotonic(), 0
        with self.counting('run'):
            while set(rows.mapped('state')) != {'confirmed'} and runs < 20:
                self.sync('transaction', now=False)
                runs += 1
        self.assertEqual(set(rows.mapped('state')), {'confirmed'}, set(rows.mapped('error_message')))
        self.assertLessEqual(runs, MOST_RUNS)
        self.assertFalse(self.env['ramp.cause'].search([('connection_id', '=', self.connection.id)]))
        self.env.cr.execute(
            """
            SELECT count(*), count(DISTINCT r.res_id) FROM ramp_record r
              JOIN account_move m ON m.id = r.res_id AND r.res_model = 'account.move' AND m.state = 'posted'
             WHERE r.id = ANY(%s)
            """,
            [rows.ids],
        )
        self.assertEqual(self.env.cr.fetchone(), (len(held), len(held)), 'each is posted once')
        return {
            'clicks': {name: self.counts[name] for name in self.clicks},
            'number': len(self.clicks),
            'run': self.counts['run'],
            'seconds': time.monotonic() - started,
        }


@tagged('post_install', '-at_install', 'ramp')
class TestStatementFollows(StatementsCase):
    def once(self):
        super().once()
        self.accountant = new_test_user(
            self.env,
            'statement_accountant',
            'base.group_user,account.group_account_invoice',
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
        )

    def as_accountant(self, records):
        return records.with_user(self.accountant).with_context(allowed_company_ids=self.company.ids)

    def count_calls(self):
        """How often the job of card statements is called."""
        cron = self.env.ref('ramp_connector.cron_statement')
        return self.env['ir.cron.trigger'].search_count([('cron_id', '=', cron.id)])

    def hold_statement(self, account='X-1'):
        """Add two charges, which nobody can post without an account, and their statement, which waits for them."""
        coding.add_gl_account(self.ramp.state, 'X-1', 'Insurance', '6700')
        charges = [
            self.spend(minor, account=account, date='2026-07-05T12:00:00+00:00', merchant='Chairs')
            for minor in (1000, 2000)
        ]
        statement = self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        self.sync('statement', now=False)
        self.assertEqual(self.record(self.sections(statement)[0], 'statement').state, 'held')
        self.assertFalse(self.count_calls())
        return statement, self.env['ramp.record'].concat(*(self.record(ramp_id) for ramp_id in charges))

    def assertPostedByCall(self, statement):
        """The statement is posted by one call, without the job's own turn."""
        self.assertEqual(self.count_calls(), 1)
        self.sync('statement', now=False)
        self.assertEqual(self.bill(statement).state, 'posted')
        self.assertFalse(self.count_calls())

    def test_ignored(self):
        """The job of card statements is called once when a person ignores the charges that a statement waits for."""
        statement, charges = self.hold_statement()
        self.as_accountant(charges)._ignore_by_person('Posted by hand')
        self.assertPostedByCall(statement)

    def test_linked(self):
        statement, charges = self.hold_statement()
        self.as_accountant(charges[0])._ignore_by_person('Posted by hand')
        self.sync('statement', now=False)
        self.assertFalse(self.bill(statement), 'the other charge is still open')
        entry = self.env['account.move'].create(
            {
                'move_type': 'entry',
                'company_id': self.company.id,
                'date': '2026-07-05',
                'journal_id': self.connection.card_journal_id.id,
                'line_ids': [
                    Command.create({'account_id': account.id, 'balance': balance, 'tax_ids': [Command.clear()]})
                    for account, balance in ((self.account_meals, 20), (self.connection.card_account_id, -20))
                ],
            }
        )
        entry._post(soft=False)
        self.as_accountant(charges[1])._link_to_document(self.as_accountant(entry))
        self.assertPostedByCall(statement)

    def test_posted_by_hand(self):
        """Charges that are left as drafts are posted by a person."""
        self.connection.card_post = 'draft'
        statement, charges = self.hold_statement(self.external(self.account_meals))
        entries = self.env['account.move'].browse(charges.mapped('res_id'))
        self.assertEqual(set(entries.mapped('state')), {'draft'})
        self.as_accountant(entries).action_post()
        self.assertPostedByCall(statement)

    def test_no_statement_waits(self):
        """Nothing is called in vain."""
        charge = self.spend(1000, account=None, date='2026-07-05T12:00:00+00:00')
        self.sync('transaction')
        before = self.count_calls()
        self.as_accountant(self.record(charge))._ignore_by_person('Posted by hand')
        self.assertEqual(self.count_calls(), before)

    def test_statement_follows_its_lines(self):
        """The job of card statements is called when a line was posted. Its own turn comes hours later."""
        coding.add_gl_account(self.ramp.state, 'X-1', 'Insurance', '6700')
        self.spend(1000, account='X-1', date='2026-07-05T12:00:00+00:00')
        statement = self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        cause = self.env['ramp.cause'].search([('connection_id', '=', self.connection.id), ('kind', '=', False)])
        self.assertRegex(cause.name, 'Some lines of the card statement are not posted.*posted by itself')
        option = self.env['ramp.cause'].search(
            [('connection_id', '=', self.connection.id), ('kind', '=', 'map_option')]
        )
        context = option.action_solve()['context']
        self.env['ramp.mapping'].with_context(**context).create({'account_id': self.account_travel.id})
        self.sync('statement', 'transaction', now=False)
        self.assertFalse(self.bill(statement), 'it was looked at before its line was posted')
        called = [('cron_id', '=', self.env.ref('ramp_connector.cron_statement').id)]
        self.assertTrue(self.env['ir.cron.trigger'].search_count(called))
        self.sync('statement', now=False)
        self.assertEqual(self.bill(statement).state, 'posted')
        self.sync('transaction', now=False)
        self.assertFalse(self.env['ir.cron.trigger'].search_count(called), 'nothing waits')
