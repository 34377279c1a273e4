# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import errno
import logging
import math
import random
import threading
import time
from datetime import timedelta

import psycopg2

from odoo import api, models
from odoo.exceptions import ConcurrencyError, UserError
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY
from odoo.tools import config

from ...models.dry_run_cursor import is_dry_run
from ...models.ramp_connection_seat import IntegrationLost
from ...models.run_memory import RunMemory, run_memory
from ...ramp_api import (
    RampAuthError,
    RampError,
    RampNotFound,
    RampOutOfTime,
    RampProtocolError,
    RampReadOnlyError,
    RampServerError,
)

_logger = logging.getLogger(__name__)

CONCURRENCY_TRIES = 8
# Share of Odoo's time limit for job workers that one job may use. The limit counts from the moment when the worker went
# to sleep, up to 70 of 120 seconds before it began. Several jobs share it.
PART_OF_LIMIT = 1 / 3
# Share of the limit that all jobs of a round may use together, where the start of the round is known.
PART_OF_ROUND = 3 / 4
LEAST_JOB = 15  # seconds that a job gets in any case, so that it gets something done
LONGEST_JOB = 300  # seconds, where Odoo has no time limit for workers
# Errors of the database or the machine that do not depend on the work at hand.
SHARED_CLASSES = ('08', '53', '57', '58')  # classes of SQLSTATE: connection, resources, operator, system
DISK_FULL = '53100'
FULL = {errno.ENOSPC, errno.EDQUOT}
SHARED_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE}


def is_of_object(error, undone=False):
    """Return whether an exception concerns only the object that was being processed. Then only that object waits.

    By default every exception does, as nobody can foresee what an odd object, a library or another module raises. It
    does not in these cases:

    - another transaction was in the way, so the work is repeated
    - the database or the machine is in trouble
    - Ramp could not be asked, or the program has a mistake that concerns all objects
    - the process is to end

    :param undone: whether a savepoint was rolled back. Without a savepoint, a transaction in which a statement failed
        accepts no other statement.
    """
    if not isinstance(error, Exception) or isinstance(
        error, (*PG_CONCURRENCY_EXCEPTIONS_TO_RETRY, ConcurrencyError, RampError, RampReadOnlyError)
    ):
        return False
    if isinstance(error, psycopg2.Error):
        return undone and bool(error.pgcode) and error.pgcode[:2] not in SHARED_CLASSES
    return not (isinstance(error, OSError) and error.errno in SHARED_ERRNOS)


