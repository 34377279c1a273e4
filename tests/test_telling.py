# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""Who is told what: activities of the responsible person, the digest, logs of decisions, and what buttons say."""

import functools
import threading
from datetime import timedelta
from unittest.mock import patch

from psycopg2.errors import SerializationFailure

from odoo import SUPERUSER_ID, Command
from odoo.api import Environment
from odoo.exceptions import AccessError, ValidationError
from odoo.sql_db import db_connect
from odoo.tests import Form, TransactionCase, new_test_user, tagged
from odoo.tools import html2plaintext, mute_logger

from ..models import ramp_connection_api, ramp_connection_notices
from ..models.ramp_connection_notices import ACTIVITY_TYPES
from ..models.ramp_connection_seat import IntegrationLost
from ..ramp_api import RampAuthError
from ..simulator import coding
from ..simulator.endpoints import users
from .common import RampCase
from .properties import in_turn
from .smoke import SmokeTags

FLOW = 'odoo.addons.ramp_connector.flows.engine.flow'


class TellingCase(RampCase):
    def once(self):
        super().once()
        coding.add_gl_account(self.ramp.state, 'X-1', 'Insurance', '6700')
        coding.add_gl_account(self.ramp.state, 'X-2', 'Gifts', '6800')
        other = self.env['res.company'].create({'name': 'Elsewhere'})
        there = {'company_id': other.id, 'company_ids': [Command.set(other.ids)]}
        here = {'company_id': self.company.id, 'company_ids': [Command.set(self.company.ids)]}
        self.person, self.auditor, self.stranger = (
            new_test_user(self.env, name, groups, **place)
            for name, groups, place in (
                ('anna', 'account.group_account_invoice', here),
                ('auditor', 'account.group_account_readonly', here),
                ('stranger', 'account.group_account_manager', there),
            )
        )

    def activities(self, kind=None):
        self.env.invalidate_all()
        xmlids = [ACTIVITY_TYPES[kind]] if kind else ACTIVITY_TYPES.values()
        return self.env['mail.activity'].search(
            [
                ('res_model', '=', 'ramp.connection'),
                ('res_id', '=', self.connection.id),
                ('activity_type_id', 'in', [self.env.ref(xmlid).id for xmlid in xmlids]),
            ]
        )

    def choose(self, user=None):
        self.connection.responsible_id = user or self.person

    def settle(self, key='X-1'):
        """Decide that an option means an account, so that its cause is gone with the next run."""
        self.env['ramp.mapping'].create(
            {
                'connection_id': self.connection.id,
                'name': key,
                'ramp_type': 'GL_ACCOUNT',
                'ramp_key': key,
                'target': 'account',
                'account_id': self.account_meals.id,
            }
        )


