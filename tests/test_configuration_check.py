# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""The configuration check: each check finds what is right and what is wrong, and its button fixes what it can."""

import ast
import functools
import time
import uuid
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import psycopg2

from odoo import Command, fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from ..models import ramp_connection_api
from ..models.check_answers import CheckResult, RampAnswers
from ..models.ramp_connection_check import CHECKS
from ..ramp_api import RampAuthError, RampConnectionError, RampServerError
from .common import RampCase, StatementsCase
from .test_query_counts import QueryCounting
from .test_screens import ScreenCase

LOGGER = 'odoo.addons.ramp_connector.models.ramp_connection_check'
ANSWERS_LOGGER = 'odoo.addons.ramp_connector.models.check_answers'
# Checks that need an answer of Ramp
ASKED = {'client_secret', 'business', 'scopes', 'integration', 'entity', 'clock'}
MODELS = Path(__file__).resolve().parent.parent / 'models'


class CheckCase(RampCase):
    def check(self):
        """Press the button, and return the lines by their keys."""
        self.connection.action_test_connection()
        self.env.invalidate_all()  # a page is read in another transaction, and in the order of the lines
        return {check.check_key: check for check in self.connection.check_ids}

    def line(self, key):
        return self.connection.check_ids.filtered(lambda check: check.check_key == key)

    def assertCheck(self, key, level, case=None, pattern='.'):
        """Press the button: the line has this level and this sentence. Return the line."""
        line = self.check()[key]
        self.assertEqual(line.level, level, line.message)
        if case:
            self.assertEqual(line.case_name, case, line.message)
        self.assertRegex(line.message, pattern)
        if level == 'ok':
            self.assertFalse(line.fix_label)
        return line

    def assertFixed(self, key):
        """Press the button of the line: it is a repair, and the line says at once that all is right."""
        line = self.line(key)
        self.assertTrue(line.fix_label)
        self.assertIs(line.action_fix(), True)
        self.assertEqual(line.level, 'ok', line.message)
        self.assertCheck(key, 'ok')

    def opened(self, line):
        """Press the button of the line, and return the records that its list shows."""
        self.assertTrue(line.fix_label)
        action = line.action_fix()
        self.assertEqual(action['type'], 'ir.actions.act_window')
        return self.env[action['res_model']].with_context(active_test=False).search(action['domain'])

    def is_called(self, flow):
        """Whether the job of a flow is called; its calls are removed."""
        calls = self.env['ir.cron.trigger'].search([('cron_id', '=', self.env[f'ramp.flow.{flow}']._get_cron_id())])
        is_called = bool(calls)
        calls.unlink()
        return is_called


