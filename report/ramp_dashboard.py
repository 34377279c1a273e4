# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
from collections import defaultdict

from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL, format_date, formatLang

MONTHS = 6  # months of spend that the picture shows
TOP_CAUSES = 8
TOP_PEOPLE = 8
TOP_ACCOUNTS = 8
AGES = ((7, 'week'), (30, 'month'), (90, 'quarter'), (None, 'older'))  # days, key
# Where the payload of an object names the person who can finish it in Ramp
PERSON = SQL(
    """
    CASE r.flow
    WHEN 'transaction' THEN concat_ws(' ', r.payload #>> '{card_holder,first_name}', r.payload #>> '{card_holder,last_name}')
    WHEN 'reimbursement' THEN r.payload ->> 'user_full_name'
    WHEN 'bill' THEN concat_ws(' ', r.payload #>> '{bill_owner,first_name}', r.payload #>> '{bill_owner,last_name}')
    END
    """
)


class RampDashboard(models.AbstractModel):
    """The first screen: how the connection is, the next step, and what a person wants to know of it.

    The figures are read in SQL, each part with one query, after the access was checked once.
    """

    _name = 'report.ramp_connector.dashboard'
    _description = 'Ramp Dashboard'

    # ------------------------------------------------------------------ public methods (RPC)

    @api.model
    def get_dashboard(self, connection_id=None):
        """Return the figures of a connection.

        :param connection_id: default: the first connection of the user's companies
        :return: {'connections': [{'id', 'name'}], 'connection': {'id', 'name'} or False, ...}, see the methods below
        :raise AccessError: if the user may not read the ledger
        """
        Connection = self.env['ramp.connection']
        for model in ('ramp.record', 'ramp.run', 'ramp.cause', 'account.move.line'):
            self.env[model].check_access('read')
        connections = Connection.search([('active', '=', True)])
        connection = Connection.browse(int(connection_id)).exists() if connection_id else connections[:1]
        if connection_id and not connection:
            raise UserError(self.env._('This connection no longer exists.'))
        connection.check_access('read')
        result = {
            'connections': [{'id': each.id, 'name': each.display_name} for each in connections],
            'connection': {'id': connection.id, 'name': connection.display_name} if connection else False,
        }
        if not connection:
            return result
        self.env['ramp.record'].flush_model()
        self.env['account.move.line'].flush_model()
        connection = connection.with_company(connection.company_id)
        causes = self._list_causes(connection)
        return {
            **result,
            'health': self._judge_health(connection, causes),
            'causes': causes,
            'people': self._list_people(connection),
            'runs': self._list_latest_runs(connection),
            'ages': self._count_ages(connection),
            'spend': self._sum_spend(connection),
            'accounts': self._sum_accounts(connection),
        }

    @api.model
    def get_tie_out(self, connection_id):
        """Return this month's tie-out in one sentence. It takes longer than the rest, so it is asked for by itself.

        :return: {'kind': see the tie-out's status, 'text', 'month'}
        """
        today = fields.Date.context_today(self)
        month = f'{today:%Y-%m}'
        report = self.env['report.ramp_connector.tie_out']._report_without_lists(connection_id, month, month)
        return {'kind': report['status']['kind'], 'text': report['status']['text'], 'month': report['period']['label']}

    # ------------------------------------------------------------------ health

    def _judge_health(self, connection, causes):
        """Return {'level': 'ok', 'warning' or 'error', 'text', 'step': {'label', 'name'} or False}.

        The step is the one that helps most. Its name says what the page does: open the connection, what needs
        attention, or synchronize.
        """
        settings = {'label': self.env._('Open the Connection'), 'name': 'connection'}
        if connection.state != 'connected':
            return {'level': 'warning', 'text': self.env._('Ramp is not connected.'), 'step': settings}
        if connection.is_copy:
            return {
                'level': 'error',
                'text': self.env._('This database is a copy. Nothing is posted, and nothing is sent to Ramp.'),
                'step': settings,
            }
        if connection.silent_since:
            return {
                'level': 'error',
                'text': self.env._('Ramp does not answer. Nothing is lost: it goes on when Ramp answers.'),
                'step': {'label': self.env._('Sync Now'), 'name': 'sync'},
            }
        if connection.last_error:
            return {
                'level': 'error',
                'text': self.env._('The last sync failed: %s', connection.last_error),
                'step': settings,
            }
        if causes['here']:
            return {
                'level': 'warning',
                'text': self.env._('Objects wait for a decision here: %s.', causes['here']),
                'step': {'label': self.env._('Needs Attention'), 'name': 'attention'},
            }
        if not connection.last_sync:
            return {
                'level': 'warning',
                'text': self.env._('Nothing has been synchronized yet.'),
                'step': {'label': self.env._('Sync Now'), 'name': 'sync'},
            }
        return {'level': 'ok', 'text': self.env._('Everything is in order.'), 'step': False}

    # ------------------------------------------------------------------ what waits

    def _list_causes(self, connection):
        """Return {'total': number of causes, 'here': number of records that need a decision in Odoo, 'list': [{'id',
        'name', 'count', 'amounts', 'place'}]}, the largest first.
        """
        Cause = self.env['ramp.cause']
        mine = [('connection_id', '=', connection.id)]
        return {
            'total': Cause.search_count(mine),
            'here': Cause._count_records_to_decide(connection),
            'list': [
                {
                    'id': cause.id,
                    'name': cause.name,
                    'count': cause.record_count,
                    'amounts': cause.amounts,
                    'place': cause.place,
                }
                for cause in Cause.search_fetch(mine, ['cause', 'kind', 'record_count', 'place'], limit=TOP_CAUSES)
            ],
        }

    def _list_people(self, connection):
        """Return who can finish in Ramp what waits: [{'name', 'count', 'amounts'}], the most first."""
        found = defaultdict(lambda: {'count': 0, 'amounts': []})
        for person, currency, count, amount in self.env.execute_query(
            SQL(
                """
                SELECT p.person, r.currency_id, count(*), sum(r.amount)
                  FROM ramp_record r CROSS JOIN LATERAL (SELECT NULLIF(trim(%(person)s), '') AS person) p
                 WHERE r.connection_id = %(connection)s AND r.remote_id IS NULL AND p.person IS NOT NULL
                   AND (r.state = 'pending' OR r.state = 'held' AND r.reason @> '{"causes": [{"kind": "in_ramp"}]}')
                 GROUP BY 1, 2 ORDER BY 3 DESC
                """,
                person=PERSON,
                connection=connection.id,
            )
        ):
            found[person]['count'] += count
            if currency and amount:
                found[person]['amounts'].append(self._format_amount(amount, currency))
        people = sorted(found.items(), key=lambda item: (-item[1]['count'], item[0]))[:TOP_PEOPLE]
        return [{'name': name, 'count': each['count'], 'amounts': ', '.join(each['amounts'])} for name, each in people]

    def _count_ages(self, connection):
        """Return how long objects have been waiting, and what they come to: [{'key', 'label', 'count', 'amounts'}]."""
        today = fields.Date.context_today(self)
        labels = {
            'week': self.env._('up to 7 days'),
            'month': self.env._('8 to 30 days'),
            'quarter': self.env._('31 to 90 days'),
            'older': self.env._('more than 90 days'),
        }
        counts, sums = dict.fromkeys(labels, 0), {key: defaultdict(int) for key in labels}
        for age, currency, count, amount in self.env.execute_query(
            SQL(
                """
                SELECT %s - date, currency_id, count(*), sum(amount) FROM ramp_record
                 WHERE connection_id = %s AND state IN ('pending', 'held', 'error') AND remote_id IS NULL AND date IS NOT NULL
                 GROUP BY 1, 2 ORDER BY 2
                """,
                today,
                connection.id,
            )
        ):
            key = next(key for days, key in AGES if days is None or age <= days)
            counts[key] += count
            if currency and amount:
                sums[key][currency] += amount
        return [
            {
                'key': key,
                'label': label,
                'count': counts[key],
                'amounts': ', '.join(self._format_amount(amount, currency) for currency, amount in sums[key].items()),
            }
            for key, label in labels.items()
        ]

    # ------------------------------------------------------------------ what was done

    def _list_latest_runs(self, connection):
        """Return the latest run of each flow: [{'flow', 'label', 'state', 'finished', 'message'}], in the flows' order."""
        latest = {
            row[0]: row
            for row in self.env.execute_query(
                SQL(
                    """
                    SELECT DISTINCT ON (flow) flow, state, finished_at, message FROM ramp_run
                     WHERE connection_id = %s ORDER BY flow, id DESC
                    """,
                    connection.id,
                )
            )
        }
        states = dict(self.env['ramp.run']._fields['state']._description_selection(self.env))
        return [
            {
                'flow': flow._flow,
                'label': flow._get_flow_label(),
                'state': latest[flow._flow][1],
                'state_label': states[latest[flow._flow][1]],
                'finished': fields.Datetime.to_string(latest[flow._flow][2]) or False,
                'message': latest[flow._flow][3] or False,
            }
            for flow in connection._flow_models()
            if flow._flow in latest
        ]

    def _sum_spend(self, connection):
        """Return the card spend of the last months: [{'currency', 'months': [{'label', 'amount', 'text', 'share'}]}].

        The share is that of the largest month, from 0 to 100.
        """
        first = fields.Date.context_today(self).replace(day=1) - relativedelta(months=MONTHS - 1)
        sums = defaultdict(dict)
        for currency, month, amount in self.env.execute_query(
            SQL(
                """
                SELECT currency_id, date_trunc('month', date)::date, sum(amount) FROM ramp_record
                 WHERE connection_id = %s AND flow = 'transaction' AND has_moved AND date >= %s AND currency_id IS NOT NULL
                 GROUP BY 1, 2
                """,
                connection.id,
                first,
            )
        ):
            sums[currency][month] = amount
        own = connection.company_id.currency_id.id
        months = [first + relativedelta(months=number) for number in range(MONTHS)]
        result = []
        for currency in sorted(sums, key=lambda currency: (currency != own, currency)):
            largest = max(map(abs, sums[currency].values())) or 1
            result.append(
                {
                    'currency': self.env['res.currency'].browse(currency).name,
                    'months': [
                        {
                            'key': f'{month:%Y-%m}',
                            'label': format_date(self.env, month, date_format='MMM yyyy'),
                            'amount': float(sums[currency].get(month, 0)),
                            'text': self._format_amount(sums[currency].get(month, 0), currency),
                            'share': round(100 * float(abs(sums[currency].get(month, 0)) / largest)),
                        }
                        for month in months
                    ],
                }
            )
        return result

    def _sum_accounts(self, connection):
        """Return this month's posted card spend by account: [{'id', 'name', 'text', 'share'}], the most first."""
        today = fields.Date.context_today(self)
        company = connection.company_id
        rows = self.env.execute_query(
            SQL(
                """
                SELECT l.account_id, sum(l.balance)
                  FROM ramp_record r
                  JOIN account_move_line l ON l.move_id = r.res_id AND l.parent_state = 'posted'
                 WHERE r.connection_id = %s AND r.flow = 'transaction' AND r.res_model = 'account.move' AND r.date >= %s
                   AND l.company_id = %s AND l.account_id IS DISTINCT FROM %s
                 GROUP BY 1 ORDER BY 2 DESC LIMIT %s
                """,
                connection.id,
                today.replace(day=1),
                company.id,
                connection.card_account_id.id or None,
                TOP_ACCOUNTS,
            )
        )
        largest = max((abs(balance) for _account, balance in rows), default=1) or 1
        return [
            {
                'id': account.id,
                'name': account.display_name,
                'text': self._format_amount(balance, company.currency_id.id),
                'share': round(100 * float(abs(balance) / largest)),
            }
            for account, balance in (
                (self.env['account.account'].with_company(company).browse(account_id), balance)
                for account_id, balance in rows
            )
        ]

    def _format_amount(self, amount, currency_id):
        return formatLang(self.env, amount, currency_obj=self.env['res.currency'].browse(currency_id))
