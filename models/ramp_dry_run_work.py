# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import dataclasses
import logging
import time

import psycopg2

from odoo import SUPERUSER_ID, api, models
from odoo.exceptions import RedirectWarning, UserError
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
        values, failure = self._try_dry(self._wanted_values(), self.connection_id)
        if failure:
            return self._store_failure(failure)
        return self.write({**values, 'state': 'done', 'finished_at': self._moment_now()})

    @api.model
    def _try_dry(self, wanted, connection, tries=TRIES):
        """Run the flows, again if others are in the way.

        :param wanted: see `_wanted_values`
        :param connection: connection, to be named in an error; it may be unsaved
        :param tries: how often at most
        :return: (values of the result, sentence that says why there is none); one of both is None
        """
        try:
            return self._run_dry(wanted), None
        except RampError as error:
            return None, connection._explain_error(error)
        except (UserError, RedirectWarning) as error:
            return None, error.args[0]
        except Exception as error:
            in_the_way = (*PG_CONCURRENCY_EXCEPTIONS_TO_RETRY, psycopg2.errors.UniqueViolation)
            if not isinstance(error, in_the_way) or tries == 1:
                _logger.exception('Ramp dry run %s failed', self.id)
                return None, self.env['ramp.flow']._describe_server_trouble(error) or self.env._(
                    'Unexpected error: %(kind)s. The server log has the details. Nothing was posted.',
                    kind=type(error).__name__,
                )
            _logger.info('Ramp dry run %s: %s, trying again', self.id, type(error).__name__)
        return self._try_dry(wanted, connection, tries - 1)

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

        :param wanted: see `_wanted_values`. `connection_values` are values that the connection has in the dry run
            only; without a `connection_id`, it is made with them. `seconds` is the longest time that the flows may take
        :raise UserError, RampError: if the dry run cannot begin
        """
        with self._dry_environment() as env:
            Work = env['ramp.dry.run']
            connection = Work._prepare_connection(wanted)
            known = Work._note_known(connection)
            if wanted['record_id']:
                runs, is_over = (
                    Work._post_row(connection, env['ramp.record'].browse(wanted['record_id']).exists()),
                    False,
                )
            else:
                runs, is_over = Work._run_flows(connection, wanted.get('seconds'))
            env['ir.cron']._commit_progress()
            company = connection.company_id
            # Codes of accounts are those of the company, and texts are for the person who asked
            reader = Work.with_company(company).with_context(allowed_company_ids=company.ids, lang=wanted['lang'])
            return reader._collect_result(connection, known, runs, is_over, wanted)

    @api.model
    def _prepare_connection(self, wanted):
        """Return the connection of a dry run, with the values that it has there only.

        :param wanted: see `_run_dry`
        """
        values = wanted.get('connection_values')
        if values and not wanted['connection_id']:
            return self.env['ramp.connection'].create(values)
        connection = self.env['ramp.connection'].browse(wanted['connection_id']).exists()
        if not connection:
            raise UserError(self.env._('The connection was deleted.'))
        if values:
            connection.write(values)
        return connection

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
    def _run_flows(self, connection, seconds=None):
        """Run all flows that post, as *Sync Now* does, until none posts anything.

        :param seconds: the longest time that they may take, if less than that of a job
        :return: (the runs, whether the time was up before that)
        """
        longest = self.env['ramp.flow']._get_job_seconds()
        deadline = time.monotonic() + min(longest, seconds or longest)
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