@tagged('post_install', '-at_install', 'ramp')
class TestConfigurationCheck(CheckCase):
    """The check as a whole: its page, its storage, and what it does when something fails."""

    def test_everything_is_right(self):
        self.sync('account', now=False)
        writes = len(self.ramp.list_write_calls())
        lines = self.check()
        self.assertEqual(list(lines), [key for key, _label in CHECKS])
        self.assertEqual({key: line.message for key, line in lines.items() if line.level != 'ok'}, {})
        self.assertEqual((self.connection.check_level, self.connection.check_summary), ('ok', 'All OK'))
        self.assertEqual(self.connection.checked_at, self.connection.check_ids[0].checked_at)
        self.assertEqual(len(self.ramp.list_write_calls()), writes, 'the check changes nothing in Ramp')
        self.assertEqual(set(self.connection.check_ids.mapped('fix_label')), {False})
        self.ramp.assert_clean()

    def test_each_case_has_a_sentence_and_each_button_does_something(self):
        """The code names cases and buttons by texts. Each of them exists, and none is left over."""
        Check = self.env['ramp.connection.check']
        cases, fixes = set(), set()
        for path in MODELS.glob('ramp_connection_check*.py'):
            for function in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
                if not isinstance(function, ast.FunctionDef) or not function.name.startswith('_judge_'):
                    continue
                key = function.name.removeprefix('_judge_')
                for call in ast.walk(function):
                    if isinstance(call, ast.Call) and getattr(call.func, 'id', '') == 'CheckResult':
                        constants = {
                            node.value
                            for part in (*call.args[1:2], *self._assigned(function, call.args[1:2]))
                            for node in ast.walk(part)
                            if isinstance(node, ast.Constant) and isinstance(node.value, str)
                        }
                        cases |= {(key if key in dict(CHECKS) else 'any', case) for case in constants}
                        fixes |= {node.value for node in call.args[3:4] if isinstance(node, ast.Constant)}
                        fixes |= {word.value.value for word in call.keywords if word.arg == 'fix_name'}
        sentences, labels = Check._get_sentences(), Check._get_fix_labels()
        self.assertEqual({case if case in sentences else ('any', case[1]) for case in cases}, sentences.keys())
        self.assertEqual(fixes, labels.keys())
        for key, _label in CHECKS:
            self.assertTrue(hasattr(Check, f'_judge_{key}'), key)
        for fix in labels:
            self.assertTrue(hasattr(Check, f'_fix_{fix}'), fix)

    @staticmethod
    def _assigned(function, arguments):
        """Return what a function assigns to a variable that stands for a case."""
        names = {argument.id for argument in arguments if isinstance(argument, ast.Name)}
        return [
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and names & {getattr(target, 'id', '') for target in node.targets}
        ]

    def test_each_sentence_can_be_read(self):
        """A line that an earlier version stored, with fewer parameters, does not break the page."""
        Check = self.env['ramp.connection.check']
        for (key, case), sentence in Check._get_sentences().items():
            line = Check.new({'check_key': CHECKS[0][0] if key == 'any' else key, 'level': 'error', 'case_name': case})
            with self.subTest(key=key, case=case):
                self.assertNotIn('%(', line.message)
                self.assertEqual(line.message.count('?') > 0, '%(' in sentence)
                self.assertRegex(line.message, r'[.?]$')

    def test_worst_first(self):
        self.env.ref('ramp_connector.cron_transaction').active = False
        self.check()
        levels = self.connection.check_ids.mapped('level')
        order = {'error': 0, 'warning': 1, 'unknown': 2, 'ok': 3}
        self.assertEqual(levels, sorted(levels, key=order.get))
        self.assertEqual(levels[0], 'error')
        self.assertEqual(self.connection.check_level, 'error')
        self.assertEqual(self.connection.check_summary, '1 error, 1 warning')  # no account is sent yet

    def test_page_and_button(self):
        action = self.connection.action_test_connection()
        self.assertEqual(action, self.connection.action_open_checks())
        self.assertEqual(action['views'][0][1], 'form')
        self.assertIs(self.connection.with_context(ramp_check_page=True).action_test_connection(), True)
        with self.assertRaisesRegex(UserError, 'nothing to fix'):
            self.line('scopes').action_fix()

    def test_lines_stay(self):
        """A line is changed and not made anew, so a page that is open still finds it. Lines of an earlier version go."""
        before = self.check()
        self.env.cr.execute(
            'INSERT INTO ramp_connection_check (connection_id, check_key, level, case_name, checked_at) '
            "VALUES (%s, 'something', 'ok', 'x', now())",
            [self.connection.id],
        )
        self.env.invalidate_all()
        self.ramp.scopes = ()
        self.assertEqual(self.check(), before)

    @mute_logger(LOGGER, 'odoo.sql_db')
    def test_check_that_fails(self):
        """A check that fails does not stop the others, whatever it raises."""
        Check = type(self.env['ramp.connection.check'])

        def broken(checks, connection, answers):
            checks.env.cr.execute('SELECT nothing_at_all')

        for failing, case in ((RuntimeError('boom'), 'broken'), (broken, 'broken'), (UserError('boom'), 'failed')):
            with self.subTest(case=case), patch.object(Check, '_judge_journals', autospec=True, side_effect=failing):
                lines = self.check()
                self.assertEqual((lines['journals'].level, lines['journals'].case_name), ('unknown', case))
                self.assertEqual('boom' in lines['journals'].message, case == 'failed')
                self.assertEqual([key for key, line in lines.items() if line.level == 'unknown'], ['journals'])
        self.assertCheck('journals', 'ok')

    def test_programming_error_is_logged(self):
        Check = type(self.env['ramp.connection.check'])
        with (
            patch.object(Check, '_judge_journals', autospec=True, side_effect=RuntimeError('boom')),
            self.assertLogs(LOGGER, 'ERROR') as logs,
        ):
            self.check()
        self.assertIn('boom', ''.join(logs.output))

    def test_another_transaction_in_the_way_is_no_result(self):
        """Odoo repeats the whole transaction then."""
        Check = type(self.env['ramp.connection.check'])
        error = psycopg2.errors.SerializationFailure()
        with (
            patch.object(Check, '_judge_journals', autospec=True, side_effect=error),
            self.assertRaises(psycopg2.errors.SerializationFailure),
        ):
            self.connection.action_test_connection()

    def test_ramp_that_does_not_answer(self):
        """What can be judged without Ramp is judged. Ramp is asked once."""
        for kind in ('drop_before', 'server_error'):
            self.ramp.faults.add_fault(kind)
            asked = len(self.ramp.requests)
            lines = self.check()
            with self.subTest(kind=kind):
                self.assertEqual({key for key, line in lines.items() if line.level == 'unknown'}, ASKED)
                self.assertIn(lines['api_address'].level, ('error', 'warning'))
                self.assertLessEqual(len(self.ramp.requests) - asked, 1)
                self.assertIn('unknown', self.connection.check_summary)
            self.ramp.faults.clear_faults()
            # The button of the line asks again
            self.assertIs(lines['api_address'].action_fix(), True)
            self.assertEqual(lines['api_address'].level, 'ok')

    @mute_logger(ANSWERS_LOGGER, LOGGER)
    def test_question_that_fails(self):
        """An odd answer to one question does not stop the others."""
        connection = type(self.connection)
        with patch.object(connection, '_accounting_providers', side_effect=AttributeError('odd')):
            lines = self.check()
        self.assertEqual([key for key, line in lines.items() if line.level == 'unknown'], ['integration'])

    def test_no_secret_is_stored_or_logged(self):
        secrets = (self.ramp.client_secret, self.ramp.client_id)
        with self.assertLogs('odoo.addons.ramp_connector', 'DEBUG') as logs:
            for fault in (None, 'drop_before', 'server_error'):
                if fault:
                    self.ramp.faults.add_fault(fault, count=1)
                for check in self.check().values():
                    for secret in secrets:
                        self.assertNotIn(secret, f'{check.parameters} {check.message} {check.copy_text}')
            self.connection.client_secret = 'of-another-app'
            self.check()
        written = '\n'.join(logs.output)
        self.assertNotIn('of-another-app', f'{written} {self.connection.check_ids.mapped("message")}')
        for secret in secrets:
            self.assertNotIn(secret, written)

    def test_nightly(self):
        """The nightly check stores the result, and asks nobody."""
        self.assertFalse(self.connection.check_ids)
        run = self.sync('watch', now=False)
        self.assertEqual((run.state, run.message), ('done', False))
        lines = {check.check_key: check.level for check in self.connection.check_ids}
        self.assertEqual(len(lines), len(CHECKS))
        self.assertEqual(lines['integration'], 'ok')
        self.ramp.assert_clean()

    @mute_logger(LOGGER)
    def test_nightly_goes_on(self):
        Check = type(self.env['ramp.connection.check'])
        with patch.object(Check, '_judge_business', autospec=True, side_effect=RuntimeError('boom')):
            run = self.sync('watch', now=False)
        self.assertEqual((run.state, self.connection.last_watch), ('done', run.started_at))
        self.assertEqual(self.line('business').level, 'unknown')


