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

from ...ramp_api import RampError, RampNotFound, RampOutOfTime, RampProtocolError, RampServerError

_logger = logging.getLogger(__name__)

CONCURRENCY_TRIES = 8
# Of the time after which Odoo ends a worker for jobs. It counts from when the worker went to sleep, up to 70 of 120
# seconds before it
# began, and several jobs share it.
PART_OF_LIMIT = 1 / 3
PART_OF_ROUND = 3 / 4  # where it is known when the worker began: so far, all jobs together
LEAST_JOB = 15  # seconds that a job has in any case: else it would never get anything done
LONGEST_JOB = 300  # seconds, where Odoo ends no worker
# What a database or a machine is in trouble with, whatever is done at that moment
SHARED_CLASSES = ('08', '53', '57', '58')  # of SQLSTATE: connection, resources, operator, system
DISK_FULL = '53100'
FULL = {errno.ENOSPC, errno.EDQUOT}
SHARED_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE}


def is_of_object(error, undone=False):
    """Whether an exception stays with the object that was worked on when it was raised: then only that one is held.

    That is the rule, whatever the exception is: nobody knows beforehand what an odd object, a library that reads it, or
    another module raises. It is not the object's when another transaction was in the way (all is done again), when the
    database or the machine is in trouble, when Ramp could not be asked, or when the process is to end.

    :param undone: whether a savepoint was rolled back: without one, a transaction in which a statement failed takes no
        other
    """
    if not isinstance(error, Exception) or isinstance(
        error, (*PG_CONCURRENCY_EXCEPTIONS_TO_RETRY, ConcurrencyError, RampError)
    ):
        return False
    if isinstance(error, psycopg2.Error):
        return undone and bool(error.pgcode) and error.pgcode[:2] not in SHARED_CLASSES
    return not (isinstance(error, OSError) and error.errno in SHARED_ERRNOS)


class Held(Exception):
    """A person has to settle something first; the text says what, for an accountant and for Ramp's export errors.

    :param move: the document in Odoo that is in the way, if one is
    """

    def __init__(self, text, move=None):
        super().__init__(text)
        self.move = move


class Waiting(Exception):
    """Ramp is not finished with the object; nothing is wrong."""


class Behind(Exception):
    """Another object of the same batch has to be booked first; then it is looked at again."""


class Skipped(Exception):
    """A rule leaves the object out of the books; the text says which."""


