# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import contextlib
import logging
import math
import random
import time

import psycopg2

from odoo import api, models
from odoo.exceptions import UserError
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY

from ..ramp_api import RampError, RampNotFound, RampProtocolError, RampServerError

_logger = logging.getLogger(__name__)

CONCURRENCY_TRIES = 8


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
    _sends = False  # whether it goes from Odoo to Ramp
    _events = ()  # types of Ramp's events that wake the job: it asks Ramp what there is, as it does without them

    @api.model
    def _flow_label(self):
        """The flow's name for a person."""
        return self._flow

    @api.model
    def _enabled(self, connection):
        """Whether the connection wants this flow to run."""
        return True

    @api.model
    def _page(self, record):
        """Path of the object's page in Ramp's web application, or None."""
        return

    @api.model
    def _cron(self):
        """The flow's job; an empty recordset for a flow whose rows another one makes and works on."""
        return self.env.ref(f'ramp_connector.cron_{self._flow}', raise_if_not_found=False) or self.env['ir.cron']

    @api.model
    def _cron_id(self):
        """Id of the flow's job, or False: without a query, once it was asked for."""
        return self.env['ir.model.data']._xmlid_to_res_id(f'ramp_connector.cron_{self._flow}', raise_if_not_found=False)

    @api.model
    def _trigger(self):
        """Let the flow's job run soon; takes effect when the caller's transaction is committed."""
        # anybody's action may make work for the job; the job itself decides what it does
        cron = self._cron()
        if cron:
            cron.sudo()._trigger()

    @api.model
    def _cron_run(self):
        """Entry point of the job: one run for each connected connection; one that fails does not stop the others."""
        for connection in self.env['ramp.connection'].search([('state', '=', 'connected')]):
            connection = connection.with_company(connection.company_id).with_context(
                allowed_company_ids=connection.company_id.ids, lang=connection.company_id.partner_id.lang or self.env.lang,
                tz=connection._timezone(), ramp_memory={})  # what one run has asked of Ramp already
            if self._enabled(connection):
                self.with_env(connection.env)._run(connection)

    def _run(self, connection):
        """One run: subclasses say what it consists of, in `_work`. Never raises for trouble with Ramp or with an object."""
        run = self._transaction(self.env['ramp.run']._start, connection, self._flow)
        message = False
        try:
            connection._check_business(self._transaction)
            self._work(connection, run)
        except (RampError, UserError) as error:
            self.env.cr.rollback()
            message = connection._explain(error) if isinstance(error, RampError) else str(error)
            _logger.warning('%s', message)
        except Exception as error:
            self.env.cr.rollback()
            _logger.exception('Ramp flow %s of connection %s failed', self._flow, connection.id)
            message = self.env._('Unexpected: %(kind)s. The server log has the details; nothing half done was kept.',
                                 kind=type(error).__name__)
        self._transaction(self._finish, connection, run, message)
        return run

    def _finish(self, connection, run, message):
        run._finish(message)
        # Several jobs end at the same moment; they are in each other's way only if there is something to say.
        if message or connection.last_error:
            failure = connection._latest_failure()
            if failure != connection.last_error:
                connection.last_error = failure

    def _work(self, connection, run):
        raise NotImplementedError

    def _check_seat(self, connection, client):
        """Once in a run: nothing is sent or booked unless this database holds the accounting seat of the Ramp business."""
        memory = self.env.context.get('ramp_memory', {})
        if not memory.get('seat'):
            connection._check_seat(client)
            memory['seat'] = True

    def _ask_each(self, client, ramp_ids):
        """(Ramp id, payload or None where Ramp has none) of these objects, each asked for when it is wanted.

        Without those on which Ramp fails: they delay nothing else, and are asked for again, or listed.
        """
        for ramp_id in ramp_ids:
            payload = None
            try:
                with contextlib.suppress(RampNotFound):
                    payload = client.get(f'{self._endpoint}/{ramp_id}')
            except (RampProtocolError, RampServerError) as error:
                _logger.info('%s', error)
                continue
            yield ramp_id, payload

    @api.model
    def _is_time_up(self):
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
                if attempt == CONCURRENCY_TRIES:
                    raise
                _logger.info('Ramp flow %s: %s, trying again', self._flow, type(error).__name__)
                time.sleep(random.uniform(0, 0.05 * 2 ** attempt))
        return None