@tagged('post_install', '-at_install', 'ramp')
class TestBeforeConnecting(CheckCase):
    connect = False

    def test_nothing_is_wrong_before_connecting(self):
        lines = self.check()
        self.assertEqual({key: line.message for key, line in lines.items() if line.level != 'ok'}, {})
        self.assertEqual(lines['integration'].case_name, 'free')
        self.assertIn('"Card Journal"', lines['journals'].message)
        self.assertFalse(self.connection.card_journal_id)

    def test_integration_of_another_system(self):
        self.ramp.take_accounting_seat('QuickBooks Online')
        self.assertCheck('integration', 'error', 'taken', 'QuickBooks Online')

    def test_no_credentials(self):
        self.connection.write({'client_id': False, 'client_secret': False})
        lines = self.check()
        self.assertEqual((lines['client_secret'].level, lines['client_secret'].case_name), ('error', 'missing'))
        self.assertIn('no client id and secret', lines['business'].message)
        self.assertEqual(lines['client_secret'].action_fix()['res_id'], self.connection.id)
        self.assertEqual(len(self.ramp.requests), 0)

    def test_no_journal(self):
        journals = self.env['account.journal'].search([('company_id', '=', self.company.id), ('type', '=', 'purchase')])
        journals.active = False
        line = self.assertCheck('journals', 'warning', 'absent', '"Bill Journal"')
        self.assertGreaterEqual(self.opened(line), journals)