class RampFlow(models.AbstractModel):
    """What every flow has, in whichever direction: a name, a job, a place in the order, and safe transactions.

    A flow is one file in this folder: an abstract model `ramp.flow.<flow>` that inherits `ramp.flow.pull`
    (or `ramp.flow.push`) and says only what is particular to its kind of object.
    """

    _name = 'ramp.flow'
    _description = 'Ramp Flow'

    _flow = None  # technical name, as in ramp.record.flow and in the job's XML id cron_<flow>
    _flow_sequence = 100
    _endpoint = None  # path of the list in Ramp; an object's own path is below it
    _sends = False  # whether it goes from Odoo to Ramp
    _events = ()  # types of Ramp's events that wake the job: it asks Ramp what there is, as it does without them

    @api.model
    def _get_flow_label(self):
        """The flow's name for a person."""
        return self._flow

    @api.model
    def _is_enabled_for(self, connection):
        """Whether the connection wants this flow to run."""
        return True

    @api.model
    def _get_ramp_page_path(self, record):
        """Path of the object's page in Ramp's web application, or None."""
        return

    @api.model
    def _get_cron_job(self):
        """The flow's job; an empty recordset for a flow whose rows another one makes and works on."""
        return self.env['ir.cron'].browse(self._get_cron_id() or ())

    @api.model
    def _get_cron_id(self):
        """Id of the flow's job, or False: without a query, once it was asked for."""
        return self.env['ir.model.data']._xmlid_to_res_id(f'ramp_connector.cron_{self._flow}', raise_if_not_found=False)

    @api.model
    def _trigger(self):
        """Let the flow's job run soon; takes effect when the caller's transaction is committed."""
        # anybody's action may make work for the job; the job itself decides what it does
        cron = self._get_cron_job()
        if cron:
            cron.sudo()._trigger()

    @api.model
    def _cron_run(self):
        """Entry point of the job: one run for each connected connection; one that fails does not stop the others."""
        deadline = time.monotonic() + self._get_job_seconds()
        for number, connection in enumerate(
            self._order_by_last_run(self.env['ramp.connection'].search([('state', '=', 'connected')]))
        ):
            if number and time.monotonic() + LEAST_JOB > deadline:
                self._trigger()  # the others have their turn in the next call
                return
            connection = connection.with_context(
                ramp_memory={},  # what one run has asked already
                ramp_deadline=deadline,
            )
            zone, company = connection._time_zone(), connection.company_id
            connection = connection.with_company(company).with_context(
                allowed_company_ids=company.ids, lang=company.partner_id.lang or self.env.lang, tz=zone
            )
            if self._is_enabled_for(connection):
                self.with_env(connection.env)._run_for_connection(connection)

    @api.model
    def _get_job_seconds(self):
        """How long the job may take in all: then the server would end the process, and what is not committed would be
        lost.
        """
        limit = config['limit_time_real_cron']
        limit = config['limit_time_real'] if limit < 0 else limit
        began = getattr(threading.current_thread(), 'start_time', None)  # of the round of jobs, where threads do them
        if not limit:
            return LONGEST_JOB
        return max(LEAST_JOB, min(limit * PART_OF_LIMIT, limit * PART_OF_ROUND - (time.time() - began if began else 0)))

    def _order_by_last_run(self, connections):
        """Connections in the order in which they had their last runs: a slow Ramp of one does not keep the others from
        theirs.
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
        """The moment of `time.monotonic` at which a run has to be over; nothing is begun, and nobody waits, beyond it."""
        return self.env.context.get('ramp_deadline', math.inf)

    def _run_for_connection(self, connection):
        """One run: subclasses say what it consists of, in `_run_connection_work`. Never raises for trouble with Ramp or
        with an object.
        """
        run = self._transaction(self.env['ramp.run']._start_run, connection, self._flow)
        message, memory = False, self.env.context.get('ramp_memory', {})
        # no commit as long as Ramp answers
        memory['reach'] = self._transaction(connection._reach_options) if connection.silent_since else {}
        try:
            connection._check_business(self._transaction)
            self._run_connection_work(connection, run)
        except RampOutOfTime as error:
            # nothing is wrong: the next run goes on
            self.env.cr.rollback()
            memory['is_over'] = True
            _logger.info('Ramp flow %s of connection %s: to be continued (%s)', self._flow, connection.id, error)
            self._schedule_next_call(error.retry_after)
        except (RampError, UserError) as error:
            self.env.cr.rollback()
            message = connection._explain_error(error) if isinstance(error, RampError) else str(error)
            _logger.warning('%s', message)
        except Exception as error:
            self.env.cr.rollback()
            _logger.exception('Ramp flow %s of connection %s failed', self._flow, connection.id)
            message = self._describe_server_trouble(error) or self.env._(
                'Unexpected: %(kind)s. The server log has the details; nothing half done was kept.',
                kind=type(error).__name__,
            )
        self._transaction(self._finish_sync_run, connection, run, message)
        return run

    def _describe_server_trouble(self, error):
        """What an error says of the database or the machine, as a sentence with the remedy; None: nothing."""
        code = isinstance(error, psycopg2.Error) and error.pgcode or ''
        if code == DISK_FULL:
            return self.env._(
                "The disk of the database's server is full. Nothing half done was kept: make room there, and the next "
                'run goes on.'
            )
        if code[:2] in ('08', '57') or isinstance(error, psycopg2.InterfaceError):
            return self.env._(
                'The database ended the connection, as it does when it is restarted. Nothing half done was kept: the '
                'next run goes on.'
            )
        if isinstance(error, OSError) and error.errno in FULL:
            return self.env._(
                'The disk with the files of Odoo (%s) is full. Nothing half done was kept: make room there, and the '
                'next run goes on.',
                config['data_dir'],
            )
        if isinstance(error, OSError) and error.errno in SHARED_ERRNOS:
            return self.env._(
                "Odoo's server is in trouble (%s). Nothing half done was kept: whoever looks after it should look at "
                'it.',
                error.strerror,
            )
        return None

    def _schedule_next_call(self, pause=None):
        """Let the job go on, after so many seconds."""
        # see `_trigger`; the transaction is committed by the end of the run
        self._get_cron_job().sudo()._trigger(at=self.env.cr.now() + timedelta(seconds=pause) if pause else None)

    def _finish_sync_run(self, connection, run, message):
        memory = self.env.context.get('ramp_memory', {})
        run._finish_run(message, is_over=memory.get('is_over', False))
        until = connection._note_reach(memory.get('clients', ()))
        if until:
            self._get_cron_job().sudo()._trigger(at=until)  # see `_trigger`
        # Several jobs end at the same moment; they are in each other's way only if there is something to say.
        if message or connection.last_error:
            failure = connection._latest_failure()
            if failure != connection.last_error:
                connection.last_error = failure

    def _run_connection_work(self, connection, run):
        raise NotImplementedError

    def _check_seat(self, connection, client):
        """Once in a run: nothing is sent or booked unless this database holds the accounting integration of the Ramp business."""
        memory = self.env.context.get('ramp_memory', {})
        if not memory.get('seat'):
            connection._check_own_seat(client)
            memory['seat'] = True

    def _fetch_each_object(self, client, ramp_ids):
        """(Ramp id, payload or None where Ramp has none) of these objects, each asked for when it is wanted.

        Without those on which Ramp fails: they delay nothing else, and are asked for again, or listed.
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
                return  # what was answered is stored; whatever is asked next ends the run
            except (RampProtocolError, RampServerError) as error:
                _logger.info('%s', error)
                continue
            yield ramp_id, payload

    @api.model
    def _is_job_time_up(self):
        """Whether the job has had the time that the scheduler gives it; another call goes on."""
        return time.monotonic() > self.env.context.get('cron_end_time', math.inf)

    def _transaction(self, work, *args, processed=0):
        """Do `work(*args)` and commit it; when another worker was in the way, roll back and do it again.

        Only for jobs: nothing that a user's click or another module may call within theirs uses it.
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
                if attempt == CONCURRENCY_TRIES or time.monotonic() + pause > self._get_job_deadline():
                    raise
                _logger.info('Ramp flow %s: %s, trying again', self._flow, type(error).__name__)
                time.sleep(pause)
        return None