@tagged('post_install', '-at_install', 'ramp')
class TestActivities(TellingCase):
    def test_nobody_is_told_unless_somebody_is_chosen(self):
        self.assertFalse(self.connection.responsible_id)
        self.spend(account='X-1')
        self.sync('transaction')
        self.assertFalse(self.activities())
        self.assertFalse(self.connection.notices)

    def test_who_may_be_responsible(self):
        gone = self.person.copy({'login': 'gone'})
        gone.active = False
        for user in (self.stranger, self.auditor, gone):
            with self.subTest(user.login), self.assertRaisesRegex(ValidationError, 'cannot be responsible'):
                self.choose(user)
        self.choose()
        with Form(self.connection) as form:
            form.responsible_id = self.person
        # The rights may be lost later
        self.spend(account='X-1')
        self.sync('transaction')
        self.assertTrue(self.activities())
        self.person.group_ids = self.env.ref('base.group_user')
        self.sync('transaction')
        self.assertFalse(self.activities() or self.connection.notices)

    def test_one_for_all_causes(self):
        self.choose()
        for amount in (1000, 2000, 3000):
            self.spend(amount, account='X-1')
        self.spend(4000, account='X-2')
        self.sync('transaction')
        activity = self.activities()
        self.assertEqual(
            (len(activity), activity.user_id, activity.summary), (1, self.person, '2 causes need attention')
        )
        text = html2plaintext(activity.note)
        self.assertRegex(text, '3 records: The account "Insurance"')
        self.assertRegex(text, '1 record: The account "Gifts"')
        self.assertIn('/odoo/ramp-attention', activity.note)
        # Updated in place
        self.spend(5000, account='X-2')
        self.sync('transaction')
        self.assertEqual(self.activities(), activity)
        self.assertRegex(html2plaintext(activity.note), '2 records: The account "Gifts"')
        # Nothing is written if nothing changed
        written = []
        for model in ('mail.activity', 'ramp.connection'):
            write = type(self.env[model]).write
            self.patch(
                type(self.env[model]),
                'write',
                lambda records, vals, write=write: written.append(vals) or write(records, vals),
            )
        self.sync('transaction', now=False)
        self.assertFalse(written)

    def test_no_mail(self):
        messages, mails, notifications = (
            self.env[model].search_count([]) for model in ('mail.message', 'mail.mail', 'mail.notification')
        )
        self.choose()
        logged = self.env['mail.message'].search_count([]) - messages
        for number in range(5):
            self.spend(1000 + number, account='X-1')
        self.sync('transaction')
        self.assertTrue(self.activities())
        self.assertEqual(self.env['mail.message'].search_count([]) - messages - logged, 0)
        self.settle()
        self.sync('transaction')
        self.assertFalse(self.activities())
        self.assertEqual(self.env['mail.mail'].search_count([]), mails)
        self.assertEqual(self.env['mail.notification'].search_count([]), notifications)

    def test_closed_by_itself(self):
        self.choose()
        self.spend(account='X-1')
        self.sync('transaction')
        [activity] = self.activities()
        self.settle()
        self.sync('transaction')
        self.assertFalse(self.activities())
        self.assertFalse(activity.active)
        self.assertEqual(activity.feedback, 'Nothing needs attention any more.')
        self.assertIn('Nothing needs attention any more.', ' '.join(self.connection.message_ids.mapped('body')))
        # It is new if it comes back
        self.env['ramp.mapping'].search([('ramp_key', '=', 'X-1')]).unlink()
        self.spend(account='X-1')
        self.sync('transaction')
        self.assertEqual(len(self.activities()), 1)

    def test_dismissed_stays_dismissed(self):
        self.choose()
        first = self.spend(account='X-1')
        self.sync('transaction')
        self.activities().with_user(self.person).action_done()
        self.spend(account='X-1')
        self.sync('transaction')
        self.record(first).action_retry()
        self.sync('receipt')
        self.sync('transaction')
        self.sync('watch')
        self.assertFalse(self.activities(), 'the person knows this cause')
        self.spend(account='X-2')
        self.sync('transaction')
        [activity] = self.activities()
        self.assertEqual(activity.summary, '2 causes need attention')
        # Deleted, which is the same
        activity.with_user(self.person).unlink()
        self.sync('transaction')
        self.assertFalse(self.activities())
        # What was gone for a night is new
        self.settle('X-1')
        self.sync('transaction')
        self.sync('watch')
        self.env['ramp.mapping'].search([('ramp_key', '=', 'X-1')]).unlink()
        self.spend(account='X-1')
        self.sync('transaction')
        self.assertEqual(len(self.activities()), 1)

    def test_another_person(self):
        self.choose()
        self.spend(account='X-1')
        self.sync('transaction')
        self.activities().with_user(self.person).action_done()
        other = new_test_user(
            self.env,
            'otto',
            'account.group_account_user',
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
        )
        self.choose(other)
        self.assertEqual(self.activities().user_id, other, 'told at once')
        self.connection.responsible_id = False
        self.assertFalse(self.activities() or self.connection.notices)
        self.choose()
        self.connection.action_disconnect()
        self.assertFalse(self.activities() or self.connection.notices)

    def test_a_kind_that_nobody_wants(self):
        self.env.ref(ACTIVITY_TYPES['causes']).active = False
        self.choose()
        self.spend(account='X-1')
        self.sync('transaction')
        self.assertFalse(self.activities())

    @mute_logger(FLOW)
    def test_sync_that_fails_again_and_again(self):
        self.choose()
        self.ramp.faults.add_fault('server_error', '/transactions*', count=1000)
        for _number in range(2):
            self.sync('transaction', now=False)
            self.assertFalse(self.activities(), 'one failure is no news')
        self.sync('transaction', now=False)
        [activity] = self.activities('sync')
        self.assertIn('500', html2plaintext(activity.note))
        self.sync('transaction', now=False)
        self.assertEqual(self.activities(), activity)
        activity.with_user(self.person).action_done()
        self.sync('transaction', now=False)
        self.assertFalse(self.activities())
        self.ramp.faults.clear_faults()
        self.sync('transaction', now=False)
        self.assertFalse(self.activities() or self.connection.notices)

    @mute_logger(FLOW)
    def test_nightly_job_that_fails_twice(self):
        self.choose()
        self.ramp.faults.add_fault('server_error', '/transactions*', count=1000)
        run = self.sync('transaction', now=False)
        run.started_at -= timedelta(days=1)
        self.sync('transaction', now=False)
        [activity] = self.activities('sync')
        self.ramp.faults.clear_faults()
        self.sync('transaction', now=False)
        self.assertEqual((activity.active, activity.feedback), (False, 'The synchronization works again.'))

    @mute_logger(FLOW)
    def test_silence(self):
        self.choose()
        quick = functools.partial(ramp_connection_api.RampClient, answer_seconds=0.2, timeout=(1, 1))
        self.patch(ramp_connection_api, 'RampClient', quick)
        self.ramp.faults.add_fault('hang')
        self.sync('transaction', now=False)
        self.assertFalse(self.activities())
        self.connection.silent_since -= timedelta(hours=2)
        self.sync('transaction', now=False)
        [activity] = self.activities('sync')
        self.assertEqual(activity.summary, 'Ramp does not answer')
        self.ramp.faults.clear_faults()
        self.sync('transaction', now=False)
        self.assertFalse(self.activities())

    @mute_logger(FLOW)
    def test_lost_integration(self):
        self.choose()
        self.spend()  # the integration is checked before something is posted
        with patch.object(
            type(self.connection), '_check_own_seat', side_effect=IntegrationLost('It is now held by "Other Books".')
        ):
            run = self.sync('transaction', now=False)
            self.assertEqual(run.failure_kind, 'integration')
            [activity] = self.activities()
            self.assertEqual(activity.activity_type_id, self.env.ref(ACTIVITY_TYPES['integration']))
            self.assertIn('Other Books', activity.note)
            for _number in range(3):
                self.sync('transaction', now=False)
            self.assertEqual(self.activities(), activity, 'one activity for one reason')
        self.sync('seat', now=False)
        self.assertFalse(self.activities(), 'the job of the integration has proved it')
        self.assertEqual(activity.feedback, 'Odoo has the accounting integration again.')

    @mute_logger(FLOW)
    def test_refused_credentials(self):
        self.choose()
        self.spend()
        with patch.object(type(self.connection), '_check_own_seat', side_effect=RampAuthError('No', status=401)):
            run = self.sync('transaction', now=False)
        self.assertEqual(run.failure_kind, 'credentials')
        [activity] = self.activities('integration')
        self.assertEqual(activity.summary, 'Ramp refuses the client id and secret')

    def test_a_failure_to_tell_is_no_failure_of_the_run(self):
        self.choose()
        ramp_id = self.spend()
        with patch.object(type(self.connection), '_find_notices', side_effect=ValueError), mute_logger(FLOW):
            runs = self.sync('transaction', now=False)
        self.assertEqual(runs.state, 'done')
        self.assertConfirmed(ramp_id)

    def test_many_causes(self):
        self.patch(ramp_connection_notices, 'MOST_CAUSES', 1)
        self.choose()
        self.spend(account='X-1')
        self.spend(account='X-2')
        self.sync('transaction')
        self.assertIn('and 1 more', html2plaintext(self.activities().note))

    def test_texts_of_ramp_are_escaped(self):
        self.choose()
        coding.add_gl_account(self.ramp.state, 'X-3', '<img src=x onerror=alert(1)>', '6900')
        self.spend(account='X-3')
        self.sync('transaction')
        self.assertNotIn('<img', self.activities().note)
        self.assertIn('onerror', html2plaintext(self.activities().note))