@tagged('post_install', '-at_install', 'ramp')
class TestRampsSide(CheckCase):
    """The way to Ramp, what it permits, and whose integration it has."""

    def judged(self, key, answers):
        """Return what a check finds with other answers of Ramp."""
        return self.env['ramp.connection.check']._judge_alone(key, self.connection, answers)

    def test_permissions(self):
        scopes = self.ramp.scopes
        self.ramp.scopes = tuple(scope for scope in scopes if scope not in ('receipts:read', 'users:write'))
        line = self.assertCheck('scopes', 'error', 'missing', 'receipts:read, users:write')
        action = line.action_fix()
        self.assertEqual((action['res_id'], action['target']), (line.id, 'new'))
        self.assertEqual(line.copy_text, 'receipts:read users:write')
        self.assertIn('copy_text', line.get_view(action['views'][0][0], 'form')['arch'])
        self.ramp.scopes = scopes
        line = self.assertCheck('scopes', 'ok')
        self.assertFalse(line.copy_text)

    def test_a_copy_asks_nothing(self):
        self.connection.database = 'another'
        asked = len(self.ramp.requests)
        line = self.assertCheck('live_database', 'error', 'copy', 'Make This the Live Database')
        self.assertEqual(line.action_fix()['res_model'], 'ramp.connection')
        self.assertEqual(len(self.ramp.requests), asked)
        self.assertIn('copy', self.line('business').message)

    def test_address(self):
        for error, level, case in (
            (RampConnectionError('no answer in time'), 'error', 'silent'),
            (RampServerError(), 'warning', 'trouble'),
            (RampAuthError(), 'ok', 'answers'),
            (UserError('Nothing is asked'), 'unknown', 'failed'),
        ):
            with self.subTest(error=error):
                result = self.judged('api_address', RampAnswers(trouble=error))
                self.assertEqual((result.level, result.case_name), (level, case))
        answers = RampAnswers()
        answers.ask_question('scopes', frozenset)
        for address, case in (
            ('http://ramp.example.com', 'plain'),
            ('http://localhost:8070', 'answers'),
            ('http://[::1]:8070', 'answers'),
            ('https://ramp.example.com', 'answers'),
        ):
            self.connection.api_url = address
            with self.subTest(address=address):
                self.assertEqual(self.judged('api_address', answers).case_name, case)

    def test_address_of_something_else(self):
        self.ramp.faults.add_fault('html_error')
        asked = len(self.ramp.requests)
        self.assertCheck('api_address', 'error', 'other', 'not the API of Ramp')
        self.assertLessEqual(len(self.ramp.requests) - asked, 1)

    def test_age_of_the_secret(self):
        self.assertCheck('client_secret', 'ok', 'young', r'\(days: \d\)')
        self.connection.credentials_since = self.env.cr.now().replace(microsecond=0) - timedelta(days=400, hours=1)
        line = self.assertCheck('client_secret', 'warning', 'old', 'days: 400')
        self.assertEqual(line.action_fix()['res_id'], self.connection.id)
        # A new secret has been in use since Ramp confirmed it
        self.ramp.client_secret = self.connection.client_secret = 'rotated'
        self.assertCheck('client_secret', 'ok', 'accepted')
        self.sync('transaction')
        self.assertLess(fields.Datetime.now() - self.connection.credentials_since, timedelta(hours=1))
        self.assertCheck('client_secret', 'ok', 'young')
        # Of an earlier version
        self.connection.credentials_since = False
        self.assertCheck('client_secret', 'ok', 'accepted')

    def test_age_stays_with_the_secret(self):
        since = self.connection.credentials_since = fields.Datetime.now() - timedelta(days=40)
        self.connection.action_disconnect()
        self.connection.action_connect()
        self.assertEqual(self.connection.credentials_since, since)

    def test_clock(self):
        original = ramp_connection_api.RampClient
        for seconds, level, case in (
            (0, 'ok', 'right'),
            (60, 'ok', 'right'),
            (600, 'warning', 'fast'),
            (-600, 'warning', 'slow'),
            (2000, 'error', 'fast'),
            (-2000, 'error', 'slow'),
        ):
            # `impatient` already is a partial
            client = functools.partial(original, clock=lambda seconds=seconds: time.time() + seconds)
            with self.subTest(seconds=seconds), patch.object(ramp_connection_api, 'RampClient', client):
                self.assertCheck('clock', level, case)
        answers = RampAnswers()
        answers.ask_question('clock', lambda: None)
        self.assertEqual(self.judged('clock', answers), CheckResult('unknown', 'untold'))

    def test_integration(self):
        seat = self.connection.accounting_connection_id
        connections = self.ramp.state['connections']
        self.assertCheck('integration', 'ok', 'held')
        settings = dict(connections.get_row(seat)['settings'])
        connections.update_row(seat, settings={**settings, 'vendor_credits_enabled': False})
        line = self.assertCheck('integration', 'warning', 'settings', 'vendor_credits_enabled')
        self.is_called('seat')
        self.assertEqual(line.action_fix()['params']['type'], 'success')
        self.assertTrue(self.is_called('seat'))
        self.sync('seat', now=False)
        self.assertCheck('integration', 'ok', 'held')
        connections.update_row(seat, is_active=False, status='unlinked')
        self.assertCheck('integration', 'error', 'released')
        self.ramp.take_accounting_seat('NetSuite', 'API')
        line = self.assertCheck('integration', 'error', 'lost', 'NetSuite')
        self.assertEqual(line.action_fix()['res_model'], 'ramp.connection')

    def test_entity(self):
        first, second = list(self.ramp.state['entities'])[:2]
        self.assertCheck('entity', 'ok', 'every', second['entity_name'])
        self.connection.ramp_entity_id = first['id']
        self.assertCheck('entity', 'ok', 'one', first['entity_name'])
        self.connection.ramp_entity_id = second['id']
        line = self.assertCheck('entity', 'warning', 'currency', 'EUR')
        self.assertEqual(line.action_fix()['res_id'], self.connection.id)
        self.connection.ramp_entity_id = str(uuid.uuid4())
        self.assertCheck('entity', 'error', 'missing', self.connection.ramp_entity_id)

    def test_entity_of_two_connections(self):
        first, second = (entity['id'] for entity in list(self.ramp.state['entities'])[:2])
        other = self.env['ramp.connection'].create(
            {
                'environment': 'sandbox',
                'company_id': self.env['res.company'].create({'name': 'Elsewhere'}).id,
                'expense_product_id': False,
                'merchant_partner_id': False,
            }
        )
        other.write({'state': 'connected', 'ramp_business_id': self.connection.ramp_business_id})
        self.assertCheck('entity', 'error', 'shared', 'Elsewhere')
        self.connection.ramp_entity_id = first
        self.assertCheck('entity', 'error', 'shared')
        other.ramp_entity_id = first.upper()
        self.assertCheck('entity', 'error', 'shared')
        other.ramp_entity_id = second
        self.assertCheck('entity', 'ok', 'one')

    def test_webhooks(self):
        self.assertCheck('webhooks', 'ok', 'without')
        self.connection.use_webhooks = True
        self.is_called('webhook')
        line = self.assertCheck('webhooks', 'warning', 'pending')
        self.assertEqual(line.action_fix()['params']['type'], 'success')
        self.assertTrue(self.is_called('webhook'))
        webhook = self.env['ramp.webhook'].create({'connection_id': self.connection.id, 'state': 'failed'})
        line = self.assertCheck('webhooks', 'warning', 'refused')
        line.action_fix()
        self.assertTrue(self.is_called('webhook'))
        webhook.write({'state': 'active', 'ramp_id': 'x'})
        self.assertCheck('webhooks', 'warning', 'gone')
        webhook.ramp_id = self.ramp.add_subscription(webhook._endpoint_url())['id']
        self.assertCheck('webhooks', 'ok', 'active')
        self.env['ramp.event'].create(
            {'connection_id': self.connection.id, 'event_id': 'x', 'type': 'x', 'received_at': '2026-01-02 00:00:00'}
        )
        line = self.assertCheck('webhooks', 'ok', 'heard')
        self.assertNotIn(webhook.token, f'{self.connection.check_ids.mapped("parameters")}')
        self.env['ir.config_parameter'].set_param('web.base.url', 'nowhere')
        self.assertCheck('webhooks', 'warning', 'private', 'nowhere')


