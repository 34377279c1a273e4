# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import UserError

from ..ramp_api import MemoryTokenStore, PayloadError, RampNotFound, read_entity
from .check_answers import RampAnswers
from .ramp_connection_check import LEVELS


class RampConnection(models.Model):
    """The configuration check of a connection: what Ramp is asked for it, and how its result is shown.

    `ramp.connection.check` has the checks. A person runs them with a button, the nightly check runs them, too.
    """

    _inherit = 'ramp.connection'

    check_ids = fields.One2many(
        'ramp.connection.check', 'connection_id', string='Configuration Check', readonly=True, copy=False
    )
    # compute_sudo: users who may read the connection may know how many checks found something
    check_level = fields.Selection(
        LEVELS,
        string='Worst Result',
        compute='_compute_check_summary',
        compute_sudo=True,
        help='The worst result of the last configuration check.',
    )
    check_summary = fields.Char(string='Result', compute='_compute_check_summary', compute_sudo=True)
    checked_at = fields.Datetime(string='Last Configuration Check', compute='_compute_check_summary', compute_sudo=True)

    @api.depends('check_ids.level', 'check_ids.checked_at')
    @api.depends_context('lang')
    def _compute_check_summary(self):
        counts, moments = {}, {}
        for connection, level, count, moment in self.env['ramp.connection.check']._read_group(
            [('connection_id', 'in', self.ids)], ['connection_id', 'level'], ['__count', 'checked_at:max']
        ):
            counts.setdefault(connection.id, {})[level] = count
            moments[connection.id] = max(moment, moments.get(connection.id, moment))
        for connection in self:
            found = counts.get(connection._origin.id, {})
            connection.check_level = next((level for level, _label in LEVELS if level in found), False)
            connection.checked_at = moments.get(connection._origin.id, False)
            connection.check_summary = connection._summarize_checks(found)

    def _summarize_checks(self, found):
        """Return how many checks found something, in words, or False without a check.

        :param found: {level: number of checks}
        """
        if not found:
            return False
        parts = (
            (found.get('error'), self.env._('1 error'), self.env._('%s errors', found.get('error'))),
            (found.get('warning'), self.env._('1 warning'), self.env._('%s warnings', found.get('warning'))),
            (found.get('unknown'), self.env._('1 unknown'), self.env._('%s unknown', found.get('unknown'))),
        )
        return ', '.join(one if count == 1 else many for count, one, many in parts if count) or self.env._('All OK')

    # ------------------------------------------------------------------ buttons

    def action_test_connection(self):
        """Check the whole configuration, with Ramp and in Odoo, and open the result. Changes no setting.

        This is the button *Check Configuration*. Nothing that is wrong raises an error: it is a line of the result.

        :return: action that opens the result, or True on the page of the result itself
        """
        self.ensure_one()
        self._check_is_manager()
        answers = self._ask_for_checks()
        if answers.is_reached:
            self._end_silence()
        self._store_checks(answers)
        return True if self.env.context.get('ramp_check_page') else self.action_open_checks()

    def action_open_checks(self):
        """Open the result of the last configuration check."""
        self.ensure_one()
        self.check_access('read')
        return {
            'type': 'ir.actions.act_window',
            'name': self.env._('Configuration Check'),
            'res_model': self._name,
            'res_id': self.id,
            'views': [(self.env.ref('ramp_connector.ramp_connection_view_form_check').id, 'form')],
        }

    # ------------------------------------------------------------------ the check

    def _ask_for_checks(self, client=None):
        """Return Ramp's answers to the questions of the checks, as `RampAnswers`. Nothing is written.

        No list is read beyond its first page: a person may wait.

        :param client: client of a run; without one, a new client is made, which gets a new token and one short attempt
        """
        self.ensure_one()
        if client is None:
            try:
                # A new token, because scopes that were added in Ramp come only with a new one
                client = self._new_client(token_store=MemoryTokenStore())
            except UserError as error:
                return RampAnswers(trouble=error)
        answers = RampAnswers()
        answers.ask_question('scopes', lambda: frozenset(client.granted_scopes))
        answers.ask_question('business', lambda: self._ask_business(client))
        answers.ask_question('providers', lambda: self._accounting_providers(client))
        answers.ask_question('entities', lambda: self._ask_for_entities(client))
        webhook = self._webhook_subscriptions()
        if webhook.state == 'active':
            answers.ask_question('subscriptions', lambda: webhook._list_subscriptions(client))
        answers.ask_question('clock', lambda: client.clock_difference)
        answers.is_reached = client.answered and not client.silence
        return answers

    def _ask_for_entities(self, client):
        """Return the chosen entity of the Ramp business, or the first page of all of them if none is chosen.

        :return: list of `ramp_api.Entity`; empty if Ramp does not have the chosen one
        """
        if self.ramp_entity_id:
            try:
                return [read_entity(client.get(f'/entities/{self.ramp_entity_id}'))]
            except RampNotFound:
                return []
        entities = []
        for payload in next(client.list_pages('/entities')).rows:
            with contextlib.suppress(PayloadError):
                entities.append(read_entity(payload))
        return entities

    def _store_checks(self, answers):
        """Judge the configuration and store the result, one line for each check.

        :param answers: `RampAnswers`
        """
        self.ensure_one()
        company = self.company_id
        # The user of the jobs: the result must not depend on who asks. Access was checked before, and what is stored
        # are levels, counts and names of settings.
        connection = self.with_user(SUPERUSER_ID).with_company(company).with_context(allowed_company_ids=company.ids)
        results = connection.env['ramp.connection.check']._judge_connection(connection, answers)
        connection.env['ramp.connection.check']._store_results(connection, results)
        if results['business'].level == 'ok':
            name = answers.read_answer('business').name
            if connection.ramp_business_name != name:
                connection.ramp_business_name = name