@tagged('post_install', '-at_install', 'ramp')
class TestTwoJobs(SmokeTags, TransactionCase):
    """Two jobs that end at the same moment create one activity. This needs two real transactions."""

    def real_environment(self):
        cursor = db_connect(self.env.cr.dbname).cursor()
        self.addCleanup(cursor.close)
        cursor.execute("SET LOCAL lock_timeout = '20s'")
        return Environment(cursor, SUPERUSER_ID, {'mail_create_nolog': True})

    def test_two_at_once(self):
        setup = self.real_environment()
        connection = setup['ramp.connection'].create({'name': 'Two jobs', 'environment': 'sandbox'})
        # Otherwise the second job would fail because of the follower already
        connection.message_subscribe(partner_ids=setup.ref('base.partner_admin').ids)
        setup.flush_all()
        # Not as a user does, because nothing of this is to be sent to Ramp
        setup.cr.execute(
            "UPDATE ramp_connection SET state = 'connected', responsible_id = %s WHERE id = %s",
            [setup.ref('base.user_admin').id, connection.id],
        )
        setup.cr.commit()
        self.addCleanup(self.remove, connection.id)
        notice = ramp_connection_notices.Notice(frozenset({'1'}), 'Something', ramp_connection_notices.Markup('Text'))
        self.patch(type(self.env['ramp.connection']), '_find_notices', lambda connection: {'causes': notice})
        first, second = self.real_environment(), self.real_environment()
        jobs = [env['ramp.connection'].browse(connection.id) for env in (first, second)]
        for job in jobs:
            job.read(['notices'])  # each has its snapshot
        jobs[0]._tell_responsible()
        first.flush_all()
        failures = []

        def tell():
            try:
                jobs[1]._tell_responsible()
                second.flush_all()
            except SerializationFailure as failure:
                failures.append(failure)

        thread = threading.Thread(target=tell)
        with mute_logger('odoo.sql_db'):
            thread.start()
            thread.join(1)
            first.cr.commit()
            thread.join(30)
        self.assertEqual(len(failures), 1, 'the second job is repeated')
        second.cr.rollback()
        second.transaction.clear()
        jobs[1]._tell_responsible()
        second.cr.commit()
        self.assertEqual(len(jobs[1]._open_notices()), 1)

    def remove(self, connection_id):
        env = self.real_environment()
        connection = env['ramp.connection'].browse(connection_id)
        env.cr.execute("UPDATE ramp_connection SET state = 'draft' WHERE id = %s", [connection_id])
        connection._open_notices().unlink()
        connection.unlink()
        env.cr.commit()