@tagged('post_install', '-at_install', 'ramp')
class TestBooks(CheckCase):
    """Whether what comes from Ramp can be posted."""

    def test_chart(self):
        line = self.assertCheck('chart', 'warning', 'unsent')
        self.is_called('account')
        self.assertEqual(line.action_fix()['params']['type'], 'success')
        self.assertTrue(self.is_called('account'))
        self.sync('account', now=False)
        self.assertCheck('chart', 'ok', 'sent')
        row = self.env['ramp.record'].search([('flow', '=', 'account'), ('state', '=', 'confirmed')], limit=1)
        row.write({'state': 'held', 'hold_reason': 'refused', 'error_message': 'No'})
        line = self.assertCheck('chart', 'warning', 'refused', r'\b1 of')
        self.assertEqual(self.opened(line), row)
        self.connection.write({'account_policy': 'types', 'account_type_ids': [Command.clear()]})
        line = self.assertCheck('chart', 'error', 'untyped')
        self.assertEqual(line.action_fix()['res_id'], self.connection.id)
        self.env['account.account'].search(
            [('company_ids', 'in', self.company.ids), ('account_type', '=like', 'expense%')]
        ).active = False
        line = self.assertCheck('chart', 'error', 'missing', self.company.name)
        self.assertEqual(line.action_fix()['res_model'], 'res.config.settings')

    def test_coding(self):
        ramp_id = self.spend(account=self.external(self.account_travel))
        self.spend()
        self.account_travel.active = False
        self.sync()
        self.assertEqual(self.record(ramp_id).state, 'held')
        line = self.assertCheck('coding', 'warning', 'unknown', r'\(1\): .*Travel')
        self.is_called('account')
        line.action_fix()
        self.assertTrue(self.is_called('account'))
        self.account_travel.active = True
        self.assertCheck('coding', 'ok', 'known')

    def test_coding_that_nobody_can_read(self):
        ramp_id = self.spend(account=None)
        self.sync()
        self.record(ramp_id).payload = {'id': ramp_id}
        self.assertCheck('coding', 'ok', 'known')

    def test_journals_that_are_missing(self):
        journal = self.connection.bill_journal_id
        self.connection.write({'bill_journal_id': False, 'cashback_account_id': False})
        self.assertCheck('journals', 'error', 'missing', '"Bill Journal", "Cashback Income"')
        self.assertFixed('journals')
        self.assertEqual(self.connection.bill_journal_id, journal)
        self.assertTrue(self.connection.cashback_account_id)
        journals = self.env['account.journal'].search([('company_id', '=', self.company.id), ('type', '=', 'purchase')])
        self.connection.bill_journal_id = False
        journals.active = False
        line = self.assertCheck('journals', 'error', 'absent', '"Bill Journal"')
        self.assertGreaterEqual(self.opened(line), journals)

    def test_journals_that_are_archived(self):
        journal = self.connection.bill_journal_id
        journal.active = False
        line = self.assertCheck('journals', 'error', 'archived', journal.name)
        self.assertIn(journal, self.opened(line))
        journal.active = True
        self.assertCheck('journals', 'ok', 'complete')
        self.connection.card_account_id.active = False
        self.assertCheck('journals', 'error', 'archived_account', self.connection.card_journal_id.name)

    def test_currencies(self):
        euro = self.env.ref('base.EUR')
        self.assertCheck('currencies', 'ok', 'own', 'USD')
        self.spend(currency='EUR')
        self.sync()
        line = self.assertCheck('currencies', 'warning', 'old', 'EUR')
        self.assertEqual(self.opened(line), euro)
        rates = self.env['res.currency.rate'].search([('currency_id', '=', euro.id)])
        rate = self.env['res.currency.rate'].create(
            {'currency_id': euro.id, 'name': fields.Date.today(), 'rate': 0.8, 'company_id': self.company.id}
        )
        self.assertCheck('currencies', 'ok', 'rated', 'EUR')
        (rates | rate).unlink()
        line = self.assertCheck('currencies', 'error', 'unrated', 'EUR')
        self.assertEqual(self.opened(line), euro)
        euro.active = False
        line = self.assertCheck('currencies', 'error', 'inactive', 'EUR')
        self.assertEqual(self.opened(line), euro)

    def test_lock_dates(self):
        self.assertCheck('lock_dates', 'ok', 'open')
        self.company.fiscalyear_lock_date = '2026-03-31'
        self.assertCheck('lock_dates', 'ok', 'locked')
        ramp_id = self.spend(date='2026-03-10T12:00:00+00:00')
        self.sync()
        line = self.assertCheck('lock_dates', 'warning', 'waiting', '1 objects')
        self.assertEqual(self.opened(line), self.record(ramp_id))
        self.connection.lock_date_policy = 'next_open'
        self.assertCheck('lock_dates', 'ok', 'later')
        self.company.fiscalyear_lock_date = fields.Date.today() + timedelta(days=1)
        self.assertCheck('lock_dates', 'warning', 'today_later')
        self.connection.lock_date_policy = 'hold'
        line = self.assertCheck('lock_dates', 'error', 'today')
        self.assertEqual(line.action_fix()['type'], 'ir.actions.act_window')


