# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import logging
from datetime import timedelta

from odoo import models
from odoo.exceptions import AccessError, MissingError, UserError
from odoo.tools import split_every

from ...models.run_memory import run_memory
from ...ramp_api import PayloadError, RampError, RampNotFound, RampProtocolError, RampServerError, RampValidationError
from .flow import is_of_object
from .reasons import Held, Waiting

_logger = logging.getLogger(__name__)

TROUBLES_PER_RUN = 5  # objects for which Ramp answers with an error before the run gives up
PATIENCE = timedelta(minutes=1)  # wait before Ramp is asked again for an object that it may not show yet


class RampFlowSend(models.AbstractModel):
    """Send differences to Ramp: create, change or withdraw objects, and store the results."""

    _name = 'ramp.flow.send'
    _description = 'Ramp Flow: send objects to Ramp'

    def _send_push_jobs(self, connection, run, client, jobs, backlog, last):
        """Change and withdraw objects, and upload new ones as soon as a request is full.

        :param backlog: {group: jobs to be uploaded}, carried from one call to the next
        :param last: whether no more jobs will come, so that incomplete requests are sent, too
        :return: False when the job's time is up
        """
        one_by_one = []
        for job in jobs:
            if job.desired is not None and not job.known:
                backlog.setdefault(self._get_upload_group(job), []).append(job)
            else:
                one_by_one.append(job)
        for chunk in split_every(self._upload_size, one_by_one, list):
            self._transaction(self.env['ramp.record']._mark_uncertain, [job.id for job in chunk])
            for job in chunk:
                self._send_single_job(connection, run, client, job)
                if job.desired is not None and not job.known and job.state == 'pending' and not job.blocked:
                    # The new object replaces one that was withdrawn.
                    backlog.setdefault(self._get_upload_group(job), []).append(job)
                if self.env['ir.cron']._commit_progress() <= 0:
                    return False
        for waiting in backlog.values():
            while len(waiting) >= self._upload_size or last and waiting:
                chunk, waiting[: self._upload_size] = waiting[: self._upload_size], []
                self._transaction(self.env['ramp.record']._mark_uncertain, [job.id for job in chunk])
                self._upload_push_jobs(connection, run, client, chunk)
                if self.env['ir.cron']._commit_progress() <= 0:
                    return False
        return True

    def _send_single_job(self, connection, run, client, job):
        """Change or withdraw one object in Ramp."""
        try:
            if job.desired is None:
                self._deactivate_remote_object(client, job)
                job.known = {**job.known, 'offered': False}
                job.state, job.error = 'ignored', job.reason
            elif any(key in self._fixed for key in job.changes):
                if job.offered:
                    self._deactivate_remote_object(client, job)
                self._replace_remote_object(connection, client, job)
                if job.known and self._differs_from_remote(job):
                    self._send_single_job(connection, run, client, job)
                    return
            else:
                self._update_remote_object(client, job, job.changes)
                job.known = {**job.known, **job.desired, **({'active': True} if 'active' in job.known else {})}
                job.state, job.error = 'confirmed', None
            job.uncertain = False
        except (Held, Waiting) as reason:
            job.uncertain = True
            job.block(reason)
        except RampNotFound:
            # The object no longer exists in Ramp. It is created again if it is wanted.
            job.known, job.ramp_id, job.uncertain = None, None, False
            if job.desired is None:
                job.state, job.error = 'ignored', job.reason
        except RampValidationError as error:
            # Without the accounting integration Ramp refuses everything, so the object would not be the cause.
            connection._check_own_seat(client)
            self._hold_or_ask_again(job, error)
        except (RampServerError, RampProtocolError) as error:
            self._retry_job_later(run, job, error)
            return
        except Exception as error:
            self._hold_odd_job(run, job, error)
            return
        self._transaction(self._store_push_results, run, [job])

    def _hold_odd_job(self, run, job, error):
        """Store an unexpected failure of one object, so that the others are sent.

        The next run asks Ramp what arrived of it.

        :raise Exception: the error itself, where the object is not its cause
        """
        if not is_of_object(error) or _is_of_run(error):
            raise error
        self.env.cr.rollback()
        _logger.error('Ramp flow %s could not send %s', self._flow, job.remote_id, exc_info=error)
        self._transaction(
            self._store_retry_reason,
            run,
            job,
            self.env._(
                'It could not be sent (%s). The server log has the details.',
                f'{type(error).__name__}: {error}' if isinstance(error, PayloadError) else type(error).__name__,
            ),
        )

    def _replace_remote_object(self, connection, client, job):
        """Forget the withdrawn object, and look up its replacement, which may exist from an earlier run."""
        if self._new_id_when_fixed_changes:
            own = f'{self._get_remote_id_prefix()}{job.res_id}'
            former, _point, generation = job.remote_id.partition('.')
            job.remote_id = f'{own}.{int(generation or 1) + 1}' if former == own else own
        job.ramp_id, job.known, job.state, job.error = None, None, 'pending', None
        self._look_up_single_job(connection, client, job)

    def _hold_refused_job(self, job, error):
        """Put an object that Ramp refuses on hold, with Ramp's reason.

        It is sent again when it changes, or on Retry.
        """
        job.uncertain = False
        job.state, job.error = 'held', self.env._('Ramp refused it: %s', _describe_validation_error(error))

    def _retry_job_later(self, run, job, error):
        """Store that Ramp answered with an error for this object, so that it is sent again later.

        :raise RampError: the error itself after `TROUBLES_PER_RUN` objects, as then the objects are not the cause
        """
        self._transaction(self._store_retry_reason, run, job, error)
        memory = run_memory(self.env)
        memory.server_troubles += 1
        if memory.server_troubles >= TROUBLES_PER_RUN:
            raise error

    def _store_retry_reason(self, run, job, error):
        record = self.env['ramp.record'].browse(job.id)
        record.name = job.name
        record._mark_failed(str(error))
        run.failed += 1

    def _upload_push_jobs(self, connection, run, client, jobs, resolved=False):
        """Create objects in Ramp in one request. If Ramp refuses it, find the object that is the cause.

        :param resolved: whether Ramp was already asked what it has of these objects
        """
        try:
            answer = self._post_push_jobs(connection, client, jobs)
        except RampError as error:
            if not isinstance(error, (RampValidationError, RampServerError, RampNotFound, RampProtocolError)):
                raise
            if not resolved:
                connection._check_own_seat(client)
                # Some objects may exist already. An upload is all or nothing (contract 2026-08-01).
                self._forget_remote_lists()
                self._resolve_uncertain_jobs(connection, client, jobs)
                self._transaction(
                    self._store_push_results, run, [job for job in jobs if not self._differs_from_remote(job)]
                )
                for job in [job for job in jobs if job.known and self._differs_from_remote(job)]:
                    self._send_single_job(connection, run, client, job)
                rest = [job for job in jobs if job.desired is not None and not job.known and not job.blocked]
                if rest and len(jobs) > 1:
                    self._upload_push_jobs(connection, run, client, rest, resolved=True)
                elif rest:
                    self._hold_not_created(run, rest[0], error)
            elif len(jobs) > 1:
                half = len(jobs) // 2
                self._upload_push_jobs(connection, run, client, jobs[:half], resolved=True)
                self._upload_push_jobs(connection, run, client, jobs[half:], resolved=True)
            else:
                self._hold_not_created(run, jobs[0], error)
            return
        except Exception as error:
            self._upload_jobs_one_by_one(connection, run, client, jobs, error)
            return
        uploaded = {remote.remote_id: remote for remote in self._read_remote_objects(answer, {})}
        for job in jobs:
            remote = uploaded.get(job.remote_id)
            if remote and not remote.unread:
                job.ramp_id, job.known, job.uncertain = remote.ramp_id, {**remote.values, **job.desired}, False
                job.state, job.error = 'confirmed', None
        missing = [job for job in jobs if job.uncertain or not job.known]
        for job in missing:
            job.uncertain = True  # Ramp accepted the upload but did not return the object; the next run asks for it
        self._transaction(self._store_push_results, run, jobs)
        if missing:
            self._trigger()

    def _upload_jobs_one_by_one(self, connection, run, client, jobs, error):
        """Find the objects that could not be put into an upload, and send the others.

        :raise Exception: the error itself, where no object is its cause
        """
        if not is_of_object(error) or _is_of_run(error):
            raise error
        odd = {}
        for job in jobs if len(jobs) > 1 else ():
            try:
                self._make_upload_item(job)
            except Exception as reason:
                odd[job.id] = reason
        if not odd and len(jobs) > 1:
            raise error
        for job in jobs:
            if job.id in odd or len(jobs) == 1:
                self._hold_odd_job(run, job, odd.get(job.id, error))
        rest = [job for job in jobs if job.id not in odd] if odd else []
        if rest:
            self._upload_push_jobs(connection, run, client, rest)

    def _hold_not_created(self, run, job, error):
        """Store that Ramp did not create this object, according to its answer.

        If Ramp created it all the same, it may not show it at once. See `_hold_or_ask_again`.
        """
        if isinstance(error, (RampServerError, RampProtocolError)):
            self._retry_job_later(run, job, error)
            return
        self._hold_or_ask_again(job, error)
        self._transaction(self._store_push_results, run, [job])

    def _hold_or_ask_again(self, job, error):
        """Put a refused object on hold, unless Ramp answered with an error for it in the last run.

        In that case Ramp may refuse it because the object exists already. So Ramp is asked once more before a person
        is.
        """
        self._hold_refused_job(job, error)
        if job.troubled and job.state == 'held':
            job.state, job.uncertain = 'pending', True
            # sudo: the job belongs to the system, see `_trigger`.
            self._get_cron_job().sudo()._trigger(at=self.env.cr.now() + PATIENCE)

    def _post_push_jobs(self, connection, client, jobs):
        """Upload the objects, and return the list of objects in Ramp's answer."""
        answer = client.post(
            self._endpoint,
            {
                **self._make_upload_body(connection, jobs),
                self._upload_key: [self._make_upload_item(job) for job in jobs],
            },
        )
        return (answer or {}).get(self._upload_key) or []

    def _make_upload_body(self, connection, jobs):
        """Return the part of an upload beside the objects.

        It names the accounting connection, so that no object ends up in the list of another system.
        """
        return {'accounting_connection_id': connection.accounting_connection_id}


def _is_of_run(error):
    """Return whether an error is a flow's sentence that it cannot continue at all.

    Without the accounting integration or a required field, nothing is sent.
    """
    return isinstance(error, UserError) and not isinstance(error, (AccessError, MissingError))


def _describe_validation_error(error):
    """Return Ramp's own words without technical details, which go to the log."""
    _logger.info('%s', error)
    details = [f'{field}: {" ".join(messages)}' for field, messages in error.details.items()]
    return '; '.join(details) or error.message or str(error)