class RampFlow(models.AbstractModel):
    """Base of all flows in both directions: name, job, order and safe transactions.

    A flow is an abstract model `ramp.flow.<flow>` in a file of its own. It inherits `ramp.flow.pull` or
    `ramp.flow.push`, and contains only what is particular to its kind of object.
    """

    _name = 'ramp.flow'
    _description = 'Ramp Flow'

    _flow = None  # technical name, used in ramp.record.flow and in the job's XML id cron_<flow>
    _flow_sequence = 100
    _endpoint = None  # path of the list in Ramp; the path of an object is below it
    _sends = False  # whether the flow goes from Odoo to Ramp
    _is_posting = False  # whether the flow posts objects, so that a dry run has to show what it would post
    # Types of Ramp's events that trigger the job. The job then reads Ramp as it does without events.
    _events = ()

    @api.model
    def _get_flow_label(self):
        """Return the flow's name for a user."""
        return self._flow

    @api.model
    def _is_enabled_for(self, connection):
        """Return whether the flow is enabled on the connection."""
        return True

    @api.model
    def _get_ramp_page_path(self, record):
        """Return the path of the object's page in Ramp's web application, or None."""
        return

    @api.model
    def _describe_payload(self, connection, payload):
        """Return what a person reads of a payload, or None if that is not known. See `ramp.flow.store`."""
        return

    @api.model
    def _get_files_parent_id(self, record):
        """Return the Ramp id under which the files of a row's object are in the ledger, or None if it has no files."""
        return

    @api.model
    def _get_cron_job(self):
        """Return the flow's job. It is empty for a flow whose rows another flow makes and processes."""
        return self.env['ir.cron'].browse(self._get_cron_id() or ())

    @api.model
    def _get_cron_id(self):
        """Return the id of the flow's job, or False. Odoo caches it, so only the first call makes a query."""
        return self.env['ir.model.data']._xmlid_to_res_id(f'ramp_connector.cron_{self._flow}', raise_if_not_found=False)

    @api.model
    def _trigger(self):
        """Schedule the flow's job to run soon. This takes effect when the caller's transaction commits."""
        # sudo: any user's action may create work for the job. The job itself decides what it does.
        cron = self._get_cron_job()
        if cron:
            cron.sudo()._trigger()

    def _on_decided(self, connections):
        """Schedule the jobs that have work after a person has ignored or linked objects of these connections."""
        self._trigger()

    @api.model
    def _cron_run(self):
        """Run the flow for each connected connection, as the entry point of the job.

        A connection that fails does not stop the others.
        """
        deadline = time.monotonic() + self._get_job_seconds()
        for number, connection in enumerate(
            self._order_by_last_run(self.env['ramp.connection'].search([('state', '=', 'connected')]))
        ):
            if number and time.monotonic() + LEAST_JOB > deadline:
                self._trigger()  # the next call runs the other connections
                return
            connection = self._begin_memory(connection, deadline)
            if self._is_enabled_for(connection):
                self.with_env(connection.env)._run_for_connection(connection)

    @api.model
    def _begin_memory(self, connection, deadline, **known):
        """Return a connection in the environment of a new run: with its memory, company, language and time zone.

        :param deadline: see `_get_job_deadline`
        :param known: values of the `RunMemory`
        """
        connection = connection.with_context(ramp_memory=RunMemory(**known), ramp_deadline=deadline)
        zone, company = connection._time_zone(), connection.company_id
        return connection.with_company(company).with_context(
            allowed_company_ids=company.ids, lang=company.partner_id.lang or self.env.lang, tz=zone
        )

    @api.model
    def _get_job_seconds(self):
        """Return how many seconds the whole job may take.

        After Odoo's time limit the server would end the process, and uncommitted work would be lost.
        """
        limit = config['limit_time_real_cron']
        limit = config['limit_time_real'] if limit < 0 else limit
        # Start of the round of jobs, where threads run the jobs.
        began = getattr(threading.current_thread(), 'start_time', None)
        if not limit:
            return LONGEST_JOB
        return max(LEAST_JOB, min(limit * PART_OF_LIMIT, limit * PART_OF_ROUND - (time.time() - began if began else 0)))

    def _order_by_last_run(self, connections):
        """Return the connections, the one whose last run is oldest first.

        So one connection with a slow Ramp does not keep the others from their turn.
        """
        if len(connections) < 2:
            return connections
        last = dict(
            self.env['ramp.run']._read_group(
                [('connection_id', 'in', connections.ids), ('flow', '=', self._flow)], ['connection_id'], ['id:max']
            )
        )
        return connections.sorted(lambda connection: last.get(connection, 0))

    @api.model
    def _get_job_deadline(self):
        """Return the `time.monotonic` value at which a run has to end. Nothing begins or waits beyond it."""
        return self.env.context.get('ramp_deadline', math.inf)

    @api.model
    def _is_job_time_up(self):
        """Return whether the job has used the time that the scheduler gives it. Another call continues."""
        return time.monotonic() > self.env.context.get('cron_end_time', math.inf)

    def _run_for_connection(self, connection):
        """Run the flow for one connection, and return the `ramp.run`.

        A flow defines the work in `_run_connection_work`. Errors of Ramp or of an object are stored on the run, never
        raised.
        """
        run = self._transaction(self.env['ramp.run']._start_run, connection, self._flow)
        message, memory = False, run_memory(self.env)
        memory.run_id = run.id
        # As long as Ramp answers, there is nothing to commit.
        memory.reach_options = self._transaction(connection._reach_options) if connection.silent_since else {}
        try:
            connection._check_business(self._transaction)
            self._run_connection_work(connection, run)
        except RampOutOfTime as error:
            # Nothing is wrong. The next run continues.
            self.env.cr.rollback()
            memory.is_over = True
            _logger.info('Ramp flow %s of connection %s: to be continued (%s)', self._flow, connection.id, error)
            self._schedule_next_call(error.retry_after)
        except (RampError, UserError) as error:
            self.env.cr.rollback()
            message = connection._explain_error(error) if isinstance(error, RampError) else str(error)
            memory.failure_kind = self._classify_failure(error)
            _logger.warning('%s', message)
        except Exception as error:
            self.env.cr.rollback()
            if is_dry_run(self.env):
                raise  # there is nobody who could correct it before the next flow
            _logger.exception('Ramp flow %s of connection %s failed', self._flow, connection.id)
            message = self._describe_server_trouble(error) or self.env._(
                'Unexpected error: %(kind)s. The server log has the details. Nothing incomplete was saved.',
                kind=type(error).__name__,
            )
        finally:
            for client in memory.ramp_clients:
                client.close_connections()
        if self._transaction(self._finish_sync_run, connection, run, message):
            self._tell_after_run(connection, run)
        return run

    def _transaction(self, work, *args, processed=0):
        """Run `work(*args)` and commit. If another worker was in the way, roll back and repeat it.

        In a dry run, the commit is none (see `DryRunCursor`), and it is repeated as a whole: its one transaction does
        not see what the other worker did.

        Only jobs may use it. Code that runs in the transaction of a user or of another module must not commit.
        """
        for attempt in range(1, CONCURRENCY_TRIES + 1):
            try:
                result = work(*args)
                self.env['ir.cron']._commit_progress(processed)
                return result
            except (*PG_CONCURRENCY_EXCEPTIONS_TO_RETRY, psycopg2.errors.UniqueViolation) as error:
                self.env.cr.rollback()
                self.env.transaction.reset()
                pause = random.uniform(0, 0.05 * 2**attempt)
                is_last = attempt == CONCURRENCY_TRIES or is_dry_run(self.env)
                if is_last or time.monotonic() + pause > self._get_job_deadline():
                    raise
                _logger.info('Ramp flow %s: %s, trying again', self._flow, type(error).__name__)
                time.sleep(pause)
        return None

    def _schedule_next_call(self, pause=None):
        """Schedule the job to continue, after a pause in seconds if one is given."""
        # sudo: see `_trigger`. The end of the run commits the transaction.
        self._get_cron_job().sudo()._trigger(at=self.env.cr.now() + timedelta(seconds=pause) if pause else None)

    @api.model
    def _classify_failure(self, error):
        """Return the `ramp.run.failure_kind` of an error that ended a run, or None."""
        if isinstance(error, IntegrationLost):
            return 'integration'
        return 'credentials' if isinstance(error, RampAuthError) else None

    def _tell_after_run(self, connection, run):
        """Let the responsible person know what changed with this run.

        It is not part of the work: if it fails, the log says so, and the run stays as it is.
        """
        try:
            self._transaction(connection._tell_responsible, run.flow == 'watch' and run.state == 'done')
        except Exception:
            self.env.cr.rollback()
            _logger.exception('The responsible person of connection %s could not be told', connection.id)

    def _finish_sync_run(self, connection, run, message):
        """Close the run, and note on the connection what its form shows.

        :return: whether somebody is to be told
        """
        memory = run_memory(self.env)
        run._finish_run(message, is_over=memory.is_over, failure_kind=message and memory.failure_kind)
        until = connection._note_reach(memory.ramp_clients)
        if until:
            self._get_cron_job().sudo()._trigger(at=until)  # sudo: see `_trigger`
        # Several jobs end at the same moment. They write to the connection, and so conflict, only if needed.
        if message or connection.last_error:
            failure = connection._latest_failure()
            if failure != connection.last_error:
                connection.last_error = failure
        return bool(connection.responsible_id)

    def _run_connection_work(self, connection, run):
        raise NotImplementedError

    # ------------------------------------------------------------------ helpers of a run

    def _describe_server_trouble(self, error):
        """Return a sentence with the remedy when the database or the machine is in trouble, otherwise None."""
        code = isinstance(error, psycopg2.Error) and error.pgcode or ''
        if code == DISK_FULL:
            return self.env._(
                'The disk of the database server is full. Nothing incomplete was saved. Free up space, and the next '
                'run continues.'
            )
        if code[:2] in ('08', '57') or isinstance(error, psycopg2.InterfaceError):
            return self.env._(
                'The database closed the connection, as it does on a restart. Nothing incomplete was saved. The next '
                'run continues.'
            )
        if isinstance(error, OSError) and error.errno in FULL:
            return self.env._(
                "The disk with Odoo's files (%s) is full. Nothing incomplete was saved. Free up space, and the next "
                'run continues.',
                config['data_dir'],
            )
        if isinstance(error, OSError) and error.errno in SHARED_ERRNOS:
            return self.env._(
                "Odoo's server has a problem (%s). Nothing incomplete was saved. Ask your server administrator to "
                'check it.',
                error.strerror,
            )
        return None

    def _check_seat(self, connection, client):
        """Check once in a run that this database holds the accounting integration of the Ramp business.

        Without it, nothing is sent or posted.
        """
        memory = run_memory(self.env)
        if not memory.is_seat_checked:
            connection._check_own_seat(client)
            memory.is_seat_checked = True

    def _fetch_each_object(self, client, ramp_ids):
        """Yield (Ramp id, payload) of these objects, each fetched when it is needed.

        Objects for which Ramp answers with an error are left out. They delay nothing, and are fetched or listed again
        later.

        :return: iterator; the payload is None if Ramp does not have the object
        """
        for ramp_id in ramp_ids:
            payload = None
            try:
                with contextlib.suppress(RampNotFound):
                    payload = client.get(f'{self._endpoint}/{ramp_id}')
                if not isinstance(payload, (dict, type(None))):
                    raise RampProtocolError('the answer is no object', method='GET', path=f'{self._endpoint}/{ramp_id}')
            except RampOutOfTime as error:
                _logger.info('%s', error)
                return  # the caller stores what was answered; the next request ends the run
            except (RampProtocolError, RampServerError) as error:
                _logger.info('%s', error)
                continue
            yield ramp_id, payload
