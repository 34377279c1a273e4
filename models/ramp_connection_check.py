# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import logging
from collections import defaultdict

from odoo import api, fields, models
from odoo.exceptions import ConcurrencyError, UserError
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY
from odoo.tools import format_date, format_datetime

from ..ramp_api import PayloadError, RampError
from .check_answers import CheckResult
from .ledger_json import storable_json

_logger = logging.getLogger(__name__)

# The worst one first
LEVELS = [('error', 'Error'), ('warning', 'Warning'), ('unknown', 'Unknown'), ('ok', 'OK')]
# In the order in which they are judged, and shown within a level. `_judge_<key>` judges one.
CHECKS = [
    ('live_database', 'Live database'),
    ('api_address', 'Address'),
    ('client_secret', 'Client ID and secret'),
    ('business', 'Ramp business'),
    ('scopes', 'Permissions'),
    ('integration', 'Accounting integration'),
    ('entity', 'Ramp entity'),
    ('clock', 'Clock'),
    ('webhooks', 'Webhooks'),
    ('jobs', 'Jobs'),
    ('workers', 'Job processes'),
    ('chart', 'Chart of accounts'),
    ('coding', 'Coded options'),
    ('journals', 'Journals and accounts'),
    ('currencies', 'Currencies and rates'),
    ('lock_dates', 'Lock dates'),
    ('opening_balance', 'Opening balance'),
    ('cardholders', 'Cardholders'),
    ('duplicate_emails', 'Duplicate emails'),
    ('missing_emails', 'Missing emails'),
]
# Names that one sentence lists
MOST_NAMES = 10