@tagged('post_install', '-at_install', 'ramp')
class TestWhatButtonsSay(TellingCase):
    def said(self, action):
        self.assertEqual((action['type'], action['tag']), ('ir.actions.client', 'display_notification'))
        return action['params']['message']

    def test_retry(self):
        held = [self.spend(amount, account='X-1') for amount in (1000, 2000)]
        booked = self.spend(3000)
        self.sync('transaction')
        rows = self.record(held[0]) + self.record(held[1]) + self.record(booked)
        self.assertEqual(
            self.said(rows.with_user(self.person).action_retry()), '2 records are tried again. 1 was in order already.'
        )
        self.assertEqual(self.record(held[0]).decision, 'retry')
        self.assertEqual(self.record(held[0]).decided_by_id, self.person)
        self.assertTrue(self.record(held[0]).decided_at)
        self.assertFalse(self.record(booked).decision)
        message = self.connection.message_ids[0]
        self.assertEqual(message.author_id, self.person.partner_id)
        self.assertIn('Retry: Card transactions (2)', message.body)
        self.assertFalse(message.notification_ids)
        self.sync('transaction')
        self.assertEqual(self.said(self.record(held[0]).action_retry()), '1 record is tried again.')

    def test_kept_as_posted(self):
        ramp_id = self.spend(1000)
        self.sync('transaction')
        self.move(ramp_id).button_draft()
        self.sync('watch')
        row = self.record(ramp_id)
        self.assertEqual(row.finding, 'draft')
        self.assertEqual(self.said(row.with_user(self.person).action_retry()), '1 document stays as it is posted.')
        self.assertEqual((row.decision, row.decided_by_id), ('keep', self.person))
        message = self.move(ramp_id).message_ids[0]
        self.assertIn('Kept as posted, although it differs from Ramp.', message.body)
        self.assertEqual(message.author_id, self.person.partner_id)

    def test_ignore(self):
        held = [self.spend(amount, account='X-1') for amount in (1000, 2000)]
        self.sync('transaction')
        rows = self.record(held[0]) + self.record(held[1])
        wizard = (
            self.env['ramp.record.ignore']
            .with_user(self.person)
            .create({'record_ids': [Command.set(rows.ids)], 'reason': 'Posted by hand'})
        )
        action = wizard.action_confirm()
        self.assertEqual(self.said(action), '2 records are ignored. Press Retry on them to take that back.')
        self.assertEqual(action['params']['next'], {'type': 'ir.actions.act_window_close'})
        self.assertEqual(set(rows.mapped('decision')), {'ignore'})
        self.assertEqual(rows.decided_by_id, self.person)
        self.assertIn('Ignore: Card transactions (2)', self.connection.message_ids[0].body)

    def test_map(self):
        for amount in (1000, 2000):
            self.spend(amount, account='X-1')
        self.sync('transaction')
        [cause] = self.env['ramp.cause'].search([('connection_id', '=', self.connection.id)])
        action = cause.with_user(self.person).action_solve()
        with Form(
            self.env['ramp.mapping'].with_user(self.person).with_context(**action['context']),
            view=action['views'][0][0],
        ) as form:
            form.account_id = self.account_travel
        message = self.connection.message_ids[0]
        self.assertIn('Map: "Insurance" means', message.body)
        self.assertEqual(message.author_id, self.person.partner_id)
        said = self.said(form.record.action_confirm())
        self.assertRegex(said, '^"Insurance" means .* from now on. 2 records are tried again.$')

    def test_match(self):
        stranger = users.make_user(self.ramp.state, 'Grace', 'Hopper', 'grace@example.com')['id']
        self.spend(1000, user=stranger)
        self.sync('transaction')
        cause = self.env['ramp.cause'].search([('kind', '=', 'cardholder')])
        match = self.env['ramp.cardholder.match'].browse(cause.action_solve()['res_id'])
        match.line_ids.create_employee = True
        self.assertEqual(self.said(match.action_confirm()), '1 person is matched. 1 record is tried again.')

    def test_post_on_first_open_day(self):
        self.spend(1000, date='2026-07-05T12:00:00+00:00')
        self.company.fiscalyear_lock_date = '2026-12-31'
        self.sync('transaction')
        cause = self.env['ramp.cause'].search([('kind', '=', 'lock_date')])
        self.assertEqual(self.said(cause.action_solve()), '1 record is tried again.')

    def test_sync_now(self):
        """The page shows what became of the request of this user, once all jobs have run."""
        self.spend(1000)
        self.spend(2000, account='X-1')
        outcome = lambda user: self.connection.with_user(user).sync_outcome
        self.connection.with_user(self.person).action_sync_now()
        due = outcome(self.person)['due']
        self.assertGreater(due, 2)
        self.assertEqual(outcome(self.person), {'is_over': False, 'text': '', 'done': 0, 'due': due})
        self.assertFalse(outcome(self.env.user), 'another user has requested it')
        self.sync('transaction', now=False)
        self.assertEqual(
            outcome(self.person),
            {'is_over': False, 'text': 'Posted: 1, marked synced in Ramp: 1, on hold: 1.', 'done': 1, 'due': due},
        )
        flows = [
            flow
            for flow in self.connection._flow_models()
            if flow._get_cron_id() and flow._is_enabled_for(self.connection)
        ]
        for flow in flows:
            self.assertFalse(outcome(self.person)['is_over'], f'{flow._flow} has not run')
            if flow._flow != 'transaction':
                self.sync(flow._flow, now=False)
        self.assertTrue(outcome(self.person)['is_over'])
        self.assertEqual(outcome(self.person)['done'], due)
        self.assertLess(
            len(set(self.env['ramp.run'].search([]).mapped('flow'))),
            len(flows),
            'what has nothing to send starts no run',
        )
        self.env['ramp.flow.transaction']._trigger()
        self.env.invalidate_all()
        self.assertEqual(outcome(self.person)['done'], due - 1, 'a job that is called once more has still to run')
        self.sync('transaction', now=False)
        self.assertTrue(outcome(self.person)['is_over'])
        self.env['ramp.run'].search([]).write({'created': 0, 'confirmed': 0, 'held': 0})
        self.env.invalidate_all()
        self.assertEqual(outcome(self.person)['text'], 'There was nothing new, in Ramp or in Odoo.')
        self.connection.sync_requested_at -= timedelta(hours=1)
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertFalse(outcome(self.person))


