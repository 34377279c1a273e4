# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
"""What needs attention is grouped by cause, all causes of an object are found at once, and one click settles each."""

import datetime
from unittest.mock import patch

from odoo import Command
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, tagged
from odoo.tools import LazyTranslate
from odoo.tools.translate import code_translations

from ..flows.engine.push_job import Job
from ..flows.engine.reasons import MISSING_SETTINGS, Held, HoldCollector
from ..models.reason import Cause, Sentence
from ..simulator import coding
from ..simulator.endpoints import users
from .common import RampCase

_lt = LazyTranslate(__name__)


@tagged('post_install', '-at_install', 'ramp')
class TestCauses(RampCase):
    def once(self):
        super().once()
        coding.add_gl_account(self.ramp.state, 'X-1', 'Insurance', '6700')
        self.stranger = users.make_user(self.ramp.state, 'Grace', 'Hopper', 'grace@example.com')['id']

    def causes(self, **kinds):
        """Return {kind: causes} of the connection."""
        self.env.invalidate_all()
        found = {}
        for cause in self.env['ramp.cause'].search([('connection_id', '=', self.connection.id)]):
            found[cause.kind] = found.get(cause.kind, self.env['ramp.cause']) + cause
        return found

    def test_a_sentence_survives_its_storage(self):
        inner = _lt('%s is archived.', 'Travel 50 %')
        text = _lt('Line %(number)s: %(reason)s', number=2, reason=inner)
        sentence = Sentence.from_json(Sentence.of(text).to_json())
        self.assertEqual(sentence, Sentence.of(text))
        self.assertEqual(str(sentence), 'Line 2: Travel 50 % is archived.')
        with patch.object(
            code_translations,
            'get_python_translations',
            lambda module, lang: {
                'Line %(number)s: %(reason)s': 'Zeile %(number)s: %(reason)s',
                '%s is archived.': '%s ist archiviert.',
            },
        ):
            self.assertEqual(sentence.in_language('de_DE'), 'Zeile 2: Travel 50 % ist archiviert.')
        self.assertEqual(str(Sentence.of('100 % of "%s"')), '100 % of "%s"', 'text from outside is no template')
        self.assertEqual(str(Cause.of(text, by=('number',)).title), 'Line 2: …')

    def test_a_day_survives_its_storage(self):
        """A day in a sentence is stored as such. What is stored and sent has it as in ISO 8601."""
        inner = _lt('It ended on %s.', datetime.date(2026, 7, 31))
        sentence = Sentence.from_json(Sentence.of(_lt('Line %(number)s: %(reason)s', number=2, reason=inner)).to_json())
        self.assertEqual(str(sentence), 'Line 2: It ended on 2026-07-31.')
        self.assertEqual(sentence.in_language(None, lambda day: f'{day:%d.%m.%Y}'), 'Line 2: It ended on 31.07.2026.')

    def test_day_in_the_format_of_the_reader(self):
        """A reason and its cause show their days as the reader has them. Ramp and the database have one form."""
        self.env['res.lang']._activate_lang('de_DE')
        self.company.fiscalyear_lock_date = '2026-12-31'
        ramp_id = self.spend(1000, date='2026-07-05T12:00:00+00:00')
        self.sync('transaction')
        record, cause = self.record(ramp_id), self.causes()['lock_date']
        self.assertIn('2026-07-05 is on or before the lock date 2026-12-31', record.error_message)
        for lang, spent, lock in (('en_US', '07/05/2026', '12/31/2026'), ('de_DE', '05.07.2026', '31.12.2026')):
            with self.subTest(lang=lang):
                text = record.with_context(lang=lang).reason_text
                self.assertIn(spent, text)
                self.assertIn(lock, text)
                self.assertIn(lock, cause.with_context(lang=lang).name)

    def test_collected(self):
        holds = HoldCollector()
        holds.check()
        for text in ('First.', 'Second.', 'First.'):
            with holds.collect():
                raise Held(text)
        with self.assertRaises(Held) as caught:
            holds.check()
        self.assertEqual(str(caught.exception), 'First.\nSecond.')
        self.assertEqual(len(caught.exception.causes), 3)

    def test_found_by_name(self):
        """The names are made for their reader, so they are in no column; a person finds causes by them all the same."""
        self.spend(1000, account='X-1')
        self.spend(500, user=self.stranger)
        self.sync('transaction')
        found = self.causes()
        Cause, option = self.env['ramp.cause'], found['map_option']
        self.assertEqual(Cause.search([('name', 'ilike', option.name[:30].lower())]), option)
        self.assertEqual(Cause.search([('name', 'not ilike', option.name)]), found['cardholder'])
        self.assertEqual(Cause.name_search(option.name), [(option.id, option.name)])
        self.assertFalse(Cause.search([('name', '=', 'No such cause')]))

    def test_grouped_with_counts_and_sums(self):
        for amount in (1000, 2000, 3000):
            self.spend(amount, account='X-1')
        lonely = self.spend(4000, account='X-1', user=self.stranger)
        self.spend(500, user=self.stranger)
        self.spend(777)
        self.sync('transaction')
        found = self.causes()
        self.assertEqual(set(found), {'map_option', 'cardholder'})
        option, person = found['map_option'], found['cardholder']
        self.assertEqual((len(option), option.record_count, person.record_count), (1, 4, 2))
        self.assertIn('"Insurance" does not exist in Odoo', option.name)
        self.assertIn('Grace Hopper is not an employee', person.name)
        self.assertEqual((option.amounts, person.amounts), ('$\xa0100.00', '$\xa045.00'))
        self.assertEqual(self.record(lonely).cause_ids, option + person)
        self.assertHeld(lonely, r'Grace Hopper is not an employee[^\n]*\n.*"Insurance" does not exist')
        self.assertEqual(len(option._get_records()), 4)
        action = option.action_open_records()
        self.assertEqual(self.env['ramp.record'].search_count(action['domain']), 4)

    def test_causes_stay_the_same_in_every_run(self):
        self.spend(1000, account='X-1')
        self.sync('transaction')
        cause, Record, written = self.causes()['map_option'], type(self.env['ramp.record']), []
        write = Record.write
        with patch.object(Record, 'write', lambda records, vals: written.append(vals) or write(records, vals)):
            self.sync('transaction')
        self.assertFalse([vals for vals in written if 'reason' in vals])
        self.assertEqual(self.causes()['map_option'], cause)

    def test_all_lines_are_looked_at(self):
        coding.add_gl_account(self.ramp.state, 'X-2', 'Gifts', '6800')
        ramp_id = self.spend(
            3000,
            lines=[
                {'amount_minor': 1000, 'account': 'X-1'},
                {'amount_minor': 1000, 'account': 'X-2'},
                {'amount_minor': 1000, 'account': self.external(self.account_meals)},
            ],
        )
        self.sync('transaction')
        self.assertHeld(ramp_id, r'Line 1 .*"Insurance" does not exist.*\nLine 2 .*"Gifts" does not exist')
        self.assertEqual(
            sorted(cause.name[:22] for cause in self.causes()['map_option']),
            ['The account "Gifts" do', 'The account "Insurance'],
        )

    def test_reason_of_a_job_in_the_language_of_the_company(self):
        """Why an object is not sent is stored and read in the company's language, the reasons inside it as well."""
        self.env['res.lang']._activate_lang('de_DE')
        self.company.partner_id.lang = 'de_DE'
        flow = self.env['ramp.flow.account'].with_context(lang='de_DE')
        ramp_id = self.spend(1000, account='X-1')
        self.sync('transaction')
        record = self.record(ramp_id)
        job = Job(record.id, record.revision, record.res_id, 'Travel', record.remote_id, None, None, None, False)
        job.block(Held(_lt('Ramp has no vendor for it. %s', Held(_lt('It has no name.')))))
        terms = {
            'Ramp has no vendor for it. %s': 'Ramp hat keinen Lieferanten. %s',
            'It has no name.': 'Der Name fehlt.',
        }
        with patch.object(code_translations, 'get_python_translations', lambda module, lang: terms if lang else {}):
            values = flow._make_job_reason(self.connection, job)
            self.assertEqual(values['error_message'], 'Ramp hat keinen Lieferanten. Der Name fehlt.')
            record.write(values)
            self.assertTrue(record._get_causes())
            job.error = 'An answer of Ramp.'
            self.assertEqual(
                flow._make_job_reason(self.connection, job), {'error_message': 'An answer of Ramp.', 'reason': None}
            )

    def test_currency_and_locked_period_at_once(self):
        euro = self.env.ref('base.EUR')
        euro.active = False
        ramp_id = self.spend(1000, currency='EUR', date='2026-07-05T12:00:00+00:00')
        self.company.fiscalyear_lock_date = '2026-12-31'
        self.sync('transaction')
        found = self.causes()
        self.assertLessEqual({'currency', 'lock_date'}, set(found))
        found['currency'].action_solve()
        self.assertTrue(euro.active)
        found['lock_date'].action_solve()
        self.assertEqual(self.connection.lock_date_policy, 'next_open')
        self.sync('transaction')
        self.assertNotIn('currency', self.causes())
        self.assertNotIn('lock_date', self.causes())
        self.assertTrue(ramp_id)

    def test_choose_a_setting(self):
        """The button opens a dialog with nothing but the field that is missing. Saving it looks at the records again."""
        journal = self.connection.card_journal_id
        self.connection.card_journal_id = False
        ramp_id = self.spend(1000)
        self.sync('transaction')
        cause = self.causes()['setting']
        action = cause.action_solve()
        self.assertEqual((action['target'], action['res_id']), ('new', self.connection.id))
        self.assertEqual(action['name'], 'Card Journal')
        with Form(self.connection.with_context(**action['context']), view=action['views'][0][0]) as form:
            shown = [name for name in MISSING_SETTINGS if not form._get_modifier(name, 'invisible')]
            self.assertEqual(shown, ['card_journal_id'])
            self.assertTrue(form._get_modifier('card_journal_id', 'required'))
            form.card_journal_id = journal
        self.connection.sync_requested_at = False
        self.connection.action_settle_setting()
        self.assertTrue(self.connection.sync_requested_at)
        self.sync('transaction')
        self.assertConfirmed(ramp_id)

    def test_every_setting_has_its_field(self):
        """Each setting that an object may wait for is in the dialog, and alone."""
        view = self.env.ref('ramp_connector.ramp_connection_view_form_setting')
        for name in MISSING_SETTINGS:
            with self.subTest(name=name):
                form = Form(self.connection.with_context(ramp_setting=name), view=view)
                shown = [each for each in MISSING_SETTINGS if not form._get_modifier(each, 'invisible')]
                self.assertEqual(shown, [name])

    def test_map_an_option(self):
        held = [self.spend(amount, account='X-1') for amount in (1000, 2000)]
        self.sync('transaction')
        action = self.causes()['map_option'].action_solve()
        with Form(self.env['ramp.mapping'].with_context(**action['context']), view=action['views'][0][0]) as form:
            form.account_id = self.account_travel
        mapping = form.record
        self.sync('transaction')
        for ramp_id in held:
            self.assertConfirmed(ramp_id)
            self.assertEqual(self.entry(ramp_id)[0][0], self.account_travel.code)
        self.assertFalse(self.causes())
        # What a person decided can be seen, changed and taken back
        again = self.spend(3000, account='X-1')
        self.connection.sync_requested_at = False
        mapping.unlink()
        self.assertTrue(self.connection.sync_requested_at, 'what it was for is looked at again at once')
        self.sync('transaction')
        self.assertHeld(again, 'does not exist in Odoo')
        self.assertConfirmed(held[0])

    def test_an_option_that_means_nothing_here(self):
        """An account that means nothing here leaves the spend without an account, which somebody in Ramp chooses."""
        mapping = self.env['ramp.mapping'].create(
            {
                'connection_id': self.connection.id,
                'name': 'Insurance',
                'ramp_type': 'GL_ACCOUNT',
                'ramp_key': 'X-1',
                'target': 'left_out',
            }
        )
        ramp_id = self.spend(account='X-1')
        self.sync('transaction')
        self.assertHeld(ramp_id, 'It has no account')
        self.assertEqual(self.causes()['in_ramp'].place, 'ramp')
        with self.assertRaisesRegex(ValidationError, 'means nothing here'), self.env.cr.savepoint():
            mapping.account_id = self.account_meals
        with self.assertRaisesRegex(ValidationError, 'choose one Tax'), self.env.cr.savepoint():
            mapping.target = 'tax'

    def test_match_cardholders(self):
        held = self.spend(1000, user=self.stranger)
        self.sync('transaction')
        employee = self.env['hr.employee'].create({'name': 'Grace  HOPPER', 'company_id': self.company.id})
        action = self.causes()['cardholder'].action_solve()
        match = self.env['ramp.cardholder.match'].browse(action['res_id'])
        self.assertEqual(match.line_ids.employee_id, employee, 'proposed by name')
        match.action_confirm()
        self.assertEqual(employee.ramp_user_id, self.stranger)
        self.sync('transaction')
        self.assertConfirmed(held)
        with self.assertRaisesRegex(UserError, 'Every cardholder is matched'):
            self.env['ramp.cardholder.match']._open_for_connection(self.connection)

    def test_create_a_cardholder(self):
        held = self.spend(1000, user=self.stranger)
        self.sync('transaction')
        match = self.env['ramp.cardholder.match'].browse(self.causes()['cardholder'].action_solve()['res_id'])
        with self.assertRaisesRegex(UserError, 'Choose an employee'):
            match.action_confirm()
        match.line_ids.create_employee = True
        match.action_confirm()
        self.sync('transaction')
        self.assertConfirmed(held)
        self.assertEqual(self.expense(held).employee_id.name, 'Grace Hopper')

    def test_retry_and_ignore_all_of_a_cause(self):
        rows = [self.record(self.spend(amount, account='X-1')) for amount in (1, 2)]
        self.sync('transaction')
        cause = self.causes()['map_option']
        cause.action_retry()
        rows = cause.search([]) and self.env['ramp.record'].search([('flow', '=', 'transaction')])
        self.assertEqual(set(rows.mapped('state')), {'pending'})
        self.sync('transaction')
        wizard = self.env['ramp.record.ignore'].create(
            {
                'record_ids': [
                    Command.set(self.causes()['map_option'].action_ignore()['context']['default_record_ids'])
                ],
                'reason': 'Posted by hand',
            }
        )
        wizard.action_confirm()
        self.assertEqual(set(rows.mapped('state')), {'ignored'})
        self.assertFalse(self.causes())

    def test_a_reason_without_a_cause(self):
        """A row whose reason is stored as a text only, by an earlier version, is grouped by its kind of reason."""
        self.spend(1000)
        self.sync('transaction')
        row = self.env['ramp.record'].search([('flow', '=', 'transaction')])
        self.move(row.ramp_id).button_draft()
        self.move(row.ramp_id).unlink()
        self.assertRegex(self.causes()[False].name, 'Its document was deleted in Odoo by …')
        row.error_message = 'Another sentence.'
        found = self.causes()
        self.assertEqual(list(found), ['state:deleted'])
        self.assertEqual(found['state:deleted'].name, 'Document deleted in Odoo')
        self.assertEqual(found['state:deleted']._get_records(), row)
        with self.assertRaisesRegex(UserError, 'Open the records'):
            found['state:deleted'].action_solve()

    def test_who_may(self):
        self.spend(1000, account='X-1')
        self.sync('transaction')
        cause = self.causes()['map_option']
        auditor, stranger = (
            self.env['res.users'].create(
                {
                    'name': name,
                    'login': name,
                    'company_id': company.id,
                    'company_ids': [Command.set(company.ids)],
                    'group_ids': [Command.set(self.env.ref(group).ids)],
                }
            )
            for name, company, group in (
                ('auditor', self.company, 'account.group_account_readonly'),
                ('stranger', self.env['res.company'].create({'name': 'Other'}), 'account.group_account_manager'),
            )
        )
        own = {'allowed_company_ids': stranger.company_id.ids}
        self.assertIn('Insurance', cause.with_user(auditor).name)
        with self.assertRaises(AccessError):
            cause.with_user(auditor).action_solve()
        with self.assertRaises(AccessError):
            cause.with_user(auditor).action_retry()
        with self.assertRaises(AccessError):
            cause.with_user(stranger).with_context(**own).read(['name'])
        self.assertFalse(self.env['ramp.cause'].with_user(stranger).with_context(**own).search([]))
        with self.assertRaises(AccessError):
            self.env['ramp.mapping'].with_user(stranger).with_context(**own).create(
                {
                    'connection_id': self.connection.id,
                    'name': 'Insurance',
                    'ramp_type': 'GL_ACCOUNT',
                    'ramp_key': 'X-1',
                    'target': 'left_out',
                }
            )
