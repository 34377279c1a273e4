# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl)
import logging
from datetime import timedelta

from odoo import models
from odoo.exceptions import AccessError, MissingError, UserError
from odoo.tools import split_every

from ...ramp_api import PayloadError, RampError, RampNotFound, RampProtocolError, RampServerError, RampValidationError
from .flow import Held, Waiting, is_of_object

_logger = logging.getLogger(__name__)

TROUBLES_PER_RUN = 5  # objects on which Ramp itself fails, before the run gives up
PATIENCE = timedelta(minutes=1)  # before Ramp is asked once more for what it may not have shown yet


class RampFlowSend(models.AbstractModel):
    """Send what differs from what Ramp has: create, change, withdraw, and note what came of it."""

    _name = 'ramp.flow.send'
    _description = 'Ramp Flow: send objects to Ramp'

    def _send_push_jobs(self, connection, run, client, jobs, backlog, last):
        """Change and withdraw objects, and upload new ones as soon as a request is full. Returns False when time is up.

        :param backlog: {group: jobs to be uploaded}, carried from one call to the next
        :param last: nothing more will come, so that what is left goes as it is
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
                    backlog.setdefault(self._get_upload_group(job), []).append(
                        job
                    )  # takes the place of one that was withdrawn
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
        """Change or withdraw one object of Ramp."""
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
            # gone in Ramp, although it was there: made anew, or gone for good
            job.known, job.ramp_id, job.uncertain = None, None, False
            if job.desired is None:
                job.state, job.error = 'ignored', job.reason
        except RampValidationError as error:
            connection._check_own_seat(
                client
            )  # without the seat Ramp refuses everything, and that is no fault of this object
            self._describe_refusal(job, error)
        except (RampServerError, RampProtocolError) as error:
            self._retry_job_later(run, job, error)
            return
        except Exception as error:
            self._hold_odd_job(run, job, error)
            return
        self._transaction(self._store_push_results, run, [job])

    def _hold_odd_job(self, run, job, error):
        """An object fails in a way nobody thought of: the others are sent. What was sent of it, the next run asks Ramp."""
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
        """The withdrawn object is forgotten; the one that takes its place may be there from before."""
        if self._new_id_when_fixed_changes:
            own = f'{self._get_remote_id_prefix()}{job.res_id}'
            former, _point, generation = job.remote_id.partition('.')
            job.remote_id = f'{own}.{int(generation or 1) + 1}' if former == own else own
        job.ramp_id, job.known, job.state, job.error = None, None, 'pending', None
        self._look_up_single_job(connection, client, job)

    def _hold_refused_job(self, job, error):
        """Ramp does not want this object as it is: a person reads why; it is sent again when it changes or on Retry."""
        job.uncertain = False
        job.state, job.error = 'held', self.env._('Ramp refused it: %s', _describe_validation_error(error))

    def _retry_job_later(self, run, job, error):
        """Ramp failed on this object: tried again later. Many of them are not the objects' fault."""
        self._transaction(self._store_retry_reason, run, job, error)
        memory = self.env.context.get('ramp_memory', {})
        memory['troubles'] = memory.get('troubles', 0) + 1
        if memory['troubles'] >= TROUBLES_PER_RUN:
            raise error

    def _store_retry_reason(self, run, job, error):
        record = self.env['ramp.record'].browse(job.id)
        record.name = job.name
        record._mark_failed(str(error))
        run.failed += 1

    def _upload_push_jobs(self, connection, run, client, jobs, resolved=False):
        """Create objects in Ramp, all at once; where Ramp refuses that, find out which one it is."""
        try:
            answer = self._post_push_jobs(connection, client, jobs)
        except RampError as error:
            if not isinstance(error, (RampValidationError, RampServerError, RampNotFound, RampProtocolError)):
                raise
            if not resolved:
                connection._check_own_seat(client)
                # some may be there already: an upload is all or nothing
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
            job.uncertain = True  # Ramp said yes and did not say to what: the next run asks
        self._transaction(self._store_push_results, run, jobs)
        if missing:
            self._trigger()

    def _upload_jobs_one_by_one(self, connection, run, client, jobs, error):
        """One of these could not even be put into words: the others are sent."""
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
        """Ramp did not create this object, as far as it says; what it made all the same it may not show at once: see
        `_describe_refusal`.
        """
        if isinstance(error, (RampServerError, RampProtocolError)):
            self._retry_job_later(run, job, error)
            return
        self._describe_refusal(job, error)
        self._transaction(self._store_push_results, run, [job])

    def _describe_refusal(self, job, error):
        """Refuse; but after a failure Ramp may have refused what is there already: it is asked once more before a
        person is.
        """
        self._hold_refused_job(job, error)
        if job.troubled and job.state == 'held':
            job.state, job.uncertain = 'pending', True
            # the job belongs to the system; see `_trigger`
            self._get_cron_job().sudo()._trigger(at=self.env.cr.now() + PATIENCE)

    def _post_push_jobs(self, connection, client, jobs):
        """Upload; returns the list of Ramp's objects."""
        answer = client.post(
            self._endpoint,
            {
                **self._make_upload_body(connection, jobs),
                self._upload_key: [self._make_upload_item(job) for job in jobs],
            },
        )
        return (answer or {}).get(self._upload_key) or []

    def _make_upload_body(self, connection, jobs):
        """What an upload says beside the objects. The seat is named, so that nothing lands in another system's list."""
        return {'accounting_connection_id': connection.accounting_connection_id}


def _is_of_run(error):
    """Whether a flow says in a sentence why it cannot go on: without the seat, or a field, nothing is sent at all."""
    return isinstance(error, UserError) and not isinstance(error, (AccessError, MissingError))


def _describe_validation_error(error):
    """Ramp's own words, without what only a developer wants to know: that is in the log."""
    _logger.info('%s', error)
    details = [f'{field}: {" ".join(messages)}' for field, messages in error.details.items()]
    return '; '.join(details) or error.message or str(error)