@tagged('post_install', '-at_install', 'ramp')
class TestDigest(TellingCase):
    def digest(self):
        return self.env.ref('ramp_connector.digest_summary')

    def figures(self, user):
        digest = self.digest()
        return {
            kpi['kpi_name']: [kpi[f'kpi_col{column}'].get('value') for column in (1, 2, 3)]
            for kpi in digest._compute_kpis(self.company, user)
        }

    def test_off_until_chosen(self):
        digest = self.digest()
        self.assertEqual((digest.state, digest.user_ids.ids), ('deactivated', []))
        mails = self.env['mail.mail'].search_count([])
        digest.next_run_date = '2020-01-01'
        self.env['digest.digest'].search([('id', '!=', digest.id)]).state = 'deactivated'
        self.env['digest.digest']._cron_send_digest_email()
        self.assertEqual(self.env['mail.mail'].search_count([]), mails)
        others = self.env['digest.digest'].search([('id', '!=', digest.id)])
        self.assertFalse(any(others.mapped('kpi_ramp_posted')))

    @in_turn
    def test_figures(self):
        self.spend(1000)
        self.spend(2000)
        self.spend(3000, account='X-1')
        self.sync('transaction')
        # In tests, the clock of the database is behind
        self.env['ramp.run'].search([]).write({'started_at': self.env.cr.now() - timedelta(hours=1)})
        figures = self.figures(self.person)
        self.assertEqual(figures['kpi_ramp_posted'], [2, 2, 2])
        self.assertEqual(figures['kpi_ramp_attention'], [1, 1, 1])
        self.assertEqual(figures['kpi_ramp_waiting'], [0, 0, 0])
        report = self.env['report.ramp_connector.tie_out'].get_report(self.connection.id)
        self.assertEqual(figures['kpi_ramp_differences'], [report['status']['count']] * 3)
        self.assertGreater(report['status']['count'], 0)
        self.env['ramp.run'].search([]).write({'started_at': self.env.cr.now() - timedelta(days=3)})
        self.assertEqual(self.figures(self.person)['kpi_ramp_posted'], [0, 2, 2])

    def test_who_gets_them(self):
        employee = new_test_user(
            self.env, 'employee', company_id=self.company.id, company_ids=[Command.set(self.company.ids)]
        )
        self.assertEqual(self.figures(employee), {})
        with self.assertRaises(AccessError):
            self.digest().with_user(employee).read(['kpi_ramp_attention_value'])
        self.assertTrue(self.figures(self.auditor))

    def test_one_mail(self):
        digest = self.digest()
        digest.write({'user_ids': [Command.set(self.person.ids)], 'state': 'activated'})
        self.person.email = 'anna@example.com'
        for number in range(5):
            self.spend(1000 + number, account='X-1')
        self.sync('transaction')
        mails = self.env['mail.mail'].search([])
        digest.action_send_manual()
        [mail] = self.env['mail.mail'].search([]) - mails
        self.assertIn('Ramp: Needs Attention Now', mail.body_html)