@tagged('post_install', '-at_install', 'ramp')
class TestOpeningBalance(CheckCase, StatementsCase):
    def test_opening_balance(self):
        self.connection.start_date = '2026-06-01'
        self.assertCheck('opening_balance', 'ok', 'none')
        self.spend(2500, date='2026-07-03T12:00:00+00:00')
        self.spend(40000, date='2026-05-05T12:00:00+00:00')
        self.ramp.close_statement('2026-06-01')
        self.ramp.close_statement('2026-08-01')
        self.sync_statements()
        line = self.assertCheck('opening_balance', 'warning', 'differs', r'USD 400\.00.*USD 0\.00')
        self.assertEqual(line.action_fix()['tag'], self.connection.action_open_tie_out()['tag'])
        card, other = self.connection.card_account_id, self.account_meals
        self.env['account.move'].create(
            {
                'move_type': 'entry',
                'date': '2026-05-31',
                'line_ids': [
                    Command.create({'account_id': card.id, 'credit': 400, 'debit': 0}),
                    Command.create({'account_id': other.id, 'debit': 400, 'credit': 0}),
                ],
            }
        ).action_post()
        self.assertCheck('opening_balance', 'ok', 'agrees')
        self.connection.pull_statements = False
        self.assertCheck('opening_balance', 'ok', 'off')