class RampConnectionCheck(models.Model):
    """One line of the configuration check of a connection: what was found, what it means, and what helps.

    The checks of one subject are in a file of their own (`ramp_connection_check_*.py`), which has for each check a
    method `_judge_<key>`, its sentences in `_get_sentences`, and what its buttons do in `_fix_<name>`. A line stores the
    name of a sentence and its parameters, so each reader reads it in the own language.
    """

    _name = 'ramp.connection.check'
    _inherit = 'ramp.mapped'
    _description = 'Ramp Configuration Check'
    _order = 'severity desc, sequence, id'
    _rec_name = 'check_key'

    connection_id = fields.Many2one('ramp.connection', required=True, readonly=True, ondelete='cascade')
    check_key = fields.Selection(CHECKS, string='Check', required=True, readonly=True)
    level = fields.Selection(LEVELS, string='Result', required=True, readonly=True)
    severity = fields.Integer(compute='_compute_severity', store=True, help='To show the worst results first.')
    sequence = fields.Integer(readonly=True)
    case_name = fields.Char(required=True, readonly=True, help='The sentence that says what was found.')
    parameters = fields.Json(readonly=True, help='The values in that sentence.')
    fix_name = fields.Char(readonly=True, help='What the button of the line does.')
    checked_at = fields.Datetime(string='Checked', required=True, readonly=True)
    message = fields.Text(string='What It Means', compute='_compute_message')
    fix_label = fields.Char(string='Remedy', compute='_compute_message')
    copy_text = fields.Char(string='To Copy', compute='_compute_message', help='What has to be entered in Ramp.')

    _once = models.UniqueIndex('(connection_id, check_key)')

    @api.depends('level')
    def _compute_severity(self):
        order = [level for level, _label in reversed(LEVELS)]
        for check in self:
            check.severity = order.index(check.level) if check.level else 0

    @api.depends('check_key')
    @api.depends_context('lang')
    def _compute_display_name(self):
        labels = dict(self._fields['check_key']._description_selection(self.env))
        for check in self:
            check.display_name = labels.get(check.check_key, check.check_key)

    @api.depends('check_key', 'case_name', 'parameters', 'fix_name')
    @api.depends_context('lang', 'tz')
    def _compute_message(self):
        sentences, labels = self._get_sentences(), self._get_fix_labels()
        for check in self:
            sentence = sentences.get((check.check_key, check.case_name)) or sentences.get(('any', check.case_name))
            # An earlier version may have stored a line that this one would not
            check.message = sentence % check._show_parameters() if sentence else check.case_name
            check.fix_label = labels.get(check.fix_name, False)
            check.copy_text = ' '.join((check.parameters or {}).get('scopes', ())) or False

    def _show_parameters(self):
        """Return the parameters as the reader reads them.

        The end of a name says what the value is: `_date`, `_moment` (UTC), `_fields` (names of fields of the
        connection) and `_flows` (names of flows). Other lists are listed.
        """
        connection = self.env['ramp.connection']
        shown = {}
        for name, value in (self.parameters or {}).items():
            if name.endswith('_date'):
                value = format_date(self.env, value)
            elif name.endswith('_moment'):
                value = format_datetime(self.env, value, dt_format='short')
            elif name.endswith('_fields'):
                value = [f'"{connection._fields[field]._description_string(self.env)}"' for field in value]
            elif name.endswith('_flows'):
                value = [self.env[f'ramp.flow.{flow}']._get_flow_label() for flow in value]
            if isinstance(value, list):
                more = '...' if len(value) > MOST_NAMES else ''
                value = ', '.join(map(str, value[:MOST_NAMES])) + more
            shown[name] = value
        # An earlier version may have stored fewer
        return defaultdict(lambda: '?', shown)

    # ------------------------------------------------------------------ judging and storing

    @api.model
    def _judge_connection(self, connection, answers, keys=None):
        """Run the checks, each by itself: one that fails does not stop the others.

        :param connection: connection in superuser mode, with its company
        :param answers: `RampAnswers`, or None if none of these checks needs Ramp
        :param keys: only these checks; None: all
        :return: {check key: `CheckResult`}
        """
        # A check that fails is undone; what was written before has to stay
        self.env.flush_all()
        return {
            key: self._judge_alone(key, connection, answers) for key, _label in CHECKS if keys is None or key in keys
        }

    def _judge_alone(self, key, connection, answers):
        """Run one check. What it raises becomes a result of the level `unknown`."""
        try:
            # Only so that the other checks can read the database if a statement fails here. Nothing is written.
            with self.env.cr.savepoint(flush=False):
                return getattr(self, f'_judge_{key}')(connection, answers)
        except (*PG_CONCURRENCY_EXCEPTIONS_TO_RETRY, ConcurrencyError):
            raise  # Odoo repeats the whole transaction
        except (RampError, PayloadError, UserError) as error:
            return CheckResult('unknown', 'failed', {'words': ' '.join(str(error).split())})
        except Exception as error:
            _logger.exception('Configuration check %s of connection %s failed', key, connection.id)
            return CheckResult('unknown', 'broken', {'kind': type(error).__name__})

    @api.model
    def _store_results(self, connection, results):
        """Store the results of checks. Lines that stay as they are get the time only.

        :param connection: connection in superuser mode
        :param results: {check key: `CheckResult`}
        """
        now = self.env.cr.now().replace(microsecond=0)
        lines = {line.check_key: line for line in self.search([('connection_id', '=', connection.id)])}
        order = [key for key, _label in CHECKS]
        new, same = [], self.browse()
        for key, result in results.items():
            values = {
                'level': result.level,
                'case_name': result.case_name,
                # They may have texts of Ramp
                'parameters': storable_json(result.parameters) or False,
                'fix_name': result.fix_name,
                'sequence': order.index(key),
            }
            line = lines.get(key)
            if not line:
                new.append({'connection_id': connection.id, 'check_key': key, 'checked_at': now, **values})
                continue
            if any((line[name] or False) != (value or False) for name, value in values.items()):
                line.write(values)
            same += line
        same.write({'checked_at': now})
        self.create(new)
        # Of an earlier version
        self.browse([line.id for key, line in lines.items() if key not in order]).unlink()

    # ------------------------------------------------------------------ words

    @api.model
    def _get_sentences(self):
        """Return {(check key, case): sentence}, with the parameters as %(name)s. The key `any` is for all checks."""
        return {
            ('any', 'failed'): self.env._('This could not be checked. %(words)s'),
            ('any', 'broken'): self.env._(
                'This could not be checked because of an unexpected error: %(kind)s. The server log has the details.'
            ),
            ('any', 'draft'): self.env._('This is checked once the connection is connected.'),
            ('any', 'off'): self.env._('This is switched off on the connection.'),
        }

    @api.model
    def _get_fix_labels(self):
        """Return {name of a fix: label of its button}."""
        return {'connection': self.env._('Open the Connection'), 'check_again': self.env._('Check Again')}

    # ------------------------------------------------------------------ buttons

    def action_fix(self):
        """Do what the button of the line says: open the screen where it can be fixed, or repair it.

        :return: action, or True
        """
        self.ensure_one()
        self.check_access('read')
        self.connection_id._check_is_manager()
        if self.fix_name not in self._get_fix_labels():
            raise UserError(self.env._('There is nothing to fix here. Press Check Again.'))
        return getattr(self, f'_fix_{self.fix_name}')()

    def _fix_connection(self):
        return {
            'type': 'ir.actions.act_window',
            'res_model': 'ramp.connection',
            'res_id': self.connection_id.id,
            'views': [(self.env.ref('ramp_connector.ramp_connection_view_form').id, 'form')],
        }

    def _fix_check_again(self):
        return self.connection_id.with_context(ramp_check_page=True).action_test_connection()

    def _judge_again(self):
        """Judge this line again after a repair in Odoo. For checks that need no answer of Ramp."""
        company = self.connection_id.company_id
        # sudo: see `_store_checks` of the connection; whoever repairs may run the check
        checks = self.sudo()
        connection = checks.connection_id.with_company(company).with_context(allowed_company_ids=company.ids)
        checks._store_results(connection, checks._judge_connection(connection, None, keys=[self.check_key]))

    def _open_list(self, xmlid, domain, context=None):
        """Return a list action of Odoo with another domain."""
        action = self.env['ir.actions.act_window']._for_xml_id(xmlid)
        action.update(domain=domain, context=context or {})
        return action

    def _open_ledger_rows(self, domain):
        return self._open_list('ramp_connector.ramp_record_action', domain)
