# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import functools
from collections import defaultdict

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL, format_date, formatLang

from .reason import Cause

# Kind of the cause of a row whose reason names none: the row's own kind of reason, or its state
OF_STATE = 'state:'
# What only somebody in Ramp can do
IN_RAMP = 'in_ramp'
# Rows that one click decides on
MOST_ROWS = 10000


class RampCause(models.Model):
    """Why objects need attention: one row for each cause, with all objects that it holds and the button that settles it.

    It is a view on the causes in the ledger (`Cause`). Its ids are those of `Cause.identity`.
    """

    _name = 'ramp.cause'
    _description = 'Ramp: Needs Attention'
    _auto = False
    _order = 'record_count desc, id'

    connection_id = fields.Many2one('ramp.connection', readonly=True)
    company_id = fields.Many2one('res.company', readonly=True)
    kind = fields.Char(readonly=True)
    cause = fields.Json(string='Cause as Data', readonly=True)
    record_count = fields.Integer(string='Records', readonly=True, aggregator='sum')
    first_date = fields.Date(string='From', readonly=True)
    last_date = fields.Date(string='To', readonly=True)
    place = fields.Selection([('odoo', 'To do in Odoo'), ('ramp', 'To do in Ramp')], string='Where', readonly=True)
    name = fields.Text(string='Cause', compute='_compute_name', search='_search_name')
    amounts = fields.Char(string='Amount', compute='_compute_amounts', help='Sum of the amounts, by currency.')

    # ------------------------------------------------------------------ the query

    @property
    def _table_query(self):
        return SQL(
            """
            SELECT (k.cause ->> 'id')::int AS id, k.connection_id, k.company_id, min(k.cause ->> 'kind') AS kind,
                   (array_agg(k.cause ORDER BY k.id DESC))[1] AS cause, count(DISTINCT k.id) AS record_count,
                   min(k.date) AS first_date, max(k.date) AS last_date,
                   CASE min(k.cause ->> 'kind') WHEN %s THEN 'ramp' ELSE 'odoo' END AS place
              FROM (%s) k
             GROUP BY (k.cause ->> 'id')::int, k.connection_id, k.company_id
            """,
            IN_RAMP,
            self._cause_query(),
        )

    @api.model
    def _cause_query(self):
        """Return the query of the causes of all rows that need attention: one line for each row and cause."""
        return SQL(
            """
            SELECT r.id, r.connection_id, r.company_id, r.date, r.amount, r.currency_id, c.cause
              FROM ramp_record r
             CROSS JOIN LATERAL (SELECT COALESCE(r.hold_reason, r.state) AS kind) s
             CROSS JOIN LATERAL jsonb_array_elements(
                   CASE WHEN r.reason ->> 'of' = md5(r.error_message) THEN r.reason -> 'causes'
                        ELSE jsonb_build_array(jsonb_build_object(
                            'id', ('x' || substr(md5(r.connection_id || ' ' || s.kind), 1, 7))::bit(28)::int + 1,
                            'kind', %s || s.kind)) END) AS c(cause)
             WHERE r.state IN ('held', 'error')
            """,
            OF_STATE,
        )

    def _flush_ledger(self):
        self.env['ramp.record'].flush_model()

    @api.model
    def _causes_of_records(self, records):
        """Return {row id: ids of its causes}."""
        self._flush_ledger()
        found = defaultdict(list)
        for record_id, cause_id in self.env.execute_query(
            SQL(
                "SELECT k.id, (k.cause ->> 'id')::int FROM (%s) k WHERE k.id = ANY(%s)",
                self._cause_query(),
                records.ids,
            )
        ):
            found[record_id].append(cause_id)
        return found

    @api.model
    def _record_query(self, cause_ids):
        """Return the ids of the rows that have one of these causes."""
        self._flush_ledger()
        return [
            row[0]
            for row in self.env.execute_query(
                SQL(
                    "SELECT DISTINCT k.id FROM (%s) k WHERE (k.cause ->> 'id')::int = ANY(%s)",
                    self._cause_query(),
                    list(cause_ids),
                )
            )
        ]

    @api.model
    def _count_records_to_decide(self, connection):
        """Return the number of rows of a connection that need a decision in Odoo."""
        self._flush_ledger()
        [[count]] = self.env.execute_query(
            SQL(
                """
                SELECT count(DISTINCT k.id) FROM (%s) k
                 WHERE k.connection_id = %s AND k.cause ->> 'kind' IS DISTINCT FROM %s
                """,
                self._cause_query(),
                connection.id,
                IN_RAMP,
            )
        )
        return count

    # ------------------------------------------------------------------ in words

    @api.depends('cause', 'kind')
    @api.depends_context('lang')
    def _compute_name(self):
        of_state = self._state_labels()
        for cause in self:
            cause.name = of_state.get(cause.kind) or self._title_in_words(cause.cause)

    @api.model
    def _state_labels(self):
        """Return {kind: name} of the causes of rows whose reason names none."""
        Record = self.env['ramp.record']
        return {
            f'{OF_STATE}{value}': label
            for name in ('state', 'hold_reason')
            for value, label in Record._fields[name]._description_selection(self.env)
        }

    @api.model
    def _title_in_words(self, cause):
        """Return the sentence about all objects with a cause, in the language and with the date format of the reader.

        :param cause: `Cause` as JSON
        """
        return Cause.from_json(cause).title.in_language(self.env.lang, functools.partial(format_date, self.env))

    def _search_name(self, operator, value):
        # The names are made for their reader. There are some hundred causes, so all are read
        return [('id', 'in', self.search_fetch([], ['cause', 'kind']).filtered_domain([('name', operator, value)]).ids)]

    @api.depends('name')
    @api.depends_context('lang')
    def _compute_display_name(self):
        for cause in self:
            cause.display_name = cause.name

    @api.depends_context('lang')
    def _compute_amounts(self):
        self._flush_ledger()
        sums = defaultdict(list)
        for cause_id, currency_id, amount in self.env.execute_query(
            SQL(
                """
                SELECT d.cause_id, d.currency_id, sum(d.amount)
                  FROM (SELECT DISTINCT k.id, (k.cause ->> 'id')::int AS cause_id, k.currency_id, k.amount FROM (%s) k) d
                 WHERE d.cause_id = ANY(%s) AND d.currency_id IS NOT NULL AND d.amount IS NOT NULL
                 GROUP BY d.cause_id, d.currency_id ORDER BY d.currency_id
                """,
                self._cause_query(),
                self.ids,
            )
        ):
            currency = self.env['res.currency'].browse(currency_id)
            sums[cause_id].append(formatLang(self.env, amount, currency_obj=currency))
        for cause in self:
            cause.amounts = ', '.join(sums[cause.id])

    # ------------------------------------------------------------------ buttons

    def _get_records(self):
        """Return the rows with these causes that the user may read."""
        return self.env['ramp.record'].search([('cause_ids', 'in', self.ids)], limit=MOST_ROWS)

    def action_open_records(self):
        """Open the rows with this cause."""
        self.ensure_one()
        self.check_access('read')
        action = self.env['ir.actions.act_window']._for_xml_id('ramp_connector.ramp_record_action')
        return {**action, 'name': self.name, 'domain': [('cause_ids', 'in', self.ids)], 'context': {'create': False}}

    def action_retry(self):
        """Try all rows with these causes again."""
        self.check_access('read')
        return self._get_records().action_retry()

    def action_ignore(self):
        """Ask why all rows with these causes are left out."""
        self.check_access('read')
        return self._get_records().action_ignore()

    def action_solve(self):
        """Open what settles the cause for all its rows, or settle it."""
        self.ensure_one()
        self.check_access('read')
        self.env['ramp.record']._check_is_accountant()
        solve = {
            'map_option': self._open_mapping,
            'cardholder': self._open_cardholders,
            'currency': self._open_currency,
            'posted_elsewhere': self._open_other_connection,
            'rate': self._open_currency,
            'lock_date': self._post_on_first_open_day,
            'setting': self._open_connection,
            'unreconciled': self._reconcile_again,
            'vendor': self._open_vendor,
        }.get(self.kind)
        if not solve:
            raise UserError(self.env._('Nothing here settles this at once. Open the records, and read the reason.'))
        return solve(self.cause['about'])

    def _open_mapping(self, about):
        kind = about['record_kind'] if about['record_kind'] in ('account', 'analytic', 'tax', 'partner') else 'account'
        mapping = self.env['ramp.mapping'].search(
            [
                ('connection_id', '=', self.connection_id.id),
                ('ramp_type', '=', about['type']),
                ('ramp_key', '=', about['key']),
            ],
            limit=1,
        )
        return {
            'type': 'ir.actions.act_window',
            'name': self.env._('What "%s" Means in Odoo', about['option']),
            'res_model': 'ramp.mapping',
            'res_id': mapping.id,
            'views': [(self.env.ref('ramp_connector.ramp_mapping_view_form_dialog').id, 'form')],
            'target': 'new',
            'context': {
                'default_connection_id': self.connection_id.id,
                'default_ramp_type': about['type'],
                'default_ramp_key': about['key'],
                'default_name': about['option'],
                'default_target': kind,
            },
        }

    def _open_cardholders(self, about):
        return self.env['ramp.cardholder.match']._open_for_connection(self.connection_id)

    def _open_currency(self, about):
        currency = (
            self.env['res.currency'].with_context(active_test=False).search([('name', '=', about['currency'])], limit=1)
        )
        if self.kind == 'currency' and not currency.active:
            currency.active = True
            self.connection_id._look_again_at_questions()
        return currency._get_records_action(name=currency.name, views=[(False, 'form')])

    def _post_on_first_open_day(self, about):
        count = self.record_count
        self.connection_id.lock_date_policy = 'next_open'
        self.connection_id._look_again_at_questions()
        return self.connection_id._notify_user(
            'success',
            self.env._('Post on First Open Day'),
            self.env._('1 record is tried again.') if count == 1 else self.env._('%s records are tried again.', count),
        )

    def _reconcile_again(self, about):
        return self._get_records().action_reconcile_again()

    def _open_connection(self, about):
        """Open a dialog of the connection that has nothing but the field which is to be chosen."""
        connection, name = self.connection_id, about['field']
        return connection._get_records_action(
            name=connection._fields[name]._description_string(self.env),
            views=[(self.env.ref('ramp_connector.ramp_connection_view_form_setting').id, 'form')],
            target='new',
            context={'ramp_setting': name},
        )

    def _open_other_connection(self, about):
        other = self.env['ramp.connection'].browse(about['connection']).exists()
        if not other:
            raise UserError(self.env._('This connection no longer exists.'))
        return other._get_records_action()

    def _open_vendor(self, about):
        row = self.env['ramp.record'].search(
            [('connection_id', '=', self.connection_id.id), ('flow', '=', 'vendor'), ('ramp_id', '=', about['vendor'])],
            limit=1,
        )
        if not row:
            raise UserError(self.env._('Ramp has not sent this vendor yet. Press Sync Now on the connection.'))
        return row._get_records_action()