@tagged('post_install', '-at_install', 'ramp')
class TestPeopleOfTheCheck(CheckCase):
    def test_cardholders(self):
        self.assertCheck('cardholders', 'ok', 'known')
        stranger = self.employees[1]
        stranger.work_email = 'somebody.else@example.com'
        user = list(self.ramp.state['users'])[1]['id']
        ids = [self.spend(user=user), self.spend(user=user)]
        self.spend()
        self.sync()
        line = self.assertCheck('cardholders', 'warning', 'unknown', r'in Odoo: 1\. .*\(objects: 2\)')
        self.assertEqual(self.opened(line), self.record(ids[0]) | self.record(ids[1]))
        stranger.ramp_user_id = user
        self.assertCheck('cardholders', 'ok', 'known')
        stranger.ramp_user_id = False
        self.connection.fallback_employee_id = self.employee
        self.sync()
        self.assertCheck('cardholders', 'ok', 'fallback')

    def test_emails(self):
        self.assertCheck('duplicate_emails', 'ok', 'none')
        self.assertCheck('missing_emails', 'ok', 'none')
        one, other, third = self.employees[1:4]
        other.work_email = one.work_email.upper()
        third.work_email = False
        line = self.assertCheck('duplicate_emails', 'warning', 'found', '2 employees')
        self.assertEqual(self.opened(line), one | other)
        line = self.line('missing_emails')
        self.assertEqual((line.level, line.parameters), ('warning', {'count': 1}))
        self.assertEqual(self.opened(line), third)
        self.assertNotIn(one.work_email, f'{self.connection.check_ids.mapped("parameters")}')
        other.active = False  # somebody who has left
        self.assertCheck('duplicate_emails', 'ok', 'none')
        self.connection.push_users = False
        self.assertCheck('missing_emails', 'ok', 'off')


@tagged('post_install', '-at_install', 'ramp')
class TestJobsOfTheCheck(CheckCase):
    def jobs(self):
        return self.env['ir.cron'].union(
            *(flow._get_cron_job() for flow in self.connection._flow_models() if flow._is_enabled_for(self.connection))
        )

    def test_jobs(self):
        self.assertCheck('jobs', 'ok', 'active')
        job = self.env.ref('ramp_connector.cron_transaction')
        job.active = False
        self.assertCheck('jobs', 'error', 'stopped', self.env['ramp.flow.transaction']._get_flow_label())
        self.assertFixed('jobs')
        self.assertTrue(job.active)
        job.failure_count = 3
        self.assertCheck('jobs', 'warning', 'failing', self.env['ramp.flow.transaction']._get_flow_label())
        self.connection.action_disconnect()
        self.assertCheck('jobs', 'ok', 'draft')

    def test_workers(self):
        now = self.env.cr.now().replace(microsecond=0)
        jobs = self.jobs()
        jobs.nextcall = now - timedelta(hours=3)
        self.assertCheck('workers', 'ok', 'running')  # the connection is younger than that
        self.connection.connected_at = now - timedelta(days=1)
        self.assertCheck('workers', 'error', 'idle')
        run = self.env['ramp.run'].create(
            {'connection_id': self.connection.id, 'company_id': self.company.id, 'flow': 'transaction', 'state': 'done'}
        )
        self.assertCheck('workers', 'warning', 'late', self.env['ramp.flow.account']._get_flow_label())
        jobs.nextcall = now + timedelta(minutes=10)
        self.assertCheck('workers', 'ok', 'running')
        for _number in range(3):
            run.copy({'state': 'lost'})
        self.assertCheck('workers', 'warning', 'lost', '3 runs')


