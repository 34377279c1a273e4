# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import dataclasses
import logging
import time
from collections import Counter, defaultdict

import psycopg2

from odoo import SUPERUSER_ID, api, models
from odoo.exceptions import RedirectWarning, UserError
from odoo.fields import Domain
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY
from odoo.tools import SQL

from ..ramp_api import RampError
from .dry_run_cursor import DryRunCursor

_logger = logging.getLogger(__name__)

# Times that a dry run is repeated as a whole, if a synchronization or a person was in the way
TRIES = 3
# Rounds of the flows, as one may wait for another. Usually two are enough, and the second only finds nothing to do.
MOST_ROUNDS = 6
# Longest wait for a row that somebody else is writing
LOCK_TIMEOUT = '20s'
# Objects whose names are an example for a cause
EXAMPLES = 5


@dataclasses.dataclass
class Known:
    """What there was before a dry run.

    last_ids: highest id of the documents, by table
    rows: {id of the ledger row: (state, model of its document, id of its document)}
    """

    last_ids: dict
    rows: dict


class RampDryRun(models.Model):
    """How a dry run is made: the flows run as in a synchronization, with a cursor that never commits.

    The client only reads (`read_only`), and Ramp is asked first. So the rows and the journals that the entries need are
    locked for no longer than it takes to post them.
    """

    _inherit = 'ramp.dry.run'

    # ------------------------------------------------------------------ the job

    @api.model
    def _cron_run_queued(self):
        """Make the results of all queued dry runs, as the entry point of the job."""
        commit = self.env['ir.cron']._commit_progress
        # The scheduler runs this job once at a time
        self.search([('state', '=', 'running')])._store_failure(
            self.env._('The process ended before the dry run did. Nothing of it remains. Start it again.')
        )
        queued = self.search([('state', '=', 'queued')], order='id')
        commit(remaining=len(queued))
        for number, run in enumerate(queued, 1):
            run.write({'state': 'running', 'started_at': self.env.cr.now().replace(microsecond=0)})
            commit()
            run._make_result()
            if commit(1) <= 0 and number < len(queued):
                self.env.ref('ramp_connector.cron_dry_run')._trigger()
                break

    def _make_result(self):
        """Make and store the result, or the reason why there is none."""
        self.ensure_one()
        wanted = self._wanted_values()
        for attempt in range(1, TRIES + 1):
            try:
                values = self._run_dry(wanted)
                break
            except RampError as error:
                return self._store_failure(self.connection_id._explain_error(error))
            except (UserError, RedirectWarning) as error:
                return self._store_failure(error.args[0])
            except Exception as error:
                in_the_way = (*PG_CONCURRENCY_EXCEPTIONS_TO_RETRY, psycopg2.errors.UniqueViolation)
                if isinstance(error, in_the_way) and attempt < TRIES:
                    _logger.info('Ramp dry run %s: %s, trying again', self.id, type(error).__name__)
                    continue
                _logger.exception('Ramp dry run %s failed', self.id)
                return self._store_failure(
                    self.env['ramp.flow']._describe_server_trouble(error)
                    or self.env._(
                        'Unexpected error: %(kind)s. The server log has the details. Nothing was posted.',
                        kind=type(error).__name__,
                    )
                )
        return self.write({**values, 'state': 'done', 'finished_at': self._moment_now()})

    def _store_failure(self, message):
        return self.write({'state': 'failed', 'message': message, 'finished_at': self._moment_now()})

    def _moment_now(self):
        self.env.cr.execute("SELECT clock_timestamp() AT TIME ZONE 'UTC'")
        return self.env.cr.fetchone()[0].replace(microsecond=0)

    def _wanted_values(self):
        """Return what the person asked for, as values that another transaction can use."""
        return {
            'connection_id': self.connection_id.id,
            'record_id': self.record_id.id,
            'flow': self.flow,
            'date_from': self.date_from,
            'date_to': self.date_to,
            'lang': self.create_uid.lang or self.env.lang,
        }

    # ------------------------------------------------------------------ one row, at once

    @api.model
    def _make_for_record(self, record):
        """Return a dry run of one ledger row, made at once in a transaction of its own, without asking Ramp.

        :raise UserError: if the row is none that a synchronization would post
        """
        if record.res_id or not self.env[f'ramp.flow.{record.flow}']._is_posting:
            raise UserError(self.env._('Nothing would be posted: %s is posted already, or never is.', record.name))
        # sudo: who may read the row and start a dry run (checked by the caller) does not enter its result
        run = self.sudo().create(
            {
                'connection_id': record.connection_id.id,
                'record_id': record.id,
                'state': 'running',
                'started_at': self.env.cr.now().replace(microsecond=0),
            }
        )
        run._make_result()
        return run

    # ------------------------------------------------------------------ the work, with the dry-run cursor

    @contextlib.contextmanager
    def _dry_environment(self):
        """Return an environment of the system in which nothing remains.

        What other users read from the caches of this process meanwhile must not remain either.
        """
        registry = self.env.registry
        to_be_signaled = set(registry.cache_invalidated)
        cr = DryRunCursor(registry.cursor())
        try:
            env = api.Environment(cr, SUPERUSER_ID, {'lang': self.env.lang})
            env.cr.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
            env['ir.cron']._commit_progress()
            yield env
        finally:
            cr.close()
            registry.reset_changes()
            registry.cache_invalidated.update(to_be_signaled)

    def _run_dry(self, wanted):
        """Run the flows, and return the values of the result. Nothing else remains.

        :param wanted: see `_wanted_values`
        :raise UserError, RampError: if the dry run cannot begin
        """
        with self._dry_environment() as env:
            connection = env['ramp.connection'].browse(wanted['connection_id']).exists()
            if not connection:
                raise UserError(env._('The connection was deleted.'))
            Work = env['ramp.dry.run']
            known = Work._note_known(connection)
            if wanted['record_id']:
                runs, is_over = (
                    Work._post_row(connection, env['ramp.record'].browse(wanted['record_id']).exists()),
                    False,
                )
            else:
                runs, is_over = Work._run_flows(connection)
            env['ir.cron']._commit_progress()
            company = connection.company_id
            # Codes of accounts are those of the company, and texts are for the person who asked
            reader = Work.with_company(company).with_context(allowed_company_ids=company.ids, lang=wanted['lang'])
            return reader._collect_result(connection, known, runs, is_over, wanted)

    @api.model
    def _note_known(self, connection):
        rows = self.env.execute_query(
            SQL('SELECT id, state, res_model, res_id FROM ramp_record WHERE connection_id = %s', connection.id)
        )
        last_ids = {
            name: self.env.execute_query(
                SQL('SELECT COALESCE(max(id), 0) FROM %s', SQL.identifier(self.env[name]._table))
            )[0][0]
            for name in ('account.move', 'account.payment')
        }
        return Known(last_ids, {row_id: tuple(rest) for row_id, *rest in rows})

    @api.model
    def _post_row(self, connection, record):
        """Post one row as the ledger has it, and return the run."""
        if not record:
            raise UserError(self.env._('The record was deleted.'))
        record.next_attempt = False
        flow = self.env[f'ramp.flow.{record.flow}']
        connection = flow._begin_memory(connection, time.monotonic() + flow._get_job_seconds())
        flow = flow.with_env(connection.env)
        run = flow.env['ramp.run'].create(
            {'connection_id': connection.id, 'company_id': connection.company_id.id, 'flow': flow._flow}
        )
        flow._book_due_batch(connection, run, [record.ramp_id])
        return run

    @api.model
    def _run_flows(self, connection):
        """Run all flows that post, as *Sync Now* does, until none posts anything.

        :return: (the runs, whether the time was up before that)
        """
        deadline = time.monotonic() + self.env['ramp.flow']._get_job_seconds()
        memory = {'kept_answers': {}}
        first = self.env['ramp.flow']._begin_memory(connection, deadline, **memory)
        if connection.state != 'connected':
            memory['is_seat_checked'] = True  # there is none to check, and none is taken
            self._connect_dry(first)
        else:
            first._check_business(lambda work, *args: work(*args))
        connection = connection.with_env(self.env)
        flows = [flow for flow in connection._flow_models() if flow._is_posting and flow._is_enabled_for(connection)]
        # In the order in which the scheduler calls the jobs
        flows.sort(key=lambda flow: (flow._get_cron_job().priority, flow._flow_sequence))
        self._ask_ahead(first, flows)
        # The next synchronization may go on where the last one stopped. The dry run reads the lists from their
        # beginning, to show everything.
        self.env['ramp.run'].search([('connection_id', '=', connection.id), ('state', '=', 'paused')]).state = 'done'
        self.env['ramp.record']._clear_next_attempt(connection)
        runs = self.env['ramp.run']
        for _round in range(MOST_ROUNDS):
            in_round = self.env['ramp.run']
            for flow in flows:
                if time.monotonic() > deadline:
                    return runs | in_round, True
                of_run = flow._begin_memory(connection, deadline, **memory).with_context(cron_end_time=deadline)
                in_round |= flow.with_env(of_run.env)._run_for_connection(of_run).with_env(self.env)
            runs |= in_round
            # What waited for another flow is posted in the next round
            if not any(in_round.mapped('created')):
                break
        return runs, False

    @api.model
    def _connect_dry(self, connection):
        """Do in Odoo what *Connect* does. In Ramp, nothing is taken."""
        # It would be made and committed by another transaction
        connection._name_database()
        connection._check_may_connect()
        client = connection._new_client()
        try:
            connection._note_connected(False, *connection._set_up_for_business(client))
        finally:
            client.close_connections()
        self.env['ir.cron']._commit_progress()

    @api.model
    def _ask_ahead(self, connection, flows):
        """Read the lists of what is ready before anything is written. The answers are kept for the flows.

        What fails here is asked for again by the flow, which says why.
        """
        client = connection._new_client()
        try:
            for flow in flows:
                if not hasattr(flow, '_get_ready_listings') or not flow._endpoint:
                    continue
                for params in flow._get_ready_listings(connection):
                    with contextlib.suppress(RampError):
                        for _page in client.list_pages(flow._endpoint, {'page_size': flow._page_size, **params}):
                            pass
        finally:
            client.close_connections()

    # ------------------------------------------------------------------ what it came to

    @api.model
    def _collect_result(self, connection, known, runs, is_over, wanted):
        """Return the values of the result: what is different now.

        :param is_over: whether the time was up before the flows had done everything
        """
        rows = self._find_changed_rows(connection, known, wanted)
        entries = self._describe_entries(connection, known, wanted)
        stopped = [row for kind, row in rows if kind in ('held', 'error')]
        labels = dict(self._fields['flow']._description_selection(self.env))
        messages = [f'{labels[run.flow]}: {run.message}' for run in runs if run.message]
        is_over = is_over or any(run.state == 'paused' for run in runs)
        is_incomplete = bool(messages) or is_over
        if is_over:
            messages.append(self.env._('The time of the job was up before everything was read and posted.'))
        counts = dict.fromkeys(('posted', 'held', 'error', 'pending', 'ignored'), 0)
        counts.update(Counter(kind for kind, _row in rows))
        return {
            'result': {
                'currency': connection.company_id.currency_id.name,
                'counts': counts,
                'causes': self._describe_causes(stopped),
                'totals': self._sum_by_account(entries),
                'entries': entries,
                'objects': [self._describe_row(kind, row) for kind, row in rows if kind != 'posted'],
                'posted': [self._describe_row(kind, row) for kind, row in rows if kind == 'posted'],
            },
            'posted_count': counts['posted'],
            'stopped_count': len(stopped),
            'message': '\n'.join(dict.fromkeys(messages)) or False,
            'is_incomplete': is_incomplete,
        }

    @api.model
    def _find_changed_rows(self, connection, known, wanted):
        """Return [(kind, ledger row)]: what would be posted, stays open, or would be left out anew.

        The kind is `posted`, or the state of the row.
        """
        flows = [wanted['flow']] if wanted['flow'] else [value for value, _label in self._selection_posting_flow()]
        domain = Domain('connection_id', '=', connection.id) & Domain('flow', 'in', flows)
        if wanted['record_id']:
            domain &= Domain('id', '=', wanted['record_id'])
        domain &= self._period_domain('date', wanted, or_empty=True)
        found = []
        for row in self.env['ramp.record'].search(domain, order='date, id'):
            state, *document = known.rows.get(row.id, (None, None, None))
            if row.state in ('held', 'error', 'pending'):
                found.append((row.state, row))
            elif row.state == 'ignored' and state != 'ignored':
                found.append(('ignored', row))
            elif row.res_id and (
                document != [row.res_model, row.res_id] or state not in ('done', 'confirmed') and row.state != 'ignored'
            ):
                found.append(('posted', row))
        return found

    @api.model
    def _period_domain(self, name, wanted, or_empty=False):
        domain = Domain.TRUE
        if wanted['date_from']:
            domain &= Domain(name, '>=', wanted['date_from'])
        if wanted['date_to']:
            domain &= Domain(name, '<=', wanted['date_to'])
        return domain | Domain(name, '=', False) if or_empty else domain

    @api.model
    def _describe_entries(self, connection, known, wanted):
        """Return the entries and payments that came into being, as JSON, without numbers and ids: these come later."""
        period = self._period_domain('date', wanted)
        company = Domain('company_id', '=', connection.company_id.id)
        moves = self.env['account.move'].search(
            Domain('id', '>', known.last_ids['account.move']) & company & period, order='date, id'
        )
        payments = self.env['account.payment'].search(
            Domain('id', '>', known.last_ids['account.payment']) & Domain('move_id', '=', False) & company & period,
            order='date, id',
        )
        owners = self._find_owners(connection, moves, payments)
        return [
            self._describe_document(document, owners[document])
            for document in (*moves, *payments)
            if not wanted['flow'] or owners[document].flow == wanted['flow']
        ]

    @api.model
    def _find_owners(self, connection, moves, payments):
        """Return {document: ledger row of the object that it is for, or an empty one}."""
        Record = self.env['ramp.record']
        ramp_ids = {document.ramp_id for document in (*moves, *moves.origin_payment_id, *payments) if document.ramp_id}
        rows = Record.search(
            [
                ('connection_id', '=', connection.id),
                '|',
                ('ramp_id', 'in', list(ramp_ids)),
                '|',
                '&',
                ('res_model', '=', 'account.move'),
                ('res_id', 'in', moves.ids),
                '&',
                ('res_model', '=', 'account.payment'),
                ('res_id', 'in', (moves.origin_payment_id | payments).ids),
            ],
            order='id desc',
        )
        of_document = {(row.res_model, row.res_id): row for row in rows if row.res_id}
        of_object = {row.ramp_id: row for row in rows}
        owners = defaultdict(lambda: Record)
        for document in (*moves, *payments):
            payment = document.origin_payment_id if document._name == 'account.move' else document
            owners[document] = (
                of_document.get((document._name, document.id))
                or of_document.get((payment._name, payment.id))
                or of_object.get(document.ramp_id or payment.ramp_id)
                or Record
            )
        return owners

    @api.model
    def _describe_document(self, document, row):
        """Return an entry, or a payment that has none, as JSON."""
        is_move = document._name == 'account.move'
        return {
            'flow': row.flow or False,
            'object': row.name or False,
            'kind': document.move_type if is_move else 'payment',
            'state': document.state,
            'date': document.date.isoformat(),
            'journal': document.journal_id.code,
            'reference': (document.ref if is_move else document.memo) or False,
            'partner': document.partner_id.name or False,
            'currency': document.currency_id.name,
            'amount': document.amount_total if is_move else document.amount,
            'lines': [
                {
                    'account': line.account_id.code,
                    'account_name': line.account_id.name,
                    'label': line.name or False,
                    'partner': line.partner_id.name or False,
                    'currency': line.currency_id.name,
                    'amount': line.amount_currency,
                    'balance': line.balance,
                    'taxes': sorted(line.tax_ids.mapped('name')),
                }
                for line in (document.line_ids if is_move else ())
                if line.account_id  # no sections and notes
            ],
        }

    @api.model
    def _sum_by_account(self, entries):
        """Return the sums of entries by month, account and currency."""
        sums = defaultdict(lambda: {'debit': 0.0, 'credit': 0.0, 'amount': 0.0, 'balance': 0.0})
        for entry in entries:
            for line in entry['lines']:
                total = sums[entry['date'][:7], line['account'], line['account_name'], line['currency']]
                total['debit'] += max(line['balance'], 0.0)
                total['credit'] += max(-line['balance'], 0.0)
                total['amount'] += line['amount']
                total['balance'] += line['balance']
        return [
            {
                'month': month,
                'account': account,
                'account_name': name,
                'currency': currency,
                **{key: round(value, 6) for key, value in total.items()},
            }
            for (month, account, name, currency), total in sorted(sums.items(), key=lambda item: str(item[0]))
        ]

    @api.model
    def _describe_causes(self, stopped):
        """Return every cause that holds an object, with its objects counted and summed, the most frequent first."""
        Cause = self.env['ramp.cause']
        held = defaultdict(list)
        for row_id, cause_ids in Cause._causes_of_records(self.env['ramp.record'].union(*stopped)).items():
            for cause_id in cause_ids:
                held[cause_id].append(row_id)
        causes = []
        for cause in Cause.browse(held):
            rows, amounts = self.env['ramp.record'].browse(held[cause.id]), defaultdict(float)
            for row in rows.filtered('currency_id'):
                amounts[row.currency_id.name] += row.amount
            causes.append(
                {
                    'title': cause.name,
                    'kind': cause.kind or False,
                    'place': cause.place,
                    'count': len(rows),
                    'amounts': {code: round(amount, 6) for code, amount in sorted(amounts.items())},
                    'examples': [row.display_name for row in rows[:EXAMPLES]],
                }
            )
        return sorted(causes, key=lambda cause: (-cause['count'], cause['title']))

    @api.model
    def _describe_row(self, kind, row):
        return {
            'kind': kind,
            'flow': row.flow,
            'name': row.display_name,
            'date': row.date.isoformat() if row.date else False,
            'amount': row.amount if row.currency_id else False,
            'currency': row.currency_id.name or False,
            'reason': False if kind == 'posted' else row.reason_text or False,
        }