@tagged('post_install', '-at_install', 'ramp')
class TestRolesOfTheCheck(CheckCase, ScreenCase):
    def once(self):
        super().once()
        self.ramp.scopes = tuple(scope for scope in self.ramp.scopes if scope != 'receipts:read')
        self.check()

    def results(self):
        return {check.check_key: (check.level, check.case_name) for check in self.connection.check_ids}

    def test_manager_gets_the_same_result(self):
        """The result does not depend on who asks: a manager has no rights in human resources or the system."""
        expected = self.results()
        self.connection.check_ids.unlink()
        env = self.as_person(self.person('manager'))
        self.connection.with_env(env).action_test_connection()
        self.env.invalidate_all()
        self.assertEqual(self.results(), expected)
        self.assertEqual(self.connection.check_ids.create_uid, self.env.ref('base.user_root'))
        line = self.line('scopes').with_env(env)
        self.assertEqual(line.action_fix()['res_id'], line.id)

    def test_screens(self):
        for role in ('accountant', 'bookkeeper', 'auditor', 'manager', 'administrator'):
            env = self.as_person(self.person(role))
            connection = self.connection.with_env(env)
            with self.subTest(role=role):
                view = connection.action_open_checks()['views'][0]
                answer = env['ramp.connection'].get_views([view])
                self.assertEqual('action_fix' in answer['views']['form']['arch'], role in ('manager', 'administrator'))
                shown = {'check_ids': {'fields': dict.fromkeys(('level', 'check_key', 'message', 'fix_label'), {})}}
                [values] = connection.web_read({**shown, 'check_summary': {}, 'check_level': {}, 'checked_at': {}})
                self.assertEqual(len(values['check_ids']), len(CHECKS))
                self.assertEqual(values['check_ids'][0]['fix_label'], 'Copy the Scopes')
                self.assertIn('1 error', values['check_summary'])
                env['ramp.connection.check'].get_views([(False, 'form')])
        # The usual form stays the default one
        self.assertIn('action_connect', self.env['ramp.connection'].get_view(view_type='form')['arch'])

    def test_others_only_read(self):
        line = self.line('scopes')
        for role in ('accountant', 'auditor'):
            env = self.as_person(self.person(role))
            with self.subTest(role=role):
                self.assertIn('receipts:read', line.with_env(env).message)
                with self.assertRaises(AccessError):
                    line.with_env(env).action_fix()
                with self.assertRaises(AccessError):
                    self.connection.with_env(env).action_test_connection()
        for role in ('manager', 'administrator'):
            env = self.as_person(self.person(role))
            for values in ({'level': 'ok'}, {'fix_name': 'switch_jobs'}, {'parameters': {}}):
                with self.subTest(role=role, values=values), self.assertRaises(AccessError):
                    line.with_env(env).write(values)

    def test_another_company(self):
        company = self.env['res.company'].create({'name': 'Elsewhere'})
        user = new_test_user(
            self.env,
            'ramp_elsewhere',
            'base.group_user,account.group_account_manager',
            company_id=company.id,
            company_ids=[Command.set(company.ids)],
        )
        env = self.env(user=user, context={'allowed_company_ids': company.ids})
        self.assertFalse(env['ramp.connection.check'].search([]))
        line = self.line('scopes').with_env(env)
        for call in (line.action_fix, lambda: line.read(['message']), self.connection.with_env(env).action_open_checks):
            with self.assertRaises(AccessError):
                call()

    def test_employees_without_rights_in_human_resources(self):
        self.employees[1].work_email = self.employees[2].work_email
        self.connection.action_test_connection()
        for role, model in (('manager', 'hr.employee.public'), ('administrator', 'hr.employee')):
            env = self.as_person(self.person(role))
            action = self.line('duplicate_emails').with_env(env).action_fix()
            with self.subTest(role=role):
                self.assertEqual(action['res_model'], model)
                self.assertEqual(len(env[model].search(action['domain'])), 2)
                env[model].get_views(action['views'])


@tagged('post_install', '-at_install', 'ramp', 'is_query_count')
class TestQueryCountsOfTheCheck(QueryCounting, CheckCase):
    seed = {'transactions': 0}

    def queries(self, count):
        for _number in range(count):
            self.spend(account=None)
        self.sync()
        self.env.invalidate_all()
        self.counts.clear()
        with self.counting('check'):
            self.connection.action_test_connection()
        return dict(self.counts)

    def test_the_check_costs_the_same_however_many_objects_there_are(self):
        self.assertEqual(self.each(3, 12)['check'], 0)
